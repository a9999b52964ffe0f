//! Whichever way a program asks for the time, it sees its host's clock: offset, drift, and what adjtimex(2) knows.

use std::time::{Duration, Instant, SystemTime};

use bizarro::prelude::*;
use bizarro::{Event, Run};
use guests::prints;

const SECOND: Duration = Duration::from_secs(1);

/// Every way of measuring a span and of telling the time that is looked at here.
fn asks_everybody() {
    let quanta = quanta::Clock::new();
    let starts = (
        Instant::now(),
        SystemTime::now(),
        chrono::Utc::now(),
        jiff::Timestamp::now(),
        quanta.now(),
        tokio::time::Instant::now(),
    );
    println!("begin");
    std::thread::sleep(SECOND);
    println!("end");
    let spans = [
        starts.0.elapsed(),
        starts.1.elapsed().unwrap(),
        (chrono::Utc::now() - starts.2).to_std().unwrap(),
        jiff::Timestamp::now().duration_since(starts.3).try_into().unwrap(),
        quanta.now() - starts.4,
        starts.5.elapsed(),
    ];
    // A library that scales a counter is off by its calibration.
    println!("{:?}", spans.map(|span| (span.as_micros() + 500) / 1000));
    // What is ahead of the moment at which every world starts, in seconds.
    let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600);
    let std = SystemTime::now().duration_since(start).unwrap().as_secs();
    let chrono = chrono::Utc::now().timestamp() - 1_767_225_600;
    let jiff = jiff::Timestamp::now().as_second() - 1_767_225_600;
    println!("{std} {chrono} {jiff}");
}

#[tokio::main(flavor = "current_thread")]
async fn tokio_sleeps() {
    println!("begin");
    let before = Instant::now();
    tokio::time::sleep(SECOND).await;
    println!("end");
    println!("{}", before.elapsed().as_millis() >= 1000);
}

/// True time between the lines `begin` and `end`, in milliseconds.
fn took(run: &Run<'_>, host: &str) -> Option<u64> {
    let index = run.hosts().iter().position(|name| name == host)? as u16;
    let at = |wanted: &str| {
        let mut events = run.record().events.iter().filter(|event| event.host == index);
        let is_it = |event: &Event| matches!(event, Event::Output { line, .. } if line == wanted);
        events.find(|event| is_it(&event.event)).map(|event| event.at)
    };
    Some((at("end")? - at("begin")?).0 / 1_000_000)
}

fn takes(world: &mut World, host: &'static str, millis: u64) {
    world.check(&format!("{host} takes {millis} ms"), move |run| match took(run, host) {
        Some(took) if took == millis => Ok(()),
        other => Err(format!("{other:?}")),
    });
}

/// A clock that is an hour ahead and a tenth too fast: its second is over after ten elevenths of a true one.
#[bizarro::test]
fn every_library_sees_the_hosts_clock(world: &mut World) {
    let hour = secs(3600);
    world.host("fast").clock_ahead(hour).clock_drift_ppm(100_000.0).workload(asks_everybody);
    world.host("slow").clock_drift_ppm(-100_000.0).workload(asks_everybody);
    world.host("exact").workload(asks_everybody);
    let spans = "[1000, 1000, 1000, 1000, 1000, 1000]";
    for (host, millis, ahead) in
        [("fast", 909, "3601 3601 3601"), ("slow", 1111, "1 1 1"), ("exact", 1000, "1 1 1")]
    {
        prints(world, host, vec!["begin", "end", spans, ahead].leak());
        takes(world, host, millis);
    }
}

#[bizarro::test]
fn tokios_timers_run_on_the_hosts_clock(world: &mut World) {
    world.host("fast").clock_drift_ppm(100_000.0).workload(tokio_sleeps);
    world.host("slow").clock_drift_ppm(-100_000.0).workload(tokio_sleeps);
    for (host, millis) in [("fast", 910), ("slow", 1112)] {
        prints(world, host, &["begin", "end", "true"]);
        takes(world, host, millis);
    }
}

/// What a clock-bound reader asks: the maximum error in milliseconds, if the clock is synchronised.
fn error_bound() -> Option<i64> {
    // SAFETY: all zero asks for nothing but the state, which is written into it.
    let (state, timex) = unsafe {
        let mut timex: libc::timex = std::mem::zeroed();
        (libc::ntp_adjtime(&mut timex), timex)
    };
    (state != libc::TIME_ERROR).then_some(timex.maxerror / 1000)
}

/// Three servers of which one lies, and a host whose clock is wrong and drifts.
#[bizarro::test]
fn a_time_daemon_sets_the_clock_and_knows_its_error(world: &mut World) {
    world.time_server("time1");
    world.time_server("time2").clock_ahead(secs(1000));
    world.time_server("time3");
    world.host("reader").ntp(&["time1", "time2", "time3"]).clock_behind(secs(5)).workload(|| {
        println!("{:?}", error_bound());
        std::thread::sleep(Duration::from_secs(300));
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let off = since.as_micros().abs_diff(1_767_225_600_000_000 + 300_000_000);
        println!("{:?} {}", error_bound().map(|bound| bound < 100), off < 5_000_000);
    });
    world.host("alone").clock_drift_ppm(-200.0).workload(|| println!("{:?}", error_bound()));
    prints(world, "reader", &["None", "Some(true) true"]);
    prints(world, "alone", &["None"]);
}

#[bizarro::test]
fn the_clock_can_be_set_and_stepped_by_root(world: &mut World) {
    world.host("root").workload(|| {
        let (monotonic, wall) = (Instant::now(), SystemTime::now());
        let day = libc::timespec { tv_sec: 1_800_000_000, tv_nsec: 0 };
        // SAFETY: the time is of our own.
        println!("{}", unsafe { libc::clock_settime(libc::CLOCK_REALTIME, &day) });
        let passed = SystemTime::now().duration_since(wall).unwrap();
        println!("{} {}", passed.as_secs(), monotonic.elapsed().as_secs());
    });
    prints(world, "root", &["0", "32774399 0"]);
}

/// A slow host's calls take longer, a fast one's do not, whatever the slow one does.
#[bizarro::test]
fn a_slow_cpu_is_slow_for_its_host_only(world: &mut World) {
    fn calls() {
        println!("begin");
        for _ in 0..1000 {
            // SAFETY: no memory is involved.
            unsafe { libc::getppid() };
        }
        println!("end");
    }
    world.syscall_cost(micros(1));
    world.host("slow").slow_cpu(1001).workload(calls);
    world.host("usual").workload(|| {
        std::thread::sleep(Duration::from_millis(200));
        calls();
    });
    world.check("a millisecond a call, and a microsecond", |run| {
        match (took(run, "slow"), took(run, "usual")) {
            (Some(1000..=1010), Some(0..=3)) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
    world.explore(Explore::baseline_only());
}

/// A program that hoards until it is killed finds itself started again.
#[bizarro::test]
fn the_oom_killer_restarts_a_process_that_hoards(world: &mut World) {
    world.host("hoarder").memory(64 << 20).oom_kills().program(|| {
        println!("started");
        let lives = std::fs::read("/lives").map_or(0, |lives| lives.len()) + 1;
        std::fs::write("/lives", vec![b'x'; lives]).unwrap();
        if lives == 3 {
            println!("frugal");
            std::thread::park();
        }
        let mut hoard = Vec::new();
        loop {
            hoard.push(vec![0u8; 1 << 20]);
        }
    });
    world.host("mapper").memory(64 << 20).workload(|| {
        let map = |length: usize| {
            let (both, kind) =
                (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
            // SAFETY: new memory, which nobody uses.
            unsafe { libc::mmap(std::ptr::null_mut(), length, both, kind, -1, 0) }
        };
        println!("{}", map(32 << 20) != libc::MAP_FAILED);
        println!("{}", map(32 << 20) != libc::MAP_FAILED);
        println!("{}", Vec::<u8>::new().try_reserve_exact(32 << 20).is_err());
        println!("{}", Vec::<u8>::new().try_reserve_exact(8 << 20).is_ok());
        let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap();
        let kib = |name: &str| -> u64 {
            let line = meminfo.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse().unwrap()
        };
        println!("{} {}", kib("MemTotal"), (1 << 14..1 << 15).contains(&kib("MemFree")));
        std::thread::sleep(Duration::from_secs(10));
    });
    prints(world, "mapper", &["true", "false", "true", "true", "65536 true"]);
    world.check("it is killed twice", |run| {
        let killed = |event: &Event| matches!(event, Event::Crashed);
        match run.record().events.iter().filter(|event| killed(&event.event)).count() {
            2 if run.output("hoarder") == ["started", "started", "started", "frugal"] => Ok(()),
            other => Err(format!("killed {other} times: {:?}", run.output("hoarder"))),
        }
    });
}
