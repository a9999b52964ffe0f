//! Signals: signal(7), sigaction(2), sigprocmask(2), kill(2), signalfd(2), and their delivery.

mod action;
mod alt_stack;
pub mod delivery;
mod mask;
mod send;
mod signalfd;
mod wait;

use crate::table::Arg::{Fd, Hex, Int, Ptr, Size};
use crate::table::{Row, Support, row};

pub(crate) const ROWS: &[Row] = &[
    row(libc::SYS_rt_sigaction, "rt_sigaction", &[Int, Ptr, Ptr, Size], action::rt_sigaction),
    row(libc::SYS_rt_sigprocmask, "rt_sigprocmask", &[Int, Ptr, Ptr, Size], mask::rt_sigprocmask),
    row(libc::SYS_rt_sigpending, "rt_sigpending", &[Ptr, Size], mask::rt_sigpending),
    row(libc::SYS_rt_sigsuspend, "rt_sigsuspend", &[Ptr, Size], wait::rt_sigsuspend),
    row(
        libc::SYS_rt_sigtimedwait,
        "rt_sigtimedwait",
        &[Ptr, Ptr, Ptr, Size],
        wait::rt_sigtimedwait,
    ),
    row(libc::SYS_rt_sigqueueinfo, "rt_sigqueueinfo", &[Int, Int, Ptr], send::rt_sigqueueinfo),
    row(
        libc::SYS_rt_tgsigqueueinfo,
        "rt_tgsigqueueinfo",
        &[Int, Int, Int, Ptr],
        send::rt_tgsigqueueinfo,
    ),
    row(libc::SYS_rt_sigreturn, "rt_sigreturn", &[], delivery::rt_sigreturn).support(
        Support::Partial("handlers return to the runtime; a hand-made frame is not simulated"),
    ),
    row(libc::SYS_sigaltstack, "sigaltstack", &[Ptr, Ptr], alt_stack::sigaltstack),
    row(libc::SYS_pause, "pause", &[], wait::pause),
    row(libc::SYS_kill, "kill", &[Int, Int], send::kill)
        .support(Support::Partial("stopping (SIGSTOP and its kin) is not simulated")),
    row(libc::SYS_tkill, "tkill", &[Int, Int], send::tkill),
    row(libc::SYS_tgkill, "tgkill", &[Int, Int, Int], send::tgkill),
    row(libc::SYS_signalfd, "signalfd", &[Fd, Ptr, Size], signalfd::signalfd),
    row(libc::SYS_signalfd4, "signalfd4", &[Fd, Ptr, Size, Hex], signalfd::signalfd4),
];
