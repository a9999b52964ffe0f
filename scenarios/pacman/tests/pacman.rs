//! Networked Pac-Man on simulated hosts: the board and a player, unmodified.

use std::time::Duration;

use bizarro::prelude::*;
use pacman::{client, game, journal, server};

/// Where the board keeps its journal on its host.
const JOURNAL: &str = "/var/lib/pacman/board.journal";

fn describe<T: std::process::Termination>(world: &mut World, player: impl Fn() -> T + 'static) {
    world.host("board").keep(JOURNAL).program(server::main);
    world.host("player").workload(player);
    world.check("each move is made once, in order", |run| {
        let journal = run.file("board", JOURNAL).unwrap_or_default();
        let applied = journal::parse(journal).map_err(|error| error.to_string())?;
        game::check_so_far(&applied)
    });
    world.eventually("the game ends", Duration::from_secs(120));
}

#[bizarro::test]
fn naive(world: &mut World) {
    describe(world, client::naive::main);
    // What the document warns of: this player is wrong on purpose.
    world.must_break(&[
        "each move is made once, in order",
        "no panic",
        "programs end with success",
    ]);
}

#[bizarro::test]
fn careful(world: &mut World) {
    describe(world, client::careful::main);
}
