//! Texts about a host: proc(5) and its pages.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

use bizarro_record::Nanos;

use super::facts::HostFacts;
use super::table::ProcEntry;

/// The text of an entry that is about the host, or about what all hosts have alike.
pub(super) fn text(entry: ProcEntry, host: &HostFacts) -> Option<Vec<u8>> {
    let text = match entry {
        ProcEntry::Cpuinfo => cpuinfo(host),
        ProcEntry::Meminfo => meminfo(host),
        ProcEntry::HostStat => stat(host),
        ProcEntry::Uptime => format!("{} {}\n", seconds(host.uptime), seconds(host.idle)),
        ProcEntry::Loadavg => {
            format!("0.00 0.00 0.00 {}/{} {}\n", host.running, host.tasks, host.last_pid)
        }
        ProcEntry::Version => {
            format!("Linux version {} (bizarro@bizarro) {}\n", host.release, host.version)
        }
        ProcEntry::BootId => uuid(&host.boot_id),
        ProcEntry::Uuid => uuid(&host.uuid),
        ProcEntry::Hostname => format!("{}\n", host.hostname),
        ProcEntry::Osrelease => format!("{}\n", host.release),
        ProcEntry::KernelVersion => format!("{}\n", host.version),
        _ => String::from(constant(entry)?),
    };
    Some(text.into_bytes())
}

/// What is the same on every host: Linux's defaults on a machine of moderate size.
fn constant(entry: ProcEntry) -> Option<&'static str> {
    Some(match entry {
        ProcEntry::HostCmdline => "BOOT_IMAGE=/boot/vmlinuz root=/dev/sda1 ro quiet\n",
        ProcEntry::Filesystems => {
            "nodev\tsysfs\nnodev\ttmpfs\nnodev\tproc\nnodev\tdevtmpfs\n\text4\n"
        }
        ProcEntry::FileMax => "9223372036854775807\n",
        ProcEntry::NrOpen | ProcEntry::PipeMaxSize => "1048576\n",
        ProcEntry::CapLastCap => "40\n",
        ProcEntry::Domainname => "(none)\n",
        ProcEntry::NgroupsMax => "65536\n",
        ProcEntry::Ostype => "Linux\n",
        ProcEntry::Overflowgid | ProcEntry::Overflowuid => "65534\n",
        ProcEntry::PidMax => "4194304\n",
        ProcEntry::ThreadsMax => "127234\n",
        ProcEntry::EntropyAvail => "256\n",
        ProcEntry::Somaxconn => "4096\n",
        ProcEntry::RmemMax | ProcEntry::WmemMax => "212992\n",
        ProcEntry::IpLocalPortRange => "32768\t60999\n",
        ProcEntry::TcpMaxSynBacklog => "1024\n",
        ProcEntry::OvercommitMemory => "0\n",
        ProcEntry::MaxMapCount => "65530\n",
        ProcEntry::NetDev => {
            "Inter-|   Receive                                                |  Transmit\n \
             face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n    \
             lo:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0\n  \
             eth0:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0\n"
        }
        ProcEntry::NetIfInet6 => "00000000000000000000000000000001 01 80 10 80       lo\n",
        ProcEntry::NetRoute => {
            "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT                                                       \n"
        }
        ProcEntry::NetTcp => {
            "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode                                                     \n"
        }
        ProcEntry::NetUdp => {
            "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops            \n"
        }
        ProcEntry::NetTcp6 => {
            "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
        }
        ProcEntry::NetUdp6 => {
            "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n"
        }
        ProcEntry::NetUnix => "Num       RefCount Protocol Flags    Type St Inode Path\n",
        _ => return None,
    })
}

/// DIVERGENCE: the flags are those of every x86-64 CPU, on any machine, so that a run does not
/// depend on the machine through this file. The cpuid instruction still tells the truth.
const CPU_FLAGS: &str = "fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 \
                         clflush mmx fxsr sse sse2 ht syscall nx lm constant_tsc nopl";

fn cpuinfo(host: &HostFacts) -> String {
    let mut text = String::new();
    let cpus = host.cpus;
    for cpu in 0..cpus {
        let fields = [
            ("processor\t", format!("{cpu}")),
            ("vendor_id\t", String::from("GenuineIntel")),
            ("cpu family\t", String::from("6")),
            ("model\t\t", String::from("85")),
            ("model name\t", String::from("Bizarro CPU")),
            ("stepping\t", String::from("4")),
            ("microcode\t", String::from("0x1")),
            ("cpu MHz\t\t", String::from("2000.000")),
            ("cache size\t", String::from("16384 KB")),
            ("physical id\t", String::from("0")),
            ("siblings\t", format!("{cpus}")),
            ("core id\t\t", format!("{cpu}")),
            ("cpu cores\t", format!("{cpus}")),
            ("apicid\t\t", format!("{cpu}")),
            ("initial apicid\t", format!("{cpu}")),
            ("fpu\t\t", String::from("yes")),
            ("fpu_exception\t", String::from("yes")),
            ("cpuid level\t", String::from("13")),
            ("wp\t\t", String::from("yes")),
            ("flags\t\t", String::from(CPU_FLAGS)),
            ("bugs\t\t", String::new()),
            ("bogomips\t", String::from("4000.00")),
            ("clflush size\t", String::from("64")),
            ("cache_alignment\t", String::from("64")),
            ("address sizes\t", String::from("46 bits physical, 48 bits virtual")),
            ("power management", String::new()),
        ];
        for (name, value) in fields {
            let space = if value.is_empty() && name == "power management" { "" } else { " " };
            let _ = writeln!(text, "{name}:{space}{value}");
        }
        text.push('\n');
    }
    text
}

fn meminfo(host: &HostFacts) -> String {
    let (total, free) = (host.memory_total / 1024, host.memory_free / 1024);
    let rows = [
        ("MemTotal", total),
        ("MemFree", free),
        ("MemAvailable", free),
        ("Buffers", 0),
        ("Cached", 0),
        ("SwapCached", 0),
        ("Active", total - free.min(total)),
        ("Inactive", 0),
        ("SwapTotal", 0),
        ("SwapFree", 0),
        ("Dirty", 0),
        ("Writeback", 0),
        ("AnonPages", total - free.min(total)),
        ("Mapped", 0),
        ("Shmem", 0),
        ("KReclaimable", 0),
        ("Slab", 0),
        ("KernelStack", 0),
        ("PageTables", 0),
        ("CommitLimit", total / 2),
        ("Committed_AS", total - free.min(total)),
        ("VmallocTotal", 34_359_738_367),
        ("VmallocUsed", 0),
        ("VmallocChunk", 0),
    ];
    let mut text = String::new();
    for (name, value) in rows {
        let _ = writeln!(text, "{:<16}{value:>8} kB", format!("{name}:"));
    }
    text += "HugePages_Total:       0\nHugePages_Free:        0\nHugePages_Rsvd:        0\n";
    text += "HugePages_Surp:        0\nHugepagesize:       2048 kB\n";
    text
}

fn stat(host: &HostFacts) -> String {
    let cpus = u64::from(host.cpus.max(1));
    let all = ticks(host.uptime) * cpus;
    let idle = ticks(host.idle).min(all);
    let mut text = format!("cpu  {} 0 0 {idle} 0 0 0 0 0 0\n", all - idle);
    for cpu in 0..cpus {
        let _ = writeln!(text, "cpu{cpu} {} 0 0 {} 0 0 0 0 0 0", (all - idle) / cpus, idle / cpus);
    }
    let _ = write!(
        text,
        "intr 0\nctxt {}\nbtime {}\nprocesses {}\nprocs_running {}\nprocs_blocked 0\nsoftirq 0 0 0 0 0 0 0 0 0 0 0\n",
        host.switches, host.booted_s, host.forks, host.running
    );
    text
}

/// `12.34`
fn seconds(time: Nanos) -> String {
    let hundredths = time.0 / 10_000_000;
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// In units of `sysconf(_SC_CLK_TCK)`, which is 100.
pub(super) fn ticks(time: Nanos) -> u64 {
    time.0 / 10_000_000
}

/// RFC 9562's text, with version 4's bits set.
fn uuid(random: &[u8; 16]) -> String {
    let mut bytes = *random;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = String::new();
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        let _ = write!(text, "{byte:02x}");
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn host() -> HostFacts {
        HostFacts {
            hostname: String::from("board"),
            release: String::from("6.1.0"),
            version: String::from("#1 SMP"),
            cpus: 2,
            memory_total: 4 << 30,
            memory_free: 3 << 30,
            uptime: Nanos(12_345_678_901),
            idle: Nanos(20_000_000_000),
            booted_s: 1_767_225_600,
            running: 1,
            tasks: 7,
            last_pid: 42,
            switches: 99,
            forks: 8,
            boot_id: [0xff; 16],
            uuid: *b"0123456789abcdef",
        }
    }

    #[track_caller]
    fn check(entry: ProcEntry, expected: Expect) {
        expected.assert_eq(&String::from_utf8(text(entry, &host()).unwrap()).unwrap());
    }

    #[test]
    fn small_files() {
        check(ProcEntry::Uptime, expect!["12.34 20.00\n"]);
        check(ProcEntry::Loadavg, expect!["0.00 0.00 0.00 1/7 42\n"]);
        check(ProcEntry::Version, expect!["Linux version 6.1.0 (bizarro@bizarro) #1 SMP\n"]);
        check(ProcEntry::BootId, expect!["ffffffff-ffff-4fff-bfff-ffffffffffff\n"]);
        check(ProcEntry::Uuid, expect!["30313233-3435-4637-b839-616263646566\n"]);
        check(ProcEntry::Hostname, expect!["board\n"]);
    }

    #[test]
    fn stat_counts_in_hundredths_of_a_second() {
        check(
            ProcEntry::HostStat,
            expect![[r#"
                cpu  468 0 0 2000 0 0 0 0 0 0
                cpu0 234 0 0 1000 0 0 0 0 0 0
                cpu1 234 0 0 1000 0 0 0 0 0 0
                intr 0
                ctxt 99
                btime 1767225600
                processes 8
                procs_running 1
                procs_blocked 0
                softirq 0 0 0 0 0 0 0 0 0 0 0
            "#]],
        );
    }

    #[test]
    fn meminfo_and_cpuinfo_have_linux_columns() {
        let text = |entry| String::from_utf8(text(entry, &host()).unwrap()).unwrap();
        let memory = text(ProcEntry::Meminfo);
        assert!(memory.starts_with(
            "MemTotal:        4194304 kB\nMemFree:         3145728 kB\nMemAvailable:    3145728 kB\n"
        ));
        let cpus = text(ProcEntry::Cpuinfo);
        assert_eq!(cpus.matches("processor\t: ").count(), 2);
        assert!(cpus.contains("cpu cores\t: 2\n"));
        assert!(cpus.ends_with("power management:\n\n"));
    }

    #[test]
    fn interface_names_stand_where_linux_puts_them() {
        let text = String::from_utf8(text(ProcEntry::NetDev, &host()).unwrap()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].starts_with(" face |bytes    packets"));
        assert!(lines[2].starts_with("    lo:       0"));
        assert!(lines[3].starts_with("  eth0:       0"));
    }
}
