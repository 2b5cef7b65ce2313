//! Tells the events apart.

use aws_lambda_events::eventbridge::EventBridgeEvent;
use serde_json::Value;

use super::envelope::envelope;
use super::s3_notification::{self, S3Object};
use super::{EventError, JobStateChange, QueueBlocked, notification};

/// An event that is read.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A job's status has changed.
    JobStateChange(Box<JobStateChange>),
    /// The status of a job has changed that another program submitted. It can't be read, and need not be.
    StrangersJob,
    /// The first job of a queue can't be placed.
    QueueBlocked(QueueBlocked),
    /// What happened to objects, in the order of the message.
    S3Objects(Vec<S3Object>),
    /// S3 tries out a new notification configuration: nothing has happened.
    S3Test {
        /// The bucket that was configured.
        bucket: String,
    },
}

impl Event {
    /// Reads one event.
    ///
    /// Errs where it is of a kind that is not read here, naming that kind, and where it is malformed.
    pub fn parse(bytes: &[u8]) -> Result<Event, EventError> {
        Self::from_value(serde_json::from_slice(bytes).map_err(EventError::NotJson)?)
    }

    /// Reads one event that has been parsed already. A notification of SNS is opened: what counts is the
    /// event inside. Errs as [`Event::parse`] does.
    pub fn from_value(event: Value) -> Result<Event, EventError> {
        match notification::open(&event)? {
            Some(inside) => Self::plain(inside),
            None => Self::plain(event),
        }
    }

    fn plain(event: Value) -> Result<Event, EventError> {
        let text = |key: &str| event.get(key).and_then(Value::as_str).unwrap_or_default();
        if event.get("Records").is_some() {
            return s3_notification::from_records(event).map(Event::S3Objects);
        }
        if text("Event") == s3_notification::TEST_EVENT {
            return Ok(Event::S3Test { bucket: text("Bucket").to_owned() });
        }
        if text("source").is_empty() && text("detail-type").is_empty() {
            return Err(EventError::Unknown(describe(&event)));
        }
        Self::bridged(envelope(event)?)
    }

    fn bridged(event: EventBridgeEvent) -> Result<Event, EventError> {
        match (event.source.as_str(), event.detail_type.as_str()) {
            (JobStateChange::SOURCE, JobStateChange::DETAIL_TYPE) => {
                let strangers = JobStateChange::is_a_strangers(&event.detail);
                match JobStateChange::from_envelope(event) {
                    Ok(change) => Ok(Event::JobStateChange(Box::new(change))),
                    Err(_) if strangers => Ok(Event::StrangersJob),
                    Err(error) => Err(error),
                }
            }
            (QueueBlocked::SOURCE, detail_type) if QueueBlocked::is_detail_type(detail_type) => {
                QueueBlocked::from_envelope(event).map(Event::QueueBlocked)
            }
            (s3_notification::SOURCE, _) => {
                s3_notification::from_event_bridge(event).map(|object| Event::S3Objects(vec![object]))
            }
            (source, detail_type) => Err(EventError::unknown(source, detail_type)),
        }
    }
}

/// What a message is that has no envelope.
fn describe(event: &Value) -> String {
    const SHOWN: usize = 8;
    match event {
        Value::Object(members) if members.is_empty() => "an empty object".to_owned(),
        Value::Object(members) => {
            let keys: Vec<&str> = members.keys().take(SHOWN).map(String::as_str).collect();
            format!("an object with the fields {}", keys.join(", "))
        }
        Value::Array(_) => "a list".to_owned(),
        Value::String(_) => "a string".to_owned(),
        Value::Number(_) => "a number".to_owned(),
        Value::Bool(_) => "a boolean".to_owned(),
        Value::Null => "null".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_is_refused_by_name() {
        for (text, expected) in [
            ("{", "the event is not JSON: EOF while parsing an object at line 1 column 1"),
            ("7", "not an event that is read here: a number"),
            ("{}", "not an event that is read here: an empty object"),
            (r#"{"a": 1, "b": 2}"#, "not an event that is read here: an object with the fields a, b"),
            (
                r#"{"source": "aws.ecs", "detail-type": "ECS Task State Change", "detail": {}}"#,
                "not an event that is read here: source \"aws.ecs\" with detail-type \"ECS Task State Change\"",
            ),
            (
                r#"{"source": "aws.s3", "detail-type": "Object Created"}"#,
                "malformed EventBridge event: missing field `detail`",
            ),
            (
                r#"{"source": "aws.batch", "detail-type": "Batch Job State Change", "detail": {"jobName": "a"}}"#,
                "malformed Batch Job State Change: missing field `jobId`",
            ),
            (
                r#"{"source": "aws.batch", "detail-type": "Batch Job Queue Blocked", "detail": 1}"#,
                "malformed Batch Job Queue Blocked: invalid type: integer `1`, expected struct Detail",
            ),
            (
                r#"{"Records": [{"eventSource": "aws:sqs"}]}"#,
                "not an event that is read here: a record of \"aws:sqs\"",
            ),
            (r#"{"Records": 1}"#, "malformed S3 notification: Records is not a list"),
            (
                r#"{"Records": [{"eventSource": "aws:s3", "s3": {"object": {"key": "a"}}}]}"#,
                "malformed S3 notification: missing field `bucket`",
            ),
            (
                r#"{"Records": [{"eventSource": "aws:s3", "s3": {"bucket": {"name": "b"}, "object": {"key": "a%2"}}}]}"#,
                "malformed S3 notification: the key \"a%2\" has a % that two hexadecimal digits don't follow",
            ),
            (
                r#"{"Records": [{"eventSource": "aws:s3", "s3": {"bucket": {"name": "b"}, "object": {"key": "%FF"}}}]}"#,
                "malformed S3 notification: the key \"%FF\" is not UTF-8 once decoded",
            ),
        ] {
            assert_eq!(Event::parse(text.as_bytes()).unwrap_err().to_string(), expected, "{text}");
        }
    }
}
