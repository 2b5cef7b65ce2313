//! A stack's dead-letter queues: what waits in them, and how it is delivered again.

use std::collections::HashMap;

use anyhow::{Context, anyhow};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, Message, MessageAttributeValue, MessageSystemAttributeName,
    QueueAttributeName,
};
use batchwright::aws::{LambdaInvoker, connect};
use batchwright::ports::{AsyncInvoker as _, Clock as _, SystemClock};
use clap::ValueEnum;
use serde::Serialize;
use serde_json::Value;

use super::in_one_line;
use crate::args::StackArgs;
use crate::exit::Failure;

/// Messages of one call. Source: `ReceiveMessage` API reference.
const RECEIVED_MAX: i32 = 10;

/// How long a message that is looked at is hidden from others, who would else be given it again.
const HIDDEN_SECONDS: i32 = 60;

/// Where messages come to lie that a function could not handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DeadLetters {
    /// Uploads, and the submitter's calls of itself
    Submitter,
    /// State changes of jobs
    States,
    /// Jobs whose logs are to be archived
    Logs,
    /// A fan-out's calls of itself
    FanOut,
    /// Asynchronous calls of the S3 serializer
    S3Serializer,
}

/// Who is to have a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Receiver {
    Queue(String),
    Function(String),
}

impl DeadLetters {
    /// Its name within the stack.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Submitter => "submitter",
            Self::States => "states",
            Self::Logs => "logs",
            Self::FanOut => "fan-out",
            Self::S3Serializer => "s3-serializer",
        }
    }

    fn queue(self, stack: &str) -> String {
        format!("{stack}-{}-dead-letters", self.word())
    }

    /// Who was to have its messages. What EventBridge or Lambda put into the queue came from no other queue, so that
    /// the messages can't be moved back by SQS itself.
    pub(crate) fn receiver(self, stack: &str) -> Receiver {
        let name = format!("{stack}-{}", self.word());
        match self {
            Self::States | Self::Logs => Receiver::Queue(name),
            Self::Submitter | Self::FanOut | Self::S3Serializer => Receiver::Function(name),
        }
    }
}

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

/// The dead-letter queues of one stack.
pub(crate) struct DeadLetterQueues {
    sqs: Client,
    invoker: LambdaInvoker,
    stack: String,
}

impl DeadLetterQueues {
    pub(crate) async fn of(args: &StackArgs) -> Self {
        let config = connect(&args.connection()).await;
        let invoker = LambdaInvoker::new(aws_sdk_lambda::Client::new(&config));
        Self { sqs: Client::new(&config), invoker, stack: args.stack.clone().unwrap_or_default() }
    }

    pub(crate) fn receiver(&self, letters: DeadLetters) -> Receiver {
        letters.receiver(&self.stack)
    }

    /// About how many messages wait: SQS counts them with a delay.
    pub(crate) async fn count(&self, letters: DeadLetters) -> Result<u64, Failure> {
        let queue = letters.queue(&self.stack);
        let url = self.url(&queue).await?;
        let names = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        ];
        let call = self.sqs.get_queue_attributes().queue_url(url).set_attribute_names(Some(names.to_vec()));
        let found = call.send().await.map_err(|error| refused(&queue, &in_one_line(&error)))?;
        let found = found.attributes.unwrap_or_default();
        Ok(names.iter().filter_map(|name| found.get(name)?.parse::<u64>().ok()).sum())
    }

    /// Some of the messages, which stay where they are.
    pub(crate) async fn look(&self, letters: DeadLetters, most: usize) -> Result<Vec<DeadLetter>, Failure> {
        let queue = letters.queue(&self.stack);
        let url = self.url(&queue).await?;
        let mut seen = Vec::new();
        let mut hidden = Vec::new();
        while seen.len() < most {
            let count = i32::try_from(most - seen.len()).unwrap_or(RECEIVED_MAX).min(RECEIVED_MAX);
            let messages = self.receive(&queue, &url, count).await?;
            if messages.is_empty() {
                break;
            }
            hidden.extend(messages.iter().filter_map(|message| message.receipt_handle.clone()));
            seen.extend(messages.into_iter().map(dead_letter));
        }
        for handles in hidden.chunks(RECEIVED_MAX as usize) {
            self.show_again(&queue, &url, handles).await?;
        }
        Ok(seen)
    }

    /// Gives messages once more to who was to have them, and only then takes them out of the queue: stopped in
    /// between, a message may be delivered twice, which the functions bear. Messages that arrive meanwhile are left,
    /// because a call that fails at once would otherwise be delivered for ever.
    pub(crate) async fn redrive(&self, letters: DeadLetters, most: u64) -> Result<u64, Failure> {
        let queue = letters.queue(&self.stack);
        let url = self.url(&queue).await?;
        let receiver = self.receiver(letters);
        let receiving = match &receiver {
            Receiver::Queue(name) => Some(self.url(name).await?),
            Receiver::Function(_) => None,
        };
        let started_at = SystemClock.now().as_millis();
        let (mut delivered, mut left) = (0, Vec::new());
        while delivered < most {
            let count = i32::try_from(most - delivered).unwrap_or(RECEIVED_MAX).min(RECEIVED_MAX);
            let messages = self.receive(&queue, &url, count).await?;
            let (new, old): (Vec<_>, Vec<_>) =
                messages.into_iter().partition(|message| sent_at(message).is_some_and(|at| at > started_at));
            left.extend(new.into_iter().filter_map(|message| message.receipt_handle));
            if old.is_empty() {
                break;
            }
            for message in old {
                let body = message.body.unwrap_or_default();
                let sent = match (&receiver, &receiving) {
                    (Receiver::Function(name), _) => {
                        let sent = self.invoker.invoke_later(name, payload(&body).as_bytes()).await;
                        sent.map_err(|error| error.to_string())
                    }
                    (Receiver::Queue(_), url) => {
                        let call = self.sqs.send_message().set_queue_url(url.clone()).message_body(body);
                        call.send().await.map(|_| ()).map_err(|error| in_one_line(&error))
                    }
                };
                let sent = sent.map_err(|why| {
                    let after = format!("{delivered} were delivered, and the others stay in {queue}");
                    Failure::Broken(anyhow!("a message can't be delivered: {why}; {after}"))
                });
                sent?;
                let call = self.sqs.delete_message().queue_url(&url);
                let deleted = call.set_receipt_handle(message.receipt_handle).send().await;
                deleted.map_err(|error| refused(&queue, &in_one_line(&error)))?;
                delivered += 1;
            }
        }
        for handles in left.chunks(RECEIVED_MAX as usize) {
            self.show_again(&queue, &url, handles).await?;
        }
        Ok(delivered)
    }

    async fn receive(&self, queue: &str, url: &str, count: i32) -> Result<Vec<Message>, Failure> {
        let call = self.sqs.receive_message().queue_url(url).max_number_of_messages(count);
        // Asks all of SQS's servers: without waiting, some of them.
        let call = call.wait_time_seconds(1).visibility_timeout(HIDDEN_SECONDS);
        let call = call.message_system_attribute_names(MessageSystemAttributeName::SentTimestamp);
        let received = call.message_attribute_names("All").send().await;
        let received = received.map_err(|error| refused(queue, &in_one_line(&error)))?;
        Ok(received.messages.unwrap_or_default())
    }

    async fn show_again(&self, queue: &str, url: &str, handles: &[String]) -> Result<(), Failure> {
        let entry = |(n, handle): (usize, &String)| {
            let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(n.to_string());
            entry.receipt_handle(handle).visibility_timeout(0).build()
        };
        let entries: Result<Vec<_>, _> = handles.iter().enumerate().map(entry).collect();
        let entries = entries.context("a message has no handle")?;
        let call = self.sqs.change_message_visibility_batch().queue_url(url).set_entries(Some(entries));
        call.send().await.map(|_| ()).map_err(|error| refused(queue, &in_one_line(&error)))
    }

    async fn url(&self, queue: &str) -> Result<String, Failure> {
        let found = self.sqs.get_queue_url().queue_name(queue).send().await;
        let found = found.map_err(|error| refused(queue, &in_one_line(&error)))?;
        found.queue_url.ok_or_else(|| refused(queue, "it has no URL"))
    }
}

fn refused(queue: &str, why: &str) -> Failure {
    Failure::Broken(anyhow!("the queue {queue}: {why}; check --stack and --region, or allow sqs on it"))
}

/// When it came into the queue, in milliseconds since 1970.
fn sent_at(message: &Message) -> Option<i64> {
    message.attributes.as_ref()?.get(&MessageSystemAttributeName::SentTimestamp)?.parse().ok()
}

fn dead_letter(message: Message) -> DeadLetter {
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
fn payload(body: &str) -> String {
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
