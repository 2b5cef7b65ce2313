//! What batchwright does with jobs: free functions over ports. They know no adapter.

use batchwright_core::{domain, events, ports};
use batchwright_job_files::job_file;

pub mod use_cases;

#[cfg(test)]
use batchwright_stores::memory;
