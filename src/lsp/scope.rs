//! The names that an item offers, and whose they are.
//!
//! In: an item of a library. Out: its [`Members`]. A derived cell has those of its bases, which stay theirs: to override `i` is
//! to speak of the base's `i`.

use super::symbol::{Owner, Space, Symbol};
use super::view::View;
use crate::resolve::text::{expand, plain};
use crate::resolve::{ItemId, Library, item_statics};
use crate::source::FileId;
use crate::syntax::ast::*;
use crate::syntax::visit;
use std::collections::BTreeMap;

/// One value of an item.
#[derive(Clone, Debug)]
pub struct Value {
    pub owner: Owner,
    /// `state`, `param`, `in`, …, `equation`.
    pub word: &'static str,
    /// The cell or layer that it is an instance of.
    pub instance: Option<ItemId>,
}

/// One static parameter.
#[derive(Clone, Debug)]
pub struct StaticMember {
    pub owner: Owner,
    /// Of a choice.
    pub words: Vec<Name>,
    /// `real`, `cell`, …; empty for a dimension or where the default tells.
    pub kind: String,
}

/// All names of one item.
#[derive(Clone, Debug)]
pub struct Members {
    pub owner: Owner,
    pub values: BTreeMap<Name, Value>,
    pub statics: BTreeMap<Name, StaticMember>,
    pub dims: BTreeMap<Name, Owner>,
    /// `None` for the variable `t` of a chain that no header names.
    pub axes: BTreeMap<Name, Option<Owner>>,
    pub outs: BTreeMap<Name, Owner>,
    /// Inputs and memories, in order.
    pub inputs: Vec<Name>,
    /// The static parameters of this very item, in order.
    pub own_statics: Vec<Name>,
}

impl Members {
    fn new(owner: Owner) -> Members {
        Members {
            owner,
            values: BTreeMap::new(),
            statics: BTreeMap::new(),
            dims: BTreeMap::new(),
            axes: BTreeMap::new(),
            outs: BTreeMap::new(),
            inputs: Vec::new(),
            own_statics: Vec::new(),
        }
    }

    pub fn value(&self, name: &Name) -> Option<Symbol> {
        self.values.get(name).map(|v| Symbol::new(v.owner, Space::Value, name))
    }

    pub fn static_(&self, name: &Name) -> Option<Symbol> {
        self.statics.get(name).map(|s| Symbol::new(s.owner, Space::Static, name))
    }

    pub fn dim(&self, name: &Name) -> Option<Symbol> {
        self.dims.get(name).map(|owner| Symbol::new(*owner, Space::Dim, name))
    }

    pub fn axis(&self, name: &Name) -> Option<Symbol> {
        let owner = self.axes.get(name)?;
        Some(Symbol { owner: *owner, space: Space::Axis, name: name.clone() })
    }

    /// A name of the item's own text; where dimensions are expected they come first.
    pub fn find(&self, name: &Name, dims_first: bool) -> Option<Symbol> {
        let dims = || self.static_(name).or_else(|| self.dim(name));
        match dims_first {
            true => dims().or_else(|| self.axis(name)).or_else(|| self.value(name)),
            false => self.value(name).or_else(|| self.axis(name)).or_else(dims),
        }
    }

    /// What an instance offers behind a dot, with what the name has behind that of the symbol: `h_last` is `h` and `_last`,
    /// `l2` a member of `l`. `start`: an argument that gives a state, `h0`.
    pub fn field(&self, name: &Name, start: bool) -> Option<(Symbol, String)> {
        if let Some(owner) = self.outs.get(name).filter(|_| !start) {
            return Some((Symbol::new(*owner, Space::Out, name), String::new()));
        }
        if let Some(symbol) = self.value(name) {
            return Some((symbol, String::new()));
        }
        for suffix in ["_last", "0"] {
            let Some(stem) = name.strip_suffix(suffix) else { continue };
            let stem: Name = stem.into();
            let out = self.outs.get(&stem).map(|owner| Symbol::new(*owner, Space::Out, &stem));
            if let Some(symbol) = self.value(&stem).or(out) {
                return Some((symbol, suffix.to_string()));
            }
        }
        let stem: Name = name.trim_end_matches(|c: char| c.is_ascii_digit()).into();
        let symbol = self.value(&stem).filter(|_| stem.len() < name.len())?;
        Some((symbol, name[stem.len()..].to_string()))
    }

    /// Of a name with what stands behind it, the cell or layer it is an instance of.
    pub fn instance(&self, symbol: &Symbol) -> Option<ItemId> {
        self.values.get(&symbol.name).filter(|_| symbol.space == Space::Value)?.instance
    }
}

/// The names of an item; `None` if it has none of its own.
pub fn members(view: &View, id: ItemId) -> Members {
    collect(&view.library, id, &mut Vec::new())
}

/// `above`: the cells that are derived from this one, to end where a circle closes.
fn collect(library: &Library, id: ItemId, above: &mut Vec<ItemId>) -> Members {
    let item = library.item(id);
    let owner = Owner::of(item);
    let mut out = Members::new(owner);
    let mut types: Vec<&Type> = Vec::new();
    match &item.kind {
        ItemKind::Cell(cell) => {
            if let CellDef::Derived { base, .. } = &cell.def
                && let Some(below) = callee_item(library, base)
                && !above.contains(&below)
            {
                above.push(id);
                let base = collect(library, below, above);
                above.pop();
                out = Members { owner, own_statics: Vec::new(), ..base };
            }
            if let Some(over) = &cell.over {
                out.axes_of(over);
            }
            let implicit = cell.over.as_ref().is_none_or(|o| o.kind == OverKind::Chain && o.axes.is_empty());
            if implicit && matches!(cell.def, CellDef::Body(_)) {
                out.axes.insert("t".into(), None);
            }
            match &cell.def {
                CellDef::Body(body) | CellDef::Derived { with: Some(body), .. } => {
                    out.body(library, body, &mut types);
                }
                CellDef::Derived { with: None, .. } => {}
            }
        }
        ItemKind::Layer(Layer { inputs, def, .. }) | ItemKind::Fn(Func { inputs, def, .. }) => {
            for input in inputs {
                out.add(&input.name.name, "input", None);
                out.inputs.push(input.name.name.clone());
                types.extend(&input.ty);
            }
            if let ExprOrBody::Body(body) = def {
                out.body(library, body, &mut types);
            }
        }
        ItemKind::Model(model) => out.body(library, &model.body, &mut types),
        ItemKind::Test(test) => out.body(library, &test.body, &mut types),
        ItemKind::Use { .. } | ItemKind::Layout(_) | ItemKind::Check(_) => {}
    }
    for s in item_statics(item) {
        let words =
            if s.kind.len() > 1 { s.kind.iter().map(|w| w.name.clone()).collect() } else { Vec::new() };
        let kind = s.kind.iter().map(|w| &*w.written).collect::<Vec<_>>().join(" | ");
        out.statics.insert(s.name.name.clone(), StaticMember { owner, words, kind });
        out.own_statics.push(s.name.name.clone());
    }
    for ty in types {
        out.free_dims(ty);
    }
    out
}

impl Members {
    fn add(&mut self, name: &Name, word: &'static str, instance: Option<ItemId>) {
        let own = self.owner;
        let value = self.values.entry(name.clone()).or_insert(Value { owner: own, word, instance });
        if word != "equation" {
            value.word = word;
        }
        value.instance = instance.or(value.instance);
    }

    fn axes_of(&mut self, over: &Over) {
        for axis in &over.axes {
            self.axes.insert(axis.name.name.clone(), Some(self.owner));
            // `t in 1..N` gives the length a name.
            if let Some(hi) = axis.set.as_ref().and_then(|s| s.hi.as_deref()) {
                self.free_names(hi);
            }
        }
    }

    fn body<'a>(&mut self, library: &Library, body: &'a Body, types: &mut Vec<&'a Type>) {
        if body.stmts.iter().any(|s| matches!(s.kind, StmtKind::Out(_))) {
            self.outs.clear();
        }
        for stmt in &body.stmts {
            match &stmt.kind {
                StmtKind::Decl(decl) => {
                    types.push(&decl.ty);
                    let word = match decl.kind {
                        DeclKind::In => "in",
                        DeclKind::Mem => "mem",
                        DeclKind::State => "state",
                        DeclKind::Param => "param",
                    };
                    for name in names_of(&decl.targets) {
                        self.add(&name, word, None);
                        if matches!(decl.kind, DeclKind::In | DeclKind::Mem) && !self.inputs.contains(&name) {
                            self.inputs.push(name);
                        }
                    }
                }
                StmtKind::Noise { targets, ty, .. } => {
                    types.push(ty);
                    names_of(targets).for_each(|name| self.add(&name, "noise", None));
                }
                StmtKind::Dims(settings) => {
                    for setting in settings {
                        self.dims.entry(setting.name.name.clone()).or_insert(self.owner);
                    }
                }
                StmtKind::Part { name, recipe } => {
                    let instance = callee_item(library, recipe);
                    self.add(&name.name, "part", instance);
                }
                StmtKind::Equation(equation) => {
                    let instance = self.instance_of(library, &equation.value);
                    // Several targets are the outs of what is applied, not the application.
                    let instance = instance.filter(|_| equation.targets.len() == 1);
                    names_of(&equation.targets).for_each(|name| self.add(&name, "equation", instance));
                }
                StmtKind::Out(items) => {
                    for item in items {
                        let Some(name) = &item.name else { continue };
                        for (name, _) in expand(name).unwrap_or_default() {
                            self.outs.insert(name, self.owner);
                        }
                    }
                }
                StmtKind::Metric { name: Some(name), .. } => {
                    self.outs.insert(name.name.clone(), self.owner);
                }
                _ => {}
            }
        }
    }

    /// Names that a type binds, because nothing else does.
    fn free_dims(&mut self, ty: &Type) {
        match &ty.kind {
            TypeKind::Domain { extents, of, .. } => {
                for extent in extents {
                    match extent {
                        Extent::Dim(e) => self.free_names(e),
                        Extent::Rest(name) => self.free_dim(&name.name),
                    }
                }
                if let Some(of) = of {
                    self.free_dims(of);
                }
            }
            TypeKind::Id(k) => self.free_names(k),
            TypeKind::Array(dims) => dims.iter().for_each(|e| self.free_names(e)),
            TypeKind::Bool | TypeKind::AnyShape => {}
        }
    }

    fn free_names(&mut self, e: &Expr) {
        match &e.kind {
            ExprKind::Name(p) => self.free_dim(&plain(p)),
            // `size(D)`: a function is no dimension.
            ExprKind::Call { args, .. } => args.iter().for_each(|a| self.free_names(&a.value)),
            _ => visit::children(e, &mut |c| self.free_names(c)),
        }
    }

    fn free_dim(&mut self, name: &Name) {
        if self.find(name, true).is_none() {
            self.dims.insert(name.clone(), self.owner);
        }
    }

    /// The cell or layer that an expression applies.
    pub fn instance_of(&self, library: &Library, e: &Expr) -> Option<ItemId> {
        match &e.kind {
            ExprKind::Paren(inner) | ExprKind::Index { base: inner, .. } => self.instance_of(library, inner),
            ExprKind::Pipe { into, .. } => self.applied(library, into, true),
            ExprKind::Call { callee, .. } => self.applied(library, callee, false),
            ExprKind::Name(p) => self.values.get(&plain(p))?.instance,
            _ => None,
        }
    }

    /// `callee` in front of the arguments of an application; behind `|>` the recipe itself.
    fn applied(&self, library: &Library, callee: &Expr, piped: bool) -> Option<ItemId> {
        match &callee.kind {
            ExprKind::Paren(inner) => self.applied(library, inner, piped),
            // `C(I, H)(x)`, `x |> C(I, H)(q = e)`; or the recipe of a pipe.
            ExprKind::Call { callee: head, .. } => self.applied(library, head, true),
            ExprKind::Name(p) => {
                let name = plain(p);
                if let Some(value) = self.values.get(&name) {
                    return value.instance;
                }
                let id =
                    library.lookup(callee.span.file, &name).filter(|_| !self.statics.contains_key(&name))?;
                let item = library.item(id);
                let is_recipe = matches!(item.kind, ItemKind::Cell(_) | ItemKind::Layer(_));
                // Without static parameters the first group applies.
                (is_recipe && (piped || item_statics(item).is_empty())).then_some(id)
            }
            _ => None,
        }
    }
}

/// The item of a recipe: `C(I, H)`, `C`.
pub fn callee_item(library: &Library, recipe: &Expr) -> Option<ItemId> {
    match &recipe.kind {
        ExprKind::Paren(inner) => callee_item(library, inner),
        ExprKind::Call { callee, .. } => callee_item(library, callee),
        ExprKind::Name(p) => library.lookup(recipe.span.file, &plain(p)),
        _ => None,
    }
}

fn names_of(targets: &[Target]) -> impl Iterator<Item = Name> + '_ {
    targets.iter().flat_map(|t| expand(&t.name).unwrap_or_default()).map(|(name, _)| name)
}

/// The item of a file that a place lies in.
pub fn item_at(library: &Library, file: FileId, offset: u32) -> Option<ItemId> {
    let ids = library.file(file).map_or(&[][..], |f| &f.items);
    ids.iter().copied().find(|id| {
        let span = library.item(*id).span;
        span.start <= offset && offset <= span.end
    })
}
