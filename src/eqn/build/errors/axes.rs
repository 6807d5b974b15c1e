//! Axes, edges, positions: grids, trees, sequences inside a step.

use super::DIM_ERROR;
use crate::diag::Diagnostic;
use crate::source::Span;
use crate::syntax::ast::OverKind;

fn word(kind: OverKind) -> &'static str {
    match kind {
        OverKind::Chain => "a chain",
        OverKind::Grid => "a grid",
        OverKind::Tree => "a tree",
    }
}

pub fn axis_twice(name: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E0413", format!("`{name}` names two axes"))
        .at(at, "again here")
        .help("give each axis or edge a name of its own")
}

pub fn bad_header(tree: bool, at: Span) -> Diagnostic {
    let d = Diagnostic::error("E0413", "this is no domain of a cell").at(at, "here");
    match tree {
        true => d.help("a tree is written `tree(left, right)` or `tree(K..)`"),
        false => d.help(
            "a grid is written `grid(i, j)`, `grid(D..)` or `grid(D.., l in 1..L)`, with one `..` at most",
        ),
    }
}

pub fn count_of_axes(name: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E0237", format!("`{name} = …` says how many there are, so it is a number from 1"))
        .at(at, "no such number")
}

pub fn no_axes(title: &str, name: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E0412", format!("{title} runs over `{name}`, but there is nothing to step along"))
        .at(at, "here")
        .help("apply it to a grid or tree")
}

pub fn wants_axes(title: &str, kind: OverKind, at: Span, header: Option<Span>) -> Diagnostic {
    Diagnostic::error("E0425", format!("{title} is a cell over {}, and its input is not", word(kind)))
        .at(at, "applied here")
        .at_some(header, "its axes")
        .help("types of inputs are `grid<r, c> of [A]` and `tree<n> of [A]`")
}

pub fn no_such_axis(name: &str, title: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E0426", format!("{title} has no axis `{name}`"))
        .at(at, "unknown")
        .help("the axes are those of its `over`")
}

pub fn no_such_edge(name: &str, kind: OverKind, at: Span) -> Diagnostic {
    let d = Diagnostic::error("E0413", format!("{} has no edge `{name}` here", word(kind))).at(at, "here");
    match kind {
        OverKind::Tree => {
            d.help("its edges are those of `over tree(left, right)`, or the members of its `K..`")
        }
        _ => d.help("its edges are the axes of its `over`, or the members of `D` and `axes`"),
    }
}

pub fn edge_stands_alone(name: &str, at: Span) -> Diagnostic {
    Diagnostic::error(
        "E0413",
        format!("the edge `{name}` leads to one point, so it stands alone in the bracket"),
    )
    .at(at, "beside other places")
}

/// `place`: what stands in the bracket, and the same with all axes in their order.
pub fn place_wants_axes(names: &[String], got: usize, at: Span, place: Option<(Span, String)>) -> Diagnostic {
    let example: Vec<String> =
        names.iter().enumerate().map(|(i, n)| if i == 0 { format!("{n}-1") } else { n.clone() }).collect();
    let d = Diagnostic::error(
        "E0427",
        format!("a place in grid({}) wants {} indices, {got} given", names.join(", "), names.len()),
    )
    .at(at, "here");
    let d = match names.first() {
        Some(first) if place.is_none() => d.help(format!(
            "write all axes in their order: `h[{}]`, or `h[prev {first}]`",
            example.join(", ")
        )),
        _ => d,
    };
    match place {
        Some((at, new)) => d.fix("write all axes in their order", at, new),
        None => d,
    }
}

pub fn positions_want_axes(names: &[String], got: usize, at: Span) -> Diagnostic {
    Diagnostic::error(
        "E0427",
        format!("a position of {} wants {} indices, {got} given", names.join(" × "), names.len()),
    )
    .at(at, "here")
    .help("one index for each axis, in their order")
}

pub fn not_along(at: Span) -> Diagnostic {
    Diagnostic::error("E0412", "there is no such neighbour of this point")
        .at(at, "read here")
        .help("a state is read along the axes and edges of its own cell")
}

pub fn too_many_axes(n: usize, limit: usize, at: Span) -> Diagnostic {
    Diagnostic::error("E0926", format!("a value over {n} axes; the limit is {limit}"))
        .at(at, "here")
        .help("values that meet are over the axes of both")
}

pub fn children_have_no_axis(at: Span) -> Diagnostic {
    Diagnostic::error("E0428", "the number of children is no length of a sequence")
        .at(at, "here")
        .help("an index runs over the children themselves: `k ∈ K`")
}

pub fn negative_length(n: i64, at: Span) -> Diagnostic {
    Diagnostic::error("E0417", format!("a sequence of {n} positions")).at(at, "here")
}

pub fn member_by_position(name: &str, index: &str, at: Span) -> Diagnostic {
    Diagnostic::error(
        "E0253",
        format!(
            "`{index}` runs over any number of points, so it cannot say which member of `{name}` is read"
        ),
    )
    .at(at, "not known before the program runs")
    .help(
        "a parameter is indexed by edges `[k in K]`, which fixes their number; or write `tree(left, right)`",
    )
}

pub fn arity_unknown(param: &str, set: &str, at: Span, declared: Span) -> Diagnostic {
    Diagnostic::error("E0254", format!("`{param}` is indexed by {set}, so {set} needs a fixed arity"))
        .at(at, "applied here")
        .at(declared, "the parameter")
        .help(format!("write `tree(left, right)`, or give it here: `{set} = 2`"))
}

pub fn param_by_position(name: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E0254", format!("the parameter `{name}` cannot be indexed by positions"))
        .at(at, "each example has its own number of them")
        .help("a parameter has one shape: index it by a range, a dimension or the axes")
}

pub fn positions_last(name: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E0255", format!("the indices of `{name}` that run over positions come last"))
        .at(at, "here")
}

pub fn state_is_whole(name: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E0429", format!("the state `{name}` would be a whole sequence at each point"))
        .at(at, "over positions of its own")
        .help("reduce it (`∑ j in 1..M: …`), or read one position")
}

pub fn leaf_alone(name: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E0408", format!("`{name}` has an equation for the leaves only"))
        .at(at, "declared here")
        .help("nodes with children want one too, outside of `at leaf`")
}

pub fn domain_type_here(at: Span) -> Diagnostic {
    Diagnostic::error("E0429", "a state, parameter or noise is a value at one point, not a whole sequence")
        .at(at, "here")
        .help("a whole sequence is an `in` or `mem`")
}

pub fn other_kind_of_domain(name: &str, at: Span, declared: Span) -> Diagnostic {
    Diagnostic::error("E0416", format!("`{name}` wants another kind of domain"))
        .at(at, "a tree where a sequence is wanted, or the other way round")
        .at(declared, "declared here")
}

pub fn last_of_own_steps(name: &str, at: Span) -> Diagnostic {
    Diagnostic::error(
        "E0405",
        format!("`{name}` is the last step of this cell itself, which is not known here"),
    )
    .at(at, "here")
    .help("name the length (`over chain(t in 1..T)`) to read finished equations at positions")
}

pub fn last_of_grid(at: Span) -> Diagnostic {
    Diagnostic::error("E0416", "a grid has no one last point")
        .at(at, "over several axes")
        .help("reduce it, or read a position: `z[r, c]`")
}

pub fn end_of_other(f: &str, at: Span) -> Diagnostic {
    let d = Diagnostic::error("E0416", format!("`{f}` is of another kind of domain")).at(at, "here");
    d.help("a sequence has a first and a last point, a tree a root")
}

pub fn reads_itself_elsewhere(at: Span) -> Diagnostic {
    Diagnostic::error("E0415", "an instance that reads itself steps along the axes of the cell it stands in")
        .at(at, "its inputs are over others")
        .help("give its inputs at this point, or take the reads of itself out of its arguments")
}

pub fn where_of_members(at: Span) -> Diagnostic {
    Diagnostic::error(
        "E0258",
        "a `where` that is not known before the program runs chooses positions, not members",
    )
    .at(at, "here")
    .help("multiply by it, or write `if … then … else 0`")
}

/// `children`: over those of a node, not over positions of a sequence.
pub fn concat_of_positions(children: bool, at: Span) -> Diagnostic {
    let d = Diagnostic::error(
        "E0258",
        "`concat` over positions has no size that is known before the program runs",
    )
    .at(at, "here");
    match children {
        true => d.help("add the children up, `∑ k ∈ K: h[prev k]`, or fix their number: `tree(left, right)`"),
        false => d.help("`append(x, y)` puts sequences behind each other"),
    }
}

pub fn region_of_one_axis(at: Span) -> Diagnostic {
    Diagnostic::error("E0255", "the bounds of this range do not say which axis it is of")
        .at(at, "here")
        .help("they mention the length of one axis: `(a-1)*Y div 3 + 1 .. a*Y div 3`")
}

pub fn list_length(name: &str, want: i64, got: usize, at: Span) -> Diagnostic {
    Diagnostic::error("E0252", format!("`{name}` is a list of {want} numbers, {got} given")).at(at, "here")
}

pub fn size_of_set(at: Span) -> Diagnostic {
    Diagnostic::error("E0255", "`size` is of a set of axes or edges, or of a length").at(at, "here")
}

pub fn flip_bits(bits: i64, axes: usize, at: Span) -> Diagnostic {
    Diagnostic::error("E0417", format!("{bits} has a bit beyond those of {axes} axes"))
        .at(at, format!("from 0 to {}", (1i64 << axes.min(32)) - 1))
}

pub fn axis_of(n: i64, axes: usize, at: Span) -> Diagnostic {
    Diagnostic::error("E0417", format!("there is no axis {n}")).at(at, format!("axes count from 1 to {axes}"))
}

pub fn wants_grid(f: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E0416", format!("`{f}` wants a grid"))
        .at(at, "no grid")
        .help("the transpose of a matrix is `Wᵀ`")
}

pub fn window_size(at: Span) -> Diagnostic {
    Diagnostic::error(DIM_ERROR, "a window is at least 1 wide, and moves by at least 1").at(at, "here")
}

pub fn window_stride(at: Span) -> Diagnostic {
    Diagnostic::error("E0417", "windows of a sequence move by 1")
        .at(at, "another stride")
        .help("windows of a vector may move further")
}

pub fn windows_do_not_fit(n: i64, width: i64, stride: i64, at: Span) -> Diagnostic {
    Diagnostic::error(DIM_ERROR, format!("windows of {width} every {stride} do not fit into {n}"))
        .at(at, format!("({n} − {width}) / {stride} + 1 is no whole number from 1"))
        .help("choose a width and a stride that cover the extent, all windows whole")
}
