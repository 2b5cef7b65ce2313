//! How many invocations of one target may be under way: what is refused shows the room, what gets through widens it.

use std::time::Duration;

use super::limits::INITIAL_CONCURRENCY;

/// A request that is not refused by then has got through: refusals come back in milliseconds.
const INTERVAL: Duration = Duration::from_millis(200);

/// The longest that a limit is left alone after growth was refused: so long does new room go unnoticed.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// The first pause where nothing at all gets through.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// The longest such pause: so late is the end of a blackout noticed.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Weight of one answer or refusal in the share of refusals.
const SHARE_WEIGHT: f64 = 1.0 / 64.0;

/// Up to this share of refusals, one that came below a level that got through is chance and not a want of room. Others use
/// the account's room too, and whenever they take it for a moment, a part of ours would be closed for seconds. A real want of
/// room is seen after some twenty refusals, which take milliseconds and cost nothing.
const CHANCE_SHARE: f64 = 0.25;

/// A request that was sent: how many were under way then, itself among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(usize);

/// The limit. Time is counted from the start of the fan-out.
///
/// Lambda refuses at once and lets the rest run, so a refusal tells the room exactly: as many as are under way
/// now. Halving, which congestion control needs because a network tells nothing, would give half the room away.
/// Growth goes by time and not by answers, because functions that run for a minute answer once a minute.
#[derive(Debug, Clone)]
pub(crate) struct Concurrency {
    ceiling: usize,
    limit: usize,
    /// What the next growth adds; doubled by growth that got through.
    step: usize,
    is_growing: bool,
    grows_at: Duration,
    wait: Duration,
    pauses: u32,
    paused_until: Duration,
    /// The highest level that got through since the limit fell.
    through: usize,
    refused_share: f64,
    /// Whether there is a bound below the ceiling: growth goes by quarters then, so that little is too much.
    has_refused: bool,
}

impl Concurrency {
    /// Never above `ceiling`, which is 1 at least.
    pub(crate) fn below(ceiling: u32) -> Self {
        let ceiling = ceiling.max(1) as usize;
        let limit = ceiling.min(INITIAL_CONCURRENCY as usize);
        Self {
            ceiling,
            limit,
            step: limit,
            is_growing: false,
            grows_at: INTERVAL,
            wait: INTERVAL,
            pauses: 0,
            paused_until: Duration::ZERO,
            through: 0,
            refused_share: 0.0,
            has_refused: false,
        }
    }

    /// How many may be under way.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// Whether one more may be sent.
    pub(crate) fn has_room(&self, under_way: usize, now: Duration) -> bool {
        under_way < self.limit && now >= self.paused_until
    }

    /// When there may be room though nothing is answered.
    pub(crate) fn opens_at(&self, under_way: usize, now: Duration) -> Option<Duration> {
        if now < self.paused_until {
            return Some(self.paused_until);
        }
        (under_way >= self.limit && self.limit < self.ceiling).then_some(self.grows_at)
    }

    /// How often in a row nothing got through.
    pub(crate) fn pauses(&self) -> u32 {
        self.pauses
    }

    /// One more is sent; now so many are under way.
    pub(crate) fn sent(&self, under_way: usize) -> Ticket {
        Ticket(under_way)
    }

    /// Widens the limit where it is used up, something waits for it, and its time has come.
    pub(crate) fn grow(&mut self, under_way: usize, now: Duration) {
        let is_due = now >= self.grows_at && now >= self.paused_until;
        if under_way < self.limit || self.limit >= self.ceiling || !is_due {
            return;
        }
        if self.is_growing {
            self.wait = INTERVAL;
            self.step =
                (self.step * 2).min(if self.has_refused { (self.limit / 4).max(8) } else { self.limit });
        }
        self.limit = (self.limit + self.step).min(self.ceiling);
        self.is_growing = true;
        self.grows_at = now + INTERVAL;
    }

    /// One got through.
    pub(crate) fn answered(&mut self, ticket: Ticket) {
        self.through = self.through.max(ticket.0.min(self.limit));
        self.refused_share -= self.refused_share * SHARE_WEIGHT;
        self.pauses = self.pauses.saturating_sub(1);
    }

    /// One was refused for want of room; now so many are under way. `hint` is how long Lambda asks to wait.
    pub(crate) fn refused(
        &mut self,
        ticket: Ticket,
        under_way: usize,
        now: Duration,
        hint: Option<Duration>,
    ) {
        self.has_refused = true;
        self.refused_share += (1.0 - self.refused_share) * SHARE_WEIGHT;
        if let Some(hint) = hint {
            self.paused_until = self.paused_until.max(now + hint);
        }
        if under_way == 0 && now >= self.paused_until {
            let pause = FIRST_PAUSE.saturating_mul(1 << self.pauses.min(10)).min(LONGEST_PAUSE);
            self.paused_until = now + pause;
            self.pauses = self.pauses.saturating_add(1);
        }
        if ticket.0 <= self.through && self.refused_share <= CHANCE_SHARE {
            return;
        }
        self.limit = self.limit.min(under_way.max(1));
        self.through = self.through.min(self.limit);
        self.step = 1;
        if std::mem::take(&mut self.is_growing) {
            self.wait = (self.wait * 2).min(LONGEST_WAIT);
        }
        // A call after a pause is a question: until it has got through, no second one is asked.
        self.grows_at = (now + self.wait).max(self.paused_until + INTERVAL);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_stays_between_one_and_the_ceiling(ceiling in 1u32..2_000, steps in prop::collection::vec((0u8..3, 0usize..2_100, 0u64..500), 0..500)) {
            let mut limit = Concurrency::below(ceiling);
            let mut now = Duration::ZERO;
            for (kind, under_way, passed_ms) in steps {
                now += Duration::from_millis(passed_ms);
                match kind {
                    0 => limit.answered(limit.sent(under_way)),
                    1 => limit.refused(limit.sent(under_way), under_way.min(limit.limit()), now, None),
                    _ => limit.grow(under_way, now),
                }
                prop_assert!((1..=ceiling as usize).contains(&limit.limit()));
            }
        }

        #[test]
        fn after_refusals_of_any_number_it_comes_back_to_the_ceiling(ceiling in 1u32..1_000, refusals in 0usize..400) {
            let mut limit = Concurrency::below(ceiling);
            for left in (0..refusals).rev() {
                limit.refused(limit.sent(left + 1), left, Duration::ZERO, None);
            }
            let mut now = Duration::from_secs(5);
            while limit.limit() < ceiling as usize && now < Duration::from_secs(30) {
                now += Duration::from_millis(100);
                limit.grow(limit.limit(), now);
            }
            prop_assert_eq!(limit.limit(), ceiling as usize);
        }
    }
}
