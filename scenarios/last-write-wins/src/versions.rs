//! Version vectors: a write replaces what its client had seen, and nothing else.

use bizarro_remedy::clock::Siblings;
use serde::{Deserialize, Serialize};

use crate::register::{Got, Put, Register, Write};

/// All values that nobody has replaced who saw them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Versions {
    siblings: Siblings<String, Write>,
}

impl Register for Versions {
    fn put(&mut self, node: &str, _: u64, put: Put) {
        // The client sends it again because it has not heard that it was written.
        if self.siblings.values().any(|write| write.id == put.write.id) {
            return;
        }
        self.siblings.write(&node.to_string(), &put.context, put.write);
    }

    fn merge(&mut self, other: &Versions) {
        self.siblings.merge(&other.siblings);
    }

    fn get(&self) -> Got {
        let mut writes: Vec<Write> = Vec::new();
        for write in self.siblings.values() {
            // The same write, sent to two nodes.
            if !writes.iter().any(|other| other.id == write.id) {
                writes.push(write.clone());
            }
        }
        Got { writes, context: self.siblings.context().clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::register::Context;

    fn put(id: &str, value: i64, context: &Context) -> Put {
        Put { write: Write { id: id.to_string(), value }, context: context.clone() }
    }

    #[test]
    fn a_write_that_comes_twice_is_one() {
        let (mut one, mut two) = (Versions::default(), Versions::default());
        one.put("one", 0, put("a", 1, &Context::new()));
        one.put("one", 0, put("a", 1, &Context::new()));
        two.put("two", 0, put("a", 1, &Context::new()));
        one.merge(&two);
        assert_eq!(one.get().writes.len(), 1);
        one.put("one", 0, put("b", 2, &one.get().context));
        assert_eq!(one.get().writes, [Write { id: "b".to_string(), value: 2 }]);
    }
}
