//! RFC 7946's rules over one object: what breaks them, and what they advise against.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `findings` | what is wrong, listed up to a bound and counted |
//! | `check` | the object under the eye, with its JSON Pointer |
//! | `object` | types, members, features, collections |
//! | `geometry` | coordinates by type, positions, rings |
//! | `bbox` | length and order of a bounding box |

mod bbox;
mod check;
mod findings;
mod geometry;
mod object;
#[cfg(test)]
mod tests;

pub(super) use check::Check;
pub(super) use findings::Findings;
pub use findings::{Finding, Severity};
pub(super) use object::{collection_header, feature, object};
