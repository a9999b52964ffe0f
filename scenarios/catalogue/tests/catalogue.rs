//! The catalogue on simulated hosts: three servers, a balancer, a site and a visitor.

use bizarro::prelude::*;
use catalogue::{balancer, product, server, site, visitor};

/// Liveness, once the last fault is over.
const PAGES: &str = "the visitor sees every page";
/// Safety.
const RIGHT: &str = "a page shows its product";

/// The site with these programs as servers and as balancer.
fn describe<S, B>(world: &mut World, server: fn() -> S, balancer: fn() -> B)
where
    S: std::process::Termination + 'static,
    B: std::process::Termination + 'static,
{
    world.model(Network::Arbitrary, Nodes::CrashRecovery, Timing::PartiallySynchronous);
    for name in ["catalogue-1", "catalogue-2", "catalogue-3"] {
        let mut host = world.host(name);
        for product in product::all() {
            let path = format!("/srv/catalogue/{}.json", product.id);
            host = host.file(&path, serde_json::to_vec(&product).expect("products are JSON"));
        }
        host.program(server);
    }
    world.host("balancer").program(balancer);
    world.host("site").program(site::main);
    world.host("visitor").workload(visitor::main);
    world.check(RIGHT, |run| {
        let right: Vec<String> = product::all().iter().map(product::Product::line).collect();
        match run.output("visitor").into_iter().find(|page| !right.iter().any(|it| it == page)) {
            Some(wrong) => Err(format!("`{wrong}` is no product")),
            None => Ok(()),
        }
    });
    world.eventually(PAGES, secs(90));
}

/// As the document tells it.
#[bizarro::test]
fn fastest(world: &mut World) {
    describe(world, server::hurried::main, balancer::fastest::main);
    // An outage that has lasted for so long is one.
    world.deadline(secs(240));
    world.must_break(&[PAGES]);
}

/// The remedy at the balancer; the servers are as they were.
#[bizarro::test]
fn guarded(world: &mut World) {
    describe(world, server::hurried::main, balancer::guarded::main);
}

/// The remedy at the servers; the balancer is as it was. The disk of one of them is full for good.
#[bizarro::test]
fn truthful(world: &mut World) {
    describe(world, server::truthful::main, balancer::fastest::main);
    world.at(millis(1)).trouble("disk-full catalogue-2");
    world.explore(Explore::everything().without_matrix().swarm(50));
}

/// A disk that says something else than was written to it is below every digest that is made of what it says.
#[bizarro::test]
fn rotten(world: &mut World) {
    describe(world, server::truthful::main, balancer::guarded::main);
    world.model(Network::Reliable, Nodes::Byzantine, Timing::PartiallySynchronous);
    for product in product::all() {
        world.incident(&format!("at 1ms: bit-rot catalogue-1 /srv/catalogue/{}.json", product.id));
    }
    world.explore(Explore::everything().without_matrix());
    world.must_break(&[RIGHT]);
}

#[test]
fn the_readme_is_true() {
    scenario_tests::readme_is_true(env!("CARGO_MANIFEST_DIR"));
}
