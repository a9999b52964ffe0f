//! What a body writes down about what the system told it.

use std::fmt::Display;
use std::io;

use crate::errno;

/// The lines a body has written so far.
///
/// A transcript is compared as text between native and simulated Linux, so a
/// body writes only what Linux promises: sizes, errno names, event masks,
/// relations. Never a descriptor, pid, port, address or time.
#[derive(Default)]
pub struct Transcript {
    text: String,
    echo: Echo,
}

/// What a libc function may return: −1 stands for an error in `errno`.
pub trait Returned: Copy {
    /// The value, wide enough for all of them.
    fn wide(self) -> i64;
}

impl Returned for i32 {
    fn wide(self) -> i64 {
        self.into()
    }
}

impl Returned for i64 {
    fn wide(self) -> i64 {
        self
    }
}

impl Returned for isize {
    fn wide(self) -> i64 {
        self as i64
    }
}

/// Whether each line also goes to standard error at once, to see where a body
/// hangs.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub enum Echo {
    /// Lines are only collected.
    #[default]
    Off,
    /// Lines are collected and written to standard error as they come.
    On,
}

impl Transcript {
    /// An empty transcript.
    pub fn new(echo: Echo) -> Self {
        Self { text: String::new(), echo }
    }

    /// Appends one line of free text.
    pub fn line(&mut self, text: impl Display) {
        let line = format!("{text}\n");
        if self.echo == Echo::On {
            eprint!("{line}");
        }
        self.text.push_str(&line);
    }

    /// Appends `what = value`, or `what = -1 ERRNO`, and gives the value back.
    ///
    /// `result` is what a libc function returned: `errno` is read before
    /// anything else happens.
    pub fn call<R: Returned>(&mut self, what: impl Display, result: R) -> R {
        let shown = show(result.wide(), errno::last());
        self.line(format_args!("{what} = {shown}"));
        result
    }

    /// As [`Transcript::call`] for a result whose value varies (a descriptor,
    /// a pid): success is written as `ok`.
    pub fn ok<R: Returned>(&mut self, what: impl Display, result: R) -> R {
        let errno = errno::last();
        match result.wide() {
            -1 => self.line(format_args!("{what} = -1 {}", errno::name(errno))),
            _ => self.line(format_args!("{what} = ok")),
        }
        result
    }

    /// Appends the error number that a pthread function returned, by name.
    pub fn code(&mut self, what: impl Display, code: i32) -> i32 {
        match code {
            0 => self.line(format_args!("{what} = 0")),
            _ => self.line(format_args!("{what} = {}", errno::name(code))),
        }
        code
    }

    /// Appends how an operation of std ended: `ok`, or the errno's name, or
    /// the kind of an error that no system call made.
    pub fn io<T>(&mut self, what: impl Display, result: io::Result<T>) -> Option<T> {
        match result {
            Ok(value) => {
                self.line(format_args!("{what}: ok"));
                Some(value)
            }
            Err(error) => {
                let shown = match error.raw_os_error() {
                    Some(code) => errno::name(code),
                    None => format!("{:?}", error.kind()),
                };
                self.line(format_args!("{what}: error {shown}"));
                None
            }
        }
    }

    /// Appends whether a relation holds.
    pub fn holds(&mut self, what: impl Display, holds: bool) {
        self.line(format_args!("{what}: {}", if holds { "yes" } else { "no" }));
    }

    /// Appends a value that Linux fixes, such as a size or a count.
    pub fn value(&mut self, what: impl Display, value: impl Display) {
        self.line(format_args!("{what}: {value}"));
    }

    /// Appends bytes as escaped text.
    pub fn bytes(&mut self, what: impl Display, bytes: &[u8]) {
        self.line(format_args!("{what}: \"{}\"", bytes.escape_ascii()));
    }

    /// Everything written so far.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

fn show(value: i64, errno: i32) -> String {
    match value {
        -1 => format!("-1 {}", errno::name(errno)),
        value => value.to_string(),
    }
}
