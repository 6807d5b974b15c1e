//! Expressions: parentheses by precedence, lines broken before `+`, `else` and inside brackets.

use super::Printer;
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

impl Printer {
    /// An expression where one of `level` or tighter is wanted. `tight` leaves out the spaces
    /// around operators, as in `[t-1]` and `[2*H]`.
    pub fn expr(&mut self, expr: &Expr, level: u8, tight: bool) {
        if self.style.width != usize::MAX {
            let flat = self.flat(|p| p.expr(expr, level, tight));
            if self.fits(&flat) {
                self.put(&flat);
                return;
            }
        }
        if self.level(expr) < level {
            self.put("(");
            self.bare(expr, tight);
            self.put(")");
        } else {
            self.bare(expr, tight);
        }
    }

    /// Without parentheses of its own.
    fn bare(&mut self, expr: &Expr, tight: bool) {
        match &expr.kind {
            ExprKind::Number(_, digits) => self.put(digits),
            ExprKind::Str(text) => self.string(text),
            ExprKind::Bool(value) => self.put(if *value { "true" } else { "false" }),
            ExprKind::Hole => self.put("_"),
            ExprKind::Name(pattern) => self.pattern(pattern),
            ExprKind::List(items) => {
                self.put("[");
                self.list(items, |p, item| p.expr(item, LOOSEST, tight));
                self.put("]");
            }
            ExprKind::Paren(inner) => {
                self.put("(");
                self.expr(inner, LOOSEST, tight);
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
            ExprKind::Binary { op, left, right, .. } => self.binary(expr, *op, left, right, tight),
            ExprKind::Cond { cond, then, else_ } => {
                let room = self.has_room(0, |p| p.cond(cond, then, else_, None, tight));
                let start = self.column;
                self.cond(cond, then, else_, (!room).then_some(start), tight);
            }
            ExprKind::Pipe { value, into } => {
                self.expr(value, PIPE, tight);
                self.put(" |> ");
                self.expr(into, POSTFIX, tight);
            }
            ExprKind::Call { callee, args } => {
                self.base(callee, tight);
                self.put("(");
                self.list(args, |p, arg| p.arg(arg, tight));
                self.put(")");
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
                self.fold(*fold);
                self.list(binders, |p, binder| p.binder(binder));
                if let Some(where_) = where_ {
                    self.put(" where ");
                    self.expr(where_, OR, tight);
                }
                self.put(": ");
                self.expr(body, MUL, tight);
            }
        }
    }

    fn cond(&mut self, cond: &Expr, then: &Expr, else_: &Expr, broken_at: Option<usize>, tight: bool) {
        self.put("if ");
        self.expr(cond, OR, tight);
        self.put(" then ");
        self.expr(then, LOOSEST, tight);
        match broken_at {
            Some(start) => self.new_line(start),
            None => self.put(" "),
        }
        self.put("else ");
        self.expr(else_, LOOSEST, tight);
    }

    /// What a call, index, field or mark stands behind.
    fn base(&mut self, base: &Expr, tight: bool) {
        let level = if ends_open(base) { PRIMARY + 1 } else { POSTFIX };
        self.expr(base, level, tight);
    }

    fn binary(&mut self, whole: &Expr, op: BinaryOp, left: &Expr, right: &Expr, tight: bool) {
        let level = op_level(op);
        if op == BinaryOp::Pow {
            self.base(left, tight);
            match (power_mark(right), self.style.ascii) {
                (Some(mark), false) => self.put(mark),
                _ => self.exponent(right, tight),
            }
            return;
        }
        if matches!(op, BinaryOp::Add | BinaryOp::Sub) {
            return self.sum(whole, tight);
        }
        // The body of a reduction takes every product that follows it.
        let open = level >= MUL && ends_open(left);
        let left_level = match op {
            _ if open => PRIMARY + 1,
            _ if level == COMPARE => level + 1,
            BinaryOp::MatMul => MATMUL,
            _ => level,
        };
        self.expr(left, left_level, tight);
        self.operator(op, left, right, tight);
        self.expr(right, level + 1, tight);
    }

    /// Terms joined by `+` and `−`; one that no longer fits begins a line.
    fn sum(&mut self, whole: &Expr, tight: bool) {
        let mut terms: Vec<(BinaryOp, &Expr)> = Vec::new();
        let mut first = whole;
        while let ExprKind::Binary { op: op @ (BinaryOp::Add | BinaryOp::Sub), left, right, .. } = &first.kind
        {
            terms.push((*op, right));
            first = left;
        }
        let start = self.column;
        self.expr(first, ADD, tight);
        for (op, term) in terms.into_iter().rev() {
            let sign = match op {
                BinaryOp::Add => "+",
                _ if tight || self.style.ascii => "-",
                _ => "−",
            };
            if tight {
                self.put(sign);
            } else if self.has_room(3, |p| p.expr(term, MUL, tight)) {
                self.put(&format!(" {sign} "));
            } else {
                self.new_line(start);
                self.put(&format!("{sign} "));
            }
            self.expr(term, MUL, tight);
        }
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
        self.expr(inner, if begins_with_t(inner) { PRIMARY + 1 } else { POW }, tight);
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
        let closed = tight && matches!(op, BinaryOp::Mul | BinaryOp::Div);
        let text = if self.style.ascii { ascii } else { unicode };
        self.put(&if closed { text.to_string() } else { format!(" {text} ") });
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
        self.expr(&arg.value, LOOSEST, tight);
    }

    pub fn places(&mut self, places: &[Place]) {
        self.put("[");
        self.list(places, |p, place| match place {
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
        self.put("]");
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
            self.put("..");
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
            ExprKind::Binary { op: BinaryOp::Pow, right, .. }
                if !self.style.ascii && power_mark(right).is_some() =>
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

/// `²` or `³` for the literals 2 and 3.
fn power_mark(exponent: &Expr) -> Option<&'static str> {
    match &exponent.kind {
        ExprKind::Number(_, digits) if **digits == *"2" => Some("²"),
        ExprKind::Number(_, digits) if **digits == *"3" => Some("³"),
        _ => None,
    }
}
