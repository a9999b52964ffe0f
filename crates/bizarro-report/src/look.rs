//! Width and colour.

use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthStr;

/// Whether a text holds colours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Colour {
    /// It holds escape sequences of ECMA-48.
    Always,
    /// It is plain.
    Never,
}

/// How a view looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Look {
    /// Columns of the terminal. Commands are never broken, and may be longer.
    pub width: usize,
    /// Colours or none.
    pub colour: Colour,
}

/// What a stretch of text is, so that it is coloured alike everywhere.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ink {
    Plain,
    Good,
    Bad,
    Doubt,
    Faint,
    Strong,
}

impl Look {
    /// A hundred columns without colour: for files and logs.
    pub const PLAIN: Look = Look { width: 100, colour: Colour::Never };

    /// `text` in the colour of its kind.
    pub(crate) fn paint(self, ink: Ink, text: &str) -> String {
        let style = match ink {
            Ink::Plain => return text.to_string(),
            Ink::Good => AnsiColor::Green.on_default(),
            Ink::Bad => AnsiColor::Red.on_default().bold(),
            Ink::Doubt => AnsiColor::Yellow.on_default(),
            Ink::Faint => Style::new().dimmed(),
            Ink::Strong => Style::new().bold(),
        };
        match self.colour {
            Colour::Never => text.to_string(),
            Colour::Always => format!("{style}{text}{style:#}"),
        }
    }

    /// `text` broken at spaces so that each line, `indent` columns to the right, fits the width. A word
    /// that does not fit stands alone.
    pub(crate) fn wrap(self, text: &str, indent: usize) -> Vec<String> {
        let room = self.width.saturating_sub(indent).max(1);
        let mut lines: Vec<String> = Vec::new();
        for word in text.split(' ') {
            match lines.last_mut() {
                Some(line) if width(line) + 1 + width(word) <= room => {
                    line.push(' ');
                    line.push_str(word);
                }
                _ => lines.push(word.to_string()),
            }
        }
        lines
    }
}

/// `parts` in lines that fit the width, each part in one piece, two spaces between parts.
pub(crate) fn wrap_parts(parts: &[String], indent: usize, look: Look) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for part in parts {
        match lines.last_mut() {
            Some(line) if indent + width(line) + 2 + width(part) <= look.width => {
                *line += &format!("  {part}");
            }
            _ => lines.push(part.clone()),
        }
    }
    lines
}

/// How many columns `text` takes.
pub(crate) fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

/// `text` with spaces behind it, `columns` wide or wider.
pub(crate) fn pad(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(width(text))))
}

/// `text`, or as much of it as fits in `columns` with an ellipsis.
pub(crate) fn shorten(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_string();
    }
    let mut short = String::new();
    for c in text.chars() {
        if width(&short) + width(c.encode_utf8(&mut [0; 4])) + 1 > columns {
            break;
        }
        short.push(c);
    }
    short + "…"
}

/// What would move the cursor or change the terminal's state, made visible: output of guests and names
/// from the wire are shown, never obeyed.
pub(crate) fn harmless(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let shown: Vec<char> =
                if c.is_control() { c.escape_default().collect() } else { vec![c] };
            shown
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn control_characters_are_shown() {
        assert_eq!(harmless("a\x1b[31mb\tc"), "a\\u{1b}[31mb\\tc");
    }

    #[test]
    fn colour_is_an_escape_sequence_around_the_text() {
        let look = Look { width: 80, colour: Colour::Always };
        assert_eq!(look.paint(Ink::Good, "ok"), "\x1b[32mok\x1b[0m");
        assert_eq!(Look::PLAIN.paint(Ink::Bad, "no"), "no");
    }

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!(pad("吃豆人", 8), "吃豆人  ");
        assert_eq!(shorten("吃豆人", 5), "吃豆…");
    }

    proptest! {
        #[test]
        fn wrapping_loses_nothing_and_fits(text in "[a-z→ ]{0,80}", columns in 1usize..40, indent in 0usize..10) {
            let look = Look { width: columns, colour: Colour::Never };
            let lines = look.wrap(&text, indent);
            prop_assert_eq!(lines.join(" "), text);
            for line in lines {
                prop_assert!(!line.contains(' ') || width(&line) <= columns.saturating_sub(indent).max(1));
            }
        }

        #[test]
        fn what_is_shortened_fits(text in "\\PC{0,20}", columns in 1usize..20) {
            prop_assert!(width(&shorten(&text, columns)) <= columns);
        }
    }
}
