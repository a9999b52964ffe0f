//! Finds the bounds and the names of requests and replies of PostgreSQL's protocol 3 (the manual, "Frontend/Backend
//! Protocol", "Message Flow" and "Message Formats").
//!
//! A simple query is a request; messages of the extended protocol are one up to Sync. The reply ends with
//! ReadyForQuery. While a session begins, the server's questions end a reply, and what answers them is a request.
//! Once both sides agree to encrypt, nothing more is read.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::sql::statement_name;
use super::{Alien, Asked, Digest, Part, Progress};

/// The codes that stand in the place of a version (`SSLRequest`, `GSSENCRequest`, `CancelRequest`).
pub(in crate::net) const SSL_REQUEST: u32 = 80_877_103;
pub(in crate::net) const GSSENC_REQUEST: u32 = 80_877_104;
pub(in crate::net) const CANCEL_REQUEST: u32 = 80_877_102;

/// Bytes of a message that are kept to read names in, and what is asked for.
const KEPT: usize = 4096;
/// The longest message (`MaxAllocSize`).
const LENGTH_MAX: u32 = 0x3fff_ffff;
/// The longest first message (`MAX_STARTUP_PACKET_LENGTH`).
const STARTUP_MAX: u32 = 10_000;

/// Reads single messages.
#[derive(Default)]
struct Messages {
    /// Type and length, as far as they are there; the first message of a client has no type.
    head: Vec<u8>,
    /// Bytes of the body, and how many of them are missing.
    length: u32,
    left: u32,
    /// The body's first bytes.
    body: Vec<u8>,
}

/// How messages begin.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Head {
    Untyped,
    Typed,
}

impl Messages {
    /// Reads up to the end of a message. Gives how many bytes were read, and the type if it is there (0 where it has
    /// none); [`Messages::body`] then holds its first bytes.
    fn read(&mut self, head: Head, bytes: &[u8]) -> Result<(usize, Option<u8>), Alien> {
        let wanted = if head == Head::Typed { 5 } else { 4 };
        let of_head = bytes.len().min(wanted - self.head.len().min(wanted));
        if of_head > 0 {
            self.head.extend_from_slice(&bytes[..of_head]);
            if self.head.len() < wanted {
                return Ok((of_head, None));
            }
            let length =
                self.head.last_chunk::<4>().map_or(0, |length| u32::from_be_bytes(*length));
            let longest = if head == Head::Typed { LENGTH_MAX } else { STARTUP_MAX };
            if !(4..=longest).contains(&length) {
                return Err(Alien);
            }
            self.length = length - 4;
            self.left = self.length;
            self.body.clear();
        }
        let rest = &bytes[of_head..];
        let of_body = rest.len().min(self.left as usize);
        let room = KEPT - self.body.len();
        self.body.extend_from_slice(&rest[..of_body.min(room)]);
        self.left -= of_body as u32;
        let used = of_head + of_body;
        if self.left > 0 {
            return Ok((used, None));
        }
        let kind = if head == Head::Typed { self.head[0] } else { 0 };
        self.head.clear();
        Ok((used, Some(kind)))
    }

    /// Two strings with which the body begins; what does not end is cut.
    fn strings(&self) -> (&[u8], &[u8]) {
        let mut parts = self.body.split(|byte| *byte == 0);
        (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
    }

    /// A hash of what stands behind so many strings.
    fn digest_behind(&self, strings: usize) -> Digest {
        let names = self.body.split_inclusive(|byte| *byte == 0).take(strings);
        let start: usize = names.map(<[u8]>::len).sum();
        let mut digest = Digest::default();
        digest.write(&self.body[start..]);
        digest.write(&(u64::from(self.length) - start as u64).to_le_bytes());
        digest
    }
}

/// A statement that was prepared.
#[derive(Clone, Default)]
struct Statement {
    /// What it is called here.
    name: String,
    /// Hash of its text.
    text: u64,
}

/// Reads the requests of a client.
pub(in crate::net) struct Requests {
    messages: Messages,
    head: Head,
    is_inside: bool,
    /// The statements that were prepared, by their names in the session.
    statements: BTreeMap<Vec<u8>, Statement>,
    /// Short names of what portals run, likewise.
    portals: BTreeMap<Vec<u8>, String>,
    /// What the current request does, if it does not run anything.
    aims_at: Option<String>,
    /// `postgres INSERT accounts`, as soon as it is known.
    pub(in crate::net) name: Option<String>,
    pub(in crate::net) asked: Asked,
    /// What the current request asks for: texts and values, whatever the client calls them. Clients count their
    /// statements, so that these names differ from attempt to attempt.
    pub(in crate::net) digest: Digest,
}

impl Requests {
    pub(in crate::net) fn new() -> Requests {
        Requests {
            messages: Messages::default(),
            head: Head::Untyped,
            is_inside: false,
            statements: BTreeMap::new(),
            portals: BTreeMap::new(),
            aims_at: None,
            name: None,
            asked: Asked::Plain,
            digest: Digest::default(),
        }
    }

    /// Reads bytes up to the end of a request, or of what is none. `bytes` is not empty.
    pub(in crate::net) fn read(&mut self, bytes: &[u8]) -> Result<Progress, Alien> {
        if !self.is_inside {
            self.is_inside = true;
            self.name = None;
            self.aims_at = None;
            self.asked = Asked::Plain;
            self.digest = Digest::default();
        }
        let mut used = 0;
        while used < bytes.len() {
            let (read, message) = self.messages.read(self.head, &bytes[used..])?;
            used += read;
            let Some(kind) = message else { continue };
            let (part, ended) = if self.head == Head::Untyped {
                self.begin_session()?;
                (Part::Message, true)
            } else {
                self.take(kind)?
            };
            if ended || part != Part::Message {
                self.is_inside = false;
                return Ok(Progress { used, part, ended });
            }
        }
        Ok(Progress { used, part: Part::Message, ended: false })
    }

    fn begin_session(&mut self) -> Result<(), Alien> {
        self.digest = self.messages.digest_behind(0);
        let code = self.messages.body.first_chunk::<4>().ok_or(Alien)?;
        let (name, asked) = match u32::from_be_bytes(*code) {
            SSL_REQUEST => ("postgres ssl", Asked::Encryption),
            GSSENC_REQUEST => ("postgres gssenc", Asked::Encryption),
            CANCEL_REQUEST => ("postgres cancel", Asked::Plain),
            version if version >> 16 == 3 => {
                self.head = Head::Typed;
                ("postgres startup", Asked::Session)
            }
            _ => return Err(Alien),
        };
        self.name = Some(name.into());
        self.asked = asked;
        Ok(())
    }

    /// Takes a whole message: what it is part of, and whether it ends that.
    fn take(&mut self, kind: u8) -> Result<(Part, bool), Alien> {
        let (first, second) = self.messages.strings();
        self.digest.write(&[kind]);
        let name = match kind {
            b'Q' => {
                self.digest = self.messages.digest_behind(0);
                named(&statement_name(first))
            }
            b'F' => {
                self.digest = self.messages.digest_behind(0);
                "postgres function".into()
            }
            b'p' => {
                self.digest = self.messages.digest_behind(0);
                self.asked = Asked::Session;
                "postgres password".into()
            }
            b'P' => {
                let text = self.messages.digest_behind(1).value().get();
                let statement = Statement { name: statement_name(second), text };
                self.digest.write(&text.to_le_bytes());
                self.aims_at = Some(named(&statement.name).replacen(' ', " prepare ", 1));
                self.statements.insert(first.to_vec(), statement);
                return Ok((Part::Message, false));
            }
            b'B' => {
                let statement = self.statements.get(second).cloned().unwrap_or_default();
                let values = self.messages.digest_behind(2).value().get();
                self.digest.write(&statement.text.to_le_bytes());
                self.digest.write(&values.to_le_bytes());
                self.portals.insert(first.to_vec(), statement.name);
                return Ok((Part::Message, false));
            }
            b'E' => {
                if self.name.is_none() {
                    self.name = Some(named(self.portals.get(first).map_or("", String::as_str)));
                }
                return Ok((Part::Message, false));
            }
            b'C' => {
                if let Some(statement) = first.strip_prefix(b"S") {
                    self.statements.remove(statement);
                }
                self.aims_at.get_or_insert_with(|| "postgres close".into());
                return Ok((Part::Message, false));
            }
            b'D' | b'H' => return Ok((Part::Message, false)),
            b'S' => self.aims_at.take().unwrap_or_else(|| "postgres sync".into()),
            b'd' | b'c' | b'f' => return Ok((Part::Tail, false)),
            b'X' => return Ok((Part::Aside, false)),
            _ => return Err(Alien),
        };
        self.name.get_or_insert(name);
        Ok((Part::Message, true))
    }
}

fn named(statement: &str) -> String {
    if statement.is_empty() { "postgres query".into() } else { format!("postgres {statement}") }
}

/// Reads the replies of a server.
#[derive(Default)]
pub(in crate::net) struct Replies {
    messages: Messages,
    is_inside: bool,
    /// The reply holds an error.
    pub(in crate::net) is_refusal: bool,
    /// From here on the connection is encrypted.
    pub(in crate::net) is_encrypted: bool,
}

impl Replies {
    /// Reads bytes up to the end of a reply, to a request that asked so, or of what nobody asked for. `bytes` is not
    /// empty.
    pub(in crate::net) fn read(
        &mut self,
        asked: Option<Asked>,
        bytes: &[u8],
    ) -> Result<Progress, Alien> {
        if !self.is_inside {
            self.is_inside = true;
            self.is_refusal = false;
            if asked == Some(Asked::Encryption) && bytes[0] != b'E' {
                return self.encryption(bytes[0]);
            }
        }
        let mut used = 0;
        while used < bytes.len() {
            let (read, message) = self.messages.read(Head::Typed, &bytes[used..])?;
            used += read;
            let Some(kind) = message else { continue };
            let part = if asked.is_some() { Part::Message } else { Part::Aside };
            let ended = match asked {
                None => {
                    // What a server says of its own accord, the last words before it ends among it.
                    if !matches!(kind, b'N' | b'A' | b'S' | b'E') {
                        return Err(Alien);
                    }
                    self.is_inside = false;
                    return Ok(Progress { used, part, ended: false });
                }
                Some(asked) => self.take(kind, asked)?,
            };
            if ended {
                self.is_inside = false;
                return Ok(Progress { used, part, ended });
            }
        }
        let part = if asked.is_some() { Part::Message } else { Part::Aside };
        Ok(Progress { used, part, ended: false })
    }

    fn encryption(&mut self, answer: u8) -> Result<Progress, Alien> {
        self.is_inside = false;
        self.is_encrypted = match answer {
            b'S' | b'G' => true,
            b'N' => false,
            _ => return Err(Alien),
        };
        Ok(Progress { used: 1, part: Part::Message, ended: true })
    }

    /// Takes a whole message of a reply: whether it ends that.
    fn take(&mut self, kind: u8, asked: Asked) -> Result<bool, Alien> {
        match kind {
            b'Z' => Ok(true),
            b'E' => {
                self.is_refusal = true;
                // No session begins after an error.
                Ok(asked != Asked::Plain)
            }
            b'R' => {
                // AuthenticationOk and AuthenticationSASLFinal ask for nothing.
                let code = self.messages.body.first_chunk::<4>().ok_or(Alien)?;
                Ok(!matches!(u32::from_be_bytes(*code), 0 | 12))
            }
            b'K' | b'S' | b'N' | b'A' | b'T' | b'D' | b'C' | b'I' | b'n' | b'1' | b'2' | b'3'
            | b't' | b's' | b'G' | b'H' | b'W' | b'd' | b'c' | b'v' | b'V' => Ok(false),
            _ => Err(Alien),
        }
    }
}

#[cfg(test)]
mod tests;
