//! Random graphs: the scheduled program does what the reference interpreter does.

mod eqn_support;
mod schedule_support;

use eqn_support::{bindings, random_batch, random_graph};
use rnnc::eqn::eval::{Batch, eval};
use schedule_support::{difference, rounded, run_scheduled};

/// Small changes of the arrays, to find outputs that stand at a jump or near a pole.
fn shaken(batch: &Batch, ids: &[String]) -> Batch {
    let mut batch = batch.clone();
    for (name, a) in &mut batch.arrays {
        if !ids.contains(name) {
            let mut k = 0.0;
            a.mapv_inplace(|x| {
                k += 1.0;
                x + 1e-6 * (1.0 + f64::sin(k))
            });
        }
    }
    batch
}

fn check(seed: u64) -> Result<bool, String> {
    let graph = random_graph(seed);
    let Ok(graph) = graph.bind(&bindings()) else { return Ok(false) };
    let batch = rounded(&random_batch(&graph, seed));
    let Ok(expected) = eval(&graph, &batch) else { return Ok(false) };
    let got = match run_scheduled(&graph, &batch) {
        Err(e) if e.starts_with("refused") => return Ok(false),
        other => other?,
    };
    let integers: Vec<String> =
        graph.sources.iter().filter(|s| s.ty != rnnc::eqn::Ty::Real).map(|s| s.name.to_string()).collect();
    let moved = eval(&graph, &shaken(&batch, &integers))?;
    for (name, e) in &expected {
        let stable = difference(e, &moved[name]) < 1e-3 && e.iter().all(|x| x.abs() < 1e6);
        if stable && difference(e, &got[name]) > 2e-2 {
            return Err(format!("{name}\n got {:?}\n expected {e:?}", got[name]));
        }
    }
    Ok(true)
}

#[test]
fn random_graphs_run_like_the_interpreter() {
    let (mut done, mut failed) = (0, Vec::new());
    for seed in 0..400 {
        match std::panic::catch_unwind(|| check(seed)).unwrap_or_else(|_| Err("panic".into())) {
            Ok(ran) => done += usize::from(ran),
            Err(e) => failed.push((seed, e)),
        }
    }
    let mut text = String::new();
    for (seed, e) in failed.iter().take(2) {
        let graph = random_graph(*seed).bind(&bindings()).unwrap();
        let program = std::panic::catch_unwind(|| {
            rnnc::schedule::schedule(&graph).map(|p| rnnc::loops::print::print(&p))
        });
        let program = program.unwrap_or(Ok("panic".into())).unwrap_or_default();
        text += &format!("seed {seed}: {e}\n{}\n{program}\n", rnnc::eqn::print::print(&graph));
    }
    for (seed, e) in failed.iter().skip(2) {
        text += &format!("seed {seed}: {}\n", e.chars().take(200).collect::<String>().replace('\n', " "));
    }
    assert!(failed.is_empty(), "{text}\n{} failed", failed.len());
    assert!(done > 200, "only {done} graphs could be compared");
}
