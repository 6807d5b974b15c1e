//! C programs against the library, built as a user would.

use ndarray::ArrayD;
use rnnc::api::{Arrays, Library, Options};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

const LEAK: &str = "
cell Leak(I, H) {
  in    x : [I]
  state h : [H] = 0
  param W : [H, I] ~ uniform(1/sqrt(H))
  param U : [H, H] ~ uniform(0.4)
  param a : [H] = 1
  h = tanh(σ(a) ⊙ h[t-1] + W @ x + U @ h[t-1])
  out h
}
";

/// The folder of the built library, with what it takes to compile a C program; nothing where there is no C compiler.
fn library() -> Option<PathBuf> {
    if Command::new("gcc").arg("--version").output().is_err() {
        println!("skipped: there is no gcc here");
        return None;
    }
    // A test does not build the shared library it is about by itself. With tests, and of the whole workspace, dependencies have the
    // features that `cargo test` has compiled them with.
    let mut build = Command::new(env!("CARGO"));
    build.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    build.args(["build", "--quiet", "--locked", "--lib", "--tests", "--message-format", "json"]);
    if !cfg!(debug_assertions) {
        build.arg("--release");
    }
    let built = build.output().expect("cargo");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let said = String::from_utf8_lossy(&built.stdout).into_owned();
    let file = said.split('"').find(|part| part.ends_with("librnnc.so") || part.ends_with("librnnc.dylib"));
    let file = file.unwrap_or_else(|| panic!("no shared library in {said}"));
    Path::new(file).parent().map(Path::to_path_buf)
}

fn compiled(library: &Path, folder: &Path, source: &str) -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = folder.join(Path::new(source).file_stem().expect("a name"));
    let mut gcc = Command::new("gcc");
    gcc.args(["-std=c11", "-D_DEFAULT_SOURCE", "-Wall", "-Wextra", "-Werror", "-O1", "-o"]).arg(&program);
    gcc.arg(here.join(source)).arg("-I").arg(here.join("include")).arg("-L").arg(library);
    gcc.arg(format!("-Wl,-rpath,{}", library.display())).args(["-lrnnc", "-lm", "-lpthread"]);
    let out = gcc.output().expect("gcc");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    program
}

fn run(program: &Path, arguments: &[&str]) -> String {
    let out = Command::new(program).args(arguments).output().expect("it runs");
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(out.status.success(), "{said}{}", String::from_utf8_lossy(&out.stderr));
    said
}

#[test]
fn c_programs_do_what_rust_does() {
    let Some(library) = library() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("leak.rnn");
    std::fs::write(&file, LEAK).expect("a file");
    let path = file.display().to_string();

    let program = compiled(&library, folder.path(), "examples/forward_backward.c");
    let said = run(&program, &[&path, "Leak(3, 4)", "7", "10", "2"]);
    let found: BTreeMap<&str, Vec<f32>> = said
        .lines()
        .map(|line| {
            let mut words = line.split(' ');
            let name = words.next().expect("a name");
            (name, words.map(|w| w.parse().expect("a number")).collect())
        })
        .collect();
    let cell =
        Library::file(&file).and_then(|l| l.compile("Leak(3, 4)", &Options::default())).expect("a cell");
    let params = cell.init(7).expect("parameters");
    let mut i = -1.0f32;
    let x = ArrayD::from_shape_simple_fn(vec![10, 2, 3], || {
        i += 1.0;
        i.sin()
    });
    let mut saved = cell.forward_saved(&Arrays::new().params(&params).with("x", &x)).expect("a run");
    let outputs = saved.outputs().expect("outputs");
    let twice = outputs["h"].mapv(|h| 2.0 * h);
    let gradients = saved.backward(&Arrays::new().with("h_adj", &twice)).expect("gradients");
    assert_eq!(found.len(), outputs.len() + gradients.len(), "{:?}", found.keys());
    for (name, expected) in outputs.iter().chain(gradients.iter()) {
        let found = &found[name];
        assert_eq!(found.len(), expected.len(), "{name}");
        let far = found.iter().zip(&expected).any(|(a, b)| (a - b).abs() > 1e-6 * b.abs().max(1.0));
        assert!(!far, "{name}: {found:?} is not {expected:?}");
    }

    let program = compiled(&library, folder.path(), "examples/stream.c");
    let difference: f32 = run(&program, &[&path, "Leak(3, 4)", "100000"]).trim().parse().expect("a number");
    assert!(difference <= 1e-6);

    let program = compiled(&library, folder.path(), "tests/rules.c");
    run(&program, &[]);
}
