//! Everything `build` can say: names, kinds and arguments here, the rest beside it.

mod axes;
mod families;
mod order;
mod shapes;

pub use axes::*;
pub use families::*;
pub use order::*;
pub use shapes::*;

use crate::diag::{Diagnostic, Edit};
use crate::source::Span;
use crate::syntax::ast::{Ident, Name};
use std::ops::RangeInclusive;

/// Says that a diagnostic has been pushed.
#[derive(Clone, Copy, Debug)]
pub struct Reported(());

impl Reported {
    pub fn new(_: &Diagnostic) -> Reported {
        Reported(())
    }

    /// An earlier stage has pushed it: the item could not be read, or its base is unknown.
    pub fn earlier() -> Reported {
        Reported(())
    }
}

/// What may be meant by a name in the place of `at`.
fn mean(d: Diagnostic, name: &str, near: Option<Name>, at: Span) -> Diagnostic {
    match near {
        Some(near) => d.did_you_mean(name, &near, at),
        None => d,
    }
}

/// [`mean`]; if nothing is near, what makes the name known.
fn mean_or(d: Diagnostic, name: &str, near: Option<Name>, at: Span, mend: &str) -> Diagnostic {
    match near {
        Some(near) => mean(d, name, Some(near), at),
        None => d.help(mend),
    }
}

const DEFINE_NAME: &str = "give it an equation or declare it; a dimension is a static parameter or a `dim`";
const DEFINE_ITEM: &str = "an item is found in this file, in those it `use`s and in the stdlib";

// Names.

pub fn unknown_name(name: &str, near: Option<Name>, at: Span) -> Diagnostic {
    let d = Diagnostic::error("E0220", format!("no name `{name}` here")).at(at, "unknown");
    mean_or(d, name, near, at, DEFINE_NAME)
}

/// A name whose spelling tells what is meant; `right` is how that is written here.
pub fn name_from_elsewhere(name: &str, right: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E0220", format!("no name `{name}` here")).at(at, "unknown").fix(
        format!("write `{right}`"),
        at,
        right,
    )
}

/// `header`: where the item lists its dimensions, and how it then does.
pub fn unknown_dimension(name: &str, header: Edit, at: Span) -> Diagnostic {
    let dims = header.text.clone();
    Diagnostic::error("E0220", format!("no name `{name}` here"))
        .at(at, "unknown")
        .fix_all(format!("dimensions stand behind the name of the item: `{dims}`"), vec![header])
}

/// `torch.tanh(x)`, `self.W`: `prefix` is the name with its dot.
pub fn foreign_prefix(name: &str, at: Span, prefix: Span) -> Diagnostic {
    Diagnostic::error("E0220", format!("no name `{name}` here")).at(at, "unknown").fix(
        format!("functions and names of the item stand alone, without `{name}.`"),
        prefix,
        "",
    )
}

pub fn unknown_item(name: &str, near: Option<Name>, at: Span) -> Diagnostic {
    let d = Diagnostic::error("E0221", format!("no cell, layer or function `{name}`")).at(at, "unknown");
    mean_or(d, name, near, at, DEFINE_ITEM)
}

/// A function that is written otherwise here.
pub fn function_from_elsewhere(name: &str, said: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E0221", format!("no cell, layer or function `{name}`")).at(at, "unknown").help(said)
}

/// `W.matmul(x)`.
pub fn method_from_elsewhere(name: &str, said: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E0246", format!("a value has no `{name}`"))
        .at(at, "a dot belongs after an application")
        .help(said)
}

pub fn distribution_as_function(name: &str, at: Span, edit: Edit) -> Diagnostic {
    Diagnostic::error("E0221", format!("`{name}` is a distribution, not a function"))
        .at(at, "drawn from")
        .fix_all("a parameter is drawn with `~`, and has a value with `=`", vec![edit])
}

pub fn unknown_function(name: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E0221", format!("no function `{name}`")).at(at, "unknown")
}

pub fn unknown_model(name: &str, near: Option<Name>) -> Diagnostic {
    let d = Diagnostic::error("E0221", format!("no model `{name}`"));
    match near {
        Some(near) => d.help(format!("did you mean `{near}`?")),
        None => d,
    }
}

pub fn function_without_argument(name: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E0222", format!("`{name}` is a function and wants an argument"))
        .at(at, "no argument")
        .help(format!("write `{name}(…)`"))
}

pub fn not_a_function(what: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E0223", format!("`{what}` is no function, cell or part, so it cannot be applied"))
        .at(at, "applied here")
        .help("a product is written `W @ x` or `a ⊙ b`")
}

/// `h(t-1)`.
pub fn step_in_parentheses(name: &str, at: Span, edits: Vec<Edit>) -> Diagnostic {
    Diagnostic::error("E0223", format!("`{name}` is no function; a step is written in square brackets"))
        .at(at, "applied here")
        .fix_all("write `h[t-1]` for the step before", edits)
}

pub fn not_a_value(kind: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E0224", format!("a {kind} stands where a value is wanted"))
        .at(at, "this is not applied to anything")
        .help("the first argument group of a cell gives its dimensions, the second its inputs: `C(I, H)(x)`")
}

pub fn not_a_recipe(kind: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E0225", format!("a {kind} stands where a cell with its arguments is wanted"))
        .at(at, "no recipe")
        .help("write a cell or layer with its static arguments, such as `C(_, 64)`")
}

pub fn model_applied(name: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E0225", format!("`{name}` is a model and cannot be applied"))
        .at(at, "here")
        .help("put what is common into a layer")
}

pub fn fn_recipe_arguments(title: &str, at: Span) -> Diagnostic {
    Diagnostic::error(
        "E0226",
        format!("a recipe of the function `{title}` takes its free dimensions by name"),
    )
    .at(at, "here")
    .help(format!("write `{title}(n = 5)`"))
}

pub fn word_as_value(word: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E0227", format!("`{word}` is a word of a choice, not a value"))
        .at(at, "here")
        .help(format!("compare it: `if … == {word} then … else …`"))
}

pub fn word_outside_choice(word: &str, words: &[Ident], at: Span) -> Diagnostic {
    Diagnostic::error(
        "E0227",
        format!("`{word}` is a word of a choice; it is seen only where that choice is compared"),
    )
    .at(at, "here")
    .with_note(format!("the choice is one of {}", list(words)))
}

pub fn not_a_choice(name: &str, words: &[Ident], at: Span, written: Option<&str>) -> Diagnostic {
    let d = Diagnostic::error("E0228", format!("`{name}` is one of {}", list(words))).at(at, "none of these");
    let near = written.and_then(|w| {
        let names: Vec<Name> = words.iter().map(|w| w.written.clone()).collect();
        crate::resolve::nearest(w, names.iter()).cloned()
    });
    match near {
        Some(_) => mean(d, written.unwrap_or_default(), near, at),
        None => d.help("write one of these words"),
    }
}

fn list(words: &[Ident]) -> String {
    words.iter().map(|w| w.written.to_string()).collect::<Vec<_>>().join(", ")
}

pub fn text_as_value(at: Span) -> Diagnostic {
    Diagnostic::error("E0224", "a text is no value of an equation").at(at, "here")
}

pub fn hole_as_value(at: Span) -> Diagnostic {
    Diagnostic::error("E0224", "`_` stands where a value is wanted")
        .at(at, "here")
        .help("`_` is only an argument for a dimension that the input decides")
}

pub fn braces_without_left(written: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E0229", format!("`{written}` lists words, but the left side has no braces"))
        .at(at, "here")
        .help("braces on the right want braces on the left, or an argument list")
}

pub fn braces_out_of_step(written: &str, left: usize, right: usize, at: Span) -> Diagnostic {
    Diagnostic::error("E0206", format!("the brace groups list {left} and {right} words"))
        .at(at, format!("`{written}` lists {right}"))
        .help("groups of one equation run in step, so they have equally many words")
}

// Static parameters.

/// `mark`: the kind with its colon.
pub fn unknown_kind(word: &str, at: Span, mark: Span) -> Diagnostic {
    let d = Diagnostic::error("E0230", format!("`{word}` is no kind of static parameter")).at(at, "unknown");
    let near = match word {
        "int" | "integer" | "nat" | "size" | "usize" => {
            return d.fix("a dimension has no mark", mark, "");
        }
        "float" | "double" | "number" => Some("real"),
        word => crate::diag::near::nearest(word, ["real", "bool", "cell", "fn"].into_iter()),
    };
    let kinds = "kinds are real, bool, cell, fn, or a choice `a | b`; a dimension has no mark";
    match near {
        Some(near) => d.help(kinds).did_you_mean(word, near, at),
        None => d.help(kinds),
    }
}

pub fn unknown_static(title: &str, name: &str, near: Option<Name>, at: Span) -> Diagnostic {
    let d = Diagnostic::error("E0231", format!("{title} has no parameter `{name}`")).at(at, "unknown");
    mean(d, name, near, at)
}

pub fn too_many_statics(title: &str, signature: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E0231", format!("{title}({signature}) takes no further argument"))
        .at(at, "one too many")
}

/// `fix`: what may be meant, with its title.
pub fn static_missing(
    title: &str,
    signature: &str,
    name: &str,
    kind: &str,
    at: Span,
    fix: Option<(String, Edit)>,
) -> Diagnostic {
    let d = Diagnostic::error("E0232", format!("{title}({signature}) misses {name}"))
        .at(at, format!("no {kind} for {name}"));
    if let Some((title, edit)) = fix {
        return d.fix_all(title, vec![edit]);
    }
    match kind {
        "dimension" => d.help("write `_` to infer a dimension from the input"),
        _ => d,
    }
}

pub fn static_twice(name: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E0233", format!("`{name}` is given twice")).at(at, "again here")
}

pub fn static_kind(name: &str, want: &str, got: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E0234", format!("`{name}` is a {want}, but a {got} is given"))
        .at(at, format!("a {got}"))
}

pub fn hole_for_other(name: &str, kind: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E0234", format!("`{name}` is a {kind}, which no input decides"))
        .at(at, "`_` is for dimensions")
}

pub fn static_failed(name: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E0235", format!("`{name}` has no value")).at(at, "see the other message")
}

pub fn static_cycle(name: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E0235", format!("the value of `{name}` depends on itself")).at(at, "here")
}

/// `at`: where it is read to find its own value.
pub fn dim_cycle(name: &str, at: Span, value: Span) -> Diagnostic {
    Diagnostic::error("E0235", format!("the dimension `{name}` depends on itself"))
        .at(at, "read here")
        .at(value, "to find this")
        .help("a dimension is made of static parameters and of dimensions that are known before it")
}

pub fn cannot_infer(name: &str, title: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E0236", format!("{name} of {title} cannot be inferred from an input"))
        .at(at, "in this application")
        .help(format!("give {name} a value"))
}

/// `groups`: what ends the group of static parameters behind it.
pub fn static_input_missing(name: &str, in_layer: bool, at: Span, groups: Option<Edit>) -> Diagnostic {
    let d = Diagnostic::error("E0232", format!("`{name}` has no value"))
        .at(at, "give it by name, or a default here");
    match in_layer {
        true => d
            .help("static parameters of a layer have a group of their own before its inputs")
            .fix_all("end the group of static parameters here", groups.into_iter().collect()),
        false => d,
    }
}

pub fn not_a_known_number(kind: &str, at: Span) -> Diagnostic {
    unknown_number(kind, at).help(
        "numbers, dimensions and static parameters are; a computed start is an equation or an `at` block",
    )
}

fn unknown_number(kind: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E0237", format!("a {kind} stands where a number known beforehand is wanted"))
        .at(at, "not known before the program runs")
}

/// `param b : [H] = zeros(H)`.
pub fn number_fills(number: &str, at: Span) -> Diagnostic {
    unknown_number("value", at).fix(format!("a number fills the shape: write `{number}`"), at, number)
}

pub fn unknown_distribution(name: &str, at: Span) -> Diagnostic {
    let near = match name {
        "gaussian" | "Gaussian" | "randn" | "gauss" => Some("normal"),
        "rand" => Some("uniform"),
        "glorot" | "xavier_uniform" => Some("xavier"),
        _ => None,
    };
    let d = Diagnostic::error("E0238", format!("no distribution `{name}`")).at(at, "unknown").help(
        "uniform(a), uniform(a, b), normal(s), bernoulli(p); for a param also xavier, orthogonal, identity, chrono(T)",
    );
    match near {
        Some(near) => d.fix(format!("did you mean `{near}`?"), at, near),
        None => match crate::diag::near::nearest(name, super::mend::DISTRIBUTIONS.into_iter()) {
            Some(near) => d.did_you_mean(name, near, at),
            None => d,
        },
    }
}

/// `mean`: of a distribution around 0, where that is given.
pub fn distribution_arity(
    name: &str,
    want: &RangeInclusive<usize>,
    got: usize,
    at: Span,
    mean: Option<(Span, bool)>,
) -> Diagnostic {
    let d = Diagnostic::error("E0238", format!("`{name}` takes {} arguments, got {got}", span_of(want)))
        .at(at, "here");
    match mean {
        Some((mean, true)) => d.fix(format!("`{name}(s)` is around 0: leave the mean out"), mean, ""),
        Some((_, false)) => {
            d.help(format!("`{name}(s)` is around 0; what is around another number is an equation"))
        }
        None => d,
    }
}

pub fn noise_distribution(name: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E0238", format!("`{name}` is no distribution of a noise"))
        .at(at, "here")
        .help("a noise is uniform, normal or bernoulli")
}

pub fn noise_per(word: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E0238", format!("a noise is drawn per `sequence` or per `batch`, not per `{word}`"))
        .at(at, "here")
}

// Arguments.

pub fn argument_count(f: &str, want: &RangeInclusive<usize>, got: usize, at: Span) -> Diagnostic {
    Diagnostic::error("E0240", format!("`{f}` takes {} arguments, got {got}", span_of(want))).at(at, "here")
}

fn span_of(r: &RangeInclusive<usize>) -> String {
    match (r.start(), r.end()) {
        (a, b) if a == b => a.to_string(),
        (a, 64) => format!("{a} or more"),
        (a, b) => format!("{a} or {b}"),
    }
}

pub fn builtin_named(f: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E0240", format!("`{f}` takes its arguments by place")).at(at, "named here")
}

pub fn too_many_inputs(title: &str, ins: &[Name], at: Span) -> Diagnostic {
    let names: Vec<&str> = ins.iter().map(|n| &**n).collect();
    Diagnostic::error("E0241", format!("{title} has {} inputs: {}", ins.len(), names.join(", ")))
        .at(at, "one too many")
        .help("initial states, memories and shared parameters are given by name")
}

/// `own`: the name itself.
pub fn unknown_argument(
    title: &str,
    name: &str,
    near: Option<Name>,
    own: Option<Span>,
    at: Span,
) -> Diagnostic {
    let d = Diagnostic::error(
        "E0242",
        format!("{title} has no input, memory, parameter or initial state `{name}`"),
    );
    let d = d.at(own.unwrap_or(at), "given here");
    match own {
        Some(own) => mean(d, name, near, own),
        None => d,
    }
}

pub fn input_twice(name: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E0233", format!("`{name}` is given twice")).at(at, "again here")
}

pub const INPUT_NOT_GIVEN: &str = "E0243";

pub fn input_not_given(name: &str, title: &str, at: Span, declared: Span) -> Diagnostic {
    Diagnostic::error(INPUT_NOT_GIVEN, format!("{title} reads its input `{name}`, which is not given"))
        .at(at, "in this application")
        .at(declared, "the input")
}

pub fn prev_of_no_state(title: &str, name: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E0244", format!("{title} has no state `{name}`, so there is no `prev {name}`"))
        .at(at, "here")
}

pub fn prev_missing(name: &str, title: &str, at: Span, read: Span) -> Diagnostic {
    Diagnostic::error(
        "E0244",
        format!("one step of {title} wants all its states: `prev {name} = …` is missing"),
    )
    .at(at, "this step")
    .at(read, "read here")
    .help(format!("carry it in a state of this cell, and give `prev {name} = {name}[t-1]`"))
}

pub fn prev_is_one_step(name: &str, offset: Option<i64>, at: Span) -> Diagnostic {
    let away = offset.map_or("along an edge".to_string(), |k| format!("{k:+} points away"));
    Diagnostic::error("E0244", format!("`{name}` is read {away}, but `prev` gives one step back"))
        .at(at, "here")
}

pub fn mem_varies(name: &str, mem: bool, at: Span) -> Diagnostic {
    let what = if mem { "one value for the whole sequence" } else { "the same value everywhere" };
    Diagnostic::error("E0245", format!("`{name}` wants {what}"))
        .at(at, "this differs from point to point")
        .help("the last value of a sequence is `NAME_last`")
}

pub fn field_of_part(name: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E0246", format!("a part has no value `{name}` before it is applied"))
        .at(at, "not applied")
}

pub fn field_of_value(name: &str, kind: &str, base: Span, at: Span) -> Diagnostic {
    let d = Diagnostic::error("E0246", format!("a {kind} has no `{name}`"))
        .at(base, format!("a {kind}"))
        .at(at, "a dot belongs after an application");
    match name {
        "T" => d.fix("the transpose is `Wᵀ`", Span { start: base.end, ..at }, "ᵀ"),
        _ => d.help("functions are applied to a value, `f(x)`; a component is `x[1]`"),
    }
}

/// `own`: the name behind the dot.
pub fn no_field(name: &str, title: &str, near: Option<Name>, own: Span, at: Span) -> Diagnostic {
    let d = Diagnostic::error("E0246", format!("{title} offers no `{name}`")).at(at, "unknown");
    mean_or(d, name, near, own, "an application offers its outputs and equations, and `NAME_last`")
}

/// `add`: the statement, where there is something to give.
pub fn no_out(title: &str, at: Span, add: Option<Edit>) -> Diagnostic {
    let d = Diagnostic::error("E0247", format!("{title} has no `out`")).at(at, "it gives nothing");
    match add {
        Some(edit) => d.fix_all("say what it gives", vec![edit]),
        None => d.help("add `out NAME`"),
    }
}

pub fn two_outs(name: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E0247", format!("two outputs are called `{name}`")).at(at, "again here")
}

pub fn two_metrics(name: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E0247", format!("two metrics are called `{name}`"))
        .at(at, "again here")
        .help("name one: `metric NAME = …`")
}

pub fn twins(name: &str, first: Span, second: Span) -> Diagnostic {
    Diagnostic::note("E0248", "these are two instances with parameters of their own")
        .at(second, "the second")
        .at(first, "the first")
        .help(format!("to share them, write `part p = …` and apply `p` twice in place of `{name}`"))
}

pub fn target_count(want: usize, got: usize, at: Span) -> Diagnostic {
    Diagnostic::error("E0249", format!("{want} names on the left, but {got} outputs on the right"))
        .at(at, "here")
}

pub fn many_targets(at: Span) -> Diagnostic {
    Diagnostic::error("E0249", "several names on the left want `split(…)` or an application on the right")
        .at(at, "one value")
}

pub fn split_targets(at: Span) -> Diagnostic {
    Diagnostic::error("E0249", "`split` stands alone on the right of several names")
        .at(at, "here")
        .help("write `a, b = split(v)`")
}
