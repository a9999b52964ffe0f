//! Tests of the network as a whole: calls and their results in order of virtual time, as a transcript.

mod attempts;
mod captured;
mod chaos;
mod conditions;
mod exchanges;
mod faults;
pub(super) mod frames;
mod http2;
mod packets;
mod replaced;
mod switches;
mod tcp;
mod tcp_end;
mod tcp_options;
mod timers;
mod traffic;
mod udp;
mod unix;
mod walls;
mod world;
