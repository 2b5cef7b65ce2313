//! Refusals, in the form of each protocol.

use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::ports::{ErrorKind, PortError};

const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

/// Why a request is refused, by AWS's names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    status: StatusCode,
    kind: &'static str,
    message: String,
}

impl Fault {
    /// The request is wrong. AWS Batch's one name for it.
    pub(super) fn client(message: impl Into<String>) -> Self {
        Self::bad_request("ClientException", message)
    }

    /// The request is wrong, by a name of CloudWatch Logs.
    pub(super) fn bad_request(kind: &'static str, message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, kind, message: message.into() }
    }

    /// The request is right and could not be served.
    pub(super) fn server(message: impl ToString) -> Self {
        let message = message.to_string();
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, kind: "ServerException", message }
    }

    /// Nothing here answers such a request.
    pub(super) fn unknown_operation(what: &str) -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            kind: "UnknownOperationException",
            message: format!("{what} is not served here"),
        }
    }

    /// The request comes from where none should.
    pub(super) fn forbidden(message: &str) -> Self {
        Self { status: StatusCode::FORBIDDEN, kind: "AccessDeniedException", message: message.to_owned() }
    }

    /// The request has more bytes than one of AWS's may have.
    pub(super) fn too_large(most: usize) -> Self {
        Self {
            status: StatusCode::PAYLOAD_TOO_LARGE,
            kind: "RequestEntityTooLargeException",
            message: format!("the request has more than {most} bytes"),
        }
    }

    /// The request's body did not come.
    pub(super) fn stalled(message: impl Into<String>) -> Self {
        Self { status: StatusCode::REQUEST_TIMEOUT, kind: "RequestTimeoutException", message: message.into() }
    }

    /// As REST-JSON has it: the type in a header.
    pub(super) fn into_rest(self) -> Response {
        let headers = [(ERROR_TYPE, self.kind), (header::CONTENT_TYPE, "application/json")];
        (self.status, headers, json!({"message": self.message}).to_string()).into_response()
    }

    /// As AWS JSON 1.1 has it: the type in the body.
    pub(super) fn into_json_1_1(self) -> Response {
        let body = json!({"__type": self.kind, "message": self.message});
        (self.status, [(header::CONTENT_TYPE, JSON_1_1)], body.to_string()).into_response()
    }

    /// What is wrong.
    pub(super) fn message(&self) -> &str {
        &self.message
    }
}

/// The media type of AWS JSON 1.1.
pub(super) const JSON_1_1: &str = "application/x-amz-json-1.1";

impl From<PortError> for Fault {
    fn from(error: PortError) -> Self {
        match error.kind {
            ErrorKind::Permanent => Self::client(error.message),
            ErrorKind::Throttled { .. } => Self {
                status: StatusCode::TOO_MANY_REQUESTS,
                kind: "TooManyRequestsException",
                message: error.message,
            },
            ErrorKind::Retryable | ErrorKind::Ambiguous => Self::server(error),
        }
    }
}

/// Reads a request's members. Unknown ones and those that are null are left alone, as AWS does.
pub(super) fn members<T: DeserializeOwned>(body: Value) -> Result<T, String> {
    let read = serde_json::from_value(without_nulls(body));
    read.map_err(|error| format!("the request can't be read: {error}"))
}

/// The same without members that are null, at any depth: to AWS they are absent.
pub(super) fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => members
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key, without_nulls(value)))
            .collect(),
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        plain => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_caller_may_do_decides_the_type() {
        for (error, expected) in [
            (PortError::permanent("SubmitJob", "no"), Fault::client("no")),
            (PortError::retryable("SubmitJob", "later"), Fault::server("SubmitJob: later")),
            (PortError::ambiguous("SubmitJob", "lost"), Fault::server("SubmitJob: lost")),
        ] {
            assert_eq!(Fault::from(error), expected);
        }
        let throttled = Fault::from(PortError::throttled("SubmitJob", None));
        assert_eq!(throttled.status, StatusCode::TOO_MANY_REQUESTS);
    }

    #[test]
    fn each_protocol_has_the_type_in_its_place() {
        let rest = Fault::client("no").into_rest();
        assert_eq!(rest.status(), StatusCode::BAD_REQUEST);
        assert_eq!(rest.headers()[ERROR_TYPE], "ClientException");
        let json = Fault::bad_request("ResourceNotFoundException", "no").into_json_1_1();
        assert_eq!(json.headers()[header::CONTENT_TYPE], JSON_1_1);
        assert!(json.headers().get(ERROR_TYPE).is_none());
    }

    #[test]
    fn members_that_are_null_are_absent() {
        let value = json!({"a": null, "b": {"c": null, "d": [1, {"e": null}]}});
        assert_eq!(without_nulls(value), json!({"b": {"d": [1, {}]}}));
    }
}
