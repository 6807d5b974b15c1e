//! The training loop.
//!
//! In: compiled programs, data, settings, perhaps a checkpoint. Out: parameters, through the callbacks
//! of an [`Observer`]. Invariant: the state of a run is its parameters, the states of the optimiser and
//! of the windows, and the counters of [`Progress`]; nothing else decides the next bit.

use super::batches::{Batches, Window, is_example_input};
use super::checkpoint::{About, Best, Checkpoint, Epoch, Progress, Sums, Tested};
use super::data::Dataset;
use super::data::split::{Part, Parts};
use super::draw;
use super::errors;
use super::faults::{self, Wrong};
use super::fit::Feed;
use super::model::{Carrying, Made};
use super::optimiser::{Given, Rule};
use super::settings::Settings;
use super::update::{Update, Updates};
use crate::diag::{Diagnostic, Fallible};
use crate::loops::InputKind;
use crate::runtime::{Team, Workspace};
use crate::weights::{Array, Arrays, Finder};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the loop tells, and what it is told in return.
pub trait Observer {
    /// After every step.
    fn step(&mut self, seen: &Seen) -> Control;
    /// After every epoch, before its checkpoint.
    fn epoch(&mut self, _epoch: &Epoch, _progress: &Progress) -> Result<(), Diagnostic> {
        Ok(())
    }
    /// To be kept, so that the run can go on from here.
    fn checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<(), Diagnostic>;
    /// The parameters to use so far: those with the best validation loss, or without a validation part the latest.
    fn best(&mut self, checkpoint: &Checkpoint) -> Result<(), Diagnostic>;
    /// Asked between batches of an evaluation; if not, it is given up, and done whole when the run goes on.
    fn goes_on(&mut self) -> bool {
        true
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    Go,
    /// Write a checkpoint before the next step.
    Keep,
    /// Write a checkpoint and end.
    Stop,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// All epochs are over, or patience is.
    Complete,
    /// The observer said so; its last checkpoint is where to go on.
    Stopped,
}

/// The state of affairs after a step.
#[derive(Clone, Debug)]
pub struct Seen<'a> {
    pub epoch: u64,
    pub epochs: u64,
    pub step: u64,
    pub steps: u64,
    /// Positions or examples of this epoch so far, and of the whole epoch.
    pub units: u64,
    pub units_in_all: u64,
    /// Means of this epoch so far.
    pub loss: f64,
    pub metrics: &'a [(String, f64)],
    /// Of this step alone.
    pub own: &'a Own,
    /// All steps of the run that are over, and all epochs.
    pub all_steps: u64,
    pub history: &'a [Epoch],
}

/// The numbers of one step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Own {
    pub loss: f64,
    pub metrics: Vec<(String, f64)>,
    /// Of the gradient of all parameters as one vector, before clipping.
    pub norm: f64,
}

/// Everything a run is made of.
pub struct Plan<'a> {
    pub data: &'a Dataset,
    pub parts: &'a Parts,
    pub feeds: &'a [Feed],
    pub settings: &'a Settings,
    pub about: About,
    /// Names of the metrics, without `metric.`.
    pub metrics: Vec<String>,
    pub training: Made,
    pub evaluation: Made,
    /// The threads that steps are shared out to.
    pub team: &'a Arc<Team>,
}

pub struct Trainer<'a> {
    plan: Plan<'a>,
    training: Carrying,
    evaluation: Carrying,
    params: Vec<Param>,
    rules: Vec<Rule>,
    updates: Updates,
    progress: Progress,
    /// Look at more numbers than those that training cannot go on without.
    sanitizes: bool,
}

/// One trained array.
struct Param {
    name: String,
    gradient: String,
    shape: Vec<usize>,
    within: Option<(f32, f32)>,
    /// Index of the rule for its shape.
    rule: usize,
    states: Vec<Vec<f32>>,
}

impl<'a> Trainer<'a> {
    /// `rule` gives the compiled optimiser for a shape; it is asked once for each.
    pub fn new(plan: Plan<'a>, mut rule: impl FnMut(&[usize]) -> Fallible<Rule>) -> Fallible<Trainer<'a>> {
        let carry = plan.data.is_stream();
        let mut training = Carrying::new(&plan.training.exe, carry)?;
        draw::parameters(&mut training.workspace, plan.settings.seed)?;
        let mut evaluation = Carrying::new(&plan.evaluation.exe, carry)?;
        training.workspace.work_with(plan.team)?;
        evaluation.workspace.work_with(plan.team)?;
        let mut shapes: Vec<Vec<usize>> = Vec::new();
        let mut rules = Vec::new();
        let mut params = Vec::new();
        for input in &plan.training.exe.program().inputs {
            let InputKind::Param(info) = &input.kind else { continue };
            let at = match shapes.iter().position(|s| *s == input.shape) {
                Some(at) => at,
                None => {
                    rules.push(rule(&input.shape)?);
                    shapes.push(input.shape.clone());
                    rules.len() - 1
                }
            };
            params.push(Param {
                name: input.name.to_string(),
                gradient: format!("{}_adj", input.name),
                shape: input.shape.clone(),
                within: info.within.map(|(lo, hi)| (lo as f32, hi as f32)),
                rule: at,
                states: Vec::new(),
            });
        }
        let sizes: Vec<(usize, usize)> = params.iter().map(|p| (p.shape.iter().product(), p.rule)).collect();
        let updates = Updates::new(plan.team, &rules, &sizes)?;
        let progress = Progress::default();
        Ok(Trainer { plan, training, evaluation, params, rules, updates, progress, sanitizes: false })
    }

    /// Looks also at states, metrics, updates and evaluations, and ends at the first number that is not finite. Changes
    /// no bit.
    pub fn sanitize(&mut self) {
        self.sanitizes = true;
    }

    /// Begins with the parameters of another run of the same equations.
    pub fn begin_with(&mut self, file: &str, checkpoint: &Checkpoint) -> Fallible<()> {
        let finder = Finder { file, arrays: &checkpoint.arrays };
        let mut misfits = Vec::new();
        for p in &self.params {
            match finder.required(&p.name, &p.shape) {
                Ok(array) => self.training.workspace.set_input(&p.name, &array.to_f32())?,
                Err(e) => misfits.push(e),
            }
        }
        finder.refusal(&misfits).map_or(Ok(()), |refusal| Err(vec![refusal]))
    }

    /// Goes on from a checkpoint of the same program, data and settings.
    pub fn resume(&mut self, file: &str, checkpoint: &Checkpoint) -> Fallible<()> {
        self.comparable(&checkpoint.record.about).map_err(|e| vec![e])?;
        let finder = Finder { file, arrays: &checkpoint.arrays };
        let progress = &checkpoint.record.progress;
        let (mut misfits, mut wrong) = (Vec::new(), Vec::new());
        for p in &mut self.params {
            match finder.required(&p.name, &p.shape) {
                Ok(array) => self.training.workspace.set_input(&p.name, &array.to_f32())?,
                Err(e) => misfits.push(e),
            }
            p.states.clear();
            if progress.steps == 0 {
                continue;
            }
            let rule = &self.rules[p.rule];
            for (state, shape) in rule.states() {
                match finder.required(&state_name(state, &p.name), shape) {
                    Ok(array) => p.states.push(array.to_f32()),
                    Err(e) => misfits.push(e),
                }
            }
        }
        wrong.extend(finder.refusal(&misfits));
        let carries = checkpoint.arrays.keys().any(|name| name.starts_with("carry/"));
        // Overlapping windows begin with the start of their lanes first, and nothing is carried.
        if progress.step > 0 && (carries || self.plan.settings.every.is_none()) {
            let found = self
                .training
                .set_states(|name| checkpoint.arrays.get(&format!("carry/{name}")).map(Array::to_f32));
            if !found {
                wrong.push(errors::damaged("states that windows hand on are missing"));
            }
        }
        self.progress = progress.clone();
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }

    fn comparable(&self, theirs: &About) -> Result<(), Diagnostic> {
        let ours = &self.plan.about;
        if ours.program != theirs.program {
            return Err(errors::other_program(&theirs.difference(&ours.model, &ours.statics)));
        }
        if ours.data != theirs.data || ours.vocabulary != theirs.vocabulary {
            return Err(errors::other_data());
        }
        let may_change = ["epochs", "patience"];
        let mut keys: Vec<&String> = ours.settings.keys().chain(theirs.settings.keys()).collect();
        keys.sort();
        let differs = keys
            .into_iter()
            .find(|k| !may_change.contains(&k.as_str()) && ours.settings.get(*k) != theirs.settings.get(*k));
        differs.map_or(Ok(()), |key| Err(errors::other_settings(key)))
    }

    /// Names and shapes of all trained arrays.
    pub fn parameters_shapes(&self) -> Vec<(String, Vec<usize>)> {
        self.params.iter().map(|p| (p.name.clone(), p.shape.clone())).collect()
    }

    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Trains until all epochs are over, patience is at an end, or the observer says so.
    pub fn run(&mut self, observer: &mut dyn Observer) -> Fallible<Ended> {
        while self.progress.epoch < self.plan.settings.epochs && !self.out_of_patience() {
            if self.epoch(observer)? == Ended::Stopped {
                return Ok(Ended::Stopped);
            }
        }
        Ok(Ended::Complete)
    }

    fn out_of_patience(&self) -> bool {
        let since = self.progress.best.as_ref().map_or(0, |b| self.progress.epoch - b.epoch);
        self.plan.settings.patience.is_some_and(|p| since >= p)
    }

    fn batches(&self, part: &'a Part, shuffle: Option<u64>, every: Option<usize>) -> Batches<'a> {
        let (data, feeds, s) = (self.plan.data, self.plan.feeds, self.plan.settings);
        Batches::new(data, feeds, part, s.batch, Window { size: s.window, every }, shuffle)
    }

    fn epoch(&mut self, observer: &mut dyn Observer) -> Fallible<Ended> {
        let parts = self.plan.parts;
        let key = draw::key(self.plan.settings.seed, "order of examples", self.progress.epoch);
        let batches = self.batches(&parts.train, Some(key), self.plan.settings.every);
        let names: Vec<String> = self.plan.metrics.clone();
        if self.progress.step == 0 {
            self.training.restart();
            self.progress.sums = Sums { metrics: vec![0.0; names.len()], ..Sums::default() };
        }
        while (self.progress.step as usize) < batches.len() {
            let own = self.step(&batches)?;
            let sums = &self.progress.sums;
            let metrics: Vec<(String, f64)> = names.iter().cloned().zip(sums.metrics()).collect();
            let seen = Seen {
                epoch: self.progress.epoch + 1,
                epochs: self.plan.settings.epochs,
                step: self.progress.step,
                steps: batches.len() as u64,
                units: sums.units,
                units_in_all: batches.units() as u64,
                loss: sums.loss(),
                metrics: &metrics,
                own: &own,
                all_steps: self.progress.steps,
                history: &self.progress.history,
            };
            match observer.step(&seen) {
                Control::Go => {}
                Control::Keep => self.keep(observer)?,
                Control::Stop => {
                    self.keep(observer)?;
                    return Ok(Ended::Stopped);
                }
            }
        }
        self.close_epoch(observer)
    }

    fn keep(&self, observer: &mut dyn Observer) -> Fallible<()> {
        self.good()?;
        observer.checkpoint(&self.checkpoint()?).map_err(|e| vec![e])
    }

    fn close_epoch(&mut self, observer: &mut dyn Observer) -> Fallible<Ended> {
        self.good()?;
        let part = self.plan.parts.watched();
        let held_out = if part.is_empty() {
            None
        } else {
            match self.evaluate(part, &mut || observer.goes_on())? {
                Some(sums) => Some(sums),
                // All steps of the epoch are over, and it is not: whoever goes on begins with the evaluation.
                None => {
                    self.keep(observer)?;
                    return Ok(Ended::Stopped);
                }
            }
        };
        let named = |sums: &Sums| self.plan.metrics.iter().cloned().zip(sums.metrics()).collect();
        let p = &mut self.progress;
        p.epoch += 1;
        p.step = 0;
        let epoch = Epoch {
            epoch: p.epoch,
            train_loss: p.sums.loss(),
            train_metrics: named(&p.sums),
            held_out_loss: held_out.as_ref().map(Sums::loss),
            held_out_metrics: held_out.as_ref().map_or_else(BTreeMap::new, named),
            norms: p.sums.norms,
        };
        let loss = epoch.held_out_loss.unwrap_or(epoch.train_loss);
        p.history.push(epoch.clone());
        let chooses = self.plan.parts.chooses();
        let better = loss.is_finite() && p.best.as_ref().is_none_or(|b| !chooses || loss < b.loss);
        if better {
            p.best = Some(Best { epoch: p.epoch, loss });
        }
        observer.epoch(&epoch, &self.progress).map_err(|e| vec![e])?;
        if better {
            let (arrays, about) = (self.parameters()?, self.plan.about.clone());
            let best = Checkpoint::new(arrays, about, self.progress.clone());
            observer.best(&best).map_err(|e| vec![e])?;
        }
        self.keep(observer)?;
        Ok(Ended::Complete)
    }

    fn step(&mut self, batches: &Batches) -> Fallible<Own> {
        let seed = self.plan.settings.seed;
        let at = self.progress.step as usize;
        let carries = self.plan.settings.every.is_none();
        if batches.load_between(at, &mut self.training.workspace)? {
            // Gradients of this run are not asked for.
            draw::noise(&mut self.training.workspace, seed, self.progress.steps)?;
            self.training.begin()?;
            self.training.workspace.run()?;
            self.training.end()?;
        }
        let w = &mut self.training.workspace;
        let loaded = batches.load(at, w)?;
        draw::noise(w, seed, self.progress.steps)?;
        if is_example_input(w, "loss_adj") {
            let weights: Vec<f32> = loaded.weights.iter().map(|w| *w as f32).collect();
            w.set_input("loss_adj", &weights)?;
        }
        self.training.begin()?;
        self.training.workspace.run()?;
        if carries {
            self.training.end()?;
        }
        let measured = measure(&self.training.workspace, &loaded.weights, &self.plan.metrics)?;
        let norm = self.gradient_norm()?;
        if let Some(seen) = self.seen_wrong(&measured, norm)? {
            let (made, workspace) = (&self.plan.training, &self.training.workspace);
            let is_needed = !measured.0.is_finite() || !norm.is_finite();
            let wrong = Wrong { made, workspace, batches, step: at, weights: &loaded.weights, seen };
            match faults::find(&wrong)? {
                Some(found) => return Err(vec![found]),
                // Nothing can be learnt from it, wherever it comes from.
                None if is_needed => {
                    return Err(vec![errors::not_finite(self.progress.epoch + 1, self.progress.step + 1)]);
                }
                None => {}
            }
        }
        let scale = match self.plan.settings.clip {
            Some(clip) if norm > clip => (clip / norm) as f32,
            _ => 1.0,
        };
        self.update(scale)?;
        let metrics = self.plan.metrics.iter().cloned().zip(measured.1.iter().copied()).collect();
        let own = Own { loss: measured.0, metrics, norm };
        let p = &mut self.progress;
        p.step += 1;
        p.steps += 1;
        add(&mut p.sums, measured, loaded.units);
        p.sums.norms.add(norm);
        Ok(own)
    }

    /// What of a step is not finite, if anything that counts.
    fn seen_wrong(&self, (loss, metrics): &(f64, Vec<f64>), norm: f64) -> Fallible<Option<String>> {
        let at = format!("of epoch {}, step {}", self.progress.epoch + 1, self.progress.step + 1);
        let what = |x: f64| if x.is_nan() { "is NaN" } else { "is infinite" };
        if !loss.is_finite() {
            return Ok(Some(format!("the loss {at} {}", what(*loss))));
        }
        if !norm.is_finite() {
            return Ok(Some(format!("the gradient {at} {}", what(norm))));
        }
        if !self.sanitizes {
            return Ok(None);
        }
        let bad = self.plan.metrics.iter().zip(metrics).find(|(_, value)| value.is_nan());
        if let Some((name, value)) = bad {
            return Ok(Some(format!("the metric `{name}` {at} {}", what(*value))));
        }
        // States that the next window begins with. An infinity in one may be meant.
        for output in &self.plan.training.exe.program().outputs {
            if output.name.ends_with("_last")
                && self.training.workspace.output(&output.name)?.iter().any(|x| x.is_nan())
            {
                return Ok(Some(format!("`{}` {at} is NaN", output.name)));
            }
        }
        Ok(None)
    }

    /// Refuses to hand out parameters that are not finite.
    fn good(&self) -> Fallible<()> {
        for p in &self.params {
            let values = self.training.workspace.param(&p.name)?;
            let bad = values.iter().filter(|x| !x.is_finite()).count();
            if bad > 0 {
                return Err(vec![errors::bad_parameter(&p.name, bad, values.len(), self.progress.steps)]);
            }
        }
        Ok(())
    }

    /// The norm of all gradients as one vector.
    fn gradient_norm(&self) -> Fallible<f64> {
        let of = |p: &Param| self.training.workspace.shared_output(&p.gradient);
        let gradients = self.params.iter().map(of).collect::<Fallible<Vec<_>>>()?;
        Ok(self.updates.norm(&gradients))
    }

    fn update(&mut self, scale: f32) -> Fallible<()> {
        let before = if self.sanitizes { self.before_update(scale)? } else { Vec::new() };
        let names: Vec<(&str, &str)> = self.params.iter().map(|p| (&*p.name, &*p.gradient)).collect();
        let pairs = self.training.workspace.params_with(&names)?;
        let mut wanted = Vec::with_capacity(pairs.len());
        for ((values, gradient), p) in pairs.into_iter().zip(&mut self.params) {
            wanted.push(Update { gradient, values, states: &mut p.states, within: p.within });
        }
        self.updates.apply(self.progress.steps, scale, wanted)?;
        for (p, given) in self.params.iter().zip(&before) {
            if self.training.workspace.param(&p.name)?.iter().any(|x| !x.is_finite()) {
                let (epoch, step) = (self.progress.epoch + 1, self.progress.step + 1);
                let seen =
                    format!("`{}` is not finite after the update of epoch {epoch}, step {step}", p.name);
                return Err(vec![faults::of_update(&self.rules[p.rule], given, &seen)]);
            }
        }
        Ok(())
    }

    /// What each update begins with.
    fn before_update(&self, scale: f32) -> Fallible<Vec<Given>> {
        let w = &self.training.workspace;
        let given = |p: &Param| {
            Ok(Given {
                step: self.progress.steps,
                gradient: w.shared_output(&p.gradient)?.iter().map(|g| g * scale).collect(),
                parameter: w.param(&p.name)?.to_vec(),
                states: p.states.clone(),
            })
        };
        self.params.iter().map(given).collect()
    }

    /// Loss and metrics of the test part with the parameters in use, `best` as the observer was given them. `None` if
    /// there is no test part, or if it did not go on to the end.
    pub fn test(
        &mut self,
        file: &str,
        best: &Checkpoint,
        goes_on: &mut dyn FnMut() -> bool,
    ) -> Fallible<Option<Tested>> {
        let part = &self.plan.parts.test;
        if part.is_empty() {
            return Ok(None);
        }
        let epoch = best.record.progress.epoch;
        // Without a validation part each epoch was measured on this one already.
        if let Some(last) = self.progress.history.last()
            && let (Some(loss), false) = (last.held_out_loss, self.plan.parts.chooses())
            && last.epoch == epoch
        {
            return Ok(Some(Tested { epoch, loss, metrics: last.held_out_metrics.clone() }));
        }
        let finder = Finder { file, arrays: &best.arrays };
        let mut misfits = Vec::new();
        for p in &self.params {
            if self.evaluation.workspace.params().any(|n| n == p.name) {
                match finder.required(&p.name, &p.shape) {
                    Ok(array) => self.evaluation.workspace.set_input(&p.name, &array.to_f32())?,
                    Err(e) => misfits.push(e),
                }
            }
        }
        if let Some(refusal) = finder.refusal(&misfits) {
            return Err(vec![refusal]);
        }
        let sums = self.measure(part, goes_on)?;
        Ok(sums.map(|sums| Tested {
            epoch,
            loss: sums.loss(),
            metrics: self.plan.metrics.iter().cloned().zip(sums.metrics()).collect(),
        }))
    }

    /// Loss and metrics over a part with the present parameters; `None` if it did not go on to the end.
    fn evaluate(&mut self, part: &'a Part, goes_on: &mut dyn FnMut() -> bool) -> Fallible<Option<Sums>> {
        for p in &self.params {
            // What the loss needs and the metrics do not, or the other way round, is in one program only.
            if self.evaluation.workspace.params().any(|n| n == p.name) {
                let values = self.training.workspace.param(&p.name)?;
                self.evaluation.workspace.set_input(&p.name, values)?;
            }
        }
        self.measure(part, goes_on)
    }

    /// States carried, nothing left out.
    fn measure(&mut self, part: &'a Part, goes_on: &mut dyn FnMut() -> bool) -> Fallible<Option<Sums>> {
        let batches = self.batches(part, None, None);
        let mut whole = true;
        let mut goes_on = || {
            whole = goes_on();
            whole
        };
        let looks = if self.sanitizes { Some(&self.plan.evaluation) } else { None };
        let sums = evaluate_looking(&mut self.evaluation, &batches, &self.plan.metrics, &mut goes_on, looks)?;
        Ok(whole.then_some(sums))
    }

    fn parameters(&self) -> Fallible<Arrays> {
        let mut arrays = Arrays::new();
        for p in &self.params {
            let values = self.training.workspace.param(&p.name)?.to_vec();
            arrays.insert(p.name.clone(), Array::f32(p.shape.clone(), values));
        }
        Ok(arrays)
    }

    pub fn checkpoint(&self) -> Fallible<Checkpoint> {
        let mut arrays = self.parameters()?;
        for p in &self.params {
            let rule = &self.rules[p.rule];
            for ((state, shape), values) in rule.states().zip(&p.states) {
                arrays.insert(state_name(state, &p.name), Array::f32(shape.to_vec(), values.clone()));
            }
        }
        if self.progress.step > 0 {
            for (name, values) in self.training.states() {
                arrays.insert(format!("carry/{name}"), Array::f32(vec![values.len()], values.to_vec()));
            }
        }
        Ok(Checkpoint::new(arrays, self.plan.about.clone(), self.progress.clone()))
    }
}

fn state_name(state: &str, param: &str) -> String {
    format!("optimizer/{state}/{param}")
}

/// Mean loss and metrics of the run that is over.
fn measure(w: &Workspace, weights: &[f64], metrics: &[String]) -> Fallible<(f64, Vec<f64>)> {
    let mean = |name: &str| -> Fallible<f64> {
        let values = w.output(name)?;
        // A lane that has come to its end has no value; its weight is 0.
        let terms = values.iter().zip(weights).filter(|(_, weight)| **weight > 0.0);
        Ok(terms.map(|(v, weight)| f64::from(*v) * *weight).sum())
    };
    let loss = mean("loss")?;
    let metrics: Fallible<Vec<f64>> = metrics.iter().map(|m| mean(&format!("metric.{m}"))).collect();
    Ok((loss, metrics?))
}

fn add(sums: &mut Sums, (loss, metrics): (f64, Vec<f64>), units: usize) {
    sums.units += units as u64;
    sums.loss += loss * units as f64;
    sums.metrics.resize(metrics.len(), 0.0);
    sums.metrics.iter_mut().zip(metrics).for_each(|(sum, m)| *sum += m * units as f64);
}

/// Loss and metrics over all batches, from fresh states on, or over the first ones while `goes_on`.
pub fn evaluate(
    program: &mut Carrying,
    batches: &Batches,
    metrics: &[String],
    goes_on: &mut dyn FnMut() -> bool,
) -> Fallible<Sums> {
    evaluate_looking(program, batches, metrics, goes_on, None)
}

/// [`evaluate`], ending at the first loss or metric that is not finite if it knows what the program was made of.
pub fn evaluate_looking(
    program: &mut Carrying,
    batches: &Batches,
    metrics: &[String],
    goes_on: &mut dyn FnMut() -> bool,
    made: Option<&Made>,
) -> Fallible<Sums> {
    program.restart();
    let mut sums = Sums { metrics: vec![0.0; metrics.len()], ..Sums::default() };
    for step in 0..batches.len() {
        if !goes_on() {
            break;
        }
        let loaded = batches.load(step, &mut program.workspace)?;
        program.begin()?;
        program.workspace.run()?;
        program.end()?;
        let measured = measure(&program.workspace, &loaded.weights, metrics)?;
        let is_wrong = !measured.0.is_finite() || measured.1.iter().any(|m| m.is_nan());
        if let (Some(made), true) = (made, is_wrong) {
            let seen = format!("a loss or metric of batch {} of the evaluation is not finite", step + 1);
            let workspace = &program.workspace;
            let wrong = Wrong { made, workspace, batches, step, weights: &loaded.weights, seen };
            if let Some(found) = faults::find(&wrong)? {
                return Err(vec![found]);
            }
        }
        add(&mut sums, measured, loaded.units);
    }
    Ok(sums)
}
