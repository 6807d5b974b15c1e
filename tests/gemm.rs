//! Matrix products against sums in f64, on every instruction set of this machine.
//!
//! Tolerance: a sum of k products, rounded in any order, differs from the true one by at most
//! (k + 1) ε Σ|a||b| (Higham 2002, section 3.1, first order; ε = 2⁻²⁴), doubled here for what the bound neglects.

use rnnc::runtime::Placement;
use rnnc::runtime::gemm::{
    Isa, Packed, RawOuter, RawView, RawViewMut, View, ViewMut, outer, outer_raw, peak_gflops, product,
};

/// What stands where nothing may be written.
const GUARD: f32 = 12345.0;

/// Every how many cases one is looked at: each, but where that would take hours.
fn every(slow: usize) -> usize {
    if cfg!(miri) { slow } else { 1 }
}

fn isas() -> impl Iterator<Item = Isa> {
    Isa::ALL.into_iter().filter(|isa| isa.is_available())
}

/// Numbers in −1..1 that look random and are the same everywhere.
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((self.0 >> 40) as f32) / (1u64 << 23) as f32 - 1.0
    }

    fn many(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.next()).collect()
    }

    fn below(&mut self, end: usize) -> usize {
        self.next();
        (self.0 >> 33) as usize % end
    }
}

/// Whether `got` is `Σ terms`, begun at `start`, up to rounding.
fn is_sum(got: f32, start: f32, terms: impl Iterator<Item = (f32, f32)>) -> bool {
    let (mut sum, mut size, mut count) = (f64::from(start), f64::from(start.abs()), 1.0);
    for (a, b) in terms {
        let term = f64::from(a) * f64::from(b);
        (sum, size, count) = (sum + term, size + term.abs(), count + 1.0);
    }
    (f64::from(got) - sum).abs() <= 2.0 * (count + 1.0) * f64::from(f32::EPSILON) / 2.0 * size
}

/// In panels of both widths.
fn packed(k: usize, n: usize, w: &[f32]) -> [Packed; 2] {
    zeroed(k, n).map(|mut to| {
        to.pack_block(0, 0, w, k, n, n, false);
        to
    })
}

fn zeroed(k: usize, n: usize) -> [Packed; 2] {
    let narrow = Packed::placed_for(Isa::Avx2Fma, k, n, Placement::Plain).expect("memory");
    [Packed::zeroed(k, n), narrow]
}

#[derive(Clone, Copy, Debug)]
struct Case {
    rows: usize,
    k: usize,
    n: usize,
    /// Columns beside the view.
    beside: usize,
    accumulate: bool,
}

fn check_product(isa: Isa, case: Case, draws: &mut Draws) {
    let Case { rows, k, n, beside, accumulate } = case;
    let (a_stride, out_stride) = (k + beside, n + 2 * beside);
    let a = draws.many(rows * a_stride);
    let w = draws.many(k * n);
    let before = draws.many(rows * n);
    for packed in &packed(k, n, &w) {
        let mut out = vec![GUARD; rows * out_stride + beside];
        for (r, row) in before.chunks_exact(n).enumerate() {
            out[beside + r * out_stride..][..n].copy_from_slice(row);
        }
        let view = View { data: &a, stride: a_stride, width: k };
        let to = ViewMut { data: &mut out[beside..], stride: out_stride, width: n };
        product(isa, rows, view, packed, to, accumulate);
        for r in 0..rows {
            for j in 0..n {
                let got = std::mem::replace(&mut out[beside + r * out_stride + j], GUARD);
                let start = if accumulate { before[r * n + j] } else { 0.0 };
                let terms = (0..k).map(|i| (a[r * a_stride + i], w[i * n + j]));
                assert!(is_sum(got, start, terms), "{isa:?} {case:?}: row {r}, column {j} is {got}");
            }
        }
        assert!(out.iter().all(|x| *x == GUARD), "{isa:?} {case:?}: wrote beside the result");
    }
}

fn check_outer(isa: Isa, case: Case, draws: &mut Draws) {
    // `k` is the number of rows of the result.
    let Case { rows, k: m, n, beside, accumulate } = case;
    let (a_stride, b_stride, out_stride) = (m + beside, n + 2 * beside, n + beside);
    let (a, b) = (draws.many(rows * a_stride), draws.many(rows * b_stride));
    let before = draws.many(m * n);
    let mut out = vec![GUARD; m * out_stride + beside];
    for (i, row) in before.chunks_exact(n).enumerate() {
        out[beside + i * out_stride..][..n].copy_from_slice(row);
    }
    let to = ViewMut { data: &mut out[beside..], stride: out_stride, width: n };
    let (av, bv) =
        (View { data: &a, stride: a_stride, width: m }, View { data: &b, stride: b_stride, width: n });
    outer(isa, rows, av, bv, to, accumulate);
    for i in 0..m {
        for j in 0..n {
            let got = std::mem::replace(&mut out[beside + i * out_stride + j], GUARD);
            let start = if accumulate { before[i * n + j] } else { 0.0 };
            let terms = (0..rows).map(|r| (a[r * a_stride + i], b[r * b_stride + j]));
            assert!(is_sum(got, start, terms), "{isa:?} {case:?}: ({i}, {j}) is {got}");
        }
    }
    assert!(out.iter().all(|x| *x == GUARD), "{isa:?} {case:?}: wrote beside the result");
}

#[test]
fn every_size_up_to_seventy_with_strides_and_accumulation() {
    for isa in isas() {
        let mut draws = Draws(1);
        for size in (1..=70).step_by(every(33)) {
            for (turn, accumulate) in [(0, false), (1, true)] {
                // Each extent in turn takes every size, the others vary.
                let other = [1 + draws.below(20), 1 + draws.below(20)];
                for (rows, k, n) in
                    [(size, other[0], other[1]), (other[0], size, other[1]), (other[0], other[1], size)]
                {
                    let case = Case { rows, k, n, beside: turn * draws.below(5), accumulate };
                    check_product(isa, case, &mut draws);
                    check_outer(isa, case, &mut draws);
                }
            }
        }
    }
}

#[test]
fn sizes_beyond_every_block() {
    for isa in isas() {
        let mut draws = Draws(2);
        let cases = [
            (2, 260, 20),
            (1, 700, 131),
            (3, 257, 64),
            (33, 513, 40),
            (199, 260, 33),
            (260, 199, 33),
            (5, 7, 530),
            (21, 530, 70),
        ];
        for (rows, k, n) in cases.into_iter().step_by(every(10)) {
            for accumulate in [false, true] {
                let case = Case { rows, k, n, beside: 3, accumulate };
                check_product(isa, case, &mut draws);
                check_outer(isa, case, &mut draws);
            }
        }
    }
}

#[test]
fn an_empty_sum_is_zero_or_adds_nothing() {
    for isa in isas() {
        for (accumulate, expected) in [(false, 0.0), (true, 7.0)] {
            let mut out = vec![7.0; 3 * 5];
            let a = View { data: &[], stride: 0, width: 0 };
            product(
                isa,
                3,
                a,
                &Packed::zeroed(0, 5),
                ViewMut { data: &mut out, stride: 5, width: 5 },
                accumulate,
            );
            assert_eq!(out, [expected; 15]);
            // Small, and so large that the operands are copied.
            for (m, n) in [(3, 5), (97, 120)] {
                let (a, b) =
                    (View { data: &[], stride: m, width: m }, View { data: &[], stride: n, width: n });
                let mut out = vec![7.0; m * n];
                outer(isa, 0, a, b, ViewMut { data: &mut out, stride: n, width: n }, accumulate);
                assert_eq!(out, vec![expected; m * n]);
            }
        }
    }
}

/// The bits of a row depend on the row alone: not on how many rows there are, nor where it is among
/// them, nor what the others hold, nor how many columns follow.
#[test]
fn a_row_has_the_same_bits_wherever_it_stands() {
    let (k, n, most) = if cfg!(miri) { (260, 20, 8) } else { (531, 97, 70) };
    let mut draws = Draws(3);
    let row = draws.many(k);
    let w = draws.many(k * n);
    let both = packed(k, n, &w);
    for (isa, whole) in isas().flat_map(|isa| both.iter().map(move |whole| (isa, whole))) {
        let mut alone = vec![0.0; n];
        let view = View { data: &row, stride: k, width: k };
        product(isa, 1, view, whole, ViewMut { data: &mut alone, stride: n, width: n }, false);
        for rows in (1..=most).step_by(every(7)) {
            let place = draws.below(rows);
            let mut a = vec![f32::NAN; rows * k];
            a[place * k..][..k].copy_from_slice(&row);
            let mut out = vec![0.0; rows * n];
            let view = View { data: &a, stride: k, width: k };
            product(isa, rows, view, whole, ViewMut { data: &mut out, stride: n, width: n }, false);
            assert_eq!(bits(&out[place * n..][..n]), bits(&alone), "{isa:?}: row {place} of {rows}");
        }
        for columns in (1..=n).step_by(every(18)) {
            for mut fewer in zeroed(k, columns) {
                fewer.pack_block(0, 0, &w, k, columns, n, false);
                let mut out = vec![0.0; columns];
                let to = ViewMut { data: &mut out, stride: columns, width: columns };
                product(isa, 1, View { data: &row, stride: k, width: k }, &fewer, to, false);
                assert_eq!(bits(&out), bits(&alone[..columns]), "{isa:?}: {columns} columns");
            }
        }
    }
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|x| x.to_bits()).collect()
}

/// Both hand-written sets fuse, in the same order.
#[test]
fn vector_length_changes_no_bit() {
    let (rows, k, n) = (29, 300, 75);
    let mut draws = Draws(4);
    let (a, w) = (draws.many(rows * k), packed(k, n, &draws.many(k * n)));
    let results: Vec<_> = isas()
        .filter(|isa| *isa != Isa::Portable)
        .flat_map(|isa| w.iter().map(move |w| (isa, w)))
        .map(|(isa, w)| {
            let mut out = vec![0.0; rows * n];
            let to = ViewMut { data: &mut out, stride: n, width: n };
            product(isa, rows, View { data: &a, stride: k, width: k }, w, to, false);
            bits(&out)
        })
        .collect();
    assert!(results.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn right_sides_together_give_the_bits_of_each_alone() {
    // Widths that end within panels, groups of panels and at their ends; rows of several spans of blocks.
    let cases: [(usize, usize, &[usize]); 5] = [
        (5, 7, &[1, 64, 3]),
        (130, 100, &[500, 30]),
        (300, 31, &[512, 5]),
        (40, 200, &[]),
        (4200, 2, &[3, 2]),
    ];
    let mut draws = Draws(7);
    for isa in isas() {
        for (rows, m, widths) in cases.into_iter().step_by(every(10)) {
            let a = draws.many(rows * m);
            let b: Vec<Vec<f32>> = widths.iter().map(|n| draws.many(rows * n)).collect();
            let mut alone: Vec<Vec<f32>> = widths.iter().map(|n| draws.many(m * n)).collect();
            let mut together = alone.clone();
            let left = View { data: &a, stride: m, width: m };
            for (i, (n, out)) in widths.iter().zip(&mut alone).enumerate() {
                let right = View { data: &b[i], stride: *n, width: *n };
                let to = ViewMut { data: out, stride: *n, width: *n };
                outer(isa, rows, left, right, to, i % 2 == 0);
            }
            let sides =
                widths.iter().zip(&b).zip(&mut together).enumerate().map(|(i, ((n, b), out))| RawOuter {
                    b: RawView { start: b.as_ptr(), stride: *n, width: *n },
                    out: RawViewMut { start: out.as_mut_ptr(), stride: *n, width: *n },
                    accumulate: i % 2 == 0,
                });
            let sides: Vec<RawOuter> = sides.collect();
            let left = RawView { start: a.as_ptr(), stride: m, width: m };
            // SAFETY: the vectors have these rows and are apart.
            unsafe { outer_raw(isa, rows, left, &sides) };
            for (alone, together) in alone.iter().zip(&together) {
                assert_eq!(bits(alone), bits(together), "{isa:?}: {rows} rows, {m} by {widths:?}");
            }
        }
    }
}

#[test]
fn a_row_of_stride_zero_is_read_for_every_row() {
    let mut draws = Draws(5);
    let (k, n) = (20, 45);
    let (a, w) = (draws.many(k), packed(k, n, &draws.many(k * n)));
    for isa in isas() {
        let mut out = vec![0.0; 9 * n];
        let to = ViewMut { data: &mut out, stride: n, width: n };
        product(isa, 9, View { data: &a, stride: 0, width: k }, &w[0], to, false);
        assert!(out.chunks_exact(n).all(|row| row == &out[..n]));
    }
}

#[test]
fn blocks_plain_and_transposed_make_one_matrix() {
    let mut draws = Draws(6);
    let (k, n) = (45, 83);
    for _ in 0..40 / every(20) {
        let (k0, n0) = (draws.below(k), draws.below(n));
        let (rows, cols) = (1 + draws.below(k - k0), 1 + draws.below(n - n0));
        let (beside, transposed) = (draws.below(4), draws.below(2) == 1);
        let stride = if transposed { rows } else { cols } + beside;
        let source = draws.many(rows.max(cols) * stride);
        let [mut wide, mut w] = zeroed(k, n);
        wide.pack_block(k0, n0, &source, rows, cols, stride, transposed);
        w.pack_block(k0, n0, &source, rows, cols, stride, transposed);
        assert_eq!(w.in_wide_panels(), wide.elements());
        for i in 0..k {
            for j in 0..n {
                let inside = (k0..k0 + rows).contains(&i) && (n0..n0 + cols).contains(&j);
                let expected = match (inside, transposed) {
                    (false, _) => 0.0,
                    (true, false) => source[(i - k0) * stride + j - n0],
                    (true, true) => source[(j - n0) * stride + i - k0],
                };
                assert_eq!((w.get(i, j), wide.get(i, j)), (expected, expected));
            }
        }
    }
}

#[test]
#[should_panic(expected = "2 rows of 4 at 4 in 7 elements")]
fn a_short_slice_is_refused() {
    let mut out = [0.0; 6];
    let a = View { data: &[0.0; 7], stride: 4, width: 4 };
    let to = ViewMut { data: &mut out, stride: 3, width: 3 };
    product(Isa::Portable, 2, a, &Packed::zeroed(4, 3), to, false);
}

#[test]
#[cfg_attr(miri, ignore = "it measures time")]
fn the_peak_is_a_plausible_rate() {
    let begin = std::time::Instant::now();
    for isa in isas() {
        let peak = peak_gflops(isa, 0.002, || begin.elapsed().as_secs_f64());
        assert!(peak > 0.01 && peak < 10_000.0, "{isa:?}: {peak} GFLOP/s");
    }
}
