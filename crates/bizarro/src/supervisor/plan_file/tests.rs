use super::*;
use expect_test::{Expect, expect};

fn read(text: &str) -> Result<PlanFile, String> {
    PlanFile::parse(Path::new("plan.toml"), text.to_string())
}

#[track_caller]
fn round_trips(line: &str) {
    let plan: Plan = line.parse().unwrap();
    let written = to_toml(&plan);
    let found = read(&written).unwrap_or_else(|error| panic!("{error}\n{written}"));
    assert_eq!(found.plan, plan, "{written}");
}

#[test]
fn a_file_and_a_line_are_the_same_plan() {
    round_trips("baseline");
    round_trips("seed=7; random; jitter=20ms; faults=1/40 lost,crash");
    round_trips("pct=3/5000; a>b removed=refused");
    round_trips("preempt a/101 #57; pass a/101 #12 for b/102; a>b GET /\"x\" #3+ post-reply=reset");
    round_trips(
        "at 3s for 15s: pause board; at call db #7: crash db; at disk db #1: power-off db some",
    );
    round_trips("after \"committed\" #3 +2s until \"read\" #10: power-off @it");
    round_trips("at a>b POST /x #3 post-reply for 1ms: crash b; a>b POST /x #4 deliver-reply=lost");
    for form in bizarro_record::FORMS {
        round_trips(form.example);
    }
}

#[test]
fn a_file_may_say_when_it_heals() {
    let file =
        read("version = 1\n[[incident]]\nat = \"3s\"\nheals-at = \"8s\"\ntrouble = \"crash db\"");
    assert_eq!(file.unwrap().plan.to_string(), "at 3s for 5s: crash db");
}

#[test]
fn parts_have_places() {
    let text = "version = 1\n\n[[incident]]\nat = \"3s\"\ntrouble = \"crash bord\"\n";
    let said = read(text).unwrap().objection(|part| {
        let named = part.incidents.first()?;
        Some(format!("no host is called `bord`\n  --> {named}\n  = the hosts: board"))
    });
    expect![[r#"
        no host is called `bord`
         --> plan.toml:5
          |
        5 | trouble = "crash bord"
          |           ^^^^^^^^^^^^
          = the hosts: board"#]]
    .assert_eq(&said.unwrap());
}

#[track_caller]
fn refused(rest: &str, expected: Expect) {
    expected.assert_eq(&read(&format!("version = 1\n{rest}")).unwrap_err());
}

#[test]
fn what_is_wrong_is_shown_where_it_is() {
    expect![[r#"
        a plan of version 2
         --> plan.toml:1
          |
        1 | version = 2
          |           ^
          = this Bizarro reads version 1"#]]
    .assert_eq(&read("version = 2").unwrap_err());
    refused(
        "sede = 7",
        expect![[r#"
        unknown field `sede`, expected one of `version`, `seed`, `schedule`, `jitter`, `drawn`, `deviations`, `removed`, `incident`, `fault`
         --> plan.toml:2
          |
        2 | sede = 7
          | ^^^^
          = a plan as docs/plans.md has it"#]],
    );
    refused(
        "schedule = \"rnadom\"",
        expect![[r#"
        found `rnadom`
         --> plan.toml:2
          |
        2 | schedule = "rnadom"
          |            ^^^^^^^^
          = expected `fair`, `random` or `pct=DEPTH/STEPS`"#]],
    );
    refused(
        "[[incident]]\nat = \"-3s\"\ntrouble = \"crash db\"",
        expect![[r#"
        found `at -3s`
         --> plan.toml:3
          |
        3 | at = "-3s"
          |      ^^^^^
          = expected a moment: `at 3s`, `at call db #1234`, `at disk db #57`, `at player>board POST /move #3 post-reply`, `after "committed" #3` or `after "committed" #3 +2s`"#]],
    );
    refused(
        "[[incident]]\nat = \"10s\"\nheals-at = \"5s\"\ntrouble = \"crash db\"",
        expect![[r#"
            it heals at 5s, and begins at 10s
             --> plan.toml:4
              |
            4 | heals-at = "5s"
              |            ^^^^
              = a later time than that in `at`"#]],
    );
    refused(
        "[[incident]]\nat = \"10s\"\nfor = \"-5s\"\ntrouble = \"crash db\"",
        expect![[r#"
        found `for -5s`
         --> plan.toml:4
          |
        4 | for = "-5s"
          |       ^^^^^
          = expected `for TIME`, longer than nothing, or `until "NAME" #N`, such as `for 15s`"#]],
    );
    refused(
        "[[incident]]\nat = \"3s\"\ntrouble = \"crush db\"",
        expect![[r#"
        found `crush db`
         --> plan.toml:4
          |
        4 | trouble = "crush db"
          |           ^^^^^^^^^^
          = expected a trouble: one of those that docs/plans.md lists"#]],
    );
    refused(
        "[[incident]]\ntrouble = \"crash db\"",
        expect![[r#"
        an incident without a moment
         --> plan.toml:2
          |
        2 | [[incident]]
          | ^^^^^^^^^^^^
          = `at = "3s"` or `after = "committed"` (with `count = 3` and `later = "2s"`)"#]],
    );
    refused(
        "[[fault]]\nat = \"a>b GET / #1\"\nstep = \"post-reply\"\neffect = \"late\"",
        expect![[r#"
            found `post-reply=late`
             --> plan.toml:2
              |
            2 | [[fault]]
              | ^^^^^^^^^
              = expected an effect that this step can suffer"#]],
    );
    refused(
        "[[fault]]\nat = \"a>b GET / #1\"\nstep = 5",
        expect![[r#"
        invalid type: integer `5`, expected a string
         --> plan.toml:4
          |
        4 | step = 5
          |        ^
          = a plan as docs/plans.md has it"#]],
    );
    refused(
        "[[fault]\n",
        expect![[r#"
        unclosed array table, expected `]`
         --> plan.toml:2
          |
        2 | [[fault]
          |         ^
          = a plan as docs/plans.md has it"#]],
    );
}
