//! Every quota and bound of a fan-out, each with its source.

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

/// Items that are written down as started before they are, at the start: as many as are sent at once.
pub fn started_ahead(ceiling: u32) -> u64 {
    u64::from(ceiling.min(INITIAL_CONCURRENCY)).max(16)
}

/// The same later, by how many were started while the last checkpoint was saved: few, because a fan-out that is
/// killed does not know which of them ran; enough for saving to take no time from invoking.
pub fn started_ahead_after(ceiling: u32, started_while_saving: u64) -> u64 {
    let ceiling = u64::from(ceiling);
    (started_while_saving * 2).clamp((ceiling / 8).max(8), (ceiling * 4).max(64))
}
