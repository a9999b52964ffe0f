//! Numbers, times and commands as people write them.

use bizarro_record::{Nanos, Plan};

/// The command that repeats a run: the inverse of the command line's parser.
pub fn replay_command(test: &str, plan: &Plan) -> String {
    let plan = plan.to_string();
    // A plan is always quoted, for it looks like one thing and is one argument.
    let plan = if plan.contains(' ') { quoted(&plan) } else { word(&plan) };
    format!("cargo bizarro replay {} {plan}", word(test))
}

/// `text` as one word of a POSIX shell, without quotes where it needs none.
fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-:./=,+".contains(c);
    if !text.is_empty() && text.chars().all(plain) { text.to_string() } else { quoted(text) }
}

/// `text` in single quotes; a quote in it ends them, stands escaped, and begins them again.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A length of virtual time, with three digits or so: `350 µs`, `12.3 ms`, `3.10 s`, `2 min 5 s`.
pub(crate) fn span(time: Nanos) -> String {
    let seconds = time.0 as f64 / 1e9;
    if time.0 < 1_000 {
        format!("{} ns", time.0)
    } else if time.0 < 1_000_000 {
        format!("{} µs", time.0 / 1_000)
    } else if time.0 < 1_000_000_000 {
        format!("{:.1} ms", seconds * 1e3)
    } else if seconds < 120.0 {
        format!("{seconds:.2} s")
    } else {
        format!("{} min {} s", time.0 / 60_000_000_000, time.0 / 1_000_000_000 % 60)
    }
}

/// `1,344`
pub(crate) fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 cell`, `1,344 cells`; `singular` is a noun that takes an s.
pub(crate) fn count(n: u64, singular: &str) -> String {
    let s = if n == 1 { "" } else { "s" };
    format!("{} {singular}{s}", thousands(n))
}

/// `1st`, `2nd`, `3rd`, `11th`
pub(crate) fn ordinal(n: u32) -> String {
    let suffix = match (n % 10, n % 100) {
        (1, hundred) if hundred != 11 => "st",
        (2, hundred) if hundred != 12 => "nd",
        (3, hundred) if hundred != 13 => "rd",
        _ => "th",
    };
    format!("{n}{suffix}")
}

/// ` (attempt 2)`, or nothing for a first one.
pub(crate) fn attempt(number: u32) -> String {
    if number > 1 { format!(" (attempt {number})") } else { String::new() }
}

/// Status of a reply: of HTTP, or of gRPC, whose numbers are small.
pub(crate) fn status(number: u16) -> String {
    if number < 100 { format!("gRPC status {number}") } else { number.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bizarro_record::{
        Effect, End, ExchangeId, FORMS, Incident, Injection, Milestone, Moment, Removal, Schedule,
        Step,
    };
    use proptest::prelude::*;

    #[test]
    fn commands_are_quoted_where_a_shell_needs_it() {
        let command = |test: &str, plan: &str| replay_command(test, &plan.parse().unwrap());
        assert_eq!(
            command("pacman::naive", "baseline"),
            "cargo bizarro replay pacman::naive baseline"
        );
        assert_eq!(
            command("pacman", "seed=7; random"),
            "cargo bizarro replay pacman 'seed=7; random'"
        );
        assert_eq!(
            command("pacman", "a>b GET /o'hara?x=$Y #1 post-reply=reset"),
            r"cargo bizarro replay pacman 'a>b GET /o'\''hara?x=$Y #1 post-reply=reset'"
        );
    }

    #[test]
    fn times_have_three_digits_or_so() {
        let spans =
            [7, 999_999, 12_345_678, 3_100_000_000, 125_000_000_000].map(|n| span(Nanos(n)));
        assert_eq!(spans, ["7 ns", "999 µs", "12.3 ms", "3.10 s", "2 min 5 s"]);
    }

    #[test]
    fn numbers_are_grouped_and_counted() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([count(1, "cell"), count(1_344, "run")], ["1 cell", "1,344 runs"]);
        let ordinals = [1, 2, 3, 4, 11, 12, 13, 21, 102, 111].map(ordinal);
        assert_eq!(
            ordinals,
            ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "102nd", "111th"]
        );
    }

    fn injections() -> impl Strategy<Value = Injection> {
        let faults: Vec<(Step, Effect)> = Step::ALL
            .into_iter()
            .flat_map(|step| Effect::of(step).iter().map(move |effect| (step, *effect)))
            .collect();
        (exchanges(), prop::sample::select(faults))
            .prop_map(|(exchange, (step, effect))| Injection::once(exchange, step, effect))
    }

    const HOST: &str = "[a-z][a-z0-9.-]{0,8}";

    fn exchanges() -> impl Strategy<Value = ExchangeId> {
        let name = "(GET|POST|tcp:80) /[!-~é中]{0,20}";
        (HOST, HOST, name, 1u32..).prop_map(|(client, server, name, ordinal)| ExchangeId {
            client,
            server,
            name,
            ordinal,
        })
    }

    fn removals() -> impl Strategy<Value = Removal> {
        (HOST, HOST, prop::sample::select(&Removal::EFFECTS[..]))
            .prop_map(|(client, server, effect)| Removal { client, server, effect })
    }

    fn milestones() -> impl Strategy<Value = Milestone> {
        ("[ !#-:<-~é中]{1,12}", 1u32..).prop_map(|(name, count)| Milestone { name, count })
    }

    /// Each kind of trouble, at any moment, with any end that it can have.
    fn incidents() -> impl Strategy<Value = Incident> {
        let times = || (0u64..1 << 60).prop_map(Nanos);
        let moments = prop_oneof![
            times().prop_map(Moment::Time),
            (HOST, 1u64..).prop_map(|(host, number)| Moment::Call { host, number }),
            (HOST, 1u64..).prop_map(|(host, change)| Moment::Disk { host, change }),
            (exchanges(), prop::sample::select(&Step::ALL[..]))
                .prop_map(|(exchange, step)| Moment::Step { exchange, step }),
            (milestones(), times())
                .prop_map(|(milestone, later)| Moment::Milestone { milestone, later }),
        ];
        let ends = prop::option::of((1u64..1 << 60).prop_map(Nanos).prop_map(End::After));
        let examples = FORMS.iter().map(|form| form.example.parse::<Incident>().unwrap());
        let examples: Vec<Incident> = examples.collect();
        (moments, ends, prop::sample::select(examples)).prop_map(|(moment, end, example)| {
            // What cannot end at a time keeps the end of its example.
            let incident = Incident { moment, end, trouble: example.trouble.clone() };
            match incident.to_string().parse::<Incident>() {
                Ok(_) => incident,
                Err(_) => Incident { end: example.end, ..incident },
            }
        })
    }

    proptest! {
        #[test]
        fn every_command_reads_back_as_its_test_and_plan(
            test in "[a-z_']{1,9}(::[a-z_ ]{1,9})?",
            seed: u64,
            random: bool,
            removals in prop::collection::vec(removals(), 0..2),
            incidents in prop::collection::vec(incidents(), 0..3),
            injections in prop::collection::vec(injections(), 0..4),
        ) {
            let schedule = if random { Schedule::Random } else { Schedule::Fair };
            let plan = Plan { seed, schedule, removals, incidents, injections, ..Plan::default() };
            let words = shlex::split(&replay_command(&test, &plan)).unwrap();
            prop_assert_eq!(&words[..3], ["cargo", "bizarro", "replay"]);
            prop_assert_eq!(&words[3], &test);
            prop_assert_eq!(words[4].parse::<Plan>().unwrap(), plan);
            prop_assert_eq!(words.len(), 5);
        }

        #[test]
        fn thousands_only_adds_commas(n: u64) {
            prop_assert_eq!(thousands(n).replace(',', ""), n.to_string());
        }
    }
}
