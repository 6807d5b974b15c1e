//! Overrides: `cell B(s) = A(…) with { … }` is the text of A with changes.
//!
//! In: an item. Out: its [`Text`]; for a derived cell that of its base with the block's equations,
//! declarations and outs put in. Each definition remembers the layer it comes from, because its
//! static names mean what they mean there.

use super::text::{self, Declared, Holder, Kind, Text, TextLayer, collect, may_have_equation};
use super::{ItemId, Library, errors, nearest};
use crate::diag::{Diagnostic, Edit};
use crate::source::Span;
use crate::syntax::ast::*;
use crate::syntax::{removal, visit};
use std::hash::{DefaultHasher, Hash, Hasher};

/// Cells that are derived from each other in a line: each is read within the reading of the next.
const MAX_LAYERS: usize = 64;

/// The text of a cell, layer, model or function; mistakes of the body beside it.
pub fn text_of(library: &Library, id: ItemId) -> (Text<'_>, Vec<Diagnostic>) {
    let mut diagnostics = Vec::new();
    let mut text = Text::new();
    match &library.item(id).kind {
        ItemKind::Cell(cell) => text = cell_text(library, cell, &mut Vec::new(), &mut diagnostics),
        ItemKind::Layer(layer) => {
            text.layers.push(TextLayer {
                name: &layer.name,
                statics: &layer.statics,
                base_args: &[],
                base_span: layer.name.span,
            });
            text.inputs = &layer.inputs;
            match &layer.def {
                ExprOrBody::Expr(e) => text.result = Some(e),
                ExprOrBody::Body(b) => collect(&mut text, b, 0, Holder::Layer, &mut diagnostics),
            }
        }
        ItemKind::Model(model) => {
            text.layers.push(TextLayer {
                name: &model.name,
                statics: &model.statics,
                base_args: &[],
                base_span: model.name.span,
            });
            collect(&mut text, &model.body, 0, Holder::Model, &mut diagnostics);
        }
        ItemKind::Fn(func) => {
            text.layers.push(TextLayer {
                name: &func.name,
                statics: &[],
                base_args: &[],
                base_span: func.name.span,
            });
            text.inputs = &func.inputs;
            match &func.def {
                ExprOrBody::Expr(e) => text.result = Some(e),
                ExprOrBody::Body(b) => collect(&mut text, b, 0, Holder::Fn, &mut diagnostics),
            }
        }
        _ => {}
    }
    (text, diagnostics)
}

/// `stack` holds the cells that are being derived, to refuse a circle.
fn cell_text<'a>(
    library: &'a Library,
    cell: &'a Cell,
    stack: &mut Vec<(Name, u32)>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Text<'a> {
    let layer =
        || TextLayer { name: &cell.name, statics: &cell.statics, base_args: &[], base_span: cell.name.span };
    let (base, with) = match &cell.def {
        CellDef::Body(body) => {
            let mut text = Text { layers: vec![layer()], over: cell.over.as_ref(), ..Text::new() };
            collect(&mut text, body, 0, Holder::Cell, diagnostics);
            return text;
        }
        CellDef::Derived { base, with } => (base, with),
    };
    let own = Text { layers: vec![layer()], baseless: true, ..Text::new() };
    let (callee, args): (&Expr, &[Arg]) = match &base.kind {
        ExprKind::Call { callee, args } => (callee, args),
        _ => (base, &[]),
    };
    let ExprKind::Name(pattern) = &callee.kind else {
        diagnostics.push(errors::unknown_base("…", base.span, None));
        return own;
    };
    let name = text::plain(pattern);
    let found = library.lookup(callee.span.file, &name).map(|id| &library.item(id).kind);
    let Some(ItemKind::Cell(below)) = found else {
        if !library.is_unread(callee.span.file, &name) {
            let near = nearest(&name, library.names(callee.span.file));
            diagnostics.push(errors::unknown_base(&pattern.written, callee.span, near));
        }
        return own;
    };
    let key = (below.name.name.clone(), below.name.span.file.0);
    if stack.contains(&key) || below.name.span == cell.name.span {
        diagnostics.push(errors::base_cycle(&cell.name.written, callee.span));
        return own;
    }
    if stack.len() >= MAX_LAYERS {
        diagnostics.push(errors::derived_too_deep(MAX_LAYERS, callee.span));
        return own;
    }
    stack.push(key);
    let mut text = cell_text(library, below, stack, diagnostics);
    stack.pop();
    text.layers.push(TextLayer { base_args: args, base_span: base.span, ..layer() });
    if let Some(body) = with {
        let index = text.layers.len() - 1;
        let mut block = Text { over: text.over, ..Text::new() };
        collect(&mut block, body, index, Holder::Cell, diagnostics);
        // What leaves an equation out: the whole block, if it has nothing else.
        let leave_out = |equation: Span| match (body.stmts.len(), body.span) {
            (1, Some(block)) => Edit { span: Span { start: base.span.end, ..block }, text: String::new() },
            _ => removal(library.file(equation.file).map_or("", |f| &f.text), equation),
        };
        merge(&mut text, block, &leave_out, diagnostics);
    }
    text
}

/// Puts the block's definitions into the base's text.
fn merge<'a>(
    text: &mut Text<'a>,
    block: Text<'a>,
    leave_out: &dyn Fn(Span) -> Edit,
    diagnostics: &mut Vec<Diagnostic>,
) {
    for new in block.entries {
        let old = text.entry(&new.name);
        if let (Some(a), Some(b)) = (&old.equated, &new.equated)
            && a.brace == b.brace
            && a.target == b.target
            && same(&a.equation.value, &b.equation.value)
        {
            // One of several names of an equation cannot be left out alone.
            let alone = (b.targets == 1 && b.brace.is_none()).then(|| leave_out(b.equation.span));
            diagnostics.push(errors::changes_nothing(&new.name, b.span, Some(a.span), alone));
        }
        match (new.declared, new.equated) {
            (declared, Some(equation)) => {
                old.equated = Some(equation);
                match declared {
                    Some(d) => old.declared = Some(d),
                    // What was given is now computed; its shape is kept.
                    None => old.declared = old.declared.take().map(into_shape),
                }
            }
            (Some(declared), None) => {
                if !may_have_equation(declared.kind) {
                    old.equated = None;
                }
                old.declared = Some(declared);
            }
            (None, None) => {}
        }
    }
    text.dims.extend(block.dims);
    text.sides.extend(block.sides);
    if !block.outs.is_empty() {
        text.outs = block.outs;
    }
}

fn into_shape(declared: Declared<'_>) -> Declared<'_> {
    match declared.kind {
        Kind::In | Kind::Mem | Kind::Param | Kind::Noise => Declared { kind: Kind::Shape, ..declared },
        _ => declared,
    }
}

/// A number that expressions have in common which are the [`same`].
pub fn fingerprint(e: &Expr) -> u64 {
    let mut hasher = DefaultHasher::new();
    mark(e, &mut hasher);
    hasher.finish()
}

fn mark(e: &Expr, hasher: &mut DefaultHasher) {
    match &e.kind {
        ExprKind::Paren(inner) => return mark(inner, hasher),
        // Equal numbers may differ in their bits.
        ExprKind::Number(x, _) => (*x + 0.0).to_bits().hash(hasher),
        ExprKind::Str(text) => text.hash(hasher),
        ExprKind::Bool(b) => b.hash(hasher),
        ExprKind::Name(pattern) => {
            for piece in &pattern.pieces {
                match piece {
                    Piece::Text(text) => text.hash(hasher),
                    Piece::Group(words) => words.len().hash(hasher),
                }
            }
        }
        _ => {}
    }
    std::mem::discriminant(&e.kind).hash(hasher);
    visit::children(e, &mut |child| mark(child, hasher));
}

/// Whether two expressions are equal as written, places and parentheses aside.
pub fn same(a: &Expr, b: &Expr) -> bool {
    use ExprKind::*;
    let all = |xs: &[Expr], ys: &[Expr]| xs.len() == ys.len() && xs.iter().zip(ys).all(|(x, y)| same(x, y));
    match (&a.kind, &b.kind) {
        (Paren(x), _) => same(x, b),
        (_, Paren(y)) => same(a, y),
        (Number(x, _), Number(y, _)) => x == y,
        (Str(x), Str(y)) => x == y,
        (Bool(x), Bool(y)) => x == y,
        (Hole, Hole) => true,
        (Name(x), Name(y)) => x.pieces == y.pieces,
        (List(x), List(y)) => all(x, y),
        (Neg(x), Neg(y)) | (Not(x), Not(y)) => same(x, y),
        (Binary { op: o, left: l, right: r, .. }, Binary { op: p, left: m, right: s, .. }) => {
            o == p && same(l, m) && same(r, s)
        }
        (Cond { cond: c, then: t, else_: e }, Cond { cond: d, then: u, else_: f }) => {
            same(c, d) && same(t, u) && same(e, f)
        }
        (Pipe { value: v, into: i }, Pipe { value: w, into: j }) => same(v, w) && same(i, j),
        (Call { callee: c, args: x }, Call { callee: d, args: y }) => {
            let name = |a: &Arg| {
                a.name.as_ref().map(|n| (n.prev, n.path.iter().map(|p| p.name.clone()).collect::<Vec<_>>()))
            };
            same(c, d)
                && x.len() == y.len()
                && x.iter().zip(y).all(|(a, b)| name(a) == name(b) && same(&a.value, &b.value))
        }
        (Index { base: x, places: p }, Index { base: y, places: q }) => {
            let place = |a: &Place, b: &Place| match (a, b) {
                (Place::Prev(a), Place::Prev(b)) | (Place::Next(a), Place::Next(b)) => a.name == b.name,
                (Place::At(a), Place::At(b)) => same_set(a, b),
                _ => false,
            };
            same(x, y) && p.len() == q.len() && p.iter().zip(q).all(|(a, b)| place(a, b))
        }
        (Field { base: x, field: f }, Field { base: y, field: g }) => f.pieces == g.pieces && same(x, y),
        (Mark { base: x, mark: m }, Mark { base: y, mark: n }) => m == n && same(x, y),
        (
            Reduce { fold: f, binders: bs, where_: w, body: x },
            Reduce { fold: g, binders: cs, where_: v, body: y },
        ) => {
            let guard = match (w, v) {
                (None, None) => true,
                (Some(w), Some(v)) => same(w, v),
                _ => false,
            };
            f == g
                && guard
                && same(x, y)
                && bs.len() == cs.len()
                && bs.iter().zip(cs).all(|(b, c)| b.name.name == c.name.name && same_set(&b.set, &c.set))
        }
        _ => false,
    }
}

fn same_set(a: &Set, b: &Set) -> bool {
    let hi = match (&a.hi, &b.hi) {
        (None, None) => true,
        (Some(x), Some(y)) => same(x, y),
        _ => false,
    };
    hi && same(&a.lo, &b.lo)
}
