//! The invariants of a [`Program`]: everything named exists and fits, nothing is read before it is written.
//!
//! In: any program. Out: the first claim that does not hold, with its stage. Memory is followed by columns: rows and
//! halo sides are all written or not at all, and an access with gaps counts as the columns it spans.

use super::{Access, Arg, BufferId, Effect, Inst, Kernel, Nest, Operand, Place, Program, Stage};
use crate::eqn::DomainId;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

pub fn verify(program: &Program) -> Result<(), String> {
    let mut v = Verifier { program, written: BTreeMap::new(), ahead: BTreeSet::new(), inside: Vec::new() };
    for input in &program.inputs {
        let width = input.shape.iter().product();
        v.write(&input.at, width).map_err(|e| format!("input `{}`: {e}", input.name))?;
    }
    v.stages(&program.prepare)?;
    for w in &program.weights {
        for part in &w.parts {
            let here = |e: String| format!("weight `{}`: {e}", w.name);
            let (rows, cols) = if part.transposed { (part.cols, part.rows) } else { (part.rows, part.cols) };
            if part.k0 + rows > w.k || part.n0 + cols > w.n {
                return Err(here("a part lies outside".into()));
            }
            v.bounds(&part.source, part.rows * part.cols).map_err(here)?;
        }
    }
    v.stages(&program.stages)?;
    for output in &program.outputs {
        let width = output.shape.iter().product();
        v.read(&output.at, width).map_err(|e| format!("output `{}`: {e}", output.name))?;
    }
    Ok(())
}

/// What of a buffer is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Rows,
    Before,
    After,
}

struct Verifier<'a> {
    program: &'a Program,
    /// Columns that hold something, as disjoint ranges from start to end.
    written: BTreeMap<(BufferId, Part), BTreeMap<usize, usize>>,
    /// Buffers that the loops around write in some step, by their first written column.
    ahead: BTreeSet<BufferId>,
    inside: Vec<DomainId>,
}

type Claim = Result<(), String>;

impl Verifier<'_> {
    fn name(&self, buffer: BufferId) -> &str {
        self.program.buffers.get(buffer.index()).map_or("?", |b| &b.name)
    }

    fn bounds(&self, o: &Operand, width: usize) -> Claim {
        let Some(buffer) = self.program.buffers.get(o.buffer.index()) else {
            return Err(format!("there is no buffer {}", o.buffer.0));
        };
        if o.column + width > buffer.width {
            return Err(format!("columns {}+{width} of `{}[{}]`", o.column, buffer.name, buffer.width));
        }
        let (before, after) = match buffer.place {
            Place::Over { before, after, .. } => (i64::from(before), i64::from(after)),
            Place::Shared | Place::Example => (0, 0),
        };
        let lag = i64::from(o.lag);
        if lag < -before || lag > after {
            return Err(format!("lag {lag} of `{}` with halo {before}, {after}", buffer.name));
        }
        Ok(())
    }

    fn write(&mut self, o: &Operand, width: usize) -> Claim {
        self.bounds(o, width)?;
        self.mark(o.buffer, Part::Rows, o.column..o.column + width);
        Ok(())
    }

    fn mark(&mut self, buffer: BufferId, part: Part, columns: Range<usize>) {
        let ranges = self.written.entry((buffer, part)).or_default();
        let (mut start, mut end) = (columns.start, columns.end);
        while let Some((s, e)) = ranges.range(..=end).next_back().map(|(s, e)| (*s, *e))
            && e >= start
        {
            ranges.remove(&s);
            (start, end) = (start.min(s), end.max(e));
        }
        ranges.insert(start, end);
    }

    fn holds(&self, buffer: BufferId, part: Part, columns: &Range<usize>) -> bool {
        columns.is_empty()
            || self.written.get(&(buffer, part)).is_some_and(|ranges| {
                ranges.range(..=columns.start).next_back().is_some_and(|(_, end)| *end >= columns.end)
            })
    }

    fn read(&self, o: &Operand, width: usize) -> Claim {
        self.bounds(o, width)?;
        let columns = o.column..o.column + width;
        let halo = match o.lag {
            0 => None,
            lag => Some(if lag < 0 { Part::Before } else { Part::After }),
        };
        if let Some(part) = halo
            && !self.holds(o.buffer, part, &columns)
        {
            return Err(format!("`{}` is read outside its domain, where nothing is", self.name(o.buffer)));
        }
        // At a lag, a loop reads what it wrote in an earlier step.
        if (o.lag != 0 && self.ahead.contains(&o.buffer)) || self.holds(o.buffer, Part::Rows, &columns) {
            return Ok(());
        }
        Err(format!("columns {columns:?} of `{}` are read before they are written", self.name(o.buffer)))
    }

    /// Other rows than those of this step or front, which may be those of earlier ones.
    fn read_elsewhere(&self, o: &Operand, width: usize) -> Claim {
        self.bounds(o, width)?;
        if self.ahead.contains(&o.buffer) { Ok(()) } else { self.read(o, width) }
    }

    fn stages(&mut self, stages: &[Stage]) -> Claim {
        for (i, stage) in stages.iter().enumerate() {
            self.stage(stage).map_err(|e| format!("stage {i}: {e}"))?;
        }
        Ok(())
    }

    fn stage(&mut self, stage: &Stage) -> Claim {
        match stage {
            Stage::Loop { domain, body, .. } => {
                if self.inside.contains(domain) {
                    return Err("a loop inside a loop of the same domain".into());
                }
                let outer = self.ahead.clone();
                self.written_in(body);
                self.inside.push(*domain);
                self.stages(body)?;
                self.inside.pop();
                self.ahead = outer;
                Ok(())
            }
            Stage::Fronts { body, .. } => {
                let outer = self.ahead.clone();
                self.written_in(body);
                self.stages(body)?;
                self.ahead = outer;
                Ok(())
            }
            Stage::Collect { from, out, width, .. } => {
                for o in from {
                    self.read_elsewhere(o, *width)?;
                }
                self.write(out, *width)
            }
            Stage::Fold { from, out, width, .. } => {
                self.read_elsewhere(from, *width)?;
                self.write(out, *width)
            }
            Stage::Number { out, .. } => self.write(out, 1),
            Stage::Tally { index, value, out, width, symbols } => {
                self.read(index, 1)?;
                self.read(value, *width)?;
                self.write(out, width * symbols)
            }
            Stage::Product { a, weight, out, accumulate } => {
                let w = self.program.weights.get(weight.index()).ok_or("there is no such weight")?;
                for part in &w.parts {
                    self.read(&part.source, part.rows * part.cols)?;
                }
                self.read(a, w.k)?;
                if *accumulate {
                    self.read(out, w.n)?;
                }
                self.write(out, w.n)
            }
            Stage::Outer { a, m, b, n, rows, out, out_stride, accumulate } => {
                self.read(a, m * rows.unwrap_or(1))?;
                self.read(b, n * rows.unwrap_or(1))?;
                let size = m.saturating_sub(1) * out_stride + n;
                if *accumulate {
                    self.read(out, size)?;
                }
                self.write(out, size)
            }
            Stage::Map { kernel, args, .. } => {
                let k = self.program.kernels.get(kernel.index()).ok_or("there is no such kernel")?;
                if k.args.len() != args.len() {
                    return Err(format!("kernel `{}`: wrong number of arguments", k.name));
                }
                self.map(k, args).map_err(|e| format!("kernel `{}`: {e}", k.name))
            }
            Stage::Fill { out, width, .. } => {
                self.write(out, *width)?;
                for part in [Part::Before, Part::After] {
                    self.mark(out.buffer, part, out.column..out.column + width);
                }
                Ok(())
            }
            Stage::Boundary { state, width, from, distance: _, after } => {
                self.bounds(state, *width)?;
                self.read(from, *width)?;
                let part = if *after { Part::After } else { Part::Before };
                self.mark(state.buffer, part, state.column..state.column + width);
                Ok(())
            }
            Stage::Mask { out, width, fill } => {
                self.read(out, *width)?;
                fill.as_ref().map_or(Ok(()), |f| self.read(f, *width))
            }
            Stage::Reverse { from, out, width } => {
                self.read(from, *width)?;
                self.write(out, *width)
            }
            Stage::Take { from, out, width, empty, .. } => {
                self.read(from, *width)?;
                self.read(empty, *width)?;
                self.write(out, *width)
            }
        }
    }

    /// Notes what some stage of a loop's body writes.
    fn written_in(&mut self, body: &[Stage]) {
        for stage in body {
            match stage {
                Stage::Loop { body, .. } | Stage::Fronts { body, .. } => self.written_in(body),
                Stage::Product { out, .. }
                | Stage::Fill { out, .. }
                | Stage::Collect { out, .. }
                | Stage::Fold { out, .. } => {
                    self.ahead.insert(out.buffer);
                }
                Stage::Map { kernel, args, .. } => {
                    let Some(k) = self.program.kernels.get(kernel.index()) else { continue };
                    for (arg, declared) in args.iter().zip(&k.args) {
                        if let (Arg::Rows(o), true) = (arg, declared.written) {
                            self.ahead.insert(o.buffer);
                        }
                    }
                }
                _ => {}
            }
        }
    }

    fn map(&mut self, kernel: &Kernel, args: &[Arg]) -> Claim {
        let mut scalars = BTreeSet::new();
        for nest in &kernel.nests {
            for (i, inst) in nest.insts.iter().enumerate() {
                match inst {
                    Inst::Load(a) => self.access(nest, a, args, nest.extents.len(), Use::Read)?,
                    Inst::LoadAt { access, index, .. } => {
                        self.access(nest, access, args, nest.extents.len(), Use::Read)?;
                        known(&scalars, index.0)?;
                    }
                    Inst::Scalar(s) => known(&scalars, s.0)?,
                    _ => {}
                }
                for o in operands(inst) {
                    if o >= i {
                        return Err(format!("value v{o} is used before it is there"));
                    }
                }
            }
            for effect in &nest.effects {
                let full = nest.extents.len();
                match effect {
                    Effect::Store { access, .. } => self.access(nest, access, args, full, Use::Write)?,
                    Effect::Add { access, .. } => self.access(nest, access, args, full, Use::Read)?,
                    Effect::AddAt { access, index, .. } => {
                        self.access(nest, access, args, full, Use::Read)?;
                        known(&scalars, index.0)?;
                    }
                    Effect::ReduceInner { access, add, .. } | Effect::Contract { access, add, .. } => {
                        let how = if *add { Use::Read } else { Use::Write };
                        self.access(nest, access, args, full.saturating_sub(1), how)?;
                    }
                    Effect::Reduce { into, .. } | Effect::Set { into, .. } => {
                        scalars.insert(into.0);
                    }
                }
            }
        }
        Ok(())
    }

    fn access(&mut self, nest: &Nest, a: &Access, args: &[Arg], rank: usize, how: Use) -> Claim {
        if a.strides.len() != rank {
            return Err(format!("{} strides in {rank} loops", a.strides.len()));
        }
        let Some(arg) = args.get(a.arg.index()) else {
            return Err(format!("there is no argument {}", a.arg.0));
        };
        if let Arg::Weight(w) = arg {
            let weight = self.program.weights.get(w.index()).ok_or("there is no such weight")?;
            for part in &weight.parts {
                self.read(&part.source, part.rows * part.cols)?;
            }
        }
        let Arg::Rows(o) = arg else { return Ok(()) };
        let extents = nest.extents.get(..rank).unwrap_or(&[]);
        if extents.contains(&0) {
            return Ok(());
        }
        let reach = a.strides.iter().zip(extents).map(|(s, e)| s * (e - 1)).sum::<usize>();
        let at = Operand { column: o.column + a.offset, ..*o };
        match how {
            Use::Read => self.read(&at, reach + 1),
            Use::Write => self.write(&at, reach + 1),
        }
    }
}

#[derive(Clone, Copy)]
enum Use {
    Read,
    Write,
}

fn known(scalars: &BTreeSet<u32>, s: u32) -> Claim {
    if scalars.contains(&s) { Ok(()) } else { Err(format!("scalar s{s} is read before it is set")) }
}

fn operands(inst: &Inst) -> Vec<usize> {
    match inst {
        Inst::Unary(_, a) => vec![a.index()],
        Inst::Binary(_, a, b) => vec![a.index(), b.index()],
        Inst::Fma(a, b, c) | Inst::Select(a, b, c) => vec![a.index(), b.index(), c.index()],
        Inst::Const(_) | Inst::Load(_) | Inst::LoadAt { .. } | Inst::Scalar(_) | Inst::Index(_) => Vec::new(),
    }
}
