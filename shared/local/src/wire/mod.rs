//! The embedded engine behind the wire protocols of AWS Batch and CloudWatch Logs, on a loopback port.
//!
//! Any client of AWS Batch that can be told an endpoint runs jobs on this machine. Signatures are not
//! checked: whoever can reach the port can run commands as the user of this process. So only the loopback
//! interface is listened on, and what a web page sends is refused.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `server` | opens the state folder, listens, stops |
//! | `routes` | which request is which operation; who may ask |
//! | `fault` | refusals, in the form of each protocol |
//! | `client_environment` | what jobs get so that their AWS clients talk to this endpoint |
//! | `resources` | job definitions with their revisions, job queues: what is kept beside the engine's books |
//! | `batch/` | AWS Batch (REST-JSON) |
//! | `logs/` | CloudWatch Logs (AWS JSON 1.1) |
//! | `events/` | job state changes sent on, to EventBridge or as plain POSTs |

mod batch;
mod client_environment;
mod events;
mod fault;
mod logs;
mod resources;
mod routes;
mod server;

pub use events::{EventTarget, InvalidTarget};
pub use server::{ServeOptions, WireError, WireServer};
