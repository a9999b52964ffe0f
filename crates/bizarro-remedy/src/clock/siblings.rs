//! Values that were written concurrently, kept beside each other until somebody who saw them all writes again.
//!
//! Dotted version vectors (Almeida, Baquero, Gonçalves, Preguiça, Fonte: *Scalable and Accurate Causality Tracking for
//! Eventually Consistent Stores*, DAIS 2014), in the form of a set of dotted values and one vector of what was seen.

use std::collections::BTreeMap;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::version::{Dot, VersionVector};

/// The values of one object at one replica.
///
/// A client reads the values and their [context](Siblings::context), and gives the context back with what it writes: that
/// replaces exactly what the client saw. Replicas send each other the whole and [merge](Siblings::merge) it, as often and in
/// whatever order they like; those that have merged the same writes are equal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Siblings<Node: Ord, V> {
    values: BTreeMap<Dot<Node>, V>,
    /// INVARIANT: contains each dot of `values`.
    seen: VersionVector<Node>,
}

impl<Node: Ord, V> Default for Siblings<Node, V> {
    fn default() -> Self {
        Siblings { values: BTreeMap::new(), seen: VersionVector::default() }
    }
}

impl<Node: Ord + Clone, V: Clone> Siblings<Node, V> {
    /// Nothing was written.
    pub fn new() -> Self {
        Siblings::default()
    }

    /// The values that nobody has replaced, in an order that all replicas agree on.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.values.values()
    }

    /// What a client who read the values has seen.
    pub fn context(&self) -> &VersionVector<Node> {
        &self.seen
    }

    /// Writes a value at replica `node`, by a client who had seen `context`.
    ///
    /// Two writes at the same replica under the same context are siblings. The result must be on disk before it is
    /// answered or sent: a dot that is made twice makes one of its two writes disappear.
    pub fn write(&mut self, node: &Node, context: &VersionVector<Node>, value: V) {
        self.values.retain(|dot, _| !context.contains(dot));
        self.seen.merge(context);
        let dot = self.seen.increment(node);
        self.values.insert(dot, value);
    }

    /// Learns what another replica knows.
    pub fn merge(&mut self, other: &Siblings<Node, V>) {
        // A value that one of them has and the other has seen, but has no more, was replaced.
        self.values.retain(|dot, _| other.values.contains_key(dot) || !other.seen.contains(dot));
        for (dot, value) in &other.values {
            if !self.seen.contains(dot) {
                self.values.insert(dot.clone(), value.clone());
            }
        }
        self.seen.merge(&other.seen);
    }
}

/// Maps with dots as keys cannot be written as JSON: a list can.
impl<Node: Ord + Clone + Serialize, V: Serialize> Serialize for Siblings<Node, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let values: Vec<(&Dot<Node>, &V)> = self.values.iter().collect();
        (values, &self.seen).serialize(serializer)
    }
}

/// What says that it has a value and has not seen it is refused.
impl<'de, Node, V> Deserialize<'de> for Siblings<Node, V>
where
    Node: Ord + Clone + Deserialize<'de>,
    V: Deserialize<'de>,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (values, seen) =
            <(Vec<(Dot<Node>, V)>, VersionVector<Node>)>::deserialize(deserializer)?;
        if !values.iter().all(|(dot, _)| dot.count > 0 && seen.contains(dot)) {
            return Err(D::Error::custom("a value that was not seen"));
        }
        Ok(Siblings { values: values.into_iter().collect(), seen })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    type Replica = Siblings<u8, u32>;

    fn values(replica: &Replica) -> Vec<u32> {
        replica.values().copied().collect()
    }

    #[test]
    fn a_write_replaces_what_its_writer_saw_and_no_more() {
        let (mut one, mut three) = (Replica::new(), Replica::new());
        one.write(&1, &VersionVector::new(), 10);
        three.merge(&one);
        let seen = three.context().clone();
        three.write(&3, &seen, 11);
        one.write(&1, &seen, 12);
        one.merge(&three);
        three.merge(&one);
        assert_eq!((values(&one), &one), (vec![12, 11], &three));
        let seen = one.context().clone();
        one.write(&1, &seen, 13);
        three.merge(&one);
        assert_eq!(values(&three), [13]);
    }

    #[test]
    fn a_message_that_contradicts_itself_is_refused() {
        let error = serde_json::from_str::<Replica>(r#"[[[{"node":1,"count":2},7]],{"1":1}]"#);
        assert_eq!(error.unwrap_err().to_string(), "a value that was not seen");
    }

    #[derive(Clone, Debug)]
    enum Step {
        Write { at: u8, context_of: u8 },
        Merge { at: u8, from: u8 },
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0..3_u8, 0..3_u8).prop_map(|(at, context_of)| Step::Write { at, context_of }),
            (0..3_u8, 0..3_u8).prop_map(|(at, from)| Step::Merge { at, from }),
        ]
    }

    proptest! {
        /// Compared with the definition: each write with the set of all writes that its writer had seen.
        #[test]
        fn what_is_left_is_what_no_known_write_had_seen(steps in prop::collection::vec(step(), 0..24)) {
            let mut replicas = [Replica::new(), Replica::new(), Replica::new()];
            let mut known: [BTreeSet<u32>; 3] = Default::default();
            let mut saw: Vec<BTreeSet<u32>> = Vec::new();
            for step in steps {
                match step {
                    Step::Write { at, context_of } => {
                        let context = replicas[context_of as usize].context().clone();
                        let number = saw.len() as u32;
                        replicas[at as usize].write(&at, &context, number);
                        let seen = known[context_of as usize].clone();
                        known[at as usize].extend(seen.iter().copied());
                        known[at as usize].insert(number);
                        saw.push(seen);
                    }
                    Step::Merge { at, from } => {
                        let other = replicas[from as usize].clone();
                        replicas[at as usize].merge(&other);
                        let other = known[from as usize].clone();
                        known[at as usize].extend(other);
                    }
                }
            }
            for (replica, known) in replicas.iter().zip(&known) {
                let replaced: BTreeSet<u32> =
                    known.iter().flat_map(|write| saw[*write as usize].iter().copied()).collect();
                let left: BTreeSet<u32> = known.difference(&replaced).copied().collect();
                prop_assert_eq!(replica.values().copied().collect::<BTreeSet<u32>>(), left);
                let text = serde_json::to_string(replica).unwrap();
                prop_assert_eq!(&serde_json::from_str::<Replica>(&text).unwrap(), replica);
            }
        }
    }
}
