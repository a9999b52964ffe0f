//! A system call leaves vector registers as they are, whichever way it is made and whoever runs meanwhile.

use std::arch::asm;

use bizarro::prelude::*;

/// What the registers hold, 64 bytes each.
type Registers = [[u64; 8]; 32];

/// A function of the C library that is hardly more than a system call, and its arguments. A function may change vector
/// registers; a system call may not.
struct Call(*const (), usize, usize);

/// Fills all vector registers that the processor has, makes the call, and gives what they hold then.
fn after(call: &Call, before: &Registers) -> Registers {
    let mut after = *before;
    if std::arch::is_x86_feature_detected!("avx512f") {
        // SAFETY: 32 registers of 64 bytes are read and written; `call` gets an aligned stack, and what functions may
        // change is said.
        unsafe { with_zmm(call, before, &mut after) };
    } else if std::arch::is_x86_feature_detected!("avx") {
        // SAFETY: as above, 16 registers of 32 bytes.
        unsafe { with_ymm(call, before, &mut after) };
    }
    after
}

#[target_feature(enable = "avx512f")]
unsafe fn with_zmm(call: &Call, before: &Registers, after: &mut Registers) {
    // SAFETY: the caller's.
    unsafe {
        asm!(
            ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31",
            "vmovdqu64 zmm\\n, [{before} + 64 * \\n]",
            ".endr",
            "call {call}",
            ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31",
            "vmovdqu64 [{after} + 64 * \\n], zmm\\n",
            ".endr",
            before = in(reg) before.as_ptr(),
            after = in(reg) after.as_mut_ptr(),
            call = in(reg) call.0,
            out("rax") _, out("rcx") _, out("rdx") _, inout("rdi") call.1 => _, inout("rsi") call.2 => _,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _,
            out("zmm0") _, out("zmm1") _, out("zmm2") _, out("zmm3") _,
            out("zmm4") _, out("zmm5") _, out("zmm6") _, out("zmm7") _,
            out("zmm8") _, out("zmm9") _, out("zmm10") _, out("zmm11") _,
            out("zmm12") _, out("zmm13") _, out("zmm14") _, out("zmm15") _,
            out("zmm16") _, out("zmm17") _, out("zmm18") _, out("zmm19") _,
            out("zmm20") _, out("zmm21") _, out("zmm22") _, out("zmm23") _,
            out("zmm24") _, out("zmm25") _, out("zmm26") _, out("zmm27") _,
            out("zmm28") _, out("zmm29") _, out("zmm30") _, out("zmm31") _,
        );
    }
}

#[target_feature(enable = "avx")]
unsafe fn with_ymm(call: &Call, before: &Registers, after: &mut Registers) {
    // SAFETY: the caller's.
    unsafe {
        asm!(
            ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15",
            "vmovdqu ymm\\n, [{before} + 64 * \\n]",
            ".endr",
            "call {call}",
            ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15",
            "vmovdqu [{after} + 64 * \\n], ymm\\n",
            ".endr",
            before = in(reg) before.as_ptr(),
            after = in(reg) after.as_mut_ptr(),
            call = in(reg) call.0,
            out("rax") _, out("rcx") _, out("rdx") _, inout("rdi") call.1 => _, inout("rsi") call.2 => _,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _,
            out("ymm0") _, out("ymm1") _, out("ymm2") _, out("ymm3") _,
            out("ymm4") _, out("ymm5") _, out("ymm6") _, out("ymm7") _,
            out("ymm8") _, out("ymm9") _, out("ymm10") _, out("ymm11") _,
            out("ymm12") _, out("ymm13") _, out("ymm14") _, out("ymm15") _,
        );
    }
}

/// Different bits in every word, and in every task's registers.
fn pattern(seed: u64) -> Registers {
    let mut registers = Registers::default();
    for (index, word) in registers.as_flattened_mut().iter_mut().enumerate() {
        *word = (seed << 32 | index as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
    registers
}

static MOMENT: libc::timespec = libc::timespec { tv_sec: 0, tv_nsec: 1_000_000 };

fn nothing_changes(seed: u64) {
    let calls = [
        ("getppid", Call(libc::getppid as *const (), 0, 0)),
        // The other tasks run meanwhile.
        ("nanosleep", Call(libc::nanosleep as *const (), &raw const MOMENT as usize, 0)),
        ("fsync", Call(libc::fsync as *const (), usize::MAX, 0)),
    ];
    for round in 0..20 {
        for (name, call) in &calls {
            let before = pattern(seed * 1000 + round);
            assert_eq!(after(call, &before), before, "{name}");
        }
    }
}

fn tasks() {
    let threads: Vec<_> =
        (0..3).map(|seed| std::thread::spawn(move || nothing_changes(seed))).collect();
    for thread in threads {
        thread.join().expect("registers are as they were");
    }
}

#[bizarro::test]
fn simulated(world: &mut World) {
    world.host("one").workload(tasks);
    world.host("other").workload(tasks);
    world.explore(Explore::everything().seeds(3));
}

#[test]
fn native() {
    tasks();
}
