//! System-call conformance tests.
//!
//! Each test is an ordinary Linux program that writes a [`Transcript`] of what
//! the system answered. The same body runs on real Linux (this package's own
//! binary and `tests/native.rs`) and on the simulated one; the transcripts
//! must agree, or the test says in `divergence` why they may not.
//!
//! This package knows nothing of the simulator: a body uses std and libc only.

/// Lists a file's tests under one family, each named as its body.
macro_rules! tests {
    ($family:ident: $($body:ident $(diverges $reason:literal)?),+ $(,)?) => {
        pub(crate) const TESTS: &[crate::Test] = &[$(crate::Test {
            name: stringify!($body),
            family: crate::Family::$family,
            body: $body,
            divergence: crate::reason(&[$($reason)?]),
        }),+];
    };
}

mod adjtimex;
mod c;
mod dir;
mod epoll;
mod errno;
mod eventfd_timerfd;
mod fd;
mod file;
mod file_stat;
mod futex;
mod lock;
mod mmap;
mod pipe;
mod poll_select;
mod proc_dev;
mod process;
mod pthread;
mod resolver;
mod scratch;
mod signal;
mod signal_interrupt;
mod signal_wait;
mod socket_corners;
mod sockopt;
mod std_fs;
mod std_net;
mod tcp_bind;
mod tcp_connect;
mod tcp_end;
mod tcp_stream;
mod thread;
mod time;
mod transcript;
mod udp;
mod unix;
mod unix_names;

use std::panic::{AssertUnwindSafe, catch_unwind};

pub use transcript::{Echo, Returned, Transcript};

/// One conformance test.
pub struct Test {
    /// Unique among all tests; the name of the body.
    pub name: &'static str,
    /// Which part of Linux it is about.
    pub family: Family,
    /// The program. It runs once in a process of its own.
    pub body: fn(&mut Transcript),
    /// Why the simulated transcript is right to differ, if it does.
    pub divergence: Option<&'static str>,
}

/// The part of Linux a test is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is named as the part of Linux it stands for")]
pub enum Family {
    Futex,
    Time,
    Thread,
    Fd,
    Pipe,
    EventFd,
    TimerFd,
    Epoll,
    Poll,
    Tcp,
    Udp,
    Unix,
    SockOpt,
    /// What sockets of several families have in common.
    Socket,
    File,
    Dir,
    Lock,
    Mmap,
    Signal,
    Process,
    ProcDev,
    Resolver,
    Std,
}

/// The tests by file, in the order they are listed and run.
const FILES: &[&[Test]] = &[
    futex::TESTS,
    time::TESTS,
    adjtimex::TESTS,
    thread::TESTS,
    fd::TESTS,
    pipe::TESTS,
    eventfd_timerfd::TESTS,
    epoll::TESTS,
    poll_select::TESTS,
    tcp_bind::TESTS,
    tcp_connect::TESTS,
    tcp_stream::TESTS,
    tcp_end::TESTS,
    udp::TESTS,
    unix::TESTS,
    unix_names::TESTS,
    sockopt::TESTS,
    socket_corners::TESTS,
    file::TESTS,
    file_stat::TESTS,
    dir::TESTS,
    lock::TESTS,
    mmap::TESTS,
    signal::TESTS,
    signal_interrupt::TESTS,
    signal_wait::TESTS,
    process::TESTS,
    proc_dev::TESTS,
    resolver::TESTS,
    std_net::TESTS,
    std_fs::TESTS,
    pthread::TESTS,
];

/// Every test, in a fixed order.
pub fn all() -> impl Iterator<Item = &'static Test> {
    FILES.iter().copied().flatten()
}

/// The test called `name`.
pub fn find(name: &str) -> Option<&'static Test> {
    all().find(|test| test.name == name)
}

/// Runs `test` in this process and returns its transcript; see [`run`].
pub fn transcript_of(test: &Test) -> String {
    run(test, Echo::Off)
}

/// Runs `test` in this process and returns its transcript. A panic in the body
/// becomes the last line, `panicked: …`.
///
/// A body may leave traces in the process (signal handlers, limits, the
/// working directory), so run one body in a process.
pub fn run(test: &Test, echo: Echo) -> String {
    let mut transcript = Transcript::new(echo);
    let outcome = catch_unwind(AssertUnwindSafe(|| (test.body)(&mut transcript)));
    if let Err(panic) = outcome {
        let message = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("(a value that is not text)");
        transcript.line(format_args!("panicked: {message}"));
    }
    transcript.as_str().to_owned()
}

const fn reason(given: &[&'static str]) -> Option<&'static str> {
    match given {
        [] => None,
        [reason, ..] => Some(reason),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    #[test]
    fn names_are_unique() {
        let mut seen = HashSet::new();
        for test in super::all() {
            assert!(seen.insert(test.name), "two tests are called {}", test.name);
        }
    }

    #[test]
    fn a_panic_becomes_the_last_line() {
        let test = super::Test {
            name: "panics",
            family: super::Family::Std,
            body: |t| {
                t.line("before");
                panic!("on purpose");
            },
            divergence: None,
        };
        assert_eq!(super::transcript_of(&test), "before\npanicked: on purpose\n");
    }
}
