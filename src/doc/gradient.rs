//! The gradient of a cell as a page: its equations, and beside each the derived ones it gives rise to.

use super::formula::{self, formula};
use super::frame;
use crate::dataflow::{Dataflow, svg};
use crate::eqn::flops::{Count, Flops};
use crate::grad::print::reading::{Head, Pair, Reading};
use crate::typeset::{Notation, latex};
use maud::{Markup, PreEscaped, html};

/// A page with everything in it. `text`: the derived equations as the tool prints them.
pub fn gradient_page(reading: &Reading, flow: &Dataflow, text: &str) -> String {
    let body = html! {
        main {
            h1 { "The gradient of " code { (reading.title) } }
            p { (legend(reading)) }
            p class="pale" { "Point at a name, or tap it, to see where it is defined and used." }
            h2 id="cost" { "Cost" }
            (costs(reading))
            h2 id="pairs" { "Each equation and what it gives rise to" }
            (pairs(reading))
            h2 id="flow" { "What flows where" }
            (picture(flow, "flow-picture"))
            h2 id="system" { "All derived equations" }
            (system(reading))
            (texts(reading, text))
        }
    };
    frame::alone(&format!("The gradient of {}", reading.title), body)
}

/// The dataflow as a picture in a box of its own.
pub fn picture(flow: &Dataflow, id: &str) -> Markup {
    html! {
        @if !flow.nodes.is_empty() {
            div class="picture" { (PreEscaped(svg::svg(flow, id))) }
            p class="pale" {
                "From what comes in, at the top, to what goes out. A broken line is a value of another point. Below a name stand "
                "the parameters that only it reads."
            }
        }
    }
}

/// What the marks mean, only those that occur.
pub fn legend(reading: &Reading) -> Markup {
    let shown = |name: &str| formula::math(&reading.notation.name(name));
    let plain = |name: &&str| !name.contains("_pre_") && !name.starts_with("part") && !name.contains("_read");
    let mut names =
        reading.adjoint.iter().filter_map(|e| e.name.strip_suffix("_adj").map(|_| e.name.as_str()));
    let example = names.find(plain).and_then(|adj| Some((adj, adj.strip_suffix("_adj")?)));
    let is_used = |what: &str| reading.adjoint.iter().any(|e| mentions(&e.equation.value, what));
    let is_tree = reading.point == "node";
    html! {
        @if let Some((adjoint, name)) = example {
            (shown(adjoint)) " is the derivative of the loss by " (shown(name)) ". "
        }
        @if reading.adjoint.iter().any(|e| e.name.contains("_pre")) {
            "A bar with " i { "pre" } " belongs to what stands inside the function of an equation. "
        }
        @if is_used("_out_adj") { "One with " i { "out" } " arrives from outside. " }
        @if is_tree {
            i { "next" } " is the parent, " i { "prev" } " a child. "
        }
        @if reading.point == "step" { "What a value is read for at the next step comes back as a term of that step." }
    }
}

fn mentions(e: &crate::syntax::ast::Expr, what: &str) -> bool {
    use crate::syntax::ast::ExprKind;
    if let ExprKind::Name(p) = &e.kind {
        return p.written.contains(what);
    }
    let mut found = false;
    crate::syntax::visit::children(e, &mut |child| found |= mentions(child, what));
    found
}

pub fn costs(reading: &Reading) -> Markup {
    let point = if reading.point.is_empty() { "example" } else { reading.point };
    let row = |what: &str, flops: &Flops| {
        html! {
            tr {
                th scope="row" { (what) }
                td { (formula::count(&flops.each.arithmetic)) }
                td { (formula::count(&flops.each.functions)) }
            }
        }
    };
    let once = |what: &str, flops: &Flops| match formula::work(&flops.once) {
        Some(work) if !reading.point.is_empty() => {
            html! { p { (what) ", once for an example: " (work) "." } }
        }
        _ => html! {},
    };
    let (forward, backward) = match reading.point {
        "" => (of_example(&reading.forward_flops), of_example(&reading.backward_flops)),
        _ => (reading.forward_flops.clone(), reading.backward_flops.clone()),
    };
    html! {
        div class="wide" {
            table {
                thead { tr { th {} th scope="col" { "flops a " (point) } th scope="col" { "functions a " (point) } } }
                tbody { (row("forward", &forward)) (row("backward", &backward)) }
            }
        }
        (once("Forward", &reading.forward_flops))
        (once("Backward", &reading.backward_flops))
        p class="pale" {
            "Counted as compiled, each value once: two flops for each multiply-add of a product, one for each other "
            "arithmetic operation, comparison or choice on a number. Functions (exp, tanh, σ, sqrt, …) are counted apart. "
            "Below each equation stands what it would cost alone, as it is written."
        }
    }
}

/// For what has no points, everything is done once.
fn of_example(flops: &Flops) -> Flops {
    let sum = |a: &Count, b: &Count| a.as_ref()?.add(b.as_ref()?).ok();
    let mut all = flops.clone();
    all.each.arithmetic = sum(&flops.each.arithmetic, &flops.once.arithmetic);
    all.each.functions = sum(&flops.each.functions, &flops.once.functions);
    all
}

pub fn pairs(reading: &Reading) -> Markup {
    html! {
        @for pair in &reading.pairs {
            div class="pair" {
                div { (head(reading, pair)) }
                div class="derived" {
                    @for i in &pair.adjoint {
                        @if let Some(e) = reading.adjoint.get(*i) { (formula::entry(e, &reading.notation, reading.point)) }
                    }
                }
            }
        }
        (starts(reading))
    }
}

fn head(reading: &Reading, pair: &Pair) -> Markup {
    match pair.head {
        Head::Forward(i) => match reading.forward.get(i) {
            Some(e) => formula::entry(e, &reading.notation, reading.point),
            None => html! {},
        },
        Head::Shared => html! { span class="pale" { "parameters that several equations read, or none" } },
        Head::Inputs => html! { span class="pale" { "inputs" } },
        Head::Parts => html! { span class="pale" { "parts that derived equations share" } },
    }
}

/// What states are before the first point.
fn starts(reading: &Reading) -> Markup {
    if reading.starts.is_empty() {
        return html! {};
    }
    let shown = reading.starts.iter().map(|(name, value)| {
        let plain = Notation::default().name(name);
        html! { (formula::math(&plain)) " is " (formula::math(&reading.notation.expr(value))) }
    });
    let shown: Vec<Markup> = shown.collect();
    html! {
        p class="pale" {
            "Before the first point "
            @for (i, one) in shown.iter().enumerate() { @if i > 0 { ", " } (one) }
            "; an initial value that is not given is what its state declares."
        }
    }
}

pub fn system(reading: &Reading) -> Markup {
    html! {
        @for equation in &reading.system {
            div class="equation" { @for one in reading.notation.equation(equation) { (formula(&one)) } }
        }
    }
}

/// The same to copy.
pub fn texts(reading: &Reading, text: &str) -> Markup {
    let formulas: Vec<_> = reading.system.iter().flat_map(|e| reading.notation.equation(e)).collect();
    html! {
        details { summary { "As text" } pre { code { (text) } } }
        details { summary { "As LaTeX" } pre { code { (latex::aligned(&formulas)) } } }
    }
}
