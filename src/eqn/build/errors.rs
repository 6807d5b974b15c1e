//! Everything `build` can say: names and kinds here, shapes and order beside it.

mod axes;
mod order;
mod shapes;

pub use axes::*;
pub use order::*;
pub use shapes::*;

use crate::diag::{Diagnostic, Edit};
use crate::limits;
use crate::shape::{Dim, show_shape};
use crate::source::Span;
use crate::syntax::ast::{Ident, Name};
use std::fmt::Display;
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

/// What may be meant in the place of `at`.
fn mean(d: Diagnostic, near: Option<Name>, at: Span) -> Diagnostic {
    match near {
        Some(near) => d.fix(format!("did you mean `{near}`?"), at, &*near),
        None => d,
    }
}

/// [`mean`]; if nothing is near, what makes the name known.
fn mean_or(d: Diagnostic, near: Option<Name>, at: Span, mend: &str) -> Diagnostic {
    match near {
        Some(near) => mean(d, Some(near), at),
        None => d.help(mend),
    }
}

const DEFINE_NAME: &str = "give it an equation or declare it; a dimension is a static parameter or a `dim`";
const DEFINE_ITEM: &str = "an item is found in this file, in those it `use`s and in the stdlib";

// Names.

pub fn unknown_name(name: &str, near: Option<Name>, at: Span) -> Diagnostic {
    let d = Diagnostic::error("E0220", format!("no name `{name}` here")).at(at, "unknown");
    mean_or(d, near, at, DEFINE_NAME)
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
    mean_or(d, near, at, DEFINE_ITEM)
}

/// A function that is an operator here.
pub fn operator_as_function(name: &str, sign: &str, at: Span, edits: Vec<Edit>) -> Diagnostic {
    Diagnostic::error("E0221", format!("no cell, layer or function `{name}`"))
        .at(at, format!("it is the operator `{sign}`"))
        .fix_all(format!("write `a {sign} b`"), edits)
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
        Some(_) => mean(d, near, at),
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
        Some(near) => d.help(kinds).fix(format!("did you mean `{near}`?"), at, near),
        None => d.help(kinds),
    }
}

pub fn unknown_static(title: &str, name: &str, near: Option<Name>, at: Span) -> Diagnostic {
    let d = Diagnostic::error("E0231", format!("{title} has no parameter `{name}`")).at(at, "unknown");
    mean(d, near, at)
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
    Diagnostic::error("E0237", format!("a {kind} stands where a number known beforehand is wanted"))
        .at(at, "not known before the program runs")
        .help(
            "numbers, dimensions and static parameters are; a computed start is an equation or an `at` block",
        )
}

pub fn unknown_distribution(name: &str, at: Span) -> Diagnostic {
    let near = match name {
        "gaussian" | "Gaussian" | "randn" | "gauss" => Some("normal"),
        "rand" => Some("uniform"),
        "glorot" | "xavier_uniform" => Some("xavier"),
        name => crate::diag::near::nearest(name, super::mend::DISTRIBUTIONS.into_iter()),
    };
    let d = Diagnostic::error("E0238", format!("no distribution `{name}`")).at(at, "unknown").help(
        "uniform(a), uniform(a, b), normal(s), bernoulli(p); for a param also xavier, orthogonal, identity, chrono(T)",
    );
    match near {
        Some(near) => d.fix(format!("did you mean `{near}`?"), at, near),
        None => d,
    }
}

pub fn distribution_arity(name: &str, want: &RangeInclusive<usize>, got: usize, at: Span) -> Diagnostic {
    Diagnostic::error("E0238", format!("`{name}` takes {} arguments, got {got}", span_of(want)))
        .at(at, "here")
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
        Some(own) => mean(d, near, own),
        None => d,
    }
}

pub fn input_twice(name: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E0233", format!("`{name}` is given twice")).at(at, "again here")
}

pub fn input_not_given(name: &str, title: &str, at: Span, declared: Span) -> Diagnostic {
    Diagnostic::error("E0243", format!("{title} reads its input `{name}`, which is not given"))
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
    mean_or(d, near, own, "an application offers its outputs and equations, and `NAME_last`")
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

// Families.

pub fn family_wants_binder(name: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E0250", format!("a family is defined with an index variable: `{name}[k in 1..n]`"))
        .at(at, "here")
}

pub fn index_count(name: &str, want: usize, got: usize, at: Span, other: Span) -> Diagnostic {
    Diagnostic::error("E0251", format!("`{name}` has {want} indices, here {got} are given"))
        .at(at, "here")
        .at(other, "the other place")
}

pub fn member_indices(name: &str, want: usize, got: usize, at: Span) -> Diagnostic {
    Diagnostic::error("E0251", format!("`{name}` is indexed by {want} indices, {got} given"))
        .at(at, "here")
        .help("its indices stand in one bracket: `a[i, j]`")
}

pub fn no_member(name: &str, i: i64, lo: i64, hi: i64, at: Span) -> Diagnostic {
    Diagnostic::error("E0252", format!("`{name}[{i}]` does not exist: its index runs over {lo}..{hi}"))
        .at(at, "here")
        .help("a recursion ends with a condition on the index: `if l == 1 then … else …`")
}

pub fn member_by_range(name: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E0251", format!("one member of `{name}` is read at a time")).at(at, "here")
}

pub fn member_wants_number(name: &str, what: &str, at: Span) -> Diagnostic {
    Diagnostic::error(
        "E0253",
        format!("which member of `{name}` is read must be known before the program runs"),
    )
    .at(at, format!("{what} is not a known number"))
}

pub fn members_differ(name: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E0254", format!("the members of `{name}` differ in shape, so it is no array"))
        .at(at, "used bare here")
}

pub fn range_wants_numbers(at: Span) -> Diagnostic {
    Diagnostic::error("E0253", "this range must be known before the program is built")
        .at(at, "not a known number")
        .help("give the dimension a number where the cell is used")
}

pub fn reduction_wants_number(dim: &dyn Display, at: Span, span: Span) -> Diagnostic {
    Diagnostic::error(
        "E0253",
        format!("this reduction over {dim} members can only be carried out for a known {dim}"),
    )
    .at(at, "not an operation on whole vectors")
    .at(span, "in this reduction")
    .help("give the dimension a number where the cell is used")
}

pub fn family_wants_number(name: &str, dim: &dyn Display, at: Span) -> Diagnostic {
    Diagnostic::error(
        "E0253",
        format!("the family `{name}` over {dim} members can only be expanded for a known {dim}"),
    )
    .at(at, "not an operation on whole vectors")
    .help("give the dimension a number where the cell is used")
}

pub fn undecided_dims(a: &dyn Display, b: &dyn Display, at: Span) -> Diagnostic {
    Diagnostic::error(
        "E0253",
        format!("whether {a} and {b} compare so must be known before the program is built"),
    )
    .at(at, "depends on a dimension without a number")
    .help("give the dimension a number where the cell is used")
}

pub fn not_a_set(kind: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E0255", format!("an index runs over `lo..hi` or a dimension, not over a {kind}"))
        .at(at, "here")
}

pub fn list_index(len: usize, at: Span) -> Diagnostic {
    Diagnostic::error("E0252", format!("a list of {len} is read by one number from 1 to {len}"))
        .at(at, "here")
}

/// The code of what a later version will do.
pub const NOT_YET: &str = "E0450";

pub fn not_yet(what: &str, at: Span) -> Diagnostic {
    Diagnostic::error(NOT_YET, format!("{what} is not supported yet"))
        .at(at, "here")
        .help("the manual, docs/language.md, says what is")
}

// Limits.

/// The code of a program beyond the limits.
pub const TOO_MANY: &str = "E0921";
const INSTANCES: &str = "E0925";
const WORK: &str = "E0927";
/// Whether a check has come to the end of its work.
pub fn is_too_much_work(d: &Diagnostic) -> bool {
    d.code == WORK
}

/// Whether a program is beyond a limit of its size.
pub fn is_too_large(d: &Diagnostic) -> bool {
    [TOO_MANY, INSTANCES, WORK].contains(&d.code)
}

pub fn too_many_equations(limit: usize, would: Option<u64>, at: Span) -> Diagnostic {
    let message = match would {
        Some(n) => format!("the program would have {n} equations; the limit is {limit}"),
        None => format!("the program would have more than {limit} equations, which is the limit"),
    };
    Diagnostic::error(TOO_MANY, message)
        .at(at, "expanded here")
        .help(format!("make the family or the stack smaller; {}", limits::raise(limits::NODES)))
}

/// `limit`: of the whole file, of which this is one item.
pub fn too_much_work(limit: u64, at: Span) -> Diagnostic {
    let message = format!("checking this file takes more than {limit} steps of work, which is the limit");
    Diagnostic::error(WORK, message)
        .at(at, "checked up to here")
        .help(format!("check its parts as files of their own; {}", limits::raise(limits::WORK)))
}

pub fn too_many_mistakes(count: usize, at: Span) -> Diagnostic {
    Diagnostic::error("E0928", format!("there are more than {count} mistakes before this item"))
        .at(at, "not checked from here on")
        .help("mend those first")
}

pub fn too_many_instances(limit: usize, at: Span) -> Diagnostic {
    Diagnostic::error(INSTANCES, format!("the program has more than {limit} instances, which is the limit"))
        .at(at, "one too many")
        .help(limits::raise(limits::INSTANCES))
}

pub fn too_nested(limit: usize, at: Span) -> Diagnostic {
    Diagnostic::error("E0923", format!("instances stand in each other more than {limit} deep"))
        .at(at, "applied here")
        .help("an application inside itself never ends")
}

pub fn too_deep(at: Span) -> Diagnostic {
    Diagnostic::error("E0923", "equations that read each other nest too deep here")
        .at(at, "here")
        .help("split a long line of equations that read each other")
}

// Names of arrays.

pub fn two_arrays(name: &str, first: Option<Span>, second: Option<Span>) -> Diagnostic {
    Diagnostic::error("E0256", format!("two arrays would be called `{name}`"))
        .at_some(first, "one is declared here")
        .at_some(second, "the other here")
        .help("a state `h` has its initial value in `h0`; give the other one another name")
}

pub fn last_taken(name: &str, out: Option<Span>, state: Option<Span>) -> Diagnostic {
    Diagnostic::error("E0256", format!("`{name}` is where a state ends, so no output may be called so"))
        .at_some(out, "called so here")
        .at_some(state, "the state")
        .help("give the output another name")
}

pub fn out_hides_state(name: &str, out: Span, state: Span) -> Diagnostic {
    Diagnostic::note(
        "E0256",
        format!("the output `{name}` is not the state `{name}`, whose own array is not offered"),
    )
    .at(out, "another value")
    .at(state, "the state")
    .help("outputs have a name space of their own; give the output another name to have both")
}

// Layouts.

pub fn determined_twice(name: &str, first: Span, second: Span) -> Diagnostic {
    Diagnostic::error("E0257", format!("two lines of the layout determine `{name}`"))
        .at(second, "again here")
        .at(first, "first here")
        .help("name each array once; arrays of the file are added with `\"a\" + \"b\"`")
}

pub fn undetermined(cell: &str, names: &[String], at: Span) -> Diagnostic {
    let names: Vec<String> = names.iter().map(|n| format!("`{n}`")).collect();
    Diagnostic::error("E0257", format!("the layout leaves open {} of {cell}", names.join(", ")))
        .at(at, "not all of its arrays are determined")
        .help("each array of the cell stands on the right of one line")
}

pub fn foreign_range(len: &Dim, shape: &[Dim], at: Span, ours: Span) -> Diagnostic {
    let shape = show_shape(shape);
    Diagnostic::error("E0257", format!("{len} rows of the file do not fill {shape}"))
        .at(at, format!("{len} rows"))
        .at(ours, shape)
        .help("a range runs from its first row to its last, both counted")
}

pub fn layout_of_no_param(name: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E0257", format!("`{name}` is no parameter"))
        .at(at, "here")
        .help("a layout arranges parameters")
}

pub fn layout_computes(at: Span) -> Diagnostic {
    Diagnostic::error("E0257", "a layout arranges arrays and computes nothing")
        .at(at, "computed")
        .help("write an array, `rows(W_{a b})`, a member of a family, or one of these with `ᵀ`")
}

// What nothing reads.

/// `statement`: what defines it and nothing else.
pub fn unread(name: &str, at: Span, statement: Option<Span>) -> Diagnostic {
    let d = Diagnostic::warning(
        "E0260",
        format!("`{name}` is read by nothing for any option; it does not exist"),
    )
    .at(at, "here")
    .help("remove it, or use it");
    match statement {
        Some(statement) => d.fix("remove it", statement, ""),
        None => d,
    }
}

pub fn new_and_unread(name: &str, base: &str, equations: &[&str], at: Span) -> Diagnostic {
    let d = Diagnostic::warning("E0261", format!("`{name}` is new and nothing reads it"))
        .at(at, "here")
        .help(format!("{base} defines {}", equations.join(", ")));
    match crate::diag::near::nearest(name, equations.iter().copied()) {
        Some(near) => d.fix(format!("did you mean `{near}`?"), at, near),
        None => d,
    }
}

pub fn fell_away(names: &[Name], at: Span) -> Diagnostic {
    let names: Vec<String> = names.iter().map(|n| format!("`{n}`")).collect();
    Diagnostic::note("E0262", format!("the override leaves unread, so these fell away: {}", names.join(", ")))
        .at(at, "derived here")
}
