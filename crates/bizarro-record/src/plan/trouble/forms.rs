//! How trouble with the network, lies and bursts are written.

use super::Form;

pub(super) const PARTITION: Form = Form {
    word: "partition",
    form: "partition WAY, such as `partition player<>board`",
    example: "at 3s for 60s: partition player>board",
    meaning: "nothing passes: both ways, or one way only, so that what comes in works and what goes out is lost; TCP sends again what was lost when it is over",
    lasts: "30 s",
};

pub(super) const FLAP: Form = Form {
    word: "flap",
    form: "flap WAY PERIOD, such as `flap player<>board 2s`",
    example: "at 3s for 60s: flap player<>board 2s",
    meaning: "nothing passes in the first half of each period",
    lasts: "30 s",
};

pub(super) const LOSS: Form = Form {
    word: "loss",
    form: "loss WAY 1/N, such as `loss player<>board 1/10`",
    example: "at 0s: loss player<>board 1/10",
    meaning: "one packet in so many is lost",
    lasts: "to the end of the run",
};

pub(super) const DELAY: Form = Form {
    word: "delay",
    form: "delay WAY TIME, such as `delay player<>board 50ms`",
    example: "at 3s: delay player<>board 50ms",
    meaning: "each packet takes so much longer",
    lasts: "to the end of the run",
};

pub(super) const JITTER: Form = Form {
    word: "jitter",
    form: "jitter WAY TIME, such as `jitter player<>board 20ms`",
    example: "at 3s: jitter player<>board 20ms",
    meaning: "each packet takes longer by a time of its own, up to this one",
    lasts: "to the end of the run",
};

pub(super) const DUPLICATE: Form = Form {
    word: "duplicate",
    form: "duplicate WAY 1/N, such as `duplicate player>board 1/10`",
    example: "at 0s: duplicate player>board 1/10",
    meaning: "one packet in so many arrives twice; a program sees it of datagrams only",
    lasts: "to the end of the run",
};

pub(super) const REORDER: Form = Form {
    word: "reorder",
    form: "reorder WAY 1/N TIME, such as `reorder player>board 1/10 5ms`",
    example: "at 0s: reorder player>board 1/10 5ms",
    meaning: "one packet in so many is held up so long, and later ones pass it; a stream keeps its order",
    lasts: "to the end of the run",
};

pub(super) const STALL: Form = Form {
    word: "stall",
    form: "stall WAY, such as `stall player<>board`",
    example: "at 3s for 120s: stall player<>board",
    meaning: "nothing arrives until it is over, then everything: a change of the topology, a switch that starts again",
    lasts: "1 m",
};

pub(super) const LIMP: Form = Form {
    word: "limp",
    form: "limp WAY BYTESB/s, such as `limp player<>board 10000B/s`",
    example: "at 3s: limp player<>board 10000B/s",
    meaning: "the link between each two hosts is slow; 256 KiB wait for it, and further datagrams are lost",
    lasts: "to the end of the run",
};

pub(super) const CORRUPT: Form = Form {
    word: "corrupt",
    form: "corrupt WAY 1/N, such as `corrupt player<>board 1/100`",
    example: "at 0s: corrupt player<>board 1/100",
    meaning: "in one packet in so many a bit is flipped, and its checksum is right",
    lasts: "to the end of the run",
};

pub(super) const REFUSE: Form = Form {
    word: "refuse",
    form: "refuse CLIENT>SERVER, such as `refuse player>board`",
    example: "at 3s for 5s: refuse player>board",
    meaning: "the server refuses the client's new connections and its datagrams",
    lasts: "5 s",
};

pub(super) const RESET: Form = Form {
    word: "reset",
    form: "reset WAY, such as `reset player<>board`",
    example: "at 3s: reset player<>board",
    meaning: "a box on the way resets every connection that there is, and then each on which something is sent",
    lasts: "1 s",
};

pub(super) const UNREACHABLE: Form = Form {
    word: "unreachable",
    form: "unreachable WAY, such as `unreachable player>board`",
    example: "at 3s for 5s: unreachable player>board",
    meaning: "nothing passes, and a router says so to whoever asks",
    lasts: "5 s",
};

pub(super) const EAVESDROP: Form = Form {
    word: "eavesdrop",
    form: "eavesdrop WAY, such as `eavesdrop player<>board`",
    example: "at 0s: eavesdrop player<>board",
    meaning: "an adversary on the wire reads everything; the record says what",
    lasts: "to the end of the run",
};

pub(super) const TAMPER: Form = Form {
    word: "tamper",
    form: "tamper WAY 1/N, such as `tamper board>player 1/3`",
    example: "at 0s: tamper board>player 1/3",
    meaning: "an adversary on the wire changes one packet in so many: a digit to another digit, or a bit where there is none",
    lasts: "to the end of the run",
};

pub(super) const REPLAY: Form = Form {
    word: "replay",
    form: "replay WAY 1/N, such as `replay player>board 1/3`",
    example: "at 0s: replay player>board 1/3",
    meaning: "an adversary on the wire sends one packet in so many again: a datagram, or the same bytes of a stream",
    lasts: "to the end of the run",
};

pub(super) const INJECT: Form = Form {
    word: "inject",
    form: "inject WAY 1/N, such as `inject player>board 1/3`",
    example: "at 0s: inject player>board 1/3",
    meaning: "an adversary on the wire sends, after one packet in so many, what nobody did: something of before, changed",
    lasts: "to the end of the run",
};

pub(super) const LIE: Form = Form {
    word: "lie",
    form: "lie HOST>RECEIVERS mutate|equivocate|withhold|replay 1/N, such as `lie db-1>* equivocate 1/3`",
    example: "at 3s for 60s: lie db-1>* equivocate 1/3",
    meaning: "the host is Byzantine: one message in so many that it sends in the clear is changed, is changed differently for each receiver, is never sent, or gives way to the one before it",
    lasts: "to the end of the run",
};

pub(super) const TRAITOR: Form = Form {
    word: "traitor",
    form: "traitor HOST, such as `traitor db-1`",
    example: "after \"elected\" #1: traitor @it",
    meaning: "the host is Byzantine, and its program lies by itself: `bizarro::traitor()` says so to it",
    lasts: "to the end of the run",
};

pub(super) const BURST: Form = Form {
    word: "burst",
    form: "burst CLIENT>SERVER COPIES, such as `burst player>board 20`",
    example: "at 3s for 10s: burst player>board 20",
    meaning: "each request of the client is followed by so many copies, on connections of their own: a retry storm, or abuse",
    lasts: "10 s",
};
