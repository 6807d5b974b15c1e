//! Text to tree.
//!
//! In: a file of [`Sources`]. Out: an [`ast::File`] with every item that could be read, and one
//! diagnostic for each that could not. Printing a tree and parsing it again gives the same tree.
//!
//! The file is normalised ([`text`]), cut into items ([`cut`]), each is bounded ([`nesting`]), read by
//! the grammar (all of which `grammar/` does), made into a tree ([`convert`]) and checked ([`check`]). Where the
//! grammar fails, [`explain`] finds the sentence that helps. [`format()`] is the way back: text to text in canonical form,
//! by the printer of trees, with what the tree leaves out ([`trivia`]).

pub mod ast;
mod check;
mod convert;
mod early;
mod errors;
mod explain;
mod foreign;
mod format;
mod mend;
pub mod names;
mod nesting;
pub mod print;
mod removal;
pub(crate) mod text;
mod trivia;
pub mod visit;

pub use format::{Format, Spelling, bare, format, format_within};
pub use removal::removal;
pub(crate) use rnnc_grammar::{cut, lex};

use crate::diag::{Diagnostic, Fallible};
use crate::limits::Limits;
use crate::source::{FileId, Sources};
use convert::{Convert, Node};
use lex::{Kind, Token};
use rnnc_grammar::Rule;
use std::ops::Range;
use text::Text;

/// The parser calls itself a dozen times for each level of nesting: more than a default stack holds.
const STACK: usize = 64 << 20;

/// Words that are reserved, or begin an item or statement.
pub fn words() -> impl Iterator<Item = &'static str> {
    lex::RESERVED.into_iter().chain(lex::ITEM).chain(lex::STATEMENT)
}

/// Operators and punctuation.
pub fn signs() -> impl Iterator<Item = &'static str> {
    lex::OPS.into_iter().chain(lex::PUNCTUATION)
}

/// Parses a whole file. Items with mistakes are left out of the tree.
pub fn parse(sources: &Sources, file: FileId) -> (ast::File, Vec<Diagnostic>) {
    parse_within(sources, file, &Limits::DEFAULT)
}

/// [`parse`], for a file of at most `limits.source` bytes and `limits.tokens` tokens.
pub fn parse_within(sources: &Sources, file: FileId, limits: &Limits) -> (ast::File, Vec<Diagnostic>) {
    on_large_stack(|| file_of(sources, file, limits))
}

fn file_of(sources: &Sources, file: FileId, limits: &Limits) -> (ast::File, Vec<Diagnostic>) {
    let original = &sources.get(file).text;
    let text = Text::new(file, original);
    let mut tree = ast::File::default();
    let bytes = text.text.len().max(original.len());
    if bytes > limits.source {
        return (tree, vec![errors::file_too_large(text.span(0, 0), limits.source)]);
    }
    let tokens = lex::tokens(&text.text);
    let mut left = limits.tokens;
    let beyond = tokens.iter().find(|t| match left.checked_sub(t.weight()) {
        Some(rest) => {
            left = rest;
            false
        }
        None => true,
    });
    if let Some(beyond) = beyond {
        return (tree, vec![errors::too_many_tokens(text.span(beyond.start, beyond.start), limits.tokens)]);
    }
    let mut errors = Vec::new();
    for chunk in cut::cut(&text.text, &tokens) {
        let (item, more) = item_of(sources, &text, &tokens, &chunk);
        match item {
            Some(item) => tree.items.push(item),
            None => tree.unread.extend(tokens.get(chunk.tokens).and_then(name_of)),
        }
        errors.extend(more);
    }
    (tree, errors)
}

/// The item of a chunk, if it can be read, and what is to be said about it.
fn item_of<'t>(
    sources: &Sources,
    text: &'t Text<'t>,
    tokens: &'t [Token<'t>],
    chunk: &cut::Chunk,
) -> (Option<ast::Item>, Vec<Diagnostic>) {
    let Some(tokens) = tokens.get(chunk.tokens.clone()) else { return (None, Vec::new()) };
    let first = chunk.tokens.start;
    let result = match chunk.fault {
        Some(cut::Fault::NoItem(i)) => Err(explain::no_item(text, tokens, i - first)),
        Some(cut::Fault::ColumnOne(i)) => Err(explain::column_one(text, tokens, i - first)),
        Some(cut::Fault::Brace(i)) => Err(explain::brace_alone(text, tokens, i - first)),
        Some(cut::Fault::LoneDoc(i)) => Err(explain::lone_doc(text, tokens, i - first)),
        None => read(text, tokens, Rule::one_item, |convert, node| convert.item(node)),
    };
    match result {
        Ok((item, more)) => {
            let more = if more.is_empty() { check::item(sources, &item) } else { more };
            let good = !more.iter().any(Diagnostic::is_error);
            (good.then_some(item), more)
        }
        Err(error) => (None, vec![error]),
    }
}

/// How many words, numbers, operators and brackets a text has, each name in braces counted.
pub fn count_tokens(text: &str) -> usize {
    lex::tokens(&Text::new(FileId(0), text).text).iter().map(lex::Token::weight).sum()
}

/// Where the tokens of a text stand, documentation among them. What is no token is one too.
pub fn tokens(text: &str) -> Vec<Range<usize>> {
    lex::tokens(text).iter().map(|t| t.start..t.end()).collect()
}

/// What a file has, without reading it: of each item its keyword and, if it can be found by it, its name.
pub fn outline(text: &str) -> Vec<Heading> {
    // Nothing is reported, so it does not matter which file this is.
    let text = Text::new(FileId(0), text);
    let tokens = lex::tokens(&text.text);
    let headings = cut::cut(&text.text, &tokens).into_iter().map(|chunk| {
        let tokens = tokens.get(chunk.tokens).unwrap_or_default();
        let keyword = tokens.iter().find(|t| is_code(t)).and_then(|t| lex::ITEM.iter().find(|k| t.is(k)));
        Heading { keyword: keyword.copied().unwrap_or_default(), name: name_of(tokens) }
    });
    headings.collect()
}

/// One item of [`outline`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heading {
    pub keyword: &'static str,
    /// Of a cell, layer, model or function, in canonical spelling.
    pub name: Option<ast::Name>,
}

/// Reads one item of a file alone: the one that [`outline`] has at this place.
pub fn parse_item(sources: &Sources, file: FileId, number: usize) -> (Option<ast::Item>, Vec<Diagnostic>) {
    on_large_stack(|| {
        let text = Text::new(file, &sources.get(file).text);
        let tokens = lex::tokens(&text.text);
        let chunk = cut::cut(&text.text, &tokens).into_iter().nth(number);
        chunk.map_or((None, Vec::new()), |chunk| item_of(sources, &text, &tokens, &chunk))
    })
}

/// Parses a recipe such as `CELL(_, 64)`, as the command line's `--cell` takes it.
pub fn parse_recipe(sources: &Sources, file: FileId) -> Fallible<ast::Expr> {
    on_large_stack(|| one(sources, file, Rule::one_recipe))
}

/// Parses one expression, as the command line's `--set` takes it.
pub fn parse_expr(sources: &Sources, file: FileId) -> Fallible<ast::Expr> {
    on_large_stack(|| one(sources, file, Rule::one_expr))
}

fn one(sources: &Sources, file: FileId, rule: Rule) -> Fallible<ast::Expr> {
    let original = &sources.get(file).text;
    let text = Text::new(file, original);
    let (bytes, most) = (text.text.len().max(original.len()), Limits::DEFAULT.source);
    if bytes > most {
        return Err(vec![errors::file_too_large(text.span(0, 0), most)]);
    }
    let tokens = lex::tokens(&text.text);
    let (expr, errors) =
        read(&text, &tokens, rule, |convert, node| convert.expr(node)).map_err(|error| vec![error])?;
    if errors.is_empty() { Ok(expr) } else { Err(errors) }
}

fn on_large_stack<T: Send>(run: impl Fn() -> T + Sync) -> T {
    std::thread::scope(|scope| {
        match std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, &run).map(|t| t.join()) {
            Ok(Ok(value)) => value,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            // Without a thread the parser's own guard refuses what the stack cannot hold.
            Err(_) => run(),
        }
    })
}

/// Reads one piece of text: bounds, grammar, tree.
fn read<'t, T>(
    text: &'t Text<'t>,
    tokens: &'t [Token<'t>],
    rule: Rule,
    make: impl FnOnce(&mut Convert<'t>, Node<'t>) -> Option<T>,
) -> Result<(T, Vec<Diagnostic>), Diagnostic> {
    let (Some(first), Some(last)) = (tokens.first(), tokens.last()) else {
        return Err(errors::nothing_here(text.span(0, text.text.len())));
    };
    explain::before(text, tokens)?;
    let base = first.start;
    let piece = &text.text[base..last.end()];
    let pairs = rnnc_grammar::parse(rule, piece);
    let mut pairs = pairs.map_err(|error| explain::failure(text, base, tokens, &error))?;
    let mut convert = Convert { text, base, tokens, errors: Vec::new() };
    let node = pairs.next().and_then(|whole| whole.into_inner().next());
    let tree = node.and_then(|node| make(&mut convert, node));
    match tree {
        Some(tree) => Ok((tree, convert.errors)),
        None => Err(errors::unread(text.span(base, last.end()))),
    }
}

/// The name of an item that could not be read.
fn name_of(tokens: &[Token]) -> Option<ast::Name> {
    let mut code = tokens.iter().filter(|t| is_code(t));
    let keyword = code.next().filter(|t| matches!(t.text, "cell" | "layer" | "model" | "fn"));
    let name = keyword.and(code.next()).filter(|t| t.kind == Kind::Word)?;
    Some(names::canonical(name.text).into())
}

/// Tokens that are no documentation.
fn is_code(token: &Token) -> bool {
    token.kind != Kind::Doc
}
