//! Files of which mappings show every change.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::ops::Range;

use super::Fs;
use super::types::Ino;

/// See the module.
#[derive(Clone, Default)]
pub(super) struct Shown {
    files: BTreeSet<Ino>,
    changes: Vec<(Ino, Range<u64>)>,
}

impl Shown {
    /// Bytes of a file, or its size, changed.
    #[inline]
    pub(super) fn changed(&mut self, ino: Ino, written: Range<u64>) {
        if !self.files.is_empty() && self.files.contains(&ino) {
            self.changes.push((ino, written));
        }
    }
}

impl Fs {
    /// Whether the kernel has to do something for this disk: [`Fs::has_seen_changes`], or [`Fs::take_changes_to_show`].
    #[inline]
    pub(crate) fn asks(&self) -> bool {
        !self.shown.changes.is_empty() || self.has_seen_changes()
    }

    /// Keeps from now on what changes of a file.
    pub(crate) fn show_changes_of(&mut self, ino: Ino) {
        self.shown.files.insert(ino);
    }

    /// Ends that, and says whether it was so.
    pub(crate) fn hide_changes_of(&mut self, ino: Ino) -> bool {
        self.shown.changes.retain(|(changed, _)| *changed != ino);
        self.shown.files.remove(&ino)
    }

    /// The bytes that changed since this was asked last; the sizes of these files may have changed too.
    pub(crate) fn take_changes_to_show(&mut self) -> Vec<(Ino, Range<u64>)> {
        core::mem::take(&mut self.shown.changes)
    }
}
