//! Beside porcupine, in one interleaved run: `cargo bench -p bizarro-check --bench porcupine`.
//!
//! `BIZARRO_CORPORA` is a folder with porcupine's test data, and `BIZARRO_PORCUPINE` a program that checks such files
//! with porcupine. It is called `PROGRAM KIND FILE…`, where KIND is `etcd`, `kv` (by key) or `kv-whole`, and writes a
//! line: the nanoseconds that the checks took without reading the files, a `1` or a `0` for each file that holds or
//! does not, and the most KiB that the process held. This program does the same when it is called so. Each check is a
//! process of its own, on one thread; the two take turns, and medians are compared.

mod common;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use bizarro_check::history::read::{Format, Limits, read};
use bizarro_check::history::{History, RawHistory, Value};
use bizarro_check::linearizable::{CoreSearch, Options, Verdict, check};
use bizarro_check::model::{CasRegister, FromRaw, KeyValue, Model, Whole};
use common::peak_mib;

const ROUNDS: usize = 5;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|it| it != "--bench").collect();
    if let Some((kind, files)) = arguments.split_first() {
        return one(kind, files);
    }
    let variable = |name| std::env::var_os(name).map(PathBuf::from);
    let (Some(corpora), Some(porcupine)) =
        (variable("BIZARRO_CORPORA"), variable("BIZARRO_PORCUPINE"))
    else {
        eprintln!("SKIPPED: BIZARRO_CORPORA and BIZARRO_PORCUPINE are not both set");
        return;
    };
    let me = std::env::current_exe().expect("this program has a path");
    println!(
        "{:20} {:>12} {:>12} {:>7} {:>11} {:>11} {:>7}",
        "", "ours", "theirs", "faster", "ours", "theirs", "memory"
    );
    for (name, kind, files) in cases(&corpora) {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            ours.push(asked(&me, kind, &files));
            theirs.push(asked(&porcupine, kind, &files));
        }
        let verdicts = |all: &[Said]| all[0].verdicts.clone();
        assert_eq!(verdicts(&ours), verdicts(&theirs), "{name}");
        let (ours, theirs) = (median(ours), median(theirs));
        println!(
            "{name:20} {:>9.3} ms {:>9.3} ms {:>6.1}x {:>7.1} MiB {:>7.1} MiB {:>6.2}x",
            ours.0,
            theirs.0,
            theirs.0 / ours.0,
            ours.1,
            theirs.1,
            ours.1 / theirs.1,
        );
    }
}

/// A name, a kind, and files.
type Case = (String, &'static str, Vec<PathBuf>);

fn cases(corpora: &Path) -> Vec<Case> {
    let logs =
        (0..103).map(|number| corpora.join(format!("porcupine-jepsen-etcd/etcd_{number:03}.log")));
    let logs: Vec<PathBuf> = logs.filter(|path| path.exists()).collect();
    let mut cases = vec![(format!("etcd, {} logs", logs.len()), "etcd", logs)];
    let kv = |name: &str| corpora.join(format!("porcupine-kv/{name}.txt"));
    for name in ["c01-ok", "c01-bad", "c10-ok", "c10-bad", "c50-ok", "c50-bad"] {
        cases.push((format!("{name}, by key"), "kv", vec![kv(name)]));
    }
    // Porcupine does not come to an end with the others.
    for name in ["c01-ok", "c01-bad", "c10-ok", "c10-bad"] {
        cases.push((format!("{name}, whole"), "kv-whole", vec![kv(name)]));
    }
    cases.retain(|(.., files)| files.iter().all(|file| file.exists()));
    cases
}

/// What a process said.
struct Said {
    millis: f64,
    verdicts: String,
    peak_mib: f64,
}

fn asked(program: &Path, kind: &str, files: &[PathBuf]) -> Said {
    let output = Command::new(program).arg(kind).args(files).env("GOMAXPROCS", "1").output();
    let output = output.unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    let said = String::from_utf8_lossy(&output.stdout);
    let words: Vec<&str> = said.split_whitespace().collect();
    let [nanos, verdicts, peak_kib] = words[..] else {
        panic!("{}: {output:?}", program.display())
    };
    let number = |text: &str| text.parse::<f64>().expect("a number");
    Said {
        millis: number(nanos) / 1e6,
        verdicts: verdicts.to_string(),
        peak_mib: number(peak_kib) / 1024.0,
    }
}

/// Milliseconds and MiB.
fn median(mut said: Vec<Said>) -> (f64, f64) {
    let mut middle = |by: fn(&Said) -> f64| {
        said.sort_by(|one, other| by(one).total_cmp(&by(other)));
        by(&said[said.len() / 2])
    };
    (middle(|it| it.millis), middle(|it| it.peak_mib))
}

/// Checks files, and says what porcupine's program says.
fn one(kind: &str, files: &[String]) {
    let format = if kind == "etcd" { Format::EtcdLog } else { Format::JepsenEdn };
    let raw = files.iter().map(|path| {
        let file = File::open(path).unwrap_or_else(|error| panic!("{path}: {error}"));
        read(format, file, &Limits::default()).expect("a history")
    });
    let store = KeyValue::new(Value::text(""));
    match kind {
        "etcd" => all(&CasRegister::new(Value::Nil), &CasRegister::new(Value::Nil), raw),
        "kv" => all(&store, &store, raw),
        "kv-whole" => all(&Whole(store.clone()), &store, raw),
        other => panic!("no kind is called {other}"),
    }
}

fn all<M, U>(model: &M, understands: &U, raw: impl Iterator<Item = RawHistory>)
where
    U: FromRaw,
    M: Model<Call = U::Call, Reply = U::Reply> + Sync,
    M::Call: Sync,
    M::Reply: Sync,
{
    let histories: Vec<History<M::Call, M::Reply>> =
        raw.map(|raw| understands.history(&raw).expect("the model knows it")).collect();
    let options = Options { core: CoreSearch::Skip, ..Options::default() };
    let start = Instant::now();
    let verdicts = histories.iter().map(|history| match check(model, history, &options).verdict {
        Verdict::Holds(_) => '1',
        Verdict::Violated(_) => '0',
        Verdict::Unknown(_) => '?',
    });
    let verdicts: String = verdicts.collect();
    println!("{} {verdicts} {:.0}", start.elapsed().as_nanos(), peak_mib() * 1024.0);
}
