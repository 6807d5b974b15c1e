//! The mistakes that are found in the text alone.

use crate::diag::{Diagnostic, Edit, is_invisible};
use crate::limits;
use crate::source::Span;

pub fn unexpected(span: Span, found: &str, expected: &str) -> Diagnostic {
    Diagnostic::error("E0101", format!("unexpected {found}")).at(span, format!("expected {expected}"))
}

pub fn bare_if(span: Span, operator: &str, edits: Vec<Edit>) -> Diagnostic {
    Diagnostic::error("E0123", format!("an `if` cannot follow `{operator}` as it is"))
        .at(span, "where it ends would not be clear")
        .fix_all("put the `if` in parentheses, as far as it reaches", edits)
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
        Some(near) => error.did_you_mean(word, near, span),
        None => error
            .help("an item is a `use`, `cell`, `layer`, `model`, `fn`, `layout`, `test` or `check`; indent what belongs to the item above"),
    }
}

/// The first word of an item of another language.
pub fn foreign_item(span: Span, word: &str, here: &str, help: &str) -> Diagnostic {
    Diagnostic::error("E0102", format!("no item begins with `{word}`"))
        .at(span, format!("it is called `{here}` here"))
        .help(help)
}

pub fn unknown_character(span: Span, c: char, mend: Option<String>, edits: Vec<Edit>) -> Diagnostic {
    let error = match c {
        c if c.is_whitespace() => {
            Diagnostic::error("E0103", format!("U+{:04X} looks like a space and is none", c as u32))
        }
        c if c.is_control() || is_invisible(c) => {
            Diagnostic::error("E0103", format!("the character U+{:04X} may not stand here", c as u32))
        }
        c if c.is_numeric() => Diagnostic::error("E0103", format!("`{c}` may not stand in a name")),
        '“' | '”' | '„' | '‟' | '«' | '»' | '‘' | '’' | '\'' => {
            Diagnostic::error("E0103", format!("`{c}` is no plain quote"))
        }
        c => Diagnostic::error("E0103", format!("`{c}` is no operator")),
    }
    .at(span, "not part of the language");
    let error = match edits.as_slice() {
        [] => error,
        [one] if one.text.is_empty() => error.fix_all("remove it", edits),
        [one, ..] if one.text.trim().is_empty() => error.fix_all("write a plain space", edits),
        [one, ..] => error.fix_all(format!("write `{}`", one.text.trim()), edits),
    };
    match mend {
        Some(mend) => error.help(mend),
        None if is_invisible(c) => {
            error.help("remove it: it cannot be seen, and may turn round what is around it")
        }
        None => error,
    }
}

pub fn unclosed(opener: Span, text: &str, edit: Option<Edit>) -> Diagnostic {
    let error = Diagnostic::error("E0104", format!("`{text}` is never closed")).at(opener, "opened here");
    let title = add_partner(text);
    match edit {
        Some(edit) => error.fix_all(title, vec![edit]),
        None => error.help(title),
    }
}

fn add_partner(text: &str) -> String {
    let partner = super::mend::partner(text);
    match text {
        "{" => format!("add `{partner}` where the item ends"),
        _ => format!("add `{partner}` where it ends"),
    }
}

/// `edit`: with whether all brackets then match.
pub fn mismatch(opener: Span, text: &str, closer: (Span, &str), edit: Option<(Edit, bool)>) -> Diagnostic {
    let (at, found) = closer;
    let error = Diagnostic::error("E0104", format!("`{text}` is never closed"))
        .at(opener, "opened here")
        .at(at, format!("`{found}` does not close it"));
    match edit {
        Some((edit, true)) if edit.span == at => error.fix_all(format!("write `{}`", edit.text), vec![edit]),
        Some((edit, true)) => error.fix_all(add_partner(text), vec![edit]),
        Some((edit, false)) => error.maybe_all(add_partner(text), vec![edit]),
        None => error.help(add_partner(text)),
    }
}

pub fn unopened(span: Span, text: &str) -> Diagnostic {
    Diagnostic::error("E0105", format!("`{text}` closes nothing")).at(span, "no bracket is open here").fix(
        "remove it",
        span,
        "",
    )
}

pub fn open_string(span: Span, edit: Option<Edit>) -> Diagnostic {
    Diagnostic::error("E0106", "the string has no end")
        .at(span, "begins here")
        .help("a string ends on its line with `\"`; a quote in it is `\\\"`")
        .fix_all("end it here", edit.into_iter().collect())
}

pub fn unknown_escape(span: Span, c: char) -> Diagnostic {
    Diagnostic::error("E0106", format!("unknown escape `\\{c}` in a string"))
        .at(span, "in this string")
        .help("the escapes are `\\\"`, `\\\\`, `\\n` and `\\t`")
}

pub fn column_one(span: Span, opener: Option<Span>, edits: Vec<Edit>) -> Diagnostic {
    Diagnostic::error("E0107", "text in column one inside a body")
        .at(span, "indent this")
        .at_some(opener, "the body begins here")
        .help("only `}` and `)` stand in column one inside an item; everything else there begins a new item")
        .fix_all("indent it", edits)
}

pub fn doc_after_code(span: Span) -> Diagnostic {
    Diagnostic::error("E0108", "documentation stands on a line of its own")
        .at(span, "after code on this line")
        .help("put `##` above the statement it describes, or write a comment with one `#`")
        .fix("make it a comment", one_mark(span), "")
}

/// The first of the two `#`.
fn one_mark(doc: Span) -> Span {
    Span { end: doc.start + 1, ..doc }
}

/// `all`: the lines of it.
pub fn lone_doc(span: Span, all: Vec<Span>) -> Diagnostic {
    let edits = all.into_iter().map(|line| Edit { span: one_mark(line), text: String::new() });
    Diagnostic::error("E0108", "documentation of nothing")
        .at(span, "no item or statement follows")
        .fix_all("make it a comment, which begins with one `#`", edits.collect())
}

/// `signs`: the products that may be meant, the likelier first.
pub fn juxtaposed(
    left: Span,
    left_text: &str,
    right: Span,
    right_text: &str,
    signs: [&'static str; 2],
) -> Diagnostic {
    let what = |sign: &str| match sign {
        "@" => "the matrix product",
        "*" => "a number times something",
        _ => "the elementwise product",
    };
    let gap = Span { start: left.end, end: left.end, ..left };
    let mut error =
        Diagnostic::error("E0109", format!("no operator between `{left_text}` and `{right_text}`"))
            .at(left.to(right), "two operands side by side");
    for sign in signs.into_iter().take(if signs[0] == "*" { 1 } else { 2 }) {
        error = error.fix(format!("{} is `{sign}`", what(sign)), gap, format!(" {sign}"));
    }
    error
}

/// `tanh x`.
pub fn argument_without_brackets(name: Span, f: &str, argument: Span, edits: Vec<Edit>) -> Diagnostic {
    Diagnostic::error("E0109", format!("the argument of `{f}` stands in parentheses"))
        .at(name.to(argument), "two operands side by side")
        .fix_all(format!("write `{f}(…)`"), edits)
}

// Other languages.

pub fn foreign(span: Span, sign: &str, help: &str, edits: Vec<Edit>) -> Diagnostic {
    Diagnostic::error("E0124", format!("`{sign}` is not written like this here"))
        .at(span, "from another language")
        .help(help)
        .fix_all(help, edits)
}

/// `a // 2`: a division, or a comment.
pub fn slashes(span: Span, divide: Option<Edit>, comment: Edit) -> Diagnostic {
    Diagnostic::error("E0124", "`//` is not written like this here")
        .at(span, "from another language")
        .maybe_all("a quotient without its fraction is `a div b`", divide.into_iter().collect())
        .maybe_all("a comment begins with `#`", vec![comment])
}

pub fn bars(span: Span, norm: Vec<Edit>, abs: Vec<Edit>) -> Diagnostic {
    Diagnostic::error("E0124", "`|` is no bracket")
        .at(span, "from another language")
        .help("the length of a vector is `norm(x)`, the size of each component `abs(x)`")
        .fix_all("the length of a vector is `norm(x)`", norm)
        .fix_all("the size of each component is `abs(x)`", abs)
}

pub fn text_as_docs(span: Span) -> Diagnostic {
    Diagnostic::error("E0124", "a text is no statement")
        .at(span, "from another language")
        .help("documentation is a line `## …` above what it describes, a comment begins with `#`")
}

pub fn foreign_place(span: Span, edits: Vec<Edit>) -> Diagnostic {
    Diagnostic::error("E0124", "a step is written in square brackets")
        .at(span, "braces list the words of a family")
        .fix_all("write `h[t-1]` for the step before", edits)
}

pub fn commas_in_group(span: Span, edits: Vec<Edit>) -> Diagnostic {
    Diagnostic::error("E0118", "the words of a brace group stand between spaces")
        .at(span, "in this name")
        .fix_all("leave out the commas: `W_{i f o}`", edits)
}

pub fn foreign_statement(span: Span, word: &str, meant: Option<&str>, edits: Vec<Edit>) -> Diagnostic {
    let error = Diagnostic::error("E0124", format!("no statement begins with `{word}`"));
    match meant {
        Some(meant) => error.at(span, "unknown").fix_all(format!("did you mean `{meant}`?"), edits),
        None => error
            .at(span, "not needed")
            .fix_all("an equation is `name = expression`, without a word before it", edits),
    }
}

pub fn no_loop(span: Span, word: &str) -> Diagnostic {
    let help = match word {
        "for" | "while" => {
            "equations hold at every step without a loop; a sum is `∑ k in 1..n: …`, a family `l[k in 1..n] = …`"
        }
        "print" => "`rnnc show` and `rnnc look` show the values of equations",
        _ => "`use \"other.rnn\"` stands outside of items; the standard library is always there",
    };
    Diagnostic::error("E0124", format!("no statement begins with `{word}`")).at(span, "unknown").help(help)
}

pub fn no_body(span: Span, keyword: &str, edits: Vec<Edit>) -> Diagnostic {
    Diagnostic::error("E0124", format!("the statements of a {keyword} stand between `{{` and `}}`"))
        .at(span, "expected `{` here")
        .fix_all("put them between braces", edits)
}

pub fn number_suffix(span: Span, number: &str, edits: Vec<Edit>) -> Diagnostic {
    Diagnostic::error("E0124", "a number has no letter behind it")
        .at(span, "one number")
        .fix_all(format!("write `{number}`"), edits)
}

/// `1_000`, `.5`, `1.`
pub fn number_spelled(span: Span, right: &str, edit: Edit) -> Diagnostic {
    Diagnostic::error("E0124", "a number has digits on both sides of its point, and nothing between them")
        .at(span, "one number")
        .fix_all(format!("write `{right}`"), vec![edit])
}

/// `2c`.
pub fn number_beside_name(span: Span, number: &str, name: &str, gap: Span) -> Diagnostic {
    Diagnostic::error("E0109", format!("no operator between `{number}` and `{name}`"))
        .at(span, "a number and a name")
        .fix("a number times something is `*`", gap, " * ")
}

/// `g : real = 3`.
pub fn equation_with_type(span: Span, edit: Edit) -> Diagnostic {
    Diagnostic::error("E0124", "an equation has no type")
        .at(span, "from another language")
        .help("shapes follow from the right side; what is declared begins with its word, such as `param` or `state`")
        .fix_all("write `name = expression`", vec![edit])
}

/// A letter that looks like the sign of a reduction.
pub fn letter_for_sign(span: Span, letter: &str, sign: &str, word: &str, edit: Edit) -> Diagnostic {
    Diagnostic::error("E0124", format!("this `{letter}` is the letter"))
        .at(span, "no sign of a reduction")
        .help(format!("the sign is `{sign}`, in ASCII `{word}`"))
        .fix_all(format!("write `{sign}`"), vec![edit])
}

pub fn no_domain(span: Span, word: &str, near: Option<&str>) -> Diagnostic {
    let error = Diagnostic::error("E0101", format!("unexpected `{word}`"))
        .at(span, "expected `chain`, `grid` or `tree`")
        .help("a cell is `over chain(t)`, `over grid(i, j)` or `over tree(left, right)`");
    match near {
        Some(near) => error.fix(format!("did you mean `{near}`?"), span, near),
        None => error,
    }
}

/// `a, b = c, d`.
pub fn several_values(span: Span, edits: Vec<Edit>) -> Diagnostic {
    Diagnostic::error("E0124", "an equation has one right side")
        .at(span, "a second one")
        .help("several names on the left take the parts of one value: `a, b = split(v)`")
        .fix_all("give each name an equation of its own", edits)
}

/// `loss = x`: a statement that takes a value.
pub fn value_without_sign(span: Span, word: &str, edit: Edit) -> Diagnostic {
    Diagnostic::error("E0111", format!("`{word}` takes a value without `=`"))
        .at(span, "begins a statement")
        .fix_all(format!("write `{word} …`"), vec![edit])
}

/// `brace`: in column one.
pub fn brace_alone(brace: Span, edits: Vec<Edit>) -> Diagnostic {
    Diagnostic::error("E0107", "a body begins on the line of its header")
        .at(brace, "what stands in column one begins an item")
        .fix_all("put `{` behind the header", edits)
}

pub fn compares_not_defines(span: Span) -> Diagnostic {
    Diagnostic::error("E0112", "`==` compares, `=` defines").at(span, "compares").fix(
        "write `=` here",
        span,
        "=",
    )
}

pub fn no_operand(span: Span, operator: &str) -> Diagnostic {
    Diagnostic::error("E0122", format!("`{operator}` has nothing behind it"))
        .at(span, "an operand is missing here")
        .help("write what it is applied to, or leave it out")
}

/// `whole`: with its operand.
pub fn prefix_out_of_place(span: Span, word: &str, whole: Span) -> Diagnostic {
    Diagnostic::error("E0123", format!("`{word}` cannot stand behind this operator"))
        .at(span, "binds looser than the operator before it")
        .fix_all("put it and its operand in parentheses", around(whole))
}

fn around(span: Span) -> Vec<Edit> {
    let at = |at: u32, text: &str| Edit { span: Span { start: at, end: at, ..span }, text: text.into() };
    vec![at(span.start, "("), at(span.end, ")")]
}

pub fn same_line(first: Span, second: Span, word: &str) -> Diagnostic {
    Diagnostic::error("E0110", "two statements on one line")
        .at(second, "a second statement begins here")
        .at(first, "after this one")
        .help(format!("put `;` or a new line before `{word}`, or an operator if it is one expression"))
        .fix("put `;` between them", Span { start: first.end, ..first }, ";")
}

pub fn word_as_name(span: Span, word: &str, edits: Vec<Edit>) -> Diagnostic {
    let what = if super::lex::RESERVED.contains(&word) {
        format!("`{word}` is reserved and cannot be a name")
    } else {
        format!("`{word}` begins a statement and cannot be a name")
    };
    Diagnostic::error("E0111", what)
        .at(span, "as a name")
        .help("choose another name")
        .fix_all(format!("call it `{word}_`"), edits)
}

pub fn defines_not_compares(span: Span) -> Diagnostic {
    Diagnostic::error("E0112", "`=` defines, `==` compares").at(span, "defines").fix(
        "write `==` here",
        span,
        "==",
    )
}

/// `middle`: what both compare, where it ends and how it is written.
pub fn comparison_chain(first: Span, second: Span, middle: Option<(Span, String)>) -> Diagnostic {
    let error = Diagnostic::error("E0113", "comparisons do not chain")
        .at(second, "a second comparison")
        .at(first, "after this one");
    match middle {
        Some((at, written)) => error.fix("join two comparisons with `and`", at, format!(" and {written}")),
        None => error.help("write `a < b and b < c`"),
    }
}

pub fn missing_equals(span: Span, name: &str, next: Span) -> Diagnostic {
    Diagnostic::error("E0114", format!("`=` is missing after `{name}`"))
        .at(next, "expected `=` before this")
        .at(span, "what is to be defined")
        .fix("an equation is `name = expression`", Span { start: span.end, ..span }, " =")
}

pub fn brace_lengths(
    first: Span,
    first_len: usize,
    other: Span,
    other_len: usize,
    edits: Vec<Edit>,
) -> Diagnostic {
    Diagnostic::error("E0115", format!("the brace groups list {first_len} and {other_len} words"))
        .at(first, format!("{first_len} words"))
        .at(other, format!("{other_len} words"))
        .help("all brace groups of an equation run in step, so they list equally many words")
        .fix_all("list the words of the left side", edits)
}

pub fn braces_on_the_right(span: Span, text: &str) -> Diagnostic {
    Diagnostic::error("E0116", "braces on the right want braces on the left").at(span, format!("`{text}` stands for several names"))
        .help("give the left side as many words, `{a b} = …`, or use the group as an argument, as in `rows(W_{a b})`")
}

pub fn braces_in_plain_name(span: Span, text: &str) -> Diagnostic {
    Diagnostic::error("E0116", format!("`{text}` stands for several names where one is wanted"))
        .at(span, "one name")
}

/// `whole`: the body as it is meant.
pub fn sum_ends_early(name: Span, binder: Span, text: &str, body: Span, whole: Span) -> Diagnostic {
    Diagnostic::error("E0117", format!("the reduction over `{text}` ends before this `{text}`"))
        .at(name, format!("`{text}` has no value here"))
        .at(body, "the body is one product")
        .at(binder, "bound here")
        .fix_all("put the body in parentheses", around(whole))
}

pub fn one_word_group(span: Span, edits: Vec<Edit>) -> Diagnostic {
    Diagnostic::error("E0118", "a brace group lists two or more words")
        .at(span, "in this name")
        .help("words stand between single spaces: `W_{i f o}`")
        .fix_all("write one word without braces", edits)
}

pub fn number_too_great(span: Span, text: &str) -> Diagnostic {
    Diagnostic::error("E0119", format!("`{text}` is too great for a number")).at(span, "beyond 1.8e308").fix(
        "infinity is `inf`",
        span,
        "inf",
    )
}

pub fn misplaced(span: Span, what: &str, item: &str, help: &str) -> Diagnostic {
    Diagnostic::error("E0120", format!("{what} does not belong in a {item}")).at(span, "here").help(help)
}

/// `colon`: where one is missing before a shape.
pub fn missing_shape(span: Span, found: &str, keyword: &str, colon: Option<Edit>) -> Diagnostic {
    Diagnostic::error("E0121", format!("this `{keyword}` has no shape"))
        .at(span, format!("expected `:` and a shape before {found}"))
        .help(format!("for example `{keyword} name : [H]`; `[]` is a scalar"))
        .fix_all("put `:` before the shape", colon.into_iter().collect())
}

pub fn shape_wants_brackets(span: Span, keyword: &str, edits: Vec<Edit>) -> Diagnostic {
    Diagnostic::error("E0121", "a shape stands in square brackets")
        .at(span, "no shape")
        .help(format!("for example `{keyword} name : [H, I]`; `[]` is a scalar"))
        .fix_all("write it in square brackets", edits)
}

pub fn shape_wants_commas(span: Span, edits: Vec<Edit>) -> Diagnostic {
    Diagnostic::error("E0121", "the extents of a shape stand between commas")
        .at(span, "two extents side by side")
        .fix_all("put a comma between them", edits)
}

pub fn missing_init_sign(span: Span, found: &str, sign: Option<&str>) -> Diagnostic {
    let d = Diagnostic::error("E0121", "no sign before the initial value")
        .at(span, format!("`= {found}…` for a value, `~ {found}…` for a distribution"));
    match sign {
        Some(sign) => d.fix(format!("write `{sign}`"), Span { end: span.start, ..span }, format!("{sign} ")),
        None => d.help("a value is `= 0`, a distribution `~ uniform(1/sqrt(H))`"),
    }
}

/// A reader need not have read further than the limit to know.
pub fn file_too_large(span: Span, limit: usize) -> Diagnostic {
    let limit = limits::bytes(limit as u128);
    Diagnostic::error("E0901", format!("the file has more than {limit} of text, which is the limit"))
        .at(span, "in this file")
        .help(format!("split it into files that `use` each other; {}", limits::raise(limits::SOURCE)))
}

pub fn too_many_tokens(span: Span, limit: usize) -> Diagnostic {
    let message =
        format!("the file has more than {limit} words, numbers, operators and brackets, which is the limit");
    Diagnostic::error("E0905", message)
        .at(span, "read up to here")
        .help(format!("split it into files that `use` each other; {}", limits::raise(limits::TOKENS)))
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
