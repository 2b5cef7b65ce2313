//! One machine instead of AWS.
//!
//! - [`engine`]: AWS Batch's behaviour and events, real and simulated.
//! - [`local`]: the controller of one state folder.
//! - [`wire`]: the engine behind the wire protocols of AWS Batch and CloudWatch Logs.

use batchwright_control::use_cases;
use batchwright_core::{domain, events, ports};
use batchwright_job_files::job_file;
use batchwright_stores::{Gathering, directory, sqlite};

pub mod engine;
pub mod local;
pub mod wire;
