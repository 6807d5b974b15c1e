//! The words of the language, each with a line that explains it.
//!
//! Invariant: every function that [`crate::eqn::build`] knows is here (a test compares), so hover, completion and signatures
//! have it.

/// A function, distribution, source of data or key, as it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Builtin {
    pub name: &'static str,
    pub signature: &'static str,
    pub about: &'static str,
}

const fn entry(name: &'static str, signature: &'static str, about: &'static str) -> Builtin {
    Builtin { name, signature, about }
}

pub const FUNCTIONS: &[Builtin] = &[
    entry("σ", "σ(x)", "The sigmoid 1/(1 + exp(−x)), elementwise; also written `sigmoid`."),
    entry("tanh", "tanh(x)", "The hyperbolic tangent, elementwise."),
    entry("relu", "relu(x)", "x where it is above 0, else 0; elementwise. Its slope at 0 is 0."),
    entry("exp", "exp(x)", "The exponential function, elementwise."),
    entry("log", "log(x)", "The natural logarithm, elementwise."),
    entry("log_sigmoid", "log_sigmoid(x)", "log(σ(x)) without overflow, elementwise."),
    entry("softplus", "softplus(x)", "log(1 + exp(x)) without overflow, elementwise."),
    entry("sqrt", "sqrt(x)", "The square root, elementwise."),
    entry("abs", "abs(x)", "The absolute value, elementwise. Its slope at 0 is 0."),
    entry("sign", "sign(x)", "−1, 0 or 1; elementwise. It has no gradient."),
    entry("sin", "sin(x)", "The sine, elementwise."),
    entry("cos", "cos(x)", "The cosine, elementwise."),
    entry("floor", "floor(x)", "The greatest whole number not above x; elementwise. It has no gradient."),
    entry("erf", "erf(x)", "The error function, elementwise."),
    entry("identity", "identity(x)", "x itself; for a parameter `f : fn`."),
    entry("clamp", "clamp(x, lo, hi)", "x, but not below lo nor above hi; elementwise."),
    entry(
        "max",
        "max(a, b, …)",
        "The greater one, elementwise. As `max k in 1..n: e` the greatest over an index.",
    ),
    entry(
        "min",
        "min(a, b, …)",
        "The smaller one, elementwise. As `min k in 1..n: e` the least over an index.",
    ),
    entry("binom", "binom(n, k)", "The binomial coefficient of two known numbers."),
    entry(
        "softmax",
        "softmax(v)",
        "exp(v) over its sum, of a vector; of a number at each position, over the positions.",
    ),
    entry(
        "logsumexp",
        "logsumexp(v)",
        "log ∑ exp(v), of a vector; of a number at each position, over the positions.",
    ),
    entry("norm", "norm(x)", "The square root of the sum of squares of all elements."),
    entry("argmax", "argmax(v)", "`[K] → id(K)`: which element is greatest. It has no gradient."),
    entry(
        "split",
        "a, b = split(v)",
        "Cuts a vector into as many equal parts as there are names on the left.",
    ),
    entry("rows", "rows(a, b, …)", "Arrays one under the other, along the first axis."),
    entry("zeros", "zeros(n, …)", "An array of zeros of this shape."),
    entry("ones", "ones(n, …)", "An array of ones of this shape."),
    entry("outer", "outer(a, b)", "`[A], [B] → [A, B]`: all products of two vectors' elements."),
    entry("one_hot", "one_hot(w)", "`id(K) → [K]`: 1 at the symbol, else 0."),
    entry("stop_gradient", "stop_gradient(e)", "e, as a constant: no gradient goes through it."),
    entry("reverse", "reverse(x)", "A sequence read from its end; each example's own."),
    entry(
        "shift",
        "shift(x, k)",
        "A sequence k steps later, with zeros before it; it is carried like a state.",
    ),
    entry("first", "first(x)", "The first value of a sequence."),
    entry("last", "last(x)", "The last value of a sequence; of an empty one the boundary value."),
    entry("flip", "flip(x, s)", "A grid turned round along axis k where bit k of s is set."),
    entry("pad", "pad(x, a, b)", "A sequence with a zeros before it and b behind it, as true positions."),
    entry("append", "append(x, y)", "A sequence behind another, in time."),
    entry(
        "windows",
        "windows(x, width, stride)",
        "Pieces of a vector, or of a sequence with stride 1, as a sequence.",
    ),
    entry(
        "transpose",
        "transpose(g, d, e)",
        "A grid with two axes exchanged, by number; a matrix with its two.",
    ),
    entry("flatten", "flatten(g)", "A grid as one sequence, row by row."),
    entry("root", "root(x)", "The value at the root of a tree."),
    entry("repeat", "repeat(v, n)", "One value at each of n positions."),
    entry("size", "size(D)", "How many axes a set has, or how many children a node."),
];

pub const CONSTANTS: &[Builtin] = &[
    entry("π", "π", "3.14159…; also written `pi`."),
    entry("inf", "inf", "Infinity."),
    entry("training", "training : bool", "Whether the program is built for training; then noise is drawn."),
    entry("axes", "axes", "The set of all axes of the cell's domain."),
];

/// Trees in tests.
pub const TREES: &[Builtin] = &[
    entry("leaf", "leaf(x)", "A tree of one node with this value."),
    entry(
        "node",
        "node(a, b, …, x = v)",
        "A node over children, in the order of the edges; x is its own value.",
    ),
];

/// Keys of a `data` block.
pub const DATA_KEYS: &[Builtin] = &[
    entry("split", "split = [0.8, 0.1, 0.1]", "The shares that train, validate and test."),
    entry("test", "test = path", "Another file for the test part."),
];

pub const DISTRIBUTIONS: &[Builtin] = &[
    entry("uniform", "uniform(a) | uniform(a, b)", "Between −a and a, or a and b."),
    entry("normal", "normal(s)", "With mean 0 and standard deviation s."),
    entry("bernoulli", "bernoulli(p)", "1 with probability p, else 0."),
    entry("xavier", "xavier", "Uniform, by fan in and fan out (Glorot, Bengio 2010)."),
    entry("orthogonal", "orthogonal", "A random orthogonal matrix."),
    entry("identity", "identity", "The identity matrix."),
    entry("chrono", "chrono(T)", "log of a number between 1 and T − 1 (Tallec, Ollivier 2018)."),
];

pub const SOURCES: &[Builtin] = &[
    entry("chars", "chars(path)", "One long sequence of characters."),
    entry("words", "words(path)", "One long sequence of words."),
    entry("lines", "lines(path)", "A sequence a line, ended by id 0."),
    entry(
        "pairs",
        "pairs(path, left = \"chars\", right = \"words\")",
        "Two sequences a line, each ended by id 0.",
    ),
    entry(
        "csv",
        "csv(path, shape = [8, 8], scale = 1/16)",
        "A line of numbers an example, then its class or number.",
    ),
    entry("ts", "ts(path)", "Series of the UEA archive and their classes."),
    entry("npz", "npz(path)", "Arrays by the names on the left."),
    entry("trees", "trees(path)", "A label, a tab and a tree a line."),
    entry(
        "task",
        "task(name, …)",
        "Generated examples of a task: \"adding\", \"copy\", \"permutations\", \"parity\", …",
    ),
];

pub const TRAIN_KEYS: &[Builtin] = &[
    entry("optimizer", "optimizer = CELL(…)", "A cell over training steps."),
    entry("batch", "batch = n", "Examples a step."),
    entry("window", "window = n", "Steps after which a gradient is cut; states go on."),
    entry("every", "every = n", "New positions of each window; windows overlap."),
    entry("epochs", "epochs = n", "How often all examples are seen."),
    entry("clip", "clip = c", "The greatest norm of a gradient."),
    entry("patience", "patience = n", "Epochs without a better validation loss that end the training."),
    entry("seed", "seed = n", "Of every random draw."),
    entry("threads", "threads = n", "Cores that share a step; they change no bit."),
];

/// The function a name means, in its canonical spelling.
pub fn function(name: &str) -> Option<&'static Builtin> {
    let name = crate::eqn::build::function_name(name)?;
    FUNCTIONS.iter().find(|f| f.name == name)
}

pub fn constant(name: &str) -> Option<&'static Builtin> {
    CONSTANTS.iter().find(|c| c.name == name)
}

pub fn distribution(name: &str) -> Option<&'static Builtin> {
    DISTRIBUTIONS.iter().find(|d| d.name == name)
}

pub fn tree(name: &str) -> Option<&'static Builtin> {
    TREES.iter().find(|t| t.name == name)
}

pub fn data_key(name: &str) -> Option<&'static Builtin> {
    DATA_KEYS.iter().find(|d| d.name == name)
}

/// Whatever the language has under a name.
pub fn any(name: &str) -> Option<&'static Builtin> {
    let more = TREES.iter().chain(DATA_KEYS).find(|b| b.name == name);
    function(name).or_else(|| constant(name)).or_else(|| distribution(name)).or(more)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_of_the_language_is_explained() {
        let known: Vec<&str> = FUNCTIONS.iter().map(|f| f.name).collect();
        let all: Vec<&str> = crate::eqn::build::function_names().collect();
        assert_eq!(known, all);
    }
}
