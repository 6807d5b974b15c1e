//! What is said about the stages that a snapshot keeps.

use crate::diag::Diagnostic;
use crate::source::Span;
use std::sync::Arc;

fn listed(names: &[impl AsRef<str>]) -> String {
    names.iter().map(|n| format!("`{}`", n.as_ref())).collect::<Vec<_>>().join(", ")
}

pub fn unknown_stage(name: &str, near: Option<&str>, names: &[&str], at: Span) -> Diagnostic {
    let error = Diagnostic::error("E1014", format!("a snapshot cannot keep `{name}`")).at(at, "no stage");
    match near {
        Some(near) => {
            error.help(format!("did you mean `{near}`?")).fix(format!("write `{near}`"), at, near.to_string())
        }
        None => error.help(format!("it keeps {}", listed(names))),
    }
}

pub fn no_target(stage: &str, targets: &[&str], at: Span) -> Diagnostic {
    let first = targets.first().unwrap_or(&"");
    Diagnostic::error("E1014", format!("`{stage}` is code, but it is not said for which machine"))
        .at(at, "for which?")
        .help(format!("name one of {}: `{stage} for \"{first}\"`", listed(targets)))
}

pub fn target_not_here(stage: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E1014", format!("`{stage}` is the same for every machine"))
        .at(at, "this changes nothing")
        .help("a machine is named for `clif` and `asm`")
}

pub fn unknown_target(name: &str, targets: &[&str], at: Span) -> Diagnostic {
    Diagnostic::error("E1014", format!("no machine is called `{name}`"))
        .at(at, "here")
        .help(format!("there are {}", listed(targets)))
}

pub fn open_dimensions(cell: &str, stage: &str, open: &[Arc<str>], at: Span) -> Diagnostic {
    let verb = if open.len() == 1 { "is" } else { "are" };
    Diagnostic::error("E1014", format!("`{stage}` of `{cell}` wants numbers; {} {verb} open", listed(open)))
        .at(at, "this recipe")
        .help("loops and code have sizes: write numbers for dimensions, or keep `eqn` and `grad` alone")
}

pub fn unknown_layout(name: &str, cell: &str, near: Option<&str>, at: Span) -> Diagnostic {
    let error =
        Diagnostic::error("E1018", format!("there is no layout `{name}` for `{cell}`")).at(at, "unknown");
    match near {
        Some(near) => error.help(format!("did you mean `{near}`?")),
        None => error.help(format!("write one: `layout {name} for {cell} {{ \"foreign\" = ours }}`")),
    }
}
