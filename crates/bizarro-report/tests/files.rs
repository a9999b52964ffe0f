//! Records as files, and exit codes.

use std::fs;
use std::path::{Path, PathBuf};

use bizarro_explore::toy::{Board, Player, Toy};
use bizarro_explore::{
    MatrixOptions, MatrixReport, Outcome, Repeat, Runner, RunnerError, Silent, Verdict, compare,
};
use bizarro_record::{Plan, RunRecord};
use bizarro_report::{
    DATA, Exit, FileError, PAGE, load, prepare_file, prepare_folder, save, write_file,
};
use expect_test::{Expect, expect};

/// A folder of its own for a test, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path =
            std::env::temp_dir().join(format!("bizarro-report-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// What an error says, with the folder's name left out.
    fn told(&self, path: &Path, build: Option<&str>) -> String {
        let error = load(path, build).unwrap_err().to_string();
        error.replace(self.0.to_str().unwrap(), "DIR")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn record() -> RunRecord {
    let plan = "seed=9; player>board POST /move #2 deliver-reply=lost";
    Toy::new(Player::Naive).play(&plan.parse().unwrap())
}

#[test]
fn a_record_is_read_as_it_was_written() {
    let folder = Folder::new("round-trip");
    let path = folder.file("record.json");
    for _ in 0..2 {
        save(&record(), &path).unwrap();
        assert_eq!(load(&path, Some("toy")).unwrap(), record());
        assert_eq!(load(&path, None).unwrap(), record());
    }
    let names: Vec<_> = fs::read_dir(&folder.0).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["record.json"]);
}

#[track_caller]
fn refused(name: &str, content: &str, build: Option<&str>, expected: Expect) {
    let folder = Folder::new(name);
    let path = folder.file("record.json");
    fs::write(&path, content).unwrap();
    expected.assert_eq(&folder.told(&path, build));
}

fn written() -> String {
    serde_json::to_string(&record()).unwrap()
}

#[test]
fn a_record_of_another_build_is_refused_with_what_to_do() {
    let content = written();
    refused(
        "build",
        &content,
        Some("pacman-77aa"),
        expect![[r#"
            DIR/record.json was made by build toy of `pacman::toy`, and this is build pacman-77aa: another program may run another way
              = build as it was then (same sources, same profile), or try its plan on this build:
            cargo bizarro replay pacman::toy 'seed=9; player>board POST /move #2 deliver-reply=lost'"#]],
    );
}

#[test]
fn a_record_of_another_format_is_refused_before_the_rest_is_read() {
    refused(
        "format",
        r#"{"format": 7, "surprise": []}"#,
        None,
        expect!["DIR/record.json is a record of format 7; this Bizarro reads format 6"],
    );
}

#[test]
fn what_is_no_record_is_refused_with_the_place() {
    refused(
        "text",
        "hello\n",
        None,
        expect!["DIR/record.json:1:1: this is not a record that Bizarro wrote: expected value"],
    );
    let content = written();
    let cut = content.find("\"fingerprint\":").expect("a record has one");
    refused(
        "short",
        &content[..cut].replace(",\"", ",\n\""),
        None,
        expect![
            "DIR/record.json:17:19: this is not a record that Bizarro wrote: EOF while parsing a value"
        ],
    );
    refused(
        "other",
        "{\"format\": 6,\n \"build\": 3}",
        None,
        expect![
            "DIR/record.json:2:11: this is not a record that Bizarro wrote: invalid type: integer `3`, expected a string"
        ],
    );
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let folder = Folder::new("missing");
    expect!["cannot read DIR/record.json: No such file or directory (os error 2)"]
        .assert_eq(&folder.told(&folder.file("record.json"), None));
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let folder = Folder::new("unwritable");
    let error = save(&record(), &folder.file("no/record.json")).unwrap_err().to_string();
    expect!["cannot write DIR/no/record.json: No such file or directory (os error 2)"]
        .assert_eq(&error.replace(folder.0.to_str().unwrap(), "DIR"));
}

fn explored(toy: Toy) -> MatrixReport {
    let mut runners: Vec<Box<dyn Runner + Send>> = vec![Box::new(toy)];
    bizarro_explore::matrix(&mut runners, MatrixOptions::default(), &mut Silent).unwrap()
}

#[test]
fn a_matrix_exits_as_its_worst_cell() {
    assert_eq!(Exit::of_matrix(&explored(Toy::new(Player::Careful))), Exit::Held);
    let naive = explored(Toy::new(Player::Naive));
    assert_eq!(Exit::of_matrix(&naive), Exit::Violated);
    let exotic = Toy { board: Board::Exotic, ..Toy::new(Player::Careful) };
    assert_eq!(Exit::of_matrix(&explored(exotic)), Exit::Inconclusive);

    let mut differs = naive;
    let mut other = differs.baseline.clone();
    other.fingerprint ^= 1;
    differs.difference = compare(&differs.baseline, &other);
    assert_eq!(Exit::of_matrix(&differs), Exit::Nondeterminism);

    let mut interrupted = explored(Toy::new(Player::Careful));
    interrupted.interrupted = true;
    assert_eq!(Exit::of_matrix(&interrupted), Exit::Inconclusive);
}

#[test]
fn schedules_exit_as_their_worst_run() {
    let exit = |board| {
        let toy = Toy { board, turns: 20, ..Toy::new(Player::Careful) };
        let mut runners: Vec<Box<dyn Runner + Send>> = vec![Box::new(toy)];
        let report =
            bizarro_explore::schedules(&mut runners, 30, Repeat::Baseline, &mut Silent).unwrap();
        Exit::of_schedules(&report)
    };
    assert_eq!(
        [Board::Sound, Board::Racy, Board::Exotic].map(exit),
        [Exit::Held, Exit::Violated, Exit::Inconclusive]
    );
}

#[test]
fn what_was_never_seen_is_violated() {
    let short = Toy { turns: 1, ..Toy::new(Player::Careful) };
    assert_eq!(Exit::of_properties(&explored(short).properties), Exit::Violated);
    assert_eq!(Exit::of_properties(&explored(Toy::new(Player::Careful)).properties), Exit::Held);
}

#[test]
fn a_verdict_and_an_error_have_an_exit() {
    let exit = |outcome| Exit::of_verdict(&Verdict { outcome, ..Verdict::held() });
    use Outcome::{Crashed, Held, Inconclusive, NotApplicable, Stuck, Violated};
    assert_eq!(
        [Held, NotApplicable, Inconclusive, Stuck, Crashed, Violated].map(exit).map(Exit::code),
        [0, 3, 3, 1, 1, 1]
    );
    let errors = [
        RunnerError::Usage(String::new()),
        RunnerError::Interrupted,
        RunnerError::Bug(String::new()),
    ];
    assert_eq!(errors.map(|error| Exit::of_error(&error).code()), [2, 3, 5]);
}

#[test]
fn the_exit_that_makes_the_others_untrustworthy_wins() {
    use Exit::{Held, Inconclusive, Nondeterminism, OurBug, Usage, Violated};
    assert_eq!(Exit::worst([]), Held);
    assert_eq!(Exit::worst([Held, Inconclusive]), Inconclusive);
    assert_eq!(Exit::worst([Violated, Inconclusive]), Violated);
    assert_eq!(Exit::worst([Violated, Nondeterminism]), Nondeterminism);
    assert_eq!(Exit::worst([Usage, OurBug, Nondeterminism]), OurBug);
}

#[test]
fn a_plan_in_a_refusal_can_be_tried() {
    let folder = Folder::new("try");
    let path = folder.file("record.json");
    save(&record(), &path).unwrap();
    let text = load(&path, Some("other")).unwrap_err().to_string();
    let command = text.lines().last().unwrap();
    let plan: Plan = shlex::split(command).unwrap()[4].parse().unwrap();
    assert_eq!(plan, record().plan);
}

#[test]
fn a_folder_is_made_ready_and_reports_of_before_are_gone() {
    let folder = Folder::new("ready");
    let reports = folder.file("target/bizarro/t");
    for _ in 0..2 {
        prepare_folder(&reports).unwrap();
        assert_eq!(fs::read_dir(&reports).unwrap().count(), 0);
        for name in [PAGE, DATA] {
            write_file(&reports.join(name), b"old").unwrap();
        }
    }
    assert_eq!(fs::read(reports.join(PAGE)).unwrap(), b"old");
}

#[test]
fn what_cannot_be_written_says_why_before_the_work_and_after() {
    let folder = Folder::new("refused");
    fs::write(folder.file("in-the-way"), "").unwrap();
    let told = |result: Result<(), FileError>| {
        result.unwrap_err().to_string().replace(folder.0.to_str().unwrap(), "DIR")
    };
    let below = folder.file("in-the-way/reports");
    let absent = folder.file("absent/report.json");
    for error in [prepare_folder(&below), prepare_file(&below), write_file(&below, b"")] {
        assert_eq!(
            told(error),
            "cannot write DIR/in-the-way/reports: Not a directory (os error 20)"
        );
    }
    for error in [prepare_file(&absent), write_file(&absent, b"")] {
        let expected =
            "cannot write DIR/absent/report.json: No such file or directory (os error 2)";
        assert_eq!(told(error), expected);
    }
    assert_eq!(told(prepare_file(&folder.0)), "cannot write DIR: is a directory");
    assert!(folder.file("in-the-way").is_file());
}

/// A device is written to: it must not become a file.
#[test]
fn what_is_no_plain_file_stays_what_it_is() {
    let null = Path::new("/dev/null");
    prepare_file(null).unwrap();
    write_file(null, b"report").unwrap();
    assert!(!fs::metadata(null).unwrap().is_file());
    let full = write_file(Path::new("/dev/full"), b"report").unwrap_err().to_string();
    assert_eq!(full, "cannot write /dev/full: No space left on device (os error 28)");
}

/// Looking whether a file can be written leaves it as it is.
#[test]
fn a_file_that_is_there_is_kept_until_it_is_replaced() {
    let folder = Folder::new("kept");
    let path = folder.file("report.json");
    write_file(&path, b"old").unwrap();
    prepare_file(&path).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"old");
    write_file(&path, b"new").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 1);
}
