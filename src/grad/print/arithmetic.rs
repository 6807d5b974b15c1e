//! Sums and products, each written as one: terms with their signs in the author's order, factors with numbers in front.

use super::place::Place;
use super::tree;
use super::write::{DEPTH, Writer, Written};
use crate::eqn::{Binary, Level, NodeId, Op, SourceKind, Unary};
use crate::syntax::ast::{BinaryOp, Expr, ExprKind, Mark};

/// Factors of a product with whether they divide, its number and its sign.
struct Factors {
    all: Vec<(NodeId, bool)>,
    number: f64,
    negative: bool,
}

/// An expression without the minus that its first factor begins with, and whether there was one.
fn signed(expr: Expr) -> (bool, Expr) {
    match expr.kind {
        ExprKind::Neg(inner) => (true, *inner),
        ExprKind::Binary { op: op @ (BinaryOp::Mul | BinaryOp::Div), left, right, .. } => {
            let (negative, left) = signed(*left);
            (negative, tree::binary(op, left, *right))
        }
        _ => (false, expr),
    }
}

impl Writer<'_> {
    /// Terms with their signs: what arrives from outside first, then what comes from this point, then
    /// from other points, each in the order of the author's equations.
    pub fn sum(&mut self, id: NodeId, at: &Place) -> Written<Expr> {
        let terms = self.terms(id);
        let any_wide = terms.iter().any(|(t, _)| self.is_wide(*t));
        let mut written = Vec::new();
        for (term, negative) in terms {
            let key = self.term_key(term);
            let wide = any_wide && !self.is_wide(term);
            let (minus, value) = match self.graph.node(term).op {
                Op::Binary(Binary::Mul | Binary::MulZero | Binary::Div, ..)
                    if !self.names.contains_key(&term) =>
                {
                    self.product(term, at)?
                }
                _ => signed(self.narrow(term, at, wide)?),
            };
            written.push((key, negative != minus, value));
        }
        written.sort_by_key(|w| w.0);
        // A sum does not begin with a minus if it can begin without.
        if let Some(first) = written.iter().position(|w| !w.1) {
            let first = written.remove(first);
            written.insert(0, first);
        }
        let mut sum: Option<Expr> = None;
        for (_, negative, value) in written {
            sum = Some(match (sum, negative) {
                (None, false) => value,
                (None, true) => tree::neg(value),
                (Some(sum), false) => tree::binary(BinaryOp::Add, sum, value),
                (Some(sum), true) => tree::binary(BinaryOp::Sub, sum, value),
            });
        }
        Ok(sum.unwrap_or_else(|| tree::number(0.0)))
    }

    fn terms(&mut self, root: NodeId) -> Vec<(NodeId, bool)> {
        let (mut open, mut terms) = (vec![(root, false)], Vec::new());
        while let Some((id, negative)) = open.pop() {
            let is_open = id == root || !self.names.contains_key(&id);
            // What is dissolved into the sum is done, too.
            let known = terms.len();
            match self.graph.node(id).op {
                Op::Binary(Binary::Add, a, b) if is_open => open.extend([(b, negative), (a, negative)]),
                Op::Binary(Binary::Sub, a, b) if is_open => open.extend([(b, !negative), (a, negative)]),
                Op::Unary(Unary::Neg, a) if is_open => open.push((a, !negative)),
                _ => terms.push((id, negative)),
            }
            if terms.len() == known {
                self.written.insert(id);
            }
        }
        terms
    }

    /// Derived terms are ordered; forward sums stay as the author wrote them.
    fn term_key(&self, id: NodeId) -> (u8, (u32, u32)) {
        let mut leaf = id;
        let mut moved = false;
        for _ in 0..DEPTH {
            if id.index() < self.forward {
                return (0, (0, 0));
            }
            if let Op::Source(s) = self.graph.node(leaf).op
                && self.graph.sources[s.index()].kind == SourceKind::Cotangent
            {
                return (0, (0, 0));
            }
            if self.names.contains_key(&leaf) && leaf != id || leaf.index() < self.forward {
                break;
            }
            leaf = match self.graph.node(leaf).op {
                Op::Lag { state, .. } if state.index() >= self.states => {
                    moved = true;
                    match self.graph.states[state.index()].def {
                        Some(def) => def,
                        None => break,
                    }
                }
                // Of a product with a parameter the adjoint is the vector.
                Op::MatMul(a, b) if self.is_below(a) && !self.is_below(b) => b,
                Op::MatMul(a, b) if self.graph.shape(a).len() == 2 && self.graph.shape(b).len() == 1 => b,
                _ => match self.graph.node(leaf).op.operands().next() {
                    Some(first) => first,
                    None => break,
                },
            };
        }
        (1 + moved as u8, self.ranks.get(&leaf).copied().unwrap_or((u32::MAX, leaf.0)))
    }

    fn is_below(&self, id: NodeId) -> bool {
        self.graph.level(id) == Level::Shared
    }

    /// Factors in their order, numbers in front. The sign is returned apart.
    pub fn product(&mut self, id: NodeId, at: &Place) -> Written<(bool, Expr)> {
        let mut found = Factors { all: Vec::new(), number: 1.0, negative: false };
        self.factors(id, false, &mut found);
        let any_wide = found.all.iter().any(|f| self.is_wide(f.0));
        // Beside an array a spread scalar is a factor like any other.
        for (factor, divides) in std::mem::take(&mut found.all) {
            match self.graph.node(factor).op {
                Op::Spread(a) if any_wide && !self.names.contains_key(&factor) => {
                    match self.names.contains_key(&a) {
                        true => found.all.push((a, divides)),
                        false => self.factors(a, divides, &mut found),
                    }
                }
                _ => found.all.push((factor, divides)),
            }
        }
        let Factors { all: factors, mut number, mut negative } = found;
        let mut product: Option<Expr> = None;
        if number < 0.0 {
            negative = !negative;
            number = -number;
        }
        if number != 1.0 || factors.first().is_none_or(|f| f.1) {
            product = Some(tree::number(number));
        }
        let mut i = 0;
        while let Some((factor, divides)) = factors.get(i).copied() {
            i += 1;
            let spread = any_wide && !self.is_wide(factor);
            let mut value = self.narrow(factor, at, spread)?;
            if !divides && factors.get(i) == Some(&(factor, false)) {
                i += 1;
                value = tree::mark(value, Mark::Square);
            }
            if matches!(value.kind, ExprKind::Binary { op: BinaryOp::MatMul, .. }) {
                value = tree::paren(value);
            }
            product = Some(match product {
                None => value,
                Some(product) => {
                    let op = if divides { BinaryOp::Div } else { BinaryOp::Mul };
                    tree::binary(op, product, value)
                }
            });
        }
        Ok((negative, product.unwrap_or_else(|| tree::number(number))))
    }

    fn factors(&mut self, root: NodeId, divides: bool, found: &mut Factors) {
        let mut open = vec![(root, divides)];
        while let Some((id, divides)) = open.pop() {
            let is_open = id == root || !self.names.contains_key(&id);
            let known = found.all.len();
            match self.graph.node(id).op {
                Op::Binary(Binary::Mul | Binary::MulZero, a, b) if is_open => {
                    open.extend([(b, divides), (a, divides)]);
                }
                Op::Binary(Binary::Div, a, b) if is_open => open.extend([(b, !divides), (a, divides)]),
                Op::Unary(Unary::Neg, a) if is_open => {
                    found.negative = !found.negative;
                    open.push((a, divides));
                }
                Op::Const(c) if c.is_finite() && !divides => found.number *= c,
                _ => found.all.push((id, divides)),
            }
            if found.all.len() == known {
                self.written.insert(id);
            }
        }
    }
}
