//! `cargo bizarro syscalls`: what is simulated, as the kernel's own table says.

use bizarro_kernel::table::{FAMILIES, Row, Support};
use bizarro_report::Exit;

use crate::Failure;

/// Prints the rows whose name contains `name`, by family.
pub(crate) fn report(name: Option<&str>) -> Result<Exit, Failure> {
    let text = text(FAMILIES, name.unwrap_or_default());
    if text.is_empty() {
        return Err(Failure::usage(format!(
            "error: no simulated system call has `{}` in its name\n  \
             = a run that makes such a call is inconclusive; `cargo bizarro syscalls` lists those that are simulated",
            name.unwrap_or_default()
        )));
    }
    print!("{text}");
    Ok(Exit::Held)
}

fn text(families: &[(&str, &[Row])], name: &str) -> String {
    let shown = |rows: &'_ [Row]| -> Vec<String> {
        rows.iter().filter(|row| row.name.contains(name)).map(line).collect()
    };
    let families = families.iter().map(|(family, rows)| (family, shown(rows)));
    families
        .filter(|(_, lines)| !lines.is_empty())
        .map(|(family, lines)| format!("{family}\n{}", lines.concat()))
        .collect::<Vec<_>>()
        .join("\n")
}

fn line(row: &Row) -> String {
    let how = match row.support {
        Support::Full => "simulated".to_string(),
        Support::Partial(what) => format!("in part: {what}"),
        Support::Accepted(why) => format!("accepted without effect: {why}"),
        Support::Refused(why) => format!("refused: {why}"),
    };
    format!("  {:>3}  {:<24} {how}\n", row.number, row.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_found_by_part_of_its_name() {
        assert!(
            text(FAMILIES, "clock_nanosleep").lines().any(|line| line.contains("clock_nanosleep"))
        );
        assert_eq!(text(FAMILIES, "clock_nanosleep").lines().count(), 2);
        assert_eq!(text(FAMILIES, "no_such_call"), "");
        let rows: usize = FAMILIES.iter().map(|(_, rows)| rows.len()).sum();
        assert_eq!(text(FAMILIES, "").lines().filter(|line| line.starts_with("  ")).count(), rows);
    }
}
