//! What can stand at a place.
//!
//! In: a text, readable or not, and a place. Out: [`Item`]s. What surrounds the place says which kinds of things are meant
//! ([`super::context`]); the names of the item around it come from its tokens ([`super::sketch`]), all others from the library.

use super::builtins::{self, Builtin};
use super::context::{Context, context};
use super::input;
use super::scope::Members;
use super::sketch::{Sketch, sketch};
use super::view::View;
use super::{hover, signature};
use crate::pipeline::views::Stage;
use crate::resolve::{ItemId, item_statics};
use crate::source::Span;
use crate::syntax::ast::{ItemKind, Name};
use crate::syntax::lex::{ITEM, Kind, Token};
use crate::syntax::names::{self, canonical};
use std::collections::BTreeSet;

/// What kind of thing is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    Keyword,
    Value,
    Parameter,
    Dimension,
    Function,
    Cell,
    Field,
    Word,
    Sign,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    pub label: String,
    pub of: Of,
    /// One line beside the label.
    pub detail: String,
    pub docs: String,
    /// What takes the place of `replace`.
    pub insert: String,
    pub replace: Span,
    /// The nearest things first: 0 before 1.
    pub rank: u8,
}

/// Words that begin a statement of an item of this kind.
fn statements(keyword: &str) -> &'static [&'static str] {
    match keyword {
        "cell" => &["in", "mem", "state", "param", "noise", "dim", "part", "at", "out"],
        "layer" => &["param", "noise", "dim", "part", "out"],
        "model" => {
            &["in", "param", "noise", "dim", "part", "out", "loss", "metric", "generate", "data", "train"]
        }
        "fn" => &["dim", "out"],
        "test" => &["part", "set", "expect"],
        _ => &[],
    }
}

const IN_EXPRESSIONS: [&str; 15] = [
    "if", "then", "else", "and", "or", "not", "mod", "div", "true", "false", "sum", "prod", "mean", "concat",
    "where",
];
const TYPES: [&str; 5] = ["seq<", "grid<", "tree<", "id(", "bool"];
const KINDS: [&str; 4] = ["real", "bool", "cell", "fn"];

pub fn complete(view: &View, offset: usize) -> Vec<Item> {
    let text = view.text(view.root);
    let offset = text.floor_char_boundary(offset);
    let context = context(text, offset);
    if context.is_quoted {
        return Vec::new();
    }
    let before = text.get(..offset).unwrap_or_default();
    let at = |start: usize| Span { file: view.root, start: start as u32, end: offset as u32 };
    if let Some(start) = input::begun(before) {
        return signs(at(start));
    }
    let sketches = sketch(view.root, text);
    let around = sketches.iter().rev().find(|s| s.span.start as usize <= offset);
    let replace = at(context.word_start);
    let mut out = Offers { view, text, replace, context: &context, around, items: Vec::new() };
    out.fill();
    // Who types a name in ASCII goes on so.
    let typed = text.get(context.word_start..offset).unwrap_or_default();
    if !typed.is_empty() && typed.is_ascii() {
        out.items.iter_mut().filter(|i| i.insert == i.label).for_each(|i| i.insert = names::ascii(&i.insert));
    }
    let mut seen = BTreeSet::new();
    out.items.retain(|item| seen.insert((item.label.clone(), item.insert.clone())));
    out.items
}

fn signs(replace: Span) -> Vec<Item> {
    let table = input::table();
    let items = table.map(|(word, sign)| Item {
        label: format!("\\{word}"),
        of: Of::Sign,
        detail: sign.clone(),
        docs: String::new(),
        insert: sign,
        replace,
        rank: 0,
    });
    items.collect()
}

struct Offers<'a> {
    view: &'a View,
    text: &'a str,
    replace: Span,
    context: &'a Context<'a>,
    /// The item the place lies in, or follows.
    around: Option<&'a Sketch>,
    items: Vec<Item>,
}

impl Offers<'_> {
    fn add(&mut self, label: &str, of: Of, detail: impl Into<String>, rank: u8) {
        let (detail, insert, replace) = (detail.into(), label.to_string(), self.replace);
        self.items.push(Item { label: label.into(), of, detail, docs: String::new(), insert, replace, rank });
    }

    fn words(&mut self, words: &[&str], rank: u8) {
        for word in words {
            self.add(word, Of::Keyword, "", rank);
        }
    }

    fn builtins(&mut self, all: &[Builtin], of: Of, rank: u8) {
        for b in all {
            self.add(b.name, of, b.signature, rank);
            if let Some(item) = self.items.last_mut() {
                item.docs = b.about.to_string();
            }
        }
    }

    fn fill(&mut self) {
        let context = self.context;
        let column_one =
            self.text.get(..self.replace.start as usize).is_none_or(|t| t.is_empty() || t.ends_with('\n'));
        if context.opens.is_empty() && column_one {
            return self.words(&ITEM, 0);
        }
        let last = context.before().copied();
        let is = |word: &str| last.is_some_and(|t| t.is(word));
        if is(".") {
            return self.fields();
        }
        if is("~") {
            return self.builtins(builtins::DISTRIBUTIONS, Of::Function, 0);
        }
        if is(":") && self.in_reduction().is_none() {
            return self.after_colon();
        }
        if (is("==") || is("!=") || is("≠")) && self.choice_words() {
            return;
        }
        if is("over") {
            return self.words(&["chain(", "grid(", "tree("], 0);
        }
        if is("check") {
            return self.words(&["grad", "snapshot", "weights"], 0);
        }
        if context.opens.is_empty() && is(",") && self.is_snapshot() {
            let stages: Vec<&str> = Stage::names().collect();
            return self.words(&stages, 0);
        }
        match context.block() {
            Some("train") if self.begins_statement() => {
                return self.builtins(builtins::TRAIN_KEYS, Of::Parameter, 0);
            }
            Some("data") => {
                if self.begins_statement() {
                    self.own_names();
                    return self.builtins(builtins::DATA_KEYS, Of::Parameter, 1);
                }
                return self.builtins(builtins::SOURCES, Of::Function, 0);
            }
            _ => {}
        }
        if self.begins_statement() {
            let keyword = self.around.map_or("", |s| s.keyword);
            self.words(statements(keyword), 1);
            self.own_names();
            self.base_names();
            return;
        }
        if self.arguments() {
            return;
        }
        self.own_names();
        self.base_names();
        self.bound_names();
        self.words(&IN_EXPRESSIONS, 3);
        self.builtins(builtins::FUNCTIONS, Of::Function, 2);
        self.builtins(builtins::CONSTANTS, Of::Value, 3);
        self.library();
    }

    /// Whether this is the list of a `check snapshot`.
    fn is_snapshot(&self) -> bool {
        let tokens = &self.context.tokens;
        let check = tokens.iter().rposition(|t| t.is("check"));
        check.and_then(|at| tokens.get(at + 1)).is_some_and(|t| t.is("snapshot"))
    }

    /// Whether a statement may begin here.
    fn begins_statement(&self) -> bool {
        let Some(open) = self.context.opens.last() else { return false };
        let in_block = self.context.tokens.get(open.token).is_some_and(|t| t.is("{"));
        let Some(last) = self.context.before() else { return false };
        let gap = self.text.get(last.end()..self.replace.start as usize).unwrap_or_default();
        let ended = last.ends_operand() && gap.contains('\n') || last.kind == Kind::Doc;
        in_block && (ended || ["{", "}", ";"].iter().any(|p| last.is(p)))
    }

    /// Behind `∑ k ∈ K:` an expression follows, no type.
    fn in_reduction(&self) -> Option<()> {
        let line = self.context.tokens.iter().rev().take_while(|t| !t.is("=") && !t.is("{") && !t.is(";"));
        let words = ["∑", "∏", "sum", "prod", "max", "min", "mean", "concat"];
        line.into_iter().any(|t| words.contains(&t.text)).then_some(())
    }

    fn after_colon(&mut self) {
        let in_header = self
            .context
            .opens
            .last()
            .is_some_and(|o| self.context.tokens.get(o.token).is_some_and(|t| t.is("(")));
        if in_header {
            self.words(&KINDS, 0);
        }
        self.words(&TYPES, 0);
        self.statics();
    }

    /// What the item declares, by its tokens.
    fn own_names(&mut self) {
        let Some(around) = self.around else { return };
        for line in &around.lines {
            let of = match line.word {
                "static" => continue,
                "dim" => Of::Dimension,
                "param" => Of::Parameter,
                _ => Of::Value,
            };
            let detail = self.one_line(line.span);
            for name in line.names.iter().flat_map(|n| n.names()) {
                self.add(&name, of, detail.clone(), 0);
            }
        }
        self.statics();
    }

    fn statics(&mut self) {
        let Some(around) = self.around else { return };
        for line in around.lines.iter().filter(|l| l.word == "static") {
            let detail = self.one_line(line.span);
            for name in &line.names {
                self.add(&name.text, Of::Dimension, detail.clone(), 1);
            }
        }
    }

    fn one_line(&self, span: Span) -> String {
        let text = self.text.get(span.start as usize..span.end as usize).unwrap_or_default();
        let words: Vec<&str> = text.split_whitespace().collect();
        let line = words.join(" ");
        match line.char_indices().nth(80) {
            Some((i, _)) => format!("{} …", &line[..i]),
            None => line,
        }
    }

    /// What a derived cell has from its base.
    fn base_names(&mut self) {
        let base = self.around.and_then(|s| s.base.as_deref()).map(canonical);
        let Some(id) = base.and_then(|name| self.view.library.lookup(self.view.root, &name)) else { return };
        let members = self.view.members(id);
        let title = crate::resolve::item_name(self.view.library.item(id)).map_or("", |n| &n.written);
        for (name, value) in &members.values {
            let of = if value.word == "param" { Of::Parameter } else { Of::Value };
            self.add(name, of, format!("{} of {title}", value.word), 0);
        }
    }

    /// Index variables of the statement, and those of the domain.
    fn bound_names(&mut self) {
        let tokens = &self.context.tokens;
        let start = self.around.map_or(0, |s| s.span.start as usize);
        let tokens: Vec<&Token<'_>> = tokens.iter().filter(|t| t.start >= start).collect();
        let mut names: Vec<String> = Vec::new();
        let mut here = false;
        for pair in tokens.windows(2).rev() {
            if pair[1].first_on_line && pair[1].kind == Kind::Word {
                here = true;
            }
            let binds = pair[0].kind == Kind::Word && (pair[1].is("in") || pair[1].is("∈"));
            if binds && !here {
                names.push(pair[0].text.to_string());
            }
        }
        if let Some(over) = tokens.iter().position(|t| t.is("over")) {
            let inside = tokens.iter().skip(over + 2).take_while(|t| t.kind == Kind::Open || !t.is("{"));
            names.extend(
                inside
                    .take_while(|t| !t.is("{"))
                    .filter(|t| t.kind == Kind::Word)
                    .map(|t| t.text.to_string()),
            );
        } else if self.around.is_some_and(|s| s.keyword == "cell") {
            names.push("t".into());
        }
        names.retain(|n| n != "in" && n != "prev" && n != "next");
        for name in names {
            self.add(&name, Of::Value, "index", 1);
        }
        if self
            .context
            .opens
            .last()
            .is_some_and(|o| self.context.tokens.get(o.token).is_some_and(|t| t.is("[")))
        {
            self.words(&["prev", "next"], 1);
        }
    }

    /// Cells, layers and functions that are visible.
    fn library(&mut self) {
        let library = &self.view.library;
        let names: Vec<Name> = library.names(self.view.root).cloned().collect();
        for name in names {
            let Some(id) = library.lookup(self.view.root, &name) else { continue };
            let item = library.item(id);
            let of = match item.kind {
                ItemKind::Fn(_) => Of::Function,
                ItemKind::Model(_) => continue,
                _ => Of::Cell,
            };
            self.add(&name, of, hover::header(self.view, item), 2);
            if let Some(last) = self.items.last_mut() {
                last.docs = item.docs.join("\n").trim().to_string();
            }
        }
    }

    /// Names of arguments of the call around the place, or the words of a choice; whether nothing else fits.
    fn arguments(&mut self) -> bool {
        let Some(call) = self.context.call() else { return false };
        let name = canonical(call.callee);
        let part = self.instance_of(&name);
        let Some(id) = part.or_else(|| self.view.library.lookup(self.view.root, &name)) else { return false };
        let members = self.view.members(id);
        let statics = item_statics(self.view.library.item(id));
        if part.is_none() && call.group == 0 && !statics.is_empty() {
            if let Some(named) = call.named {
                let words = members.statics.get(named).map(|s| s.words.clone()).unwrap_or_default();
                words.iter().for_each(|w| self.add(w, Of::Word, format!("a {named} of {name}"), 0));
                return !words.is_empty();
            }
            for s in statics {
                let detail = self.view.sources.text(s.span).to_string();
                self.add_argument(&s.name.written, &detail);
            }
            return false;
        }
        if call.named.is_none() {
            for input in signature::inputs(self.view, id) {
                let name = input.split([' ', ':', '=']).next().unwrap_or_default().to_string();
                self.add_argument(&name, &input);
            }
            for state in members.values.iter().filter(|(_, v)| v.word == "state") {
                self.add_argument(&format!("{}0", state.0), "the state before the first point");
            }
        }
        false
    }

    fn add_argument(&mut self, name: &str, detail: &str) {
        self.add(&format!("{name} ="), Of::Parameter, detail, 0);
        if let Some(item) = self.items.last_mut() {
            item.insert = format!("{name} = ");
        }
    }

    /// `reset == |`: the words of the choice. Whether it is one.
    fn choice_words(&mut self) -> bool {
        let tokens = &self.context.tokens;
        let Some(choice) = tokens.len().checked_sub(2).and_then(|i| tokens.get(i)) else { return false };
        let Some(around) = self.around else { return false };
        let line =
            around.lines.iter().find(|l| l.word == "static" && l.names.iter().any(|n| n.text == choice.text));
        let Some(line) = line else { return false };
        let text = self.text.get(line.span.start as usize..line.span.end as usize).unwrap_or_default();
        let kind = text.split_once(':').map_or("", |(_, k)| k.split('=').next().unwrap_or_default());
        let words: Vec<String> = kind.split('|').map(|w| w.trim().to_string()).collect();
        if words.len() < 2 {
            return false;
        }
        let choice = choice.text.to_string();
        words.iter().for_each(|w| self.add(w, Of::Word, format!("a {choice}"), 0));
        true
    }

    // Behind a dot.

    fn fields(&mut self) {
        let tokens = &self.context.tokens;
        let path = path_before(tokens);
        let Some((first, rest)) = path.split_first() else { return };
        let mut item = self.instance_of(&canonical(first));
        for name in rest {
            let members = item.map(|id| self.view.members(id));
            item = members.and_then(|m| {
                let (symbol, _) = m.field(&canonical(name).as_str().into(), false)?;
                m.instance(&symbol)
            });
        }
        let Some(id) = item else { return };
        let members = self.view.members(id);
        self.offer_fields(&members, id);
    }

    fn offer_fields(&mut self, members: &Members, id: ItemId) {
        let title = crate::resolve::item_name(self.view.library.item(id)).map_or("", |n| &n.written);
        for name in members.outs.keys() {
            self.add(name, Of::Field, format!("output of {title}"), 0);
        }
        for (name, value) in &members.values {
            self.add(name, Of::Field, format!("{} of {title}", value.word), 1);
        }
        for (name, _) in members.values.iter().filter(|(_, v)| v.word == "state") {
            self.add(&format!("{name}_last"), Of::Field, format!("the last value of {name}"), 1);
        }
    }

    /// The cell or layer that a name of this item is an instance of: by its tree, or by the first item its line names.
    fn instance_of(&self, name: &str) -> Option<ItemId> {
        let known = self.view.item_at(self.replace.start).map(|id| self.view.members(id));
        if let Some(id) = known.and_then(|m| m.values.get(name)?.instance) {
            return Some(id);
        }
        let line = self.around?.lines.iter().find(|l| {
            matches!(l.word, "equation" | "part")
                && l.names.iter().any(|n| n.names().iter().any(|n| &**n == name))
        })?;
        let text = self.text.get(line.span.start as usize..line.span.end as usize)?;
        let tokens = crate::syntax::lex::tokens(text);
        let words = tokens.iter().skip_while(|t| !t.is("=")).filter(|t| t.kind == Kind::Word);
        let items = words.filter_map(|t| {
            let id = self.view.library.lookup(self.view.root, &canonical(t.text))?;
            matches!(self.view.library.item(id).kind, ItemKind::Cell(_) | ItemKind::Layer(_)).then_some(id)
        });
        items.into_iter().next()
    }
}

/// `enc.l1.` is `enc`, `l1`.
fn path_before<'t>(tokens: &[Token<'t>]) -> Vec<&'t str> {
    let mut path = Vec::new();
    let mut at = tokens.len();
    while at >= 2 && tokens[at - 1].is(".") {
        at -= 1;
        // `l[k].h`: over the index.
        if tokens[at - 1].is("]") {
            let mut depth = 0usize;
            while at > 0 {
                at -= 1;
                match tokens[at].text {
                    "]" => depth += 1,
                    "[" => depth -= 1,
                    _ => {}
                }
                if depth == 0 {
                    break;
                }
            }
        }
        match at.checked_sub(1).map(|i| &tokens[i]).filter(|t| t.kind == Kind::Word) {
            Some(word) => {
                path.insert(0, word.text);
                at -= 1;
            }
            None => return Vec::new(),
        }
    }
    path
}
