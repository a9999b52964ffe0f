//! EDN (<https://github.com/edn-format/edn>), as far as histories use it. Records and other tagged values
//! are read as what stands after the tag, characters as texts.

use std::io::Read;

use super::super::Value;
use super::events::{self, Syntax};
use super::scan::Scanner;
use super::{Located, ReadError};

type Input<'a> = Scanner<&'a mut dyn Read>;

pub(super) fn history(scanner: &mut Input<'_>) -> Result<Located, ReadError> {
    events::history(scanner, &SYNTAX)
}

/// How events stand in a file of EDN.
const SYNTAX: Syntax =
    Syntax { blank, value, brackets: &[(b'[', b']'), (b'(', b')')], between: None };

/// Skips what means nothing: white space, commas, comments.
pub(super) fn blank(scanner: &mut Input<'_>) -> Result<(), ReadError> {
    while let Some(byte) = scanner.peek()? {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' | b',' => {
                scanner.next()?;
            }
            b';' => while scanner.next()?.is_some_and(|byte| byte != b'\n') {},
            _ => break,
        }
    }
    Ok(())
}

/// Reads one value, which begins here or after values that are discarded with `#_`.
pub(super) fn value(scanner: &mut Input<'_>) -> Result<Value, ReadError> {
    value_at(scanner, 0)
}

fn value_at(scanner: &mut Input<'_>, depth: usize) -> Result<Value, ReadError> {
    loop {
        if let Some(value) = element(scanner, depth)? {
            return Ok(value);
        }
        blank(scanner)?;
    }
}

/// A value, `depth` levels deep, or none where it is discarded.
fn element(scanner: &mut Input<'_>, depth: usize) -> Result<Option<Value>, ReadError> {
    let place = scanner.place();
    if depth > scanner.limits().depth_max {
        return Err(place.too_large("the depth of nesting", scanner.limits().depth_max));
    }
    Ok(Some(match scanner.peek()? {
        Some(b'[') => Value::List(sequence(scanner, b']', depth)?.into()),
        Some(b'(') => Value::List(sequence(scanner, b')', depth)?.into()),
        Some(b'{') => map(scanner, depth)?,
        Some(b'"') => text(scanner)?,
        Some(b'#') => return dispatch(scanner, depth),
        Some(b':') => {
            scanner.next()?;
            Value::Keyword(token(scanner, "the name of a keyword")?.into())
        }
        Some(b'\\') => {
            scanner.next()?;
            Value::Text(token(scanner, "a character")?.into())
        }
        Some(byte) if is_token(byte) => atom(&token(scanner, "a value")?),
        _ => return Err(place.expected("a value", scanner.found()?)),
    }))
}

/// Values up to a closing bracket; the opening one is next.
fn sequence(scanner: &mut Input<'_>, close: u8, depth: usize) -> Result<Vec<Value>, ReadError> {
    scanner.next()?;
    let mut values = Vec::new();
    loop {
        blank(scanner)?;
        match scanner.peek()? {
            Some(byte) if byte == close => {
                scanner.next()?;
                return Ok(values);
            }
            Some(b']' | b')' | b'}') | None => {
                let expected = format!("a value or `{}`", close as char);
                return Err(scanner.place().expected(expected, scanner.found()?));
            }
            Some(_) => values.extend(element(scanner, depth + 1)?),
        }
    }
}

fn map(scanner: &mut Input<'_>, depth: usize) -> Result<Value, ReadError> {
    let place = scanner.place();
    let values = sequence(scanner, b'}', depth)?;
    if values.len() % 2 == 1 {
        return Err(place.expected("a map with a value for each key", "a key without one"));
    }
    let mut pairs = Vec::with_capacity(values.len() / 2);
    let mut values = values.into_iter();
    while let (Some(key), Some(value)) = (values.next(), values.next()) {
        pairs.push((key, value));
    }
    Ok(Value::map(pairs))
}

/// What begins with `#`: sets, discarded values, symbolic numbers, tagged values.
fn dispatch(scanner: &mut Input<'_>, depth: usize) -> Result<Option<Value>, ReadError> {
    scanner.next()?;
    match scanner.peek()? {
        Some(b'{') => Ok(Some(Value::set(sequence(scanner, b'}', depth)?))),
        Some(b'_') => {
            scanner.next()?;
            blank(scanner)?;
            value_at(scanner, depth + 1)?;
            Ok(None)
        }
        Some(b'#') => {
            scanner.next()?;
            let name = token(scanner, "a symbolic number")?;
            Ok(Some(Value::Number(format!("##{name}").into())))
        }
        Some(byte) if is_token(byte) => {
            token(scanner, "a tag")?;
            blank(scanner)?;
            value_at(scanner, depth + 1).map(Some)
        }
        _ => Err(scanner.place().expected("`{`, `_` or a tag after `#`", scanner.found()?)),
    }
}

fn text(scanner: &mut Input<'_>) -> Result<Value, ReadError> {
    let begin = scanner.place();
    scanner.next()?;
    let mut bytes = Vec::new();
    loop {
        let place = scanner.place();
        match scanner.next()? {
            Some(b'"') => return Ok(Value::Text(Input::utf8(begin, bytes)?.into())),
            Some(b'\\') => match scanner.next()? {
                Some(b'n') => bytes.push(b'\n'),
                Some(b't') => bytes.push(b'\t'),
                Some(b'r') => bytes.push(b'\r'),
                Some(byte @ (b'"' | b'\\')) => bytes.push(byte),
                Some(b'u') => unicode(scanner, place, &mut bytes)?,
                _ => {
                    return Err(place.expected(
                        "`\\n`, `\\t`, `\\r`, `\\\"`, `\\\\` or `\\u`",
                        "another escape",
                    ));
                }
            },
            Some(byte) => bytes.push(byte),
            None => return Err(place.expected("`\"` at the end of a text", "the end of the file")),
        }
    }
}

/// The four digits after `\u`.
fn unicode(
    scanner: &mut Input<'_>,
    place: super::scan::Place,
    to: &mut Vec<u8>,
) -> Result<(), ReadError> {
    let code = scanner.hex4(place)?;
    let Some(character) = char::from_u32(code) else {
        return Err(place.expected("a character", format!("\\u{code:04x}, which is half of one")));
    };
    to.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    Ok(())
}

/// The bytes of a number, symbol or name.
pub(super) fn token(scanner: &mut Input<'_>, what: &str) -> Result<String, ReadError> {
    let place = scanner.place();
    let mut bytes = Vec::new();
    scanner.take_while(is_token, &mut bytes)?;
    if bytes.is_empty() {
        return Err(place.expected(what, scanner.found()?));
    }
    Input::utf8(place, bytes)
}

fn is_token(byte: u8) -> bool {
    !matches!(byte, b'[' | b']' | b'(' | b')' | b'{' | b'}' | b'"' | b';' | b',' | 0..=b' ')
}

/// A value that is one token.
fn atom(token: &str) -> Value {
    match token {
        "nil" => return Value::Nil,
        "true" => return Value::Bool(true),
        "false" => return Value::Bool(false),
        _ => {}
    }
    // `N` marks an integer of any size.
    if let Ok(number) = token.strip_suffix('N').unwrap_or(token).parse::<i64>() {
        return Value::Int(number);
    }
    let digits = token.strip_prefix(['-', '+']).unwrap_or(token);
    if digits.starts_with(|c: char| c.is_ascii_digit()) {
        return Value::Number(token.into());
    }
    Value::Keyword(token.into())
}
