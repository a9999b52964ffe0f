//! The matrix and the random schedules in the terminal.

use bizarro_explore::{
    Difference, Finding, Impact, MatrixReport, Properties, Recovery, SchedulesReport, Shrunk,
    SwarmReport,
};
use bizarro_record::{Level, Nanos, RunRecord};

use crate::dependencies::dependencies;
use crate::difference::difference;
use crate::letters::Letters;
use crate::look::{Ink, Look, harmless, width, wrap_parts};
use crate::sentence::sentence;
use crate::summary::{frames_of, matrix_totals, schedules_totals, swarm_totals, worst_impacts};
use crate::table::{rows, table};
use crate::words::{count, replay_command, span, thousands};

/// Findings that are told in full; the rest is counted.
const FINDINGS_MAX: usize = 10;

/// How a matrix is shown: a header, the table, its legend, the totals, and the findings with the
/// command that repeats each.
pub fn matrix(report: &MatrixReport, look: Look) -> String {
    let letters =
        Letters::of(report.findings.iter().flat_map(|f| &f.properties).map(String::as_str));
    let mut text = header(report, look);
    text += "\n";
    if !report.cells.is_empty() {
        text += &table(&rows(&report.cells, &report.baseline.exchanges), &letters, look);
        text += "\n";
        text += &legend(&letters, look);
    }
    text += &format!(" {}\n", matrix_totals(report));
    for line in worst_impacts(report).iter().flat_map(|text| look.wrap(text, 1)) {
        text += &format!(" {line}\n");
    }
    text += &unmet(&report.properties, look);
    text += &dependencies(report, look);
    text += &findings(&report.findings, &report.baseline, &letters, look);
    if let Some(found) = &report.difference {
        text += "\n";
        text += &difference(&report.test, found, look);
    }
    text
}

/// How random schedules are shown: the totals, and the findings.
pub fn schedules(report: &SchedulesReport, baseline: &RunRecord, look: Look) -> String {
    let test = look.paint(Ink::Strong, &harmless(&report.test));
    let head = format!("{test}   random schedules\n {}\n", schedules_totals(report));
    let found = (&report.properties, &report.findings[..], report.difference.as_ref());
    head + &told_below(found, &report.test, baseline, look)
}

/// How a swarm is shown: the totals, and the findings.
pub fn swarm(report: &SwarmReport, look: Look) -> String {
    let test = look.paint(Ink::Strong, &harmless(&report.test));
    let head = format!("{test}   {}\n {}\n", report.model, swarm_totals(report));
    let found = (&report.properties, &report.findings[..], report.difference.as_ref());
    head + &told_below(found, &report.test, &report.baseline, look)
}

/// What stands below the totals of many runs without a table.
fn told_below(
    (properties, found, differs): (&Properties, &[Finding], Option<&Difference>),
    test: &str,
    baseline: &RunRecord,
    look: Look,
) -> String {
    let letters = Letters::of(found.iter().flat_map(|f| &f.properties).map(String::as_str));
    let mut text = unmet(properties, look);
    text += &findings(found, baseline, &letters, look);
    if let Some(differs) = differs {
        text += "\n";
        text += &difference(test, differs, look);
    }
    text
}

/// Test, model and baseline, in one line where they fit.
fn header(report: &MatrixReport, look: Look) -> String {
    let baseline = &report.baseline;
    let outcome = report.baseline_verdict.outcome;
    let asked = baseline.exchanges_at(report.level).len() as u64;
    let parts = [
        harmless(&report.test),
        report.model.to_string(),
        format!(
            "{}baseline {} · {} · {} virtual",
            if report.level == Level::Groups { "between groups · " } else { "" },
            outcome.words(),
            count(asked, "exchange"),
            span(baseline.stats.virtual_time)
        ),
    ];
    let columns = parts.iter().map(|part| width(part)).sum::<usize>() + 2 * 3;
    let separator = if columns <= look.width { "   " } else { "\n  " };
    let [test, model, baseline] = parts;
    format!("{}{separator}{model}{separator}{baseline}\n", look.paint(Ink::Strong, &test))
}

/// What the signs and the letters mean.
fn legend(letters: &Letters, look: Look) -> String {
    let signs = "✓ held   ✗ violated   · cannot happen here   ? inconclusive";
    let mut text = format!(" {signs}\n");
    let items = letters.sorted().into_iter();
    let items: Vec<String> = items.map(|(l, name)| format!("{l} {}", harmless(name))).collect();
    for line in wrap_parts(&items, 1, look) {
        text += &format!(" {line}\n");
    }
    text
}

/// Properties that had to be met once and never were.
fn unmet(properties: &Properties, look: Look) -> String {
    let mut text = String::new();
    for property in properties.unmet() {
        let runs = count(properties.runs, "run");
        let line = format!("never seen in {runs}: {}", harmless(&property.name));
        text += &format!(" {}\n", look.paint(Ink::Doubt, &line));
    }
    text
}

fn findings(all: &[Finding], baseline: &RunRecord, letters: &Letters, look: Look) -> String {
    let mut text = String::new();
    for (index, finding) in all.iter().take(FINDINGS_MAX).enumerate() {
        text += "\n";
        text += &told(index + 1, finding, baseline, letters, look);
    }
    let rest = all.len().saturating_sub(FINDINGS_MAX);
    if rest > 0 {
        text += &format!("\n {} more of other kinds.\n", count(rest as u64, "finding"));
    }
    text
}

/// A finding: a sentence, the facts, the numbers, the command.
fn told(
    number: usize,
    finding: &Finding,
    baseline: &RunRecord,
    letters: &Letters,
    look: Look,
) -> String {
    let mut signs: Vec<&str> = finding.properties.iter().map(|name| letters.get(name)).collect();
    signs.sort_unstable();
    let (signs, ink) = if finding.is_failure() {
        (signs.concat(), Ink::Bad)
    } else {
        ("?".to_string(), Ink::Doubt)
    };
    let head = format!("{number:>2}  {signs}  ");
    let indent = width(&head);
    let margin = " ".repeat(indent);
    let mut text = String::new();
    let mut add = |paragraph: &str, ink: Ink| {
        for line in look.wrap(paragraph, indent) {
            text += &format!("{margin}{}\n", look.paint(ink, &line));
        }
    };
    add(&format!("{}.", sentence(finding, baseline)), Ink::Strong);
    for violation in &finding.verdict.broken {
        let fact = if violation.fact.is_empty() { "broken" } else { &violation.fact };
        add(&harmless(&format!("{}: {fact}", violation.property)), Ink::Plain);
        // What a fault brought about is shown in full by the command.
        if !finding.plan().names_faults() {
            for frame in frames_of(violation) {
                add(&harmless(&format!("  {frame}")), Ink::Faint);
            }
        }
    }
    for doubt in &finding.verdict.doubts {
        add(&harmless(doubt), Ink::Plain);
    }
    let numbers = numbers(finding);
    if !numbers.is_empty() {
        add(&numbers, Ink::Faint);
    }
    if let Some(shrunk) = &finding.shrunk {
        add(&shrunk_from(shrunk), Ink::Faint);
    }
    text += &format!("{margin}{}\n", replay_command(&finding.record.test, finding.plan()));
    // The first line carries the number in place of its margin.
    let head = format!("{number:>2}  {}  ", look.paint(ink, &signs));
    head + &text[margin.len()..]
}

/// `shrunk in 97 runs from seed=7; random`
fn shrunk_from(shrunk: &Shrunk) -> String {
    let runs = count(shrunk.runs, "run");
    let end = if shrunk.is_finished { "" } else { ", which were not enough to try everything," };
    harmless(&format!("shrunk in {runs}{end} from {}", shrunk.original))
}

/// `1 fault · recovery 5.00 s · blast radius: 1 of 2 hosts, 1 of 6 exchanges · 15 runs alike`; empty for a single run without faults
fn numbers(finding: &Finding) -> String {
    let plan = finding.plan();
    let faults = (plan.injections.len() + plan.removals.len()) as u64;
    let mut parts = match faults {
        0 => vec![],
        _ => impact_parts(faults, finding.impact),
    };
    if finding.plans.len() > 1 {
        parts.push(format!("{} alike", count(finding.plans.len() as u64, "run")));
    }
    parts.join(" · ")
}

fn impact_parts(faults: u64, impact: Impact) -> Vec<String> {
    let mut parts = vec![count(faults, "fault")];
    match impact.recovery {
        Some(Recovery::After(time)) => {
            // Most faults are over when they have struck.
            let healed = match impact.recovery_from_heal {
                Some(Recovery::After(since)) if since != time => {
                    format!(" ({} after it was over)", span(since))
                }
                _ => String::new(),
            };
            parts.push(format!("recovery {}{healed}", span(time)));
        }
        Some(Recovery::Never) => parts.push("recovery: never".to_string()),
        None => {}
    }
    if impact.delay_ns >= 1_000_000 {
        let delay = Nanos(impact.delay_ns.unsigned_abs());
        parts.push(format!("ended {} later", span(delay)));
    }
    let blast = impact.blast;
    parts.push(format!(
        "blast radius: {} of {}, {} of {}",
        blast.hosts,
        count(blast.hosts_total as u64, "host"),
        thousands(blast.exchanges as u64),
        count(blast.exchanges_total as u64, "exchange")
    ));
    parts
}
