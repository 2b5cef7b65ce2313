//! A stack's dead-letter queues: what waits in them, and how it is delivered again.

mod message;

use std::collections::{HashMap, HashSet};

use anyhow::{Context, anyhow};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, Message, MessageSystemAttributeName, QueueAttributeName,
};
use batchwright::aws::{LambdaInvoker, connect};
use batchwright::ports::{AsyncInvoker as _, Clock as _, SystemClock};
use clap::ValueEnum;
use serde::Serialize;

pub(crate) use self::message::DeadLetter;
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

/// What came of giving messages once more to who was to have them.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Redriven {
    pub(crate) delivered: usize,
    /// Those that stay in the queue.
    pub(crate) undelivered: Vec<Undelivered>,
}

/// A message that could not be delivered.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Undelivered {
    pub(crate) message_id: String,
    pub(crate) why: String,
}

impl Redriven {
    fn tried(&self) -> usize {
        self.delivered + self.undelivered.len()
    }

    /// Why it ended early, with what was done until then.
    fn broken_off(&self, failure: &Failure) -> Failure {
        Failure::Broken(anyhow!("{failure}; until then, messages delivered: {}", self.delivered))
    }
}

/// What came of deleting messages.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Removed {
    pub(crate) removed: Vec<String>,
    /// Ids that no message has which can be seen.
    pub(crate) not_found: Vec<String>,
}

/// A queue by its name and where it is called.
struct Queue {
    name: String,
    url: String,
}

/// How a receiver is reached.
enum Door {
    Queue(String),
    Function(String),
}

/// Messages that were received and stay: by their ids, the latest handle of each, because an older one has no effect.
#[derive(Default)]
struct Hidden(HashMap<String, String>);

impl Hidden {
    fn keep(&mut self, message: &Message) {
        if let (Some(id), Some(handle)) = (&message.message_id, &message.receipt_handle) {
            self.0.insert(id.clone(), handle.clone());
        }
    }

    fn has(&self, message: &Message) -> bool {
        message.message_id.as_ref().is_some_and(|id| self.0.contains_key(id))
    }
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

    /// About how many messages wait, those among them that somebody looks at: SQS counts them with a delay.
    pub(crate) async fn count(&self, letters: DeadLetters) -> Result<u64, Failure> {
        let queue = self.queue_of(letters).await?;
        let names = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        ];
        let call = self.sqs.get_queue_attributes().queue_url(queue.url);
        let found = call.set_attribute_names(Some(names.to_vec())).send().await;
        let found = found.map_err(|error| refused(&queue.name, &in_one_line(&error)))?;
        let found = found.attributes.unwrap_or_default();
        Ok(names.iter().filter_map(|name| found.get(name)?.parse::<u64>().ok()).sum())
    }

    /// Some of the messages, which stay where they are.
    pub(crate) async fn look(&self, letters: DeadLetters, most: usize) -> Result<Vec<DeadLetter>, Failure> {
        let queue = self.queue_of(letters).await?;
        let mut hidden = Hidden::default();
        let looked = self.look_at(&queue, most, &mut hidden).await;
        let shown = self.show_again(&queue, hidden).await;
        looked.and_then(|seen| shown.map(|()| seen))
    }

    async fn look_at(
        &self,
        queue: &Queue,
        most: usize,
        hidden: &mut Hidden,
    ) -> Result<Vec<DeadLetter>, Failure> {
        let mut seen = Vec::new();
        while seen.len() < most {
            let messages = self.receive(queue, most - seen.len()).await?;
            if messages.is_empty() {
                break;
            }
            messages.iter().for_each(|message| hidden.keep(message));
            seen.extend(messages.into_iter().map(message::read));
        }
        Ok(seen)
    }

    /// Gives messages once more to who was to have them, and only then takes them out of the queue: stopped in
    /// between, a message may be delivered twice, which the functions bear. One that can't be delivered stays, and holds up
    /// no other. Messages that arrive meanwhile are left, because a call that fails at once would otherwise be delivered
    /// for ever.
    pub(crate) async fn redrive(&self, letters: DeadLetters, most: usize) -> Result<Redriven, Failure> {
        let queue = self.queue_of(letters).await?;
        let to = match self.receiver(letters) {
            Receiver::Queue(name) => Door::Queue(self.url(&name).await?),
            Receiver::Function(name) => Door::Function(name),
        };
        let mut redriven = Redriven::default();
        let mut left = Hidden::default();
        let ended = self.redrive_all(&queue, &to, most, &mut redriven, &mut left).await;
        let shown = self.show_again(&queue, left).await;
        ended.and(shown).map_err(|failure| redriven.broken_off(&failure))?;
        Ok(redriven)
    }

    async fn redrive_all(
        &self,
        queue: &Queue,
        to: &Door,
        most: usize,
        redriven: &mut Redriven,
        left: &mut Hidden,
    ) -> Result<(), Failure> {
        let started_at = SystemClock.now().as_millis();
        let (mut failed, mut seen_again) = (HashSet::new(), 0);
        while redriven.tried() < most {
            let messages = self.receive(queue, most - redriven.tried()).await?;
            let (arrived, waited): (Vec<_>, Vec<_>) = messages
                .into_iter()
                .partition(|message| message::sent_at(message).is_some_and(|at| at > started_at));
            arrived.iter().for_each(|message| left.keep(message));
            if waited.is_empty() {
                break;
            }
            let (again, untried): (Vec<_>, Vec<_>) =
                waited.into_iter().partition(|message| failed.contains(&message.message_id));
            again.iter().for_each(|message| left.keep(message));
            // What failed comes into sight again while others are delivered. Where nothing else comes, all were tried.
            seen_again = if untried.is_empty() { seen_again + again.len() } else { 0 };
            if seen_again > failed.len() {
                break;
            }
            for message in untried {
                if let Err(why) = self.deliver_and_delete(queue, to, &message).await {
                    left.keep(&message);
                    failed.insert(message.message_id.clone());
                    let message_id = message.message_id.unwrap_or_default();
                    redriven.undelivered.push(Undelivered { message_id, why });
                } else {
                    redriven.delivered += 1;
                }
            }
        }
        Ok(())
    }

    async fn deliver_and_delete(&self, queue: &Queue, to: &Door, message: &Message) -> Result<(), String> {
        let body = message.body.as_deref().unwrap_or_default();
        match to {
            Door::Function(name) => {
                let sent = self.invoker.invoke_later(name, message::payload(body).as_bytes()).await;
                sent.map_err(|error| error.to_string())?;
            }
            Door::Queue(url) => {
                let call = self.sqs.send_message().queue_url(url).message_body(body);
                call.send().await.map_err(|error| in_one_line(&error))?;
            }
        }
        let deleted = self.delete(queue, message).await;
        deleted.map_err(|why| format!("it was delivered, and can't be taken out of the queue: {why}"))
    }

    /// Deletes messages by their ids: what can never be delivered. Walks through the queue until they are found.
    pub(crate) async fn remove(&self, letters: DeadLetters, ids: &[String]) -> Result<Removed, Failure> {
        let queue = self.queue_of(letters).await?;
        let mut left = Hidden::default();
        let mut removed = Removed { removed: Vec::new(), not_found: ids.to_vec() };
        let ended = self.remove_all(&queue, &mut removed, &mut left).await;
        let shown = self.show_again(&queue, left).await;
        ended.and(shown)?;
        Ok(removed)
    }

    async fn remove_all(
        &self,
        queue: &Queue,
        removed: &mut Removed,
        left: &mut Hidden,
    ) -> Result<(), Failure> {
        while !removed.not_found.is_empty() {
            let messages = self.receive(queue, usize::MAX).await?;
            // Each is hidden once it was seen, so that one seen before says that the queue was walked through.
            if messages.iter().all(|message| left.has(message)) {
                break;
            }
            for message in messages {
                let at = removed.not_found.iter().position(|id| message.message_id.as_ref() == Some(id));
                match at {
                    Some(at) => {
                        let deleted = self.delete(queue, &message).await;
                        deleted.map_err(|why| refused(&queue.name, &why))?;
                        removed.removed.push(removed.not_found.remove(at));
                    }
                    None => left.keep(&message),
                }
            }
        }
        Ok(())
    }

    async fn delete(&self, queue: &Queue, message: &Message) -> Result<(), String> {
        let call = self.sqs.delete_message().queue_url(&queue.url);
        let deleted = call.set_receipt_handle(message.receipt_handle.clone()).send().await;
        deleted.map(|_| ()).map_err(|error| in_one_line(&error))
    }

    /// At most ten of `most` messages.
    async fn receive(&self, queue: &Queue, most: usize) -> Result<Vec<Message>, Failure> {
        let count = i32::try_from(most).unwrap_or(RECEIVED_MAX).min(RECEIVED_MAX);
        let call = self.sqs.receive_message().queue_url(&queue.url).max_number_of_messages(count);
        // Asks all of SQS's servers: without waiting, some of them.
        let call = call.wait_time_seconds(1).visibility_timeout(HIDDEN_SECONDS);
        let call = call.message_system_attribute_names(MessageSystemAttributeName::SentTimestamp);
        let received = call.message_attribute_names("All").send().await;
        let received = received.map_err(|error| refused(&queue.name, &in_one_line(&error)))?;
        Ok(received.messages.unwrap_or_default())
    }

    /// Lets others see what was received and stays.
    async fn show_again(&self, queue: &Queue, hidden: Hidden) -> Result<(), Failure> {
        let handles: Vec<String> = hidden.0.into_values().collect();
        for handles in handles.chunks(RECEIVED_MAX as usize) {
            let entry = |(n, handle): (usize, &String)| {
                let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(n.to_string());
                entry.receipt_handle(handle).visibility_timeout(0).build()
            };
            let entries: Result<Vec<_>, _> = handles.iter().enumerate().map(entry).collect();
            let entries = entries.context("a message has no handle")?;
            let call = self.sqs.change_message_visibility_batch().queue_url(&queue.url);
            let shown = call.set_entries(Some(entries)).send().await;
            shown.map_err(|error| refused(&queue.name, &in_one_line(&error)))?;
        }
        Ok(())
    }

    async fn queue_of(&self, letters: DeadLetters) -> Result<Queue, Failure> {
        let name = letters.queue(&self.stack);
        Ok(Queue { url: self.url(&name).await?, name })
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
