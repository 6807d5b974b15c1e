//! Places as editors count them: a line, and code units within it.
//!
//! Invariant: any place is turned into an offset on a character boundary inside the text; what lies behind the end of a line or
//! of the text is its end, and a half character its beginning.

/// How a column is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Utf8,
    Utf16,
    Utf32,
}

impl Encoding {
    fn width(self, c: char) -> usize {
        match self {
            Encoding::Utf8 => c.len_utf8(),
            Encoding::Utf16 => c.len_utf16(),
            Encoding::Utf32 => 1,
        }
    }
}

/// A place, line and column from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub line: u32,
    pub column: u32,
}

/// Where the lines of a text begin.
#[derive(Clone, Debug)]
pub struct Lines {
    starts: Vec<usize>,
}

impl Lines {
    /// A line ends with `\n`, `\r\n` or `\r`.
    pub fn new(text: &str) -> Lines {
        let bytes = text.as_bytes();
        let ends = bytes.iter().enumerate().filter(|(i, b)| match b {
            b'\n' => true,
            b'\r' => bytes.get(i + 1) != Some(&b'\n'),
            _ => false,
        });
        Lines { starts: std::iter::once(0).chain(ends.map(|(i, _)| i + 1)).collect() }
    }

    pub fn count(&self) -> usize {
        self.starts.len()
    }

    pub fn line_of(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset).saturating_sub(1)
    }

    pub fn start_of(&self, line: usize) -> Option<usize> {
        self.starts.get(line).copied()
    }

    pub fn place(&self, text: &str, offset: usize, encoding: Encoding) -> Place {
        let offset = text.floor_char_boundary(offset);
        let line = self.line_of(offset);
        let before = text.get(self.starts[line]..offset).unwrap_or_default();
        let column: usize = before.chars().map(|c| encoding.width(c)).sum();
        Place { line: line as u32, column: column as u32 }
    }

    pub fn offset(&self, text: &str, place: Place, encoding: Encoding) -> usize {
        let Some(start) = self.start_of(place.line as usize) else { return text.len() };
        let end = self.start_of(place.line as usize + 1).unwrap_or(text.len());
        let line = text.get(start..end).unwrap_or_default().trim_end_matches(['\n', '\r']);
        let (mut at, mut column) = (start, 0);
        for c in line.chars() {
            column += encoding.width(c);
            if column > place.column as usize {
                break;
            }
            at += c.len_utf8();
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_code_units() {
        let text = "h = σ(𝛼)\r\ny\rz";
        let lines = Lines::new(text);
        assert_eq!(lines.count(), 3);
        let at = text.find(')').unwrap();
        for (encoding, column) in [(Encoding::Utf8, 11), (Encoding::Utf16, 8), (Encoding::Utf32, 7)] {
            let place = Place { line: 0, column };
            assert_eq!(lines.place(text, at, encoding), place);
            assert_eq!(lines.offset(text, place, encoding), at);
        }
        assert_eq!(lines.place(text, text.len(), Encoding::Utf16), Place { line: 2, column: 1 });
    }

    #[test]
    fn places_outside_are_at_an_end() {
        let text = "a𝛼\nb";
        let lines = Lines::new(text);
        let at = |line, column| lines.offset(text, Place { line, column }, Encoding::Utf16);
        assert_eq!(at(0, 2), 1, "the middle of a pair is its beginning");
        assert_eq!(at(0, 99), 5, "the end of the line, before its break");
        assert_eq!(at(7, 0), text.len());
        assert_eq!(at(u32::MAX, u32::MAX), text.len());
    }
}
