//! What the machine could do at best: multiply-adds on registers alone.

use super::Isa;

/// How long is measured in all, in seconds.
const BUDGET: f64 = 0.05;

/// Measured multiply-add rate of one core in GFLOP/s (a multiply-add counts as two): the best of many short spells.
/// `clock` tells seconds from any start.
///
/// # Panics
/// If the machine lacks `isa`.
pub fn peak_gflops(isa: Isa, mut clock: impl FnMut() -> f64) -> f64 {
    assert!(isa.is_available(), "this machine has no {isa:?}");
    let run: fn(u64) -> f64 = match isa {
        // SAFETY: the instructions exist.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => |rounds| unsafe { super::x86::spin_avx512(rounds) },
        // SAFETY: the instructions exist.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2Fma => |rounds| unsafe { super::x86::spin_avx2(rounds) },
        _ => portable,
    };
    let mut best = 0.0f64;
    let begin = clock();
    let mut end = begin;
    while end - begin < BUDGET {
        let start = clock();
        let flops = run(20_000);
        end = clock();
        if end > start {
            best = best.max(flops / (end - start));
        }
    }
    best * 1e-9
}

fn portable(rounds: u64) -> f64 {
    let mut sums = [[0.5f32; 8]; 4];
    let (a, b) = (std::hint::black_box(0.999f32), std::hint::black_box(0.001f32));
    for _ in 0..rounds {
        for sums in &mut sums {
            for sum in sums {
                *sum = *sum * a + b;
            }
        }
    }
    std::hint::black_box(sums);
    rounds as f64 * 32.0 * 2.0
}
