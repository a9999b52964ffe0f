//! What a node keeps of the object `x`.

use bizarro_remedy::clock::VersionVector;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A value, and which write it is of: clients name their writes, so that one that is sent again is the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Write {
    /// The client's name for it.
    pub id: String,
    /// What was written.
    pub value: i64,
}

/// The longest name of a write, in bytes.
pub const ID_MAX: usize = 64;

/// What a client saw of the object. Nodes that do not know of version vectors leave it empty.
pub type Context = VersionVector<String>;

/// `PUT /x`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Put {
    /// What to write.
    pub write: Write,
    /// What the client had seen.
    pub context: Context,
}

/// The answer to `GET /x`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Got {
    /// The value, or those that were written concurrently, or none.
    pub writes: Vec<Write>,
    /// What the client has seen now.
    pub context: Context,
}

/// How a node keeps the object.
pub trait Register:
    Clone + Default + PartialEq + Send + Sync + Serialize + DeserializeOwned + 'static
{
    /// A client writes at this node, whose clock shows so many milliseconds since 1970.
    fn put(&mut self, node: &str, now_ms: u64, put: Put);
    /// Another node says what it has.
    fn merge(&mut self, other: &Self);
    /// What a client is shown.
    fn get(&self) -> Got;
}
