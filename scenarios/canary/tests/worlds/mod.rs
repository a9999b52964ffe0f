//! The worlds of the canaries.

use bizarro::prelude::*;
use canary::{COUNTER, COUNTS, JOURNAL};

pub(crate) const ONCE: &str = "a payment is made once";
pub(crate) const SERVED: &str = "the teller is served";
pub(crate) const COUNTED: &str = "every count is kept";

fn bank(world: &mut World, teller: fn()) {
    world.deadline(secs(3600));
    world.host("bank").keep(JOURNAL).program(canary::bank);
    world.host("teller").workload(teller);
}

pub(crate) fn safety(world: &mut World) {
    bank(world, canary::hasty_teller);
    world.check(ONCE, |run| {
        let journal = String::from_utf8_lossy(run.file("bank", JOURNAL).unwrap_or_default());
        match journal.lines().count() {
            0 | 1 => Ok(()),
            paid => Err(format!("it was made {paid} times")),
        }
    });
}

pub(crate) fn liveness(world: &mut World) {
    bank(world, canary::patient_teller);
    world.eventually(SERVED, secs(300));
}

pub(crate) fn crash(world: &mut World) {
    bank(world, canary::trusting_teller);
}

pub(crate) fn race(world: &mut World) {
    world.host("counter").keep(COUNTER).workload(canary::racing_counters);
    world.check(COUNTED, |run| {
        let counted = String::from_utf8_lossy(run.file("counter", COUNTER).unwrap_or_default());
        if *counted == (2 * COUNTS).to_string() {
            Ok(())
        } else {
            Err(format!("{counted} of {}", 2 * COUNTS))
        }
    });
}
