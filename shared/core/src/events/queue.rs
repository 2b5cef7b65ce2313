//! A batch of messages from SQS, and the answer to it.

use aws_lambda_events::sqs::SqsMessage;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::EventError;

/// One message of a queue.
///
/// Source: <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html>
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueMessage {
    /// Its id, by which it is handed back.
    pub message_id: String,
    /// What was sent; or why this message can't be read.
    pub body: Result<String, String>,
}

impl QueueMessage {
    /// The messages of a batch; `None` where the event is no batch of SQS.
    ///
    /// A record is read by itself, where `SqsEvent` reads all or none: one that can't be read must not keep
    /// those beside it from being handled. Errs where a record has no id: it could not be handed back.
    pub fn batch(event: &Value) -> Result<Option<Vec<QueueMessage>>, EventError> {
        let records = event.get("Records").and_then(Value::as_array);
        let source = |record: &Value| record.get("eventSource").and_then(Value::as_str) == Some("aws:sqs");
        match records {
            Some(records) if records.iter().any(source) => {
                records.iter().map(Self::of).collect::<Result<_, _>>().map(Some)
            }
            _ => Ok(None),
        }
    }

    fn of(record: &Value) -> Result<QueueMessage, EventError> {
        let message_id = record.get("messageId").and_then(Value::as_str);
        let message_id =
            message_id.ok_or_else(|| EventError::malformed("SQS batch", &"missing field `messageId`"))?;
        let body = match SqsMessage::deserialize(record) {
            Ok(message) => message.body.ok_or_else(|| "missing field `body`".to_owned()),
            Err(error) => Err(error.to_string()),
        };
        Ok(QueueMessage { message_id: message_id.to_owned(), body })
    }
}

/// Which messages of a batch are to be delivered again; the others are done.
///
/// Source: <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html>
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct BatchResponse(
    #[cfg_attr(feature = "schema", schemars(with = "AnswerToQueue"))]
    pub  aws_lambda_events::sqs::SqsBatchResponse,
);

/// The shape of the crate's answer, for its schema.
#[cfg(feature = "schema")]
#[derive(schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "stands for its schema alone")]
struct AnswerToQueue {
    /// None: the whole batch is done.
    batch_item_failures: Vec<BatchItemFailure>,
}

/// A message to be delivered again.
#[cfg(feature = "schema")]
#[derive(schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "stands for its schema alone")]
struct BatchItemFailure {
    /// The message's id.
    item_identifier: String,
}

impl BatchResponse {
    /// Hands a message back.
    pub fn fail(&mut self, message_id: impl Into<String>) {
        self.0.add_failure(message_id);
    }

    /// The ids of those that are handed back.
    pub fn failed(&self) -> impl Iterator<Item = &str> {
        self.0.batch_item_failures.iter().map(|failure| failure.item_identifier.as_str())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_a_batch_of_sqs_is_one() {
        let message = json!({"messageId": "1", "body": "{}", "eventSource": "aws:sqs", "attributes": {}});
        let batch = QueueMessage::batch(&json!({"Records": [message]})).unwrap();
        let expected = QueueMessage { message_id: "1".to_owned(), body: Ok("{}".to_owned()) };
        assert_eq!(batch, Some(vec![expected]));
        for other in
            [json!({}), json!(7), json!({"Records": []}), json!({"Records": [{"eventSource": "aws:s3"}]})]
        {
            assert_eq!(QueueMessage::batch(&other).unwrap(), None, "{other}");
        }
    }

    #[test]
    fn a_record_without_an_id_is_refused_by_the_name_of_the_field() {
        let event = json!({"Records": [{"body": "{}", "eventSource": "aws:sqs"}]});
        let error = QueueMessage::batch(&event).unwrap_err().to_string();
        assert_eq!(error, "malformed SQS batch: missing field `messageId`");
    }

    #[test]
    fn a_record_that_can_not_be_read_is_alone_in_that() {
        let good = json!({"messageId": "1", "body": "{}", "eventSource": "aws:sqs"});
        let bodiless = json!({"messageId": "2", "body": null, "eventSource": "aws:sqs"});
        let malformed = json!({"messageId": "3", "body": 7, "eventSource": "aws:sqs"});
        let event = json!({"Records": [good, bodiless, malformed]});
        assert!(serde_json::from_value::<aws_lambda_events::sqs::SqsEvent>(event.clone()).is_err());
        let batch = QueueMessage::batch(&event).unwrap().unwrap();
        let bodies: Vec<_> = batch.iter().map(|message| message.body.as_deref().ok()).collect();
        assert_eq!(bodies, [Some("{}"), None, None]);
        assert_eq!(batch[1].body, Err("missing field `body`".to_owned()));
    }

    #[test]
    fn the_answer_has_the_names_that_lambda_reads() {
        let mut response = BatchResponse::default();
        response.fail("7".to_owned());
        let text = serde_json::to_string(&response).unwrap();
        assert_eq!(text, r#"{"batchItemFailures":[{"itemIdentifier":"7"}]}"#);
    }
}
