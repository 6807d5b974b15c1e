//! `rnnc generate`: let a trained model write.

use super::session::{Failure, Session, say};
use super::trained;
use crate::train::errors;
use crate::train::generate::{self, Generator, Sampling};
use crate::train::model::Carrying;
use std::path::PathBuf;

/// Let a trained model write, symbol by symbol
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  rnnc generate models/charlm.rnn --run runs/charlm-1 --length 500 --temperature 0.8 --seed 1 --prompt 'It was '"
)]
pub struct Generate {
    file: PathBuf,
    /// A model of FILE (may be left out if it has only one)
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// The folder that `rnnc train` wrote; without it the latest of runs/NAME-…
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// How many symbols to write
    #[arg(long, default_value_t = 500)]
    length: usize,
    /// 0 takes the likeliest symbol, 1 samples as the model has it, above 1 is wilder
    #[arg(long, default_value_t = 1.0, value_parser = temperature)]
    temperature: f64,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Text to begin with
    #[arg(long, default_value = "")]
    prompt: String,
}

fn temperature(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(v) if v >= 0.0 && v.is_finite() => Ok(v),
        _ => Err("a number of 0 or more is wanted".into()),
    }
}

impl Generate {
    pub fn run(self, session: &mut Session) -> Result<(), Failure> {
        let (opened, folder, checkpoint) =
            trained::open(session, &self.file, self.model.as_deref(), self.run.as_deref())?;
        let Some((input, output, stop)) = opened.model.generate.clone() else {
            return Err(errors::no_generate(&opened.name).into());
        };
        let about = &checkpoint.record.about;
        let Some(symbols) = about.vocabulary.get(&*input) else {
            return Err(errors::cannot_generate(&format!("`{input}` is no sequence of ids")).into());
        };
        let prompt = generate::read_prompt(&self.prompt, symbols)?;
        let closed = trained::close(session, &opened, &folder, about)?;
        let mut program = Carrying::new(&closed.generation(session, &output)?, true)?;
        trained::give(&mut program.workspace, &folder, &checkpoint)?;
        let mut generator = Generator::new(program, &input, &output, stop)?;
        say(&self.prompt)?;
        let sampling = Sampling { temperature: self.temperature, seed: self.seed };
        generator
            .generate(&prompt, self.length, sampling, |symbol| say(&generate::written(symbol, symbols)))?;
        say("\n")
    }
}
