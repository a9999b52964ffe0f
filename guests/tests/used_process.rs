//! Runs are made one after the other in one process: what one of them left behind, the next does not see.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};

use bizarro::prelude::*;
use bizarro::{Ending, Lab, RunRecord};

static STARTS: AtomicU64 = AtomicU64::new(0);
static ONCE: OnceLock<String> = OnceLock::new();
static LOCK: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Maps, protects, grows and unmaps pages: the sum of what was in them, which is to be zero, and where they lay.
fn mappings(grows: bool) -> (u64, [usize; 4]) {
    const LEN: usize = 256 << 10;
    let rw = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: what is read and written was just mapped, as long as that, and nobody else knows it.
    unsafe {
        let map = |len: usize, prot| libc::mmap(std::ptr::null_mut(), len, prot, flags, -1, 0);
        let sum = |at: *mut libc::c_void, len: usize| {
            let words = std::slice::from_raw_parts(at.cast::<u64>(), len / 8);
            words.iter().copied().fold(0, u64::wrapping_add)
        };
        let fill = |at: *mut libc::c_void, len| std::ptr::write_bytes(at.cast::<u8>(), 0xa5, len);
        let sealed = map(LEN, rw);
        let mut found = sum(sealed, LEN);
        fill(sealed, LEN);
        assert_eq!(libc::mprotect(sealed, LEN / 2, libc::PROT_READ), 0);
        // The first half of a stack's pages stays out of reach.
        let stack = map(LEN, libc::PROT_NONE);
        let upper = stack.byte_add(LEN / 2);
        assert_eq!(libc::mprotect(upper, LEN / 2, rw), 0);
        found = found.wrapping_add(sum(upper, LEN / 2));
        fill(upper, LEN / 2);
        let holed = map(LEN, rw);
        fill(holed, LEN);
        assert_eq!(libc::munmap(holed.byte_add(LEN / 4), LEN / 4), 0);
        let last = map(LEN, rw);
        fill(last, LEN);
        if !grows {
            return (found, [sealed, stack, holed, last].map(|at| at as usize));
        }
        let grown = libc::mremap(last, LEN, 4 * LEN, libc::MREMAP_MAYMOVE);
        found = found.wrapping_add(sum(grown.byte_add(LEN), 3 * LEN));
        fill(grown, 4 * LEN);
        (found, [sealed, stack, holed, grown].map(|at| at as usize))
    }
}

/// Leaves much behind: variables, leaked memory, a held lock, files, threads that wait for ever.
fn litter(grows: bool) {
    let starts = STARTS.fetch_add(1, Ordering::Relaxed);
    let once = ONCE.get_or_init(|| format!("first start {starts}")).len();
    let seen = std::env::var("LITTER").is_ok();
    // SAFETY: no other thread of this host looks at the environment now.
    unsafe { std::env::set_var("LITTER", "lies about") };
    let written = std::fs::read("/tmp/litter").unwrap_or_default().len();
    std::fs::write("/tmp/litter", "lies about").expect("the disk has room");
    let leaked = Box::leak(vec![7_u8; 1 << 20].into_boxed_slice());
    // Memory that nothing has written yet: zero, unless somebody else's is given out again.
    // SAFETY: the words are this layout's, and any bit pattern is a word.
    let dirt: u64 = unsafe {
        let layout = std::alloc::Layout::array::<u64>(5000).expect("it is small");
        let words = std::slice::from_raw_parts(std::alloc::alloc(layout).cast::<u64>(), 5000);
        words.iter().copied().fold(0, u64::wrapping_add)
    };
    let (pages, addresses) = mappings(grows);
    let dirt = dirt.wrapping_add(pages);
    println!("{addresses:x?}");
    let order: Vec<i32> = (0..20).map(|n| (n, n)).collect::<HashMap<_, _>>().into_keys().collect();
    println!("{starts} {once} {seen} {written} {dirt} {} {order:?}", leaked.len());
    LOCK.lock().expect("nobody panicked").push(1);
    std::mem::forget(LOCK.lock());
    std::thread::spawn(|| drop(LOCK.lock()));
}

fn serve() -> std::io::Result<()> {
    litter(false);
    let listener = TcpListener::bind("0.0.0.0:80")?;
    loop {
        let (mut stream, _) = listener.accept()?;
        let mut byte = [0];
        while stream.read_exact(&mut byte).is_ok() && stream.write_all(&byte).is_ok() {}
    }
}

fn ask(what: u8) -> std::io::Result<()> {
    litter(true);
    for _ in 0..3 {
        std::thread::sleep(millis(5));
        let Ok(mut stream) = TcpStream::connect("server:80") else { continue };
        stream.set_read_timeout(Some(millis(100)))?;
        let _ = stream.write_all(&[what]).and_then(|()| stream.read_exact(&mut [0]));
    }
    Ok(())
}

fn describe(world: &mut World) {
    let captured = Box::new([3_u8, 4]);
    world.host("server").program(serve);
    world.host("client").workload(move || ask(captured[0]));
    world.deadline(secs(10));
}

/// What happened in a run.
fn shape(record: &RunRecord) -> (u64, String, Ending) {
    (record.fingerprint, format!("{:#?}", record.events), record.ending.clone())
}

#[test]
fn nothing_is_left_of_earlier_runs() {
    let mut lab = Lab::open("used_process::nothing_is_left_of_earlier_runs", describe);
    let plan = |text: &str| text.parse::<bizarro::Plan>().expect("it is a plan");
    let baseline = plan("baseline");
    let first = shape(&lab.run(&baseline).expect("runs can be made"));
    assert_eq!(first.2, Ending::Completed);
    for other in [
        "seed=5; random",
        "client>server tcp:80 #1 update-server=crash",
        "client>server tcp:80 #2 update-client=crash",
        "seed=9; random; client>server tcp:80 #1 deliver-request=lost",
    ] {
        let other = plan(other);
        let one = shape(&lab.run(&other).expect("runs can be made"));
        assert_eq!(shape(&lab.run(&baseline).expect("runs can be made")), first, "after {other}");
        assert_eq!(shape(&lab.run(&other).expect("runs can be made")), one, "{other} again");
    }
    // More than one process makes.
    for seed in 0..300 {
        let other = plan(&format!("seed={seed}; random"));
        lab.run(&other).expect("runs can be made");
    }
    assert_eq!(shape(&lab.run(&baseline).expect("runs can be made")), first);
}
