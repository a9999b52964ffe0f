//! Memory: mmap(2) and its kin. The pages themselves are the runtime's; a file that is mapped privately is copied into
//! them, and one that is shared is [`crate::shared`]'s.

use alloc::vec;

use crate::errno::{Errno, Stop, SysResult};
use crate::kernel::Kernel;
use crate::seams::{GuestMemory, Moving};
use crate::shared::SharedMap;
use crate::table::Arg::{Fd, Hex, Int, Ptr, Size};
use crate::table::{Args, Row, Support, row};

pub(crate) const ROWS: &[Row] = &[
    row(libc::SYS_mmap, "mmap", &[Ptr, Size, Hex, Hex, Fd, Hex], mmap).gives_address(),
    row(libc::SYS_munmap, "munmap", &[Ptr, Size], munmap),
    row(libc::SYS_mprotect, "mprotect", &[Ptr, Size, Hex], mprotect),
    row(libc::SYS_mremap, "mremap", &[Ptr, Size, Size, Hex, Ptr], mremap).gives_address().support(
        Support::Partial(
            "MREMAP_DONTUNMAP, and a second mapping by an old size of 0, are not simulated",
        ),
    ),
    row(libc::SYS_madvise, "madvise", &[Ptr, Size, Int], madvise)
        .support(Support::Partial("MADV_REMOVE of a shared mapping is not simulated")),
    row(libc::SYS_brk, "brk", &[Ptr], brk).gives_address(),
    row(libc::SYS_msync, "msync", &[Ptr, Size, Hex], msync),
    row(libc::SYS_mincore, "mincore", &[Ptr, Size, Ptr], mincore),
    row(libc::SYS_mlock, "mlock", &[Ptr, Size], lock)
        .support(Support::Accepted("memory is never paged out")),
    row(libc::SYS_mlock2, "mlock2", &[Ptr, Size, Hex], lock)
        .support(Support::Accepted("memory is never paged out")),
    row(libc::SYS_munlock, "munlock", &[Ptr, Size], lock)
        .support(Support::Accepted("memory is never paged out")),
    row(libc::SYS_mlockall, "mlockall", &[Hex], accept)
        .support(Support::Accepted("memory is never paged out")),
    row(libc::SYS_munlockall, "munlockall", &[], accept)
        .support(Support::Accepted("memory is never paged out")),
    row(libc::SYS_mbind, "mbind", &[Ptr, Size, Int, Ptr, Size, Hex], accept)
        .support(Support::Accepted("there is one memory node")),
    row(libc::SYS_get_mempolicy, "get_mempolicy", &[Ptr, Ptr, Size, Ptr, Hex], no_policies)
        .support(Support::Refused("ENOSYS, as on a kernel without NUMA")),
    row(libc::SYS_set_mempolicy, "set_mempolicy", &[Int, Ptr, Size], no_policies)
        .support(Support::Refused("ENOSYS, as on a kernel without NUMA")),
    row(libc::SYS_pkey_alloc, "pkey_alloc", &[Hex, Hex], no_keys)
        .support(Support::Refused("ENOSPC, as on a CPU without protection keys")),
    row(libc::SYS_userfaultfd, "userfaultfd", &[Hex], no_faults)
        .support(Support::Refused("EPERM, as for an unprivileged program")),
];

const PAGE: u64 = 4096;
/// A break that is further away than this is none that anybody has room for.
const BREAK_MAX: u64 = 1 << 30;
/// Highest address that a program may map at.
const TOP: u64 = 0x7fff_ffff_f000;

fn pages(length: u64) -> Result<u64, Errno> {
    length.checked_add(PAGE - 1).map(|sum| sum & !(PAGE - 1)).ok_or(Errno::ENOMEM)
}

fn mmap(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let (addr, flags, prot) = (a.addr(0), a.int(3), a.int(2));
    let offset = a.word(5);
    if a.word(1) == 0 || !offset.is_multiple_of(PAGE) {
        return Err(Errno::EINVAL.into());
    }
    let length = pages(a.word(1))?;
    let kind = flags & libc::MAP_TYPE;
    if ![libc::MAP_PRIVATE, libc::MAP_SHARED, libc::MAP_SHARED_VALIDATE].contains(&kind) {
        return Err(Errno::EINVAL.into());
    }
    let no_replace = flags & libc::MAP_FIXED_NOREPLACE != 0;
    let fixed = flags & libc::MAP_FIXED != 0 || no_replace;
    if fixed && !addr.is_multiple_of(PAGE) {
        return Err(Errno::EINVAL.into());
    }
    if length > TOP || fixed && addr > TOP - length {
        return Err(Errno::ENOMEM.into());
    }
    let anonymous = flags & libc::MAP_ANONYMOUS != 0;
    let file = if anonymous { None } else { Some(k.file_to_map(a.fd(4), kind, prot)?) };
    let host = k.host_id().0;
    if no_replace && memory.pages().is_mapped(host, addr, length) {
        return Err(Errno::EEXIST.into());
    }
    let at = fixed.then_some(addr);
    if kind != libc::MAP_PRIVATE
        && let Some(id) = file
        && let Some((ino, access)) = k.file_to_share(id)
    {
        let map = SharedMap { length, ino, offset, access };
        return Ok(k.share(memory, at, prot, map)?);
    }
    let reserves = flags & (libc::MAP_NORESERVE | libc::MAP_STACK) != 0;
    let counts = anonymous && prot & libc::PROT_WRITE != 0 && !reserves;
    if counts {
        let had = if fixed { k.host().process.committed.overlap(addr, length) } else { 0 };
        k.charge(memory, length - had)?;
    }
    if let Some(at) = at {
        k.unshare(memory, at, length);
    }
    let Some(file) = file else {
        let address = memory.pages().map(host, at, length, prot)?;
        let committed = &mut k.host_mut().process.committed;
        if counts {
            committed.insert(address, length);
        } else if fixed {
            committed.remove(address, length);
        }
        k.share_memory(memory);
        return Ok(address);
    };
    // The file's bytes are copied: it may change later, which private mappings need not show (mmap(2)).
    k.collect_open(memory, file);
    let address = memory.pages().map(host, at, length, libc::PROT_READ | libc::PROT_WRITE)?;
    copy_file(k, memory, file, offset, address, length)?;
    memory.pages().protect(host, address, length, prot)?;
    Ok(address)
}

/// Copies a file's bytes from `offset` into the pages at `address`, as far as it has any.
fn copy_file(
    k: &mut Kernel,
    memory: &mut dyn GuestMemory,
    file: crate::object::ObjId,
    offset: u64,
    address: u64,
    length: u64,
) -> Result<(), Errno> {
    let mut buffer = vec![0; 1 << 16];
    let mut done = 0;
    while done < length {
        let want = buffer.len().min((length - done) as usize);
        let got = k.read_file_at(file, offset + done, &mut buffer[..want])?;
        if got == 0 {
            break;
        }
        memory.write(address + done, &buffer[..got])?;
        done += got as u64;
    }
    Ok(())
}

fn munmap(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    if !a.addr(0).is_multiple_of(PAGE) || a.word(1) == 0 || a.word(1) > TOP {
        return Err(Errno::EINVAL.into());
    }
    let length = pages(a.word(1))?;
    k.unshare(memory, a.addr(0), length);
    memory.pages().unmap(k.host_id().0, a.addr(0), length)?;
    k.host_mut().process.committed.remove(a.addr(0), length);
    k.share_memory(memory);
    Ok(0)
}

fn mprotect(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    if !a.addr(0).is_multiple_of(PAGE) {
        return Err(Errno::EINVAL.into());
    }
    let length = pages(a.word(1))?;
    if a.int(2) & libc::PROT_WRITE != 0 && k.is_shared_to_read(a.addr(0), length) {
        return Err(Errno::EACCES.into());
    }
    memory.pages().protect(k.host_id().0, a.addr(0), length, a.int(2))?;
    Ok(0)
}

fn mremap(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let flags = a.int(3);
    if flags & libc::MREMAP_DONTUNMAP != 0 {
        return Err(Stop::Unsupported("MREMAP_DONTUNMAP".into()));
    }
    let fixed = flags & libc::MREMAP_FIXED != 0;
    let may_move = flags & libc::MREMAP_MAYMOVE != 0;
    if !a.addr(0).is_multiple_of(PAGE) || a.word(2) == 0 || fixed && !may_move {
        return Err(Errno::EINVAL.into());
    }
    let moving = match (fixed, may_move) {
        (true, _) => Moving::To(a.addr(4)),
        (_, true) => Moving::Allowed,
        _ => Moving::Never,
    };
    let (old, new) = (pages(a.word(1))?, pages(a.word(2))?);
    if old == 0 {
        return Err(Stop::Unsupported("mremap of an old size of 0".into()));
    }
    if let Moving::To(to) = moving {
        k.unshare(memory, to, new);
    }
    let had = k.host().process.committed.overlap(a.addr(0), old);
    if had > 0 {
        k.charge(memory, new.saturating_sub(old))?;
    }
    let address = memory.pages().remap(k.host_id().0, a.addr(0), old, new, moving)?;
    k.shared_map_moved(memory, (a.addr(0), old), (address, new));
    if had > 0 {
        let committed = &mut k.host_mut().process.committed;
        committed.remove(a.addr(0), old);
        committed.insert(address, new);
        k.share_memory(memory);
    }
    Ok(address)
}

fn madvise(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    if !a.addr(0).is_multiple_of(PAGE) {
        return Err(Errno::EINVAL.into());
    }
    if a.word(1) == 0 {
        return Ok(0);
    }
    let length = pages(a.word(1))?;
    let removes = a.int(2) == libc::MADV_REMOVE;
    if removes && !k.host().process.shared.within(a.addr(0), length).is_empty() {
        return Err(Stop::Unsupported("MADV_REMOVE of a shared mapping".into()));
    }
    memory.pages().advise(k.host_id().0, a.addr(0), length, a.int(2))?;
    Ok(0)
}

fn brk(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let host = k.host_id().0;
    let before = memory.pages().brk(host, 0);
    let (end, new_end) = (pages(before)?, pages(a.addr(0))?);
    let more = new_end.saturating_sub(end);
    // LINUX: a break that cannot be had is not an error: the old one is given, brk(2).
    if more > 0 && more <= BREAK_MAX && k.charge(memory, more).is_err() {
        return Ok(before);
    }
    let after = memory.pages().brk(host, a.addr(0));
    let committed = &mut k.host_mut().process.committed;
    match (pages(before)?, pages(after)?) {
        (old, new) if new > old => committed.insert(old, new - old),
        (old, new) => committed.remove(new, old - new),
    }
    k.share_memory(memory);
    Ok(after)
}

fn msync(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let (flags, both) = (a.int(2), libc::MS_ASYNC | libc::MS_SYNC);
    if !a.addr(0).is_multiple_of(PAGE)
        || flags & !(both | libc::MS_INVALIDATE) != 0
        || flags & both == both
    {
        return Err(Errno::EINVAL.into());
    }
    let length = pages(a.word(1))?;
    if !memory.pages().is_mapped(k.host_id().0, a.addr(0), length) {
        return Err(Errno::ENOMEM.into());
    }
    // LINUX: MS_ASYNC begins nothing since 2.6.19, and there are no copies that MS_INVALIDATE could find stale, msync(2).
    if flags & libc::MS_SYNC != 0 {
        for (_, part) in k.host().process.shared.within(a.addr(0), length) {
            k.collect_here(memory, part.ino);
            k.with_disk(|fs| fs.sync_range(part.ino, part.offset..part.offset + part.length))?;
        }
    }
    Ok(0)
}

fn mincore(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    if !a.addr(0).is_multiple_of(PAGE) {
        return Err(Errno::EINVAL.into());
    }
    let length = pages(a.word(1))?;
    if !memory.pages().is_mapped(k.host_id().0, a.addr(0), length) {
        return Err(Errno::ENOMEM.into());
    }
    memory.write(a.addr(2), &vec![1; (length / PAGE) as usize])?;
    Ok(0)
}

fn lock(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let start = a.addr(0) - a.addr(0) % PAGE;
    let length = pages(a.word(1).saturating_add(a.addr(0) % PAGE))?;
    if length > 0 && !memory.pages().is_mapped(k.host_id().0, start, length) {
        return Err(Errno::ENOMEM.into());
    }
    Ok(0)
}

fn accept(_: &mut Kernel, _: &mut dyn GuestMemory, _: &Args) -> SysResult {
    Ok(0)
}

fn no_policies(_: &mut Kernel, _: &mut dyn GuestMemory, _: &Args) -> SysResult {
    Err(Errno::ENOSYS.into())
}

fn no_keys(_: &mut Kernel, _: &mut dyn GuestMemory, _: &Args) -> SysResult {
    Err(Errno::ENOSPC.into())
}

fn no_faults(_: &mut Kernel, _: &mut dyn GuestMemory, _: &Args) -> SysResult {
    Err(Errno::EPERM.into())
}
