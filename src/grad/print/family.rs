//! Families: names alike but for one word, and equations alike but for such names.
//!
//! `W_f, W_i` become `W_{f i}`; `b_f_adj = ∑ …f_pre_adj[s]` and its sisters become one equation with braces.

use super::tree::{self, NOWHERE};
use crate::shape::Shape;
use crate::syntax::ast::*;

/// An equation of the derived cell.
#[derive(Clone, Debug)]
pub struct Line {
    pub name: String,
    pub value: Expr,
    /// The index of an array's rows and how many there are, if each row has its own expression.
    pub rows: Option<(String, usize)>,
    /// What the braces stand for if this line stands for several.
    pub pattern: Option<Pattern>,
}

/// The orders in which words of braces have been written; later braces with the same words follow them.
#[derive(Default)]
pub struct Orders(Vec<Vec<String>>);

impl Orders {
    /// Where each of `words` stands in the order to write them.
    fn arrange(&mut self, words: &[String]) -> Vec<usize> {
        let known = self.0.iter().find(|o| words.iter().all(|w| o.contains(w)));
        let mut places: Vec<usize> = (0..words.len()).collect();
        match known {
            Some(order) => places.sort_by_key(|i| order.iter().position(|w| *w == words[*i])),
            None => self.0.push(words.to_vec()),
        }
        places
    }
}

/// What is the same in all names, and the words in between.
struct Split {
    before: String,
    words: Vec<String>,
    after: String,
}

/// Names that differ in one word between `_`, or in part of it.
fn splits(names: &[&str]) -> Vec<Split> {
    let pieces: Vec<Vec<&str>> = names.iter().map(|n| n.split('_').collect()).collect();
    let Some(first) = pieces.first() else { return Vec::new() };
    if pieces.iter().any(|p| p.len() != first.len()) {
        return Vec::new();
    }
    let differing: Vec<usize> =
        (0..first.len()).filter(|i| pieces.iter().any(|p| p[*i] != first[*i])).collect();
    let [at] = differing[..] else { return Vec::new() };
    let (mut before, mut after) = (first[..at].join("_"), first[at + 1..].join("_"));
    if at > 0 {
        before.push('_');
    }
    if at + 1 < first.len() {
        after.insert(0, '_');
    }
    let words: Vec<String> = pieces.iter().map(|p| p[at].to_string()).collect();
    // A value and what is derived from it are no family.
    if words.iter().any(|w| w.trim_end_matches('\'') == "adj") {
        return Vec::new();
    }
    let mut all = vec![Split { before: before.clone(), words: words.clone(), after: after.clone() }];
    // The words may share an end: `W_fx, W_ix` are `W_{f i}x`.
    let common = |ends: &dyn Fn(&str, &str) -> bool| words[1..].iter().all(|w| ends(w, &words[0]));
    let chars: Vec<char> = words[0].chars().collect();
    let mut shared = 0;
    while shared + 1 < chars.len() {
        let end: String = chars[chars.len() - shared - 1..].iter().collect();
        if !common(&|w, _| w.len() > end.len() && w.ends_with(&end)) {
            break;
        }
        shared += 1;
    }
    if shared > 0 {
        let end: String = chars[chars.len() - shared..].iter().collect();
        let words = words.iter().map(|w| w[..w.len() - end.len()].to_string()).collect();
        all.push(Split { before, words, after: format!("{end}{after}") });
    }
    all.retain(|s| distinct(&s.words) && s.words.iter().all(|w| !w.is_empty()));
    all
}

fn distinct(words: &[String]) -> bool {
    words.iter().enumerate().all(|(i, w)| !words[..i].contains(w))
}

/// Whether braces in a declaration or on a left side help the reader: there is more in common than `_adj`.
fn worthwhile(split: &Split) -> bool {
    let common = format!("{}{}", split.before, split.after.strip_suffix("_adj").unwrap_or(&split.after));
    common.contains('_')
}

fn braces(split: &Split, places: &[usize]) -> Pattern {
    let words: Vec<Name> = places.iter().map(|i| split.words[*i].as_str().into()).collect();
    let mut pieces = Vec::new();
    if !split.before.is_empty() {
        pieces.push(Piece::Text(split.before.as_str().into()));
    }
    let written = format!("{}{{{}}}{}", split.before, words.join(" "), split.after);
    pieces.push(Piece::Group(words));
    if !split.after.is_empty() {
        pieces.push(Piece::Text(split.after.as_str().into()));
    }
    Pattern { pieces, written: written.into(), span: NOWHERE }
}

/// A list of names, families of one shape in braces at the place of their first member.
pub fn fold_names(entries: &[(String, Shape)], orders: &mut Orders) -> Vec<Pattern> {
    let names: Vec<String> = entries.iter().map(|e| e.0.clone()).collect();
    let mut done = vec![false; names.len()];
    let mut out = Vec::new();
    for i in 0..names.len() {
        if std::mem::replace(&mut done[i], true) {
            continue;
        }
        let mut members = vec![i];
        for j in i + 1..names.len() {
            if done[j] || entries[j].1 != entries[i].1 {
                continue;
            }
            members.push(j);
            if !splits(&pick(&names, &members)).first().is_some_and(worthwhile) {
                members.pop();
            }
        }
        let found = if members.len() > 1 { splits(&pick(&names, &members)).into_iter().last() } else { None };
        match found {
            Some(split) => {
                members.iter().for_each(|m| done[*m] = true);
                let places = orders.arrange(&split.words);
                out.push(braces(&split, &places));
            }
            None => out.push(tree::pattern(&names[i])),
        }
    }
    out
}

fn pick<'a>(names: &'a [String], members: &[usize]) -> Vec<&'a str> {
    members.iter().map(|m| names[*m].as_str()).collect()
}

/// Equations that are alike, joined into one at the place of the first.
pub fn fold_lines(lines: Vec<Line>, orders: &mut Orders) -> Vec<Line> {
    let parts: Vec<(Expr, Vec<String>)> = lines.iter().map(|l| skeleton(&l.value)).collect();
    let mut done = vec![false; lines.len()];
    let mut out = Vec::new();
    for i in 0..lines.len() {
        if std::mem::replace(&mut done[i], true) {
            continue;
        }
        let mut members = vec![i];
        let mut pattern = None;
        for j in i + 1..lines.len() {
            if done[j] || parts[j].0 != parts[i].0 || lines[j].rows != lines[i].rows {
                continue;
            }
            members.push(j);
            match join(&lines, &parts, &members) {
                Some(split) => pattern = Some(split),
                None => {
                    members.pop();
                }
            }
        }
        match pattern {
            None => out.push(lines[i].clone()),
            Some(split) => {
                members.iter().for_each(|m| done[*m] = true);
                let places = orders.arrange(&split.words);
                let mut value = lines[i].value.clone();
                let lists: Vec<&Vec<String>> = members.iter().map(|m| &parts[*m].1).collect();
                let mut at = 0;
                names_of(&mut value, &mut |p| {
                    let across: Vec<&str> = lists.iter().map(|l| l[at].as_str()).collect();
                    at += 1;
                    if across.iter().any(|n| *n != across[0])
                        && let Some((before, after)) = around(&across, &split.words)
                    {
                        *p = braces(&Split { before, words: split.words.clone(), after }, &places);
                    }
                });
                let name = lines[i].name.clone();
                let rows = lines[i].rows.clone();
                out.push(Line { name, value, rows, pattern: Some(braces(&split, &places)) });
            }
        }
    }
    out
}

/// The words in which these equations differ, if it is the same ones everywhere.
fn join(lines: &[Line], parts: &[(Expr, Vec<String>)], members: &[usize]) -> Option<Split> {
    let names: Vec<&str> = members.iter().map(|m| lines[*m].name.as_str()).collect();
    splits(&names).into_iter().filter(worthwhile).find(|split| {
        (0..parts[members[0]].1.len()).all(|at| {
            let across: Vec<&str> = members.iter().map(|m| parts[*m].1[at].as_str()).collect();
            across.iter().all(|n| *n == across[0]) || around(&across, &split.words).is_some()
        })
    })
}

/// What stands before and after the word in each name, if that is the same in all.
fn around(names: &[&str], words: &[String]) -> Option<(String, String)> {
    let (name, word) = (names.first()?, words.first()?);
    name.match_indices(word.as_str()).find_map(|(at, _)| {
        let (before, after) = (&name[..at], &name[at + word.len()..]);
        let fits = names.iter().zip(words).all(|(n, w)| **n == format!("{before}{w}{after}"));
        fits.then(|| (before.to_string(), after.to_string()))
    })
}

/// The expression with its names taken out, and the names.
fn skeleton(expr: &Expr) -> (Expr, Vec<String>) {
    let (mut expr, mut names) = (expr.clone(), Vec::new());
    names_of(&mut expr, &mut |p| {
        names.push(p.written.to_string());
        *p = tree::pattern("");
    });
    (expr, names)
}

/// Every name of an expression, in reading order.
pub fn names_of(expr: &mut Expr, f: &mut impl FnMut(&mut Pattern)) {
    match &mut expr.kind {
        ExprKind::Name(p) => f(p),
        ExprKind::Number(..) | ExprKind::Str(_) | ExprKind::Bool(_) | ExprKind::Hole => {}
        ExprKind::List(items) => items.iter_mut().for_each(|e| names_of(e, f)),
        ExprKind::Paren(a) | ExprKind::Neg(a) | ExprKind::Not(a) => names_of(a, f),
        ExprKind::Mark { base, .. } | ExprKind::Field { base, .. } => names_of(base, f),
        ExprKind::Binary { left, right, .. } => {
            names_of(left, f);
            names_of(right, f);
        }
        ExprKind::Cond { cond, then, else_ } => {
            for e in [cond, then, else_] {
                names_of(e, f);
            }
        }
        ExprKind::Pipe { value, into } => {
            names_of(value, f);
            names_of(into, f);
        }
        ExprKind::Call { callee, args } => {
            names_of(callee, f);
            args.iter_mut().for_each(|a| names_of(&mut a.value, f));
        }
        ExprKind::Index { base, places } => {
            names_of(base, f);
            for place in places {
                if let Place::At(set) = place {
                    names_of(&mut set.lo, f);
                    if let Some(hi) = &mut set.hi {
                        names_of(hi, f);
                    }
                }
            }
        }
        ExprKind::Reduce { binders, where_, body, .. } => {
            for binder in binders {
                names_of(&mut binder.set.lo, f);
                if let Some(hi) = &mut binder.set.hi {
                    names_of(hi, f);
                }
            }
            if let Some(guard) = where_ {
                names_of(guard, f);
            }
            names_of(body, f);
        }
    }
}
