//! Events that come more than once, late, in another order, or never.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::engine::seed::Dice;
use crate::events::JobStateChange;

/// How often events go wrong, in 1,000.
#[derive(Debug, Clone, Copy, Default)]
pub struct EventFaults {
    /// Decides which: the same event of every run with this seed fares alike.
    pub seed: u64,
    /// Never delivered.
    pub dropped_permille: u64,
    /// Delivered more than once.
    pub doubled_permille: u64,
    /// The most copies of these: from 2 to so many, each late or not by itself. Less than 2 stands for 2.
    pub copies_max: u64,
    /// Deliveries that are late, and so may come after younger ones.
    pub delayed_permille: u64,
    /// The latest that a delivery comes, on tokio's clock.
    pub delay_max: Duration,
}

/// How events fared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EventCounts {
    /// Events that the engine sent.
    pub sent: u64,
    /// Of these, never delivered.
    pub dropped: u64,
    /// Of these, delivered more than once.
    pub doubled: u64,
    /// Deliveries, on time or late.
    pub deliveries: u64,
}

/// Stands between an engine's events and their consumer.
pub struct FaultyEvents {
    faults: EventFaults,
    output: mpsc::UnboundedSender<JobStateChange>,
    /// Deliveries to come, by their moment; the number keeps equal moments apart.
    late: BTreeMap<(Instant, u64), JobStateChange>,
    number: u64,
    counts: EventCounts,
}

impl FaultyEvents {
    /// Delivers to `output`.
    pub fn new(faults: EventFaults, output: mpsc::UnboundedSender<JobStateChange>) -> Self {
        Self { faults, output, late: BTreeMap::new(), number: 0, counts: EventCounts::default() }
    }

    /// Passes events on until the engine is gone and the last late one is delivered.
    pub async fn run(mut self, mut input: mpsc::UnboundedReceiver<JobStateChange>) -> EventCounts {
        let mut open = true;
        while open || !self.late.is_empty() {
            let first = self.late.first_key_value().map(|((at, _), _)| *at);
            tokio::select! {
                event = input.recv(), if open => match event {
                    Some(event) => self.take_in(&event),
                    None => open = false,
                },
                () = sleep_until(first.unwrap_or_else(Instant::now)), if first.is_some() => {
                    if let Some((_, event)) = self.late.pop_first() {
                        self.deliver(event);
                    }
                }
            }
        }
        self.counts
    }

    fn take_in(&mut self, event: &JobStateChange) {
        let mut dice = Dice::for_parts(self.faults.seed, &[&event.id]);
        self.counts.sent += 1;
        if dice.permille(self.faults.dropped_permille) {
            self.counts.dropped += 1;
            return;
        }
        let mut copies = 1;
        if dice.permille(self.faults.doubled_permille) {
            self.counts.doubled += 1;
            copies = 2 + dice.below(self.faults.copies_max.saturating_sub(1));
        }
        self.counts.deliveries += copies;
        for _ in 0..copies {
            if dice.permille(self.faults.delayed_permille) {
                let longest = u64::try_from(self.faults.delay_max.as_millis()).unwrap_or(u64::MAX);
                let at = Instant::now() + Duration::from_millis(dice.below(longest.saturating_add(1)));
                self.number += 1;
                self.late.insert((at, self.number), event.clone());
            } else {
                self.deliver(event.clone());
            }
        }
    }

    fn deliver(&self, event: JobStateChange) {
        // A consumer that is gone wants no events.
        let _ = self.output.send(event);
    }
}
