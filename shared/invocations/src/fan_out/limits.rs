//! Every quota and bound of a fan-out, each with its source.

pub use crate::domain::limits::{EVENT_PAYLOAD_MAX_BYTES, SYNC_PAYLOAD_MAX_BYTES};

/// Bytes of `ClientContext`, in base64. Source: `Invoke` API reference.
pub const CLIENT_CONTEXT_MAX_BYTES: usize = 3_583;

/// Bytes of results that an answer holds: what Lambda takes, less room for the summary. Ours.
pub const INLINE_RESULTS_MAX_BYTES: u64 = SYNC_PAYLOAD_MAX_BYTES as u64 - 64 * 1024;

/// Bytes of an answer's payload that stands in its result; a longer one gets an object of its own. Ours.
pub const RESULT_PAYLOAD_MAX_BYTES: usize = 256 * 1024;

/// Bytes of results that are held for those before them; past it nothing is started. Ours.
pub const HELD_RESULTS_MAX_BYTES: usize = 32 * 1024 * 1024;

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

/// Items beyond the first without a result that may have been started, by the ceiling: how far a list runs
/// ahead of a slow item.
pub fn reorder_window(ceiling: u32) -> u64 {
    (u64::from(ceiling) * 16).max(256)
}

/// Items that are written down as started before they are, by the ceiling: few, because a fan-out that is
/// killed does not know which of them ran; enough for writing it down to take no time from invoking.
pub fn started_ahead(ceiling: u32) -> u64 {
    (u64::from(ceiling) * 4).max(64)
}
