//! Fencing tokens (M. Kleppmann, *Designing Data-Intensive Applications*, figure 8-5).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Token;

/// What a store keeps beside its data so that nobody changes these whose lease another one has had since: the highest token
/// that it has seen.
///
/// It guards any store that can write the fence and what it guards at once, such as in one transaction:
///
/// ```
/// use bizarro_remedy::lease::{Fence, Stale, Token};
///
/// #[derive(Default)]
/// struct File { fence: Fence, content: String }
///
/// impl File {
///     fn write(&mut self, token: Token, content: &str) -> Result<(), Stale> {
///         self.fence.admit(token)?;
///         self.content = content.to_string();
///         Ok(())
///     }
/// }
///
/// let mut file = File::default();
/// file.write(Token(34), "of client 2").unwrap();
/// assert!(file.write(Token(33), "of client 1, late").is_err());
/// ```
///
/// A holder who reads before it writes has to show its token with the read as well, or one before it may still write
/// between the two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fence {
    highest: Option<Token>,
}

/// The token is that of a holder whose lease has ended: another one was here since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stale {
    /// What was shown.
    pub shown: Token,
    /// What was seen before.
    pub highest: Token,
}

impl fmt::Display for Stale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "token {} comes after token {}", self.shown, self.highest)
    }
}

impl std::error::Error for Stale {}

impl Fence {
    /// Lets the holder of this token through, and none of an earlier one from now on.
    ///
    /// # Errors
    /// A higher token was here before.
    pub fn admit(&mut self, token: Token) -> Result<(), Stale> {
        match self.highest {
            Some(highest) if highest > token => Err(Stale { shown: token, highest }),
            _ => {
                self.highest = Some(token);
                Ok(())
            }
        }
    }

    /// The highest token that was let through.
    pub fn highest(&self) -> Option<Token> {
        self.highest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_through_until_a_higher_one_did() {
        let mut fence = Fence::default();
        assert!(fence.admit(Token(33)).is_ok() && fence.admit(Token(33)).is_ok());
        assert!(fence.admit(Token(34)).is_ok());
        let stale = fence.admit(Token(33)).unwrap_err();
        assert_eq!(stale.to_string(), "token 33 comes after token 34");
        assert_eq!(fence.highest(), Some(Token(34)));
    }
}
