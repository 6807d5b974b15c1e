//! A program's parameters from foreign arrays, and the other way round, by the layouts of all its instances.
//!
//! In: a program with its lines ([`Arranged`]), and arrays by name. Out: the arrays of the other side, all of them, or everything
//! that keeps them away, at once. `rnnc import` and `export` and [`crate::api`] both come here.

use super::arranged::{self, Importer, Wrong, index};
use super::{Array, Arrays, Data, Finder, Misfit, What, errors};
use crate::diag::{Diagnostic, Fallible};
use crate::eqn::build::{Arranged, Line, Mapped, Term, WHOLE};
use crate::eqn::{Op, SourceKind};
use crate::shape::Bindings;
use crate::source::Span;
use crate::syntax::names::canonical;
use std::collections::BTreeMap;

/// Our parameters from arrays under foreign names, which are one for one those that the lines name. Numbers for dimensions that
/// are not known are found from the shapes. `hint`: what may be amiss if arrays do not fit.
pub fn import(
    finder: &Finder,
    arranged: &Arranged,
    known: &Bindings,
    hint: Option<&str>,
) -> Fallible<Arrays> {
    let dims = sizes(arranged, &arranged.lines, known, finder.arrays);
    let mut importer = Importer::new(*finder, &arranged.values, &dims);
    let mut wrong: Vec<(Wrong, Span)> = Vec::new();
    for line in &arranged.lines {
        wrong.extend(importer.line(line).err().into_iter().flatten());
    }
    let mut misfits = of_lines(finder, &mut wrong);
    misfits.extend(unread(finder, arranged, &misfits));
    if misfits.is_empty() {
        sized(arranged, &dims).map_err(|d| vec![d])?;
    } else {
        wrong.retain(|(wrong, _)| *wrong != Wrong::NoArrangement);
    }
    let mut refusals = refusals(finder.file, &wrong);
    if !misfits.is_empty() {
        let has: Vec<&str> = finder.arrays.keys().map(String::as_str).collect();
        let d = errors::misfits(finder.file, &misfits, &has);
        refusals.push(match hint {
            Some(hint) => d.help(hint),
            None => d,
        });
    } else if refusals.is_empty() {
        let parts = importer.half_read();
        refusals.extend(parts.iter().filter_map(|half| match half {
            Wrong::Unread { array, place } => Some(errors::unread_part(finder.file, array, place)),
            _ => None,
        }));
    }
    if !refusals.is_empty() {
        return Err(refusals);
    }
    let single = |(name, array): (String, ndarray::ArrayD<f64>)| {
        let values = array.iter().map(|x| *x as f32).collect();
        (name, Array::f32(array.shape().to_vec(), values))
    };
    Ok(importer.finish().into_iter().map(single).collect())
}

/// A program's arrays under foreign names.
pub fn export(finder: &Finder, arranged: &Arranged, known: &Bindings) -> Fallible<Arrays> {
    let dims = sizes(arranged, &own_lines(arranged), known, finder.arrays);
    sized(arranged, &dims).map_err(|d| vec![d])?;
    let exported = arranged::export(&arranged.values, &dims, &arranged.lines, *finder);
    exported.map_err(|mut wrong| {
        let misfits = of_lines(finder, &mut wrong);
        let mut refusals = refusals(finder.file, &wrong);
        refusals.extend(finder.refusal(&misfits));
        refusals
    })
}

/// Refuses arrays in which a number is NaN or infinite.
pub fn check_finite(file: &str, arrays: &Arrays) -> Result<(), Diagnostic> {
    let first = |(name, array): (&String, &Array)| {
        let values = array.to_f64();
        let k = values.iter().position(|x| !x.is_finite())?;
        let count = values.iter().filter(|x| !x.is_finite()).count();
        let what = values.get(k).copied().unwrap_or(f64::NAN);
        Some(format!("`{name}`: {count} of {}, the first {what} at {}", values.len(), index(&array.shape, k)))
    };
    let which: Vec<String> = arrays.iter().filter_map(first).collect();
    if which.is_empty() { Ok(()) } else { Err(errors::not_finite(file, &which)) }
}

/// `enc = encoder.rnn by torch, n = 1`: what the other side calls an instance.
pub fn mapped(text: &str) -> Result<Mapped, Diagnostic> {
    parsed(text).ok_or_else(|| errors::bad_map(text))
}

fn parsed(text: &str) -> Option<Mapped> {
    let (path, rest) = text.split_once('=')?;
    let mut parts = rest.split(',');
    let theirs = parts.next()?.trim();
    let (theirs, layout) = match theirs.split_once(" by ") {
        Some((theirs, layout)) => (Some(theirs.trim()), Some(layout.trim())),
        None => match theirs.strip_prefix("by ") {
            Some(layout) => (None, Some(layout.trim())),
            None => (Some(theirs), None),
        },
    };
    let number = |part: &str| {
        let (word, n) = part.split_once('=')?;
        Some((word.trim().to_string(), n.trim().parse::<u32>().ok().map(i64::from)?))
    };
    let numbers: Option<BTreeMap<String, i64>> = parts.map(number).collect();
    let is_word = |w: &str| !w.is_empty() && w.chars().all(|c| c.is_alphanumeric() || c == '_');
    let is_fit = layout.is_none_or(is_word)
        && theirs.is_none_or(|t| t.matches(WHOLE).count() <= 1 && !t.contains(char::is_whitespace));
    is_fit.then_some(())?;
    Some(Mapped {
        path: path.trim().trim_end_matches('.').split('.').map(canonical).collect::<Vec<_>>().join("."),
        theirs: theirs.map(str::to_string),
        layout: layout.map(canonical),
        numbers: numbers?,
    })
}

/// What is known, and what shapes say beside it.
fn sizes(arranged: &Arranged, lines: &[Line], known: &Bindings, arrays: &Arrays) -> Bindings {
    let mut dims = arranged::dims(&arranged.values, lines, arrays);
    dims.extend(known.iter().map(|(name, n)| (name.clone(), *n)));
    dims
}

/// Arrays of the program's that no line names.
fn unread(finder: &Finder, arranged: &Arranged, misfits: &[Misfit]) -> Vec<Misfit> {
    let terms: Vec<&str> = arranged.lines.iter().flat_map(|l| &l.terms).map(|t| t.name.as_str()).collect();
    let is_read = |name: &String| terms.contains(&name.as_str()) || of_training(name);
    let arrays = finder.arrays.iter().filter(|(name, a)| belongs(name, &arranged.template) && is_weight(a));
    let mut all: Vec<Misfit> = Vec::new();
    for (name, _) in arrays.filter(|(name, _)| !is_read(name)) {
        let near = near(name, misfits);
        all.push(Misfit { name: name.clone(), what: What::Unread { near } });
    }
    all
}

/// Every parameter has numbers for its extents.
fn sized(arranged: &Arranged, dims: &Bindings) -> Result<(), Diagnostic> {
    let mut open = Vec::new();
    for line in &arranged.lines {
        arranged.values.shape(line.value).iter().for_each(|d| d.symbols(&mut open));
    }
    open.retain(|name| !dims.contains_key(name));
    open.sort();
    open.dedup();
    let open: Vec<String> = open.iter().map(ToString::to_string).collect();
    if open.is_empty() { Ok(()) } else { Err(errors::open_sizes(&open)) }
}

/// A line for each parameter under its own name.
fn own_lines(arranged: &Arranged) -> Vec<Line> {
    let graph = &arranged.values;
    let line = |id| {
        let Op::Source(s) = graph.node(id).op else { return None };
        let source = graph.sources.get(s.index()).filter(|s| matches!(s.kind, SourceKind::Param(_)))?;
        let span = source.span?;
        let term = Term { name: source.name.to_string(), rows: None, span };
        Some(Line { terms: vec![term], value: id, span })
    };
    graph.node_ids().filter_map(line).collect()
}

/// Takes what does not fit out of what is wrong.
fn of_lines(finder: &Finder, wrong: &mut Vec<(Wrong, Span)>) -> Vec<Misfit> {
    let mut misfits: Vec<Misfit> = Vec::new();
    wrong.retain(|(wrong, _)| match wrong {
        Wrong::Misfit(misfit) => {
            // Two lines may read parts of one array.
            if !misfits.contains(misfit) {
                misfits.push(misfit.clone());
            }
            false
        }
        _ => true,
    });
    // The same array may be near to several, and is named to none then.
    let nearest = |m: &Misfit| match &m.what {
        What::Missing { near: Some((near, _)), .. } => Some(near.clone()),
        _ => None,
    };
    let named: Vec<String> = misfits.iter().filter_map(nearest).collect();
    for misfit in &mut misfits {
        if let What::Missing { near, .. } = &mut misfit.what {
            let several = |n: &String| named.iter().filter(|m| *m == n).count() > 1;
            if near.as_ref().is_some_and(|(n, _)| several(n)) && finder.arrays.len() > 1 {
                *near = None;
            }
        }
    }
    misfits
}

fn refusals(file: &str, wrong: &[(Wrong, Span)]) -> Vec<Diagnostic> {
    let refusal = |(wrong, at): &(Wrong, Span)| match wrong {
        Wrong::Misfit(_) => None,
        Wrong::NoArrangement => Some(errors::no_arrangement(*at)),
        Wrong::NotZero { array, place, value } => {
            Some(errors::not_zero(file, array, place, *value).at(*at, "zero, says this line"))
        }
        Wrong::Unread { array, place } => Some(errors::unread_part(file, array, place)),
    };
    wrong.iter().filter_map(refusal).collect()
}

/// Whether an array's name is one of the program's.
fn belongs(name: &str, template: &str) -> bool {
    let (before, after) = template.split_once(WHOLE).unwrap_or((template, ""));
    name.len() >= before.len() + after.len() && name.starts_with(before) && name.ends_with(after)
}

/// Integers are shapes and counters (`num_batches_tracked`): nothing that a program would miss.
fn is_weight(array: &Array) -> bool {
    matches!(array.data, Data::F32(_) | Data::F64(_))
}

/// What a checkpoint of our own keeps beside parameters; no name of the language has a `/`.
fn of_training(name: &str) -> bool {
    name.starts_with("optimizer/") || name.starts_with("carry/")
}

/// The missing array that an unread one may be.
fn near(name: &str, misfits: &[Misfit]) -> Option<String> {
    let missing =
        misfits.iter().filter(|m| matches!(m.what, What::Missing { near: None, .. })).map(|m| &m.name);
    crate::diag::near::nearest(name, missing).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_are_read_as_they_are_written() {
        let full = mapped("l2.bw = *_reverse by torch, n = 1").unwrap();
        assert_eq!((full.path.as_str(), full.theirs.as_deref()), ("l2.bw", Some("*_reverse")));
        assert_eq!(full.layout.as_deref(), Some("torch"));
        assert_eq!(full.numbers, BTreeMap::from([("n".to_string(), 1)]));
        let root = mapped("=onnx::W_85").unwrap();
        assert_eq!((root.path.as_str(), root.theirs.as_deref(), root.layout), ("", Some("onnx::W_85"), None));
        let layout = mapped("= by torch").unwrap();
        assert_eq!((layout.theirs, layout.layout.as_deref()), (None, Some("torch")));
        for bad in ["", "enc", "a = b by", "a = b by c d", "a = *_*", "a = b, n", "a = b, n = -1"] {
            assert_eq!(mapped(bad).unwrap_err().code, "E0756", "{bad}");
        }
    }

    #[test]
    fn only_names_of_the_program_must_be_read() {
        assert!(belongs("a.b", "*") && belongs("model.x", "model.*") && belongs("x_reverse", "*_reverse"));
        assert!(!belongs("optimizer.x", "model.*") && !belongs("model", "model.*"));
    }
}
