//! `rnnc man`: manual pages, made of the same texts as `--help`.

use super::files;
use super::session::{Failure, Session, say};
use clap_mangen::Man;
use std::path::PathBuf;

/// Print the manual page, or write those of all commands
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  rnnc man\n  rnnc man share/man/man1")]
pub struct ManCommand {
    /// The folder for rnnc.1, rnnc-train.1 and all others; it is made if need be
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

impl ManCommand {
    pub fn run(self, _session: &mut Session) -> Result<(), Failure> {
        let mut command = super::command().disable_help_subcommand(true);
        command.build();
        let Some(folder) = self.folder else {
            return say(&String::from_utf8_lossy(&page(command)?));
        };
        files::make_folder(&folder)?;
        let subcommands: Vec<clap::Command> =
            command.get_subcommands().filter(|c| c.get_name() != "help").cloned().collect();
        let named = subcommands.into_iter().map(|c| {
            let name = format!("rnnc-{}", c.get_name());
            c.name(name.clone()).display_name(name).mut_args(|a| a.hide_short_help(false))
        });
        for command in std::iter::once(command.clone()).chain(named) {
            let path = folder.join(format!("{}.1", command.get_name()));
            files::replace(&path, &page(command)?, |f| f)?;
        }
        Ok(())
    }
}

fn page(command: clap::Command) -> Result<Vec<u8>, Failure> {
    let mut text = Vec::new();
    let command = command.version(env!("CARGO_PKG_VERSION"));
    Man::new(command).render(&mut text).map_err(Failure::Output)?;
    // What stands behind the options of a command is its examples.
    let text = String::from_utf8_lossy(&text)
        .replace(".SH EXTRA\nExamples:", ".SH EXAMPLES")
        .replace(".SH EXTRA", ".SH EXAMPLES");
    Ok(text.into_bytes())
}
