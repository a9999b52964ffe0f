//! Everything that can go wrong with a disk but for its power: a program that takes care holds, and one that does not
//! breaks.

use std::fs::{File, OpenOptions};
use std::io::{Error, ErrorKind};
use std::net::UdpSocket;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use bizarro::prelude::*;
use bizarro::{Ending, Event, Lab, Nanos, Plan, RunRecord};

const FOLDER: &str = "/var/lib/store";
const MOST: u64 = 8;
const RECORD: usize = 512;

/// How a program goes about its disk.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Manner {
    Careful,
    Naive,
}

impl Manner {
    /// Of the host, and of the milestone at each commit.
    fn name(self) -> &'static str {
        match self {
            Manner::Careful => "careful",
            Manner::Naive => "naive",
        }
    }
}

/// A sector: the number, as often as it fits.
fn record(number: u64) -> Vec<u8> {
    number.to_le_bytes().repeat(RECORD / 8)
}

/// The numbers in the file. Care: what cannot be read is read again, and what is not whole is refused.
fn numbers(file: &File, manner: Manner) -> Result<Vec<u64>, Error> {
    let mut numbers = Vec::new();
    for place in 0..MOST {
        let mut bytes = [0; RECORD];
        let mut read = file.read_at(&mut bytes, place * RECORD as u64);
        while manner == Manner::Careful && read.is_err() {
            sleep(Duration::from_secs(1));
            read = file.read_at(&mut bytes, place * RECORD as u64);
        }
        if read.unwrap_or(0) < RECORD {
            break;
        }
        let number = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes"));
        if manner == Manner::Careful && bytes[..] != record(place + 1) {
            return Err(Error::new(
                ErrorKind::InvalidData,
                format!("record {} is broken", place + 1),
            ));
        }
        numbers.push(number);
    }
    Ok(numbers)
}

/// Care: whatever of it fails, all of it is done again.
fn commit(file: &File, number: u64, manner: Manner) -> Result<(), Error> {
    let write = || file.write_all_at(&record(number), (number - 1) * RECORD as u64);
    let begun = Instant::now();
    match manner {
        Manner::Careful => {
            while let Err(error) = write().and_then(|()| file.sync_data()) {
                if error.kind() == ErrorKind::ReadOnlyFilesystem {
                    return Err(error);
                }
                sleep(Duration::from_secs(1));
            }
        }
        Manner::Naive => {
            let _ = write();
            if file.sync_data().is_err() {
                let _ = file.sync_data();
            }
            if begun.elapsed() > Duration::from_millis(80) {
                return Err(Error::new(ErrorKind::TimedOut, "the commit came too late"));
            }
        }
    }
    Ok(())
}

fn store(manner: Manner) -> Result<(), Error> {
    std::fs::create_dir_all(FOLDER)?;
    let path = Path::new(FOLDER).join("numbers");
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
    for folder in [FOLDER, "/var/lib"] {
        File::open(folder)?.sync_all()?;
    }
    let found = numbers(&file, manner)?.len() as u64;
    println!("found {found}");
    for number in found + 1..=MOST {
        commit(&file, number, manner)?;
        println!("committed {number}");
        bizarro::milestone(manner.name());
        sleep(Duration::from_millis(100));
    }
    println!("holds {:?}", numbers(&file, manner)?);
    Ok(())
}

fn describe(world: &mut World) {
    world.host("careful").workload(|| store(Manner::Careful));
    world.host("naive").workload(|| store(Manner::Naive));
}

/// The runs of a plan in which `HOST` is the careful program and the naive one.
struct Both {
    careful: RunRecord,
    naive: RunRecord,
}

fn both(lab: &mut Lab, plan: &str) -> Both {
    let mut run = |host: &str| {
        let plan: Plan = plan.replace("HOST", host).parse().expect("it is a plan");
        let record = lab.run(&plan).expect("runs can be made");
        assert_eq!(record.ending, Ending::Completed, "{plan}");
        let began = record.events.iter().filter(|e| matches!(e.event, Event::Began { .. })).count();
        assert_eq!(began, plan.incidents.len(), "each part of {plan} strikes");
        record
    };
    Both { careful: run("careful"), naive: run("naive") }
}

/// What the program on a host said.
fn said(record: &RunRecord, host: &str) -> Vec<String> {
    let host = record.hosts.iter().position(|name| name == host).expect("a host") as u16;
    let lines = record.events.iter().filter(|stamped| stamped.host == host);
    let line = |event: &Event| match event {
        Event::Output { line, .. } => Some(line.clone()),
        _ => None,
    };
    lines.filter_map(|stamped| line(&stamped.event)).collect()
}

const ALL: &str = "holds [1, 2, 3, 4, 5, 6, 7, 8]";

impl Both {
    fn careful(&self) -> Vec<String> {
        said(&self.careful, "careful")
    }

    fn naive(&self) -> Vec<String> {
        said(&self.naive, "naive")
    }
}

#[track_caller]
fn last(lines: &[String]) -> &str {
    lines.last().expect("it said something")
}

#[test]
fn a_full_disk_is_full_until_it_is_not() {
    let mut lab = Lab::open("troubles::a_full_disk_is_full_until_it_is_not", describe);
    let seen = both(&mut lab, "after \"HOST\" #3 for 5s: disk-full HOST");
    assert_eq!(last(&seen.careful()), ALL);
    assert!(seen.naive().contains(&"committed 8".to_string()));
    assert_eq!(last(&seen.naive()), "holds [1, 2, 3]");
    let once = both(&mut lab, "after \"HOST\" #3: disk-full HOST once");
    assert_eq!(last(&once.careful()), ALL);
    assert_eq!(last(&once.naive()), "holds [1, 2, 3, 0, 5, 6, 7, 8]");
}

#[test]
fn a_failed_sync_is_not_made_good_by_another() {
    let mut lab = Lab::open("troubles::a_failed_sync_is_not_made_good_by_another", describe);
    // The folder, the file, two syncs; then a write and a sync for each commit.
    let seen =
        both(&mut lab, "at disk HOST #9: disk-fails HOST once; after \"HOST\" #3: power-off HOST");
    let (careful, naive) = (seen.careful(), seen.naive());
    assert!(careful.contains(&"found 3".to_string()), "{careful:?}");
    assert_eq!(last(&careful), ALL);
    assert!(naive.contains(&"committed 3".to_string()), "{naive:?}");
    assert_eq!(last(&naive), "holds [1, 2, 0, 4, 5, 6, 7, 8]");
}

#[test]
fn reads_fail() {
    let mut lab = Lab::open("troubles::reads_fail", describe);
    let seen = both(&mut lab, "after \"HOST\" #8 for 3s: disk-reads-fail HOST");
    assert_eq!(last(&seen.careful()), ALL);
    assert_eq!(last(&seen.naive()), "holds []");
}

#[test]
fn a_slow_disk_makes_commits_late() {
    let mut lab = Lab::open("troubles::a_slow_disk_makes_commits_late", describe);
    let seen = both(&mut lab, "after \"HOST\" #3: disk-slow HOST 50ms");
    assert_eq!(last(&seen.careful()), ALL);
    assert_eq!(
        last(&seen.naive()),
        "Error: Custom { kind: TimedOut, error: \"the commit came too late\" }"
    );
    let time = |record: &RunRecord| record.stats.virtual_time;
    let fast = both(&mut lab, "baseline");
    assert!(time(&seen.careful) > time(&fast.careful));
}

#[test]
fn a_disk_that_is_read_only_keeps_nothing_new() {
    let mut lab = Lab::open("troubles::a_disk_that_is_read_only_keeps_nothing_new", describe);
    let plan = "after \"HOST\" #3: disk-read-only HOST";
    let careful: Plan = plan.replace("HOST", "careful").parse().unwrap();
    let record = lab.run(&careful).unwrap();
    assert!(last(&said(&record, "careful")).contains("ReadOnlyFilesystem"));
    let naive: Plan = format!("{plan}; after \"HOST\" #6: power-off HOST")
        .replace("HOST", "naive")
        .parse()
        .unwrap();
    let naive = said(&lab.run(&naive).unwrap(), "naive");
    assert!(naive.contains(&"committed 6".to_string()), "{naive:?}");
    assert!(naive.contains(&"found 3".to_string()), "{naive:?}");
}

#[test]
fn a_flipped_bit_is_found_by_who_looks() {
    let mut lab = Lab::open("troubles::a_flipped_bit_is_found_by_who_looks", describe);
    let mut wrong = 0;
    for seed in 1..=60 {
        let seen = both(&mut lab, &format!("seed={seed}; after \"HOST\" #5: bit-rot HOST"));
        assert!(last(&seen.careful()).contains("is broken"), "{:?}", seen.careful());
        wrong += usize::from(last(&seen.naive()) != ALL);
    }
    // A number is the first of 64 words.
    assert!((1..=20).contains(&wrong), "{wrong}");
    let named = "after \"HOST\" #5: bit-rot HOST /var/lib/store/numbers";
    assert!(last(&both(&mut lab, named).careful()).contains("is broken"));
}

#[test]
fn a_misplaced_write_is_found_by_who_looks() {
    let mut lab = Lab::open("troubles::a_misplaced_write_is_found_by_who_looks", describe);
    for seed in 1..=5 {
        let plan = format!("seed={seed}; after \"HOST\" #5: misplaced-write HOST");
        let seen = both(&mut lab, &plan);
        assert!(last(&seen.careful()).contains("is broken"), "{:?}", seen.careful());
        let naive = seen.naive();
        assert_eq!(last(&naive).matches('6').count(), 1, "{naive:?}");
        assert!(last(&naive).contains("0, 7, 8]"), "{naive:?}");
    }
}

/// Keeps the highest number that it was told, and says it.
fn mirror() {
    let socket = UdpSocket::bind("0.0.0.0:9").expect("the port is free");
    let (mut highest, mut number) = (0, [0; 8]);
    loop {
        let (_, from) = socket.recv_from(&mut number).expect("a number");
        highest = u64::from_le_bytes(number).max(highest);
        socket.send_to(&highest.to_le_bytes(), from).expect("it is sent");
    }
}

/// Gives out numbers, each once. Care: none is given out that is not known elsewhere, too.
fn numbering(manner: Manner) -> Result<(), Error> {
    let path = Path::new("/var/lib/highest");
    let socket = UdpSocket::bind("0.0.0.0:10")?;
    sleep(Duration::from_millis(10));
    socket.connect(("mirror", 9))?;
    let elsewhere = |number: u64| -> Result<u64, Error> {
        let mut highest = [0; 8];
        socket.send(&number.to_le_bytes())?;
        socket.recv(&mut highest)?;
        Ok(u64::from_le_bytes(highest))
    };
    let own = std::fs::read_to_string(path).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut highest = if manner == Manner::Careful { elsewhere(own)?.max(own) } else { own };
    while highest < MOST {
        highest += 1;
        let mut file = File::create(path)?;
        std::io::Write::write_all(&mut file, highest.to_string().as_bytes())?;
        file.sync_all()?;
        File::open("/var/lib")?.sync_all()?;
        if manner == Manner::Careful {
            elsewhere(highest)?;
        }
        println!("{highest}");
        bizarro::milestone(manner.name());
        sleep(Duration::from_millis(100));
    }
    Ok(())
}

#[test]
fn what_is_only_on_a_lost_disk_is_lost() {
    let mut lab = Lab::open("troubles::what_is_only_on_a_lost_disk_is_lost", |world| {
        world.host("mirror").program(mirror);
        world.host("careful").workload(|| numbering(Manner::Careful));
        world.host("naive").workload(|| numbering(Manner::Naive));
    });
    let seen = both(&mut lab, "after \"HOST\" #5: disk-lost HOST");
    assert_eq!(seen.careful(), ["1", "2", "3", "4", "5", "6", "7", "8"]);
    let naive = seen.naive();
    assert_eq!(naive.iter().filter(|number| *number == "5").count(), 2, "{naive:?}");
}

#[test]
fn a_lost_disk_is_as_it_was_made() {
    let mut lab = Lab::open("troubles::a_lost_disk_is_as_it_was_made", describe);
    let seen = both(&mut lab, "after \"HOST\" #5: disk-lost HOST");
    for lines in [seen.careful(), seen.naive()] {
        assert_eq!(lines.iter().filter(|line| *line == "found 0").count(), 2, "{lines:?}");
        assert_eq!(last(&lines), ALL);
    }
}

#[test]
fn a_host_is_killed_again_and_again() {
    let mut lab = Lab::open("troubles::a_host_is_killed_again_and_again", describe);
    let seen = both(&mut lab, "at 50ms for 1m: crash-loop HOST 250ms");
    let lines = seen.careful();
    let found = lines.iter().filter(|line| line.starts_with("found ")).count();
    assert!(found > 2, "{lines:?}");
    assert_eq!(last(&lines), ALL);
}

/// Takes eight steps. Care: one that was taken is not taken again.
fn job(manner: Manner) -> Result<(), Error> {
    let (path, new) = (Path::new("/var/lib/steps"), Path::new("/var/lib/steps.new"));
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let mut taken: u64 = text.parse().unwrap_or(0);
    while taken < MOST {
        sleep(Duration::from_millis(100));
        taken += 1;
        if manner == Manner::Careful {
            std::fs::write(new, taken.to_string())?;
            std::fs::rename(new, path)?;
        }
    }
    println!("done");
    Ok(())
}

#[test]
fn what_is_begun_anew_in_each_life_never_ends() {
    let mut lab = Lab::open("troubles::what_is_begun_anew_in_each_life_never_ends", |world| {
        world.host("careful").workload(|| job(Manner::Careful));
        world.host("naive").workload(|| job(Manner::Naive));
    });
    let seen = both(&mut lab, "at 50ms for 1m: crash-loop HOST 250ms");
    let done = |record: &RunRecord, host: &str| {
        let host = record.hosts.iter().position(|name| name == host).expect("a host") as u16;
        let its = record.events.iter().filter(|stamped| stamped.host == host);
        let is_done = |event: &Event| matches!(event, Event::Output { line, .. } if line == "done");
        its.filter(|stamped| is_done(&stamped.event)).map(|stamped| stamped.at).collect::<Vec<_>>()
    };
    let (careful, naive) = (done(&seen.careful, "careful"), done(&seen.naive, "naive"));
    assert!(careful[0] < Nanos::from_secs(10), "{careful:?}");
    // Only when nobody kills it any more.
    assert!(naive[0] > Nanos::from_secs(60), "{naive:?}");
}
