//! A batch of messages from SQS, and the answer to it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::EventError;

/// One message of a queue.
///
/// Source: <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html>
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QueueMessage {
    /// Its id, by which it is handed back.
    pub message_id: String,
    /// What was sent.
    pub body: String,
}

impl QueueMessage {
    /// The messages of a batch; `None` where the event is no batch of SQS.
    ///
    /// Errs where a record of it has no id or no body.
    pub fn batch(event: &Value) -> Result<Option<Vec<QueueMessage>>, EventError> {
        let records = event.get("Records").and_then(Value::as_array);
        let source = |record: &Value| record.get("eventSource").and_then(Value::as_str) == Some("aws:sqs");
        match records {
            Some(records) if records.iter().any(source) => records
                .iter()
                .map(QueueMessage::deserialize)
                .collect::<Result<_, _>>()
                .map(Some)
                .map_err(|error| EventError::malformed("SQS batch", &error)),
            _ => Ok(None),
        }
    }
}

/// Which messages of a batch are to be delivered again; the others are done.
///
/// Source: <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html>
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct BatchResponse {
    /// None: the whole batch is done.
    pub batch_item_failures: Vec<BatchItemFailure>,
}

/// A message to be delivered again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct BatchItemFailure {
    /// The message's id.
    pub item_identifier: String,
}

impl BatchResponse {
    /// Hands a message back.
    pub fn fail(&mut self, message_id: String) {
        self.batch_item_failures.push(BatchItemFailure { item_identifier: message_id });
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
        let expected = QueueMessage { message_id: "1".to_owned(), body: "{}".to_owned() };
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
    fn the_answer_has_the_names_that_lambda_reads() {
        let mut response = BatchResponse::default();
        response.fail("7".to_owned());
        let text = serde_json::to_string(&response).unwrap();
        assert_eq!(text, r#"{"batchItemFailures":[{"itemIdentifier":"7"}]}"#);
    }
}
