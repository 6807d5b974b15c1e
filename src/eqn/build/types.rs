//! Arguments against declared types: open dimensions are bound, the others compared.

use super::builder::Builder;
use super::errors;
use super::value::*;
use crate::eqn::{DomainId, DomainKind, Ty};
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
    /// Its axes that the type names, in order.
    pub whole: Vec<DomainId>,
    pub val: Val<'l>,
    pub span: Span,
}

/// What is at a point of a type, and the axes it is over, outermost first: `seq<n> of grid<r, c> of [A]`.
pub fn levels(ty: &Type) -> (Option<&Type>, Vec<(OverKind, &Extent)>) {
    let (mut element, mut axes) = (Some(ty), Vec::new());
    while let Some(Type { kind: TypeKind::Domain { kind, extents, of }, .. }) = element {
        axes.extend(extents.iter().map(|e| (*kind, e)));
        element = of.as_deref();
    }
    (element, axes)
}

/// How many axes a type names, and whether it takes any number more (`grid<D..>`).
pub fn axis_count(ty: &Type) -> (usize, bool) {
    let (_, axes) = levels(ty);
    let plain = axes.iter().filter(|(_, e)| matches!(e, Extent::Dim(_))).count();
    (plain, plain < axes.len())
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

    /// Binds the lengths and the set of axes that a type names.
    fn bind_lengths(&mut self, frame: FrameId, g: &Given<'l>) -> R<()> {
        let (_, extents) = levels(g.ty);
        let plain = extents.iter().filter(|(_, e)| matches!(e, Extent::Dim(_))).count();
        let mut axes = g.whole.iter();
        for (kind, extent) in extents {
            match extent {
                Extent::Dim(expr) => {
                    let Some(axis) = axes.next().copied() else { continue };
                    if self.is_tree(axis) != (kind == OverKind::Tree) {
                        return self.fail(errors::other_kind_of_domain(&g.name, g.span, g.ty.span));
                    }
                    if let Some(open) = self.open_expr(frame, g.layer, expr) {
                        self.bind_open(frame, open, Val::Extent(axis));
                    }
                }
                Extent::Rest(name) => {
                    let count = g.whole.len().saturating_sub(plain);
                    if let Some(want) = self.frame(frame).space.count
                        && want as usize != count
                    {
                        return self.fail(errors::wants_sequence_input(
                            &g.name,
                            want as usize,
                            g.span,
                            g.ty.span,
                        ));
                    }
                    axes.by_ref().take(count).for_each(drop);
                    self.frame_mut(frame).free.insert(name.name.clone(), Val::Axes(1, count as i64));
                }
            }
        }
        Ok(())
    }

    fn bind_open_dims(&mut self, frame: FrameId, g: &Given<'l>, arr: Arr) -> R<()> {
        self.bind_lengths(frame, g)?;
        let (element, _) = levels(g.ty);
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
        let (element, extents) = levels(g.ty);
        let env = Env::new(frame, g.layer);
        let dims = extents.iter().filter_map(|(_, e)| match e {
            Extent::Dim(e) => Some(e),
            Extent::Rest(_) => None,
        });
        for (extent, axis) in dims.zip(&g.whole) {
            let known = self.eval(extent, &env.of_dims())?;
            let name = |b: &Self, d: DomainId| b.graph.domains[d.index()].extent.to_string();
            match &known {
                Val::Extent(d) if d == axis || self.is_copy(*axis, *d) => {}
                Val::Extent(d) => {
                    let (p, q) = (name(self, *d), name(self, *axis));
                    return self.fail(errors::two_domains((&p, g.ty.span), (&q, g.span), g.span));
                }
                known => {
                    let n = known.as_int().and_then(|n| u32::try_from(n).ok());
                    if n.is_none()
                        || self.graph.domains[axis.index()].kind != (DomainKind::Chain { fixed: n })
                    {
                        let (p, q) = (super::top::show(extent), name(self, *axis));
                        return self.fail(errors::two_domains((&p, g.ty.span), (&q, g.span), g.span));
                    }
                }
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
            let is_open = dims.iter().any(|e| self.open_expr(frame, g.layer, e).is_some());
            if found_ty == Ty::Real && found.is_empty() && arr.along == 0 && g.family == 0 && !is_open {
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
