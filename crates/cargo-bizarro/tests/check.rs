//! `cargo bizarro check` on histories in files.

mod common;

use std::path::Path;
use std::process::Command;

/// The directory of this test: commands run in it, so that names are short.
const DIRECTORY: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/check");

/// A file in it.
fn file(name: &str, text: &str) -> String {
    std::fs::create_dir_all(DIRECTORY).unwrap();
    std::fs::write(Path::new(DIRECTORY).join(name), text).unwrap();
    name.to_string()
}

#[track_caller]
fn check(arguments: &[&str], code: i32, stdout: &str, stderr: &str) {
    let command = [&["check"][..], arguments].concat();
    common::check(Path::new(DIRECTORY), &command, code, stdout, stderr);
}

const REGISTER: &str = "{:process 0 :type :invoke :f :write :value 1}
{:process 0 :type :ok :f :write :value 1}
{:process 1 :type :invoke :f :read :value nil}
{:process 1 :type :ok :f :read :value 0}
";

#[test]
fn a_register() {
    let name = file("register.edn", REGISTER);
    check(
        &[&name, "--model", "register", "--initial", "0"],
        1,
        "VIOLATED: register, 2 operations

not linearizable
       0  line 1: process 0: write 1 → ok 1
       1  line 3: process 1: read nil → ok 0
  = in no order of these operations does each answer what it did
  = all can be put in order that ended before operation 1
  = without any one of them there is an order
",
        "",
    );
    // Nobody told process 1 of the write.
    let sequential =
        [&name, "--model", "register", "--initial", "0", "--consistency", "sequential"];
    check(&sequential, 0, "held: register, 2 operations\n", "");
    let one = file("one.edn", &REGISTER.replace(":process 1", ":process 0"));
    check(
        &[&one, "--model", "register", "--initial", "0", "--consistency", "sequential"],
        1,
        "VIOLATED: register, 2 operations

not sequentially consistent
       0  line 1: process 0: write 1 → ok 1
       1  line 3: process 0: read nil → ok 0
  = in no order of these operations that keeps each process's own does each answer what it did
  = without any one of them there is an order
",
        "",
    );
    check(
        &[&name, "--model", "causal", "--consistency", "sequential"],
        2,
        "",
        "expected the model of an object for sequential consistency",
    );
    let better = file("better.edn", &REGISTER.replace(":value 0", ":value 1"));
    check(&[&better, "--model", "register"], 0, "held: register, 2 operations\n", "");
}

#[test]
fn transactions() {
    let skewed = r#"{"type":"invoke","process":0,"value":[["r","x",null],["append","y",1]]}
{"type":"invoke","process":1,"value":[["r","y",null],["append","x",2]]}
{"type":"ok","process":0,"value":[["r","x",[]],["append","y",1]]}
{"type":"ok","process":1,"value":[["r","y",[]],["append","x",2]]}
"#;
    let name = file("skewed.json", skewed);
    let said = r#"VIOLATED: list-append, 2 operations

G2-item
       0  line 1: process 0: txn [["r" "x" nil] ["append" "y" 1]] → ok [["r" "x" []] ["append" "y" 1]]
       1  line 2: process 1: txn [["r" "y" nil] ["append" "x" 2]] → ok [["r" "y" []] ["append" "x" 2]]
  = 0 < 1 (rw): its access 0 did not see access 1 of 1
  = 1 < 0 (rw): its access 0 did not see access 1 of 0
"#;
    check(&[&name, "--model", "list-append"], 1, said, "");
    let weaker = [&name, "--model", "list-append", "--level", "snapshot-isolation"];
    check(&weaker, 0, "held: list-append, 2 operations\n", "");
}

/// Many writes whose outcome is not known, and a read that none of them explains.
#[test]
fn a_budget_that_ends_is_no_verdict() {
    let mut text = String::new();
    for process in 0..60 {
        for (from, to) in [(process, process + 1), (process + 1, process * 7 % 60)] {
            let event = |kind: &str| {
                format!("{{:process {process} :type :{kind} :f :cas :value [{from} {to}]}}\n")
            };
            text.push_str(&(event("invoke") + &event("info")));
        }
    }
    text.push_str(
        "{:process 999 :type :invoke :f :read}{:process 999 :type :ok :f :read :value -1}",
    );
    let name = file("hard.edn", &text);
    let command = [&name, "--model", "cas-register", "--initial", "0", "--budget-memory", "1"];
    check(&command, 3, "unknown: cas-register: the budget of memory ended\n", "");
}

#[test]
fn what_cannot_be_checked_is_refused_with_its_place() {
    let broken = file("broken.edn", "{:process 0 :type :invoke :f :read}\n{:process 0 :type :ok\n");
    check(
        &[&broken, "--model", "register"],
        2,
        "",
        "error: broken.edn:3:1: expected a value or `}`",
    );
    let other = file(
        "other.edn",
        "{:process 0 :type :invoke :f :read}\n  {:process 1 :type :invoke :f :jump}",
    );
    check(
        &[&other, "--model", "register"],
        2,
        "",
        "error: other.edn:2:3: operation 1: expected one of the functions read, write, found `jump`",
    );
    check(&["none.edn", "--model", "register"], 2, "", "error: none.edn: No such file");
    let name = file("register.xyz", REGISTER);
    check(
        &[&name, "--model", "register"],
        2,
        "",
        "say so with `--format`: jepsen-edn, json, etcd-log",
    );
    let named = [&name, "--model", "register", "--format", "jepsen-edn", "--level", "serializable"];
    check(&named, 2, "", "expected no level of isolation");
    check(
        &[&name, "--model", "linear"],
        2,
        "",
        "no model is called `linear`\n  = there are:\n      register",
    );
    check(
        &[&name, "--model", "list-append", "--level", "good"],
        2,
        "",
        "no level is called `good`",
    );
    check(
        &[&name, "--model", "register", "--initial", "["],
        2,
        "",
        "`--initial [`: column 2: expected",
    );
}

#[test]
fn a_picture_is_drawn_of_what_is_violated() {
    let name = file("drawn.edn", REGISTER);
    let drawn = Path::new(DIRECTORY).join("drawn.svg");
    let _ = std::fs::remove_file(&drawn);
    let output = Command::new(env!("CARGO_BIN_EXE_cargo-bizarro"))
        .args(["bizarro", "check", &name, "--model", "register", "--svg", "drawn.svg"])
        .current_dir(DIRECTORY)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let picture = std::fs::read_to_string(&drawn).unwrap();
    assert!(picture.starts_with("<svg ") && picture.contains("read nil → ok 0"), "{picture}");
}

/// Nobody in the history wrote 7.
#[test]
fn what_nobody_wrote_may_have_been_there() {
    let text = "{:process 0 :type :invoke :f :txn :value [[:r :x nil]]}
{:process 0 :type :ok :f :txn :value [[:r :x 7]]}
";
    let name = file("foreign.edn", text);
    let arguments = [name.as_str(), "--model", "causal"];
    let unwritten = "VIOLATED: causal, 1 operations\n\nunwritten-read\n       0  line 1: process 0: txn \
                     [[:r :x nil]] → ok [[:r :x 7]]\n  = see access 0 of 0\n";
    check(&arguments, 1, unwritten, "");
    let foreign = [&arguments[..], &["--unwritten", "foreign"]].concat();
    check(&foreign, 0, "held: causal, 1 operations\n", "");
}
