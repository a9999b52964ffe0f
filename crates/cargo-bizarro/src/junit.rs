//! Reports as JUnit XML, for what shows the results of CI: a suite for each test, a case for each cell.

use std::time::Duration;

use bizarro_report::report::{Cell, Dependency, Removal, Report as Explored, Run, Variant};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

/// One file for all tests.
pub(crate) fn xml(tests: &[Explored]) -> String {
    let mut report = Report::new("cargo bizarro");
    report.add_test_suites(tests.iter().map(suite));
    report.to_string().expect("the text of a report has no byte that cannot be written")
}

fn suite(explored: &Explored) -> TestSuite {
    let mut suite = TestSuite::new(explored.test.as_str());
    suite.set_time(Duration::from_millis(explored.summary.wall_ms));
    suite.add_property(("model", explored.model.as_str()));
    suite.add_property(("build", explored.build.as_str()));
    let add = |suite: &mut TestSuite, name: &str, status: TestCaseStatus| {
        let mut case = TestCase::new(name, status);
        case.set_classname(explored.test.as_str());
        suite.add_test_case(case);
    };
    for (index, run) in
        explored.runs.iter().enumerate().take(if explored.cells.is_empty() { 2 } else { 1 })
    {
        let name = if index == 0 { "baseline" } else { run.plan.as_str() };
        add(&mut suite, name, status_of_run(run));
    }
    add(&mut suite, "the same plan gives the same run", same(explored));
    for cell in &explored.cells {
        add(&mut suite, &name(explored, cell), status(cell));
    }
    for dependency in explored.dependencies.iter().filter(|d| d.non_critical) {
        let name = format!("{}>{} is not critical", dependency.client, dependency.server);
        add(&mut suite, &name, status_of_dependency(dependency));
    }
    for (runs, name, search) in [
        (explored.summary.schedules, "random schedules", "schedules"),
        (explored.summary.swarm, "swarm", "swarm"),
    ] {
        if runs > 0 {
            add(&mut suite, name, found_by(search, explored));
        }
    }
    for property in &explored.properties {
        if property.kind == "sometimes" || property.kind == "reachable" {
            let met = match property.runs_passed {
                0 => failed("never seen", "no run met it", property.place.clone()),
                _ => TestCaseStatus::success(),
            };
            add(&mut suite, &format!("{}: {}", property.kind, property.name), met);
        }
    }
    suite
}

/// `player>board POST /move #3 deliver-reply`
fn name(explored: &Explored, cell: &Cell) -> String {
    let at = &explored.exchanges[cell.exchange];
    format!("{}>{} {} #{} {}", at.client, at.server, at.name, at.ordinal, cell.step)
}

/// A cell that does not apply is skipped, one that could not be judged is an error.
fn status(cell: &Cell) -> TestCaseStatus {
    let details = || cell.variants.iter().map(told).collect::<String>();
    let first = |lines: fn(&Variant) -> &Vec<String>| {
        cell.variants.iter().flat_map(lines).next().cloned().unwrap_or_default()
    };
    match cell.outcome.as_str() {
        "held" => TestCaseStatus::success(),
        "not applicable" => {
            let mut skipped = TestCaseStatus::skipped();
            let why = cell.variants.iter().find_map(|variant| variant.skipped.clone());
            skipped.set_message(why.unwrap_or_else(|| "the fault never struck".to_string()));
            skipped
        }
        "inconclusive" => in_doubt(&first(|variant| &variant.doubts), details()),
        outcome => failed(outcome, &first(|variant| &variant.facts), details()),
    }
}

/// An effect and what came of it, in lines.
fn told(variant: &Variant) -> String {
    let mut text = format!("{}: {}\n", variant.effect, variant.outcome);
    match &variant.skipped {
        Some(why) => text += &format!("  {why}\n"),
        None => {
            text += &format!("  {}\n", variant.sentence);
            for line in variant.facts.iter().chain(&variant.doubts) {
                text += &format!("  {line}\n");
            }
            text += &format!("  {}\n", variant.command);
        }
    }
    text
}

/// Of a server without which the test has to hold.
fn status_of_dependency(dependency: &Dependency) -> TestCaseStatus {
    let tried = dependency.removals.iter();
    let worst =
        tried.filter(|r| r.criticality.is_some() && r.criticality == dependency.criticality);
    let details: String = worst
        .clone()
        .map(|r| {
            let lines =
                [&r.sentence].into_iter().chain(&r.facts).chain(&r.doubts).chain([&r.command]);
            lines.map(|line| format!("{line}\n")).collect::<String>()
        })
        .collect();
    let first = |lines: fn(&Removal) -> &Vec<String>| {
        worst.clone().flat_map(lines).next().cloned().unwrap_or_default()
    };
    match dependency.criticality.as_deref() {
        None => TestCaseStatus::skipped(),
        Some("critical") => failed("critical", &first(|removal| &removal.facts), details),
        Some("inconclusive") => in_doubt(&first(|removal| &removal.doubts), details),
        Some(_) => TestCaseStatus::success(),
    }
}

fn status_of_run(run: &Run) -> TestCaseStatus {
    let facts: Vec<String> =
        run.broken.iter().map(|broken| format!("{}: {}", broken.property, broken.fact)).collect();
    let details = format!("{}\n{}\n", facts.join("\n"), run.command);
    match run.outcome.as_str() {
        "held" => TestCaseStatus::success(),
        "not applicable" => TestCaseStatus::skipped(),
        "inconclusive" => in_doubt(&run.doubts.join("; "), details),
        outcome => failed(outcome, facts.first().map_or("", String::as_str), details),
    }
}

fn same(explored: &Explored) -> TestCaseStatus {
    match &explored.difference {
        None => TestCaseStatus::success(),
        Some(difference) => {
            failed("not deterministic", "two runs of one plan differ", difference.clone())
        }
    }
}

/// The worst of what random schedules or a swarm found.
fn found_by(search: &str, explored: &Explored) -> TestCaseStatus {
    let mut found = explored.findings.iter().filter(|finding| finding.search == search);
    match found.next() {
        None => TestCaseStatus::success(),
        Some(finding) => failed(
            &finding.outcome,
            &finding.sentence,
            format!("{}\n{}\n", finding.facts.join("\n"), finding.command),
        ),
    }
}

fn failed(kind: &str, message: &str, details: String) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    status.set_type(kind).set_message(message).set_description(details);
    status
}

fn in_doubt(message: &str, details: String) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
    status.set_type("inconclusive").set_message(message).set_description(details);
    status
}

#[cfg(test)]
mod tests {
    use super::*;
    use bizarro_report::report::Document;
    use expect_test::expect;

    /// A report as a test's binary writes it, with a cell of each outcome and texts that XML cannot hold.
    fn explored() -> Explored {
        let variant = |effect: &str, outcome: &str, fact: &str, skipped: &str| {
            serde_json::json!({
                "effect": effect, "sentence": "the reply was lost.", "outcome": outcome, "broken": [],
                "facts": if fact.is_empty() { vec![] } else { vec![fact] },
                "doubts": if outcome == "inconclusive" { vec!["a call is not simulated"] } else { vec![] },
                "skipped": if skipped.is_empty() { None } else { Some(skipped) },
                "impact": null, "command": "cargo bizarro replay t 'a<b'", "run": null,
            })
        };
        let dependency = |server: &str, criticality: &str| {
            let is_critical = criticality == "critical";
            serde_json::json!({
                "client": "board", "server": server, "count": 2, "criticality": criticality,
                "non_critical": server != "users", "misplaced": is_critical && server == "ads",
                "removals": [{
                    "effect": "refused", "sentence": "board without it.", "criticality": criticality,
                    "outcome": if is_critical { "violated" } else { "held" }, "broken": [],
                    "facts": if is_critical { vec!["the game ends: not at 9 s"] } else { vec![] }, "doubts": [],
                    "skipped": null, "longer": 0, "exchanges_lost": 0, "operations_lost": 0,
                    "command": "cargo bizarro replay t 'board>ads removed=refused'", "run": null,
                }],
            })
        };
        let cell = |step: &str, outcome: &str, variant: serde_json::Value| serde_json::json!({"exchange": 0, "step": step, "outcome": outcome, "variants": [variant]});
        let document = serde_json::json!({
            "format": "bizarro-report", "version": 1,
            "tests": [{
                "test": "pacman::naive", "build": "b1", "outcome": "violated", "model": "arbitrary", "edges": [], "level": "hosts",
                "dependencies": [dependency("ads", "critical"), dependency("log", "degraded"), dependency("users", "critical")],
                "world": {"hosts": [], "links": [], "epoch": 0, "deadline": 1},
                "summary": {"runs": 9, "cells": 4, "cells_violated": 1, "cells_inconclusive": 1, "schedules": 5,
                    "schedules_distinct": 5, "swarm": 0, "swarm_distinct": 0, "swarm_combinations": 0, "interrupted": false, "wall_ms": 1500},
                "properties": [{"letter": null, "name": "a ghost is met", "kind": "sometimes", "place": "src/g.rs:7",
                    "runs_passed": 0, "runs_broken": 0}],
                "exchanges": [{"client": "player", "server": "board", "name": "GET /?a=<&>", "ordinal": 3, "attempt": 1}],
                "cells": [
                    cell("post-reply", "held", variant("reset", "held", "", "")),
                    cell("deliver-reply", "violated", variant("lost", "violated", "moved \u{1b}[31mtwice\u{0} ]]>", "")),
                    cell("update-server", "inconclusive", variant("crash", "inconclusive", "", "")),
                    cell("update-client", "not applicable", variant("disk-full", "not applicable", "", "No disk.")),
                ],
                "findings": [], "difference": null,
                "runs": [{"plan": "baseline", "command": "c", "fingerprint": "0", "outcome": "held", "broken": [],
                    "doubts": [], "missed": [], "ending": "e", "tasks": [], "virtual_time": 1, "syscalls": 1,
                    "exchanges": [], "exchanges_shared": 0, "exchanges_omitted": 0, "shared": 0, "omitted": 0, "events": []}],
            }],
        });
        serde_json::from_value::<Document>(document).unwrap().tests.remove(0)
    }

    #[test]
    fn a_cell_is_a_test_case() {
        expect![[r#"
            <?xml version="1.0" encoding="UTF-8"?>
            <testsuites name="cargo bizarro" tests="10" failures="3" errors="1">
                <testsuite name="pacman::naive" tests="10" disabled="1" errors="1" failures="3" time="1.500">
                    <properties>
                        <property name="model" value="arbitrary"/>
                        <property name="build" value="b1"/>
                    </properties>
                    <testcase name="baseline" classname="pacman::naive">
                    </testcase>
                    <testcase name="the same plan gives the same run" classname="pacman::naive">
                    </testcase>
                    <testcase name="player&gt;board GET /?a=&lt;&amp;&gt; #3 post-reply" classname="pacman::naive">
                    </testcase>
                    <testcase name="player&gt;board GET /?a=&lt;&amp;&gt; #3 deliver-reply" classname="pacman::naive">
                        <failure message="moved twice ]]&gt;" type="violated">lost: violated
              the reply was lost.
              moved twice ]]&gt;
              cargo bizarro replay t &apos;a&lt;b&apos;
            </failure>
                    </testcase>
                    <testcase name="player&gt;board GET /?a=&lt;&amp;&gt; #3 update-server" classname="pacman::naive">
                        <error message="a call is not simulated" type="inconclusive">crash: inconclusive
              the reply was lost.
              a call is not simulated
              cargo bizarro replay t &apos;a&lt;b&apos;
            </error>
                    </testcase>
                    <testcase name="player&gt;board GET /?a=&lt;&amp;&gt; #3 update-client" classname="pacman::naive">
                        <skipped message="No disk."/>
                    </testcase>
                    <testcase name="board&gt;ads is not critical" classname="pacman::naive">
                        <failure message="the game ends: not at 9 s" type="critical">board without it.
            the game ends: not at 9 s
            cargo bizarro replay t &apos;board&gt;ads removed=refused&apos;
            </failure>
                    </testcase>
                    <testcase name="board&gt;log is not critical" classname="pacman::naive">
                    </testcase>
                    <testcase name="random schedules" classname="pacman::naive">
                    </testcase>
                    <testcase name="sometimes: a ghost is met" classname="pacman::naive">
                        <failure message="no run met it" type="never seen">src/g.rs:7</failure>
                    </testcase>
                </testsuite>
            </testsuites>
        "#]].assert_eq(&xml(&[explored()]));
    }
}
