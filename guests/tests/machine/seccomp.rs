//! Starts this test binary under a filter of system calls, seccomp(2).

use std::os::unix::process::CommandExt;
use std::process::Command;

/// What a machine may refuse.
#[derive(Clone, Copy)]
pub enum Refused {
    /// Address space layout randomisation stays on, as under Docker's default profile.
    FixedAddresses,
    /// No mapping may be written to and executed, so that the vDSO cannot be changed.
    WritableCode,
    /// Syscall User Dispatch, as on a kernel before 5.11.
    Dispatch,
    /// To say which pages hold something, as on a kernel before 6.7.
    PageScans,
}

/// Where struct seccomp_data has the call's number and its arguments.
const NUMBER: u32 = 0;
const fn argument(index: u32) -> u32 {
    16 + 8 * index
}

const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const AND: u16 = (libc::BPF_ALU | libc::BPF_AND | libc::BPF_K) as u16;
const IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;

fn step(code: u16, k: u32, yes: u8, no: u8) -> libc::sock_filter {
    libc::sock_filter { code, jt: yes, jf: no, k }
}

/// Refuses `call` with EPERM where the argument, masked, is this value.
fn refusal(call: libc::c_long, index: u32, mask: u32, value: u32) -> [libc::sock_filter; 6] {
    let refuse = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
    [
        step(LOAD, NUMBER, 0, 0),
        step(IF_EQUAL, call as u32, 0, 4),
        step(LOAD, argument(index), 0, 0),
        step(AND, mask, 0, 0),
        step(IF_EQUAL, value, 0, 1),
        step(RETURN, refuse, 0, 0),
    ]
}

impl Refused {
    fn filter(self) -> [libc::sock_filter; 6] {
        const PR_SET_SYSCALL_USER_DISPATCH: u32 = 59;
        const PAGEMAP_SCAN: u32 = 0xc060_6610;
        const FIXED: u32 = libc::ADDR_NO_RANDOMIZE as u32;
        const BOTH: u32 = (libc::PROT_WRITE | libc::PROT_EXEC) as u32;
        match self {
            // 0xffffffff only asks, and has one bit more than any persona.
            Refused::FixedAddresses => {
                refusal(libc::SYS_personality, 0, FIXED | 0x8000_0000, FIXED)
            }
            Refused::WritableCode => refusal(libc::SYS_mprotect, 2, BOTH, BOTH),
            Refused::Dispatch => {
                refusal(libc::SYS_prctl, 0, u32::MAX, PR_SET_SYSCALL_USER_DISPATCH)
            }
            Refused::PageScans => refusal(libc::SYS_ioctl, 1, u32::MAX, PAGEMAP_SCAN),
        }
    }
}

impl Refused {
    /// Tries what is refused: a filter that does nothing would prove nothing.
    pub fn assert_in_force(self) {
        // SAFETY: prctl(2) and personality(2) change what nobody here relies on; a page of a new mapping is nobody's.
        let result = unsafe {
            match self {
                Refused::FixedAddresses => {
                    libc::personality(libc::ADDR_NO_RANDOMIZE as libc::c_ulong)
                }
                Refused::Dispatch => libc::prctl(59, 0, 0, 0, 0),
                Refused::PageScans => libc::ioctl(0, 0xc060_6610),
                Refused::WritableCode => {
                    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
                    let page =
                        libc::mmap(std::ptr::null_mut(), 4096, libc::PROT_READ, flags, -1, 0);
                    libc::mprotect(page, 4096, libc::PROT_WRITE | libc::PROT_EXEC)
                }
            }
        };
        let error = std::io::Error::last_os_error().raw_os_error();
        assert_eq!((result, error), (-1, Some(libc::EPERM)));
    }
}

/// A command that starts this binary on a machine that refuses this.
pub fn under(refused: &[Refused]) -> Command {
    let mut filter: Vec<libc::sock_filter> = refused.iter().flat_map(|r| r.filter()).collect();
    filter.push(step(RETURN, libc::SECCOMP_RET_ALLOW, 0, 0));
    let mut command = Command::new(std::env::current_exe().unwrap());
    let install = move || {
        let program =
            libc::sock_fprog { len: filter.len() as u16, filter: filter.as_ptr().cast_mut() };
        // SAFETY: prctl(2) with a filter that lives during the call.
        let refused = unsafe {
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
                || libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program)
                    != 0
        };
        if refused { Err(std::io::Error::last_os_error()) } else { Ok(()) }
    };
    // SAFETY: two system calls, and no memory is allocated between fork and exec.
    unsafe { command.pre_exec(install) };
    command
}
