//! Who depends on whom, in the terminal: a row for each dependency, and the command that makes the run without it.

use bizarro_explore::{Criticality, Dependency, Loss, MatrixReport, Removed, plan_without};
use bizarro_record::{Effect, Nanos};

use crate::look::{Ink, Look, harmless, pad, width};
use crate::words::{count, replay_command, span};

/// A table below a line that says what it is; empty where there are no dependencies.
pub(crate) fn dependencies(report: &MatrixReport, look: Look) -> String {
    if report.dependencies.is_empty() {
        return String::new();
    }
    let head =
        "Dependencies: what becomes of the test where one is missing from the start to the end";
    let mut text = String::from("\n");
    for line in look.wrap(head, 1) {
        text += &format!(" {}\n", look.paint(Ink::Strong, &line));
    }
    let columns = report.dependencies.iter().map(|d| width(&peers(d))).max().unwrap_or(0);
    for dependency in &report.dependencies {
        text += &row(dependency, report, columns, look);
    }
    text
}

fn peers(dependency: &Dependency) -> String {
    harmless(&format!("{} → {}", dependency.client, dependency.server))
}

/// Longest of the words for how critical something is.
const WORD: usize = "inconclusive".len();

fn row(dependency: &Dependency, report: &MatrixReport, columns: usize, look: Look) -> String {
    let (sign, ink) = match dependency.criticality() {
        Some(Criticality::NotNeeded) => ("✓", Ink::Good),
        Some(Criticality::Degraded) => ("~", Ink::Doubt),
        Some(Criticality::Critical) => ("✗", Ink::Bad),
        Some(Criticality::Unknown) => ("?", Ink::Doubt),
        None => ("·", Ink::Faint),
    };
    let word = dependency.criticality().map_or("not tried", Criticality::words);
    let margin = 1 + columns + 2 + 2 + WORD + 2;
    let told = look.paint(ink, &format!("{sign} {}", pad(word, WORD)));
    let head = format!(" {}  {told}  ", pad(&peers(dependency), columns));
    let worst = worst(dependency);
    let what = worst.map(|removed| what(dependency, removed)).unwrap_or_default();
    let mut text = lines(&what, margin, look);
    if let Some(removed) = worst.filter(|r| r.criticality != Some(Criticality::NotNeeded)) {
        let plan = plan_without(&removed.removal, &report.baseline.plan);
        let command = replay_command(&report.test, &plan);
        text += &format!("    {}\n", look.paint(Ink::Faint, &command));
    }
    if dependency.is_misplaced() {
        let server = harmless(&dependency.server);
        let said =
            format!("{server} is declared non-critical, and something critical depends on it");
        let mark = look.paint(Ink::Bad, "!");
        text += &format!("{}{mark} {said}\n", " ".repeat(margin - 2));
    }
    // The first line carries the head in place of its margin.
    (head + text.get(margin..).unwrap_or("")).trim_end().to_string() + "\n"
}

fn lines(what: &str, margin: usize, look: Look) -> String {
    let lines = look.wrap(what, margin);
    lines.iter().map(|line| format!("{}{line}\n", " ".repeat(margin))).collect()
}

/// The first of the runs with the worst result.
pub(crate) fn worst(dependency: &Dependency) -> Option<&Removed> {
    let worst = dependency.criticality()?;
    dependency.removals.iter().find(|removed| removed.criticality == Some(worst))
}

/// What happened in a run, and in which of them where not all came to the same.
fn what(dependency: &Dependency, removed: &Removed) -> String {
    let same = dependency.removals.iter().filter(|r| r.criticality == removed.criticality);
    let same: Vec<&str> = same
        .map(|r| match r.removal.effect {
            Effect::Refused => "it refuses",
            Effect::Unreachable => "there is no way to it",
            _ => "nothing is heard of it",
        })
        .collect();
    let tried = dependency.removals.iter().filter(|r| r.criticality.is_some()).count();
    let only = match same.len() == tried {
        true => String::new(),
        false => format!(" (only where {})", same.join(" or ")),
    };
    format!("{}{only}", harmless(&consequence(removed)))
}

/// What the run without a server broke or lost, in words; empty where it lost nothing.
pub(crate) fn consequence(removed: &Removed) -> String {
    match (removed.criticality, removed.loss) {
        (Some(Criticality::Critical), _) => {
            let broken: Vec<&str> = removed.verdict.properties().collect();
            format!("breaks: {}", broken.join("; "))
        }
        (Some(Criticality::Unknown), _) => {
            removed.verdict.doubts.first().cloned().unwrap_or_else(|| "nobody asked".to_string())
        }
        (Some(Criticality::Degraded), Some(loss)) => lost(loss),
        _ => String::new(),
    }
}

fn lost(loss: Loss) -> String {
    let mut parts = vec![];
    if loss.longer > Nanos::ZERO {
        parts.push(format!("ends {} later", span(loss.longer)));
    }
    if loss.exchanges > 0 {
        parts.push(format!("{} lost or worse", count(loss.exchanges as u64, "other exchange")));
    }
    if loss.operations > 0 {
        parts.push(format!("{} not ok", count(loss.operations as u64, "operation")));
    }
    parts.join(", ")
}
