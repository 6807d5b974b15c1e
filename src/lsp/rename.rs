//! A name changed wherever it is written.
//!
//! In: a place and a new name. Out: edits for each file, or the reason why not. A name that is written as a part of a family,
//! `f` of `{i f o}` or `W_f` of `W_{i f o}`, is changed in its word; where the new name does not fit there, it is refused.
//!
//! Invariant: afterwards every name means what it meant, and nothing is a mistake that was none. That is not argued but looked
//! at: the texts are changed, read and checked again, and their names compared one by one ([`same_meaning`]).

use super::index::{Occurrence, Part, Role, expansions, pieces_in};
use super::references::{Key, World, item_title};
use super::symbol::Symbol;
use super::view::View;
use crate::diag::{Diagnostic, Edit};
use crate::source::{Loader, Span};
use crate::syntax::ast::{Name, Piece};
use crate::syntax::lex::{self, Kind, RESERVED};
use crate::syntax::names::{canonical, canonical_piece};
use std::collections::BTreeMap;

/// Why a name stays.
pub type Refusal = String;

/// Edits by path.
pub type Edits = BTreeMap<String, Vec<Edit>>;

/// What is changed at a place: where it stands, and what it is now.
pub fn prepare(view: &View, offset: u32) -> Result<(Span, String), Refusal> {
    let plan = Plan::at(view, offset)?;
    Ok((plan.span, plan.written))
}

/// What the place asks to be changed.
struct Plan<'v> {
    occurrence: &'v Occurrence,
    part: Part,
    span: Span,
    written: String,
    symbols: Vec<Symbol>,
}

impl<'v> Plan<'v> {
    fn at(view: &'v View, offset: u32) -> Result<Plan<'v>, Refusal> {
        let text = view.text(view.root);
        let Some((occurrence, part)) = view.index_of(view.root).at(text, offset) else {
            return Err("there is no name here".into());
        };
        let symbols = occurrence.meant(&part);
        let Some(symbol) = symbols.first() else {
            return Err("it is not known what this name means".into());
        };
        let Some(owner) = symbol.owner else {
            return Err(format!("`{}` is a word of the language", symbol.name));
        };
        if view.is_stdlib(owner.file) {
            let title = item_title(view, owner).unwrap_or_default();
            return Err(format!(
                "`{}` belongs to {title} of the standard library, which cannot be changed",
                symbol.name
            ));
        }
        let whole = match &part {
            Part::Whole => occurrence.span,
            Part::Stem(_, span) | Part::Word(_, _, span) => *span,
        };
        let written = view.sources.text(whole).to_string();
        // Of `h_last` only `h` is the name.
        let (span, written) = match (&part, written.strip_suffix(&*occurrence.suffix)) {
            (Part::Whole, Some(stem)) => {
                (Span { end: whole.start + stem.len() as u32, ..whole }, stem.to_string())
            }
            _ => (whole, written),
        };
        Ok(Plan { occurrence, part, span, written, symbols })
    }

    /// The new name of each symbol.
    fn names(&self, world: &World<'_>, view: &View, new: &str) -> Result<BTreeMap<Key, Name>, Refusal> {
        let mut out = BTreeMap::new();
        match &self.part {
            Part::Whole => {
                for symbol in self.symbols.iter().take(1) {
                    out.insert(world.key(view, symbol), canonical(new).into());
                }
            }
            Part::Word(piece, word, _) => {
                let mut pieces = self.occurrence.pieces.clone();
                if let Some(Piece::Group(words)) = pieces.get_mut(*piece)
                    && let Some(word) = words.get_mut(*word)
                {
                    *word = canonical_piece(new).into();
                }
                let name = expansions(&pieces).get(*word).cloned();
                for (symbol, name) in self.symbols.iter().zip(name) {
                    out.insert(world.key(view, symbol), name);
                }
            }
            Part::Stem(piece, _) => self.stem(world, view, *piece, new, &mut out),
        }
        match out.is_empty() {
            true => Err("it is not known what this name means".into()),
            false => Ok(out),
        }
    }

    /// A stem is that of the whole family: of every pattern that declares one of its members with this stem.
    fn stem(&self, world: &World<'_>, view: &View, piece: usize, new: &str, out: &mut BTreeMap<Key, Name>) {
        let Some(Piece::Text(old)) = self.occurrence.pieces.get(piece) else { return };
        let add = |o: &Occurrence, out: &mut BTreeMap<Key, Name>| {
            let mut pieces = o.pieces.clone();
            match pieces.get_mut(piece) {
                Some(Piece::Text(text)) if text == old => *text = canonical_piece(new).into(),
                _ => return false,
            }
            let before = out.len();
            for (symbol, name) in o.means.iter().zip(expansions(&pieces)) {
                if let Some(symbol) = symbol {
                    out.entry(world.key(view, symbol)).or_insert(name);
                }
            }
            out.len() > before
        };
        add(self.occurrence, out);
        let files: Vec<_> = view.library.files().iter().filter(|f| !view.is_stdlib(f.file)).collect();
        loop {
            let mut grew = false;
            for file in &files {
                for o in &view.index_of(file.file).occurrences {
                    let known = o.means.iter().flatten().any(|s| out.contains_key(&world.key(view, s)));
                    if o.role != Role::Reads && o.has_groups() && known {
                        grew |= add(o, out);
                    }
                }
            }
            if !grew {
                return;
            }
        }
    }
}

/// The edits that give a name at a place another. `others`: paths of all further files that may have it.
pub fn rename(
    world: &World<'_>,
    view: &View,
    others: &[String],
    offset: u32,
    new: &str,
) -> Result<Edits, Refusal> {
    let plan = Plan::at(view, offset)?;
    is_name(new)?;
    let names = plan.names(world, view, new)?;
    let root = view.path(view.root).to_string();
    let mut edits = Edits::new();
    let mut before: BTreeMap<String, Meanings> = BTreeMap::new();
    let own: Vec<String> = view.own_paths().map(str::to_string).collect();
    let local = plan.symbols.iter().all(|s| !super::references::reaches_out(s));
    let further = own.iter().chain(others).filter(|path| **path != root && !local);
    let mut seen: Vec<&str> = Vec::new();
    for path in std::iter::once(&root).chain(further) {
        if seen.contains(&path.as_str()) {
            continue;
        }
        seen.push(path);
        let loaded;
        let there = match path == &root {
            true => view,
            false => match world.view(path) {
                Some(v) => {
                    loaded = v;
                    &loaded
                }
                None => continue,
            },
        };
        let mine = edits_in(world, there, &names)?;
        if mine.is_empty() {
            continue;
        }
        if there
            .loaded
            .iter()
            .any(|d| d.is_error() && d.labels.first().is_some_and(|l| l.span.file == there.root))
        {
            let file = path.rsplit('/').next().unwrap_or(path);
            return Err(format!("a part of {file} cannot be read, and may hold the name; mend it first"));
        }
        before.insert(path.clone(), Meanings::of(world, there));
        edits.insert(path.clone(), mine);
    }
    same_meaning(world, &edits, &before)?;
    Ok(edits)
}

/// Refuses what can be no name.
fn is_name(new: &str) -> Result<(), Refusal> {
    let tokens = lex::tokens(new);
    match tokens.as_slice() {
        [one] if one.kind == Kind::Word && one.text == new && !new.contains('{') => {
            match RESERVED.contains(&new) {
                true => Err(format!("`{new}` is a word of the language")),
                false => Ok(()),
            }
        }
        // A word of a group may be a number: `W_{1 2}`.
        [one] if one.kind == Kind::Number && one.text == new => Ok(()),
        _ => Err(format!("`{new}` is no name: letters, digits, `_` and `'`, the first of them a letter")),
    }
}

/// The edits of a view's own file.
fn edits_in(world: &World<'_>, view: &View, names: &BTreeMap<Key, Name>) -> Result<Vec<Edit>, Refusal> {
    let index = view.index_of(view.root);
    let meant: BTreeMap<&Symbol, &Name> =
        index.symbols().filter_map(|s| Some((s, names.get(&world.key(view, s))?))).collect();
    if meant.is_empty() {
        return Ok(Vec::new());
    }
    let mut out = Vec::new();
    for o in &index.occurrences {
        if o.means.iter().flatten().any(|s| meant.contains_key(s)) {
            out.extend(respell(view, o, &meant)?);
        }
    }
    Ok(out)
}

/// What makes a written name stand for the new names.
fn respell(view: &View, o: &Occurrence, names: &BTreeMap<&Symbol, &Name>) -> Result<Vec<Edit>, Refusal> {
    let old = expansions(&o.pieces);
    let wanted: Vec<Name> = o
        .means
        .iter()
        .zip(&old)
        .map(|(symbol, old)| match symbol.as_ref().and_then(|s| names.get(s)) {
            Some(new) => format!("{new}{}", o.suffix).into(),
            None => old.clone(),
        })
        .collect();
    if !o.has_groups() {
        let text = wanted.first().map(|n| n.to_string()).unwrap_or_default();
        return Ok(vec![Edit { span: o.span, text }]);
    }
    let places = pieces_in(view.text(view.root), o.span);
    let made = stem_of(&o.pieces, &wanted).or_else(|| words_of(&o.pieces, &wanted));
    let Some(pieces) = made else {
        let new: Vec<String> = wanted.iter().filter(|n| !old.contains(n)).map(|n| format!("`{n}`")).collect();
        let family = view.sources.text(o.span);
        return Err(format!(
            "{} would not be one of the family `{family}`, which is written as one",
            new.join(", ")
        ));
    };
    let mut edits = Vec::new();
    for (span, (piece, word)) in places {
        let text = |pieces: &[Piece]| match (pieces.get(piece), word) {
            (Some(Piece::Text(text)), None) => Some(text.to_string()),
            (Some(Piece::Group(words)), Some(k)) => words.get(k).map(|w| w.to_string()),
            _ => None,
        };
        if let (Some(before), Some(after)) = (text(&o.pieces), text(&pieces))
            && before != after
        {
            edits.push(Edit { span, text: after });
        }
    }
    Ok(edits)
}

/// The pieces with another text before or behind the groups.
fn stem_of(pieces: &[Piece], wanted: &[Name]) -> Option<Vec<Piece>> {
    let first = wanted.first()?;
    for (i, piece) in pieces.iter().enumerate() {
        let Piece::Text(_) = piece else { continue };
        let around = |text: &str| {
            let mut with = pieces.to_vec();
            with[i] = Piece::Text(text.into());
            with
        };
        // What the others make of it with nothing here tells what is to stand here.
        let rest = expansions(&around("")).first()?.to_string();
        let len = first.len().checked_sub(rest.len())?;
        let text = match i {
            0 => first.get(..len)?,
            _ if i + 1 == pieces.len() => first.get(first.len() - len..)?,
            _ => continue,
        };
        let made = around(text);
        if !text.is_empty() && expansions(&made) == wanted {
            return Some(made);
        }
    }
    None
}

/// The pieces with other words in their only group.
fn words_of(pieces: &[Piece], wanted: &[Name]) -> Option<Vec<Piece>> {
    let groups: Vec<usize> =
        pieces.iter().enumerate().filter(|(_, p)| matches!(p, Piece::Group(_))).map(|(i, _)| i).collect();
    let [at] = groups[..] else { return None };
    let text = |p: &Piece| match p {
        Piece::Text(t) => t.to_string(),
        Piece::Group(_) => String::new(),
    };
    let prefix: String = pieces[..at].iter().map(text).collect();
    let suffix: String = pieces[at + 1..].iter().map(text).collect();
    let words = wanted.iter().map(|name| {
        let word = name.strip_prefix(prefix.as_str())?.strip_suffix(suffix.as_str())?;
        (!word.is_empty()).then(|| Name::from(word))
    });
    let mut made = pieces.to_vec();
    made[at] = Piece::Group(words.collect::<Option<_>>()?);
    (expansions(&made) == wanted).then_some(made)
}

/// What the names of a file mean, in order, and its mistakes.
struct Meanings {
    names: Vec<Vec<Option<Key>>>,
    mistakes: Vec<String>,
}

impl Meanings {
    fn of(world: &World<'_>, view: &View) -> Meanings {
        let names = view.index_of(view.root).occurrences.iter();
        let names = names.map(|o| o.means.iter().map(|s| s.as_ref().map(|s| world.key(view, s))).collect());
        let mistakes = view.problems().into_iter().filter(Diagnostic::is_error).map(|d| d.message);
        Meanings { names: names.collect(), mistakes: mistakes.collect() }
    }
}

/// Texts that are changed, over those that are not.
struct Changed<'a> {
    texts: BTreeMap<String, String>,
    below: &'a dyn Loader,
}

impl Loader for Changed<'_> {
    fn load(&self, path: &str) -> Result<String, String> {
        match self.texts.get(path) {
            Some(text) => Ok(text.clone()),
            None => self.below.load(path),
        }
    }

    fn is_inside(&self, path: &str, root: &str) -> bool {
        self.below.is_inside(path, root)
    }
}

/// Refuses edits after which a name means something else: two that differed are one, or one that was the same is two.
fn same_meaning(
    world: &World<'_>,
    edits: &Edits,
    before: &BTreeMap<String, Meanings>,
) -> Result<(), Refusal> {
    let mut texts = BTreeMap::new();
    for (path, edits) in edits {
        let text = world.loader.load(path)?;
        texts.insert(path.clone(), apply(&text, edits));
    }
    let changed = Changed { texts, below: world.loader };
    let world = World { loader: &changed, ..*world };
    let (mut there, mut back) = (BTreeMap::new(), BTreeMap::new());
    for (path, old) in before {
        let Some(view) = world.view(path) else { return Err(format!("{path} cannot be read")) };
        let new = Meanings::of(&world, &view);
        if !old.names.iter().map(Vec::len).eq(new.names.iter().map(Vec::len)) {
            return Err(new_mistake(old, &new).unwrap_or_else(|| "the text would read otherwise".into()));
        }
        for (a, b) in old.names.iter().flatten().zip(new.names.iter().flatten()) {
            let is_same = match (a, b) {
                (Some(a), Some(b)) => {
                    there.entry(a.clone()).or_insert_with(|| b.clone()) == b
                        && back.entry(b.clone()).or_insert_with(|| a.clone()) == a
                }
                (None, None) => true,
                _ => false,
            };
            if !is_same {
                let name = b.as_ref().or(a.as_ref()).map_or("", |k| &*k.name);
                return Err(format!("there is another `{name}` already"));
            }
        }
        if let Some(mistake) = new_mistake(old, &new) {
            return Err(mistake);
        }
    }
    Ok(())
}

/// What is said of a text that was not said before, if there is more to say.
fn new_mistake(old: &Meanings, new: &Meanings) -> Option<String> {
    let first = new.mistakes.iter().find(|m| !old.mistakes.contains(m)).or(new.mistakes.last())?;
    (new.mistakes.len() > old.mistakes.len()).then(|| first.clone())
}

/// A text with edits, which lie apart.
pub fn apply(text: &str, edits: &[Edit]) -> String {
    let mut ordered: Vec<&Edit> = edits.iter().collect();
    ordered.sort_by_key(|e| e.span.start);
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for edit in ordered {
        let (start, end) = (edit.span.start as usize, edit.span.end as usize);
        out.push_str(text.get(at..start).unwrap_or_default());
        out.push_str(&edit.text);
        at = end.max(at);
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}
