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
    /// The job: of those that [`Client::submit`] was given, always there.
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
    /// is submitted; of more than 1 MiB of jobs, each when its turn comes, and one that is not as AWS Batch takes it is REJECTED with the
    /// reason. Errs where others are not as AWS Batch takes them, where jobs wait for each other in a circle, and where the store fails.
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
        let told = self.submit(jobs).await?;
        // What was rejected has no end to wait for, and perhaps no record.
        let (mut rejected, mut taken) = (Vec::new(), Vec::new());
        for (name, submitted) in names.iter().zip(&told) {
            let is_rejected = submitted.outcome == ReportOutcome::Rejected;
            (if is_rejected { &mut rejected } else { &mut taken }).push(name.clone());
        }
        let mut kept = self.wait(taken).await?;
        kept.extend(recover_jobs(self.store(), &rejected).await?.into_iter().flatten());
        let kept: BTreeMap<JobName, Job> = kept.into_iter().map(|job| (job.name().clone(), job)).collect();
        let ran = names.into_iter().zip(told).map(|(job_name, Submitted { outcome, reason, .. })| Ran {
            job: kept.get(&job_name).cloned(),
            job_name,
            outcome,
            reason,
        });
        Ok(ran.collect())
    }

    async fn submit_lines(
        &self,
        jobs: impl IntoIterator<Item = JobSpec>,
        rerun: bool,
    ) -> Result<Vec<Submitted>, ClientError> {
        let jobs: Vec<JobSpec> = jobs.into_iter().collect();
        let names: Vec<JobName> = jobs.iter().map(|job| job.job_name.clone()).collect();
        // Here, because a long file is submitted in the order in which its lines stand.
        let sorted = job_file::in_order(jobs).map_err(|problems| of_jobs(problems, |line| line - 1))?;
        let (mut lines, mut places) = (Vec::new(), Vec::with_capacity(sorted.len()));
        for (place, job) in sorted {
            serde_json::to_writer(&mut lines, &job).expect("a spec has string keys only");
            lines.push(b'\n');
            places.push(place);
        }
        if lines.is_empty() {
            return Ok(Vec::new());
        }
        let place = |line: u64| {
            let of_line =
                usize::try_from(line).ok().and_then(|line| places.get(line.checked_sub(1)?).copied());
            of_line.unwrap_or_default() as u64
        };
        let run_id = RunId::derive(GIVEN, "", &crate::uuids::new().to_string());
        let concurrency = self.config().calls_at_once;
        let order = RunFile { rerun, concurrency, ..RunFile::new(run_id, GIVEN) };
        let Shared { store, engine, pace, config, .. } = self.shared();
        let mut told: BTreeMap<u64, Submitted> = BTreeMap::new();
        loop {
            let opened = job_file::open(lines.as_slice(), GIVEN).await;
            let mut file = opened.map_err(|error| of_jobs(error.problems, place))?;
            let each = |line: &ReportLine| {
                told.insert(place(line.line), without_line(line.clone()).into());
            };
            match run_file(store, engine, pace, &SystemClock, &NoReports, &mut file, &order, each).await? {
                RunEnd::Complete(_) | RunEnd::Cancelled(_) => return Ok(of_each(names, told)),
                // Batch is too busy, or another program is submitting a job that one of these depends on.
                RunEnd::ToBeContinued(_) => tokio::time::sleep(*config.pause.start()).await,
            }
        }
    }
}

/// What became of each job, by its place in the list. What nothing was told of was not reached.
fn of_each(names: Vec<JobName>, mut told: BTreeMap<u64, Submitted>) -> Vec<Submitted> {
    let answers = (0..).zip(names).map(|(place, name)| {
        let answer = told.remove(&place).unwrap_or_else(|| Submitted {
            job_name: None,
            outcome: ReportOutcome::Rejected,
            job_id: None,
            reason: Some("the run was cancelled before its turn came".to_owned()),
        });
        // A line that holds no valid job is told without its name.
        Submitted { job_name: Some(name), ..answer }
    });
    answers.collect()
}

/// What is told of a line, without its number.
fn without_line(mut told: ReportLine) -> ReportLine {
    let number = format!("line {}: ", told.line);
    let reason = told.reason.as_deref().and_then(|reason| reason.strip_prefix(&number));
    if let Some(first) = reason {
        told.reason = Some(first.replace(&format!("; {number}"), "; "));
    }
    told
}

/// Problems of lines as those of the jobs that the lines were made from: whoever gave a list of jobs has seen no lines. `place` is
/// the place in the list of the job on a line.
fn of_jobs(problems: Vec<Problem>, place: impl Fn(u64) -> u64) -> JobFileError {
    let problems = problems.into_iter().map(|Problem { line, field, message }| {
        let message = of_line(&message, &place);
        let Some(line) = line else { return Problem { line, field, message } };
        let field = field.map(|field| format!(".{field}")).unwrap_or_default();
        Problem { line: None, field: Some(format!("jobs[{}]{field}", place(line))), message }
    });
    JobFileError { file: "the jobs given".to_owned(), problems: problems.collect() }
}

/// A message that names another line, as of a name that stands twice.
fn of_line(message: &str, place: impl Fn(u64) -> u64) -> String {
    const ON_LINE: &str = " on line ";
    let Some((before, after)) = message.split_once(ON_LINE) else { return message.to_owned() };
    let digits = after.find(|character: char| !character.is_ascii_digit()).unwrap_or(after.len());
    match after[..digits].parse::<u64>() {
        Ok(line) if line > 0 => format!("{before} at jobs[{}]{}", place(line), &after[digits..]),
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
        let error = job_file::open(lines.as_bytes(), GIVEN).await.err().unwrap();
        let error = of_jobs(error.problems, |line| line - 1).to_string();
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
            assert_eq!(of_line(message, |line| line - 1), message);
        }
        assert_eq!(of_line("it is on line 12 already", |line| line + 8), "it is at jobs[20] already");
    }

    #[test]
    fn a_reason_is_told_without_the_line() {
        let told = |reason: &str| {
            let line = ReportLine {
                line: 6,
                job_name: None,
                outcome: ReportOutcome::Rejected,
                job_id: None,
                reason: Some(reason.to_owned()),
            };
            without_line(line).reason.unwrap()
        };
        for (reason, expected) in [
            ("line 6: timeout: it is too short", "timeout: it is too short"),
            ("line 6: a: is wrong; line 6: b: is wrong", "a: is wrong; b: is wrong"),
            ("the queue says: line 6: no", "the queue says: line 6: no"),
        ] {
            assert_eq!(told(reason), expected);
        }
    }

    #[test]
    fn each_job_has_an_answer_also_of_a_run_that_was_cancelled() {
        let name = |name: &str| JobName::parse(name).unwrap();
        let submitted =
            Submitted { job_name: None, outcome: ReportOutcome::Submitted, job_id: None, reason: None };
        let answers = of_each(vec![name("a"), name("b")], BTreeMap::from([(1, submitted)]));
        assert_eq!(
            answers.iter().map(|job| job.job_name.clone()).collect::<Vec<_>>(),
            [Some(name("a")), Some(name("b"))]
        );
        assert_eq!(
            (answers[0].outcome, answers[1].outcome),
            (ReportOutcome::Rejected, ReportOutcome::Submitted)
        );
        assert!(answers[0].reason.as_ref().is_some_and(|why| why.contains("cancelled")), "{answers:?}");
    }
}
