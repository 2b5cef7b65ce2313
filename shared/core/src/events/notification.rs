//! Events that come through SNS: the event is the message inside.

use aws_lambda_events::sns::{SnsMessage, SnsRecord};
use serde::Deserialize;
use serde_json::Value;

use super::EventError;

const NOTIFICATION: &str = "SNS notification";

/// The event inside a notification, as Lambda gets it from a topic or as a queue behind one holds it; `None`
/// where the event is no notification.
pub(super) fn open(event: &Value) -> Result<Option<Value>, EventError> {
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let records = event.get("Records").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let message = match records {
        // Source: "Lambda invokes your function with one message", SNS developer guide.
        [record] if text(record, "EventSource").as_deref() == Some("aws:sns") => {
            SnsRecord::deserialize(record).map(|record| record.sns)
        }
        _ if text(event, "Type").as_deref() == Some("Notification") && event.get("TopicArn").is_some() => {
            SnsMessage::deserialize(event)
        }
        _ => return Ok(None),
    };
    let message = message.map_err(|error| EventError::malformed(NOTIFICATION, &error))?.message;
    serde_json::from_str(&message).map(Some).map_err(EventError::NotJson)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn notification(message: &str) -> Value {
        json!({
            "Type": "Notification", "MessageId": "m", "TopicArn": "arn:aws:sns:eu-west-1:123456789012:jobs",
            "Message": message, "Timestamp": "2026-01-11T23:36:40.000Z", "SignatureVersion": "1",
            "Signature": "s", "SigningCertURL": "https://example.com/c", "UnsubscribeURL": "https://example.com/u",
        })
    }

    #[test]
    fn the_event_inside_is_what_counts_on_either_road() {
        let by_queue = notification(r#"{"a": 1}"#);
        let by_topic = json!({"Records": [{
            "EventSource": "aws:sns", "EventVersion": "1.0", "EventSubscriptionArn": "arn", "Sns": by_queue,
        }]});
        for event in [by_queue, by_topic] {
            assert_eq!(open(&event).unwrap(), Some(json!({"a": 1})), "{event}");
        }
        for other in [json!({}), json!(7), json!({"Type": "Notification"}), json!({"Records": []})] {
            assert_eq!(open(&other).unwrap(), None, "{other}");
        }
    }

    #[test]
    fn a_notification_of_something_else_is_refused() {
        assert!(matches!(open(&notification("hello")), Err(EventError::NotJson(_))));
        let mut without = notification("{}");
        without.as_object_mut().unwrap().remove("Message");
        let error = open(&without).unwrap_err().to_string();
        assert_eq!(error, "malformed SNS notification: missing field `Message`");
    }
}
