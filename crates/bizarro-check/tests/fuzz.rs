//! Bytes that nobody thought of, given to readers and checkers. `cargo test` runs the inputs below `__fuzz__`
//! and a few random ones; `BOLERO_RANDOM_TEST_TIME_MS=600000 cargo test -p bizarro-check --test fuzz` goes on for
//! ten minutes, and `cargo bolero test` is led by coverage.

use std::time::Duration;

use bizarro_check::budget::Budget;
use bizarro_check::checkers::{Answer, Case, Consistency, checkers};
use bizarro_check::history::read::{Format, Limits, read};
use bizarro_check::history::{Builder, Outcome, RawCall, RawHistory, Value, Writer};
use bizarro_check::linearizable::{CoreSearch, Options};
use bizarro_check::picture::draw;
use bizarro_check::transactions::Unwritten;

/// Reads bytes. What is wrong has a place in them; what was read is the same when it is written and read again.
fn is_read(format: Format, bytes: &[u8]) {
    let history = match read(format, bytes, &Limits::default()) {
        Ok(history) => history,
        Err(error) => {
            let lines = bytes.split(|byte| *byte == b'\n').count() as u64;
            assert!((1..=lines).contains(&error.line), "{error} of {lines} lines");
            assert!(error.column > 0 && !error.problem.to_string().is_empty());
            return;
        }
    };
    let mut written = Vec::new();
    let mut writer = Writer::new(&mut written);
    writer.history(&history).expect("a vector takes everything");
    let again = read(Format::Json, written.as_slice(), &Limits::default());
    let again = again.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(again.len(), history.len());
}

/// The same as they are, and as words of a format: random bytes alone say hardly anything that is understood.
fn is_read_in_words(format: Format, words: &[&str], bytes: &[u8]) {
    is_read(format, bytes);
    let word = |byte: &u8| words[usize::from(*byte) % words.len()].as_bytes();
    let text: Vec<u8> = bytes.iter().flat_map(word).copied().collect();
    is_read(format, &text);
}

#[test]
fn jepsen_edn() {
    const WORDS: [&str; 29] = [
        "{:process 0, :type :invoke, :f :read, :value nil}",
        "{:process 0 :type :ok :f :read :value 1}",
        "{:process 1, :type :invoke, :f :cas, :value [1 2]}",
        "{:process 1 :type :info :f :cas}",
        "{",
        "}",
        "[",
        "]",
        "(",
        ")",
        "#{",
        ":process ",
        ":type ",
        ":invoke ",
        ":ok ",
        ":f ",
        ":value ",
        "nil ",
        "true ",
        "-1 ",
        "2.5 ",
        "\"text\\n\"",
        "\\newline ",
        "#inst ",
        ", ",
        "; comment\n",
        "\n",
        "#_",
        "é",
    ];
    bolero::check!(name = "jepsen_edn")
        .for_each(|bytes: &[u8]| is_read_in_words(Format::JepsenEdn, &WORDS, bytes));
}

#[test]
fn json() {
    const WORDS: [&str; 24] = [
        "{\"process\":0,\"type\":\"invoke\",\"f\":\"read\",\"value\":null}",
        "{\"process\":0,\"type\":\"ok\",\"f\":\"read\",\"value\":1}",
        "{\"process\":1,\"type\":\"invoke\",\"f\":\"cas\",\"value\":[1,2]}",
        "{\"process\":1,\"type\":\"info\",\"f\":\"cas\"}",
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"process\"",
        "\"type\"",
        "\"invoke\"",
        "\"value\"",
        "\"f\"",
        "null",
        "false",
        "-1",
        "2.5e3",
        "\"\\ud83d\\ude00\"",
        "\"\\u00e9\"",
        "\n",
        " ",
        "\"key\":",
    ];
    bolero::check!(name = "json")
        .for_each(|bytes: &[u8]| is_read_in_words(Format::Json, &WORDS, bytes));
}

#[test]
fn etcd_log() {
    const WORDS: [&str; 14] = [
        "INFO  jepsen.util - 0\t:invoke\t:read\tnil\n",
        "INFO  jepsen.util - 0\t:ok\t:read\t1\n",
        "INFO  jepsen.util - 1\t:invoke\t:cas\t[1 2]\n",
        "INFO  jepsen.util - 1\t:info\t:cas\t:timed-out\n",
        "INFO  jepsen.util - ",
        "\t",
        "\n",
        ":invoke",
        ":write",
        "3",
        "[",
        "]",
        "nil",
        "other text",
    ];
    bolero::check!(name = "etcd_log")
        .for_each(|bytes: &[u8]| is_read_in_words(Format::EtcdLog, &WORDS, bytes));
}

const FUNCTIONS: [&str; 24] = [
    "read",
    "write",
    "cas",
    "get",
    "put",
    "append",
    "delete",
    "add",
    "remove",
    "contains",
    "enqueue",
    "dequeue",
    "push",
    "pop",
    "insert",
    "take-min",
    "acquire",
    "release",
    "use",
    "renew",
    "txn",
    "transfer",
    "generate",
    "broadcast",
];

/// A history of a few operations, two bytes and more each.
fn history(bytes: &[u8]) -> RawHistory {
    let mut builder = Builder::new();
    let mut bytes = bytes.iter().copied();
    let mut next = || bytes.next();
    // Mostly of a few functions.
    let Some(functions) = next() else { return builder.finish() };
    while let (Some(event), Some(what)) = (next(), next()) {
        let process = i64::from(event % 4);
        let value = value(what, &mut next, 0);
        let function = FUNCTIONS[usize::from(functions.wrapping_add(event / 64)) % FUNCTIONS.len()];
        let call = RawCall {
            function: function.into(),
            key: (event & 4 > 0).then(|| Value::from(i64::from(event & 8))),
            value: value.clone(),
        };
        if builder.invoke(process, call).is_err() {
            let outcome = match event / 8 % 8 {
                0 => Outcome::Fail,
                1 => Outcome::Unknown,
                _ => Outcome::Ok(value),
            };
            builder.end(process, outcome).expect("an operation is open");
        }
        if builder.len() == 12 {
            break;
        }
    }
    builder.finish()
}

fn value(what: u8, next: &mut impl FnMut() -> Option<u8>, depth: u8) -> Value {
    match what % 16 {
        0 => Value::Nil,
        1 => Value::Bool(what > 128),
        2 => Value::text("r"),
        3 => Value::text(if what > 128 { "append" } else { "w" }),
        it @ 4..=7 if depth < 3 => {
            let members = (4..=it).filter_map(|_| next().map(|what| value(what, next, depth + 1)));
            Value::list(members.collect::<Vec<_>>())
        }
        it => Value::from(i64::from(it) - 8),
    }
}

/// No checker panics, takes long, or gives a reason that cannot be drawn.
#[test]
fn all_checkers() {
    bolero::check!(name = "all_checkers").for_each(|bytes: &[u8]| {
        let history = history(bytes);
        let budget = Budget { memory_bytes: 16 << 20, time: Duration::from_secs(2) };
        let core = CoreSearch::For(Duration::from_millis(100));
        let options = Options { budget, core, ..Options::default() };
        for checker in checkers() {
            let unwritten = Unwritten::Anomaly;
            for consistency in [Consistency::Linearizable, Consistency::Sequential] {
                let (history, initial, level) = (&history, None, None);
                let case = Case { history, initial, consistency, level, unwritten, options };
                if let Ok(Answer::Violated(reasons)) = (checker.check)(&case) {
                    assert!(!reasons.is_empty(), "{}", checker.name);
                    reasons.iter().for_each(|reason| assert!(!draw(history, reason).is_empty()));
                }
            }
        }
    });
}
