//! `rnnc show`: any stage of the compiler, as text.

use super::errors;
use super::files;
use super::help;
use super::limits::TextLimits;
use super::plot;
use super::select::Selected;
use super::session::{Failure, Session, say};
use crate::codegen::Target;
use crate::dataflow::{self, dot::dot};
use crate::eqn::build::Options;
use crate::eqn::{Graph, print};
use crate::loops;
use crate::pipeline::{self, CompileOptions};
use crate::resolve::Library;
use crate::runtime::MOST_STEPS;
use crate::schedule::Expected;
use crate::schedule::cost::{self, Machine, Sizes};
use crate::shape::Bindings;
use crate::syntax::print::{Style, print_item};
use crate::{grad, schedule, simplify};
use std::path::{Path, PathBuf};

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Stage {
    /// The text as it was read, in canonical form
    Ast,
    /// The equations as a graph: one value a line
    Eqn,
    /// The same with the derived adjoint beside it
    Grad,
    /// The equations as a LaTeX formula, options decided
    Latex,
    /// What flows where, as Graphviz text: values, what they read, and at which point
    Dot,
    /// Recurrences, why their points come in their order, then products, loops and kernels
    Schedule,
    /// The same with what each kernel does
    Loops,
    /// The kernels as intermediate code
    Clif,
    /// The kernels as machine code
    Asm,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum RunsOn {
    /// Many examples at once
    Batches,
    /// One example, whole sequences: products of steps are parts of kernels
    One,
    /// One example, a step a call
    Steps,
}

/// Print what a stage of the compiler makes of a cell or model
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  rnnc show mine.rnn --stage eqn --cell 'Mine(I, H)'\n  rnnc show mine.rnn --stage latex --cell 'Mine(I, H)'\n  rnnc show mine.rnn --stage dot --cell 'Mine(I, H)' > mine.dot\n  rnnc show mine.rnn --stage loops --grad --cell 'Mine(64, 64)'\n  rnnc show models/digits_grid.rnn --stage schedule --set C=1 --set K=10 --picture fronts.svg\n  rnnc show mine.rnn --stage schedule --grad --cell 'Mine(64, 64)' --steps 100 --batch 32\n  rnnc show mine.rnn --stage asm --target x86_64-avx2 --cell 'Mine(I, H)' --set I=32 --set H=32"
)]
pub struct Show {
    /// The stage, from text to machine code
    #[arg(long, value_enum)]
    stage: Stage,
    #[command(flatten)]
    selected: Selected,
    /// With the adjoint (stages schedule, loops, clif, asm)
    #[arg(long)]
    grad: bool,
    /// The machine to generate code for: host, x86_64, x86_64-avx2, x86_64-avx512, aarch64
    #[arg(long, default_value = "host", help_heading = help::MACHINE)]
    target: String,
    /// What it is going to be run on (stages schedule, loops, clif, asm)
    #[arg(long, value_enum, default_value_t = RunsOn::Batches, value_name = "WHAT", help_heading = help::MACHINE)]
    runs_on: RunsOn,
    /// Write a picture of a schedule too: a piece of each domain with its fronts, what its points read, and what waits
    /// for what; an SVG file
    #[arg(long, value_name = "SVG", help_heading = help::OUTPUT)]
    picture: Option<PathBuf>,
    /// Tell what a schedule is expected to cost for so many steps [default: 100]: flops, bytes and the least time of each stage on a
    /// nominal core, and the memory of a run
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=MOST_STEPS as i64))]
    steps: Option<u32>,
    /// The same, for so many sequences side by side [default: 32]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    batch: Option<u32>,
    #[command(flatten)]
    limits: TextLimits,
}

impl Show {
    pub fn run(self, session: &mut Session) -> Result<(), Failure> {
        self.limits.hold(session);
        let target = match self.target.as_str() {
            "host" => Target::Host,
            name => Target::named(name).ok_or_else(|| errors::unknown_target(name, Target::names()))?,
        };
        if self.picture.is_some() && self.stage != Stage::Schedule {
            return Err(errors::no_picture().into());
        }
        let sizes = (self.steps.is_some() || self.batch.is_some()).then(|| Sizes {
            steps: self.steps.unwrap_or(100) as usize,
            batch: self.batch.unwrap_or(32) as usize,
        });
        if sizes.is_some() && self.stage != Stage::Schedule {
            return Err(errors::no_costs().into());
        }
        let library = self.selected.library(session)?;
        if self.stage == Stage::Ast {
            return self.ast(session, &library);
        }
        let built = self.selected.build(session, &library, Options::default())?;
        // With sizes what is run for them is told.
        let points = sizes.map_or(0, |s| s.steps.saturating_mul(s.batch));
        let graph = &simplify::multiply_tables(built.graph(), points);
        let text = match self.stage {
            Stage::Ast | Stage::Eqn => print::print(&simplify::simplify(graph)),
            Stage::Grad => {
                let joint = grad::differentiate(graph, &grad::Options::default())?;
                print::print(&simplify::simplify(&joint))
            }
            Stage::Latex => grad::latex::forward_latex(built.graph())?,
            Stage::Dot => dot(&dataflow::of(built.graph())),
            Stage::Schedule => {
                let program = self.program(graph)?;
                let joint = if self.grad {
                    Some(grad::differentiate(graph, &grad::Options::default())?)
                } else {
                    None
                };
                let bound = joint.as_ref().unwrap_or(graph).bind(&Bindings::new())?;
                let graph = simplify::simplify(&bound);
                if let Some(path) = &self.picture {
                    picture(&graph, path)?;
                }
                let mut text = schedule::explain(&graph, &program);
                if let Some(sizes) = sizes {
                    text += &cost::table(&program, sizes, &Machine::nominal());
                }
                text
            }
            Stage::Loops => loops::print::print(&self.program(graph)?),
            Stage::Clif => pipeline::clif(&self.program(graph)?, target)?,
            Stage::Asm => pipeline::asm(&self.program(graph)?, target)?,
        };
        say(&text)
    }

    fn program(&self, graph: &Graph) -> Result<loops::Program, Failure> {
        let open = graph.dims();
        if !open.is_empty() {
            let names: Vec<String> = open.iter().map(|n| n.to_string()).collect();
            return Err(errors::open_dimensions("this stage", &names).into());
        }
        let grad = self.grad.then(grad::Options::default);
        let expected = match self.runs_on {
            RunsOn::Batches => Expected::Batches,
            RunsOn::One => Expected::Sizes(Sizes { batch: 1, steps: 100 }),
            RunsOn::Steps => Expected::Steps,
        };
        let options = CompileOptions { grad, expected, ..CompileOptions::default() };
        Ok(pipeline::program(graph, &Bindings::new(), &options)?)
    }

    /// The item that the recipe or model names, or all items of the file.
    fn ast(&self, session: &mut Session, library: &Library) -> Result<(), Failure> {
        let named = match (&self.selected.cell, &self.selected.model) {
            (Some(cell), _) => self.selected.callee(session, cell)?,
            (None, name) => name.clone(),
        };
        let mut text = String::new();
        match named {
            Some(name) => match library.find(&name) {
                Some(item) => text = print_item(item, Style::UNICODE),
                None => return Err(errors::no_item(&name).into()),
            },
            None => {
                let items = library.roots().flat_map(|root| library.items(root.file));
                let items: Vec<String> = items.map(|item| print_item(item, Style::UNICODE)).collect();
                text.push_str(&items.join("\n"));
            }
        }
        say(&format!("{}\n", text.trim_end()))
    }
}

fn picture(graph: &Graph, path: &Path) -> Result<(), Failure> {
    let panels = schedule::panels(graph)?;
    if panels.is_empty() {
        return Err(errors::no_fronts(&graph.name).into());
    }
    let picture = plot::fronts(&format!("{}: fronts", graph.name), &panels)?;
    Ok(files::replace(path, picture.as_bytes(), |f| f)?)
}
