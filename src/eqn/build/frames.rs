//! A new instance of an item: its text, its path, its static parameters. Inputs and axes follow in [`super::bind`].

use super::builder::{Builder, FRAME_WORK, STATIC_WORK};
use super::errors::{self, Reported};
use super::space::Space;
use super::value::*;
use crate::eqn::MAX_AXES;
use crate::resolve::{ItemId, item_name, nearest};
use crate::source::Span;
use crate::syntax::ast::*;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Where a new frame comes from.
pub struct Origin<'l, 'e> {
    pub item: ItemId,
    pub args: &'l [Arg],
    pub env: &'e Env,
    pub path: String,
    pub param_path: String,
    pub span: Span,
    /// Where the item with its arguments is written, if that is another place.
    pub written: Option<Span>,
    pub top: bool,
    /// Static parameters that are not given become open (a bare name on the command line).
    pub may_lack: bool,
}
impl<'l> Builder<'l> {
    /// A frame with its static parameters, and no inputs yet.
    pub fn new_frame(&mut self, origin: Origin<'l, '_>) -> R<FrameId> {
        let most = self.limits().instances;
        if self.frames.len() >= most {
            return self.fail(errors::too_many_instances(most, origin.span));
        }
        let item = self.library.item(origin.item);
        let (kind, title) = match (&item.kind, item_name(item)) {
            (ItemKind::Cell(_), Some(n)) => (FrameKind::Cell, n.written.clone()),
            (ItemKind::Layer(_), Some(n)) => (FrameKind::Layer, n.written.clone()),
            (ItemKind::Model(_), Some(n)) => (FrameKind::Model, n.written.clone()),
            (ItemKind::Fn(_), Some(n)) => (FrameKind::Fn, n.written.clone()),
            _ => return self.fail(errors::not_a_recipe("item", origin.span)),
        };
        let (text, apps) = self.text(origin.item);
        let statics: usize = text.layers.iter().map(|l| l.statics.len()).sum();
        self.spend(FRAME_WORK + STATIC_WORK * statics, origin.span)?;
        if text.baseless {
            return Err(Stop::Reported(Reported::earlier()));
        }
        let mut frame = empty_frame(kind, title);
        frame.apps = apps;
        frame.path = origin.path;
        frame.param_path = origin.param_path;
        frame.top = origin.top;
        frame.span = Some(origin.span);
        frame.parent = (!origin.top).then_some(self.here.0).filter(|p| (p.0 as usize) < self.frames.len());
        frame.pointwise = kind == FrameKind::Cell;
        let layers = text.layers.clone();
        frame.text = text;
        let id = FrameId(self.frames.len() as u32);
        self.frames.push(frame);
        self.check_header(id)?;
        let open_set = self.open_set(id);
        self.frame_mut(id).statics = layers.iter().map(|_| BTreeMap::new()).collect();
        for (l, layer) in layers.iter().enumerate().rev() {
            let (args, env, span) = match layers.get(l + 1) {
                Some(above) => (above.base_args, Env::new(id, l + 1), above.base_span),
                None => (origin.args, origin.env.clone(), origin.span),
            };
            let bound = self.bind_statics(
                id,
                l,
                layer.name,
                layer.statics,
                args,
                &env,
                &span,
                origin.may_lack,
                open_set.as_ref(),
                origin.written.filter(|_| l + 1 == layers.len()),
            )?;
            self.frame_mut(id).statics[l] = bound;
        }
        Ok(id)
    }

    /// The static parameters of one layer.
    #[allow(clippy::too_many_arguments)]
    fn bind_statics(
        &mut self,
        frame: FrameId,
        layer: usize,
        title: &Ident,
        statics: &'l [Static],
        args: &'l [Arg],
        env: &Env,
        span: &Span,
        may_lack: bool,
        open_set: Option<&Name>,
        written: Option<Span>,
    ) -> R<BTreeMap<Name, StaticVal<'l>>> {
        let names: Vec<Name> = statics.iter().map(|s| s.name.name.clone()).collect();
        let known: BTreeSet<&Name> = names.iter().collect();
        let mut given: BTreeMap<Name, &'l Expr> = BTreeMap::new();
        let positional = args.iter().filter(|a| a.name.is_none());
        for (i, arg) in positional.enumerate() {
            match names.get(i) {
                Some(name) => {
                    given.insert(name.clone(), &arg.value);
                }
                None => {
                    let list = signature(statics);
                    return self.fail(errors::too_many_statics(&title.written, &list, arg.span));
                }
            }
        }
        for arg in args {
            let Some(name) = &arg.name else { continue };
            let (false, [own]) = (name.prev, name.path.as_slice()) else {
                return self.fail(errors::unknown_static(&title.written, "a path", None, name.span));
            };
            let is_known = known.contains(&own.name);
            if !is_known && open_set == Some(&own.name) {
                // `D = 2`: how many axes `D..` are.
                let val = self.eval(&arg.value, &env.of_dims())?;
                let count = val.as_int().and_then(|n| u32::try_from(n).ok()).filter(|n| *n > 0);
                let Some(n) = count.map(|n| n as usize) else {
                    return self.fail(errors::count_of_axes(&own.written, arg.value.span));
                };
                // Before there is anything for each of them.
                if n > MAX_AXES {
                    return self.fail(errors::too_many_axes(n, MAX_AXES, arg.value.span));
                }
                self.frame_mut(frame).space.count = count;
                continue;
            }
            if !is_known {
                let near = nearest(&own.name, names.iter()).cloned();
                return self.fail(errors::unknown_static(&title.written, &own.written, near, name.span));
            }
            if given.insert(own.name.clone(), &arg.value).is_some() {
                return self.fail(errors::static_twice(&own.written, arg.span));
            }
        }
        let mut out = BTreeMap::new();
        for s in statics {
            let kind = self.static_kind(s)?;
            let slot = match (given.get(&s.name.name), &s.default) {
                (Some(e), _) if matches!(e.kind, ExprKind::Hole) => match kind {
                    StaticKind::Dim => Slot::Hole,
                    _ => return self.fail(errors::hole_for_other(&s.name.written, kind.word(), e.span)),
                },
                (Some(e), _) => Slot::Lazy(e, env.clone()),
                (None, Some(default)) if matches!(default.kind, ExprKind::Hole) => Slot::Hole,
                (None, Some(default)) => Slot::Lazy(default, Env::new(frame, layer)),
                (None, None) if may_lack && kind == StaticKind::Dim => Slot::Hole,
                (None, None) => {
                    let list = signature(statics);
                    let fix = self.missing_dimension(s, statics, args, env);
                    let bare = written.filter(|w| args.is_empty() && *w != *span);
                    let fix = fix.or(bare.and_then(|at| self.missing_dimensions(title, statics, env, at)));
                    let (title, name) = (&title.written, &s.name.written);
                    let d = errors::static_missing(title, &list, name, kind.word(), *span, fix);
                    return self.fail(d.at_some(bare, "given here, without its arguments"));
                }
            };
            let words: &'l [Ident] = if kind == StaticKind::Choice { &s.kind } else { &[] };
            let over = s.over_set.as_ref();
            let written = given.get(&s.name.name).map(|e| e.span);
            out.insert(s.name.name.clone(), StaticVal { slot, kind, words, over, span: s.span, written });
        }
        Ok(out)
    }

    /// The set `D..` or `K..` whose size an argument may give: of a cell's header, or of a layer's inputs.
    fn open_set(&self, frame: FrameId) -> Option<Name> {
        let header = self.header(frame).and_then(|o| o.axes.iter().find(|a| a.rest));
        let inputs = self.frame(frame).text.inputs.iter().filter_map(|i| i.ty.as_ref());
        header.map(|a| a.name.name.clone()).or_else(|| inputs.filter_map(rest_of).next())
    }

    /// Evaluates all static parameters, so that a wrong one is reported though nothing reads it.
    pub fn force_statics(&mut self, frame: FrameId, span: Span) -> R<()> {
        for l in (0..self.frame(frame).statics.len()).rev() {
            let names: Vec<Name> = self.frame(frame).statics[l].keys().cloned().collect();
            for name in names {
                self.static_value(frame, l, &name, span)?;
            }
        }
        Ok(())
    }
}

/// The set of axes that a type names.
pub fn rest_of(ty: &Type) -> Option<Name> {
    let TypeKind::Domain { extents, of, .. } = &ty.kind else { return None };
    let own = extents.iter().find_map(|e| match e {
        Extent::Rest(name) => Some(name.name.clone()),
        Extent::Dim(_) => None,
    });
    own.or_else(|| of.as_deref().and_then(rest_of))
}

/// `I, H, bias_f`.
pub fn signature(statics: &[Static]) -> String {
    statics.iter().map(|s| s.name.written.to_string()).collect::<Vec<_>>().join(", ")
}

pub fn empty_frame<'l>(kind: FrameKind, title: Name) -> Frame<'l> {
    Frame {
        kind,
        title,
        text: Rc::default(),
        apps: Rc::default(),
        path: String::new(),
        param_path: String::new(),
        at: Vec::new(),
        over: Vec::new(),
        space: Space::default(),
        pointwise: false,
        top: false,
        statics: Vec::new(),
        free: BTreeMap::new(),
        any: None,
        given: BTreeMap::new(),
        starts: BTreeMap::new(),
        prev: None,
        inner: Vec::new(),
        nesting: 0,
        order: Vec::new(),
        span: None,
        parent: None,
        memo: BTreeMap::new(),
        side_memo: BTreeMap::new(),
        dims: BTreeMap::new(),
        sets: BTreeMap::new(),
        states: BTreeMap::new(),
        applied: BTreeMap::new(),
    }
}
