//! What a message of a dead-letter queue says: when it came, why it lies there, and whose call it holds.

use std::collections::HashMap;

use aws_sdk_sqs::types::{Message, MessageAttributeValue, MessageSystemAttributeName};
use serde::Serialize;
use serde_json::Value;

/// A message as people see it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeadLetter {
    pub(crate) message_id: String,
    /// In milliseconds since 1970.
    pub(crate) sent_at: Option<i64>,
    /// Why it lies here, where that is written on it.
    pub(crate) why: Option<String>,
    pub(crate) body: String,
}

/// When it came into the queue, in milliseconds since 1970.
pub(super) fn sent_at(message: &Message) -> Option<i64> {
    message.attributes.as_ref()?.get(&MessageSystemAttributeName::SentTimestamp)?.parse().ok()
}

/// What a person sees of it.
pub(super) fn read(message: Message) -> DeadLetter {
    let sent_at = sent_at(&message);
    let body = message.body.unwrap_or_default();
    DeadLetter {
        message_id: message.message_id.unwrap_or_default(),
        sent_at,
        why: why(&message.message_attributes.unwrap_or_default(), &body),
        body,
    }
}

/// Why a message lies here: EventBridge says so in its attributes, a function's destination in its body. What a
/// queue moved says nothing.
///
/// Source: Amazon EventBridge User Guide, "Using dead-letter queues"; AWS Lambda Developer Guide, "Capturing records of
/// Lambda asynchronous invocations".
fn why(attributes: &HashMap<String, MessageAttributeValue>, body: &str) -> Option<String> {
    let attribute = |name: &str| attributes.get(name)?.string_value().map(ToOwned::to_owned);
    if let Some(message) = attribute("ERROR_MESSAGE").or_else(|| attribute("ERROR_CODE")) {
        return Some(message);
    }
    let record = destination_record(body)?;
    let condition = record["requestContext"]["condition"].as_str()?.to_owned();
    Some(match record["responsePayload"]["errorMessage"].as_str() {
        Some(message) => format!("{condition}: {message}"),
        None => condition,
    })
}

/// The call that a message holds: a function's destination wraps it, EventBridge does not.
pub(super) fn payload(body: &str) -> String {
    destination_record(body).map_or_else(|| body.to_owned(), |record| record["requestPayload"].to_string())
}

/// What Lambda writes about an asynchronous call that failed.
fn destination_record(body: &str) -> Option<Value> {
    let record: Value = serde_json::from_str(body).ok()?;
    let is_record =
        record.get("requestPayload").is_some() && record["requestContext"]["condition"].is_string();
    is_record.then_some(record)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As in AWS Lambda's documentation of destinations, shortened.
    const RECORD: &str = r#"{"version": "1.0", "timestamp": "2019-11-14T18:16:05.568Z",
        "requestContext": {"requestId": "e4b46cbf", "functionArn": "arn:aws:lambda:eu-west-1:123456789012:function:f:$LATEST",
            "condition": "RetriesExhausted", "approximateInvokeCount": 3},
        "requestPayload": {"continue": {"runId": "run-1"}},
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "responsePayload": {"errorMessage": "RequestId: e4b46cbf Process exited before completing request"}}"#;

    #[test]
    fn the_call_is_taken_out_of_a_destinations_record_and_an_event_is_one() {
        let event = r#"{"source": "aws.s3", "detail": {"object": {"size": 1e400}}}"#;
        for (body, expected) in [
            (RECORD, r#"{"continue":{"runId":"run-1"}}"#),
            (event, event),
            (r#"{"requestPayload": 7}"#, r#"{"requestPayload": 7}"#),
            ("not JSON", "not JSON"),
        ] {
            assert_eq!(payload(body), expected);
        }
    }

    #[test]
    fn a_message_says_why_it_lies_there_where_it_knows() {
        let of = |name: &str, value: &str| {
            let value = MessageAttributeValue::builder().data_type("String").string_value(value).build();
            HashMap::from([(name.to_owned(), value.unwrap())])
        };
        let exhausted = "RetriesExhausted: RequestId: e4b46cbf Process exited before completing request";
        for (attributes, body, expected) in [
            (of("ERROR_MESSAGE", "no permission"), "{}", Some("no permission")),
            (of("ERROR_CODE", "NO_PERMISSIONS"), "{}", Some("NO_PERMISSIONS")),
            (HashMap::new(), RECORD, Some(exhausted)),
            (HashMap::new(), "{}", None),
        ] {
            assert_eq!(why(&attributes, body).as_deref(), expected);
        }
    }
}
