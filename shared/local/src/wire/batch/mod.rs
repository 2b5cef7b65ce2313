//! AWS Batch's operations over the engine.
//!
//! Source: <https://docs.aws.amazon.com/batch/latest/APIReference/API_Operations.html>

mod definitions;
mod environments;
mod jobs;
mod list;
mod names;
mod paging;
mod policies;
mod queues;
mod registration;
mod selection;
mod snapshot;
mod stop;
mod submission;
mod tags;

use std::fmt::Display;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::fault::{Fault, without_nulls};
use super::resources::{Resources, Shelf};
use crate::engine::LocalEngine;
use crate::ports::Clock;

/// The service.
pub(super) struct Batch {
    pub(super) engine: LocalEngine,
    pub(super) shelf: Arc<Shelf>,
    /// Jobs may be submitted to queues that nobody created.
    pub(super) any_queue: bool,
    pub(super) vcpus: u32,
    pub(super) clock: Arc<dyn Clock>,
}

impl Batch {
    /// Answers one call, by the operation's name in the path.
    pub(super) async fn call(&self, operation: &str, body: Value) -> Result<Value, Fault> {
        match operation {
            "submitjob" => self.submit_job(body).await,
            "describejobs" => self.describe_jobs(body).await,
            "listjobs" => self.list_jobs(body).await,
            "canceljob" => self.stop_job(stop::Kind::Cancel, body).await,
            "canceljobs" => self.stop_jobs(stop::Kind::Cancel, body).await,
            "terminatejob" => self.stop_job(stop::Kind::Terminate, body).await,
            "terminatejobs" => self.stop_jobs(stop::Kind::Terminate, body).await,
            "registerjobdefinition" => self.register_job_definition(body).await,
            "describejobdefinitions" => self.describe_job_definitions(body).await,
            "deregisterjobdefinition" => self.deregister_job_definition(body).await,
            "createjobqueue" => self.create_job_queue(body).await,
            "describejobqueues" => self.describe_job_queues(body).await,
            "updatejobqueue" => self.update_job_queue(body).await,
            "deletejobqueue" => self.delete_job_queue(body).await,
            "getjobqueuesnapshot" => self.get_job_queue_snapshot(body).await,
            "createcomputeenvironment" => self.create_compute_environment(body).await,
            "describecomputeenvironments" => self.describe_compute_environments(body).await,
            "updatecomputeenvironment" => self.update_compute_environment(body).await,
            "deletecomputeenvironment" => self.delete_compute_environment(body).await,
            "createschedulingpolicy" => self.create_scheduling_policy(body).await,
            "describeschedulingpolicies" => self.describe_scheduling_policies(body).await,
            "listschedulingpolicies" => self.list_scheduling_policies(body).await,
            "updateschedulingpolicy" => self.update_scheduling_policy(body).await,
            "deleteschedulingpolicy" => self.delete_scheduling_policy(body).await,
            other => Err(Fault::unknown_operation(&format!("the operation {other:?}"))),
        }
    }

    /// Puts new resources in the place of those held.
    async fn keep(&self, held: &mut Resources, new: Resources) -> Result<(), Fault> {
        let kept = self.shelf.replace(held, new).await;
        kept.map_err(|error| Fault::server(format!("what was registered can't be kept: {error}")))
    }
}

/// A request's members as they are kept: without those that are null.
fn object(body: Value) -> Result<Map<String, Value>, Fault> {
    match without_nulls(body) {
        Value::Object(members) => Ok(members),
        _ => Err(Fault::client("the request is no object")),
    }
}

/// All that is wrong, in one message.
fn joined(problems: &[impl Display]) -> String {
    let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
    texts.join("; ")
}
