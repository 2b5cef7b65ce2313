//! Jobs submitted, each once by its name.

use std::collections::BTreeMap;

use batchwright_control::use_cases::queries::recover_jobs;
use batchwright_control::use_cases::run_file::{ReportLine, ReportOutcome, RunEnd, RunFile, run_file};
use batchwright_job_files::job_file::{self, JobFileError, Problem};

use crate::client::{Client, Shared};
use crate::domain::{Job, JobId, JobName, JobSpec, JobState, JobStatus, RunId};
use crate::error::ClientError;
use crate::ports::SystemClock;
use crate::reports::NoReports;

/// The name of the jobs as a file. Its suffix makes the lines jobs.
const GIVEN: &str = "jobs.jsonl";

/// What became of a job that was to be submitted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Submitted {
    /// The job; `None` where a line of a long list holds no valid job.
    pub job_name: Option<JobName>,
    /// Submitted, skipped, rejected, or not known yet.
    pub outcome: ReportOutcome,
    /// The submission that was made.
    pub job_id: Option<JobId>,
    /// Why none was.
    pub reason: Option<String>,
}

impl From<ReportLine> for Submitted {
    fn from(line: ReportLine) -> Self {
        let ReportLine { job_name, outcome, job_id, reason, .. } = line;
        Self { job_name, outcome, job_id, reason }
    }
}

/// What became of a job that was to be submitted and waited for.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Ran {
    /// The job.
    pub job_name: JobName,
    /// Submitted, skipped because it had SUCCEEDED or was in flight, or rejected.
    pub outcome: ReportOutcome,
    /// Why no submission was made.
    pub reason: Option<String>,
    /// The job at its end. `None`: it was rejected, and nothing is kept of it. A job that was rejected now and submitted before is
    /// shown as it ended then.
    pub job: Option<Job>,
}

impl Ran {
    /// The job's name.
    pub fn name(&self) -> &JobName {
        &self.job_name
    }

    /// The latest submission's status, as [`Job::status`]; `None` where there is none.
    pub fn status(&self) -> Option<JobStatus> {
        self.job.as_ref().and_then(Job::status)
    }

    /// The latest submission's state.
    pub fn state(&self) -> Option<&JobState> {
        self.job.as_ref().and_then(Job::state)
    }
}

impl Client {
    /// Submits jobs, those first that others depend on by name, and returns what became of each, in the order given.
    ///
    /// Idempotent: a job that is in flight or has SUCCEEDED is skipped, and says so. All jobs are checked before any
    /// is submitted (of more than 1 MiB of jobs, each when its turn comes). Errs where they are not as AWS Batch
    /// takes them, and where the store fails.
    pub async fn submit(
        &self,
        jobs: impl IntoIterator<Item = JobSpec>,
    ) -> Result<Vec<Submitted>, ClientError> {
        self.submit_lines(jobs, false).await
    }

    /// Submits jobs like [`Client::submit`], also those that have SUCCEEDED.
    pub async fn submit_again(
        &self,
        jobs: impl IntoIterator<Item = JobSpec>,
    ) -> Result<Vec<Submitted>, ClientError> {
        self.submit_lines(jobs, true).await
    }

    /// Submits jobs, waits until each has ended, and returns what became of each, in the order given. A job that FAILED is no
    /// error: its status says so. Nor is one that AWS Batch refused, or that depends on such a job: its outcome is REJECTED,
    /// with the reason, and the others are waited for.
    ///
    /// Killed and started again with a store that outlives the process, it submits nothing twice and goes on waiting.
    pub async fn run(&self, jobs: impl IntoIterator<Item = JobSpec>) -> Result<Vec<Ran>, ClientError> {
        let jobs: Vec<JobSpec> = jobs.into_iter().collect();
        let names: Vec<JobName> = jobs.iter().map(|job| job.job_name.clone()).collect();
        let told = self.submit(jobs).await?.into_iter();
        let mut told: BTreeMap<JobName, Submitted> =
            told.filter_map(|job| Some((job.job_name.clone()?, job))).collect();
        let is_rejected =
            |name: &JobName| told.get(name).is_none_or(|job| job.outcome == ReportOutcome::Rejected);
        // What was rejected has no end to wait for, and perhaps no record.
        let (rejected, taken): (Vec<_>, Vec<_>) = names.iter().cloned().partition(is_rejected);
        let mut kept = self.wait(taken).await?;
        kept.extend(recover_jobs(self.store(), &rejected).await?.into_iter().flatten());
        let mut kept: BTreeMap<JobName, Job> =
            kept.into_iter().map(|job| (job.name().clone(), job)).collect();
        let ran = names.into_iter().map(|job_name| {
            let (outcome, reason) = told
                .remove(&job_name)
                .map_or((ReportOutcome::Unknown, None), |submitted| (submitted.outcome, submitted.reason));
            Ran { job: kept.remove(&job_name), job_name, outcome, reason }
        });
        Ok(ran.collect())
    }

    async fn submit_lines(
        &self,
        jobs: impl IntoIterator<Item = JobSpec>,
        rerun: bool,
    ) -> Result<Vec<Submitted>, ClientError> {
        let mut lines = Vec::new();
        for job in jobs {
            serde_json::to_writer(&mut lines, &job).expect("a spec has string keys only");
            lines.push(b'\n');
        }
        if lines.is_empty() {
            return Ok(Vec::new());
        }
        let run_id = RunId::derive(GIVEN, "", &crate::uuids::new().to_string());
        let concurrency = self.config().calls_at_once;
        let order = RunFile { rerun, concurrency, ..RunFile::new(run_id, GIVEN) };
        let Shared { store, engine, pace, config, .. } = self.shared();
        let mut told: BTreeMap<u64, Submitted> = BTreeMap::new();
        loop {
            let mut file = job_file::open(lines.as_slice(), GIVEN).await.map_err(of_jobs)?;
            let each = |line: &ReportLine| {
                told.insert(line.line, line.clone().into());
            };
            match run_file(store, engine, pace, &SystemClock, &NoReports, &mut file, &order, each).await? {
                RunEnd::Complete(_) | RunEnd::Cancelled(_) => return Ok(told.into_values().collect()),
                // Batch is too busy, or another program is submitting a job that one of these depends on.
                RunEnd::ToBeContinued(_) => tokio::time::sleep(*config.pause.start()).await,
            }
        }
    }
}

/// Problems of lines as those of the jobs that the lines were made from: whoever gave a list of jobs has seen no lines.
fn of_jobs(error: JobFileError) -> JobFileError {
    let problems = error.problems.into_iter().map(|Problem { line, field, message }| {
        let message = of_line(&message);
        let Some(line) = line else { return Problem { line, field, message } };
        let field = field.map(|field| format!(".{field}")).unwrap_or_default();
        Problem { line: None, field: Some(format!("jobs[{}]{field}", line - 1)), message }
    });
    JobFileError { file: "the jobs given".to_owned(), problems: problems.collect() }
}

/// A message that names another line, as of a name that stands twice.
fn of_line(message: &str) -> String {
    const ON_LINE: &str = " on line ";
    let Some((before, after)) = message.split_once(ON_LINE) else { return message.to_owned() };
    let digits = after.find(|character: char| !character.is_ascii_digit()).unwrap_or(after.len());
    match after[..digits].parse::<u64>() {
        Ok(line) if line > 0 => format!("{before} at jobs[{}]{}", line - 1, &after[digits..]),
        _ => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_wrong_with_jobs_is_told_by_their_place_in_the_list() {
        let job = |name: &str| serde_json::json!({"jobName": name, "jobQueue": "q", "jobDefinition": "d"});
        let mut bad = job("b");
        bad["arrayProperties"] = serde_json::json!({"size": 1});
        let lines = [job("a"), bad, job("a")].map(|job| job.to_string()).join("\n");
        let error = job_file::open(lines.as_bytes(), GIVEN).await.err().map(of_jobs).unwrap().to_string();
        assert!(error.starts_with("the jobs given: 2 problems"), "{error}");
        assert!(error.contains("jobs[1].arrayProperties.size: "), "{error}");
        assert!(
            error.contains("jobs[2].jobName: \"a\" is the name of the job at jobs[0] already"),
            "{error}"
        );
        assert!(!error.contains("line"), "{error}");
    }

    #[test]
    fn a_message_without_a_line_stays_as_it_is() {
        for message in ["it is too long", "it stands on line x", "it stands on line "] {
            assert_eq!(of_line(message), message);
        }
        assert_eq!(of_line("it is on line 12 already"), "it is at jobs[11] already");
    }
}
