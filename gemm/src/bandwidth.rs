//! How fast the machine reads memory of some size again and again, one element after another.

use super::Isa;

/// Elements of a line of the cache; reading begins at one.
const LINE: usize = 16;
/// At least so many bytes are read between two looks at the clock.
const TURN: usize = 1 << 20;

/// Bytes a second, in 10⁹, that one core reads from a piece of memory of `bytes`, over a spell of at least `seconds`.
/// How large the piece is decides which cache it comes from. `clock` tells seconds from any start. `None` if there is
/// no memory of that size.
///
/// # Panics
/// If the machine lacks `isa`.
pub fn read_gb_per_s(isa: Isa, bytes: usize, seconds: f64, mut clock: impl FnMut() -> f64) -> Option<f64> {
    assert!(isa.is_available(), "this machine has no {isa:?}");
    let count = (bytes / 4).max(8 * LINE) / (8 * LINE) * (8 * LINE);
    let mut memory: Vec<f32> = Vec::new();
    memory.try_reserve_exact(count + LINE).ok()?;
    memory.resize(count + LINE, 1.0);
    let first = memory.as_ptr().align_offset(64).min(LINE);
    let data = memory.get(first..first + count)?;
    let read: fn(&[f32]) -> f32 = match isa {
        // SAFETY: the instructions exist.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => |data| unsafe { read_avx512(data) },
        // SAFETY: the instructions exist.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2Fma => |data| unsafe { read_avx2(data) },
        _ => portable,
    };
    let times = TURN.div_ceil(count * 4);
    // Into the cache first.
    std::hint::black_box(read(data));
    let start = clock();
    let (mut end, mut turns) = (start, 0usize);
    while turns == 0 || end - start < seconds {
        for _ in 0..times {
            std::hint::black_box(read(std::hint::black_box(data)));
        }
        turns += times;
        end = clock();
    }
    Some((turns * count * 4) as f64 * 1e-9 / (end - start).max(f64::MIN_POSITIVE))
}

/// The sum of a multiple of `8 * LINE` elements.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn read_avx512(data: &[f32]) -> f32 {
    use std::arch::x86_64::*;
    let mut sums = [_mm512_setzero_ps(); 8];
    for lines in data.chunks_exact(8 * LINE) {
        for (sum, line) in sums.iter_mut().zip(lines.chunks_exact(16)) {
            // SAFETY: a chunk has 16 elements.
            *sum = _mm512_add_ps(*sum, unsafe { _mm512_loadu_ps(line.as_ptr()) });
        }
    }
    sums.into_iter().map(|sum| _mm512_reduce_add_ps(sum)).sum()
}

/// The sum of a multiple of `8 * LINE` elements.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn read_avx2(data: &[f32]) -> f32 {
    use std::arch::x86_64::*;
    let mut sums = [_mm256_setzero_ps(); 8];
    for lines in data.chunks_exact(64) {
        for (sum, line) in sums.iter_mut().zip(lines.chunks_exact(8)) {
            // SAFETY: a chunk has 8 elements.
            *sum = _mm256_add_ps(*sum, unsafe { _mm256_loadu_ps(line.as_ptr()) });
        }
    }
    let all = sums.into_iter().fold(_mm256_setzero_ps(), |a, b| _mm256_add_ps(a, b));
    let mut out = [0.0; 8];
    // SAFETY: there is room for 8 elements.
    unsafe { _mm256_storeu_ps(out.as_mut_ptr(), all) };
    out.iter().sum()
}

fn portable(data: &[f32]) -> f32 {
    let mut sums = [0.0f32; 8 * LINE];
    for lines in data.chunks_exact(8 * LINE) {
        for (sum, x) in sums.iter_mut().zip(lines) {
            *sum += x;
        }
    }
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_reads_every_element() {
        let data: Vec<f32> = (0..1024).map(|i| i as f32).collect();
        assert_eq!(portable(&data), 523_776.0);
        #[cfg(target_arch = "x86_64")]
        for (isa, read) in [
            // SAFETY: called only where the instructions exist.
            (Isa::Avx512, (|d| unsafe { read_avx512(d) }) as fn(&[f32]) -> f32),
            // SAFETY: likewise.
            (Isa::Avx2Fma, |d| unsafe { read_avx2(d) }),
        ] {
            assert!(!isa.is_available() || read(&data) == 523_776.0, "{isa:?}");
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "a megabyte is long")]
    fn a_spell_lasts_as_long_as_was_asked() {
        let mut now = 0.0;
        let speed = read_gb_per_s(Isa::detect(), 4096, 1.0, || {
            now += 0.3;
            now
        });
        // Four turns in 1.2 seconds, 2²⁰ bytes each.
        assert!((speed.unwrap() - 4.0 * (1 << 20) as f64 * 1e-9 / 1.2).abs() < 1e-9);
    }
}
