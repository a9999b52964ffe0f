//! Switching between tasks: each has its stack, its callee-saved registers and its thread pointer.

use core::arch::{asm, naked_asm};

/// Where a task left off.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Context {
    /// Its stack pointer; on the stack lie the registers that [`switch`] pushed.
    pub rsp: usize,
    /// Its thread pointer.
    pub fs: usize,
}

/// The registers with which a new thread starts: those of its maker, but for stack and result.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
#[expect(missing_docs, reason = "registers are called what the processor's manual calls them")]
pub struct Registers {
    pub rdi: u64,
    pub rsi: u64,
    pub rdx: u64,
    pub r8: u64,
    pub r9: u64,
    pub r10: u64,
    pub r12: u64,
    pub r13: u64,
    pub r14: u64,
    pub r15: u64,
    pub rbp: u64,
    pub rbx: u64,
    pub rsp: u64,
    pub rip: u64,
}

/// Saves the current task in `from` and goes on with `to`. Returns when somebody switches back.
///
/// Control words of SSE and x87 belong to the callee-saved state (System V ABI, 3.2.1).
///
/// # Safety
/// `to` was saved by this function or made by [`start`], and its stack is as it was.
#[unsafe(naked)]
pub unsafe extern "C" fn switch(from: *mut Context, to: *const Context) {
    naked_asm!(
        "push rbp",
        "push rbx",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "sub rsp, 8",
        "stmxcsr [rsp]",
        "fnstcw [rsp + 4]",
        "rdfsbase rax",
        "mov [rdi + 8], rax",
        "mov [rdi], rsp",
        "mov rsp, [rsi]",
        "mov rax, [rsi + 8]",
        "wrfsbase rax",
        "ldmxcsr [rsp]",
        "fldcw [rsp + 4]",
        "add rsp, 8",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
        "ret",
    )
}

/// First code of a new thread: leaves the simulator, loads the registers that `rbx` points to and jumps.
#[unsafe(naked)]
unsafe extern "C" fn first() {
    naked_asm!(
        ".cfi_startproc",
        ".cfi_undefined rip",
        "and rsp, -16",
        "call {leave}",
        "mov rdi, [rbx]",
        "mov rsi, [rbx + 8]",
        "mov rdx, [rbx + 16]",
        "mov r8, [rbx + 24]",
        "mov r9, [rbx + 32]",
        "mov r10, [rbx + 40]",
        "mov r12, [rbx + 48]",
        "mov r13, [rbx + 56]",
        "mov r14, [rbx + 64]",
        "mov r15, [rbx + 72]",
        "mov rbp, [rbx + 80]",
        "mov rsp, [rbx + 96]",
        "mov rcx, [rbx + 104]",
        "mov rbx, [rbx + 88]",
        "xor eax, eax",
        "jmp rcx",
        ".cfi_endproc",
        leave = sym crate::world::leave_kernel,
    )
}

/// First code of the root task: calls the function in `rbx` and never returns.
#[unsafe(naked)]
unsafe extern "C" fn first_root() {
    naked_asm!(
        ".cfi_startproc",
        ".cfi_undefined rip",
        "and rsp, -16",
        "call rbx",
        "ud2",
        ".cfi_endproc"
    )
}

fn control_words() -> usize {
    let mut words = [0u32; 2];
    // SAFETY: both instructions store into the array, 4 and 2 bytes.
    unsafe { asm!("stmxcsr [{0}]", "fnstcw [{0} + 4]", in(reg) &mut words, options(nostack)) };
    words[0] as usize | (words[1] as usize) << 32
}

/// Lays out a stack as [`switch`] leaves one, so that switching to it calls `entry` with `rbx` set.
///
/// # Safety
/// `top` is the aligned end of at least 128 writable bytes that nobody else uses.
unsafe fn prepare(top: usize, entry: usize, rbx: usize) -> usize {
    // In the order in which `switch` pops: control words, r15, r14, r13, r12, rbx, rbp, return address;
    // above it a zero, where unwinders stop.
    let frame = [control_words(), 0, 0, 0, 0, rbx, 0, entry, 0];
    let rsp = top - size_of_val(&frame);
    // SAFETY: the caller's.
    unsafe { core::ptr::write(rsp as *mut [usize; 9], frame) };
    rsp
}

/// Whether a task has not run yet since [`start`] made its context.
///
/// # Safety
/// The context was saved by [`switch`] or made by [`start`], and its stack is as it was.
pub unsafe fn is_fresh(context: *const Context) -> bool {
    /// Words below the return address, see `prepare`.
    const PUSHED: usize = 7;
    // SAFETY: the caller's.
    let entry = unsafe { *((*context).rsp as *const usize).add(PUSHED) };
    entry == first as *const () as usize
}

/// The context of a new thread that starts with `registers`, on the stack that they name.
///
/// # Safety
/// `registers.rsp` is the end of a stack of the guest with a few hundred writable bytes below it.
pub unsafe fn start(registers: Registers, fs: usize) -> Context {
    // Below the thread's own frame, which lies at and above its stack pointer, and its red zone.
    let place = (registers.rsp as usize - 256 - size_of::<Registers>()) & !63;
    // SAFETY: the caller's.
    unsafe { core::ptr::write(place as *mut Registers, registers) };
    // SAFETY: the bytes below `place` are on the same stack.
    let rsp = unsafe { prepare(place, first as *const () as usize, place) };
    Context { rsp, fs }
}

/// The context of a task that calls `entry` on a stack that ends at `top`.
///
/// # Safety
/// `top` is the end of a writable stack that nobody else uses, and `entry` does not return.
pub unsafe fn start_root(top: usize, fs: usize, entry: extern "C" fn() -> !) -> Context {
    // SAFETY: the caller's.
    let rsp = unsafe { prepare(top & !63, first_root as *const () as usize, entry as usize) };
    Context { rsp, fs }
}

/// The current thread pointer.
pub fn thread_pointer() -> usize {
    let fs: usize;
    // SAFETY: reads a register; FSGSBASE is checked before a world starts.
    unsafe { asm!("rdfsbase {}", out(reg) fs, options(nomem, nostack)) };
    fs
}

/// Sets the thread pointer.
///
/// # Safety
/// `fs` points to a thread control block.
pub unsafe fn set_thread_pointer(fs: usize) {
    // SAFETY: the caller's.
    unsafe { asm!("wrfsbase {}", in(reg) fs, options(nostack)) };
}
