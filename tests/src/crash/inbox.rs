//! Messages on their way to the functions: delivered at least once, some of them later.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use batchwright::domain::Timestamp;
use batchwright::ports::{AsyncInvoker, PortError};
use serde_json::Value;
use tokio::sync::Notify;

use super::clock::DeploymentClock;
use batchwright::ports::Clock as _;

/// Who is woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the functions' own names")]
pub enum Function {
    Submitter,
    StateHandler,
    LogCollector,
    /// It is woken by a schedule, never by a message.
    Reconciler,
}

/// A message.
#[derive(Debug, Clone)]
pub struct Letter {
    /// For whom.
    pub to: Function,
    /// What it says.
    pub body: Value,
    /// When it is delivered.
    pub due: Timestamp,
    /// How often it was delivered.
    pub deliveries: u32,
}

/// All messages under way. Clones are one inbox.
#[derive(Debug, Clone, Default)]
pub struct Inbox {
    letters: Arc<Mutex<Vec<Letter>>>,
    arrived: Arc<Notify>,
}

impl Inbox {
    fn letters(&self) -> MutexGuard<'_, Vec<Letter>> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a message that is delivered at `due`.
    pub fn post(&self, to: Function, body: Value, due: Timestamp) {
        self.put_back(Letter { to, body, due, deliveries: 0 });
    }

    /// Sends a message again.
    pub fn put_back(&self, letter: Letter) {
        self.letters().push(letter);
        self.arrived.notify_one();
    }

    /// Returns once something was sent since the last call.
    pub async fn arrived(&self) {
        self.arrived.notified().await;
    }

    /// When the next message is due; `None` where there is none.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.letters().iter().map(|letter| letter.due).min()
    }

    /// The due messages of one function: at most `most(function)` of them, in the order of their sending.
    pub fn take_due(&self, now: Timestamp, most: impl Fn(Function) -> usize) -> Vec<Letter> {
        let mut letters = self.letters();
        let Some(to) = letters.iter().find(|letter| letter.due <= now).map(|letter| letter.to) else {
            return Vec::new();
        };
        let mut taken = Vec::new();
        letters.retain(|letter| {
            let take = letter.to == to && letter.due <= now && taken.len() < most(to);
            if take {
                taken.push(letter.clone());
            }
            !take
        });
        taken
    }
}

/// Calls the submitter, some seconds later. The first calls may be refused.
#[derive(Debug, Clone)]
pub struct Invoker {
    /// Where calls go.
    pub inbox: Inbox,
    /// The time.
    pub clock: DeploymentClock,
    /// How many are still refused.
    pub refused: Arc<Mutex<usize>>,
}

impl AsyncInvoker for Invoker {
    async fn invoke_later(&self, function: &str, payload: &[u8]) -> Result<(), PortError> {
        let failed =
            |why: &dyn std::fmt::Display| PortError::permanent("Invoke", format!("{function}: {why}"));
        {
            let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
            if *refused > 0 {
                *refused -= 1;
                return Err(PortError::throttled("Invoke", None));
            }
        }
        let body = serde_json::from_slice(payload).map_err(|error| failed(&error))?;
        self.inbox.post(Function::Submitter, body, self.clock.now().plus_millis(1_000));
        Ok(())
    }
}
