//! Expressions: parentheses by precedence, lines broken before operators and `else` and inside brackets.

use super::{Printer, Source};
use crate::syntax::ast::*;
use crate::syntax::names;

/// Levels of the grammar, loosest first. A part is put in parentheses where a tighter one is wanted.
pub const LOOSEST: u8 = 1;
const PIPE: u8 = 2;
pub const OR: u8 = 3;
const AND: u8 = 4;
const NOT: u8 = 5;
const COMPARE: u8 = 6;
const CAT: u8 = 7;
pub const ADD: u8 = 8;
const MUL: u8 = 9;
const NEG: u8 = 10;
const MATMUL: u8 = 11;
const POW: u8 = 12;
pub const POSTFIX: u8 = 13;
const PRIMARY: u8 = 14;

impl<'p> Printer<'p> {
    /// An expression where one of `level` or tighter is wanted. `tight` leaves out the spaces around operators, as in `[t-1]`
    /// and `[2*H]`, unless the author has them.
    pub fn expr(&mut self, expr: &Expr, level: u8, tight: bool) {
        self.settle();
        if !self.is_flat() {
            let flat = self.flat(|p| p.expr(expr, level, tight));
            if self.fits(&flat) {
                return self.adopt(flat);
            }
        }
        // In ASCII a power that an index follows would want parentheses that the text does not have.
        let as_mark = self.is_written_mark(expr) && level > POW;
        if self.level(expr) < level && !as_mark {
            self.raw("(");
            self.reserving(self.reserve + 1, |p| p.aligned(|p| p.bare(expr, tight, false)));
            self.raw(")");
        } else {
            self.bare(expr, tight, as_mark);
        }
    }

    /// Without parentheses of its own.
    fn bare(&mut self, expr: &Expr, tight: bool, as_mark: bool) {
        match &expr.kind {
            ExprKind::Number(_, digits) => self.put(digits),
            ExprKind::Str(text) => self.string(text),
            ExprKind::Bool(value) => self.put(if *value { "true" } else { "false" }),
            ExprKind::Hole => self.put("_"),
            ExprKind::Name(pattern) => self.pattern(pattern),
            ExprKind::List(items) => {
                let is_table = items.iter().all(|i| matches!(i.kind, ExprKind::List(_)));
                self.bracketed(["[", "]"], items, is_table, |p, item| p.expr(item, LOOSEST, tight));
            }
            ExprKind::Paren(inner) => {
                self.put("(");
                self.reserving(self.reserve + 1, |p| p.aligned(|p| p.expr(inner, LOOSEST, tight)));
                self.put(")");
            }
            ExprKind::Neg(inner) => {
                if tight {
                    self.put("-")
                } else {
                    self.choose("−", "-")
                }
                self.expr(inner, NEG, tight);
            }
            ExprKind::Not(inner) => {
                self.put("not ");
                self.expr(inner, NOT, tight);
            }
            ExprKind::Binary { op: BinaryOp::Pow, op_span, left, right } => {
                self.base(left, tight);
                self.power(*op_span == right.span, right, as_mark, tight);
            }
            ExprKind::Binary { op, .. } => self.joined(expr, op_level(*op), tight),
            ExprKind::Cond { .. } => self.aligned(|p| p.cond(expr, p.align, tight)),
            ExprKind::Pipe { value, into } => {
                let (start, reserve) = (self.column, self.reserve);
                self.aligned(|p| {
                    p.reserving(0, |p| p.expr(value, PIPE, tight));
                    p.reserving(reserve, |p| {
                        p.operand(true, start, |p| {
                            p.put(" |> ");
                            p.expr(into, POSTFIX, tight);
                        });
                    });
                });
            }
            ExprKind::Call { callee, args } => {
                self.base(callee, tight);
                self.bracketed(["(", ")"], args, false, |p, arg| p.arg(arg, tight));
            }
            ExprKind::Index { base, places } => {
                self.base(base, tight);
                self.places(places);
            }
            ExprKind::Field { base, field } => {
                self.base(base, tight);
                self.put(".");
                self.pattern(field);
            }
            ExprKind::Mark { base, mark } => {
                self.base(base, tight);
                match mark {
                    Mark::Transpose => self.choose("ᵀ", "^T"),
                    Mark::Square => self.choose("²", "^2"),
                    Mark::Cube => self.choose("³", "^3"),
                }
            }
            ExprKind::Reduce { fold, binders, where_, body } => {
                let start = self.column;
                self.fold(*fold);
                self.reserving(1, |p| p.list(binders, false, |p, binder| p.binder(binder)));
                if let Some(where_) = where_ {
                    self.put(" where ");
                    self.reserving(1, |p| p.expr(where_, OR, tight));
                }
                self.put(":");
                self.reduced(body, start + 2, tight);
            }
        }
    }

    /// The body of a reduction, on the same line or on one of its own.
    fn reduced(&mut self, body: &Expr, below: usize, tight: bool) {
        let is_below = self.is_broken_here();
        let outer = std::mem::replace(&mut self.align, below);
        if self.settle() {
        } else if self.is_flat() {
            self.is_broken |= is_below;
            self.raw(" ");
        } else {
            let flat = self.flat(|p| p.expr(body, MUL, tight));
            let fits =
                |column: usize| !flat.is_broken && column + flat.column + self.reserve <= self.style.width;
            if is_below || (!fits(self.column + 1) && fits(below)) {
                self.new_line(below);
            } else {
                self.raw(" ");
            }
        }
        self.align = outer;
        self.expr(body, MUL, tight);
    }

    /// `else` begins a line if the whole does not fit on one, or the author has it so.
    fn cond(&mut self, mut expr: &Expr, start: usize, tight: bool) {
        let reserve = std::mem::take(&mut self.reserve);
        while let ExprKind::Cond { cond, then, else_ } = &expr.kind {
            self.put("if ");
            self.expr(cond, OR, tight);
            self.put(" then ");
            self.expr(then, LOOSEST, tight);
            if self.is_flat() {
                self.is_broken |= self.is_broken_here();
                self.put(" else ");
                return self.expr(else_, LOOSEST, tight);
            }
            if !self.settle() {
                self.new_line(start);
            }
            self.put("else ");
            self.reserve = reserve;
            self.settle();
            expr = else_;
            let flat = self.flat(|p| p.expr(else_, LOOSEST, tight));
            if self.fits(&flat) {
                return self.adopt(flat);
            }
        }
        self.reserve = reserve;
        self.expr(expr, LOOSEST, tight);
    }

    /// What a call, index, field or mark stands behind.
    fn base(&mut self, base: &Expr, tight: bool) {
        let level = if ends_open(base) { PRIMARY + 1 } else { POSTFIX };
        self.expr(base, level, tight);
    }

    /// Operands joined by operators of one level; one that no longer fits begins a line with its operator.
    fn joined(&mut self, whole: &Expr, level: u8, tight: bool) {
        // The body of a reduction takes every product that follows it.
        let is_open = |left: &Expr| level >= MUL && ends_open(left);
        let mut rest = Vec::new();
        let mut first = whole;
        while let ExprKind::Binary { op, left, right, .. } = &first.kind
            && op_level(*op) == level
            && (rest.is_empty() || (level != COMPARE && !is_open(first)))
        {
            rest.push((*op, &**left, &**right));
            first = left;
        }
        let first_level = match level {
            _ if is_open(first) => PRIMARY + 1,
            COMPARE => level + 1,
            _ => level,
        };
        let (start, reserve) = (self.column, self.reserve);
        self.aligned(|p| {
            p.reserve = 0;
            p.expr(first, first_level, tight);
            while let Some((op, left, right)) = rest.pop() {
                p.reserve = if rest.is_empty() { reserve } else { 0 };
                let write = |p: &mut Printer<'p>| {
                    p.operator(op, left, right, tight);
                    p.expr(right, level + 1, tight);
                };
                match tight || p.is_closed(op, left, right, tight) {
                    true => write(p),
                    // Terms of a sum stand where the author put them.
                    false => p.operand(level == ADD, start, write),
                }
            }
        });
        self.reserve = reserve;
    }

    /// An operator and its operand, on a line of their own if they do not fit or, where `keeps` says so, if the author has
    /// them so.
    fn operand(&mut self, keeps: bool, start: usize, write: impl Fn(&mut Printer<'p>)) {
        if !self.settle_operator() {
            let at = self.peek();
            let begins = |at| self.source.is_some_and(|s| s.trivia.begins_line(at));
            let written = keeps && (begins(at) || begins(at + 1));
            if self.is_flat() {
                self.is_broken |= written;
            } else if written || !self.has_room(&write) {
                self.new_line(start);
            }
        }
        write(self);
    }

    /// What follows the base of a power. `was_mark`: the text has `²` or `³`; in ASCII it stays `as_mark` says so.
    fn power(&mut self, was_mark: bool, exponent: &Expr, as_mark: bool, tight: bool) {
        let is_mark = as_mark || self.is_mark(was_mark);
        match (power_mark(exponent), self.source.is_some()) {
            (Some((mark, _)), true) if was_mark && is_mark => self.instead(mark, 1),
            (Some((_, plain)), true) if was_mark => self.instead(plain, 1),
            (Some((mark, _)), true) if is_mark => self.instead(mark, 2),
            (Some((mark, _)), false) if is_mark => self.raw(mark),
            _ => self.exponent(exponent, tight),
        }
    }

    /// Whether a square or cube is written with a mark.
    fn is_mark(&self, was_mark: bool) -> bool {
        match self.source {
            Some(Source { written: true, .. }) => was_mark,
            _ => !self.style.ascii,
        }
    }

    /// A power that the text has as a mark.
    fn is_written_mark(&self, expr: &Expr) -> bool {
        let is = |e: &Expr| {
            matches!(&e.kind, ExprKind::Binary { op: BinaryOp::Pow, op_span, right, .. }
            if *op_span == right.span && power_mark(right).is_some())
        };
        self.source.is_some() && is(expr)
    }

    fn exponent(&mut self, exponent: &Expr, tight: bool) {
        self.put("^");
        let inner = match &exponent.kind {
            ExprKind::Neg(inner) => {
                self.put("-");
                inner
            }
            _ => exponent,
        };
        // `^T` alone is the transpose.
        if begins_with_t(inner) {
            self.raw(" ");
        }
        self.expr(inner, POW, tight);
    }

    fn operator(&mut self, op: BinaryOp, left: &Expr, right: &Expr, tight: bool) {
        let (unicode, ascii) = match op {
            BinaryOp::Or => ("or", "or"),
            BinaryOp::And => ("and", "and"),
            BinaryOp::Eq => ("==", "=="),
            BinaryOp::Ne => ("≠", "!="),
            BinaryOp::Lt => ("<", "<"),
            BinaryOp::Le => ("≤", "<="),
            BinaryOp::Gt => (">", ">"),
            BinaryOp::Ge => ("≥", ">="),
            BinaryOp::Cat => ("++", "++"),
            BinaryOp::Add => ("+", "+"),
            BinaryOp::Sub => ("−", "-"),
            BinaryOp::Mul if tight || is_number(left) || is_number(right) => ("*", "*"),
            BinaryOp::Mul => ("⊙", "*"),
            BinaryOp::Div => ("/", "/"),
            BinaryOp::Mod => ("mod", "mod"),
            BinaryOp::IntDiv => ("div", "div"),
            BinaryOp::MatMul => ("@", "@"),
            BinaryOp::Pow => ("^", "^"),
        };
        let is_closed = self.is_closed(op, left, right, tight);
        let text = if self.style.ascii || is_closed { ascii } else { unicode };
        if is_closed {
            self.put(text);
        } else {
            self.put(&format!(" {text} "));
        }
    }

    /// Whether an operator has no spaces around it.
    fn is_closed(&self, op: BinaryOp, left: &Expr, right: &Expr, tight: bool) -> bool {
        match op {
            BinaryOp::Add | BinaryOp::Sub if tight => !self.is_spaced(true),
            BinaryOp::Mul | BinaryOp::Div if tight => !self.is_spaced(true),
            // Sizes are products that are no product of the equation: `zeros(2*H)`. Nor is a fraction.
            BinaryOp::Mul | BinaryOp::Div => {
                let plain = self.in_args || (is_number(left) && is_number(right));
                plain && !self.is_spaced(false) && !self.is_next("⊙")
            }
            _ => false,
        }
    }

    fn arg(&mut self, arg: &Arg, tight: bool) {
        if let Some(name) = &arg.name {
            if name.prev {
                self.put("prev ");
            }
            for (i, part) in name.path.iter().enumerate() {
                if i > 0 {
                    self.put(".");
                }
                self.ident(part);
            }
            self.put(" = ");
        }
        let outer = std::mem::replace(&mut self.in_args, true);
        self.expr(&arg.value, LOOSEST, tight);
        self.in_args = outer;
    }

    pub fn places(&mut self, places: &[Place]) {
        self.bracketed(["[", "]"], places, false, |p, place| match place {
            Place::Prev(edge) => {
                p.put("prev ");
                p.ident(edge);
            }
            Place::Next(edge) => {
                p.put("next ");
                p.ident(edge);
            }
            Place::At(set) => p.set(set),
        });
    }

    fn fold(&mut self, fold: Fold) {
        match fold {
            Fold::Sum => self.choose("∑ ", "sum "),
            Fold::Prod => self.choose("∏ ", "prod "),
            Fold::Max => self.put("max "),
            Fold::Min => self.put("min "),
            Fold::Mean => self.put("mean "),
            Fold::Concat => self.put("concat "),
        }
    }

    pub fn binder(&mut self, binder: &Binder) {
        self.ident(&binder.name);
        match binder.set.hi {
            None => self.choose(" ∈ ", " in "),
            Some(_) => self.put(" in "),
        }
        self.set(&binder.set);
    }

    pub fn set(&mut self, set: &Set) {
        self.expr(&set.lo, ADD, true);
        if let Some(hi) = &set.hi {
            let is_spaced = self.source.is_some() && self.is_spaced(true);
            self.put(if is_spaced { " .. " } else { ".." });
            self.expr(hi, ADD, true);
        }
    }

    pub fn ident(&mut self, ident: &Ident) {
        let name = if self.style.ascii { names::ascii(&ident.name) } else { ident.name.to_string() };
        self.put(&name);
    }

    pub fn pattern(&mut self, pattern: &Pattern) {
        let text = match pattern.pieces.as_slice() {
            [Piece::Text(name)] if self.style.ascii => names::ascii(name),
            pieces => pieces.iter().map(|piece| self.piece(piece)).collect(),
        };
        self.put(&text);
    }

    fn piece(&self, piece: &Piece) -> String {
        let spell = |text: &Name| if self.style.ascii { names::ascii_piece(text) } else { text.to_string() };
        match piece {
            Piece::Text(text) => spell(text),
            Piece::Group(words) => format!("{{{}}}", words.iter().map(spell).collect::<Vec<_>>().join(" ")),
        }
    }

    pub fn string(&mut self, text: &str) {
        let mut quoted = String::from("\"");
        for c in text.chars() {
            match c {
                '"' | '\\' => quoted.extend(['\\', c]),
                '\n' => quoted.push_str("\\n"),
                '\t' => quoted.push_str("\\t"),
                c => quoted.push(c),
            }
        }
        quoted.push('"');
        self.put(&quoted);
    }

    fn level(&self, expr: &Expr) -> u8 {
        match &expr.kind {
            ExprKind::Cond { .. } => LOOSEST,
            ExprKind::Pipe { .. } => PIPE,
            ExprKind::Not(_) => NOT,
            ExprKind::Neg(_) => NEG,
            ExprKind::Number(_, digits) if digits.starts_with('-') => NEG,
            ExprKind::Binary { op: BinaryOp::Pow, right, op_span, .. }
                if self.is_mark(*op_span == right.span) && power_mark(right).is_some() =>
            {
                POSTFIX
            }
            ExprKind::Binary { op, .. } => op_level(*op),
            ExprKind::Mark { mark: Mark::Square | Mark::Cube, .. } if self.style.ascii => POW,
            ExprKind::Call { .. }
            | ExprKind::Index { .. }
            | ExprKind::Field { .. }
            | ExprKind::Mark { .. } => POSTFIX,
            _ => PRIMARY,
        }
    }
}

fn op_level(op: BinaryOp) -> u8 {
    match op {
        BinaryOp::Or => OR,
        BinaryOp::And => AND,
        BinaryOp::Eq | BinaryOp::Ne | BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge => COMPARE,
        BinaryOp::Cat => CAT,
        BinaryOp::Add | BinaryOp::Sub => ADD,
        BinaryOp::Mul | BinaryOp::Div | BinaryOp::Mod | BinaryOp::IntDiv => MUL,
        BinaryOp::MatMul => MATMUL,
        BinaryOp::Pow => POW,
    }
}

/// Ends with the body of a reduction, which would take what follows.
fn ends_open(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Reduce { .. } => true,
        ExprKind::Neg(inner) | ExprKind::Not(inner) => ends_open(inner),
        ExprKind::Binary { right, .. } => ends_open(right),
        _ => false,
    }
}

/// The first name of a base or exponent is `T`.
fn begins_with_t(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Name(pattern) => pattern.pieces.first().is_some_and(|p| *p == Piece::Text("T".into())),
        ExprKind::Call { callee: base, .. }
        | ExprKind::Index { base, .. }
        | ExprKind::Field { base, .. }
        | ExprKind::Mark { base, .. }
        | ExprKind::Binary { left: base, .. } => begins_with_t(base),
        _ => false,
    }
}

fn is_number(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Number(..) => true,
        ExprKind::Neg(inner) | ExprKind::Paren(inner) => is_number(inner),
        ExprKind::Binary { op: BinaryOp::Pow, left, .. } => is_number(left),
        ExprKind::Binary { op: BinaryOp::Mul | BinaryOp::Div, right, .. } => is_number(right),
        _ => false,
    }
}

/// `²` or `³` for the literals 2 and 3, and without a mark.
fn power_mark(exponent: &Expr) -> Option<(&'static str, &'static str)> {
    match &exponent.kind {
        ExprKind::Number(_, digits) if **digits == *"2" => Some(("²", "^2")),
        ExprKind::Number(_, digits) if **digits == *"3" => Some(("³", "^3")),
        _ => None,
    }
}
