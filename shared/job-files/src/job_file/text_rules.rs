//! What must hold of a single text.

use super::nearest;
use super::schema::TextRule;
use crate::domain::limits::{
    EVALUATE_ON_EXIT_PATTERN_MAX_CHARS, JOB_NAME_MAX_CHARS, RESERVED_ENVIRONMENT_PREFIX,
    SHARE_IDENTIFIER_MAX_CHARS,
};
use crate::domain::{Cause, JobId, JobName};

type Answer = Result<(), String>;

pub(super) const ANY: TextRule = TextRule { check: any, pattern: None };
pub(super) const JOB_NAME: TextRule = TextRule { check: job_name, pattern: Some(JobName::PATTERN) };
pub(super) const JOB_QUEUE: TextRule = TextRule {
    check: job_queue,
    pattern: Some(
        "^([A-Za-z0-9][A-Za-z0-9_-]{0,127}|arn:aws[a-z-]*:batch:[a-z0-9-]*:[0-9]*:job-queue/[A-Za-z0-9][A-Za-z0-9_-]{0,127})$",
    ),
};
pub(super) const JOB_DEFINITION: TextRule = TextRule {
    check: job_definition,
    pattern: Some(
        "^(|arn:aws[a-z-]*:batch:[a-z0-9-]*:[0-9]*:job-definition/)[A-Za-z0-9][A-Za-z0-9_-]{0,127}(:[0-9]{1,9})?$",
    ),
};
pub(super) const JOB_ID: TextRule = TextRule { check: job_id, pattern: Some(JobId::PATTERN) };
pub(super) const DEFINITION_NAME: TextRule =
    TextRule { check: definition_name, pattern: Some(JobName::PATTERN) };
pub(super) const SHARE_IDENTIFIER: TextRule =
    TextRule { check: share_identifier, pattern: Some(r"^[A-Za-z0-9]{1,255}\*?$") };
pub(super) const VARIABLE_NAME: TextRule =
    TextRule { check: variable_name, pattern: Some(r"^(?!AWS_BATCH)[^=\u0000]+$") };
pub(super) const PATTERN: TextRule =
    TextRule { check: pattern, pattern: Some(r"^([^*]{1,512}|[^*]{0,511}\*)$") };
pub(super) const EXIT_CODE_PATTERN: TextRule =
    TextRule { check: exit_code_pattern, pattern: Some(r"^([0-9]{1,512}|[0-9]{0,511}\*)$") };
pub(super) const ACTION: TextRule =
    TextRule { check: action, pattern: Some("^(RETRY|Retry|retry|EXIT|Exit|exit)$") };
pub(super) const TARGET_NODES: TextRule =
    TextRule { check: target_nodes, pattern: Some("^([0-9]+|[0-9]*:[0-9]*)$") };
pub(super) const RETRIED_CAUSE: TextRule = TextRule {
    check: retried_cause,
    pattern: Some("^(HOST_ERROR|TIMEOUT|OUT_OF_MEMORY|IMAGE|CONFIGURATION|CAPACITY|LOST|EXIT_CODE|UNKNOWN)$"),
};

/// Any text but an empty one.
fn any(_: &str) -> Answer {
    Ok(())
}

fn job_name(text: &str) -> Answer {
    JobName::parse(text).map(drop).map_err(|error| error.to_string())
}

fn job_id(text: &str) -> Answer {
    JobId::parse(text).map(drop).map_err(|error| error.to_string())
}

/// The same rule as a job's name. Source: `RegisterJobDefinition` API reference.
fn definition_name(text: &str) -> Answer {
    job_name(text).map_err(|_| {
        format!(
            "{text:?} is no job definition name: 1 to {JOB_NAME_MAX_CHARS} letters, digits, '_' and '-', the first a letter or digit"
        )
    })
}

/// What follows the account in an ARN of AWS Batch; `None` where the text is none.
fn arn_resource(text: &str) -> Option<&str> {
    let (head, resource) = text.split_once(":batch:").and_then(|(head, rest)| {
        let (region, rest) = rest.split_once(':')?;
        let (account, resource) = rest.split_once(':')?;
        let is_place = region.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        (is_place && account.bytes().all(|b| b.is_ascii_digit())).then_some((head, resource))
    })?;
    let partition = head.strip_prefix("arn:aws")?;
    partition.bytes().all(|b| b.is_ascii_lowercase() || b == b'-').then_some(resource)
}

/// A name or an ARN, as Batch takes it: it looks a name up only when its form is right.
fn job_queue(text: &str) -> Answer {
    let name = match arn_resource(text) {
        Some(resource) => resource.strip_prefix("job-queue/").ok_or_else(|| {
            format!("{text:?} is the ARN of something else; give that of a job queue (…:job-queue/NAME)")
        })?,
        None => text,
    };
    job_name(name).map_err(|_| {
        format!(
            "{text:?} is no job queue: give its name (1 to {JOB_NAME_MAX_CHARS} letters, digits, '_' and '-') or its ARN"
        )
    })
}

/// A name with or without its revision, or an ARN.
fn job_definition(text: &str) -> Answer {
    let named = match arn_resource(text) {
        Some(resource) => resource.strip_prefix("job-definition/").ok_or_else(|| {
            format!("{text:?} is the ARN of something else; give that of a job definition (…:job-definition/NAME:REVISION)")
        })?,
        None => text,
    };
    let (name, revision) = named.split_once(':').unwrap_or((named, "1"));
    let is_revision = (1..=9).contains(&revision.len()) && revision.bytes().all(|byte| byte.is_ascii_digit());
    if job_name(name).is_ok() && !is_revision {
        return Err(format!(
            "{text:?} has the revision {revision:?}, which is no number; give one, or leave it out for the latest"
        ));
    }
    job_name(name).map_err(|_| {
        format!(
            "{text:?} is no job definition: give NAME, NAME:REVISION (1 to {JOB_NAME_MAX_CHARS} letters, digits, '_' and '-') or its ARN"
        )
    })
}

/// Letters and digits, which an asterisk may follow.
fn share_identifier(text: &str) -> Answer {
    let name = text.strip_suffix('*').unwrap_or(text);
    let fits = (1..=SHARE_IDENTIFIER_MAX_CHARS).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    fits.then_some(()).ok_or_else(|| {
        format!("must have 1 to {SHARE_IDENTIFIER_MAX_CHARS} letters and digits, which '*' may follow")
    })
}

/// Shows nothing of the name: who writes `NAME=value` into it, has the secret in it, and the answer goes into reports and logs.
fn variable_name(text: &str) -> Answer {
    if text.contains(['=', '\0']) {
        return Err("contains '=' or a zero byte; write the name alone, and its value as value".to_owned());
    }
    if text.starts_with(RESERVED_ENVIRONMENT_PREFIX) {
        return Err(format!(
            "begins with {RESERVED_ENVIRONMENT_PREFIX}, which AWS Batch keeps for its own variables; give it another name"
        ));
    }
    Ok(())
}

/// Of `onStatusReason` and `onReason`.
fn pattern(text: &str) -> Answer {
    let length = text.chars().count();
    if length > EVALUATE_ON_EXIT_PATTERN_MAX_CHARS {
        return Err(format!(
            "has {length} characters, at most {EVALUATE_ON_EXIT_PATTERN_MAX_CHARS} are allowed"
        ));
    }
    if text.strip_suffix('*').unwrap_or(text).contains('*') {
        return Err(format!("{text:?} has a '*' that is not at its end; only the last character may be one"));
    }
    Ok(())
}

fn exit_code_pattern(text: &str) -> Answer {
    pattern(text)?;
    let digits = text.strip_suffix('*').unwrap_or(text);
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(())
    } else {
        Err(format!("must be digits, which '*' may follow, not {text:?}"))
    }
}

/// In the spellings that a spec is read from.
fn action(text: &str) -> Answer {
    match text {
        "RETRY" | "Retry" | "retry" | "EXIT" | "Exit" | "exit" => Ok(()),
        _ => Err(format!("must be RETRY or EXIT, not {text:?}")),
    }
}

/// Of `retryOn`.
fn retried_cause(text: &str) -> Answer {
    let words = || Cause::ALL.into_iter().map(Cause::as_str);
    match Cause::ALL.into_iter().find(|cause| cause.as_str() == text) {
        Some(cause) => match cause.not_retried_on() {
            None => Ok(()),
            Some(why) => Err(format!("can't be {text}: {why}; remove it")),
        },
        None => Err(match nearest(text, words()) {
            Some(near) => format!("{text:?} is no cause; the nearest known one is {near:?}"),
            None => {
                let retried = Cause::ALL.into_iter().filter(|cause| cause.not_retried_on().is_none());
                let retried: Vec<&str> = retried.map(Cause::as_str).collect();
                format!("{text:?} is no cause, and no known one is near; known are {}", retried.join(", "))
            }
        }),
    }
}

/// A node's index, or a range of which either end may be left out.
fn target_nodes(text: &str) -> Answer {
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let fits = match text.split_once(':') {
        Some((from, to)) => digits(from) && digits(to),
        None => !text.is_empty() && digits(text),
    };
    fits.then_some(())
        .ok_or_else(|| format!("must be a node or a range as in \"0:3\" or \"4:\", not {text:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rule: fn(&str) -> Answer, good: &[&str], bad: &[&str]) {
        for text in good {
            assert_eq!(rule(text), Ok(()), "{text}");
        }
        for text in bad {
            assert!(rule(text).is_err(), "{text}");
        }
    }

    #[test]
    fn queues_and_definitions_are_names_or_arns_of_their_kind() {
        const ARN: &str = "arn:aws:batch:us-east-1:123456789012:";
        let long = "x".repeat(129);
        let queue = format!("{ARN}job-queue/q");
        let definition = format!("{ARN}job-definition/d:1");
        let bad =
            ["my queue!", "-q", "q:1", &long, &definition, "arn:aws:s3:::job-queue/q", "arn:aws:batch:x"];
        check(job_queue, &["q", "Q_1-b", &queue, "arn:aws-us-gov:batch:us-gov-west-1:1:job-queue/q"], &bad);
        let bad =
            ["my def", "d:latest", "d:", "d:1:2", "d:-1", &long, &queue, &format!("{ARN}job-definition/d:x")];
        check(job_definition, &["d", "d:12", &definition, &format!("{ARN}job-definition/d")], &bad);
    }

    #[test]
    fn share_identifiers_are_letters_and_digits() {
        check(share_identifier, &["A1", "x*", &"x".repeat(255)], &["a-b", "*", "a*b", "ä", &"x".repeat(256)]);
    }

    #[test]
    fn patterns_may_end_in_an_asterisk() {
        check(pattern, &["Host EC2*", "*", &"x".repeat(512)], &["*EC2", "a*b*", "a**", &"x".repeat(513)]);
        check(exit_code_pattern, &["0", "137", "1*", "*"], &["x", "-1", "1*2"]);
    }

    #[test]
    fn target_nodes_are_a_node_or_a_range() {
        check(target_nodes, &["0", "0:3", "4:", ":3", ":"], &["", "a", "0:3:4", "-1", "0-3"]);
    }

    #[test]
    fn variables_of_batch_itself_are_reserved() {
        check(variable_name, &["A", "AWS_REGION", "a.b"], &["AWS_BATCH_JOB_ID", "AWS_BATCHES", "a=b"]);
    }

    #[test]
    fn the_causes_of_the_pattern_are_those_that_the_check_takes() {
        let pattern = RETRIED_CAUSE.pattern.unwrap();
        for cause in Cause::ALL {
            let in_pattern = pattern.split(['(', '|', ')']).any(|word| word == cause.as_str());
            assert_eq!(retried_cause(cause.as_str()).is_ok(), in_pattern, "{cause}");
        }
    }

    #[test]
    fn an_action_is_read_in_the_spellings_that_a_spec_is() {
        check(action, &["RETRY", "retry", "Exit"], &["STOP", ""]);
    }
}
