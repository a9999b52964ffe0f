//! When operations were asked and answered: a line for each, those of a process below each other. Only the
//! order of events counts, so they are drawn at equal distances.

use super::DRAWN_MAX;
use super::svg::{LINE, MARGIN, Picture, WIDTH, escaped, shortened};
use crate::checkers::Reason;
use crate::history::{Operation, Outcome, RawCall, RawHistory, Value};

/// Where time begins, right of the names of processes.
const LEFT: u32 = 140;
/// Characters of a process's name.
const NAME: usize = 14;
/// Of a bar.
const HEIGHT: u32 = 12;

type RawOperation = Operation<RawCall, Value>;

pub(super) fn draw(history: &RawHistory, reason: &Reason) -> String {
    let mut operations: Vec<(u32, &RawOperation)> = reason
        .operations
        .iter()
        .take(DRAWN_MAX)
        .map(|index| (*index, &history.operations()[*index as usize]))
        .collect();
    operations.sort_by_key(|(index, it)| (it.process, *index));
    let mut events: Vec<u32> = operations
        .iter()
        .flat_map(|(_, it)| [Some(it.invoked.position), it.ended.map(|end| end.position)])
        .flatten()
        .collect();
    events.sort_unstable();
    let told: Vec<String> = operations.iter().map(|(index, it)| sentence(*index, it)).collect();
    let mut picture = Picture::new(&reason.name, told.join("; "));
    for sentence in &reason.because {
        picture.paragraph(MARGIN, "faint", sentence);
    }
    picture.y += LINE / 2;
    // The last place is behind all events.
    let step = (WIDTH - LEFT - MARGIN) / (events.len() as u32 + 1).max(1);
    let at = |event: u32| LEFT + step * events.partition_point(|it| *it < event) as u32;
    let mut process = None;
    for (index, operation) in &operations {
        if process.replace(operation.process) != Some(operation.process) {
            let y = picture.y;
            let right = WIDTH - MARGIN;
            picture.add(format_args!(
                "<line class=\"lane\" x1=\"{MARGIN}\" y1=\"{y}\" x2=\"{right}\" y2=\"{y}\"/>"
            ));
            picture.y += LINE;
            let name = format!("process {}", operation.process);
            picture.text(MARGIN, "faint", &shortened(&name, NAME));
        } else {
            picture.y += LINE;
        }
        bar(&mut picture, *index, operation, at);
    }
    let left = reason.operations.len().saturating_sub(DRAWN_MAX);
    if left > 0 {
        picture.y += LINE;
        picture.text(MARGIN, "faint", &format!("… and {left} more operations"));
    }
    picture.finish()
}

/// What was asked, and below it from when to when.
fn bar(picture: &mut Picture, index: u32, operation: &RawOperation, at: impl Fn(u32) -> u32) {
    let from = at(operation.invoked.position);
    let (class, to) = match (&operation.outcome, operation.ended) {
        (Outcome::Ok(_), Some(end)) => ("bar", at(end.position)),
        (Outcome::Fail, Some(end)) => ("failed", at(end.position)),
        // It may take effect at any time from then on.
        (_, _) => ("open", WIDTH - MARGIN),
    };
    picture.text(from, "", &format!("{index}: {operation}"));
    let (y, width) = (picture.y + 6, to.saturating_sub(from).max(2));
    let said = escaped(&sentence(index, operation));
    picture.add(format_args!(
        "<rect class=\"{class}\" x=\"{from}\" y=\"{y}\" width=\"{width}\" height=\"{HEIGHT}\" rx=\"2\">\
         <title>{said}</title></rect>"
    ));
    picture.y = y + HEIGHT + 8;
}

fn sentence(index: u32, operation: &RawOperation) -> String {
    let begin = operation.invoked.position;
    let until = match operation.ended {
        Some(end) => format!("to event {}", end.position),
        None => "on, without an end".to_string(),
    };
    format!("{index}: process {}: {operation}, from event {begin} {until}", operation.process)
}
