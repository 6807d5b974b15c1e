//! exp, tanh, σ and their like as vector code.
//!
//! Accuracy in units in the last place over all f32, where a result below 2⁻¹²⁶ counts as 0 (tested by
//! `tests/codegen/math.rs`): exp, log 2; tanh, σ, softplus, log σ 4. NaN gives NaN, infinities the limits.

use super::lanes::{Lanes, One, Two, Wide};
use cranelift::prelude::FloatCC;

const LOG2_E: f32 = std::f32::consts::LOG2_E;
/// ln 2 in two parts; the first has so few bits that its product with an exponent is exact.
const LN2_HIGH: f32 = 0.693_359_4;
const LN2_LOW: f32 = -2.121_944_4e-4;
/// Adding 1.5·2²³ rounds to a whole number and leaves it in the lowest bits; 127 more is an exponent's bias.
const ROUND: f32 = 12_582_912.0;
const ROUND_BIASED: f32 = ROUND + 127.0;
/// `(eʳ − 1 − r)/r²` on |r| ≤ ½ ln 2, near minimax, relative error of `eʳ − 1` below 2⁻²⁵.
const EXP: [f32; 5] = [0.5, 1.666_657_6e-1, 4.166_655_6e-2, 8.363_203e-3, 1.392_621_3e-3];
/// `(log1p(2s/(1−s)) − 2s)/s³` in s², s ≤ ⅓, relative error of the logarithm below 2⁻²⁶; with powers of two that make
/// it `/t³` in t², t = 2s.
const ATANH: [f32; 4] = [6.666_664e-1 / 8.0, 4.000_756e-1 / 32.0, 2.823_662e-1 / 128.0, 2.685_15e-1 / 512.0];
/// `(log(1+f) − 2s)/s` in s², s = f/(2+f), on √½ ≤ 1+f < √2 (FreeBSD msun, e_logf.c); ln 2 in two parts, as there.
const LOG: [f32; 4] = [0.666_666_6, 0.400_009_72, 0.284_987_87, 0.242_790_79];
const LOG_LN2_HIGH: f32 = 0.693_138_1;
const LOG_LN2_LOW: f32 = 9.058_001e-6;
/// The largest argument with a finite exponential, and the smallest with one of at least 2⁻¹²⁶.
const EXP_MOST: f32 = 88.722_83;
const EXP_LEAST: f32 = -87.336_54;

/// What exp, tanh and σ use at every turn. Held in registers they made a step of gates a fifth faster.
pub(super) const OFTEN: [f32; 10] =
    [LOG2_E, ROUND_BIASED, 1.0, EXP[4], EXP[3], EXP[2], EXP[1], EXP[0], -LN2_HIGH, -LN2_LOW];

/// The functions on any back end.
pub(super) trait Math: Lanes {
    /// `eʳ − 1` on |r| ≤ ½ ln 2.
    fn small_expm1(&mut self, r: &Wide<Self::V>) -> Wide<Self::V> {
        // Two short chains instead of a long one (Estrin 1960).
        let square = self.mul(r, r);
        let low = self.fma(r, EXP[1], EXP[0]);
        let high = self.fma(r, EXP[3], EXP[2]);
        let high = self.fma(&square, EXP[4], &high);
        let q = self.fma(&high, &square, &low);
        self.fma(&q, &square, r)
    }

    /// `x − n ln 2`.
    fn without_powers(&mut self, x: &Wide<Self::V>, n: &Wide<Self::V>) -> Wide<Self::V> {
        let r = self.fma(n, -LN2_HIGH, x);
        self.fma(n, -LN2_LOW, &r)
    }

    /// `eˣ`; 0 where that is below the smallest normal number.
    fn exp(&mut self, x: &Wide<Self::V>) -> Wide<Self::V> {
        // eˣ = 2ⁿ eʳ; n is added to the exponent. Where that leaves the range the result is replaced.
        let shifted = self.fma(x, LOG2_E, ROUND);
        let n = self.sub(&shifted, ROUND);
        let r = self.without_powers(x, &n);
        let m = self.small_expm1(&r);
        let p = self.add(&m, 1.0);
        let power = self.one(One::ExponentOf, &shifted);
        let scaled = self.two(Two::AddBits, (&p).into(), (&power).into());
        let large_enough = self.compare(FloatCC::GreaterThanOrEqual, x, EXP_LEAST);
        let scaled = self.keep(&large_enough, &scaled);
        // Behind the range this is ∞, of NaN it is NaN.
        let beyond = self.add(x, f32::INFINITY);
        let small_enough = self.compare(FloatCC::LessThanOrEqual, x, EXP_MOST);
        self.choose(&small_enough, &scaled, &beyond)
    }

    /// `(e²ˣ − 1)/(e²ˣ + 1)`, from `e²ˣ − 1 = 2ⁿ(eʳ − 1) + (2ⁿ − 1)`, which keeps its digits near 0.
    fn tanh(&mut self, x: &Wide<Self::V>) -> Wide<Self::V> {
        // From here on the result is ±1.
        let x = self.at_least(x, -9.05);
        let x = self.at_most(&x, 9.05);
        let shifted = self.fma(&x, 2.0 * LOG2_E, ROUND_BIASED);
        let twice = self.add(&x, &x);
        let n = self.sub(&shifted, ROUND_BIASED);
        // n is so small that ln 2 in one part does.
        let r = self.fma(&n, -std::f32::consts::LN_2, &twice);
        let m = self.small_expm1(&r);
        let power = self.one(One::ExponentOf, &shifted);
        let less_one = self.sub(&power, 1.0);
        // The chain of operations is the shorter the later `m` is needed.
        let one_more = self.add(&power, 1.0);
        let expm1 = self.fma(&power, &m, &less_one);
        let above = self.fma(&power, &m, &one_more);
        self.div(&expm1, &above)
    }

    /// `1/(1 + e⁻ˣ)`
    fn sigmoid(&mut self, x: &Wide<Self::V>) -> Wide<Self::V> {
        let x = self.at_most(x, 87.3);
        let x = self.at_least(&x, -88.3);
        let shifted = self.fma(&x, -LOG2_E, ROUND_BIASED);
        let y = self.one(One::Neg, &x);
        let n = self.sub(&shifted, ROUND_BIASED);
        let r = self.without_powers(&y, &n);
        let m = self.small_expm1(&r);
        let power = self.one(One::ExponentOf, &shifted);
        let one_more = self.add(&power, 1.0);
        let above = self.fma(&power, &m, &one_more);
        self.div(1.0, &above)
    }

    /// −∞ at 0, NaN below.
    fn log(&mut self, x: &Wide<Self::V>) -> Wide<Self::V> {
        let (m, k) = self.split(x);
        let f = self.sub(&m, 1.0);
        let above = self.add(&f, 2.0);
        let s = self.div(&f, &above);
        let z = self.mul(&s, &s);
        let poly = self.polynomial(&z, &LOG);
        let rest = self.mul(&z, &poly);
        let half = self.mul(&f, 0.5);
        let half_square = self.mul(&half, &f);
        // log = k ln2 + (f − (f²/2 − s (f²/2 + R)))
        let sum = self.add(&half_square, &rest);
        let low = self.mul(&k, LOG_LN2_LOW);
        let tail = self.fma(&s, &sum, &low);
        let tail = self.sub(&tail, &half_square);
        let tail = self.add(&tail, &f);
        let value = self.fma(&k, LOG_LN2_HIGH, &tail);

        let negative = self.compare(FloatCC::LessThan, x, 0.0);
        let below = self.choose(&negative, f32::NAN, f32::NEG_INFINITY);
        let is_small = self.compare(FloatCC::LessThan, x, f32::MIN_POSITIVE);
        let special = self.choose(&is_small, &below, x);
        let at_least = self.compare(FloatCC::GreaterThanOrEqual, x, f32::MIN_POSITIVE);
        let at_most = self.compare(FloatCC::LessThan, x, f32::INFINITY);
        let ordinary = self.both(&at_least, &at_most);
        self.choose(&ordinary, &value, &special)
    }

    /// `log(1 + e^−|x|)`, from `log1p(e) = 2 artanh(e/(2 + e))`.
    fn log1p_exp(&mut self, x: &Wide<Self::V>) -> Wide<Self::V> {
        let y = self.one(One::Abs, x);
        let y = self.one(One::Neg, &y);
        let e = self.exp(&y);
        let above = self.add(&e, 2.0);
        // Twice s: s itself could be too small a number where the result is not.
        let twice = self.add(&e, &e);
        let t = self.div(&twice, &above);
        let square = self.mul(&t, &t);
        let poly = self.polynomial(&square, &ATANH);
        let cube = self.mul(&t, &square);
        self.fma(&cube, &poly, &t)
    }

    /// `log(1 + eˣ)`
    fn softplus(&mut self, x: &Wide<Self::V>) -> Wide<Self::V> {
        let l = self.log1p_exp(x);
        let positive = self.at_least(x, 0.0);
        self.add(&positive, &l)
    }

    /// `log σ(x) = −softplus(−x)`
    fn log_sigmoid(&mut self, x: &Wide<Self::V>) -> Wide<Self::V> {
        let l = self.log1p_exp(x);
        let negative = self.at_most(x, 0.0);
        self.sub(&negative, &l)
    }

    /// −1, 0 or 1; NaN stays.
    fn sign(&mut self, x: &Wide<Self::V>) -> Wide<Self::V> {
        let below = self.compare(FloatCC::LessThan, x, 0.0);
        let above = self.compare(FloatCC::GreaterThan, x, 0.0);
        let one = self.choose(&above, 1.0, x);
        self.choose(&below, -1.0, &one)
    }
}

impl<L: Lanes> Math for L {}
