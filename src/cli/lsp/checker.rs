//! All mistakes of a file, found beside the server's own work.
//!
//! In: views. Out: what is to be said of each. One is checked at a time; a mistake of the checker is said as one and
//! costs nothing else.

use super::Event;
use crate::diag::Diagnostic;
use crate::lsp::view::View;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

/// What is to be checked.
pub struct Job {
    pub path: String,
    pub view: Arc<View>,
}

/// What was found.
pub struct Checked {
    pub path: String,
    pub view: Arc<View>,
    /// `None` if looking went wrong.
    pub diagnostics: Option<Vec<Diagnostic>>,
}

/// Starts the checker; it ends with its sender.
pub fn start(events: Sender<Event>) -> Sender<Job> {
    let (send, jobs) = channel::<Job>();
    std::thread::spawn(move || {
        for Job { path, view } in jobs {
            let diagnostics = catch_unwind(AssertUnwindSafe(|| view.problems())).ok();
            if events.send(Event::Checked(Checked { path, view, diagnostics })).is_err() {
                return;
            }
        }
    });
    send
}
