//! What a training run shows and keeps while it goes on.
//!
//! On a terminal a bar with loss, metrics, speed and time left, and under it their curves; everywhere one line an epoch. Clocks
//! are read here; the training itself knows none.

use super::plot;
use super::rundir::{self, RunDir};
use super::session::{Session, complain};
use super::signals::Signals;
use super::watch::curve;
use super::watch::events::Events;
use super::watch::log::{self, Ended, How, Log, Sample, Spent};
use crate::diag::Diagnostic;
use crate::syntax::ast::Expr;
use crate::train::checkpoint::{Checkpoint, Epoch, Progress, Tested};
use crate::train::rate;
use crate::train::run::{Control, Observer, Seen};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// A run that is killed loses at most this much.
const BETWEEN_CHECKPOINTS: Duration = Duration::from_secs(60);

/// Often enough to read along.
const BETWEEN_DRAWINGS: Duration = Duration::from_millis(100);

/// What the record of a run says beside the numbers.
pub struct Shown {
    pub model: String,
    pub file: String,
    /// What is counted: positions of one long sequence, or examples.
    pub units: &'static str,
    /// The part that is measured after each epoch.
    pub watched: &'static str,
    /// The recipe of the optimiser and the variable of its steps.
    pub optimiser: (Expr, String),
}

/// What is being done before the first step, on a terminal, so that nobody looks at nothing.
pub struct Ahead(Option<ProgressBar>);

impl Ahead {
    pub fn new(session: &Session) -> Ahead {
        Ahead(session.shows_progress().then(|| {
            let bar = ProgressBar::new_spinner();
            bar.enable_steady_tick(BETWEEN_DRAWINGS);
            bar
        }))
    }

    pub fn says(&self, what: &'static str) {
        if let Some(bar) = &self.0 {
            bar.set_message(what);
        }
    }

    pub fn is_over(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.is_over();
    }
}

pub struct Keeper<'a> {
    folder: &'a RunDir,
    /// Checkpoints to keep beside the newest.
    before: u32,
    shown: Shown,
    signals: &'a Signals,
    bar: Option<ProgressBar>,
    curves: Option<Curves>,
    log: Log,
    events: Option<Events>,
    started: Instant,
    /// Units of the epoch that were over when we began to count.
    counted_from: Option<(Instant, u64)>,
    kept: Instant,
    drawn: Option<Instant>,
    last: Option<Seconds>,
    /// The epoch under way began then.
    epoch_began: Instant,
    tested: Option<Tested>,
    failed: Option<Diagnostic>,
}

struct Seconds {
    units_per_second: f64,
}

/// Lines under the bar.
struct Curves {
    lines: Vec<ProgressBar>,
    drawn: Option<Instant>,
}

/// Rows of the curves, without their titles; what a terminal must have beside them.
const ROWS: usize = 5;
const OTHER_ROWS: usize = 6;
/// A curve changes slowly.
const BETWEEN_CURVES: Duration = Duration::from_millis(500);

impl Curves {
    fn new(session: &Session, bar: &ProgressBar) -> Option<Curves> {
        let (rows, _) = console_size()?;
        if !session.shows_curves() || usize::from(rows) < ROWS + 1 + OTHER_ROWS {
            return None;
        }
        let all = MultiProgress::new();
        all.add(bar.clone());
        let style =
            ProgressStyle::with_template("{wide_msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
        let line = |_| all.add(ProgressBar::new_spinner().with_style(style.clone()));
        Some(Curves { lines: (0..=ROWS).map(line).collect(), drawn: None })
    }

    fn draw(&mut self, charts: &[curve::Chart]) {
        // Room for the cursor behind the last letter.
        let columns = console_size().map_or(80, |(_, columns)| usize::from(columns)).saturating_sub(1);
        for (line, text) in self.lines.iter().zip(curve::draw(charts, columns.min(160), ROWS)) {
            line.set_message(text);
            line.tick();
        }
    }

    fn finish(&self) {
        self.lines.iter().for_each(ProgressBar::finish_and_clear);
    }
}

/// Rows and columns of the terminal behind standard error.
fn console_size() -> Option<(u16, u16)> {
    console::Term::stderr().size_checked()
}

impl<'a> Keeper<'a> {
    pub fn new(
        session: &Session,
        folder: &'a RunDir,
        before: u32,
        shown: Shown,
        signals: &'a Signals,
        progress: &Progress,
        log: Log,
    ) -> Keeper<'a> {
        let bar = session.shows_progress().then(|| {
            let bar = ProgressBar::new(1);
            // The message is cut where the line ends: a bar of two lines would be drawn below itself.
            let style = ProgressStyle::with_template("{prefix} [{bar:8}] {percent:>3}% {wide_msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
            // A first step may be long.
            bar.set_prefix(format!("epoch {}", progress.epoch + 1));
            bar.set_message("the first step");
            bar.tick();
            bar
        });
        if progress.steps > 0 {
            complain(&format!("going on after epoch {}, step {}\n", progress.epoch, progress.step));
        }
        let now = Instant::now();
        let curves = bar.as_ref().and_then(|bar| Curves::new(session, bar));
        Keeper {
            folder,
            before,
            shown,
            signals,
            bar,
            curves,
            log,
            events: None,
            started: now,
            counted_from: None,
            kept: now,
            drawn: None,
            last: None,
            epoch_began: now,
            tested: None,
            failed: None,
        }
    }

    /// Steps and epochs are told to a reader of event files too.
    pub fn with_events(self, events: Option<Events>) -> Keeper<'a> {
        Keeper { events, ..self }
    }

    /// The run is over in this way: its record says so.
    pub fn ended(&mut self, how: How, why: String, samples: Vec<Sample>) -> Result<(), Diagnostic> {
        self.log.ended = Some(Ended { at: log::now(), how, why });
        self.log.samples = samples;
        if let Some(events) = &mut self.events {
            events.flush()?;
        }
        self.write_log()
    }

    fn write_log(&self) -> Result<(), Diagnostic> {
        self.folder.write(log::FILE, self.log.text().as_bytes())
    }

    /// Everything that a step's events say.
    fn step_events(&mut self, seen: &Seen, speed: f64) {
        let Some(events) = &mut self.events else { return };
        let (recipe, variable) = &self.shown.optimiser;
        let mut all =
            vec![("loss/step".to_string(), seen.own.loss), ("gradient/norm".to_string(), seen.own.norm)];
        all.extend(seen.own.metrics.iter().map(|(name, v)| (format!("{name}/step"), *v)));
        let settings = rate::arguments(recipe, variable, seen.all_steps);
        all.extend(settings.into_iter().map(|(name, v)| (format!("optimizer/{name}"), v)));
        all.push((format!("speed/{}_per_second", self.shown.units), speed));
        if let Err(e) = events.scalars(seen.all_steps, &all) {
            self.failed.get_or_insert(e);
        }
    }

    fn epoch_events(&mut self, epoch: &Epoch, steps: u64, seconds: f64) -> Result<(), Diagnostic> {
        let Some(events) = &mut self.events else { return Ok(()) };
        let mut all = vec![("loss/epoch_training".to_string(), epoch.train_loss)];
        all.extend(epoch.train_metrics.iter().map(|(name, v)| (format!("{name}/epoch_training"), *v)));
        all.extend(epoch.held_out_loss.map(|v| (format!("loss/epoch_{}", self.shown.watched), v)));
        let part = self.shown.watched;
        all.extend(epoch.held_out_metrics.iter().map(|(name, v)| (format!("{name}/epoch_{part}"), *v)));
        all.push(("gradient/epoch_mean_norm".into(), epoch.norms.mean()));
        all.push(("speed/epoch_seconds".into(), seconds));
        events.scalars(steps, &all)?;
        events.flush()
    }

    fn draw_curves(&mut self, history: &[Epoch], now: Instant) {
        let Some(curves) = &mut self.curves else { return };
        if curves.drawn.is_none_or(|at| now.duration_since(at) >= BETWEEN_CURVES) {
            curves.drawn = Some(now);
            curves.draw(&curve::charts(&self.log, history, self.shown.watched));
        }
    }

    /// The run is over and measured: its record says so.
    pub fn tested(&mut self, tested: &Tested, checkpoint: &Checkpoint) -> Result<(), Diagnostic> {
        self.tested = Some(tested.clone());
        self.record(checkpoint)
    }

    pub fn finish(&self) {
        if let Some(curves) = &self.curves {
            curves.finish();
        }
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| complain(text)),
            None => complain(text),
        }
    }

    /// Means by name; the loss first.
    fn numbers(loss: f64, metrics: impl Iterator<Item = (String, f64)>) -> String {
        metrics.fold(format!("loss {loss:.4}"), |text, (name, v)| format!("{text}, {name} {v:.4}"))
    }

    fn record(&self, checkpoint: &Checkpoint) -> Result<(), Diagnostic> {
        let r = &checkpoint.record;
        let record = serde_json::json!({
            "rnnc": r.version,
            "model": self.shown.model,
            "file": self.shown.file,
            "statics": r.about.statics,
            "settings": r.about.settings,
            "program": r.about.program,
            "data": r.about.data,
            "vocabulary": r.about.vocabulary,
            "steps": r.progress.steps,
            "watched": self.shown.watched,
            "best": r.progress.best,
            "test": self.tested,
            "epochs": r.progress.history,
        });
        self.folder.write(rundir::RECORD, format!("{record:#}\n").as_bytes())
    }
}

impl Observer for Keeper<'_> {
    fn step(&mut self, seen: &Seen) -> Control {
        let now = Instant::now();
        let (since, from) = *self.counted_from.get_or_insert((self.started, 0));
        let done = seen.units.saturating_sub(from) as f64;
        let seconds = now.duration_since(since).as_secs_f64().max(1e-9);
        let speed = done / seconds;
        self.last = Some(Seconds { units_per_second: speed });
        self.log.steps_per_epoch = seen.steps;
        self.log.steps.add(seen);
        self.step_events(seen, speed);
        self.draw_curves(seen.history, now);
        let due = self.drawn.is_none_or(|at| now.duration_since(at) >= BETWEEN_DRAWINGS);
        if let (Some(bar), true) = (&self.bar, due) {
            self.drawn = Some(now);
            let epochs_left = seen.epochs.saturating_sub(seen.epoch) as f64;
            let units_left =
                seen.units_in_all.saturating_sub(seen.units) as f64 + epochs_left * seen.units_in_all as f64;
            let left = Duration::from_secs_f64((units_left / speed.max(1e-9)).min(1e9));
            bar.set_prefix(format!("epoch {}/{}", seen.epoch, seen.epochs));
            bar.set_length(seen.steps);
            bar.set_position(seen.step);
            bar.set_message(format!(
                "{}, {} left, {:.0} {}/s",
                Self::numbers(seen.loss, seen.metrics.iter().cloned()),
                clock(left.as_secs()),
                speed,
                self.shown.units,
            ));
        }
        if self.signals.code().is_some() || self.failed.is_some() {
            return Control::Stop;
        }
        if now.duration_since(self.kept) >= BETWEEN_CHECKPOINTS {
            self.kept = now;
            return Control::Keep;
        }
        Control::Go
    }

    fn epoch(&mut self, epoch: &Epoch, progress: &Progress) -> Result<(), Diagnostic> {
        let speed = self.last.as_ref().map_or(0.0, |s| s.units_per_second);
        let now = Instant::now();
        self.counted_from = Some((now, 0));
        let seconds = now.duration_since(self.epoch_began).as_secs_f64();
        self.epoch_began = now;
        self.log.epochs.push(Spent { epoch: epoch.epoch, seconds, units_per_second: speed });
        self.epoch_events(epoch, progress.steps, seconds)?;
        self.draw_curves(&progress.history, now);
        let train = Self::numbers(epoch.train_loss, epoch.train_metrics.clone().into_iter());
        let held_out = match epoch.held_out_loss {
            Some(loss) => {
                format!(
                    "; {}: {}",
                    self.shown.watched,
                    Self::numbers(loss, epoch.held_out_metrics.clone().into_iter())
                )
            }
            None => String::new(),
        };
        let (n, units) = (epoch.epoch, self.shown.units);
        self.line(&format!("epoch {n}: {train}{held_out}; {speed:.0} {units}/s\n"));
        Ok(())
    }

    fn checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<(), Diagnostic> {
        self.folder.keep(&checkpoint.to_bytes()?, self.before)?;
        self.kept = Instant::now();
        let history = &checkpoint.record.progress.history;
        if !history.is_empty() {
            self.folder.write(rundir::PICTURE, plot::losses(&self.shown.model, history)?.as_bytes())?;
        }
        self.write_log()?;
        self.record(checkpoint)?;
        // What cannot be written ends the run, with a checkpoint.
        self.failed.take().map_or(Ok(()), Err)
    }

    fn best(&mut self, checkpoint: &Checkpoint) -> Result<(), Diagnostic> {
        self.folder.write(rundir::BEST, &checkpoint.to_bytes()?)
    }

    fn goes_on(&mut self) -> bool {
        let now = Instant::now();
        let due = self.drawn.is_none_or(|at| now.duration_since(at) >= BETWEEN_DRAWINGS);
        if let (Some(bar), true) = (&self.bar, due) {
            self.drawn = Some(now);
            bar.set_message(format!("measuring the {} part", self.shown.watched));
        }
        self.signals.code().is_none()
    }
}

/// `1:02:03`, or `2:03` without hours.
fn clock(seconds: u64) -> String {
    let (h, m, s) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if h > 0 { format!("{h}:{m:02}:{s:02}") } else { format!("{m}:{s:02}") }
}

/// `loss 1.2345, bits 1.7810`, for other commands.
pub fn numbers(loss: f64, metrics: &BTreeMap<String, f64>) -> String {
    Keeper::numbers(loss, metrics.clone().into_iter())
}
