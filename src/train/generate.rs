//! Using a trained model to write.
//!
//! In: a program of one output over one sequence of ids, its parameters, a prompt. Out: symbols. The
//! output at t does not depend on the input at t, so each step runs twice: once to see the scores,
//! once with the symbol that was chosen, to move the states on. A model with other inputs is run by
//! [`super::decode`], on the one example that [`given`] makes of their texts.

use super::data::text::END;
use super::data::{Dataset, Declared, Field, Over, Values};
use super::errors;
use super::model::Carrying;
use crate::diag::{Diagnostic, Fallible};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How symbols are chosen.
#[derive(Clone, Copy, Debug)]
pub struct Sampling {
    /// Scores are divided by it; 0 takes the greatest.
    pub temperature: f64,
    pub seed: u64,
}

/// A model that is run step by step.
pub struct Generator {
    program: Carrying,
    input: String,
    output: String,
    extent: String,
    stop: Option<u32>,
    position: u64,
}

impl Generator {
    /// The program has its parameters already.
    pub fn new(
        program: Carrying,
        input: &str,
        output: &str,
        stop: Option<u32>,
    ) -> Result<Generator, Diagnostic> {
        let declared = &program.workspace.executable().program().inputs;
        let extra = declared
            .iter()
            .find(|i| i.kind == crate::loops::InputKind::Given && &*i.name != input && &*i.name != "start");
        if let Some(extra) = extra {
            return Err(errors::cannot_generate(&format!("it also reads `{}`", extra.name)));
        }
        let program_of = program.workspace.executable().program();
        let extent = program_of.domains.first().map(|d| d.extent.to_string()).unwrap_or_default();
        if program_of.domains.len() != 1 {
            return Err(errors::cannot_generate("it works on more than one sequence"));
        }
        let (input, output) = (input.to_string(), output.to_string());
        Ok(Generator { program, input, output, extent, stop, position: 0 })
    }

    /// One step with a symbol; `moves`: the states go on.
    fn step(&mut self, symbol: u32, moves: bool) -> Fallible<()> {
        let w = &mut self.program.workspace;
        w.resize(1, &BTreeMap::from([(self.extent.clone(), vec![1])]))?;
        w.set_start(&self.extent, self.position)?;
        if super::batches::is_input(w, &self.input) {
            w.set_ids(&self.input, &[symbol as i32])?;
        }
        self.program.begin()?;
        self.program.workspace.run()?;
        if moves {
            self.program.end()?;
            self.position += 1;
        }
        Ok(())
    }

    /// Reads the prompt, then writes up to `length` symbols, each handed to `each` as it comes.
    pub fn generate<E: From<Vec<Diagnostic>>>(
        &mut self,
        prompt: &[u32],
        length: usize,
        sampling: Sampling,
        mut each: impl FnMut(u32) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut rng = ChaCha8Rng::seed_from_u64(sampling.seed);
        for symbol in prompt {
            self.step(*symbol, true)?;
        }
        for _ in 0..length {
            self.step(0, false)?;
            let scores = self.program.workspace.output(&self.output)?;
            let symbol = choose(&scores, sampling.temperature, rng.random());
            if Some(symbol) == self.stop {
                return Ok(());
            }
            each(symbol)?;
            self.step(symbol, true)?;
        }
        Ok(())
    }
}

/// The symbol at `u` (0..1) of the distribution softmax(scores / temperature).
pub(super) fn choose(scores: &[f32], temperature: f64, u: f64) -> u32 {
    let greatest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let first = || scores.iter().position(|s| *s == greatest).unwrap_or(0) as u32;
    if temperature <= 0.0 {
        return first();
    }
    let weight = |s: &f32| libm::exp((f64::from(*s) - f64::from(greatest)) / temperature);
    let sum: f64 = scores.iter().map(weight).sum();
    let mut left = u * sum;
    for (i, s) in scores.iter().enumerate() {
        left -= weight(s);
        if left < 0.0 {
            return i as u32;
        }
    }
    first()
}

/// One example from texts for all inputs but the one that is written, which is empty.
pub fn given(
    declared: &[Declared],
    written: &str,
    texts: &BTreeMap<String, String>,
    vocabulary: &BTreeMap<String, Vec<String>>,
) -> Result<Dataset, Vec<Diagnostic>> {
    let known: Vec<&str> = declared.iter().map(|d| d.name.as_str()).filter(|n| *n != written).collect();
    let unknown = texts.keys().filter(|name| !known.contains(&name.as_str()));
    let mut wrong: Vec<Diagnostic> = unknown.map(|name| errors::not_given_here(name, &known)).collect();
    let mut fields = Vec::new();
    for d in declared {
        let symbols = vocabulary.get(&d.name);
        let field = match (texts.get(&d.name), symbols) {
            _ if d.name == written => sequence(Vec::new(), symbols),
            (None, _) => Err(errors::wants_given(&d.name, symbols.map_or(&[], Vec::as_slice))),
            (Some(text), Some(symbols)) if d.over == Over::Axes(1) => {
                read_prompt(text, symbols).and_then(|mut ids| {
                    // As sequences of the data end.
                    let ends = symbols.first().is_some_and(|s| s == END);
                    ids.extend(ends.then_some(0));
                    sequence(ids, Some(symbols))
                })
            }
            (Some(text), Some(symbols)) if d.over == Over::Example => {
                match symbols.iter().position(|s| s == text) {
                    Some(id) => {
                        let values = Values::Id { ids: vec![id as u32], symbols: Arc::new(symbols.clone()) };
                        Ok(Field::one(vec![], values))
                    }
                    None => Err(errors::unknown_given(&d.name, text, symbols)),
                }
            }
            (Some(_), _) => {
                let why = format!("`{}` is neither a symbol nor a sequence of symbols", d.name);
                Err(errors::cannot_generate(&why))
            }
        };
        match field {
            Ok(field) => fields.push(field),
            Err(e) => wrong.push(e),
        }
    }
    let names = declared.iter().map(|d| d.name.clone()).collect();
    let data = Dataset { names, fields, examples: 1, test_from: None, shares: None };
    if wrong.is_empty() { Ok(data) } else { Err(wrong) }
}

fn sequence(ids: Vec<u32>, symbols: Option<&Vec<String>>) -> Result<Field, Diagnostic> {
    let symbols = Arc::new(symbols.cloned().unwrap_or_default());
    let ends = vec![ids.len()];
    Ok(Field::sequence(vec![], Values::Id { ids, symbols }, ends))
}

/// Are the symbols words rather than characters?
fn are_words(symbols: &[String]) -> bool {
    symbols.iter().any(|s| s.chars().nth(1).is_some())
}

/// The ids of a prompt.
pub fn read_prompt(text: &str, symbols: &[String]) -> Result<Vec<u32>, Diagnostic> {
    let known = super::data::index(symbols);
    let pieces: Vec<String> = if are_words(symbols) {
        text.split_whitespace().map(str::to_string).collect()
    } else {
        text.chars().map(String::from).collect()
    };
    let id = |(i, p): (usize, &String)| {
        known.get(p.as_str()).copied().ok_or_else(|| errors::unknown_character(p, i + 1, symbols))
    };
    pieces.iter().enumerate().map(id).collect()
}

/// The written form of a symbol, with what stands between two of them.
pub fn written(symbol: u32, symbols: &[String]) -> String {
    let text = symbols.get(symbol as usize).map_or("", String::as_str);
    if are_words(symbols) { format!(" {text}") } else { text.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_follow_the_distribution() {
        let scores = [0.0, (3.0f32).ln(), f32::NEG_INFINITY];
        let picks: Vec<u32> = (0..400).map(|i| choose(&scores, 1.0, f64::from(i) / 400.0)).collect();
        assert_eq!(picks.iter().filter(|p| **p == 0).count(), 100);
        assert!(picks.iter().all(|p| *p < 2));
        assert_eq!(choose(&scores, 0.0, 0.0), 1);
        // Colder is surer.
        let cold: Vec<u32> = (0..400).map(|i| choose(&scores, 0.5, f64::from(i) / 400.0)).collect();
        assert_eq!(cold.iter().filter(|p| **p == 0).count(), 40);
        assert_eq!(choose(&[f32::NAN, f32::NAN], 1.0, 0.5), 0);
    }

    #[test]
    fn a_strange_character_is_named_with_its_place() {
        let symbols: Vec<String> = ["\n", "a", "b"].iter().map(|s| s.to_string()).collect();
        assert_eq!(read_prompt("ab\n", &symbols).unwrap(), [1, 2, 0]);
        let d = read_prompt("ab☃", &symbols).unwrap_err();
        assert_eq!(d.code, "E0830");
        assert!(d.message.contains("`☃`, number 3"), "{}", d.message);
        let words: Vec<String> = ["", "the", "cat"].iter().map(|s| s.to_string()).collect();
        assert_eq!(read_prompt("cat the", &words).unwrap(), [2, 1]);
        assert_eq!(written(1, &words), " the");
    }
}
