//! Every entry of the table of adjoint rules, against central differences.

use crate::support::grad::*;
use rnnc::eqn::*;
use rnnc::grad::{Options, differentiate};
use rnnc::shape::Dim;

/// `y = f(x)` at every point of a chain, with `x` made positive where that is asked.
fn elementwise(what: &str, positive: bool, f: impl Fn(&mut Cell, NodeId) -> NodeId) {
    let mut c = Cell::new();
    let x = c.input("x", &[3]);
    let x = if positive {
        let two = c.num(2.0);
        c.bin(Binary::Add, x, two)
    } else {
        x
    };
    let y = f(&mut c, x);
    c.out("y", y);
    check(&c, what);
}

#[test]
fn functions_of_one_value() {
    use Unary::*;
    for kind in [Neg, Exp, Tanh, Sigmoid, Relu, Abs, Sin, Cos, Erf, LogSigmoid, Softplus] {
        elementwise(kind.word(), false, |c, x| c.un(kind, x));
    }
    for kind in [Log, Sqrt] {
        elementwise(kind.word(), true, |c, x| c.un(kind, x));
    }
}

#[test]
fn functions_of_two_values_with_and_without_scalars() {
    use Binary::*;
    for kind in [Add, Sub, Mul, Div, Pow, Max, Min, MulZero] {
        for (a, b) in [(&[3][..], &[3][..]), (&[], &[3]), (&[3], &[]), (&[], &[])] {
            // Powers have a scalar exponent.
            if kind == Pow && !b.is_empty() {
                continue;
            }
            for level in ["over", "each", "shared"] {
                let mut c = Cell::new();
                let x = c.input("x", a);
                let w = match level {
                    "over" => c.input("w", b),
                    "each" => c.each("w", b),
                    _ => c.param("w", b),
                };
                let two = c.num(2.0);
                let (x, w) = (c.bin(Add, x, two), c.bin(Add, w, two));
                let y = c.bin(kind, x, w);
                let z = c.bin(kind, w, x);
                c.out("y", y);
                if kind != Pow || a.is_empty() {
                    c.out("z", z);
                }
                check(&c, &format!("{} {a:?} {b:?} {level}", kind.word()));
            }
        }
    }
}

#[test]
fn powers_with_a_constant_exponent() {
    for p in [0.0, 1.0, 2.0, 3.0, -1.0, 0.5, -2.5] {
        elementwise(&format!("power {p}"), true, |c, x| {
            let p = c.num(p);
            c.bin(Binary::Pow, x, p)
        });
    }
}

#[test]
fn selection_by_an_array_and_by_a_scalar() {
    for scalar in [false, true] {
        let mut c = Cell::new();
        let (x, w) = (c.input("x", &[3]), c.param("w", &[3]));
        let s = c.each("s", &[]);
        let zero = c.num(0.0);
        let condition = match scalar {
            true => c.bin(Binary::Lt, zero, s),
            false => c.bin(Binary::Lt, x, w),
        };
        let y = c.op(Op::Select(condition, x, w));
        let z = c.op(Op::Select(condition, s, w));
        let t = c.un(Unary::Tanh, s);
        c.out("y", y);
        c.out("z", z);
        c.out("t", t);
        check(&c, "select");
    }
    // Scalar branches under an array of conditions.
    let mut c = Cell::new();
    let (x, s, w) = (c.input("x", &[3]), c.each("s", &[]), c.param("w", &[]));
    let zero = c.num(0.0);
    let condition = c.bin(Binary::Lt, x, zero);
    let y = c.op(Op::Select(condition, s, w));
    let z = c.mul(y, x);
    c.out("y", z);
    check(&c, "select of scalars");
}

#[test]
fn products_of_all_ranks_and_levels() {
    for (a, b) in [(&[2, 3][..], &[3][..]), (&[2, 3], &[3, 2]), (&[3], &[3]), (&[3], &[3, 2])] {
        for levels in 0..9 {
            let mut c = Cell::new();
            let source = |c: &mut Cell, name: &str, shape: &[i64], level: i32| match level {
                0 => c.input(name, shape),
                1 => c.each(name, shape),
                _ => c.param(name, shape),
            };
            let x = source(&mut c, "a", a, levels % 3);
            let w = source(&mut c, "b", b, levels / 3);
            let k = c.input("k", &[]);
            let y = c.mm(x, w);
            let y = c.un(Unary::Tanh, y);
            let y = c.mul(y, k);
            c.out("y", y);
            check(&c, &format!("matmul {a:?} {b:?} {levels}"));
        }
    }
}

#[test]
fn a_shared_matrix_gets_one_sum_of_outer_products() {
    let mut c = Cell::new();
    let (x, w) = (c.input("x", &[3]), c.param("W", &[2, 3]));
    let y = c.mm(w, x);
    c.out("y", y);
    let joint = check(&c, "affine");
    let adjoint = joint.find_output("W_adj").expect("an output");
    let Op::SumOver(sum) = joint.node(adjoint).op else { panic!("no sum") };
    assert!(matches!(joint.node(sum).op, Op::Outer(..)));
    // Used transposed, it still is one.
    let mut c = Cell::new();
    let (x, w) = (c.input("x", &[3]), c.param("W", &[3, 2]));
    let t = c.op(Op::Transpose(w));
    let y = c.mm(t, x);
    c.out("y", y);
    let joint = check(&c, "affine, transposed");
    let adjoint = joint.find_output("W_adj").expect("an output");
    let Op::SumOver(sum) = joint.node(adjoint).op else { panic!("no sum") };
    assert!(matches!(joint.node(sum).op, Op::Outer(..)));
}

#[test]
fn rearranged_arrays() {
    let mut c = Cell::new();
    let (x, v) = (c.input("x", &[4]), c.param("v", &[2]));
    let o = c.op(Op::Outer(x, v));
    let t = c.op(Op::Transpose(o));
    let t = c.un(Unary::Sin, t);
    let r = c.graph.reshape(t, &dims(&[8])).expect("fits");
    let j = c.op(Op::Concat(vec![r, x, v]));
    let j = c.un(Unary::Tanh, j);
    // Overlapping, adjoining and missing slices.
    let parts = [(0, 3), (3, 5), (2, 4), (10, 2), (12, 2)];
    for (i, (start, len)) in parts.into_iter().enumerate() {
        let part = c.slice(j, start, len);
        let part = c.mul(part, part);
        c.out(&format!("y{i}"), part);
    }
    let s = c.each("s", &[]);
    let spread = c.graph.spread(s, &dims(&[4])).expect("fits");
    let z = c.mul(spread, x);
    c.out("z", z);
    check(&c, "rearranged");
}

#[test]
fn slices_that_tile_a_parameter_are_joined_once() {
    let mut c = Cell::new();
    let (x, w) = (c.input("x", &[3]), c.param("W", &[6, 3]));
    let all: Vec<NodeId> = [4, 0, 2]
        .into_iter()
        .map(|start| {
            let part = c.slice(w, start, 2);
            let y = c.mm(part, x);
            c.un(Unary::Tanh, y)
        })
        .collect();
    let y = c.sum(&all);
    c.out("y", y);
    let joint = check(&c, "tiles");
    let adjoint = joint.find_output("W_adj").expect("an output");
    let Op::Concat(parts) = &joint.node(adjoint).op else { panic!("not joined") };
    assert_eq!(parts.len(), 3);
}

#[test]
fn reading_by_symbol() {
    let mut c = Cell::new();
    let (table, w) = (c.param("table", &[5, 3]), c.id("w", 5));
    let row = c.op(Op::Gather { arg: table, index: w });
    let y = c.un(Unary::Tanh, row);
    c.out("y", y);
    let k = c.input("k", &[]);
    let set = c.op(Op::Scatter { index: w, value: k });
    let set = c.un(Unary::Sin, set);
    c.out("z", set);
    let joint = check(&c, "gather");
    let adjoint = joint.find_output("table_adj").expect("an output");
    let Op::SumOver(sum) = joint.node(adjoint).op else { panic!("no sum") };
    assert!(matches!(joint.node(sum).op, Op::Scatter { .. }));
}

#[test]
fn reductions_of_every_axis() {
    for fold in Fold::ALL {
        for (shape, axes) in [(&[4][..], 0..1), (&[3, 2], 0..2), (&[2, 3, 2], 0..3)] {
            for axis in axes {
                // Greatest elements along an inner axis of a block are refused.
                if shape.len() == 3 && axis > 0 && matches!(fold, Fold::Max | Fold::Min) {
                    continue;
                }
                let mut c = Cell::new();
                let x = c.input("x", shape);
                let y = c.op(Op::Reduce { fold, arg: x, axis });
                let y = c.un(Unary::Sin, y);
                c.out("y", y);
                check(&c, &format!("{} {shape:?} {axis}", fold.word()));
            }
        }
    }
}

#[test]
fn products_with_zeros_are_exact() {
    for zeros in 0..=3 {
        let mut c = Cell::new();
        let x = c.input("x", &[4]);
        let y = c.op(Op::Reduce { fold: Fold::Prod, arg: x, axis: 0 });
        c.out("y", y);
        let mut batch = random_batch(&c.graph, &[("n", &[2])], 5);
        let x = batch.arrays.get_mut("x").expect("x").as_slice_mut().expect("in order");
        x[..zeros].fill(0.0);
        check_at(&c.graph, &batch, &format!("{zeros} zeros"));
    }
}

#[test]
fn softmax_and_its_logarithm() {
    let mut c = Cell::new();
    let (x, y) = (c.input("x", &[4]), c.id("y", 4));
    let p = c.op(Op::Softmax(x));
    let lse = c.op(Op::LogSumExp(x));
    let score = c.op(Op::Gather { arg: x, index: y });
    let loss = c.bin(Binary::Sub, lse, score);
    c.out("p", p);
    c.out("loss", loss);
    check(&c, "softmax");
}

#[test]
fn sums_over_points_and_examples() {
    let n = Level::Over(DomainId(0));
    for of in ["over", "each", "shared"] {
        let mut c = Cell::new();
        let x = match of {
            "over" => c.input("x", &[2]),
            "each" => c.each("x", &[2]),
            _ => c.param("x", &[2]),
        };
        // The value over the points may be the same at each of them.
        let t = c.op(Op::Position(DomainId(0)));
        let y = c.mul(x, t);
        let y = c.un(Unary::Sin, y);
        let each = c.sum_over(y, Level::Example);
        let once = c.sum_over(y, Level::Shared);
        let each = c.mul(each, each);
        let once = c.un(Unary::Tanh, once);
        let again = c.sum_over(each, Level::Shared);
        c.out("each", each);
        c.out("once", once);
        c.out("again", again);
        assert_eq!(c.graph.level(y), n);
        check(&c, of);
    }
}

/// A sum over points of something whose adjoint is one number for all of them, sent on to a lower level.
#[test]
fn a_value_read_at_all_points_alike_counts_every_point() {
    let mut c = Cell::new();
    let (x, e, p) = (c.input("x", &[2]), c.each("e", &[2]), c.param("p", &[2]));
    let y = c.sum(&[x, e, p]);
    let total = c.sum_over(y, Level::Example);
    c.out("total", total);
    let all = c.sum_over(y, Level::Shared);
    c.out("all", all);
    check(&c, "counted");
}

#[test]
fn points_of_a_chain() {
    for point in [Point::First, Point::Last, Point::Fixed(1), Point::Fixed(3)] {
        let mut c = Cell::new();
        let (x, e) = (c.input("x", &[2]), c.each("e", &[2]));
        let y = c.un(Unary::Sin, x);
        let z = c.graph.at(y, point, e).unwrap();
        c.out("z", z);
        let p = c.param("p", &[2]);
        let w = c.graph.at(y, point, p).unwrap();
        let w = c.mul(w, w);
        c.out("w", w);
        check(&c, &format!("{point:?}"));
    }
}

#[test]
fn a_chain_read_backwards() {
    let mut c = Cell::new();
    let x = c.input("x", &[2]);
    let r = c.graph.reverse(x).unwrap();
    let y = c.mul(r, x);
    let y = c.graph.reverse(y).unwrap();
    c.out("y", y);
    check(&c, "reverse");
}

/// All conventions at kinks, in one place: value, adjoint 1, expected slope.
#[test]
fn slopes_at_kinks() {
    type Build = fn(&mut Cell, NodeId) -> NodeId;
    let cases: [(&str, f64, f64, Build); 10] = [
        ("relu", 0.0, 0.0, |c, x| c.un(Unary::Relu, x)),
        ("abs", 0.0, 0.0, |c, x| c.un(Unary::Abs, x)),
        ("max with itself first", 1.0, 1.0, |c, x| {
            let one = c.num(1.0);
            c.bin(Binary::Max, x, one)
        }),
        ("max with itself second", 1.0, 0.0, |c, x| {
            let one = c.num(1.0);
            c.bin(Binary::Max, one, x)
        }),
        ("min with itself first", 1.0, 1.0, |c, x| {
            let one = c.num(1.0);
            c.bin(Binary::Min, x, one)
        }),
        ("min with itself second", 1.0, 0.0, |c, x| {
            let one = c.num(1.0);
            c.bin(Binary::Min, one, x)
        }),
        ("power 0 of 0", 0.0, 0.0, |c, x| {
            let zero = c.num(0.0);
            c.bin(Binary::Pow, x, zero)
        }),
        ("power 1 of 0", 0.0, 1.0, |c, x| {
            let one = c.num(1.0);
            c.bin(Binary::Pow, x, one)
        }),
        ("exponent of 0", 0.0, 0.0, |c, x| {
            let zero = c.num(0.0);
            c.bin(Binary::Pow, zero, x)
        }),
        ("a root in the branch not taken", 0.0, 2.0, |c, x| {
            let (zero, two) = (c.num(0.0), c.num(2.0));
            let root = c.un(Unary::Sqrt, x);
            let line = c.mul(x, two);
            let taken = c.bin(Binary::Lt, zero, x);
            c.op(Op::Select(taken, root, line))
        }),
    ];
    for (what, at, slope, build) in cases {
        let mut c = Cell::new();
        let x = c.param("x", &[]);
        let y = build(&mut c, x);
        c.out("y", y);
        let joint = joint_of(&c.graph, &Options::default());
        let mut batch = random_batch(&c.graph, &[("n", &[1])], 1);
        batch.arrays.insert("x".into(), ndarray::arr0(at).into_dyn());
        batch.arrays.insert("y_adj".into(), ndarray::arr0(1.0).into_dyn());
        let derived = run(&joint, &batch)["x_adj"].first().copied();
        assert_eq!(derived, Some(slope), "{what}");
    }
}

/// The first of tied elements takes all; an infinite slope meets an adjoint of 0.
#[test]
fn ties_and_infinite_slopes() {
    let mut c = Cell::new();
    let x = c.param("x", &[3]);
    let greatest = c.op(Op::Reduce { fold: Fold::Max, arg: x, axis: 0 });
    c.out("greatest", greatest);
    let least = c.op(Op::Reduce { fold: Fold::Min, arg: x, axis: 0 });
    c.out("least", least);
    let root = c.un(Unary::Sqrt, x);
    c.out("root", root);
    let joint = joint_of(&c.graph, &Options::default());
    let mut batch = random_batch(&c.graph, &[("n", &[1])], 1);
    for (name, value) in [("x", vec![0.0; 3]), ("root_adj", vec![0.0; 3])] {
        batch.arrays.insert(name.into(), ndarray::Array1::from(value).into_dyn());
    }
    for (name, value) in [("greatest_adj", 1.0), ("least_adj", 10.0)] {
        batch.arrays.insert(name.into(), ndarray::arr0(value).into_dyn());
    }
    let x_adj = &run(&joint, &batch)["x_adj"];
    assert_eq!(x_adj.as_slice(), Some(&[11.0, 0.0, 0.0][..]));
    batch.arrays.insert("root_adj".into(), ndarray::Array1::from(vec![0.0, 1.0, 0.0]).into_dyn());
    let x_adj = &run(&joint, &batch)["x_adj"];
    assert_eq!(x_adj.as_slice(), Some(&[11.0, f64::INFINITY, 0.0][..]));
}

#[test]
fn a_stopped_gradient_is_zero_and_no_mistake() {
    let mut c = Cell::new();
    let (x, w) = (c.input("x", &[2]), c.param("w", &[2]));
    let s = c.un(Unary::StopGradient, w);
    let y = c.mul(x, s);
    c.out("y", y);
    let joint = joint_of(&c.graph, &Options::default());
    let batch = with_cotangents(&c.graph, &random_batch(&c.graph, &[("n", &[2, 3])], 1), 2);
    let out = run(&joint, &batch);
    assert!(out["w_adj"].iter().all(|v| *v == 0.0));
    assert!(out["x_adj"].iter().any(|v| *v != 0.0));
}

#[test]
fn a_source_that_nothing_reads_gets_zeros_of_its_own_shape() {
    let mut c = Cell::new();
    let (x, _) = (c.input("x", &[2]), c.input("unread", &[3]));
    let _ = (c.each("e", &[2]), c.param("p", &[2]));
    let y = c.un(Unary::Tanh, x);
    c.out("y", y);
    check(&c, "unread");
}

fn refusal(c: &Cell, options: &Options) -> rnnc::diag::Diagnostic {
    let errors = differentiate(&c.graph, options).expect_err("refused");
    errors.into_iter().next().expect("a diagnostic")
}

#[test]
fn a_path_without_slopes_is_refused_and_named() {
    let mut c = Cell::new();
    let (w, x) = (c.param("w", &[4]), c.input("x", &[4]));
    let z = c.mul(w, x);
    let best = c.op(Op::ArgMax(z));
    let hit = c.un(Unary::ToReal, best);
    c.out("loss", hit);
    let d = refusal(&c, &Options::default());
    assert_eq!(d.code, "E0501");
    assert!(d.message.contains("`w`") && d.message.contains("argmax"), "{}", d.message);

    for kind in [Unary::Floor, Unary::Sign] {
        let mut c = Cell::new();
        let x = c.param("x", &[]);
        let y = c.un(kind, x);
        c.out("y", y);
        assert!(refusal(&c, &Options::default()).message.contains(kind.word()));
    }
    // Another path makes it an ordinary gradient.
    let mut c = Cell::new();
    let x = c.param("x", &[]);
    let floor = c.un(Unary::Floor, x);
    let y = c.bin(Binary::Sub, x, floor);
    c.out("y", y);
    check(&c, "fractional part");
    // Stopped on purpose in front of it, too.
    let mut c = Cell::new();
    let x = c.param("x", &[]);
    let s = c.un(Unary::StopGradient, x);
    let floor = c.un(Unary::Floor, s);
    c.out("y", floor);
    assert!(differentiate(&c.graph, &Options::default()).is_ok());
}

#[test]
fn requests_that_make_no_sense_are_refused() {
    let mut c = Cell::new();
    let (x, w) = (c.input("x", &[2]), c.id("w", 3));
    let t = c.param("t", &[3, 2]);
    let row = c.op(Op::Gather { arg: t, index: w });
    let y = c.mul(x, row);
    c.out("y", y);
    c.out("w", w);
    let options = |wrt: Option<&str>, from: Option<&str>| Options {
        wrt: wrt.map(|n| vec![n.to_string()]),
        from: from.map(|n| vec![n.to_string()]),
        ..Options::default()
    };
    assert_eq!(refusal(&c, &options(Some("q"), None)).code, "E0502");
    assert_eq!(refusal(&c, &options(None, Some("q"))).code, "E0502");
    assert_eq!(refusal(&c, &options(Some("w"), None)).code, "E0503");
    assert_eq!(refusal(&c, &options(None, Some("w"))).code, "E0503");
    let mut taken = Cell { graph: c.graph.clone() };
    taken.input("y_adj", &[2]);
    assert_eq!(refusal(&taken, &Options::default()).code, "E0504");
    // A chosen few.
    let joint = joint_of(&c.graph, &options(Some("t"), Some("y")));
    assert!(joint.find_output("t_adj").is_some() && joint.find_output("x_adj").is_none());
}

#[test]
fn dimensions_may_still_be_symbols() {
    let (h, i) = (Dim::sym("H"), Dim::sym("I"));
    let mut c = Cell::new();
    let over = Level::Over(DomainId(0));
    let make = |c: &mut Cell, name: &str, shape: &[&Dim], kind: SourceKind, level: Level| {
        let shape = shape.iter().map(|d| (*d).clone()).collect();
        c.graph.source(Source { name: name.into(), kind, shape, ty: Ty::Real, level, span: None })
    };
    let param = || SourceKind::Param(ParamInfo { init: Init::Value(Scalar::Num(0.0)), within: None });
    let two_h = h.mul(&Dim::constant(2)).expect("small");
    let x = make(&mut c, "x", &[&i], SourceKind::Input, over);
    let w = make(&mut c, "W", &[&two_h, &i], param(), Level::Shared);
    let z = c.mm(w, x);
    let a = c.graph.slice(z, Dim::constant(0), h.clone()).expect("fits");
    let b = c.graph.slice(z, h.clone(), h.clone()).expect("fits");
    let y = c.mul(a, b);
    let total = c.op(Op::Reduce { fold: Fold::Sum, arg: y, axis: 0 });
    c.out("total", total);
    let joint = joint_of(&c.graph, &Options::default());
    let bindings = [("H".into(), 2), ("I".into(), 3)].into_iter().collect();
    assert!(joint.bind(&bindings).is_ok());
    let bound = c.graph.bind(&bindings).unwrap_or_else(|e| panic!("{}", e[0].message));
    check(&Cell { graph: bound }, "bound");
}
