//! tracing: a global subscriber that `main` sets up, on every host.

use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex, OnceLock};

use bizarro::prelude::*;
use guests::{SERVERS_ARE_UP, prints};
use tracing::{info, info_span};

static NAME: OnceLock<String> = OnceLock::new();
static SEEN: LazyLock<Mutex<BTreeMap<String, u32>>> = LazyLock::new(Mutex::default);

/// A service whose `main` may be run once in a process: a second `init` or `set` would panic.
#[tokio::main]
async fn service() {
    tracing_subscriber::fmt().with_ansi(false).init();
    NAME.set(std::env::var("NAME").unwrap()).unwrap();
    assert_eq!(std::env::var("INHERITED").ok(), None);
    // SAFETY: no other thread of this host reads the environment.
    unsafe { std::env::set_var("INHERITED", "no") };
    tokio::time::sleep(SERVERS_ARE_UP).await;
    info_span!("work", host = NAME.get().unwrap()).in_scope(|| info!(answer = 42, "ready"));
    *SEEN.lock().unwrap().entry(NAME.get().unwrap().clone()).or_default() += 1;
    println!("{:?}", SEEN.lock().unwrap());
}

#[bizarro::test]
fn a_subscriber_on_every_host(world: &mut World) {
    for name in ["one", "two"] {
        world.host(name).env("NAME", name).workload(service);
        world.check(&format!("{name} logs in virtual time"), move |run| {
            let output = run.output(name);
            let [log, seen] = output[..] else { return Err(format!("{output:?}")) };
            let logged = log.starts_with("2026-01-01T00:00:00.05")
                && log.contains(&format!("work{{host=\"{name}\"}}: tracing: ready answer=42"));
            let fresh = seen == format!("{{\"{name}\": 1}}");
            if logged && fresh { Ok(()) } else { Err(format!("{output:?}")) }
        });
    }
    world.explore(Explore::baseline_only());
    prints_nothing_to_stderr(world);
}

fn prints_nothing_to_stderr(world: &mut World) {
    world.check("nobody complains", |run| {
        let errors = [run.errors("one"), run.errors("two")].concat();
        if errors.is_empty() { Ok(()) } else { Err(format!("{errors:?}")) }
    });
}

/// Two hosts that log into a file of their own.
fn logs_to_a_file() {
    let file = std::fs::File::create("/var/log/service.log").unwrap();
    tracing_subscriber::fmt().with_ansi(false).without_time().with_writer(file).init();
    for round in 0..3 {
        info!(round);
    }
    print!("{}", std::fs::read_to_string("/var/log/service.log").unwrap());
}

#[bizarro::test]
fn a_log_file(world: &mut World) {
    world.host("one").file("/var/log/old", "").workload(logs_to_a_file);
    let lines = &[" INFO tracing: round=0", " INFO tracing: round=1", " INFO tracing: round=2"];
    prints(world, "one", lines);
}
