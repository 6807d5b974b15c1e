//! The outermost item of a graph: its inputs come from outside.

use super::apply::{Origin, empty_frame};
use super::builder::Builder;
use super::define::strip;
use super::errors;
use super::value::*;
use crate::eqn::{DomainId, Graph, Level, Source, SourceKind, Ty};
use crate::resolve::text::{Declared, Kind, plain};
use crate::resolve::{ItemId, nearest};
use crate::shape::{Dim, Shape};
use crate::source::Span;
use crate::syntax::ast::*;

impl<'l> Builder<'l> {
    pub fn build_recipe(&mut self, recipe: &'l Expr) -> Option<Graph> {
        let frame = self.top_frame(recipe);
        let frame = self.caught(frame)?;
        let result = match self.frame(frame).kind {
            FrameKind::Model => self.finish_model(frame).map(|_| ()),
            _ => self.finish_recipe(frame),
        };
        self.caught(result)?;
        self.graph.name = show(recipe);
        self.finished()
    }

    /// Turns a stop that no reduction caught into a report.
    pub fn caught<T>(&mut self, result: R<T>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(Stop::Reported(_)) => None,
            Err(Stop::NoAlong(at)) => {
                self.report(errors::no_such_reduction(at));
                None
            }
        }
    }

    /// The frame around everything, in which free names are dimensions.
    pub fn root(&mut self) -> FrameId {
        let mut root = empty_frame(FrameKind::Root, "recipe".into());
        root.statics = Vec::new();
        self.frames.push(root);
        FrameId(0)
    }

    pub fn top_frame(&mut self, recipe: &'l Expr) -> R<FrameId> {
        let root = self.root();
        let recipe = strip(recipe);
        let (callee, args, bare): (&'l Expr, &'l [Arg], bool) = match &recipe.kind {
            ExprKind::Call { callee, args } => (strip(callee), args, false),
            _ => (recipe, &[], true),
        };
        let ExprKind::Name(p) = &callee.kind else {
            return self.fail(errors::not_a_recipe("expression", recipe.span));
        };
        let name = plain(p);
        let Some(item) = self.item_named(callee.span.file, &name)? else {
            let near = nearest(&name, self.library.names(callee.span.file)).cloned();
            return self.fail(errors::unknown_item(&p.written, near, callee.span));
        };
        let env = Env::new(root, 0);
        match &self.library.item(item).kind {
            ItemKind::Fn(_) => self.top_fn(item, args, &env, recipe.span),
            _ => self.top_item(item, args, &env, recipe.span, bare),
        }
    }

    /// The outermost frame of a cell, layer or model.
    pub fn top_item(
        &mut self,
        item: ItemId,
        args: &'l [Arg],
        env: &Env,
        span: Span,
        bare: bool,
    ) -> R<FrameId> {
        let frame = self.new_frame(Origin {
            item,
            args,
            env,
            path: String::new(),
            param_path: String::new(),
            span,
            top: true,
            may_lack: bare,
        })?;
        let is_model = self.frame(frame).kind == FrameKind::Model;
        if self.frame(frame).kind == FrameKind::Cell {
            self.top_chain(frame)?;
        }
        if is_model {
            // What the caller sets wins over defaults and over what inputs would decide.
            let options = self.options;
            for (name, expr) in options.statics.iter().filter(|(_, e)| !matches!(e.kind, ExprKind::Hole)) {
                self.set_slot(frame, 0, name, Slot::Lazy(expr, Env::new(FrameId(0), 0)));
            }
        }
        self.close_holes(frame)?;
        // A real argument may depend on the step, so the domain comes first.
        self.force_statics(frame, span)?;
        let text = self.frame(frame).text.clone();
        if is_model || self.frame(frame).kind == FrameKind::Cell {
            for entry in &text.entries {
                if let Some(d) = entry.declared.clone().filter(|d| matches!(d.kind, Kind::In | Kind::Mem)) {
                    let result = self.top_input(frame, &entry.name, &d);
                    if let Err(Stop::NoAlong(at)) = result {
                        return self.fail(errors::no_such_reduction(at));
                    }
                    result?;
                }
            }
        } else {
            for input in text.inputs {
                self.top_layer_input(frame, input)?;
            }
        }
        self.outermost = Some(frame);
        Ok(frame)
    }

    /// The chain of the outermost cell: `n`, or as the cell names it.
    fn top_chain(&mut self, frame: FrameId) -> R<()> {
        let text = self.frame(frame).text.clone();
        let var = self.frame(frame).var.clone().unwrap_or_else(|| "t".into());
        let set = text.over.and_then(|o| o.axes.first()).and_then(|a| a.set.as_ref());
        let hi = set.and_then(|s| s.hi.as_ref());
        let named = hi.and_then(|e| match &strip(e).kind {
            ExprKind::Name(p) => Some(plain(p)),
            _ => None,
        });
        let is_static = named
            .as_ref()
            .is_some_and(|n| self.find_static(frame, 0, n).is_some() || text.dims.contains_key(n));
        let span = self.frame(frame).span;
        if hi.is_none() || (named.is_some() && !is_static) {
            let extent = named.unwrap_or_else(|| "n".into());
            let domain = self.new_domain(&extent, &var, None);
            self.frame_mut(frame).domain = Some(domain);
        }
        match (set, span) {
            (Some(_), Some(span)) => self.bind_extent(frame, span),
            _ => Ok(()),
        }
    }

    /// What no argument decides becomes a symbol.
    pub fn close_holes(&mut self, frame: FrameId) -> R<()> {
        for l in 0..self.frame(frame).statics.len() {
            let open: Vec<Name> = self.frame(frame).statics[l]
                .iter()
                .filter(|(_, s)| matches!(s.slot, Slot::Hole))
                .map(|(n, _)| n.clone())
                .collect();
            for name in open {
                let val = self.symbol(&name)?;
                self.set_slot(frame, l, &name, Slot::Known(val));
            }
        }
        Ok(())
    }

    fn top_input(&mut self, frame: FrameId, name: &Name, d: &Declared<'l>) -> R<()> {
        let Some(ty) = d.ty else { return Ok(()) };
        let own = self.frame(frame).domain;
        let level = match (d.kind, own) {
            (Kind::In, Some(domain)) => Level::Over(domain),
            _ => Level::Example,
        };
        let (member, elem, level) = self.top_type(frame, ty, d.layer, level)?;
        let sets = self.sets_of(frame, name)?;
        let shape = self.family_shape(&sets, &member, d.span)?;
        self.top_source(frame, name, shape, elem, level, d.span);
        Ok(())
    }

    fn top_source(&mut self, frame: FrameId, name: &Name, shape: Shape, ty: Ty, level: Level, span: Span) {
        let source =
            Source { name: name.clone(), kind: SourceKind::Input, shape, ty, level, span: Some(span) };
        let node = self.source(source, frame, name);
        self.frame_mut(frame).given.insert(name.clone(), Val::node(node));
    }

    fn top_layer_input(&mut self, frame: FrameId, input: &'l InputDecl) -> R<()> {
        let name = &input.name.name;
        if !input.kind.is_empty() {
            let val = match &input.default {
                Some(e) => self.eval(e, &Env::new(frame, 0))?,
                None => {
                    let in_layer = self.frame(frame).kind == FrameKind::Layer;
                    return self.fail(errors::static_input_missing(
                        &input.name.written,
                        in_layer,
                        input.span,
                    ));
                }
            };
            self.frame_mut(frame).given.insert(name.clone(), val);
            return Ok(());
        }
        let (shape, ty, level) = match &input.ty {
            Some(ty) => {
                let ambient = self.frame(frame).domain.map_or(Level::Example, Level::Over);
                let level = match self.frame(frame).kind {
                    FrameKind::Fn => Level::Example,
                    _ => ambient,
                };
                self.top_type(frame, ty, 0, level)?
            }
            None => {
                let domain = self.default_chain(frame);
                let feature = self.feature()?;
                (vec![feature], Ty::Real, Level::Over(domain))
            }
        };
        if let Level::Over(d) = level {
            self.frame_mut(frame).domain.get_or_insert(d);
        }
        self.top_source(frame, name, shape, ty, level, input.span);
        Ok(())
    }

    fn default_chain(&mut self, frame: FrameId) -> DomainId {
        match self.frame(frame).domain {
            Some(d) => d,
            None => {
                let d = self.new_domain("n", "t", None);
                self.frame_mut(frame).domain = Some(d);
                d
            }
        }
    }

    /// The size of an input whose type says nothing of it.
    fn feature(&mut self) -> R<Dim> {
        let Some(dim) = self.symbol(&"I".into())?.as_dim() else { return Ok(Dim::sym("I")) };
        let Some(name) = dim.as_sym().cloned() else { return Ok(dim) };
        match self.decided.get(&name) {
            Some(decided) => Ok(decided.clone()),
            None => {
                self.flexible.insert(name);
                Ok(dim)
            }
        }
    }

    /// Shape, type and level of an input from outside; open names become symbols.
    fn top_type(
        &mut self,
        frame: FrameId,
        ty: &'l Type,
        layer: usize,
        level: Level,
    ) -> R<(Shape, Ty, Level)> {
        let env = Env::new(frame, layer);
        match &ty.kind {
            TypeKind::Domain { kind: OverKind::Chain, extents, of } => {
                if self.frame(frame).kind == FrameKind::Cell {
                    return self.fail(errors::not_yet("a cell with a whole sequence as its input", ty.span));
                }
                let [Extent::Dim(extent)] = extents.as_slice() else {
                    return self.fail(errors::chain_has_one_axis(ty.span));
                };
                let domain = self.top_domain(frame, layer, extent)?;
                match of {
                    Some(of) if matches!(of.kind, TypeKind::Domain { .. }) => {
                        self.fail(errors::not_yet("a sequence of sequences", of.span))
                    }
                    Some(of) => self.top_type(frame, of, layer, Level::Over(domain)),
                    None => {
                        let feature = self.feature()?;
                        Ok((vec![feature], Ty::Real, Level::Over(domain)))
                    }
                }
            }
            TypeKind::Domain { kind: OverKind::Grid, .. } => self.fail(errors::not_yet("a grid", ty.span)),
            TypeKind::Domain { kind: OverKind::Tree, .. } => self.fail(errors::not_yet("a tree", ty.span)),
            TypeKind::AnyShape => {
                if self.frame(frame).any.is_none() {
                    let shape = match &self.options.any_shape {
                        Some(shape) => shape.clone(),
                        None => vec![self.symbol(&"N".into())?.as_dim().unwrap_or_else(|| Dim::sym("N"))],
                    };
                    self.frame_mut(frame).any = Some(shape);
                }
                let (shape, ty) = self.plain_type(frame, ty, &env)?;
                Ok((shape, ty, level))
            }
            TypeKind::Array(dims) => {
                for e in dims {
                    self.open_to_symbol(frame, layer, e)?;
                }
                let (shape, ty) = self.plain_type(frame, ty, &env)?;
                Ok((shape, ty, level))
            }
            TypeKind::Id(k) => {
                self.open_to_symbol(frame, layer, k)?;
                let (shape, ty) = self.plain_type(frame, ty, &env)?;
                Ok((shape, ty, level))
            }
            TypeKind::Bool => Ok((Vec::new(), Ty::Bool, level)),
        }
    }

    fn open_to_symbol(&mut self, frame: FrameId, layer: usize, e: &'l Expr) -> R<()> {
        if let Some(open) = self.open_expr(frame, layer, e) {
            let name = match &open {
                super::statics::Open::Static(_, n) | super::statics::Open::Free(n) => n.clone(),
            };
            let val = self.symbol(&name)?;
            self.bind_open(frame, open, val);
        }
        Ok(())
    }

    fn top_domain(&mut self, frame: FrameId, layer: usize, extent: &'l Expr) -> R<DomainId> {
        if let Some(open) = self.open_expr(frame, layer, extent) {
            let name = match &open {
                super::statics::Open::Static(_, n) | super::statics::Open::Free(n) => n.clone(),
            };
            let domain = self.new_domain(&name, "t", None);
            self.bind_open(frame, open, Val::Extent(domain));
            return Ok(domain);
        }
        let env = Env::new(frame, layer);
        match self.eval(extent, &env.of_dims())? {
            Val::Extent(d) => Ok(d),
            _ => self.fail(errors::not_yet("a sequence of a known length", extent.span)),
        }
    }

    /// A function as a recipe: its inputs come from outside, named arguments are its free dimensions.
    fn top_fn(&mut self, item: ItemId, args: &'l [Arg], env: &Env, span: Span) -> R<FrameId> {
        let frame = self.new_frame(Origin {
            item,
            args: &[],
            env,
            path: String::new(),
            param_path: String::new(),
            span,
            top: true,
            may_lack: false,
        })?;
        let text = self.frame(frame).text.clone();
        for arg in args {
            let own = match arg.name.as_ref().map(|n| n.path.as_slice()) {
                Some([own]) => own,
                _ => {
                    let title = self.frame(frame).title.clone();
                    return self.fail(errors::fn_recipe_arguments(&title, arg.span));
                }
            };
            match text.inputs.iter().find(|i| i.name.name == own.name) {
                Some(i) if !i.kind.is_empty() => {
                    let val = self.eval(&arg.value, &env.of_dims())?;
                    self.frame_mut(frame).given.insert(own.name.clone(), val);
                }
                Some(_) => {
                    let title = self.frame(frame).title.clone();
                    return self.fail(errors::fn_recipe_arguments(&title, arg.span));
                }
                None => {
                    let d = self.eval_dim(&arg.value, env)?;
                    self.frame_mut(frame).free.insert(own.name.clone(), Val::dim(d));
                }
            }
        }
        for input in text.inputs {
            if !self.frame(frame).given.contains_key(&input.name.name) {
                self.top_layer_input(frame, input)?;
            }
        }
        self.outermost = Some(frame);
        Ok(frame)
    }
}

/// A recipe as the language writes it, as far as recipes go.
pub fn show(e: &Expr) -> String {
    match &e.kind {
        ExprKind::Number(_, digits) => digits.to_string(),
        ExprKind::Str(s) => format!("\"{s}\""),
        ExprKind::Bool(b) => b.to_string(),
        ExprKind::Hole => "_".into(),
        ExprKind::Name(p) => p.written.to_string(),
        ExprKind::Paren(e) => format!("({})", show(e)),
        ExprKind::Neg(e) => format!("−{}", show(e)),
        ExprKind::Call { callee, args } => {
            let args: Vec<String> = args
                .iter()
                .map(|a| match &a.name {
                    Some(n) => {
                        let path: Vec<&str> = n.path.iter().map(|p| &*p.written).collect();
                        format!("{} = {}", path.join("."), show(&a.value))
                    }
                    None => show(&a.value),
                })
                .collect();
            format!("{}({})", show(callee), args.join(", "))
        }
        ExprKind::Binary { op, left, right, .. } => {
            let sign = match op {
                BinaryOp::Add => " + ",
                BinaryOp::Sub => " − ",
                BinaryOp::Mul => "*",
                BinaryOp::Div => "/",
                BinaryOp::IntDiv => " div ",
                BinaryOp::Mod => " mod ",
                BinaryOp::Pow => "^",
                _ => " ? ",
            };
            format!("{}{sign}{}", show(left), show(right))
        }
        _ => "…".into(),
    }
}
