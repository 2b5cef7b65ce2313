//! What a job says of its own resubmission. None of it is told to Batch.

use serde::{Deserialize, Serialize};

use crate::domain::cause::Cause;

/// `fallbackQueue`: where a job goes that keeps losing its hosts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FallbackQueue {
    /// The queue, by name or ARN.
    pub job_queue: String,
    /// Hosts lost, at least 1, after which the job is submitted there.
    #[serde(default = "one")]
    pub after_losses: u32,
}

const fn one() -> u32 {
    1
}

/// An entry of `retryOn`: a cause for which the job is submitted again, by its name alone or with a
/// budget of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct RetryOn {
    /// How the submission ended.
    pub cause: Cause,
    /// Submissions that may end so, the last of which is not followed by another; `None`: the job's
    /// `maxTries`.
    pub max_tries: Option<u32>,
}

/// As it stands in a job file.
#[derive(Serialize, Deserialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
enum Written {
    Cause(Cause),
    WithBudget {
        cause: Cause,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max_tries: Option<u32>,
    },
}

impl From<Written> for RetryOn {
    fn from(written: Written) -> Self {
        match written {
            Written::Cause(cause) => Self { cause, max_tries: None },
            Written::WithBudget { cause, max_tries } => Self { cause, max_tries },
        }
    }
}

impl From<RetryOn> for Written {
    fn from(RetryOn { cause, max_tries }: RetryOn) -> Self {
        match max_tries {
            None => Self::Cause(cause),
            max_tries => Self::WithBudget { cause, max_tries },
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_cause_stands_alone_or_with_its_budget() {
        let read: Vec<RetryOn> = serde_json::from_value(
            json!(["TIMEOUT", {"cause": "IMAGE"}, {"cause": "EXIT_CODE", "maxTries": 2}]),
        )
        .unwrap();
        assert_eq!(
            read.iter().map(|entry| (entry.cause, entry.max_tries)).collect::<Vec<_>>(),
            [(Cause::Timeout, None), (Cause::Image, None), (Cause::ExitCode, Some(2))]
        );
        let written = serde_json::to_value(&read).unwrap();
        assert_eq!(written, json!(["TIMEOUT", "IMAGE", {"cause": "EXIT_CODE", "maxTries": 2}]));
    }
}
