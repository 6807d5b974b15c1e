//! `rnnc explain`: the long form of a diagnostic code.

use super::errors;
use super::session::{Failure, Session, say};
use crate::diag::codes;

/// Say what the code of a message means, with examples
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  rnnc explain E0301\n  rnnc explain")]
pub struct Explain {
    /// The code, such as E0301; without it all codes are listed
    code: Option<String>,
}

impl Explain {
    pub fn run(self, _session: &mut Session) -> Result<(), Failure> {
        let Some(code) = self.code else {
            let lines: Vec<String> = codes::table().map(|e| format!("{}  {}\n", e.code, e.title)).collect();
            return say(&lines.concat());
        };
        let wanted = code.to_uppercase();
        match codes::table().find(|e| e.code == wanted) {
            Some(e) => say(&format!("{}: {}\n\n{}\n", e.code, e.title, e.text.trim_end())),
            None => {
                let mut all: Vec<&str> = codes::table().map(|e| e.code).collect();
                all.sort_unstable();
                let (first, last) = (all.first().unwrap_or(&""), all.last().unwrap_or(&""));
                Err(errors::unknown_code(&code, first, last).into())
            }
        }
    }
}
