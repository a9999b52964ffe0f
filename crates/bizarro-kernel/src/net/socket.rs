//! The table of all sockets, and what sockets of every kind have in common.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::errno::Errno;

use super::options::Options;
use super::tcp::Tcp;
use super::udp::Udp;
use super::unix::Unix;

/// Names a socket. An id whose socket is gone names nothing, even when its place is used again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct SockId {
    index: u32,
    generation: u32,
}

impl SockId {
    /// Names no socket.
    pub const NONE: SockId = SockId { index: u32::MAX, generation: 0 };

    /// Its place in the table of sockets, for tables that run beside it.
    pub fn index(self) -> usize {
        self.index as usize
    }
}

/// The other direction is shut: nothing more is received. Linux's `RCV_SHUTDOWN`.
pub(super) const RCV_SHUTDOWN: u8 = 1;
/// Nothing more is sent. Linux's `SEND_SHUTDOWN`.
pub(super) const SEND_SHUTDOWN: u8 = 2;
/// Both.
pub(super) const SHUTDOWN_MASK: u8 = 3;

/// What every socket has: Linux's `struct sock`, as far as it shows.
pub(super) struct Base {
    pub(super) host: u16,
    /// `AF_*`.
    pub(super) domain: i32,
    /// `SOCK_STREAM`, `SOCK_DGRAM` or `SOCK_SEQPACKET`.
    pub(super) kind: i32,
    /// `IPPROTO_*`.
    pub(super) protocol: i32,
    /// The error that the next call, or SO_ERROR, takes.
    pub(super) error: Option<Errno>,
    /// [`RCV_SHUTDOWN`] and [`SEND_SHUTDOWN`].
    pub(super) shutdown: u8,
    pub(super) options: Box<Options>,
}

impl Base {
    pub(super) fn is_shut(&self, how: u8) -> bool {
        self.shutdown & how == how
    }

    /// `sock_error()`: gives the pending error and forgets it.
    pub(super) fn take_error(&mut self) -> Result<(), Errno> {
        self.error.take().map_or(Ok(()), Err)
    }
}

/// A socket.
pub(super) struct Socket {
    pub(super) base: Base,
    pub(super) proto: Proto,
}

/// What only some sockets have.
pub(super) enum Proto {
    Tcp(Box<Tcp>),
    Udp(Box<Udp>),
    Unix(Box<Unix>),
    Netlink(Box<super::netlink::Netlink>),
}

struct Slot {
    generation: u32,
    socket: Option<Socket>,
}

/// The sockets of all hosts. A place is used again with a new generation.
#[derive(Default)]
pub(super) struct Slab {
    slots: Vec<Slot>,
    free: Vec<u32>,
}

impl Slab {
    pub(super) fn insert(&mut self, socket: Socket) -> SockId {
        if let Some(index) = self.free.pop() {
            let slot = &mut self.slots[index as usize];
            slot.socket = Some(socket);
            return SockId { index, generation: slot.generation };
        }
        let index = self.slots.len() as u32;
        self.slots.push(Slot { generation: 1, socket: Some(socket) });
        SockId { index, generation: 1 }
    }

    #[inline]
    pub(super) fn get(&self, id: SockId) -> Option<&Socket> {
        let slot = self.slots.get(id.index as usize)?;
        if slot.generation == id.generation { slot.socket.as_ref() } else { None }
    }

    #[inline]
    pub(super) fn get_mut(&mut self, id: SockId) -> Option<&mut Socket> {
        let slot = self.slots.get_mut(id.index as usize)?;
        if slot.generation == id.generation { slot.socket.as_mut() } else { None }
    }

    pub(super) fn remove(&mut self, id: SockId) -> Option<Socket> {
        let slot = self.slots.get_mut(id.index as usize)?;
        if slot.generation != id.generation {
            return None;
        }
        let socket = slot.socket.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(id.index);
        Some(socket)
    }

    /// Places for which there is memory.
    #[cfg(test)]
    pub(super) fn places(&self) -> usize {
        self.slots.len()
    }

    /// All sockets for which `choose` says so, in the order of their places.
    pub(super) fn filter(&self, mut choose: impl FnMut(&Socket) -> bool) -> Vec<SockId> {
        let mut chosen = Vec::new();
        for (slot, index) in self.slots.iter().zip(0..) {
            if slot.socket.as_ref().is_some_and(&mut choose) {
                chosen.push(SockId { index, generation: slot.generation });
            }
        }
        chosen
    }
}

/// Buffers that were read and can be filled again, so that a small message costs no allocation.
#[derive(Default)]
pub(super) struct Pool {
    buffers: Vec<Vec<u8>>,
}

impl Pool {
    /// Buffers beyond this size are given back to the allocator.
    const LARGEST: usize = 4096;
    /// More buffers than this are given back to the allocator.
    const MOST: usize = 64;

    /// A buffer of `length` bytes with any content.
    #[inline]
    pub(super) fn take(&mut self, length: usize) -> Vec<u8> {
        let mut buffer = if length <= Self::LARGEST {
            self.buffers.pop().unwrap_or_default()
        } else {
            Vec::new()
        };
        buffer.resize(length, 0);
        buffer
    }

    #[inline]
    pub(super) fn give(&mut self, buffer: Vec<u8>) {
        let size = buffer.capacity();
        if size > 0 && size <= Self::LARGEST && self.buffers.len() < Self::MOST {
            self.buffers.push(buffer);
        }
    }
}
