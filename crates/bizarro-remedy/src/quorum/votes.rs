//! Votes of a fixed number of members.

use std::collections::BTreeMap;

/// How many of `members` are a majority: more than half. Two majorities always have a member in common.
///
/// ```
/// # use bizarro_remedy::quorum::majority;
/// assert_eq!([majority(3), majority(4), majority(5)], [2, 3, 3]);
/// ```
pub const fn majority(members: usize) -> usize {
    members / 2 + 1
}

/// What a vote came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// A majority said yes.
    Won,
    /// So many said no that there will be no majority.
    Lost,
    /// Neither, so far.
    Open,
}

/// A vote. A member votes once: what it says later does not count.
#[derive(Clone, Debug)]
pub struct Ballot {
    members: usize,
    votes: BTreeMap<usize, bool>,
}

impl Ballot {
    /// Of so many members, who are numbered from 0.
    pub fn new(members: usize) -> Ballot {
        Ballot { members, votes: BTreeMap::new() }
    }

    /// This member says yes. What the vote has come to.
    pub fn yes(&mut self, member: usize) -> Verdict {
        self.vote(member, true)
    }

    /// This member says no. What the vote has come to.
    pub fn no(&mut self, member: usize) -> Verdict {
        self.vote(member, false)
    }

    fn vote(&mut self, member: usize, vote: bool) -> Verdict {
        if member < self.members {
            self.votes.entry(member).or_insert(vote);
        }
        self.verdict()
    }

    /// What the vote has come to.
    pub fn verdict(&self) -> Verdict {
        let yes = self.votes.values().filter(|vote| **vote).count();
        let no = self.votes.len() - yes;
        if yes >= majority(self.members) {
            Verdict::Won
        } else if self.members - no < majority(self.members) {
            Verdict::Lost
        } else {
            Verdict::Open
        }
    }
}
