//! A system call leaves vector registers as they are, whichever way it is made and whoever runs meanwhile.

use std::arch::asm;

use bizarro::prelude::*;

/// What the registers hold: 32 vectors of 64 bytes, of which the processor may have fewer and shorter ones, and eight
/// masks of 64 bits.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Registers {
    vectors: [[u64; 8]; 32],
    masks: [u64; 8],
}

/// A function of the C library that is hardly more than a system call, and its arguments. A function may change vector
/// registers; a system call may not.
struct Call(*const (), usize, usize);

/// Writes registers, makes a call and reads them again. All in one piece, for the compiler uses them too.
macro_rules! around {
    ($feature:literal, $name:ident, $load:literal, $store:literal, [$($changed:tt)*]) => {
        #[target_feature(enable = $feature)]
        unsafe fn $name(call: &Call, before: &Registers, after: &mut Registers) {
            // SAFETY: registers that the processor has are read from and written to as many words as both have; `call`
            // gets an aligned stack, and what functions may change is said.
            unsafe {
                asm!(
                    $load,
                    "call {call}",
                    $store,
                    before = in(reg) before.vectors.as_ptr(),
                    after = in(reg) after.vectors.as_mut_ptr(),
                    masks = const std::mem::offset_of!(Registers, masks),
                    call = in(reg) call.0,
                    out("rax") _, out("rcx") _, out("rdx") _, out("r8") _, out("r9") _, out("r10") _, out("r11") _,
                    inout("rdi") call.1 => _, inout("rsi") call.2 => _,
                    $(out($changed) _,)*
                );
            }
        }
    };
}

around!(
    "avx512bw",
    with_zmm,
    ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
     vmovdqu64 zmm\\n, [{before} + 64 * \\n]
     .endr
     .irp n, 1,2,3,4,5,6,7
     kmovq k\\n, [{before} + {masks} + 8 * \\n]
     .endr",
    ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
     vmovdqu64 [{after} + 64 * \\n], zmm\\n
     .endr
     .irp n, 1,2,3,4,5,6,7
     kmovq [{after} + {masks} + 8 * \\n], k\\n
     .endr",
    ["zmm0" "zmm1" "zmm2" "zmm3" "zmm4" "zmm5" "zmm6" "zmm7" "zmm8" "zmm9" "zmm10" "zmm11" "zmm12" "zmm13" "zmm14"
     "zmm15" "zmm16" "zmm17" "zmm18" "zmm19" "zmm20" "zmm21" "zmm22" "zmm23" "zmm24" "zmm25" "zmm26" "zmm27" "zmm28"
     "zmm29" "zmm30" "zmm31" "k1" "k2" "k3" "k4" "k5" "k6" "k7"]
);

around!(
    "avx",
    with_ymm,
    ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
     vmovdqu ymm\\n, [{before} + 64 * \\n]
     .endr",
    ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
     vmovdqu [{after} + 64 * \\n], ymm\\n
     .endr
     // {masks}: there are none",
    ["ymm0" "ymm1" "ymm2" "ymm3" "ymm4" "ymm5" "ymm6" "ymm7" "ymm8" "ymm9" "ymm10" "ymm11" "ymm12" "ymm13" "ymm14"
     "ymm15"]
);

/// Fills all vector registers that the processor has, makes the call, and gives what they hold then.
fn after(call: &Call, before: &Registers) -> Registers {
    let mut after = *before;
    if std::arch::is_x86_feature_detected!("avx512bw") {
        // SAFETY: the processor has them.
        unsafe { with_zmm(call, before, &mut after) };
    } else if std::arch::is_x86_feature_detected!("avx") {
        // SAFETY: as above.
        unsafe { with_ymm(call, before, &mut after) };
    }
    after
}

/// Different bits in every word, and in every task's registers.
fn pattern(seed: u64) -> Registers {
    let word = |index: usize| (seed << 32 | index as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    Registers {
        vectors: std::array::from_fn(|at| std::array::from_fn(|word_at| word(8 * at + word_at))),
        masks: std::array::from_fn(|at| word(1000 + at)),
    }
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
    if !std::arch::is_x86_feature_detected!("avx") {
        eprintln!("SKIPPED: this processor has no vectors beyond SSE, nothing was compared");
    }
    tasks();
}
