//! The claim protocol of one job as a transition system, explored whole.
//!
//! The explorer is our own, of a hundred lines: what is asked is whether from *every* state a settled one
//! can be reached, which needs the whole graph and a walk backwards through it. A checker that follows
//! paths forward answers that only where the graph is a tree.
//!
//! What a store does to a head, what is planned, which state stands and what is tried again is decided by
//! the product's own rules (`memory::head`, `domain::{plan, retry, transition}`), so that the model can't
//! drift from them. What the model adds is the order of the steps of `submit`, `record_state` and
//! `reconcile`, what a network and a service do to them, and time, as three ages of a claim.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `world` | a state: the store, Batch's jobs, requests on their way, who is in the middle of what |
//! | `rules` | the product's rules on the model's words |
//! | `protocol` | what may happen next, step by step |
//! | `network` | what Batch, the network and time do |
//! | `properties` | what must hold |
//! | `explore` | every state, the shortest way to a violation, and the walk backwards |

mod explore;
mod network;
mod properties;
mod protocol;
mod rules;
mod world;

pub use explore::{Explored, Found, explore};
pub use properties::{Violation, is_settled};
pub use protocol::Step;
pub use rules::Rules;
pub use world::{Protocol, Scope, World};
