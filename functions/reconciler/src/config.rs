//! The reconciler's settings.

use std::time::Duration;

use batchwright::function::{ConfigError, number, text};
use batchwright::use_cases::collect_logs::CollectPolicy;
use batchwright::use_cases::reconcile::ReconcilePolicy;

/// Read once, when the function starts.
#[derive(Debug, Clone)]
pub struct Config {
    /// The table of jobs.
    pub jobs_table: String,
    /// The table of runs.
    pub runs_table: String,
    /// The event bus that is told of ends, by name or ARN; `None`: nobody is told.
    pub event_bus: Option<String>,
    /// The name of the stack, for those who are told.
    pub stack: String,
    /// The bucket of the archive.
    pub bucket: String,
    /// The function that goes on with runs.
    pub submitter: String,
    /// Calls of `SubmitJob` a second, at most, for jobs that are submitted again.
    pub submit_rate: u32,
    /// Calls of `DescribeJobs`, `ListJobs` and `TerminateJob` a second, at most.
    pub batch_rate: u32,
    /// When claims and submissions are looked into.
    pub policy: ReconcilePolicy,
    /// How long logs may still grow.
    pub collect: CollectPolicy,
    /// Milliseconds without a saved checkpoint after which a run is gone on with. Longer than a function
    /// can live.
    pub run_silence_ms: i64,
    /// How long before its deadline the function stops.
    pub stop_margin: Duration,
}

impl Config {
    /// Errs where a variable is missing or wrong, naming it and its value.
    pub fn read(look_up: &impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let defaults = ReconcilePolicy::default();
        let seconds = |name, default_ms: i64, least| {
            number(look_up, name, default_ms / 1_000, least..=2_592_000).map(|seconds| seconds * 1_000)
        };
        Ok(Self {
            jobs_table: text(look_up, "BATCHWRIGHT_JOBS_TABLE", "the name of the table of jobs")?,
            runs_table: text(look_up, "BATCHWRIGHT_RUNS_TABLE", "the name of the table of runs")?,
            event_bus: look_up("BATCHWRIGHT_EVENT_BUS").filter(|bus| !bus.is_empty()),
            stack: look_up("BATCHWRIGHT_STACK").unwrap_or_default(),
            bucket: text(look_up, "BATCHWRIGHT_BUCKET", "the name of the bucket of archived logs")?,
            submitter: text(look_up, "BATCHWRIGHT_SUBMITTER", "the name of the submitter function")?,
            submit_rate: number(look_up, "BATCHWRIGHT_SUBMIT_RATE", 50, 1..=10_000)?,
            batch_rate: number(look_up, "BATCHWRIGHT_BATCH_RATE", 5, 1..=1_000)?,
            policy: ReconcilePolicy {
                quarantine_ms: seconds("BATCHWRIGHT_QUARANTINE_SECONDS", defaults.quarantine_ms, 0)?,
                silence_ms: seconds("BATCHWRIGHT_SILENCE_SECONDS", defaults.silence_ms, 1)?,
                lost_after_ms: seconds("BATCHWRIGHT_LOST_AFTER_SECONDS", defaults.lost_after_ms, 1)?,
                asked_max: number(look_up, "BATCHWRIGHT_ASKED_MAX", defaults.asked_max, 1..=1_000_000)?,
                listed_from: number(look_up, "BATCHWRIGHT_LISTED_FROM", defaults.listed_from, 1..=1_000_000)?,
            },
            collect: CollectPolicy { settle_ms: seconds("BATCHWRIGHT_LOG_SETTLE_SECONDS", 60_000, 0)? },
            run_silence_ms: seconds("BATCHWRIGHT_RUN_SILENCE_SECONDS", 1_200_000, 1)?,
            stop_margin: Duration::from_secs(number(
                look_up,
                "BATCHWRIGHT_STOP_MARGIN_SECONDS",
                10,
                1..=600,
            )?),
        })
    }
}
