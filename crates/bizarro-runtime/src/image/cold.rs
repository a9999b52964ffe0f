//! Pages that nobody writes any more: with a protection key they need not be compared.

use crate::image::{Image, PAGE, Piece, image};
use crate::keys::Key;

/// How many switches a page stays hot after its first write, and at most after any later one: comparing it so often costs
/// about what a fault costs. A page that is written again soon after it grew cold stays hot for longer and longer.
pub(super) const PATIENCE: u64 = 64;
const LONGEST_PATIENCE: u64 = 1 << 16;

/// A write to a cold page: makes it hot. Says whether it was one, so that the write is tried again.
pub fn forbidden(addr: usize) -> bool {
    let image = image();
    let Some(key) = image.key else { return false };
    let page = addr & !(PAGE - 1);
    let mut found = false;
    for piece in image.pieces.iter_mut().filter(|piece| piece.cold) {
        if piece.start & !(PAGE - 1) == page {
            piece.cold = false;
            // A part of a page grew cold with another part of it, maybe before its own time.
            let rested = image.switches.saturating_sub(piece.cools_at);
            piece.patience = if rested < piece.patience {
                (piece.patience * 2).min(LONGEST_PATIENCE)
            } else {
                PATIENCE
            };
            piece.cools_at = image.switches + piece.patience;
            image.hot += 1;
            image.unchanged = false;
            found = true;
        }
    }
    // SAFETY: the page was writable before it had the key.
    found && unsafe { key.set(page, PAGE, false) }
}

/// Gives the key to pages that have not been written for the first time, or again, for long. Where the real kernel
/// refuses they stay hot.
pub(super) fn cool(image: &mut Image, key: Key) {
    for index in 0..image.pieces.len() {
        let page = image.pieces[index].start & !(PAGE - 1);
        let due = |piece: &Piece| !piece.cold && piece.cools_at <= image.switches;
        // Pieces that share a page are of one mind.
        let shares = |piece: &&mut Piece| piece.start & !(PAGE - 1) == page;
        // SAFETY: pieces are writable.
        if due(&image.pieces[index]) && unsafe { key.set(page, PAGE, true) } {
            for piece in image.pieces.iter_mut().filter(shares).filter(|piece| !piece.cold) {
                piece.cold = true;
                image.hot -= 1;
            }
        }
    }
}
