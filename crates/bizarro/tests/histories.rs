//! Histories of worlds, given to checkers: a register that keeps its promise under every fault, and one that
//! does not; a bank and a lock that are watched while the run goes on.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use bizarro::bizarro_check::domain::unique_ids;
use bizarro::bizarro_check::model::{
    Bank, BankCall, BankReply, FencedLockCall, FencedLockReply, Register,
    RegisterCall::{self, *},
    RegisterReply::{self, *},
    UniqueIdCall,
};
use bizarro::bizarro_check::online::{Conservation, Tokens};
use bizarro::prelude::*;
use bizarro::{Ending, Event, Lab, Nanos, Plan, RunRecord};

/// Holds a byte. A request is the byte to hold, or 0 to be told what it is.
fn serve(answer: impl Fn(&mut (u8, u8), u8) -> u8) {
    let listener = TcpListener::bind("0.0.0.0:7").unwrap();
    let mut held = (0, 0);
    for mut stream in listener.incoming().flatten() {
        stream.set_read_timeout(Some(secs(1))).unwrap();
        let mut request = [0; 1];
        if stream.read_exact(&mut request).is_ok() {
            let _ = stream.write_all(&[answer(&mut held, request[0])]);
        }
    }
}

fn a_register() {
    serve(|held, request| {
        if request > 0 {
            held.0 = request;
        }
        held.0
    });
}

/// Tells what it held before the last write.
fn a_lagging_register() {
    serve(|held, request| {
        if request > 0 {
            *held = (request, held.0);
        }
        held.1
    });
}

/// Asks once. Where it fails it is not known whether the request was served.
fn ask(request: u8) -> Option<u8> {
    // The server may not be there yet.
    let mut connect = (0..20).map(|_| {
        std::thread::sleep(millis(5));
        TcpStream::connect(("server", 7))
    });
    let mut stream = connect.find_map(Result::ok)?;
    stream.set_read_timeout(Some(secs(2))).ok()?;
    stream.write_all(&[request]).ok()?;
    let mut reply = [0; 1];
    stream.read_exact(&mut reply).ok()?;
    Some(reply[0])
}

fn client(register: &History, writes: [u8; 2]) {
    for value in writes {
        let write = register.invoke(Write(value));
        match ask(value) {
            Some(_) => write.ok(Written::<u8>),
            None => write.unknown(),
        }
        let read = register.invoke(Read::<u8>);
        match ask(0) {
            Some(seen) => read.ok(Value(seen)),
            None => read.unknown(),
        }
    }
}

fn two_clients(world: &mut World, server: fn()) {
    let register = world.history("register");
    world.host("server").program(server);
    let other = register.clone();
    world.host("one").workload(move || client(&register, [1, 2]));
    world.host("two").workload(move || client(&other, [3, 4]));
    let register = world.history("register");
    world.linearizable("the register is one", &register, Register::new(0_u8));
}

/// The server forgets all when it crashes, which nobody promised it would not.
#[bizarro::test]
fn a_register_is_linearizable_while_it_lives(world: &mut World) {
    two_clients(world, a_register);
    world.model(Network::FairLoss, Nodes::CrashStop, Timing::PartiallySynchronous);
    world.check("somebody is told of a write", |run| {
        let history = run.operations::<RegisterCall<u8>, RegisterReply<u8>>("register")?;
        let told = |reply: Option<&RegisterReply<u8>>| matches!(reply, Some(Value(1..)));
        match !run.faults().is_empty()
            || history.operations().iter().any(|it| told(it.outcome.reply()))
        {
            true => Ok(()),
            false => Err("all reads are of what was there first".to_string()),
        }
    });
    world.explore(Explore::everything().seeds(8));
}

#[bizarro::test]
fn a_register_that_lags_behind_is_not(world: &mut World) {
    two_clients(world, a_lagging_register);
    world.explore(Explore::everything().seeds(2));
    world.must_break(&["the register is one"]);
}

/// Any checker can be given a history.
#[bizarro::test]
fn numbers_that_are_given_twice_are_found(world: &mut World) {
    let ids = world.history("ids");
    world.host("server").workload(move || {
        for number in [1_u64, 2, 2] {
            ids.invoke(UniqueIdCall::Generate).ok(number);
        }
    });
    world.check("ids are unique", |run| {
        let history = run.operations::<UniqueIdCall, u64>("ids")?;
        match unique_ids::unique_ids(&history).listed() {
            [] => Ok(()),
            [first, ..] => Err(first.because.clone()),
        }
    });
    world.must_break(&["ids are unique"]);
}

/// What is sent to a bank: 100 to pay in 10, below that to move so much from the first account to the second, and
/// these to be told what they hold.
const PAY_IN: u8 = 100;
const BALANCES: [u8; 2] = [200, 201];

/// Keeps one of what it moves.
fn a_bank_that_keeps_the_change() {
    serve(|held, request| match request {
        PAY_IN => {
            held.0 += 10;
            0
        }
        200 => held.0,
        201 => held.1,
        amount => {
            *held = (held.0 - amount, held.1 + amount - 1);
            0
        }
    });
}

fn teller(bank: &History) {
    let look = || {
        let read = bank.invoke(BankCall::<u8>::Read);
        match BALANCES.map(ask) {
            [Some(one), Some(other)] => {
                read.ok(BankReply::Balances(vec![(0_u8, i64::from(one)), (1, i64::from(other))]));
            }
            _ => read.unknown(),
        }
    };
    for (request, call) in [(PAY_IN, BankCall::Deposit(0_u8, 10)), (3, BankCall::Transfer(0, 1, 3))]
    {
        look();
        let op = bank.invoke(call);
        match ask(request) {
            Some(_) => op.ok(BankReply::<u8>::Done),
            None => op.unknown(),
        }
        look();
    }
    // None of this is told.
    std::thread::sleep(secs(100));
    panic!("the run went on");
}

fn a_bank(world: &mut World) {
    let bank = world.history("bank");
    world.host("server").program(a_bank_that_keeps_the_change);
    world.watch("money is conserved", &bank, Conservation::new(&Bank::new([(0_u8, 0)])));
    world.check("never judged", |_| panic!("the run has no end"));
    world.host("teller").workload(move || teller(&bank));
}

fn a_lock(world: &mut World) {
    let lock = world.history("lock");
    world.watch("tokens rise", &lock, Tokens::new());
    world.host("server").workload(move || {
        for token in [1, 2, 2, 3] {
            std::thread::sleep(secs(1));
            lock.invoke(FencedLockCall::Acquire).ok(FencedLockReply::Granted(token));
        }
        panic!("the run went on");
    });
}

/// The run's record ends with the operation that breaks the promise: the time of that, and what was wrong.
fn ends_where_it_breaks(record: &RunRecord, property: &str) -> (Nanos, String) {
    assert_eq!(record.ending, Ending::Broken { property: property.to_string() });
    let last = record.events.last().unwrap();
    assert!(matches!(last.event, Event::Returned { .. }), "{last:?}");
    assert_eq!(record.stats.virtual_time, last.at);
    let [broken] = &record.properties[..] else { panic!("{:?}", record.properties) };
    assert_eq!((broken.name.as_str(), broken.failures), (property, 1));
    let (at, _, how) = broken.first_failure.clone().unwrap();
    assert_eq!(at, last.at);
    (at, how)
}

#[test]
fn a_run_ends_with_the_read_that_misses_money() {
    let mut lab = Lab::open("histories::a_run_ends_with_the_read_that_misses_money", a_bank);
    let record = lab.run(&Plan::default()).unwrap();
    let (at, how) = ends_where_it_breaks(&record, "money is conserved");
    assert!(at < Nanos::from_secs(1), "{at}");
    let missing = "balances add up to 9, and not to what there is: 1 asked Read at";
    assert!(how.starts_with(missing), "{how}");
    assert_eq!(record.exchanges.iter().filter(|it| it.completed.is_none()).count(), 0);
}

#[test]
fn a_run_ends_with_the_token_that_was_granted_twice() {
    let mut lab = Lab::open("histories::a_run_ends_with_the_token_that_was_granted_twice", a_lock);
    let record = lab.run(&Plan::default()).unwrap();
    let (at, how) = ends_where_it_breaks(&record, "tokens rise");
    assert!(Nanos::from_secs(3) < at && at < Nanos::from_secs(4), "{at}");
    assert!(how.starts_with("both were granted token 2: 1 asked Acquire at 2.0"), "{how}");
    // A new process ends it at the same event.
    let mut again = lab.run(&Plan::default()).unwrap();
    again.stats.wall_ns = record.stats.wall_ns;
    assert_eq!(again, record);
}

#[bizarro::test]
fn a_bank_that_keeps_the_change_is_found(world: &mut World) {
    a_bank(world);
    world.explore(Explore::everything().seeds(2));
    world.must_break(&["money is conserved"]);
}
