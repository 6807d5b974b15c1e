//! The recurrences of a schedule in words: what each is made of, why its points come in their order, what it waits for.

use super::drawing::{Figure, figure, letters};
use crate::eqn::{Domain, DomainId, DomainKind};
use crate::schedule::linear::Linearity;
use crate::schedule::recurrences::{Read, Recurrence, Recurrences};
use std::collections::BTreeSet;
use std::fmt::Write;

/// Names that one line tells.
const NAMES: usize = 16;

pub fn systems(found: &Recurrences, domains: &[Domain]) -> String {
    let mut text = String::new();
    if found.all.is_empty() {
        return "no recurrence: all points at once\n".into();
    }
    // Writing to a string cannot fail.
    for index in 0..found.all.len() {
        let _ = Teller { found, domains, index }.recurrence(&mut text);
    }
    let told: Vec<_> = found.pointwise.iter().filter(|(waits, _)| !waits.is_empty()).collect();
    if !told.is_empty() {
        text += "all points at once, when recurrences are finished (a barrier)\n";
    }
    for (waits, names) in told {
        let _ = writeln!(text, "  behind {}: {}", numbers(found, waits), list(names, &[]));
    }
    text
}

/// One recurrence as a picture shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Panel {
    pub number: String,
    pub states: String,
    /// The loop, in the words of the field.
    pub order: String,
    /// Panels whose recurrences are finished before this one begins.
    pub waits_for: Vec<usize>,
    /// None for what no page can show.
    pub figure: Option<Figure>,
    /// What the axes of the figure are called.
    pub axes: Vec<String>,
    /// What a point reads of others, and where: seen from it, along each axis of the figure. `None`: what is read
    /// is the same at all points of this axis. Of a tree there are no places.
    pub reads: Vec<(String, Vec<Option<i32>>)>,
    /// Parents before children.
    pub reverse: bool,
}

pub fn panels(found: &Recurrences, domains: &[Domain]) -> Vec<Panel> {
    (0..found.all.len()).map(|index| Teller { found, domains, index }.panel()).collect()
}

/// `2`, or `1.1` within the first: loops by what is around them.
fn number(found: &Recurrences, index: usize) -> String {
    let outer = found.all[index].outer;
    let place = found.all[..index].iter().filter(|r| r.outer == outer).count() + 1;
    match outer {
        Some(outer) => format!("{}.{place}", number(found, outer)),
        None => place.to_string(),
    }
}

fn numbers(found: &Recurrences, of: &BTreeSet<usize>) -> String {
    let all: Vec<String> = of.iter().map(|l| number(found, *l)).collect();
    match all.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => String::new(),
    }
}

/// Names without those of arguments whose values are named too (`f_pre` beside `f`), here or in `others`.
fn list(names: &[String], others: &[String]) -> String {
    let is_argument = |n: &str| {
        let value = n.replace("_pre", "");
        value != n && (names.contains(&value) || others.contains(&value))
    };
    let names: Vec<&str> = names.iter().map(|n| &**n).filter(|n| !is_argument(n)).collect();
    match names.len().checked_sub(NAMES) {
        Some(more @ 1..) => format!("{} and {more} more", names[..NAMES].join(", ")),
        _ => names.join(", "),
    }
}

struct Teller<'a> {
    found: &'a Recurrences,
    domains: &'a [Domain],
    /// That is told.
    index: usize,
}

impl Teller<'_> {
    /// The variable of an axis; its extent, if another axis has the same.
    fn var(&self, axis: &DomainId) -> &str {
        let of = |axis: &DomainId| self.domains.get(axis.index());
        let Some(domain) = of(axis) else { return "?" };
        let axes = &self.found.all[self.index].axes;
        let is_taken = axes.iter().any(|a| a != axis && of(a).is_some_and(|d| d.var == domain.var));
        if is_taken { &domain.extent } else { &domain.var }
    }

    /// Axes that loops around this one go along.
    fn gone_along(&self) -> Vec<DomainId> {
        let outer = |l: &usize| self.found.all[*l].outer;
        std::iter::successors(outer(&self.index), outer)
            .flat_map(|l| self.found.all[l].front.0.iter().map(|(axis, _)| *axis))
            .collect()
    }

    fn vars(&self, axes: &[DomainId]) -> String {
        axes.iter().map(|a| self.var(a)).collect::<Vec<_>>().join(", ")
    }

    fn is_tree(&self, axis: &DomainId) -> bool {
        self.domains.get(axis.index()).is_some_and(|d| matches!(d.kind, DomainKind::Tree { .. }))
    }

    fn panel(&self) -> Panel {
        let r = &self.found.all[self.index];
        let figure = figure(self.domains, &r.axes, &r.front, r.reverse);
        let along = match &figure {
            Some(Figure::Lattice(lattice)) => lattice.axes.clone(),
            _ => Vec::new(),
        };
        let read = |read: &Read| {
            let by = read.vector.as_deref().unwrap_or(&[]);
            let place = |axis: &DomainId| by.get(read.axes.iter().position(|a| a == axis)?).copied();
            (read.text.clone(), along.iter().map(place).collect())
        };
        let order = match r.outer {
            Some(outer) => format!("within each front of {}, {}", number(self.found, outer), self.order(r)),
            None => self.order(r),
        };
        Panel {
            number: number(self.found, self.index),
            states: r.states.join(", "),
            order,
            waits_for: r.waits_for.iter().copied().collect(),
            axes: along.iter().map(|axis| self.var(axis).to_string()).collect(),
            reads: r.reads.iter().map(read).collect(),
            figure,
            reverse: r.reverse,
        }
    }

    fn recurrence(&self, text: &mut String) -> std::fmt::Result {
        let index = self.index;
        let r = &self.found.all[index];
        let with = match list(&r.others, &r.states) {
            names if names.is_empty() => names,
            names => format!(", with {names}"),
        };
        writeln!(text, "recurrence {}: {}{with}", number(self.found, index), r.states.join(", "))?;
        if let Some(outer) = r.outer {
            let around = number(self.found, outer);
            writeln!(text, "  within each front of {around}, {}", self.order(r))?;
        } else {
            writeln!(text, "  {}", self.order(r))?;
        }
        self.reads(r, text)?;
        let over_tree = r.front.0.iter().any(|(axis, _)| self.is_tree(axis));
        if self.open(&r.state_axes).len() > 1 && !over_tree {
            writeln!(text, "  {}", self.weights(r))?;
        }
        if let Some(linear) = r.linear {
            writeln!(text, "  {}", linear_words(r, linear))?;
        }
        if r.outer.is_none() {
            let begins = match r.waits_for.is_empty() {
                true => "needs no other recurrence".to_string(),
                false => {
                    format!(
                        "begins when {} is finished at every point (a barrier)",
                        numbers(self.found, &r.waits_for)
                    )
                }
            };
            writeln!(text, "  {begins}")?;
            let figure = figure(self.domains, &r.axes, &r.front, r.reverse);
            let lines = figure.map(|f| letters(&f, |axis| self.var(axis), r.reverse));
            lines.into_iter().flatten().try_for_each(|line| writeln!(text, "{line}"))?;
        }
        Ok(())
    }

    /// Axes that no loop around goes along.
    fn open(&self, axes: &[DomainId]) -> Vec<DomainId> {
        let gone = self.gone_along();
        axes.iter().copied().filter(|a| !gone.contains(a)).collect()
    }

    /// The loop, in the words of the field.
    fn order(&self, r: &Recurrence) -> String {
        let along: Vec<DomainId> = r.front.0.iter().map(|(axis, _)| *axis).collect();
        if let [tree] = along[..]
            && self.is_tree(&tree)
        {
            let way = if r.reverse {
                "falling, parents before children"
            } else {
                "rising, children before parents"
            };
            return format!("level by level of the tree: all nodes of one height at once, {way}");
        }
        let mut sides = self.open(&r.axes);
        sides.retain(|a| !along.contains(a));
        let beside = match sides.is_empty() {
            true => String::new(),
            false => format!(", all positions of {} at once", self.vars(&sides)),
        };
        if let [axis] = along[..] {
            let way = if r.reverse { "backwards" } else { "forwards" };
            let unit = match self.open(&r.state_axes)[..] {
                [first, _] if first == axis && !sides.is_empty() => "row by row",
                [_, last] if last == axis && !sides.is_empty() => "column by column",
                _ => "step by step",
            };
            return format!("{unit} along {}, {way}{beside}", self.var(&axis));
        }
        let even = r.front.0.iter().all(|(_, k)| k.abs() == 1);
        let turned = r.front.0.iter().any(|(_, k)| *k < 0);
        let unit = match (even, along.len(), turned) {
            (true, 2, false) => "anti-diagonals",
            (true, 2, true) => "diagonals",
            (true, ..) => "wavefronts",
            (false, ..) => "skewed fronts",
        };
        let way = if r.reverse { "falling" } else { "rising" };
        format!(
            "in {unit}: all points of equal {} at once, {way}{beside}",
            r.front.show(|axis| self.var(&axis))
        )
    }

    fn reads(&self, r: &Recurrence, text: &mut String) -> std::fmt::Result {
        let over_tree = r.front.0.iter().any(|(axis, _)| self.is_tree(axis));
        let unit = match (r.front.0.len(), over_tree) {
            (_, true) => "level",
            (1, _) => "step",
            _ => "front",
        };
        let vectors: Vec<String> = r
            .reads
            .iter()
            .map(|read| match &read.vector {
                Some(by) => {
                    let along = |k: &i32| if *k == 0 { "0".to_string() } else { format!("{k:+}") };
                    format!("({})", by.iter().map(along).collect::<Vec<_>>().join(", "))
                }
                None if r.reverse => "above".into(),
                None => "below".into(),
            })
            .collect();
        let width = |of: &mut dyn Iterator<Item = usize>| of.max().unwrap_or(0);
        let (names, places) = (
            width(&mut r.reads.iter().map(|read| read.text.chars().count())),
            width(&mut vectors.iter().map(|v| v.chars().count())),
        );
        for (read, vector) in r.reads.iter().zip(&vectors) {
            let least = if read.vector.is_none() { "at least " } else { "" };
            let plural = if read.earlier == 1 { "" } else { "s" };
            let when = match read.earlier {
                0 => format!("the same {unit}"),
                k => format!("{least}{k} {unit}{plural} earlier"),
            };
            writeln!(text, "  reads {:names$}  {vector:places$}  {when}", read.text)?;
        }
        Ok(())
    }

    /// Which weights, and why these.
    fn weights(&self, r: &Recurrence) -> String {
        let of = |axis: &DomainId| {
            let sign = if r.reverse { -1 } else { 1 };
            r.front.0.iter().find(|(a, _)| a == axis).map_or(0, |(_, k)| sign * k)
        };
        let axes = self.open(&r.state_axes);
        let weights: Vec<String> = axes.iter().map(|a| of(a).to_string()).collect();
        let is_whole = self.found.all.iter().all(|inner| inner.outer != Some(self.index));
        let why = match is_whole && r.reads.iter().all(|read| read.earlier > 0) {
            true => "every read is of an earlier front (Lamport 1974)",
            false => {
                "some reads are of an earlier front and none of a later one; what stays is ordered within"
            }
        };
        format!(
            "weights ({}) of ({}): the smallest whole ones by which {why}",
            weights.join(", "),
            self.vars(&axes)
        )
    }
}

fn linear_words(r: &Recurrence, linear: Linearity) -> &'static str {
    match (linear, &r.front.0[..]) {
        (Linearity::Diagonal, [_]) => {
            "linear in its state with a diagonal factor: can be a scan, so all products are lifted and the loop is \
             elementwise only"
        }
        (Linearity::Diagonal, _) => {
            "linear in its state with diagonal factors: all products are lifted and the loop is elementwise only"
        }
        (Linearity::Full, _) => "linear in its state, whose components it mixes",
    }
}
