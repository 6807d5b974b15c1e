//! Functions that other libraries have and this language writes otherwise.
//!
//! In: a call of a name that nothing here has, or a method of a value. Out: a message that says how it is written here, with
//! the change where the arguments tell it.

use super::builder::Builder;
use super::errors;
use super::mend::as_operator;
use super::value::*;
use crate::diag::Diagnostic;
use crate::resolve::text::plain;
use crate::resolve::{Library, item_name};
use crate::source::{FileId, Span};
use crate::syntax::ast::*;

/// How something is written here.
enum Here {
    /// Between its two arguments.
    Operator(&'static str),
    /// A function of another name.
    Function(&'static str),
    /// An expression with `0`, `1`, … in braces for the arguments.
    Written(&'static str),
    /// A fold over the components of its argument.
    Fold(&'static str),
    /// An item whose documentation has these words.
    Item(&'static str),
    /// As the sentence says.
    Said,
}

use Here::{Fold as Over, Function, Item as ItemOf, Operator, Said, Written};

/// Names, what they are here, and a sentence.
const FOREIGN: &[(&[&str], Here, &str)] = &[
    (&["matmul", "mm", "mv", "bmm", "dot"], Operator("@"), "the matrix product is `W @ x`"),
    (&["mul", "multiply", "hadamard"], Operator("⊙"), "the elementwise product is `a ⊙ b`"),
    (&["add"], Operator("+"), "a sum of two is `a + b`"),
    (&["sub", "subtract"], Operator("−"), "a difference is `a − b`"),
    (&["divide", "true_divide"], Operator("/"), "a quotient is `a / b`"),
    (&["pow", "power"], Operator("^"), "a power is `a ^ b`"),
    (&["cat", "concatenate", "hstack"], Operator("++"), "vectors are joined by `a ++ b`"),
    (&["stack", "vstack"], Function("rows"), "rows are put together by `rows(a, b)`"),
    (&["sum"], Over("sum"), "a sum over components is `∑ k in H: x[k]`"),
    (&["prod", "product"], Over("prod"), "a product of components is `∏ k in H: x[k]`"),
    (&["mean", "average"], Over("mean"), "a mean of components is `mean k in H: x[k]`"),
    (&["amax", "reduce_max"], Over("max"), "the greatest component is `max k in H: x[k]`"),
    (&["amin", "reduce_min"], Over("min"), "the least component is `min k in H: x[k]`"),
    (&["where", "select", "cond"], Written("(if {0} then {1} else {2})"), "a choice is `if c then a else b`"),
    (
        &["chunk"],
        Written("split({0})"),
        "a vector is cut into as many parts as there are names: `a, b = split(v)`",
    ),
    (&["logistic", "expit", "sigm"], Function("σ"), "the logistic function is `σ(x)`, in ASCII `sigmoid(x)`"),
    (&["maximum", "fmax"], Function("max"), "the greater of two is `max(a, b)`"),
    (&["minimum", "fmin"], Function("min"), "the lesser of two is `min(a, b)`"),
    (&["clip"], Function("clamp"), "what keeps a value between two others is `clamp(x, a, b)`"),
    (&["absolute", "fabs"], Function("abs"), "the size of each component is `abs(x)`"),
    (&["ln"], Function("log"), "the natural logarithm is `log(x)`"),
    (&["detach", "no_grad"], Function("stop_gradient"), "no gradient goes through `stop_gradient(x)`"),
    (&["silu", "swish"], Written("({0} ⊙ σ({0}))"), "`silu(x)` is `x ⊙ σ(x)`"),
    (
        &["gelu"],
        Written("({0} ⊙ (1 + erf({0} / sqrt(2))) / 2)"),
        "`gelu(x)` is `x ⊙ (1 + erf(x / sqrt(2))) / 2`",
    ),
    (
        &["elu"],
        Written("(if {0} > 0 then {0} else exp({0}) − 1)"),
        "`elu(x)` is `if x > 0 then x else exp(x) − 1`",
    ),
    (&["leaky_relu"], Written("max({0}, 0.01 * {0})"), "`leaky_relu(x)` is `max(x, 0.01 * x)`"),
    (&["relu6"], Written("clamp({0}, 0, 6)"), "`relu6(x)` is `clamp(x, 0, 6)`"),
    (&["hardtanh"], Written("clamp({0}, −1, 1)"), "`hardtanh(x)` is `clamp(x, −1, 1)`"),
    (&["log_softmax"], Written("({0} − logsumexp({0}))"), "`log_softmax(x)` is `x − logsumexp(x)`"),
    (&["exp2"], Written("2 ^ {0}"), "`exp2(x)` is `2 ^ x`"),
    (&["expm1"], Written("(exp({0}) − 1)"), "`expm1(x)` is `exp(x) − 1`"),
    (&["log1p"], Written("log(1 + {0})"), "`log1p(x)` is `log(1 + x)`"),
    (&["log2"], Written("(log({0}) / log(2))"), "`log2(x)` is `log(x) / log(2)`"),
    (&["log10"], Written("(log({0}) / log(10))"), "`log10(x)` is `log(x) / log(10)`"),
    (&["rsqrt"], Written("(1 / sqrt({0}))"), "`rsqrt(x)` is `1 / sqrt(x)`"),
    (&["square"], Written("{0} ^ 2"), "a square is `x²`, in ASCII `x^2`"),
    (&["neg", "negative"], Written("(−{0})"), "the opposite is `−x`"),
    (&["reciprocal"], Written("(1 / {0})"), "one over it is `1 / x`"),
    (&["t", "T", "mT", "transposed"], Written("{0}ᵀ"), "the transpose is `Wᵀ`"),
    (
        &["einsum", "tensordot"],
        Said,
        "a sum of products is `∑ k in 1..n: a[k] * b[k]`, a matrix product `W @ x`",
    ),
    (&["Linear", "linear", "FullyConnected"], ItemOf("affine map"), "an affine map is `W @ x + b`"),
    (&["embedding", "Embedding"], ItemOf("row of a table"), "a row of a table is `table[k]`"),
];

fn entry(name: &str) -> Option<&'static (&'static [&'static str], Here, &'static str)> {
    FOREIGN.iter().find(|(names, ..)| names.contains(&name))
}

impl<'l> Builder<'l> {
    /// What a function is here that nothing defines.
    pub(super) fn foreign_call(
        &mut self,
        written: &str,
        callee: Span,
        args: &'l [Arg],
        env: &Env,
        span: Span,
    ) -> Option<Diagnostic> {
        let (_, here, said) = entry(written)?;
        let d = errors::function_from_elsewhere(written, said, callee);
        let values: Vec<&'l Expr> = match (here, args) {
            (
                Operator(_) | Function(_),
                [Arg { value: Expr { kind: ExprKind::List(items), .. }, .. }, ..],
            ) => items.iter().collect(),
            _ => args.iter().map(|a| &a.value).collect(),
        };
        Some(match here {
            Function(name) if values.len() == args.len() => {
                d.fix(format!("write `{name}(…)`"), callee, *name)
            }
            here => self.written_here(d, here, &values, env, span),
        })
    }

    /// What a method of a value is here.
    pub(super) fn foreign_method(
        &mut self,
        (base, field): (&'l Expr, &Pattern),
        args: &'l [Arg],
        env: &Env,
        span: Span,
    ) -> Option<Diagnostic> {
        let (_, here, said) = entry(&field.written)?;
        // Before a dot stands a module of another language as well.
        if let ExprKind::Name(p) = &base.kind
            && self.frame(env.frame).text.get(&plain(p)).is_none()
            && !self.frame(env.frame).given.contains_key(&plain(p))
        {
            return None;
        }
        let Ok(Val::Arr(_)) = self.eval(base, env) else { return None };
        let at = Span { start: base.span.end, ..field.span };
        let d = errors::method_from_elsewhere(&field.written, said, at);
        let values: Vec<&'l Expr> = std::iter::once(base).chain(args.iter().map(|a| &a.value)).collect();
        Some(self.written_here(d, here, &values, env, span))
    }

    fn written_here(
        &mut self,
        d: Diagnostic,
        here: &Here,
        values: &[&'l Expr],
        env: &Env,
        span: Span,
    ) -> Diagnostic {
        let source = |e: &Expr| self.written(e.span);
        match here {
            Operator(sign) => d.fix_all(format!("write `a {sign} b`"), as_operator(sign, values, span)),
            Function(name) => {
                let values: Vec<String> = values.iter().map(|e| source(e)).collect();
                d.maybe("write it so", span, format!("{name}({})", values.join(", ")))
            }
            Written(form) => match filled(form, values, source) {
                Some(text) => d.maybe("write it so", span, text),
                None => d,
            },
            Over(fold) => match self.folded(fold, values, env) {
                Some(text) => d.maybe("write it so", span, text),
                None => d,
            },
            ItemOf(words) => match documented(self.library, span.file, words) {
                Some(name) => d.with_note(format!("`{name}` is such an item")),
                None => d,
            },
            Said => d,
        }
    }

    /// `(sum k in H: x[k])` of a vector with a name, whose length has one or is a number.
    fn folded(&mut self, fold: &str, values: &[&'l Expr], env: &Env) -> Option<String> {
        let [value] = values else { return None };
        let ExprKind::Name(_) = &value.kind else { return None };
        let val = self.eval(value, env).ok()?;
        let arr = self.force(val, value.span).ok()?;
        let [dim] = self.shape(arr) else { return None };
        let set = match (dim.as_constant(), dim.as_sym()) {
            (Some(n), _) => format!("1..{n}"),
            (None, Some(name)) => name.to_string(),
            (None, None) => return None,
        };
        let own = &self.frame(env.frame).text;
        let var = ["k", "m", "q"].into_iter().find(|v| own.get(v).is_none() && env.binder(v).is_none())?;
        let name = self.written(value.span);
        Some(format!("({fold} {var} in {set}: {name}[{var}])"))
    }

    /// A part of a file as it is written.
    fn written(&self, span: Span) -> String {
        let file = self.library.file(span.file);
        let text = file.and_then(|f| f.text.get(span.start as usize..span.end as usize));
        text.unwrap_or_default().to_string()
    }
}

/// A form with arguments in their places, in parentheses where they are not in one piece; nothing if there are not as many.
fn filled(form: &str, values: &[&Expr], source: impl Fn(&Expr) -> String) -> Option<String> {
    let mut out = form.to_string();
    for (k, value) in values.iter().enumerate() {
        let place = format!("{{{k}}}");
        if !out.contains(&place) {
            // What else is given says how, not of what.
            return (k > 0).then_some(out);
        }
        let text = source(value);
        let whole = matches!(
            value.kind,
            ExprKind::Name(_)
                | ExprKind::Number(..)
                | ExprKind::Call { .. }
                | ExprKind::Index { .. }
                | ExprKind::Paren(_)
        );
        out = out.replace(&place, &if whole { text } else { format!("({text})") });
    }
    (!out.contains('{')).then_some(out)
}

/// The first cell, layer or function in view whose documentation has some words.
fn documented(library: &Library, from: FileId, words: &str) -> Option<Name> {
    let items = library.names(from).filter_map(|name| library.lookup(from, name));
    let mut found = items.map(|id| library.item(id));
    let item = found.find(|item| item.docs.iter().any(|line| line.to_lowercase().contains(words)))?;
    item_name(item).map(|name| name.written.clone())
}

/// Whether an expression is a call of one of the functions that fill an array, and with which number.
pub(super) fn filled_with(e: &Expr) -> Option<&'static str> {
    let ExprKind::Call { callee, .. } = &e.kind else { return None };
    let ExprKind::Name(p) = &callee.kind else { return None };
    match &*plain(p) {
        "zeros" | "zeros_like" => Some("0"),
        "ones" | "ones_like" => Some("1"),
        _ => None,
    }
}
