//! Assertions for guest code: what has to be true while a program runs.
//!
//! They stand in production code. In an ordinary process each costs one load of an atomic and is
//! otherwise nothing, its condition included; in a world each becomes a property of the run.

use std::fmt;

use bizarro_call::{Op, call};
use bizarro_record::{Assertion, PropertyKind};

/// Reports what was seen of a property. The detail is only written down where the property is false.
pub fn look(
    kind: PropertyKind,
    name: &str,
    place: &'static str,
    holds: bool,
    detail: fmt::Arguments<'_>,
) {
    let detail = if holds { String::new() } else { detail.to_string() };
    let assertion = Assertion { kind, name, place, holds, detail: &detail };
    let input = postcard::to_allocvec(&assertion)
        .expect("an assertion is strings and can always be encoded");
    call(Op::Assert, &input, &mut []);
}

/// Safety: the condition is true whenever this line is reached.
///
/// The name identifies the property in reports; what follows it is a format string for the reader of a
/// failure. Neither the condition nor the format's arguments are evaluated outside a world.
///
/// ```
/// # let (balance, reserved) = (5, 3);
/// bizarro::always!(balance >= reserved, "reserved money is there", "{balance} < {reserved}");
/// ```
#[macro_export]
macro_rules! always {
    ($condition:expr, $name:expr $(,)?) => {
        $crate::__look!(Always, $name, $condition, "")
    };
    ($condition:expr, $name:expr, $($detail:tt)+) => {
        $crate::__look!(Always, $name, $condition, $($detail)+)
    };
}

/// The condition is true at least once, over all runs of a test: what shows that a test that passes has
/// seen the case.
///
/// Nothing is evaluated outside a world.
///
/// ```
/// # let attempts = 2;
/// bizarro::sometimes!(attempts > 1, "a request is sent again");
/// ```
#[macro_export]
macro_rules! sometimes {
    ($condition:expr, $name:expr $(,)?) => {
        $crate::__look!(Sometimes, $name, $condition, "")
    };
    ($condition:expr, $name:expr, $($detail:tt)+) => {
        $crate::__look!(Sometimes, $name, $condition, $($detail)+)
    };
}

/// This line is reached at least once, over all runs of a test.
///
/// ```
/// bizarro::reachable!("the cache is rebuilt");
/// ```
#[macro_export]
macro_rules! reachable {
    ($name:expr $(,)?) => {
        $crate::__look!(Reachable, $name, true, "")
    };
}

/// This line is never reached. Unlike `std::unreachable!` it does not panic: the program goes on, and
/// the run has a violated property.
///
/// ```
/// # let found = true;
/// if !found {
///     bizarro::unreachable!("an account is always found", "after a lookup");
/// }
/// ```
#[macro_export]
macro_rules! unreachable {
    ($name:expr $(,)?) => {
        $crate::__look!(Unreachable, $name, false, "")
    };
    ($name:expr, $($detail:tt)+) => {
        $crate::__look!(Unreachable, $name, false, $($detail)+)
    };
}

/// What the four assertions have in common.
#[doc(hidden)]
#[macro_export]
macro_rules! __look {
    ($kind:ident, $name:expr, $condition:expr, $($detail:tt)+) => {
        if $crate::__private::in_world() {
            $crate::__private::look(
                $crate::__private::PropertyKind::$kind,
                $name,
                ::core::concat!(::core::file!(), ":", ::core::line!()),
                $condition,
                ::core::format_args!($($detail)+),
            );
        }
    };
}

#[cfg(test)]
mod tests {
    /// The conditions below would panic: outside a world they are not evaluated.
    #[test]
    fn outside_a_world_nothing_is_evaluated() {
        fn never() -> bool {
            panic!("evaluated outside a world")
        }
        crate::always!(never(), "a");
        crate::always!(never(), "b", "detail {}", never());
        crate::sometimes!(never(), "c");
        crate::reachable!("d");
        crate::unreachable!("e", "detail {}", never());
    }
}
