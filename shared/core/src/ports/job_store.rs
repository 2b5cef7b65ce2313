//! Where the state of all jobs is kept.

use super::{ClaimStore, JobQueries, JobRemoval, StateStore, WorkLists};

/// Heads and submissions of all jobs. Every write is one condition and one change, applied as one, so
/// that any number of writers may race; repeated, it changes nothing more.
///
/// A store implements the five ports, and is a `JobStore` by that; a use case asks for those it calls.
pub trait JobStore: ClaimStore + StateStore + WorkLists + JobQueries + JobRemoval {}

impl<S: ClaimStore + StateStore + WorkLists + JobQueries + JobRemoval> JobStore for S {}
