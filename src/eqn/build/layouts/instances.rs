//! Layouts for all instances of a program.
//!
//! In: a recipe or a model, the layout that is wanted, and where names differ. Out: for each parameter the lines that determine
//! it, with foreign names in full. An instance that has a layout of the wanted name, its own or its base's, is arranged by it; in any other
//! each parameter has its own name. Inside an instance called `enc` foreign names begin with `enc.`, unless a line with `*`
//! or a [`Mapped`] says otherwise.

use super::{Line, Term, WHOLE, instance_of, with_numbers};
use crate::diag::Diagnostic;
use crate::eqn::build::builder::Builder;
use crate::eqn::build::value::*;
use crate::eqn::build::{Options, errors, last_pass, on_large_stack};
use crate::eqn::{Graph, NodeId, Op, SourceKind};
use crate::resolve::{Library, nearest};
use crate::source::{FileId, Span};
use crate::syntax::ast::{BinaryOp, Expr, ExprKind, Layout};
use std::collections::{BTreeMap, BTreeSet};

/// What a foreign file calls the arrays of a program.
#[derive(Clone, Debug, Default)]
pub struct Foreign {
    /// The layout of all instances that have one of this name.
    pub layout: Option<String>,
    pub mapped: Vec<Mapped>,
}

/// One instance, `PATH=TEMPLATE:LAYOUT`.
#[derive(Clone, Debug, PartialEq)]
pub struct Mapped {
    /// Without a dot at its end; empty is the program itself. It may be that of one parameter too.
    pub path: String,
    /// As it is written: with a `*` for the names of the instance, or what stands before them. `None`: as they are without this.
    pub theirs: Option<String>,
    pub layout: Option<String>,
    /// What stands for words in braces.
    pub numbers: BTreeMap<String, i64>,
}

impl Mapped {
    /// With a `*`: `rnn` is `rnn.*`, nothing is `*`.
    fn template(&self) -> Option<String> {
        let theirs = self.theirs.as_ref()?;
        let joined = theirs.is_empty() || theirs.ends_with(['.', '/']);
        Some(match theirs.contains(WHOLE) {
            true => theirs.clone(),
            false if joined => format!("{theirs}{WHOLE}"),
            false => format!("{theirs}.{WHOLE}"),
        })
    }
}

/// A program with what determines its parameters.
#[derive(Clone, Debug)]
pub struct Arranged {
    pub graph: Graph,
    /// In which the values of the lines are.
    pub values: Graph,
    /// Foreign names are whole.
    pub lines: Vec<Line>,
    /// What all foreign names look like that belong to the program: with a `*`.
    pub template: String,
    /// Names of layouts for instances of it.
    pub layouts: Vec<String>,
}

/// A recipe, or the name of a model.
#[derive(Clone, Copy, Debug)]
pub enum Program<'l> {
    Recipe(&'l Expr),
    Model(&'l str),
}

/// The parameters of a program as a foreign file has them.
pub fn arrange_all(
    library: &Library,
    program: Program<'_>,
    foreign: &Foreign,
    options: &Options,
) -> (Option<Arranged>, Vec<Diagnostic>) {
    on_large_stack(|| {
        let (result, builder) = last_pass(library, options, |b| {
            let graph = match program {
                Program::Recipe(recipe) => b.build_recipe(recipe)?,
                Program::Model(name) => b.build_model(name)?.graph,
            };
            let mut walk = Walk::new(b, foreign, &graph);
            let root = Naming {
                template: WHOLE.to_string(),
                numbers: BTreeMap::new(),
                layout: foreign.layout.clone(),
            };
            walk.instance("", root, false);
            walk.check();
            let layouts = walk.known().into_iter().collect();
            let (lines, template) = (walk.lines, walk.template);
            Some(Arranged { graph, values: b.graph.clone(), lines, template, layouts })
        });
        (result, builder.diagnostics)
    })
}

/// How the names of an instance are made.
#[derive(Clone)]
struct Naming {
    template: String,
    numbers: BTreeMap<String, i64>,
    layout: Option<String>,
}

impl Naming {
    /// Of an instance inside, whose names are these in our template.
    fn inside(&self, names: &str) -> Naming {
        Naming { template: self.template.replacen(WHOLE, names, 1), ..self.clone() }
    }

    fn whole(&self, name: &str) -> String {
        with_numbers(&self.template.replacen(WHOLE, name, 1), &self.numbers)
    }
}

struct Walk<'w, 'l> {
    builder: &'w mut Builder<'l>,
    foreign: &'w Foreign,
    params: BTreeSet<String>,
    /// By the path of their parameters, with its dot.
    frames: BTreeMap<String, Vec<FrameId>>,
    used: BTreeSet<usize>,
    /// Whether the wanted layout has been found anywhere.
    applied: bool,
    lines: Vec<Line>,
    template: String,
}

impl<'w, 'l> Walk<'w, 'l> {
    fn new(builder: &'w mut Builder<'l>, foreign: &'w Foreign, graph: &Graph) -> Walk<'w, 'l> {
        let params = graph.sources.iter().filter(|s| matches!(s.kind, SourceKind::Param(_)));
        let params = params.map(|s| s.name.to_string()).collect();
        let mut frames: BTreeMap<String, Vec<FrameId>> = BTreeMap::new();
        for (k, frame) in builder.frames.iter().enumerate() {
            if !matches!(frame.kind, FrameKind::Root | FrameKind::Fn) {
                frames.entry(frame.param_path.clone()).or_default().push(FrameId(k as u32));
            }
        }
        let template = WHOLE.to_string();
        Walk {
            builder,
            foreign,
            params,
            frames,
            used: BTreeSet::new(),
            applied: false,
            lines: Vec::new(),
            template,
        }
    }

    /// One instance and those inside it. `path` has a dot at its end, or is empty. `asked`: a line of the layout around it
    /// names it, so it must have one too.
    fn instance(&mut self, path: &str, mut naming: Naming, asked: bool) {
        let name = path.trim_end_matches('.');
        let mapped = self.foreign.mapped.iter().position(|m| m.path == name);
        let own = mapped.and_then(|k| self.foreign.mapped.get(k).map(|m| (k, m)));
        if let Some((k, m)) = own {
            self.used.insert(k);
            naming.template = m.template().unwrap_or(naming.template);
            naming.layout = m.layout.clone().or(naming.layout);
            naming.numbers.extend(m.numbers.clone());
        }
        if path.is_empty() {
            self.template.clone_from(&naming.template);
        }
        let layout = naming.layout.clone().and_then(|wanted| self.layout(path, &wanted));
        let must = asked || own.is_some_and(|(_, m)| m.layout.is_some());
        if let (None, true, Some(wanted)) = (&layout, must, &naming.layout) {
            let inside = self.params.iter().any(|p| p.starts_with(path));
            let has_own = self.own_params(path).next().is_some();
            if inside && has_own {
                let d = self.unknown_layout(path, wanted);
                self.builder.report(d);
                return;
            }
        }
        let Some((env, layout)) = layout else {
            for param in self.own_params(path).collect::<Vec<_>>() {
                self.same_name(path, &param, &naming);
            }
            for child in self.children(path) {
                let names = format!("{}.{WHOLE}", &child[path.len()..child.len() - 1]);
                self.instance(&child, naming.inside(&names), false);
            }
            return;
        };
        self.applied = true;
        self.by_layout(path, env, layout, &naming);
    }

    fn by_layout(&mut self, path: &str, env: Env, layout: &'l Layout, naming: &Naming) {
        let (lines, parts) = self.builder.layout_of(env, layout);
        for mut line in lines {
            line.terms.iter_mut().for_each(|term| term.name = naming.whole(&term.name));
            self.lines.push(line);
        }
        let absent: Vec<String> = parts.iter().filter(|p| !self.params.contains(*p)).cloned().collect();
        let open: Vec<String> = self.own_params(path).filter(|p| !parts.contains(p)).collect();
        if !(absent.is_empty() && open.is_empty()) {
            let name = path.trim_end_matches('.');
            let d = errors::layout_does_not_fit(&layout.name.name, name, &open, &absent, layout.name.span);
            self.builder.report(d);
        }
        for child in self.children(path) {
            let step = &child[path.len()..child.len() - 1];
            let spoken = layout.lines.iter().find_map(|line| {
                let (names, ..) = line.terms.first()?;
                let numbers = names.contains(WHOLE).then(|| member(line, step))??;
                Some((names.clone(), numbers))
            });
            let done = |p: &String| !p.starts_with(&child) || parts.contains(p);
            match spoken {
                Some((names, numbers)) => {
                    let mut inside = naming.inside(&names);
                    inside.numbers.extend(numbers);
                    self.instance(&child, inside, true);
                }
                None if self.params.iter().all(done) => {}
                None => self.instance(&child, naming.inside(&format!("{step}.{WHOLE}")), false),
            }
        }
    }

    /// The layout of a name for the item that an instance is of, or for a base of it, and where its lines are read.
    fn layout(&self, path: &str, wanted: &str) -> Option<(Env, &'l Layout)> {
        let frames = self.frames.get(path)?;
        frames.iter().find_map(|id| {
            let text = &self.builder.frame(*id).text;
            text.layers.iter().enumerate().rev().find_map(|(k, layer)| {
                let all = self.builder.library.layouts(&layer.name.name);
                let layout = all.filter(|l| &*l.name.name == wanted).last()?;
                Some((Env::new(*id, k), layout))
            })
        })
    }

    fn unknown_layout(&self, path: &str, wanted: &str) -> Diagnostic {
        let frame = self.frames.get(path).and_then(|all| all.first()).map(|id| self.builder.frame(*id));
        let cell = frame.map_or("?", |f| f.text.layers.last().map_or(&*f.title, |l| &*l.name.name));
        let known: BTreeSet<String> =
            self.builder.library.layouts(cell).map(|l| format!("`{}`", l.name.name)).collect();
        let known: Vec<String> = known.into_iter().collect();
        errors::no_such_layout(wanted, path.trim_end_matches('.'), cell, &known)
    }

    /// Paths of instances inside one, not of those inside these.
    fn children(&self, path: &str) -> Vec<String> {
        let below = self.frames.keys().filter(|p| p.len() > path.len() && p.starts_with(path));
        let mut children: Vec<String> = Vec::new();
        for p in below {
            if !children.iter().any(|c| p.starts_with(c.as_str())) {
                children.push(p.clone());
            }
        }
        children
    }

    /// Parameters of an instance that are not of instances inside it.
    fn own_params(&self, path: &str) -> impl Iterator<Item = String> {
        let children = self.children(path);
        let own = |p: &&String| p.starts_with(path) && !children.iter().any(|c| p.starts_with(c.as_str()));
        self.params.iter().filter(own).cloned().collect::<Vec<_>>().into_iter()
    }

    fn same_name(&mut self, path: &str, param: &str, naming: &Naming) {
        let Some((value, span)) = self.source(param) else { return };
        let mapped = self.foreign.mapped.iter().position(|m| m.path == param);
        self.used.extend(mapped);
        let mapped = mapped.and_then(|k| self.foreign.mapped.get(k)?.theirs.clone());
        let name = mapped.unwrap_or_else(|| naming.whole(&param[path.len()..]));
        let term = Term { name, rows: None, span };
        self.lines.push(Line { terms: vec![term], value, span });
    }

    fn source(&self, param: &str) -> Option<(NodeId, Span)> {
        let graph = &self.builder.graph;
        let node = graph.node_ids().find(|id| match &graph.node(*id).op {
            Op::Source(s) => graph.sources.get(s.index()).is_some_and(|s| &*s.name == param),
            _ => false,
        })?;
        let nowhere = Span { file: FileId(0), start: 0, end: 0 };
        let span = graph.sources.iter().find(|s| &*s.name == param).and_then(|s| s.span);
        Some((node, span.unwrap_or(nowhere)))
    }

    /// Names of layouts for instances that have parameters.
    fn known(&self) -> BTreeSet<String> {
        let with_params =
            self.frames.iter().filter(|(path, _)| self.params.iter().any(|p| p.starts_with(*path)));
        let texts = with_params.flat_map(|(_, all)| all).map(|id| self.builder.frame(*id).text.clone());
        let library = self.builder.library;
        texts
            .flat_map(|text| text.layers.iter().map(|l| l.name.name.clone()).collect::<Vec<_>>())
            .flat_map(|cell| library.layouts(&cell).map(|l| l.name.name.to_string()).collect::<Vec<_>>())
            .collect()
    }

    /// What was asked for and found no use.
    fn check(&mut self) {
        let paths: Vec<String> = self
            .frames
            .keys()
            .map(|p| p.trim_end_matches('.').to_string())
            .filter(|p| !p.is_empty())
            .collect();
        for (k, mapped) in self.foreign.mapped.iter().enumerate() {
            if !self.used.contains(&k) {
                let near = nearest(&mapped.path, paths.iter()).map(String::as_str);
                self.builder.report(errors::no_such_instance(&mapped.path, near, &paths));
            }
        }
        if let (Some(wanted), false) = (&self.foreign.layout, self.applied) {
            let d = self.unknown_layout("", wanted);
            self.builder.report(d);
        }
    }
}

/// If a line speaks of this member (`bw`; `l2` of `l[n+1]`), what stands for words in braces.
fn member(line: &crate::syntax::ast::Foreign, step: &str) -> Option<BTreeMap<String, i64>> {
    let (name, index) = instance_of(line)?;
    let Some(index) = index else { return (*name == *step).then(BTreeMap::new) };
    let number: i64 = step.strip_prefix(&*name)?.parse().ok()?;
    let (hole, more) = hole(index)?;
    let n = number.checked_sub(more).filter(|n| *n == 0 || (*n > 0 && hole.is_some()))?;
    Some(hole.map(|hole| (hole, n)).into_iter().collect())
}

/// `n`, `n + 1`, `n − 1`, `1`: a word in braces, if there is one, and what is added to it.
fn hole(e: &Expr) -> Option<(Option<String>, i64)> {
    match &e.kind {
        ExprKind::Name(name) => Some((Some(crate::resolve::text::plain(name).to_string()), 0)),
        ExprKind::Number(x, _) if x.fract() == 0.0 && x.abs() < 1e9 => Some((None, *x as i64)),
        ExprKind::Paren(inner) => hole(inner),
        ExprKind::Binary { op, left, right, .. } => {
            let ((l, a), (r, b)) = (hole(left)?, hole(right)?);
            match op {
                BinaryOp::Add if l.is_none() || r.is_none() => Some((l.or(r), a + b)),
                BinaryOp::Sub if r.is_none() => Some((l, a - b)),
                _ => None,
            }
        }
        _ => None,
    }
}
