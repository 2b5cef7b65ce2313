//! Dates as headers of HTTP have them, as in `Last-Modified: Wed, 25 Nov 2026 18:53:30 GMT`.

use jiff::SignedDuration;
use jiff::civil::{DateTime, date};
use jiff::fmt::rfc2822::DateTimeParser;
use jiff::fmt::strtime;
use jiff::tz::Offset;

use crate::domain::Timestamp;

/// The forms of a date without a number for its zone: of RFC 850 and of C's `asctime`. Source: RFC 9110, section 5.6.7.
const OLDER_FORMS: [&str; 2] = ["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];

/// A moment as a date of HTTP, in whole seconds. `None` outside of the years 1970 to 9999, which it can't write.
///
/// ```
/// # use batchwright_client as batchwright;
/// use batchwright::dates::{http_date, parse_http_date};
///
/// let moment = parse_http_date("Wed, 25 Nov 2026 18:53:30 GMT")?;
/// assert_eq!(http_date(moment).as_deref(), Some("Wed, 25 Nov 2026 18:53:30 GMT"));
/// assert_eq!(parse_http_date("Wed, 25 Nov 2026 19:53:30 +0100")?, moment);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn http_date(moment: Timestamp) -> Option<String> {
    let since = u64::try_from(moment.as_millis()).ok()?;
    // jiff's own moments end a day before the year 9999 does.
    let seconds = SignedDuration::from_secs(i64::try_from(since / 1_000).ok()?);
    let written = date(1970, 1, 1).at(0, 0, 0, 0).checked_add(seconds).ok()?;
    Some(written.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string())
}

/// A text that is no date of HTTP.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no date of HTTP; write it as in \"Wed, 25 Nov 2026 18:53:30 GMT\"")]
pub struct InvalidHttpDate(pub String);

/// Reads a date of HTTP in any of its three forms, and one of mail (RFC 5322, without comments), whose zone may be a number:
/// `+0100`. Also one before 1970; the last is 9999-12-30T22:00:00Z. Two digits of a year stand for 1969 to 2068. That the day of the week fits the date is not looked at.
///
/// # Errors
///
/// Where the text is no such date.
pub fn parse_http_date(text: &str) -> Result<Timestamp, InvalidHttpDate> {
    let text = text.trim();
    // The usual name of the zone, which RFC 5322 does not have.
    let of_mail = text.strip_suffix(" UTC").map(|moment| format!("{moment} GMT"));
    let parser = DateTimeParser::new().relaxed_weekday(true);
    if let Ok(moment) = parser.parse_timestamp(of_mail.as_deref().unwrap_or(text)) {
        return Ok(moment.into());
    }
    let older = OLDER_FORMS.iter().find_map(|form| of_form(form, text));
    let moment = older.and_then(|moment| Offset::UTC.to_timestamp(moment).ok());
    moment.map(Timestamp::from).ok_or_else(|| InvalidHttpDate(text.to_owned()))
}

fn of_form(form: &str, text: &str) -> Option<DateTime> {
    let mut read = strtime::parse(form, text).ok()?;
    read.set_weekday(None);
    read.to_datetime().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_within_their_range() {
        assert_eq!(http_date(Timestamp::from_millis(0)).as_deref(), Some("Thu, 01 Jan 1970 00:00:00 GMT"));
        assert_eq!(
            http_date(Timestamp::from_millis(1_999)).as_deref(),
            Some("Thu, 01 Jan 1970 00:00:01 GMT")
        );
        let last = Timestamp::from_millis(253_402_300_799_999);
        assert_eq!(http_date(last).as_deref(), Some("Fri, 31 Dec 9999 23:59:59 GMT"));
        assert_eq!(http_date(Timestamp::from_millis(-1)), None);
        assert_eq!(http_date(Timestamp::from_millis(253_402_300_800_000)), None);
    }

    #[test]
    fn dates_are_read_in_each_form_with_their_zone() {
        for (text, seconds) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
            ("Sunday, 06-Nov-94 08:49:37 GMT", 784_111_777),
            ("Sun Nov  6 08:49:37 1994", 784_111_777),
            ("Wed Nov 16 08:49:37 1994", 784_975_777),
            ("Sun, 06 Nov 1994 08:49:37 +0000", 784_111_777),
            ("Sun, 06 Nov 1994 08:49:37 -0000", 784_111_777),
            ("Sun, 06 Nov 1994 09:49:37 +0100", 784_111_777),
            ("Sun, 06 Nov 1994 00:49:37 -0800", 784_111_777),
            ("Sun, 06 Nov 1994 08:49:37 UTC", 784_111_777),
            ("06 Nov 1994 08:49:37 GMT", 784_111_777),
            ("  Sun, 06 Nov 1994 08:49:37 GMT ", 784_111_777),
            // The day of the week is another.
            ("Mon, 06 Nov 1994 08:49:37 GMT", 784_111_777),
            ("Monday, 06-Nov-94 08:49:37 GMT", 784_111_777),
            ("Mon Nov  6 08:49:37 1994", 784_111_777),
            ("Wed, 31 Dec 1969 23:59:58 GMT", -2),
            ("Wed Dec 31 23:59:58 1969", -2),
            ("Wednesday, 31-Dec-69 23:59:58 GMT", -2),
        ] {
            assert_eq!(parse_http_date(text).map(Timestamp::as_millis), Ok(seconds * 1_000), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_refused_with_a_date_as_it_should_be() {
        for text in ["", "1994-11-06", "Sun, 36 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 CEST GMT"]
        {
            let error = parse_http_date(text).unwrap_err().to_string();
            assert!(error.contains("as in \"Wed, 25 Nov 2026"), "{error}");
        }
    }
}
