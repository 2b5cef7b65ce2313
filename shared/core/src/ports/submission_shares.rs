//! How many programs submit jobs at present.

use std::future::Future;

use super::PortError;
use crate::domain::Timestamp;

/// A list of the programs that submit jobs into one account and Region, so that they share its quota.
pub trait SubmissionShares: Send + Sync {
    /// Says that this program submits until a moment, and returns how many do so now, itself included.
    fn renew(&self, now: Timestamp, until: Timestamp) -> impl Future<Output = Result<u32, PortError>> + Send;
}
