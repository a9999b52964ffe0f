//! Texts about a process or a task: proc_pid_status(5), proc_pid_stat(5) and their like.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

use super::facts::{MapFacts, ProcFacts, ProcessFacts, TaskFacts};
use super::host_text::ticks;
use super::table::ProcEntry;
use crate::fs::types::Cred;

const PAGE: u64 = 4096;

/// The text of an entry that is about a process or a task.
pub(super) fn text(entry: ProcEntry, facts: &ProcFacts<'_>) -> Option<Vec<u8>> {
    let process = facts.process;
    Some(match entry {
        ProcEntry::Cmdline => process.cmdline.clone(),
        ProcEntry::Environ => process.environ.clone(),
        ProcEntry::Auxv => process.auxv.clone(),
        ProcEntry::Comm | ProcEntry::TaskComm => [&facts.task.comm[..], b"\n"].concat(),
        ProcEntry::Status | ProcEntry::TaskStatus => status(facts),
        ProcEntry::Stat | ProcEntry::TaskStat => stat(process, facts.task),
        ProcEntry::Statm => statm(process).into_bytes(),
        ProcEntry::Cgroup => b"0::/\n".to_vec(),
        ProcEntry::Limits => limits(process).into_bytes(),
        ProcEntry::Io => io(process).into_bytes(),
        ProcEntry::OomScore => {
            // LINUX: without memory in use the score is two thirds of 1000 plus the adjustment,
            // proc_pid_oom_score(5).
            let score = (1000 + process.oom_score_adj) * 2 / 3;
            format!("{}\n", score.max(0)).into_bytes()
        }
        ProcEntry::OomScoreAdj => format!("{}\n", process.oom_score_adj).into_bytes(),
        _ => return None,
    })
}

fn state_name(state: char) -> &'static str {
    match state {
        'R' => "running",
        'S' => "sleeping",
        'D' => "disk sleep",
        'T' => "stopped",
        'Z' => "zombie",
        _ => "idle",
    }
}

fn status(facts: &ProcFacts<'_>) -> Vec<u8> {
    let (process, task) = (facts.process, facts.task);
    let mut text = b"Name:\t".to_vec();
    text.extend_from_slice(&task.comm);
    let mut rest = String::new();
    identity(&mut rest, process, task);
    memory(&mut rest, process);
    signals(&mut rest, process, task);
    confinement(&mut rest, process, facts.host.cpus, task);
    text.extend_from_slice(rest.as_bytes());
    text
}

fn identity(text: &mut String, process: &ProcessFacts, task: &TaskFacts) {
    let Cred { uid, gid } = process.cred.unwrap_or(Cred::ROOT);
    let ProcessFacts { pid, ppid, pgid, sid, .. } = process;
    let tid = task.tid;
    let _ = write!(
        text,
        "\nUmask:\t{:04o}\nState:\t{} ({})\nTgid:\t{pid}\nNgid:\t0\nPid:\t{tid}\nPPid:\t{ppid}\n\
         TracerPid:\t0\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\nGid:\t{gid}\t{gid}\t{gid}\t{gid}\n\
         FDSize:\t{}\nGroups:\t \nNStgid:\t{pid}\nNSpid:\t{tid}\nNSpgid:\t{pgid}\nNSsid:\t{sid}\n",
        process.umask,
        task.state,
        state_name(task.state),
        process.fd_size,
    );
}

fn memory(text: &mut String, process: &ProcessFacts) {
    let rows = [
        ("VmPeak", process.memory_mapped),
        ("VmSize", process.memory_mapped),
        ("VmLck", 0),
        ("VmPin", 0),
        ("VmHWM", process.memory_resident),
        ("VmRSS", process.memory_resident),
        ("RssAnon", process.memory_resident),
        ("RssFile", 0),
        ("RssShmem", 0),
        ("VmData", process.memory_data),
        ("VmStk", process.memory_stack),
        ("VmExe", process.memory_text),
        ("VmLib", 0),
        ("VmPTE", 0),
        ("VmSwap", 0),
    ];
    for (name, bytes) in rows {
        let _ = writeln!(text, "{name}:\t{:>8} kB", bytes / 1024);
    }
}

fn signals(text: &mut String, process: &ProcessFacts, task: &TaskFacts) {
    let _ = write!(
        text,
        "CoreDumping:\t0\nTHP_enabled:\t1\nThreads:\t{}\nSigQ:\t0/63617\nSigPnd:\t{:016x}\n\
         ShdPnd:\t{:016x}\nSigBlk:\t{:016x}\nSigIgn:\t{:016x}\nSigCgt:\t{:016x}\n",
        process.threads,
        task.signals.pending,
        process.pending,
        task.signals.blocked,
        task.signals.ignored,
        task.signals.caught,
    );
}

fn confinement(text: &mut String, process: &ProcessFacts, cpus: u32, task: &TaskFacts) {
    let all = if process.cred.unwrap_or(Cred::ROOT).is_root() { 0x1ff_ffff_ffffu64 } else { 0 };
    let mask = if cpus >= 32 { u32::MAX } else { (1 << cpus.max(1)) - 1 };
    let list = if cpus <= 1 { String::from("0") } else { format!("0-{}", cpus - 1) };
    let _ = write!(
        text,
        "CapInh:\t{:016x}\nCapPrm:\t{all:016x}\nCapEff:\t{all:016x}\nCapBnd:\t{:016x}\n\
         CapAmb:\t{:016x}\nNoNewPrivs:\t0\nSeccomp:\t0\nSeccomp_filters:\t0\n\
         Speculation_Store_Bypass:\tnot vulnerable\nSpeculationIndirectBranch:\tnot affected\n\
         Cpus_allowed:\t{mask:x}\nCpus_allowed_list:\t{list}\nMems_allowed:\t1\n\
         Mems_allowed_list:\t0\nvoluntary_ctxt_switches:\t{}\nnonvoluntary_ctxt_switches:\t{}\n",
        0, 0x1ff_ffff_ffffu64, 0, task.voluntary_switches, task.involuntary_switches,
    );
}

/// The 52 fields of proc_pid_stat(5), in its order.
fn stat(process: &ProcessFacts, task: &TaskFacts) -> Vec<u8> {
    let mut text = format!("{} (", task.tid).into_bytes();
    text.extend_from_slice(&task.comm);
    let ProcessFacts { ppid, pgid, sid, threads, .. } = process;
    let rest = format!(
        ") {} {ppid} {pgid} {sid} 0 -1 4194304 0 0 0 0 {} {} 0 0 20 0 {threads} 0 {} {} {} {} \
         0 0 0 0 0 {} {} {} {} 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n",
        task.state,
        ticks(process.user_time),
        ticks(process.system_time),
        ticks(process.started),
        process.memory_mapped,
        process.memory_resident / PAGE,
        u64::MAX,
        task.signals.pending & 0x7fff_ffff,
        task.signals.blocked & 0x7fff_ffff,
        task.signals.ignored & 0x7fff_ffff,
        task.signals.caught & 0x7fff_ffff,
    );
    text.extend_from_slice(rest.as_bytes());
    text
}

fn statm(process: &ProcessFacts) -> String {
    let pages = |bytes: u64| bytes / PAGE;
    format!(
        "{} {} 0 {} 0 {} 0\n",
        pages(process.memory_mapped),
        pages(process.memory_resident),
        pages(process.memory_text),
        pages(process.memory_data + process.memory_stack),
    )
}

/// The column at which proc_pid_maps(5) writes the name of a mapping.
const MAP_NAME_COLUMN: usize = 73;

/// proc_pid_maps(5).
pub(in crate::fs) fn maps(maps: &[MapFacts]) -> Vec<u8> {
    let mut text = Vec::new();
    for map in maps {
        let flag = |bit: i32, letter: char| if map.prot & bit != 0 { letter } else { '-' };
        let mut line = format!(
            "{:08x}-{:08x} {}{}{}{} {:08x} {:02x}:{:02x} {} ",
            map.start,
            map.end,
            flag(libc::PROT_READ, 'r'),
            flag(libc::PROT_WRITE, 'w'),
            flag(libc::PROT_EXEC, 'x'),
            if map.shared { 's' } else { 'p' },
            map.offset,
            map.dev.0,
            map.dev.1,
            map.ino.map_or(0, |ino| ino.0),
        );
        if !map.name.is_empty() {
            while line.len() < MAP_NAME_COLUMN {
                line.push(' ');
            }
        }
        text.extend_from_slice(line.as_bytes());
        text.extend_from_slice(&map.name);
        text.push(b'\n');
    }
    text
}

/// Names and units of the resources, in the order of their numbers.
const LIMITS: [(&str, &str); 16] = [
    ("Max cpu time", "seconds"),
    ("Max file size", "bytes"),
    ("Max data size", "bytes"),
    ("Max stack size", "bytes"),
    ("Max core file size", "bytes"),
    ("Max resident set", "bytes"),
    ("Max processes", "processes"),
    ("Max open files", "files"),
    ("Max locked memory", "bytes"),
    ("Max address space", "bytes"),
    ("Max file locks", "locks"),
    ("Max pending signals", "signals"),
    ("Max msgqueue size", "bytes"),
    ("Max nice priority", ""),
    ("Max realtime priority", ""),
    ("Max realtime timeout", "us"),
];

fn limits(process: &ProcessFacts) -> String {
    let row = |name: &str, soft: &str, hard: &str, unit: &str| {
        format!("{name:<25} {soft:<20} {hard:<20} {unit:<10}\n")
    };
    let value = |limit: u64| match limit {
        u64::MAX => String::from("unlimited"),
        limit => format!("{limit}"),
    };
    let mut text = row("Limit", "Soft Limit", "Hard Limit", "Units");
    for ((name, unit), (soft, hard)) in LIMITS.iter().zip(&process.limits.0) {
        if unit.is_empty() {
            // LINUX: a limit without a unit has no space after its last column's padding.
            text += &format!("{name:<25} {:<20} {:<20} \n", value(*soft), value(*hard));
        } else {
            text += &row(name, &value(*soft), &value(*hard), unit);
        }
    }
    text
}

fn io(process: &ProcessFacts) -> String {
    let io = process.io;
    format!(
        "rchar: {}\nwchar: {}\nsyscr: {}\nsyscw: {}\nread_bytes: {}\nwrite_bytes: {}\ncancelled_write_bytes: 0\n",
        io.read_chars,
        io.written_chars,
        io.read_calls,
        io.write_calls,
        io.read_bytes,
        io.written_bytes
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::procfs::{HostFacts, LimitFacts, SignalFacts};
    use crate::fs::types::Ino;
    use bizarro_record::Nanos;
    use expect_test::{Expect, expect};

    fn process() -> ProcessFacts {
        let mut limits = LimitFacts::default();
        limits.0[libc::RLIMIT_NOFILE as usize] = (1024, 4096);
        ProcessFacts {
            pid: 7,
            ppid: 1,
            pgid: 7,
            sid: 1,
            cmdline: b"guest\0--flag\0".to_vec(),
            threads: 2,
            umask: 0o022,
            fd_size: 64,
            memory_mapped: 8 << 20,
            memory_resident: 4 << 20,
            memory_stack: 132 << 10,
            memory_data: 1 << 20,
            memory_text: 2 << 20,
            started: Nanos(1_500_000_000),
            user_time: Nanos(30_000_000),
            system_time: Nanos(20_000_000),
            limits,
            pending: 1 << 14,
            ..ProcessFacts::default()
        }
    }

    fn shown(entry: ProcEntry, process: &ProcessFacts) -> String {
        let host = HostFacts { cpus: 2, ..HostFacts::default() };
        let task = TaskFacts {
            tid: 8,
            comm: b"wor) ker".to_vec(),
            state: 'S',
            signals: SignalFacts { blocked: 4, ignored: 0x1000, ..SignalFacts::default() },
            voluntary_switches: 5,
            involuntary_switches: 6,
        };
        let facts = ProcFacts { host: &host, process, task: &task };
        String::from_utf8(text(entry, &facts).unwrap()).unwrap()
    }

    #[track_caller]
    fn check(entry: ProcEntry, expected: Expect) {
        expected.assert_eq(&shown(entry, &process()));
    }

    #[test]
    fn status_has_the_rows_of_linux() {
        check(
            ProcEntry::TaskStatus,
            expect![[r#"
            Name:	wor) ker
            Umask:	0022
            State:	S (sleeping)
            Tgid:	7
            Ngid:	0
            Pid:	8
            PPid:	1
            TracerPid:	0
            Uid:	0	0	0	0
            Gid:	0	0	0	0
            FDSize:	64
            Groups:	 
            NStgid:	7
            NSpid:	8
            NSpgid:	7
            NSsid:	1
            VmPeak:	    8192 kB
            VmSize:	    8192 kB
            VmLck:	       0 kB
            VmPin:	       0 kB
            VmHWM:	    4096 kB
            VmRSS:	    4096 kB
            RssAnon:	    4096 kB
            RssFile:	       0 kB
            RssShmem:	       0 kB
            VmData:	    1024 kB
            VmStk:	     132 kB
            VmExe:	    2048 kB
            VmLib:	       0 kB
            VmPTE:	       0 kB
            VmSwap:	       0 kB
            CoreDumping:	0
            THP_enabled:	1
            Threads:	2
            SigQ:	0/63617
            SigPnd:	0000000000000000
            ShdPnd:	0000000000004000
            SigBlk:	0000000000000004
            SigIgn:	0000000000001000
            SigCgt:	0000000000000000
            CapInh:	0000000000000000
            CapPrm:	000001ffffffffff
            CapEff:	000001ffffffffff
            CapBnd:	000001ffffffffff
            CapAmb:	0000000000000000
            NoNewPrivs:	0
            Seccomp:	0
            Seccomp_filters:	0
            Speculation_Store_Bypass:	not vulnerable
            SpeculationIndirectBranch:	not affected
            Cpus_allowed:	3
            Cpus_allowed_list:	0-1
            Mems_allowed:	1
            Mems_allowed_list:	0
            voluntary_ctxt_switches:	5
            nonvoluntary_ctxt_switches:	6
        "#]],
        );
    }

    #[test]
    fn stat_has_fifty_two_fields_whatever_the_name_holds() {
        check(
            ProcEntry::TaskStat,
            expect![[r#"
            8 (wor) ker) S 1 7 1 0 -1 4194304 0 0 0 0 3 2 0 0 20 0 2 0 150 8388608 1024 18446744073709551615 0 0 0 0 0 0 4 4096 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0
        "#]],
        );
        let stat = shown(ProcEntry::Stat, &process());
        let (name, rest) = stat.rsplit_once(')').unwrap();
        assert_eq!((name, rest.split_whitespace().count()), ("8 (wor) ker", 50));
    }

    #[test]
    fn small_files() {
        check(
            ProcEntry::Statm,
            expect![[r#"
            2048 1024 0 512 0 289 0
        "#]],
        );
        check(
            ProcEntry::Comm,
            expect![[r#"
            wor) ker
        "#]],
        );
        check(
            ProcEntry::Io,
            expect![[r#"
            rchar: 0
            wchar: 0
            syscr: 0
            syscw: 0
            read_bytes: 0
            write_bytes: 0
            cancelled_write_bytes: 0
        "#]],
        );
        check(
            ProcEntry::OomScore,
            expect![[r#"
            666
        "#]],
        );
        check(
            ProcEntry::Cgroup,
            expect![[r#"
            0::/
        "#]],
        );
        assert_eq!(shown(ProcEntry::Cmdline, &process()), "guest\0--flag\0");
    }

    #[test]
    fn limits_stand_in_columns() {
        let text = shown(ProcEntry::Limits, &process());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 17);
        assert_eq!(
            lines[0],
            "Limit                     Soft Limit           Hard Limit           Units     "
        );
        assert_eq!(
            lines[8],
            "Max open files            1024                 4096                 files     "
        );
        assert_eq!(
            lines[14],
            "Max nice priority         unlimited            unlimited            "
        );
    }

    #[test]
    fn mappings_stand_in_columns() {
        let maps = Vec::from([
            MapFacts {
                start: 0x5621_454a_2000,
                end: 0x5621_454a_4000,
                prot: libc::PROT_READ,
                dev: (254, 0),
                ino: Some(Ino(247_030)),
                name: b"/usr/bin/cat".to_vec(),
                ..MapFacts::default()
            },
            MapFacts {
                start: 0x10000,
                end: 0x20000,
                prot: libc::PROT_READ | libc::PROT_WRITE,
                shared: true,
                offset: 0x3000,
                ..MapFacts::default()
            },
        ]);
        let text = String::from_utf8(super::maps(&maps)).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[0],
            "5621454a2000-5621454a4000 r--p 00000000 fe:00 247030                     /usr/bin/cat"
        );
        assert_eq!(lines[1], "00010000-00020000 rw-s 00003000 00:00 0 ");
    }
}
