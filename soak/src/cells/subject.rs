//! One program through the stages that all checks share.

use super::case::{Case, asked};
use super::coverage::Coverage;
use rnnc::diag::Diagnostic;
use rnnc::eqn::build::{self, Options};
use rnnc::eqn::eval::Arrays;
use rnnc::eqn::{Graph, verify};
use rnnc::grad::{self, Added};
use rnnc::limits::Limits;
use rnnc::resolve::{self, Base, Library};
use rnnc::shape::Bindings;
use rnnc::simplify::simplify;
use rnnc::source::{FileId, Loader, Sources};
use rnnc::syntax::ast;
use std::sync::LazyLock;

/// Why there is nothing to check.
#[derive(Clone, Debug)]
pub enum Refused {
    /// By a diagnostic: its code and message.
    Said(&'static str, String),
    /// Without one, or what must not be.
    Wrong(String),
}

pub struct Subject {
    pub file: ast::File,
    /// With symbols for what the recipe leaves open.
    pub open: Graph,
    /// The graph with numbers for all dimensions, simplified, and as it was.
    pub forward: Graph,
    pub bound: Graph,
    /// With its adjoint: with symbols, as derived, and simplified.
    pub open_joint: Graph,
    pub derived: Graph,
    pub joint: Graph,
    /// What the gradients are called in the joint graphs.
    pub added: Added,
    pub steps: usize,
    pub batch: usize,
}

struct Text<'t>(&'t str);

impl Loader for Text<'_> {
    fn load(&self, path: &str) -> Result<String, String> {
        if path == "main.rnn" { Ok(self.0.into()) } else { Err("no such file".into()) }
    }
}

pub fn load(text: &str) -> (Sources, Library, Option<FileId>, Vec<Diagnostic>) {
    static STDLIB: LazyLock<Base> = LazyLock::new(Base::new);
    let mut sources = STDLIB.sources().clone();
    let (library, found) =
        resolve::load_over(&STDLIB, &mut sources, &Text(text), &["main.rnn".into()], &Limits::DEFAULT);
    let file = library.roots().map(|f| f.file).next();
    (sources, library, file, found)
}

fn first(found: &[Diagnostic]) -> Refused {
    match found.iter().find(|d| d.is_error()) {
        Some(d) => Refused::Said(d.code, d.message.clone()),
        None => Refused::Wrong("refused without an error".into()),
    }
}

impl Subject {
    /// Gradients among results, under the names that say of what they are.
    pub fn gradients(&self, results: &Arrays) -> Arrays {
        let own = self.added.gradients.iter();
        own.filter_map(|(plain, own)| Some((plain.to_string(), results.get(&**own)?.clone()))).collect()
    }

    pub fn new(case: &Case) -> Result<Subject, Refused> {
        let (sources, library, file, found) = load(&case.text);
        if found.iter().any(Diagnostic::is_error) {
            return Err(first(&found));
        }
        let Some(id) = file else { return Err(Refused::Wrong("no file".into())) };
        let (file, _) = rnnc::syntax::parse(&sources, id);
        let Some(asked) = asked(&file) else { return Err(Refused::Wrong("no `check grad` line".into())) };
        let options = Options { training: case.training, carry: case.carry, ..Options::default() };
        let (graph, found) = build::build(&library, asked.recipe, &options);
        let Some(open) = graph else { return Err(first(&found)) };
        verify::verify(&open).map_err(Refused::Wrong)?;
        // The check of the file finds no mistake where there is none.
        let mistakes = rnnc::pipeline::mistakes(&library, id);
        if mistakes.iter().any(Diagnostic::is_error) {
            return Err(first(&mistakes));
        }
        let bindings: Bindings = open.dims().into_iter().map(|dim| (dim, 3)).collect();
        let (open, options) = match case.twice {
            false => (open, grad::Options::default()),
            true => {
                let adjoint = grad::adjoint(&open, &grad::Options::default());
                let grad::Adjoint { graph, again } = adjoint.map_err(|found| first(&found))?;
                (graph, grad::Options { again: Some(again), ..grad::Options::default() })
            }
        };
        let open_joint = grad::differentiate(&open, &options).map_err(|found| first(&found))?;
        let added = grad::added(&open, &options).map_err(|found| first(&found))?;
        let bound = open.bind(&bindings).map_err(|found| first(&found))?;
        let derived = open_joint.bind(&bindings).map_err(|found| first(&found))?;
        let (steps, batch) = (asked.steps, asked.batch);
        let joint = simplify(&derived);
        for graph in [&open, &open_joint, &derived, &joint] {
            verify::verify(graph).map_err(Refused::Wrong)?;
        }
        let forward = simplify(&bound);
        Ok(Subject { forward, bound, open, open_joint, derived, joint, added, steps, batch, file })
    }

    pub fn count(&self, coverage: &mut Coverage) {
        coverage.file(&self.file);
        for graph in [&self.open, &self.joint] {
            coverage.graph(graph);
        }
    }
}
