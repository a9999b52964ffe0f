//! A run as a story: a line for each thing that matters, in the order of virtual time.

use std::collections::BTreeMap;

use bizarro_explore::{Promise, Verdict};
use bizarro_record::{Ending, Event, Exchange, Nanos, RunRecord};

use crate::event::{host, text as event_text};
use crate::look::{Ink, Look, harmless, pad, width};
use crate::summary::verdict_text;
use crate::words::{attempt, span, status};

/// Lines as in the baseline that are shown before and after each line that is not.
const CONTEXT: usize = 2;

/// Why a line is there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    /// It happened in the baseline too.
    Usual,
    /// It did not happen in the baseline.
    New,
    /// A fault struck.
    Fault,
    /// A property broke, or the program did.
    Broken,
}

struct Line {
    at: Nanos,
    host: String,
    mark: Mark,
    text: String,
    /// What makes two lines of different runs the same; times are not part of it.
    key: String,
    /// Shown below the line, as it is.
    below: Vec<String>,
}

/// How a single run is told. Times are true virtual time. `⚡` marks a fault, `✗` what broke, and `+`
/// what did not happen in the baseline, where there is one; stretches without marks are folded.
/// What the baseline has and the run lacks is listed at the end, and the verdict and the command that
/// repeats the run come last.
pub fn story(
    record: &RunRecord,
    verdict: &Verdict,
    baseline: Option<&RunRecord>,
    look: Look,
) -> String {
    let mut lines = lines(record, verdict);
    let missing = baseline.map_or(vec![], |baseline| mark_new(&mut lines, baseline));
    let mut text =
        format!("{}   {}\n\n", harmless(&record.test), harmless(&record.plan.to_string()));
    let columns = record.hosts.iter().map(|name| width(name)).max().unwrap_or(0);
    let shown = shown(&lines, baseline.is_some());
    let mut hidden = 0;
    for (line, shown) in lines.iter().zip(shown) {
        if !shown {
            hidden += 1;
            continue;
        }
        text += &folded(hidden, columns, look);
        hidden = 0;
        text += &drawn(line, columns, look);
    }
    text += &folded(hidden, columns, look);
    text += &ending(record, baseline, look);
    text += &told_missing(&missing, look);
    text += "\n";
    // Backtraces stand beside the events.
    let mut verdict = verdict.clone();
    verdict.broken.iter_mut().for_each(|violation| violation.backtrace.clear());
    text + &verdict_text(&record.test, &record.plan, &verdict, look)
}

/// All lines of a run, in order.
fn lines(record: &RunRecord, verdict: &Verdict) -> Vec<Line> {
    let exchanges = record.exchanges.iter().map(exchange_line);
    let events = record.events.iter().filter_map(|stamped| {
        let mark = match &stamped.event {
            Event::Sent { .. }
            | Event::Delivered { .. }
            | Event::Dropped { .. }
            | Event::Packet { .. } => return None,
            Event::Struck { .. }
            | Event::Removed { .. }
            | Event::Began { .. }
            | Event::Felt { .. } => Mark::Fault,
            Event::Panicked { .. } | Event::Killed { .. } | Event::Unsupported { .. } => {
                Mark::Broken
            }
            Event::Exited { status, .. } if *status != 0 => Mark::Broken,
            _ => Mark::Usual,
        };
        let text = event_text(&stamped.event, &record.hosts);
        let host = host(&record.hosts, stamped).to_string();
        let key = match &stamped.event {
            Event::Paused { .. } => "paused".to_string(),
            _ => text.clone(),
        };
        let below = match &stamped.event {
            Event::Exited { backtrace, .. }
            | Event::Killed { backtrace, .. }
            | Event::Panicked { backtrace, .. } => backtrace.lines().map(harmless).collect(),
            _ => vec![],
        };
        Some(Line { at: stamped.at, key: format!("{host} {key}"), host, mark, text, below })
    });
    let stated = verdict
        .broken
        .iter()
        .filter(|violation| matches!(violation.promise, Promise::Safety | Promise::Liveness));
    let broken = stated.map(|violation| Line {
        at: violation.at,
        host: violation.host.clone().unwrap_or_default(),
        mark: Mark::Broken,
        text: harmless(&format!("{}: {}", violation.property, violation.fact)),
        key: violation.property.clone(),
        below: vec![],
    });
    let mut lines: Vec<Line> = events.chain(exchanges).chain(broken).collect();
    lines.sort_by_key(|line| line.at);
    lines
}

/// `POST /move #3 → board: 200 after 1.1 ms`
fn exchange_line(exchange: &Exchange) -> Line {
    let id = &exchange.id;
    let again = attempt(exchange.attempt);
    let asked = format!("{} #{}{again} → {}", id.name, id.ordinal, id.server);
    let (end, took) = match (exchange.completed, exchange.replied, exchange.delivered) {
        (Some(completed), ..) => {
            let end = exchange.status.map_or("answered".to_string(), status);
            (end, format!(" after {}", span(completed - exchange.requested)))
        }
        (None, Some(_), _) => ("the reply never came".to_string(), String::new()),
        (None, None, Some(_)) => ("was never answered".to_string(), String::new()),
        (None, None, None) => ("never arrived".to_string(), String::new()),
    };
    Line {
        at: exchange.requested,
        host: id.client.clone(),
        mark: Mark::Usual,
        text: harmless(&format!("{asked}: {end}{took}")),
        key: format!("{} {asked}: {end}", id.client),
        below: vec![],
    }
}

/// Marks the lines that the baseline lacks, and gives the texts of those that only the baseline has.
fn mark_new(lines: &mut [Line], baseline: &RunRecord) -> Vec<String> {
    let usual = self::lines(baseline, &Verdict::held());
    let mut left: BTreeMap<&str, usize> = BTreeMap::new();
    for line in &usual {
        *left.entry(&line.key).or_default() += 1;
    }
    for line in lines.iter_mut() {
        match left.get_mut(line.key.as_str()) {
            Some(n) if *n > 0 => *n -= 1,
            _ if line.mark == Mark::Usual => line.mark = Mark::New,
            _ => {}
        }
    }
    let mut missing = Vec::new();
    for line in usual.iter().rev() {
        if let Some(n) = left.get_mut(line.key.as_str()).filter(|n| **n > 0) {
            *n -= 1;
            missing.push(format!("{}: {}", line.host, line.text));
        }
    }
    missing.reverse();
    missing
}

/// Which lines are shown: all without a baseline, else the marked ones and their neighbours.
fn shown(lines: &[Line], folds: bool) -> Vec<bool> {
    let marked = |index: usize| lines[index].mark != Mark::Usual;
    let near = |index: usize| {
        let (from, to) = (index.saturating_sub(CONTEXT), (index + CONTEXT).min(lines.len() - 1));
        (from..=to).any(marked)
    };
    let mut shown: Vec<bool> = (0..lines.len()).map(|index| !folds || near(index)).collect();
    // A fold takes a line itself: one hidden line alone is shown.
    for index in 0..shown.len() {
        let before = index == 0 || shown[index - 1];
        let after = index + 1 == shown.len() || shown[index + 1];
        if !shown[index] && before && after {
            shown[index] = true;
        }
    }
    shown
}

const TIME_COLUMNS: usize = 13;

fn folded(hidden: usize, columns: usize, look: Look) -> String {
    if hidden == 0 {
        return String::new();
    }
    let margin = " ".repeat(2 + TIME_COLUMNS + 2 + columns + 2);
    let text = format!("… {hidden} lines as in the baseline");
    format!("{margin}{}\n", look.paint(Ink::Faint, &text))
}

fn drawn(line: &Line, columns: usize, look: Look) -> String {
    let (sign, ink) = match line.mark {
        Mark::Usual => (" ", Ink::Plain),
        Mark::New => ("+", Ink::Doubt),
        Mark::Fault => ("⚡", Ink::Doubt),
        Mark::Broken => ("✗", Ink::Bad),
    };
    let head = format!(
        "{}{:>TIME_COLUMNS$}  {}  ",
        pad(sign, 2),
        line.at.to_string(),
        pad(&line.host, columns)
    );
    let margin = " ".repeat(width(&head));
    let mut text = String::new();
    for (index, part) in look.wrap(&line.text, width(&head)).iter().enumerate() {
        let head = if index == 0 { &head } else { &margin };
        text += &format!("{head}{}\n", look.paint(ink, part.trim_end()));
    }
    for part in &line.below {
        text += &format!("{margin}  {}\n", look.paint(Ink::Faint, part));
    }
    text
}

fn ending(record: &RunRecord, baseline: Option<&RunRecord>, look: Look) -> String {
    let how = match &record.ending {
        Ending::Completed => "the workload ended",
        Ending::Deadline { .. } => "the deadline passed",
        Ending::Deadlock { .. } => "every task waits, and nothing can wake one",
        Ending::Spinning { .. } => "a task loops without a system call",
        Ending::Broken { .. } => "a promise that is watched was broken",
        Ending::Lost { .. } => "the world process was lost",
    };
    let usual = baseline.map_or(String::new(), |baseline| {
        format!(" (baseline {})", span(baseline.stats.virtual_time))
    });
    let mut text = format!("\n  after {}{usual}: {how}\n", span(record.stats.virtual_time));
    let (tasks, backtrace) = match &record.ending {
        Ending::Deadline { tasks } | Ending::Deadlock { tasks } => (tasks.as_slice(), ""),
        Ending::Spinning { task, backtrace } => (std::slice::from_ref(task), backtrace.as_str()),
        Ending::Completed | Ending::Broken { .. } | Ending::Lost { .. } => (&[][..], ""),
    };
    for task in tasks {
        let line = format!("{} task {} `{}`: {}", task.host, task.tid, task.name, task.waits_for);
        text += &format!("    {}\n", harmless(&line));
        for line in task.backtrace.lines() {
            text += &format!("      {}\n", look.paint(Ink::Faint, &harmless(line)));
        }
    }
    for line in backtrace.lines() {
        text += &format!("      {}\n", look.paint(Ink::Faint, &harmless(line)));
    }
    text
}

/// The first few lines that only the baseline has.
fn told_missing(missing: &[String], look: Look) -> String {
    const SHOWN: usize = 5;
    if missing.is_empty() {
        return String::new();
    }
    let mut text = "\n  only in the baseline:\n".to_string();
    for line in missing.iter().take(SHOWN) {
        text += &format!("  {}\n", look.paint(Ink::Faint, &format!("− {line}")));
    }
    if missing.len() > SHOWN {
        text += &format!("  … and {} more\n", missing.len() - SHOWN);
    }
    text
}
