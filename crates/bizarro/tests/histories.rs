//! Histories of worlds, given to checkers: a register that keeps its promise under every fault, and one that
//! does not.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use bizarro::bizarro_check::domain::unique_ids;
use bizarro::bizarro_check::model::{
    Register,
    RegisterCall::{self, *},
    RegisterReply::{self, *},
    UniqueIdCall,
};
use bizarro::prelude::*;

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
