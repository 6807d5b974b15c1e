//! What code is generated for: an instruction set with its features, one by one.

use super::Level;
use cranelift_codegen::isa::{self, OwnedTargetIsa};
use cranelift_codegen::settings::{self, Configurable};

/// A machine. Named ones do not depend on the computer that compiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    Host,
    Named(&'static str),
    /// This computer, with the features of a named one instead of its own.
    HostAs(&'static str),
}

/// Features of x86-64 with AVX2. A preset such as `x86-64-v3` omits `has_avx`, so each is set.
pub const AVX2: &[&str] =
    &["has_sse3", "has_ssse3", "has_sse41", "has_sse42", "has_avx", "has_avx2", "has_fma"];
/// Those with AVX-512.
pub const AVX512: &[&str] = &[
    "has_sse3",
    "has_ssse3",
    "has_sse41",
    "has_sse42",
    "has_avx",
    "has_avx2",
    "has_fma",
    "has_avx512f",
    "has_avx512vl",
];

/// Names with their triple and features.
const NAMED: &[(&str, &str, &[&str])] = &[
    ("x86_64", "x86_64-unknown-linux-gnu", &[]),
    ("x86_64-avx2", "x86_64-unknown-linux-gnu", AVX2),
    ("x86_64-avx512", "x86_64-unknown-linux-gnu", AVX512),
    ("aarch64", "aarch64-unknown-linux-gnu", &[]),
];

impl Target {
    /// The named one whose features reproducible kernels have.
    pub const REPRODUCIBLE: &'static str = "x86_64-avx2";

    pub fn named(name: &str) -> Option<Target> {
        NAMED.iter().find(|(n, ..)| *n == name).map(|(n, ..)| Target::Named(n))
    }

    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMED.iter().map(|(n, ..)| *n)
    }

    /// The instruction set, or why there is none.
    pub(super) fn isa(self, level: Level) -> Result<OwnedTargetIsa, String> {
        let flags = flags(level, false)?;
        let builder = match self {
            Target::Host => cranelift_native::builder().map_err(str::to_owned)?,
            Target::Named(name) | Target::HostAs(name) => {
                let (_, triple, features) =
                    NAMED.iter().find(|(n, ..)| *n == name).ok_or("no such target")?;
                let named = isa::lookup_by_name(triple).map_err(|e| e.to_string())?;
                let mut builder = match self {
                    Target::HostAs(_) => {
                        let own = cranelift_native::builder_with_options(false)?;
                        if own.triple().architecture != named.triple().architecture {
                            return Err(format!("it is no {}", named.triple().architecture));
                        }
                        own
                    }
                    _ => named,
                };
                for feature in *features {
                    builder.enable(feature).map_err(|e| format!("{feature}: {e}"))?;
                }
                builder
            }
        };
        builder.finish(flags).map_err(|e| e.to_string())
    }
}

/// What code of every target is made with. `anywhere`: it may be loaded at any address.
pub(super) fn flags(level: Level, anywhere: bool) -> Result<settings::Flags, String> {
    let mut flags = settings::builder();
    for (flag, value) in [
        ("opt_level", if level == Level::None { "none" } else { "speed" }),
        // Running results may fill more than a page of the stack.
        ("enable_probestack", "true"),
        ("probestack_strategy", "inline"),
        ("use_colocated_libcalls", "false"),
        ("is_pic", if anywhere { "true" } else { "false" }),
        ("enable_verifier", if cfg!(debug_assertions) { "true" } else { "false" }),
    ] {
        flags.set(flag, value).map_err(|e| format!("{flag}: {e}"))?;
    }
    Ok(settings::Flags::new(flags))
}

/// What kernels may use of an instruction set. Without it the same is said in more instructions; a library
/// call is never left to the back end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Features {
    /// Multiply-add with one rounding.
    pub fma: bool,
    /// Rounding to whole numbers.
    pub round: bool,
    /// 512-bit vectors, for functions called as in System V.
    pub avx512: bool,
}

impl Features {
    /// `None` if there are no 128-bit vectors.
    pub fn of(isa: &dyn isa::TargetIsa) -> Option<Features> {
        let has = |name: &str| isa.isa_flags().iter().any(|f| f.name == name && f.as_bool() == Some(true));
        let full = Features { fma: true, round: true, avx512: false };
        match isa.triple().architecture.to_string().as_str() {
            "x86_64" => Some(Features {
                fma: has("has_avx") && has("has_fma"),
                round: has("has_sse41"),
                avx512: has("has_avx512f")
                    && has("has_avx512vl")
                    && isa.default_call_conv() == isa::CallConv::SystemV,
            }),
            "aarch64" => Some(full),
            "riscv64gc" | "riscv64" => has("has_v").then_some(full),
            _ => None,
        }
    }
}
