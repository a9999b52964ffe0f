//! How calls reach the disk of a host.

use alloc::vec::Vec;

use crate::fs::{At, By, Caller, Cred, Found, Fs, Ino, Kind as Node, Lookup, Realtime};
use crate::host::HostId;
use crate::kernel::Kernel;
use crate::procview::ProcView;
use crate::seams::GuestMemory;

impl Kernel {
    /// Who does something to files now.
    pub(crate) fn by(&self) -> By {
        By { cred: self.host().cred(), umask: self.host().process.umask, now: self.realtime() }
    }

    /// The current host's CLOCK_REALTIME.
    pub(crate) fn realtime(&self) -> Realtime {
        Realtime(self.host().clock.realtime(self.now).0 as i64)
    }

    /// Calls a function of the current host's file system that resolves paths.
    pub(crate) fn with_fs<R>(&mut self, f: impl FnOnce(&mut Fs, &mut Caller<'_>) -> R) -> R {
        let by = self.by();
        let host = self.host_id();
        let mut fs = self.host_mut().take_disk();
        let mut outside = self.outside.take().expect("only one call resolves at a time");
        fs.tell_time(self.now);
        let before = fs.writes();
        let result = {
            let view = ProcView::new(self, &*outside);
            f(&mut fs, &mut Caller { by, proc: &view, outside: &mut *outside })
        };
        let written = fs.writes() != before;
        if fs.asks() {
            self.disk_asks = Some(host);
        }
        self.outside = Some(outside);
        self.host_mut().put_disk(fs);
        if written {
            self.net.disk_written(host.0);
        }
        result
    }

    /// Calls a function of the current host's file system that resolves no path.
    pub(crate) fn with_disk<R>(&mut self, f: impl FnOnce(&mut Fs) -> R) -> R {
        let (host, now) = (self.host_id(), self.now);
        let fs = self.host_mut().fs();
        fs.tell_time(now);
        let before = fs.writes();
        let result = f(fs);
        let (written, asks) = (fs.writes() != before, fs.asks());
        if asks {
            self.disk_asks = Some(host);
        }
        if written {
            self.net.disk_written(host.0);
        }
        result
    }

    /// Does what a disk asks for at the end of a call: mappings have to show what was written, or an incident has waited
    /// for one of its changes.
    #[cold]
    pub(crate) fn heed_disk(&mut self, memory: &mut dyn GuestMemory, host: HostId) {
        self.show_changes(memory, host);
        if self.hosts[usize::from(host.0)].disk().has_seen_changes() {
            self.disk_moment_came(host);
        }
    }

    /// The content of a regular file of a host, for whoever looks at the run from outside.
    pub fn file_content(&mut self, host: HostId, path: &[u8]) -> Option<Vec<u8>> {
        let ino = self.resolve_on(host, path)?;
        let disk = self.hosts[usize::from(host.0)].disk();
        if disk.kind(ino) != Node::Regular {
            return None;
        }
        let mut content = alloc::vec![0; usize::try_from(disk.size(ino)).ok()?];
        let len = disk.read_at(ino, 0, &mut content).ok()?;
        content.truncate(len);
        Some(content)
    }

    /// What an absolute path of a host leads to, for the kernel's own use.
    pub(crate) fn resolve_on(&mut self, host: HostId, path: &[u8]) -> Option<Ino> {
        let now = Realtime(self.hosts[usize::from(host.0)].clock.realtime(self.now).0 as i64);
        let mut outside = self.outside.take().expect("only one call resolves at a time");
        let mut fs = self.hosts[usize::from(host.0)].take_disk();
        let by = By { cred: Cred::ROOT, umask: 0, now };
        let found = {
            let view = ProcView::new(self, &*outside);
            let mut caller = Caller { by, proc: &view, outside: &mut *outside };
            fs.resolve(&mut caller, At::new(Fs::ROOT, path), Lookup::FOLLOW)
        };
        self.outside = Some(outside);
        self.hosts[usize::from(host.0)].put_disk(fs);
        match found {
            Ok(Found::Node(ino)) => Some(ino),
            _ => None,
        }
    }
}
