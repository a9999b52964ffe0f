//! The nodes of /proc, one row each. To add a file: a variant, its row in the same place, and its
//! text in `facts.rs` (or in the kernel, where it is not a matter of facts alone).

use crate::fs::types::FileType;

/// One row of the table.
pub(super) struct Row {
    pub(super) entry: ProcEntry,
    /// The directory that it is in.
    pub(super) parent: ProcEntry,
    /// Its name; empty where the name is a number.
    pub(super) name: &'static str,
    pub(super) kind: FileType,
    pub(super) mode: u32,
    /// It is about the host, not about a process.
    pub(super) pid_free: bool,
}

macro_rules! proc_entries {
    ($($(#[$doc:meta])* $entry:ident in $parent:ident: $scope:ident $kind:ident $mode:literal $name:literal;)*) => {
        /// What a node of /proc shows, proc(5).
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        #[repr(u8)]
        pub enum ProcEntry {
            $($(#[$doc])* #[doc = concat!("`", $name, "`")] $entry,)*
        }

        /// All rows; the position of a row is its entry's number.
        pub(super) const ROWS: &[Row] = &[
            $(Row {
                entry: ProcEntry::$entry,
                parent: ProcEntry::$parent,
                name: $name,
                kind: FileType::$kind,
                mode: $mode,
                pid_free: scope!($scope),
            },)*
        ];
    };
}

macro_rules! scope {
    (host) => {
        true
    };
    (process) => {
        false
    };
}

proc_entries! {
    /// /proc itself.
    Root in Root: host Directory 0o555 "";
    /// The caller's process:
    SelfLink in Root: host Symlink 0o777 "self";
    /// The caller's task:
    ThreadSelf in Root: host Symlink 0o777 "thread-self";
    /// CPUs:
    Cpuinfo in Root: host Regular 0o444 "cpuinfo";
    /// Memory:
    Meminfo in Root: host Regular 0o444 "meminfo";
    /// Counters since the boot:
    HostStat in Root: host Regular 0o444 "stat";
    /// Seconds since the boot:
    Uptime in Root: host Regular 0o444 "uptime";
    /// Load:
    Loadavg in Root: host Regular 0o444 "loadavg";
    /// The kernel's version:
    Version in Root: host Regular 0o444 "version";
    /// The kernel's command line:
    HostCmdline in Root: host Regular 0o444 "cmdline";
    /// File systems that are known:
    Filesystems in Root: host Regular 0o444 "filesystems";
    /// Link to the caller's mounts:
    HostMounts in Root: host Symlink 0o777 "mounts";
    /// Link to the caller's network:
    HostNet in Root: host Symlink 0o777 "net";

    /// Kernel parameters:
    Sys in Root: host Directory 0o555 "sys";
    /// Parameters of files:
    SysFs in Sys: host Directory 0o555 "fs";
    /// Parameters of the kernel:
    SysKernel in Sys: host Directory 0o555 "kernel";
    /// Parameters of the network:
    SysNet in Sys: host Directory 0o555 "net";
    /// Parameters of memory:
    SysVm in Sys: host Directory 0o555 "vm";
    /// Most open files of the host:
    FileMax in SysFs: host Regular 0o644 "file-max";
    /// Most descriptors of a process:
    NrOpen in SysFs: host Regular 0o644 "nr_open";
    /// Largest pipe of a user:
    PipeMaxSize in SysFs: host Regular 0o644 "pipe-max-size";
    /// Highest capability:
    CapLastCap in SysKernel: host Regular 0o444 "cap_last_cap";
    /// Name of the host:
    Hostname in SysKernel: host Regular 0o644 "hostname";
    /// NIS domain:
    Domainname in SysKernel: host Regular 0o644 "domainname";
    /// Most supplementary groups:
    NgroupsMax in SysKernel: host Regular 0o444 "ngroups_max";
    /// Release of the kernel:
    Osrelease in SysKernel: host Regular 0o444 "osrelease";
    /// Name of the system:
    Ostype in SysKernel: host Regular 0o444 "ostype";
    /// Group of ids that do not fit:
    Overflowgid in SysKernel: host Regular 0o644 "overflowgid";
    /// User of ids that do not fit:
    Overflowuid in SysKernel: host Regular 0o644 "overflowuid";
    /// Pids wrap here:
    PidMax in SysKernel: host Regular 0o644 "pid_max";
    /// Random numbers:
    SysRandom in SysKernel: host Directory 0o555 "random";
    /// Most tasks:
    ThreadsMax in SysKernel: host Regular 0o644 "threads-max";
    /// Build of the kernel:
    KernelVersion in SysKernel: host Regular 0o444 "version";
    /// Drawn at the boot:
    BootId in SysRandom: host Regular 0o444 "boot_id";
    /// Bits that are ready:
    EntropyAvail in SysRandom: host Regular 0o444 "entropy_avail";
    /// Drawn at each opening:
    Uuid in SysRandom: host Regular 0o444 "uuid";
    /// Parameters of sockets:
    SysNetCore in SysNet: host Directory 0o555 "core";
    /// Parameters of IPv4:
    SysNetIpv4 in SysNet: host Directory 0o555 "ipv4";
    /// Most connections that wait for accept(2):
    Somaxconn in SysNetCore: host Regular 0o644 "somaxconn";
    /// Largest receive buffer:
    RmemMax in SysNetCore: host Regular 0o644 "rmem_max";
    /// Largest send buffer:
    WmemMax in SysNetCore: host Regular 0o644 "wmem_max";
    /// Ephemeral ports:
    IpLocalPortRange in SysNetIpv4: host Regular 0o644 "ip_local_port_range";
    /// Half-open connections:
    TcpMaxSynBacklog in SysNetIpv4: host Regular 0o644 "tcp_max_syn_backlog";
    /// Whether memory may be promised twice:
    OvercommitMemory in SysVm: host Regular 0o644 "overcommit_memory";
    /// Most mappings of a process:
    MaxMapCount in SysVm: host Regular 0o644 "max_map_count";

    /// The directory of a process.
    Process in Root: process Directory 0o555 "";
    /// Auxiliary vector:
    Auxv in Process: process Regular 0o400 "auxv";
    /// Control groups:
    Cgroup in Process: process Regular 0o444 "cgroup";
    /// Arguments:
    Cmdline in Process: process Regular 0o444 "cmdline";
    /// Name:
    Comm in Process: process Regular 0o644 "comm";
    /// Working directory:
    Cwd in Process: process Symlink 0o777 "cwd";
    /// Environment:
    Environ in Process: process Regular 0o400 "environ";
    /// Program:
    Exe in Process: process Symlink 0o777 "exe";
    /// Descriptors:
    Fds in Process: process Directory 0o500 "fd";
    /// What is known of the descriptors:
    FdInfos in Process: process Directory 0o555 "fdinfo";
    /// I/O counters:
    Io in Process: process Regular 0o400 "io";
    /// Resource limits:
    Limits in Process: process Regular 0o444 "limits";
    /// Mappings:
    Maps in Process: process Regular 0o444 "maps";
    /// Mounts, with their tree:
    MountInfo in Process: process Regular 0o444 "mountinfo";
    /// Mounts:
    Mounts in Process: process Regular 0o444 "mounts";
    /// Network:
    Net in Process: process Directory 0o555 "net";
    /// How soon it is killed when memory is short:
    OomScore in Process: process Regular 0o444 "oom_score";
    /// What is added to that:
    OomScoreAdj in Process: process Regular 0o644 "oom_score_adj";
    /// Root directory:
    RootLink in Process: process Symlink 0o777 "root";
    /// Numbers:
    Stat in Process: process Regular 0o444 "stat";
    /// Memory in pages:
    Statm in Process: process Regular 0o444 "statm";
    /// Numbers, with names:
    Status in Process: process Regular 0o444 "status";
    /// Tasks:
    Tasks in Process: process Directory 0o555 "task";
    /// A descriptor.
    Fd in Fds: process Symlink 0o700 "";
    /// What is known of a descriptor.
    FdInfo in FdInfos: process Regular 0o400 "";
    /// A task.
    Task in Tasks: process Directory 0o555 "";
    /// Name of a task:
    TaskComm in Task: process Regular 0o644 "comm";
    /// Numbers of a task:
    TaskStat in Task: process Regular 0o444 "stat";
    /// Numbers of a task, with names:
    TaskStatus in Task: process Regular 0o444 "status";
    /// Interfaces:
    NetDev in Net: process Regular 0o444 "dev";
    /// IPv6 addresses:
    NetIfInet6 in Net: process Regular 0o444 "if_inet6";
    /// Routes:
    NetRoute in Net: process Regular 0o444 "route";
    /// TCP sockets:
    NetTcp in Net: process Regular 0o444 "tcp";
    /// TCP sockets over IPv6:
    NetTcp6 in Net: process Regular 0o444 "tcp6";
    /// UDP sockets:
    NetUdp in Net: process Regular 0o444 "udp";
    /// UDP sockets over IPv6:
    NetUdp6 in Net: process Regular 0o444 "udp6";
    /// Unix sockets:
    NetUnix in Net: process Regular 0o444 "unix";
}
