//! The command line: one file per subcommand.

pub mod files;

use std::ffi::OsString;
use std::process::ExitCode;

/// Runs one command; the exit code is 0 only if it did all it was asked.
pub fn run(_args: impl IntoIterator<Item = OsString>) -> ExitCode {
    ExitCode::SUCCESS
}
