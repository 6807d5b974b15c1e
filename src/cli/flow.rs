//! `rnnc flow`: how gradients travel back through the steps of a cell.

use super::files;
use super::plot;
use super::select::Selected;
use super::session::{Failure, Session, say};
use crate::eqn::build::Options;
use crate::flow::{self, Flow};
use crate::shape::Bindings;
use std::fmt::Write;
use std::path::PathBuf;

/// Follow gradients back through the steps of a cell
///
/// A loss looks at the first output of the last step alone. Shown is the norm of its gradient at each state and step, and of
/// the step's Jacobian J_t, over all states together, the spectral norm, the spectral radius, and the norm of the product of
/// those from the last step back to t. A gradient that shrinks by 0.9 a step has vanished after 100; one that
/// grows by 1.1 has exploded (Pascanu, Mikolov, Bengio 2013). Parameters are drawn as declared, inputs with variance 1.
#[derive(clap::Args)]
#[command(
    name = "flow",
    after_help = "Examples:\n  rnnc flow my.rnn --cell 'Mine(16, 32)'\n  rnnc flow my.rnn --cell 'Mine(16, 32)' --steps 200 --picture flow.svg"
)]
pub struct FlowCommand {
    #[command(flatten)]
    selected: Selected,
    /// Steps of the sequence
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    steps: u32,
    /// What parameters and inputs are drawn with
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write a picture of it: an SVG file
    #[arg(long, value_name = "SVG")]
    picture: Option<PathBuf>,
    /// For programs to read
    #[arg(long)]
    json: bool,
}

/// Rows of the table at most; a longer one leaves steps out.
const ROWS: usize = 25;

impl FlowCommand {
    pub fn run(self, session: &mut Session) -> Result<(), Failure> {
        let library = self.selected.library(session)?;
        let built = self.selected.build(session, &library, Options::default())?;
        let graph = built.graph().bind(&Bindings::new())?;
        let flow = flow::flow(&graph, self.steps as usize, self.seed)?;
        if let Some(path) = &self.picture {
            let picture = plot::flow(&graph.name, &flow)?;
            files::replace(path, picture.as_bytes(), |f| f)?;
        }
        match self.json {
            true => say(&format!("{}\n", json(&graph.name, &flow))),
            false => say(&table(&graph.name, &flow)),
        }
    }
}

fn table(title: &str, flow: &Flow) -> String {
    let mut text = format!("{title}, {} steps: gradient of a loss of the last step\n\n", flow.steps);
    let _ = write!(text, "{:>6}", "step");
    for (name, _) in &flow.states {
        let _ = write!(text, " {:>12}", format!("‖dL/d{name}‖"));
    }
    if flow.jacobians.is_ok() {
        let _ = write!(text, " {:>9} {:>9} {:>11}", "‖J‖", "radius", "‖J_T···J‖");
    }
    text.push('\n');
    for t in shown(flow.steps) {
        let _ = write!(text, "{:>6}", t + 1);
        for (_, norms) in &flow.states {
            let _ = write!(text, " {:>12.3e}", norms[t]);
        }
        if let Ok(steps) = &flow.jacobians {
            let s = &steps[t];
            let _ = write!(text, " {:>9.4} {:>9.4} {:>11.3e}", s.norm, s.radius, s.product);
        }
        text.push('\n');
    }
    match &flow.jacobians {
        Ok(steps) if flow.steps > 1 => {
            // The gradient at the first step has gone through all Jacobians but the first.
            let factor = steps[0].product.powf(1.0 / (flow.steps - 1) as f64);
            let _ = writeln!(text, "\nA step multiplies by {factor:.4}, on average over all.");
        }
        Ok(_) => {}
        Err(why) => {
            let _ = writeln!(text, "\nThere is no Jacobian of one step: {why}.");
        }
    }
    text
}

/// All steps, or as many as fit, evenly, with the first and the last.
fn shown(steps: usize) -> Vec<usize> {
    if steps <= ROWS {
        return (0..steps).collect();
    }
    (0..ROWS).map(|i| i * (steps - 1) / (ROWS - 1)).collect()
}

fn json(title: &str, flow: &Flow) -> serde_json::Value {
    let states: serde_json::Map<String, serde_json::Value> =
        flow.states.iter().map(|(name, norms)| (name.clone(), serde_json::json!(norms))).collect();
    let jacobians = match &flow.jacobians {
        Ok(steps) => serde_json::json!(
            steps
                .iter()
                .map(|s| serde_json::json!({ "norm": s.norm, "radius": s.radius, "product": s.product }))
                .collect::<Vec<_>>()
        ),
        Err(why) => serde_json::json!({ "none": why }),
    };
    serde_json::json!({ "cell": title, "steps": flow.steps, "gradients": states, "jacobians": jacobians })
}
