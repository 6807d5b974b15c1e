//! Arguments against declared types: open dimensions are bound, the others compared.

use super::builder::Builder;
use super::errors;
use super::value::*;
use crate::eqn::{DomainId, Level, Ty};
use crate::shape::Dim;
use crate::source::Span;
use crate::syntax::ast::*;

/// An argument with the type it must have.
pub struct Given<'l> {
    pub name: Name,
    pub ty: &'l Type,
    pub layer: usize,
    /// How many index axes stand in front.
    pub family: usize,
    pub val: Val<'l>,
    pub span: Span,
}

impl<'l> Builder<'l> {
    /// Binds what is open by all arguments, then compares all with their types.
    pub fn bind_types(&mut self, frame: FrameId, given: Vec<Given<'l>>) -> R<Vec<(Name, Val<'l>)>> {
        let mut forced = Vec::new();
        for g in given {
            let arr = self.force(g.val.clone(), g.span)?;
            self.bind_open_dims(frame, &g, arr)?;
            forced.push((g, arr));
        }
        let mut out = Vec::new();
        for (g, arr) in forced {
            let arr = self.check_type(frame, &g, arr)?;
            out.push((g.name, Val::Arr(arr)));
        }
        Ok(out)
    }

    /// The type of an element, and the extent of the sequence it stands in.
    fn element_type(&mut self, ty: &'l Type) -> R<(Option<&'l Type>, Option<&'l Expr>)> {
        let TypeKind::Domain { kind, extents, of } = &ty.kind else { return Ok((Some(ty), None)) };
        match (kind, extents.as_slice()) {
            (OverKind::Chain, [Extent::Dim(extent)]) => match of.as_deref() {
                Some(Type { kind: TypeKind::Domain { .. }, span }) => {
                    self.fail(errors::not_yet("a sequence of sequences", *span))
                }
                of => Ok((of, Some(extent))),
            },
            (OverKind::Chain, _) => self.fail(errors::chain_has_one_axis(ty.span)),
            (OverKind::Grid, _) => self.fail(errors::not_yet("a grid", ty.span)),
            (OverKind::Tree, _) => self.fail(errors::not_yet("a tree", ty.span)),
        }
    }

    fn bind_open_dims(&mut self, frame: FrameId, g: &Given<'l>, arr: Arr) -> R<()> {
        let (element, extent) = self.element_type(g.ty)?;
        if let Some(extent) = extent {
            if self.frame(frame).kind == FrameKind::Cell {
                return self.fail(errors::not_yet("a cell with a whole sequence as its input", g.ty.span));
            }
            let Level::Over(d) = self.graph.level(arr.node) else {
                return self.fail(errors::wants_sequence_input(&g.name, g.span, g.ty.span));
            };
            if let Some(open) = self.open_expr(frame, g.layer, extent) {
                self.bind_open(frame, open, Val::Extent(d));
            }
        }
        let shape: Vec<Dim> = self.shape(arr).iter().skip(g.family).cloned().collect();
        match element.map(|t| &t.kind) {
            Some(TypeKind::Array(dims)) if dims.len() == shape.len() => {
                for (expr, dim) in dims.iter().zip(shape) {
                    if let Some(open) = self.open_expr(frame, g.layer, expr) {
                        self.bind_open(frame, open, Val::dim(dim));
                    }
                }
            }
            Some(TypeKind::Id(k)) => {
                if let Ty::Id(symbols) = self.graph.ty(arr.node).clone()
                    && let Some(open) = self.open_expr(frame, g.layer, k)
                {
                    self.bind_open(frame, open, Val::dim(symbols));
                }
            }
            Some(TypeKind::AnyShape) if self.frame(frame).any.is_none() => {
                self.frame_mut(frame).any = Some(shape);
            }
            _ => {}
        }
        Ok(())
    }

    fn check_type(&mut self, frame: FrameId, g: &Given<'l>, arr: Arr) -> R<Arr> {
        let (element, extent) = self.element_type(g.ty)?;
        let env = Env::new(frame, g.layer);
        if let (Some(extent), Level::Over(d)) = (extent, self.graph.level(arr.node)) {
            match self.eval(extent, &env.of_dims())? {
                Val::Extent(known) if known == d => {}
                Val::Extent(known) => {
                    let name = |d: DomainId| self.graph.domains[d.index()].extent.to_string();
                    let e = errors::two_domains((&name(known), g.ty.span), (&name(d), g.span), g.span);
                    return self.fail(e);
                }
                _ => return self.fail(errors::not_yet("a sequence of a known length", extent.span)),
            }
        }
        let Some(ty) = element else { return Ok(arr) };
        let title = self.frame(frame).title.clone();
        let found: Vec<Dim> = self.shape(arr).iter().skip(g.family).cloned().collect();
        let found_ty = self.graph.ty(arr.node).clone();
        let TypeKind::Array(dims) = &ty.kind else {
            let (shape, want) = self.plain_type(frame, ty, &env)?;
            let constant = self.graph.as_const(arr.node).is_some();
            if want != found_ty && !constant || shape != found {
                let d = errors::argument_type(
                    &title,
                    &g.name,
                    (&shape, &want),
                    (&found, &found_ty),
                    g.span,
                    ty.span,
                );
                return self.fail(d);
            }
            return Ok(arr);
        };
        if found_ty != Ty::Real || dims.len() != found.len() {
            // A scalar fills a shape that is known.
            if found_ty == Ty::Real && found.is_empty() && arr.along == 0 && g.family == 0 {
                let shape = dims.iter().map(|e| self.eval_dim(e, &env)).collect::<R<Vec<_>>>()?;
                let node = self.spread(arr.node, &shape, g.span)?;
                return Ok(Arr { node, along: 0 });
            }
            // Dimensions that are still open are shown by their names.
            let mut want = Vec::new();
            for e in dims {
                want.push(match self.open_expr(frame, g.layer, e) {
                    Some(super::statics::Open::Static(_, n) | super::statics::Open::Free(n)) => Dim::sym(n),
                    None => self.eval_dim(e, &env)?,
                });
            }
            let d = errors::argument_type(
                &title,
                &g.name,
                (&want, &Ty::Real),
                (&found, &found_ty),
                g.span,
                ty.span,
            );
            return self.fail(d);
        }
        let want = dims.iter().map(|e| self.eval_dim(e, &env)).collect::<R<Vec<_>>>()?;
        if want != found {
            // The size of an untyped input of the outermost item is what the first cell wants; build anew.
            for (w, f) in want.iter().zip(&found) {
                if let Some(name) = f.as_sym().filter(|n| self.flexible.contains(*n)).cloned()
                    && !w.mentions(&name)
                {
                    self.decided.insert(name, w.clone());
                    self.decides_more = true;
                }
            }
            let d = errors::argument_type(
                &title,
                &g.name,
                (&want, &Ty::Real),
                (&found, &found_ty),
                g.span,
                ty.span,
            );
            return self.fail(d);
        }
        Ok(arr)
    }
}
