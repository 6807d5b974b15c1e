//! Simplification: what it rewrites, and that it changes no value.

use crate::support::eqn::{bindings, random_batch, random_graph};
use proptest::prelude::*;
use rnnc::eqn::eval::{Evaluator, eval};
use rnnc::eqn::*;
use rnnc::eqn::{parse::parse, print::print, verify::verify};
use rnnc::grad::{Options, differentiate};
use rnnc::simplify::simplify;

/// The same graph with every real node as an output.
fn all_outputs(graph: &Graph) -> Graph {
    let mut all = graph.clone();
    for id in graph.node_ids() {
        all.output(format!("node {}", id.0), id);
    }
    all
}

fn check_same(graph: &Graph, seed: u64) -> Result<bool, TestCaseError> {
    let bound = graph.bind(&bindings()).unwrap();
    let batch = random_batch(&bound, seed);
    let Ok(evaluator) = Evaluator::new(&bound) else { return Ok(false) };
    // Not every system that is drawn has a solution.
    let Ok(before) = evaluator.run(&batch) else { return Ok(false) };
    // Infinite and NaN intermediate values may differ, as documented; such samples say nothing.
    let all = match eval(&all_outputs(&bound), &batch) {
        Ok(all) => all,
        Err(_) => return Ok(false),
    };
    if all.values().flatten().any(|v| !v.is_finite()) {
        return Ok(false);
    }
    for simple in [simplify(graph).bind(&bindings()).unwrap(), simplify(&bound)] {
        prop_assert_eq!(verify(&simple), Ok(()));
        let after = eval(&simple, &batch).map_err(TestCaseError::fail)?;
        for (name, a) in &before {
            let b = &after[name];
            prop_assert_eq!(a.shape(), b.shape(), "{}", name);
            let near = |(x, y): (&f64, &f64)| (x - y).abs() <= 1e-9 * x.abs().max(1.0);
            prop_assert!(a.iter().zip(b).all(near), "{}\n{}\n{}", name, print(&bound), print(&simple));
        }
    }
    Ok(true)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_value_changes(seed in any::<u64>()) {
        check_same(&random_graph(seed), seed)?;
    }

    #[test]
    fn no_value_of_an_adjoint_changes(seed in any::<u64>()) {
        if let Ok(joint) = differentiate(&random_graph(seed), &Options::default()) {
            check_same(&joint, seed)?;
        }
    }

    #[test]
    fn what_is_simple_stays_as_it_is(seed in any::<u64>()) {
        let once = simplify(&random_graph(seed));
        prop_assert_eq!(print(&simplify(&once)), print(&once));
    }
}

#[test]
fn enough_samples_are_compared() {
    let compared = (0..100).filter(|seed| check_same(&random_graph(*seed), *seed).unwrap()).count();
    assert!(compared > 30, "{compared}");
}

/// Lines of the simplified graph from the first node on; `x`, `y`, `v`, `w` are inputs over `n`.
fn simple(body: &str) -> Vec<String> {
    let text = format!(
        "domain n : t
source x : [H] over n = input
source y : [H] over n = input
source v : [] over n = input
source w : [H, I] shared = param = 0.0
x : [H] over n = source(x)
y : [H] over n = source(y)
v : [] over n = source(v)
w : [H, I] shared = source(w)
zero : [] shared = const(0.0)
%one : [] shared = const(1.0)
zeros : [H] shared = spread(zero)
{body}"
    )
    .replace("%one", "%1");
    let graph = parse(&text).unwrap_or_else(|e| panic!("{}", e.message));
    let text = print(&simplify(&graph));
    let is_node = |l: &&str| {
        !["graph", "domain", "source", "state"].iter().any(|w| l.starts_with(w)) && !l.contains("= source(")
    };
    text.lines().filter(is_node).map(String::from).collect()
}

#[test]
fn neutral_elements_go() {
    assert_eq!(simple("a : [H] over n = add(x, zeros)\nout a = a"), ["out a = x"]);
    assert_eq!(simple("a : [H] over n = mul(%1, x)\nout a = a"), ["out a = x"]);
    assert_eq!(simple("a : [H] over n = div(x, %1)\nout a = a"), ["out a = x"]);
    assert_eq!(simple("a : [H] over n = pow(x, %1)\nout a = a"), ["out a = x"]);
    assert_eq!(simple("a : [H] over n = sub(zero, x)\nout a = a"), ["a : [H] over n = neg(x)", "out a = a"]);
}

#[test]
fn a_structural_zero_takes_everything_with_it() {
    let body = "a : [H] over n = mul(x, zeros)
b : [H] over n = mul_zero(a, y)
c : [H, H] over n = outer(b, x)
d : [H, H] shared = sum_over(c)
e : [H] over n = add(y, b)
out d = d
out e = e";
    assert_eq!(
        simple(body),
        ["zero : [] shared = const(0.0)", "%2 : [H, H] shared = spread(zero)", "out d = %2", "out e = y"]
    );
}

#[test]
fn signs_move_out() {
    let body = "%2 : [H] over n = neg(x)\na : [H] over n = add(y, %2)\nout a = a";
    assert_eq!(simple(body), ["a : [H] over n = sub(y, x)", "out a = a"]);
    let body = "%2 : [H] over n = neg(x)\n%3 : [H] over n = neg(y)\na : [H] over n = mul(%2, %3)\nout a = a";
    assert_eq!(simple(body), ["a : [H] over n = mul(x, y)", "out a = a"]);
    let body = "%2 : [H] over n = neg(x)\na : [H] shared = sum_over(%2)\nout a = a";
    assert_eq!(simple(body), ["%1 : [H] shared = sum_over(x)", "a : [H] shared = neg(%1)", "out a = a"]);
}

#[test]
fn what_the_author_named_is_still_read_by_name() {
    let body = "minus : [H] over n = neg(x)\na : [H] over n = add(y, minus)\nout a = a\nout m = minus";
    assert_eq!(
        simple(body),
        ["minus : [H] over n = neg(x)", "a : [H] over n = add(y, minus)", "out a = a", "out m = minus"]
    );
    // Sums are not regrouped, products not reordered.
    let body = "a : [H] over n = add(x, y)\nb : [H] over n = add(y, x)\nout a = a\nout b = b";
    assert_eq!(simple(body).len(), 4);
}

#[test]
fn the_same_is_computed_once_under_the_first_name() {
    let body = "a : [H] over n = tanh(x)\nb : [H] over n = tanh(x)\nc : [H] over n = mul(a, b)\nout c = c";
    assert_eq!(simple(body), ["a : [H] over n = tanh(x)", "c : [H] over n = mul(a, a)", "out c = c"]);
}

#[test]
fn constants_are_folded_and_choices_made() {
    let body = "p : [] shared = exp(zero)
two : [] shared = add(p, %1)
c : [] bool shared = lt(%1, two)
a : [H] over n = select(c, x, y)
b : [H] over n = mul(a, two)
out b = b";
    let want = ["%1 : [] shared = const(2.0)", "b : [H] over n = mul(x, %1)", "out b = b"];
    let got = simple(body);
    assert_eq!(got.len(), want.len(), "{got:?}");
    assert!(got[0].ends_with("const(2.0)") && got[1].starts_with("b : [H] over n = mul(x, "), "{got:?}");
}

#[test]
fn parts_and_joins_meet() {
    let body = "j : [2*H] over n = concat(x, y)\na : [H] over n = slice(j, H)\nout a = a";
    assert_eq!(simple(body), ["out a = y"]);
    let body = "a : [1, I] shared = slice(w, 0)\nb : [H - 1, I] shared = slice(w, 1)
c : [H, I] shared = concat(a, b)\nout c = c";
    assert_eq!(simple(body), ["out c = w"]);
    let body = "t : [I, H] shared = transpose(w)\nu : [H, I] shared = transpose(t)\nout u = u";
    assert_eq!(simple(body), ["out u = w"]);
}

#[test]
fn a_product_with_care_for_zero_is_kept_only_where_it_matters() {
    let body = "s : [H] over n = sigmoid(y)\na : [H] over n = mul_zero(x, s)\nout a = a";
    assert!(simple(body)[1].contains("= mul(x, s)"));
    let body = "s : [H] over n = log(y)\na : [H] over n = mul_zero(x, s)\nout a = a";
    assert!(simple(body)[1].contains("= mul_zero(x, s)"));
}

#[test]
fn states_and_sources_exist_by_need() {
    let text = "domain n : t
source x : [] over n = input
source u : [] shared = param = 1.0
source h0 : [] each = initial h default 0.0
source a_adj : [] over n = cotangent
state h : [] over n = h init h0
state s : [] over n = x init zero
state r : [] over n = x init zero
state z : [] over n = zero init zero
x : [] over n = source(x)
u : [] shared = source(u)
h0 : [] each = source(h0)
zero : [] shared = const(0.0)
p : [] over n = lag(h, -1)
%1 : [] over n = mul(p, u)
h : [] over n = add(%1, x)
%2 : [] over n = lag(s, -1)
%3 : [] over n = lag(r, -1)
%4 : [] over n = lag(z, 1)
%5 : [] over n = add(%3, %4)
a : [] over n = add(%2, %5)
out a = a
";
    let graph = simplify(&parse(text).unwrap());
    let names: Vec<&str> = graph.sources.iter().map(|s| &*s.name).collect();
    assert_eq!(names, ["x", "a_adj"]);
    assert_eq!(graph.states.len(), 1);
    assert!(print(&graph).contains("a : [] over n = add(%2, %2)"), "{}", print(&graph));
}

#[test]
fn outputs_keep_their_level() {
    let body = "a : [H] over n = mul(x, zero)\nb : [H] each = sum_over(a)\nout a = a\nout b = b";
    let text = simple(body).join("\n");
    assert!(text.contains("[H] over n = spread"), "{text}");
    // The sum of one number over n points is n times the number.
    let body = "%2 : [H] over n = mul(x, zero)\n%3 : [H] over n = add(%2, %1)
a : [H] each = sum_over(%3)\nout a = a";
    let text = simple(body).join("\n");
    assert!(text.contains("length(n)") && !text.contains("sum_over"), "{text}");
}
