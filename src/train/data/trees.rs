//! Trees written in brackets, one a line.
//!
//! In: lines such as `7⇥(MAX 2 (MIN 9 7))`. Out: a [`Dataset`] whose first name is each line's tree, or its brackets read as a
//! sequence, as the input is declared; the second name is the label of the line, or of every node. Nodes are numbered
//! as their brackets close, so children come before their parents.

use super::source::Call;
use super::text::decode;
use super::{Dataset, Declared, Field, Open, Over, Values, declared_over, index};
use crate::diag::Diagnostic;
use crate::eqn::tree::Tree;
use crate::train::errors;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What the first word in a bracket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// The symbol of the node itself: `(MAX 2 9)`.
    Symbols,
    /// The label of the node: `(3 (2 not) (4 good))`; with one more word it is a leaf.
    Labels,
    /// A leaf like all others: `((MAX 2) 9)`.
    Leaves,
}

/// Symbols and labels of nodes that have none.
const NONE: &str = "";

/// `t, y = trees(path, test = path, first = "symbols")`.
pub fn read(call: &Call, declared: &[Declared], open: &mut Open) -> Result<Dataset, Diagnostic> {
    call.only(1, &["test", "first"])?;
    let first = match call.text("first")? {
        None | Some("symbols") => First::Symbols,
        Some("labels") => First::Labels,
        Some("leaves") => First::Leaves,
        Some(_) => {
            let what = "wants \"symbols\", \"labels\" or \"leaves\" for `first`";
            return Err(errors::bad_argument(&call.reader, what));
        }
    };
    let path = call.path()?;
    let mut forest = Forest::new(call, first)?;
    forest.append(path, &decode(path, open(path)?)?)?;
    let mut test_from = None;
    if let Some(path) = call.text("test")? {
        test_from = Some(forest.trees.len());
        forest.append(path, &decode(path, open(path)?)?)?;
    }
    forest.dataset(call, declared, test_from)
}

/// All trees so far.
pub struct Forest {
    first: First,
    /// Is there a label before each tree?
    labelled: bool,
    trees: Vec<Tree>,
    /// Of all nodes.
    symbols: Vec<String>,
    labels: Vec<String>,
    /// Of all examples.
    classes: Vec<String>,
    /// Brackets and words of all examples, and where each one's end.
    text: Vec<String>,
    ends: Vec<usize>,
}

/// A bracket that is open.
#[derive(Default)]
struct Bracket {
    head: Option<String>,
    children: Vec<i64>,
    /// Words are leaves, but those of a bracket with a label may be the node's own.
    words: Vec<String>,
}

impl Forest {
    pub fn new(call: &Call, first: First) -> Result<Forest, Diagnostic> {
        call.wants_names(&[1, 2], "one or two names: the trees, and their labels")?;
        let labelled = call.names.len() == 2 && first != First::Labels;
        Ok(Forest {
            first,
            labelled,
            trees: Vec::new(),
            symbols: Vec::new(),
            labels: Vec::new(),
            classes: Vec::new(),
            text: Vec::new(),
            ends: Vec::new(),
        })
    }

    /// Reads the lines of one file.
    pub fn append(&mut self, path: &str, text: &str) -> Result<(), Diagnostic> {
        let before = self.trees.len();
        for (i, line) in text.lines().enumerate() {
            if !line.trim().is_empty() {
                self.line(line).map_err(|why| {
                    errors::bad_line(path, i + 1, &why).help(
                        "a line is a label, a tab and one tree, each `(` with its `)`: `7⇥(MAX 2 (MIN 9 7))`",
                    )
                })?;
            }
        }
        if self.trees.len() == before { Err(errors::empty_file(path)) } else { Ok(()) }
    }

    fn line(&mut self, line: &str) -> Result<(), String> {
        let mut tree = line;
        if self.labelled {
            let (label, rest) = line.split_once('\t').ok_or("a label, a tab and a tree are wanted")?;
            if label.trim().is_empty() {
                return Err("its label, before the tab, is empty".into());
            }
            self.classes.push(label.trim().to_string());
            tree = rest;
        }
        let spaced = tree.replace('(', " ( ").replace(')', " ) ");
        let mut open: Vec<Bracket> = Vec::new();
        let mut edges: Vec<Vec<i64>> = Vec::new();
        let mut is_over = false;
        for word in spaced.split_whitespace() {
            if is_over {
                return Err(format!("`{word}` stands behind the end of its tree"));
            }
            match word {
                "(" => open.push(Bracket::default()),
                ")" => {
                    let bracket = open.pop().ok_or("a `)` has no `(` before it")?;
                    let node = self.close(bracket, &mut edges)?;
                    match open.last_mut() {
                        Some(parent) => parent.children.push(node),
                        None => is_over = true,
                    }
                }
                word => match open.last_mut() {
                    Some(bracket) => {
                        let begins = bracket.head.is_none() && bracket.children.is_empty();
                        match self.first {
                            First::Symbols | First::Labels if begins => bracket.head = Some(word.to_string()),
                            First::Labels => bracket.words.push(word.to_string()),
                            _ => bracket.children.push(self.node(word, NONE, vec![], &mut edges)),
                        }
                    }
                    None => {
                        self.node(word, NONE, vec![], &mut edges);
                        is_over = true;
                    }
                },
            }
            // Labels would tell the answer.
            let is_label = self.first == First::Labels
                && open.last().is_some_and(|b| b.words.is_empty() && b.children.is_empty() && word != "(");
            if !is_label {
                self.text.push(word.to_string());
            }
        }
        if !is_over {
            return Err(match open.len() {
                0 => "it has no tree".into(),
                1 => "a `(` is not closed".into(),
                n => format!("{n} `(` are not closed"),
            });
        }
        self.ends.push(self.text.len());
        let tree = Tree::new(edges.iter().map(Vec::as_slice)).map_err(|e| e.to_string())?;
        self.trees.push(tree);
        Ok(())
    }

    /// A new node behind all others of its tree.
    fn node(&mut self, symbol: &str, label: &str, children: Vec<i64>, edges: &mut Vec<Vec<i64>>) -> i64 {
        self.symbols.push(symbol.to_string());
        self.labels.push(label.to_string());
        edges.push(children);
        edges.len() as i64 - 1
    }

    fn close(&mut self, b: Bracket, edges: &mut Vec<Vec<i64>>) -> Result<i64, String> {
        let head = b.head.as_deref().unwrap_or(NONE);
        match (self.first, b.words.as_slice()) {
            (First::Labels, _) if b.head.is_none() => Err("a bracket begins with no label".into()),
            (First::Labels, [word]) if b.children.is_empty() => Ok(self.node(word, head, vec![], edges)),
            (First::Labels, []) if !b.children.is_empty() => Ok(self.node(NONE, head, b.children, edges)),
            (First::Labels, _) => {
                Err(format!("the bracket with the label `{head}` wants one word, or brackets alone"))
            }
            _ if b.head.is_none() && b.children.is_empty() => Err("a bracket is empty".into()),
            _ => Ok(self.node(head, NONE, b.children, edges)),
        }
    }

    pub fn dataset(
        self,
        call: &Call,
        declared: &[Declared],
        test_from: Option<usize>,
    ) -> Result<Dataset, Diagnostic> {
        let examples = self.trees.len();
        let trees = Arc::new(self.trees);
        let first = match declared_over(declared, call.names.first()) {
            Some(Over::Axes(_)) => Field::sequence(vec![], ids(&self.text), self.ends),
            _ => Field::tree(vec![], ids(&self.symbols), trees.clone()),
        };
        let mut fields = vec![first];
        if call.names.len() == 2 {
            fields.push(match (self.first, declared_over(declared, call.names.get(1))) {
                (First::Labels, Some(Over::Tree)) => Field::tree(vec![], ids(&self.labels), trees),
                (First::Labels, _) => {
                    // The root is the last node.
                    let mut end = 0;
                    let root = |t: &Tree| {
                        end += t.nodes();
                        self.labels.get(end - 1).cloned().unwrap_or_default()
                    };
                    Field::one(vec![], ids(&trees.iter().map(root).collect::<Vec<_>>()))
                }
                _ => Field::one(vec![], ids(&self.classes)),
            });
        }
        Ok(Dataset { names: vec![], fields, examples, test_from, shares: None })
    }
}

/// Symbols in the order of numbers if all are whole numbers, else of text.
fn ids(words: &[String]) -> Values {
    let kinds: BTreeSet<(Option<i64>, &str)> = words.iter().map(|w| (w.parse().ok(), w.as_str())).collect();
    let symbols: Vec<String> = kinds.iter().map(|(_, w)| w.to_string()).collect();
    let known = index(&symbols);
    let ids = words.iter().filter_map(|w| known.get(w.as_str()).copied()).collect();
    drop(known);
    Values::Id { ids, symbols: Arc::new(symbols) }
}

#[cfg(test)]
mod tests {
    use super::super::source::Constant;
    use super::*;
    use crate::source::{FileId, Span};

    fn read(first: &str, over: [Over; 2], text: &'static str) -> Result<Dataset, String> {
        let call = Call {
            names: vec!["t".into(), "y".into()],
            reader: "trees".into(),
            positional: vec![Constant::Text("a".into())],
            named: vec![("first".into(), Constant::Text(first.into()))],
            span: Span { file: FileId(0), start: 0, end: 0 },
            limits: crate::limits::Limits::DEFAULT,
        };
        let names = ["t", "y"].into_iter().zip(over);
        let declared: Vec<Declared> =
            names.map(|(name, over)| Declared { name: name.into(), over, is_id: true, rank: 0 }).collect();
        call.read(&declared, &mut |_| Ok(text.into())).map_err(|e| e.message)
    }

    fn words(field: &Field) -> String {
        let Values::Id { ids, symbols } = &field.values else { panic!("ids") };
        ids.iter().map(|i| symbols[*i as usize].as_str()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_bracket_is_a_node_behind_its_children() {
        let d = read("symbols", [Over::Tree, Over::Example], "7\t(MAX 2 (MIN 9 7))\n10\t3\n").unwrap();
        assert_eq!(words(&d.fields[0]), "2 9 7 MIN MAX 3");
        let trees = d.fields[0].trees().unwrap();
        assert_eq!(
            (trees[0].children(4), trees[0].children(3), trees[1].nodes()),
            (&[0, 3][..], &[1, 2][..], 1)
        );
        assert_eq!(words(&d.fields[1]), "7 10");
        let d = read("symbols", [Over::Axes(1), Over::Example], "7\t(MAX 2 (MIN 9 7))\n10\t3\n").unwrap();
        assert_eq!(words(&d.fields[0]), "( MAX 2 ( MIN 9 7 ) ) 3");
        assert_eq!(d.fields[0].range(1), 9..10);
        let d = read("leaves", [Over::Tree, Over::Example], "1\t((MAX 2) 9)").unwrap();
        assert_eq!(words(&d.fields[0]), "MAX 2  9 ");
    }

    #[test]
    fn labels_of_nodes() {
        let text = "(3 (2 not) (1 (0 bad) (4 film)))\n";
        let d = read("labels", [Over::Tree, Over::Tree], text).unwrap();
        assert_eq!((words(&d.fields[0]), words(&d.fields[1])), ("not bad film  ".into(), "2 0 4 1 3".into()));
        let d = read("labels", [Over::Axes(1), Over::Example], text).unwrap();
        assert_eq!(words(&d.fields[0]), "( ( not ) ( ( bad ) ( film ) ) )");
        assert_eq!(words(&d.fields[1]), "3");
    }

    #[test]
    fn what_is_no_tree_names_its_line() {
        let told = |first, text| read(first, [Over::Tree, Over::Example], text).unwrap_err();
        for (text, why) in [
            ("1\t(MAX 2", "line 1: a `(` is not closed"),
            ("1\t(MAX 2\n", "line 1: a `(` is not closed"),
            ("1\t2\n1\tMAX 2)", "line 2: `2` stands behind"),
            ("1\t)", "line 1: a `)` has no `(`"),
            ("1\t()", "line 1: a bracket is empty"),
            ("1\t", "line 1: it has no tree"),
            ("(MAX 1 2)", "line 1: a label, a tab and a tree"),
            ("\n", "is empty"),
        ] {
            let told = told("symbols", text);
            assert!(told.contains(why), "{told}");
        }
        for (text, why) in [
            ("(3 a b)", "wants one word, or brackets alone"),
            ("((2 a))", "begins with no label"),
            ("(3)", "wants one word"),
        ] {
            let told = told("labels", text);
            assert!(told.contains(why), "{told}");
        }
        assert!(told("last", "1\t2").contains("`first`"));
    }
}
