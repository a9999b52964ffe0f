//! What a power loss leaves of a disk. [`super::journal`] says what it may leave; here is how that is known.
//!
//! For every file and directory that is not wholly on the disk, the difference to what is there is kept: of a file, its
//! content as it was synced last; of a directory, the changes of its names since, in order. Nodes that lost their last
//! name stay known as long as one of these changes may be undone. It costs memory and time, so it is kept only for hosts
//! that may lose their power ([`Fs::keep_platter`]).

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::ops::Range;

use bizarro_record::{Nanos, Survivors};

use super::content::{Content, PAGE};
use super::inode::{Body, Home, Inode};
use super::journal::Mark;
use super::mount::MountId;
use super::types::Ino;
use super::{Fs, ProcNode};

/// Draws a number below the one that it is given.
type Draw<'d> = &'d mut dyn FnMut(u64) -> u64;

/// See the module.
#[derive(Clone)]
pub(super) struct Platter {
    /// The file systems as they were made: those in memory begin like that again.
    boot: Box<Fs>,
    files: BTreeMap<Ino, Behind>,
    names: BTreeMap<Ino, Vec<NameChange>>,
    /// Nodes without a name that may get one back.
    gone: BTreeMap<Ino, Inode>,
}

/// A file that is not wholly on the disk.
#[derive(Clone)]
struct Behind {
    /// What is there.
    synced: Content,
    /// The smallest size that it has had since: bytes from there on were cut off, and may have been written anew.
    low: u64,
    /// Pages that a failed sync left behind: they count as clean, and are lost unless they are written again.
    forsaken: BTreeSet<u64>,
    /// When it was changed for the first time since it was there wholly.
    since: Nanos,
}

impl Behind {
    fn new(synced: Content, since: Nanos) -> Behind {
        Behind { low: synced.size(), synced, forsaken: BTreeSet::new(), since }
    }
}

/// When the flusher writes back what has been dirty since then: it takes what is older than
/// `vm.dirty_expire_centisecs` and wakes every `vm.dirty_writeback_centisecs` (Documentation/admin-guide/sysctl/vm.rst).
fn written_back_at(since: Nanos) -> Nanos {
    const EXPIRE: Nanos = Nanos::from_secs(30);
    const WAKE: Nanos = Nanos::from_secs(5);
    Nanos((since + EXPIRE).0.next_multiple_of(WAKE.0))
}

/// A name of a directory was made, taken away or given to another node.
#[derive(Clone)]
struct NameChange {
    /// Its place in the order of all changes of the disk; a rename changes two names in one.
    change: u64,
    name: Box<[u8]>,
    /// What it named before.
    before: Option<Ino>,
    /// The other directory of a rename: the change is made in both or in none.
    with: Option<Ino>,
    /// When it was made.
    at: Nanos,
}

impl Fs {
    /// Keeps from now on what [`Fs::power_lost`] needs. What is on the disk now is durable.
    pub fn keep_platter(&mut self) {
        if self.platter.is_some() {
            return;
        }
        let boot = Box::new(Fs { platter: None, ..self.clone() });
        self.platter = Some(Box::new(Platter {
            boot,
            files: BTreeMap::new(),
            names: BTreeMap::new(),
            gone: BTreeMap::new(),
        }));
    }

    /// The host starts again with another disk: everything is as it was at first.
    ///
    /// # Panics
    /// Where nobody asked for [`Fs::keep_platter`] before.
    pub fn is_replaced(&mut self) {
        let platter = self.platter.take().expect("a host that may lose its disk has a platter");
        let boot = platter.boot;
        let mut fresh = boot.as_ref().clone();
        fresh.nodes.skip_to(self.nodes.next());
        fresh.journal.follow(&self.journal);
        fresh.keep_platter_of(boot);
        *self = fresh;
    }

    /// The power fails, and comes back: no process is left, what is in memory is as it was at first, and of the disk
    /// there is what was synced or written back, and as much of the rest as `survivors` says. `draw` gives a number below its argument.
    ///
    /// # Panics
    /// Where nobody asked for [`Fs::keep_platter`] before.
    pub fn power_lost(&mut self, survivors: Survivors, draw: Draw<'_>) {
        self.write_back_all();
        let platter = self.platter.take().expect("a host that may lose its power has a platter");
        let Platter { boot, files, names, gone } = *platter;
        let mut nodes: BTreeMap<Ino, Inode> = gone;
        for ino in self.nodes.numbers() {
            let inode = self.nodes.get(ino);
            if inode.mount == MountId::DISK {
                nodes.insert(ino, inode.clone());
            }
        }
        undo_names(&mut nodes, names, survivors, draw);
        for (ino, behind) in files {
            if let Some(Body::File(content)) = nodes.get_mut(&ino).map(|inode| &mut inode.body) {
                *content = left_of(&behind, content, survivors, draw);
            }
        }
        let mut fresh = boot.as_ref().clone();
        fresh.take_disk(nodes);
        fresh.nodes.skip_to(self.nodes.next());
        fresh.journal.follow(&self.journal);
        fresh.keep_platter_of(boot);
        *self = fresh;
    }

    fn keep_platter_of(&mut self, boot: Box<Fs>) {
        self.keep_platter();
        if let Some(platter) = &mut self.platter {
            platter.boot = boot;
        }
    }

    /// Puts these nodes in the place of the disk's, as far as a name leads to them.
    fn take_disk(&mut self, mut nodes: BTreeMap<Ino, Inode>) {
        for ino in self.nodes.numbers() {
            if self.nodes.get(ino).mount == MountId::DISK {
                self.nodes.remove(ino);
            }
        }
        let (mut count, mut pages) = (0, 0);
        let mut found: BTreeMap<Ino, Inode> = BTreeMap::new();
        let mut next = VecDeque::from([(Fs::ROOT, Home { parent: Fs::ROOT, name: [].into() })]);
        while let Some((ino, home)) = next.pop_front() {
            if let Some(known) = found.get_mut(&ino) {
                known.nlink += 1;
                continue;
            }
            let Some(mut inode) = nodes.remove(&ino) else { continue };
            inode.nlink = 1;
            inode.opens = 0;
            inode.holds_parent = false;
            inode.mark = Mark::default();
            inode.home = home;
            count += 1;
            match &mut inode.body {
                Body::File(content) => pages += content.pages(),
                Body::Directory(directory) => {
                    pages += 1;
                    inode.nlink = 2;
                    directory.dead = false;
                    for (name, child) in directory.entries() {
                        let is_mounted =
                            ProcNode::from_ino(child).is_some() || self.nodes.find(child).is_some();
                        let is_directory = nodes.get(&child).is_some_and(Inode::is_directory);
                        inode.nlink += u32::from(is_mounted || is_directory);
                        if !is_mounted {
                            next.push_back((child, Home { parent: ino, name }));
                        }
                    }
                }
                _ => {}
            }
            found.insert(ino, inode);
        }
        for (ino, inode) in found {
            self.nodes.put(ino, inode);
        }
        self.mounts.set_used(MountId::DISK, pages, count);
    }

    /// The platter, for a node of the disk.
    fn platter_of(&mut self, mount: MountId) -> Option<&mut Platter> {
        self.platter.as_deref_mut().filter(|_| mount == MountId::DISK)
    }

    /// To be called when a name of a directory is about to change; `with` is the other directory of a rename.
    pub(super) fn name_changes(&mut self, directory: Ino, name: &[u8], with: Option<Ino>) {
        if self.platter.is_none() {
            return;
        }
        let inode = self.nodes.get(directory);
        let (mount, before) = (inode.mount, inode.directory().get(name));
        let (change, at) = (self.journal.changes(), self.clock);
        let with = with.filter(|with| *with != directory);
        if let Some(platter) = self.platter_of(mount) {
            let changes = platter.names.entry(directory).or_default();
            changes.push(NameChange { change, name: name.into(), before, with, at });
        }
    }

    /// To be called with a node that was just made.
    pub(super) fn node_is_new(&mut self, ino: Ino) {
        if self.platter.is_none() {
            return;
        }
        let inode = self.nodes.get(ino);
        let (mount, is_file, now) = (inode.mount, inode.is_file(), self.clock);
        if is_file && let Some(platter) = self.platter_of(mount) {
            platter.files.insert(ino, Behind::new(Content::default(), now));
        }
    }

    /// To be called with a node that nothing keeps any more.
    pub(super) fn node_is_gone(&mut self, ino: Ino, inode: &Inode) {
        if let Some(platter) = self.platter_of(inode.mount) {
            platter.gone.insert(ino, inode.clone());
        }
    }

    /// To be called when the content of a file is about to change.
    pub(super) fn bytes_change(&mut self, ino: Ino) {
        self.write_back(ino);
        let Some(platter) = &mut self.platter else { return };
        let inode = self.nodes.get(ino);
        if let Body::File(content) = &inode.body
            && inode.mount == MountId::DISK
        {
            let now = self.clock;
            platter.files.entry(ino).or_insert_with(|| Behind::new(content.clone(), now));
        }
    }

    /// To be called when it has changed, with the bytes that were written.
    pub(super) fn bytes_changed(&mut self, ino: Ino, written: Range<u64>) {
        let Some(platter) = &mut self.platter else { return };
        let Some(behind) = platter.files.get_mut(&ino) else { return };
        let Body::File(content) = &self.nodes.get(ino).body else { return };
        behind.low = behind.low.min(content.size());
        let end = content.size().div_ceil(PAGE);
        let again = written.start / PAGE..written.end.div_ceil(PAGE);
        behind.forsaken.retain(|page| *page < end && !again.contains(page));
    }

    /// To be called when a file or directory was synced.
    pub(super) fn was_synced(&mut self, ino: Ino) {
        self.content_was_synced(ino);
        let Some(platter) = &mut self.platter else { return };
        if platter.commit_names(ino, u64::MAX) {
            self.forget_what_is_gone();
        }
    }

    fn content_was_synced(&mut self, ino: Ino) {
        let Some(platter) = &mut self.platter else { return };
        if let Some(behind) = platter.files.remove(&ino)
            && !behind.forsaken.is_empty()
            && let Some(Body::File(content)) = self.nodes.find(ino).map(|inode| &inode.body)
        {
            let synced = without(content.clone(), &behind);
            let low = content.size();
            platter.files.insert(ino, Behind { synced, low, ..behind });
        }
    }

    /// To be called when the pages of a file that hold these bytes were synced, and with them as much of its size as is
    /// needed to read them back: what was cut off is gone for good, and what lies before them reads as zeroes.
    pub(super) fn range_was_synced(&mut self, ino: Ino, range: Range<u64>) {
        let Some(platter) = &mut self.platter else { return };
        let Some(behind) = platter.files.get_mut(&ino) else { return };
        let Body::File(content) = &self.nodes.get(ino).body else { return };
        let size = content.size();
        behind.synced.resize(behind.synced.size().min(behind.low));
        let end = size.min(range.end.div_ceil(PAGE).saturating_mul(PAGE));
        behind.synced.resize(behind.synced.size().max(end));
        let synced = range.start / PAGE..range.end.div_ceil(PAGE);
        let mut is_whole = behind.synced.size() == size && behind.forsaken.is_empty();
        for page in content.differing(&behind.synced) {
            if synced.contains(&page) && !behind.forsaken.contains(&page) {
                behind.synced.put_page(page, &content.page(page));
            } else {
                is_whole = false;
            }
        }
        behind.low = behind.synced.size();
        if is_whole {
            platter.files.remove(&ino);
        }
    }

    /// Makes a file durable if the flusher has written it back by now. Nothing has changed it since then.
    fn write_back(&mut self, ino: Ino) {
        if self.is_frozen() {
            return;
        }
        let known = self.platter.as_ref().and_then(|platter| platter.files.get(&ino));
        if known.is_some_and(|behind| written_back_at(behind.since) <= self.clock) {
            self.content_was_synced(ino);
        }
    }

    /// Makes everything durable that the flusher has written back by now.
    pub(super) fn write_back_all(&mut self) {
        if self.is_frozen() {
            return;
        }
        let Some(platter) = &self.platter else { return };
        let files: Vec<Ino> = platter.files.keys().copied().collect();
        let directories: Vec<Ino> = platter.names.keys().copied().collect();
        for ino in files {
            self.write_back(ino);
        }
        let Some(platter) = &mut self.platter else { return };
        for ino in directories {
            while let Some(changes) = platter.names.get(&ino)
                && let Some(written_back) = changes.first().map(|first| written_back_at(first.at))
                && written_back <= self.clock
                && let Some(last) = changes.iter().rfind(|change| change.at <= written_back)
            {
                let last = last.change;
                platter.commit_names(ino, last);
            }
        }
        self.forget_what_is_gone();
    }

    /// To be called when everything was synced.
    pub(super) fn all_was_synced(&mut self) {
        let Some(platter) = &self.platter else { return };
        let inos: Vec<Ino> = platter.files.keys().chain(platter.names.keys()).copied().collect();
        for ino in inos {
            self.was_synced(ino);
        }
    }

    /// To be called when bytes changed on the medium itself.
    pub(super) fn medium_changed(&mut self, ino: Ino, offset: u64, bytes: &[u8]) {
        let behind = self.platter.as_mut().and_then(|platter| platter.files.get_mut(&ino));
        if let Some(behind) = behind
            && offset + bytes.len() as u64 <= behind.synced.size()
        {
            behind.synced.write(offset, bytes);
        }
    }

    /// To be called when a sync of these bytes of a file failed.
    pub(super) fn sync_failed(&mut self, ino: Ino, range: Range<u64>) {
        let Some(platter) = &mut self.platter else { return };
        let Some(behind) = platter.files.get_mut(&ino) else { return };
        if let Body::File(content) = &self.nodes.get(ino).body {
            let failed = range.start / PAGE..range.end.div_ceil(PAGE);
            let dirty = content.differing(&behind.synced).into_iter();
            behind.forsaken.extend(dirty.filter(|page| failed.contains(page)));
        }
    }

    /// Forgets nodes without a name that no change can give one back.
    fn forget_what_is_gone(&mut self) {
        let (nodes, Some(platter)) = (&self.nodes, &mut self.platter) else { return };
        let Platter { files, names, gone, .. } = &mut **platter;
        loop {
            let before = gone.len();
            let wanted: BTreeSet<Ino> = names.values().flatten().filter_map(|c| c.before).collect();
            gone.retain(|ino, _| wanted.contains(ino));
            names.retain(|ino, _| nodes.find(*ino).is_some() || gone.contains_key(ino));
            if gone.len() == before {
                break;
            }
        }
        files.retain(|ino, _| nodes.find(*ino).is_some() || gone.contains_key(ino));
    }
}

impl Platter {
    /// Whether everything is durable.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty() && self.names.is_empty() && self.gone.is_empty()
    }

    /// Makes the changes of a directory's names durable, up to one of them, and with it those before it in the other
    /// directory of a rename. Says whether there were any.
    fn commit_names(&mut self, directory: Ino, last: u64) -> bool {
        let Some(changes) = self.names.get_mut(&directory) else { return false };
        let kept = changes.split_off(changes.partition_point(|change| change.change <= last));
        let durable = core::mem::replace(changes, kept);
        if changes.is_empty() {
            self.names.remove(&directory);
        }
        for NameChange { change, with, .. } in &durable {
            if let Some(other) = with {
                self.commit_names(*other, *change);
            }
        }
        !durable.is_empty()
    }
}

/// Takes back changes of names that did not survive.
fn undo_names(
    nodes: &mut BTreeMap<Ino, Inode>,
    names: BTreeMap<Ino, Vec<NameChange>>,
    survivors: Survivors,
    draw: Draw<'_>,
) {
    // The last change of each directory that survives; 0 where none does.
    let mut last: BTreeMap<Ino, u64> = BTreeMap::new();
    for (directory, changes) in &names {
        let all = changes.last().map_or(0, |change| change.change);
        let drawn = match survivors {
            Survivors::Nothing => 0,
            Survivors::All => all,
            Survivors::Some => match draw(changes.len() as u64 + 1) as usize {
                0 => 0,
                count => changes[count - 1].change,
            },
        };
        last.insert(*directory, drawn);
    }
    // A rename survives in both directories or in none.
    loop {
        let mut raised = false;
        for (directory, changes) in &names {
            let kept = changes.iter().take_while(|change| change.change <= last[directory]);
            let others: Vec<(Ino, u64)> =
                kept.filter_map(|change| Some((change.with?, change.change))).collect();
            for (other, change) in others {
                if let Some(known) = last.get_mut(&other)
                    && *known < change
                {
                    *known = change;
                    raised = true;
                }
            }
        }
        if !raised {
            break;
        }
    }
    for (directory, changes) in names {
        let Some(inode) = nodes.get_mut(&directory) else { continue };
        let entries = inode.directory_mut();
        let undone = changes.iter().rev().take_while(|change| change.change > last[&directory]);
        for NameChange { name, before, .. } in undone {
            match before {
                Some(ino) => entries.insert(name, *ino),
                None => entries.remove(name),
            }
        }
    }
}

/// What is on the disk of a file whose sync failed, when the next one succeeds.
fn without(mut content: Content, behind: &Behind) -> Content {
    for page in &behind.forsaken {
        content.put_page(*page, &behind.synced.page(*page));
    }
    content
}

/// What is left of a file of which a part was not synced.
fn left_of(behind: &Behind, now: &Content, survivors: Survivors, draw: Draw<'_>) -> Content {
    let synced = &behind.synced;
    match survivors {
        Survivors::Nothing => return synced.clone(),
        Survivors::All => return without(now.clone(), behind),
        Survivors::Some => {}
    }
    let mut left = synced.clone();
    // Pages from here on are as they were, because what cut them off did not survive.
    let mut fixed = u64::MAX;
    if behind.low < synced.size() && draw(2) == 0 {
        fixed = behind.low / PAGE;
    } else {
        left.resize(synced.size().min(behind.low));
        let grown = now.size().saturating_sub(left.size());
        left.resize(
            left.size()
                + match draw(4) {
                    0 => 0,
                    1 => draw(grown + 1),
                    _ => grown,
                },
        );
    }
    for page in now.differing(&left) {
        if page < fixed && page * PAGE < left.size() && !behind.forsaken.contains(&page) {
            let old = left.page(page);
            left.put_page(page, &mixed(old, &now.page(page), draw));
        }
    }
    left
}

/// The old page, the new one, or one that is torn between two sectors.
fn mixed(mut old: [u8; PAGE as usize], new: &[u8], draw: Draw<'_>) -> [u8; PAGE as usize] {
    const SECTOR: usize = 512;
    let range = match draw(8) {
        0..3 => 0..0,
        3..6 => 0..new.len(),
        other => {
            let at = SECTOR * (1 + draw(7) as usize);
            if other == 6 { 0..at } else { at..new.len() }
        }
    };
    old[range.clone()].copy_from_slice(&new[range]);
    old
}
