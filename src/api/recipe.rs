//! A built recipe: what goes in and comes out, its equations and its gradient, to read or to compile.

use super::compiled::Compiled;
use super::error::{Error, Result};
use super::errors;
use super::library::{Library, Shared};
use crate::diag::{Diagnostic, Fallible};
use crate::eqn::build;
use crate::eqn::{Domain, Graph, Level, SourceKind, Ty};
use crate::grad::latex;
use crate::grad::print::{adjoint_cell, outs, reading};
use crate::limits::Limits;
use crate::loops;
use crate::pipeline::{self, CompileOptions};
use crate::runtime::errors::unknown;
use crate::shape::{Bindings, Dim};
use crate::source::Sources;
use crate::syntax;
use crate::syntax::ast::{Expr, ItemKind, StmtKind};
use crate::syntax::print::{Style, print_item, print_stmt};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// How a recipe is built, compiled and run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Numbers for dimensions that the recipe leaves open.
    pub dims: BTreeMap<String, i64>,
    /// Only these outputs, in place of all outputs and states: what is not asked for is not computed, and has no cotangent.
    pub outputs: Option<Vec<String>>,
    /// Whether there are gradients: needed for [`Compiled::forward_saved`].
    pub gradients: bool,
    /// Gradients of these inputs, parameters and initial states only, in place of all.
    pub wrt: Option<Vec<String>>,
    /// Noise is drawn, as in training; else it is its mean.
    pub training: bool,
    /// Initial states (`h0`) that are given although their declaration computes them.
    pub given: BTreeSet<String>,
    /// Threads that a run is shared out to, as far as it is worth it; 0 and 1: the caller's own. Results do not depend on it.
    pub threads: usize,
    /// One fixed set of instructions, so that results are the same bits on every computer that has it.
    pub reproducible: bool,
    /// Kernels are interpreted, slowly, in place of compiled.
    pub interpret: bool,
    /// What runs may cost; `None`: as the library was loaded.
    pub limits: Option<Limits>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            dims: BTreeMap::new(),
            outputs: None,
            gradients: true,
            wrt: None,
            training: false,
            given: BTreeSet::new(),
            threads: 1,
            reproducible: false,
            interpret: false,
            limits: None,
        }
    }
}

/// What the elements of an array are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Elements {
    /// 32-bit floating-point numbers.
    Real,
    /// 0 or 1.
    Bool,
    /// Whole numbers from 0, less than that many.
    Id(String),
}

/// What an array is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    Input,
    Parameter,
    /// What a state of that name is before the first point. May be left out.
    Initial(String),
    /// Drawn at random, or given.
    Noise,
    Output,
}

/// An array that goes in or comes out.
///
/// Its shape is one extent for each of `axes`, then the batch if there is one value per example, then `dims`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    pub name: String,
    pub kind: Kind,
    /// The extents of the domain it has values over, such as `n` of a chain; of a grid two.
    pub axes: Vec<String>,
    /// Whether each example has a value of its own.
    pub per_example: bool,
    /// The extents of one value: numbers, or expressions in the recipe's open dimensions.
    pub dims: Vec<String>,
    pub elements: Elements,
}

impl Port {
    /// The extents of one value as numbers, if they are.
    pub fn extents(&self) -> Option<Vec<usize>> {
        self.dims.iter().map(|d| d.parse().ok()).collect()
    }

    pub(super) fn new(graph: &Graph, name: &str, kind: Kind, level: Level, shape: &[Dim], ty: &Ty) -> Port {
        let extent =
            |d: &crate::eqn::DomainId| graph.domains.get(d.index()).map(|d: &Domain| d.extent.to_string());
        let elements = match ty {
            Ty::Real => Elements::Real,
            Ty::Bool => Elements::Bool,
            Ty::Id(k) => Elements::Id(k.to_string()),
        };
        Port {
            name: name.to_string(),
            kind,
            axes: graph.axes_of(level).iter().filter_map(extent).collect(),
            per_example: level != Level::Shared,
            dims: shape.iter().map(Dim::to_string).collect(),
            elements,
        }
    }
}

impl fmt::Display for Port {
    /// `x : [n, batch, 64]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let batch = self.per_example.then_some("batch");
        let all =
            self.axes.iter().map(String::as_str).chain(batch).chain(self.dims.iter().map(String::as_str));
        write!(f, "{} : [{}]", self.name, all.collect::<Vec<_>>().join(", "))
    }
}

/// The arrays of a graph, by what they are for.
pub(super) fn sources(graph: &Graph, which: impl Fn(&Kind) -> bool) -> Vec<Port> {
    let port = |s: &crate::eqn::Source| {
        let kind = match &s.kind {
            SourceKind::Input => Kind::Input,
            SourceKind::Param(_) => Kind::Parameter,
            SourceKind::Initial { state, .. } => {
                let state = graph.states.get(state.index()).map(|s| s.name.to_string());
                Kind::Initial(state.unwrap_or_default())
            }
            SourceKind::Noise(_) => Kind::Noise,
            SourceKind::Cotangent => return None,
        };
        which(&kind).then(|| Port::new(graph, &s.name, kind, s.level, &s.shape, &s.ty))
    };
    graph.sources.iter().filter_map(port).collect()
}

pub(super) fn outputs(graph: &Graph) -> Vec<Port> {
    let port = |o: &crate::eqn::Output| {
        Port::new(graph, &o.name, Kind::Output, graph.level(o.node), graph.shape(o.node), graph.ty(o.node))
    };
    graph.outputs.iter().map(port).collect()
}

/// How derived equations are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Notation {
    /// As the language is written: `σ(W @ x)`.
    #[default]
    Unicode,
    /// The same in ASCII.
    Ascii,
    /// A LaTeX formula.
    Latex,
}

/// The equations that a recipe stands for.
#[derive(Clone, Debug)]
pub struct Recipe {
    pub(super) shared: Arc<Shared>,
    /// With the recipe's own text.
    pub(super) sources: Arc<Sources>,
    /// The recipe as a tree, and how it was built.
    pub(super) tree: Arc<Expr>,
    pub(super) how: Arc<build::Options>,
    /// Numbers for dimensions that it left open.
    pub(super) numbers: Bindings,
    pub(super) graph: Graph,
    /// Outputs that the text itself declares.
    pub(super) declared: Vec<String>,
    /// Of an adjoint: see [`crate::grad::Options::again`].
    pub(super) again: Option<BTreeSet<Arc<str>>>,
}

impl Recipe {
    pub(super) fn build(library: &Library, recipe: &str, options: &Options) -> Result<Recipe> {
        let shared = library.shared.clone();
        let mut sources = shared.sources.clone();
        let file = sources.add("<recipe>", recipe);
        let refused = |found| Error::new(&sources, found);
        let tree = syntax::parse_recipe(&sources, file).map_err(refused)?;
        let how =
            build::Options { training: options.training, given: options.given.clone(), ..Default::default() };
        let (graph, found) = build::build(&shared.library, &tree, &how);
        let graph = match graph {
            Some(graph) if !found.iter().any(Diagnostic::is_error) => graph,
            _ => return Err(refused(found)),
        };
        let declared = outs(&graph);
        let (graph, numbers) = chosen(graph, options).map_err(refused)?;
        Ok(Recipe {
            shared,
            sources: Arc::new(sources),
            tree: Arc::new(tree),
            how: Arc::new(how),
            numbers,
            graph,
            declared,
            again: None,
        })
    }

    pub(super) fn refusal(&self, found: Vec<Diagnostic>) -> Error {
        Error::new(&self.sources, found)
    }

    /// The recipe as written.
    pub fn name(&self) -> &str {
        &self.graph.name
    }

    /// The documentation of the item that it names, if it begins with a name.
    pub fn docs(&self) -> String {
        let name = self.graph.name.split(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap_or("");
        let item = self.shared.library.find(name).filter(|i| !matches!(i.kind, ItemKind::Test(_)));
        item.map_or(String::new(), |i| i.docs.iter().map(|l| l.trim()).collect::<Vec<_>>().join("\n"))
    }

    /// Dimensions that still need a number.
    pub fn dims(&self) -> Vec<String> {
        self.graph.dims().iter().map(ToString::to_string).collect()
    }

    /// What is given with every call, in the order of the text.
    pub fn inputs(&self) -> Vec<Port> {
        sources(&self.graph, |k| *k == Kind::Input)
    }

    /// What is learnt.
    pub fn params(&self) -> Vec<Port> {
        sources(&self.graph, |k| *k == Kind::Parameter)
    }

    /// Initial states that may be given.
    pub fn initial(&self) -> Vec<Port> {
        sources(&self.graph, |k| matches!(k, Kind::Initial(_)))
    }

    /// Noise: drawn from a seed, or given.
    pub fn noise(&self) -> Vec<Port> {
        sources(&self.graph, |k| *k == Kind::Noise)
    }

    /// All that comes out: declared outputs first, then states over their domain, then last states (`NAME_last`).
    pub fn outputs(&self) -> Vec<Port> {
        outputs(&self.graph)
    }

    /// Names of the outputs of real numbers that the text itself declares, in its order: of a cell with one `out` that one.
    pub fn declared(&self) -> &[String] {
        &self.declared
    }

    /// The equations as they are computed.
    ///
    /// # Errors
    /// What cannot be written as equations.
    pub fn equations(&self, notation: Notation) -> Result<String> {
        let style = match notation {
            Notation::Latex => return latex::forward_latex(&self.graph).map_err(|e| self.refusal(e)),
            Notation::Unicode => Style::UNICODE,
            Notation::Ascii => Style { ascii: true, ..Style::UNICODE },
        };
        let reading = reading::forward(&self.graph).map_err(|e| self.refusal(e))?;
        let line = |e: &reading::Entry| {
            let stmt = syntax::ast::Stmt {
                docs: Vec::new(),
                kind: StmtKind::Equation(e.equation.clone()),
                span: e.equation.span,
            };
            format!("{}\n", print_stmt(&stmt, style).trim_end())
        };
        Ok(reading.forward.iter().map(line).collect())
    }

    /// The derived gradient, as equations; `wrt` names inputs, parameters or initial states, or nothing for all.
    ///
    /// # Errors
    /// A name that is none of these; an operation without a gradient.
    pub fn gradient(&self, wrt: &[&str], notation: Notation) -> Result<String> {
        let wrt = (!wrt.is_empty()).then(|| wrt.iter().map(ToString::to_string).collect());
        let options = self.by(wrt);
        let style = match notation {
            Notation::Latex => {
                return latex::adjoint_latex(&self.graph, &options).map_err(|e| self.refusal(e));
            }
            Notation::Unicode => Style::UNICODE,
            Notation::Ascii => Style { ascii: true, ..Style::UNICODE },
        };
        match adjoint_cell(&self.graph, &options) {
            Ok(item) => Ok(format!("{}\n", print_item(&item, style).trim_end())),
            // What is no cell can be read all the same.
            Err(_) => reading::adjoint(&self.graph, &options)
                .map(|reading| reading.text(style))
                .map_err(|e| self.refusal(e)),
        }
    }

    /// The loops and kernels that are made of it, as `rnnc show --stage loops` prints them.
    ///
    /// # Errors
    /// Open dimensions; what cannot be scheduled or differentiated.
    pub fn kernels(&self, with_gradient: bool) -> Result<String> {
        let grad = with_gradient.then(|| self.by(None));
        let options = CompileOptions { grad, ..CompileOptions::default() };
        let program = self.closed().and_then(|graph| pipeline::program(graph, &Bindings::new(), &options));
        program.map(|p| loops::print::print(&p)).map_err(|e| self.refusal(e))
    }

    /// The graph, if all its dimensions are numbers.
    pub(super) fn closed(&self) -> Fallible<&Graph> {
        match self.dims() {
            open if open.is_empty() => Ok(&self.graph),
            open => Err(vec![errors::open_dimensions(&self.graph.name, &open)]),
        }
    }

    /// Makes machine code. `dims`, `outputs`, `training` and `given` of the options have done their work when the recipe was
    /// built; the others count here.
    ///
    /// # Errors
    /// Open dimensions; a recurrence without an order; limits; a computer that no code can be made for. Code for gradients
    /// and streams is made when it is first needed, and refused then.
    pub fn compile(&self, options: &Options) -> Result<Compiled> {
        Compiled::new(self, options)
    }
}

/// With numbers for dimensions, and the outputs that are wanted.
fn chosen(mut graph: Graph, options: &Options) -> Fallible<(Graph, Bindings)> {
    let open = graph.dims();
    let mut wrong = Vec::new();
    let mut bindings = Bindings::new();
    for (name, n) in &options.dims {
        match open.iter().find(|d| ***d == **name) {
            Some(dim) => {
                bindings.insert(dim.clone(), *n);
            }
            None => wrong.push(unknown(name, open.iter().map(|d| &**d))),
        }
    }
    if let Some(wanted) = &options.outputs {
        for name in wanted {
            if graph.find_output(name).is_none() {
                wrong.push(unknown(name, graph.outputs.iter().map(|o| &*o.name)));
            }
        }
        graph.outputs.retain(|o| wanted.iter().any(|w| **w == *o.name));
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    // What stays open is said when it is compiled.
    if !bindings.is_empty() && bindings.len() == open.len() {
        graph = graph.bind(&bindings)?;
    } else if !bindings.is_empty() {
        let missing: Vec<String> =
            open.iter().filter(|d| !bindings.contains_key(*d)).map(ToString::to_string).collect();
        return Err(vec![errors::open_dimensions(&graph.name, &missing)]);
    }
    Ok((graph, bindings))
}
