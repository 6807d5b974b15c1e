//! The tests inside `.rnn` files: `test "…" { … }` and `check grad …`.
//!
//! In: a library and one of its files. Out: one [`TestReport`] for each test and check, in the order of
//! the text. [`example`] runs test blocks on the reference interpreter ([`apply`] for cells and
//! functions, [`value`] for what stands around them); [`gradient`] compares derived gradients with
//! central differences at random points ([`draws`]), and [`kernels`] compiled programs with the
//! interpreter, within the error that f32 can make ([`bounded`]).

mod apply;
mod bounded;
mod draws;
mod errors;
mod example;
mod gradient;
mod kernels;
mod value;

use crate::diag::Diagnostic;
use crate::resolve::Library;
use crate::source::{FileId, Span};
use crate::syntax::ast::ItemKind;
use crate::syntax::print::{Style, print_expr};

pub use kernels::Kernels;

/// What became of one test or check.
#[derive(Clone, Debug)]
pub struct TestReport {
    /// The title of a test, or `grad` and the recipe of a check.
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
    /// At least one error.
    Failed(Vec<Diagnostic>),
}

/// What a gradient check that passed has measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Checked {
    /// How many components of the gradient were compared.
    pub components: usize,
    /// The worst relative error of one.
    pub worst: f64,
    pub kernels: Kernels,
}

impl TestReport {
    pub fn passed(&self) -> bool {
        !matches!(self.outcome, Outcome::Failed(_))
    }
}

#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Only tests whose name contains this.
    pub filter: Option<String>,
    /// Kernels are interpreted instead of compiled.
    pub interpret_kernels: bool,
}

/// Runs every test and check of a file; `report` hears of each as soon as it is done.
pub fn run_file_tests(
    library: &Library,
    file: FileId,
    options: &Options,
    report: &mut dyn FnMut(&TestReport),
) -> Vec<TestReport> {
    let mut reports = Vec::new();
    for item in library.items(file) {
        let name = match &item.kind {
            ItemKind::Test(test) => test.title.clone(),
            ItemKind::Check(check) => format!("grad {}", print_expr(&check.recipe, Style::UNICODE)),
            _ => continue,
        };
        if options.filter.as_ref().is_some_and(|f| !name.contains(f.as_str())) {
            continue;
        }
        let result = match &item.kind {
            ItemKind::Test(test) => {
                example::run(library, test).map(|expectations| Outcome::Passed { expectations })
            }
            ItemKind::Check(check) => gradient::run(library, check, &name, options).map(Outcome::Checked),
            _ => continue,
        };
        let outcome = result.unwrap_or_else(Outcome::Failed);
        let done = TestReport { name, span: item.span, outcome };
        report(&done);
        reports.push(done);
    }
    reports
}
