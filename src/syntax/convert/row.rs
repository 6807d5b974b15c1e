//! Operators and operands in one row become a tree, by precedence.
//!
//! The levels are those of the grammar's comment. `not` stands before a comparison, `−` before a
//! product of matrices, and one `−` behind `^`; elsewhere they are refused.

use super::{Convert, Node};
use crate::source::Span;
use crate::syntax::ast::*;
use crate::syntax::print::{Style, print_expr};
use crate::syntax::{Rule, errors};
use std::iter::Peekable;
use std::vec::IntoIter;

const OR: u8 = 3;
const COMPARE: u8 = 6;
const SIGN: u8 = 10;
const PRODUCT: u8 = 11;
const POWER: u8 = 12;

enum Part {
    Not(Span),
    Minus(Span),
    Operand(Expr),
    Op(BinaryOp, Span),
}

type Parts = Peekable<IntoIter<Part>>;

impl Convert<'_> {
    pub fn row(&mut self, node: Node) -> Option<Expr> {
        let mut parts = Vec::new();
        for part in node.into_inner() {
            let span = self.span(&part);
            parts.push(match part.as_rule() {
                Rule::prefix if part.as_str() == "not" => Part::Not(span),
                Rule::prefix | Rule::minus => Part::Minus(span),
                Rule::postfix => Part::Operand(self.expr(part)?),
                _ => Part::Op(operator(part.as_str())?, span),
            });
        }
        self.climb(&mut parts.into_iter().peekable(), OR)
    }

    /// Everything joined by operators of `least` or tighter.
    fn climb(&mut self, parts: &mut Parts, least: u8) -> Option<Expr> {
        let mut left = self.operand(parts, least)?;
        let mut comparison: Option<Span> = None;
        while let Some(Part::Op(op, _)) = parts.peek() {
            let level = level(*op);
            if level < least {
                break;
            }
            let Some(Part::Op(op, op_span)) = parts.next() else { break };
            let right = match (op, parts.peek()) {
                (BinaryOp::Pow, Some(Part::Minus(minus))) => {
                    let minus = *minus;
                    parts.next();
                    prefixed(minus, self.climb(parts, POWER)?, ExprKind::Neg)
                }
                // To the right.
                (BinaryOp::Pow, _) => self.climb(parts, POWER)?,
                _ => self.climb(parts, level + 1)?,
            };
            if level == COMPARE {
                if let Some(first) = comparison {
                    self.errors.push(errors::comparison_chain(first, op_span, middle(&left)));
                }
                comparison = Some(op_span);
            }
            let span = left.span.to(right.span);
            let kind = ExprKind::Binary { op, op_span, left: Box::new(left), right: Box::new(right) };
            left = Expr { kind, span };
        }
        Some(left)
    }

    fn operand(&mut self, parts: &mut Parts, least: u8) -> Option<Expr> {
        let (span, word, inner, wrap): (_, _, _, fn(Box<Expr>) -> ExprKind) = match parts.next()? {
            Part::Operand(expr) => return Some(expr),
            Part::Op(..) => return None,
            Part::Not(span) if least < COMPARE => {
                // A further `not` is no comparison but may stand here.
                let least = if matches!(parts.peek(), Some(Part::Not(_))) { COMPARE - 1 } else { COMPARE };
                return Some(prefixed(span, self.climb(parts, least)?, ExprKind::Not));
            }
            Part::Minus(span) if least <= SIGN => {
                let least = if matches!(parts.peek(), Some(Part::Minus(_))) { SIGN } else { PRODUCT };
                return Some(prefixed(span, self.climb(parts, least)?, ExprKind::Neg));
            }
            Part::Not(span) => (span, "not", COMPARE - 1, ExprKind::Not),
            Part::Minus(span) => (span, "-", SIGN, ExprKind::Neg),
        };
        let whole = prefixed(span, self.climb(parts, inner)?, wrap);
        self.errors.push(errors::prefix_out_of_place(span, word, whole.span));
        Some(whole)
    }
}

/// Of `a < b`, what the next comparison shares with it: behind it, and how it is written, if that is short.
fn middle(left: &Expr) -> Option<(Span, String)> {
    let ExprKind::Binary { right: middle, .. } = &left.kind else { return None };
    let written = print_expr(middle, Style::UNICODE);
    let end = Span { start: middle.span.end, ..middle.span };
    (written.len() < 60).then_some((end, written))
}

fn prefixed(start: Span, inner: Expr, wrap: fn(Box<Expr>) -> ExprKind) -> Expr {
    let span = start.to(inner.span);
    Expr { kind: wrap(Box::new(inner)), span }
}

fn operator(text: &str) -> Option<BinaryOp> {
    Some(match text {
        "or" => BinaryOp::Or,
        "and" => BinaryOp::And,
        "==" => BinaryOp::Eq,
        "!=" | "≠" => BinaryOp::Ne,
        "<=" | "≤" => BinaryOp::Le,
        ">=" | "≥" => BinaryOp::Ge,
        "<" => BinaryOp::Lt,
        ">" => BinaryOp::Gt,
        "++" => BinaryOp::Cat,
        "+" => BinaryOp::Add,
        "-" | "−" => BinaryOp::Sub,
        "*" | "⊙" => BinaryOp::Mul,
        "/" => BinaryOp::Div,
        "mod" => BinaryOp::Mod,
        "div" => BinaryOp::IntDiv,
        "@" | "·" => BinaryOp::MatMul,
        "^" => BinaryOp::Pow,
        _ => return None,
    })
}

fn level(op: BinaryOp) -> u8 {
    match op {
        BinaryOp::Or => OR,
        BinaryOp::And => 4,
        BinaryOp::Eq | BinaryOp::Ne | BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge => COMPARE,
        BinaryOp::Cat => 7,
        BinaryOp::Add | BinaryOp::Sub => 8,
        BinaryOp::Mul | BinaryOp::Div | BinaryOp::Mod | BinaryOp::IntDiv => 9,
        BinaryOp::MatMul => PRODUCT,
        BinaryOp::Pow => POWER,
    }
}
