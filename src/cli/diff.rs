//! Two texts and the lines in which they differ, to read.

use similar::{Algorithm, DiffOp, DiffTag, capture_diff_slices, group_diff_ops};

/// Lines around a change that are shown.
const CONTEXT: usize = 1;
/// No more lines are shown.
const LONGEST: usize = 60;

/// Lines that are gone behind `-`, new ones behind `+`, the number of a group's first line above it.
pub fn lines(old: &str, new: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) =
        (old.split_inclusive('\n').collect(), new.split_inclusive('\n').collect());
    let ops = capture_diff_slices(Algorithm::Patience, &old, &new);
    let mut out = Vec::new();
    for group in group_diff_ops(ops, CONTEXT) {
        out.push(format!("  line {}", group.first().map_or(1, |op| op.new_range().start + 1)));
        group.iter().for_each(|op| changed(op, &old, &new, &mut out));
    }
    let more = out.len().saturating_sub(LONGEST);
    out.truncate(LONGEST);
    if more > 0 {
        out.push(format!("  … {more} more lines"));
    }
    out.iter().map(|line| format!("{}\n", line.trim_end_matches('\n'))).collect()
}

fn changed(op: &DiffOp, old: &[&str], new: &[&str], out: &mut Vec<String>) {
    let (tag, gone, come) = op.as_tag_tuple();
    let shown = |sign: char, lines: Option<&[&str]>| -> Vec<String> {
        lines.into_iter().flatten().map(|line| format!("{sign} {}", seen(line))).collect()
    };
    match tag {
        DiffTag::Equal => out.extend(shown(' ', new.get(come))),
        _ => {
            out.extend(shown('-', old.get(gone)));
            out.extend(shown('+', new.get(come)));
        }
    }
}

/// A line of which one sees how it ends.
fn seen(line: &str) -> String {
    match line.strip_suffix('\n') {
        None => format!("{line}⏎ missing"),
        Some(line) => match line.strip_suffix('\r') {
            Some(line) => format!("{line}␍"),
            None if line.ends_with(' ') => {
                let text = line.trim_end_matches(' ');
                format!("{text}{}", "·".repeat(line.len() - text.len()))
            }
            None => line.to_string(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::lines;

    #[test]
    fn a_group_has_its_line_and_its_neighbours() {
        let old = "a\nb\nc  \nd\nd\ne\nf\r\ng";
        let new = "a\nb\nc\nd\nd\ne\nf\ng\n";
        let expected = "  line 2\n  b\n- c··\n+ c\n  d\n  line 6\n  e\n- f␍\n- g⏎ missing\n+ f\n+ g\n";
        assert_eq!(lines(old, new), expected);
        assert!(lines(&"a\n".repeat(200), "").ends_with("  … 141 more lines\n"));
    }
}
