use super::*;

fn differing(change: impl FnOnce(&mut RunRecord)) -> String {
    let first = play(Toy::new(Player::Careful), "seed=3");
    let mut second = first.clone();
    change(&mut second);
    (second.fingerprint, second.stats.virtual_time) = (0x1234, Nanos(1));
    let mut found = compare(&first, &second).unwrap();
    found.fingerprints[0] = 0xabcd;
    difference("pacman::clock", &found, Look { width: 80, ..Look::PLAIN })
}

#[test]
fn two_runs_that_part_at_an_event() {
    let change = |record: &mut RunRecord| {
        let line = "the time is 12:31:07, which no other run will ever see again".to_string();
        record.events[4].event = Event::Output { stream: Stream::Stdout, line };
    };
    check(
        differing(change),
        expect![[r#"
        pacman::clock: not deterministic
          Two runs of one plan differ: something reached the program that Bizarro does not rule.
          fingerprints 000000000000abcd and 0000000000001234
          The runs part at event 5.
            0.000000 s board task 1 starts
            0.000000 s player task 1 starts
            0.000513 s board task 1 │ move 1 applied
            0.002443 s board task 1 │ move 2 applied
          first run                             │ second run
          0.004332 s board task 1 │ move 3      │ 0.004332 s board task 1 │ the time is
          applied                               │ 12:31:07, which no other run will
                                                │ ever see again
          cargo bizarro replay pacman::clock seed=3
    "#]],
    );
}

#[test]
fn two_runs_of_which_one_is_longer() {
    check(
        differing(|record| record.events.truncate(5)),
        expect![[r#"
        pacman::clock: not deterministic
          Two runs of one plan differ: something reached the program that Bizarro does not rule.
          fingerprints 000000000000abcd and 0000000000001234
          The runs part at event 6.
            0.000000 s board task 1 starts
            0.000000 s player task 1 starts
            0.000513 s board task 1 │ move 1 applied
            0.002443 s board task 1 │ move 2 applied
            0.004332 s board task 1 │ move 3 applied
          first run                             │ second run
          0.005721 s player task 1 │ game over  │ the run is over
          cargo bizarro replay pacman::clock seed=3
    "#]],
    );
}

#[test]
fn two_runs_that_end_in_different_ways_or_differ_in_secret() {
    let text = differing(|record| record.ending = Ending::Deadlock { tasks: vec![] });
    check(
        text + &differing(|_| {}),
        expect![[r#"
            pacman::clock: not deterministic
              Two runs of one plan differ: something reached the program that Bizarro does not rule.
              fingerprints 000000000000abcd and 0000000000001234
              All recorded events are equal; the runs end in different ways.
              first run                             │ second run
              the workload ended                    │ deadlock
              cargo bizarro replay pacman::clock seed=3
            pacman::clock: not deterministic
              Two runs of one plan differ: something reached the program that Bizarro does not rule.
              fingerprints 000000000000abcd and 0000000000001234
              All recorded events are equal; an effect that leaves no event differs.
              cargo bizarro replay pacman::clock seed=3
        "#]],
    );
}
