//! Takes a statement out of a text, with what belongs to it and nothing else.
//!
//! In: a text and the place of a statement. Out: one edit. A statement alone on its lines goes with them, with what is said
//! behind it and the documentation above it; of several on a line one goes with its `;`, and the documentation, which is
//! that of the first, goes with the first.

use crate::diag::Edit;
use crate::source::Span;

/// The change that leaves a statement out.
pub fn removal(text: &str, statement: Span) -> Edit {
    let place = |start: usize, end: usize, new: &str| Edit {
        span: Span { start: start as u32, end: end as u32, ..statement },
        text: new.into(),
    };
    let (start, end) = (statement.start as usize, statement.end as usize);
    let (Some(above), Some(below)) = (text.get(..start), text.get(end..)) else {
        return place(start, end, "");
    };
    let line = above.rfind('\n').map_or(0, |i| i + 1);
    let before = &above[line..];
    let after = below.split('\n').next().unwrap_or(below);
    let rest = after.trim_start();
    let (is_separated, rest) = match rest.strip_prefix(';') {
        Some(rest) => (true, rest.trim_start()),
        None => (false, rest),
    };
    let is_last = rest.is_empty() || rest.starts_with('#');
    match (before.trim().is_empty(), is_last) {
        (true, true) => {
            let gap = usize::from(below.len() > after.len());
            place(documentation(text, line), end + after.len() + gap, "")
        }
        (true, false) if is_separated => {
            place(documentation(text, line), end + after.len() - rest.len(), before)
        }
        (false, false) if is_separated => place(start, end + after.len() - rest.len(), ""),
        // The `;` before it, if one is there.
        (false, _) => {
            let kept = before.trim_end();
            let kept = kept.strip_suffix(';').map_or(before, str::trim_end);
            let separator = if is_separated { after.len() - after.trim_start().len() + 1 } else { 0 };
            place(line + kept.len(), end + separator, "")
        }
        (true, false) => place(start, end, ""),
    }
}

/// Where the documentation right above a line begins; where the line does, if it has none.
fn documentation(text: &str, line: usize) -> usize {
    let mut at = line;
    while let Some(above) = text.get(..at).and_then(|t| t.strip_suffix('\n')) {
        let start = above.rfind('\n').map_or(0, |i| i + 1);
        if !above[start..].trim_start().starts_with("##") {
            break;
        }
        at = start;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::FileId;

    #[test]
    fn what_belongs_to_a_statement_goes_with_it() {
        let without = |text: &str, statement: &str| {
            let start = text.find(statement).expect("the statement");
            let span = Span { file: FileId(0), start: start as u32, end: (start + statement.len()) as u32 };
            let edit = removal(text, span);
            format!("{}{}{}", &text[..edit.span.start as usize], edit.text, &text[edit.span.end as usize..])
        };
        assert_eq!(without("  a = 1\n  ## doc\n  b = 2  # why\n  c = 3\n", "b = 2"), "  a = 1\n  c = 3\n");
        assert_eq!(without("  b = f(\n    2)\n}\n", "b = f(\n    2)"), "}\n");
        assert_eq!(without("  ## doc\n  a = 1; b = 2; c = 3\n", "a = 1"), "  b = 2; c = 3\n");
        assert_eq!(without("  ## doc\n  a = 1; b = 2; c = 3\n", "b = 2"), "  ## doc\n  a = 1; c = 3\n");
        assert_eq!(without("  a = 1; b = 2; c = 3\n", "c = 3"), "  a = 1; b = 2\n");
        assert_eq!(without("  a = 1; b = 2;  # why\n", "b = 2"), "  a = 1  # why\n");
        assert_eq!(without("cell C { a = 1; b = 2 }", "b = 2"), "cell C { a = 1 }");
        assert_eq!(without("cell C { a = 1; b = 2 }", "a = 1"), "cell C { b = 2 }");
    }
}
