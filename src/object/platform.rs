//! The machines and systems that objects are made for.

use super::errors;
use crate::codegen::ahead::Machine;
use crate::codegen::{AVX2, AVX512};
use crate::diag::Diagnostic;
use ar_archive_writer::ArchiveKind;

/// A system with its instruction set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Platform(usize);

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

impl Platform {
    /// The target of a name, of this computer if it is `host`.
    pub fn named(name: &str) -> Result<Platform, Diagnostic> {
        let own = format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS);
        let wanted = if name == "host" { own.as_str() } else { name };
        let found = KNOWN.iter().position(|k| k.name == wanted || k.also.contains(&wanted));
        found.map(Platform).ok_or_else(|| {
            let mut known: Vec<&str> = vec!["host"];
            known.extend(Platform::names());
            errors::unknown_target(name, &known)
        })
    }

    pub fn names() -> impl Iterator<Item = &'static str> {
        KNOWN.iter().map(|k| k.name)
    }

    pub fn name(self) -> &'static str {
        KNOWN[self.0].name
    }

    /// The machine with the instructions of a level.
    pub(super) fn machine(self, level: Level) -> Result<Machine, Diagnostic> {
        let known = &KNOWN[self.0];
        if level != Level::Baseline && !known.name.starts_with("x86_64") {
            return Err(errors::no_level(level.name(), known.name));
        }
        let all: Vec<&str> = known.features.iter().chain(level.features()).copied().collect();
        Machine::new(known.triple, &all).map_err(|e| errors::no_machine(known.name, &e))
    }

    /// The format of its archives.
    pub(super) fn archive(self) -> ArchiveKind {
        match KNOWN[self.0].name {
            name if name.ends_with("macos") => ArchiveKind::Darwin,
            name if name.ends_with("windows") => ArchiveKind::Coff,
            _ => ArchiveKind::Gnu,
        }
    }

    /// Whether it is the computer that asks.
    pub fn is_host(self) -> bool {
        Platform::named("host").is_ok_and(|host| host == self)
    }
}

/// How many instructions of x86-64 code may use, after the levels of its ABI.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Those that every machine of the target has.
    #[default]
    Baseline,
    /// AVX2 and FMA.
    V3,
    /// AVX-512F and VL too.
    V4,
}

impl Level {
    pub fn name(self) -> &'static str {
        match self {
            Level::Baseline => "baseline",
            Level::V3 => "v3",
            Level::V4 => "v4",
        }
    }

    fn features(self) -> &'static [&'static str] {
        match self {
            Level::Baseline => &[],
            Level::V3 => AVX2,
            Level::V4 => AVX512,
        }
    }

    /// What [`super::dispatch`] finds on a machine that has it.
    pub(super) fn number(self) -> i64 {
        match self {
            Level::Baseline => 1,
            Level::V3 => 2,
            Level::V4 => 3,
        }
    }
}
