//! The `.ts` format of the UEA and UCR archives: series of unequal length with class labels.
//!
//! `@` lines describe the file, `@data` begins the examples, one a line: dimensions separated by
//! `:`, values by `,`, the class label last.

use super::source::Call;
use super::text::decode;
use super::{Dataset, Field, Open, Values};
use crate::diag::Diagnostic;
use crate::train::errors;
use std::sync::Arc;

/// `x, class = ts(path, test = path)`: `[channels]` per step and an id per example.
pub fn read(call: &Call, open: &mut Open) -> Result<Dataset, Diagnostic> {
    call.only(1, &["test"])?;
    call.wants_names(&[1, 2], "one or two names: the series, and their classes")?;
    let path = call.path()?;
    let mut whole = Part::default();
    whole.append(path, &decode(path, open(path)?)?)?;
    let mut test_from = None;
    if let Some(path) = call.text("test")? {
        test_from = Some(whole.ends.len());
        whole.append(path, &decode(path, open(path)?)?)?;
    }
    if call.names.len() == 2 && whole.labels.is_empty() {
        return Err(errors::bad_file(path, "it has no class labels (`@classLabel true …`)"));
    }
    let examples = whole.ends.len();
    let values = Values::Real(whole.values);
    let mut fields = vec![Field::sequence(vec![whole.channels.unwrap_or(0)], values, whole.ends)];
    if call.names.len() == 2 {
        let values = Values::Id { ids: whole.classes, symbols: Arc::new(whole.labels) };
        fields.push(Field::one(vec![], values));
    }
    Ok(Dataset { names: vec![], fields, examples, test_from, shares: None })
}

/// What has been read so far.
#[derive(Default)]
struct Part {
    channels: Option<usize>,
    labels: Vec<String>,
    /// Row by row: all channels of a step lie together.
    values: Vec<f32>,
    ends: Vec<usize>,
    classes: Vec<u32>,
}

impl Part {
    fn append(&mut self, path: &str, text: &str) -> Result<(), Diagnostic> {
        let before = self.ends.len();
        let mut lines = text.lines().enumerate().map(|(i, l)| (i + 1, l.trim()));
        let mut labels: Option<Vec<String>> = None;
        let mut began = false;
        for (number, line) in lines.by_ref() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let Some(tag) = line.strip_prefix('@') else {
                return Err(errors::bad_line(path, number, "a line before `@data` begins with `@` or `#`"));
            };
            let mut words = tag.split_whitespace();
            let key = words.next().unwrap_or("").to_ascii_lowercase();
            match key.as_str() {
                "data" => {
                    began = true;
                    break;
                }
                "timestamps" if words.next().is_some_and(|w| w.eq_ignore_ascii_case("true")) => {
                    return Err(errors::bad_line(path, number, "series with time stamps are not read"));
                }
                "classlabel" if words.next().is_some_and(|w| w.eq_ignore_ascii_case("true")) => {
                    labels = Some(words.map(str::to_string).collect());
                }
                // Others repeat what the data themselves say.
                _ => {}
            }
        }
        if !began {
            return Err(errors::bad_file(path, "it has no line `@data`"));
        }
        let labels = labels.unwrap_or_default();
        if before == 0 {
            self.labels = labels;
        } else if self.labels != labels {
            return Err(errors::bad_file(path, "its class labels are not those of the training file"));
        }
        for (number, line) in lines {
            if !line.is_empty() && !line.starts_with('#') {
                self.example(line).map_err(|why| errors::bad_line(path, number, &why))?;
            }
        }
        if self.ends.len() == before {
            return Err(errors::empty_file(path));
        }
        Ok(())
    }

    fn example(&mut self, line: &str) -> Result<(), String> {
        let mut parts: Vec<&str> = line.split(':').map(str::trim).collect();
        if !self.labels.is_empty() {
            let label = parts.pop().unwrap_or("");
            let known = self.labels.iter().position(|l| l == label);
            let class = known.ok_or_else(|| format!("`{label}` is none of the class labels"))?;
            self.classes.push(class as u32);
        }
        if parts.is_empty() {
            return Err("it has a class and no series".into());
        }
        let channels = *self.channels.get_or_insert(parts.len());
        if channels != parts.len() {
            return Err(format!("it has {} dimensions, the first example has {channels}", parts.len()));
        }
        let mut columns: Vec<Vec<f32>> = Vec::with_capacity(channels);
        for (i, part) in parts.iter().enumerate() {
            let column: Result<Vec<f32>, String> =
                part.split(',').filter(|_| !part.is_empty()).map(|v| number(v, i)).collect();
            columns.push(column?);
        }
        let steps = columns.first().map_or(0, Vec::len);
        if let Some(i) = columns.iter().position(|c| c.len() != steps) {
            let n = columns[i].len();
            return Err(format!("dimension {} has {n} values, the first has {steps}", i + 1));
        }
        for t in 0..steps {
            self.values.extend(columns.iter().map(|c| c[t]));
        }
        self.ends.push(self.ends.last().copied().unwrap_or(0) + steps);
        Ok(())
    }
}

fn number(text: &str, dimension: usize) -> Result<f32, String> {
    match text.trim() {
        "?" | "NaN" | "nan" => Err(format!("dimension {} has a missing value", dimension + 1)),
        text => match text.parse::<f32>() {
            Ok(v) if v.is_finite() => Ok(v),
            _ => Err(format!("`{text}` in dimension {} is no finite number", dimension + 1)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "#note\n@problemName P\n@timestamps false\n@classLabel true a b\n@data\n";

    #[test]
    fn series_keep_their_lengths_and_classes() {
        let mut p = Part::default();
        p.append("t.ts", &format!("{HEAD}1,2,3:10,20,30:b\n4:40:a\n")).unwrap();
        assert_eq!(p.values, [1.0, 10.0, 2.0, 20.0, 3.0, 30.0, 4.0, 40.0]);
        assert_eq!(p.ends, [3, 4]);
        assert_eq!(p.classes, [1, 0]);
    }

    #[test]
    fn every_mistake_names_its_line() {
        for (line, part) in [
            ("1,2:3:a", "dimension 2 has 1 values"),
            ("1,?:3,4:a", "missing value"),
            ("1,x:3,4:a", "`x` in dimension 1"),
            ("1,2:3,4:c", "none of the class labels"),
            ("1,2:a", "1 dimensions"),
            ("1,inf:3,4:a", "no finite number"),
        ] {
            let mut p = Part::default();
            let d = p.append("t.ts", &format!("{HEAD}1:2:a\n{line}\n")).unwrap_err();
            assert!(d.message.contains("line 7") && d.message.contains(part), "{}", d.message);
        }
        assert!(Part::default().append("t.ts", "@data\n").is_err());
        assert!(Part::default().append("t.ts", "hello").is_err());
    }
}
