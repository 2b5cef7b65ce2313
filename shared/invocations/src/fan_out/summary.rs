//! What is said of all invocations together.

use serde::{Deserialize, Serialize};

use super::checkpoint::Progress;
use super::result::ItemOutcome;

/// Items by what became of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "each is named for its outcome")]
pub struct Counts {
    pub succeeded: u64,
    pub function_error: u64,
    pub rejected: u64,
    pub unknown: u64,
    pub not_run: u64,
}

impl Counts {
    /// Counts one.
    pub fn add(&mut self, outcome: ItemOutcome) {
        *(match outcome {
            ItemOutcome::Succeeded => &mut self.succeeded,
            ItemOutcome::FunctionError => &mut self.function_error,
            ItemOutcome::Rejected => &mut self.rejected,
            ItemOutcome::Unknown => &mut self.unknown,
            ItemOutcome::NotRun => &mut self.not_run,
        }) += 1;
    }

    /// Adds the others.
    pub fn merge(&mut self, others: &Counts) {
        self.succeeded += others.succeeded;
        self.function_error += others.function_error;
        self.rejected += others.rejected;
        self.unknown += others.unknown;
        self.not_run += others.not_run;
    }

    /// What was added to others to make these.
    #[must_use]
    pub fn since(&self, others: &Counts) -> Counts {
        Counts {
            succeeded: self.succeeded.saturating_sub(others.succeeded),
            function_error: self.function_error.saturating_sub(others.function_error),
            rejected: self.rejected.saturating_sub(others.rejected),
            unknown: self.unknown.saturating_sub(others.unknown),
            not_run: self.not_run.saturating_sub(others.not_run),
        }
    }

    /// All of them.
    pub fn total(&self) -> u64 {
        self.succeeded + self.failures() + self.not_run
    }

    /// Those that count against what is tolerated.
    pub fn failures(&self) -> u64 {
        self.function_error + self.rejected + self.unknown
    }
}

/// What a fan-out came to, or has come to so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Items that have a result.
    pub items: u64,
    /// What became of them.
    pub counts: Counts,
    /// Requests that were sent beyond the first of each item.
    pub retries: u64,
    /// Of the invocations that were answered, from sending to the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<Quantiles>,
    /// From the first invocation to the last result, less the time in which the fan-out did not run.
    pub wall_time_ms: u64,
    /// The most invocations that were under way at once, in one copy of the fan-out.
    pub peak_concurrency: u32,
}

/// Durations that half, nine tenths and all but one in a hundred do not pass; at most 3 % too high.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Quantiles {
    /// Of half.
    pub p50: u64,
    /// Of nine tenths.
    pub p90: u64,
    /// Of all but one in a hundred.
    pub p99: u64,
}

impl From<&Progress> for Summary {
    fn from(progress: &Progress) -> Self {
        let of = |percent| progress.latencies.percentile(percent);
        let latency_ms = of(50).zip(of(90)).zip(of(99)).map(|((p50, p90), p99)| Quantiles { p50, p90, p99 });
        Self {
            items: progress.counts.total(),
            counts: progress.counts,
            retries: progress.retries,
            latency_ms,
            wall_time_ms: progress.wall_time_ms,
            peak_concurrency: progress.peak_concurrency,
        }
    }
}
