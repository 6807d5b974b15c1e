//! The grammar of rnnc's language: texts in normal form ([`normal`]), their tokens ([`lex`]) and items ([`cut`](mod@cut)), and the
//! parser that pest derives from `rnn.pest`: text of an item to pairs, which `rnnc::syntax` makes a tree of.
//!
//! A crate of its own, as every run of rnnc reads the stdlib by it, and derived parsers are slow where they are not optimised: this one
//! is in debug builds too.

pub mod cut;
pub mod lex;
pub mod normal;

use pest::Parser;
use pest::error::Error;
use pest::iterators::Pairs;
use std::num::NonZeroUsize;
use std::sync::Once;

mod derived {
    #[derive(pest_derive::Parser)]
    #[grammar = "rnn.pest"]
    pub struct Grammar;
}
pub use derived::Rule;

/// A bound on the parser's work on one piece of text, far above what a file of the usual greatest size needs.
const MAX_CALLS: NonZeroUsize = NonZeroUsize::new(400_000_000).unwrap();

/// Reads a text by a rule.
// The error is as large as pest makes it, and rnnc makes a diagnostic of it at once.
#[allow(clippy::result_large_err)]
pub fn parse(rule: Rule, text: &str) -> Result<Pairs<'_, Rule>, Error<Rule>> {
    static LIMIT: Once = Once::new();
    LIMIT.call_once(|| pest::set_call_limit(Some(MAX_CALLS)));
    derived::Grammar::parse(rule, text)
}
