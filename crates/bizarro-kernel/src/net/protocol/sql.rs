//! A short name for a statement of SQL: what it does, and to which table where that is easily seen.

use alloc::string::String;

/// Words of a statement that are looked at, at most.
const WORDS_MAX: usize = 64;
/// Names longer than this are left out.
const NAME_MAX: usize = 64;

/// `INSERT accounts`, `SELECT accounts`, `BEGIN`; empty where the text does not begin with a word.
pub(super) fn statement_name(sql: &[u8]) -> String {
    let mut words = Words { rest: sql, depth: 0 };
    let Some(verb) = words.next().filter(|verb| verb.iter().all(u8::is_ascii_alphabetic)) else {
        return String::new();
    };
    let mut name = text(verb).to_ascii_uppercase();
    let table = match name.as_str() {
        "INSERT" | "MERGE" => words.after("INTO"),
        "DELETE" | "SELECT" => words.after("FROM"),
        "UPDATE" => words.table(),
        _ => None,
    };
    if let Some(table) = table {
        name.push(' ');
        name.push_str(text(table));
    }
    name
}

/// What is no UTF-8 is not shown.
fn text(word: &[u8]) -> &str {
    core::str::from_utf8(word).unwrap_or_default()
}

/// The words of a statement that stand outside parentheses, quotes and comments.
struct Words<'a> {
    rest: &'a [u8],
    depth: u32,
}

impl<'a> Words<'a> {
    /// The table that is named after this keyword.
    fn after(&mut self, keyword: &str) -> Option<&'a [u8]> {
        self.by_ref().take(WORDS_MAX).find(|word| word.eq_ignore_ascii_case(keyword.as_bytes()))?;
        self.table()
    }

    /// The next word, if it may be the name of a table.
    fn table(&mut self) -> Option<&'a [u8]> {
        let word = self.next_at_once()?;
        let table = if word.eq_ignore_ascii_case(b"ONLY") { self.next_at_once()? } else { word };
        (table.len() <= NAME_MAX).then_some(table)
    }

    /// The next word, if nothing but space stands before it.
    fn next_at_once(&mut self) -> Option<&'a [u8]> {
        self.rest = self.rest.trim_ascii_start();
        if self.rest.first().is_some_and(|byte| is_of_word(*byte)) { self.next() } else { None }
    }

    /// Skips what `opens` something up to what ends it; gives whether it was there.
    fn skipped(&mut self, opens: &[u8], end: &[u8]) -> bool {
        let Some(inside) = self.rest.strip_prefix(opens) else { return false };
        let at = inside.windows(end.len()).position(|window| window == end);
        self.rest = at.map_or(&[], |at| &inside[at + end.len()..]);
        true
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            if self.skipped(b"--", b"\n") || self.skipped(b"/*", b"*/") || self.skipped(b"'", b"'")
            {
                continue;
            }
            let first = *self.rest.first()?;
            if is_of_word(first) {
                let length = self.rest.iter().take_while(|byte| is_of_word(**byte)).count();
                let (word, rest) = self.rest.split_at(length);
                self.rest = rest;
                if self.depth == 0 {
                    return Some(word);
                }
                continue;
            }
            match first {
                b'(' => self.depth += 1,
                b')' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
            self.rest = &self.rest[1..];
        }
    }
}

/// Letters, digits and what joins them in a name with a schema; quotes of names, too.
fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'"' | b'$') || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_have_short_names() {
        let all = [
            ("insert into accounts (id, owner) values ($1, $2)", "INSERT accounts"),
            ("INSERT INTO bank.accounts VALUES (1)", "INSERT bank.accounts"),
            ("UPDATE ONLY accounts SET x = 1 -- FROM nowhere", "UPDATE accounts"),
            ("  DELETE FROM \"Accounts\";", "DELETE \"Accounts\""),
            ("select extract(day from t), 'from x' from trips where a = 1", "SELECT trips"),
            ("SELECT * FROM (SELECT 1) AS inner", "SELECT"),
            ("/* a */ -- b\nSELECT 1", "SELECT"),
            ("BEGIN; INSERT INTO a VALUES (1)", "BEGIN"),
            ("create table t (x int)", "CREATE"),
            ("", ""),
            ("(1)", ""),
            ("$1", ""),
        ];
        for (sql, name) in all {
            assert_eq!(statement_name(sql.as_bytes()), name, "{sql}");
        }
    }
}
