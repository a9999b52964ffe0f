//! What a plan does to the disk of a host, and how long calls wait for a slow one.

use bizarro_record::{DiskTrouble, Event, Nanos, Survivors};

use crate::errno::Errno;
use crate::host::{HostId, Life};
use crate::kernel::Kernel;
use crate::table::Args;
use crate::task::{TaskState, Wait, WaitsFor};
use crate::timers::Timer;

/// What is left of a disk when its host starts again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Left {
    /// What was synced, and of the rest what survives.
    Synced(Survivors),
    /// Nothing: it is as it was when the host was made.
    Nothing,
}

impl Kernel {
    /// Makes every call of a host that reaches its disk wait for so long first; zero ends that.
    fn slow_disk(&mut self, host: HostId, delay: Nanos) {
        let owner = &mut self.hosts[usize::from(host.0)];
        owner.disk_delay = (delay > Nanos::ZERO).then_some(delay);
        self.a_disk_is_slow = self.hosts.iter().any(|host| host.disk_delay.is_some());
    }

    /// Whether a trouble of a host's disk finds something to strike.
    pub(super) fn can_begin_on_disk(&mut self, host: HostId, trouble: &DiskTrouble) -> bool {
        match trouble {
            DiskTrouble::Lost => self.hosts[usize::from(host.0)].life == Life::Up,
            DiskTrouble::BitRot(None) => self.hosts[usize::from(host.0)].disk().has_written_bytes(),
            DiskTrouble::BitRot(Some(path)) => {
                let found = self.resolve_on(host, path.as_bytes());
                found.is_some_and(|ino| self.hosts[usize::from(host.0)].disk().size(ino) > 0)
            }
            DiskTrouble::Full(_)
            | DiskTrouble::Fails(_)
            | DiskTrouble::ReadsFail(_)
            | DiskTrouble::Slow(_)
            | DiskTrouble::ReadOnly
            | DiskTrouble::Misplaced => true,
        }
    }

    /// A trouble of a host's disk begins.
    pub(super) fn begin_on_disk(&mut self, host: HostId, trouble: &DiskTrouble) {
        let now = self.now;
        let disk = self.hosts[usize::from(host.0)].fs();
        disk.tell_time(now);
        match trouble {
            DiskTrouble::Full(times) => disk.fail_changes(Errno::ENOSPC, *times),
            DiskTrouble::Fails(times) => disk.fail_changes(Errno::EIO, *times),
            DiskTrouble::ReadsFail(times) => disk.fail_reads(*times),
            DiskTrouble::Slow(delay) => self.slow_disk(host, *delay),
            DiskTrouble::ReadOnly => disk.become_read_only(),
            DiskTrouble::BitRot(path) => self.flip_bit(host, path.as_deref()),
            DiskTrouble::Misplaced => {
                let number = self.decider.survivor(u64::from(u32::MAX));
                self.hosts[usize::from(host.0)].fs().misplace_next_write(number);
            }
            DiskTrouble::Lost => self.power_off(host, Left::Nothing, None),
        }
    }

    /// A trouble of a host's disk is over.
    pub(super) fn end_on_disk(&mut self, host: HostId, trouble: &DiskTrouble) {
        let now = self.now;
        let disk = self.hosts[usize::from(host.0)].fs();
        disk.tell_time(now);
        match trouble {
            DiskTrouble::Full(_) | DiskTrouble::Fails(_) => disk.take_changes(),
            DiskTrouble::ReadsFail(_) => disk.give_reads(),
            DiskTrouble::Slow(_) => self.slow_disk(host, Nanos::ZERO),
            DiskTrouble::ReadOnly => disk.become_writable(),
            DiskTrouble::Lost => self.timers.push(now, Timer::Restart(host)),
            // What was done is done.
            DiskTrouble::BitRot(_) | DiskTrouble::Misplaced => {}
        }
    }

    fn flip_bit(&mut self, host: HostId, path: Option<&str>) {
        let file = path.and_then(|path| self.resolve_on(host, path.as_bytes()));
        let decider = &mut self.decider;
        let disk = self.hosts[usize::from(host.0)].fs();
        disk.flip_bit(file, &mut |below| decider.survivor(below));
        if disk.asks() {
            // Mappings show it at the end of the next call.
            self.disk_asks = Some(host);
        }
    }

    /// The power of a host fails now: its process is gone, its disk keeps what it must and may, and it says nothing any
    /// more until it starts again, so long after it, if that is known. A host that is down stays so.
    pub fn power_off(&mut self, host: HostId, left: Left, restart_after: Option<Nanos>) {
        let index = usize::from(host.0);
        if self.hosts[index].life != Life::Up {
            return;
        }
        let change = self.hosts[index].disk().writes() + 1;
        self.observer.event(self.now, host.0, 0, Event::PowerFailed { change });
        self.hosts[index].life = Life::Down;
        self.hosts[index].is_off = true;
        self.hosts[index].clock.lost_power(self.now);
        // Nobody reads any more what it was about to print.
        self.hosts[index].process.partial_output = Default::default();
        self.with_net(|net, cx| net.host_powered_off(cx, host.0));
        self.destroy_process(host);
        self.hosts[index].power_lost = Some(left);
        if let Some(after) = restart_after {
            self.timers.push(self.now + after, Timer::Restart(host));
        }
    }

    /// Whether the current call has to wait for its host's disk first.
    #[cold]
    pub(super) fn waits_for_disk(&mut self, number: u64, args: &Args) -> bool {
        let Some(delay) = self.host().disk_delay else { return false };
        let until = match self.task().call.disk_until {
            Some(until) => until,
            None if self.reaches_disk(number, args) => self.now + delay,
            None => return false,
        };
        self.task_mut().call.disk_until = Some(until);
        if self.now >= until {
            return false;
        }
        self.tickets += 1;
        let ticket = self.tickets;
        let task = self.task_mut();
        task.ticket = ticket;
        task.state = TaskState::Waiting;
        task.waits_for = WaitsFor::Disk;
        task.slice = 0;
        let wait = Wait { task: task.id, ticket };
        self.timers.push(until, Timer::Wake(wait));
        true
    }

    /// Whether a call reads or changes what is on the disk. Names are looked up in memory.
    fn reaches_disk(&self, number: u64, args: &Args) -> bool {
        let on_disk = |fd: i32| {
            let file = self.file_of(fd).ok();
            file.is_some_and(|(_, ino)| self.host().disk().is_on_disk(ino))
        };
        let creates = |flags: i32| flags & (libc::O_CREAT | libc::O_TRUNC) != 0;
        match number as i64 {
            libc::SYS_read
            | libc::SYS_readv
            | libc::SYS_pread64
            | libc::SYS_preadv
            | libc::SYS_preadv2
            | libc::SYS_write
            | libc::SYS_writev
            | libc::SYS_pwrite64
            | libc::SYS_pwritev
            | libc::SYS_pwritev2
            | libc::SYS_fsync
            | libc::SYS_fdatasync
            | libc::SYS_syncfs
            | libc::SYS_ftruncate
            | libc::SYS_fallocate
            | libc::SYS_getdents64
            | libc::SYS_copy_file_range => on_disk(args.fd(0)),
            libc::SYS_sendfile => on_disk(args.fd(1)),
            libc::SYS_msync => args.int(2) & libc::MS_SYNC != 0,
            libc::SYS_open => creates(args.int(1)),
            libc::SYS_openat => creates(args.int(2)),
            libc::SYS_sync
            | libc::SYS_creat
            | libc::SYS_truncate
            | libc::SYS_rename
            | libc::SYS_renameat
            | libc::SYS_renameat2
            | libc::SYS_link
            | libc::SYS_linkat
            | libc::SYS_symlink
            | libc::SYS_symlinkat
            | libc::SYS_unlink
            | libc::SYS_unlinkat
            | libc::SYS_mkdir
            | libc::SYS_mkdirat
            | libc::SYS_rmdir => true,
            _ => false,
        }
    }
}
