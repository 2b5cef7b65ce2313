//! The submitter's settings.

use std::time::Duration;

use batchwright::domain::Allowed;
use batchwright::function::{ConfigError, flag, number, text};

/// Read once, when the function starts.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The table of jobs.
    pub jobs_table: String,
    /// The table of runs.
    pub runs_table: String,
    /// The bucket that holds job files and reports.
    pub bucket: String,
    /// Calls of `SubmitJob` a second, at most.
    pub submit_rate: u32,
    /// Jobs that are submitted at once.
    pub concurrency: usize,
    /// How long before its deadline the function stops, and hands on what is left.
    pub stop_margin: Duration,
    /// The queues and definitions that jobs may name.
    pub allowed: Allowed,
    /// Every job of a file is sealed.
    pub seals_all: bool,
}

impl Config {
    /// Errs where a variable is missing or wrong, naming it and its value.
    pub fn read(look_up: &impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        Ok(Self {
            jobs_table: text(look_up, "BATCHWRIGHT_JOBS_TABLE", "the name of the table of jobs")?,
            runs_table: text(look_up, "BATCHWRIGHT_RUNS_TABLE", "the name of the table of runs")?,
            bucket: text(look_up, "BATCHWRIGHT_BUCKET", "the name of the bucket of job files")?,
            submit_rate: number(look_up, "BATCHWRIGHT_SUBMIT_RATE", 50, 1..=10_000)?,
            concurrency: number(look_up, "BATCHWRIGHT_SUBMIT_CONCURRENCY", 16, 1..=256)?,
            stop_margin: Duration::from_secs(number(
                look_up,
                "BATCHWRIGHT_STOP_MARGIN_SECONDS",
                60,
                1..=600,
            )?),
            allowed: Allowed::matching(
                &look_up("BATCHWRIGHT_JOB_QUEUES").unwrap_or_default(),
                &look_up("BATCHWRIGHT_JOB_DEFINITIONS").unwrap_or_default(),
            ),
            seals_all: flag(look_up, "BATCHWRIGHT_SEAL_JOBS")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look_up(name: &str) -> Option<String> {
        let value = match name {
            "BATCHWRIGHT_JOBS_TABLE" => "jobs",
            "BATCHWRIGHT_RUNS_TABLE" => "runs",
            "BATCHWRIGHT_BUCKET" => "bucket",
            _ => return None,
        };
        Some(value.to_owned())
    }

    #[test]
    fn names_of_resources_have_no_default() {
        let config = Config::read(&look_up).unwrap();
        assert_eq!((config.submit_rate, config.stop_margin), (50, Duration::from_secs(60)));
        for missing in ["BATCHWRIGHT_JOBS_TABLE", "BATCHWRIGHT_RUNS_TABLE", "BATCHWRIGHT_BUCKET"] {
            let error = Config::read(&|name: &str| look_up(name).filter(|_| name != missing)).unwrap_err();
            assert!(error.to_string().contains(missing), "{error}");
        }
    }
}
