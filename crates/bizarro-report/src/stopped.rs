//! A run that was stopped: what happened last, and where every task is.

use bizarro_record::record::TaskState;
use bizarro_record::{Ending, Event, Nanos, RunRecord};

use crate::event::{host, text};
use crate::look::{Ink, Look, harmless};

/// Events that are shown before the end.
const LAST: usize = 12;

/// The events of a run in words, each with its time: `player │ found a ghost`. Those of messages, too.
pub fn event_lines(record: &RunRecord) -> Vec<(Nanos, String)> {
    let events = record.events.iter().filter(|s| !matches!(s.event, Event::Packet { .. }));
    let line = |s| format!("{} {}", host(&record.hosts, s), text(&s.event, &record.hosts));
    events.map(|stamped| (stamped.at, line(stamped))).collect()
}

/// How a run that was to stop at `at` is told: its last events, and each task with where it waits.
pub fn stopped(record: &RunRecord, at: Nanos, look: Look) -> String {
    let mut told =
        format!("\n{}   {}\n\n", harmless(&record.test), harmless(&record.plan.to_string()));
    let lines = event_lines(record);
    let hidden = lines.len().saturating_sub(LAST);
    if hidden > 0 {
        told += &format!("  {}\n", look.paint(Ink::Faint, &format!("… {hidden} events before")));
    }
    for (at, line) in &lines[hidden..] {
        told += &format!("  {at:>13}  {line}\n", at = at.to_string());
    }
    let (how, tasks): (String, &[TaskState]) = match &record.ending {
        Ending::Deadline { tasks } => (format!("stopped at {at}"), tasks),
        Ending::Deadlock { tasks } => {
            (format!("nothing can go on any more since {}", record.stats.virtual_time), tasks)
        }
        Ending::Spinning { task, .. } => {
            ("a task loops without a system call".to_string(), std::slice::from_ref(task))
        }
        Ending::Completed => (
            format!("the run was over at {}, before it was stopped", record.stats.virtual_time),
            &[],
        ),
        Ending::Broken { property } => {
            (format!("`{}` was broken at {}", harmless(property), record.stats.virtual_time), &[])
        }
        Ending::Lost { reason } => {
            (format!("the world process was lost: {}", harmless(reason)), &[])
        }
    };
    told += &format!("\n  {}\n", look.paint(Ink::Strong, &how));
    for task in tasks {
        let head = format!("{} task {} `{}`: {}", task.host, task.tid, task.name, task.waits_for);
        told += &format!("\n  {}\n", harmless(&head));
        for frame in task.backtrace.lines() {
            told += &format!("    {}\n", look.paint(Ink::Faint, &harmless(frame)));
        }
    }
    told
}
