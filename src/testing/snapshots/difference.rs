//! Two texts of a stage beside each other: which of its lines changed, and in which equations or kernels.
//!
//! The values and buffers of a stage are numbered, so one more equation gives those behind it other numbers. Lines
//! are compared without numbers, and those that remain are the same if their numbers belong together one to one.

use crate::pipeline::views::Stage;
use similar::{Algorithm, DiffTag, capture_diff_slices};
use std::collections::BTreeMap;

/// Lines around a change that are shown.
const CONTEXT: usize = 3;

#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The equations or kernels in which something changed. None: nothing but numbers did.
    pub changed: Vec<String>,
    pub hunks: Vec<Hunk>,
}

/// Lines that changed, with some around them.
#[derive(Clone, Debug, PartialEq)]
pub struct Hunk {
    /// The first line in the old text and in the new one, from 1.
    pub from: (usize, usize),
    /// How many lines of each there are.
    pub len: (usize, usize),
    /// The equation or kernel it begins in.
    pub place: String,
    pub lines: Vec<(Mark, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    Same,
    Old,
    New,
}

/// A line of the two texts put together, with the places of the old and the new one that it stands before.
struct Row {
    mark: Mark,
    old: usize,
    new: usize,
}

impl Difference {
    pub fn new(stage: Stage, old: &str, new: &str) -> Difference {
        let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
        let rows = rows(&old, &new);
        let text = |row: &Row| match row.mark {
            Mark::Old => old.get(row.old).copied().unwrap_or_default(),
            _ => new.get(row.new).copied().unwrap_or_default(),
        };
        let place = |row: &Row| match row.mark {
            Mark::Old => place(stage, &old, row.old),
            _ => place(stage, &new, row.new),
        };
        let mut changed: Vec<String> = Vec::new();
        for row in rows.iter().filter(|r| r.mark != Mark::Same) {
            let place = place(row);
            // A kernel's values are told where it is shown.
            let place = place.split_once(':').map_or(&*place, |(kernel, _)| kernel).to_string();
            if !changed.contains(&place) {
                changed.push(place);
            }
        }
        let hunks = spans(&rows).into_iter().map(|(from, to)| {
            let rows = &rows[from..to];
            let count = |mark: Mark| rows.iter().filter(|r| r.mark != mark).count();
            let first = rows.iter().find(|r| r.mark != Mark::Same);
            Hunk {
                from: rows.first().map_or((1, 1), |r| (r.old + 1, r.new + 1)),
                len: (count(Mark::New), count(Mark::Old)),
                place: first.map(place).unwrap_or_default(),
                lines: rows.iter().map(|r| (r.mark, text(r).to_string())).collect(),
            }
        });
        Difference { hunks: hunks.collect(), changed }
    }
}

fn rows(old: &[&str], new: &[&str]) -> Vec<Row> {
    let mask = |lines: &[&str]| -> Vec<String> { lines.iter().map(|l| masked(l).0).collect() };
    let ops = capture_diff_slices(Algorithm::Patience, &mask(old), &mask(new));
    let mut pairs = Pairs::default();
    let mut rows = Vec::new();
    for op in ops {
        let (tag, a, b) = op.as_tag_tuple();
        if tag != DiffTag::Equal {
            let lines = old[a.clone()].iter().chain(&new[b.clone()]);
            if let Some(start) = lines.filter_map(|l| Start::of(l)).max() {
                pairs.begin(start);
            }
            rows.extend(a.clone().map(|i| Row { mark: Mark::Old, old: i, new: b.start }));
            rows.extend(b.map(|j| Row { mark: Mark::New, old: a.end, new: j }));
            continue;
        }
        for (i, j) in a.zip(b) {
            let both = old.get(i).zip(new.get(j));
            if let Some(start) = both.and_then(|(x, _)| Start::of(x)) {
                pairs.begin(start);
            }
            // The same text stays the same: what its numbers stand for shows where they are defined.
            if both.is_some_and(|(x, y)| pairs.agree(&masked(x).1, &masked(y).1) || x == y) {
                rows.push(Row { mark: Mark::Same, old: i, new: j });
            } else {
                rows.push(Row { mark: Mark::Old, old: i, new: j });
                rows.push(Row { mark: Mark::New, old: i + 1, new: j });
            }
        }
    }
    // Of lines that changed together the old ones stand first.
    rows.chunk_by_mut(|a, b| (a.mark == Mark::Same) == (b.mark == Mark::Same))
        .filter(|run| run.iter().all(|r| r.mark != Mark::Same))
        .for_each(|run| run.sort_by_key(|r| r.mark == Mark::New));
    rows
}

/// Where rows that changed stand, each with those around it.
fn spans(rows: &[Row]) -> Vec<(usize, usize)> {
    let mut spans: Vec<(usize, usize)> = Vec::new();
    for (i, _) in rows.iter().enumerate().filter(|(_, r)| r.mark != Mark::Same) {
        let (from, to) = (i.saturating_sub(CONTEXT), (i + 1 + CONTEXT).min(rows.len()));
        match spans.last_mut() {
            Some(last) if last.1 >= from => last.1 = to,
            _ => spans.push((from, to)),
        }
    }
    spans
}

/// Which number of the one text is which of the other.
#[derive(Default)]
struct Pairs {
    to_new: BTreeMap<String, String>,
    to_old: BTreeMap<String, String>,
}

/// What begins, in which values are numbered anew. A kernel is more than a nest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Start {
    Nest,
    Kernel,
}

impl Start {
    fn of(line: &str) -> Option<Start> {
        let text = line.trim_start();
        match (text.starts_with("kernel ") || line.starts_with("; k"), text.starts_with('[')) {
            (true, _) => Some(Start::Kernel),
            (_, true) => Some(Start::Nest),
            _ => None,
        }
    }
}

impl Pairs {
    fn begin(&mut self, start: Start) {
        let is_local = |word: &str| match numbered(word) {
            Some("v") => true,
            Some("s" | "ss" | "block") => start == Start::Kernel,
            _ => false,
        };
        self.to_new.retain(|word, _| !is_local(word));
        self.to_old.retain(|word, _| !is_local(word));
    }

    /// Whether these numbers can stand for each other. Then they do, from here on.
    fn agree(&mut self, old: &[String], new: &[String]) -> bool {
        let fits = |map: &BTreeMap<String, String>, a: &String, b: &String| map.get(a).is_none_or(|x| x == b);
        let all = || old.iter().zip(new);
        if !all().all(|(a, b)| fits(&self.to_new, a, b) && fits(&self.to_old, b, a)) {
            return false;
        }
        for (a, b) in all() {
            self.to_new.insert(a.clone(), b.clone());
            self.to_old.insert(b.clone(), a.clone());
        }
        true
    }
}

/// A line with `#` for each number of a value (`%12`, `v12`), buffer (`b12`), slot or block, and those.
fn masked(line: &str) -> (String, Vec<String>) {
    let (mut out, mut numbers) = (String::with_capacity(line.len()), Vec::new());
    let mut rest = line;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end.max(rest.chars().next().map_or(0, char::len_utf8)));
        rest = after;
        match numbered(word) {
            Some(kind) => {
                numbers.push(word.to_string());
                out.push_str(kind);
                out.push('#');
            }
            None => out.push_str(word),
        }
    }
    (out, numbers)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '%' | '\'')
}

/// The kind of a numbered thing, if it is one.
fn numbered(word: &str) -> Option<&str> {
    const KINDS: [&str; 7] = ["%", "v", "b", "s", "w", "block", "ss"];
    let kind = word.trim_end_matches(|c: char| c.is_ascii_digit());
    (kind.len() < word.len() && KINDS.contains(&kind)).then_some(kind)
}

/// The equation or kernel that a line belongs to.
fn place(stage: Stage, lines: &[&str], at: usize) -> String {
    let line = |i: usize| lines.get(i).copied().unwrap_or_default();
    let before = |head: &mut dyn FnMut(&str) -> Option<String>| (0..=at).rev().find_map(|i| head(line(i)));
    let is_graph = line(0).starts_with("graph ");
    match stage {
        Stage::Grad if !is_graph => before(&mut adjoint).unwrap_or_else(|| "the declarations".into()),
        // What has no name is a part of the next equation that has one.
        Stage::Eqn | Stage::Grad if line(at).starts_with("source ") || line(at).contains(" = source(") => {
            SOURCES.into()
        }
        Stage::Eqn | Stage::Grad => {
            (at..lines.len()).find_map(|i| equation(line(i))).unwrap_or_else(|| "the outputs".into())
        }
        Stage::Schedule | Stage::Loops => {
            // What stands around a line stands less deep, and before it.
            let mut depth = usize::MAX;
            let around = before(&mut |l| {
                let is_around = indent(l) < depth;
                depth = depth.min(indent(l));
                is_around.then(|| kernel(l)).flatten()
            });
            around.unwrap_or_else(|| "buffers and stages".into())
        }
        Stage::Clif | Stage::Asm => {
            before(&mut |l| l.strip_prefix("; k").map(|l| format!("kernel k{l}"))).unwrap_or_default()
        }
    }
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

const SOURCES: &str = "inputs and parameters";

/// `f : [4] over n = …` and `%86 "h_adj" : …` have names, `%12 : …` has none.
fn equation(line: &str) -> Option<String> {
    if line.contains(" = source(") || line.starts_with("state ") {
        return None;
    }
    let (name, _) = line.split_once(" :").or_else(|| line.split_once(" ="))?;
    let name = name.rsplit_once(' ').map_or(name, |(_, last)| last).trim_matches('"');
    (!name.starts_with('%') && !line.starts_with("domain")).then(|| format!("`{name}`"))
}

/// `  c_adj = …` in a printed adjoint.
fn adjoint(line: &str) -> Option<String> {
    let body = line.strip_prefix("  ").filter(|l| !l.starts_with(' '))?;
    // Equals signs are aligned.
    let name = body.split_once(" = ")?.0.trim_end();
    let is_one = !name.contains(' ') || name.contains('{');
    (is_one && !name.contains(" : ")).then(|| format!("`{name}`"))
}

/// `    kernel k1 over n: o, f` in loops.
fn kernel(line: &str) -> Option<String> {
    let kernel = line.trim_start().strip_prefix("kernel ")?;
    Some(format!("kernel {}", kernel.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(d: &Difference) -> String {
        let lines = d.hunks.iter().flat_map(|h| &h.lines);
        let sign = |mark: &Mark| match mark {
            Mark::Same => ' ',
            Mark::Old => '-',
            Mark::New => '+',
        };
        lines.map(|(mark, line)| format!("{}{line}\n", sign(mark))).collect()
    }

    #[test]
    fn other_numbers_alone_are_no_change_of_a_line() {
        let old = "%0 : [4] over n = lag(h, -1)\ni : [4] over n = tanh(%0)\nout h = i\n";
        let new = "%0 : [] shared = const(2.0)\n%1 : [4] over n = lag(h, -1)\ni : [4] over n = tanh(%1)\nout h = i\n";
        let d = Difference::new(Stage::Eqn, old, new);
        assert_eq!(d.changed, ["`i`"]);
        assert!(shown(&d).starts_with("+%0 : [] shared = const(2.0)\n %1 : [4]"), "{}", shown(&d));
    }

    #[test]
    fn an_operand_that_is_another_one_is_a_change() {
        let old = "a : [] shared = const(1.0)\nb : [] shared = const(2.0)\nv1 = v7 add v8\nv2 = v7 mul v8\n";
        let new = "a : [] shared = const(1.0)\nb : [] shared = const(2.0)\nv1 = v7 add v8\nv2 = v8 mul v7\n";
        let d = Difference::new(Stage::Loops, old, new);
        assert!(shown(&d).ends_with("-v2 = v7 mul v8\n+v2 = v8 mul v7\n"), "{}", shown(&d));
        assert_eq!((d.hunks[0].from, d.hunks[0].len), ((1, 1), (4, 4)));
    }

    #[test]
    fn nothing_but_numbers() {
        let d = Difference::new(Stage::Loops, "v1 = b0 add b1\n", "v3 = b0 add b4\n");
        assert_eq!((d.changed.len(), d.hunks.len()), (0, 0));
    }

    #[test]
    fn values_are_numbered_anew_in_each_kernel() {
        let old = "    kernel k0 over n: a\n      [4]\n        v1 = b0 add b1\n    kernel k1 over n: h\n      [4]\n        v1 = b2 add b3\n";
        let new = "    kernel k0 over n: a\n      [4]\n        v1 = b0 add b1\n    kernel k1 over n: h\n      [4]\n        v2 = b2 add b3\n";
        assert_eq!(Difference::new(Stage::Loops, old, new).hunks.len(), 0);
    }

    #[test]
    fn an_aligned_equation_of_an_adjoint_is_named() {
        let lines = ["cell A {", "  x_adj     = y", "  a_pre_adj = x"];
        assert_eq!(place(Stage::Grad, &lines, 1), "`x_adj`");
    }

    #[test]
    fn a_line_is_placed_in_its_kernel() {
        let text = "run\n  for t in 1..n\n    kernel k1 over n: h\n      [4]\n        v1 = b0\n    b2 = b3\n";
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(place(Stage::Loops, &lines, 4), "kernel k1 over n: h");
        assert_eq!(place(Stage::Loops, &lines, 2), "kernel k1 over n: h");
        assert_eq!(place(Stage::Loops, &lines, 5), "buffers and stages");
        let code = ["; k0: h, c", "function %k0() {", "block0:", "; k1: x", "block0:"];
        assert_eq!(place(Stage::Clif, &code, 2), "kernel k0: h, c");
        assert_eq!(place(Stage::Clif, &code, 4), "kernel k1: x");
    }
}
