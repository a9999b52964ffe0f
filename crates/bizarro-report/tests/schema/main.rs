//! The report as data: what `docs/report.md` says of it is what is in it.

#[path = "../page/sample.rs"]
mod sample;
mod traces;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use bizarro_explore::toy::{Player, Toy};
use bizarro_record::event::OpOutcome;
use bizarro_record::{Effect, Event, Incident, Nanos, Plan, RunRecord, Stamped, Stream};
use bizarro_report::report::{Document, EVENTS_MAX, Report, TEXT_MAX, VERSION, What};
use serde_json::Value;

const PAGE: &str = include_str!("../../../../docs/report.md");

/// The types of a report, the fields that hold a value of another, and which.
const NESTED: [(&str, &str, &str); 22] = [
    ("Document", "tests", "Report"),
    ("Report", "world", "World"),
    ("Report", "summary", "Summary"),
    ("Report", "properties", "Property"),
    ("Report", "exchanges", "ExchangeName"),
    ("Report", "cells", "Cell"),
    ("Report", "findings", "Finding"),
    ("Report", "edges", "Edge"),
    ("Report", "dependencies", "Dependency"),
    ("Dependency", "removals", "Removal"),
    ("Report", "runs", "Run"),
    ("World", "hosts", "Host"),
    ("World", "links", "Link"),
    ("Cell", "variants", "Variant"),
    ("Variant", "impact", "Impact"),
    ("Finding", "impact", "Impact"),
    ("Run", "broken", "Violation"),
    ("Run", "tasks", "Task"),
    ("Run", "exchanges", "Exchange"),
    ("Run", "events", "Event"),
    // Lists of texts, which hold nothing.
    ("Run", "doubts", ""),
    ("Run", "missed", ""),
];

/// A run in which everything happens once.
fn everything() -> RunRecord {
    let mut record = sample::busy(2, Some(1));
    let text = "t".to_string();
    let backtrace = "main at src/main.rs:1".to_string();
    let incident: Box<Incident> = Box::new("at 3s: pause board".parse().unwrap());
    let all = [
        Event::Started { incarnation: 1 },
        Event::Exited { status: 1, backtrace: backtrace.clone() },
        Event::Killed { signal: 11, backtrace: backtrace.clone() },
        Event::Panicked { message: text.clone(), backtrace: backtrace.clone() },
        Event::Crashed,
        Event::PowerFailed { change: 9 },
        Event::Began { incident: incident.clone(), trouble: Box::new(incident.trouble.clone()) },
        Event::Healed { incident },
        Event::Milestone { name: text.clone() },
        Event::Paused { until: Nanos(9) },
        Event::Output { stream: Stream::Stdout, line: text.clone() },
        Event::Output { stream: Stream::Stderr, line: text.clone() },
        Event::Unsupported { call: text.clone() },
        Event::Removed { server: 1, effect: Effect::Refused },
        Event::Felt {
            trouble: Box::new("loss a<>b 1/3".parse().expect("a trouble")),
            to: 1,
            label: text.clone(),
        },
        Event::Overheard { to: 1, bytes: vec![1] },
        Event::Returned { op: 1, outcome: OpOutcome::Fail, value: vec![] },
        Event::Returned { op: 2, outcome: OpOutcome::Unknown, value: vec![] },
        Event::Note { text: text.clone() },
    ];
    let at = record.stats.virtual_time;
    record.events.extend(all.map(|event| Stamped { at, host: 0, tid: 1, event }));
    let task = bizarro_record::record::TaskState {
        host: text.clone(),
        tid: 1,
        name: text.clone(),
        waits_for: text,
        backtrace,
    };
    record.ending = bizarro_record::Ending::Deadlock { tasks: vec![task] };
    record
}

/// The matrix of a naive toy. It is looked at by many.
static NAIVE: LazyLock<Report> = LazyLock::new(|| sample::report_with(Toy::new(Player::Naive)));

/// What [`reports`] makes.
static REPORTS: LazyLock<[Report; 2]> = LazyLock::new(reports);

fn reports() -> [Report; 2] {
    let baseline = sample::busy(2, None);
    [
        sample::report_of_searches(Toy::new(Player::Naive)),
        sample::run_report(&baseline, &everything(), &["board", "player", "users"]),
    ]
}

/// The fields of every type, and of every kind of event, that a value holds.
fn collect(value: &Value, kind: &str, seen: &mut BTreeMap<String, BTreeSet<String>>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, kind, seen)),
        Value::Object(fields) if kind == "Event" => {
            let general = ["at", "host", "task", "kind"];
            let own = fields.keys().filter(|name| !general.contains(&name.as_str())).cloned();
            let name = format!("event {}", fields["kind"].as_str().unwrap());
            seen.entry(name).or_default().extend(own);
        }
        Value::Object(fields) => {
            seen.entry(kind.to_string()).or_default().extend(fields.keys().cloned());
            for (name, value) in fields {
                let nested = NESTED.iter().find(|(of, field, _)| *of == kind && field == name);
                collect(value, nested.map_or("", |(.., kind)| kind), seen);
            }
        }
        _ => {}
    }
}

/// The same, as the page tells it.
fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let mut told: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut heading = "";
    for line in PAGE.lines() {
        if let Some(name) = line.strip_prefix("## ") {
            heading = name;
        }
        let Some(name) = line.strip_prefix("| `").and_then(|rest| rest.split('`').next()) else {
            continue;
        };
        if heading == "Event" {
            let fields = line.split('|').nth(2).unwrap().split('`').skip(1).step_by(2);
            told.insert(format!("event {name}"), fields.map(str::to_string).collect());
        } else {
            told.entry(heading.to_string()).or_default().insert(name.to_string());
        }
    }
    told
}

#[test]
fn the_page_describes_every_field_and_no_other() {
    let document = Document::new(REPORTS.to_vec());
    let value: Value = serde_json::from_str(&document.to_json()).unwrap();
    let mut seen = BTreeMap::new();
    collect(&value, "Document", &mut seen);
    assert_eq!(seen.remove(""), None, "an object in a field that is not known to hold one");
    assert_eq!(seen, documented());
    assert!(PAGE.contains(&format!("This is version {VERSION}.")));
    assert!(PAGE.contains("cut after 2,000 characters"));
    assert_eq!(TEXT_MAX, 2_000);
}

#[test]
fn a_report_is_read_as_it_was_written() {
    let document = Document::new(REPORTS.to_vec());
    let json = document.to_json();
    assert_eq!(serde_json::from_str::<Document>(&json).unwrap(), document);
    assert_eq!(Document::new(reports().to_vec()).to_json(), json);
    // A reader passes over what it does not know.
    let later = json.replacen("\"format\":", "\"new\":[1],\"format\":", 1);
    assert_eq!(serde_json::from_str::<Document>(&later).unwrap(), document);
}

/// Every event of a run is that of its record, whether it stands in the run or in the baseline.
#[test]
fn what_is_shared_is_not_repeated_and_not_lost() {
    let report = &*NAIVE;
    let (_, kept) = sample::explored(Toy::new(Player::Naive));
    let baseline = &report.runs[0];
    assert_eq!((baseline.shared, baseline.omitted), (0, 0));
    let mut saved = 0;
    for run in &report.runs[1..] {
        let record = kept.get(&run.plan).unwrap();
        assert_eq!(run.shared + run.omitted + run.events.len(), record.events.len());
        let all = baseline.events[..run.shared].iter().chain(&run.events);
        let times: Vec<u64> = all.map(|event| event.at).collect();
        assert_eq!(times, record.events.iter().map(|stamped| stamped.at.0).collect::<Vec<_>>());
        saved += run.shared;
    }
    assert!(saved > report.runs.len(), "{saved}");
}

/// Every cell with a run, as far as there is room for them, and every finding leads to the run of its plan.
#[test]
fn cells_and_findings_lead_to_their_runs() {
    let report = &*NAIVE;
    let is_full = serde_json::to_string(report).unwrap().len() > 13_000_000;
    let variants = report.cells.iter().flat_map(|cell| &cell.variants);
    let of_cells = variants.filter(|variant| variant.skipped.is_none());
    let mut led = 0;
    for variant in of_cells {
        let Some(run) = variant.run else {
            assert!(is_full && variant.outcome == "held", "no run of {}", variant.command);
            continue;
        };
        assert_eq!(report.runs[run].command, variant.command);
        led += 1;
    }
    for finding in &report.findings {
        assert_eq!(report.runs[finding.run.unwrap()].command, finding.command);
    }
    assert!(led > 100, "{led}");
    let places = report.cells.iter().map(|cell| (cell.exchange, cell.step.as_str()));
    assert_eq!(places.collect::<BTreeSet<_>>().len(), report.cells.len());
}

#[test]
fn a_run_that_is_too_long_is_cut_and_says_so() {
    let long = |plan: Plan| {
        let mut record = sample::busy(1, None);
        record.plan = plan;
        let note = |n: u64| Stamped {
            at: Nanos(n),
            host: 0,
            tid: 0,
            event: Event::Note { text: "é".repeat(if n == 700 { TEXT_MAX + 1 } else { 1 }) },
        };
        let before = record.events.len();
        record.events.extend((0..(EVENTS_MAX + 10 - before) as u64).map(note));
        record
    };
    let baseline = long(Plan::default());
    let mut run = long("player>board POST /move #1 deliver-reply=lost".parse().unwrap());
    run.events[3].tid += 1;
    let report = sample::run_report(&baseline, &run, &["board", "player", "users"]);
    let [first, second] = &report.runs[..] else { panic!("two runs") };
    assert_eq!((first.shared, first.omitted, first.events.len()), (0, 10, EVENTS_MAX));
    assert_eq!((second.shared, second.omitted, second.events.len()), (3, 7, EVENTS_MAX));
    let longest = second.events.iter().filter_map(|event| match &event.what {
        What::Note { text } => Some(text.as_str()),
        _ => None,
    });
    let longest = longest.max_by_key(|text| text.len()).unwrap();
    assert_eq!(longest.chars().count(), TEXT_MAX + 1);
    assert!(longest.ends_with("é…"));
}

/// Whatever programs write, and however much: a page stays below twenty megabytes.
#[test]
fn a_page_is_never_too_large() {
    let loud = |disturbed: Option<u64>, line: &str, turns: u64| {
        let mut record = sample::busy(turns, disturbed);
        // No two lines are alike, or they would take no room.
        for (index, stamped) in record.events.iter_mut().enumerate() {
            if let Event::Output { line: written, .. } = &mut stamped.event {
                *written = format!("{index} {line}");
            }
        }
        record
    };
    for (line, turns) in [("<&>\u{2028}吃豆人".repeat(300), 4_000), (String::new(), 20_000)] {
        let (baseline, mut run) = (loud(None, &line, turns), loud(Some(turns), &line, turns));
        // They part at once.
        run.events[0].tid += 1;
        run.exchanges[0].request_bytes += 1;
        let report = sample::run_report(&baseline, &run, &["board", "player", "users"]);
        let [first, second] = &report.runs[..] else { panic!("two runs") };
        for (shown, record) in [(first, &baseline), (second, &run)] {
            assert_eq!(shown.shared + shown.omitted + shown.events.len(), record.events.len());
            let exchanges =
                shown.exchanges_shared + shown.exchanges_omitted + shown.exchanges.len();
            assert_eq!(exchanges, record.exchanges.len());
        }
        assert!(second.omitted > 0 && second.events.len() > 500, "{}", second.events.len());
        assert_eq!(second.events.last().unwrap().at, run.events.last().unwrap().at.0);
        let bytes = bizarro_report::page(&report).len();
        let least = if line.is_empty() { 1_000_000 } else { 10_000_000 };
        assert!((least..20_000_000).contains(&bytes), "{bytes}");
    }
}
