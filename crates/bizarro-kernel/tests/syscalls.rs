//! `docs/syscalls.md` says what the table of system calls says.
//! `UPDATE_EXPECT=1 cargo test -p bizarro-kernel --test syscalls` writes it anew.

use bizarro_kernel::table::{FAMILIES, Row, Support};
use expect_test::expect_file;

const HEAD: &str = "\
# System calls

Every call that the simulated Linux answers, by family. What is not listed, and what a row says is not simulated, is
*unsupported*: the call gives `ENOSYS`, the run is marked inconclusive, and the report names the call. (Numbers from 512 on,
which no Linux has, give `ENOSYS` and no more.)

| support | meaning |
|---|---|
| full | as Linux documents it |
| partial | as Linux documents it, but for what is said |
| accepted | succeeds and does nothing, and why that is right |
| refused | fails with an error that Linux may give as well, and why |

This file is written by `UPDATE_EXPECT=1 cargo test -p bizarro-kernel --test syscalls`.
";

#[test]
fn the_documentation_lists_every_call() {
    let families = FAMILIES.iter().map(|(name, rows)| family(name, rows));
    let text = HEAD.to_string() + &summary() + &families.collect::<String>();
    expect_file!["../../../docs/syscalls.md"].assert_eq(&text);
}

fn summary() -> String {
    let rows: Vec<&Row> = FAMILIES.iter().flat_map(|(_, rows)| *rows).collect();
    let count = |word| rows.iter().filter(|row| support(row.support).0 == word).count();
    format!(
        "\n{} calls: {} full, {} partial, {} accepted, {} refused.\n",
        rows.len(),
        count("full"),
        count("partial"),
        count("accepted"),
        count("refused"),
    )
}

fn family(name: &str, rows: &[Row]) -> String {
    let mut first = name.chars();
    let title: String = first.next().iter().flat_map(|letter| letter.to_uppercase()).collect();
    let head = format!(
        "\n## {title}{}\n\n| number | call | support | |\n|--:|---|---|---|\n",
        first.as_str()
    );
    rows.iter().fold(head, |text, row| {
        let (word, reason) = support(row.support);
        text + &format!("| {} | `{}` | {word} | {reason} |\n", row.number, row.name)
    })
}

fn support(support: Support) -> (&'static str, &'static str) {
    match support {
        Support::Full => ("full", ""),
        Support::Partial(what) => ("partial", what),
        Support::Accepted(why) => ("accepted", why),
        Support::Refused(why) => ("refused", why),
    }
}
