//! The description of a world: what a test says about its hosts before anything runs.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::Ipv4Addr;
use serde::{Deserialize, Serialize};

use crate::clock::{ClockSpec, OutOfMemory};
use crate::time::Nanos;

/// What a host's program is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Serves until the run ends.
    Program,
    /// The run ends when every workload has ended.
    Workload,
}

/// What a test says of how much depends on a host.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Declared {
    /// Nothing: whether the test holds without it is measured, and either is right.
    #[default]
    Nothing,
    /// It is not critical: the test has to hold without it.
    NonCritical,
}

/// A real directory that the host may read, at a path of its own.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Mount {
    /// Absolute path of the real directory.
    pub source: String,
    /// Absolute path at which the guest finds it, read-only.
    pub target: String,
}

/// A simulated machine and its program.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct HostSpec {
    /// Name, unique in the world; also its DNS name.
    pub name: String,
    /// IPv4 address, unique in the world.
    pub address: Ipv4Addr,
    /// CPUs that `sched_getaffinity(2)` reports.
    pub cpus: u32,
    /// How many times as long as elsewhere its CPUs take for what a program does, from 1.
    pub slowdown: u32,
    /// Its clock.
    pub clock: ClockSpec,
    /// Bytes of memory its processes may use.
    pub memory_limit: u64,
    /// What happens to a process that wants more.
    pub out_of_memory: OutOfMemory,
    /// What the program is for.
    pub role: Role,
    /// Name of the group that it belongs to, where the test puts it into one.
    pub group: Option<String>,
    /// How much may depend on it.
    pub declared: Declared,
    /// Address, in the test binary, of `extern "C" fn(data: usize) -> i32`; 0 where the program is the process itself.
    pub entry: usize,
    /// Passed to `entry`.
    pub data: usize,
    /// Absolute path at which the host's disk shows the program's binary: what `/proc/self/exe` leads to.
    pub executable: String,
    /// What the program is called and its arguments: `argv`.
    pub arguments: Vec<String>,
    /// Environment, as `NAME=value`.
    pub env: Vec<String>,
    /// Real directories that the guest may read.
    pub mounts: Vec<Mount>,
    /// Files that its disk holds from the start: path and content.
    pub files: Vec<(String, Vec<u8>)>,
    /// Absolute paths of files whose content at the end of the run goes into its record.
    pub kept: Vec<String>,
}

impl HostSpec {
    /// The name of its group; its own name where it is in none, for then it is a group of its own.
    pub fn group_name(&self) -> &str {
        self.group.as_deref().unwrap_or(&self.name)
    }
}

/// How packets travel between two hosts, both ways.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LinkSpec {
    /// The two hosts, or `None` for every pair that is not named.
    pub between: Option<(String, String)>,
    /// Shortest latency, one way.
    pub latency_min: Nanos,
    /// Longest latency, one way; drawn evenly between the two.
    pub latency_max: Nanos,
    /// Bytes per second; 0 for no limit.
    pub bandwidth: u64,
    /// Lost packets in a million.
    pub loss_ppm: u32,
}

/// A world: hosts, links and limits of a run.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct WorldSpec {
    /// Name of the test.
    pub test: String,
    /// The hosts, in the order of their declaration.
    pub hosts: Vec<HostSpec>,
    /// The links; a pair that no link names uses the unnamed one.
    pub links: Vec<LinkSpec>,
    /// Hosts that are near each other; each is in one zone at most.
    pub zones: Vec<crate::topology::ZoneSpec>,
    /// The switches; each host is at one at most, and one that is at none waits for no port.
    pub switches: Vec<crate::topology::SwitchSpec>,
    /// Virtual time at which a run that has not ended is called stuck.
    pub deadline: Nanos,
    /// Virtual time that each system call costs.
    pub syscall_cost: Nanos,
    /// True time at which the world starts, in nanoseconds since 1970 (UTC).
    pub epoch: u64,
    /// What goes wrong in every run, whatever its plan says.
    pub incidents: Vec<crate::plan::Incident>,
}

impl WorldSpec {
    /// A world without hosts: links of 0.4 to 0.6 ms, a deadline of ten virtual minutes,
    /// 200 ns a system call, starting on 2026-01-01.
    pub fn new(test: &str) -> WorldSpec {
        WorldSpec {
            test: String::from(test),
            hosts: Vec::new(),
            links: Vec::new(),
            zones: Vec::new(),
            switches: Vec::new(),
            deadline: Nanos::from_secs(600),
            syscall_cost: Nanos(200),
            epoch: 1_767_225_600_000_000_000,
            incidents: Vec::new(),
        }
    }
}

impl Default for LinkSpec {
    fn default() -> LinkSpec {
        LinkSpec {
            between: None,
            latency_min: Nanos::from_micros(400),
            latency_max: Nanos::from_micros(600),
            bandwidth: 0,
            loss_ppm: 0,
        }
    }
}

/// What the facade asks of the shared object: one run of a world.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RunRequest {
    /// The world.
    pub world: WorldSpec,
    /// The plan.
    pub plan: crate::plan::Plan,
    /// Descriptor of the real kernel that the record is written to.
    pub record_fd: i32,
    /// Descriptor of the real kernel that gets a line per system call, or -1.
    pub trace_fd: i32,
    /// What is recorded of messages between hosts.
    pub messages: Messages,
    /// Whether replaced symbols of the C library spare the trap.
    pub hooks: Hooks,
    /// Real milliseconds that a task may use without a system call before it is called spinning.
    pub spin_limit_ms: u32,
}

/// What a record says of messages between hosts. They are many, and most explorations look at none.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Messages {
    /// Nothing.
    #[default]
    Hidden,
    /// When each left and arrived: [`Event::Sent`](crate::Event::Sent) and its kin.
    Shown,
    /// The same, and the bytes of each packet: [`Event::Packet`](crate::Event::Packet).
    Captured,
}

/// Whether replaced symbols of the C library go to the kernel without the trap. No result depends on it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hooks {
    /// They do.
    #[default]
    On,
    /// They make the system call, which is trapped.
    Off,
}

/// A property was looked at.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Assertion<'a> {
    /// When it has to be true.
    pub kind: crate::record::PropertyKind,
    /// Its name, unique in the test.
    pub name: &'a str,
    /// `file:line`.
    pub place: &'a str,
    /// Whether it is true.
    pub holds: bool,
    /// What was seen, for the reader of a failure.
    pub detail: &'a str,
}
