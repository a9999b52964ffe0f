use super::*;

#[test]
fn the_matrix_of_the_naive_player() {
    check(
        matrix(&explored(Toy::new(Player::Naive)), Look { width: 120, ..Look::PLAIN }),
        expect![[r#"
            pacman::toy   arbitrary × crash-recovery × partially synchronous   baseline held · 6 exchanges · 6.0 ms virtual

                                               1 post   2 deliver  3 validate  4 update  5 post  6 deliver  7 validate  8 update
             caller → callee  exchange         request  request    request     server    reply   reply      reply       client
             player → board   POST /move   ×3  ✓        ✓          ✓           ✗ M       ✗ M     ✗ M        ✗ MP        ✓
             player → board   GET /findAll ×3  ✓        ✓          ✓           ✓         ✓       ✓          ✗ P         ✓

             ✓ held   ✗ violated   · cannot happen here   ? inconclusive
             M each move is applied at most once  P no panic
             48 cells · 306 runs · 3.1 s · 300 different · 26 known without a run · 15 cells violated, in 3 kinds
             longest recovery 60.00 s · at most 5.00 s after the fault was over · 18 faults without recovery · widest blast radius 1
             of 2 hosts, 6 of 6 exchanges

             Dependencies: what becomes of the test where one is missing from the start to the end
             player → board  ✗ critical      breaks: the game ends; the workload ends
                cargo bizarro replay pacman::toy 'player>board removed=refused'

             1  M  player's 1st POST /move to board: the connection was reset before the reply left; player asked again, attempt 2
                   (4 times instead of 3).
                   each move is applied at most once: move 1 was applied twice
                   1 fault · recovery 101.0 ms · ended 100.5 ms later · blast radius: 1 of 2 hosts, 1 of 6 exchanges · 48 runs alike
                   cargo bizarro replay pacman::toy 'player>board POST /move #1 post-reply=reset'

             2  P  player's 1st POST /move to board: one bit of the reply was flipped; player asked for nothing more.
                   no panic: expected value at line 1 column 1, src/player.rs:31
                   1 fault · recovery: never · blast radius: 1 of 2 hosts, 6 of 6 exchanges · 9 runs alike
                   cargo bizarro replay pacman::toy 'player>board POST /move #1 validate-reply=bit-flip'

             3  P  player's 1st GET /findAll to board: one bit of the reply was flipped; player asked for nothing more.
                   no panic: expected value at line 1 column 1, src/player.rs:31
                   1 fault · recovery: never · blast radius: 1 of 2 hosts, 5 of 6 exchanges · 9 runs alike
                   cargo bizarro replay pacman::toy 'player>board GET /findAll #1 validate-reply=bit-flip'
        "#]],
    );
}

#[test]
fn a_narrow_terminal_gets_numbers_for_steps() {
    check(
        matrix(&explored(Toy::new(Player::Patient)), Look { width: 64, ..Look::PLAIN }),
        expect![[r#"
            pacman::toy
              arbitrary × crash-recovery × partially synchronous
              baseline held · 6 exchanges · 6.0 ms virtual

             caller → callee  exchange         1  2     3  4    5    6      7     8
             player → board   POST /move   ×3  ✓  ✗ DG  ✓  ✗ M  ✗ M  ✗ DGM  ✗ MP  ✓
             player → board   GET /findAll ×3  ✓  ✗ DG  ✓  ✓    ✓    ✗ DG   ✗ P   ✓
             1 post request  2 deliver request  3 validate request
             4 update server  5 post reply  6 deliver reply
             7 validate reply  8 update client

             ✓ held   ✗ violated   · cannot happen here   ? inconclusive
             D no deadlock  G the game ends
             M each move is applied at most once  P no panic
             48 cells · 294 runs · 3.1 s · 288 different · 38 known without a run · 24 cells violated, in 5 kinds
             longest recovery 60.00 s · at most 101.6 ms after the fault was
             over · 30 faults without recovery · widest blast radius 1 of 2
             hosts, 6 of 6 exchanges

             Dependencies: what becomes of the test where one is missing
             from the start to the end
             player → board  ✗ critical      breaks: the game ends; the
                                             workload ends
                cargo bizarro replay pacman::toy 'player>board removed=refused'

             1  DG  player's 1st POST /move to board: the request was lost
                    on the way; player asked for nothing more.
                    the game ends: the player still waits
                    no deadlock: player's task 1 `main` waits in recvfrom(3)
                    1 fault · recovery: never · blast radius: 1 of 2 hosts,
                    6 of 6 exchanges · 6 runs alike
                    cargo bizarro replay pacman::toy 'player>board POST /move #1 deliver-request=lost'

             2  M  player's 1st POST /move to board: the connection was
                   reset before the reply left; player asked again, attempt
                   2 (4 times instead of 3).
                   each move is applied at most once: move 1 was applied
                   twice
                   1 fault · recovery 101.0 ms · ended 100.5 ms later ·
                   blast radius: 1 of 2 hosts, 1 of 6 exchanges · 42 runs
                   alike
                   cargo bizarro replay pacman::toy 'player>board POST /move #1 post-reply=reset'

             3  DG  player's 1st GET /findAll to board: the request was lost
                    on the way; player asked for nothing more.
                    the game ends: the player still waits
                    no deadlock: player's task 1 `main` waits in recvfrom(3)
                    1 fault · recovery: never · blast radius: 1 of 2 hosts,
                    5 of 6 exchanges · 6 runs alike
                    cargo bizarro replay pacman::toy 'player>board GET /findAll #1 deliver-request=lost'

             4  P  player's 1st POST /move to board: one bit of the reply
                   was flipped; player asked for nothing more.
                   no panic: expected value at line 1 column 1,
                   src/player.rs:31
                   1 fault · recovery: never · blast radius: 1 of 2 hosts, 6
                   of 6 exchanges · 9 runs alike
                   cargo bizarro replay pacman::toy 'player>board POST /move #1 validate-reply=bit-flip'

             5  P  player's 1st GET /findAll to board: one bit of the reply
                   was flipped; player asked for nothing more.
                   no panic: expected value at line 1 column 1,
                   src/player.rs:31
                   1 fault · recovery: never · blast radius: 1 of 2 hosts, 5
                   of 6 exchanges · 9 runs alike
                   cargo bizarro replay pacman::toy 'player>board GET /findAll #1 validate-reply=bit-flip'
        "#]],
    );
}

#[test]
fn the_matrix_of_the_careful_player_is_short() {
    check(
        matrix(&explored(Toy::new(Player::Careful)), Look { width: 120, ..Look::PLAIN }),
        expect![[r#"
            pacman::toy   arbitrary × crash-recovery × partially synchronous   baseline held · 6 exchanges · 6.0 ms virtual

                                               1 post   2 deliver  3 validate  4 update  5 post  6 deliver  7 validate  8 update
             caller → callee  exchange         request  request    request     server    reply   reply      reply       client
             player → board   POST /move   ×3  ✓        ✓          ✓           ✓         ✓       ✓          ✓           ✓
             player → board   GET /findAll ×3  ✓        ✓          ✓           ✓         ✓       ✓          ✓           ✓

             ✓ held   ✗ violated   · cannot happen here   ? inconclusive
             48 cells · 324 runs · 3.1 s · 318 different · 8 known without a run · no cell violated
             longest recovery 60.00 s · at most 5.00 s after the fault was over · widest blast radius 1 of 2 hosts, 3 of 6 exchanges

             Dependencies: what becomes of the test where one is missing from the start to the end
             player → board  ✗ critical      breaks: the game ends; the workload ends
                cargo bizarro replay pacman::toy 'player>board removed=refused'
        "#]],
    );
}

#[test]
fn a_baseline_that_does_not_hold_is_all_there_is_to_say() {
    let toy = Toy { board: Board::Exotic, ..Toy::new(Player::Careful) };
    check(
        matrix(&explored(toy), Look::PLAIN),
        expect![[r#"
            pacman::toy
              arbitrary × crash-recovery × partially synchronous
              baseline inconclusive · 6 exchanges · 6.0 ms virtual

             0 cells · 2 runs · 3.1 s · no cell was tried, for the baseline has to be right first

             1  ?  Without any fault.
                   board called io_uring_setup(256, 0x7ffc0) at 0.003075 s (task 1), which Bizarro does not
                   simulate yet
                   cargo bizarro replay pacman::toy baseline
        "#]],
    );
}

#[test]
fn what_was_never_seen_is_said() {
    let toy = Toy { turns: 1, ..Toy::new(Player::Careful) };
    check(
        matrix(&explored(toy), Look::PLAIN),
        expect![[r#"
            pacman::toy
              arbitrary × crash-recovery × partially synchronous
              baseline held · 2 exchanges · 2.2 ms virtual

             caller → callee  exchange       1  2  3  4  5  6  7  8
             player → board   POST /move     ✓  ✓  ✓  ✓  ✓  ✓  ✓  ✓
             player → board   GET /findAll   ✓  ✓  ✓  ✓  ✓  ✓  ✓  ✓
             1 post request  2 deliver request  3 validate request  4 update server  5 post reply
             6 deliver reply  7 validate reply  8 update client

             ✓ held   ✗ violated   · cannot happen here   ? inconclusive
             16 cells · 104 runs · 3.1 s · 102 different · 8 known without a run · no cell violated
             longest recovery 60.00 s · at most 5.00 s after the fault was over · widest blast radius 1 of 2
             hosts, 1 of 2 exchanges
             never seen in 99 runs: a ghost is met

             Dependencies: what becomes of the test where one is missing from the start to the end
             player → board  ✗ critical      breaks: the game ends; the workload ends
                cargo bizarro replay pacman::toy 'player>board removed=refused'
        "#]],
    );
}

#[test]
fn random_schedules() {
    let toy = Toy { board: Board::Racy, turns: 20, ..Toy::new(Player::Careful) };
    let report = scheduled(toy, 50);
    check(
        schedules(&report, &play(toy, "baseline"), Look::PLAIN),
        expect![[r#"
            pacman::toy   random schedules
             50 seeds · 50 different runs · 0.4 s · 14 runs violated, in 1 kind

             1  M  board's task 100 gave way before its 4th system call.
                   no move is lost: the position was overwritten
                   14 runs alike
                   shrunk in 5 runs from seed=1; random
                   cargo bizarro replay pacman::toy 'preempt board/100 #4'
        "#]],
    );
}

#[test]
fn lines_for_whole_explorations() {
    let mut text = String::new();
    for player in [Player::Careful, Player::Naive] {
        text += &matrix_line(&explored(Toy::new(player)), Look::PLAIN);
    }
    let exotic = Toy { board: Board::Exotic, ..Toy::new(Player::Careful) };
    text += &matrix_line(&explored(exotic), Look::PLAIN);
    text += &schedules_line(&scheduled(Toy::new(Player::Careful), 20), Look::PLAIN);
    text += &schedules_line(&scheduled(exotic, 20), Look::PLAIN);
    check(
        text,
        expect![[r#"
            pacman::toy: held   48 cells · 324 runs · 3.1 s · 318 different · 8 known without a run · no cell violated
            pacman::toy: violated   48 cells · 306 runs · 3.1 s · 300 different · 26 known without a run · 15 cells violated, in 3 kinds
            pacman::toy: inconclusive   0 cells · 2 runs · 3.1 s · no cell was tried, for the baseline has to be right first
            pacman::toy: held   20 seeds · 20 different runs · 0.4 s · all held
            pacman::toy: inconclusive   20 seeds · 20 different runs · 0.4 s · 20 runs inconclusive
        "#]],
    );
}

#[test]
fn calls_that_were_made_again_say_so() {
    let mut report = explored(Toy::new(Player::Careful));
    let plain = matrix(&report, Look { width: 120, ..Look::PLAIN });
    assert!(!plain.contains("attempt"), "{plain}");
    for exchange in &mut report.baseline.exchanges {
        if exchange.id.name == "POST /move" && exchange.id.ordinal > 1 {
            exchange.attempt = exchange.id.ordinal;
        }
    }
    let again = matrix(&report, Look { width: 120, ..Look::PLAIN });
    let row = again.lines().find(|line| line.contains("POST /move")).expect("it has a row");
    assert!(row.contains("POST /move   ×3 (attempt 3)"), "{row}");
}
