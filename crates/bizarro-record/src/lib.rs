//! What a run of Bizarro is made of, as data.
//!
//! This crate owns the vocabulary that the kernel, the runtime, the explorer and the reports share:
//! the description of a world ([`world`], [`clock`]), the plan of a run ([`plan`]), the request/reply exchanges
//! seen in it ([`exchange`]) and how they look between groups of hosts ([`groups`]), what happened ([`event`]) and how it ended ([`record`]).
//!
//! It must not know who simulates, who explores or who draws: there is no behaviour here beyond
//! reading and writing these values as text.
#![no_std]

extern crate alloc;

pub mod clock;
pub mod event;
pub mod exchange;
pub mod groups;
pub mod packet;
pub mod plan;
pub mod record;
pub mod serve;
pub mod time;
mod topology;
pub mod world;

pub use clock::{ClockSpec, DRIFT_MAX, LeapHandling, LeapSecond, NtpSpec, OutOfMemory};
pub use event::{Event, Stamped, Stream};
pub use exchange::{Exchange, ExchangeId, Step};
pub use groups::Level;
pub use packet::Packet;
pub use plan::{
    ANYBODY, ClockFault, Deviation, DiskTrouble, Effect, End, FORMS, Fault, Form, HEALED_AFTER, IT,
    Incident, Injection, Lasting, Lie, LinkTrouble, MachineFault, Milestone, Moment, Plan,
    RandomFaults, Removal, Schedule, SpecError, Survivors, TaskName, Times, Trouble, Way,
};
pub use record::{Ending, FORMAT, Property, PropertyKind, RunRecord, Stats};
pub use serve::{Command, DIED_IDLE, Done, GoOn, Memory, ServeRequest, Trace};
pub use time::Nanos;
pub use topology::{SwitchSpec, ZoneSpec};
pub use world::{
    Assertion, Declared, Hooks, HostSpec, LinkSpec, Messages, Mount, Role, RunRequest, WorldSpec,
};
