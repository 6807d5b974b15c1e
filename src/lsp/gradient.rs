//! The derived gradient of a cell under the cursor, as `rnnc grad` prints it.

use super::view::View;
use crate::diag::Fallible;
use crate::eqn::build::{Options, build};
use crate::grad;
use crate::resolve::item_statics;
use crate::source::Span;
use crate::syntax::ast::*;
use crate::syntax::print::{Style, print_item};

/// A cell or layer with the recipe that its gradient is derived for.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    pub name: Span,
    pub recipe: String,
}

/// The cells of a view's own file whose gradient can be shown: what they are parametrised by has a default or is a dimension.
pub fn targets(view: &View) -> Vec<Target> {
    let items = view.library.items(view.root);
    let cells = items.filter_map(|item| match &item.kind {
        ItemKind::Cell(cell) => {
            let open = item_statics(item).iter().filter(|s| s.default.is_none());
            let mut names = Vec::new();
            for s in open {
                match s.kind.as_slice() {
                    [] => names.push(s.name.written.to_string()),
                    [word] if &*word.name == "dim" => names.push(s.name.written.to_string()),
                    _ => return None,
                }
            }
            let arguments: Vec<String> = names.iter().map(|n| format!("{n} = {n}")).collect();
            let recipe = match arguments.is_empty() {
                true => cell.name.written.to_string(),
                false => format!("{}({})", cell.name.written, arguments.join(", ")),
            };
            Some(Target { name: cell.name.span, recipe })
        }
        _ => None,
    });
    cells.collect()
}

/// The adjoint of a recipe, as a cell of the language.
pub fn gradient(view: &View, recipe: &str) -> Fallible<String> {
    let mut sources = view.sources.clone();
    let file = sources.add("<recipe>", recipe);
    let recipe = crate::syntax::parse_recipe(&sources, file)?;
    let (graph, mistakes) = build(&view.library, &recipe, &Options::default());
    let Some(graph) = graph else { return Err(mistakes) };
    let item = grad::print::adjoint_cell(&graph, &grad::Options::default())?;
    Ok(format!("{}\n", print_item(&item, Style::UNICODE).trim_end()))
}
