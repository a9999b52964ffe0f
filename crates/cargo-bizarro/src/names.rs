//! Which tests a user means, and which she may have meant.

use crate::Failure;
use crate::workspace::first_part;

/// How many names an error lists.
const LISTED: usize = 8;
/// Names less alike than this (Jaro-Winkler, 0 to 1) are not offered.
const ALIKE: f64 = 0.75;

/// The names that the filter means: the one it is, else those of the crate it names, else those that
/// contain it.
pub(crate) fn select<'a>(names: &'a [String], filter: &str) -> Vec<&'a String> {
    let those = |is_meant: &dyn Fn(&str) -> bool| {
        names.iter().filter(|name| is_meant(name)).collect::<Vec<_>>()
    };
    let ways: [&dyn Fn(&str) -> bool; 3] =
        [&|name| name == filter, &|name| first_part(name) == filter.replace('-', "_"), &|name| {
            name.contains(filter)
        }];
    ways.into_iter().map(those).find(|found| !found.is_empty()).unwrap_or_default()
}

/// The only name that is meant.
pub(crate) fn select_one<'a>(names: &'a [String], wanted: &str) -> Result<&'a String, Failure> {
    match select(names, wanted)[..] {
        [one] => Ok(one),
        [] => Err(unknown(names, wanted)),
        ref several => Err(Failure::usage(format!(
            "error: `{wanted}` means {} tests, and one is needed\n{}",
            several.len(),
            list(several.iter().map(|name| name.as_str()))
        ))),
    }
}

/// Nothing has this name; what has nearly this name, or everything where that is little.
pub(crate) fn unknown(names: &[String], wanted: &str) -> Failure {
    if names.is_empty() {
        return Failure::usage(
            "error: no Bizarro test was found\n  = a test is `#[bizarro::test] fn name(world: &mut World) { … }`, \
             in a package with `bizarro` among its dev-dependencies",
        );
    }
    let near = near(names, wanted);
    let (what, listed): (&str, Vec<&str>) = match near.is_empty() {
        false => ("nearly so called", near),
        true => ("the tests there are", names.iter().map(String::as_str).collect()),
    };
    Failure::usage(format!(
        "error: no test is called `{wanted}`\n  = {what}:\n{}",
        list(listed.into_iter())
    ))
}

/// Names that are like the wanted one, in whole or in their last part; the most alike first.
fn near<'a>(names: &'a [String], wanted: &str) -> Vec<&'a str> {
    let last_part = |name: &'a str| name.rsplit("::").next().unwrap_or(name);
    let likeness = |name: &'a str| {
        let whole = strsim::jaro_winkler(name, wanted);
        whole.max(strsim::jaro_winkler(last_part(name), wanted))
    };
    let mut near: Vec<(f64, &str)> = names
        .iter()
        .map(|name| (likeness(name), name.as_str()))
        .filter(|(l, _)| *l >= ALIKE)
        .collect();
    near.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    near.into_iter().map(|(_, name)| name).collect()
}

fn list<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    let rest = names.len().saturating_sub(LISTED);
    let mut lines: Vec<String> = names.take(LISTED).map(|name| format!("      {name}")).collect();
    if rest > 0 {
        lines.push(format!("      … and {rest} more: `cargo bizarro list`"));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn names() -> Vec<String> {
        ["bank::conserved", "pac_man::careful", "pac_man::careful_too", "pac_man::naive"]
            .map(str::to_string)
            .to_vec()
    }

    #[test]
    fn a_filter_means_the_most_particular_thing_it_can() {
        let check =
            |filter: &str, expected: &[&str]| assert_eq!(select(&names(), filter), expected);
        check("pac_man::careful", &["pac_man::careful"]);
        check("pac-man", &["pac_man::careful", "pac_man::careful_too", "pac_man::naive"]);
        check("careful", &["pac_man::careful", "pac_man::careful_too"]);
        check("bank", &["bank::conserved"]);
        check("nothing", &[]);
    }

    #[track_caller]
    fn refuses(wanted: &str, expected: Expect) {
        expected.assert_eq(&select_one(&names(), wanted).unwrap_err().text);
    }

    #[test]
    fn what_cannot_be_meant_is_answered_with_what_can() {
        refuses(
            "pac_man::navie",
            expect![[r#"
                error: no test is called `pac_man::navie`
                  = nearly so called:
                      pac_man::naive
                      pac_man::careful
                      pac_man::careful_too"#]],
        );
        refuses(
            "conservd",
            expect![[r#"
                error: no test is called `conservd`
                  = nearly so called:
                      bank::conserved"#]],
        );
        refuses(
            "xyz",
            expect![[r#"
                error: no test is called `xyz`
                  = the tests there are:
                      bank::conserved
                      pac_man::careful
                      pac_man::careful_too
                      pac_man::naive"#]],
        );
        refuses(
            "careful",
            expect![[r#"
                error: `careful` means 2 tests, and one is needed
                      pac_man::careful
                      pac_man::careful_too"#]],
        );
    }
}
