//! The command line: one file per subcommand.
//!
//! In: arguments. Out: text, files and an exit code: 0 only if everything asked for was done, 1 for
//! mistakes in what was given, 2 for a command that cannot be understood, 3 for a mistake in rnnc itself, 128 and the
//! signal's number for one that a signal stopped.
//! Only this room touches clocks, terminals and the environment; files it reads and writes by [`files`].

mod arrays;
mod bench;
mod build;
mod check;
mod colour;
mod compile;
mod completions;
mod diff;
mod doc;
mod errors;
mod eval;
mod explain;
mod export;
mod flow;
mod fmt;
mod foreign;
mod generate;
mod grad;
mod help;
mod import;
mod limits;
mod look;
mod lsp;
mod man;
mod new;
mod open;
mod part;
mod plot;
mod programs;
mod progress;
mod report;
mod run;
mod rundir;
mod samples;
mod select;
mod session;
mod show;
mod signals;
mod test;
mod threads;
mod train;
mod trained;
mod watch;

use crate::files::{self, loader};
use clap::{CommandFactory, FromArgMatches, Parser};
use colour::Colour;
use session::{Failure, Session};
use std::ffi::OsString;
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

/// Recurrent cells as equations, differentiated and compiled to machine code.
#[derive(Parser)]
#[command(name = "rnnc", version, max_term_width = 110)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// When messages are coloured: auto means on terminals, and obeys NO_COLOR and CLICOLOR_FORCE
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t)]
    color: Colour,
}

#[derive(clap::Subcommand)]
enum Command {
    Check(check::Check),
    Fmt(fmt::Fmt),
    Explain(explain::Explain),
    Show(show::Show),
    Grad(grad::Grad),
    Doc(doc::Doc),
    Flow(flow::FlowCommand),
    Run(run::Run),
    Bench(bench::Bench),
    Build(build::Build),
    Test(test::Test),
    Train(train::Train),
    Eval(eval::Eval),
    Look(look::LookCommand),
    Generate(generate::Generate),
    Report(report::Report),
    Import(import::Import),
    Export(export::Export),
    Lsp(lsp::Lsp),
    New(new::New),
    Completions(completions::Completions),
    Man(man::ManCommand),
}

impl Command {
    fn run(self, session: &mut Session) -> Result<(), Failure> {
        match self {
            Command::Check(c) => c.run(session),
            Command::Fmt(c) => c.run(session),
            Command::Explain(c) => c.run(session),
            Command::Show(c) => c.run(session),
            Command::Grad(c) => c.run(session),
            Command::Doc(c) => c.run(session),
            Command::Flow(c) => c.run(session),
            Command::Run(c) => c.run(session),
            Command::Bench(c) => c.run(session),
            Command::Build(c) => c.run(session),
            Command::Test(c) => c.run(session),
            Command::Train(c) => c.run(session),
            Command::Eval(c) => c.run(session),
            Command::Look(c) => c.run(session),
            Command::Generate(c) => c.run(session),
            Command::Report(c) => c.run(session),
            Command::Import(c) => c.run(session),
            Command::Export(c) => c.run(session),
            Command::Lsp(c) => c.run(session),
            Command::New(c) => c.run(session),
            Command::Completions(c) => c.run(session),
            Command::Man(c) => c.run(session),
        }
    }
}

/// The whole command line, for those who read it: help, completions, manual pages.
pub fn command() -> clap::Command {
    help::grouped(Arguments::command())
}

const USER_ERROR: u8 = 1;
const INTERNAL_ERROR: u8 = 3;
/// What a shell reports for a program that a closed pipe ended.
const BROKEN_PIPE: u8 = 141;

/// Deeply nested input must not exhaust the stack, so commands run on a large one.
const STACK_BYTES: usize = 256 << 20;

/// Runs one command; the exit code is 0 only if it did all it was asked.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    let colour = Colour::asked(&args);
    let parsed =
        command().color(colour).try_get_matches_from(args).and_then(|m| Arguments::from_arg_matches(&m));
    let arguments = match parsed {
        Ok(arguments) => arguments,
        Err(e) => {
            // Help and version are no errors and say so themselves.
            let _ = e.print();
            return ExitCode::from(e.exit_code().clamp(0, 255) as u8);
        }
    };
    let worker = std::thread::Builder::new()
        .stack_size(STACK_BYTES)
        .spawn(move || guarded(arguments.command, arguments.color));
    match worker.map(std::thread::JoinHandle::join) {
        Ok(Ok(code)) => ExitCode::from(code),
        _ => internal("the worker could not be run"),
    }
}

/// Runs the command; a panic becomes an internal error with a request to report it.
fn guarded(command: Command, colour: Colour) -> u8 {
    let mut session = Session::new(colour);
    let place = Arc::new(Mutex::new(String::new()));
    let seen = place.clone();
    panic::set_hook(Box::new(move |info| {
        if let Ok(mut seen) = seen.lock() {
            *seen = info.to_string();
        }
    }));
    let result = panic::catch_unwind(AssertUnwindSafe(|| command.run(&mut session)));
    let _ = panic::take_hook();
    match result {
        Ok(Ok(())) => 0,
        Ok(Err(failure)) => fail(&session, failure),
        Err(_) => {
            let what = place.lock().map(|p| p.clone()).unwrap_or_default();
            internal(&what);
            INTERNAL_ERROR
        }
    }
}

fn fail(session: &Session, failure: Failure) -> u8 {
    match failure {
        Failure::Refused(diagnostics) => {
            session.report(&diagnostics);
            USER_ERROR
        }
        Failure::Said => USER_ERROR,
        Failure::Stopped(code) => code,
        Failure::Output(e) if e.kind() == std::io::ErrorKind::BrokenPipe => BROKEN_PIPE,
        Failure::Output(e) => {
            session.report(&[errors::output(&files::reason(&e))]);
            USER_ERROR
        }
        Failure::Internal(what) => {
            internal(&what);
            INTERNAL_ERROR
        }
    }
}

fn internal(what: &str) -> ExitCode {
    session::complain(&format!(
        "internal error: {what}\n\
         This is a mistake in rnnc {}, not in your file. Please report it with the command and the file that show it.\n",
        env!("CARGO_PKG_VERSION")
    ));
    ExitCode::from(INTERNAL_ERROR)
}
