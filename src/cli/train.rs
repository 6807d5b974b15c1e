//! `rnnc train`: a model from its file to a folder with its parameters.

use super::compile::{Compiler, Instructions};
use super::help;
use super::limits::FileLimits;
use super::open::Opened;
use super::progress::{Ahead, Keeper, Shown, numbers};
use super::report;
use super::rundir::{self, RunDir};
use super::samples::{self, Subject};
use super::session::{Failure, Session, complain};
use super::signals::Signals;
use super::threads;
use super::watch::events::Events;
use super::watch::log::{self, How, Log, Start};
use crate::diag::{Diagnostic, Fallible, Style, render};
use crate::resolve::Library;
use crate::runtime::Team;
use crate::syntax::ast::Expr;
use crate::train::checkpoint::{About, Best, Progress, Tested};
use crate::train::data::split::{self, Parts};
use crate::train::errors;
use crate::train::optimiser::{self, Rule};
use crate::train::run::{Ended, Observer, Plan, Trainer};
use crate::train::settings::Settings;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Train a model, with checkpoints and curves
#[derive(clap::Args)]
#[command(
    after_help = "Data come from the sources of the `data` block: chars, words, lines, pairs, csv, ts, npz, trees, task (docs/language.md, section 5).\n\nThe parameters with the best loss on the validation part of `split = [train, valid, test]` are kept, without such a part those of the last epoch; they are measured on the test part at the end.\n\nCtrl-C writes a checkpoint and ends; --resume goes on from there.\n\nExamples:\n  rnnc train mine.rnn\n  rnnc train mine.rnn --set H=32 --set train.batch=64 --set train.epochs=2\n  rnnc train mine.rnn --set train.epochs=2 --out runs/short --tensorboard runs/board\n  rnnc train mine.rnn --out runs/short --resume"
)]
pub struct Train {
    /// The file with the model
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// A model of FILE (may be left out if it has only one)
    #[arg(long, value_name = "NAME", help_heading = help::PROGRAM)]
    model: Option<String>,
    /// A file to read in place of the one the `data` block names; repeat it for further ones
    #[arg(long, value_name = "PATH", help_heading = help::DATA)]
    data: Vec<PathBuf>,
    /// A value for a static parameter (H=512) or a line of the `train` block (train.batch=64)
    #[arg(long = "set", value_name = "NAME=VALUE", help_heading = help::PROGRAM)]
    settings: Vec<String>,
    /// The folder for checkpoints and records; without it the next free runs/NAME-…
    #[arg(long, value_name = "DIR", help_heading = help::OUTPUT)]
    out: Option<PathBuf>,
    /// Go on with the run in that folder (or the latest one), bit for bit as if never stopped
    #[arg(long)]
    resume: bool,
    /// Begin with the parameters that another run has reached, with settings of its own
    #[arg(long, value_name = "DIR", conflicts_with = "resume")]
    from: Option<PathBuf>,
    /// Write event files for TensorBoard into DIR/RUN, RUN being the name of the run's folder; `tensorboard --logdir DIR` shows
    /// all runs in it, also while they go on
    #[arg(long, value_name = "DIR")]
    tensorboard: Option<PathBuf>,
    /// Stop at the first number that is NaN or infinite, in states, metrics, updates and evaluations too, and say which
    /// equation made it so. Results are the same bits
    #[arg(long)]
    sanitize: bool,
    /// Checkpoints to keep: the newest and those before it. If the newest is damaged, --resume takes one before it
    #[arg(long, value_name = "N", default_value_t = 2, help_heading = help::OUTPUT, value_parser = clap::value_parser!(u32).range(1..=1000))]
    keep: u32,
    /// The seed of parameters, order and noise, in place of the `train` block's
    #[arg(long)]
    seed: Option<u64>,
    /// Threads to share the work out to, in place of the `train` block's; a run gives the same bits on any number
    /// [default: all cores]
    #[arg(long, value_name = "N", value_parser = threads::range(), help_heading = help::MACHINE)]
    threads: Option<u32>,
    #[command(flatten)]
    instructions: Instructions,
    #[command(flatten)]
    limits: FileLimits,
}

impl Train {
    pub fn run(mut self, session: &mut Session) -> Result<(), Failure> {
        self.limits.hold(session);
        let compiler = Compiler::new(session, self.instructions)?;
        if let Some(seed) = self.seed {
            self.settings.push(format!("train.seed={seed}"));
        }
        let opened = Opened::new(session, &self.file, self.model.as_deref(), &self.settings)?;
        let settings = Settings::parse(&opened.name, &opened.model.train, &opened.settings.train)?;
        if !opened.model.graph.outputs.iter().any(|o| &*o.name == "loss") {
            return Err(errors::no_loss(&opened.name, None).into());
        }
        let ahead = Ahead::new(session);
        ahead.says("reading the data");
        let loaded = opened.load(&self.data)?;
        let data = &loaded.data;
        let fit = opened.fit(data)?;
        let parts = split::split(data, loaded.shares.as_deref());
        split::check(data, loaded.shares.as_deref(), &parts)?;
        fitting(&settings, &parts, data.is_stream())?;
        let dims: BTreeMap<String, f64> = fit.dims.iter().map(|(n, v)| (n.to_string(), *v as f64)).collect();
        let closed = opened.close(session, &dims)?;
        let carry = data.is_stream();
        let points = settings.points();
        let team = threads::team(self.threads.or(settings.threads));
        ahead.says("compiling");
        let plan = Plan {
            data,
            parts: &parts,
            feeds: &fit.feeds,
            settings: &settings,
            about: About {
                model: opened.name.clone(),
                statics: closed.values.clone(),
                program: closed.hash.clone(),
                data: loaded.hash.clone(),
                vocabulary: data.vocabulary(),
                settings: shown_settings(session, &settings, self.instructions),
            },
            metrics: opened.model.metrics.iter().map(|m| m.to_string()).collect(),
            training: closed.training(session, &compiler, carry, settings.every.is_some(), points)?,
            evaluation: closed.evaluation(session, &compiler, carry, points)?,
            team: &team,
        };
        ahead.says("drawing parameters");
        let mut trainer =
            Trainer::new(plan, |shape| rule(&compiler, &opened.library, &settings.optimizer, shape))?;
        if self.sanitize {
            trainer.sanitize();
        }
        if let Some(from) = &self.from {
            let other = RunDir::find(&opened.name, Some(from), &session.limits)?;
            trainer.begin_with(&from.display().to_string(), &other.read_best()?)?;
        }
        let folder = match self.resume {
            true => RunDir::find(&opened.name, self.out.as_deref(), &session.limits)?,
            false => RunDir::create(&opened.name, self.out.as_deref(), &session.limits)?,
        };
        folder.writable()?;
        if self.resume {
            let (path, checkpoint, damaged) = folder.newest()?;
            session.report(&damaged);
            trainer.resume(&path.display().to_string(), &checkpoint)?;
        }
        let shown = Shown {
            model: opened.name.clone(),
            file: self.file.display().to_string(),
            units: if carry { "positions" } else { "examples" },
            watched: if parts.chooses() { "validation" } else { "test" },
            optimiser: (settings.optimizer.clone(), variable(&opened.library, &settings.optimizer)?),
        };
        let log = self.log(
            &folder,
            trainer.progress(),
            &team,
            shown.units,
            loaded.in_words(&parts),
            trainer.parameters_shapes(),
        );
        let events = self.events(&folder, trainer.progress())?;
        let signals = Signals::watch().map_err(|e| Failure::Internal(format!("signals: {e}")))?;
        ahead.is_over();
        let mut keeper =
            Keeper::new(session, &folder, self.keep - 1, shown, &signals, trainer.progress(), log)
                .with_events(events);
        if !self.resume {
            // A run that is killed before its first epoch is over can be gone on with too.
            keeper.checkpoint(&trainer.checkpoint()?)?;
        }
        let ended = trainer.run(&mut keeper);
        keeper.finish();
        let ended = match ended {
            Ok(ended) => ended,
            Err(wrong) => {
                let style = Style::default();
                let why: Vec<String> = wrong.iter().map(|d| render(&session.sources, d, style)).collect();
                keeper.ended(How::WentWrong, why.join("\n"), Vec::new())?;
                report::write(&folder)?;
                return Err(self.went_wrong(session, &folder, settings.clip, wrong));
            }
        };
        let mut tested = None;
        if ended == Ended::Complete && trainer.progress().best.is_some() && !parts.test.is_empty() {
            let path = folder.path.join(rundir::BEST);
            let best = folder.read(rundir::BEST)?;
            let path = path.display().to_string();
            tested = trainer.test(&path, &best, &mut || signals.code().is_none())?;
        }
        if let Some(code) = signals.code() {
            keeper.ended(How::Stopped, String::new(), Vec::new())?;
            report::write(&folder)?;
            let (at, path) = (trainer.progress(), folder.path.display());
            complain(&format!(
                "stopped after epoch {}, step {}; the checkpoint is in {path}; `--resume --out {path}` goes on\n",
                at.epoch, at.step
            ));
            return Err(Failure::Stopped(code));
        }
        if let Some(tested) = &tested {
            keeper.tested(tested, &trainer.checkpoint()?)?;
        }
        let samples = match (&trainer.progress().best, folder.read(rundir::BEST)) {
            (Some(_), Ok(checkpoint)) => {
                let part = if parts.held_out().is_empty() { &parts.train } else { parts.held_out() };
                let (folder, feeds, checkpoint) = (&folder, &fit.feeds, &checkpoint);
                let subject = Subject {
                    opened: &opened,
                    closed: &closed,
                    data,
                    feeds,
                    part,
                    folder,
                    checkpoint,
                    compiler,
                };
                samples::all(session, &subject)
            }
            _ => Vec::new(),
        };
        keeper.ended(How::Complete, String::new(), samples)?;
        report::write(&folder)?;
        complain(&ending(&parts, trainer.progress().best.as_ref(), tested.as_ref(), &folder));
        Ok(())
    }

    /// The record of the run so far, begun now or gone on with.
    fn log(
        &self,
        folder: &RunDir,
        progress: &Progress,
        team: &Team,
        units: &str,
        data: String,
        parameters: Vec<(String, Vec<usize>)>,
    ) -> Log {
        let mut log = match self.resume {
            true => Log::resumed(folder, progress.epoch, progress.steps),
            false => Log::default(),
        };
        (log.units, log.data, log.parameters) = (units.to_string(), data, parameters);
        log.starts.push(Start {
            at: log::now(),
            command: std::env::args_os().map(|a| a.to_string_lossy().into_owned()).collect(),
            folder: std::env::current_dir().map_or(String::new(), |d| d.display().to_string()),
            machine: log::machine(),
            threads: team.size(),
            epoch: progress.epoch,
            steps: progress.steps,
        });
        log
    }

    fn events(&self, folder: &RunDir, progress: &Progress) -> Result<Option<Events>, Diagnostic> {
        let Some(all) = &self.tensorboard else { return Ok(None) };
        // A folder such as `.` has no name of its own.
        let real = folder.path.canonicalize().unwrap_or_else(|_| folder.path.clone());
        let own = all.join(real.file_name().unwrap_or_default());
        Events::create(&own, self.resume.then_some(progress.steps)).map(Some)
    }

    /// Training cannot go on: what happened, what is kept, what helps.
    fn went_wrong(
        &self,
        session: &Session,
        folder: &RunDir,
        clip: Option<f64>,
        wrong: Vec<Diagnostic>,
    ) -> Failure {
        if !wrong.iter().any(|d| d.code == errors::NOT_FINITE) {
            return wrong.into();
        }
        session.report(&wrong);
        let (file, path) = (self.file.display(), folder.path.display());
        let kept = match folder.newest() {
            Ok((_, checkpoint, _)) => {
                let at = &checkpoint.record.progress;
                format!(
                    "The last good checkpoint is kept: {path}, after epoch {}, step {}. `rnnc train {file} --resume --out \
                     {path}` goes on from it, and with these settings comes to the same.\n",
                    at.epoch, at.step
                )
            }
            Err(_) => String::new(),
        };
        let clip = clip.map_or("1".into(), |now| format!("below {now}"));
        complain(&format!(
            "{kept}What may help: a clipped gradient (`--set train.clip=…`, {clip}), a smaller rate of the optimiser; `rnnc flow` \
             shows which gradients grow. `--from {path}` begins a new run with the parameters reached so far and such \
             settings.\n"
        ));
        Failure::Said
    }
}

/// `epoch 7 has the best validation loss, 0.2345; test: loss 0.2543, accuracy 0.9321; everything is in runs/copy-1`
fn ending(parts: &Parts, best: Option<&Best>, tested: Option<&Tested>, folder: &RunDir) -> String {
    let mut told = Vec::new();
    match best {
        Some(best) if parts.chooses() => {
            told.push(format!("epoch {} has the best validation loss, {:.4}", best.epoch, best.loss));
        }
        Some(best) if tested.is_none() => told.push(format!("last training loss {:.4}", best.loss)),
        _ => {}
    }
    told.extend(tested.map(|t| format!("test: {}", numbers(t.loss, &t.metrics))));
    let report = folder.path.join(rundir::REPORT);
    told.push(format!("everything is in {}, the report {}\n", folder.path.display(), report.display()));
    told.join("; ")
}

/// Do the settings suit the data?
fn fitting(settings: &Settings, parts: &Parts, is_stream: bool) -> Result<(), Vec<Diagnostic>> {
    if settings.patience.is_some() && !parts.chooses() {
        return Err(vec![errors::patience_wants_validation()]);
    }
    match (is_stream, settings.window) {
        (true, None) => Err(vec![errors::missing_key("window", "window=100")]),
        (false, Some(_)) => Err(vec![errors::window_wants_stream()]),
        _ => Ok(()),
    }
}

/// The variable of an optimiser's steps.
fn variable(library: &Library, recipe: &Expr) -> Fallible<String> {
    let graph = optimiser::build(library, recipe, &[1])?;
    Ok(graph.domains.first().map(|d| d.var.to_string()).unwrap_or_default())
}

/// The optimiser for parameters of one shape.
fn rule(compiler: &Compiler, library: &Library, recipe: &Expr, shape: &[usize]) -> Fallible<Rule> {
    let graph = optimiser::build(library, recipe, shape)?;
    let names = optimiser::names(&graph, recipe.span).map_err(|e| vec![e])?;
    let graph = optimiser::last_only(&graph);
    Ok(Rule::new(&compiler.compile(&graph)?, &names, recipe.span)?.of(graph))
}

/// The settings as text, for records and for comparing.
fn shown_settings(session: &Session, s: &Settings, instructions: Instructions) -> BTreeMap<String, String> {
    let mut all = BTreeMap::from([
        ("optimizer".to_string(), session.sources.text(s.optimizer.span).to_string()),
        ("batch".to_string(), s.batch.to_string()),
        ("epochs".to_string(), s.epochs.to_string()),
        ("seed".to_string(), s.seed.to_string()),
    ]);
    let mut some = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            all.insert(key.to_string(), value);
        }
    };
    // Other instructions round otherwise, so a run goes on with those it began with.
    some("reproducible", instructions.reproducible.then(|| "yes".to_string()));
    some("window", s.window.map(|v| v.to_string()));
    some("every", s.every.map(|v| v.to_string()));
    some("clip", s.clip.map(|v| v.to_string()));
    some("patience", s.patience.map(|v| v.to_string()));
    all
}
