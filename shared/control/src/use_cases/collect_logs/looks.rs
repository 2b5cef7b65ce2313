//! When a log that has settled is looked at again.

use crate::domain::{NextLook, Timestamp};

/// Waits between the looks at a log that has settled, in times to settle: 10 minutes, 1, 6 and 24 hours where that
/// is a minute. Agents have delivered streams minutes after their job's end, and permissions are mended in hours.
const WAITS: [i64; 4] = [10, 60, 360, 1_440];

/// A log that is first read so long after its job's end is not looked at a second time where nothing is missing.
const LATE_MS: i64 = 600_000;

/// What a look at a log that has settled found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// No stream, and none that could come.
    Nothing,
    /// Every stream, as it was at the last look, or at the first one.
    Same,
    /// Something that was not there at the last look.
    News,
    /// A stream is missing, or can't be read.
    Gap,
}

/// The next look after `looks` others. With no time to settle a log is whole when its job ends.
pub(super) fn next_look(found: Found, looks: usize, settle_ms: i64, now: Timestamp) -> NextLook {
    let wait = WAITS.get(looks).map(|times| times.saturating_mul(settle_ms)).filter(|&wait| wait > 0);
    let is_wanted = match found {
        Found::Nothing => false,
        Found::Same => looks == 0 && settle_ms < LATE_MS,
        Found::News | Found::Gap => true,
    };
    match wait.filter(|_| is_wanted) {
        Some(wait) => NextLook::At(now.plus_millis(wait)),
        None => NextLook::Never,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_become_rare_and_end() {
        let now = Timestamp::from_millis(1_000);
        let minutes = |minutes: i64| NextLook::At(now.plus_millis(minutes * 60_000));
        for (found, looks, next) in [
            (Found::Gap, 0, minutes(10)),
            (Found::Gap, 1, minutes(60)),
            (Found::Gap, 3, minutes(1_440)),
            (Found::Gap, 4, NextLook::Never),
            (Found::Same, 0, minutes(10)),
            (Found::Same, 1, NextLook::Never),
            (Found::News, 1, minutes(60)),
            (Found::News, 4, NextLook::Never),
            (Found::Nothing, 0, NextLook::Never),
        ] {
            assert_eq!(next_look(found, looks, 60_000, now), next, "{found:?} {looks}");
        }
        assert_eq!(next_look(Found::Gap, 0, 0, now), NextLook::Never);
        assert_eq!(next_look(Found::Same, 0, 599_000, now), NextLook::At(now.plus_millis(5_990_000)));
        assert_eq!(next_look(Found::Same, 0, 600_000, now), NextLook::Never);
        assert_eq!(next_look(Found::Gap, 0, 600_000, now), NextLook::At(now.plus_millis(6_000_000)));
    }
}
