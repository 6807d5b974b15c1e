//! Random programs: a seed gives a program, and everything that can be compared of it is compared.
//!
//! [`generate`] makes well-typed programs of the whole language from seeds. [`checks`] compares: derived gradients with
//! central differences, kernels with the interpreter, saved with recomputed, threads, vectors, padding, steps, texts.
//! [`shrink`] makes a program that fails small. A program with all that its checks depend on is a [`case`]: a text that a
//! test runs for ever. [`run`] does all this for a range of seeds.

pub mod case;
pub mod checks;
pub mod coverage;
pub mod generate;
pub mod rng;
pub mod run;
pub mod shrink;
mod subject;
mod values;

use case::Case;
use coverage::Coverage;
use subject::Subject;

/// What occurs in a program that is built.
pub fn count(case: &Case, coverage: &mut Coverage) {
    if let Ok(subject) = Subject::new(case) {
        subject.count(coverage);
    }
}
