//! Every quota and bound of a fan-out, each with its source.

use std::time::Duration;

pub use crate::domain::limits::{EVENT_PAYLOAD_MAX_BYTES, SYNC_PAYLOAD_MAX_BYTES};

/// Bytes of `ClientContext`, in base64. Source: `Invoke` API reference.
pub const CLIENT_CONTEXT_MAX_BYTES: usize = 3_583;

/// Bytes of results that an answer holds: what Lambda takes, less room for the summary. Ours.
pub const INLINE_RESULTS_MAX_BYTES: u64 = SYNC_PAYLOAD_MAX_BYTES as u64 - 64 * 1024;

/// Bytes of an answer's payload that stands in its result; a longer one gets an object of its own. Ours.
pub const RESULT_PAYLOAD_MAX_BYTES: usize = 256 * 1024;

/// Bytes of results that are held for those before them. Past it they are given out of order, because one slow item
/// would else hold up all others. Ours.
pub const HELD_RESULTS_MAX_BYTES: usize = 64 * 1024 * 1024;

/// How long a fan-out goes on that Lambda refuses without a break, where the call does not say. Ours.
pub const DEFAULT_THROTTLE_TIMEOUT_SECONDS: u32 = 6 * 60 * 60;

/// The longest such time that a call may ask for. Ours.
pub const THROTTLE_TIMEOUT_MAX_SECONDS: u32 = 24 * 60 * 60;

/// Items that wait for room at their targets while others of the list are read. Ours.
pub const PARKED_MAX: usize = 1_000;

/// Bytes of payloads of such items. Ours.
pub const PARKED_MAX_BYTES: usize = 32 * 1024 * 1024;

/// The most invocations under way. Ours: ten times the default quota of an account is of no use.
pub const CONCURRENCY_MAX: u32 = 10_000;

/// Invocations under way, where the call does not say.
pub const DEFAULT_CONCURRENCY: u32 = 100;

/// Invocations under way at the start. Source: AWS Lambda, "scaling behavior": a function gets 1,000 new
/// environments at once; others share the account.
pub const INITIAL_CONCURRENCY: u32 = 256;

/// Attempts at one item, where the call does not say.
pub const DEFAULT_MAX_ATTEMPTS: u32 = 10;

/// The most attempts at one item. Ours.
pub const MAX_ATTEMPTS_MAX: u32 = 100;

/// The longest that an answer is waited for: a function runs for 15 minutes at most (AWS Lambda quotas),
/// and needs a while to start.
pub const TIMEOUT_MAX_SECONDS: u32 = 960;

/// Items of one branch of a tree. Ours.
pub const BRANCH_ITEMS: u64 = 5_000;

/// Branches of a tree. Ours.
pub const BRANCHES_MAX: u64 = 64;

/// Calls of this length are worth more than the checkpoint that names each before it begins: two writes of S3, 10 USD a
/// million, beside 20 USD and more for the functions. Ours.
const LONG_CALL: Duration = Duration::from_secs(10);

/// How much shorter a checkpoint is than such a call: so little room stands empty meanwhile.
const SHORT_SAVE: u32 = 50;

/// Items that are written down as started before they are, at the start: as many as are sent at once.
pub(crate) fn named_first(ceiling: u32) -> u64 {
    u64::from(ceiling.min(INITIAL_CONCURRENCY))
}

/// The same later, beyond those that there is room for: what begins while two checkpoints are saved, so that saving
/// takes no time from invoking, and 8 at least for the sake of few writes (fewer below 64 at once). None where calls are
/// long. `call` and `save` are how long a call and a checkpoint take.
///
/// A fan-out that is killed does not know which of them ran. So they are never more than twice the ceiling, although calls
/// that are shorter than a checkpoint wait for it then.
pub(crate) fn named_ahead(ceiling: u32, under_way: usize, call: Duration, save: Duration) -> u64 {
    if call >= LONG_CALL && call >= save * SHORT_SAVE {
        return 0;
    }
    let begin = 2 * under_way as u128 * save.as_micros() / call.as_micros().max(1);
    let least = u64::from(ceiling / 8).clamp(1, 8);
    u64::try_from(begin).unwrap_or(u64::MAX).clamp(least, u64::from(ceiling) * 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_ahead_follows_the_rate_and_the_length_of_calls() {
        let ms = Duration::from_millis;
        for (ceiling, under_way, call, save, named) in [
            (100, 100, ms(60_000), ms(50), 0),
            (100, 100, ms(10_000), ms(50), 0),
            (100, 100, ms(10_000), ms(300), 8),
            (1_000, 1_000, ms(5_000), ms(50), 20),
            (1_000, 1_000, ms(1_000), ms(50), 100),
            (100, 100, ms(1_000), ms(50), 10),
            (100, 100, ms(100), ms(50), 100),
            (100, 100, ms(20), ms(50), 200),
            (100, 3, ms(1_000), ms(50), 8),
            (40, 40, ms(1_000), ms(0), 5),
            (4, 4, ms(0), ms(0), 1),
            (1, 1, ms(1), ms(1_000), 2),
        ] {
            assert_eq!(named_ahead(ceiling, under_way, call, save), named, "{ceiling} {call:?} {save:?}");
        }
    }
}
