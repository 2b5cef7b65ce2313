//! Whether Batch's own retry follows a failed attempt.

use crate::domain::spec::{EvaluateOnExit, RetryAction, RetryStrategy};

/// How an attempt failed, in the words that the rules are matched against.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct AttemptFailure<'a> {
    pub(crate) status_reason: &'a str,
    pub(crate) reason: &'a str,
    pub(crate) exit_code: Option<i32>,
}

/// Whether another attempt follows, when `made` have ended. The first rule that matches decides; where
/// none does, the job is retried.
///
/// Source: <https://docs.aws.amazon.com/batch/latest/userguide/job_retries.html>
pub(crate) fn is_retried(strategy: Option<&RetryStrategy>, made: usize, failure: AttemptFailure<'_>) -> bool {
    let Some(strategy) = strategy else { return false };
    let allowed = usize::try_from(strategy.attempts.unwrap_or(1)).unwrap_or(usize::MAX);
    let action = strategy
        .evaluate_on_exit
        .iter()
        .find(|rule| applies(rule, failure))
        .map_or(RetryAction::Retry, |rule| rule.action);
    made < allowed && action == RetryAction::Retry
}

/// Every pattern that the rule gives must match.
fn applies(rule: &EvaluateOnExit, failure: AttemptFailure<'_>) -> bool {
    let exit_code = failure.exit_code.map(|code| code.to_string());
    let holds = |pattern: &Option<String>, text: Option<&str>| {
        pattern.as_deref().is_none_or(|pattern| text.is_some_and(|text| matches(pattern, text)))
    };
    holds(&rule.on_status_reason, Some(failure.status_reason))
        && holds(&rule.on_reason, Some(failure.reason))
        && holds(&rule.on_exit_code, exit_code.as_deref())
}

/// A `*` at the end of the pattern stands for anything. Case counts for nothing, as in Batch.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.to_lowercase(), text.to_lowercase());
    match pattern.strip_suffix('*') {
        Some(start) => text.starts_with(start),
        None => text == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(
        status_reason: Option<&str>,
        reason: Option<&str>,
        exit_code: Option<&str>,
        action: RetryAction,
    ) -> EvaluateOnExit {
        EvaluateOnExit::new(action).with(|it| {
            it.on_status_reason = status_reason.map(Into::into);
            it.on_reason = reason.map(Into::into);
            it.on_exit_code = exit_code.map(Into::into);
        })
    }

    #[test]
    fn the_first_rule_that_matches_decides() {
        use RetryAction::{Exit, Retry};
        let host = AttemptFailure {
            status_reason: "Host EC2 (instance i-1) terminated.",
            ..AttemptFailure::default()
        };
        let exit_1 = AttemptFailure {
            status_reason: "Essential container in task exited",
            reason: "",
            exit_code: Some(1),
        };
        let oom = AttemptFailure { reason: "OutOfMemoryError: killed", exit_code: Some(137), ..exit_1 };
        let spot_only = [rule(Some("Host EC2*"), None, None, Retry), rule(None, Some("*"), None, Exit)];
        let both = [rule(None, Some("OutOfMemory*"), Some("137"), Exit)];
        let table: [(&str, &[EvaluateOnExit], AttemptFailure<'_>, bool); 9] = [
            ("no rule is given", &[], exit_1, true),
            ("a host is lost", &spot_only, host, true),
            ("anything else exits", &spot_only, exit_1, false),
            ("all patterns match", &both, oom, false),
            ("only one pattern matches", &both, AttemptFailure { reason: "", ..oom }, true),
            ("no exit code, but one is asked for", &[rule(None, None, Some("*"), Exit)], host, true),
            ("exit code by prefix", &[rule(None, None, Some("13*"), Exit)], oom, false),
            (
                "an exact pattern does not match a longer text",
                &[rule(None, None, Some("1"), Exit)],
                oom,
                true,
            ),
            ("a rule without patterns matches all", &[rule(None, None, None, Exit)], exit_1, false),
        ];
        for (case, rules, failure, expected) in table {
            let strategy = RetryStrategy::default().with(|it| {
                it.attempts = Some(3);
                it.evaluate_on_exit = rules.to_vec();
            });
            assert_eq!(is_retried(Some(&strategy), 1, failure), expected, "{case}");
        }
    }

    #[test]
    fn attempts_are_counted_in_all() {
        let strategy = RetryStrategy::default().with(|it| it.attempts = Some(2));
        assert!(is_retried(Some(&strategy), 1, AttemptFailure::default()));
        assert!(!is_retried(Some(&strategy), 2, AttemptFailure::default()));
        assert!(
            !is_retried(Some(&RetryStrategy::default()), 1, AttemptFailure::default()),
            "1 where it is not said"
        );
        assert!(!is_retried(None, 1, AttemptFailure::default()));
    }
}
