//! The state handler's settings.

use std::time::Duration;

use batchwright::function::{ConfigError, number, text};

/// Read once, when the function starts.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The table of jobs.
    pub jobs_table: String,
    /// The table of runs.
    pub runs_table: String,
    /// The event bus that is told of ends, by name or ARN; `None`: nobody is told.
    pub event_bus: Option<String>,
    /// The name of the stack, for those who are told.
    pub stack: String,
    /// Calls of `SubmitJob` a second, at most, for jobs that are submitted again.
    pub submit_rate: u32,
    /// How long before its deadline the function stops, and hands back the messages that are left.
    pub stop_margin: Duration,
    /// The account whose events are taken; `None`: of any.
    pub account: Option<String>,
    /// The Region whose events are taken; `None`: of any.
    pub region: Option<String>,
}

impl Config {
    /// Whether an event may come from here. An event bus may be given events of other accounts and Regions, in which
    /// a job of the same id would be another's. A direct call may leave account and Region out.
    pub(crate) fn is_from_here(&self, account: &str, region: &str) -> bool {
        let is = |here: &Option<String>, said: &str| {
            said.is_empty() || here.as_deref().is_none_or(|here| here == said)
        };
        is(&self.account, account) && is(&self.region, region)
    }

    /// Errs where a variable is missing or wrong, naming it and its value.
    pub fn read(look_up: &impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        Ok(Self {
            jobs_table: text(look_up, "BATCHWRIGHT_JOBS_TABLE", "the name of the table of jobs")?,
            runs_table: text(look_up, "BATCHWRIGHT_RUNS_TABLE", "the name of the table of runs")?,
            event_bus: look_up("BATCHWRIGHT_EVENT_BUS").filter(|bus| !bus.is_empty()),
            stack: look_up("BATCHWRIGHT_STACK").unwrap_or_default(),
            submit_rate: number(look_up, "BATCHWRIGHT_SUBMIT_RATE", 50, 1..=10_000)?,
            stop_margin: Duration::from_secs(number(look_up, "BATCHWRIGHT_STOP_MARGIN_SECONDS", 5, 1..=600)?),
            account: look_up("BATCHWRIGHT_ACCOUNT").filter(|account| !account.is_empty()),
            region: look_up("AWS_REGION").filter(|region| !region.is_empty()),
        })
    }
}
