//! What a trained model makes of data that were held out, for the report of its training.
//!
//! In: the model, its data, the parameters to use. Out: samples, as far as the model's declarations say what they would be: a
//! text, if it generates; sequences beside those that were wanted, if it writes them for others; and for each `out` that is of the
//! kind of an input which only the loss reads, its values beside that input's: classes as a table of which was taken for
//! which, numbers side by side.

use super::compile::Compiler;
use super::open::{Closed, Opened};
use super::rundir::RunDir;
use super::session::{Failure, Session};
use super::trained;
use super::watch::log::{Sample, WrittenRow};
use crate::diag::Fallible;
use crate::eqn::build::Options;
use crate::eqn::{Graph, Level, NodeId, Op, Source, SourceKind, Ty};
use crate::train::checkpoint::Checkpoint;
use crate::train::data::split::Part;
use crate::train::data::{Dataset, Values};
use crate::train::decode::{self, Decoder, Search, Written};
use crate::train::fit::Feed;
use crate::train::generate::{self, Generator, Sampling};
use crate::train::look::{self, Look};
use crate::train::model::Carrying;

/// Symbols of a text that the model writes by itself.
const LENGTH: usize = 400;
const SAMPLING: Sampling = Sampling { temperature: 0.8, seed: 1 };
/// Sequences that are written for given ones at most, and their greatest length.
const ROWS: usize = 8;
const LONGEST: usize = 60;
/// Examples that classes and numbers are counted on, and points of a series.
const EXAMPLES: usize = 500;
const POINTS: usize = 400;
/// More classes make no table.
const CLASSES: usize = 24;

pub struct Subject<'a> {
    pub opened: &'a Opened,
    pub closed: &'a Closed<'a>,
    pub data: &'a Dataset,
    pub feeds: &'a [Feed],
    /// What was held out, or if nothing was, what was trained on.
    pub part: &'a Part,
    pub folder: &'a RunDir,
    pub checkpoint: &'a Checkpoint,
    pub compiler: Compiler,
}

/// All there are; what cannot be made is left out, for a report is no place to fail.
pub fn all(session: &mut Session, subject: &Subject) -> Vec<Sample> {
    let mut samples = Vec::new();
    if let Ok(Some(sample)) = written(session, subject) {
        samples.push(sample);
    }
    samples.extend(compared(session, subject).unwrap_or_default());
    samples
}

fn written(session: &mut Session, s: &Subject) -> Result<Option<Sample>, Failure> {
    let Some((input, output, stop)) = s.opened.model.generate.clone() else { return Ok(None) };
    let vocabulary = s.data.vocabulary();
    let Some(symbols) = vocabulary.get(&*input) else { return Ok(None) };
    let exe = s.closed.generation(session, &s.compiler, &output, true)?;
    let reads = |name: &str| name != &*input && exe.program().inputs.iter().any(|i| *i.name == *name);
    if !s.feeds.iter().any(|f| reads(&f.input)) {
        let mut program = Carrying::new(&exe, true)?;
        trained::give(&mut program.workspace, &s.folder.path, s.checkpoint)?;
        let mut text = String::new();
        Generator::new(program, &input, &output, stop)?.generate(&[], LENGTH, SAMPLING, |symbol| {
            text += &generate::written(symbol, symbols);
            Ok::<(), Failure>(())
        })?;
        let Sampling { temperature, seed } = SAMPLING;
        return Ok(Some(Sample::Text { temperature, seed, text }));
    }
    let Part::Examples(examples) = s.part else { return Ok(None) };
    // From all of them, for data are often sorted.
    let examples: Vec<usize> =
        examples.iter().step_by(examples.len().div_ceil(ROWS).max(1)).copied().collect();
    let examples = &examples;
    let mut decoder = Decoder::new(&exe, s.feeds, Written { input: &input, output: &output, stop })?;
    trained::give(decoder.workspace(), &s.folder.path, s.checkpoint)?;
    let found = decoder.decode(s.data, examples, Search { beam: 1, most: LONGEST })?;
    let rows = examples.iter().zip(found).map(|(example, found)| {
        Ok(WrittenRow {
            given: s
                .feeds
                .iter()
                .filter(|f| reads(&f.input))
                .map(|f| contents(s.data, f, *example))
                .collect::<Vec<_>>()
                .join(" / "),
            wanted: sentence(&decode::wanted(s.data, &input, *example, stop)?, symbols),
            written: sentence(&found, symbols),
        })
    });
    Ok(Some(Sample::Written { rows: rows.collect::<Result<_, Failure>>()? }))
}

/// What an example has for an input, if that is made of symbols.
fn contents(data: &Dataset, feed: &Feed, example: usize) -> String {
    let field = &data.fields[feed.field];
    match &field.values {
        Values::Id { ids, symbols } => sentence(ids.get(field.range(example)).unwrap_or(&[]), symbols),
        Values::Real(_) => "…".to_string(),
    }
}

/// Letters stand close, words apart.
fn sentence(ids: &[u32], symbols: &[String]) -> String {
    let are_letters = symbols.iter().all(|s| s.chars().count() <= 1);
    let shown = ids.iter().filter_map(|id| symbols.get(*id as usize)).filter(|s| !s.is_empty());
    shown.map(String::as_str).collect::<Vec<_>>().join(if are_letters { "" } else { " " })
}

/// Outputs beside the inputs that they are to become.
fn compared(session: &mut Session, s: &Subject) -> Result<Vec<Sample>, Failure> {
    let Part::Examples(examples) = s.part else { return Ok(Vec::new()) };
    let examples = &examples[..examples.len().min(EXAMPLES)];
    let graph = s.closed.graph(session, Options::default())?;
    let mut samples = Vec::new();
    for out in &s.opened.model.outs {
        let Some((node, target)) = graph.find_output(out).and_then(|n| Some((n, target(&graph, n)?))) else {
            continue;
        };
        let Some(feed) = s.feeds.iter().find(|f| *f.input == *target.name) else { continue };
        let mut look = Look::new(&graph, out, &|g| s.compiler.compile(g))?;
        trained::give(look.workspace(), &s.folder.path, s.checkpoint)?;
        let pair = Pair { data: s.data, feeds: s.feeds, feed, title: format!("{out} for {}", target.name) };
        samples.extend(match target.ty {
            Ty::Id(_) => pair.classes(&mut look, examples)?,
            _ => pair.numbers(&mut look, examples, graph.level(node))?,
        });
    }
    Ok(samples)
}

/// The input that an output is to become: the loss reads it, the output does not, and it is as many numbers, or a symbol where the
/// output has a number for each.
fn target(graph: &Graph, out: NodeId) -> Option<&Source> {
    let (needed, read) = (ancestors(graph, graph.find_output("loss")?), ancestors(graph, out));
    let node = graph.node(out);
    graph.node_ids().filter(|id| needed[id.index()] && !read[id.index()]).find_map(|id| {
        let Op::Source(source) = graph.node(id).op else { return None };
        let source = &graph.sources[source.index()];
        let fits = match &source.ty {
            Ty::Id(count) => node.shape.as_slice() == [count.clone()],
            Ty::Real => node.shape == source.shape,
            Ty::Bool => false,
        };
        (source.kind == SourceKind::Input && source.level == node.level && node.ty == Ty::Real && fits)
            .then_some(source)
    })
}

fn ancestors(graph: &Graph, of: NodeId) -> Vec<bool> {
    let mut seen = vec![false; graph.nodes.len()];
    let mut open = vec![of];
    while let Some(id) = open.pop() {
        if std::mem::replace(&mut seen[id.index()], true) {
            continue;
        }
        let op = &graph.node(id).op;
        open.extend(op.operands());
        if let Op::Lag { state, .. } = op {
            open.extend(graph.states[state.index()].values());
        }
    }
    seen
}

struct Pair<'a> {
    data: &'a Dataset,
    feeds: &'a [Feed],
    /// Of the input.
    feed: &'a Feed,
    title: String,
}

impl Pair<'_> {
    /// The class of the greatest number is the one that is taken.
    fn classes(&self, look: &mut Look, examples: &[usize]) -> Fallible<Option<Sample>> {
        let field = &self.data.fields[self.feed.field];
        let Values::Id { ids, symbols } = &field.values else { return Ok(None) };
        let count = symbols.len();
        if !(2..=CLASSES).contains(&count) {
            return Ok(None);
        }
        let mut counts = vec![vec![0; count]; count];
        for example in examples {
            let scores = look.at(self.data, self.feeds, *example)?.values;
            let wanted = ids.get(field.range(*example)).unwrap_or(&[]);
            for (scores, wanted) in scores.chunks(count).zip(wanted) {
                let greatest =
                    (0..scores.len()).max_by(|a, b| scores[*a].total_cmp(&scores[*b]).then(b.cmp(a)));
                if let (Some(row), Some(taken)) = (counts.get_mut(*wanted as usize), greatest) {
                    row[taken] += 1;
                }
            }
        }
        let classes = symbols.iter().map(|s| look::shown(s)).collect();
        Ok(Some(Sample::Confusion { title: self.title.clone(), classes, counts }))
    }

    /// The first component: of all examples, or along the first one if it is a sequence.
    fn numbers(&self, look: &mut Look, examples: &[usize], level: Level) -> Fallible<Option<Sample>> {
        let field = &self.data.fields[self.feed.field];
        let Values::Real(values) = &field.values else { return Ok(None) };
        let width = field.width().max(1);
        let is_sequence = level != Level::Example;
        let examples = if is_sequence { &examples[..examples.len().min(1)] } else { examples };
        let (mut wanted, mut given) = (Vec::new(), Vec::new());
        for example in examples {
            let rows = field.range(*example);
            let own = values.get(rows.start * width..rows.end * width).unwrap_or(&[]);
            let found = look.at(self.data, self.feeds, *example)?.values;
            for (own, found) in own.chunks(width).zip(found.chunks(width)).take(POINTS) {
                wanted.push(f64::from(own[0]));
                given.push(f64::from(found[0]));
            }
        }
        let finite = wanted.iter().chain(&given).all(|x| x.is_finite());
        let component = if width > 1 { ", component 1" } else { "" };
        let along = if is_sequence { "position" } else { "example" };
        Ok((finite && !wanted.is_empty()).then(|| Sample::Numbers {
            title: format!("{}{component}", self.title),
            along: along.to_string(),
            wanted,
            given,
        }))
    }
}
