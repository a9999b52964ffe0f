//! No input takes more than its budget: hard histories given to checkers, and garbage without end to readers, each
//! in a process of its own whose memory and time are measured. With a budget of 1 GiB and ten seconds no more than
//! a tenth more is to be taken; this is the same with less of both.

use std::io::{self, Read};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bizarro_check::budget::Budget;
use bizarro_check::checkers::{Case, Checker, Consistency};
use bizarro_check::history::read::{FORMATS, Limits, read};
use bizarro_check::history::{Builder, Outcome, RawCall, RawHistory, Value};
use bizarro_check::linearizable::Options;
use bizarro_check::transactions::Unwritten;

/// Says to a process of this program what it does.
const WANTED: &str = "BIZARRO_BUDGET_TEST";
const MEMORY_BYTES: usize = 256 << 20;
const TIME: Duration = Duration::from_secs(4);
/// For readers, which have no budget of time: whoever opens a file can end it.
const READER_BYTES: usize = 16 << 20;
/// What may be taken besides: the program, and what is not counted to the byte.
const BESIDES_BYTES: usize = MEMORY_BYTES / 10 + (12 << 20);

/// A checker, and the history that it is given.
type Hard = (&'static str, fn() -> RawHistory);

/// The hard cases.
const HARD: &[Hard] = &[
    ("cas-register", unknown_changes),
    ("key-value", unknown_changes),
    ("multi-register", transactions),
    ("set", unknown_adds),
    ("queue", || unknown_takes("enqueue", "dequeue")),
    ("stack", || unknown_takes("push", "pop")),
    ("priority-queue", || unknown_takes("insert", "take-min")),
    ("counter", unknown_counts),
    ("rw-register", transactions),
    ("causal", sessions),
    ("writes-follow-reads", sessions),
    ("monotonic-writes", sessions),
    ("long-fork", transactions),
];

#[test]
fn budgets_are_kept() {
    if let Ok(wanted) = std::env::var(WANTED) {
        return child(&wanted);
    }
    let checkers = HARD.iter().map(|(name, _)| format!("check {name}"));
    let readers = FORMATS.iter().flat_map(|(_, name, ..)| {
        ["zeros", "nested", "text", "history"].map(|garbage| format!("read {name} {garbage}"))
    });
    let wrong: Vec<String> = checkers.chain(readers).filter_map(|it| measured(&it).err()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Runs a case in a process, and reads what that says of itself.
fn measured(wanted: &str) -> Result<(), String> {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["budgets_are_kept", "--exact", "--nocapture"])
        .env(WANTED, wanted)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let line = said.lines().find_map(|line| line.split_once("MEASURED "));
    let (_, line) = line.ok_or_else(|| format!("{wanted}: {said} {output:?}"))?;
    println!("{wanted:40} {line}");
    let mut numbers = line.split(' ').map(|it| it.parse::<usize>().unwrap());
    let (history, peak, millis) =
        (numbers.next().unwrap(), numbers.next().unwrap(), numbers.next().unwrap());
    let budget = if history > 0 { MEMORY_BYTES } else { READER_BYTES };
    let in_memory = peak.saturating_sub(history) <= budget + BESIDES_BYTES;
    // As much again for a machine that does something else meanwhile.
    let in_time = millis as u128 <= 2 * TIME.as_millis();
    if in_memory && in_time { Ok(()) } else { Err(format!("{wanted}: {line}")) }
}

fn child(wanted: &str) {
    let words: Vec<&str> = wanted.split(' ').collect();
    let budget = Budget { memory_bytes: MEMORY_BYTES, time: TIME };
    let (before, start);
    if words[0] == "read" {
        let format = FORMATS.iter().find(|(_, name, ..)| *name == words[1]).unwrap().0;
        let limits = Limits { memory_bytes_max: READER_BYTES, ..Limits::default() };
        (before, start) = (0, Instant::now());
        let error =
            read(format, Garbage::new(words[2], words[1]), &limits).expect_err("it is garbage");
        assert!(error.line > 0 && !error.problem.to_string().is_empty());
    } else {
        let (name, history) = HARD.iter().find(|(name, _)| *name == words[1]).unwrap();
        let history = history();
        let options = Options { budget, ..Options::default() };
        let unwritten = Unwritten::Anomaly;
        let case = Case {
            history: &history,
            initial: None,
            consistency: Consistency::Linearizable,
            level: None,
            unwritten,
            options,
        };
        (before, start) = (peak_bytes(), Instant::now());
        (Checker::named(name).unwrap().check)(&case).unwrap();
    }
    println!("MEASURED {before} {} {}", peak_bytes(), start.elapsed().as_millis());
}

/// The most memory that this process has held: proc(5), `VmHWM`.
fn peak_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    1024 * line.trim().trim_end_matches(" kB").parse::<usize>().unwrap()
}

/// Two gigabytes that are no history, or more history than there is room for.
struct Garbage {
    begin: &'static [u8],
    pattern: &'static [u8],
    left: usize,
    at: usize,
}

impl Garbage {
    fn new(kind: &str, format: &str) -> Garbage {
        let (begin, pattern): (&[u8], &[u8]) = match (kind, format) {
            ("zeros", _) => (b"", b"\0"),
            ("nested", _) => (b"", b"["),
            ("text", "jepsen-edn") => (b"{:process 0 :type :invoke :f :write :value \"", b"abc "),
            ("text", "json") => (b"{\"process\":0,\"type\":\"invoke\",\"f\":\"", b"abc "),
            ("history", "jepsen-edn") => (
                b"",
                b"{:process 0 :type :invoke :f :read :value nil}\n\
                  {:process 0 :type :ok :f :read :value 1}\n",
            ),
            ("history", "json") => (
                b"",
                b"{\"process\":0,\"type\":\"invoke\",\"f\":\"read\",\"value\":null}\n\
                  {\"process\":0,\"type\":\"ok\",\"f\":\"read\",\"value\":1}\n",
            ),
            _ => (b"INFO  jepsen.util - 0\t:invoke\t:read\t", b"abc "),
        };
        Garbage { begin, pattern, left: 2 << 30, at: 0 }
    }
}

impl Read for Garbage {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = buffer.len().min(self.left);
        for byte in &mut buffer[..count] {
            let behind = self.at.checked_sub(self.begin.len());
            *byte = match behind {
                None => self.begin[self.at],
                Some(at) => self.pattern[at % self.pattern.len()],
            };
            self.at += 1;
        }
        self.left -= count;
        Ok(count)
    }
}

/// A history while it is made.
struct Script {
    builder: Builder<RawCall, Value>,
    draw: u64,
}

impl Script {
    fn new() -> Script {
        Script { builder: Builder::new(), draw: 1 }
    }

    fn below(&mut self, limit: u64) -> i64 {
        self.draw =
            self.draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_889);
        ((self.draw >> 33) % limit) as i64
    }

    fn operation(&mut self, process: i64, function: &str, value: Value, outcome: Outcome<Value>) {
        let call = RawCall { function: function.into(), key: Some(Value::from(0)), value };
        self.builder.invoke(process, call).unwrap();
        self.builder.end(process, outcome).unwrap();
    }

    fn finish(self) -> RawHistory {
        self.builder.finish()
    }
}

/// Any of many changes may explain a read, and none does.
fn unknown_changes() -> RawHistory {
    let mut script = Script::new();
    for process in 0..80 {
        let pair = |one: i64, other: i64| Value::list([one, other].map(Value::from));
        script.operation(process, "cas", pair(process, process + 1), Outcome::Unknown);
        script.operation(process, "cas", pair(process + 1, process * 7 % 80), Outcome::Unknown);
        script.operation(process, "write", Value::from(process), Outcome::Unknown);
    }
    script.operation(-1, "read", Value::Nil, Outcome::Ok(Value::from(-5)));
    script.finish()
}

fn unknown_adds() -> RawHistory {
    let mut script = Script::new();
    for process in 0..80 {
        script.operation(process, "add", Value::from(process), Outcome::Unknown);
        script.operation(process, "remove", Value::from(process), Outcome::Unknown);
        script.operation(process, "add", Value::from(process), Outcome::Unknown);
    }
    let seen = Value::list([Value::from(-1)]);
    script.operation(-1, "read", Value::Nil, Outcome::Ok(seen));
    script.finish()
}

/// Nobody knows what was taken, and values are put twice.
fn unknown_takes(put: &str, take: &str) -> RawHistory {
    let mut script = Script::new();
    for process in 0..60 {
        script.operation(process, put, Value::from(process % 30), Outcome::Unknown);
        script.operation(process, take, Value::Nil, Outcome::Unknown);
    }
    script.operation(-1, take, Value::Nil, Outcome::Ok(Value::from(99)));
    script.finish()
}

fn unknown_counts() -> RawHistory {
    let mut script = Script::new();
    for process in 0..200 {
        script.operation(process, "add", Value::from(1 << (process % 50)), Outcome::Unknown);
    }
    script.operation(-1, "read", Value::Nil, Outcome::Ok(Value::from(-1)));
    script.finish()
}

/// Transactions of which it is not known who came first.
fn transactions() -> RawHistory {
    let mut script = Script::new();
    for value in 1..60_000 {
        let (key, other) = (script.below(20), script.below(20));
        let access = |function: &str, key: i64, value: Value| {
            Value::list([Value::text(function), Value::from(key), value])
        };
        let write = access("w", key, Value::from(value));
        let call = Value::list([write.clone(), access("r", other, Value::Nil)]);
        let seen = if key == other { Value::from(value) } else { Value::Nil };
        let reply = Value::list([write, access("r", other, seen)]);
        let process = script.below(50);
        script.operation(process, "txn", call, Outcome::Ok(reply));
    }
    script.finish()
}

/// Every operation is a session of its own, and sees what another one wrote.
fn sessions() -> RawHistory {
    let mut script = Script::new();
    for value in 1..60_000_i64 {
        let access = |function: &str, value: Value| {
            Value::list([Value::text(function), Value::from(0), value])
        };
        let seen = match value {
            1 => Value::Nil,
            _ => Value::from(1 + script.below(value as u64 - 1)),
        };
        let write = access("w", Value::from(value));
        let call = Value::list([access("r", Value::Nil), write.clone()]);
        let reply = Value::list([access("r", seen), write]);
        script.operation(value, "txn", call, Outcome::Ok(reply));
    }
    script.finish()
}
