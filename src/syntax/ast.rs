//! The tree as written. Nothing is resolved, expanded or checked here.
//!
//! Names are stored in canonical spelling (Unicode, NFC: `alpha` and `α` are one name) beside the
//! spelling that was written, which messages and the formatter use.

use crate::source::Span;
use std::sync::Arc;

/// A plain name, in canonical spelling.
pub type Name = Arc<str>;

/// A name without brace groups, where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Ident {
    pub name: Name,
    pub written: Name,
    pub span: Span,
}

/// A name that may hold brace groups: `W_{i f}_s` is `[Text("W_"), Group(["i", "f"]), Text("_s")]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern {
    pub pieces: Vec<Piece>,
    pub written: Name,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    Text(Name),
    Group(Vec<Name>),
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct File {
    pub items: Vec<Item>,
    /// Names of items that could not be read; what is wrong with them has been said.
    pub unread: Vec<Name>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Documentation lines without their `##`, in order.
    pub docs: Vec<String>,
    pub kind: ItemKind,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub enum ItemKind {
    Use { path: String, span: Span },
    Cell(Cell),
    Layer(Layer),
    Model(Model),
    Fn(Func),
    Layout(Layout),
    Test(Test),
    Check(Check),
}

/// `cell NAME(statics) over DOMAIN { … }` or `cell NAME(statics) = A(…) with { … }`.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    pub name: Ident,
    pub statics: Vec<Static>,
    pub over: Option<Over>,
    pub def: CellDef,
}

#[derive(Clone, Debug, PartialEq)]
pub enum CellDef {
    Body(Body),
    /// `= BASE` or `= BASE with { … }`; the base is a recipe.
    Derived {
        base: Expr,
        with: Option<Body>,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    pub name: Ident,
    pub statics: Vec<Static>,
    pub inputs: Vec<InputDecl>,
    pub def: ExprOrBody,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    pub name: Ident,
    pub statics: Vec<Static>,
    pub body: Body,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Func {
    pub name: Ident,
    pub inputs: Vec<InputDecl>,
    pub def: ExprOrBody,
}

#[derive(Clone, Debug, PartialEq)]
pub enum ExprOrBody {
    Expr(Expr),
    Body(Body),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Layout {
    pub name: Ident,
    pub cell: Ident,
    pub lines: Vec<Foreign>,
}

/// `"a"[1..H] + "b" = rows(W_{i f})`.
#[derive(Clone, Debug, PartialEq)]
pub struct Foreign {
    pub terms: Vec<(String, Option<Vec<Place>>, Span)>,
    pub ours: Expr,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Test {
    pub title: String,
    pub body: Body,
}

/// `check grad C(dims), steps = n`.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    pub kind: CheckKind,
    pub recipe: Expr,
    pub settings: Vec<Setting>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum CheckKind {
    Grad,
    /// `check snapshot C(dims), eqn, clif for "x86_64"`.
    Snapshot(Vec<View>),
    /// `check weights LAYOUT for C(dims), file = "w.npz"`.
    Weights(Ident),
}

/// A stage that a snapshot keeps, and the machine that it is for.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    pub stage: Ident,
    pub target: Option<(String, Span)>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    pub name: Ident,
    pub value: Expr,
    pub span: Span,
}

/// A static parameter: `H`, `bias_f : real = 1`, `reset : before | after = before`, `rank[axes] = 0`.
#[derive(Clone, Debug, PartialEq)]
pub struct Static {
    pub name: Ident,
    pub over_set: Option<Ident>,
    /// One word for a kind (`real`, `bool`, `cell`, `fn`), two or more for a choice; empty if unmarked.
    pub kind: Vec<Ident>,
    pub default: Option<Expr>,
    pub span: Span,
}

/// An input of a layer or function: `x`, `x : seq<n>`, `eps : real = 1e-5`.
#[derive(Clone, Debug, PartialEq)]
pub struct InputDecl {
    pub name: Ident,
    pub ty: Option<Type>,
    /// A static input such as `eps : real`; then `ty` is `None`.
    pub kind: Vec<Ident>,
    pub default: Option<Expr>,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Over {
    pub kind: OverKind,
    pub axes: Vec<Axis>,
    pub span: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OverKind {
    Chain,
    Grid,
    Tree,
}

/// `t`, `t in 1..N`, `D..`.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    pub name: Ident,
    pub set: Option<Set>,
    pub rest: bool,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Type {
    pub kind: TypeKind,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub enum TypeKind {
    /// `seq<n> of T`, `grid<r, c>`; `of` may be left out.
    Domain {
        kind: OverKind,
        extents: Vec<Extent>,
        of: Option<Box<Type>>,
    },
    /// `id(K)`
    Id(Box<Expr>),
    Bool,
    /// `[..]`
    AnyShape,
    /// `[A, 2*B]`; empty for a scalar.
    Array(Vec<Expr>),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Extent {
    Dim(Expr),
    Rest(Ident),
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct Body {
    pub stmts: Vec<Stmt>,
    /// Of the whole block with its braces.
    pub span: Option<Span>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Stmt {
    pub docs: Vec<String>,
    pub kind: StmtKind,
    pub span: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeclKind {
    In,
    Mem,
    State,
    Param,
}

#[derive(Clone, Debug, PartialEq)]
pub enum StmtKind {
    Decl(Decl),
    Noise {
        targets: Vec<Target>,
        ty: Type,
        dist: Expr,
        per: Option<Ident>,
    },
    Dims(Vec<Setting>),
    Part {
        name: Ident,
        recipe: Expr,
    },
    At {
        side: Side,
        equations: Vec<Equation>,
    },
    Out(Vec<OutItem>),
    Loss {
        value: Expr,
        where_: Option<Expr>,
    },
    Metric {
        name: Option<Ident>,
        value: Expr,
        where_: Option<Expr>,
    },
    Generate {
        name: Ident,
        from: Expr,
        until: Option<Expr>,
    },
    /// `data { x, y = source(…) }`
    Data(Vec<(Vec<Ident>, Expr)>),
    Train(Vec<Setting>),
    /// `set net.b_f = 1`; a last `None` is `*`.
    Set {
        path: Vec<Ident>,
        all: bool,
        value: Expr,
    },
    Expect {
        value: Expr,
        about: Option<(Expr, Option<Expr>)>,
    },
    Equation(Equation),
}

/// `in | mem | state | param` with its initial value `= e` or distribution `~ d`.
#[derive(Clone, Debug, PartialEq)]
pub struct Decl {
    pub kind: DeclKind,
    pub targets: Vec<Target>,
    pub ty: Type,
    pub over: Vec<Ident>,
    pub init: Option<DeclInit>,
    pub within: Option<Set>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum DeclInit {
    Value(Expr),
    Dist(Expr),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Side {
    Leaf,
    /// `at t = 0`
    Axis {
        axis: Ident,
        at: f64,
    },
}

/// `f, i = split(v)` has several targets.
#[derive(Clone, Debug, PartialEq)]
pub struct Equation {
    pub targets: Vec<Target>,
    pub value: Expr,
    pub span: Span,
}

/// `W_{i f}[n in 1..8]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    pub name: Pattern,
    pub index: Vec<TargetIndex>,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub enum TargetIndex {
    Binder(Binder),
    /// `h[l]` in an `at` block.
    Expr(Expr),
}

#[derive(Clone, Debug, PartialEq)]
pub struct OutItem {
    pub name: Option<Pattern>,
    pub value: Expr,
    pub for_: Option<(Ident, Expr)>,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Binder {
    pub name: Ident,
    pub set: Set,
    pub span: Span,
}

/// `lo..hi`, or one expression: a dimension `n` (meaning `1..n`), a set of words, `axes`.
#[derive(Clone, Debug, PartialEq)]
pub struct Set {
    pub lo: Box<Expr>,
    pub hi: Option<Box<Expr>>,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    pub kind: ExprKind,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// The value, and the digits as written.
    Number(f64, Name),
    Str(String),
    Bool(bool),
    /// `_`
    Hole,
    Name(Pattern),
    List(Vec<Expr>),
    /// Kept for the printer; means its content.
    Paren(Box<Expr>),
    Neg(Box<Expr>),
    Not(Box<Expr>),
    Binary {
        op: BinaryOp,
        op_span: Span,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    Cond {
        cond: Box<Expr>,
        then: Box<Expr>,
        else_: Box<Expr>,
    },
    /// `x |> F(s)(q = e)`
    Pipe {
        value: Box<Expr>,
        into: Box<Expr>,
    },
    Call {
        callee: Box<Expr>,
        args: Vec<Arg>,
    },
    Index {
        base: Box<Expr>,
        places: Vec<Place>,
    },
    Field {
        base: Box<Expr>,
        field: Pattern,
    },
    /// `ᵀ`. The parser reads `x²` as `x^2`; `²` and `³` are for trees that are built.
    Mark {
        base: Box<Expr>,
        mark: Mark,
    },
    Reduce {
        fold: Fold,
        binders: Vec<Binder>,
        where_: Option<Box<Expr>>,
        body: Box<Expr>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    Transpose,
    Square,
    Cube,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    Or,
    And,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    Cat,
    Add,
    Sub,
    /// `⊙` and `*`
    Mul,
    Div,
    Mod,
    /// Integer quotient, of dimensions.
    IntDiv,
    /// `@` and `·`
    MatMul,
    Pow,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fold {
    Sum,
    Prod,
    Max,
    Min,
    Mean,
    Concat,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Arg {
    /// `h0 = e`, `m.h0 = e`, `prev h = e`; `None` for a positional argument.
    pub name: Option<ArgName>,
    pub value: Expr,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ArgName {
    pub prev: bool,
    pub path: Vec<Ident>,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Place {
    Prev(Ident),
    Next(Ident),
    /// One expression, or a range of a slice.
    At(Set),
}
