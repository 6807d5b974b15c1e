//! Cells over chains, grids and trees.
//!
//! Equations come in phases. Those of one phase depend on states of their own along one order of the points (forwards,
//! backwards, from the leaves, from the root) and on everything that is finished before; so every cell has an order.

use super::expr::Exprs;
use super::scope::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Points {
    Chain,
    Grid2,
    Grid3,
    /// `D..`
    Grid,
    /// `left, right`
    Tree,
    /// `K..`
    Children,
    /// `K..` of a fixed number, by parameters that it indexes.
    Arity,
}

/// Where a state may be read, seen from the point of a phase.
struct Phase {
    /// Which axis leads, then which, and whether backwards.
    order: Vec<(usize, bool)>,
    /// In a tree: from the root.
    down: bool,
}

/// An equation that another may replace.
pub struct Replaceable {
    pub name: String,
    pub shape: Shape,
    /// How much was known before it.
    pub vars: usize,
}

pub struct Made {
    pub text: String,
    pub states: Vec<String>,
    pub param: Option<(String, [usize; 2])>,
    pub has_lag: bool,
    /// Static arguments beyond the dimensions, for a recipe.
    pub arguments: Vec<String>,
    pub statics: String,
    pub scope: Scope,
    pub equations: Vec<Replaceable>,
    pub params: Vec<String>,
}

/// What is asked of a cell.
pub struct Wanted {
    pub points: Points,
    /// One input `[I]`, first output and first state `[O]`, nothing else from outside: others can apply it.
    pub plain: bool,
    pub equations: usize,
    pub depth: usize,
}

/// States of a phase with their shapes.
type States = Vec<(String, Shape)>;

struct Maker<'e, 'r> {
    e: &'e mut Exprs<'r>,
    wanted: &'e Wanted,
    axes: Vec<String>,
    /// The extents by name: then positions go by number.
    extents: Option<Vec<String>>,
    equations: Vec<Replaceable>,
    has_lag: bool,
    /// Names that may be given as outputs.
    offered: Vec<String>,
    boundaries: Vec<String>,
    /// Inputs that may be read at other points, with their shapes.
    inputs: States,
}

pub fn cell(e: &mut Exprs, name: &str, wanted: &Wanted) -> Made {
    let mut maker = Maker {
        e,
        wanted,
        axes: Vec::new(),
        extents: None,
        equations: Vec::new(),
        has_lag: false,
        offered: Vec::new(),
        boundaries: Vec::new(),
        inputs: Vec::new(),
    };
    maker.make(name)
}

impl Maker<'_, '_> {
    fn is_tree(&self) -> bool {
        matches!(self.wanted.points, Points::Tree | Points::Children | Points::Arity)
    }

    fn make(&mut self, name: &str) -> Made {
        let (header, arguments) = self.statics();
        let over = self.over();
        self.e.scope.params = true;
        self.e.scope.steps = false;
        self.sources();
        let phases = if self.wanted.plain { 1 } else { self.e.rng.weighted(&[(6, 1), (3, 2), (1, 3)]) };
        let mut first = Vec::new();
        for k in 0..phases {
            let states = self.phase(k, phases);
            if k == 0 {
                first = states;
            }
        }
        if !self.wanted.plain && self.e.rng.one_in(4) {
            self.pointwise();
        }
        let outs = self.outs(&first);
        let scope = self.e.scope.clone();
        let mut text = format!("cell {name}({header}){over} {{\n");
        for line in scope.lines.iter().chain(&self.boundaries) {
            text += &format!("  {line}\n");
        }
        text += &format!("  {outs}\n}}\n");
        let params: Vec<String> = scope
            .lines
            .iter()
            .filter_map(|l| l.strip_prefix("param ")?.split_once(" :").map(|(n, _)| n.to_string()))
            .filter(|n| n.chars().all(|c| c.is_alphanumeric()))
            .collect();
        Made {
            text,
            states: first.iter().filter(|(_, s)| s == &[self.out_dim()]).map(|(n, _)| n.clone()).collect(),
            param: None,
            has_lag: self.has_lag,
            arguments,
            statics: header,
            scope,
            equations: std::mem::take(&mut self.equations),
            params,
        }
    }

    fn out_dim(&self) -> Dim {
        Dim::name(1.min(self.e.scope.names.len() - 1))
    }

    /// Static parameters: dimensions, then options with defaults, and some of them as arguments.
    fn statics(&mut self) -> (String, Vec<String>) {
        let mut all: Vec<String> = self.e.scope.names.iter().map(|n| n.to_string()).collect();
        let mut arguments = Vec::new();
        let rng = &mut self.e.rng;
        let scope = &mut self.e.scope;
        if rng.one_in(4) {
            let value = rng.one_in(2);
            all.push(format!("opt : bool = {value}"));
            scope.options.push("opt".into());
            if rng.one_in(2) {
                arguments.push(format!("opt = {}", !value));
            }
        }
        if rng.one_in(5) {
            all.push("way : before | after | none = after".into());
            scope.options.push((*rng.pick(&["way == before", "way ≠ none", "not (way == after)"])).into());
            if rng.one_in(2) {
                arguments.push(format!("way = {}", rng.pick(&["before", "none"])));
            }
        }
        if rng.one_in(4) {
            all.push("rate : real = 0.5".into());
            scope.numbers.push("rate".into());
            if rng.one_in(2) {
                arguments.push("rate = 0.75".into());
            }
        }
        if rng.one_in(5) {
            all.push(format!("g : fn = {}", rng.pick(&["tanh", "relu", "softplus", "identity"])));
            scope.functions.push("g".into());
            if rng.one_in(2) {
                arguments.push(format!("g = {}", rng.pick(&["sin", "σ", "erf"])));
            }
        }
        if self.wanted.points == Points::Arity {
            arguments.push(format!("K = {}", rng.between(1, 3)));
        }
        if self.wanted.points == Points::Grid {
            arguments.push(format!("D = {}", rng.between(1, 3)));
        }
        (all.join(", "), arguments)
    }

    fn over(&mut self) -> String {
        let rng = &mut self.e.rng;
        let named = !self.wanted.plain && rng.one_in(3);
        let text = |axes: &[&str], extents: &[&str], fixed: Option<usize>| {
            let mut all = Vec::new();
            for (i, (axis, extent)) in axes.iter().zip(extents).enumerate() {
                all.push(match (fixed == Some(i), named) {
                    (true, _) => format!("{axis} in 1..2"),
                    (_, true) => format!("{axis} in 1..{extent}"),
                    (_, false) => axis.to_string(),
                });
            }
            all.join(", ")
        };
        match self.wanted.points {
            Points::Chain => {
                self.axes = vec!["t".into()];
                self.e.scope.numbers.push("t".into());
                match (self.wanted.plain, named) {
                    (false, true) => {
                        self.extents = Some(vec!["N".into()]);
                        " over chain(t in 1..N)".into()
                    }
                    (false, false) if rng.one_in(6) => " over chain(t in 1..3)".into(),
                    _ if rng.one_in(2) => " over chain(t)".into(),
                    _ => String::new(),
                }
            }
            Points::Grid2 => {
                self.axes = vec!["i".into(), "j".into()];
                let fixed = if !self.wanted.plain && rng.one_in(5) { Some(1) } else { None };
                let over = format!(" over grid({})", text(&["i", "j"], &["N", "M"], fixed));
                if named && fixed.is_none() {
                    self.extents = Some(vec!["N".into(), "M".into()]);
                }
                self.e.scope.numbers.extend(["i".to_string(), "j".to_string()]);
                over
            }
            Points::Grid3 => {
                self.axes = vec!["i".into(), "j".into(), "l".into()];
                let fixed = if rng.one_in(2) { Some(2) } else { None };
                let over = format!(" over grid({})", text(&["i", "j", "l"], &["N", "M", "L"], fixed));
                if named && fixed.is_none() {
                    self.extents = Some(vec!["N".into(), "M".into(), "L".into()]);
                }
                self.e.scope.numbers.extend(["i".to_string(), "j".to_string(), "l".to_string()]);
                over
            }
            Points::Grid => " over grid(D..)".into(),
            Points::Tree => " over tree(left, right)".into(),
            Points::Children | Points::Arity => {
                self.e.scope.numbers.push("size(K)".into());
                " over tree(K..)".into()
            }
        }
    }

    /// What positions go by number look like at this point.
    fn here(&self) -> String {
        match &self.extents {
            Some(_) => format!("[{}]", self.axes.join(", ")),
            None => String::new(),
        }
    }

    fn add(&mut self, text: &str, shape: &[Dim]) {
        let here = if text.ends_with(']') { String::new() } else { self.here() };
        self.e.scope.vars.push(Var {
            text: text.into(),
            parts: format!("{text}{here}"),
            kind: Kind::Real(shape.to_vec()),
            over: Over::Plain,
        });
    }

    fn sources(&mut self) {
        let input = Dim::name(0);
        let over_axes = |m: &Self, k: usize| match m.axes.len() {
            0 | 1 => None,
            n => Some(m.axes[k % n].clone()),
        };
        let boundary = if self.e.rng.one_in(4) { " = 0.5" } else { "" };
        self.e.scope.lines.push(format!("in x : {}{boundary}", self.e.scope.shape(&[input])));
        self.add("x", &[input]);
        self.inputs.push(("x".into(), vec![input]));
        if self.wanted.plain {
            return;
        }
        if self.e.rng.one_in(4) {
            let shape = self.e.some_shape();
            let ty = self.e.scope.shape(&shape);
            let side = match over_axes(self, self.e.rng.clone().below(3)) {
                Some(axis) if self.e.rng.one_in(2) => format!(" over {axis}"),
                _ => String::new(),
            };
            self.e.scope.lines.push(format!("in y : {ty}{side}"));
            self.add("y", &shape);
            if side.is_empty() {
                self.inputs.push(("y".into(), shape));
            }
        }
        if self.e.rng.one_in(4) {
            let d = self.e.some_dim();
            self.e.scope.lines.push(format!("in w : id({})", self.e.scope.dim(d)));
            self.e.scope.var("w", Kind::Symbol(d), Over::Plain);
        }
        if self.e.rng.one_in(8) {
            self.e.scope.lines.push("in ok : bool".into());
            self.e.scope.var("ok", Kind::Truth, Over::Plain);
        }
        if self.e.rng.one_in(6) {
            let shape = self.e.some_shape();
            let ty = self.e.scope.shape(&shape);
            self.e.scope.lines.push(format!("mem v : {ty}"));
            self.e.scope.real("v", &shape, Over::Plain);
        }
        if self.e.rng.one_in(5) {
            let shape = vec![self.e.some_dim()];
            let ty = self.e.scope.shape(&shape);
            self.e.scope.lines.push(format!("mem q : seq<Q> of {ty}"));
            let kind = Kind::Real(shape);
            self.e.scope.wholes.push(Whole { text: "q".into(), kind, extents: vec!["Q".into()] });
            if self.e.rng.one_in(3) {
                self.e.scope.lines.push("mem u : seq<Q> of []".into());
                let kind = Kind::Real(vec![]);
                self.e.scope.wholes.push(Whole { text: "u".into(), kind, extents: vec!["Q".into()] });
            }
        }
        if self.e.rng.one_in(6) {
            let shape = self.e.some_shape();
            let ty = self.e.scope.shape(&shape);
            let dist = *self.e.rng.pick(&["bernoulli(0.5)", "normal(0.5)", "uniform(-1, 1)"]);
            let per = *self.e.rng.pick(&["", "", " per sequence", " per batch"]);
            self.e.scope.lines.push(format!("noise z : {ty} ~ {dist}{per}"));
            self.e.scope.real("z", &shape, Over::Plain);
        }
        if self.e.rng.one_in(8) {
            let d = self.e.some_dim().plus(Dim::constant(1));
            self.e.scope.lines.push(format!("dim E = {}", self.e.scope.dim(d)));
            self.e.scope.alias = Some((d, "E".into()));
        }
    }

    fn phase(&mut self, k: usize, phases: usize) -> States {
        let mut order: Vec<(usize, bool)> = (0..self.axes.len()).map(|a| (a, false)).collect();
        if !self.wanted.plain {
            self.e.rng.shuffle(&mut order);
            for (_, back) in &mut order {
                *back = self.e.rng.one_in(3);
            }
        }
        let down = self.is_tree() && !self.wanted.plain && (self.e.rng.one_in(4) || k > 0 && k + 1 == phases);
        let phase = Phase { order, down };
        self.e.scope.steps = self.wanted.points == Points::Chain && !phase.order[0].1;
        let (edges, vars) = (self.e.scope.edges.len(), self.e.scope.vars.len());
        let count = self.e.rng.weighted(&[(5, 1), (3, 2), (1, 3)]);
        let mut states: States = Vec::new();
        for i in 0..count {
            let name =
                format!("{}{}", ["h", "c", "m"][i], if k == 0 { String::new() } else { k.to_string() });
            let shape = if k == 0 && i == 0 && self.e.rng.one_in(2) || self.wanted.plain && i == 0 {
                vec![self.out_dim()]
            } else {
                self.e.some_shape()
            };
            states.push((name, shape));
        }
        for (name, shape) in &states {
            self.declare(name, shape);
        }
        self.read_states(&states, &phase);
        self.read_inputs();
        let mut items: Vec<Option<usize>> = (0..count).map(Some).collect();
        items.extend((0..self.e.rng.below(self.wanted.equations + 1)).map(|_| None));
        self.e.rng.shuffle(&mut items);
        for item in items {
            match item {
                Some(i) => {
                    let (name, shape) = states[i].clone();
                    self.state(&name, &shape, &phase);
                }
                None => self.equation(),
            }
        }
        self.e.scope.edges.truncate(edges);
        // What is read at an offset along this phase stays readable; a whole is finished now.
        let finished: Vec<Var> =
            self.e.scope.vars[vars..].iter().filter(|v| !v.text.contains('[')).cloned().collect();
        if let Some(extents) = &self.extents {
            for var in finished {
                let kind = var.kind.clone();
                if states.iter().any(|(n, _)| *n == var.text) {
                    self.e.scope.wholes.push(Whole { text: var.text, kind, extents: extents.clone() });
                }
            }
        }
        states
    }

    fn declare(&mut self, name: &str, shape: &[Dim]) {
        let ty = self.e.scope.shape(shape);
        let tree = self.is_tree();
        let boundary = match self.e.rng.below(8) {
            0 => " = 0.25".to_string(),
            1 if !self.wanted.plain => {
                let start = self.e.scope.fresh("start");
                self.e.scope.lines.push(format!("param {start} : {ty} ~ normal(0.3)"));
                format!(" = {start}")
            }
            2 if !self.wanted.plain && self.e.scope.vars.iter().any(|v| v.text == "v") => {
                let v = self.e.scope.vars.iter().find(|v| v.text == "v").map(|v| v.kind.clone());
                if v == Some(Kind::Real(shape.to_vec())) { " = v".into() } else { " = 0".into() }
            }
            3 if !self.wanted.plain && !tree => String::new(),
            _ => " = 0".into(),
        };
        // Without a boundary an `at` block or the caller gives it; one for some sides may always be there.
        let side = !self.wanted.plain && self.e.rng.one_in(6);
        if side && tree {
            let value = self.e.bounded(shape, Over::Plain, 1);
            self.boundaries.push(format!("at leaf {{ {name} = {value} }}"));
        } else if side && !self.axes.is_empty() {
            let axis = self.e.rng.pick(&self.axes).clone();
            let vars = self.e.scope.vars.clone();
            self.e.scope.vars.retain(|v| v.text.starts_with('p') || v.text == "v");
            let numbers = std::mem::take(&mut self.e.scope.numbers);
            let value = self.e.bounded(shape, Over::Plain, 1);
            self.e.scope.numbers = numbers;
            self.e.scope.vars = vars;
            self.boundaries.push(format!("at {axis} = 0 {{ {name} = {value} }}"));
        }
        self.e.scope.lines.push(format!("state {name} : {ty}{boundary}"));
    }

    /// An offset that leads back along a phase's order.
    fn offset(&mut self, phase: &Phase) -> String {
        let mut by = vec![0i32; self.axes.len()];
        let lead = self.e.rng.below(phase.order.len());
        for (n, (axis, back)) in phase.order.iter().enumerate() {
            let sign = if *back { 1 } else { -1 };
            by[*axis] = match n.cmp(&lead) {
                std::cmp::Ordering::Less => 0,
                std::cmp::Ordering::Equal => sign * if self.e.rng.one_in(3) { 2 } else { 1 },
                std::cmp::Ordering::Greater => self.e.rng.between(0, 2) as i32 - 1,
            };
        }
        self.place(&by)
    }

    fn place(&mut self, by: &[i32]) -> String {
        if by.len() == 1 && by[0].abs() == 1 && self.e.rng.one_in(5) {
            return format!("[{} t]", if by[0] < 0 { "prev" } else { "next" });
        }
        let at = |(axis, k): (&String, &i32)| match k {
            0 => axis.clone(),
            k if *k < 0 => format!("{axis}-{}", -k),
            k => format!("{axis}+{k}"),
        };
        let all: Vec<String> = self.axes.iter().zip(by).map(at).collect();
        format!("[{}]", all.join(", "))
    }

    fn read_states(&mut self, states: &States, phase: &Phase) {
        match self.wanted.points {
            Points::Tree => {
                for (name, shape) in states {
                    for edge in ["left", "right"] {
                        let next = if phase.down { "next " } else { "" };
                        self.add(&format!("{name}[{next}{edge}]"), shape);
                        self.has_lag = true;
                    }
                }
            }
            Points::Children | Points::Arity | Points::Grid => {
                let set = if self.wanted.points == Points::Grid { "D" } else { "K" };
                let way = if phase.down && self.is_tree() { "next" } else { "prev" };
                let mut reads: Vec<(String, Shape)> =
                    states.iter().map(|(n, s)| (format!("{n}[{way} _]"), s.clone())).collect();
                if self.wanted.points != Points::Children {
                    for (_, shape) in states {
                        let name = self.e.scope.fresh("p");
                        let ty = self.e.scope.shape(shape);
                        self.e.scope.lines.push(format!("param {name}[d in {set}] : {ty} ~ normal(0.5)"));
                        reads.push((format!("{name}[_]"), shape.clone()));
                    }
                }
                self.e.scope.edges.push((set.into(), reads));
                self.has_lag = true;
            }
            _ => {
                for (name, shape) in states {
                    for _ in 0..self.e.rng.between(1, 2) {
                        let place = self.offset(phase);
                        self.add(&format!("{name}{place}"), shape);
                        self.has_lag = true;
                    }
                }
            }
        }
    }

    /// Inputs may be read anywhere.
    fn read_inputs(&mut self) {
        if self.axes.is_empty() || self.wanted.plain && !self.e.rng.one_in(6) {
            return;
        }
        for (name, shape) in self.inputs.clone() {
            if self.e.rng.one_in(3) {
                let mut by = vec![0; self.axes.len()];
                let axis = self.e.rng.below(by.len());
                let least = if self.wanted.plain { -2 } else { self.e.rng.pick(&[-2, -1, 1, 2]).to_owned() };
                by[axis] = if least == 0 { 1 } else { least };
                let place = self.place(&by);
                self.add(&format!("{name}{place}"), &shape);
                self.has_lag = true;
            }
        }
    }

    fn state(&mut self, name: &str, shape: &[Dim], phase: &Phase) {
        let vars = self.e.scope.vars.len();
        let value = self.e.bounded(shape, Over::Plain, self.wanted.depth);
        // It goes on from what it was, most of the time.
        let before: Vec<String> = self
            .e
            .scope
            .vars
            .iter()
            .filter(|v| v.text.starts_with(&format!("{name}[")) && v.kind == Kind::Real(shape.to_vec()))
            .map(|v| v.text.clone())
            .collect();
        let edges = self.e.scope.edges.first().map(|(set, reads)| (set.clone(), reads.clone()));
        let value = match (before.is_empty(), edges) {
            (false, _) => {
                let h = self.e.rng.pick(&before).clone();
                match self.e.rng.below(5) {
                    0 => value,
                    1 => format!("0.5 * {h} + {value}"),
                    2 => format!("tanh({h} + {value})"),
                    3 => format!("σ({}) ⊙ {h} + {value}", self.e.leaf(shape, Over::Plain)),
                    _ => {
                        let u = self.e.some_dim();
                        match shape {
                            [d] if self.e.rng.one_in(2) => {
                                let w = self.e.leaf(&[*d, *d], Over::Plain);
                                format!("tanh({w} @ {h} + {value})")
                            }
                            [d] => {
                                let (a, b) =
                                    (self.e.leaf(&[*d, u], Over::Plain), self.e.leaf(&[u, *d], Over::Plain));
                                format!("sin({a} @ {b} @ {h}) − {value}")
                            }
                            _ => format!("0.7 * {h} − {value}"),
                        }
                    }
                }
            }
            (true, Some((set, reads))) if !phase.order.is_empty() || !self.e.rng.one_in(5) => {
                let own: Vec<&String> = reads.iter().filter(|(_, s)| s == shape).map(|(t, _)| t).collect();
                let fold = *self.e.rng.pick(&["∑", "∑", "max", "mean", "∏"]);
                let body: Vec<String> = own.iter().map(|t| t.replace('_', "d")).collect();
                match body.is_empty() {
                    true => value,
                    false => format!("tanh(({fold} d ∈ {set}: ({})) + {value})", body.join(" ⊙ ")),
                }
            }
            _ => value,
        };
        self.e.scope.lines.push(format!("{name} = {value}"));
        self.equations.push(Replaceable { name: name.into(), shape: shape.to_vec(), vars });
        self.add(name, shape);
        self.offered.push(name.into());
    }

    fn equation(&mut self) {
        let vars = self.e.scope.vars.len();
        let depth = self.wanted.depth;
        let name = self.e.scope.fresh("a");
        let shape = self.e.some_shape();
        match self.e.rng.below(16) {
            // Two by braces.
            0 => {
                let p = self.e.scope.fresh("p");
                let inner = self.e.some_dim();
                let [d] = shape[..] else { return };
                let ty = self.e.scope.shape(&[d, inner]);
                self.e
                    .scope
                    .lines
                    .push(format!("param {p}_{{u v}} : {ty} ~ uniform(1/sqrt({}))", self.e.scope.dim(inner)));
                let x = self.e.real(&[inner], Over::Plain, depth.min(1));
                let y = self.e.real(&shape, Over::Plain, depth.min(1));
                self.e.scope.lines.push(format!("{name}_{{u v}} = σ({p}_{{u v}} @ {x} + {y})"));
                self.add(&format!("{name}_u"), &shape);
                self.add(&format!("{name}_v"), &shape);
            }
            // A family whose members read each other.
            1 => {
                let p = self.e.scope.fresh("p");
                let ty = self.e.scope.shape(&shape);
                self.e.scope.lines.push(format!("param {p}[l in 1..2] : {ty} ~ normal(0.5)"));
                let first = self.e.real(&shape, Over::Plain, depth.min(1));
                let rest = self.e.bounded(&shape, Over::Plain, depth.min(1));
                self.e.scope.lines.push(format!(
                    "{name}[l in 0..2] = if l == 0 then {first} else {p}[l] ⊙ {name}[l-1] + {rest} * l"
                ));
                self.add(&format!("{name}[2]"), &shape);
                self.add(&format!("{name}[1]"), &shape);
            }
            2 => {
                let [d] = shape[..] else { return };
                let other = self.e.scope.fresh("a");
                let e = self.e.real(&[d.plus(d)], Over::Plain, depth);
                self.e.scope.lines.push(format!("{name}, {other} = split({e})"));
                self.add(&name, &shape);
                self.add(&other, &shape);
            }
            // An instance with a name, and what it offers.
            3 | 4 => self.instance(&name),
            // A scan within the step.
            5 => {
                let d = self.e.some_dim().plus(Dim::constant(1));
                let v = self.e.real(&[d], Over::Plain, depth.min(1));
                let Some(recipe) = self.chain_recipe() else { return };
                let to = Dim::name(0);
                let r = self.e.recipe(&recipe, Dim::constant(2), to);
                self.e.scope.lines.push(format!("{name} = {r}(windows({v}, 2, 1))"));
                if let Some(state) = recipe.states.first() {
                    self.add(&format!("{name}.{state}_last"), &[to]);
                }
                let last = self.e.scope.fresh("a");
                self.e.scope.lines.push(format!("{last} = first({name}) + last({name})"));
                self.add(&last, &[to]);
            }
            // Attention over a memory.
            6 | 7 => {
                let wholes: Vec<Whole> =
                    self.e.scope.wholes.iter().filter(|w| w.text == "q").cloned().collect();
                let [q] = &wholes[..] else { return };
                let Kind::Real(of) = &q.kind else { return };
                let query = self.e.real(of, Over::Plain, depth.min(1));
                let score = *self.e.rng.pick(&["tanh(q[s] + _) · q[s]", "q[s] · _", "norm(q[s] − _) * 0.5"]);
                self.e.scope.lines.push(format!("{name}[s in 1..Q] = {}", score.replace('_', &query)));
                let weights = self.e.scope.fresh("a");
                self.e.scope.lines.push(format!("{weights} = softmax({name})"));
                let sum = self.e.scope.fresh("a");
                self.e.scope.lines.push(format!("{sum} = ∑ s in 1..Q: {weights}[s] * q[s]"));
                self.add(&sum, of);
                self.e.scope.lines.push(format!("{sum}w = mean s in Q: {name}[s]"));
                self.add(&format!("{sum}w"), &[]);
            }
            // One for every edge.
            8 | 9 if !self.e.scope.edges.is_empty() => {
                let (set, reads) = self.e.scope.edges[0].clone();
                let mark = self.e.scope.vars.len();
                for (text, shape) in &reads {
                    self.add(&text.replace('_', "d"), shape);
                }
                let e = self.e.bounded(&shape, Over::Plain, depth);
                self.e.scope.vars.truncate(mark);
                self.e.scope.lines.push(format!("{name}[d ∈ {set}] = {e}"));
                self.e.scope.edges[0].1.push((format!("{name}[_]"), shape));
            }
            _ => {
                let e = self.e.real(&shape, Over::Plain, depth);
                self.e.scope.lines.push(format!("{name} = {e}"));
                self.equations.push(Replaceable { name: name.clone(), shape: shape.clone(), vars });
                self.add(&name, &shape);
                if self.e.rng.one_in(3) {
                    self.offered.push(name);
                }
            }
        }
    }

    fn chain_recipe(&mut self) -> Option<Recipe> {
        let chains: Vec<Recipe> =
            self.e.scope.recipes.iter().filter(|r| r.domain == Where::Chain).cloned().collect();
        if chains.is_empty() { None } else { Some(self.e.rng.pick(&chains).clone()) }
    }

    fn instance(&mut self, name: &str) {
        let Some(recipe) = self.chain_recipe() else { return };
        let (from, to) = (self.e.some_dim(), self.e.some_dim());
        let x = self.e.real(&[from], Over::Plain, 1);
        let r = self.e.recipe(&recipe, from, to);
        let one_step = !self.e.scope.steps || self.e.rng.one_in(3);
        if self.wanted.points != Points::Chain {
            return;
        }
        if one_step {
            // The caller carries the state: here it is made anew at each point.
            let given: Vec<String> = recipe
                .states
                .iter()
                .map(|s| format!(", prev {s} = {}", self.e.leaf(&[to], Over::Plain)))
                .collect();
            if given.is_empty() {
                return;
            }
            self.e.scope.lines.push(format!("{name} = {r}({x}{})", given.concat()));
        } else {
            let mut more = String::new();
            if self.e.rng.one_in(3)
                && let Some(state) = recipe.states.first()
                && self.e.scope.params
            {
                let start = self.e.param(&[to]);
                more += &format!(", {state}0 = {start}");
            }
            if let (Some((param, [a, b])), true) = (&recipe.param, self.e.rng.one_in(3)) {
                let dims = [from, to];
                let shared = self.e.leaf_param(&[dims[*a], dims[*b]]);
                more += &format!(", {param} = {shared}");
            }
            if self.e.rng.one_in(3) {
                self.e.scope.lines.push(format!(
                    "part {name}p = {}",
                    r.replacen("(_", &format!("({}", self.e.scope.dim(from)), 1)
                ));
                self.e.scope.lines.push(format!("{name} = {name}p({x}{more})"));
            } else {
                self.e.scope.lines.push(format!("{name} = {r}({x}{more})"));
            }
            if let Some(state) = recipe.states.first() {
                self.add(&format!("{name}.{state}[t-1]"), &[to]);
            }
        }
        self.add(name, &[to]);
        if let Some(state) = recipe.states.first() {
            self.add(&format!("{name}.{state}"), &[to]);
        }
    }

    /// Equations that read what is finished, at any place.
    fn pointwise(&mut self) {
        self.e.scope.steps = false;
        let lags: Vec<(String, Shape)> = self
            .e
            .scope
            .lines
            .iter()
            .filter_map(|l| l.strip_prefix("state ")?.split_once(" :").map(|(n, _)| n.to_string()))
            .filter_map(|n| {
                let var = self.e.scope.vars.iter().find(|v| v.text == n)?;
                match &var.kind {
                    Kind::Real(shape) => Some((n, shape.clone())),
                    _ => None,
                }
            })
            .collect();
        for (name, shape) in lags {
            if !self.axes.is_empty() && self.e.rng.one_in(2) {
                let by: Vec<i32> = self.axes.iter().map(|_| self.e.rng.between(0, 2) as i32 - 1).collect();
                if by.iter().any(|k| *k != 0) {
                    let place = self.place(&by);
                    self.add(&format!("{name}{place}"), &shape);
                }
            }
        }
        let name = self.e.scope.fresh("a");
        let shape = self.e.some_shape();
        let e = self.e.real(&shape, Over::Plain, self.wanted.depth);
        self.e.scope.lines.push(format!("{name} = {e}"));
        self.offered.push(name);
    }

    fn outs(&mut self, first: &States) -> String {
        let mut all: Vec<String> = first.iter().take(1).map(|(n, _)| n.clone()).collect();
        if self.wanted.plain {
            return format!("out {}", all[0]);
        }
        for name in self.offered.clone() {
            if !all.contains(&name) && self.e.rng.one_in(2) {
                all.push(name);
            }
        }
        if self.e.rng.one_in(3) {
            let shape = self.e.some_shape();
            let steps = std::mem::take(&mut self.e.scope.steps);
            all.push(format!("o1 = {}", self.e.real(&shape, Over::Plain, 1)));
            self.e.scope.steps = steps;
        }
        if self.wanted.points == Points::Grid3
            && self.e.scope.numbers.iter().any(|n| n == "l")
            && self.e.rng.one_in(3)
        {
            all.push(format!("o2 = {} for l = 1", all[0]));
        }
        format!("out {}", all.join(", "))
    }
}
