//! The tool from outside: models over grids and trees are trained, measured and gone on with.

use crate::support::cli::Place;
use rnnc::weights::{Array, Arrays, Data, npz};

const IMAGES: &str = "cell Corner(I, H) over grid(D..) {
  in    x : [I]
  state h : [H] = 0
  param W : [H, I] ~ uniform(1)
  param U : [H, H] ~ uniform(0.5)
  h = tanh(W @ x + ∑ d ∈ D: U @ h[prev d])
  out h
}
model Images(C = _, K = _, H = 3) {
  in image : grid<r, c> of [C]
  in kind  : id(K)
  h = Corner(C, H)(image)
  z = mean i in r, j in c: h[i, j]
  y = Dense(_, K)(z)
  out  y
  loss cross_entropy(y, kind)
  metric accuracy(y, kind)
  data  { image, kind = npz(\"images.npz\"); split = [0.75, 0.25] }
  train { optimizer = SGD(lr = 0.5); batch = 3; epochs = 2; seed = 1 }
}
";

/// Node labels and a label of the whole.
const TREES: &str = "cell Up(I, H) over tree(K..) {
  in    x : [I]
  state h : [H] = 0
  param W : [H, I] ~ uniform(1)
  param U : [H, H] ~ uniform(0.5)
  s = ∑ k ∈ K: h[prev k]
  h = tanh(W @ x + U @ s)
  out h
}
model Trees(V = _, K = _, H = 4) {
  in t    : tree<n> of id(V)
  in kind : tree<n> of id(K)
  h = Up(3, H)(Embed(V, 3)(t))
  y = Dense(H, K)(h)
  out  y
  loss cross_entropy(y, kind)
  metric accuracy(y, kind)
  data  { t, kind = trees(\"trees.txt\", first = \"labels\"); split = [0.7, 0.3] }
  train { optimizer = SGD(lr = 0.5); batch = 3; epochs = 2; seed = 1 }
}
";

const BANK: &str = "(1 (0 not) (1 (1 good) (2 film)))
(1 (1 good) (2 film))
(0 (0 not) (1 good) (2 film))
(2 film)
(0 (0 not) (0 (0 not) (0 (0 not) (2 film))))
(1 (1 good) (1 (1 good) (1 good)))
(0 (0 not) (2 film))
";

/// Eight images, some smaller than the arrays: of those what is beyond their lengths is no number.
fn images(lengths: &[i64]) -> Vec<u8> {
    let mut values = vec![f32::NAN; 8 * 3 * 4];
    for (e, size) in lengths.chunks(2).enumerate() {
        for (i, j) in (0..size[0]).flat_map(|i| (0..size[1]).map(move |j| (i, j))) {
            values[e * 12 + (i * 4 + j) as usize] = ((e + 1) as f32 * (i + 1) as f32 / (j + 2) as f32).sin();
        }
    }
    let ints = |shape: Vec<usize>, v: Vec<i64>| Array { shape, data: Data::I64(v) };
    let arrays = Arrays::from([
        ("image".to_string(), Array::f32(vec![8, 3, 4, 1], values)),
        ("image_lengths".to_string(), ints(vec![8, 2], lengths.to_vec())),
        ("kind".to_string(), ints(vec![8], vec![0, 1, 0, 1, 1, 0, 1, 0])),
    ]);
    npz::write(&arrays).expect("an npz file")
}

const LENGTHS: [i64; 16] = [3, 4, 1, 1, 2, 4, 3, 2, 1, 4, 2, 2, 3, 1, 3, 3];

fn place() -> Place {
    let place = Place::new();
    place.write("images.rnn", IMAGES).write("images.npz", images(&LENGTHS));
    place.write("trees.rnn", TREES).write("trees.txt", BANK);
    place
}

fn json(bytes: &[u8]) -> serde_json::Value {
    serde_json::from_slice(bytes).expect("JSON")
}

#[test]
fn runs_over_grids_and_trees_go_on_bit_for_bit() {
    let place = place();
    for (model, examples) in [("images.rnn", 2), ("trees.rnn", 2)] {
        let run = |name: &str| format!("{model}-{name}");
        place.good(&["train", model, "--out", &run("a")]);
        place.good(&["train", model, "--out", &run("b"), "--set", "train.epochs=1"]);
        place.good(&["train", model, "--out", &run("b"), "--resume"]);
        for file in ["checkpoint.safetensors", "run.json"] {
            let [a, b] = ["a", "b"].map(|name| place.read(&format!("{}/{file}", run(name))));
            assert!(a == b, "{model}: {file} differs");
        }
        let measured = json(place.good(&["eval", model, "--run", &run("a"), "--json"]).out.as_bytes());
        let record = json(&place.read(&format!("{}/run.json", run("a"))));
        assert_eq!(measured["loss"], record["best"]["loss"], "as measured while training");
        assert_eq!(measured["examples"], examples);
    }
}

/// With a rate of next to nothing an epoch is an evaluation, so its loss is that of all examples alone.
#[test]
fn padding_and_neighbours_in_a_batch_change_no_loss() {
    let place = place();
    for model in ["images.rnn", "trees.rnn"] {
        let losses: Vec<f64> = ["1", "2", "6"]
            .into_iter()
            .map(|batch| {
                let out = format!("{model}-{batch}");
                let batch = format!("train.batch={batch}");
                let sets = ["--set", "train.optimizer=SGD(lr=1e-30)", "--set", &batch];
                place.good(&[&["train", model, "--out", &out][..], &sets[..]].concat());
                let record = json(&place.read(&format!("{out}/run.json")));
                record["epochs"][0]["train_loss"].as_f64().expect("a number")
            })
            .collect();
        assert!(losses.iter().all(|l| (l - losses[0]).abs() < 1e-6), "{model}: {losses:?}");
    }
}

#[test]
fn mistakes_in_grids_and_trees_are_told_with_their_places() {
    let place = place();
    let bad = |model: &str, parts: &[&str]| {
        place.bad(&["train", model, "--out", "x"], parts);
        assert!(!place.path("x").exists(), "nothing was begun");
    };
    let mut empty = LENGTHS;
    empty[5] = 0;
    place.write("images.npz", images(&empty));
    bad("images.rnn", &["E0825", "the grid `image` of example 3 is empty", "at least one position"]);
    place.write("trees.txt", "(1 a)\n(1 (0 b) (1 c)\n");
    bad("trees.rnn", &["E0825", "`trees.txt`, line 2: a `(` is not closed"]);

    // A cell over trees of two children.
    let pair =
        TREES.replace("tree(K..)", "tree(left, right)").replace("∑ k ∈ K: h[prev k]", "h[left] + h[right]");
    place.write("pair.rnn", pair).write("trees.txt", BANK);
    bad(
        "pair.rnn",
        &[
            "E0828",
            "node 3 of the tree `t` of example 3 has 3 children, the model takes 2",
            "pair.rnn:11",
            "tree(K..)",
        ],
    );

    // Images of the second line have a number less.
    let lines = IMAGES.replace("npz(\"images.npz\")", "csv(\"images.csv\", shape = [2, 2])");
    place.write("lines.rnn", &lines).write("images.csv", "1,2,3,4,a\n1,2,3,b\n");
    bad("lines.rnn", &["E0825", "`images.csv`, line 2: it has 3 values, the first line has 4"]);
    place.write("lines.rnn", lines.replace("shape = [2, 2]", "shape = [4]"));
    place.write("images.csv", "1,2,3,4,a\n1,2,3,4,b\n");
    bad("lines.rnn", &["E0822", "a grid of 2 axes, and the shape is [4]", "shape = [8, 8]"]);
    place.write("lines.rnn", lines.replace("shape = [2, 2]", "shape = [2, 2], frame = [4, 4], shift = 2"));
    bad("lines.rnn", &["E0822", "a shift leads out of the frame [4, 4]", "by up to 1"]);
    let ids = lines.replace("of [C]", "of id(9)").replace("(C = _, ", "(C = 3, ");
    place.write("lines.rnn", ids.replace("(image)\n", "(Embed(9, C)(image))\n"));
    bad("lines.rnn", &["E0828", "is a grid of 2 axes of an id, the data give a grid of 2 axes of numbers"]);
}
