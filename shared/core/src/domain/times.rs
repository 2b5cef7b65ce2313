//! Moments and durations, in milliseconds since 1970 (UTC), as AWS Batch reports them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// A moment: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From milliseconds since 1970.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Batch reports 0 for a moment that has not come: then `None`.
    pub fn reported(millis: Option<i64>) -> Option<Self> {
        millis.filter(|&millis| millis > 0).map(Self)
    }

    /// This moment and `millis` more, or less where that is negative.
    #[must_use]
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Milliseconds from `earlier` to this moment.
    pub const fn millis_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Reads RFC 3339, as in `2026-11-23T02:24:51.5+01:00`; `None` where it is something else.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let moment: jiff::Timestamp = text.parse().ok()?;
        Some(Self(moment.as_millisecond()))
    }

    /// As in `2026-11-23T02:24:51Z`: EventBridge's form, with a resolution of one second.
    pub fn to_rfc3339_seconds(self) -> String {
        let whole = jiff::Timestamp::from_second(self.0.div_euclid(1_000));
        whole.map_or_else(|_| format!("{} ms", self.0), |moment| moment.to_string())
    }
}

/// To the millisecond; moments before 1970 are negative.
impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let millis = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        match time.duration_since(UNIX_EPOCH) {
            Ok(since) => Self(millis(since)),
            Err(before) => Self(-millis(before.duration())),
        }
    }
}

impl From<Timestamp> for SystemTime {
    fn from(timestamp: Timestamp) -> Self {
        let distance = Duration::from_millis(timestamp.0.unsigned_abs());
        if timestamp.0 < 0 { UNIX_EPOCH - distance } else { UNIX_EPOCH + distance }
    }
}

/// To the millisecond.
impl From<jiff::Timestamp> for Timestamp {
    fn from(timestamp: jiff::Timestamp) -> Self {
        Self(timestamp.as_millisecond())
    }
}

/// Errs outside of jiff's range, the years -9999 to 9999.
impl TryFrom<Timestamp> for jiff::Timestamp {
    type Error = jiff::Error;

    fn try_from(timestamp: Timestamp) -> Result<Self, jiff::Error> {
        Self::from_millisecond(timestamp.0)
    }
}

/// When a submission was made, created, started and stopped; what lies between.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct JobTimes {
    /// When Batch took the job on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// When the last attempt went to RUNNING.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When the job ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped_at: Option<Timestamp>,
}

impl JobTimes {
    /// Created to stopped, in milliseconds.
    pub fn elapsed_ms(&self) -> Option<i64> {
        Some(self.stopped_at?.millis_since(self.created_at?))
    }

    /// Started to stopped, in milliseconds.
    pub fn runtime_ms(&self) -> Option<i64> {
        Some(self.stopped_at?.millis_since(self.started_at?))
    }

    /// Created to started, in milliseconds: how long the job waited.
    pub fn spinup_ms(&self) -> Option<i64> {
        Some(self.started_at?.millis_since(self.created_at?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_go_to_the_types_of_others_and_back() {
        for millis in [0, 1, -1, 1_764_032_691_500, -62_000_000_000_000] {
            let moment = Timestamp::from_millis(millis);
            assert_eq!(Timestamp::from(SystemTime::from(moment)), moment);
            assert_eq!(jiff::Timestamp::try_from(moment).map(Timestamp::from).unwrap(), moment);
        }
        assert!(jiff::Timestamp::try_from(Timestamp::from_millis(i64::MAX)).is_err());
    }

    #[test]
    fn durations_need_both_ends() {
        let at = |millis| Some(Timestamp::from_millis(millis));
        let times = JobTimes { created_at: at(1_000), started_at: at(4_000), stopped_at: at(9_500) };
        assert_eq!(
            (times.elapsed_ms(), times.runtime_ms(), times.spinup_ms()),
            (Some(8_500), Some(5_500), Some(3_000))
        );
        let never_ran = JobTimes { started_at: None, ..times };
        assert_eq!(
            (never_ran.elapsed_ms(), never_ran.runtime_ms(), never_ran.spinup_ms()),
            (Some(8_500), None, None)
        );
    }

    #[test]
    fn a_reported_zero_means_not_yet() {
        assert_eq!(Timestamp::reported(Some(0)), None);
        assert_eq!(Timestamp::reported(None), None);
        assert_eq!(Timestamp::reported(Some(5)), Some(Timestamp::from_millis(5)));
    }

    #[test]
    fn a_written_moment_is_read_with_its_offset() {
        for (text, millis) in [
            ("2022-01-11T23:36:40Z", Some(1_641_944_200_000)),
            ("2022-01-12T00:36:40.25+01:00", Some(1_641_944_200_250)),
            ("2022-01-11T23:36:40", None),
            ("yesterday", None),
        ] {
            assert_eq!(Timestamp::parse_rfc3339(text), millis.map(Timestamp), "{text}");
        }
    }

    #[test]
    fn the_written_form_has_whole_seconds() {
        assert_eq!(Timestamp::from_millis(1_641_944_200_999).to_rfc3339_seconds(), "2022-01-11T23:36:40Z");
        assert_eq!(Timestamp::from_millis(-1).to_rfc3339_seconds(), "1969-12-31T23:59:59Z");
    }
}
