//! What names and expressions stand for while a graph is being built.

use super::errors::Reported;
use super::space::Space;
use crate::eqn::{DomainId, Extent, NodeId, StateId};
use crate::resolve::ItemId;
use crate::resolve::text::{Brace, SideKey, Text};
use crate::shape::{Dim, Shape};
use crate::source::Span;
use crate::syntax::ast::{Arg, Expr, Ident, Name};
use std::collections::BTreeMap;
use std::rc::Rc;

/// One instance of an item: its names and what they mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FrameId(pub u32);

/// Why an expression has no value.
#[derive(Clone, Copy, Debug)]
pub enum Stop {
    /// A diagnostic has been pushed.
    Reported(Reported),
    /// Not expressible along the axis of a reduction; a range of known size may be unrolled instead.
    NoAlong(Span),
}

pub type R<T> = Result<T, Stop>;

/// An array of the graph. `along` is not 0 if its first axis runs with the reduction of that number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arr {
    pub node: NodeId,
    pub along: u32,
}

#[derive(Clone, Debug)]
pub enum Val<'l> {
    Arr(Arr),
    Num(f64),
    /// A dimension that is not a number yet.
    Dim(Dim),
    Bool(bool),
    /// The value of a choice.
    Word(Name),
    List(Rc<Vec<Val<'l>>>),
    /// The length of an axis, each example's own; of children, the number of this node.
    Extent(DomainId),
    /// Lengths added and multiplied.
    Lengths(Extent),
    /// Axes of a domain, by their numbers: first and last.
    Axes(i64, i64),
    Recipe(Rc<Recipe<'l>>),
    Func(Callable),
    /// The result of an application.
    Instance(FrameId),
    Part(Rc<Part<'l>>),
    /// A family whose indices are not all given.
    Family(FrameId, Name, Vec<i64>),
}

impl Val<'_> {
    pub fn node(node: NodeId) -> Self {
        Val::Arr(Arr { node, along: 0 })
    }

    /// A dimension; a number if it is one.
    pub fn dim(dim: Dim) -> Self {
        match dim.as_constant() {
            Some(n) => Val::Num(n as f64),
            None => Val::Dim(dim),
        }
    }

    /// The dimension that this is, if it is one.
    pub fn as_dim(&self) -> Option<Dim> {
        match self {
            Val::Dim(d) => Some(d.clone()),
            Val::Num(_) => self.as_int().map(Dim::constant),
            _ => None,
        }
    }

    /// The length that this is, if it is one.
    pub fn as_lengths(&self) -> Option<Extent> {
        match self {
            Val::Extent(d) => Some(Extent::of(*d)),
            Val::Lengths(e) => Some(e.clone()),
            val => val.as_int().map(Extent::constant),
        }
    }

    pub fn as_int(&self) -> Option<i64> {
        match self {
            Val::Num(x) if x.fract() == 0.0 && x.abs() < 9e15 => Some(*x as i64),
            _ => None,
        }
    }

    /// In a sentence: "`x` is a …".
    pub fn kind(&self) -> &'static str {
        match self {
            Val::Arr(_) => "value",
            Val::Num(_) => "number",
            Val::Dim(_) => "dimension",
            Val::Bool(_) => "truth value",
            Val::Word(_) => "word of a choice",
            Val::List(_) => "list",
            Val::Extent(_) | Val::Lengths(_) => "length of a sequence",
            Val::Axes(..) => "set of axes",
            Val::Recipe(_) => "recipe",
            Val::Func(_) => "function",
            Val::Instance(_) => "application",
            Val::Part(_) => "part",
            Val::Family(..) => "family",
        }
    }
}

#[derive(Clone, Debug)]
pub enum Callable {
    Builtin(&'static str),
    Item(ItemId),
}

/// A cell or layer with its static arguments.
#[derive(Clone, Debug)]
pub struct Recipe<'l> {
    pub item: ItemId,
    pub args: &'l [Arg],
    pub env: Env,
    /// Where it is written.
    pub span: Span,
}

/// `part NAME = RECIPE`: all its applications have the parameters under `path`.
#[derive(Clone, Debug)]
pub struct Part<'l> {
    pub recipe: Rc<Recipe<'l>>,
    pub path: String,
}

/// Where an expression is evaluated.
#[derive(Clone, Debug)]
pub struct Env {
    pub frame: FrameId,
    /// Which line of overrides it stands in: its static names mean what they mean there.
    pub layer: usize,
    pub brace: Brace,
    pub binders: Vec<(Name, Bind)>,
    /// The equation's name without index, for naming an application.
    pub owner: Option<Name>,
    /// Numbers of the family members and repetitions we are in.
    pub suffix: Vec<i64>,
    /// Names are dimensions first (types, ranges, static arguments).
    pub dims_first: bool,
    /// The equations of which side of the domain this is one of.
    pub side: Option<Rc<SideKey>>,
    /// Axes that indices run over.
    pub open: Rc<[DomainId]>,
}

impl Env {
    pub fn new(frame: FrameId, layer: usize) -> Env {
        Env {
            frame,
            layer,
            brace: None,
            binders: Vec::new(),
            owner: None,
            suffix: Vec::new(),
            dims_first: false,
            side: None,
            open: Rc::from([]),
        }
    }

    pub fn of_dims(&self) -> Env {
        Env { dims_first: true, ..self.clone() }
    }

    pub fn with_brace(&self, brace: Brace) -> Env {
        Env { brace, ..self.clone() }
    }

    pub fn bind(mut self, name: &Name, bind: Bind) -> Env {
        match bind {
            Bind::Int(n) => self.suffix.push(n),
            Bind::Position(axis) => self.open = self.open.iter().copied().chain([axis]).collect(),
            Bind::Along(..) => {}
        }
        self.binders.push((name.clone(), bind));
        self
    }

    pub fn binder(&self, name: &str) -> Option<Bind> {
        self.binders.iter().rev().find(|(n, _)| &**n == name).map(|(_, b)| b.clone())
    }
}

/// What an index variable stands for.
#[derive(Clone, Debug)]
pub enum Bind {
    Int(i64),
    /// Runs along the first axis of arrays of this length; the number tells reductions apart.
    Along(u32, Dim),
    /// The points of an axis.
    Position(DomainId),
}

/// A static parameter.
#[derive(Clone, Debug)]
pub enum Slot<'l> {
    Known(Val<'l>),
    /// Evaluated when first wanted.
    Lazy(&'l Expr, Env),
    /// `_`: found from an input.
    Hole,
    /// Being evaluated.
    Busy,
    Failed,
}

#[derive(Clone, Debug)]
pub struct StaticVal<'l> {
    pub slot: Slot<'l>,
    pub kind: StaticKind,
    /// Words of a choice.
    pub words: &'l [Ident],
    /// Of a list, the set its entries are numbered by.
    pub over: Option<&'l Ident>,
    pub span: Span,
    /// The argument that gives it.
    pub written: Option<Span>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StaticKind {
    Dim,
    Real,
    Bool,
    Cell,
    Fn,
    Choice,
    /// Numbers, one for each member of a set.
    List,
}

impl StaticKind {
    pub fn word(self) -> &'static str {
        match self {
            StaticKind::Dim => "dimension",
            StaticKind::Real => "real number",
            StaticKind::Bool => "truth value",
            StaticKind::Cell => "cell with its arguments",
            StaticKind::Fn => "function",
            StaticKind::Choice => "choice",
            StaticKind::List => "list of numbers",
        }
    }
}

/// What kind of item a frame is an instance of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// The text around a recipe: free names are dimensions.
    Root,
    Cell,
    Layer,
    Model,
    Fn,
}

#[derive(Debug)]
pub struct Frame<'l> {
    pub kind: FrameKind,
    pub title: Name,
    pub text: Rc<Text<'l>>,
    pub apps: Rc<super::names::AppNames>,
    /// Prefix of the names of states and values, with its last dot; of parameters.
    pub path: String,
    pub param_path: String,
    /// The axes of the point we are at, ascending. What is over further axes is whole along them.
    pub at: Vec<DomainId>,
    /// The axes noise is drawn over.
    pub over: Vec<DomainId>,
    /// The axes a cell is written over, its own among those.
    pub space: Space,
    /// Values are those at one point: this frame is a cell, or is applied inside one.
    pub pointwise: bool,
    /// Inputs come from outside the graph.
    pub top: bool,
    pub statics: Vec<BTreeMap<Name, StaticVal<'l>>>,
    /// Dimensions and lengths bound by arguments.
    pub free: BTreeMap<Name, Val<'l>>,
    pub any: Option<Shape>,
    /// Inputs, memories and shared parameters.
    pub given: BTreeMap<Name, Val<'l>>,
    /// Caller's values before the first point, with their place.
    pub starts: BTreeMap<Name, (NodeId, Span)>,
    /// Predecessors, if this is one step of a cell.
    pub prev: Option<BTreeMap<Name, NodeId>>,
    /// Arguments of inner instances: path, whether `prev`, value.
    pub inner: Vec<(Vec<Name>, bool, Val<'l>, Span)>,
    /// How many instances it stands in.
    pub nesting: usize,
    /// Where it stands among all instances, for the order of sources: places in the text, outermost first.
    pub order: Vec<i64>,
    /// Where it is applied, and in whose text.
    pub span: Option<Span>,
    pub parent: Option<FrameId>,
    pub memo: BTreeMap<(Name, Vec<i64>), Memo<'l>>,
    pub side_memo: BTreeMap<(SideKey, Name, Vec<i64>), Memo<'l>>,
    /// Dimensions of its text that are being found, or cannot be; the others are among `free`.
    pub dims: BTreeMap<Name, Memo<'l>>,
    pub sets: BTreeMap<Name, Rc<Vec<FamilySet>>>,
    pub states: BTreeMap<(Name, Vec<i64>), StateId>,
    /// Applications that have been made, by place, repetition and template word.
    pub applied: BTreeMap<AppKey, Val<'l>>,
}

/// Where an application stands, and which repetition and template word of it is meant.
pub type AppKey = ((u32, u32, u32), Vec<i64>, Option<usize>);

#[derive(Clone, Debug)]
pub enum Memo<'l> {
    Busy,
    Done(Val<'l>),
    Failed(Reported),
}

/// The index set of a family.
#[derive(Clone, Debug, PartialEq)]
pub enum FamilySet {
    Range(i64, i64),
    /// `1..n` with n not known yet: the family is an array.
    Symbolic(Dim),
    /// The points of an axis: the family is one value over it.
    Points(DomainId),
}

/// Where a state comes from.
#[derive(Clone, Debug)]
pub enum StateOrigin {
    Declared {
        frame: FrameId,
        name: Name,
        index: Vec<i64>,
    },
    /// An input read at offsets.
    Input {
        frame: FrameId,
        name: Name,
    },
    Shift,
    /// A value that is read at the children's place by its nodes.
    Parent,
}

#[derive(Clone, Debug)]
pub struct StateInfo {
    pub origin: StateOrigin,
    /// Of the whole family, with its path.
    pub array: String,
    /// Greatest offsets read, before and after, if it steps along one chain alone.
    pub before: u32,
    pub after: u32,
    /// The axes it is read along. Along the others it is one recurrence for each point.
    pub own: Vec<DomainId>,
    pub first_read: Span,
}
