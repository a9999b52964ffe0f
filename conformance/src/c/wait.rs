//! Waiting for descriptors: poll, epoll, eventfd.

use libc::{epoll_event, pollfd};

pub(crate) fn poll(fds: &mut [pollfd], timeout_ms: i32) -> i32 {
    // SAFETY: pointer and length are those of one slice.
    unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, timeout_ms) }
}

/// What poll(2) reports at once for one descriptor, as names.
pub(crate) fn poll_now(fd: i32, events: i16) -> String {
    poll_one(fd, events, 0)
}

/// What poll(2) reports for one descriptor within `timeout_ms`, as names.
pub(crate) fn poll_one(fd: i32, events: i16, timeout_ms: i32) -> String {
    let mut fds = [pollfd { fd, events, revents: 0 }];
    let count = poll(&mut fds, timeout_ms);
    assert!(count >= 0, "poll");
    poll_names(fds[0].revents)
}

/// Waits until a descriptor can be read; a panic when it never can.
pub(crate) fn await_readable(fd: i32) {
    await_events(fd, libc::POLLIN);
}

/// Waits until poll(2) reports anything for these events.
pub(crate) fn await_events(fd: i32, events: i16) {
    let mut fds = [pollfd { fd, events, revents: 0 }];
    assert_eq!(poll(&mut fds, super::PATIENCE.as_millis() as i32), 1, "the descriptor gets ready");
}

/// A mask of poll(2) as names.
pub(crate) fn poll_names(mask: i16) -> String {
    names(mask as u16 as u32)
}

pub(crate) fn epoll_create() -> i32 {
    // SAFETY: no memory is involved.
    super::must(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })
}

/// epoll_ctl(2) with `data` as the event's user data.
pub(crate) fn epoll_ctl(epoll: i32, operation: i32, fd: i32, events: i32, data: u64) -> i32 {
    let mut event = epoll_event { events: events as u32, u64: data };
    // SAFETY: the event is of our own.
    unsafe { libc::epoll_ctl(epoll, operation, fd, &mut event) }
}

/// Adds a descriptor that must be addable.
pub(crate) fn epoll_add(epoll: i32, fd: i32, events: i32, data: u64) {
    let result = epoll_ctl(epoll, libc::EPOLL_CTL_ADD, fd, events, data);
    assert_eq!(result, 0, "EPOLL_CTL_ADD: {}", crate::errno::name(crate::errno::last()));
}

pub(crate) fn epoll_wait(epoll: i32, into: &mut [epoll_event], timeout_ms: i32) -> i32 {
    // SAFETY: pointer and length are those of one slice.
    unsafe { libc::epoll_wait(epoll, into.as_mut_ptr(), into.len() as i32, timeout_ms) }
}

/// What epoll reports within `timeout_ms`, as `data:EVENTS` sorted by data,
/// because the order of ready descriptors is not promised.
pub(crate) fn epoll_report(epoll: i32, timeout_ms: i32) -> String {
    let mut events = [epoll_event { events: 0, u64: 0 }; 16];
    let count = epoll_wait(epoll, &mut events, timeout_ms);
    assert!(count >= 0, "epoll_wait");
    let mut found: Vec<(u64, u32)> =
        events[..count as usize].iter().map(|event| (event.u64, event.events)).collect();
    found.sort_unstable();
    let shown: Vec<String> =
        found.iter().map(|(data, mask)| format!("{data}:{}", names(*mask))).collect();
    format!("[{}]", shown.join(", "))
}

/// What epoll reports at once.
pub(crate) fn epoll_now(epoll: i32) -> String {
    epoll_report(epoll, 0)
}

/// poll's and epoll's masks have the same values on Linux. The bits RDNORM,
/// RDBAND, WRNORM and WRBAND repeat IN, PRI and OUT, and are left out.
fn names(mask: u32) -> String {
    const NAMES: [(u32, &str); 7] = [
        (0x1, "IN"),
        (0x2, "PRI"),
        (0x4, "OUT"),
        (0x8, "ERR"),
        (0x10, "HUP"),
        (0x20, "NVAL"),
        (0x2000, "RDHUP"),
    ];
    let named: Vec<&str> =
        NAMES.iter().filter(|(bit, _)| mask & bit != 0).map(|(_, name)| *name).collect();
    if named.is_empty() { "0".to_owned() } else { named.join("|") }
}

pub(crate) fn eventfd(initial: u32, flags: i32) -> i32 {
    // SAFETY: no memory is involved.
    super::must(unsafe { libc::eventfd(initial, flags) })
}

/// Writes a number to an eventfd.
pub(crate) fn write_u64(fd: i32, value: u64) -> isize {
    super::write(fd, &value.to_ne_bytes())
}

/// Reads a number from an eventfd or timerfd.
pub(crate) fn read_u64(fd: i32, into: &mut u64) -> isize {
    let mut bytes = [0; 8];
    let result = super::read(fd, &mut bytes);
    *into = u64::from_ne_bytes(bytes);
    result
}
