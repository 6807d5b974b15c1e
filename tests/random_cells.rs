//! Random programs: a fixed slice of what `cargo run --release -p soak -- cells` makes without end, and every program
//! that once failed.

use rnnc::runtime::Team;
use rnnc::runtime::gemm::Isa;
use soak::cells::case::Case;
use soak::cells::checks::{CHECKS, check};
use soak::cells::coverage::Coverage;
use soak::cells::generate::generate;
use soak::cells::run::{Options, run};
use std::ops::Range;
use std::time::Duration;

const SEEDS: u64 = 96;

#[test]
fn nothing_disagrees() {
    let options = Options {
        first: 0,
        count: Some(SEEDS),
        time: None,
        workers: 2,
        team: 2,
        // The soak tool makes them small.
        shrink: Duration::ZERO,
    };
    let all = run(&options, &|_| {});
    let failures: Vec<String> = all
        .failures
        .iter()
        .map(|f| format!("{}: {}\n{}", f.failure.check, f.failure.message, f.case.print("")))
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(all.refused_share() < 0.05, "the generator is weak: {:?}", all.refused);
    let is_made = |name: &str| match name {
        "panic" | "sound" => false,
        "wide" => Isa::Avx512.is_available(),
        _ => true,
    };
    for name in CHECKS.iter().filter(|name| is_made(name)) {
        assert!(
            all.done.get(name).is_some_and(|n| *n > SEEDS / 8),
            "{name}: {:?} {:?}",
            all.done,
            all.skipped
        );
    }
}

/// Every construct and every operation occurs, without being compiled.
#[test]
fn the_generator_leaves_nothing_out() {
    let counted = |seeds: Range<u64>| {
        let mut coverage = Coverage::default();
        seeds.for_each(|seed| soak::cells::count(&generate(seed), &mut coverage));
        coverage
    };
    let mut coverage = Coverage::default();
    for first in (0..COVERING).step_by(2 * SOME) {
        let middle = first + SOME as u64;
        let halves = std::thread::scope(|scope| {
            let second = scope.spawn(|| counted(middle..middle + SOME as u64));
            [counted(first..middle), second.join().expect("a thread")]
        });
        halves.iter().for_each(|half| coverage.join(half));
        if coverage.missing().is_empty() {
            return;
        }
    }
    panic!("not in the first {COVERING} programs: {:?}", coverage.missing());
}

const COVERING: u64 = 1000;
/// So many on each of two threads, before it is asked what is missing.
const SOME: usize = 20;

#[test]
fn the_same_seed_gives_the_same_program() {
    for seed in [0, 1, 77] {
        let case = generate(seed);
        assert_eq!(case, generate(seed));
        assert_eq!(Case::parse(&case.print("a comment")), Ok(case));
    }
}

/// Programs that once failed, each with the check that it failed.
#[test]
fn what_was_mended_stays_mended() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/random");
    let mut failures = Vec::new();
    let team = Team::eager(3);
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let case = Case::parse(&std::fs::read_to_string(&path).unwrap()).unwrap();
        // All checks, not only the one that failed.
        let report = check(&Case { check: None, ..case }, &team, None);
        if report.failure.is_some() || report.refused.is_some() {
            failures.push(format!("{}: {:?} {:?}", path.display(), report.refused, report.failure));
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}
