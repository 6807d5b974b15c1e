//! From a part of the data to what one step sees.
//!
//! Examples are put together `batch` at a time, each with its own length. One long sequence is cut
//! into `batch` lanes of (almost) equal length that are read side by side, window after window;
//! nothing is dropped: the last window is shorter, in some lanes perhaps empty. Windows may overlap; then only
//! the positions that no window before had count.

use super::data::split::Part;
use super::data::{Dataset, Field, Values};
use super::fit::Feed;
use crate::diag::Fallible;
use crate::eqn::build::COUNTED;
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
    Lanes(Lanes),
    Examples { order: Vec<usize>, batch: usize },
}

/// How one long sequence is cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// Positions; without it all.
    pub size: Option<usize>,
    /// New positions from window to window; without it all.
    pub every: Option<usize>,
}

#[derive(Clone, Debug)]
struct Lanes {
    /// Rows of each lane in the field of the sequence.
    all: Vec<Range<usize>>,
    /// Positions of a window.
    size: usize,
    /// New positions a step, at most `size`.
    every: usize,
}

impl Lanes {
    /// Where the window of a step begins, counted from the start of its lane.
    fn start(&self, step: usize) -> usize {
        step.saturating_add(1).saturating_mul(self.every).saturating_sub(self.size)
    }

    fn at(&self, lane: &Range<usize>, position: usize) -> usize {
        lane.start.saturating_add(position).min(lane.end)
    }

    /// The rows of a lane that count in a step.
    fn new_rows(&self, lane: &Range<usize>, step: usize) -> Range<usize> {
        self.at(lane, step * self.every)..self.at(lane, (step + 1) * self.every)
    }

    /// The rows of a lane that a step sees.
    fn rows(&self, lane: &Range<usize>, step: usize) -> Range<usize> {
        let new = self.new_rows(lane, step);
        // A lane that is over has no row, and no earlier one either.
        if new.is_empty() { new } else { self.at(lane, self.start(step))..new.end }
    }
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
        window: Window,
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
                let all = (0..count).map(|b| cut(b)..cut(b + 1)).collect();
                let size = window.size.unwrap_or(n).max(1);
                let every = window.every.unwrap_or(size).clamp(1, size);
                Plan::Lanes(Lanes { all, size, every })
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
            Plan::Lanes(lanes) => lanes.all.iter().map(|l| l.len()).max().unwrap_or(0).div_ceil(lanes.every),
            Plan::Examples { order, batch } => order.len().div_ceil(*batch),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Positions or examples of the whole epoch.
    pub fn units(&self) -> usize {
        match &self.plan {
            Plan::Lanes(lanes) => lanes.all.iter().map(|l| l.len()).sum(),
            Plan::Examples { order, .. } => order.len(),
        }
    }

    /// Examples a step sees side by side.
    pub fn width(&self, step: usize) -> usize {
        match &self.plan {
            Plan::Lanes(lanes) => lanes.all.len(),
            Plan::Examples { order, batch } => order.len().saturating_sub(step * batch).min(*batch),
        }
    }

    /// An entry of a step's batch in words, counted from 1.
    pub fn entry(&self, step: usize, entry: usize) -> String {
        let number = entry + 1;
        match &self.plan {
            Plan::Lanes(lanes) => match lanes.all.get(entry) {
                Some(lane) => {
                    let first = self.data.fields.first().map_or(0, |f| f.range(0).start);
                    let rows = lanes.rows(lane, step);
                    let from = (rows.start + 1).saturating_sub(first);
                    format!("batch entry {number} (its t = 1 is position {from} of the data)")
                }
                None => format!("batch entry {number}"),
            },
            Plan::Examples { order, batch } => match order.get(step * batch + entry) {
                Some(example) => format!("batch entry {number} (example {} of the data)", example + 1),
                None => format!("batch entry {number}"),
            },
        }
    }

    /// Gives a workspace what lies between the begin of the window before and the begin of a step's, if the two overlap: the
    /// states at its end are those that the step's window begins with.
    pub fn load_between(&self, step: usize, workspace: &mut Workspace) -> Fallible<bool> {
        let Plan::Lanes(lanes) = &self.plan else { return Ok(false) };
        let Some(before) = step.checked_sub(1) else { return Ok(false) };
        if lanes.every == lanes.size || lanes.start(before) == lanes.start(step) {
            return Ok(false);
        }
        let rows: Vec<Range<usize>> = lanes
            .all
            .iter()
            .map(|l| lanes.at(l, lanes.start(before))..lanes.at(l, lanes.start(step)))
            .collect();
        feed(self.data, self.feeds, workspace, None, Chosen::Stretches(&rows))?;
        count(workspace, &rows, &vec![0; rows.len()])?;
        Ok(true)
    }

    /// Gives a workspace the arrays of one step.
    pub fn load(&self, step: usize, workspace: &mut Workspace) -> Fallible<Loaded> {
        match &self.plan {
            Plan::Lanes(lanes) => {
                let rows: Vec<Range<usize>> = lanes.all.iter().map(|l| lanes.rows(l, step)).collect();
                let new: Vec<usize> = lanes.all.iter().map(|l| lanes.new_rows(l, step).len()).collect();
                let units: usize = new.iter().sum();
                let weights = new.iter().map(|n| *n as f64 / units.max(1) as f64).collect();
                feed(self.data, self.feeds, workspace, None, Chosen::Stretches(&rows))?;
                count(workspace, &rows, &new)?;
                Ok(Loaded { weights, units })
            }
            Plan::Examples { order, batch } => {
                let chosen = order.get(step * batch..).unwrap_or(&[]);
                let chosen = &chosen[..chosen.len().min(*batch)];
                feed(self.data, self.feeds, workspace, None, Chosen::Examples(chosen))?;
                let weights = vec![1.0 / chosen.len().max(1) as f64; chosen.len()];
                Ok(Loaded { weights, units: chosen.len() })
            }
        }
    }
}

/// What the examples of a batch are.
#[derive(Clone, Copy)]
pub(super) enum Chosen<'a> {
    /// Stretches of one long sequence, read side by side.
    Stretches(&'a [Range<usize>]),
    /// Examples by number.
    Examples(&'a [usize]),
}

impl Chosen<'_> {
    fn len(&self) -> usize {
        match self {
            Chosen::Stretches(rows) => rows.len(),
            Chosen::Examples(examples) => examples.len(),
        }
    }

    /// The lengths along an axis of a field.
    fn lengths(&self, field: &Field, axis: usize) -> Vec<usize> {
        match self {
            Chosen::Stretches(rows) => rows.iter().map(|r| r.len()).collect(),
            Chosen::Examples(examples) => examples.iter().map(|e| field.length(axis, *e)).collect(),
        }
    }

    /// The first row of each.
    fn starts(&self, field: &Field) -> Vec<usize> {
        match self {
            Chosen::Stretches(rows) => rows.iter().map(|r| r.start).collect(),
            Chosen::Examples(examples) => examples.iter().map(|e| field.range(*e).start).collect(),
        }
    }
}

/// Gives each input its field's values. `more` is the length of a sequence that none of them is.
pub(super) fn feed(
    data: &Dataset,
    feeds: &[Feed],
    workspace: &mut Workspace,
    more: Option<(&str, Vec<usize>)>,
    chosen: Chosen,
) -> Fallible<()> {
    let (mut lengths, mut trees) = (BTreeMap::new(), BTreeMap::new());
    lengths.extend(more.map(|(extent, lengths)| (extent.to_string(), lengths)));
    for feed in feeds {
        let field = &data.fields[feed.field];
        match (field.trees(), chosen) {
            (Some(all), Chosen::Examples(examples)) => {
                for extent in &feed.extents {
                    trees.insert(extent.clone(), examples.iter().map(|e| all[*e].clone()).collect());
                }
            }
            _ => {
                for (axis, extent) in feed.extents.iter().enumerate() {
                    lengths.insert(extent.clone(), chosen.lengths(field, axis));
                }
            }
        }
    }
    workspace.resize_with(chosen.len(), &BTreeMap::new(), &lengths, &trees)?;
    for feed in feeds {
        // What nothing reads is not in the program.
        if !is_input(workspace, &feed.input) {
            continue;
        }
        let field = &data.fields[feed.field];
        let axes: Vec<Vec<usize>> =
            (0..field.over().axes()).map(|axis| chosen.lengths(field, axis)).collect();
        let starts = chosen.starts(field);
        match &field.values {
            Values::Real(values) => {
                let array = gather(values, &starts, &axes, field.width());
                workspace.set_input(&feed.input, &array)?;
            }
            Values::Id { ids, .. } => {
                let array: Vec<u32> = gather(ids, &starts, &axes, 1);
                // Vocabularies are far smaller than 2^31.
                let array: Vec<i32> = array.into_iter().map(|i| i as i32).collect();
                workspace.set_ids(&feed.input, &array)?;
            }
        }
    }
    Ok(())
}

/// Says which positions count, if the program asks: the latest `new` of each row.
fn count(workspace: &mut Workspace, rows: &[Range<usize>], new: &[usize]) -> Fallible<()> {
    if !is_input(workspace, COUNTED) {
        return Ok(());
    }
    let steps = rows.iter().map(|r| r.len()).max().unwrap_or(0);
    let mut array = vec![0.0; steps * rows.len()];
    for (b, (range, new)) in rows.iter().zip(new).enumerate() {
        for t in range.len().saturating_sub(*new)..range.len() {
            array[t * rows.len() + b] = 1.0;
        }
    }
    workspace.set_input(COUNTED, &array)
}

/// Examples side by side at each point: `[axis, axis, …, examples, width]`, as long as the longest example along each
/// axis. `axes`: for each axis the lengths of the examples.
fn gather<T: Copy + Default>(values: &[T], starts: &[usize], axes: &[Vec<usize>], width: usize) -> Vec<T> {
    let extents: Vec<usize> = axes.iter().map(|l| l.iter().copied().max().unwrap_or(0)).collect();
    let mut array = vec![T::default(); extents.iter().product::<usize>() * starts.len() * width];
    for (b, start) in starts.iter().enumerate() {
        let lengths: Vec<usize> = axes.iter().map(|l| l[b]).collect();
        let mut at = vec![0; lengths.len()];
        for row in *start..*start + lengths.iter().product::<usize>() {
            let point = at.iter().zip(&extents).fold(0, |point, (i, n)| point * n + i);
            let to = (point * starts.len() + b) * width;
            array[to..to + width].copy_from_slice(&values[row * width..(row + 1) * width]);
            for (i, n) in at.iter_mut().zip(&lengths).rev() {
                *i = (*i + 1) % n;
                if *i > 0 {
                    break;
                }
            }
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
        let field = Field::sequence(vec![], values, vec![n]);
        Dataset { names: vec!["x".into()], fields: vec![field], examples: 1, test_from: None, shares: None }
    }

    #[test]
    fn lanes_and_windows_cover_every_position_once() {
        let cuts =
            [(101, 4, 10, 10), (7, 10, 3, 3), (12, 3, 4, 1), (1, 1, 1, 1), (13, 3, 5, 2), (90, 2, 7, 3)];
        for (n, batch, size, every) in cuts {
            let data = stream(n);
            let part = Part::Stream { example: 0, positions: 0..n };
            let window = Window { size: Some(size), every: Some(every) };
            let batches = Batches::new(&data, &[], &part, batch, window, None);
            let Plan::Lanes(lanes) = &batches.plan else { panic!() };
            let mut counted = vec![0; n];
            for lane in &lanes.all {
                let mut carried = lane.start;
                for step in 0..batches.len() {
                    let (seen, new) = (lanes.rows(lane, step), lanes.new_rows(lane, step));
                    new.clone().for_each(|p| counted[p] += 1);
                    if new.is_empty() {
                        continue;
                    }
                    // What counts is the end of what is seen, which is full but at the start and the end of a lane.
                    assert_eq!(seen.end, new.end);
                    assert!(seen.start <= new.start && seen.len() <= size);
                    assert!(seen.len() + every > size || seen.start == lane.start);
                    // It begins where the states are that go on.
                    if step > 0 {
                        carried = lanes.at(lane, lanes.start(step));
                    }
                    assert_eq!(carried, seen.start);
                }
            }
            assert!(counted.iter().all(|s| *s == 1), "{n} {batch} {size} {every}: {counted:?}");
            assert_eq!(batches.units(), n);
        }
    }

    #[test]
    fn the_order_of_examples_follows_from_the_seed() {
        let data = stream(1);
        let part = Part::Examples((0..20).collect());
        let order = |seed| match Batches::new(&data, &[], &part, 4, Window::default(), seed).plan {
            Plan::Examples { order, .. } => order,
            Plan::Lanes(_) => panic!(),
        };
        assert_eq!(order(Some(3)), order(Some(3)));
        assert_ne!(order(Some(3)), order(Some(4)));
        assert_eq!(order(None), (0..20).collect::<Vec<_>>());
    }

    #[test]
    fn rows_lie_time_major_with_padding() {
        let values = [1, 2, 3, 4, 5, 6];
        assert_eq!(gather(&values, &[0, 2], &[vec![2, 1]], 1), [1, 3, 2, 0]);
        assert_eq!(gather(&values, &[0, 2], &[vec![1, 1]], 2), [1, 2, 5, 6]);
        assert_eq!(gather(&values, &[1, 4], &[], 1), [2, 5]);
    }

    #[test]
    fn grids_of_unequal_extents_lie_side_by_side() {
        // 1 2    5 6 7
        // 3 4
        let values = [1, 2, 3, 4, 5, 6, 7];
        let array = gather(&values, &[0, 4], &[vec![2, 1], vec![2, 3]], 1);
        assert_eq!(array, [1, 5, 2, 6, 0, 7, 3, 0, 4, 0, 0, 0]);
    }
}
