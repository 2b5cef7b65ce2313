//! AWS Lambda.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `invoker` | `LambdaInvoker`: a function that is started, or waited for by one who knows it |
//! | `caller` | `LambdaCaller`: any function, many at once |
//! | `headers` | the headers of its answer |
//! | `stream` | the same, its answer read as a stream |
//! | `refusals` | which of Lambda's errors say that the function did not run |

mod caller;
mod headers;
mod invoker;
mod refusals;
mod stream;

pub use caller::LambdaCaller;
pub use invoker::{Answer, LambdaInvoker};
