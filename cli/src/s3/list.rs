//! `list`.

use std::io::{self, BufWriter, Write as _};

use anyhow::Context;
use batchwright::aws::S3Buckets;
use batchwright::domain::s3_uri::Pattern;
use batchwright::domain::{S3Prefix, Timestamp};
use batchwright::objects::{self, FailureCode, Filter, list_all};
use serde_json::json;

use super::args::ListArgs;
use crate::args::Output;
use crate::exit::{Exit, Failure};
use crate::output::human;
use crate::output::records::Records;
use crate::output::text::harmless;

pub(crate) async fn list(buckets: &S3Buckets, args: &ListArgs) -> Result<Exit, Failure> {
    let place = S3Prefix::parse(&args.uri).map_err(|error| Failure::Usage(error.to_string()))?;
    let filter = filter(args)?;
    let mut records = Records::new(BufWriter::new(io::stdout()), args.shown.output, "objects");
    let mut broken = None;
    let listing = list_all(buckets, &place, &filter, args.concurrency.into(), async |info| {
        let printed = if args.shown.output == Output::Table {
            let (size, moment) = (info.size_bytes.unwrap_or(0), info.last_modified.unwrap_or_default());
            writeln!(records.out(), "{size:>14}  {moment:20}  {}", harmless(&info.uri))
        } else {
            records.push(&info)
        };
        printed.map_err(|error| {
            let failure = objects::Failure::new(FailureCode::Refused, format!("stdout: {error}"));
            broken = Some(error);
            failure
        })
    });
    let listed = listing.await;
    if let Some(error) = broken {
        return Err(Failure::Broken(anyhow::Error::new(error).context("stdout")));
    }
    let listed = listed.map_err(|failure| Failure::Broken(failure.into()))?;
    // Not as the function names them: `objects` is the list here.
    let counts = json!({"count": listed.objects, "bytes": listed.bytes, "lookedAt": listed.looked_at});
    records.finish(counts.as_object().unwrap_or(&serde_json::Map::new())).context("stdout")?;
    if args.shown.output == Output::Table {
        eprintln!("{}, {} bytes", human::count(listed.objects, "object"), listed.bytes);
    }
    Ok(Exit::Well)
}

fn filter(args: &ListArgs) -> Result<Filter, Failure> {
    let moment = |option: &str, text: &Option<String>| match text {
        None => Ok(None),
        Some(text) => Timestamp::parse_rfc3339(text).map(Some).ok_or_else(|| {
            Failure::Usage(format!("{option}: {text:?} is no moment; write it as 2026-11-23T02:24:51Z"))
        }),
    };
    let pattern = args.glob.as_deref().map(Pattern::parse).transpose();
    Ok(Filter {
        pattern: pattern.map_err(|error| Failure::Usage(error.to_string()))?,
        min_bytes: args.min_bytes,
        max_bytes: args.max_bytes,
        modified_since: moment("--modified-since", &args.modified_since)?,
        modified_before: moment("--modified-before", &args.modified_before)?,
    })
}
