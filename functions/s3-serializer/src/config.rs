//! The S3 serializer's settings.

use std::time::Duration;

use batchwright::domain::S3Prefix;
use batchwright::domain::s3_uri::Pattern;
use batchwright::function::{ConfigError, number};
use batchwright::objects::{Failure, FailureCode};

/// Read once, when the function starts.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// What it may touch; empty: everything that its role allows.
    pub allowed: Vec<Allowed>,
    /// Objects that are read or written at once. Each takes up to 16 MiB and its longest record.
    pub body_concurrency: usize,
    /// Objects that are looked at, copied or waited for at once, and folders that are listed at once.
    pub look_concurrency: usize,
    /// How long before its deadline the function stops.
    pub stop_margin: Duration,
}

/// Buckets, and what the keys begin with that may be touched in them.
#[derive(Debug, Clone, PartialEq)]
pub struct Allowed {
    buckets: Pattern,
    prefix: String,
}

impl Allowed {
    /// A pattern of names never matches an ARN: an access point leads to a bucket of any name.
    fn has_bucket(&self, bucket: &str) -> bool {
        self.buckets.as_str().contains('/') == bucket.contains('/') && self.buckets.matches(bucket)
    }
}

const ALLOWED: &str = "BATCHWRIGHT_ALLOWED_BUCKETS";

impl Config {
    /// Errs where a variable is wrong, naming it and its value.
    pub fn read(look_up: &impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        Ok(Self {
            allowed: allowed(look_up)?,
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

    /// Errs where an object may not be touched; a bucket as a whole may be looked at where something in it may be
    /// touched.
    pub(crate) fn allow(&self, place: &S3Prefix) -> Result<(), Failure> {
        let is_bucket = place.prefix.is_empty();
        self.allow_where(place, |allowed| is_bucket || place.prefix.starts_with(&allowed.prefix))
    }

    /// Errs where something under a prefix may not be touched.
    pub(crate) fn allow_all_of(&self, place: &S3Prefix) -> Result<(), Failure> {
        self.allow_where(place, |allowed| place.prefix.starts_with(&allowed.prefix))
    }

    fn allow_where(&self, place: &S3Prefix, may: impl Fn(&Allowed) -> bool) -> Result<(), Failure> {
        let is_allowed = |allowed: &Allowed| allowed.has_bucket(&place.bucket) && may(allowed);
        if self.allowed.is_empty() || self.allowed.iter().any(is_allowed) {
            return Ok(());
        }
        let message = format!("{place} is none of what this function may touch: see {ALLOWED}");
        Err(Failure::new(FailureCode::NotAllowed, message))
    }
}

/// Buckets, patterns of their names and their ARNs, each with or without a prefix, separated by commas or blanks.
fn allowed(look_up: &impl Fn(&str) -> Option<String>) -> Result<Vec<Allowed>, ConfigError> {
    let value = look_up(ALLOWED).unwrap_or_default();
    let places = value.split(|c: char| c == ',' || c.is_whitespace()).filter(|place| !place.is_empty());
    let allowed: Option<_> = places
        .map(|place| {
            let S3Prefix { bucket, prefix } = S3Prefix::parse(&format!("s3://{place}")).ok()?;
            Some(Allowed { buckets: Pattern::parse(&bucket).ok()?, prefix })
        })
        .collect();
    allowed.ok_or_else(|| ConfigError::Invalid {
        name: ALLOWED,
        value: value.clone(),
        expected: "buckets or patterns of their names, as in name or name/prefix/, separated by commas"
            .to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(allowed: &str) -> Result<Config, ConfigError> {
        Config::read(&|name| (name == ALLOWED).then(|| allowed.to_owned()))
    }

    fn place(text: &str) -> S3Prefix {
        S3Prefix::parse(&format!("s3://{text}")).unwrap()
    }

    #[test]
    fn only_what_is_allowed_may_be_touched() {
        const AP: &str = "arn:aws:s3:eu-west-1:111122223333:accesspoint";
        for (allowed, touched, may) in [
            ("", "any/k", true),
            ("one, team-*", "one/k", true),
            ("one, team-*", "team-data/k", true),
            ("one, team-*", "one-more/k", false),
            ("one team-?", "team-/k", false),
            ("one/serializer/", "one/serializer/k", true),
            ("one/serializer/", "one/jobs/k", false),
            ("one/serializer/", "one/serializer", false),
            ("one/serializer/", "one", true),
            ("arn:aws:s3:::one", "one/jobs/k", true),
            ("arn:aws-cn:s3:::one/a/", "one/b", false),
            ("team-*", &format!("{AP}/team-a/k"), false),
            (&format!("{AP}/team-*"), &format!("{AP}/team-a/k"), true),
            (&format!("{AP}/team-a/in/"), &format!("{AP}/team-a/out/k"), false),
        ] {
            assert_eq!(with(allowed).unwrap().allow(&place(touched)).is_ok(), may, "{allowed} {touched}");
        }
        let refused = with("one").unwrap().allow(&place("two/k")).unwrap_err();
        assert_eq!(refused.code, FailureCode::NotAllowed);
        assert!(refused.message.starts_with("s3://two/k is none of what"), "{refused}");
    }

    #[test]
    fn a_list_may_not_reach_beyond_what_is_allowed() {
        for (allowed, listed, may) in [
            ("one/serializer/", "one", false),
            ("one/serializer/", "one/serializer/", true),
            ("one/serializer/", "one/serializer/a", true),
            ("one/serializer/", "one/ser", false),
            ("one", "one", true),
        ] {
            assert_eq!(
                with(allowed).unwrap().allow_all_of(&place(listed)).is_ok(),
                may,
                "{allowed} {listed}"
            );
        }
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
