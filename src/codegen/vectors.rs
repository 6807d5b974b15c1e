//! [`Lanes`] in 128-bit vectors of four numbers, through Cranelift.
//!
//! Each operation is emitted for all groups before the next one is, so that no instruction waits for the one just before
//! it. Constants lie in a table and are loaded anew at each use, often as part of the instruction, so that no register is
//! held; but see [`Vectors::hold`].

use super::helpers::Helper;
use super::lanes::{Lanes, One, Opd, Two, Wide};
use super::target::Features;
use cranelift::prelude::*;
use cranelift_codegen::ir::{BlockArg, Endianness, FuncRef, MemFlagsData};
use std::collections::BTreeMap;

pub(super) const VECTOR: Type = types::F32X4;
pub(super) const MASK: Type = types::I32X4;

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
pub(super) struct Vectors<'a, 'b> {
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

impl Vectors<'_, '_> {
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

    fn get(&mut self, opd: Opd<Value>, i: usize) -> Value {
        match opd {
            Opd::Of(wide) => wide[i],
            Opd::Num(x) => self.entry([x; 4]),
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

    /// Pairs of vectors, group by group.
    fn pairs(&mut self, a: Opd<Value>, b: Opd<Value>, f: impl Fn(&mut Self, Value, Value) -> Value) -> Wide {
        let each = |l: &mut Self, i| {
            let (a, b) = (l.get(a, i), l.get(b, i));
            f(l, a, b)
        };
        (0..a.groups().max(b.groups())).map(|i| each(self, i)).collect()
    }

    fn floor(&mut self, a: &Wide) -> Wide {
        if self.features.round {
            a.iter().map(|v| self.b.ins().floor(*v)).collect()
        } else {
            self.call(Helper::Floor, &[a])
        }
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

impl Lanes for Vectors<'_, '_> {
    type V = Value;

    fn spread(&mut self, x: f32, groups: usize) -> Wide {
        (0..groups).map(|_| self.entry([x; 4])).collect()
    }

    fn one(&mut self, op: One, a: &Wide) -> Wide {
        match op {
            One::Neg => self.with_bits(a, |l, v| {
                let sign = l.bits(1 << 31);
                l.b.ins().bxor(v, sign)
            }),
            One::Abs => self.with_bits(a, |l, v| {
                let rest = l.bits(!(1 << 31));
                l.b.ins().band(v, rest)
            }),
            One::Sqrt => a.iter().map(|v| self.b.ins().sqrt(*v)).collect(),
            One::Floor => self.floor(a),
            One::ExponentOf => self.with_bits(a, |l, v| {
                let by = l.b.ins().iconst(types::I32, 23);
                l.b.ins().ishl(v, by)
            }),
            One::ExponentBits => self.with_bits(a, |l, v| {
                let by = l.b.ins().iconst(types::I32, 23);
                l.b.ins().sshr(v, by)
            }),
            One::FromBits => a
                .iter()
                .map(|v| {
                    let bits = self.as_bits(*v);
                    self.b.ins().fcvt_from_sint(VECTOR, bits)
                })
                .collect(),
        }
    }

    fn two(&mut self, op: Two, a: Opd<Value>, b: Opd<Value>) -> Wide {
        self.pairs(a, b, |l, a, b| match op {
            Two::Add => l.b.ins().fadd(a, b),
            Two::Sub => l.b.ins().fsub(a, b),
            Two::Mul => l.b.ins().fmul(a, b),
            Two::Div => l.b.ins().fdiv(a, b),
            Two::Smaller => l.smaller(a, b),
            Two::Larger => l.larger(a, b),
            Two::AddBits | Two::SubBits | Two::AndBits => {
                let (a, b) = (l.as_bits(a), l.as_bits(b));
                let bits = match op {
                    Two::AddBits => l.b.ins().iadd(a, b),
                    Two::SubBits => l.b.ins().isub(a, b),
                    _ => l.b.ins().band(a, b),
                };
                l.as_numbers(bits)
            }
        })
    }

    fn fma<'x>(
        &mut self,
        a: impl Into<Opd<'x, Value>>,
        b: impl Into<Opd<'x, Value>>,
        c: impl Into<Opd<'x, Value>>,
    ) -> Wide {
        let (a, b, c) = (a.into(), b.into(), c.into());
        (0..a.groups().max(b.groups()).max(c.groups()))
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

    /// All bits of a lane are set where the comparison holds.
    fn compare<'x>(
        &mut self,
        cc: FloatCC,
        a: impl Into<Opd<'x, Value>>,
        b: impl Into<Opd<'x, Value>>,
    ) -> Wide {
        self.pairs(a.into(), b.into(), |l, a, b| l.b.ins().fcmp(cc, a, b))
    }

    fn choose<'x>(
        &mut self,
        mask: &Wide,
        a: impl Into<Opd<'x, Value>>,
        b: impl Into<Opd<'x, Value>>,
    ) -> Wide {
        let (a, b) = (a.into(), b.into());
        (0..mask.len())
            .map(|i| {
                let (a, b) = (self.get(a, i), self.get(b, i));
                let mask = self.as_numbers(mask[i]);
                self.b.ins().bitselect(mask, a, b)
            })
            .collect()
    }

    fn keep(&mut self, mask: &Wide, a: &Wide) -> Wide {
        (0..mask.len())
            .map(|i| {
                let bits = self.as_bits(a[i]);
                let kept = self.b.ins().band(mask[i], bits);
                self.as_numbers(kept)
            })
            .collect()
    }

    fn both(&mut self, a: &Wide, b: &Wide) -> Wide {
        (0..a.len()).map(|i| self.b.ins().band(a[i], b[i])).collect()
    }

    fn either(&mut self, a: &Wide, b: &Wide) -> Wide {
        (0..a.len()).map(|i| self.b.ins().bor(a[i], b[i])).collect()
    }

    fn not(&mut self, a: &Wide) -> Wide {
        a.iter().map(|v| self.b.ins().bnot(*v)).collect()
    }

    fn truth(&mut self, mask: &Wide) -> Wide {
        let one = 1f32.to_bits();
        mask.iter()
            .map(|v| {
                let one = self.bits(one);
                let kept = self.b.ins().band(*v, one);
                self.as_numbers(kept)
            })
            .collect()
    }

    fn call(&mut self, helper: Helper, args: &[&Wide]) -> Wide {
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
}
