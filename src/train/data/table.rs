//! Tables: comma-separated values, and arrays of npz files.

use super::source::Call;
use super::text::decode;
use super::{Dataset, Declared, Field, Open, Over, Values};
use crate::diag::Diagnostic;
use crate::limits;
use crate::train::errors;
use crate::weights::{self, Array};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeSet;
use std::sync::Arc;

/// `x, class = csv(path, shape = [8, 8], scale = 1/16)`: one example a line; with two names the last
/// column is the class, or the number if the second name is declared as one. With `frame = [12, 12]` each example lies in zeros
/// of these extents: in their middle, or up to `shift`, in the test file up to `test_shift`, positions beside it along each.
pub fn csv(call: &Call, declared: &[Declared], open: &mut Open) -> Result<Dataset, Diagnostic> {
    call.only(1, &["shape", "scale", "test", "frame", "shift", "test_shift", "seed"])?;
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
    let mut values: Vec<f32> = rows.values.iter().map(|v| v * scale).collect();
    if values.iter().any(|v| !v.is_finite()) {
        return Err(errors::bad_argument(
            "csv",
            &format!("has values that are not finite once scaled by {scale}"),
        ));
    }
    let mut shape = shape;
    if let Some(frame) = Frame::parse(call, &shape)? {
        let bytes = limits::array_bytes(frame.extents.iter().copied().chain([examples]), size_of::<f32>());
        if bytes.is_none_or(|n| n > call.limits.unpacked) {
            return Err(errors::too_many_values(&call.reader, bytes, call.limits.unpacked));
        }
        values = frame.placed(&values, &shape, test_from.unwrap_or(examples));
        shape = frame.extents;
    }
    let first = declared.iter().find(|d| Some(&d.name) == call.names.first());
    let mut fields = vec![shaped(values, examples, &shape, first)?];
    if labelled {
        let second = declared.iter().find(|d| Some(&d.name) == call.names.get(1));
        fields.push(if second.is_some_and(|d| !d.is_id) {
            let shape = vec![1; second.map_or(0, |d| d.rank)];
            Field::one(shape, Values::Real(rows.numbers(path)?))
        } else {
            rows.classes()
        });
    }
    Ok(Dataset { names: vec![], fields, examples, test_from, shares: None })
}

/// Zeros around each example, more on some sides than on others.
struct Frame {
    extents: Vec<usize>,
    /// Greatest shifts of training and test examples, and what they are drawn with.
    shifts: [usize; 2],
    seed: u64,
}

impl Frame {
    fn parse(call: &Call, shape: &[usize]) -> Result<Option<Frame>, Diagnostic> {
        let whole = |name: &str| match call.number(name)? {
            None => Ok(None),
            Some(v) if (0.0..1e9).contains(&v) && v.fract() == 0.0 => Ok(Some(v as usize)),
            Some(_) => Err(errors::bad_argument("csv", &format!("wants a whole number for `{name}`"))),
        };
        let (shift, test) = (whole("shift")?, whole("test_shift")?);
        let Some(extents) = call.extents("frame")? else {
            return match shift.or(test) {
                Some(_) => Err(errors::bad_argument("csv", "wants a `frame` to shift examples in")),
                None => Ok(None),
            };
        };
        let shift = shift.unwrap_or(0);
        let shifts = [shift, test.unwrap_or(shift)];
        let room = |(frame, own): (&usize, &usize)| frame.checked_sub(*own).map(|rest| rest / 2);
        let rooms: Option<Vec<usize>> = extents.iter().zip(shape).map(room).collect();
        let least = rooms.filter(|_| extents.len() == shape.len()).and_then(|r| r.into_iter().min());
        match least {
            Some(room) if shifts.iter().all(|s| *s <= room) => {}
            found => return Err(errors::no_room(shape, &extents, found)),
        }
        let seed = call.count("seed", usize::MAX >> 12)?.unwrap_or(1) as u64;
        Ok(Some(Frame { extents, shifts, seed }))
    }

    /// All examples, each at its place in the frame; from `test_from` on they are the test file's.
    fn placed(&self, values: &[f32], shape: &[usize], test_from: usize) -> Vec<f32> {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let (own, all) = (shape.iter().product::<usize>().max(1), self.extents.iter().product::<usize>());
        let mut placed = vec![0.0; values.len() / own * all];
        for (e, (from, to)) in values.chunks(own).zip(placed.chunks_mut(all)).enumerate() {
            let shift = self.shifts[usize::from(e >= test_from)];
            let middle = self.extents.iter().zip(shape).map(|(frame, own)| (frame - own) / 2);
            let corner: Vec<usize> = middle.map(|m| m + rng.random_range(0..=2 * shift) - shift).collect();
            for (i, v) in from.iter().enumerate() {
                let (mut rest, mut at, mut stride) = (i, 0, 1);
                for ((n, frame), corner) in shape.iter().zip(&self.extents).zip(&corner).rev() {
                    at += (rest % n + corner) * stride;
                    rest /= n;
                    stride *= frame;
                }
                to[at] = *v;
            }
        }
        placed
    }
}

/// Values of equal shape as the declared input takes them: the first extents are its axes.
fn shaped(
    values: Vec<f32>,
    examples: usize,
    shape: &[usize],
    declared: Option<&Declared>,
) -> Result<Field, Diagnostic> {
    let over = declared.map_or(Over::Example, |d| d.over);
    let values = Values::Real(values);
    let field = Field::uniform(over, shape, examples, values);
    let mut field = field.ok_or_else(|| errors::too_few_extents("csv", over, shape))?;
    match (declared.map(|d| d.rank), field.shape.as_slice()) {
        (Some(1), []) => field.shape = vec![1],
        (Some(0), [1]) => field.shape = vec![],
        _ => {}
    }
    Ok(field)
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
            let refused =
                |why: String| errors::bad_line(path, i + 1, &why).help(errors::line_of_numbers(labelled));
            self.row(line, i + 1, labelled).map_err(refused)?;
        }
        if self.lines.len() == before { Err(errors::empty_file(path)) } else { Ok(()) }
    }

    fn row(&mut self, line: &str, number: usize, labelled: bool) -> Result<(), String> {
        let mut cells: Vec<&str> = line.split(',').map(str::trim).collect();
        let label = if labelled { cells.pop().unwrap_or("") } else { "" };
        if labelled && label.is_empty() {
            return Err("its last column, the class, is empty".into());
        }
        if cells.is_empty() {
            return Err("it has no value before its last column".into());
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
        Field::one(vec![], Values::Id { ids, symbols: Arc::new(symbols) })
    }
}

/// `x, y = npz(path)`: the arrays of these names, examples along the first axis. A sequence has its steps along the
/// second, a grid its axes along the next ones; `NAME_lengths`, or `lengths`, tells how many of them are real, `[examples]`
/// or for a grid `[examples, axes]`. A tree has its nodes along the second, and its edges in `NAME_children`, or `children`,
/// `[examples, nodes, edges]`.
pub fn npz(call: &Call, declared: &[Declared], open: &mut Open) -> Result<Dataset, Diagnostic> {
    call.only(1, &[])?;
    let path = call.path()?;
    let arrays = weights::npz::read_within(path, &open(path)?, call.limits.unpacked)?;
    let finder = weights::Finder { file: path, arrays: &arrays };
    let mut fields = Vec::new();
    let mut examples: Option<usize> = None;
    for name in &call.names {
        let known = declared.iter().find(|d| d.name == *name);
        let (over, is_id) = known.map_or((Over::Example, false), |d| (d.over, d.is_id));
        let wanted = match over {
            Over::Example => "[examples, …]",
            Over::Axes(2..) => "[examples, axis, axis, …]",
            _ => "[examples, steps, …]",
        };
        let array = arrays.get(name).ok_or_else(|| finder.refusal_of(&finder.missing(name, wanted)))?;
        let misshaped = || finder.refusal_of(&finder.misshaped(name, wanted, &array.shape));
        let (n, rest) = array.shape.split_first().ok_or_else(misshaped)?;
        if *examples.get_or_insert(*n) != *n {
            return Err(errors::bad_file(
                path,
                &format!("`{name}` has another number of examples than the others"),
            ));
        }
        let (axes, shape) = rest.split_at_checked(over.axes()).ok_or_else(misshaped)?;
        // Of nothing there may be more than there is memory for.
        if array.data.is_empty() {
            return Err(errors::bad_file(
                path,
                &format!("`{name}` {} holds no number", weights::show(&array.shape)),
            ));
        }
        let own = |what: &str| arrays.get(&format!("{name}_{what}")).or_else(|| arrays.get(what));
        let lengths = match own("lengths") {
            Some(given) if over != Over::Example => whole_lengths(path, given, *n, axes)?,
            _ => axes.iter().map(|steps| vec![*steps; *n]).collect(),
        };
        let values = npz_values(path, name, array, is_id, axes, &lengths)?;
        fields.push(match over {
            Over::Example => Field::one(shape.to_vec(), values),
            Over::Axes(_) => Field::grid(shape.to_vec(), values, lengths),
            Over::Tree | Over::Mixed => {
                let children = format!("{name}_children");
                let array = own("children").ok_or_else(|| {
                    finder.refusal_of(&finder.missing(&children, "[examples, nodes, edges]"))
                })?;
                let trees = weights::trees::trees(array, &lengths[0])
                    .map_err(|why| errors::bad_children(path, name, &why))?;
                Field::tree(shape.to_vec(), values, Arc::new(trees))
            }
        });
    }
    Ok(Dataset { names: vec![], fields, examples: examples.unwrap_or(0), test_from: None, shares: None })
}

/// The true values of all examples, one example after another.
fn npz_values(
    path: &str,
    name: &str,
    array: &Array,
    is_id: bool,
    axes: &[usize],
    lengths: &[Vec<usize>],
) -> Result<Values, Diagnostic> {
    let all = array.to_f64();
    let examples = array.shape.first().copied().unwrap_or(0);
    let points: usize = axes.iter().product();
    let width = all.len() / (examples * points).max(1);
    let mut kept = Vec::with_capacity(all.len());
    for (row, values) in all.chunks(width.max(1)).enumerate() {
        let (example, mut point) = (row / points.max(1), row % points.max(1));
        let mut is_true = true;
        for (n, lengths) in axes.iter().zip(lengths).rev() {
            is_true &= point % n < lengths[example];
            point /= n;
        }
        if is_true {
            kept.extend_from_slice(values);
        }
    }
    if let Some(at) = kept.iter().position(|v| !v.is_finite()) {
        return Err(errors::bad_file(path, &format!("element {} of `{name}` is no finite number", at + 1)));
    }
    if !is_id {
        return Ok(Values::Real(kept.iter().map(|v| *v as f32).collect()));
    }
    let bad = kept.iter().find(|v| v.fract() != 0.0 || **v < 0.0 || **v > f64::from(1 << 24));
    if let Some(v) = bad {
        return Err(errors::bad_file(path, &format!("`{name}` holds {v}, which is no id")));
    }
    let ids: Vec<u32> = kept.iter().map(|v| *v as u32).collect();
    let count = ids.iter().max().map_or(0, |m| m + 1);
    Ok(Values::Id { ids, symbols: Arc::new((0..count).map(|i| i.to_string()).collect()) })
}

/// For each axis the length of every example, from `[examples]` or `[examples, axes]`.
fn whole_lengths(
    path: &str,
    array: &Array,
    examples: usize,
    axes: &[usize],
) -> Result<Vec<Vec<usize>>, Diagnostic> {
    let all = array.to_f64();
    let fit = |(i, v): (usize, &f64)| {
        v.fract() == 0.0 && *v >= 0.0 && *v <= axes.get(i % axes.len()).map_or(0.0, |n| *n as f64)
    };
    if all.len() != examples * axes.len() || !all.iter().enumerate().all(fit) {
        let most: Vec<String> = axes.iter().map(|n| format!("0..{n}")).collect();
        let each = if axes.len() == 1 { "" } else { " for each axis" };
        return Err(errors::bad_file(
            path,
            &format!("lengths must be {examples} whole numbers of {}{each}", most.join(", ")),
        )
        .help(match axes.len() {
            1 => "give how many of the steps are each example's own".to_string(),
            axes => {
                format!("give how many points along each axis are each example's own, [examples, {axes}]")
            }
        }));
    }
    let axis = |k: usize| all.iter().skip(k).step_by(axes.len()).map(|v| *v as usize).collect();
    Ok((0..axes.len()).map(axis).collect())
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
            limits: crate::limits::Limits::DEFAULT,
        }
    }

    fn declared(over: Over) -> Vec<Declared> {
        vec![
            Declared { name: "x".into(), over, is_id: false, rank: 1 },
            Declared { name: "y".into(), over: Over::Example, is_id: true, rank: 0 },
        ]
    }

    #[test]
    fn classes_are_in_numeric_order_and_a_heading_is_skipped() {
        let c = call("csv", vec![("scale".into(), Constant::Number(0.5))]);
        let d = c.read(&declared(Over::Example), &mut |_| Ok("a,b,class\n1,2,10\n3,4,9\n".into())).unwrap();
        assert_eq!(d.fields[0].values, Values::Real(vec![0.5, 1.0, 1.5, 2.0]));
        let Values::Id { ids, symbols } = &d.fields[1].values else { panic!() };
        assert_eq!((ids.as_slice(), symbols.join(" ")), (&[1, 0][..], "9 10".to_string()));
    }

    #[test]
    fn a_shape_makes_rows_into_sequences() {
        let shape = Constant::List(vec![Constant::Number(2.0), Constant::Number(2.0)]);
        let c = call("csv", vec![("shape".into(), shape)]);
        let d = c.read(&declared(Over::Axes(1)), &mut |_| Ok("1,2,3,4,0\n5,6,7,8,1\n".into())).unwrap();
        assert_eq!((d.fields[0].range(1), d.fields[0].shape.as_slice()), (2..4, &[2][..]));
    }

    #[test]
    fn bad_cells_name_their_line_and_column() {
        let read = |text: &'static str| {
            call("csv", vec![]).read(&declared(Over::Example), &mut |_| Ok(text.into())).unwrap_err().message
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
        let d = call("npz", vec![]).read(&declared(Over::Axes(1)), &mut |_| Ok(bytes.clone())).unwrap();
        assert_eq!(d.fields[0].values, Values::Real(vec![1.0, 2.0, 3.0, 4.0]));
        assert_eq!((d.fields[0].range(0), d.fields[0].range(1)), (0..3, 3..4));
    }

    #[test]
    fn a_shape_makes_lines_into_grids() {
        let shape = |n: &[f64]| Constant::List(n.iter().map(|n| Constant::Number(*n)).collect());
        let read = |n: &[f64]| {
            let c = call("csv", vec![("shape".into(), shape(n))]);
            c.read(&declared(Over::Axes(2)), &mut |_| Ok("1,2,3,4,5,6,0\n5,6,7,8,9,0,1\n".into()))
        };
        let d = read(&[2.0, 3.0]).unwrap();
        assert_eq!((d.fields[0].range(1), d.fields[0].length(1, 0)), (6..12, 3));
        assert_eq!(d.fields[0].shape, [1]);
        assert!(read(&[6.0]).unwrap_err().message.contains("a grid of 2 axes, and the shape is [6]"));
    }

    #[test]
    fn examples_lie_shifted_in_a_frame() {
        let list = |n: &[f64]| Constant::List(n.iter().map(|n| Constant::Number(*n)).collect());
        let read = |frame: &[f64], shift: f64| {
            let mut named = vec![("shape".to_string(), list(&[1.0, 2.0])), ("frame".into(), list(frame))];
            named.push(("shift".into(), Constant::Number(0.0)));
            named.push(("test_shift".into(), Constant::Number(shift)));
            named.push(("test".into(), Constant::Text("b".into())));
            let text = "1,2,0\n".repeat(40);
            call("csv", named)
                .read(&declared(Over::Axes(2)), &mut |_| Ok(text.clone().into()))
                .map_err(|e| e.message)
        };
        let d = read(&[3.0, 4.0], 1.0).unwrap();
        let Values::Real(x) = &d.fields[0].values else { panic!() };
        assert_eq!(x.len(), 80 * 12);
        let places: Vec<usize> = x
            .chunks(12)
            .map(|e| {
                let at = e.iter().position(|v| *v == 1.0).unwrap();
                assert_eq!((e[at + 1], e.iter().sum::<f32>(), at % 4 < 3), (2.0, 3.0, true));
                at
            })
            .collect();
        assert!(places[..40].iter().all(|p| *p == 5), "in the middle");
        let shifted: BTreeSet<usize> = places[40..].iter().copied().collect();
        assert_eq!(shifted, [0, 1, 2, 4, 5, 6, 8, 9, 10].into());
        assert!(read(&[3.0, 4.0], 2.0).unwrap_err().contains("shift"));
        assert!(read(&[3.0], 0.0).is_err());
        assert!(read(&[3.0, 1.0], 0.0).is_err());
    }

    #[test]
    fn npz_grids_and_trees_end_at_their_lengths() {
        let ints = |shape: &[usize], v: &[i64]| Array {
            shape: shape.to_vec(),
            data: weights::Data::I64(v.to_vec()),
        };
        let values = Array::f32(vec![2, 2, 3], (0..12).map(|v| v as f32).collect());
        let mut arrays = weights::Arrays::from([
            ("x".to_string(), values),
            ("y".to_string(), ints(&[2], &[0, 2])),
            ("lengths".to_string(), ints(&[2, 2], &[2, 3, 1, 2])),
        ]);
        let read = |arrays: &weights::Arrays, over| {
            let bytes = weights::npz::write(arrays).unwrap();
            let d = call("npz", vec![]).read(&declared(over), &mut |_| Ok(bytes.clone()));
            d.map(|d| d.fields[0].clone()).map_err(|e| e.message)
        };
        let x = read(&arrays, Over::Axes(2)).unwrap();
        assert_eq!((x.range(1), x.length(1, 1)), (6..8, 2));
        let Values::Real(kept) = &x.values else { panic!() };
        assert_eq!(kept[..], [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]);
        arrays.insert("lengths".into(), ints(&[2, 2], &[2, 4, 1, 2]));
        assert!(read(&arrays, Over::Axes(2)).unwrap_err().contains("of 0..2, 0..3 for each axis"));

        arrays.insert("lengths".into(), ints(&[2], &[2, 1]));
        assert!(read(&arrays, Over::Tree).unwrap_err().contains("`x_children`"));
        arrays.insert("children".into(), ints(&[2, 2, 1], &[-1, 0, -1, 0]));
        let x = read(&arrays, Over::Tree).unwrap();
        assert_eq!(
            (x.shape.as_slice(), x.range(1), x.trees().unwrap()[0].children(1)),
            (&[3][..], 2..3, &[0][..])
        );
        arrays.insert("children".into(), ints(&[2, 2, 1], &[1, 0, -1, 0]));
        assert!(
            read(&arrays, Over::Tree).unwrap_err().contains("example 1, node 0 is below itself: 0 → 1 → 0")
        );
    }
}
