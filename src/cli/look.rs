//! `rnnc look`: one value of a trained model on one example, such as where its attention goes.

use super::compile::{Compiler, Instructions};
use super::files;
use super::help;
use super::limits::FileLimits;
use super::part::Chosen;
use super::plot::{self, OnTree};
use super::session::{Failure, Session, say};
use super::trained::Trained;
use crate::diag::Diagnostic;
use crate::eqn::build::Options;
use crate::train::data::split::Part;
use crate::train::data::{Dataset, Values};
use crate::train::look::{self, Axis, Look, Seen};
use crate::train::{errors, fit};
use std::fmt::Write;
use std::path::PathBuf;

/// Draw a value of a trained model on one example
///
/// A value over pairs of positions, such as the attention of a decoder, is drawn as a heat map with what stands at the
/// positions; a vector at each position likewise, with its components; of more axes one map for each place of the others.
/// Nodes of a tree are drawn as its outline, children above their parent; in a picture as the tree itself, with the components of
/// each node's value.
/// VALUE is an output or any name of the equations, with the instances it lies in (`dec.α`), or the end of such a
/// name.
#[derive(clap::Args)]
#[command(
    name = "look",
    after_help = "Examples:\n  rnnc look mine.rnn z\n  rnnc look mine.rnn h.h --example 3 --picture h.svg\n  rnnc look mine.rnn z --split valid --json"
)]
pub struct LookCommand {
    #[command(flatten)]
    trained: Trained,
    /// Which value
    #[arg(value_name = "VALUE")]
    value: String,
    #[command(flatten)]
    chosen: Chosen,
    /// Which example of that part, from 1
    #[arg(long, value_name = "N", default_value_t = 1)]
    example: usize,
    /// Write a picture of it: an SVG file
    #[arg(long, value_name = "SVG", help_heading = help::OUTPUT)]
    picture: Option<PathBuf>,
    /// Print JSON, for programs to read
    #[arg(long, help_heading = help::OUTPUT)]
    json: bool,
    #[command(flatten)]
    instructions: Instructions,
    #[command(flatten)]
    limits: FileLimits,
}

/// A sequence that is no example of many may be this long.
const MOST_STEPS: usize = 2000;
/// Widest line of a map that is drawn in letters.
const MOST_WIDTH: usize = 110;
/// Maps that are drawn in letters, and rows of each.
const MOST_MAPS: usize = 4;
const MOST_ROWS: usize = 60;
/// From the least value to the greatest.
const SHADES: [char; 5] = [' ', '░', '▒', '▓', '█'];

impl LookCommand {
    pub fn run(self, session: &mut Session) -> Result<(), Failure> {
        self.limits.hold(session);
        let compiler = Compiler::new(session, self.instructions)?;
        let found = self.trained.open(session)?;
        let (opened, checkpoint) = (&found.opened, &found.checkpoint);
        let about = &checkpoint.record.about;
        let closed = found.close(session)?;
        let mut loaded = opened.load(&self.chosen.data)?;
        loaded.data.speak(&about.vocabulary)?;
        let data = &loaded.data;
        let example = example(&self.chosen.part(data, loaded.shares.as_deref())?, self.example)?;
        let graph = closed.graph(session, Options::default())?;
        let fit = fit::fit(&graph, data)?;
        let mut look = Look::new(&graph, &self.value, &|g| compiler.compile(g))?;
        found.give(look.workspace())?;
        let seen = look.at(data, &fit.feeds, example)?;
        let title = format!("{}, example {}", seen.name, self.example);
        if let Some(path) = &self.picture {
            let picture = match on_tree(&seen) {
                Some(panel) => plot::trees(&title, &[panel])?,
                None => plot::heat(&title, &maps(&seen))?,
            };
            files::replace(path, picture.as_bytes(), |f| f)?;
        }
        match self.json {
            true => say(&format!("{}\n", json(&seen))),
            false => say(&format!("{title}\n{}\n{}", contents(data, example), table(&maps(&seen)))),
        }
    }
}

/// The number of an example among all.
fn example(part: &Part, number: usize) -> Result<usize, Diagnostic> {
    match part {
        Part::Examples(all) => {
            let found = number.checked_sub(1).and_then(|i| all.get(i)).copied();
            found.ok_or_else(|| errors::no_such_example(number, all.len()))
        }
        Part::Stream { example, positions } if positions.start == 0 && positions.end <= MOST_STEPS => {
            Ok(*example)
        }
        Part::Stream { .. } => Err(errors::examples_wanted()),
    }
}

/// What the example says in symbols.
fn contents(data: &Dataset, example: usize) -> String {
    let mut text = String::new();
    for (name, field) in data.names.iter().zip(&data.fields) {
        let Values::Id { ids, symbols } = &field.values else { continue };
        let row = ids.get(field.range(example)).unwrap_or(&[]);
        let shown = row.iter().map(|id| look::shown(symbols.get(*id as usize).map_or("", String::as_str)));
        let _ = writeln!(text, "{name}: {}", shown.collect::<Vec<_>>().join(" "));
    }
    text
}

/// The nodes of a tree with their values, if its only axis of a domain is one.
fn on_tree(seen: &Seen) -> Option<OnTree<'_>> {
    let (axis, own) = seen.axes.split_first()?;
    let tree = axis.tree.as_ref().filter(|t| t.nodes() == axis.labels.len())?;
    let width = own.iter().map(|a| a.labels.len()).product();
    let panel =
        OnTree { title: String::new(), tree, labels: axis.labels.clone(), width, values: &seen.values };
    own.iter().all(|a| a.is_own).then_some(panel)
}

/// Numbers in rows and columns.
pub struct Map {
    /// Where it stands on the other axes.
    pub title: String,
    pub rows: Axis,
    pub columns: Axis,
    pub values: Vec<f32>,
}

/// The maps of a value. Its rows and columns are its first two axes, if both are of a domain; otherwise, with one
/// axis of a domain, the last two. One axis makes one row, none a single number.
fn maps(seen: &Seen) -> Vec<Map> {
    let one = || Axis {
        name: String::new(),
        is_own: false,
        labels: vec![String::new()],
        stems: vec![],
        tree: None,
    };
    let drawn = |axis: &Axis| Axis { labels: axis.drawn(), ..axis.clone() };
    let mut axes: Vec<Axis> = seen.axes.iter().map(drawn).collect();
    while axes.len() < 2 {
        axes.insert(0, one());
    }
    let of_domain = axes.iter().filter(|a| !a.is_own).count();
    let first = if of_domain >= 2 { 0 } else { axes.len() - 2 };
    let size = |axes: &[Axis]| axes.iter().map(|a| a.labels.len()).product::<usize>();
    let (before, after) = (size(&axes[..first]), size(&axes[first + 2..]));
    let (rows, columns) = (&axes[first], &axes[first + 1]);
    let area = rows.labels.len() * columns.labels.len();
    let others: Vec<&Axis> = axes[..first].iter().chain(&axes[first + 2..]).collect();
    let mut maps = Vec::new();
    for i in 0..before {
        for j in 0..after {
            let place = |k: usize| seen.values.get((i * area + k) * after + j).copied().unwrap_or(f32::NAN);
            maps.push(Map {
                title: place_of(&others, i * after + j),
                rows: rows.clone(),
                columns: columns.clone(),
                values: (0..area).map(place).collect(),
            });
        }
    }
    maps
}

/// `component 3`, `t 2, component 1`: place `index` in the row-major order of some axes.
fn place_of(axes: &[&Axis], mut index: usize) -> String {
    let mut parts = Vec::new();
    for axis in axes.iter().rev() {
        let count = axis.labels.len().max(1);
        let label = axis.labels.get(index % count).map_or("", String::as_str);
        parts.push(format!("{} {label}", axis.name));
        index /= count;
    }
    parts.reverse();
    parts.join(", ")
}

/// The least and the greatest value.
pub fn range(maps: &[Map]) -> (f32, f32) {
    range_of(maps.iter().flat_map(|m| &m.values).copied())
}

pub fn range_of(values: impl Iterator<Item = f32>) -> (f32, f32) {
    let finite = values.filter(|v| v.is_finite());
    let (lo, hi) = finite.fold((f32::INFINITY, f32::NEG_INFINITY), |(lo, hi), v| (lo.min(v), hi.max(v)));
    if lo <= hi { (lo, hi) } else { (0.0, 1.0) }
}

fn table(maps: &[Map]) -> String {
    let (lo, hi) = range(maps);
    let mut text = String::new();
    for map in maps.iter().take(MOST_MAPS) {
        if !map.title.is_empty() {
            let _ = writeln!(text, "{}", map.title);
        }
        let width = |labels: &[String]| labels.iter().map(|l| l.chars().count()).max().unwrap_or(0);
        let (left, cell) = (width(&map.rows.labels), width(&map.columns.labels).max(2));
        let columns = map.columns.labels.len();
        let fit = columns.min((MOST_WIDTH.saturating_sub(left) / (cell + 1)).max(1));
        let _ = write!(text, "{:left$}", "");
        for label in &map.columns.labels[..fit] {
            let _ = write!(text, " {label:^cell$}");
        }
        text.push('\n');
        for (label, row) in map.rows.labels.iter().zip(map.values.chunks(columns.max(1))).take(MOST_ROWS) {
            let _ = write!(text, "{label:<left$}");
            for v in &row[..fit] {
                let _ = write!(text, " {}", shade(*v, lo, hi).to_string().repeat(cell));
            }
            text.push('\n');
        }
        let more = [(columns - fit, "columns"), (map.rows.labels.len().saturating_sub(MOST_ROWS), "rows")];
        for (count, what) in more.into_iter().filter(|(count, _)| *count > 0) {
            let _ = writeln!(text, "{count} more {what} are only in the picture");
        }
        text.push('\n');
    }
    if maps.len() > MOST_MAPS {
        let _ = writeln!(text, "{} more maps are only in the picture", maps.len() - MOST_MAPS);
    }
    let steps: Vec<String> = SHADES.iter().map(|s| s.to_string().repeat(2)).collect();
    let _ = writeln!(text, "{lo:.3} |{}| {hi:.3}", steps.concat());
    text
}

fn shade(v: f32, lo: f32, hi: f32) -> char {
    if !v.is_finite() {
        return '?';
    }
    let part = if hi > lo { (v - lo) / (hi - lo) } else { 0.0 };
    let last = SHADES.len() - 1;
    SHADES[((part * SHADES.len() as f32) as usize).min(last)]
}

fn json(seen: &Seen) -> serde_json::Value {
    let axes: Vec<serde_json::Value> =
        seen.axes.iter().map(|a| serde_json::json!({ "name": a.name, "labels": a.labels })).collect();
    serde_json::json!({ "value": seen.name, "axes": axes, "values": seen.values })
}
