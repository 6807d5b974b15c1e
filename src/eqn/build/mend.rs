//! What suggestions need to know of the text: where an edit goes, and what is likely meant.
//!
//! In: a mistake's place among expressions and names. Out: edits for the functions in [`errors`](super::errors), or
//! nothing where a change would be a guess.

use super::builder::Builder;
use super::errors;
use super::names::children;
use super::value::*;
use crate::diag::{Diagnostic, Edit};
use crate::eqn::DomainId;
use crate::resolve::text::{Kind, Text, pick};
use crate::shape::Shape;
use crate::source::Span;
use crate::syntax::ast::*;
use std::collections::BTreeMap;

/// Names of distributions.
pub(super) const DISTRIBUTIONS: [&str; 7] =
    ["uniform", "normal", "bernoulli", "xavier", "orthogonal", "identity", "chrono"];

impl<'l> Builder<'l> {
    /// `param W : [H, I] = uniform(0.1)`: the sign of a value before a distribution.
    pub(super) fn drawn_by_equals(&self, name: &str, env: &Env, span: Span) -> Option<Edit> {
        if !DISTRIBUTIONS.contains(&name) {
            return None;
        }
        let text = &self.frame(env.frame).text;
        let mut declared = text.entries.iter().filter_map(|e| e.declared.as_ref());
        let d = declared.find(|d| d.value.is_some_and(|v| v.span == span))?;
        let sign = Span { start: d.ty?.span.end, end: span.start, ..span };
        d.over.is_empty().then(|| Edit { span: sign, text: " ~ ".into() })
    }

    /// What makes a call of one argument, if the outermost item has it at this place, that argument.
    pub(super) fn without_call(&self, at: Span) -> Vec<Edit> {
        let Some(frame) = self.outermost else { return Vec::new() };
        let text = &self.frame(frame).text;
        let equations = text.entries.iter().filter_map(|e| Some(&e.equated.as_ref()?.equation.value));
        let losses = text.blocks.iter().filter_map(|stmt| match &stmt.kind {
            StmtKind::Loss { value, .. } | StmtKind::Metric { value, .. } => Some(value),
            _ => None,
        });
        let argument = equations.chain(losses).find_map(|e| argument_at(e, at));
        argument.map_or_else(Vec::new, |inner| {
            let cut = |start, end| Edit { span: Span { start, end, ..at }, text: String::new() };
            vec![cut(at.start, inner.span.start), cut(inner.span.end, at.end)]
        })
    }

    /// What shifts by one step what the model makes of an input, if it makes one thing of it.
    pub(super) fn shift_of(&self, input: &Name) -> Vec<Edit> {
        let Some(frame) = self.outermost else { return Vec::new() };
        let text = &self.frame(frame).text;
        let mut found = Vec::new();
        for entry in &text.entries {
            let value = entry.equated.as_ref().map(|q| &q.equation.value);
            value.into_iter().for_each(|e| applications(e, input, &mut found));
        }
        let [one] = found.as_slice() else { return Vec::new() };
        let put = |at, text: &str| Edit { span: Span { start: at, end: at, ..*one }, text: text.into() };
        vec![put(one.start, "shift("), put(one.end, ", 1)")]
    }

    /// The shape of what an equation adds up or multiplies elementwise, as far as it does not read the name itself.
    pub(super) fn shape_of_terms(&mut self, frame: FrameId, name: &Name, index: &[i64]) -> Option<Shape> {
        let equated = self.frame(frame).text.get(name)?.equated.clone();
        let equated = equated.filter(|e| index.is_empty() && e.brace.is_none() && e.targets == 1)?;
        let mut found = Vec::new();
        terms(&equated.equation.value, name, &mut found);
        let env = Env::new(frame, equated.layer);
        found.into_iter().find_map(|term| {
            let val = self.eval(term, &env).ok()?;
            let arr = self.force(val, term.span).ok()?;
            Some(self.shape(arr).to_vec()).filter(|shape| !shape.is_empty())
        })
    }

    /// `out h` behind the last equation: of the only state, else of what that equation defines.
    pub(super) fn what_may_be_given(&self, frame: FrameId) -> Option<Edit> {
        let text = &self.frame(frame).text;
        let last = text.entries.iter().filter_map(|e| Some((e, e.equated.as_ref()?)));
        let (last, equated) = last.max_by_key(|(_, q)| q.equation.span.end)?;
        let states: Vec<&Name> = text.declared(Kind::State).map(|e| &e.name).collect();
        let name = match states.as_slice() {
            [state] => state,
            _ => &last.name,
        };
        let span = equated.equation.span;
        Some(Edit { span: Span { start: span.end, ..span }, text: format!("\n  out {name}") })
    }

    /// What an argument list is to hold as well, where one dimension is missing: the one of that name where it stands,
    /// else `_` for the first, which inputs decide.
    pub(super) fn missing_dimension(
        &mut self,
        missing: &Static,
        statics: &'l [Static],
        args: &'l [Arg],
        env: &Env,
    ) -> Option<(String, Edit)> {
        let (first, last) = (args.first()?, args.last()?);
        let named = args.iter().any(|a| a.name.is_some());
        let wanted = statics.iter().filter(|s| s.default.is_none() && s.kind.is_empty()).count();
        if named || wanted != args.len() + 1 || statics.get(args.len())?.span != missing.span {
            return None;
        }
        if self.find_static(env.frame, env.layer, &missing.name.name).is_some() {
            let span = Span { start: last.span.end, ..last.span };
            let name = &missing.name.written;
            return Some((format!("give it {name}"), Edit { span, text: format!(", {name}") }));
        }
        let span = Span { end: first.span.start, ..first.span };
        let title = "write `_` for a dimension that the input decides".to_string();
        Some((title, Edit { span, text: "_, ".into() }))
    }

    /// [`Self::missing_dimension`] for all of a recipe that is written without any: the first by its input, the others by what
    /// is called so there.
    pub(super) fn missing_dimensions(
        &self,
        title: &Ident,
        statics: &[Static],
        env: &Env,
        at: Span,
    ) -> Option<(String, Edit)> {
        let wanted = statics.iter().filter(|s| s.default.is_none());
        let mut dims = Vec::new();
        for (i, s) in wanted.enumerate() {
            let is_known = self.find_static(env.frame, env.layer, &s.name.name).is_some();
            match i {
                _ if !s.kind.is_empty() => return None,
                0 => dims.push("_"),
                _ if is_known => dims.push(&s.name.written),
                _ => return None,
            }
        }
        let text = format!("{}({})", title.written, dims.join(", "));
        Some((format!("write `{text}`: the input decides what stands for `_`"), Edit { span: at, text }))
    }

    /// `h[t] = …`: a step on the left side, which an equation has no need of. Where it is another step than this one, all
    /// steps of the equation are so many further.
    pub(super) fn step_on_the_left(&self, frame: FrameId, name: &Name) -> Option<Diagnostic> {
        let equated = self.frame(frame).text.get(name)?.equated.as_ref()?;
        let target = equated.equation.targets.get(equated.target)?;
        let axes: Vec<Name> = match self.header(frame) {
            Some(over) => over.axes.iter().filter(|a| !a.rest).map(|a| a.name.name.clone()).collect(),
            None => vec!["t".into()],
        };
        let steps: Option<Vec<i64>> = target
            .index
            .iter()
            .map(|index| match index {
                TargetIndex::Expr(e) => axes.iter().find_map(|axis| step_from(e, axis)),
                TargetIndex::Binder(_) => None,
            })
            .collect();
        let steps = steps.filter(|s| !s.is_empty())?;
        let bracket = Span { start: target.name.span.end, ..target.span };
        let left = Edit { span: bracket, text: String::new() };
        let further = match (steps.as_slice(), axes.as_slice()) {
            _ if steps.iter().all(|k| *k == 0) => Some(Vec::new()),
            ([k], [axis]) => {
                let mut edits = vec![left.clone()];
                steps_further(&equated.equation.value, axis, -k, &mut edits);
                Some(edits).filter(|e| e.len() > 1)
            }
            _ => None,
        };
        Some(errors::step_on_the_left(&target.name.written, target.span, left, further))
    }

    /// What ends the group of static parameters behind an input of a layer: in the place of the comma, if one follows.
    pub(super) fn group_behind(&self, frame: FrameId, k: usize) -> Option<Edit> {
        let inputs = self.frame(frame).text.inputs;
        let edit = end_of_statics(inputs.get(k)?);
        Some(match inputs.get(k + 1) {
            Some(next) => Edit { span: Span { end: next.span.start, ..edit.span }, ..edit },
            None => edit,
        })
    }

    /// What a spelling of other languages means here; `far`: no name is near.
    pub(super) fn meant(&self, written: &str, far: bool, env: &Env, at: Span) -> Option<Diagnostic> {
        let f = self.frame(env.frame);
        let is_state = |name: &str| {
            f.text.get(name).and_then(|e| e.declared.as_ref()).is_some_and(|d| d.kind == Kind::State)
        };
        let right = match written {
            "True" => Some("true".to_string()),
            "False" => Some("false".to_string()),
            _ => None,
        };
        let old = OLD_VALUE.iter().find_map(|(before, after)| {
            written.strip_prefix(before)?.strip_suffix(after).filter(|stem| is_state(stem))
        });
        let old = old.and_then(|stem| Some(format!("{stem}[{}-1]", self.var_name(env.frame)?)));
        let transposed = written.strip_suffix(['\'', 'ᵗ']).filter(|stem| f.text.get(stem).is_some());
        if let Some(right) = right.or(old).or(transposed.map(|stem| format!("{stem}ᵀ"))) {
            return Some(errors::name_from_elsewhere(written, &right, at));
        }
        let [header] = f.text.layers.as_slice() else { return None };
        if !far || !env.dims_first || !header.statics.is_empty() || !f.text.inputs.is_empty() {
            return None;
        }
        let dims = undeclared_dims(&f.text);
        dims.iter().any(|d| **d == *written).then(|| {
            let behind = Span { start: header.name.span.end, ..header.name.span };
            let header = Edit { span: behind, text: format!("({})", dims.join(", ")) };
            errors::unknown_dimension(written, header, at)
        })
    }
}

/// How far from an axis' own point an expression is: of `t-1` it is -1.
fn step_from(e: &Expr, axis: &Name) -> Option<i64> {
    let is_axis = |e: &Expr| matches!(&e.kind, ExprKind::Name(p) if pick(p, 0) == *axis);
    match &e.kind {
        _ if is_axis(e) => Some(0),
        ExprKind::Binary { op: op @ (BinaryOp::Add | BinaryOp::Sub), left, right, .. } if is_axis(left) => {
            let ExprKind::Number(x, _) = right.kind else { return None };
            let whole = x.fract() == 0.0 && x.abs() < 1e6;
            whole.then_some(if *op == BinaryOp::Add { x as i64 } else { -(x as i64) })
        }
        _ => None,
    }
}

/// Reads of an axis so many steps further.
fn steps_further(e: &Expr, axis: &Name, by: i64, out: &mut Vec<Edit>) {
    if let ExprKind::Index { places, .. } = &e.kind
        && let [Place::At(Set { lo, hi: None, .. })] = places.as_slice()
        && let Some(step) = step_from(lo, axis)
    {
        let text = match step + by {
            0 => axis.to_string(),
            k => format!("{axis}{k:+}"),
        };
        out.push(Edit { span: lo.span, text });
    }
    children(e).into_iter().for_each(|c| steps_further(c, axis, by, out));
}

/// The argument of a call of one, if the call stands at a place.
pub(super) fn argument_at(e: &Expr, at: Span) -> Option<&Expr> {
    match &e.kind {
        ExprKind::Call { args, .. } if e.span == at => match args.as_slice() {
            [Arg { name: None, value, .. }] => Some(value),
            _ => None,
        },
        _ => children(e).into_iter().find_map(|c| argument_at(c, at)),
    }
}

/// Where something is applied to an input itself.
pub(super) fn applications(e: &Expr, input: &Name, out: &mut Vec<Span>) {
    if let ExprKind::Call { args, .. } = &e.kind
        && args
            .iter()
            .any(|a| a.name.is_none() && matches!(&a.value.kind, ExprKind::Name(p) if pick(p, 0) == *input))
    {
        out.push(e.span);
    }
    children(e).into_iter().for_each(|c| applications(c, input, out));
}

/// Parts of an expression that have its shape, and do not read a name.
pub(super) fn terms<'e>(e: &'e Expr, name: &Name, out: &mut Vec<&'e Expr>) {
    match &e.kind {
        ExprKind::Paren(inner) | ExprKind::Neg(inner) => terms(inner, name, out),
        ExprKind::Binary { op: BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul, left, right, .. } => {
            terms(left, name, out);
            terms(right, name, out);
        }
        ExprKind::Call { callee, args } => match (&callee.kind, args.as_slice()) {
            (ExprKind::Name(_), [arg]) if reads(e, name) => terms(&arg.value, name, out),
            _ if reads(e, name) => {}
            _ => out.push(e),
        },
        _ if reads(e, name) => {}
        _ => out.push(e),
    }
}

pub(super) fn reads(e: &Expr, name: &Name) -> bool {
    match &e.kind {
        ExprKind::Name(p) => pick(p, 0) == *name,
        _ => children(e).into_iter().any(|c| reads(c, name)),
    }
}

/// Makes an input, and those before it, static parameters of a layer.
pub(super) fn end_of_statics(last: &InputDecl) -> Edit {
    Edit { span: Span { start: last.span.end, ..last.span }, text: ")(".into() }
}

/// The statements that define one name and nothing else, by the place of that name. An input is no such: it belongs to what
/// others see of an item.
pub(super) fn single_statements(item: &Item) -> BTreeMap<Span, Span> {
    let body = match &item.kind {
        ItemKind::Cell(Cell { def: CellDef::Body(body), .. })
        | ItemKind::Layer(Layer { def: ExprOrBody::Body(body), .. })
        | ItemKind::Fn(Func { def: ExprOrBody::Body(body), .. })
        | ItemKind::Model(Model { body, .. }) => body,
        _ => return BTreeMap::new(),
    };
    let single = body.stmts.iter().filter_map(|stmt| {
        let targets = match &stmt.kind {
            StmtKind::Decl(decl) if decl.kind != DeclKind::In => &decl.targets,
            StmtKind::Noise { targets, .. } => targets,
            StmtKind::Equation(equation) => &equation.targets,
            _ => return None,
        };
        match targets.as_slice() {
            [one] if !one.name.written.contains('{') => Some((one.span, stmt.span)),
            _ => None,
        }
    });
    single.collect()
}

/// Two values with a sign between them in the place of a call.
pub(super) fn as_operator(sign: &str, values: &[&Expr], span: Span) -> Vec<Edit> {
    let [a, b] = values else { return Vec::new() };
    let is_atom = |e: &Expr| {
        !matches!(
            e.kind,
            ExprKind::Binary { .. }
                | ExprKind::Neg(_)
                | ExprKind::Not(_)
                | ExprKind::Cond { .. }
                | ExprKind::Pipe { .. }
        )
    };
    let bracket = |e: &Expr, text: &'static str| if is_atom(e) { "" } else { text };
    let cut = |from: u32, to: u32, text: String| Edit { span: Span { start: from, end: to, ..span }, text };
    vec![
        cut(span.start, a.span.start, format!("({}", bracket(a, "("))),
        cut(a.span.end, b.span.start, format!("{} {sign} {}", bracket(a, ")"), bracket(b, "("))),
        cut(b.span.end, span.end, format!("{})", bracket(b, ")"))),
    ]
}

/// How other languages write a value of the step before.
pub(super) const OLD_VALUE: [(&str, &str); 9] = [
    ("", "_prev"),
    ("", "_old"),
    ("", "_last"),
    ("", "_tm1"),
    ("", "_t1"),
    ("", "_t_1"),
    ("prev_", ""),
    ("old_", ""),
    ("last_", ""),
];

/// Names in the shapes of an item's declarations that nothing defines, if they look like dimensions.
pub(super) fn undeclared_dims(text: &Text<'_>) -> Vec<String> {
    let types = text.entries.iter().filter_map(|e| e.declared.as_ref()?.ty);
    let mut found: Vec<String> = Vec::new();
    for ty in types {
        let TypeKind::Array(dims) = &ty.kind else { continue };
        for dim in dims {
            let mut names = Vec::new();
            names_in(dim, &mut names);
            for name in names {
                let is_new = text.get(&name).is_none() && !text.dims.contains_key(&name);
                if is_new && name.starts_with(char::is_uppercase) && !found.iter().any(|f| **f == *name) {
                    found.push(name.to_string());
                }
            }
        }
    }
    found
}

pub(super) fn names_in(e: &Expr, out: &mut Vec<Name>) {
    match &e.kind {
        ExprKind::Name(p) => out.push(pick(p, 0)),
        _ => super::names::children(e).into_iter().for_each(|c| names_in(c, out)),
    }
}

/// A place with all axes in their order: those that are given where they are given, the others at this point.
pub(super) fn in_order(own: &[DomainId], names: &[String], found: &[(DomainId, i64)]) -> Option<String> {
    let known = found.iter().all(|(d, _)| own.contains(d));
    if !known || own.len() != names.len() || found.len() > own.len() {
        return None;
    }
    let axes = own.iter().zip(names).map(|(axis, name)| match found.iter().find(|(d, _)| d == axis) {
        Some((_, k)) if *k != 0 => format!("{name}{k:+}"),
        _ => name.clone(),
    });
    Some(axes.collect::<Vec<_>>().join(", "))
}

pub(super) fn places_span(places: &[Place]) -> Option<Span> {
    let span = |place: &Place| match place {
        Place::Prev(e) | Place::Next(e) => e.span,
        Place::At(set) => set.span,
    };
    Some(span(places.first()?).to(span(places.last()?)))
}
