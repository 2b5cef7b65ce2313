//! AWS Batch's operations over the engine.
//!
//! Source: <https://docs.aws.amazon.com/batch/latest/APIReference/API_Operations.html>

mod definitions;
mod jobs;
mod list;
mod queues;
mod selection;
mod stop;
mod submission;
mod tags;

use std::fmt::Display;

use serde_json::{Value, json};

use super::fault::Fault;
use super::resources::{Resources, Shelf};
use crate::engine::{LocalEngine, arn};

/// The service.
pub(super) struct Batch {
    pub(super) engine: LocalEngine,
    pub(super) shelf: Shelf,
    /// Jobs may be submitted to queues that nobody created.
    pub(super) any_queue: bool,
    pub(super) vcpus: u32,
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
            "describecomputeenvironments" => Ok(self.describe_compute_environments()),
            other => Err(Fault::unknown_operation(&format!("the operation {other:?}"))),
        }
    }

    /// This machine, as the one compute environment.
    fn describe_compute_environments(&self) -> Value {
        json!({"computeEnvironments": [{
            "computeEnvironmentName": COMPUTE_ENVIRONMENT,
            "computeEnvironmentArn": arn::arn("compute-environment", COMPUTE_ENVIRONMENT),
            "ecsClusterArn": "",
            "type": "UNMANAGED",
            "state": "ENABLED",
            "status": "VALID",
            "statusReason": "ComputeEnvironment Healthy",
            "unmanagedvCpus": self.vcpus,
            "tags": {},
        }]})
    }

    /// Puts new resources in the place of those held.
    async fn keep(&self, held: &mut Resources, new: Resources) -> Result<(), Fault> {
        let kept = self.shelf.replace(held, new).await;
        kept.map_err(|error| Fault::server(format!("what was registered can't be kept: {error}")))
    }
}

/// The compute environment's name.
const COMPUTE_ENVIRONMENT: &str = arn::COMPUTE_ENVIRONMENT;

/// All that is wrong, in one message.
fn joined(problems: &[impl Display]) -> String {
    let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
    texts.join("; ")
}
