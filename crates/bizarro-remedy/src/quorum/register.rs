//! A register on replicas, without I/O.
//!
//! A write asks a majority for its tags, and stores the value at a majority under a higher one. A read asks a majority,
//! takes the value with the highest tag, and stores it at a majority before it gives it away, so that no later read can see
//! an older one. Both need two round trips; a read whose majority agrees needs one.

use serde::{Deserialize, Serialize};

use super::majority;

/// The version of a value. Of two, the greater one is the later one.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Hash, Serialize, Deserialize,
)]
pub struct Tag {
    /// One more than the highest that the writer saw.
    pub number: u64,
    /// Who wrote: another one for each *write*. A writer that used it twice could store two values under one tag, when its
    /// first write reached a minority only.
    pub writer: u64,
}

/// What a client asks of a replica.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Request<V> {
    /// What do you have?
    Query,
    /// Have this, unless you have something later.
    Store(Tag, V),
}

/// What a replica answers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Reply<V> {
    /// It has this.
    Has(Tag, V),
    /// It has what it was told, or something later.
    Stored,
}

/// What a replica has to keep, as it is or on a disk.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Replica<V> {
    tag: Tag,
    value: V,
}

impl<V: Clone> Replica<V> {
    /// A replica that was never written to. All replicas begin with the same value.
    pub fn new(initial: V) -> Replica<V> {
        Replica { tag: Tag::default(), value: initial }
    }

    /// What comes of a request: another state, if there is one, and the reply.
    ///
    /// **The state has to be on stable storage before the reply is sent.** A replica that forgets takes back a promise on
    /// which a majority was built.
    pub fn handle(&self, request: Request<V>) -> (Option<Replica<V>>, Reply<V>) {
        match request {
            Request::Query => (None, Reply::Has(self.tag, self.value.clone())),
            Request::Store(tag, value) => {
                (((tag > self.tag).then_some(Replica { tag, value })), Reply::Stored)
            }
        }
    }
}

/// What an operation is to do.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Aim<V> {
    Read,
    /// The value, and the tag's writer.
    Write(V, u64),
}

/// An operation of a client: what it asks, and what it makes of the replies.
///
/// Every replica is asked [`Operation::request`], again and again if it does not answer. When an answer makes the operation
/// go on, all are asked the new request.
#[derive(Clone, Debug)]
pub struct Operation<V> {
    aim: Aim<V>,
    /// For each replica, whether it answered the present request.
    answered: Vec<bool>,
    /// The highest that was seen.
    highest: Option<(Tag, V)>,
    /// Whether all who answered so far have the same.
    agree: bool,
    /// What is stored now; nothing while tags are asked for.
    storing: Option<(Tag, V)>,
}

/// What a reply made of an operation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Progress<V> {
    /// More replies are needed.
    Waits,
    /// Now the next request has to be made.
    Asks(Request<V>),
    /// It is done: the value that was read, or was written.
    Done(V),
}

impl<V: Clone> Operation<V> {
    /// Reads from so many replicas.
    pub fn read(replicas: usize) -> Operation<V> {
        Operation::new(replicas, Aim::Read)
    }

    /// Writes to so many replicas. `writer` is of this write alone, among all writes to the register by anybody: a random
    /// number, or one that was never given away before.
    pub fn write(replicas: usize, value: V, writer: u64) -> Operation<V> {
        Operation::new(replicas, Aim::Write(value, writer))
    }

    fn new(replicas: usize, aim: Aim<V>) -> Operation<V> {
        Operation {
            aim,
            answered: vec![false; replicas],
            highest: None,
            agree: true,
            storing: None,
        }
    }

    /// What every replica is asked now.
    pub fn request(&self) -> Request<V> {
        match &self.storing {
            None => Request::Query,
            Some((tag, value)) => Request::Store(*tag, value.clone()),
        }
    }

    /// Takes the reply of a replica to [`Operation::request`] as it is now; replies to an earlier one must not be given.
    /// What does not answer the request, or comes a second time, changes nothing.
    pub fn accept(&mut self, replica: usize, reply: Reply<V>) -> Progress<V> {
        if self.answered.get(replica) != Some(&false) {
            return Progress::Waits;
        }
        match (reply, &self.storing) {
            (Reply::Has(tag, value), None) => self.saw(tag, value),
            (Reply::Stored, Some(_)) => {}
            (Reply::Has(..), Some(_)) | (Reply::Stored, None) => return Progress::Waits,
        }
        self.answered[replica] = true;
        let answers = self.answered.iter().filter(|answered| **answered).count();
        if answers < majority(self.answered.len()) {
            return Progress::Waits;
        }
        match (self.storing.take(), self.highest.take()) {
            (Some((_, value)), _) => Progress::Done(value),
            (None, Some((tag, value))) => self.go_on(tag, value),
            (None, None) => Progress::Waits,
        }
    }

    fn saw(&mut self, tag: Tag, value: V) {
        match &self.highest {
            Some((highest, _)) if tag == *highest => {}
            Some((highest, _)) => {
                self.agree = false;
                if tag > *highest {
                    self.highest = Some((tag, value));
                }
            }
            None => self.highest = Some((tag, value)),
        }
    }

    /// A majority has told its tags, of which this is the highest.
    fn go_on(&mut self, tag: Tag, value: V) -> Progress<V> {
        let (tag, value) = match &self.aim {
            // A majority has it already: no later read can miss it.
            Aim::Read if self.agree => return Progress::Done(value),
            Aim::Read => (tag, value),
            Aim::Write(value, writer) => {
                (Tag { number: tag.number.saturating_add(1), writer: *writer }, value.clone())
            }
        };
        self.answered.fill(false);
        self.storing = Some((tag, value.clone()));
        Progress::Asks(Request::Store(tag, value))
    }
}
