//! Job state changes, sent on as they happen.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `target` | where they go, and the requests that are made of them |
//! | `delivery` | batches, in order, tried again while the target is away, given up in the end |

mod delivery;
mod target;

pub(super) use delivery::{Policy, deliver};
pub use target::{EventTarget, InvalidTarget};
