//! What every Lambda function shares. A function is a library, which turns an event into use cases and
//! their results into an answer. Its `start` puts the adapters together and calls [`serve`]. One program holds all functions.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `config` | variables, read once through a look-up closure |
//! | `messages` | a batch of queue messages, each handled or handed back |
//! | `answer` | [`Answer`] and [`FunctionError`] |
//! | `metrics` | CloudWatch's embedded metric format |
//! | `declared` | every metric and every field of the log |
//! | `logging` | JSON lines with dotted fields |
//! | `serve` | the loop of the Lambda runtime, and how long an invocation lasts |

mod answer;
mod config;
mod declared;
mod logging;
mod messages;
mod metrics;
mod serve;

pub use answer::{Answer, FunctionError};
pub use config::{ConfigError, environment, flag, number, text};
pub use declared::{Declared, LOG_FIELDS, METRICS};
pub use messages::{Batch, each_message};
pub use metrics::Metric;
pub use serve::{Invocation, main, serve};
