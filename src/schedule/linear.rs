//! Whether a recurrence is linear in its state.
//!
//! In: the members of a loop. Out: [`Linearity`], or nothing if some member is no linear function of what the members read
//! of themselves. A member is linear if it adds linear members, or multiplies one by what no member decides (`a ⊙ s[t-1] + b`
//! with `a` and `b` from outside). All values from outside are there before the loop, for every point, products first; if
//! besides no member mixes components, nothing but elementwise work is left in the loop, and its steps may be joined in any
//! grouping: (a, b) then (c, d) is (c ⊙ a, c ⊙ b + d), a scan (Blelloch 1990).

use super::value::{Flow, Op, Val};
use crate::eqn::{Binary, Fold, Unary};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Linearity {
    /// Component k of the state comes from component k of the states it reads.
    Diagonal,
    /// Components are mixed: by a product, a sum, another place.
    Full,
}

/// `members`: of one loop and those inside it, ascending.
pub fn linearity(flow: &Flow, members: &[Val]) -> Option<Linearity> {
    let is_member = |v: Val| members.binary_search(&v).is_ok();
    let mut diagonal = true;
    for v in members {
        let inside = |vals: &[Val]| vals.iter().filter(|o| is_member(**o)).count();
        match flow.op(*v) {
            Op::Lag { .. } | Op::Collect { .. } | Op::Copy(_) | Op::Reshape(_) => {}
            Op::Unary(Unary::Neg, _) => {}
            Op::Binary(Binary::Add | Binary::Sub, ..) => {}
            Op::Binary(Binary::Mul | Binary::MulZero, a, b) if inside(&[*a, *b]) == 1 => {}
            Op::Binary(Binary::Div, _, b) if !is_member(*b) => {}
            Op::Select(c, ..) if !is_member(*c) => {}
            Op::Fold { fold: Fold::Sum, .. } => {}
            Op::Slice { .. } | Op::Transpose(_) | Op::Concat(_) | Op::Spread(_) | Op::Acc(_) => {
                diagonal = false
            }
            Op::Reduce { fold: Fold::Sum, .. } => diagonal = false,
            Op::MatMul(a, b) | Op::Outer(a, b) if inside(&[*a, *b]) == 1 => diagonal = false,
            Op::Gather { index, .. } | Op::Scatter { index, .. } if !is_member(*index) => diagonal = false,
            _ => return None,
        }
    }
    Some(if diagonal { Linearity::Diagonal } else { Linearity::Full })
}
