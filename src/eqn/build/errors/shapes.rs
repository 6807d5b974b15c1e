//! Shapes, types, dimensions, components.

use crate::diag::Diagnostic;
use crate::eqn::typing::{Fault, TypeError, show_dim_error, show_ty};
use crate::eqn::{Graph, Op, Ty};
use crate::shape::{Dim, DimError, show_shape};
use crate::source::Span;

type Side<'a> = (&'a [Dim], Span);

fn shown(shape: &[Dim], ty: &Ty) -> String {
    match ty {
        Ty::Real => show_shape(shape),
        ty if shape.is_empty() => show_ty(ty),
        ty => format!("{} of {}", show_shape(shape), show_ty(ty)),
    }
}

pub fn unequal_shapes(sign: &str, a: Side, b: Side) -> Diagnostic {
    let (x, y) = (show_shape(a.0), show_shape(b.0));
    let d = Diagnostic::error("E0301", format!("`{sign}` wants equal shapes, got {x} and {y}"))
        .at(a.1, x)
        .at(b.1, y);
    match (a.0.len(), b.0.len()) {
        (2, 1) if sign == "⊙" && a.0.last() == b.0.first() => {
            d.help("did you mean the matrix product `@`?")
        }
        _ => d.help("only a scalar spreads over a vector"),
    }
}

pub fn unequal_branches(a: Side, b: Side, c: Side, at: Span) -> Diagnostic {
    let shapes = [a, b, c].map(|s| show_shape(s.0));
    let message = format!("`if` wants branches of one shape, got {} and {}", shapes[0], shapes[1]);
    Diagnostic::error("E0302", message)
        .at(a.1, shapes[0].clone())
        .at(b.1, shapes[1].clone())
        .at(c.1, format!("condition: {}", shapes[2]))
        .at(at, "in this condition")
}

pub fn product(a: Side, b: Side, _at: Span) -> Diagnostic {
    let (x, y) = (show_shape(a.0), show_shape(b.0));
    let labelled = |d: Diagnostic| d.at(a.1, x.clone()).at(b.1, y.clone());
    match (a.0, b.0) {
        ([], _) | (_, []) => {
            labelled(Diagnostic::error("E0303", format!("`@` wants vectors or matrices, got {x} and {y}")))
                .help("a scalar multiplies with `*`")
        }
        ([p], [q]) => labelled(Diagnostic::error("E0303", format!("dot product of [{p}] and [{q}]")))
            .help("both vectors must be equally long"),
        ([.., p], [q, ..]) if a.0.len() <= 2 && b.0.len() <= 2 => {
            let d = labelled(Diagnostic::error("E0303", format!("`@` joins {p} of {x} with {q} of {y}")));
            match a.0 {
                [first, _] if first == q => d.help("is the left side transposed? `Wᵀ @ v`"),
                _ => d.help("the last axis of the left side and the first of the right one must be equal"),
            }
        }
        _ => labelled(Diagnostic::error("E0303", format!("`@` wants vectors or matrices, got {x} and {y}"))),
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

pub fn transpose_shape(shape: &[Dim], at: Span) -> Diagnostic {
    Diagnostic::error("E0306", format!("`ᵀ` wants a matrix, got {}", show_shape(shape)))
        .at(at, show_shape(shape))
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
        .help("write `if … then 1 else 0`")
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
    Diagnostic::error("E0308", format!("there is no component {k} of {extent}"))
        .at(at, "components count from 1")
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

pub fn input_as_dim(name: &str, input: Span, at: Span) -> Diagnostic {
    Diagnostic::error("E0313", format!("`{name}` is an input of this layer, so it is no dimension"))
        .at(input, "the last group of a layer is that of its inputs")
        .at(at, "a dimension is wanted here")
        .help("static parameters have a group of their own before it: `layer F(L)(x)`")
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
