//! From a failure to the sentence that helps: first what can be seen in the tokens alone, then the
//! common slips around the place where the grammar stopped, then what it would have taken.

use super::errors;
use super::lex::{ITEM, Kind, RESERVED, STATEMENT, Token};
use super::mend;
use super::nesting::{self, Fault, MAX_LENGTH, MAX_NESTING};
use super::text::Text;
use super::{Rule, foreign, is_code};
use crate::diag::near::nearest;
use crate::diag::{Diagnostic, Edit};
use crate::source::Span;
use pest::error::{Error, ErrorVariant, InputLocation};

/// Words that go on with a statement behind an expression or a type.
const JOINTS: [&str; 10] = ["over", "of", "for", "within", "per", "where", "until", "from", "with", "in"];

fn span(text: &Text, token: &Token) -> Span {
    text.span(token.start, token.end())
}

/// The place of a token by its index, or an empty place if there is none.
fn place(text: &Text, tokens: &[Token], at: usize) -> Span {
    tokens.get(at).map_or(text.span(0, 0), |t| span(text, t))
}

/// The word in column one at `at` begins no item.
pub fn no_item(text: &Text, tokens: &[Token], at: usize) -> Diagnostic {
    if let Err(error) = characters(text, tokens) {
        return error;
    }
    let word = tokens.get(at).map_or("", |t| t.text);
    if let Some((here, help)) = foreign::item_word(word) {
        return errors::foreign_item(place(text, tokens, at), word, here, help);
    }
    errors::no_item(place(text, tokens, at), word, nearest(word, ITEM.iter()).copied())
}

/// Something stands in column one at `at` inside a bracket.
pub fn column_one(text: &Text, tokens: &[Token], at: usize) -> Diagnostic {
    if let Err(error) = characters(text, tokens) {
        return error;
    }
    // A parenthesis left open makes all that follows look as if it stood inside.
    let opener = match nesting::check(tokens.get(..at).unwrap_or(tokens)) {
        Err(Fault::Unclosed(opener)) => tokens.get(opener),
        _ => None,
    };
    match opener {
        Some(opener) if opener.text != "{" => {
            errors::unclosed(span(text, opener), opener.text, close(text, tokens, opener.start))
        }
        opener => {
            let edits = mend::indentation(text, tokens);
            errors::column_one(place(text, tokens, at), opener.map(|o| span(text, o)), edits)
        }
    }
}

/// What closes the bracket at a byte of the text.
fn close(text: &Text, tokens: &[Token], opener: usize) -> Option<Edit> {
    mend::closing(text, tokens, tokens.iter().position(|t| t.start == opener)?)
}

/// The `{` of a body stands in column one at `at`, and on no line with its header.
pub fn brace_alone(text: &Text, tokens: &[Token], at: usize) -> Diagnostic {
    if let Err(error) = characters(text, tokens) {
        return error;
    }
    let (Some(brace), Some(before)) = (tokens.get(at), at.checked_sub(1).and_then(|k| tokens.get(k))) else {
        return errors::brace_alone(place(text, tokens, at), Vec::new());
    };
    // Its line goes with it, if it has nothing else.
    let rest = text.text.get(brace.end()..).unwrap_or_default();
    let line = rest.split_inclusive('\n').next().unwrap_or_default();
    let end = if line.trim().is_empty() { brace.end() + line.len() } else { brace.end() };
    let edits = vec![mend::insert(text, before.end(), " {"), mend::remove(text, brace.start, end)];
    errors::brace_alone(span(text, brace), edits)
}

pub fn lone_doc(text: &Text, tokens: &[Token], at: usize) -> Diagnostic {
    let all = tokens.iter().skip(at).filter(|t| t.kind == Kind::Doc).map(|t| span(text, t));
    errors::lone_doc(place(text, tokens, at), all.collect())
}

/// What is refused before the grammar runs.
pub fn before(text: &Text, tokens: &[Token]) -> Result<(), Diagnostic> {
    characters(text, tokens)?;
    nesting::check(tokens).map_err(|fault| match fault {
        Fault::Unclosed(i) => {
            let found = tokens.get(i).map_or("", |t| t.text);
            errors::unclosed(place(text, tokens, i), found, mend::closing(text, tokens, i))
        }
        Fault::Unopened(i) => errors::unopened(place(text, tokens, i), tokens.get(i).map_or("", |t| t.text)),
        // Only `}` is to close a block: another bracket was never opened in it.
        Fault::Mismatch(i, j) if tokens.get(i).is_some_and(|t| t.is("{")) => {
            errors::unopened(place(text, tokens, j), tokens.get(j).map_or("", |t| t.text))
        }
        Fault::Mismatch(i, j) => {
            let found = |k: usize| tokens.get(k).map_or("", |t| t.text);
            let closer = (place(text, tokens, j), found(j));
            errors::mismatch(place(text, tokens, i), found(i), closer, mend::mismatch(text, tokens, i, j))
        }
        Fault::TooDeep(i) => errors::too_deep(place(text, tokens, i), MAX_NESTING),
        Fault::TooLong(i) => errors::too_long(place(text, tokens, i), MAX_LENGTH),
    })
}

/// Characters of no token, strings without an end, documentation after code.
fn characters(text: &Text, tokens: &[Token]) -> Result<(), Diagnostic> {
    for (i, token) in tokens.iter().enumerate() {
        let c = token.text.chars().next().unwrap_or(' ');
        match token.kind {
            Kind::Unknown => {
                let edits = mend::characters(text, tokens, i);
                return Err(errors::unknown_character(span(text, token), c, mend::stands_for(c), edits));
            }
            Kind::OpenStr => {
                let edit = mend::end_of_string(text, tokens, i);
                return Err(errors::open_string(span(text, token), edit));
            }
            Kind::Doc if !token.first_on_line => return Err(errors::doc_after_code(span(text, token))),
            Kind::Open if c == '{' && lone_group(tokens, i) => {
                let end = tokens.get(i + 2).map_or(token.end(), |t| t.end());
                return Err(errors::one_word_group(
                    text.span(token.start, end),
                    without_braces(text, tokens),
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

/// `{a}` right behind a name, or behind nothing but followed by one.
fn lone_group(tokens: &[Token], open: usize) -> bool {
    let [Some(brace), Some(word), Some(close)] = [0, 1, 2].map(|k| tokens.get(open + k)) else {
        return false;
    };
    let touches = open
        .checked_sub(1)
        .and_then(|i| tokens.get(i))
        .is_some_and(|t| t.kind == Kind::Word && t.end() == brace.start);
    touches && brace.is("{") && word.kind == Kind::Word && close.is("}")
}

/// All groups of one word without their braces; what stands for this step is left out.
fn without_braces(text: &Text, tokens: &[Token]) -> Vec<Edit> {
    let mut edits = Vec::new();
    for open in (0..tokens.len()).filter(|i| lone_group(tokens, *i)) {
        let (Some(name), Some(brace), Some(word), Some(close)) =
            (tokens.get(open - 1), tokens.get(open), tokens.get(open + 1), tokens.get(open + 2))
        else {
            continue;
        };
        match word.is("t") && name.text.ends_with('_') {
            true => edits.push(mend::remove(text, name.end() - 1, close.end())),
            false => {
                edits.push(mend::remove(text, brace.start, brace.end()));
                edits.push(mend::remove(text, close.start, close.end()));
            }
        }
    }
    edits
}

/// The grammar stopped.
pub fn failure(text: &Text, base: usize, tokens: &[Token], error: &Error<Rule>) -> Diagnostic {
    let whole = text.span(base, tokens.last().map_or(base, |t| t.end()));
    let ErrorVariant::ParsingError { positives, .. } = &error.variant else {
        return errors::too_costly(whole);
    };
    let at = base
        + match error.location {
            InputLocation::Pos(at) => at,
            InputLocation::Span((at, _)) => at,
        };
    let i = tokens.partition_point(|t| t.end() <= at);
    if let Some(slip) = slip(text, tokens, i) {
        return slip;
    }
    let expected = expectation(positives);
    match tokens.get(i) {
        Some(token) => errors::unexpected(span(text, token), &shown(token), &expected),
        None => {
            let end = tokens.last().map_or(base, |t| t.end());
            errors::unexpected(text.span(end, end), "end", &expected)
        }
    }
}

fn shown(token: &Token) -> String {
    let short: String = token.text.chars().take(40).collect();
    match token.kind {
        Kind::Str => format!("string {short}"),
        Kind::Doc => "documentation".to_string(),
        _ => format!("`{short}`"),
    }
}

/// A slip that can be named, around the token where the grammar stopped.
fn slip(text: &Text, tokens: &[Token], i: usize) -> Option<Diagnostic> {
    let at = |k: usize| tokens.get(k);
    let here = at(i);
    let before = i.checked_sub(1).and_then(at);
    let start = statement_start(tokens, i);
    let statement = at(start);
    let reserved = here
        .filter(|t| t.first_on_line && RESERVED.contains(&t.text) && at(i + 1).is_some_and(|t| t.is("=")));
    if let Some(word) = reserved {
        let edits = mend::rename(text, tokens, word.text, word.start, &format!("{}_", word.text));
        return Some(errors::word_as_name(span(text, word), word.text, edits));
    }
    if let Some(slip) = foreign::slip(text, tokens, i, start) {
        return Some(slip);
    }
    // The operand of an operator at the end of a line would be the next statement's first word.
    for k in [i, i.wrapping_sub(1), i.wrapping_sub(2)] {
        if let (Some(operator), Some(next)) = (k.checked_sub(1).and_then(at), at(k))
            && next.first_on_line
            && operator.kind == Kind::Op
            && !operator.ends_operand()
            && ![",", ";", ":"].contains(&operator.text)
        {
            return Some(errors::no_operand(span(text, operator), operator.text));
        }
    }
    if let (Some(here), Some(before)) = (here, before) {
        // A condition is a whole value, an argument or stands in parentheses.
        let in_place = ["=", ",", ";", "(", "[", "{", "}"].contains(&before.text);
        if here.is("if") && before.kind == Kind::Op && !in_place && !before.ends_operand() {
            let last = tokens.get(mend::expression_end(tokens, i))?;
            return Some(errors::bare_if(span(text, here), before.text, mend::parentheses(text, here, last)));
        }
        if here.is("=") {
            if before.first_on_line && [&STATEMENT[..], &RESERVED[..]].concat().contains(&before.text) {
                let new = format!("{}_", before.text);
                let edits = mend::rename(text, tokens, before.text, before.start, &new);
                return Some(errors::word_as_name(span(text, before), before.text, edits));
            }
            if compares(tokens.get(start..i)?) {
                return Some(errors::defines_not_compares(span(text, here)));
            }
        }
        let keyword = statement.filter(|t| ["in", "mem", "state", "param", "noise"].contains(&t.text));
        if let Some(keyword) = keyword {
            let typed = tokens.get(start..i)?.iter().any(|t| t.is(":"));
            if !typed && !here.is(":") && before.kind != Kind::Op && start + 1 < i {
                // `param W[H, I]`: a shape without its colon.
                let bracket = at(start + 2).filter(|t| t.is("[") && before.is("]"));
                let colon = bracket.map(|t| mend::insert(text, t.start, " : "));
                return Some(errors::missing_shape(span(text, here), &shown(here), keyword.text, colon));
            }
            let sign = [i, i - 1].into_iter().find_map(|j| {
                let (close, word) = (at(j.checked_sub(1)?)?, at(j)?);
                let bare = close.is("]") && word.kind == Kind::Word && !word.first_on_line;
                (bare && !JOINTS.contains(&word.text)).then_some(word)
            });
            if let Some(word) = sign.filter(|_| typed) {
                let call = tokens.iter().any(|t| t.start == word.end() && t.is("("));
                let sign = if call { Some("~") } else { None };
                return Some(errors::missing_init_sign(span(text, word), word.text, sign));
            }
        }
    }
    let behind = before_brackets(tokens, i);
    [i, i.wrapping_sub(1), behind, behind.wrapping_sub(1)]
        .into_iter()
        .find_map(|j| side_by_side(text, tokens, j, start))
}

/// The opener of the outermost bracket that ends right before `i` without a gap: in `0.9 s[t-1] + …` the grammar took
/// `s[t-1]` for the next statement's first words and stopped at the `+`.
fn before_brackets(tokens: &[Token], i: usize) -> usize {
    let mut at = i;
    while let Some(close) = at.checked_sub(1).and_then(|k| tokens.get(k))
        && (close.is("]") || close.is(")"))
    {
        let mut depth = 0i64;
        let opener = tokens[..at].iter().rposition(|t| {
            depth += i64::from(t.is("]") || t.is(")")) - i64::from(t.is("[") || t.is("("));
            depth == 0
        });
        match opener {
            Some(opener) => at = opener,
            None => break,
        }
    }
    at
}

/// Tokens `j - 1` and `j` are two operands on one line.
fn side_by_side(text: &Text, tokens: &[Token], j: usize, start: usize) -> Option<Diagnostic> {
    let right = tokens.get(j)?;
    let left = j.checked_sub(1).and_then(|k| tokens.get(k))?;
    let word_of_statement = j - 1 == start && STATEMENT.contains(&left.text) && left.first_on_line;
    if right.first_on_line
        || !left.ends_operand()
        || !right.begins_operand()
        || word_of_statement
        || ITEM.contains(&left.text)
        || in_header(tokens, j)
        || [left, right].iter().any(|t| JOINTS.contains(&t.text))
    {
        return None;
    }
    let begins = left.first_on_line && j >= 2 && tokens.get(j - 2).is_some_and(|t| ends_statement(t));
    if begins {
        return Some(errors::missing_equals(span(text, left), left.text, span(text, right)));
    }
    if FUNCTIONS.contains(&left.text) {
        let edits = vec![
            mend::replace(text, left, &format!("{}(", left.text)),
            mend::insert(text, operand_end(tokens, j), ")"),
        ];
        let edits = if right.start == left.end() + 1 { with_gap(text, left, right, edits) } else { edits };
        return Some(errors::argument_without_brackets(
            span(text, left),
            left.text,
            span(text, right),
            edits,
        ));
    }
    let signs = mend::products(left);
    Some(errors::juxtaposed(span(text, left), left.text, span(text, right), right.text, signs))
}

/// Whether a token stands before the body of a cell, layer or model.
fn in_header(tokens: &[Token], at: usize) -> bool {
    let keyword = tokens.iter().find(|t| is_code(t)).map_or("", |t| t.text);
    let own = tokens.get(..=at).unwrap_or(tokens);
    let is_outside = tokens.get(at).is_some_and(|t| mend::outside(own, t.text) == Some(at));
    let begins = |sign| mend::outside(own, sign).is_some();
    is_outside && ["cell", "layer", "model"].contains(&keyword) && !begins("{") && !begins("=")
}

/// Functions of one argument that papers write without brackets.
const FUNCTIONS: [&str; 10] =
    ["tanh", "σ", "sigmoid", "sigma", "exp", "log", "relu", "softmax", "sqrt", "abs"];

/// The first edit, and the gap behind it as well.
fn with_gap(text: &Text, left: &Token, right: &Token, mut edits: Vec<Edit>) -> Vec<Edit> {
    if let Some(first) = edits.first_mut() {
        first.span = text.span(left.start, right.start);
    }
    edits
}

/// Where the operand that begins at `from` ends: with the brackets right behind it.
fn operand_end(tokens: &[Token], from: usize) -> usize {
    let mut end = tokens.get(from).map_or(0, |t| t.end());
    let mut depth = 0i32;
    for token in tokens.iter().skip(from + 1) {
        match token.text {
            "[" | "(" if depth > 0 || token.start == end => depth += 1,
            "]" | ")" if depth > 0 => depth -= 1,
            _ if depth > 0 => {}
            _ => break,
        }
        end = token.end();
    }
    end
}

/// A statement may begin behind this token.
fn ends_statement(token: &Token) -> bool {
    token.ends_operand() || matches!(token.text, "{" | "}" | ";") || !is_code(token)
}

/// The first token of the statement around `i`: the last one that begins a line behind the end of
/// a statement, or follows `;` or `{`.
fn statement_start(tokens: &[Token], i: usize) -> usize {
    (1..=i)
        .rev()
        .find(|&k| {
            let (Some(before), here) = (tokens.get(k - 1), tokens.get(k)) else { return false };
            matches!(before.text, ";" | "{")
                || (here.is_some_and(|t| t.first_on_line) && ends_statement(before) && k < i)
        })
        .unwrap_or(0)
}

/// Whether a `=` behind these tokens stands where a condition does.
fn compares(statement: &[Token]) -> bool {
    for token in statement.iter().rev() {
        match token.text {
            "if" | "where" | "expect" => return true,
            "then" | "else" | "=" | "," | ";" | "(" | "[" | "{" => return false,
            _ => {}
        }
    }
    false
}

/// What the grammar would have taken, in words.
fn expectation(rules: &[Rule]) -> String {
    let mut phrases: Vec<&'static str> = Vec::new();
    let mut continuations: Vec<&'static str> = Vec::new();
    for rule in rules {
        let (phrase, goes_on) = phrase(*rule);
        let list = if goes_on { &mut continuations } else { &mut phrases };
        if !phrase.is_empty() && !list.contains(&phrase) {
            list.push(phrase);
        }
    }
    if phrases.is_empty() {
        phrases = continuations;
    }
    // An expression may begin with a name or a bracket; saying so again does not help.
    if phrases.contains(&"an expression") || phrases.contains(&"a statement") {
        phrases.retain(|p| !matches!(*p, "a name" | "`(`" | "`[`" | "a number"));
    }
    if phrases.contains(&SHAPE) {
        phrases.retain(|p| !matches!(*p, "`grid`" | "`tree`"));
    }
    phrases.truncate(5);
    match phrases.as_slice() {
        [] => "something else".to_string(),
        [one] => one.to_string(),
        [most @ .., last] => format!("{} or {last}", most.join(", ")),
    }
}

const SHAPE: &str = "a shape such as `[H]`";

/// A rule in words, and whether it only goes on with an expression that is already complete.
/// What says nothing to a reader is empty.
fn phrase(rule: Rule) -> (&'static str, bool) {
    use Rule::*;
    let phrase = match rule {
        EOI => "the end",
        item | use_ | cell | layer | model | func | layout | test | check | k_use | k_cell | k_layer
        | k_model | k_fn | k_layout | k_test | k_check => "an item",
        stmt | decl | noise | dims | part | at | out | loss | metric | generate | data | train | set_
        | expect | equation | doc | k_in | k_mem | k_state | k_param | k_noise | k_dim | k_part | k_at
        | k_out | k_loss | k_metric | k_generate | k_data | k_train | k_set | k_expect => "a statement",
        body | p_lbrace => "`{`",
        gradient | k_grad => "`grad`",
        snapshot | k_snapshot => "`snapshot`",
        weights | k_weights => "`weights`",
        name | view | target | targets | input | static_ | binder | axis | setting | source | arg_name => {
            "a name"
        }
        number => "a number",
        string => "a string",
        type_ | domain | any_shape | array | k_seq | k_id | k_bool => SHAPE,
        one_expr | one_recipe | expr | cond | row | sum | term | prefix | minus | postfix | primary
        | paren | list | reduce | fold | hole | arg | place | set | extent | result | foreign
        | foreign_term | k_if | k_true | k_false | k_sum | k_prod | k_max | k_min | k_mean | k_concat => {
            "an expression"
        }
        k_chain => "`chain`",
        k_grid => "`grid`",
        k_tree => "`tree`",
        kind => "a kind",
        p_eq | init => "`=`",
        p_tilde | dist => "`~`",
        p_colon => "`:`",
        p_comma => "`,`",
        p_close => "`)`",
        p_rbrack => "`]`",
        p_rbrace => "`}`",
        p_less => "`<`",
        p_more => "`>`",
        p_bar => "`|`",
        statics | inputs => "`(`",
        over | over_axes | k_over => "`over`",
        isin => "`in`",
        k_of => "`of`",
        k_then => "`then`",
        k_else => "`else`",
        k_from => "`from`",
        k_with => "`with`",
        k_for | for_ => "`for`",
        k_leaf => "`leaf`",
        star => "`*`",
        p_about | about => "`≈`",
        infix | sum_op | term_op | p_pipe | mark | p_plus => return ("an operator", true),
        call | p_open => return ("`(`", true),
        index | p_lbrack | over_set => return ("`[`", true),
        field | p_dot => return ("`.`", true),
        p_range => return ("`..`", true),
        p_semi => return ("`;`", true),
        p_within => return ("`±`", true),
        within | k_within => return ("`within`", true),
        per | k_per => return ("`per`", true),
        where_ | k_where => return ("`where`", true),
        k_until => return ("`until`", true),
        one_item | k_prev | k_next | WHITESPACE | COMMENT | group | reserved | char | plus | times => "",
    };
    (phrase, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_expected_is_said_in_words() {
        for rule in Rule::all_rules() {
            let said = expectation(&[*rule]);
            let name = format!("{rule:?}");
            let is_word = !name.contains('_') || said.contains(&format!("`{name}`"));
            assert!(!said.is_empty() && (is_word || !said.contains(&name)), "{name}: {said}");
            assert!(!said.contains('_'), "{name}: {said}");
        }
    }
}
