//! The ports in memory, with the conditions of the real ones: for tests and simulations.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `functions` | [`InMemoryFunctions`] |
//! | `job_store`, `run_store` | [`InMemoryJobStore`] |
//! | `records` | what it holds |
//! | `lists` | its lists, a page at a time |
//! | `buckets` | [`InMemoryBuckets`] |
//! | `object_store` | [`InMemoryObjectStore`] |
//! | `log_source` | [`InMemoryLogSource`] |

mod buckets;
mod functions;
mod job_store;
mod lists;
mod log_source;
mod object_store;
mod records;
mod run_store;

pub use buckets::{InMemoryBucketWriter, InMemoryBuckets};
pub use functions::{InMemoryFunctions, Reply, Seen};
pub use job_store::InMemoryJobStore;
pub use log_source::InMemoryLogSource;
pub use object_store::{InMemoryObjectStore, InMemoryObjectWriter};

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks also after a panic elsewhere: every change below is made in one piece.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
