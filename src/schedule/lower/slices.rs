//! Slices and transposes.
//!
//! In: a value and the range of its first axis that is read. Out: the slice, pushed through elementwise operations and
//! products where the whole is read in slices only, so that each part is computed on its own.

use super::{Lowering, Res};
use crate::schedule::value::{Op, Term, Val};

/// How deep a slice is pushed through elementwise operations.
const MAX_PUSH: u32 = 128;

impl Lowering<'_> {
    pub(super) fn slice(&mut self, v: Val, start: usize, length: usize, depth: u32) -> Res<Val> {
        let mut shape = self.shape(v);
        if shape.first() == Some(&length) {
            return Ok(v);
        }
        if let Some(found) = self.slices.get(&(v, start, length)) {
            return Ok(*found);
        }
        if let Some(first) = shape.first_mut() {
            *first = length;
        }
        let sliced = self.value_sliced[v.index()] && depth < MAX_PUSH;
        let op = self.flow.op(v).clone();
        let result = match op {
            Op::Slice { arg, start: s } => self.slice(arg, s + start, length, depth)?,
            Op::Spread(a) => self.spread(a, shape)?,
            Op::Concat(parts) => self.slice_of_parts(v, &parts, start, length, shape)?,
            Op::Unary(u, a) if sliced => {
                let a = self.slice(a, start, length, depth + 1)?;
                self.push(Op::Unary(u, a), shape)?
            }
            Op::Binary(b, x, y) if sliced => {
                let x = self.slice_operand(x, start, length, depth)?;
                let y = self.slice_operand(y, start, length, depth)?;
                self.push(Op::Binary(b, x, y), shape)?
            }
            Op::Select(c, x, y) if sliced => {
                let c = self.slice_operand(c, start, length, depth)?;
                let x = self.slice_operand(x, start, length, depth)?;
                let y = self.slice_operand(y, start, length, depth)?;
                self.push(Op::Select(c, x, y), shape)?
            }
            Op::Acc(terms) if sliced => {
                let mut parts = Vec::new();
                for t in terms {
                    let rows = if t.transposed { t.matrix } else { self.transpose(t.matrix)? };
                    let rows = self.slice(rows, start, length, 0)?;
                    let (matrix, transposed) = self.matrix(rows, true)?;
                    parts.push(Term { matrix, transposed, vector: t.vector });
                }
                let level = self.flow.level(v);
                self.push_at(Op::Acc(parts), shape, level)?
            }
            _ if self.flow.op(v).is_immediate() => {
                let c = self.copy(v)?;
                self.push(Op::Slice { arg: c, start }, shape)?
            }
            _ => self.push(Op::Slice { arg: v, start }, shape)?,
        };
        self.slices.insert((v, start, length), result);
        Ok(result)
    }

    pub(super) fn slice_operand(&mut self, v: Val, start: usize, length: usize, depth: u32) -> Res<Val> {
        if self.flow.get(v).shape.is_empty() { Ok(v) } else { self.slice(v, start, length, depth + 1) }
    }

    /// A slice inside one part is a slice of the part.
    pub(super) fn slice_of_parts(
        &mut self,
        whole: Val,
        parts: &[Val],
        start: usize,
        length: usize,
        shape: Vec<usize>,
    ) -> Res<Val> {
        let mut at = 0;
        for p in parts {
            let extent = self.flow.get(*p).shape.first().copied().unwrap_or(0);
            if start >= at && start + length <= at + extent {
                return self.slice(*p, start - at, length, 1);
            }
            at += extent;
        }
        self.push(Op::Slice { arg: whole, start }, shape)
    }

    pub(super) fn transpose(&mut self, v: Val) -> Res<Val> {
        if let Op::Transpose(x) = *self.flow.op(v) {
            return Ok(x);
        }
        let mut shape = self.shape(v);
        shape.reverse();
        self.push(Op::Transpose(v), shape)
    }
}
