//! Which jobs a `ListJobs` asks for.
//!
//! Source: <https://docs.aws.amazon.com/batch/latest/APIReference/API_ListJobs.html>

use serde::Deserialize;

use crate::domain::{JobId, JobStatus};
use crate::engine::arn::{definition_name, resource_name};
use crate::events::JobDetail;

/// Jobs on a page that is selected by status, at most.
const BY_STATUS_MAX: i64 = 1_000;

/// Jobs on a page that is selected by a filter, at most.
const BY_FILTER_MAX: i64 = 100;

/// The members of the request.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ListJobs {
    job_queue: Option<String>,
    array_job_id: Option<String>,
    multi_node_job_id: Option<String>,
    job_status: Option<String>,
    max_results: Option<i64>,
    pub(super) next_token: Option<String>,
    filters: Vec<Filter>,
}

#[derive(Debug, Deserialize)]
struct Filter {
    name: String,
    #[serde(default)]
    values: Vec<String>,
}

/// Whose jobs.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// A queue's submissions.
    Queue(String),
    /// An array's children.
    Array(JobId),
    /// The nodes of a multi-node job.
    Nodes(JobId),
}

/// Which of them.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Test {
    Status(JobStatus),
    Name(String),
    Definition(String),
    CreatedBefore(i64),
    CreatedAfter(i64),
    Share(String, Option<JobStatus>),
}

/// A request that was found good.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Selection {
    pub(super) scope: Scope,
    pub(super) test: Test,
    pub(super) page: usize,
}

impl Selection {
    /// Errs where the request contradicts itself or asks for what is not known.
    pub(super) fn of(request: &ListJobs) -> Result<Self, String> {
        let scope = match (&request.job_queue, &request.array_job_id, &request.multi_node_job_id) {
            (Some(queue), None, None) => Scope::Queue(resource_name(queue).to_owned()),
            (None, Some(id), None) => {
                Scope::Array(JobId::parse(id).map_err(|error| format!("arrayJobId: {error}"))?)
            }
            (None, None, Some(id)) => {
                Scope::Nodes(JobId::parse(id).map_err(|error| format!("multiNodeJobId: {error}"))?)
            }
            _ => return Err("give one of jobQueue, arrayJobId and multiNodeJobId".to_owned()),
        };
        let status = match &request.job_status {
            None => None,
            Some(text) => Some(text.parse().map_err(|_| format!("jobStatus: {text:?} is no status"))?),
        };
        let (test, most) = match request.filters.as_slice() {
            [] => (Test::Status(status.unwrap_or(JobStatus::Running)), BY_STATUS_MAX),
            [_] if !matches!(scope, Scope::Queue(_)) => {
                return Err("filters: children of an array and nodes can't be filtered".to_owned());
            }
            [filter] => (filter.test(status)?, BY_FILTER_MAX),
            _ => return Err("filters: give one filter at a time".to_owned()),
        };
        let page = match request.max_results {
            None => most,
            Some(results @ 1..) => results.min(most),
            Some(results) => return Err(format!("maxResults: {results} is below 1")),
        };
        Ok(Self { scope, test, page: usize::try_from(page).unwrap_or(1) })
    }
}

impl Filter {
    fn test(&self, status: Option<JobStatus>) -> Result<Test, String> {
        let [value] = self.values.as_slice() else {
            return Err(format!("filters: {} has {} values; give one", self.name, self.values.len()));
        };
        let millis = || value.parse().map_err(|_| format!("filters: {value:?} is no number of milliseconds"));
        match self.name.as_str() {
            "JOB_NAME" => Ok(Test::Name(value.to_lowercase())),
            "JOB_DEFINITION" => Ok(Test::Definition(value.clone())),
            "BEFORE_CREATED_AT" => Ok(Test::CreatedBefore(millis()?)),
            "AFTER_CREATED_AT" => Ok(Test::CreatedAfter(millis()?)),
            "SHARE_IDENTIFIER" => Ok(Test::Share(value.clone(), status)),
            other => Err(format!("filters: {other:?} is no filter")),
        }
    }
}

impl Test {
    /// Whether only jobs that have not ended can pass.
    pub(super) fn is_of_unfinished(&self) -> bool {
        let status = match self {
            Self::Status(status) | Self::Share(_, Some(status)) => *status,
            _ => return false,
        };
        !status.is_terminal()
    }

    pub(super) fn passes(&self, job: &JobDetail) -> bool {
        match self {
            Self::Status(status) => job.status == *status,
            Self::Name(pattern) => matches_pattern(&job.job_name.as_str().to_lowercase(), pattern),
            Self::Definition(arn) if arn.starts_with("arn:") => job.job_definition == *arn,
            Self::Definition(pattern) => matches_pattern(definition_name(&job.job_definition), pattern),
            Self::CreatedBefore(millis) => job.created_at.is_some_and(|created| created < *millis),
            Self::CreatedAfter(millis) => job.created_at.is_some_and(|created| created > *millis),
            Self::Share(share, status) => {
                let in_status = status.is_none_or(|status| job.status == status);
                in_status && job.share_identifier.as_deref() == Some(share)
            }
        }
    }
}

/// Equal, or beginning with what stands before a trailing asterisk.
fn matches_pattern(text: &str, pattern: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => text.starts_with(prefix),
        None => text == pattern,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn selection(request: Value) -> Result<Selection, String> {
        Selection::of(&serde_json::from_value(request).unwrap())
    }

    fn filtered(name: &str, value: &str) -> Test {
        let filters = json!([{"name": name, "values": [value]}]);
        selection(json!({"jobQueue": "q", "jobStatus": "FAILED", "filters": filters})).unwrap().test
    }

    #[test]
    fn without_a_status_running_jobs_are_meant() {
        let selected = selection(json!({"jobQueue": "arn:aws:batch:local:0:job-queue/q"})).unwrap();
        assert_eq!(selected.scope, Scope::Queue("q".into()));
        assert_eq!((selected.test, selected.page), (Test::Status(JobStatus::Running), 1_000));
        let children = selection(json!({"arrayJobId": "x", "jobStatus": "FAILED", "maxResults": 5})).unwrap();
        assert_eq!((children.test, children.page), (Test::Status(JobStatus::Failed), 5));
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let filter = json!({"name": "JOB_NAME", "values": ["a"]});
        for (request, expected) in [
            (json!({}), "give one of jobQueue"),
            (json!({"jobQueue": "q", "arrayJobId": "x"}), "give one of jobQueue"),
            (json!({"multiNodeJobId": "a b"}), "multiNodeJobId: "),
            (json!({"multiNodeJobId": "x", "filters": [filter]}), "can't be filtered"),
            (json!({"jobQueue": "q", "jobStatus": "DONE"}), "\"DONE\" is no status"),
            (json!({"jobQueue": "q", "maxResults": 0}), "maxResults: 0 is below 1"),
            (json!({"jobQueue": "q", "filters": [filter, filter]}), "one filter at a time"),
            (json!({"arrayJobId": "x", "filters": [filter]}), "can't be filtered"),
            (json!({"jobQueue": "q", "filters": [{"name": "JOB_NAME", "values": []}]}), "has 0 values"),
            (json!({"jobQueue": "q", "filters": [{"name": "X", "values": ["a"]}]}), "\"X\" is no filter"),
            (
                json!({"jobQueue": "q", "filters": [{"name": "AFTER_CREATED_AT", "values": ["a"]}]}),
                "no number",
            ),
        ] {
            let error = selection(request.clone()).unwrap_err();
            assert!(error.contains(expected), "{request}: {error}");
        }
    }

    #[test]
    fn filters_compare_as_aws_does() {
        let job: JobDetail = serde_json::from_value(json!({
            "jobName": "Tile-1", "jobId": "x", "status": "SUCCEEDED", "createdAt": 50, "shareIdentifier": "s",
            "jobDefinition": "arn:aws:batch:local:000000000000:job-definition/Hello:3"
        }))
        .unwrap();
        for (name, value, expected) in [
            ("JOB_NAME", "tile-1", true),
            ("JOB_NAME", "TILE*", true),
            ("JOB_NAME", "tile", false),
            ("JOB_DEFINITION", "Hello", true),
            ("JOB_DEFINITION", "hello", false),
            ("JOB_DEFINITION", "Hel*", true),
            ("JOB_DEFINITION", "arn:aws:batch:local:000000000000:job-definition/Hello:3", true),
            ("JOB_DEFINITION", "arn:aws:batch:local:000000000000:job-definition/Hello:2", false),
            ("BEFORE_CREATED_AT", "51", true),
            ("BEFORE_CREATED_AT", "50", false),
            ("AFTER_CREATED_AT", "49", true),
            ("AFTER_CREATED_AT", "50", false),
            ("SHARE_IDENTIFIER", "s", false),
        ] {
            assert_eq!(filtered(name, value).passes(&job), expected, "{name} {value}");
        }
    }
}
