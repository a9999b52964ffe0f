//! The C library's own system-call instructions do not trap: the library makes most calls past the symbols that hooks
//! replace. That nothing but speed depends on it is looked at where hooks are left out (`bizarro`'s tests).

use bizarro::Lab;
use bizarro::prelude::*;

const ROUNDS: u64 = 1000;

fn describe(world: &mut World) {
    world.host("alone").workload(|| {
        let file = std::fs::File::create("/tmp/file").expect("the disk has room");
        let fd = std::os::fd::AsRawFd::as_raw_fd(&file);
        for round in 0..ROUNDS {
            // SAFETY: these touch no memory of the program but `stat`, which is one.
            unsafe {
                let mut stat = std::mem::zeroed();
                assert_eq!(libc::getppid(), 1);
                assert_eq!(libc::lseek(fd, round as i64, libc::SEEK_SET), round as i64);
                assert_eq!(libc::fstat(fd, &raw mut stat), 0);
            }
        }
    });
}

#[test]
fn calls_of_the_c_library_do_not_trap() {
    let mut lab = Lab::open("rewritten::calls_of_the_c_library_do_not_trap", describe);
    if !std::arch::is_x86_feature_detected!("xsavec") {
        eprintln!("SKIPPED: the processor has no XSAVEC, without which nothing is rewritten");
        return;
    }
    let record = lab.run(&"baseline".parse().expect("it is a plan")).expect("runs can be made");
    assert_eq!(record.ending, bizarro::Ending::Completed);
    let (calls, traps) = (record.stats.syscalls, record.stats.traps);
    assert!(calls > 3 * ROUNDS, "{calls} calls");
    assert!(traps < ROUNDS / 10, "{traps} of {calls} calls trapped");
}
