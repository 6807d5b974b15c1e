//! Calls of kernels: of one step or front, of a whole domain, of all steps of a loop.
//!
//! A kernel goes through its rows in order, and the rows of a chain lie step after step. So a loop whose body is one
//! kernel is one call over all its rows, those of a reverse loop in strides backwards: what a step reads of the one
//! before is done by then.

use super::{Done, Execution};
use crate::eqn::DomainId;
use crate::loops::{Arg, Place, Stage};
use crate::runtime::interpret;
use crate::runtime::kernel::{Base, Bind};
use crate::runtime::workspace::{lengths_buffer, position_buffer};

/// The rows of one call.
#[derive(Clone, Copy)]
enum Rows {
    /// Those of a whole domain, of the step we are in, of the examples.
    Here,
    /// Of all steps of a loop.
    Steps { domain: DomainId, reverse: bool },
}

impl Execution<'_> {
    pub(super) fn map(&mut self, kernel: usize, over: Place, args: &[Arg]) {
        // One example's rows are the same at every step.
        let stepwise = self.batch != 1 && self.are_stepwise(args);
        let rows = match over {
            Place::Over { domain, .. }
                if !self.is_indexed(domain) && self.scratch.step[domain.index()].is_none() =>
            {
                Rows::Steps { domain, reverse: false }
            }
            _ => Rows::Here,
        };
        let one_piece = self.is_one_piece(kernel, over, args);
        if one_piece && self.member.index > 0 {
            return;
        }
        let before = self.mine;
        if one_piece {
            // As if there were no other thread.
            self.mine = Some((0, self.batch));
        }
        self.by_step(over, stepwise, |run| {
            let rows = if stepwise { Rows::Here } else { rows };
            run.call(kernel, over, args, rows);
        });
        self.mine = before;
    }

    fn are_stepwise(&self, args: &[Arg]) -> bool {
        args.iter().any(|arg| match arg {
            Arg::Rows(at) => self.place(at.buffer) == Place::Example,
            Arg::Weight(_) => false,
            Arg::Position(_) | Arg::Length(_) => true,
        })
    }

    /// Does all steps of a loop in one call, if it is one of a kernel. (Masks do nothing where all examples are of one
    /// length.)
    pub(super) fn at_once(&mut self, domain: DomainId, reverse: bool, body: &[Stage]) -> bool {
        let is_mask = |stage: &&Stage| matches!(stage, Stage::Mask { .. });
        let masks = body.iter().filter(is_mask).count();
        let mut rest = body.iter().filter(|stage| !is_mask(stage));
        // Several threads go through a loop with their own examples, whose rows do not follow one another.
        if self.member.count > 1 || self.mine.is_some() {
            return false;
        }
        let (Some(stage @ Stage::Map { kernel, over, args }), None) = (rest.next(), rest.next()) else {
            return false;
        };
        let is_ours = matches!(over, Place::Over { domain: d, .. } if *d == domain);
        let is_even = !self.ragged[domain.index()] || masks == 0;
        if !is_ours || !is_even || self.is_indexed(domain) || (self.batch != 1 && self.are_stepwise(args)) {
            return false;
        }
        self.call(kernel.index(), *over, args, Rows::Steps { domain, reverse });
        if let Some(watch) = &mut self.watch {
            watch(Done::Stages(std::slice::from_ref(stage)));
        }
        true
    }

    fn call(&mut self, kernel: usize, over: Place, args: &[Arg], which: Rows) {
        let program = &self.exe.program;
        let all = match which {
            Rows::Steps { domain, .. } => self.steps[domain.index()] * self.batch,
            Rows::Here => self.window(over).len(),
        };
        let part = self.part(all);
        let rows = part.len();
        if rows == 0 {
            return;
        }
        // Of a row per example all steps of the only example read the same.
        let per_example = if let Rows::Steps { .. } = which { 0 } else { 1 };
        self.scratch.binds.clear();
        for arg in args {
            let mut bind = match arg {
                Arg::Rows(at) => {
                    let found = self.rows(at);
                    let (own, stride) = match self.place(at.buffer) {
                        // A thread's own working memory.
                        Place::Shared if self.exe.working[at.buffer.index()] => {
                            (self.member.index * self.exe.placement.pitch(found.stride), 0)
                        }
                        Place::Shared => (0, 0),
                        Place::Example => (0, per_example * found.stride as isize),
                        Place::Over { .. } => (0, found.stride as isize),
                    };
                    Bind { base: Base::Buffer(found.buffer), offset: found.first + own, stride }
                }
                Arg::Weight(weight) => Bind { base: Base::Weight(weight.index()), offset: 0, stride: 0 },
                Arg::Position(domain) => Bind {
                    base: Base::Buffer(position_buffer(program, domain.index())),
                    offset: self.scratch.step[domain.index()].unwrap_or(0),
                    stride: 1 - per_example,
                },
                Arg::Length(domain) => Bind {
                    base: Base::Buffer(lengths_buffer(program, domain.index())),
                    offset: self.mine.map_or(0, |(first, _)| first),
                    stride: per_example,
                },
            };
            bind.offset = bind.offset.wrapping_add_signed(bind.stride.wrapping_mul(part.start as isize));
            if let Rows::Steps { reverse: true, .. } = which {
                // From the last row backwards.
                bind.offset = bind.offset.wrapping_add_signed((rows as isize - 1).wrapping_mul(bind.stride));
                bind.stride = -bind.stride;
            }
            self.scratch.binds.push(bind);
        }
        let (limits, scratch) = (&self.exe.limits[kernel], &mut *self.scratch);
        match &self.exe.native {
            Some(native) => {
                native.call(kernel, &scratch.binds, rows, &mut self.memory, &mut scratch.addresses);
            }
            None => {
                let kernel = &program.kernels[kernel];
                let interpreter = &mut scratch.interpreter;
                interpret::run(kernel, &scratch.binds, limits, rows, &mut self.memory, interpreter);
            }
        }
    }
}
