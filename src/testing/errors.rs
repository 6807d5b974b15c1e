//! What tests and checks can say.

use crate::diag::Diagnostic;
use crate::source::Span;

pub fn not_met(at: Span, why: &str) -> Diagnostic {
    Diagnostic::error("E1001", "an expectation is not met").at(at, why)
}

pub fn nothing_expected(at: Option<Span>) -> Diagnostic {
    Diagnostic::error("E1001", "this test expects nothing")
        .at_some(at, "it cannot fail")
        .help("say what must hold: `expect y.h ≈ [1, 2] ± 1e-6`")
}

pub fn never_applied(part: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E1003", format!("`{part}` is set, but never applied")).at(at, "set here")
}

pub fn not_in_a_test(what: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E1002", format!("{what} cannot stand in a test")).at(at, "here").help(
        "a test computes with numbers and lists; put the rest into a `fn`, `cell` or `layer` and apply it",
    )
}

pub fn unknown(name: &str, near: Option<&str>, at: Span) -> Diagnostic {
    let error = Diagnostic::error("E1003", format!("no name `{name}` in this test")).at(at, "unknown");
    match near {
        Some(near) => error.help(format!("did you mean `{near}`?")),
        None => error,
    }
}

pub fn cycle(name: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E1003", format!("`{name}` depends on itself")).at(at, "read here")
}

pub fn twice(name: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E1003", format!("`{name}` is defined twice in this test")).at(at, "again here")
}

pub fn shapes(what: &str, left: &[usize], right: &[usize], at: Span) -> Diagnostic {
    Diagnostic::error("E1004", format!("{what} of shapes {left:?} and {right:?}")).at(at, "they do not fit")
}

pub fn ragged(at: Span) -> Diagnostic {
    Diagnostic::error("E1004", "the items of a list differ in shape")
        .at(at, "in this list")
        .help("give all items the same extents; sequences of different lengths are applied one at a time")
}

pub fn argument(name: &str, wanted: &str, found: &[usize], at: Span) -> Diagnostic {
    Diagnostic::error("E1004", format!("`{name}` is {wanted}, this has shape {found:?}"))
        .at(at, "given here")
        .help("lists nest: positions along each axis first, then the value at one; of several starts the newest is first")
}

pub fn range(at: Span, what: &str) -> Diagnostic {
    Diagnostic::error("E1004", what.to_string()).at(at, "here")
}

pub fn no_argument(name: &str, title: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E1005", format!("`{title}` has no input or initial state `{name}`"))
        .at(at, "given here")
}

pub fn too_many(title: &str, wanted: usize, at: Span) -> Diagnostic {
    Diagnostic::error("E1005", format!("`{title}` has {wanted} inputs")).at(at, "one too many")
}

pub fn missing(name: &str, title: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E1005", format!("`{title}` misses its input `{name}`"))
        .at(at, "applied here")
        .help(format!("give it by position or by name, `{name} = …`"))
}

pub fn no_parameter(path: &str, title: &str, known: &[String], at: Span) -> Diagnostic {
    let error = Diagnostic::error("E1006", format!("`{title}` has no parameter `{path}`")).at(at, "set here");
    if known.is_empty() { error } else { error.help(format!("it has {}", known.join(", "))) }
}

pub fn plain_value(title: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E1005", format!("`{title}` carries a state, so it wants a sequence"))
        .at(at, "this is one value")
        .help("a sequence is a list of values, `[[1, 2], [3, 4]]`; one step is `C(I, H)(x, prev h = a)`")
}

pub fn several_before(name: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E1005", format!("`{name}` is read more than one point back"))
        .at(at, "`prev` gives one point")
        .help("apply the cell to a sequence, with its values before the first point as `NAME0`")
}

pub fn target_count(wanted: usize, found: usize, at: Span) -> Diagnostic {
    Diagnostic::error("E1004", format!("{wanted} names for {found} values")).at(at, "this equation")
}

pub fn braces_alone(written: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E1003", format!("`{written}` is several values"))
        .at(at, "here")
        .help("braces stand in equations whose left side has braces of as many words")
}

pub fn evaluation(what: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E1007", format!("it cannot be evaluated: {what}")).at(at, "here")
}

pub fn no_tree(title: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E1005", format!("`{title}` takes no tree")).at(at, "a tree is given here")
}

pub fn tree_wanted(name: &str, title: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E1005", format!("`{name}` of `{title}` lives on the nodes of a tree"))
        .at(at, "this is no tree")
        .help("write one as `node(leaf([1]), leaf([2]), x = [3])`")
}

pub fn setting(name: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E1008", format!("a check has no setting `{name}`"))
        .at(at, "here")
        .help("there are `steps = n` and `batch = n`")
}

pub fn setting_value(name: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E1008", format!("`{name}` is a whole number from 1 to 1000")).at(at, "here")
}

/// A slope that differs.
pub struct Wrong {
    pub array: String,
    /// The element along which it is; none of a random direction through all.
    pub index: Option<Vec<usize>>,
    pub derived: f64,
    pub measured: f64,
    pub relative: f64,
}

pub fn gradient(at: Span, wrong: &Wrong) -> Diagnostic {
    let Wrong { array, index, derived, measured, relative } = wrong;
    let place = index.as_ref().map_or("along a random direction".into(), |index| format!("at {index:?}"));
    Diagnostic::error("E1010", format!("the derived gradient of `{array}` is wrong")).at(
        at,
        format!("{place}: derived {derived:.10e}, central difference {measured:.10e}, relative error {relative:.1e}"),
    )
}

pub fn no_smooth_point(at: Span, attempts: usize) -> Diagnostic {
    Diagnostic::error("E1011", format!("none of {attempts} random points is away from every kink"))
        .at(at, "this check")
        .help("comparisons, `relu`, `abs`, `max` and `min` are tied or nearly tied at every point tried, or so near that rounding decides")
}

pub fn not_finite(at: Span, attempts: usize) -> Diagnostic {
    Diagnostic::error("E1011", format!("at none of {attempts} random points all values are finite"))
        .at(at, "this check")
}

pub fn nothing_to_check(at: Span) -> Diagnostic {
    Diagnostic::error("E1011", "there is no gradient to check")
        .at(at, "no real input, parameter or initial state")
}

pub fn simplified(at: Span, name: &str, error: f64) -> Diagnostic {
    Diagnostic::error("E1012", format!("`{name}` is not the same after simplification"))
        .at(at, format!("relative error {error:.1e}"))
        .with_note("this is a mistake in rnnc; please report it with the file")
}

pub fn kernels(at: Span, name: &str, error: f64, bound: f64) -> Diagnostic {
    Diagnostic::error("E1013", format!("the compiled `{name}` is not accurate"))
        .at(at, format!("error {error:.2e} in f32, at most {bound:.2e} is rounding"))
        .with_note("this is a mistake in rnnc; please report it with the file")
}

pub fn no_kernels(at: Span, name: &str) -> Diagnostic {
    Diagnostic::error("E1013", format!("the compiled program does not give `{name}` in its shape"))
        .at(at, "of this")
        .with_note("this is a mistake in rnnc; please report it with the file")
}

pub fn weights_setting(name: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E1018", format!("`{name}` cannot be this")).at(at, "here").help(
        "`file` names the arrays, `tolerance` is a number; what the file calls an array is a string, `x = \"input\"`, and what stands for \
         a word in braces a whole number, `n = 1`",
    )
}

pub fn no_weights_file(at: Span) -> Diagnostic {
    Diagnostic::error("E1018", "this check names no file")
        .at(at, "against which arrays?")
        .help("add `file = \"weights.npz\"`, with the weights, what the layer was given and what came out")
}

pub fn no_weights(file: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E1018", format!("`{file}` was not read")).at(at, "this file")
}

pub fn open_weights(cell: &str, open: &[std::sync::Arc<str>], at: Span) -> Diagnostic {
    Diagnostic::error("E1018", format!("`{cell}` has no sizes yet: {} open", open.join(", ")))
        .at(at, "this recipe")
        .help("write numbers for dimensions")
}

pub fn weights_left_open(cell: &str, open: &[String], at: Span) -> Diagnostic {
    Diagnostic::error(
        "E1018",
        format!("with these options the layout leaves open {} of `{cell}`", open.join(", ")),
    )
    .at(at, "this recipe")
    .help("name the options for which the layout is written")
}

pub fn weights_unread(array: &str, file: &str, place: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E1018", format!("the layout reads a part of `{array}` of `{file}` only"))
        .at(at, format!("{place} and what follows is read by no line"))
        .help("each element of a foreign array belongs to a line: add one, or widen a range")
}

pub fn weights_name(name: &str, cell: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E1018", format!("`{cell}` has no input or output `{name}`")).at(at, "named here")
}

pub fn no_tree_weights(extent: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E1018", format!("this cell lives on a tree (`{extent}`)"))
        .at(at, "this recipe")
        .help("weights are checked on chains and grids; a tree's results can be expected in a `test`")
}

pub fn nothing_compared<'a>(file: &str, ours: impl Iterator<Item = &'a String>, at: Span) -> Diagnostic {
    let ours: Vec<String> = ours.map(|n| format!("`{n}`")).collect();
    Diagnostic::error("E1018", format!("`{file}` has no output to compare with"))
        .at(at, format!("it gives {}", ours.join(", ")))
        .help("say what the file calls one of them: `h = \"output\"`")
}

pub fn other_numbers(
    name: &str,
    place: &str,
    ours: f64,
    theirs: f64,
    tolerance: f64,
    at: Span,
) -> Diagnostic {
    Diagnostic::error("E1019", format!("with these weights `{name}` is another value"))
        .at(at, format!("at {place}: {ours:.7} here, {theirs:.7} in the file, allowed {tolerance:.0e}"))
        .help("a gate in another order, or an option of the cell that is another one, gives other numbers")
}
