//! Every body runs on a simulated host as it runs on this machine's own Linux: the transcripts are
//! equal, or the body says why they may not be.
//!
//! Each body is a test of its own, so that one that ends its world cannot hide another; the names
//! choose: `cargo test -p conformance --test simulated futex_`.

mod common;

use std::fmt::Write;
use std::path::Path;
use std::sync::Once;
use std::time::Duration;

use bizarro::prelude::*;

/// Virtual time after which a body hangs.
const DEADLINE: Duration = Duration::from_secs(120);

/// Bodies whose transcripts have to be equal.
macro_rules! agree {
    ($($body:ident)*) => {
        $(#[bizarro::test]
        fn $body(world: &mut World) {
            describe(world, stringify!($body));
        })*
    };
}

/// Bodies that say why they differ: one that does not any more has to lose its reason.
macro_rules! diverge {
    ($($body:ident)*) => {
        $(#[test]
        fn $body() {
            let marker = concat!("bizarro-test\u{1}", module_path!(), "::", stringify!($body), "\u{1}");
            let run = || bizarro::__private::test(marker, |world| describe(world, stringify!($body)));
            let difference = std::panic::catch_unwind(run);
            assert!(difference.is_err(), "the transcripts are equal: remove `diverges` from the body");
        })*
    };
}

include!("simulated/bodies.rs");

fn describe(world: &mut World, name: &'static str) {
    let test = conformance::find(name).expect("bodies.rs is up to date");
    world.host("host").workload(move || print!("{}", conformance::transcript_of(test)));
    world.explore(Explore::baseline_only());
    world.deadline(DEADLINE);
    let told = Once::new();
    world.check("the transcripts agree", move |run| {
        let native = common::run(name)?;
        let mut simulated = String::new();
        for line in run.output("host") {
            writeln!(simulated, "{line}").expect("a String takes everything");
        }
        if native == simulated {
            return Ok(());
        }
        // The report gives one line to what a check says. Every run of the baseline is checked.
        told.call_once(|| println!("- native, + simulated\n{}", common::diff(&native, &simulated)));
        Err("the native transcript is another one".to_string())
    });
}

/// Run it with `UPDATE_EXPECT=1` after a body was added or got a reason to diverge.
#[test]
fn every_body_is_here() {
    let names = |diverging: bool| {
        let chosen = conformance::all().filter(|test| test.divergence.is_some() == diverging);
        chosen.fold(String::new(), |text, test| text + "    " + test.name + "\n")
    };
    let wanted = format!(
        "// Written by `UPDATE_EXPECT=1 cargo test -p conformance --test simulated every_body_is_here`.\n\n\
         agree! {{\n{}}}\n\ndiverge! {{\n{}}}\n",
        names(false),
        names(true),
    );
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/simulated/bodies.rs");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&path, &wanted).expect("the list can be written");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == wanted,
        "run this test with UPDATE_EXPECT=1:\n{}",
        common::diff(&found, &wanted)
    );
}
