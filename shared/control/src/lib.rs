//! What batchwright does with jobs: free functions over ports ([`use_cases`]), and how calls keep to a quota
//! ([`pace`]). Neither knows an adapter.

use batchwright_core::{domain, events, ports};
use batchwright_job_files::job_file;

pub mod pace;
pub mod use_cases;

#[cfg(test)]
use batchwright_stores::memory;
