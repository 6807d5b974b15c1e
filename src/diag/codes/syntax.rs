//! E01: what is found in the text alone.

use super::Entry;

const fn entry(code: &'static str, title: &'static str, text: &'static str) -> Entry {
    Entry { code, title, text }
}

pub const ENTRIES: &[Entry] = &[
    entry(
        "E0101",
        "unexpected text",
        "The text does not fit the grammar here; the label says what could have stood in its place.\nOnly this item is left out: all others are still read and checked.",
    ),
    entry(
        "E0102",
        "no item",
        "What stands in column one begins an item: `use`, `cell`, `layer`, `model`, `fn`, `layout`, `test` or `check`.\nAll that belongs to an item is indented, except `}`, `)` and comments.",
    ),
    entry(
        "E0103",
        "unknown character",
        "The character is no part of the language outside of strings and comments.\n\n    h = o × c        wrong\n    h = o ⊙ c        right: elementwise, also `o * c`\n    y = W @ x        the matrix product\n\nSubscript digits are no part of a name: write `x1` or `x_1`.",
    ),
    entry(
        "E0104",
        "bracket never closed",
        "Every `(`, `[` and `{` wants its closing partner before the item ends.",
    ),
    entry("E0105", "bracket never opened", "A closing bracket stands where none is open."),
    entry(
        "E0106",
        "bad string",
        "A string stands between plain double quotes on one line. Inside, `\\\"`, `\\\\`, `\\n` and `\\t` are known.",
    ),
    entry(
        "E0107",
        "text in column one",
        "Items are cut apart at column one before they are read, so the statements of a body are indented.\n\n    cell A(I) {\n    in x : [I]       wrong\n      in x : [I]     right\n    }",
    ),
    entry(
        "E0108",
        "misplaced documentation",
        "A `##` line documents the item or statement that follows it and stands on a line of its own. A comment begins with one `#`.",
    ),
    entry(
        "E0109",
        "no operator between two operands",
        "Products are always written.\n\n    h = W x          wrong\n    h = W @ x        matrix product\n    h = W ⊙ x        elementwise",
    ),
    entry(
        "E0110",
        "two statements on one line",
        "A line break is only a space, but two statements on one line want `;` between them.\n\n    batch = 32; epochs = 10",
    ),
    entry(
        "E0111",
        "word as a name",
        "Words that begin a statement (`state`, `out`, `loss`, …) cannot be names of equations, states or parameters. `if then else and or not in mod div true false` cannot be names at all.",
    ),
    entry("E0112", "`=` in a condition", "`=` defines, `==` compares: `if reset == before then a else b`."),
    entry("E0113", "comparisons do not chain", "Write `a < b and b < c` in place of `a < b < c`."),
    entry("E0114", "missing `=`", "An equation is a name, `=`, and an expression: `h = tanh(x)`."),
    entry(
        "E0115",
        "brace groups of different lengths",
        "An equation with braces on its left stands for one equation per word; all its groups run in step.\n\n    {i f} = σ(W_{i f o} @ x)      wrong: 2 and 3 words\n    {i f} = σ(W_{i f} @ x)        right",
    ),
    entry(
        "E0116",
        "braces on the right only",
        "A name with a brace group is several names. On the right of `=` it wants as many on the left, or a list of arguments that takes them all.\n\n    y = W_{i f} @ x               wrong\n    y_{i f} = W_{i f} @ x         right\n    r = rows(W_{i f})             right",
    ),
    entry(
        "E0117",
        "a reduction ends early",
        "The body of `∑ d ∈ D:` is one product and ends before `+`, `−` and `++`.\n\n    ∑ d ∈ D: a[d] + b[d]          is (∑ d ∈ D: a[d]) + b[d]\n    ∑ d ∈ D: (a[d] + b[d])        sums both",
    ),
    entry("E0118", "brace group of one word", "A brace group in a name lists two or more words: `W_{i f}`."),
    entry("E0119", "number too great", "Numbers are double precision: at most 1.8e308. Infinity is `inf`."),
    entry(
        "E0120",
        "misplaced statement",
        "Not every statement belongs in every item: a `loss` stands in a model, a `set` in a test, a `state` in a cell.",
    ),
    entry(
        "E0121",
        "incomplete declaration",
        "A declaration gives a shape, and before an initial value `=` or `~`.\n\n    state h : [H] = 0\n    param W : [H, I] ~ uniform(1/sqrt(H))",
    ),
    entry(
        "E0122",
        "an operator without its operand",
        "An operator at the end of a line takes what the next line begins with. Where that is another statement, the operand is missing.",
    ),
    entry(
        "E0123",
        "a sign out of place",
        "`−` binds looser than `@`, and `not` looser than a comparison, so behind these they want parentheses. So does \
         an `if` behind any operator.\n\n    W @ −x           wrong\n    W @ (−x)         right",
    ),
    entry(
        "E0124",
        "notation of other languages",
        "What Python, C or TeX write so is written otherwise here.\n\n    h_{t-1}, h(t-1)       h[t-1]\n    x**2                  x^2\n    h += x                h = h[t-1] + x\n    return h              out h\n    a if c else b         if c then a else b\n    && || !               and or not\n    // comment            # comment\n    1e-3f                 1e-3",
    ),
];
