//! A hook for lies that only the program itself can tell.

use bizarro_call::{Op, call};

/// Whether the plan makes a traitor of the host of the caller now (`at 3s: traitor replica-2`): then its program should say
/// what is false and looks right, as nobody can who does not know its protocol. In an ordinary process nobody is one, and
/// this is a load of an atomic and nothing else.
///
/// Where a lie is a matter of bytes, a plan needs no help: `lie replica-2>* equivocate 1/3`.
///
/// ```
/// # struct Vote { value: bool }
/// # fn honest() -> Vote { Vote { value: true } }
/// let mut vote = honest();
/// if bizarro::traitor() {
///     vote.value = !vote.value;
/// }
/// ```
///
/// A traitor may also be another program altogether: `world.host("replica-2").program(|| if bizarro::traitor() { liar() }
/// else { replica() })`, with a plan in which it is one from the start.
pub fn traitor() -> bool {
    bizarro_call::present() && call(Op::Traitor, &[], &mut []) == Some(1)
}
