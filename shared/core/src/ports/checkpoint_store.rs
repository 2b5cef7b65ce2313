//! Small objects that several processes may want to change at once.

use std::future::Future;

use super::PortError;

/// Tells two contents of one object apart: an ETag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(pub String);

/// An object and the version that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its content.
    pub bytes: Vec<u8>,
    /// To be given back when it is saved.
    pub version: Version,
}

/// Objects that are saved only on top of what was read, so that of two processes one goes on.
pub trait CheckpointStore: Send + Sync {
    /// Reads an object; `None` where there is none.
    fn load(&self, key: &str) -> impl Future<Output = Result<Option<Stored>, PortError>> + Send;

    /// Saves an object over the version that was read, or, with `None`, where there is none yet. Returns its
    /// new version; `None` where somebody else has saved it meanwhile, and nothing was written.
    fn save(
        &self,
        key: &str,
        bytes: &[u8],
        over: Option<&Version>,
    ) -> impl Future<Output = Result<Option<Version>, PortError>> + Send;
}
