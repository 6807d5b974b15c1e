//! What the names and expressions of one item are: shape, type, the axes they are over.
//!
//! In: an item. Out: a [`Survey`], taken from the same builds that find its mistakes ([`super::check()`]): the item on its
//! own, dimensions as symbols. Of something that only some options have, those tell; the first option that has it counts.
//! Mistakes are left out here, and so is whatever they keep from having a value.

use super::Options;
use super::builder::Builder;
use super::check::{Found, Target, argument, call, number, run, variants};
use super::value::*;
use crate::eqn::{DomainKind, Ty};
use crate::resolve::{ItemId, Library, item_name, item_statics};
use crate::shape::{Dim, show_shape};
use crate::source::{FileId, Span};
use crate::syntax::ast::*;
use std::collections::BTreeMap;

/// Of more combinations of options the first ones tell enough.
const MOST_VARIANTS: usize = 8;

/// What is known of the names and expressions of one item.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// Of a name; of a family what its members are.
    names: BTreeMap<Name, String>,
    /// Of the expression at a place.
    places: BTreeMap<Span, String>,
    /// Dimensions that must be numbers, with those that were made up for them.
    invented: BTreeMap<Name, i64>,
}

impl Survey {
    /// `[H]`, `seq<n> of id(V)`, `bool`: as a declaration would have it.
    pub fn name(&self, name: &str) -> Option<&str> {
        self.names.get(name).map(String::as_str)
    }

    pub fn place(&self, span: Span) -> Option<&str> {
        self.places.get(&span).map(String::as_str)
    }

    /// Of the smallest expression that ends where a name ends and holds it: `m.h` of the name `h`.
    pub fn ending(&self, name: Span) -> Option<&str> {
        let around = self.places.range(..=Span { start: name.start, end: u32::MAX, ..name }).rev();
        let mut around = around.take_while(|(place, _)| place.file == name.file);
        around.find(|(place, _)| place.end == name.end).map(|(_, text)| text.as_str())
    }

    /// The smallest expression around a place, and what it is.
    pub fn around(&self, file: FileId, offset: u32) -> Option<(Span, &str)> {
        let places = self.places.range(..=Span { file, start: offset, end: u32::MAX });
        let around = places.filter(|(s, _)| s.file == file && s.start <= offset && offset <= s.end);
        around.min_by_key(|(s, _)| s.end - s.start).map(|(s, text)| (*s, text.as_str()))
    }

    /// Dimensions that are shown as numbers, and which.
    pub fn invented(&self) -> impl Iterator<Item = (&Name, i64)> {
        self.invented.iter().map(|(name, n)| (name, *n))
    }

    /// Adds what a build has found.
    pub(super) fn add(&mut self, builder: &mut Builder<'_>) {
        let Some(frame) = builder.outermost else { return };
        for (place, val) in builder.seen.take().into_iter().flatten() {
            if let Some(text) = builder.type_text(frame, &val) {
                self.places.entry(place).or_insert(text);
            }
        }
        let f = builder.frame(frame);
        let given = f.given.iter().map(|(name, val)| (name.clone(), val.clone()));
        let free = f.free.iter().map(|(name, val)| (name.clone(), val.clone()));
        let known = f.memo.iter().filter_map(|((name, _), memo)| match memo {
            Memo::Done(val) => Some((name.clone(), val.clone())),
            _ => None,
        });
        let all: Vec<(Name, Val<'_>)> = given.chain(known).chain(free).collect();
        for (name, val) in all {
            if !self.names.contains_key(&name)
                && let Some(text) = builder.type_text(frame, &val)
            {
                self.names.insert(name, text);
            }
        }
        for (name, value) in &builder.options.statics {
            if let ExprKind::Number(n, _) = value.kind {
                self.invented.insert(name.as_str().into(), n as i64);
            }
        }
    }
}

/// Values by the places of their expressions.
pub type Seen<'l> = BTreeMap<Span, Val<'l>>;

/// What an item's names and expressions are, found in so many steps of work.
pub fn survey(library: &Library, id: ItemId, mut work: u64) -> Survey {
    super::on_large_stack(|| {
        let mut found = Found::surveying();
        let item = library.item(id);
        let (all, _) = variants(item_statics(item));
        for variant in all.iter().take(MOST_VARIANTS) {
            match (&item.kind, item_name(item)) {
                (ItemKind::Cell(_) | ItemKind::Layer(_), Some(name)) => {
                    let args = variant.iter().map(|(n, e)| argument(n, e.clone())).collect();
                    let recipe = call(name, args);
                    run(library, Target::Recipe(&recipe), Options::default(), &mut found, &mut work);
                }
                (ItemKind::Model(model), _) => {
                    let statics = variant.iter().map(|(n, e)| (n.name.to_string(), e.clone())).collect();
                    let options = Options { statics, ..Options::default() };
                    run(library, Target::Model(id, model), options, &mut found, &mut work);
                }
                (ItemKind::Fn(f), _) => {
                    let args = f.inputs.iter().filter(|i| !i.kind.is_empty() && i.default.is_none());
                    let args = args.map(|i| argument(&i.name, number(0.5, i.span))).collect();
                    let recipe = call(&f.name, args);
                    run(library, Target::Recipe(&recipe), Options::default(), &mut found, &mut work);
                }
                _ => {}
            }
        }
        found.survey.unwrap_or_default()
    })
}

impl<'l> Builder<'l> {
    /// Keeps what an expression of the outermost item is.
    pub(super) fn note_seen(&mut self, e: &Expr, env: &Env, result: &R<Val<'l>>) {
        let is_outermost = self.frames.get(1).is_some() && env.frame == FrameId(1);
        if let (Ok(val), true, Some(seen)) = (result, is_outermost, &mut self.seen) {
            seen.entry(e.span).or_insert_with(|| val.clone());
        }
    }

    /// What a value is, as a declaration of the item would have it; `None` if that says nothing.
    fn type_text(&mut self, frame: FrameId, val: &Val<'l>) -> Option<String> {
        match val {
            Val::Arr(arr) => Some(self.array_text(frame, *arr)),
            Val::Num(x) => Some(format!("{x}")),
            Val::Dim(d) => Some(d.to_string()),
            Val::Bool(b) => Some(b.to_string()),
            Val::Word(word) => Some(word.to_string()),
            Val::Extent(d) => Some(self.graph.domains.get(d.index())?.extent.to_string()),
            Val::Instance(inner) => {
                let span = self.frame(frame).span.unwrap_or(Span { file: FileId(0), start: 0, end: 0 });
                let first = self.first_out(*inner, span).ok()?;
                match first {
                    Val::Arr(arr) => Some(self.array_text(frame, arr)),
                    _ => None,
                }
            }
            Val::Family(owner, name, index) if *owner == frame => {
                let members = self.frame(frame).memo.iter();
                let member = members.filter(|((n, i), _)| n == name && i.starts_with(index));
                let member = member.filter_map(|(_, memo)| match memo {
                    Memo::Done(val @ Val::Arr(_)) => Some(val.clone()),
                    _ => None,
                });
                let member = member.into_iter().next()?;
                self.type_text(frame, &member)
            }
            _ => None,
        }
    }

    fn array_text(&self, frame: FrameId, arr: Arr) -> String {
        let node = self.graph.node(arr.node);
        let shape: Vec<Dim> = self.shape(arr).to_vec();
        let element = match &node.ty {
            Ty::Real => show_shape(&shape),
            Ty::Bool if shape.is_empty() => "bool".to_string(),
            Ty::Bool => format!("bool {}", show_shape(&shape)),
            Ty::Id(k) if shape.is_empty() => format!("id({k})"),
            Ty::Id(k) => format!("id({k}) {}", show_shape(&shape)),
        };
        // A cell speaks of one of its points.
        let own = &self.frame(frame).at;
        let mut chains: Vec<&str> = Vec::new();
        let mut trees: Vec<&str> = Vec::new();
        for axis in self.graph.axes_of(node.level).into_iter().filter(|a| !own.contains(a)) {
            let Some(domain) = self.graph.domains.get(axis.index()) else { continue };
            match domain.kind {
                DomainKind::Tree { .. } => trees.push(&domain.extent),
                DomainKind::Children { .. } => {}
                _ => chains.push(&domain.extent),
            }
        }
        let mut text = String::new();
        for tree in trees {
            text.push_str(&format!("tree<{tree}> of "));
        }
        match chains.as_slice() {
            [] => {}
            [one] => text.push_str(&format!("seq<{one}> of ")),
            many => text.push_str(&format!("grid<{}> of ", many.join(", "))),
        }
        text + &element
    }
}
