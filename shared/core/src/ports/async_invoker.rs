//! How one function calls another, or itself for the rest of its work.

use std::future::Future;

use super::PortError;

/// Starts functions.
pub trait AsyncInvoker: Send + Sync {
    /// Hands a function a JSON payload and does not wait for it. At least once: the function may get the
    /// payload twice, so it must bear that.
    fn invoke_later(
        &self,
        function: &str,
        payload: &[u8],
    ) -> impl Future<Output = Result<(), PortError>> + Send;
}
