//! Nested expressions (after Nangia, Bowman 2018, *ListOps*): the value of a tree of operators over digits.
//!
//! The expressions of the test part may be nested deeper than those of the training part.

use super::{MOST, Size};
use crate::diag::Diagnostic;
use crate::train::data::source::Call;
use crate::train::data::trees::{First, Forest};
use crate::train::data::{Dataset, Declared};
use crate::train::errors;
use rand::RngExt;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::fmt::Write;

pub const MORE: &[&str] = &["depth", "test_depth", "test_count", "symbols", "arguments", "operators", "form"];

/// The share of arguments that are expressions, beside the one that makes the depth.
const NESTED: f64 = 0.25;

#[derive(Clone, Copy)]
enum Operator {
    Max,
    Min,
    Median,
    Sum,
}

const OPERATORS: &[(&str, Operator)] =
    &[("MAX", Operator::Max), ("MIN", Operator::Min), ("MED", Operator::Median), ("SM", Operator::Sum)];

impl Operator {
    /// Of the upper median, and of the sum what is left after division by `symbols`.
    fn value(self, mut arguments: Vec<usize>, symbols: usize) -> usize {
        arguments.sort_unstable();
        match self {
            Operator::Max => arguments.last().copied().unwrap_or(0),
            Operator::Min => arguments.first().copied().unwrap_or(0),
            Operator::Median => arguments.get(arguments.len() / 2).copied().unwrap_or(0),
            Operator::Sum => arguments.iter().sum::<usize>() % symbols,
        }
    }
}

struct Maker {
    rng: ChaCha8Rng,
    operators: Vec<(&'static str, Operator)>,
    symbols: usize,
    arguments: usize,
    /// Operators are the first leaf of a binary tree, rather than the symbol of an inner node.
    binary: bool,
    text: String,
    words: usize,
}

/// `t, y = task("expressions", depth = 4, test_depth = 8, count = 10000)`.
pub fn expressions(call: &Call, declared: &[Declared], size: Size) -> Result<Dataset, Diagnostic> {
    let bad = |what: &str| errors::bad_argument(&call.reader, what);
    let depth = call.count("depth", 20)?.unwrap_or(4);
    let test_depth = call.count("test_depth", 20)?.unwrap_or(depth);
    let test_count = call.count("test_count", 10_000_000)?.unwrap_or(size.count.div_ceil(10));
    let symbols = call.count("symbols", 1000)?.unwrap_or(10);
    let arguments = call.count("arguments", 20)?.unwrap_or(3);
    if arguments < 2 {
        return Err(bad("wants at least 2 `arguments`"));
    }
    let known = || OPERATORS.iter().map(|(n, _)| *n).collect::<Vec<_>>().join(" ");
    let mut operators = Vec::new();
    for word in call.text("operators")?.unwrap_or(&known()).split_whitespace() {
        let found = OPERATORS.iter().find(|(name, _)| *name == word);
        operators.push(*found.ok_or_else(|| bad(&format!("wants `operators` among \"{}\"", known())))?);
    }
    if operators.is_empty() {
        return Err(bad(&format!("wants `operators` among \"{}\"", known())));
    }
    let binary = match call.text("form")? {
        None | Some("nodes") => false,
        Some("leaves") => true,
        Some(_) => return Err(bad("wants \"nodes\" or \"leaves\" for `form`: where the operators are")),
    };
    let rng = ChaCha8Rng::seed_from_u64(size.seed);
    let mut maker = Maker { rng, operators, symbols, arguments, binary, text: String::new(), words: 0 };
    let mut forest = Forest::new(call, if binary { First::Leaves } else { First::Symbols })?;
    let deeper = (depth + 1).min(test_depth);
    for (count, depths) in [(size.count, 1..=depth), (test_count, deeper..=test_depth)] {
        for _ in 0..count {
            let depth = maker.rng.random_range(depths.clone());
            let line = maker.line(depth, call.names.len() == 2);
            if maker.words > MOST {
                return Err(bad("wants expressions of at most 100,000,000 words in all"));
            }
            forest.append("task", &line)?;
        }
    }
    forest.dataset(call, declared, Some(size.count))
}

impl Maker {
    fn line(&mut self, depth: usize, labelled: bool) -> String {
        self.text.clear();
        let value = self.expression(depth);
        let text = std::mem::take(&mut self.text);
        if labelled { format!("{value}\t{text}") } else { text }
    }

    /// An expression of just this depth, and its value; a digit has depth 0.
    fn expression(&mut self, depth: usize) -> usize {
        self.words += 1;
        // Beyond the limit, which the caller looks at, an expression is cut short.
        if depth == 0 || self.words > MOST {
            let digit = self.rng.random_range(0..self.symbols);
            let _ = write!(self.text, "{digit} ");
            return digit;
        }
        let (name, operator) = self.operators[self.rng.random_range(0..self.operators.len())];
        let count = self.rng.random_range(2..=self.arguments);
        let deepest = self.rng.random_range(0..count);
        self.text.push_str(&"(".repeat(if self.binary { count } else { 1 }));
        let _ = write!(self.text, "{name} ");
        let mut values = Vec::with_capacity(count);
        for k in 0..count {
            let depth = match k == deepest {
                true => depth - 1,
                false if self.rng.random::<f64>() < NESTED => self.rng.random_range(0..depth),
                false => 0,
            };
            values.push(self.expression(depth));
            if self.binary {
                self.text.push(')');
            }
        }
        if !self.binary {
            self.text.push(')');
        }
        operator.value(values, self.symbols)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::data::source::Constant;
    use crate::train::data::{Field, Values};

    fn made(named: &[(&str, f64)], form: &str) -> Dataset {
        let mut named: Vec<(String, Constant)> =
            named.iter().map(|(n, v)| (n.to_string(), Constant::Number(*v))).collect();
        named.push(("form".into(), Constant::Text(form.into())));
        let span = crate::source::Span { file: crate::source::FileId(0), start: 0, end: 0 };
        let names = vec!["t".into(), "y".into()];
        let call = Call {
            names,
            reader: "task".into(),
            positional: vec![],
            named,
            span,
            limits: crate::limits::Limits::DEFAULT,
        };
        expressions(&call, &[], Size { steps: 2, count: 50, seed: 3 }).unwrap()
    }

    fn words(field: &Field) -> Vec<&str> {
        let Values::Id { ids, symbols } = &field.values else { panic!("ids") };
        ids.iter().map(|i| symbols[*i as usize].as_str()).collect()
    }

    /// Values of the nodes from the leaves up, by the rules alone.
    fn value(d: &Dataset, example: usize) -> usize {
        let tree = &d.fields[0].trees().unwrap()[example];
        let words = &words(&d.fields[0])[d.fields[0].range(example)];
        let mut values: Vec<usize> = Vec::new();
        for (node, word) in words.iter().enumerate() {
            let mut own: Vec<usize> = tree.children(node).iter().map(|k| values[*k as usize]).collect();
            own.sort_unstable();
            values.push(match *word {
                "MAX" => own[own.len() - 1],
                "MIN" => own[0],
                "MED" => own[own.len() / 2],
                "SM" => own.iter().sum::<usize>() % 10,
                digit => digit.parse().unwrap(),
            });
        }
        values[values.len() - 1]
    }

    #[test]
    fn the_label_is_the_value_and_tests_are_deeper() {
        let d = made(&[("depth", 3.0), ("test_depth", 5.0), ("test_count", 20.0)], "nodes");
        assert_eq!((d.examples, d.test_from), (70, Some(50)));
        for (example, label) in words(&d.fields[1]).into_iter().enumerate() {
            assert_eq!(value(&d, example).to_string(), label);
            let heights = d.fields[0].trees().unwrap()[example].heights();
            let depth = heights[heights.len() - 1];
            assert!(if example < 50 { (1..=3).contains(&depth) } else { (4..=5).contains(&depth) });
        }
    }

    #[test]
    fn both_forms_are_the_same_expressions() {
        let (nodes, leaves) = (made(&[("depth", 3.0)], "nodes"), made(&[("depth", 3.0)], "leaves"));
        assert_eq!(nodes.fields[1], leaves.fields[1]);
        for tree in leaves.fields[0].trees().unwrap() {
            assert!((0..tree.nodes()).all(|n| [0, 2].contains(&tree.arity(n))));
        }
        let digits = |d: &Dataset| words(&d.fields[0]).iter().filter(|w| w.parse::<u8>().is_ok()).count();
        assert_eq!(digits(&nodes), digits(&leaves));
    }
}
