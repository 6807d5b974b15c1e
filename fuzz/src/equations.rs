//! A text as an equation graph: what is read is printed and read again the same, and goes through all later stages
//! up to machine code; none panics, each refuses with a diagnostic.

use rnnc::codegen::Target;
use rnnc::eqn::{parse, print};
use rnnc::grad;
use rnnc::limits::Limits;
use rnnc::pipeline::{self, CompileOptions};
use rnnc::shape::Bindings;

/// Graphs of more nodes are only read and printed.
const MOST: usize = 60;

pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if text.len() > Limits::DEFAULT.source {
        return;
    }
    let Ok(graph) = parse::parse(text) else { return };
    let once = print::print(&graph);
    let again = parse::parse(&once).unwrap_or_else(|e| panic!("what is printed is not read:\n{once}\n{e:?}"));
    assert_eq!(print::print(&again), once, "what is printed is read otherwise");
    if graph.nodes.len() > MOST {
        return;
    }
    let bindings: Bindings = graph.dims().into_iter().zip([3, 2, 4, 1, 5].into_iter().cycle()).collect();
    for grad in [None, Some(grad::Options::default())] {
        let options = CompileOptions { grad, ..CompileOptions::default() };
        if let Ok(program) = pipeline::program(&graph, &bindings, &options) {
            rnnc::loops::verify::verify(&program).unwrap_or_else(|e| panic!("{e}"));
            let small = program.kernels.iter().all(|k| k.args.len() < 40);
            if small {
                let _ = pipeline::clif(&program, Target::Host);
            }
        }
    }
}
