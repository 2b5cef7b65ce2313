//! `ListJobs`.

use serde::Serialize;
use serde_json::{Value, json};

use super::Batch;
use super::selection::{ListJobs, Scope, Selection};
use crate::domain::JobId;
use crate::engine::JobRecord;
use crate::engine::arn::resource_name;
use crate::events::{ArrayPropertiesDetail, JobDetail};
use crate::ports::PortError;
use crate::wire::fault::{Fault, members};

/// Records that are read from the books at once.
const STRIDE: usize = 500;

/// An entry of the answer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    #[serde(skip_serializing_if = "Option::is_none")]
    job_arn: Option<String>,
    job_id: JobId,
    job_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<i64>,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    container: Option<ContainerSummary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    array_properties: Option<ArrayPropertiesDetail>,
    #[serde(skip_serializing_if = "Option::is_none")]
    node_properties: Option<NodeSummary>,
    job_definition: String,
}

/// Of a multi-node job how many nodes it has, and of a node which it is.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NodeSummary {
    #[serde(skip_serializing_if = "Option::is_none")]
    is_main_node: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    node_index: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    num_nodes: Option<i32>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ContainerSummary {
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// Jobs that were selected, each with its place, in order; one more than the page holds where there are
/// more.
type Selected = Vec<(u64, JobDetail)>;

impl Batch {
    pub(super) async fn list_jobs(&self, body: Value) -> Result<Value, Fault> {
        let request: ListJobs = members(body).map_err(Fault::client)?;
        let selection = Selection::of(&request).map_err(Fault::client)?;
        let token = request.next_token.as_deref().map(str::parse::<u64>).transpose();
        let token = token.map_err(|_| Fault::client("nextToken: is not one of this list's"))?;
        let mut selected = match &selection.scope {
            Scope::Queue(queue) => self.submissions(queue, &selection, token).await?,
            Scope::Array(array) => self.children(array, JobId::array_child, &selection, token).await?,
            Scope::Nodes(job) => self.children(job, JobId::node, &selection, token).await?,
        };
        let more = selected.len() > selection.page;
        selected.truncate(selection.page);
        let last = selected.last().map(|(place, _)| place.to_string());
        let summaries: Vec<Summary> = selected.into_iter().map(|(_, job)| summary(job)).collect();
        let mut answer = json!({"jobSummaryList": summaries});
        if let Some(last) = last.filter(|_| more) {
            answer["nextToken"] = last.into();
        }
        Ok(answer)
    }

    /// A queue's submissions, newest first. A place is the number of the submission.
    async fn submissions(
        &self,
        queue: &str,
        selection: &Selection,
        before: Option<u64>,
    ) -> Result<Selected, PortError> {
        let mut before = before.unwrap_or(u64::MAX);
        let unfinished = selection.test.is_of_unfinished();
        let mut selected = Selected::new();
        loop {
            let records = self.engine.newest(unfinished, before, STRIDE).await?;
            let Some(last) = records.last().map(|record| record.sequence) else { return Ok(selected) };
            before = last;
            let in_queue = records.into_iter().filter(|JobRecord { detail, .. }| {
                resource_name(&detail.job_queue) == queue && selection.test.passes(detail)
            });
            selected.extend(in_queue.map(|record| (record.sequence, record.detail)));
            if selected.len() > selection.page {
                selected.truncate(selection.page + 1);
                return Ok(selected);
            }
        }
    }

    /// An array's children or a job's nodes, by index. A place is the index. Of another job there are none.
    async fn children(
        &self,
        job: &JobId,
        child: fn(&JobId, u32) -> JobId,
        selection: &Selection,
        after: Option<u64>,
    ) -> Result<Selected, PortError> {
        let parent = self.engine.records(vec![job.clone()]).await?;
        let size = parent.first().map_or(0, |parent| parent.array_size().unwrap_or(0).max(parent.nodes()));
        let first = after.map_or(0, |index| u32::try_from(index.saturating_add(1)).unwrap_or(u32::MAX));
        let mut ids = (first..size).map(|index| child(job, index));
        let mut selected = Selected::new();
        while selected.len() <= selection.page {
            let stride: Vec<JobId> = ids.by_ref().take(STRIDE).collect();
            if stride.is_empty() {
                break;
            }
            let records = self.engine.records(stride).await?;
            let passing = records.into_iter().filter(|record| selection.test.passes(&record.detail));
            selected.extend(passing.map(|record| (place(&record), record.detail)));
        }
        selected.truncate(selection.page + 1);
        Ok(selected)
    }
}

/// The index of a child or a node.
fn place(record: &JobRecord) -> u64 {
    let node = record.detail.node_details.as_ref().and_then(|node| node.node_index);
    u64::from(record.array_index().or_else(|| u32::try_from(node?).ok()).unwrap_or(0))
}

fn node_summary(job: &JobDetail) -> Option<NodeSummary> {
    let (nodes, node) = (job.node_properties.as_ref(), job.node_details.as_ref());
    (nodes.is_some() || node.is_some()).then(|| NodeSummary {
        is_main_node: node.and_then(|node| node.is_main_node),
        node_index: node.and_then(|node| node.node_index),
        num_nodes: nodes.and_then(|nodes| nodes.num_nodes),
    })
}

fn summary(job: JobDetail) -> Summary {
    Summary {
        node_properties: node_summary(&job),
        job_arn: job.job_arn,
        job_id: job.job_id,
        job_name: job.job_name.to_string(),
        created_at: job.created_at,
        status: job.status.as_str(),
        status_reason: job.status_reason,
        started_at: job.started_at,
        stopped_at: job.stopped_at,
        container: job
            .container
            .map(|container| ContainerSummary { exit_code: container.exit_code, reason: container.reason }),
        array_properties: job.array_properties,
        job_definition: job.job_definition,
    }
}
