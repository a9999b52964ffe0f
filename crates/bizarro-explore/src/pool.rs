//! Several runs at a time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use crate::runner::{Runner, RunnerError, Runners};

/// Whether all jobs were done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Coverage {
    Complete,
    Interrupted,
}

/// Does the jobs `0..jobs`, one at a time on each runner, and hands each result to `each` on the
/// calling thread, in the order in which they end.
///
/// An error stops the jobs that have not begun; an interruption is not an error but an early end.
pub(crate) fn run_all<T: Send>(
    runners: Runners<'_>,
    jobs: usize,
    job: impl Fn(&mut dyn Runner, usize) -> Result<T, RunnerError> + Sync,
    each: impl FnMut(usize, T),
) -> Result<Coverage, RunnerError> {
    run_groups(
        runners,
        jobs,
        |runner, index, done| {
            done(index, job(runner, index)?);
            Ok(())
        },
        each,
    )
}

/// As [`run_all`], for jobs that have several results or none: each is handed over as soon as it is there, with a number
/// that the job gives it.
pub(crate) fn run_groups<T: Send>(
    runners: Runners<'_>,
    jobs: usize,
    job: impl Fn(&mut dyn Runner, usize, &mut dyn FnMut(usize, T)) -> Result<(), RunnerError> + Sync,
    mut each: impl FnMut(usize, T),
) -> Result<Coverage, RunnerError> {
    assert!(!runners.is_empty(), "an exploration needs a runner");
    let next = AtomicUsize::new(0);
    let (sender, results) = mpsc::channel();
    let mut stopped = None;
    thread::scope(|scope| {
        for runner in runners.iter_mut() {
            let (sender, next, job) = (sender.clone(), &next, &job);
            scope.spawn(move || {
                // Nobody listens only where the calling thread panics.
                let tell = |result| drop(sender.send(result));
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= jobs {
                        return;
                    }
                    let done =
                        job(&mut **runner, index, &mut |number, result| tell(Ok((number, result))));
                    if let Err(error) = done {
                        tell(Err(error));
                    }
                }
            });
        }
        drop(sender);
        for result in results {
            match result {
                Ok((number, result)) => each(number, result),
                Err(error) => {
                    next.store(jobs, Ordering::Relaxed);
                    stopped = Some(worse(stopped.take(), error));
                }
            }
        }
    });
    match stopped {
        None => Ok(Coverage::Complete),
        Some(RunnerError::Interrupted) => Ok(Coverage::Interrupted),
        Some(error) => Err(error),
    }
}

/// Ctrl-C reaches every runner, and one of them may take it for a failure: the failure is told.
fn worse(known: Option<RunnerError>, new: RunnerError) -> RunnerError {
    match known {
        None | Some(RunnerError::Interrupted) => new,
        Some(known) => known,
    }
}
