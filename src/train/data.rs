//! Data sets: from the bytes of files to examples.
//!
//! In: the lines of a `data` block, the declared inputs, and a function that gives the bytes behind a
//! path. Out: a [`Dataset`] with a [`Field`] for each name. Invariant: all fields have the same number
//! of examples, and none without a position; every number is finite; every id is below its field's number of symbols.

pub mod field;
pub mod source;
pub mod split;
pub mod table;
pub mod task;
pub mod text;
pub mod trees;
pub mod ts;

use crate::diag::Diagnostic;
pub use field::{Field, Over, Values};
use source::Call;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a reader makes of one source: the values of its names in order, and how many of the examples
/// come from the training file.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    pub names: Vec<String>,
    pub fields: Vec<Field>,
    pub examples: usize,
    /// The first example of the test file, if the source names one.
    pub test_from: Option<usize>,
    /// Shares of `split`, as written.
    pub shares: Option<Vec<f64>>,
}

impl Dataset {
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.names.iter().position(|n| n == name).and_then(|i| self.fields.get(i))
    }

    /// Written forms of the symbols of every field of ids.
    pub fn vocabulary(&self) -> BTreeMap<String, Vec<String>> {
        let named = self.names.iter().zip(&self.fields);
        let ids = named.filter_map(|(name, f)| match &f.values {
            Values::Id { symbols, .. } => Some((name.clone(), symbols.to_vec())),
            Values::Real(_) => None,
        });
        ids.collect()
    }

    /// Takes over another vocabulary, such as a trained model's: ids are numbered anew.
    pub fn speak(&mut self, vocabulary: &BTreeMap<String, Vec<String>>) -> Result<(), Diagnostic> {
        for (name, field) in self.names.iter().zip(&mut self.fields) {
            let (Values::Id { ids, symbols }, Some(theirs)) = (&mut field.values, vocabulary.get(name))
            else {
                continue;
            };
            let known = index(theirs);
            let renumbered: Vec<Option<u32>> =
                symbols.iter().map(|s| known.get(s.as_str()).copied()).collect();
            for (i, id) in ids.iter_mut().enumerate() {
                match renumbered.get(*id as usize).copied().flatten() {
                    Some(new) => *id = new,
                    None => {
                        let symbol = symbols.get(*id as usize).map_or("", String::as_str);
                        return Err(super::errors::unknown_symbol(name, symbol, i + 1));
                    }
                }
            }
            *symbols = Arc::new(theirs.clone());
        }
        Ok(())
    }

    /// One long sequence, to be trained on as it goes on, rather than examples.
    pub fn is_stream(&self) -> bool {
        let train = self.test_from.unwrap_or(self.examples);
        train == 1 && self.fields.iter().all(Field::is_sequence)
    }
}

/// A declared input, as far as readers must know it.
#[derive(Clone, Debug, PartialEq)]
pub struct Declared {
    pub name: String,
    pub over: Over,
    pub is_id: bool,
    /// Number of extents of one value.
    pub rank: usize,
}

/// What a name is declared to be over, if it is an input.
pub fn declared_over(declared: &[Declared], name: Option<&String>) -> Option<Over> {
    declared.iter().find(|d| Some(&d.name) == name).map(|d| d.over)
}

/// Gives the bytes behind a path of the `data` block.
pub type Open<'a> = dyn FnMut(&str) -> Result<Vec<u8>, Diagnostic> + 'a;

/// Reads all lines of a `data` block. Names without a declared input are read as their source has them.
pub fn read(calls: &[Call], declared: &[Declared], open: &mut Open) -> Result<Dataset, Vec<Diagnostic>> {
    let mut whole: Option<Dataset> = None;
    for call in calls {
        let part = call.read(declared, open).map_err(|d| vec![d.at(call.span, "read for this")])?;
        whole = Some(match whole {
            None => part,
            Some(mut all) => {
                if (all.examples, all.test_from) != (part.examples, part.test_from) {
                    return Err(vec![super::errors::unequal_sources(call.span, all.examples, part.examples)]);
                }
                all.names.extend(part.names);
                all.fields.extend(part.fields);
                all
            }
        });
    }
    let whole = whole.ok_or_else(|| vec![super::errors::no_data()])?;
    for (name, field) in whole.names.iter().zip(&whole.fields) {
        if let Some(example) = (0..field.examples()).find(|e| field.range(*e).is_empty()) {
            return Err(vec![super::errors::empty_example(name, field.over(), example)]);
        }
    }
    Ok(whole)
}

/// Symbols in order with the id of each.
pub(crate) fn index(symbols: &[String]) -> std::collections::BTreeMap<&str, u32> {
    symbols.iter().enumerate().map(|(i, s)| (s.as_str(), i as u32)).collect()
}
