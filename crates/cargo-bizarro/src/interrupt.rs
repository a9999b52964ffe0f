//! Ctrl-C: the first asks the supervisor to stop and say what it knows, the second ends everything.

use std::io;
use std::process::ChildStdin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use bizarro_report::Exit;

/// The pipe whose end tells the supervisor to stop; none while no supervisor runs.
static PIPE: Mutex<Option<ChildStdin>> = Mutex::new(None);
/// Whether the user has asked.
static ASKED: AtomicBool = AtomicBool::new(false);

/// From now on Ctrl-C stops the search.
pub(crate) fn watch() -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(|| match stop() {
        Stop::Asked => eprintln!("stopping; once more to leave at once"),
        // The supervisor's worlds end with it, and it ends with the pipe.
        Stop::NothingToAsk => std::process::exit(Exit::Inconclusive.code().into()),
    })
}

/// Keeps the pipe of a supervisor that has been started.
pub(crate) fn arm(pipe: Option<ChildStdin>) {
    *PIPE.lock().unwrap_or_else(PoisonError::into_inner) = pipe;
}

/// There is no supervisor any more.
pub(crate) fn disarm() {
    arm(None);
}

/// Whether the user wants to stop.
pub(crate) fn was_asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}

/// Whether there was anybody to ask.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stop {
    Asked,
    NothingToAsk,
}

fn stop() -> Stop {
    ASKED.store(true, Ordering::Relaxed);
    match PIPE.lock().unwrap_or_else(PoisonError::into_inner).take() {
        Some(pipe) => {
            drop(pipe);
            Stop::Asked
        }
        None => Stop::NothingToAsk,
    }
}

/// An error of Ctrl-C's handler as one of input and output, which is what it is.
pub(crate) fn as_io(error: ctrlc::Error) -> io::Error {
    io::Error::other(error)
}
