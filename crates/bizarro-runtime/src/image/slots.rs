//! Whose copy is in place.

use crate::image::cold::{PATIENCE, cool};
use crate::image::{Image, NOBODY, Piece, Place, Slot, current, image};
use crate::lines;

/// Puts a slot's copy in place of the current one's.
#[inline]
pub fn switch_to(slot: usize) {
    if slot != current() && image().armed {
        swap(slot);
    }
}

fn swap(slot: usize) {
    let image = image();
    image.switches += 1;
    if !image.unchanged {
        find_differing(image);
        if image.current != NOBODY {
            save(image);
        }
    }
    match image.key {
        Some(key) => {
            key.writable(|| load(image, slot));
            if image.hot > 0 && image.switches.is_multiple_of(PATIENCE) {
                cool(image, key);
            }
        }
        None => load(image, slot),
    }
    image.unchanged = image.hot == 0;
    image.current = slot;
}

/// Finds the lines that differ from the template and were not known to.
fn find_differing(image: &mut Image) {
    for piece in image.pieces.iter_mut().filter(|piece| !piece.cold) {
        let Piece { start, len, differing, blank, .. } = *piece;
        let template = image.template + piece.offset;
        // SAFETY: pieces lie within mapped regions and the template, and none is longer than a page.
        let found = unsafe { lines::differing(start, template, len, differing, blank, image.wide) };
        piece.differing |= found;
        image.places.extend(lines::offsets(found).map(|offset| Place {
            at: start + offset,
            template: template + offset,
            len: len - offset,
        }));
    }
}

/// Keeps what is in place for its slot.
fn save(image: &mut Image) {
    let slot = &mut image.slots[image.current];
    slot.clear();
    // SAFETY: places lie within pieces.
    slot.extend(image.places.iter().map(|place| unsafe { lines::get(place.at, place.len) }));
}

/// Puts a slot's lines in place.
fn load(image: &Image, slot: usize) {
    let held = &image.slots[slot];
    for (place, line) in image.places.iter().zip(held) {
        // SAFETY: places lie within pieces.
        unsafe { lines::put(place.at, place.len, *line) };
    }
    for place in &image.places[held.len()..] {
        // SAFETY: as above, and in the template.
        unsafe { lines::put(place.at, place.len, lines::get(place.template, place.len)) };
    }
}

/// Makes a slot start afresh: its process has gone.
pub fn reset(slot: usize) {
    let image = image();
    if !image.armed {
        return;
    }
    image.slots[slot].clear();
    if image.current == slot {
        image.current = NOBODY;
        image.unchanged = false;
    }
}

/// Starts over with another run: every slot is as in the template again.
pub fn start_over(hosts: usize) {
    let image = image();
    image.slots.clear();
    image.slots.resize(hosts + 1, Slot::new());
    image.current = NOBODY;
    image.unchanged = false;
}
