//! One walk of an expression into [`Math`].
//!
//! In: the tree of an equation, and a [`Notation`]. Out: a [`Formula`]: its left side, and its right side in pieces
//! between which a line may end. Braces are written out: one formula for each of their words.

use super::names;
use super::{Math, Symbol};
use crate::syntax::ast::*;
use std::collections::{BTreeMap, BTreeSet};

/// How names and places are shown.
#[derive(Clone, Debug, Default)]
pub struct Notation {
    /// Names that have one value per point, with the variable that stands below them where no place does.
    pub over: BTreeMap<String, String>,
    /// Variables of chains: `[prev t]` is `t − 1`.
    pub chains: BTreeSet<String>,
    /// Names of values before the first point, with the state that each is of: it is that state at 0.
    pub starts: BTreeMap<String, String>,
}

/// One equation.
#[derive(Clone, Debug, PartialEq)]
pub struct Formula {
    /// The names it defines.
    pub names: Vec<String>,
    pub left: Math,
    /// Beside each other; a line may end before each but the first.
    pub right: Vec<Math>,
}

// How tightly an expression holds together.
const LOOSE: u8 = 0;
const AND: u8 = 1;
const COMPARISON: u8 = 2;
const SUM: u8 = 3;
const PRODUCT: u8 = 4;
const MATRIX: u8 = 5;
const ATOM: u8 = 6;
/// Tighter than anything: always in brackets.
const FENCED: u8 = 7;

impl Notation {
    /// The formulas of an equation, one for each word of its braces.
    pub fn equation(&self, equation: &Equation) -> Vec<Formula> {
        let count = equation.targets.iter().map(|t| words(&t.name)).max().unwrap_or(1);
        (0..count).map(|word| self.member(equation, word)).collect()
    }

    /// The formula of one word of its braces.
    pub fn member(&self, equation: &Equation, word: usize) -> Formula {
        let walk = Walk { notation: self, word };
        let targets = equation.targets.iter();
        Formula {
            names: targets.clone().map(|t| plain(&t.name, word)).collect(),
            left: Math::list(targets.map(|t| walk.target(t))),
            right: walk.pieces(&equation.value),
        }
    }

    /// An expression alone.
    pub fn expr(&self, e: &Expr) -> Math {
        Walk { notation: self, word: 0 }.expr(e, LOOSE)
    }

    /// A name alone, at this point.
    pub fn name(&self, name: &str) -> Math {
        Walk { notation: self, word: 0 }.written(name, None)
    }
}

fn words(pattern: &Pattern) -> usize {
    let group = |p: &Piece| match p {
        Piece::Group(words) => Some(words.len()),
        Piece::Text(_) => None,
    };
    pattern.pieces.iter().find_map(group).unwrap_or(1)
}

/// The name that a pattern stands for.
fn plain(pattern: &Pattern, word: usize) -> String {
    let text: String = pattern
        .pieces
        .iter()
        .map(|p| match p {
            Piece::Text(text) => text.to_string(),
            Piece::Group(words) => words.get(word).map(|w| w.to_string()).unwrap_or_default(),
        })
        .collect();
    crate::syntax::names::canonical(&text)
}

struct Walk<'a> {
    notation: &'a Notation,
    /// Which word of braces is written.
    word: usize,
}

impl Walk<'_> {
    fn target(&self, target: &Target) -> Math {
        let name = plain(&target.name, self.word);
        if target.index.is_empty() {
            return self.written(&name, None);
        }
        let places = target.index.iter().map(|index| match index {
            TargetIndex::Binder(binder) => names::name(&binder.name.name, None),
            TargetIndex::Expr(e) => self.expr(e, SUM),
        });
        self.written(&name, Some(Math::list(places)))
    }

    /// The terms of a sum, each with its sign.
    fn pieces(&self, e: &Expr) -> Vec<Math> {
        match &e.kind {
            ExprKind::Paren(inner) => self.pieces(inner),
            ExprKind::Binary { op: op @ (BinaryOp::Add | BinaryOp::Sub), left, right, .. } => {
                let mut pieces = self.pieces(left);
                let sign = if *op == BinaryOp::Add { Symbol::PLUS } else { Symbol::MINUS };
                pieces.push(Math::row([Math::Symbol(sign), self.expr(right, PRODUCT)]));
                pieces
            }
            _ => vec![self.expr(e, SUM)],
        }
    }

    /// In brackets if it holds together less than `level` asks.
    fn expr(&self, e: &Expr, level: u8) -> Math {
        let (math, own) = self.bare(e);
        if own < level { math.fenced(Symbol::PAREN) } else { math }
    }

    fn bare(&self, e: &Expr) -> (Math, u8) {
        match &e.kind {
            ExprKind::Number(_, digits) => number(digits),
            ExprKind::Str(text) => (Math::Text(format!("“{text}”")), ATOM),
            ExprKind::Bool(b) => (Math::word(b.to_string()), ATOM),
            ExprKind::Hole => (Math::Text("_".into()), ATOM),
            ExprKind::Name(p) => (self.written(&plain(p, self.word), None), ATOM),
            ExprKind::List(items) => (self.list(items.iter()).fenced(Symbol::BRACKET), ATOM),
            ExprKind::Paren(inner) => self.bare(inner),
            ExprKind::Neg(a) => (Math::row([Math::Symbol(Symbol::NEGATIVE), self.expr(a, PRODUCT)]), SUM),
            ExprKind::Not(a) => (Math::row([Math::Symbol(Symbol::NOT), self.expr(a, ATOM)]), PRODUCT),
            ExprKind::Binary { op, left, right, .. } => self.binary(*op, left, right),
            ExprKind::Cond { .. } => (self.cases(e), ATOM),
            ExprKind::Call { callee, args } => self.call(callee, args),
            ExprKind::Index { base, places } => (self.index(base, places), ATOM),
            ExprKind::Field { base, field } => (self.field(base, &plain(field, self.word), None), ATOM),
            ExprKind::Pipe { value, into } => {
                let value = self.expr(value, LOOSE).fenced(Symbol::PAREN);
                (Math::row([self.expr(into, ATOM), value]), ATOM)
            }
            ExprKind::Mark { base, mark } => {
                let mark = match mark {
                    Mark::Transpose => Math::Symbol(Symbol::TOP),
                    Mark::Square => Math::number("2"),
                    Mark::Cube => Math::number("3"),
                };
                (self.expr(base, if is_short(base) { LOOSE } else { FENCED }).raised(mark), ATOM)
            }
            ExprKind::Reduce { fold, binders, where_, body } => {
                let mut parts: Vec<Math> =
                    binders.iter().map(|b| self.large(*fold, b, where_.as_deref())).collect();
                parts.push(self.expr(body, PRODUCT));
                (Math::row(parts), PRODUCT)
            }
        }
    }

    /// A large operator with what its variable runs over.
    fn large(&self, fold: Fold, binder: &Binder, where_: Option<&Expr>) -> Math {
        let base = match fold {
            Fold::Sum => Math::Symbol(Symbol::SUM),
            Fold::Prod => Math::Symbol(Symbol::PROD),
            Fold::Max => Math::word("max"),
            Fold::Min => Math::word("min"),
            Fold::Mean => Math::word("mean"),
            Fold::Concat => Math::word("concat"),
        };
        let variable = names::name(&binder.name.name, None);
        let lo = self.expr(&binder.set.lo, SUM);
        let (sign, over) = match &binder.set.hi {
            Some(hi) => (Symbol::EQUALS, Some(Box::new(self.expr(hi, SUM)))),
            None => (Symbol::IN, None),
        };
        let mut under = Math::row([variable, Math::Symbol(sign), lo]);
        if let Some(guard) = where_ {
            under = Math::list([under, self.expr(guard, LOOSE)]);
        }
        Math::Limits { base: Box::new(base), under: Some(Box::new(under)), over }
    }

    fn cases(&self, e: &Expr) -> Math {
        let (mut cases, mut rest) = (Vec::new(), e);
        loop {
            match &rest.kind {
                ExprKind::Paren(inner) => rest = inner,
                ExprKind::Cond { cond, then, else_ } => {
                    cases.push((self.expr(then, LOOSE), Some(self.expr(cond, LOOSE))));
                    rest = else_;
                }
                _ => break,
            }
        }
        cases.push((self.expr(rest, LOOSE), None));
        Math::Cases(cases)
    }

    fn binary(&self, op: BinaryOp, left: &Expr, right: &Expr) -> (Math, u8) {
        let join = |sign: Symbol, a: u8, b: u8, own: u8| {
            (Math::row([self.expr(left, a), Math::Symbol(sign), self.expr(right, b)]), own)
        };
        match op {
            BinaryOp::Or => join(Symbol::OR, LOOSE, AND, LOOSE),
            BinaryOp::And => join(Symbol::AND, AND, COMPARISON, AND),
            BinaryOp::Eq => join(Symbol::EQUALS, SUM, SUM, COMPARISON),
            BinaryOp::Ne => join(Symbol::NE, SUM, SUM, COMPARISON),
            BinaryOp::Lt => join(Symbol::LT, SUM, SUM, COMPARISON),
            BinaryOp::Le => join(Symbol::LE, SUM, SUM, COMPARISON),
            BinaryOp::Gt => join(Symbol::GT, SUM, SUM, COMPARISON),
            BinaryOp::Ge => join(Symbol::GE, SUM, SUM, COMPARISON),
            BinaryOp::Cat => {
                let mut parts = Vec::new();
                self.joined(left, &mut parts);
                parts.extend([Math::Symbol(Symbol::SEMICOLON), self.expr(right, SUM)]);
                (Math::row(parts).fenced(Symbol::BRACKET), ATOM)
            }
            BinaryOp::Add => join(Symbol::PLUS, SUM, PRODUCT, SUM),
            BinaryOp::Sub => join(Symbol::MINUS, SUM, PRODUCT, SUM),
            BinaryOp::Mul => {
                let sign = if is_number(left) || is_number(right) { Symbol::TIMES } else { Symbol::ODOT };
                // Beside cases it would not be seen where they end.
                let level = |e: &Expr, level: u8| if is_cases(e) { FENCED } else { level };
                join(sign, level(left, PRODUCT), level(right, MATRIX), PRODUCT)
            }
            BinaryOp::Div => {
                let (a, b) = (self.expr(left, LOOSE), self.expr(right, LOOSE));
                (Math::Fraction(Box::new(a), Box::new(b)), MATRIX)
            }
            BinaryOp::Mod => join(Symbol::MOD, PRODUCT, MATRIX, PRODUCT),
            BinaryOp::IntDiv => join(Symbol::DIV, PRODUCT, MATRIX, PRODUCT),
            BinaryOp::MatMul => join(Symbol::TIMES, MATRIX, ATOM, MATRIX),
            BinaryOp::Pow => {
                let base = self.expr(left, if is_short(left) { LOOSE } else { FENCED });
                (base.raised(self.expr(right, LOOSE)), ATOM)
            }
        }
    }

    /// The parts of what is joined by `++`.
    fn joined(&self, e: &Expr, parts: &mut Vec<Math>) {
        match &e.kind {
            ExprKind::Paren(inner) => self.joined(inner, parts),
            ExprKind::Binary { op: BinaryOp::Cat, left, right, .. } => {
                self.joined(left, parts);
                parts.extend([Math::Symbol(Symbol::SEMICOLON), self.expr(right, SUM)]);
            }
            _ => parts.push(self.expr(e, SUM)),
        }
    }

    fn list<'e>(&self, items: impl Iterator<Item = &'e Expr>) -> Math {
        Math::list(items.map(|e| self.expr(e, LOOSE)))
    }

    fn call(&self, callee: &Expr, args: &[Arg]) -> (Math, u8) {
        let name = match &callee.kind {
            ExprKind::Name(p) => plain(p, self.word),
            _ => String::new(),
        };
        let only = |arg: &Arg| self.expr(&arg.value, LOOSE);
        match (name.as_str(), args) {
            // a bᵀ
            ("outer", [a, b]) => {
                let a = self.expr(&a.value, MATRIX);
                let b = self.expr(&b.value, if is_short(&b.value) { LOOSE } else { FENCED });
                let b = b.raised(Math::Symbol(Symbol::TOP));
                return (Math::row([a, Math::Symbol(Symbol::TIMES), b]), MATRIX);
            }
            ("sqrt", [a]) => return (Math::Root(Box::new(only(a))), ATOM),
            ("abs", [a]) => return (only(a).fenced(Symbol::BARS), ATOM),
            ("norm", [a]) => return (only(a).fenced(Symbol::NORM), ATOM),
            ("floor", [a]) => return (only(a).fenced(Symbol::FLOOR), ATOM),
            _ => {}
        }
        let head = match &callee.kind {
            // A function is no value, so nothing is marked together with it.
            ExprKind::Name(_) if name.chars().count() > 1 => Math::word(name),
            ExprKind::Name(_) => names::name(&name, None),
            _ => self.expr(callee, ATOM),
        };
        let args = args.iter().map(|arg| {
            let value = self.expr(&arg.value, LOOSE);
            let Some(name) = &arg.name else { return value };
            let path: Vec<&str> = name.path.iter().map(|p| &*p.name).collect();
            let shown = names::name(&path.join("."), name.prev.then(|| Math::word("prev")));
            Math::row([shown, Math::Symbol(Symbol::EQUALS), value])
        });
        (Math::row([head, Math::list(args).fenced(Symbol::PAREN)]), ATOM)
    }

    fn index(&self, base: &Expr, places: &[Place]) -> Math {
        let places = places.iter().map(|p| match p {
            Place::Prev(v) => self.neighbour(v, Symbol::MINUS, "prev"),
            Place::Next(v) => self.neighbour(v, Symbol::PLUS, "next"),
            Place::At(Set { lo, hi: None, .. }) => self.expr(lo, SUM),
            Place::At(Set { lo, hi: Some(hi), .. }) => {
                Math::row([self.expr(lo, SUM), Math::Symbol(Symbol::COLON), self.expr(hi, SUM)])
            }
        });
        let place = Math::list(places);
        match &base.kind {
            ExprKind::Name(p) => self.written(&plain(p, self.word), Some(place)),
            ExprKind::Field { base, field } => self.field(base, &plain(field, self.word), Some(place)),
            ExprKind::Index { .. } => self.expr(base, ATOM).lowered(place),
            ExprKind::Paren(_) => self.expr(base, LOOSE).fenced(Symbol::PAREN).lowered(place),
            _ => self.expr(base, FENCED).lowered(place),
        }
    }

    fn neighbour(&self, v: &Ident, sign: Symbol, word: &str) -> Math {
        match self.notation.chains.contains(&*v.name) {
            true => Math::row([names::name(&v.name, None), Math::Symbol(sign), Math::number("1")]),
            false => Math::row([Math::word(word), Math::Symbol(Symbol::TIMES), names::name(&v.name, None)]),
        }
    }

    /// A value of an instance: `m.h` is one name.
    fn field(&self, base: &Expr, field: &str, place: Option<Math>) -> Math {
        match path(base, self.word) {
            Some(path) => self.written(&format!("{path}.{field}"), place),
            None => {
                let field = names::name(field, place);
                Math::row([self.expr(base, ATOM), Math::Symbol(Symbol::DOT), field])
            }
        }
    }

    fn written(&self, name: &str, place: Option<Math>) -> Math {
        let place = place.or_else(|| self.notation.over.get(name).map(|v| names::name(v, None)));
        let (bare, end) = name.strip_suffix("_adj").map_or((name, ""), |bare| (bare, "_adj"));
        let shown = match self.notation.starts.get(bare) {
            Some(state) => {
                let place = Math::list([Math::number("0")].into_iter().chain(place));
                names::name(&format!("{state}{end}"), Some(place))
            }
            None => names::name(name, place),
        };
        // Nor is it with a variable.
        match self.notation.chains.contains(name) {
            true => shown,
            false => Math::Reference { name: name.to_string(), shown: Box::new(shown) },
        }
    }
}

/// The dotted name of an instance.
fn path(e: &Expr, word: usize) -> Option<String> {
    match &e.kind {
        ExprKind::Name(p) => Some(plain(p, word)),
        ExprKind::Field { base, field } => Some(format!("{}.{}", path(base, word)?, plain(field, word))),
        _ => None,
    }
}

/// `1e-8` is a number times a power of ten.
fn number(digits: &str) -> (Math, u8) {
    let Some((mantissa, exponent)) = digits.split_once(['e', 'E']) else {
        return (Math::number(digits), ATOM);
    };
    let exponent = exponent.trim_start_matches('+');
    let exponent = match exponent.strip_prefix('-') {
        Some(size) => Math::row([Math::Symbol(Symbol::NEGATIVE), Math::number(size)]),
        None => Math::number(exponent),
    };
    let power = Math::number("10").raised(exponent);
    match mantissa {
        "1" => (power, ATOM),
        _ => (Math::row([Math::number(mantissa), Math::Symbol(Symbol::CROSS), power]), PRODUCT),
    }
}

/// What a mark can stand behind without brackets.
fn is_short(e: &Expr) -> bool {
    match &e.kind {
        ExprKind::Paren(inner) => is_short(inner),
        ExprKind::Name(_)
        | ExprKind::Index { .. }
        | ExprKind::Call { .. }
        | ExprKind::Field { .. }
        | ExprKind::Number(..)
        | ExprKind::List(_) => true,
        _ => false,
    }
}

fn is_cases(e: &Expr) -> bool {
    match &e.kind {
        ExprKind::Cond { .. } => true,
        ExprKind::Paren(inner) => is_cases(inner),
        _ => false,
    }
}

fn is_number(e: &Expr) -> bool {
    match &e.kind {
        ExprKind::Number(..) => true,
        ExprKind::Paren(inner) => is_number(inner),
        _ => false,
    }
}
