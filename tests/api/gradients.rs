//! Forward, then backward, as two runs: every chain cell of the standard library, grids and trees, against the interpreter in 64 bits.

use crate::support::api;
use crate::support::api::{cotangents, difference, everything, shaken};
use crate::support::chain::CELLS;
use ndarray::{Array1, ArrayD, IxDyn};
use rnnc::api::{Arrays, Compiled, Library, Options, Outputs};

/// Rounding of 32 bits, over some steps and sums of a few dozen terms.
const TOLERANCE: f64 = 2e-5;

/// Changes the last digit.
const FACTOR: f32 = 1.0 + f32::EPSILON;

fn compiled(recipe: &str) -> Compiled {
    let library = Library::standard().unwrap();
    let open = library.recipe(recipe).unwrap().dims();
    let options = Options { dims: open.into_iter().map(|d| (d, 5)).collect(), ..Options::default() };
    library.compile(recipe, &options).unwrap()
}

/// `shaken`: the same results for numbers that differ in their last digit. What that changes, rounding may.
fn close(recipe: &str, found: &Outputs, expected: &Outputs<f64>, shaken: impl FnOnce() -> Outputs<f64>) {
    assert_eq!(found.len(), expected.len(), "{recipe}");
    let far = |(name, array): (&str, ndarray::ArrayViewD<f64>)| {
        let found = found.get(name).unwrap_or_else(|| panic!("{recipe}: no `{name}`"));
        let difference = difference(found, &array.to_owned());
        (difference >= TOLERANCE).then(|| (name.to_string(), difference))
    };
    let far: Vec<(String, f64)> = expected.iter().filter_map(far).collect();
    if far.is_empty() {
        return;
    }
    let shaken = shaken();
    for (name, difference) in far {
        let by_itself = api::difference(&expected[&name].mapv(|x| x as f32), &shaken[&name]);
        assert!(
            difference < 10.0 * by_itself,
            "{recipe}: `{name}` differs by {difference}, {by_itself} by itself"
        );
    }
}

/// `given` and `shaken` are the same up to their last digit.
fn check(recipe: &str, given: &Arrays, shaken: &Arrays, cell: &Compiled) {
    let forward = cell.forward(given).unwrap();
    close(recipe, &forward, &cell.exact(given).unwrap(), || cell.exact(shaken).unwrap());
    let mut saved = cell.forward_saved(given).unwrap();
    assert!(saved.is_apart(), "{recipe}: forward and backward are one");
    let outputs = saved.outputs().unwrap();
    for (name, array) in forward.iter() {
        // Compiled together with the way back, sums may be rounded otherwise.
        let difference = difference(&outputs[name], &array.mapv(f64::from));
        assert!(difference < 10.0 * TOLERANCE, "{recipe}: `{name}` differs by {difference}");
    }
    for salt in ["a", "b", "a"] {
        let cotangents = cotangents(cell, &outputs, salt);
        let gradients = saved.backward(&cotangents).unwrap();
        let exact = cell.exact_gradient(given, &cotangents).unwrap();
        close(recipe, &gradients, &exact, || cell.exact_gradient(shaken, &cotangents).unwrap());
        // What came out is still there.
        assert_eq!(saved.outputs().unwrap(), outputs, "{recipe}");
    }
}

#[test]
fn every_chain_cell_goes_there_and_back() {
    for recipe in CELLS {
        let cell = compiled(recipe);
        let ragged = |factor| shaken(&cell, 6, 3, factor).with("lengths", Array1::from(vec![6i64, 4, 0]));
        check(recipe, &ragged(1.0), &ragged(FACTOR), &cell);
        check(recipe, &everything(&cell, 6, 1), &shaken(&cell, 6, 1, FACTOR), &cell);
    }
}

#[test]
fn grids_too() {
    for recipe in ["MDRNN(3, 4, D = 2)", "LeifertLSTM(3, 4)"] {
        let cell = compiled(recipe);
        check(recipe, &everything(&cell, 3, 2), &shaken(&cell, 3, 2, FACTOR), &cell);
    }
}

#[test]
fn and_trees() {
    let cell = compiled("TreeLSTM(3, 4)");
    let children =
        ArrayD::from_shape_vec(IxDyn(&[2, 3, 2]), vec![-1, -1, -1, -1, 0, 1, -1, -1, 0, -1, 1, -1]);
    let children: ArrayD<i64> = children.unwrap();
    let given = |factor| shaken(&cell, 3, 2, factor).with("children", children.clone());
    check("TreeLSTM(3, 4)", &given(1.0), &given(FACTOR), &cell);
}

#[test]
fn layers_around_a_cell_too() {
    for recipe in ["Bi(LSTM(5, 7))", "Stack(2, LSTM(_, 7))", "Dense(5, 3)"] {
        let cell = compiled(recipe);
        check(recipe, &everything(&cell, 5, 2), &shaken(&cell, 5, 2, FACTOR), &cell);
    }
}
