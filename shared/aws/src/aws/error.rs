//! What an SDK error means to a caller.

use std::error::Error;
use std::time::Duration;

use aws_config::meta::ProviderChainError;
use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_types::request_id::RequestId as _;

use crate::ports::{ErrorKind, PortError, ServiceAnswer};

/// Whether a call may be repeated without harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Twice is once.
    Idempotent,
    /// Twice is twice: `SubmitJob`.
    Once,
}

/// Codes that say "too many", beside the status 429. Source: the SDKs' retry specification.
const THROTTLES: &[&str] = &[
    "BandwidthLimitExceeded",
    "LimitExceededException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionInProgressException",
];

/// Codes that say that the caller may not, whatever it asks for. Sources: the errors that all services have in common
/// (Common Error Types), and S3's.
const OF_CALLER: &[&str] = &[
    "AccessDenied",
    "AccessDeniedException",
    "AuthFailure",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "IncompleteSignatureException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "InvalidToken",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "NotAuthorized",
    "OptInRequired",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "UnauthorizedOperation",
    "UnrecognizedClientException",
];

/// Translates an SDK error, once, at the adapter's edge.
pub(crate) fn port_error<E>(
    operation: &'static str,
    effect: Effect,
    error: SdkError<E, HttpResponse>,
) -> PortError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    described(operation, effect, &error).with_origin(error)
}

/// The same without the error that it is made from.
pub(super) fn described<E>(
    operation: &'static str,
    effect: Effect,
    error: &SdkError<E, HttpResponse>,
) -> PortError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let kind = match error {
        SdkError::ConstructionFailure(_) => ErrorKind::Permanent,
        SdkError::DispatchFailure(failure) => {
            failure.as_connector_error().and_then(|error| before_sending(error)).unwrap_or(unknown(effect))
        }
        SdkError::ServiceError(service) => {
            let response = service.raw();
            kind_of(effect, response.status().as_u16(), service.err().code(), retry_after(response))
        }
        SdkError::TimeoutError(_) | SdkError::ResponseError(_) => unknown(effect),
        _ => unknown(effect),
    };
    let message = match error {
        SdkError::ServiceError(service) => match (service.err().code(), service.err().message()) {
            (Some(code), message) => format!("{code}: {}", message.unwrap_or("no message")),
            (None, _) => bare(service.raw().status().as_u16(), operation),
        },
        other => in_words(other),
    };
    let mut failed = PortError::new(kind, operation, message);
    let without_credentials = kind == ErrorKind::Permanent && matches!(error, SdkError::DispatchFailure(_));
    if without_credentials || error.code().is_some_and(|code| OF_CALLER.contains(&code)) {
        failed = failed.of_caller();
    }
    match error.raw_response() {
        Some(response) => failed.with_answer(answer(response, error.code())),
        None => failed,
    }
}

/// An answer that says nothing but its status. Those to HEAD have no body, so that S3 can't say what is missing, and it refuses
/// to say that an object is not there to who may not list the bucket.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html>
fn bare(status: u16, operation: &str) -> String {
    match (status, operation) {
        (403, "HeadObject") => "status 403: denied, or there is no such object; allow s3:GetObject on it (of a version s3:GetObjectVersion), and s3:ListBucket on its bucket".to_owned(),
        (403, "HeadBucket") => "status 403: denied; allow s3:ListBucket on the bucket".to_owned(),
        (301 | 400, "HeadObject" | "HeadBucket") => {
            format!("status {status}: refused without a reason; is the bucket in another Region, or are the credentials no longer valid?")
        }
        _ => format!("status {status}, and no reason was given"),
    }
}

fn answer(response: &HttpResponse, code: Option<&str>) -> ServiceAnswer {
    let mut answer = ServiceAnswer::default();
    answer.status = Some(response.status().as_u16());
    answer.code = code.map(str::to_owned);
    answer.request_id = response.request_id().map(str::to_owned);
    answer
}

/// What a service's own answer says.
pub(crate) fn kind_of(
    effect: Effect,
    status: u16,
    code: Option<&str>,
    retry_after: Option<Duration>,
) -> ErrorKind {
    match (status, code) {
        (429, _) => ErrorKind::Throttled { retry_after },
        (_, Some(code)) if THROTTLES.contains(&code) => ErrorKind::Throttled { retry_after },
        (500.., _) | (408, _) => unknown(effect),
        // Done or not, the answer can't be read; S3 also puts errors into an answer with status 200.
        (..300, _) => unknown(effect),
        _ => ErrorKind::Permanent,
    }
}

/// Nobody knows whether the call took effect.
fn unknown(effect: Effect) -> ErrorKind {
    match effect {
        Effect::Idempotent => ErrorKind::Retryable,
        Effect::Once => ErrorKind::Ambiguous,
    }
}

/// What a failure means that came before anything was sent: no credentials, or no connection (no such
/// host, refused, no TLS, not in time). `None` where the request may have been sent.
fn before_sending(error: &(dyn Error + 'static)) -> Option<ErrorKind> {
    let mut source = Some(error);
    while let Some(error) = source {
        match error.downcast_ref::<CredentialsError>() {
            Some(CredentialsError::CredentialsNotLoaded(_) | CredentialsError::InvalidConfiguration(_)) => {
                return Some(ErrorKind::Permanent);
            }
            Some(_) => return Some(ErrorKind::Retryable),
            None => {}
        }
        let client = error.downcast_ref::<hyper_util::client::legacy::Error>();
        if client.is_some_and(hyper_util::client::legacy::Error::is_connect) {
            return Some(ErrorKind::Retryable);
        }
        source = error.source();
    }
    None
}

/// What somebody can do who has no credentials.
const CREDENTIALS_REMEDY: &str = "name a profile (--profile, AWS_PROFILE, Config::profile), set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or log in with `aws sso login`; what is public in S3 needs none with --no-sign-request";

/// An error and what led to it, as one line for a person. Each error says its part once: many repeat that of their source,
/// and the SDK's own (`DisplayErrorContext`) appends all of it once more as Rust's `Debug`.
pub fn in_words(error: &(dyn Error + 'static)) -> String {
    let chain: Vec<_> = std::iter::successors(Some(error), |&error| error.source()).collect();
    let Some(at) = chain.iter().position(|error| error.is::<CredentialsError>()) else {
        return joined(&chain);
    };
    let why = joined(&chain[at + 1..]);
    match chain[at].downcast_ref() {
        Some(CredentialsError::CredentialsNotLoaded(_)) => {
            let of_profile = chain.get(at + 1).and_then(|error| of_profile(*error)).unwrap_or(why);
            let of_profile = if of_profile.is_empty() { of_profile } else { format!(" ({of_profile})") };
            format!("no AWS credentials were found{of_profile}; {CREDENTIALS_REMEDY}")
        }
        _ if why.is_empty() => format!("there are no AWS credentials: {}", chain[at]),
        _ => format!("there are no AWS credentials: {why}"),
    }
}

/// Of all the places that were looked into, what the profile said: it may have been named and not be there, while the others are
/// only not set.
fn of_profile(error: &(dyn Error + 'static)) -> Option<String> {
    let places = error.downcast_ref::<ProviderChainError<CredentialsError>>()?;
    let profile = places.attempts().iter().find(|attempt| attempt.name() == "Profile");
    let why = profile.and_then(|attempt| attempt.error().source());
    Some(why.map(in_words).unwrap_or_default())
}

fn joined(chain: &[&(dyn Error + 'static)]) -> String {
    let mut words = String::new();
    for error in chain {
        let text = error.to_string();
        if words.contains(&text) {
            continue;
        }
        if !words.is_empty() {
            words.push_str(": ");
        }
        words.push_str(&text);
    }
    words
}

/// `Retry-After` in seconds. The form with a date is not used by AWS.
pub(super) fn retry_after(response: &HttpResponse) -> Option<Duration> {
    response.headers().get("retry-after")?.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use aws_smithy_runtime_api::client::result::ConnectorError;

    use super::*;

    /// Says its text, and then its source.
    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Said {
        text: &'static str,
        source: Option<Box<Said>>,
    }

    fn said(texts: &[&'static str]) -> Said {
        let (text, rest) = texts.split_first().unwrap();
        Said { text, source: (!rest.is_empty()).then(|| Box::new(said(rest))) }
    }

    #[test]
    fn an_error_is_told_in_words_and_each_part_once() {
        for (texts, told) in [
            (
                &["dispatch failure", "io error", "tcp connect error"][..],
                "dispatch failure: io error: tcp connect error",
            ),
            (&["it broke: no route", "no route"], "it broke: no route"),
            (&["", "no route"], "no route"),
            (&["alone"], "alone"),
        ] {
            assert_eq!(in_words(&said(texts)), told);
        }
    }

    #[test]
    fn missing_credentials_are_told_with_what_to_do() {
        let failed = |error: CredentialsError| {
            let connector = ConnectorError::other(error.into(), None);
            in_words(&SdkError::<Said, HttpResponse>::dispatch_failure(connector))
        };
        let nothing = failed(CredentialsError::not_loaded(said(&["no profiles were defined"])));
        assert_eq!(
            nothing,
            format!("no AWS credentials were found (no profiles were defined); {CREDENTIALS_REMEDY}")
        );
        let refused = failed(CredentialsError::provider_error(said(&["it exited with 1", "no such token"])));
        assert_eq!(refused, "there are no AWS credentials: it exited with 1: no such token");
        for remedy in ["--profile", "AWS_PROFILE", "--no-sign-request"] {
            assert!(nothing.contains(remedy), "{nothing}");
        }
        for told in [nothing, refused] {
            assert!(!told.contains(['{', '\n']), "no dump: {told}");
        }
    }

    #[test]
    fn an_answer_without_a_reason_is_told_by_its_status_and_what_may_be_missing() {
        for (status, operation, told) in [
            (403, "HeadObject", "s3:GetObject"),
            (403, "HeadBucket", "s3:ListBucket"),
            (400, "HeadObject", "another Region"),
            (502, "HeadObject", "status 502, and no reason was given"),
            (403, "SubmitJob", "status 403, and no reason was given"),
        ] {
            let bare = bare(status, operation);
            assert!(bare.contains(told) && !bare.contains('{'), "{bare}");
        }
    }

    #[test]
    fn answers_are_told_apart_by_status_and_code() {
        let throttled = ErrorKind::Throttled { retry_after: None };
        let table = [
            (429, Some("TooManyRequestsException"), throttled, throttled),
            (429, None, throttled, throttled),
            (400, Some("ThrottlingException"), throttled, throttled),
            (400, Some("ProvisionedThroughputExceededException"), throttled, throttled),
            (503, Some("SlowDown"), throttled, throttled),
            (400, Some("ClientException"), ErrorKind::Permanent, ErrorKind::Permanent),
            (403, Some("AccessDeniedException"), ErrorKind::Permanent, ErrorKind::Permanent),
            (404, None, ErrorKind::Permanent, ErrorKind::Permanent),
            (500, Some("ServerException"), ErrorKind::Retryable, ErrorKind::Ambiguous),
            (503, None, ErrorKind::Retryable, ErrorKind::Ambiguous),
            (408, None, ErrorKind::Retryable, ErrorKind::Ambiguous),
            (200, None, ErrorKind::Retryable, ErrorKind::Ambiguous),
            (200, Some("SlowDown"), throttled, throttled),
            (200, Some("InternalError"), ErrorKind::Retryable, ErrorKind::Ambiguous),
        ];
        for (status, code, idempotent, once) in table {
            assert_eq!(kind_of(Effect::Idempotent, status, code, None), idempotent, "{status} {code:?}");
            assert_eq!(kind_of(Effect::Once, status, code, None), once, "{status} {code:?}");
        }
    }
}
