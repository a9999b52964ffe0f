//! /proc/PID/maps: which file each mapping comes from, as this host names it.
//!
//! DIVERGENCE: Linux also lists `[vdso]` and `[vvar]`; here time is no business of the vDSO's. A library's
//! path is the one that it was loaded from, at which this host's disk need not have a file.

use alloc::vec::Vec;

use super::Fs;
use super::mount::MountId;
use super::procfs::{MapFacts, maps};
use super::types::Ino;
use crate::seams::{Backing, Mapping};

impl Fs {
    /// The text of /proc/PID/maps, proc_pid_maps(5).
    pub(super) fn maps_text(&self, mappings: &[Mapping]) -> Vec<u8> {
        let facts: Vec<MapFacts> = mappings.iter().map(|mapping| self.facts(mapping)).collect();
        maps(&facts)
    }

    fn facts(&self, mapping: &Mapping) -> MapFacts {
        let Mapping { start, end, prot, backing } = mapping;
        let plain = MapFacts { start: *start, end: *end, prot: *prot, ..MapFacts::default() };
        let (dev, _) = self.mounts.identity(MountId::DISK);
        match backing {
            Backing::Nothing => plain,
            Backing::Named(name) => MapFacts { name: Vec::from(name.as_bytes()), ..plain },
            Backing::Shared(ino, offset) => {
                let ino = Ino(*ino);
                let name = self.path_of(ino);
                let (dev, _) = self.mounts.identity(self.mount_of(ino));
                MapFacts { name, ino: Some(ino), offset: *offset, dev, shared: true, ..plain }
            }
            Backing::Library(path, offset) => {
                MapFacts { name: Vec::from(path.as_bytes()), offset: *offset, dev, ..plain }
            }
            Backing::Program(offset) => {
                let (name, ino) = match &self.program {
                    Some((path, ino)) => (Vec::from(path.as_bytes()), Some(*ino)),
                    None => (Vec::new(), None),
                };
                MapFacts { name, ino, offset: *offset, dev, ..plain }
            }
        }
    }
}
