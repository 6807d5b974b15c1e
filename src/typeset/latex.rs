//! [`Math`] as LaTeX (amsmath).

use super::{Accent, Formula, Math, Symbol, letters};

/// An `aligned` environment, one equation a line. A remark before it names the letters that only newer engines know.
pub fn aligned(formulas: &[Formula]) -> String {
    let lines: Vec<String> = formulas
        .iter()
        .map(|f| {
            let right: Vec<String> = f.right.iter().map(latex).collect();
            format!("{} &= {}", latex(&f.left), right.join(" "))
        })
        .collect();
    let lines = lines.join(" \\\\\n");
    let foreign: Vec<String> =
        letters::foreign(&lines).iter().map(|c| format!("{c} (U+{:04X})", u32::from(*c))).collect();
    let remark = match foreign.is_empty() {
        true => String::new(),
        false => format!("% pdflatex has no {}: set this with xelatex or lualatex\n", foreign.join(", ")),
    };
    format!("{remark}\\begin{{aligned}}\n{lines}\n\\end{{aligned}}\n")
}

pub fn latex(math: &Math) -> String {
    let mut out = Out { text: String::new(), tight: false };
    out.math(math);
    out.text
}

struct Out {
    text: String,
    /// No spaces between pieces.
    tight: bool,
}

impl Out {
    fn math(&mut self, math: &Math) {
        match math {
            Math::Row(parts) => {
                for (i, part) in parts.iter().enumerate() {
                    if i > 0 && !self.tight && !is_close(&parts[i - 1], part) {
                        self.text.push(' ');
                    }
                    self.math(part);
                }
            }
            Math::Name(name) => self.put(&letters::name(name)),
            Math::Word(word) => self.word(word),
            Math::Number(digits) => self.put(digits),
            Math::Text(text) => self.put(&format!("\\text{{{}}}", letters::text(text))),
            Math::Symbol(symbol) => self.put(symbol.latex),
            Math::Fence(open, inner, close) => {
                let tall = is_tall(inner);
                self.put(if tall { "\\left" } else { "" });
                self.put(open.latex);
                self.math(inner);
                self.put(if tall { "\\right" } else { "" });
                self.put(close.latex);
            }
            Math::Scripts { base, below, above } => {
                match &**base {
                    Math::Row(_) | Math::Fraction(..) | Math::Scripts { .. } => self.group("", base),
                    _ => self.math(base),
                }
                if let Some(above) = above {
                    self.group("^", above);
                }
                if let Some(below) = below {
                    self.group("_", below);
                }
            }
            Math::Limits { base, under, over } => {
                match &**base {
                    Math::Word(word) if !KNOWN.contains(&word.as_str()) => {
                        self.put(&format!("\\operatorname*{{{}}}", letters::word(word)));
                    }
                    _ => self.math(base),
                }
                if let Some(under) = under {
                    self.group("_", under);
                }
                if let Some(over) = over {
                    self.group("^", over);
                }
            }
            Math::Accent(accent, inner) => {
                let command = match accent {
                    Accent::Bar => "\\bar",
                    Accent::Hat => "\\hat",
                    Accent::Tilde => "\\tilde",
                };
                self.group(command, inner);
            }
            Math::Fraction(a, b) => {
                self.loose(|out| {
                    out.group_as_is("\\frac", a);
                    out.group_as_is("", b);
                });
            }
            Math::Root(inner) => self.loose(|out| out.group_as_is("\\sqrt", inner)),
            Math::Cases(cases) => self.loose(|out| {
                out.put("\\begin{cases} ");
                for (i, (value, condition)) in cases.iter().enumerate() {
                    if i > 0 {
                        out.text.push_str(" \\\\ ");
                    }
                    out.math(value);
                    out.text.push_str(" & ");
                    match condition {
                        Some(condition) => {
                            out.text.push_str("\\text{if } ");
                            out.math(condition);
                        }
                        None => out.text.push_str("\\text{otherwise}"),
                    }
                }
                out.text.push_str(" \\end{cases}");
            }),
            Math::Reference { shown, .. } => self.math(shown),
        }
    }

    /// A command must not run into the letters behind it.
    fn put(&mut self, text: &str) {
        let command = self.text.rfind('\\').is_some_and(|at| {
            let name = &self.text[at + 1..];
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphabetic())
        });
        if command && text.starts_with(|c: char| c.is_ascii_alphabetic()) {
            self.text.push(' ');
        }
        self.text.push_str(text);
    }

    fn word(&mut self, word: &str) {
        match word {
            "pre" | "out" | "prev" | "next" | "true" | "false" => self.put(&format!("\\mathrm{{{word}}}")),
            word if KNOWN.contains(&word) => self.put(&format!("\\{word}")),
            word if word.starts_with("read") => self.put(&format!("\\mathrm{{{}}}", letters::word(word))),
            word => self.put(&format!("\\operatorname{{{}}}", letters::word(word))),
        }
    }

    /// Scripts are written without spaces.
    fn group(&mut self, before: &str, inner: &Math) {
        let tight = std::mem::replace(&mut self.tight, true);
        self.group_as_is(before, inner);
        self.tight = tight;
    }

    fn group_as_is(&mut self, before: &str, inner: &Math) {
        self.put(before);
        self.text.push('{');
        self.math(inner);
        self.text.push('}');
    }

    fn loose(&mut self, write: impl FnOnce(&mut Out)) {
        let tight = std::mem::replace(&mut self.tight, false);
        write(self);
        self.tight = tight;
    }
}

/// Functions that LaTeX has a command for.
const KNOWN: [&str; 10] = ["tanh", "exp", "log", "sin", "cos", "max", "min", "tan", "sinh", "cosh"];

/// Pieces between which LaTeX text has no space: an argument behind its function, what a comma follows.
fn is_close(left: &Math, right: &Math) -> bool {
    let is = |m: &Math, s: Symbol| *m == Math::Symbol(s);
    let is_head = match left {
        Math::Word(_) | Math::Name(_) | Math::Fence(..) => true,
        Math::Reference { shown, .. } => {
            matches!(**shown, Math::Word(_) | Math::Name(_) | Math::Scripts { .. })
        }
        _ => false,
    };
    is_head && matches!(right, Math::Fence(open, ..) if *open == Symbol::PAREN.0)
        || [Symbol::COMMA, Symbol::SEMICOLON, Symbol::DOT, Symbol::COLON].iter().any(|s| is(right, *s))
        || [Symbol::NEGATIVE, Symbol::DOT, Symbol::COLON].iter().any(|s| is(left, *s))
}

fn is_tall(math: &Math) -> bool {
    match math {
        Math::Row(parts) => parts.iter().any(is_tall),
        Math::Fraction(..) | Math::Cases(_) | Math::Limits { .. } => true,
        Math::Fence(_, inner, _) | Math::Root(inner) | Math::Accent(_, inner) => is_tall(inner),
        Math::Scripts { base, .. } => is_tall(base),
        Math::Reference { shown, .. } => is_tall(shown),
        Math::Name(_) | Math::Word(_) | Math::Number(_) | Math::Text(_) | Math::Symbol(_) => false,
    }
}
