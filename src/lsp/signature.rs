//! The parameters of the call around a place, and which of them is being written.

use super::builtins;
use super::context::context;
use super::hover;
use super::view::View;
use crate::resolve::{ItemId, item_statics};
use crate::syntax::ast::{ItemKind, Static};
use crate::syntax::names::canonical;

#[derive(Clone, Debug, PartialEq)]
pub struct Signature {
    pub label: String,
    pub parameters: Vec<String>,
    pub active: Option<usize>,
    pub docs: String,
}

pub fn signature(view: &View, offset: usize) -> Option<Signature> {
    let text = view.text(view.root);
    let context = context(text, offset);
    let call = context.call().filter(|_| !context.is_quoted)?;
    let name = canonical(call.callee);
    let Some(id) = item_of(view, &name, offset) else {
        let b = builtins::function(&name).or_else(|| builtins::distribution(&name))?;
        let inside = b.signature.split_once('(').map_or("", |(_, r)| r.trim_end_matches(')'));
        let parameters: Vec<String> = inside.split(", ").map(str::to_string).collect();
        let active = Some(call.argument.min(parameters.len().saturating_sub(1)));
        return Some(Signature { label: b.signature.into(), parameters, active, docs: b.about.into() });
    };
    let item = view.library.item(id.0);
    let statics = item_statics(item);
    let is_static = !id.1 && !statics.is_empty() && call.group == 0;
    let parameters: Vec<String> = match is_static {
        true => statics.iter().map(|s| static_text(view, s)).collect(),
        false => inputs(view, id.0),
    };
    let known =
        |word: &str| parameters.iter().position(|p| p.split([' ', '[', ':', '=']).next() == Some(word));
    let active = match call.named {
        Some(named) => known(named),
        None => Some(call.argument).filter(|i| *i < parameters.len()),
    };
    let label = format!("{}({})", call.callee, parameters.join(", "));
    Some(Signature { label, parameters, active, docs: hover::header(view, item) })
}

/// The item that a callee means, and whether it is applied already: a part.
fn item_of(view: &View, name: &str, offset: usize) -> Option<(ItemId, bool)> {
    if let Some(here) = view.item_at(offset as u32) {
        let members = view.members(here);
        if let Some(value) = members.values.get(name) {
            return value.instance.map(|id| (id, true));
        }
    }
    view.library.lookup(view.root, name).map(|id| (id, false))
}

fn static_text(view: &View, s: &Static) -> String {
    view.sources.text(s.span).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Inputs as declared; of a cell those that its text, or its base's, declares.
pub fn inputs(view: &View, id: ItemId) -> Vec<String> {
    match &view.library.item(id).kind {
        ItemKind::Layer(layer) => {
            layer.inputs.iter().map(|i| view.sources.text(i.span).to_string()).collect()
        }
        ItemKind::Fn(f) => f.inputs.iter().map(|i| view.sources.text(i.span).to_string()).collect(),
        _ => view.members(id).inputs.iter().map(|n| n.to_string()).collect(),
    }
}
