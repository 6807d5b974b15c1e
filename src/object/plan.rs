//! Where the memory of a program lies when a caller owns all of it.
//!
//! In: a [`plain`](super::plain) program. Out: a home for every buffer and packed weight. Nothing is allocated by the code
//! that is made: parameters, and what follows from them alone, are in one piece of memory that many calls share; a stream's
//! state is in a struct of fixed size; a whole sequence has a workspace whose size grows with its steps; and arrays of the
//! caller are read where they are, if they lie as the program wants them.

use crate::eqn::DomainId;
use crate::loops::walk::{each_map, each_operand};
use crate::loops::{Arg, BufferId, InputKind, Place, Program, Stage};
use std::collections::{BTreeMap, BTreeSet};

/// Pieces of memory begin at multiples of so many elements, counted from the beginning of what they are in.
pub const LINE: usize = 16;

/// A number of elements that depends on the steps of domains: `fixed + Σ per[d] * steps(d)`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Size {
    pub fixed: usize,
    pub per: BTreeMap<DomainId, usize>,
}

impl Size {
    /// Room behind all that is there; returns where it begins. `None` if it cannot be counted.
    fn take(&mut self, fixed: usize, per: Option<(DomainId, usize)>) -> Option<Size> {
        let start = self.clone();
        self.fixed = self.fixed.checked_add(fixed.checked_next_multiple_of(LINE)?)?;
        if let Some((domain, each)) = per {
            let sum = self.per.entry(domain).or_default();
            *sum = sum.checked_add(each)?;
        }
        (self.fixed <= MOST && self.per.values().all(|n| *n <= MOST)).then_some(start)
    }
}

/// Elements that a piece of memory may have, and that a step may add to it.
const MOST: usize = 1 << 31;

/// Where a buffer is.
#[derive(Clone, Debug, PartialEq)]
pub enum Home {
    /// A parameter, in the struct of parameters: from this element on.
    Param(usize),
    /// Behind the parameters: what follows from them.
    Prepared(usize),
    /// In the state: it stays from step to step.
    Kept(usize),
    /// Rows of earlier steps, `before` of them and each `width` elements from column `first` on, oldest first, at `kept`; the
    /// row of the step itself, at `now`.
    Carried { kept: usize, before: usize, first: usize, width: usize, now: usize },
    /// In the workspace (of a stream: the last part of its state).
    Work(Size),
    /// The array that the caller gives as this input.
    Given(usize),
}

/// How a program is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A step a call, of this domain: what comes before the loop is one function, its body another.
    Steps(DomainId),
    Whole,
}

#[derive(Clone, Debug)]
pub struct Plan {
    pub shape: Shape,
    pub buffers: Vec<Home>,
    /// Of packed weights: behind the parameters, or in the workspace if a run changes them.
    pub weights: Vec<Home>,
    pub moving: Vec<bool>,
    /// Elements behind the parameters that are this program's, from `prepared_at` on.
    pub prepared_at: usize,
    pub prepared: usize,
    /// Elements of a stream's state without its workspace.
    pub kept: usize,
    pub work: Size,
    /// For each domain whose positions are used as numbers: where they are in the workspace.
    pub positions: BTreeMap<DomainId, Size>,
    /// Likewise the length.
    pub lengths: BTreeMap<DomainId, Size>,
    /// What a stream carries, by buffer, in the order of the struct.
    pub carried: Vec<Carried>,
    /// Where a stream's state counts its steps, if their number is used.
    pub counter: Option<usize>,
}

/// Columns of a buffer whose rows of earlier steps are read again.
#[derive(Clone, Debug)]
pub struct Carried {
    pub buffer: BufferId,
    /// From the first of them to behind the last.
    pub parts: Vec<(usize, usize)>,
    pub before: usize,
}

/// The parts of a stream's program: before the loop, and its body.
pub fn parts(program: &Program) -> Option<(&[Stage], DomainId, &[Stage])> {
    let at = program.stages.iter().position(|s| matches!(s, Stage::Loop { .. }))?;
    match &program.stages[at] {
        Stage::Loop { domain, reverse: false, body } => Some((&program.stages[..at], *domain, body)),
        _ => None,
    }
}

impl Plan {
    /// `params`: where each parameter begins in the struct of parameters, by name. `prepared_at`: the first free element
    /// behind it. `None` if a size cannot be counted.
    pub fn new(
        program: &Program,
        shape: Shape,
        params: &BTreeMap<String, usize>,
        prepared_at: usize,
    ) -> Option<Plan> {
        let moving = program.moving_weights();
        let mut plan = Plan {
            shape,
            buffers: Vec::new(),
            weights: Vec::new(),
            moving,
            prepared_at,
            prepared: 0,
            kept: 0,
            work: Size::default(),
            positions: BTreeMap::new(),
            lengths: BTreeMap::new(),
            carried: Vec::new(),
            counter: None,
        };
        let uses = Uses::of(program, shape);
        for (i, _) in program.buffers.iter().enumerate() {
            let home = plan.home(program, &uses, params, i)?;
            plan.buffers.push(home);
        }
        for (w, moves) in program.weights.iter().zip(plan.moving.clone()) {
            let home = match moves {
                true => Home::Work(plan.work.take(w.elements(), None)?),
                false => Home::Prepared(plan.prepare(w.elements())?),
            };
            plan.weights.push(home);
        }
        for domain in uses.positions {
            if shape == Shape::Steps(domain) {
                plan.counter = Some(plan.keep(1)?);
            }
            let steps = plan.is_whole(program, domain).then_some((domain, 1));
            let fixed = program.domains[domain.index()].fixed().map_or(1, |n| n.max(1) as usize);
            let at = plan.work.take(if steps.is_some() { 0 } else { fixed }, steps)?;
            plan.positions.insert(domain, at);
        }
        for domain in uses.lengths {
            let at = plan.work.take(1, None)?;
            plan.lengths.insert(domain, at);
        }
        Some(plan)
    }

    /// Whether a call goes through all steps of a domain, as many as the caller says.
    fn is_whole(&self, program: &Program, domain: DomainId) -> bool {
        program.domains[domain.index()].fixed().is_none() && self.shape != Shape::Steps(domain)
    }

    fn prepare(&mut self, elements: usize) -> Option<usize> {
        let at = self.prepared_at.checked_add(self.prepared)?;
        self.prepared = self.prepared.checked_add(elements.checked_next_multiple_of(LINE)?)?;
        (self.prepared <= MOST).then_some(at)
    }

    fn keep(&mut self, elements: usize) -> Option<usize> {
        let at = self.kept;
        self.kept = at.checked_add(elements)?;
        (self.kept <= MOST).then_some(at)
    }

    fn home(
        &mut self,
        program: &Program,
        uses: &Uses,
        params: &BTreeMap<String, usize>,
        i: usize,
    ) -> Option<Home> {
        let buffer = &program.buffers[i];
        let id = BufferId(i as u32);
        let inputs: Vec<usize> =
            (0..program.inputs.len()).filter(|k| program.inputs[*k].at.buffer == id).collect();
        let is_param = |k: &usize| matches!(program.inputs[*k].kind, InputKind::Param(_));
        let alone = match &inputs[..] {
            [k] => {
                let at = &program.inputs[*k];
                let width: usize = at.shape.iter().product();
                (at.at.column == 0 && width == buffer.width).then_some(*k)
            }
            _ => None,
        };
        let is_written = uses.written.contains(&id);
        if buffer.place == Place::Shared && !is_written {
            if let Some(k) = alone.filter(is_param) {
                return params.get(&*program.inputs[k].name).map(|at| Home::Param(*at));
            }
            if uses.prepared.contains(&id) || (!inputs.is_empty() && inputs.iter().all(is_param)) {
                return Some(Home::Prepared(self.prepare(buffer.width)?));
            }
        }
        let per_step = match (buffer.place, self.shape) {
            (Place::Over { domain, before, .. }, Shape::Steps(d)) if d == domain => Some(before as usize),
            _ => None,
        };
        if let Some(k) = alone.filter(|k| !is_param(k) && !is_written) {
            let has_halo =
                matches!(buffer.place, Place::Over { before, after, .. } if (before, after) != (0, 0));
            let is_required = matches!(program.inputs[k].kind, InputKind::Given | InputKind::Noise(_));
            let is_there = per_step.is_some() || self.shape == Shape::Whole;
            if !has_halo && is_required && is_there && !uses.named.contains(&id) {
                return Some(Home::Given(k));
            }
        }
        match (buffer.place, per_step) {
            (_, Some(before)) if before > 0 => {
                let parts = uses.halos.get(&id).cloned().unwrap_or_default();
                let (first, end) = (parts.first()?.0, parts.last()?.1);
                let kept = self.keep(before.checked_mul(end - first)?)?;
                self.carried.push(Carried { buffer: id, parts, before });
                let now = self.work.take(buffer.width, None)?.fixed;
                Some(Home::Carried { kept, before, first, width: end - first, now })
            }
            (_, Some(_)) => Some(Home::Work(self.work.take(buffer.width, None)?)),
            (Place::Shared | Place::Example, _) => match uses.stays.contains(&id) {
                true => Some(Home::Kept(self.keep(buffer.width)?)),
                false => Some(Home::Work(self.work.take(buffer.width, None)?)),
            },
            (Place::Over { domain, before, after }, _) => {
                let halo = (before as usize).checked_add(after as usize)?;
                let at = match program.domains[domain.index()].fixed() {
                    Some(n) => {
                        let rows = halo.checked_add(n as usize)?;
                        let size = rows.checked_mul(buffer.width)?;
                        match uses.stays.contains(&id) {
                            true => return Some(Home::Kept(self.keep(size)?)),
                            false => self.work.take(size, None)?,
                        }
                    }
                    None => self.work.take(halo.checked_mul(buffer.width)?, Some((domain, buffer.width)))?,
                };
                Some(Home::Work(at))
            }
        }
    }
}

/// What stages do with buffers.
#[derive(Default)]
struct Uses {
    /// Written by a run, or as another input too.
    written: BTreeSet<BufferId>,
    /// Written from parameters alone.
    prepared: BTreeSet<BufferId>,
    /// Outputs.
    named: BTreeSet<BufferId>,
    /// Of a stream: written before its first step, or given, and used by steps.
    stays: BTreeSet<BufferId>,
    /// Columns of rows before the first, in order and apart.
    halos: BTreeMap<BufferId, Vec<(usize, usize)>>,
    positions: BTreeSet<DomainId>,
    lengths: BTreeSet<DomainId>,
}

impl Uses {
    fn of(program: &Program, shape: Shape) -> Uses {
        let mut uses = Uses::default();
        program.each_written(&program.prepare, &mut |b| {
            uses.prepared.insert(b);
        });
        let all = |program: &Program, stages: &[Stage], into: &mut BTreeSet<BufferId>| {
            program.each_written(stages, &mut |b| {
                into.insert(b);
            });
        };
        uses.named.extend(program.outputs.iter().map(|o| o.at.buffer));
        for stages in [&program.prepare, &program.stages] {
            each_map(stages, &mut |_, args| {
                for arg in args {
                    match arg {
                        Arg::Position(d) => _ = uses.positions.insert(*d),
                        Arg::Length(d) => _ = uses.lengths.insert(*d),
                        Arg::Rows(_) | Arg::Weight(_) => {}
                    }
                }
            });
        }
        match (shape, parts(program)) {
            (Shape::Steps(_), Some((before, _, body))) => {
                let mut early = BTreeSet::new();
                all(program, before, &mut early);
                all(program, before, &mut uses.written);
                all(program, body, &mut uses.written);
                early.extend(program.inputs.iter().map(|i| i.at.buffer));
                let mut used = BTreeSet::new();
                each_operand(body, &mut |at, _| {
                    used.insert(at.buffer);
                });
                for (weight, parts) in program.weights.iter().zip(program.moving_weights()) {
                    if parts {
                        used.extend(weight.parts.iter().map(|p| p.source.buffer));
                    }
                }
                uses.stays = early.intersection(&used).copied().collect();
                halos(before, &mut uses.halos);
            }
            _ => all(program, &program.stages, &mut uses.written),
        }
        uses
    }
}

fn halos(stages: &[Stage], into: &mut BTreeMap<BufferId, Vec<(usize, usize)>>) {
    for stage in stages {
        let (at, width) = match stage {
            Stage::Boundary { state, width, after: false, .. } => (state, *width),
            Stage::Fill { out, width, .. } => (out, *width),
            _ => continue,
        };
        let (mut first, mut end) = (at.column, at.column + width);
        let parts = into.entry(at.buffer).or_default();
        parts.retain(|(a, b)| {
            // The same columns at another distance, or overlapping ones.
            let meets = *a < end && first < *b;
            if meets {
                (first, end) = (first.min(*a), end.max(*b));
            }
            !meets
        });
        parts.push((first, end));
        parts.sort_unstable();
    }
}
