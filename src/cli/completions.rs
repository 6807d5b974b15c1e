//! `rnnc completions`: what a shell needs to complete commands and options.

use super::session::{Failure, Session, say};
use clap_complete::{Shell, generate};

/// Print completions for a shell
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  rnnc completions bash > rnnc.bash\n  rnnc completions zsh > _rnnc\n  rnnc completions fish > rnnc.fish\n  rnnc completions powershell > rnnc.ps1\n\nWhere they belong:\n  bash        ~/.local/share/bash-completion/completions/rnnc\n  zsh         _rnnc in a folder of $fpath\n  fish        ~/.config/fish/completions/rnnc.fish\n  powershell  a line of $PROFILE: rnnc completions powershell | Out-String | Invoke-Expression\n  elvish      a line of ~/.config/elvish/rc.elv: eval (rnnc completions elvish | slurp)"
)]
pub struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub fn run(self, _session: &mut Session) -> Result<(), Failure> {
        let mut command = super::command();
        let mut text = Vec::new();
        generate(self.shell, &mut command, "rnnc", &mut text);
        say(&String::from_utf8_lossy(&text))
    }
}
