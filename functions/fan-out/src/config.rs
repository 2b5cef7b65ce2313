//! The fan-out's settings.

use std::time::Duration;

use batchwright::fan_out::Targets;
use batchwright::function::{ConfigError, number, text};

/// Read once, when the function starts.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The bucket of lists, results and checkpoints.
    pub bucket: String,
    /// The functions that may be invoked.
    pub targets: Targets,
    /// How long before its deadline the function starts nothing more.
    pub stop_margin: Duration,
}

impl Config {
    /// Errs where a variable is missing or wrong, naming it and its value.
    pub fn read(look_up: &impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let targets =
            "names of the functions that may be invoked, with * for any characters, parted by commas";
        Ok(Self {
            bucket: text(look_up, "BATCHWRIGHT_BUCKET", "the name of the bucket")?,
            targets: Targets::matching(&text(look_up, "BATCHWRIGHT_FAN_OUT_TARGETS", targets)?),
            stop_margin: Duration::from_secs(number(
                look_up,
                "BATCHWRIGHT_STOP_MARGIN_SECONDS",
                120,
                1..=600,
            )?),
        })
    }

    /// How long before its deadline the function waits for nothing more: what is left is for writing down.
    pub fn give_up_margin(&self) -> Duration {
        self.stop_margin / 4
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look_up(name: &str) -> Option<String> {
        let value = match name {
            "BATCHWRIGHT_BUCKET" => "bucket",
            "BATCHWRIGHT_FAN_OUT_TARGETS" => "task-*",
            _ => return None,
        };
        Some(value.to_owned())
    }

    #[test]
    fn what_may_be_invoked_has_no_default() {
        let config = Config::read(&look_up).unwrap();
        assert_eq!(
            (config.stop_margin, config.give_up_margin()),
            (Duration::from_secs(120), Duration::from_secs(30))
        );
        for missing in ["BATCHWRIGHT_BUCKET", "BATCHWRIGHT_FAN_OUT_TARGETS"] {
            let error = Config::read(&|name: &str| look_up(name).filter(|_| name != missing)).unwrap_err();
            assert!(error.to_string().contains(missing), "{error}");
        }
    }
}
