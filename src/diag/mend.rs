//! Changes of texts that mend mistakes: made, and shown.
//!
//! In: the fixes of diagnostics, and the texts they are of. Out: new texts, or the lines that become others. No file is
//! touched here.

use super::{Diagnostic, Edit, Fix};
use crate::source::{FileId, Sources, Span};
use std::collections::BTreeMap;

/// New texts, and whose fixes they hold.
#[derive(Clone, Debug, Default)]
pub struct Mended {
    pub texts: BTreeMap<FileId, String>,
    /// Places in the list of diagnostics.
    pub applied: Vec<usize>,
}

/// Applies the first fix of each diagnostic, if it is sure and its edits keep apart from those of the diagnostics
/// before it. Of a fix all edits are made or none; none changes what is no file.
pub fn mend(sources: &Sources, diagnostics: &[Diagnostic]) -> Mended {
    let mut taken: Taken = BTreeMap::new();
    let mut applied = Vec::new();
    for (i, d) in diagnostics.iter().enumerate() {
        let Some(fix) = d.fixes.first().filter(|fix| fix.is_sure && is_of_files(sources, fix)) else {
            continue;
        };
        // Two mistakes may ask for the same change: made once, it mends both.
        let new: Vec<&Edit> = fix.edits.iter().filter(|e| taken.get(&e.span) != Some(e)).collect();
        if new.iter().all(|edit| is_apart(&taken, edit.span)) {
            taken.extend(new.into_iter().map(|e| (e.span, e)));
            applied.push(i);
        }
    }
    let mut of_file: BTreeMap<FileId, Vec<&Edit>> = BTreeMap::new();
    for edit in taken.into_values() {
        of_file.entry(edit.span.file).or_default().push(edit);
    }
    let texts =
        of_file.into_iter().map(|(file, edits)| (file, applied_to(&sources.get(file).text, 0, &edits)));
    Mended { texts: texts.collect(), applied }
}

/// The text of a file after a fix of it.
pub fn apply(text: &str, fix: &Fix, file: FileId) -> String {
    let edits: Vec<&Edit> = fix.edits.iter().filter(|e| e.span.file == file).collect();
    applied_to(text, 0, &edits)
}

/// Whether a fix changes nothing but what its reader has written: files, or the recipe of a command.
pub fn is_of_author(sources: &Sources, fix: &Fix) -> bool {
    let is_library = |path: &str| path.starts_with("<stdlib>/") || path == crate::source::STAND_IN;
    fix.edits.iter().all(|e| !is_library(&sources.get(e.span.file).path))
}

/// Whether what a fix changes can be written again: a file can, the recipe of a command is gone.
fn is_of_files(sources: &Sources, fix: &Fix) -> bool {
    fix.edits.iter().all(|e| !sources.get(e.span.file).path.starts_with('<'))
}

/// Edits that are to be made, by their places: all apart from each other.
type Taken<'d> = BTreeMap<Span, &'d Edit>;

/// Whether a place is apart from all that are taken: from the last before it and the first behind it.
fn is_apart(taken: &Taken, span: Span) -> bool {
    let before = taken.range(..span).next_back();
    let behind = taken.range(span..).next();
    before.into_iter().chain(behind).all(|(other, _)| are_apart(*other, span))
}

/// Two insertions at one place are not apart: which comes first would be a guess.
fn are_apart(a: Span, b: Span) -> bool {
    a.file != b.file || a.end < b.start || b.end < a.start || (touch(a, b) && a.start != b.start)
}

fn touch(a: Span, b: Span) -> bool {
    (a.end == b.start || b.end == a.start) && a.start < a.end && b.start < b.end
}

/// `part` begins at byte `base` of its file, and all edits lie in it.
fn applied_to(part: &str, base: usize, edits: &[&Edit]) -> String {
    let mut edits = edits.to_vec();
    edits.sort_by_key(|e| (e.span.start, e.span.end));
    let mut out = String::with_capacity(part.len() + 16);
    let mut at = 0;
    for edit in edits {
        let (start, end) =
            ((edit.span.start as usize).max(base) - base, (edit.span.end as usize).max(base) - base);
        out.push_str(part.get(at..start).unwrap_or_default());
        out.push_str(&edit.text);
        at = end.max(at);
    }
    out.push_str(part.get(at..).unwrap_or_default());
    out
}

/// Lines as a fix leaves them.
pub struct Changed {
    pub file: FileId,
    /// Each with its number, from 1.
    pub lines: Vec<(usize, String)>,
}

/// Of a fix the lines that become others, of each file. A line that is removed is not among them.
pub fn changed_lines(sources: &Sources, fix: &Fix) -> Vec<Changed> {
    let mut edits: Vec<&Edit> = fix.edits.iter().collect();
    edits.sort_by_key(|e| (e.span.file, e.span.start));
    let mut out: Vec<Changed> = Vec::new();
    let mut from = 0;
    while let Some(first) = edits.get(from) {
        let file = first.span.file;
        let text = &*sources.get(file).text;
        let start = line_start(text, first.span.start as usize);
        let mut end = line_end(text, first.span.end as usize);
        let mut to = from + 1;
        while let Some(next) = edits.get(to).filter(|e| e.span.file == file && e.span.start as usize <= end) {
            end = end.max(line_end(text, next.span.end as usize));
            to += 1;
        }
        let part = text.get(start..end).unwrap_or_default();
        let new = applied_to(part, start, &edits[from..to]);
        let number = 1 + text.get(..start).unwrap_or_default().matches('\n').count();
        let lines = new.lines().enumerate().map(|(i, l)| (number + i, l.to_string()));
        let same = |line: &str| line.trim().is_empty() || part.lines().any(|old| old == line);
        let lines: Vec<_> = lines.filter(|(_, line)| !same(line)).collect();
        match out.last_mut().filter(|c| c.file == file) {
            Some(changed) => changed.lines.extend(lines),
            None => out.push(Changed { file, lines }),
        }
        from = to;
    }
    out
}

fn line_start(text: &str, at: usize) -> usize {
    text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |i| i + 1)
}

/// Before the line break.
fn line_end(text: &str, at: usize) -> usize {
    text.get(at..).and_then(|after| after.find('\n')).map_or(text.len(), |i| at + i)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources() -> (Sources, FileId) {
        let mut sources = Sources::default();
        let file = sources.add("a.rnn", "a = b * c\nd = e\n");
        (sources, file)
    }

    fn edit(file: FileId, start: u32, end: u32, text: &str) -> Edit {
        Edit { span: Span { file, start, end }, text: text.into() }
    }

    fn with(edits: Vec<Edit>) -> Diagnostic {
        Diagnostic::error("E0101", "").fix_all("do", edits)
    }

    #[test]
    fn what_overlaps_an_earlier_fix_waits() {
        let (sources, file) = sources();
        let found = [
            with(vec![edit(file, 6, 7, "@")]),
            with(vec![edit(file, 4, 9, "z")]),
            with(vec![edit(file, 6, 7, "@")]),
            with(vec![edit(file, 14, 15, "f"), edit(file, 4, 5, "W")]),
            with(vec![edit(file, 15, 15, "+")]),
            with(vec![edit(file, 15, 15, "-")]),
        ];
        let mended = mend(&sources, &found);
        assert_eq!(mended.applied, [0, 2, 3]);
        assert_eq!(mended.texts[&file], "a = W @ c\nd = f\n");
    }

    #[test]
    fn what_is_not_sure_is_not_made() {
        let (sources, file) = sources();
        let unsure = |d: Diagnostic| d.maybe_all("remove it", vec![edit(file, 0, 10, "")]);
        assert!(mend(&sources, &[unsure(with(Vec::new()))]).texts.is_empty());
        let first_sure = unsure(with(vec![edit(file, 6, 7, "@")]));
        assert_eq!(mend(&sources, &[first_sure]).texts[&file], "a = b @ c\nd = e\n");
    }

    #[test]
    fn the_standard_library_stays_as_it_is() {
        let (mut sources, file) = sources();
        let library = sources.add("<stdlib>/x.rnn", "a = b\n");
        let found = [with(vec![edit(file, 6, 7, "@"), edit(library, 0, 1, "b")])];
        assert!(mend(&sources, &found).texts.is_empty());
    }

    #[test]
    fn changed_lines_are_whole_and_have_their_numbers() {
        let (sources, file) = sources();
        let fix = Fix {
            title: String::new(),
            edits: vec![edit(file, 14, 15, "f"), edit(file, 4, 4, "("), edit(file, 9, 9, ")")],
            is_sure: true,
        };
        let changed = changed_lines(&sources, &fix);
        assert_eq!(changed[0].lines, [(1, "a = (b * c)".to_string()), (2, "d = f".to_string())]);
        let of = |edit| Fix { title: String::new(), edits: vec![edit], is_sure: true };
        let insert = of(edit(file, 10, 10, "x = 1\n"));
        assert_eq!(changed_lines(&sources, &insert)[0].lines[0], (2, "x = 1".to_string()));
        let remove = of(edit(file, 10, 16, ""));
        assert!(changed_lines(&sources, &remove)[0].lines.is_empty());
    }
}
