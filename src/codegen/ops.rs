//! What each operation of a kernel means in [`Lanes`], for every back end.

use super::helpers::Helper;
use super::lanes::{One, Opd, Wide};
use super::math::Math;
use crate::eqn::{Binary, Unary};
use crate::loops::{Inst, ReduceOp, ValueId};
use cranelift::prelude::FloatCC;

/// A value of a nest as far as it is known.
#[derive(Clone, Debug)]
pub(super) struct Known<V> {
    pub number: Option<f32>,
    pub wide: Option<Wide<V>>,
    /// Of a Bool: the lanes where it holds.
    pub mask: Option<Wide<V>>,
}

impl<V> Default for Known<V> {
    fn default() -> Self {
        Known::NOTHING
    }
}

impl<V> Known<V> {
    const NOTHING: Self = Known { number: None, wide: None, mask: None };

    pub fn wide(wide: Wide<V>) -> Self {
        Known { wide: Some(wide), ..Known::default() }
    }

    fn mask(mask: Wide<V>) -> Self {
        Known { mask: Some(mask), ..Known::default() }
    }
}

/// Kernel operations on any back end.
pub(super) trait Ops: Math {
    /// The value of an operation on values. What reads memory, scalars or loop indices is the caller's.
    fn operation(&mut self, inst: &Inst, known: &[Option<Known<Self::V>>], groups: usize) -> Known<Self::V> {
        match inst {
            Inst::Const(c) => Known { number: Some(*c), ..Known::default() },
            Inst::Unary(op, a) => self.unary(*op, get(known, *a), groups),
            Inst::Binary(op, a, b) => self.binary(*op, get(known, *a), get(known, *b), groups),
            Inst::Fma(a, b, c) => {
                let [a, b, c] = [a, b, c].map(|v| get(known, *v));
                let wides = [self.numbers(a), self.numbers(b), self.numbers(c)];
                let [a, b, c] = [opd(a, &wides[0]), opd(b, &wides[1]), opd(c, &wides[2])];
                Known::wide(spread_to(self.fma(a, b, c), groups))
            }
            Inst::Select(c, a, b) => {
                let [c, a, b] = [c, a, b].map(|v| get(known, *v));
                let mask = self.mask(c, groups);
                let wides = [self.numbers(a), self.numbers(b)];
                Known::wide(self.choose(&mask, opd(a, &wides[0]), opd(b, &wides[1])))
            }
            Inst::Load(_) | Inst::LoadAt { .. } | Inst::Scalar(_) | Inst::Index(_) => Known::default(),
        }
    }

    /// The numbers of a value, unless it is one number alone.
    fn numbers(&mut self, known: &Known<Self::V>) -> Option<Wide<Self::V>> {
        match (&known.wide, &known.mask) {
            (Some(wide), _) => Some(wide.clone()),
            (None, Some(mask)) => Some(self.truth(mask)),
            (None, None) => None,
        }
    }

    fn wide(&mut self, known: &Known<Self::V>, groups: usize) -> Wide<Self::V> {
        match self.numbers(known) {
            Some(wide) => wide,
            None => self.spread(known.number.unwrap_or(0.0), groups),
        }
    }

    fn mask(&mut self, known: &Known<Self::V>, groups: usize) -> Wide<Self::V> {
        match &known.mask {
            Some(mask) => mask.clone(),
            None => {
                let wide = self.wide(known, groups);
                self.compare(FloatCC::NotEqual, &wide, 0.0)
            }
        }
    }

    /// A running result and the next one.
    fn fold(&mut self, op: ReduceOp, a: &Wide<Self::V>, b: &Wide<Self::V>) -> Wide<Self::V> {
        match op {
            ReduceOp::Sum => self.add(a, b),
            ReduceOp::Prod => self.mul(a, b),
            ReduceOp::Max | ReduceOp::ArgMax => self.max(a, b),
            ReduceOp::Min => self.min(a, b),
        }
    }

    fn unary(&mut self, op: Unary, a: &Known<Self::V>, groups: usize) -> Known<Self::V> {
        if let (Unary::Not, Some(mask)) = (op, &a.mask) {
            return Known::mask(self.not(mask));
        }
        let x = self.wide(a, groups);
        let wide = match op {
            Unary::Neg => self.one(One::Neg, &x),
            Unary::Exp => self.exp(&x),
            Unary::Log => self.log(&x),
            Unary::Tanh => self.tanh(&x),
            Unary::Sigmoid => self.sigmoid(&x),
            Unary::Relu => self.at_least(&x, 0.0),
            Unary::Sqrt => self.one(One::Sqrt, &x),
            Unary::Abs => self.one(One::Abs, &x),
            Unary::Sign => self.sign(&x),
            Unary::Sin => self.call(Helper::Sin, &[&x]),
            Unary::Cos => self.call(Helper::Cos, &[&x]),
            Unary::Erf => self.call(Helper::Erf, &[&x]),
            Unary::Floor => self.one(One::Floor, &x),
            Unary::LogSigmoid => self.log_sigmoid(&x),
            Unary::Softplus => self.softplus(&x),
            Unary::Not => self.sub(1.0, &x),
            Unary::StopGradient | Unary::ToReal => x,
        };
        Known::wide(wide)
    }

    fn binary(
        &mut self,
        op: Binary,
        a: &Known<Self::V>,
        b: &Known<Self::V>,
        groups: usize,
    ) -> Known<Self::V> {
        if let Binary::And | Binary::Or = op {
            let (a, b) = (self.mask(a, groups), self.mask(b, groups));
            let mask = if op == Binary::And { self.both(&a, &b) } else { self.either(&a, &b) };
            return Known::mask(mask);
        }
        let wides = [self.numbers(a), self.numbers(b)];
        let (x, y) = (opd(a, &wides[0]), opd(b, &wides[1]));
        let compared = match op {
            Binary::Eq => Some(FloatCC::Equal),
            Binary::Ne => Some(FloatCC::NotEqual),
            Binary::Lt => Some(FloatCC::LessThan),
            Binary::Le => Some(FloatCC::LessThanOrEqual),
            _ => None,
        };
        if let Some(cc) = compared {
            let mask = spread_to(self.compare(cc, x, y), groups);
            return Known::mask(mask);
        }
        let constant = |known: &Known<Self::V>| known.number.filter(|n| !n.is_nan());
        let wide = match op {
            Binary::Add => self.add(x, y),
            Binary::Sub => self.sub(x, y),
            Binary::Mul => self.mul(x, y),
            Binary::Div => self.div(x, y),
            Binary::Max | Binary::Min => {
                let is_max = op == Binary::Max;
                match (constant(a), constant(b)) {
                    (Some(n), _) | (_, Some(n)) => {
                        let other = if constant(a).is_some() { b } else { a };
                        let other = self.wide(other, groups);
                        if is_max { self.at_least(&other, n) } else { self.at_most(&other, n) }
                    }
                    _ => {
                        let (a, b) = (self.wide(a, groups), self.wide(b, groups));
                        if is_max { self.max(&a, &b) } else { self.min(&a, &b) }
                    }
                }
            }
            Binary::Pow if b.number == Some(2.0) => self.mul(x, x),
            Binary::Pow => {
                let (a, b) = (self.wide(a, groups), self.wide(b, groups));
                self.call(Helper::Pow, &[&a, &b])
            }
            Binary::Mod => {
                let (a, b) = (self.wide(a, groups), self.wide(b, groups));
                let quotient = self.div(&a, &b);
                let whole = self.one(One::Floor, &quotient);
                let product = self.mul(&b, &whole);
                self.sub(&a, &product)
            }
            Binary::MulZero => {
                let (a, b) = (self.wide(a, groups), self.wide(b, groups));
                let product = self.mul(&a, &b);
                let there = self.compare(FloatCC::NotEqual, &a, 0.0);
                self.keep(&there, &product)
            }
            Binary::Eq | Binary::Ne | Binary::Lt | Binary::Le | Binary::And | Binary::Or => {
                // Made as masks above.
                self.wide(a, groups)
            }
        };
        Known::wide(spread_to(wide, groups))
    }
}

impl<L: Math> Ops for L {}

/// What a fold begins with.
pub(super) fn neutral(op: ReduceOp) -> f32 {
    match op {
        ReduceOp::Sum => 0.0,
        ReduceOp::Prod => 1.0,
        ReduceOp::Max | ReduceOp::ArgMax => f32::NEG_INFINITY,
        ReduceOp::Min => f32::INFINITY,
    }
}

fn opd<'a, V>(known: &Known<V>, wide: &'a Option<Wide<V>>) -> Opd<'a, V> {
    match wide {
        Some(wide) => Opd::Of(wide),
        None => Opd::Num(known.number.unwrap_or(0.0)),
    }
}

/// Of numbers alone one vector comes out, whatever the number of groups.
fn spread_to<V: Copy>(mut wide: Wide<V>, groups: usize) -> Wide<V> {
    if let Some(first) = wide.first().copied() {
        wide.resize(groups.max(wide.len()), first);
    }
    wide
}

/// A value computed before; of none there is nothing known.
pub(super) fn get<V>(known: &[Option<Known<V>>], v: ValueId) -> &Known<V> {
    known.get(v.index()).and_then(Option::as_ref).unwrap_or(const { &Known::NOTHING })
}
