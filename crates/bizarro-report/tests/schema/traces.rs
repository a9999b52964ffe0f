//! The trace of a run: what the format asks of it.

use std::collections::BTreeMap;

use bizarro_explore::verdict;
use bizarro_report::trace;
use serde_json::Value;

use crate::{everything, sample};

fn events(text: &str) -> Vec<Value> {
    let whole: Value = serde_json::from_str(text).unwrap();
    whole["traceEvents"].as_array().unwrap().clone()
}

fn field<'a>(event: &'a Value, name: &str) -> &'a str {
    event[name].as_str().unwrap_or_default()
}

#[test]
fn what_begins_ends_and_what_flows_has_slices_at_both_ends() {
    for record in [sample::busy(20, Some(7)), everything()] {
        let events = events(&trace(&record, &verdict(&record, None)));
        let mut open: BTreeMap<(String, String), (f64, Value)> = BTreeMap::new();
        let (mut ended, mut flows) = (0, 0);
        for event in &events {
            let id = (field(event, "cat").to_string(), event["id"].to_string());
            let at = event["ts"].as_f64().unwrap();
            match field(event, "ph") {
                "b" => assert_eq!(open.insert(id, (at, event["name"].clone())), None),
                "e" => {
                    let (from, name) = open.remove(&id).expect("it has begun");
                    assert!(from <= at && name == event["name"], "{event}");
                    ended += 1;
                }
                "s" | "f" => {
                    let touches = |other: &&Value| {
                        field(other, "ph") == "X"
                            && ["name", "ts", "pid", "tid"]
                                .iter()
                                .all(|name| other[name] == event[name])
                    };
                    assert_eq!(events.iter().filter(touches).count(), 1, "{event}");
                    flows += 1;
                }
                "X" => assert!(event["dur"].as_f64().unwrap() >= 0.0),
                "i" => assert!(["g", "p", "t"].contains(&field(event, "s"))),
                "M" => assert!(!event["args"].is_null()),
                other => panic!("{other}"),
            }
        }
        assert_eq!(open, BTreeMap::new());
        let exchanges = record.exchanges.len() * 2;
        assert!(ended >= exchanges && flows >= exchanges, "{ended} {flows}");
    }
}

#[test]
fn hosts_are_processes_and_faults_are_seen_everywhere() {
    let record = sample::busy(20, Some(7));
    let events = events(&trace(&record, &verdict(&record, None)));
    let named = |phase: &str, name: &str| {
        let mut found =
            events.iter().filter(|e| field(e, "ph") == phase && field(e, "name") == name);
        found.next().cloned().unwrap_or_default()
    };
    let processes = events.iter().filter(|event| field(event, "name") == "process_name");
    let names: Vec<_> = processes.map(|event| event["args"]["name"].clone()).collect();
    assert_eq!(names, ["board", "player", "users"]);
    assert_eq!(named("i", "fault: the reply was lost on the way")["s"], "g");
    assert_eq!(named("X", "program, start 2")["pid"], 3);
    assert_eq!(named("X", "stands still")["dur"], 3000.0);
    assert_eq!(named("b", "POST /move #3")["args"]["status"], 200);
    assert_eq!(named("i", "lost: POST /move #7 reply")["pid"], 2);
}
