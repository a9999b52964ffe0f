//! Protocols of a fixed number of messages: *attack*, *I know*, *I know that you know*, …
//!
//! The first general sends message 1, the second answers it with message 2, and so on. Whoever did not get all that he
//! should have got stays at home. There is no other rule to choose: if a general attacked without the last message that he
//! waits for, it could be left out, and the protocol were a shorter one.

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::post::Post;

/// Which of the two.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// He begins.
    First,
    /// He answers.
    Second,
}

/// A protocol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Protocol {
    /// How many messages there are, from 1.
    pub messages: u32,
    /// How many messengers carry each of them, from 1.
    pub messengers: u32,
    /// How long after his start a general decides.
    pub dawn: Duration,
}

/// Follows the protocol, prints `attack` or `stay`, and ends.
pub fn run(side: Side, protocol: Protocol, here: &str, there: &str) -> ExitCode {
    block_on(async {
        let post = Post::open(here, there).await?;
        let attacks = follow(side, protocol, &post).await;
        println!("{}", if attacks { "attack" } else { "stay" });
        Ok(())
    })
}

/// Follows the protocol, and gives at dawn whether this general attacks.
pub async fn follow(side: Side, protocol: Protocol, post: &Post) -> bool {
    let dawn = Instant::now() + protocol.dawn;
    let is_ours = |number: u32| (number % 2 == 1) == (side == Side::First);
    let mut attacks = true;
    for number in 1..=protocol.messages {
        if is_ours(number) {
            for _ in 0..protocol.messengers {
                post.send(&number.to_string()).await;
            }
        } else if !comes(post, number, dawn).await {
            attacks = false;
            break;
        }
    }
    sleep_until(dawn).await;
    attacks
}

/// Whether the message of this number comes before dawn.
async fn comes(post: &Post, number: u32, dawn: Instant) -> bool {
    while let Some(message) = post.next(dawn).await {
        if message.parse() == Ok(number) {
            return true;
        }
    }
    false
}

/// Runs a program to its end.
pub(crate) fn block_on(program: impl Future<Output = io::Result<()>>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.and_then(|runtime| runtime.block_on(program)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("two-generals: {error}");
            ExitCode::FAILURE
        }
    }
}
