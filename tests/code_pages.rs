//! Machine code lies in pages that can be read and run, never written; no page can be written and run.
#![cfg(target_os = "linux")]

mod support;

use rnnc::codegen::{How, jit};
use rnnc::eqn::build;
use rnnc::grad;
use rnnc::pipeline::{CompileOptions, program};
use rnnc::runtime::check::check;
use rnnc::runtime::{Executable, Workspace, arrays};
use rnnc::source::Sources;
use std::ops::Range;
use support::recipes::Case;

/// Addresses, and what is allowed there: `r-xp`.
fn pages() -> Vec<(Range<usize>, String)> {
    let maps = std::fs::read_to_string("/proc/self/maps").expect("the pages of this process");
    let line = |line: &str| {
        let mut words = line.split(' ');
        let (from, to) = words.next()?.split_once('-')?;
        let number = |hex| usize::from_str_radix(hex, 16).ok();
        Some((number(from)?..number(to)?, words.next()?.to_owned()))
    };
    maps.lines().map(|l| line(l).expect("a line of addresses")).collect()
}

fn none_is_written_and_run() {
    for (pages, allowed) in pages() {
        assert!(!(allowed.contains('w') && allowed.contains('x')), "{pages:x?} {allowed}");
    }
}

#[test]
fn code_cannot_be_written_while_kernels_are_compiled_kept_and_run() {
    let mut sources = Sources::default();
    let library = support::recipes::library(&mut sources, false);
    let id = sources.add("recipe", "LSTM(5, 19)");
    let recipe = rnnc::syntax::parse_recipe(&sources, id).expect("a recipe");
    let graph = build::build(&library, &recipe, &build::Options::default()).0.expect("a graph");
    let joint = grad::differentiate(&graph, &grad::Options::default()).expect("a gradient");
    let case = Case::new(joint);
    let options = CompileOptions { grad: Some(grad::Options::default()), ..CompileOptions::default() };
    let program = program(&graph, &Default::default(), &options).expect("a program");
    for narrow in [false, true] {
        let how = How { narrow, ..How::default() };
        let limits = check(&program).expect("a sound program");
        let code = jit(&program.kernels, &limits, how).expect("code");
        let pages = pages();
        for entry in &code.functions {
            let first = code.module.get_finalized_function(entry.id).addr();
            for at in [first, first + entry.code_bytes as usize - 1] {
                let (_, allowed) = pages.iter().find(|(pages, _)| pages.contains(&at)).expect("a page");
                assert_eq!(allowed, "r-xp", "narrow: {narrow}");
            }
        }
        none_is_written_and_run();
        let exe = Executable::compiled_as(program.clone(), how).expect("code");
        none_is_written_and_run();
        let mut ws = Workspace::new(&exe).expect("memory");
        let batch = case.batch(&[3, 0, 4], 1);
        ws.resize(3, &batch.lengths).expect("sizes");
        let longest = batch.lengths.iter().map(|(name, all)| (name.clone(), all.iter().max().unwrap() + 1));
        ws.resize_to(3, &longest.collect(), &batch.lengths).expect("sizes");
        arrays::load(&mut ws, &batch).expect("arrays");
        let mut looks = 0;
        ws.run_watched(&mut |_| {
            none_is_written_and_run();
            looks += 1;
        })
        .expect("a run");
        assert!(looks > 3);
    }
}
