//! Which constructs of the language and which operations of the equation IR have occurred, how often.

use rnnc::eqn::{Binary, DomainKind, Graph, Init, Level, Offset, Op, Point, SourceKind, Ty, Unary};
use rnnc::syntax::ast::*;
use rnnc::syntax::visit;
use std::collections::BTreeMap;

#[derive(Clone, Debug, Default)]
pub struct Coverage(pub BTreeMap<String, u64>);

impl Coverage {
    fn add(&mut self, what: impl Into<String>) {
        *self.0.entry(what.into()).or_default() += 1;
    }

    pub fn join(&mut self, other: &Coverage) {
        for (what, n) in &other.0 {
            *self.0.entry(what.clone()).or_default() += n;
        }
    }

    pub fn missing(&self) -> Vec<&'static str> {
        EXPECTED.iter().copied().filter(|what| !self.0.contains_key(*what)).collect()
    }

    pub fn graph(&mut self, graph: &Graph) {
        for node in &graph.nodes {
            self.add(op(&node.op));
            match &node.op {
                Op::Unary(kind, _) => self.add(unary(*kind)),
                Op::Binary(kind, ..) => self.add(binary(*kind)),
                Op::Reduce { fold, .. } => self.add(format!("Reduce {fold:?}")),
                Op::FoldOver { fold, .. } => self.add(format!("FoldOver {fold:?}")),
                Op::At { point, .. } => self.add(match point {
                    Point::First => "At first",
                    Point::Last => "At last",
                    Point::Fixed(_) => "At a number",
                }),
                Op::Lag { offset, .. } => self.add(match offset {
                    Offset::By(by) if by.iter().any(|k| k.abs() > 1) => "Lag by more than 1",
                    Offset::By(by) if by.iter().filter(|k| **k != 0).count() > 1 => "Lag along two axes",
                    Offset::By(by) if by.iter().any(|k| *k > 0) => "Lag ahead",
                    Offset::By(_) => "Lag back",
                    Offset::Child(_) => "Lag child",
                    Offset::EachChild(_) => "Lag each child",
                    Offset::Parent(_) => "Lag parent",
                    Offset::FromEach(_) => "Lag from each",
                }),
                Op::Flatten { back: true, .. } => self.add("Flatten back"),
                _ => {}
            }
            match &node.ty {
                Ty::Real => {}
                Ty::Bool => self.add("type bool"),
                Ty::Id(_) => self.add("type id"),
            }
            self.add(match node.level {
                Level::Shared => "level shared",
                Level::Example => "level example",
                Level::Over(_) => "level over",
            });
            if node.shape.len() > 2 {
                self.add("rank 3");
            }
        }
        for domain in &graph.domains {
            self.add(match &domain.kind {
                DomainKind::Chain { fixed: None } => "domain chain",
                DomainKind::Chain { fixed: Some(_) } => "domain fixed",
                DomainKind::Derived(_) => "domain derived",
                DomainKind::Tree { arity: None } => "domain tree",
                DomainKind::Tree { arity: Some(_) } => "domain tree of an arity",
                DomainKind::Children { .. } => "domain children",
                DomainKind::Product(axes) if axes.len() > 2 => "domain of three axes",
                DomainKind::Product(_) => "domain of two axes",
            });
        }
        for source in &graph.sources {
            self.add(match &source.kind {
                SourceKind::Input => "source input",
                SourceKind::Param(info) => match &info.init {
                    Init::Value(_) => "source param by value",
                    Init::Dist(_) => "source param by distribution",
                },
                SourceKind::Initial { .. } => "source initial",
                SourceKind::Noise(_) => "source noise",
                SourceKind::Cotangent => "source cotangent",
            });
        }
        if graph.states.iter().any(|s| !s.sides.is_empty()) {
            self.add("state with a side");
        }
        if graph.states.iter().any(|s| s.init.len() > 1) {
            self.add("state with several initial values");
        }
    }

    pub fn file(&mut self, file: &File) {
        for item in &file.items {
            match &item.kind {
                ItemKind::Use { .. } | ItemKind::Layout(_) | ItemKind::Test(_) => {}
                ItemKind::Check(check) => self.expr(&check.recipe),
                ItemKind::Fn(f) => {
                    self.add("item fn");
                    if f.inputs.iter().any(|i| i.default.is_some()) {
                        self.add("fn with a static input");
                    }
                    match &f.def {
                        ExprOrBody::Expr(e) => self.expr(e),
                        ExprOrBody::Body(body) => self.body(body),
                    }
                }
                ItemKind::Layer(layer) => {
                    self.add("item layer");
                    self.statics(&layer.statics);
                    for input in &layer.inputs {
                        if let Some(ty) = &input.ty {
                            self.ty(ty);
                        }
                    }
                    match &layer.def {
                        ExprOrBody::Expr(e) => self.expr(e),
                        ExprOrBody::Body(body) => self.body(body),
                    }
                }
                ItemKind::Model(model) => {
                    self.add("item model");
                    self.statics(&model.statics);
                    self.body(&model.body);
                }
                ItemKind::Cell(cell) => {
                    self.statics(&cell.statics);
                    if let Some(over) = &cell.over {
                        self.over(over);
                    }
                    match &cell.def {
                        CellDef::Body(body) => {
                            self.add("item cell");
                            self.body(body);
                        }
                        CellDef::Derived { base, with } => {
                            self.add("item cell with");
                            self.expr(base);
                            with.iter().for_each(|b| self.body(b));
                        }
                    }
                }
            }
        }
    }

    fn over(&mut self, over: &Over) {
        let kind = match over.kind {
            OverKind::Chain => "over chain",
            OverKind::Grid => "over grid",
            OverKind::Tree => "over tree",
        };
        self.add(kind);
        for axis in &over.axes {
            match (axis.rest, &axis.set) {
                (true, _) => self.add(format!("{kind} of any axes")),
                (_, Some(_)) => self.add(format!("{kind} with extents")),
                _ => {}
            }
        }
    }

    fn statics(&mut self, statics: &[Static]) {
        for s in statics {
            self.add(match &s.kind[..] {
                [] => "static dimension",
                [one] => match &*one.name {
                    "real" => "static real",
                    "bool" => "static bool",
                    "cell" => "static cell",
                    "fn" => "static fn",
                    _ => "static other",
                },
                _ => "static choice",
            });
        }
    }

    fn ty(&mut self, ty: &Type) {
        match &ty.kind {
            TypeKind::Domain { kind, of, .. } => {
                self.add(match kind {
                    OverKind::Chain => "type seq",
                    OverKind::Grid => "type grid",
                    OverKind::Tree => "type tree",
                });
                if let Some(of) = of {
                    if matches!(of.kind, TypeKind::Domain { .. }) {
                        self.add("type nested");
                    }
                    self.ty(of);
                }
            }
            TypeKind::Id(_) => self.add("type of ids"),
            TypeKind::Bool => self.add("type of truth values"),
            TypeKind::AnyShape => {}
            TypeKind::Array(dims) => self.add(match dims.len() {
                0 => "type scalar",
                1 => "type vector",
                _ => "type matrix",
            }),
        }
    }

    fn body(&mut self, body: &Body) {
        for stmt in &body.stmts {
            match &stmt.kind {
                StmtKind::Decl(decl) => {
                    self.add(match decl.kind {
                        DeclKind::In => "stmt in",
                        DeclKind::Mem => "stmt mem",
                        DeclKind::State => "stmt state",
                        DeclKind::Param => "stmt param",
                    });
                    if decl.kind == DeclKind::State && decl.init.is_none() {
                        self.add("state without a boundary");
                    }
                    if decl.kind == DeclKind::In && decl.init.is_some() {
                        self.add("in with a boundary");
                    }
                    if !decl.over.is_empty() {
                        self.add("in over some axes");
                    }
                    if decl.within.is_some() {
                        self.add("param within");
                    }
                    decl.targets.iter().for_each(|t| self.target(t));
                    self.ty(&decl.ty);
                    match &decl.init {
                        Some(DeclInit::Value(e) | DeclInit::Dist(e)) => self.expr(e),
                        None => {}
                    }
                }
                StmtKind::Noise { per, .. } => {
                    self.add(if per.is_some() { "stmt noise per" } else { "stmt noise" });
                }
                StmtKind::Dims(_) => self.add("stmt dim"),
                StmtKind::Part { recipe, .. } => {
                    self.add("stmt part");
                    self.expr(recipe);
                }
                StmtKind::At { side, equations } => {
                    self.add(match side {
                        Side::Leaf => "stmt at leaf",
                        Side::Axis { .. } => "stmt at",
                    });
                    equations.iter().for_each(|e| self.expr(&e.value));
                }
                StmtKind::Out(items) => {
                    for item in items {
                        self.add(if item.for_.is_some() { "out for" } else { "stmt out" });
                        self.expr(&item.value);
                    }
                }
                StmtKind::Loss { value, where_ } => {
                    self.add(if where_.is_some() { "loss where" } else { "stmt loss" });
                    self.expr(value);
                }
                StmtKind::Metric { value, .. } => {
                    self.add("stmt metric");
                    self.expr(value);
                }
                StmtKind::Equation(equation) => {
                    self.add(if equation.targets.len() > 1 { "equation of several" } else { "equation" });
                    equation.targets.iter().for_each(|t| self.target(t));
                    self.expr(&equation.value);
                }
                _ => {}
            }
        }
    }

    fn target(&mut self, target: &Target) {
        if target.name.pieces.iter().any(|p| matches!(p, Piece::Group(_))) {
            self.add("braces");
        }
        if !target.index.is_empty() {
            self.add(if target.index.len() > 1 { "family of two indices" } else { "family" });
        }
    }

    fn expr(&mut self, e: &Expr) {
        match &e.kind {
            ExprKind::Bool(_) => self.add("expr truth value"),
            ExprKind::Hole => self.add("expr hole"),
            ExprKind::List(_) => self.add("expr list"),
            ExprKind::Neg(_) => self.add("expr neg"),
            ExprKind::Not(_) => self.add("expr not"),
            ExprKind::Binary { op, .. } => self.add(format!("expr {op:?}")),
            ExprKind::Cond { .. } => self.add("expr if"),
            ExprKind::Pipe { .. } => self.add("expr pipe"),
            ExprKind::Call { callee, args } => {
                if let ExprKind::Name(name) = &callee.kind {
                    self.add(format!("call {}", name.written));
                }
                for name in args.iter().filter_map(|a| a.name.as_ref()) {
                    self.add(if name.prev { "argument prev" } else { "argument by name" });
                }
            }
            ExprKind::Index { places, .. } => {
                for place in places {
                    self.add(match place {
                        Place::Prev(_) => "place prev",
                        Place::Next(_) => "place next",
                        Place::At(_) => "place",
                    });
                }
            }
            ExprKind::Field { .. } => self.add("expr field"),
            ExprKind::Mark { .. } => self.add("expr transpose"),
            ExprKind::Reduce { fold, where_, .. } => {
                self.add(format!("reduce {fold:?}"));
                if where_.is_some() {
                    self.add("reduce where");
                }
            }
            ExprKind::Number(..) | ExprKind::Str(_) | ExprKind::Name(_) | ExprKind::Paren(_) => {}
        }
        visit::children(e, &mut |child| self.expr(child));
    }
}

fn unary(kind: Unary) -> String {
    format!("Unary {kind:?}")
}

fn binary(kind: Binary) -> String {
    format!("Binary {kind:?}")
}

/// One name for each operation; the compiler says when there is a new one.
fn op(op: &Op) -> &'static str {
    match op {
        Op::Const(_) => "Const",
        Op::DimValue(_) => "DimValue",
        Op::Source(_) => "Source",
        Op::Lag { .. } => "Lag",
        Op::Position(_) => "Position",
        Op::Length(_) => "Length",
        Op::Unary(..) => "Unary",
        Op::Binary(..) => "Binary",
        Op::Select(..) => "Select",
        Op::Spread(_) => "Spread",
        Op::MatMul(..) => "MatMul",
        Op::Transpose(_) => "Transpose",
        Op::Outer(..) => "Outer",
        Op::Concat(_) => "Concat",
        Op::Slice { .. } => "Slice",
        Op::Gather { .. } => "Gather",
        Op::Scatter { .. } => "Scatter",
        Op::Reduce { .. } => "Reduce",
        Op::Softmax(_) => "Softmax",
        Op::LogSumExp(_) => "LogSumExp",
        Op::ArgMax(_) => "ArgMax",
        Op::Reshape(_) => "Reshape",
        Op::SumOver(_) => "SumOver",
        Op::FoldOver { .. } => "FoldOver",
        Op::At { .. } => "At",
        Op::Remap { .. } => "Remap",
        Op::Flatten { .. } => "Flatten",
        Op::Points { .. } => "Points",
        Op::Literal(_) => "Literal",
    }
}

/// What the first seeds must bring.
pub const EXPECTED: &[&str] = &[
    "Const",
    "DimValue",
    "Source",
    "Lag",
    "Position",
    "Length",
    "Unary",
    "Binary",
    "Select",
    "Spread",
    "MatMul",
    "Transpose",
    "Outer",
    "Concat",
    "Slice",
    "Gather",
    "Scatter",
    "Reduce",
    "Softmax",
    "LogSumExp",
    "ArgMax",
    "Reshape",
    "SumOver",
    "FoldOver",
    "At",
    "Remap",
    "Flatten",
    "Points",
    "Literal",
    "Unary Neg",
    "Unary Exp",
    "Unary Log",
    "Unary Tanh",
    "Unary Sigmoid",
    "Unary Relu",
    "Unary Sqrt",
    "Unary Abs",
    "Unary Sign",
    "Unary Sin",
    "Unary Cos",
    "Unary Floor",
    "Unary Erf",
    "Unary LogSigmoid",
    "Unary Softplus",
    "Unary StopGradient",
    "Unary Not",
    "Unary ToReal",
    "Binary Add",
    "Binary Sub",
    "Binary Mul",
    "Binary Div",
    "Binary Pow",
    "Binary Max",
    "Binary Min",
    "Binary Mod",
    "Binary Eq",
    "Binary Ne",
    "Binary Lt",
    "Binary Le",
    "Binary And",
    "Binary Or",
    "Binary MulZero",
    "Reduce Sum",
    "Reduce Prod",
    "Reduce Max",
    "Reduce Min",
    "FoldOver Prod",
    "FoldOver Max",
    "FoldOver Min",
    "At first",
    "At last",
    "At a number",
    "Flatten back",
    "Lag by more than 1",
    "Lag along two axes",
    "Lag ahead",
    "Lag back",
    "Lag child",
    "Lag each child",
    "Lag parent",
    "Lag from each",
    "type bool",
    "type id",
    "level shared",
    "level example",
    "level over",
    "rank 3",
    "domain chain",
    "domain fixed",
    "domain derived",
    "domain tree",
    "domain tree of an arity",
    "domain children",
    "domain of three axes",
    "domain of two axes",
    "source input",
    "source param by value",
    "source param by distribution",
    "source initial",
    "source noise",
    "source cotangent",
    "state with a side",
    "state with several initial values",
    "item fn",
    "fn with a static input",
    "item layer",
    "item model",
    "item cell",
    "item cell with",
    "over chain",
    "over grid",
    "over tree",
    "over grid of any axes",
    "over tree of any axes",
    "over chain with extents",
    "over grid with extents",
    "static dimension",
    "static real",
    "static bool",
    "static cell",
    "static fn",
    "static choice",
    "type seq",
    "type grid",
    "type tree",
    "type nested",
    "type of ids",
    "type of truth values",
    "type scalar",
    "type vector",
    "type matrix",
    "stmt in",
    "stmt mem",
    "stmt state",
    "stmt param",
    "stmt noise",
    "stmt noise per",
    "stmt dim",
    "stmt part",
    "stmt at",
    "stmt at leaf",
    "stmt out",
    "out for",
    "stmt loss",
    "loss where",
    "stmt metric",
    "equation",
    "equation of several",
    "state without a boundary",
    "in with a boundary",
    "in over some axes",
    "param within",
    "braces",
    "family",
    "family of two indices",
    "expr truth value",
    "expr hole",
    "expr list",
    "expr neg",
    "expr not",
    "expr if",
    "expr pipe",
    "expr field",
    "expr transpose",
    "expr Or",
    "expr And",
    "expr Eq",
    "expr Ne",
    "expr Lt",
    "expr Le",
    "expr Gt",
    "expr Ge",
    "expr Cat",
    "expr Add",
    "expr Sub",
    "expr Mul",
    "expr Div",
    "expr Mod",
    "expr IntDiv",
    "expr MatMul",
    "expr Pow",
    "argument prev",
    "argument by name",
    "place",
    "place prev",
    "place next",
    "reduce Sum",
    "reduce Prod",
    "reduce Max",
    "reduce Min",
    "reduce Mean",
    "reduce Concat",
    "reduce where",
    "call σ",
    "call tanh",
    "call relu",
    "call exp",
    "call log",
    "call log_sigmoid",
    "call softplus",
    "call sqrt",
    "call abs",
    "call sign",
    "call sin",
    "call cos",
    "call floor",
    "call erf",
    "call identity",
    "call clamp",
    "call max",
    "call min",
    "call softmax",
    "call logsumexp",
    "call norm",
    "call argmax",
    "call split",
    "call rows",
    "call zeros",
    "call ones",
    "call outer",
    "call one_hot",
    "call stop_gradient",
    "call reverse",
    "call shift",
    "call first",
    "call last",
    "call flip",
    "call pad",
    "call append",
    "call windows",
    "call transpose",
    "call flatten",
    "call root",
    "call repeat",
    "call size",
];
