//! What can be wrong with files of arrays.

use super::find::{Misfit, What};
use super::show;
use crate::diag::Diagnostic;
use crate::limits;
use crate::source::Span;

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
    damaged("E0722", file, array, why)
}

/// One array of a file; `code` is that of damaged files of its kind.
pub fn damaged(code: &'static str, file: &str, array: &str, why: &str) -> Diagnostic {
    Diagnostic::error(code, format!("array `{array}` of `{file}` cannot be read: {why}"))
}

pub fn element_type(file: &str, array: &str, descr: &str) -> Diagnostic {
    Diagnostic::error("E0723", format!("array `{array}` of `{file}` has elements of type `{descr}`"))
        .help("floats of 16, 32 and 64 bits, bfloat16, integers and bool are read; convert it to float32 before it is stored")
}

/// An unsigned number beyond what is signed.
pub fn too_great(file: &str, array: &str) -> Diagnostic {
    Diagnostic::error("E0723", format!("array `{array}` of `{file}` has an integer of 2⁶³ or more"))
        .help("store it as int64, or as float64")
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

pub fn not_torch(file: &str, why: &str) -> Diagnostic {
    Diagnostic::error("E0750", format!("`{file}` cannot be read as a PyTorch file: {why}"))
        .help("`torch.save(model.state_dict(), path)` writes one; a damaged file is to be fetched anew")
}

/// A pickle without an archive around it, as PyTorch wrote before version 1.6.
pub fn old_torch(file: &str) -> Diagnostic {
    Diagnostic::error(
        "E0750",
        format!("`{file}` is a pickle, not an archive: PyTorch wrote such files before version 1.6"),
    )
    .help("save it anew: `torch.save(torch.load(path, map_location = \"cpu\"), \"new.pt\")`")
}

/// `name`: what the file wants to call, such as a class.
pub fn python_object(file: &str, name: &str) -> Diagnostic {
    Diagnostic::error(
        "E0751",
        format!("`{file}` holds a Python object of `{name}`, and no code is executed here"),
    )
    .help("store tensors and nothing else: `torch.save(model.state_dict(), \"weights.pt\")`")
}

pub fn unknown_format(file: &str, seems: Option<&str>) -> Diagnostic {
    let d = match seems {
        Some(seems) => Diagnostic::error("E0755", format!("`{file}` is {seems}, which is not read")),
        None => Diagnostic::error("E0755", format!("`{file}` is no file of weights that is known here")),
    };
    d.help("read are safetensors, npz, PyTorch's state_dict, ONNX, and JSON of amplifier models; Keras models come through ONNX")
}

/// `which`: some of the arrays, with a place in each.
pub fn not_finite(file: &str, which: &[String]) -> Diagnostic {
    let most = which.len().min(MOST_LINES);
    let more = if which.len() > most { format!("\nand {} more", which.len() - most) } else { String::new() };
    Diagnostic::error("E0754", format!("numbers in {} of `{file}` are not finite", counted(which.len(), "array")))
        .with_note(format!("{}{more}", which.get(..most).unwrap_or_default().join("\n")))
        .help("a training that failed leaves such numbers; take an earlier file, or read them as they are with `--allow-nan` (in programs `allow_nan`)")
}

/// `1 array`, `3 arrays`.
pub fn counted(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

pub fn given_twice(name: &str, first: &str, second: &str) -> Diagnostic {
    Diagnostic::error("E0762", format!("`{name}` is in `{first}` and in `{second}`"))
        .help("leave it out of one of them, so that it is clear which counts")
}

/// Of npz or PyTorch, which cannot be told any more.
pub fn broken_archive(file: &str, why: &str) -> Diagnostic {
    Diagnostic::error(
        "E0722",
        format!("`{file}` is a zip archive, as npz and PyTorch's files are, that cannot be opened: {why}"),
    )
    .help("it may be cut short: write it or fetch it anew")
}

/// The ending of a file says what is written.
pub fn unknown_output(file: &str) -> Diagnostic {
    Diagnostic::error("E0763", format!("what is to be written to `{file}`?")).help(
        "name the file `….safetensors` or `….npz`; `rnnc export` also writes `….onnx`, and `rnnc import` makes `….rnn` of ONNX",
    )
}

/// `--map` of another form.
pub fn bad_map(text: &str) -> Diagnostic {
    Diagnostic::error("E0756", format!("`--map {text}` cannot be understood"))
        .help("write `OURS = THEIRS`, `OURS = THEIRS by LAYOUT` or `OURS = THEIRS by LAYOUT, n = 1`, with a path of an instance as OURS")
}

/// Parameters whose sizes follow from nothing.
pub fn open_sizes(open: &[String]) -> Diagnostic {
    Diagnostic::error("E0758", format!("how large is the program? {} open", open.join(", ")))
        .help(format!("give numbers: `--set {}=64`", open.first().map_or("H", String::as_str)))
}

/// A line of a layout that is no arrangement.
pub fn no_arrangement(at: Span) -> Diagnostic {
    Diagnostic::error("E0757", "this line of the layout has no size, or computes")
        .at(at, "here")
        .help("write an array, `rows(W_{a b})`, a member of a family, or one of these with `ᵀ` or `−`")
}

/// A part of a foreign array to which no line belongs.
pub fn unread_part(file: &str, array: &str, place: &str) -> Diagnostic {
    Diagnostic::error("E0757", format!("the layout reads a part of `{array}` of `{file}` only"))
        .with_note(format!("{place} and what follows is read by no line"))
        .help("each element of a foreign array belongs to a line: add one, or widen a range")
}

/// An element that a layout says is zero.
pub fn not_zero(file: &str, array: &str, place: &str, value: f64) -> Diagnostic {
    Diagnostic::error("E0759", format!("array `{array}` of `{file}` is {value} at {place}, where the layout wants 0"))
        .help("the layer that wrote the file uses what this cell does not have; choose a cell or an option that has it")
}

/// What a file says that is in no array.
pub fn beside_arrays(file: &str, note: &str) -> Diagnostic {
    Diagnostic::note("E0764", format!("of `{file}`: {note}"))
}

pub fn not_onnx(file: &str, why: &str) -> Diagnostic {
    Diagnostic::error("E0752", format!("`{file}` cannot be read as an ONNX file: {why}"))
        .help("a damaged file is to be exported or fetched anew")
}

/// Numbers that lie in another file.
pub fn external_data(file: &str, array: &str) -> Diagnostic {
    Diagnostic::error(
        "E0752",
        format!("the numbers of `{array}` of `{file}` are in another file, which is not opened"),
    )
    .help("store them inside: `onnx.save(onnx.load(path), \"one.onnx\", save_as_external_data = False)`")
}

pub fn not_json(file: &str, why: &str) -> Diagnostic {
    Diagnostic::error("E0753", format!("`{file}` cannot be read as weights in JSON: {why}"))
        .help("read are recurrent models of Neural Amp Modeler, RTNeural's layers, and lists of numbers under names")
}
