//! Gradients as recipes: compiled, run, differentiated again, against the interpreter in 64 bits; their names; and everything of it
//! in 64 bits.

use crate::support::api;
use crate::support::api::{cotangents, difference, everything, reals, shaken, wide};
use crate::support::chain::CELLS;
use ndarray::{Array1, Array3, ArrayD, IxDyn, array};
use rnnc::api::{Arrays, Compiled, Error, Library, Options, Outputs, Recipe};

/// Rounding of 32 bits through two derivatives.
const TOLERANCE: f64 = 5e-5;
const FACTOR: f32 = 1.0 + f32::EPSILON;

fn recipe(text: &str) -> Recipe {
    let library = Library::standard().unwrap();
    let open = library.recipe(text).unwrap().dims();
    let options = Options { dims: open.into_iter().map(|d| (d, 5)).collect(), ..Options::default() };
    library.recipe_with(text, &options).unwrap()
}

fn compiled(recipe: &Recipe) -> Compiled {
    recipe.compile(&Options::default()).unwrap()
}

/// `shaken`: the same results for numbers that differ in their last digit. What that changes, rounding may.
fn close(title: &str, found: &Outputs, expected: &Outputs<f64>, shaken: impl FnOnce() -> Outputs<f64>) {
    assert_eq!(found.len(), expected.len(), "{title}");
    let far = |(name, array): (&str, ndarray::ArrayViewD<f64>)| {
        let found = found.get(name).unwrap_or_else(|| panic!("{title}: no `{name}`"));
        let difference = difference(found, &array.to_owned());
        (difference.is_nan() || difference >= TOLERANCE).then(|| (name.to_string(), difference))
    };
    let far: Vec<(String, f64)> = expected.iter().filter_map(far).collect();
    if far.is_empty() {
        return;
    }
    let shaken = shaken();
    for (name, difference) in far {
        let itself = api::difference(&expected[&name].mapv(|x| x as f32), &shaken[&name]);
        assert!(difference < 10.0 * itself, "{title}: `{name}` differs by {difference}, {itself} by itself");
    }
}

fn check(title: &str, cell: &Compiled, given: &Arrays, shaken: &Arrays) {
    let forward = cell.forward(given).unwrap();
    close(title, &forward, &cell.exact(given).unwrap(), || cell.exact(shaken).unwrap());
    let mut saved = cell.forward_saved(given).unwrap();
    assert!(saved.is_apart(), "{title}: forward and backward are one");
    let outputs = saved.outputs().unwrap();
    for salt in ["a", "b"] {
        let cotangents = cotangents(cell, &outputs, salt);
        let gradients = saved.backward(&cotangents).unwrap();
        let exact = cell.exact_gradient(given, &cotangents).unwrap();
        close(title, &gradients, &exact, || cell.exact_gradient(shaken, &cotangents).unwrap());
        assert_eq!(saved.outputs().unwrap(), outputs, "{title}");
    }
}

#[test]
fn every_chain_cell_has_a_second_derivative() {
    // Large ones take the interpreter long, and are no other equations.
    for text in CELLS.into_iter().filter(|c| !["70", "300"].iter().any(|n| c.contains(n))) {
        let adjoint = compiled(&recipe(text).adjoint(None).unwrap());
        let given = |steps, batch, factor| {
            let given = shaken(&adjoint, steps, batch, factor);
            // Time passes; backwards it would divide by what is nearly 0.
            match given.get("dt").is_some() {
                true => given.with("dt", reals("dt", &[steps, batch], 1.0).mapv(|x| x.abs() + 0.5)),
                false => given,
            }
        };
        let ragged = |factor| given(5, 3, factor).with("lengths", Array1::from(vec![5i64, 3, 0]));
        check(text, &adjoint, &ragged(1.0), &ragged(FACTOR));
        check(text, &adjoint, &given(4, 1, 1.0), &given(4, 1, FACTOR));
    }
}

#[test]
fn an_adjoint_gives_what_the_way_back_gives() {
    for text in ["GRU(5, 7)", "Stack(2, Bi(LSTM(_, 3)))", "Embed(5, 3)"] {
        let cell = recipe(text);
        let (plain, adjoint) = (compiled(&cell), compiled(&cell.adjoint(None).unwrap()));
        let lengths = Array1::from(vec![6i64, 2, 0]);
        let mut given = everything(&plain, 6, 3).with("lengths", lengths.clone());
        let mut saved = plain.forward_saved(&given).unwrap();
        let cotangents = cotangents(&plain, &saved.outputs().unwrap(), "");
        let gradients = saved.backward(&cotangents).unwrap();
        for name in cotangents.names() {
            given.set(name, cotangents.get(name).unwrap().clone());
        }
        let found = adjoint.forward(&given).unwrap();
        close(text, &found, &adjoint.exact(&given).unwrap(), || panic!("{text}"));
        assert_eq!(found.len(), gradients.len());
        for (name, array) in gradients.iter() {
            assert!(difference(&found[name], &array.mapv(f64::from)) < TOLERANCE, "{text}: `{name}`");
        }
    }
}

#[test]
fn grids_trees_and_layers_too() {
    for text in
        ["MDRNN(3, 4, D = 2)", "LeifertLSTM(3, 4)", "Bi(LSTM(5, 4))", "Stack(2, LSTM(_, 4))", "Dense(5, 3)"]
    {
        let adjoint = compiled(&recipe(text).adjoint(None).unwrap());
        check(text, &adjoint, &everything(&adjoint, 3, 2), &shaken(&adjoint, 3, 2, FACTOR));
    }
    let children =
        ArrayD::from_shape_vec(IxDyn(&[2, 3, 2]), vec![-1, -1, -1, -1, 0, 1, -1, -1, 0, -1, 1, -1]);
    let children: ArrayD<i64> = children.unwrap();
    let tree = compiled(&recipe("TreeLSTM(3, 4)").adjoint(None).unwrap());
    let given = |factor| shaken(&tree, 3, 2, factor).with("children", children.clone());
    check("TreeLSTM(3, 4)", &tree, &given(1.0), &given(FACTOR));
}

fn names(ports: Vec<rnnc::api::Port>) -> Vec<String> {
    ports.into_iter().map(|p| p.name).collect()
}

#[test]
fn names_follow_one_rule_at_every_order() {
    let rnn = recipe("RNN(2, 3)");
    let once = rnn.adjoint(None).unwrap();
    let (given, out) = (names(rnn.inputs()), names(rnn.outputs()));
    let cotangents: Vec<String> = out.iter().map(|o| format!("{o}_adj")).collect();
    assert_eq!(names(once.inputs()), [given, cotangents].concat());
    assert_eq!(names(once.params()), names(rnn.params()));
    assert_eq!(names(once.initial()), names(rnn.initial()));
    let sources = |r: &Recipe| [names(r.inputs()), names(r.params()), names(r.initial())].concat();
    let mut adjoint = rnn.clone();
    for order in 1..=3 {
        let before = adjoint.clone();
        adjoint = before.adjoint(None).unwrap();
        let mut expected: Vec<String> = sources(&before).iter().map(|n| format!("{n}_adj")).collect();
        let mut found = names(adjoint.outputs());
        expected.sort();
        found.sort();
        assert_eq!(found, expected, "order {order}");
        let all: std::collections::BTreeSet<String> = sources(&adjoint).into_iter().collect();
        assert_eq!(all.len(), sources(&adjoint).len(), "order {order}");
        assert_eq!(adjoint.inputs().len(), before.inputs().len() + before.outputs().len());
        assert_eq!(adjoint.declared(), names(adjoint.outputs()));
    }
    // Some only, of what is asked for only.
    let some = rnn.adjoint(Some(&["W".to_string(), "h0".to_string()])).unwrap();
    assert_eq!(names(some.outputs()), ["W_adj", "h0_adj"]);
    let refused = rnn.adjoint(Some(&["V".to_string()])).unwrap_err();
    assert_eq!(refused.code(), "E0502");
    let wrt = Options { wrt: Some(vec!["h_adj".into(), "x".into()]), ..Options::default() };
    let cell = some.compile(&wrt).unwrap();
    let saved = cell.forward_saved(&everything(&cell, 3, 2)).unwrap();
    assert_eq!(saved.gradients(), ["h_adj_adj", "x_adj"]);
}

fn code<T>(result: Result<T, Error>) -> &'static str {
    result.err().map_or("none", |e| e.code())
}

#[test]
fn outputs_and_gradients_of_an_adjoint_are_told_apart() {
    let adjoint = compiled(&recipe("RNN(2, 3)").adjoint(None).unwrap());
    let given = everything(&adjoint, 3, 2);
    let mut saved = adjoint.forward_saved(&given).unwrap();
    let outputs = saved.outputs().unwrap();
    let gradients = saved.backward(&cotangents(&adjoint, &outputs, "")).unwrap();
    assert!(gradients.get("x_adj").is_some() && gradients["x_adj"] != outputs["x_adj"]);
    assert_eq!(saved.output("x_adj").unwrap(), outputs["x_adj"].view());
    assert_eq!(saved.gradient("x_adj").unwrap(), gradients["x_adj"].view());
    assert_eq!(code(saved.shape("x_adj")), "E0719");
    assert_eq!(code(saved.copy_into("x_adj", &mut [0.0; 12])), "E0719");
    assert_eq!(saved.shape("h_adj_adj").unwrap(), [3, 2, 3]);
    assert_eq!(code(saved.output("x")), "E0702");
    assert_eq!(code(saved.gradient("y_adj")), "E0702");
    // A cotangent is no longer left out.
    let without = everything(&compiled(&recipe("RNN(2, 3)")), 3, 2);
    assert_eq!(code(adjoint.forward(&without)), "E0701");
    assert_eq!(code(adjoint.exact(&without)), "E0701");
    assert_eq!(code(adjoint.stream(&everything(&adjoint, 1, 1))), "E0744");
}

#[test]
fn cubes_have_three_derivatives() {
    let text = "cell Cube(H) {\n  in x : [H]\n  y = x^3\n  out y\n}\n";
    let cube = Library::text("cube.rnn", text).unwrap().recipe("Cube(2)").unwrap();
    let second = cube.adjoint(None).unwrap().adjoint(Some(&["x".to_string()])).unwrap();
    let x = Array3::from_shape_vec((1, 1, 2), vec![2.0f32, -1.0]).unwrap();
    let ones = Array3::<f32>::ones((1, 1, 2));
    let cell = compiled(&second);
    let given = Arrays::new().with("x", &x).with("y_adj", &ones).with("x_adj_adj", &ones);
    let mut run = cell.forward_saved(&given).unwrap();
    assert_eq!(run.outputs().unwrap()["x_adj"].as_slice().unwrap(), [12.0, -6.0]);
    let third = run.backward(&Arrays::new().with("x_adj_adj", &ones)).unwrap();
    assert_eq!(third["x_adj"].as_slice().unwrap(), [6.0, 6.0]);
    // As a recipe: the name of its cotangent is taken by that of the one before.
    let third = second.adjoint(Some(&["x".to_string()])).unwrap();
    assert_eq!(names(third.inputs()), ["x", "y_adj", "x_adj_adj", "x_adj_adj'"]);
    let cell = compiled(&third);
    let out = cell.forward(&given.with("x_adj_adj'", &ones)).unwrap();
    assert_eq!(out["x_adj"].as_slice().unwrap(), [6.0, 6.0]);
}

#[test]
fn everything_may_be_given_in_64_bits() {
    let children = array![[[-1.0, -1.0], [-1.0, -1.0], [0.0, 1.0]]];
    for (text, more) in [
        ("GRU(3, 4)", Some(("lengths", Array1::from(vec![3.0f64]).into_dyn()))),
        ("Embed(5, 3)", None),
        ("TreeLSTM(3, 4)", Some(("children", children.into_dyn()))),
    ] {
        for cell in [recipe(text), recipe(text).adjoint(None).unwrap()].map(|r| compiled(&r)) {
            let (mut narrow, mut given) = (everything(&cell, 3, 1), wide(&cell, 3, 1));
            if let Some((name, array)) = &more {
                given.set(*name, array);
                narrow.set(*name, array.mapv(|x| x as i64));
            }
            assert_eq!(cell.exact(&given).unwrap(), cell.exact(&narrow).unwrap(), "{text}");
            let outputs = cell.forward(&narrow).unwrap();
            let mut in_64 = Arrays::new();
            for port in cell.outputs() {
                let name = format!("{}_adj", port.name);
                let values = reals(&name, outputs[&port.name].shape(), 2.0).mapv(f64::from);
                in_64.set(name, values);
            }
            let found = cell.exact_gradient(&given, &in_64).unwrap();
            assert_eq!(
                found,
                cell.exact_gradient(&narrow, &cotangents(&cell, &outputs, "")).unwrap(),
                "{text}"
            );
            assert!(found.iter().any(|(_, array)| array.iter().any(|x| *x != 0.0)), "{text}");
        }
    }
}
