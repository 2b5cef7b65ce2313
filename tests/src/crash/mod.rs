//! A whole deployment that dies: each function is stopped for good at its n-th call to a port, before the
//! call takes effect or after it, and what is left must converge.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `fuse` | counts the calls of a process and ends it |
//! | `fused` | every port with a fuse in each call |
//! | `deployment` | the four functions over one store, one Batch, one bucket |
//! | `inbox`, `clock`, `network` | messages, time, and what becomes of `SubmitJob` on its way |
//! | `scenario` | what is asked for, and how it must end |
//! | `verdict` | whether it ended so, by Batch's own books |
//! | `sweep` | a scenario with every death, and with every pair of them |
//! | `cancelled` | a run that somebody cancels at every call, and every death that follows |
//! | `sources` | where the sources call ports |

pub mod cancelled;
pub mod clock;
pub mod deployment;
pub mod fuse;
pub mod fused;
pub mod inbox;
pub mod network;
pub mod scenario;
pub mod sources;
pub mod sweep;
pub mod verdict;
