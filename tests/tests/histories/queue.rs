//! The queue before the state handler: messages in batches and in any order, delivered again where they
//! failed.

use batchwright::events::JobStateChange;
use batchwright_tests::dice::Dice;
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::nodes::with_nodes;

/// Deliveries of a message before it goes to the dead-letter queue.
const RECEIVES_MAX: u32 = 5;

/// The id of the message that can't be read.
const POISON: &str = "poison";

pub(crate) struct Queue {
    events: UnboundedReceiver<JobStateChange>,
    waiting: Vec<Message>,
    dice: Dice,
    pub(crate) redelivered: u64,
    pub(crate) dead: u64,
}

#[derive(Clone)]
pub(crate) struct Message {
    pub(crate) event: JobStateChange,
    receives: u32,
}

impl Queue {
    pub(crate) fn new(events: UnboundedReceiver<JobStateChange>, seed: u64) -> Self {
        Self { events, waiting: Vec::new(), dice: Dice::new(seed, 4), redelivered: 0, dead: 0 }
    }

    /// Waits for an event.
    pub(crate) async fn arrival(&mut self) {
        match self.events.recv().await {
            Some(event) => self.take_in(event),
            None => std::future::pending().await,
        }
    }

    fn take_in(&mut self, mut event: JobStateChange) {
        event.detail = with_nodes(event.detail);
        self.waiting.push(Message { event, receives: 0 });
    }

    /// Up to ten messages, in any order.
    pub(crate) fn batch(&mut self) -> Vec<Message> {
        while let Ok(event) = self.events.try_recv() {
            self.take_in(event);
        }
        let mut batch = Vec::new();
        while batch.len() < 10 && !self.waiting.is_empty() {
            let at = usize::try_from(self.dice.below(self.waiting.len() as u64)).expect("an index");
            batch.push(self.waiting.swap_remove(at));
        }
        batch
    }

    /// The batch as Lambda hands it on. Now and then one of its messages can't be read.
    pub(crate) fn sqs_event(&mut self, batch: &[Message]) -> Value {
        let record =
            |id: &str, body: String| json!({"eventSource": "aws:sqs", "messageId": id, "body": body});
        let mut records: Vec<Value> = batch
            .iter()
            .enumerate()
            .map(|(id, message)| {
                record(&id.to_string(), serde_json::to_string(&message.event).expect("an event is JSON"))
            })
            .collect();
        if self.dice.permille(50) {
            records.insert(0, record(POISON, "{".to_owned()));
        }
        json!({"Records": records})
    }

    /// Takes back what failed. Errs where the answer names a message that was not in the batch, or not the
    /// one that can't be read. Returns whether any comes again.
    pub(crate) fn take_back(
        &mut self,
        batch: &[Message],
        sent: &Value,
        answer: &Value,
    ) -> anyhow::Result<bool> {
        let failed: Vec<&str> = answer["batchItemFailures"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|item| item["itemIdentifier"].as_str())
            .collect();
        let is_poisoned = sent["Records"][0]["messageId"] == POISON;
        anyhow::ensure!(failed.contains(&POISON) == is_poisoned, "poison was taken for an event: {answer}");
        let mut again = false;
        for id in failed.into_iter().filter(|id| *id != POISON) {
            let mut message = batch[id.parse::<usize>()?].clone();
            message.receives += 1;
            if message.receives < RECEIVES_MAX {
                self.redelivered += 1;
                again = true;
                self.waiting.push(message);
            } else {
                self.dead += 1;
            }
        }
        Ok(again)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.events.is_empty()
    }
}
