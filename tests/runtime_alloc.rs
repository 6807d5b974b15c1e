//! Once sizes are fixed, a run allocates nothing, even after parameters have changed.

#[path = "support/alloc.rs"]
mod alloc;

use alloc::COUNT;
use rnnc::eqn::build::{Options, build};
use rnnc::pipeline::{CompileOptions, compile};
use rnnc::resolve::load;
use rnnc::runtime::{Team, Workspace};
use rnnc::source::{Loader, Sources};
use rnnc::{grad, syntax};
use std::collections::BTreeMap;

struct NoFiles;

impl Loader for NoFiles {
    fn load(&self, _: &str) -> Result<String, String> {
        Err("no file".into())
    }
}

#[test]
fn repeated_runs_allocate_nothing() {
    let mut sources = Sources::default();
    let (library, _) = load(&mut sources, &NoFiles, &[]);
    let id = sources.add("recipe", "GRU(6, 7)");
    let recipe = syntax::parse_recipe(&sources, id).unwrap();
    let graph = build(&library, &recipe, &Options::default()).0.unwrap();
    for (interpret, threads) in [(false, 1), (true, 1), (false, 2), (false, 3)] {
        let options =
            CompileOptions { grad: Some(grad::Options::default()), interpret, ..CompileOptions::default() };
        let exe = compile(&graph, &BTreeMap::new(), &options).unwrap();
        let mut ws = Workspace::new(&exe).unwrap();
        ws.work_with(&Team::eager(threads)).unwrap();
        ws.resize(3, &BTreeMap::from([("n".into(), vec![4, 2, 0])])).unwrap();
        let missing: Vec<String> = ws.missing().map(|(name, _)| name.to_owned()).collect();
        for name in missing {
            let count = ws.input_shape(&name).unwrap().iter().product();
            ws.set_input(&name, &vec![0.1; count]).unwrap();
        }
        ws.run().unwrap();
        let params: Vec<String> = ws.params().map(str::to_owned).collect();
        let before = COUNT.get();
        for _ in 0..3 {
            ws.run().unwrap();
            ws.param_mut(&params[0]).unwrap()[0] += 0.1;
        }
        assert_eq!(COUNT.get(), before, "interpreted: {interpret}, {threads} threads");
    }
}
