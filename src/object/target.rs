//! The machines and systems that objects are made for.

use super::errors;
use crate::codegen::ahead::Machine;
use crate::diag::Diagnostic;

/// A system with its instruction set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target(usize);

struct Known {
    name: &'static str,
    /// Other names, as compilers have them.
    also: &'static [&'static str],
    triple: &'static str,
    /// Features that every machine of this kind has, as Cranelift names them.
    features: &'static [&'static str],
}

/// With RISC-V's vectors, without which there is no arithmetic on several numbers at once.
const KNOWN: [Known; 6] = [
    Known {
        name: "x86_64-linux",
        also: &["x86_64-unknown-linux-gnu", "x86_64-unknown-linux-musl", "x86_64-linux-gnu"],
        triple: "x86_64-unknown-linux-gnu",
        features: &[],
    },
    Known {
        name: "x86_64-macos",
        also: &["x86_64-apple-darwin"],
        triple: "x86_64-apple-darwin",
        features: &[],
    },
    Known {
        name: "x86_64-windows",
        also: &["x86_64-pc-windows-msvc", "x86_64-pc-windows-gnu"],
        triple: "x86_64-pc-windows-msvc",
        features: &[],
    },
    Known {
        name: "aarch64-linux",
        also: &["aarch64-unknown-linux-gnu", "aarch64-unknown-linux-musl", "aarch64-linux-gnu"],
        triple: "aarch64-unknown-linux-gnu",
        features: &[],
    },
    Known {
        name: "aarch64-macos",
        also: &["aarch64-apple-darwin", "arm64-apple-darwin"],
        triple: "aarch64-apple-darwin",
        features: &[],
    },
    Known {
        name: "riscv64-linux",
        also: &["riscv64gc-unknown-linux-gnu", "riscv64-linux-gnu"],
        triple: "riscv64gc-unknown-linux-gnu",
        features: &["has_v", "has_zvl32b", "has_zvl64b", "has_zvl128b"],
    },
];

impl Target {
    /// The target of a name, of this computer if it is `host`.
    pub fn named(name: &str) -> Result<Target, Diagnostic> {
        let own = format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS);
        let wanted = if name == "host" { own.as_str() } else { name };
        let found = KNOWN.iter().position(|k| k.name == wanted || k.also.contains(&wanted));
        found.map(Target).ok_or_else(|| {
            let mut known: Vec<&str> = vec!["host"];
            known.extend(Target::names());
            errors::unknown_target(name, &known)
        })
    }

    pub fn names() -> impl Iterator<Item = &'static str> {
        KNOWN.iter().map(|k| k.name)
    }

    pub fn name(self) -> &'static str {
        KNOWN[self.0].name
    }

    pub(super) fn machine(self) -> Result<Machine, Diagnostic> {
        let known = &KNOWN[self.0];
        Machine::new(known.triple, known.features).map_err(|e| errors::no_machine(known.name, &e))
    }
}
