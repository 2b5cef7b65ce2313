//! Times as people write them.

/// Reads `90s`, `10m`, `2h` or `1d`.
pub(super) fn seconds(text: &str) -> Result<u32, String> {
    let wrong = || format!("{text:?} is no time; write a whole number with s, m, h or d, as in 10m or 30d");
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
    let unit: u32 = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    number.parse().ok().and_then(|number: u32| number.checked_mul(unit)).ok_or_else(wrong)
}

/// Reads `2026-05-07T12:00:00Z`.
#[cfg(feature = "aws")]
pub(super) fn moment(text: &str) -> Result<batchwright::domain::Timestamp, String> {
    let wrong = || format!("{text:?} is no moment; write it in UTC, as in 2026-05-07T12:00:00Z");
    batchwright::domain::Timestamp::parse_rfc3339(text).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "aws")]
    #[test]
    fn moments_have_a_date_and_a_zone() {
        assert_eq!(moment("1970-01-01T00:00:01Z").map(batchwright::domain::Timestamp::as_millis), Ok(1_000));
        assert!(moment("yesterday").unwrap_err().contains("is no moment"));
    }

    #[test]
    fn times_have_a_unit() {
        for (text, expected) in [("90s", 90), ("10m", 600), ("2h", 7_200), ("1d", 86_400), ("0s", 0)] {
            assert_eq!(seconds(text), Ok(expected), "{text}");
        }
        for wrong in ["", "10", "m", "-1m", "1w", "99999999d", "ä", "1 m"] {
            assert!(seconds(wrong).unwrap_err().contains("is no time"), "{wrong}");
        }
    }
}
