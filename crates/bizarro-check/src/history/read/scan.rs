//! Bytes with their place: what all readers stand on. It knows no format.

use std::io::Read;

use super::{Limits, Problem, ReadError};

/// Reads bytes one by one and knows where it is.
#[derive(Debug)]
pub struct Scanner<R> {
    input: R,
    limits: Limits,
    buffer: Vec<u8>,
    /// Where the next byte is in `buffer`, and where the read bytes end.
    at: usize,
    end: usize,
    line: u64,
    column: u64,
    /// Bytes since `begin_event`.
    event_bytes: usize,
}

/// A place in the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    line: u64,
    column: u64,
}

impl Place {
    /// Both from 1, and no more than what 32 bits can say.
    pub(super) fn line_and_column(self) -> (u32, u32) {
        let bounded = |number| u32::try_from(number).unwrap_or(u32::MAX);
        (bounded(self.line), bounded(self.column))
    }

    /// Something else was expected here.
    pub(super) fn expected(
        self,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> ReadError {
        let problem = Problem::Expected { expected: expected.into(), found: found.into() };
        ReadError { line: self.line, column: self.column, problem }
    }

    pub(super) fn too_large(self, what: &'static str, limit: usize) -> ReadError {
        ReadError { line: self.line, column: self.column, problem: Problem::TooLarge(what, limit) }
    }
}

impl<R: Read> Scanner<R> {
    pub(super) fn new(input: R, limits: Limits) -> Scanner<R> {
        let buffer = vec![0; 64 << 10];
        Scanner { input, limits, buffer, at: 0, end: 0, line: 1, column: 1, event_bytes: 0 }
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(super) fn place(&self) -> Place {
        Place { line: self.line, column: self.column }
    }

    /// A new event begins: its bytes are counted against the limit.
    pub(super) fn begin_event(&mut self) {
        self.event_bytes = 0;
    }

    /// The next byte, which stays next.
    pub(super) fn peek(&mut self) -> Result<Option<u8>, ReadError> {
        if self.at == self.end && !self.fill()? {
            return Ok(None);
        }
        Ok(Some(self.buffer[self.at]))
    }

    /// The next byte.
    pub(super) fn next(&mut self) -> Result<Option<u8>, ReadError> {
        let Some(byte) = self.peek()? else { return Ok(None) };
        self.at += 1;
        self.event_bytes += 1;
        if self.event_bytes > self.limits.event_bytes_max {
            return Err(self.place().too_large("an event", self.limits.event_bytes_max));
        }
        match byte {
            b'\n' => (self.line, self.column) = (self.line + 1, 1),
            // The later bytes of a character in UTF-8 are no columns of their own.
            0x80..=0xbf => {}
            _ => self.column += 1,
        }
        Ok(Some(byte))
    }

    /// Takes bytes as long as they fit.
    pub(super) fn take_while(
        &mut self,
        fits: impl Fn(u8) -> bool,
        to: &mut Vec<u8>,
    ) -> Result<(), ReadError> {
        while let Some(byte) = self.peek()? {
            if !fits(byte) {
                break;
            }
            to.push(byte);
            self.next()?;
        }
        Ok(())
    }

    /// Takes exactly this byte.
    pub(super) fn expect(&mut self, byte: u8, what: &str) -> Result<(), ReadError> {
        let place = self.place();
        if self.peek()? != Some(byte) {
            return Err(place.expected(what, self.found()?));
        }
        self.next()?;
        Ok(())
    }

    /// Four hexadecimal digits, after a `\u` at `place`.
    pub(super) fn hex4(&mut self, place: Place) -> Result<u32, ReadError> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.peek()?.and_then(|byte| (byte as char).to_digit(16));
            let Some(digit) = digit else {
                return Err(place.expected("four hexadecimal digits after `\\u`", self.found()?));
            };
            code = code * 16 + digit;
            self.next()?;
        }
        Ok(code)
    }

    /// What stands here, in words.
    pub(super) fn found(&mut self) -> Result<String, ReadError> {
        Ok(match self.peek()? {
            None => "the end of the file".to_string(),
            Some(b'\n') => "the end of the line".to_string(),
            Some(byte @ 0x21..=0x7e) => format!("`{}`", byte as char),
            Some(byte) => format!("byte 0x{byte:02x}"),
        })
    }

    /// A text out of bytes that were read from `place` on.
    pub(super) fn utf8(place: Place, bytes: Vec<u8>) -> Result<String, ReadError> {
        String::from_utf8(bytes).map_err(|_| place.expected("text in UTF-8", "other bytes"))
    }

    fn fill(&mut self) -> Result<bool, ReadError> {
        loop {
            match self.input.read(&mut self.buffer) {
                Ok(length) => {
                    (self.at, self.end) = (0, length);
                    return Ok(length > 0);
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let (line, column) = (self.line, self.column);
                    return Err(ReadError { line, column, problem: Problem::Io(error) });
                }
            }
        }
    }
}
