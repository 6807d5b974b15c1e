//! `rnnc flow`: how gradients travel back through the points of a cell.

mod table;

use super::files;
use super::help;
use super::limits::TextLimits;
use super::look::Map;
use super::plot::{self, OnTree};
use super::select::Selected;
use super::session::{Failure, Session, say};
use crate::diag::Diagnostic;
use crate::eqn::build::Options;
use crate::flow::{self, Flow, Norms, Step};
use crate::shape::Bindings;
use crate::train::look::Axis;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Follow gradients back through steps, grids and trees
///
/// A loss looks at the first output at one point alone: the last step, the last corner of a grid, the root of a tree. Shown is
/// the norm of its gradient for each state at each point, and of the step's Jacobian J, over all states together, the spectral norm,
/// the spectral radius, and the norm of the product of those from that point back: along a chain, along each axis of a
/// grid, down to each node of a tree. A gradient that shrinks by 0.9 a step has vanished after 100; one that
/// grows by 1.1 has exploded (Pascanu, Mikolov, Bengio 2013): the last lines say which do, with the places of their equations. Parameters are drawn as declared, inputs with variance 1.
#[derive(clap::Args)]
#[command(
    name = "flow",
    after_help = "Examples:\n  rnnc flow mine.rnn --cell 'Mine(8, 16)'\n  rnnc flow mine.rnn --cell 'Mine(8, 16)' --steps 100 --picture flow.svg\n  rnnc flow mine.rnn --cell 'MineBlind(8, 16)' --seed 2 --json"
)]
pub struct FlowCommand {
    #[command(flatten)]
    selected: Selected,
    /// Steps of a sequence (default 50), of each axis of a grid (12); nodes of a tree from its root to a leaf
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    steps: Option<u32>,
    /// What parameters and inputs are drawn with
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write a picture of it: lines over steps, a heat map of a grid, a tree; an SVG file
    #[arg(long, value_name = "SVG", help_heading = help::OUTPUT)]
    picture: Option<PathBuf>,
    /// Print JSON, for programs to read
    #[arg(long, help_heading = help::OUTPUT)]
    json: bool,
    #[command(flatten)]
    limits: TextLimits,
}

impl FlowCommand {
    pub fn run(self, session: &mut Session) -> Result<(), Failure> {
        self.limits.hold(session);
        let library = self.selected.library(session)?;
        let built = self.selected.build(session, &library, Options::default())?;
        let graph = built.graph().bind(&Bindings::new())?;
        let flow = flow::flow(&graph, self.steps.map(|n| n as usize), self.seed)?;
        if let Some(path) = &self.picture {
            let picture = picture(&graph.name, &flow)?;
            files::replace(path, picture.as_bytes(), |f| f)?;
        }
        match self.json {
            true => say(&format!("{}\n", json(&graph.name, &flow))),
            false => {
                let place = |span| crate::diag::place(&session.sources, span);
                say(&(table::table(&graph.name, &flow) + &table::fates(&flow, &place)))
            }
        }
    }
}

/// Lines over the steps of a chain, nodes of a tree, otherwise maps; colours are by orders of magnitude.
fn picture(title: &str, flow: &Flow) -> Result<String, Diagnostic> {
    if flow.is_chain() {
        return plot::flow(title, flow);
    }
    let title = format!("{title}: gradients, log10 of their norms");
    let logs: Vec<Vec<f32>> =
        flow.states.iter().map(|s| s.values.iter().map(|v| v.log10() as f32).collect()).collect();
    if let Some(tree) = flow.tree() {
        let mut panels = Vec::new();
        for (state, values) in flow.states.iter().zip(&logs) {
            let labels = state.values.iter().map(|v| format!("{v:.1e}")).collect();
            panels.push(OnTree { title: format!("dL/d{}", state.name), tree, labels, width: 1, values });
        }
        return plot::trees(&title, &panels);
    }
    let maps: Vec<Map> =
        flow.states.iter().zip(&logs).flat_map(|(state, logs)| maps(flow, state, logs)).collect();
    plot::heat(&title, &maps)
}

/// Rows and columns are the first two axes; one map for each place of the others.
fn maps(flow: &Flow, state: &Norms, values: &[f32]) -> Vec<Map> {
    let axis = |i: usize| match state.axes.get(i).map(|a| &flow.axes[*a]) {
        Some(axis) => (axis.name.clone(), axis.length),
        None => (String::new(), 1),
    };
    // A single axis goes to the right.
    let (rows, columns) =
        if state.axes.len() == 1 { ((String::new(), 1), axis(0)) } else { (axis(0), axis(1)) };
    let named = |(name, length): &(String, usize)| Axis {
        name: name.clone(),
        is_own: false,
        labels: (1..=*length).map(|k| k.to_string()).collect(),
        stems: vec![],
        tree: None,
    };
    let area = rows.1 * columns.1;
    let others: Vec<(String, usize)> = (2..state.axes.len()).map(axis).collect();
    let after: usize = others.iter().map(|(_, n)| n).product();
    let map = |rest: usize| {
        let mut left = rest;
        let mut places = Vec::new();
        for (name, n) in others.iter().rev() {
            places.push(format!(", {name} = {}", left % n + 1));
            left /= n;
        }
        let title = format!(
            "dL/d{}, {} down, {} to the right{}",
            state.name,
            rows.0,
            columns.0,
            places.into_iter().rev().collect::<String>()
        );
        Map {
            title,
            rows: named(&rows),
            columns: named(&columns),
            values: (0..area).map(|k| values.get(k * after + rest).copied().unwrap_or(f32::NAN)).collect(),
        }
    };
    (0..after).map(map).collect()
}

fn json(title: &str, flow: &Flow) -> Value {
    let gradients: serde_json::Map<String, Value> = flow
        .states
        .iter()
        .map(|s| {
            let lengths: Vec<usize> = s.axes.iter().map(|a| flow.axes[*a].length).collect();
            (s.name.clone(), nested(&s.values, &lengths))
        })
        .collect();
    let step = |s: &Step| match s.own {
        Some(own) => json!({ "norm": own.norm, "radius": own.radius, "product": s.product }),
        None => json!({ "norm": null, "radius": null, "product": s.product }),
    };
    let placed = |s: &Step| {
        let mut all = step(s);
        all["at"] = json!(s.at.iter().map(|p| p + 1).collect::<Vec<_>>());
        all
    };
    let jacobians = match (&flow.jacobians, flow.along_chain()) {
        (Err(why), _) => json!({ "none": why }),
        (Ok(_), Some(line)) => json!(line.iter().map(step).collect::<Vec<_>>()),
        (Ok(lines), None) => lines
            .iter()
            .map(|line| (line.along.clone(), json!(line.steps.iter().map(placed).collect::<Vec<_>>())))
            .collect::<serde_json::Map<_, _>>()
            .into(),
    };
    let axes: Vec<Value> = flow.axes.iter().map(|a| json!({ "name": a.name, "length": a.length })).collect();
    let fate = |s: &Norms| {
        let told = s
            .travel
            .ok()
            .map(|t| json!({ "factor": t.factor(), "fate": table::word(t.fate()), "steps": t.steps }));
        (s.name.clone(), told.unwrap_or(Value::Null))
    };
    let fates: serde_json::Map<String, Value> = flow.states.iter().map(fate).collect();
    let mut all = json!({
        "cell": title, "axes": axes, "gradients": gradients, "jacobians": jacobians, "fates": fates,
    });
    if flow.is_chain() {
        all["steps"] = json!(flow.axes[0].length);
    }
    if let Some(tree) = flow.tree() {
        all["children"] = json!((0..tree.nodes()).map(|n| tree.children(n)).collect::<Vec<_>>());
    }
    all
}

fn nested(values: &[f64], lengths: &[usize]) -> Value {
    match lengths {
        [] | [_] => json!(values),
        [first, rest @ ..] => {
            let size = (values.len() / (*first).max(1)).max(1);
            json!(values.chunks(size).map(|part| nested(part, rest)).collect::<Vec<_>>())
        }
    }
}
