//! Jobs submitted, each once by its name.

use std::collections::BTreeMap;

use batchwright_control::use_cases::run_file::{ReportLine, ReportOutcome, RunEnd, RunFile, run_file};
use batchwright_job_files::job_file;

use crate::client::{Client, Shared};
use crate::domain::{Job, JobId, JobName, JobSpec, RunId};
use crate::error::ClientError;
use crate::ports::SystemClock;
use crate::reports::NoReports;

/// The name under which problems of jobs are told. Its suffix makes the lines jobs.
const GIVEN: &str = "the jobs given.jsonl";

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

    /// Submits jobs and waits until each has ended. A job that FAILED is no error: its status says so.
    ///
    /// Killed and started again with a store that outlives the process, it submits nothing twice and goes on waiting.
    pub async fn run(&self, jobs: impl IntoIterator<Item = JobSpec>) -> Result<Vec<Job>, ClientError> {
        let jobs: Vec<JobSpec> = jobs.into_iter().collect();
        let names: Vec<JobName> = jobs.iter().map(|job| job.job_name.clone()).collect();
        self.submit(jobs).await?;
        self.wait(names).await
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
            let mut file = job_file::open(lines.as_slice(), GIVEN).await?;
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
