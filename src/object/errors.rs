//! What cannot become an object file.

use crate::diag::Diagnostic;

pub fn not_a_chain(cell: &str) -> Diagnostic {
    Diagnostic::error("E0621", format!("`{cell}` goes through more than chains"))
        .help("an object holds cells over sequences; grids, trees and pairs of positions run with `rnnc run`")
}

pub fn unknown_target(name: &str, known: &[&str]) -> Diagnostic {
    Diagnostic::error("E0622", format!("no object files are made for `{name}`"))
        .help(format!("targets are {}", known.join(", ")))
}

pub fn no_machine(target: &str, why: &str) -> Diagnostic {
    Diagnostic::error("E0622", format!("no machine code for `{target}`: {why}"))
}

pub fn too_large(cell: &str) -> Diagnostic {
    Diagnostic::error("E0624", format!("the memory of `{cell}` is larger than an object can say"))
        .help("an object's arrays have at most 2147483648 elements")
}

pub fn bad_name(name: &str) -> Diagnostic {
    Diagnostic::error("E0625", format!("`{name}` cannot begin the names of C functions")).help(
        "a name has letters, digits and `_`, a letter first, and is no word of C, C++ or Rust: `--name amp`",
    )
}

pub fn broken(what: &str) -> Diagnostic {
    Diagnostic::error("E0601", format!("the object file does not hold together: {what}"))
        .help("this is a mistake in rnnc, not in your file; please report it with the command that shows it")
}

pub fn no_level(level: &str, target: &str) -> Diagnostic {
    Diagnostic::error("E0628", format!("`{level}` is a level of x86-64, and not of {target}"))
        .help("leave `--features` out: each other machine has one set of instructions here")
}

pub fn no_shared(why: &str) -> Diagnostic {
    Diagnostic::error("E0629", format!("no shared library could be made: {why}"))
        .help("a shared library is made by this computer's C compiler, `cc` or that of the variable CC; `--kind object` and \
               `--kind static` need none")
}
