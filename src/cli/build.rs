//! `rnnc build`: an object file with a C interface.

use super::errors;
use super::foreign::Foreign;
use super::help;
use super::limits::FileLimits;
use super::select::Selected;
use super::session::{Failure, Session, complain};
use crate::diag::Diagnostic;
use crate::eqn::build::Options;
use crate::files;
use crate::object::{self, Interface, Level, Object, Platform, archive, header, hpp, rust};
use crate::pipeline::objects::{Functions, object};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Function {
    /// One step a call, from a state to the next
    Step,
    /// A whole sequence
    Run,
    /// A whole sequence and the gradients of all that goes in
    Grad,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    /// A relocatable object file
    Object,
    /// An archive with the object in it
    Static,
    /// A shared library, linked by this computer's C compiler
    Shared,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Feature {
    /// What every x86-64 has
    Baseline,
    /// AVX2 and FMA
    V3,
    /// AVX-512
    V4,
}

/// Make an object file of a cell, for programs in C, C++ or Rust
///
/// The file needs no other: no C library, no mathematics library, no allocation. Memory is the caller's, of sizes that the
/// header says. Parameters are given by pointer, or are in the file (--weights).
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  rnnc build mine.rnn --cell 'Mine(8, 16)' -o mine.o --header mine.h\n  rnnc build mine.rnn --cell 'Mine(8, 16)' -o a.o --functions step\n  rnnc build mine.rnn --cell 'Mine(8, 16)' -o b.o --target aarch64-linux\n  rnnc build mine.rnn --cell 'Mine(8, 16)' -o c.o --hpp c.hpp --rust c"
)]
pub struct Build {
    #[command(flatten)]
    selected: Selected,
    /// Where to write the object file
    #[arg(long = "out", short = 'o', value_name = "FILE", help_heading = help::OUTPUT)]
    output: PathBuf,
    /// Where to write the C header
    #[arg(long, value_name = "FILE", help_heading = help::OUTPUT)]
    header: Option<PathBuf>,
    /// Where to write a C++ header: the C header and classes around it
    #[arg(long, value_name = "FILE", help_heading = help::OUTPUT)]
    hpp: Option<PathBuf>,
    /// A folder for a Rust crate with a static library in it
    #[arg(long, value_name = "DIR", help_heading = help::OUTPUT)]
    rust: Option<PathBuf>,
    /// What file to write
    #[arg(long, value_enum, default_value_t = Output::Object, value_name = "KIND", help_heading = help::OUTPUT)]
    kind: Output,
    /// What names of functions and structs begin with [default: the name of the output file]
    #[arg(long, value_name = "NAME", help_heading = help::OUTPUT)]
    name: Option<String>,
    /// What the object has [default: run, and step if the cell can]
    #[arg(long, value_enum, value_delimiter = ',', help_heading = help::OUTPUT)]
    functions: Vec<Function>,
    /// Weights that become part of the object, from a file as `rnnc import` reads them
    #[arg(long, value_name = "FILE", help_heading = help::DATA)]
    weights: Option<PathBuf>,
    #[command(flatten)]
    foreign: Foreign,
    /// The machine: host, x86_64-linux, x86_64-macos, x86_64-windows, aarch64-linux, aarch64-macos, riscv64-linux
    #[arg(long, default_value = "host", help_heading = help::MACHINE)]
    target: String,
    /// Levels of x86-64 to make code for; of several the best that the machine has is chosen when it runs, the first must be
    /// there [default: baseline]
    #[arg(long, value_enum, value_delimiter = ',', help_heading = help::MACHINE)]
    features: Vec<Feature>,
    #[command(flatten)]
    limits: FileLimits,
}

impl Build {
    pub fn run(self, session: &mut Session) -> Result<(), Failure> {
        self.limits.hold(session);
        let platform = Platform::named(&self.target)?;
        let name = self.name()?;
        let library = self.selected.library(session)?;
        let built = self.selected.build(session, &library, Options::default())?;
        let graph = built.graph();
        let open = graph.dims();
        if !open.is_empty() {
            let names: Vec<String> = open.iter().map(|n| n.to_string()).collect();
            return Err(errors::open_dimensions("an object file", &names).into());
        }
        let weights = match &self.weights {
            Some(path) => {
                let arrays = self.foreign.params(session, &library, &self.selected, path)?;
                let values = arrays.iter().map(|(name, array)| (name.clone(), array.to_f32()));
                Some(values.collect::<BTreeMap<_, _>>())
            }
            None => None,
        };
        let levels: Vec<Level> = self.features.iter().map(level).collect();
        let (weights, limits) = (weights.as_ref(), session.limits);
        let options = object::Options { name: &name, platform, levels: &levels, weights, limits };
        let made = match self.functions() {
            Some(functions) => object(graph, functions, &options)?,
            None => match object(graph, Functions { step: true, run: true, grad: false }, &options) {
                Ok(made) => made,
                Err(why) if why.iter().all(|d| d.code == NO_STREAM) => {
                    let reasons: Vec<&str> = why.iter().map(|d| d.message.as_str()).collect();
                    complain(&format!("note: without `step`: {}\n", reasons.join("; ")));
                    object(graph, Functions { run: true, ..Functions::default() }, &options)?
                }
                Err(why) => return Err(why.into()),
            },
        };
        match self.kind {
            Output::Object => files::replace(&self.output, &made.bytes, |f| f)?,
            Output::Static => files::replace(&self.output, &archive(&made, platform)?, |f| f)?,
            Output::Shared => shared(&made, platform, &self.output)?,
        }
        for (path, text) in [(&self.header, header::c as fn(&Interface) -> String), (&self.hpp, hpp::cpp)] {
            if let Some(path) = path {
                files::replace(path, text(&made.interface).as_bytes(), |f| f)?;
            }
        }
        match &self.rust {
            Some(folder) => package(&made, platform, folder),
            None => Ok(()),
        }
    }

    fn functions(&self) -> Option<Functions> {
        let has = |f: Function| self.functions.contains(&f);
        (!self.functions.is_empty()).then(|| Functions {
            step: has(Function::Step),
            run: has(Function::Run),
            grad: has(Function::Grad),
        })
    }

    /// What names begin with.
    fn name(&self) -> Result<String, Diagnostic> {
        let stem = self.output.file_stem().and_then(|s| s.to_str()).unwrap_or("");
        let stem = if self.kind == Output::Object { stem } else { stem.strip_prefix("lib").unwrap_or(stem) };
        let name = self.name.as_deref().unwrap_or(stem);
        if object::is_name(name) { Ok(name.to_string()) } else { Err(object::errors::bad_name(name)) }
    }
}

fn level(feature: &Feature) -> Level {
    match feature {
        Feature::Baseline => Level::Baseline,
        Feature::V3 => Level::V3,
        Feature::V4 => Level::V4,
    }
}

/// Has the computer's C compiler link a shared library.
fn shared(made: &Object, platform: Platform, path: &Path) -> Result<(), Failure> {
    if !platform.is_host() {
        return Err(object::errors::no_shared(&format!("this computer is no {}", platform.name())).into());
    }
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = files::temporary_folder(parent)?;
    let (from, to) = (folder.path().join("object.o"), folder.path().join("library"));
    files::replace(&from, &made.bytes, |f| f)?;
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let ran = Command::new(&compiler).args(["-shared", "-nostdlib", "-o"]).args([&to, &from]).output();
    let why = match ran {
        Ok(ran) if ran.status.success() => None,
        Ok(ran) => Some(String::from_utf8_lossy(&ran.stderr).trim().to_string()),
        Err(e) => Some(files::reason(&e)),
    };
    if let Some(why) = why {
        let compiler = compiler.to_string_lossy();
        return Err(object::errors::no_shared(&format!("`{compiler}`: {why}")).into());
    }
    let bytes = files::read(&to, u64::MAX)?;
    Ok(files::replace(path, &bytes, |f| f)?)
}

/// Writes a Rust package.
fn package(made: &Object, platform: Platform, folder: &Path) -> Result<(), Failure> {
    files::make_folder(&folder.join("src"))?;
    for (name, text) in rust::files(&made.interface) {
        files::replace(&folder.join(name), text.as_bytes(), |f| f)?;
    }
    let library = folder.join(rust::library(&made.interface));
    Ok(files::replace(&library, &archive(made, platform)?, |f| f)?)
}

/// The code of a cell that cannot run step by step.
const NO_STREAM: &str = "E0744";
