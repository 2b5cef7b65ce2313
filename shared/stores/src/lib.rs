//! The ports without AWS: in memory, on SQLite, and a directory that stands for a bucket. A store decides nothing.

use batchwright_core::{domain, ports};

pub mod directory;
pub mod memory;
#[cfg(feature = "sqlite")]
pub mod sqlite;
