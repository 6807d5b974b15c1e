//! What the body of an item defines, name by name.
//!
//! In: one body. Out: a [`Text`], in which name families are expanded and every name has at most one
//! declaration and one equation. Overrides are merged by [`super::inherit`].
//! Invariant: entries are in page order; nothing is evaluated here.

use super::errors;
use crate::diag::Diagnostic;
use crate::source::Span;
use crate::syntax::ast::*;
use std::collections::BTreeMap;

/// Which word of its brace groups a template stands for: `(word, number of words)`.
pub type Brace = Option<(usize, usize)>;

/// One cell in a line of overrides: layer 0 is the base at the bottom.
#[derive(Clone, Debug)]
pub struct TextLayer<'a> {
    pub name: &'a Ident,
    pub statics: &'a [Static],
    /// The arguments this layer gives to the one below.
    pub base_args: &'a [Arg],
    /// Where they stand; of a layer without a base its name.
    pub base_span: Span,
}

/// A side of a domain.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SideKey {
    /// Before the first points of an axis.
    Before(Name),
    /// The nodes without children.
    Leaf,
}

/// The definitions of one item.
#[derive(Clone, Debug)]
pub struct Text<'a> {
    pub layers: Vec<TextLayer<'a>>,
    pub over: Option<&'a Over>,
    pub entries: Vec<Entry<'a>>,
    pub(super) index: BTreeMap<Name, usize>,
    pub dims: BTreeMap<Name, (usize, &'a Setting)>,
    pub outs: Vec<(usize, &'a OutItem)>,
    /// Equations at the sides of the domain; one for each member of a family, or for all.
    pub sides: BTreeMap<(SideKey, Name), Vec<Equated<'a>>>,
    /// Places in `sides` of equations for members that may be the same, by a number that the same ones have in common.
    pub(super) members: BTreeMap<(SideKey, Name, u64), Vec<usize>>,
    /// Inputs of a layer or function, in order.
    pub inputs: &'a [InputDecl],
    /// `= expr` of a layer or function.
    pub result: Option<&'a Expr>,
    /// `loss`, `metric`, `generate`, `data`, `train`, in order.
    pub blocks: Vec<&'a Stmt>,
    /// The base is unknown, so what is missing here may well be there.
    pub baseless: bool,
}

#[derive(Clone, Debug)]
pub struct Entry<'a> {
    pub name: Name,
    pub declared: Option<Declared<'a>>,
    pub equated: Option<Equated<'a>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    In,
    Mem,
    State,
    Param,
    Noise,
    Part,
    /// Declared by a base as something that an override replaced by an equation.
    Shape,
}

impl Kind {
    pub fn word(self) -> &'static str {
        match self {
            Kind::In => "in",
            Kind::Mem => "mem",
            Kind::State => "state",
            Kind::Param => "param",
            Kind::Noise => "noise",
            Kind::Part => "part",
            Kind::Shape => "shape",
        }
    }
}

#[derive(Clone, Debug)]
pub struct Declared<'a> {
    pub layer: usize,
    pub docs: &'a [String],
    pub kind: Kind,
    pub index: &'a [TargetIndex],
    pub ty: Option<&'a Type>,
    /// The value (`= e`) or distribution (`~ d`).
    pub value: Option<&'a Expr>,
    pub dist: Option<&'a Expr>,
    pub within: Option<&'a Set>,
    /// Of a noise: `sequence` or `batch`.
    pub per: Option<&'a Ident>,
    /// The axes it is over, if not all.
    pub over: &'a [Ident],
    /// Of a part.
    pub recipe: Option<&'a Expr>,
    pub brace: Brace,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub struct Equated<'a> {
    pub layer: usize,
    pub equation: &'a Equation,
    /// Which of the equation's targets.
    pub target: usize,
    pub targets: usize,
    pub brace: Brace,
    pub span: Span,
}

impl<'a> Equated<'a> {
    pub fn index(&self) -> &'a [TargetIndex] {
        self.equation.targets.get(self.target).map_or(&[], |t| t.index.as_slice())
    }
}

impl<'a> Text<'a> {
    pub fn new() -> Self {
        Text {
            layers: Vec::new(),
            over: None,
            entries: Vec::new(),
            index: BTreeMap::new(),
            dims: BTreeMap::new(),
            outs: Vec::new(),
            sides: BTreeMap::new(),
            members: BTreeMap::new(),
            inputs: &[],
            result: None,
            blocks: Vec::new(),
            baseless: false,
        }
    }

    /// How many definitions there are, of all kinds.
    pub fn size(&self) -> usize {
        let sides: usize = self.sides.values().map(Vec::len).sum();
        self.entries.len() + self.outs.len() + self.dims.len() + self.blocks.len() + sides
    }

    pub fn get(&self, name: &str) -> Option<&Entry<'a>> {
        self.index.get(name).map(|i| &self.entries[*i])
    }

    /// Where a name's entry stands among all.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.index.get(name).copied()
    }

    /// The entry of a name, made if there is none.
    pub(super) fn entry(&mut self, name: &Name) -> &mut Entry<'a> {
        let next = self.entries.len();
        let i = *self.index.entry(name.clone()).or_insert(next);
        if i == next {
            self.entries.push(Entry { name: name.clone(), declared: None, equated: None });
        }
        &mut self.entries[i]
    }

    pub fn names(&self) -> impl Iterator<Item = &Name> {
        self.entries.iter().map(|e| &e.name)
    }

    /// The names declared as one kind, in page order.
    pub fn declared(&self, kind: Kind) -> impl Iterator<Item = &Entry<'a>> {
        self.entries.iter().filter(move |e| e.declared.as_ref().is_some_and(|d| d.kind == kind))
    }
}

impl Default for Text<'_> {
    fn default() -> Self {
        Text::new()
    }
}

/// The words of a pattern's brace groups in step; one name without a brace if it has none.
pub fn expand(pattern: &Pattern) -> Result<Vec<(Name, Brace)>, Diagnostic> {
    let Some(count) = group_count(pattern)? else {
        return Ok(vec![(plain(pattern), None)]);
    };
    Ok((0..count).map(|k| (pick(pattern, k), Some((k, count)))).collect())
}

/// The number of words of a pattern's groups, which must agree.
pub fn group_count(pattern: &Pattern) -> Result<Option<usize>, Diagnostic> {
    let mut count = None;
    for piece in &pattern.pieces {
        if let Piece::Group(words) = piece {
            match count {
                Some(n) if n != words.len() => {
                    return Err(errors::braces_differ(&pattern.written, pattern.span, n, words.len()));
                }
                _ => count = Some(words.len()),
            }
        }
    }
    Ok(count)
}

/// The name with word `k` of each group.
pub fn pick(pattern: &Pattern, k: usize) -> Name {
    if let [Piece::Text(name)] = pattern.pieces.as_slice() {
        return name.clone();
    }
    let mut name = String::new();
    for piece in &pattern.pieces {
        match piece {
            Piece::Text(text) => name.push_str(text),
            Piece::Group(words) => name.push_str(words.get(k).map_or("", |w| w)),
        }
    }
    // A mark may reach across a group: `{h g}_hat` is ĥ, ĝ.
    crate::syntax::names::canonical(&name).into()
}

/// The name of a pattern without groups.
pub fn plain(pattern: &Pattern) -> Name {
    pick(pattern, 0)
}

/// What an item may hold, for messages and refusals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    Cell,
    Layer,
    Model,
    Fn,
}

impl Holder {
    fn word(self) -> &'static str {
        match self {
            Holder::Cell => "cell",
            Holder::Layer => "layer",
            Holder::Model => "model",
            Holder::Fn => "function",
        }
    }
}

/// So many mistakes of one text are told.
const MOST_MISTAKES: usize = 500;

/// Adds a body's statements to a text. Every name must be new to it.
pub fn collect<'a>(
    text: &mut Text<'a>,
    body: &'a Body,
    layer: usize,
    holder: Holder,
    diagnostics: &mut Vec<Diagnostic>,
) {
    for stmt in &body.stmts {
        if let Some(refusal) = misplaced(stmt, holder) {
            diagnostics.push(refusal);
        } else if let Err(d) = statement(text, stmt, layer, diagnostics) {
            diagnostics.push(d);
        }
        diagnostics.truncate(MOST_MISTAKES);
    }
}

fn statement<'a>(
    text: &mut Text<'a>,
    stmt: &'a Stmt,
    layer: usize,
    diagnostics: &mut Vec<Diagnostic>,
) -> Result<(), Diagnostic> {
    match &stmt.kind {
        StmtKind::Decl(decl) => {
            if !decl.over.is_empty() && decl.kind != DeclKind::In {
                diagnostics.push(errors::over_axes_of_no_input(stmt.span));
            }
            let (value, dist) = match &decl.init {
                Some(DeclInit::Value(e)) => (Some(e), None),
                Some(DeclInit::Dist(e)) => (None, Some(e)),
                None => (None, None),
            };
            let kind = match decl.kind {
                DeclKind::In => Kind::In,
                DeclKind::Mem => Kind::Mem,
                DeclKind::State => Kind::State,
                DeclKind::Param => Kind::Param,
            };
            for target in &decl.targets {
                for (name, brace) in expand(&target.name)? {
                    let declared = Declared {
                        layer,
                        docs: &stmt.docs,
                        kind,
                        index: &target.index,
                        ty: Some(&decl.ty),
                        value,
                        dist,
                        within: decl.within.as_ref(),
                        per: None,
                        over: &decl.over,
                        recipe: None,
                        brace,
                        span: target.span,
                    };
                    declare(text, &name, declared, diagnostics);
                }
            }
        }
        StmtKind::Noise { targets, ty, dist, per } => {
            for target in targets {
                for (name, brace) in expand(&target.name)? {
                    let declared = Declared {
                        layer,
                        docs: &stmt.docs,
                        kind: Kind::Noise,
                        index: &target.index,
                        ty: Some(ty),
                        value: None,
                        dist: Some(dist),
                        within: None,
                        per: per.as_ref(),
                        over: &[],
                        recipe: None,
                        brace,
                        span: target.span,
                    };
                    declare(text, &name, declared, diagnostics);
                }
            }
        }
        StmtKind::Part { name, recipe } => {
            let declared = Declared {
                layer,
                docs: &stmt.docs,
                kind: Kind::Part,
                index: &[],
                ty: None,
                value: None,
                dist: None,
                within: None,
                per: None,
                over: &[],
                recipe: Some(recipe),
                brace: None,
                span: name.span,
            };
            declare(text, &name.name, declared, diagnostics);
        }
        StmtKind::Dims(settings) => {
            for setting in settings {
                if let Some((_, first)) = text.dims.get(&setting.name.name) {
                    let (first, again) = (first.name.span, setting.name.span);
                    diagnostics.push(errors::two_declarations(&setting.name.written, first, again));
                    continue;
                }
                text.dims.insert(setting.name.name.clone(), (layer, setting));
            }
        }
        StmtKind::At { side, equations } => {
            let key = side_key(text, side).map_err(|help| errors::no_such_side(stmt.span, help))?;
            for equation in equations {
                for (name, equated) in expand_equation(equation, layer)? {
                    let known = text.sides.entry((key.clone(), name.clone())).or_default();
                    let members = (key.clone(), name.clone(), fingerprint_of(equated.index()));
                    let alike = text.members.entry(members).or_default();
                    let first = alike.iter().filter_map(|i| known.get(*i));
                    if let Some(first) = first.into_iter().find(|e| same_members(e.index(), equated.index()))
                    {
                        diagnostics.push(errors::two_sides(&name, first.span, equated.span));
                        continue;
                    }
                    alike.push(known.len());
                    known.push(equated);
                }
            }
        }
        StmtKind::Equation(equation) => {
            for (name, equated) in expand_equation(equation, layer)? {
                let entry = text.entry(&name);
                if let Some(first) = &entry.equated {
                    diagnostics.push(errors::two_equations(&name, first.span, equated.span));
                    continue;
                }
                if let Some(d) = entry.declared.as_ref().filter(|d| !may_have_equation(d.kind)) {
                    diagnostics.push(errors::equation_for_given(&name, d.kind.word(), equated.span, d.span));
                    continue;
                }
                entry.equated = Some(equated);
            }
        }
        StmtKind::Out(items) => {
            for item in items {
                text.outs.push((layer, item));
            }
        }
        StmtKind::Loss { .. }
        | StmtKind::Metric { .. }
        | StmtKind::Generate { .. }
        | StmtKind::Data(_)
        | StmtKind::Train(_) => text.blocks.push(stmt),
        StmtKind::Set { .. } | StmtKind::Expect { .. } => {}
    }
    Ok(())
}

/// The side a block is about; otherwise what would be one.
fn side_key(text: &Text<'_>, side: &Side) -> Result<SideKey, String> {
    let kind = text.over.map_or(OverKind::Chain, |o| o.kind);
    let axes: Vec<&Name> = match text.over.map(|o| o.axes.as_slice()) {
        None | Some([]) => Vec::new(),
        Some(axes) => axes.iter().filter(|a| !a.rest).map(|a| &a.name.name).collect(),
    };
    match side {
        Side::Leaf if kind == OverKind::Tree => Ok(SideKey::Leaf),
        Side::Axis { axis, at } if kind != OverKind::Tree && *at == 0.0 => {
            let implicit = kind == OverKind::Chain && axes.is_empty() && &*axis.name == "t";
            match implicit || axes.contains(&&axis.name) {
                true => Ok(SideKey::Before(axis.name.clone())),
                false => {
                    Err("the sides of a domain are `at t = 0`, with the variable of one of its axes".into())
                }
            }
        }
        Side::Leaf => Err("only trees have leaves; a chain begins `at t = 0`".into()),
        Side::Axis { .. } if kind == OverKind::Tree => Err("a tree begins `at leaf`".into()),
        Side::Axis { axis, .. } => Err(format!(
            "a side is `at {} = 0`; an output at a fixed position is written `for`",
            axis.written
        )),
    }
}

/// A number that equations for the same members have in common.
fn fingerprint_of(index: &[TargetIndex]) -> u64 {
    let one = |i: &TargetIndex| match i {
        TargetIndex::Expr(e) => super::inherit::fingerprint(e),
        TargetIndex::Binder(_) => 1,
    };
    index.iter().fold(0, |sum: u64, i| sum.wrapping_mul(31).wrapping_add(one(i)))
}

/// Whether two equations of a side are for the same members of a family.
fn same_members(a: &[TargetIndex], b: &[TargetIndex]) -> bool {
    let same = |p: &TargetIndex, q: &TargetIndex| match (p, q) {
        (TargetIndex::Expr(p), TargetIndex::Expr(q)) => super::inherit::same(p, q),
        (TargetIndex::Binder(_), TargetIndex::Binder(_)) => true,
        _ => false,
    };
    a.len() == b.len() && a.iter().zip(b).all(|(p, q)| same(p, q))
}

pub(super) fn may_have_equation(kind: Kind) -> bool {
    matches!(kind, Kind::State | Kind::Shape)
}

fn declare<'a>(text: &mut Text<'a>, name: &Name, declared: Declared<'a>, diagnostics: &mut Vec<Diagnostic>) {
    let entry = text.entry(name);
    if let Some(first) = &entry.declared {
        diagnostics.push(errors::two_declarations(name, first.span, declared.span));
        return;
    }
    if let Some(equated) = entry.equated.as_ref().filter(|_| !may_have_equation(declared.kind)) {
        let d = errors::equation_for_given(name, declared.kind.word(), equated.span, declared.span);
        diagnostics.push(d);
        return;
    }
    entry.declared = Some(declared);
}

/// One equation for each name a template stands for.
pub fn expand_equation<'a>(
    equation: &'a Equation,
    layer: usize,
) -> Result<Vec<(Name, Equated<'a>)>, Diagnostic> {
    let mut out = Vec::new();
    for (target, t) in equation.targets.iter().enumerate() {
        for (name, brace) in expand(&t.name)? {
            let targets = equation.targets.len();
            out.push((name, Equated { layer, equation, target, targets, brace, span: t.span }));
        }
    }
    Ok(out)
}

/// Statements that belong to another kind of item, refused by name.
fn misplaced(stmt: &Stmt, holder: Holder) -> Option<Diagnostic> {
    use Holder::*;
    let (word, holders, help): (&str, &[Holder], &str) = match &stmt.kind {
        StmtKind::Decl(decl) => match decl.kind {
            DeclKind::In => {
                ("in", &[Cell, Model], "the inputs of a layer or function stand in its second parentheses")
            }
            DeclKind::Mem => ("mem", &[Cell], "write an input"),
            DeclKind::State => ("state", &[Cell], "only cells have states; write a cell and apply it here"),
            DeclKind::Param => ("param", &[Cell, Layer, Model], "write a cell with the parameter"),
        },
        StmtKind::Noise { .. } => ("noise", &[Cell, Layer, Model], "write a cell with the noise"),
        StmtKind::Part { .. } => ("part", &[Cell, Layer, Model], "a function has no instances"),
        StmtKind::At { .. } => ("at", &[Cell], "only cells have states"),
        StmtKind::Loss { .. } => ("loss", &[Model], "a loss belongs to a model"),
        StmtKind::Metric { .. } => ("metric", &[Model], "a metric belongs to a model"),
        StmtKind::Generate { .. } => ("generate", &[Model], "it belongs to a model"),
        StmtKind::Data(_) => ("data", &[Model], "it belongs to a model"),
        StmtKind::Train(_) => ("train", &[Model], "it belongs to a model"),
        StmtKind::Set { path, .. } => {
            let name = path.last().map_or("b", |p| &p.written);
            let help = format!("`set` belongs to tests; here declare `param {name} : […] = …`");
            return Some(errors::statement_elsewhere("set", holder.word(), stmt.span, &help));
        }
        StmtKind::Expect { .. } => ("expect", &[], "`expect` belongs to tests"),
        StmtKind::Dims(_) | StmtKind::Out(_) | StmtKind::Equation(_) => return None,
    };
    match holders.contains(&holder) {
        true => None,
        false => Some(errors::statement_elsewhere(word, holder.word(), stmt.span, help)),
    }
}
