//! Places in layers, from top to bottom (Sugiyama, Tagawa, Toda 1981).
//!
//! In: boxes with their widths, and edges without a cycle. Out: the middle of each box and the way of each edge. A box stands
//! below all it reads; long edges go through places of their own in the layers between; in each layer places are ordered by
//! the mean of their neighbours, and moved towards it as far as there is room.

use std::collections::BTreeMap;

/// Between boxes beside each other.
const GAP: f64 = 18.0;
/// Of a place that an edge goes through.
const THIN: f64 = 4.0;
const SWEEPS: usize = 24;

pub struct Placed {
    /// The middle of each box, and its layer.
    pub middles: Vec<(f64, usize)>,
    /// For each edge the middles it goes through, its ends among them, with their layers.
    pub ways: Vec<Vec<(f64, usize)>>,
    pub width: f64,
    pub layers: usize,
}

struct Slot {
    layer: usize,
    width: f64,
    x: f64,
    above: Vec<usize>,
    below: Vec<usize>,
}

pub fn place(widths: &[f64], edges: &[(usize, usize)]) -> Placed {
    let layers = layers(widths.len(), edges);
    let mut slots: Vec<Slot> = widths
        .iter()
        .zip(&layers)
        .map(|(width, layer)| Slot {
            layer: *layer,
            width: *width,
            x: 0.0,
            above: Vec::new(),
            below: Vec::new(),
        })
        .collect();
    let mut ways = Vec::new();
    // Edges from one box run together until they part.
    let mut shared: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    for (from, to) in edges {
        let mut way = vec![*from];
        for layer in layers[*from] + 1..layers[*to] {
            let slot = *shared.entry((*from, layer)).or_insert_with(|| {
                slots.push(Slot { layer, width: THIN, x: 0.0, above: Vec::new(), below: Vec::new() });
                slots.len() - 1
            });
            way.push(slot);
        }
        way.push(*to);
        for pair in way.windows(2) {
            if !slots[pair[0]].below.contains(&pair[1]) {
                slots[pair[0]].below.push(pair[1]);
                slots[pair[1]].above.push(pair[0]);
            }
        }
        ways.push(way);
    }
    let count = slots.iter().map(|s| s.layer + 1).max().unwrap_or(0);
    let mut rows: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (i, slot) in slots.iter().enumerate() {
        rows[slot.layer].push(i);
    }
    order(&mut rows, &slots);
    straighten(&mut rows, &mut slots);
    let left = slots.iter().map(|s| s.x - s.width / 2.0).fold(f64::INFINITY, f64::min);
    let left = if left.is_finite() { left } else { 0.0 };
    let right = slots.iter().map(|s| s.x + s.width / 2.0).fold(left, f64::max);
    let at = |i: usize| (slots[i].x - left, slots[i].layer);
    Placed {
        middles: (0..widths.len()).map(at).collect(),
        ways: ways.iter().map(|way| way.iter().map(|i| at(*i)).collect()).collect(),
        width: right - left,
        layers: count,
    }
}

/// The longest way down to each box; what nothing stands above is moved down to what reads it first.
fn layers(count: usize, edges: &[(usize, usize)]) -> Vec<usize> {
    let mut layer = vec![0; count];
    // Without a cycle no layer is deeper than there are boxes.
    for _ in 0..count {
        let mut changed = false;
        for (from, to) in edges {
            if layer[*to] <= layer[*from] && layer[*from] + 1 < count.max(1) {
                layer[*to] = layer[*from] + 1;
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
    for i in 0..count {
        if edges.iter().all(|(_, to)| *to != i)
            && let Some(first) = edges.iter().filter(|(from, _)| *from == i).map(|(_, to)| layer[*to]).min()
        {
            layer[i] = first.saturating_sub(1);
        }
    }
    layer
}

/// Neighbours above each other: by the mean of their places in the layer before, down and up.
fn order(rows: &mut [Vec<usize>], slots: &[Slot]) {
    let mut best = (crossings(rows, slots), rows.to_vec());
    for sweep in 0..SWEEPS {
        let down = sweep % 2 == 0;
        let layers: Vec<usize> =
            if down { (0..rows.len()).collect() } else { (0..rows.len()).rev().collect() };
        for layer in layers {
            let place = places(rows, slots.len());
            let mean = |i: &usize| {
                let near = if down { &slots[*i].above } else { &slots[*i].below };
                match near.is_empty() {
                    true => place[*i],
                    false => near.iter().map(|n| place[*n]).sum::<f64>() / near.len() as f64,
                }
            };
            let mut row: Vec<(f64, usize)> = rows[layer].iter().map(|i| (mean(i), *i)).collect();
            row.sort_by(|a, b| a.0.total_cmp(&b.0));
            rows[layer] = row.into_iter().map(|(_, i)| i).collect();
        }
        let now = crossings(rows, slots);
        if now < best.0 {
            best = (now, rows.to_vec());
        }
    }
    rows.clone_from_slice(&best.1);
}

/// Where each slot stands in its row, as a share of the row.
fn places(rows: &[Vec<usize>], count: usize) -> Vec<f64> {
    let mut place = vec![0.0; count];
    for row in rows {
        for (k, i) in row.iter().enumerate() {
            place[*i] = (k as f64 + 0.5) / row.len() as f64;
        }
    }
    place
}

fn crossings(rows: &[Vec<usize>], slots: &[Slot]) -> usize {
    let mut place = vec![0; slots.len()];
    for row in rows {
        row.iter().enumerate().for_each(|(k, i)| place[*i] = k);
    }
    let mut count = 0;
    for row in rows {
        let lines: Vec<(usize, usize)> =
            row.iter().flat_map(|i| slots[*i].below.iter().map(|b| (place[*i], place[*b]))).collect();
        for (k, a) in lines.iter().enumerate() {
            count += lines[k + 1..].iter().filter(|b| a.0 < b.0 && a.1 > b.1).count();
        }
    }
    count
}

/// Each slot towards the mean of its neighbours, without leaving its order.
fn straighten(rows: &mut [Vec<usize>], slots: &mut [Slot]) {
    for row in rows.iter() {
        let total: f64 = row.iter().map(|i| slots[*i].width + GAP).sum();
        let mut x = -total / 2.0;
        for i in row {
            slots[*i].x = x + slots[*i].width / 2.0;
            x += slots[*i].width + GAP;
        }
    }
    for sweep in 0..SWEEPS * 2 {
        let layers: Vec<usize> =
            if sweep % 2 == 0 { (0..rows.len()).collect() } else { (0..rows.len()).rev().collect() };
        for layer in layers {
            let wanted: Vec<f64> = rows[layer]
                .iter()
                .map(|i| {
                    let slot = &slots[*i];
                    let near = || slot.above.iter().chain(&slot.below);
                    match near().count() {
                        0 => slot.x,
                        n => near().map(|n| slots[*n].x).sum::<f64>() / n as f64,
                    }
                })
                .collect();
            spread(&rows[layer], &wanted, slots);
        }
    }
}

/// As near to the wanted places as the order and the widths allow: slots that meet move together, to the mean of what they
/// want.
fn spread(row: &[usize], wanted: &[f64], slots: &mut [Slot]) {
    // Blocks of slots that touch: the first of them, their number, the place of the first, and the weight.
    let mut blocks: Vec<(usize, usize, f64)> = Vec::new();
    let gap = |a: usize, b: usize, slots: &[Slot]| (slots[row[a]].width + slots[row[b]].width) / 2.0 + GAP;
    let mut offset = vec![0.0; row.len()];
    for k in 1..row.len() {
        offset[k] = offset[k - 1] + gap(k - 1, k, slots);
    }
    let mean = |first: usize, count: usize| {
        (first..first + count).map(|k| wanted[k] - (offset[k] - offset[first])).sum::<f64>() / count as f64
    };
    for (k, want) in wanted.iter().enumerate() {
        blocks.push((k, 1, *want));
        while let [.., (first, count, at), (next, more, then)] = blocks[..] {
            if at + (offset[next] - offset[first]) <= then {
                break;
            }
            blocks.truncate(blocks.len() - 2);
            blocks.push((first, count + more, mean(first, count + more)));
        }
    }
    for (first, count, at) in blocks {
        for k in first..first + count {
            slots[row[k]].x = at + offset[k] - offset[first];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_stand_below_what_they_read_and_apart_from_each_other() {
        let widths = [60.0, 40.0, 80.0, 50.0, 30.0, 70.0];
        let edges = [(0, 2), (1, 2), (0, 3), (2, 4), (3, 4), (0, 5), (4, 5)];
        let placed = place(&widths, &edges);
        for (from, to) in edges {
            assert!(placed.middles[from].1 < placed.middles[to].1);
        }
        for i in 0..widths.len() {
            for j in 0..i {
                let ((a, la), (b, lb)) = (placed.middles[i], placed.middles[j]);
                assert!(la != lb || (a - b).abs() >= (widths[i] + widths[j]) / 2.0 + GAP - 1e-6);
            }
        }
        for (way, (from, to)) in placed.ways.iter().zip(edges) {
            assert_eq!(way.len(), placed.middles[to].1 - placed.middles[from].1 + 1);
        }
    }

    #[test]
    fn nothing_has_no_places() {
        let placed = place(&[], &[]);
        assert_eq!((placed.layers, placed.width), (0, 0.0));
    }

    #[test]
    fn a_straight_way_stays_straight() {
        let placed = place(&[40.0, 40.0, 40.0], &[(0, 1), (1, 2)]);
        assert!(placed.middles.iter().all(|m| (m.0 - placed.middles[0].0).abs() < 1e-6));
    }
}
