//! The commands that build a workspace's tests and have them do the work, on the tests of `bizarro`
//! itself.

use std::process::Command;

struct Said {
    stdout: String,
    stderr: String,
    code: Option<i32>,
}

/// Runs a command on tests of `bizarro`, as they are already built: alone, the package would be built anew, with other
/// features of its libraries.
fn bizarro(arguments: &[&str]) -> Said {
    let output = Command::new(env!("CARGO_BIN_EXE_cargo-bizarro"))
        .arg("bizarro")
        .args(arguments)
        .args(["--test", "worlds", "--test", "groups", "--test", "broken", "--profile", "dev"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Said { stdout: text(output.stdout), stderr: text(output.stderr), code: output.status.code() }
}

#[track_caller]
fn check(arguments: &[&str], code: i32, stdout: &[&str], stderr: &str) {
    let said = bizarro(arguments);
    assert_eq!(said.code, Some(code), "{}\n{}", said.stdout, said.stderr);
    for part in stdout {
        assert!(said.stdout.contains(part), "`{part}` is not in:\n{}", said.stdout);
    }
    assert!(said.stderr.contains(stderr), "`{stderr}` is not in:\n{}", said.stderr);
}

/// One after the other, for each builds.
#[test]
fn tests_are_found_run_and_repeated() {
    let names = bizarro(&["list"]).stdout;
    assert!(!names.contains("broken::"), "{names}");
    assert!(names.lines().any(|name| name == "worlds::time_is_virtual"), "{names}");
    assert_eq!(bizarro(&["list", "time_is"]).stdout, "worlds::time_is_virtual\n");

    check(&["run", "worlds::time_is_virtual"], 0, &["worlds::time_is_virtual: held"], "");
    check(
        &["matrix", "careful_client", "--jobs", "2"],
        0,
        &["client → server", "deliver reply", "24 cells"],
        "",
    );
    groups_are_one();
    reports_are_written();
    what_cannot_be_written_is_refused();
    let plan = "client>server tcp:7 #1 deliver-reply=lost";
    check(&["replay", "careful_client", plan], 0, &["⚡", "the reply was lost", "held"], "");
    check(&["replay", "time_is_virtual", "baseline", "--trace"], 0, &["clock_nanosleep("], "");

    let file = concat!(env!("CARGO_TARGET_TMPDIR"), "/record.json");
    check(&["replay", "careful_client", plan, "--record", file], 0, &["held"], "");
    check(&["replay", file], 0, &["⚡", "the reply was lost", "held"], "");
    repeat_what_is_not_of_this_build(file);

    runs_stop_where_they_are_told(plan);

    let packets = concat!(env!("CARGO_TARGET_TMPDIR"), "/packets.pcapng");
    let trace = concat!(env!("CARGO_TARGET_TMPDIR"), "/trace.json");
    check(
        &["replay", "careful_client", plan, "--pcapng", packets, "--perfetto", trace],
        0,
        &["held"],
        "",
    );
    let packets = std::fs::read(packets).unwrap();
    assert_eq!(packets[..4], 0x0A0D_0D0A_u32.to_le_bytes());
    assert!(packets.windows(15).any(|bytes| bytes == b"lost on the way"));
    let trace: serde_json::Value = serde_json::from_slice(&std::fs::read(trace).unwrap()).unwrap();
    assert!(trace["traceEvents"].as_array().unwrap().len() > 20);

    let near = "no test is called `worlds::time_is_vitrual`\n  = nearly so called:\n      worlds::time_is_virtual";
    check(&["replay", "worlds::time_is_vitrual", "baseline"], 2, &[], near);
    check(
        &["replay", "careful_client", "a>b GET / #1 deliver-reply=lost"],
        2,
        &["no host is called `a`"],
        "",
    );
    check(&["run", "no such test"], 2, &[], "no test is called `no such test`");
}

const JSON: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/report.json");
const JUNIT: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/junit.xml");
/// Where reports of tests are written.
const REPORTS: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/../bizarro");

#[track_caller]
fn reports_are_written() {
    let slug = "worlds-a_careful_client_survives_every_fault";
    let line = format!("/bizarro/{slug}/report.html\n");
    let options = ["--jobs", "2", "--json", JSON, "--junit", JUNIT];
    check(&[&["matrix", "careful_client"][..], &options].concat(), 0, &[" report  ", &line], "");

    let json: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(JSON).unwrap()).unwrap();
    let report = &json["tests"][0];
    assert_eq!(report["test"], "worlds::a_careful_client_survives_every_fault");
    assert_eq!(report["summary"]["cells"], 24);
    assert_eq!(report["runs"][0]["plan"], "baseline");
    let sent =
        |event: &serde_json::Value| event["kind"] == "sent" && event["label"] == "tcp:7 #1 reply";
    assert!(report["runs"][0]["events"].as_array().unwrap().iter().any(sent));
    let variants = report["cells"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|cell| cell["variants"].as_array().unwrap());
    // All but those for which there was no room: of these everything held.
    let is_full = std::fs::metadata(JSON).unwrap().len() > 13_000_000;
    let mut led = 0;
    for variant in variants.filter(|variant| variant["skipped"].is_null()) {
        if variant["run"].is_number() {
            led += 1;
        } else {
            assert!(is_full && variant["outcome"] == "held", "no run of {}", variant["command"]);
        }
    }
    assert!(led > 20, "{led}");

    let xml = std::fs::read_to_string(JUNIT).unwrap();
    assert_eq!(xml.matches("<testcase ").count(), 24 + 2, "{xml}");
    let page = std::fs::read_to_string(format!("{REPORTS}/{slug}/report.html")).unwrap();
    assert!(page.starts_with("<!doctype html>"));

    // A single run has its page, too.
    let line = "/bizarro/worlds-time_is_virtual/report.html";
    check(&["replay", "time_is_virtual", "baseline", "--json", JSON], 0, &[line], "");
}

/// A world at both levels: what hosts ask each other, and what their groups do.
#[track_caller]
fn groups_are_one() {
    let without =
        |plan: &str| format!("cargo bizarro replay groups::two_replicas_are_one_store '{plan}'");
    let matrix = ["matrix", "two_replicas_are_one_store", "--jobs", "2", "--json", JSON];
    let hosts = [
        "balancer → db-1     POST /put",
        "db-1 → db-2         POST /copy",
        "balancer → counter  ~ degraded",
    ];
    check(&matrix, 0, &[&hosts[..], &[&without("client>balancer removed=refused")]].concat(), "");
    let read = || -> serde_json::Value {
        serde_json::from_str(&std::fs::read_to_string(JSON).unwrap()).unwrap()
    };
    let criticality = |report: &serde_json::Value| -> Vec<String> {
        let all = report["tests"][0]["dependencies"].as_array().unwrap();
        let told = all.iter().map(|d| {
            let name = |end: &str| d[end].as_str().unwrap().to_string();
            format!("{}>{} {}", name("client"), name("server"), name("criticality"))
        });
        told.collect()
    };
    let report = read();
    assert_eq!(report["tests"][0]["level"], "hosts");
    // Either replica can be missing.
    assert_eq!(
        criticality(&report),
        [
            "client>balancer critical",
            "balancer>counter degraded",
            "balancer>db-1 degraded",
            "db-1>db-2 degraded"
        ]
    );

    // But not both, and what one of them asks the other is not seen.
    check(
        &[&matrix[..], &["--groups"]].concat(),
        0,
        &["between groups", "balancer → db ", &without("balancer>db removed=refused")],
        "",
    );
    let report = read();
    assert_eq!(report["tests"][0]["level"], "groups");
    assert_eq!(
        criticality(&report),
        ["client>balancer critical", "balancer>counter degraded", "balancer>db critical"]
    );
    let servers = report["tests"][0]["exchanges"].as_array().unwrap().iter();
    assert!(servers.map(|exchange| &exchange["server"]).all(|server| server != "db-1"));

    let replay = |plan| ["replay", "two_replicas_are_one_store", plan];
    let struck = "balancer>db POST /put #2 update-server=crash";
    check(&replay(struck), 0, &["⚡", "fault at balancer>db-1 POST /put #2", "held"], "");
    check(
        &replay("balancer>db removed=partition"),
        1,
        &["⚡", "fault: nothing was heard of db-1", "the workload ends"],
        "",
    );
    check(
        &replay("db-1>db POST /put #1 deliver-reply=lost"),
        2,
        &["`db-1` is a host and `db` a group"],
        "",
    );
}

#[track_caller]
fn runs_stop_where_they_are_told(plan: &str) {
    let replay = |until| ["replay", "careful_client", plan, "--until", until];
    // Long before the client would be done.
    let waiting = ["stopped at 0.001000 s", "server task ", "client task ", "worlds::"];
    check(&replay("1ms"), 0, &waiting, "");
    check(&replay("fault at"), 0, &["the reply was lost on the way", "stopped at 0.012"], "");
    check(&replay("1h is no time"), 2, &["no event of this run has `1h is no time`"], "");
    check(&replay("100s"), 0, &["the run was over at "], "");
}

/// Before anything runs.
#[track_caller]
fn what_cannot_be_written_is_refused() {
    let absent = "error: cannot write /proc/none/report.json: No such file";
    check(&["matrix", "careful_client", "--json", "/proc/none/report.json"], 2, &[], absent);
    check(
        &["replay", "time_is_virtual", "baseline", "--record", "/proc/none/r"],
        2,
        &[],
        "cannot write",
    );
    let blocked = format!("{REPORTS}/worlds-time_is_virtual");
    std::fs::remove_dir_all(&blocked).unwrap();
    std::fs::write(&blocked, "in the way").unwrap();
    let said = bizarro(&["run", "time_is_virtual"]);
    std::fs::remove_file(&blocked).unwrap();
    assert_eq!(said.code, Some(2), "{}", said.stdout);
    assert_eq!(said.stdout, "");
    assert!(said.stderr.contains("worlds-time_is_virtual: File exists"), "{}", said.stderr);
}

/// A record whose build, test or content is another one.
#[track_caller]
fn repeat_what_is_not_of_this_build(file: &str) {
    let text = std::fs::read_to_string(file).unwrap();
    let build = text.split("\"build\":\"").nth(1).unwrap().split('"').next().unwrap();
    let changed = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        std::fs::write(file, text.replacen(from, to, 1)).unwrap();
    };
    changed(build, "0123456789abcdef");
    let said = bizarro(&["replay", file]);
    assert_eq!(said.code, Some(2), "{}", said.stdout);
    for part in [
        "was made by build 0123456789abcdef of `worlds::a_careful_client_survives_every_fault`",
        &format!("and this is build {build}"),
    ] {
        assert!(said.stdout.contains(part), "`{part}` is not in:\n{}", said.stdout);
    }
    let command = "cargo bizarro replay worlds::a_careful_client_survives_every_fault \
                   'client>server tcp:7 #1 deliver-reply=lost'";
    assert_eq!(said.stdout.lines().last(), Some(command));

    changed("\"fingerprint\":", "\"fingerprint\":1");
    check(&["replay", file], 4, &["not deterministic"], "");
    changed("\"format\":", "\"format\":9");
    check(&["replay", file], 2, &[], "this Bizarro reads format");
    std::fs::write(file, "nonsense").unwrap();
    check(&["replay", file], 2, &[], "record.json:1:2: this is not a record that Bizarro wrote");
    check(&["replay", "no-such-file"], 2, &[], "there is no file no-such-file");
}
