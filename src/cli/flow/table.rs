//! Norms of gradients and Jacobians as lines of text.

use super::maps;
use crate::flow::{Fate, Flow, Step, Still};
use crate::source::Span;
use crate::train::look::outline;
use std::fmt::Write;

/// Rows of a table at most; a longer one leaves some out.
const ROWS: usize = 25;
/// Rows and columns of a map, maps of a state.
const SIDE: usize = 14;
const MAPS: usize = 4;
/// Nodes of a tree.
const NODES: usize = 64;

pub fn table(title: &str, flow: &Flow) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = match (flow.is_chain(), flow.tree()) {
        (true, _) => chain(&mut text, title, flow),
        (_, Some(_)) => tree(&mut text, title, flow),
        _ => grid(&mut text, title, flow),
    };
    if let Err(why) = &flow.jacobians {
        let _ = writeln!(text, "\nThere is no Jacobian of one step: {why}.");
    }
    text
}

pub fn word(fate: Fate) -> &'static str {
    match fate {
        Fate::Vanishes => "vanishes",
        Fate::Explodes => "explodes",
        Fate::Arrives => "arrives",
    }
}

/// What becomes of each gradient in words, with the place of the equation that carries it.
pub fn fates(flow: &Flow, place: &dyn Fn(Span) -> String) -> String {
    let mut text = String::from("\n");
    let mut seen = Vec::new();
    for state in &flow.states {
        let at = state.span.map_or(String::new(), |span| format!(" ({})", place(span)));
        let travel = match state.travel {
            Ok(travel) => travel,
            Err(Still::Begins) => {
                let name = &state.name;
                text += &format!(
                    "The gradient of `{name}`{at} does not travel: its recurrence begins at the point that the loss looks at.\n"
                );
                continue;
            }
            Err(Still::Nowhere) => continue,
        };
        let (name, factor, steps) = (&state.name, travel.factor(), travel.steps);
        let half = (0.5f64.ln() / factor.ln()).abs();
        let fate = travel.fate();
        let _ = match fate {
            _ if travel.to == 0.0 => {
                writeln!(text, "The gradient of `{name}`{at} vanishes: nothing is left after {steps} steps.")
            }
            Fate::Vanishes => writeln!(
                text,
                "The gradient of `{name}`{at} vanishes: a step multiplies by {factor:.4}, half of it is gone every {half:.1} steps; \
                 {:.1e} of it is left after {steps}.",
                travel.to / travel.from
            ),
            Fate::Explodes => writeln!(
                text,
                "The gradient of `{name}`{at} explodes: a step multiplies by {factor:.4}, it doubles every {half:.1} steps; \
                 after {steps} it is {:.1e} times as great.",
                travel.to / travel.from
            ),
            Fate::Arrives => {
                writeln!(text, "The gradient of `{name}`{at} arrives: a step multiplies by {factor:.4}.")
            }
        };
        seen.push(fate);
    }
    if seen.contains(&Fate::Vanishes) {
        text += "Against vanishing help a state that is added to (`c = f ⊙ c[t-1] + …`, with f near 1 at the start) and an orthogonal \
                 or identity start of the recurrent matrix.\n";
    }
    if seen.contains(&Fate::Explodes) {
        text += "Against exploding help `clip` in the `train` block, a smaller start of the recurrent matrix, a bounded \
                 function such as tanh.\n";
    }
    text
}

fn chain(text: &mut String, title: &str, flow: &Flow) -> std::fmt::Result {
    let steps = flow.axes[0].length;
    let line = flow.along_chain();
    writeln!(text, "{title}, {steps} steps: gradient of a loss of the last step\n")?;
    write!(text, "{:>6}", "step")?;
    for state in &flow.states {
        write!(text, " {:>12}", format!("‖dL/d{}‖", state.name))?;
    }
    if line.is_some() {
        write!(text, " {:>9} {:>9} {:>11}", "‖J‖", "radius", "‖J_T···J‖")?;
    }
    text.push('\n');
    for t in shown(steps, ROWS, flow.axes[0].longest) {
        write!(text, "{:>6}", t + 1)?;
        for state in &flow.states {
            write!(text, " {:>12.3e}", state.values[t])?;
        }
        if let Some(line) = &line {
            own(text, &line[t])?;
        }
        text.push('\n');
    }
    if let Some([first, _, ..]) = line.as_deref() {
        // The gradient at the first step has gone through all Jacobians but the first.
        let factor = first.product.powf(1.0 / (steps - 1) as f64);
        writeln!(text, "\nA step multiplies by {factor:.4}, on average over all.")?;
    }
    Ok(())
}

fn own(text: &mut String, step: &Step) -> std::fmt::Result {
    match step.own {
        Some(own) => write!(text, " {:>9.4} {:>9.4}", own.norm, own.radius)?,
        None => write!(text, " {:>9} {:>9}", "", "")?,
    }
    write!(text, " {:>11.3e}", step.product)
}

fn tree(text: &mut String, title: &str, flow: &Flow) -> std::fmt::Result {
    let Some(tree) = flow.tree() else { return Ok(()) };
    writeln!(text, "{title}, a tree of {} nodes: gradient of a loss of its root\n", tree.nodes())?;
    let stems = outline(tree).unwrap_or_default();
    let label = |node: usize| format!("{}{}", stems.get(node).map_or("", String::as_str), node + 1);
    let left = (0..tree.nodes()).map(|n| label(n).chars().count()).max().unwrap_or(0).max(4);
    let line = flow.jacobians.as_ref().ok().and_then(|lines| lines.first());
    write!(text, "{:<left$}", "node")?;
    for state in &flow.states {
        write!(text, " {:>12}", format!("‖dL/d{}‖", state.name))?;
    }
    if line.is_some() {
        write!(text, " {:>9} {:>9} {:>11}", "‖J‖", "radius", "‖J_root···J‖")?;
    }
    text.push('\n');
    // The root stands last.
    let first = tree.nodes().saturating_sub(NODES);
    if first > 0 {
        writeln!(text, "{first} nodes above are only in the picture")?;
    }
    for node in first..tree.nodes() {
        write!(text, "{:<left$}", label(node))?;
        for state in &flow.states {
            write!(text, " {:>12.3e}", state.values[node])?;
        }
        if let Some(step) = line.and_then(|l| l.steps.get(node)) {
            own(text, step)?;
        }
        text.push('\n');
    }
    if line.is_some() {
        writeln!(
            text,
            "\nJ is that of the parent's states for the node's own, the product that of all on the way from the root."
        )?;
    }
    Ok(())
}

fn grid(text: &mut String, title: &str, flow: &Flow) -> std::fmt::Result {
    let lengths: Vec<String> = flow.axes.iter().map(|a| format!("{} = 1..{}", a.name, a.length)).collect();
    writeln!(text, "{title}, {}: gradient of a loss of the last point", lengths.join(", "))?;
    for state in &flow.states {
        let values: Vec<f32> = state.values.iter().map(|v| *v as f32).collect();
        let all = maps(flow, state, &values);
        for map in all.iter().take(MAPS) {
            writeln!(text, "\n‖{}", map.title.replacen(',', "‖,", 1))?;
            let columns = map.columns.labels.len();
            let longest = flow.axes.iter().map(|a| a.longest).max().unwrap_or(1);
            let across = shown(columns, SIDE, longest);
            write!(text, "{:>4}", "")?;
            across.iter().try_for_each(|c| write!(text, " {:>7}", map.columns.labels[*c]))?;
            text.push('\n');
            for r in shown(map.rows.labels.len(), SIDE, longest) {
                write!(text, "{:>4}", map.rows.labels[r])?;
                across.iter().try_for_each(|c| write!(text, " {:>7.1e}", map.values[r * columns + c]))?;
                text.push('\n');
            }
        }
        if all.len() > MAPS {
            writeln!(text, "{} more maps are only in the picture", all.len() - MAPS)?;
        }
    }
    for line in flow.jacobians.iter().flatten() {
        writeln!(text, "\nAlong {}, the others held fixed:", line.along)?;
        writeln!(text, "{:>14} {:>9} {:>9} {:>11}", "point", "‖J‖", "radius", "product")?;
        for k in shown(line.steps.len(), ROWS, 1) {
            let step = &line.steps[k];
            let at: Vec<String> = step.at.iter().map(|p| (p + 1).to_string()).collect();
            write!(text, "{:>14}", at.join(", "))?;
            own(text, step)?;
            text.push('\n');
        }
    }
    Ok(())
}

/// All, or as many as fit, evenly, with the first and the last; as many in a row as the longest step has, of which one at
/// least is met by a gradient.
fn shown(count: usize, most: usize, longest: usize) -> Vec<usize> {
    if count <= most {
        return (0..count).collect();
    }
    let longest = longest.clamp(1, most / 2);
    let (groups, last) = (most / longest, count - longest);
    (0..groups).map(|i| i * last / (groups - 1)).flat_map(|first| first..first + longest).collect()
}
