//! The embedded engine behind the wire protocols of AWS Batch and CloudWatch Logs, on a loopback port.
//!
//! Any client of AWS Batch that can be told an endpoint runs jobs on this machine. Signatures are not
//! checked: whoever is served can run commands as the user of this process. So the loopback interface is listened
//! on unless another is asked for, with names or a token that tell who may ask, and web pages are refused.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `server` | opens the state folder, listens, stops |
//! | `access` | who may ask |
//! | `routes`, `request_ids` | which request is which operation; an id for every answer |
//! | `fault` | refusals, in the form of each protocol |
//! | `client_environment` | what jobs get so that their AWS clients talk to this endpoint |
//! | `resources` | job definitions, queues, compute environments, policies: what is kept beside the engine's books |
//! | `batch/` | AWS Batch (REST-JSON) |
//! | `logs/` | CloudWatch Logs (AWS JSON 1.1) |
//! | `events/` | job state changes sent on, to EventBridge or as plain POSTs |

mod access;
mod batch;
mod client_environment;
mod events;
mod fault;
mod logs;
mod request_ids;
mod resources;
mod routes;
mod server;

pub use access::Access;
pub use events::{EventTarget, InvalidTarget};
pub use server::{ServeOptions, WireError, WireServer, serve_engine};
