//! What is said of one invocation.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// What became of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ItemOutcome {
    /// The function ran well, took the event, or may be invoked.
    Succeeded,
    /// The function ran and failed.
    FunctionError,
    /// It did not run: refused, too large, no invocation, or too many attempts in vain.
    Rejected,
    /// It may have run: its answer was lost.
    Unknown,
    /// It was not started, or given up before it ran, because too many had failed or the caller stopped.
    NotRun,
}

impl ItemOutcome {
    /// Whether it counts against what is tolerated.
    pub fn is_failure(self) -> bool {
        matches!(self, ItemOutcome::FunctionError | ItemOutcome::Rejected | ItemOutcome::Unknown)
    }
}

/// One line of the results.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ItemResult {
    /// Its place in the list, from 0.
    pub index: u64,
    /// What became of it.
    pub outcome: ItemOutcome,
    /// How often it was sent.
    pub attempts: u32,
    /// From sending the last attempt to its answer or failure.
    pub duration_ms: u64,
    /// The HTTP status of the last attempt, where one came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_code: Option<u16>,
    /// The version that ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executed_version: Option<String>,
    /// The function's own, or Lambda's name of the error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_type: Option<String>,
    /// What the function, Lambda or the connection said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    /// The end of the function's log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_tail: Option<String>,
    /// What it answered.
    #[serde(flatten)]
    pub payload: Payload,
}

/// What a function answered; at most one is there.
#[derive(Debug, Clone, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Payload {
    /// JSON, digit by digit as the function gave it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<serde_json::Value>"))]
    pub payload: Option<Box<RawValue>>,
    /// A text that is no JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload_text: Option<String>,
    /// Bytes that are no text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload_base64: Option<String>,
    /// Where it lies, because it is large.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload_uri: Option<String>,
}

impl Payload {
    /// What an answer holds.
    pub fn of(bytes: Vec<u8>) -> Self {
        if bytes.is_empty() {
            return Self::default();
        }
        match String::from_utf8(bytes) {
            Err(error) => Self { payload_base64: Some(STANDARD.encode(error.as_bytes())), ..Self::default() },
            // Line ends stand between JSON's tokens only: a string holds none.
            Ok(text) => match RawValue::from_string(text.replace(['\n', '\r'], " ")) {
                Ok(json) => Self { payload: Some(json), ..Self::default() },
                Err(_) => Self { payload_text: Some(text), ..Self::default() },
            },
        }
    }

    /// What lies elsewhere.
    pub fn at(uri: String) -> Self {
        Self { payload_uri: Some(uri), ..Self::default() }
    }
}

impl ItemResult {
    /// An item that was never sent.
    pub(crate) fn unsent(
        index: u64,
        outcome: ItemOutcome,
        error_type: &str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            index,
            outcome,
            attempts: 0,
            duration_ms: 0,
            status_code: None,
            executed_version: None,
            error_type: Some(error_type.to_owned()),
            error_message: Some(message.into()),
            log_tail: None,
            payload: Payload::default(),
        }
    }

    /// As one line.
    pub(crate) fn line(&self) -> String {
        let mut line = serde_json::to_string(self).expect("a result has string keys only");
        line.push('\n');
        line
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(bytes: &[u8]) -> serde_json::Value {
        serde_json::to_value(Payload::of(bytes.to_vec())).unwrap()
    }

    #[test]
    fn an_answer_is_json_or_text_or_bytes() {
        for (bytes, expected) in [
            (&b""[..], json!({})),
            (b"null", json!({"payload": null})),
            (b"{\"a\":\n [1,\r\n2]}", json!({"payload": {"a": [1, 2]}})),
            (b"plain\ntext", json!({"payloadText": "plain\ntext"})),
            (b"\xFF\x00", json!({"payloadBase64": "/wA="})),
        ] {
            assert_eq!(shown(bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn a_result_is_one_line_and_keeps_every_digit() {
        let mut result = ItemResult::unsent(7, ItemOutcome::NotRun, "NotRun", "no");
        result.payload = Payload::of(b"[123456789012345678901234567890,\n1.10]".to_vec());
        assert_eq!(
            result.line(),
            "{\"index\":7,\"outcome\":\"NOT_RUN\",\"attempts\":0,\"durationMs\":0,\"errorType\":\"NotRun\",\
             \"errorMessage\":\"no\",\"payload\":[123456789012345678901234567890, 1.10]}\n"
        );
    }
}
