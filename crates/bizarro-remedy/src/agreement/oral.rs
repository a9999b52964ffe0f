//! Oral messages: OM(m). Everybody tells everybody what he was told by whom, m times over, and believes majorities.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{General, Refused, Setting, check_path};

/// What a general says to have heard: the commander told it to the second of `path`, he to the third, …, and the last one,
/// who sends this, tells it now. In the first round the commander alone is in it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Relay<V> {
    /// By whom it went, from the commander to the sender.
    pub path: Vec<General>,
    /// The order, as they say.
    pub order: V,
}

/// One general of an agreement with oral messages.
///
/// ```
/// use bizarro_remedy::agreement::{Oral, Setting};
///
/// let setting = Setting::new(4, 1, 0)?;
/// let mut generals = vec![Oral::commander(setting, "attack", "retreat")];
/// generals.extend((1..4).map(|me| Oral::lieutenant(setting, me, "retreat")));
/// while !generals[0].is_over() {
///     let said: Vec<_> = generals.iter().map(Oral::outbox).collect();
///     for (from, messages) in (0..).zip(said) {
///         for (to, message) in messages {
///             // General 3 is a traitor.
///             let order = if from == 3 { "retreat" } else { message.order };
///             let _ = generals[usize::from(to)].accept(from, bizarro_remedy::agreement::Relay { order, ..message });
///         }
///     }
///     generals.iter_mut().for_each(Oral::end_round);
/// }
/// assert!(generals[..3].iter().all(|general| general.decide() == "attack"));
/// # Ok::<(), bizarro_remedy::agreement::Senseless>(())
/// ```
#[derive(Clone, Debug)]
pub struct Oral<V> {
    setting: Setting,
    me: General,
    default: V,
    /// What he orders, if he is the commander.
    order: Option<V>,
    /// From 1.
    round: u8,
    /// What was heard by each path.
    heard: BTreeMap<Vec<General>, V>,
}

impl<V: Clone + Ord> Oral<V> {
    /// The commander, who gives `order`.
    pub fn commander(setting: Setting, order: V, default: V) -> Oral<V> {
        let machine = Oral::lieutenant(setting, setting.commander, default);
        Oral { order: Some(order), ..machine }
    }

    /// Any other general. `default` is what all take a missing word for, and obey where there is no majority: the same
    /// for all of them.
    pub fn lieutenant(setting: Setting, me: General, default: V) -> Oral<V> {
        Oral { setting, me, default, order: None, round: 1, heard: BTreeMap::new() }
    }

    /// The round that is open, from 1.
    pub fn round(&self) -> u8 {
        self.round
    }

    /// Whether the last round is over.
    pub fn is_over(&self) -> bool {
        self.round > self.setting.rounds()
    }

    /// What he has to say in this round, and to whom. A loyal general says all of it.
    pub fn outbox(&self) -> Vec<(General, Relay<V>)> {
        if self.is_over() {
            return Vec::new();
        }
        if let Some(order) = &self.order {
            let path = vec![self.me];
            return if self.round == 1 { self.to_others(&path, order) } else { Vec::new() };
        }
        let paths = self.paths(usize::from(self.round) - 1);
        let relayed = paths.into_iter().flat_map(|mut path| {
            let order = self.heard.get(&path).unwrap_or(&self.default);
            path.push(self.me);
            self.to_others(&path, order)
        });
        relayed.collect()
    }

    /// One message to each who is not on its path.
    fn to_others(&self, path: &[General], order: &V) -> Vec<(General, Relay<V>)> {
        let others = self.setting.everybody().filter(|general| !path.contains(general));
        others.map(|to| (to, Relay { path: path.to_vec(), order: order.clone() })).collect()
    }

    /// All ways of this length from the commander that do not come by this general; none of no length.
    fn paths(&self, length: usize) -> Vec<Vec<General>> {
        if length == 0 {
            return Vec::new();
        }
        let mut paths = vec![vec![self.setting.commander]];
        for _ in 1..length {
            paths = paths.iter().flat_map(|path| self.longer(path)).collect();
        }
        paths
    }

    /// The ways that are by one general longer, who is another one than this.
    fn longer(&self, path: &[General]) -> Vec<Vec<General>> {
        let next = self.setting.everybody().filter(|it| *it != self.me && !path.contains(it));
        next.map(|it| path.iter().copied().chain([it]).collect()).collect()
    }

    /// Takes a message that arrived from `from`, in its round or before it: rounds need not begin at the very same time.
    ///
    /// # Errors
    /// It says what it cannot say; it was not taken.
    pub fn accept(&mut self, from: General, message: Relay<V>) -> Result<(), Refused> {
        check_path(self.setting, self.round, self.me, from, &message.path)?;
        if self.heard.contains_key(&message.path) {
            return Err(Refused::Again);
        }
        self.heard.insert(message.path, message.order);
        Ok(())
    }

    /// The round is over: what belongs to it and was not heard by now was never said.
    pub fn end_round(&mut self) {
        self.round = self.round.saturating_add(1);
    }

    /// The order that he obeys. It is final once the last round is over.
    pub fn decide(&self) -> V {
        match &self.order {
            Some(order) => order.clone(),
            None => self.believed(&[self.setting.commander]),
        }
    }

    /// What the last of this path told this general, as far as the others confirm it.
    fn believed(&self, path: &[General]) -> V {
        let told = self.heard.get(path).unwrap_or(&self.default);
        if path.len() == usize::from(self.setting.rounds()) {
            return told.clone();
        }
        let confirmed = self.longer(path).into_iter().map(|path| self.believed(&path));
        let mut votes: BTreeMap<V, usize> = BTreeMap::new();
        let mut count = 0;
        for vote in confirmed.chain([told.clone()]) {
            *votes.entry(vote).or_default() += 1;
            count += 1;
        }
        let majority = votes.into_iter().find(|(_, votes)| votes * 2 > count);
        majority.map_or_else(|| self.default.clone(), |(order, _)| order)
    }
}
