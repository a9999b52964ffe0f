//! Closing sockets, and waiting for what they still send: SO_LINGER of socket(7).

use bizarro_record::Nanos;

use crate::errno::Stop;
use crate::kernel::Kernel;
use crate::net::SockId;
use crate::object::Kind;
use crate::task::WaitsFor;

impl Kernel {
    pub(crate) fn close_socket(&mut self, socket: SockId) {
        self.with_net(|net, cx| net.close(cx, socket));
    }

    /// SO_LINGER: the socket whose last descriptor is `fd`, and for how many seconds closing it may wait.
    ///
    /// DIVERGENCE: only close(2) waits, not what closes a descriptor beside its own work (dup2, close_range).
    pub(crate) fn linger_of(&self, fd: i32) -> Option<(SockId, u32)> {
        let (_, object) = self.object(fd).ok()?;
        match object.kind {
            Kind::Socket(socket) if object.refs == 1 => Some((socket, self.net.linger(socket)?)),
            _ => None,
        }
    }

    /// The current call waits until the other end has everything, including the end of the stream.
    pub(crate) fn wait_to_linger(&mut self, socket: SockId, seconds: u32) -> Stop {
        self.give_up_after(Nanos::from_secs(seconds.into()));
        let wait = self.wait(WaitsFor::Time);
        self.lingering.push((socket, wait));
        Stop::Block
    }

    /// Something has changed for a socket: who waits in its close(2) goes on when that is over.
    pub(crate) fn end_linger(&mut self, socket: SockId) {
        if self.net.lingers(socket) {
            return;
        }
        while let Some(at) = self.lingering.iter().position(|(closed, _)| *closed == socket) {
            let (_, wait) = self.lingering.swap_remove(at);
            self.wake(wait);
        }
    }
}
