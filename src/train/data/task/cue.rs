//! Drawn figures whose class is told by one pixel far away.
//!
//! In: a size, a number of examples, a seed. Out: pictures `grid of [2]`, ink and cue, and a label for each point. A filled
//! rectangle lies in one quarter; in the quarter opposite, at least [`FAR`] points away, one pixel is cued by 1 or −1.
//! Points of the rectangle have the class of that cue; all others are background, also *specks*: single points of
//! ink. So a point's own ink does not say whether it is of the figure, only its neighbours' does; and no neighbour says
//! of which class.

use super::{Dataset, Field, dataset};
use crate::train::data::Values;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;

/// Steps from the figure to its cue, at least.
const FAR: usize = 4;
const SPECKS: usize = 5;
const BACKGROUND: u32 = 0;

/// One picture; rows and columns from 0.
struct Picture {
    rows: usize,
    columns: usize,
    ink: Vec<bool>,
    labels: Vec<u32>,
}

impl Picture {
    /// How much ink there is at a point and around it.
    fn around(&self, r: usize, c: usize) -> usize {
        let near = |k: usize, n: usize| k.saturating_sub(1)..(k + 2).min(n);
        let all = near(r, self.rows).flat_map(|r| near(c, self.columns).map(move |c| (r, c)));
        all.filter(|(r, c)| self.ink[r * self.columns + c]).count()
    }
}

/// Pictures have `size` to `size + 2` rows and columns.
pub fn cue(size: usize, count: usize, seed: u64) -> Dataset {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    let mut lengths = vec![Vec::with_capacity(count), Vec::with_capacity(count)];
    for _ in 0..count {
        let (rows, columns) = (size + rng.random_range(0..3), size + rng.random_range(0..3));
        let class = rng.random_range(1..3);
        let mut p = Picture {
            rows,
            columns,
            ink: vec![false; rows * columns],
            labels: vec![BACKGROUND; rows * columns],
        };
        let (height, width) = (rng.random_range(2..4), rng.random_range(2..4));
        // Drawn in the first quarter, the cue in the last; then turned round each axis or not.
        let top = rng.random_range(0..=rows / 2 - height);
        let left = rng.random_range(0..=columns / 2 - width);
        let (bottom, right) = (top + height, left + width);
        let far_row = rng.random_range((bottom - 1 + FAR).min(rows - 1)..rows);
        let far_column = rng.random_range((right - 1 + FAR).min(columns - 1)..columns);
        let (turn_rows, turn_columns): (bool, bool) = (rng.random(), rng.random());
        let at = |r: usize, c: usize| {
            let r = if turn_rows { rows - 1 - r } else { r };
            let c = if turn_columns { columns - 1 - c } else { c };
            (r, c)
        };
        for r in top..bottom {
            for c in left..right {
                let (r, c) = at(r, c);
                p.ink[r * columns + c] = true;
                p.labels[r * columns + c] = class;
            }
        }
        for _ in 0..SPECKS {
            let (r, c) = (rng.random_range(0..rows), rng.random_range(0..columns));
            if p.around(r, c) == 0 {
                p.ink[r * columns + c] = true;
            }
        }
        let (r, c) = at(far_row, far_column);
        let cued = r * columns + c;
        let sign = if class == 1 { 1.0 } else { -1.0 };
        for (k, ink) in p.ink.iter().enumerate() {
            pixels.extend([f32::from(u8::from(*ink)), if k == cued { sign } else { 0.0 }]);
        }
        labels.extend(p.labels);
        lengths[0].push(rows);
        lengths[1].push(columns);
    }
    let names = ["background", "plus", "minus"].map(String::from).to_vec();
    let labels = Values::Id { ids: labels, symbols: Arc::new(names) };
    let fields = vec![
        Field::grid(vec![2], Values::Real(pixels), lengths.clone()),
        Field::grid(vec![], labels, lengths),
    ];
    dataset(fields, count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cue_is_far_and_ink_alone_does_not_tell_a_figure() {
        let d = cue(10, 50, 3);
        assert_eq!(d, cue(10, 50, 3));
        let (Values::Real(pixels), Values::Id { ids, .. }) = (&d.fields[0].values, &d.fields[1].values)
        else {
            panic!()
        };
        let mut specks = 0;
        for e in 0..50 {
            let columns = d.fields[0].length(1, e);
            let range = d.fields[0].range(e);
            let point = |row: usize| ((row - range.start) / columns, (row - range.start) % columns);
            let cued: Vec<usize> = range.clone().filter(|row| pixels[2 * row + 1] != 0.0).collect();
            let (r, c) = point(cued[0]);
            assert_eq!(cued.len(), 1);
            let class = if pixels[2 * cued[0] + 1] > 0.0 { 1 } else { 2 };
            for row in range.clone() {
                let (i, j) = point(row);
                specks += usize::from(pixels[2 * row] > 0.0 && ids[row] == BACKGROUND);
                if ids[row] != BACKGROUND {
                    assert!(pixels[2 * row] == 1.0 && ids[row] == class);
                    assert!(r.abs_diff(i).max(c.abs_diff(j)) >= FAR, "{r} {c}, {i} {j}");
                }
            }
        }
        assert!(specks > 100);
    }
}
