//! epoll(7).

use std::thread;
use std::time::{Duration, Instant};

use libc::{
    EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD, EPOLLET, EPOLLEXCLUSIVE, EPOLLIN, EPOLLONESHOT,
    EPOLLOUT, EPOLLPRI, EPOLLRDHUP, O_NONBLOCK, SOCK_STREAM, epoll_event,
};

use crate::Transcript;
use crate::c::{self, BAD_FD, BAD_POINTER};
use crate::scratch::Scratch;

tests![Epoll:
    epoll_level_triggered,
    epoll_edge_triggered,
    epoll_edge_on_add_and_modify,
    epoll_edge_of_a_drained_writer,
    epoll_one_shot_and_rearm,
    epoll_ctl_errors,
    epoll_create_errors,
    epoll_wait_errors,
    epoll_wait_timeouts,
    epoll_wait_wakes_another_thread,
    epoll_returns_at_most_maxevents_and_takes_turns,
    epoll_closed_descriptor_leaves,
    epoll_duplicate_keeps_the_registration,
    epoll_same_description_twice,
    epoll_pipe_hangup_and_error,
    epoll_stream_hangup,
    epoll_nested,
    epoll_loops_are_refused,
    epoll_exclusive,
    epoll_modify_changes_data_and_mask,
    epoll_pwait_takes_a_mask,
    epoll_ready_descriptor_added_while_waiting,
];

fn epoll_level_triggered(t: &mut Transcript) {
    let epoll = c::epoll_create();
    let [reader, writer] = c::pipe(0);
    c::epoll_add(epoll, reader, EPOLLIN, 7);
    t.value("nothing yet", c::epoll_now(epoll));
    c::write(writer, b"ab");
    t.value("with two bytes", c::epoll_now(epoll));
    t.value("again", c::epoll_now(epoll));
    c::read(reader, &mut [0; 1]);
    t.value("with one byte", c::epoll_now(epoll));
    c::read(reader, &mut [0; 1]);
    t.value("drained", c::epoll_now(epoll));
    c::close_all(&[epoll, reader, writer]);
}

fn epoll_edge_triggered(t: &mut Transcript) {
    let epoll = c::epoll_create();
    let [reader, writer] = c::pipe(O_NONBLOCK);
    c::epoll_add(epoll, reader, EPOLLIN | EPOLLET, 1);
    c::write(writer, b"ab");
    t.value("first write", c::epoll_now(epoll));
    t.value("asked again", c::epoll_now(epoll));
    c::read(reader, &mut [0; 1]);
    t.value("after a partial read", c::epoll_now(epoll));
    c::write(writer, b"c");
    t.value("a write into a pipe that was not empty", c::epoll_now(epoll));
    c::read(reader, &mut [0; 8]);
    t.value("after a drain", c::epoll_now(epoll));
    c::write(writer, b"d");
    c::write(writer, b"e");
    t.value("two writes, one report", c::epoll_now(epoll));
    t.value("asked again", c::epoll_now(epoll));
    c::close_all(&[epoll, reader, writer]);
}

fn epoll_edge_on_add_and_modify(t: &mut Transcript) {
    let epoll = c::epoll_create();
    let event = c::eventfd(1, 0);
    c::epoll_add(epoll, event, EPOLLIN | EPOLLET, 1);
    t.value("added when ready", c::epoll_now(epoll));
    t.value("asked again", c::epoll_now(epoll));
    let modified = c::epoll_ctl(epoll, EPOLL_CTL_MOD, event, EPOLLIN | EPOLLET, 2);
    t.call("EPOLL_CTL_MOD to the same", modified);
    t.value("reports again", c::epoll_now(epoll));
    t.value("asked again", c::epoll_now(epoll));
    c::write_u64(event, 1);
    t.value("a write without a read", c::epoll_now(epoll));
    c::close_all(&[epoll, event]);
}

fn epoll_edge_of_a_drained_writer(t: &mut Transcript) {
    let epoll = c::epoll_create();
    let [reader, writer] = c::pipe(O_NONBLOCK);
    c::epoll_add(epoll, writer, EPOLLOUT | EPOLLET, 1);
    t.value("writable at first", c::epoll_now(epoll));
    while c::write(writer, &[0; 4096]) > 0 {}
    t.value("full", c::epoll_now(epoll));
    while c::read(reader, &mut [0; 4096]) > 0 {}
    t.value("drained", c::epoll_now(epoll));
    t.value("asked again", c::epoll_now(epoll));
    c::close_all(&[epoll, reader, writer]);
}

fn epoll_one_shot_and_rearm(t: &mut Transcript) {
    let epoll = c::epoll_create();
    let [reader, writer] = c::pipe(0);
    c::epoll_add(epoll, reader, EPOLLIN | EPOLLONESHOT, 1);
    c::write(writer, b"a");
    t.value("once", c::epoll_now(epoll));
    c::write(writer, b"b");
    t.value("not twice", c::epoll_now(epoll));
    let again = c::epoll_ctl(epoll, EPOLL_CTL_ADD, reader, EPOLLIN, 1);
    t.call("it is still registered: ADD", again);
    let rearmed = c::epoll_ctl(epoll, EPOLL_CTL_MOD, reader, EPOLLIN | EPOLLONESHOT, 2);
    t.call("rearm", rearmed);
    t.value("reports the data that waited", c::epoll_now(epoll));
    c::close_all(&[writer]);
    t.value("disarmed, even a hangup is silent", c::epoll_now(epoll));
    c::close_all(&[epoll, reader]);
}

fn epoll_ctl_errors(t: &mut Transcript) {
    let scratch = Scratch::new();
    let epoll = c::epoll_create();
    let event = c::eventfd(0, 0);
    let absent = c::eventfd(0, 0);
    let file = c::must_open(scratch.file("f", b""), libc::O_RDWR);
    let dir = c::must_open(&*scratch, libc::O_RDONLY);
    let add = |fd| c::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, EPOLLIN, 0);
    t.call("ADD", add(event));
    t.call("ADD again", add(event));
    t.call("ADD a regular file", add(file));
    t.call("ADD a directory", add(dir));
    t.call("ADD a closed descriptor", add(BAD_FD));
    t.call("ADD itself", add(epoll));
    t.call("MOD what is not there", c::epoll_ctl(epoll, EPOLL_CTL_MOD, absent, EPOLLIN, 0));
    t.call("DEL", c::epoll_ctl(epoll, EPOLL_CTL_DEL, event, 0, 0));
    t.call("DEL again", c::epoll_ctl(epoll, EPOLL_CTL_DEL, event, 0, 0));
    t.call("operation 99", c::epoll_ctl(epoll, 99, event, EPOLLIN, 0));
    t.call("on an eventfd", c::epoll_ctl(event, EPOLL_CTL_ADD, epoll, EPOLLIN, 0));
    t.call("on a closed descriptor", c::epoll_ctl(BAD_FD, EPOLL_CTL_ADD, event, EPOLLIN, 0));
    let bad = BAD_POINTER as *mut epoll_event;
    // SAFETY: the kernel checks the pointer.
    unsafe {
        t.call("ADD of an unmapped event", libc::epoll_ctl(epoll, EPOLL_CTL_ADD, event, bad));
        t.call("DEL looks at no event", libc::epoll_ctl(epoll, EPOLL_CTL_DEL, event, bad));
    }
    c::close_all(&[epoll, event, absent, file, dir]);
}

fn epoll_create_errors(t: &mut Transcript) {
    // SAFETY: no memory is involved.
    unsafe {
        t.call("epoll_create(0)", libc::epoll_create(0));
        t.call("epoll_create(-1)", libc::epoll_create(-1));
        t.call("epoll_create1(unknown flags)", libc::epoll_create1(0x40));
        let epoll = t.ok("epoll_create(1)", libc::epoll_create(1));
        t.call("its F_GETFD", c::fcntl(epoll, libc::F_GETFD, 0));
        t.call("read", c::read(epoll, &mut [0; 8]));
        t.call("write", c::write(epoll, &[0; 8]));
        c::close_all(&[epoll]);
    }
}

fn epoll_wait_errors(t: &mut Transcript) {
    let epoll = c::epoll_create();
    let event = c::eventfd(1, 0);
    c::epoll_add(epoll, event, EPOLLIN, 0);
    let mut one = [epoll_event { events: 0, u64: 0 }];
    // SAFETY: the kernel checks counts and pointers.
    unsafe {
        t.call("maxevents 0", libc::epoll_wait(epoll, one.as_mut_ptr(), 0, 0));
        t.call("maxevents -1", libc::epoll_wait(epoll, one.as_mut_ptr(), -1, 0));
        let huge = i32::MAX;
        t.call("maxevents too large", libc::epoll_wait(epoll, one.as_mut_ptr(), huge, 0));
        t.call("unmapped events", libc::epoll_wait(epoll, BAD_POINTER as *mut _, 1, 0));
    }
    t.call("on an eventfd", c::epoll_wait(event, &mut one, 0));
    t.call("on a closed descriptor", c::epoll_wait(BAD_FD, &mut one, 0));
    c::close_all(&[epoll, event]);
}

fn epoll_wait_timeouts(t: &mut Transcript) {
    let epoll = c::epoll_create();
    let mut one = [epoll_event { events: 0, u64: 0 }];
    for millis in [0, 1, 15] {
        let start = Instant::now();
        t.call(format_args!("epoll_wait {millis} ms"), c::epoll_wait(epoll, &mut one, millis));
        t.holds("it took that long", start.elapsed().as_millis() >= millis as u128);
    }
    c::close_all(&[epoll]);
}

fn epoll_wait_wakes_another_thread(t: &mut Transcript) {
    let epoll = c::epoll_create();
    let event = c::eventfd(0, 0);
    c::epoll_add(epoll, event, EPOLLIN, 5);
    thread::scope(|scope| {
        scope.spawn(move || {
            thread::sleep(Duration::from_millis(15));
            c::write_u64(event, 1);
        });
        t.value("without a timeout", c::epoll_report(epoll, -1));
    });
    c::close_all(&[epoll, event]);
}

fn epoll_returns_at_most_maxevents_and_takes_turns(t: &mut Transcript) {
    let epoll = c::epoll_create();
    let events: Vec<i32> = (0..3).map(|_| c::eventfd(1, 0)).collect();
    for (data, fd) in events.iter().enumerate() {
        c::epoll_add(epoll, *fd, EPOLLIN, data as u64);
    }
    // What was reported goes to the end of the ready list (epoll(7)), so that
    // nobody starves.
    let mut seen = [0; 3];
    for _ in 0..6 {
        let mut one = [epoll_event { events: 0, u64: 9 }];
        assert_eq!(c::epoll_wait(epoll, &mut one, 0), 1);
        seen[one[0].u64 as usize] += 1;
    }
    t.line(format_args!("reports by descriptor: {seen:?}"));
    c::close_all(&events);
    c::close_all(&[epoll]);
}

fn epoll_closed_descriptor_leaves(t: &mut Transcript) {
    let epoll = c::epoll_create();
    let event = c::eventfd(1, 0);
    c::epoll_add(epoll, event, EPOLLIN, 1);
    t.value("before the close", c::epoll_now(epoll));
    c::close_all(&[event]);
    t.value("after the close", c::epoll_now(epoll));
    t.call("DEL after the close", c::epoll_ctl(epoll, EPOLL_CTL_DEL, event, 0, 0));
    let reused = c::eventfd(1, 0);
    t.holds("the number is used again", reused == event);
    t.value("the new one is not registered", c::epoll_now(epoll));
    t.call("and can be", c::epoll_ctl(epoll, EPOLL_CTL_ADD, reused, EPOLLIN, 2));
    t.value("then", c::epoll_now(epoll));
    c::close_all(&[epoll, reused]);
}

fn epoll_duplicate_keeps_the_registration(t: &mut Transcript) {
    let epoll = c::epoll_create();
    let event = c::eventfd(1, 0);
    let copy = c::must(c::dup(event));
    c::epoll_add(epoll, event, EPOLLIN, 1);
    c::close_all(&[event]);
    t.value("closed, but a duplicate is open", c::epoll_now(epoll));
    t.call("DEL by the closed number", c::epoll_ctl(epoll, EPOLL_CTL_DEL, event, 0, 0));
    t.call("DEL by the duplicate", c::epoll_ctl(epoll, EPOLL_CTL_DEL, copy, 0, 0));
    t.value("still there", c::epoll_now(epoll));
    c::close_all(&[copy]);
    t.value("the last closed", c::epoll_now(epoll));
    c::close_all(&[epoll]);
}

fn epoll_same_description_twice(t: &mut Transcript) {
    let epoll = c::epoll_create();
    let event = c::eventfd(0, 0);
    let copy = c::must(c::dup(event));
    c::epoll_add(epoll, event, EPOLLIN, 1);
    c::epoll_add(epoll, copy, EPOLLIN | EPOLLOUT, 2);
    t.value("at zero", c::epoll_now(epoll));
    c::write_u64(event, 1);
    t.value("at one", c::epoll_now(epoll));
    c::close_all(&[epoll, event, copy]);
}

fn epoll_pipe_hangup_and_error(t: &mut Transcript) {
    let epoll = c::epoll_create();
    let [reader, writer] = c::pipe(0);
    c::epoll_add(epoll, reader, 0, 1);
    t.value("asked for nothing", c::epoll_now(epoll));
    c::close_all(&[writer]);
    t.value("hangup comes unasked", c::epoll_now(epoll));
    let [other_reader, writer] = c::pipe(0);
    c::epoll_add(epoll, writer, EPOLLOUT, 2);
    c::close_all(&[other_reader, reader]);
    t.value("a writer without readers", c::epoll_now(epoll));
    c::close_all(&[epoll, writer]);
}

fn epoll_stream_hangup(t: &mut Transcript) {
    let epoll = c::epoll_create();
    let [left, right] = c::socketpair(SOCK_STREAM);
    c::epoll_add(epoll, left, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI, 1);
    t.value("connected", c::epoll_now(epoll));
    c::write(right, b"x");
    t.value("with a byte", c::epoll_now(epoll));
    c::shutdown(right, libc::SHUT_WR);
    t.value("the peer shut down writing", c::epoll_now(epoll));
    c::read(left, &mut [0; 1]);
    t.value("drained", c::epoll_now(epoll));
    c::close_all(&[right]);
    t.value("the peer closed", c::epoll_now(epoll));
    c::close_all(&[epoll, left]);
}

fn epoll_nested(t: &mut Transcript) {
    let (outer, inner) = (c::epoll_create(), c::epoll_create());
    let event = c::eventfd(0, 0);
    c::epoll_add(inner, event, EPOLLIN, 1);
    c::epoll_add(outer, inner, EPOLLIN, 2);
    t.value("quiet", c::epoll_now(outer));
    t.value("poll of the inner one", c::poll_now(inner, libc::POLLIN));
    c::write_u64(event, 1);
    t.value("outer", c::epoll_now(outer));
    t.value("inner", c::epoll_now(inner));
    t.value("poll of the inner one", c::poll_now(inner, libc::POLLIN));
    c::read(event, &mut [0; 8]);
    t.value("outer, when quiet again", c::epoll_now(outer));
    c::close_all(&[outer, inner, event]);
}

fn epoll_loops_are_refused(t: &mut Transcript) {
    let (first, second) = (c::epoll_create(), c::epoll_create());
    t.call("second into first", c::epoll_ctl(first, EPOLL_CTL_ADD, second, EPOLLIN, 0));
    t.call("first into second", c::epoll_ctl(second, EPOLL_CTL_ADD, first, EPOLLIN, 0));
    // epoll_ctl(2): a nesting depth greater than 5 is refused.
    let mut chain = vec![c::epoll_create()];
    let mut add_outer = || {
        let inner = chain[chain.len() - 1];
        chain.push(c::epoll_create());
        c::epoll_ctl(chain[chain.len() - 1], EPOLL_CTL_ADD, inner, EPOLLIN, 0)
    };
    for depth in 2..=6 {
        t.call(format_args!("a chain of {depth}"), add_outer());
    }
    c::close_all(&chain);
    c::close_all(&[first, second]);
}

fn epoll_exclusive(t: &mut Transcript) {
    let (epoll, other) = (c::epoll_create(), c::epoll_create());
    let event = c::eventfd(0, 0);
    let exclusive = EPOLLIN | EPOLLEXCLUSIVE;
    t.call("ADD exclusive", c::epoll_ctl(epoll, EPOLL_CTL_ADD, event, exclusive, 1));
    t.call("MOD of it", c::epoll_ctl(epoll, EPOLL_CTL_MOD, event, EPOLLIN, 1));
    c::epoll_ctl(epoll, EPOLL_CTL_DEL, event, 0, 0);
    c::epoll_add(epoll, event, EPOLLIN, 1);
    t.call("MOD to exclusive", c::epoll_ctl(epoll, EPOLL_CTL_MOD, event, exclusive, 1));
    let once = exclusive | EPOLLONESHOT;
    c::epoll_ctl(epoll, EPOLL_CTL_DEL, event, 0, 0);
    t.call("ADD exclusive one-shot", c::epoll_ctl(epoll, EPOLL_CTL_ADD, event, once, 1));
    t.call("ADD an epoll exclusively", c::epoll_ctl(epoll, EPOLL_CTL_ADD, other, exclusive, 1));
    let edge = exclusive | EPOLLET;
    t.call("ADD exclusive edge-triggered", c::epoll_ctl(epoll, EPOLL_CTL_ADD, event, edge, 3));
    c::write_u64(event, 1);
    t.value("it reports", c::epoll_now(epoll));
    c::close_all(&[epoll, other, event]);
}

fn epoll_modify_changes_data_and_mask(t: &mut Transcript) {
    let epoll = c::epoll_create();
    let [left, right] = c::socketpair(SOCK_STREAM);
    c::epoll_add(epoll, left, EPOLLIN, 1);
    t.value("for reading", c::epoll_now(epoll));
    t.call("MOD", c::epoll_ctl(epoll, EPOLL_CTL_MOD, left, EPOLLOUT, u64::MAX));
    t.value("for writing", c::epoll_now(epoll));
    t.call("MOD to nothing", c::epoll_ctl(epoll, EPOLL_CTL_MOD, left, 0, 2));
    c::write(right, b"x");
    t.value("for nothing", c::epoll_now(epoll));
    t.call("MOD", c::epoll_ctl(epoll, EPOLL_CTL_MOD, left, EPOLLIN, 3));
    t.value("for reading", c::epoll_now(epoll));
    c::close_all(&[epoll, left, right]);
}

extern "C" fn ignore(_: libc::c_int) {}

fn epoll_pwait_takes_a_mask(t: &mut Transcript) {
    c::on_signal(libc::SIGUSR1, ignore, 0);
    c::mask(libc::SIG_BLOCK, &[libc::SIGUSR1]);
    c::raise(libc::SIGUSR1);
    let epoll = c::epoll_create();
    let mut one = [epoll_event { events: 0, u64: 0 }];
    t.call("epoll_wait with the signal blocked", c::epoll_wait(epoll, &mut one, 5));
    let none = c::sigset(&[]);
    // SAFETY: events and mask are of our own.
    let result = unsafe { libc::epoll_pwait(epoll, one.as_mut_ptr(), 1, 5000, &none) };
    t.call("epoll_pwait that unblocks it", result);
    t.holds("it was delivered", !c::is_pending(libc::SIGUSR1));
    let mut now = c::sigset(&[]);
    // SAFETY: the set is of our own, and null changes nothing.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), &mut now) };
    t.holds("the mask is as before", c::is_member(&now, libc::SIGUSR1));
    c::close_all(&[epoll]);
}

fn epoll_ready_descriptor_added_while_waiting(t: &mut Transcript) {
    let epoll = c::epoll_create();
    let event = c::eventfd(1, 0);
    thread::scope(|scope| {
        scope.spawn(move || {
            thread::sleep(Duration::from_millis(15));
            c::epoll_add(epoll, event, EPOLLIN, 4);
        });
        t.value("the waiter sees it", c::epoll_report(epoll, 5000));
    });
    c::close_all(&[epoll, event]);
}
