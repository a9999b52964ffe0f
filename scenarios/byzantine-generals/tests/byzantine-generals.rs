//! The Byzantine generals on simulated hosts.
//!
//! Their system model: a reliable and synchronous network, and Byzantine nodes. What no model of the kind can say is how
//! many nodes are Byzantine at most: the properties say it. Whoever a fault strikes is one of the traitors, and so is who
//! sends a message that arrives changed; where there are more of them than are reckoned with, nothing is promised.

use std::collections::BTreeSet;
use std::time::{Duration, UNIX_EPOCH};

use bizarro::Event;
use bizarro::prelude::*;
use bizarro_record::{Effect, Step, Trouble};
use bizarro_remedy::agreement::{General, Setting, SigningKey};
use byzantine_generals::camp::{Camp, Manner, Order};
use byzantine_generals::conduct::{Lie, Treason};
use byzantine_generals::general::{self, NUMBER};

/// 2026-01-01 00:00:01 UTC, a second after the start of every run.
const START: Duration = Duration::from_secs(1_767_225_601);

const AGREE: &str = "the loyal decide alike";
const OBEY: &str = "a loyal commander is obeyed";

fn name(general: General) -> String {
    format!("general-{general}")
}

/// A battle of so many generals, of whom so many may be traitors. Those of `traitors` are, from the start.
struct Battle {
    generals: u8,
    reckoned: u8,
    manner: Manner,
    traitors: &'static [General],
    lie: Lie,
}

const BATTLE: Battle =
    Battle { generals: 4, reckoned: 1, manner: Manner::Oral, traitors: &[], lie: Lie::Agreed };

fn describe(world: &mut World, battle: &Battle) {
    let Battle { generals, reckoned, manner, traitors, lie } = *battle;
    world.model(Network::Reliable, Nodes::Byzantine, Timing::Synchronous);
    let setting = Setting::new(generals, reckoned, 0).expect("it makes sense");
    let secret: Vec<SigningKey> =
        (0..generals).map(|general| SigningKey::from_bytes(&[general + 1; 32])).collect();
    for me in 0..generals {
        let camp = Camp {
            setting,
            me,
            order: Order::Attack,
            manner,
            addresses: (0..generals).map(|general| name(general) + ":7000").collect(),
            start: UNIX_EPOCH + START,
            round: millis(100),
            key: secret[usize::from(me)].clone(),
            keys: secret.iter().map(SigningKey::verifying_key).collect(),
        };
        let keys = traitors.iter().map(|traitor| (*traitor, secret[usize::from(*traitor)].clone()));
        let treason = Treason { lie, keys: keys.collect(), number: NUMBER };
        let program = move || general::run(&camp, || bizarro::traitor().then(|| treason.clone()));
        world.host(&name(me)).workload(program);
    }
    for traitor in traitors {
        world.incident(&format!("at 0s: traitor {}", name(*traitor)));
    }
    world.check(AGREE, move |run| match decisions(run, generals, reckoned) {
        Some(decided) if decided.iter().any(|(_, order)| *order != decided[0].1) => {
            Err(told(&decided))
        }
        _ => Ok(()),
    });
    world.check(OBEY, move |run| match decisions(run, generals, reckoned) {
        Some(decided)
            if decided[0].0 == 0 && decided.iter().any(|(_, order)| *order != "attack") =>
        {
            Err(told(&decided))
        }
        _ => Ok(()),
    });
    // Three rounds at most, and a second for whoever starts again.
    world.eventually("everybody decides", secs(5));
}

fn told(decided: &[(General, &str)]) -> String {
    let each =
        decided.iter().map(|(general, order)| format!("{} decides to {order}", name(*general)));
    each.collect::<Vec<_>>().join(", ")
}

/// What each of the loyal decided who did; nothing if there are more traitors than were reckoned with.
fn decisions<'r>(run: &Run<'r>, generals: u8, reckoned: u8) -> Option<Vec<(General, &'r str)>> {
    let disloyal = disloyal(run);
    let loyal = (0..generals).filter(|general| !disloyal.contains(&name(*general)));
    let decided = loyal.filter_map(|it| Some((it, *run.output(&name(it)).last()?)));
    let decided: Vec<_> = decided.collect();
    (disloyal.len() <= usize::from(reckoned) && !decided.is_empty()).then_some(decided)
}

/// Whoever did not do what his program says, or whose words did not arrive as he said them.
fn disloyal(run: &Run<'_>) -> BTreeSet<String> {
    let of_messages = run.faults().into_iter().filter_map(|(_, injection)| {
        let is_changed = [Effect::BitFlip, Effect::Garbage, Effect::Older, Effect::ErrorBody];
        // What arrives is not what the sender sent.
        is_changed.contains(&injection.effect).then(|| match injection.step {
            Step::ValidateRequest => injection.at.client.clone(),
            _ => injection.at.server.clone(),
        })
    });
    let of_troubles = run.record().events.iter().flat_map(|stamped| match &stamped.event {
        Event::Began { trouble, .. } => match &**trouble {
            Trouble::Lie { way, .. } => vec![way.from.clone()],
            Trouble::Link { .. } => Vec::new(),
            trouble => trouble.hosts().into_iter().map(str::to_string).collect(),
        },
        Event::Crashed | Event::PowerFailed { .. } | Event::Paused { .. } => {
            vec![run.hosts()[usize::from(stamped.host)].clone()]
        }
        _ => Vec::new(),
    });
    of_messages.chain(of_troubles).collect()
}

// 3f generals, and one more.

#[bizarro::test]
fn three(world: &mut World) {
    describe(world, &Battle { generals: 3, ..BATTLE });
    world.must_break(&[AGREE, OBEY]);
}

#[bizarro::test]
fn four(world: &mut World) {
    describe(world, &BATTLE);
    world.explore(Explore::everything().swarm(200));
}

/// Both traitors are there from the start, so the first run shows it.
#[bizarro::test]
fn six(world: &mut World) {
    describe(world, &Battle { generals: 6, reckoned: 2, traitors: &[4, 5], ..BATTLE });
    world.must_break(&[AGREE, OBEY]);
}

/// One traitor lies, and whoever a fault strikes is the other one.
#[bizarro::test]
fn seven(world: &mut World) {
    describe(world, &Battle { generals: 7, reckoned: 2, traitors: &[6], ..BATTLE });
}

/// Two lieutenants, who draw other lies in each run.
#[bizarro::test]
fn seven_with_two_liars(world: &mut World) {
    let (traitors, lie) = (&[5, 6], Lie::ByLot);
    describe(world, &Battle { generals: 7, reckoned: 2, traitors, lie, ..BATTLE });
    world.explore(Explore::everything().without_matrix().seeds(100));
}

/// The commander and a lieutenant, who draw other lies in each run.
#[bizarro::test]
fn seven_whose_commander_lies(world: &mut World) {
    let (traitors, lie) = (&[0, 6], Lie::ByLot);
    describe(world, &Battle { generals: 7, reckoned: 2, traitors, lie, ..BATTLE });
    world.explore(Explore::everything().without_matrix().seeds(100));
}

// With signatures f + 2 are enough.

#[bizarro::test]
fn three_who_sign(world: &mut World) {
    describe(world, &Battle { generals: 3, manner: Manner::Signed, ..BATTLE });
    world.explore(Explore::everything().swarm(200));
}

#[bizarro::test]
fn four_who_sign(world: &mut World) {
    let (manner, traitors) = (Manner::Signed, &[0, 3]);
    describe(world, &Battle { reckoned: 2, manner, traitors, lie: Lie::ByLot, ..BATTLE });
    world.explore(Explore::everything().without_matrix().seeds(100));
}

// Where it is not enough.

/// A network that loses messages makes a loyal general look like another traitor.
#[bizarro::test]
fn four_who_lose_letters(world: &mut World) {
    describe(world, &Battle { traitors: &[3], ..BATTLE });
    world.model(Network::FairLoss, Nodes::Byzantine, Timing::Synchronous);
    world.must_break(&[AGREE, OBEY]);
}

#[test]
fn the_readme_is_true() {
    scenario_tests::readme_is_true(env!("CARGO_MANIFEST_DIR"));
}
