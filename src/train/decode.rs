//! Writing a second sequence: for each example the likeliest symbols, given its other inputs.
//!
//! In: a program of one output over the sequence that is written, its parameters, the examples. Out: the symbols of
//! each example, by beam search (B. Lowerre, 1976); with a beam of one that is greedy; or drawn. The output at t does not depend
//! on the input at t, so each step runs the model on what has been written so far and looks at the last scores.

use super::batches::{self, Chosen, is_input};
use super::data::Dataset;
use super::errors;
use super::fit::Feed;
use super::generate::{Sampling, choose};
use crate::diag::{Diagnostic, Fallible};
use crate::runtime::{Executable, Workspace};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;

/// How far and how wide is searched.
#[derive(Clone, Copy, Debug)]
pub struct Search {
    /// Sequences that are followed side by side; 1 takes the likeliest symbol each time.
    pub beam: usize,
    /// Symbols of a sequence at most, the end mark not counted.
    pub most: usize,
}

/// What the model writes, and how it ends.
#[derive(Clone, Copy, Debug)]
pub struct Written<'a> {
    pub input: &'a str,
    pub output: &'a str,
    pub stop: Option<u32>,
}

pub struct Decoder {
    workspace: Workspace,
    feeds: Vec<Feed>,
    input: String,
    output: String,
    extent: String,
    stop: Option<u32>,
}

/// One sequence under way.
#[derive(Clone, Debug)]
struct Hypothesis {
    /// Of the examples that are asked for.
    example: usize,
    symbols: Vec<u32>,
    /// The logarithm of its probability.
    score: f64,
}

impl Decoder {
    /// `feeds` are those of all inputs.
    pub fn new(exe: &Arc<Executable>, feeds: &[Feed], written: Written) -> Fallible<Decoder> {
        let refused = |why: &str| vec![errors::cannot_generate(why)];
        let own = feeds.iter().find(|f| f.input == written.input);
        let Some([extent]) = own.map(|f| f.extents.as_slice()) else {
            return Err(refused(&format!("`{}` is no sequence", written.input)));
        };
        let others: Vec<Feed> = feeds.iter().filter(|f| f.input != written.input).cloned().collect();
        if let Some(other) = others.iter().find(|f| f.extents.contains(extent)) {
            let why = format!("`{}` is as long as what is written, so its length is not known", other.input);
            return Err(refused(&why));
        }
        Ok(Decoder {
            workspace: Workspace::new(exe)?,
            feeds: others,
            input: written.input.to_string(),
            output: written.output.to_string(),
            extent: extent.clone(),
            stop: written.stop,
        })
    }

    pub fn workspace(&mut self) -> &mut Workspace {
        &mut self.workspace
    }

    /// What is written for each of these examples.
    pub fn decode(&mut self, data: &Dataset, examples: &[usize], search: Search) -> Fallible<Vec<Vec<u32>>> {
        let mut open: Vec<Hypothesis> = (0..examples.len())
            .map(|example| Hypothesis { example, symbols: Vec::new(), score: 0.0 })
            .collect();
        let mut ended: Vec<Option<Hypothesis>> = vec![None; examples.len()];
        for _ in 0..=search.most {
            if open.is_empty() {
                break;
            }
            let scores = self.scores(data, examples, &open)?;
            open = self.extended(open, &scores, search, &mut ended);
        }
        // What has not come to an end by then is taken as it is.
        for hypothesis in open {
            let best = &mut ended[hypothesis.example];
            if best.as_ref().is_none_or(|b| b.score < hypothesis.score) {
                *best = Some(hypothesis);
            }
        }
        Ok(ended.into_iter().map(|h| h.map_or_else(Vec::new, |h| h.symbols)).collect())
    }

    /// Writes for one example, after `prompt`, up to `length` symbols, each handed to `each` as it comes.
    pub fn sample<E: From<Vec<Diagnostic>>>(
        &mut self,
        data: &Dataset,
        example: usize,
        prompt: &[u32],
        length: usize,
        sampling: Sampling,
        mut each: impl FnMut(u32) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut rng = ChaCha8Rng::seed_from_u64(sampling.seed);
        let mut open = [Hypothesis { example: 0, symbols: prompt.to_vec(), score: 0.0 }];
        for _ in 0..length {
            let scores = self.scores(data, &[example], &open)?;
            let scores = scores.first().map_or(&[][..], Vec::as_slice);
            let symbol = choose(scores, sampling.temperature, rng.random());
            if Some(symbol) == self.stop {
                return Ok(());
            }
            each(symbol)?;
            open[0].symbols.push(symbol);
        }
        Ok(())
    }

    /// The scores of the next symbol of each hypothesis, one row each.
    fn scores(&mut self, data: &Dataset, examples: &[usize], open: &[Hypothesis]) -> Fallible<Vec<Vec<f32>>> {
        let steps = open[0].symbols.len() + 1;
        let w = &mut self.workspace;
        let own = (self.extent.as_str(), vec![steps; open.len()]);
        let each: Vec<usize> = open.iter().map(|h| examples[h.example]).collect();
        batches::feed(data, &self.feeds, w, Some(own), Chosen::Examples(&each))?;
        if is_input(w, &self.input) {
            let mut ids = vec![0i32; steps * open.len()];
            for (b, h) in open.iter().enumerate() {
                for (t, symbol) in h.symbols.iter().enumerate() {
                    ids[t * open.len() + b] = *symbol as i32;
                }
            }
            w.set_ids(&self.input, &ids)?;
        }
        if batches::is_example_input(w, "start") {
            w.set_input("start", &vec![1.0; open.len()])?;
        }
        w.run()?;
        let all = w.output(&self.output)?;
        let width = all.len() / (steps * open.len()).max(1);
        let last = (steps - 1) * open.len() * width;
        Ok(all[last..].chunks(width.max(1)).map(<[f32]>::to_vec).collect())
    }

    /// The best continuations; those that end, or cannot become better than one that has ended, are left out.
    fn extended(
        &self,
        open: Vec<Hypothesis>,
        scores: &[Vec<f32>],
        search: Search,
        ended: &mut [Option<Hypothesis>],
    ) -> Vec<Hypothesis> {
        let mut next: Vec<Vec<(f64, usize, u32)>> = vec![Vec::new(); ended.len()];
        for (at, (h, scores)) in open.iter().zip(scores).enumerate() {
            let log_sum = log_sum_exp(scores);
            for (symbol, s) in scores.iter().enumerate() {
                next[h.example].push((h.score + f64::from(*s) - log_sum, at, symbol as u32));
            }
        }
        let mut longer = Vec::new();
        for (example, mut candidates) in next.into_iter().enumerate() {
            // Ties go to the earlier hypothesis and the lower symbol.
            candidates.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
            for (score, at, symbol) in candidates.into_iter().take(search.beam.max(1)) {
                let beaten = ended[example].as_ref().is_some_and(|b| b.score >= score);
                if beaten {
                    break;
                }
                let symbols = open[at].symbols.clone();
                if Some(symbol) == self.stop {
                    ended[example] = Some(Hypothesis { example, symbols, score });
                    continue;
                }
                if symbols.len() < search.most {
                    let symbols = symbols.into_iter().chain([symbol]).collect();
                    longer.push(Hypothesis { example, symbols, score });
                } else if ended[example].is_none() {
                    ended[example] = Some(Hypothesis { example, symbols, score });
                }
            }
        }
        longer
    }
}

fn log_sum_exp(scores: &[f32]) -> f64 {
    let greatest = f64::from(scores.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    greatest + libm::log(scores.iter().map(|s| libm::exp(f64::from(*s) - greatest)).sum())
}

/// How far written sequences are from those that were wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Errors {
    /// Insertions, deletions and substitutions that make the one the other.
    pub edits: usize,
    /// Symbols that were wanted.
    pub symbols: usize,
    /// Sequences that are not as wanted.
    pub wrong: usize,
    pub sequences: usize,
}

impl Errors {
    pub fn add(&mut self, written: &[u32], wanted: &[u32]) {
        self.edits += strsim::generic_levenshtein::<Vec<u32>, Vec<u32>, &u32, &u32>(
            &written.to_vec(),
            &wanted.to_vec(),
        );
        self.symbols += wanted.len();
        self.wrong += usize::from(written != wanted);
        self.sequences += 1;
    }

    /// Edits for each symbol that was wanted.
    pub fn symbol_rate(&self) -> f64 {
        self.edits as f64 / self.symbols.max(1) as f64
    }

    pub fn sequence_rate(&self) -> f64 {
        self.wrong as f64 / self.sequences.max(1) as f64
    }
}

/// What an example wants to be written: without the end mark.
pub fn wanted(
    data: &Dataset,
    input: &str,
    example: usize,
    stop: Option<u32>,
) -> Result<Vec<u32>, Diagnostic> {
    let no_ids = || errors::cannot_generate(&format!("`{input}` is no sequence of ids"));
    let field = data.field(input).ok_or_else(no_ids)?;
    let super::data::Values::Id { ids, .. } = &field.values else { return Err(no_ids()) };
    let ids = ids.get(field.range(example)).unwrap_or(&[]);
    let end = ids.iter().position(|id| Some(*id) == stop).unwrap_or(ids.len());
    Ok(ids[..end].to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_count_edits() {
        let mut errors = Errors::default();
        errors.add(&[1, 2, 3], &[1, 3]);
        errors.add(&[1], &[1]);
        errors.add(&[], &[4, 4]);
        assert_eq!(errors, Errors { edits: 3, symbols: 5, wrong: 2, sequences: 3 });
        assert!((errors.symbol_rate() - 0.6).abs() < 1e-12);
    }

    #[test]
    fn sums_of_exponentials_do_not_overflow() {
        assert!((log_sum_exp(&[1000.0, 1000.0]) - 1000.0 - 2f64.ln()).abs() < 1e-9);
        assert!((log_sum_exp(&[0.0, f32::NEG_INFINITY])).abs() < 1e-12);
    }
}
