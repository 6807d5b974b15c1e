//! What can be wrong with data, settings and the training itself.

use super::data::Over;
use crate::diag::Diagnostic;
use crate::diag::near::nearest;
use crate::limits;
use crate::source::Span;
use crate::weights::show;
use crate::weights::trees::TreesError;

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
    match nearest(name, readers.iter().copied()) {
        Some(near) => d.fix(format!("did you mean `{near}`?"), span, near),
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

pub fn too_few_extents(reader: &str, over: Over, shape: &[usize]) -> Diagnostic {
    let what = match over {
        Over::Tree | Over::Mixed => "a tree, which it has not".to_string(),
        _ => format!("a grid of {} axes, and the shape is {}", over.axes(), show(shape)),
    };
    Diagnostic::error("E0822", format!("`{reader}` is asked for {what}"))
        .help("the first extents of `shape` are the axes: `shape = [8, 8]` for a grid of two axes")
}

pub fn no_room(shape: &[usize], frame: &[usize], most: Option<usize>) -> Diagnostic {
    let (shape, frame) = (show(shape), show(frame));
    let d = Diagnostic::error("E0822", format!("values of {shape} have no room in the frame {frame}"));
    match most {
        Some(most) => Diagnostic::error("E0822", format!("a shift leads out of the frame {frame}"))
            .help(format!("values of {shape} can be shifted by up to {most} in it")),
        None => d.help("a frame has as many extents as `shape`, none of them smaller"),
    }
}

/// `bytes`: what they would take, if that many can be counted.
pub fn too_many_values(reader: &str, bytes: Option<u64>, limit: u64) -> Diagnostic {
    let bytes =
        bytes.map_or_else(|| "more bytes than can be counted".to_string(), |n| limits::bytes(n.into()));
    let limit = limits::bytes(limit.into());
    let message = format!("the examples of `{reader}` would take {bytes}; the limit is {limit}");
    Diagnostic::error("E0915", message)
        .help(format!("make the frame smaller; {}", limits::raise(limits::UNPACKED)))
}

pub fn unknown_argument(reader: &str, name: &str, known: &[&str]) -> Diagnostic {
    let d = Diagnostic::error("E0822", format!("`{reader}` has no argument `{name}`"));
    match (nearest(name, known.iter().copied()), known) {
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

/// What each line of a table has, for its mend.
pub fn line_of_numbers(is_labelled: bool) -> &'static str {
    match is_labelled {
        true => "a line is one example: its numbers, as many as in every other line, then its class",
        false => "a line is one example: its numbers, as many as in every other line",
    }
}

pub fn bad_file(path: &str, why: &str) -> Diagnostic {
    Diagnostic::error("E0825", format!("`{path}`: {why}"))
}

pub fn bad_children(path: &str, name: &str, why: &TreesError) -> Diagnostic {
    bad_file(path, &format!("the children of `{name}` {why}")).help(why.help())
}

pub fn empty_file(path: &str) -> Diagnostic {
    Diagnostic::error("E0825", format!("`{path}` is empty: there is nothing to train on"))
}

pub fn empty_example(name: &str, over: Over, example: usize) -> Diagnostic {
    let what = match over {
        Over::Axes(2..) => "grid",
        Over::Tree | Over::Mixed => "tree",
        _ => "sequence",
    };
    Diagnostic::error("E0825", format!("the {what} `{name}` of example {} is empty", example + 1))
        .help("take the example out, or give it at least one position: of nothing nothing can be learnt")
}

pub fn bad_split(span: Span) -> Diagnostic {
    Diagnostic::error("E0826", "`split` wants the shares [train, valid, test] or [train, test]")
        .at(span, "numbers of 0..1 with a sum of at most 1, the first above 0")
        .help("e.g. `split = [0.8, 0.1, 0.1]`")
}

/// The source brings its test examples, and `split` cuts others off.
pub fn two_test_parts() -> Diagnostic {
    Diagnostic::error("E0826", "`split` has a test part, and the data bring one of their own")
        .help("beside `test = …` write the shares of training and validation: `split = [0.9, 0.1]`")
}

pub fn patience_wants_validation() -> Diagnostic {
    Diagnostic::error("E0803", "`patience` wants a validation part, and there is none")
        .help("e.g. `split = [0.8, 0.1, 0.1]` (training, validation, test); the test part chooses nothing")
}

pub fn empty_part(part: &str) -> Diagnostic {
    Diagnostic::error("E0826", format!("the {part} part of the data is empty"))
        .help("change `split`, or give more data")
}

/// A part that `split` asks for gets nothing.
pub fn too_little_data(part: &str, share: f64, of: &str) -> Diagnostic {
    Diagnostic::error(
        "E0826",
        format!("the {part} part of the data is empty: `split` gives it {share} of {of}"),
    )
    .help("give more data, or a greater share; without `split` everything trains")
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

// ---- fitting data to a model -----------------------------------------------------------------

pub fn input_without_data(span: Option<Span>, input: &str, names: &[String]) -> Diagnostic {
    let known: Vec<&str> = names.iter().map(String::as_str).collect();
    let d = Diagnostic::error("E0827", format!("the data give no values for the input `{input}`"))
        .at_some(span, "declared here");
    match (nearest(input, known.iter().copied()), names) {
        (Some(near), _) => d.help(format!("they give `{near}`; did you mean that one?")),
        (None, []) => d.help("add a line to the `data` block"),
        _ => d.help(format!("they give {}", names.join(", "))),
    }
}

pub fn wrong_kind(span: Option<Span>, input: &str, declared: &str, given: &str) -> Diagnostic {
    Diagnostic::error("E0828", format!("the input `{input}` is {declared}, the data give {given}"))
        .at_some(span, "declared here")
}

pub fn wrong_extent(span: Option<Span>, input: &str, dim: &str, declared: i64, given: usize) -> Diagnostic {
    let what = match dim.parse::<i64>() {
        Ok(_) => format!("an extent of the input `{input}`"),
        Err(_) => format!("`{dim}` of the input `{input}`"),
    };
    Diagnostic::error("E0828", format!("{what} is {declared}, the data have {given}"))
        .at_some(span, "declared here")
        .help("write `_` for a static parameter that is to be found from the data")
}

pub fn too_few_symbols(span: Option<Span>, input: &str, declared: i64, given: usize) -> Diagnostic {
    let s = if declared == 1 { "" } else { "s" };
    Diagnostic::error("E0828", format!("the input `{input}` has {declared} symbol{s}, the data have {given}"))
        .at_some(span, "declared here")
        .help("write `_` for a static parameter that is to be found from the data")
}

/// `set` is where the setting stands, `input` an input that decides the parameter.
pub fn setting_contradicts_data(
    name: &str,
    set: Span,
    value: f64,
    input: Option<(&str, Option<Span>)>,
    given: i64,
) -> Diagnostic {
    let d = Diagnostic::error("E0828", format!("`{name}` is set to {value}, the data have {given}"))
        .at(set, "set here")
        .help(format!("leave the setting out: `{name}` is found from the data"));
    match input {
        Some((input, span)) => d.at_some(span, format!("the input `{input}` reads the data by `{name}`")),
        None => d,
    }
}

pub fn bad_dimension(span: Option<Span>, input: &str, dim: &str) -> Diagnostic {
    Diagnostic::error("E0828", format!("`{dim}` of the input `{input}` cannot be found from the data"))
        .at_some(span, "declared here")
        .help("give it a value: `--set NAME=VALUE`, or a default in the model's head")
}

pub fn open_static(name: &str) -> Diagnostic {
    Diagnostic::error("E0829", format!("the static parameter `{name}` is found by no input"))
        .help(format!("give it a value: `--set {name}=…`, or a default in the model's head"))
}

pub fn unequal_lengths(extent: &str, a: &str, b: &str, example: usize) -> Diagnostic {
    Diagnostic::error(
        "E0828",
        format!("`{a}` and `{b}` share the length `{extent}`, but differ in example {}", example + 1),
    )
    .help("sequences of different lengths want different names: `seq<n>`, `seq<m>`")
}

/// A domain whose extent is static.
pub fn wrong_length(
    span: Option<Span>,
    input: &str,
    extent: &str,
    declared: usize,
    example: usize,
    given: usize,
) -> Diagnostic {
    Diagnostic::error(
        "E0828",
        format!("`{extent}` of the input `{input}` is {declared}, example {} has {given}", example + 1),
    )
    .at_some(span, "declared here")
}

pub fn too_many_children(
    span: Option<Span>,
    input: &str,
    most: usize,
    example: usize,
    node: usize,
    given: usize,
) -> Diagnostic {
    let s = if most == 1 { "" } else { "ren" };
    Diagnostic::error(
        "E0828",
        format!(
            "node {node} of the tree `{input}` of example {} has {given} children, the model takes {most} child{s}",
            example + 1
        ),
    )
    .at_some(span, "declared here")
    .help("write the trees with fewer branches, or take a cell over any number of children, `tree(K..)`")
}

// ---- settings --------------------------------------------------------------------------------

pub fn no_train(model: &str) -> Diagnostic {
    Diagnostic::error("E0801", format!("the model `{model}` has no `train` block"))
        .help("write `train { optimizer = …; batch = 32; epochs = 10; seed = 1 }`")
}

pub fn missing_key(key: &str, example: &str) -> Diagnostic {
    Diagnostic::error("E0801", format!("the `train` block misses `{key}`"))
        .help(format!("write `{example}`, or `--set train.{example}`"))
}

pub fn unknown_key(span: Span, key: &str, known: &[&str]) -> Diagnostic {
    let d = Diagnostic::error("E0802", format!("`train` has no key `{key}`")).at(span, "set here");
    match nearest(key, known.iter().copied()) {
        Some(near) => d.fix(format!("did you mean `{near}`?"), span, near),
        None => d.help(format!("its keys are {}", known.join(", "))),
    }
}

pub fn set_twice(key: &str, first: Span, second: Span) -> Diagnostic {
    Diagnostic::error("E0808", format!("`{key}` is set twice"))
        .at(second, "set again here")
        .at(first, "set here")
        .help("leave one of the two out")
}

pub fn bad_value(span: Span, key: &str, wants: &str) -> Diagnostic {
    Diagnostic::error("E0803", format!("`{key}` wants {wants}"))
        .at(span, "this is none")
        .help(format!("write one, or leave `{key}` out: it has a usual value"))
}

pub fn decay(span: Span) -> Diagnostic {
    Diagnostic::error("E0801", "`decay` is no key of `train`: the rate is an argument of the optimiser")
        .at(span, "set here")
        .help("write the rate as an expression of the training step k: `lr = 1e-3 * min(1, k/500)`")
}

pub fn every_wants_window(span: Span) -> Diagnostic {
    Diagnostic::error(
        "E0804",
        "`every` says how many positions of a window are new, and there is no `window`",
    )
    .at(span, "set here")
    .help("add `window = w` with w of at least `every`, for one long sequence; or leave `every` out")
}

pub fn window_wants_stream() -> Diagnostic {
    Diagnostic::error("E0804", "`window` is for one long sequence, and these data are many examples")
        .help("leave `window` out: each example is trained on as a whole")
}

pub fn no_loss(model: &str, at: Option<Span>) -> Diagnostic {
    Diagnostic::error("E0805", format!("the model `{model}` has no `loss`"))
        .at_some(at, "this model")
        .help("write `loss …`, such as `loss (y - x)^2`")
}

pub fn not_carried(state: &str) -> Diagnostic {
    Diagnostic::error(
        "E0806",
        format!("windows need the state `{state}` at their end, which the program does not give"),
    )
}

// ---- optimisers ------------------------------------------------------------------------------

pub fn no_optimiser(span: Span, why: &str) -> Diagnostic {
    Diagnostic::error("E0807", format!("this is no optimiser: {why}"))
        .at(span, "given here")
        .help("an optimiser is a cell over a chain with `in g : [..]`, a `state w : [..]` without a value, and `out w`")
}

// ---- while training --------------------------------------------------------------------------

/// The code of a number that training cannot go on with.
pub const NOT_FINITE: &str = "E0810";

/// A parameter that an update made so.
pub fn bad_parameter(name: &str, bad: usize, of: usize, steps: u64) -> Diagnostic {
    let message =
        format!("{bad} of the {of} numbers of the parameter `{name}` are not finite after {steps} steps");
    Diagnostic::error(NOT_FINITE, message)
        .help("an update made them so; `--sanitize` names the equation of the optimiser and the step")
}

pub fn not_finite(epoch: u64, step: u64) -> Diagnostic {
    Diagnostic::error(NOT_FINITE, format!("the loss is no finite number in epoch {epoch}, step {step}"))
        .help("a smaller learning rate or `clip = 1` often helps; the last good checkpoint was kept")
}

// ---- checkpoints and trained models ----------------------------------------------------------

pub fn other_program(what: &str) -> Diagnostic {
    Diagnostic::error("E0811", "the checkpoint belongs to another program")
        .with_note(what)
        .help("its equations or static parameters differ: train anew, or go back to the file as it was")
}

pub fn other_data() -> Diagnostic {
    Diagnostic::error("E0811", "the checkpoint was trained on other data")
        .help("give the same data, or train anew in another folder")
}

pub fn damaged(why: &str) -> Diagnostic {
    Diagnostic::error("E0812", format!("the checkpoint is damaged: {why}"))
        .help("take an earlier checkpoint, or train anew")
}

pub fn other_settings(key: &str) -> Diagnostic {
    Diagnostic::error(
        "E0813",
        format!("`{key}` differs from the checkpoint's, so it cannot be gone on with bit for bit"),
    )
    .help("resume with the settings it was trained with; `epochs` and `patience` may change")
}

// ---- generating ------------------------------------------------------------------------------

pub fn no_generate(model: &str) -> Diagnostic {
    Diagnostic::error("E0831", format!("the model `{model}` has no `generate` line"))
        .help("write `generate text from y`, where y at t reads `text` before t only")
}

pub fn cannot_generate(why: &str) -> Diagnostic {
    Diagnostic::error("E0831", format!("this model cannot generate: {why}"))
}

pub fn unknown_character(character: &str, position: usize, vocabulary: &[String]) -> Diagnostic {
    let shown: String = vocabulary.iter().map(|s| s.escape_debug().to_string()).collect::<Vec<_>>().join("");
    Diagnostic::error(
        "E0830",
        format!("`{}`, number {position} of the prompt, is not in the vocabulary", character.escape_debug()),
    )
    .help("take it out, or train with text that holds it")
    .with_note(format!("the vocabulary is {shown}"))
}

pub fn wants_given(input: &str, symbols: &[String]) -> Diagnostic {
    let d = Diagnostic::error("E0834", format!("what is written depends on `{input}`, which is not given"));
    match symbols.first() {
        Some(first) if !first.is_empty() => d.help(format!("for example `--given {input}={first}`")),
        _ => d.help(format!("write `--given {input}=…`")),
    }
}

pub fn not_given_here(name: &str, inputs: &[&str]) -> Diagnostic {
    let d = Diagnostic::error("E0834", format!("`--given {name}=…`: the model reads no such input"));
    match inputs {
        [] => d.help("it reads only what it writes; `--prompt` says how that begins"),
        _ => d.help(format!("it reads {}", inputs.join(", "))),
    }
}

pub fn unknown_given(input: &str, text: &str, symbols: &[String]) -> Diagnostic {
    let shown: Vec<&str> = symbols.iter().take(40).map(String::as_str).collect();
    let more = if symbols.len() > shown.len() { ", …" } else { "" };
    let d = Diagnostic::error("E0834", format!("`{text}` is no symbol of `{input}`"));
    match nearest(text, symbols.iter()) {
        Some(near) => d.help(format!("did you mean `{near}`?")),
        None => d.help(format!("there are {}{more}", shown.join(", "))),
    }
}

// ---- looking at values -----------------------------------------------------------------------

/// `known` are the names of all values, in order.
pub fn no_such_value(name: &str, known: &[&str]) -> Diagnostic {
    let d = Diagnostic::error("E0832", format!("the equations have no value `{name}`"));
    // The last part of a dotted name is what an author wrote.
    let last = |n: &&str| n.rsplit('.').next().unwrap_or("").to_string();
    let ends: Vec<String> = known.iter().map(last).collect();
    let near =
        nearest(name, known.iter().copied()).or_else(|| nearest(name, ends.iter().map(String::as_str)));
    match near {
        Some(near) => d.help(format!("did you mean `{near}`?")),
        None => d.help("`rnnc show --stage eqn` prints all values under their names"),
    }
}

pub fn many_such_values(name: &str, found: &[&str]) -> Diagnostic {
    Diagnostic::error("E0832", format!("`{name}` may be {}", found.join(", "))).help("write the name in full")
}

pub fn no_such_example(number: usize, count: usize) -> Diagnostic {
    Diagnostic::error("E0833", format!("there is no example {number}: this part of the data has {count}"))
}

pub fn examples_wanted() -> Diagnostic {
    Diagnostic::error("E0833", "the data are one long sequence, not examples")
        .help("give a short text with `--data`")
}
