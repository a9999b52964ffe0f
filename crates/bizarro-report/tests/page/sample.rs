//! Reports to draw: the toy's matrix, a run of many events, and one in which everything is hostile.

use std::collections::BTreeMap;
use std::time::Duration;

use bizarro_explore::toy::{Player, Toy};
use bizarro_explore::{
    Guidance, MatrixOptions, MatrixReport, Properties, Repeat, Runner, SchedulesReport, Silent,
    SwarmOptions, SwarmReport, plan_without,
};
use bizarro_record::event::OpOutcome;
use bizarro_record::{
    ClockSpec, Declared, Effect, Event, Exchange, ExchangeId, HostSpec, Injection, LinkSpec, Nanos,
    Plan, Role, RunRecord, Stamped, Step, Stream, WorldSpec,
};
use bizarro_report::Exit;
use bizarro_report::report::{Explored, Report, Subject, report};

fn world(names: &[&str]) -> WorldSpec {
    let mut world = WorldSpec::new("pacman::toy");
    world.links.push(LinkSpec::default());
    world.hosts = names
        .iter()
        .enumerate()
        .map(|(index, name)| HostSpec {
            name: name.to_string(),
            address: [10, 0, 0, index as u8 + 1].into(),
            cpus: 2,
            slowdown: 1,
            clock: ClockSpec { offset: index as i64 * 1_500_000_000, ..ClockSpec::default() },
            memory_limit: 1 << 30,
            out_of_memory: Default::default(),
            group: None,
            declared: match *name {
                "scores" => Declared::NonCritical,
                _ => Declared::Nothing,
            },
            role: if index == 1 { Role::Workload } else { Role::Program },
            entry: 0,
            data: 0,
            executable: format!("/usr/bin/{name}"),
            arguments: vec![name.to_string()],
            env: vec!["RUST_LOG=info".to_string()],
            mounts: vec![],
            files: vec![],
            kept: vec![],
        })
        .collect();
    world
}

/// The matrix of a toy, and the runs of all its cells.
pub(crate) fn explored(toy: Toy) -> (MatrixReport, BTreeMap<String, RunRecord>) {
    let mut runners: Vec<Box<dyn Runner + Send>> = vec![Box::new(toy)];
    // The keeper of the scores is not to be needed.
    let options =
        MatrixOptions { non_critical: vec!["scores".to_string()], ..MatrixOptions::default() };
    let mut matrix = bizarro_explore::matrix(&mut runners, options, &mut Silent).unwrap();
    matrix.wall = Duration::from_millis(3_100);
    let mut kept = BTreeMap::new();
    for cell in &matrix.cells {
        for variant in &cell.variants {
            let at = cell.exchange.clone();
            let injection =
                Injection { at, lasting: variant.lasting, step: cell.step, effect: variant.effect };
            let plan = injection.to_string();
            kept.insert(plan.clone(), toy.play(&plan.parse().unwrap()));
        }
    }
    for removed in matrix.dependencies.iter().flat_map(|dependency| &dependency.removals) {
        let plan = plan_without(&removed.removal, &Plan::default());
        kept.insert(plan.to_string(), toy.play(&plan));
    }
    (matrix, kept)
}

/// The report of a toy's matrix.
pub(crate) fn report_with(toy: Toy) -> Report {
    let (matrix, kept) = explored(toy);
    report_of(&matrix, &kept, None, None)
}

/// The same, with what random schedules and a swarm found.
pub(crate) fn report_of_searches(toy: Toy) -> Report {
    let (matrix, kept) = explored(toy);
    let runners = || -> Vec<Box<dyn Runner + Send>> { vec![Box::new(toy)] };
    let mut schedules =
        bizarro_explore::schedules(&mut runners(), 300, Repeat::Baseline, &mut Silent).unwrap();
    let (model, guidance) = (matrix.model, Guidance::Directed);
    let options = SwarmOptions { model, seed: 1, runs: Some(300), time: None, guidance };
    let mut swarm = bizarro_explore::swarm(&mut runners(), options, &mut Silent).unwrap();
    // The real time differs each time.
    (schedules.wall, swarm.wall) = (Duration::ZERO, Duration::ZERO);
    report_of(&matrix, &kept, Some(&schedules), Some(&swarm))
}

fn report_of(
    matrix: &MatrixReport,
    kept: &BTreeMap<String, RunRecord>,
    schedules: Option<&SchedulesReport>,
    swarm: Option<&SwarmReport>,
) -> Report {
    let hosts: Vec<&str> = matrix.baseline.hosts.iter().map(String::as_str).collect();
    report(
        Subject {
            model: &matrix.model.to_string(),
            world: &world(&hosts),
            exit: Exit::of_matrix(matrix),
        },
        Explored {
            baseline: &matrix.baseline,
            run: None,
            matrix: Some(matrix),
            schedules,
            swarm,
            properties: &matrix.properties,
            kept,
        },
    )
}

/// The report of a single run beside its baseline.
pub(crate) fn run_report(baseline: &RunRecord, run: &RunRecord, names: &[&str]) -> Report {
    let mut properties = Properties::default();
    properties.add(run);
    report(
        Subject {
            model: "arbitrary × crash-recovery × asynchronous",
            world: &world(names),
            exit: Exit::Violated,
        },
        Explored {
            baseline,
            run: Some(run),
            matrix: None,
            schedules: None,
            swarm: None,
            properties: &properties,
            kept: &BTreeMap::new(),
        },
    )
}

/// A run of `turns` turns of four events and more between three hosts, in which the middle is disturbed where
/// `is_struck` says so.
pub(crate) fn busy(turns: u64, disturbed: Option<u64>) -> RunRecord {
    let names = ["board", "player", "users"];
    let mut record = Toy::new(Player::Naive).play(&Default::default());
    record.hosts = names.map(str::to_string).to_vec();
    record.events = (0..3)
        .map(|host| Stamped {
            at: Nanos(0),
            host,
            tid: 1,
            event: Event::Started { incarnation: 1 },
        })
        .collect();
    record.exchanges = vec![];
    let mut now = 0;
    for turn in 1..=turns {
        let id = ExchangeId {
            client: "player".to_string(),
            server: "board".to_string(),
            name: "POST /move".to_string(),
            ordinal: turn as u32,
        };
        let label = format!("POST /move #{turn}");
        let is_struck = disturbed == Some(turn);
        // Three milliseconds after everything below.
        let awake = Nanos(now + 6_000_690_000 + 3_000_000);
        let mut show = |after: u64, host: u16, event: Event| {
            now += after;
            record.events.push(Stamped { at: Nanos(now), host, tid: 7, event });
        };
        let (ask, answer) = (turn * 2, turn * 2 + 1);
        let value = format!("{{\"Move\":{turn}}}").into_bytes();
        show(90_000, 1, Event::Invoked { history: "game".to_string(), op: turn, value });
        show(20_000, 1, Event::Sent { message: ask, to: 0, bytes: 140, label: label.clone() });
        show(480_000, 0, Event::Delivered { message: ask });
        let line = format!("move {turn} applied");
        show(40_000, 0, Event::Output { stream: Stream::Stdout, line });
        let label = format!("{label} reply");
        show(60_000, 0, Event::Sent { message: answer, to: 1, bytes: 64, label });
        if is_struck {
            let injection = Injection::once(id.clone(), Step::DeliverReply, Effect::Lost);
            let injection = Box::new(injection);
            show(0, 0, Event::Struck { injection });
            show(0, 1, Event::Dropped { message: answer });
            let line = "no answer, trying again".to_string();
            show(5_000_000_000, 1, Event::Output { stream: Stream::Stderr, line });
            show(0, 2, Event::Crashed);
            show(1_000_000_000, 2, Event::Started { incarnation: 2 });
            show(0, 0, Event::Paused { until: awake });
        } else {
            show(510_000, 1, Event::Delivered { message: answer });
            let (outcome, value) = (OpOutcome::Ok, turn.to_string().into_bytes());
            show(30_000, 1, Event::Returned { op: turn, outcome, value });
        }
        record.exchanges.push(Exchange {
            id,
            connection: 1,
            on_connection: turn as u32,
            requested: Nanos(now - 1_000_000),
            delivered: Some(Nanos(now - 600_000)),
            replied: Some(Nanos(now - 500_000)),
            completed: (!is_struck).then_some(Nanos(now)),
            request_bytes: 140,
            reply_bytes: 64,
            server_calls: 3,
            server_disk_writes: 1,
            client_disk_writes: 0,
            status: (!is_struck).then_some(200),
            attempt: 1,
        });
    }
    // A call of a host that is called itself.
    let mut further = record.exchanges[0].clone();
    further.id = "board>users GET /user #1".parse().unwrap();
    record.exchanges.insert(1, further);
    record.stats.virtual_time = Nanos(now);
    if let Some(turn) = disturbed {
        record.plan =
            format!("player>board POST /move #{turn} deliver-reply=lost").parse().unwrap();
    }
    record
}
