//! The mistakes that are found in the text alone.

use crate::diag::{Diagnostic, is_invisible};
use crate::limits;
use crate::source::Span;

pub fn unexpected(span: Span, found: &str, expected: &str) -> Diagnostic {
    Diagnostic::error("E0101", format!("unexpected {found}")).at(span, format!("expected {expected}"))
}

pub fn bare_if(span: Span, operator: &str) -> Diagnostic {
    Diagnostic::error("E0123", format!("an `if` cannot follow `{operator}` as it is"))
        .at(span, "where it ends would not be clear")
        .help("put the `if` in parentheses: `(if … then … else …)`")
}

/// The grammar took it and the tree did not; a rule of one is unknown to the other.
pub fn unread(span: Span) -> Diagnostic {
    Diagnostic::error("E0101", "this cannot be read").at(span, "here")
}

/// The formatter contradicts the parser.
pub fn unfaithful(file: Span, what: &str) -> Diagnostic {
    Diagnostic::error("E0601", "this file cannot be formatted")
        .at(file, "the file stays as it is")
        .with_note(what)
        .help("this is a mistake in rnnc, not in your file: please report it with the file")
}

pub fn nothing_here(span: Span) -> Diagnostic {
    Diagnostic::error("E0101", "there is nothing to read").at(span, "expected an expression")
}

pub fn no_item(span: Span, word: &str, near: Option<&str>) -> Diagnostic {
    let error = Diagnostic::error("E0102", format!("no item begins with `{word}`"))
        .at(span, "what stands in column one begins an item");
    match near {
        Some(near) => error.help(format!("did you mean `{near}`?")),
        None => error
            .help("an item is a `use`, `cell`, `layer`, `model`, `fn`, `layout`, `test` or `check`; indent what belongs to the item above"),
    }
}

pub fn unknown_character(span: Span, c: char, mend: Option<String>) -> Diagnostic {
    let error = match c {
        c if c.is_control() || is_invisible(c) => {
            Diagnostic::error("E0103", format!("the character U+{:04X} may not stand here", c as u32))
        }
        c if c.is_numeric() => Diagnostic::error("E0103", format!("`{c}` may not stand in a name")),
        '“' | '”' | '„' | '‟' | '«' | '»' | '‘' | '’' => {
            Diagnostic::error("E0103", format!("`{c}` is no plain quote"))
        }
        c => Diagnostic::error("E0103", format!("`{c}` is no operator")),
    }
    .at(span, "not part of the language");
    match mend {
        Some(mend) => error.help(mend),
        None if is_invisible(c) => {
            error.help("remove it: it cannot be seen, and may turn round what is around it")
        }
        None => error,
    }
}

pub fn unclosed(opener: Span, text: &str, closer: Option<(Span, &str)>) -> Diagnostic {
    let error = Diagnostic::error("E0104", format!("`{text}` is never closed")).at(opener, "opened here");
    let partner = match text {
        "(" => ")",
        "[" => "]",
        _ => "}",
    };
    match closer {
        Some((span, found)) => error
            .at(span, format!("`{found}` does not close it"))
            .help(format!("add `{partner}` before this `{found}`")),
        None => error.help(format!("add `{partner}` where the item ends")),
    }
}

pub fn unopened(span: Span, text: &str) -> Diagnostic {
    Diagnostic::error("E0105", format!("`{text}` closes nothing")).at(span, "no bracket is open here")
}

pub fn open_string(span: Span) -> Diagnostic {
    Diagnostic::error("E0106", "the string has no end")
        .at(span, "begins here")
        .help("a string ends on its line with `\"`; a quote in it is `\\\"`")
}

pub fn unknown_escape(span: Span, c: char) -> Diagnostic {
    Diagnostic::error("E0106", format!("unknown escape `\\{c}` in a string"))
        .at(span, "in this string")
        .help("the escapes are `\\\"`, `\\\\`, `\\n` and `\\t`")
}

pub fn column_one(span: Span, opener: Option<Span>) -> Diagnostic {
    Diagnostic::error("E0107", "text in column one inside a body")
        .at(span, "indent this")
        .at_some(opener, "the body begins here")
        .help("only `}` and `)` stand in column one inside an item; everything else there begins a new item")
}

pub fn doc_after_code(span: Span) -> Diagnostic {
    Diagnostic::error("E0108", "documentation stands on a line of its own")
        .at(span, "after code on this line")
        .help("put `##` above the statement it describes, or write a comment with one `#`")
}

pub fn lone_doc(span: Span) -> Diagnostic {
    Diagnostic::error("E0108", "documentation of nothing")
        .at(span, "no item or statement follows")
        .help("a comment begins with one `#`")
}

pub fn juxtaposed(left: Span, left_text: &str, right: Span, right_text: &str) -> Diagnostic {
    let help = if left_text.starts_with(|c: char| c.is_ascii_digit()) {
        format!("a number times something is `{left_text} * {right_text}`")
    } else {
        format!(
            "the matrix product is `{left_text} @ {right_text}`, the elementwise product `{left_text} ⊙ {right_text}`"
        )
    };
    Diagnostic::error("E0109", format!("no operator between `{left_text}` and `{right_text}`"))
        .at(left.to(right), "two operands side by side")
        .help(help)
}

pub fn no_operand(span: Span, operator: &str) -> Diagnostic {
    Diagnostic::error("E0122", format!("`{operator}` has nothing behind it"))
        .at(span, "an operand is missing here")
}

pub fn prefix_out_of_place(span: Span, word: &str) -> Diagnostic {
    Diagnostic::error("E0123", format!("`{word}` cannot stand behind this operator"))
        .at(span, "binds looser than the operator before it")
        .help(format!(
            "put it and its operand in parentheses: `({word}{}a)`",
            if word == "not" { " " } else { "" }
        ))
}

pub fn same_line(first: Span, second: Span, word: &str) -> Diagnostic {
    Diagnostic::error("E0110", "two statements on one line")
        .at(second, "a second statement begins here")
        .at(first, "after this one")
        .help(format!("put `;` or a new line before `{word}`, or an operator if it is one expression"))
}

pub fn word_as_name(span: Span, word: &str) -> Diagnostic {
    let what = if super::lex::RESERVED.contains(&word) {
        format!("`{word}` is reserved and cannot be a name")
    } else {
        format!("`{word}` begins a statement and cannot be a name")
    };
    Diagnostic::error("E0111", what).at(span, "as a name").help("choose another name")
}

pub fn defines_not_compares(span: Span) -> Diagnostic {
    Diagnostic::error("E0112", "`=` defines, `==` compares").at(span, "defines").help("write `==` here")
}

pub fn comparison_chain(first: Span, second: Span, example: Option<(String, String)>) -> Diagnostic {
    let error = Diagnostic::error("E0113", "comparisons do not chain")
        .at(second, "a second comparison")
        .at(first, "after this one");
    match example {
        Some((left, right)) => error.help(format!("write `{left} and {right}`")),
        None => error.help("write `a < b and b < c`"),
    }
}

pub fn missing_equals(span: Span, name: &str, next: Span) -> Diagnostic {
    Diagnostic::error("E0114", format!("`=` is missing after `{name}`"))
        .at(next, "expected `=` before this")
        .at(span, "what is to be defined")
}

pub fn brace_lengths(first: Span, first_len: usize, other: Span, other_len: usize) -> Diagnostic {
    Diagnostic::error("E0115", format!("the brace groups list {first_len} and {other_len} words"))
        .at(first, format!("{first_len} words"))
        .at(other, format!("{other_len} words"))
        .help("all brace groups of an equation run in step, so they list equally many words")
}

pub fn braces_on_the_right(span: Span, text: &str) -> Diagnostic {
    Diagnostic::error("E0116", "braces on the right want braces on the left").at(span, format!("`{text}` stands for several names"))
        .help("give the left side as many words, `{a b} = …`, or use the group as an argument, as in `rows(W_{a b})`")
}

pub fn braces_in_plain_name(span: Span, text: &str) -> Diagnostic {
    Diagnostic::error("E0116", format!("`{text}` stands for several names where one is wanted"))
        .at(span, "one name")
}

pub fn sum_ends_early(name: Span, binder: Span, text: &str, body: Span) -> Diagnostic {
    Diagnostic::error("E0117", format!("the reduction over `{text}` ends before this `{text}`"))
        .at(name, format!("`{text}` has no value here"))
        .at(body, "the body is one product")
        .at(binder, "bound here")
        .help("put the body in parentheses: `(a + b)`")
}

pub fn one_word_group(span: Span) -> Diagnostic {
    Diagnostic::error("E0118", "a brace group lists two or more words")
        .at(span, "in this name")
        .help("words stand between single spaces: `W_{i f o}`")
}

pub fn number_too_great(span: Span, text: &str) -> Diagnostic {
    Diagnostic::error("E0119", format!("`{text}` is too great for a number"))
        .at(span, "beyond 1.8e308")
        .help("infinity is `inf`")
}

pub fn misplaced(span: Span, what: &str, item: &str, help: &str) -> Diagnostic {
    Diagnostic::error("E0120", format!("{what} does not belong in a {item}")).at(span, "here").help(help)
}

pub fn missing_shape(span: Span, found: &str, keyword: &str) -> Diagnostic {
    Diagnostic::error("E0121", format!("this `{keyword}` has no shape"))
        .at(span, format!("expected `:` and a shape before {found}"))
        .help(format!("for example `{keyword} name : [H]`; `[]` is a scalar"))
}

pub fn missing_init_sign(span: Span, found: &str) -> Diagnostic {
    Diagnostic::error("E0121", "no sign before the initial value")
        .at(span, format!("`= {found}…` for a value, `~ {found}…` for a distribution"))
}

/// A reader need not have read further than the limit to know.
pub fn file_too_large(span: Span, limit: usize) -> Diagnostic {
    let limit = limits::bytes(limit as u128);
    Diagnostic::error("E0901", format!("the file has more than {limit} of text, which is the limit"))
        .at(span, "in this file")
        .help(format!("split it into files that `use` each other; {}", limits::raise(limits::SOURCE)))
}

pub fn too_deep(span: Span, limit: usize) -> Diagnostic {
    Diagnostic::error("E0902", format!("nested more than {limit} deep"))
        .at(span, "too deep here")
        .help("give an inner expression a name of its own")
}

pub fn too_long(span: Span, limit: usize) -> Diagnostic {
    Diagnostic::error("E0903", format!("an expression of more than {limit} operators"))
        .at(span, "too long here")
        .help("give a part of it a name of its own")
}

pub fn too_costly(span: Span) -> Diagnostic {
    Diagnostic::error("E0904", "this item takes too long to read")
        .at(span, "in this item")
        .help("split it into smaller items")
}
