//! Families and their members, limits of a program, names of arrays, layouts, what nothing reads.

use crate::diag::{Diagnostic, Edit};
use crate::limits;
use crate::shape::{Dim, show_shape};
use crate::source::Span;
use crate::syntax::ast::Name;
use std::fmt::Display;

// Families.

pub fn family_wants_binder(name: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E0250", format!("a family is defined with an index variable: `{name}[k in 1..n]`"))
        .at(at, "here")
}

pub fn index_count(name: &str, want: usize, got: usize, at: Span, other: Span) -> Diagnostic {
    Diagnostic::error("E0251", format!("`{name}` has {want} indices, here {got} are given"))
        .at(at, "here")
        .at(other, "the other place")
}

/// `further`: what shifts all steps of the equation; nothing to be shifted if it is at this step.
pub fn step_on_the_left(name: &str, at: Span, left: Edit, further: Option<Vec<Edit>>) -> Diagnostic {
    let d = Diagnostic::error("E0251", format!("the left side `{name}` has no step"))
        .at(at, "an equation gives the value at this step");
    let title = format!("write `{name} = …`");
    match further {
        Some(edits) if edits.is_empty() => d.fix_all(title, vec![left]),
        Some(edits) => d.maybe_all(format!("{title}, with all steps as far from this one"), edits),
        None => d.help(format!("{title}, and read earlier steps on the right: `{name}[t-1]`")),
    }
}

pub fn member_indices(name: &str, want: usize, got: usize, at: Span) -> Diagnostic {
    Diagnostic::error("E0251", format!("`{name}` is indexed by {want} indices, {got} given"))
        .at(at, "here")
        .help("its indices stand in one bracket: `a[i, j]`")
}

pub fn no_member(name: &str, i: i64, lo: i64, hi: i64, at: Span) -> Diagnostic {
    Diagnostic::error("E0252", format!("`{name}[{i}]` does not exist: its index runs over {lo}..{hi}"))
        .at(at, "here")
        .help("a recursion ends with a condition on the index: `if l == 1 then … else …`")
}

pub fn member_by_range(name: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E0251", format!("one member of `{name}` is read at a time")).at(at, "here")
}

pub fn member_wants_number(name: &str, what: &str, at: Span) -> Diagnostic {
    Diagnostic::error(
        "E0253",
        format!("which member of `{name}` is read must be known before the program runs"),
    )
    .at(at, format!("{what} is not a known number"))
}

pub fn members_differ(name: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E0254", format!("the members of `{name}` differ in shape, so it is no array"))
        .at(at, "used bare here")
}

pub fn range_wants_numbers(at: Span) -> Diagnostic {
    Diagnostic::error("E0253", "this range must be known before the program is built")
        .at(at, "not a known number")
        .help("give the dimension a number where the cell is used")
}

pub fn reduction_wants_number(dim: &dyn Display, at: Span, span: Span) -> Diagnostic {
    Diagnostic::error(
        "E0253",
        format!("this reduction over {dim} members can only be carried out for a known {dim}"),
    )
    .at(at, "not an operation on whole vectors")
    .at(span, "in this reduction")
    .help("give the dimension a number where the cell is used")
}

pub fn family_wants_number(name: &str, dim: &dyn Display, at: Span) -> Diagnostic {
    Diagnostic::error(
        "E0253",
        format!("the family `{name}` over {dim} members can only be expanded for a known {dim}"),
    )
    .at(at, "not an operation on whole vectors")
    .help("give the dimension a number where the cell is used")
}

pub fn undecided_dims(a: &dyn Display, b: &dyn Display, at: Span) -> Diagnostic {
    Diagnostic::error(
        "E0253",
        format!("whether {a} and {b} compare so must be known before the program is built"),
    )
    .at(at, "depends on a dimension without a number")
    .help("give the dimension a number where the cell is used")
}

pub fn not_a_set(kind: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E0255", format!("an index runs over `lo..hi` or a dimension, not over a {kind}"))
        .at(at, "here")
}

pub fn list_index(len: usize, at: Span) -> Diagnostic {
    Diagnostic::error("E0252", format!("a list of {len} is read by one number from 1 to {len}"))
        .at(at, "here")
}

/// The code of what a later version will do.
pub const NOT_YET: &str = "E0450";

pub fn not_yet(what: &str, at: Span) -> Diagnostic {
    Diagnostic::error(NOT_YET, format!("{what} is not supported yet"))
        .at(at, "here")
        .help("the manual, docs/language.md, says what is")
}

// Limits.

/// The code of a program beyond the limits.
pub const TOO_MANY: &str = "E0921";
const INSTANCES: &str = "E0925";
const WORK: &str = "E0927";
/// Whether a check has come to the end of its work.
pub fn is_too_much_work(d: &Diagnostic) -> bool {
    d.code == WORK
}

/// Whether a program is beyond a limit of its size.
pub fn is_too_large(d: &Diagnostic) -> bool {
    [TOO_MANY, INSTANCES, WORK].contains(&d.code)
}

pub fn too_many_equations(limit: usize, would: Option<u64>, at: Span) -> Diagnostic {
    let message = match would {
        Some(n) => format!("the program would have {n} equations; the limit is {limit}"),
        None => format!("the program would have more than {limit} equations, which is the limit"),
    };
    Diagnostic::error(TOO_MANY, message)
        .at(at, "expanded here")
        .help(format!("make the family or the stack smaller; {}", limits::raise(limits::NODES)))
}

/// `limit`: of the whole file, of which this is one item.
pub fn too_much_work(limit: u64, at: Span) -> Diagnostic {
    let message = format!("checking this file takes more than {limit} steps of work, which is the limit");
    Diagnostic::error(WORK, message)
        .at(at, "checked up to here")
        .help(format!("check its parts as files of their own; {}", limits::raise(limits::WORK)))
}

pub fn too_many_mistakes(count: usize, at: Span) -> Diagnostic {
    Diagnostic::error("E0928", format!("there are more than {count} mistakes before this item"))
        .at(at, "not checked from here on")
        .help("mend those first")
}

pub fn too_many_instances(limit: usize, at: Span) -> Diagnostic {
    Diagnostic::error(INSTANCES, format!("the program has more than {limit} instances, which is the limit"))
        .at(at, "one too many")
        .help(limits::raise(limits::INSTANCES))
}

pub fn too_nested(limit: usize, at: Span) -> Diagnostic {
    Diagnostic::error("E0923", format!("instances stand in each other more than {limit} deep"))
        .at(at, "applied here")
        .help("an application inside itself never ends")
}

pub fn too_deep(at: Span) -> Diagnostic {
    Diagnostic::error("E0923", "equations that read each other nest too deep here")
        .at(at, "here")
        .help("split a long line of equations that read each other")
}

// Names of arrays.

pub fn two_arrays(name: &str, first: Option<Span>, second: Option<Span>) -> Diagnostic {
    Diagnostic::error("E0256", format!("two arrays would be called `{name}`"))
        .at_some(first, "one is declared here")
        .at_some(second, "the other here")
        .help("a state `h` has its initial value in `h0`; give the other one another name")
}

pub fn last_taken(name: &str, out: Option<Span>, state: Option<Span>) -> Diagnostic {
    Diagnostic::error("E0256", format!("`{name}` is where a state ends, so no output may be called so"))
        .at_some(out, "called so here")
        .at_some(state, "the state")
        .help("give the output another name")
}

pub fn out_hides_state(name: &str, out: Span, state: Span) -> Diagnostic {
    Diagnostic::note(
        "E0256",
        format!("the output `{name}` is not the state `{name}`, whose own array is not offered"),
    )
    .at(out, "another value")
    .at(state, "the state")
    .help("outputs have a name space of their own; give the output another name to have both")
}

// Layouts.

pub fn determined_twice(name: &str, first: Span, second: Span) -> Diagnostic {
    Diagnostic::error("E0257", format!("two lines of the layout determine `{name}`"))
        .at(second, "again here")
        .at(first, "first here")
        .help("name each array once; arrays of the file are added with `\"a\" + \"b\"`")
}

pub fn undetermined(cell: &str, names: &[String], at: Span) -> Diagnostic {
    let names: Vec<String> = names.iter().map(|n| format!("`{n}`")).collect();
    Diagnostic::error("E0257", format!("the layout leaves open {} of {cell}", names.join(", ")))
        .at(at, "not all of its arrays are determined")
        .help("each array of the cell stands on the right of one line")
}

pub fn foreign_range(len: &Dim, shape: &[Dim], at: Span, ours: Span) -> Diagnostic {
    let shape = show_shape(shape);
    Diagnostic::error("E0257", format!("{len} rows of the file do not fill {shape}"))
        .at(at, format!("{len} rows"))
        .at(ours, shape)
        .help("a range runs from its first row to its last, both counted")
}

pub fn layout_of_no_param(name: &str, at: Span) -> Diagnostic {
    Diagnostic::error("E0257", format!("`{name}` is no parameter"))
        .at(at, "here")
        .help("a layout arranges parameters")
}

pub fn layout_computes(at: Span) -> Diagnostic {
    Diagnostic::error("E0257", "a layout arranges arrays and computes nothing")
        .at(at, "computed")
        .help("write an array, `rows(W_{a b})`, a member of a family, or one of these with `ᵀ`")
}

pub fn no_instance_of_layout(at: Span) -> Diagnostic {
    Diagnostic::error("E0257", "a line with `*` speaks of an instance")
        .at(at, "this is the name of none")
        .help("write the name of an equation that applies a cell, `\"*_reverse\" = bw`, or a member of a family of those, `\"*\" = l[n+1]`")
}

/// A layout was named for an instance that has none of that name.
pub fn no_such_layout(layout: &str, instance: &str, cell: &str, known: &[String]) -> Diagnostic {
    let whose = if instance.is_empty() { "this program".to_string() } else { format!("`{instance}`") };
    let d = Diagnostic::error("E0756", format!("there is no layout `{layout}` for {whose} (`{cell}`)"));
    match known {
        [] => d.help(format!("write one: `layout {layout} for {cell} {{ \"foreign\" = ours }}`")),
        known => d.help(format!("there is {}", known.join(", "))),
    }
}

/// A path that `--map` names is the path of no instance.
pub fn no_such_instance(path: &str, near: Option<&str>, paths: &[String]) -> Diagnostic {
    let d = Diagnostic::error("E0756", format!("there is no instance `{path}`"));
    match near {
        Some(near) => d.help(format!("did you mean `{near}`?")),
        None if paths.is_empty() => {
            d.help("this program has no instances inside; leave the path out: `--map =THEIRS`")
        }
        None => d.help(format!("there are {}", paths.join(", "))),
    }
}

/// `path` is that of the instance whose layout it is.
pub fn layout_does_not_fit(
    layout: &str,
    path: &str,
    open: &[String],
    absent: &[String],
    at: Span,
) -> Diagnostic {
    let list = |names: &[String]| names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ");
    let whose = if path.is_empty() { "this cell".to_string() } else { format!("`{path}`") };
    let mut said = Vec::new();
    if !open.is_empty() {
        said.push(format!("says nothing of {}", list(open)));
    }
    if !absent.is_empty() {
        said.push(format!("speaks of {}, which is not there", list(absent)));
    }
    Diagnostic::error("E0757", format!("layout `{layout}` does not fit {whose}: it {}", said.join(" and ")))
        .at(at, "this layout")
        .help("name the options for which it is written, such as `reset = after`; or write a layout for this cell")
}

// What nothing reads.

/// `removal`: of what defines it and nothing else.
pub fn unread(name: &str, at: Span, removal: Option<Edit>) -> Diagnostic {
    let d = Diagnostic::warning(
        "E0260",
        format!("`{name}` is read by nothing for any option; it does not exist"),
    )
    .at(at, "here")
    .help("remove it, or use it");
    d.maybe_all("remove it", removal.into_iter().collect())
}

pub fn new_and_unread(name: &str, base: &str, equations: &[&str], at: Span) -> Diagnostic {
    let d = Diagnostic::warning("E0261", format!("`{name}` is new and nothing reads it"))
        .at(at, "here")
        .help(format!("{base} defines {}", equations.join(", ")));
    match crate::diag::near::nearest(name, equations.iter().copied()) {
        Some(near) => d.did_you_mean(name, near, at),
        None => d,
    }
}

pub fn fell_away(names: &[Name], at: Span) -> Diagnostic {
    let names: Vec<String> = names.iter().map(|n| format!("`{n}`")).collect();
    Diagnostic::note("E0262", format!("the override leaves unread, so these fell away: {}", names.join(", ")))
        .at(at, "derived here")
}
