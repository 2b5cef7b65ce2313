//! What aio-aws has kept of jobs, taken in: a program that comes from aio-aws goes on where that one stopped.
//!
//! ```no_run
//! # use batchwright_client as batchwright;
//! # async fn take_over() -> Result<(), batchwright::ClientError> {
//! use batchwright::{Client, Config, aio_aws};
//!
//! let client = Client::connect(Config::default().store("sqlite:jobs.db")).await?;
//! for job in client.import(aio_aws::tinydb("/tmp/aws_batch_jobs.json")?).await? {
//!     println!("{} {}: {}", job.job_name, job.job_id, job.refused.as_deref().unwrap_or("taken in"));
//! }
//! # Ok(())
//! # }
//! ```

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::any::Store;
use crate::client::Client;
use crate::domain::limits::{DEFAULT_MAX_TRIES, MAX_TRIES_MAX};
use crate::domain::spec::{ContainerOverrides, Dependency};
use crate::domain::{FollowUp, JobId, JobName, JobSpec, JobState, JobStatus};
use crate::error::ClientError;
use crate::events::JobDetail;
use crate::ports::{Clock, SystemClock};
use crate::take_in::{Foreign, take_in};

/// The tables in which aio-aws keeps jobs in a file of TinyDB: the one that it asks for, and TinyDB's own, because TinyDB
/// from version 4 on is asked in vain.
const TABLES: [&str; 2] = ["aws-batch-jobs", "_default"];

/// A record of aio-aws 0.22: one submission of a job, by the names of its `AWSBatchJob.db_data`.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct KeptJob {
    /// The submission.
    pub job_id: JobId,
    /// The job.
    pub job_name: JobName,
    /// Where it was submitted.
    pub job_queue: String,
    /// What it was submitted as.
    pub job_definition: String,
    /// What it was told to run; stands in the overrides too.
    #[serde(default)]
    pub command: Option<Vec<String>>,
    /// As `SubmitJob` was given them.
    #[serde(default)]
    pub container_overrides: Option<ContainerOverrides>,
    /// By job id, as `SubmitJob` was given them.
    #[serde(default)]
    pub depends_on: Option<Vec<Dependency>>,
    /// The status that was last seen; `None`: none was.
    #[serde(default)]
    pub status: Option<JobStatus>,
    /// Which submission of the job it is, from 1.
    #[serde(default)]
    pub num_tries: u32,
    /// Submissions in all, after lost hosts.
    #[serde(default)]
    pub max_tries: Option<u32>,
    /// What `DescribeJobs` said last.
    #[serde(default)]
    pub job_description: Option<Box<JobDetail>>,
}

/// What became of a record that was to be taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Imported {
    /// The job.
    pub job_name: JobName,
    /// The submission.
    pub job_id: JobId,
    /// Why it was not taken in; `None`: it was, now or before.
    pub refused: Option<String>,
}

/// Reads the file that aio-aws's `AioAWSBatchTinyDB` keeps jobs in (`jobs_db_file`), as a whole: TinyDB does so too.
///
/// Errs where it can't be read, is no such file, or holds a record that is none of aio-aws's, which is named.
pub fn tinydb(path: impl AsRef<Path>) -> Result<Vec<KeptJob>, ClientError> {
    let place = path.as_ref().display().to_string();
    let wrong = |reason: String| ClientError::Kept { place: place.clone(), reason };
    let text = std::fs::read_to_string(path.as_ref()).map_err(|error| wrong(error.to_string()))?;
    let mut tables: BTreeMap<String, BTreeMap<String, Box<RawValue>>> = serde_json::from_str(&text)
        .map_err(|error| wrong(format!("{error}; it is no file of TinyDB, or was cut off")))?;
    let Some(records) = TABLES.iter().find_map(|table| tables.remove(*table)) else {
        let why = format!("it has no table of aio-aws's ({}); name its jobs_db_file", TABLES.join(" or "));
        // TinyDB makes an empty file, and writes the table with the first record.
        return if tables.is_empty() { Ok(Vec::new()) } else { Err(wrong(why)) };
    };
    records.iter().map(|(number, record)| read(&place, number, record.get())).collect()
}

/// Reads what aio-aws's `AioAWSBatchRedisDB` keeps of jobs: `redis://HOST:PORT/NUMBER`, with its `jobs_db_n`. Nothing is
/// written, and a key that is no submission's is left alone. Keys are read while others write, so end aio-aws first.
///
/// Errs where the server can't be reached, and where a record is none of aio-aws's, which is named.
#[cfg(feature = "redis")]
pub async fn redis(url: &str) -> Result<Vec<KeptJob>, ClientError> {
    let texts = batchwright_stores::redis::texts(url).await?;
    let is_id = |key: &str| key.len() == 36 && uuid::Uuid::try_parse(key).is_ok();
    let records = texts.iter().filter(|(key, _)| is_id(key));
    records.map(|(key, record)| read("the database of Redis", key, record)).collect()
}

fn read(place: &str, record: &str, text: &str) -> Result<KeptJob, ClientError> {
    serde_json::from_str(text).map_err(|error| ClientError::Kept {
        place: format!("{place}, record {record}"),
        reason: error.to_string(),
    })
}

impl Client {
    /// Takes in what aio-aws has kept, oldest submission first, and returns what became of each record, by job and age.
    /// From then on a job that SUCCEEDED is skipped, one that FAILED is submitted again when somebody asks for it and
    /// never by itself, and one in flight is followed. Idempotent; killed in between, it goes on when it is called again.
    ///
    /// AWS Batch is not asked: what it forgot is kept. A record is refused where a submission of its name is under way
    /// in the store, and where it has no end although a later submission of its name is in the data.
    pub async fn import(
        &self,
        kept: impl IntoIterator<Item = KeptJob>,
    ) -> Result<Vec<Imported>, ClientError> {
        import(self.store(), kept).await
    }
}

/// As [`Client::import`], into any store.
pub async fn import<S: Store>(
    store: &S,
    kept: impl IntoIterator<Item = KeptJob>,
) -> Result<Vec<Imported>, ClientError> {
    // Each submission once.
    let once: BTreeMap<JobId, KeptJob> = kept.into_iter().map(|job| (job.job_id.clone(), job)).collect();
    let mut kept = Vec::with_capacity(once.len());
    for job in once.into_values() {
        let foreign = Foreign::told(job.spec(), job.state(), SystemClock.now());
        let age = (job.job_name.clone(), foreign.state.times.created_at, job.num_tries);
        kept.push((foreign, age));
    }
    kept.sort_by(|(_, one), (_, other)| one.cmp(other));
    let mut answers = Vec::with_capacity(kept.len());
    for (at, (foreign, (name, ..))) in kept.iter().enumerate() {
        let later = kept.get(at + 1).is_some_and(|(_, (next, ..))| next == name);
        let refused = if later && !foreign.state.status.is_terminal() {
            Some(format!("it has no end, and there is a later submission of {name}"))
        } else {
            let refused = take_in(store, foreign).await?.err();
            if refused.is_none() && foreign.state.status.is_terminal() {
                // What followed from it was for aio-aws to decide: nothing that a lost host ended years ago is submitted
                // again unasked.
                store.save_follow_up(name, &foreign.state.job_id, &FollowUp::Decided).await?;
            }
            refused
        };
        let (job_name, job_id) = (name.clone(), foreign.state.job_id.clone());
        answers.push(Imported { job_name, job_id, refused });
    }
    Ok(answers)
}

impl KeptJob {
    /// The spec that it was submitted with.
    pub fn spec(&self) -> JobSpec {
        let mut overrides = self.container_overrides.clone().unwrap_or_default();
        if let Some(command) = &self.command {
            overrides.command = Some(command.clone());
        }
        JobSpec::new(self.job_name.clone(), &self.job_queue, &self.job_definition).with(|spec| {
            spec.container_overrides = Some(overrides).filter(|own| *own != ContainerOverrides::default());
            spec.depends_on = self.depends_on.clone().unwrap_or_default();
            spec.max_tries = self.max_tries.unwrap_or(DEFAULT_MAX_TRIES).clamp(1, MAX_TRIES_MAX as u32);
        })
    }

    /// The newest that is known of it: what `DescribeJobs` said, or the status alone.
    pub fn state(&self) -> JobState {
        match self.job_description.as_ref().filter(|described| described.job_id == self.job_id) {
            Some(described) => described.state(),
            None => {
                let told = serde_json::json!({
                    "jobName": self.job_name,
                    "jobId": self.job_id,
                    "jobQueue": self.job_queue,
                    "jobDefinition": self.job_definition,
                    "status": self.status.unwrap_or(JobStatus::Submitted),
                });
                serde_json::from_value(told).expect("a state needs no more")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(records: &serde_json::Value) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), serde_json::json!({ TABLES[0]: records }).to_string()).unwrap();
        file
    }

    #[test]
    fn a_file_that_is_none_of_aio_awss_says_so() {
        let broken = file(&serde_json::json!({"7": {"job_id": "x"}}));
        let cut = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(cut.path(), r#"{"aws-batch-jobs": {"1": {"#).unwrap();
        let other = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(other.path(), r#"{"other": {}}"#).unwrap();
        for (path, why) in [
            (broken.path(), "record 7 can't be imported: missing field `job_name`"),
            (cut.path(), "cut off"),
            (other.path(), "has no table of aio-aws's"),
            (Path::new("/nowhere/at/all"), "/nowhere/at/all can't be imported"),
        ] {
            let error = tinydb(path).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
