//! Compiled programs: against the interpreter, and against other ways to the same numbers.

use super::super::values::{alone, part};
use super::{Checked, Checker, Failure, fail, refused, with_outputs};
use ndarray::ArrayD;
use rnnc::codegen::How;
use rnnc::diag::Fallible;
use rnnc::eqn::eval::{Arrays, Batch, Evaluator};
use rnnc::eqn::{Graph, Level};
use rnnc::limits::Limits;
use rnnc::loops::Place;
use rnnc::runtime::gemm::Isa;
use rnnc::runtime::{Executable, Placement, Stream, run_batch, run_batch_on};
use rnnc::schedule::cost::Sizes;
use rnnc::schedule::{Expected, Keep, schedule_for};
use rnnc::testing::bounded::Bounded;
use std::collections::BTreeMap;
use std::sync::Arc;

impl Checker<'_> {
    pub(super) fn kernels(&mut self, batch: &Batch) -> Checked {
        let s = self.subject;
        let wrong = |what: String| Failure { check: "sound", message: format!("the interpreter: {what}") };
        let evaluator = Evaluator::new(&s.joint).map_err(wrong)?;
        let on = evaluator.on(batch).map_err(wrong)?;
        let expected: BTreeMap<String, ArrayD<Bounded>> = on.run(&batch.arrays).map_err(wrong)?;
        // Every other program is made for the sizes it is run on.
        let sized = Expected::Sizes(Sizes { batch: s.batch, steps: s.steps });
        let sizes = if self.case.seed.is_multiple_of(2) { Expected::Batches } else { sized };
        let exe = match compiled(&s.joint, sizes, Keep::default()) {
            Ok(exe) => exe,
            // No order of the points, or a program that the back end has no means for.
            Err(found) if found.first().is_some_and(|d| d.code.starts_with("E06") && d.code != "E0601") => {
                self.skip(format!("back end refuses: {}", found[0].code));
                return Ok(());
            }
            Err(found) => return Err(refused("kernels")(found)),
        };
        let found = run_batch(&exe, batch).map_err(refused("kernels"))?;
        if self.wants("kernels") {
            self.within("kernels", &expected, &found)?;
        }
        for (check, keep) in [("saved", Keep::All), ("recomputed", Keep::Least)] {
            if self.wants(check) {
                let program = schedule_for(&s.joint, sizes, keep).map_err(refused(check))?;
                // Where there is nothing to choose it is the one that has just been run.
                if program == *exe.program() {
                    self.did(check);
                    continue;
                }
                let other = Executable::compiled(program).map_err(refused(check))?;
                self.within(check, &expected, &run_batch(&other, batch).map_err(refused(check))?)?;
            }
        }
        if self.wants("threads") && self.team.size() > 1 {
            let other =
                run_batch_on(&exe, batch, Limits::DEFAULT.memory, self.team).map_err(refused("threads"))?;
            same_bits("threads", &found, &other)?;
            self.did("threads");
        }
        // Machine code with 128-bit vectors; where the computer has no others, all of it.
        let mut narrow = exe.clone();
        if Isa::Avx512.is_available() && (self.wants("wide") || self.wants("guarded")) {
            let how = How { narrow: true, ..How::default() };
            narrow = Executable::compiled_as(exe.program().clone(), how).map_err(refused("wide"))?;
            same_bits("wide", &found, &run_batch(&narrow, batch).map_err(refused("wide"))?)?;
            self.did("wide");
        }
        if self.wants("guarded") {
            // An element too far is a fault, which ends the process.
            let (placement, exe) = match self.case.seed % 4 {
                0 => (Placement::GuardAfter, &exe),
                1 => (Placement::GuardAfter, &narrow),
                2 => (Placement::GuardBefore, &exe),
                _ => (Placement::GuardBefore, &narrow),
            };
            let guarded = exe.moved(placement).map_err(refused("guarded"))?;
            let run = run_batch_on(&guarded, batch, Limits::DEFAULT.memory, self.team);
            same_bits("guarded", &found, &run.map_err(refused("guarded"))?)?;
            self.did("guarded");
        }
        if self.wants("alone") {
            self.alone(&exe, batch, &found)?;
        }
        if self.wants("stream") {
            self.stream(batch)?;
        }
        Ok(())
    }

    /// Each example by itself has the bits that it has among others, padded.
    fn alone(&mut self, exe: &Arc<Executable>, batch: &Batch, found: &Arrays) -> Checked {
        let graph = &self.subject.joint;
        for b in 0..batch.size {
            let one = alone(&self.subject.derived, batch, b);
            let by_itself = run_batch(exe, &one).map_err(refused("alone"))?;
            for output in &graph.outputs {
                let level = graph.level(output.node);
                if level == Level::Shared {
                    continue;
                }
                let name = &*output.name;
                let (Some(all), Some(own)) = (found.get(name), by_itself.get(name)) else {
                    return fail("alone", format!("no output `{name}`"));
                };
                let own = part(graph, &one, level, own, 0);
                let all = part(graph, batch, level, all, b);
                if own.shape() != all.shape() {
                    let shapes = format!("{:?} and {:?}", own.shape(), all.shape());
                    return fail("alone", format!("example {b}, `{name}`: shapes {shapes}"));
                }
                compare_bits("alone", &format!("example {b}, `{name}`"), &all, &own)?;
            }
        }
        self.did("alone");
        Ok(())
    }

    /// Step by step, an example gives the bits of its whole sequence.
    fn stream(&mut self, batch: &Batch) -> Checked {
        let graph = &self.subject.bound;
        let is_chain = |d: &rnnc::eqn::Domain| matches!(d.kind, rnnc::eqn::DomainKind::Chain { fixed: None });
        let chains: Vec<usize> = (0..graph.domains.len()).filter(|d| is_chain(&graph.domains[*d])).collect();
        let [chain] = chains[..] else { return Ok(()) };
        let over = Level::Over(rnnc::eqn::DomainId(chain as u32));
        let graph = with_outputs(graph, |o| graph.level(o.node) == over && !o.name.ends_with("_last"));
        if graph.outputs.is_empty() {
            return Ok(());
        }
        let exe = match compiled(&graph, Expected::Steps, Keep::default()) {
            Ok(exe) => exe,
            Err(found) if found[0].code == "E0744" => {
                self.skip("no stream");
                return Ok(());
            }
            Err(found) => return Err(refused("stream")(found)),
        };
        let whole = compiled(&graph, Expected::default(), Keep::default()).map_err(refused("stream"))?;
        let extent = &*self.subject.bound.domains[chain].extent;
        let Some(b) = (0..batch.size).max_by_key(|b| batch.lengths[extent][*b]) else { return Ok(()) };
        let steps = batch.lengths[extent][b];
        let one = alone(&self.subject.derived, batch, b);
        let expected = run_batch(&whole, &one).map_err(refused("stream"))?;
        let mut stream = match Stream::new(&exe) {
            Ok(stream) => stream,
            Err(found) if found[0].code == "E0744" => {
                self.skip("no stream");
                return Ok(());
            }
            Err(found) => return Err(refused("stream")(found)),
        };
        stream.prepare(|ws| give(ws, &exe, &one)).map_err(refused("stream"))?;
        let inputs: Vec<(String, usize)> = stream.inputs().map(|(n, w)| (n.to_string(), w)).collect();
        let outputs: Vec<(String, usize)> = stream.outputs().map(|(n, w)| (n.to_string(), w)).collect();
        let mut output = vec![0.0f32; outputs.iter().map(|(_, w)| w).sum()];
        for t in 0..steps {
            let mut input = Vec::new();
            for (name, width) in &inputs {
                let array = one.arrays.get(name.as_str());
                input.extend(
                    (t * width..(t + 1) * width)
                        .map(|i| array.and_then(|a| a.iter().nth(i)).map_or(0.0, |x| *x as f32)),
                );
            }
            stream.step(&input, &mut output).map_err(refused("stream"))?;
            let mut rest = &output[..];
            for (name, width) in &outputs {
                let (own, behind) = rest.split_at(*width);
                rest = behind;
                let Some(all) = expected.get(name) else {
                    return fail("stream", format!("no output `{name}`"));
                };
                for (i, x) in own.iter().enumerate() {
                    let y = all.iter().nth(t * width + i).copied().unwrap_or(f64::NAN) as f32;
                    if x.to_bits() != y.to_bits() && !(x.is_nan() && y.is_nan()) {
                        return fail(
                            "stream",
                            format!("`{name}`, step {t}, element {i}: {x:e}, of the whole {y:e}"),
                        );
                    }
                }
            }
        }
        self.did("stream");
        Ok(())
    }
}

/// A graph that is bound and simplified.
fn compiled(graph: &Graph, expected: Expected, keep: Keep) -> Fallible<Arc<Executable>> {
    Executable::compiled(schedule_for(graph, expected, keep)?)
}

/// Everything that is not given step by step.
fn give(ws: &mut rnnc::runtime::Workspace, exe: &Arc<Executable>, one: &Batch) -> Fallible<()> {
    let program = exe.program();
    for input in &program.inputs {
        if matches!(program.buffers[input.at.buffer.index()].place, Place::Over { .. }) {
            continue;
        }
        let Some(array) = one.arrays.get(&*input.name) else { continue };
        match input.symbols {
            Some(_) => {
                let ids: Vec<i32> = array.iter().map(|x| *x as i32).collect();
                ws.set_ids(&input.name, &ids)?;
            }
            None => {
                let values: Vec<f32> = array.iter().map(|x| *x as f32).collect();
                ws.set_input(&input.name, &values)?;
            }
        }
    }
    Ok(())
}

fn same_bits(check: &'static str, all: &Arrays, other: &Arrays) -> Checked {
    for (name, array) in all {
        let Some(other) = other.get(name) else { return fail(check, format!("no output `{name}`")) };
        compare_bits(check, &format!("`{name}`"), array, other)?;
    }
    Ok(())
}

/// All NaNs are one.
fn compare_bits(check: &'static str, what: &str, a: &ArrayD<f64>, b: &ArrayD<f64>) -> Checked {
    for ((index, x), y) in a.indexed_iter().zip(b) {
        if x.to_bits() != y.to_bits() && !(x.is_nan() && y.is_nan()) {
            let place = ndarray::Dimension::slice(&index).to_vec();
            return fail(check, format!("{what} at {place:?}: {x:e} and {y:e}"));
        }
    }
    Ok(())
}
