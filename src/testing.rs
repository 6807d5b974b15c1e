//! The tests inside `.rnn` files: `test "…" { … }`, `check grad …`, `check snapshot …` and `check weights …`.
//!
//! In: a library and one of its files. Out: one [`TestReport`] for each test and check, in the order of
//! the text. [`example`] runs test blocks on the reference interpreter ([`apply`] for cells and
//! functions, [`value`] for what stands around them); [`gradient`] compares derived gradients with
//! central differences ([`differences`]) at random points ([`draws`]), and [`kernels`] compiled programs with the
//! interpreter, within the error that f32 can make ([`bounded`]); [`snapshots`] compares what the compiler makes of a cell with
//! what it made before, and [`weights`] a cell under a layout with another library's results. What lies beside a file comes with the
//! [`Options`].

mod apply;
pub mod bounded;
pub mod differences;
mod draws;
mod errors;
mod example;
mod gradient;
mod kernels;
pub mod snapshots;
mod value;
pub mod weights;

use crate::codegen::How;
use crate::diag::{Diagnostic, Fallible};
use crate::resolve::Library;
use crate::source::{FileId, Span};
use crate::syntax::ast::{Check, CheckKind, Item, ItemKind};
use crate::syntax::print::{Style, print_expr};
use crate::weights::Arrays;

pub use kernels::Kernels;
use snapshots::{Shot, Stored, Verdict};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

/// Of a thread: deeply nested equations must not exhaust it.
const STACK: usize = 64 << 20;

/// What became of one test or check.
#[derive(Clone, Debug)]
pub struct TestReport {
    /// The title of a test, or the kind and the recipe of a check.
    pub name: String,
    pub span: Span,
    pub outcome: Outcome,
}

#[derive(Clone, Debug)]
pub enum Outcome {
    /// All that was expected holds; how many expectations there were.
    Passed { expectations: usize },
    /// The gradient agrees.
    Checked(Checked),
    /// The stages of a snapshot, not all of which need be as they were.
    Kept(Vec<Shot>),
    /// The weights of another library give its results.
    Weighed(weights::Compared),
    /// At least one error.
    Failed(Vec<Diagnostic>),
}

/// What a gradient check that passed has measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Checked {
    /// How many components the gradient has, each of which counts.
    pub components: usize,
    /// The worst relative error of a slope.
    pub worst: f64,
    pub kernels: Kernels,
}

impl TestReport {
    pub fn passed(&self) -> bool {
        match &self.outcome {
            Outcome::Failed(_) => false,
            Outcome::Kept(shots) => shots.iter().all(|s| s.verdict == Verdict::Same),
            Outcome::Passed { .. } | Outcome::Checked(_) | Outcome::Weighed(_) => true,
        }
    }
}

#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Only tests whose name contains this.
    pub filter: Option<String>,
    /// Kernels are interpreted instead of compiled.
    pub interpret_kernels: bool,
    /// How they are compiled.
    pub how: How,
    /// What lies beside each file.
    pub beside: BTreeMap<FileId, Beside>,
}

/// Files that the checks of one file read.
#[derive(Clone, Debug, Default)]
pub struct Beside {
    pub snapshots: Stored,
    /// By the path as it is written; or why there are none.
    pub arrays: BTreeMap<String, Result<Arrays, Diagnostic>>,
}

/// The paths of the arrays that the checks of a file read, as they are written.
pub fn arrays_wanted(library: &Library, file: FileId) -> Vec<String> {
    let checks = library.items(file).filter_map(|item| match &item.kind {
        ItemKind::Check(check @ Check { kind: CheckKind::Weights(_), .. }) => weights::file(check),
        _ => None,
    });
    checks.map(str::to_string).collect()
}

/// Runs every test and check of some files, as many at a time as the machine has cores; `report` hears of each in the
/// order of the text, as soon as it and all before it are done. What is found does not depend on how many run at a time.
pub fn run_tests(
    library: &Library,
    files: &[FileId],
    options: &Options,
    report: &mut dyn FnMut(&TestReport),
) -> Vec<TestReport> {
    let mut jobs: Vec<(&Item, String)> = Vec::new();
    for item in files.iter().flat_map(|file| library.items(*file)) {
        let name = match &item.kind {
            ItemKind::Test(test) => test.title.clone(),
            ItemKind::Check(check) => {
                let recipe = print_expr(&check.recipe, Style::UNICODE);
                match &check.kind {
                    CheckKind::Grad => format!("grad {recipe}"),
                    CheckKind::Snapshot(_) => format!("snapshot {recipe}"),
                    CheckKind::Weights(layout) => format!("weights {} for {recipe}", layout.written),
                }
            }
            _ => continue,
        };
        if options.filter.as_ref().is_none_or(|f| name.contains(f.as_str())) {
            jobs.push((item, name));
        }
    }
    let workers = std::thread::available_parallelism().map_or(1, |n| n.get()).min(jobs.len());
    let next = AtomicUsize::new(0);
    let mut done: Vec<Option<TestReport>> = vec![None; jobs.len()];
    let mut said = 0;
    let mut hear = |done: &[Option<TestReport>]| {
        while let Some(Some(first)) = done.get(said) {
            report(first);
            said += 1;
        }
    };
    std::thread::scope(|scope| {
        let (send, receive) = mpsc::channel();
        for _ in 0..workers {
            let (send, next, jobs) = (send.clone(), &next, &jobs);
            let work = move || {
                loop {
                    let k = next.fetch_add(1, Ordering::Relaxed);
                    let Some((item, name)) = jobs.get(k) else { break };
                    if send.send((k, run_test(library, item, name, options))).is_err() {
                        break;
                    }
                }
            };
            // Without a further thread the others do its work.
            let _ = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work);
        }
        drop(send);
        for (k, report) in receive {
            done[k] = Some(report);
            hear(&done);
        }
    });
    // What no thread has taken.
    for (slot, (item, name)) in done.iter_mut().zip(&jobs).filter(|(slot, _)| slot.is_none()) {
        *slot = Some(run_test(library, item, name, options));
    }
    hear(&done);
    done.into_iter().flatten().collect()
}

fn run_check(
    library: &Library,
    check: &Check,
    name: &str,
    span: Span,
    options: &Options,
) -> Fallible<Outcome> {
    let nothing = Beside::default();
    let beside = options.beside.get(&span.file).unwrap_or(&nothing);
    match &check.kind {
        CheckKind::Grad => gradient::run(library, check, name, options).map(Outcome::Checked),
        CheckKind::Snapshot(views) => {
            snapshots::run(library, check, views, &beside.snapshots).map(Outcome::Kept)
        }
        CheckKind::Weights(layout) => {
            let arrays = weights::file(check).and_then(|path| beside.arrays.get(path));
            weights::run(library, check, layout, arrays).map(Outcome::Weighed)
        }
    }
}

fn run_test(library: &Library, item: &Item, name: &str, options: &Options) -> TestReport {
    let result = match &item.kind {
        ItemKind::Test(test) => {
            example::run(library, test).map(|expectations| Outcome::Passed { expectations })
        }
        ItemKind::Check(check) => run_check(library, check, name, item.span, options),
        _ => Err(Vec::new()),
    };
    TestReport { name: name.into(), span: item.span, outcome: result.unwrap_or_else(Outcome::Failed) }
}
