//! The derived equations in LaTeX: an `aligned` environment, one equation a line.
//!
//! In: the printed cell. Out: text for a formula. The adjoint of `c` is `\bar{c}`; places in the chain are
//! subscripts; braces are written out, one line for each word.

use super::Options;
use super::print::derive;
use crate::diag::Fallible;
use crate::eqn::Graph;
use crate::syntax::ast::*;
use std::collections::BTreeSet;

/// The equations of [`super::print::adjoint_cell`].
pub fn adjoint_latex(graph: &Graph, options: &Options) -> Fallible<String> {
    let derived = derive(graph, options)?;
    let ItemKind::Cell(Cell { def: CellDef::Body(body), .. }) = &derived.item.kind else {
        return Ok(String::new());
    };
    let mut lines = Vec::new();
    for stmt in &body.stmts {
        let StmtKind::Equation(equation) = &stmt.kind else { continue };
        let Some(target) = equation.targets.first() else { continue };
        for word in 0..words(&target.name) {
            let writer = Latex { over: &derived.over, variable: &derived.variable, word };
            let left = writer.name(&target.name, None);
            lines.push(format!("{left} &= {}", writer.expr(&equation.value, SUM)));
        }
    }
    Ok(format!("\\begin{{aligned}}\n{}\n\\end{{aligned}}\n", lines.join(" \\\\\n")))
}

fn words(pattern: &Pattern) -> usize {
    let group = |p: &Piece| match p {
        Piece::Group(words) => Some(words.len()),
        Piece::Text(_) => None,
    };
    pattern.pieces.iter().find_map(group).unwrap_or(1)
}

// How tightly an expression holds together.
const LOOSE: u8 = 0;
const SUM: u8 = 1;
const PRODUCT: u8 = 2;
const MATRIX: u8 = 3;
const ATOM: u8 = 4;

struct Latex<'a> {
    over: &'a BTreeSet<String>,
    variable: &'a str,
    /// Which word of braces this line stands for.
    word: usize,
}

impl Latex<'_> {
    /// In brackets if it holds together less than `level` asks.
    fn expr(&self, e: &Expr, level: u8) -> String {
        let (text, own) = self.bare(e);
        if own < level { format!("({text})") } else { text }
    }

    fn bare(&self, e: &Expr) -> (String, u8) {
        match &e.kind {
            ExprKind::Number(_, digits) => (digits.to_string(), ATOM),
            ExprKind::Str(text) => (format!("\\text{{{text}}}"), ATOM),
            ExprKind::Bool(b) => (format!("\\text{{{b}}}"), ATOM),
            ExprKind::Hole => ("\\_".into(), ATOM),
            ExprKind::Name(p) => (self.name(p, None), ATOM),
            ExprKind::List(items) => (format!("[{}]", self.list(items.iter())), ATOM),
            ExprKind::Paren(inner) => self.bare(inner),
            ExprKind::Neg(a) => (format!("-{}", self.expr(a, PRODUCT)), SUM),
            ExprKind::Not(a) => (format!("\\lnot {}", self.expr(a, ATOM)), PRODUCT),
            ExprKind::Binary { op, left, right, .. } => self.binary(*op, left, right),
            ExprKind::Cond { cond, then, else_ } => {
                let (c, a, b) = (self.expr(cond, LOOSE), self.expr(then, SUM), self.expr(else_, SUM));
                let cases = format!("{a} & \\text{{if }} {c} \\\\ {b} & \\text{{otherwise}}");
                (format!("\\begin{{cases}} {cases} \\end{{cases}}"), ATOM)
            }
            ExprKind::Call { callee, args } => self.call(callee, args),
            ExprKind::Index { base, places } => self.index(base, places),
            ExprKind::Field { base, .. } => (self.expr(base, ATOM), ATOM),
            ExprKind::Pipe { value, into } => {
                (format!("{}({})", self.expr(into, ATOM), self.expr(value, SUM)), ATOM)
            }
            ExprKind::Mark { base, mark } => {
                let mark = match mark {
                    Mark::Transpose => "\\top",
                    Mark::Square => "2",
                    Mark::Cube => "3",
                };
                let bare =
                    matches!(base.kind, ExprKind::Name(_) | ExprKind::Index { .. } | ExprKind::Call { .. });
                let level = if bare { LOOSE } else { ATOM + 1 };
                (format!("{}^{{{mark}}}", self.expr(base, level)), ATOM)
            }
            ExprKind::Reduce { fold, binders, body, .. } => {
                let fold = match fold {
                    Fold::Sum => "\\sum",
                    Fold::Prod => "\\prod",
                    Fold::Max => "\\max",
                    Fold::Min => "\\min",
                    Fold::Mean => "\\operatorname{mean}",
                    Fold::Concat => "\\operatorname{concat}",
                };
                let mut text = String::new();
                for b in binders {
                    let var = symbol(&b.name.name);
                    let lo = self.expr(&b.set.lo, SUM);
                    text += &match &b.set.hi {
                        Some(hi) => format!("{fold}_{{{var}={lo}}}^{{{}}} ", self.expr(hi, SUM)),
                        None => format!("{fold}_{{{var}=1}}^{{{lo}}} "),
                    };
                }
                (text + &self.expr(body, PRODUCT), PRODUCT)
            }
        }
    }

    fn binary(&self, op: BinaryOp, left: &Expr, right: &Expr) -> (String, u8) {
        let join = |mark: &str, a: u8, b: u8, own: u8| {
            (format!("{} {mark} {}", self.expr(left, a), self.expr(right, b)), own)
        };
        let is_number = |e: &Expr| matches!(e.kind, ExprKind::Number(..));
        match op {
            BinaryOp::Or => join("\\lor", LOOSE, LOOSE, LOOSE),
            BinaryOp::And => join("\\land", LOOSE, LOOSE, LOOSE),
            BinaryOp::Eq => join("=", SUM, SUM, LOOSE),
            BinaryOp::Ne => join("\\ne", SUM, SUM, LOOSE),
            BinaryOp::Lt => join("<", SUM, SUM, LOOSE),
            BinaryOp::Le => join("\\le", SUM, SUM, LOOSE),
            BinaryOp::Gt => join(">", SUM, SUM, LOOSE),
            BinaryOp::Ge => join("\\ge", SUM, SUM, LOOSE),
            BinaryOp::Cat => (format!("[{}; {}]", self.expr(left, SUM), self.expr(right, SUM)), ATOM),
            BinaryOp::Add => join("+", SUM, PRODUCT, SUM),
            BinaryOp::Sub => join("-", SUM, PRODUCT, SUM),
            BinaryOp::Mul if is_number(left) || is_number(right) => join("\\,", PRODUCT, MATRIX, PRODUCT),
            BinaryOp::Mul => join("\\odot", PRODUCT, MATRIX, PRODUCT),
            BinaryOp::Div => {
                (format!("\\frac{{{}}}{{{}}}", self.expr(left, SUM), self.expr(right, SUM)), MATRIX)
            }
            BinaryOp::Mod => join("\\bmod", PRODUCT, MATRIX, PRODUCT),
            BinaryOp::IntDiv => join("\\operatorname{div}", PRODUCT, MATRIX, PRODUCT),
            BinaryOp::MatMul => join("\\,", MATRIX, ATOM, MATRIX),
            BinaryOp::Pow => (format!("{}^{{{}}}", self.expr(left, ATOM + 1), self.expr(right, SUM)), ATOM),
        }
    }

    fn list<'e>(&self, items: impl Iterator<Item = &'e Expr>) -> String {
        items.map(|e| self.expr(e, LOOSE)).collect::<Vec<_>>().join(", ")
    }

    fn call(&self, callee: &Expr, args: &[Arg]) -> (String, u8) {
        let name = match &callee.kind {
            ExprKind::Name(p) => p.written.to_string(),
            _ => self.expr(callee, ATOM),
        };
        // a bᵀ
        if let ("outer", [a, b]) = (name.as_str(), args) {
            let a = self.expr(&a.value, MATRIX);
            let b = match &b.value.kind {
                ExprKind::Name(_) | ExprKind::Index { .. } => self.expr(&b.value, ATOM),
                _ => format!("({})", self.expr(&b.value, SUM)),
            };
            return (format!("{a} \\, {b}^{{\\top}}"), MATRIX);
        }
        let word = match name.as_str() {
            "σ" => "\\sigma".to_string(),
            "tanh" | "exp" | "log" | "sin" | "cos" | "max" | "min" => format!("\\{name}"),
            other => format!("\\operatorname{{{}}}", other.replace('_', "\\_")),
        };
        if let ("sqrt", [a]) = (name.as_str(), args) {
            return (format!("\\sqrt{{{}}}", self.expr(&a.value, SUM)), ATOM);
        }
        (format!("{word}({})", self.list(args.iter().map(|a| &a.value))), ATOM)
    }

    fn index(&self, base: &Expr, places: &[Place]) -> (String, u8) {
        let place: Vec<String> = places
            .iter()
            .map(|p| match p {
                Place::Prev(v) => format!("{}-1", symbol(&v.name)),
                Place::Next(v) => format!("{}+1", symbol(&v.name)),
                Place::At(Set { lo, hi: None, .. }) => self.expr(lo, SUM).replace(' ', ""),
                Place::At(Set { lo, hi: Some(hi), .. }) => {
                    format!("{}:{}", self.expr(lo, SUM), self.expr(hi, SUM))
                }
            })
            .collect();
        let place = place.join(",");
        match &base.kind {
            ExprKind::Name(p) => (self.name(p, Some(&place)), ATOM),
            _ => (format!("{}_{{{place}}}", self.expr(base, ATOM)), ATOM),
        }
    }

    /// `W_f_adj` is `\bar{W}_{f}`; a value over the chain has its place as subscript.
    fn name(&self, pattern: &Pattern, place: Option<&str>) -> String {
        let name: String = pattern
            .pieces
            .iter()
            .map(|p| match p {
                Piece::Text(text) => text.to_string(),
                Piece::Group(words) => words.get(self.word).map(|w| w.to_string()).unwrap_or_default(),
            })
            .collect();
        let place = place.or(self.over.contains(&name).then_some(self.variable));
        let mut pieces = name.trim_end_matches('\'').split('_').filter(|p| !p.is_empty());
        let base = pieces.next().unwrap_or("x");
        let (mut below, mut above, mut bar) = (Vec::new(), Vec::new(), false);
        for piece in pieces {
            match piece {
                "adj" => bar = true,
                "pre" | "out" => above.push(format!("\\mathrm{{{piece}}}")),
                _ => below.push(symbol(piece)),
            }
        }
        // h0 is the state before the first point.
        let letters = base.trim_end_matches(|c: char| c.is_ascii_digit());
        let (base, digits) = if letters.is_empty() { (base, "") } else { base.split_at(letters.len()) };
        if !digits.is_empty() {
            below.insert(0, digits.to_string());
        }
        below.extend(place.map(str::to_string));
        above.extend(std::iter::repeat_n(
            "\\prime".to_string(),
            name.len() - name.trim_end_matches('\'').len(),
        ));
        let mut text = symbol(base);
        if bar {
            text = format!("\\bar{{{text}}}");
        }
        if !above.is_empty() {
            text += &format!("^{{{}}}", above.join(" "));
        }
        if !below.is_empty() {
            text += &format!("_{{{}}}", below.join(","));
        }
        text
    }
}

/// Accents that stand behind their letter, with the command that sets them over it.
const ACCENTS: [(char, &str); 3] = [('\u{302}', "hat"), ('\u{303}', "tilde"), ('\u{304}', "bar")];

/// One piece of a name: a letter, a Greek one, a letter with an accent, or a word.
fn symbol(piece: &str) -> String {
    use unicode_normalization::UnicodeNormalization;
    let letters: Vec<char> = piece.nfd().collect();
    if let [letter, accent] = letters[..]
        && let Some((_, command)) = ACCENTS.iter().find(|a| a.0 == accent)
    {
        return format!("\\{command}{{{}}}", symbol(&letter.to_string()));
    }
    let greek = [
        ("α", "alpha"),
        ("β", "beta"),
        ("γ", "gamma"),
        ("δ", "delta"),
        ("ε", "epsilon"),
        ("ζ", "zeta"),
        ("η", "eta"),
        ("θ", "theta"),
        ("ι", "iota"),
        ("κ", "kappa"),
        ("λ", "lambda"),
        ("μ", "mu"),
        ("ν", "nu"),
        ("ξ", "xi"),
        ("π", "pi"),
        ("ρ", "rho"),
        ("σ", "sigma"),
        ("τ", "tau"),
        ("υ", "upsilon"),
        ("φ", "phi"),
        ("χ", "chi"),
        ("ψ", "psi"),
        ("ω", "omega"),
    ];
    match greek.iter().find(|g| g.0 == piece) {
        Some((_, word)) => format!("\\{word}"),
        None if piece.chars().count() <= 1 || piece.chars().all(|c| c.is_ascii_digit()) => piece.into(),
        None => format!("\\mathit{{{piece}}}"),
    }
}
