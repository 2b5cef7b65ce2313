//! What every Lambda function shares.

use batchwright_core::{domain, events, ports};

pub mod function;
