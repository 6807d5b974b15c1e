//! What functions of an object do before and behind the stages: inputs in, outputs out, counters, states.

use super::super::driver::Driver;
use super::super::interface::{Param, default, gradient_of, is_stepwise};
use super::super::plan::Home;
use super::super::words::{Words, memory};
use crate::loops::{InputKind, Program};
use cranelift::prelude::*;

/// Steps of the domains whose number is fixed; 1 of others.
pub fn fixed_steps(w: &mut Words, program: &Program) -> Vec<Value> {
    program.domains.iter().map(|d| w.word(d.fixed().map_or(1, i64::from))).collect()
}

/// A stream's first state: counters and initial values.
pub fn begin(d: &mut Driver, domain: crate::eqn::DomainId, args: &[Value], early: &[usize]) {
    if let (Some(counter), Some(kept)) = (d.plan.counter, d.bases.kept) {
        let at = d.w.plus(kept, counter as i64 * 4);
        let zero = d.w.b.ins().iconst(types::I32, 0);
        d.w.b.ins().store(memory(), zero, at, 0);
    }
    let program = d.program;
    let mut given = args.iter().skip(1);
    for (i, input) in program.inputs.iter().enumerate() {
        if matches!(input.kind, InputKind::Param(_)) || is_stepwise(program, domain, input) {
            continue;
        }
        let width = input.shape.iter().product();
        match (default(program, input), early.contains(&i)) {
            (Some(value), _) => d.fill_input(&input.at, width, value),
            (None, true) => {
                if let Some(array) = given.next() {
                    d.copy_in(*array, &input.at, width);
                }
            }
            (None, false) => {}
        }
    }
}

/// Everything of one step.
pub fn step(
    d: &mut Driver,
    args: &[Value],
    given: &[usize],
    outputs: &[usize],
    body: &[crate::loops::Stage],
) {
    let program = d.program;
    let arrays = args.get(1..).unwrap_or(&[]);
    for (i, array) in given.iter().zip(arrays) {
        d.bases.given[*i] = Some(*array);
    }
    for (i, array) in given.iter().zip(arrays) {
        let input = &program.inputs[*i];
        if d.plan.buffers[input.at.buffer.index()] != Home::Given(*i) {
            d.copy_in(*array, &input.at, input.shape.iter().product());
        }
    }
    d.number(true);
    d.stages(body);
    for (i, array) in outputs.iter().zip(arrays.get(given.len()..).unwrap_or(&[])) {
        let out = &program.outputs[*i];
        d.unless_null(*array, |d| d.copy_out(&out.at, *array, out.shape.iter().product()));
    }
    d.slide();
}

/// Everything of a whole sequence: the numbers of steps, inputs, outputs, workspace.
pub fn whole(d: &mut Driver, args: &[Value], open: usize, params: &[Param]) {
    let program = d.program;
    let (steps, rest) = args.split_at(open.min(args.len()));
    let [inputs, outputs, work] = rest[..] else { return };
    d.bases.work = Some(work);
    let domains = (0..program.domains.len()).filter(|i| program.domains[*i].fixed().is_none());
    for (domain, count) in domains.zip(steps) {
        d.bases.steps[domain] = *count;
    }
    let mut k = 0;
    for (i, input) in program.inputs.iter().enumerate() {
        if matches!(input.kind, InputKind::Param(_)) {
            continue;
        }
        let array = d.w.b.ins().load(types::I64, memory(), inputs, 8 * k);
        k += 1;
        if d.plan.buffers[input.at.buffer.index()] == Home::Given(i) {
            d.bases.given[i] = Some(array);
            continue;
        }
        let width = input.shape.iter().product();
        match default(program, input) {
            Some(value) => d.either_null(
                array,
                |d| d.fill_input(&input.at, width, value),
                |d| d.copy_in(array, &input.at, width),
            ),
            None => d.copy_in(array, &input.at, width),
        }
    }
    d.number(false);
    d.stages(&program.stages);
    let is_gradient = |name: &str| gradient_of(params, name);
    let mut k = 0;
    let mut gradients = Vec::new();
    let has_gradients = program.inputs.iter().any(|i| i.kind == InputKind::Cotangent);
    for out in &program.outputs {
        let width: usize = out.shape.iter().product();
        if let (Some(param), true) = (is_gradient(&out.name), has_gradients) {
            gradients.push((param.at, out, width));
            continue;
        }
        let array = d.w.b.ins().load(types::I64, memory(), outputs, 8 * k);
        k += 1;
        d.unless_null(array, |d| d.copy_out(&out.at, array, width));
    }
    if has_gradients && !params.is_empty() {
        let all = d.w.b.ins().load(types::I64, memory(), outputs, 8 * k);
        d.unless_null(all, |d| {
            for param in params.iter().filter(|p| !gradients.iter().any(|(at, ..)| *at == p.at)) {
                d.zeros(all, param.at, param.width());
            }
            for (at, out, width) in gradients {
                let to = d.w.plus(all, at as i64 * 4);
                d.copy_out(&out.at, to, width);
            }
        });
    }
}
