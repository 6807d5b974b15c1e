//! A model with its data: what `train`, `eval` and `generate` begin with.

use super::compile::Compiler;
use super::loader::folder_of;
use super::select::{Settings, model_name};
use super::session::{Failure, Session};
use super::{errors, files};
use crate::diag::{Diagnostic, Fallible};
use crate::eqn::build::{self, Arranged, ForeignNames, Model, Options, Program};
use crate::eqn::{Graph, Ty, print};
use crate::limits::Limits;
use crate::resolve::Library;
use crate::runtime::Executable;
use crate::shape::Dim;
use crate::simplify::multiply_tables;
use crate::source::{FileId, Span};
use crate::syntax::ast::{Expr, ExprKind};
use crate::train::data::source::{self, Call, Constant};
use crate::train::data::split::{Part, Parts};
use crate::train::data::{self, Dataset};
use crate::train::model::{self, Made};
use crate::train::{errors as train_errors, fit};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A model of a file, not yet tied to data.
pub struct Opened {
    pub name: String,
    pub library: Library,
    pub settings: Settings,
    /// As built with what `--set` gives; `_` parameters are open.
    pub model: Model,
    folder: PathBuf,
    limits: Limits,
}

/// Data read for a model.
pub struct Loaded {
    pub data: Dataset,
    pub shares: Option<Vec<f64>>,
    /// Of everything that was read and how.
    pub hash: String,
}

impl Loaded {
    /// How much there is, and of what.
    pub fn in_words(&self, parts: &Parts) -> String {
        let kind = if self.data.is_stream() { "positions" } else { "examples" };
        let size = |part: &Part| match part {
            Part::Stream { positions, .. } => positions.len(),
            Part::Examples(examples) => examples.len(),
        };
        let of = [("training", &parts.train), ("validation", &parts.valid), ("test", &parts.test)];
        let parts = of.iter().filter(|(_, part)| !part.is_empty());
        let parts: Vec<String> = parts.map(|(name, part)| format!("{} for {name}", size(part))).collect();
        format!("{} ({kind}: {})", self.data.names.join(", "), parts.join(", "))
    }
}

impl Opened {
    pub fn new(
        session: &mut Session,
        file: &Path,
        name: Option<&str>,
        sets: &[String],
    ) -> Result<Opened, Failure> {
        let library = session.load(&[file])?;
        let settings = Settings::parse(session, sets)?;
        let name = model_name(&library, Some(file), name)?;
        let options = Options { statics: settings.statics.clone(), ..Options::default() };
        let (model, diagnostics) = build::build_model(&library, &name, &options);
        let model = session.accept(model, diagnostics)?;
        Ok(Opened {
            name,
            library,
            settings,
            model,
            folder: folder_of(file).to_path_buf(),
            limits: session.limits,
        })
    }

    /// Reads the data; `replaced` are the paths of `--data`, in the order of the block's own.
    pub fn load(&self, replaced: &[PathBuf]) -> Result<Loaded, Failure> {
        let (mut calls, shares) = source::parse(&self.model.data)?;
        calls.iter_mut().for_each(|call| call.limits = self.limits);
        let mut given: BTreeMap<String, PathBuf> = BTreeMap::new();
        let mut places: Vec<&mut String> = calls.iter_mut().flat_map(paths).collect();
        if replaced.len() > places.len() {
            return Err(errors::too_many_paths(replaced.len(), places.len()).into());
        }
        for (place, path) in places.iter_mut().zip(replaced) {
            **place = path.display().to_string();
            given.insert(place.clone(), path.clone());
        }
        let mut hasher = blake3::Hasher::new();
        let mut open = |path: &str| {
            // Paths of the block count from the file's folder, those of the command line from here.
            let real = given.get(path).cloned().unwrap_or_else(|| self.folder.join(path));
            let bytes = files::read(&real, self.limits.file)?;
            hasher.update(&bytes);
            Ok(bytes)
        };
        let data = data::read(&calls, &fit::declared(&self.model.graph), &mut open)?;
        for call in &calls {
            // Where a file lies does not matter, what is made of it does.
            let how = (
                &call.names,
                &call.reader,
                call.named.iter().filter(|(n, _)| n != "test").collect::<Vec<_>>(),
            );
            hasher.update(format!("{how:?}").as_bytes());
        }
        hasher.update(format!("{shares:?}").as_bytes());
        Ok(Loaded { data, shares, hash: hasher.finalize().to_hex().to_string() })
    }

    /// Ties the data to the model's inputs. A setting that contradicts the data is told as such.
    pub fn fit(&self, data: &Dataset) -> Fallible<fit::Fit> {
        fit::fit(&self.model.graph, data).map_err(|wrong| {
            let contradictions = self.contradictions(data);
            if contradictions.is_empty() { wrong } else { contradictions }
        })
    }

    /// Settings without which the data fit, and what the data have instead.
    fn contradictions(&self, data: &Dataset) -> Vec<Diagnostic> {
        let all: Vec<&String> = self.settings.statics.keys().collect();
        let without = std::iter::once(all.clone()).chain(all.into_iter().map(|name| vec![name]));
        for names in without {
            let mut statics = self.settings.statics.clone();
            statics.retain(|name, _| !names.contains(&name));
            let options = Options { statics, ..Options::default() };
            let (Some(model), _) = build::build_model(&self.library, &self.name, &options) else { continue };
            let Ok(found) = fit::fit(&model.graph, data) else { continue };
            let told = names.into_iter().filter_map(|name| self.contradiction(name, &model.graph, &found));
            return told.collect();
        }
        Vec::new()
    }

    fn contradiction(&self, name: &str, open: &Graph, found: &fit::Fit) -> Option<Diagnostic> {
        let expr = self.settings.statics.get(name)?;
        let (value, given) = (Constant::of(expr)?.number()?, *found.dims.get(name)?);
        let is = |dim: &Dim| dim.as_sym().is_some_and(|n| **n == *name);
        let by_shape = open.sources.iter().find(|s| s.shape.iter().any(is));
        let by_symbols = open.sources.iter().find(|s| matches!(&s.ty, Ty::Id(k) if is(k)));
        // A table may have more rows than there are symbols.
        let fits = value == given as f64 || (by_shape.is_none() && value > given as f64);
        let input = by_symbols.or(by_shape).map(|s| (&*s.name, s.span));
        (!fits).then(|| train_errors::setting_contradicts_data(name, expr.span, value, input, given))
    }

    /// The model with numbers for what was open; `dims` are values found from data or a checkpoint.
    pub fn close(&self, session: &mut Session, dims: &BTreeMap<String, f64>) -> Result<Closed<'_>, Failure> {
        let mut statics = self.settings.statics.clone();
        let mut values = BTreeMap::new();
        let mut wrong = Vec::new();
        for (name, value) in &self.model.statics {
            match value.or_else(|| dims.get(&**name).copied()) {
                Some(v) => {
                    values.insert(name.to_string(), v);
                    if value.is_none() {
                        statics.insert(name.to_string(), number(v));
                    }
                }
                None => wrong.push(train_errors::open_static(name)),
            }
        }
        if !wrong.is_empty() {
            return Err(wrong.into());
        }
        let mut closed =
            Closed { opened: self, statics, values, bindings: BTreeMap::new(), hash: String::new() };
        closed.bindings = dims.iter().map(|(n, v)| (n.as_str().into(), *v as i64)).collect();
        let graph = closed.graph(session, Options::default())?;
        closed.hash = blake3::hash(print::print(&graph).as_bytes()).to_hex().to_string();
        Ok(closed)
    }
}

/// The file paths among a call's arguments.
fn paths(call: &mut Call) -> Vec<&mut String> {
    if call.reader == "task" {
        return Vec::new();
    }
    let first = call.positional.first_mut();
    let test = call.named.iter_mut().filter(|(n, _)| n == "test").map(|(_, c)| c);
    let all = first.into_iter().chain(test);
    all.filter_map(|c| if let Constant::Text(path) = c { Some(path) } else { None }).collect()
}

/// A model without open dimensions.
pub struct Closed<'a> {
    opened: &'a Opened,
    statics: BTreeMap<String, Expr>,
    pub values: BTreeMap<String, f64>,
    bindings: crate::shape::Bindings,
    /// Of the equations.
    pub hash: String,
}

impl Closed<'_> {
    pub fn graph(&self, session: &mut Session, options: Options) -> Result<Graph, Failure> {
        let options = Options { statics: self.statics.clone(), ..options };
        let (model, diagnostics) = build::build_model(&self.opened.library, &self.opened.name, &options);
        // Warnings were shown when the model was opened.
        let errors: Vec<_> = diagnostics.into_iter().filter(|d| d.is_error()).collect();
        let model = session.accept(model, errors)?;
        let open = model.graph.dims();
        let bindings = self.bindings.iter().filter(|(n, _)| open.contains(n));
        Ok(model.graph.bind(&bindings.map(|(n, v)| (n.clone(), *v)).collect())?)
    }

    /// Its parameters as a foreign file has them.
    pub fn arrange(&self, session: &mut Session, foreign: &ForeignNames) -> Result<Arranged, Failure> {
        let options = Options { statics: self.statics.clone(), ..Options::default() };
        let program = Program::Model(&self.opened.name);
        let (arranged, diagnostics) = build::arrange_all(&self.opened.library, program, foreign, &options);
        let errors: Vec<_> = diagnostics.into_iter().filter(|d| d.is_error()).collect();
        session.accept(arranged, errors)
    }

    /// `counted`: windows overlap, and only their latest positions count. `points`: of all examples of a run together, as far
    /// as that is known beforehand, or 0.
    pub fn training(
        &self,
        session: &mut Session,
        compiler: &Compiler,
        carry: bool,
        counted: bool,
        points: usize,
    ) -> Result<Made, Failure> {
        let options = Options { training: true, carry, counted, ..Options::default() };
        let graph = multiply_tables(&self.graph(session, options)?, points);
        Ok(model::training(&graph, &|g| compiler.compile(g))?)
    }

    /// `points`: as in [`Closed::training`].
    pub fn evaluation(
        &self,
        session: &mut Session,
        compiler: &Compiler,
        carry: bool,
        points: usize,
    ) -> Result<Made, Failure> {
        let graph = self.graph(session, Options { carry, ..Options::default() })?;
        Ok(model::evaluation(&multiply_tables(&graph, points), &|g| compiler.compile(g))?)
    }

    /// For one text at a time, or several side by side.
    pub fn generation(
        &self,
        session: &mut Session,
        compiler: &Compiler,
        output: &str,
        one: bool,
    ) -> Result<Arc<Executable>, Failure> {
        let graph = self.graph(session, Options { carry: true, ..Options::default() })?;
        let compiler = if one { compiler.for_one() } else { *compiler };
        Ok(model::generation(&graph, output, &|g| compiler.compile(g))?)
    }
}

fn number(v: f64) -> Expr {
    Expr { kind: ExprKind::Number(v, v.to_string().into()), span: Span { file: FileId(0), start: 0, end: 0 } }
}
