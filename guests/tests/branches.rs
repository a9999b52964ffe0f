//! Runs that begin alike are forked where their faults strike: each is the run that its plan gives from the beginning.

use std::io::{Error, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};

use bizarro::prelude::*;
use bizarro::{Ending, Injection, Lab, Plan, RunRecord};

static ASKED: AtomicU32 = AtomicU32::new(0);

/// Answers each byte by how many it had; keeps the count in a file, too.
fn serve() -> std::io::Result<()> {
    let listener = TcpListener::bind("0.0.0.0:80")?;
    loop {
        let (mut stream, _) = listener.accept()?;
        std::thread::spawn(move || {
            let mut byte = [0];
            while stream.read_exact(&mut byte).is_ok() {
                let asked = ASKED.fetch_add(1, Ordering::Relaxed);
                if std::fs::write("/count", asked.to_string()).is_err() {
                    std::process::abort();
                }
                if stream.write_all(&[asked as u8]).is_err() {
                    return;
                }
            }
        });
    }
}

fn ask() -> std::io::Result<()> {
    let mut answers = Vec::new();
    let mut stream = None;
    for what in 0..6 {
        std::thread::sleep(millis(5));
        let mut once = || {
            let stream = match &mut stream {
                Some(stream) => stream,
                None => stream.insert(TcpStream::connect("server:80")?),
            };
            stream.set_read_timeout(Some(millis(300)))?;
            stream.write_all(&[what])?;
            let mut answer = [0];
            stream.read_exact(&mut answer)?;
            Ok::<u8, Error>(answer[0])
        };
        match once() {
            Ok(answer) => answers.push(answer),
            Err(error) if error.kind() == ErrorKind::WouldBlock => panic!("no answer to {what}"),
            Err(_) => stream = None,
        }
    }
    println!("{answers:?}");
    Ok(())
}

fn describe(world: &mut World) {
    world.host("server").program(serve);
    world.host("client").workload(ask);
    world.deadline(secs(100));
}

/// What happened in a run.
fn shape(record: &RunRecord) -> (Plan, u64, String, &Ending, String) {
    let (events, exchanges) = (&record.events, &record.exchanges);
    let texts = format!("{events:#?}{exchanges:#?}{:?}", record.deviations);
    (
        record.plan.clone(),
        record.fingerprint,
        texts,
        &record.ending,
        format!("{:?}", record.properties),
    )
}

/// Goes wrong where there is no answer, each time in another way.
fn ask_once() -> std::io::Result<()> {
    let mut stream = TcpStream::connect("server:80")?;
    stream.set_read_timeout(Some(millis(50)))?;
    for what in 1..=6 {
        stream.write_all(&[what])?;
        match (stream.read_exact(&mut [0]), what) {
            (Ok(()), _) => {}
            (_, 1) => loop {
                std::hint::spin_loop();
            },
            (_, 2) => std::process::abort(),
            // SAFETY: it is meant to go wrong.
            (_, 3) => unsafe { std::ptr::null_mut::<u8>().write_volatile(1) },
            (_, 4) => panic!("no answer"),
            (_, 5) => std::process::exit(3),
            _ => std::thread::park(),
        }
    }
    Ok(())
}

fn describe_failing(world: &mut World) {
    world.host("server").program(serve);
    world.host("client").workload(ask_once);
    world.deadline(secs(100));
}

#[test]
fn a_branch_that_goes_wrong_ends_as_the_run_of_its_plan() {
    let mut lab = Lab::open(
        "branches::a_branch_that_goes_wrong_ends_as_the_run_of_its_plan",
        describe_failing,
    );
    let lost = |n: u32| format!("client>server tcp:80 #{n} deliver-reply=lost");
    let faults: Vec<Injection> = (1..=6).map(|n| lost(n).parse().expect("it is a fault")).collect();
    let baseline = Plan::default();
    let branches = lab.run_branches(&baseline, &faults).expect("runs can be made");
    let mut ends = Vec::new();
    for (branch, fault) in branches.iter().zip(&faults) {
        let whole = lab.run(&baseline.and(fault)).expect("runs can be made");
        assert_eq!(shape(branch), shape(&whole), "{fault}");
        assert!(branch.stats.forked.is_some());
        ends.push(shape(&whole).2 + &format!("{:?}", whole.ending));
    }
    for (end, word) in
        ends.iter().zip(["Spin", "signal: 6", "signal: 11", "no answer", "status: 3", "Dead"])
    {
        assert!(end.contains(word), "{word} is not in {end}");
    }
}

fn faults() -> Vec<Injection> {
    let mut faults: Vec<Injection> = Vec::new();
    for n in ["1", "2", "3", "4", "6", "2+", "5+"] {
        for what in [
            "post-request=reset",
            "post-request=refused",
            "deliver-request=lost",
            "deliver-request=crash",
            "validate-request=bit-flip",
            "validate-request=older",
            "update-server=disk-full",
            "update-server=crash",
            "update-server=crash@4",
            "update-server=pause",
            "deliver-reply=late",
            "validate-reply=garbage",
            "validate-reply=truncated",
            "update-client=crash",
        ] {
            faults.push(format!("client>server tcp:80 #{n} {what}").parse().expect("a fault"));
        }
    }
    // One whose turn never comes.
    faults.push("client>server tcp:80 #60 update-server=crash".parse().expect("a fault"));
    faults
}

#[test]
fn a_branch_is_the_run_of_its_plan() {
    let mut lab = Lab::open("branches::a_branch_is_the_run_of_its_plan", describe);
    let faults = faults();
    let mut forked = 0;
    let mut seen = std::collections::BTreeSet::new();
    for base in [
        "baseline",
        "seed=3; random; jitter=2ms",
        "seed=4; faults=1/30 lost,crash",
        "client>server tcp:80 #1 update-server=crash",
    ] {
        let base: Plan = base.parse().expect("a plan");
        let branches = lab.run_branches(&base, &faults).expect("runs can be made");
        assert_eq!(branches.len(), faults.len());
        for (branch, fault) in branches.iter().zip(&faults) {
            let plan = base.and(fault);
            let whole = lab.run(&plan).expect("runs can be made");
            assert_eq!(shape(branch), shape(&whole), "{plan}");
            forked += usize::from(branch.stats.forked.is_some());
            assert_eq!(whole.stats.forked, None);
            seen.insert(whole.fingerprint);
        }
    }
    assert!(forked > 3 * faults.len(), "{forked} of {} were forked", 4 * faults.len());
    // They are not all the same.
    assert!(seen.len() > faults.len(), "{} different runs", seen.len());
}
