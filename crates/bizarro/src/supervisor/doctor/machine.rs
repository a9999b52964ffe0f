//! What can be looked at only on Linux on x86_64.

use std::fs;
use std::path::Path;

use nix::sys::personality::{self, Persona};

use super::{State, Symptom};
use crate::supervisor::launch::memory_file;

/// Looks at everything.
pub(super) fn examine() -> Vec<Symptom> {
    let symptom = |need, state| Symptom { need, state };
    let auxiliary_vector = fs::read("/proc/self/auxv").unwrap_or_default();
    vec![
        symptom("kernel 5.11 or newer", kernel(&read("/proc/sys/kernel/osrelease"))),
        symptom("glibc 2.31 or newer", glibc()),
        symptom("system calls handed to the program (Syscall User Dispatch)", dispatch()),
        symptom("thread pointer set without a system call (FSGSBASE)", fsgsbase(&auxiliary_vector)),
        symptom("files in memory", memory()),
        symptom("same addresses every time (ADDR_NO_RANDOMIZE)", addresses()),
        symptom("vDSO that can be redirected", vdso(&read("/proc/self/smaps"))),
    ]
}

/// What the file says; nothing where it cannot be read.
fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn kernel(release: &str) -> State {
    let release = release.trim();
    match version(release) {
        Some(found) if found >= (5, 11) => State::Met(release.to_string()),
        Some(_) => State::Missing(format!("this is {release}; install a newer kernel")),
        None => State::Missing("/proc/sys/kernel/osrelease does not tell; mount /proc".to_string()),
    }
}

/// The first two numbers of a version.
fn version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// The library says its version in its own text, which can be read without calling it.
fn glibc() -> State {
    const SAYS: &[u8] = b"GNU C Library";
    const BEFORE: &str = "release version ";
    let maps = read("/proc/self/maps");
    let library = maps.lines().filter_map(|line| line.split_whitespace().nth(5)).find(|path| {
        let name = Path::new(path).file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.starts_with("libc.so") || name.starts_with("libc-2"))
    });
    let Some(library) = library else {
        return State::Missing(
            "this program is not linked with glibc; use a target such as x86_64-unknown-linux-gnu, linked dynamically".to_string(),
        );
    };
    let bytes = fs::read(library).unwrap_or_default();
    let place = bytes.windows(SAYS.len()).position(|window| window == SAYS);
    let says =
        place.map(|at| String::from_utf8_lossy(&bytes[at..bytes.len().min(at + 200)]).into_owned());
    let number = says.as_deref().and_then(|text| text.split_once(BEFORE)).map(|(_, rest)| rest);
    match number.and_then(version) {
        Some(found) if found >= (2, 31) => State::Met(format!("{}.{}", found.0, found.1)),
        Some(found) => {
            State::Missing(format!("this is {}.{}; use a newer distribution", found.0, found.1))
        }
        None => State::Helped(format!("{library} does not tell its version")),
    }
}

fn dispatch() -> State {
    if bizarro_call::has_syscall_user_dispatch() {
        return State::Met(String::new());
    }
    State::Missing(
        "prctl(PR_SET_SYSCALL_USER_DISPATCH) is refused; use a kernel from 5.11 on that was built with it, \
         and a sandbox (gVisor, an old seccomp profile) that lets it through"
            .to_string(),
    )
}

/// The kernel says in the auxiliary vector whether programs may use the instructions
/// (AT_HWCAP2, HWCAP2_FSGSBASE of asm/hwcap2.h).
fn fsgsbase(auxiliary_vector: &[u8]) -> State {
    const AT_HWCAP2: u64 = 26;
    const HWCAP2_FSGSBASE: u64 = 1 << 1;
    let words: Vec<u64> = auxiliary_vector
        .chunks_exact(8)
        .map(|word| u64::from_le_bytes(word.try_into().expect("8 bytes")))
        .collect();
    let hwcap2 = words.chunks_exact(2).find(|pair| pair[0] == AT_HWCAP2).map_or(0, |pair| pair[1]);
    if hwcap2 & HWCAP2_FSGSBASE != 0 {
        return State::Met(String::new());
    }
    State::Missing(
        "the kernel does not offer it; it needs Linux 5.9, a processor from 2012 on, and no `nofsgsbase` on \
         the kernel's command line"
            .to_string(),
    )
}

fn memory() -> State {
    match memory_file("doctor") {
        Ok(_) if Path::new("/proc/self/fd").is_dir() => State::Met(String::new()),
        Ok(_) => State::Missing("/proc is not there; mount it".to_string()),
        Err(error) => State::Missing(format!("memfd_create(2) is refused: {error}")),
    }
}

fn addresses() -> State {
    let refused = |errno: nix::errno::Errno| {
        State::Helped(format!(
            "personality(2) is refused ({}); images lie elsewhere in each process, everything else stays in its place",
            errno.desc()
        ))
    };
    let before = match personality::get() {
        Ok(before) => before,
        Err(errno) => return refused(errno),
    };
    match personality::set(before | Persona::ADDR_NO_RANDOMIZE)
        .and_then(|_| personality::set(before))
    {
        Ok(_) => State::Met(String::new()),
        Err(errno) => refused(errno),
    }
}

/// A mapping that cannot be changed has the flag `sl` (proc_pid_smaps(5), mseal(2)).
fn vdso(smaps: &str) -> State {
    let mut lines = smaps.lines().skip_while(|line| !line.ends_with("[vdso]"));
    if lines.next().is_none() {
        return State::Helped("there is none, so nothing has to be redirected".to_string());
    }
    let flags = lines.find_map(|line| line.strip_prefix("VmFlags:")).unwrap_or_default();
    if flags.split_whitespace().any(|flag| flag == "sl") {
        return State::Helped("it is sealed; world processes hide it instead".to_string());
    }
    State::Met(String::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn is_missing(state: State, expected: &str) {
        let State::Missing(what) = state else { panic!("{state:?}") };
        assert!(what.contains(expected), "{what}");
    }

    #[test]
    fn an_old_kernel_is_told() {
        assert_eq!(kernel("6.1.0-18-amd64\n"), State::Met("6.1.0-18-amd64".to_string()));
        is_missing(kernel("5.10.0-28-amd64"), "this is 5.10.0-28-amd64; install a newer kernel");
        is_missing(kernel(""), "mount /proc");
    }

    #[test]
    fn a_processor_without_the_instructions_is_told() {
        let vector = |entries: &[[u64; 2]]| -> Vec<u8> {
            entries.iter().flatten().flat_map(|word| word.to_le_bytes()).collect()
        };
        assert_eq!(fsgsbase(&vector(&[[16, 1], [26, 2], [0, 0]])), State::Met(String::new()));
        is_missing(fsgsbase(&vector(&[[16, 2], [26, 1], [0, 0]])), "needs Linux 5.9");
        is_missing(fsgsbase(&[]), "needs Linux 5.9");
    }

    #[test]
    fn a_sealed_vdso_is_told() {
        let smaps = |flags: &str| {
            format!(
                "7fff-8000 r--p 0 00:00 0 [vvar]\nVmFlags: rd sl\n\
                 8000-9000 r-xp 0 00:00 0 [vdso]\nSize: 8 kB\nVmFlags: {flags}\n"
            )
        };
        assert_eq!(vdso(&smaps("rd ex mr")), State::Met(String::new()));
        assert!(matches!(vdso(&smaps("rd ex sl")), State::Helped(what) if what.contains("hide")));
        assert!(matches!(vdso(""), State::Helped(what) if what.contains("none")));
    }

    #[test]
    fn versions_are_read_from_what_distributions_write() {
        assert_eq!(version("6.18.44-fc-v657"), Some((6, 18)));
        assert_eq!(version("2.36."), Some((2, 36)));
        assert_eq!(version("5.15.167.4-microsoft-standard-WSL2"), Some((5, 15)));
        assert_eq!(version("unknown"), None);
    }
}
