//! Histories as other tools write them, and histories that nobody should write.

use std::io::Read;

use bizarro_check::checkers::{Answer, Case, Checker, Consistency, Refusal, checkers};
use bizarro_check::history::read::{FORMATS, Format, Limits, Problem, read, read_located, value};
use bizarro_check::history::{Outcome, RawHistory, Value, Writer};
use bizarro_check::linearizable::Options;
use bizarro_check::transactions::Level;
use proptest::prelude::*;

fn parse(format: Format, text: &str) -> Result<RawHistory, String> {
    read(format, text.as_bytes(), &Limits::default()).map_err(|error| error.to_string())
}

/// Operations in a line each: process, function, key, argument, outcome, and where its events stand.
fn shown(history: &RawHistory) -> Vec<String> {
    history
        .operations()
        .iter()
        .map(|it| {
            let key = it.call.key.as_ref().map_or(String::new(), |key| format!(" {key}"));
            let outcome = match &it.outcome {
                Outcome::Ok(value) => format!("ok {value}"),
                Outcome::Fail => "fail".to_string(),
                Outcome::Unknown => "unknown".to_string(),
            };
            let end = it.ended.map_or("-".to_string(), |end| end.position.to_string());
            let (process, call, begin) = (it.process, &it.call, it.invoked.position);
            format!("{process} {}{key} {} {outcome} @{begin}..{end}", call.function, call.value)
        })
        .collect()
}

const EDN: &str = r#"
; What stands behind a semicolon is a comment.
[{:process 0, :type :invoke, :f :cas, :value [1 2], :time 10}
 {:type :invoke :process 1 :f :read :key "x y" :value nil} ; also here
 #jepsen.history.Op{:process 1, :type :ok, :f :read, :value #{2 1}}
 {:process :nemesis, :type :info, :f :kill, :value nil}
 #_{:not "an event"}
 {:process 0, :type :fail, :f :cas, :value [1 2], :error [:timeout nil] :time 30}
 {:process 0, :type :invoke, :f :write, :value {:a "é\n\u00e9" b 1.5, :n 3N}}
 {:process 2, :type :invoke, :f :read}
 {:process 2, :type :info, :f :read}]
"#;

#[test]
fn jepsen_edn() {
    let expected = [
        "0 cas [1 2] fail @0..3",
        "1 read \"x y\" nil ok #{1 2} @1..2",
        "0 write {:a \"é\\né\", :b 1.5, :n 3} unknown @4..-",
        "2 read nil unknown @5..6",
    ];
    let history = parse(Format::JepsenEdn, EDN).unwrap();
    assert_eq!(shown(&history), expected);
    assert_eq!(history.operations()[0].invoked.times.virtual_ns, Some(10));
    assert_eq!(history.operations()[0].ended.unwrap().times.virtual_ns, Some(30));
    // The same without brackets, one event after the other.
    let bare = EDN.replacen('[', "", 1).trim_end().strip_suffix(']').unwrap().to_string();
    assert_eq!(shown(&parse(Format::JepsenEdn, &bare).unwrap()), expected);
}

#[test]
fn json() {
    let text = r#"[{"process":0,"type":"invoke","f":"read","value":null,"time":5,"more":{"a":[]}},
        {"process":0,"type":"ok","f":"read","value":{"1":[true,-2.5,"\ud83d\ude00\/"]}}]"#;
    let history = parse(Format::Json, text).unwrap();
    assert_eq!(shown(&history), ["0 read nil ok {\"1\" [true -2.5 \"😀/\"]} @0..1"]);
    // Elle's histories of transactions name no function.
    let text = "{\"process\":0,\"type\":\"invoke\",\"value\":[]}\n";
    assert_eq!(shown(&parse(Format::Json, text).unwrap()), ["0 txn [] unknown @0..-"]);
}

#[test]
fn operations_are_found_in_the_file() {
    let located = read_located(Format::JepsenEdn, EDN.as_bytes(), &Limits::default()).unwrap();
    assert_eq!(located.places, [(3, 2), (4, 2), (9, 2), (10, 2)]);
    assert!(located.bytes > 4 * 100);
}

#[test]
fn single_values() {
    assert_eq!(value(" {:a [1 nil]} ; so").unwrap().to_string(), "{:a [1 nil]}");
    assert_eq!(value("1 2").unwrap_err().to_string().split(':').next(), Some("line 1, column 3"));
    assert!(value("").is_err());
}

#[test]
fn etcd_log() {
    let text = "INFO  jepsen.util - 0\t:invoke\t:cas\t[1 2]\n\
                INFO  jepsen.util - 1\t:invoke\t:read\tnil\n\
                INFO  jepsen.util - :nemesis\t:info\t:start\tnil\n\
                INFO  jepsen.util - 0\t:fail\t:cas\t[1 2]\n\
                INFO  jepsen.util - 1\t:fail\t:read\t:timed-out\n\
                INFO  jepsen.util - 1\t:invoke\t:write\t3\n\
                INFO  jepsen.util - 1\t:info\t:write\t:timed-out\n";
    let expected =
        ["0 cas [1 2] ok false @0..2", "1 read nil unknown @1..3", "1 write 3 unknown @4..5"];
    assert_eq!(shown(&parse(Format::EtcdLog, text).unwrap()), expected);
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    use Format::{EtcdLog, JepsenEdn, Json};
    let ok_without_invoke = "[{:process 0, :type :ok, :f :read, :value 1}]";
    let two_open = "{:process 3 :type :invoke :f :read}\n  {:process 3 :type :invoke :f :read}";
    let other = "{:process 3 :type :invoke :f :read} {:process 3 :type :ok :f :write}";
    for (format, text, expected) in [
        (
            JepsenEdn,
            ok_without_invoke,
            "line 1, column 2: expected an invocation by process 0 before its end, \
             found an end without invocation",
        ),
        (
            JepsenEdn,
            two_open,
            "line 2, column 3: expected the end of the open operation of process 3, \
             found another invocation by it",
        ),
        (
            JepsenEdn,
            other,
            "line 1, column 37: expected the end of `read` of process 3, found the end of `write`",
        ),
        (
            JepsenEdn,
            "[{:process 0, :type :invoke, :f :read",
            "line 1, column 38: expected a value or `}`, found the end of the file",
        ),
        (
            JepsenEdn,
            "[{:process 0, :type :invoke, :f :read}\n",
            "line 2, column 1: expected an event or `]`, found the end of the file",
        ),
        (
            JepsenEdn,
            "[{:process 0, :type :begin, :f :read}]",
            "line 1, column 2: expected `type` invoke, ok, fail, info or unknown, found :begin",
        ),
        (
            JepsenEdn,
            "[{:process [], :type :invoke, :f :read}]",
            "line 1, column 2: expected a whole number as `process`, found a list",
        ),
        (
            JepsenEdn,
            "[{:process 0, :type :invoke, :f 3}]",
            "line 1, column 2: expected a name as `f`, found a whole number",
        ),
        (JepsenEdn, "[1 2]", "line 1, column 2: expected an event or `]`, found `1`"),
        (
            JepsenEdn,
            "{:a}",
            "line 1, column 1: expected a map with a value for each key, \
             found a key without one",
        ),
        (
            JepsenEdn,
            "{\"a\" \"\\q\"}",
            "line 1, column 7: expected `\\n`, `\\t`, `\\r`, `\\\"`, \
             `\\\\` or `\\u`, found another escape",
        ),
        (Json, "\u{fffd}", "line 1, column 1: expected an event, found byte 0xef"),
        (Json, "[{\"process\":0 \"type\"", "line 1, column 15: expected `,` or `}`, found `\"`"),
        (Json, "[{\"process\":tru", "line 1, column 13: expected a value, found `tru`"),
        (Json, "[{\"é\":1e}]", "line 1, column 7: expected a number, found `1e`"),
        (Json, "[] []", "line 1, column 4: expected the end of the file, found `[`"),
        (
            EtcdLog,
            "INFO jepsen.core - 1",
            "line 1, column 6: expected `jepsen.util`, \
             found `jepsen.core`",
        ),
        (
            EtcdLog,
            "INFO jepsen.util - 1 :invoke\n",
            "line 1, column 29: expected the name of a function, found the end of the line",
        ),
    ] {
        assert_eq!(parse(format, text).unwrap_err(), expected, "{text}");
    }
}

#[test]
fn limits_are_kept() {
    let limits = Limits { event_bytes_max: 1 << 16, depth_max: 8, memory_bytes_max: 1 << 20 };
    let refused = |format, input: &mut dyn Read| match read(format, input, &limits) {
        Err(error) => match error.problem {
            Problem::TooLarge(what, _) => what,
            other => panic!("{other:?}"),
        },
        Ok(history) => panic!("{} operations", history.len()),
    };
    for format in [Format::JepsenEdn, Format::Json] {
        let endless = |begin: &'static [u8], byte| begin.chain(std::io::repeat(byte));
        assert_eq!(refused(format, &mut endless(b"{\"a", b'a')), "an event");
        let begin: &[u8] = if format == Format::Json { b"{\"a\":[" } else { b"{:a [" };
        assert_eq!(refused(format, &mut endless(begin, b'[')), "the depth of nesting");
    }
    let event =
        |process: usize| format!("{{\"process\":{process},\"type\":\"invoke\",\"f\":\"r\"}}");
    let many: String = (0..100_000).map(event).collect();
    assert_eq!(refused(Format::Json, &mut many.as_bytes()), "the history");
}

#[test]
fn every_format_and_checker_has_a_name() {
    for (format, name, ends, _) in FORMATS {
        assert_eq!(Format::named(name), Some(*format));
        assert!(ends.iter().all(|end| Format::of_extension(end) == Some(*format)));
    }
    for checker in checkers() {
        assert_eq!(Checker::named(checker.name).map(|it| it.about), Some(checker.about));
    }
    assert!(Checker::named("linear").is_none());
}

#[test]
fn checkers_say_what_they_do_not_know() {
    let text = "{:process 0 :type :invoke :f :read}{:process 0 :type :ok :f :read :value 0}\
                {:process 0 :type :invoke :f :jump :value 1}";
    let raw = parse(Format::JepsenEdn, text).unwrap();
    let case = Case {
        history: &raw,
        initial: None,
        consistency: Consistency::Linearizable,
        level: None,
        unwritten: bizarro_check::transactions::Unwritten::Anomaly,
        options: Options::default(),
    };
    let run = |name: &str, initial: Option<&Value>| {
        (Checker::named(name).unwrap().check)(&Case { initial, ..case })
    };
    let refusal = run("register", None).unwrap_err();
    assert!(matches!(refusal, Refusal::Operation(1, _)));
    assert_eq!(
        refusal.to_string(),
        "operation 1: expected one of the functions read, write, found `jump`"
    );
    let refusal = run("mutex", Some(&Value::Int(1))).unwrap_err();
    assert_eq!(refusal.to_string(), "the initial value: expected none, found 1");
    let level = Some(Level::Serializable);
    let refusal = (Checker::named("register").unwrap().check)(&Case { level, ..case }).unwrap_err();
    assert_eq!(refusal, Refusal::Level(Level::Serializable));
    for name in ["causal", "list-append", "bank-total", "mutual-exclusion"] {
        let consistency = Consistency::Sequential;
        let refusal = (Checker::named(name).unwrap().check)(&Case { consistency, ..case });
        assert_eq!(refusal, Err(Refusal::Sequential), "{name}");
    }
    let raw = parse(Format::JepsenEdn, &text[..text.len() - 44]).unwrap();
    let checker = Checker::named("register").unwrap();
    for (initial, holds) in [(0, true), (1, false)] {
        let initial = Value::Int(initial);
        let answer = (checker.check)(&Case { history: &raw, initial: Some(&initial), ..case });
        assert_eq!(answer.unwrap() == Answer::Holds, holds);
    }
}

/// Events that JSON can say exactly.
fn written() -> impl Strategy<Value = Vec<(i64, u8, i64, String)>> {
    proptest::collection::vec((0..5_i64, 0..4_u8, any::<i64>(), any::<String>()), 0..40)
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(events in written()) {
        use bizarro_check::history::{Builder, RawCall, Times};
        let mut builder = Builder::new();
        for (process, end, number, text) in events {
            let value = Value::list([Value::Int(number), Value::text(text.as_str()), Value::Nil]);
            builder.at(Times { virtual_ns: number.try_into().ok(), wall_ns: None });
            if builder.open(process).is_none() {
                let key = (end == 0).then(|| Value::text(text.as_str()));
                let function = if end == 1 { text.as_str() } else { "f" };
                builder.invoke(process, RawCall { function: function.into(), key, value }).unwrap();
            } else {
                let outcome = match end {
                    0 => Outcome::Fail,
                    1 => Outcome::Unknown,
                    _ => Outcome::Ok(value),
                };
                builder.end(process, outcome).unwrap();
            }
        }
        let history: RawHistory = builder.finish();
        let mut writer = Writer::new(Vec::new());
        writer.history(&history).unwrap();
        let bytes = writer.into_inner();
        let again = read(Format::Json, bytes.as_slice(), &Limits::default()).unwrap();
        prop_assert_eq!(again, history);
    }

    #[test]
    fn nothing_makes_a_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for (format, ..) in FORMATS {
            // Whether it is refused or read is of no matter here.
            let _ = read(*format, bytes.as_slice(), &Limits::default());
        }
    }

    #[test]
    fn a_history_that_was_damaged_is_read_or_refused(at in 0..EDN.len(), byte in any::<u8>()) {
        let mut bytes = EDN.as_bytes().to_vec();
        bytes[at] = byte;
        if let Err(error) = read(Format::JepsenEdn, bytes.as_slice(), &Limits::default()) {
            prop_assert!(error.line <= bytes.split(|byte| *byte == b'\n').count() as u64);
        }
        bytes.truncate(at);
        let _ = read(Format::JepsenEdn, bytes.as_slice(), &Limits::default());
    }
}
