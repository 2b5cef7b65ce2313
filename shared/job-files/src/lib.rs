//! Job files, read as a stream, checked, with the line and field of what is wrong.

use batchwright_core::domain;

pub mod job_file;
