//! Random graphs, and random systems over grids and trees: the scheduled program does what the reference interpreter does.

use crate::support::eqn::{bindings, random_batch, random_graph};
use crate::support::schedule::{difference, rounded, run_scheduled};
use ndarray::{ArrayD, IxDyn};
use rnnc::eqn::eval::{Batch, eval};
use rnnc::eqn::tree::Tree;
use rnnc::runtime::{Executable, run_batch};
use rnnc::schedule::schedule;

/// Small changes of the arrays, to find outputs that stand at a jump or near a pole.
fn shaken(batch: &Batch, ids: &[String]) -> Batch {
    let mut batch = batch.clone();
    for (name, a) in &mut batch.arrays {
        if !ids.contains(name) {
            let mut k = 0.0;
            a.mapv_inplace(|x| {
                k += 1.0;
                x + 1e-6 * (1.0 + f64::sin(k))
            });
        }
    }
    batch
}

fn check(seed: u64) -> Result<bool, String> {
    let graph = random_graph(seed);
    let Ok(graph) = graph.bind(&bindings()) else { return Ok(false) };
    let batch = rounded(&random_batch(&graph, seed));
    let Ok(expected) = eval(&graph, &batch) else { return Ok(false) };
    let got = match run_scheduled(&graph, &batch) {
        Err(e) if e.starts_with("refused") => return Ok(false),
        other => other?,
    };
    let integers: Vec<String> =
        graph.sources.iter().filter(|s| s.ty != rnnc::eqn::Ty::Real).map(|s| s.name.to_string()).collect();
    let moved = eval(&graph, &shaken(&batch, &integers))?;
    for (name, e) in &expected {
        let stable = difference(e, &moved[name]) < 1e-3 && e.iter().all(|x| x.abs() < 1e6);
        if stable && difference(e, &got[name]) > 2e-2 {
            return Err(format!("{name}\n got {:?}\n expected {e:?}", got[name]));
        }
    }
    Ok(true)
}

#[test]
fn random_graphs_run_like_the_interpreter() {
    let (mut done, mut failed) = (0, Vec::new());
    for seed in 0..400 {
        match std::panic::catch_unwind(|| check(seed)).unwrap_or_else(|_| Err("panic".into())) {
            Ok(ran) => done += usize::from(ran),
            Err(e) => failed.push((seed, e)),
        }
    }
    let mut text = String::new();
    for (seed, e) in failed.iter().take(2) {
        let graph = random_graph(*seed).bind(&bindings()).unwrap();
        let program = std::panic::catch_unwind(|| {
            rnnc::schedule::schedule(&graph).map(|p| rnnc::loops::print::print(&p))
        });
        let program = program.unwrap_or(Ok("panic".into())).unwrap_or_default();
        text += &format!("seed {seed}: {e}\n{}\n{program}\n", rnnc::eqn::print::print(&graph));
    }
    for (seed, e) in failed.iter().skip(2) {
        text += &format!("seed {seed}: {}\n", e.chars().take(200).collect::<String>().replace('\n', " "));
    }
    assert!(failed.is_empty(), "{text}\n{} failed", failed.len());
    assert!(done > 200, "only {done} graphs could be compared");
}

/// Axes of a random system. A level is a set of axes: bit k for axis k.
struct Space {
    /// The declaration behind the name.
    axes: &'static [(&'static str, &'static str)],
    /// An axis of children, and the tree it is of.
    children: Option<(usize, usize)>,
    /// Of the states; reads of a state over a tree are of children, or of parents.
    states: &'static [usize],
}

/// Numbers from a seed.
struct Draw(u64);

impl Draw {
    fn next(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % n
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.next(of.len())]
    }

    fn array(&mut self, shape: &[usize]) -> ArrayD<f64> {
        ArrayD::from_shape_fn(IxDyn(shape), |_| {
            (self.next(1 << 20) as f64 / (1 << 20) as f64 - 0.5) as f32 as f64
        })
    }
}

impl Space {
    fn is_legal(&self, level: usize) -> bool {
        self.children.is_none_or(|(k, v)| level >> k & 1 == 0 || level >> v & 1 == 1)
    }

    fn levels(&self) -> Vec<usize> {
        (0..1 << self.axes.len()).filter(|l| self.is_legal(*l)).collect()
    }

    fn within(&self, level: usize) -> Vec<usize> {
        (0..self.axes.len()).filter(|i| level >> i & 1 == 1).collect()
    }

    fn domain(&self, level: usize) -> String {
        self.within(level).iter().map(|i| self.axes[*i].0).collect::<Vec<_>>().join("×")
    }

    fn level(&self, level: usize) -> String {
        if level == 0 { "each".into() } else { format!("over {}", self.domain(level)) }
    }

    fn is_chain(&self, axis: usize) -> bool {
        self.children.is_none_or(|(k, v)| axis != k && axis != v)
    }

    /// A read of a state at another point, and over what; `ways`: the sign of each axis.
    fn lag(&self, level: usize, ways: &[i32], draw: &mut Draw) -> (String, usize) {
        if let Some((k, v)) = self.children
            && level >> v & 1 == 1
            && (self.within(level).len() == 1 || draw.next(3) > 0)
        {
            let down = if draw.next(12) == 0 { -ways[v] } else { ways[v] };
            return match (down < 0, draw.next(3)) {
                (true, 0) => (format!("each {}", self.axes[k].0), level | 1 << k),
                (true, _) => (format!("child {}", draw.next(2)), level),
                (false, _) => (format!("parent {}", draw.next(2)), level),
            };
        }
        let mut by: Vec<i32> = vec![0; self.within(level).len()];
        let mut moves = by.iter_mut().zip(self.within(level)).filter(|(_, axis)| self.is_chain(*axis));
        // The first axis leads; the others follow it to any side.
        for (n, (k, axis)) in moves.by_ref().enumerate() {
            *k = ways[axis] * if n == 0 { draw.next(3) as i32 } else { draw.next(3) as i32 - 1 };
        }
        if by.iter().all(|k| *k == 0) {
            let chains: Vec<usize> =
                (0..by.len()).filter(|i| self.is_chain(self.within(level)[*i])).collect();
            let i = draw.one(&chains);
            let sign = if draw.next(8) == 0 { -1 } else { 1 };
            by[i] = sign * ways[self.within(level)[i]];
        }
        (by.iter().map(|k| k.to_string()).collect::<Vec<_>>().join(", "), level)
    }

    /// A system with reads of all kinds; it need not have an order.
    fn system(&self, seed: u64) -> String {
        let mut draw = Draw(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xA5A5);
        let draw = &mut draw;
        let ways: Vec<i32> = self.axes.iter().map(|_| draw.one(&[-1, 1])).collect();
        let mut text = String::new();
        for (name, kind) in self.axes {
            text += &format!("domain {name} : {kind}\n");
        }
        for level in self.levels().into_iter().filter(|l| l.count_ones() > 1) {
            let axes: Vec<&str> = self.within(level).iter().map(|i| self.axes[*i].0).collect();
            text += &format!("domain {} : p{level} product {}\n", self.domain(level), axes.join(", "));
        }
        let sources = self.levels();
        for level in &sources {
            text += &format!("source x{level} : [3] {} = input\n", self.level(*level));
        }
        text += "source w : [3, 3] shared = param = 0.0\n";
        let mut nodes: Vec<(String, usize)> = sources.iter().map(|l| (format!("x{l}"), *l)).collect();
        let mut lines = String::new();
        for n in 0..14 + draw.next(12) {
            let (p, pl) = nodes[draw.next(nodes.len())].clone();
            let (q, ql) = nodes[draw.next(nodes.len())].clone();
            let chains: Vec<usize> = self.within(pl).into_iter().filter(|a| self.is_chain(*a)).collect();
            let below: Vec<usize> = self.levels().into_iter().filter(|l| l & pl == *l && *l != pl).collect();
            let fold = draw.one(&["reduce_min", "reduce_max", "reduce_prod"]);
            let (op, level) = match draw.next(14) {
                0 => (format!("add({p}, {q})"), pl | ql),
                1 => (format!("mul({p}, {q})"), pl | ql),
                2 => (format!("tanh({p})"), pl),
                3 => (format!("matmul(w, {p})"), pl),
                4 if pl > 0 => {
                    let to = draw.one(&below);
                    (format!("sum_over({p})"), to)
                }
                5 if pl > 0 => {
                    let to = draw.one(&below);
                    (format!("fold_over({p}, {fold})"), to)
                }
                6 if !chains.is_empty() => {
                    let axis = draw.one(&chains);
                    let point = draw.one(&["first", "last", "2"]);
                    (format!("at({p}, {}, {point}, x0)", self.axes[axis].0), pl & !(1 << axis))
                }
                7 if !chains.is_empty() => {
                    let name = self.axes[draw.one(&chains)].0;
                    (format!("remap({p}, {name} to {name} start 1*{name} + 1 step -1)"), pl)
                }
                8 if self.children.is_some_and(|(k, v)| pl >> v & 1 == 1 && pl >> k & 1 == 0) => {
                    let (_, v) = self.children.unwrap();
                    (format!("at({p}, {}, last, x0)", self.axes[v].0), pl & !(1 << v))
                }
                4..9 => (format!("neg({p})"), pl),
                _ => {
                    let state = draw.next(self.states.len());
                    let (place, level) = self.lag(self.states[state], &ways, draw);
                    (format!("lag(s{state}, {place})"), level)
                }
            };
            lines += &format!("n{n} : [3] {} = {op}\n", self.level(level));
            nodes.push((format!("n{n}"), level));
        }
        let mut outs = String::new();
        for (i, level) in self.states.iter().enumerate() {
            let chains: Vec<usize> = self.within(*level).into_iter().filter(|a| self.is_chain(*a)).collect();
            let side = match &chains[..] {
                [_, ..] if draw.next(2) == 0 => {
                    let axis = draw.one(&chains);
                    format!(" before {} x{}", self.axes[axis].0, level & !(1 << axis))
                }
                _ => String::new(),
            };
            // A side of one axis only is the initial value.
            let side = if level.count_ones() > 1 { side } else { String::new() };
            text += &format!("state s{i} : [3] {} = d{i} init x0{side}\n", self.level(*level));
            let of: Vec<&String> = nodes.iter().filter(|(_, l)| l == level).map(|(n, _)| n).collect();
            let last = of[of.len() - 1 - draw.next(of.len().min(4))];
            lines += &format!("d{i} : [3] {} = tanh({last})\n", self.level(*level));
            outs += &format!("out d{i} = d{i}\n");
        }
        for level in &sources {
            text += &format!("x{level} : [3] {} = source(x{level})\n", self.level(*level));
        }
        format!("{text}w : [3, 3] shared = source(w)\n{lines}{outs}")
    }

    /// Arrays for all sources and all adjoints of outputs. `lengths`: of each axis; of the tree the number of nodes.
    fn batch(&self, size: usize, lengths: &[Vec<usize>], trees: Vec<Tree>) -> Batch {
        let mut draw = Draw(7);
        let mut batch = Batch { size, ..Batch::default() };
        for (i, (name, _)) in self.axes.iter().enumerate().filter(|(i, _)| self.is_chain(*i)) {
            batch.lengths.insert(name.to_string(), lengths[i].clone());
        }
        if let Some((_, v)) = self.children {
            batch.trees.insert(self.axes[v].0.into(), trees);
        }
        let mut add = |name: String, level: usize| {
            let most = |i: usize| lengths[i].iter().copied().max().unwrap_or(0);
            let mut shape: Vec<usize> = self.within(level).into_iter().map(most).collect();
            shape.extend([size, 3]);
            batch.arrays.insert(name, draw.array(&shape));
        };
        self.levels().into_iter().for_each(|l| add(format!("x{l}"), l));
        self.states.iter().enumerate().for_each(|(i, l)| add(format!("d{i}_adj"), *l));
        let mut draw = Draw(8);
        batch.arrays.insert("w".into(), draw.array(&[3, 3]));
        batch
    }

    /// How many graphs ran, and how many of them with fronts, of systems and their adjoints.
    fn check(&self, seeds: std::ops::Range<u64>, batch: &Batch) -> (usize, usize) {
        let (mut ran, mut recurrent) = (0, 0);
        for seed in seeds {
            let text = self.system(seed);
            let forward = rnnc::eqn::parse::parse(&text).unwrap_or_else(|e| panic!("{e:?}\n{text}"));
            assert_eq!(rnnc::eqn::verify::verify(&forward), Ok(()), "{text}");
            let joint = rnnc::grad::differentiate(&forward, &Default::default());
            for graph in joint.map(|j| rnnc::simplify::simplify(&j)).ok().into_iter().chain([forward]) {
                let here = |e: &str| format!("{seed}: {e}\n{text}");
                let program = match schedule(&graph) {
                    Ok(program) => program,
                    Err(e) => {
                        assert!(["E0612", "E0613"].contains(&e[0].code), "{}", here(&e[0].message));
                        continue;
                    }
                };
                ran += 1;
                recurrent += usize::from(program.domains.iter().any(|d| !d.order.is_empty()));
                let expected = eval(&graph, batch).unwrap_or_else(|e| panic!("{}", here(&e)));
                // Machine code now and then: it takes its time.
                let exe = match seed % 16 {
                    0 => Executable::compiled(program),
                    _ => Executable::interpreted(program),
                };
                let found = exe.and_then(|exe| run_batch(&exe, batch));
                let found = found.unwrap_or_else(|e| panic!("{}", here(&e[0].message)));
                for (name, array) in &expected {
                    let off = difference(array, &found[name]);
                    assert!(off < 1e-3, "{}", here(&format!("{name} is off by {off}")));
                }
            }
        }
        (ran, recurrent)
    }
}

#[test]
fn random_systems_over_grids_run_like_the_interpreter() {
    let space = Space { axes: &[("r", "i"), ("c", "j")], children: None, states: &[3, 3, 1, 2] };
    let batch = space.batch(3, &[vec![3, 1, 2], vec![2, 4, 0]], Vec::new());
    let (ran, recurrent) = space.check(0..150, &batch);
    assert!(ran > 200 && recurrent > 120, "{ran} ran, {recurrent} with fronts");
}

/// One of them of static length, as depth is.
#[test]
fn random_systems_over_three_axes_run_like_the_interpreter() {
    let axes = &[("r", "i"), ("c", "j"), ("l", "k = 2")];
    let space = Space { axes, children: None, states: &[7, 7, 3, 4] };
    let batch = space.batch(2, &[vec![3, 1], vec![2, 3], vec![2, 2]], Vec::new());
    let (ran, recurrent) = space.check(0..60, &batch);
    assert!(ran > 60 && recurrent > 40, "{ran} ran, {recurrent} with fronts");
}

fn trees() -> Vec<Tree> {
    let none = -1;
    let wide = Tree::new([&[none, none][..], &[none, none], &[0, 1], &[none, none], &[2, 3]]).unwrap();
    let deep = Tree::new([&[none, none][..], &[none, 0], &[1, none]]).unwrap();
    vec![wide, Tree::new([&[none, none][..]]).unwrap(), deep]
}

#[test]
fn random_systems_over_trees_run_like_the_interpreter() {
    let axes = &[("v", "p tree 2"), ("k", "e children v")];
    let space = Space { axes, children: Some((1, 0)), states: &[1, 1] };
    let batch = space.batch(3, &[vec![5, 1, 3], vec![2, 2, 2]], trees());
    let (ran, recurrent) = space.check(0..80, &batch);
    assert!(ran > 80 && recurrent > 60, "{ran} ran, {recurrent} with fronts");
}

/// Each node with a sequence of its own.
#[test]
fn random_systems_over_trees_and_chains_run_like_the_interpreter() {
    let axes = &[("v", "p tree 2"), ("k", "e children v"), ("n", "t")];
    let space = Space { axes, children: Some((1, 0)), states: &[5, 5, 1, 4] };
    let batch = space.batch(3, &[vec![5, 1, 3], vec![2, 2, 2], vec![2, 3, 0]], trees());
    let (ran, recurrent) = space.check(0..60, &batch);
    assert!(ran > 60 && recurrent > 40, "{ran} ran, {recurrent} with fronts");
}
