//! JSON (RFC 8259). Of one object with a name twice the later value counts.

use std::io::Read;

use super::super::Value;
use super::events::{self, Syntax};
use super::scan::{Place, Scanner};
use super::{Located, ReadError};

type Input<'a> = Scanner<&'a mut dyn Read>;

pub(super) fn history(scanner: &mut Input<'_>) -> Result<Located, ReadError> {
    events::history(scanner, &SYNTAX)
}

/// How events stand in a file of JSON.
const SYNTAX: Syntax = Syntax { blank, value, brackets: &[(b'[', b']')], between: Some(b',') };

fn blank(scanner: &mut Input<'_>) -> Result<(), ReadError> {
    while let Some(b' ' | b'\t' | b'\r' | b'\n') = scanner.peek()? {
        scanner.next()?;
    }
    Ok(())
}

fn value(scanner: &mut Input<'_>) -> Result<Value, ReadError> {
    value_at(scanner, 0)
}

fn value_at(scanner: &mut Input<'_>, depth: usize) -> Result<Value, ReadError> {
    let place = scanner.place();
    if depth > scanner.limits().depth_max {
        return Err(place.too_large("the depth of nesting", scanner.limits().depth_max));
    }
    match scanner.peek()? {
        Some(b'{') => object(scanner, depth),
        Some(b'[') => array(scanner, depth),
        Some(b'"') => Ok(Value::Text(text(scanner)?.into())),
        Some(b'-' | b'0'..=b'9') => number(scanner, place),
        Some(b't' | b'f' | b'n') => name(scanner, place),
        _ => Err(place.expected("a value", scanner.found()?)),
    }
}

fn array(scanner: &mut Input<'_>, depth: usize) -> Result<Value, ReadError> {
    let mut members = Vec::new();
    list(scanner, b']', |scanner| {
        members.push(value_at(scanner, depth + 1)?);
        Ok(())
    })?;
    Ok(Value::List(members.into()))
}

fn object(scanner: &mut Input<'_>, depth: usize) -> Result<Value, ReadError> {
    let mut pairs = Vec::new();
    list(scanner, b'}', |scanner| {
        if scanner.peek()? != Some(b'"') {
            return Err(scanner.place().expected("a name in quotes", scanner.found()?));
        }
        let name = text(scanner)?;
        blank(scanner)?;
        scanner.expect(b':', "`:` after the name")?;
        blank(scanner)?;
        pairs.push((Value::Text(name.into()), value_at(scanner, depth + 1)?));
        Ok(())
    })?;
    Ok(Value::map(pairs))
}

/// Members with commas between them, up to `close`; the opening bracket is next.
fn list(
    scanner: &mut Input<'_>,
    close: u8,
    mut member: impl FnMut(&mut Input<'_>) -> Result<(), ReadError>,
) -> Result<(), ReadError> {
    scanner.next()?;
    blank(scanner)?;
    if scanner.peek()? == Some(close) {
        scanner.next()?;
        return Ok(());
    }
    loop {
        member(scanner)?;
        blank(scanner)?;
        match scanner.peek()? {
            Some(b',') => {
                scanner.next()?;
                blank(scanner)?;
            }
            Some(byte) if byte == close => {
                scanner.next()?;
                return Ok(());
            }
            _ => {
                let expected = format!("`,` or `{}`", close as char);
                return Err(scanner.place().expected(expected, scanner.found()?));
            }
        }
    }
}

fn number(scanner: &mut Input<'_>, place: Place) -> Result<Value, ReadError> {
    let mut bytes = Vec::new();
    let fits = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E');
    scanner.take_while(fits, &mut bytes)?;
    let text = Input::utf8(place, bytes)?;
    if let Ok(number) = text.parse::<i64>() {
        return Ok(Value::Int(number));
    }
    match text.parse::<f64>() {
        Ok(_) => Ok(Value::Number(text.into())),
        Err(_) => Err(place.expected("a number", format!("`{text}`"))),
    }
}

fn name(scanner: &mut Input<'_>, place: Place) -> Result<Value, ReadError> {
    let mut bytes = Vec::new();
    scanner.take_while(|byte| byte.is_ascii_alphanumeric(), &mut bytes)?;
    match bytes.as_slice() {
        b"true" => Ok(Value::Bool(true)),
        b"false" => Ok(Value::Bool(false)),
        b"null" => Ok(Value::Nil),
        _ => Err(place.expected("a value", format!("`{}`", String::from_utf8_lossy(&bytes)))),
    }
}

fn text(scanner: &mut Input<'_>) -> Result<String, ReadError> {
    let begin = scanner.place();
    scanner.next()?;
    let mut bytes = Vec::new();
    loop {
        let place = scanner.place();
        match scanner.next()? {
            Some(b'"') => return Input::utf8(begin, bytes),
            Some(b'\\') => escape(scanner, place, &mut bytes)?,
            Some(byte) if byte >= b' ' => bytes.push(byte),
            Some(_) => {
                return Err(place.expected("`\"` at the end of a text", "a control character"));
            }
            None => return Err(place.expected("`\"` at the end of a text", "the end of the file")),
        }
    }
}

fn escape(scanner: &mut Input<'_>, place: Place, to: &mut Vec<u8>) -> Result<(), ReadError> {
    match scanner.next()? {
        Some(byte @ (b'"' | b'\\' | b'/')) => to.push(byte),
        Some(b'b') => to.push(8),
        Some(b'f') => to.push(12),
        Some(b'n') => to.push(b'\n'),
        Some(b'r') => to.push(b'\r'),
        Some(b't') => to.push(b'\t'),
        Some(b'u') => {
            let character = unicode(scanner, place)?;
            to.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
        _ => return Err(place.expected("an escape of JSON", "another one")),
    }
    Ok(())
}

/// What stands after `\u`: a character, or the first half of one with the other half after it.
fn unicode(scanner: &mut Input<'_>, place: Place) -> Result<char, ReadError> {
    let mut code = scanner.hex4(place)?;
    if (0xd800..0xdc00).contains(&code) {
        scanner.expect(b'\\', "the second half of a character")?;
        scanner.expect(b'u', "the second half of a character")?;
        let low = scanner.hex4(place)?;
        if !(0xdc00..0xe000).contains(&low) {
            return Err(place.expected("the second half of a character", format!("\\u{low:04x}")));
        }
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    char::from_u32(code).ok_or_else(|| place.expected("a character", "half of one"))
}
