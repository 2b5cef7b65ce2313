//! What the function holds of one object, and how it says so.

use batchwright::objects::{Failure, FailureCode, Validated};
use batchwright::serial::Limits;

/// What is held of one object: several share a function's 256 MB.
pub(super) const LIMITS: Limits =
    Limits { record_max_bytes: 16 * 1024 * 1024, whole_max_bytes: 4 * 1024 * 1024 };

/// What begins the remedy that a call has not: the program and the library may be given other bounds.
const RAISE: &str = "raise the bound";

const ELSEWHERE: &str = "use `batchwright s3`, whose bounds can be raised";

/// The failure with a remedy that a caller of the function has.
pub(super) fn in_a_call(failure: Failure) -> Failure {
    match failure.code {
        FailureCode::TooLarge | FailureCode::InvalidContent => {
            Failure { message: with_own_remedy(failure.message), ..failure }
        }
        _ => failure,
    }
}

/// The same of each finding.
pub(super) fn found_in_a_call(mut seen: Validated) -> Validated {
    for finding in &mut seen.findings {
        finding.message = with_own_remedy(std::mem::take(&mut finding.message));
    }
    seen
}

/// Puts the program in place of the option that moves the bound. What else can be done stays.
fn with_own_remedy(message: String) -> String {
    let Some((what, rest)) = message.split_once(RAISE) else { return message };
    let rest = match rest.strip_prefix(" (").and_then(|options| options.split_once(')')) {
        Some((_, rest)) => rest,
        None => rest,
    };
    match rest.strip_prefix(", or ") {
        Some(other) => format!("{what}{other}, or {ELSEWHERE}"),
        None => format!("{what}{ELSEWHERE}{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_that_no_call_can_move_is_told_with_what_else_can_be_done() {
        for (told, own) in [
            (
                "the YAML document has more than 9 bytes; raise the bound (--max-yaml-bytes; of load --max-bytes), or write it as several documents",
                "the YAML document has more than 9 bytes; write it as several documents, or use `batchwright s3`, whose bounds can be raised",
            ),
            (
                "the members have more than 9 bytes; raise the bound (--max-record-bytes; of load --max-bytes)",
                "the members have more than 9 bytes; use `batchwright s3`, whose bounds can be raised",
            ),
            (
                "more than 9 bytes; raise the bound, or convert it",
                "more than 9 bytes; convert it, or use `batchwright s3`, whose bounds can be raised",
            ),
            ("line 1: no value", "line 1: no value"),
        ] {
            assert_eq!(with_own_remedy(told.to_owned()), own);
        }
    }
}
