//! A program with all that its checks depend on, as text: `# soak: seed = 7, training, check = kernels` and then a file that
//! `rnnc test` runs too.

use rnnc::syntax::ast::{self, CheckKind, ExprKind, ItemKind};

#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// With one `check grad` item, which says what is built, for how many steps and examples.
    pub text: String,
    /// Of values, lengths and trees.
    pub seed: u64,
    /// Noise is drawn.
    pub training: bool,
    /// Every state has an initial value from outside.
    pub carry: bool,
    /// Not the program itself is checked, but its adjoint: its gradient is the second one of the program.
    pub twice: bool,
    /// The check that has failed.
    pub check: Option<String>,
}

const MARK: &str = "# soak:";

impl Case {
    /// From a file that [`Case::print`] wrote.
    pub fn parse(file: &str) -> Result<Case, String> {
        let line = file.lines().find_map(|l| l.strip_prefix(MARK)).ok_or("no `# soak:` line")?;
        let text: String = file
            .lines()
            .filter(|l| !l.starts_with('#') || l.starts_with("##"))
            .map(|l| format!("{l}\n"))
            .collect();
        let mut case = Case { text, seed: 0, training: false, carry: false, twice: false, check: None };
        for part in line.split(',').map(str::trim) {
            match part.split_once('=').map_or((part, ""), |(k, v)| (k.trim(), v.trim())) {
                ("seed", n) => case.seed = n.parse().map_err(|e| format!("{part}: {e}"))?,
                ("check", name) => case.check = Some(name.into()),
                ("training", _) => case.training = true,
                ("carry", _) => case.carry = true,
                ("twice", _) => case.twice = true,
                _ => return Err(format!("unknown: {part}")),
            }
        }
        Ok(case)
    }

    /// With a comment above it.
    pub fn print(&self, comment: &str) -> String {
        let mut out = String::new();
        for line in comment.lines() {
            out += &format!("# {line}\n");
        }
        out += &format!("{MARK} seed = {}", self.seed);
        if self.training {
            out += ", training";
        }
        if self.carry {
            out += ", carry";
        }
        if self.twice {
            out += ", twice";
        }
        if let Some(check) = &self.check {
            out += &format!(", check = {check}");
        }
        format!("{out}\n{}", self.text)
    }
}

/// What the `check grad` item of a file says.
pub struct Asked<'f> {
    pub recipe: &'f ast::Expr,
    pub steps: usize,
    pub batch: usize,
}

pub fn asked(file: &ast::File) -> Option<Asked<'_>> {
    let check = file.items.iter().find_map(|item| match &item.kind {
        ItemKind::Check(check) if check.kind == CheckKind::Grad => Some(check),
        _ => None,
    })?;
    let setting = |name: &str| {
        check.settings.iter().find(|s| &*s.name.name == name).and_then(|s| match s.value.kind {
            ExprKind::Number(n, _) => Some(n as usize),
            _ => None,
        })
    };
    Some(Asked {
        recipe: &check.recipe,
        steps: setting("steps").unwrap_or(3),
        batch: setting("batch").unwrap_or(2),
    })
}
