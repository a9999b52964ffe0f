//! End-to-end checksums: what the sender meant against what the receiver understood.
//!
//! TCP's checksum has 16 bits and ends at every middlebox. A seal is a CRC-32 over the parts of a
//! message that have a meaning, each preceded by its length so that no byte can wander from one
//! part into the next. It is computed by the receiver over the very values it goes on to use.
//! CRC-32 finds every error of up to 32 neighbouring bits; it is no defence against somebody who
//! forges.
//!
//! A request carries `x-pacman-seal: NONCE-SUM`, where the sum covers method, target (path and
//! query), nonce and body. A reply carries `x-pacman-seal: SUM` over the request's whole seal as it
//! arrived, the status and the body. The nonce differs in every attempt, so a reply is valid for
//! one attempt only: one that answers an earlier attempt, or whose status line was damaged, is not
//! believed.

/// The header that carries the seal, both ways.
pub const HEADER: &str = "x-pacman-seal";

/// The seal of a request. `target` is path and query as sent; `nonce` differs in every attempt.
pub fn request(method: &str, target: &str, nonce: u64, body: &[u8]) -> String {
    let nonce = format!("{nonce:016x}");
    let sum = sum(&[method.as_bytes(), target.as_bytes(), nonce.as_bytes(), body]);
    format!("{nonce}-{sum:08x}")
}

/// Whether `seal`, as received, is the seal of this request.
pub fn request_holds(seal: &str, method: &str, target: &str, body: &[u8]) -> bool {
    let nonce = seal.split_once('-').and_then(|(nonce, _)| u64::from_str_radix(nonce, 16).ok());
    nonce.is_some_and(|nonce| seal == request(method, target, nonce, body))
}

/// The seal of a reply to a request whose seal arrived as `request_seal` (empty where there was
/// none).
pub fn reply(request_seal: &str, status: u16, body: &[u8]) -> String {
    format!("{:08x}", sum(&[request_seal.as_bytes(), &status.to_be_bytes(), body]))
}

fn sum(parts: &[&[u8]]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_of_a_request_breaks_its_seal() {
        let parts = ["POST", "/v2/move", r#"{"user":"8765309","direction":"up"}"#];
        let seal = request(parts[0], parts[1], 0x1234_5678_9abc_def0, parts[2].as_bytes());
        assert!(request_holds(&seal, parts[0], parts[1], parts[2].as_bytes()));
        let mut fields =
            [seal.as_str(), parts[0], parts[1], parts[2]].map(|s| s.as_bytes().to_vec());
        for field in 0..fields.len() {
            for bit in 0..fields[field].len() * 8 {
                fields[field][bit / 8] ^= 1 << (bit % 8);
                let [seal, method, target, body] = &fields;
                let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec());
                if let (Ok(seal), Ok(method), Ok(target)) = (text(seal), text(method), text(target))
                {
                    assert!(
                        !request_holds(&seal, &method, &target, body),
                        "{seal} {method} {target}"
                    );
                }
                fields[field][bit / 8] ^= 1 << (bit % 8);
            }
        }
    }

    #[test]
    fn no_byte_wanders_between_the_parts() {
        let seal = request("GET", "/v2/find", 1, b"x");
        assert!(!request_holds(&seal, "GET", "/v2/findx", b""));
        assert!(!request_holds(&seal, "GE", "T/v2/find", b"x"));
    }

    #[test]
    fn a_reply_is_bound_to_its_request_and_its_status() {
        let (first, second) =
            (request("GET", "/v2/find", 1, b""), request("GET", "/v2/find", 2, b""));
        assert_ne!(reply(&first, 200, b"{}"), reply(&second, 200, b"{}"));
        assert_ne!(reply(&first, 200, b"{}"), reply(&first, 404, b"{}"));
    }
}
