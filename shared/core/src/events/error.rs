//! Why a message is no event.

use std::fmt;

/// A message that is none of the events that are read. It names what came; sending it again changes
/// nothing.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// Not JSON at all.
    #[error("the event is not JSON: {0}")]
    NotJson(#[source] serde_json::Error),
    /// JSON, but of another kind.
    #[error("not an event that is read here: {0}")]
    Unknown(String),
    /// The right kind, in a shape that can't be read.
    #[error("malformed {kind}: {reason}")]
    Malformed {
        /// The kind of event.
        kind: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

impl EventError {
    pub(super) fn malformed(kind: &'static str, reason: &dyn fmt::Display) -> Self {
        Self::Malformed { kind, reason: reason.to_string() }
    }

    /// Names what an envelope says it is.
    pub(super) fn unknown(source: &str, detail_type: &str) -> Self {
        Self::Unknown(format!("source {source:?} with detail-type {detail_type:?}"))
    }
}
