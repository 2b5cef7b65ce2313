//! Messages on their way to the functions, each function's own.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use batchwright::domain::Timestamp;
use batchwright::ports::{AsyncInvoker, Clock, PortError};
use batchwright_tests::crash::clock::DeploymentClock;
use batchwright_tests::crash::inbox::{Function, Letter};
use serde_json::Value;
use tokio::sync::Notify;

/// All messages under way, by function and by when they are due. Clones are one.
#[derive(Clone)]
pub(crate) struct Mail {
    waiting: Arc<Mutex<Waiting>>,
    arrived: Arc<Notify>,
    clock: DeploymentClock,
}

type Waiting = BTreeMap<Function, BTreeMap<(Timestamp, u64), Letter>>;

impl Mail {
    pub(crate) fn new(clock: DeploymentClock) -> Self {
        Self { waiting: Arc::default(), arrived: Arc::default(), clock }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn post(&self, to: Function, body: Value, due: Timestamp) {
        self.put_back(Letter { to, body, due, deliveries: 0 });
    }

    /// Of the same moment, the last one that came is the last one that goes.
    pub(crate) fn put_back(&self, letter: Letter) {
        let mut waiting = self.waiting();
        let letters = waiting.entry(letter.to).or_default();
        let of_moment = letters.range((letter.due, 0)..=(letter.due, u64::MAX)).next_back();
        let number = of_moment.map_or(0, |((_, number), _)| number + 1);
        letters.insert((letter.due, number), letter);
        drop(waiting);
        self.arrived.notify_one();
    }

    pub(crate) async fn arrived(&self) {
        self.arrived.notified().await;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting().values().all(BTreeMap::is_empty)
    }

    /// When the next message of a function is due.
    pub(crate) fn next_due(&self, to: Function) -> Option<Timestamp> {
        self.waiting().get(&to)?.first_key_value().map(|((due, _), _)| *due)
    }

    /// Due messages of a function, at most so many.
    pub(crate) fn take_due(&self, to: Function, now: Timestamp, most: usize) -> Vec<Letter> {
        let mut waiting = self.waiting();
        let letters = waiting.entry(to).or_default();
        let mut taken = Vec::new();
        while taken.len() < most
            && let Some(first) = letters.first_entry()
            && first.key().0 <= now
        {
            taken.push(first.remove());
        }
        taken
    }
}

impl AsyncInvoker for Mail {
    async fn invoke_later(&self, function: &str, payload: &[u8]) -> Result<(), PortError> {
        let body = serde_json::from_slice(payload)
            .map_err(|error| PortError::permanent("Invoke", format!("{function}: {error}")))?;
        self.post(Function::Submitter, body, self.clock.now().plus_millis(1_000));
        Ok(())
    }
}
