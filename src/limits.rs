//! Bounds that keep a text, a file or a run from costing more than its owner meant.
//!
//! [`Limits`] is a plain value. Whoever has a user (`cli`) makes one and hands it down with the options that exist: to
//! [`resolve::load_within`](crate::resolve::load_within), whose [`Library`](crate::resolve::Library) is built within
//! it, to [`pipeline::CompileOptions`](crate::pipeline::CompileOptions), whose executables run within it, and to the
//! readers of files. No stage asks for it elsewhere, and none changes it. Where a bound is exceeded, the message names the
//! bound, what was wanted, and the flag of the command line that raises it ([`raise`]).
//!
//! Whatever is reckoned against a bound (dimensions times bytes) is reckoned before memory is taken, and in numbers that
//! cannot overflow.
//!
//! Bounds that are no matter of taste are constants where they belong, and no flag moves them: nesting and length of
//! expressions, the depth to which equations, instances and `use`s nest (the stack), elements of one value and steps of a
//! run (what 32-bit offsets and positions can tell apart), and the parser's own work. `docs/limits.md` lists all of them.

/// What may be asked for at most. See the table in `docs/limits.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one `.rnn` file. [`SOURCE`]
    pub source: usize,
    /// Words, numbers, operators and brackets of one `.rnn` file. [`TOKENS`]
    pub tokens: usize,
    /// Files that are loaded together, those of the standard library not counted. [`FILES`]
    pub files: usize,
    /// Equations of one program, after families and instances are expanded. [`NODES`]
    pub nodes: usize,
    /// Instances and function calls that make up one program. [`INSTANCES`]
    pub instances: usize,
    /// The greatest lag. [`LAG`]
    pub lag: u32,
    /// Steps of work that checking the items of one file may take: expressions evaluated, equations made, definitions
    /// looked at, counted in evaluations. [`WORK`]
    pub work: u64,
    /// Bytes of all arrays of one run together. [`MEMORY`]
    pub memory: u64,
    /// Bytes of one file of arrays or data. [`FILE`]
    pub file: u64,
    /// Bytes that the arrays of one file, or the examples made of it, take in memory. [`UNPACKED`]
    pub unpacked: u64,
}

impl Limits {
    pub const DEFAULT: Limits = Limits {
        source: 1 << 20,
        tokens: 300_000,
        files: 1000,
        nodes: 100_000,
        instances: 10_000,
        lag: 4096,
        work: 700_000,
        memory: 16 << 30,
        file: 2 << 30,
        unpacked: 2 << 30,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Limits::DEFAULT
    }
}

// The flags that raise them.
pub const SOURCE: &str = "--max-source";
pub const TOKENS: &str = "--max-tokens";
pub const FILES: &str = "--max-files";
pub const NODES: &str = "--max-nodes";
pub const INSTANCES: &str = "--max-instances";
pub const LAG: &str = "--max-lag";
pub const WORK: &str = "--max-work";
pub const MEMORY: &str = "--max-memory";
pub const FILE: &str = "--max-file";
pub const UNPACKED: &str = "--max-unpacked";

/// The last words of a refusal.
pub fn raise(flag: &str) -> String {
    format!("`{flag}` raises the limit")
}

/// `12 bytes`, `640.0 KiB`, `1.5 GiB`.
pub fn bytes(n: u128) -> String {
    const UNITS: [&str; 5] = ["bytes", "KiB", "MiB", "GiB", "TiB"];
    let mut unit = 0;
    while unit + 1 < UNITS.len() && n >> (10 * (unit + 1)) > 0 {
        unit += 1;
    }
    match unit {
        0 => format!("{n} bytes"),
        _ => format!("{:.1} {}", n as f64 / (1u64 << (10 * unit)) as f64, UNITS[unit]),
    }
}

/// Bytes of an array, if that many can be counted.
pub fn array_bytes(extents: impl IntoIterator<Item = usize>, width: usize) -> Option<u64> {
    let count = |n: u64, d: usize| n.checked_mul(u64::try_from(d).ok()?);
    extents.into_iter().try_fold(width as u64, count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_told_in_the_unit_that_suits_them() {
        let shown = [0, 1023, 1024, 1 << 20, (16 << 30) - 1, 3 << 50].map(bytes);
        assert_eq!(shown, ["0 bytes", "1023 bytes", "1.0 KiB", "1.0 MiB", "16.0 GiB", "3072.0 TiB"]);
    }

    #[test]
    fn what_cannot_be_counted_has_no_size() {
        assert_eq!(array_bytes([3, 5], 4), Some(60));
        assert_eq!(array_bytes([1 << 40, 1 << 40], 4), None);
        assert_eq!(array_bytes([], 8), Some(8));
    }
}
