//! Finds the bounds and the names of commands and replies of Redis: RESP2 and RESP3, and commands typed as lines
//! ("Redis serialization protocol specification", redis.io).
//!
//! Each command has one reply. Where that ends (subscriptions, MONITOR, CLIENT REPLY), so does what is read here: the
//! bytes take turns from there on. Values in chunks of unknown number, which RESP3 allows and no server sends, are alien.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Alien, Digest, Part, Progress};

/// The longest line that is no bulk string.
const LINE_MAX: usize = 64 * 1024;
/// The longest bulk string (`proto-max-bulk-len`, by default), and the most elements.
const LENGTH_MAX: u64 = 512 * 1024 * 1024;
/// The longest name of a command.
const NAME_MAX: usize = 32;
/// How deep values may be nested.
const DEPTH_MAX: usize = 64;

/// A line that may come in parts.
#[derive(Default)]
struct Line(Vec<u8>);

impl Line {
    /// Reads up to the end of the line. Gives how many bytes were read, and the line without its end if it is there.
    fn read(&mut self, bytes: &[u8]) -> Result<(usize, Option<Vec<u8>>), Alien> {
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let used = end.map_or(bytes.len(), |end| end + 1);
        self.0.extend_from_slice(&bytes[..used]);
        if self.0.len() > LINE_MAX {
            return Err(Alien);
        }
        if end.is_none() {
            return Ok((used, None));
        }
        let mut line = core::mem::take(&mut self.0);
        line.pop();
        line.pop_if(|last| *last == b'\r');
        Ok((used, Some(line)))
    }
}

/// The number in a line behind its sign; `None` where it is -1.
fn number(line: &[u8]) -> Result<Option<u64>, Alien> {
    let text = core::str::from_utf8(line.get(1..).unwrap_or_default()).map_err(|_| Alien)?;
    match text.parse::<i64>() {
        Ok(-1) => Ok(None),
        Ok(n) => u64::try_from(n).ok().filter(|n| *n <= LENGTH_MAX).map(Some).ok_or(Alien),
        Err(_) => Err(Alien),
    }
}

/// Reads the commands of a client.
#[derive(Default)]
pub(in crate::net) struct Requests {
    line: Line,
    /// Words that the command still has.
    words_left: u64,
    /// Bytes of the current word that are missing, with the line end after it.
    word_left: u64,
    /// The first two words of the command, as far as they are there, up to [`NAME_MAX`] and one byte.
    start: [Vec<u8>; 2],
    /// How many words were begun.
    begun: usize,
    is_inside: bool,
    /// `redis SET`, as soon as it is known.
    pub(in crate::net) name: Option<String>,
    /// The bytes of the current command.
    pub(in crate::net) digest: Digest,
}

impl Requests {
    /// Reads bytes up to the end of a command. `bytes` is not empty.
    pub(in crate::net) fn read(&mut self, bytes: &[u8]) -> Result<Progress, Alien> {
        if !self.is_inside {
            *self = Requests { line: core::mem::take(&mut self.line), ..Requests::default() };
            self.is_inside = true;
        }
        let mut used = 0;
        while used < bytes.len() {
            let rest = &bytes[used..];
            if self.word_left > 0 {
                used += self.read_word(rest)?;
            } else {
                let (read, line) = self.line.read(rest)?;
                used += read;
                if let Some(line) = line
                    && self.read_line(&line)? == Part::Aside
                {
                    self.is_inside = false;
                    return Ok(Progress { used, part: Part::Aside, ended: false });
                }
            }
            let is_complete = self.words_left == 0 && self.word_left == 0;
            if is_complete && self.name.is_some() {
                self.digest.write(&bytes[..used]);
                self.is_inside = false;
                return Ok(Progress { used, part: Part::Message, ended: true });
            }
        }
        self.digest.write(bytes);
        Ok(Progress { used, part: Part::Message, ended: false })
    }

    /// Whether the server may say more than one thing to the last command, or nothing.
    pub(in crate::net) fn ends_pairs(&self) -> bool {
        let second = self.start[1].as_slice();
        match self.start[0].to_ascii_uppercase().as_slice() {
            b"SUBSCRIBE" | b"PSUBSCRIBE" | b"SSUBSCRIBE" | b"MONITOR" | b"SYNC" | b"PSYNC" => true,
            b"CLIENT" => second.eq_ignore_ascii_case(b"REPLY"),
            _ => false,
        }
    }

    fn read_line(&mut self, line: &[u8]) -> Result<Part, Alien> {
        if self.begun > 0 || self.words_left > 0 {
            if line.first() != Some(&b'$') {
                return Err(Alien);
            }
            self.word_left = number(line)?.ok_or(Alien)? + 2;
            return Ok(Part::Message);
        }
        if line.first() == Some(&b'*') {
            self.words_left = number(line)?.unwrap_or(0);
            // The server skips an array without words.
            return Ok(if self.words_left == 0 { Part::Aside } else { Part::Message });
        }
        let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let Some(first) = words.next() else { return Ok(Part::Aside) };
        let second = words.next().unwrap_or_default();
        self.start = [first.to_vec(), second[..second.len().min(NAME_MAX)].to_vec()];
        self.take_name()?;
        Ok(Part::Message)
    }

    /// Reads of a bulk string and the line end after it.
    fn read_word(&mut self, bytes: &[u8]) -> Result<usize, Alien> {
        let used = bytes.len().min(usize::try_from(self.word_left).unwrap_or(usize::MAX));
        let of_word = usize::try_from(self.word_left.saturating_sub(2)).unwrap_or(0).min(used);
        if self.word_left > 2
            && let Some(start) = self.start.get_mut(self.begun)
        {
            let room = (NAME_MAX + 1).saturating_sub(start.len());
            start.extend_from_slice(&bytes[..of_word.min(room)]);
        }
        self.word_left -= used as u64;
        if self.word_left == 0 {
            self.words_left -= 1;
            self.begun += 1;
            if self.begun == 1 {
                self.take_name()?;
            }
        }
        Ok(used)
    }

    fn take_name(&mut self) -> Result<(), Alien> {
        let word = &self.start[0];
        let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
        let text = core::str::from_utf8(word).map_err(|_| Alien)?;
        if word.is_empty() || word.len() > NAME_MAX || !word.iter().all(is_name) {
            return Err(Alien);
        }
        self.name = Some(format!("redis {}", text.to_ascii_uppercase()));
        Ok(())
    }
}

/// A value that has elements.
struct Nest {
    left: u64,
    /// It stands before the value that it tells of, and is none itself.
    is_attribute: bool,
}

/// Reads the replies of a server.
#[derive(Default)]
pub(in crate::net) struct Replies {
    line: Line,
    nests: Vec<Nest>,
    /// Bytes of the current bulk string that are missing, with the line end after it.
    bulk_left: u64,
    part: Option<Part>,
    /// The reply is an error.
    pub(in crate::net) is_refusal: bool,
}

impl Replies {
    /// Reads bytes up to the end of a reply, or of what the server pushes. `bytes` is not empty.
    pub(in crate::net) fn read(&mut self, bytes: &[u8]) -> Result<Progress, Alien> {
        let part = match self.part {
            Some(part) => part,
            None => {
                self.is_refusal = matches!(bytes[0], b'-' | b'!');
                *self.part.insert(if bytes[0] == b'>' { Part::Aside } else { Part::Message })
            }
        };
        let mut used = 0;
        while used < bytes.len() {
            let rest = &bytes[used..];
            let is_whole = if self.bulk_left > 0 {
                let read = rest.len().min(usize::try_from(self.bulk_left).unwrap_or(usize::MAX));
                used += read;
                self.bulk_left -= read as u64;
                self.bulk_left == 0 && self.value_ended()
            } else {
                let (read, line) = self.line.read(rest)?;
                used += read;
                match line {
                    Some(line) => self.read_line(&line)?,
                    None => false,
                }
            };
            if is_whole {
                self.part = None;
                return Ok(Progress { used, part, ended: part == Part::Message });
            }
        }
        Ok(Progress { used, part, ended: false })
    }

    /// Whether the line was the end of everything.
    fn read_line(&mut self, line: &[u8]) -> Result<bool, Alien> {
        let kind = *line.first().ok_or(Alien)?;
        match kind {
            b'+' | b'-' | b':' | b'_' | b',' | b'#' | b'(' => Ok(self.value_ended()),
            b'$' | b'!' | b'=' => match number(line)? {
                None => Ok(self.value_ended()),
                Some(length) => {
                    self.bulk_left = length + 2;
                    Ok(false)
                }
            },
            b'*' | b'~' | b'>' | b'%' | b'|' => {
                let pairs = if matches!(kind, b'%' | b'|') { 2 } else { 1 };
                let left = number(line)?.unwrap_or(0) * pairs;
                if self.nests.len() == DEPTH_MAX {
                    return Err(Alien);
                }
                let is_attribute = kind == b'|';
                if left == 0 {
                    return Ok(!is_attribute && self.value_ended());
                }
                self.nests.push(Nest { left, is_attribute });
                Ok(false)
            }
            _ => Err(Alien),
        }
    }

    /// A value is complete: whether with it everything is.
    fn value_ended(&mut self) -> bool {
        while let Some(nest) = self.nests.last_mut() {
            nest.left -= 1;
            if nest.left > 0 {
                return false;
            }
            let is_attribute = nest.is_attribute;
            self.nests.pop();
            if is_attribute {
                return false;
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    /// Reads what `parts` give one after the other: what was found, and how long it was.
    fn found<'a>(
        parts: impl Iterator<Item = &'a [u8]>,
        mut read: impl FnMut(&[u8]) -> (Result<Progress, Alien>, String),
    ) -> String {
        let (mut found, mut length) = (String::new(), 0);
        for mut part in parts {
            while !part.is_empty() {
                let (progress, what) = read(part);
                let Ok(progress) = progress else { return found + "alien\n" };
                length += progress.used;
                part = &part[progress.used..];
                if progress.ended {
                    found += &format!("{what}: {length} bytes\n");
                    length = 0;
                }
            }
        }
        if length > 0 {
            found += &format!("unfinished: {length} bytes\n");
        }
        found
    }

    fn requests<'a>(parts: impl Iterator<Item = &'a [u8]>) -> String {
        let mut reader = Requests::default();
        found(parts, |bytes| {
            let progress = reader.read(bytes);
            let end = if reader.ends_pairs() { ", the last" } else { "" };
            (
                progress,
                format!(
                    "{}{end} {:x}",
                    reader.name.as_deref().unwrap_or(""),
                    reader.digest.value()
                ),
            )
        })
    }

    fn replies<'a>(parts: impl Iterator<Item = &'a [u8]>) -> String {
        let mut reader = Replies::default();
        found(parts, |bytes| {
            let progress = reader.read(bytes);
            (progress, if reader.is_refusal { "error" } else { "reply" }.into())
        })
    }

    /// However the text is cut into two, and into single bytes, the same is found.
    #[track_caller]
    fn check(text: &str, expected: Expect, read: fn(&mut dyn Iterator<Item = &[u8]>) -> String) {
        let bytes = text.as_bytes();
        let whole = read(&mut [bytes].into_iter());
        expected.assert_eq(&whole);
        for cut in 1..bytes.len() {
            let (start, end) = bytes.split_at(cut);
            assert_eq!(read(&mut [start, end].into_iter()), whole, "cut at {cut}");
        }
        assert_eq!(read(&mut bytes.chunks(1)), whole, "cut everywhere");
    }

    #[test]
    fn commands_are_delimited_and_named() {
        check(
            "*1\r\n$4\r\nPING\r\n*3\r\n$3\r\nset\r\n$1\r\nk\r\n$0\r\n\r\nget k\r\n\r\n*0\r\n\
             *2\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n*3\r\n$6\r\nCLIENT\r\n$5\r\nreply\r\n$3\r\nOFF\r\n*1\r\n",
            expect![[r#"
                redis PING b1e41f2a133bcd63: 14 bytes
                redis SET e136df802b43e647: 26 bytes
                redis GET 9b441fad7ddb5ab7: 7 bytes
                redis SUBSCRIBE, the last 52cb3abc65d5908b: 32 bytes
                redis CLIENT, the last 5db123222e009189: 36 bytes
                unfinished: 4 bytes
            "#]],
            |parts| requests(parts),
        );
    }

    #[test]
    fn replies_are_delimited() {
        check(
            "+OK\r\n-ERR no\r\n:1\r\n$2\r\nok\r\n$-1\r\n*-1\r\n*0\r\n*2\r\n*1\r\n:1\r\n$0\r\n\r\n\
             %1\r\n+a\r\n#t\r\n|1\r\n+ttl\r\n,1.5\r\n_\r\n!3\r\nbad\r\n=7\r\ntxt:abc\r\n~1\r\n(1\r\n\
             >2\r\n+message\r\n+hi\r\n:9\r\n$3\r\nab",
            expect![[r#"
                reply: 5 bytes
                error: 9 bytes
                reply: 4 bytes
                reply: 8 bytes
                reply: 5 bytes
                reply: 5 bytes
                reply: 4 bytes
                reply: 18 bytes
                reply: 12 bytes
                reply: 19 bytes
                error: 9 bytes
                reply: 13 bytes
                reply: 8 bytes
                reply: 23 bytes
                unfinished: 6 bytes
            "#]],
            |parts| replies(parts),
        );
    }

    #[test]
    fn other_bytes_are_alien() {
        for text in
            ["*1\r\n:1\r\n", "*x\r\n", "*1\r\n$-1\r\n", "*1\r\n$3\r\na b\r\n", "*1\r\n$0\r\n\r\n"]
        {
            assert_eq!(requests([text.as_bytes()].into_iter()), "alien\n", "{text:?}");
        }
        for text in ["hello\r\n", "$x\r\n", "*?\r\n", "$99999999999\r\n", "\r\n"] {
            assert_eq!(replies([text.as_bytes()].into_iter()), "alien\n", "{text:?}");
        }
    }
}
