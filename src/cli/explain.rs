//! `rnnc explain`: the long form of a diagnostic code.

use super::errors;
use super::session::{Failure, Session, say};
use crate::diag::codes::examples::{CELL, Content, Example, File, Illustration, Sample};
use crate::diag::codes::{self, Entry, ROOMS};
use crate::diag::{Style, render};
use crate::pipeline;
use crate::resolve;
use crate::source::{Loader, Sources};
use serde_json::{Value, json};

/// Say what the code of a message means, with examples
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  rnnc explain E0301\n  rnnc explain\n  rnnc explain E0301 --json")]
pub struct Explain {
    /// The code, such as E0301; without it all codes are listed
    code: Option<String>,
    /// Print JSON: an object, or a list of all without a code
    #[arg(long)]
    json: bool,
    /// Print all codes as one page in Markdown: this is how docs/errors.md is made
    #[arg(long, conflicts_with_all = ["code", "json"])]
    markdown: bool,
}

impl Explain {
    pub fn run(self, session: &mut Session) -> Result<(), Failure> {
        if self.markdown {
            return say(&page()?);
        }
        let Some(code) = self.code else {
            let lines = codes::table().map(|e| format!("{}  {}\n", e.code, e.title));
            return match self.json {
                false => say(&lines.collect::<String>()),
                true => {
                    let all: Result<Vec<Value>, Failure> = codes::table().map(|e| as_json(e.code)).collect();
                    say(&format!("{:#}\n", Value::from(all?)))
                }
            };
        };
        let wanted = code.to_uppercase();
        let Some((entry, illustration)) = codes::find(&wanted) else {
            let mut all: Vec<&str> = codes::table().map(|e| e.code).collect();
            all.sort_unstable();
            let (first, last) = (all.first().unwrap_or(&""), all.last().unwrap_or(&""));
            return Err(errors::unknown_code(&code, first, last).into());
        };
        match self.json {
            true => say(&format!("{:#}\n", as_json(entry.code)?)),
            false => say(&shown(entry, &illustration, session.style_of_output())),
        }
    }
}

/// A code for a terminal.
fn shown(entry: &Entry, illustration: &Illustration, style: Style) -> String {
    let mut text = format!("{}: {}\n\n{}\n", entry.code, entry.title, entry.text.trim_end());
    match illustration {
        Illustration::None(why) => text += &format!("\nNo example: {why}\n"),
        Illustration::Example(example) => {
            text += &format!("\nWrong:\n\n{}", indented(&sample(&example.wrong)));
            let message = message(entry.code, example, style);
            text += &if message.is_empty() { String::new() } else { format!("\n{message}") };
            text += &format!("\nRight:\n\n{}", indented(&sample(&example.right)));
            for file in &example.files {
                text += &format!("\nThe file {}:\n\n{}", file.name, indented(&content(file)));
            }
        }
    }
    text
}

fn indented(text: &str) -> String {
    text.lines().map(|l| if l.is_empty() { "\n".to_string() } else { format!("    {l}\n") }).collect()
}

fn sample(sample: &Sample) -> String {
    match sample {
        Sample::Text(text) => text.to_string(),
        Sample::Commands(lines) => lines.lines().map(|l| format!("$ {l}\n")).collect(),
    }
}

fn content(file: &File) -> String {
    match file.content {
        Content::Text(text) => text.to_string(),
        Content::Arrays(lines) => lines
            .lines()
            .map(|line| {
                let mut words = line.split(' ').filter(|w| !w.is_empty());
                let (name, kind) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
                format!("{name} : {kind} [{}]\n", words.collect::<Vec<_>>().join(", "))
            })
            .collect(),
    }
}

/// The files of an example, in memory.
struct Files<'e>(&'e Example);

impl Loader for Files<'_> {
    fn load(&self, path: &str) -> Result<String, String> {
        let text = match (&self.0.wrong, path) {
            (Sample::Text(text), CELL) => Some(*text),
            _ => self.0.files.iter().filter(|f| f.name == path).find_map(|f| match f.content {
                Content::Text(text) => Some(text),
                Content::Arrays(_) => None,
            }),
        };
        text.map(str::to_string).ok_or_else(|| "no such file or folder".into())
    }
}

/// What is said about the wrong example, if that is a file of the language.
fn message(code: &str, example: &Example, style: Style) -> String {
    let Sample::Text(_) = example.wrong else { return String::new() };
    let mut sources = Sources::default();
    let (library, mut found) = resolve::load(&mut sources, &Files(example), &[CELL.to_string()]);
    for root in library.roots() {
        found.extend(pipeline::mistakes(&library, root.file));
    }
    found.iter().filter(|d| d.code == code).map(|d| render(&sources, d, style)).collect()
}

fn as_json(code: &str) -> Result<Value, Failure> {
    let Some((entry, illustration)) = codes::find(code) else { return Err(no_example(code)) };
    let mut object = json!({ "code": entry.code, "title": entry.title, "text": entry.text });
    let of = |s: &Sample| match s {
        Sample::Text(text) => json!({ "text": text }),
        Sample::Commands(lines) => json!({ "commands": lines.lines().collect::<Vec<_>>() }),
    };
    match illustration {
        Illustration::None(why) => object["no_example"] = why.into(),
        Illustration::Example(example) => {
            object["wrong"] = of(&example.wrong);
            object["right"] = of(&example.right);
            let files = example.files.iter().map(|f| json!({ "name": f.name, "content": content(f) }));
            object["files"] = files.collect();
            let message = message(code, &example, Style::default());
            object["message"] = if message.is_empty() { Value::Null } else { message.into() };
        }
    }
    Ok(object)
}

fn no_example(code: &str) -> Failure {
    Failure::Internal(format!("{code} has no example"))
}

/// All codes as one page.
fn page() -> Result<String, Failure> {
    let mut page = String::from(
        "# Messages\n\n\
         Every message of rnnc has a code. `rnnc explain E0301` prints what stands here about it. This page is made of the \
         same table, by `rnnc explain --markdown > docs/errors.md`; how messages look, how `rnnc check --fix` applies their \
         suggestions, and what programs read of them is told in [diagnostics.md](diagnostics.md).\n",
    );
    for room in ROOMS {
        page += &format!("\n**{}.**", room.title);
        let links = room.in_order().into_iter().map(|e| format!(" [{}](#{})", e.code, e.code.to_lowercase()));
        page += &links.collect::<Vec<_>>().join(",");
        page += "\n";
    }
    for room in ROOMS {
        page += &format!("\n## {}\n", room.title);
        for entry in room.in_order() {
            let (_, illustration) = codes::find(entry.code).ok_or_else(|| no_example(entry.code))?;
            page += &format!("\n### {}\n\n**{}.** {}\n", entry.code, entry.title, entry.text.trim_end());
            page += &in_markdown(entry.code, &illustration);
        }
    }
    Ok(page)
}

fn in_markdown(code: &str, illustration: &Illustration) -> String {
    let example = match illustration {
        Illustration::None(why) => return format!("\nNo example: {why}\n"),
        Illustration::Example(example) => example,
    };
    let fenced = |kind: &str, text: &str| format!("\n```{kind}\n{}\n```\n", text.trim_end());
    let of = |s: &Sample| match s {
        Sample::Text(text) => fenced("rnn", text),
        Sample::Commands(_) => fenced("console", &sample(s)),
    };
    let mut text = format!("\nWrong:\n{}", of(&example.wrong));
    let message = message(code, example, Style::default());
    if !message.is_empty() {
        text += &fenced("text", message.trim_start_matches('\n'));
    }
    text += &format!("\nRight:\n{}", of(&example.right));
    for file in &example.files {
        let kind = if file.name.ends_with(".rnn") { "rnn" } else { "text" };
        text += &format!("\nThe file `{}`:\n{}", file.name, fenced(kind, &content(file)));
    }
    text
}
