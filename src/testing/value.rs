//! What test blocks compute with: arrays, and the results of applications.

use super::errors;
use crate::diag::Diagnostic;
use crate::eqn::eval::ops;
use crate::eqn::{Binary, Fold, Unary};
use crate::source::Span;
use crate::syntax::ast::BinaryOp;
use ndarray::{ArrayD, Axis, IxDyn};
use std::collections::BTreeMap;
use std::rc::Rc;

#[derive(Clone, Debug)]
pub enum Value {
    /// Numbers; truth values are 0 and 1.
    Array(ArrayD<f64>),
    Applied(Rc<Applied>),
    Tree(Rc<Branch>),
}

/// A tree: `leaf(v)`, `node(a, b, x = v)`.
#[derive(Clone, Debug)]
pub struct Branch {
    pub children: Vec<Rc<Branch>>,
    /// What the root is given: by name, or the inputs in order.
    pub inputs: Vec<(Option<String>, ArrayD<f64>)>,
    /// As a plain value it is nothing.
    nothing: ArrayD<f64>,
}

impl Branch {
    pub fn new(children: Vec<Rc<Branch>>, inputs: Vec<(Option<String>, ArrayD<f64>)>) -> Branch {
        Branch { children, inputs, nothing: ArrayD::zeros(IxDyn(&[0])) }
    }

    /// All nodes with their children, children before their parents.
    pub fn nodes(&self) -> Vec<(&Branch, Vec<i64>)> {
        let mut nodes = Vec::new();
        self.extend(&mut nodes);
        nodes
    }

    fn extend<'a>(&'a self, nodes: &mut Vec<(&'a Branch, Vec<i64>)>) -> i64 {
        let children = self.children.iter().map(|c| c.extend(nodes)).collect();
        nodes.push((self, children));
        nodes.len() as i64 - 1
    }
}

/// What an application offers. As a plain value it is its first `out`.
#[derive(Clone, Debug)]
pub struct Applied {
    pub title: String,
    pub first: ArrayD<f64>,
    /// Names of the `out`s, in order.
    pub outs: Vec<String>,
    pub outputs: BTreeMap<String, ArrayD<f64>>,
}

impl Value {
    pub fn scalar(x: f64) -> Value {
        Value::Array(ArrayD::from_elem(IxDyn(&[]), x))
    }

    pub fn array(&self) -> &ArrayD<f64> {
        match self {
            Value::Array(array) => array,
            Value::Applied(applied) => &applied.first,
            Value::Tree(branch) => &branch.nothing,
        }
    }

    /// The number, if it is one.
    pub fn as_number(&self) -> Option<f64> {
        let array = self.array();
        if array.ndim() == 0 { array.iter().next().copied() } else { None }
    }
}

/// A list of arrays of one shape.
pub fn list(items: &[Value], at: Span) -> Result<Value, Diagnostic> {
    let views: Vec<_> = items.iter().map(|v| v.array().view()).collect();
    if views.is_empty() {
        return Ok(Value::Array(ArrayD::zeros(IxDyn(&[0]))));
    }
    ndarray::stack(Axis(0), &views).map(Value::Array).map_err(|_| errors::ragged(at))
}

pub fn map(x: &Value, f: impl Fn(f64) -> f64) -> Value {
    Value::Array(x.array().mapv(f))
}

/// Elementwise, of equal shapes or with a scalar.
pub fn zip(a: &Value, b: &Value, at: Span, f: impl Fn(f64, f64) -> f64) -> Result<Value, Diagnostic> {
    let (x, y) = (a.array(), b.array());
    let (x, y) = match (a.as_number(), b.as_number()) {
        (Some(x), _) => return Ok(map(b, |y| f(x, y))),
        (_, Some(y)) => return Ok(map(a, |x| f(x, y))),
        _ => (x, y),
    };
    if x.shape() != y.shape() {
        return Err(errors::shapes("values", x.shape(), y.shape(), at));
    }
    let values = x.iter().zip(y).map(|(x, y)| f(*x, *y)).collect();
    ArrayD::from_shape_vec(x.raw_dim(), values).map(Value::Array).map_err(|_| errors::ragged(at))
}

pub fn binary(op: BinaryOp, a: &Value, b: &Value, at: Span) -> Result<Value, Diagnostic> {
    let truth = |c: bool| f64::from(u8::from(c));
    let kind = match op {
        BinaryOp::Add => Binary::Add,
        BinaryOp::Sub => Binary::Sub,
        BinaryOp::Mul => Binary::Mul,
        BinaryOp::Div => Binary::Div,
        BinaryOp::Pow => Binary::Pow,
        BinaryOp::Mod => Binary::Mod,
        BinaryOp::Eq => Binary::Eq,
        BinaryOp::Ne => Binary::Ne,
        BinaryOp::Lt => Binary::Lt,
        BinaryOp::Le => Binary::Le,
        BinaryOp::And => Binary::And,
        BinaryOp::Or => Binary::Or,
        BinaryOp::Gt => return zip(a, b, at, |x, y| truth(x > y)),
        BinaryOp::Ge => return zip(a, b, at, |x, y| truth(x >= y)),
        BinaryOp::IntDiv => return zip(a, b, at, |x, y| (x / y).floor()),
        BinaryOp::Cat => {
            let (x, y) = (a.array(), b.array());
            let joined = ndarray::concatenate(Axis(0), &[x.view(), y.view()]);
            return match (x.ndim() > 0, joined) {
                (true, Ok(joined)) => Ok(Value::Array(joined)),
                _ => Err(errors::shapes("`++`", x.shape(), y.shape(), at)),
            };
        }
        BinaryOp::MatMul => return contract(a.array(), b.array(), at),
    };
    zip(a, b, at, ops::binary(kind))
}

/// The last axis of the left with the first of the right.
fn contract(a: &ArrayD<f64>, b: &ArrayD<f64>, at: Span) -> Result<Value, Diagnostic> {
    let wrong = || errors::shapes("`@`", a.shape(), b.shape(), at);
    let ([.., inner], [first, ..]) = (a.shape(), b.shape()) else { return Err(wrong()) };
    if inner != first {
        return Err(wrong());
    }
    let (inner, columns) = (*inner, b.shape().iter().skip(1).product::<usize>());
    let rows: usize = a.shape().iter().take(a.ndim() - 1).product();
    let left = a.to_shape((rows, inner)).map_err(|_| wrong())?;
    let right = b.to_shape((inner, columns)).map_err(|_| wrong())?;
    let shape: Vec<usize> =
        a.shape().iter().take(a.ndim() - 1).chain(b.shape().iter().skip(1)).copied().collect();
    let values: Vec<f64> = left.dot(&right).into_iter().collect();
    ArrayD::from_shape_vec(IxDyn(&shape), values).map(Value::Array).map_err(|_| wrong())
}

/// The functions a test may call by name, on values.
pub fn function(name: &str, args: &[Value], at: Span) -> Option<Result<Value, Diagnostic>> {
    let unary = match name {
        "σ" => Some(Unary::Sigmoid),
        "tanh" => Some(Unary::Tanh),
        "relu" => Some(Unary::Relu),
        "exp" => Some(Unary::Exp),
        "log" => Some(Unary::Log),
        "log_sigmoid" => Some(Unary::LogSigmoid),
        "softplus" => Some(Unary::Softplus),
        "sqrt" => Some(Unary::Sqrt),
        "abs" => Some(Unary::Abs),
        "sign" => Some(Unary::Sign),
        "sin" => Some(Unary::Sin),
        "cos" => Some(Unary::Cos),
        "floor" => Some(Unary::Floor),
        "erf" => Some(Unary::Erf),
        _ => None,
    };
    let whole = |n: f64| (n >= 0.0 && n.fract() == 0.0 && n <= 1e6).then_some(n as usize);
    Some(match (unary, name, args) {
        (Some(unary), _, [x]) => Ok(map(x, ops::unary(unary))),
        (_, "max", [a, b]) => zip(a, b, at, ops::binary(Binary::Max)),
        (_, "min", [a, b]) => zip(a, b, at, ops::binary(Binary::Min)),
        (_, "norm", [x]) => Ok(Value::scalar(x.array().iter().map(|v| v * v).sum::<f64>().sqrt())),
        // The root of a tree is its last node.
        (_, "first" | "last" | "root", [x]) => {
            let rows = x.array().shape().first().copied().unwrap_or(0);
            let row = if name == "first" { 1 } else { rows };
            pick(x, row as f64, at)
        }
        (_, "reverse", [x]) if x.array().ndim() > 0 => {
            let mut array = x.array().clone();
            array.invert_axis(Axis(0));
            Ok(Value::Array(array.as_standard_layout().into_owned()))
        }
        (_, "zeros" | "ones", [n]) => match n.as_number().and_then(whole) {
            Some(n) => {
                Ok(Value::Array(ArrayD::from_elem(IxDyn(&[n]), if name == "ones" { 1.0 } else { 0.0 })))
            }
            None => Err(errors::range(at, "a length is a whole number")),
        },
        _ => return None,
    })
}

/// Element `position` of the first axis, counted from 1.
pub fn pick(x: &Value, position: f64, at: Span) -> Result<Value, Diagnostic> {
    let rows = x.array().shape().first().copied().unwrap_or(0);
    let inside = position.fract() == 0.0 && position >= 1.0 && position <= rows as f64;
    if !inside {
        return Err(errors::range(at, &format!("position {position} of {rows}")));
    }
    Ok(Value::Array(x.array().index_axis(Axis(0), position as usize - 1).to_owned()))
}

/// Part `k` of `n` equal ones of the first axis.
pub fn part(x: &Value, k: usize, n: usize, at: Span) -> Result<Value, Diagnostic> {
    let rows = x.array().shape().first().copied().unwrap_or(0);
    if n == 0 || k >= n || rows == 0 || rows % n != 0 {
        return Err(errors::range(at, &format!("{rows} elements do not make {n} equal parts")));
    }
    let size = (rows / n) as isize;
    let slice = ndarray::Slice::from(size * k as isize..size * (k as isize + 1));
    Ok(Value::Array(x.array().slice_axis(Axis(0), slice).as_standard_layout().into_owned()))
}

/// All values folded to one.
pub fn fold(kind: crate::syntax::ast::Fold, values: &[Value], at: Span) -> Result<Value, Diagnostic> {
    use crate::syntax::ast::Fold as F;
    let kind = match kind {
        F::Sum | F::Mean => Binary::Add,
        F::Prod => Binary::Mul,
        F::Max => Binary::Max,
        F::Min => Binary::Min,
        F::Concat => {
            let views: Vec<_> = values.iter().map(|v| v.array().view()).collect();
            return ndarray::concatenate(Axis(0), &views).map(Value::Array).map_err(|_| errors::ragged(at));
        }
    };
    let mut values = values.iter();
    let Some(first) = values.next() else {
        return match kind {
            Binary::Add => Ok(Value::scalar(ops::fold(Fold::Sum, std::iter::empty()))),
            Binary::Mul => Ok(Value::scalar(1.0)),
            _ => Err(errors::range(at, "a reduction over no element has no value")),
        };
    };
    values.try_fold(first.clone(), |acc, v| zip(&acc, v, at, ops::binary(kind)))
}
