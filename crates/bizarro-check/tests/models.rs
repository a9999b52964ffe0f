//! What models say of their operations for the search's sake, against what they do.

use std::collections::BTreeSet;
use std::fmt::Debug;

use bizarro_check::history::Value;
use bizarro_check::model::*;

/// Follows all operations from the first state on, as far as `depth`, and looks at every step.
fn keeps_its_word<M>(model: M, calls: &[M::Call], replies: impl Fn(&M::Call) -> Vec<M::Reply>)
where
    M: Model,
    M::Call: Debug,
    M::Reply: Debug,
    M::State: Debug + Ord,
{
    let mut states = BTreeSet::from([model.initial()]);
    for _ in 0..3 {
        for state in states.clone() {
            for call in calls {
                let answers = replies(call);
                let answers = answers.iter().map(Some).chain([None]);
                answers.for_each(|reply| states.extend(steps(&model, &state, call, reply)));
            }
        }
    }
    assert!(states.len() > 1, "nothing ever changes");
    let operations: Vec<(M::Call, Option<M::Reply>)> = calls
        .iter()
        .flat_map(|call| {
            let known = replies(call).into_iter().map(Some);
            known.chain([None]).map(|reply| (call.clone(), reply))
        })
        .collect();
    let observations: Vec<_> = operations
        .iter()
        .filter(|(call, reply)| reply.is_some() && model.observes(call, reply.as_ref()))
        .collect();
    for (call, reply) in &operations {
        let reply = reply.as_ref();
        let mut after: Option<Vec<M::State>> = None;
        for state in &states {
            let next = steps(&model, state, call, reply);
            let what = format!("{call:?} -> {reply:?} in {state:?}");
            assert_eq!(model.allows(state, call, reply), !next.is_empty(), "allows: {what}");
            if model.observes(call, reply) {
                assert!(next.iter().all(|it| it == state), "observes: {what}");
            }
            match model.register_use(call, reply) {
                None => {}
                Some(RegisterUse::Write(value)) => {
                    assert_eq!(next, std::slice::from_ref(value), "write: {what}");
                }
                Some(RegisterUse::Read(seen)) => {
                    let expected = seen.is_none_or(|seen| seen == state).then(|| state.clone());
                    assert_eq!(next, Vec::from_iter(expected), "read: {what}");
                }
            }
            let is_used = model.register_use(call, reply).is_some();
            assert!(!is_used || model.register_use(call, None).is_some(), "no reply: {what}");
            if reply.is_none() {
                let known = replies(call);
                let known = known.iter().flat_map(|reply| steps(&model, state, call, Some(reply)));
                assert!(known.into_iter().all(|it| next.contains(&it)), "no reply: {what}");
            }
            if model.is_blind(call, reply) {
                assert_eq!(next.len(), 1, "blind: {what}");
                if !model.grows(call) {
                    assert_eq!(after.get_or_insert_with(|| next.clone()), &next, "blind: {what}");
                }
            }
            for (seen, said) in &observations {
                let said = said.as_ref().expect("observations with a reply");
                if model.out_of_reach(state, seen, said) {
                    assert!(!model.allows(state, seen, Some(said)), "{seen:?} {said:?} {state:?}");
                    if model.grows(call) {
                        let still = next.iter().all(|it| model.out_of_reach(it, seen, said));
                        assert!(still, "{what} brings {seen:?} -> {said:?} into reach");
                    }
                }
            }
        }
    }
}

fn steps<M: Model>(
    model: &M,
    state: &M::State,
    call: &M::Call,
    reply: Option<&M::Reply>,
) -> Vec<M::State> {
    let mut next = Vec::new();
    model.step(state, call, reply, &mut next);
    next
}

#[test]
fn registers() {
    use RegisterCall as R;
    keeps_its_word(Register::new(0), &[R::Read, R::Write(1), R::Write(2)], |call| match call {
        R::Read => (0..3).map(RegisterReply::Value).collect(),
        R::Write(_) => vec![RegisterReply::Written],
    });
    use CasRegisterCall as C;
    let calls = [C::Read, C::Write(1), C::Cas(0, 1), C::Cas(1, 1)];
    keeps_its_word(CasRegister::new(0), &calls, |call| match call {
        C::Read => (0..3).map(CasRegisterReply::Value).collect(),
        C::Write(_) => vec![CasRegisterReply::Written],
        C::Cas(..) => vec![CasRegisterReply::Set(true), CasRegisterReply::Set(false)],
    });
    let calls = [vec![Access::Read(0)], vec![Access::Write(0, 1), Access::Read(0)]];
    keeps_its_word(MultiRegister::new(0), &calls, |_| {
        vec![vec![None], vec![Some(0)], vec![Some(1)]]
    });
}

#[test]
fn stores() {
    use KeyValueCall as K;
    let [x, a, b] = ["x", "a", "b"].map(Value::from);
    let calls = [
        K::Get(x.clone()),
        K::Put(x.clone(), b.clone()),
        K::Append(x.clone(), a.clone()),
        K::Append(x.clone(), b.clone()),
        K::Cas(x.clone(), a, b),
        K::Delete(x),
    ];
    let replies = |call: &K| match call {
        K::Get(_) => ["", "a", "b", "ab", "ba", "aab"]
            .map(|text| KeyValueReply::Value(text.into()))
            .into_iter()
            .chain([KeyValueReply::Value(Value::Nil)])
            .collect(),
        K::Cas(..) => vec![KeyValueReply::Set(true), KeyValueReply::Set(false)],
        K::Put(..) | K::Append(..) | K::Delete(_) => vec![KeyValueReply::Done],
    };
    for missing in [Value::Nil, Value::text(""), Value::list([])] {
        keeps_its_word(KeyValue::new(missing.clone()), &calls, replies);
        keeps_its_word(Whole(KeyValue::new(missing)), &calls, replies);
    }
}

#[test]
fn numbers_and_sets() {
    use CounterCall as C;
    let calls = [C::Read, C::Add(0), C::Add(1), C::Add(-1), C::AddAndGet(2)];
    keeps_its_word(Counter { initial: 0 }, &calls, |call| match call {
        C::Read | C::AddAndGet(_) => (-3..6).map(CounterReply::Value).collect(),
        C::Add(_) => vec![CounterReply::Added],
    });
    use SetCall as S;
    let calls = [S::Add(1), S::Add(2), S::Remove(1), S::Contains(1), S::Read];
    keeps_its_word(Set::new(), &calls, |call| match call {
        S::Add(_) | S::Remove(_) => {
            vec![SetReply::Done, SetReply::Changed(true), SetReply::Changed(false)]
        }
        S::Contains(_) => vec![SetReply::Contains(true), SetReply::Contains(false)],
        S::Read => [vec![], vec![1], vec![2], vec![1, 2]].map(SetReply::Members).to_vec(),
    });
    use AppendLogCall as L;
    let calls = [L::Append(1), L::Append(2), L::Get(0), L::Get(1), L::Read];
    keeps_its_word(AppendLog::new(), &calls, |call| match call {
        L::Append(_) => vec![AppendLogReply::Appended, AppendLogReply::AppendedAt(1)],
        L::Get(_) => vec![AppendLogReply::At(None), AppendLogReply::At(Some(1))],
        L::Read => [vec![], vec![1], vec![1, 2]].map(AppendLogReply::Entries).to_vec(),
    });
}

#[test]
fn queues() {
    let calls = [ContainerCall::Put(1), ContainerCall::Put(2), ContainerCall::Take];
    let replies = |call: &ContainerCall<i32>| match call {
        ContainerCall::Put(_) => vec![ContainerReply::Put],
        ContainerCall::Take => {
            vec![ContainerReply::Taken(1), ContainerReply::Taken(2), ContainerReply::Empty]
        }
    };
    keeps_its_word(Queue::new(), &calls, replies);
    keeps_its_word(Stack::new(), &calls, replies);
    keeps_its_word(PriorityQueue::new(), &calls, replies);
}

#[test]
fn locks_and_accounts() {
    keeps_its_word(Mutex, &[MutexCall::Acquire, MutexCall::Release], |_| vec![()]);
    use LeaseCall as L;
    let calls = [L::Acquire(1), L::Acquire(2), L::Renew(1), L::Holds(2), L::Release(1)];
    keeps_its_word(Lease, &calls, |_| vec![LeaseReply::Yes, LeaseReply::No, LeaseReply::Released]);
    use BankCall as B;
    let calls = [B::Read, B::Balance(0), B::Deposit(0, 1), B::Withdraw(1, 1), B::Transfer(0, 1, 1)];
    let replies = |call: &B<i32>| match call {
        B::Read => vec![BankReply::Balances(vec![(0, 1), (1, 1)])],
        B::Balance(_) => vec![BankReply::Balance(0), BankReply::Balance(1)],
        B::Deposit(..) | B::Withdraw(..) | B::Transfer(..) => {
            vec![BankReply::Done, BankReply::Insufficient]
        }
    };
    for overdraft in [Overdraft::Refused, Overdraft::Allowed] {
        keeps_its_word(Bank { overdraft, ..Bank::new([(0, 1), (1, 1)]) }, &calls, replies);
    }
}

/// An id that nobody heard of takes none away.
#[test]
fn ids() {
    let ids = UniqueId::new();
    assert_eq!(steps(&ids, &vec![1], &UniqueIdCall::Generate, None), [vec![1]]);
    assert_eq!(steps(&ids, &vec![1], &UniqueIdCall::Generate, Some(&2)), [vec![1, 2]]);
    assert!(steps(&ids, &vec![1], &UniqueIdCall::Generate, Some(&1)).is_empty());
}

/// A token that was granted to someone who never heard of it is above all before it.
#[test]
fn fencing_tokens() {
    let lock = FencedLock::default();
    let granted = |token| FencedLockReply::Granted(token);
    let [first] = &steps(&lock, &lock.initial(), &FencedLockCall::Acquire, Some(&granted(4)))[..]
    else {
        panic!("any first token will do")
    };
    let [lost] = &steps(&lock, first, &FencedLockCall::Acquire, None)[..] else {
        panic!("the grant may have ended")
    };
    assert!(steps(&lock, lost, &FencedLockCall::Acquire, Some(&granted(5))).is_empty());
    assert_eq!(steps(&lock, lost, &FencedLockCall::Acquire, Some(&granted(6))).len(), 1);
    let uses = |state, token, accepted| {
        steps(&lock, state, &FencedLockCall::Use(token), Some(&FencedLockReply::Accepted(accepted)))
    };
    let [later] = &uses(first, 34, true)[..] else { panic!("34 is above all that was seen") };
    assert!(uses(later, 33, true).is_empty(), "the store has seen 34");
    assert_eq!(uses(later, 33, false).len(), 1);
}
