//! What a snapshot keeps of a cell: the text of one stage, the same on every computer.
//!
//! In: a graph and what `check snapshot` names. Out: text. Code is generated for a named machine, never for the one at hand.

use super::{CompileOptions, asm, clif, errors, program};
use crate::codegen::Target;
use crate::diag::near::nearest;
use crate::diag::{Diagnostic, Fallible};
use crate::eqn::{Graph, print};
use crate::loops;
use crate::shape::Bindings;
use crate::simplify::simplify;
use crate::source::Span;
use crate::syntax::ast;
use crate::syntax::print::{Style, print_item};
use crate::{grad, schedule};
use std::fmt;

/// A stage of the compiler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The equations as a graph.
    Eqn,
    /// The derived gradient, as `rnnc grad` prints it; one that is no single cell of the language as a graph.
    Grad,
    Schedule,
    Loops,
    Clif,
    Asm,
}

impl Stage {
    const ALL: [(&'static str, Stage); 6] = [
        ("eqn", Stage::Eqn),
        ("grad", Stage::Grad),
        ("schedule", Stage::Schedule),
        ("loops", Stage::Loops),
        ("clif", Stage::Clif),
        ("asm", Stage::Asm),
    ];
    /// What is kept where nothing is named.
    const USUAL: [Stage; 3] = [Stage::Eqn, Stage::Grad, Stage::Loops];

    pub fn names() -> impl Iterator<Item = &'static str> {
        Stage::ALL.iter().map(|(name, _)| *name)
    }

    pub fn name(self) -> &'static str {
        Stage::ALL.iter().find(|(_, stage)| *stage == self).map_or("", |(name, _)| name)
    }

    fn is_code(self) -> bool {
        matches!(self, Stage::Clif | Stage::Asm)
    }

    /// Whether it has numbers for dimensions.
    fn is_sized(self) -> bool {
        !matches!(self, Stage::Eqn | Stage::Grad)
    }
}

/// One text of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    pub stage: Stage,
    target: Option<&'static str>,
    /// Of the forward pass with its adjoint: where the gradient is kept, loops and code are those of both.
    with_grad: bool,
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.stage.name())?;
        if self.with_grad && self.stage.is_sized() {
            write!(f, " with grad")?;
        }
        self.target.map_or(Ok(()), |target| write!(f, " for {target}"))
    }
}

/// What a list of stages asks for; without one the equations, the gradient and the loops of both passes.
pub fn views(list: &[ast::View]) -> Fallible<Vec<View>> {
    let parsed: Vec<Result<View, Diagnostic>> = list.iter().map(parse).collect();
    let wrong: Vec<Diagnostic> = parsed.iter().filter_map(|v| v.as_ref().err().cloned()).collect();
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let mut all: Vec<View> = parsed.into_iter().flatten().collect();
    if all.is_empty() {
        all.extend(Stage::USUAL.map(|stage| View { stage, target: None, with_grad: false }));
    }
    let with_grad = all.iter().any(|v| v.stage == Stage::Grad);
    all.iter_mut().for_each(|v| v.with_grad = with_grad);
    Ok(all)
}

fn parse(view: &ast::View) -> Result<View, Diagnostic> {
    let name = &*view.stage.name;
    let Some((_, stage)) = Stage::ALL.iter().find(|(n, _)| *n == name) else {
        let names: Vec<&str> = Stage::ALL.map(|(n, _)| n).to_vec();
        return Err(errors::unknown_stage(
            name,
            nearest(name, names.iter()).copied(),
            &names,
            view.stage.span,
        ));
    };
    let targets: Vec<&str> = Target::names().collect();
    let target = match (&view.target, stage.is_code()) {
        (None, false) => None,
        (None, true) => return Err(errors::no_target(name, &targets, view.stage.span)),
        (Some((_, at)), false) => return Err(errors::target_not_here(name, *at)),
        (Some((target, at)), true) => match Target::named(target) {
            Some(Target::Named(name)) => Some(name),
            _ => return Err(errors::unknown_target(target, &targets, *at)),
        },
    };
    Ok(View { stage: *stage, target, with_grad: false })
}

/// The text of a graph; `at` is where its recipe stands.
pub fn text(graph: &Graph, view: View, at: Span) -> Fallible<String> {
    let open = graph.dims();
    if view.stage.is_sized() && !open.is_empty() {
        return Err(vec![errors::open_dimensions(&graph.name, view.stage.name(), &open, at)]);
    }
    let options =
        || CompileOptions { grad: view.with_grad.then(grad::Options::default), ..CompileOptions::default() };
    let made = || program(graph, &Bindings::new(), &options());
    let target = view.target.and_then(Target::named).unwrap_or(Target::Host);
    Ok(match view.stage {
        Stage::Eqn => print::print(&simplify(graph)),
        Stage::Grad => {
            let options = grad::Options::default();
            match grad::print::adjoint_cell(graph, &options) {
                Ok(item) => print_item(&item, Style::UNICODE),
                Err(_) => print::print(&simplify(&grad::differentiate(graph, &options)?)),
            }
        }
        Stage::Schedule => {
            let joint =
                if view.with_grad { Some(grad::differentiate(graph, &Default::default())?) } else { None };
            let bound = joint.as_ref().unwrap_or(graph).bind(&Bindings::new())?;
            schedule::explain(&simplify(&bound), &made()?)
        }
        Stage::Loops => loops::print::print(&made()?),
        Stage::Clif => clif(&made()?, target)?,
        Stage::Asm => asm(&made()?, target)?,
    })
}
