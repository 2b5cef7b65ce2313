//! The ports without AWS: in memory, on SQLite, on Redis, and a directory that stands for a bucket. A store decides nothing.

use batchwright_core::{domain, ports};

pub mod directory;
pub mod memory;
#[cfg(feature = "redis")]
pub mod redis;
#[cfg(feature = "sqlite")]
pub mod sqlite;

#[cfg(feature = "sqlite")]
pub use sqlite::gathering::Gathering;
