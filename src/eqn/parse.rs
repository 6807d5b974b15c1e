//! Reads the text form that [`super::print`] writes.
//!
//! In: any text. Out: a graph that [`super::verify`] accepts, or the first mistake with its line.
//! `#` begins a comment. Nothing here recurses deeper than [`MAX_DEPTH`].

use super::lex::{Token, tokens};
use super::print::{LINE_WORDS, SCALAR_WORDS};
use super::verify::verify;
use super::*;
use crate::diag::Diagnostic;
use crate::eqn::typing::show_dim_error;
use crate::shape::DimError;
use std::collections::BTreeMap;

/// Nesting of dimensions and scalars.
const MAX_DEPTH: u32 = 64;

/// A verified graph, without spans.
pub fn parse(text: &str) -> Result<Graph, Diagnostic> {
    let mut lines = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let tokens = tokens(line).map_err(|m| errors::text(i + 1, &m))?;
        if !tokens.is_empty() {
            lines.push(Line { number: i + 1, tokens });
        }
    }
    let mut scope = Scope::default();
    for line in &lines {
        let mut cursor = Cursor::new(line, &scope);
        let kind = cursor.kind();
        if matches!(kind, Kind::Graph | Kind::Out) {
            continue;
        }
        let (label, _) = cursor.head().map_err(|m| errors::text(line.number, &m))?;
        let labels = scope.labels(kind);
        let next = labels.len() as u32;
        if labels.insert(label.clone(), next).is_some() {
            return Err(errors::text(line.number, &format!("{label} is there twice")));
        }
    }
    let mut graph = Graph::default();
    for line in &lines {
        let mut cursor = Cursor::new(line, &scope);
        cursor.line(&mut graph).map_err(|m| errors::text(line.number, &m))?;
    }
    verify(&graph).map_err(|m| errors::invalid(&m))?;
    Ok(graph)
}

struct Line<'a> {
    number: usize,
    tokens: Vec<Token<'a>>,
}

#[derive(Clone, Copy)]
enum Kind {
    Graph,
    Domain,
    Source,
    State,
    Node,
    Out,
}

/// Labels of everything, with their numbers.
#[derive(Default)]
struct Scope {
    domains: BTreeMap<String, u32>,
    sources: BTreeMap<String, u32>,
    states: BTreeMap<String, u32>,
    nodes: BTreeMap<String, u32>,
}

impl Scope {
    fn labels(&mut self, kind: Kind) -> &mut BTreeMap<String, u32> {
        match kind {
            Kind::Domain => &mut self.domains,
            Kind::Source => &mut self.sources,
            Kind::State => &mut self.states,
            Kind::Graph | Kind::Node | Kind::Out => &mut self.nodes,
        }
    }
}

type Read<T> = Result<T, String>;

struct Cursor<'a> {
    tokens: &'a [Token<'a>],
    at: usize,
    depth: u32,
    scope: &'a Scope,
}

impl<'a> Cursor<'a> {
    fn new(line: &'a Line<'a>, scope: &'a Scope) -> Self {
        Cursor { tokens: &line.tokens, at: 0, depth: 0, scope }
    }

    fn peek(&self) -> Option<&'a Token<'a>> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Option<&'a Token<'a>> {
        let token = self.peek();
        self.at += 1;
        token
    }

    fn is(&self, mark: char) -> bool {
        self.peek() == Some(&Token::Mark(mark))
    }

    fn take(&mut self, mark: char) -> bool {
        let found = self.is(mark);
        self.at += found as usize;
        found
    }

    fn want(&mut self, mark: char) -> Read<()> {
        match self.take(mark) {
            true => Ok(()),
            false => Err(self.expected(&format!("`{mark}`"))),
        }
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = self.peek() == Some(&Token::Word(word));
        self.at += found as usize;
        found
    }

    fn want_word(&mut self, word: &str) -> Read<()> {
        match self.take_word(word) {
            true => Ok(()),
            false => Err(self.expected(&format!("`{word}`"))),
        }
    }

    fn expected(&self, what: &str) -> String {
        match self.peek() {
            Some(token) => format!("expected {what}, found {token}"),
            None => format!("expected {what} at the end of the line"),
        }
    }

    fn end(&self) -> Read<()> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.expected("the end of the line")),
        }
    }

    /// Steps over the word that says what the line is.
    fn kind(&mut self) -> Kind {
        let kind = match self.peek() {
            Some(Token::Word("graph")) => Kind::Graph,
            Some(Token::Word("domain")) => Kind::Domain,
            Some(Token::Word("source")) => Kind::Source,
            Some(Token::Word("state")) => Kind::State,
            Some(Token::Word("out")) => Kind::Out,
            _ => return Kind::Node,
        };
        self.at += 1;
        kind
    }

    /// The label of a line, and the name it carries.
    fn head(&mut self) -> Read<(String, Option<Arc<str>>)> {
        match self.next() {
            Some(Token::Word(w)) if *w != "_" && !LINE_WORDS.contains(w) => {
                Ok((w.to_string(), Some((*w).into())))
            }
            Some(Token::Number(n)) => {
                let name = match self.peek() {
                    Some(Token::Text(t)) => Some(t.as_str().into()),
                    _ => None,
                };
                self.at += name.is_some() as usize;
                Ok((format!("%{n}"), name))
            }
            _ => {
                self.at = self.at.saturating_sub(1);
                Err(self.expected("a name or `%` with a number"))
            }
        }
    }

    fn named_head(&mut self) -> Read<Arc<str>> {
        self.head()?.1.ok_or_else(|| self.expected("a name in quotes"))
    }

    /// A word, or any name in quotes.
    fn name(&mut self) -> Read<Arc<str>> {
        match self.next() {
            Some(Token::Word(w)) => Ok((*w).into()),
            Some(Token::Text(t)) => Ok(t.as_str().into()),
            _ => {
                self.at = self.at.saturating_sub(1);
                Err(self.expected("a name"))
            }
        }
    }

    fn label(&mut self, kind: &str, among: &BTreeMap<String, u32>) -> Read<u32> {
        let label = match self.peek() {
            Some(Token::Word(w)) => w.to_string(),
            Some(Token::Number(n)) => format!("%{n}"),
            _ => return Err(self.expected(&format!("a {kind}"))),
        };
        self.at += 1;
        among.get(&label).copied().ok_or_else(|| format!("there is no {kind} {label}"))
    }

    fn node_id(&mut self) -> Read<NodeId> {
        Ok(NodeId(self.label("value", &self.scope.nodes)?))
    }

    fn source_id(&mut self) -> Read<SourceId> {
        Ok(SourceId(self.label("source", &self.scope.sources)?))
    }

    fn state_id(&mut self) -> Read<StateId> {
        Ok(StateId(self.label("state", &self.scope.states)?))
    }

    fn domain_id(&mut self) -> Read<DomainId> {
        Ok(DomainId(self.label("domain", &self.scope.domains)?))
    }

    fn line(&mut self, graph: &mut Graph) -> Read<()> {
        match self.kind() {
            Kind::Graph => match self.next() {
                Some(Token::Text(name)) => graph.name = name.clone(),
                _ => return Err("expected the graph's name in quotes".into()),
            },
            Kind::Domain => {
                let extent = self.named_head()?;
                self.want(':')?;
                let var = self.name()?;
                let kind = self.domain_kind()?;
                let edges = self.edge_names()?;
                graph.domains.push(Domain { extent, var, kind, edges });
            }
            Kind::Source => {
                let name = self.named_head()?;
                self.want(':')?;
                let (shape, ty, level) = self.value_type()?;
                self.want('=')?;
                let kind = self.source_kind()?;
                graph.sources.push(Source { name, kind, shape, ty, level, span: None });
            }
            Kind::State => {
                let name = self.named_head()?;
                self.want(':')?;
                let (shape, ty, level) = self.value_type()?;
                let Level::Over(domain) = level else {
                    return Err("a state is over a domain".into());
                };
                self.want('=')?;
                let def = Some(self.node_id()?);
                self.want_word("init")?;
                let mut init = vec![self.node_id()?];
                while self.take(',') {
                    init.push(self.node_id()?);
                }
                let mut sides = Vec::new();
                while let Some(after) = self.side_word() {
                    let axis = self.domain_id()?;
                    sides.push(Side { axis, after, value: self.node_id()? });
                }
                graph.states.push(State { name, domain, shape, ty, def, init, sides, span: None });
            }
            Kind::Node => {
                let (_, name) = self.head()?;
                self.want(':')?;
                let (shape, ty, level) = self.value_type()?;
                self.want('=')?;
                let op = self.op()?;
                graph.nodes.push(Node { op, shape, ty, level, name, span: None });
            }
            Kind::Out => {
                let name = self.name()?;
                self.want('=')?;
                let node = self.node_id()?;
                graph.outputs.push(Output { name, node });
            }
        }
        self.end()
    }

    /// `(left, right)` behind a tree.
    fn edge_names(&mut self) -> Read<Vec<Arc<str>>> {
        let mut names = Vec::new();
        if self.take('(') {
            names.push(self.name()?);
            while self.take(',') {
                names.push(self.name()?);
            }
            self.want(')')?;
        }
        Ok(names)
    }

    fn domain_kind(&mut self) -> Read<DomainKind> {
        if self.take('=') {
            return Ok(DomainKind::Chain { fixed: Some(self.whole()?) });
        }
        if self.take_word("derived") {
            return Ok(DomainKind::Derived(self.extent()?));
        }
        if self.take_word("tree") {
            let arity = match self.peek() {
                Some(Token::Digits(_)) => Some(self.whole()?),
                _ => None,
            };
            return Ok(DomainKind::Tree { arity });
        }
        if self.take_word("children") {
            return Ok(DomainKind::Children { tree: self.domain_id()? });
        }
        if self.take_word("product") {
            let mut axes = vec![self.domain_id()?];
            while self.take(',') {
                axes.push(self.domain_id()?);
            }
            return Ok(DomainKind::Product(axes));
        }
        Ok(DomainKind::Chain { fixed: None })
    }

    fn extent(&mut self) -> Read<Extent> {
        let mut terms = Vec::new();
        loop {
            let k = self.signed()?;
            let mut axes = Vec::new();
            while self.take('*') {
                axes.push(self.domain_id()?);
            }
            if k != 0 {
                terms.push((i64::from(k), axes));
            }
            if !self.take('+') {
                return Ok(Extent(terms));
            }
        }
    }

    fn signed(&mut self) -> Read<i32> {
        let sign = if self.take('-') { -1 } else { 1 };
        let size = i32::try_from(self.whole()?).map_err(|_| "the number is too large")?;
        Ok(sign * size)
    }

    fn side_word(&mut self) -> Option<bool> {
        if self.take_word("before") {
            return Some(false);
        }
        self.take_word("after").then_some(true)
    }

    fn offset(&mut self) -> Read<Offset> {
        if self.take_word("child") {
            return Ok(Offset::Child(self.whole()?));
        }
        if self.take_word("parent") {
            return Ok(Offset::Parent(self.whole()?));
        }
        if self.take_word("each") {
            return Ok(Offset::EachChild(self.domain_id()?));
        }
        if self.take_word("from") {
            return Ok(Offset::FromEach(self.domain_id()?));
        }
        let mut by = [0; MAX_AXES];
        by[0] = self.signed()?;
        let mut axis = 1;
        while self.take(',') {
            *by.get_mut(axis).ok_or("too many axes")? = self.signed()?;
            axis += 1;
        }
        Ok(Offset::By(by))
    }

    fn axis_map(&mut self) -> Read<AxisMap> {
        let from = self.domain_id()?;
        self.want_word("to")?;
        let to = self.domain_id()?;
        self.want_word("start")?;
        let start = self.extent()?;
        self.want_word("step")?;
        let step = i8::try_from(self.signed()?).map_err(|_| "the step is too large")?;
        Ok(AxisMap { from, to, start, step })
    }

    fn value_type(&mut self) -> Read<(Shape, Ty, Level)> {
        let mut shape = Vec::new();
        self.want('[')?;
        if !self.take(']') {
            shape.push(self.dim()?);
            while self.take(',') {
                shape.push(self.dim()?);
            }
            self.want(']')?;
        }
        let ty = if self.take_word("bool") {
            Ty::Bool
        } else if self.take_word("id") {
            self.want('(')?;
            let k = self.dim()?;
            self.want(')')?;
            Ty::Id(k)
        } else {
            Ty::Real
        };
        let level = if self.take_word("shared") {
            Level::Shared
        } else if self.take_word("each") {
            Level::Example
        } else if self.take_word("over") {
            Level::Over(self.domain_id()?)
        } else {
            return Err(self.expected("`shared`, `each` or `over`"));
        };
        Ok((shape, ty, level))
    }

    fn source_kind(&mut self) -> Read<SourceKind> {
        if self.take_word("input") {
            Ok(SourceKind::Input)
        } else if self.take_word("cotangent") {
            Ok(SourceKind::Cotangent)
        } else if self.take_word("noise") {
            self.want('~')?;
            Ok(SourceKind::Noise(self.dist()?))
        } else if self.take_word("initial") {
            let state = self.state_id()?;
            self.want_word("default")?;
            Ok(SourceKind::Initial { state, default: self.number()? })
        } else if self.take_word("param") {
            let init = match self.take('=') {
                true => Init::Value(self.scalar()?),
                false => {
                    self.want('~')?;
                    Init::Dist(self.dist()?)
                }
            };
            let mut within = None;
            if self.take_word("within") {
                let lo = self.number()?;
                self.want('.')?;
                self.want('.')?;
                within = Some((lo, self.number()?));
            }
            Ok(SourceKind::Param(ParamInfo { init, within }))
        } else {
            Err(self.expected("`input`, `param`, `initial`, `noise` or `cotangent`"))
        }
    }

    fn op(&mut self) -> Read<Op> {
        let Some(Token::Word(word)) = self.next() else {
            self.at = self.at.saturating_sub(1);
            return Err(self.expected("an operation"));
        };
        self.want('(')?;
        let op = self.op_after(word)?;
        self.want(')')?;
        Ok(op)
    }

    fn op_after(&mut self, word: &str) -> Read<Op> {
        if let Some(kind) = Unary::ALL.into_iter().find(|k| k.word() == word) {
            return Ok(Op::Unary(kind, self.node_id()?));
        }
        if let Some(kind) = Binary::ALL.into_iter().find(|k| k.word() == word) {
            let (a, b) = self.pair()?;
            return Ok(Op::Binary(kind, a, b));
        }
        if let Some(fold) = Fold::ALL.into_iter().find(|k| k.word() == word) {
            let arg = self.node_id()?;
            self.want(',')?;
            return Ok(Op::Reduce { fold, arg, axis: self.whole()? });
        }
        Ok(match word {
            "const" => Op::Const(self.number()?),
            "dim" => Op::DimValue(self.dim()?),
            "source" => Op::Source(self.source_id()?),
            "lag" => {
                let state = self.state_id()?;
                self.want(',')?;
                Op::Lag { state, offset: self.offset()? }
            }
            "position" => Op::Position(self.domain_id()?),
            "length" => Op::Length(self.domain_id()?),
            "select" => {
                let (c, a) = self.pair()?;
                self.want(',')?;
                Op::Select(c, a, self.node_id()?)
            }
            "spread" => Op::Spread(self.node_id()?),
            "matmul" => self.pair().map(|(a, b)| Op::MatMul(a, b))?,
            "transpose" => Op::Transpose(self.node_id()?),
            "outer" => self.pair().map(|(a, b)| Op::Outer(a, b))?,
            "concat" => {
                let mut parts = vec![self.node_id()?];
                while self.take(',') {
                    parts.push(self.node_id()?);
                }
                Op::Concat(parts)
            }
            "slice" => {
                let arg = self.node_id()?;
                self.want(',')?;
                Op::Slice { arg, start: self.dim()? }
            }
            "gather" => self.pair().map(|(arg, index)| Op::Gather { arg, index })?,
            "scatter" => self.pair().map(|(index, value)| Op::Scatter { index, value })?,
            "softmax" => Op::Softmax(self.node_id()?),
            "logsumexp" => Op::LogSumExp(self.node_id()?),
            "argmax" => Op::ArgMax(self.node_id()?),
            "reshape" => Op::Reshape(self.node_id()?),
            "sum_over" => Op::SumOver(self.node_id()?),
            "at" => {
                let arg = self.node_id()?;
                self.want(',')?;
                let axis = self.domain_id()?;
                self.want(',')?;
                let point = if self.take_word("first") {
                    Point::First
                } else if self.take_word("last") {
                    Point::Last
                } else {
                    Point::Fixed(self.whole()?)
                };
                self.want(',')?;
                Op::At { arg, axis, point, empty: self.node_id()? }
            }
            "fold_over" => {
                let arg = self.node_id()?;
                self.want(',')?;
                let fold = Fold::ALL.into_iter().find(|k| self.take_word(k.word()));
                Op::FoldOver { fold: fold.ok_or("expected a fold")?, arg }
            }
            "remap" => {
                let arg = self.node_id()?;
                let mut maps = Vec::new();
                while self.take(',') {
                    maps.push(self.axis_map()?);
                }
                Op::Remap { arg, maps }
            }
            word @ ("flatten" | "unflatten") => {
                let arg = self.node_id()?;
                self.want(',')?;
                let back = word == "unflatten";
                let mut sides = [vec![self.domain_id()?], Vec::new()];
                while !self.take_word("to") {
                    sides[0].push(self.domain_id()?);
                }
                while sides[1].is_empty() || (back && self.peek() != Some(&Token::Mark(')'))) {
                    sides[1].push(self.domain_id()?);
                }
                let [from, to] = sides;
                match (back, from.as_slice(), to.as_slice()) {
                    (false, _, [line]) => Op::Flatten { arg, grid: from, line: *line, back },
                    (true, [line], _) => Op::Flatten { arg, grid: to, line: *line, back },
                    _ => return Err("a grid is laid along one axis".into()),
                }
            }
            "points" => {
                let axis = self.domain_id()?;
                let mut parts = Vec::new();
                while self.take(',') {
                    parts.push(self.node_id()?);
                }
                Op::Points { parts, axis }
            }
            "literal" => {
                let mut values = Vec::new();
                while !self.is(')') {
                    if !values.is_empty() {
                        self.want(',')?;
                    }
                    values.push(self.number()?);
                }
                Op::Literal(values.into())
            }
            _ => return Err(format!("there is no operation `{word}`")),
        })
    }

    fn pair(&mut self) -> Read<(NodeId, NodeId)> {
        let a = self.node_id()?;
        self.want(',')?;
        Ok((a, self.node_id()?))
    }

    fn whole(&mut self) -> Read<u32> {
        let text = self.digits()?;
        text.parse().map_err(|_| format!("`{text}` is no whole number, or too large"))
    }

    fn digits(&mut self) -> Read<&'a str> {
        match self.peek() {
            Some(Token::Digits(text)) => {
                self.at += 1;
                Ok(text)
            }
            _ => Err(self.expected("a number")),
        }
    }

    fn number(&mut self) -> Read<f64> {
        let negative = self.take('-');
        let size = if self.take_word("inf") {
            f64::INFINITY
        } else if self.take_word("NaN") {
            f64::NAN
        } else {
            let text = self.digits()?;
            text.parse().map_err(|_| format!("`{text}` is no number"))?
        };
        Ok(if negative { -size } else { size })
    }

    fn dist(&mut self) -> Read<Dist> {
        let name = self.name()?;
        let mut args = Vec::new();
        self.want('(')?;
        while !self.is(')') {
            if !args.is_empty() {
                self.want(',')?;
            }
            args.push(self.scalar()?);
        }
        self.want(')')?;
        Ok(Dist { name, args })
    }

    fn deeper(&mut self) -> Read<()> {
        self.depth += 1;
        match self.depth > MAX_DEPTH {
            true => Err("brackets are nested too deep".into()),
            false => Ok(()),
        }
    }

    /// One operand, or two with an operator between them.
    fn scalar(&mut self) -> Read<Scalar> {
        let a = self.scalar_operand()?;
        let Some(op) = "+-*/^".chars().find(|op| self.is(*op)) else {
            return Ok(a);
        };
        self.at += 1;
        Ok(Scalar::Bin(op, Box::new(a), Box::new(self.scalar_operand()?)))
    }

    fn scalar_operand(&mut self) -> Read<Scalar> {
        self.deeper()?;
        let operand = match self.peek() {
            Some(Token::Mark('(')) => self.scalar_in_brackets()?,
            Some(Token::Mark('{')) => {
                self.at += 1;
                let dim = self.dim()?;
                self.want('}')?;
                Scalar::Dim(dim)
            }
            Some(Token::Mark('-')) if self.tokens.get(self.at + 1) == Some(&Token::Mark('(')) => {
                self.at += 1;
                Scalar::Neg(Box::new(self.scalar_in_brackets()?))
            }
            Some(Token::Word("sqrt")) => Scalar::Sqrt(self.scalar_of_function()?),
            Some(Token::Word("log")) => Scalar::Log(self.scalar_of_function()?),
            Some(Token::Word("exp")) => Scalar::Exp(self.scalar_of_function()?),
            Some(Token::Word(word)) if !SCALAR_WORDS.contains(word) => {
                self.at += 1;
                Scalar::Dim(Dim::sym(*word))
            }
            _ => Scalar::Num(self.number()?),
        };
        self.depth -= 1;
        Ok(operand)
    }

    fn scalar_in_brackets(&mut self) -> Read<Scalar> {
        self.want('(')?;
        let inner = self.scalar()?;
        self.want(')')?;
        Ok(inner)
    }

    fn scalar_of_function(&mut self) -> Read<Box<Scalar>> {
        self.at += 1;
        self.scalar_in_brackets().map(Box::new)
    }

    fn dim(&mut self) -> Read<Dim> {
        self.deeper()?;
        let dim_error = |e: DimError| show_dim_error(&e);
        let mut sum = Dim::constant(0);
        let mut negative = self.take('-');
        loop {
            let term = self.dim_term()?;
            sum = if negative { sum.sub(&term) } else { sum.add(&term) }.map_err(dim_error)?;
            negative = self.is('-');
            if !self.take('-') && !self.take('+') {
                self.depth -= 1;
                return Ok(sum);
            }
        }
    }

    fn dim_term(&mut self) -> Read<Dim> {
        let dim_error = |e: DimError| show_dim_error(&e);
        let mut product = self.dim_factor()?;
        loop {
            if self.take('*') {
                product = product.mul(&self.dim_factor()?).map_err(dim_error)?;
            } else if self.take_word("div") {
                product = product.div(&self.dim_factor()?).map_err(dim_error)?;
            } else {
                return Ok(product);
            }
        }
    }

    fn dim_factor(&mut self) -> Read<Dim> {
        self.deeper()?;
        let base = match self.peek() {
            Some(Token::Mark('(')) => {
                self.at += 1;
                let inner = self.dim()?;
                self.want(')')?;
                inner
            }
            Some(Token::Word(word)) if *word != "div" => {
                self.at += 1;
                Dim::sym(*word)
            }
            _ => {
                let text = self.digits()?;
                Dim::constant(text.parse().map_err(|_| format!("`{text}` is no whole number, or too large"))?)
            }
        };
        let power = if self.take('^') {
            let exponent = self.dim_factor()?;
            base.pow(&exponent).map_err(|e| show_dim_error(&e))?
        } else {
            base
        };
        self.depth -= 1;
        Ok(power)
    }
}
