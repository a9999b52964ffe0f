//! Clocks that are wrong, hosts that stand still: each fault, a program that it breaks, and a careful one that holds.

use std::collections::BTreeSet;
use std::net::UdpSocket;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use bizarro::prelude::*;
use bizarro::{Event, Lab, Plan, RunRecord};

fn run(name: &str, describe: fn(&mut World), plan: &str) -> RunRecord {
    let mut lab = Lab::open(&format!("clock_faults::{name}"), describe);
    lab.run(&plan.parse::<Plan>().unwrap()).unwrap()
}

/// What a host printed.
fn lines<'r>(record: &'r RunRecord, host: &str) -> Vec<&'r str> {
    let index = record.hosts.iter().position(|name| name == host).unwrap() as u16;
    let all = record.events.iter().filter(|stamped| stamped.host == index);
    all.filter_map(|stamped| match &stamped.event {
        Event::Output { line, .. } => Some(line.as_str()),
        _ => None,
    })
    .collect()
}

fn began(record: &RunRecord) -> usize {
    record.events.iter().filter(|stamped| matches!(stamped.event, Event::Began { .. })).count()
}

fn socket(name: &str) -> UdpSocket {
    let socket = UdpSocket::bind("0.0.0.0:9").unwrap();
    if !name.is_empty() {
        sleep(millis(10));
        socket.connect((name, 9)).unwrap();
    }
    socket
}

/// Works once a second for half a minute, as long as its lease of ten seconds lasts; says how often it did.
fn leaseholder(expired: impl Fn() -> bool) {
    let worked = (0..30).filter(|_| {
        sleep(secs(1));
        !expired()
    });
    println!("{}", worked.count());
}

fn leases(world: &mut World) {
    world.host("naive").workload(|| {
        let until = SystemTime::now() + secs(10);
        leaseholder(|| SystemTime::now() >= until);
    });
    world.host("careful").workload(|| {
        let until = Instant::now() + secs(10);
        leaseholder(|| Instant::now() >= until);
    });
    world.group("both", &["naive", "careful"]);
}

#[test]
fn a_clock_that_is_set_back_prolongs_a_lease_on_the_wall_clock_only() {
    let name = "a_clock_that_is_set_back_prolongs_a_lease_on_the_wall_clock_only";
    let usual = run(name, leases, "baseline");
    assert_eq!((lines(&usual, "naive"), lines(&usual, "careful")), (vec!["9"], vec!["9"]));
    let struck = run(name, leases, "at 5s: clock-step both -1h");
    assert_eq!((lines(&struck, "naive"), lines(&struck, "careful")), (vec!["30"], vec!["9"]));
    // Forward it ends at once; and when the fault is over, the clock is right again.
    let struck = run(name, leases, "at 4500ms for 10s: clock-step both +1h");
    assert_eq!((lines(&struck, "naive"), lines(&struck, "careful")), (vec!["4"], vec!["9"]));
}

/// The first holder writes for as long as its own clock says that its lease lasts; the second one has the lease when
/// the first one's is surely over, and a higher number. One store takes every write, the other none of an older number;
/// each says whether something of the second holder was overwritten by the first.
fn fencing(world: &mut World) {
    fn holder(number: u8) {
        let store = socket("store");
        let lease = Instant::now();
        while lease.elapsed() < secs(20) {
            store.send(&[number]).unwrap();
            sleep(secs(1));
        }
    }
    world.host("first").program(|| holder(1));
    world.host("second").workload(|| {
        sleep(secs(25));
        holder(2);
        sleep(secs(30));
    });
    world.host("store").workload(|| {
        let socket = socket("");
        socket.set_read_timeout(Some(secs(40))).unwrap();
        // What each store holds is who wrote it last; both are looked at in the same way.
        let (mut naive, mut careful, mut highest, mut byte) = (vec![0], vec![0], 0, [0]);
        while socket.recv(&mut byte).is_ok() {
            naive.push(byte[0]);
            if byte[0] >= highest {
                highest = byte[0];
                careful.push(byte[0]);
            }
        }
        let overwritten = |held: &[u8]| held.windows(2).any(|two| two[1] < two[0]);
        println!("{} {}", overwritten(&naive), overwritten(&careful));
    });
}

#[test]
fn a_frozen_machine_believes_in_its_lease_and_a_fencing_token_stops_it() {
    let name = "a_frozen_machine_believes_in_its_lease_and_a_fencing_token_stops_it";
    assert_eq!(lines(&run(name, fencing, "baseline"), "store"), ["false false"]);
    assert_eq!(lines(&run(name, fencing, "at 5s for 30s: freeze first"), "store"), ["true false"]);
    // A pause lets the clock go on: afterwards the lease is known to be over, but for one write that was under way.
    assert_eq!(lines(&run(name, fencing, "at 5s for 30s: pause first"), "store"), ["false false"]);
}

/// Holds a lease for ten of its own seconds, less a margin; the grantor counts what comes after ten of its seconds.
fn margins(world: &mut World) {
    fn holder(lease: Duration) {
        let grantor = socket("grantor");
        let begun = Instant::now();
        while begun.elapsed() < lease {
            grantor.send(b"mine").unwrap();
            sleep(millis(100));
        }
    }
    world.host("naive").program(|| holder(secs(10)));
    world.host("careful").program(|| holder(millis(8500)));
    world.host("grantor").workload(|| {
        let (socket, begun) = (socket(""), Instant::now());
        socket.set_read_timeout(Some(secs(5))).unwrap();
        let mut late = BTreeSet::new();
        while let Ok((_, from)) = socket.recv_from(&mut [0; 8]) {
            if begun.elapsed() > millis(10_100) {
                late.insert(from.ip().to_string());
            }
        }
        println!("{late:?}");
    });
    world.group("holders", &["naive", "careful"]);
}

#[test]
fn a_slow_clock_outlives_its_lease_unless_there_is_a_margin() {
    let name = "a_slow_clock_outlives_its_lease_unless_there_is_a_margin";
    assert_eq!(lines(&run(name, margins, "baseline"), "grantor"), ["{}"]);
    let struck = run(name, margins, "at 0s: clock-drift holders -100000ppm");
    assert_eq!(lines(&struck, "grantor"), [r#"{"10.0.0.1"}"#]);
}

/// Stamps of events around midnight: how many are not later than the one before, by the wall clock and by a clock that
/// is never set.
fn stamps() {
    sleep(secs(86_395));
    let (mut wall, mut steady, mut back) = (SystemTime::now(), Instant::now(), (0, 0));
    for _ in 0..40 {
        sleep(millis(250));
        let next = (SystemTime::now(), Instant::now());
        back.0 += u32::from(next.0 <= wall);
        back.1 += u32::from(next.1 <= steady);
        (wall, steady) = next;
    }
    println!("{} {}", back.0, back.1);
}

fn midnight(world: &mut World) {
    world.deadline(secs(2 * 86_400));
    world.host("steps").workload(stamps);
    world.host("smears").leap_seconds(LeapHandling::Smear).workload(stamps);
    world.host("ignores").leap_seconds(LeapHandling::Ignore).workload(stamps);
}

#[test]
fn a_leap_second_turns_the_order_of_wall_clock_stamps_round() {
    let name = "a_leap_second_turns_the_order_of_wall_clock_stamps_round";
    for (plan, stepped) in [
        ("baseline", "0 0"),
        ("at 1h: leap-second insert", "1 0"),
        ("at 1h: leap-second delete", "0 0"),
    ] {
        let record = run(name, midnight, plan);
        assert_eq!(lines(&record, "steps"), [stepped], "{plan}");
        assert_eq!(lines(&record, "smears"), ["0 0"], "{plan}");
        assert_eq!(lines(&record, "ignores"), ["0 0"], "{plan}");
    }
}

/// Names things by the time, and by the time and a counter: how many of a hundred names are taken.
fn names(world: &mut World) {
    world.host("namer").workload(|| {
        sleep(secs(2));
        let wall = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos();
        let naive: BTreeSet<u128> = (0..100).map(|_| wall()).collect();
        let careful: BTreeSet<(u128, u32)> = (0..100).map(|count| (wall(), count)).collect();
        println!("{} {}", 100 - naive.len(), 100 - careful.len());
    });
}

#[test]
fn a_coarse_clock_gives_two_things_one_name() {
    let name = "a_coarse_clock_gives_two_things_one_name";
    assert_eq!(lines(&run(name, names, "baseline"), "namer"), ["0 0"]);
    let struck = run(name, names, "at 1s: coarse-clock namer 4ms");
    let text = lines(&struck, "namer")[0];
    let (naive, careful) = text.split_once(' ').unwrap();
    assert!(naive.parse::<u32>().unwrap() > 90 && careful == "0", "{text}");
}

/// One thread works, the other one says that all is well: because it runs itself, or because the work goes on.
fn health(world: &mut World) {
    world.host("service").workload(|| {
        use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
        static WORK: AtomicU32 = AtomicU32::new(0);
        std::thread::spawn(|| {
            loop {
                sleep(secs(1));
                WORK.fetch_add(1, SeqCst);
            }
        });
        let (mut naive, mut careful, mut before) = (0, 0, 0);
        for _ in 0..10 {
            sleep(secs(3));
            let work = WORK.load(SeqCst);
            naive += 1;
            careful += u32::from(work > before);
            before = work;
        }
        println!("{naive} {careful}");
    });
}

#[test]
fn a_thread_that_stands_still_is_missed_only_by_who_looks_at_its_work() {
    let name = "a_thread_that_stands_still_is_missed_only_by_who_looks_at_its_work";
    assert_eq!(lines(&run(name, health, "baseline"), "service"), ["10 10"]);
    let struck = run(name, health, "at 4s for 12s: pause-task service 101");
    assert_eq!((began(&struck), lines(&struck, "service")), (1, vec!["10 7"]));
    // The thread that is about to make a call can be named by it.
    let struck = run(name, health, "at call service #30 for 12s: pause-task @it");
    assert_eq!(began(&struck), 1);
}

/// Asks a server and waits for 100 ms, or with patience: how many of ten questions are answered.
fn questions(world: &mut World) {
    fn ask(patience: Duration) {
        let server = socket("server");
        server.set_read_timeout(Some(patience)).unwrap();
        let answered = (0..10).filter(|_| {
            server.send(b"?").unwrap();
            server.recv(&mut [0; 8]).is_ok()
        });
        println!("{}", answered.count());
    }
    world.host("server").program(|| {
        let socket = socket("");
        loop {
            let (_, from) = socket.recv_from(&mut [0; 8]).unwrap();
            socket.send_to(b"!", from).unwrap();
        }
    });
    world.host("naive").workload(|| ask(millis(100)));
    world.host("careful").workload(|| ask(secs(60)));
}

#[test]
fn a_slow_cpu_answers_only_those_who_wait() {
    let name = "a_slow_cpu_answers_only_those_who_wait";
    let usual = run(name, questions, "baseline");
    assert_eq!((lines(&usual, "naive"), lines(&usual, "careful")), (vec!["10"], vec!["10"]));
    // Each call takes a second.
    let struck = run(name, questions, "at 5ms for 1h: slow-cpu server 5000000");
    let naive: u32 = lines(&struck, "naive")[0].parse().unwrap();
    assert!(naive < 3, "{naive}");
    assert_eq!(lines(&struck, "careful"), ["10"]);
}

/// Takes 64 MiB: as if there always were enough, or ready to be told that there is not.
fn appetites(world: &mut World) {
    world.host("naive").workload(|| {
        sleep(secs(2));
        println!("{}", vec![1u8; 64 << 20].len());
    });
    world.host("careful").workload(|| {
        sleep(secs(2));
        println!("{}", Vec::<u8>::new().try_reserve_exact(64 << 20).is_ok());
        sleep(secs(10));
        println!("{}", Vec::<u8>::new().try_reserve_exact(64 << 20).is_ok());
    });
    world.group("both", &["naive", "careful"]);
}

#[test]
fn a_lack_of_memory_ends_who_does_not_expect_it() {
    let name = "a_lack_of_memory_ends_who_does_not_expect_it";
    let struck = run(name, appetites, "at 1s for 5s: memory-limit both 16MiB");
    assert_eq!(lines(&struck, "careful"), ["false", "true"]);
    let aborted = |event: &Event| matches!(event, Event::Killed { signal: libc::SIGABRT, .. });
    assert!(struck.events.iter().any(|stamped| aborted(&stamped.event)), "{:?}", struck.events);
}

/// A day of a host that drifts by 200 ppm, whose time servers cannot be reached, and which ends with a leap second.
fn day(world: &mut World) {
    world.deadline(secs(2 * 86_400));
    world.time_server("time1");
    world.time_server("time2");
    world.host("node").ntp(&["time1", "time2"]).clock_drift_ppm(200.0).workload(|| {
        for _ in 0..25 {
            sleep(secs(3600));
            let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
            // SAFETY: all zero asks for nothing but the state, which is written into it.
            let (state, timex) = unsafe {
                let mut timex: libc::timex = std::mem::zeroed();
                (libc::ntp_adjtime(&mut timex), timex)
            };
            println!("{} {state} {} {}", wall.as_millis(), timex.maxerror, timex.tai);
        }
    });
}

#[test]
fn a_day_with_a_leap_second_drift_and_no_time_is_replayed_identically() {
    let name = "a_day_with_a_leap_second_drift_and_no_time_is_replayed_identically";
    let plan =
        "node>time1 removed=partition; node>time2 removed=partition; at 2h: leap-second insert";
    let mut lab = Lab::open(&format!("clock_faults::{name}"), day);
    let runs: [RunRecord; 2] = std::array::from_fn(|_| lab.run(&plan.parse().unwrap()).unwrap());
    assert_eq!(runs[0].fingerprint, runs[1].fingerprint);
    assert_eq!(lines(&runs[0], "node"), lines(&runs[1], "node"));
    // 25 h of its own; true time is 200 ppm less, which is 18 s; and 16 s are the most that the kernel admits.
    let last = *lines(&runs[0], "node").last().unwrap();
    let hours = 25 * 3600 * 1000 - 1000;
    let expected = format!("{} {} 16000000 38", 1_767_225_600_000u64 + hours, libc::TIME_ERROR);
    assert_eq!(last, expected);
    let took = runs[0].stats.virtual_time.0 / 1_000_000;
    assert!((89_981_900..89_982_100).contains(&took), "{took}");
    // With its servers it is right within milliseconds, knows it, and is told of the leap second.
    let served = lab.run(&"at 2h: leap-second insert".parse().unwrap()).unwrap();
    let line = lines(&served, "node")[20];
    let words: Vec<i64> = line.split(' ').map(|word| word.parse().unwrap()).collect();
    assert!(words[1] == i64::from(libc::TIME_INS) && words[2] < 100_000, "{line}");
}

/// Says at each start how long the machine has been up, and what time it is: in whole seconds.
fn uptimes(world: &mut World) {
    let up = || {
        let uptime = std::fs::read_to_string("/proc/uptime").unwrap();
        let uptime: f64 = uptime.split(' ').next().unwrap().parse().unwrap();
        let mut shown = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the structure is of our own.
        assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut shown) }, 0);
        assert_eq!(uptime as i64, shown.tv_sec);
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
        println!("{} {} {}", shown.tv_sec, now.as_secs() % 1000, boot.trim());
        sleep(secs(100));
    };
    world.host("a").program(up);
    world.host("clock").workload(|| sleep(secs(50)));
}

/// clock_gettime(2): CLOCK_MONOTONIC counts from the boot. What a program keeps of it in a file means nothing after the next
/// one, and a crash of a process is none.
#[test]
fn uptime_begins_anew_with_the_machine_and_not_with_the_process() {
    let name = "uptime_begins_anew_with_the_machine_and_not_with_the_process";
    let crashed = run(name, uptimes, "at 20s: crash a");
    let (crashed, boot): (Vec<&str>, BTreeSet<&str>) =
        lines(&crashed, "a").into_iter().map(|line| line.rsplit_once(' ').unwrap()).unzip();
    assert_eq!(crashed, ["1000 600", "1021 621"]);
    assert_eq!(boot.len(), 1);
    let rebooted = run(name, uptimes, "at 20s for 15s: power-off a");
    let (rebooted, boot): (Vec<&str>, BTreeSet<&str>) =
        lines(&rebooted, "a").into_iter().map(|line| line.rsplit_once(' ').unwrap()).unzip();
    assert_eq!(rebooted, ["1000 600", "5 635"]);
    assert_eq!(boot.len(), 2);
}
