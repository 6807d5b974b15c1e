//! Which program a command works on: a file, a recipe or model in it, and settings.

use super::session::{Failure, Session};
use super::{errors, help};
use crate::diag::{Diagnostic, Fallible};
use crate::eqn::build::{self, Arranged, ForeignNames, Model, Options, Program};
use crate::eqn::{Graph, print};
use crate::resolve::Library;
use crate::resolve::text::{group_count, pick};
use crate::source::{FileId, Sources};
use crate::syntax;
use crate::syntax::ast::{self, ExprKind, Pattern};
use crate::train::data::source;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// `[FILE] --cell RECIPE [--set k=v]`, as several commands take it.
#[derive(clap::Args)]
pub struct Selected {
    /// A file whose items are added to the standard library's
    pub file: Option<PathBuf>,
    /// The cell, as the language writes one: 'Mine(64, 64)', 'Mine(_, 32, option = word)'
    #[arg(long, value_name = "RECIPE", help_heading = help::PROGRAM)]
    pub cell: Option<String>,
    /// A model of FILE (may be left out if it has only one)
    #[arg(long, value_name = "NAME", conflicts_with = "cell", help_heading = help::PROGRAM)]
    pub model: Option<String>,
    /// A value for a static parameter or a dimension, such as H=512
    #[arg(long = "set", value_name = "NAME=VALUE", help_heading = help::PROGRAM)]
    pub settings: Vec<String>,
}

/// A built cell or model.
pub enum Built {
    Cell(Graph),
    Model(Box<Model>),
}

impl Built {
    pub fn graph(&self) -> &Graph {
        match self {
            Built::Cell(graph) => graph,
            Built::Model(model) => &model.graph,
        }
    }
}

impl Selected {
    pub fn library(&self, session: &mut Session) -> Result<Library, Failure> {
        let files: Vec<PathBuf> = self.file.iter().cloned().collect();
        session.load(&files)
    }

    pub fn build(
        &self,
        session: &mut Session,
        library: &Library,
        options: Options,
    ) -> Result<Built, Failure> {
        self.build_as(session, library, options, self.cell.as_deref())
    }

    /// [`Selected::build`] of this recipe.
    pub fn build_as(
        &self,
        session: &mut Session,
        library: &Library,
        options: Options,
        cell: Option<&str>,
    ) -> Result<Built, Failure> {
        let settings = Settings::parse(session, &self.settings)?;
        settings.no_train()?;
        let options = Options { statics: settings.statics, ..options };
        match cell {
            Some(cell) => {
                let recipe = parsed(session, "--cell", cell, syntax::parse_recipe)?;
                let (graph, diagnostics) = build::build(library, &recipe, &options);
                let graph = session.accept(graph, diagnostics)?;
                match unread(library, &recipe, &options, &graph) {
                    wrong if wrong.is_empty() => Ok(Built::Cell(graph)),
                    wrong => Err(wrong.into()),
                }
            }
            None => {
                let name = model_name(library, self.file.as_deref(), self.model.as_deref())?;
                let (model, diagnostics) = build::build_model(library, &name, &options);
                Ok(Built::Model(Box::new(session.accept(model, diagnostics)?)))
            }
        }
    }
}

/// Settings that a recipe does not read: without them it builds the same.
fn unread(library: &Library, recipe: &ast::Expr, options: &Options, graph: &Graph) -> Vec<Diagnostic> {
    let mut wrong = Vec::new();
    for (name, value) in &options.statics {
        let mut others = options.clone();
        others.statics.remove(name);
        if let (Some(open), _) = build::build(library, recipe, &others)
            && !open.dims().iter().any(|d| **d == **name)
            && print::print(&open) == print::print(graph)
        {
            let dims: Vec<String> = open.dims().iter().map(ToString::to_string).collect();
            wrong.push(errors::setting_unread(&graph.name, name, &dims, value.span));
        }
    }
    wrong
}

impl Selected {
    /// Whether a program is named at all.
    pub fn is_given(&self) -> bool {
        self.file.is_some() || self.cell.is_some() || self.model.is_some()
    }

    /// The program's parameters as a foreign file has them.
    pub fn arrange(
        &self,
        session: &mut Session,
        library: &Library,
        foreign: &ForeignNames,
    ) -> Result<Arranged, Failure> {
        let settings = Settings::parse(session, &self.settings)?;
        settings.no_train()?;
        let options = Options { statics: settings.statics, ..Options::default() };
        let (arranged, diagnostics) = match self.cell.as_deref() {
            Some(cell) => {
                let recipe = parsed(session, "--cell", cell, syntax::parse_recipe)?;
                build::arrange_all(library, Program::Recipe(&recipe), foreign, &options)
            }
            None => {
                let name = model_name(library, self.file.as_deref(), self.model.as_deref())?;
                build::arrange_all(library, Program::Model(&name), foreign, &options)
            }
        };
        session.accept(arranged, diagnostics)
    }

    /// The name a recipe begins with, if it begins with one.
    pub fn callee(&self, session: &mut Session, cell: &str) -> Result<Option<String>, Failure> {
        let recipe = parsed(session, "--cell", cell, syntax::parse_recipe)?;
        let mut head = &recipe;
        while let ast::ExprKind::Call { callee, .. } | ast::ExprKind::Paren(callee) = &head.kind {
            head = callee;
        }
        Ok(source::name_of(head))
    }
}

/// The model that was asked for, or the only one of the files.
pub fn model_name(library: &Library, file: Option<&Path>, name: Option<&str>) -> Result<String, Failure> {
    if let Some(name) = name {
        return Ok(name.to_string());
    }
    let items = library.roots().flat_map(|root| library.items(root.file));
    let named = items.filter_map(|item| match &item.kind {
        ast::ItemKind::Model(model) => Some(model.name.name.to_string()),
        _ => None,
    });
    let models: Vec<String> = named.collect();
    match models.as_slice() {
        [only] => Ok(only.clone()),
        _ => {
            let shown = file.map_or_else(|| "the standard library".to_string(), |f| f.display().to_string());
            Err(errors::which_model(&shown, &models).into())
        }
    }
}

/// `--set` values, parsed: those of the program and those of its `train` block.
#[derive(Default)]
pub struct Settings {
    pub statics: BTreeMap<String, ast::Expr>,
    pub train: BTreeMap<String, ast::Expr>,
}

impl Settings {
    pub fn parse(session: &mut Session, texts: &[String]) -> Result<Settings, Failure> {
        let mut settings = Settings::default();
        for text in texts {
            let Some((name, value)) = text.split_once('=') else {
                return Err(errors::bad_setting(text).into());
            };
            let (name, value) = (name.trim(), value.trim());
            if name.is_empty() || value.is_empty() {
                return Err(errors::bad_setting(text).into());
            }
            let value = parsed(session, &format!("--set {name}"), value, syntax::parse_expr)?;
            let (map, key) = match name.strip_prefix("train.") {
                Some(key) => (&mut settings.train, key),
                None => (&mut settings.statics, name),
            };
            let key = canonical(session, key)?;
            let span = value.span;
            if let Some(before) = map.insert(key, value) {
                return Err(errors::setting_twice(name, before.span, span).into());
            }
        }
        Ok(settings)
    }

    /// For commands that do not train.
    pub fn no_train(&self) -> Result<(), Failure> {
        match self.train.keys().next() {
            Some(key) => Err(errors::setting_not_here(&format!("train.{key}")).into()),
            None => Ok(()),
        }
    }
}

/// Parses a text of the command line; `origin` names it in messages.
fn parsed(
    session: &mut Session,
    origin: &str,
    text: &str,
    parse: fn(&Sources, FileId) -> Fallible<ast::Expr>,
) -> Result<ast::Expr, Failure> {
    let file = session.sources.add(format!("<{origin}>"), text);
    Ok(parse(&session.sources, file)?)
}

/// The names that a text of the command line means: in either spelling, a family in braces, of an instance behind a dot.
pub fn names(session: &mut Session, origin: &str, text: &str) -> Result<Vec<String>, Failure> {
    let e = parsed(session, origin, text.trim(), syntax::parse_expr)?;
    let mut patterns = Vec::new();
    let mut at = &e;
    while let ExprKind::Field { base, field } = &at.kind {
        patterns.push(field);
        at = base;
    }
    let ExprKind::Name(first) = &at.kind else { return Err(errors::no_name(origin, e.span).into()) };
    patterns.push(first);
    // Groups go in step, as in an equation.
    let pieces = patterns.iter().flat_map(|p| p.pieces.iter().cloned()).collect();
    let count = group_count(&Pattern { pieces, written: text.trim().into(), span: e.span })?;
    let member =
        |k: usize| patterns.iter().rev().map(|p| pick(p, k).to_string()).collect::<Vec<_>>().join(".");
    Ok((0..count.unwrap_or(1)).map(member).collect())
}

/// A name in the spelling the compiler uses (`alpha` and `α` are one name).
fn canonical(session: &mut Session, name: &str) -> Result<String, Failure> {
    let e = parsed(session, "--set", name, syntax::parse_expr)?;
    source::name_of(&e).ok_or_else(|| errors::bad_setting(name).into())
}
