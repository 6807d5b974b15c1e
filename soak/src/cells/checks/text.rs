//! Texts: of a file and of equations, printed and parsed again.

use super::super::rng::Rng;
use super::{Checked, Checker, fail};
use rnnc::source::Sources;
use rnnc::syntax::ast::{Check, CheckKind, File, Ident, Item, ItemKind, View};
use rnnc::syntax::{Format, Spelling, bare, format as format_text, parse, print, tokens};

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
        self.comments(&file, &tree)?;
        self.did("formatted");
        Ok(())
    }

    /// Its text with comments in it keeps them and its tree, in every spelling.
    fn comments(&self, file: &File, tree: &str) -> Checked {
        let mut rng = Rng::new(self.case.seed);
        let printed = print::print_file(file, print::Style::UNICODE);
        let text = commented(&printed, &mut rng);
        let wrong = |how: Format, what: &str| fail("formatted", format!("{how:?}: {what}:\n{text}"));
        for spelling in [Spelling::AsWritten, Spelling::Unicode, Spelling::Ascii] {
            let how = Format { spelling, width: *rng.pick(&[110, 60, 30]) };
            let mut sources = Sources::default();
            let commented = sources.add("commented.rnn", text.as_str());
            let once = match format_text(&sources, commented, how) {
                Ok(once) => once,
                Err(found) => return wrong(how, &format!("{found:?}")),
            };
            if comments(&once) != comments(&text) {
                return wrong(how, "other comments");
            }
            if !parsed(&once).is_ok_and(|again| bare(&again) == tree) {
                return wrong(how, "another tree");
            }
            let formatted = sources.add("formatted.rnn", once.as_str());
            if !format_text(&sources, formatted, how).is_ok_and(|twice| twice == once) {
                return wrong(how, "formatted again it is another text");
            }
        }
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

/// A text with comments before some of its tokens, at random, on the line of the token before or on their own.
fn commented(text: &str, rng: &mut Rng) -> String {
    let mut out = String::new();
    let mut end = 0;
    for (i, token) in tokens(text).into_iter().enumerate() {
        let gap = &text[end..token.start];
        out += gap;
        if rng.one_in(4) {
            // What stands in column one stays there, and documentation stands alone.
            let begins = token.start == 0 || text[..token.start].ends_with('\n');
            let alone = rng.one_in(2) && !begins;
            out += &format!("{}# {i}\n{}", if alone { "\n  " } else { " " }, if begins { "" } else { "   " });
        }
        out += &text[token.clone()];
        end = token.end;
    }
    out + &text[end..]
}

/// Those that [`commented`] put in, in order.
fn comments(text: &str) -> Vec<&str> {
    text.lines().filter_map(|line| Some(line[line.find("# ")?..].trim_end())).collect()
}
