//! Points, lags, states, order.

use crate::diag::{Diagnostic, Edit};
use crate::limits;
use crate::shape::{Dim, Shape, show_shape};
use crate::source::Span;

/// `old`: how the old value is written, if the name has one.
pub fn cycle(path: &[String], places: &[Span], old: Option<String>, at: Span) -> Diagnostic {
    let route = path.join(" → ");
    let first = path.first().cloned().unwrap_or_default();
    let message = match path {
        [_, _] => format!("`{first}` at this point depends on itself: {route}"),
        path => {
            let mut names: Vec<&str> =
                path[..path.len().saturating_sub(1)].iter().map(String::as_str).collect();
            names.dedup();
            format!("the equations {} form a cycle at one point: {route}", names.join(", "))
        }
    };
    let mut d = Diagnostic::error("E0401", message).at(at, "read at this point here");
    for place in places.iter().take(6) {
        d = d.at(*place, "on the way");
    }
    match old {
        Some(old) => d.fix(format!("for the old value write `{old}`"), at, old),
        None => d.help("one of them wants an old value of another: of a `state`, as `h[t-1]`"),
    }
}

pub fn override_reads_itself(name: &str, places: &[Span], at: Span) -> Diagnostic {
    let path = [name.to_string(), name.to_string()];
    cycle(&path, places, None, at).help(format!(
        "in a `with` block `{name}` is already the new value: write out what the base has, or leave the line out"
    ))
}

/// `before`: where a declaration may stand.
pub fn not_a_state(
    name: &str,
    shape: Option<Shape>,
    equation: Option<Span>,
    before: Option<Span>,
    at: Span,
) -> Diagnostic {
    let shown = shape.as_ref().map_or("[…]".to_string(), |s| show_shape(s));
    let d = Diagnostic::error(
        "E0402",
        format!("`{name}` is read at another step but has no value outside the sequence"),
    )
    .at(at, "read here")
    .at_some(equation, "its equation");
    let declaration = format!("state {name} : {shown} = 0");
    let title = format!("declare `{declaration}`");
    match before.filter(|_| shape.is_some()) {
        Some(before) => {
            d.fix("declare it a state", Span { end: before.start, ..before }, format!("{declaration}\n  "))
        }
        None => d.help(title),
    }
}

pub fn not_a_state_value(at: Span) -> Diagnostic {
    Diagnostic::error("E0402", "only states and inputs are read at another step")
        .at(at, "this is neither")
        .help("give the value an equation and declare it as a state, or use `shift`")
}

pub fn no_steps(name: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E0403", format!("`{name}` is the same at every step, so it has no earlier one"))
        .at(at, "read at an offset")
        .help("only states and inputs are read at another step")
}

/// `places`: reads that together lead back to where they began; where each leads, and how many times it is taken.
pub fn before_and_after(names: &[String], places: &[(Option<Span>, String, i64)]) -> Diagnostic {
    let name = names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(" and ");
    let (verb, itself) = if names.len() == 1 { ("is", "itself") } else { ("are", "themselves") };
    let mut d =
        Diagnostic::error("E0404", format!("{name} {verb} read before and after {itself}: no order exists"));
    for (span, leads, turns) in places {
        let times = if *turns == 1 { String::new() } else { format!(", taken {turns} times") };
        d = d.at_some(*span, format!("{leads}{times}"));
    }
    match places.iter().any(|(_, leads, _)| leads.starts_with("leads")) {
        true => d
            .help("split it into states that each lead one way")
            .with_note("one after the other these reads lead back to the point where they began"),
        false => d.help("split it into two states, one for each direction"),
    }
}

pub fn read_before_known(name: &str, at: Option<Span>) -> Diagnostic {
    Diagnostic::error("E0405", format!("`{name}` at other positions may not be known yet"))
        .at_some(at, "reads all positions")
        .help("only inputs and finished equations may be read at a position")
}

pub fn offset_not_constant(name: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E0406", "an offset must be known before the program runs")
        .at(at, "not a constant offset")
        .help(format!("write `{name}-1`, `{name}+2` or a number given by a static index"))
}

pub fn lag_too_great(lag: i64, limit: u32, at: Span) -> Diagnostic {
    Diagnostic::error("E0924", format!("a lag of {}; the limit is {limit}", lag.unsigned_abs()))
        .at(at, "here")
        .help(format!(
            "carry what is needed from so far back in a state, or keep the values as a `mem` and read a position; {}",
            limits::raise(limits::LAG)
        ))
}

/// `bracket`: from the end of the name on.
pub fn offset_at_side(at: Span, bracket: Span) -> Diagnostic {
    Diagnostic::error("E0407", "in an `at` block a name already means the point before the first")
        .at(at, "read at an offset")
        .fix("leave the bracket out", bracket, "")
}

/// `other`: an equation of a name that may be meant, as `h_t` is.
pub fn state_without_equation(
    name: &str,
    declared: Span,
    at: Span,
    other: Option<(&str, Span)>,
) -> Diagnostic {
    let d = Diagnostic::error("E0408", format!("state `{name}` has no equation"))
        .at(declared, "declared here")
        .at(at, "read here");
    match other {
        Some((other, place)) => d.at(place, "this is another name").fix(
            format!("`{name}` is its value at this step; is `{other}` meant to be it?"),
            place,
            name,
        ),
        None => d.help(format!("add `{name} = …`")),
    }
}

/// `ty`: its shape as it is declared.
pub fn no_start(
    name: &str,
    var: Option<&str>,
    declared: Span,
    at: Option<Span>,
    ty: Option<Span>,
) -> Diagnostic {
    let var = var.unwrap_or("t");
    let d = Diagnostic::error("E0409", format!("`{name}` has no value before the first step"))
        .at(declared, "declared without one")
        .at_some(at, "and none is given here")
        .help(format!("`= 0`, `at {var} = 0 {{ {name} = … }}`, or `{name}0 = …` in the call"));
    match ty {
        Some(ty) => d.fix("begin with zeros", behind(ty), " = 0"),
        None => d,
    }
}

fn behind(span: Span) -> Span {
    Span { start: span.end, ..span }
}

/// `ty`: its shape as it is declared; `rows`: the first extent of a matrix.
pub fn param_without_value(name: &str, at: Span, ty: Span, rows: Option<String>) -> Diagnostic {
    let d = Diagnostic::error("E0410", format!("`{name}` has no initial value")).at(at, "declared here");
    let zeros = |d: Diagnostic| d.fix("begin with zeros", behind(ty), " = 0");
    match rows {
        Some(rows) => zeros(d.fix("draw it at random", behind(ty), format!(" ~ uniform(1/sqrt({rows}))"))),
        None => zeros(d),
    }
}

pub fn boundary_varies(at: Span) -> Diagnostic {
    Diagnostic::error("E0411", "a value before the first step must not depend on the step")
        .at(at, "differs from step to step")
        .help("it may use parameters, memories and numbers")
}

pub fn boundary_shape(want: &[Dim], got: &[Dim], at: Span) -> Diagnostic {
    let (w, g) = (show_shape(want), show_shape(got));
    Diagnostic::error("E0411", format!("the state is {w}, its value before the first step is {g}")).at(at, g)
}

pub fn no_chain(title: &str, at: Option<Span>, read: Span) -> Diagnostic {
    Diagnostic::error("E0412", format!("{title} reads another step, but there is no sequence to step along"))
        .at_some(at, "applied to a value without steps")
        .at(read, "read here")
        .help("apply it to a sequence, or give one step's predecessors: `prev h = …`")
}

/// `stands`: what may stand in its place, if the place is that of the edge.
pub fn no_edge(edge: &str, var: Option<&str>, at: Span, stands: Option<String>) -> Diagnostic {
    match var {
        Some(var) => {
            let d = Diagnostic::error("E0413", format!("a chain has no edge `{edge}`")).at(at, "here");
            match stands {
                Some(new) => d.fix(format!("its earlier step is `h[{var}-1]`, or `h[prev {var}]`"), at, new),
                None => d.help(format!("its earlier step is `h[{var}-1]`, or `h[prev {var}]`")),
            }
        }
        None => {
            Diagnostic::error("E0413", format!("there are no steps here, so no edge `{edge}`")).at(at, "here")
        }
    }
}

pub fn chain_has_one_axis(at: Span) -> Diagnostic {
    Diagnostic::error("E0413", "a chain has one axis")
        .at(at, "here")
        .help("write `over chain(t)` or `seq<n>`")
}

pub fn extent_wants_range(var: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E0413", format!("the points of a chain are `{var} in 1..N`")).at(at, "here")
}

pub fn fixed_chain(n: u32, declared: Span, at: Span) -> Diagnostic {
    Diagnostic::error("E0414", format!("this cell has {n} steps of its own, but its input has other steps"))
        .at(at, "applied to a sequence")
        .at(declared, "the cell's steps")
        .help("give it as a `mem`, or leave the length out of `over chain(…)`")
}

pub fn two_domains(a: (&str, Span), b: (&str, Span), _at: Span) -> Diagnostic {
    Diagnostic::error("E0415", format!("positions of {} and {} cannot be joined", a.0, b.0))
        .at(a.1, format!("over {}", a.0))
        .at(b.1, format!("over {}", b.0))
        .help("only values of the same sequence meet; a reduction or `_last` gives one value for all")
}

pub fn wants_sequence(f: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E0416", format!("`{f}` wants a sequence"))
        .at(at, "one value")
        .help("whole sequences are what a layer works on: `layer L(x : seq<n> of [4]) { … }`")
}

/// Of a value over several axes, where one is meant.
pub fn sequence_of_grid(f: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E0416", format!("`{f}` wants a sequence")).at(at, "over several axes").help(
        "`flip(x, s)` turns axes of a grid, `flatten(x)` is its points row by row, and `x[i, j]` reads one",
    )
}

pub fn wants_sequence_input(name: &str, axes: usize, at: Span, declared: Span) -> Diagnostic {
    let what = if axes == 1 { "a sequence".to_string() } else { format!("a grid of {axes} axes") };
    Diagnostic::error("E0416", format!("`{name}` wants {what}"))
        .at(at, "one value")
        .at(declared, "declared here")
}

pub fn position_from_one(k: i64, at: Span) -> Diagnostic {
    let d = Diagnostic::error("E0417", format!("there is no position {k}")).at(at, "positions count from 1");
    match k {
        0 => d.fix("the first is 1", at, "1"),
        _ => d.help("the first is 1, the last of `chain(t in 1..T)` is `T`"),
    }
}

pub fn position_behind_last(k: i64, at: Span) -> Diagnostic {
    Diagnostic::error("E0417", format!("there is no position {k} behind the last"))
        .at(at, "behind the end")
        .help("what a state is there, its declaration says; read it at an offset from `t`")
}

pub fn no_such_reduction(at: Span) -> Diagnostic {
    Diagnostic::error("E0418", "an index of a reduction cannot be used like this")
        .at(at, "here")
        .help("an index reads components, `a[k]`, and what is built of them element by element")
}

pub fn generate_wants_in(name: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E0420", format!("`generate {name}` wants an `in` that something reads"))
        .at(at, "no such input")
}

pub fn generate_wants_out(name: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E0420", format!("`generate … from` wants an output, and `{name}` is none"))
        .at(at, "here")
        .help("add it to the `out`s")
}

/// `edits`: what shifts what is made of the input.
pub fn generate_sees(out: &str, dst: &str, at: Span, edits: Vec<Edit>) -> Diagnostic {
    Diagnostic::error("E0421", format!("`{out}` at t depends on `{dst}` at t, so it cannot generate it"))
        .at(at, "here")
        .help(format!("let the model read `shift(…, 1)` of what it makes of `{dst}`"))
        .fix_all(format!("shift what is made of `{dst}` by one step"), edits)
}

/// `edits`: what shifts what is made of the input.
pub fn already_seen(name: &str, goal: Option<Span>, at: Option<Span>, edits: Vec<Edit>) -> Diagnostic {
    let at = at.filter(|at| Some(*at) != goal);
    Diagnostic::warning("E0422", format!("the scores at t have already seen `{name}` at t"))
        .at_some(goal, "made of scores that know the answer")
        .at_some(at, "compared with it here")
        .help("`shift` the input by one")
        .fix_all(format!("shift what is made of `{name}` by one step"), edits)
}

/// `edits`: what leaves the inner one out.
pub fn softmax_twice(inner: Option<Span>, outer: Option<Span>, edits: Vec<Edit>) -> Diagnostic {
    Diagnostic::warning("E0423", "a softmax of a softmax: what takes scores applies softmax itself")
        .at_some(inner, "this softmax")
        .at_some(outer, "goes into another")
        .help("give it the scores")
        .fix_all("give it the scores", edits)
}
