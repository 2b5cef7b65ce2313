//! The S3 serializer's settings.

use std::time::Duration;

use batchwright::domain::s3_uri::Pattern;
use batchwright::function::{ConfigError, number};
use batchwright::objects::{Failure, FailureCode};

/// Read once, when the function starts.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The buckets that it may touch; empty: every one that its role allows.
    pub allowed_buckets: Vec<Pattern>,
    /// Objects that are read or written at once. Each takes up to 16 MiB and its longest record.
    pub body_concurrency: usize,
    /// Objects that are looked at, copied or waited for at once, and folders that are listed at once.
    pub look_concurrency: usize,
    /// How long before its deadline the function stops.
    pub stop_margin: Duration,
}

const ALLOWED: &str = "BATCHWRIGHT_ALLOWED_BUCKETS";

impl Config {
    /// Errs where a variable is wrong, naming it and its value.
    pub fn read(look_up: &impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        Ok(Self {
            allowed_buckets: patterns(look_up)?,
            body_concurrency: number(look_up, "BATCHWRIGHT_BODY_CONCURRENCY", 4, 1..=64)?,
            look_concurrency: number(look_up, "BATCHWRIGHT_LOOK_CONCURRENCY", 64, 1..=1_000)?,
            stop_margin: Duration::from_secs(number(
                look_up,
                "BATCHWRIGHT_STOP_MARGIN_SECONDS",
                10,
                1..=600,
            )?),
        })
    }

    /// Whether a bucket may be touched.
    pub(crate) fn allow(&self, bucket: &str) -> Result<(), Failure> {
        if self.allowed_buckets.is_empty()
            || self.allowed_buckets.iter().any(|allowed| allowed.matches(bucket))
        {
            return Ok(());
        }
        let message =
            format!("the bucket {bucket:?} is none of those that this function may touch: see {ALLOWED}");
        Err(Failure::new(FailureCode::NotAllowed, message))
    }
}

/// Names and patterns, separated by commas or blanks.
fn patterns(look_up: &impl Fn(&str) -> Option<String>) -> Result<Vec<Pattern>, ConfigError> {
    let value = look_up(ALLOWED).unwrap_or_default();
    let names = value.split(|c: char| c == ',' || c.is_whitespace()).filter(|name| !name.is_empty());
    let patterns: Result<_, _> = names.map(Pattern::parse).collect();
    patterns.map_err(|_| ConfigError::Invalid {
        name: ALLOWED,
        value: value.clone(),
        expected: "names of buckets and patterns of names, separated by commas".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(allowed: &str) -> Result<Config, ConfigError> {
        Config::read(&|name| (name == ALLOWED).then(|| allowed.to_owned()))
    }

    #[test]
    fn only_buckets_that_are_allowed_may_be_touched() {
        for (allowed, bucket, may) in [
            ("", "any", true),
            ("one, team-*", "one", true),
            ("one, team-*", "team-data", true),
            ("one, team-*", "one-more", false),
            ("one team-?", "team-", false),
        ] {
            assert_eq!(with(allowed).unwrap().allow(bucket).is_ok(), may, "{allowed} {bucket}");
        }
        let refused = with("one").unwrap().allow("two").unwrap_err();
        assert_eq!(refused.code, FailureCode::NotAllowed);
        assert!(refused.message.starts_with("the bucket \"two\" is none of those"), "{refused}");
    }

    #[test]
    fn a_wrong_setting_fails_the_start_by_name() {
        let error = with("a,[b").unwrap_err().to_string();
        assert!(
            error.starts_with("the environment variable BATCHWRIGHT_ALLOWED_BUCKETS is \"a,[b\""),
            "{error}"
        );
        let config = Config::read(&|_| None).unwrap();
        assert_eq!((config.body_concurrency, config.look_concurrency), (4, 64));
    }
}
