//! One example, step after step: inputs in, outputs out, states go on.
//!
//! In: an [`Executable`] that was scheduled for [`Steps`](crate::schedule::Expected::Steps), parameters, then the inputs
//! of each step. Out: its outputs, the same numbers to the last bit that a run over the whole sequence gives. A step
//! allocates nothing, takes no lock and copies no state: the workspace holds a window of some steps, each step works on its
//! own rows of it and reads the states of the rows before. When the window is full, the last rows move to the front of it.
//!
//! ```no_run
//! # fn main() -> rnnc::diag::Fallible<()> {
//! # let (graph, weights) = (rnnc::eqn::Graph::default(), vec![0.0]);
//! use rnnc::pipeline::{CompileOptions, compile};
//! use rnnc::{runtime::Stream, schedule::Expected};
//! let options = CompileOptions { expected: Expected::Steps, ..CompileOptions::default() };
//! let mut stream = Stream::new(&compile(&graph, &Default::default(), &options)?)?;
//! stream.set_param("W", &weights)?;
//! let mut output = [0.0; 16];
//! for input in [[0.1, 0.2], [0.3, 0.4]] {
//!     stream.step(&input, &mut output)?;
//! }
//! # Ok(())
//! # }
//! ```

use super::kernel::{Aimed, Base, Bind, FlushToZero, Lent};
use super::memory::Buf;
use super::workspace::{Workspace, position_buffer};
use super::{Executable, errors};
use crate::diag::Fallible;
use crate::eqn::{DomainId, DomainKind};
use crate::loops::{Arg, Elem, Operand, Place, Stage};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Bytes of a window: a part of the first cache.
const WINDOW: usize = 8 << 10;
/// Steps of a window, at least and at most.
const STEPS: (usize, usize) = (4, 64);

/// A sequence that goes on step by step.
pub struct Stream {
    workspace: Workspace,
    domain: DomainId,
    /// Where the loop is among the program's stages.
    at: usize,
    /// The steps of a window, and which of them is next.
    window: usize,
    next: usize,
    /// Steps so far.
    done: u64,
    /// Nothing has changed since what is before the loop was done.
    is_ready: bool,
    /// The whole step as one kernel, while its memory is with it.
    aimed: Option<Aimed>,
    /// What a row of each buffer is, for those whose rows are read again in later steps.
    carried: Vec<Carried>,
    inputs: Vec<Row>,
    outputs: Vec<Row>,
    /// Elements of all inputs and outputs of a step.
    widths: (usize, usize),
    /// Whether the number of the step is used.
    is_counting: bool,
}

/// A buffer with steps before its first one.
struct Carried {
    buffer: usize,
    width: usize,
    before: usize,
}

/// Where an array of one step lies.
struct Row {
    name: Arc<str>,
    buffer: usize,
    /// Of the row of the first step.
    first: usize,
    stride: usize,
    width: usize,
    elem: Elem,
    symbols: usize,
    /// The step's kernel finds it in the caller's array, and nothing is copied.
    is_lent: bool,
}

impl Row {
    fn at(&self, step: usize) -> std::ops::Range<usize> {
        let first = self.first + step * self.stride;
        first..first + self.width
    }
}

impl Stream {
    /// A stream before its first step. Parameters are given with [`Stream::set_param`].
    pub fn new(exe: &Arc<Executable>) -> Fallible<Stream> {
        let program = exe.program();
        let is_loop = |stage: &Stage| matches!(stage, Stage::Loop { .. });
        let at = program.stages.iter().position(is_loop);
        let (Some(at), 1) = (at, program.stages.iter().filter(|s| is_loop(s)).count()) else {
            return Err(vec![errors::no_stream("its program is made for whole sequences")]);
        };
        let Stage::Loop { domain, reverse: false, body } = &program.stages[at] else {
            return Err(vec![errors::no_stream("it goes from the last step to the first")]);
        };
        let domain = *domain;
        if program
            .domains
            .iter()
            .enumerate()
            .any(|(i, d)| d.is_indexed() && program.axes(DomainId(i as u32)).contains(&domain))
        {
            return Err(vec![errors::no_stream("it has rows of its own for points within a step")]);
        }
        if program.domains.iter().any(|d| matches!(d.kind, DomainKind::Tree { .. })) {
            return Err(vec![errors::no_stream("it has a tree beside, which no step can be given")]);
        }
        let mut workspace = Workspace::new(exe)?;
        let (mut bytes, mut most) = (4, 0);
        let mut carried = Vec::new();
        for (i, buffer) in program.buffers.iter().enumerate() {
            let Place::Over { domain: d, before, .. } = buffer.place else { continue };
            if d != domain {
                continue;
            }
            bytes += 4 * buffer.width;
            most = most.max(before as usize);
            if before > 0 {
                carried.push(Carried { buffer: i, width: buffer.width, before: before as usize });
            }
        }
        let window = (WINDOW / bytes).clamp(STEPS.0, STEPS.1).max(2 * most);
        let extent = program.domains[domain.index()].extent.to_string();
        workspace.resize_to(1, &BTreeMap::from([(extent, window)]), &BTreeMap::new())?;
        let row = |name: &Arc<str>, at: &Operand, shape: &[usize], symbols: Option<usize>| {
            let buffer = &program.buffers[at.buffer.index()];
            let (all, stride) = workspace.rows(at);
            let is_over = matches!(buffer.place, Place::Over { domain: d, .. } if d == domain);
            is_over.then(|| Row {
                name: name.clone(),
                buffer: at.buffer.index(),
                first: all.start,
                stride,
                width: shape.iter().product(),
                elem: buffer.elem,
                symbols: symbols.unwrap_or(0),
                is_lent: false,
            })
        };
        let inputs: Vec<Row> =
            program.inputs.iter().filter_map(|i| row(&i.name, &i.at, &i.shape, i.symbols)).collect();
        let outputs: Vec<Row> =
            program.outputs.iter().filter_map(|o| row(&o.name, &o.at, &o.shape, None)).collect();
        for input in &inputs {
            let zeros = window * input.width;
            match input.elem {
                Elem::F32 => workspace.set_input(&input.name, &vec![0.0; zeros])?,
                Elem::I32 => workspace.set_ids(&input.name, &vec![0; zeros])?,
            }
        }
        let is_counting = counts(body);
        let width = |rows: &[Row]| rows.iter().map(|row| row.width).sum();
        let widths = (width(&inputs), width(&outputs));
        Ok(Stream {
            workspace,
            domain,
            at,
            window,
            next: 0,
            done: 0,
            is_ready: false,
            aimed: None,
            carried,
            inputs,
            outputs,
            widths,
            is_counting,
        })
    }

    /// Names of all parameters, in the program's order.
    pub fn params(&self) -> impl Iterator<Item = &str> {
        self.workspace.params()
    }

    /// Gives a parameter, row-major. States stay as they are.
    pub fn set_param(&mut self, name: &str, values: &[f32]) -> Fallible<()> {
        self.release();
        let param = self.workspace.param_mut(name)?;
        if param.len() != values.len() {
            return Err(vec![errors::wrong_count(name, param.len(), values.len())]);
        }
        param.copy_from_slice(values);
        Ok(())
    }

    /// Gives the workspace to a function that fills parameters or other arrays that are not given step by step.
    pub fn prepare<T>(&mut self, fill: impl FnOnce(&mut Workspace) -> Fallible<T>) -> Fallible<T> {
        self.release();
        self.is_ready = self.done > 0;
        fill(&mut self.workspace)
    }

    /// Begins anew, with the initial states.
    pub fn restart(&mut self) {
        self.release();
        (self.next, self.done, self.is_ready) = (0, 0, false);
    }

    /// Names and sizes of the inputs of a step.
    pub fn inputs(&self) -> impl Iterator<Item = (&str, usize)> {
        self.inputs.iter().map(|row| (&*row.name, row.width))
    }

    /// Names and sizes of the outputs of a step.
    pub fn outputs(&self) -> impl Iterator<Item = (&str, usize)> {
        self.outputs.iter().map(|row| (&*row.name, row.width))
    }

    /// One step: `input` holds all inputs of the step, one after another in the order of [`Stream::inputs`], `output`
    /// gets all outputs likewise. Ids are whole numbers.
    pub fn step(&mut self, input: &[f32], output: &mut [f32]) -> Fallible<()> {
        if input.len() != self.widths.0 {
            return Err(vec![errors::wrong_count("input", self.widths.0, input.len())]);
        }
        if output.len() != self.widths.1 {
            return Err(vec![errors::wrong_count("output", self.widths.1, output.len())]);
        }
        if self.next == self.window || self.aimed.is_none() {
            self.begin()?;
        }
        let mut first = 0;
        for i in 0..self.inputs.len() {
            let end = first + self.inputs[i].width;
            if !self.inputs[i].is_lent {
                self.give(i, &input[first..end])?;
            }
            first = end;
        }
        self.advance(input, output);
        let mut first = 0;
        for row in &self.outputs {
            let end = first + row.width;
            if !row.is_lent {
                let to = &mut output[first..end];
                let buf = self.buf(row.buffer);
                match row.elem {
                    Elem::F32 => to.copy_from_slice(&buf.f32()[row.at(self.next - 1)]),
                    Elem::I32 => {
                        let ids = &buf.i32()[row.at(self.next - 1)];
                        to.iter_mut().zip(ids).for_each(|(x, id)| *x = *id as f32);
                    }
                }
            }
            first = end;
        }
        Ok(())
    }

    fn buf(&self, buffer: usize) -> &Buf {
        match &self.aimed {
            Some(aimed) => aimed.buf(buffer),
            None => &self.workspace.bufs[buffer],
        }
    }

    /// Puts one input of the coming step into its row.
    fn give(&mut self, input: usize, values: &[f32]) -> Fallible<()> {
        let row = &self.inputs[input];
        let at = row.at(self.next);
        if row.elem == Elem::F32 {
            match &mut self.aimed {
                Some(aimed) => aimed.f32_mut(row.buffer)[at].copy_from_slice(values),
                None => self.workspace.bufs[row.buffer].f32_mut()[at].copy_from_slice(values),
            }
            return Ok(());
        }
        for (i, x) in values.iter().enumerate() {
            if *x < 0.0 || x.fract() != 0.0 || *x >= row.symbols as f32 || x.is_nan() {
                let place = format!("[{i}]");
                return Err(vec![errors::id_out_of_range(&row.name, f64::from(*x), &place, row.symbols)]);
            }
        }
        let to = match &mut self.aimed {
            Some(aimed) => &mut aimed.i32_mut(row.buffer)[at],
            None => &mut self.workspace.bufs[row.buffer].i32_mut()[at],
        };
        to.iter_mut().zip(values).for_each(|(to, x)| *to = *x as i32);
        Ok(())
    }

    /// Does what comes before the first step, or has been undone; makes room for the next step.
    #[cold]
    fn begin(&mut self) -> Fallible<()> {
        if self.next == self.window {
            self.slide();
        }
        if self.aimed.is_none() && (!self.is_ready || self.workspace.stale) {
            let exe = self.workspace.exe.clone();
            self.workspace.check_given()?;
            let _flush = FlushToZero::begin();
            self.workspace.prepare_if_stale();
            if !self.is_ready {
                self.workspace.run_stages(&exe.program.stages[..self.at], None);
            }
            self.is_ready = true;
        }
        if self.aimed.is_none() {
            self.slide();
            self.aim();
        }
        Ok(())
    }

    /// Lets the step's kernel have the memory, if the step is one kernel.
    fn aim(&mut self) {
        let exe = self.workspace.exe.clone();
        let Some(native) = &exe.native else { return };
        let Stage::Loop { body, .. } = &exe.program.stages[self.at] else { return };
        let [Stage::Map { kernel, args, .. }] = &body[..] else { return };
        let bind = |arg: &Arg| {
            let (base, offset, stride) = match arg {
                Arg::Rows(at) => {
                    let (all, width) = self.workspace.rows(at);
                    let is_over = matches!(
                        exe.program.buffers[at.buffer.index()].place,
                        Place::Over { domain, .. } if domain == self.domain
                    );
                    let stride = if is_over { width } else { 0 };
                    (Base::Buffer(at.buffer.index()), all.start, stride)
                }
                Arg::Weight(w) => (Base::Weight(w.index()), 0, 0),
                Arg::Position(d) => (Base::Buffer(position_buffer(&exe.program, d.index())), 0, 1),
                Arg::Length(_) => return None,
            };
            Some(Bind { base, offset, stride: stride as isize })
        };
        let Some(binds) = args.iter().map(bind).collect::<Option<Vec<Bind>>>() else { return };
        let declared = &exe.program().kernels[kernel.index()].args;
        let named: Vec<usize> = self.inputs.iter().chain(&self.outputs).map(|row| row.buffer).collect();
        let mut lent = Vec::new();
        for (rows, written) in [(&mut self.inputs, false), (&mut self.outputs, true)] {
            let mut first = 0;
            for row in rows {
                // Nothing else may look for the row in its place: no other argument or array, and no later step.
                let mut own = (0..binds.len()).filter(|i| binds[*i].base == Base::Buffer(row.buffer));
                let is_needed = self.carried.iter().any(|c| c.buffer == row.buffer)
                    || named.iter().filter(|buffer| **buffer == row.buffer).count() > 1;
                if let (Some(arg), None, Elem::F32, false) = (own.next(), own.next(), row.elem, is_needed)
                    && (binds[arg].offset, binds[arg].stride) == (row.first, row.width as isize)
                    && declared[arg].written == written
                {
                    row.is_lent = true;
                    lent.push(Lent { arg, first, width: row.width, written });
                }
                first += row.width;
            }
        }
        let (bufs, weights) =
            (std::mem::take(&mut self.workspace.bufs), std::mem::take(&mut self.workspace.weights));
        self.aimed = Some(Aimed::new(native, kernel.index(), &binds, self.window, bufs, weights, lent));
    }

    /// Takes the memory back.
    fn release(&mut self) {
        if let Some(aimed) = self.aimed.take() {
            self.inputs.iter_mut().chain(&mut self.outputs).for_each(|row| row.is_lent = false);
            (self.workspace.bufs, self.workspace.weights) = aimed.release();
        }
    }

    /// Runs the next step.
    fn advance(&mut self, input: &[f32], output: &mut [f32]) {
        let _flush = FlushToZero::begin();
        match &mut self.aimed {
            Some(aimed) => aimed.step(input, output),
            None => {
                let exe = self.workspace.exe.clone();
                if let Stage::Loop { body, .. } = &exe.program.stages[self.at] {
                    self.workspace.run_stages(body, Some((self.domain, self.next)));
                }
            }
        }
        self.next += 1;
        self.done += 1;
    }

    /// The last rows that are done become those before the first of the window.
    fn slide(&mut self) {
        let positions = position_buffer(&self.workspace.exe.program, self.domain.index());
        let (aimed, bufs) = (&mut self.aimed, &mut self.workspace.bufs);
        for carried in &self.carried {
            let (from, len) = (self.next * carried.width, carried.before * carried.width);
            let all = match aimed {
                Some(aimed) => aimed.i32_mut(carried.buffer),
                None => bufs[carried.buffer].i32_mut(),
            };
            all.copy_within(from..from + len, 0);
        }
        if self.is_counting {
            let all = match aimed {
                Some(aimed) => aimed.f32_mut(positions),
                None => bufs[positions].f32_mut(),
            };
            all.iter_mut().zip(self.done + 1..).for_each(|(x, position)| *x = position as f32);
        }
        if let Some(aimed) = aimed {
            aimed.rewind();
        }
        self.next = 0;
    }
}

/// Whether stages use the number of a step.
fn counts(stages: &[Stage]) -> bool {
    stages.iter().any(|stage| match stage {
        Stage::Loop { body, .. } | Stage::Fronts { body, .. } => counts(body),
        Stage::Map { args, .. } => args.iter().any(|arg| matches!(arg, Arg::Position(_))),
        Stage::Number { .. } => true,
        _ => false,
    })
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Stream({} steps)", self.done)
    }
}
