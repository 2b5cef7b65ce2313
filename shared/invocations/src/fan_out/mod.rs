//! The rules of invoking many functions: what may be asked for, how many at once, what is tried again,
//! what is said of each. Pure; what is done by them is in [`crate::use_cases::fan_out`].
//!
//! | file | what it holds |
//! | --- | --- |
//! | `call`, `fields` | the call as it is written; unknown fields |
//! | `order`, `tolerated` | the call that was checked; how many may fail |
//! | `target` | names of functions, and the list of those that may be invoked |
//! | `context` | the client context, in base64 |
//! | `limits` | Lambda's quotas, and our own |
//! | `concurrency` | how many invocations may be under way |
//! | `retry`, `refusal` | what is tried again; whom an error holds up |
//! | `result` | what is said of one invocation |
//! | `latencies`, `summary` | what is said of all |
//! | `reorder`, `indices` | results back into the order of the list; a set of places in it |
//! | `json` | JSON that is passed on as it came |
//! | `checkpoint` | how far a fan-out has come |

mod call;
mod checkpoint;
mod concurrency;
#[cfg(test)]
mod concurrency_simulation;
mod context;
mod fields;
mod indices;
mod json;
mod latencies;
pub mod limits;
mod order;
mod refusal;
mod reorder;
mod result;
mod retry;
mod summary;
mod target;
mod tolerated;

pub use call::{Continuation, FanOutCall, InvalidCall, Invocation, LargePayloads, read_call};
pub use checkpoint::{Checkpoint, CheckpointState, Early, Open, Progress};
pub use indices::Indices;
pub use json::Json;
pub use latencies::Latencies;
pub use order::{Order, Source, Terms};
pub use reorder::{ResultOrder, Settled};
pub use result::{ItemOutcome, ItemResult, Payload};
pub use retry::{Ran, RetryPolicy};
pub use summary::{Counts, Quantiles, Summary};
pub use target::{FunctionName, Targets};
pub use tolerated::Tolerated;

pub(crate) use call::invocation_of;
pub(crate) use concurrency::{Concurrency, Ticket};
pub(crate) use context::client_context;
pub(crate) use order::Resolved;
pub(crate) use refusal::{Holds, holds};
pub(crate) use reorder::Reorder;
pub(crate) use retry::Next;
