//! Models: what an object does when operations come one at a time. A model is a file here and a line in
//! the list of [`checkers`](crate::checkers).

mod append_log;
mod bank;
mod cas_register;
mod container;
mod counter;
mod fenced_lock;
mod key_value;
mod lease;
mod multi_register;
mod mutex;
pub(crate) mod raw;
mod register;
mod set;
mod unique_id;
mod whole;

use std::hash::Hash;

pub use append_log::{AppendLog, AppendLogCall, AppendLogReply};
pub use bank::{Bank, BankCall, BankReply, Overdraft};
pub use cas_register::{CasRegister, CasRegisterCall, CasRegisterReply};
pub use container::{
    Container, ContainerCall, ContainerReply, Discipline, Fifo, LeastFirst, Lifo, PriorityQueue,
    Queue, Stack,
};
pub use counter::{Counter, CounterCall, CounterReply};
pub use fenced_lock::{Expiry, FencedLock, FencedLockCall, FencedLockReply, Tokens};
pub use key_value::{KeyValue, KeyValueCall, KeyValueReply};
pub use lease::{Lease, LeaseCall, LeaseReply};
pub use multi_register::{Access, MultiRegister};
pub use mutex::{Mutex, MutexCall};
pub use raw::{FromRaw, Misfit};
pub use register::{Register, RegisterCall, RegisterReply};
pub use set::{Set, SetCall, SetReply};
pub use unique_id::{UniqueId, UniqueIdCall};
pub use whole::Whole;

/// What an allocation takes besides its content, about.
const HEAP_BYTES: usize = 16;

/// What an operation is to an object that only holds a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RegisterUse<'c, S> {
    /// It holds this from then on.
    Write(&'c S),
    /// It holds this, if the answer is known.
    Read(Option<&'c S>),
}

/// What operations are to an object of a well-known kind, one by one. Values are numbers from zero; equal ones
/// have one number.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Uses {
    /// A container, empty first, that values leave in this way.
    Container(Leaving, Vec<ContainerUse>),
    /// A set, empty first.
    Set(Vec<SetUse>),
}

/// Which value leaves a container first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Leaving {
    /// The one that came first: a queue.
    FirstIn,
    /// The one that came last: a stack.
    LastIn,
    /// The least, and numbers of values are in their order: a priority queue.
    Least,
}

/// What an operation is to a container.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ContainerUse {
    /// This comes into it.
    Put(u32),
    /// This leaves it; or, if the answer is not known, whatever is next, if there is anything.
    Take(Option<u32>),
    /// Nothing is in it.
    Empty,
}

/// What an operation is to a set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SetUse {
    /// This is in it from then on; and whether it was not before, if that is known.
    Add(u32, Option<bool>),
    /// This is not in it from then on; and whether it was before, if that is known.
    Remove(u32, Option<bool>),
    /// Whether this is in it, if that is known.
    Contains(u32, Option<bool>),
    /// What is in it, in the order of numbers, if that is known.
    Read(Option<Vec<u32>>),
}

impl SetUse {
    /// The value that it is about, if it is about one.
    pub fn value(&self) -> Option<u32> {
        match self {
            SetUse::Add(value, _) | SetUse::Remove(value, _) | SetUse::Contains(value, _) => {
                Some(*value)
            }
            SetUse::Read(_) => None,
        }
    }

    /// How many members it tells.
    pub(crate) fn members(&self) -> usize {
        match self {
            SetUse::Read(Some(members)) => members.len(),
            SetUse::Read(None) | SetUse::Add(..) | SetUse::Remove(..) | SetUse::Contains(..) => 0,
        }
    }
}

/// An object, as it behaves when operations come one at a time.
///
/// ```
/// use bizarro_check::model::Model;
///
/// /// A light which can be switched and looked at.
/// struct Light;
///
/// #[derive(Clone, PartialEq, Eq, Hash)]
/// enum Call {
///     Switch,
///     Look,
/// }
///
/// impl Model for Light {
///     type State = bool;
///     type Call = Call;
///     type Reply = bool;
///     type Part = ();
///
///     fn initial(&self) -> bool {
///         false
///     }
///
///     fn step(&self, lit: &bool, call: &Call, reply: Option<&bool>, next: &mut Vec<bool>) {
///         let lit_then = match call {
///             Call::Switch => !lit,
///             Call::Look => *lit,
///         };
///         if reply.is_none_or(|reply| *reply == lit_then) {
///             next.push(lit_then);
///         }
///     }
///
///     fn part(&self, _: &Call) {}
/// }
/// ```
pub trait Model {
    /// What the object holds.
    type State: Clone + Eq + Hash;
    /// What can be asked.
    type Call: Clone + Eq + Hash;
    /// What can be answered.
    type Reply: Clone + Eq + Hash;
    /// What names one of several objects, where operations on one tell nothing of the others.
    type Part: Ord;

    /// What an object holds before the first operation.
    fn initial(&self) -> Self::State;

    /// Adds to `next` each state that the object may be in after it was asked `call` in `state` and
    /// answered `reply`; nothing where that cannot be its answer. Without a reply, any answer is possible,
    /// and the states after each of them are added; one that allows all that others would stands for them.
    fn step(
        &self,
        state: &Self::State,
        call: &Self::Call,
        reply: Option<&Self::Reply>,
        next: &mut Vec<Self::State>,
    );

    /// Which of several objects this is about. Each part is checked for itself: a history is linearizable
    /// if and only if each of its objects' histories is (Herlihy and Wing, *Linearizability*, 1990,
    /// theorem 1).
    fn part(&self, call: &Self::Call) -> Self::Part;

    /// Whether this operation leaves every state as it is, wherever it is possible. The search need not
    /// try it at more than one place. False is always right, and slower.
    fn observes(&self, call: &Self::Call, reply: Option<&Self::Reply>) -> bool {
        let _ = (call, reply);
        false
    }

    /// Whether [`Model::step`] gives any state. Give it where that can be told without making one.
    fn allows(&self, state: &Self::State, call: &Self::Call, reply: Option<&Self::Reply>) -> bool {
        let mut next = Vec::new();
        self.step(state, call, reply, &mut next);
        !next.is_empty()
    }

    /// Whether this operation only adds to what an object holds: what was out of reach before it is out of
    /// reach after it. See [`Model::out_of_reach`].
    fn grows(&self, call: &Self::Call) -> bool {
        let _ = call;
        false
    }

    /// Whether no operations that [grow](Model::grows) can lead from `state` to one in which `call` is
    /// answered with `reply`: a text that does not begin with what is there already, a count that was
    /// passed. The search leaves such states where nothing else can happen in time. False is always right,
    /// and slower.
    fn out_of_reach(&self, state: &Self::State, call: &Self::Call, reply: &Self::Reply) -> bool {
        let _ = (state, call, reply);
        false
    }

    /// Whether this operation, with this reply, is possible in every state and, unless it only
    /// [grows](Model::grows), leads to the same state from each. Where all changes are such, states from
    /// which nothing that was seen can be reached by growing need not be told apart.
    fn is_blind(&self, call: &Self::Call, reply: Option<&Self::Reply>) -> bool {
        let _ = (call, reply);
        false
    }

    /// What this operation is to an object that only holds a value, which is written and read whole and is
    /// its state. Where all operations are of this sort, and no value is written twice or held first, no
    /// search is needed. None is always right, and slower; without a reply it has to be some for every call
    /// for which it is some with one.
    fn register_use<'c>(
        &self,
        call: &'c Self::Call,
        reply: Option<&'c Self::Reply>,
    ) -> Option<RegisterUse<'c, Self::State>> {
        let _ = (call, reply);
        None
    }

    /// What these operations are to an object of a well-known kind, each in its place, if this is one. Where
    /// every value is put once, little is searched. None is always right, and slower; where it is some, it has
    /// to be some for each of the calls alone, without its reply.
    fn uses(&self, operations: &[(&Self::Call, Option<&Self::Reply>)]) -> Option<Uses> {
        let _ = operations;
        None
    }

    /// A number for the object that a call is about, where one part holds several. Calls with different
    /// numbers must not change what the other ones can be answered.
    fn object(&self, call: &Self::Call) -> u64 {
        let _ = call;
        0
    }

    /// About how many bytes a state takes, with all that it owns. Budgets are kept by this.
    fn weight(&self, state: &Self::State) -> usize {
        size_of_val(state)
    }
}
