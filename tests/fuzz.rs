//! What the fuzzers do, done with the bytes they began with, and with those that once made something fail.

#[path = "../fuzz/src/lib.rs"]
mod targets;

use std::path::Path;

/// Runs a target on every file of its folders; each file by itself, so that all that fail are named.
fn all(target: &str, run: fn(&[u8])) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let (mut files, mut failed) = (0, Vec::new());
    for folder in ["corpus", "found"] {
        for entry in std::fs::read_dir(root.join(folder).join(target)).into_iter().flatten().flatten() {
            let bytes = std::fs::read(entry.path()).expect("a file");
            files += 1;
            if std::panic::catch_unwind(|| run(&bytes)).is_err() {
                failed.push(entry.path());
            }
        }
    }
    assert!(files > 0, "no file of {target}");
    assert!(failed.is_empty(), "{failed:?}");
}

macro_rules! targets {
    ($($target:ident)*) => { $(
        #[test]
        fn $target() {
            all(stringify!($target), targets::$target::run);
        }
    )* };
}

targets!(source equations npz safetensors torch onnx weights_json data checkpoint onnx_graph);
