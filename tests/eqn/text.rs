//! The equation IR: text form, invariants, typing, numbers for dimensions.

use crate::support::eqn::random_graph;
use proptest::prelude::*;
use rnnc::eqn::*;
use rnnc::eqn::{parse::parse, print::print, typing::Fault, verify::verify};
use rnnc::shape::Dim;
use std::collections::BTreeMap;

const LEAK: &str = r#"graph "Leak(H)"
domain n : t
source x : [H] over n = input
source a : [H] shared = param ~ uniform(1.0 / sqrt(H)) within -1.0 .. 1.0
source b : [2*H + 1] shared = param = 0.5
source h0 : [H] each = initial h default 0.0
source %4 "odd name" : [] id(K) over n = input
source z : [H] over n = noise ~ bernoulli(0.5)
source h_adj : [H] over n = cotangent
state h : [H] over n = h init h0
x : [H] over n = source(x)
a : [H] shared = source(a)
h0 : [H] each = source(h0)
%3 : [H] over n = lag(h, -1)
%4 "odd name" : [] id(K) over n = source(%4)
%5 : [H] over n = mul(a, %3)
h : [H] over n = add(%5, x)
%7 "h" : [H] over n = neg(h)
out h = %7
out "last h" = a
"#;

#[test]
fn text_is_printed_as_it_was_read() {
    assert_eq!(print(&parse(LEAK).unwrap()), LEAK);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn random_graphs_print_and_parse(seed in any::<u64>()) {
        let graph = random_graph(seed);
        prop_assert_eq!(verify(&graph), Ok(()));
        let text = print(&graph);
        let back = parse(&text).map_err(|e| TestCaseError::fail(format!("{}\n{text}", e.message)))?;
        prop_assert_eq!(&back, &graph, "{}", text);
        prop_assert_eq!(print(&back), text);
    }

    #[test]
    fn damaged_text_is_refused_or_read(seed in any::<u64>(), at in any::<prop::sample::Index>(), c in any::<char>()) {
        let mut text: Vec<char> = print(&random_graph(seed)).chars().collect();
        let i = at.index(text.len());
        text[i] = c;
        if let Ok(graph) = parse(&text.into_iter().collect::<String>()) {
            prop_assert_eq!(verify(&graph), Ok(()));
        }
    }

    #[test]
    fn any_text_is_refused_or_read(text in r#"(graph|source|state|out|%?[0-9]{1,3}|[a-z]|[\[\]():=,."{}\\ \n^*-]|over|shared|lag|div|neg){0,60}"#) {
        let _ = parse(&text);
    }
}

fn refused(text: &str) -> String {
    parse(text).expect_err("the text is wrong").message
}

#[test]
fn mistakes_are_told_with_their_line() {
    assert!(refused("x : [] shared = const(1.0)\ny : [] shared = nag(x)").contains("line 2"));
    assert!(refused("x : [H] shared = const(1.0)").contains("shape"));
    assert!(refused("x : [] shared = neg(x)").contains("before"));
    assert!(refused("x : [] shared = const(1.0)\nx : [] shared = const(1.0)").contains("twice"));
    assert!(refused("x : [] over n = const(1.0)").contains("no domain n"));
    assert!(refused("x : [] shared = const(1.0) 2").contains("end of the line"));
    let nested = format!("x : [{}H{}] shared = const(1.0)", "(".repeat(999), ")".repeat(999));
    assert!(refused(&nested).contains("deep"));
    assert!(refused(&LEAK.replace("init h0", "init x")).contains("over a domain"));
}

#[test]
fn a_dimension_beyond_all_bounds_is_refused() {
    let dim = "((((a + b + c + d)^64)^64)^64)";
    assert!(refused(&format!("x : [{dim}] shared = const(1.0)")).contains("too large"));
}

fn two_domains() -> (Graph, NodeId, NodeId) {
    let mut g = Graph::default();
    let mut ids = Vec::new();
    for name in ["n", "m"] {
        let kind = DomainKind::Chain { fixed: None };
        let domain = g.domain(Domain { extent: name.into(), var: "t".into(), kind, edges: vec![] });
        ids.push(g.source(Source {
            name: name.into(),
            kind: SourceKind::Input,
            shape: vec![Dim::sym("H")],
            ty: Ty::Real,
            level: Level::Over(domain),
            span: None,
        }));
    }
    (g, ids[0], ids[1])
}

#[test]
fn operands_that_do_not_fit_are_named() {
    let (mut g, x, y) = two_domains();
    assert_eq!(g.binary(Binary::Add, x, y).unwrap_err().fault, Fault::Domains(0, 1));
    let w = g.filled(1.0, &[Dim::sym("H"), Dim::sym("I")]);
    let e = g.matmul(w, x).unwrap_err();
    assert_eq!(e.fault, Fault::Extents((0, 1), (1, 0)));
    assert_eq!(e.to_string(), "matmul: axis 2 of [H, I] and axis 1 of [H] are not equally long");
    let v = g.filled(1.0, &[Dim::sym("I")]);
    assert_eq!(g.binary(Binary::Mul, x, v).unwrap_err().fault, Fault::Shapes(0, 1));
    assert!(matches!(g.unary(Unary::Not, x).unwrap_err().fault, Fault::Ty { operand: 0, .. }));
    assert!(matches!(g.sum_over(v, Level::Example).unwrap_err().fault, Fault::Result(_)));
    assert!(matches!(g.reshape(w, &[Dim::sym("H")]).unwrap_err().fault, Fault::Result(_)));
    assert!(g.slice(v, Dim::constant(-1), Dim::constant(1)).is_err());
}

#[test]
fn shapes_types_and_levels_follow() {
    let (mut g, x, _) = two_domains();
    let (h, i) = (Dim::sym("H"), Dim::sym("I"));
    let w = g.filled(1.0, &[i.clone(), h.clone()]);
    let m = g.matmul(w, x).unwrap();
    assert_eq!((g.shape(m), g.level(m)), (&vec![i.clone()], g.level(x)));
    let k = g.add(Op::ArgMax(m)).unwrap();
    assert_eq!((g.shape(k), g.ty(k)), (&vec![], &Ty::Id(i.clone())));
    let row = g.gather(w, k).unwrap();
    assert_eq!(g.shape(row), &vec![h.clone()]);
    let back = g.scatter(k, row).unwrap();
    assert_eq!(g.shape(back), &vec![i.clone(), h.clone()]);
    let joined = g.concat(vec![x, m, x]).unwrap();
    assert_eq!(g.shape(joined)[0], h.add(&h).unwrap().add(&i).unwrap());
    let flat = g.reshape(w, &[h.mul(&i).unwrap()]).unwrap();
    assert_eq!(g.level(flat), Level::Shared);
    let sum = g.sum_over(x, Level::Shared).unwrap();
    assert_eq!((g.shape(sum), g.level(sum)), (&vec![h.clone()], Level::Shared));
    let c = g.binary(Binary::Lt, x, sum).unwrap();
    assert_eq!(g.ty(c), &Ty::Bool);
    let s = g.constant(2.0);
    let branch = g.select(c, x, s).unwrap();
    assert_eq!(g.shape(branch), &vec![h]);
}

fn bind(text: &str, pairs: &[(&str, i64)]) -> Result<Graph, String> {
    let graph = parse(text).unwrap();
    let bindings = pairs.iter().map(|(k, v)| ((*k).into(), *v)).collect::<BTreeMap<_, _>>();
    graph.bind(&bindings).map_err(|e| e.into_iter().map(|d| d.message).collect::<Vec<_>>().join("; "))
}

#[test]
fn numbers_replace_dimensions() {
    let names: Vec<String> = parse(LEAK).unwrap().dims().iter().map(|s| s.to_string()).collect();
    assert_eq!(names, ["H", "K"]);
    let bound = bind(LEAK, &[("H", 3), ("K", 5)]).unwrap();
    assert_eq!(verify(&bound), Ok(()));
    assert_eq!(bound.sources[2].shape, vec![Dim::constant(7)]);
    assert!(bound.dims().is_empty());
    assert!(print(&bound).contains("uniform(1.0 / sqrt(3.0))"));
}

#[test]
fn numbers_that_cannot_be_are_refused() {
    assert!(bind(LEAK, &[("H", 3)]).unwrap_err().contains("`K`"));
    assert!(bind(LEAK, &[("H", -3), ("K", 5)]).unwrap_err().contains("-3"));
    assert!(bind(LEAK, &[("H", 1 << 40), ("K", 5)]).unwrap_err().contains("too large"));
    let half = "c : [] shared = const(1.0)\nw : [H div 2] shared = spread(c)";
    assert!(bind(half, &[("H", 7)]).unwrap_err().contains("not divisible"));
    let part =
        "c : [] shared = const(1.0)\nw : [H] shared = spread(c)\np : [2] shared = slice(w, K)\nout p = p";
    assert!(bind(part, &[("H", 4), ("K", 3)]).unwrap_err().contains("beyond"));
    assert!(bind(part, &[("H", 4), ("K", 2)]).is_ok());
}
