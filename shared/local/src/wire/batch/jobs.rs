//! `DescribeJobs`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::Batch;
use crate::domain::JobId;
use crate::ports::JobEngine;
use crate::wire::fault::{Fault, members};

#[derive(Deserialize)]
struct DescribeJobs {
    jobs: Vec<String>,
}

impl Batch {
    pub(super) async fn describe_jobs(&self, body: Value) -> Result<Value, Fault> {
        let request: DescribeJobs = members(body).map_err(Fault::client)?;
        // What can't be an id is not known: absent from the answer, like any other.
        let ids: Vec<JobId> = request.jobs.iter().filter_map(|text| JobId::parse(text).ok()).collect();
        let jobs = self.engine.describe_jobs(&ids).await?;
        Ok(json!({"jobs": jobs}))
    }
}
