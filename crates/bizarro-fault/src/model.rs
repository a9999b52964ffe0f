//! System models: what a test assumes of its network, its nodes and its timing.
//!
//! The words are Kleppmann's (*Distributed Systems*, lecture notes, 2.3; *Designing Data-Intensive
//! Applications*, chapter 8). Each effect of the matrix is allowed by some models and excluded by
//! others:
//!
//! | effect | allowed where |
//! |---|---|
//! | reset, refused, unreachable, lost, partition, truncated, empty | the network is fair-loss or arbitrary: a message or its end may be missing |
//! | bit-flip, garbage, older, error-body | the network is arbitrary, or a node is Byzantine: a message may say what nobody meant |
//! | late, pause, freeze, pause-task, slow-cpu, clock-step, clock-drift, coarse-clock, leap-second | timing is partially synchronous or asynchronous: there are moments, and errors of clocks, without a bound |
//! | crash, crash@N, crash-loop, crash-at-calls, power-off | nodes are crash-recovery or Byzantine: the effect starts the process again |
//! | partition, flap, loss, duplicate, refuse, reset, unreachable of a way | the network is fair-loss or arbitrary: messages may be lost and repeated |
//! | delay, jitter, reorder, stall, limp of a way, burst | timing is partially synchronous or asynchronous: there are no bounds of latency, or of what is asked |
//! | corrupt, eavesdrop, tamper, replay, inject on a way | the network is arbitrary: there is an adversary |
//! | lie, traitor | a node is Byzantine |
//! | disk-full, io-error, disk-fails, disk-reads-fail, disk-read-only, memory-limit | everywhere: the models say nothing of a machine that honestly reports an error |
//! | disk-slow | as pause |
//! | bit-rot, misplaced-write, disk-lost | nodes are Byzantine: a node that recovers has stable storage (Cachin, Guerraoui, Rodrigues 2011, 2.2), and this one has not |

use bizarro_record::{DiskTrouble, Effect, LinkTrouble, MachineFault, Trouble};
use core::fmt;
use serde::{Deserialize, Serialize};

/// What links may do to messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Network {
    /// A message is received if and only if it was sent.
    Reliable,
    /// Messages may be lost; one that is sent again and again arrives.
    FairLoss,
    /// An adversary may change, drop, forge and repeat messages.
    #[default]
    Arbitrary,
}

/// How nodes may fail.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Nodes {
    /// A node that fails is gone for ever.
    CrashStop,
    /// A node may fail at any moment and come back with its disk.
    #[default]
    CrashRecovery,
    /// A node may do anything.
    Byzantine,
}

/// What may be assumed of latencies and of the speed of nodes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Timing {
    /// Latency and execution speed have known bounds.
    Synchronous,
    /// They have bounds, but for finite periods.
    #[default]
    PartiallySynchronous,
    /// They have none.
    Asynchronous,
}

/// What a test has to survive. The default allows every effect of the matrix.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash, Serialize, Deserialize)]
pub struct SystemModel {
    /// The links.
    pub network: Network,
    /// The nodes.
    pub nodes: Nodes,
    /// The clock.
    pub timing: Timing,
}

impl SystemModel {
    /// Whether `effect` can happen in this model; the reasons are at the top of this file.
    pub fn allows(self, effect: Effect) -> bool {
        match effect {
            Effect::Reset
            | Effect::Refused
            | Effect::Unreachable
            | Effect::Lost
            | Effect::Partition
            | Effect::Truncated
            | Effect::Empty => self.network != Network::Reliable,
            Effect::BitFlip | Effect::Garbage | Effect::Older | Effect::ErrorBody => {
                self.network == Network::Arbitrary || self.nodes == Nodes::Byzantine
            }
            Effect::Late | Effect::Pause => self.timing != Timing::Synchronous,
            Effect::Crash | Effect::CrashAt(_) | Effect::PowerOff => self.nodes != Nodes::CrashStop,
            Effect::DiskFull | Effect::IoError => true,
        }
    }

    /// Whether `trouble` can happen in this model; the reasons are at the top of this file.
    pub fn allows_trouble(self, trouble: &Trouble) -> bool {
        match trouble {
            Trouble::Crash { .. } | Trouble::PowerOff { .. } => self.nodes != Nodes::CrashStop,
            Trouble::Machine { fault: MachineFault::CrashAtCalls(_), .. } => {
                self.nodes != Nodes::CrashStop
            }
            Trouble::Machine { fault: MachineFault::MemoryLimit(_), .. } => true,
            Trouble::Pause { .. }
            | Trouble::Clock { .. }
            | Trouble::LeapSecond(_)
            | Trouble::Disk { trouble: DiskTrouble::Slow(_), .. }
            | Trouble::Machine { .. } => self.timing != Timing::Synchronous,
            Trouble::CrashLoop { .. } => self.nodes != Nodes::CrashStop,
            Trouble::Disk { trouble, .. } => match trouble {
                DiskTrouble::Full(_)
                | DiskTrouble::Fails(_)
                | DiskTrouble::ReadsFail(_)
                | DiskTrouble::Slow(_)
                | DiskTrouble::ReadOnly => true,
                DiskTrouble::BitRot(_) | DiskTrouble::Misplaced | DiskTrouble::Lost => {
                    self.nodes == Nodes::Byzantine
                }
            },
            Trouble::Link { trouble, .. } => self.allows_on_link(*trouble),
            Trouble::Lie { .. } | Trouble::Traitor { .. } => self.nodes == Nodes::Byzantine,
            Trouble::Burst { .. } => self.timing != Timing::Synchronous,
        }
    }

    fn allows_on_link(self, trouble: LinkTrouble) -> bool {
        match trouble {
            LinkTrouble::Partition
            | LinkTrouble::Flap { .. }
            | LinkTrouble::Loss { .. }
            | LinkTrouble::Duplicate { .. }
            | LinkTrouble::Refuse
            | LinkTrouble::Reset
            | LinkTrouble::Unreachable => self.network != Network::Reliable,
            LinkTrouble::Delay { .. }
            | LinkTrouble::Jitter { .. }
            | LinkTrouble::Reorder { .. }
            | LinkTrouble::Stall
            | LinkTrouble::Limp { .. } => self.timing != Timing::Synchronous,
            LinkTrouble::Corrupt { .. }
            | LinkTrouble::Eavesdrop
            | LinkTrouble::Tamper { .. }
            | LinkTrouble::Replay { .. }
            | LinkTrouble::Inject { .. } => self.network == Network::Arbitrary,
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Network::Reliable => "reliable",
            Network::FairLoss => "fair-loss",
            Network::Arbitrary => "arbitrary",
        })
    }
}

impl fmt::Display for Nodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Nodes::CrashStop => "crash-stop",
            Nodes::CrashRecovery => "crash-recovery",
            Nodes::Byzantine => "Byzantine",
        })
    }
}

impl fmt::Display for Timing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Timing::Synchronous => "synchronous",
            Timing::PartiallySynchronous => "partially synchronous",
            Timing::Asynchronous => "asynchronous",
        })
    }
}

/// `fair-loss × crash-recovery × partially synchronous`
impl fmt::Display for SystemModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} × {} × {}", self.network, self.nodes, self.timing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::{String, ToString};
    use alloc::vec::Vec;

    #[track_caller]
    fn allowed(model: SystemModel, expected: &str) {
        let keys: Vec<_> =
            Effect::ALL.into_iter().filter(|e| model.allows(*e)).map(Effect::key).collect();
        assert_eq!(keys.join(" "), expected);
    }

    #[test]
    fn the_default_allows_every_effect() {
        let all: Vec<_> = Effect::ALL.into_iter().map(Effect::key).collect();
        allowed(SystemModel::default(), &all.join(" "));
    }

    #[test]
    fn the_kindest_model_leaves_honest_disk_errors() {
        let kind = SystemModel {
            network: Network::Reliable,
            nodes: Nodes::CrashStop,
            timing: Timing::Synchronous,
        };
        allowed(kind, "disk-full io-error");
    }

    #[test]
    fn a_fair_loss_network_does_not_invent_bytes() {
        let model = SystemModel { network: Network::FairLoss, ..SystemModel::default() };
        allowed(
            model,
            "reset refused unreachable lost partition late truncated empty disk-full io-error crash crash@ pause power-off",
        );
    }

    #[test]
    fn a_byzantine_node_sends_noise_over_a_reliable_network() {
        let model = SystemModel {
            network: Network::Reliable,
            nodes: Nodes::Byzantine,
            timing: Timing::Synchronous,
        };
        allowed(
            model,
            "bit-flip garbage older error-body disk-full io-error crash crash@ power-off",
        );
    }

    #[test]
    fn a_model_reads_like_the_literature() {
        let text: String = SystemModel::default().to_string();
        assert_eq!(text, "arbitrary × crash-recovery × partially synchronous");
    }
}
