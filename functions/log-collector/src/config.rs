//! The log collector's settings.

use std::time::Duration;

use batchwright::function::{ConfigError, number, text};
use batchwright::use_cases::collect_logs::CollectPolicy;

/// Read once, when the function starts.
#[derive(Debug, Clone)]
pub struct Config {
    /// The table of jobs.
    pub jobs_table: String,
    /// The table of runs.
    pub runs_table: String,
    /// The bucket of the archive.
    pub bucket: String,
    /// How long logs may still grow.
    pub policy: CollectPolicy,
    /// How many small logs that come at once it takes to share an object; 0: they never do.
    pub bundle_logs_from: usize,
    /// How long before its deadline the function stops, and hands back the messages that are left.
    pub stop_margin: Duration,
}

impl Config {
    /// Errs where a variable is missing or wrong, naming it and its value.
    pub fn read(look_up: &impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let settle_seconds: i64 = number(look_up, "BATCHWRIGHT_LOG_SETTLE_SECONDS", 60, 0..=86_400)?;
        Ok(Self {
            jobs_table: text(look_up, "BATCHWRIGHT_JOBS_TABLE", "the name of the table of jobs")?,
            runs_table: text(look_up, "BATCHWRIGHT_RUNS_TABLE", "the name of the table of runs")?,
            bucket: text(look_up, "BATCHWRIGHT_BUCKET", "the name of the bucket of archived logs")?,
            policy: CollectPolicy { settle_ms: settle_seconds * 1_000 },
            bundle_logs_from: number(look_up, "BATCHWRIGHT_BUNDLE_LOGS_FROM", 5, 0..=10)?,
            stop_margin: Duration::from_secs(number(look_up, "BATCHWRIGHT_STOP_MARGIN_SECONDS", 5, 1..=600)?),
        })
    }
}
