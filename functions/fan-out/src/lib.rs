//! The fan-out: invokes many functions at once, for other services, and gathers what they answer.
//!
//! | what wakes it | what it does | what it answers |
//! | --- | --- | --- |
//! | a direct call: `{"functionName", "payloads"}` and its like | invokes each, once | a summary; the results, or where they are |
//! | the same, with `tree` | splits a long list among copies of itself | how far they have come |
//! | itself: `{"continue": {"runId", "branch"}}` | goes on with the rest | the same |
//!
//! A call that Lambda repeats, and two calls with one `runId`, are one fan-out: the second goes on with it where
//! the first was cut off, and else tells how it goes or how it went. What becomes of one invocation is never
//! the fan-out's error.

mod config;
mod handler;
mod request;
mod response;
mod run;
#[cfg(feature = "schema")]
pub mod schema;
mod start;
mod tree;

pub use config::Config;
pub use handler::{Ports, handle};
pub use response::{AnswerState, Response};
pub use start::start;
