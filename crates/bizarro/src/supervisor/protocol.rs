//! What supervisor and world process say to each other.
//!
//! Two pipes carry frames, see `bizarro_record::serve`. The world process says [`Hello`] once; then each [`Command`] is
//! answered by one [`Done`], from the process that makes the runs, or from the world process where that died; before it
//! by one for each branch, which is answered by [`GoOn`]. A run's record does not go through the pipes: the run's process writes it, as one frame, to a memory
//! file that both sides hold, so that a process that dies at any byte cannot confuse them.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;

pub(crate) use bizarro_record::{Command, Done, GoOn, Memory};
use bizarro_record::{RunRecord, WorldSpec};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Set for world processes: one that cannot find the shared object must not take itself for a
/// supervisor.
pub(crate) const WORLD_ENV: &str = "BIZARRO_WORLD";
/// Its value where hooks are off; anything else has them on.
pub(crate) const WORLD_WITHOUT_HOOKS: &str = "0";

/// Descriptors that a world process is started with, far from those that a program opens.
pub(crate) mod fd {
    /// Pipe of commands, for reading.
    pub(crate) const COMMANDS: i32 = 1000;
    /// Pipe of answers, for writing.
    pub(crate) const RESULTS: i32 = 1001;
    /// Memory file with the shared object.
    pub(crate) const SHARED_OBJECT: i32 = 1002;
    /// Memory file for a run's record.
    pub(crate) const RECORD: i32 = 1003;
    /// Memory file for a run's system calls, a line each.
    pub(crate) const TRACE: i32 = 1004;
    /// Memory file with what an unmodified program is to be run in.
    pub(crate) const EXEC: i32 = 1005;
}

/// A frame longer than this is a mistake, not a value.
const FRAME_MAX: u64 = 1 << 32;

/// First word of a world process.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum Hello {
    /// The world as the test described it, with its programs' addresses in this process.
    Described(Box<WorldSpec>),
    /// The description is wrong; in words for the user.
    Mistaken(String),
}

/// Writes a value as a frame.
pub(crate) fn write_frame(to: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    let body = postcard::to_allocvec(value).map_err(io::Error::other)?;
    let mut frame = (body.len() as u64).to_le_bytes().to_vec();
    frame.extend(body);
    to.write_all(&frame)
}

/// Takes a whole frame from the front of `bytes`, where there is one.
pub(crate) fn take_frame<T: DeserializeOwned>(bytes: &mut Vec<u8>) -> io::Result<Option<T>> {
    let Some(length) = bytes.first_chunk::<8>() else { return Ok(None) };
    let end = 8 + body_length(*length)?;
    let Some(body) = bytes.get(8..end) else { return Ok(None) };
    let value = postcard::from_bytes(body).map_err(io::Error::other)?;
    bytes.drain(..end);
    Ok(Some(value))
}

fn body_length(bytes: [u8; 8]) -> io::Result<usize> {
    let length = u64::from_le_bytes(bytes);
    if length > FRAME_MAX {
        return Err(io::Error::other(format!("a frame of {length} bytes")));
    }
    Ok(length as usize)
}

/// The record that a run's process left, or what is there instead.
pub(crate) fn read_record(file: &File) -> Result<RunRecord, String> {
    let length = file.metadata().map_err(|error| error.to_string())?.len();
    if length == 0 {
        return Err("it wrote no record".to_string());
    }
    let mut bytes = vec![0; length as usize];
    file.read_exact_at(&mut bytes, 0).map_err(|error| error.to_string())?;
    match take_frame(&mut bytes) {
        Ok(Some(record)) => Ok(record),
        Ok(None) => Err(format!("its record ends early, after {length} bytes")),
        Err(error) => Err(format!("its record cannot be read: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::fixtures::record;
    use bizarro_record::{Messages, Nanos, Trace};

    #[test]
    fn frames_come_out_as_they_went_in() {
        let command = Command {
            plan: "seed=7; random".parse().unwrap(),
            messages: Messages::Shown,
            trace: Trace::On,
            until: Some(Nanos(7)),
            branches: Vec::new(),
        };
        let mut bytes = Vec::new();
        write_frame(&mut bytes, &command).unwrap();
        write_frame(&mut bytes, &Done::Ended(139, Memory { record: 1, rest: 2 })).unwrap();

        assert_eq!(take_frame(&mut bytes).unwrap(), Some(command));
        assert_eq!(
            take_frame(&mut bytes).unwrap(),
            Some(Done::Ended(139, Memory { record: 1, rest: 2 }))
        );
        assert!(bytes.is_empty());
    }

    #[test]
    fn part_of_a_frame_is_no_frame() {
        let mut whole = Vec::new();
        write_frame(&mut whole, &record()).unwrap();
        for end in 0..whole.len() {
            let mut part = whole[..end].to_vec();
            assert_eq!(take_frame::<RunRecord>(&mut part).unwrap(), None);
            assert_eq!(part.len(), end);
        }
    }

    #[test]
    fn noise_is_refused() {
        let mut noise = vec![0xff; 64];
        assert!(take_frame::<Done>(&mut noise).is_err());
    }

    #[test]
    fn a_record_is_whole_or_missing() {
        let mut whole = Vec::new();
        write_frame(&mut whole, &record()).unwrap();
        let read = |bytes: &[u8]| {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(bytes).unwrap();
            read_record(&file)
        };
        assert_eq!(read(&whole), Ok(record()));
        assert_eq!(read(&[]), Err("it wrote no record".to_string()));
        let early = format!("its record ends early, after {} bytes", whole.len() - 1);
        assert_eq!(read(&whole[..whole.len() - 1]), Err(early));
    }
}
