//! Whether what is written is coloured: the flag `--color`, then the environment, then the terminal.

use std::ffi::OsStr;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Colour {
    #[default]
    Auto,
    Always,
    Never,
}

impl Colour {
    /// For a stream that is a terminal or not.
    pub fn on(self, terminal: bool) -> bool {
        let is_set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty());
        match self {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto if is_set("NO_COLOR").is_some() => false,
            Colour::Auto if is_set("CLICOLOR_FORCE").is_some_and(|v| v != "0") => true,
            Colour::Auto if is_set("CLICOLOR").is_some_and(|v| v == "0") => false,
            Colour::Auto => terminal && is_set("TERM").is_none_or(|t| t != "dumb"),
        }
    }

    /// What is asked for, before the arguments are understood: how that goes wrong is coloured too.
    pub fn asked(args: &[impl AsRef<OsStr>]) -> clap::ColorChoice {
        let mut words = args.iter().map(|a| a.as_ref().to_str().unwrap_or_default());
        let mut asked = "";
        while let Some(word) = words.next() {
            match word.strip_prefix("--color") {
                Some("") => asked = words.next().unwrap_or_default(),
                Some(rest) => asked = rest.strip_prefix('=').unwrap_or(asked),
                None => {}
            }
        }
        match asked {
            "always" => clap::ColorChoice::Always,
            "never" => clap::ColorChoice::Never,
            _ => clap::ColorChoice::Auto,
        }
    }
}
