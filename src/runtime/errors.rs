//! What can be wrong with arrays and sizes at run time, one function per mistake.

use crate::diag::Diagnostic;
use crate::diag::near::nearest;
use crate::limits;

/// `[T, B, 64]`.
pub fn show_extents(extents: &[usize]) -> String {
    let extents: Vec<String> = extents.iter().map(usize::to_string).collect();
    format!("[{}]", extents.join(", "))
}

pub fn internal(what: &str) -> Diagnostic {
    Diagnostic::error("E0601", format!("the compiler made a program that does not hold together: {what}"))
        .help("this is a mistake in rnnc, not in your file; please report it with the command that shows it")
}

pub fn no_machine_code(why: &str) -> Diagnostic {
    Diagnostic::error("E0602", format!("no machine code for this computer: {why}"))
        .help("`--interpret` runs without machine code")
}

pub(crate) use crate::schedule::no_stream;

pub fn missing(name: &str) -> Diagnostic {
    Diagnostic::error("E0701", format!("array `{name}` is missing"))
        .help("inputs and parameters are given under the names they are declared with")
}

pub fn unknown<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Diagnostic {
    let near = nearest(name, known.into_iter());
    let error = Diagnostic::error("E0702", format!("nothing here is called `{name}`"));
    match near {
        Some(k) => error.help(format!("did you mean `{k}`?")),
        None => error,
    }
}

pub fn wrong_shape(name: &str, expected: &[usize], found: &[usize]) -> Diagnostic {
    let (e, f) = (show_extents(expected), show_extents(found));
    Diagnostic::error("E0703", format!("array `{name}` has shape {f}, but {e} is needed"))
        .help("sequences are [steps, batch, ...], values per example [batch, ...], parameters as declared")
}

pub fn wrong_count(name: &str, expected: usize, found: usize) -> Diagnostic {
    Diagnostic::error("E0703", format!("array `{name}` has {found} elements, but {expected} are needed"))
}

pub fn wrong_kind(name: &str, ids: bool) -> Diagnostic {
    let (is, as_) = if ids { ("ids", "whole numbers") } else { ("real numbers", "floating-point numbers") };
    Diagnostic::error("E0704", format!("array `{name}` holds {is}")).help(format!("give it as {as_}"))
}

/// `place` is where the array has it, `[3, 0]`.
pub fn id_out_of_range(name: &str, id: f64, place: &str, symbols: usize) -> Diagnostic {
    let d = Diagnostic::error("E0705", format!("array `{name}` holds {id} at {place}, which is no symbol"));
    match symbols {
        0 => d.help("there are no symbols at all"),
        n => d.help(format!("symbols are whole numbers from 0 to {}", n - 1)),
    }
}

pub fn missing_lengths(extent: &str) -> Diagnostic {
    Diagnostic::error("E0706", format!("the number of steps `{extent}` is not known"))
        .help("it follows from any input with that extent, or from `lengths`")
}

pub fn wrong_lengths(extent: &str, why: &str) -> Diagnostic {
    Diagnostic::error("E0707", format!("the lengths of `{extent}` are wrong: {why}"))
}

pub fn missing_trees(extent: &str) -> Diagnostic {
    Diagnostic::error("E0709", format!("the trees of `{extent}` are missing")).help(
        "give the children of every node, [batch, nodes, edges]: node numbers from 0, -1 where there is none",
    )
}

pub fn wrong_trees(extent: &str, why: &str) -> Diagnostic {
    Diagnostic::error("E0710", format!("the trees of `{extent}` are wrong: {why}"))
}

pub fn too_many_steps(extent: &str, steps: usize, most: usize) -> Diagnostic {
    Diagnostic::error("E0913", format!("`{extent}` has {steps} steps, more than {most}"))
        .help("cut the sequence into windows")
}

pub fn too_large(bytes: Option<u128>, limit: u64) -> Diagnostic {
    let needs = bytes.map_or_else(|| "more memory than can be counted".to_owned(), limits::bytes);
    let limit = limits::bytes(limit.into());
    Diagnostic::error("E0911", format!("this run needs {needs}, more than the limit of {limit}")).help(
        format!(
            "fewer examples, shorter sequences or a shorter window need less; {}",
            limits::raise(limits::MEMORY)
        ),
    )
}

pub fn not_reproducible() -> Diagnostic {
    Diagnostic::error(
        "E0603",
        "this computer cannot give the bits of a reproducible run: it has no AVX2 with FMA",
    )
    .help("leave out `--reproducible`, or run on an x86-64 computer that has both (Haswell, Zen or later)")
}

pub fn out_of_memory(bytes: u128) -> Diagnostic {
    let needs = limits::bytes(bytes);
    Diagnostic::error("E0912", format!("the system has no {needs} left for this run"))
        .help("a smaller batch or a shorter window needs less")
}

pub fn bad_distribution(name: &str, why: &str) -> Diagnostic {
    Diagnostic::error("E0708", format!("`{name}` cannot be drawn: {why}"))
}
