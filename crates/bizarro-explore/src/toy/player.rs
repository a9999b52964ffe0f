//! The toy's programs: the player's game and the board's moves.

use std::collections::{BTreeMap, BTreeSet};

use bizarro_record::record::TaskState;
use bizarro_record::{Ending, Event, Nanos, Plan, PropertyKind, RunRecord};

use super::wire::{BOARD, PLAYER, Reply, Wire};
use super::{Board, Player, Scores, Toy};

/// When a game that has not ended is stuck.
const DEADLINE: Nanos = Nanos::from_secs(600);
const ONCE: &str = "each move is applied at most once";

/// How a call ended for the player.
enum Answer {
    Good,
    Reborn,
    /// The run ends here.
    Over(Ending),
}

pub(super) struct Game {
    toy: Toy,
    wire: Wire,
    /// How often each move was applied, by its number; kept on the board's disk.
    applied: BTreeMap<u32, u32>,
    /// The moves and idempotency keys that the board has seen; on its disk, too.
    keys: BTreeSet<(u32, u32)>,
    /// The idempotency key of the current move, and how often it failed.
    key: (u32, u32),
    /// Number of the current move; a reborn player begins a new game with new moves.
    current: u32,
}

impl Game {
    pub(super) fn new(toy: Toy, plan: &Plan) -> Game {
        Game {
            toy,
            wire: Wire::new(plan, toy.scores),
            applied: BTreeMap::new(),
            keys: BTreeSet::new(),
            key: (0, 0),
            current: 0,
        }
    }

    pub(super) fn play(mut self) -> RunRecord {
        let ending = self.turns();
        let ended = ending == Ending::Completed;
        self.wire.look(PropertyKind::Eventually, "the game ends", ended, "the player still waits");
        self.wire.end(ending)
    }

    fn turns(&mut self) -> Ending {
        let mut turn = 0;
        while turn < self.toy.turns {
            turn += 1;
            self.current += 1;
            match self.turn(turn) {
                Answer::Good => {}
                Answer::Reborn => turn = 0,
                Answer::Over(ending) => return ending,
            }
        }
        self.wire.say(PLAYER, "game over".to_string());
        self.wire.event(PLAYER, Event::Exited { status: 0, backtrace: String::new() });
        Ending::Completed
    }

    fn turn(&mut self, turn: u32) -> Answer {
        match self.call("POST /move", 1) {
            Answer::Good => {}
            other => return other,
        }
        self.wire.look(PropertyKind::Sometimes, "a ghost is met", turn >= 2, "");
        if turn == 2 && self.toy.board == Board::Exotic {
            let call = "io_uring_setup(256, 0x7ffc0)".to_string();
            self.wire.event(BOARD, Event::Unsupported { call });
        }
        self.call("GET /findAll", 0)
    }

    /// Asks until there is a good answer, or the player's nature says otherwise.
    fn call(&mut self, name: &str, writes: u32) -> Answer {
        self.key = (0, 0);
        loop {
            if self.wire.now() > DEADLINE {
                return Answer::Over(Ending::Deadline { tasks: waiting() });
            }
            if self.key.1 == 2 && self.toy.player == Player::Hasty {
                self.key = (self.key.0 + 1, 0);
            }
            self.key.1 += 1;
            let Game { toy, wire, applied, keys, key, current } = self;
            let mut update = |wire: &mut Wire| match name {
                "POST /move" if toy.knows_keys() && !keys.insert((*current, key.0)) => 200,
                "POST /move" => apply(*toy, wire, applied, *current),
                _ => 200,
            };
            match wire.call(name, writes, &mut update) {
                Reply::Status(200) => return Answer::Good,
                Reply::Reborn => return Answer::Reborn,
                Reply::Senseless if !toy.knows_keys() => return self.panic(),
                Reply::Silence if toy.player == Player::Patient => return self.wait_for_ever(),
                Reply::Silence => wire.pass(Nanos::from_secs(5)),
                Reply::Status(_) | Reply::Senseless | Reply::Broken => {
                    wire.pass(Nanos::from_millis(100));
                }
            }
        }
    }

    fn panic(&mut self) -> Answer {
        let message = "expected value at line 1 column 1, src/player.rs:31".to_string();
        let backtrace = "player::parse at src/player.rs:31".to_string();
        self.wire.event(PLAYER, Event::Panicked { message, backtrace });
        self.wire.event(PLAYER, Event::Exited { status: 101, backtrace: String::new() });
        Answer::Over(Ending::Completed)
    }

    fn wait_for_ever(&mut self) -> Answer {
        Answer::Over(Ending::Deadlock { tasks: waiting() })
    }
}

fn waiting() -> Vec<TaskState> {
    vec![TaskState {
        host: "player".to_string(),
        tid: 1,
        name: "main".to_string(),
        waits_for: "recvfrom(3)".to_string(),
        backtrace: String::new(),
    }]
}

/// The board's handler of `POST /move`.
fn apply(toy: Toy, wire: &mut Wire, applied: &mut BTreeMap<u32, u32>, number: u32) -> u16 {
    let known = applied.entry(number).or_insert(0);
    *known += 1;
    let times = *known;
    if toy.board == Board::Racy && wire.preempted() {
        wire.look(PropertyKind::Always, "no move is lost", false, "the position was overwritten");
    }
    wire.look(PropertyKind::Always, ONCE, times == 1, &format!("move {number} was applied twice"));
    wire.say(BOARD, format!("move {number} applied"));
    if toy.scores == Scores::Absent || wire.tell_scores() {
        return 200;
    }
    match toy.scores {
        Scores::Absent | Scores::Noted => 200,
        Scores::Awaited => {
            wire.pass(Nanos::from_secs(2));
            200
        }
        Scores::Required => 503,
    }
}
