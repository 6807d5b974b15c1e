//! The state of one build, and what all its parts need: nodes, numbers, reports.
//!
//! Evaluation is by demand: an output asks for a name, a name for its equation. What nothing asks for
//! is never made. Names that are being evaluated lie on a stack, so a cycle at one point is found with
//! its path; a read at an offset only notes the state, whose equation is evaluated later.

use super::Options;
use super::errors::{self, Reported};
use super::lookup::Lookup;
use super::names::{AppNames, Callee, Ident2, name_apps};
use super::space::Step;
use super::survey::Seen;
use super::trace::is_stdlib;
use super::value::*;
use crate::diag::Diagnostic;
use crate::eqn::typing::TypeError;
use crate::eqn::{Binary, DomainId, Extent, Graph, Level, NodeId, Offset, Op, StateId, Ty};
use crate::limits::Limits;
use crate::resolve::inherit::text_of;
use crate::resolve::text::{Kind, Text};
use crate::resolve::{ItemId, Library, item_statics};
use crate::shape::{Dim, DimError, Shape};
use crate::source::{FileId, Span};
use crate::syntax::ast::{ItemKind, Name};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::rc::Rc;

/// How deep evaluation may nest: names that read names, inside expressions.
pub const MAX_DEPTH: usize = 6_000;
/// Evaluations of an expression again and again, whether or not they leave a node, for each equation there may be.
const REPEATS: u64 = 10;

// Steps of work, in units of what it takes to evaluate an expression (some 0.3 µs).
/// A node of the graph, and each term of its dimensions.
const NODE_WORK: u64 = 3;
/// An equation whose value is asked for, beside its expression.
pub const EQUATION_WORK: usize = 6;
/// A definition of a text, each time the text is read.
const DEFINITION_WORK: u64 = 30;
/// An instance, and each of its static parameters.
pub const FRAME_WORK: usize = 60;
pub const STATIC_WORK: usize = 4;
/// A message: it is looked up, kept and drawn.
const MESSAGE_WORK: u64 = 60;

/// What a name that is being evaluated belongs to.
pub type Place = (FrameId, Name, Vec<i64>, bool);

pub struct Builder<'l> {
    pub library: &'l Library,
    pub options: &'l Options,
    pub graph: Graph,
    pub diagnostics: Vec<Diagnostic>,
    /// What tells them apart, for looking up.
    said: HashSet<Diagnostic>,
    pub frames: Vec<Frame<'l>>,
    pub texts: BTreeMap<ItemId, (Rc<Text<'l>>, Rc<AppNames>)>,
    pub stack: Vec<Place>,
    pub depth: usize,
    pub repeats: u64,
    /// Steps of work so far.
    pub work: u64,
    pub lookup: Lookup,
    /// One entry for each state of the graph.
    pub states: Vec<StateInfo>,
    pub inits: BTreeMap<StateId, Vec<NodeId>>,
    /// States whose equation is still to be evaluated.
    pub pending: Vec<StateId>,
    /// Greatest lag of each state array, as the last pass found it.
    pub lags: BTreeMap<String, u32>,
    /// Sizes of untyped inputs of the outermost item that a cell inside has decided, and whether this
    /// pass found a new one.
    pub decided: BTreeMap<Name, Dim>,
    pub flexible: BTreeSet<Name>,
    pub decides_more: bool,
    /// Something has no value for want of a real cell, so not all of the text is evaluated.
    pub is_partial: bool,
    pub params: BTreeMap<String, NodeId>,
    pub instances: BTreeSet<String>,
    /// For each source, its place in the text: that of its frame, then its own.
    pub source_keys: Vec<Vec<i64>>,
    pub next_along: u32,
    /// Free dimension names of the recipe, and `_`s that stayed open.
    pub symbols: BTreeSet<Name>,
    /// Dimensions that must be numbers before this recipe can be built.
    pub wants_number: BTreeSet<Name>,
    /// Names of the outermost item that something reads.
    pub read: BTreeSet<Name>,
    consts: BTreeMap<u64, NodeId>,
    lag_nodes: BTreeMap<(StateId, Offset), NodeId>,
    positions: BTreeMap<DomainId, NodeId>,
    lengths: BTreeMap<DomainId, NodeId>,
    pub start: Option<NodeId>,
    /// The input of [`super::COUNTED`].
    counted: Option<NodeId>,
    /// States with what they are as their nodes' children see them.
    pub parents: Vec<(StateId, StateId)>,
    /// Axes of lengths that follow from others.
    pub lengths_known: Vec<(Extent, DomainId)>,
    /// The frame whose expression is being evaluated, and the axes that indices run over there.
    pub here: (FrameId, Rc<[DomainId]>),
    /// The outermost instance, once its inputs are there.
    pub outermost: Option<FrameId>,
    /// What expressions of the outermost instance are, if that is asked for.
    pub seen: Option<Seen<'l>>,
}

impl<'l> Builder<'l> {
    pub fn new(
        library: &'l Library,
        options: &'l Options,
        lags: BTreeMap<String, u32>,
        decided: BTreeMap<Name, Dim>,
    ) -> Self {
        Builder {
            library,
            options,
            graph: Graph::default(),
            diagnostics: Vec::new(),
            said: HashSet::new(),
            frames: Vec::new(),
            texts: BTreeMap::new(),
            stack: Vec::new(),
            depth: 0,
            repeats: 0,
            work: 0,
            lookup: Lookup::default(),
            states: Vec::new(),
            inits: BTreeMap::new(),
            pending: Vec::new(),
            lags,
            decided,
            flexible: BTreeSet::new(),
            decides_more: false,
            is_partial: false,
            params: BTreeMap::new(),
            instances: BTreeSet::new(),
            source_keys: Vec::new(),
            next_along: 0,
            symbols: BTreeSet::new(),
            wants_number: BTreeSet::new(),
            read: BTreeSet::new(),
            consts: BTreeMap::new(),
            lag_nodes: BTreeMap::new(),
            positions: BTreeMap::new(),
            lengths: BTreeMap::new(),
            start: None,
            counted: None,
            parents: Vec::new(),
            lengths_known: Vec::new(),
            here: (FrameId(0), Rc::from([])),
            outermost: None,
            seen: None,
        }
    }

    pub fn limits(&self) -> &'l Limits {
        self.library.limits()
    }

    // Reports.

    pub fn report(&mut self, diagnostic: Diagnostic) -> Reported {
        let reported = Reported::new(&diagnostic);
        self.warn(diagnostic);
        reported
    }

    pub fn fail<T>(&mut self, diagnostic: Diagnostic) -> R<T> {
        Err(Stop::Reported(self.report(diagnostic)))
    }

    pub fn warn(&mut self, diagnostic: Diagnostic) {
        self.work = self.work.saturating_add(MESSAGE_WORK);
        let traced = self.traced(diagnostic.clone());
        // A mistake of an author's own text is one, wherever that is applied; what is wrong in the stdlib is each use of it.
        let is_own = diagnostic.labels.first().is_none_or(|l| !is_stdlib(self.library, l.span.file));
        if self.said.insert(if is_own { diagnostic } else { traced.clone() }) {
            self.diagnostics.push(traced);
        }
    }

    // Frames.

    pub fn frame(&self, id: FrameId) -> &Frame<'l> {
        &self.frames[id.0 as usize]
    }

    pub fn frame_mut(&mut self, id: FrameId) -> &mut Frame<'l> {
        &mut self.frames[id.0 as usize]
    }

    /// The text of an item with the names of its applications; its mistakes are reported once.
    pub fn text(&mut self, id: ItemId) -> (Rc<Text<'l>>, Rc<AppNames>) {
        if let Some(known) = self.texts.get(&id) {
            return known.clone();
        }
        let library = self.library;
        let (text, diagnostics) = text_of(library, id);
        for d in diagnostics {
            self.warn(d);
        }
        let callee = |i: &Ident2| -> Callee {
            let local = text
                .layers
                .iter()
                .flat_map(|l| l.statics)
                .any(|s| s.name.name == i.name && matches!(s.kind.as_slice(), [k] if &*k.name == "cell"));
            let part =
                text.get(&i.name).and_then(|e| e.declared.as_ref()).is_some_and(|d| d.kind == Kind::Part);
            if local || part {
                return Callee::Applied;
            }
            match library.lookup(i.expr.span.file, &i.name).map(|id| library.item(id)) {
                Some(item) => match &item.kind {
                    ItemKind::Cell(_) | ItemKind::Layer(_) if item_statics(item).is_empty() => {
                        Callee::Applied
                    }
                    ItemKind::Cell(_) | ItemKind::Layer(_) => Callee::WithStatics,
                    _ => Callee::Other,
                },
                None => Callee::Other,
            }
        };
        let names = name_apps(&text, &callee);
        for (name, first, second) in &names.twins {
            self.warn(errors::twins(name, *first, *second));
        }
        self.work = self.work.saturating_add(DEFINITION_WORK.saturating_mul(text.size() as u64));
        let known = (Rc::new(text), Rc::new(names));
        self.texts.insert(id, known.clone());
        known
    }

    /// The item a name means where it stands, if any; a stop if it is one that could not be read.
    pub fn item_named(&self, from: FileId, name: &str) -> R<Option<ItemId>> {
        match self.library.is_unread(from, name) {
            true => Err(Stop::Reported(Reported::earlier())),
            false => Ok(self.library.lookup(from, name)),
        }
    }

    /// Whether a frame is one of what stands for a cell parameter.
    pub fn is_stand_in(&self, frame: FrameId) -> bool {
        self.frame(frame).text.layers.first().is_some_and(|l| self.library.is_stand_in(l.name.span.file))
    }

    /// What a stand-in cannot know: no mistake, and no value either.
    pub fn unknown_value<T>(&mut self) -> R<T> {
        self.is_partial = true;
        Err(Stop::Reported(Reported::earlier()))
    }

    // Nodes.

    pub fn add(&mut self, op: Op, span: Span) -> R<NodeId> {
        self.room(span)?;
        self.domains_for(&op, span)?;
        match self.graph.add(op) {
            Ok(id) => Ok(self.placed(id, span)),
            Err(e) => self.type_error(&e, span),
        }
    }

    pub fn add_as(&mut self, op: Op, shape: Shape, level: Level, span: Span) -> R<NodeId> {
        self.room(span)?;
        self.domains_for(&op, span)?;
        match self.graph.add_as(op, shape, level) {
            Ok(id) => Ok(self.placed(id, span)),
            Err(e) => self.type_error(&e, span),
        }
    }

    fn placed(&mut self, id: NodeId, span: Span) -> NodeId {
        // Dimensions are polynomials.
        let terms: usize = self.graph.shape(id).iter().map(|d| d.terms().count()).sum();
        self.work = self.work.saturating_add(NODE_WORK * (1 + terms as u64));
        self.graph.set_span(id, Some(span));
        id
    }

    pub fn room(&mut self, span: Span) -> R<()> {
        let most = self.limits().nodes;
        match self.graph.nodes.len() < most {
            true => Ok(()),
            false => self.fail(errors::too_many_equations(most, None, span)),
        }
    }

    /// A step is read where there are none; unless that follows from an input that is missing in the same application.
    pub fn no_chain<T>(&mut self, title: &str, at: Option<Span>, read: Span) -> R<T> {
        let missing =
            |d: &Diagnostic| d.code == errors::INPUT_NOT_GIVEN && d.labels.first().map(|l| l.span) == at;
        match self.diagnostics.iter().find(|d| at.is_some() && missing(d)) {
            Some(reason) => Err(Stop::Reported(Reported::new(reason))),
            None => self.fail(errors::no_chain(title, at, read)),
        }
    }

    /// Counts steps of work, and refuses more than there may be.
    pub fn spend(&mut self, steps: usize, span: Span) -> R<()> {
        self.work = self.work.saturating_add(steps as u64);
        match self.options.work.is_none_or(|most| self.work <= most) {
            true => Ok(()),
            false => self.fail(errors::too_much_work(self.limits().work, span)),
        }
    }

    /// Counts work that may leave no node.
    pub fn repeat(&mut self, times: u64, span: Span) -> R<()> {
        self.repeats = self.repeats.saturating_add(times);
        let most = self.limits().nodes;
        match self.repeats <= (most as u64).saturating_mul(REPEATS) {
            true => Ok(()),
            false => self.fail(errors::too_many_equations(most, Some(times), span)),
        }
    }

    fn type_error<T>(&mut self, e: &TypeError, span: Span) -> R<T> {
        let d = errors::type_error(&self.graph, e, span);
        self.fail(d)
    }

    pub fn dim_error<T>(&mut self, e: &DimError, span: Span) -> R<T> {
        self.fail(errors::dim_error(e, span))
    }

    pub fn constant(&mut self, value: f64) -> NodeId {
        let bits = value.to_bits();
        if let Some(id) = self.consts.get(&bits) {
            return *id;
        }
        let id = self.graph.constant(value);
        self.consts.insert(bits, id);
        id
    }

    pub fn filled(&mut self, value: f64, shape: &[Dim], span: Span) -> R<NodeId> {
        let scalar = self.constant(value);
        self.spread(scalar, shape, span)
    }

    /// A scalar spread to a shape; what has the shape already stays.
    pub fn spread(&mut self, node: NodeId, shape: &[Dim], span: Span) -> R<NodeId> {
        if self.graph.shape(node) == shape {
            return Ok(node);
        }
        let level = self.graph.level(node);
        self.add_as(Op::Spread(node), shape.to_vec(), level, span)
    }

    pub fn reshape(&mut self, node: NodeId, shape: &[Dim], span: Span) -> R<NodeId> {
        if self.graph.shape(node) == shape {
            return Ok(node);
        }
        let level = self.graph.level(node);
        self.add_as(Op::Reshape(node), shape.to_vec(), level, span)
    }

    pub fn slice(&mut self, node: NodeId, start: Dim, len: Dim, span: Span) -> R<NodeId> {
        let mut shape = self.graph.shape(node).clone();
        match shape.first_mut() {
            Some(first) => *first = len,
            None => return self.fail(errors::no_components(span)),
        }
        let level = self.graph.level(node);
        self.add_as(Op::Slice { arg: node, start }, shape, level, span)
    }

    /// Element `k` (from 0) of the first axis, which goes away.
    pub fn element(&mut self, node: NodeId, k: Dim, span: Span) -> R<NodeId> {
        let rest: Shape = self.graph.shape(node).iter().skip(1).cloned().collect();
        let slice = self.slice(node, k, Dim::constant(1), span)?;
        self.reshape(slice, &rest, span)
    }

    /// A state at another point.
    pub fn lag(&mut self, state: StateId, step: &Step, span: Span) -> R<NodeId> {
        let Some(domain) = self.graph.states.get(state.index()).map(|s| s.domain) else {
            return self.fail(errors::not_along(span));
        };
        let offset = self.offset(domain, step, span)?;
        if let Some(id) = self.lag_nodes.get(&(state, offset)) {
            return Ok(*id);
        }
        let id = self.add(Op::Lag { state, offset }, span)?;
        self.lag_nodes.insert((state, offset), id);
        let alone = self.graph.axes(domain).len() == 1;
        if let (Some(info), Some(k)) = (self.states.get_mut(state.index()), step.along_one())
            && alone
            && info.own.len() == 1
        {
            let distance = u32::try_from(k.unsigned_abs()).unwrap_or(u32::MAX);
            match k < 0 {
                true => info.before = info.before.max(distance),
                false => info.after = info.after.max(distance),
            }
        }
        Ok(id)
    }

    pub fn position(&mut self, domain: DomainId, span: Span) -> R<NodeId> {
        if let Some(id) = self.positions.get(&domain) {
            return Ok(*id);
        }
        let id = self.add(Op::Position(domain), span)?;
        self.positions.insert(domain, id);
        Ok(id)
    }

    pub fn length(&mut self, domain: DomainId, span: Span) -> R<NodeId> {
        if let Some(id) = self.lengths.get(&domain) {
            return Ok(*id);
        }
        let id = self.add(Op::Length(domain), span)?;
        self.lengths.insert(domain, id);
        Ok(id)
    }

    /// Adds a source in the order of its frame's text.
    pub fn source(&mut self, source: crate::eqn::Source, frame: FrameId, name: &str) -> NodeId {
        let f = self.frame(frame);
        let entry = f.text.position(name);
        let mut key = f.order.clone();
        key.push(entry.map_or(i64::MAX, |e| e as i64));
        self.source_keys.push(key);
        self.graph.source(source)
    }

    /// The Bool input that says whether a window is the first of its text.
    pub fn start(&mut self) -> NodeId {
        if let Some(id) = self.start {
            return id;
        }
        self.source_keys.push(Vec::new());
        let id = self.graph.source(crate::eqn::Source {
            name: "start".into(),
            kind: crate::eqn::SourceKind::Input,
            shape: Vec::new(),
            ty: Ty::Bool,
            level: Level::Example,
            span: None,
        });
        self.start = Some(id);
        id
    }

    /// The Bool input that says which positions of an axis count.
    pub fn counted(&mut self, axis: DomainId) -> NodeId {
        if let Some(id) = self.counted {
            return id;
        }
        self.source_keys.push(Vec::new());
        let id = self.graph.source(crate::eqn::Source {
            name: super::COUNTED.into(),
            kind: crate::eqn::SourceKind::Input,
            shape: Vec::new(),
            ty: Ty::Bool,
            level: Level::Over(axis),
            span: None,
        });
        self.counted = Some(id);
        id
    }

    // Values.

    /// The array a value stands for.
    pub fn force(&mut self, val: Val<'l>, span: Span) -> R<Arr> {
        let node = match val {
            Val::Arr(arr) => return Ok(arr),
            Val::Num(x) => self.constant(x),
            Val::Dim(d) => {
                self.room(span)?;
                self.graph.dim_value(d)
            }
            Val::Bool(b) => {
                let (zero, one) = (self.constant(0.0), self.constant(if b { 0.0 } else { 1.0 }));
                self.add(Op::Binary(crate::eqn::Binary::Eq, zero, one), span)?
            }
            Val::Extent(d) => self.length(d, span)?,
            Val::Lengths(e) => self.lengths_node(&e, span)?,
            Val::Instance(frame) => {
                let val = self.first_out(frame, span)?;
                return self.force(val, span);
            }
            Val::Family(frame, name, index) => self.family_array(frame, &name, &index, span)?,
            Val::List(items) => self.literal(&items, span)?,
            Val::Word(w) => return self.fail(errors::word_as_value(&w, span)),
            other @ (Val::Recipe(_) | Val::Func(_) | Val::Part(_) | Val::Axes(..)) => {
                return self.fail(errors::not_a_value(other.kind(), span));
            }
        };
        Ok(Arr { node, along: 0 })
    }

    /// The node of a value that does not run along a reduction.
    pub fn force_node(&mut self, val: Val<'l>, span: Span) -> R<NodeId> {
        let arr = self.force(val, span)?;
        match arr.along {
            0 => Ok(arr.node),
            _ => Err(Stop::NoAlong(span)),
        }
    }

    /// A sum of products of lengths as a number of each example.
    fn lengths_node(&mut self, extent: &Extent, span: Span) -> R<NodeId> {
        let mut sum = None;
        for (k, axes) in &extent.0 {
            let mut term = self.constant(*k as f64);
            for axis in axes {
                let n = self.length(*axis, span)?;
                term = match self.graph.as_const(term) {
                    Some(1.0) => n,
                    _ => self.add(Op::Binary(Binary::Mul, term, n), span)?,
                };
            }
            sum = Some(match sum {
                None => term,
                Some(sum) => self.add(Op::Binary(Binary::Add, sum, term), span)?,
            });
        }
        Ok(sum.unwrap_or_else(|| self.constant(0.0)))
    }

    /// A list as an array: a literal if it holds numbers alone.
    fn literal(&mut self, items: &[Val<'l>], span: Span) -> R<NodeId> {
        fn flatten(items: &[Val<'_>], depth: usize, shape: &mut Vec<i64>, out: &mut Vec<f64>) -> bool {
            match shape.get(depth) {
                Some(n) if *n != items.len() as i64 => return false,
                Some(_) => {}
                None => shape.push(items.len() as i64),
            }
            items.iter().all(|item| match item {
                Val::List(inner) => flatten(inner, depth + 1, shape, out),
                Val::Num(x) => {
                    out.push(*x);
                    shape.len() == depth + 1
                }
                _ => false,
            })
        }
        let (mut shape, mut out) = (Vec::new(), Vec::new());
        if items.iter().any(|item| !is_number(item)) {
            return self.rows(items, span);
        }
        if !flatten(items, 0, &mut shape, &mut out) {
            return self.fail(errors::ragged_list(span));
        }
        let shape = shape.into_iter().map(Dim::constant).collect();
        self.add_as(Op::Literal(out.into()), shape, Level::Shared, span)
    }

    /// Values of one shape as the rows of an array.
    fn rows(&mut self, items: &[Val<'l>], span: Span) -> R<NodeId> {
        let mut rows: Vec<NodeId> = Vec::new();
        for item in items {
            let arr = self.real(item.clone(), span)?;
            let row = self.force_node(Val::Arr(arr), span)?;
            if rows.first().is_some_and(|first| self.graph.shape(*first) != self.graph.shape(row)) {
                return self.fail(errors::ragged_list(span));
            }
            rows.push(row);
        }
        self.stack_nodes(&rows, span)
    }

    /// Shape of one element of an array: without the axis of a reduction.
    pub fn shape(&self, arr: Arr) -> &[Dim] {
        let shape = self.graph.shape(arr.node);
        if arr.along == 0 { shape } else { shape.get(1..).unwrap_or(&[]) }
    }

    /// Gives a computed node the author's name.
    pub fn name_node(&mut self, node: NodeId, name: String, span: Span) {
        let n = self.graph.node(node);
        let plain = matches!(
            n.op,
            Op::Const(_) | Op::DimValue(_) | Op::Source(_) | Op::Lag { .. } | Op::Position(_) | Op::Length(_)
        );
        if !plain && n.name.is_none() {
            self.graph.set_name(node, name);
            self.graph.nodes[node.index()].span = Some(span);
        }
    }

    /// Runs one nested evaluation, bounded in depth.
    pub fn nested<T>(&mut self, span: Span, run: impl FnOnce(&mut Self) -> R<T>) -> R<T> {
        if self.depth >= MAX_DEPTH {
            return self.fail(errors::too_deep(span));
        }
        self.spend(1, span)?;
        self.depth += 1;
        let result = run(self);
        self.depth -= 1;
        result
    }
}

/// Whether a list's item is a number or a list of numbers.
fn is_number(val: &Val<'_>) -> bool {
    match val {
        Val::List(items) => items.iter().all(is_number),
        val => matches!(val, Val::Num(_)),
    }
}
