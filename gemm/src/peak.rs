//! What the machine could do at best: multiply-adds on registers alone.

use super::Isa;

/// Multiply-adds between two looks at the clock: some tens of microseconds.
const ROUNDS: u64 = 4_000;

/// Measured multiply-add rate of one core in GFLOP/s (a multiply-add counts as two) over a spell of at least
/// `seconds`. `clock` tells seconds from any start. What a core can do changes from one moment to the next: whoever
/// compares something with it takes turns, and compares medians.
///
/// # Panics
/// If the machine lacks `isa`.
pub fn peak_gflops(isa: Isa, seconds: f64, mut clock: impl FnMut() -> f64) -> f64 {
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
    let start = clock();
    let mut flops = run(ROUNDS);
    let mut end = clock();
    while end - start < seconds {
        flops += run(ROUNDS);
        end = clock();
    }
    flops / (end - start).max(f64::MIN_POSITIVE) * 1e-9
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
