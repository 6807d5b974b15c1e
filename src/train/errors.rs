//! What can be wrong with data, settings and the training itself.

use crate::diag::Diagnostic;
use crate::source::Span;

// ---- data ------------------------------------------------------------------------------------

pub fn no_data() -> Diagnostic {
    Diagnostic::error("E0820", "the model has no data: its `data` block names no source")
        .help("write `data { x = chars(\"text.txt\"); split = [0.9, 0.1] }`, or give `--data`")
}

pub fn no_source(span: Span, readers: &[&str]) -> Diagnostic {
    Diagnostic::error("E0821", "a line of `data` wants a source")
        .at(span, "this is none")
        .help(format!("sources are {}; e.g. `chars(\"text.txt\")`", readers.join(", ")))
}

pub fn unknown_source(span: Span, name: &str, readers: &[&str]) -> Diagnostic {
    let d = Diagnostic::error("E0821", format!("there is no data source `{name}`")).at(span, "not known");
    match nearest(name, readers) {
        Some(near) => d.help(format!("did you mean `{near}`?")),
        None => d.help(format!("sources are {}", readers.join(", "))),
    }
}

pub fn not_constant(span: Span) -> Diagnostic {
    Diagnostic::error("E0822", "an argument of a data source must be a constant")
        .at(span, "a number, a text, or a list of these is wanted")
}

pub fn bad_argument(reader: &str, what: &str) -> Diagnostic {
    Diagnostic::error("E0822", format!("`{reader}` {what}"))
}

pub fn unknown_argument(reader: &str, name: &str, known: &[&str]) -> Diagnostic {
    let d = Diagnostic::error("E0822", format!("`{reader}` has no argument `{name}`"));
    match (nearest(name, known), known) {
        (Some(near), _) => d.help(format!("did you mean `{near}`?")),
        (None, []) => d.help(format!("`{reader}` takes no named argument")),
        _ => d.help(format!("it takes {}", known.join(", "))),
    }
}

pub fn wrong_names(reader: &str, found: usize, what: &str) -> Diagnostic {
    Diagnostic::error("E0823", format!("`{reader}` gives {what}; {found} stand on the left"))
}

pub fn unknown_task(name: &str, tasks: &[&str]) -> Diagnostic {
    Diagnostic::error("E0821", format!("there is no task `{name}`"))
        .help(format!("tasks are {}", tasks.join(", ")))
}

pub fn unequal_sources(span: Span, first: usize, this: usize) -> Diagnostic {
    Diagnostic::error("E0824", format!("the sources have {first} and {this} examples"))
        .at(span, "this source differs")
}

pub fn bad_line(path: &str, line: usize, why: &str) -> Diagnostic {
    Diagnostic::error("E0825", format!("`{path}`, line {line}: {why}"))
}

pub fn bad_file(path: &str, why: &str) -> Diagnostic {
    Diagnostic::error("E0825", format!("`{path}`: {why}"))
}

pub fn empty_file(path: &str) -> Diagnostic {
    Diagnostic::error("E0825", format!("`{path}` is empty: there is nothing to train on"))
}

pub fn bad_split(span: Span) -> Diagnostic {
    Diagnostic::error("E0826", "`split` wants the shares [train, valid, test] or [train, test]")
        .at(span, "numbers of 0..1 with a sum of at most 1, the first above 0")
        .help("e.g. `split = [0.8, 0.1, 0.1]`")
}

pub fn empty_part(part: &str) -> Diagnostic {
    Diagnostic::error("E0826", format!("the {part} part of the data is empty"))
        .help("change `split`, or give more data")
}

pub fn unknown_symbol(path: &str, symbol: &str, position: usize) -> Diagnostic {
    Diagnostic::error(
        "E0830",
        format!("`{}` at position {position} of `{path}` is not in the vocabulary", symbol.escape_debug()),
    )
    .help(
        "the vocabulary is that of the training data; take this symbol out, or train with text that holds it",
    )
}

fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let close = known.iter().map(|k| (strsim::damerau_levenshtein(name, k), *k));
    close.filter(|(d, k)| *d <= 1 + k.chars().count() / 4).min().map(|(_, k)| k)
}
