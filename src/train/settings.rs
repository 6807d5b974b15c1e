//! The `train` block: keys and their values.

use super::data::source::Constant;
use super::errors;
use crate::diag::Diagnostic;
use crate::runtime::threads::MOST_THREADS;
use crate::source::Span;
use crate::syntax::ast::{Expr, Setting};
use std::collections::BTreeMap;

/// How a model is trained.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The recipe of a cell over training steps.
    pub optimizer: Expr,
    pub batch: usize,
    pub epochs: u64,
    /// Steps of a window, for one long sequence.
    pub window: Option<usize>,
    /// New positions a step: gradients reach back over the whole window, only the last `every` positions count
    /// (TBPTT(every, window); Williams, Peng 1990). Without it all positions of a window are new.
    pub every: Option<usize>,
    /// Greatest norm of all gradients as one vector.
    pub clip: Option<f64>,
    pub seed: u64,
    /// Stop after so many epochs without a better validation loss.
    pub patience: Option<u64>,
    /// How many threads a step is shared out to; no number of them changes a bit of the run.
    pub threads: Option<u32>,
}

const KEYS: &[&str] =
    &["batch", "clip", "epochs", "every", "optimizer", "patience", "seed", "threads", "window"];

/// The recipe of the update rule, among the lines of a block.
pub fn optimizer(lines: &[Setting]) -> Option<&Expr> {
    lines.iter().find(|s| &*s.name.name == "optimizer").map(|s| &s.value)
}

impl Settings {
    /// Points of all windows of a step together; 0 where examples have lengths of their own.
    pub fn points(&self) -> usize {
        self.window.map_or(0, |window| window.saturating_mul(self.batch))
    }

    /// `changes` come from the command line and win.
    pub fn parse(
        model: &str,
        lines: &[Setting],
        changes: &BTreeMap<String, Expr>,
    ) -> Result<Settings, Vec<Diagnostic>> {
        let mut values: BTreeMap<&str, &Expr> = lines.iter().map(|s| (&*s.name.name, &s.value)).collect();
        values.extend(changes.iter().map(|(k, e)| (k.as_str(), e)));
        if values.is_empty() {
            return Err(vec![errors::no_train(model)]);
        }
        let mut wrong = Vec::new();
        for (key, e) in &values {
            let places: Vec<Span> =
                lines.iter().filter(|s| *s.name.name == **key).map(|s| s.name.span).collect();
            if let [first, second, ..] = places[..] {
                wrong.push(errors::set_twice(key, first, second));
            }
            let at = places.first().filter(|_| !changes.contains_key(*key)).copied().unwrap_or(e.span);
            match *key {
                "decay" => wrong.push(errors::decay(at)),
                key if !KEYS.contains(&key) => wrong.push(errors::unknown_key(at, key, KEYS)),
                _ => {}
            }
        }
        let mut whole = |key: &str, least: u64, most: u64| -> Option<u64> {
            let e = values.get(key)?;
            match Constant::of(e).and_then(|c| c.number()) {
                Some(v) if v.fract() == 0.0 && v >= least as f64 && v <= most as f64 => Some(v as u64),
                _ => {
                    wrong.push(errors::bad_value(e.span, key, &format!("a whole number of {least}..{most}")));
                    None
                }
            }
        };
        let batch = whole("batch", 1, 1 << 20).unwrap_or(32) as usize;
        let epochs = whole("epochs", 1, 1 << 32).unwrap_or(10);
        let window = whole("window", 1, 1 << 24).map(|w| w as usize);
        let every = whole("every", 1, window.map_or(1 << 24, |w| w as u64)).map(|k| k as usize);
        let seed = whole("seed", 0, 1 << 53).unwrap_or(1);
        let patience = whole("patience", 1, 1 << 32);
        let threads = whole("threads", 1, MOST_THREADS as u64).map(|n| n as u32);
        let clip = values.get("clip").and_then(|e| match Constant::of(e).and_then(|c| c.number()) {
            Some(v) if v > 0.0 && v.is_finite() => Some(v),
            _ => {
                wrong.push(errors::bad_value(e.span, "clip", "a number above 0"));
                None
            }
        });
        if let (Some(_), None, Some(e)) = (every, window, values.get("every")) {
            wrong.push(errors::every_wants_window(e.span));
        }
        // Windows that do not overlap are the usual ones.
        let every = every.filter(|k| Some(*k) != window);
        let Some(optimizer) = values.get("optimizer").map(|e| (*e).clone()) else {
            wrong.push(errors::missing_key("optimizer", "optimizer=NAME(…)"));
            return Err(wrong);
        };
        if wrong.is_empty() {
            Ok(Settings { optimizer, batch, epochs, window, every, clip, seed, patience, threads })
        } else {
            Err(wrong)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::FileId;
    use crate::syntax::ast::{ExprKind, Ident};

    fn number(v: f64) -> Expr {
        let span = Span { file: FileId(0), start: 0, end: 1 };
        Expr { kind: ExprKind::Number(v, v.to_string().into()), span }
    }

    fn line(key: &str, v: f64) -> Setting {
        let span = Span { file: FileId(0), start: 0, end: 1 };
        let name = Ident { name: key.into(), written: key.into(), span };
        Setting { name, value: number(v), span }
    }

    #[test]
    fn the_command_line_wins_over_the_block() {
        let lines = [line("optimizer", 0.0), line("batch", 8.0), line("clip", 0.5)];
        let changes = BTreeMap::from([("batch".to_string(), number(4.0))]);
        let s = Settings::parse("M", &lines, &changes).unwrap();
        assert_eq!((s.batch, s.clip, s.epochs, s.window), (4, Some(0.5), 10, None));
    }

    #[test]
    fn unknown_keys_and_bad_values_are_all_told() {
        let lines = [line("optimiser", 0.0), line("batch", 0.5), line("clip", -1.0), line("threads", 0.0)];
        let wrong = Settings::parse("M", &lines, &BTreeMap::new()).unwrap_err();
        let codes: Vec<&str> = wrong.iter().map(|d| d.code).collect();
        assert_eq!(codes, ["E0802", "E0803", "E0803", "E0803", "E0801"]);
        assert_eq!(wrong[0].fixes[0].edits[0].text, "optimizer");
        assert_eq!(Settings::parse("M", &[], &BTreeMap::new()).unwrap_err()[0].code, "E0801");
    }
}
