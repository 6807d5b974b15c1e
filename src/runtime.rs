//! Runs a [`Program`]: buffers, stages, kernel calls, matrix products.
//!
//! In: a program from [`schedule`](crate::schedule). An [`Executable`] is that program, checked once ([`check`]) and
//! compiled, immutable and shared between threads. A [`Workspace`] is the memory of one run, for one batch size and
//! one set of lengths at a time; arrays go in and out by name. Invariant: after its sizes are fixed, running
//! allocates nothing and cannot fail but for arrays that were never given.
//!
//! Parameters live in the workspace. Giving or changing one marks what is derived from parameters alone (the
//! program's `prepare` stages and the packed weights) as old; the next run computes it again.

pub mod arrays;
mod asked;
pub mod check;
pub mod errors;
mod exec;
pub mod interpret;
pub mod kernel;
pub mod memory;
mod prepared;
mod rows;
mod stream;
pub mod threads;
mod workspace;

pub use arrays::{run_batch, run_batch_on, run_batch_within};
pub use exec::Done;
pub use kernel::FlushToZero;
pub use rnnc_gemm as gemm;
pub use rnnc_gemm::placed::{self, Placement};
pub use stream::Stream;
pub use threads::Team;
pub use workspace::{MOST_STEPS, Workspace};

use crate::codegen;
use crate::diag::Fallible;
use crate::limits::Limits;
use crate::loops::{Place, Program};
use gemm::Isa;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A program that can run.
#[derive(Debug)]
pub struct Executable {
    program: Program,
    limits: check::Limits,
    /// `None`: kernels are interpreted.
    native: Option<Arc<kernel::Native>>,
    inputs: BTreeMap<Arc<str>, usize>,
    outputs: BTreeMap<Arc<str>, usize>,
    /// Weights assembled from something that a run itself computes or is given: packed before each use.
    moving: Vec<bool>,
    /// Buffers over indexed rows that products write and tables alone lead to.
    by_tables: Vec<bool>,
    /// Buffers that are a kernel's working memory: every thread has its own.
    working: Vec<bool>,
    /// The instructions products are made of.
    isa: Isa,
    /// Bytes that the memory of one run may have, unless told otherwise.
    memory: u64,
    /// Where all memory of its runs lies.
    placement: Placement,
}

impl Executable {
    /// Kernels are compiled for this computer.
    pub fn compiled(program: Program) -> Fallible<Arc<Executable>> {
        Executable::compiled_as(program, codegen::How::default())
    }

    pub fn compiled_as(program: Program, how: codegen::How) -> Fallible<Arc<Executable>> {
        Executable::within(program, Some(how), &Limits::DEFAULT)
    }

    /// Kernels are run by [`interpret`].
    pub fn interpreted(program: Program) -> Fallible<Arc<Executable>> {
        Executable::within(program, None, &Limits::DEFAULT)
    }

    /// Compiled or, without `how`, interpreted; its runs may have `limits.memory`.
    pub fn within(program: Program, how: Option<codegen::How>, limits: &Limits) -> Fallible<Arc<Executable>> {
        let reach = check::check(&program).map_err(|e| vec![e])?;
        let isa = match how.is_some_and(|how| how.reproducible) {
            true => Isa::REPRODUCIBLE,
            false => Isa::detect(),
        };
        if !isa.is_available() {
            return Err(vec![errors::not_reproducible()]);
        }
        let mut native = None;
        if let Some(how) = how {
            let code = codegen::jit(&program.kernels, &reach, how).map_err(|e| vec![e])?;
            let bytes: usize = code.functions.iter().map(|f| 16 * f.constants.len()).sum();
            let placed = kernel::Native::new(code, Placement::Plain);
            native = Some(placed.map_err(|_| vec![errors::out_of_memory(bytes as u128)])?);
        }
        Ok(Executable::new(program, reach, native, isa, limits.memory, Placement::Plain))
    }

    /// The same program and machine code; all memory of its runs, and what its kernels read beside, lies there.
    pub fn moved(&self, placement: Placement) -> Fallible<Arc<Executable>> {
        let moved = |native: &Arc<kernel::Native>| {
            native.moved(placement).map_err(|_| vec![errors::out_of_memory(native.constant_bytes() as u128)])
        };
        let native = self.native.as_ref().map(moved).transpose()?;
        let (program, reach) = (self.program.clone(), self.limits.clone());
        Ok(Executable::new(program, reach, native, self.isa, self.memory, placement))
    }

    fn new(
        program: Program,
        limits: check::Limits,
        native: Option<kernel::Native>,
        isa: Isa,
        memory: u64,
        placement: Placement,
    ) -> Arc<Executable> {
        let index = |names: &mut dyn Iterator<Item = &Arc<str>>| names.cloned().zip(0..).collect();
        let inputs = index(&mut program.inputs.iter().map(|i| &i.name));
        let outputs = index(&mut program.outputs.iter().map(|o| &o.name));
        let moving = program.moving_weights();
        let by_tables = asked::by_tables(&program);
        let working = exec::working(&program);
        let native = native.map(Arc::new);
        Arc::new(Executable {
            program,
            limits,
            native,
            inputs,
            outputs,
            moving,
            by_tables,
            working,
            isa,
            memory,
            placement,
        })
    }

    pub fn program(&self) -> &Program {
        &self.program
    }
}

/// Rows of a place, halo included; `None` on overflow. `indexed`: of each domain with indexed rows, how many.
fn rows_of(place: Place, batch: usize, steps: &[usize], indexed: &[Option<usize>]) -> Option<usize> {
    match place {
        Place::Shared => Some(1),
        Place::Example => Some(batch),
        Place::Over { domain, .. } if indexed[domain.index()].is_some() => indexed[domain.index()],
        Place::Over { domain, before, after } => {
            let all = steps[domain.index()].checked_add(before as usize)?.checked_add(after as usize)?;
            all.checked_mul(batch)
        }
    }
}
