//! Values read at an offset, and what lies outside the domain.
//!
//! A state exists if something reads it at an offset. Its boundary is, in this order: the caller's value,
//! the `at` block, the declared value. A constant one always becomes a source named `h0`.

use super::builder::Builder;
use super::define::suffix;
use super::errors;
use super::space::Step;
use super::value::*;
use crate::eqn::{
    DomainId, DomainKind, Level, NodeId, Op, Point, Side, Source, SourceKind, State, StateId, Ty,
};
use crate::resolve::text::{Declared, Kind, SideKey};
use crate::shape::{Dim, Shape};
use crate::source::Span;
use crate::syntax::ast::*;

/// What a state is before the first point, as the text has it.
enum Start {
    Constant(f64),
    /// One value, or one for each lag, newest first.
    Computed(Vec<NodeId>),
    /// It differs between the points the recurrence is repeated for; sides give it.
    Outer,
    Missing,
}

impl<'l> Builder<'l> {
    /// Reads a name of a frame a step from here, which is not 0.
    pub fn read_lag(
        &mut self,
        frame: FrameId,
        name: &Name,
        index: &[i64],
        step: &Step,
        span: Span,
    ) -> R<Val<'l>> {
        let most = self.limits().lag;
        if let Step::By(by) = step
            && let Some((_, k)) = by.iter().find(|(_, k)| k.unsigned_abs() > u64::from(most))
        {
            return self.fail(errors::lag_too_great(*k, most, span));
        }
        let text = self.frame(frame).text.clone();
        let Some(entry) = text.get(name) else {
            return self.fail(errors::no_steps(name, span));
        };
        let kind = entry.declared.as_ref().map(|d| d.kind);
        if let (Some(_), Some(Kind::State)) = (&self.frame(frame).prev, kind) {
            return self.read_predecessor(frame, name, index, step.along_one(), span);
        }
        self.check_step(frame, step, span)?;
        let state = match kind {
            Some(Kind::State) => self.declared_state(frame, name, index, span)?,
            Some(Kind::In) => self.input_state(frame, name, index, span)?,
            Some(Kind::Param | Kind::Mem) => return self.fail(errors::no_steps(name, span)),
            _ => {
                let shape = match self.shape_hint(frame, name, index) {
                    Some(shape) => Some(shape),
                    None => self.shape_of_terms(frame, name, index),
                };
                let equated = entry.equated.as_ref().filter(|_| self.frame(frame).top);
                let place = entry.equated.as_ref().map(|e| e.span);
                // A family or one of several names wants a declaration of its own kind.
                let single = equated.filter(|e| index.is_empty() && e.brace.is_none() && e.targets == 1);
                let before = single.map(|e| e.equation.span);
                return self.fail(errors::not_a_state(name, shape, place, before, span));
            }
        };
        let state = match step {
            Step::FromEach(each) => self.parent_state(state, *each, span)?,
            _ => state,
        };
        let node = self.lag(state, step, span)?;
        Ok(Val::node(node))
    }

    /// Reads a state of one step of a cell, which is given by `prev`.
    pub fn read_predecessor(
        &mut self,
        frame: FrameId,
        name: &Name,
        index: &[i64],
        offset: Option<i64>,
        span: Span,
    ) -> R<Val<'l>> {
        let found = self.frame(frame).prev.as_ref().and_then(|prev| prev.get(name).copied());
        match (found, offset) {
            (Some(node), Some(-1)) => self.pick_member(frame, name, node, index, span).map(Val::node),
            (Some(_), offset) => self.fail(errors::prev_is_one_step(name, offset, span)),
            (None, _) => {
                let title = self.frame(frame).title.clone();
                let at = self.frame(frame).span.unwrap_or(span);
                let is_state = self.frame(frame).text.get(name).and_then(|e| e.declared.as_ref());
                match is_state.is_some_and(|d| d.kind == Kind::State) {
                    true => self.fail(errors::prev_missing(name, &title, at, span)),
                    false => self.no_chain(&title, Some(at), span),
                }
            }
        }
    }

    /// Whether a frame steps along the axes of a step.
    fn check_step(&mut self, frame: FrameId, step: &Step, span: Span) -> R<()> {
        let own = self.own_axes(frame);
        if own.is_empty() {
            let title = self.frame(frame).title.clone();
            let at = self.frame(frame).span;
            return self.no_chain(&title, at, span);
        }
        let is_tree = own.iter().any(|a| self.is_tree(*a));
        let other = match step {
            Step::By(by) => by.iter().find(|(d, _)| !own.contains(d)).map(|(d, _)| *d),
            Step::Child(_) | Step::Parent(_) => (!is_tree).then_some(own[0]),
            Step::EachChild(each) | Step::FromEach(each) => {
                let fits = own
                    .iter()
                    .any(|t| self.graph.domains[each.index()].kind == DomainKind::Children { tree: *t });
                (!fits).then_some(*each)
            }
        };
        match other {
            None => Ok(()),
            Some(d) => {
                let (p, q) = (self.extent_names(&own), self.extent_names(&[d]));
                self.fail(errors::two_domains((&p, span), (&q, span), span))
            }
        }
    }

    /// A state as its nodes' children see it: over nodes and children.
    fn parent_state(&mut self, state: StateId, each: DomainId, span: Span) -> R<StateId> {
        let Some(known) = self.graph.states.get(state.index()).cloned() else { return Ok(state) };
        let mut axes = self.graph.axes(known.domain);
        if axes.contains(&each) {
            return Ok(state);
        }
        axes.push(each);
        if let Some((_, lifted)) = self.parents.iter().find(|(s, _)| *s == state) {
            return Ok(*lifted);
        }
        let own = self.states.get(state.index()).map(|s| s.own.clone()).unwrap_or_default();
        let array = format!("{}.parent", known.name);
        let id = self.new_state(
            StateOrigin::Parent,
            array,
            String::new(),
            axes,
            own,
            (known.shape, known.ty),
            (span, span),
        )?;
        self.parents.push((state, id));
        Ok(id)
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

    pub fn declared_state(&mut self, frame: FrameId, name: &Name, index: &[i64], span: Span) -> R<StateId> {
        let key = (name.clone(), index.to_vec());
        if let Some(id) = self.frame(frame).states.get(&key) {
            return Ok(*id);
        }
        let text = self.frame(frame).text.clone();
        let Some(d) = text.get(name).and_then(|e| e.declared.clone()) else {
            return self.fail(errors::no_steps(name, span));
        };
        let (shape, ty) = self.declared_type(frame, &d)?;
        let origin = StateOrigin::Declared { frame, name: name.clone(), index: index.to_vec() };
        let array = format!("{}{name}", self.frame(frame).path);
        let (axes, own) = (self.frame(frame).at.clone(), self.own_axes(frame));
        let id = self.new_state(origin, array, suffix(index), axes, own, (shape, ty), (d.span, span))?;
        self.frame_mut(frame).states.insert(key, id);
        self.pending.push(id);
        Ok(id)
    }

    fn input_state(&mut self, frame: FrameId, name: &Name, index: &[i64], span: Span) -> R<StateId> {
        let key = (name.clone(), index.to_vec());
        if let Some(id) = self.frame(frame).states.get(&key) {
            return Ok(*id);
        }
        let val = self.eval_def(frame, name, index, span)?;
        let node = self.force_node(val, span)?;
        let (shape, ty) = (self.graph.shape(node).clone(), self.graph.ty(node).clone());
        let origin = StateOrigin::Input { frame, name: name.clone() };
        let array = format!("{}{name}", self.frame(frame).path);
        let (mut axes, own) = (self.axes_of(node), self.own_axes(frame));
        axes.extend(&own);
        let id = self.new_state(origin, array, suffix(index), axes, own, (shape, ty), (span, span))?;
        self.graph.states[id.index()].def = Some(node);
        self.frame_mut(frame).states.insert(key, id);
        Ok(id)
    }

    /// A state over some axes, read along its own ones; declared and first read at two places.
    #[allow(clippy::too_many_arguments)]
    fn new_state(
        &mut self,
        origin: StateOrigin,
        array: String,
        member: String,
        axes: Vec<DomainId>,
        own: Vec<DomainId>,
        (shape, ty): (Shape, Ty),
        (span, first_read): (Span, Span),
    ) -> R<StateId> {
        let Level::Over(domain) = self.level_over(axes, first_read)? else {
            return self.fail(errors::not_along(first_read));
        };
        let name = format!("{array}{member}");
        self.states.push(StateInfo { origin, array, before: 0, after: 0, own, first_read });
        Ok(self.graph.state(State {
            name: name.into(),
            domain,
            shape,
            ty,
            def: None,
            init: Vec::new(),
            sides: Vec::new(),
            span: Some(span),
        }))
    }

    /// Whether a state is one recurrence along one chain: only then it keeps several lags, and is carried.
    pub fn is_alone(&self, id: StateId) -> bool {
        let (Some(info), Some(state)) = (self.states.get(id.index()), self.graph.states.get(id.index()))
        else {
            return false;
        };
        info.own.len() == 1 && self.graph.is_chain(state.domain)
    }

    /// `shift(x, k)`: k zeros first. `name` is the instance's name with its path.
    pub fn shift(&mut self, node: NodeId, k: i64, name: String, span: Span) -> R<NodeId> {
        if k == 0 {
            return Ok(node);
        }
        let axes = self.axes_of(node);
        let axis = match (self.whole_axes(node).as_slice(), axes.as_slice()) {
            ([axis], _) | ([], [axis]) if !self.is_tree(*axis) => *axis,
            _ => return self.fail(errors::wants_sequence("shift", span)),
        };
        let most = self.limits().lag;
        if k.unsigned_abs() > u64::from(most) {
            return self.fail(errors::lag_too_great(k, most, span));
        }
        let (shape, ty) = (self.graph.shape(node).clone(), self.graph.ty(node).clone());
        let places = (span, span);
        let id =
            self.new_state(StateOrigin::Shift, name, String::new(), axes, vec![axis], (shape, ty), places)?;
        self.graph.states[id.index()].def = Some(node);
        self.lag(id, &Step::chain(axis, -k), span)
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
            match self.init_nodes(id, span).and_then(|init| Ok((init, self.side_nodes(id, span)?))) {
                Ok((init, sides)) => {
                    let state = &mut self.graph.states[id.index()];
                    (state.init, state.sides) = (init, sides);
                }
                Err(stop) => result = Err(stop),
            }
        }
    }

    fn finish_state(&mut self, id: StateId) -> R<()> {
        let Some(info) = self.states.get(id.index()).cloned() else { return Ok(()) };
        let StateOrigin::Declared { frame, name, index } = &info.origin else { return Ok(()) };
        let val = self.eval_def(*frame, name, index, info.first_read)?;
        let node = self.force_node(val, info.first_read)?;
        let at = self.frame(*frame).at.clone();
        if self.axes_of(node).iter().any(|a| !at.contains(a)) {
            let place = self.graph.node(node).span.unwrap_or(info.first_read);
            return self.fail(errors::state_is_whole(name, place));
        }
        self.graph.states[id.index()].def = Some(node);
        if let Some((_, lifted)) = self.parents.iter().find(|(s, _)| *s == id).copied() {
            self.graph.states[lifted.index()].def = Some(node);
        }
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
        let lags = match self.is_alone(id) {
            true => self.lags.get(&info.array).copied().unwrap_or(1).max(1),
            false => 1,
        };
        let nodes = match &info.origin {
            StateOrigin::Declared { frame, name, index } => {
                let text = self.frame(*frame).text.clone();
                let Some(d) = text.get(name).and_then(|e| e.declared.clone()) else { return Ok(Vec::new()) };
                let sets = self.sets_of(*frame, name)?;
                let start = self.declared_start(id, *frame, name, index, &d, lags, &state.shape, span)?;
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
                let carried = self.options.carry && self.frame(*frame).top && self.is_alone(id);
                match (carried, self.graph.as_const(node)) {
                    (true, constant) => {
                        let start = constant.map_or_else(|| Start::Computed(vec![node]), Start::Constant);
                        self.initial(id, &info, &state, start, (frame, name, &[], &[]), lags, span)?
                    }
                    (false, _) => vec![node],
                }
            }
            StateOrigin::Parent => vec![self.filled(0.0, &state.shape, span)?],
            StateOrigin::Shift if info.before > 0 && self.is_alone(id) => {
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
        id: StateId,
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
            if self.varies(id, node, at)? {
                return Ok(Start::Outer);
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
        if self.is_alone(id)
            && let Some(axis) = self.frame(frame).space.axes.first().and_then(|a| a.name.clone())
            && let Some(val) = self.eval_side(frame, &SideKey::Before(axis), name, index, span)?
        {
            let at = self.side_span(frame, name).unwrap_or(span);
            return Ok(Start::Computed(vec![self.boundary(val, shape, at)?]));
        }
        let Some(value) = d.value else {
            // Sides or leaves give it.
            return Ok(if self.side_span(frame, name).is_some() {
                Start::Constant(0.0)
            } else {
                Start::Missing
            });
        };
        let mut env = Env::new(frame, d.layer);
        env.brace = d.brace;
        for (i, t) in index.iter().zip(d.index) {
            if let TargetIndex::Binder(b) = t {
                env = env.bind(&b.name.name, Bind::Int(*i));
            }
        }
        match self.eval(value, &env)? {
            Val::Num(x) => Ok(Start::Constant(x)),
            val => {
                let node = self.force_node(val.clone(), value.span)?;
                if self.varies(id, node, value.span)? {
                    return Ok(Start::Outer);
                }
                Ok(Start::Computed(vec![self.boundary(val, shape, value.span)?]))
            }
        }
    }

    /// Whether a boundary value differs between the points that a recurrence is repeated for; at others it may not.
    fn varies(&mut self, id: StateId, node: NodeId, at: Span) -> R<bool> {
        let axes = self.axes_of(node);
        if axes.is_empty() {
            return Ok(false);
        }
        let (Some(info), Some(state)) =
            (self.states.get(id.index()).cloned(), self.graph.states.get(id.index()))
        else {
            return Ok(false);
        };
        let all = self.graph.axes(state.domain);
        let outer = axes.iter().all(|a| all.contains(a) && !info.own.contains(a));
        let chain = info.own.len() == 1 && !self.is_tree(info.own[0]);
        match outer && chain {
            true => Ok(true),
            false => self.fail(errors::boundary_varies(at)),
        }
    }

    /// What a state is beyond one side of its domain alone.
    fn side_nodes(&mut self, id: StateId, span: Span) -> R<Vec<Side>> {
        let (Some(info), Some(state)) =
            (self.states.get(id.index()).cloned(), self.graph.states.get(id.index()).cloned())
        else {
            return Ok(Vec::new());
        };
        let StateOrigin::Declared { frame, name, index } = &info.origin else { return Ok(Vec::new()) };
        if self.is_alone(id) {
            return Ok(Vec::new());
        }
        let text = self.frame(*frame).text.clone();
        let Some(d) = text.get(name).and_then(|e| e.declared.clone()) else { return Ok(Vec::new()) };
        let around =
            |value: NodeId, axis: DomainId| [false, true].map(|after| Side { axis, after, value }).to_vec();
        if let Some((node, at)) = self.frame(*frame).starts.get(name).copied() {
            return match self.varies(id, node, at)? {
                true => {
                    let node = self.pick_outer(*frame, name, node, index, &state.shape, at)?;
                    Ok(around(node, info.own[0]))
                }
                false => Ok(Vec::new()),
            };
        }
        if self.options.given.contains(&format!("{}0", info.array)) {
            return Ok(Vec::new());
        }
        let mut sides = Vec::new();
        for own in self.frame(*frame).space.axes.clone() {
            let Some(axis) = own.name else { continue };
            let Some(val) = self.eval_side(*frame, &SideKey::Before(axis), name, index, span)? else {
                continue;
            };
            let at = self.side_span(*frame, name).unwrap_or(span);
            let node = self.force_node(val, at)?;
            let axes = self.axes_of(node);
            let all = self.graph.axes(state.domain);
            if axes.contains(&own.axis) || axes.iter().any(|a| !all.contains(a)) {
                return self.fail(errors::boundary_varies(at));
            }
            let node = self.fitting(node, &state.shape, at)?;
            sides.push(Side { axis: own.axis, after: false, value: node });
        }
        if !sides.is_empty() {
            return Ok(sides);
        }
        let Some(value) = d.value else { return Ok(sides) };
        let mut env = Env::new(*frame, d.layer);
        env.brace = d.brace;
        let val = self.eval(value, &env)?;
        let node = self.force_node(val, value.span)?;
        if self.varies(id, node, value.span)? {
            let node = self.fitting(node, &state.shape, value.span)?;
            return Ok(around(node, info.own[0]));
        }
        Ok(sides)
    }

    /// The member's part of a caller's value, in the state's shape.
    fn pick_outer(
        &mut self,
        frame: FrameId,
        name: &Name,
        node: NodeId,
        index: &[i64],
        shape: &[Dim],
        at: Span,
    ) -> R<NodeId> {
        let sets = self.sets_of(frame, name)?;
        let family = self.family_shape(&sets, shape, at)?;
        let node = match *self.graph.shape(node) == family {
            true => self.pick_member(frame, name, node, index, at)?,
            false => node,
        };
        self.fitting(node, shape, at)
    }

    /// A value in a state's shape.
    fn fitting(&mut self, node: NodeId, shape: &[Dim], at: Span) -> R<NodeId> {
        let found = self.graph.shape(node).clone();
        match found.is_empty() {
            true => self.spread(node, shape, at),
            false if found == shape => Ok(node),
            false => self.fail(errors::boundary_shape(shape, &found, at)),
        }
    }

    /// Where a side gives a name.
    fn side_span(&self, frame: FrameId, name: &str) -> Option<Span> {
        let sides = &self.frame(frame).text.sides;
        sides.iter().find(|((_, n), _)| **n == *name).and_then(|(_, e)| e.first()).map(|e| e.span)
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
        // A recurrence that begins anew at each point of others has no start of its own from outside.
        let axes = self.graph.axes(state.domain);
        let inner = axes.iter().any(|a| !info.own.contains(a));
        let (default, computed) = match start {
            Start::Constant(x) if inner => return Ok(vec![self.filled(x, &state.shape, span)?]),
            Start::Outer => return Ok(vec![self.filled(0.0, &state.shape, span)?]),
            Start::Constant(x) => (x, None),
            Start::Computed(nodes) if given => {
                drop(nodes);
                (0.0, None)
            }
            Start::Computed(nodes) if self.options.carry && self.is_alone(id) => (0.0, Some(nodes)),
            Start::Computed(nodes) => return Ok(nodes),
            Start::Missing if self.frame(*frame).top && !inner => (0.0, None),
            Start::Missing => {
                let at = self.frame(*frame).span;
                let text = &self.frame(*frame).text;
                let declared = text.get(name).and_then(|e| e.declared.as_ref());
                let ty = declared.filter(|d| d.over.is_empty()).and_then(|d| d.ty).map(|ty| ty.span);
                return self.fail(errors::no_start(name, self.var_name(*frame).as_deref(), span, at, ty));
            }
        };
        let mut member = state.shape.clone();
        if lags > 1 {
            member.insert(0, Dim::constant(i64::from(lags)));
        }
        let shape = self.family_shape(sets, &member, span)?;
        let mut node = match self.source_named(&source_name) {
            Some(known) if !matches!(self.graph.sources[known.index()].kind, SourceKind::Initial { .. }) => {
                let first = self.graph.sources[known.index()].span;
                return self.fail(errors::two_arrays(&source_name, first, Some(span)));
            }
            Some(known) => match self.reader_of(known) {
                Some(node) => node,
                None => return Ok(Vec::new()),
            },
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
        let state = self.frame(frame).states.get(&(name.clone(), index.to_vec())).copied();
        let empty = match state {
            Some(id) if self.states.get(id.index()).is_some_and(|s| s.before > 0) => {
                self.init_nodes(id, span)?.first().copied()
            }
            _ => None,
        };
        let own = self.own_axes(frame);
        self.last_node(node, &own, empty, span)
    }

    /// The last point of the only axis; the root of a tree is its last node.
    pub fn last_node(
        &mut self,
        node: NodeId,
        axes: &[DomainId],
        empty: Option<NodeId>,
        span: Span,
    ) -> R<NodeId> {
        let known = self.axes_of(node);
        let found: Vec<DomainId> = axes.iter().copied().filter(|a| known.contains(a)).collect();
        let axis = match found.as_slice() {
            [] => return Ok(node),
            [axis] => *axis,
            _ => return self.fail(errors::last_of_grid(span)),
        };
        let empty = match empty {
            Some(e) => e,
            None => {
                let shape = self.graph.shape(node).clone();
                self.filled(0.0, &shape, span)?
            }
        };
        self.add(Op::At { arg: node, axis, point: Point::Last, empty }, span)
    }
}
