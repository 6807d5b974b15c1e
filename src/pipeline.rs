//! The stages joined: from a graph to something that runs.
//!
//! In: a [`Graph`], perhaps with symbolic dimensions, and numbers for them. Out: a [`Program`] or an [`Executable`].
//! Nothing is decided here but the order: differentiate, put numbers for dimensions, simplify, schedule, generate
//! code. (Numbers come before simplification, which then folds what is computed from dimensions.)

mod errors;
pub mod objects;
pub mod views;

use crate::codegen::{self, How, Target};
use crate::diag::near::nearest;
use crate::diag::{Diagnostic, Fallible, Label};
use crate::eqn::{Graph, SourceKind, build};
use crate::grad;
use crate::limits::Limits;
use crate::loops::Program;
use crate::resolve::text::plain;
use crate::resolve::{Library, item_span};
use crate::runtime::Executable;
use crate::runtime::check::check;
use crate::schedule::{Expected, Keep, schedule_apart, schedule_for};
use crate::shape::Bindings;
use crate::simplify::simplify;
use crate::source::{FileId, Span};
use crate::syntax::ast::{self, CheckKind, ItemKind, Layout, StmtKind};
use crate::train::declared;
use std::sync::Arc;

/// A step on the way; reported when it is done, so that a caller with a clock can say what takes long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    Differentiate,
    Bind,
    Simplify,
    Schedule,
    Codegen,
}

#[derive(Clone, Debug, Default)]
pub struct CompileOptions {
    /// With the adjoint beside it; `None`: as it is.
    pub grad: Option<grad::Options>,
    /// Kernels are interpreted instead of compiled.
    pub interpret: bool,
    pub how: How,
    /// What it is going to be run on.
    pub expected: Expected,
    /// What kernels leave in memory for others.
    pub keep: Keep,
    /// What depends on cotangents comes behind all else, so that forward and backward can be run one after the other.
    pub apart: bool,
    /// What runs may cost.
    pub limits: Limits,
}

/// From a graph to something that runs.
pub fn compile(graph: &Graph, bindings: &Bindings, options: &CompileOptions) -> Fallible<Arc<Executable>> {
    compile_watched(graph, bindings, options, &mut |_| {})
}

/// [`compile`], calling `done` after each step.
pub fn compile_watched(
    graph: &Graph,
    bindings: &Bindings,
    options: &CompileOptions,
    done: &mut dyn FnMut(Step),
) -> Fallible<Arc<Executable>> {
    let program = program_watched(graph, bindings, options, done)?;
    let how = (!options.interpret).then_some(options.how);
    let exe = Executable::within(program, how, &options.limits)?;
    done(Step::Codegen);
    Ok(exe)
}

/// From a graph to its stages and kernels.
pub fn program(graph: &Graph, bindings: &Bindings, options: &CompileOptions) -> Fallible<Program> {
    program_watched(graph, bindings, options, &mut |_| {})
}

fn program_watched(
    graph: &Graph,
    bindings: &Bindings,
    options: &CompileOptions,
    done: &mut dyn FnMut(Step),
) -> Fallible<Program> {
    let joint = options.grad.as_ref().map(|grad| grad::differentiate(graph, grad)).transpose()?;
    done(Step::Differentiate);
    let bound = joint.as_ref().unwrap_or(graph).bind(bindings)?;
    done(Step::Bind);
    let simple = simplify(&bound);
    done(Step::Simplify);
    let in_order = if options.apart { schedule_apart } else { schedule_for };
    let program = in_order(&simple, options.expected, options.keep)?;
    done(Step::Schedule);
    Ok(program)
}

/// The intermediate code of a program's kernels, for a target that does not depend on this computer.
pub fn clif(program: &Program, target: Target) -> Fallible<String> {
    let limits = check(program).map_err(|e| vec![e])?;
    codegen::clif(program, &limits, target).map_err(|e| vec![e])
}

/// The machine code of a program's kernels, likewise.
pub fn asm(program: &Program, target: Target) -> Fallible<String> {
    let limits = check(program).map_err(|e| vec![e])?;
    codegen::asm(program, &limits, target).map_err(|e| vec![e])
}

/// What it took to read a token, in steps of work.
const TOKEN_WORK: u64 = 3;
/// What a check asks for that is not there.
fn mistakes_of_check(library: &Library, item: &ItemKind) -> Vec<Diagnostic> {
    let ItemKind::Check(check) = item else { return Vec::new() };
    let found = match &check.kind {
        CheckKind::Grad => return Vec::new(),
        CheckKind::Snapshot(list) => views::views(list).map(drop),
        CheckKind::Weights(name) => layout(library, name, &check.recipe).map(drop),
    };
    found.err().unwrap_or_default()
}

/// The layout of a name for the cell that a recipe names.
pub fn layout<'l>(library: &'l Library, name: &ast::Ident, recipe: &ast::Expr) -> Fallible<&'l Layout> {
    let mut head = recipe;
    while let ast::ExprKind::Call { callee, .. } | ast::ExprKind::Paren(callee) = &head.kind {
        head = callee;
    }
    let ast::ExprKind::Name(cell) = &head.kind else {
        return Err(vec![errors::unknown_layout(&name.written, "this", None, name.span)]);
    };
    let cell = plain(cell);
    // The last one hides those before it.
    if let Some(layout) = library.layouts(&cell).filter(|l| l.name.name == name.name).last() {
        return Ok(layout);
    }
    let near = nearest(&name.name, library.layouts(&cell).map(|l| &*l.name.name));
    Err(vec![errors::unknown_layout(&name.written, &cell, near, name.span)])
}

/// All mistakes of the items of a file: those of its equations and, where there are none, what keeps the losses of
/// its models from their parameters.
pub fn mistakes(library: &Library, file: FileId) -> Vec<Diagnostic> {
    let reading = library.file(file).map_or(0, |f| TOKEN_WORK.saturating_mul(f.tokens as u64));
    let mut work = library.limits().work.saturating_sub(reading);
    let mut found = build::check_within(library, file, &mut work);
    found.extend(library.items(file).flat_map(|item| mistakes_of_check(library, &item.kind)));
    let is_wrong = found.iter().any(Diagnostic::is_error);
    for id in library.file(file).map_or(&[][..], |f| &f.items) {
        let ItemKind::Model(model) = &library.item(*id).kind else { continue };
        if is_wrong {
            found.extend(declared::mistakes(library, model, None));
            continue;
        }
        let (built, _) = build::build_model_item(library, *id, &build::Options::default());
        found.extend(declared::mistakes(library, model, built.as_ref().map(|m| &m.graph)));
        let Some(graph) = built.map(|m| m.graph).filter(|g| g.find_output("loss").is_some()) else {
            continue;
        };
        // A gradient takes some steps for each equation.
        let Some(left) = work.checked_sub(10 * graph.nodes.len() as u64) else {
            found.push(build::too_much_work(library.limits().work, item_span(library.item(*id))));
            break;
        };
        work = left;
        let params = graph.sources.iter().filter(|s| matches!(s.kind, SourceKind::Param(_)));
        let wrt = Some(params.map(|s| s.name.to_string()).collect());
        let options = grad::Options { wrt, from: Some(vec!["loss".into()]), ..Default::default() };
        let losses = model.body.stmts.iter().filter(|s| matches!(s.kind, StmtKind::Loss { .. }));
        let place = losses.map(|s| Label { span: s.span, text: "this loss".into() }).next();
        for mut mistake in grad::differentiate(&graph, &options).err().into_iter().flatten() {
            mistake.labels.splice(0..0, place.clone());
            if let Some(place) = &place {
                let word = Span { end: place.span.start + "loss".len() as u32, ..place.span };
                mistake = mistake.fix("a measure of success is a `metric`", word, "metric");
            }
            found.push(mistake);
        }
    }
    found
}
