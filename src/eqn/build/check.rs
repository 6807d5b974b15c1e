//! All mistakes of a file at once, for `rnnc check`.
//!
//! Every item is built with symbolic dimensions, once for each value of its options. A dimension that must
//! be a number (a family's length) gets a small one. A cell parameter gets a stand-in, the identity.

use super::builder::Builder;
use super::define::strip;
use super::mend::single_statements;
use super::survey::{Seen, Survey};
use super::value::*;
use super::{Options, errors, last_pass, on_large_stack, trace};
use crate::diag::{Diagnostic, Label};
use crate::resolve::inherit::text_of;
use crate::resolve::text::{Kind, Text, expand, pick};
use crate::resolve::{ItemId, Library, STAND_IN, item_name, item_span, item_statics};
use crate::source::{FileId, Span};
use crate::syntax::ast::*;
use crate::syntax::removal;
use std::cell::RefCell;
use std::collections::{BTreeSet, HashSet};

/// Up to so many combinations of options are tried; of more, each option alone.
const MAX_COMBINATIONS: usize = 64;
/// So often a dimension that must be a number gets one.
const MAX_ROUNDS: usize = 8;
/// Of more combinations so many options at most are tried alone.
const MOST_ALONE: usize = 256;
/// And so that no more arguments than these are written for all of them.
const MOST_ARGUMENTS: usize = 1 << 14;
/// After so many mistakes no further item is looked at.
const MOST_ERRORS: usize = 100;
/// What an item costs beside its equations.
const ITEM_WORK: u64 = 100;

/// All mistakes of the items of a file, each once, in the order of the text.
pub fn check(library: &Library, file: FileId) -> Vec<Diagnostic> {
    check_within(library, file, &mut library.limits().work.clone())
}

/// [`check`] in so many steps of work; those that are left.
pub fn check_within(library: &Library, file: FileId, work: &mut u64) -> Vec<Diagnostic> {
    on_large_stack(|| {
        let ids = library.file(file).map(|f| f.items.clone()).unwrap_or_default();
        let mut out: Vec<Diagnostic> = Vec::new();
        let (mut said, mut places) = (HashSet::new(), HashSet::new());
        for id in ids {
            let errors = out.iter().filter(|d| d.is_error()).count();
            if errors > MOST_ERRORS {
                out.push(errors::too_many_mistakes(MOST_ERRORS, item_span(library.item(id))));
                break;
            }
            *work = work.saturating_sub(ITEM_WORK);
            let found = check_item(library, id, work);
            let beyond = *work == 0 || found.iter().any(errors::is_too_large);
            // Every option of an item may end so; it is said once, and nothing is checked after it.
            let mut ends: Vec<Diagnostic> =
                found.iter().filter(|d| errors::is_too_much_work(d)).take(1).cloned().collect();
            if *work == 0 && ends.is_empty() {
                ends.push(errors::too_much_work(library.limits().work, item_span(library.item(id))));
            }
            let found = found.into_iter().filter(|d| !errors::is_too_much_work(d)).chain(ends);
            for d in found {
                let place = trace::place(library, file, &d).map(|span| (d.code, span));
                if said.insert(d.clone()) && place.is_none_or(|p| places.insert(p)) {
                    out.push(d);
                }
            }
            // What reads a program beyond the limits is beyond them too, and each costs as much.
            if beyond {
                break;
            }
        }
        out
    })
}

fn check_item(library: &Library, id: ItemId, work: &mut u64) -> Vec<Diagnostic> {
    // The second of one name cannot be called; that there are two has been said.
    let item = library.item(id);
    if let Some(name) = item_name(item).filter(|_| !matches!(item.kind, ItemKind::Model(_)))
        && library.lookup(name.span.file, &name.name) != Some(id)
    {
        return Vec::new();
    }
    match &library.item(id).kind {
        ItemKind::Cell(c) => check_recipes(library, id, &c.name, &c.statics, work),
        ItemKind::Layer(l) => check_recipes(library, id, &l.name, &l.statics, work),
        ItemKind::Fn(f) => {
            let args = f.inputs.iter().filter(|i| !i.kind.is_empty() && i.default.is_none());
            let args = args.map(|i| argument(&i.name, number(0.5, i.span))).collect();
            let recipe = call(&f.name, args);
            let mut found = Found::default();
            run(library, Target::Recipe(&recipe), Options::default(), &mut found, work);
            found.unread(library, id, true, work);
            found.diagnostics
        }
        ItemKind::Model(m) => {
            let mut found = Found::default();
            let (variants, all) = variants(&m.statics);
            for training in [false, true] {
                for variant in &variants {
                    let statics = variant.iter().map(|(n, e)| (n.name.to_string(), e.clone())).collect();
                    run(
                        library,
                        Target::Model(id, m),
                        Options { training, statics, ..Options::default() },
                        &mut found,
                        work,
                    );
                }
            }
            found.unread(library, id, all, work);
            found.diagnostics
        }
        ItemKind::Check(c) => {
            let mut found = Found::default();
            run(library, Target::Recipe(&c.recipe), Options::default(), &mut found, work);
            found.diagnostics.retain(Diagnostic::is_error);
            found.diagnostics
        }
        ItemKind::Layout(l) => match library.lookup(l.cell.span.file, &l.cell.name) {
            Some(cell) => check_layout(library, library.item(id).span, cell, l, work),
            None if library.is_unread(l.cell.span.file, &l.cell.name) => Vec::new(),
            None => vec![errors::unknown_item(&l.cell.written, None, l.cell.span)],
        },
        ItemKind::Test(test) => {
            // What a test says of its parts is found when it runs; here, whether there are such parts.
            let mut found = Found::default();
            for stmt in &test.body.stmts {
                if let StmtKind::Part { recipe, .. } = &stmt.kind {
                    run(library, Target::Recipe(recipe), Options::default(), &mut found, work);
                }
            }
            found.diagnostics.retain(Diagnostic::is_error);
            found.diagnostics
        }
        ItemKind::Use { .. } => Vec::new(),
    }
}

fn check_recipes(
    library: &Library,
    id: ItemId,
    name: &Ident,
    statics: &[Static],
    work: &mut u64,
) -> Vec<Diagnostic> {
    let mut found = Found::default();
    let (variants, all) = variants(statics);
    for training in [false, true] {
        for variant in &variants {
            let args = variant.iter().map(|(n, e)| argument(n, e.clone())).collect();
            let recipe = call(name, args);
            run(
                library,
                Target::Recipe(&recipe),
                Options { training, ..Options::default() },
                &mut found,
                work,
            );
        }
    }
    found.unread(library, id, all, work);
    found.diagnostics.extend(hidden_states(library, id));
    found.diagnostics
}

/// The mistakes of a layout's lines; what it leaves open for the options for which that is least.
fn check_layout(
    library: &Library,
    item: Span,
    cell: ItemId,
    layout: &Layout,
    work: &mut u64,
) -> Vec<Diagnostic> {
    let missing = RefCell::new(Vec::new());
    let mut found = Found::default();
    let (variants, _) = variants(item_statics(library.item(cell)));
    for variant in &variants {
        let args = variant.iter().map(|(n, e)| argument(n, e.clone())).collect();
        let recipe = call(&layout.cell, args);
        run(library, Target::Layout(&recipe, layout, &missing), Options::default(), &mut found, work);
    }
    // Those of the cell itself are said where it stands.
    let is_own = |l: &Label| l.span.file == item.file && item.start <= l.span.start && l.span.end <= item.end;
    found.diagnostics.retain(|d| d.is_error() && d.labels.first().is_some_and(is_own));
    let least = missing.into_inner().into_iter().min_by_key(Vec::len).filter(|names| !names.is_empty());
    if let (Some(names), true) = (least, found.diagnostics.is_empty()) {
        found.diagnostics.push(errors::undetermined(&layout.cell.written, &names, layout.name.span));
    }
    found.diagnostics
}

/// Outputs that are called like a state and are another value.
fn hidden_states(library: &Library, id: ItemId) -> Vec<Diagnostic> {
    let (text, _) = text_of(library, id);
    let mut notes = Vec::new();
    for (_, item) in &text.outs {
        let Some(names) = item.name.as_ref().and_then(|p| expand(p).ok()) else { continue };
        for (name, brace) in names {
            let is_itself = match &strip(&item.value).kind {
                ExprKind::Name(p) => pick(p, brace.map_or(0, |b| b.0)) == name,
                _ => false,
            };
            let state = text.get(&name).and_then(|e| e.declared.as_ref()).filter(|d| d.kind == Kind::State);
            if let (Some(state), false) = (state, is_itself) {
                notes.push(errors::out_hides_state(&name, item.span, state.span));
            }
        }
    }
    notes
}

/// What the builds of one item have shown.
#[derive(Default)]
pub(super) struct Found {
    /// What names and expressions are, if that is asked for.
    pub survey: Option<Survey>,
    diagnostics: Vec<Diagnostic>,
    said: HashSet<Diagnostic>,
    read: BTreeSet<Name>,
    failed: bool,
}

impl Found {
    /// That asks what names and expressions are.
    pub(super) fn surveying() -> Found {
        Found { survey: Some(Survey::default()), ..Found::default() }
    }

    fn add(&mut self, mut builder: Builder<'_>) {
        if let Some(survey) = &mut self.survey {
            survey.add(&mut builder);
        }
        self.failed |= builder.is_partial;
        for d in builder.diagnostics {
            self.failed |= d.is_error();
            if self.said.insert(d.clone()) {
                self.diagnostics.push(d);
            }
        }
        self.read.extend(builder.read);
    }

    /// Warns of what nothing reads for any option; says what an override has made fall away.
    fn unread(&mut self, library: &Library, id: ItemId, all_options: bool, work: &mut u64) {
        if self.failed || !all_options {
            return;
        }
        let (text, _) = text_of(library, id);
        let top = text.layers.len().saturating_sub(1);
        let unread = |text: &Text<'_>, read: &BTreeSet<Name>| -> Vec<(Name, usize, Span)> {
            let entries = text.entries.iter().filter(|e| !read.contains(&e.name));
            let places = entries.filter_map(|e| {
                let layer = e.equated.as_ref().map(|q| (q.layer, q.span));
                let declared =
                    e.declared.as_ref().filter(|d| d.kind != Kind::Shape).map(|d| (d.layer, d.span));
                let (layer, span) = layer.or(declared)?;
                Some((e.name.clone(), layer, span))
            });
            places.collect()
        };
        let statements = single_statements(library.item(id));
        let written = library.file(item_span(library.item(id)).file).map_or("", |f| &f.text);
        let mut fallen = Vec::new();
        for (name, layer, span) in unread(&text, &self.read) {
            if layer < top {
                fallen.push(name);
            } else if top > 0 {
                let base = text.layers.first().map_or("the base", |l| &l.name.written);
                let gates: Vec<&str> = text
                    .entries
                    .iter()
                    .filter(|e| {
                        e.equated.as_ref().is_some_and(|q| q.layer < top) || self.read.contains(&e.name)
                    })
                    .filter(|e| e.equated.is_some())
                    .map(|e| &*e.name)
                    .collect();
                self.diagnostics.push(errors::new_and_unread(&name, base, &gates, span));
            } else {
                let removal = statements.get(&span).map(|s| removal(written, *s));
                self.diagnostics.push(errors::unread(&name, span, removal));
            }
        }
        // Only what the base itself reads has fallen away.
        if let ItemKind::Cell(Cell { def: CellDef::Derived { base, .. }, name, .. }) = &library.item(id).kind
            && !fallen.is_empty()
        {
            let mut below = Found::default();
            run(library, Target::Recipe(base), Options::default(), &mut below, work);
            fallen.retain(|n| below.read.contains(n));
            if !below.failed && !fallen.is_empty() {
                self.diagnostics.push(errors::fell_away(&fallen, name.span));
            }
        }
    }
}

/// What is built to find mistakes.
#[derive(Clone, Copy)]
pub(super) enum Target<'a> {
    Recipe(&'a Expr),
    Model(ItemId, &'a Model),
    /// A cell and a layout for it; what that leaves open is added to the list.
    Layout(&'a Expr, &'a Layout, &'a RefCell<Vec<Vec<String>>>),
}

/// Builds a target and evaluates all equations of its item, with numbers for dimensions that need one.
pub(super) fn run(
    library: &Library,
    target: Target<'_>,
    mut options: Options,
    found: &mut Found,
    work: &mut u64,
) {
    let mut invented = false;
    // What is left over is said once, by whoever counts.
    if *work == 0 {
        found.failed = true;
        return;
    }
    for round in 1..=MAX_ROUNDS {
        options.work = Some(*work);
        let looks = found.survey.is_some();
        let (_, builder) = last_pass(library, &options, |b| {
            b.seen = looks.then(Seen::new);
            let built = match target {
                Target::Recipe(recipe) => b.build_recipe(recipe).map(|_| ()),
                Target::Model(id, model) => b.build_model_item(id, model).map(|_| ()),
                Target::Layout(recipe, layout, missing) => {
                    let graph = b.build_recipe(recipe)?;
                    let (_, open) = b.layout(b.outermost?, layout, &graph);
                    missing.borrow_mut().push(open);
                    return Some(());
                }
            };
            // What is not supported leaves names without a meaning; more would be said of them than is wrong.
            if !b.diagnostics.iter().any(|d| d.code == errors::NOT_YET) {
                b.check_rest();
            }
            built
        });
        let mut builder = builder;
        *work = work.saturating_sub(builder.work);
        // Numbers that are made up here need not come out even.
        if invented {
            let before = builder.diagnostics.len();
            builder.diagnostics.retain(|d| d.code != errors::DIM_ERROR);
            builder.is_partial |= builder.diagnostics.len() < before;
        }
        let wanted: Vec<Name> =
            builder.wants_number.iter().filter(|n| !options.statics.contains_key(&***n)).cloned().collect();
        if wanted.is_empty() || round == MAX_ROUNDS {
            found.add(builder);
            return;
        }
        for name in wanted {
            invented = true;
            // Different dimensions get different numbers, so that shapes do not agree by chance.
            let small = 3 + options.statics.len();
            let span = Span { file: FileId(u32::MAX), start: 0, end: 0 };
            options.statics.insert(name.to_string(), number(small as f64, span));
        }
    }
}

impl<'l> Builder<'l> {
    /// Evaluates the equations that nothing has read, so that their mistakes are found too. What a base
    /// defines and an override leaves unread does not exist and is left alone.
    fn check_rest(&mut self) {
        let Some(frame) = self.outermost else { return };
        let text = self.frame(frame).text.clone();
        let read = self.read.clone();
        let top = text.layers.len().saturating_sub(1);
        for entry in &text.entries {
            let Some(equated) = entry.equated.as_ref().filter(|e| e.layer == top) else { continue };
            let members = match self.members_of(frame, &entry.name) {
                Some(members) => members,
                None => continue,
            };
            for index in members {
                if self.eval_def(frame, &entry.name, &index, equated.span).is_err() {
                    break;
                }
            }
        }
        let result = self.finish_states();
        self.caught(result);
        self.read = read;
    }

    /// Some members of a family: all of a small one.
    fn members_of(&mut self, frame: FrameId, name: &Name) -> Option<Vec<Vec<i64>>> {
        let sets = self.sets_of(frame, name).ok()?;
        let mut all: Vec<Vec<i64>> = vec![Vec::new()];
        for set in sets.iter() {
            let FamilySet::Range(a, b) = set else { return Some(vec![Vec::new()]) };
            let few = (*a..=*b).take(4);
            let next: Vec<Vec<i64>> =
                all.iter().flat_map(|i| few.clone().map(|k| [i.as_slice(), &[k]].concat())).collect();
            all = next.into_iter().take(64).collect();
        }
        Some(all)
    }
}

// Recipes to try.

pub(super) type Variant<'a> = Vec<(&'a Ident, Expr)>;

/// Arguments for all combinations of options; whether these are all.
pub(super) fn variants(statics: &[Static]) -> (Vec<Variant<'_>>, bool) {
    let mut choices: Vec<(&Ident, Vec<Expr>)> = Vec::new();
    let mut fixed: Variant<'_> = Vec::new();
    for s in statics {
        let span = s.span;
        let word = s.kind.first().map_or("", |k| &k.name);
        match (s.kind.len(), word, &s.default) {
            (n, ..) if n > 1 => choices.push((&s.name, s.kind.iter().map(|w| named(w, span)).collect())),
            (_, "bool", _) => choices.push((&s.name, booleans(span))),
            (0, _, Some(Expr { kind: ExprKind::Bool(_), .. })) => choices.push((&s.name, booleans(span))),
            // Numbers for axes are often switches.
            (_, _, Some(default)) if s.over_set.is_some() => {
                choices.push((&s.name, vec![default.clone(), number(1.0, span)]));
            }
            (_, _, Some(_)) => {}
            (_, "real", None) => fixed.push((&s.name, number(0.5, span))),
            (_, "cell", None) => fixed.push((&s.name, word_expr(STAND_IN, span))),
            (_, "fn", None) => fixed.push((&s.name, word_expr("tanh", span))),
            (_, _, None) => fixed.push((&s.name, named(&s.name, span))),
        }
    }
    let total = choices.iter().try_fold(1usize, |n, (_, values)| n.checked_mul(values.len()));
    let mut out: Vec<Variant<'_>> = vec![fixed.clone()];
    let few = |n: usize| n <= MAX_COMBINATIONS && n.saturating_mul(statics.len()) <= MOST_ARGUMENTS;
    if total.is_some_and(few) {
        for (name, values) in &choices {
            out = out
                .iter()
                .flat_map(|v| {
                    values.iter().map(move |e| {
                        let mut v = v.clone();
                        v.push((*name, e.clone()));
                        v
                    })
                })
                .collect();
        }
        return (out, true);
    }
    // Defaults stand for the options without a value here; those without a default get their first.
    let lacking: HashSet<&Name> =
        statics.iter().filter(|s| s.default.is_none()).map(|s| &s.name.name).collect();
    let alone = choices.iter().flat_map(|(name, values)| values.iter().map(move |value| (*name, value)));
    let most = (MOST_ARGUMENTS / statics.len().max(1)).clamp(1, MOST_ALONE);
    for (name, value) in alone.take(most) {
        let mut v = fixed.clone();
        for (other, others) in choices.iter().filter(|(o, _)| o.name != name.name) {
            if let (true, Some(first)) = (lacking.contains(&other.name), others.first()) {
                v.push((*other, first.clone()));
            }
        }
        v.push((name, value.clone()));
        out.push(v);
    }
    out.remove(0);
    (out, false)
}

fn booleans(span: Span) -> Vec<Expr> {
    [false, true].map(|b| Expr { kind: ExprKind::Bool(b), span }).to_vec()
}

pub(super) fn number(value: f64, span: Span) -> Expr {
    Expr { kind: ExprKind::Number(value, value.to_string().into()), span }
}

fn named(word: &Ident, span: Span) -> Expr {
    word_expr(&word.name, span)
}

fn word_expr(word: &str, span: Span) -> Expr {
    let pieces = vec![Piece::Text(word.into())];
    Expr { kind: ExprKind::Name(Pattern { pieces, written: word.into(), span }), span }
}

pub(super) fn argument(name: &Ident, value: Expr) -> Arg {
    let name_ = ArgName { prev: false, path: vec![name.clone()], span: name.span };
    Arg { name: Some(name_), span: value.span, value }
}

pub(super) fn call(name: &Ident, args: Vec<Arg>) -> Expr {
    let callee = Box::new(named(name, name.span));
    Expr { kind: ExprKind::Call { callee, args }, span: name.span }
}
