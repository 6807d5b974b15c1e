//! What an equation may read, and the sizes of what is read.

use std::collections::BTreeSet;

/// A number of multiples of the static parameters and a constant: `2*A + 1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dim(pub [i32; 4]);

pub type Shape = Vec<Dim>;

impl Dim {
    pub fn constant(n: i32) -> Dim {
        Dim([n, 0, 0, 0])
    }

    /// The static parameter at a place.
    pub fn name(i: usize) -> Dim {
        let mut all = [0; 4];
        all[i + 1] = 1;
        Dim(all)
    }

    pub fn plus(self, other: Dim) -> Dim {
        Dim(std::array::from_fn(|i| self.0[i] + other.0[i]))
    }

    pub fn less(self, other: Dim) -> Dim {
        Dim(std::array::from_fn(|i| self.0[i] - other.0[i]))
    }

    /// At least 1 whatever the static parameters are, all of which are.
    pub fn is_positive(self) -> bool {
        self.0.iter().all(|k| *k >= 0) && self.0.iter().any(|k| *k > 0)
    }

    pub fn half(self) -> Option<Dim> {
        self.0.iter().all(|k| k % 2 == 0).then(|| Dim(self.0.map(|k| k / 2)))
    }
}

/// Whose values: one, or one at every point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Over {
    /// At the point of a cell, or without a domain.
    Plain,
    /// Over one of [`Scope::domains`].
    Domain(usize),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    Real(Shape),
    Truth,
    Symbol(Dim),
}

/// A value that may be read.
#[derive(Clone, Debug)]
pub struct Var {
    pub text: String,
    /// What components are read of: where positions go by number, the place stands first.
    pub parts: String,
    pub kind: Kind,
    pub over: Over,
}

/// A whole value with positions, to be read at an index.
#[derive(Clone, Debug)]
pub struct Whole {
    pub text: String,
    pub kind: Kind,
    /// Of each axis.
    pub extents: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Domain {
    Seq(String),
    Grid(Vec<String>),
    Tree(String),
}

/// A cell that may be applied, with static parameters `(I, O)`.
#[derive(Clone, Debug)]
pub struct Recipe {
    pub name: String,
    /// Behind the two dimensions.
    pub more: Vec<&'static str>,
    pub domain: Where,
    /// States of shape `[O]` by name.
    pub states: Vec<String>,
    /// A parameter and its shape: of I, O.
    pub param: Option<(String, [usize; 2])>,
}

/// Over what a cell goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Where {
    /// Nothing leads to another point.
    Anywhere,
    Chain,
    Grid,
    Tree,
}

#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// The names of the dimensions.
    pub names: Vec<&'static str>,
    /// Another name for a dimension.
    pub alias: Option<(Dim, String)>,
    pub vars: Vec<Var>,
    pub wholes: Vec<Whole>,
    pub domains: Vec<Domain>,
    /// Edges by index: the set, and the text of reads (`h[prev _]`, with `_` for the index).
    pub edges: Vec<(String, Vec<(String, Shape)>)>,
    /// Declarations and equations so far.
    pub lines: Vec<String>,
    /// Parameters may be declared.
    pub params: bool,
    /// Cells over a forward chain may be applied to a value at a point.
    pub steps: bool,
    /// Static conditions.
    pub options: Vec<String>,
    /// Elementwise functions by name.
    pub functions: Vec<String>,
    /// Functions of two vectors of one size that give a vector.
    pub pairs: Vec<String>,
    pub recipes: Vec<Recipe>,
    /// Scalars that are always there: positions, dimensions, real static parameters.
    pub numbers: Vec<String>,
    pub count: usize,
    /// Over what the values are that the current expression has read.
    pub touched: BTreeSet<Over>,
}

impl Scope {
    pub fn fresh(&mut self, prefix: &str) -> String {
        self.count += 1;
        format!("{prefix}{}", self.count)
    }

    pub fn dim(&self, dim: Dim) -> String {
        if let Some((alias, name)) = &self.alias
            && *alias == dim
        {
            return name.clone();
        }
        let mut text = String::new();
        for (i, k) in dim.0.iter().enumerate().skip(1).chain([(0, &dim.0[0])]) {
            if *k == 0 && !(i == 0 && text.is_empty()) {
                continue;
            }
            let sign = if *k < 0 { " - " } else { " + " };
            if !text.is_empty() {
                text += sign;
            }
            text += &match (i, k.abs()) {
                (0, n) => n.to_string(),
                (_, 1) => self.names[i - 1].to_string(),
                (_, n) => format!("{n}*{}", self.names[i - 1]),
            };
        }
        text
    }

    pub fn shape(&self, shape: &[Dim]) -> String {
        format!("[{}]", shape.iter().map(|d| self.dim(*d)).collect::<Vec<_>>().join(", "))
    }

    pub fn real(&mut self, text: &str, shape: &[Dim], over: Over) {
        self.var(text, Kind::Real(shape.to_vec()), over);
    }

    pub fn var(&mut self, text: &str, kind: Kind, over: Over) {
        self.vars.push(Var { text: text.into(), parts: text.into(), kind, over });
    }

    pub fn has_symbols(&self) -> bool {
        self.vars.iter().any(|v| matches!(v.kind, Kind::Symbol(_)))
    }
}
