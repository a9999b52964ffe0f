//! Worlds in which something is wrong: each ends with a verdict that says what, in words and as an exit
//! code, and leaves no process behind.
//!
//! Every test here starts itself once more, as `cargo bizarro` would, and looks at what that says.

use std::io::BufRead;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Condvar, Mutex};

use bizarro::prelude::*;

/// Set for the process that is looked at.
const INNER: &str = "BROKEN_INNER";

/// What a supervisor said, and how it ended.
struct Said {
    text: String,
    code: Option<i32>,
}

impl Said {
    #[track_caller]
    fn has(&self, expected: &[&str]) -> &Said {
        for part in expected {
            assert!(self.text.contains(part), "`{part}` is not in:\n{}", self.text);
        }
        self
    }

    #[track_caller]
    fn ends_with(&self, last_line: &str) -> &Said {
        assert_eq!(
            self.text.trim_end().lines().last().map(str::trim),
            Some(last_line),
            "{}",
            self.text
        );
        self
    }

    #[track_caller]
    fn code(&self, code: i32) -> &Said {
        assert_eq!(self.code, Some(code), "{}", self.text);
        self
    }
}

/// Runs the test of this name in a process that a driver started with these variables; `None` in that
/// process itself, and in its worlds.
fn look_at(name: &str, variables: &[(&str, &str)], describe: fn(&mut World)) -> Option<Said> {
    look_in(Path::new("."), name, variables, describe)
}

/// As [`look_at`], in a directory of its own.
fn look_in(
    directory: &Path,
    name: &str,
    variables: &[(&str, &str)],
    describe: fn(&mut World),
) -> Option<Said> {
    if bizarro::__private::in_world() || std::env::var_os(INNER).is_some() {
        // Put together here, so that no binary holds the marker of a broken test.
        let marker = format!("{}broken::{name}\u{1}", bizarro::supervisor::MARKER);
        bizarro::__private::test(marker.leak(), describe);
        return None;
    }
    let mut child = Command::new("/proc/self/exe")
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .envs([(INNER, "1"), ("BIZARRO_DRIVEN", "run"), ("BIZARRO_REGRESSIONS", "0")])
        .envs(variables.iter().copied())
        .current_dir(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The pipe stays open: its end would mean that the driver wants to stop.
    let _open = child.stdin.take();
    let output = child.wait_with_output().unwrap();
    let text =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    Some(Said { text: text.concat(), code: output.status.code() })
}

/// A world of one host that runs this.
macro_rules! alone {
    ($program:expr) => {
        |world: &mut World| {
            world.host("one").workload($program);
            world.deadline(secs(60));
            world.explore(Explore::baseline_only());
        }
    };
}

#[test]
fn panics() {
    let describe = alone!(|| panic!("at the disco"));
    let Some(said) = look_at("panics", &[], describe) else { return };
    said.code(1).has(&[
        "✗ no panic, at 0.0",
        " s, on one, task 100",
        "at the disco, at crates/bizarro/tests/broken.rs:",
        "broken::panics::{{closure}}::{{closure}} at ",
        "crates/bizarro/tests/broken.rs:",
    ]);
    said.ends_with("cargo bizarro replay broken::panics baseline");
}

/// What Rust itself prints of a panic, on the host's standard error.
#[test]
fn panics_with_a_backtrace_of_its_own() {
    #[inline(never)]
    fn deep_inside() {
        panic!("far away");
    }
    let place = format!("/crates/bizarro/tests/broken.rs:{}:9", line!() - 2);
    let describe: fn(&mut World) = |world| {
        world.host("one").env("RUST_BACKTRACE", "1").workload(deep_inside);
        world.explore(Explore::baseline_only());
    };
    let plan = [("BIZARRO_PLAN", "baseline")];
    let Some(said) = look_at("panics_with_a_backtrace_of_its_own", &plan, describe) else { return };
    said.code(1).has(&[
        "┆ stack backtrace:",
        "broken::panics_with_a_backtrace_of_its_own::deep_inside",
        &place,
    ]);
}

#[test]
fn panics_in_a_thread() {
    let describe = alone!(|| drop(std::thread::spawn(|| panic!("in a thread")).join()));
    let Some(said) = look_at("panics_in_a_thread", &[], describe) else { return };
    said.code(1).has(&["no panic", "on one, task 101", "in a thread, at "]);
    said.has(&["broken::panics_in_a_thread::{{closure}}", "crates/bizarro/tests/broken.rs:"]);
}

#[test]
fn aborts() {
    let describe = alone!(|| std::process::abort());
    let Some(said) = look_at("aborts", &[], describe) else { return };
    said.code(1).has(&["no crash by a signal", "on one, task 100", "killed by SIGABRT"]);
    said.has(&[
        "std::process::abort at library/std/src/process.rs:",
        "broken::aborts::{{closure}}::{{closure}} at ",
        "crates/bizarro/tests/broken.rs:",
    ]);
    said.ends_with("cargo bizarro replay broken::aborts baseline");
}

#[test]
fn overflows_its_stack() {
    fn deeper(n: u64) -> u64 {
        std::hint::black_box(if n == 0 { 0 } else { deeper(n + 1) + 1 })
    }
    let describe = alone!(|| println!("{}", deeper(1)));
    let Some(said) = look_at("overflows_its_stack", &[], describe) else { return };
    said.code(1).has(&["no crash by a signal", "killed by SIGSEGV", "more frames of the same"]);
    said.has(&["broken::overflows_its_stack::deeper at ", "crates/bizarro/tests/broken.rs:"]);
}

#[test]
fn ends_without_success() {
    let describe = alone!(|| std::process::exit(3));
    let Some(said) = look_at("ends_without_success", &[], describe) else { return };
    said.code(1).has(&["programs end with success", "ended with status 3"]);
}

/// A server that was meant to go on ends by itself, and its client with it.
#[test]
fn goes_away() {
    let describe: fn(&mut World) = |world| {
        world.host("server").program(|| {
            let listener = std::net::TcpListener::bind("0.0.0.0:7").unwrap();
            drop(listener.accept().unwrap());
            std::process::exit(3);
        });
        world.host("client").workload(|| {
            let mut stream = loop {
                match std::net::TcpStream::connect("server:7") {
                    Ok(stream) => break stream,
                    Err(_) => std::thread::sleep(millis(10)),
                }
            };
            let _ = std::io::Read::read(&mut stream, &mut [0]);
        });
        world.explore(Explore::baseline_only());
    };
    let Some(said) = look_at("goes_away", &[], describe) else { return };
    said.code(1).has(&[
        "✗ programs end with success, at 0.0",
        "on server, task 100",
        "ended with status 3",
        "broken::goes_away::{{closure}}",
    ]);
    said.ends_with("cargo bizarro replay broken::goes_away baseline");
}

#[test]
fn runs_out_of_descriptors() {
    let describe = alone!(|| {
        let open = || std::net::UdpSocket::bind("0.0.0.0:0").expect("a socket");
        let sockets: Vec<_> = (0..100_000).map(|_| open()).collect();
        drop(sockets);
    });
    let Some(said) = look_at("runs_out_of_descriptors", &[], describe) else { return };
    said.code(1).has(&[
        "✗ no panic, at 0.0",
        "on one, task 100",
        "Too many open files",
        "broken::runs_out_of_descriptors::{{closure}}",
    ]);
    said.ends_with("cargo bizarro replay broken::runs_out_of_descriptors baseline");
}

/// A guest's standard input is at its end, and can be closed; and so can the supervisor's.
#[test]
fn has_no_standard_input() {
    let describe = alone!(|| {
        assert_eq!(std::io::read_to_string(std::io::stdin()).unwrap(), "");
        // Closed, its number is the next file's.
        nix::unistd::close(0).unwrap();
        let file = std::fs::File::create("/tmp/first").unwrap();
        assert_eq!(std::os::fd::AsRawFd::as_raw_fd(&file), 0);
        println!("all is well");
    });
    if bizarro::__private::in_world() || std::env::var_os(INNER).is_some() {
        look_at("has_no_standard_input", &[], describe);
        return;
    }
    let name = "has_no_standard_input";
    let script = format!("exec \"$0\" {name} --exact --nocapture --test-threads=1 <&-");
    let output = Command::new("sh")
        .args(["-c", &script])
        .arg(std::env::current_exe().unwrap())
        .env(INNER, "1")
        .env("BIZARRO_PLAN", "baseline")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && text.contains("all is well"), "{text}");
}

#[test]
fn returns_an_error() {
    let describe = alone!(|| Err::<(), _>("no luck"));
    let Some(said) = look_at("returns_an_error", &[], describe) else { return };
    said.code(1).has(&["programs end with success", "ended with status 1"]);
}

#[test]
fn deadlocks() {
    let describe = alone!(|| {
        let (lock, never) = (Mutex::new(()), Condvar::new());
        drop(never.wait(lock.lock().unwrap()));
    });
    let Some(said) = look_at("deadlocks", &[], describe) else { return };
    said.code(1).has(&["✗ no deadlock, at 0.0", "one's task 100 `one` waits in futex 0x"]);
    said.has(&["broken::deadlocks::{{closure}}", "crates/bizarro/tests/broken.rs:"]);
    said.ends_with("cargo bizarro replay broken::deadlocks baseline");
}

#[test]
fn never_ends() {
    let describe = alone!(|| {
        loop {
            std::thread::sleep(secs(1));
        }
    });
    let Some(said) = look_at("never_ends", &[], describe) else { return };
    said.code(1)
        .has(&["✗ the workload ends, at 60.0", "one's task 100 `one` waits in time to pass"]);
    said.has(&["broken::never_ends::{{closure}}", "crates/bizarro/tests/broken.rs:"]);
}

#[test]
fn spins() {
    let describe = alone!(|| {
        loop {
            std::hint::spin_loop();
        }
    });
    let Some(said) = look_at("spins", &[], describe) else { return };
    said.code(1).has(&["no endless loop", "uses time without a system call"]);
    said.has(&["broken::spins::{{closure}}", "crates/bizarro/tests/broken.rs:"]);
}

#[test]
fn asks_for_what_is_not_simulated() {
    let describe = alone!(|| drop(Command::new("/bin/true").status()));
    let Some(said) = look_at("asks_for_what_is_not_simulated", &[], describe) else { return };
    said.code(3).has(&["inconclusive", "which Bizarro does not simulate yet"]);
}

#[test]
fn breaks_its_promises() {
    let describe: fn(&mut World) = |world| {
        world.host("one").workload(|| {
            let n = 3;
            bizarro::always!(n < 3, "n is small", "n was {n}");
            bizarro::unreachable!("nobody comes here", "at {n}");
            bizarro::sometimes!(n == 7, "n is seven");
        });
        world.check("it says hello", |run| match run.output("one").is_empty() {
            true => Err("it said nothing".to_string()),
            false => Ok(()),
        });
        world.explore(Explore::baseline_only());
    };
    let Some(said) = look_at("breaks_its_promises", &[], describe) else { return };
    said.code(1).has(&[
        "n is small",
        "n was 3",
        "nobody comes here",
        "at 3",
        "it says hello",
        "it said nothing",
    ]);
}

#[test]
fn never_sees_the_case() {
    let describe = alone!(|| bizarro::sometimes!(1 + 1 == 3, "sums are odd"));
    let Some(said) = look_at("never_sees_the_case", &[], describe) else { return };
    said.code(1).has(&["never seen in any run: sums are odd, crates/bizarro/tests/broken.rs:"]);
    said.ends_with("cargo bizarro run broken::never_sees_the_case");
}

/// What the closure holds is another number in each world process.
#[test]
fn is_not_deterministic() {
    let describe: fn(&mut World) = |world| {
        let real = std::process::id();
        world.host("one").workload(move || println!("{real}"));
        world.explore(Explore::baseline_only());
    };
    let Some(said) = look_at("is_not_deterministic", &[], describe) else { return };
    said.code(4).has(&["not deterministic", "fingerprints"]);
}

#[test]
fn is_described_wrong() {
    let describe: fn(&mut World) = |world| {
        world.host("one").workload(|| ());
        world.host("one").address("10.0.0.256").program(|| ());
    };
    let Some(said) = look_at("is_described_wrong", &[], describe) else { return };
    said.code(2).has(&[
        "error: two hosts are called `one`; the first is declared at crates/bizarro/tests/broken.rs:",
        "  --> crates/bizarro/tests/broken.rs:",
        "  = give this one a name of its own",
        "error: `10.0.0.256` is not an IPv4 address",
    ]);
}

#[test]
fn describes_another_world_each_time() {
    let describe: fn(&mut World) = |world| {
        let name = if std::env::var_os(INNER).is_some() { "here" } else { "there" };
        world.host(name).workload(|| ());
    };
    let Some(said) = look_at("describes_another_world_each_time", &[], describe) else { return };
    said.code(2).has(&["a host is called `here` here and `there` there", "must not depend on"]);
}

#[test]
fn is_asked_for_what_it_does_not_have() {
    let plan = |plan| {
        let name = "is_asked_for_what_it_does_not_have";
        look_at(name, &[("BIZARRO_PLAN", plan)], alone!(|| println!("hello")))
    };
    let Some(said) = plan("bord>one POST /move #3 deliver-reply=lost") else { return };
    said.code(2).has(&["error: no host is called `bord`", "the hosts of this world: one"]);
    plan("nonsense").unwrap().code(2).has(&["BIZARRO_PLAN: found `nonsense`, expected EXCHANGE"]);
    let never = "one>one tcp:80 #1 deliver-reply=lost";
    plan(never).unwrap().code(3).has(&["never struck", &format!("'{never}'")]);
}

#[test]
fn says_nothing() {
    let describe: fn(&mut World) = |world| {
        if bizarro::__private::in_world() {
            std::thread::sleep(secs(3600));
        }
        world.host("one").workload(|| ());
    };
    let watchdog = [("BIZARRO_WATCHDOG", "1")];
    let Some(said) = look_at("says_nothing", &watchdog, describe) else { return };
    said.code(5).has(&["it described no world within 1 s of real time"]);
    assert_eq!(world_processes("says_nothing"), Vec::<String>::new());
}

#[test]
fn dies_while_it_describes() {
    let describe: fn(&mut World) = |world| {
        if bizarro::__private::in_world() {
            eprintln!("last words");
            std::process::abort();
        }
        world.host("one").workload(|| ());
    };
    let Some(said) = look_at("dies_while_it_describes", &[], describe) else { return };
    said.code(5).has(&["was killed by SIGABRT", "last words"]);
}

#[test]
fn is_left_alone() {
    let describe = alone!(|| loop {
        std::thread::sleep(millis(1));
    });
    if bizarro::__private::in_world() || std::env::var_os(INNER).is_some() {
        look_at("is_left_alone", &[], describe);
        return;
    }
    let mut child = Command::new("/proc/self/exe")
        .args(["is_left_alone", "--exact", "--nocapture", "--test-threads=1"])
        .env(INNER, "1")
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    wait_for(|| !world_processes("is_left_alone").is_empty());
    child.kill().unwrap();
    child.wait().unwrap();
    wait_for(|| world_processes("is_left_alone").is_empty());
}

/// A client that asks a server once and cannot do without the answer.
fn asks_once(world: &mut World) {
    world.host("server").program(|| {
        let listener = std::net::TcpListener::bind("0.0.0.0:7").unwrap();
        for mut stream in listener.incoming().flatten() {
            let mut byte = [0];
            let _ = std::io::Read::read_exact(&mut stream, &mut byte);
            let _ = std::io::Write::write_all(&mut stream, &byte);
        }
    });
    world.host("client").workload(|| {
        let mut stream = std::net::TcpStream::connect("server:7").unwrap();
        stream.set_read_timeout(Some(secs(1))).unwrap();
        std::io::Write::write_all(&mut stream, &[1]).unwrap();
        std::io::Read::read_exact(&mut stream, &mut [0]).expect("an answer");
    });
    world.explore(Explore::everything().seeds(0));
}

#[test]
fn is_outside_its_model() {
    let describe: fn(&mut World) = |world| {
        asks_once(world);
        world.model(Network::Reliable, Nodes::CrashRecovery, Timing::Asynchronous);
    };
    let plan = [("BIZARRO_PLAN", "client>server tcp:7 #1 deliver-request=lost")];
    let Some(said) = look_at("is_outside_its_model", &plan, describe) else { return };
    said.code(2).has(&[
        "error: the system model of broken::is_outside_its_model excludes `lost`",
        "--> client>server tcp:7 #1 deliver-request=lost",
        " allows: ",
        "crash@N",
    ]);
}

#[test]
fn was_known_to_break() {
    let directory = tempfile::tempdir().unwrap();
    let look = |variables: &[(&str, &str)]| {
        look_in(directory.path(), "was_known_to_break", variables, asks_once)
    };
    let kept = [("BIZARRO_REGRESSIONS", "1")];
    let Some(said) = look(&kept) else { return };
    let file = "bizarro-regressions/broken.was_known_to_break.plans";
    said.code(1).has(&[" kept in bizarro-regressions/broken.was_known_to_break.plans: commit it"]);
    let text = std::fs::read_to_string(directory.path().join(file)).unwrap();
    let plans: Vec<&str> = text.lines().filter(|line| line.starts_with("client>server")).collect();
    assert!(!plans.is_empty() && text.starts_with("bizarro regressions 1\n"), "{text}");
    // The next time they are run first, and nothing is kept twice.
    let said = look(&kept).unwrap();
    let first = text.lines().position(|line| line == plans[0]).unwrap() + 1;
    said.code(1).has(&[&format!("known from {file}:{first}"), "no panic"]);
    assert_eq!(std::fs::read_to_string(directory.path().join(file)).unwrap(), text);
    // A line that makes no sense is told by its place.
    std::fs::write(directory.path().join(file), "bizarro regressions 1\nhost=x\n").unwrap();
    look(&kept).unwrap().code(2).has(&[&format!("{file}:2: found `host=x`, expected ")]);
    // One of a host that is not there, too.
    let gone = "bizarro regressions 1\na>b tcp:7 #1 deliver-request=lost\n";
    std::fs::write(directory.path().join(file), gone).unwrap();
    look(&kept).unwrap().code(2).has(&[&format!("{file}:2: no host is called `a`")]);
}

/// Ctrl-C reaches a driver, which then closes the pipe that is its supervisor's standard input.
#[test]
fn is_stopped() {
    let describe: fn(&mut World) = |world| {
        world.host("one").workload(|| ());
    };
    if bizarro::__private::in_world() || std::env::var_os(INNER).is_some() {
        look_at("is_stopped", &[], describe);
        return;
    }
    let mut child = Command::new("/proc/self/exe")
        .args(["is_stopped", "--exact", "--nocapture", "--test-threads=1"])
        .envs([(INNER, "1"), ("BIZARRO_DRIVEN", "run"), ("BIZARRO_SEEDS", "1000000")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufReader::new(child.stdout.take().unwrap()).lines();
    let has_begun = lines.by_ref().map_while(Result::ok).any(|line| line.contains("schedules"));
    assert!(has_begun, "there were no random schedules");
    drop(child.stdin.take());
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    assert_eq!(child.wait().unwrap().code(), Some(3), "{rest:#?}");
    assert!(rest.iter().any(|line| line.contains("interrupted")), "{rest:#?}");
    assert_eq!(world_processes("is_stopped"), Vec::<String>::new());
}

/// Command lines of the world processes of a test.
fn world_processes(test: &str) -> Vec<String> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let command_lines = processes
        .filter_map(|process| std::fs::read_to_string(process.path().join("cmdline")).ok());
    command_lines.filter(|line| line.starts_with(&format!("world\0{test}\0"))).collect()
}

/// Waits for what must come to pass soon, by looking until it has.
#[track_caller]
fn wait_for(is_so: impl Fn() -> bool) {
    let start = std::time::Instant::now();
    while !is_so() {
        assert!(start.elapsed() < secs(20), "it did not come to pass");
        std::thread::yield_now();
    }
}
