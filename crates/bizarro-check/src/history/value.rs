//! Values: what operations of any system ask and answer, as data.

use std::fmt;
use std::sync::Arc;

/// A value of a history that was read from a file. It can hold what EDN and JSON can say, and is cheap
/// to clone. Equality is equality of content; a keyword is not a text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub enum Value {
    /// `nil` or `null`.
    #[default]
    Nil,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number, as it was written: numbers are compared, never computed with.
    Number(Arc<str>),
    /// A text.
    Text(Arc<str>),
    /// A keyword or symbol of EDN, without its colon.
    Keyword(Arc<str>),
    /// A list or vector.
    List(Arc<[Value]>),
    /// A set, in the order of its members, each of them once.
    Set(Arc<[Value]>),
    /// A map, in the order of its keys, each of them once.
    Map(Arc<[(Value, Value)]>),
}

impl Value {
    /// A text.
    pub fn text(text: impl Into<Arc<str>>) -> Value {
        Value::Text(text.into())
    }

    /// A list.
    pub fn list(values: impl IntoIterator<Item = Value>) -> Value {
        Value::List(values.into_iter().collect())
    }

    /// A set; what is named twice is in it once.
    pub fn set(values: impl IntoIterator<Item = Value>) -> Value {
        let mut values: Vec<Value> = values.into_iter().collect();
        values.sort();
        values.dedup();
        Value::Set(values.into())
    }

    /// A map. Of two pairs with one key the later one counts.
    pub fn map(pairs: impl IntoIterator<Item = (Value, Value)>) -> Value {
        let mut pairs: Vec<(Value, Value)> = pairs.into_iter().collect();
        pairs.reverse();
        pairs.sort_by(|(left, _), (right, _)| left.cmp(right));
        pairs.dedup_by(|(later, _), (kept, _)| later == kept);
        Value::Map(pairs.into())
    }

    /// The text, whether it was written as text or as a keyword.
    pub fn word(&self) -> Option<&str> {
        match self {
            Value::Text(word) | Value::Keyword(word) => Some(word),
            _ => None,
        }
    }

    /// The whole number.
    pub fn int(&self) -> Option<i64> {
        match self {
            Value::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// The members of a list or a set.
    pub fn members(&self) -> Option<&[Value]> {
        match self {
            Value::List(members) | Value::Set(members) => Some(members),
            _ => None,
        }
    }

    /// The pairs of a map.
    pub fn pairs(&self) -> Option<&[(Value, Value)]> {
        match self {
            Value::Map(pairs) => Some(pairs),
            _ => None,
        }
    }

    /// What a map holds under a keyword or text.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.pairs()?.iter().find(|(key, _)| key.word() == Some(name)).map(|(_, value)| value)
    }

    /// What kind of value this is, in words, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Nil => "nil",
            Value::Bool(_) => "a truth value",
            Value::Int(_) => "a whole number",
            Value::Number(_) => "a number",
            Value::Text(_) => "a text",
            Value::Keyword(_) => "a keyword",
            Value::List(_) => "a list",
            Value::Set(_) => "a set",
            Value::Map(_) => "a map",
        }
    }

    /// About how many bytes it takes, shared content counted each time.
    pub fn weight(&self) -> usize {
        let inner = match self {
            Value::Nil | Value::Bool(_) | Value::Int(_) => 0,
            Value::Number(text) | Value::Text(text) | Value::Keyword(text) => 16 + text.len(),
            Value::List(members) | Value::Set(members) => {
                16 + members.iter().map(Value::weight).sum::<usize>()
            }
            Value::Map(pairs) => {
                16 + pairs.iter().map(|(key, value)| key.weight() + value.weight()).sum::<usize>()
            }
        };
        size_of::<Value>() + inner
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Value {
        Value::Int(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::text(text)
    }
}

/// As EDN writes it.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Nil => f.write_str("nil"),
            Value::Bool(value) => write!(f, "{value}"),
            Value::Int(number) => write!(f, "{number}"),
            Value::Number(text) => f.write_str(text),
            Value::Text(text) => write!(f, "{text:?}"),
            Value::Keyword(word) => write!(f, ":{word}"),
            Value::List(members) => sequence(f, "[", members, "]"),
            Value::Set(members) => sequence(f, "#{", members, "}"),
            Value::Map(pairs) => {
                f.write_str("{")?;
                for (index, (key, value)) in pairs.iter().enumerate() {
                    write!(f, "{}{key} {value}", if index == 0 { "" } else { ", " })?;
                }
                f.write_str("}")
            }
        }
    }
}

fn sequence(f: &mut fmt::Formatter<'_>, open: &str, of: &[Value], close: &str) -> fmt::Result {
    f.write_str(open)?;
    for (index, member) in of.iter().enumerate() {
        write!(f, "{}{member}", if index == 0 { "" } else { " " })?;
    }
    f.write_str(close)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_and_maps_do_not_depend_on_the_order_in_which_they_were_written() {
        let [one, two] = [Value::Int(1), Value::Int(2)];
        assert_eq!(
            Value::set([two.clone(), one.clone(), two.clone()]),
            Value::set([one.clone(), two.clone()])
        );
        let map = Value::map([
            (two.clone(), Value::Nil),
            (one.clone(), Value::Nil),
            (two.clone(), one.clone()),
        ]);
        assert_eq!(map.to_string(), "{1 nil, 2 1}");
    }

    #[test]
    fn a_keyword_is_not_a_text_but_both_are_words() {
        let [text, keyword] = [Value::text("x"), Value::Keyword("x".into())];
        assert_ne!(text, keyword);
        assert_eq!(text.word(), keyword.word());
    }
}
