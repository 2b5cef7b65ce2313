//! How far a fan-out, or one branch of it, has come.

use serde::{Deserialize, Serialize};

use super::indices::Indices;
use super::latencies::Latencies;
use super::reorder::Settled;
use super::retry::Ran;
use super::summary::Counts;
use crate::domain::Timestamp;

/// What a resumed fan-out starts from. Saved only on top of what was read, so that of two invocations that
/// go on with one fan-out, one does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Checkpoint {
    /// Of the call: a second call under one id must be the same.
    pub digest: String,
    /// Whether all is done.
    pub state: CheckpointState,
    /// Counts the invocations that took the fan-out up.
    pub generation: u64,
    /// The request of the one that runs it.
    pub owner: String,
    /// Until when it is believed to run, if nothing more is heard of it.
    pub leased_until: Timestamp,
    /// The first item of the list that is of this fan-out or branch.
    pub first: u64,
    /// The first that is not any more; `None`: to the end of the list.
    pub end: Option<u64>,
    /// Every item before it has its result in a part.
    pub next: u64,
    /// Every item that has its result in a part: those before `next`, and some behind it.
    pub done: Indices,
    /// Parts that are written.
    pub parts: u64,
    /// No item from here on was started. Those from `next` to here may have been.
    pub started: u64,
    /// Of those, the ones that may be started: they only waited for another attempt.
    pub open: Vec<Open>,
    /// Where results of some of those lie.
    pub early: Vec<Early>,
    /// Counts the saves, for the keys of such objects.
    pub saves: u64,
    /// From which part on they bear which generation in their keys.
    pub generations: Vec<(u64, u64)>,
    /// What the items that have their result in a part came to.
    pub progress: Progress,
    /// How long it has run since anything got through: that has a bound.
    #[serde(default)]
    pub quiet_ms: u64,
}

/// An object with results that are in no part yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Early {
    /// Its key.
    pub key: String,
    /// The items that have their result there.
    pub of: Indices,
}

/// An item that waits for another attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// Its place in the list.
    pub index: u64,
    /// How often it was sent.
    pub attempts: u32,
    /// How many of these were refused for want of room, and so are no attempts.
    #[serde(default)]
    pub refused: u32,
    /// What is known of that.
    pub ran: Ran,
}

/// Whether a fan-out has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "UPPERCASE")]
pub enum CheckpointState {
    /// There are items without a result.
    Running,
    /// Every item has one.
    Complete,
}

/// What items came to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "as in `Summary`")]
pub struct Progress {
    pub counts: Counts,
    pub retries: u64,
    pub latencies: Latencies,
    pub wall_time_ms: u64,
    pub peak_concurrency: u32,
    /// Bytes of all results, as lines.
    pub result_bytes: u64,
}

impl Progress {
    /// Counts an item.
    pub fn add(&mut self, settled: &Settled) {
        self.counts.add(settled.outcome);
        self.retries += u64::from(settled.attempts.saturating_sub(1));
        if let Some(duration_ms) = settled.answered_in_ms {
            self.latencies.add(duration_ms);
        }
        self.result_bytes += settled.line.len() as u64;
    }

    /// Adds what another branch came to, which ran at the same time.
    pub fn merge(&mut self, other: &Progress) {
        self.counts.merge(&other.counts);
        self.retries += other.retries;
        self.latencies.merge(&other.latencies);
        self.wall_time_ms = self.wall_time_ms.max(other.wall_time_ms);
        self.peak_concurrency = self.peak_concurrency.max(other.peak_concurrency);
        self.result_bytes += other.result_bytes;
    }
}

impl Checkpoint {
    /// A fan-out or branch of which nothing is done.
    pub fn new(digest: String, first: u64, end: Option<u64>) -> Self {
        Self {
            digest,
            state: CheckpointState::Running,
            generation: 0,
            owner: String::new(),
            leased_until: Timestamp::from_millis(0),
            first,
            end,
            next: first,
            done: Indices::below(first),
            parts: 0,
            started: first,
            open: Vec::new(),
            early: Vec::new(),
            saves: 0,
            generations: Vec::new(),
            progress: Progress::default(),
            quiet_ms: 0,
        }
    }

    /// Whether every item has its result.
    pub fn is_complete(&self) -> bool {
        self.state == CheckpointState::Complete
    }

    /// Whether another invocation is believed to run it.
    pub fn is_leased(&self, now: Timestamp) -> bool {
        self.state == CheckpointState::Running && now < self.leased_until
    }

    /// The same under a new owner. What waited for another attempt counts as started from now on: if the new
    /// owner is killed, nobody knows.
    #[must_use]
    pub fn taken_over(mut self, owner: &str, leased_until: Timestamp) -> Self {
        self.generation += 1;
        self.owner = owner.to_owned();
        self.leased_until = leased_until;
        self.open.clear();
        if self.generations.last().is_some_and(|(from, _)| *from == self.parts) {
            self.generations.pop();
        }
        self.generations.push((self.parts, self.generation));
        self
    }

    /// The generation that wrote a part.
    pub(crate) fn generation_of(&self, part: u64) -> u64 {
        let known = self.generations.iter().rev().find(|(first, _)| *first <= part);
        known.map_or(self.generation, |(_, generation)| *generation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_is_of_the_generation_that_wrote_it() {
        let later = Timestamp::from_millis(1);
        let first = Checkpoint::new("d".to_owned(), 0, None).taken_over("a", later);
        let second = Checkpoint {
            parts: 10,
            open: vec![Open { index: 12, attempts: 1, refused: 0, ran: Ran::No }],
            ..first
        }
        .taken_over("b", later);
        assert_eq!((second.generation, second.open.len()), (2, 0));
        let third = second.taken_over("c", later);
        assert_eq!(third.generations, [(0, 1), (10, 3)], "the second wrote no part");
        for (part, generation) in [(0, 1), (9, 1), (10, 3), (11, 3)] {
            assert_eq!(third.generation_of(part), generation, "{part}");
        }
    }

    #[test]
    fn a_lease_ends_by_itself_and_with_the_fan_out() {
        let leased = Checkpoint::new("d".to_owned(), 0, None).taken_over("a", Timestamp::from_millis(10));
        assert!(leased.is_leased(Timestamp::from_millis(9)));
        assert!(!leased.is_leased(Timestamp::from_millis(10)));
        assert!(
            !Checkpoint { state: CheckpointState::Complete, ..leased }.is_leased(Timestamp::from_millis(9))
        );
    }
}
