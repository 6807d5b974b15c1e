//! Equations as formulas: one walk of a tree into a small typeset tree, from which LaTeX and MathML are written.
//!
//! In: expressions and equations as written or derived ([`crate::syntax::ast`]). Out: [`Math`], and its text.
//! Invariant: what is shown does not depend on the language it is written in; each writer knows all of [`Math`].
//! [`walk`] makes it, [`names`] decides how a name looks, [`latex`] and [`mathml`] write it.

pub mod dims;
pub mod latex;
mod letters;
pub mod mathml;
mod names;
mod walk;

pub use walk::{Formula, Notation};

/// A piece of a formula.
#[derive(Clone, Debug, PartialEq)]
pub enum Math {
    Row(Vec<Math>),
    /// A letter, or a word that stands for a value.
    Name(String),
    /// A word that is no value: the name of a function, an upright mark.
    Word(String),
    Number(String),
    Text(String),
    Symbol(Symbol),
    /// Brackets that grow with their content.
    Fence(Symbol, Box<Math>, Symbol),
    Scripts {
        base: Box<Math>,
        below: Option<Box<Math>>,
        above: Option<Box<Math>>,
    },
    /// A large operator, with what stands under and over it.
    Limits {
        base: Box<Math>,
        under: Option<Box<Math>>,
        over: Option<Box<Math>>,
    },
    Accent(Accent, Box<Math>),
    Fraction(Box<Math>, Box<Math>),
    Root(Box<Math>),
    /// Values with their conditions; the last may have none.
    Cases(Vec<(Math, Option<Math>)>),
    /// All of it stands for the value of this name.
    Reference {
        name: String,
        shown: Box<Math>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accent {
    Bar,
    Hat,
    Tilde,
}

/// One sign, as each language writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Symbol {
    pub unicode: &'static str,
    pub latex: &'static str,
    /// Whether it stands between two operands.
    pub infix: bool,
}

const fn infix(unicode: &'static str, latex: &'static str) -> Symbol {
    Symbol { unicode, latex, infix: true }
}

const fn sign(unicode: &'static str, latex: &'static str) -> Symbol {
    Symbol { unicode, latex, infix: false }
}

impl Symbol {
    pub const PLUS: Symbol = infix("+", "+");
    pub const MINUS: Symbol = infix("−", "-");
    pub const NEGATIVE: Symbol = sign("−", "-");
    pub const ODOT: Symbol = infix("⊙", "\\odot");
    /// A product without a sign.
    pub const TIMES: Symbol = sign("\u{2062}", "\\,");
    pub const CROSS: Symbol = infix("×", "\\times");
    pub const MOD: Symbol = infix("mod", "\\bmod");
    pub const DIV: Symbol = infix("div", "\\operatorname{div}");
    pub const EQUALS: Symbol = infix("=", "=");
    pub const NE: Symbol = infix("≠", "\\ne");
    pub const LT: Symbol = infix("<", "<");
    pub const LE: Symbol = infix("≤", "\\le");
    pub const GT: Symbol = infix(">", ">");
    pub const GE: Symbol = infix("≥", "\\ge");
    pub const AND: Symbol = infix("∧", "\\land");
    pub const OR: Symbol = infix("∨", "\\lor");
    pub const NOT: Symbol = sign("¬", "\\lnot");
    pub const IN: Symbol = infix("∈", "\\in");
    pub const COMMA: Symbol = sign(",", ",");
    pub const SEMICOLON: Symbol = sign(";", ";");
    pub const COLON: Symbol = sign(":", ":");
    pub const DOT: Symbol = sign(".", ".");
    pub const SUM: Symbol = sign("∑", "\\sum");
    pub const PROD: Symbol = sign("∏", "\\prod");
    pub const TOP: Symbol = sign("⊤", "\\top");
    pub const PRIME: Symbol = sign("′", "\\prime");
    pub const INFINITY: Symbol = sign("∞", "\\infty");
    pub const PAREN: (Symbol, Symbol) = (sign("(", "("), sign(")", ")"));
    pub const BRACKET: (Symbol, Symbol) = (sign("[", "["), sign("]", "]"));
    pub const BARS: (Symbol, Symbol) = (sign("|", "\\lvert"), sign("|", "\\rvert"));
    pub const NORM: (Symbol, Symbol) = (sign("‖", "\\lVert"), sign("‖", "\\rVert"));
    pub const FLOOR: (Symbol, Symbol) = (sign("⌊", "\\lfloor"), sign("⌋", "\\rfloor"));
}

impl Math {
    pub fn name(text: impl Into<String>) -> Math {
        Math::Name(text.into())
    }

    pub fn word(text: impl Into<String>) -> Math {
        Math::Word(text.into())
    }

    pub fn number(text: impl Into<String>) -> Math {
        Math::Number(text.into())
    }

    /// Pieces beside each other; rows within are dissolved.
    pub fn row(parts: impl IntoIterator<Item = Math>) -> Math {
        let mut all = Vec::new();
        for part in parts {
            match part {
                Math::Row(inner) => all.extend(inner),
                part => all.push(part),
            }
        }
        match all.len() {
            1 => all.remove(0),
            _ => Math::Row(all),
        }
    }

    /// With commas between them.
    pub fn list(parts: impl IntoIterator<Item = Math>) -> Math {
        let mut all = Vec::new();
        for part in parts {
            if !all.is_empty() {
                all.push(Math::Symbol(Symbol::COMMA));
            }
            all.push(part);
        }
        Math::row(all)
    }

    pub fn fenced(self, (open, close): (Symbol, Symbol)) -> Math {
        Math::Fence(open, Box::new(self), close)
    }

    /// What is seen of it.
    pub fn shown(&self) -> &Math {
        match self {
            Math::Reference { shown, .. } => shown.shown(),
            math => math,
        }
    }

    /// With this above it, behind what stands there.
    pub fn raised(self, mark: Math) -> Math {
        match self {
            Math::Scripts { base, below, above } => {
                let above = match above {
                    Some(before) => Math::row([*before, mark]),
                    None => mark,
                };
                Math::Scripts { base, below, above: Some(Box::new(above)) }
            }
            Math::Reference { name, shown } => Math::Reference { name, shown: Box::new(shown.raised(mark)) },
            base => Math::Scripts { base: Box::new(base), below: None, above: Some(Box::new(mark)) },
        }
    }

    /// With this below it, behind what stands there.
    pub fn lowered(self, mark: Math) -> Math {
        match self {
            Math::Scripts { base, below, above } => {
                let below = match below {
                    Some(before) => Math::list([*before, mark]),
                    None => mark,
                };
                Math::Scripts { base, below: Some(Box::new(below)), above }
            }
            Math::Reference { name, shown } => Math::Reference { name, shown: Box::new(shown.lowered(mark)) },
            base => Math::Scripts { base: Box::new(base), below: Some(Box::new(mark)), above: None },
        }
    }
}
