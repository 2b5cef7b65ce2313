//! `DescribeLogGroups`, `DescribeLogStreams`.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Value, json};

use super::files::{self, Span};
use super::{Logs, blocking, failed, group_of, invalid};
use crate::domain::LogStream;
use crate::engine::LogDirectory;
use crate::engine::arn::{ACCOUNT, REGION};
use crate::wire::fault::{Fault, members};
use crate::wire::resources::Resources;

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

/// Those of the groups that are meant, by name.
fn log_groups<'a>(request: &DescribeLogGroups, known: impl Iterator<Item = &'a str>) -> Value {
    let pattern = request.log_group_name_pattern.to_lowercase();
    let is_meant = |group: &&str| {
        group.starts_with(&request.log_group_name_prefix) && group.to_lowercase().contains(&pattern)
    };
    let groups: BTreeSet<&str> = known.filter(is_meant).collect();
    let described = groups.into_iter().map(|group| {
        json!({
            "logGroupName": group, "arn": format!("{}:*", group_arn(group)), "logGroupArn": group_arn(group),
            "creationTime": 0, "metricFilterCount": 0, "storedBytes": 0,
        })
    });
    json!({"logGroups": described.collect::<Vec<_>>()})
}

impl Logs {
    pub(super) async fn describe_log_groups(&self, body: Value) -> Result<Value, Fault> {
        let request: DescribeLogGroups = members(body).map_err(invalid)?;
        let held = self.shelf.lock().await;
        Ok(log_groups(&request, std::iter::once(LogStream::DEFAULT_GROUP).chain(held.log_groups())))
    }

    pub(super) async fn describe_log_streams(&self, body: Value) -> Result<Value, Fault> {
        let request: DescribeLogStreams = members(body).map_err(invalid)?;
        let resources = self.shelf.lock().await.clone();
        let directory = self.directory.clone();
        blocking(move || request.answer(&directory, &resources)).await
    }
}

impl DescribeLogStreams {
    fn answer(&self, directory: &LogDirectory, resources: &Resources) -> Result<Value, Fault> {
        let (name, identifier) = (self.log_group_name.as_deref(), self.log_group_identifier.as_deref());
        let group = group_of(resources, name, identifier)?;
        let limit = self.limit.unwrap_or(PAGE_MAX);
        if !(1..=PAGE_MAX).contains(&limit) {
            return Err(invalid(format!("limit: {limit} is not from 1 to {PAGE_MAX}")));
        }
        let start: usize = match &self.next_token {
            None => 0,
            Some(text) => text.parse().map_err(|_| invalid("The specified nextToken is invalid."))?,
        };
        let mut names = files::streams(directory, &self.log_stream_name_prefix).map_err(failed)?;
        names.retain(|name| resources.is_in_group(name, group));
        let mut streams = self.spans(directory, names)?;
        if self.descending {
            streams.reverse();
        }
        let page = streams.iter().skip(start).take(limit);
        let described: Vec<Value> =
            page.map(|(name, span)| description(directory, group, name, *span)).collect();
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

fn description(directory: &LogDirectory, group: &str, name: &str, span: Option<Span>) -> Value {
    let mut described = json!({
        "logStreamName": name, "arn": format!("{}:log-stream:{name}", group_arn(group)), "storedBytes": 0,
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

fn group_arn(group: &str) -> String {
    format!("arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(mut value: Value) -> DescribeLogStreams {
        value["logGroupName"] = LogStream::DEFAULT_GROUP.into();
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
            let answer = request(value).answer(&directory, &Resources::default()).unwrap();
            let streams = answer["logStreams"].as_array().unwrap();
            streams.iter().map(|stream| stream["logStreamName"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(names(json!({"limit": 2})), ["a/default/1", "a/default/2"]);
        assert_eq!(names(json!({"nextToken": "2"})), ["b/default/1"]);
        assert_eq!(names(json!({"logStreamNamePrefix": "b"})), ["b/default/1"]);
        let by_time = json!({"orderBy": "LastEventTime", "descending": true});
        assert_eq!(names(by_time), ["a/default/1", "b/default/1", "a/default/2"]);
        let answer = request(json!({"limit": 2})).answer(&directory, &Resources::default()).unwrap();
        assert_eq!(answer["nextToken"], "2");
    }

    #[test]
    fn groups_are_listed_where_they_are_meant() {
        let names = |request: Value| -> Vec<String> {
            let request = serde_json::from_value(request).unwrap();
            let known = [LogStream::DEFAULT_GROUP, "/my/group", "/my/group"];
            let answer = log_groups(&request, known.into_iter());
            let groups = answer["logGroups"].as_array().unwrap();
            groups.iter().map(|group| group["logGroupName"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(names(json!({})), [LogStream::DEFAULT_GROUP, "/my/group"]);
        assert_eq!(names(json!({"logGroupNamePrefix": "/aws/batch"})), [LogStream::DEFAULT_GROUP]);
        assert_eq!(names(json!({"logGroupNamePrefix": "/other"})), [""; 0]);
        assert_eq!(names(json!({"logGroupNamePattern": "BATCH"})), [LogStream::DEFAULT_GROUP]);
    }
}
