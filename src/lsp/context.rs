//! What a place in a text is surrounded by, as tokens tell.

use crate::syntax::lex::{self, Kind, Token};

/// The brackets that are open at a place, and what stands before it.
#[derive(Debug)]
pub struct Context<'t> {
    /// Of the text before the place, without a word that ends there.
    pub tokens: Vec<Token<'t>>,
    /// Open brackets, outermost first.
    pub opens: Vec<Open>,
    /// Where the word at the place begins.
    pub word_start: usize,
    /// Inside a comment, documentation or a string nothing is completed.
    pub is_quoted: bool,
}

#[derive(Clone, Copy, Debug)]
pub struct Open {
    /// Which token.
    pub token: usize,
    /// Commas behind it that no other bracket holds.
    pub commas: usize,
}

/// A call whose arguments hold the place.
#[derive(Clone, Debug, PartialEq)]
pub struct Call<'t> {
    pub callee: &'t str,
    /// Where the callee stands.
    pub start: usize,
    /// Which group of arguments: 0 for the first.
    pub group: usize,
    pub argument: usize,
    /// The name of the argument, if it is written.
    pub named: Option<&'t str>,
}

pub fn context(text: &str, offset: usize) -> Context<'_> {
    let before = text.get(..offset).unwrap_or(text);
    let mut tokens = lex::tokens(before);
    let line = before.rfind('\n').map_or(0, |i| i + 1);
    let covered = tokens.last().map_or(0, |t| t.end());
    let gap = before.get(covered.max(line)..).unwrap_or_default();
    let is_quoted = gap.contains('#')
        || tokens.last().is_some_and(|t| matches!(t.kind, Kind::OpenStr | Kind::Doc) && t.start >= line);
    let mut word_start = offset;
    if let Some(last) = tokens.last().filter(|t| t.kind == Kind::Word && t.end() == before.len()) {
        word_start = last.start;
        tokens.pop();
    }
    let mut opens: Vec<Open> = Vec::new();
    for (i, t) in tokens.iter().enumerate() {
        match t.kind {
            // An item begins anew, whatever was left open.
            Kind::Word if is_item(before, t) => opens.clear(),
            Kind::Open => opens.push(Open { token: i, commas: 0 }),
            Kind::Close => drop(opens.pop()),
            Kind::Op if t.is(",") => {
                if let Some(open) = opens.last_mut() {
                    open.commas += 1;
                }
            }
            _ => {}
        }
    }
    Context { tokens, opens, word_start, is_quoted }
}

fn is_item(text: &str, t: &Token<'_>) -> bool {
    let column_one = t.start == 0 || text.as_bytes().get(t.start - 1) == Some(&b'\n');
    column_one && lex::ITEM.contains(&t.text)
}

impl<'t> Context<'t> {
    pub fn before(&self) -> Option<&Token<'t>> {
        self.tokens.last()
    }

    /// The innermost call around the place.
    pub fn call(&self) -> Option<Call<'t>> {
        for open in self.opens.iter().rev() {
            let token = self.tokens.get(open.token)?;
            if token.is("{") {
                return None;
            }
            if !token.is("(") {
                continue;
            }
            let (mut at, mut group) = (open.token, 0);
            // `F(s)(x)`: go back over whole groups.
            while let Some(close) =
                at.checked_sub(1).filter(|i| self.tokens.get(*i).is_some_and(|t| t.is(")")))
            {
                at = self.opener(close)?;
                group += 1;
            }
            let callee = at.checked_sub(1).and_then(|i| self.tokens.get(i)).filter(|t| t.kind == Kind::Word);
            let is_word = |t: &&Token<'t>| !lex::RESERVED.contains(&t.text);
            if let Some(callee) = callee.filter(is_word) {
                let inside = self.tokens.get(open.token + 1..).unwrap_or_default();
                return Some(Call {
                    callee: callee.text,
                    start: callee.start,
                    group,
                    argument: open.commas,
                    named: named(inside),
                });
            }
        }
        None
    }

    fn opener(&self, close: usize) -> Option<usize> {
        let mut depth = 0usize;
        for (i, t) in self.tokens.iter().enumerate().take(close + 1).rev() {
            match t.kind {
                Kind::Close => depth += 1,
                Kind::Open => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        return Some(i);
                    }
                }
                _ => {}
            }
        }
        None
    }

    /// The words in front of the innermost block in braces: `train`, `data`, `at leaf`.
    pub fn block(&self) -> Option<&'t str> {
        let open = self.opens.iter().rev().find(|o| self.tokens.get(o.token).is_some_and(|t| t.is("{")))?;
        let before = self.tokens.get(..open.token)?;
        before.last().filter(|t| t.kind == Kind::Word).map(|t| t.text)
    }
}

/// In `a, b = |` the name `b`.
fn named<'t>(inside: &[Token<'t>]) -> Option<&'t str> {
    let mut depth = 0usize;
    let mut start = 0;
    for (i, t) in inside.iter().enumerate() {
        match t.kind {
            Kind::Open => depth += 1,
            Kind::Close => depth = depth.saturating_sub(1),
            Kind::Op if depth == 0 && t.is(",") => start = i + 1,
            _ => {}
        }
    }
    match inside.get(start..)? {
        [name, eq, ..] if name.kind == Kind::Word && eq.is("=") => Some(name.text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(text: &str) -> Option<(String, usize, usize, Option<String>)> {
        let at = text.find('|').unwrap();
        let text = text.replace('|', "");
        let found = context(&text, at).call();
        found.map(|c| (c.callee.to_string(), c.group, c.argument, c.named.map(str::to_string)))
    }

    #[test]
    fn the_innermost_call_is_found() {
        let some = |name: &str, group, argument, named: Option<&str>| {
            Some((name.to_string(), group, argument, named.map(str::to_string)))
        };
        assert_eq!(call("  y = C(I, |"), some("C", 0, 1, None));
        assert_eq!(call("  y = C(I, H)(x, h0 = |"), some("C", 1, 1, Some("h0")));
        assert_eq!(call("  y = C(2*(I + |"), some("C", 0, 0, None));
        assert_eq!(call("  y = C(D(1, 2), reset = a|"), some("C", 0, 1, Some("reset")));
        assert_eq!(call("cell A(I) {\n  h = tanh(|"), some("tanh", 0, 0, None));
        assert_eq!(call("cell A(I) {\n  h = |"), None);
    }

    #[test]
    fn comments_and_strings_are_quoted() {
        assert!(context("x # y", 5).is_quoted);
        assert!(context("## y", 4).is_quoted);
        assert!(context("use \"a", 6).is_quoted);
        assert!(!context("## y\nx", 6).is_quoted);
        assert!(!context("# y\n", 4).is_quoted);
    }
}
