//! Symbolic dimensions and shapes.
//!
//! A [`Dim`] is a polynomial with integer coefficients over named dimensions and exact quotients.
//! Invariant: a `Dim` is always in normal form, so `==` is equality of polynomials. Arithmetic that
//! would leave `i64` is an error, never a wrap.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// A factor of a monomial.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Atom {
    Sym(Arc<str>),
    /// `a div b` that could not be carried out symbolically.
    Div(Box<Dim>, Box<Dim>),
    /// `b ^ e` with a symbolic exponent.
    Pow(Box<Dim>, Box<Dim>),
}

/// A product of atoms with exponents ≥ 1, sorted; empty for the constant term.
pub type Monomial = Vec<(Atom, u32)>;

/// A polynomial. Almost all are numbers, which need no memory of their own.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Dim {
    constant: i64,
    /// The other terms, sorted; no coefficient is 0.
    others: Box<[(Monomial, i64)]>,
}

/// The monomial of the constant term.
static ONE: Monomial = Monomial::new();

/// Why a dimension has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DimError {
    Overflow,
    DivisionByZero,
    /// Numerator and denominator with a remainder.
    NotDivisible(Dim, Dim),
    Negative(i64),
    Unbound(Arc<str>),
}

pub type Bindings = BTreeMap<Arc<str>, i64>;

impl Dim {
    pub fn constant(n: i64) -> Dim {
        Dim { constant: n, others: Box::default() }
    }

    pub fn sym(name: impl Into<Arc<str>>) -> Dim {
        Dim::atom(Atom::Sym(name.into()))
    }

    fn atom(atom: Atom) -> Dim {
        Dim { constant: 0, others: Box::new([(vec![(atom, 1)], 1)]) }
    }

    /// The number, if no symbol is left.
    pub fn as_constant(&self) -> Option<i64> {
        self.others.is_empty().then_some(self.constant)
    }

    /// The name, if this is a bare symbol.
    pub fn as_sym(&self) -> Option<&Arc<str>> {
        match (self.constant, &*self.others) {
            (0, [(m, 1)]) => match &**m {
                [(Atom::Sym(s), 1)] => Some(s),
                _ => None,
            },
            _ => None,
        }
    }

    /// Monomials with their coefficients, the constant term first.
    pub fn terms(&self) -> impl DoubleEndedIterator<Item = (&Monomial, i64)> {
        let constant = (self.constant != 0).then_some((&ONE, self.constant));
        constant.into_iter().chain(self.others.iter().map(|(m, c)| (m, *c)))
    }

    fn count(&self) -> usize {
        self.others.len() + usize::from(self.constant != 0)
    }

    pub fn add(&self, other: &Dim) -> Result<Dim, DimError> {
        let mut sum = self.clone();
        for (m, c) in other.terms() {
            sum.accumulate(m.clone(), c)?;
        }
        Ok(sum)
    }

    pub fn neg(&self) -> Result<Dim, DimError> {
        self.mul(&Dim::constant(-1))
    }

    pub fn sub(&self, other: &Dim) -> Result<Dim, DimError> {
        self.add(&other.neg()?)
    }

    /// A product of more terms than anybody writes counts as an overflow.
    pub fn mul(&self, other: &Dim) -> Result<Dim, DimError> {
        if self.count().saturating_mul(other.count()) > 4096 {
            return Err(DimError::Overflow);
        }
        let mut product = Dim::default();
        for (m1, c1) in self.terms() {
            for (m2, c2) in other.terms() {
                let c = c1.checked_mul(c2).ok_or(DimError::Overflow)?;
                product.accumulate(merge(m1, m2)?, c)?;
            }
        }
        Ok(product)
    }

    fn accumulate(&mut self, m: Monomial, c: i64) -> Result<(), DimError> {
        if m.is_empty() {
            self.constant = self.constant.checked_add(c).ok_or(DimError::Overflow)?;
            return Ok(());
        }
        let found = self.others.binary_search_by(|(other, _)| other.cmp(&m));
        let old = found.map_or(0, |at| self.others[at].1);
        let sum = old.checked_add(c).ok_or(DimError::Overflow)?;
        let mut others = std::mem::take(&mut self.others).into_vec();
        match found {
            Ok(at) if sum == 0 => drop(others.remove(at)),
            Ok(at) => others[at].1 = sum,
            Err(at) if sum != 0 => others.insert(at, (m, sum)),
            Err(_) => {}
        }
        self.others = others.into_boxed_slice();
        Ok(())
    }

    /// Exact quotient. Of constants: refused with a remainder. Of symbols: divides every
    /// coefficient and monomial if it can, else stays as an atom that is checked when bound.
    pub fn div(&self, other: &Dim) -> Result<Dim, DimError> {
        match (self.as_constant(), other.as_constant()) {
            (_, Some(0)) => return Err(DimError::DivisionByZero),
            (Some(a), Some(b)) => {
                return match a.checked_rem(b) {
                    Some(0) => Ok(Dim::constant(a / b)),
                    Some(_) => Err(DimError::NotDivisible(self.clone(), other.clone())),
                    None => Err(DimError::Overflow),
                };
            }
            _ => {}
        }
        if self == other {
            return Ok(Dim::constant(1));
        }
        let mut divisors = other.terms();
        if let (Some((m2, c2)), None) = (divisors.next(), divisors.next()) {
            let mut all = Dim::default();
            let mut exact = true;
            for (m1, c1) in self.terms() {
                match quotient(m1, m2) {
                    Some(m) if c1.checked_rem(c2) == Some(0) => all.accumulate(m, c1 / c2)?,
                    _ => {
                        exact = false;
                        break;
                    }
                }
            }
            if exact {
                return Ok(all);
            }
        }
        Ok(Dim::atom(Atom::Div(Box::new(self.clone()), Box::new(other.clone()))))
    }

    pub fn pow(&self, exponent: &Dim) -> Result<Dim, DimError> {
        match exponent.as_constant() {
            Some(e) if e < 0 => Err(DimError::Negative(e)),
            Some(e) if e > 64 && !matches!(self.as_constant(), Some(-1..=1)) => Err(DimError::Overflow),
            Some(e) => (0..e.min(64 + (e & 1))).try_fold(Dim::constant(1), |acc, _| acc.mul(self)),
            None => Ok(Dim::atom(Atom::Pow(Box::new(self.clone()), Box::new(exponent.clone())))),
        }
    }

    fn power(&self, mut e: u32) -> Result<Dim, DimError> {
        let (mut base, mut product) = (self.clone(), Dim::constant(1));
        loop {
            if e & 1 == 1 {
                product = product.mul(&base)?;
            }
            e >>= 1;
            if e == 0 {
                return Ok(product);
            }
            base = base.mul(&base)?;
        }
    }

    /// Replaces symbols by dimensions; a symbol without an entry stays.
    pub fn substitute(&self, with: &BTreeMap<Arc<str>, Dim>) -> Result<Dim, DimError> {
        let mut sum = Dim::default();
        for (m, c) in self.terms() {
            let mut product = Dim::constant(c);
            for (atom, e) in m {
                let base = match atom {
                    Atom::Sym(s) => with.get(s).cloned().unwrap_or_else(|| Dim::sym(s.clone())),
                    Atom::Div(a, b) => a.substitute(with)?.div(&b.substitute(with)?)?,
                    Atom::Pow(a, b) => a.substitute(with)?.pow(&b.substitute(with)?)?,
                };
                product = product.mul(&base.power(*e)?)?;
            }
            sum = sum.add(&product)?;
        }
        Ok(sum)
    }

    /// The value under bindings; every symbol must be bound.
    pub fn eval(&self, bindings: &Bindings) -> Result<i64, DimError> {
        let with = bindings.iter().map(|(k, v)| (k.clone(), Dim::constant(*v))).collect();
        let value = self.substitute(&with)?;
        match value.as_constant() {
            Some(n) => Ok(n),
            None => {
                let mut names = Vec::new();
                value.symbols(&mut names);
                Err(DimError::Unbound(names.first().cloned().unwrap_or_else(|| "?".into())))
            }
        }
    }

    /// Whether a symbol occurs in it.
    pub fn mentions(&self, name: &str) -> bool {
        let mut symbols = Vec::new();
        self.symbols(&mut symbols);
        symbols.iter().any(|s| **s == *name)
    }

    /// Appends the symbols in it, in printing order, each once.
    pub fn symbols(&self, into: &mut Vec<Arc<str>>) {
        for (m, _) in &*self.others {
            for (atom, _) in m {
                match atom {
                    Atom::Sym(s) if !into.contains(s) => into.push(s.clone()),
                    Atom::Sym(_) => {}
                    Atom::Div(a, b) | Atom::Pow(a, b) => {
                        a.symbols(into);
                        b.symbols(into);
                    }
                }
            }
        }
    }
}

/// By their terms, the constant first.
impl Ord for Dim {
    fn cmp(&self, other: &Dim) -> Ordering {
        self.terms().cmp(other.terms())
    }
}

impl PartialOrd for Dim {
    fn partial_cmp(&self, other: &Dim) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn merge(a: &Monomial, b: &Monomial) -> Result<Monomial, DimError> {
    if a.is_empty() || b.is_empty() {
        return Ok(if a.is_empty() { b } else { a }.clone());
    }
    let mut out: BTreeMap<Atom, u32> = a.iter().cloned().collect();
    for (atom, e) in b {
        let entry = out.entry(atom.clone()).or_insert(0);
        *entry = entry.checked_add(*e).ok_or(DimError::Overflow)?;
    }
    Ok(out.into_iter().collect())
}

fn quotient(a: &Monomial, b: &Monomial) -> Option<Monomial> {
    let mut out: BTreeMap<Atom, u32> = a.iter().cloned().collect();
    for (atom, e) in b {
        let entry = out.get_mut(atom)?;
        *entry = entry.checked_sub(*e)?;
        if *entry == 0 {
            out.remove(atom);
        }
    }
    Some(out.into_iter().collect())
}

impl From<i64> for Dim {
    fn from(n: i64) -> Dim {
        Dim::constant(n)
    }
}

/// Prints in the language's own syntax (`2*H + 1`), so that it parses back.
impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.count() == 0 {
            return write!(f, "0");
        }
        // The constant term sorts first; on paper it stands last.
        let (constant, others): (Vec<_>, Vec<_>) = self.terms().partition(|(m, _)| m.is_empty());
        for (i, (m, c)) in others.into_iter().chain(constant).enumerate() {
            let sign = if c < 0 {
                if i == 0 { "-" } else { " - " }
            } else if i == 0 {
                ""
            } else {
                " + "
            };
            write!(f, "{sign}")?;
            let size = c.unsigned_abs();
            if m.is_empty() || size != 1 {
                write!(f, "{size}")?;
            }
            for (k, (atom, e)) in m.iter().enumerate() {
                if k > 0 || size != 1 {
                    write!(f, "*")?;
                }
                match atom {
                    Atom::Sym(s) => write!(f, "{s}")?,
                    // `div` and `*` group to the left, so behind a factor it stands in parentheses.
                    Atom::Div(a, b) if *e == 1 && k == 0 && size == 1 && m.len() == 1 => {
                        write!(f, "{} div {}", a.factor(), b.operand())?
                    }
                    Atom::Div(a, b) => write!(f, "({} div {})", a.factor(), b.operand())?,
                    Atom::Pow(a, b) if *e == 1 => write!(f, "{}^{}", a.operand(), b.operand())?,
                    Atom::Pow(a, b) => write!(f, "({}^{})", a.operand(), b.operand())?,
                }
                if *e != 1 {
                    write!(f, "^{e}")?;
                }
            }
        }
        Ok(())
    }
}

impl Dim {
    /// As a factor: a sum in parentheses.
    fn factor(&self) -> String {
        match self.terms().count() > 1 || self.terms().any(|(_, c)| c < 0) {
            true => format!("({self})"),
            false => self.to_string(),
        }
    }

    /// As an operand of what binds tighter than a product: all but a number or a name in parentheses.
    fn operand(&self) -> String {
        match self.as_sym().is_some() || self.as_constant().is_some_and(|n| n >= 0) {
            true => self.to_string(),
            false => format!("({self})"),
        }
    }
}

/// Extents, outermost first; empty for a scalar.
pub type Shape = Vec<Dim>;

/// `[H, I]`, as the language writes it.
pub fn show_shape(shape: &[Dim]) -> String {
    let dims: Vec<String> = shape.iter().map(|d| d.to_string()).collect();
    format!("[{}]", dims.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_polynomials_are_equal_values() {
        let (h, i) = (Dim::sym("H"), Dim::sym("I"));
        let a = h.add(&i).unwrap().mul(&h.sub(&i).unwrap()).unwrap();
        let b = h.mul(&h).unwrap().sub(&i.mul(&i).unwrap()).unwrap();
        assert_eq!(a, b);
        assert_eq!(h.mul(&Dim::constant(2)).unwrap().to_string(), "2*H");
    }

    #[test]
    fn quotients_are_exact_or_kept() {
        let h = Dim::sym("H");
        let four_h = h.mul(&Dim::constant(4)).unwrap();
        assert_eq!(four_h.div(&Dim::constant(4)).unwrap(), h);
        assert!(Dim::constant(7).div(&Dim::constant(2)).is_err());
        let kept = h.div(&Dim::constant(2)).unwrap();
        assert_eq!(kept.eval(&BTreeMap::from([("H".into(), 8)])), Ok(4));
        assert!(kept.eval(&BTreeMap::from([("H".into(), 7)])).is_err());
    }
}
