use super::*;

#[test]
fn the_story_of_a_lost_reply() {
    let plan = "player>board POST /move #2 deliver-reply=lost";
    check(
        told(Toy::new(Player::Naive), plan, |_| {}),
        expect![[r#"
            pacman::toy   player>board POST /move #2 deliver-reply=lost

                                     … 3 lines as in the baseline
                 0.000579 s  board   │ move 1 applied
                 0.001083 s  player  GET /findAll #1 → board: 200 after 1.1 ms
            +    0.002174 s  player  POST /move #2 → board: the reply never came
                 0.002649 s  board   │ move 2 applied
            ⚡   0.002649 s  board   fault at player>board POST /move #2: the reply was lost on the way
            +    5.002649 s  player  POST /move #3 (attempt 2) → board: 200 after 936 µs
            +    5.003075 s  board   │ move 2 applied
            ✗    5.003075 s  board   each move is applied at most once: move 2 was applied twice
                 5.003586 s  player  GET /findAll #2 → board: 200 after 1.0 ms
            +    5.004602 s  player  POST /move #4 → board: 200 after 940 µs
                 5.005111 s  board   │ move 3 applied
                 5.005543 s  player  GET /findAll #3 → board: 200 after 960 µs
                                     … 2 lines as in the baseline

              after 5.01 s (baseline 6.0 ms): the workload ended

              only in the baseline:
              − player: POST /move #2 → board: 200 after 901 µs
              − player: POST /move #3 → board: 200 after 976 µs

            pacman::toy: violated
              ✗ each move is applied at most once, at 5.003075 s, on board, src/toy.rs:7
                move 2 was applied twice
              cargo bizarro replay pacman::toy 'player>board POST /move #2 deliver-reply=lost'
        "#]],
    );
}

#[test]
fn the_story_of_a_panic() {
    let plan = "player>board GET /findAll #2 validate-reply=garbage";
    check(
        told(Toy::new(Player::Naive), plan, |_| {}),
        expect![[r#"
            pacman::toy   player>board GET /findAll #2 validate-reply=garbage

                                     … 5 lines as in the baseline
                 0.002174 s  player  POST /move #2 → board: 200 after 901 µs
                 0.002649 s  board   │ move 2 applied
            +    0.003075 s  player  GET /findAll #2 → board: answered after 1.1 ms
            ⚡   0.004134 s  player  fault at player>board GET /findAll #2: the reply arrived as noise
            ✗    0.004134 s  player  panics: expected value at line 1 column 1, src/player.rs:31
                                       player::parse at src/player.rs:31
            ✗    0.004134 s  player  ends with status 101

              after 4.1 ms (baseline 6.0 ms): the workload ended

              only in the baseline:
              − player: GET /findAll #2 → board: 200 after 1.1 ms
              − player: POST /move #3 → board: 200 after 976 µs
              − board: │ move 3 applied
              − player: GET /findAll #3 → board: 200 after 905 µs
              − player: │ game over
              … and 1 more

            pacman::toy: crashed
              ✗ no panic, at 0.004134 s, on player, task 1
                expected value at line 1 column 1, src/player.rs:31
              cargo bizarro replay pacman::toy 'player>board GET /findAll #2 validate-reply=garbage'
        "#]],
    );
}

#[test]
fn the_story_of_a_deadlock() {
    let plan = "player>board POST /move #3 deliver-request=lost";
    check(
        told(Toy::new(Player::Patient), plan, |_| {}),
        expect![[r#"
            pacman::toy   player>board POST /move #3 deliver-request=lost

                                     … 6 lines as in the baseline
                 0.002649 s  board   │ move 2 applied
                 0.003075 s  player  GET /findAll #2 → board: 200 after 1.1 ms
            +    0.004134 s  player  POST /move #3 → board: never arrived
            ⚡   0.004602 s  board   fault at player>board POST /move #3: the request was lost on the way
            ✗    0.004602 s  board   the game ends: the player still waits

              after 4.6 ms (baseline 6.0 ms): every task waits, and nothing can wake one
                player task 1 `main`: recvfrom(3)

              only in the baseline:
              − player: POST /move #3 → board: 200 after 976 µs
              − board: │ move 3 applied
              − player: GET /findAll #3 → board: 200 after 905 µs
              − player: │ game over
              − player: ends with status 0

            pacman::toy: violated
              ✗ the game ends, at 0.004602 s, on board, src/toy.rs:7
                the player still waits
              ✗ no deadlock, at 0.004602 s
                player's task 1 `main` waits in recvfrom(3)
              cargo bizarro replay pacman::toy 'player>board POST /move #3 deliver-request=lost'
        "#]],
    );
}

#[test]
fn the_story_of_a_segfault_that_prints_escapes() {
    let change = |record: &mut RunRecord| {
        let at = record.stats.virtual_time;
        let line = "\x1b[2Jlong ago, ".repeat(8);
        let output = Event::Output { stream: Stream::Stderr, line };
        let backtrace = "board::grid::at  src/grid.rs:14\nboard::main  src/main.rs:3".to_string();
        let killed = Event::Killed { signal: 11, backtrace };
        record.events.extend([output, killed].map(|event| Stamped { at, host: 0, tid: 1, event }));
    };
    check(
        told(Toy::new(Player::Careful), "baseline", change),
        expect![[r#"
            pacman::toy   baseline

                                     … 11 lines as in the baseline
                 0.006016 s  player  │ game over
                 0.006016 s  player  ends with status 0
            +    0.006016 s  board   ┆ \u{1b}[2Jlong ago, \u{1b}[2Jlong ago, \u{1b}[2Jlong ago, \u{1b}[2Jlong
                                     ago, \u{1b}[2Jlong ago, \u{1b}[2Jlong ago, \u{1b}[2Jlong ago, \u{1b}[2Jlong
                                     ago,
            ✗    0.006016 s  board   is killed by SIGSEGV of its own making
                                       board::grid::at  src/grid.rs:14
                                       board::main  src/main.rs:3

              after 6.0 ms (baseline 6.0 ms): the workload ended

            pacman::toy: crashed
              ✗ no crash by a signal, at 0.006016 s, on board, task 1
                killed by SIGSEGV
              cargo bizarro replay pacman::toy baseline
        "#]],
    );
}

#[test]
fn the_story_of_a_spinning_task() {
    let change = |record: &mut RunRecord| {
        let task = TaskState {
            host: "player".to_string(),
            tid: 1,
            name: "main".to_string(),
            waits_for: "running".to_string(),
            backtrace: String::new(),
        };
        let backtrace = "pacman::wait_for_board  src/wait.rs:14".to_string();
        record.ending = Ending::Spinning { task, backtrace };
    };
    check(
        told(Toy::new(Player::Careful), "baseline", change),
        expect![[r#"
            pacman::toy   baseline

                                     … 13 lines as in the baseline

              after 6.0 ms (baseline 6.0 ms): a task loops without a system call
                player task 1 `main`: running
                  pacman::wait_for_board  src/wait.rs:14

            pacman::toy: stuck
              ✗ no endless loop, at 0.006016 s, on player
                task 1 `main` uses time without a system call
              cargo bizarro replay pacman::toy baseline
        "#]],
    );
}

#[test]
fn a_story_without_a_baseline_shows_all() {
    let record = play(Toy { turns: 1, ..Toy::new(Player::Careful) }, "seed=7; random");
    let verdict = verdict(&record, None);
    check(
        story(&record, &verdict, None, Look::PLAIN),
        expect![[r#"
            pacman::toy   seed=7; random

                 0.000000 s  board   starts
                 0.000000 s  player  starts
                 0.000000 s  player  POST /move #1 → board: 200 after 1.0 ms
                 0.000545 s  board   │ move 1 applied
                 0.001045 s  player  GET /findAll #1 → board: 200 after 919 µs
                 0.001965 s  player  │ game over
                 0.001965 s  player  ends with status 0

              after 2.0 ms: the workload ended

            pacman::toy: held
        "#]],
    );
}

#[test]
fn a_fault_that_never_struck_is_said() {
    let plan: Plan = "player>board POST /move #9 post-reply=crash".parse().unwrap();
    let verdict = verdict(&Toy::new(Player::Careful).play(&plan), None);
    check(
        verdict_text("pacman::careful", &plan, &verdict, Look::PLAIN),
        expect![[r#"
        pacman::careful: not applicable
          The fault `player>board POST /move #9 post-reply=crash` never struck: the run did not come to this
          step.
          cargo bizarro replay pacman::careful 'player>board POST /move #9 post-reply=crash'
    "#]],
    );
}
