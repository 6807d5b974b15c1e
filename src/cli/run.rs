//! `rnnc run`: evaluate, and differentiate, on given arrays.

use super::arrays;
use super::compile::{Compiler, Instructions};
use super::errors::{self, NOT_FINITE};
use super::foreign::Foreign;
use super::help;
use super::limits::FileLimits;
use super::select::Selected;
use super::session::{Failure, Session};
use super::threads;
use crate::diag::Diagnostic;
use crate::eqn::build::Options;
use crate::eqn::eval::Batch;
use crate::eqn::{Graph, Source, SourceKind, eval};
use crate::files;
use crate::sanitize::{self, Digits, Fault, Verdict};
use crate::schedule::Expected;
use crate::schedule::cost::Sizes;
use crate::train::draw;
use crate::weights::{self, Array, Arrays, Finder, npz};
use crate::{grad, runtime};
use std::path::PathBuf;

/// Evaluate a cell or model on the arrays of an npz file
///
/// Inputs are [steps, batch, …] under their declared names, parameters under theirs, initial states NAME0
/// [batch, …] (optional), and `lengths` [batch], of a grid [batch, axes] (optional); trees are
/// `children` [batch, nodes, edges], -1 where there is no child. Written are all outputs and states [steps, batch, …] and
/// the last states NAME_last; with --grad also NAME_adj for every input, parameter and initial state, from the
/// NAME_adj of outputs that the file gives.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  rnnc run mine.rnn --cell 'Mine(8, 16)' --in in.npz --out out.npz --seed 1\n  rnnc run mine.rnn --cell 'Mine(8, 16)' --in in.npz --out out.npz --seed 1 --grad --f64\n  rnnc run mine.rnn --cell 'Mine(8, 16)' --in in.npz --out out.npz --seed 1 --grad --sanitize\n  rnnc run mine.rnn --cell 'Mine(8, 16)' --in in.npz --params w.safetensors --out out.npz"
)]
pub struct Run {
    #[command(flatten)]
    selected: Selected,
    /// The arrays to read
    #[arg(long = "in", value_name = "NPZ", help_heading = help::DATA)]
    input: PathBuf,
    /// A file of parameters, in place of those in the other file: safetensors, npz, PyTorch, ONNX, JSON
    #[arg(long, value_name = "FILE", help_heading = help::DATA)]
    params: Option<PathBuf>,
    #[command(flatten)]
    foreign: Foreign,
    /// Where to write the results
    #[arg(long = "out", value_name = "NPZ", help_heading = help::OUTPUT)]
    output: PathBuf,
    /// Differentiate too
    #[arg(long)]
    grad: bool,
    /// Evaluate with the reference interpreter, in double precision
    #[arg(long, conflicts_with = "reproducible", help_heading = help::MACHINE)]
    f64: bool,
    /// Interpret the kernels instead of compiling them
    #[arg(long, conflicts_with_all = ["f64", "reproducible"], help_heading = help::MACHINE)]
    interpret: bool,
    /// If a result is NaN or infinite, say which equation made it so: at which step or point, in which batch entry, of which
    /// numbers. Results are the same bits
    #[arg(long)]
    sanitize: bool,
    /// Threads to share the work out to, as far as there is enough of it; results do not depend on them
    /// [default: all cores]
    #[arg(long, value_name = "N", value_parser = threads::range(), help_heading = help::MACHINE)]
    threads: Option<u32>,
    /// Draw parameters that the file lacks, with this seed
    #[arg(long)]
    seed: Option<u64>,
    #[command(flatten)]
    instructions: Instructions,
    #[command(flatten)]
    limits: FileLimits,
}

impl Run {
    pub fn run(self, session: &mut Session) -> Result<(), Failure> {
        self.limits.hold(session);
        let compiler = Compiler::new(session, self.instructions)?;
        let file = self.input.display().to_string();
        let mut given = npz::read_within(
            &file,
            &files::read(&self.input, session.limits.file)?,
            session.limits.unpacked,
        )?;
        let library = self.selected.library(session)?;
        if let Some(path) = &self.params {
            let params = self.foreign.params(session, &library, &self.selected, path)?;
            if let Some(twice) = params.keys().find(|name| given.contains_key(*name)) {
                return Err(weights::errors::given_twice(twice, &file, &path.display().to_string()).into());
            }
            given.extend(params);
        }
        let finder = Finder { file: &file, arrays: &given };
        let starts = given.keys().filter(|n| n.ends_with('0')).cloned().collect();
        let options = Options { given: starts, ..Options::default() };
        let built = self.selected.build(session, &library, options)?;
        let mut graph = built.graph().clone();
        if self.grad {
            graph = grad::differentiate(&graph, &grad::Options::default())?;
        }
        let draw = self.seed.map(|seed| {
            move |source: &Source, shape: &[usize]| match &source.kind {
                SourceKind::Param(info) => draw::parameter(seed, &source.name, &info.init, shape),
                _ => Ok(Vec::new()),
            }
        });
        let draw = draw.as_ref().map(|d| d as &arrays::Draw);
        let limit = session.limits.memory;
        let graph = arrays::bound(&graph, finder, draw, limit)?;
        let (batch, sizes) = arrays::batch(&graph, finder, draw, limit)?;
        let unread = arrays::unread(&graph, finder);
        session.report(&unread.iter().map(|m| finder.refusal_of(m)).collect::<Vec<_>>());
        let results = if self.f64 {
            let bytes = sizes.bytes_inside(&graph);
            if bytes > u128::from(limit) {
                return Err(runtime::errors::too_large(Some(bytes), limit).into());
            }
            eval::eval(&graph, &batch).map_err(|e| errors::failed(&e))?
        } else {
            let steps = batch.lengths.values().flatten().copied().max().unwrap_or(1);
            let expected = Expected::Sizes(Sizes { batch: batch.size, steps });
            let exe = compiler.interpreting(self.interpret).expecting(expected).compile(&graph)?;
            runtime::run_batch_on(&exe, &batch, limit, &threads::team(self.threads))?
        };
        let wrong = self.sanitize.then(|| self.look_into(&compiler, &graph, &batch, &results)).flatten();
        let mut out = Arrays::new();
        for (name, array) in results {
            let array = Array::from_f64(&sizes.grown(&graph, &name, array));
            let array = if self.f64 { array } else { Array::f32(array.shape.clone(), array.to_f32()) };
            out.insert(name, array);
        }
        files::replace(&self.output, &npz::write(&out)?, |f| f)?;
        wrong.map_or(Ok(()), |d| Err(d.into()))
    }

    /// What is to be said of results that are not finite.
    fn look_into(
        &self,
        compiler: &Compiler,
        graph: &Graph,
        batch: &Batch,
        results: &eval::Arrays,
    ) -> Option<Diagnostic> {
        // The first in the order of outputs, those of the cell before gradients.
        let is_wrong = |name: &str| results.get(name).is_some_and(|a| a.iter().any(|x| !x.is_finite()));
        let shown = graph.outputs.iter().find(|o| is_wrong(&o.name))?;
        let seen = format!("`{}` is not finite", shown.name);
        let entries = sanitize::entries(graph, results, batch.size);
        let verdict = match self.f64 {
            true => sanitize::look_into(graph, batch, &entries, Digits::Double),
            false => sanitize::look_into(&compiler.simplified(graph), batch, &entries, Digits::Single),
        };
        let entry = |fault: &Fault| fault.entry.map(|entry| format!("batch entry {}", entry + 1));
        match verdict {
            Ok(Verdict::Fault(fault)) => {
                Some(sanitize::errors::fault(NOT_FINITE, &seen, &fault, entry(&fault).as_deref()))
            }
            Ok(Verdict::Meant(_)) => None,
            Ok(Verdict::Unseen) => Some(sanitize::errors::unseen(NOT_FINITE, &seen)),
            Err(why) => Some(sanitize::errors::blind(NOT_FINITE, &seen, &why)),
        }
    }
}
