//! The commands that build a workspace's tests and have them do the work, on the tests of `bizarro`
//! itself.

use std::process::Command;

struct Said {
    stdout: String,
    stderr: String,
    code: Option<i32>,
}

/// Runs a command on the tests of `bizarro`, as they are already built.
fn bizarro(arguments: &[&str]) -> Said {
    let output = Command::new(env!("CARGO_BIN_EXE_cargo-bizarro"))
        .arg("bizarro")
        .args(arguments)
        .args(["--package", "bizarro", "--profile", "dev"])
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
    let plan = "client>server tcp:7 #1 deliver-reply=lost";
    check(&["replay", "careful_client", plan], 0, &["⚡", "the reply was lost", "held"], "");
    check(&["replay", "time_is_virtual", "baseline", "--trace"], 0, &["clock_nanosleep("], "");

    let file = concat!(env!("CARGO_TARGET_TMPDIR"), "/record.json");
    check(&["replay", "careful_client", plan, "--record", file], 0, &["held"], "");
    check(&["replay", file], 0, &["⚡", "the reply was lost", "held"], "");
    repeat_what_is_not_of_this_build(file);

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
