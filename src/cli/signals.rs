//! Ctrl-C and the request to end (SIGTERM), for work that has something to bring into safety first.
//!
//! The first signal is only noted; whoever works asks for it between two pieces of work. The second one ends the process
//! where it stands: files are replaced whole, so that too leaves none in pieces.

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// What a shell adds to the number of the signal that ended a process.
const BY_SIGNAL: i32 = 128;

pub struct Signals {
    /// The number of the first signal; 0 for none.
    seen: Arc<AtomicUsize>,
}

impl Signals {
    /// From now on signals are noted instead of ending the process at once.
    pub fn watch() -> io::Result<Signals> {
        let (again, seen) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        for signal in [SIGINT, SIGTERM] {
            // Actions run in the order of their registration: the first signal finds `again` unset.
            flag::register_conditional_shutdown(signal, BY_SIGNAL + signal, again.clone())?;
            flag::register(signal, again.clone())?;
            flag::register_usize(signal, seen.clone(), signal as usize)?;
        }
        Ok(Signals { seen })
    }

    /// The exit code to end with, once a signal has come.
    pub fn code(&self) -> Option<u8> {
        match self.seen.load(Ordering::Relaxed) {
            0 => None,
            signal => Some((BY_SIGNAL as usize + signal).min(255) as u8),
        }
    }
}
