//! `DescribeLogGroups`, `DescribeLogStreams`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::files::{self, Span};
use super::{Logs, blocking, check_group, failed, invalid};
use crate::domain::LogStream;
use crate::engine::LogDirectory;
use crate::engine::arn::{ACCOUNT, REGION};
use crate::wire::fault::{Fault, members};

/// Streams on a page. Source: the API reference of `DescribeLogStreams`.
const PAGE_MAX: usize = 50;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct DescribeLogGroups {
    log_group_name_prefix: String,
    log_group_name_pattern: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct DescribeLogStreams {
    log_group_name: Option<String>,
    log_group_identifier: Option<String>,
    log_stream_name_prefix: String,
    order_by: Option<String>,
    descending: bool,
    next_token: Option<String>,
    limit: Option<usize>,
}

/// The one group, unless another is meant.
pub(super) fn describe_log_groups(body: Value) -> Result<Value, Fault> {
    let request: DescribeLogGroups = members(body).map_err(invalid)?;
    let group = LogStream::DEFAULT_GROUP;
    let is_meant = group.starts_with(&request.log_group_name_prefix)
        && group.to_lowercase().contains(&request.log_group_name_pattern.to_lowercase());
    let described = json!({
        "logGroupName": group, "arn": format!("{}:*", group_arn()), "logGroupArn": group_arn(),
        "creationTime": 0, "metricFilterCount": 0, "storedBytes": 0,
    });
    Ok(json!({"logGroups": if is_meant { vec![described] } else { Vec::new() }}))
}

impl Logs {
    pub(super) async fn describe_log_streams(&self, body: Value) -> Result<Value, Fault> {
        let request: DescribeLogStreams = members(body).map_err(invalid)?;
        check_group(request.log_group_name.as_deref(), request.log_group_identifier.as_deref())?;
        let directory = self.directory.clone();
        blocking(move || request.answer(&directory)).await
    }
}

impl DescribeLogStreams {
    fn answer(&self, directory: &LogDirectory) -> Result<Value, Fault> {
        let limit = self.limit.unwrap_or(PAGE_MAX);
        if !(1..=PAGE_MAX).contains(&limit) {
            return Err(invalid(format!("limit: {limit} is not from 1 to {PAGE_MAX}")));
        }
        let start: usize = match &self.next_token {
            None => 0,
            Some(text) => text.parse().map_err(|_| invalid("The specified nextToken is invalid."))?,
        };
        let names = files::streams(directory, &self.log_stream_name_prefix).map_err(failed)?;
        let mut streams = self.spans(directory, names)?;
        if self.descending {
            streams.reverse();
        }
        let page = streams.iter().skip(start).take(limit);
        let described: Vec<Value> = page.map(|(name, span)| description(directory, name, *span)).collect();
        let mut answer = json!({"logStreams": described});
        let next = start.saturating_add(limit);
        if next < streams.len() {
            answer["nextToken"] = next.to_string().into();
        }
        Ok(answer)
    }

    /// The streams in the order that is asked for; their times where the order is by these.
    fn spans(
        &self,
        directory: &LogDirectory,
        names: Vec<String>,
    ) -> Result<Vec<(String, Option<Span>)>, Fault> {
        match self.order_by.as_deref() {
            None | Some("LogStreamName") => Ok(names.into_iter().map(|name| (name, None)).collect()),
            Some("LastEventTime") if !self.log_stream_name_prefix.is_empty() => {
                Err(invalid("logStreamNamePrefix can't be combined with orderBy LastEventTime"))
            }
            Some("LastEventTime") => {
                let with_span = |name: String| Ok((files::span(directory, &name)?, name));
                let spans = names.into_iter().map(with_span).collect::<std::io::Result<Vec<_>>>();
                let mut spans = spans.map_err(failed)?;
                spans.sort_by_key(|(span, _)| span.map_or(0, |span| span.last));
                Ok(spans.into_iter().map(|(span, name)| (name, span)).collect())
            }
            Some(other) => {
                Err(invalid(format!("orderBy: {other:?} is neither LogStreamName nor LastEventTime")))
            }
        }
    }
}

fn description(directory: &LogDirectory, name: &str, span: Option<Span>) -> Value {
    let mut described = json!({
        "logStreamName": name, "arn": format!("{}:log-stream:{name}", group_arn()), "storedBytes": 0,
    });
    // A stream that was removed a moment ago has no times.
    let span = span.or_else(|| files::span(directory, name).ok().flatten());
    if let Some(span) = span {
        described["creationTime"] = span.created.into();
        described["firstEventTimestamp"] = span.first.into();
        described["lastEventTimestamp"] = span.last.into();
        described["lastIngestionTime"] = span.last.into();
    }
    described
}

fn group_arn() -> String {
    format!("arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{}", LogStream::DEFAULT_GROUP)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(value: Value) -> DescribeLogStreams {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn streams_come_in_pages_by_name_or_time() {
        let folder = tempfile::tempdir().unwrap();
        let directory = LogDirectory::new(folder.path());
        for (name, time) in [("a/default/1", 30), ("a/default/2", 10), ("b/default/1", 20)] {
            let path = directory.path(name).unwrap();
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            let line = format!("{{\"timestamp\":{time},\"ingestionTime\":{time},\"message\":\"\"}}\n");
            std::fs::write(path, line).unwrap();
        }
        let names = |value: Value| -> Vec<String> {
            let answer = request(value).answer(&directory).unwrap();
            let streams = answer["logStreams"].as_array().unwrap();
            streams.iter().map(|stream| stream["logStreamName"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(names(json!({"limit": 2})), ["a/default/1", "a/default/2"]);
        assert_eq!(names(json!({"nextToken": "2"})), ["b/default/1"]);
        assert_eq!(names(json!({"logStreamNamePrefix": "b"})), ["b/default/1"]);
        let by_time = json!({"orderBy": "LastEventTime", "descending": true});
        assert_eq!(names(by_time), ["a/default/1", "b/default/1", "a/default/2"]);
        assert_eq!(request(json!({"limit": 2})).answer(&directory).unwrap()["nextToken"], "2");
    }

    #[test]
    fn the_one_group_is_listed_where_it_is_meant() {
        let count = |body| describe_log_groups(body).unwrap()["logGroups"].as_array().unwrap().len();
        assert_eq!(count(json!({})), 1);
        assert_eq!(count(json!({"logGroupNamePrefix": "/aws/batch"})), 1);
        assert_eq!(count(json!({"logGroupNamePrefix": "/other"})), 0);
        assert_eq!(count(json!({"logGroupNamePattern": "BATCH"})), 1);
    }
}
