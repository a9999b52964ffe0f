//! A general's post: a UDP socket, and where the other general is.

use std::io;
use std::net::SocketAddr;

use tokio::net::{UdpSocket, lookup_host};
use tokio::time::{Instant, timeout_at};

/// A longer message is none of the other general's.
pub const LONGEST: usize = 32;

/// A general's post.
#[derive(Debug)]
pub struct Post {
    socket: UdpSocket,
    other: SocketAddr,
}

impl Post {
    /// At this address, with the other general at that one.
    ///
    /// # Errors
    /// The address is taken, or the other one leads nowhere.
    pub async fn open(here: &str, there: &str) -> io::Result<Post> {
        Post::with(UdpSocket::bind(here).await?, there).await
    }

    /// With a socket that is there, which is of IPv4.
    ///
    /// # Errors
    /// The address leads nowhere.
    pub async fn with(socket: UdpSocket, there: &str) -> io::Result<Post> {
        let other =
            lookup_host(there).await?.find(SocketAddr::is_ipv4).ok_or(io::ErrorKind::NotFound)?;
        Ok(Post { socket, other })
    }

    /// Sends a messenger, who may get lost.
    pub async fn send(&self, message: &str) {
        // So does one who cannot even set out.
        let _ = self.socket.send_to(message.as_bytes(), self.other).await;
    }

    /// The next message of the other general, if one comes before `end`. What strangers bring is not looked at.
    pub async fn next(&self, end: Instant) -> Option<String> {
        // The end comes, however many strangers there are.
        while Instant::now() < end {
            let mut buffer = [0; LONGEST + 1];
            let Ok(arrived) = timeout_at(end, self.socket.recv_from(&mut buffer)).await else {
                break;
            };
            // An error tells of what we sent.
            let Ok((length, from)) = arrived else { continue };
            if from == self.other && length <= LONGEST {
                return Some(String::from_utf8_lossy(&buffer[..length]).into_owned());
            }
        }
        None
    }
}
