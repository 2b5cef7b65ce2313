//! `uploads`.

use std::time::Duration;

use batchwright::aws::{OpenUpload, S3Buckets};
use batchwright::domain::{S3Prefix, Timestamp};
use batchwright::objects;
use batchwright::ports::{Clock as _, SystemClock};
use jiff::{Span, SpanRelativeTo, Unit};
use serde::Serialize;

use super::args::UploadsArgs;
use super::results::Results;
use crate::exit::{Exit, Failure};

/// An upload that was found.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    upload_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    initiated: Option<String>,
    aborted: bool,
}

/// Lists multipart uploads, and aborts those that began long enough ago.
pub(crate) async fn uploads(buckets: &S3Buckets, args: &UploadsArgs) -> Result<Exit, Failure> {
    let place = S3Prefix::parse(&args.uri).map_err(|error| Failure::Usage(error.to_string()))?;
    let now = SystemClock.now();
    let before =
        args.abort_older.map(|age| now.plus_millis(-i64::try_from(age.as_millis()).unwrap_or(i64::MAX)));
    let mut results = Results::new(args.shown.output);
    let mut page = None;
    loop {
        let listed = buckets.uploads(&place, page.as_ref()).await;
        let listed = listed.map_err(|error| Failure::Broken(error.into()))?;
        for (upload, initiated) in listed.items {
            let uri = format!("s3://{}/{}", upload.bucket, upload.key);
            let is_old = before.is_some_and(|before| initiated.is_some_and(|at| at <= before));
            results.push(&uri, looked_at(buckets, upload, initiated, is_old).await, |found| {
                let since = found.initiated.clone().unwrap_or_default();
                (true, vec![format!("{since}{}", if found.aborted { ", aborted" } else { "" })])
            })?;
        }
        match listed.next {
            Some(next) => page = Some(next),
            None => return results.finish(),
        }
    }
}

async fn looked_at(
    buckets: &S3Buckets,
    upload: OpenUpload,
    initiated: Option<Timestamp>,
    is_old: bool,
) -> Result<Found, objects::Failure> {
    if is_old {
        buckets.abort_upload(&upload).await?;
    }
    let initiated = initiated.map(Timestamp::to_rfc3339_seconds);
    Ok(Found { upload_id: upload.upload_id, initiated, aborted: is_old })
}

/// Reads a duration, as in `7d` or `12h 30m`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no duration; write it as 7d, 12h or 30m");
    let span: Span = text.parse().map_err(|_| wrong())?;
    let seconds = span.total((Unit::Second, SpanRelativeTo::days_are_24_hours())).map_err(|_| wrong())?;
    Duration::try_from_secs_f64(seconds).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_with_their_units() {
        for (text, seconds) in [("7d", 604_800), ("12h 30m", 45_000), ("90s", 90), ("0s", 0), ("1w", 604_800)]
        {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "7", "-1h", "soon"] {
            assert_eq!(duration(text), Err(format!("{text:?} is no duration; write it as 7d, 12h or 30m")));
        }
    }
}
