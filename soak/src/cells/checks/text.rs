//! Texts: of a file and of equations, printed and parsed again.

use super::{Checked, Checker, fail};
use rnnc::source::Sources;
use rnnc::syntax::ast::{Check, CheckKind, File, Ident, Item, ItemKind, View};
use rnnc::syntax::{parse, print};

impl Checker<'_> {
    pub(super) fn text(&mut self) -> Checked {
        let file = with_other_checks(&self.subject.file);
        let tree = bare(&file);
        for style in [print::Style::UNICODE, print::Style::ASCII, print::Style { ascii: false, width: 40 }] {
            let printed = print::print_file(&file, style);
            let again = match parsed(&printed) {
                Ok(again) => again,
                Err(e) => return fail("printed", format!("{style:?}: {e}\n{printed}")),
            };
            if bare(&again) != tree {
                return fail("printed", format!("{style:?} gives another tree:\n{printed}"));
            }
            if print::print_file(&again, style) != printed {
                return fail("formatted", format!("printed again it is another text:\n{printed}"));
            }
        }
        self.did("printed");
        self.did("formatted");
        Ok(())
    }

    pub(super) fn equations(&mut self) -> Checked {
        let s = self.subject;
        for (what, graph) in [("open", &s.open), ("open joint", &s.open_joint), ("joint", &s.joint)] {
            let text = rnnc::eqn::print::print(graph);
            let again = match rnnc::eqn::parse::parse(&text) {
                Ok(again) => again,
                Err(e) => return fail("equations", format!("{what}: {e:?}\n{text}")),
            };
            let mut plain = graph.clone();
            unplaced(&mut plain);
            // As text, in which what is no number is equal to itself.
            if format!("{again:?}") != format!("{plain:?}") {
                return fail("equations", format!("{what}: parsed again it is another graph\n{text}"));
            }
        }
        self.did("equations");
        Ok(())
    }
}

/// Beside each `check grad` the same of its other kinds.
fn with_other_checks(file: &File) -> File {
    let mut all = file.clone();
    for item in &file.items {
        let ItemKind::Check(check) = &item.kind else { continue };
        let word = |text: &str| Ident { name: text.into(), written: text.into(), span: item.span };
        let plain = View { stage: word("eqn"), target: None };
        let aimed = View { stage: word("clif"), target: Some(("x86_64-avx2".into(), item.span)) };
        let snapshot =
            Check { kind: CheckKind::Snapshot(vec![plain, aimed]), settings: Vec::new(), ..check.clone() };
        let weights = Check { kind: CheckKind::Weights(word("torch")), ..check.clone() };
        all.items.extend([snapshot, weights].map(|c| Item { kind: ItemKind::Check(c), ..item.clone() }));
    }
    all
}

/// Without the places in a file, which the text of equations does not have.
fn unplaced(graph: &mut rnnc::eqn::Graph) {
    graph.nodes.iter_mut().for_each(|n| n.span = None);
    graph.sources.iter_mut().for_each(|s| s.span = None);
    graph.states.iter_mut().for_each(|s| s.span = None);
}

fn parsed(text: &str) -> Result<File, String> {
    let mut sources = Sources::default();
    let file = sources.add("printed.rnn", text);
    let (tree, errors) = parse(&sources, file);
    match errors.iter().find(|e| e.is_error()) {
        None => Ok(tree),
        Some(e) => Err(format!("{} {}", e.code, e.message)),
    }
}

/// The tree without places and spellings.
pub fn bare(tree: &File) -> String {
    let mut text = format!("{tree:?}");
    for (from, to) in [("Span {", "}"), ("written: ", ",")] {
        let mut out = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once(from) {
            out.push_str(before);
            rest = after.split_once(to).map_or("", |(_, tail)| tail);
        }
        out.push_str(rest);
        text = out;
    }
    text
}
