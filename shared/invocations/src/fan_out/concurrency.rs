//! How many invocations may be under way: it rises while answers come and falls on throttles.

use super::limits::INITIAL_CONCURRENCY;

/// What a throttle leaves of the limit.
const DECREASE: f64 = 0.5;

/// Up to this part of the limit that was too much, the limit doubles each round trip.
const CAREFUL_FROM: f64 = 0.7;

/// Growth each round trip beyond that, as a part of the limit; one at least.
const INCREASE: f64 = 0.05;

/// An invocation that was let through: tells whether it was sent before or after the limit fell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(u64);

/// The limit, by additive increase and multiplicative decrease with a slow start, as congestion control
/// has it. It falls once a round trip: throttles of what was sent before the fall tell nothing new.
#[derive(Debug, Clone)]
pub struct Concurrency {
    ceiling: f64,
    limit: f64,
    careful_from: f64,
    sent: u64,
    fell_at: u64,
    peak: u32,
}

impl Concurrency {
    /// Never above `ceiling`, which is 1 at least.
    pub fn below(ceiling: u32) -> Self {
        let ceiling = f64::from(ceiling.max(1));
        let limit = ceiling.min(f64::from(INITIAL_CONCURRENCY));
        Self { ceiling, limit, careful_from: ceiling, sent: 0, fell_at: 0, peak: 0 }
    }

    /// How many may be under way.
    pub fn limit(&self) -> usize {
        self.limit as usize
    }

    /// One more is sent; now so many are under way.
    pub fn sent(&mut self, under_way: usize) -> Ticket {
        self.peak = self.peak.max(u32::try_from(under_way).unwrap_or(u32::MAX));
        self.sent += 1;
        Ticket(self.sent)
    }

    /// One was let through. The limit grows only where it was used.
    pub fn answered(&mut self, under_way: usize) {
        if (under_way as f64) < self.limit / 2.0 {
            return;
        }
        let growth =
            if self.limit < self.careful_from { 1.0 } else { (self.limit * INCREASE).max(1.0) / self.limit };
        self.limit = (self.limit + growth).min(self.ceiling);
    }

    /// One was refused because they are too many.
    pub fn throttled(&mut self, ticket: Ticket) {
        if ticket.0 <= self.fell_at {
            return;
        }
        self.fell_at = self.sent;
        self.careful_from = (self.limit * CAREFUL_FROM).max(1.0);
        self.limit = (self.limit * DECREASE).max(1.0);
    }

    /// The most that were under way.
    pub fn peak(&self) -> u32 {
        self.peak
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A round trip: as many as are allowed, of which those beyond `capacity` are refused.
    fn round(concurrency: &mut Concurrency, capacity: usize) -> usize {
        let limit = concurrency.limit();
        let tickets: Vec<Ticket> = (1..=limit).map(|n| concurrency.sent(n)).collect();
        for (n, ticket) in tickets.into_iter().enumerate() {
            if n < capacity { concurrency.answered(limit - n) } else { concurrency.throttled(ticket) }
        }
        limit
    }

    #[test]
    fn a_small_ceiling_is_reached_at_once_and_a_large_one_by_doubling() {
        assert_eq!(Concurrency::below(10).limit(), 10);
        let mut large = Concurrency::below(5_000);
        let limits: Vec<usize> = (0..6).map(|_| round(&mut large, 10_000)).collect();
        assert_eq!(limits[0], 256);
        assert!(limits.windows(2).all(|pair| pair[1] > pair[0]), "{limits:?}");
        for _ in 0..20 {
            round(&mut large, 10_000);
        }
        assert_eq!(large.limit(), 5_000);
    }

    #[test]
    fn it_falls_once_a_round_trip_however_many_are_refused() {
        let mut concurrency = Concurrency::below(100);
        round(&mut concurrency, 0);
        assert_eq!(concurrency.limit(), 50);
        round(&mut concurrency, 0);
        assert_eq!(concurrency.limit(), 25);
    }

    #[test]
    fn it_settles_near_what_the_service_can_take() {
        let mut concurrency = Concurrency::below(1_000);
        for _ in 0..50 {
            round(&mut concurrency, 60);
        }
        let limits: Vec<usize> = (0..50).map(|_| round(&mut concurrency, 60)).collect();
        let mean = limits.iter().sum::<usize>() / limits.len();
        assert!((35..=70).contains(&mean), "{mean}: {limits:?}");
    }

    #[test]
    fn what_is_not_used_does_not_grow() {
        let mut concurrency = Concurrency::below(100);
        round(&mut concurrency, 0);
        for _ in 0..100 {
            concurrency.sent(1);
            concurrency.answered(1);
        }
        assert_eq!(concurrency.limit(), 50);
    }

    proptest! {
        #[test]
        fn it_stays_between_one_and_the_ceiling(ceiling in 1u32..2_000, answers in prop::collection::vec(any::<(bool, u16)>(), 0..500)) {
            let mut concurrency = Concurrency::below(ceiling);
            for (is_answer, under_way) in answers {
                let ticket = concurrency.sent(1);
                if is_answer { concurrency.answered(usize::from(under_way)) } else { concurrency.throttled(ticket) }
                prop_assert!((1..=ceiling as usize).contains(&concurrency.limit()));
            }
        }

        #[test]
        fn after_a_storm_of_any_length_it_comes_back(ceiling in 1u32..1_000, storm in 0usize..200) {
            let mut concurrency = Concurrency::below(ceiling);
            for _ in 0..storm {
                round(&mut concurrency, 0);
            }
            for _ in 0..400 {
                round(&mut concurrency, usize::MAX);
            }
            prop_assert_eq!(concurrency.limit(), ceiling as usize);
        }
    }
}
