//! The memory of a run, and arrays in and out of it by name.
//!
//! In: an [`Executable`], a batch size with lengths, arrays. Out: arrays. Invariant: buffers have the size the
//! program's places ask for; a row that is no point of its example is never read out (it reads as 0).

use super::exec::Scratch;
use super::gemm::{Isa, Packed};
use super::memory::{Buf, LINE};
use super::threads::Team;
use super::{Executable, asked, errors, rows, rows_of};
use crate::diag::{Diagnostic, Fallible};
use crate::eqn::tree::Tree;
use crate::eqn::{DomainId, DomainKind};
use crate::loops::{Domain, Elem, InputKind, Operand, Place, Program};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// Positions are numbers in 32-bit floating point, which are exact up to here.
pub const MOST_STEPS: usize = 1 << 24;

/// Packed weights have at most so many columns more than they need.
const PANEL: u128 = 64;

/// Memory for runs of one [`Executable`].
pub struct Workspace {
    pub(super) exe: Arc<Executable>,
    /// The program's buffers; then for each domain its positions (at least one) and its lengths as numbers. Working memory
    /// of kernels is there once for each thread.
    pub(super) bufs: Vec<Buf>,
    pub(super) weights: Vec<Packed>,
    /// The instructions products are made of.
    pub(super) isa: Isa,
    pub(super) batch: usize,
    /// For each domain: greatest length, each example's length, and points before the first of this run.
    pub(super) steps: Vec<usize>,
    pub(super) lengths: Vec<Vec<usize>>,
    pub(super) start: Vec<u64>,
    /// For each domain: are there unequal lengths?
    pub(super) ragged: Vec<bool>,
    /// For each domain of nodes: each example's tree.
    pub(super) trees: Vec<Vec<Tree>>,
    /// Of the lengths and trees at hand.
    pub(super) rows: rows::Rows,
    /// For each input: has it a value?
    pub(super) given: Vec<bool>,
    /// Parameters changed since `prepare` ran.
    pub(super) stale: bool,
    /// Of each thread of the team.
    pub(super) scratches: Vec<Mutex<Scratch>>,
    pub(super) team: Arc<Team>,
    /// How many of its threads are worth while for the sizes at hand.
    pub(super) members: usize,
    /// Rows of each example, if they are not alike.
    pub(super) loads: Vec<u64>,
    /// Bytes it may have.
    limit: u64,
}

/// The buffer with the positions of a domain, behind a program's own.
pub(super) fn position_buffer(program: &Program, domain: usize) -> usize {
    program.buffers.len() + 2 * domain
}

/// The buffer with the lengths of a domain.
pub(super) fn lengths_buffer(program: &Program, domain: usize) -> usize {
    position_buffer(program, domain) + 1
}

/// A parameter's elements, and those of another array beside it.
pub type WithGradient<'a> = (&'a mut [f32], Cow<'a, [f32]>);

impl Workspace {
    /// Bytes of all buffers and packed weights.
    pub fn bytes(&self) -> usize {
        let buffers: usize = self.bufs.iter().map(Buf::len).sum();
        let weights: usize = self.exe.program.weights.iter().map(|w| w.elements()).sum();
        (buffers + weights) * 4
    }

    /// Has memory for what all examples share; [`Workspace::resize`] adds the rest.
    pub fn new(exe: &Arc<Executable>) -> Fallible<Workspace> {
        Workspace::with_limit(exe, exe.memory)
    }

    pub fn with_limit(exe: &Arc<Executable>, limit: u64) -> Fallible<Workspace> {
        let program = exe.program();
        let domains = program.domains.len();
        let mut workspace = Workspace {
            exe: exe.clone(),
            bufs: (0..program.buffers.len() + 2 * domains).map(|_| Buf::new(exe.placement)).collect(),
            weights: Vec::new(),
            isa: exe.isa,
            batch: 0,
            steps: vec![0; domains],
            lengths: vec![Vec::new(); domains],
            start: vec![0; domains],
            ragged: vec![false; domains],
            trees: vec![Vec::new(); domains],
            rows: rows::Rows::default(),
            given: vec![false; program.inputs.len()],
            stale: true,
            scratches: vec![Mutex::new(Scratch::new(program, exe.placement))],
            team: Team::alone(),
            members: 1,
            loads: Vec::new(),
            limit,
        };
        let none = rows::Sizes { batch: 0, steps: &[], lengths: &[], trees: &[] };
        workspace.check_memory(&none).map_err(|e| vec![e])?;
        for (i, buffer) in program.buffers.iter().enumerate() {
            if buffer.place == Place::Shared {
                workspace.allocate(i, buffer.width).map_err(|e| vec![e])?;
            }
        }
        let by_kernels = program.read_by_kernels();
        for (w, by_kernels) in program.weights.iter().zip(by_kernels) {
            let weight = match by_kernels {
                true => Packed::placed(w.k, w.n, exe.placement),
                false => Packed::placed_for(exe.isa, w.k, w.n, exe.placement),
            };
            let refused = |_| vec![errors::out_of_memory(4 * w.elements() as u128)];
            workspace.weights.push(weight.map_err(refused)?);
        }
        workspace.for_each_thread().map_err(|e| vec![e])?;
        workspace.give_defaults(|_| true);
        Ok(workspace)
    }

    pub fn executable(&self) -> &Arc<Executable> {
        &self.exe
    }

    pub fn batch(&self) -> usize {
        self.batch
    }

    /// [`Workspace::resize_to`] as many steps as the longest example has.
    pub fn resize(&mut self, batch: usize, lengths: &BTreeMap<String, Vec<usize>>) -> Fallible<()> {
        self.resize_to(batch, &BTreeMap::new(), lengths)
    }

    /// [`Workspace::resize_with`] no trees.
    pub fn resize_to(
        &mut self,
        batch: usize,
        steps: &BTreeMap<String, usize>,
        lengths: &BTreeMap<String, Vec<usize>>,
    ) -> Fallible<()> {
        self.resize_with(batch, steps, lengths, &BTreeMap::new())
    }

    /// Fixes batch size, steps of the arrays, each example's length and tree (by the name of a domain's extent). Steps that
    /// are left out are those of the longest example, lengths that are left out all steps; both may be left out where
    /// the extent is static. Does nothing if all stay as they are. If rows must be laid out anew, what is not shared by all
    /// examples is forgotten; parameters stay.
    pub fn resize_with(
        &mut self,
        batch: usize,
        steps: &BTreeMap<String, usize>,
        lengths: &BTreeMap<String, Vec<usize>>,
        trees: &BTreeMap<String, Vec<Tree>>,
    ) -> Fallible<()> {
        let mut errors = Vec::new();
        let (mut all_steps, mut all_lengths, mut all_trees) = (Vec::new(), Vec::new(), Vec::new());
        let exe = self.exe.clone();
        for domain in &exe.program.domains {
            let extent: &str = &domain.extent;
            let mut fitted = Vec::new();
            let given = steps.get(extent).copied();
            let sized = match &domain.kind {
                DomainKind::Chain { .. } => fit_lengths(domain, batch, given, lengths.get(extent)),
                DomainKind::Derived(length) => {
                    let of = |b: usize| length.value(|axis| known(&all_lengths, axis.index(), b)).max(0);
                    let found = (0..batch).map(|b| usize::try_from(of(b)).unwrap_or(usize::MAX)).collect();
                    longest(extent, found, given)
                }
                DomainKind::Tree { arity } => rows::fit_trees(extent, *arity, batch, trees.get(extent))
                    .and_then(|trees| {
                        fitted = trees;
                        longest(extent, fitted.iter().map(Tree::nodes).collect(), given)
                    }),
                DomainKind::Children { .. } => Ok((given.unwrap_or(0), Vec::new())),
                DomainKind::Product(_) => Ok((0, Vec::new())),
            };
            let (steps, lengths) = sized.unwrap_or_else(|e| {
                errors.push(e);
                (0, Vec::new())
            });
            all_steps.push(steps);
            all_lengths.push(lengths);
            all_trees.push(fitted);
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        self.lay_out(batch, all_steps, all_lengths, all_trees).map_err(|e| {
            self.forget();
            vec![e]
        })
    }

    /// Back to no examples, after rows could not be laid out.
    fn forget(&mut self) {
        self.batch = 0;
        self.steps.fill(0);
        self.lengths.iter_mut().for_each(Vec::clear);
        self.trees.iter_mut().for_each(Vec::clear);
        self.rows = rows::Rows::default();
        let exe = self.exe.clone();
        for (buffer, buf) in exe.program.buffers.iter().zip(&mut self.bufs) {
            if buffer.place != Place::Shared {
                *buf = Buf::new(exe.placement);
            }
        }
        self.give_defaults(|place| place != Place::Shared);
        self.count_members();
    }

    fn lay_out(
        &mut self,
        batch: usize,
        steps: Vec<usize>,
        lengths: Vec<Vec<usize>>,
        trees: Vec<Vec<Tree>>,
    ) -> Result<(), Diagnostic> {
        let exe = self.exe.clone();
        let program = exe.program();
        // Rows of true points only are others as soon as any length is.
        let indexed = !program.tables.is_empty() || program.domains.iter().any(Domain::is_indexed);
        let shaken = indexed
            && ((batch, &steps) != (self.batch, &self.steps)
                || self.rows.extents.is_empty()
                || lengths != self.lengths
                || trees != self.trees);
        if shaken || (batch, &steps) != (self.batch, &self.steps) {
            let sizes = rows::Sizes { batch, steps: &steps, lengths: &lengths, trees: &trees };
            self.check_memory(&sizes)?;
            if shaken {
                self.rows = rows::build(program, &sizes);
                self.rows.asked = asked::rows(program, &exe.by_tables, &self.rows);
            }
            let moved = |place: Place| match place {
                Place::Shared => false,
                Place::Example => batch != self.batch,
                Place::Over { domain, .. } if program.domains[domain.index()].is_indexed() => shaken,
                Place::Over { domain, .. } => {
                    batch != self.batch || steps[domain.index()] != self.steps[domain.index()]
                }
            };
            let moved: Vec<bool> = program.buffers.iter().map(|b| moved(b.place)).collect();
            (self.batch, self.steps) = (batch, steps);
            let counts: Vec<Option<usize>> = self.indexed_rows();
            for (i, buffer) in program.buffers.iter().enumerate().filter(|(i, _)| moved[*i]) {
                let rows = rows_of(buffer.place, self.batch, &self.steps, &counts).unwrap_or(0);
                self.allocate(i, rows * buffer.width)?;
            }
            for (i, input) in program.inputs.iter().enumerate() {
                if moved[input.at.buffer.index()] {
                    self.default_of(i);
                }
            }
            self.count_members();
        }
        for (domain, lengths) in lengths.iter().enumerate() {
            let (buffer, count) = (position_buffer(program, domain), self.steps[domain].max(1));
            if self.bufs[buffer].len() != count {
                self.allocate(buffer, count)?;
            }
            self.number_positions(domain);
            let buffer = lengths_buffer(program, domain);
            if self.bufs[buffer].len() != batch {
                self.allocate(buffer, batch)?;
            }
            for (to, length) in self.bufs[buffer].f32_mut().iter_mut().zip(lengths) {
                *to = *length as f32;
            }
            self.ragged[domain] = lengths.iter().any(|l| *l != self.steps[domain]);
        }
        (self.lengths, self.trees) = (lengths, trees);
        Ok(())
    }

    fn number_positions(&mut self, domain: usize) {
        let buffer = position_buffer(&self.exe.program, domain);
        let first = self.start[domain] + 1;
        for (to, position) in self.bufs[buffer].f32_mut().iter_mut().zip(first..) {
            *to = position as f32;
        }
    }

    /// Memory of which every thread of the team has its own.
    pub(super) fn for_each_thread(&mut self) -> Result<(), Diagnostic> {
        let exe = self.exe.clone();
        let (program, threads) = (exe.program(), self.team.size());
        let own = program.buffers.iter().zip(&exe.working).filter(|(_, working)| **working);
        let own = own.map(|(b, _)| (b.width as u128).next_multiple_of(LINE as u128) * 4);
        let bytes = own.sum::<u128>().saturating_mul(threads as u128);
        if bytes > u128::from(self.limit) {
            return Err(errors::too_large(Some(bytes), self.limit));
        }
        for (i, buffer) in program.buffers.iter().enumerate().filter(|(i, _)| exe.working[*i]) {
            self.allocate(i, exe.placement.pitch(buffer.width) * threads)?;
        }
        Ok(())
    }

    pub(super) fn indexed_rows(&self) -> Vec<Option<usize>> {
        let domains = self.exe.program().domains.iter().enumerate();
        let count = |(i, d): (usize, &Domain)| {
            d.is_indexed().then(|| self.rows.domains.get(i).map_or(0, rows::Indexed::count))
        };
        domains.map(count).collect()
    }

    fn allocate(&mut self, buffer: usize, len: usize) -> Result<(), Diagnostic> {
        self.bufs[buffer].reset(len).map_err(|_| errors::out_of_memory(4 * len as u128))
    }

    fn check_memory(&self, sizes: &rows::Sizes) -> Result<(), Diagnostic> {
        let program = self.exe.program();
        let mut bytes = 0u128;
        let none = vec![0; program.domains.len()];
        let (mut steps, mut counts) = (none.as_slice(), vec![(0, 0); program.domains.len()]);
        if sizes.batch > 0 {
            let too_many = || errors::too_large(None, self.limit);
            counts = rows::count(program, sizes).ok_or_else(too_many)?;
            bytes = rows::bytes(program, sizes, &counts);
            steps = sizes.steps;
        }
        let of = |(d, (rows, _)): (&Domain, &(usize, usize))| d.is_indexed().then_some(*rows);
        let indexed: Vec<Option<usize>> = program.domains.iter().zip(&counts).map(of).collect();
        for b in &program.buffers {
            let rows = rows_of(b.place, sizes.batch, steps, &indexed)
                .ok_or_else(|| errors::too_large(None, self.limit))?;
            bytes = bytes.saturating_add((rows as u128).saturating_mul(b.width as u128).saturating_mul(4));
        }
        bytes = bytes.saturating_add(4 * asked::most(program, &self.exe.by_tables, &counts));
        for w in &program.weights {
            let columns = w.n as u128 + PANEL;
            bytes = bytes.saturating_add((w.k as u128).saturating_mul(columns).saturating_mul(4));
        }
        if bytes > u128::from(self.limit) { Err(errors::too_large(Some(bytes), self.limit)) } else { Ok(()) }
    }

    /// The first point of this run has position `start + 1` (for windows of a longer chain).
    pub fn set_start(&mut self, extent: &str, start: u64) -> Fallible<()> {
        let domains = &self.exe.program.domains;
        match domains.iter().position(|d| &*d.extent == extent) {
            Some(domain) => {
                self.start[domain] = start;
                self.number_positions(domain);
                Ok(())
            }
            None => Err(vec![errors::unknown(extent, domains.iter().map(|d| &*d.extent))]),
        }
    }

    fn give_defaults(&mut self, which: impl Fn(Place) -> bool) {
        let exe = self.exe.clone();
        for (i, input) in exe.program.inputs.iter().enumerate() {
            if which(exe.program.buffers[input.at.buffer.index()].place) {
                self.default_of(i);
            }
        }
    }

    /// An initial state takes its declared value, a cotangent 0 (1 for that of a loss per example); all else is missing.
    fn default_of(&mut self, input: usize) {
        let exe = self.exe.clone();
        let info = &exe.program.inputs[input];
        let place = exe.program.buffers[info.at.buffer.index()].place;
        let default = match &info.kind {
            InputKind::Initial { default, .. } => Some(*default),
            InputKind::Cotangent => {
                let loss = &*info.name == "loss_adj" && info.shape.is_empty() && place == Place::Example;
                Some(if loss { 1.0 } else { 0.0 })
            }
            InputKind::Given | InputKind::Param(_) | InputKind::Noise(_) => None,
        };
        self.given[input] = default.is_some();
        if let Some(default) = default {
            let width = info.shape.iter().product();
            self.fill_rows(&info.at, width, default);
        }
    }

    fn fill_rows(&mut self, at: &Operand, width: usize, value: f32) {
        let (all, stride) = self.rows(at);
        if let Some(rows) = self.bufs[at.buffer.index()].f32_mut().get_mut(all) {
            rows.chunks_mut(stride.max(1)).for_each(|row| row[..width].fill(value));
        }
    }

    /// Lets an initial state or a cotangent have its default again, and any other input be missing.
    pub fn clear_input(&mut self, name: &str) -> Fallible<()> {
        let input = self.input_index(name)?;
        self.default_of(input);
        Ok(())
    }

    pub(super) fn input_index(&self, name: &str) -> Fallible<usize> {
        let inputs = &self.exe.inputs;
        inputs.get(name).copied().ok_or_else(|| vec![errors::unknown(name, inputs.keys().map(|k| &**k))])
    }

    pub(super) fn output_index(&self, name: &str) -> Fallible<usize> {
        let outputs = &self.exe.outputs;
        outputs.get(name).copied().ok_or_else(|| vec![errors::unknown(name, outputs.keys().map(|k| &**k))])
    }

    /// `[T, B, ..]`, `[B, ..]` or the value's own shape.
    pub(super) fn shape_at(&self, at: &Operand, shape: &[usize]) -> Vec<usize> {
        let mut all = match self.exe.program.buffers[at.buffer.index()].place {
            Place::Shared => vec![],
            Place::Example => vec![self.batch],
            Place::Over { domain, .. } if !self.is_indexed(domain) => {
                vec![self.steps[domain.index()], self.batch]
            }
            Place::Over { domain, .. } => {
                let extent = |axis: DomainId| self.rows.extents.get(axis.index()).copied().unwrap_or(0);
                let axes = self.exe.program.axes(domain).into_iter();
                axes.map(extent).chain([self.batch]).collect()
            }
        };
        all.extend(shape);
        all
    }

    pub fn input_shape(&self, name: &str) -> Fallible<Vec<usize>> {
        let info = &self.exe.program.inputs[self.input_index(name)?];
        Ok(self.shape_at(&info.at, &info.shape))
    }

    pub fn output_shape(&self, name: &str) -> Fallible<Vec<usize>> {
        let info = &self.exe.program.outputs[self.output_index(name)?];
        Ok(self.shape_at(&info.at, &info.shape))
    }

    /// The elements of an operand's rows without halo (the first row's first column to the end of the last row), and from row to row.
    pub(super) fn rows(&self, at: &Operand) -> (std::ops::Range<usize>, usize) {
        let buffer = &self.exe.program.buffers[at.buffer.index()];
        let (first, rows) = match buffer.place {
            Place::Shared => (0, 1),
            Place::Example => (0, self.batch),
            Place::Over { domain, .. } if self.is_indexed(domain) => {
                (0, self.rows.domains.get(domain.index()).map_or(0, rows::Indexed::count))
            }
            Place::Over { domain, before, .. } => {
                let first = i64::from(before) + i64::from(at.lag);
                (first.max(0) as usize * self.batch, self.steps[domain.index()] * self.batch)
            }
        };
        let begin = first * buffer.width;
        let end = begin + rows * buffer.width;
        (if rows == 0 { begin..begin } else { begin + at.column..end }, buffer.width)
    }

    fn is_indexed(&self, domain: DomainId) -> bool {
        self.exe.program.domains[domain.index()].is_indexed()
    }

    /// The row (counted without halo) that place `at` of an array goes to, if it is a point of its example.
    fn row_of(&self, place: Place, at: usize) -> Option<usize> {
        match place {
            Place::Over { domain, .. } if self.is_indexed(domain) => {
                let row = self.rows.domains.get(domain.index())?.of_array.get(at).copied()?;
                (row != rows::NONE).then_some(row as usize)
            }
            Place::Over { domain, .. } if self.ragged[domain.index()] => {
                (at / self.batch < self.lengths[domain.index()][at % self.batch]).then_some(at)
            }
            _ => Some(at),
        }
    }

    /// Gives a real or Bool array, `[T, B, ..]`; what lies beyond an example's length is ignored.
    pub fn set_input(&mut self, name: &str, values: &[f32]) -> Fallible<()> {
        self.put(name, Values::Reals(values)).map_err(|e| vec![e])
    }

    /// [`Workspace::set_input`] with values made one by one, without an array of them.
    pub fn make_input(&mut self, name: &str, value: &dyn Fn(usize) -> f32) -> Fallible<()> {
        self.put(name, Values::Made(value)).map_err(|e| vec![e])
    }

    /// Gives an array of ids; each must be one of the declared symbols.
    pub fn set_ids(&mut self, name: &str, ids: &[i32]) -> Fallible<()> {
        // All are looked at before the first is taken, so that a refused array changes nothing.
        if let Some(at) = self.wrong_id(name, ids)? {
            let info = &self.exe.program.inputs[self.input_index(name)?];
            let place = place_of(at, &self.shape_at(&info.at, &info.shape));
            let symbols = info.symbols.unwrap_or(0);
            return Err(vec![errors::id_out_of_range(name, f64::from(ids[at]), &place, symbols)]);
        }
        self.put(name, Values::Ids(ids)).map_err(|e| vec![e])
    }

    /// The first of an array's ids that is no declared symbol; padding may hold anything.
    pub(super) fn wrong_id(&self, name: &str, ids: &[i32]) -> Fallible<Option<usize>> {
        let info = &self.exe.program.inputs[self.input_index(name)?];
        let Some(symbols) = info.symbols else { return Ok(None) };
        let place = self.exe.program.buffers[info.at.buffer.index()].place;
        let expected: usize = self.shape_at(&info.at, &info.shape).iter().product();
        let width = info.shape.iter().product::<usize>().max(1);
        // An array of another size is refused for that.
        let bad = |i: &usize| self.row_of(place, i / width).is_some() && !fits(ids[*i], symbols);
        Ok(if ids.len() == expected { (0..expected).find(bad) } else { None })
    }

    fn put(&mut self, name: &str, values: Values) -> Result<(), Diagnostic> {
        let input = self.input_index(name).map_err(|mut e| e.remove(0))?;
        let exe = self.exe.clone();
        let info = &exe.program.inputs[input];
        let buffer = &exe.program.buffers[info.at.buffer.index()];
        let (are_ids, count) = match values {
            Values::Reals(reals) => (false, Some(reals.len())),
            Values::Ids(ids) => (true, Some(ids.len())),
            Values::Made(_) => (false, None),
        };
        if are_ids != (buffer.elem == Elem::I32) {
            return Err(errors::wrong_kind(name, !are_ids));
        }
        let expected: usize = self.shape_at(&info.at, &info.shape).iter().product();
        if let Some(count) = count.filter(|count| *count != expected) {
            return Err(errors::wrong_count(name, expected, count));
        }
        let width: usize = info.shape.iter().product();
        let (all, stride) = self.rows(&info.at);
        let rows = expected.checked_div(width).unwrap_or(0);
        let padded = matches!(buffer.place, Place::Over { domain, .. } if !self.is_indexed(domain));
        for from in 0..rows {
            let row = self.row_of(buffer.place, from);
            // Padding is 0, where there is any.
            let Some(to) = row.or(padded.then_some(from)) else { continue };
            let at = all.start + to * stride;
            let (there, of) = (at..at + width, from * width..(from + 1) * width);
            let buf = &mut self.bufs[info.at.buffer.index()];
            match values {
                _ if row.is_none() => buf.i32_mut()[there].fill(0),
                Values::Reals(reals) => buf.f32_mut()[there].copy_from_slice(&reals[of]),
                Values::Ids(ids) => buf.i32_mut()[there].copy_from_slice(&ids[of]),
                Values::Made(value) => {
                    buf.f32_mut()[there].iter_mut().zip(of).for_each(|(x, i)| *x = value(i));
                }
            }
        }
        self.given[input] = true;
        self.stale |= matches!(info.kind, InputKind::Param(_));
        Ok(())
    }

    /// A parameter, row-major.
    pub fn param(&self, name: &str) -> Fallible<&[f32]> {
        let info = &self.exe.program.inputs[self.input_index(name)?];
        if !matches!(info.kind, InputKind::Param(_)) {
            return Err(vec![errors::unknown(name, self.params())]);
        }
        let (all, width) = (self.rows(&info.at).0.start, info.shape.iter().product::<usize>());
        Ok(&self.bufs[info.at.buffer.index()].f32()[all..all + width])
    }

    /// A parameter to be changed; it counts as given, and all that depends on it as old.
    pub fn param_mut(&mut self, name: &str) -> Fallible<&mut [f32]> {
        let input = self.input_index(name)?;
        let exe = self.exe.clone();
        let info = &exe.program.inputs[input];
        if !matches!(info.kind, InputKind::Param(_)) {
            return Err(vec![errors::unknown(name, self.params())]);
        }
        let (all, width) = (self.rows(&info.at).0.start, info.shape.iter().product::<usize>());
        self.given[input] = true;
        self.stale = true;
        Ok(&mut self.bufs[info.at.buffer.index()].f32_mut()[all..all + width])
    }

    /// Parameters to be changed, as [`Workspace::param_mut`] gives one, each with an output that all examples share: pairs of
    /// names, no parameter twice. An output that is itself a parameter is a copy.
    pub fn params_with(&mut self, names: &[(&str, &str)]) -> Fallible<Vec<WithGradient<'_>>> {
        let exe = self.exe.clone();
        let mut places = Vec::with_capacity(names.len());
        let mut is_param = vec![false; self.bufs.len()];
        for (param, output) in names {
            self.param_mut(param)?;
            let (input, shared) = (&exe.program.inputs[self.input_index(param)?], self.shared(output)?);
            is_param[input.at.buffer.index()] = true;
            let first = self.rows(&input.at).0.start;
            places.push((
                input.at.buffer.index(),
                first..first + input.shape.iter().product::<usize>(),
                shared,
            ));
        }
        let copied: Vec<Option<Vec<f32>>> = places
            .iter()
            .map(|(_, _, (buffer, all))| {
                is_param[*buffer].then(|| self.bufs[*buffer].f32()[all.clone()].to_vec())
            })
            .collect();
        let (mut params, mut others) = (Vec::new(), Vec::new());
        for (buf, is_param) in self.bufs.iter_mut().zip(is_param) {
            let (param, other) = if is_param { (Some(buf), None) } else { (None, Some(&*buf)) };
            params.push(param);
            others.push(other);
        }
        let pairs =
            places.into_iter().zip(copied).zip(names).map(|(((at, all, shared), copied), (name, _))| {
                let alone = || vec![errors::internal(&format!("`{name}` has no memory of its own"))];
                let values = params.get_mut(at).and_then(Option::take).ok_or_else(alone)?;
                let output = match (copied, others[shared.0]) {
                    (Some(copied), _) => Cow::Owned(copied),
                    (None, Some(buf)) => Cow::Borrowed(&buf.f32()[shared.1]),
                    (None, None) => return Err(alone()),
                };
                Ok((&mut values.f32_mut()[all], output))
            });
        pairs.collect()
    }

    /// Names of all parameters, in the program's order.
    pub fn params(&self) -> impl Iterator<Item = &str> {
        let inputs = self.exe.program.inputs.iter();
        inputs.filter(|i| matches!(i.kind, InputKind::Param(_))).map(|i| &*i.name)
    }

    /// Copies an output, `[T, B, ..]`, 0 beyond an example's length. Ids become numbers.
    pub fn output_into(&self, name: &str, to: &mut [f32]) -> Fallible<()> {
        let info = &self.exe.program.outputs[self.output_index(name)?];
        self.copy_into(name, &info.at, &info.shape, to)
    }

    /// Copies an input as it is now, likewise; none if it has no value.
    pub fn input(&self, name: &str) -> Fallible<Option<Vec<f32>>> {
        let index = self.input_index(name)?;
        let info = &self.exe.program.inputs[index];
        if !self.given[index] {
            return Ok(None);
        }
        let mut to = vec![0.0; self.shape_at(&info.at, &info.shape).iter().product()];
        self.copy_into(name, &info.at, &info.shape, &mut to)?;
        Ok(Some(to))
    }

    fn copy_into(&self, name: &str, at: &Operand, shape: &[usize], to: &mut [f32]) -> Fallible<()> {
        let expected: usize = self.shape_at(at, shape).iter().product();
        if to.len() != expected {
            return Err(vec![errors::wrong_count(name, expected, to.len())]);
        }
        let width: usize = shape.iter().product();
        let buffer = &self.exe.program.buffers[at.buffer.index()];
        let buf = &self.bufs[at.buffer.index()];
        let (all, stride) = self.rows(at);
        for (place, to) in to.chunks_mut(width.max(1)).enumerate() {
            let Some(row) = self.row_of(buffer.place, place) else {
                to.fill(0.0);
                continue;
            };
            let at = all.start + row * stride;
            match buffer.elem {
                Elem::F32 => to.copy_from_slice(&buf.f32()[at..at + width]),
                Elem::I32 => {
                    to.iter_mut().zip(&buf.i32()[at..at + width]).for_each(|(x, id)| *x = *id as f32)
                }
            }
        }
        Ok(())
    }

    pub fn output(&self, name: &str) -> Fallible<Vec<f32>> {
        let mut to = vec![0.0; self.output_shape(name)?.iter().product()];
        self.output_into(name, &mut to)?;
        Ok(to)
    }

    /// An output that all examples share (a gradient of a parameter), where it lies.
    pub fn shared_output(&self, name: &str) -> Fallible<&[f32]> {
        let (buffer, all) = self.shared(name)?;
        Ok(&self.bufs[buffer].f32()[all])
    }

    /// An output where it lies, if it lies there as [`Workspace::output_into`] would copy it.
    pub fn output_in_place(&self, name: &str) -> Fallible<Option<&[f32]>> {
        let info = &self.exe.program.outputs[self.output_index(name)?];
        let buffer = &self.exe.program.buffers[info.at.buffer.index()];
        let is_whole = match buffer.place {
            Place::Over { domain, .. } => !self.is_indexed(domain) && !self.ragged[domain.index()],
            Place::Shared | Place::Example => true,
        };
        let (all, stride) = self.rows(&info.at);
        let width: usize = info.shape.iter().product();
        let len: usize = self.shape_at(&info.at, &info.shape).iter().product();
        let has_no_gaps = buffer.elem == Elem::F32 && (stride == width || len == width);
        let values = self.bufs[info.at.buffer.index()].f32().get(all.start..all.start + len);
        Ok(values.filter(|_| is_whole && has_no_gaps))
    }

    /// The buffer and the elements of such an output.
    fn shared(&self, name: &str) -> Fallible<(usize, std::ops::Range<usize>)> {
        let info = &self.exe.program.outputs[self.output_index(name)?];
        let buffer = &self.exe.program.buffers[info.at.buffer.index()];
        if buffer.place != Place::Shared || buffer.elem != Elem::F32 {
            return Err(vec![errors::internal(&format!("`{name}` is not shared by all examples"))]);
        }
        let width: usize = info.shape.iter().product();
        Ok((info.at.buffer.index(), info.at.column..info.at.column + width))
    }
}

/// What an input is given.
#[derive(Clone, Copy)]
enum Values<'a> {
    Reals(&'a [f32]),
    Ids(&'a [i32]),
    /// Of each element, by its place in the array.
    Made(&'a dyn Fn(usize) -> f32),
}

/// The length of one axis of one example; 0 where something is wrong already.
fn known(lengths: &[Vec<usize>], axis: usize, b: usize) -> usize {
    lengths.get(axis).and_then(|all: &Vec<usize>| all.get(b)).copied().unwrap_or(0)
}

/// Lengths that are not given but found; arrays may have more steps.
fn longest(
    extent: &str,
    lengths: Vec<usize>,
    steps: Option<usize>,
) -> Result<(usize, Vec<usize>), Diagnostic> {
    let all = lengths.iter().copied().max().unwrap_or(0).max(steps.unwrap_or(0));
    if all > MOST_STEPS { Err(errors::too_many_steps(extent, all, MOST_STEPS)) } else { Ok((all, lengths)) }
}

/// A domain's steps and each example's length, from what is given of them.
fn fit_lengths(
    domain: &Domain,
    batch: usize,
    steps: Option<usize>,
    lengths: Option<&Vec<usize>>,
) -> Result<(usize, Vec<usize>), Diagnostic> {
    let extent: &str = &domain.extent;
    let wrong = |why: String| Err(errors::wrong_lengths(extent, &why));
    let fixed = domain.fixed().map(|n| n as usize);
    if let Some(lengths) = lengths.filter(|l| l.len() != batch) {
        return wrong(format!("there are {} of them for {batch} examples", lengths.len()));
    }
    let longest = lengths.map(|l| l.iter().copied().max().unwrap_or(0));
    let Some(all) = fixed.or(steps).or(longest) else { return Err(errors::missing_lengths(extent)) };
    if all > MOST_STEPS {
        return Err(errors::too_many_steps(extent, all, MOST_STEPS));
    }
    if let Some(n) = fixed
        && (steps.is_some_and(|s| s != n) || lengths.is_some_and(|l| l.iter().any(|l| *l != n)))
    {
        return wrong(format!("every example has {n} steps"));
    }
    match lengths {
        Some(_) if longest.is_some_and(|l| l > all) => {
            wrong(format!("one is {}, but the arrays have {all} steps", longest.unwrap_or(0)))
        }
        Some(lengths) => Ok((all, lengths.clone())),
        None => Ok((all, vec![all; batch])),
    }
}

/// `[3, 0]`: where an element of an array lies.
pub(super) fn place_of(mut at: usize, shape: &[usize]) -> String {
    let mut index = vec![0; shape.len()];
    for (i, n) in index.iter_mut().zip(shape).rev() {
        (*i, at) = (at % n.max(&1), at / n.max(&1));
    }
    errors::show_extents(&index)
}

fn fits(id: i32, symbols: usize) -> bool {
    usize::try_from(id).is_ok_and(|id| id < symbols)
}
