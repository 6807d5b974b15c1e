//! Values read at an offset, and what lies outside the domain.
//!
//! A state exists if something reads it at an offset. Its boundary is, in this order: the caller's value,
//! the `at` block, the declared value. A constant one always becomes a source named `h0`.

use super::builder::{Builder, MAX_LAG};
use super::define::suffix;
use super::errors;
use super::value::*;
use crate::eqn::{Level, NodeId, Op, Point, Source, SourceKind, State, StateId, Ty};
use crate::resolve::text::{Declared, Kind};
use crate::shape::{Dim, Shape};
use crate::source::Span;
use crate::syntax::ast::*;

/// What a state is before the first point, as the text has it.
enum Start {
    Constant(f64),
    /// One value, or one for each lag, newest first.
    Computed(Vec<NodeId>),
    Missing,
}

impl<'l> Builder<'l> {
    /// Reads a name of a frame `offset` points from here; `offset` is not 0.
    pub fn read_lag(
        &mut self,
        frame: FrameId,
        name: &Name,
        index: &[i64],
        offset: i64,
        span: Span,
    ) -> R<Val<'l>> {
        if offset.abs() > MAX_LAG {
            return self.fail(errors::lag_too_great(offset, MAX_LAG, span));
        }
        let text = self.frame(frame).text.clone();
        let Some(entry) = text.get(name) else {
            return self.fail(errors::no_steps(name, span));
        };
        let kind = entry.declared.as_ref().map(|d| d.kind);
        if let (Some(prev), Some(Kind::State)) = (&self.frame(frame).prev, kind) {
            let found = prev.get(name).copied();
            return match (found, offset) {
                (Some(node), -1) => self.pick_member(frame, name, node, index, span).map(Val::node),
                (Some(_), _) => self.fail(errors::prev_is_one_step(name, offset, span)),
                (None, _) => {
                    let title = self.frame(frame).title.clone();
                    let at = self.frame(frame).span.unwrap_or(span);
                    self.fail(errors::prev_missing(name, &title, at, span))
                }
            };
        }
        let state = match kind {
            Some(Kind::State) => self.declared_state(frame, name, index, span)?,
            Some(Kind::In) => self.input_state(frame, name, index, span)?,
            Some(Kind::Param | Kind::Mem) => return self.fail(errors::no_steps(name, span)),
            _ => {
                let shape = self.shape_hint(frame, name, index);
                let place = entry.equated.as_ref().map(|e| e.span);
                return self.fail(errors::not_a_state(name, shape, place, span));
            }
        };
        let node = self.lag(state, offset as i32, span)?;
        Ok(Val::node(node))
    }

    /// The shape of a name that has been evaluated, for a hint.
    fn shape_hint(&self, frame: FrameId, name: &Name, index: &[i64]) -> Option<Shape> {
        match self.frame(frame).memo.get(&(name.clone(), index.to_vec())) {
            Some(Memo::Done(Val::Arr(a))) => Some(self.shape(*a).to_vec()),
            _ => None,
        }
    }

    fn pick_member(
        &mut self,
        frame: FrameId,
        name: &Name,
        node: NodeId,
        index: &[i64],
        span: Span,
    ) -> R<NodeId> {
        let sets = self.sets_of(frame, name)?;
        let mut node = node;
        for (i, set) in index.iter().zip(sets.iter()) {
            if let FamilySet::Range(lo, _) = set {
                node = self.element(node, Dim::constant(i - lo), span)?;
            }
        }
        Ok(node)
    }

    fn chain_of(&mut self, frame: FrameId, name: &Name, span: Span) -> R<crate::eqn::DomainId> {
        match self.frame(frame).domain {
            Some(d) => Ok(d),
            None => {
                let title = self.frame(frame).title.clone();
                let at = self.frame(frame).span;
                self.fail(errors::no_chain(&title, name, at, span))
            }
        }
    }

    pub fn declared_state(&mut self, frame: FrameId, name: &Name, index: &[i64], span: Span) -> R<StateId> {
        let key = (name.clone(), index.to_vec());
        if let Some(id) = self.frame(frame).states.get(&key) {
            return Ok(*id);
        }
        let domain = self.chain_of(frame, name, span)?;
        let text = self.frame(frame).text.clone();
        let Some(d) = text.get(name).and_then(|e| e.declared.clone()) else {
            return self.fail(errors::no_steps(name, span));
        };
        let (shape, ty) = self.declared_type(frame, &d)?;
        let origin = StateOrigin::Declared { frame, name: name.clone(), index: index.to_vec() };
        let array = format!("{}{name}", self.frame(frame).path);
        let id = self.new_state(origin, array, suffix(index), domain, shape, ty, d.span, span);
        self.frame_mut(frame).states.insert(key, id);
        self.pending.push(id);
        Ok(id)
    }

    fn input_state(&mut self, frame: FrameId, name: &Name, index: &[i64], span: Span) -> R<StateId> {
        let key = (name.clone(), index.to_vec());
        if let Some(id) = self.frame(frame).states.get(&key) {
            return Ok(*id);
        }
        let domain = self.chain_of(frame, name, span)?;
        let val = self.eval_def(frame, name, index, span)?;
        let node = self.force_node(val, span)?;
        let (shape, ty) = (self.graph.shape(node).clone(), self.graph.ty(node).clone());
        let origin = StateOrigin::Input { frame, name: name.clone() };
        let array = format!("{}{name}", self.frame(frame).path);
        let id = self.new_state(origin, array, suffix(index), domain, shape, ty, span, span);
        self.graph.states[id.index()].def = Some(node);
        self.frame_mut(frame).states.insert(key, id);
        Ok(id)
    }

    #[allow(clippy::too_many_arguments)]
    fn new_state(
        &mut self,
        origin: StateOrigin,
        array: String,
        member: String,
        domain: crate::eqn::DomainId,
        shape: Shape,
        ty: Ty,
        span: Span,
        first_read: Span,
    ) -> StateId {
        let name = format!("{array}{member}");
        self.states.push(StateInfo { origin, array, before: 0, after: 0, first_read });
        self.graph.state(State {
            name: name.into(),
            domain,
            shape,
            ty,
            def: None,
            init: Vec::new(),
            sides: Vec::new(),
            span: Some(span),
        })
    }

    /// `shift(x, k)`: k zeros first. `name` is the instance's name with its path.
    pub fn shift(&mut self, node: NodeId, k: i64, name: String, span: Span) -> R<NodeId> {
        let Level::Over(domain) = self.graph.level(node) else {
            return self.fail(errors::wants_sequence("shift", span));
        };
        if k == 0 {
            return Ok(node);
        }
        if k.abs() > MAX_LAG {
            return self.fail(errors::lag_too_great(k, MAX_LAG, span));
        }
        let (shape, ty) = (self.graph.shape(node).clone(), self.graph.ty(node).clone());
        let id = self.new_state(StateOrigin::Shift, name, String::new(), domain, shape, ty, span, span);
        self.graph.states[id.index()].def = Some(node);
        self.lag(id, -k as i32, span)
    }

    /// Evaluates what is still pending, then all boundaries. New states may turn up on the way. Stops if one
    /// of them has no value, after all have been tried.
    pub fn finish_states(&mut self) -> R<()> {
        let mut done = 0;
        let mut result = Ok(());
        loop {
            while let Some(id) = self.pending.pop() {
                if let Err(stop) = self.finish_state(id) {
                    result = Err(stop);
                }
            }
            if done >= self.graph.states.len() {
                return result;
            }
            let id = StateId(done as u32);
            done += 1;
            let span = self.states.get(id.index()).map(|s| s.first_read);
            let Some(span) = span else { continue };
            match self.init_nodes(id, span) {
                Ok(init) => self.graph.states[id.index()].init = init,
                Err(stop) => result = Err(stop),
            }
        }
    }

    fn finish_state(&mut self, id: StateId) -> R<()> {
        let Some(info) = self.states.get(id.index()).cloned() else { return Ok(()) };
        let StateOrigin::Declared { frame, name, index } = &info.origin else { return Ok(()) };
        let val = self.eval_def(*frame, name, index, info.first_read)?;
        let node = self.force_node(val, info.first_read)?;
        self.graph.states[id.index()].def = Some(node);
        Ok(())
    }

    /// What a state is outside its domain, newest first.
    pub fn init_nodes(&mut self, id: StateId, span: Span) -> R<Vec<NodeId>> {
        if let Some(known) = self.inits.get(&id) {
            return Ok(known.clone());
        }
        let (Some(info), Some(state)) =
            (self.states.get(id.index()).cloned(), self.graph.states.get(id.index()).cloned())
        else {
            return Ok(Vec::new());
        };
        let lags = self.lags.get(&info.array).copied().unwrap_or(1).max(1);
        let nodes = match &info.origin {
            StateOrigin::Declared { frame, name, index } => {
                let text = self.frame(*frame).text.clone();
                let Some(d) = text.get(name).and_then(|e| e.declared.clone()) else { return Ok(Vec::new()) };
                let sets = self.sets_of(*frame, name)?;
                let start = self.declared_start(*frame, name, index, &d, lags, &state.shape, span)?;
                let from = (frame, name, index.as_slice(), sets.as_slice());
                self.initial(id, &info, &state, start, from, lags, d.span)?
            }
            StateOrigin::Input { frame, name } => {
                let text = self.frame(*frame).text.clone();
                let d = text.get(name).and_then(|e| e.declared.clone());
                let node = match d.as_ref().and_then(|d| d.value.map(|v| (d, v))) {
                    Some((d, value)) => {
                        let mut env = Env::new(*frame, d.layer);
                        env.brace = d.brace;
                        let val = self.eval(value, &env)?;
                        self.boundary(val, &state.shape, value.span)?
                    }
                    None => self.filled(0.0, &state.shape, span)?,
                };
                match (self.options.carry && self.frame(*frame).top, self.graph.as_const(node)) {
                    (true, constant) => {
                        let start = constant.map_or_else(|| Start::Computed(vec![node]), Start::Constant);
                        self.initial(id, &info, &state, start, (frame, name, &[], &[]), lags, span)?
                    }
                    (false, _) => vec![node],
                }
            }
            StateOrigin::Shift if info.before > 0 => {
                let name: Name = info.array.as_str().into();
                self.initial(
                    id,
                    &info,
                    &state,
                    Start::Constant(0.0),
                    (&FrameId(0), &name, &[], &[]),
                    lags,
                    span,
                )?
            }
            StateOrigin::Shift => vec![self.filled(0.0, &state.shape, span)?],
        };
        self.inits.insert(id, nodes.clone());
        Ok(nodes)
    }

    /// A value that may stand outside the domain: of the state's shape, the same at all points.
    fn boundary(&mut self, val: Val<'l>, shape: &[Dim], span: Span) -> R<NodeId> {
        let node = self.force_node(val, span)?;
        if self.graph.level(node) > Level::Example {
            return self.fail(errors::boundary_varies(span));
        }
        let found = self.graph.shape(node).clone();
        if found.is_empty() && !shape.is_empty() {
            return self.spread(node, shape, span);
        }
        if found != shape {
            return self.fail(errors::boundary_shape(shape, &found, span));
        }
        Ok(node)
    }

    #[allow(clippy::too_many_arguments)]
    fn declared_start(
        &mut self,
        frame: FrameId,
        name: &Name,
        index: &[i64],
        d: &Declared<'l>,
        lags: u32,
        shape: &[Dim],
        span: Span,
    ) -> R<Start> {
        if let Some((node, at)) = self.frame(frame).starts.get(name).copied() {
            let sets = self.sets_of(frame, name)?;
            let family: Shape = self.family_shape(&sets, shape, at)?;
            if self.graph.level(node) > Level::Example {
                return self.fail(errors::boundary_varies(at));
            }
            let found = self.graph.shape(node).clone();
            if found.is_empty() {
                return Ok(Start::Computed(vec![self.spread(node, shape, at)?]));
            }
            let node = match found == family || found.len() == family.len() + 1 {
                true => self.pick_member(frame, name, node, index, at)?,
                false => node,
            };
            let mut with_lags = vec![Dim::constant(i64::from(lags))];
            with_lags.extend(shape.iter().cloned());
            let found = self.graph.shape(node).clone();
            if found == shape {
                return Ok(Start::Computed(vec![node]));
            }
            if found == with_lags {
                let mut parts = Vec::new();
                for k in 0..lags {
                    parts.push(self.element(node, Dim::constant(i64::from(k)), at)?);
                }
                return Ok(Start::Computed(parts));
            }
            return self.fail(errors::boundary_shape(shape, &found, at));
        }
        if self.frame(frame).text.side.contains_key(name) {
            let val = self.eval_side(frame, name, index, span)?;
            let at = self.frame(frame).text.side.get(name).map_or(span, |e| e.span);
            return Ok(Start::Computed(vec![self.boundary(val, shape, at)?]));
        }
        let Some(value) = d.value else { return Ok(Start::Missing) };
        let mut env = Env::new(frame, d.layer);
        env.brace = d.brace;
        for (i, t) in index.iter().zip(d.index) {
            if let TargetIndex::Binder(b) = t {
                env = env.bind(&b.name.name, Bind::Int(*i));
            }
        }
        match self.eval(value, &env)? {
            Val::Num(x) => Ok(Start::Constant(x)),
            val => Ok(Start::Computed(vec![self.boundary(val, shape, value.span)?])),
        }
    }

    /// The nodes of a boundary, from a source where the caller gives it or may give it.
    #[allow(clippy::too_many_arguments)]
    fn initial(
        &mut self,
        id: StateId,
        info: &StateInfo,
        state: &State,
        start: Start,
        from: (&FrameId, &Name, &[i64], &[FamilySet]),
        lags: u32,
        span: Span,
    ) -> R<Vec<NodeId>> {
        let (frame, name, index, sets) = from;
        let source_name = format!("{}0", info.array);
        let given = self.options.given.contains(&source_name);
        let (default, computed) = match start {
            Start::Constant(x) => (x, None),
            Start::Computed(nodes) if given => {
                drop(nodes);
                (0.0, None)
            }
            Start::Computed(nodes) if self.options.carry => (0.0, Some(nodes)),
            Start::Computed(nodes) => return Ok(nodes),
            Start::Missing if self.frame(*frame).top => (0.0, None),
            Start::Missing => {
                let at = self.frame(*frame).span;
                return self.fail(errors::no_start(name, self.frame(*frame).var.as_deref(), span, at));
            }
        };
        let mut member = state.shape.clone();
        if lags > 1 {
            member.insert(0, Dim::constant(i64::from(lags)));
        }
        let shape = self.family_shape(sets, &member, span)?;
        let mut node = match self.graph.find_source(&source_name) {
            Some(known) if !matches!(self.graph.sources[known.index()].kind, SourceKind::Initial { .. }) => {
                let first = self.graph.sources[known.index()].span;
                return self.fail(errors::two_arrays(&source_name, first, Some(span)));
            }
            Some(known) => {
                let at = self.graph.nodes.iter().position(|n| n.op == Op::Source(known));
                match at {
                    Some(i) => NodeId(i as u32),
                    None => return Ok(Vec::new()),
                }
            }
            None => {
                let source = Source {
                    name: source_name.into(),
                    kind: SourceKind::Initial { state: id, default },
                    shape,
                    ty: state.ty.clone(),
                    level: Level::Example,
                    span: Some(span),
                };
                self.source(source, *frame, name)
            }
        };
        for (i, set) in index.iter().zip(sets) {
            if let FamilySet::Range(lo, _) = set {
                node = self.element(node, Dim::constant(i - lo), span)?;
            }
        }
        let mut nodes = vec![node];
        if lags > 1 {
            nodes.clear();
            for k in 0..lags {
                nodes.push(self.element(node, Dim::constant(i64::from(k)), span)?);
            }
        }
        if let Some(computed) = computed {
            let first = self.start();
            for (k, node) in nodes.iter_mut().enumerate() {
                let Some(value) = computed.get(k).or(computed.last()) else { continue };
                *node = self.add(Op::Select(first, *value, *node), span)?;
            }
        }
        Ok(nodes)
    }

    /// `NAME_last`: the value at the last point; of an empty sequence the initial state, else 0.
    pub fn last_of(&mut self, frame: FrameId, name: &Name, index: &[i64], span: Span) -> R<NodeId> {
        let val = self.eval_def(frame, name, index, span)?;
        let node = self.force_node(val, span)?;
        if !matches!(self.graph.level(node), Level::Over(_)) {
            return Ok(node);
        }
        let state = self.frame(frame).states.get(&(name.clone(), index.to_vec())).copied();
        let empty = match state {
            Some(id) if self.states.get(id.index()).is_some_and(|s| s.before > 0) => {
                self.init_nodes(id, span)?.first().copied()
            }
            _ => None,
        };
        self.last_node(node, empty, span)
    }

    pub fn last_node(&mut self, node: NodeId, empty: Option<NodeId>, span: Span) -> R<NodeId> {
        let empty = match empty {
            Some(e) => e,
            None => {
                let shape = self.graph.shape(node).clone();
                self.filled(0.0, &shape, span)?
            }
        };
        let Level::Over(axis) = self.graph.level(node) else {
            return self.fail(errors::wants_sequence("last", span));
        };
        self.add(Op::At { arg: node, axis, point: Point::Last, empty }, span)
    }
}
