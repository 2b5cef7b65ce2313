//! `FilterLogEvents`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::files;
use super::get_events::page;
use super::merge::{Key, Search};
use super::pattern::Pattern;
use super::{Logs, blocking, failed, group_of, invalid};
use crate::engine::LogDirectory;
use crate::ports::LogEvent;
use crate::wire::fault::{Fault, members};
use crate::wire::resources::Resources;

/// Streams in one call. Source: the API reference of `FilterLogEvents`.
const STREAMS_MAX: usize = 100;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FilterLogEvents {
    log_group_name: Option<String>,
    log_group_identifier: Option<String>,
    log_stream_names: Option<Vec<String>>,
    log_stream_name_prefix: Option<String>,
    start_time: Option<i64>,
    end_time: Option<i64>,
    #[serde(default)]
    filter_pattern: String,
    next_token: Option<String>,
    limit: Option<usize>,
}

impl Logs {
    pub(super) async fn filter_log_events(&self, body: Value) -> Result<Value, Fault> {
        let request: FilterLogEvents = members(body).map_err(invalid)?;
        let limit = page(request.limit)?;
        let pattern = Pattern::parse(&request.filter_pattern).map_err(invalid)?;
        let after = match &request.next_token {
            Some(text) => {
                Some(Key::parse(text).ok_or_else(|| invalid("The specified nextToken is invalid."))?)
            }
            None => None,
        };
        let directory = self.directory.clone();
        let resources = self.shelf.lock().await.clone();
        blocking(move || {
            let streams = request.streams(&directory, &resources)?;
            let search = Search {
                streams: &streams,
                after,
                start: request.start_time,
                end: request.end_time,
                limit,
                wanted: |event: &LogEvent| pattern.matches(&event.message),
            };
            let found = search.run(&directory).map_err(failed)?;
            let events: Vec<Value> = found.events.iter().map(|(key, event)| entry(key, event)).collect();
            let mut answer = json!({"events": events, "searchedLogStreams": []});
            if let Some(next) = found.next {
                answer["nextToken"] = next.text().into();
            }
            Ok(answer)
        })
        .await
    }
}

impl FilterLogEvents {
    /// The names of the streams to look into, in order. Those that are named must be there.
    fn streams(&self, directory: &LogDirectory, resources: &Resources) -> Result<Vec<String>, Fault> {
        let (name, identifier) = (self.log_group_name.as_deref(), self.log_group_identifier.as_deref());
        let group = group_of(resources, name, identifier)?;
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
                let prefix = prefix.as_deref().unwrap_or_default();
                let mut names = files::streams(directory, prefix).map_err(failed)?;
                names.retain(|name| resources.is_in_group(name, group));
                Ok(names)
            }
        }
    }
}

fn entry(key: &Key, event: &LogEvent) -> Value {
    let id = crate::domain::ids::hex_digest(&[&key.stream, &key.offset.to_string()]);
    json!({
        "logStreamName": key.stream,
        "timestamp": event.timestamp,
        "message": event.message,
        "ingestionTime": event.ingestion_time,
        "eventId": id[..56],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_that_are_named_must_be_there() {
        let folder = tempfile::tempdir().unwrap();
        let directory = LogDirectory::new(folder.path());
        for name in ["a/default/1", "a/default/2", "b/default/1"] {
            let path = directory.path(name).unwrap();
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let streams = |mut value: Value| {
            value["logGroupName"] = "/aws/batch/job".into();
            let request: FilterLogEvents = serde_json::from_value(value).unwrap();
            request.streams(&directory, &Resources::default())
        };
        let named = json!({"logStreamNames": ["b/default/1", "a/default/1", "a/default/1"]});
        assert_eq!(streams(named).unwrap(), ["a/default/1", "b/default/1"]);
        assert_eq!(streams(json!({"logStreamNamePrefix": "a/"})).unwrap().len(), 2);
        assert!(streams(json!({"logStreamNames": ["x"]})).is_err());
        assert!(streams(json!({"logStreamNames": vec!["x"; 101]})).is_err());
        assert!(streams(json!({"logStreamNames": ["a/default/1"], "logStreamNamePrefix": "a"})).is_err());
    }
}
