//! A wrong and a right example of each code.
//!
//! In: one text a room, `codes/examples/*.txt`. There `=== E0301` begins a code's part, which consists of sections:
//!
//! - `--- wrong` and `--- right`: a file of the language, called `cell.rnn`;
//! - `--- wrong command` and `--- right command`: what is typed, a line each, where no such file shows it;
//! - `--- file NAME` and `--- arrays NAME`: what these need beside them; of arrays each line is a name, a type and extents;
//! - `--- no example`: why there is none.
//!
//! `=== files` is a part of files for all codes of the room. Out: [`Illustration`]s.

/// The name of the file that a wrong or right text is.
pub const CELL: &str = "cell.rnn";

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Illustration {
    Example(Example),
    /// Why there is no example.
    None(&'static str),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    pub wrong: Sample,
    pub right: Sample,
    /// What samples read.
    pub files: Vec<File>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sample {
    /// A file of the language.
    Text(&'static str),
    /// Commands, a line each.
    Commands(&'static str),
}

impl Sample {
    pub fn text(&self) -> &'static str {
        match self {
            Sample::Text(text) | Sample::Commands(text) => text,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct File {
    pub name: &'static str,
    pub content: Content,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    Text(&'static str),
    /// Arrays of an npz file: of each its name, type and extents.
    Arrays(&'static str),
}

/// The sections of a part: a heading and the text below it.
fn sections(part: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    part.split("\n--- ").skip(1).map(|s| s.split_once('\n').unwrap_or((s, "")))
}

fn files(part: &'static str) -> impl Iterator<Item = File> {
    sections(part).filter_map(|(heading, text)| match heading.split_once(' ') {
        Some(("file", name)) => Some(File { name, content: Content::Text(text) }),
        Some(("arrays", name)) => Some(File { name, content: Content::Arrays(text) }),
        _ => None,
    })
}

/// The example of a code in the text of its room.
pub(super) fn find(room: &'static str, code: &str) -> Option<Illustration> {
    let part = |wanted: &str| {
        let parts = room.split("=== ").skip(1);
        parts.into_iter().find(|part| part.lines().next() == Some(wanted))
    };
    let own = part(code)?;
    let sample = |word: &str| {
        sections(own).find_map(|(heading, text)| match heading.strip_prefix(word)? {
            "" => Some(Sample::Text(text)),
            " command" => Some(Sample::Commands(text)),
            _ => None,
        })
    };
    if let Some((_, why)) = sections(own).find(|(heading, _)| *heading == "no example") {
        return Some(Illustration::None(why.trim_end()));
    }
    let (wrong, right) = (sample("wrong")?, sample("right")?);
    let named = |file: &File, sample: &Sample| sample.text().contains(file.name);
    let mut all: Vec<File> = files(own).collect();
    for file in part("files").into_iter().flat_map(files) {
        let is_read = [wrong, right].iter().any(|s| named(&file, s))
            || all.iter().any(|f| matches!(f.content, Content::Text(text) if text.contains(file.name)));
        if is_read && matches!(wrong, Sample::Commands(_)) {
            all.push(file);
        }
    }
    // Files of the room may read others of it.
    for file in part("files").into_iter().flat_map(files) {
        let is_read =
            all.iter().any(|f| matches!(f.content, Content::Text(text) if text.contains(file.name)));
        if is_read && !all.contains(&file) {
            all.push(file);
        }
    }
    Some(Illustration::Example(Example { wrong, right, files: all }))
}
