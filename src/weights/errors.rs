//! What can be wrong with files of arrays.

use super::find::{Misfit, What};
use super::show;
use crate::diag::Diagnostic;
use crate::limits;

/// So many arrays are listed in one message.
const MOST_LINES: usize = 40;

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

/// One array that does not fit. `has` are the names in the file.
pub fn misfit(file: &str, misfit: &Misfit, has: &[&str]) -> Diagnostic {
    let name = &misfit.name;
    match &misfit.what {
        What::Missing { wanted, near } => {
            let d = Diagnostic::error("E0724", format!("missing array `{name}` {wanted} in `{file}`"));
            let d = match near {
                Some((near, shape)) => {
                    d.help(format!("the file has `{near}` {}; did you mean that one?", show(shape)))
                }
                None => d.help(format!("store an array of that name and shape in `{file}`")),
            };
            d.with_note(contents(has))
        }
        What::Shape { wanted, found, transposed } => {
            let d = Diagnostic::error(
                "E0725",
                format!("array `{name}` of `{file}`: {wanted} expected, the file has {}", show(found)),
            );
            match transposed {
                true => d.help("it fits transposed; store its transpose, or see `layout`"),
                false => d,
            }
        }
        What::Unread { near } => unread(file, name, near.as_deref()),
    }
}

pub fn unread(file: &str, name: &str, near: Option<&str>) -> Diagnostic {
    let d = Diagnostic::warning("E0739", format!("array `{name}` of `{file}` is read by nothing"));
    match near {
        Some(near) => d.help(format!("did you mean `{near}`?")),
        None => d,
    }
}

/// All arrays of a file that do not fit.
pub fn misfits(file: &str, misfits: &[Misfit], has: &[&str]) -> Diagnostic {
    let kind = |what: &What| match what {
        What::Missing { .. } => "missing",
        What::Shape { .. } => "of another shape",
        What::Unread { .. } => "read by nothing",
    };
    let count = |word: &str| misfits.iter().filter(|m| kind(&m.what) == word).count();
    let words = ["missing", "of another shape", "read by nothing"];
    let counts = words.iter().map(|word| (count(word), word)).filter(|(n, _)| *n > 0);
    let counts: Vec<String> = counts.map(|(n, word)| format!("{n} {word}")).collect();
    let mut lines: Vec<String> = misfits.iter().take(MOST_LINES).map(line).collect();
    if misfits.len() > MOST_LINES {
        lines.push(format!("and {} more", misfits.len() - MOST_LINES));
    }
    lines.push(contents(has));
    Diagnostic::error("E0745", format!("the arrays of `{file}` do not fit: {}", counts.join(", ")))
        .with_note(lines.join("\n"))
        .help("arrays are found by name; nothing is broadcast, and nothing transposed silently")
}

fn line(misfit: &Misfit) -> String {
    let name = &misfit.name;
    match &misfit.what {
        What::Missing { wanted, near: None } => format!("`{name}` {wanted} is missing"),
        What::Missing { wanted, near: Some((near, shape)) } => {
            let shape = show(shape);
            format!("`{name}` {wanted} is missing; the file has `{near}` {shape}: did you mean that one?")
        }
        What::Shape { wanted, found, transposed } => {
            let hint = if *transposed { "; it fits transposed" } else { "" };
            format!("`{name}`: {wanted} expected, the file has {}{hint}", show(found))
        }
        What::Unread { near: None } => format!("`{name}` is read by nothing"),
        What::Unread { near: Some(near) } => {
            format!("`{name}` is read by nothing; did you mean `{near}`?")
        }
    }
}

fn contents(has: &[&str]) -> String {
    if has.is_empty() {
        return "the file holds no array".to_string();
    }
    let shown: Vec<String> = has.iter().take(12).map(|n| format!("`{n}`")).collect();
    let more = if has.len() > 12 { format!(" and {} more", has.len() - 12) } else { String::new() };
    format!("the file has {}{more}", shown.join(", "))
}

pub fn unwritable(file: &str, why: &str) -> Diagnostic {
    Diagnostic::error("E0726", format!("cannot write `{file}`: {why}"))
        .help("make room or choose another place; what was there before is untouched")
}

pub fn not_safetensors(file: &str, why: &str) -> Diagnostic {
    Diagnostic::error("E0728", format!("`{file}` is no safetensors file: {why}"))
        .help("the file may be cut short; take an earlier checkpoint")
}

/// `bytes`: what its arrays take as far as they were looked at.
pub fn too_large(file: &str, bytes: u64, limit: u64) -> Diagnostic {
    let (bytes, limit) = (limits::bytes(bytes.into()), limits::bytes(limit.into()));
    Diagnostic::error("E0729", format!("`{file}` unpacks to {bytes} of arrays or more; the limit is {limit}"))
        .help(format!("split it, or store float32 instead of float64; {}", limits::raise(limits::UNPACKED)))
}

/// A file that is not read at all. `bytes`: its size, if it says so.
pub fn file_too_large(file: &str, bytes: Option<u64>, limit: u64) -> Diagnostic {
    let limit = limits::bytes(limit.into());
    let size = bytes.map_or_else(|| "more bytes than that".to_string(), |n| limits::bytes(n.into()));
    Diagnostic::error("E0914", format!("`{file}` has {size}; the limit is {limit}"))
        .help(format!("split it; {}", limits::raise(limits::FILE)))
}
