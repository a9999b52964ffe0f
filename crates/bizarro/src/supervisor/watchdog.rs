//! Real time: how long the supervisor waits for a world process, and what it does while it waits.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde::de::DeserializeOwned;

use super::protocol::take_frame;

/// Longest sleep between two looks at the clock.
const NAP: Duration = Duration::from_secs(1);

/// What came of waiting for a frame.
#[derive(Debug)]
pub(crate) enum Waited<T> {
    /// It came.
    Frame(T),
    /// The other side has closed the pipe: its processes are gone.
    Closed,
    /// Time is up.
    TimedOut,
}

/// The reading end of a pipe of frames, and what was read of a frame that is not whole yet.
#[derive(Debug)]
pub(crate) struct FrameReader {
    pipe: File,
    read: Vec<u8>,
}

impl FrameReader {
    pub(crate) fn new(pipe: File) -> FrameReader {
        FrameReader { pipe, read: Vec::new() }
    }

    /// Waits for the next frame, at most for `limit` of real time.
    pub(crate) fn next<T: DeserializeOwned>(&mut self, limit: Duration) -> io::Result<Waited<T>> {
        let end = Instant::now() + limit;
        loop {
            if let Some(frame) = take_frame(&mut self.read)? {
                return Ok(Waited::Frame(frame));
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Waited::TimedOut);
            }
            if is_readable(&self.pipe, left.min(NAP))? && self.read_some()? == 0 {
                return Ok(Waited::Closed);
            }
        }
    }

    /// Waits until the last process on the other side has closed the pipe, at most for `limit` of real time. What it still
    /// says is thrown away.
    pub(crate) fn wait_closed(&mut self, limit: Duration) {
        let end = Instant::now() + limit;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let read = match is_readable(&self.pipe, left.min(NAP)) {
                _ if left.is_zero() => return,
                Ok(true) => self.read_some(),
                Ok(false) => continue,
                Err(error) => Err(error),
            };
            if !matches!(read, Ok(1..)) {
                return;
            }
        }
    }

    fn read_some(&mut self) -> io::Result<usize> {
        let mut chunk = [0; 4096];
        let count = self.pipe.read(&mut chunk)?;
        self.read.extend_from_slice(&chunk[..count]);
        Ok(count)
    }
}

/// Whether a read would not block, waiting for that at most for `limit`.
pub(crate) fn is_readable(pipe: &impl AsFd, limit: Duration) -> io::Result<bool> {
    let mut fds = [PollFd::new(pipe.as_fd(), PollFlags::POLLIN)];
    let milliseconds = limit.as_millis().max(1).min(u128::from(u16::MAX)) as u16;
    match poll(&mut fds, PollTimeout::from(milliseconds)) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::EINTR) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervisor::protocol::{Done, Memory, write_frame};
    use std::io::Write;

    fn pipe() -> (FrameReader, File) {
        let (read, write) = io::pipe().unwrap();
        (
            FrameReader::new(File::from(std::os::fd::OwnedFd::from(read))),
            File::from(std::os::fd::OwnedFd::from(write)),
        )
    }

    fn next(reader: &mut FrameReader, ms: u64) -> String {
        format!("{:?}", reader.next::<Done>(Duration::from_millis(ms)).unwrap())
    }

    #[test]
    fn a_frame_may_come_in_pieces() {
        let (mut reader, mut writer) = pipe();
        let mut bytes = Vec::new();
        write_frame(&mut bytes, &Done::Ended(1, Memory { record: 1, rest: 2 })).unwrap();
        writer.write_all(&bytes[..5]).unwrap();
        assert_eq!(next(&mut reader, 20), "TimedOut");
        writer.write_all(&bytes[5..]).unwrap();
        assert_eq!(next(&mut reader, 5000), "Frame(Ended(1, Memory { record: 1, rest: 2 }))");
    }

    #[test]
    fn a_closed_pipe_is_told_at_once() {
        let (mut reader, writer) = pipe();
        drop(writer);
        assert_eq!(next(&mut reader, 60_000), "Closed");
    }

    #[test]
    fn the_end_of_the_last_writer_is_waited_for() {
        let (mut reader, mut writer) = pipe();
        let last = std::thread::spawn(move || {
            writer.write_all(&[7; 100]).unwrap();
            std::thread::sleep(Duration::from_millis(30));
        });
        reader.wait_closed(Duration::from_secs(60));
        assert_eq!(reader.read_some().unwrap(), 0);
        last.join().unwrap();
        let (mut reader, _writer) = pipe();
        reader.wait_closed(Duration::from_millis(10));
    }
}
