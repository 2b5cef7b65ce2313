//! Calls kept to the quotas of an account and Region.

mod paced_engine;
mod shared_pace;
mod token_bucket;

pub use paced_engine::PacedEngine;
pub use shared_pace::SharedPace;
pub use token_bucket::TokenBucket;
