//! Products with rows of tables: the same values whichever way they are computed, the same bits on any number of threads.

use ndarray::{ArrayD, IxDyn};
use rnnc::eqn::eval::{Batch, eval};
use rnnc::eqn::{Graph, Level, Ty, parse, verify};
use rnnc::grad;
use rnnc::limits::Limits;
use rnnc::loops::Stage;
use rnnc::pipeline::{CompileOptions, compile};
use rnnc::runtime::{Team, run_batch_on};
use rnnc::simplify::multiply_tables;
use std::collections::BTreeMap;

/// Rows of a table are multiplied at their own point and one step later.
const ROWS: &str = r#"graph "Rows"
domain n : t
source k : [] id(30) over n = input
source s0 : [40] each = initial s default 0.5
source table : [30, 40] shared = param ~ normal(1.0)
source W : [70, 40] shared = param ~ normal(1.0)
source V : [40, 70] shared = param ~ normal(1.0)
state s : [40] over n = row init s0
k : [] id(30) over n = source(k)
table : [30, 40] shared = source(table)
row : [40] over n = gather(table, k)
before : [40] over n = lag(s, -1)
W : [70, 40] shared = source(W)
V : [40, 70] shared = source(V)
a : [70] over n = matmul(W, before)
b : [70] over n = matmul(row, V)
c : [70] over n = add(a, b)
y : [70] over n = tanh(c)
s0 : [40] each = source(s0)
out y = y
"#;

fn rows() -> Graph {
    parse::parse(ROWS).expect("it parses")
}

fn joint(graph: &Graph) -> Graph {
    grad::differentiate(graph, &grad::Options::default()).expect("a gradient")
}

fn batch(graph: &Graph, lengths: &[usize]) -> Batch {
    let steps = lengths.iter().copied().max().unwrap_or(0);
    let mut batch = Batch { size: lengths.len(), ..Batch::default() };
    batch.lengths.insert("n".into(), lengths.to_vec());
    for source in &graph.sources {
        let mut shape = match source.level {
            Level::Shared => vec![],
            Level::Example => vec![lengths.len()],
            Level::Over(_) => vec![steps, lengths.len()],
        };
        shape.extend(source.shape.iter().map(|d| d.as_constant().expect("a number") as usize));
        let count: usize = shape.iter().product();
        let value = |i: usize| match &source.ty {
            Ty::Id(_) => ((i * 7 + 3) % 30) as f64,
            _ => f64::from(((i as f32 + source.name.len() as f32) * 0.611).sin() * 0.2),
        };
        let array = ArrayD::from_shape_vec(IxDyn(&shape), (0..count).map(value).collect()).expect("a shape");
        batch.arrays.insert(source.name.to_string(), array);
    }
    batch
}

const LENGTHS: [usize; 4] = [7, 3, 5, 1];

#[test]
fn the_values_and_gradients_stay() {
    let graph = rows();
    let other = multiply_tables(&graph, 1000);
    verify::verify(&other).expect("a graph");
    assert_ne!(other, graph);
    let batch = batch(&joint(&graph), &LENGTHS);
    let (one, two) = (eval(&joint(&graph), &batch), eval(&joint(&other), &batch));
    let (one, two) = (one.expect("values"), two.expect("values"));
    assert_eq!(one.keys().collect::<Vec<_>>(), two.keys().collect::<Vec<_>>());
    for (name, values) in &one {
        let far = values.iter().zip(&two[name]).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(far < 1e-12, "{name}: {far}");
    }
}

#[test]
fn compiled_a_row_has_the_same_bits_and_threads_do_not_show() {
    let graph = rows();
    let other = multiply_tables(&graph, 1000);
    let batch = batch(&joint(&graph), &LENGTHS);
    let run = |graph: &Graph, team: &std::sync::Arc<Team>| {
        let exe = compile(&joint(graph), &BTreeMap::new(), &CompileOptions::default()).expect("it compiles");
        let all = || exe.program().prepare.iter().chain(&exe.program().stages);
        let found = (
            all().any(|s| matches!(s, Stage::Tally { .. })),
            all().any(|s| matches!(s, Stage::Outer { rows: Some(_), .. })),
        );
        (run_batch_on(&exe, &batch, Limits::DEFAULT.memory, team).expect("it runs"), found)
    };
    let (by_rows, _) = run(&graph, &Team::alone());
    let (by_table, found) = run(&other, &Team::alone());
    assert_eq!(found, (true, true), "sums by symbol, products of matrices");
    assert_eq!(by_rows["y"], by_table["y"], "the same sums in the same order");
    for (name, values) in &by_rows {
        let far = values.iter().zip(&by_table[name]).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(far < 2e-5, "{name}: {far}");
    }
    for threads in [2, 3, 5] {
        let (found, _) = run(&other, &Team::eager(threads));
        for (name, values) in &by_table {
            let same = values.iter().zip(&found[name]).all(|(a, b)| a.to_bits() == b.to_bits());
            assert!(same, "{name} on {threads} threads");
        }
    }
}

#[test]
fn a_table_is_left_alone_where_its_rows_are_read_seldom() {
    assert_eq!(multiply_tables(&rows(), 239), rows());
    assert_eq!(multiply_tables(&rows(), 0), rows());
}
