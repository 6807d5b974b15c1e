//! `check snapshot`: what the compiler makes of a cell, beside what it made when somebody last looked.
//!
//! In: a check, and the [`Stored`] texts of its file. Out: a [`Shot`] for each stage: its text now and what became of it
//! ([`difference`]). The file of stored texts is read and written by `cli`.
//! Its form: a title behind `=== ` on a line of its own, the text below it.

pub mod difference;

use crate::diag::Fallible;
use crate::eqn::build;
use crate::pipeline::views::{self, View};
use crate::resolve::Library;
use crate::source::FileId;
use crate::syntax::ast::{self, Check, CheckKind, ItemKind};
use crate::syntax::print::{Style, print_expr};
use difference::Difference;

/// What begins a title.
const MARK: &str = "=== ";

/// The texts of one file, in its order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stored {
    sections: Vec<Section>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Section {
    /// A recipe and a stage: `C(4, 4): loops with grad`.
    pub title: String,
    pub text: String,
}

/// One stage of a cell.
#[derive(Clone, Debug, PartialEq)]
pub struct Shot {
    pub section: Section,
    /// Its stage alone: `loops with grad`.
    pub stage: String,
    pub verdict: Verdict,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    Same,
    /// Nothing is stored.
    New,
    Changed(Difference),
}

impl Stored {
    /// Of any text; what stands before the first title is a comment.
    pub fn parse(text: &str) -> Stored {
        let mut stored = Stored::default();
        for line in text.lines() {
            match (line.strip_prefix(MARK), stored.sections.last_mut()) {
                (Some(title), _) => {
                    stored.sections.push(Section { title: title.trim_end().into(), text: String::new() });
                }
                (None, Some(section)) => {
                    section.text += line;
                    section.text.push('\n');
                }
                (None, None) => {}
            }
        }
        // Between sections is an empty line.
        stored.sections.iter_mut().for_each(|s| s.text = canonical(&s.text));
        stored
    }

    /// The text of a file named `file`.
    pub fn print(&self, file: &str) -> String {
        let mut text = format!(
            "What the compiler makes of cells of {file}. `rnnc test` compares; with --update it writes this file anew.\n"
        );
        for section in &self.sections {
            text += &format!("\n{MARK}{}\n{}", section.title, section.text);
        }
        text
    }

    fn get(&self, title: &str) -> Option<&Section> {
        self.sections.iter().find(|s| s.title == title)
    }

    pub fn titles(&self) -> impl Iterator<Item = &str> {
        self.sections.iter().map(|s| s.title.as_str())
    }

    pub fn is_empty(&self) -> bool {
        self.sections.is_empty()
    }

    /// With these titles alone, in their order, and what was made anew for them.
    pub fn accepting(&self, titles: &[String], new: &[Section]) -> Stored {
        let made = |title: &str| new.iter().find(|s| s.title == title);
        let sections = titles.iter().filter_map(|title| made(title).or_else(|| self.get(title)).cloned());
        Stored { sections: sections.collect() }
    }
}

/// Lines without spaces behind them, and no empty ones at the end.
fn canonical(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let mut text = lines.join("\n");
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

fn title(check: &Check, view: &View) -> String {
    format!("{}: {view}", print_expr(&check.recipe, Style::UNICODE))
}

/// The titles that the checks of a file declare, each once, in the order of the text. `None` if one of them cannot be
/// understood.
pub fn declared(library: &Library, file: FileId) -> Option<Vec<String>> {
    let mut titles = Vec::new();
    for item in library.items(file) {
        let ItemKind::Check(check @ Check { kind: CheckKind::Snapshot(list), .. }) = &item.kind else {
            continue;
        };
        for view in views::views(list).ok()? {
            let title = title(check, &view);
            if !titles.contains(&title) {
                titles.push(title);
            }
        }
    }
    Some(titles)
}

/// What is made of a check's cell now, beside what is stored.
pub fn run(library: &Library, check: &Check, list: &[ast::View], stored: &Stored) -> Fallible<Vec<Shot>> {
    let views = views::views(list)?;
    let (graph, diagnostics) = build::build(library, &check.recipe, &build::Options::default());
    let Some(graph) = graph else { return Err(diagnostics) };
    let mut shots = Vec::new();
    for view in views {
        let text = canonical(&views::text(&graph, view, check.recipe.span)?);
        let section = Section { title: title(check, &view), text };
        let verdict = match stored.get(&section.title) {
            None => Verdict::New,
            Some(old) if old.text == section.text => Verdict::Same,
            Some(old) => Verdict::Changed(Difference::new(view.stage, &old.text, &section.text)),
        };
        shots.push(Shot { section, stage: view.to_string(), verdict });
    }
    Ok(shots)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(title: &str, text: &str) -> Section {
        Section { title: title.into(), text: text.into() }
    }

    #[test]
    fn what_is_printed_is_read() {
        let stored =
            Stored { sections: vec![section("A(1): eqn", "a\n\n  b\n"), section("A(1): loops", "c\n")] };
        let text = stored.print("a.rnn");
        assert_eq!(Stored::parse(&text), stored);
        assert_eq!(Stored::parse(&text.replace('\n', "\r\n")), stored);
        assert_eq!(Stored::parse(""), Stored::default());
        assert_eq!(Stored::parse("=== "), Stored { sections: vec![section("", "\n")] });
    }

    #[test]
    fn accepting_keeps_what_is_declared_in_its_order() {
        let old = Stored { sections: vec![section("gone", "0\n"), section("b", "1\n"), section("a", "2\n")] };
        let titles = ["a", "new", "b"].map(String::from);
        let new = [section("new", "3\n"), section("b", "4\n")];
        let found = old.accepting(&titles, &new);
        let shown: Vec<_> = found.sections.iter().map(|s| (s.title.as_str(), s.text.as_str())).collect();
        assert_eq!(shown, [("a", "2\n"), ("new", "3\n"), ("b", "4\n")]);
    }
}
