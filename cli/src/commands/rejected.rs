//! Lines of job files that a run rejected, with the reasons that its report keeps.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Context;
use batchwright::domain::{JobName, Run, RunId};
use batchwright::local::source_of;
use batchwright::ports::{JobQueries, ObjectStore, RunStore};
use batchwright::use_cases::read_report::read_report;
use batchwright::use_cases::run_file::ReportOutcome;
use serde::Serialize;

use super::runs;
use crate::exit::Failure;
use crate::selection::{Named, named};

/// Lines of which the reasons are kept: nobody reads more, and a file may have any number.
const LINES_MAX: usize = 1_000;

/// A line that was rejected.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RejectedLine {
    pub(super) run_id: RunId,
    pub(super) line: u64,
    /// `None`: the line holds no job.
    pub(super) job_name: Option<JobName>,
    pub(super) reason: String,
}

/// What runs have rejected.
#[derive(Debug, Default)]
pub(super) struct Rejected {
    /// The first of them.
    pub(super) lines: Vec<RejectedLine>,
    /// All of them.
    pub(super) count: u64,
    names: BTreeSet<JobName>,
}

impl Rejected {
    /// Of the runs among the words, and of the latest run of each job file among them.
    pub(super) async fn by<S, O>(store: &S, archive: &O, words: &[String]) -> Result<Rejected, Failure>
    where
        S: JobQueries + RunStore,
        O: ObjectStore,
    {
        let mut rejected = Rejected::default();
        for word in words {
            let run = match named(store, word).await? {
                Named::Run(run) => Some(*run),
                Named::File(path) => latest_of(store, &path).await?,
                Named::Jobs(_) => None,
            };
            if let Some(run) = run.filter(|run| run.counts.rejected > 0) {
                rejected.take(archive, &run.run_id).await?;
            }
        }
        Ok(rejected)
    }

    /// Whether a line that names this job was rejected.
    pub(super) fn has(&self, name: &JobName) -> bool {
        self.names.contains(name)
    }

    async fn take<O: ObjectStore>(&mut self, archive: &O, run_id: &RunId) -> Result<(), Failure> {
        let read = read_report(archive, run_id, |line| {
            if line.outcome != ReportOutcome::Rejected {
                return;
            }
            self.count += 1;
            self.names.extend(line.job_name.clone());
            if self.lines.len() < LINES_MAX {
                self.lines.push(RejectedLine {
                    run_id: run_id.clone(),
                    line: line.line,
                    job_name: line.job_name,
                    reason: line.reason.unwrap_or_default(),
                });
            }
        });
        Ok(read.await.with_context(|| format!("the report of {run_id} can't be read"))?)
    }
}

/// The latest run of a file of this machine.
async fn latest_of<S: RunStore>(store: &S, path: &Path) -> Result<Option<Run>, Failure> {
    // Runs of earlier versions keep the path as it was given.
    let sources = [source_of(path), path.display().to_string()];
    let runs = runs::all(store).await?.into_iter().filter(|run| sources.contains(&run.source));
    Ok(runs.max_by_key(|run| run.started_at))
}
