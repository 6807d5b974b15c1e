//! What the fuzzers do, done with the bytes they began with, with those that once made something fail, and with changes of both.
//!
//! The tests make a few changes, always the same; `RNNC_FUZZ=20000 RNNC_SEED=7 cargo test --release --test fuzz changed -- --nocapture` makes
//! so many of each reader's files together. They are blind, where the fuzzers see which code runs.

#[path = "../fuzz/src/lib.rs"]
mod targets;

use std::path::{Path, PathBuf};

/// Changes of a target's files together.
const CHANGES: u64 = 60;

/// The files of a target.
fn files(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let mut files = Vec::new();
    for folder in ["corpus", "found"] {
        for entry in std::fs::read_dir(root.join(folder).join(target)).into_iter().flatten().flatten() {
            let bytes = std::fs::read(entry.path()).expect("a file");
            files.push((entry.path(), bytes));
        }
    }
    files.sort();
    assert!(!files.is_empty(), "no file of {target}");
    files
}

/// Runs a target on every file of its folders; each file by itself, so that all that fail are named.
fn all(target: &str, run: fn(&[u8])) {
    let fails = |bytes: &[u8]| std::panic::catch_unwind(|| run(bytes)).is_err();
    let failed: Vec<PathBuf> =
        files(target).into_iter().filter(|(_, bytes)| fails(bytes)).map(|(path, _)| path).collect();
    assert!(failed.is_empty(), "{failed:?}");
}

/// Numbers that follow from a seed (splitmix64, Steele, Lea, Flood 2014).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
}

/// Changes bytes in one of the ways that files go wrong.
fn change(bytes: &mut Vec<u8>, other: &[u8], numbers: &mut Numbers) {
    let at = numbers.below(bytes.len());
    let end = (at + 1 + numbers.below(16)).min(bytes.len());
    match numbers.below(8) {
        0 => bytes.iter_mut().skip(at).take(1).for_each(|b| *b ^= 1 << (at % 8)),
        1 => bytes.iter_mut().skip(at).take(1).for_each(|b| *b = [0, 1, 0x7f, 0x80, 0xff][at % 5]),
        2 => drop(bytes.drain(at..end)),
        3 => {
            let piece = bytes[at..end].to_vec();
            bytes.splice(at..at, piece);
        }
        4 => {
            let random: Vec<u8> = (0..1 + at % 6).map(|_| numbers.next() as u8).collect();
            bytes.splice(at..at, random);
        }
        5 => {
            let great = [u64::MAX, 1 << 63, 1 << 31, u64::from(u32::MAX), 0][at % 5].to_le_bytes();
            bytes.iter_mut().skip(at).zip(great).for_each(|(b, new)| *b = new);
        }
        6 => {
            let from = numbers.below(other.len());
            let to = (from + 1 + numbers.below(64)).min(other.len());
            bytes.splice(at..end, other[from..to].iter().copied());
        }
        _ => bytes.truncate(at),
    }
}

/// Runs a target on files that were changed.
fn changed(target: &str, run: fn(&[u8])) {
    let number = |name: &str, or: u64| std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(or);
    let (count, seed) = (number("RNNC_FUZZ", CHANGES), number("RNNC_SEED", 1));
    let files = files(target);
    let mut failed = Vec::new();
    for k in 0..count {
        let mut numbers = Numbers(seed.wrapping_mul(1 << 32).wrapping_add(k));
        let mut bytes = files[numbers.below(files.len())].1.clone();
        let other = &files[numbers.below(files.len())].1;
        for _ in 0..1 + numbers.below(6) {
            change(&mut bytes, other, &mut numbers);
        }
        if std::panic::catch_unwind(|| run(&bytes)).is_err() {
            let path = std::env::temp_dir().join(format!("rnnc-fuzz-{target}-{seed}-{k}"));
            std::fs::write(&path, &bytes).expect("written");
            failed.push(path);
        }
    }
    println!("{target}: {count} changed files");
    assert!(failed.is_empty(), "{failed:?}");
}

macro_rules! targets {
    ($($target:ident)*) => { $(
        #[test]
        fn $target() {
            all(stringify!($target), targets::$target::run);
        }
    )*
        mod changed {
            $(
                #[test]
                fn $target() {
                    super::changed(stringify!($target), super::targets::$target::run);
                }
            )*
        }
    };
}

targets!(source equations npz safetensors torch onnx weights_json data checkpoint onnx_graph);
