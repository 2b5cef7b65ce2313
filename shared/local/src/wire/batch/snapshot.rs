//! `GetJobQueueSnapshot`: the jobs at the front of a queue.

use std::cmp::Reverse;

use serde::Deserialize;
use serde_json::{Value, json};

use super::Batch;
use super::names::named;
use crate::domain::JobStatus;
use crate::engine::JobRecord;
use crate::engine::arn::resource_name;
use crate::wire::fault::{Fault, members};

/// Jobs that are told. Source: the API reference of `GetJobQueueSnapshot`.
const FRONT: usize = 100;

/// Records that are read from the books at once.
const STRIDE: usize = 500;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GetJobQueueSnapshot {
    job_queue: String,
}

impl Batch {
    pub(super) async fn get_job_queue_snapshot(&self, body: Value) -> Result<Value, Fault> {
        let request: GetJobQueueSnapshot = members(body).map_err(Fault::client)?;
        let name = named(&request.job_queue, "job-queue")?;
        {
            let held = self.shelf.lock().await;
            if !self.any_queue && !held.queues.contains_key(name) {
                return Err(Fault::client(format!("job queue {name} does not exist")));
            }
        }
        let mut waiting = self.unfinished_in(name).await?;
        waiting
            .sort_by_key(|record| (Reverse(record.detail.scheduling_priority.unwrap_or(0)), record.sequence));
        let mut front = Vec::new();
        for record in waiting {
            if front.len() >= FRONT {
                break;
            }
            match record.array_size() {
                None => front.extend(Some(record).filter(is_runnable)),
                Some(size) => front.extend(self.runnable_children(&record, size).await?),
            }
        }
        front.truncate(FRONT);
        let jobs: Vec<Value> = front
            .iter()
            .map(|record| {
                let since = record.detail.created_at;
                json!({"jobArn": record.detail.job_arn, "earliestTimeAtPosition": since})
            })
            .collect();
        let now = self.clock.now().as_millis();
        Ok(json!({"frontOfQueue": {"jobs": jobs, "lastUpdatedAt": now}}))
    }

    /// A queue's unfinished submissions, without children.
    async fn unfinished_in(&self, queue: &str) -> Result<Vec<JobRecord>, Fault> {
        let mut found = Vec::new();
        let mut before = u64::MAX;
        loop {
            let records = self.engine.newest(true, before, STRIDE).await?;
            let Some(last) = records.last() else { return Ok(found) };
            before = last.sequence;
            found.extend(
                records.into_iter().filter(|record| resource_name(&record.detail.job_queue) == queue),
            );
        }
    }

    /// The first children of an array that wait to be started.
    async fn runnable_children(&self, parent: &JobRecord, size: u32) -> Result<Vec<JobRecord>, Fault> {
        let mut found = Vec::new();
        let mut ids = (0..size).map(|index| parent.job_id().array_child(index));
        while found.len() < FRONT {
            let stride: Vec<_> = ids.by_ref().take(STRIDE).collect();
            if stride.is_empty() {
                break;
            }
            found.extend(self.engine.records(stride).await?.into_iter().filter(is_runnable));
        }
        Ok(found)
    }
}

fn is_runnable(record: &JobRecord) -> bool {
    record.status() == JobStatus::Runnable
}
