//! Layers and models: cells over whole sequences, grids and trees, and what joins them.

use super::expr::Exprs;
use super::scope::*;

/// The text of a layer or model.
pub struct Composed {
    pub text: String,
    /// Arguments of its recipe beyond the dimensions.
    pub arguments: Vec<String>,
}

struct Maker<'e, 'r> {
    e: &'e mut Exprs<'r>,
    is_model: bool,
    /// `NAME : TYPE` of each input.
    inputs: Vec<String>,
    outs: Vec<String>,
    arguments: Vec<String>,
    statics: Vec<String>,
}

/// Axes of the inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axes {
    One,
    Two,
    /// A sequence of sequences.
    Nested,
    Grid,
    Grid3,
    Tree,
}

pub fn compose(e: &mut Exprs, name: &str, axes: Axes, is_model: bool) -> Composed {
    let statics = e.scope.names.iter().map(|n| n.to_string()).collect();
    let mut maker = Maker { e, is_model, inputs: vec![], outs: vec![], arguments: vec![], statics };
    maker.make(name, axes)
}

impl Maker<'_, '_> {
    fn make(&mut self, name: &str, axes: Axes) -> Composed {
        self.e.scope.params = false;
        self.e.scope.steps = false;
        let first = self.domain(match axes {
            Axes::One | Axes::Two => Domain::Seq("n".into()),
            Axes::Nested | Axes::Grid => Domain::Grid(vec!["r".into(), "c".into()]),
            Axes::Grid3 => Domain::Grid(vec!["r".into(), "c".into(), "d".into()]),
            Axes::Tree => Domain::Tree("n".into()),
        });
        let nested = axes == Axes::Nested;
        self.input("x", first, nested, vec![Dim::name(0)]);
        if self.e.rng.one_in(3) {
            self.symbols("w", first, nested);
        }
        if self.e.rng.one_in(6) {
            let over = self.over_type(first, nested, "bool");
            self.inputs.push(format!("ok : {over}"));
            self.e.scope.var("ok", Kind::Truth, Over::Domain(first));
        }
        if axes == Axes::Two {
            let second = self.domain(Domain::Seq("m".into()));
            let d = self.e.some_dim();
            self.input("y", second, false, vec![d]);
        }
        if self.e.rng.one_in(4) {
            let shape = self.e.some_shape();
            let ty = self.e.scope.shape(&shape);
            // In front: behind a sequence it would be one too.
            self.inputs.insert(0, format!("v : {ty}"));
            self.e.scope.real("v", &shape, Over::Plain);
        }
        if !self.is_model && self.e.rng.one_in(5) {
            self.statics.push("Given : cell".into());
            let recipe = self.any_recipe(self.where_(first));
            if let Some(recipe) = recipe {
                let b = self.e.scope.names.len().min(2) - 1;
                self.arguments.push(format!("Given = {}(_, {})", recipe.name, b + 2));
                // Its output has a size of its own.
                let d = Dim::name(b);
                self.e.scope.lines.push(format!("hc = Dense(_, {})(Given(x))", self.e.scope.dim(d)));
                self.e.scope.real("hc", &[d], Over::Domain(first));
                self.outs.push("hc".into());
            } else {
                self.statics.pop();
            }
        }
        for _ in 0..self.e.rng.between(2, 4) {
            self.equation();
        }
        self.finish(name, first)
    }

    fn domain(&mut self, domain: Domain) -> usize {
        self.e.scope.domains.push(domain);
        self.e.scope.domains.len() - 1
    }

    fn over_type(&self, domain: usize, nested: bool, of: &str) -> String {
        match &self.e.scope.domains[domain] {
            Domain::Seq(n) => format!("seq<{n}> of {of}"),
            Domain::Grid(axes) if nested => format!("seq<{}> of seq<{}> of {of}", axes[0], axes[1]),
            Domain::Grid(axes) => format!("grid<{}> of {of}", axes.join(", ")),
            Domain::Tree(n) => format!("tree<{n}> of {of}"),
        }
    }

    fn input(&mut self, name: &str, domain: usize, nested: bool, shape: Shape) {
        let ty = self.over_type(domain, nested, &self.e.scope.shape(&shape));
        self.inputs.push(format!("{name} : {ty}"));
        self.whole(name, &shape, domain);
    }

    fn symbols(&mut self, name: &str, domain: usize, nested: bool) {
        let d = Dim::name(self.e.rng.below(self.e.scope.names.len()));
        let ty = self.over_type(domain, nested, &format!("id({})", self.e.scope.dim(d)));
        self.inputs.push(format!("{name} : {ty}"));
        self.e.scope.var(name, Kind::Symbol(d), Over::Domain(domain));
    }

    /// A value over a domain: read as it is, or at an index.
    fn whole(&mut self, name: &str, shape: &[Dim], domain: usize) {
        self.e.scope.real(name, shape, Over::Domain(domain));
        let extents = match &self.e.scope.domains[domain] {
            Domain::Seq(n) | Domain::Tree(n) => vec![n.clone()],
            Domain::Grid(axes) => axes.clone(),
        };
        // What has no extent by name is read as a whole only.
        if extents.iter().all(|n| !n.is_empty()) {
            let kind = Kind::Real(shape.to_vec());
            self.e.scope.wholes.push(Whole { text: name.into(), kind, extents });
        }
    }

    fn where_(&self, domain: usize) -> Where {
        match &self.e.scope.domains[domain] {
            Domain::Seq(_) => Where::Chain,
            Domain::Grid(_) => Where::Grid,
            Domain::Tree(_) => Where::Tree,
        }
    }

    fn any_recipe(&mut self, at: Where) -> Option<Recipe> {
        let fits = |r: &&Recipe| {
            r.domain == at || r.domain == Where::Anywhere || r.domain == Where::Chain && at == Where::Grid
        };
        let all: Vec<Recipe> = self.e.scope.recipes.iter().filter(fits).cloned().collect();
        if all.is_empty() { None } else { Some(self.e.rng.pick(&all).clone()) }
    }

    /// A value that is over the domain, not below it.
    fn exact(&mut self, shape: &[Dim], domain: usize, depth: usize) -> String {
        for _ in 0..4 {
            self.e.scope.touched.clear();
            let text = self.e.real(shape, Over::Domain(domain), depth);
            if self.e.scope.touched.contains(&Over::Domain(domain)) {
                return text;
            }
        }
        self.some(shape, domain)
    }

    /// Some value over the domain.
    fn some(&mut self, shape: &[Dim], domain: usize) -> String {
        let own = |v: &&Var| v.over == Over::Domain(domain) && matches!(&v.kind, Kind::Real(_));
        let vars: Vec<Var> = self.e.scope.vars.iter().filter(own).cloned().collect();
        let same: Vec<&Var> = vars.iter().filter(|v| v.kind == Kind::Real(shape.to_vec())).collect();
        if !same.is_empty() {
            return self.e.rng.pick(&same).text.clone();
        }
        let vectors = vars.iter().find_map(|v| match &v.kind {
            Kind::Real(s) if s.len() == 1 => Some((v.text.clone(), s[0])),
            _ => None,
        });
        match (vectors, shape) {
            (Some((v, from)), [to]) => {
                format!("Dense({}, {})({v})", self.e.scope.dim(from), self.e.scope.dim(*to))
            }
            (Some((v, _)), []) => format!("norm({v} + 0.1)"),
            (Some((v, from)), [a, b]) => {
                let dense =
                    |e: &Self, to: Dim| format!("Dense({}, {})({v})", e.e.scope.dim(from), e.e.scope.dim(to));
                format!("outer({}, {})", dense(self, *a), dense(self, *b))
            }
            _ => "1".into(),
        }
    }

    /// One with a vector over it, of which others can be made.
    fn pick_domain(&mut self) -> usize {
        let has_vector = |d: &usize| {
            let is = |v: &Var| v.over == Over::Domain(*d) && matches!(&v.kind, Kind::Real(s) if s.len() == 1);
            self.e.scope.vars.iter().any(is)
        };
        let all: Vec<usize> = (0..self.e.scope.domains.len()).filter(has_vector).collect();
        *self.e.rng.pick(&all)
    }

    fn define(&mut self, name: &str, text: &str) {
        self.e.scope.lines.push(format!("{name} = {text}"));
    }

    fn equation(&mut self) {
        let name = self.e.scope.fresh("a");
        let domain = self.pick_domain();
        let kind = self.e.scope.domains[domain].clone();
        match self.e.rng.below(14) {
            0..5 => self.cells(&name, domain),
            5 | 6 => {
                let shape = self.e.some_shape();
                let text = self.exact(&shape, domain, 3);
                self.define(&name, &text);
                self.whole(&name, &shape, domain);
            }
            7 => self.family(&name),
            8 => {
                // One value of all.
                let shape = self.e.some_shape();
                let text = self.exact(&shape, domain, 1);
                match (&kind, self.e.rng.below(3)) {
                    (Domain::Seq(_), 0) => self.define(&name, &format!("first({text})")),
                    (Domain::Seq(_), 1) => self.define(&name, &format!("last({text})")),
                    (Domain::Tree(_), 0 | 1) => self.define(&name, &format!("root({text})")),
                    _ => {
                        let text = self.e.real(&shape, Over::Plain, 3);
                        self.define(&name, &text);
                    }
                }
                self.e.scope.real(&name, &shape, Over::Plain);
            }
            _ => match kind {
                Domain::Seq(_) => self.along_sequence(&name, domain),
                Domain::Grid(axes) => self.over_grid(&name, domain, axes.len()),
                Domain::Tree(_) => self.cells(&name, domain),
            },
        }
        self.outs.push(name);
    }

    /// A cell, or cells in a layer, over a domain.
    fn cells(&mut self, name: &str, domain: usize) {
        let at = self.where_(domain);
        let Some(recipe) = self.any_recipe(at) else { return };
        let (from, to) = (self.e.some_dim(), self.e.some_dim());
        let x = self.exact(&[from], domain, 2);
        let r = self.e.recipe(&recipe, from, to);
        let is_chain = at == Where::Chain && recipe.domain == Where::Chain;
        let mut shape = vec![to];
        let text = match self.e.rng.below(8) {
            0 if is_chain => {
                shape = vec![to.plus(to)];
                format!("Bi({r})({x})")
            }
            1 => {
                let second =
                    self.e.recipe(&recipe, to, to).replacen(&format!("({}", self.e.scope.dim(to)), "(_", 1);
                format!("Stack({}, {second})({x})", self.e.rng.between(1, 2))
            }
            2 if from == to => format!("Residual({r})({x})"),
            3 => format!("({x} |> {r})"),
            4 if is_chain => format!("reverse({r}(reverse({x})))"),
            5 if is_chain && !recipe.states.is_empty() => {
                let start = self.e.real(&[to], Over::Plain, 1);
                format!("{r}({x}, {}0 = {start})", recipe.states[0])
            }
            6 => {
                // Applied twice, it is the same cell.
                let part = format!("{name}p");
                let known = r.replacen("(_", &format!("({}", self.e.scope.dim(from)), 1);
                self.e.scope.lines.push(format!("part {part} = {known}"));
                let y = self.exact(&[from], domain, 0);
                format!("{part}({x}) + {part}({y})")
            }
            _ => format!("{r}({x})"),
        };
        let is_plain = text.starts_with(&r);
        self.define(name, &text);
        self.whole(name, &shape, domain);
        if is_plain && is_chain && !recipe.states.is_empty() && self.e.rng.one_in(3) {
            self.e.scope.real(&format!("{name}.{}_last", recipe.states[0]), &[to], Over::Plain);
        }
    }

    fn along_sequence(&mut self, name: &str, domain: usize) {
        let shape = self.e.some_shape();
        let text = self.exact(&shape, domain, 1);
        match self.e.rng.below(8) {
            0 => self.define(name, &format!("reverse({text})")),
            1 => self.define(name, &format!("shift({text}, {})", self.e.rng.clone().between(1, 2))),
            2 => {
                let v = self.e.real(&shape, Over::Plain, 1);
                let Domain::Seq(n) = self.e.scope.domains[domain].clone() else { return };
                if n.is_empty() {
                    self.define(name, &text);
                } else {
                    self.define(name, &format!("repeat({v}, {n})"));
                }
            }
            3 => {
                let (a, b) = (self.e.rng.below(3), self.e.rng.below(2));
                self.define(name, &format!("pad({text}, {a}, {b})"));
                let other = self.domain(Domain::Seq(String::new()));
                return self.e.scope.real(name, &shape, Over::Domain(other));
            }
            4 => {
                let with = self.pick_domain();
                if !matches!(self.e.scope.domains[with], Domain::Seq(_)) {
                    return self.define(name, &text);
                }
                let other = self.some(&shape, with);
                self.define(name, &format!("append({text}, {other})"));
                let other = self.domain(Domain::Seq(String::new()));
                return self.e.scope.real(name, &shape, Over::Domain(other));
            }
            5 => {
                self.define(name, &format!("windows({text}, 2, 1)"));
                let other = self.domain(Domain::Seq(String::new()));
                let wide = [&[Dim::constant(2)], &shape[..]].concat();
                return self.e.scope.real(name, &wide, Over::Domain(other));
            }
            6 => {
                let scalar = self.exact(&[], domain, 1);
                self.define(&format!("{name}s"), &format!("softmax({scalar})"));
                self.e.scope.real(&format!("{name}s"), &[], Over::Domain(domain));
                self.define(name, &format!("{text} * {name}s"));
            }
            _ => self.define(name, &format!("flip({text}, {})", self.e.rng.clone().below(2))),
        }
        self.whole(name, &shape, domain);
    }

    fn over_grid(&mut self, name: &str, domain: usize, axes: usize) {
        let shape = self.e.some_shape();
        let text = self.exact(&shape, domain, 1);
        match self.e.rng.below(4) {
            0 => self.define(name, &format!("flip({text}, {})", self.e.rng.clone().below(1 << axes))),
            1 => {
                let (from, to) = (self.e.some_dim(), self.e.some_dim());
                let x = self.exact(&[from], domain, 1);
                let Some(recipe) = self.any_recipe(Where::Grid) else { return };
                let r = self.e.recipe(&recipe, from, to);
                self.define(name, &format!("transpose({r}(transpose({x}, 1, 2)), 1, 2)"));
                return self.whole(name, &[to], domain);
            }
            2 => {
                self.define(name, &format!("flatten({text})"));
                let other = self.domain(Domain::Seq(String::new()));
                return self.e.scope.real(name, &shape, Over::Domain(other));
            }
            _ => self.define(name, &text),
        }
        self.whole(name, &shape, domain);
    }

    /// Values over pairs of positions, and what is made of them.
    fn family(&mut self, name: &str) {
        let is_vector = |w: &&Whole| w.extents.len() == 1 && matches!(&w.kind, Kind::Real(s) if s.len() == 1);
        let wholes: Vec<Whole> = self.e.scope.wholes.iter().filter(is_vector).cloned().collect();
        if wholes.is_empty() {
            return self.define(name, "0.5");
        }
        let (x, y) = (self.e.rng.pick(&wholes).clone(), self.e.rng.pick(&wholes).clone());
        let (Kind::Real(xs), Kind::Real(ys)) = (&x.kind, &y.kind) else { return };
        let (n, m) = (&x.extents[0], &y.extents[0]);
        let score = if xs == ys && self.e.rng.one_in(2) {
            format!("{}[i] · {}[j]", x.text, y.text)
        } else {
            format!("norm({}[i] + 0.1) * norm({}[j] − 0.2) + 0.1 * i", x.text, y.text)
        };
        let e = format!("{name}e");
        self.e.scope.lines.push(format!("{e}[i in {n}, j in {m}] = {score}"));
        let weight = match self.e.rng.below(3) {
            0 => format!("{e}[i, j]"),
            1 => format!("(exp(tanh({e}[i, j])) / (∑ k in {m}: exp(tanh({e}[i, k]))))"),
            _ => format!("σ({e}[i, j])"),
        };
        let filter = if n == m && self.e.rng.one_in(2) { " where j ≤ i" } else { "" };
        let fold = *self.e.rng.pick(&["∑", "∑", "mean", "max"]);
        self.e
            .scope
            .lines
            .push(format!("{name}[i in {n}] = {fold} j in {m}{filter}: {weight} * {}[j]", y.text));
        let over = self.e.scope.vars.iter().find(|v| v.text == x.text).map(|v| v.over);
        if let Some(Over::Domain(domain)) = over {
            self.whole(name, ys, domain);
        }
        if self.e.rng.one_in(2) {
            self.outs.push(e);
        }
    }

    fn finish(&mut self, name: &str, domain: usize) -> Composed {
        let mut text = String::new();
        let statics = self.statics.join(", ");
        if self.is_model {
            text += &format!("model {name}({statics}) {{\n");
            for input in &self.inputs {
                text += &format!("  in {input}\n");
            }
        } else {
            text += &format!("layer {name}({statics})({}) {{\n", self.inputs.join(", "));
        }
        let shape = self.e.some_shape();
        let value = self.exact(&shape, domain, 2);
        let mut outs = vec![format!("o1 = {value}")];
        self.outs.dedup();
        for out in std::mem::take(&mut self.outs) {
            let known = |l: &String| l.starts_with(&format!("{out} =")) || l.starts_with(&format!("{out}["));
            if self.e.scope.lines.iter().any(known) && !outs.contains(&out) && self.e.rng.one_in(2) {
                outs.push(out);
            }
        }
        if self.e.rng.one_in(3) {
            let shape = self.e.some_shape();
            outs.push(format!("o2 = {}", self.e.real(&shape, Over::Plain, 2)));
        }
        let mut lines = std::mem::take(&mut self.e.scope.lines);
        if self.is_model {
            let symbols: Vec<(String, Dim)> = self
                .e
                .scope
                .vars
                .iter()
                .filter_map(|v| match v.kind {
                    Kind::Symbol(d) if v.over == Over::Domain(domain) => Some((v.text.clone(), d)),
                    _ => None,
                })
                .collect();
            if let Some((w, d)) = symbols.first() {
                let scores = self.exact(&[*d], domain, 1);
                let filter = if self.e.rng.one_in(2) { format!(" where {w} ≠ 0") } else { String::new() };
                lines.push(format!("scores = {scores}"));
                lines.push(format!("loss cross_entropy(scores, {w}){filter}"));
                lines.push(format!("metric right = accuracy(scores, {w})"));
            }
            let d = self.e.some_dim();
            let (a, b) = (self.exact(&[d], domain, 1), self.exact(&[d], domain, 0));
            lines.push(format!("loss 0.5 * squared_error({a}, {b})"));
            if self.e.rng.one_in(2) {
                lines.push(format!("metric norm({a} + 1)"));
            }
        }
        for line in lines {
            text += &format!("  {line}\n");
        }
        text += &format!("  out {}\n}}\n", outs.join(", "));
        Composed { text, arguments: std::mem::take(&mut self.arguments) }
    }
}
