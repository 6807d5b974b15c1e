//! `rnnc lsp`: the language server, over standard input and output.
//!
//! In: an editor's messages ([`transport`]). Out: answers ([`requests`]) and diagnostics ([`checker`]). What the answers say is
//! found in [`crate::lsp`]; here are only the protocol, the order of things, and files.
//!
//! Invariant: whatever arrives, the server goes on until it is told to end or nobody is there any more. A request is
//! answered once: by its result, an error, or that it was cancelled or overtaken by a change.

mod cache;
mod checker;
mod disk;
mod requests;
mod server;
mod transport;
mod uri;
mod wire;

use super::limits::CheckLimits;
use super::session::{Failure, Session};
use server::Server;
use std::io::BufReader;
use std::sync::mpsc;

/// Serve editors: mistakes as you type, hover, rename, completion
///
/// Speaks the language server protocol over standard input and output.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  rnnc lsp\n\nAn editor starts it; editors/README.md says how for VS Code, Neovim, Helix and Emacs."
)]
pub struct Lsp {
    /// Accepted, as editors pass it: standard input and output are all there is
    #[arg(long)]
    stdio: bool,
    #[command(flatten)]
    limits: CheckLimits,
}

/// What the server waits for.
pub enum Event {
    Arrived(transport::Arrival),
    Checked(checker::Checked),
}

impl Lsp {
    pub fn run(self, session: &mut Session) -> Result<(), Failure> {
        self.limits.hold(session);
        let (send, events) = mpsc::channel();
        let arrivals = send.clone();
        // It ends with its input; waiting for that would keep the process after `exit`.
        std::thread::spawn(move || {
            let mut input = BufReader::new(std::io::stdin());
            transport::read_all(&mut input, |arrival| arrivals.send(Event::Arrived(arrival)).is_ok());
        });
        let mut server = Server::new(session.limits, session.root.clone(), send);
        match server.serve(&events) {
            true => Ok(()),
            false => Err(Failure::Said),
        }
    }
}
