//! The listings of a README: where they are, what they ask for, and which of their words stay the same.

const OPEN: &str = "```console\n$ cargo bizarro ";
const CLOSE: &str = "\n```\n";

/// A part of a README.
pub(crate) enum Block<'a> {
    /// Not ours.
    Text(&'a str),
    /// A command and what it prints.
    Listing(Listing<'a>),
}

/// A command and what the README says that it prints.
pub(crate) struct Listing<'a> {
    /// The whole line, without the prompt.
    pub(crate) command: &'a str,
    /// `CRATE::TEST`.
    pub(crate) name: &'a str,
    /// The name under which libtest knows it.
    pub(crate) test: &'a str,
    /// What is replayed; the matrix without this.
    pub(crate) plan: Option<&'a str>,
    /// What the matrix is asked between.
    pub(crate) level: Level,
    lines: Option<usize>,
    body: &'a str,
}

/// What a matrix is asked between.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Level {
    /// Hosts.
    Hosts,
    /// Groups of hosts.
    Groups,
}

/// The parts of a README, in order; together they are all of it.
pub(crate) fn parts(readme: &str) -> Vec<Block<'_>> {
    let (mut parts, mut rest) = (Vec::new(), readme);
    while let Some(at) = rest.find(OPEN) {
        let begin = at + "```console\n".len();
        let length = rest[begin..].find(CLOSE).expect("a block has an end") + 1;
        parts.push(Block::Text(&rest[..begin]));
        parts.push(Block::Listing(Listing::read(&rest[begin..begin + length])));
        rest = &rest[begin + length..];
    }
    parts.push(Block::Text(rest));
    parts
}

impl<'a> Listing<'a> {
    fn read(block: &'a str) -> Listing<'a> {
        let (first, body) = block.split_once('\n').expect("a block has a line");
        let command = first.trim_start_matches("$ ");
        let (words, lines) = match command.split_once(" | head -") {
            Some((words, lines)) => (words, Some(lines.parse().expect("a number of lines"))),
            None => (command, None),
        };
        let words = words.strip_prefix("cargo bizarro ").expect("it was looked for");
        let mut level = Level::Hosts;
        let (name, plan) = match words.split_once(' ') {
            Some(("matrix", name)) => match name.strip_prefix("--groups ") {
                Some(name) => {
                    level = Level::Groups;
                    (name, None)
                }
                None => (name, None),
            },
            Some(("replay", words)) => {
                let (name, plan) = words.split_once(' ').expect("a plan, after the test's name");
                (name, Some(plan.trim_matches('\'')))
            }
            _ => panic!(
                "neither `matrix [--groups] CRATE::TEST` nor `replay CRATE::TEST 'PLAN'`: {command}"
            ),
        };
        let (_, test) = name.split_once("::").expect("a test is named with its crate");
        Listing { command, name, test, plan, level, lines, body }
    }

    /// What the README says, without what varies.
    pub(crate) fn expected(&self) -> String {
        without_what_varies(self.body)
    }

    /// As many lines as are shown, without what varies.
    pub(crate) fn cut(&self, printed: &str) -> String {
        let all = without_what_varies(printed);
        let lines = all.lines().take(self.lines.unwrap_or(usize::MAX));
        let mut cut = lines.collect::<Vec<_>>().join("\n").trim_end().to_string();
        cut.push('\n');
        cut
    }

    /// The block, with this below its command.
    pub(crate) fn with(&self, printed: &str) -> String {
        format!("$ {}\n{printed}", self.command)
    }
}

/// A text in which times, and what is counted in nanoseconds since 1970, are all the same, and so is the space between
/// words: virtual times depend on how many calls a program makes, and that on the features of its libraries, which are
/// others where the whole workspace is built.
pub(crate) fn without_times(text: &str) -> String {
    const DIGITS_SINCE_1970: usize = "1767225602063907018".len();
    let is_number = |word: &str| word.parse::<f64>().is_ok();
    let is_timestamp = |word: &str| word.len() == DIGITS_SINCE_1970 && word.parse::<u64>().is_ok();
    let line = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let timeless = words.iter().enumerate().map(|(at, word)| {
            let unit = words.get(at + 1).map(|unit| unit.trim_end_matches([',', ';', '.', ')']));
            let is_time = matches!(unit, Some("s" | "ms" | "µs" | "ns" | "min"));
            let before = at.checked_sub(1).is_some_and(|before| is_number(words[before]));
            match word.trim_end_matches([',', ';', '.', ')']) {
                number if is_time && is_number(number) || is_timestamp(number) => "#",
                "ms" | "µs" | "ns" if before => "s",
                _ => word,
            }
        });
        timeless.collect::<Vec<_>>().join(" ") + "\n"
    };
    text.lines().map(line).collect()
}

/// Lines without real times, times of recovery and what depends on the number of calls that a program makes.
fn without_what_varies(text: &str) -> String {
    let mut is_about_recovery = false;
    let stays = |line: &&str| {
        // These may be two lines, or three.
        is_about_recovery =
            line.starts_with(" longest recovery ") || is_about_recovery && !line.is_empty();
        !is_about_recovery
    };
    text.lines().filter(stays).map(|line| without_counts(line) + "\n").collect()
}

/// `80 cells · 851 runs · 2.9 s · …` without the numbers of runs and the real time, and `baseline held · 10 exchanges ·
/// 12.8 ms virtual` without the virtual one.
fn without_counts(line: &str) -> String {
    let mut parts: Vec<&str> = line.split(" · ").collect();
    if parts.len() > 3 && parts[1].ends_with(" runs") {
        parts.drain(1..3);
    }
    let varies = [" ms virtual", " different", " known without a run", " runs alike"];
    parts.retain(|part| !varies.iter().any(|end| part.ends_with(end)));
    parts.join(" · ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const README: &str = "# A\n\n```console\n$ cargo bizarro matrix bank::naive | head -2\nbank::naive\nold\n```\n\nB\n\
        ```console\n$ cargo bizarro replay bank::safe 'withdraw #1 6'\nbank::safe\n```\n";

    fn listings(readme: &str) -> Vec<Listing<'_>> {
        let listing = |part| match part {
            Block::Text(_) => None,
            Block::Listing(listing) => Some(listing),
        };
        parts(readme).into_iter().filter_map(listing).collect()
    }

    #[test]
    fn listings_are_found_and_read() {
        let found = listings(README);
        let read: Vec<_> = found.iter().map(|l| (l.name, l.test, l.plan, l.lines)).collect();
        let wanted = [
            ("bank::naive", "naive", None, Some(2)),
            ("bank::safe", "safe", Some("withdraw #1 6"), None),
        ];
        assert_eq!(read, wanted);
        assert_eq!(found[0].expected(), "bank::naive\nold\n");
        assert_eq!(found[0].cut("bank::naive\nnew\nmore\n"), "bank::naive\nnew\n");
    }

    #[test]
    fn a_matrix_may_be_one_of_groups() {
        let readme = "```console\n$ cargo bizarro matrix --groups bank::safe\nbank::safe\n```\n";
        let [listing] = &listings(readme)[..] else { panic!("there is one") };
        assert_eq!(
            (listing.name, listing.plan, listing.level),
            ("bank::safe", None, Level::Groups)
        );
    }

    #[test]
    fn a_readme_is_the_sum_of_its_parts() {
        let whole = |part| match part {
            Block::Text(text) => text.to_string(),
            Block::Listing(listing) => listing.with(&listing.expected()),
        };
        assert_eq!(parts(README).into_iter().map(whole).collect::<String>(), README);
    }

    #[test]
    fn times_are_all_the_same() {
        let [one, other] = [
            "+    0.002841 s  visitor   GET /page/1 #1 → site: 502 after 8.2 ms\n",
            "+   10.002887 s  visitor   GET /page/1 #1 → site: 502 after 980 µs\n",
        ];
        assert_eq!(without_times(one), without_times(other));
        assert_eq!(without_times(one), "+ # s visitor GET /page/1 #1 → site: 502 after # s\n");
        assert_ne!(without_times(one), without_times(&one.replace("502", "200")));
        assert_eq!(without_times("at 1767225602063907018 it is 1"), "at # it is 1\n");
        assert_eq!(without_times("1 fault · 5 of 12 exchanges"), "1 fault · 5 of 12 exchanges\n");
    }

    #[test]
    fn what_varies_is_left_out() {
        let text = "a · 8 runs · 0.1 s · none violated\n longest recovery 3 s\n more\n\n12.8 ms virtual · b\n";
        assert_eq!(without_what_varies(text), "a · none violated\n\nb\n");
    }
}
