//! Networked Pac-Man on simulated hosts: the board and a player, unmodified.

use std::process::{Command, Stdio};
use std::time::Duration;

use bizarro::prelude::*;
use pacman::{client, game, journal, server};

/// Where the board keeps its journal on its host.
const JOURNAL: &str = "/var/lib/pacman/board.journal";

/// How long a player tries one call. A swarm strikes up to sixteen times in a run, and a partition lasts 30 s: a player
/// that gives up after its usual 90 s is right to, where four faults in a row took the board away for so long.
const PATIENCE: Duration = Duration::from_secs(500);

fn describe<T: std::process::Termination>(world: &mut World, player: impl Fn() -> T + 'static) {
    world.host("board").keep(JOURNAL).program(server::main);
    world.host("player").env("PACMAN_DEADLINE_MS", PATIENCE.as_millis()).workload(player);
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

/// What `cargo bizarro matrix` shows of a test here, without what differs from build to build.
fn shown(test: &str) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().expect("this is a file"))
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .envs([("BIZARRO_DRIVEN", "matrix"), ("BIZARRO_SEEDS", "0"), ("BIZARRO_COLOUR", "0")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("this binary can be started");
    // The pipe stays open: its end would mean that the driver wants to stop.
    let open = child.stdin.take();
    let output = child.wait_with_output().expect("its output can be read");
    drop(open);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let report = text.lines().skip_while(|line| *line != format!("pacman::{test}"));
    without_times(report)
}

/// Lines without what differs from build to build: how long a recovery takes, and what [`without_counts`] leaves out.
fn without_times<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut is_about_recovery = false;
    let stays = |line: &&str| {
        // These may be two lines, or three.
        is_about_recovery =
            line.starts_with(" longest recovery ") || is_about_recovery && !line.is_empty();
        !is_about_recovery
    };
    lines.filter(stays).map(without_counts).collect()
}

/// `80 cells · 851 runs · 2.9 s · …` without the real time and the numbers of runs, and `baseline held · 10 exchanges ·
/// 12.8 ms virtual` without the virtual one: how many calls a program makes, and so between how many of them it can be
/// killed, depends on the features of its libraries.
fn without_counts(line: &str) -> String {
    let mut parts: Vec<&str> = line.split(" · ").collect();
    if parts.len() > 3 && parts[1].ends_with(" runs") {
        parts.drain(1..3);
    }
    let varies = [" ms virtual", " different", " known without a run", " runs alike"];
    parts.retain(|part| !varies.iter().any(|end| part.ends_with(end)));
    parts.join(" · ")
}

#[test]
fn the_readme_shows_these_matrices() {
    let readme = include_str!("../../../README.md");
    let (_, block) = readme.split_once("$ cargo bizarro matrix pacman\n").expect("it is shown");
    let (block, _) = block.split_once("\n …\n").expect("not all of it is shown");
    let (careful, naive) = block.split_once("\npacman::naive\n").expect("both players are shown");
    for (test, expected) in [("careful", careful), ("naive", &format!("pacman::naive\n{naive}"))] {
        let expected = without_times(expected.trim_end().lines());
        let shown = shown(test);
        let beginning: Vec<&String> = shown.iter().take(expected.len()).collect();
        assert_eq!(beginning, expected.iter().collect::<Vec<_>>(), "README.md and `{test}`");
    }
}
