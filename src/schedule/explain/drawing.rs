//! Fronts of a small domain, drawn.
//!
//! In: the axes of a recurrence and its front. Out: lines of text with the number of each point's front, from 1, or none
//! where a page cannot show it.

use crate::eqn::{Domain, DomainId, DomainKind};
use crate::loops::Front;

/// Points of an axis that goes down, to the right, from picture to picture.
const DRAWN: [usize; 3] = [4, 6, 2];

/// A tree with a node of every height up to 3: each line, heights written as letters.
const TREE: [&str; 5] = ["      c", "     / \\", "    b   a", "   / \\", "  a   a"];

/// `var`: what an axis is called.
pub fn drawing<'a>(
    domains: &[Domain],
    axes: &[DomainId],
    var: impl Fn(&DomainId) -> &'a str,
    front: &Front,
    reverse: bool,
) -> Option<Vec<String>> {
    let kind = |axis: &DomainId| domains.get(axis.index()).map(|d| &d.kind);
    let trees = front.0.iter().any(|(axis, _)| matches!(kind(axis), Some(DomainKind::Tree { .. })));
    if trees {
        return (front.0.len() == 1).then(|| tree(reverse));
    }
    let flat =
        axes.iter().all(|axis| matches!(kind(axis), Some(DomainKind::Chain { .. } | DomainKind::Derived(_))));
    (flat && (2..=3).contains(&axes.len())).then(|| grid(domains, axes, var, front, reverse))
}

fn tree(reverse: bool) -> Vec<String> {
    let number = |height: u32| if reverse { 4 - height } else { height };
    let mut lines = vec!["  a tree; the number of each node's front:".to_string()];
    for line in TREE {
        let of = |c: char| match c {
            'a'..='c' => char::from_digit(number(c as u32 - 'a' as u32 + 1), 10).unwrap_or(c),
            c => c,
        };
        lines.push(format!("  {}", line.chars().map(of).collect::<String>()));
    }
    lines
}

fn grid<'a>(
    domains: &[Domain],
    axes: &[DomainId],
    var: impl Fn(&DomainId) -> &'a str,
    front: &Front,
    reverse: bool,
) -> Vec<String> {
    let drawn = |i: usize| -> usize {
        let Some(axis) = axes.get(i) else { return 1 };
        match domains.get(axis.index()).map(|d| &d.kind) {
            Some(DomainKind::Chain { fixed: Some(n) }) => (*n as usize).clamp(1, DRAWN[i]),
            _ => DRAWN[i],
        }
    };
    let sign = if reverse { -1 } else { 1 };
    let along = |i: usize| {
        let found = axes.get(i).and_then(|axis| front.0.iter().find(|(a, _)| a == axis));
        sign * found.map_or(0, |(_, k)| i64::from(*k))
    };
    let weights = [along(0), along(1), along(2)];
    let number = |p: [usize; 3]| weights.iter().zip(p).map(|(w, p)| w * p as i64).sum::<i64>();
    // A sum is least at a corner.
    let ends = [drawn(0), drawn(1), drawn(2)].map(|n| [0, n - 1]);
    let corners = (0..8).map(|c| number([ends[0][c & 1], ends[1][c >> 1 & 1], ends[2][c >> 2]]));
    let first = corners.min().unwrap_or(0);
    let mut head = format!("  {} down, {} to the right", var(&axes[0]), var(&axes[1]));
    if let Some(third) = axes.get(2) {
        let positions: Vec<String> = (1..=drawn(2)).map(|k| k.to_string()).collect();
        head += &format!(", beside each other {} = {}", var(third), positions.join(", "));
    }
    let mut lines = vec![head + "; the number of each point's front:"];
    for i in 0..drawn(0) {
        let of = |k: usize| -> String {
            (0..drawn(1)).map(|j| format!("{:3}", number([i, j, k]) - first + 1)).collect()
        };
        lines.push(format!("  {}", (0..drawn(2)).map(of).collect::<Vec<_>>().join("    ")));
    }
    lines
}
