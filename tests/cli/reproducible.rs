//! `--reproducible`: the same bits on every x86-64 computer with AVX2 and FMA.
//!
//! What is written below was found on one machine and must be found on all. It changes where a version computes in another
//! order, and only there: then it is written anew, and said so.

use crate::support::cli::{Place, Ran};
use rnnc::runtime::gemm::Isa;
use rnnc::weights::{Arrays, Data, npz, safetensors};

/// Elementary functions, products, a softmax, a convolution of the optimiser's own, noise: whatever rounds.
const MODEL: &str = "cell Rough(I, H) {
  in x : [I]
  state h : [H] = 0
  param W : [H, I] ~ xavier()
  param U : [H, H] ~ orthogonal()
  param b : [H] ~ normal(0.1)
  noise z : [H] ~ normal(0.01)
  v = W @ x + U @ h[t-1] + b
  h = σ(v) ⊙ tanh(v + z) + 0.1 * sin(v) * exp(−v^2) + log(1 + v^2) / (1 + sqrt(abs(v))) + softmax(v)
  out h
}
model Small(H = 19) {
  in x : seq<n> of [2]
  in y : [1]
  h = Rough(2, H)(LSTM(2, 2)(x))
  v = Dense(H, 1)(mean p in n: h[p])
  out  v
  loss squared_error(v, y)
  data { x, y = task(\"adding\", steps = 13, count = 60, seed = 3); split = [0.8, 0.2] }
  train { optimizer = Adam(lr = 1e-2); batch = 7; epochs = 2; clip = 1; seed = 5 }
}
";

/// The hash of all numbers of some arrays.
fn hash(arrays: &Arrays) -> String {
    let mut hasher = blake3::Hasher::new();
    for (name, array) in arrays {
        hasher.update(name.as_bytes());
        hasher.update(format!("{:?}", array.shape).as_bytes());
        match &array.data {
            Data::F32(v) => v.iter().for_each(|x| {
                hasher.update(&x.to_le_bytes());
            }),
            Data::F64(v) => v.iter().for_each(|x| {
                hasher.update(&x.to_le_bytes());
            }),
            Data::I32(v) => v.iter().for_each(|x| {
                hasher.update(&x.to_le_bytes());
            }),
            Data::I64(v) => v.iter().for_each(|x| {
                hasher.update(&x.to_le_bytes());
            }),
        }
    }
    hasher.finalize().to_hex()[..16].to_string()
}

/// Without what the processor has beside the fixed instructions, as the C library sees it.
const POORER: &str = "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX2,-FMA,-FMA4,-ERMS";

fn ran(place: &Place, args: &[&str], poorer: bool) -> Ran {
    let mut command = place.command(args);
    if poorer {
        command.env("GLIBC_TUNABLES", POORER);
    }
    let output = command.output().expect("the tool runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    let ran =
        Ran { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) };
    assert_eq!(ran.code, 0, "{args:?}\n{}", ran.err);
    ran
}

/// Parameters and optimiser after two epochs.
fn trained(extra: &[&str], poorer: bool) -> String {
    let place = Place::new();
    place.write("m.rnn", MODEL);
    ran(&place, &[&["train", "m.rnn", "--out", "r"][..], extra].concat(), poorer);
    let bytes = place.read("r/checkpoint.safetensors");
    hash(&safetensors::read("c", &bytes).expect("a checkpoint").0)
}

/// Outputs, states and gradients of a cell of the standard library.
fn run_of(cell: &str, extra: &[&str], poorer: bool) -> String {
    let place = Place::new();
    let x: Vec<f32> = (0..11 * 5 * 6).map(|i| ((i * 7919 % 2003) as f32) / 1001.0 - 1.0).collect();
    let given = Arrays::from([("x".to_string(), rnnc::weights::Array::f32(vec![11, 5, 6], x))]);
    place.write("in.npz", npz::write(&given).expect("bytes"));
    let args = ["run", "--cell", cell, "--in", "in.npz", "--out", "out.npz", "--seed", "1", "--grad"];
    ran(&place, &[&args[..], extra].concat(), poorer);
    hash(&npz::read("out.npz", &place.read("out.npz")).expect("arrays"))
}

const CELLS: [&str; 4] = ["LSTM(6, 17)", "GRU(6, 33)", "JANET(6, 8)", "LayerNormLSTM(6, 24)"];

#[test]
fn the_bits_are_those_of_every_computer() {
    if !Isa::REPRODUCIBLE.is_available() {
        let place = Place::new();
        place.write("m.rnn", MODEL);
        return place.bad(&["train", "m.rnn", "--reproducible"], &["E0603"]);
    }
    let mut found = vec![format!("two epochs: {}", trained(&["--reproducible"], false))];
    found.extend(CELLS.map(|cell| format!("{cell}: {}", run_of(cell, &["--reproducible"], false))));
    insta::assert_snapshot!("reproducible", found.join("\n"));
}

#[test]
fn threads_and_the_c_library_change_no_bit() {
    if !Isa::REPRODUCIBLE.is_available() {
        return;
    }
    let all = trained(&["--reproducible"], false);
    assert_eq!(trained(&["--reproducible", "--threads", "1"], false), all);
    assert_eq!(trained(&["--reproducible", "--threads", "3"], true), all);
    for cell in CELLS {
        assert_eq!(
            run_of(cell, &["--reproducible"], true),
            run_of(cell, &["--reproducible"], false),
            "{cell}"
        );
        // And without the flag the result is that of this machine alone, whatever the C library.
        assert_eq!(run_of(cell, &[], true), run_of(cell, &[], false), "{cell}");
    }
}

#[test]
fn a_run_goes_on_with_the_instructions_it_began_with() {
    if !Isa::REPRODUCIBLE.is_available() {
        return;
    }
    let place = Place::new();
    place.write("m.rnn", MODEL);
    place.good(&["train", "m.rnn", "--out", "r", "--reproducible"]);
    place.bad(&["train", "m.rnn", "--out", "r", "--resume"], &["reproducible"]);
    place.good(&["train", "m.rnn", "--out", "r", "--resume", "--reproducible"]);
    place.good(&["eval", "m.rnn", "--run", "r", "--reproducible"]);
}

#[test]
fn the_reference_and_the_interpreter_are_not_reproducible_runs() {
    let place = Place::new();
    for flag in ["--f64", "--interpret"] {
        let args = ["run", "--cell", "LSTM(6, 4)", "--in", "i.npz", "--out", "o.npz", "--reproducible", flag];
        assert_eq!(place.run(&args).code, 2);
    }
}
