//! What kernels are made of: arithmetic on several vectors of numbers at once.
//!
//! A [`Wide`] is one value of a kernel at some groups of neighbouring indices, one vector each. How long a vector is and
//! which code comes out is the back end's business: [`Lanes`] is what one must provide. The mathematics (`math.rs`) and
//! the meaning of each operation (`ops.rs`) stand on it, written once for all back ends; where both have the same
//! instructions they give the same bits.

use super::helpers::Helper;
use cranelift::prelude::FloatCC;

/// The same value at each group of indices.
pub(super) type Wide<V = cranelift::prelude::Value> = Vec<V>;

/// An operand: computed, or a number.
#[derive(Clone, Copy, Debug)]
pub(super) enum Opd<'a, V> {
    Of(&'a [V]),
    Num(f32),
}

impl<'a, V> From<&'a Wide<V>> for Opd<'a, V> {
    fn from(wide: &'a Wide<V>) -> Self {
        Opd::Of(wide)
    }
}

impl<V> From<f32> for Opd<'_, V> {
    fn from(number: f32) -> Self {
        Opd::Num(number)
    }
}

impl<V> Opd<'_, V> {
    pub fn groups(&self) -> usize {
        if let Opd::Of(wide) = self { wide.len() } else { 1 }
    }
}

/// Operations on one vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum One {
    Neg,
    Abs,
    Sqrt,
    Floor,
    /// The bits of whole numbers, shifted left into the exponent.
    ExponentOf,
    /// Back: the bits above the fraction as a whole number's, with the sign.
    ExponentBits,
    /// From the bits of a whole number to the number.
    FromBits,
}

/// Operations on two vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Two {
    Add,
    Sub,
    Mul,
    Div,
    /// `if a < b then a else b`.
    Smaller,
    /// `if b < a then a else b`.
    Larger,
    /// Adds the bits as whole numbers.
    AddBits,
    SubBits,
    AndBits,
}

/// A back end. Masks are values too: from comparisons, for [`choose`](Lanes::choose) and its like.
pub(super) trait Lanes {
    type V: Copy;

    /// The number in all lanes.
    fn spread(&mut self, x: f32, groups: usize) -> Wide<Self::V>;

    fn one(&mut self, op: One, a: &Wide<Self::V>) -> Wide<Self::V>;

    fn two(&mut self, op: Two, a: Opd<Self::V>, b: Opd<Self::V>) -> Wide<Self::V>;

    /// `a*b + c`, rounded once where the machine can, else twice.
    fn fma<'x>(
        &mut self,
        a: impl Into<Opd<'x, Self::V>>,
        b: impl Into<Opd<'x, Self::V>>,
        c: impl Into<Opd<'x, Self::V>>,
    ) -> Wide<Self::V>
    where
        Self::V: 'x;

    /// The mask of lanes where the comparison holds.
    fn compare<'x>(
        &mut self,
        cc: FloatCC,
        a: impl Into<Opd<'x, Self::V>>,
        b: impl Into<Opd<'x, Self::V>>,
    ) -> Wide<Self::V>
    where
        Self::V: 'x;

    /// `a` where the mask is set, else `b`.
    fn choose<'x>(
        &mut self,
        mask: &Wide<Self::V>,
        a: impl Into<Opd<'x, Self::V>>,
        b: impl Into<Opd<'x, Self::V>>,
    ) -> Wide<Self::V>
    where
        Self::V: 'x;

    /// The numbers where the mask is set, else 0.
    fn keep(&mut self, mask: &Wide<Self::V>, a: &Wide<Self::V>) -> Wide<Self::V>;

    fn both(&mut self, a: &Wide<Self::V>, b: &Wide<Self::V>) -> Wide<Self::V>;

    fn either(&mut self, a: &Wide<Self::V>, b: &Wide<Self::V>) -> Wide<Self::V>;

    fn not(&mut self, mask: &Wide<Self::V>) -> Wide<Self::V>;

    /// 1 where the mask is set, else 0.
    fn truth(&mut self, mask: &Wide<Self::V>) -> Wide<Self::V>;

    /// Calls a helper for each element.
    fn call(&mut self, helper: Helper, args: &[&Wide<Self::V>]) -> Wide<Self::V>;

    fn add<'x>(&mut self, a: impl Into<Opd<'x, Self::V>>, b: impl Into<Opd<'x, Self::V>>) -> Wide<Self::V>
    where
        Self::V: 'x,
    {
        self.two(Two::Add, a.into(), b.into())
    }

    fn sub<'x>(&mut self, a: impl Into<Opd<'x, Self::V>>, b: impl Into<Opd<'x, Self::V>>) -> Wide<Self::V>
    where
        Self::V: 'x,
    {
        self.two(Two::Sub, a.into(), b.into())
    }

    fn mul<'x>(&mut self, a: impl Into<Opd<'x, Self::V>>, b: impl Into<Opd<'x, Self::V>>) -> Wide<Self::V>
    where
        Self::V: 'x,
    {
        self.two(Two::Mul, a.into(), b.into())
    }

    fn div<'x>(&mut self, a: impl Into<Opd<'x, Self::V>>, b: impl Into<Opd<'x, Self::V>>) -> Wide<Self::V>
    where
        Self::V: 'x,
    {
        self.two(Two::Div, a.into(), b.into())
    }

    /// A number in `[√½, √2)` and the exponent of two that belongs to it, of numbers > 0.
    fn split(&mut self, a: &Wide<Self::V>) -> (Wide<Self::V>, Wide<Self::V>) {
        const HALF_ROOT: u32 = 0x3f35_04f3;
        let bits = |bits| Opd::Num(f32::from_bits(bits));
        let moved = self.two(Two::AddBits, a.into(), bits(1f32.to_bits() - HALF_ROOT));
        let exponent = self.one(One::ExponentBits, &moved);
        let exponent = self.two(Two::SubBits, (&exponent).into(), bits(127));
        let exponent = self.one(One::FromBits, &exponent);
        let fraction = self.two(Two::AndBits, (&moved).into(), bits(0x007f_ffff));
        let fraction = self.two(Two::AddBits, (&fraction).into(), bits(HALF_ROOT));
        (fraction, exponent)
    }

    /// `Σ coefficients[i] * x^i`.
    fn polynomial(&mut self, x: &Wide<Self::V>, coefficients: &[f32]) -> Wide<Self::V> {
        let mut rest = coefficients.iter().rev();
        let highest = rest.next().copied().unwrap_or(0.0);
        let mut sum: Option<Wide<Self::V>> = None;
        for c in rest {
            sum = Some(match &sum {
                None => self.fma(x, highest, *c),
                Some(sum) => self.fma(sum, x, *c),
            });
        }
        sum.unwrap_or_else(|| self.spread(highest, x.len()))
    }

    /// `min(x, most)`; NaN stays. The form becomes one instruction, which gives its second operand for NaN.
    fn at_most(&mut self, x: &Wide<Self::V>, most: f32) -> Wide<Self::V> {
        self.two(Two::Smaller, Opd::Num(most), x.into())
    }

    /// `max(x, least)`; NaN stays.
    fn at_least(&mut self, x: &Wide<Self::V>, least: f32) -> Wide<Self::V> {
        self.two(Two::Larger, Opd::Num(least), x.into())
    }

    /// NaN if either is; of equal ones the first.
    fn max(&mut self, a: &Wide<Self::V>, b: &Wide<Self::V>) -> Wide<Self::V> {
        let most = self.two(Two::Larger, b.into(), a.into());
        let is_nan = self.compare(FloatCC::NotEqual, b, b);
        self.choose(&is_nan, b, &most)
    }

    /// NaN if either is; of equal ones the first.
    fn min(&mut self, a: &Wide<Self::V>, b: &Wide<Self::V>) -> Wide<Self::V> {
        let least = self.two(Two::Smaller, b.into(), a.into());
        let is_nan = self.compare(FloatCC::NotEqual, b, b);
        self.choose(&is_nan, b, &least)
    }
}
