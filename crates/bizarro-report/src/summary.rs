//! One line, or a few, for a whole exploration or a single run.

use std::time::Duration;

use bizarro_explore::{
    Blast, MatrixReport, Outcome, Recovery, SchedulesReport, SwarmReport, Verdict, Violation,
};
use bizarro_record::Plan;

use crate::exit::Exit;
use crate::look::{Ink, Look, harmless};
use crate::words::{count, replay_command, span, thousands};

/// `pacman::naive: violated   48 cells · 116 runs · 3.1 s · 12 cells violated, in 3 kinds`
pub fn matrix_line(report: &MatrixReport, look: Look) -> String {
    line(&report.test, Exit::of_matrix(report), &matrix_totals(report), look)
}

/// `pacman::naive: held   50 seeds · 50 different runs · 0.4 s`
pub fn schedules_line(report: &SchedulesReport, look: Look) -> String {
    line(&report.test, Exit::of_schedules(report), &schedules_totals(report), look)
}

fn line(test: &str, exit: Exit, totals: &str, look: Look) -> String {
    let (ink, word) = match exit {
        Exit::Held => (Ink::Good, "held"),
        Exit::Violated => (Ink::Bad, "violated"),
        Exit::Usage => (Ink::Bad, "not run"),
        Exit::Inconclusive => (Ink::Doubt, "inconclusive"),
        Exit::Nondeterminism => (Ink::Bad, "not deterministic"),
        Exit::OurBug => (Ink::Bad, "a bug of Bizarro"),
    };
    format!("{}: {}   {totals}\n", harmless(test), look.paint(ink, word))
}

/// `112 cells · 1,344 runs · 3.1 s · 9 cells violated, in 3 kinds`
pub(crate) fn matrix_totals(report: &MatrixReport) -> String {
    let mut parts = vec![
        count(report.cells.len() as u64, "cell"),
        count(report.runs, "run"),
        seconds(report.wall),
    ];
    if !report.cells.is_empty() {
        parts.push(format!("{} different", thousands(report.distinct)));
    }
    if report.pruned > 0 {
        parts.push(format!("{} known without a run", thousands(report.pruned)));
    }
    if let Some(pairs) = report.pairs {
        let (tried, possible) = (thousands(pairs.tried), thousands(pairs.possible));
        let broken = thousands(pairs.broken);
        parts.push(format!("{tried} of {possible} pairs of faults, {broken} violated"));
    }
    let kinds = report.findings.iter().filter(|finding| finding.is_failure()).count();
    match report.cells_broken() {
        _ if report.cells.is_empty() => {
            parts.push("no cell was tried, for the baseline has to be right first".to_string());
        }
        0 if report.cells_in_doubt() == 0 => parts.push("no cell violated".to_string()),
        0 => {}
        broken => {
            let kinds = count(kinds as u64, "kind");
            parts.push(format!("{} violated, in {kinds}", count(broken as u64, "cell")));
        }
    }
    if report.cells_in_doubt() > 0 {
        let cells = count(report.cells_in_doubt() as u64, "cell");
        parts.push(format!("{cells} inconclusive"));
    }
    if report.interrupted {
        parts.push("interrupted".to_string());
    }
    parts.join(" · ")
}

/// `longest recovery 60.0 s · at most 1.2 s after the fault was over · 3 faults without recovery · widest blast radius 2 of 2 hosts,
/// 8 of 9 exchanges`: the two numbers of a fault that matter most, at their worst; none where nothing struck.
pub(crate) fn worst_impacts(report: &MatrixReport) -> Option<String> {
    let variants = || report.cells.iter().flat_map(|cell| &cell.variants);
    let impacts = || variants().filter(|v| v.skip.is_none()).filter_map(|v| v.impact);
    let time = |recovery| match recovery {
        Some(Recovery::After(time)) => Some(time),
        _ => None,
    };
    let longest = impacts().filter_map(|impact| time(impact.recovery)).max()?;
    let healed = impacts().filter_map(|impact| time(impact.recovery_from_heal)).max()?;
    let never = impacts().filter(|impact| impact.recovery == Some(Recovery::Never)).count() as u64;
    let widest = |part: fn(Blast) -> usize| impacts().map(|i| part(i.blast)).max().unwrap_or(0);
    let (hosts, exchanges) = (widest(|blast| blast.hosts), widest(|blast| blast.exchanges));
    let total = impacts().next()?.blast;
    let mut parts = vec![format!("longest recovery {}", span(longest))];
    parts.push(format!("at most {} after the fault was over", span(healed)));
    if never > 0 {
        parts.push(format!("{} without recovery", count(never, "fault")));
    }
    parts.push(format!(
        "widest blast radius {hosts} of {}, {} of {}",
        count(total.hosts_total as u64, "host"),
        thousands(exchanges as u64),
        count(total.exchanges_total as u64, "exchange")
    ));
    Some(parts.join(" · "))
}

/// `50 seeds · 50 different runs · 0.4 s · 3 runs violated, in 1 kind`
pub(crate) fn schedules_totals(report: &SchedulesReport) -> String {
    let mut parts = vec![
        count(report.seeds, "seed"),
        format!("{} different {}", thousands(report.distinct), plural(report.distinct, "run")),
        seconds(report.wall),
    ];
    let failing = || report.findings.iter().filter(|finding| finding.is_failure());
    let broken: usize = failing().map(|finding| finding.plans.len()).sum();
    let doubtful: usize = report.findings.iter().map(|f| f.plans.len()).sum::<usize>() - broken;
    if broken > 0 {
        let kinds = count(failing().count() as u64, "kind");
        parts.push(format!("{} violated, in {kinds}", count(broken as u64, "run")));
    }
    if doubtful > 0 {
        parts.push(format!("{} inconclusive", count(doubtful as u64, "run")));
    }
    if broken + doubtful == 0 {
        parts.push("all held".to_string());
    }
    if report.interrupted {
        parts.push("interrupted".to_string());
    }
    parts.join(" · ")
}

/// `pacman::careful: held   1,000 runs · 1,000 different · 812 combinations · 3.1 s · all held`
pub fn swarm_line(report: &SwarmReport, look: Look) -> String {
    line(&report.test, Exit::of_swarm(report), &swarm_totals(report), look)
}

/// `swarm of 1,000 runs, seed 1 · 998 different · 812 combinations · 3.1 s · 320 runs/s · 12 runs violated, in 3 kinds`
pub(crate) fn swarm_totals(report: &SwarmReport) -> String {
    let per_second = report.drawn as f64 / report.wall.as_secs_f64().max(1e-9);
    let mut parts = vec![
        format!("swarm of {}, seed {}", count(report.drawn, "run"), report.seed),
        format!("{} different", thousands(report.distinct)),
        count(report.combinations, "combination"),
        format!("{} · {} runs/s", seconds(report.wall), thousands(per_second as u64)),
    ];
    let kinds = report.findings.iter().filter(|finding| finding.is_failure()).count() as u64;
    if report.failed > 0 {
        let runs = count(report.failed, "run");
        parts.push(format!("{runs} violated, in {} or more", count(kinds, "kind")));
    }
    if report.findings.is_empty() {
        parts.push("all held".to_string());
    }
    if report.interrupted {
        parts.push("interrupted".to_string());
    }
    parts.join(" · ")
}

fn plural(n: u64, noun: &str) -> String {
    if n == 1 { noun.to_string() } else { format!("{noun}s") }
}

fn seconds(wall: Duration) -> String {
    format!("{:.1} s", wall.as_secs_f64())
}

/// Where a program was when it broke a property: the innermost frames, a line each.
pub(crate) fn frames_of(violation: &Violation) -> Vec<String> {
    const SHOWN: usize = 12;
    let mut lines: Vec<String> =
        violation.backtrace.lines().take(SHOWN).map(str::to_string).collect();
    let rest = violation.backtrace.lines().count() - lines.len();
    if rest > 0 {
        lines.push(format!("… {}", count(rest as u64, "more frame")));
    }
    lines
}

/// A broken property: what, when and where in a line, then the facts.
fn told(violation: &Violation, look: Look) -> String {
    let mut place = format!("at {}", violation.at);
    if let Some(host) = &violation.host {
        place += &format!(", on {host}");
    }
    if let Some(task) = violation.task {
        place += &format!(", task {task}");
    }
    if !violation.place.is_empty() {
        place += &format!(", {}", violation.place);
    }
    let mut text = paragraph_of(&format!("✗ {}, {place}", violation.property), look);
    if !violation.fact.is_empty() {
        text += &paragraph_of(&format!("  {}", violation.fact), look);
    }
    // A frame is never broken, like a command: people search for it and click on it.
    frames_of(violation).iter().for_each(|frame| text += &format!("      {}\n", harmless(frame)));
    text
}

fn paragraph_of(text: &str, look: Look) -> String {
    let lines = look.wrap(&harmless(text), 2);
    lines.iter().map(|line| format!("  {line}\n")).collect()
}

/// The verdict of a single run: the outcome in a line, then a line for each fact, then the command.
pub fn verdict_text(test: &str, plan: &Plan, verdict: &Verdict, look: Look) -> String {
    let ink = match verdict.outcome {
        Outcome::Held => Ink::Good,
        Outcome::NotApplicable | Outcome::Inconclusive => Ink::Doubt,
        _ => Ink::Bad,
    };
    let outcome = look.paint(ink, verdict.outcome.words());
    let mut text = format!("{}: {outcome}\n", harmless(test));
    for violation in &verdict.broken {
        text += &told(violation, look);
    }
    let mut add = |paragraph: &str| text += &paragraph_of(paragraph, look);
    for doubt in &verdict.doubts {
        add(&format!("{doubt}."));
    }
    if verdict.doubts.iter().any(|doubt| doubt.contains("does not simulate")) {
        add(
            "The program may fall back by itself; `cargo bizarro syscalls` lists what is simulated.",
        );
    }
    for missed in &verdict.missed {
        add(&format!("The fault `{missed}` never struck: the run did not come to this step."));
    }
    if verdict.outcome != Outcome::Held {
        text += &format!("  {}\n", replay_command(test, plan));
    }
    text
}
