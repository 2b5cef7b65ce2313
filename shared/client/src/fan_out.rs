//! Lists of invocations, each item once, by a program that keeps a process.

use std::future::pending;
use std::path::Path;

use batchwright_invocations::fan_out::limits::HELD_RESULTS_MAX_BYTES;
use batchwright_invocations::fan_out::{Counts, FanOutCall, ResultOrder, Targets};
use batchwright_invocations::use_cases::fan_out::{
    Came, Ended, FanOutError, ResultsFile, Stop, Wanted, digest_list, inline, invoke_all,
};

use crate::error::ClientError;
use crate::functions::Functions;
use crate::limited::Calls;
use crate::ports::{CallAnswer, CallError, FunctionCall, FunctionCaller};

/// What a fan-out came to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FannedOut {
    /// Items by what became of them, those of earlier calls with the same file among them.
    pub counts: Counts,
    /// Items that were not begun.
    pub not_begun: u64,
    /// Whether every item has its result. If not, the same call goes on.
    pub is_complete: bool,
    /// Why it could not go on, where it was not stopped.
    pub halted: Option<String>,
}

impl<C: FunctionCaller> Functions<C> {
    /// Invokes each item of a call once, `concurrency` of them at a time and no more than the config's limit, and writes
    /// its result into a file: an [`ItemResult`] a line, in the order of the list.
    ///
    /// The file is the checkpoint: after a kill or a stop, the same call with the same file goes on. What was in flight
    /// is `UNKNOWN` then, or invoked again where the call is `idempotent`. Once `interrupted` is there, nothing more is started,
    /// and what is under way is waited for.
    ///
    /// # Errors
    ///
    /// Where the call is wrong or names its list by `payloadsUri` or `invocationsUri`, where the file is of another
    /// call or is being written, and where results can't be kept. An item that fails is no error.
    ///
    /// [`ItemResult`]: batchwright_invocations::fan_out::ItemResult
    ///
    /// ```
    /// # mod batchwright { pub use batchwright_client::*; pub use batchwright_core::*; pub use batchwright_invocations::*; pub use batchwright_stores::*; }
    /// use std::future::pending;
    /// use std::time::Duration;
    /// use batchwright::{Config, Functions};
    /// use batchwright::fan_out::FanOutCall;
    /// // A double of functions, for tests: the feature `testing`.
    /// use batchwright::memory::{InMemoryFunctions, Reply};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = tempfile::tempdir()?;
    /// # let results = folder.path().join("results.jsonl");
    /// let echo = InMemoryFunctions::new(|payload: &str, _| Reply::well(Duration::from_millis(5), payload));
    /// let functions = Functions::new(echo, &Config::default());
    /// let call = FanOutCall::new("resize", 1..=100)?;
    /// let done = functions.fan_out(&call, &results, pending()).await?;
    /// assert_eq!((done.is_complete, done.counts.succeeded), (true, 100));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn fan_out(
        &self,
        call: &FanOutCall,
        results: impl AsRef<Path>,
        interrupted: impl Future<Output = ()> + Send,
    ) -> Result<FannedOut, ClientError> {
        let refused = |why: String| ClientError::FanOut(FanOutError::Refused(why));
        let mut order = call.clone().check(&Targets::any()).map_err(|error| refused(error.to_string()))?;
        // What waits for a place of the config has begun, and could not be stopped.
        order.terms.ceiling = order.terms.ceiling.min(u32::try_from(self.at_once).unwrap_or(u32::MAX));
        let terms = &order.terms;
        let Some(items) = inline(&order.source, terms, 0, None) else {
            let why =
                "a program gives its list in payloads or invocations; `batchwright invoke` reads one from S3";
            return Err(refused(why.to_owned()));
        };
        let digest = digest_list::<tokio::io::Empty>(call, None).await?;
        let total = (call.payloads.as_ref().map_or(0, Vec::len)
            + call.invocations.as_ref().map_or(0, Vec::len)) as u64;
        let wanted = Wanted {
            path: results.as_ref(),
            digest: &digest,
            order: ResultOrder::List { held_max_bytes: HELD_RESULTS_MAX_BYTES },
            overwrite: false,
            resume: false,
            idempotent: terms.retry.idempotent,
        };
        let (ledger, mut start) = ResultsFile::open(&wanted)?;
        start.tolerated = terms.tolerated.as_ref().map(|tolerated| tolerated.of(total));
        let caller = Limited { caller: &self.caller, calls: &self.calls };
        let stop = Stop { starting: interrupted, waiting: pending(), counts_rest: true };
        let Came { ended, progress, not_begun, .. } =
            invoke_all(&caller, &ledger, items, terms, start, stop).await?;
        let is_complete = matches!(ended, Ended::Complete);
        ledger.finish(is_complete)?;
        Ok(FannedOut {
            counts: progress.counts,
            not_begun: not_begun.unwrap_or_default(),
            is_complete,
            halted: if let Ended::Halted(why) = ended { Some(why.to_string()) } else { None },
        })
    }
}

/// Calls within the limit of a config.
struct Limited<'a, C> {
    caller: &'a C,
    calls: &'a Calls,
}

impl<C: FunctionCaller> FunctionCaller for Limited<'_, C> {
    async fn call(&self, call: &FunctionCall<'_>) -> Result<CallAnswer, CallError> {
        self.calls.once(self.caller.call(call)).await
    }
}

impl From<FanOutError> for ClientError {
    fn from(error: FanOutError) -> Self {
        match error {
            FanOutError::Port(error) => error.into(),
            other => Self::FanOut(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use batchwright_stores::memory::{InMemoryFunctions, Reply};

    use super::*;
    use crate::config::Config;

    fn lines(path: &Path) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(path).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn a_payload_that_json_cannot_hold_is_named() {
        let error = FanOutCall::new("f", [1.0, f64::NAN]).unwrap_err().to_string();
        assert!(error.starts_with("payloads[1]: the value: NaN is no JSON"), "{error}");
        let error = FanOutCall::new("f", [[0.0], [f64::INFINITY]]).unwrap_err().to_string();
        assert!(error.starts_with("payloads[1]: [0]: inf is no JSON"), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_that_was_stopped_is_gone_on_with_by_the_same_call_within_the_limit_of_the_config() {
        let folder = tempfile::tempdir().unwrap();
        let results = folder.path().join("results.jsonl");
        let caller = InMemoryFunctions::new(|payload: &str, _| Reply::well(Duration::from_secs(1), payload));
        let functions = Functions::new(caller.clone(), &Config::default().calls_at_once(3));
        let call = FanOutCall::new("f", 0..20).unwrap();
        let a_while = tokio::time::sleep(Duration::from_millis(1_500));
        let stopped = functions.fan_out(&call, &results, a_while).await.unwrap();
        assert!(
            !stopped.is_complete && stopped.counts.succeeded >= 6 && stopped.not_begun > 0,
            "{stopped:?}"
        );
        let done = functions.fan_out(&call, &results, pending()).await.unwrap();
        assert_eq!((done.is_complete, done.counts.succeeded, done.not_begun), (true, 20, 0));
        let indices: Vec<_> = lines(&results).iter().map(|line| line["index"].as_u64().unwrap()).collect();
        assert_eq!(indices, (0..20).collect::<Vec<_>>());
        assert_eq!((caller.seen().calls, caller.seen().peak), (20, 3));
        // Once more there is nothing to do, and another list is refused.
        assert_eq!(functions.fan_out(&call, &results, pending()).await.unwrap(), done);
        let other = FanOutCall::new("f", 0..21).unwrap();
        let error = functions.fan_out(&other, &results, pending()).await.unwrap_err();
        assert!(matches!(error, ClientError::FanOut(FanOutError::Refused(_))), "{error}");
        assert_eq!(caller.seen().calls, 20);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wrong_call_and_a_place_that_can_t_be_written_are_told_before_anything_is_invoked() {
        let folder = tempfile::tempdir().unwrap();
        let caller = InMemoryFunctions::new(|payload: &str, _| Reply::well(Duration::ZERO, payload));
        let functions = Functions::new(caller.clone(), &Config::default());
        let elsewhere = FanOutCall {
            function_name: Some("f".to_owned()),
            payloads_uri: Some("s3://bucket/list.jsonl".to_owned()),
            ..FanOutCall::default()
        };
        for (call, path, told) in [
            (elsewhere, folder.path().join("results"), "payloads or invocations"),
            (FanOutCall::new("f", [0; 0]).unwrap(), folder.path().join("results"), "payloads"),
            (FanOutCall::new("f", [1]).unwrap(), folder.path().join("missing/results"), "missing/results"),
        ] {
            let error = functions.fan_out(&call, &path, pending()).await.unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
        assert_eq!(caller.seen().calls, 0);
    }
}
