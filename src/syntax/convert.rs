//! From pest's pairs to the tree of [`ast`](super::ast).
//!
//! In: the pairs of one item that parsed. Out: the item; mistakes that the grammar cannot see
//! (numbers too great, escapes in strings) are collected beside it. A `None` would mean that this
//! file and the grammar disagree.

mod expr;
mod row;
mod stmt;

use super::ast::*;
use super::errors;
use super::lex::Token;
use super::text::Text;
use super::{Rule, names};
use crate::diag::Diagnostic;
use crate::source::Span;
use pest::iterators::Pair;

pub type Node<'a> = Pair<'a, Rule>;

pub struct Convert<'t> {
    pub text: &'t Text<'t>,
    /// Where the parsed piece begins in the text.
    pub base: usize,
    /// Of that piece.
    pub tokens: &'t [Token<'t>],
    pub errors: Vec<Diagnostic>,
}

/// Children that carry meaning, in order.
struct Kids<'a>(std::iter::Peekable<Box<dyn Iterator<Item = Node<'a>> + 'a>>);

impl<'a> Kids<'a> {
    fn of(node: Node<'a>) -> Self {
        let all: Box<dyn Iterator<Item = Node<'a>> + 'a> =
            Box::new(node.into_inner().filter(|n| !is_punctuation(n.as_rule())));
        Kids(all.peekable())
    }

    fn next(&mut self) -> Option<Node<'a>> {
        self.0.next()
    }

    fn take(&mut self, rule: Rule) -> Option<Node<'a>> {
        self.0.next_if(|n| n.as_rule() == rule)
    }

    fn rest(self) -> impl Iterator<Item = Node<'a>> {
        self.0
    }
}

/// Rules that only say where something stands.
fn is_punctuation(rule: Rule) -> bool {
    use Rule::*;
    matches!(
        rule,
        EOI | p_eq
            | p_colon
            | p_comma
            | p_semi
            | p_tilde
            | p_open
            | p_close
            | p_lbrack
            | p_rbrack
            | p_lbrace
            | p_rbrace
            | p_less
            | p_more
            | p_dot
            | p_bar
            | p_pipe
            | p_about
            | p_within
            | p_plus
            | isin
            | k_use
            | k_cell
            | k_layer
            | k_model
            | k_fn
            | k_layout
            | k_test
            | k_check
            | k_grad
            | k_snapshot
            | k_weights
            | k_for
            | k_over
            | k_of
            | k_within
            | k_noise
            | k_per
            | k_dim
            | k_part
            | k_at
            | k_out
            | k_loss
            | k_metric
            | k_where
            | k_generate
            | k_from
            | k_until
            | k_data
            | k_train
            | k_set
            | k_expect
            | k_if
            | k_then
            | k_else
            | k_with
    )
}

impl Convert<'_> {
    pub fn span(&self, node: &Node) -> Span {
        let span = node.as_span();
        let (start, end) = (self.base + span.start(), self.base + span.end());
        // A rule may end in the spaces and comments before an optional part that did not come.
        let after = self.tokens.partition_point(|t| t.start < end);
        let last = after.checked_sub(1).and_then(|i| self.tokens.get(i));
        self.text.span(start, last.map_or(end, |t| t.end().min(end)))
    }

    pub fn item(&mut self, node: Node) -> Option<Item> {
        let span = self.span(&node);
        let mut kids = Kids::of(node);
        let docs = self.docs(&mut kids);
        let inner = kids.next()?;
        let kind = match inner.as_rule() {
            Rule::use_ => {
                let path = Kids::of(inner).next()?;
                ItemKind::Use { span: self.span(&path), path: self.string(&path) }
            }
            Rule::cell => ItemKind::Cell(self.cell(inner)?),
            Rule::layer => {
                let mut kids = Kids::of(inner);
                ItemKind::Layer(Layer {
                    name: self.ident(&kids.next()?),
                    statics: self.statics(&mut kids)?,
                    inputs: self.inputs(&mut kids)?,
                    def: self.expr_or_body(&mut kids)?,
                })
            }
            Rule::model => {
                let mut kids = Kids::of(inner);
                ItemKind::Model(Model {
                    name: self.ident(&kids.next()?),
                    statics: self.statics(&mut kids)?,
                    body: self.body(kids.next()?)?,
                })
            }
            Rule::func => {
                let mut kids = Kids::of(inner);
                ItemKind::Fn(Func {
                    name: self.ident(&kids.next()?),
                    inputs: self.inputs(&mut kids)?,
                    def: self.expr_or_body(&mut kids)?,
                })
            }
            Rule::layout => {
                let mut kids = Kids::of(inner);
                ItemKind::Layout(Layout {
                    name: self.ident(&kids.next()?),
                    cell: self.ident(&kids.next()?),
                    lines: kids.rest().map(|n| self.foreign(n)).collect::<Option<_>>()?,
                })
            }
            Rule::test => {
                let mut kids = Kids::of(inner);
                let title = kids.next()?;
                ItemKind::Test(Test { title: self.string(&title), body: self.body(kids.next()?)? })
            }
            Rule::check => ItemKind::Check(self.check(Kids::of(inner).next()?)?),
            _ => return None,
        };
        Some(Item { docs, kind, span })
    }

    fn check(&mut self, node: Node) -> Option<Check> {
        let rule = node.as_rule();
        let mut kids = Kids::of(node);
        let kind = match rule {
            Rule::weights => CheckKind::Weights(self.ident(&kids.next()?)),
            _ => CheckKind::Grad,
        };
        let recipe = self.expr(kids.next()?)?;
        if rule == Rule::snapshot {
            let views = kids.rest().map(|n| self.view(n)).collect::<Option<_>>()?;
            return Some(Check { kind: CheckKind::Snapshot(views), recipe, settings: Vec::new() });
        }
        let settings = kids.rest().map(|n| self.setting(n)).collect::<Option<_>>()?;
        Some(Check { kind, recipe, settings })
    }

    fn view(&mut self, node: Node) -> Option<View> {
        let mut kids = Kids::of(node);
        let stage = self.ident(&kids.next()?);
        let target = kids.next().map(|n| (self.string(&n), self.span(&n)));
        Some(View { stage, target })
    }

    fn cell(&mut self, node: Node) -> Option<Cell> {
        let mut kids = Kids::of(node);
        let name = self.ident(&kids.next()?);
        let statics = self.statics(&mut kids)?;
        let over = match kids.take(Rule::over) {
            Some(over) => Some(self.over(over)?),
            None => None,
        };
        let next = kids.next()?;
        let def = if next.as_rule() == Rule::body {
            CellDef::Body(self.body(next)?)
        } else {
            let base = self.expr(next)?;
            let with = match kids.next() {
                Some(body) => Some(self.body(body)?),
                None => None,
            };
            CellDef::Derived { base, with }
        };
        Some(Cell { name, statics, over, def })
    }

    fn expr_or_body(&mut self, kids: &mut Kids) -> Option<ExprOrBody> {
        let next = kids.next()?;
        Some(if next.as_rule() == Rule::body {
            ExprOrBody::Body(self.body(next)?)
        } else {
            ExprOrBody::Expr(self.expr(next)?)
        })
    }

    fn foreign(&mut self, node: Node) -> Option<Foreign> {
        let span = self.span(&node);
        let mut kids = Kids::of(node);
        let mut terms = Vec::new();
        while let Some(term) = kids.take(Rule::foreign_term) {
            let term_span = self.span(&term);
            let mut parts = Kids::of(term);
            let name = parts.next()?;
            let slice = match parts.next() {
                Some(index) => Some(self.places(index)?),
                None => None,
            };
            terms.push((self.string(&name), slice, term_span));
        }
        Some(Foreign { terms, ours: self.expr(kids.next()?)?, span })
    }

    fn statics(&mut self, kids: &mut Kids) -> Option<Vec<Static>> {
        let Some(node) = kids.take(Rule::statics) else { return Some(Vec::new()) };
        Kids::of(node).rest().map(|n| self.static_(n)).collect()
    }

    fn static_(&mut self, node: Node) -> Option<Static> {
        let span = self.span(&node);
        let mut kids = Kids::of(node);
        let name = self.ident(&kids.next()?);
        let over_set = match kids.take(Rule::over_set) {
            Some(set) => Some(self.ident(&Kids::of(set).next()?)),
            None => None,
        };
        let kind = self.kind(&mut kids);
        let default = self.maybe_expr(&mut kids)?;
        Some(Static { name, over_set, kind, default, span })
    }

    fn kind(&mut self, kids: &mut Kids) -> Vec<Ident> {
        match kids.take(Rule::kind) {
            Some(node) => Kids::of(node).rest().map(|n| self.ident(&n)).collect(),
            None => Vec::new(),
        }
    }

    fn inputs(&mut self, kids: &mut Kids) -> Option<Vec<InputDecl>> {
        let Some(node) = kids.take(Rule::inputs) else { return Some(Vec::new()) };
        Kids::of(node).rest().map(|n| self.input(n)).collect()
    }

    fn input(&mut self, node: Node) -> Option<InputDecl> {
        let span = self.span(&node);
        let mut kids = Kids::of(node);
        let name = self.ident(&kids.next()?);
        let ty = match kids.take(Rule::type_) {
            Some(ty) => Some(self.ty(ty)?),
            None => None,
        };
        let kind = self.kind(&mut kids);
        let default = self.maybe_expr(&mut kids)?;
        Some(InputDecl { name, ty, kind, default, span })
    }

    fn over(&mut self, node: Node) -> Option<Over> {
        let span = self.span(&node);
        let mut kids = Kids::of(node);
        let kind = over_kind(kids.next()?.as_rule())?;
        let axes = kids.rest().map(|n| self.axis(n)).collect::<Option<_>>()?;
        Some(Over { kind, axes, span })
    }

    fn axis(&mut self, node: Node) -> Option<Axis> {
        let span = self.span(&node);
        let mut kids = Kids::of(node);
        let name = self.ident(&kids.next()?);
        let rest = kids.take(Rule::p_range).is_some();
        let set = match kids.next() {
            Some(set) => Some(self.set(set)?),
            None => None,
        };
        Some(Axis { name, set, rest, span })
    }

    fn ty(&mut self, node: Node) -> Option<Type> {
        let span = self.span(&node);
        let mut kids = Kids::of(node);
        let inner = kids.next()?;
        let kind = match inner.as_rule() {
            Rule::domain => {
                let mut parts = Kids::of(inner);
                let kind = over_kind(parts.next()?.as_rule())?;
                let extents = parts.rest().map(|n| self.extent(n)).collect::<Option<_>>()?;
                let of = match kids.next() {
                    Some(of) => Some(Box::new(self.ty(of)?)),
                    None => None,
                };
                TypeKind::Domain { kind, extents, of }
            }
            Rule::k_id => TypeKind::Id(Box::new(self.expr(kids.next()?)?)),
            Rule::k_bool => TypeKind::Bool,
            Rule::any_shape => TypeKind::AnyShape,
            Rule::array => {
                TypeKind::Array(Kids::of(inner).rest().map(|n| self.expr(n)).collect::<Option<_>>()?)
            }
            _ => return None,
        };
        Some(Type { kind, span })
    }

    fn extent(&mut self, node: Node) -> Option<Extent> {
        let mut kids = Kids::of(node);
        let first = kids.next()?;
        Some(if first.as_rule() == Rule::name {
            Extent::Rest(self.ident(&first))
        } else {
            Extent::Dim(self.expr(first)?)
        })
    }

    fn maybe_expr(&mut self, kids: &mut Kids) -> Option<Option<Expr>> {
        match kids.take(Rule::expr) {
            Some(node) => Some(Some(self.expr(node)?)),
            None => Some(None),
        }
    }

    fn setting(&mut self, node: Node) -> Option<Setting> {
        let span = self.span(&node);
        let mut kids = Kids::of(node);
        Some(Setting { name: self.ident(&kids.next()?), value: self.expr(kids.next()?)?, span })
    }

    /// A name that may not be a family.
    fn ident(&mut self, node: &Node) -> Ident {
        let span = self.span(node);
        let written = node.as_str();
        if written.contains('{') {
            self.errors.push(errors::braces_in_plain_name(span, written));
        }
        Ident { name: names::canonical(written).into(), written: written.into(), span }
    }

    fn pattern(&mut self, node: &Node) -> Pattern {
        let written = node.as_str();
        let mut pieces = Vec::new();
        let mut rest = written;
        while let Some((before, after)) = rest.split_once('{') {
            if !before.is_empty() {
                pieces.push(Piece::Text(before.into()));
            }
            let (words, after) = after.split_once('}').unwrap_or((after, ""));
            pieces.push(Piece::Group(
                words
                    .split(' ')
                    .filter(|w| !w.is_empty())
                    .map(|w| names::canonical_piece(w).into())
                    .collect(),
            ));
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.into()));
        }
        let whole = pieces.len() == 1;
        for piece in &mut pieces {
            if let Piece::Text(text) = piece {
                *text = if whole { names::canonical(text) } else { names::canonical_piece(text) }.into();
            }
        }
        Pattern { pieces, written: written.into(), span: self.span(node) }
    }

    fn string(&mut self, node: &Node) -> String {
        let raw = node.as_str();
        let inner = raw.strip_prefix('"').and_then(|r| r.strip_suffix('"')).unwrap_or(raw);
        let mut out = String::with_capacity(inner.len());
        let mut chars = inner.chars();
        while let Some(c) = chars.next() {
            if c != '\\' {
                out.push(c);
                continue;
            }
            match chars.next() {
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some(c @ ('"' | '\\')) => out.push(c),
                Some(c) => self.errors.push(errors::unknown_escape(self.span(node), c)),
                None => {}
            }
        }
        out
    }

    fn docs(&mut self, kids: &mut Kids) -> Vec<String> {
        let mut docs = Vec::new();
        while let Some(doc) = kids.take(Rule::doc) {
            let line = doc.as_str();
            let line = line.strip_prefix("##").unwrap_or(line);
            docs.push(line.strip_prefix(' ').unwrap_or(line).trim_end().to_string());
        }
        docs
    }
}

fn over_kind(rule: Rule) -> Option<OverKind> {
    match rule {
        Rule::k_chain | Rule::k_seq => Some(OverKind::Chain),
        Rule::k_grid => Some(OverKind::Grid),
        Rule::k_tree => Some(OverKind::Tree),
        _ => None,
    }
}
