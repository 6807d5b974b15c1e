//! The lines of a `data` block: which reader, which arguments.
//!
//! In: the source expression as written. Out: a [`Call`] with constant arguments, and the reader's
//! [`Dataset`]. This table of readers is the one place where data formats have names.

use super::{Dataset, Declared, Open, table, task, text, trees, ts};
use crate::diag::Diagnostic;
use crate::limits::Limits;
use crate::source::Span;
use crate::syntax::ast::{BinaryOp, Expr, ExprKind, Piece};
use crate::train::errors;
use std::collections::BTreeMap;
use std::sync::Arc;

/// `x, y = ts("a.ts", test = "b.ts")`
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    pub names: Vec<String>,
    pub reader: String,
    pub positional: Vec<Constant>,
    pub named: Vec<(String, Constant)>,
    pub span: Span,
    /// What the examples may cost.
    pub limits: Limits,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Constant {
    Number(f64),
    Text(String),
    Bool(bool),
    List(Vec<Constant>),
}

const READERS: &[&str] = &["chars", "csv", "lines", "npz", "pairs", "task", "trees", "ts", "words"];

impl Constant {
    /// The value of an expression that needs nothing but itself.
    pub fn of(e: &Expr) -> Option<Constant> {
        Some(match &e.kind {
            ExprKind::Number(v, _) => Constant::Number(*v),
            ExprKind::Str(s) => Constant::Text(s.clone()),
            ExprKind::Bool(b) => Constant::Bool(*b),
            ExprKind::Paren(inner) => Constant::of(inner)?,
            ExprKind::List(items) => Constant::List(items.iter().map(Constant::of).collect::<Option<_>>()?),
            ExprKind::Neg(inner) => Constant::Number(-Constant::of(inner)?.number()?),
            ExprKind::Binary { op, left, right, .. } => {
                let (a, b) = (Constant::of(left)?.number()?, Constant::of(right)?.number()?);
                Constant::Number(match op {
                    BinaryOp::Add => a + b,
                    BinaryOp::Sub => a - b,
                    BinaryOp::Mul => a * b,
                    BinaryOp::Div => a / b,
                    BinaryOp::Pow => libm::pow(a, b),
                    _ => return None,
                })
            }
            _ => return None,
        })
    }

    pub fn number(&self) -> Option<f64> {
        match self {
            Constant::Number(v) => Some(*v),
            _ => None,
        }
    }
}

/// The name an expression consists of.
pub fn name_of(e: &Expr) -> Option<String> {
    match &e.kind {
        ExprKind::Name(p) => match p.pieces.as_slice() {
            [Piece::Text(name)] => Some(name.to_string()),
            _ => None,
        },
        ExprKind::Paren(inner) => name_of(inner),
        _ => None,
    }
}

/// Calls of readers, and the shares of `split` if they are given.
pub type Lines = (Vec<Call>, Option<Vec<f64>>);

/// The names that the lines of a `data` block give values for.
pub fn names(lines: &[(Vec<Arc<str>>, Expr)]) -> impl Iterator<Item = &Arc<str>> {
    lines.iter().flat_map(|(names, _)| names).filter(|name| &***name != SPLIT)
}

const SPLIT: &str = "split";

/// Separates the lines of a `data` block into calls of readers and the shares of `split`.
pub fn parse(lines: &[(Vec<Arc<str>>, Expr)]) -> Result<Lines, Vec<Diagnostic>> {
    let mut calls = Vec::new();
    let mut shares = None;
    let mut wrong = Vec::new();
    let mut places = BTreeMap::new();
    for (names, e) in lines {
        for name in names {
            if let Some(first) = places.insert(name, e.span) {
                wrong.push(errors::set_twice(name, first, e.span));
            }
        }
        let result = match names.as_slice() {
            [only] if &**only == SPLIT => super::split::shares(e).map(|s| shares = Some(s)),
            _ => Call::parse(names.iter().map(|n| n.to_string()).collect(), e).map(|c| calls.push(c)),
        };
        wrong.extend(result.err());
    }
    if calls.is_empty() && wrong.is_empty() {
        wrong.push(errors::no_data());
    }
    if wrong.is_empty() { Ok((calls, shares)) } else { Err(wrong) }
}

impl Call {
    pub fn parse(names: Vec<String>, e: &Expr) -> Result<Call, Diagnostic> {
        let ExprKind::Call { callee, args } = &e.kind else {
            return Err(errors::no_source(e.span, READERS));
        };
        let reader = name_of(callee).ok_or_else(|| errors::no_source(e.span, READERS))?;
        if !READERS.contains(&reader.as_str()) {
            return Err(errors::unknown_source(callee.span, &reader, READERS));
        }
        let mut call = Call {
            names,
            reader,
            positional: Vec::new(),
            named: Vec::new(),
            span: e.span,
            limits: Limits::DEFAULT,
        };
        for arg in args {
            let value = Constant::of(&arg.value).ok_or_else(|| errors::not_constant(arg.value.span))?;
            match &arg.name {
                None => call.positional.push(value),
                Some(name) => match name.path.as_slice() {
                    [one] if !name.prev => call.named.push((one.name.to_string(), value)),
                    _ => return Err(errors::not_constant(arg.span)),
                },
            }
        }
        Ok(call)
    }

    pub(super) fn read(&self, declared: &[Declared], open: &mut Open) -> Result<Dataset, Diagnostic> {
        let mut dataset = match self.reader.as_str() {
            "chars" => text::one(self, open, text::Units::Chars)?,
            "words" => text::one(self, open, text::Units::Words)?,
            "lines" => text::lines(self, open)?,
            "pairs" => text::pairs(self, open)?,
            "ts" => ts::read(self, open)?,
            "trees" => trees::read(self, declared, open)?,
            "csv" => table::csv(self, declared, open)?,
            "npz" => table::npz(self, declared, open)?,
            _ => task::task(self, declared)?,
        };
        dataset.names.clone_from(&self.names);
        Ok(dataset)
    }

    /// Refuses arguments the reader does not have.
    pub fn only(&self, most: usize, named: &[&str]) -> Result<(), Diagnostic> {
        if self.positional.len() > most {
            return Err(errors::bad_argument(&self.reader, &format!("takes {most} unnamed arguments")));
        }
        match self.named.iter().find(|(n, _)| !named.contains(&n.as_str())) {
            Some((n, _)) => Err(errors::unknown_argument(&self.reader, n, named)),
            None => Ok(()),
        }
    }

    /// Refuses another number of names on the left.
    pub fn wants_names(&self, counts: &[usize], what: &str) -> Result<(), Diagnostic> {
        if counts.contains(&self.names.len()) {
            Ok(())
        } else {
            Err(errors::wrong_names(&self.reader, self.names.len(), what))
        }
    }

    fn named(&self, name: &str) -> Option<&Constant> {
        self.named.iter().find(|(n, _)| n == name).map(|(_, v)| v)
    }

    pub fn path(&self) -> Result<&str, Diagnostic> {
        match self.positional.first() {
            Some(Constant::Text(s)) => Ok(s),
            _ => Err(errors::bad_argument(&self.reader, "wants the path of a file, in quotes")),
        }
    }

    pub fn text(&self, name: &str) -> Result<Option<&str>, Diagnostic> {
        match self.named(name) {
            None => Ok(None),
            Some(Constant::Text(s)) => Ok(Some(s)),
            Some(_) => {
                Err(errors::bad_argument(&self.reader, &format!("wants a text in quotes for `{name}`")))
            }
        }
    }

    pub fn number(&self, name: &str) -> Result<Option<f64>, Diagnostic> {
        match self.named(name) {
            None => Ok(None),
            Some(Constant::Number(v)) if v.is_finite() => Ok(Some(*v)),
            Some(_) => Err(errors::bad_argument(&self.reader, &format!("wants a number for `{name}`"))),
        }
    }

    /// A whole number of `1..=most`.
    pub fn count(&self, name: &str, most: usize) -> Result<Option<usize>, Diagnostic> {
        match self.number(name)? {
            None => Ok(None),
            Some(v) if v >= 1.0 && v <= most as f64 && v.fract() == 0.0 => Ok(Some(v as usize)),
            Some(_) => {
                let what = format!("wants a whole number of 1..{most} for `{name}`");
                Err(errors::bad_argument(&self.reader, &what))
            }
        }
    }

    /// Extents such as `[8, 8]`.
    pub fn extents(&self, name: &str) -> Result<Option<Vec<usize>>, Diagnostic> {
        let bad =
            || errors::bad_argument(&self.reader, &format!("wants extents for `{name}`, such as [8, 8]"));
        let Some(value) = self.named(name) else { return Ok(None) };
        let Constant::List(items) = value else { return Err(bad()) };
        let mut extents = Vec::new();
        for item in items {
            let v = item.number().filter(|v| *v >= 1.0 && *v <= 1e9 && v.fract() == 0.0).ok_or_else(bad)?;
            extents.push(v as usize);
        }
        Ok(Some(extents).filter(|e| !e.is_empty()))
    }
}
