//! Tables: comma-separated values, and arrays of npz files.

use super::source::Call;
use super::text::decode;
use super::{Dataset, Declared, Field, Open, Values};
use crate::diag::Diagnostic;
use crate::train::errors;
use crate::weights::{self, Array};
use std::collections::BTreeSet;
use std::sync::Arc;

/// `x, class = csv(path, shape = [8, 8], scale = 1/16)`: one example a line; with two names the last
/// column is the class, or the number if the second name is declared as one.
pub fn csv(call: &Call, declared: &[Declared], open: &mut Open) -> Result<Dataset, Diagnostic> {
    call.only(1, &["shape", "scale", "test"])?;
    call.wants_names(&[1, 2], "one or two names: the values, and the last column")?;
    let path = call.path()?;
    let scale = call.number("scale")?.unwrap_or(1.0) as f32;
    let labelled = call.names.len() == 2;
    let mut rows = Rows::default();
    rows.append(path, &decode(path, open(path)?)?, labelled)?;
    let mut test_from = None;
    if let Some(path) = call.text("test")? {
        test_from = Some(rows.lines.len());
        rows.append(path, &decode(path, open(path)?)?, labelled)?;
    }
    let width = rows.width.unwrap_or(0);
    let shape = call.extents("shape")?.unwrap_or_else(|| vec![width]);
    if weights::count(&shape) != Some(width) {
        return Err(errors::bad_argument(
            "csv",
            &format!("has lines of {width} values, which do not fill the shape {}", weights::show(&shape)),
        ));
    }
    let examples = rows.lines.len();
    let values: Vec<f32> = rows.values.iter().map(|v| v * scale).collect();
    let first = declared.iter().find(|d| Some(&d.name) == call.names.first());
    let mut fields = vec![shaped(values, examples, &shape, first)];
    if labelled {
        let second = declared.iter().find(|d| Some(&d.name) == call.names.get(1));
        fields.push(if second.is_some_and(|d| !d.is_id) {
            let shape = vec![1; second.map_or(0, |d| d.rank)];
            Field { sequential: false, shape, values: Values::Real(rows.numbers(path)?), ends: vec![] }
        } else {
            rows.classes()
        });
    }
    Ok(Dataset { names: vec![], fields, examples, test_from, shares: None })
}

/// Values of equal shape as the declared input takes them: a sequence along the first axis, or one value.
fn shaped(values: Vec<f32>, examples: usize, shape: &[usize], declared: Option<&Declared>) -> Field {
    let sequential = declared.is_some_and(|d| d.sequential);
    let rank = declared.map(|d| d.rank);
    let (steps, rest) = match (sequential, shape.split_first()) {
        (true, Some((steps, rest))) => (*steps, rest.to_vec()),
        _ => (1, shape.to_vec()),
    };
    let rest = match rank {
        Some(1) if rest.is_empty() => vec![1],
        Some(0) if rest == [1] => vec![],
        _ => rest,
    };
    let ends = if sequential { (1..=examples).map(|i| i * steps).collect() } else { vec![] };
    Field { sequential, shape: rest, values: Values::Real(values), ends }
}

#[derive(Default)]
struct Rows {
    width: Option<usize>,
    values: Vec<f32>,
    /// Line number and last column of each row; the column is empty without labels.
    lines: Vec<(usize, String)>,
}

impl Rows {
    fn append(&mut self, path: &str, text: &str, labelled: bool) -> Result<(), Diagnostic> {
        let before = self.lines.len();
        for (i, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            // A first line without any number names the columns.
            let is_heading =
                self.lines.len() == before && line.split(',').all(|c| c.trim().parse::<f64>().is_err());
            if is_heading {
                continue;
            }
            self.row(line, i + 1, labelled).map_err(|why| errors::bad_line(path, i + 1, &why))?;
        }
        if self.lines.len() == before { Err(errors::empty_file(path)) } else { Ok(()) }
    }

    fn row(&mut self, line: &str, number: usize, labelled: bool) -> Result<(), String> {
        let mut cells: Vec<&str> = line.split(',').map(str::trim).collect();
        let label = if labelled { cells.pop().unwrap_or("") } else { "" };
        if labelled && label.is_empty() {
            return Err("its last column, the class, is empty".into());
        }
        let width = *self.width.get_or_insert(cells.len());
        if cells.len() != width {
            return Err(format!("it has {} values, the first line has {width}", cells.len()));
        }
        for (i, cell) in cells.iter().enumerate() {
            match cell.parse::<f32>() {
                Ok(v) if v.is_finite() => self.values.push(v),
                _ => return Err(format!("`{cell}` in column {} is no finite number", i + 1)),
            }
        }
        self.lines.push((number, label.to_string()));
        Ok(())
    }

    fn numbers(&self, path: &str) -> Result<Vec<f32>, Diagnostic> {
        let parse = |(line, text): &(usize, String)| match text.parse::<f32>() {
            Ok(v) if v.is_finite() => Ok(v),
            _ => Err(errors::bad_line(
                path,
                *line,
                &format!("`{text}` in the last column is no finite number"),
            )),
        };
        self.lines.iter().map(parse).collect()
    }

    /// Classes in the order of numbers if all are whole numbers, else of text.
    fn classes(&self) -> Field {
        let kinds: BTreeSet<(Option<i64>, &str)> =
            self.lines.iter().map(|(_, l)| (l.parse().ok(), l.as_str())).collect();
        let symbols: Vec<String> = kinds.iter().map(|(_, l)| l.to_string()).collect();
        let known = super::index(&symbols);
        let ids = self.lines.iter().filter_map(|(_, l)| known.get(l.as_str()).copied()).collect();
        drop(known);
        Field {
            sequential: false,
            shape: vec![],
            values: Values::Id { ids, symbols: Arc::new(symbols) },
            ends: vec![],
        }
    }
}

/// `x, y = npz(path)`: the arrays of these names, examples along the first axis. A sequence has its
/// steps along the second; `NAME_lengths`, or `lengths`, tells how many of them are real.
pub fn npz(call: &Call, declared: &[Declared], open: &mut Open) -> Result<Dataset, Diagnostic> {
    call.only(1, &[])?;
    let path = call.path()?;
    let arrays = weights::npz::read(path, &open(path)?)?;
    let finder = weights::Finder { file: path, arrays: &arrays };
    let mut fields = Vec::new();
    let mut examples: Option<usize> = None;
    for name in &call.names {
        let known = declared.iter().find(|d| d.name == *name);
        let array =
            arrays.get(name).ok_or_else(|| finder.refusal_of(&finder.missing(name, "[examples, …]")))?;
        let (sequential, is_id) = known.map_or((false, false), |d| (d.sequential, d.is_id));
        let Some((n, rest)) = array.shape.split_first() else {
            return Err(finder.refusal_of(&finder.misshaped(name, "[examples, …]", &array.shape)));
        };
        if *examples.get_or_insert(*n) != *n {
            return Err(errors::bad_file(
                path,
                &format!("`{name}` has another number of examples than the others"),
            ));
        }
        let (steps, shape) = match (sequential, rest.split_first()) {
            (false, _) => (1, rest.to_vec()),
            (true, Some((steps, shape))) => (*steps, shape.to_vec()),
            (true, None) => {
                let wanted = "[examples, steps, …]";
                return Err(finder.refusal_of(&finder.misshaped(name, wanted, &array.shape)));
            }
        };
        let lengths = match arrays.get(&format!("{name}_lengths")).or_else(|| arrays.get("lengths")) {
            Some(lengths) if sequential => Some(whole_lengths(path, lengths, *n, steps)?),
            _ => None,
        };
        fields.push(npz_field(path, name, array, Layout { sequential, is_id, steps, shape, lengths })?);
    }
    Ok(Dataset { names: vec![], fields, examples: examples.unwrap_or(0), test_from: None, shares: None })
}

struct Layout {
    sequential: bool,
    is_id: bool,
    steps: usize,
    shape: Vec<usize>,
    lengths: Option<Vec<usize>>,
}

fn npz_field(path: &str, name: &str, array: &Array, l: Layout) -> Result<Field, Diagnostic> {
    let all = array.to_f64();
    let width: usize = l.shape.iter().product();
    let examples = array.shape.first().copied().unwrap_or(0);
    let (mut kept, mut ends) = (Vec::with_capacity(all.len()), Vec::new());
    for i in 0..examples {
        let length = l.lengths.as_ref().and_then(|v| v.get(i)).copied().unwrap_or(l.steps);
        let start = i * l.steps * width;
        kept.extend_from_slice(all.get(start..start + length * width).unwrap_or(&[]));
        if l.sequential {
            ends.push(kept.len() / width.max(1));
        }
    }
    if let Some(at) = kept.iter().position(|v| !v.is_finite()) {
        return Err(errors::bad_file(path, &format!("element {} of `{name}` is no finite number", at + 1)));
    }
    let values = if l.is_id {
        let bad = kept.iter().find(|v| v.fract() != 0.0 || **v < 0.0 || **v > f64::from(1 << 24));
        if let Some(v) = bad {
            return Err(errors::bad_file(path, &format!("`{name}` holds {v}, which is no id")));
        }
        let ids: Vec<u32> = kept.iter().map(|v| *v as u32).collect();
        let count = ids.iter().max().map_or(0, |m| m + 1);
        Values::Id { ids, symbols: Arc::new((0..count).map(|i| i.to_string()).collect()) }
    } else {
        Values::Real(kept.iter().map(|v| *v as f32).collect())
    };
    Ok(Field { sequential: l.sequential, shape: l.shape, values, ends })
}

fn whole_lengths(path: &str, array: &Array, examples: usize, steps: usize) -> Result<Vec<usize>, Diagnostic> {
    let lengths = array.to_f64();
    let fit = |v: &f64| v.fract() == 0.0 && *v >= 0.0 && *v <= steps as f64;
    if lengths.len() != examples || !lengths.iter().all(fit) {
        return Err(errors::bad_file(
            path,
            &format!("lengths must be {examples} whole numbers of 0..{steps}"),
        ));
    }
    Ok(lengths.iter().map(|v| *v as usize).collect())
}

#[cfg(test)]
mod tests {
    use super::super::source::Constant;
    use super::*;
    use crate::source::{FileId, Span};

    fn call(reader: &str, named: Vec<(String, Constant)>) -> Call {
        Call {
            names: vec!["x".into(), "y".into()],
            reader: reader.into(),
            positional: vec![Constant::Text("a".into())],
            named,
            span: Span { file: FileId(0), start: 0, end: 0 },
        }
    }

    fn declared(sequential: bool) -> Vec<Declared> {
        vec![
            Declared { name: "x".into(), sequential, is_id: false, rank: 1 },
            Declared { name: "y".into(), sequential: false, is_id: true, rank: 0 },
        ]
    }

    #[test]
    fn classes_are_in_numeric_order_and_a_heading_is_skipped() {
        let c = call("csv", vec![("scale".into(), Constant::Number(0.5))]);
        let d = c.read(&declared(false), &mut |_| Ok("a,b,class\n1,2,10\n3,4,9\n".into())).unwrap();
        assert_eq!(d.fields[0].values, Values::Real(vec![0.5, 1.0, 1.5, 2.0]));
        let Values::Id { ids, symbols } = &d.fields[1].values else { panic!() };
        assert_eq!((ids.as_slice(), symbols.join(" ")), (&[1, 0][..], "9 10".to_string()));
    }

    #[test]
    fn a_shape_makes_rows_into_sequences() {
        let shape = Constant::List(vec![Constant::Number(2.0), Constant::Number(2.0)]);
        let c = call("csv", vec![("shape".into(), shape)]);
        let d = c.read(&declared(true), &mut |_| Ok("1,2,3,4,0\n5,6,7,8,1\n".into())).unwrap();
        assert_eq!((d.fields[0].ends.as_slice(), d.fields[0].shape.as_slice()), (&[2, 4][..], &[2][..]));
    }

    #[test]
    fn bad_cells_name_their_line_and_column() {
        let read = |text: &'static str| {
            call("csv", vec![]).read(&declared(false), &mut |_| Ok(text.into())).unwrap_err().message
        };
        assert!(read("1,2,0\n1,NaN,0\n").contains("line 2"));
        assert!(read("1,2,0\n1,NaN,0\n").contains("column 2"));
        assert!(read("1,2,0\n\n1,0\n").contains("line 3"));
        assert!(read("").contains("empty"));
    }

    #[test]
    fn npz_sequences_end_at_their_lengths() {
        let arrays = weights::Arrays::from([
            ("x".to_string(), Array::f32(vec![2, 3, 1], vec![1.0, 2.0, 3.0, 4.0, f32::NAN, f32::NAN])),
            ("y".to_string(), Array { shape: vec![2], data: weights::Data::I64(vec![0, 2]) }),
            ("lengths".to_string(), Array { shape: vec![2], data: weights::Data::I64(vec![3, 1]) }),
        ]);
        let bytes = weights::npz::write(&arrays).unwrap();
        let d = call("npz", vec![]).read(&declared(true), &mut |_| Ok(bytes.clone())).unwrap();
        assert_eq!(d.fields[0].values, Values::Real(vec![1.0, 2.0, 3.0, 4.0]));
        assert_eq!(d.fields[0].ends, [3, 4]);
    }
}
