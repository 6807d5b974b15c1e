//! Text: one long sequence, or one example a line.
//!
//! Symbols are sorted, so the same text gives the same ids. In `lines` and `pairs` id 0 is the end
//! mark, which closes every example.

use super::source::Call;
use super::{Dataset, Field, Open, Values, index};
use crate::diag::Diagnostic;
use crate::train::errors;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Units {
    Chars,
    Words,
    /// All of it is one symbol.
    Class,
}

/// The written form of the end mark.
pub const END: &str = "";

impl Units {
    fn parse(call: &Call, name: &str, default: Units) -> Result<Units, Diagnostic> {
        match call.text(name)? {
            None => Ok(default),
            Some("chars") => Ok(Units::Chars),
            Some("words") => Ok(Units::Words),
            Some("class") => Ok(Units::Class),
            Some(_) => {
                let what = format!("wants \"chars\", \"words\" or \"class\" for `{name}`");
                Err(errors::bad_argument(&call.reader, &what))
            }
        }
    }

    /// The pieces one after another: an array of them would be many times the text.
    fn pieces(self, text: &str) -> Box<dyn Iterator<Item = &str> + '_> {
        match self {
            Units::Chars => Box::new(text.char_indices().map(|(i, c)| &text[i..i + c.len_utf8()])),
            Units::Words => Box::new(text.split_whitespace()),
            Units::Class => Box::new(std::iter::once(text.trim())),
        }
    }

    fn cut(self, text: &str) -> Vec<&str> {
        self.pieces(text).collect()
    }
}

/// `chars(path)`, `words(path)`: one sequence, and perhaps one of the test file.
pub fn one(call: &Call, open: &mut Open, units: Units) -> Result<Dataset, Diagnostic> {
    call.only(1, &["test"])?;
    call.wants_names(&[1], "one name: the sequence")?;
    let path = call.path()?;
    let train = decode(path, open(path)?)?;
    let (mut symbols, mut count) = (HashSet::new(), 0);
    for piece in units.pieces(&train) {
        symbols.insert(piece);
        count += 1;
    }
    if count == 0 {
        return Err(errors::empty_file(path));
    }
    let mut symbols: Vec<String> = symbols.into_iter().map(str::to_string).collect();
    symbols.sort();
    let mut ids = Vec::with_capacity(count);
    let mut ends = Vec::new();
    let known: HashMap<&str, u32> = index(&symbols).into_iter().collect();
    encode(path, units.pieces(&train), &known, &mut ids)?;
    ends.push(ids.len());
    let mut test_from = None;
    if let Some(path) = call.text("test")? {
        let test = decode(path, open(path)?)?;
        encode(path, units.pieces(&test), &known, &mut ids)?;
        ends.push(ids.len());
        test_from = Some(1);
    }
    drop(known);
    let examples = ends.len();
    let values = Values::Id { ids, symbols: Arc::new(symbols) };
    let field = Field::sequence(vec![], values, ends);
    Ok(Dataset { names: vec![], fields: vec![field], examples, test_from, shares: None })
}

/// Ids of pieces that must all be known.
fn encode<'a>(
    path: &str,
    pieces: impl Iterator<Item = &'a str>,
    known: &HashMap<&str, u32>,
    ids: &mut Vec<u32>,
) -> Result<(), Diagnostic> {
    for (i, piece) in pieces.enumerate() {
        ids.push(*known.get(piece).ok_or_else(|| errors::unknown_symbol(path, piece, i + 1))?);
    }
    Ok(())
}

/// `lines(path, units = "chars")`: one example a line.
pub fn lines(call: &Call, open: &mut Open) -> Result<Dataset, Diagnostic> {
    call.only(1, &["units", "comment"])?;
    call.wants_names(&[1], "one name: the line")?;
    let units = Units::parse(call, "units", Units::Chars)?;
    let path = call.path()?;
    let text = decode(path, open(path)?)?;
    let rows: Vec<Vec<&str>> =
        kept_lines(&text, call.text("comment")?).map(|(_, line)| units.cut(line)).collect();
    dataset(path, vec![(units, rows)])
}

/// `pairs(path, left = "chars", right = "words")`: two sequences a line, cut at the first tab, or at
/// the first space if there is none. What is a `"class"` is one symbol for each example.
pub fn pairs(call: &Call, open: &mut Open) -> Result<Dataset, Diagnostic> {
    call.only(1, &["left", "right", "comment"])?;
    call.wants_names(&[2], "two names: the left and the right sequence")?;
    let left_units = Units::parse(call, "left", Units::Chars)?;
    let right_units = Units::parse(call, "right", Units::Words)?;
    let path = call.path()?;
    let text = decode(path, open(path)?)?;
    let (mut left, mut right) = (Vec::new(), Vec::new());
    for (number, line) in kept_lines(&text, call.text("comment")?) {
        let cut = line.split_once('\t').or_else(|| line.split_once(' '));
        let Some((a, b)) = cut.filter(|(a, b)| !a.is_empty() && !b.trim().is_empty()) else {
            return Err(errors::bad_line(
                path,
                number,
                "two parts with a tab or a space between them are wanted",
            ));
        };
        left.push(left_units.cut(a));
        right.push(right_units.cut(b.trim()));
    }
    dataset(path, vec![(left_units, left), (right_units, right)])
}

/// Lines with their numbers, without comments, blank ones left out.
fn kept_lines<'a>(text: &'a str, comment: Option<&'a str>) -> impl Iterator<Item = (usize, &'a str)> {
    let lines = text.lines().enumerate().map(move |(i, line)| {
        let line = match comment.filter(|c| !c.is_empty()) {
            Some(mark) => line.split(mark).next().unwrap_or(""),
            None => line,
        };
        (i + 1, line.trim_end())
    });
    lines.filter(|(_, line)| !line.is_empty())
}

fn dataset(path: &str, columns: Vec<(Units, Vec<Vec<&str>>)>) -> Result<Dataset, Diagnostic> {
    let examples = columns.first().map_or(0, |(_, rows)| rows.len());
    if examples == 0 {
        return Err(errors::empty_file(path));
    }
    let mut fields = Vec::new();
    for (units, rows) in columns {
        let sequential = units != Units::Class;
        let kinds: BTreeSet<&str> = rows.iter().flatten().copied().collect();
        let symbols = sequential.then_some(END).into_iter().chain(kinds).map(str::to_string);
        let symbols: Vec<String> = symbols.collect();
        let known: HashMap<&str, u32> = index(&symbols).into_iter().collect();
        let (mut ids, mut ends) = (Vec::new(), Vec::new());
        for row in &rows {
            encode(path, row.iter().copied(), &known, &mut ids)?;
            if sequential {
                ids.push(0);
                ends.push(ids.len());
            }
        }
        drop(known);
        let values = Values::Id { ids, symbols: Arc::new(symbols) };
        fields.push(match sequential {
            true => Field::sequence(vec![], values, ends),
            false => Field::one(vec![], values),
        });
    }
    Ok(Dataset { names: vec![], fields, examples, test_from: None, shares: None })
}

/// UTF-8 text, or the line where it ends to be that.
pub fn decode(path: &str, bytes: Vec<u8>) -> Result<String, Diagnostic> {
    String::from_utf8(bytes).map_err(|e| {
        let good = e.utf8_error().valid_up_to();
        let line = e.as_bytes()[..good].iter().filter(|b| **b == b'\n').count() + 1;
        errors::bad_line(path, line, "it is no UTF-8 text")
    })
}

#[cfg(test)]
mod tests {
    use super::super::source::Constant;
    use super::*;
    use crate::source::{FileId, Span};

    fn call(reader: &str, names: &[&str], named: &[(&str, &str)]) -> Call {
        Call {
            names: names.iter().map(|n| n.to_string()).collect(),
            reader: reader.into(),
            positional: vec![Constant::Text("a.txt".into())],
            named: named.iter().map(|(k, v)| (k.to_string(), Constant::Text(v.to_string()))).collect(),
            span: Span { file: FileId(0), start: 0, end: 0 },
            limits: crate::limits::Limits::DEFAULT,
        }
    }

    #[test]
    fn characters_are_sorted_and_numbered() {
        let c = call("chars", &["text"], &[]);
        let d = c.read(&[], &mut |_| Ok("banä\n".into())).unwrap();
        let Values::Id { ids, symbols } = &d.fields[0].values else { panic!() };
        assert_eq!(**symbols, ["\n", "a", "b", "n", "ä"]);
        assert_eq!(*ids, [2, 1, 3, 4, 0]);
        assert!(d.is_stream());
    }

    #[test]
    fn a_test_file_with_a_new_character_is_refused_by_its_place() {
        let c = call("chars", &["text"], &[("test", "b.txt")]);
        let d =
            c.read(&[], &mut |p| Ok(if p == "a.txt" { "abc".into() } else { "abxa".into() })).unwrap_err();
        assert_eq!(d.code, "E0830");
        assert!(d.message.contains("`x`") && d.message.contains('3'), "{}", d.message);
    }

    #[test]
    fn pairs_end_with_id_0_and_name_a_bad_line() {
        let c = call("pairs", &["a", "b"], &[("comment", "#")]);
        let d = c.read(&[], &mut |_| Ok("ab X Y # note\n\nb Y\n".into())).unwrap();
        let Values::Id { ids, .. } = &d.fields[0].values else { panic!() };
        assert_eq!(*ids, [1, 2, 0, 2, 0]);
        assert_eq!(d.fields[1].range(1), 3..5);
        let e = c.read(&[], &mut |_| Ok("ab X\nalone\n".into())).unwrap_err();
        assert!(e.message.contains("line 2"), "{}", e.message);
    }

    #[test]
    fn a_class_is_one_symbol_of_its_example() {
        let c = call("pairs", &["k", "w"], &[("left", "class"), ("right", "chars")]);
        let d = c.read(&[], &mut |_| Ok("noun cat\nverb run\nnoun ax\n".into())).unwrap();
        let Values::Id { ids, symbols } = &d.fields[0].values else { panic!() };
        assert_eq!(
            (ids.as_slice(), symbols.as_slice()),
            (&[0, 1, 0][..], &["noun".into(), "verb".into()][..])
        );
        assert!(!d.fields[0].is_sequence() && d.fields[0].examples() == 3);
        assert_eq!((d.fields[1].range(0), d.fields[1].range(2)), (0..4, 8..11));
    }

    #[test]
    fn text_that_is_none_is_refused() {
        let c = call("chars", &["text"], &[]);
        assert!(c.read(&[], &mut |_| Ok(vec![b'a', b'\n', 0xff])).unwrap_err().message.contains("line 2"));
        assert!(c.read(&[], &mut |_| Ok(vec![])).unwrap_err().message.contains("empty"));
    }
}
