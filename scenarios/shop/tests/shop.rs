//! The shop and the payment service on simulated hosts.

use std::fs;
use std::path::Path;

use bizarro::prelude::*;
use rusqlite::Connection;
use shop::payment::{self, state_of};
use shop::proto::answer::State;
use shop::shop::{self as shops, Fate, fate_of};
use shop::{ORDERS, Ordered};

const ONLY_IF_PAID: &str = "goods ship only if they are paid";
const GOODS_OR_MONEY: &str = "who paid gets the goods or the money back";
const FILES: [&str; 2] = ["/data.db", "/data.db-journal"];

fn describe<T: std::process::Termination>(world: &mut World, shop: impl Fn() -> T + 'static) {
    world.host("payment").keep(FILES[0]).keep(FILES[1]).program(payment::main);
    world.host("shop").keep(FILES[0]).keep(FILES[1]).workload(shop);
    // Safety.
    world.check(ONLY_IF_PAID, |run| {
        each(run, |order, fate, state| {
            if fate == Some(Fate::Shipped) && state != Some(State::Charged) {
                return Err(format!(
                    "order {} was shipped, and its payment is {state:?}",
                    order.number
                ));
            }
            Ok(())
        })
    });
    // Safety, of runs that came to their end: until then the shop may be about to ship, or to give back.
    world.check(GOODS_OR_MONEY, |run| {
        each(run, |order, fate, state| {
            if run.is_completed() && state == Some(State::Charged) && fate != Some(Fate::Shipped) {
                return Err(format!("order {} was paid, and it is {fate:?}", order.number));
            }
            Ok(())
        })
    });
    // Liveness.
    world.eventually("every order is served", secs(120));
}

fn model(world: &mut World, nodes: Nodes) {
    world.model(Network::FairLoss, nodes, Timing::PartiallySynchronous);
}

/// Looks at each order as both hosts' next start would.
fn each(
    run: &Run<'_>,
    look: impl Fn(Ordered, Option<Fate>, Option<State>) -> Result<(), String>,
) -> Result<(), String> {
    let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
    let open = |host: &str| database(run, host, &directory.path().join(host));
    let (shop, payment) = (open("shop")?, open("payment")?);
    for order in ORDERS {
        let fate = match &shop {
            Some(shop) => fate_of(shop, order.number).map_err(|error| error.to_string())?,
            None => None,
        };
        let state = match &payment {
            Some(payment) => state_of(payment, order.number).map_err(|error| error.to_string())?,
            None => None,
        };
        look(order, fate, state)?;
    }
    Ok(())
}

/// A host's database with the journal of what was not committed, unless it did not come so far to have a table.
fn database(run: &Run<'_>, host: &str, directory: &Path) -> Result<Option<Connection>, String> {
    fs::create_dir(directory).map_err(|error| error.to_string())?;
    for path in FILES {
        if let Some(content) = run.file(host, path) {
            let file = directory.join(path.trim_start_matches('/'));
            fs::write(file, content).map_err(|error| error.to_string())?;
        }
    }
    let database =
        Connection::open(directory.join("data.db")).map_err(|error| error.to_string())?;
    let tables = ["orders", "payments"].map(|table| database.table_exists(None, table));
    let [orders, payments] = tables.map(|exists| exists.map_err(|error| error.to_string()));
    Ok((orders? || payments?).then_some(database))
}

#[bizarro::test]
fn cancels(world: &mut World) {
    describe(world, shops::hurried::cancels);
    model(world, Nodes::CrashRecovery);
    world.must_break(&[GOODS_OR_MONEY]);
}

#[bizarro::test]
fn ships_anyway(world: &mut World) {
    describe(world, shops::hurried::ships_anyway);
    model(world, Nodes::CrashRecovery);
    world.must_break(&[ONLY_IF_PAID, GOODS_OR_MONEY]);
}

#[bizarro::test]
fn careful(world: &mut World) {
    describe(world, shops::careful::main);
    model(world, Nodes::CrashRecovery);
}

/// A payment service whose disk is lost forgets what it decided, and no key brings it back.
#[bizarro::test]
fn careful_with_a_forgetful_payment_service(world: &mut World) {
    describe(world, shops::careful::main);
    model(world, Nodes::Byzantine);
    world.incident("at shop>payment grpc shop.Payment/Charge #2 post-request: disk-lost payment");
    world.must_break(&[ONLY_IF_PAID]);
}

#[test]
fn the_readme_is_true() {
    scenario_tests::readme_is_true(env!("CARGO_MANIFEST_DIR"));
}
