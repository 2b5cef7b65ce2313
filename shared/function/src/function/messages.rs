//! Messages of a queue, handled one by one.

use std::future::Future;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};
use tracing::{error, warn};

use super::answer::FunctionError;
use super::metrics::Metric;
use crate::events::{BatchResponse, EventError, QueueMessage};

/// Messages of one batch that are handled at once.
const CONCURRENCY: usize = 10;

/// What became of a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch<T> {
    /// The results of those that were handled, in no promised order.
    pub done: Vec<T>,
    /// Those that go back to the queue.
    pub response: BatchResponse,
    /// Of these, those that can never be handled.
    pub refused: u64,
}

impl<T> Batch<T> {
    /// What Lambda does not count: it takes a batch that was handed back in part for one that succeeded.
    pub fn metrics(&self) -> Vec<Metric> {
        let handed_back = self.response.failed().count() as u64;
        let counted = [
            Metric::count("MessagesHandedBack", handed_back),
            Metric::count("MessagesRefused", self.refused),
        ];
        counted.into_iter().filter(|metric| metric.count > 0).collect()
    }
}

/// Handles every message, and hands back those that failed, each with its cause in the log: the queue
/// delivers them again, and moves what never passes to its dead-letter queue. What is not done when
/// `within` is over is handed back too.
pub async fn each_message<T, F: Future<Output = Result<T, FunctionError>>>(
    messages: Vec<QueueMessage>,
    within: Duration,
    handle: impl Fn(Value) -> F,
) -> Batch<T> {
    let end = Instant::now() + within;
    let mut results = stream::iter(messages)
        .map(async |QueueMessage { message_id, body }| {
            let handled = async {
                let body = body.map_err(|reason| EventError::Malformed { kind: "SQS message", reason })?;
                let event = serde_json::from_str(&body).map_err(EventError::NotJson)?;
                handle(event).await
            };
            let over = "the function's time was over before the message was handled";
            let result = timeout_at(end, handled).await;
            (message_id, result.unwrap_or_else(|_| Err(FunctionError::NotYet(over.to_owned()))))
        })
        .buffer_unordered(CONCURRENCY);
    let mut batch = Batch { done: Vec::new(), response: BatchResponse::default(), refused: 0 };
    while let Some((id, result)) = results.next().await {
        match result {
            Ok(done) => batch.done.push(done),
            Err(error) => {
                report(&id, &error);
                batch.refused += u64::from(!error.may_pass());
                batch.response.fail(id);
            }
        }
    }
    batch
}

fn report(id: &str, error: &FunctionError) {
    if error.may_pass() {
        warn!(message.id = id, %error, "handed back to the queue");
    } else {
        error!(message.id = id, %error, "can't be handled; it goes to the dead-letter queue");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::PortError;

    fn message(id: &str, body: &str) -> QueueMessage {
        QueueMessage { message_id: id.to_owned(), body: Ok(body.to_owned()) }
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_failed_goes_back() {
        let messages = vec![
            message("a", "1"),
            message("b", "not JSON"),
            message("c", "3"),
            message("d", "4"),
            message("e", "5"),
        ];
        let batch = each_message(messages, Duration::from_secs(10), async |event| match event.as_u64() {
            Some(3) => Err(PortError::retryable("Query", "busy").into()),
            Some(4) => {
                tokio::time::sleep(Duration::from_secs(60)).await;
                Ok(4)
            }
            Some(number) => Ok(number),
            None => Err(FunctionError::Refused("no number".to_owned())),
        })
        .await;
        let mut failed: Vec<_> = batch.response.failed().collect();
        failed.sort_unstable();
        assert_eq!((&batch.done, failed), (&vec![1, 5], vec!["b", "c", "d"]));
        let expected = [Metric::count("MessagesHandedBack", 3), Metric::count("MessagesRefused", 1)];
        assert_eq!((batch.refused, batch.metrics()), (1, expected.to_vec()));
    }
}
