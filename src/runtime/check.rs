//! Is a program sound? Checked once, before anything runs.
//!
//! In: a [`Program`] from the scheduler. Out: [`Limits`], or an internal error. Afterwards every id names something,
//! every operand lies within its buffer, every kernel argument within its row, whatever batch size and lengths come.
//! So the executor has no case of its own for a program that does not hold together.

use super::errors;
use crate::codegen::reach::{extents_of, reach};
use crate::diag::Diagnostic;
use crate::eqn::DomainId;
use crate::loops::{
    Access, Arg, Buffer, BufferId, Effect, Elem, Inst, Kernel, Operand, PANEL, Place, Program, Relation,
    Stage, TableId, ValueId,
};

/// For each kernel and argument: elements of a row from where the argument begins, the least over all calls.
pub type Limits = Vec<Vec<usize>>;

/// Rows and ids stay exact in 32-bit floating point up to here.
const GREATEST_COUNT: usize = 1 << 24;

type Claim<T> = Result<T, String>;

pub fn check(program: &Program) -> Result<Limits, Diagnostic> {
    let limits = program.kernels.iter().map(|k| vec![usize::MAX; k.args.len()]).collect();
    let mut check = Checker { program, limits, inside: Vec::new() };
    check.all().map_err(|what| errors::internal(&what))?;
    Ok(check.limits)
}

struct Checker<'a> {
    program: &'a Program,
    limits: Limits,
    inside: Vec<DomainId>,
}

fn claim(holds: bool, what: impl FnOnce() -> String) -> Claim<()> {
    if holds { Ok(()) } else { Err(what()) }
}

impl<'a> Checker<'a> {
    fn all(&mut self) -> Claim<()> {
        for b in &self.program.buffers {
            if let Place::Over { domain, before, after } = b.place {
                self.domain(domain)?;
                let halo = before > 0 || after > 0;
                claim(!halo || !self.program.domains[domain.index()].is_indexed(), || {
                    format!("`{}` has a halo of points that are not there", b.name)
                })?;
            }
        }
        for (i, kernel) in self.program.kernels.iter().enumerate() {
            self.kernel(kernel).map_err(|e| format!("kernel k{i} `{}`: {e}", kernel.name))?;
        }
        for w in &self.program.weights {
            self.weight(w).map_err(|e| format!("weight `{}`: {e}", w.name))?;
        }
        for (part, stages) in [("prepare", &self.program.prepare), ("run", &self.program.stages)] {
            self.stages(stages).map_err(|e| format!("{part}: {e}"))?;
        }
        for input in &self.program.inputs {
            let buffer =
                self.array(&input.at, &input.shape).map_err(|e| format!("input `{}`: {e}", input.name))?;
            claim((buffer.elem == Elem::I32) == input.symbols.is_some(), || {
                format!("input `{}` is neither numbers nor ids", input.name)
            })?;
            claim(input.symbols.is_none_or(|k| k <= GREATEST_COUNT), || {
                format!("input `{}` has more than {GREATEST_COUNT} symbols", input.name)
            })?;
        }
        for output in &self.program.outputs {
            self.array(&output.at, &output.shape).map_err(|e| format!("output `{}`: {e}", output.name))?;
        }
        for (kernel, limits) in self.program.kernels.iter().zip(&self.limits) {
            self.within(kernel, limits).map_err(|e| format!("kernel `{}`: {e}", kernel.name))?;
        }
        Ok(())
    }

    fn domain(&self, domain: DomainId) -> Claim<()> {
        claim(domain.index() < self.program.domains.len(), || format!("there is no domain {}", domain.0))
    }

    fn buffer(&self, id: BufferId) -> Claim<&'a Buffer> {
        self.program.buffers.get(id.index()).ok_or_else(|| format!("there is no buffer {}", id.0))
    }

    /// The buffer of an operand of `width` columns.
    fn operand(&self, at: &Operand, width: usize) -> Claim<&'a Buffer> {
        let buffer = self.buffer(at.buffer)?;
        let fits = at.column.checked_add(width).is_some_and(|end| end <= buffer.width);
        claim(fits, || format!("columns {}..+{width} of `{}[{}]`", at.column, buffer.name, buffer.width))?;
        if let Place::Over { before, after, .. } = buffer.place {
            let within = -i64::from(before) <= i64::from(at.lag) && i64::from(at.lag) <= i64::from(after);
            claim(within, || format!("lag {} of `{}` with halo {before}, {after}", at.lag, buffer.name))?;
        }
        Ok(buffer)
    }

    fn array(&self, at: &Operand, shape: &[usize]) -> Claim<&'a Buffer> {
        let width = shape.iter().try_fold(1usize, |n, e| n.checked_mul(*e)).ok_or("its shape overflows")?;
        self.operand(at, width)
    }

    fn weight(&self, w: &crate::loops::Weight) -> Claim<()> {
        claim(w.k.checked_mul(w.n).is_some(), || "its size overflows".into())?;
        for p in &w.parts {
            let size = p.rows.checked_mul(p.cols).ok_or("the size of a part overflows")?;
            let buffer = self.operand(&p.source, size)?;
            claim(buffer.place == Place::Shared && buffer.elem == Elem::F32, || {
                format!("`{}` is not shared by all rows", buffer.name)
            })?;
            let (rows, cols) = if p.transposed { (p.cols, p.rows) } else { (p.rows, p.cols) };
            let fits = |at: usize, len: usize, end: usize| at.checked_add(len).is_some_and(|e| e <= end);
            claim(fits(p.k0, rows, w.k) && fits(p.n0, cols, w.n), || "a part lies outside".into())?;
        }
        Ok(())
    }

    fn stages(&mut self, stages: &[Stage]) -> Claim<()> {
        for stage in stages {
            if let Stage::Fronts { front, body, .. } = stage {
                for (axis, _) in &front.0 {
                    self.domain(*axis)?;
                }
                self.stages(body)?;
            } else if let Stage::Loop { domain, body, .. } = stage {
                self.domain(*domain)?;
                claim(!self.inside.contains(domain), || "a loop inside a loop of the same domain".into())?;
                self.inside.push(*domain);
                self.stages(body)?;
                self.inside.pop();
            } else {
                self.stage(stage)?;
            }
        }
        Ok(())
    }

    /// Rows of `place` can be read, or added to, at every row of `over`.
    fn reaches(&self, buffer: &Buffer, over: Place) -> Claim<()> {
        let fine = match (buffer.place, over) {
            (Place::Shared, _) | (Place::Example, Place::Example | Place::Over { .. }) => true,
            (Place::Over { domain: a, .. }, Place::Over { domain: b, .. }) => a == b,
            // Inside a loop this is the current step.
            (Place::Over { domain, .. }, Place::Example) => self.inside.contains(&domain),
            (Place::Example | Place::Over { .. }, Place::Shared) => false,
        };
        claim(fine, || format!("`{}` has more rows than the stage", buffer.name))
    }

    fn f32(&self, at: &Operand, width: usize) -> Claim<&'a Buffer> {
        let buffer = self.operand(at, width)?;
        claim(buffer.elem == Elem::F32, || format!("`{}` holds ids", buffer.name))?;
        Ok(buffer)
    }

    fn over(&self, at: &Operand, width: usize) -> Claim<DomainId> {
        let buffer = self.operand(at, width)?;
        match buffer.place {
            Place::Over { domain, .. } => Ok(domain),
            _ => Err(format!("`{}` is not over a domain", buffer.name)),
        }
    }

    fn per_example(&self, at: &Operand, width: usize) -> Claim<()> {
        let buffer = self.operand(at, width)?;
        let lower = matches!(buffer.place, Place::Shared | Place::Example);
        claim(lower, || format!("`{}` has no row per example", buffer.name))
    }

    fn stage(&mut self, stage: &Stage) -> Claim<()> {
        match stage {
            Stage::Loop { .. } | Stage::Fronts { .. } => Ok(()),
            Stage::Collect { from, out, width, table } => {
                self.table(from, out, *width, *table, false)?;
                self.same_elem(&from.iter().chain([out]).collect::<Vec<_>>())
            }
            Stage::Fold { fold: _, from, out, width, table } => {
                claim(from.buffer != out.buffer, || "a fold overwrites its operand".into())?;
                self.f32(from, *width)?;
                self.f32(out, *width)?;
                self.table(std::slice::from_ref(from), out, *width, *table, true)
            }
            Stage::Number { of: _, axis, out } => {
                self.domain(*axis)?;
                let domain = self.over(out, 1)?;
                self.f32(out, 1)?;
                claim(self.program.domains[domain.index()].is_indexed(), || "a number for padding".into())
            }
            Stage::Product { a, weight, out, accumulate: _ } => {
                let w = self.program.weights.get(weight.index()).ok_or("there is no such weight")?;
                let (from, to) = (self.f32(a, w.k)?, self.f32(out, w.n)?);
                if a.buffer == out.buffer {
                    let beside = a.column + w.k <= out.column || out.column + w.n <= a.column;
                    let in_loop =
                        matches!(to.place, Place::Over { domain, .. } if self.inside.contains(&domain));
                    let apart = beside || (in_loop && a.lag != out.lag);
                    claim(apart, || format!("the product by `{}` overwrites its operand", w.name))?;
                }
                self.reaches(from, to.place).map_err(|e| format!("product by `{}`: {e}", w.name))
            }
            Stage::Outer { a, m, b, n, rows, out, out_stride, accumulate: _ } => {
                let apart = a.buffer != out.buffer && b.buffer != out.buffer;
                claim(apart, || "an outer product overwrites its operand".into())?;
                let all = |width: &usize| {
                    let all = width.checked_mul(rows.unwrap_or(1));
                    all.ok_or("the size of a product of matrices overflows")
                };
                let (a, b) = (self.f32(a, all(m)?)?, self.f32(b, all(n)?)?);
                let same = match (a.place, b.place) {
                    (x, y) if rows.is_some() => x == Place::Shared && y == Place::Shared,
                    (Place::Over { domain: x, .. }, Place::Over { domain: y, .. }) => x == y,
                    (x, y) => x == Place::Shared || x == y,
                };
                claim(same, || format!("outer product of `{}` and `{}`: different rows", a.name, b.name))?;
                claim(n <= out_stride, || "rows of an outer product overlap".into())?;
                let size = m.saturating_sub(1).checked_mul(*out_stride).and_then(|s| s.checked_add(*n));
                let out = self.f32(out, size.ok_or("the size of an outer product overflows")?)?;
                claim(out.place == Place::Shared, || format!("`{}` is not shared by all rows", out.name))
            }
            Stage::Tally { index, value, out, width, symbols } => {
                let size = width.checked_mul(*symbols).ok_or("the size of a sum by symbol overflows")?;
                let domain = self.over(index, 1)?;
                claim(domain == self.over(value, *width)?, || "a sum by symbols of other rows".into())?;
                let is_chain = !self.program.domains[domain.index()].is_indexed();
                claim(is_chain && self.inside.is_empty(), || "a sum by symbol within a loop".into())?;
                claim(self.buffer(index.buffer)?.elem == Elem::I32, || "a symbol is no id".into())?;
                self.f32(value, *width)?;
                let to = self.f32(out, size)?;
                let shared = to.place == Place::Shared && out.buffer != value.buffer;
                claim(shared, || format!("`{}` is not shared by all rows", to.name))
            }
            Stage::Map { kernel, over, args } => self.map(kernel.index(), *over, args),
            Stage::Fill { out, width, value: _ } => self.operand(out, *width).map(|_| ()),
            Stage::Boundary { state, width, from, distance, after } => {
                self.over(state, *width)?;
                self.per_example(from, *width)?;
                if let Place::Over { before, after: behind, .. } = self.buffer(state.buffer)?.place {
                    let halo = if *after { behind } else { before };
                    claim((1..=halo).contains(distance), || {
                        format!("boundary at distance {distance} of {halo}")
                    })?;
                }
                self.same_elem(&[state, from])
            }
            Stage::Mask { out, width, fill } => {
                self.over(out, *width)?;
                if let Some(fill) = fill {
                    self.per_example(fill, *width)?;
                    self.same_elem(&[out, fill])?;
                }
                Ok(())
            }
            Stage::Reverse { from, out, width } => {
                claim(self.over(from, *width)? == self.over(out, *width)?, || {
                    "reversed into another domain".into()
                })?;
                claim(from.buffer != out.buffer, || "reversed into itself".into())?;
                self.same_elem(&[from, out])
            }
            Stage::Take { from, out, width, point: _, empty } => {
                self.over(from, *width)?;
                self.per_example(empty, *width)?;
                let to = self.operand(out, *width)?;
                claim(to.place == Place::Example, || format!("`{}` has no row per example", to.name))?;
                self.same_elem(&[from, out, empty])
            }
        }
    }

    /// The table fits the places, and says of each row one source or several rows.
    fn table(&self, from: &[Operand], out: &Operand, width: usize, id: TableId, many: bool) -> Claim<()> {
        let table =
            self.program.tables.get(id.index()).ok_or_else(|| format!("there is no table {}", id.0))?;
        let here = |e: String| format!("table x{}: {e}", id.0);
        let same = |a: Place, b: Place| match (a, b) {
            (Place::Over { domain: a, .. }, Place::Over { domain: b, .. }) => a == b,
            (a, b) => a == b,
        };
        let sources = match &table.relation {
            Relation::Lag { init, sides, .. } => {
                claim(*init > 0, || here("nothing is outside".into()))?;
                1 + init + sides.len()
            }
            Relation::At { .. } => 2,
            Relation::Parts(_) => from.len(),
            Relation::Same | Relation::Remap(_) | Relation::Flatten { .. } | Relation::Below => 1,
        };
        claim(many == (table.relation == Relation::Below), || here("rows for another stage".into()))?;
        claim(from.len() == sources && table.from.len() == sources, || here(format!("{sources} sources")))?;
        claim(same(self.operand(out, width)?.place, table.to), || here("rows of another place".into()))?;
        for (o, place) in from.iter().zip(&table.from) {
            let buffer = self.operand(o, width)?;
            claim(same(buffer.place, *place), || here(format!("`{}` is over another place", buffer.name)))?;
        }
        Ok(())
    }

    fn same_elem(&self, operands: &[&Operand]) -> Claim<()> {
        let mut elems = operands.iter().map(|o| self.buffer(o.buffer).map(|b| b.elem));
        let first = elems.next().transpose()?;
        for elem in elems {
            claim(Some(elem?) == first, || "ids copied into numbers".into())?;
        }
        Ok(())
    }

    fn map(&mut self, kernel: usize, over: Place, args: &[Arg]) -> Claim<()> {
        let k = self.program.kernels.get(kernel).ok_or_else(|| format!("there is no kernel {kernel}"))?;
        let here = |e: String| format!("kernel `{}`: {e}", k.name);
        claim(k.args.len() == args.len(), || here("wrong number of arguments".into()))?;
        if let Place::Over { domain, .. } = over {
            self.domain(domain)?;
        }
        for (i, (arg, declared)) in args.iter().zip(&k.args).enumerate() {
            let limit = match arg {
                Arg::Rows(at) => {
                    let buffer = self.operand(at, 0).map_err(here)?;
                    self.reaches(buffer, over).map_err(here)?;
                    claim(buffer.elem == declared.elem, || here(format!("argument {i} has another type")))?;
                    let stride = match (buffer.place, over) {
                        (Place::Shared, Place::Shared) => declared.row_stride,
                        (Place::Shared, _) => 0,
                        _ => buffer.width,
                    };
                    claim(declared.row_stride == stride, || {
                        here(format!(
                            "row stride {} of `{}[{}]`",
                            declared.row_stride, buffer.name, buffer.width
                        ))
                    })?;
                    buffer.width - at.column
                }
                Arg::Weight(weight) => {
                    let w = self
                        .program
                        .weights
                        .get(weight.index())
                        .ok_or_else(|| here("no such weight".into()))?;
                    claim(declared.row_stride == 0, || here(format!("weight as argument {i}")))?;
                    w.n.checked_next_multiple_of(PANEL)
                        .and_then(|n| n.checked_mul(w.k))
                        .ok_or_else(|| here("the size of a weight overflows".into()))?
                }
                Arg::Position(domain) => {
                    self.domain(*domain)?;
                    let there = self.inside.contains(domain)
                        || matches!(over, Place::Over { domain: d, .. } if d == *domain);
                    claim(there && declared.row_stride == 0, || here(format!("position as argument {i}")))?;
                    1
                }
                Arg::Length(domain) => {
                    self.domain(*domain)?;
                    claim(declared.row_stride == 1 && over != Place::Shared, || {
                        here(format!("length as argument {i}"))
                    })?;
                    1
                }
            };
            if !matches!(arg, Arg::Rows(_)) {
                claim(declared.elem == Elem::F32 && !declared.written, || {
                    here(format!("argument {i} is written"))
                })?;
            }
            let least = &mut self.limits[kernel][i];
            *least = (*least).min(limit);
        }
        Ok(())
    }

    fn kernel(&self, kernel: &Kernel) -> Claim<()> {
        for nest in &kernel.nests {
            let count = nest.extents.iter().try_fold(1usize, |n, e| n.checked_mul(*e));
            claim(count.is_some_and(|n| n <= isize::MAX as usize), || "extents overflow".into())?;
            let rank = nest.extents.len();
            let value = |v: &ValueId, before: usize| {
                claim(v.index() < before, || format!("value v{} is used before it is there", v.0))
            };
            let scalar = |s: &crate::loops::ScalarId| {
                claim(s.0 < kernel.scalars, || format!("there is no scalar s{}", s.0))
            };
            let access = |a: &Access, rank: usize, write: bool, add: bool| {
                let arg = kernel
                    .args
                    .get(a.arg.index())
                    .ok_or_else(|| format!("there is no argument {}", a.arg.0))?;
                claim(a.strides.len() == rank, || format!("{} strides in {rank} loops", a.strides.len()))?;
                claim(!write || arg.written, || format!("argument {} is read only", a.arg.0))?;
                claim(!add || arg.elem == Elem::F32, || format!("adds to the ids of argument {}", a.arg.0))?;
                claim(reach(a, &nest.extents[..rank]).is_some(), || "an access overflows".into())
            };
            for (i, inst) in nest.insts.iter().enumerate() {
                match inst {
                    Inst::Const(_) => {}
                    Inst::Load(a) => access(a, rank, false, false)?,
                    Inst::LoadAt { access: a, index, stride: _ } => {
                        access(a, rank, false, false)?;
                        scalar(index)?;
                    }
                    Inst::Scalar(s) => scalar(s)?,
                    Inst::Index(axis) => {
                        let extent = nest.extents.get(*axis as usize);
                        claim(extent.is_some_and(|e| *e <= GREATEST_COUNT), || {
                            format!("index of axis {axis}")
                        })?;
                    }
                    Inst::Unary(op, a) => {
                        claim(*op != crate::eqn::Unary::StopGradient, || "a stop_gradient is left".into())?;
                        value(a, i)?;
                    }
                    Inst::Binary(_, a, b) => [a, b].into_iter().try_for_each(|v| value(v, i))?,
                    Inst::Fma(a, b, c) | Inst::Select(a, b, c) => {
                        [a, b, c].into_iter().try_for_each(|v| value(v, i))?;
                    }
                }
            }
            let all = nest.insts.len();
            for effect in &nest.effects {
                match effect {
                    Effect::Store { access: a, value: v } => {
                        access(a, rank, true, false)?;
                        value(v, all)?;
                    }
                    Effect::Add { access: a, value: v } => {
                        access(a, rank, true, true)?;
                        value(v, all)?;
                    }
                    Effect::AddAt { access: a, index, stride: _, value: v } => {
                        access(a, rank, true, true)?;
                        scalar(index)?;
                        value(v, all)?;
                    }
                    Effect::Reduce { value: v, into, fold: _ } => {
                        scalar(into)?;
                        value(v, all)?;
                    }
                    Effect::ReduceInner { value: v, access: a, add, fold: _ } => {
                        claim(rank > 0, || "a reduction without an axis".into())?;
                        access(a, rank.saturating_sub(1), true, *add)?;
                        value(v, all)?;
                    }
                    Effect::Contract { a: _, b: _, access: to, add } => {
                        access(to, rank.saturating_sub(1), true, *add)?;
                        claim(nest.contraction().is_some(), || "a contraction of another form".into())?;
                    }
                    Effect::Set { value: v, into } => {
                        claim(rank == 0, || "a scalar set inside a loop".into())?;
                        scalar(into)?;
                        value(v, all)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// No access leaves its row.
    fn within(&self, kernel: &Kernel, limits: &[usize]) -> Claim<()> {
        for nest in &kernel.nests {
            let check = |a: &Access, extents: &[usize]| {
                let (reach, limit) = (reach(a, extents).unwrap_or(usize::MAX), limits[a.arg.index()]);
                claim(reach <= limit, || format!("argument {} is read up to {reach} of {limit}", a.arg.0))
            };
            for (i, inst) in nest.insts.iter().enumerate() {
                match inst {
                    Inst::Load(a) => check(a, &extents_of(nest, i))?,
                    Inst::LoadAt { access: a, .. } => check(a, &nest.extents)?,
                    _ => {}
                }
            }
            for effect in &nest.effects {
                match effect {
                    Effect::Store { access, .. }
                    | Effect::Add { access, .. }
                    | Effect::AddAt { access, .. } => {
                        check(access, &nest.extents)?;
                    }
                    Effect::ReduceInner { access, .. } | Effect::Contract { access, .. } => {
                        check(access, &nest.extents[..nest.extents.len() - 1])?;
                    }
                    Effect::Reduce { .. } | Effect::Set { .. } => {}
                }
            }
        }
        Ok(())
    }
}
