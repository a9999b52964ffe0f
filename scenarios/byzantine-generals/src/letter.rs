//! Letters: all that one general tells another one in a round, in one datagram.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A longer letter is not read. The longest that is ever written, in an agreement of seven with signatures, has about 500
/// bytes.
pub const LONGEST: usize = 2048;

/// Messages as bytes.
///
/// # Panics
/// Never: lists of numbers can always be written.
pub fn write<M: Serialize>(messages: &[M]) -> Vec<u8> {
    postcard::to_allocvec(messages).expect("lists of numbers can always be written")
}

/// Bytes as messages, or nothing if they are none.
pub fn read<M: DeserializeOwned>(bytes: &[u8]) -> Option<Vec<M>> {
    if bytes.len() > LONGEST {
        return None;
    }
    let (messages, rest) = postcard::take_from_bytes(bytes).ok()?;
    rest.is_empty().then_some(messages)
}

#[cfg(test)]
mod tests {
    use bizarro_remedy::agreement::{Relay, SignedOrder, SigningKey};

    use super::*;
    use crate::camp::Order;

    #[test]
    fn what_is_written_is_read() {
        let relay = Relay { path: vec![0, 2], order: Order::Attack };
        assert_eq!(read(&write(&[relay.clone(), relay.clone()])), Some(vec![relay.clone(), relay]));
        let key = SigningKey::from_bytes(&[1; 32]);
        let order = SignedOrder::unsigned(Order::Attack).sign(1, 0, &key);
        assert_eq!(read(&write(std::slice::from_ref(&order))), Some(vec![order]));
    }

    #[test]
    fn no_bytes_are_too_strange() {
        bolero::check!().for_each(|bytes: &[u8]| {
            for order in read::<Relay<Order>>(bytes).unwrap_or_default() {
                assert!(order.path.len() <= LONGEST);
            }
            if let Some(orders) = read::<SignedOrder<Order>>(bytes) {
                let again = write(&orders);
                assert_eq!(read(&again), Some(orders));
            }
        });
    }
}
