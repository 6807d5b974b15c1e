//! Mistakes in what a command was given.

use crate::diag::Diagnostic;
use crate::diag::near::nearest;
use crate::source::Span;
use crate::weights::show;
use crate::weights::trees::TreesError;

pub fn output(why: &str) -> Diagnostic {
    Diagnostic::error("E0730", format!("cannot write the output: {why}"))
}

pub fn unknown_code(code: &str, first: &str, last: &str) -> Diagnostic {
    Diagnostic::error("E0731", format!("there is no code `{code}`"))
        .help(format!("codes are of {first} to {last}; `rnnc explain` lists all"))
}

pub fn no_name(option: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E0502", format!("`{option}` wants names"))
        .at(at, "this is none")
        .help(format!("such as `{option} W_f,h0`, a family as `{option} 'U_{{f i}}'`"))
}

pub fn bad_setting(text: &str) -> Diagnostic {
    Diagnostic::error("E0732", format!("`--set {text}` is no `name=value`"))
        .help("`--set H=512` changes a static parameter, `--set train.batch=64` a line of the `train` block")
}

pub fn bad_given(text: &str) -> Diagnostic {
    Diagnostic::error("E0732", format!("`--given {text}` is no `name=text`, or is given before"))
        .help("`--given word=hello` gives the input `word` its symbols")
}

pub fn setting_twice(name: &str, first: Span, second: Span) -> Diagnostic {
    let d = Diagnostic::error("E0732", format!("`{name}` is given twice"))
        .at(first, "first")
        .at(second, "and again");
    match name {
        "train.seed" => d.help("leave one out; `--seed 2` is short for `--set train.seed=2`"),
        _ => d.help("leave one out"),
    }
}

/// `open` are the names a recipe leaves open.
pub fn setting_unread(recipe: &str, name: &str, open: &[String], at: Span) -> Diagnostic {
    let d =
        Diagnostic::error("E0231", format!("`{recipe}` has no open dimension `{name}`")).at(at, "set here");
    match (nearest(name, open.iter()), open) {
        (Some(near), _) => d.help(format!("did you mean `{near}`?")),
        (None, []) => {
            d.help("write a name in place of a number in the recipe: `--cell 'Mine(64, H)' --set H=64`")
        }
        (None, open) => d.help(format!("it leaves open {}", open.join(", "))),
    }
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

/// The record of a run cannot be understood.
pub fn bad_record(path: &str, why: &str) -> Diagnostic {
    Diagnostic::error("E0735", format!("`{path}` is no record of a run: {why}"))
        .help("name the folder that `rnnc train` wrote")
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

/// The code of a result that is NaN or infinite.
pub const NOT_FINITE: &str = "E0761";

/// The code of a dimension without a number.
pub const OPEN: &str = "E0737";
/// The code of an unknown number of steps.
pub const NO_STEPS: &str = "E0738";

pub fn open_dimension(name: &str, shape: &str) -> Diagnostic {
    Diagnostic::error(OPEN, format!("the shape {shape} of `{name}` is not known"))
        .help("give the dimension a number, in the recipe or with `--set H=64`, or give the array")
}

pub fn no_steps(file: &str, extent: &str) -> Diagnostic {
    Diagnostic::error(NO_STEPS, format!("`{file}` does not say how many steps `{extent}` has"))
        .help("give an input over it, `[steps, batch, …]`, or an array `lengths` [batch]")
}

/// `axes`: of the grid whose lengths they are.
pub fn misshaped_lengths(
    file: &str,
    name: &str,
    batch: usize,
    axes: Option<usize>,
    found: &[usize],
) -> Diagnostic {
    let message = format!("`{name}` of `{file}` must have the shape [{batch}], and not {}", show(found));
    let d = Diagnostic::error("E0747", message);
    match axes {
        Some(axes) => d.help(format!(
            "give each example's length, or the {axes} lengths of its grid, [{batch}, {axes}]; those of one axis \
             alone are `lengths_NAME`"
        )),
        None => d.help("give the length of each example, in the order of the batch"),
    }
}

/// Examples are told from 1, as axes are.
pub fn bad_length(
    file: &str,
    name: &str,
    example: usize,
    axis: Option<usize>,
    most: usize,
    found: f64,
) -> Diagnostic {
    let along = axis.map_or(String::new(), |axis| format!(" along axis {}", axis + 1));
    let place = format!("`{name}` of `{file}`, example {}{along}", example + 1);
    Diagnostic::error("E0747", format!("{place}: {found} is no length from 0 to {most}"))
        .help("a length is a whole number; the arrays hold the values of so many positions, perhaps of more")
}

pub fn bad_children(file: &str, name: &str, why: &TreesError) -> Diagnostic {
    Diagnostic::error("E0747", format!("`{name}` of `{file}` {why}")).help(why.help())
}

pub fn no_examples(file: &str) -> Diagnostic {
    Diagnostic::error("E0746", format!("the batch of `{file}` has no example"))
        .help("sequences are [steps, batch, …], values per example [batch, …], with a batch of 1 or more")
}

pub fn failed(why: &str) -> Diagnostic {
    Diagnostic::error("E0740", format!("the evaluation is refused: {why}"))
}

pub fn unknown_target(name: &str, known: impl Iterator<Item = &'static str>) -> Diagnostic {
    let known: Vec<&str> = std::iter::once("host").chain(known).collect();
    Diagnostic::error("E0741", format!("there is no target `{name}`"))
        .help(format!("targets are {}", known.join(", ")))
}

/// `what` is made for sizes that are known.
pub fn open_dimensions(what: &str, names: &[String]) -> Diagnostic {
    let sets: Vec<String> = names.iter().map(|n| format!("--set {n}=64")).collect();
    let names: Vec<String> = names.iter().map(|n| format!("`{n}`")).collect();
    Diagnostic::error("E0737", format!("{what} needs numbers for {}", names.join(", ")))
        .help(format!("write them in the recipe, or add `{}`", sets.join(" ")))
}

pub fn only_params() -> Diagnostic {
    Diagnostic::error(
        "E0796",
        "`--layout`, `--map` and `--allow-nan` say how a file of `--params` is read; a run has our own names",
    )
    .help("name the file with `--params`, or leave them out")
}

pub fn no_item(name: &str) -> Diagnostic {
    Diagnostic::error("E0742", format!("there is no item `{name}` here"))
        .help("name the FILE it stands in, or an item of the standard library")
}

pub fn one_example(batch: u32) -> Diagnostic {
    Diagnostic::error("E0743", format!("a stream is of one example, not of {batch}"))
        .help("leave out `--batch`, or use `--mode infer`")
}

pub fn no_stream(why: &str, at: Option<Span>) -> Diagnostic {
    crate::schedule::no_stream(why).at_some(at, "read here")
}

pub fn no_picture() -> Diagnostic {
    Diagnostic::error("E0748", "of this stage there is no picture").help("`--stage schedule` has one")
}

pub fn no_costs() -> Diagnostic {
    Diagnostic::error("E0748", "of this stage there are no costs").help("`--stage schedule` has them")
}

pub fn no_fronts(name: &str) -> Diagnostic {
    Diagnostic::error("E0748", format!("`{name}` has no recurrence: all points are computed at once"))
        .help("choose a cell with a state that is read at another point")
}

pub fn no_update_in_ci() -> Diagnostic {
    Diagnostic::error("E1015", "`--update` stores what nobody has looked at")
        .with_note("the variable CI is set, so a program runs this")
        .help("leave `--update` out, or unset CI")
}

pub fn no_such_test(text: &str) -> Diagnostic {
    Diagnostic::error("E1020", format!("no test has `{text}` in its name"))
        .help("without `--filter` all tests run, and their names are printed")
}

pub fn no_snapshot(stages: &[&str], path: &str, at: Span) -> Diagnostic {
    let verb = if stages.len() == 1 { "is" } else { "are" };
    Diagnostic::error("E1015", format!("{} {verb} not stored yet", stages.join(", ")))
        .at(at, "of this cell")
        .help(format!("`rnnc test {path} --update` stores what there is now"))
}

pub fn other_snapshot(stages: &[&str], path: &str, at: Span) -> Diagnostic {
    let verb = if stages.len() == 1 { "is" } else { "are" };
    Diagnostic::error("E1016", format!("{} {verb} not as stored", stages.join(", ")))
        .at(at, "of this cell")
        .help(format!("what changed is below; `rnnc test {path} --update` accepts it"))
}

pub fn bad_project(path: &str) -> Diagnostic {
    Diagnostic::error("E0760", format!("`{path}` cannot name a project"))
        .help("a project is named with letters, digits, `-` and `_`: `rnnc new my-cell`")
}

pub fn project_exists(path: &str) -> Diagnostic {
    Diagnostic::error("E0760", format!("`{path}` is there already, and not empty"))
        .help("choose another name, or empty the folder first")
}

pub fn bad_cell_name(name: &str) -> Diagnostic {
    Diagnostic::error("E0760", format!("`{name}` cannot name a cell"))
        .help("a cell is named with letters, digits and `_`, a letter first, and not as a word or function of the language: `--cell MyCell`")
}

pub fn cell_name_taken(name: &str) -> Diagnostic {
    Diagnostic::error("E0760", format!("the standard library has `{name}` already"))
        .help(format!("yours would hide it; choose another: `--cell My{name}`"))
}
