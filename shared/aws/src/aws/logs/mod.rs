//! Amazon CloudWatch Logs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::config::Region;
use aws_sdk_cloudwatchlogs::error::ProvideErrorMetadata as _;
use aws_sdk_cloudwatchlogs::types::OutputLogEvent;

use super::error::{Effect, port_error};
use crate::domain::{LogStream, Timestamp};
use crate::ports::{Cursor, LogEvent, LogPage, LogSource, LogSourceError, PortError};

/// A [`LogSource`] that is CloudWatch Logs.
#[derive(Debug, Clone)]
pub struct CloudWatchLogSource {
    client: Client,
    /// Clients of the Regions that jobs name in `awslogs-region`.
    elsewhere: Arc<Mutex<BTreeMap<String, Client>>>,
}

impl CloudWatchLogSource {
    /// Over a client. `GetLogEvents` is throttled early (10 to 30 calls a second): the client's retries
    /// take most of that.
    pub fn new(client: Client) -> Self {
        Self { client, elsewhere: Arc::default() }
    }

    /// The client of the Region that a stream is in.
    fn client_of(&self, stream: &LogStream) -> Client {
        let Some(region) = &stream.region else { return self.client.clone() };
        let mut clients = self.elsewhere.lock().unwrap_or_else(PoisonError::into_inner);
        let client = clients.entry(region.clone()).or_insert_with(|| {
            let config = self.client.config().to_builder().region(Region::new(region.clone()));
            Client::from_conf(config.build())
        });
        client.clone()
    }
}

impl LogSource for CloudWatchLogSource {
    async fn log_events(&self, stream: &LogStream, page: Option<&Cursor>) -> Result<LogPage, LogSourceError> {
        const OPERATION: &str = "GetLogEvents";
        let call = self
            .client_of(stream)
            .get_log_events()
            .log_group_name(stream.group())
            .log_stream_name(&stream.name)
            .start_from_head(true)
            .set_next_token(page.map(|cursor| cursor.0.clone()));
        let answer = call.send().await.map_err(|error| {
            let service = error.as_service_error();
            match service {
                Some(missing) if missing.is_resource_not_found_exception() => {
                    missing_of(stream, missing.message())
                }
                // CloudWatch forgets a token after 24 hours.
                Some(invalid) if page.is_some() && invalid.is_invalid_parameter_exception() => {
                    LogSourceError::CursorInvalid(stream.name.clone())
                }
                _ => LogSourceError::Port(port_error(OPERATION, Effect::Idempotent, error)),
            }
        })?;
        let events = answer.events.unwrap_or_default().into_iter().map(log_event);
        let events = events.collect::<Option<_>>().ok_or_else(|| {
            PortError::permanent(OPERATION, format!("{:?} holds an event without a time", stream.name))
        })?;
        Ok(LogPage { events, next: next_page(page, answer.next_forward_token) })
    }
}

/// A token that comes back as it was sent is the end, and nothing else is: a page may be empty before.
/// Source: `GetLogEvents` API reference, `nextForwardToken`.
fn next_page(sent: Option<&Cursor>, answered: Option<String>) -> Option<Cursor> {
    answered.map(Cursor).filter(|next| Some(next) != sent)
}

/// AWS has one exception for both, and tells them apart in its message.
fn missing_of(stream: &LogStream, message: Option<&str>) -> LogSourceError {
    match message {
        Some(text) if text.to_ascii_lowercase().contains("log group does not exist") => {
            LogSourceError::GroupMissing(stream.group().to_owned())
        }
        _ => LogSourceError::StreamMissing(stream.name.clone()),
    }
}

fn log_event(event: OutputLogEvent) -> Option<LogEvent> {
    let timestamp = Timestamp::from_millis(event.timestamp?);
    Some(LogEvent {
        timestamp,
        ingestion_time: event.ingestion_time.map_or(timestamp, Timestamp::from_millis),
        message: event.message.unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_repeated_token_is_the_end() {
        let cursor = |text: &str| Cursor(text.to_owned());
        for (sent, answered, next) in [
            (None, Some("f/1"), Some(cursor("f/1"))),
            (Some(cursor("f/1")), Some("f/2"), Some(cursor("f/2"))),
            (Some(cursor("f/2")), Some("f/2"), None),
            (Some(cursor("f/2")), None, None),
            (None, None, None),
        ] {
            assert_eq!(next_page(sent.as_ref(), answered.map(str::to_owned)), next, "{sent:?} {answered:?}");
        }
    }

    #[test]
    fn a_missing_stream_is_told_from_a_missing_group() {
        let stream = LogStream { group: Some("g".into()), name: "s".into(), container: None, region: None };
        for (message, expected) in [
            (Some("The specified log group does not exist."), "log group \"g\" does not exist"),
            (Some("The specified log stream does not exist."), "log stream \"s\" does not exist"),
            (None, "log stream \"s\" does not exist"),
        ] {
            assert_eq!(missing_of(&stream, message).to_string(), expected);
        }
    }
}
