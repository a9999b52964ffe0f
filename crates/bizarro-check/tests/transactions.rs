//! Verdicts on transactions against the definitions of isolation levels, on small histories of a bad
//! database; what each anomaly is called; and that evidence can be verified.

#[path = "common/adya.rs"]
mod adya;
#[path = "common/database.rs"]
mod database;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use adya::{Facts, permutations};
use bizarro_check::evidence::Transactions;
use bizarro_check::history::{Builder, History, Outcome};
use bizarro_check::model::Access;
use bizarro_check::transactions::{
    Cyclic, LEVELS, Level, ListAccess, ListHistory, Options, Order, Phenomenon, Place, Proof,
    RegisterHistory, Undecided, Unwritten, Verdict, list_append, rw_register,
};
use proptest::test_runner::{Config, TestCaseError, TestRunner};

fn at(level: Level) -> Options {
    Options { level, ..Options::default() }
}

fn lists_verdict(history: &ListHistory<u8, u16>, level: Level) -> Verdict {
    list_append(history, &at(level)).expect("every value is written once").verdict
}

/// What every history has, whatever it accesses: outcomes and times.
fn times<C, R>(history: &History<C, R>) -> Facts {
    let operations = history.operations();
    let outcome = |outcome: &Outcome<R>| match outcome {
        Outcome::Ok(_) => Some(true),
        Outcome::Fail => Some(false),
        Outcome::Unknown => None,
    };
    let outcomes = operations.iter().map(|it| outcome(&it.outcome)).collect();
    let mut facts = Facts { outcomes, ..Facts::default() };
    for (one, first) in operations.iter().enumerate() {
        for (other, second) in operations.iter().enumerate() {
            let ended = first.ended.filter(|_| first.outcome.reply().is_some());
            if ended.is_some_and(|end| end.position < second.invoked.position) {
                facts.realtime.push((one, other));
                if first.process == second.process {
                    facts.process.push((one, other));
                }
            }
        }
    }
    facts
}

/// What a history of lists says, or what is wrong with single reads.
fn list_facts(history: &ListHistory<u8, u16>) -> Result<Facts, BTreeSet<&'static str>> {
    let operations = history.operations();
    let mut wrong = BTreeSet::new();
    let (mut writer, mut last_of) = (BTreeMap::new(), BTreeMap::new());
    for (index, it) in operations.iter().enumerate() {
        for access in &it.call {
            if let ListAccess::Append(key, value) = access {
                writer.insert((*key, *value), index);
                last_of.insert((index, *key), *value);
            }
        }
    }
    let mut facts = times(history);
    let mut longest: BTreeMap<u8, Arc<[u16]>> = BTreeMap::new();
    for (index, it) in operations.iter().enumerate() {
        let Some(reply) = it.outcome.reply() else { continue };
        let mut seen = reply.iter();
        let mut own: BTreeMap<u8, Vec<u16>> = BTreeMap::new();
        let mut bases: BTreeMap<u8, usize> = BTreeMap::new();
        for access in &it.call {
            let key = match access {
                ListAccess::Append(key, value) => {
                    own.entry(*key).or_default().push(*value);
                    continue;
                }
                ListAccess::Read(key) => key,
            };
            let list = seen.next().unwrap();
            let known = longest.entry(*key).or_insert_with(|| list.clone());
            if !known.starts_with(list) && !list.starts_with(known) {
                wrong.insert("incompatible-order");
            }
            if list.len() > known.len() {
                *known = list.clone();
            }
            let own = own.entry(*key).or_default();
            if !list.ends_with(own) {
                wrong.insert("internal");
                continue;
            }
            let base = list.len() - own.len();
            if *bases.entry(*key).or_insert(base) != base {
                wrong.insert("internal");
            }
            let Some(last) = list[..base].last() else {
                facts.reads.push((index, usize::from(*key), None));
                continue;
            };
            let by = writer[&(*key, *last)];
            facts.reads.push((index, usize::from(*key), Some((by, u32::from(*last)))));
            if by != index && last_of[&(by, *key)] != *last {
                wrong.insert("G1b");
            }
        }
    }
    for key in 0..2 {
        let known: Vec<(usize, u32)> = longest
            .get(&key)
            .into_iter()
            .flat_map(|list| list.iter())
            .map(|value| (writer[&(key, *value)], u32::from(*value)))
            .collect();
        if known.iter().any(|(by, _)| operations[*by].outcome == Outcome::Fail) {
            wrong.insert("G1a");
        }
        if known.iter().collect::<BTreeSet<_>>().len() < known.len() {
            wrong.insert("duplicate-elements");
        }
        let others = writer.iter().filter(|((of, _), _)| *of == key);
        let others = others.map(|((_, value), by)| (*by, u32::from(*value)));
        let others = others.filter(|it| !known.contains(it)).collect();
        facts.objects.push((known, others));
    }
    if wrong.is_empty() { Ok(facts) } else { Err(wrong) }
}

/// Whether any order of those that took effect is a serial one, tried one by one.
fn has_serial_order<K: Ord, V: Eq>(
    plain: &Transactions<'_, K, V>,
    outcomes: &[Option<bool>],
    order: Order,
) -> bool {
    let possible: Vec<u32> =
        (0..).zip(outcomes).filter(|(_, it)| **it != Some(false)).map(|(at, _)| at).collect();
    (0..1_u32 << possible.len()).any(|chosen| {
        let chosen = possible.iter().enumerate().filter(|(bit, _)| chosen >> bit & 1 == 1);
        let chosen: Vec<u32> = chosen.map(|(_, index)| *index).collect();
        permutations(&chosen).iter().any(|serial| plain.serial(order, serial).is_ok())
    })
}

/// Fails unless the verdict's evidence can be verified and fits the level.
fn evidence<K: Ord, V: Eq>(
    plain: &Transactions<'_, K, V>,
    level: Level,
    verdict: &Verdict,
) -> Result<(), String> {
    match verdict {
        Verdict::Holds(Some(order)) => {
            plain.serial(level.order(), order).map_err(|doubt| doubt.to_string())
        }
        Verdict::Holds(None) | Verdict::Unknown(_) => Ok(()),
        Verdict::Violated(anomalies) => anomalies.iter().try_for_each(|anomaly| {
            if !level.rules_out(anomaly.phenomenon) {
                return Err(format!("{level} allows {}", anomaly.phenomenon));
            }
            match &anomaly.proof {
                Proof::Cycle(cycle) => plain
                    .cycle(anomaly.phenomenon, cycle)
                    .map_err(|doubt| format!("{doubt}: {anomaly:?}")),
                Proof::Accesses(places) => plain
                    .accesses(anomaly.phenomenon, places)
                    .map_err(|doubt| format!("{doubt}: {anomaly:?}")),
            }
        }),
    }
}

#[test]
fn lists_are_judged_as_levels_are_defined() {
    let (verdicts, names) = (RefCell::new(BTreeMap::new()), RefCell::new(BTreeSet::new()));
    let unknown = Cell::new(0);
    let config = Config { cases: 12_000, source_file: Some(file!()), ..Config::default() };
    let run = TestRunner::new(config).run(&database::scripts(), |script| {
        let history = database::play(&script);
        let facts = list_facts(&history);
        let plain = Transactions::lists(&history);
        for (name, level) in LEVELS {
            let verdict = lists_verdict(&history, *level);
            let fail = |what: &str| {
                Err(TestCaseError::fail(format!("{name}: {what}: {verdict:?} {history:#?}")))
            };
            if let Err(why) = evidence(&plain, *level, &verdict) {
                return fail(&why);
            }
            if let Verdict::Violated(anomalies) = &verdict {
                names.borrow_mut().extend(anomalies.iter().map(|it| it.phenomenon.to_string()));
            }
            let expected = match &facts {
                Ok(facts) => adya::allows(*level, facts),
                // What is wrong with single reads is no business of the graph.
                Err(wrong) => match (&verdict, level) {
                    (_, Level::ReadUncommitted | Level::ReadCommitted) => continue,
                    (Verdict::Violated(anomalies), _) => {
                        let kinds = anomalies.iter().map(|it| it.phenomenon.to_string());
                        let kinds: BTreeSet<String> = kinds.collect();
                        if !wrong.iter().any(|it| kinds.contains(*it)) {
                            return fail(&format!("expected one of {wrong:?}"));
                        }
                        continue;
                    }
                    _ => return fail("single reads are wrong"),
                },
            };
            match (&verdict, expected) {
                (Verdict::Holds(_), true) | (Verdict::Violated(_), false) => {}
                // Two appends to one list that nobody read.
                (Verdict::Unknown(Undecided::VersionOrder), _)
                    if level.rules_out(Phenomenon::LostUpdate)
                        && !level.rules_out(Phenomenon::Cycle(Cyclic::G2Item, Order::None)) =>
                {
                    unknown.set(unknown.get() + 1);
                }
                _ => return fail(&format!("it is {expected}")),
            }
            *verdicts.borrow_mut().entry((*name, expected)).or_insert(0) += 1;
            let serial = [Level::Serializable, Level::StrictSerializable].contains(level);
            if serial && facts.as_ref().unwrap().outcomes.len() < 5 {
                let outcomes = &facts.as_ref().unwrap().outcomes;
                if has_serial_order(&plain, outcomes, level.order()) != expected {
                    return fail("orders say otherwise");
                }
            }
        }
        Ok(())
    });
    run.unwrap_or_else(|error| panic!("{error}"));
    // A comparison of nothing but one verdict would say little.
    let verdicts = verdicts.into_inner();
    for (name, level) in LEVELS {
        assert!(verdicts[&(*name, true)] > 100, "{verdicts:?}");
        // Without aborted and intermediate reads it takes much to be worse than read committed.
        let common = level.rules_out(Phenomenon::LostUpdate);
        assert!(!common || verdicts[&(*name, false)] > 20, "{verdicts:?}");
    }
    let all: i32 = verdicts.values().sum();
    assert!(200 * unknown.get() < all, "{} of {all}", unknown.get());
    let names = names.into_inner();
    let expected = ["G0", "G1a", "G1b", "G1c", "G-single", "G2-item", "lost-update", "internal"];
    assert!(expected.iter().all(|name| names.contains(*name)), "{names:?}");
}

/// A process, what it accesses, and what its reads see.
type Told = (i64, Vec<ListAccess<u8, u16>>, Vec<Vec<u16>>);

/// Whether transactions all overlap, or come one after the other.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Course {
    Overlapping,
    OneByOne,
}

/// What is wrong with transactions.
fn names(transactions: &[Told], course: Course) -> Vec<String> {
    let mut builder = Builder::new();
    let reply = |seen: &[Vec<u16>]| seen.iter().map(|list| list.as_slice().into()).collect();
    for (process, accesses, seen) in transactions {
        builder.invoke(*process, accesses.clone()).unwrap();
        if course == Course::OneByOne {
            builder.ok(*process, reply(seen)).unwrap();
        }
    }
    for (process, _, seen) in transactions.iter().filter(|_| course == Course::Overlapping) {
        builder.ok(*process, reply(seen)).unwrap();
    }
    let history = builder.finish();
    let verdict = lists_verdict(&history, Level::StrictSerializable);
    evidence(&Transactions::lists(&history), Level::StrictSerializable, &verdict).unwrap();
    match verdict {
        Verdict::Violated(all) => all.iter().map(|it| it.phenomenon.to_string()).collect(),
        Verdict::Holds(_) | Verdict::Unknown(_) => Vec::new(),
    }
}

#[test]
fn cycles_have_the_names_that_elle_gives_them() {
    use Course::{OneByOne, Overlapping};
    use ListAccess::{Append, Read};
    let (x, y) = (0, 1);
    let stale = |process| [(1, vec![Append(x, 1)], vec![]), (process, vec![Read(x)], vec![vec![]])];
    assert_eq!(names(&stale(2), OneByOne), ["G-single-realtime"]);
    assert_eq!(names(&stale(1), OneByOne), ["G-single-process"]);
    assert_eq!(names(&stale(2), Overlapping), [""; 0]);
    let crossed = [
        (1, vec![Append(x, 1), Append(y, 1)], vec![]),
        (2, vec![Append(x, 2), Append(y, 2)], vec![]),
        (3, vec![Read(x), Read(y)], vec![vec![1, 2], vec![2, 1]]),
    ];
    assert_eq!(names(&crossed, Overlapping), ["G0"]);
    let circular = [
        (1, vec![Append(x, 1), Read(y)], vec![vec![2]]),
        (2, vec![Append(y, 2), Read(x)], vec![vec![1]]),
    ];
    assert_eq!(names(&circular, Overlapping), ["G1c"]);
    let skewed = [
        (1, vec![Append(x, 1), Read(y)], vec![vec![]]),
        (2, vec![Append(y, 2), Read(x)], vec![vec![]]),
    ];
    assert_eq!(names(&skewed, Overlapping), ["G2-item"]);
    let forked = [
        (1, vec![Append(x, 1)], vec![]),
        (2, vec![Append(y, 2)], vec![]),
        (3, vec![Read(x), Read(y)], vec![vec![1], vec![]]),
        (4, vec![Read(x), Read(y)], vec![vec![], vec![2]]),
    ];
    assert_eq!(names(&forked, Overlapping), ["G-nonadjacent"]);
    let updated = [
        (1, vec![Read(x), Append(x, 1)], vec![vec![]]),
        (2, vec![Read(x), Append(x, 2)], vec![vec![]]),
        (3, vec![Read(x)], vec![vec![1, 2]]),
    ];
    assert_eq!(names(&updated, Overlapping), ["lost-update", "G-single"]);
}

/// The same as registers: every list as its last element.
fn as_registers(history: &ListHistory<u8, u16>) -> RegisterHistory<u16> {
    let translated = history.translate(|call, outcome| {
        let accesses = call.iter().map(|access| match access {
            ListAccess::Read(key) => Access::Read(u16::from(*key)),
            ListAccess::Append(key, value) => Access::Write(u16::from(*key), *value),
        });
        let last = |lists: &Vec<Arc<[u16]>>| {
            lists.iter().map(|list| Some(list.last().copied().unwrap_or(0))).collect()
        };
        Ok::<_, ()>((accesses.collect::<Vec<Access<u16>>>(), outcome.map(last)))
    });
    translated.expect("nothing fails")
}

/// What a history of registers says, if nothing is wrong with single reads.
fn register_facts(history: &RegisterHistory<u16>) -> Option<Facts> {
    let mut facts = times(history);
    facts.objects = vec![Default::default(); 2];
    let mut last: BTreeMap<(usize, u16), u16> = BTreeMap::new();
    let mut writer = BTreeMap::new();
    for (index, it) in history.operations().iter().enumerate() {
        for access in &it.call {
            if let Access::Write(key, value) = access {
                last.insert((index, *key), *value);
                writer.insert(*value, index);
            }
        }
    }
    for ((index, key), value) in &last {
        facts.objects[usize::from(*key)].1.push((*index, u32::from(*value)));
    }
    for (index, it) in history.operations().iter().enumerate() {
        let Some(reply) = it.outcome.reply() else { continue };
        let (mut seen, mut known) = (reply.iter(), BTreeMap::new());
        for access in &it.call {
            match access {
                Access::Write(key, value) => drop(known.insert(*key, *value)),
                Access::Read(key) => {
                    let value = seen.next().unwrap().unwrap();
                    match known.insert(*key, value) {
                        Some(before) if before != value => return None,
                        Some(_) => {}
                        None => {
                            let by = writer.get(&value).map(|by| (*by, u32::from(value)));
                            let last = by.is_none_or(|(by, _)| last[&(by, *key)] == value);
                            let failed = |(by, _): (usize, u32)| facts.outcomes[by] == Some(false);
                            let own = by.is_some_and(|(by, _)| by == index);
                            if !last || own || by.is_some_and(failed) {
                                return None;
                            }
                            facts.reads.push((index, usize::from(*key), by));
                        }
                    }
                }
            }
        }
    }
    Some(facts)
}

#[test]
fn registers_are_judged_as_levels_are_defined() {
    let (verdicts, unknown) = (RefCell::new(BTreeMap::new()), Cell::new(0));
    let config = Config { cases: 8_000, source_file: Some(file!()), ..Config::default() };
    let run = TestRunner::new(config).run(&database::scripts(), |script| {
        let history = as_registers(&database::play(&script));
        let plain = Transactions::registers(&history, &0);
        for (name, level) in LEVELS {
            let report = rw_register(&history, &0, Unwritten::Anomaly, &at(*level));
            let verdict = report.expect("every value is written once").verdict;
            let fail = |what: &str| {
                Err(TestCaseError::fail(format!("{name}: {what}: {verdict:?} {history:#?}")))
            };
            if let Err(why) = evidence(&plain, *level, &verdict) {
                return fail(&why);
            }
            let Some(facts) = register_facts(&history) else {
                let strong = level.rules_out(Phenomenon::Internal);
                if strong && !matches!(verdict, Verdict::Violated(_)) {
                    return fail("single reads are wrong");
                }
                continue;
            };
            let expected = adya::allows(*level, &facts);
            match (&verdict, expected) {
                (Verdict::Holds(_), true) | (Verdict::Violated(_), false) => {}
                (Verdict::Unknown(Undecided::VersionOrder), _)
                    if level.rules_out(Phenomenon::LostUpdate) =>
                {
                    unknown.set(unknown.get() + 1);
                }
                _ => return fail(&format!("it is {expected}")),
            }
            *verdicts.borrow_mut().entry((*name, expected)).or_insert(0) += 1;
        }
        Ok(())
    });
    run.unwrap_or_else(|error| panic!("{error}"));
    let verdicts = verdicts.into_inner();
    let all: i32 = verdicts.values().sum();
    for (name, level) in LEVELS {
        assert!(verdicts[&(*name, true)] > 100, "{verdicts:?}");
        assert!(!level.rules_out(Phenomenon::LostUpdate) || verdicts[&(*name, false)] > 20);
    }
    assert!(8 * unknown.get() < all, "{} of {all}", unknown.get());
}

/// A read of what came before, and of what its own transaction appended: nothing is wrong with any of it.
#[test]
fn reads_that_are_right_are_not_called_wrong() {
    use ListAccess::{Append, Read};
    let mut builder = Builder::new();
    builder.invoke(1, vec![Append(0_u8, 1_u16)]).unwrap();
    builder.ok(1, vec![]).unwrap();
    builder.invoke(2, vec![Read(0), Append(0, 2), Read(0)]).unwrap();
    let lists: [&[u16]; 2] = [&[1], &[1, 2]];
    builder.ok(2, lists.map(Arc::from).to_vec()).unwrap();
    let history = builder.finish();
    let plain = Transactions::lists(&history);
    let place = |operation, access| Place { operation, access };
    let (write, first, mine, last) = (place(0, 0), place(1, 0), place(1, 1), place(1, 2));
    for (phenomenon, places) in [
        (Phenomenon::AbortedRead, vec![write, first]),
        (Phenomenon::IntermediateRead, vec![write, first]),
        (Phenomenon::UnwrittenRead, vec![last]),
        (Phenomenon::DuplicateElements, vec![write, last]),
        (Phenomenon::IncompatibleOrder, vec![first, last]),
        (Phenomenon::DirtyUpdate, vec![write, mine]),
        (Phenomenon::LostUpdate, vec![first, first]),
        (Phenomenon::Internal, vec![first, last]),
        (Phenomenon::Internal, vec![]),
        (Phenomenon::AbortedRead, vec![first, write]),
    ] {
        assert!(plain.accesses(phenomenon, &places).is_err(), "{phenomenon} {places:?}");
    }
}
