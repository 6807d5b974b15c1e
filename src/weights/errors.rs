//! What can be wrong with files of arrays.

use super::show;
use crate::diag::Diagnostic;

pub fn unreadable(file: &str, why: &str) -> Diagnostic {
    Diagnostic::error("E0721", format!("cannot read `{file}`: {why}"))
}

pub fn not_npz(file: &str, why: &str) -> Diagnostic {
    Diagnostic::error("E0722", format!("`{file}` is no npz file: {why}"))
        .help("`numpy.savez(path, NAME = array, …)` writes one")
}

pub fn damaged_array(file: &str, array: &str, why: &str) -> Diagnostic {
    Diagnostic::error("E0722", format!("array `{array}` of `{file}` cannot be read: {why}"))
}

pub fn element_type(file: &str, array: &str, descr: &str) -> Diagnostic {
    Diagnostic::error("E0723", format!("array `{array}` of `{file}` has elements of type `{descr}`"))
        .help("float32, float64, int32, int64, smaller integers and bool are read; convert it with `.astype(numpy.float32)`")
}

pub fn missing(
    file: &str,
    name: &str,
    shape: &[usize],
    near: Option<(&str, &[usize])>,
    has: &[&str],
) -> Diagnostic {
    let d = Diagnostic::error("E0724", format!("missing array `{name}` {} in `{file}`", show(shape)));
    let d = match near {
        Some((near, near_shape)) => {
            d.help(format!("the file has `{near}` {}; did you mean that one?", show(near_shape)))
        }
        None => d.help(format!("store an array of that name and shape in `{file}`")),
    };
    match has {
        [] => d.with_note("the file holds no array"),
        names => {
            let shown: Vec<String> = names.iter().take(12).map(|n| format!("`{n}`")).collect();
            let more =
                if names.len() > 12 { format!(" and {} more", names.len() - 12) } else { String::new() };
            d.with_note(format!("the file has {}{more}", shown.join(", ")))
        }
    }
}

pub fn shape(file: &str, name: &str, wanted: &str, found: &[usize], transposed: bool) -> Diagnostic {
    let d = Diagnostic::error(
        "E0725",
        format!("array `{name}` of `{file}`: {wanted} expected, the file has {}", show(found)),
    );
    if transposed { d.help("it fits transposed; store its transpose, or see `layout`") } else { d }
}

pub fn unwritable(file: &str, why: &str) -> Diagnostic {
    Diagnostic::error("E0726", format!("cannot write `{file}`: {why}"))
        .help("make room or choose another place; what was there before is untouched")
}

pub fn not_safetensors(file: &str, why: &str) -> Diagnostic {
    Diagnostic::error("E0728", format!("`{file}` is no safetensors file: {why}"))
        .help("the file may be cut short; take an earlier checkpoint")
}

pub fn too_large(file: &str) -> Diagnostic {
    Diagnostic::error("E0729", format!("`{file}` holds more than {} GiB of arrays", super::MAX_BYTES >> 30))
        .help("split it, or store float32 instead of float64")
}
