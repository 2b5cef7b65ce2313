//! The rules of invoking many functions: what may be asked for, how many at once, what is tried again,
//! what is said of each. Pure; what is done by them is in [`crate::use_cases::fan_out`].
//!
//! | file | what it holds |
//! | --- | --- |
//! | `request`, `fields` | the call, read and checked; unknown fields |
//! | `target` | names of functions, and the list of those that may be invoked |
//! | `context` | the client context, in base64 |
//! | `limits` | Lambda's quotas, and our own |
//! | `concurrency` | how many invocations may be under way |
//! | `retry` | what is tried again |
//! | `result` | what is said of one invocation |
//! | `latencies`, `summary` | what is said of all |
//! | `reorder` | results back into the order of the list |
//! | `checkpoint` | how far a fan-out has come |

mod checkpoint;
mod concurrency;
mod context;
mod fields;
mod latencies;
pub mod limits;
mod reorder;
mod request;
mod result;
mod retry;
mod summary;
mod target;

pub use checkpoint::{Checkpoint, Open, Progress, State};
pub use concurrency::{Concurrency, Ticket};
pub use latencies::Latencies;
pub use reorder::{Reorder, Settled};
pub use request::{
    Continuation, FanOutCall, InvalidCall, Invocation, LargePayloads, Order, Source, Terms, Tolerated,
    read_call,
};
pub use result::{ItemResult, Outcome, Payload};
pub use retry::{Next, Ran, RetryPolicy};
pub use summary::{Counts, Quantiles, Summary};
pub use target::{FunctionName, Targets};

pub(crate) use context::client_context;
pub(crate) use fields::check_fields;
pub(crate) use request::invocation_of;
pub(crate) use result::function_error;
