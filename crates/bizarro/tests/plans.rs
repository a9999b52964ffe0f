//! `docs/plans.md` says what plans are made of, as the types say it.
//! `UPDATE_EXPECT=1 cargo test -p bizarro --test plans` writes it anew.

use bizarro::Plan;
use bizarro::supervisor::plan_file::to_toml;
use bizarro_fault::{Network, Nodes, SystemModel, Timing};
use bizarro_record::{Effect, FORMS, Form, Incident, Step};
use expect_test::expect_file;

const HEAD: &str = "\
# Plans

A plan says everything that decides a run beside the program itself: `cargo bizarro replay TEST PLAN` makes that run. It
is one line of parts with `; ` between them, or a TOML file; `cargo bizarro plan PLAN` writes the one as the other.
What a plan names has to be in the test's world, and what its system model excludes is refused.

| part | meaning |
|---|---|
| `baseline` | nothing: what is written where every part is left out |
| `seed=7` | feeds every draw of the run |
| `random` | the next task is drawn, and tasks are preempted at random |
| `pct=3/5000` | tasks have random priorities, which change at two of about 5000 system calls |
| `preempt board/101 #57` | task 101 of host board gives way before its 57th system call |
| `pass board/101 #12 for player/102` | when task 101 is next for its 12th turn, player's task 102 runs instead |
| `jitter=20ms` | each packet takes up to 20 ms longer |
| `faults=1/40 crash,lost` | at one in forty steps of exchanges one of these effects strikes |
| `player>board removed=refused` | board refuses every connection that player asks for; or `unreachable`, or nothing is heard of it: `partition` |
| `at 3s for 15s: pause board` | an incident: a moment, an end where it does not last as long as its kind does by itself, and a trouble |
| `player>board POST /move #3 deliver-reply=lost` | a fault: this effect strikes this step of this exchange |
| `player>board POST /move #3+ deliver-reply=lost` | and every later exchange of this name, for a minute |

Times are a number and `ns`, `us`, `ms`, `s`, `m`, `h` or `d`. In place of hosts may stand groups.

## Moments

| moment | meaning |
|---|---|
| `at 3s` | so long after the start, in true virtual time |
| `at call db #1234` | before the host's 1234th system call, all its lives counted |
| `at disk db #57` | at the 57th change of its disk (bytes, names, attributes, syncs): what ends the process comes before the change, all else after the call that makes it |
| `at player>board POST /move #3 post-reply` | when this exchange comes to this step |
| `after \"committed\" #3` | when a program has called `bizarro::milestone(\"committed\")` for the third time, before the next system call of its host |
| `after \"committed\" #3 +2s` | two seconds later |

With every moment but a time, `@it` in a trouble is the host at which the moment came: `after \"elected\" #2: power-off @it`.

## Ends

| end | meaning |
|---|---|
| `for 15s` | so long after it began |
| `until \"done\" #10` | when a program has come to this milestone for the tenth time since it began |

## Ways

Trouble with the network is on a way: `a>b` is what a sends to b, `a<>b` both directions. Each side is a host, a group, a
zone, or `*` for all hosts. `1/N` is one packet or message in N, drawn from the seed. The record says of each trouble where it
was felt first, and of each message that it was a lie or was repeated.

## In every run of a test

```rust
world.at(secs(3)).lasting(secs(15)).trouble(\"pause board\");
world.after(\"committed\", 3).until(\"read\", 10).trouble(\"power-off db\");
world.incident(\"at disk db #57: power-off db some\");
```
";

const TAIL: &str = "
Whether an incident came about is in the run's record and story; a plan of which nothing came about says so.

This file is written by `UPDATE_EXPECT=1 cargo test -p bizarro --test plans`.
";

#[test]
fn the_documentation_lists_every_kind() {
    let text = HEAD.to_string() + &troubles() + &effects() + &file() + TAIL;
    expect_file!["../../../docs/plans.md"].assert_eq(&text);
}

fn troubles() -> String {
    let head =
        "\n## Troubles\n\n| trouble | meaning | lasts | allowed where |\n|---|---|---|---|\n";
    FORMS.iter().fold(head.to_string(), |text, form| {
        let written = form.form.split(", such as").next().unwrap_or(form.form);
        let written = written.replace('|', "\\|");
        text + &format!("| `{written}` | {} | {} | {} |\n", form.meaning, form.lasts, allowed(form))
    })
}

/// Which part of a system model has to be how for a kind of trouble to be allowed.
fn allowed(form: &Form) -> String {
    let incident: Incident = form.example.parse().expect("an example is one");
    let allows = |model: SystemModel| model.allows_trouble(&incident.trouble);
    let widest = SystemModel::default();
    if !allows(widest) && allows(SystemModel { nodes: Nodes::Byzantine, ..widest }) {
        return format!("only with {} nodes", Nodes::Byzantine);
    }
    let mut words: Vec<String> = Vec::new();
    for network in [Network::Reliable, Network::FairLoss] {
        if !allows(SystemModel { network, ..widest }) {
            words.push(format!("not with a {network} network"));
        }
    }
    for nodes in [Nodes::CrashStop, Nodes::CrashRecovery] {
        if !allows(SystemModel { nodes, ..widest }) {
            words.push(format!("not with {nodes} nodes"));
        }
    }
    if !allows(SystemModel { timing: Timing::Synchronous, ..widest }) {
        words.push("not where timing is synchronous".to_string());
    }
    if words.is_empty() { "everywhere".to_string() } else { words.join(", ") }
}

fn effects() -> String {
    let head = "\n## Effects\n\n| step | effects |\n|---|---|\n";
    Step::ALL.into_iter().fold(head.to_string(), |text, step| {
        let effects: Vec<String> = Effect::of(step).iter().map(|e| format!("`{e}`")).collect();
        text + &format!("| {} `{step}` | {} |\n", step.number(), effects.join(", "))
    })
}

fn file() -> String {
    let line = "seed=7; pct=3/5000; preempt board/101 #57; jitter=20ms; faults=1/40 lost,crash; \
                player>board removed=refused; at 3s for 15s: pause board; \
                after \"committed\" #3 +2s until \"read\" #10: power-off @it; \
                player>board POST /move #3+ deliver-reply=lost";
    let plan: Plan = line.parse().expect("it is a plan");
    assert_eq!(plan.to_string(), line);
    format!(
        "\n## As a file\n\nIts name ends with `.toml`. An incident that begins at a time may have `heals-at = \"8s\"` in place of `for`. This is\n\n```text\n{}\n```\n\n```toml\n{}```\n",
        line.replace("; ", ";\n"),
        to_toml(&plan)
    )
}

/// Each example is a plan, and the other way round.
#[test]
fn every_example_is_a_plan() {
    for form in FORMS {
        let plan: Plan =
            form.example.parse().unwrap_or_else(|error| panic!("{}: {error}", form.word));
        assert_eq!(plan.to_string(), form.example);
        assert_eq!(plan.incidents[0].trouble.word(), form.word);
    }
}
