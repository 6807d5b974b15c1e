//! From a part of the data to what one step sees.
//!
//! Examples are put together `batch` at a time, each with its own length. One long sequence is cut
//! into `batch` lanes of (almost) equal length that are read side by side, window after window;
//! nothing is dropped: the last window is shorter, in some lanes perhaps empty.

use super::data::split::Part;
use super::data::{Dataset, Field, Values};
use super::fit::Feed;
use crate::diag::Fallible;
use crate::loops::Place;
use crate::runtime::Workspace;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::ops::Range;

/// The steps of one epoch, in order.
#[derive(Clone, Debug)]
pub struct Batches<'a> {
    data: &'a Dataset,
    feeds: &'a [Feed],
    plan: Plan,
}

#[derive(Clone, Debug)]
enum Plan {
    /// Rows of each lane in the field of the sequence.
    Lanes {
        lanes: Vec<Range<usize>>,
        window: usize,
    },
    Examples {
        order: Vec<usize>,
        batch: usize,
    },
}

/// What a step was given.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// How much each example of the batch counts; the sum is 1.
    pub weights: Vec<f64>,
    /// Positions (of a long sequence) or examples.
    pub units: usize,
}

impl<'a> Batches<'a> {
    /// `shuffle`: the seed of this epoch's order of examples.
    pub fn new(
        data: &'a Dataset,
        feeds: &'a [Feed],
        part: &Part,
        batch: usize,
        window: Option<usize>,
        shuffle: Option<u64>,
    ) -> Batches<'a> {
        let plan = match part {
            Part::Stream { example, positions } => {
                let start = data.fields.first().map_or(0, |f| f.range(*example).start);
                let n = positions.len();
                let count = batch.min(n).max(1);
                // Lane b has the positions b*n/count .. (b+1)*n/count; 128 bits hold every product.
                let cut =
                    |b: usize| start + positions.start + (b as u128 * n as u128 / count as u128) as usize;
                let lanes = (0..count).map(|b| cut(b)..cut(b + 1)).collect();
                Plan::Lanes { lanes, window: window.unwrap_or(n).max(1) }
            }
            Part::Examples(examples) => {
                let mut order = examples.clone();
                if let Some(seed) = shuffle {
                    order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
                }
                Plan::Examples { order, batch: batch.max(1) }
            }
        };
        Batches { data, feeds, plan }
    }

    /// Number of steps.
    pub fn len(&self) -> usize {
        match &self.plan {
            Plan::Lanes { lanes, window } => {
                lanes.iter().map(|l| l.len()).max().unwrap_or(0).div_ceil(*window)
            }
            Plan::Examples { order, batch } => order.len().div_ceil(*batch),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Positions or examples of the whole epoch.
    pub fn units(&self) -> usize {
        match &self.plan {
            Plan::Lanes { lanes, .. } => lanes.iter().map(|l| l.len()).sum(),
            Plan::Examples { order, .. } => order.len(),
        }
    }

    /// Examples a step sees side by side.
    pub fn width(&self, step: usize) -> usize {
        match &self.plan {
            Plan::Lanes { lanes, .. } => lanes.len(),
            Plan::Examples { order, batch } => order.len().saturating_sub(step * batch).min(*batch),
        }
    }

    /// Gives a workspace the arrays of one step.
    pub fn load(&self, step: usize, workspace: &mut Workspace) -> Fallible<Loaded> {
        match &self.plan {
            Plan::Lanes { lanes, window } => {
                let rows: Vec<Range<usize>> = lanes
                    .iter()
                    .map(|l| {
                        let start = (l.start + step * window).min(l.end);
                        start..(start + window).min(l.end)
                    })
                    .collect();
                let units: usize = rows.iter().map(|r| r.len()).sum();
                let weights = rows.iter().map(|r| r.len() as f64 / units.max(1) as f64).collect();
                feed(self.data, self.feeds, workspace, rows.len(), None, |_| rows.clone())?;
                Ok(Loaded { weights, units })
            }
            Plan::Examples { order, batch } => {
                let chosen = order.get(step * batch..).unwrap_or(&[]);
                let chosen = &chosen[..chosen.len().min(*batch)];
                feed(self.data, self.feeds, workspace, chosen.len(), None, |f| {
                    chosen.iter().map(|e| f.range(*e)).collect()
                })?;
                let weights = vec![1.0 / chosen.len().max(1) as f64; chosen.len()];
                Ok(Loaded { weights, units: chosen.len() })
            }
        }
    }
}

/// Gives each input its field's rows. `more` is the length of a sequence that none of them is.
pub(super) fn feed(
    data: &Dataset,
    feeds: &[Feed],
    workspace: &mut Workspace,
    size: usize,
    more: Option<(&str, Vec<usize>)>,
    rows_of: impl Fn(&Field) -> Vec<Range<usize>>,
) -> Fallible<()> {
    let mut lengths: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    lengths.extend(more.map(|(extent, lengths)| (extent.to_string(), lengths)));
    for feed in feeds {
        if let Some(extent) = &feed.extent {
            let rows = rows_of(&data.fields[feed.field]);
            lengths.insert(extent.clone(), rows.iter().map(|r| r.len()).collect());
        }
    }
    workspace.resize(size, &lengths)?;
    for feed in feeds {
        // What nothing reads is not in the program.
        if !is_input(workspace, &feed.input) {
            continue;
        }
        let field = &data.fields[feed.field];
        let rows = rows_of(field);
        let steps = rows.iter().map(|r| r.len()).max().unwrap_or(0);
        match &field.values {
            Values::Real(values) => {
                let array = gather(values, &rows, field.width(), steps);
                workspace.set_input(&feed.input, &array)?;
            }
            Values::Id { ids, .. } => {
                let array: Vec<u32> = gather(ids, &rows, 1, steps);
                // Vocabularies are far smaller than 2^31.
                let array: Vec<i32> = array.into_iter().map(|i| i as i32).collect();
                workspace.set_ids(&feed.input, &array)?;
            }
        }
    }
    Ok(())
}

/// Rows side by side, step after step: `[steps, examples, width]`.
fn gather<T: Copy + Default>(values: &[T], rows: &[Range<usize>], width: usize, steps: usize) -> Vec<T> {
    let mut array = vec![T::default(); steps * rows.len() * width];
    for (b, range) in rows.iter().enumerate() {
        for (t, row) in range.clone().enumerate() {
            let to = (t * rows.len() + b) * width;
            array[to..to + width].copy_from_slice(&values[row * width..(row + 1) * width]);
        }
    }
    array
}

pub(super) fn is_input(workspace: &Workspace, name: &str) -> bool {
    workspace.executable().program().inputs.iter().any(|i| &*i.name == name)
}

/// An input with one value per example.
pub(super) fn is_example_input(workspace: &Workspace, name: &str) -> bool {
    let program = workspace.executable().program();
    let input = program.inputs.iter().find(|i| &*i.name == name);
    input.and_then(|i| program.buffers.get(i.at.buffer.index())).is_some_and(|b| b.place == Place::Example)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn stream(n: usize) -> Dataset {
        let values = Values::Id { ids: (0..n as u32).collect(), symbols: Arc::new(vec![]) };
        let field = Field { sequential: true, shape: vec![], values, ends: vec![n] };
        Dataset { names: vec!["x".into()], fields: vec![field], examples: 1, test_from: None, shares: None }
    }

    #[test]
    fn lanes_and_windows_cover_every_position_once() {
        for (n, batch, window) in [(101, 4, 10), (7, 10, 3), (12, 3, 4), (1, 1, 1), (13, 3, 5)] {
            let data = stream(n);
            let part = Part::Stream { example: 0, positions: 0..n };
            let batches = Batches::new(&data, &[], &part, batch, Some(window), None);
            let Plan::Lanes { lanes, window } = &batches.plan else { panic!() };
            let mut seen = vec![0; n];
            for step in 0..batches.len() {
                for lane in lanes {
                    let start = (lane.start + step * window).min(lane.end);
                    (start..(start + window).min(lane.end)).for_each(|p| seen[p] += 1);
                }
            }
            assert!(seen.iter().all(|s| *s == 1), "{n} {batch} {window}: {seen:?}");
            assert_eq!(batches.units(), n);
        }
    }

    #[test]
    fn the_order_of_examples_follows_from_the_seed() {
        let data = stream(1);
        let part = Part::Examples((0..20).collect());
        let order = |seed| match Batches::new(&data, &[], &part, 4, None, seed).plan {
            Plan::Examples { order, .. } => order,
            Plan::Lanes { .. } => panic!(),
        };
        assert_eq!(order(Some(3)), order(Some(3)));
        assert_ne!(order(Some(3)), order(Some(4)));
        assert_eq!(order(None), (0..20).collect::<Vec<_>>());
    }

    #[test]
    fn rows_lie_time_major_with_padding() {
        let values = [1, 2, 3, 4, 5, 6];
        assert_eq!(gather(&values, &[0..2, 2..3], 1, 2), [1, 3, 2, 0]);
        assert_eq!(gather(&values, &[0..1, 2..3], 2, 1), [1, 2, 5, 6]);
    }
}
