//! A branch of a run has mapped files of its own: what it stores in them, the run that it was forked from never sees.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use bizarro::prelude::*;
use bizarro::{Injection, Lab, Plan, RunRecord};

const FILE: &str = "/var/lib/counts";

/// Answers each byte by how many it had, which is kept in a file that is mapped twice.
fn serve() -> std::io::Result<()> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(FILE)?;
    file.set_len(8192)?;
    file.sync_all()?;
    File::open("/var/lib")?.sync_all()?;
    // SAFETY: nobody else has the file open, and it is not cut off.
    let mut map = unsafe { memmap2::MmapMut::map_mut(&file)? };
    // SAFETY: as above.
    let seen = unsafe { memmap2::Mmap::map(&file)? };
    let listener = TcpListener::bind("0.0.0.0:80")?;
    loop {
        let (mut stream, _) = listener.accept()?;
        let mut byte = [0];
        while stream.read_exact(&mut byte).is_ok() {
            map[4096] += 1;
            map[usize::from(byte[0])] = map[4096];
            if byte[0] % 2 == 0 {
                map.flush()?;
            }
            if stream.write_all(&seen[4096..4097]).is_err() {
                break;
            }
        }
    }
}

fn ask() -> std::io::Result<()> {
    let (mut answers, mut stream) = (Vec::new(), None);
    for what in 0..6 {
        std::thread::sleep(millis(2500));
        let mut once = || {
            let stream = match &mut stream {
                Some(stream) => stream,
                None => stream.insert(TcpStream::connect("server:80")?),
            };
            stream.set_read_timeout(Some(millis(300)))?;
            stream.write_all(&[what])?;
            let mut answer = [0];
            stream.read_exact(&mut answer)?;
            Ok::<u8, std::io::Error>(answer[0])
        };
        match once() {
            Ok(answer) => answers.push(answer),
            Err(_) => stream = None,
        }
    }
    println!("{answers:?}");
    Ok(())
}

fn describe(world: &mut World) {
    world.host("server").program(serve).keep(FILE);
    world.host("client").workload(ask);
    world.deadline(secs(100));
}

/// What happened in a run, and what it left in the file.
fn shape(record: &RunRecord) -> (Plan, u64, String) {
    let texts = format!("{:#?}{:?}{:?}", record.events, record.ending, record.files);
    (record.plan.clone(), record.fingerprint, texts)
}

#[test]
fn branches_store_for_themselves() {
    let mut lab = Lab::open("branches::branches_store_for_themselves", describe);
    let mut faults: Vec<Injection> = Vec::new();
    for n in 1..=6 {
        for what in [
            "post-request=reset",
            "update-server=crash",
            "update-server=power-off",
            "post-reply=power-off",
            "deliver-reply=lost",
        ] {
            faults.push(format!("client>server tcp:80 #{n} {what}").parse().expect("a fault"));
        }
    }
    let baseline = Plan::default();
    let branches = lab.run_branches(&baseline, &faults).expect("runs can be made");
    assert_eq!(branches.len(), faults.len());
    let mut seen: Vec<String> = Vec::new();
    for (branch, fault) in branches.iter().zip(&faults) {
        let whole = lab.run(&baseline.and(fault)).expect("runs can be made");
        assert_eq!(shape(branch), shape(&whole), "{fault}");
        assert!(branch.stats.forked.is_some());
        let answers = branch.events.iter().map(|stamped| format!("{:?}", stamped.event));
        seen.extend(answers.filter(|event| event.contains("Output")));
    }
    seen.sort();
    seen.dedup();
    // What is not synced is lost with the power, and counted again.
    assert!(seen.len() > 6, "{seen:#?}");
}
