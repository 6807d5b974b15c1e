//! What can be wrong with a call, beside what the runtime says of arrays; one function per mistake.

use crate::diag::Diagnostic;
use crate::weights::show;

/// Given to something that computes in `wanted` bits.
pub fn wrong_width(name: &str, found: u32, wanted: u32) -> Diagnostic {
    Diagnostic::error(
        "E0715",
        format!("array `{name}` holds numbers of {found} bits, but {wanted} are needed"),
    )
    .help(
        "compiled programs compute in 32 bits: convert the array; `exact` evaluates in 64 bits, to \
             check with",
    )
}

pub fn not_saved() -> Diagnostic {
    Diagnostic::error("E0716", "a gradient was asked for, but this was compiled without gradients")
        .help("compile it with `gradients`, which is the default")
}

pub fn open_dimensions(cell: &str, names: &[String]) -> Diagnostic {
    Diagnostic::error("E0611", format!("`{cell}` needs numbers for {}", names.join(", ")))
        .help("write them in the recipe, or give them as `dims`")
}

/// `wanted`: `[n, batch, 64]`.
pub fn wrong_rank(name: &str, wanted: &str, found: &[usize]) -> Diagnostic {
    Diagnostic::error("E0703", format!("array `{name}` has shape {}, but {wanted} is needed", show(found)))
        .help("sequences are [steps, batch, ...], values per example [batch, ...], parameters as declared")
}

pub fn no_examples() -> Diagnostic {
    Diagnostic::error("E0746", "the batch has no example")
        .help("sequences are [steps, batch, …], values per example [batch, …], with a batch of 1 or more")
}

pub fn not_evaluated(why: &str) -> Diagnostic {
    Diagnostic::error("E0740", format!("the evaluation is refused: {why}"))
}

pub fn not_one(shape: &[usize], found: usize) -> Diagnostic {
    Diagnostic::error(
        "E0703",
        format!("there are {found} elements, but the shape {} has another number", show(shape)),
    )
}

/// Of an adjoint that is differentiated.
pub fn two_arrays(name: &str) -> Diagnostic {
    Diagnostic::error("E0719", format!("`{name}` is an output here, and a gradient"))
        .help("`Saved::output` gives the one, `Saved::gradient` the other")
}

/// Of what is to be differentiated once more.
pub fn too_many_equations(found: usize, limit: usize) -> Diagnostic {
    Diagnostic::error(
        "E0921",
        format!("the adjoint of {found} equations has several times as many; the limit is {limit}"),
    )
    .help("fewer of the arrays in `wrt` make it smaller; `Limits::nodes` raises the limit")
}
