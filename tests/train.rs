//! The training loop on hand-written graphs: it learns, and it goes on bit for bit.

use rnnc::diag::{Diagnostic, Fallible};
use rnnc::eqn::{Graph, parse};
use rnnc::runtime::{Executable, Team};
use rnnc::simplify::simplify;
use rnnc::source::{FileId, Span};
use rnnc::syntax::ast::{Expr, ExprKind};
use rnnc::train::checkpoint::{About, Checkpoint};
use rnnc::train::data::split::{self, Parts};
use rnnc::train::data::{Dataset, Field, Values};
use rnnc::train::optimiser::{self, Rule};
use rnnc::train::run::{Control, Ended, Observer, Plan, Seen, Trainer};
use rnnc::train::settings::Settings;
use rnnc::train::{fit, model};
use std::sync::Arc;

/// A small character model: at n it has read the text up to n-1.
const MODEL: &str = r#"graph "Tiny"
domain n : t
source text : [] id(K) over n = input
source E : [K, 6] shared = param ~ normal(1.0)
source U : [6, 6] shared = param ~ uniform(0.3) within -2.0 .. 2.0
source V : [K, 6] shared = param = 0.0
source keep : [6] over n = noise ~ bernoulli(0.9)
source e0 : [6] each = initial e default 0.0
source h0 : [6] each = initial h default 0.0
state e : [6] over n = e init e0
state h : [6] over n = h init h0
one : [] shared = const(1.0)
E : [K, 6] shared = source(E)
U : [6, 6] shared = source(U)
V : [K, 6] shared = source(V)
e0 : [6] each = source(e0)
h0 : [6] each = source(h0)
text : [] id(K) over n = source(text)
keep : [6] over n = source(keep)
e : [6] over n = gather(E, text)
p : [6] over n = lag(e, -1)
q : [6] over n = lag(h, -1)
u : [6] over n = matmul(U, q)
a : [6] over n = add(p, u)
b : [6] over n = tanh(a)
h : [6] over n = mul(b, keep)
y : [K] over n = matmul(V, h)
l : [] over n = logsumexp(y)
g : [] over n = gather(y, text)
z : [] over n = sub(l, g)
sum : [] each = sum_over(z)
len : [] each = length(n)
some : [] each = max(len, one)
loss : [] each = div(sum, some)
two : [] shared = const(2.0)
twice : [] each = mul(loss, two)
h_last : [6] each = at(h, n, last, h0)
e_last : [6] each = at(e, n, last, e0)
out y = y
out loss = loss
out metric.twice = twice
out h_last = h_last
out e_last = e_last
"#;

/// Momentum whose rate depends on the step.
const RULE: &str = r#"graph "Rule"
domain s : k
source g : [N] over s = input
source w0 : [N] each = initial w default 0.0
source v0 : [N] each = initial v default 0.0
state w : [N] over s = w init w0
state v : [N] over s = v init v0
rate : [] shared = const(0.3)
keep : [] shared = const(0.9)
one : [] shared = const(1.0)
w0 : [N] each = source(w0)
v0 : [N] each = source(v0)
g : [N] over s = source(g)
k : [] over s = position(s)
slow : [] over s = div(one, k)
r : [] over s = mul(rate, slow)
most : [] over s = add(r, rate)
a : [N] over s = lag(v, -1)
b : [N] over s = mul(a, keep)
v : [N] over s = add(b, g)
c : [N] over s = mul(v, most)
d : [N] over s = lag(w, -1)
w : [N] over s = sub(d, c)
w_last : [N] each = at(w, s, last, w0)
v_last : [N] each = at(v, s, last, v0)
out w = w
out w_last = w_last
out v_last = v_last
"#;

fn compile(graph: &Graph) -> Fallible<Arc<Executable>> {
    Executable::interpreted(rnnc::schedule::schedule(&simplify(graph))?)
}

fn expr() -> Expr {
    let span = Span { file: FileId(0), start: 0, end: 0 };
    Expr { kind: ExprKind::Number(0.0, "0".into()), span }
}

fn settings(epochs: u64) -> Settings {
    Settings {
        optimizer: expr(),
        batch: 4,
        epochs,
        window: Some(8),
        every: None,
        clip: Some(0.5),
        seed: 7,
        patience: None,
        threads: None,
    }
}

/// A text with a rule: after `a` comes `b`, after `b` comes `c`, after `c` anything but itself.
fn text(n: usize) -> Dataset {
    let mut ids = vec![0u32];
    let mut noise = 12345u32;
    while ids.len() < n {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ids.push(match ids[ids.len() - 1] {
            2 => (noise >> 16) % 2,
            before => before + 1,
        });
    }
    let symbols = Arc::new(vec!["a".to_string(), "b".into(), "c".into()]);
    let field = Field::sequence(vec![], Values::Id { ids, symbols }, vec![n]);
    Dataset { names: vec!["text".into()], fields: vec![field], examples: 1, test_from: None, shares: None }
}

/// Keeps every checkpoint; asks for one, or stops, after some steps.
#[derive(Default)]
struct Keep {
    seen: u64,
    keep_after: Option<u64>,
    stop_after: Option<u64>,
    /// Batches of evaluations so far, and before which of them to stop.
    evaluated: u64,
    stop_evaluating: Option<u64>,
    last: Option<Checkpoint>,
    best: Option<Checkpoint>,
}

impl Observer for Keep {
    fn step(&mut self, _seen: &Seen) -> Control {
        self.seen += 1;
        match Some(self.seen) {
            n if n == self.stop_after => Control::Stop,
            n if n == self.keep_after => Control::Keep,
            _ => Control::Go,
        }
    }

    fn checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<(), Diagnostic> {
        self.last = Some(checkpoint.clone());
        Ok(())
    }

    fn best(&mut self, checkpoint: &Checkpoint) -> Result<(), Diagnostic> {
        self.best = Some(checkpoint.clone());
        Ok(())
    }

    fn goes_on(&mut self) -> bool {
        self.evaluated += 1;
        Some(self.evaluated) != self.stop_evaluating
    }
}

struct Setup {
    data: Dataset,
    parts: Parts,
    fit: fit::Fit,
    graph: Graph,
    settings: Settings,
    team: Arc<Team>,
}

impl Setup {
    fn new(data: Dataset, epochs: u64) -> Setup {
        let open = parse::parse(MODEL).expect("the model parses");
        let fit = fit::fit(&open, &data).expect("the data fit");
        let graph = open.bind(&fit.dims).expect("all dimensions are known");
        let parts = split::split(&data, Some(&[0.8, 0.0, 0.2]));
        Setup { data, parts, fit, graph, settings: settings(epochs), team: Team::alone() }
    }

    fn trainer(&self) -> Trainer<'_> {
        let plan = Plan {
            data: &self.data,
            parts: &self.parts,
            feeds: &self.fit.feeds,
            settings: &self.settings,
            about: About { model: "Tiny".into(), program: "p".into(), ..About::default() },
            metrics: vec!["twice".into()],
            training: model::training(&self.graph, &compile).expect("it trains"),
            evaluation: model::evaluation(&without_noise(&self.graph), &compile).expect("it evaluates"),
            team: &self.team,
        };
        Trainer::new(plan, rule).expect("a trainer")
    }
}

/// In evaluation a noise is its mean.
fn without_noise(graph: &Graph) -> Graph {
    let text = rnnc::eqn::print::print(graph)
        .replace("source keep : [6] over n = noise ~ bernoulli(0.9)\n", "mean : [] shared = const(0.9)\n");
    let text = text.replace("keep : [6] over n = source(keep)\n", "").replace("mul(b, keep)", "mul(b, mean)");
    let (mean, rest): (Vec<&str>, Vec<&str>) = text.lines().partition(|l| l.starts_with("mean :"));
    let one = rest.iter().position(|l| l.starts_with("one :")).expect("a first node");
    let lines: Vec<&str> = rest[..one].iter().chain(&mean).chain(&rest[one..]).copied().collect();
    parse::parse(&(lines.join("\n") + "\n")).expect("still a graph")
}

fn rule(shape: &[usize]) -> Fallible<Rule> {
    let dims: Vec<String> = shape.iter().map(usize::to_string).collect();
    let graph =
        parse::parse(&RULE.replace("[N]", &format!("[{}]", dims.join(", ")))).expect("the rule parses");
    let names = optimiser::names(&graph, expr().span).map_err(|e| vec![e])?;
    Rule::new(&compile(&optimiser::last_only(&graph))?, &names, expr().span)
}

fn bytes(checkpoint: &Option<Checkpoint>) -> Vec<u8> {
    checkpoint.as_ref().expect("a checkpoint").to_bytes().expect("bytes")
}

#[test]
fn the_rule_of_the_text_is_learnt() {
    let setup = Setup::new(text(1003), 6);
    let mut keep = Keep::default();
    let mut trainer = setup.trainer();
    trainer.run(&mut keep).expect("it runs");
    let history = &trainer.progress().history;
    let last = history[5].held_out_loss.expect("something is held out");
    // The text has ln 2 of chance every two or three characters, 0.28 a character.
    assert!(last < 0.4 && last < history[0].train_loss, "{history:?}");
    assert!((history[5].held_out_metrics["twice"] - 2.0 * last).abs() < 1e-5);
    assert_eq!(keep.best.expect("a best one").record.progress.history.len() as u64, {
        trainer.progress().best.as_ref().expect("a best one").epoch
    });
}

#[test]
fn the_same_seed_gives_the_same_bits() {
    let run = |seed: u64| {
        let mut setup = Setup::new(text(203), 1);
        setup.settings.seed = seed;
        let mut keep = Keep::default();
        setup.trainer().run(&mut keep).expect("it runs");
        bytes(&keep.last)
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn a_run_goes_on_bit_for_bit_after_an_epoch_and_within_one() {
    goes_on(&Setup::new(text(303), 3));
}

#[test]
fn a_run_with_windows_that_overlap_goes_on_bit_for_bit() {
    let mut setup = Setup::new(text(303), 3);
    setup.settings.every = Some(3);
    goes_on(&setup);
}

fn goes_on(setup: &Setup) {
    let mut straight = Keep::default();
    setup.trainer().run(&mut straight).expect("it runs");
    let wanted = bytes(&straight.last);
    // 243 characters in 4 lanes of 60 or 61, windows of 8: 8 steps an epoch.
    let steps = [3, 8, 9, 16, 21].map(|n| Keep { stop_after: Some(n), ..Keep::default() });
    let evaluations = [1, 2, 4].map(|n| Keep { stop_evaluating: Some(n), ..Keep::default() });
    for mut first in steps.into_iter().chain(evaluations) {
        assert_eq!(setup.trainer().run(&mut first).expect("it runs"), Ended::Stopped);
        let at = (first.stop_after, first.stop_evaluating);
        let written = bytes(&first.last);
        let read = Checkpoint::from_bytes("c", &written).expect("it is read back");
        let mut trainer = setup.trainer();
        trainer.resume("c", &read).expect("it fits");
        let mut second = Keep::default();
        assert_eq!(trainer.run(&mut second).expect("it runs"), Ended::Complete);
        assert!(bytes(&second.last) == wanted, "stopped at {at:?}");
    }
    let mut kept = Keep { keep_after: Some(5), ..Keep::default() };
    setup.trainer().run(&mut kept).expect("it runs");
    assert!(bytes(&kept.last) == wanted, "a checkpoint on the way changes nothing");
}

#[test]
fn a_checkpoint_of_something_else_is_refused() {
    let setup = Setup::new(text(103), 1);
    let mut keep = Keep::default();
    setup.trainer().run(&mut keep).expect("it runs");
    let good = keep.last.expect("a checkpoint");
    let refused = |change: fn(&mut Checkpoint)| {
        let mut other = good.clone();
        change(&mut other);
        setup.trainer().resume("c", &other).unwrap_err()[0].clone()
    };
    assert_eq!(refused(|c| c.record.about.program = "q".into()).code, "E0811");
    assert_eq!(refused(|c| c.record.about.data = "other".into()).code, "E0811");
    let changed = refused(|c| {
        c.record.about.settings.insert("clip".into(), "3".into());
    });
    assert!(changed.code == "E0813" && changed.message.contains("`clip`"), "{}", changed.message);
    let missing = refused(|c| {
        c.arrays.remove("U");
    });
    assert_eq!(missing.message, "missing array `U` [6, 6] in `c`");
    let missing = refused(|c| {
        c.arrays.remove("optimizer/v/U");
    });
    assert!(missing.message.contains("`optimizer/v/U`"), "{}", missing.message);
}

#[test]
fn a_loss_that_is_no_number_ends_the_run() {
    let setup = Setup::new(text(203), 5);
    let wild = |shape: &[usize]| {
        let dims: Vec<String> = shape.iter().map(usize::to_string).collect();
        let text = RULE.replace("[N]", &format!("[{}]", dims.join(", "))).replace("const(0.3)", "const(inf)");
        let graph = parse::parse(&text).expect("the rule parses");
        let names = optimiser::names(&graph, expr().span).map_err(|e| vec![e])?;
        Rule::new(&compile(&optimiser::last_only(&graph))?, &names, expr().span)
    };
    let plan = Plan {
        data: &setup.data,
        parts: &setup.parts,
        feeds: &setup.fit.feeds,
        settings: &setup.settings,
        about: About::default(),
        metrics: vec![],
        training: model::training(&setup.graph, &compile).expect("it trains"),
        evaluation: model::evaluation(&without_noise(&setup.graph), &compile).expect("it evaluates"),
        team: &setup.team,
    };
    let mut keep = Keep::default();
    let wrong = Trainer::new(plan, wild).expect("a trainer").run(&mut keep).unwrap_err();
    assert_eq!(wrong[0].code, "E0810");
    assert!(keep.last.is_none(), "nothing bad was kept");
}

#[test]
fn threads_change_no_bit() {
    let mut setup = Setup::new(text(203), 2);
    let mut run = |threads| {
        setup.team = Team::eager(threads);
        let mut keep = Keep::default();
        setup.trainer().run(&mut keep).expect("it runs");
        bytes(&keep.last)
    };
    let alone = run(1);
    for threads in [2, 3, 5] {
        assert!(run(threads) == alone, "{threads} threads");
    }
}

#[test]
fn values_stay_within_their_bounds() {
    let mut setup = Setup::new(text(203), 2);
    setup.graph = parse::parse(
        &rnnc::eqn::print::print(&setup.graph).replace("within -2.0 .. 2.0", "within -0.1 .. 0.1"),
    )
    .expect("still a graph");
    let mut keep = Keep::default();
    setup.trainer().run(&mut keep).expect("it runs");
    let u = keep.last.expect("a checkpoint").arrays["U"].to_f32();
    assert!(u.iter().all(|x| x.abs() <= 0.1) && u.iter().any(|x| x.abs() == 0.1), "{u:?}");
}
