//! A program that is killed and started again, over and over: nothing is left of its lives.

use alloc::vec::Vec;

use bizarro_record::{ClockSpec, Nanos};

use super::{Call, World, six};
use crate::host::HostId;
use crate::kernel::{Command, Flow, Via};
use crate::table::Args;
use crate::task::TaskId;

const PATH: u64 = 256;
const NAME: u64 = 320;
const REQUEST: u64 = 384;
const EVENT: u64 = 448;
const PAIR: u64 = 512;
const SPAN: u64 = 528;
const FUTEX: u64 = 640;
const SPACE: u64 = 700;

const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";

/// How long the tables are in which processes leave something.
fn lengths(world: &mut World) -> Vec<(&'static str, usize)> {
    let kernel = &mut world.kernel;
    while kernel.take_command().is_some() {}
    let mut lengths = kernel.net.lengths();
    lengths.extend([
        ("tasks", kernel.tasks.len()),
        ("free tasks", kernel.free_tasks.len()),
        ("run queue", kernel.run_queue.len()),
        ("descriptions", kernel.objects.places()),
        ("descriptions of sockets", kernel.socket_objects.len()),
        ("pipes", kernel.pipes.places()),
        ("futexes", kernel.futexes.len()),
        ("timers", kernel.timers.len()),
        ("who lingers", kernel.lingering.len()),
        ("groups of inodes", kernel.hosts.iter().map(|host| host.disk().inode_groups()).sum()),
        ("waiters for locks", kernel.hosts.iter().map(|host| host.lock_waiters.len()).sum()),
    ]);
    lengths
}

impl World {
    /// Begins a call that waits.
    fn begin(&mut self, task: TaskId, number: i64, args: &[u64]) {
        self.kernel.current = task;
        let args = Args(six(args));
        let flow = self.kernel.call(&mut self.memory, number as u64, &args, Via::Hook);
        assert_eq!(flow, Flow::Again);
    }

    /// Makes a call that succeeds.
    #[track_caller]
    fn done(&mut self, task: TaskId, number: i64, args: &[u64]) -> u64 {
        let result = self.call(task, number, args);
        assert!(result >= 0, "call {number}: errno {}", -result);
        result as u64
    }

    /// Makes two calls at once, each of which needs the other one.
    fn both(&mut self, calls: [(TaskId, i64, &[u64]); 2]) -> [u64; 2] {
        let calls = calls.map(|(task, number, args)| Call { task, number, args: six(args) });
        let tasks = [calls[0].task, calls[1].task];
        let done = self.run(Vec::from(calls));
        tasks.map(|wanted| {
            let result = done.iter().find(|(task, ..)| *task == wanted).expect("both end").1;
            u64::try_from(result).expect("both succeed")
        })
    }
}

/// The end of a connection's address that is a host's.
fn address(host: u8, port: u16) -> Vec<u8> {
    let mut bytes = Vec::from((libc::AF_INET as u16).to_ne_bytes());
    bytes.extend(port.to_be_bytes());
    bytes.extend([10, 0, 0, host + 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    bytes
}

/// What a process leaves behind that has a bit of everything open: files without a name, descriptors that watch each other,
/// timers that run for long, threads that wait, a lock, sockets of all kinds, and a request that it does not answer.
fn live(world: &mut World, client: TaskId) {
    let task = world.start(0);
    let [path, here] = [PATH, libc::AT_FDCWD as u64];
    world.put(PATH, b"/tmp/file\0");
    let open = [here, path, (libc::O_CREAT | libc::O_RDWR) as u64, 0o600];
    let file = world.done(task, libc::SYS_openat, &open);
    world.done(task, libc::SYS_write, &[file, REQUEST, 100]);
    world.done(task, libc::SYS_flock, &[file, libc::LOCK_EX as u64]);
    world.done(task, libc::SYS_unlink, &[path]);
    world.put(PATH, b"/proc/self/stat\0");
    world.done(task, libc::SYS_openat, &[here, path, 0, 0]);

    world.done(task, libc::SYS_pipe2, &[PAIR, 0]);
    let epoll = world.done(task, libc::SYS_epoll_create1, &[0]);
    let event = world.done(task, libc::SYS_eventfd2, &[0, 0]);
    let timer = world.done(task, libc::SYS_timerfd_create, &[libc::CLOCK_MONOTONIC as u64, 0]);
    world.put_time(SPAN, Nanos::from_secs(1));
    world.put_time(SPAN + 16, Nanos::from_secs(40));
    world.done(task, libc::SYS_timerfd_settime, &[timer, 0, SPAN, 0]);
    for watched in [event, timer] {
        world.put(EVENT, &(libc::EPOLLIN as u32).to_ne_bytes());
        world.done(task, libc::SYS_epoll_ctl, &[epoll, libc::EPOLL_CTL_ADD as u64, watched, EVENT]);
    }
    world.done(task, libc::SYS_alarm, &[50]);
    let waiter = world.thread(0, 777);
    world.begin(waiter, libc::SYS_futex, &[FUTEX, libc::FUTEX_WAIT as u64, 0, 0]);
    let sleeper = world.thread(0, 778);
    world.put_time(SPAN, Nanos::from_secs(45));
    world.begin(sleeper, libc::SYS_nanosleep, &[SPAN]);

    let (inet, stream) = (libc::AF_INET as u64, libc::SOCK_STREAM as u64);
    let datagrams = world.done(task, libc::SYS_socket, &[inet, libc::SOCK_DGRAM as u64, 0]);
    world.put(NAME, &address(0, 53));
    world.done(task, libc::SYS_bind, &[datagrams, NAME, 16]);
    world.done(task, libc::SYS_socketpair, &[libc::AF_UNIX as u64, stream, 0, PAIR]);
    let listener = world.done(task, libc::SYS_socket, &[inet, stream, 0]);
    world.put(NAME, &address(0, 80));
    world.put(SPACE, &1_i32.to_ne_bytes());
    let [level, option] = [libc::SOL_SOCKET, libc::SO_REUSEADDR].map(|word| word as u64);
    world.done(task, libc::SYS_setsockopt, &[listener, level, option, SPACE, 4]);
    world.done(task, libc::SYS_bind, &[listener, NAME, 16]);
    world.done(task, libc::SYS_listen, &[listener, 8]);

    world.put(REQUEST, GET);
    let asking = world.done(client, libc::SYS_socket, &[inet, stream, 0]);
    let [_, accepted] = world.both([
        (client, libc::SYS_connect, &[asking, NAME, 16]),
        (task, libc::SYS_accept, &[listener, 0, 0]),
    ]);
    world.done(client, libc::SYS_write, &[asking, REQUEST, GET.len() as u64]);
    world.done(task, libc::SYS_read, &[accepted, SPACE, GET.len() as u64]);
    world.done(task, libc::SYS_getpid, &[]);

    world.kernel.crash_host(HostId(0), None);
    assert_eq!(world.kernel.take_command(), Some(Command::TearDown(HostId(0))));
    world.kernel.process_is_gone(&mut world.memory, HostId(0));
    // The stream has ended, or was reset.
    world.call(client, libc::SYS_read, &[asking, SPACE, 10]);
    world.done(client, libc::SYS_close, &[asking]);
    world.pass(Nanos::from_secs(120));
}

#[test]
fn nothing_is_left_of_lives_that_are_over() {
    let mut world = World::new(&[ClockSpec::default(), ClockSpec::default()], &[]);
    let client = world.start(1);
    let mut seen = Vec::new();
    for lives in [20, 200] {
        for _ in 0..lives {
            live(&mut world, client);
        }
        seen.push(lengths(&mut world));
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(world.kernel.net.exchanges().len(), 220);
    let calls: Vec<u32> =
        world.kernel.net.exchanges().iter().map(|exchange| exchange.server_calls).collect();
    // Of the process that was asked, and of no later one.
    assert_eq!(calls, [1; 220]);
}
