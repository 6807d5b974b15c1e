//! `rnnc eval`: loss and metrics of a trained model.

use super::compile::{Compiler, Instructions};
use super::help;
use super::limits::FileLimits;
use super::part::Chosen;
use super::progress::numbers;
use super::session::{Failure, Session, say};
use super::threads;
use super::trained::Trained;
use crate::train::batches::{Batches, Window};
use crate::train::data::Dataset;
use crate::train::data::split::Part;
use crate::train::decode::{self, Decoder, Errors, Search, Written};
use crate::train::model::Carrying;
use crate::train::settings::Settings;
use crate::train::{errors, fit, run};
use std::collections::BTreeMap;

/// Measure a trained model on a part of its data, or on other data
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  rnnc eval mine.rnn\n  rnnc eval mine.rnn --run runs/minemodel-1 --split valid --json\n  rnnc eval mine.rnn --params runs/minemodel-1/best.safetensors"
)]
pub struct Eval {
    #[command(flatten)]
    trained: Trained,
    #[command(flatten)]
    chosen: Chosen,
    /// Let the model write its `generate` sequence for each example, following so many side by side (1: always the
    /// likeliest symbol), and count the errors
    #[arg(long, value_name = "WIDTH", value_parser = clap::value_parser!(u32).range(1..=1000))]
    beam: Option<u32>,
    /// Threads to share the work out to, as far as there is enough of it; results do not depend on them
    /// [default: all cores]
    #[arg(long, value_name = "N", value_parser = threads::range(), help_heading = help::MACHINE)]
    threads: Option<u32>,
    /// Stop at the first loss or metric that is NaN or infinite, and say which equation made it so
    #[arg(long)]
    sanitize: bool,
    /// Print JSON, for programs to read
    #[arg(long, help_heading = help::OUTPUT)]
    json: bool,
    #[command(flatten)]
    instructions: Instructions,
    #[command(flatten)]
    limits: FileLimits,
}

impl Eval {
    pub fn run(self, session: &mut Session) -> Result<(), Failure> {
        self.limits.hold(session);
        let compiler = Compiler::new(session, self.instructions)?;
        let found = self.trained.open(session)?;
        let (opened, checkpoint) = (&found.opened, &found.checkpoint);
        let about = &checkpoint.record.about;
        let closed = found.close(session)?;
        let mut loaded = opened.load(&self.chosen.data)?;
        loaded.data.speak(&about.vocabulary)?;
        let data = &loaded.data;
        let fit = fit::fit(&closed.graph(session, crate::eqn::build::Options::default())?, data)?;
        let part = &self.chosen.part(data, loaded.shares.as_deref())?;
        let carry = data.is_stream();
        let settings = Settings::parse(&opened.name, &opened.model.train, &BTreeMap::new())?;
        let evaluation = closed.evaluation(session, &compiler, carry, settings.points())?;
        let mut program = Carrying::new(&evaluation.exe, carry)?;
        let team = threads::team(self.threads);
        program.workspace.work_with(&team)?;
        found.give(&mut program.workspace)?;
        let window = Window { size: settings.window, every: None };
        let batches = Batches::new(data, &fit.feeds, part, settings.batch, window, None);
        let metrics: Vec<String> = opened.model.metrics.iter().map(|m| m.to_string()).collect();
        let made = self.sanitize.then_some(&evaluation);
        let sums = run::evaluate_looking(&mut program, &batches, &metrics, &mut || true, made)?;
        let named: BTreeMap<String, f64> = metrics.into_iter().zip(sums.metrics()).collect();
        let units = if carry { "positions" } else { "examples" };
        let written = match self.beam {
            None => None,
            Some(beam) => {
                let Some((input, output, stop)) = opened.model.generate.clone() else {
                    return Err(errors::no_generate(&opened.name).into());
                };
                let Part::Examples(examples) = part else {
                    return Err(errors::cannot_generate("the data are one long sequence").into());
                };
                let written = Written { input: &input, output: &output, stop };
                let mut decoder = Decoder::new(
                    &closed.generation(session, &compiler, &output, false)?,
                    &fit.feeds,
                    written,
                )?;
                decoder.workspace().work_with(&team)?;
                found.give(decoder.workspace())?;
                Some(count_errors(&mut decoder, data, examples, written, beam as usize, settings.batch)?)
            }
        };
        if self.json {
            let all = serde_json::json!({
                "model": opened.name,
                "run": found.from.display().to_string(),
                "epoch": checkpoint.record.progress.epoch,
                "loss": sums.loss(),
                "metrics": named,
                units: sums.units,
                "symbol_error_rate": written.map(|e| e.symbol_rate()),
                "sequence_error_rate": written.map(|e| e.sequence_rate()),
            });
            say(&format!("{all:#}\n"))
        } else {
            say(&format!("{} on {} {units}\n", numbers(sums.loss(), &named), sums.units))?;
            match written {
                None => Ok(()),
                Some(e) => say(&format!(
                    "written: {:.2} % of symbols and {:.2} % of sequences are wrong\n",
                    100.0 * e.symbol_rate(),
                    100.0 * e.sequence_rate()
                )),
            }
        }
    }
}

/// Lets the model write for all examples; sequences twice as long as the longest wanted one are cut off.
fn count_errors(
    decoder: &mut Decoder,
    data: &Dataset,
    examples: &[usize],
    written: Written,
    beam: usize,
    batch: usize,
) -> Result<Errors, Failure> {
    let wanted = |e: &usize| decode::wanted(data, written.input, *e, written.stop);
    let all = examples.iter().map(wanted).collect::<Result<Vec<_>, _>>()?;
    let most = 2 * all.iter().map(Vec::len).max().unwrap_or(0);
    let mut errors = Errors::default();
    let batch = (4 * batch.max(1)).div_ceil(beam).max(1);
    for (examples, wanted) in examples.chunks(batch).zip(all.chunks(batch)) {
        let found = decoder.decode(data, examples, Search { beam, most })?;
        found.iter().zip(wanted).for_each(|(found, wanted)| errors.add(found, wanted));
    }
    Ok(errors)
}
