//! Weights of other tools: what is read is what they computed with, names and shapes are told where they do not fit, and what is
//! exported is what was imported.
//!
//! The files are described in `golden/README.md`. Tolerance 1e-5, as in `golden.rs`: both sides start from the same f32 numbers.

use crate::support::cli::Place;
use rnnc::weights::{Array, Arrays, Data, npz, safetensors, torch};

const TOLERANCE: f64 = 1e-5;

fn golden(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/golden/weights/{name}", env!("CARGO_MANIFEST_DIR")))
        .expect("a golden file")
}

/// A folder with golden files.
fn with(names: &[&str]) -> Place {
    let place = Place::new();
    for name in names {
        place.write(name, golden(name));
    }
    place
}

fn arrays(place: &Place, name: &str) -> Arrays {
    let bytes = place.read(name);
    match name.ends_with("npz") {
        true => npz::read(name, &bytes).expect("an archive"),
        false => safetensors::read(name, &bytes).expect("a file").0,
    }
}

fn apart(a: &Array, b: &Array) -> f64 {
    assert_eq!(a.shape, b.shape);
    a.to_f64().iter().zip(b.to_f64()).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

/// The inputs of a golden file alone: what came out is no input.
fn input(place: &Place, name: &str) -> Array {
    let mut all = arrays(place, &format!("{name}.npz"));
    let y = all.remove("y").expect("an output");
    place.write("in.npz", npz::write(&all).expect("an archive"));
    y
}

/// Imports a file and runs the cell: both ways give what PyTorch gave.
fn computes(name: &str, recipe: &str, output: &str) {
    let place = with(&[&format!("{name}.pt"), &format!("{name}.npz")]);
    let y = input(&place, name);
    let (file, layout) = (format!("{name}.pt"), ["--layout", "torch"]);
    place.good(&[&["import", &file, "--cell", recipe, "-o", "w.safetensors"][..], &layout].concat());
    let run = ["run", "--cell", recipe, "--in", "in.npz"];
    place.good(&[&run[..], &["--params", "w.safetensors", "--out", "a.npz"]].concat());
    place.good(&[&run[..], &["--params", &file, "--out", "b.npz"], &layout].concat());
    for out in ["a.npz", "b.npz"] {
        let found = arrays(&place, out);
        let far = apart(&found[output], &y);
        assert!(far <= TOLERANCE, "{name}: {far}");
    }
    assert!(y.to_f64().iter().any(|y| y.abs() > 0.01), "a comparison of zeros proves nothing");
    // What is exported is what was imported, with the sum of the biases in the first.
    place.good(&[&["export", "w.safetensors", "--cell", recipe, "-o", "back.npz"][..], &layout].concat());
    place.good(&[&["import", "back.npz", "--cell", recipe, "-o", "again.safetensors"][..], &layout].concat());
    assert_eq!(place.read("again.safetensors"), place.read("w.safetensors"));
    let (theirs, back) =
        (torch::read_within(&file, &golden(&file), 1 << 20).expect("a file"), arrays(&place, "back.npz"));
    assert!(theirs.keys().eq(back.keys()));
    for (name, array) in theirs.iter().filter(|(name, _)| name.starts_with("weight")) {
        assert_eq!(back[name], *array, "{name}");
    }
}

#[test]
fn an_lstm_of_two_layers_in_both_directions() {
    computes("lstm_two_bi", "Stack(2, Bi(LSTM(_, 5)))", "l");
}

#[test]
fn a_gru_of_two_layers() {
    computes("gru_two", "Stack(2, GRU(_, 5, reset = after, update = keep))", "l2.h");
}

#[test]
fn a_simple_rnn_in_both_directions_and_its_sizes_are_found() {
    computes("rnn_bi", "Bi(RNN(_, U))", "out");
}

const NET: &str =
    "model Net(I, H, O) {\n  in x : seq<n> of [I]\n  h = LSTM(I, H)(x)\n  y = Dense(H, O)(h)\n  out y\n}\n";

#[test]
fn instances_of_a_model_are_mapped_to_modules() {
    let place = with(&["net.pt", "net_checkpoint.pt", "net_checkpoint.npz"]);
    place.write("net.rnn", NET.replace("Net(I, H, O)", "Net(I = 4, H = 5, O = 3)"));
    place.good(&[
        "import", "net.pt", "net.rnn", "--layout", "torch", "--map", "h=rnn", "--map", "y = out", "-o",
        "a.npz",
    ]);
    // The same in a checkpoint, whose other tensors belong to others.
    let maps = [
        "--map",
        "=model",
        "--map",
        "h = model.rnn.*",
        "--map",
        "y = model.out. by torch",
        "--layout",
        "torch",
    ];
    place.good(&[&["import", "net_checkpoint.pt", "net.rnn", "-o", "b.npz"][..], &maps].concat());
    assert_eq!(arrays(&place, "a.npz"), arrays(&place, "b.npz"));
    let y = input(&place, "net_checkpoint");
    place.good(&["run", "net.rnn", "--in", "in.npz", "--params", "b.npz", "--out", "o.npz"]);
    assert!(apart(&arrays(&place, "o.npz")["y"], &y) <= TOLERANCE);
}

#[test]
fn all_that_does_not_fit_is_told_at_once() {
    let place = with(&["net.pt", "gru_two.pt", "lstm_two_bi.pt"]);
    place.write("net.rnn", NET.replace("Net(I, H, O)", "Net(I = 4, H = 6, O = 3)"));
    let maps = ["--layout", "torch", "--map", "h=rnn"];
    place.bad(
        &[&["import", "net.pt", "net.rnn", "-o", "w.npz"][..], &maps].concat(),
        &[
            "E0745",
            "2 missing, 4 of another shape, 2 read by nothing",
            "`rnn.weight_ih_l0`: [24, 4] expected, the file has [20, 4]",
            "`y.weight` [3, 6] is missing",
            "`out.weight` is read by nothing",
        ],
    );
    assert!(!place.path("w.npz").exists(), "nothing is half loaded");
    // Without a layout it is said which there are.
    place.bad(&["import", "lstm_two_bi.pt", "--cell", "LSTM(4, 5)"], &["`--layout torch`"]);
    // Another number of layers, a layout for other options, none of that name, no such instance.
    place.bad(
        &["import", "lstm_two_bi.pt", "--cell", "Bi(LSTM(4, 5))", "--layout", "torch"],
        &["`weight_ih_l1_reverse` is read by nothing"],
    );
    place.bad(
        &["import", "gru_two.pt", "--cell", "Stack(2, GRU(_, 5))", "--layout", "torch"],
        &["E0757", "speaks of `l1.c_h`, which is not there"],
    );
    place.bad(
        &["import", "gru_two.pt", "--cell", "GRU(4, 5)", "--layout", "tarch"],
        &["E0756", "there is `keras`, `onnx`, `torch`"],
    );
    place.bad(&["import", "net.pt", "net.rnn", "--map", "g=rnn"], &["E0756", "no instance `g`", "h, y"]);
    place.bad(&["import", "net.pt", "net.rnn", "--map", "grnn"], &["E0756", "cannot be understood"]);
    place.bad(&["import", "net.pt", "-o", "w.bin"], &["E0763"]);
}

#[test]
fn a_transposed_matrix_is_told_as_such() {
    let place = Place::new();
    let x = |shape: Vec<usize>| Array::f32(shape.clone(), vec![0.5; shape.iter().product()]);
    let file = Arrays::from([("W".to_string(), x(vec![3, 2])), ("b".to_string(), x(vec![2]))]);
    place.write("w.npz", npz::write(&file).expect("an archive"));
    place.bad(&["import", "w.npz", "--cell", "Dense(3, 2)"], &["`W`: [2, 3] expected", "it fits transposed"]);
    place.write("t.rnn", "layout turned for Dense {\n  \"W\" = Wᵀ\n  \"b\" = −b\n}\n");
    place.good(&["import", "w.npz", "t.rnn", "--cell", "Dense(3, 2)", "--layout", "turned", "-o", "o.npz"]);
    let ours = arrays(&place, "o.npz");
    assert_eq!(ours["W"].shape, [2, 3]);
    assert_eq!(ours["b"].data, Data::F32(vec![-0.5, -0.5]));
    place.good(&[
        "export",
        "o.npz",
        "t.rnn",
        "--cell",
        "Dense(3, 2)",
        "--layout",
        "turned",
        "-o",
        "back.npz",
    ]);
    assert_eq!(arrays(&place, "back.npz"), file);
}

#[test]
fn weights_that_are_no_numbers_are_refused_unless_they_are_asked_for() {
    let place = Place::new();
    let mut file = Arrays::from([("W".to_string(), Array::f32(vec![1, 2], vec![1.0, f32::NAN]))]);
    file.insert("b".to_string(), Array { shape: vec![1], data: Data::F64(vec![1e300]) });
    place.write("w.npz", npz::write(&file).expect("an archive"));
    let import = ["import", "w.npz", "--cell", "Dense(2, 1)", "-o", "o.npz"];
    // 1e300 is finite in the file, and is not in single precision.
    place.bad(
        &import,
        &["E0754", "2 arrays", "`W`: 1 of 2, the first NaN at [1, 2]", "`b`: 1 of 1, the first inf"],
    );
    place.good(&[&import[..], &["--allow-nan"]].concat());
}

/// A gate in another order has the same shapes and computes something else: only numbers tell, and a check does.
#[test]
fn a_permuted_gate_order_fails_the_check_of_the_stdlib_s_golden_file() {
    let place = Place::new();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/stdlib/lstm_torch.npz");
    place.write("lstm_torch.npz", std::fs::read(file).expect("a file"));
    let text = |gates: &str| {
        let rows = ["W", "U", "b"].map(|w| format!("rows({w}_{{{gates}}})"));
        format!(
            "layout mine for LSTM {{\n  \"weight_ih_l{{n}}\" = {}\n  \"weight_hh_l{{n}}\" = {}\n  \"bias_ih_l{{n}}\" + \"bias_hh_l{{n}}\" = {}\n}}\n\
             check weights mine for LSTM(4, 5), file = \"lstm_torch.npz\", x = \"input\", h = \"output\"\n",
            rows[0], rows[1], rows[2]
        )
    };
    place.write("right.rnn", text("i f r o")).write("wrong.rnn", text("f i r o"));
    place.good(&["test", "right.rnn"]);
    let ran = place.run(&["test", "wrong.rnn"]);
    assert!(ran.code == 1 && (ran.out + &ran.err).contains("E1019"));
}

#[test]
fn a_wrong_zero_is_refused() {
    let place = Place::new();
    let two = |x: f32| Array::f32(vec![2], vec![0.0, x]);
    let text = "cell Gain(H) {\n  in    x : [H]\n  param w : [H] = 1\n  out y = w ⊙ x\n}\n\
                layout other for Gain {\n  \"weight\" = w\n  \"bias\"   = zeros(H)\n}\n";
    place.write("gain.rnn", text);
    for (bias, fits) in [(0.0, true), (0.25, false)] {
        let file = Arrays::from([("weight".to_string(), two(3.0)), ("bias".to_string(), two(bias))]);
        place.write("w.npz", npz::write(&file).expect("an archive"));
        let import = ["import", "w.npz", "gain.rnn", "--cell", "Gain(2)", "--layout", "other"];
        match fits {
            true => drop(place.good(&import)),
            false => place.bad(&import, &["E0759", "is 0.25 at [2]"]),
        }
    }
}

#[test]
fn parameters_come_from_one_file_only() {
    let place = Place::new();
    let x = Array::f32(vec![1, 1, 2], vec![1.0, 2.0]);
    let w = |k: f32| Array::f32(vec![1, 2], vec![k, k]);
    let params = Arrays::from([("W".to_string(), w(1.0)), ("b".to_string(), Array::f32(vec![1], vec![0.5]))]);
    place.write("w.npz", npz::write(&params).expect("an archive"));
    let mut both = Arrays::from([("x".to_string(), x), ("W".to_string(), w(2.0))]);
    place.write("both.npz", npz::write(&both).expect("an archive"));
    both.remove("W");
    place.write("in.npz", npz::write(&both).expect("an archive"));
    let run = |file| ["run", "--cell", "Dense(2, 1)", "--in", file, "--params", "w.npz", "--out", "o.npz"];
    place.bad(&run("both.npz"), &["E0762", "`W`"]);
    place.good(&run("in.npz"));
    assert_eq!(arrays(&place, "o.npz")["y"].data, Data::F32(vec![3.5]));
}

#[test]
fn views_of_storages_are_what_they_were() {
    for file in ["views.pt", "views_protocol4.pt"] {
        let all = torch::read_within(file, &golden(file), 1 << 20).expect("a file");
        let is = |name: &str, shape: &[usize], values: &[f64]| {
            assert_eq!(
                (all[name].shape.as_slice(), all[name].to_f64().as_slice()),
                (shape, values),
                "{name}"
            );
        };
        is(
            "turned",
            &[6, 4],
            &(0..6).flat_map(|c| (0..4).map(move |r| f64::from(6 * r + c))).collect::<Vec<_>>(),
        );
        is("part", &[2, 3], &[8.0, 9.0, 10.0, 14.0, 15.0, 16.0]);
        is("every_second", &[2, 3], &[1.0, 3.0, 5.0, 13.0, 15.0, 17.0]);
        is("repeated", &[3], &[0.0; 3]);
        is("column", &[4], &[5.0, 11.0, 17.0, 23.0]);
        is("scalar", &[], &[15.0]);
        is("empty", &[0, 3], &[]);
        is("nested.7", &[1], &[7.0]);
        is("nested.list.1.deep", &[1], &[0.0]);
        is("parameter", &[2], &[1.5, -2.5]);
        for kind in ["float16", "bfloat16", "float64", "int64", "int32", "int16", "int8", "uint8", "bool"] {
            is(kind, &[3], &[0.0, 1.0, 1.0]);
        }
        assert!(!all.contains_key("text"));
    }
}

#[test]
fn no_code_of_a_pickle_is_executed() {
    let place = with(&["net_old.pt", "whole_module.pt"]);
    place.bad(&["import", "net_old.pt"], &["E0750", "before version 1.6", "torch.save"]);
    place.bad(&["import", "whole_module.pt"], &["E0751", "`torch.nn.modules.rnn.LSTM`", "state_dict"]);
}

fn amp(file: &str, args: &[&str]) {
    let stem = file.split('.').next().expect("a name");
    let place = with(&[file, &format!("{stem}.npz")]);
    let text = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/models/amp.rnn")).expect("a model");
    place.write("amp.rnn", text);
    let y = input(&place, stem);
    place.good(&[&["import", file, "amp.rnn", "-o", "w.npz"][..], args].concat());
    place.good(
        &[&["run", "amp.rnn", "--in", "in.npz", "--params", file, "--out", "o.npz"][..], args].concat(),
    );
    let far = apart(&arrays(&place, "o.npz")["y"], &y);
    assert!(far <= TOLERANCE, "{file}: {far}");
}

#[test]
fn amplifier_models_of_two_programs_sound_as_they_did() {
    amp("amp_flat.nam", &["--set", "H=3", "--set", "L=2", "--layout", "nam"]);
    amp("amp_lstm.json", &["--set", "H=4", "--set", "learned=false", "--layout", "keras"]);
}

#[test]
fn a_gru_amplifier_is_a_program_of_three_lines() {
    let place = with(&["amp_gru.json", "amp_gru.npz"]);
    let text = "model Gru(H = 4) {\n  in x : seq<n> of [1]\n  g = GRU(1, H, reset = after, update = keep)(x)\n  y = Dense(H, 1)(g)\n  out y\n}\n\
                layout keras for Gru { \"layers.0.*\" = g; \"layers.1.*\" = y }\n";
    place.write("g.rnn", text);
    let y = input(&place, "amp_gru");
    let run =
        ["run", "g.rnn", "--in", "in.npz", "--params", "amp_gru.json", "--layout", "keras", "--out", "o.npz"];
    place.good(&run);
    assert!(apart(&arrays(&place, "o.npz")["y"], &y) <= TOLERANCE);
    // What arrays cannot hold is told.
    assert!(place.run(&["import", "amp_gru.json"]).err.contains("activation `tanh`"));
}

#[test]
fn layers_of_keras_compute_what_keras_computes() {
    for (name, layers, maps) in [
        ("lstm", "h = LSTM(4, 5)(x)", &["h = lstm.lstm_cell by keras"][..]),
        (
            "lstm_two",
            "a = LSTM(4, 5)(x)\n  h = LSTM(5, 5)(a)",
            &["a = a.lstm_cell by keras", "h = b.lstm_cell by keras"],
        ),
        ("gru", "h = GRU(4, 5, reset = after, update = keep)(x)", &["h = gru.gru_cell by keras"]),
        ("rnn", "h = RNN(4, 5)(x)", &["h = rnn.simple_rnn_cell by keras"]),
    ] {
        let file = format!("keras_{name}.npz");
        let place = with(&[&file]);
        let model =
            format!("model Net {{\n  in x : seq<n> of [4]\n  {layers}\n  y = Dense(5, 2)(h)\n  out y\n}}\n");
        place.write("net.rnn", model);
        // What goes in and comes out is no weight.
        let mut all = arrays(&place, &file);
        let (x, y) = (all.remove("x").expect("an input"), all.remove("y").expect("an output"));
        place.write("in.npz", npz::write(&Arrays::from([("x".to_string(), x)])).expect("bytes"));
        place.write("w.npz", npz::write(&all).expect("bytes"));
        let mut run = vec!["run", "net.rnn", "--in", "in.npz", "--params", "w.npz", "--out", "o.npz"];
        maps.iter().chain(&["y = dense by keras"]).for_each(|map| run.extend(["--map", map]));
        place.good(&run);
        let far = apart(&arrays(&place, "o.npz")["y"], &y);
        assert!(far <= TOLERANCE, "{name}: {far}");
    }
}

#[test]
fn layers_of_an_onnx_file_compute_what_onnx_runtime_computes() {
    let place = with(&["layers.onnx", "layers.npz", "external.onnx"]);
    let text = "model Layers(I = 4, H = 5) {\n  in x : seq<n> of [I]\n  first = Bi(LSTM(I, H))(x)\n  \
                second = GRU(_, H, reset = after, update = keep)(first)\n  out y = second.h\n}\n";
    place.write("l.rnn", text);
    let y = input(&place, "layers");
    // Integers, such as the shapes of a graph, are no weights that must be read.
    let args = ["--layout", "onnx"];
    place.good(
        &[&["run", "l.rnn", "--in", "in.npz", "--params", "layers.onnx", "--out", "o.npz"][..], &args]
            .concat(),
    );
    let far = apart(&arrays(&place, "o.npz")["y"], &y);
    assert!(far <= TOLERANCE, "{far}");
    let said = place.good(&["import", "layers.onnx"]);
    assert!(
        said.out.contains("first.W_reverse") && said.err.contains("`linear_before_reset` is 1"),
        "{}",
        said.err
    );
    place.bad(&["import", "external.onnx"], &["E0752", "another file"]);
}
