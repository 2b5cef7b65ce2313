//! `FilterLogEvents`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::files;
use super::get_events::{Between, page};
use super::pattern::Pattern;
use super::{Logs, blocking, check_group, failed, invalid};
use crate::engine::LogDirectory;
use crate::ports::LogEvent;
use crate::wire::fault::{Fault, members};

/// Streams in one call. Source: the API reference of `FilterLogEvents`.
const STREAMS_MAX: usize = 100;

/// Streams that are looked into for one page, which may then be short or empty.
const STREAMS_A_PAGE: usize = 500;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FilterLogEvents {
    log_group_name: Option<String>,
    log_group_identifier: Option<String>,
    log_stream_names: Option<Vec<String>>,
    log_stream_name_prefix: Option<String>,
    #[serde(flatten)]
    between: Between,
    #[serde(default)]
    filter_pattern: String,
    next_token: Option<String>,
    limit: Option<usize>,
}

/// A place in the streams: of this one, from this byte on.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    stream: String,
    offset: u64,
}

impl Place {
    fn text(&self) -> String {
        format!("{}/{}", self.offset, self.stream)
    }

    fn parse(text: &str) -> Option<Self> {
        let (offset, stream) = text.split_once('/')?;
        Some(Self { stream: stream.to_owned(), offset: offset.parse().ok()? })
    }
}

impl Logs {
    pub(super) async fn filter_log_events(&self, body: Value) -> Result<Value, Fault> {
        let request: FilterLogEvents = members(body).map_err(invalid)?;
        check_group(request.log_group_name.as_deref(), request.log_group_identifier.as_deref())?;
        let limit = page(request.limit)?;
        let pattern = Pattern::parse(&request.filter_pattern).map_err(invalid)?;
        let from = match &request.next_token {
            Some(text) => {
                Some(Place::parse(text).ok_or_else(|| invalid("The specified nextToken is invalid."))?)
            }
            None => None,
        };
        let directory = self.directory.clone();
        let between = request.between;
        blocking(move || {
            let streams = request.streams(&directory)?;
            let wanted = |event: &LogEvent| between.holds(event) && pattern.matches(&event.message);
            let (events, next) = search(&directory, &streams, from, limit, wanted)?;
            let mut answer = json!({"events": events, "searchedLogStreams": []});
            if let Some(next) = next {
                answer["nextToken"] = next.text().into();
            }
            Ok(answer)
        })
        .await
    }
}

impl FilterLogEvents {
    /// The names of the streams to look into, in order. Those that are named must be there.
    fn streams(&self, directory: &LogDirectory) -> Result<Vec<String>, Fault> {
        match (&self.log_stream_names, &self.log_stream_name_prefix) {
            (Some(_), Some(_)) => Err(invalid("give one of logStreamNames and logStreamNamePrefix")),
            (Some(names), None) if names.len() > STREAMS_MAX => {
                let count = names.len();
                Err(invalid(format!("logStreamNames has {count} entries, at most {STREAMS_MAX} are allowed")))
            }
            (Some(names), None) => {
                let mut names = names.clone();
                names.sort_unstable();
                names.dedup();
                for name in &names {
                    files::open(directory, name).map_err(failed)?;
                }
                Ok(names)
            }
            (None, prefix) => {
                files::streams(directory, prefix.as_deref().unwrap_or_default()).map_err(failed)
            }
        }
    }
}

/// One stream after another until the page is full; where to go on, unless that was all.
fn search(
    directory: &LogDirectory,
    streams: &[String],
    from: Option<Place>,
    limit: usize,
    wanted: impl Fn(&LogEvent) -> bool,
) -> Result<(Vec<Value>, Option<Place>), Fault> {
    let mut found = Vec::new();
    let from = from.unwrap_or(Place { stream: String::new(), offset: 0 });
    let left: Vec<&String> = streams.iter().filter(|name| **name >= from.stream).collect();
    for (index, name) in left.into_iter().enumerate() {
        let offset = if *name == from.stream { from.offset } else { 0 };
        if found.len() == limit || index == STREAMS_A_PAGE {
            return Ok((found, Some(Place { stream: name.clone(), offset })));
        }
        let file = files::open(directory, name).map_err(failed)?;
        let slice = files::forward(file, offset, limit - found.len(), &wanted).map_err(failed)?;
        found.extend(slice.events.into_iter().map(|(place, event)| entry(name, place, &event)));
        if !slice.exhausted {
            return Ok((found, Some(Place { stream: name.clone(), offset: slice.end })));
        }
    }
    Ok((found, None))
}

fn entry(stream: &str, place: u64, event: &LogEvent) -> Value {
    let id = crate::domain::ids::hex_digest(&[stream, &place.to_string()]);
    json!({
        "logStreamName": stream,
        "timestamp": event.timestamp,
        "message": event.message,
        "ingestionTime": event.ingestion_time,
        "eventId": id[..56],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory() -> (tempfile::TempDir, LogDirectory, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        let directory = LogDirectory::new(folder.path());
        let names: Vec<String> = ["a/default/1", "a/default/2", "b/default/1"].map(str::to_owned).into();
        for name in &names {
            let path = directory.path(name).unwrap();
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            let line =
                |n| format!("{{\"timestamp\":{n},\"ingestionTime\":{n},\"message\":\"{name} {n}\"}}\n");
            std::fs::write(path, (1..=3).map(line).collect::<String>()).unwrap();
        }
        (folder, directory, names)
    }

    #[test]
    fn every_page_size_gives_every_event_once() {
        let (_folder, directory, names) = directory();
        for limit in 1..=10 {
            let (mut messages, mut from) = (Vec::new(), None);
            loop {
                let (found, next) = search(&directory, &names, from, limit, |_| true).unwrap();
                assert!(found.len() <= limit);
                messages.extend(found.into_iter().map(|event| event["message"].to_string()));
                if next.is_none() {
                    break;
                }
                from = next.map(|place| Place::parse(&place.text()).unwrap());
            }
            assert_eq!(messages.len(), 9, "{limit}");
            messages.dedup();
            assert_eq!(messages.len(), 9, "{limit}");
        }
    }

    #[test]
    fn streams_that_are_named_must_be_there() {
        let (_folder, directory, _) = directory();
        let request = |value: Value| serde_json::from_value::<FilterLogEvents>(value).unwrap();
        let named = request(json!({"logStreamNames": ["b/default/1", "a/default/1", "a/default/1"]}));
        assert_eq!(named.streams(&directory).unwrap(), ["a/default/1", "b/default/1"]);
        let prefix = request(json!({"logStreamNamePrefix": "a/"}));
        assert_eq!(prefix.streams(&directory).unwrap().len(), 2);
        assert!(request(json!({"logStreamNames": ["x"]})).streams(&directory).is_err());
        assert!(request(json!({"logStreamNames": vec!["x"; 101]})).streams(&directory).is_err());
    }
}
