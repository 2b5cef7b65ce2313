//! Dates as headers of HTTP have them, as in `Last-Modified: Wed, 25 Nov 2026 18:53:30 GMT`.

use std::time::SystemTime;

use crate::domain::Timestamp;

/// A moment as a date of HTTP, in whole seconds. `None` outside of the years 1970 to 9999, which it can't write.
///
/// ```
/// use batchwright_client::dates::{http_date, parse_http_date};
///
/// let moment = parse_http_date("Wed, 25 Nov 2026 18:53:30 GMT")?;
/// assert_eq!(http_date(moment).as_deref(), Some("Wed, 25 Nov 2026 18:53:30 GMT"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn http_date(moment: Timestamp) -> Option<String> {
    /// 9999-12-31T23:59:59.999Z.
    const LAST: i64 = 253_402_300_799_999;
    (0..=LAST).contains(&moment.as_millis()).then(|| httpdate::fmt_http_date(SystemTime::from(moment)))
}

/// Reads a date of HTTP in any of its three forms.
///
/// # Errors
///
/// Where the text is no such date.
pub fn parse_http_date(text: &str) -> Result<Timestamp, httpdate::Error> {
    httpdate::parse_http_date(text).map(Timestamp::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_and_read_within_their_range() {
        assert_eq!(http_date(Timestamp::from_millis(0)).as_deref(), Some("Thu, 01 Jan 1970 00:00:00 GMT"));
        assert_eq!(http_date(Timestamp::from_millis(-1)), None);
        assert_eq!(http_date(Timestamp::from_millis(253_402_300_800_000)), None);
        for text in
            ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
        {
            assert_eq!(parse_http_date(text).unwrap().as_millis(), 784_111_777_000, "{text}");
        }
        assert!(parse_http_date("1994-11-06").is_err());
    }
}
