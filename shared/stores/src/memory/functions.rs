//! Functions in memory: they take the time they are told, on tokio's clock, and refuse what is too much.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::sleep;

use super::lock;
use crate::ports::{CallAnswer, CallError, ErrorKind, FunctionCall, FunctionCaller, ServiceAnswer};

/// A refusal takes so long.
const REFUSAL: Duration = Duration::from_millis(2);

/// What a function does with one call.
#[derive(Debug, Clone)]
pub struct Reply {
    /// How long that takes.
    pub after: Duration,
    /// Whether the function runs.
    pub runs: bool,
    /// What its caller gets.
    pub result: Result<CallAnswer, CallError>,
}

impl Reply {
    /// It runs well.
    pub fn well(after: Duration, payload: impl Into<Vec<u8>>) -> Self {
        let version = Some("$LATEST".to_owned());
        let answer = CallAnswer::default().with(|it| {
            it.status = 200;
            it.payload = payload.into();
            it.executed_version = version;
        });
        Self { after, runs: true, result: Ok(answer) }
    }

    /// It runs and fails.
    pub fn failed(after: Duration) -> Self {
        let mut reply = Self::well(after, r#"{"errorType": "ValueError", "errorMessage": "bad"}"#);
        if let Ok(answer) = &mut reply.result {
            answer.function_error = Some("Unhandled".to_owned());
        }
        reply
    }

    /// No answer comes, for a reason of this kind.
    pub fn error(after: Duration, kind: ErrorKind, runs: bool) -> Self {
        let error = CallError::new(kind, "Injected", "as the test wants it");
        Self { after, runs, result: Err(error) }
    }
}

/// What was seen of the calls.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Calls under way.
    pub under_way: usize,
    /// The most of them at once.
    pub peak: usize,
    /// All calls.
    pub calls: u64,
    /// Those that were refused because they were too many.
    pub throttled: u64,
    /// How often each payload was called with.
    pub tries: BTreeMap<String, u32>,
    /// How often a function ran with each payload.
    pub runs: BTreeMap<String, u32>,
}

/// Functions that do what `behaviour` says of a payload and of how often it was called with before. Clones
/// share what they have seen.
#[derive(Debug, Clone)]
pub struct InMemoryFunctions<B> {
    behaviour: B,
    capacity: usize,
    retry_after: Option<Duration>,
    seen: Arc<Mutex<Seen>>,
}

impl<B: Fn(&str, u32) -> Reply> InMemoryFunctions<B> {
    /// Any number at once.
    pub fn new(behaviour: B) -> Self {
        Self { behaviour, capacity: usize::MAX, retry_after: None, seen: Arc::default() }
    }

    /// At most so many at once; the others are refused, with a hint.
    #[must_use]
    pub fn with_capacity(self, capacity: usize, retry_after: Option<Duration>) -> Self {
        Self { capacity, retry_after, ..self }
    }

    /// What was seen so far.
    pub fn seen(&self) -> Seen {
        lock(&self.seen).clone()
    }

    fn begin(&self, call: &FunctionCall<'_>) -> Option<Reply> {
        let mut seen = lock(&self.seen);
        seen.calls += 1;
        seen.under_way += 1;
        seen.peak = seen.peak.max(seen.under_way);
        if seen.under_way > self.capacity {
            seen.throttled += 1;
            return None;
        }
        let payload = String::from_utf8_lossy(call.payload).into_owned();
        let tries = seen.tries.entry(payload.clone()).or_default();
        *tries += 1;
        let reply = (self.behaviour)(&payload, *tries);
        if reply.runs {
            *seen.runs.entry(payload).or_default() += 1;
        }
        Some(reply)
    }
}

/// Counts a call that has ended, also one that nobody waits for any more.
struct UnderWay<'a>(&'a Mutex<Seen>);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        lock(self.0).under_way -= 1;
    }
}

impl<B: Fn(&str, u32) -> Reply + Send + Sync> FunctionCaller for InMemoryFunctions<B> {
    async fn call(&self, call: &FunctionCall<'_>) -> Result<CallAnswer, CallError> {
        let reply = self.begin(call);
        let _under_way = UnderWay(&self.seen);
        match reply {
            None => {
                sleep(REFUSAL).await;
                let kind = ErrorKind::Throttled { retry_after: self.retry_after };
                let mut answer = ServiceAnswer::default();
                answer.status = Some(429);
                let error = CallError::new(kind, "TooManyRequestsException", "Rate Exceeded.");
                Err(CallError { answer: Some(Box::new(answer)), ..error })
            }
            Some(reply) if reply.after > call.timeout => {
                sleep(call.timeout).await;
                Err(CallError::new(ErrorKind::Ambiguous, "Timeout", "no answer came in time"))
            }
            Some(reply) => {
                sleep(reply.after).await;
                reply.result
            }
        }
    }
}
