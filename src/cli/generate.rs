//! `rnnc generate`: let a trained model write.

use super::compile::{Compiler, Instructions};
use super::errors;
use super::limits::FileLimits;
use super::session::{Failure, Session, say};
use super::trained::Trained;
use crate::diag::Diagnostic;
use crate::eqn::build::Options;
use crate::train::decode::{Decoder, Search, Written};
use crate::train::generate::{self, Generator, Sampling};
use crate::train::model::Carrying;
use crate::train::{errors as train_errors, fit};
use std::collections::BTreeMap;

/// Let a trained model write, symbol by symbol
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  rnnc generate models/surnames.rnn --given language=Finnish --temperature 0.7 --seed 3\n  rnnc generate models/surnames.rnn --given language=Finnish --beam 4"
)]
pub struct Generate {
    #[command(flatten)]
    trained: Trained,
    /// How many symbols to write
    #[arg(long, default_value_t = 500)]
    length: usize,
    /// 0 takes the likeliest symbol, 1 samples as the model has it, above 1 is wilder
    #[arg(long, default_value_t = 1.0, value_parser = temperature)]
    temperature: f64,
    /// What symbols are drawn with
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Text to begin with
    #[arg(long, default_value = "")]
    prompt: String,
    /// The text of another input that the model reads
    #[arg(long, value_name = "NAME=TEXT")]
    given: Vec<String>,
    /// Search for the likeliest text as a whole, following so many side by side
    #[arg(long, value_name = "WIDTH", conflicts_with_all = ["temperature", "seed", "prompt"],
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    beam: Option<u32>,
    #[command(flatten)]
    instructions: Instructions,
    #[command(flatten)]
    limits: FileLimits,
}

fn temperature(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(v) if v >= 0.0 && v.is_finite() => Ok(v),
        _ => Err("a number of 0 or more is wanted".into()),
    }
}

impl Generate {
    pub fn run(self, session: &mut Session) -> Result<(), Failure> {
        self.limits.hold(session);
        let compiler = Compiler::new(session, self.instructions)?;
        let found = self.trained.open(session)?;
        let (opened, checkpoint) = (&found.opened, &found.checkpoint);
        let Some((input, output, stop)) = opened.model.generate.clone() else {
            return Err(train_errors::no_generate(&opened.name).into());
        };
        let about = &checkpoint.record.about;
        let Some(symbols) = about.vocabulary.get(&*input) else {
            return Err(train_errors::cannot_generate(&format!("`{input}` is no sequence of ids")).into());
        };
        let prompt = generate::read_prompt(&self.prompt, symbols)?;
        let sampling = Sampling { temperature: self.temperature, seed: self.seed };
        let closed = found.close(session)?;
        let exe = closed.generation(session, &compiler, &output, self.beam.is_none_or(|n| n == 1))?;
        // Without carried states, of which a caller gives nothing.
        let graph = closed.graph(session, Options::default())?;
        let read = |name: &str| *name == *input || exe.program().inputs.iter().any(|i| *i.name == *name);
        let declared: Vec<_> = fit::declared(&graph).into_iter().filter(|d| read(&d.name)).collect();
        let texts = self.texts()?;
        let put = |symbol| say(&generate::written(symbol, symbols));
        if declared.len() == 1 && texts.is_empty() && self.beam.is_none() {
            let mut program = Carrying::new(&exe, true)?;
            found.give(&mut program.workspace)?;
            say(&self.prompt)?;
            let mut generator = Generator::new(program, &input, &output, stop)?;
            generator.generate(&prompt, self.length, sampling, put)?;
            return say("\n");
        }
        let data = generate::given(&declared, &input, &texts, &about.vocabulary)?;
        let feeds = fit::fit_some(&graph, &data, read)?.feeds;
        let written = Written { input: &input, output: &output, stop };
        let mut decoder = Decoder::new(&exe, &feeds, written)?;
        found.give(decoder.workspace())?;
        say(&self.prompt)?;
        match self.beam {
            None => decoder.sample(&data, 0, &prompt, self.length, sampling, put)?,
            Some(beam) => {
                let search = Search { beam: beam as usize, most: self.length };
                decoder.decode(&data, &[0], search)?.into_iter().flatten().try_for_each(put)?;
            }
        }
        say("\n")
    }

    fn texts(&self) -> Result<BTreeMap<String, String>, Diagnostic> {
        let mut texts = BTreeMap::new();
        for given in &self.given {
            let (name, text) = given.split_once('=').ok_or_else(|| errors::bad_given(given))?;
            if texts.insert(name.to_string(), text.to_string()).is_some() {
                return Err(errors::bad_given(given));
            }
        }
        Ok(texts)
    }
}
