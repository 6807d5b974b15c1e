//! The `rnnc` tool: everything is in [`rnnc::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    rnnc::cli::run(std::env::args_os())
}
