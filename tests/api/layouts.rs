//! Parameters by layouts through the library: what PyTorch computed with them comes out, and all that does not fit is told at once.

use ndarray::{ArrayD, IxDyn};
use rnnc::api::{Arrays, Compiled, Error, Layout, Library, Options, Params};
use rnnc::weights::npz;

fn golden(name: &str) -> String {
    format!("{}/tests/golden/weights/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// With four inputs, as the golden layers have.
fn compiled(library: &Library, recipe: &str) -> Compiled {
    let open = library.recipe(recipe).unwrap().dims();
    let options = Options { dims: open.into_iter().map(|d| (d, 4)).collect(), ..Options::default() };
    library.compile(recipe, &options).unwrap()
}

fn standard(recipe: &str) -> Compiled {
    compiled(&Library::standard().unwrap(), recipe)
}

/// The arrays of an npz file but what came out, and that.
fn inputs(name: &str) -> (Vec<(String, ArrayD<f32>)>, ArrayD<f32>) {
    let all = npz::read(name, &std::fs::read(golden(name)).unwrap()).unwrap();
    let single = |(name, a): (String, rnnc::weights::Array)| {
        let values = a.to_f32();
        (name, ArrayD::from_shape_vec(IxDyn(&a.shape), values).unwrap())
    };
    let (y, rest): (Vec<_>, Vec<_>) = all.into_iter().map(single).partition(|(name, _)| name == "y");
    (rest, y.into_iter().next().unwrap().1)
}

fn refused<T>(result: Result<T, Error>, code: &str, says: &[&str]) {
    let Err(error) = result else { panic!("{code} was not refused") };
    let text = error.rendered();
    assert_eq!(error.code(), code, "{text}");
    says.iter().for_each(|says| assert!(text.contains(says), "{says}: {text}"));
}

/// Imports what PyTorch has stored, computes what it computed, and exports it again.
fn computes(name: &str, recipe: &str, output: &str) {
    let cell = standard(recipe);
    let theirs = Params::read(golden(&format!("{name}.pt"))).unwrap();
    let given = Arrays::new().params(&theirs);
    let ours = cell.import(&given, "torch").unwrap();
    assert!(cell.params().iter().all(|p| ours.get(&p.name).is_some()) && ours.len() == cell.params().len());
    let (inputs, y) = inputs(&format!("{name}.npz"));
    let mut run = Arrays::new().params(&ours);
    for (name, array) in &inputs {
        run.set(name, array);
    }
    let found = cell.forward(&run).unwrap();
    let far = found[output].iter().zip(&y).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(found[output].shape() == y.shape() && far <= 1e-5, "{name}: {far}");
    assert!(y.iter().any(|y| y.abs() > 0.01), "a comparison of zeros proves nothing");
    // Back they are what they were; of two biases that are added the first has the sum.
    let back = cell.export(&ours, "torch").unwrap();
    assert!(theirs.iter().map(|(name, _)| name).eq(back.iter().map(|(name, _)| name)));
    for (name, array) in theirs.iter().filter(|(name, _)| name.starts_with("weight")) {
        assert_eq!(back.get(name), Some(array), "{name}");
    }
    assert_eq!(cell.import(&Arrays::new().params(&back), "torch").unwrap(), ours);
    // The same in 64 bits.
    let wide: Vec<(&str, ArrayD<f64>)> = theirs.iter().map(|(n, a)| (n, a.mapv(f64::from))).collect();
    let mut given = Arrays::new();
    for (name, array) in &wide {
        given.set(*name, array);
    }
    assert_eq!(cell.import(&given, "torch").unwrap(), ours);
}

#[test]
fn layers_of_pytorch_compute_what_they_computed() {
    computes("lstm_two_bi", "Stack(2, Bi(LSTM(_, 5)))", "l");
    computes("gru_two", "Stack(2, GRU(_, 5, reset = after, update = keep))", "l2.h");
    computes("rnn_bi", "Bi(RNN(_, 5))", "out");
}

const NET: &str = "
cell Net(I, H, O) {
  in x : [I]
  h = LSTM(I, H)(x)
  y = Dense(H, O)(h)
  out y
}
";

#[test]
fn instances_are_mapped_to_modules() {
    let library = Library::text("net.rnn", NET).unwrap();
    let net = library.compile("Net(4, 5, 3)", &Options::default()).unwrap();
    let theirs = Params::read(golden("net.pt")).unwrap();
    let layout = Layout::new("torch").map("h = rnn").map("y = out by torch");
    let ours = net.import(&Arrays::new().params(&theirs), layout.clone()).unwrap();
    let back = net.export(&ours, layout).unwrap();
    assert_eq!(back.get("out.weight"), theirs.get("out.weight"));
    // An adjoint has the parameters of what it is made of.
    let adjoint = net.recipe().adjoint(None).unwrap().compile(&Options::default()).unwrap();
    let layout = Layout::new("torch").map("h = rnn").map("y = out");
    assert_eq!(adjoint.import(&Arrays::new().params(&theirs), layout).unwrap(), ours);
    // Without a layout names are ours.
    assert_eq!(net.import(&Arrays::new().params(&ours), Layout::default()).unwrap(), ours);
    refused(
        net.import(&Arrays::new().params(&theirs), Layout::default()),
        "E0745",
        &["layout: `", "`torch`"],
    );
}

#[test]
fn all_that_does_not_fit_is_told_at_once() {
    let library = Library::text("net.rnn", NET).unwrap();
    let net = library.compile("Net(4, 6, 3)", &Options::default()).unwrap();
    let theirs = Params::read(golden("net.pt")).unwrap();
    let given = Arrays::new().params(&theirs);
    refused(
        net.import(&given, Layout::new("torch").map("h = rnn")),
        "E0745",
        &[
            "2 missing, 4 of another shape, 2 read by nothing",
            "`rnn.weight_ih_l0`: [24, 4] expected, the file has [20, 4]",
            "`y.weight` [3, 6] is missing",
            "`out.weight` is read by nothing",
        ],
    );
    // Dimensions that have their number are not found anew.
    let two = Params::read(golden("lstm_two_bi.pt")).unwrap();
    let library = Library::standard().unwrap();
    let dims = Options { dims: [("I".to_string(), 3)].into(), ..Options::default() };
    let cell = library.compile("LSTM(I, 5)", &dims).unwrap();
    refused(cell.import(&Arrays::new().params(&two), "torch"), "E0745", &["[20, 3] expected"]);
    // No such layout, a layout for other options, no such instance, no map.
    let gru = Params::read(golden("gru_two.pt")).unwrap();
    let gru = Arrays::new().params(&gru);
    refused(standard("GRU(4, 5)").import(&gru, "tarch"), "E0756", &["there is `keras`, `onnx`, `torch`"]);
    let other = standard("Stack(2, GRU(_, 5))");
    refused(other.import(&gru, "torch"), "E0757", &["speaks of `l1.c_h`, which is not there"]);
    refused(net.import(&given, Layout::new("torch").map("g = rnn")), "E0756", &["no instance `g`"]);
    refused(net.import(&given, Layout::new("torch").map("grnn")), "E0756", &["cannot be understood"]);
    // The other way round.
    let params = net.init(1).unwrap();
    let mut less = Params::new();
    params.iter().skip(1).for_each(|(name, array)| drop(less.insert(name, array.clone())));
    refused(net.export(&less, Layout::new("torch")), "E0724", &["missing array"]);
    less.insert(params.iter().next().unwrap().0, ArrayD::zeros(IxDyn(&[1])));
    refused(net.export(&less, Layout::new("torch")), "E0725", &["the file has [1]"]);
}

#[test]
fn numbers_that_are_not_finite_are_refused() {
    let library =
        Library::text("leak.rnn", "cell Leak(H) {\n  in x : [H]\n  param a : [H] = 0\n  out y = a * x\n}")
            .unwrap();
    let cell = library.compile("Leak(2)", &Options::default()).unwrap();
    let bad = ndarray::array![1f32, f32::NAN];
    let given = Arrays::new().with("a", &bad);
    let refused = cell.import(&given, Layout::default()).unwrap_err();
    assert_eq!(refused.code(), "E0754");
    assert!(refused.rendered().contains("`a`: 1 of 2, the first NaN at [2]"), "{}", refused.rendered());
    assert_eq!(cell.import(&given, Layout::default().allow_nan()).unwrap().len(), 1);
}
