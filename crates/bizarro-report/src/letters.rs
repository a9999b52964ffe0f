//! A letter for each property.

use std::collections::BTreeMap;

/// Words that say nothing of their own at the beginning of a property's name.
const EMPTY_WORDS: [&str; 8] = ["a", "all", "an", "each", "every", "no", "programs", "the"];

/// Short unique names of properties.
pub(crate) struct Letters(BTreeMap<String, String>);

impl Letters {
    /// Gives each name, in order, the first letter that is still free: of its telling words, then of
    /// all its letters, then of the alphabet; when all are taken, numbers.
    pub(crate) fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Letters {
        let mut letters = Letters(BTreeMap::new());
        for name in names {
            if !letters.0.contains_key(name) {
                let letter = letters.free(name);
                letters.0.insert(name.to_string(), letter);
            }
        }
        letters
    }

    /// The letter of `name`, or `?` for one that was not there.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("?", String::as_str)
    }

    /// Letters and names, sorted by letter.
    pub(crate) fn sorted(&self) -> Vec<(&str, &str)> {
        let mut all: Vec<_> = self.0.iter().map(|(n, l)| (l.as_str(), n.as_str())).collect();
        all.sort();
        all
    }

    fn free(&self, name: &str) -> String {
        let telling = |word: &&str| !EMPTY_WORDS.contains(&word.to_lowercase().as_str());
        let firsts = name.split_whitespace().filter(telling).filter_map(|word| word.chars().next());
        let alphabet = 'A'..='Z';
        firsts
            .chain(name.chars())
            .filter(|c| c.is_alphabetic())
            .flat_map(char::to_uppercase)
            .chain(alphabet)
            .map(String::from)
            .chain((1..).map(|n: u32| n.to_string()))
            .find(|letter| !self.0.values().any(|taken| taken == letter))
            .expect("numbers never end")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn telling_words_come_first() {
        let names =
            ["no panic", "each move is applied at most once", "the game ends", "no pause", "maps"];
        let letters = Letters::of(names);
        assert_eq!(names.map(|name| letters.get(name)), ["P", "M", "G", "N", "A"]);
        assert_eq!(letters.get("unknown"), "?");
    }

    proptest! {
        #[test]
        fn letters_are_unique(names in prop::collection::btree_set("\\PC{0,6}", 0..60)) {
            let letters = Letters::of(names.iter().map(String::as_str));
            let unique: std::collections::BTreeSet<&str> =
                names.iter().map(|name| letters.get(name)).collect();
            prop_assert_eq!(unique.len(), names.len());
        }
    }
}
