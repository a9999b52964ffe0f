//! Generals whose armies can be called back, like a payment that can be refunded.
//!
//! The first general marches and says so until the second one answers that he marches, too. If no answer has come by noon
//! he calls the march off, and says that until the second one answers that he is at home. What each does is written down
//! before it is said, so that a general who falls and gets up again goes on where he was. Nobody is ever certain *at once*;
//! but as long as messengers who are sent again and again arrive one day, both are in the same place in the end.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::post::Post;

/// How long a general waits for an answer before he sends the next messenger.
const PATIENCE: Duration = Duration::from_millis(200);

/// Where the first general writes down what he does, and the second one.
pub const ORDERS: &str = "orders";

/// What a general does.
const MARCH: &str = "march";
const HOME: &str = "home";

/// The first general: he ends when he knows where the other one is, and prints it. `noon` is how long he waits for an
/// answer before he calls the march off.
pub fn first(directory: &Path, here: &str, there: &str, noon: Duration) -> ExitCode {
    crate::finite::block_on(async {
        println!("{}", lead(directory, &Post::open(here, there).await?, noon).await);
        Ok(())
    })
}

/// The second general: he does what he is told, and says so, for ever.
pub fn second(directory: &Path, here: &str, there: &str) -> ExitCode {
    crate::finite::block_on(async {
        follow(directory, &Post::open(here, there).await?).await;
        Ok(())
    })
}

/// Gives where both are in the end.
pub async fn lead(directory: &Path, post: &Post, noon: Duration) -> String {
    if read(directory).as_deref() != Some(HOME) {
        decide(directory, MARCH).await;
        if is_answered(post, MARCH, Instant::now() + noon).await {
            return MARCH.to_string();
        }
        decide(directory, HOME).await;
    }
    while !is_answered(post, HOME, Instant::now() + noon).await {}
    HOME.to_string()
}

/// Writes it down, again and again if the disk does not take it.
async fn decide(directory: &Path, order: &str) {
    while let Err(error) = write(directory, order) {
        eprintln!("two-generals: {error}");
        sleep(PATIENCE).await;
    }
}

/// Says it again and again; whether the other one says the same before `end`.
async fn is_answered(post: &Post, order: &str, end: Instant) -> bool {
    while Instant::now() < end {
        post.send(order).await;
        let pause = Instant::now() + PATIENCE;
        while let Some(answer) = post.next(pause.min(end)).await {
            // An answer to an order of before says nothing.
            if answer == order {
                return true;
            }
        }
    }
    false
}

/// Does what he is told, but for a march that was called off. What the disk does not take he does not do, and does not say
/// to have done; he will be told again.
pub async fn follow(directory: &Path, post: &Post) {
    loop {
        let Some(order) = post.next(Instant::now() + Duration::from_secs(3600)).await else {
            continue;
        };
        if order != MARCH && order != HOME {
            continue;
        }
        // A messenger may come late: who was called back does not march again.
        let is_called_back = read(directory).as_deref() == Some(HOME);
        let order = if is_called_back { HOME } else { &order };
        match write(directory, order) {
            Ok(()) => post.send(order).await,
            Err(error) => eprintln!("two-generals: {error}"),
        }
    }
}

/// What was written down last.
pub fn read(directory: &Path) -> Option<String> {
    fs::read_to_string(directory.join(ORDERS)).ok()
}

/// Writes it down so that it stays, whatever happens: a new file takes the place of the old one, and both the file and its
/// name are synced (fsync(2): a name needs its directory to be synced).
fn write(directory: &Path, order: &str) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    let new = directory.join("new");
    let mut file = File::create(&new)?;
    file.write_all(order.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, directory.join(ORDERS))?;
    let with_its_name = [Some(directory), directory.parent()].into_iter().flatten();
    with_its_name.into_iter().try_for_each(|names| File::open(names)?.sync_all())
}
