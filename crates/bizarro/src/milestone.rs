//! Milestones: what a program says to have reached, for plans that wait for it.

use bizarro_call::{Op, call};

/// Says that the program has come to `name`. A plan can have something go wrong then (`after "committed" #3: power-off
/// db`), or be over; the run's timeline shows it.
///
/// The name is that of plans if it is in one line and has no `"` and no `;`. In an ordinary process this is a load of an
/// atomic and nothing else.
///
/// ```
/// # fn commit() {}
/// commit();
/// bizarro::milestone("committed");
/// ```
pub fn milestone(name: &str) {
    if bizarro_call::present() {
        call(Op::Milestone, name.as_bytes(), &mut []);
    }
}
