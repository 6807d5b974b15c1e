//! The body of a loop as operations on vectors of sixteen numbers, each computed once.
//!
//! A [`Body`] is recorded through [`Lanes`] and holds no registers and no addresses but symbolic ones. Equal operations
//! are recorded once. What no vector instruction does marks the body as refused.

use super::super::helpers::Helper;
use super::super::lanes::{Lanes, One, Opd, Two, Wide};
use cranelift::prelude::FloatCC;
use std::collections::BTreeMap;
use std::fmt;

/// The result of the operation with this number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct V(pub u32);

impl V {
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// One number for all lanes that is known before the loop.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Uniform {
    /// By its bits.
    Number(u32),
    /// A word of the stack frame.
    Slot(u32),
}

/// Where a row is read or written: from the base with this number, `disp` bytes on, `stride` elements from lane to lane.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Place {
    pub base: usize,
    pub disp: i32,
    pub stride: usize,
}

/// A vector of running results: of which fold, and which of its vectors.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Running {
    pub fold: usize,
    pub part: usize,
}

/// Arithmetic on two vectors.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Pair {
    Add,
    Sub,
    Mul,
    Div,
    /// As [`Two::Smaller`].
    Min,
    /// As [`Two::Larger`].
    Max,
    AddInt,
    SubInt,
    And,
    Xor,
}

/// Arithmetic on one vector.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Single {
    Sqrt,
    Floor,
    ShiftLeft(u8),
    ShiftRight(u8),
    FromInt,
}

/// A comparison as its instruction numbers it; false for NaN but for `Ne`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Relation {
    Eq = 0x00,
    Ne = 0x04,
    Lt = 0x11,
    Le = 0x12,
    Ge = 0x1d,
    Gt = 0x1e,
}

impl Relation {
    pub fn mirrored(self) -> Relation {
        match self {
            Relation::Eq | Relation::Ne => self,
            Relation::Lt => Relation::Gt,
            Relation::Le => Relation::Ge,
            Relation::Ge => Relation::Le,
            Relation::Gt => Relation::Lt,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Op {
    Uniform(Uniform),
    Load(Place),
    /// One number in all lanes.
    Broadcast(Place),
    /// What is in the vector register with this number already.
    Given(u8),
    /// The index of the loop in each lane, so much further, as a number.
    Index(u32),
    /// The count in a word of the stack frame, as an integer in all lanes.
    Counter(u32),
    Single(Single, V),
    Pair(Pair, V, V),
    /// `a*b + c`
    Fma(V, V, V),
    Compare(Relation, V, V),
    Choose(V, V, V),
    Keep(V, V),
    Both(V, V),
    Either(V, V),
    Not(V),
    Store(Place, V),
    /// What is folded so far.
    Running(Running),
    /// Of so many lanes times two, the upper half in place of the lower.
    Half(u8, V),
    /// The running result and a value, of the lanes that are there.
    Accumulate(Pair, Running, V),
    /// A new running result, in the lanes that are there.
    Become(Running, V),
    /// The first lane into memory.
    Put(Place, V),
    /// The first lane into a word of the stack frame.
    Set(u32, V),
}

impl Op {
    fn each_operand(&mut self, mut f: impl FnMut(&mut V)) {
        match self {
            Op::Uniform(_)
            | Op::Given(_)
            | Op::Load(_)
            | Op::Broadcast(_)
            | Op::Index(_)
            | Op::Counter(_)
            | Op::Running(_) => {}
            Op::Single(_, a)
            | Op::Not(a)
            | Op::Store(_, a)
            | Op::Set(_, a)
            | Op::Half(_, a)
            | Op::Accumulate(_, _, a)
            | Op::Become(_, a)
            | Op::Put(_, a) => f(a),
            Op::Pair(_, a, b) | Op::Compare(_, a, b) | Op::Keep(a, b) | Op::Both(a, b) | Op::Either(a, b) => {
                f(a);
                f(b);
            }
            Op::Fma(a, b, c) | Op::Choose(a, b, c) => [a, b, c].into_iter().for_each(f),
        }
    }

    pub fn operands(mut self) -> impl Iterator<Item = V> {
        let (mut all, mut count) = ([None; 3], 0);
        self.each_operand(|v| {
            all[count] = Some(*v);
            count += 1;
        });
        all.into_iter().flatten()
    }

    /// The same operation on other values.
    pub fn with_operands(mut self, of: impl Fn(V) -> V) -> Op {
        self.each_operand(|v| *v = of(*v));
        self
    }

    pub fn is_mask(self) -> bool {
        matches!(self, Op::Compare(..) | Op::Both(..) | Op::Either(..) | Op::Not(_))
    }

    pub fn is_effect(self) -> bool {
        self.is_running_effect() || matches!(self, Op::Store(..) | Op::Set(..) | Op::Put(..))
    }

    /// Changes nothing but a running result.
    pub fn is_running_effect(self) -> bool {
        matches!(self, Op::Accumulate(..) | Op::Become(..))
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Body {
    pub ops: Vec<Op>,
    found: BTreeMap<Op, V>,
    /// Something cannot be said.
    pub refused: bool,
}

impl Body {
    /// The result of an operation, computed once; what touches memory is as often as it is asked for.
    pub fn push(&mut self, op: Op) -> V {
        let next = V(self.ops.len() as u32);
        if !op.is_effect() && !matches!(op, Op::Load(_) | Op::Broadcast(_)) {
            if let Some(found) = self.found.get(&op) {
                return *found;
            }
            self.found.insert(op, next);
        }
        self.ops.push(op);
        next
    }

    pub fn number(&mut self, x: f32) -> V {
        self.bits(x.to_bits())
    }

    fn bits(&mut self, bits: u32) -> V {
        self.push(Op::Uniform(Uniform::Number(bits)))
    }

    fn get(&mut self, opd: Opd<V>) -> V {
        match opd {
            Opd::Of(wide) => wide[0],
            Opd::Num(x) => self.number(x),
        }
    }

    fn pair(&mut self, op: Pair, a: V, b: V) -> V {
        self.push(Op::Pair(op, a, b))
    }

    /// The same for so many vectors one behind another, operation by operation in turn: no one waits for the one just
    /// before it. Each vector has so many registers given. `None` if a distance does not fit.
    pub fn side_by_side(&self, vectors: usize, lanes: usize, given: usize) -> Option<Body> {
        let turns = (0..self.ops.len()).flat_map(|i| (0..vectors).map(move |g| (i, g)));
        self.repeated(vectors, lanes, given, turns)
    }

    /// The same for so many vectors, one after another.
    pub fn in_turn(&self, vectors: usize, lanes: usize, given: usize) -> Option<Body> {
        let turns = (0..vectors).flat_map(|g| (0..self.ops.len()).map(move |i| (i, g)));
        self.repeated(vectors, lanes, given, turns)
    }

    /// `turns`: operations, and for which of the vectors.
    fn repeated(
        &self,
        vectors: usize,
        lanes: usize,
        given: usize,
        turns: impl Iterator<Item = (usize, usize)>,
    ) -> Option<Body> {
        let mut all = Body::default();
        // For each vector, its results.
        let mut of = vec![Vec::with_capacity(self.ops.len()); vectors];
        let used = self.is_used();
        for (i, g) in turns {
            let results = &mut of[g];
            let by = |place: Place| {
                let bytes = i32::try_from(4 * lanes * g * place.stride).ok()?;
                Some(Place { disp: place.disp.checked_add(bytes)?, ..place })
            };
            let next = |running: Running| Running { part: running.part + g, ..running };
            let op = match self.ops[i] {
                Op::Load(place) => Op::Load(by(place)?),
                Op::Store(place, v) => Op::Store(by(place)?, v),
                Op::Index(further) => Op::Index(further + (lanes * g) as u32),
                Op::Given(register) => Op::Given(register + (given * g) as u8),
                Op::Running(running) => Op::Running(next(running)),
                Op::Accumulate(pair, running, v) => Op::Accumulate(pair, next(running), v),
                Op::Become(running, v) => Op::Become(next(running), v),
                Op::Set(..) | Op::Put(..) => return None,
                other => other,
            };
            let op = op.with_operands(|v: V| results[v.index()]);
            // What nothing depends on keeps its number and has no operation.
            let result = if used[i] { all.push(op) } else { V(0) };
            results.push(result);
        }
        Some(all)
    }

    /// For each operation, whether something depends on it.
    pub fn is_used(&self) -> Vec<bool> {
        let mut used: Vec<bool> = self.ops.iter().map(|op| op.is_effect()).collect();
        for (i, op) in self.ops.iter().enumerate().rev() {
            if used[i] {
                op.operands().for_each(|v| used[v.index()] = true);
            }
        }
        used
    }
}

impl Lanes for Body {
    type V = V;

    fn spread(&mut self, x: f32, groups: usize) -> Wide<V> {
        vec![self.number(x); groups]
    }

    fn one(&mut self, op: One, a: &Wide<V>) -> Wide<V> {
        let a = a[0];
        vec![match op {
            One::Neg => {
                let sign = self.bits(1 << 31);
                self.pair(Pair::Xor, a, sign)
            }
            One::Abs => {
                let rest = self.bits(!(1 << 31));
                self.pair(Pair::And, a, rest)
            }
            One::Sqrt => self.push(Op::Single(Single::Sqrt, a)),
            One::Floor => self.push(Op::Single(Single::Floor, a)),
            One::ExponentOf => self.push(Op::Single(Single::ShiftLeft(23), a)),
            One::ExponentBits => self.push(Op::Single(Single::ShiftRight(23), a)),
            One::FromBits => self.push(Op::Single(Single::FromInt, a)),
        }]
    }

    fn two(&mut self, op: Two, a: Opd<V>, b: Opd<V>) -> Wide<V> {
        let (a, b) = (self.get(a), self.get(b));
        let op = match op {
            Two::Add => Pair::Add,
            Two::Sub => Pair::Sub,
            Two::Mul => Pair::Mul,
            Two::Div => Pair::Div,
            Two::Smaller => Pair::Min,
            Two::Larger => Pair::Max,
            Two::AddBits => Pair::AddInt,
            Two::SubBits => Pair::SubInt,
            Two::AndBits => Pair::And,
        };
        vec![self.pair(op, a, b)]
    }

    fn fma<'x>(
        &mut self,
        a: impl Into<Opd<'x, V>>,
        b: impl Into<Opd<'x, V>>,
        c: impl Into<Opd<'x, V>>,
    ) -> Wide<V> {
        let (a, b, c) = (self.get(a.into()), self.get(b.into()), self.get(c.into()));
        vec![self.push(Op::Fma(a, b, c))]
    }

    fn compare<'x>(&mut self, cc: FloatCC, a: impl Into<Opd<'x, V>>, b: impl Into<Opd<'x, V>>) -> Wide<V> {
        let (a, b) = (self.get(a.into()), self.get(b.into()));
        let relation = match cc {
            FloatCC::Equal => Relation::Eq,
            FloatCC::NotEqual => Relation::Ne,
            FloatCC::LessThan => Relation::Lt,
            FloatCC::LessThanOrEqual => Relation::Le,
            FloatCC::GreaterThan => Relation::Gt,
            FloatCC::GreaterThanOrEqual => Relation::Ge,
            _ => {
                self.refused = true;
                Relation::Eq
            }
        };
        vec![self.push(Op::Compare(relation, a, b))]
    }

    fn choose<'x>(&mut self, mask: &Wide<V>, a: impl Into<Opd<'x, V>>, b: impl Into<Opd<'x, V>>) -> Wide<V> {
        let (a, b) = (self.get(a.into()), self.get(b.into()));
        vec![self.push(Op::Choose(mask[0], a, b))]
    }

    fn keep(&mut self, mask: &Wide<V>, a: &Wide<V>) -> Wide<V> {
        vec![self.push(Op::Keep(mask[0], a[0]))]
    }

    fn both(&mut self, a: &Wide<V>, b: &Wide<V>) -> Wide<V> {
        vec![self.push(Op::Both(a[0], b[0]))]
    }

    fn either(&mut self, a: &Wide<V>, b: &Wide<V>) -> Wide<V> {
        vec![self.push(Op::Either(a[0], b[0]))]
    }

    fn not(&mut self, mask: &Wide<V>) -> Wide<V> {
        vec![self.push(Op::Not(mask[0]))]
    }

    fn truth(&mut self, mask: &Wide<V>) -> Wide<V> {
        let one = self.number(1.0);
        vec![self.push(Op::Keep(mask[0], one))]
    }

    /// A call would cost all vector registers.
    fn call(&mut self, _: Helper, args: &[&Wide<V>]) -> Wide<V> {
        self.refused = true;
        args[0].clone()
    }
}

/// One operation a line, those that something depends on.
impl fmt::Display for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let used = self.is_used();
        for (i, op) in self.ops.iter().enumerate().filter(|(i, _)| used[*i]) {
            let name = |v: V| match self.ops[v.index()] {
                Op::Uniform(Uniform::Number(bits)) => format!("{:e}", f32::from_bits(bits)),
                Op::Uniform(Uniform::Slot(at)) => format!("s{at}"),
                _ => format!("v{}", v.0),
            };
            let place = |p: &Place| format!("[b{}+{}+i*{}]", p.base, p.disp, 4 * p.stride);
            let running = |at: &Running| format!("r{}.{}", at.fold, at.part);
            let operands: Vec<String> = op.operands().map(name).collect();
            let operands = operands.join(" ");
            let text = match op {
                Op::Uniform(_) => continue,
                Op::Given(register) => format!("zmm{register}"),
                Op::Load(p) | Op::Broadcast(p) => place(p),
                Op::Index(0) => "i".into(),
                Op::Index(by) => format!("i+{by}"),
                Op::Counter(at) => format!("counter s{at}"),
                Op::Single(single, _) => format!("{single:?} {operands}").to_lowercase(),
                Op::Pair(pair, ..) => format!("{pair:?} {operands}").to_lowercase(),
                Op::Compare(relation, ..) => format!("{relation:?} {operands}").to_lowercase(),
                Op::Fma(..) => format!("fma {operands}"),
                Op::Choose(..) => format!("choose {operands}"),
                Op::Keep(..) => format!("keep {operands}"),
                Op::Both(..) => format!("both {operands}"),
                Op::Either(..) => format!("either {operands}"),
                Op::Not(_) => format!("not {operands}"),
                Op::Running(at) => running(at),
                Op::Half(lanes, _) => format!("upper {lanes} of {operands}"),
                Op::Accumulate(pair, at, _) => {
                    let pair = format!("{pair:?}").to_lowercase();
                    writeln!(f, "    {at} = {pair} {at} {operands}", at = running(at))?;
                    continue;
                }
                Op::Become(at, _) => {
                    writeln!(f, "    {} = {operands}", running(at))?;
                    continue;
                }
                Op::Put(p, _) => {
                    writeln!(f, "    first of {} = {operands}", place(p))?;
                    continue;
                }
                Op::Store(p, _) => {
                    writeln!(f, "    {} = {operands}", place(p))?;
                    continue;
                }
                Op::Set(at, _) => {
                    writeln!(f, "    s{at} = {operands}")?;
                    continue;
                }
            };
            writeln!(f, "    v{i} = {text}")?;
        }
        Ok(())
    }
}
