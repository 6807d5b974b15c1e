//! Arithmetic on several vectors of four numbers at once.
//!
//! A [`Wide`] is one value of a kernel at `n` groups of four neighbouring indices. Each operation is emitted for all
//! groups before the next one is, so that no instruction waits for the one just before it. Constants lie in a table and
//! are loaded anew at each use, often as part of the instruction, so that no register is held; but see [`Lanes::hold`].

use super::helpers::Helper;
use super::target::Features;
use cranelift::prelude::*;
use cranelift_codegen::ir::{BlockArg, Endianness, FuncRef, MemFlagsData};
use std::collections::BTreeMap;

pub(super) const VECTOR: Type = types::F32X4;
pub(super) const MASK: Type = types::I32X4;

/// The same value at each group of four indices.
pub(super) type Wide = Vec<Value>;

/// An operand: computed, or a number.
#[derive(Clone, Copy, Debug)]
pub(super) enum Opd<'a> {
    Of(&'a [Value]),
    Num(f32),
}

impl<'a> From<&'a Wide> for Opd<'a> {
    fn from(wide: &'a Wide) -> Opd<'a> {
        Opd::Of(wide)
    }
}

impl From<f32> for Opd<'_> {
    fn from(number: f32) -> Self {
        Opd::Num(number)
    }
}

/// Sixteen-byte constants of one kernel, by bit pattern.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub entries: Vec<[u32; 4]>,
    places: BTreeMap<[u32; 4], i32>,
}

impl Table {
    fn place(&mut self, entry: [u32; 4]) -> i32 {
        let next = self.entries.len() as i32 * 16;
        *self.places.entry(entry).or_insert_with(|| {
            self.entries.push(entry);
            next
        })
    }
}

/// Emits the code of one kernel.
pub(super) struct Lanes<'a, 'b> {
    pub b: &'a mut FunctionBuilder<'b>,
    pub table: &'a mut Table,
    /// Address of the table.
    pub table_at: Value,
    pub features: Features,
    pub helpers: &'a BTreeMap<Helper, FuncRef>,
    /// Constants that stay in registers throughout a loop.
    pub held: BTreeMap<[u32; 4], Value>,
    /// How many of four lanes hold something: 4, or 1 in what is left over at the end of a row.
    pub used: u8,
}

/// Memory of kernels: always mapped, not always aligned to a vector.
pub(super) fn memory() -> MemFlagsData {
    MemFlagsData::new().with_notrap()
}

fn lane_order() -> MemFlagsData {
    MemFlagsData::new().with_endianness(Endianness::Little)
}

impl Lanes<'_, '_> {
    /// A constant of the table, as numbers.
    pub fn entry(&mut self, entry: [f32; 4]) -> Value {
        if let Some(held) = self.held.get(&entry.map(f32::to_bits)) {
            return *held;
        }
        let place = self.table.place(entry.map(f32::to_bits));
        self.b.ins().load(VECTOR, MemFlagsData::trusted(), self.table_at, place)
    }

    /// Loads constants that a loop uses often before it begins.
    pub fn hold(&mut self, constants: &[f32]) {
        for c in constants {
            let value = self.entry([*c; 4]);
            self.held.insert([c.to_bits(); 4], value);
        }
    }

    fn bits(&mut self, bits: u32) -> Value {
        let place = self.table.place([bits; 4]);
        self.b.ins().load(MASK, MemFlagsData::trusted(), self.table_at, place)
    }

    fn get(&mut self, opd: Opd, i: usize) -> Value {
        match opd {
            Opd::Of(wide) => wide[i],
            Opd::Num(x) => self.entry([x; 4]),
        }
    }

    pub fn spread(&mut self, x: f32, groups: usize) -> Wide {
        (0..groups).map(|_| self.entry([x; 4])).collect()
    }

    fn groups(opds: &[Opd]) -> usize {
        opds.iter().map(|o| if let Opd::Of(w) = o { w.len() } else { 1 }).max().unwrap_or(1)
    }

    fn two(&mut self, a: Opd, b: Opd, f: impl Fn(&mut Self, Value, Value) -> Value) -> Wide {
        let each = |l: &mut Self, i| {
            let (a, b) = (l.get(a, i), l.get(b, i));
            f(l, a, b)
        };
        (0..Self::groups(&[a, b])).map(|i| each(self, i)).collect()
    }

    pub fn add<'x>(&mut self, a: impl Into<Opd<'x>>, b: impl Into<Opd<'x>>) -> Wide {
        self.two(a.into(), b.into(), |l, a, b| l.b.ins().fadd(a, b))
    }

    pub fn sub<'x>(&mut self, a: impl Into<Opd<'x>>, b: impl Into<Opd<'x>>) -> Wide {
        self.two(a.into(), b.into(), |l, a, b| l.b.ins().fsub(a, b))
    }

    pub fn mul<'x>(&mut self, a: impl Into<Opd<'x>>, b: impl Into<Opd<'x>>) -> Wide {
        self.two(a.into(), b.into(), |l, a, b| l.b.ins().fmul(a, b))
    }

    pub fn div<'x>(&mut self, a: impl Into<Opd<'x>>, b: impl Into<Opd<'x>>) -> Wide {
        self.two(a.into(), b.into(), |l, a, b| l.b.ins().fdiv(a, b))
    }

    /// `a*b + c`, rounded once where the machine can, else twice.
    pub fn fma<'x>(&mut self, a: impl Into<Opd<'x>>, b: impl Into<Opd<'x>>, c: impl Into<Opd<'x>>) -> Wide {
        let (a, b, c) = (a.into(), b.into(), c.into());
        (0..Self::groups(&[a, b, c]))
            .map(|i| {
                // What is loaded last becomes part of the instruction.
                let (a, b, c) = (self.get(a, i), self.get(b, i), self.get(c, i));
                if self.features.fma {
                    self.b.ins().fma(a, b, c)
                } else {
                    let product = self.b.ins().fmul(a, b);
                    self.b.ins().fadd(product, c)
                }
            })
            .collect()
    }

    /// `Σ coefficients[i] * x^i`.
    pub fn polynomial(&mut self, x: &Wide, coefficients: &[f32]) -> Wide {
        let mut rest = coefficients.iter().rev();
        let highest = rest.next().copied().unwrap_or(0.0);
        let mut sum: Option<Wide> = None;
        for c in rest {
            sum = Some(match &sum {
                None => self.fma(x, highest, *c),
                Some(sum) => self.fma(sum, x, *c),
            });
        }
        sum.unwrap_or_else(|| self.spread(highest, x.len()))
    }

    pub fn neg(&mut self, a: &Wide) -> Wide {
        self.with_bits(a, |l, v| {
            let sign = l.bits(1 << 31);
            l.b.ins().bxor(v, sign)
        })
    }

    pub fn abs(&mut self, a: &Wide) -> Wide {
        self.with_bits(a, |l, v| {
            let rest = l.bits(!(1 << 31));
            l.b.ins().band(v, rest)
        })
    }

    pub fn sqrt(&mut self, a: &Wide) -> Wide {
        a.iter().map(|v| self.b.ins().sqrt(*v)).collect()
    }

    pub fn floor(&mut self, a: &Wide) -> Wide {
        if self.features.round {
            a.iter().map(|v| self.b.ins().floor(*v)).collect()
        } else {
            self.call(Helper::Floor, &[a])
        }
    }

    /// Changes the bits of numbers.
    fn with_bits(&mut self, a: &Wide, f: impl Fn(&mut Self, Value) -> Value) -> Wide {
        a.iter()
            .map(|v| {
                let bits = self.as_bits(*v);
                let changed = f(self, bits);
                self.as_numbers(changed)
            })
            .collect()
    }

    pub fn as_bits(&mut self, v: Value) -> Value {
        self.b.ins().bitcast(MASK, lane_order(), v)
    }

    pub fn as_numbers(&mut self, v: Value) -> Value {
        self.b.ins().bitcast(VECTOR, lane_order(), v)
    }

    /// The bits of whole numbers, shifted left into the exponent.
    pub fn exponent_of(&mut self, a: &Wide) -> Wide {
        self.with_bits(a, |l, v| {
            let by = l.b.ins().iconst(types::I32, 23);
            l.b.ins().ishl(v, by)
        })
    }

    /// Adds the bits as whole numbers.
    pub fn add_bits(&mut self, a: &Wide, b: &Wide) -> Wide {
        (0..a.len())
            .map(|i| {
                let (a, b) = (self.as_bits(a[i]), self.as_bits(b[i]));
                let sum = self.b.ins().iadd(a, b);
                self.as_numbers(sum)
            })
            .collect()
    }

    /// A number in `[√½, √2)` and the exponent of two that belongs to it, of numbers > 0.
    pub fn split(&mut self, a: &Wide) -> (Wide, Wide) {
        const HALF_ROOT: u32 = 0x3f35_04f3;
        let one = 1f32.to_bits();
        let mut parts = (Wide::new(), Wide::new());
        for v in a {
            let bits = self.as_bits(*v);
            let shift = self.bits(one - HALF_ROOT);
            let moved = self.b.ins().iadd(bits, shift);
            let by = self.b.ins().iconst(types::I32, 23);
            let exponent = self.b.ins().sshr(moved, by);
            let bias = self.bits(127);
            let exponent = self.b.ins().isub(exponent, bias);
            let fraction = self.bits(0x007f_ffff);
            let fraction = self.b.ins().band(moved, fraction);
            let base = self.bits(HALF_ROOT);
            let fraction = self.b.ins().iadd(fraction, base);
            parts.0.push(self.as_numbers(fraction));
            parts.1.push(self.b.ins().fcvt_from_sint(VECTOR, exponent));
        }
        parts
    }

    /// All bits of a lane set where the comparison holds.
    pub fn compare<'x>(&mut self, cc: FloatCC, a: impl Into<Opd<'x>>, b: impl Into<Opd<'x>>) -> Wide {
        self.two(a.into(), b.into(), |l, a, b| l.b.ins().fcmp(cc, a, b))
    }

    /// `a` where the mask is set, else `b`. Masks hold only whole lanes.
    pub fn choose<'x>(&mut self, mask: &Wide, a: impl Into<Opd<'x>>, b: impl Into<Opd<'x>>) -> Wide {
        let (a, b) = (a.into(), b.into());
        (0..mask.len())
            .map(|i| {
                let (a, b) = (self.get(a, i), self.get(b, i));
                let mask = self.as_numbers(mask[i]);
                self.b.ins().bitselect(mask, a, b)
            })
            .collect()
    }

    /// The numbers where the mask is set, else 0.
    pub fn keep(&mut self, mask: &Wide, a: &Wide) -> Wide {
        (0..mask.len())
            .map(|i| {
                let bits = self.as_bits(a[i]);
                let kept = self.b.ins().band(mask[i], bits);
                self.as_numbers(kept)
            })
            .collect()
    }

    pub fn both(&mut self, a: &Wide, b: &Wide) -> Wide {
        (0..a.len()).map(|i| self.b.ins().band(a[i], b[i])).collect()
    }

    pub fn either(&mut self, a: &Wide, b: &Wide) -> Wide {
        (0..a.len()).map(|i| self.b.ins().bor(a[i], b[i])).collect()
    }

    pub fn not(&mut self, a: &Wide) -> Wide {
        a.iter().map(|v| self.b.ins().bnot(*v)).collect()
    }

    /// 1 where the mask is set, else 0.
    pub fn truth(&mut self, mask: &Wide) -> Wide {
        let one = 1f32.to_bits();
        mask.iter()
            .map(|v| {
                let one = self.bits(one);
                let kept = self.b.ins().band(*v, one);
                self.as_numbers(kept)
            })
            .collect()
    }

    /// `min(x, most)`; NaN stays. The form becomes one instruction, which gives its second operand for NaN.
    pub fn at_most(&mut self, x: &Wide, most: f32) -> Wide {
        self.two(Opd::Num(most), x.into(), |l, m, x| l.smaller(m, x))
    }

    /// `max(x, least)`; NaN stays.
    pub fn at_least(&mut self, x: &Wide, least: f32) -> Wide {
        self.two(Opd::Num(least), x.into(), |l, m, x| l.larger(m, x))
    }

    /// `if a < b then a else b`.
    fn smaller(&mut self, a: Value, b: Value) -> Value {
        let mask = self.b.ins().fcmp(FloatCC::LessThan, a, b);
        let mask = self.as_numbers(mask);
        self.b.ins().bitselect(mask, a, b)
    }

    /// `if b < a then a else b`.
    fn larger(&mut self, a: Value, b: Value) -> Value {
        let mask = self.b.ins().fcmp(FloatCC::LessThan, b, a);
        let mask = self.as_numbers(mask);
        self.b.ins().bitselect(mask, a, b)
    }

    /// NaN if either is; of equal ones the first.
    pub fn max(&mut self, a: &Wide, b: &Wide) -> Wide {
        let most = self.two(b.into(), a.into(), |l, b, a| l.larger(b, a));
        let is_nan = self.compare(FloatCC::NotEqual, b, b);
        self.choose(&is_nan, b, &most)
    }

    /// NaN if either is; of equal ones the first.
    pub fn min(&mut self, a: &Wide, b: &Wide) -> Wide {
        let least = self.two(b.into(), a.into(), |l, b, a| l.smaller(b, a));
        let is_nan = self.compare(FloatCC::NotEqual, b, b);
        self.choose(&is_nan, b, &least)
    }

    /// Calls a helper for each element.
    pub fn call(&mut self, helper: Helper, args: &[&Wide]) -> Wide {
        let groups = args.iter().map(|a| a.len()).max().unwrap_or(0);
        let Some(function) = self.helpers.get(&helper).copied() else {
            // Every helper a kernel needs is declared before its code is emitted.
            return self.spread(f32::NAN, groups);
        };
        let mut all = Wide::new();
        for i in 0..groups {
            let mut result = args[0][i];
            for lane in 0..self.used {
                let args: Vec<Value> = args.iter().map(|a| self.b.ins().extractlane(a[i], lane)).collect();
                let call = self.b.ins().call(function, &args);
                let value = self.b.inst_results(call)[0];
                result = self.b.ins().insertlane(result, value, lane);
            }
            all.push(result);
        }
        all
    }

    /// Jumps to `then` or `or` without arguments.
    pub fn branch(&mut self, condition: Value, then: Block, or: Block) {
        let none: &[BlockArg] = &[];
        self.b.ins().brif(condition, then, none, or, none);
    }

    pub fn jump(&mut self, to: Block) {
        let none: &[BlockArg] = &[];
        self.b.ins().jump(to, none);
    }
}
