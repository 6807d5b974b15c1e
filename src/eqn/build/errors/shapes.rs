//! Shapes, types, dimensions, components.

use crate::diag::{Diagnostic, Edit};
use crate::eqn::typing::{Fault, TypeError, show_dim_error, show_ty};
use crate::eqn::{Graph, Op, Ty};
use crate::shape::{Dim, DimError, show_shape};
use crate::source::Span;
use crate::syntax::ast::{Expr, ExprKind, Mark};

/// An operator as the author wrote it.
#[derive(Clone, Copy, Debug)]
pub struct Sign<'a> {
    pub text: &'a str,
    pub written: Option<Written<'a>>,
}

/// Where it stands, and between what.
#[derive(Clone, Copy, Debug)]
pub struct Written<'a> {
    pub sign: Span,
    pub left: &'a Expr,
    pub right: &'a Expr,
}

impl<'a> From<&'a str> for Sign<'a> {
    fn from(text: &'a str) -> Self {
        Sign { text, written: None }
    }
}

/// What transposes an expression; what is transposed goes back.
fn transposed(expr: &Expr) -> Vec<Edit> {
    if let ExprKind::Mark { base, mark: Mark::Transpose } = &expr.kind {
        return vec![Edit { span: Span { start: base.span.end, ..expr.span }, text: String::new() }];
    }
    let at = |at: u32, text: &str| Edit { span: Span { start: at, end: at, ..expr.span }, text: text.into() };
    match expr.kind {
        ExprKind::Name(_) | ExprKind::Index { .. } | ExprKind::Field { .. } | ExprKind::Paren(_) => {
            vec![at(expr.span.end, "ᵀ")]
        }
        _ => vec![at(expr.span.start, "("), at(expr.span.end, ")ᵀ")],
    }
}

type Side<'a> = (&'a [Dim], Span);

fn shown(shape: &[Dim], ty: &Ty) -> String {
    match ty {
        Ty::Real => show_shape(shape),
        ty if shape.is_empty() => show_ty(ty),
        ty => format!("{} of {}", show_shape(shape), show_ty(ty)),
    }
}

pub fn unequal_shapes(sign: Sign, a: Side, b: Side) -> Diagnostic {
    let (x, y) = (show_shape(a.0), show_shape(b.0));
    let d = Diagnostic::error("E0301", format!("`{}` wants equal shapes, got {x} and {y}", sign.text))
        .at(a.1, x)
        .at(b.1, y);
    let written = sign.written;
    match (a.0, b.0) {
        ([_, q], [p, ..]) if sign.text == "⊙" && p == q => match written {
            Some(w) => d.fix("did you mean the matrix product `@`?", w.sign, "@"),
            None => d.help("did you mean the matrix product `@`?"),
        },
        ([p, q], [r, s]) if p == s && q == r => match written {
            Some(w) => d.fix_all("is the right side transposed?", transposed(w.right)),
            None => d.help("is one side transposed?"),
        },
        ([_, _], [_]) | ([_], [_, _]) => {
            d.help("rows are not repeated: only a scalar spreads, over all of an array")
        }
        _ => d.help("only a scalar spreads over a vector"),
    }
}

pub fn unequal_branches(a: Side, b: Side, c: Side) -> Diagnostic {
    let shapes = [a, b, c].map(|s| show_shape(s.0));
    let message = format!("`if` wants branches of one shape, got {} and {}", shapes[0], shapes[1]);
    let d = Diagnostic::error("E0302", message)
        .at(a.1, shapes[0].clone())
        .at(b.1, shapes[1].clone())
        .help("both branches have one shape, or one of them is a scalar");
    match c.0 {
        [] => d,
        _ => d.at(c.1, format!("chosen for each component of {}", shapes[2])),
    }
}

pub fn product(a: Side, b: Side, w: Written) -> Diagnostic {
    let (x, y) = (show_shape(a.0), show_shape(b.0));
    let labelled =
        |message: String| Diagnostic::error("E0303", message).at(a.1, x.clone()).at(b.1, y.clone());
    let unfit = || labelled(format!("`@` wants vectors or matrices, got {x} and {y}"));
    match (a.0, b.0) {
        ([], _) | (_, []) => unfit().fix("a scalar multiplies with `*`", w.sign, "*"),
        ([p], [q]) => {
            labelled(format!("dot product of [{p}] and [{q}]")).help("both vectors must be equally long")
        }
        ([.., p], [q, ..]) if a.0.len() <= 2 && b.0.len() <= 2 => {
            let d = labelled(format!("`@` joins {p} of {x} with {q} of {y}"));
            match (a.0, b.0) {
                ([first, _], _) if first == q => {
                    d.fix_all("is the left side transposed?", transposed(w.left))
                }
                (_, [_, last]) if last == p => {
                    d.fix_all("is the right side transposed?", transposed(w.right))
                }
                _ => d.help("the last axis of the left side and the first of the right one must be equal"),
            }
        }
        _ => unfit().help("larger arrays are read row by row: `x[k]`"),
    }
}

pub fn declared_shape(name: &str, want: &[Dim], got: &[Dim], at: Span, declared: Span) -> Diagnostic {
    let (w, g) = (show_shape(want), show_shape(got));
    Diagnostic::error("E0304", format!("`{name}` is declared {w}, its equation is {g}"))
        .at(at, g)
        .at(declared, w)
        .help("change the declaration, or map the value with a matrix")
}

pub fn declared_type(name: &str, want: &Ty, got: &Ty, at: Span, declared: Span) -> Diagnostic {
    let (w, g) = (show_ty(want), show_ty(got));
    Diagnostic::error("E0304", format!("`{name}` is declared {w}, its equation is {g}"))
        .at(at, g)
        .at(declared, w)
}

pub fn argument_type(
    title: &str,
    name: &str,
    want: (&[Dim], &Ty),
    got: (&[Dim], &Ty),
    at: Span,
    declared: Span,
) -> Diagnostic {
    let (w, g) = (shown(want.0, want.1), shown(got.0, got.1));
    let d = Diagnostic::error("E0305", format!("{title} takes {w} for `{name}`, got {g}"))
        .at(at, g)
        .at(declared, format!("declared {w}"));
    match (want.1, got.1) {
        (Ty::Real, Ty::Id(_)) => d.help("an id is a symbol; put an embedding (a table read by it) before it"),
        _ if got.0.is_empty() && !want.0.is_empty() => {
            d.help("a scalar fills a shape that is known, and here the argument is to decide it")
        }
        _ => d,
    }
}

pub fn part_shapes(name: &str, known: &[Dim], now: &[Dim], at: Span) -> Diagnostic {
    let (w, g) = (show_shape(known), show_shape(now));
    Diagnostic::error(
        "E0305",
        format!("`{name}` is shared, but is {w} in one application and {g} in this one"),
    )
    .at(at, "this one")
}

/// `mark`: the `ᵀ` itself.
pub fn transpose_shape(shape: &[Dim], at: Span, mark: Span) -> Diagnostic {
    Diagnostic::error("E0306", format!("`ᵀ` wants a matrix, got {}", show_shape(shape)))
        .at(at, show_shape(shape))
        .fix("a vector is neither row nor column: `a @ W`, `W @ a` and `a @ b` go without it", mark, "")
}

pub fn exponent_shape(at: Span) -> Diagnostic {
    Diagnostic::error("E0306", "an exponent is a scalar").at(at, "not a scalar")
}

pub fn wants_vector(f: &str, shape: &[Dim], at: Span) -> Diagnostic {
    Diagnostic::error("E0306", format!("`{f}` wants a vector, got {}", show_shape(shape)))
        .at(at, show_shape(shape))
}

pub fn wants_id(f: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E0307", format!("`{f}` wants an id"))
        .at(at, "no id")
        .help("ids are inputs of type `id(K)`, and what `argmax` gives")
}

pub fn id_as_number(symbols: &Dim, at: Span) -> Diagnostic {
    Diagnostic::error("E0307", "an id is a symbol, not a number")
        .at(at, format!("id({symbols})"))
        .help("an id is used as an index, `table[w]`, or compared with `==`")
}

pub fn bool_as_number(at: Span) -> Diagnostic {
    Diagnostic::error("E0307", "a truth value is not a number")
        .at(at, "bool")
        .fix_all("choose a number for each", choice(at))
}

fn choice(span: Span) -> Vec<Edit> {
    let at = |at: u32, text: &str| Edit { span: Span { start: at, end: at, ..span }, text: text.into() };
    vec![at(span.start, "(if "), at(span.end, " then 1 else 0)")]
}

pub fn not_a_condition(kind: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E0307", "a condition is a comparison or a bool")
        .at(at, format!("this {kind} is neither"))
        .help("compare it: `x > 0`")
}

pub fn index_extent(name: &str, want: &Dim, got: &Dim, base: Span, at: Span) -> Diagnostic {
    Diagnostic::error("E0308", format!("`{name}` runs over {want}, but this has {got} components"))
        .at(base, format!("{got} components"))
        .at(at, "read here")
}

pub fn id_extent(symbols: &Dim, extent: &Dim, base: Span, at: Span) -> Diagnostic {
    Diagnostic::error("E0308", format!("an id of {symbols} symbols reads an axis of length {extent}"))
        .at(base, format!("length {extent}"))
        .at(at, format!("id({symbols})"))
}

pub fn component_outside(k: &Dim, extent: &Dim, at: Span) -> Diagnostic {
    let d = Diagnostic::error("E0308", format!("there is no component {k} of {extent}"))
        .at(at, "components count from 1");
    match k.as_constant() {
        Some(0) => d.fix("the first component is 1", at, "1"),
        _ => d.help(format!("components are 1 to {extent}")),
    }
}

pub fn no_components(at: Span) -> Diagnostic {
    Diagnostic::error("E0308", "a scalar has no components").at(at, "a scalar")
}

pub fn index_not_known(at: Span) -> Diagnostic {
    Diagnostic::error("E0309", "an index is a number known beforehand, an index variable or an id")
        .at(at, "computed")
}

pub fn empty_slice(at: Span) -> Diagnostic {
    Diagnostic::error("E0308", "this range of components is empty")
        .at(at, "here")
        .help("components count from 1")
}

pub fn empty_array(at: Span) -> Diagnostic {
    Diagnostic::error("E0310", "an array without elements").at(at, "its index set is empty")
}

pub fn any_shape_unknown(at: Span) -> Diagnostic {
    Diagnostic::error("E0311", "what `[..]` is, is decided by an input, and none has it").at(at, "here")
}

pub fn no_type(at: Span) -> Diagnostic {
    Diagnostic::error("E0311", "this declaration has no type").at(at, "here").help("write `: [H]`")
}

pub fn param_type(name: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E0311", format!("the parameter `{name}` must be an array of real numbers"))
        .at(at, "here")
}

pub fn ragged_list(at: Span) -> Diagnostic {
    Diagnostic::error("E0312", "the items of this list differ in shape")
        .at(at, "rows must be equally long")
        .help("join arrays of different lengths with `++`")
}

// Dimensions.

/// `groups`: what ends the group of static parameters behind it.
pub fn input_as_dim(name: &str, input: Span, at: Span, groups: Option<Edit>) -> Diagnostic {
    Diagnostic::error("E0313", format!("`{name}` is an input of this layer, so it is no dimension"))
        .at(input, "the last group of a layer is that of its inputs")
        .at(at, "a dimension is wanted here")
        .help("static parameters have a group of their own before it: `layer F(L)(x)`")
        .fix_all("end the group of static parameters here", groups.into_iter().collect())
}

pub fn not_a_dim(kind: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E0313", format!("a {kind} stands where a dimension is wanted"))
        .at(at, "no whole number or dimension")
}

pub fn length_as_dim(at: Span) -> Diagnostic {
    Diagnostic::error("E0313", "the length of a sequence is each example's own, so it is no dimension")
        .at(at, "here")
}

/// The code of dimensions that do not come out even.
pub const DIM_ERROR: &str = "E0314";

pub fn dim_error(e: &DimError, at: Span) -> Diagnostic {
    let message = match e {
        DimError::NotDivisible(a, b) => format!("{a} div {b} is no whole number"),
        e => show_dim_error(e),
    };
    let d = Diagnostic::error(DIM_ERROR, message).at(at, "here");
    match e {
        DimError::NotDivisible(..) => d.help("choose dimensions that divide without remainder"),
        DimError::Overflow => d.help("no array is as large as that"),
        DimError::DivisionByZero => d.help("choose dimensions with another divisor"),
        _ => d,
    }
}

pub fn binom_static(at: Span) -> Diagnostic {
    Diagnostic::error("E0313", "`binom(n, k)` is of whole numbers known beforehand, n at most 1000")
        .at(at, "here")
}

pub fn bounds_want_range(at: Span) -> Diagnostic {
    Diagnostic::error("E0315", "`within` wants a range `lo .. hi`").at(at, "here")
}

pub fn empty_bounds(at: Span) -> Diagnostic {
    Diagnostic::error("E0315", "the lower bound is above the upper one").at(at, "here")
}

pub fn empty_reduction(word: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E0316", format!("`{word}` over no element has no value"))
        .at(at, "the range is empty")
        .help("let the range hold at least one element")
}

pub fn empty_concat(at: Span) -> Diagnostic {
    Diagnostic::error("E0316", "`concat` over no element has no shape")
        .at(at, "the range is empty")
        .help("let the range hold at least one element")
}

pub fn loss_shape(shape: &[Dim], at: Span) -> Diagnostic {
    Diagnostic::error("E0317", format!("a loss or metric is one number, got {}", show_shape(shape)))
        .at(at, show_shape(shape))
        .help("reduce it: `mean k in n: …`")
}

/// A loss without positions of the sequence that windows cut.
pub fn counted_wants_sequence(at: Span) -> Diagnostic {
    Diagnostic::error(
        "E0317",
        "`every` counts the latest positions of each window, and this value has none of them",
    )
    .at(at, "not one number at each position of the sequence")
    .help("leave `every` out, or let the loss be over the positions of the sequence that is read")
}

/// What no check of the front end has caught, in the words of the graph.
pub fn type_error(graph: &Graph, e: &TypeError, at: Span) -> Diagnostic {
    let message = match (&e.op, &e.fault) {
        (Op::Concat(_), Fault::Extents(..) | Fault::Shapes(..)) => {
            let shapes: Vec<String> = e.operands.iter().map(|o| show_shape(&o.shape)).collect();
            format!("`++` joins the first axes; the others must be equal, got {}", shapes.join(", "))
        }
        (_, Fault::Types(a, b)) => {
            let ty = |i: &usize| e.operands.get(*i).map(|o| show_ty(&o.ty)).unwrap_or_default();
            format!("{} and {} do not go together", ty(a), ty(b))
        }
        _ => e.to_string(),
    };
    let mut d = Diagnostic::error("E0318", message).at(at, "here");
    for operand in e.operands.iter().take(4) {
        let span = graph.nodes.get(operand.node.index()).and_then(|n| n.span).filter(|s| *s != at);
        d = d.at_some(span, shown(&operand.shape, &operand.ty));
    }
    d
}
