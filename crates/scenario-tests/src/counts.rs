//! The table of counts in `scenarios/README.md`, made of what `cargo bizarro matrix --json FILE` wrote.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The line of the README before the table begins so.
const BEGIN: &str = "<!-- counts";
/// The line after it.
const END: &str = "<!-- end of counts -->";

/// What of the document is counted; `docs/report.md` describes it.
#[derive(Deserialize)]
struct Document {
    format: String,
    version: u64,
    tests: Vec<Report>,
}

#[derive(Deserialize)]
struct Report {
    test: String,
    summary: Summary,
    properties: Vec<Property>,
}

#[derive(Deserialize)]
struct Summary {
    runs: u64,
    cells: u64,
    cells_violated: u64,
}

#[derive(Deserialize)]
struct Property {
    name: String,
    runs_broken: u64,
}

/// The table: a row for each test, sorted by its name, and one for all.
///
/// # Errors
/// The text is no report of version 1; says what it is.
pub fn table(json: &str) -> Result<String, String> {
    let document: Document = serde_json::from_str(json).map_err(|error| error.to_string())?;
    if (document.format.as_str(), document.version) != ("bizarro-report", 1) {
        return Err(format!(
            "found {} version {}, expected bizarro-report version 1",
            document.format, document.version
        ));
    }
    let tests: BTreeMap<&str, &Report> =
        document.tests.iter().map(|it| (it.test.as_str(), it)).collect();
    let mut text =
        "| test | cells | runs | cells violated | properties broken |\n|---|--:|--:|--:|---|\n"
            .to_string();
    let mut sum = [0; 3];
    for (name, report) in &tests {
        let Summary { runs, cells, cells_violated } = report.summary;
        let broken = report.properties.iter().filter(|property| property.runs_broken > 0);
        let broken: Vec<&str> = broken.map(|property| property.name.as_str()).collect();
        text += &row(&format!("`{name}`"), [cells, runs, cells_violated], &broken.join("; "));
        sum = [sum[0] + cells, sum[1] + runs, sum[2] + cells_violated];
    }
    text += &row(&format!("{} tests", tests.len()), sum, "");
    Ok(text)
}

fn row(name: &str, [cells, runs, violated]: [u64; 3], broken: &str) -> String {
    let broken = broken.replace('|', "\\|");
    format!("| {name} | {cells} | {runs} | {violated} | {broken} |\n")
}

/// The README with this table between its two markers.
///
/// # Errors
/// One of them is missing.
pub fn written(readme: &str, table: &str) -> Result<String, String> {
    let missing = |marker: &str| format!("no line begins with `{marker}`");
    let begin = readme.find(BEGIN).ok_or_else(|| missing(BEGIN))?;
    let line = readme[begin..].find('\n').ok_or_else(|| missing(END))? + begin + 1;
    let end = readme[line..].find(END).ok_or_else(|| missing(END))? + line;
    Ok(format!("{}\n{table}\n{}", &readme[..line], &readme[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = r#"{"format":"bizarro-report","version":1,"tests":[
        {"test":"b::naive","summary":{"runs":9,"cells":8,"cells_violated":2,"wall_ms":1},
         "properties":[{"name":"paid | shipped","runs_broken":3},{"name":"held","runs_broken":0},{"name":"no panic","runs_broken":1}]},
        {"test":"a::careful","summary":{"runs":7,"cells":6,"cells_violated":0,"wall_ms":1},"properties":[]}]}"#;

    #[test]
    fn a_row_for_each_test_and_one_for_all() {
        let expected = "\
| test | cells | runs | cells violated | properties broken |
|---|--:|--:|--:|---|
| `a::careful` | 6 | 7 | 0 |  |
| `b::naive` | 8 | 9 | 2 | paid \\| shipped; no panic |
| 2 tests | 14 | 16 | 2 |  |
";
        assert_eq!(table(JSON).unwrap(), expected);
    }

    #[test]
    fn what_is_no_report_is_refused() {
        assert!(table("{}").unwrap_err().contains("missing field"));
        let newer = table(&JSON.replace("\"version\":1", "\"version\":2")).unwrap_err();
        assert_eq!(newer, "found bizarro-report version 2, expected bizarro-report version 1");
    }

    #[test]
    fn the_table_takes_the_place_of_the_last_one() {
        let readme = "a\n<!-- counts: how -->\nold\n<!-- end of counts -->\nb\n";
        let new = written(readme, "new\n").unwrap();
        assert_eq!(new, "a\n<!-- counts: how -->\n\nnew\n\n<!-- end of counts -->\nb\n");
        assert_eq!(written(&new, "new\n").unwrap(), new);
        assert!(written("a\n", "new\n").is_err());
    }

    #[test]
    fn the_readme_of_the_scenarios_has_a_place_for_it() {
        let readme = include_str!("../../../scenarios/README.md");
        assert!(written(readme, &table(JSON).unwrap()).is_ok());
    }
}
