//! Calls kept to the quotas of an account and Region.

mod paced_engine;
mod token_bucket;

pub use paced_engine::PacedEngine;
pub use token_bucket::TokenBucket;
