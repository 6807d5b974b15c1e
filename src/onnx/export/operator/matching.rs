//! Whether equations are those of an operator.
//!
//! ```text
//! two states   {i o f} = σ(W x + U h' + b + p ⊙ c'), g = tanh(W x + U h' + b), c = f ⊙ c' + i ⊙ g, h = o ⊙ tanh(c)
//! reset gate   {z r} = σ(…), h = (1 − z) ⊙ n + z ⊙ h', n = tanh(W x + b + U (r ⊙ h')) or tanh(W x + b + r ⊙ (U h' + b'))
//! plain        h = f(W x + U h' + b)
//! ```
//!
//! `h'` is h one step ago. The `p` of `o` sees c, not c'. A cell that weighs the new value by z is one whose
//! update gate has the opposite sign, for 1 − σ(a) = σ(−a).

use super::super::constants::Constants;
use crate::eqn::{Binary, Graph, NodeId, Op, StateId, Unary};
use crate::onnx::words;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Memory,
    Reset {
        /// The reset gate is applied after the product.
        after: bool,
    },
    Plain,
}

/// One gate's parameters.
#[derive(Clone, Debug)]
pub(super) struct Affine {
    pub w: Option<NodeId>,
    pub u: Option<NodeId>,
    pub bias: Vec<NodeId>,
    /// Of the candidate, inside the reset gate.
    pub recurrent_bias: Vec<NodeId>,
    pub diagonal: Option<NodeId>,
    pub sign: f32,
    x: Option<NodeId>,
}

/// A recurrence that is an operator.
pub(super) struct Cell {
    pub kind: Kind,
    pub x: NodeId,
    pub units: usize,
    pub inputs: usize,
    /// The state that is read at all steps, and its definition; the memory, if there is one.
    pub h: (StateId, NodeId),
    pub c: Option<(StateId, NodeId)>,
    /// In the operator's order.
    pub gates: Vec<Affine>,
    pub activations: Vec<&'static str>,
}

impl Kind {
    pub fn word(self) -> &'static str {
        match self {
            Kind::Memory => words::MEMORY,
            Kind::Reset { .. } => words::RESET,
            Kind::Plain => words::PLAIN,
        }
    }

    /// What an operator has if it does not say.
    pub fn activations(self) -> Vec<&'static str> {
        match self {
            Kind::Memory => vec!["Sigmoid", "Tanh", "Tanh"],
            Kind::Reset { .. } => vec!["Sigmoid", "Tanh"],
            Kind::Plain => vec!["Tanh"],
        }
    }
}

pub(super) fn cell(
    graph: &Graph,
    constants: &Constants,
    component: &[NodeId],
    lags: &[(StateId, NodeId)],
) -> Option<Cell> {
    let m = Matcher { graph, constants, component };
    let def = |s: StateId| graph.states[s.index()].def;
    match *lags {
        [(s, lag)] => {
            let h = (s, def(s)?, lag);
            m.reset_cell(h).or_else(|| m.plain(h))
        }
        [(s, a), (t, b)] => {
            let (one, other) = ((s, def(s)?, a), (t, def(t)?, b));
            m.memory(one, other).or_else(|| m.memory(other, one))
        }
        _ => None,
    }
}

/// A state, its definition, and the read of it one step away.
type State = (StateId, NodeId, NodeId);

struct Matcher<'a> {
    graph: &'a Graph,
    constants: &'a Constants,
    component: &'a [NodeId],
}

impl Matcher<'_> {
    fn op(&self, id: NodeId) -> &Op {
        &self.graph.node(id).op
    }

    fn pair(&self, kind: Binary, id: NodeId) -> Option<(NodeId, NodeId)> {
        match self.op(id) {
            Op::Binary(k, a, b) if *k == kind => Some((*a, *b)),
            _ => None,
        }
    }

    /// A product with this factor: the other one.
    fn times(&self, id: NodeId, factor: NodeId) -> Option<NodeId> {
        let (a, b) = self.pair(Binary::Mul, id)?;
        match () {
            _ if a == factor => Some(b),
            _ if b == factor => Some(a),
            _ => None,
        }
    }

    /// `f(e)` for an activation function that operators know.
    fn activation(&self, id: NodeId) -> Option<(&'static str, NodeId)> {
        match self.op(id) {
            Op::Unary(Unary::Sigmoid, e) => Some(("Sigmoid", *e)),
            Op::Unary(Unary::Tanh, e) => Some(("Tanh", *e)),
            Op::Unary(Unary::Relu, e) => Some(("Relu", *e)),
            _ => None,
        }
    }

    fn is_constant(&self, id: NodeId) -> bool {
        self.constants.is_constant(id)
    }

    fn is_one(&self, id: NodeId) -> bool {
        self.is_constant(id) && self.constants.get(id).is_some_and(|a| a.iter().all(|v| *v == 1.0))
    }

    /// `1 − a`: a.
    fn rest_of(&self, id: NodeId) -> Option<NodeId> {
        let (one, a) = self.pair(Binary::Sub, id)?;
        self.is_one(one).then_some(a)
    }

    /// What is added up.
    fn terms(&self, id: NodeId) -> Vec<NodeId> {
        let (mut open, mut terms) = (vec![id], Vec::new());
        while let Some(id) = open.pop() {
            match self.pair(Binary::Add, id).filter(|_| !self.is_constant(id)) {
                Some((a, b)) => open.extend([b, a]),
                None => terms.push(id),
            }
        }
        terms
    }

    /// A constant matrix times this vector: the matrix.
    fn product_with(&self, id: NodeId, vector: NodeId) -> Option<NodeId> {
        match self.op(id) {
            Op::MatMul(w, v) if *v == vector && self.is_matrix(*w) => Some(*w),
            _ => None,
        }
    }

    fn is_matrix(&self, id: NodeId) -> bool {
        self.is_constant(id) && self.graph.shape(id).len() == 2
    }

    /// `W x + U h + b + p ⊙ c`, terms in any order; what is no such term is handed to `other`, which may take it.
    fn affine(
        &self,
        id: NodeId,
        h: NodeId,
        c: Option<NodeId>,
        mut other: impl FnMut(NodeId) -> bool,
    ) -> Option<Affine> {
        let mut found = Affine {
            w: None,
            u: None,
            bias: Vec::new(),
            recurrent_bias: Vec::new(),
            diagonal: None,
            sign: 1.0,
            x: None,
        };
        for term in self.terms(id) {
            if self.is_constant(term) && self.graph.shape(term).len() <= 1 {
                found.bias.push(term);
            } else if let Some(u) = self.product_with(term, h) {
                found.u.replace(u).is_none().then_some(())?;
            } else if let Some((w, x)) = self.input(term) {
                found.w.replace(w).is_none().then_some(())?;
                found.x = Some(x);
            } else if let Some(p) = c.and_then(|c| self.times(term, c)).filter(|p| self.is_vector(*p)) {
                found.diagonal.replace(p).is_none().then_some(())?;
            } else if !other(term) {
                return None;
            }
        }
        Some(found)
    }

    fn is_vector(&self, id: NodeId) -> bool {
        self.is_constant(id) && self.graph.shape(id).len() == 1
    }

    /// A product with something that the recurrence does not touch.
    fn input(&self, id: NodeId) -> Option<(NodeId, NodeId)> {
        match self.op(id) {
            Op::MatMul(w, x)
                if self.is_matrix(*w) && !self.component.contains(x) && !self.is_constant(*x) =>
            {
                Some((*w, *x))
            }
            _ => None,
        }
    }

    fn plain(&self, (s, def, h): State) -> Option<Cell> {
        let (f, e) = self.activation(def)?;
        let gate = self.affine(e, h, None, |_| false)?;
        self.cell(Kind::Plain, (s, def), None, vec![gate], vec![f])
    }

    fn memory(&self, (s, def, h): State, (t, c_def, c): State) -> Option<Cell> {
        let squashed = |id| self.activation(id).filter(|(_, e)| *e == c_def);
        let (a, b) = self.pair(Binary::Mul, def)?;
        let (o, (last, _)) = squashed(b).map(|f| (a, f)).or_else(|| squashed(a).map(|f| (b, f)))?;
        let (a, b) = self.pair(Binary::Add, c_def)?;
        let (f, new) = (self.times(a, c).map(|f| (f, b))).or_else(|| self.times(b, c).map(|f| (f, a)))?;
        let (a, b) = self.pair(Binary::Mul, new)?;
        // Which factor is the gate, its activation function tells: the other operands decide if both fit.
        [(a, b), (b, a)].into_iter().find_map(|(i, g)| {
            let gate = |id, c| {
                let (f, e) = self.activation(id)?;
                Some((f, self.affine(e, h, Some(c), |_| false)?))
            };
            let (i, o, f) = (gate(i, c)?, gate(o, c_def)?, gate(f, c)?);
            let (g_f, g) = self.activation(g)?;
            let g = self.affine(g, h, None, |_| false)?;
            if i.0 != "Sigmoid" || o.0 != i.0 || f.0 != i.0 {
                return None;
            }
            let gates = vec![i.1, o.1, f.1, g];
            self.cell(Kind::Memory, (s, def), Some((t, c_def)), gates, vec![i.0, g_f, last])
        })
    }

    fn reset_cell(&self, (s, def, h): State) -> Option<Cell> {
        let (a, b) = self.pair(Binary::Add, def)?;
        let (keep, new) = (self.times(a, h).map(|k| (k, b))).or_else(|| self.times(b, h).map(|k| (k, a)))?;
        let (a, b) = self.pair(Binary::Mul, new)?;
        [(a, b), (b, a)].into_iter().find_map(|(weight, n)| {
            // h = z h' + (1 − z) n, or the other way about.
            let (z, sign) = match (self.rest_of(weight), self.rest_of(keep)) {
                (Some(z), _) if z == keep => (keep, 1.0),
                (_, Some(z)) if z == weight => (weight, -1.0),
                _ => return None,
            };
            let (f, e) = self.activation(z).filter(|(f, _)| *f == "Sigmoid")?;
            let z = Affine { sign, ..self.affine(e, h, None, |_| false)? };
            let (g, e) = self.activation(n)?;
            let (mut reset, mut after, mut recurrent) = (None, false, None);
            let mut candidate = self.affine(e, h, None, |term| {
                let Some((r, u, bias, late)) = self.reset(term, h) else { return false };
                (after, recurrent) = (late, Some((u, bias)));
                reset.replace(r).is_none()
            })?;
            if candidate.u.is_some() {
                return None;
            }
            let (u, bias) = recurrent?;
            (candidate.u, candidate.recurrent_bias) = (Some(u), bias);
            let (r_f, e) = self.activation(reset?)?;
            let r = self.affine(e, h, None, |_| false)?;
            (r_f == f).then_some(())?;
            self.cell(Kind::Reset { after }, (s, def), None, vec![z, r, candidate], vec![f, g])
        })
    }

    /// `U (r ⊙ h)` or `r ⊙ (U h + b)`: r, U, b and whether the gate comes after the product.
    fn reset(&self, term: NodeId, h: NodeId) -> Option<(NodeId, NodeId, Vec<NodeId>, bool)> {
        if let Op::MatMul(u, v) = self.op(term) {
            let r = self.times(*v, h).filter(|_| self.is_matrix(*u))?;
            return Some((r, *u, Vec::new(), false));
        }
        let (a, b) = self.pair(Binary::Mul, term)?;
        [(a, b), (b, a)].into_iter().find_map(|(r, e)| {
            let inner = self.affine(e, h, None, |_| false)?;
            match inner {
                Affine { u: Some(u), w: None, diagonal: None, bias, .. } => Some((r, u, bias, true)),
                _ => None,
            }
        })
    }

    /// If all gates read one input and all is as large as it must be.
    fn cell(
        &self,
        kind: Kind,
        h: (StateId, NodeId),
        c: Option<(StateId, NodeId)>,
        gates: Vec<Affine>,
        activations: Vec<&'static str>,
    ) -> Option<Cell> {
        let mut inputs = gates.iter().filter_map(|g| g.x);
        let x = inputs.next()?;
        if inputs.any(|other| other != x) {
            return None;
        }
        let length = |id: NodeId| match self.graph.shape(id).as_slice() {
            [n] => n.as_constant().and_then(|n| usize::try_from(n).ok()),
            _ => None,
        };
        let (units, width) = (length(h.1)?, length(x)?);
        let whole = units > 0 && width > 0;
        whole.then_some(Cell { kind, x, units, inputs: width, h, c, gates, activations })
    }
}
