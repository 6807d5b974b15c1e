//! Mistakes in what a command was given.

use crate::diag::Diagnostic;

pub fn output(why: &str) -> Diagnostic {
    Diagnostic::error("E0730", format!("cannot write the output: {why}"))
}

pub fn unknown_code(code: &str, near: Option<&str>) -> Diagnostic {
    let d = Diagnostic::error("E0731", format!("there is no code `{code}`"));
    match near {
        Some(near) => d.help(format!("did you mean `{near}`? `rnnc explain` lists all")),
        None => d.help("`rnnc explain` lists all codes"),
    }
}

pub fn bad_setting(text: &str) -> Diagnostic {
    Diagnostic::error("E0732", format!("`--set {text}` is no `name=value`"))
        .help("`--set H=512` changes a static parameter, `--set train.batch=64` a line of the `train` block")
}

pub fn setting_twice(name: &str) -> Diagnostic {
    Diagnostic::error("E0732", format!("`--set` gives `{name}` twice"))
}

pub fn setting_not_here(name: &str) -> Diagnostic {
    Diagnostic::error("E0732", format!("`--set {name}` belongs to `rnnc train`"))
}

pub fn which_model(file: &str, models: &[String]) -> Diagnostic {
    match models {
        [] => Diagnostic::error("E0733", format!("`{file}` has no model"))
            .help("a model begins with `model NAME(…) {`; for a cell use `--cell`"),
        _ => Diagnostic::error("E0733", format!("`{file}` has several models: {}", models.join(", ")))
            .help("choose one with `--model NAME`"),
    }
}

pub fn run_exists(path: &str) -> Diagnostic {
    Diagnostic::error("E0734", format!("`{path}` holds a run already"))
        .help("`--resume` goes on with it; another `--out` begins anew")
}

pub fn no_run(name: &str) -> Diagnostic {
    Diagnostic::error("E0735", format!("there is no run of `{name}` in the folder `runs`"))
        .help("train first, or name the folder with `--run DIR`")
}

pub fn no_run_folder(path: &str) -> Diagnostic {
    Diagnostic::error("E0735", format!("there is no folder `{path}`"))
        .help("name the folder that `rnnc train` wrote")
}

pub fn other_model(run: &str, theirs: &str, ours: &str) -> Diagnostic {
    Diagnostic::error("E0735", format!("`{run}` is a run of the model `{theirs}`, not of `{ours}`"))
}

pub fn too_many_paths(given: usize, read: usize) -> Diagnostic {
    Diagnostic::error(
        "E0736",
        format!("`--data` is given {given} times, the `data` block reads {read} files"),
    )
    .help("`--data` replaces the paths of the block in their order")
}
