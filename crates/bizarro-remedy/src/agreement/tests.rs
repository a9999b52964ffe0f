//! Both algorithms against all lies that there are, where these can be counted, and else against many.
//!
//! A lie that counts is an acceptable message with another content than it should have. With oral messages a missing one is
//! taken for the default, so a traitor has two things to say in each place: *attack*, and *retreat* (which is the default).

use std::collections::BTreeSet;

use ed25519_dalek::{SigningKey, VerifyingKey};

use super::*;

const ATTACK: &str = "attack";
const RETREAT: &str = "retreat";

fn setting(generals: u8, traitors: u8) -> Setting {
    Setting::new(generals, traitors, 0).expect("it makes sense")
}

/// A place for a lie: a traitor, the last of the path, tells it to a loyal one.
type Slot = (Vec<General>, General);

/// All ways of this length from general 0 to one in `last` that do not come by `without`.
fn paths(generals: u8, length: usize, last: &[General], without: General) -> Vec<Vec<General>> {
    let mut paths = vec![vec![0]];
    for _ in 1..length {
        let longer = paths.iter().flat_map(|path| {
            let next = (0..generals).filter(|it| !path.contains(it));
            next.map(|it| path.iter().copied().chain([it]).collect()).collect::<Vec<_>>()
        });
        paths = longer.collect();
    }
    paths.retain(|path| {
        !path.contains(&without) && path.last().is_some_and(|end| last.contains(end))
    });
    paths
}

/// Where the word of a message comes from.
#[derive(Clone, Copy)]
enum Source {
    /// The loyal commander.
    Order,
    /// A lie, which is the bit of this number.
    Lie(usize),
}

/// Where the word comes from that the last of the path tells `to`: those who are loyal pass on what they heard.
fn source(path: &[General], to: General, traitors: &[General], lies: &[Slot]) -> Source {
    match path {
        [.., last] if traitors.contains(last) => {
            let at = lies.iter().position(|slot| slot.0 == path && slot.1 == to);
            Source::Lie(at.expect("every lie that counts has a bit"))
        }
        [_] => Source::Order,
        [before @ .., last] => source(before, *last, traitors, lies),
        [] => unreachable!("a path begins with the commander"),
    }
}

/// What `me` decides when he hears these.
fn decision(
    me: General,
    setting: Setting,
    heard: &[(Vec<General>, Source)],
    order: &'static str,
    bits: u32,
) -> &'static str {
    let mut machine = Oral::lieutenant(setting, me, RETREAT);
    for (path, source) in heard {
        let order = match source {
            Source::Order => order,
            Source::Lie(bit) if bits >> bit & 1 == 1 => ATTACK,
            Source::Lie(_) => RETREAT,
        };
        let from = *path.last().expect("it has an end");
        machine.accept(from, Relay { path: path.clone(), order }).expect("it is acceptable");
    }
    machine.decide()
}

/// The first lies, if there are any, by which the loyal do not all decide alike, or not as a loyal commander ordered; and
/// how many decisions were looked at.
///
/// What is said in the last round is passed on by nobody, so what one of the loyal may decide depends on the lies of the
/// rounds before and on those of the last round that are told to *him*: these are combined, and not those of all the loyal.
fn search(setting: Setting, order: &'static str, traitors: &[General]) -> (Option<u32>, u64) {
    let generals = setting.generals();
    let loyal: Vec<General> = (1..generals).filter(|it| !traitors.contains(it)).collect();
    let last_round = usize::from(setting.rounds());
    let slots = |length: usize, to: General| {
        paths(generals, length, traitors, to).into_iter().map(move |path| (path, to))
    };
    let before =
        (1..last_round).flat_map(|length| loyal.iter().flat_map(move |to| slots(length, *to)));
    let shared: Vec<Slot> = before.collect();
    // Loyal lieutenants differ by nothing but their names where the commander is loyal.
    let looked_at = if traitors.contains(&0) { &loyal[..] } else { &loyal[..1] };
    let all: Vec<General> = (0..generals).collect();
    let heard = looked_at.iter().map(|me| {
        let lies: Vec<Slot> = shared.iter().cloned().chain(slots(last_round, *me)).collect();
        let by = (1..=last_round).flat_map(|length| paths(generals, length, &all, *me));
        let with_source = by.map(|path| {
            let source = source(&path, *me, traitors, &lies);
            (path, source)
        });
        (*me, lies.len() - shared.len(), with_source.collect::<Vec<_>>())
    });
    let heard: Vec<_> = heard.collect();
    let mut decisions = 0;
    for bits in 0..1_u32 << shared.len() {
        let mut decided = BTreeSet::new();
        for (me, lies, heard) in &heard {
            for more in 0..1 << lies {
                decided.insert(decision(*me, setting, heard, order, bits | more << shared.len()));
                decisions += 1;
            }
        }
        let is_obeyed = traitors.contains(&0) || decided.contains(order);
        if decided.len() > 1 || !is_obeyed {
            return (Some(bits), decisions);
        }
    }
    (None, decisions)
}

/// Whether there are lies of so many traitors that split these generals, and how many decisions were looked at. Generals
/// differ by nothing but their names, so of all sets of traitors those are looked at that have other roles.
fn splits(generals: u8, traitors: u8) -> (bool, u64) {
    let last = |count: u8| (generals - count..generals).collect::<Vec<_>>();
    let (mut is_split, mut decisions) = (false, 0);
    for traitors_are in [last(traitors), [vec![0], last(traitors - 1)].concat()] {
        // What a traitor would order as a loyal one says nothing.
        let orders = if traitors_are.contains(&0) { &[ATTACK][..] } else { &[ATTACK, RETREAT] };
        for order in orders {
            let (found, looked_at) = search(setting(generals, traitors), order, &traitors_are);
            is_split |= found.is_some();
            decisions += looked_at;
        }
    }
    (is_split, decisions)
}

#[test]
fn one_traitor_splits_three_and_nobody_splits_four() {
    assert!(splits(3, 1).0);
    for generals in 4..=7 {
        assert!(!splits(generals, 1).0, "{generals} generals");
    }
}

#[test]
fn two_traitors_split_six() {
    assert!(splits(5, 2).0);
    assert!(splits(6, 2).0);
}

#[test]
fn no_lie_of_two_traitors_splits_seven() {
    assert_eq!(splits(7, 2), (false, 212_992));
}

/// Lets generals speak for all rounds; `change` is what becomes of a message.
fn play<V: Clone + Ord>(
    generals: &mut [Oral<V>],
    mut change: impl FnMut(General, General, Relay<V>) -> Option<Relay<V>>,
) {
    while !generals[0].is_over() {
        let said: Vec<_> = generals.iter().map(Oral::outbox).collect();
        for (from, messages) in (0..).zip(said) {
            for (to, message) in messages {
                if let Some(message) = change(from, to, message) {
                    generals[usize::from(to)].accept(from, message).expect("it is acceptable");
                }
            }
        }
        generals.iter_mut().for_each(Oral::end_round);
    }
}

fn everybody(setting: Setting) -> Vec<Oral<&'static str>> {
    let lieutenants = (1..setting.generals()).map(|me| Oral::lieutenant(setting, me, RETREAT));
    [Oral::commander(setting, ATTACK, RETREAT)].into_iter().chain(lieutenants).collect()
}

#[test]
fn loyal_generals_obey() {
    for (generals, traitors) in [(2, 0), (3, 1), (4, 1), (5, 2), (7, 2), (10, 3)] {
        let mut all = everybody(setting(generals, traitors));
        play(&mut all, |_, _, message| Some(message));
        assert!(all.iter().all(|general| general.decide() == ATTACK), "{generals}");
    }
}

#[test]
fn who_is_silent_is_a_traitor_like_others() {
    let mut four = everybody(setting(4, 1));
    play(&mut four, |from, _, message| (from != 3).then_some(message));
    assert!(four[..3].iter().all(|general| general.decide() == ATTACK));
    let mut three = everybody(setting(3, 1));
    play(&mut three, |from, _, message| (from != 2).then_some(message));
    assert_eq!(three[1].decide(), RETREAT);
}

#[test]
fn what_cannot_have_been_said_is_refused() {
    let mut machine = Oral::lieutenant(setting(4, 1), 1, RETREAT);
    let mut accept =
        |from, path: &[General]| machine.accept(from, Relay { path: path.to_vec(), order: ATTACK });
    let wrong: [(General, &[General]); 7] = [
        (2, &[2]),       // not from the commander
        (2, &[0]),       // by another one than who sends it
        (2, &[0, 1, 2]), // too long
        (1, &[0, 1]),    // by himself
        (4, &[0, 4]),    // by nobody
        (0, &[0, 0]),    // twice
        (0, &[]),
    ];
    for (from, path) in wrong {
        assert!(matches!(accept(from, path), Err(Refused::WrongPath | Refused::OutOfRound)));
    }
    assert_eq!(accept(0, &[0]), Ok(()));
    assert_eq!(accept(0, &[0]), Err(Refused::Again));
    // Who is a little ahead is heard.
    assert_eq!(accept(2, &[0, 2]), Ok(()));
    machine.end_round();
    let late = Relay { path: vec![0], order: ATTACK };
    assert_eq!(machine.accept(0, late), Err(Refused::OutOfRound));
}

fn keys(generals: u8) -> (Vec<SigningKey>, Vec<VerifyingKey>) {
    let secret: Vec<SigningKey> =
        (0..generals).map(|general| SigningKey::from_bytes(&[general + 1; 32])).collect();
    let public = secret.iter().map(SigningKey::verifying_key).collect();
    (secret, public)
}

const NUMBER: u64 = 7;

fn signed(setting: Setting) -> Vec<Signed<&'static str>> {
    let (secret, public) = keys(setting.generals());
    let lieutenants = (1..setting.generals()).map(|me| {
        let key = secret[usize::from(me)].clone();
        Signed::lieutenant(setting, NUMBER, me, key, public.clone(), RETREAT)
    });
    let first = secret[0].clone();
    let commander = Signed::commander(setting, NUMBER, ATTACK, first, public.clone(), RETREAT);
    [commander].into_iter().chain(lieutenants).collect()
}

type Said = Vec<(General, General, SignedOrder<&'static str>)>;

/// Lets loyal generals speak for all rounds. `lie` gives what the traitors say in a round, and gets all that was said
/// before.
fn play_signed(
    generals: &mut [Signed<&'static str>],
    traitors: &[General],
    mut lie: impl FnMut(u8, &Said) -> Said,
) {
    let mut heard = Vec::new();
    while !generals[0].is_over() {
        let mut said = lie(generals[0].round(), &heard);
        for (from, general) in (0..).zip(generals.iter()).filter(|(it, _)| !traitors.contains(it)) {
            said.extend(general.outbox().into_iter().map(|(to, order)| (from, to, order)));
        }
        for (from, to, order) in &said {
            // What traitors say may be refused; that is the point of it.
            let _ = generals[usize::from(*to)].accept(*from, order.clone());
        }
        heard.extend(said);
        generals.iter_mut().for_each(Signed::end_round);
    }
}

#[test]
fn one_traitor_does_not_split_three_who_sign() {
    let (secret, _) = keys(3);
    let order = |order| SignedOrder::unsigned(order).sign(NUMBER, 0, &secret[0]);
    // The commander: nothing, one order, or both, to each.
    let choices: [&[&str]; 4] = [&[], &[ATTACK], &[RETREAT], &[ATTACK, RETREAT]];
    for to_first in choices {
        for to_second in choices {
            let mut three = signed(setting(3, 1));
            play_signed(&mut three, &[0], |round, _| {
                let first = to_first.iter().map(|it| (0, 1, order(*it)));
                let second = to_second.iter().map(|it| (0, 2, order(*it)));
                if round == 1 { first.chain(second).collect() } else { Vec::new() }
            });
            assert_eq!(three[1].decide(), three[2].decide(), "{to_first:?} {to_second:?}");
        }
    }
    // A lieutenant: the truth, nothing, the other order under the commander's signature, under his own, or alone.
    let genuine = order(ATTACK);
    let other_words = SignedOrder { order: RETREAT, ..genuine.clone() };
    let own_words = SignedOrder::unsigned(RETREAT).sign(NUMBER, 0, &secret[2]);
    let lies = [
        Some(genuine.sign(NUMBER, 2, &secret[2])),
        None,
        Some(other_words.sign(NUMBER, 2, &secret[2])),
        Some(own_words.sign(NUMBER, 2, &secret[2])),
        Some(SignedOrder::unsigned(RETREAT).sign(NUMBER, 2, &secret[2])),
    ];
    for lie in lies {
        let mut three = signed(setting(3, 1));
        play_signed(&mut three, &[2], |round, _| {
            lie.iter().filter(|_| round == 2).map(|lie| (2, 1, lie.clone())).collect()
        });
        assert_eq!(three[1].decide(), ATTACK);
    }
}

/// Two traitors with both their keys say, drawn by lot, anything that these keys can sign, of what they heard or of their
/// own, in any round: 500 times among four.
#[test]
fn two_traitors_do_not_split_four_who_sign() {
    let (secret, _) = keys(4);
    let mut lots = fastrand::Rng::with_seed(1);
    for traitors in [[0, 1], [2, 3]] {
        for _ in 0..250 {
            let mut four = signed(setting(4, 2));
            play_signed(&mut four, &traitors, |_, heard| {
                let loyal: Vec<General> = (0..4).filter(|it| !traitors.contains(it)).collect();
                let mut said = Said::new();
                for _ in 0..lots.u8(0..6) {
                    let mut order = match heard.get(lots.usize(0..=heard.len())) {
                        Some((_, _, order)) => order.clone(),
                        None => SignedOrder::unsigned([ATTACK, RETREAT][lots.usize(0..2)]),
                    };
                    for _ in 0..lots.u8(1..3) {
                        let signer = traitors[lots.usize(0..2)];
                        order = order.sign(NUMBER, signer, &secret[usize::from(signer)]);
                    }
                    said.push((traitors[lots.usize(0..2)], loyal[lots.usize(0..2)], order));
                }
                said
            });
            let of_loyal = (0..4).zip(&four).filter(|(it, _)| !traitors.contains(it));
            let decided: BTreeSet<_> = of_loyal.map(|(_, general)| general.decide()).collect();
            assert_eq!(decided.len(), 1, "{traitors:?}");
        }
    }
}

/// With fewer rounds than traitors an order can be shown to one alone when it is too late to pass it on.
#[test]
fn a_round_too_few_splits_those_who_sign() {
    let (secret, _) = keys(4);
    let mut four = signed(setting(4, 1));
    play_signed(&mut four, &[0, 1], |round, _| {
        let order = |order| SignedOrder::unsigned(order).sign(NUMBER, 0, &secret[0]);
        match round {
            1 => vec![(0, 2, order(ATTACK)), (0, 3, order(ATTACK))],
            _ => vec![(1, 2, order(RETREAT).sign(NUMBER, 1, &secret[1]))],
        }
    });
    assert_eq!((four[2].decide(), four[3].decide()), (RETREAT, ATTACK));
}

#[test]
fn a_signature_of_another_agreement_does_not_hold() {
    let (secret, _) = keys(3);
    let mut three = signed(setting(3, 1));
    let old = SignedOrder::unsigned(RETREAT).sign(NUMBER - 1, 0, &secret[0]);
    assert_eq!(three[1].accept(0, old), Err(Refused::Forged));
}

/// Whatever arrives: no panic, and no more is kept than there are paths and orders.
#[test]
fn arbitrary_messages_are_taken_or_refused() {
    bolero::check!().with_type::<Vec<(u8, Vec<u8>, u8)>>().for_each(|messages| {
        let setting = setting(4, 1);
        let mut oral = Oral::lieutenant(setting, 1, 0);
        let (secret, public) = keys(4);
        let mut signed =
            Signed::lieutenant(setting, NUMBER, 1, secret[1].clone(), public, vec![0_u8]);
        let mut taken = 0;
        for (from, path, order) in messages {
            let relay = Relay { path: path.clone(), order: *order };
            taken += usize::from(oral.accept(*from, relay).is_ok());
            let of_nobody = path.iter().map(|it| (*it, Signature::from_bytes(&[*order; 64])));
            let forged = SignedOrder { order: vec![*order], signatures: of_nobody.collect() };
            assert!(signed.accept(*from, forged).is_err());
        }
        assert!(taken <= 3, "one of the commander, one of each other lieutenant");
        oral.decide();
        assert_eq!(signed.decide(), [0]);
    });
}
