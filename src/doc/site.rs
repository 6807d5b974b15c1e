//! A site of the items of some files: an index, a page for each item, a page for each file with its text.
//!
//! In: a library, the files of it that are shown, and what is wrong with them. Out: [`Page`]s with relative links between
//! them. All names of pages are decided here, before any page is written.

use super::{file, frame, index, item};
use crate::diag::Diagnostic;
use crate::resolve::{ItemId, Library, item_name};
use crate::source::{FileId, Sources, Span};
use crate::syntax::ast::{Item, ItemKind};
use crate::syntax::lex::{self, Kind};
use crate::syntax::{names, outline};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// A file of the site.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    pub path: String,
    pub text: String,
}

/// What a site is made of.
pub struct Input<'a> {
    pub title: &'a str,
    pub library: &'a Library,
    pub sources: &'a Sources,
    /// In the order they are shown.
    pub files: &'a [FileId],
    pub mistakes: &'a [Diagnostic],
    /// So many pages are written side by side; it does not change them.
    pub threads: usize,
}

/// One item with a page.
pub struct Entry<'a> {
    pub id: ItemId,
    pub item: &'a Item,
    pub name: String,
    pub url: String,
    /// Where its file stands among those that are shown.
    pub file: usize,
}

/// An item that could not be read.
pub struct Unread {
    pub name: String,
    pub url: String,
    pub file: usize,
}

pub struct SourcePage<'a> {
    pub id: FileId,
    /// As it is shown: `mine.rnn`.
    pub path: String,
    pub url: String,
    pub text: &'a str,
    /// Places where lines begin.
    lines: Vec<usize>,
}

/// Everything that pages link to.
pub struct Site<'a> {
    pub input: &'a Input<'a>,
    pub files: Vec<SourcePage<'a>>,
    pub entries: Vec<Entry<'a>>,
    pub unread: Vec<Unread>,
    by_item: BTreeMap<ItemId, usize>,
    /// For each entry those whose names it mentions.
    pub uses: Vec<BTreeSet<usize>>,
}

/// All pages, in a fixed order.
pub fn site(input: &Input) -> Vec<Page> {
    let site = Site::new(input);
    let page = |path: &str, text: String| Page { path: path.into(), text };
    let mut pages = vec![page("style.css", frame::STYLE.into()), page("names.js", frame::NAMES.into())];
    pages.push(page("index.html", index::page(&site)));
    pages.extend((0..site.files.len()).map(|f| page(&site.files[f].url, file::page(&site, f))));
    pages.extend(site.unread.iter().map(|u| page(&u.url, item::unread_page(&site, u))));
    let texts = side_by_side(site.entries.len(), input.threads, &|i| item::page(&site, i));
    pages.extend(site.entries.iter().zip(texts).map(|(entry, text)| page(&entry.url, text)));
    pages
}

/// Results in order, whoever computes them.
fn side_by_side(count: usize, threads: usize, make: &(dyn Fn(usize) -> String + Sync)) -> Vec<String> {
    let next = AtomicUsize::new(0);
    let done: Mutex<BTreeMap<usize, String>> = Mutex::default();
    let work = || {
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            if i >= count {
                return;
            }
            let text = make(i);
            done.lock().unwrap_or_else(PoisonError::into_inner).insert(i, text);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads.min(count) {
            scope.spawn(work);
        }
        work();
    });
    done.into_inner().unwrap_or_else(PoisonError::into_inner).into_values().collect()
}

impl<'a> Site<'a> {
    fn new(input: &'a Input<'a>) -> Site<'a> {
        let mut urls = Urls::default();
        let paths = shortened(input.files.iter().map(|f| input.sources.get(*f).path.as_str()).collect());
        let mut files = Vec::new();
        for (id, path) in input.files.iter().zip(paths) {
            let text: &str = &input.sources.get(*id).text;
            let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
            let url = urls.free(&format!("file.{}", path.trim_end_matches(".rnn")));
            files.push(SourcePage { id: *id, path, url, text, lines });
        }
        let (mut entries, mut unread) = (Vec::new(), Vec::new());
        for (f, source) in files.iter().enumerate() {
            let ids = input.library.file(source.id).map_or(&[][..], |file| &file.items);
            let stem = source.path.trim_end_matches(".rnn").replace('/', ".");
            let mut known = BTreeSet::new();
            for id in ids {
                let item = input.library.item(*id);
                let Some(name) = item_name(item) else { continue };
                known.insert(name.name.clone());
                let url = urls.free(&format!("{stem}.{}", name.name));
                entries.push(Entry { id: *id, item, name: name.name.to_string(), url, file: f });
            }
            for heading in outline(source.text) {
                if let Some(name) = heading.name.filter(|n| !known.contains(n)) {
                    let url = urls.free(&format!("{stem}.{name}"));
                    unread.push(Unread { name: name.to_string(), url, file: f });
                }
            }
        }
        let by_item = entries.iter().enumerate().map(|(i, e)| (e.id, i)).collect();
        let mut site = Site { input, files, entries, unread, by_item, uses: Vec::new() };
        site.uses = (0..site.entries.len()).map(|i| site.mentioned(i)).collect();
        site
    }

    /// The entries that the text of one names.
    fn mentioned(&self, i: usize) -> BTreeSet<usize> {
        let entry = &self.entries[i];
        let text = self.input.sources.text(entry.item.span);
        let words = lex::tokens(text).into_iter().filter(|t| t.kind == Kind::Word).map(|t| t.text);
        words.filter_map(|word| self.leads_to(entry.file, word)).filter(|to| *to != i).collect()
    }

    /// The entry that a name means in a file.
    pub fn leads_to(&self, file: usize, name: &str) -> Option<usize> {
        let id = self.input.library.lookup(self.files[file].id, &names::canonical(name))?;
        self.by_item.get(&id).copied()
    }

    pub fn used_by(&self, i: usize) -> impl Iterator<Item = usize> + '_ {
        (0..self.entries.len()).filter(move |j| self.uses[*j].contains(&i))
    }

    /// The line of a place, from 1.
    pub fn line(&self, span: Span) -> usize {
        let file = self.files.iter().find(|f| f.id == span.file);
        file.map_or(1, |f| f.lines.partition_point(|at| *at <= span.start as usize))
    }

    /// What is wrong within an item.
    pub fn mistakes(&self, item: &Item) -> impl Iterator<Item = &'a Diagnostic> {
        let span = item.span;
        let within = move |at: Span| at.file == span.file && span.start <= at.start && at.end <= span.end;
        let mistakes: &'a [Diagnostic] = self.input.mistakes;
        mistakes.iter().filter(move |d| d.is_error() && d.labels.first().is_some_and(|l| within(l.span)))
    }

    /// The other items of the file of an entry that speak of it: tests, checks, layouts.
    pub fn about(&self, i: usize) -> Vec<&'a Item> {
        let entry = &self.entries[i];
        let file = self.files[entry.file].id;
        let speaks = |item: &&'a Item| match &item.kind {
            ItemKind::Layout(layout) => *layout.cell.name == *entry.name,
            ItemKind::Test(_) | ItemKind::Check(_) => {
                let words = lex::tokens(self.input.sources.text(item.span)).into_iter();
                words.filter(|t| t.kind == Kind::Word).any(|t| self.leads_to(entry.file, t.text) == Some(i))
            }
            _ => false,
        };
        self.input.library.items(file).filter(speaks).collect()
    }
}

/// Names of pages, each once, also where capitals do not count.
#[derive(Default)]
struct Urls {
    taken: BTreeSet<String>,
}

impl Urls {
    fn free(&mut self, wanted: &str) -> String {
        let plain: String = names::ascii(wanted)
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '-' })
            .collect();
        let plain = plain.trim_matches(['.', '-']);
        let plain = if plain.is_empty() { "page" } else { plain };
        let mut name = format!("{plain}.html");
        let mut number = 2;
        while !self.taken.insert(name.to_lowercase()) || name.eq_ignore_ascii_case("index.html") {
            name = format!("{plain}-{number}.html");
            number += 1;
        }
        name
    }
}

/// Paths without what all of them begin with.
fn shortened(paths: Vec<&str>) -> Vec<String> {
    let folder = |path: &str| path.rfind('/').map_or(0, |at| at + 1);
    let first = paths.first().map_or("", |p| &p[..folder(p)]);
    let mut shared = first.len();
    for path in &paths {
        let same = first.bytes().zip(path.bytes()).take_while(|(a, b)| a == b).count();
        shared = shared
            .min(first[..first.floor_char_boundary(same.min(shared))].rfind('/').map_or(0, |at| at + 1));
    }
    paths.iter().map(|p| p[shared..].trim_start_matches("<stdlib>/").to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lose_the_folder_they_share() {
        let short = |paths: &[&str]| shortened(paths.to_vec());
        assert_eq!(short(&["a/b/c.rnn", "a/b/d/e.rnn"]), ["c.rnn", "d/e.rnn"]);
        assert_eq!(short(&["a/b.rnn"]), ["b.rnn"]);
        assert_eq!(short(&["ab/x.rnn", "ac/x.rnn"]), ["ab/x.rnn", "ac/x.rnn"]);
        assert_eq!(short(&["<stdlib>/x.rnn", "mine.rnn"]), ["x.rnn", "mine.rnn"]);
    }

    #[test]
    fn names_of_pages_differ_in_more_than_capitals() {
        let mut urls = Urls::default();
        let made = ["a.Ab", "a.ab", "σ", "../x", "index"].map(|n| urls.free(n));
        assert_eq!(made, ["a.Ab.html", "a.ab-2.html", "sigmoid.html", "x.html", "index-2.html"]);
    }
}
