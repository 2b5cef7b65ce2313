//! Lambda functions called for their answers.

use std::sync::Arc;

use futures_util::{Stream, StreamExt as _};

use crate::config::Config;
use crate::limited::Calls;
use crate::ports::{CallAnswer, CallError, FunctionCall, FunctionCaller};

/// Calls functions, one or many at once, within the limits of a [`Config`], which it shares with whatever else is made
/// from that config: calls under way, and how often a call is repeated. A call whose function may have run is never repeated.
///
/// For lists that outlive the process, or of which a part may fail, there is the fan-out.
///
/// ```
/// # mod batchwright { pub use batchwright_client::*; pub use batchwright_core::*; pub use batchwright_stores::*; }
/// use std::time::Duration;
/// use batchwright::{Config, Functions};
/// use batchwright::ports::FunctionCall;
/// // A double of functions, for tests: the feature `testing`.
/// use batchwright::memory::{InMemoryFunctions, Reply};
/// use futures_util::TryStreamExt as _;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let echo = InMemoryFunctions::new(|payload: &str, _| Reply::well(Duration::from_millis(5), payload));
/// let functions = Functions::new(echo, &Config::default());
/// let payloads = ["1", "2", "3"];
/// let calls = payloads.iter().map(|payload| FunctionCall::new("resize", payload.as_bytes()));
/// let answers: Vec<_> = functions.invoke_all(calls).try_collect().await?;
/// assert_eq!(answers[2].json::<u32>()?, 3);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Functions<C> {
    pub(crate) caller: C,
    pub(crate) calls: Arc<Calls>,
    pub(crate) at_once: usize,
}

impl<C: FunctionCaller> Functions<C> {
    /// Over any caller.
    pub fn new(caller: C, config: &Config) -> Self {
        Self { caller, calls: config.calls(), at_once: config.calls_at_once }
    }

    /// Calls a function, and again where it did not run and might the next time.
    ///
    /// Errs where no answer came. That the function ran and failed is an answer: [`CallAnswer::failure`].
    pub async fn invoke(&self, call: &FunctionCall<'_>) -> Result<CallAnswer, CallError> {
        self.calls.repeated(|| self.caller.call(call), |error: &CallError| Some(error.kind)).await
    }

    /// Calls many: the answers come in the order of the calls, and one that fails takes no other with it.
    pub fn invoke_all<'a, I>(
        &'a self,
        calls: I,
    ) -> impl Stream<Item = Result<CallAnswer, CallError>> + use<'a, I, C>
    where
        I: IntoIterator<Item = FunctionCall<'a>>,
    {
        let invoke = move |call| async move { self.invoke(&call).await };
        futures_util::stream::iter(calls).map(invoke).buffered(self.at_once)
    }
}

#[cfg(feature = "lambda")]
impl Functions<batchwright_aws::aws::LambdaCaller> {
    /// The functions of AWS Lambda, by the Region, profile and endpoint of a config, or by the SDK's own configuration
    /// in it.
    pub async fn connect(config: &Config) -> Self {
        Self::new(batchwright_aws::aws::LambdaCaller::new(&config.to_sdk_config().await), config)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use batchwright_stores::memory::{InMemoryFunctions, Reply};

    use super::*;
    use crate::ports::ErrorKind;

    #[tokio::test(start_paused = true)]
    async fn what_did_not_run_is_called_again_and_what_may_have_run_is_not() {
        let after = Duration::from_millis(5);
        let caller = InMemoryFunctions::new(move |payload: &str, tries| match (payload, tries) {
            ("1", 1 | 2) => Reply::error(after, ErrorKind::Throttled { retry_after: None }, false),
            ("2", 1) => Reply::error(after, ErrorKind::Ambiguous, true),
            ("3", _) => Reply::error(after, ErrorKind::Retryable, false),
            ("4", _) => Reply::failed(after),
            _ => Reply::well(after, payload),
        });
        let functions = Functions::new(caller.clone(), &Config::default().retries(2).calls_at_once(2));
        let calls = [&b"1"[..], b"2", b"3", b"4"].map(|payload| FunctionCall::new("f", payload));
        let answers: Vec<_> = functions.invoke_all(calls).collect().await;
        assert_eq!(answers[0].as_ref().unwrap().payload, b"1");
        assert_eq!(answers[1].as_ref().unwrap_err().kind, ErrorKind::Ambiguous);
        assert_eq!(answers[2].as_ref().unwrap_err().kind, ErrorKind::Retryable);
        assert!(answers[3].as_ref().unwrap().failure().is_some());
        let seen = caller.seen();
        assert_eq!((seen.calls, seen.peak), (3 + 1 + 3 + 1, 2));
    }
    #[tokio::test(start_paused = true)]
    async fn what_is_made_from_one_config_has_one_limit() {
        let caller = InMemoryFunctions::new(|payload: &str, _| Reply::well(Duration::from_secs(60), payload));
        let config = Config::default().calls_at_once(3);
        let two = [Functions::new(caller.clone(), &config), Functions::new(caller.clone(), &config.clone())];
        let held = config.calls();
        let other = held.once(tokio::time::sleep(Duration::from_secs(60)));
        let call = FunctionCall::new("f", b"1");
        let all = two.each_ref().map(|functions| functions.invoke_all([call; 4]).collect::<Vec<_>>());
        let (answers, ()) = tokio::join!(futures_util::future::join_all(all), other);
        assert_eq!(answers.iter().flatten().filter(|answer| answer.is_ok()).count(), 8);
        assert!(caller.seen().peak <= 3, "{}", caller.seen().peak);
        // One that is set otherwise afterwards has a limit of its own.
        let apart = Functions::new(caller.clone(), &config.clone().calls_at_once(8));
        let all = (
            apart.invoke_all([call; 8]).collect::<Vec<_>>(),
            two[0].invoke_all([call; 8]).collect::<Vec<_>>(),
        );
        let (one, other) = tokio::join!(all.0, all.1);
        assert_eq!((one.len(), other.len(), caller.seen().peak), (8, 8, 8 + 3));
    }
}
