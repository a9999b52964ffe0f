//! Plans as TOML files, for those that are too long for a line: the same parts, each in a table of its own.
//!
//! A table is put together as the part of a line that it stands for, and read as that: there is one grammar.

mod write;

use std::fmt::Display;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use bizarro_record::Plan;
use serde::Deserialize;
use toml::Spanned;

pub use write::to_toml;

/// Version of the format.
const VERSION: i64 = 1;
/// What such a file ends with.
pub const ENDING: &str = ".toml";

/// A plan that was read from a file, and where each of its parts stands there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PlanFile {
    source: Source,
    /// It.
    pub plan: Plan,
    parts: Vec<(Range<usize>, Plan)>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Source {
    path: PathBuf,
    text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    version: Spanned<i64>,
    seed: Option<u64>,
    schedule: Option<Spanned<String>>,
    jitter: Option<Spanned<String>>,
    drawn: Option<Spanned<Drawn>>,
    #[serde(default)]
    deviations: Vec<Spanned<String>>,
    #[serde(default)]
    removed: Vec<Spanned<Removed>>,
    #[serde(default)]
    incident: Vec<Spanned<Incident>>,
    #[serde(default)]
    fault: Vec<Spanned<Fault>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Drawn {
    one_in: u32,
    effects: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Removed {
    client: String,
    server: String,
    effect: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Incident {
    at: Option<Spanned<String>>,
    after: Option<Spanned<String>>,
    count: Option<u32>,
    later: Option<String>,
    #[serde(rename = "for")]
    lasting: Option<Spanned<String>>,
    heals_at: Option<Spanned<String>>,
    until: Option<String>,
    until_count: Option<u32>,
    trouble: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Fault {
    at: String,
    step: String,
    effect: String,
    #[serde(default)]
    sticky: bool,
}

/// Something that is wrong with a piece of the file.
struct Wrong {
    at: Range<usize>,
    found: String,
    expected: String,
}

impl Wrong {
    fn new(at: Range<usize>, found: impl Into<String>, expected: impl Into<String>) -> Wrong {
        Wrong { at, found: found.into(), expected: expected.into() }
    }
}

impl PlanFile {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// Where it cannot be read, or is no plan: with the line, what was found there and what was expected.
    pub fn read(path: &Path) -> Result<PlanFile, String> {
        let text =
            fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        PlanFile::parse(path, text)
    }

    fn parse(path: &Path, text: String) -> Result<PlanFile, String> {
        let source = Source { path: path.to_path_buf(), text };
        match parts(&source.text) {
            Ok((plan, parts)) => Ok(PlanFile { source, plan, parts }),
            Err(wrong) => Err(source.told(&wrong.at, wrong.found, wrong.expected)),
        }
    }

    /// The first part to which `objection` has something to say, as it says it but with its place in the file.
    pub(crate) fn objection(&self, objection: impl Fn(&Plan) -> Option<String>) -> Option<String> {
        self.parts.iter().find_map(|(at, part)| {
            let said = objection(part)?;
            let mut lines = said.lines();
            let found = lines.next().unwrap_or_default();
            let help = lines.find_map(|line| line.strip_prefix("  = ")).unwrap_or_default();
            Some(self.source.told(at, found, help))
        })
    }
}

impl Source {
    /// `found`, the line it is about and a mark below it, and what was `expected`.
    fn told(&self, at: &Range<usize>, found: impl Display, expected: impl Display) -> String {
        let start = at.start.min(self.text.len());
        let before = &self.text[..start];
        let number = before.matches('\n').count() + 1;
        let begin = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = self.text[begin..].lines().next().unwrap_or_default();
        let column = self.text[begin..start].chars().count();
        let length = self.text.get(start..at.end.min(begin + line.len()).max(start));
        let marks = "^".repeat(length.map_or(1, |marked| marked.chars().count()).max(1));
        let margin = " ".repeat(number.to_string().len());
        format!(
            "{found}\n{margin}--> {}:{number}\n{margin} |\n{number} | {line}\n{margin} | {}{marks}\n{margin} = {expected}",
            self.path.display(),
            " ".repeat(column),
        )
    }
}

type Parts = Vec<(Range<usize>, Plan)>;

fn parts(text: &str) -> Result<(Plan, Parts), Wrong> {
    let file: File = toml::from_str(text).map_err(|error| {
        Wrong::new(error.span().unwrap_or(0..0), error.message(), "a plan as docs/plans.md has it")
    })?;
    if *file.version.get_ref() != VERSION {
        let found = format!("a plan of version {}", file.version.get_ref());
        return Err(Wrong::new(
            file.version.span(),
            found,
            format!("this Bizarro reads version {VERSION}"),
        ));
    }
    let mut plan = Plan { seed: file.seed.unwrap_or(0), ..Plan::default() };
    let mut parts = Vec::new();
    let mut add = |at: Range<usize>, text: String| {
        let part: Plan = text.parse().map_err(|error: bizarro_record::SpecError| {
            Wrong::new(
                at.clone(),
                format!("found `{}`", error.found),
                format!("expected {}", error.expected),
            )
        })?;
        plan.take_in(part.clone());
        parts.push((at, part));
        Ok(())
    };
    if let Some(schedule) = file.schedule {
        let at = schedule.span();
        match schedule.into_inner() {
            fair if fair == "fair" => {}
            other if other == "random" || other.starts_with("pct=") => add(at, other)?,
            other => {
                let found = format!("found `{other}`");
                return Err(Wrong::new(
                    at,
                    found,
                    "expected `fair`, `random` or `pct=DEPTH/STEPS`",
                ));
            }
        }
    }
    for deviation in file.deviations {
        add(deviation.span(), deviation.into_inner())?;
    }
    if let Some(jitter) = file.jitter {
        add(jitter.span(), format!("jitter={}", jitter.get_ref()))?;
    }
    if let Some(drawn) = file.drawn {
        let Drawn { one_in, effects } = drawn.get_ref();
        add(drawn.span(), format!("faults=1/{one_in} {}", effects.join(",")))?;
    }
    for removed in file.removed {
        let Removed { client, server, effect } = removed.get_ref();
        add(removed.span(), format!("{client}>{server} removed={effect}"))?;
    }
    for table in file.incident {
        let at = table.span();
        let (at, text) = incident(at, table.into_inner())?;
        add(at, text)?;
    }
    for fault in file.fault {
        let Fault { at, step, effect, sticky } = fault.get_ref();
        let plus = if *sticky { "+" } else { "" };
        add(fault.span(), format!("{at}{plus} {step}={effect}"))?;
    }
    Ok((plan, parts))
}

/// The incident of a table as a part of a line, and the piece of the file that it is blamed on.
fn incident(table: Range<usize>, incident: Incident) -> Result<(Range<usize>, String), Wrong> {
    const WHEN: &str =
        "`at = \"3s\"` or `after = \"committed\"` (with `count = 3` and `later = \"2s\"`)";
    let moment = match (&incident.at, &incident.after) {
        (Some(at), None) if incident.count.is_none() && incident.later.is_none() => {
            format!("at {}", at.get_ref())
        }
        (None, Some(name)) => {
            let later = incident.later.as_ref().map_or(String::new(), |later| format!(" +{later}"));
            format!("after \"{}\" #{}{later}", name.get_ref(), incident.count.unwrap_or(1))
        }
        (Some(_), Some(second)) => {
            return Err(Wrong::new(second.span(), "two moments of one incident", WHEN));
        }
        (Some(at), None) => {
            return Err(Wrong::new(at.span(), "`count` and `later` belong to `after`", WHEN));
        }
        (None, None) => return Err(Wrong::new(table, "an incident without a moment", WHEN)),
    };
    let count = incident.until_count.unwrap_or(1);
    let ends = [
        incident.lasting.as_ref().map(|lasting| format!(" for {}", lasting.get_ref())),
        incident.heals_at.as_ref().map(|heals| until_time(&moment, heals)).transpose()?,
        incident.until.as_ref().map(|name| format!(" until \"{name}\" #{count}")),
    ];
    let mut ends = ends.into_iter().flatten();
    let end = ends.next().unwrap_or_default();
    if ends.next().is_some() {
        const ENDS: &str = "one of `for`, `heals-at` and `until`";
        return Err(Wrong::new(table, "two ends of one incident", ENDS));
    }
    let trouble = incident.trouble.get_ref();
    let text = format!("{moment}{end}: {trouble}");
    // Blame what is wrong by itself.
    let blamed = match trouble.parse::<bizarro_record::Trouble>() {
        Err(_) => incident.trouble.span(),
        Ok(_) => match incident
            .lasting
            .as_ref()
            .filter(|_| moment.parse::<bizarro_record::Moment>().is_ok())
        {
            Some(lasting) if text.parse::<Plan>().is_err() => lasting.span(),
            _ if text.parse::<Plan>().is_ok() => incident.trouble.span(),
            _ => incident.at.or(incident.after).map_or(table, |moment| moment.span()),
        },
    };
    Ok((blamed, text))
}

/// The end of an incident that is over at a time.
fn until_time(moment: &str, heals: &Spanned<String>) -> Result<String, Wrong> {
    use bizarro_record::{Moment, Nanos};
    let time = |text: &str| match format!("at {text}").parse() {
        Ok(Moment::Time(at)) => Some(at),
        _ => None,
    };
    let wrong = |found: String, expected: &str| Wrong::new(heals.span(), found, expected);
    let Some(over) = time(heals.get_ref()) else {
        return Err(wrong(format!("found `{}`", heals.get_ref()), "expected a time, such as `8s`"));
    };
    let Some(begin) = moment.strip_prefix("at ").and_then(time) else {
        const FOR: &str = "`heals-at` goes with a time in `at`; with other moments write `for`";
        return Err(wrong("the end at a time of what begins at no known time".to_string(), FOR));
    };
    if over <= begin {
        let found = format!("it heals at {}, and begins at {}", heals.get_ref(), &moment[3..]);
        return Err(wrong(found, "a later time than that in `at`"));
    }
    let Nanos(lasting) = over - begin;
    Ok(format!(" for {lasting}ns"))
}

#[cfg(test)]
mod tests;
