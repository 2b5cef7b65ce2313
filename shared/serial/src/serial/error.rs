//! What an operation fails of.

use std::io;

use super::text_position::Fault;
use crate::ports::PortError;

/// An operation that failed. What it has written by then is not whole.
#[derive(Debug, thiserror::Error)]
pub enum SerialError {
    /// The input is not what its format says, or can't be what was asked for: it will fail again.
    #[error("{0}")]
    Invalid(#[from] Box<Fault>),
    /// More than the caller allowed.
    #[error("{what} has more than {max_bytes} bytes; {remedy}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// The bound.
        max_bytes: usize,
        /// What to do.
        remedy: &'static str,
    },
    /// The reader failed.
    #[error("the input can't be read: {0}")]
    Read(#[source] io::Error),
    /// The writer failed.
    #[error(transparent)]
    Write(#[from] PortError),
}

impl From<Fault> for SerialError {
    fn from(fault: Fault) -> Self {
        Self::Invalid(Box::new(fault))
    }
}
