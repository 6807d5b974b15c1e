//! The outermost item of a graph: its inputs come from outside.

use super::bind::DEFAULT_COUNT;
use super::builder::Builder;
use super::define::strip;
use super::errors;
use super::frames::{Origin, empty_frame};
use super::space::{Bound, OwnAxis};
use super::value::*;
use crate::eqn::{DomainId, DomainKind, Graph, Level, Source, SourceKind, Ty};
use crate::resolve::text::{Declared, Kind, plain};
use crate::resolve::{ItemId, nearest};
use crate::shape::{Dim, Shape};
use crate::source::{FileId, Span};
use crate::syntax::ast::*;

/// Where nothing is written.
const NOWHERE: Span = Span { file: FileId(u32::MAX), start: 0, end: 0 };

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
            written: None,
            top: true,
            may_lack: bare,
        })?;
        let is_model = self.frame(frame).kind == FrameKind::Model;
        if self.frame(frame).kind == FrameKind::Cell {
            self.top_axes(frame)?;
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

    /// The axes of the outermost cell, as it names them; a chain is `n` long, an axis `i` of a grid `n_i`.
    fn top_axes(&mut self, frame: FrameId) -> R<()> {
        let span = self.frame(frame).span;
        if self.header_kind(frame) == OverKind::Tree {
            let tree = self.new_domain("n", "v", DomainKind::Tree { arity: None });
            self.own_axis(frame, tree, None);
            self.decide_arity(frame, span.unwrap_or(NOWHERE))?;
            return Ok(());
        }
        let axes = self.header_axes(frame);
        if axes.is_empty() {
            let domain = self.new_domain("n", "t", DomainKind::Chain { fixed: None });
            self.own_axis(frame, domain, Some("t".into()));
            return Ok(());
        }
        let many = axes.len() > 1;
        for axis in axes {
            let var = &axis.name.name;
            if axis.rest {
                for k in 1..=self.frame(frame).space.count.unwrap_or(DEFAULT_COUNT) {
                    let free = DomainKind::Chain { fixed: None };
                    let domain = self.new_domain(&format!("n_{k}"), &format!("{var}{k}"), free);
                    self.own_axis(frame, domain, None);
                }
                continue;
            }
            let domain = match self.bound_of(frame, axis)? {
                Bound::Fixed(n, name) => self.new_fixed(axis, n, name),
                Bound::Named(name) => self.new_domain(&name, var, DomainKind::Chain { fixed: None }),
                Bound::Free => {
                    let extent = if many { format!("n_{var}") } else { "n".to_string() };
                    self.new_domain(&extent, var, DomainKind::Chain { fixed: None })
                }
            };
            self.own_axis(frame, domain, Some(var.clone()));
        }
        self.name_lengths(frame)
    }

    fn own_axis(&mut self, frame: FrameId, axis: DomainId, name: Option<Name>) {
        let f = self.frame_mut(frame);
        f.space.axes.push(OwnAxis { axis, name });
        f.at.push(axis);
        f.at.sort();
        f.over = f.at.clone();
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
        let axes = match d.kind {
            Kind::In => self.declared_axes(frame, d)?,
            _ => Vec::new(),
        };
        let level = self.level_over(axes, d.span)?;
        let (member, elem, level) = self.top_type(frame, ty, d.layer, level)?;
        let sets = self.sets_of(frame, name)?;
        let shape = self.family_shape(&sets, &member, d.span)?;
        self.top_source(frame, name, shape, elem, level, d.span);
        Ok(())
    }

    /// The axes a declaration is over: all, or those it names.
    fn declared_axes(&mut self, frame: FrameId, d: &Declared<'l>) -> R<Vec<DomainId>> {
        if d.over.is_empty() {
            return Ok(self.own_axes(frame));
        }
        let mut axes = Vec::new();
        for name in d.over {
            if let Some(Some(axis)) = self.axis_variable(frame, &name.name) {
                axes.push(axis);
                continue;
            }
            match self.axes_set(frame, &name.name, name.span)? {
                Some(Val::Axes(first, last)) => {
                    let own = self.own_axes(frame);
                    axes.extend((first..=last).filter_map(|i| own.get(usize::try_from(i - 1).ok()?)));
                }
                _ => {
                    let title = self.frame(frame).title.clone();
                    return self.fail(errors::no_such_axis(&name.written, &title, name.span));
                }
            }
        }
        Ok(axes)
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
                    let groups = self.frame(frame).text.inputs.iter().position(|i| i.span == input.span);
                    let groups = groups.and_then(|k| self.group_behind(frame, k));
                    return self.fail(errors::static_input_missing(
                        &input.name.written,
                        in_layer,
                        input.span,
                        groups,
                    ));
                }
            };
            self.frame_mut(frame).given.insert(name.clone(), val);
            return Ok(());
        }
        let (shape, ty, level) = match &input.ty {
            Some(ty) => {
                let over = self.frame(frame).over.clone();
                let level = match self.frame(frame).kind {
                    FrameKind::Fn => Level::Example,
                    // What says nothing of positions is at those of the input before it.
                    _ => self.level_over(over, ty.span)?,
                };
                self.top_type(frame, ty, 0, level)?
            }
            None => {
                let level = self.default_chain(frame)?;
                let feature = self.feature()?;
                (vec![feature], Ty::Real, level)
            }
        };
        let axes = self.graph.axes_of(level);
        let f = self.frame_mut(frame);
        if f.over.is_empty() {
            f.over = axes;
        }
        self.top_source(frame, name, shape, ty, level, input.span);
        Ok(())
    }

    fn default_chain(&mut self, frame: FrameId) -> R<Level> {
        if self.frame(frame).over.is_empty() {
            let domain = self.new_domain("n", "t", DomainKind::Chain { fixed: None });
            self.frame_mut(frame).over = vec![domain];
        }
        let over = self.frame(frame).over.clone();
        let span = self.frame(frame).span.unwrap_or(NOWHERE);
        self.level_over(over, span)
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
            TypeKind::Domain { kind, extents, of } => {
                if *kind != OverKind::Grid && extents.len() != 1 {
                    return self.fail(errors::chain_has_one_axis(ty.span));
                }
                let mut axes = match self.frame(frame).kind {
                    // A layer's input is as its type says, whatever the one before it is over.
                    FrameKind::Layer if !self.is_element(frame, ty) => Vec::new(),
                    _ => self.graph.axes_of(level),
                };
                for extent in extents {
                    axes.extend(self.top_extent(frame, layer, *kind, extent)?);
                }
                let level = self.level_over(axes, ty.span)?;
                match of {
                    Some(of) => self.top_type(frame, of, layer, level),
                    None => {
                        let feature = self.feature()?;
                        Ok((vec![feature], Ty::Real, level))
                    }
                }
            }
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

    /// Whether a type is what a position of another holds.
    fn is_element(&self, frame: FrameId, ty: &Type) -> bool {
        let inputs = self.frame(frame).text.inputs.iter().filter_map(|i| i.ty.as_ref());
        !inputs.into_iter().any(|t| std::ptr::eq(t, ty))
    }

    /// The axes of one extent of an input's type.
    fn top_extent(
        &mut self,
        frame: FrameId,
        layer: usize,
        kind: OverKind,
        extent: &'l Extent,
    ) -> R<Vec<DomainId>> {
        let free = match kind {
            OverKind::Tree => DomainKind::Tree { arity: None },
            _ => DomainKind::Chain { fixed: None },
        };
        let extent = match extent {
            Extent::Dim(e) => e,
            Extent::Rest(name) => {
                let count = self.frame(frame).space.count.unwrap_or(DEFAULT_COUNT);
                let axes = (1..=count).map(|k| {
                    let var = format!("{}{k}", name.name.to_lowercase());
                    self.new_domain(&format!("n_{k}"), &var, free.clone())
                });
                let axes = axes.collect();
                self.frame_mut(frame).free.insert(name.name.clone(), Val::Axes(1, i64::from(count)));
                return Ok(axes);
            }
        };
        let var = if kind == OverKind::Tree { "v" } else { "t" };
        if let Some(open) = self.open_expr(frame, layer, extent) {
            let name = match &open {
                super::statics::Open::Static(_, n) | super::statics::Open::Free(n) => n.clone(),
            };
            let domain = self.new_domain(&name, var, free);
            self.bind_open(frame, open, Val::Extent(domain));
            return Ok(vec![domain]);
        }
        let env = Env::new(frame, layer);
        let val = self.eval(extent, &env.of_dims())?;
        match (&val, val.as_int().and_then(|n| u32::try_from(n).ok())) {
            (Val::Extent(d), _) => Ok(vec![*d]),
            (_, Some(n)) if kind != OverKind::Tree => {
                Ok(vec![self.new_domain("n", var, DomainKind::Chain { fixed: Some(n) })])
            }
            (val, _) => {
                if let Val::Dim(d) = val {
                    self.want_number(d);
                }
                self.fail(errors::range_wants_numbers(extent.span))
            }
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
            written: None,
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
