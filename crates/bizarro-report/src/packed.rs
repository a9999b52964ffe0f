//! The runs of a report as the page holds them: the same data in a sixth of the room.
//!
//! Runs are most of a report, and most of a run are messages that say the same again and again. So what events and
//! exchanges have in common is written once, as a template; what differs from one to the next follows its template's
//! number: how much later it is, and its texts as places in a list of all texts. `assets/js/packed.js` is the inverse.
//!
//! Of another kind of event nothing has to be said here: what is a text, what counts up and what is common is told apart
//! by the JSON of the event.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::page::inert_length;
use crate::report::{Report, Run};

/// Numbers that are written as the difference to the last one of the same name.
const COUNTED: [&str; 4] = ["message", "op", "ordinal", "connection"];
/// Moments, which are written as the difference to the moment of the event itself.
const MOMENTS: [&str; 4] = ["until", "delivered", "replied", "completed"];
/// Texts of which there are few.
const COMMON: [&str; 7] = ["kind", "client", "server", "name", "history", "outcome", "effect"];
/// The moment of an event, and of an exchange.
const AT: [&str; 2] = ["at", "requested"];

/// What runs have in common.
#[derive(Debug, Default)]
pub(crate) struct Packer {
    texts: Numbered,
    templates: Numbered,
}

/// A list of texts without duplicates.
#[derive(Debug, Default)]
struct Numbered {
    places: BTreeMap<String, usize>,
    /// Bytes that they take in a page.
    bytes: usize,
}

impl Numbered {
    fn place(&mut self, text: String) -> usize {
        let next = self.places.len();
        if let Some(place) = self.places.get(&text) {
            return *place;
        }
        self.bytes += inert_length(&Value::from(text.as_str()).to_string()) + 1;
        self.places.insert(text, next);
        next
    }

    fn into_list(self) -> Vec<String> {
        let mut list: Vec<(usize, String)> =
            self.places.into_iter().map(|(text, place)| (place, text)).collect();
        list.sort_unstable();
        list.into_iter().map(|(_, text)| text).collect()
    }
}

impl Packer {
    /// A run, and how many bytes of a page it and what is new in it take.
    pub(crate) fn run(&mut self, run: &Run) -> (Value, usize) {
        let before = self.texts.bytes + self.templates.bytes;
        let events = self.all(&run.events);
        let exchanges = self.all(&run.exchanges);
        let mut packed = fields(&run.head());
        packed.insert("events".to_string(), packed_list(events, run.events.len()));
        packed.insert("exchanges".to_string(), packed_list(exchanges, run.exchanges.len()));
        let packed = Value::Object(packed);
        let own = inert_length(&packed.to_string());
        (packed, own + self.texts.bytes + self.templates.bytes - before)
    }

    /// A number for each template, and behind it what differs.
    fn all(&mut self, items: &[impl Serialize]) -> Vec<Value> {
        let mut packed = Vec::new();
        let mut at = 0;
        let mut counted = [0; COUNTED.len()];
        for item in items {
            self.item(fields(item), &mut at, &mut counted, &mut packed);
        }
        packed
    }

    fn item(
        &mut self,
        fields: Map<String, Value>,
        at: &mut i64,
        counted: &mut [i64; COUNTED.len()],
        packed: &mut Vec<Value>,
    ) {
        let number = |value: &Value| value.as_i64().unwrap_or_default();
        let now = AT.iter().find_map(|name| fields.get(*name)).map_or(*at, number);
        let mut common = Map::new();
        let mut differing = vec![Value::from(now - *at)];
        // What stands behind the number of the template: `+` counts up, `@` is a moment, `"` is a text.
        let mut marks = Vec::new();
        for (name, value) in fields {
            if AT.contains(&name.as_str()) {
                common.insert(name, Value::Null);
            } else if let Some(nth) = COUNTED.iter().position(|known| *known == name) {
                differing.push((number(&value) - counted[nth]).into());
                counted[nth] = number(&value);
                marks.push(format!("+{name}"));
            } else if MOMENTS.contains(&name.as_str()) {
                let is_known = !value.is_null();
                differing.push(if is_known { (number(&value) - now).into() } else { value });
                marks.push(format!("@{name}"));
            } else if let (Value::String(text), false) = (&value, COMMON.contains(&name.as_str())) {
                differing.push(self.texts.place(text.clone()).into());
                marks.push(format!("\"{name}"));
            } else {
                common.insert(name, value);
            }
        }
        *at = now;
        let template = json!([common, marks]).to_string();
        packed.push(self.templates.place(template).into());
        packed.append(&mut differing);
    }
}

fn packed_list(packed: Vec<Value>, count: usize) -> Value {
    json!({"count": count, "packed": packed})
}

fn fields(item: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(item) {
        Ok(Value::Object(fields)) => fields,
        other => panic!("a part of a report is an object, not {other:?}"),
    }
}

/// A report whose runs are packed.
pub(crate) fn packed(report: &Report) -> Value {
    let mut packer = Packer::default();
    let runs: Vec<Value> = report.runs.iter().map(|run| packer.run(run).0).collect();
    let mut packed = fields(&report.without_runs());
    packed.insert("runs".to_string(), runs.into());
    packed.insert("texts".to_string(), packer.texts.into_list().into());
    let templates = packer.templates.into_list();
    let read = |text: String| serde_json::from_str(&text).unwrap_or(Value::Null);
    packed.insert("templates".to_string(), templates.into_iter().map(read).collect());
    Value::Object(packed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Event, Exchange, What};
    use serde_json::from_value;

    /// As `assets/js/packed.js` does it.
    fn unpacked(list: &Value, templates: &[Value], texts: &[Value]) -> Vec<Value> {
        let packed: Vec<Option<i64>> =
            list["packed"].as_array().unwrap().iter().map(Value::as_i64).collect();
        let (mut items, mut at, mut counted) = (vec![], 0, BTreeMap::new());
        let mut packed = packed.into_iter();
        while let Some(template) = packed.next() {
            let template = &templates[template.unwrap() as usize];
            let mut item = template[0].as_object().unwrap().clone();
            at += packed.next().unwrap().unwrap();
            for name in AT.iter().filter(|name| template[0].get(**name).is_some()) {
                item.insert(name.to_string(), at.into());
            }
            for mark in template[1].as_array().unwrap() {
                let (mark, name) = mark.as_str().unwrap().split_at(1);
                let given = packed.next().unwrap();
                let value = match mark {
                    "+" => {
                        let last = counted.entry(name.to_string()).or_insert(0);
                        *last += given.unwrap();
                        Value::from(*last)
                    }
                    "@" => given.map_or(Value::Null, |later| (at + later).into()),
                    _ => texts[given.unwrap() as usize].clone(),
                };
                item.insert(name.to_string(), value);
            }
            items.push(Value::Object(item));
        }
        assert_eq!(items.len() as u64, list["count"].as_u64().unwrap());
        items
    }

    #[test]
    fn what_is_packed_is_what_it_was() {
        let event = |at, task, what| Event { at, host: 1, task, what };
        let sent = |at, message, label: &str| {
            let label = label.to_string();
            event(at, 7, What::Sent { message, to: 0, bytes: 64, label })
        };
        let events = vec![
            event(0, 0, What::Started { incarnation: 1 }),
            sent(5, 9, "GET / #1"),
            event(9, 0, What::Delivered { message: 9 }),
            sent(9, 10, "GET / #2"),
            event(8, 0, What::Paused { until: 99 }),
            event(30, 7, What::Stdout { text: "kind".to_string() }),
            event(31, 7, What::Removed { server: 0, effect: "refused".to_string() }),
            event(40, 7, What::Exited { status: -1, backtrace: String::new() }),
        ];
        let exchange = |ordinal, requested, completed| Exchange {
            client: "a".to_string(),
            server: "b".to_string(),
            name: "GET /".to_string(),
            ordinal,
            connection: 3 - ordinal,
            requested,
            delivered: Some(requested + 1),
            replied: None,
            completed,
            request_bytes: 64,
            reply_bytes: 7,
            attempt: 1,
            status: None,
        };
        let exchanges = vec![exchange(1, 5, None), exchange(2, 9, Some(12))];
        let mut packer = Packer::default();
        let mut packed =
            |events: &[Event], exchanges: &[Exchange]| (packer.all(events), packer.all(exchanges));
        let (e, x) = packed(&events, &exchanges);
        let again = packed(&events, &exchanges);
        // What was said once is not said again.
        assert_eq!((&e, &x), (&again.0, &again.1));
        let texts: Vec<Value> = packer.texts.into_list().into_iter().map(Value::from).collect();
        let templates = packer.templates.into_list();
        let templates: Vec<Value> =
            templates.iter().map(|text| serde_json::from_str(text).unwrap()).collect();
        let e = unpacked(&packed_list(e, events.len()), &templates, &texts);
        let x = unpacked(&packed_list(x, exchanges.len()), &templates, &texts);
        let e: Vec<Event> = e.into_iter().map(|event| from_value(event).unwrap()).collect();
        let x: Vec<Exchange> =
            x.into_iter().map(|exchange| from_value(exchange).unwrap()).collect();
        assert_eq!((e, x), (events, exchanges));
    }
}
