//! Well-typed expressions of a wanted shape.
//!
//! Forms are tried by weight; what cannot give the shape is skipped, and in the end there is always a leaf. Values stay
//! of moderate size: what grows or has poles is written so that it does neither, most of the time.

use super::scope::*;
use crate::cells::rng::Rng;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Leaf,
    Function,
    Arithmetic,
    Power,
    Cond,
    Product,
    Transpose,
    Outer,
    Concat,
    Component,
    Row,
    Reduce,
    StaticReduce,
    Edges,
    Positions,
    Softmax,
    Scalar,
    OneHot,
    List,
    Constant,
    Call,
    Apply,
    Gather,
    Absolute,
    Slice,
}

const FORMS: &[(usize, Form)] = &[
    (10, Form::Leaf),
    (14, Form::Function),
    (18, Form::Arithmetic),
    (4, Form::Power),
    (7, Form::Cond),
    (14, Form::Product),
    (4, Form::Transpose),
    (4, Form::Outer),
    (7, Form::Concat),
    (4, Form::Component),
    (3, Form::Row),
    (5, Form::Reduce),
    (3, Form::StaticReduce),
    (12, Form::Edges),
    (6, Form::Positions),
    (3, Form::Softmax),
    (6, Form::Scalar),
    (4, Form::OneHot),
    (3, Form::List),
    (1, Form::Constant),
    (3, Form::Call),
    (6, Form::Apply),
    (4, Form::Gather),
    (2, Form::Absolute),
    (2, Form::Slice),
];

pub struct Exprs<'r> {
    pub rng: &'r mut Rng,
    pub scope: Scope,
}

impl Exprs<'_> {
    /// A real value of a shape; over a domain or below it.
    pub fn real(&mut self, shape: &[Dim], over: Over, depth: usize) -> String {
        if depth > 0 {
            for _ in 0..8 {
                let form = self.rng.weighted(FORMS);
                let touched = self.scope.touched.clone();
                if let Some(text) = self.form(form, shape, over, depth - 1) {
                    return text;
                }
                self.scope.touched = touched;
            }
        }
        self.leaf(shape, over)
    }

    /// One that is not greater than about 1.
    pub fn bounded(&mut self, shape: &[Dim], over: Over, depth: usize) -> String {
        let e = self.real(shape, over, depth);
        match self.rng.below(8) {
            0 => format!("σ({e})"),
            1 => format!("sin({e})"),
            2 => format!("clamp({e}, -1, 1)"),
            3 => format!("0.5 * tanh({e})"),
            4 => format!("{e} / (1 + abs({e}))"),
            5 if !self.scope.functions.is_empty() => {
                let f = self.rng.pick(&self.scope.functions).clone();
                format!("tanh({f}({e}))")
            }
            _ => format!("tanh({e})"),
        }
    }

    fn read(&mut self, var: &Var) -> String {
        self.scope.touched.insert(var.over);
        var.text.clone()
    }

    fn fits(over: Over, var: &Var) -> bool {
        var.over == Over::Plain || var.over == over
    }

    pub fn leaf(&mut self, shape: &[Dim], over: Over) -> String {
        let fitting = |v: &&Var| Self::fits(over, v) && v.kind == Kind::Real(shape.to_vec());
        let vars: Vec<Var> = self.scope.vars.iter().filter(fitting).cloned().collect();
        let own: Vec<Var> = vars.iter().filter(|v| v.over == over).cloned().collect();
        if shape.is_empty() && self.rng.one_in(4) {
            return self.number();
        }
        if !own.is_empty() && !self.rng.one_in(5) {
            // What was defined last more often, so that most of it is used.
            let i = own.len() - 1 - self.rng.below(self.rng.clone().between(1, own.len()));
            return self.read(&own[i]);
        }
        if !vars.is_empty() && !self.rng.one_in(3) {
            let var = self.rng.pick(&vars).clone();
            return self.read(&var);
        }
        if self.scope.params {
            return self.param(shape);
        }
        self.made(shape, over)
    }

    /// Made of what there is, where there are no parameters.
    fn made(&mut self, shape: &[Dim], over: Over) -> String {
        let is_vector = |v: &&Var| matches!(&v.kind, Kind::Real(s) if s.len() == 1) && Self::fits(over, v);
        let vectors: Vec<Var> = self.scope.vars.iter().filter(is_vector).cloned().collect();
        if vectors.is_empty() {
            return if shape.is_empty() { "0.7".into() } else { format!("ones({})", self.extents(shape)) };
        }
        let own: Vec<Var> = vectors.iter().filter(|v| v.over == over).cloned().collect();
        let var = self.rng.pick(if own.is_empty() { &vectors } else { &own }).clone();
        let Kind::Real(from) = var.kind.clone() else { return "1".into() };
        let text = self.read(&var);
        match shape {
            [] => format!("({text} · {text})"),
            [d] if *d == from[0] => text,
            [d] => format!("Dense({}, {})({text})", self.scope.dim(from[0]), self.scope.dim(*d)),
            [a, b] => {
                let (a, b) = (self.made(&[*a], over), self.made(&[*b], over));
                format!("outer({a}, {b})")
            }
            _ => format!("ones({}) * norm({text})", self.extents(shape)),
        }
    }

    fn extents(&self, shape: &[Dim]) -> String {
        shape.iter().map(|d| self.scope.dim(*d)).collect::<Vec<_>>().join(", ")
    }

    fn number(&mut self) -> String {
        let text = match self.rng.below(8) {
            0 | 1 if !self.scope.numbers.is_empty() => {
                let n = self.rng.pick(&self.scope.numbers).clone();
                match self.rng.below(4) {
                    0 => format!("(1 / {n})"),
                    1 => format!("(0.1 * {n})"),
                    2 => format!("sqrt({n})"),
                    _ => format!("cos({n})"),
                }
            }
            2 => "pi / 4".into(),
            3 => "-0.75".into(),
            _ => (*self.rng.pick(&["0.5", "2", "1", "0.1", "1.5", "3e-1", "0.25"])).into(),
        };
        format!("({text})").replace("(0.5)", "0.5").replace("(2)", "2")
    }

    /// A new parameter.
    pub fn param(&mut self, shape: &[Dim]) -> String {
        let ty = self.scope.shape(shape);
        let square = shape.len() == 2 && shape[0] == shape[1];
        let init = match self.rng.below(9) {
            0 => "= 0.1".to_string(),
            1 => "~ normal(0.5)".into(),
            2 => "~ uniform(-0.5, 1)".into(),
            3 if shape.len() == 2 => "~ xavier".into(),
            4 if shape.len() == 2 => "~ orthogonal".into(),
            5 if square => "~ identity".into(),
            6 if shape.len() == 1 => "~ chrono(8)".into(),
            _ => match shape.last() {
                Some(d) => format!("~ uniform(1/sqrt({}))", self.scope.dim(*d)),
                None => "~ uniform(1)".into(),
            },
        };
        let within = if self.rng.one_in(12) { " within -2 .. 2" } else { "" };
        let name = self.scope.fresh("p");
        self.scope.touched.insert(Over::Plain);
        match self.rng.below(10) {
            0 => {
                self.scope.lines.push(format!("param {name}[l in 1..2] : {ty} {init}{within}"));
                self.scope.real(&format!("{name}[2]"), shape, Over::Plain);
                format!("{name}[1]")
            }
            1 => {
                self.scope.lines.push(format!("param {name}_{{u v}} : {ty} {init}{within}"));
                self.scope.real(&format!("{name}_v"), shape, Over::Plain);
                format!("{name}_u")
            }
            _ => {
                self.scope.lines.push(format!("param {name} : {ty} {init}{within}"));
                if self.rng.one_in(2) {
                    self.scope.real(&name, shape, Over::Plain);
                }
                name
            }
        }
    }

    /// A parameter of a shape: a known one, or a new one.
    pub fn leaf_param(&mut self, shape: &[Dim]) -> String {
        let is_own = |v: &&Var| {
            v.text.starts_with('p')
                && v.text[1..].chars().all(|c| c.is_ascii_digit())
                && v.kind == Kind::Real(shape.to_vec())
        };
        match self.scope.vars.iter().find(is_own) {
            Some(var) => var.text.clone(),
            None => self.param(shape),
        }
    }

    pub fn some_dim(&mut self) -> Dim {
        let names = self.scope.names.len();
        match self.rng.below(12) {
            0 => Dim::constant(self.rng.between(1, 3) as i32),
            1 if names > 1 => Dim::name(0).plus(Dim::name(1)),
            2 => {
                let d = Dim::name(self.rng.below(names));
                d.plus(d)
            }
            _ => Dim::name(self.rng.below(names)),
        }
    }

    pub fn some_shape(&mut self) -> Shape {
        match self.rng.below(10) {
            0 => vec![],
            1 => vec![self.some_dim(), self.some_dim()],
            _ => vec![self.some_dim()],
        }
    }

    fn form(&mut self, form: Form, shape: &[Dim], over: Over, depth: usize) -> Option<String> {
        Some(match form {
            Form::Leaf => self.leaf(shape, over),
            Form::Function => {
                let e = self.real(shape, over, depth);
                match self.rng.below(24) {
                    0 => format!("σ({e})"),
                    1 => format!("relu({e})"),
                    2 => format!("exp(-({e})²)"),
                    3 => format!("log(1 + abs({e}))"),
                    4 => format!("log_sigmoid({e})"),
                    5 => format!("softplus({e})"),
                    6 => format!("sqrt(({e})² + 0.1)"),
                    7 => format!("abs({e})"),
                    8 => format!("sin({e})"),
                    9 => format!("cos({e})"),
                    10 => format!("erf({e})"),
                    11 => format!("clamp({e}, -0.8, 0.9)"),
                    12 => format!("identity({e})"),
                    13 => format!("({e} + floor({}))", self.inert(shape, over)),
                    14 => format!("({e} ⊙ sign({}))", self.inert(shape, over)),
                    // What is not stopped by itself would be seen by differences.
                    15 => format!("({e} ⊙ stop_gradient(floor({})))", self.inert(shape, over)),
                    16 => format!("(-{e})"),
                    17 => format!("exp(min({e}, 1))"),
                    18 if self.rng.one_in(4) => format!("log({e})"),
                    19 if self.rng.one_in(4) => format!("sqrt({e})"),
                    20 if !self.scope.functions.is_empty() => {
                        let f = self.rng.pick(&self.scope.functions).clone();
                        format!("{f}({e})")
                    }
                    _ => format!("tanh({e})"),
                }
            }
            Form::Arithmetic => {
                let a = self.real(shape, over, depth);
                let scalar = self.rng.one_in(4);
                let b = if scalar { self.real(&[], over, depth) } else { self.real(shape, over, depth) };
                match self.rng.below(14) {
                    0..4 => format!("({a} + {b})"),
                    4 | 5 => format!("({a} - {b})"),
                    6..9 => format!("({a} ⊙ {b})"),
                    9 => format!("({a} / (1.5 + ({b})²))"),
                    10 => format!("max({a}, {b})"),
                    11 => format!("min({b}, {a})"),
                    12 => format!("({b} * {a} − 0.5 * {a})"),
                    _ if self.rng.one_in(4) => format!("({a} / {b})"),
                    _ => format!("({a} + 2 * {b})"),
                }
            }
            Form::Power => {
                let a = self.real(shape, over, depth);
                match self.rng.below(5) {
                    0 => format!("({a})^3"),
                    1 => format!("(abs({a}) + 0.2)^1.5"),
                    2 => format!("(1.3 + sin({a}))^{}", self.leaf(&[], over)),
                    3 => format!("({a} + 0.1)^-2").replace("^-2", "^2"),
                    _ => format!("({a})²"),
                }
            }
            Form::Cond => {
                let (a, b) = (self.real(shape, over, depth), self.real(shape, over, depth));
                if !self.scope.options.is_empty() && self.rng.one_in(2) {
                    let c = self.rng.pick(&self.scope.options).clone();
                    return Some(format!("(if {c} then {a} else {b})"));
                }
                let of = if self.rng.one_in(2) { &[] } else { shape };
                let c = self.truth(of, over, depth.min(1));
                // The branch of a condition that is known beforehand is all there is.
                let b = if c.starts_with("stop") && self.rng.one_in(4) { "0".into() } else { b };
                format!("(if {c} then {a} else {b})")
            }
            Form::Product => match shape {
                [] => {
                    let d = self.some_dim();
                    let (a, b) = (self.real(&[d], over, depth), self.real(&[d], over, depth));
                    format!("({a} · {b})")
                }
                [d] => {
                    let inner = self.some_dim();
                    if self.rng.one_in(4) {
                        let (a, b) =
                            (self.real(&[inner], over, depth), self.real(&[inner, *d], over, depth.min(1)));
                        format!("({a} @ {b})")
                    } else {
                        let left = if self.rng.one_in(4) { depth.min(1) } else { 0 };
                        let a = self.real(&[*d, inner], over, left);
                        let b = self.real(&[inner], over, depth);
                        if self.rng.one_in(3) {
                            format!("({a} @ {b} + {})", self.leaf(shape, over))
                        } else {
                            format!("{a} @ {b}")
                        }
                    }
                }
                [a, b] => {
                    let inner = self.some_dim();
                    let (x, y) = (self.real(&[*a, inner], over, depth), self.real(&[inner, *b], over, depth));
                    format!("({x} @ {y})")
                }
                _ => return None,
            },
            Form::Transpose => match shape {
                [a, b] => {
                    let e = self.real(&[*b, *a], over, depth);
                    format!("({e})ᵀ")
                }
                _ => return None,
            },
            Form::Outer => match shape {
                [a, b] => {
                    let (a, b) = (self.real(&[*a], over, depth), self.real(&[*b], over, depth));
                    format!("outer({a}, {b})")
                }
                _ => return None,
            },
            Form::Concat => {
                let (first, rest) = shape.split_first()?;
                let mut cuts: Vec<Dim> = Vec::new();
                for i in 0..4 {
                    let mut part = [0; 4];
                    part[i] = 1;
                    if first.less(Dim(part)).is_positive() {
                        cuts.push(Dim(part));
                    }
                }
                if cuts.is_empty() {
                    return None;
                }
                let cut = *self.rng.pick(&cuts);
                let part = |d: Dim| [&[d], rest].concat();
                let a = self.real(&part(cut), over, depth);
                let b = self.real(&part(first.less(cut)), over, depth);
                match (first.half(), rest.is_empty() && self.rng.one_in(4)) {
                    (Some(half), true) => {
                        let v = self.real(&[half], over, 0);
                        format!("(concat k in 1..2: ({v} * k))")
                    }
                    _ if rest.len() == 1 && self.rng.one_in(2) => format!("rows({a}, {b})"),
                    _ => format!("({a} ++ {b})"),
                }
            }
            Form::Component => {
                let is_below = |v: &&Var| {
                    v.over == Over::Plain
                        && matches!(&v.kind, Kind::Real(s) if s.len() == shape.len() + 1 && s[1..] == *shape)
                };
                let vars: Vec<Var> = self.scope.vars.iter().filter(is_below).cloned().collect();
                if vars.is_empty() {
                    return None;
                }
                let var = self.rng.pick(&vars).clone();
                self.scope.touched.insert(var.over);
                format!("{}[1]", var.parts)
            }
            // One of the rows of a table, by a symbol.
            Form::Row | Form::Gather => {
                if !self.scope.has_symbols() && !self.rng.one_in(3) {
                    return None;
                }
                let d = self.some_symbols(over);
                let w = self.symbol(d, over, depth.min(1));
                let shape = [&[d], shape].concat();
                let table = match form {
                    Form::Row if depth > 0 && shape.len() < 3 => self.real(&shape, over, depth.min(1)),
                    _ => self.leaf(&shape, over),
                };
                let is_name = table.chars().all(|c| c.is_alphanumeric() || c == '_');
                if is_name && self.scope.params { format!("{table}[{w}]") } else { format!("({table})[{w}]") }
            }
            Form::Reduce => self.reduce(shape, over)?,
            Form::StaticReduce => {
                let n = self.rng.between(1, 3);
                let fold = self.fold();
                let k = self.scope.fresh("k");
                let mark = self.scope.numbers.len();
                self.scope.numbers.push(k.clone());
                let family = if self.scope.params {
                    let name = self.scope.fresh("q");
                    let ty = self.scope.shape(shape);
                    self.scope.lines.push(format!("param {name}[l in 1..{n}] : {ty} ~ normal(0.5)"));
                    format!("{name}[{k}] ⊙ ")
                } else {
                    String::new()
                };
                let body = self.real(shape, over, depth);
                self.scope.numbers.truncate(mark);
                format!("({fold} {k} in 1..{n}: ({family}{body}))")
            }
            Form::Edges => {
                if self.scope.edges.is_empty() {
                    return None;
                }
                let (set, reads) = self.rng.pick(&self.scope.edges).clone();
                // Something of the edge is in the body.
                let near: Vec<String> =
                    reads.iter().filter(|(_, s)| s == shape).map(|(t, _)| t.clone()).collect();
                if near.is_empty() {
                    return None;
                }
                let fold = self.fold();
                let k = self.scope.fresh("k");
                let mark = self.scope.vars.len();
                for (text, shape) in &reads {
                    self.scope.real(&text.replace('_', &k), shape, Over::Plain);
                }
                // One edge at a time.
                let edges = std::mem::take(&mut self.scope.edges);
                let body = self.real(shape, over, depth);
                self.scope.edges = edges;
                let body = format!("{body} ⊙ {}", self.rng.pick(&near).replace('_', &k));
                self.scope.vars.truncate(mark);
                format!("({fold} {k} ∈ {set}: ({body}))")
            }
            Form::Positions => self.positions(shape, over, depth)?,
            Form::Softmax => match shape {
                [d] => {
                    let e = self.real(&[*d], over, depth);
                    format!("softmax({e})")
                }
                _ => return None,
            },
            Form::Scalar => {
                if !shape.is_empty() {
                    return None;
                }
                let d = self.some_dim();
                let e = self.real(&[d], over, depth);
                match self.rng.below(4) {
                    0 => format!("logsumexp({e})"),
                    1 => format!("norm({e} + 0.1)"),
                    _ => self.number(),
                }
            }
            Form::OneHot => match shape {
                [d] => {
                    let w = self.symbol(*d, over, depth.min(1));
                    format!("one_hot({w})")
                }
                _ => return None,
            },
            Form::List => {
                let (first, rest) = shape.split_first()?;
                if first.0[1..] != [0; 3] || first.0[0] > 3 {
                    return None;
                }
                let rest = rest.to_vec();
                if rest.is_empty() && self.rng.one_in(2) {
                    let all = [["[1]", "[-0.5]"], ["[0.5, 1]", "[1, -2]"], ["[1, 0, 0.5]", "[0.1, 2, -1]"]];
                    return Some((*self.rng.pick(&all[first.0[0] as usize - 1])).into());
                }
                let items: Vec<String> = (0..first.0[0]).map(|_| self.real(&rest, over, depth)).collect();
                format!("[{}]", items.join(", "))
            }
            Form::Constant => match shape {
                [] => self.number(),
                _ => format!("{}({})", self.rng.pick(&["zeros", "ones"]), self.extents(shape)),
            },
            Form::Call => match shape {
                [d] => {
                    let (a, b) = (self.real(&[*d], over, depth), self.real(&[*d], over, depth));
                    match self.rng.below(3) {
                        0 => format!("LN({a}, {b}, {}, eps = 0.1)", self.leaf(shape, over)),
                        _ if self.scope.pairs.is_empty() => return None,
                        _ => format!("{}({a}, {b})", self.rng.pick(&self.scope.pairs)),
                    }
                }
                _ => return None,
            },
            Form::Apply => self.apply(shape, over, depth)?,
            Form::Absolute => {
                let fitting = |w: &&Whole| w.kind == Kind::Real(shape.to_vec());
                let wholes: Vec<Whole> = self.scope.wholes.iter().filter(fitting).cloned().collect();
                if wholes.is_empty() {
                    return None;
                }
                let whole = self.rng.pick(&wholes);
                let places: Vec<String> =
                    whole.extents.iter().map(|n| (*self.rng.pick(&["1", n.as_str()])).into()).collect();
                format!("{}[{}]", whole.text, places.join(", "))
            }
            Form::Slice => match shape {
                [_] | [] if depth > 0 => {
                    let e = self.real(shape, over, depth);
                    let c = self.rng.pick(&["max", "min"]);
                    format!("{c}({e}, {}, {})", self.leaf(&[], over), self.leaf(shape, over))
                }
                _ => return None,
            },
        })
    }

    fn fold(&mut self) -> &'static str {
        self.rng.weighted(&[(6, "∑"), (2, "∏"), (2, "max"), (2, "min"), (3, "mean")])
    }

    /// A reduction over the components of vectors, or over the rows of matrices.
    fn reduce(&mut self, shape: &[Dim], over: Over) -> Option<String> {
        // A bracket after a value over a domain is a place.
        let is_below = |v: &Var| {
            v.over == Over::Plain
                && matches!(&v.kind, Kind::Real(s) if s.len() == shape.len() + 1 && s[1..] == *shape)
        };
        let vars: Vec<Var> = self.scope.vars.iter().filter(|v| is_below(v)).cloned().collect();
        if vars.is_empty() {
            return None;
        }
        let Kind::Real(of) = self.rng.pick(&vars).kind.clone() else { return None };
        let k = self.scope.fresh("k");
        let mark = self.scope.vars.len();
        let mut some = None;
        for var in vars.iter().filter(|v| matches!(&v.kind, Kind::Real(s) if s[0] == of[0])) {
            self.scope.real(&format!("{}[{k}]", var.parts), shape, var.over);
            some = Some((format!("{}[{k}]", var.parts), var.over));
        }
        let (some, at) = some?;
        // Along components there is arithmetic only.
        let body = self.leaf(shape, over);
        self.scope.touched.insert(at);
        self.scope.vars.truncate(mark);
        let fold = self.fold();
        let set = self.scope.dim(of[0]);
        let set = if set.chars().all(char::is_alphanumeric) && !set.starts_with(|c: char| c.is_ascii_digit())
        {
            set
        } else {
            format!("1..{set}")
        };
        let op = self.rng.pick(&["⊙", "+"]);
        Some(format!("({fold} {k} in {set}: ({body} {op} {some}))"))
    }

    /// A reduction over positions of whole values.
    fn positions(&mut self, shape: &[Dim], over: Over, depth: usize) -> Option<String> {
        let wholes: Vec<Whole> = self.scope.wholes.clone();
        let with = |w: &&Whole| w.kind == Kind::Real(shape.to_vec());
        let fitting: Vec<&Whole> = wholes.iter().filter(with).collect();
        if fitting.is_empty() {
            return None;
        }
        let whole = *self.rng.pick(&fitting);
        let ks: Vec<String> = whole.extents.iter().map(|_| self.scope.fresh("k")).collect();
        let here = format!("[{}]", ks.join(", "));
        let mark = self.scope.vars.len();
        // In a cell all that is read at a point is the same at every position.
        for w in wholes.iter().filter(|w| w.extents == whole.extents) {
            self.scope.var(&format!("{}{here}", w.text), w.kind.clone(), Over::Plain);
        }
        let touched = self.scope.touched.clone();
        let plain = if self.scope.params { over } else { Over::Plain };
        let body = self.real(shape, plain, depth.min(1));
        self.scope.touched = touched;
        self.scope.vars.truncate(mark);
        let binders: Vec<String> = ks
            .iter()
            .zip(&whole.extents)
            .map(|(k, n)| if self.rng.one_in(2) { format!("{k} in 1..{n}") } else { format!("{k} in {n}") })
            .collect();
        let text = format!("{}{here}", whole.text);
        let filter = match (self.rng.one_in(4), shape) {
            (true, []) => format!(" where {text} > 0"),
            (true, [_]) => format!(" where {text}[1] > -0.2"),
            _ => String::new(),
        };
        let fold = self.fold();
        Some(format!("({fold} {}{filter}: ({body} ⊙ {text}))", binders.join(", ")))
    }

    /// The instance of a cell that needs nothing of other points, or goes along with this one.
    fn apply(&mut self, shape: &[Dim], over: Over, depth: usize) -> Option<String> {
        let [d] = shape else { return None };
        let steps = self.scope.steps;
        let fitting = |r: &&Recipe| r.domain == Where::Anywhere || r.domain == Where::Chain && steps;
        let recipes: Vec<Recipe> = self.scope.recipes.iter().filter(fitting).cloned().collect();
        if recipes.is_empty() || over != Over::Plain && self.rng.one_in(2) {
            return None;
        }
        let recipe = self.rng.pick(&recipes).clone();
        let from = self.some_dim();
        let x = self.real(&[from], over, depth);
        let name = self.recipe(&recipe, from, *d);
        match self.rng.below(4) {
            0 => Some(format!("({x} |> {name})")),
            _ => Some(format!("{name}({x})")),
        }
    }

    /// A recipe with its dimensions, some of them left open.
    pub fn recipe(&mut self, recipe: &Recipe, from: Dim, to: Dim) -> String {
        let first = if self.rng.one_in(5) { "_".into() } else { self.scope.dim(from) };
        let mut args = vec![first, self.scope.dim(to)];
        if !recipe.more.is_empty() && self.rng.one_in(2) {
            args.push((*self.rng.pick(&recipe.more)).into());
        }
        format!("{}({})", recipe.name, args.join(", "))
    }

    fn some_symbols(&mut self, over: Over) -> Dim {
        let mut dims: Vec<Dim> = Vec::new();
        for v in self.scope.vars.iter().filter(|v| Self::fits(over, v)) {
            if let Kind::Symbol(d) = v.kind {
                dims.push(d);
            }
        }
        if dims.is_empty() { self.some_dim() } else { *self.rng.pick(&dims) }
    }

    pub fn symbol(&mut self, d: Dim, over: Over, depth: usize) -> String {
        let fitting = |v: &&Var| Self::fits(over, v) && v.kind == Kind::Symbol(d);
        let vars: Vec<Var> = self.scope.vars.iter().filter(fitting).cloned().collect();
        if !vars.is_empty() && !self.rng.one_in(6) {
            let var = self.rng.pick(&vars).clone();
            return self.read(&var);
        }
        let e = self.inert_of(&[d], over, depth);
        format!("argmax({e})")
    }

    /// A value through which no gradient is expected: of what comes from outside only.
    fn inert(&mut self, shape: &[Dim], over: Over) -> String {
        // A few steps of a staircase: of very many, differences measure the slope of the whole.
        let e = self.inert_of(shape, over, 1);
        format!("3 * tanh({e})")
    }

    fn inert_of(&mut self, shape: &[Dim], over: Over, depth: usize) -> String {
        // Inputs need no gradient; of what else is used here only, it is said that none is meant.
        let given = |v: &&Var| {
            matches!(v.text.as_str(), "x" | "y" | "v" | "x[t-1]" | "h[t-1]")
                && Self::fits(over, v)
                && v.kind == Kind::Real(shape.to_vec())
        };
        let given: Vec<Var> = self.scope.vars.iter().filter(given).cloned().collect();
        if !given.is_empty() && self.rng.one_in(8) {
            let var = self.rng.pick(&given).clone();
            return self.read(&var);
        }
        let e = self.real(shape, over, depth);
        format!("stop_gradient({e})")
    }

    /// A condition; where it decides by values, they pass no gradient, which says nothing of comparisons: they pass none.
    pub fn truth(&mut self, shape: &[Dim], over: Over, depth: usize) -> String {
        let op = *self.rng.pick(&["<", "≤", ">", "≥"]);
        match self.rng.below(10) {
            0 if depth > 0 => {
                let (a, b) = (self.truth(shape, over, depth - 1), self.truth(&[], over, depth - 1));
                format!("{a} and {b}")
            }
            1 if depth > 0 => {
                let (a, b) = (self.truth(shape, over, depth - 1), self.truth(shape, over, depth - 1));
                format!("({a} or not ({b}))")
            }
            2 | 3 => {
                let d = self.some_symbols(over);
                let (a, b) = (self.symbol(d, over, 0), self.symbol(d, over, 1));
                format!("{a} {} {b}", self.rng.pick(&["==", "≠"]))
            }
            4 => {
                let fitting = |v: &&Var| Self::fits(over, v) && v.kind == Kind::Truth;
                let vars: Vec<Var> = self.scope.vars.iter().filter(fitting).cloned().collect();
                match vars.is_empty() {
                    true => "true".into(),
                    false => {
                        let var = self.rng.pick(&vars).clone();
                        self.read(&var)
                    }
                }
            }
            5 | 6 if !self.scope.numbers.is_empty() => {
                // The quotient of a size must come out even, so there is more to say of what is none.
                let is_size = |n: &String| n.starts_with(char::is_uppercase);
                let (sizes, others): (Vec<String>, Vec<String>) =
                    self.scope.numbers.iter().cloned().partition(is_size);
                let (n, is_size) = match others.is_empty() || (!sizes.is_empty() && self.rng.one_in(4)) {
                    true => (self.rng.pick(&sizes).clone(), true),
                    false => (self.rng.pick(&others).clone(), false),
                };
                match self.rng.below(3) {
                    _ if is_size => format!("{n} {op} 2"),
                    0 => format!("{n} mod 2 == 1"),
                    1 => format!("{n} div 2 == 1"),
                    _ => format!("{n} {op} 2"),
                }
            }
            7 => format!("{} {op} 0.1", self.inert_of(shape, over, depth)),
            _ => {
                let (a, b) = (self.inert_of(shape, over, depth), self.inert_of(shape, over, 0));
                format!("{a} {op} {b}")
            }
        }
    }
}
