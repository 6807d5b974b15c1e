//! What `rnnc build` makes beside an object: libraries, headers, packages; levels of instructions; the amplifier.

use crate::support::chain;
use crate::support::cli::Place;
use crate::support::object::*;
use rnnc::eqn::Graph;
use rnnc::object::Level;
use rnnc::weights::{Array, Arrays, npz};
use std::process::Command;

const STEPS: usize = 13;

/// A folder with the weights of a cell, and a run of it.
fn place(graph: &Graph) -> (Place, Reference) {
    let plain = Reference::new(graph, STEPS, false);
    let params = plain.params().into_iter();
    let arrays: Arrays = params.map(|(name, x)| (name.clone(), Array::f32(plain.shape(&name), x))).collect();
    let place = Place::new();
    place.write("weights.npz", npz::write(&arrays).unwrap());
    (place, plain)
}

fn near(found: &[f32], wanted: &[f32], title: &str) {
    assert_eq!(found.len(), wanted.len(), "{title}");
    for (k, (x, y)) in found.iter().zip(wanted).enumerate() {
        assert!((x - y).abs() <= 1e-6 * (1.0 + y.abs()), "{title} [{k}]: {x}, not {y}");
    }
}

fn is_here(tool: &str) -> bool {
    let here = Command::new(tool).arg("--version").output().is_ok();
    if !here {
        eprintln!("skipped: {tool} is not installed");
    }
    here
}

const C: &str = r#"#include "cell.h"
#include <stdio.h>
int main(void) {
  static cell_state state;
  float x[5], h[7];
  cell_init(&state);
  while (fread(x, 4, 5, stdin) == 5) {
    cell_step(&state, x, h);
    fwrite(h, 4, 7, stdout);
  }
  return 0;
}
"#;

const CPP: &str = r#"#include "cell.hpp"
#include <cstdio>
int main() {
  cell::stream stream;
  std::vector<std::array<float, 5>> xs;
  std::array<float, 5> x;
  std::array<float, 7> h;
  while (std::fread(x.data(), 4, 5, stdin) == 5) {
    xs.push_back(x);
    stream.step(x, h);
    std::fwrite(h.data(), 4, 7, stdout);
  }
  std::vector<float> all(7 * xs.size());
  cell_run_in in{};
  cell_run_out out{};
  in.x = xs[0].data();
  out.h = all.data();
  cell::run(xs.size(), in, out);
  std::fwrite(all.data(), 4, all.size(), stdout);
}
"#;

const RUST: &str = r#"use std::io::{Read, Write};

fn main() {
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes).unwrap();
    let all: Vec<f32> = bytes.chunks(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    let mut out = Vec::new();
    let mut stream = cell::Stream::new();
    for x in all.chunks(5) {
        let mut h = [0.0; 7];
        stream.step(x.try_into().unwrap(), &mut h);
        out.extend(h);
    }
    let n = all.len() / 5;
    let (mut h, mut work) = (vec![0.0; n * 7], vec![0.0; cell::run_work(n)]);
    let given = cell::RunIn { x: &all, h0: None };
    cell::run(n, given, cell::RunOut { h: Some(&mut h), ..Default::default() }, &mut work);
    out.extend(h);
    let bytes: Vec<u8> = out.iter().flat_map(|x| x.to_le_bytes()).collect();
    std::io::stdout().write_all(&bytes).unwrap();
}
"#;

#[test]
fn libraries_link() {
    if !is_here("gcc") {
        return;
    }
    let graph = chain::graph("GRU(5, 7)");
    let (place, plain) = place(&graph);
    place.write("main.c", C);
    for (kind, file) in [("static", "libcell.a"), ("shared", "libcell.so")] {
        let cell = ["build", "--cell", "GRU(5, 7)", "--weights", "weights.npz", "--header", "cell.h"];
        place.good(&[&cell[..], &["--kind", kind, "-o", file]].concat());
        let mut gcc = Command::new("gcc");
        gcc.args([
            "-std=c11",
            "-Wall",
            "-Werror",
            "-o",
            kind,
            "main.c",
            "-L.",
            "-Wl,-rpath,$ORIGIN",
            "-lcell",
        ]);
        run(gcc.current_dir(place.path("")), &[], kind);
        let found = run(&mut Command::new(place.path(kind)), &bytes(&plain.input("x")), kind);
        near(&floats(&found), &plain.output("h"), kind);
        std::fs::remove_file(place.path(file)).unwrap();
    }
}

#[test]
fn a_cpp_program_uses_the_wrapper() {
    if !is_here("g++") {
        return;
    }
    let graph = chain::graph("GRU(5, 7)");
    let (place, plain) = place(&graph);
    place.write("main.cpp", CPP);
    let cell =
        ["build", "--cell", "GRU(5, 7)", "--weights", "weights.npz", "--hpp", "cell.hpp", "-o", "cell.o"];
    place.good(&cell);
    let mut compiler = Command::new("g++");
    compiler.args(["-std=c++14", "-Wall", "-Wextra", "-Werror", "-o", "main", "main.cpp", "cell.o"]);
    run(compiler.current_dir(place.path("")), &[], "g++");
    let found = floats(&run(&mut Command::new(place.path("main")), &bytes(&plain.input("x")), "c++"));
    let wanted = plain.output("h");
    near(&found, &[&wanted[..], &wanted[..]].concat(), "c++");
}

#[test]
fn a_wrapper_with_weights_by_pointer_compiles() {
    if !is_here("g++") {
        return;
    }
    let place = Place::new();
    for recipe in ["Stack(2, GRU(7, 7))", "Embed(5, 4)", "Bi(LSTM(5, 7))"] {
        let functions = if recipe.starts_with("Bi") { "run,grad" } else { "step,run,grad" };
        let mut args = vec!["build", "--cell", recipe, "--hpp", "cell.hpp", "-o", "cell.o"];
        args.extend(["--functions", functions, "--rust", "cell"]);
        place.good(&args);
        place.write("main.cpp", "#include \"cell.hpp\"\nint main() { return 0; }\n");
        let mut compiler = Command::new("g++");
        compiler.args(["-std=c++14", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "main.cpp"]);
        run(compiler.current_dir(place.path("")), &[], recipe);
        let mut compiler = Command::new("rustc");
        compiler.args([
            "--edition=2021",
            "--crate-type=lib",
            "--emit=metadata",
            "-Dwarnings",
            "-o",
            "lib.rmeta",
        ]);
        run(compiler.arg("cell/src/lib.rs").current_dir(place.path("")), &[], recipe);
    }
}

#[test]
fn a_rust_program_uses_the_package() {
    if !is_here("cc") {
        return;
    }
    let graph = chain::graph("GRU(5, 7)");
    let (place, plain) = place(&graph);
    let cell = ["build", "--cell", "GRU(5, 7)", "--weights", "weights.npz", "--rust", "cell", "-o", "cell.o"];
    place.good(&cell);
    let manifest = "[package]\nname = \"user\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n[dependencies]\n\
                    cell = { path = \"../cell\" }\n\n[workspace]\n";
    place.write("user/Cargo.toml", manifest).write("user/src/main.rs", RUST);
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["run", "--quiet", "--offline"]).current_dir(place.path("user"));
    cargo.env("CARGO_TARGET_DIR", place.path("target")).env_remove("RUSTFLAGS");
    let found = floats(&run(&mut cargo, &bytes(&plain.input("x")), "rust"));
    let wanted = plain.output("h");
    near(&found, &[&wanted[..], &wanted[..]].concat(), "rust");
}

/// Computers with SSE alone, and with AVX2 but without AVX-512.
const OLD: Tools = Tools { target: "host", compiler: "gcc", runner: &["qemu-x86_64", "-cpu", "qemu64"] };
const NEWER: Tools = Tools { target: "host", compiler: "gcc", runner: &["qemu-x86_64", "-cpu", "Haswell"] };

/// Whatever level this computer has, the numbers are the same.
#[test]
fn levels_are_chosen_when_it_runs() {
    if !HOST.are_here() || std::env::consts::ARCH != "x86_64" {
        return;
    }
    for recipe in ["GRU(5, 7)", "LSTM(70, 90)", "PhasedLSTM(5, 7)"] {
        let graph = chain::graph(recipe);
        let object = made_for(&graph, ALL, "host", None, &[Level::V4, Level::Baseline, Level::V3]);
        assert_eq!(object.interface.levels, ["baseline", "v3", "v4"]);
        for tools in [HOST, OLD, NEWER].into_iter().filter(Tools::are_here) {
            compare(&graph, &object, tools, STEPS, false);
        }
    }
}

/// A WAV file of one channel.
fn wav(format: u16, bits: u16, samples: &[f32]) -> Vec<u8> {
    let width = usize::from(bits / 8);
    let mut out = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0".to_vec();
    out.extend(format.to_le_bytes());
    out.extend(1u16.to_le_bytes());
    out.extend(48_000u32.to_le_bytes());
    out.extend((48_000 * u32::from(bits / 8)).to_le_bytes());
    out.extend((bits / 8).to_le_bytes());
    out.extend(bits.to_le_bytes());
    out.extend(b"data");
    out.extend(((samples.len() * width) as u32).to_le_bytes());
    for x in samples {
        match format {
            3 => out.extend(x.to_le_bytes()),
            _ => {
                let whole = (f64::from(*x) * 2f64.powi(i32::from(bits) - 1)).round() as i64;
                out.extend(&whole.to_le_bytes()[..width]);
            }
        }
    }
    out
}

/// The samples behind a head of 44 bytes.
fn samples(file: &[u8], format: u16, bits: u16) -> Vec<f32> {
    let one = |b: &[u8]| match format {
        3 => f32::from_le_bytes(b.try_into().unwrap()),
        _ => {
            let mut wide = [0; 4];
            wide[4 - b.len()..].copy_from_slice(b);
            i32::from_le_bytes(wide) as f32 / 2f32.powi(31)
        }
    };
    file[44..].chunks_exact(usize::from(bits / 8)).map(one).collect()
}

/// A recurrent layer of another kind, with weights in the order of Keras.
const GRU_AMP: &str = "model Amp(H = 8) {
  in x : seq<n> of [1]
  h    = GRU(1, H, reset = after, update = keep)(x)
  y    = Dense(H, 1)(h)
  out y
}
layout keras for Amp { \"layers.0.*\" = h; \"layers.1.*\" = y }
";

/// From the weights of two programs for amplifiers to sound, as those programs sound.
#[test]
fn the_amplifier_plays() {
    if !is_here("gcc") || std::env::consts::OS != "linux" {
        return;
    }
    let place = Place::new();
    for file in ["host.c", "wav.c", "wav.h"] {
        place.write(file, std::fs::read(format!("examples/amp/{file}")).unwrap());
    }
    place.write("lstm.rnn", std::fs::read("models/amp.rnn").unwrap());
    place.write("gru.rnn", GRU_AMP);
    for (program, weights, options) in [
        ("lstm.rnn", "amp_flat.nam", &["--set", "H=3", "--set", "L=2", "--layout", "nam"][..]),
        ("lstm.rnn", "amp_lstm.json", &["--set", "H=4", "--set", "learned=false", "--layout", "keras"]),
        ("gru.rnn", "amp_gru.json", &["--set", "H=4", "--layout", "keras"]),
    ] {
        place.write(weights, std::fs::read(format!("tests/golden/weights/{weights}")).unwrap());
        let (stem, _) = weights.split_once('.').unwrap();
        let golden = std::fs::read(format!("tests/golden/weights/{stem}.npz")).unwrap();
        let golden = npz::read(stem, &golden).unwrap();
        let build = [
            "build",
            program,
            "--functions",
            "step",
            "--weights",
            weights,
            "-o",
            "amp.o",
            "--header",
            "amp.h",
        ];
        place.good(&[&build[..], options].concat());
        let mut gcc = Command::new("gcc");
        gcc.args(["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-o", "amp", "host.c", "wav.c", "amp.o"]);
        gcc.args(["-Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc", "-lm"]);
        run(gcc.current_dir(place.path("")), &[], "gcc");
        plays(&place, &golden["x"].to_f32(), &golden["y"].to_f32());
    }
    refuses(&place);
}

/// The amplifier makes `wet` of `dry`, in every format.
fn plays(place: &Place, dry: &[f32], wet: &[f32]) {
    for (format, bits) in [(1, 16), (1, 24), (1, 32), (3, 32)] {
        // A recording in whole numbers is of this range alone.
        if format == 1 && dry.iter().any(|x| x.abs() >= 1.0) {
            continue;
        }
        place.write("dry.wav", wav(format, bits, dry));
        let mut amp = Command::new(place.path("amp"));
        amp.args(["dry.wav", "wet.wav"]).current_dir(place.path(""));
        let said = String::from_utf8(run(&mut amp, &[], "amp")).unwrap();
        assert!(
            said.contains(&format!("{} samples,", dry.len())) && said.contains("\n0 allocations"),
            "{said}"
        );
        let found = samples(&place.read("wet.wav"), format, bits);
        // Two roundings to the bits of a sample, which the amplifier may enlarge.
        let rounding = if format == 3 { 2e-6 } else { 8.0 * 0.5f32.powi(i32::from(bits)) + 2e-6 };
        for (x, y) in found.iter().zip(wet) {
            let y = if format == 3 { *y } else { y.clamp(-1.0, 1.0) };
            assert!((x - y).abs() <= rounding, "{bits} bits: {x}, not {y}");
        }
        assert_eq!(found.len(), wet.len());
    }
}

/// Whatever is no such file is refused with a word.
fn refuses(place: &Place) {
    let good = wav(1, 16, &[0.5, -0.5]);
    let mut stereo = good.clone();
    stereo[22] = 2;
    for (file, word) in [
        (good[..30].to_vec(), "cut short"),
        (b"RIFF".to_vec(), "no WAV"),
        (stereo, "channel"),
        (good[..36].to_vec(), "no samples"),
    ] {
        place.write("bad.wav", file);
        let out = Command::new(place.path("amp"))
            .args(["bad.wav", "out.wav"])
            .current_dir(place.path(""))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(out.status.code() == Some(1) && said.contains(word), "{said}");
    }
}
