//! Names for the addresses of a backtrace: functions and lines, from the symbol table and the debug
//! information of the files that the addresses are in.
//!
//! Reading these takes a moment for a large program, so it is done for what is shown to somebody, not for
//! every run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use addr2line::Loader;
use bizarro_explore::{Finding, Verdict};
use bizarro_record::event::PROGRAM;
use bizarro_record::{Ending, Event, RunRecord};

/// The files that were looked at so far.
pub(crate) struct Symbols {
    program: PathBuf,
    /// By the name that a backtrace gives them; `None` where there is nothing to be read.
    files: BTreeMap<String, Option<Loader>>,
}

/// A function, and the place in it where that is known.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Named {
    function: String,
    place: Option<String>,
}

impl Symbols {
    /// For backtraces of the program at `program`.
    pub(crate) fn of(program: &Path) -> Symbols {
        Symbols { program: program.to_path_buf(), files: BTreeMap::new() }
    }

    /// For backtraces of this program itself, as a world process.
    pub(crate) fn own() -> Symbols {
        Symbols::of(Path::new("/proc/self/exe"))
    }

    /// Names the frames of a run.
    pub(crate) fn name_record(&mut self, record: &mut RunRecord) {
        for stamped in &mut record.events {
            if let Event::Panicked { backtrace, .. }
            | Event::Killed { backtrace, .. }
            | Event::Exited { backtrace, .. } = &mut stamped.event
            {
                *backtrace = self.named(backtrace);
            }
        }
        match &mut record.ending {
            Ending::Spinning { backtrace, .. } => *backtrace = self.named(backtrace),
            Ending::Deadline { tasks } | Ending::Deadlock { tasks } => {
                tasks.iter_mut().for_each(|task| task.backtrace = self.named(&task.backtrace));
            }
            Ending::Completed | Ending::Broken { .. } | Ending::Lost { .. } => {}
        }
    }

    /// Names the frames of a verdict.
    pub(crate) fn name_verdict(&mut self, verdict: &mut Verdict) {
        for violation in &mut verdict.broken {
            violation.backtrace = self.named(&violation.backtrace);
        }
    }

    /// Names the frames of findings that no fault brought about: the others are told in a line, and shown in
    /// full by the command that repeats them.
    pub(crate) fn name_findings(&mut self, findings: &mut [Finding]) {
        for finding in findings.iter_mut().filter(|finding| !finding.plan().names_faults()) {
            self.name_verdict(&mut finding.verdict);
        }
    }

    /// A backtrace with names in place of addresses, without what stands around every program.
    fn named(&mut self, backtrace: &str) -> String {
        let frames: Vec<Named> = backtrace.lines().flat_map(|line| self.frame(line)).collect();
        let lines = of_the_program(&frames).iter().map(|frame| match &frame.place {
            Some(place) => format!("{} at {}", frame.function, shortened(place)),
            None => frame.function.clone(),
        });
        folded(lines.collect()).join("\n")
    }

    /// What a line of a backtrace stands for: several functions where the compiler put one into the other.
    fn frame(&mut self, line: &str) -> Vec<Named> {
        let parsed = line
            .rsplit_once("+0x")
            .and_then(|(file, address)| Some((file, u64::from_str_radix(address, 16).ok()?)));
        let found = parsed.map_or(vec![], |(file, address)| match self.file(file) {
            Some(loader) => look_up(loader, address),
            None => vec![],
        });
        // The directory of a library says nothing.
        let unnamed =
            || Named { function: line.rsplit('/').next().unwrap_or(line).into(), place: None };
        if found.is_empty() { vec![unnamed()] } else { found }
    }

    fn file(&mut self, name: &str) -> Option<&Loader> {
        let path = if name == PROGRAM { self.program.as_path() } else { Path::new(name) };
        let load = || path.is_absolute().then(|| Loader::new(path).ok()).flatten();
        self.files.entry(name.to_string()).or_insert_with(load).as_ref()
    }
}

/// A place as the compiler's own messages name it: from the workspace on for the user's code, from the package
/// on for code from a registry, and from `library` on for the standard library.
fn shortened(place: &str) -> &str {
    let package = place.split_once("/registry/src/").and_then(|(_, rest)| rest.split_once('/'));
    let library = place.strip_prefix("/rustc/").and_then(|rest| rest.split_once('/'));
    if let Some((_, rest)) = package.or(library) {
        return rest;
    }
    // The file itself tells, so that the text does not depend on the current directory.
    let has_lock = |directory: &&Path| directory.join("Cargo.lock").is_file();
    let workspace = Path::new(place).ancestors().skip(1).find(has_lock).and_then(Path::to_str);
    let rest = workspace.and_then(|workspace| place.strip_prefix(workspace));
    rest.map_or(place, |rest| rest.trim_start_matches('/'))
}

/// A function that calls itself is told once, with how often.
fn folded(lines: Vec<String>) -> Vec<String> {
    const SHOWN: usize = 2;
    let mut folded = Vec::new();
    for alike in lines.chunk_by(|one, other| one == other) {
        folded.extend(alike.iter().take(SHOWN).cloned());
        if alike.len() > SHOWN {
            folded.push(format!("… {} more frames of the same", alike.len() - SHOWN));
        }
    }
    folded
}

/// The functions at an address, the innermost first. Debug information of lines only leaves out functions, or names them
/// without their module: what is around all others has a symbol, with all of its name.
fn look_up(loader: &Loader, address: u64) -> Vec<Named> {
    let symbol = loader.find_symbol(address).map(|name| {
        let name = addr2line::demangle_auto(name.into(), None);
        without_hash(&name).to_string()
    });
    let mut found: Vec<(Option<String>, Option<String>)> = Vec::new();
    if let Ok(mut frames) = loader.find_frames(address) {
        while let Ok(Some(frame)) = frames.next() {
            let function = frame.function.as_ref().and_then(|name| name.demangle().ok());
            let place = frame
                .location
                .as_ref()
                .and_then(|location| Some(format!("{}:{}", location.file?, location.line?)));
            found.push((function.map(|name| without_hash(&name).to_string()), place));
        }
    }
    if found.is_empty() {
        found.push((None, None));
    }
    if let Some((function, _)) = found.last_mut()
        && function.as_ref().is_none_or(|name| !name.contains("::"))
    {
        *function = symbol.or(function.take());
    }
    let named = |(function, place): (Option<String>, _)| Some(Named { function: function?, place });
    found.into_iter().filter_map(named).collect()
}

/// A name without the compiler's hash of the crate, which tells a reader nothing.
fn without_hash(name: &str) -> &str {
    const HASH: usize = "::h0123456789abcdef".len();
    let Some(at) = name.len().checked_sub(HASH).filter(|at| name.is_char_boundary(*at)) else {
        return name;
    };
    let is_hash = name[at..]
        .strip_prefix("::h")
        .is_some_and(|digits| digits.chars().all(|c| c.is_ascii_hexdigit()));
    if is_hash { &name[..at] } else { name }
}

/// The standard library's own mark: what a panic does is above it, what led to it below.
const PANICKING: &str = "__rust_end_short_backtrace";
/// What carries an end out that a program asks for: whoever asked is below it.
const EXITING: &str = "std::process::exit";
/// What stands between the mark and whoever panicked.
const TO_PANIC: [&str; 2] = ["rust_begin_unwind", "core::panicking::"];
/// What calls a program, or a thread of one.
const AROUND: [&str; 2] = ["__rust_begin_short_backtrace", "bizarro::program::run_program"];

/// The frames that are the program's own: between what carries a panic or an end out and what called the program.
/// Where that would leave none of a panic, all of them.
fn of_the_program(frames: &[Named]) -> &[Named] {
    let is = |marks: [&'static str; 2]| {
        move |frame: &Named| marks.iter().any(|mark| frame.function.contains(mark))
    };
    if let Some(exit) = frames.iter().position(|frame| frame.function == EXITING) {
        let end = frames.iter().position(is(AROUND)).unwrap_or(frames.len());
        return &frames[exit + 1..end.max(exit + 1)];
    }
    let mark = frames.iter().position(|frame| frame.function.contains(PANICKING));
    let below = mark.map_or(frames, |mark| &frames[mark + 1..]);
    let skipped = below.iter().take_while(|frame| mark.is_some() && is(TO_PANIC)(frame)).count();
    let own = &below[skipped..];
    let end = own.iter().position(is(AROUND)).unwrap_or(own.len());
    if end == 0 { frames } else { &own[..end] }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(names: &[&str]) -> Vec<Named> {
        names.iter().map(|name| Named { function: name.to_string(), place: None }).collect()
    }

    #[track_caller]
    fn check_own(names: &[&str], expected: &[&str]) {
        assert_eq!(of_the_program(&frames(names)), frames(expected));
    }

    #[test]
    fn what_is_around_a_program_is_left_out() {
        check_own(
            &[
                "bizarro::program::report_panics::{{closure}}",
                "std::sys::backtrace::__rust_end_short_backtrace",
                "__rustc::rust_begin_unwind",
                "core::panicking::panic_fmt",
                "pacman::parse",
                "pacman::main",
                "std::panicking::catch_unwind",
                "bizarro::program::run_program",
                "start_thread",
            ],
            &["pacman::parse", "pacman::main", "std::panicking::catch_unwind"],
        );
        check_own(&["abort", "pacman::main"], &["abort", "pacman::main"]);
        let exit = ["_exit", "exit", "std::process::exit"];
        let around = ["bizarro::program::run_program", "start_thread"];
        check_own(&[&exit[..], &["pacman::main"], &around].concat(), &["pacman::main"]);
        // A `main` that returned an error is where no function of it is left.
        check_own(&[&exit[..], &around].concat(), &[]);
        check_own(&["bizarro::program::run_program"], &["bizarro::program::run_program"]);
        check_own(&[], &[]);
    }

    /// The address of a function is where its first line is.
    #[test]
    fn functions_of_this_test_have_names_and_places() {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let start = maps.split('-').next().unwrap();
        let base = u64::from_str_radix(start, 16).unwrap();
        let here: fn() = functions_of_this_test_have_names_and_places;
        let line = format!("{PROGRAM}+{:#x}", here as usize as u64 - base);
        let named = Symbols::own().named(&format!("{line}\nunknown+0x5000\n"));
        let (first, rest) = named.split_once('\n').unwrap();
        assert!(
            first.contains("functions_of_this_test_have_names_and_places at crates/bizarro/src/supervisor/symbols.rs:"),
            "{first}"
        );
        assert_eq!(rest, "unknown+0x5000");
    }

    #[test]
    fn places_begin_where_a_reader_knows_them() {
        let here = concat!(env!("CARGO_MANIFEST_DIR"), "/src/lib.rs:7");
        assert_eq!(shortened(here), "crates/bizarro/src/lib.rs:7");
        let library = "/rustc/59807616e1fa2540/library/std/src/process.rs:2";
        assert_eq!(shortened(library), "library/std/src/process.rs:2");
        let registry =
            "/home/me/.cargo/registry/src/index.crates.io-1949/tokio-1.48.0/src/lib.rs:1";
        assert_eq!(shortened(registry), "tokio-1.48.0/src/lib.rs:1");
        assert_eq!(shortened("/opt/c/main.c:3"), "/opt/c/main.c:3");
    }

    #[test]
    fn a_function_that_calls_itself_is_told_briefly() {
        let lines = |names: &[&str]| names.iter().map(|name| name.to_string()).collect::<Vec<_>>();
        let deep = folded(lines(&["a", "a", "a", "a", "b", "b", "a"]));
        assert_eq!(deep, ["a", "a", "… 2 more frames of the same", "b", "b", "a"]);
    }

    #[test]
    fn a_hash_is_no_part_of_a_name() {
        assert_eq!(without_hash("a::b::h0123456789abcdef"), "a::b");
        assert_eq!(without_hash("a::b"), "a::b");
        assert_eq!(without_hash("h"), "h");
    }
}
