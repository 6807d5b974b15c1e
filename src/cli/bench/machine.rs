//! What this machine can do: the sizes of its caches, and how fast they are read.

use crate::runtime::gemm::{Isa, read_gb_per_s};
use crate::schedule::cost::{Machine, Memory};
use std::time::Instant;

/// Each memory is read for so long, in seconds.
const SPELL: f64 = 0.04;
/// No more is read than this, however large the largest cache.
const MOST: usize = 512 << 20;

/// So many cores with this peak together, and the bandwidths of one, measured now, as often.
pub fn measured(peak_gflops: f64, cores: u32) -> Machine {
    let begin = Instant::now();
    let isa = Isa::detect();
    let sizes = caches();
    let mut memories = Vec::new();
    let mut below = 0;
    for (name, size) in ["L1", "L2", "L3"].into_iter().zip(sizes) {
        // Half of it, so that all of that stays there, but more than the smaller cache holds.
        let piece = (size / 2).max(below * 2).min(64 << 20);
        if let Some(gb_per_s) = read_gb_per_s(isa, piece, SPELL, || begin.elapsed().as_secs_f64()) {
            let gb_per_s = gb_per_s * f64::from(cores);
            memories.push(Memory { name, bytes: size as f64, gb_per_s });
        }
        below = size;
    }
    let all = (below * 4).min(MOST);
    if let Some(gb_per_s) = read_gb_per_s(isa, all, SPELL, || begin.elapsed().as_secs_f64()) {
        let gb_per_s = gb_per_s * f64::from(cores);
        memories.push(Memory { name: "memory", bytes: f64::INFINITY, gb_per_s });
    }
    Machine { peak_gflops, memories }
}

/// Bytes of the caches of a core, as the system tells them, else as most machines have them.
fn caches() -> [usize; 3] {
    let mut sizes = [32 << 10, 1 << 20, 32 << 20];
    for index in 0..8 {
        let told = |what: &str| {
            let path = format!("/sys/devices/system/cpu/cpu0/cache/index{index}/{what}");
            std::fs::read_to_string(path).ok().map(|text| text.trim().to_string())
        };
        let (Some(level), Some(kind), Some(size)) = (told("level"), told("type"), told("size")) else {
            continue;
        };
        let level = level.parse::<usize>().ok().filter(|l| (1..=3).contains(l));
        if let (Some(level), Some(size), true) = (level, bytes(&size), kind != "Instruction") {
            sizes[level - 1] = size;
        }
    }
    sizes
}

/// `48K`, `260M`.
fn bytes(text: &str) -> Option<usize> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let scale = match unit {
        "" => 1,
        "K" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        _ => return None,
    };
    number.parse::<usize>().ok()?.checked_mul(scale).filter(|n| *n > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_the_system_writes_them() {
        assert_eq!(bytes("48K"), Some(48 << 10));
        assert_eq!(bytes("260M"), Some(260 << 20));
        assert_eq!(bytes("512"), Some(512));
        assert_eq!((bytes("0K"), bytes("K"), bytes("3T"), bytes("")), (None, None, None, None));
    }

    #[test]
    fn a_machine_has_memories_from_the_smallest_to_the_largest() {
        let machine = measured(100.0, 1);
        assert!(machine.memories.iter().all(|m| m.gb_per_s > 0.0), "{machine:?}");
        assert!(machine.memories.is_sorted_by(|a, b| a.bytes <= b.bytes), "{machine:?}");
    }
}
