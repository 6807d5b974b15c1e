//! Everything `resolve` can say.

use crate::diag::{Diagnostic, Edit};
use crate::limits;
use crate::source::Span;
use crate::syntax::ast::{Ident, Name};

pub fn use_cycle(stack: &[String], path: &str, at: Option<Span>) -> Diagnostic {
    let from = stack.iter().position(|p| p == path).unwrap_or(0);
    let mut files: Vec<&str> = stack[from..].iter().map(String::as_str).collect();
    files.push(path);
    Diagnostic::error("E0201", format!("files use each other in a circle: {}", files.join(" → ")))
        .at_some(at, "this closes the circle")
        .help("move what both need into a third file")
}

pub fn too_many_files(limit: usize, at: Option<Span>) -> Diagnostic {
    Diagnostic::error("E0922", format!("more than {limit} files, which is the limit"))
        .at_some(at, "this file is one more")
        .help(limits::raise(limits::FILES))
}

pub fn uses_too_deep(limit: usize, at: Option<Span>) -> Diagnostic {
    Diagnostic::error("E0922", format!("files use each other more than {limit} deep, which is the limit"))
        .at_some(at, "this file is not loaded")
        .help("let the main file `use` it")
}

pub fn cannot_read(path: &str, reason: &str, at: Option<Span>) -> Diagnostic {
    let d = Diagnostic::error("E0202", format!("cannot read {path}: {reason}"));
    match at {
        Some(at) => d
            .at(at, "used here")
            .help("a path after `use` is relative to the file it stands in, and ends in `.rnn`"),
        None => d,
    }
}

pub fn use_outside(path: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E0203", format!("`use \"{path}\"` leaves the folder of the main file"))
        .at(at, "outside")
        .help("paths are relative to this file and stay within the main file's folder; `--root DIR` names a wider one")
}

pub fn two_items(name: &Ident, first: Option<Span>) -> Diagnostic {
    Diagnostic::error("E0204", format!("`{}` is defined twice in this file", name.written))
        .at(name.span, "again here")
        .at_some(first, "first here")
        .help("rename one of them")
}

pub fn hides(name: &Ident, stdlib: bool, hidden: Option<Span>) -> Diagnostic {
    let whose = if stdlib { "the one of the stdlib" } else { "an imported one" };
    Diagnostic::note("E0205", format!("this {} hides {whose}", name.written))
        .at(name.span, "this one is meant in this file")
        .at_some(hidden, "hidden")
        .help("if that is not meant, give it another name")
}

pub fn braces_differ(written: &Name, at: Span, a: usize, b: usize) -> Diagnostic {
    Diagnostic::error("E0206", format!("the brace groups list {a} and {b} words"))
        .at(at, format!("in `{written}`"))
        .help("groups of one equation run in step, so they have equally many words")
}

pub fn two_equations(name: &str, first: Span, second: Span) -> Diagnostic {
    Diagnostic::error("E0207", format!("`{name}` has two equations, here and here"))
        .at(second, "again here")
        .at(first, "first here")
        .help("keep one of them; a condition is written `if … then … else …`")
}

pub fn two_declarations(name: &str, first: Span, second: Span) -> Diagnostic {
    Diagnostic::error("E0208", format!("`{name}` is declared twice"))
        .at(second, "again here")
        .at(first, "first here")
}

pub fn equation_for_given(name: &str, kind: &str, equation: Span, declared: Span) -> Diagnostic {
    Diagnostic::error("E0209", format!("`{name}` is declared `{kind}` and also has an equation"))
        .at(equation, "its equation")
        .at(declared, "declared here")
        .help(format!("remove one of them, or give the equation another name than `{name}`"))
}

pub fn statement_elsewhere(word: &str, item: &str, at: Span, help: &str) -> Diagnostic {
    Diagnostic::error("E0210", format!("`{word}` does not belong in a {item}")).at(at, "here").help(help)
}

pub fn no_such_side(at: Span, help: String) -> Diagnostic {
    Diagnostic::error("E0214", "this domain has no such side").at(at, "here").help(help)
}

pub fn over_axes_of_no_input(at: Span) -> Diagnostic {
    Diagnostic::error("E0215", "only an `in` is declared over some of the axes")
        .at(at, "here")
        .help("a parameter is the same at all points; a state is over all axes, and may depend on some only")
}

pub fn unknown_base(name: &str, at: Span, near: Option<&Name>) -> Diagnostic {
    let d = Diagnostic::error("E0211", format!("no cell `{name}` to derive from")).at(at, "unknown");
    match near {
        Some(near) => d.did_you_mean(name, near, at),
        None => d.help("the text after `=` must be a cell with its arguments, such as `A(I, H)`"),
    }
}

pub fn base_cycle(name: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E0212", format!("`{name}` is derived from itself"))
        .at(at, "this closes the circle")
        .help("a line of bases ends in a cell with a body: `cell A(I) { … }`")
}

pub fn derived_too_deep(limit: usize, at: Span) -> Diagnostic {
    Diagnostic::error("E0923", format!("cells are derived from each other more than {limit} deep"))
        .at(at, "one more")
        .help("derive it from a cell nearer to the first one")
}

/// `alone`: what leaves it out.
pub fn changes_nothing(name: &str, at: Span, old: Option<Span>, alone: Option<Edit>) -> Diagnostic {
    let d = Diagnostic::warning("E0213", format!("this override of `{name}` changes nothing"))
        .at(at, "equal to what it replaces")
        .at_some(old, "the equation of the base");
    match alone {
        Some(alone) => d.maybe_all("leave it out", vec![alone]),
        None => d.help("leave the line out"),
    }
}

pub fn two_sides(name: &str, first: Span, second: Span) -> Diagnostic {
    Diagnostic::error("E0207", format!("`{name}` has two equations at this side"))
        .at(second, "again here")
        .at(first, "first here")
}
