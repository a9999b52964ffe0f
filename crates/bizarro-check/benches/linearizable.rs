//! How long checks take. `cargo bench -p bizarro-check` runs all of them; a word on the command line
//! selects those that have it in their name.
//!
//! With `BIZARRO_CORPORA` set, porcupine's test data is checked too: all of its etcd logs, and its key-value
//! histories with and without parts. Each figure is the median of several rounds, without reading the
//! files.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use bizarro_check::history::read::{Format, Limits, read};
use bizarro_check::history::{Builder, History, RawHistory, Value};
use bizarro_check::linearizable::{CoreSearch, Options, Report, Verdict, check};
use bizarro_check::model::{
    CasRegister, ContainerCall, ContainerReply, Discipline, Fifo, FromRaw, KeyValue, LeastFirst,
    Lifo, Model, PriorityQueue, Queue, Register, RegisterCall, RegisterReply, Set, SetCall,
    SetReply, Stack, Whole,
};

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|it| !it.starts_with('-')).collect();
    let bench = Bench { wanted };
    for (processes, operations) in [(5, 10_000), (20, 10_000), (5, 1_000_000)] {
        let history = register_history(processes, operations);
        let name = format!("register, {operations} by {processes}");
        bench.run(&name, || one(&Register::new(0), &history));
    }
    containers(&bench, 1_000_000);
    match std::env::var_os("BIZARRO_CORPORA") {
        Some(corpora) => corpora_benches(&bench, Path::new(&corpora)),
        None => eprintln!("SKIPPED: BIZARRO_CORPORA is not set"),
    }
}

/// Containers and sets of distinct values, with 20 processes.
fn containers(bench: &Bench, operations: i64) {
    let name = |what: &str| format!("{what}, {operations} by 20");
    let history = container_history::<Fifo>(operations);
    bench.run(&name("queue"), || one(&Queue::new(), &history));
    let history = container_history::<Lifo>(operations);
    bench.run(&name("stack"), || one(&Stack::new(), &history));
    let history = container_history::<LeastFirst>(operations);
    bench.run(&name("priority queue"), || one(&PriorityQueue::new(), &history));
    let history = history.translate(|call, outcome| {
        // Who takes removes what it took.
        Ok::<_, ()>(match (call, outcome.reply()) {
            (ContainerCall::Put(value), _) => {
                (SetCall::Add(*value), outcome.map(|_| SetReply::Done))
            }
            (ContainerCall::Take, Some(ContainerReply::Taken(value))) => {
                (SetCall::Remove(*value), outcome.map(|_| SetReply::Changed(true)))
            }
            (ContainerCall::Take, _) => {
                (SetCall::Contains(-1), outcome.map(|_| SetReply::Contains(false)))
            }
        })
    });
    let history = history.expect("all is translated");
    bench.run(&name("set"), || one(&Set::new(), &history));
}

/// What a process has asked of a container, and what it will be answered.
type Open = (ContainerCall<i64>, Option<ContainerReply<i64>>);

/// What a container answers whose every operation takes effect somewhere in its time.
fn container_history<D: Discipline<i64>>(
    operations: i64,
) -> History<ContainerCall<i64>, ContainerReply<i64>> {
    let mut builder = Builder::new();
    let (mut draw, mut held) = (1_u64, Vec::new());
    let mut next = |below: u64| {
        draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (draw >> 33) % below
    };
    // Of each process: what it asked, and what it will be answered.
    let mut open: Vec<Option<Open>> = vec![None; 20];
    let mut invoked = 0;
    while invoked < operations || open.iter().any(Option::is_some) {
        let at = next(20) as usize;
        match open[at].take() {
            None if invoked < operations => {
                invoked += 1;
                let puts = next(2) == 0 && held.len() < 1_000;
                // No two of them are equal, and they come in no order.
                let value = invoked.wrapping_mul(0x9e37_79b9) % (1 << 40);
                let call = if puts { ContainerCall::Put(value) } else { ContainerCall::Take };
                builder.invoke(at as i64, call).expect("it is idle");
                open[at] = Some((call, None));
            }
            None => {}
            Some((_, Some(reply))) => builder.ok(at as i64, reply).expect("it is open"),
            Some((call, None)) => {
                let reply = match call {
                    ContainerCall::Put(value) => {
                        held.insert(D::place(&held, &value), value);
                        ContainerReply::Put
                    }
                    ContainerCall::Take => {
                        held.pop().map_or(ContainerReply::Empty, ContainerReply::Taken)
                    }
                };
                open[at] = Some((call, Some(reply)));
            }
        }
    }
    builder.finish()
}

struct Bench {
    wanted: Vec<String>,
}

impl Bench {
    /// Runs and prints one, where it is wanted.
    fn run(&self, name: &str, mut body: impl FnMut() -> Cost) {
        if !self.wanted.is_empty() && !self.wanted.iter().any(|word| name.contains(word.as_str())) {
            return;
        }
        let begin = Instant::now();
        let (mut times, mut cost) = (Vec::new(), Cost::default());
        while times.len() < 3 || (times.len() < 15 && begin.elapsed() < Duration::from_secs(5)) {
            let start = Instant::now();
            cost = body();
            times.push(start.elapsed());
        }
        times.sort();
        let Cost { configurations, bytes, unknown } = cost;
        let unknown = if unknown > 0 { "  UNKNOWN: the budget ended" } else { "" };
        println!(
            "{name:28} {:>10.3} ms  {configurations:>9} configurations  {:>8.1} KiB{unknown}",
            times[times.len() / 2].as_secs_f64() * 1e3,
            bytes as f64 / 1024.0
        );
    }
}

#[derive(Default)]
struct Cost {
    configurations: u64,
    bytes: usize,
    /// How many checks ended without a verdict.
    unknown: usize,
}

impl Cost {
    fn add(&mut self, report: &Report) {
        self.configurations += report.configurations;
        self.bytes = self.bytes.max(report.bytes_peak);
        self.unknown += usize::from(matches!(report.verdict, Verdict::Unknown(_)));
    }
}

/// One thread, and no core: what porcupine does too.
fn options() -> Options {
    Options { core: CoreSearch::Skip, ..Options::default() }
}

fn corpora_benches(bench: &Bench, corpora: &Path) {
    let etcd: Vec<RawHistory> = (0..103)
        .map(|number| corpora.join(format!("porcupine-jepsen-etcd/etcd_{number:03}.log")))
        .filter(|path| path.exists())
        .map(|path| history(Format::EtcdLog, &path))
        .collect();
    let model = CasRegister::new(Value::Nil);
    let etcd: Vec<_> = etcd.iter().map(|raw| model.history(raw).expect("a register")).collect();
    bench.run(&format!("etcd, {} logs", etcd.len()), || {
        let mut cost = Cost::default();
        etcd.iter().for_each(|history| cost.add(&check(&model, history, &options())));
        cost
    });
    let model = KeyValue::new(Value::text(""));
    for name in ["c01-ok", "c01-bad", "c10-ok", "c10-bad", "c50-ok", "c50-bad"] {
        let raw = history(Format::JepsenEdn, &corpora.join(format!("porcupine-kv/{name}.txt")));
        let history = model.history(&raw).expect("a store");
        bench.run(&format!("{name}, by key"), || one(&model, &history));
        bench.run(&format!("{name}, whole"), || one(&Whole(model.clone()), &history));
    }
}

/// What processes see of a register that behaves. Every value is written once.
fn register_history(
    processes: u64,
    operations: u64,
) -> History<RegisterCall<u64>, RegisterReply<u64>> {
    let (mut builder, mut held, mut draw) = (Builder::new(), 0, 1_u64);
    // What each process waits for: nothing, an effect, or its reply.
    let mut effects: Vec<Option<RegisterReply<u64>>> = vec![None; processes as usize];
    let mut open = vec![None; processes as usize];
    let mut invoked = 0;
    while invoked < operations || open.iter().any(Option::is_some) {
        draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let at = ((draw >> 33) % processes) as usize;
        match (open[at], effects[at]) {
            (None, _) if invoked < operations => {
                invoked += 1;
                let writes = (draw >> 60) % 2 == 0;
                let call = if writes { RegisterCall::Write(invoked) } else { RegisterCall::Read };
                open[at] = Some(call);
                builder.invoke(at as i64, call).expect("it is idle");
            }
            (None, _) => {}
            (Some(RegisterCall::Read), None) => effects[at] = Some(RegisterReply::Value(held)),
            (Some(RegisterCall::Write(value)), None) => {
                (held, effects[at]) = (value, Some(RegisterReply::Written));
            }
            (Some(_), Some(reply)) => {
                (open[at], effects[at]) = (None, None);
                builder.ok(at as i64, reply).expect("it is open");
            }
        }
    }
    builder.finish()
}

fn one<M>(model: &M, history: &History<M::Call, M::Reply>) -> Cost
where
    M: Model + Sync,
    M::Call: Sync,
    M::Reply: Sync,
{
    let mut cost = Cost::default();
    cost.add(&check(model, history, &options()));
    cost
}

fn history(format: Format, path: &Path) -> RawHistory {
    let file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    read(format, file, &Limits::default()).expect("a history")
}
