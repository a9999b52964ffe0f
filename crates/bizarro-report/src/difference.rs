//! The self-check's difference: two runs of one plan, side by side where they part.

use bizarro_explore::{Difference, FirstDifference};
use bizarro_record::{Ending, Stamped};

use crate::event::{host, text as event_text};
use crate::look::{Ink, Look, harmless, pad};
use crate::words::replay_command;

/// Between the columns of the two runs.
const RULE: &str = " │ ";

/// How the first difference of two runs is shown.
pub fn difference(test: &str, difference: &Difference, look: Look) -> String {
    let verdict = look.paint(Ink::Bad, "not deterministic");
    let [first, second] = difference.fingerprints;
    let mut text = format!("{}: {verdict}\n", harmless(test));
    text += "  Two runs of one plan differ: something reached the program that Bizarro does not rule.\n";
    text += &format!("  fingerprints {first:016x} and {second:016x}\n");
    match &difference.first {
        FirstDifference::Hidden => {
            text += "  All recorded events are equal; an effect that leaves no event differs.\n";
        }
        FirstDifference::Ending { sides } => {
            let [first, second] = &**sides;
            text += "  All recorded events are equal; the runs end in different ways.\n";
            text += &side_by_side("first run", "second run", look);
            text += &side_by_side(&ending(first), &ending(second), look);
        }
        FirstDifference::Event { index, before, sides } => {
            text += &format!("  The runs part at event {}.\n", index + 1);
            for stamped in before {
                let line = shown(stamped, &difference.hosts);
                text += &format!("    {}\n", look.paint(Ink::Faint, &line));
            }
            let [first, second] = sides.each_ref().map(|side| match side {
                Some(stamped) => shown(stamped, &difference.hosts),
                None => "the run is over".to_string(),
            });
            text += &side_by_side("first run", "second run", look);
            text += &side_by_side(&first, &second, look);
        }
    }
    text + &format!("  {}\n", replay_command(test, &difference.plan))
}

fn shown(stamped: &Stamped, hosts: &[String]) -> String {
    let task = if stamped.tid == 0 { String::new() } else { format!(" task {}", stamped.tid) };
    let what = event_text(&stamped.event, hosts);
    format!("{} {}{task} {what}", stamped.at, host(hosts, stamped))
}

fn ending(ending: &Ending) -> String {
    let waiting = |what: &str, tasks: &[bizarro_record::record::TaskState]| {
        let waits: Vec<String> =
            tasks.iter().map(|t| format!("{} task {}: {}", t.host, t.tid, t.waits_for)).collect();
        if waits.is_empty() { what.to_string() } else { format!("{what}; {}", waits.join(", ")) }
    };
    harmless(&match ending {
        Ending::Completed => "the workload ended".to_string(),
        Ending::Deadline { tasks } => waiting("deadline", tasks),
        Ending::Deadlock { tasks } => waiting("deadlock", tasks),
        Ending::Spinning { task, .. } => format!("{} task {} spins", task.host, task.tid),
        Ending::Broken { property } => format!("`{property}` was broken"),
        Ending::Lost { reason } => format!("lost: {reason}"),
    })
}

/// Two texts in columns of half the width.
fn side_by_side(first: &str, second: &str, look: Look) -> String {
    let column = (look.width.saturating_sub(2 + 3) / 2).max(20);
    let half = Look { width: column, ..look };
    let (first, second) = (half.wrap(first, 0), half.wrap(second, 0));
    let line = |lines: &[String], index: usize| lines.get(index).cloned().unwrap_or_default();
    (0..first.len().max(second.len()))
        .map(|index| {
            let left = pad(&line(&first, index), column);
            format!("  {left}{RULE}{}", line(&second, index)).trim_end().to_string() + "\n"
        })
        .collect()
}
