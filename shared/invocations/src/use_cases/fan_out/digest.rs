//! What tells one list from another.

use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::fan_out::FanOutCall;
use crate::ports::PortError;

/// Bytes that are read at once.
const CHUNK_BYTES: usize = 256 * 1024;

/// The digest of a call and of its list, where that is not in the call. `name` is the list's, for errors.
pub async fn digest_list<R: AsyncRead + Unpin>(
    call: &FanOutCall,
    list: Option<(R, &str)>,
) -> Result<String, PortError> {
    let mut digest = Sha256::new();
    digest.update(call.identity());
    if let Some((mut list, name)) = list {
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            let read = list.read(&mut chunk).await;
            let read =
                read.map_err(|error| PortError::retryable("read the list", format!("{name}: {error}")))?;
            if read == 0 {
                break;
            }
            digest.update(&chunk[..read]);
        }
    }
    Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
