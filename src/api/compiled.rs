//! Compiled recipes: machine code that any number of threads can run at once.

use super::arrays::{Arrays, Outputs};
use super::error::{Error, Result};
use super::errors;
use super::exact;
use super::layout::Layout;
use super::load::load;
use super::optimiser::Optimiser;
use super::params::Params;
use super::recipe::{self, Kind, Options, Port, Recipe};
use super::saved::Saved;
use super::sizes::Sizes;
use super::stream::Stream;
use crate::codegen::How;
use crate::diag::{Diagnostic, Fallible};
use crate::eqn::{Graph, Level, Source, SourceKind};
use crate::grad::{self, Added};
use crate::limits::Limits;
use crate::loops::InputKind;
use crate::loops::cut::{Cut, cut};
use crate::pipeline::{self, CompileOptions};
use crate::runtime::errors::{missing, no_stream};
use crate::runtime::{Executable, Team, Workspace};
use crate::schedule::{Expected, cost};
use crate::shape::Bindings;
use crate::train::draw;
use ndarray::{ArrayD, IxDyn};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// A recipe as machine code. Cheap to clone and shared between threads: each run has memory of its own, taken from what earlier runs
/// have left.
#[derive(Clone)]
pub struct Compiled {
    pub(super) inner: Arc<Inner>,
}

impl std::fmt::Debug for Compiled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Compiled({})", self.inner.graph.name)
    }
}

/// What a program is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Forward,
    /// Forward and backward, which can be run one after the other.
    Joint,
    Steps,
}

pub(super) struct Inner {
    pub recipe: Recipe,
    pub graph: Graph,
    /// Its sources by their names.
    by_name: BTreeMap<Arc<str>, usize>,
    pub wrt: Option<Vec<String>>,
    gradients: bool,
    pub limits: Limits,
    how: How,
    interpret: bool,
    pub team: Arc<Team>,
    /// One example is run otherwise than many, so there are programs for both. Made when they are first needed.
    plans: [OnceLock<Fallible<Arc<Plan>>>; 5],
    /// For the interpreter.
    joint: OnceLock<Fallible<(Graph, Added)>>,
}

/// A program with memory of earlier runs.
pub(super) struct Plan {
    pub exe: Arc<Executable>,
    pub cut: Cut,
    /// Of [`Way::Joint`]: what its cotangents and gradients are called.
    pub added: Added,
    pool: Mutex<Vec<Workspace>>,
}

/// So many workspaces are kept for later runs of a program.
const KEPT: usize = 4;

/// A workspace that goes back when it is no longer needed.
pub(super) struct Lease {
    pub plan: Arc<Plan>,
    workspace: Option<Workspace>,
}

impl Lease {
    /// There always is one until it is given back.
    pub fn get(&mut self) -> Fallible<&mut Workspace> {
        self.workspace.as_mut().ok_or_else(|| vec![crate::runtime::errors::internal("a run lost its memory")])
    }

    pub fn look(&self) -> Fallible<&Workspace> {
        self.workspace.as_ref().ok_or_else(|| vec![crate::runtime::errors::internal("a run lost its memory")])
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut pool = self.plan.pool.lock().unwrap_or_else(PoisonError::into_inner);
        // What a panic has interrupted is not used again.
        if pool.len() < KEPT && !std::thread::panicking() {
            pool.extend(self.workspace.take());
        }
    }
}

impl Inner {
    /// What comes from outside under a name.
    pub fn source(&self, name: &str) -> Option<&Source> {
        self.graph.sources.get(*self.by_name.get(name)?)
    }

    /// The program for a way, for one example or many.
    pub fn plan(&self, way: Way, is_one: bool) -> Fallible<Arc<Plan>> {
        let at = match (way, is_one) {
            (Way::Forward, false) => 0,
            (Way::Forward, true) => 1,
            (Way::Joint, false) => 2,
            (Way::Joint, true) => 3,
            (Way::Steps, _) => 4,
        };
        self.plans[at].get_or_init(|| self.make(way, is_one).map(Arc::new)).clone()
    }

    fn make(&self, way: Way, is_one: bool) -> Fallible<Plan> {
        let one = Expected::Sizes(cost::Sizes { batch: 1, steps: 1 });
        let mut stepwise = self.graph.clone();
        let (expected, graph) = match (way, is_one) {
            (Way::Steps, _) => {
                // What is there only after the last step is not for a sequence without one.
                let is_over = |o: &crate::eqn::Output| matches!(self.graph.level(o.node), Level::Over(_));
                stepwise.outputs.retain(is_over);
                if stepwise.outputs.is_empty() {
                    return Err(vec![no_stream("none of its outputs is there at each step")]);
                }
                (Expected::Steps, &stepwise)
            }
            (_, true) => (one, &self.graph),
            (_, false) => (Expected::Batches, &self.graph),
        };
        let grad = (way == Way::Joint).then(|| self.recipe.by(self.wrt.clone()));
        let added = grad.as_ref().map(|grad| grad::added(graph, grad)).transpose()?.unwrap_or_default();
        let options = CompileOptions {
            grad,
            interpret: self.interpret,
            how: self.how,
            expected,
            apart: way == Way::Joint,
            limits: self.limits,
            ..CompileOptions::default()
        };
        let exe = pipeline::compile(graph, &Bindings::new(), &options)?;
        let cut = cut(exe.program(), self.graph.outputs.iter().map(|o| &*o.name));
        Ok(Plan { exe, cut, added, pool: Mutex::default() })
    }

    /// The adjoint beside the graph, its gradients the only outputs, and their names.
    pub fn joint(&self) -> Fallible<&(Graph, Added)> {
        let make = || {
            let options = self.recipe.by(self.wrt.clone());
            let mut joint = grad::differentiate(&self.graph, &options)?;
            joint.outputs.drain(..self.graph.outputs.len());
            Ok((joint, grad::added(&self.graph, &options)?))
        };
        self.joint.get_or_init(make).as_ref().map_err(Clone::clone)
    }

    /// Memory for a run on these arrays, with all of them given.
    pub fn lease(&self, way: Way, given: &Arrays) -> Fallible<Lease> {
        let sizes = Sizes::of(self, given)?;
        let plan = self.plan(way, sizes.batch == 1)?;
        let kept = plan.pool.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let is_new = kept.is_none();
        let mut workspace = match kept {
            Some(workspace) => workspace,
            None => {
                let mut workspace = Workspace::new(&plan.exe)?;
                workspace.work_with(&self.team)?;
                workspace
            }
        };
        let resized = workspace.resize_with(sizes.batch, &sizes.steps, &sizes.lengths, &sizes.trees);
        let loaded = resized
            .map_err(|wrong| or_missing(wrong, &plan.exe, given))
            .and_then(|()| load(&mut workspace, self, given, is_new));
        // One that lacks a parameter cannot be told from one that has it.
        loaded.map(|()| Lease { plan, workspace: Some(workspace) })
    }

    pub fn refusal(&self, found: Vec<Diagnostic>) -> Error {
        self.recipe.refusal(found)
    }
}

/// How many steps there are, an input would say that is not there.
fn or_missing(wrong: Vec<Diagnostic>, exe: &Executable, given: &Arrays) -> Vec<Diagnostic> {
    let inputs = exe.program().inputs.iter().filter(|i| i.kind == InputKind::Given);
    let lacking: Vec<Diagnostic> =
        inputs.filter(|i| given.get(&i.name).is_none()).map(|i| missing(&i.name)).collect();
    let is_about_steps = wrong.iter().all(|d| d.code == STEPS_UNKNOWN);
    if is_about_steps && !lacking.is_empty() { lacking } else { wrong }
}

/// The code of a number of steps that nothing says.
const STEPS_UNKNOWN: &str = "E0706";

/// An output as an array.
pub(super) fn output(workspace: &Workspace, name: &str) -> Fallible<ArrayD<f32>> {
    let shape = workspace.output_shape(name)?;
    let internal = |e: ndarray::ShapeError| vec![crate::runtime::errors::internal(&format!("`{name}`: {e}"))];
    ArrayD::from_shape_vec(IxDyn(&shape), workspace.output(name)?).map_err(internal)
}

/// Some outputs: what they are called, and by the program.
pub(super) fn outputs<'a>(
    workspace: &Workspace,
    names: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Fallible<Outputs> {
    let all = names.into_iter().map(|(name, own)| Ok((name.to_string(), output(workspace, own)?)));
    Ok(Outputs::new(all.collect::<Fallible<Vec<_>>>()?))
}

impl Compiled {
    pub(super) fn new(recipe: &Recipe, options: &Options) -> Result<Compiled> {
        let closed = recipe.closed().and_then(|graph| graph.bind(&Bindings::new()));
        let graph = closed.map_err(|e| recipe.refusal(e))?;
        let names = graph.sources.iter().enumerate();
        let inner = Inner {
            recipe: recipe.clone(),
            by_name: names.map(|(i, source)| (source.name.clone(), i)).collect(),
            graph,
            wrt: options.wrt.clone(),
            gradients: options.gradients,
            limits: options.limits.unwrap_or(*recipe.shared.library.limits()),
            how: How { reproducible: options.reproducible, ..How::default() },
            interpret: options.interpret,
            team: Team::new(options.threads),
            plans: Default::default(),
            joint: OnceLock::new(),
        };
        if let (Some(wrt), true) = (&options.wrt, options.gradients) {
            // Names are checked now, the rest when it is needed.
            let known = || inner.graph.sources.iter().filter(|s| s.kind != SourceKind::Cotangent);
            let strange = wrt.iter().filter(|w| !known().any(|s| *s.name == ***w));
            let wrong: Vec<Diagnostic> =
                strange.map(|w| crate::runtime::errors::unknown(w, known().map(|s| &*s.name))).collect();
            if !wrong.is_empty() {
                return Err(inner.refusal(wrong));
            }
        }
        inner.plan(Way::Forward, false).map_err(|e| inner.refusal(e))?;
        Ok(Compiled { inner: Arc::new(inner) })
    }

    /// The recipe it was made of.
    pub fn recipe(&self) -> &Recipe {
        &self.inner.recipe
    }

    /// What is given with every call, in the order of the text.
    pub fn inputs(&self) -> Vec<Port> {
        recipe::sources(&self.inner.graph, |k| *k == Kind::Input)
    }

    /// What is learnt.
    pub fn params(&self) -> Vec<Port> {
        recipe::sources(&self.inner.graph, |k| *k == Kind::Parameter)
    }

    /// Initial states that may be given.
    pub fn initial(&self) -> Vec<Port> {
        recipe::sources(&self.inner.graph, |k| matches!(k, Kind::Initial(_)))
    }

    /// All that comes out of [`Compiled::forward`].
    pub fn outputs(&self) -> Vec<Port> {
        recipe::outputs(&self.inner.graph)
    }

    /// Parameters drawn as they are declared; the same seed gives the same numbers everywhere.
    ///
    /// # Errors
    /// A distribution that cannot be drawn from.
    pub fn init(&self, seed: u64) -> Result<Params> {
        let mut params = Params::default();
        for source in &self.inner.graph.sources {
            let SourceKind::Param(info) = &source.kind else { continue };
            let shape: Vec<usize> =
                source.shape.iter().filter_map(|d| usize::try_from(d.as_constant()?).ok()).collect();
            let drawn = draw::parameter(seed, &source.name, &info.init, &shape)
                .and_then(|values| Params::array(&shape, values));
            params.insert(source.name.to_string(), drawn.map_err(|e| self.inner.refusal(vec![e]))?);
        }
        Ok(params)
    }

    /// Runs forward: `[steps, batch, ...]` in, all [`Compiled::outputs`] out. Beyond an example's length outputs are 0.
    ///
    /// # Errors
    /// Arrays that are missing, unknown, of another shape or element type, or contradict each other; limits.
    pub fn forward(&self, given: &Arrays) -> Result<Outputs> {
        let names = self.inner.graph.outputs.iter().map(|o| (&*o.name, &*o.name));
        let run = || {
            let mut lease = self.inner.lease(Way::Forward, given)?;
            let workspace = lease.get()?;
            workspace.run()?;
            outputs(workspace, names)
        };
        run().map_err(|e| self.inner.refusal(e))
    }

    /// Runs forward and keeps what the way back needs. Any number of runs can be kept at once, each with its own memory.
    ///
    /// # Errors
    /// As [`Compiled::forward`]; and if it was compiled without gradients, or something in it has none.
    pub fn forward_saved(&self, given: &Arrays) -> Result<Saved> {
        if !self.inner.gradients {
            return Err(Error::plain(errors::not_saved()));
        }
        Saved::run(&self.inner, given).map_err(|e| self.inner.refusal(e))
    }

    /// One example that goes on step by step: parameters and initial states (`[1, ...]`) now, inputs with each step.
    ///
    /// # Errors
    /// As [`Compiled::forward`]; and for what cannot go step by step, as it reads what is still to come.
    pub fn stream(&self, given: &Arrays) -> Result<Stream> {
        Stream::new(&self.inner, given).map_err(|e| self.inner.refusal(e))
    }

    /// [`Compiled::forward`] in 64 bits by the reference interpreter: slow, to check with. All arrays may be of 64 bits.
    ///
    /// # Errors
    /// As [`Compiled::forward`].
    pub fn exact(&self, given: &Arrays) -> Result<Outputs<f64>> {
        exact::forward(&self.inner, given).map_err(|e| self.inner.refusal(e))
    }

    /// The gradients by everything, or by [`Options::wrt`], in 64 bits by the reference interpreter. `cotangents` are named and
    /// default as for [`Saved::backward`].
    ///
    /// # Errors
    /// As [`Compiled::forward_saved`].
    pub fn exact_gradient(&self, given: &Arrays, cotangents: &Arrays) -> Result<Outputs<f64>> {
        exact::gradient(&self.inner, given, cotangents).map_err(|e| self.inner.refusal(e))
    }

    /// Gives back the memory that earlier runs have left for later ones. Runs in flight keep theirs.
    pub fn trim(&self) {
        for plan in self.inner.plans.iter().filter_map(OnceLock::get).flatten() {
            plan.pool.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }

    /// Parameters from the arrays of another library, such as the `state_dict` of a module: `cell.import(&arrays, "torch")`.
    ///
    /// # Errors
    /// No such layout; all arrays at once that are missing, of another shape, or read by nothing; numbers that are not finite.
    pub fn import(&self, given: &Arrays, layout: impl Into<Layout>) -> Result<Params> {
        self.inner.recipe.import(given, &layout.into())
    }

    /// Parameters as another library has them: [`Compiled::import`] makes the same parameters of that. Where a layout adds foreign
    /// arrays, such as two biases, the first has all and the others are zero.
    ///
    /// # Errors
    /// No such layout; parameters that are missing or of another shape.
    pub fn export(&self, params: &Params, layout: impl Into<Layout>) -> Result<Params> {
        self.inner.recipe.export(params, &layout.into())
    }

    /// An update rule that is itself a cell of the library, for the parameters of this recipe.
    ///
    /// # Errors
    /// A recipe that is no update rule: one input, the gradient, and a carried state that is its output, the parameter.
    pub fn optimiser(&self, recipe: &str) -> Result<Optimiser> {
        Optimiser::new(&self.inner, recipe)
    }
}
