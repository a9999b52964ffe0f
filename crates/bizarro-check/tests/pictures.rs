//! What is drawn of small violations. The pictures lie beside this file and can be opened in a browser.

use bizarro_check::checkers::{Answer, Case, Checker, Consistency, Reason};
use bizarro_check::history::RawHistory;
use bizarro_check::history::read::{Format, Limits, read};
use bizarro_check::linearizable::Options;
use bizarro_check::picture::draw;
use bizarro_check::transactions::Unwritten;
use expect_test::{ExpectFile, expect_file};

fn history(edn: &str) -> RawHistory {
    read(Format::JepsenEdn, edn.as_bytes(), &Limits::default()).unwrap()
}

fn reason(history: &RawHistory, model: &str) -> Reason {
    let case = Case {
        history,
        initial: None,
        consistency: Consistency::Linearizable,
        level: None,
        unwritten: Unwritten::Anomaly,
        options: Options::default(),
    };
    match (Checker::named(model).unwrap().check)(&case).unwrap() {
        Answer::Violated(reasons) => reasons.into_iter().next().unwrap(),
        other => panic!("{other:?}"),
    }
}

fn is_drawn(edn: &str, model: &str, expected: ExpectFile) {
    let history = history(edn);
    let picture = draw(&history, &reason(&history, model));
    texts_are_apart(&picture);
    expected.assert_eq(&picture);
}

/// No two texts are at one height, so that none is upon another.
fn texts_are_apart(picture: &str) {
    let heights = picture.lines().filter(|line| line.starts_with("<text"));
    let mut at: Vec<(u32, u32)> = heights
        .map(|line| {
            let number = |name: &str| {
                let value = line.split_once(&format!("{name}=\"")).unwrap().1;
                value.split('"').next().unwrap().parse().unwrap()
            };
            (number(" y"), number(" x"))
        })
        .collect();
    at.sort_unstable();
    for pair in at.windows(2) {
        let beside = pair[0].0 == pair[1].0 && pair[0].1 < 140 && pair[1].1 >= 140;
        assert!(pair[1].0 >= pair[0].0 + 12 || beside, "{pair:?}");
    }
}

#[test]
fn a_stale_read() {
    let edn = r"
        {:process 0, :type :invoke, :f :write, :value 1}
        {:process 1, :type :invoke, :f :write, :value 2}
        {:process 0, :type :ok, :f :write, :value 1}
        {:process 1, :type :info, :f :write, :value 2}
        {:process 2, :type :invoke, :f :read, :value nil}
        {:process 2, :type :ok, :f :read, :value 2}
        {:process 3, :type :invoke, :f :read, :value nil}
        {:process 3, :type :ok, :f :read, :value 1}
        {:process 2, :type :invoke, :f :read, :value nil}
        {:process 2, :type :ok, :f :read, :value 2}";
    is_drawn(edn, "register", expect_file!["pictures/stale-read.svg"]);
}

#[test]
fn write_skew() {
    let edn = r"
        {:process 0, :type :invoke, :f :txn, :value [[:r :x nil] [:append :y 1]]}
        {:process 1, :type :invoke, :f :txn, :value [[:r :y nil] [:append :x 2]]}
        {:process 0, :type :ok, :f :txn, :value [[:r :x []] [:append :y 1]]}
        {:process 1, :type :ok, :f :txn, :value [[:r :y []] [:append :x 2]]}
        {:process 0, :type :invoke, :f :txn, :value [[:r :x nil] [:r :y nil]]}
        {:process 0, :type :ok, :f :txn, :value [[:r :x [2]] [:r :y [1]]]}";
    is_drawn(edn, "list-append", expect_file!["pictures/write-skew.svg"]);
}

#[test]
fn an_effect_before_its_cause() {
    let edn = r"
        {:process 0, :type :invoke, :f :txn, :value [[:w :x 1]]}
        {:process 0, :type :ok, :f :txn, :value [[:w :x 1]]}
        {:process 0, :type :invoke, :f :txn, :value [[:w :x 2]]}
        {:process 0, :type :ok, :f :txn, :value [[:w :x 2]]}
        {:process 1, :type :invoke, :f :txn, :value [[:r :x nil] [:w :y 3]]}
        {:process 1, :type :ok, :f :txn, :value [[:r :x 2] [:w :y 3]]}
        {:process 2, :type :invoke, :f :txn, :value [[:r :y nil]]}
        {:process 2, :type :ok, :f :txn, :value [[:r :y 3]]}
        {:process 2, :type :invoke, :f :txn, :value [[:r :x nil]]}
        {:process 2, :type :ok, :f :txn, :value [[:r :x 1]]}";
    is_drawn(edn, "causal", expect_file!["pictures/causal.svg"]);
}
