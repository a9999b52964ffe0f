//! The report as a page: one HTML file that needs nothing else.
//!
//! Style and script are files of their own in `assets/`; the data stands beside them as JSON: a [`Report`] whose runs are
//! [packed](crate::packed). The script makes elements and text nodes, never markup, and the page's own policy lets it load
//! nothing, so what a program wrote can be shown and nothing else.

use crate::packed::packed;
use crate::report::Report;

const TEMPLATE: &str = include_str!("../assets/page.html");
const STYLE: &str = include_str!("../assets/page.css");
/// In the order in which they need each other.
const SCRIPTS: [&str; 10] = [
    include_str!("../assets/js/dom.js"),
    include_str!("../assets/js/words.js"),
    include_str!("../assets/js/packed.js"),
    include_str!("../assets/js/story.js"),
    include_str!("../assets/js/matrix.js"),
    include_str!("../assets/js/layout.js"),
    include_str!("../assets/js/diagram.js"),
    include_str!("../assets/js/timeline.js"),
    include_str!("../assets/js/graph.js"),
    concat!(include_str!("../assets/js/about.js"), "\n", include_str!("../assets/js/main.js")),
];

/// The page of a test.
pub fn page(report: &Report) -> String {
    let title = text(&format!("{}: {}", report.test, report.outcome));
    let data = packed(report).to_string();
    let parts = [
        ("{{title}}", title),
        ("{{style}}", STYLE.to_string()),
        ("{{data}}", inert(&data)),
        ("{{script}}", format!("\"use strict\";\n{}", SCRIPTS.concat())),
    ];
    let mut page = String::with_capacity(TEMPLATE.len() + data.len() + (64 << 10));
    let mut rest = TEMPLATE;
    for (mark, part) in parts {
        // The template is searched, never what is put into it.
        let (before, after) =
            rest.split_once(mark).expect("the template has each mark, in this order");
        page += before;
        page += &part;
        rest = after;
    }
    page + rest
}

/// JSON in which nothing can end the element that holds it: outside of texts these characters do not occur,
/// and within them an escape means the same (RFC 8259, 7). All that is not ASCII is escaped, too: a browser keeps
/// and reads such a text in half the memory and time.
fn inert(json: &str) -> String {
    let mut safe = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '<' | '>' | '&' => safe += &format!("\\u{:04x}", c as u32),
            c if c.is_ascii() => safe.push(c),
            c => c
                .encode_utf16(&mut [0; 2])
                .iter()
                .for_each(|unit| safe += &format!("\\u{unit:04x}")),
        }
    }
    safe
}

/// How long [`inert`] makes a text.
pub(crate) fn inert_length(json: &str) -> usize {
    let of = |c: char| match c {
        '<' | '>' | '&' => 6,
        c if c.is_ascii() => 1,
        c => 6 * c.len_utf16(),
    };
    json.chars().map(of).sum()
}

/// A text as HTML.
fn text(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_inert_reads_back_and_has_its_length(text in "(\\PC|[<>&\u{0}-\u{1f}\u{2028}𝕏]){0,40}") {
            let json = serde_json::to_string(&text).unwrap();
            let safe = inert(&json);
            prop_assert!(safe.is_ascii() && !safe.contains(['<', '>', '&']));
            prop_assert_eq!(safe.len(), inert_length(&json));
            prop_assert_eq!(serde_json::from_str::<String>(&safe).unwrap(), text);
        }
    }
}
