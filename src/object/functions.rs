//! Functions of one or two numbers that kernels call, as code of the object's own: in double precision, without a branch.
//!
//! Errors stay below one unit in the last place of the f32 result. NaN gives NaN, infinities the limits, as C99 says.
//! Polynomials of sin, cos and erf are those of FreeBSD's msun (k_sinf.c, k_cosf.c, s_erff.c); large arguments of sin and cos
//! are reduced by the bits of 2/π that count (Payne, Hanek 1983), as in Arm's optimized routines (sincosf.h).

mod tables;

use super::words::{Words, memory};
use crate::codegen::helpers::Helper;
use cranelift::prelude::*;
use cranelift_codegen::ir::{Function, GlobalValue, MemFlagsData};
use cranelift_codegen::isa::TargetFrontendConfig;
pub use tables::TWO_OVER_PI;
use tables::{COS, ERF_NEAR, ERF_ONE, ERF_SMALL, ERFC_FAR, ERFC_FARTHER, HALF_PI, ROUND, SIN};

/// Whether the function reads [`TWO_OVER_PI`].
pub fn reads_table(helper: Helper) -> bool {
    matches!(helper, Helper::Sin | Helper::Cos)
}

/// Fills in the body of a helper's function.
pub fn define(
    helper: Helper,
    table: Option<GlobalValue>,
    function: &mut Function,
    context: &mut FunctionBuilderContext,
    config: TargetFrontendConfig,
) {
    let words = Words::begin(function, context, config);
    let args = words.args();
    let mut f = Numbers { w: words };
    let all: Vec<Value> = args.iter().map(|x| f.w.b.ins().fpromote(types::F64, *x)).collect();
    let result = match (helper, &all[..]) {
        (Helper::Sin, [x]) => f.sine(*x, table, false),
        (Helper::Cos, [x]) => f.sine(*x, table, true),
        (Helper::Erf, [x]) => f.erf(*x),
        (Helper::Floor, [x]) => f.floor(*x),
        (Helper::Pow, [x, y]) => f.pow(*x, *y),
        // No helper takes another number of arguments.
        _ => f.number(f64::NAN),
    };
    let result = f.w.b.ins().fdemote(types::F32, result);
    f.w.b.ins().return_(&[result]);
    f.w.finish();
}

/// Arithmetic in double precision.
struct Numbers<'a> {
    w: Words<'a>,
}

impl Numbers<'_> {
    fn number(&mut self, x: f64) -> Value {
        self.w.b.ins().f64const(x)
    }

    fn add(&mut self, a: Value, b: Value) -> Value {
        self.w.b.ins().fadd(a, b)
    }

    fn sub(&mut self, a: Value, b: Value) -> Value {
        self.w.b.ins().fsub(a, b)
    }

    fn mul(&mut self, a: Value, b: Value) -> Value {
        self.w.b.ins().fmul(a, b)
    }

    fn div(&mut self, a: Value, b: Value) -> Value {
        self.w.b.ins().fdiv(a, b)
    }

    fn plus(&mut self, a: Value, b: f64) -> Value {
        let b = self.number(b);
        self.add(a, b)
    }

    fn by(&mut self, a: Value, b: f64) -> Value {
        let b = self.number(b);
        self.mul(a, b)
    }

    fn is(&mut self, cc: FloatCC, a: Value, b: f64) -> Value {
        let b = self.number(b);
        self.w.b.ins().fcmp(cc, a, b)
    }

    fn choose(&mut self, test: Value, a: Value, b: Value) -> Value {
        self.w.b.ins().select(test, a, b)
    }

    fn or(&mut self, a: Value, b: Value) -> Value {
        self.w.b.ins().bor(a, b)
    }

    fn bits(&mut self, x: Value) -> Value {
        self.w.b.ins().bitcast(types::I64, MemFlagsData::new(), x)
    }

    fn of_bits(&mut self, x: Value) -> Value {
        self.w.b.ins().bitcast(types::F64, MemFlagsData::new(), x)
    }

    /// The nearest whole number of one below 2⁵¹, and bits that end with it.
    fn nearest(&mut self, x: Value) -> (Value, Value) {
        let moved = self.plus(x, ROUND);
        let bits = self.bits(moved);
        (self.plus(moved, -ROUND), bits)
    }

    fn polynomial(&mut self, x: Value, coefficients: &[f64]) -> Value {
        let mut sum = self.number(0.0);
        for c in coefficients.iter().rev() {
            let product = self.mul(sum, x);
            sum = self.plus(product, *c);
        }
        sum
    }

    fn ratio(&mut self, x: Value, [above, below]: [&[f64]; 2]) -> Value {
        let (above, below) = (self.polynomial(x, above), self.polynomial(x, below));
        self.div(above, below)
    }

    fn floor(&mut self, x: Value) -> Value {
        let size = self.w.b.ins().fabs(x);
        let (near, _) = self.nearest(x);
        let is_above = self.w.b.ins().fcmp(FloatCC::GreaterThan, near, x);
        let less = self.plus(near, -1.0);
        let whole = self.choose(is_above, less, near);
        // What is whole already stays, with its sign.
        let is_whole = self.w.b.ins().fcmp(FloatCC::Equal, whole, x);
        let is_large = self.is(FloatCC::GreaterThanOrEqual, size, 16_777_216.0);
        let stays = self.or(is_whole, is_large);
        self.choose(stays, x, whole)
    }

    /// sin, or cos.
    fn sine(&mut self, x: Value, table: Option<GlobalValue>, is_cos: bool) -> Value {
        let size = self.w.b.ins().fabs(x);
        let turns = self.by(size, std::f64::consts::FRAC_2_PI);
        let (n, quarter) = self.nearest(turns);
        let high = self.by(n, -HALF_PI[0]);
        let low = self.by(n, -HALF_PI[1]);
        let rest = self.add(size, high);
        let rest = self.add(rest, low);
        let (far_rest, far_quarter) = self.reduce(size, table);
        let is_far = self.is(FloatCC::GreaterThanOrEqual, size, 134_217_728.0);
        let r = self.choose(is_far, far_rest, rest);
        let mut quarter = self.w.b.ins().select(is_far, far_quarter, quarter);

        let z = self.mul(r, r);
        let sine = self.polynomial(z, &SIN);
        let sine = self.mul(sine, z);
        let sine = self.mul(sine, r);
        let sine = self.add(sine, r);
        let cosine = self.polynomial(z, &COS);
        let cosine = self.mul(cosine, z);
        let cosine = self.plus(cosine, 1.0);
        if is_cos {
            quarter = self.w.b.ins().iadd_imm_s(quarter, 1);
        }
        let is_odd = self.w.b.ins().band_imm_s(quarter, 1);
        let value = self.choose(is_odd, cosine, sine);
        let negative = self.w.b.ins().fneg(value);
        let is_below = self.w.b.ins().band_imm_s(quarter, 2);
        let value = self.choose(is_below, negative, value);
        let value = if is_cos {
            value
        } else {
            let negative = self.w.b.ins().fneg(value);
            let is_below = self.is(FloatCC::LessThan, x, 0.0);
            let value = self.choose(is_below, negative, value);
            let is_zero = self.is(FloatCC::Equal, x, 0.0);
            self.choose(is_zero, x, value)
        };
        // Of infinities there is none.
        let zero = self.sub(x, x);
        self.add(value, zero)
    }

    /// A large number without its quarter turns, and how many these were.
    fn reduce(&mut self, size: Value, table: Option<GlobalValue>) -> (Value, Value) {
        let Some(table) = table else { return (size, self.w.word(0)) };
        let single = self.w.b.ins().fdemote(types::F32, size);
        let bits = self.w.b.ins().bitcast(types::I32, MemFlagsData::new(), single);
        let index = self.w.b.ins().ushr_imm_u(bits, 26);
        let index = self.w.b.ins().band_imm_s(index, 15);
        let index = self.w.b.ins().uextend(types::I64, index);
        let start = self.w.b.ins().symbol_value(types::I64, table);
        let four = self.w.word(4);
        let at = self.w.at(start, index, four);
        let shift = self.w.b.ins().ushr_imm_u(bits, 23);
        let shift = self.w.b.ins().band_imm_s(shift, 7);
        let mantissa = self.w.b.ins().band_imm_s(bits, 0x7f_ffff);
        let mantissa = self.w.b.ins().bor_imm_s(mantissa, 0x80_0000);
        let mantissa = self.w.b.ins().ishl(mantissa, shift);
        let [first, second, third] =
            [0, 16, 32].map(|near| self.w.b.ins().load(types::I32, memory(), at, near));
        let high = self.w.b.ins().imul(mantissa, first);
        let high = self.w.b.ins().uextend(types::I64, high);
        let long = self.w.b.ins().uextend(types::I64, mantissa);
        let [second, third] = [second, third].map(|x| self.w.b.ins().uextend(types::I64, x));
        let middle = self.w.b.ins().imul(long, second);
        let low = self.w.b.ins().imul(long, third);
        let low = self.w.b.ins().ushr_imm_u(low, 32);
        let high = self.w.b.ins().ishl_imm_u(high, 32);
        let sum = self.w.b.ins().bor(low, high);
        let sum = self.w.b.ins().iadd(sum, middle);
        let half = self.w.word(1 << 61);
        let quarters = self.w.b.ins().iadd(sum, half);
        let quarters = self.w.b.ins().ushr_imm_u(quarters, 62);
        let whole = self.w.b.ins().ishl_imm_u(quarters, 62);
        let rest = self.w.b.ins().isub(sum, whole);
        let rest = self.w.b.ins().fcvt_from_sint(types::F64, rest);
        // π/2⁶³
        let rest = self.by(rest, std::f64::consts::PI / (1u64 << 63) as f64);
        (rest, quarters)
    }

    /// `eˣ` for |x| < 700.
    fn exp(&mut self, x: Value) -> Value {
        let turns = self.by(x, std::f64::consts::LOG2_E);
        let (n, bits) = self.nearest(turns);
        let high = self.by(n, -0.693_147_180_369_123_8);
        let low = self.by(n, -1.908_214_929_270_588e-10);
        let r = self.add(x, high);
        let r = self.add(r, low);
        let mut factorial = 1.0;
        let terms: Vec<f64> = (0..13)
            .map(|k| {
                factorial *= if k == 0 { 1.0 } else { f64::from(k) };
                1.0 / factorial
            })
            .collect();
        let sum = self.polynomial(r, &terms);
        let power = self.w.b.ins().iadd_imm_s(bits, 1023);
        let power = self.w.b.ins().ishl_imm_u(power, 52);
        let power = self.of_bits(power);
        self.mul(sum, power)
    }

    fn erf(&mut self, x: Value) -> Value {
        let size = self.w.b.ins().fabs(x);
        let square = self.mul(x, x);
        let small = self.ratio(square, ERF_SMALL);
        let small = self.mul(small, size);
        let small = self.add(small, size);
        let beside = self.plus(size, -1.0);
        let near = self.ratio(beside, ERF_NEAR);
        let near = self.plus(near, ERF_ONE);
        let one = self.number(1.0);
        let inverse = self.div(one, square);
        let (far, farther) = (self.ratio(inverse, ERFC_FAR), self.ratio(inverse, ERFC_FARTHER));
        let is_far = self.is(FloatCC::LessThan, size, 1.0 / 0.35);
        let tail = self.choose(is_far, far, farther);
        let exponent = self.sub(tail, square);
        let exponent = self.plus(exponent, -0.5625);
        let power = self.exp(exponent);
        let rest = self.div(power, size);
        let far = self.sub(one, rest);
        let mut value = one;
        for (end, other) in [(6.0, far), (1.25, near), (0.84375, small)] {
            let is_below = self.is(FloatCC::LessThan, size, end);
            value = self.choose(is_below, other, value);
        }
        let value = self.w.b.ins().fcopysign(value, x);
        let is_nan = self.w.b.ins().fcmp(FloatCC::Unordered, x, x);
        self.choose(is_nan, x, value)
    }

    /// The logarithm to base 2 of a number ≥ 0 that is no subnormal double.
    fn log2(&mut self, x: Value) -> Value {
        // A mantissa in [√½, √2) and its exponent.
        let bits = self.bits(x);
        let moved = self.w.b.ins().iadd_imm_s(bits, 0x3ff0_0000_0000_0000 - 0x3fe6_a09e_667f_3bcd);
        let exponent = self.w.b.ins().ushr_imm_u(moved, 52);
        let exponent = self.w.b.ins().iadd_imm_s(exponent, -1023);
        let fraction = self.w.b.ins().band_imm_s(moved, 0x000f_ffff_ffff_ffff);
        let fraction = self.w.b.ins().iadd_imm_s(fraction, 0x3fe6_a09e_667f_3bcd);
        let m = self.of_bits(fraction);
        let e = self.w.b.ins().fcvt_from_sint(types::F64, exponent);
        let (above, below) = (self.plus(m, -1.0), self.plus(m, 1.0));
        let s = self.div(above, below);
        let z = self.mul(s, s);
        let terms: Vec<f64> =
            (0..10).map(|k| 2.0 * std::f64::consts::LOG2_E / f64::from(2 * k + 1)).collect();
        let sum = self.polynomial(z, &terms);
        let log = self.mul(sum, s);
        let log = self.add(log, e);
        let is_zero = self.is(FloatCC::Equal, x, 0.0);
        let least = self.number(f64::NEG_INFINITY);
        let log = self.choose(is_zero, least, log);
        let is_endless = self.is(FloatCC::Equal, x, f64::INFINITY);
        self.choose(is_endless, x, log)
    }

    fn pow(&mut self, x: Value, y: Value) -> Value {
        let size = self.w.b.ins().fabs(x);
        let log = self.log2(size);
        let exponent = self.mul(y, log);
        // Far beyond the range of f32, and within that of doubles.
        let (most, least) = (self.number(300.0), self.number(-300.0));
        let is_most = self.is(FloatCC::GreaterThan, exponent, 300.0);
        let exponent = self.choose(is_most, most, exponent);
        let is_least = self.is(FloatCC::LessThan, exponent, -300.0);
        let exponent = self.choose(is_least, least, exponent);
        let natural = self.by(exponent, std::f64::consts::LN_2);
        let power = self.exp(natural);
        let one = self.number(1.0);
        let is_one = self.is(FloatCC::Equal, size, 1.0);
        let power = self.choose(is_one, one, power);

        // Of numbers below 0: the sign of odd powers, and no other powers than whole ones.
        let half = self.by(y, 0.5);
        let (whole, half_whole) = (self.floor(y), self.floor(half));
        let even = self.by(half_whole, 2.0);
        let is_whole = self.w.b.ins().fcmp(FloatCC::Equal, whole, y);
        let is_uneven = self.w.b.ins().fcmp(FloatCC::NotEqual, even, y);
        let is_odd = self.w.b.ins().band(is_whole, is_uneven);
        let signed = self.w.b.ins().fcopysign(power, x);
        let value = self.choose(is_odd, signed, power);
        let nan = self.number(f64::NAN);
        let is_below = self.is(FloatCC::LessThan, x, 0.0);
        let is_finite = self.is(FloatCC::LessThan, size, f64::INFINITY);
        let negative = self.w.b.ins().band(is_below, is_finite);
        let instead = self.choose(is_whole, value, nan);
        let value = self.choose(negative, instead, value);

        let is_nan = self.w.b.ins().fcmp(FloatCC::Unordered, x, y);
        let value = self.choose(is_nan, nan, value);
        let to_none = self.is(FloatCC::Equal, y, 0.0);
        let of_one = self.is(FloatCC::Equal, x, 1.0);
        let always = self.or(to_none, of_one);
        self.choose(always, one, value)
    }
}
