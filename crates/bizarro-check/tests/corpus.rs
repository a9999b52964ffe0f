//! Histories of real systems with known verdicts, which are not part of this project: the directory that
//! `BIZARRO_CORPORA` names holds, for each set, a folder with a `VERDICTS.tsv`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use bizarro_check::budget::Budget;
use bizarro_check::checkers::{Answer, Case as Question, Checker, Consistency};
use bizarro_check::evidence::{verify, verify_weak};
use bizarro_check::history::read::{Format, Limits, read};
use bizarro_check::history::{Builder, RawHistory, Value};
use bizarro_check::linearizable::{Options, Verdict, check};
use bizarro_check::model::{Access, CasRegister, FromRaw, KeyValue, Model, MultiRegister, Mutex};
use bizarro_check::transactions::{self, weak, weak::GUARANTEES};

/// How many configurations the plain verifier may look at for one core.
const CORE_LIMIT: usize = 20_000;

#[test]
fn every_verdict_is_right_and_its_evidence_holds() {
    let Some(corpora) = std::env::var_os("BIZARRO_CORPORA").map(PathBuf::from) else {
        eprintln!("SKIPPED: BIZARRO_CORPORA is not set, so no history of another tool was checked");
        return;
    };
    let mut tally = Tally::default();
    for case in cases(&corpora) {
        tally.check(&case);
    }
    println!("{tally:#?}");
    assert!(tally.wrong.is_empty(), "{:#?}", tally.wrong);
    assert!(tally.right > 100, "only {} histories were found", tally.right);
}

/// A history, the model that it is of, and whether it is linearizable.
struct Case {
    path: PathBuf,
    format: Format,
    model: String,
    holds: bool,
}

fn cases(corpora: &Path) -> Vec<Case> {
    let mut cases = Vec::new();
    for (folder, model) in [("porcupine-jepsen-etcd", "etcd"), ("porcupine-kv", "key-value")] {
        for row in rows(&corpora.join(folder)) {
            cases.push(case(corpora.join(folder).join(&row[0]), model, &row[1]));
        }
    }
    for row in rows(&corpora.join("knossos")) {
        let path = row[0].trim_start_matches("knossos/");
        cases.push(case(corpora.join("knossos").join(path), &row[1], &row[2]));
    }
    for row in rows(&corpora.join("elle-cli")) {
        // The command line of elle-cli: `--model NAME FILE`.
        let (model, path) = (&row[2], &row[3]);
        if path.contains("/knossos/") {
            let path = corpora.join("elle-cli").join(path.trim_start_matches("histories/"));
            cases.push(case(path, model, &row[0]));
        }
    }
    cases
}

fn case(path: PathBuf, model: &str, holds: &str) -> Case {
    let extension = path.extension().and_then(|it| it.to_str()).expect("every file has one");
    let format = Format::of_extension(extension).expect("a known extension");
    let holds = holds.trim().parse().expect("true or false");
    Case { path, format, model: model.to_string(), holds }
}

/// Rows of a table, which may be separated by tabs or blanks.
fn rows(folder: &Path) -> Vec<Vec<String>> {
    let table = fs::read_to_string(folder.join("VERDICTS.tsv")).expect("a table of verdicts");
    table.lines().map(|line| line.split_whitespace().map(str::to_string).collect()).collect()
}

#[derive(Default, Debug)]
struct Tally {
    right: usize,
    minimal_cores: usize,
    largest_core: usize,
    verified: usize,
    cores_too_large_to_verify: Vec<String>,
    wrong: Vec<String>,
}

impl Tally {
    fn check(&mut self, case: &Case) {
        let file =
            File::open(&case.path).unwrap_or_else(|e| panic!("{}: {e}", case.path.display()));
        let raw = read(case.format, file, &Limits::default())
            .unwrap_or_else(|error| panic!("{}: {error}", case.path.display()));
        match case.model.as_str() {
            "etcd" => self.one(case, &raw, &CasRegister::new(Value::Nil)),
            "cas-register" => self.one(case, &raw, &CasRegister::new(Value::Int(0))),
            "multi-register" => self.one(case, &raw, &MultiRegister::new(Value::Int(0))),
            "key-value" => self.one(case, &raw, &KeyValue::new(Value::text(""))),
            "mutex" => self.one(case, &raw, &Mutex),
            other => panic!("no model {other}"),
        }
    }

    fn one<M>(&mut self, case: &Case, raw: &RawHistory, model: &M)
    where
        M: FromRaw + Model + Sync,
        M::Call: Sync,
        M::Reply: Sync,
    {
        let name = case.path.display();
        let history = model.history(raw).unwrap_or_else(|(at, why)| panic!("{name}: {at}: {why}"));
        let report = check(model, &history, &Options::default());
        let said = match &report.verdict {
            Verdict::Holds(_) => Some(true),
            Verdict::Violated(violation) => {
                self.minimal_cores += usize::from(violation.core.minimal);
                self.largest_core = self.largest_core.max(violation.core.operations.len());
                Some(false)
            }
            Verdict::Unknown(_) => None,
        };
        if said != Some(case.holds) {
            self.wrong.push(format!("{name}: {said:?}, but it is {}", case.holds));
            return;
        }
        self.right += 1;
        let evidence = report.verdict.evidence().expect("there is a verdict");
        match verify(model, &history, evidence, CORE_LIMIT) {
            Ok(()) => self.verified += 1,
            Err(bizarro_check::evidence::Doubt::TooLarge(_)) => {
                self.cores_too_large_to_verify.push(name.to_string());
            }
            Err(doubt) => self.wrong.push(format!("{name}: {doubt}")),
        }
    }
}

/// Histories of elle-cli that are not about linearizability, each with the checker that decides it.
#[test]
fn elle_and_jepsen_are_agreed_with() {
    let Some(corpora) = std::env::var_os("BIZARRO_CORPORA").map(PathBuf::from) else {
        eprintln!("SKIPPED: BIZARRO_CORPORA is not set, so no history of another tool was checked");
        return;
    };
    let mut right = 0;
    for row in rows(&corpora.join("elle-cli")) {
        let (model, path) = (row[2].as_str(), row[3].trim_start_matches("histories/"));
        let case = case(corpora.join("elle-cli").join(path), model, &row[0]);
        let checker = match model {
            "list-append" | "rw-register" | "counter" | "set-full" => model,
            // What is read at the end has to be there, as in a set that is read all the time.
            "set" => "set-full",
            // elle-cli lets accounts be overdrawn.
            "bank" => "bank-total",
            _ => continue,
        };
        let file = File::open(&case.path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let raw = read(case.format, file, &Limits::default()).unwrap();
        let said = match model {
            "rw-register" => rw_register_as_elle(&raw),
            _ => answer(checker, &raw),
        };
        assert_eq!(said, Some(case.holds), "{path}");
        right += 1;
    }
    assert!(right > 6, "only {right} histories were found");
}

/// Whether a checker says that a history holds.
fn answer(checker: &str, history: &RawHistory) -> Option<bool> {
    let case = Question {
        history,
        initial: None,
        consistency: Consistency::Linearizable,
        level: None,
        unwritten: transactions::Unwritten::Anomaly,
        options: Options::default(),
    };
    let checker = Checker::named(checker).expect("it is in the list");
    match (checker.check)(&case).expect("it is understood") {
        Answer::Holds => Some(true),
        Answer::Violated(_) => Some(false),
        Answer::Unknown(_) => None,
    }
}

/// Elle thinks nothing of a value that nobody wrote. There is one in this set.
fn rw_register_as_elle(raw: &RawHistory) -> Option<bool> {
    assert_eq!(answer("rw-register", raw), Some(false), "a value came out of nothing");
    let history = transactions::raw::registers(raw).expect("it is understood");
    let options = transactions::Options::default();
    let foreign = transactions::Unwritten::Foreign;
    let report = transactions::rw_register(&history, &Value::Nil, foreign, &options);
    match report.expect("every value is written once").verdict {
        transactions::Verdict::Holds(_) => Some(true),
        transactions::Verdict::Violated(_) => Some(false),
        transactions::Verdict::Unknown(_) => None,
    }
}

/// The example of Elle's paper, by what is wrong with it.
#[test]
fn the_paper_example_is_named_as_in_the_paper() {
    let Some(corpora) = std::env::var_os("BIZARRO_CORPORA").map(PathBuf::from) else {
        eprintln!("SKIPPED: BIZARRO_CORPORA is not set, so no history of another tool was checked");
        return;
    };
    let path = corpora.join("elle-cli/elle/paper-example.edn");
    let raw = read(Format::JepsenEdn, File::open(path).unwrap(), &Limits::default()).unwrap();
    let history = transactions::raw::lists(&raw).unwrap();
    let report = transactions::list_append(&history, &transactions::Options::default()).unwrap();
    let transactions::Verdict::Violated(anomalies) = report.verdict else {
        panic!("{:?}", report.verdict)
    };
    let names: Vec<String> = anomalies.iter().map(|it| it.phenomenon.to_string()).collect();
    assert!(names.contains(&"G-single".to_string()), "{names:?}");
}

/// The histories of AWDIT, in folders that say the strongest level that each has.
#[test]
fn awdit_is_agreed_with() {
    let Some(corpora) = std::env::var_os("BIZARRO_CORPORA").map(PathBuf::from) else {
        eprintln!("SKIPPED: BIZARRO_CORPORA is not set, so no history of another tool was checked");
        return;
    };
    let levels = ["none", "read-committed", "read-atomic", "causal"];
    let mut right = 0;
    for (strongest, folder) in levels.iter().enumerate() {
        let folder = corpora.join("awdit").join(folder);
        for file in files(&folder) {
            let history = awdit(&fs::read_to_string(&file).unwrap());
            for (at, name) in levels.iter().enumerate().skip(1) {
                let guarantee = GUARANTEES.iter().find(|(known, _)| known == name).unwrap().1;
                let (unwritten, budget) = (transactions::Unwritten::Anomaly, Budget::default());
                let options = weak::Options { guarantee, unwritten, budget };
                let verdict = weak::check(&history, &-1, &options).unwrap().verdict;
                let holds = matches!(verdict, weak::Verdict::Holds(_));
                assert_eq!(holds, at <= strongest, "{name}: {}", file.display());
                if history.len() < 100 {
                    assert_eq!(verify_weak(&history, &-1, guarantee, &verdict), Ok(()));
                }
                right += 1;
            }
        }
    }
    assert!(right > 20, "only {right} histories were found");
}

/// Every file in a folder, and in those in it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{folder:?}: {error}")) {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path),
        }
    }
    found.sort();
    found
}

/// Sessions are apart by lines of `=`, transactions by lines of `-`; an access is a line.
fn awdit(text: &str) -> transactions::RegisterHistory<i64> {
    let mut builder = Builder::new();
    for (process, session) in (0..).zip(text.split("=====")) {
        for transaction in session.split("-----") {
            let (mut call, mut seen) = (Vec::new(), Vec::new());
            for line in transaction.lines().filter(|line| !line.trim().is_empty()) {
                let words: Vec<&str> = line.split_whitespace().collect();
                let (key, value) = (words[1].parse().unwrap(), words[2].parse().unwrap());
                if words[0] == "w" {
                    call.push(Access::Write(key, value));
                } else {
                    call.push(Access::Read(key));
                    seen.push(Some(value));
                }
            }
            builder.invoke(process, call).unwrap();
            builder.ok(process, seen).unwrap();
        }
    }
    builder.finish()
}

#[test]
fn the_models_of_the_corpora_are_in_the_list_of_checkers() {
    for name in ["cas-register", "multi-register", "key-value", "mutex"] {
        assert!(Checker::named(name).is_some(), "{name}");
    }
}
