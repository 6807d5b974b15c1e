//! What a call of the library costs beyond the kernels: a cell so small that nothing else takes time.
//!
//! `cargo bench --bench calls`; pin it to one core (`taskset -c 1`) on a busy machine. Of every line the median over rounds of the time
//! on a core; rounds take their turns, so that what disturbs one disturbs all.

use ndarray::{ArrayD, IxDyn};
use rnnc::api::{Arrays, Compiled, Library, Options};
use std::time::Instant;

const ROUNDS: usize = 21;
/// In one round: systems tell the time of a thread in milliseconds only.
const CALLS: usize = 4000;

/// What this thread has had of a core, where the system tells; else what passed since `begin`.
fn seconds(begin: Instant) -> f64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanoseconds = told.and_then(|text| text.split_whitespace().next()?.parse::<f64>().ok());
    nanoseconds.map_or_else(|| begin.elapsed().as_secs_f64(), |n| n / 1e9)
}

/// What is timed.
type Call<'a> = Box<dyn FnMut() -> rnnc::api::Result<()> + 'a>;

/// One array for each of a cell's ports, and cotangents.
fn arrays(cell: &Compiled, steps: usize) -> (Arrays<'static>, Arrays<'static>) {
    let (mut given, mut cotangents) = (Arrays::new(), Arrays::new());
    let shape = |port: &rnnc::api::Port| {
        let axes = vec![steps; port.axes.len()];
        [axes, vec![1; usize::from(port.per_example)], port.extents().unwrap_or_default()].concat()
    };
    for port in [cell.inputs(), cell.params(), cell.initial()].concat() {
        given.set(&port.name, ArrayD::from_elem(IxDyn(&shape(&port)), 0.1f32));
    }
    for port in cell.outputs() {
        cotangents.set(format!("{}_adj", port.name), ArrayD::from_elem(IxDyn(&shape(&port)), 0.1f32));
    }
    (given, cotangents)
}

fn main() -> rnnc::api::Result<()> {
    let library = Library::standard()?;
    println!("{:<20} {:>5}  {:<32} {:>9}", "", "steps", "", "µs a call");
    for (recipe, steps) in
        [("LSTM(8, 8)", 1), ("LSTM(8, 8)", 100), ("LSTM(256, 256)", 1), ("Stack(8, LSTM(8, 8))", 1)]
    {
        let cell = library.compile(recipe, &Options::default())?;
        let (given, cotangents) = arrays(&cell, steps);
        let mut saved = cell.forward_saved(&given)?;
        let mut stream = cell.stream(&without_input(&given))?;
        let (input, mut output) = step(&stream);
        let mut cases: Vec<(&str, Call)> = vec![
            (
                "the kernels alone (stream)",
                Box::new(move || (0..steps).try_for_each(|_| stream.step(&input, &mut output))),
            ),
            ("forward", Box::new(|| cell.forward(&given).map(drop))),
            ("forward_saved", Box::new(|| cell.forward_saved(&given).map(drop))),
            ("forward_saved, outputs", Box::new(|| cell.forward_saved(&given)?.outputs().map(drop))),
            ("backward", Box::new(|| saved.backward(&cotangents).map(drop))),
        ];
        let mut times = vec![Vec::new(); cases.len()];
        let begin = Instant::now();
        for _ in 0..ROUNDS {
            for ((_, call), times) in cases.iter_mut().zip(&mut times) {
                let before = seconds(begin);
                for _ in 0..CALLS / steps {
                    call()?;
                }
                times.push((seconds(begin) - before) / (CALLS / steps) as f64 * 1e6);
            }
        }
        for ((what, _), times) in cases.iter().zip(&mut times) {
            times.sort_by(f64::total_cmp);
            println!("{recipe:<20} {steps:>5}  {what:<32} {:>9.2}", times[ROUNDS / 2]);
        }
    }
    Ok(())
}

/// Of a stream: what is given once.
fn without_input(given: &Arrays<'static>) -> Arrays<'static> {
    let mut once = Arrays::new();
    for name in given.names().filter(|name| *name != "x") {
        once.set(name, given.get(name).expect("a name of it").clone());
    }
    once
}

fn step(stream: &rnnc::api::Stream) -> (Vec<f32>, Vec<f32>) {
    let len = |parts: &[rnnc::api::Part]| parts.iter().map(rnnc::api::Part::len).sum();
    (vec![0.1; len(stream.inputs())], vec![0.0; len(stream.outputs())])
}
