//! What is said of a number that went wrong.

use super::{Fault, Operand, Range, What};
use crate::diag::Diagnostic;
use std::fmt::Write;

/// `seen`: what showed it (`the output `y` is not finite`); `entry`: the batch entry, in words.
pub fn fault(code: &'static str, seen: &str, fault: &Fault, entry: Option<&str>) -> Diagnostic {
    let became = kind(&fault.result);
    let place = place(fault, entry);
    let name = &fault.equation;
    let (what, label) = match (&fault.what, fault.in_gradient) {
        (What::Given(kind), _) => {
            (format!("the {kind} `{name}` holds {became}{place}"), "declared here".to_string())
        }
        (What::Operation(op), false) => (
            format!("`{name}` becomes {became}{place}"),
            format!("{} first comes out of this {}", noun(became), written(op)),
        ),
        (What::Operation(_), true) => (
            format!("in the gradient `{name}` becomes {became}{place}"),
            format!("{} first comes up in the gradient of this", noun(became)),
        ),
    };
    let mut d = Diagnostic::error(code, format!("{seen}: {what}")).at_some(fault.span, label);
    if !fault.in_gradient {
        for operand in fault.operands.iter().filter(|o| o.name.is_none() && o.span != fault.span) {
            d = d.at_some(operand.span, range(&operand.range));
        }
    }
    let d = d.with_note(numbers(fault));
    match hint(fault) {
        Some(hint) => d.help(hint),
        None => d,
    }
}

/// Kernels gave what an evaluation equation by equation does not.
pub fn unseen(code: &'static str, seen: &str) -> Diagnostic {
    Diagnostic::error(code, format!("{seen}, and equation by equation all of it is finite")).help(
        "a number is near the limit of what 32 bits hold, and the order of additions decides; look at the greatest values \
         with `rnnc look`, or compute in 64 bits with `rnnc run --f64`",
    )
}

/// The run cannot be looked into.
pub fn blind(code: &'static str, seen: &str, why: &str) -> Diagnostic {
    Diagnostic::error(code, format!("{seen}, and where it went wrong cannot be found: {why}"))
        .help("a smaller batch or shorter sequences take less memory to look into")
}

fn kind(range: &Range) -> &'static str {
    match (range.nan, range.infinite) {
        (0, 0) => "too great",
        (0, _) => "infinite",
        (_, 0) => "NaN",
        _ => "NaN and infinite",
    }
}

fn noun(kind: &str) -> &str {
    if kind == "infinite" { "an infinity" } else { kind }
}

/// An operation as an author writes it.
fn written(op: &str) -> String {
    let sign = match op {
        "add" => "+",
        "sub" | "neg" => "−",
        "mul" | "mul_zero" | "outer" => "⊙",
        "div" => "/",
        "pow" => "^",
        "matmul" => "@",
        "reduce_sum" | "sum_over" => "∑",
        "reduce_prod" => "∏",
        "select" => "if",
        "const" | "literal" | "spread" => return "number".to_string(),
        other => other,
    };
    format!("`{sign}`")
}

/// ` at t = 3, batch entry 2`
fn place(fault: &Fault, entry: Option<&str>) -> String {
    let mut parts: Vec<String> = fault.place.iter().map(|(var, at)| format!("{var} = {at}")).collect();
    if fault.entry.is_some() {
        parts.extend(entry.map(str::to_string));
    }
    if parts.is_empty() { String::new() } else { format!(" at {}", parts.join(", ")) }
}

/// `4 numbers from 0.1 to 3`
fn range(range: &Range) -> String {
    let shown = |x: f64| format!("{}", Short(x));
    let finite = range.count - range.nan - range.infinite;
    let numbers = match (finite, range.least == range.greatest) {
        (0, _) => None,
        (1, _) => Some(format!("1 number, {}", shown(range.least))),
        (n, true) => Some(format!("{n} times {}", shown(range.least))),
        (n, false) => Some(format!("{n} numbers from {} to {}", shown(range.least), shown(range.greatest))),
    };
    let count = |n: usize, what: &str| (n > 0).then(|| format!("{n} {what}"));
    let parts = [numbers, count(range.nan, "NaN"), count(range.infinite, "infinite")];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// A number of four digits.
struct Short(f64);

impl std::fmt::Display for Short {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        match self.0.abs() {
            x if x == 0.0 || (1e-3..1e5).contains(&x) => {
                let digits = if x >= 1.0 { 3usize.saturating_sub(x.log10() as usize) } else { 5 };
                let text = format!("{:.digits$}", self.0);
                let short =
                    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
                f.write_str(short)
            }
            _ => write!(f, "{:.3e}", self.0),
        }
    }
}

fn numbers(fault: &Fault) -> String {
    let mut text = String::new();
    let name = |o: &Operand| o.name.as_ref().map_or("a part of it".to_string(), |name| format!("`{name}`"));
    // Writing to a string cannot fail.
    if !fault.operands.is_empty() {
        let _ = writeln!(text, "it was made of");
        fault.operands.iter().for_each(|o| {
            let _ = writeln!(text, "  {}: {}", name(o), range(&o.range));
        });
    }
    let whole = if matches!(fault.what, What::Given(_)) { "it holds" } else { "and is" };
    let _ = write!(text, "{whole} {}; seen in `{}`", range(&fault.result), fault.output);
    text
}

/// What helps against it.
fn hint(fault: &Fault) -> Option<&'static str> {
    let What::Operation(op) = fault.what else { return None };
    let read = |of: fn(&Range) -> bool| fault.operands.iter().any(|o| of(&o.range));
    if read(|range| range.infinite > 0) {
        return Some(
            "∞ − ∞, 0 ⊙ ∞ and a softmax of nothing but −∞ are NaN: where all is masked, choose another value with \
             `if … then … else …`",
        );
    }
    Some(match (op, fault.in_gradient) {
        ("exp", _) => {
            "exp of more than 88 is beyond 32 bits: `softmax`, `logsumexp`, `log_sigmoid` and `softplus` avoid it; or bound what \
             goes in, `exp(min(x, 50))`"
        }
        ("log", false) => "log is infinite at 0 and NaN below: keep away from 0, `log(max(x, 1e-6))`",
        ("sqrt", false) => "sqrt is NaN below 0, and its slope infinite at 0: `sqrt(max(x, 1e-6))`",
        ("div" | "mod", false) => "keep what is divided by away from 0: `a / (b + 1e-6)`",
        ("pow", false) => "a power of 0 or less is NaN or infinite for many exponents: `max(x, 1e-6)^p`",
        (_, true) => {
            "a slope is infinite here, as those of log, sqrt and division are at 0: keep away from 0 in the equation; against \
             gradients that grow from step to step help `clip`, and `rnnc flow` shows them"
        }
        _ => {
            "numbers grew beyond 3.4e38: smaller weights, a gate or a normalisation keep a state within bounds; `rnnc flow` \
             shows how fast it grows"
        }
    })
}
