//! From a graph to something that runs, as the commands do it.

use super::help;
use super::session::Session;
use crate::codegen::How;
use crate::diag::{Diagnostic, Fallible};
use crate::eqn::Graph;
use crate::limits::Limits;
use crate::pipeline::{self, CompileOptions};
use crate::runtime::gemm::Isa;
use crate::runtime::{self, Executable};
use crate::schedule::Expected;
use crate::schedule::cost::Sizes;
use crate::shape::Bindings;
use crate::simplify::simplify;
use std::sync::Arc;

/// Which instructions results come from.
#[derive(clap::Args, Clone, Copy, Default)]
pub struct Instructions {
    /// Use one fixed instruction set (x86-64 with AVX2 and FMA), so that results are the same bits on every computer that
    /// has it, and refuse to run on any other
    #[arg(long, help_heading = help::MACHINE)]
    pub reproducible: bool,
}

impl Instructions {
    /// Refuses what this machine cannot do before anything is done.
    pub fn how(self) -> Result<How, Diagnostic> {
        match self.reproducible && !Isa::REPRODUCIBLE.is_available() {
            true => Err(runtime::errors::not_reproducible()),
            false => Ok(How { reproducible: self.reproducible, ..How::default() }),
        }
    }
}

/// Compiles graphs without open dimensions for this machine.
#[derive(Clone, Copy)]
pub struct Compiler {
    how: How,
    interpret: bool,
    limits: Limits,
    expected: Expected,
}

impl Compiler {
    /// Within what the command may cost.
    pub fn new(session: &Session, instructions: Instructions) -> Result<Compiler, Diagnostic> {
        Ok(Compiler {
            how: instructions.how()?,
            interpret: false,
            limits: session.limits,
            expected: Expected::default(),
        })
    }

    /// `interpret`: kernels are interpreted instead of compiled.
    pub fn interpreting(self, interpret: bool) -> Compiler {
        Compiler { interpret, ..self }
    }

    /// What programs are going to be run on.
    pub fn expecting(self, expected: Expected) -> Compiler {
        Compiler { expected, ..self }
    }

    /// For one example, some steps a run.
    pub fn for_one(self) -> Compiler {
        self.expecting(Expected::Sizes(Sizes { batch: 1, steps: 1 }))
    }

    /// The graph that [`Compiler::compile`] makes a program of.
    pub fn simplified(&self, graph: &Graph) -> Graph {
        simplify(graph)
    }

    pub fn compile(&self, graph: &Graph) -> Fallible<Arc<Executable>> {
        let Compiler { how, interpret, limits, expected } = *self;
        let options = CompileOptions { how, interpret, limits, expected, ..CompileOptions::default() };
        pipeline::compile(graph, &Bindings::new(), &options)
    }
}
