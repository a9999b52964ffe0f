//! Products, and what makes a reply about one believable.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The header that carries the digest of a body (RFC 9530).
pub const DIGEST: &str = "content-digest";
/// The longest body that is read, in bytes.
pub const BODY_MAX: usize = 4096;

/// What the catalogue says of a product.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Product {
    /// Its number.
    pub id: u32,
    /// What it is called.
    pub name: String,
    /// What it costs, in cents.
    pub cents: u32,
}

impl Product {
    /// The product as a line of its page: `#3 Kettle, 39.95`.
    pub fn line(&self) -> String {
        format!("#{} {}, {}.{:02}", self.id, self.name, self.cents / 100, self.cents % 100)
    }
}

/// Everything that is sold, by number from 1.
pub fn all() -> Vec<Product> {
    let products = [("Lamp", 2450), ("Kettle", 3995), ("Rope", 899), ("Atlas", 5200)];
    let numbered = (1..).zip(products);
    numbered.map(|(id, (name, cents))| Product { id, name: name.into(), cents }).collect()
}

/// The digest of a body, as its header says it.
pub fn digest(body: &[u8]) -> String {
    format!("sha-256=:{}:", BASE64_STANDARD.encode(Sha256::digest(body)))
}

/// Why a reply is not believed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Invalid {
    /// Its status is neither 200 nor 404.
    Status,
    /// Its body is not what was sent, or nothing says what was sent.
    Digest,
    /// Its body is no product, such as an empty one.
    NoProduct,
    /// It is about another product.
    Other,
}

/// What a server says where there is no such product.
pub fn none(id: u32) -> Vec<u8> {
    format!("no product {id}").into_bytes()
}

/// The product that was asked for, or `None` where there is none, if the reply says so believably: by status, digest and
/// content.
///
/// # Errors
/// The first of these that is wrong.
pub fn verified(
    id: u32,
    status: u16,
    digest_said: Option<&str>,
    body: &[u8],
) -> Result<Option<Product>, Invalid> {
    if status != 200 && status != 404 {
        return Err(Invalid::Status);
    }
    if digest_said != Some(digest(body).as_str()) {
        return Err(Invalid::Digest);
    }
    if status == 404 {
        return if body == none(id) { Ok(None) } else { Err(Invalid::Other) };
    }
    let product: Product = serde_json::from_slice(body).map_err(|_| Invalid::NoProduct)?;
    if product.id == id { Ok(Some(product)) } else { Err(Invalid::Other) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(id: u32) -> Vec<u8> {
        serde_json::to_vec(&all()[id as usize - 1]).unwrap()
    }

    #[test]
    fn a_reply_is_believed_with_its_digest_only() {
        let kettle = body(2);
        let said = digest(&kettle);
        let told = verified(2, 200, Some(&said), &kettle).unwrap();
        assert_eq!(told.map(|product| product.line()).as_deref(), Some("#2 Kettle, 39.95"));
        assert_eq!(verified(2, 500, Some(&said), &kettle), Err(Invalid::Status));
        assert_eq!(verified(2, 200, None, &kettle), Err(Invalid::Digest));
        assert_eq!(verified(2, 200, Some(&said), &body(3)), Err(Invalid::Digest));
        assert_eq!(verified(3, 200, Some(&said), &kettle), Err(Invalid::Other));
    }

    #[test]
    fn an_empty_reply_has_a_digest_and_is_no_product() {
        // RFC 9530, appendix B.1 has this digest of no bytes.
        assert_eq!(digest(b""), "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:");
        assert_eq!(verified(2, 200, Some(&digest(b"")), b""), Err(Invalid::NoProduct));
    }

    #[test]
    fn that_there_is_none_is_said_of_one_product() {
        let said = digest(&none(7));
        assert_eq!(verified(7, 404, Some(&said), &none(7)), Ok(None));
        assert_eq!(verified(2, 404, Some(&said), &none(7)), Err(Invalid::Other));
        assert_eq!(verified(7, 404, Some(&digest(b"")), b""), Err(Invalid::Other));
    }

    #[test]
    fn every_flipped_bit_is_seen() {
        let kettle = body(2);
        let said = digest(&kettle);
        for bit in 0..kettle.len() * 8 {
            let mut damaged = kettle.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(verified(2, 200, Some(&said), &damaged), Err(Invalid::Digest));
        }
    }

    #[test]
    fn any_bytes_are_a_product_or_none() {
        bolero::check!().for_each(|body: &[u8]| {
            if let Ok(Some(product)) = verified(2, 200, Some(&digest(body)), body) {
                assert_eq!(product.id, 2);
            }
        });
    }
}
