//! Transactions of which each comes before the next one, and the last one before the first: boxes below each
//! other, and the way back at their left. Below are those that say why.

use super::DRAWN_MAX;
use super::svg::{LINE, MARGIN, Picture, WIDTH, characters, escaped, shortened};
use crate::checkers::Reason;
use crate::history::RawHistory;

/// The left side of the boxes; the way back goes left of it.
const LEFT: u32 = 60;
/// Of a box.
const HEIGHT: u32 = 28;
/// Half the width of a tip of an arrow, and its length.
const TIP: u32 = 5;

pub(super) fn draw(history: &RawHistory, reason: &Reason) -> String {
    let told: Vec<&str> = reason.arrows.iter().map(|it| it.because.as_str()).collect();
    let mut picture = Picture::new(&reason.name, told.join("; "));
    let drawn = &reason.arrows[..reason.arrows.len().min(DRAWN_MAX)];
    let first = picture.y;
    let mut last = first;
    for arrow in drawn {
        last = picture.y;
        node(&mut picture, history, arrow.from);
        let down = arrow.to != drawn[0].from;
        let top = picture.y;
        picture.y += LINE;
        picture.paragraph(LEFT + 40, "faint", &arrow.because);
        if down {
            down_to(&mut picture, top);
        }
    }
    let left = reason.arrows.len() - drawn.len();
    if left > 0 {
        picture.text(LEFT, "faint", &format!("… and {left} more transactions"));
        picture.y += LINE;
    }
    back(&mut picture, last + HEIGHT / 2, first + HEIGHT / 2);
    let on_it = |index: &u32| reason.arrows.iter().any(|it| it.from == *index);
    for index in reason.operations.iter().filter(|index| !on_it(index)).take(DRAWN_MAX) {
        picture.y += LINE;
        picture.text(LEFT + 10, "", &named(history, *index));
    }
    picture.finish()
}

fn node(picture: &mut Picture, history: &RawHistory, index: u32) {
    let text = named(history, index);
    let (y, width) = (picture.y, WIDTH - LEFT - MARGIN);
    picture.add(format_args!(
        "<rect class=\"box\" x=\"{LEFT}\" y=\"{y}\" width=\"{width}\" height=\"{HEIGHT}\" rx=\"4\">\
         <title>{}</title></rect>",
        escaped(&text)
    ));
    picture.y = y + LINE;
    picture.text(LEFT + 10, "", &shortened(&text, characters(width - 20)));
    picture.y = y + HEIGHT;
}

fn named(history: &RawHistory, index: u32) -> String {
    let operation = &history.operations()[index as usize];
    format!("{index}: process {}: {operation}", operation.process)
}

/// An arrow from a height to the next box.
fn down_to(picture: &mut Picture, top: u32) {
    let (x, bottom) = (LEFT + 20, picture.y);
    picture.add(format_args!("<path class=\"arrow\" d=\"M{x} {top}V{}\"/>", bottom - TIP));
    tip(picture, (x - TIP, bottom - 2 * TIP), (x + TIP, bottom - 2 * TIP), (x, bottom));
}

/// An arrow from the last box to the first.
fn back(picture: &mut Picture, from: u32, to: u32) {
    let x = MARGIN + 8;
    picture.add(format_args!(
        "<path class=\"arrow\" d=\"M{LEFT} {from}H{}Q{x} {from} {x} {}V{}Q{x} {to} {} {to}H{}\"/>",
        x + 10,
        from - 10,
        to + 10,
        x + 10,
        LEFT - TIP,
    ));
    tip(picture, (LEFT - 2 * TIP, to - TIP), (LEFT - 2 * TIP, to + TIP), (LEFT, to));
}

fn tip(picture: &mut Picture, one: (u32, u32), other: (u32, u32), at: (u32, u32)) {
    picture.add(format_args!(
        "<path class=\"tip\" d=\"M{} {}L{} {}L{} {}Z\"/>",
        one.0, one.1, other.0, other.1, at.0, at.1
    ));
}
