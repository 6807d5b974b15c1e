//! Whose mistake it is that shows in another text: where the author's file leads to it.
//!
//! In: a message, and the instance whose expression is being evaluated. Out: the message with labels in the author's file, if
//! it had none there: where the text that it is about is applied, and which override it is that a line of a base does not
//! agree with.

use super::builder::Builder;
use super::names::children;
use super::value::{Frame, FrameId};
use crate::diag::{Diagnostic, Label};
use crate::resolve::text::{Brace, Equated, Text, pick};
use crate::resolve::{Library, Origin};
use crate::source::{FileId, Span};
use crate::syntax::ast::*;
use std::collections::{BTreeSet, VecDeque};

impl<'l> Builder<'l> {
    /// A message as the author of the outermost text needs it.
    pub(super) fn traced(&self, mut d: Diagnostic) -> Diagnostic {
        if d.labels.is_empty() {
            return d;
        }
        let home = self.home();
        // What is evaluated around the outermost instance, such as its shapes, is of that instance.
        let inside = self.frames.get(self.here.0.0 as usize).is_some_and(|f| f.span.is_some());
        let outermost = || self.frames.iter().position(|f| f.span.is_some()).map(|i| FrameId(i as u32));
        let mut at = if inside { Some(self.here.0) } else { outermost() };
        while let Some(frame) = at.and_then(|id| self.frames.get(id.0 as usize)) {
            if let Some(place) = overridden(&frame.text, &d.labels) {
                d = d.at(place, "overridden here");
            }
            let is_told = |file: FileId| d.labels.iter().any(|l| l.span.file == file);
            if home.is_none_or(is_told) {
                break;
            }
            if let Some(span) = frame.span
                && !is_stdlib(self.library, span.file)
                && !is_told(span.file)
            {
                let text = if frame.parent.is_some() { "applied here" } else { "asked for here" };
                d = match self.argument(frame, d.labels.first()).filter(|at| at.file == span.file) {
                    Some(argument) => d.at(argument, "given here"),
                    None => d.at(span, text),
                };
            } else if let Some(layer) = frame.text.layers.last()
                && frame.text.layers.len() > 1
                && home == Some(layer.base_span.file)
            {
                d = d.at(layer.base_span, "derived here");
            }
            at = frame.parent;
        }
        d
    }

    /// The argument that gives what a label is about, if that is a static parameter.
    fn argument(&self, frame: &Frame<'l>, label: Option<&Label>) -> Option<Span> {
        let span = label?.span;
        let name = self.library.file(span.file)?.text.get(span.start as usize..span.end as usize)?;
        frame.statics.iter().find_map(|s| s.get(name)?.written)
    }

    /// The file of the outermost text, or of the recipe that asks for it.
    fn home(&self) -> Option<FileId> {
        self.frames.iter().find_map(|f| f.span).map(|span| span.file)
    }
}

/// Whether a file is none of an author's.
pub(super) fn is_stdlib(library: &Library, file: FileId) -> bool {
    library.file(file).is_some_and(|f| f.origin == Origin::Stdlib)
}

/// The place that tells a message from others of its kind: what is wrong with the use of a text of the stdlib is wrong in
/// `file`.
pub(super) fn place(library: &Library, file: FileId, d: &Diagnostic) -> Option<Span> {
    let first = d.labels.first()?.span;
    let own = d.labels.iter().find(|l| l.span.file == file).map(|l| l.span);
    Some(own.filter(|_| is_stdlib(library, first.file)).unwrap_or(first))
}

/// Where something stands that takes the place of what an equation of a base reads, if all labels are in that equation: what
/// is labelled comes before what stands beside it, and both before what they read in turn.
fn overridden(text: &Text<'_>, labels: &[Label]) -> Option<Span> {
    let first = labels.first()?.span;
    let equated = text.entries.iter().filter_map(|e| e.equated.as_ref());
    let equated = equated.into_iter().find(|q| is_within(first, q.equation.span))?;
    let above = |layer: usize| layer > equated.layer;
    let is_told = |span: Span| labels.iter().any(|l| is_within(span, l.span) || is_within(l.span, span));
    let mut queue: VecDeque<Name> = VecDeque::new();
    let labelled: Vec<Span> = labels.iter().map(|l| l.span).collect();
    names_within(&equated.equation.value, equated.brace, Some(&labelled), &mut queue);
    names_within(&equated.equation.value, equated.brace, None, &mut queue);
    let mut seen = BTreeSet::new();
    while let Some(name) = queue.pop_front() {
        let Some(entry) = text.get(&name).filter(|_| seen.insert(name.clone())) else { continue };
        let new = entry.equated.as_ref().filter(|q| above(q.layer)).map(|q: &Equated| q.span);
        let new = new.or(entry.declared.as_ref().filter(|d| above(d.layer)).map(|d| d.span));
        match (new, &entry.equated) {
            (Some(span), _) => return Some(span).filter(|s| !is_told(*s)),
            (None, Some(q)) => names_within(&q.equation.value, q.brace, None, &mut queue),
            (None, None) => {}
        }
    }
    None
}

fn is_within(inner: Span, outer: Span) -> bool {
    inner.file == outer.file && outer.start <= inner.start && inner.end <= outer.end
}

/// The names that an expression reads, within some places if they are given.
fn names_within(e: &Expr, brace: Brace, places: Option<&[Span]>, out: &mut VecDeque<Name>) {
    match &e.kind {
        ExprKind::Name(p) => {
            if places.is_none_or(|places| places.iter().any(|place| is_within(e.span, *place))) {
                out.push_back(pick(p, brace.map_or(0, |b| b.0)));
            }
        }
        _ => children(e).into_iter().for_each(|c| names_within(c, brace, places, out)),
    }
}
