//! Log streams as files: `<root>/<stream name>.jsonl`, one event a line.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `line` | one event as it is written, and how raw output is cut into lines |
//! | `follower` | raw output becomes events, also across a restart |
//! | `directory` | events are read back a page at a time |

mod directory;
mod follower;
mod line;

pub use directory::LogDirectory;
pub(crate) use follower::{Follower, Pumped, become_stream};
