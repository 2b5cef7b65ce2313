//! What running a file would do. Nothing is written or submitted.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use tokio::io::AsyncBufRead;

use super::dependencies::{Resolved, resolve_names};
use crate::domain::plan::{Plan, plan};
use crate::domain::spec::DependencyType;
use crate::domain::{Job, JobName, JobSpec};
use crate::job_file::{Entry, JobFile, JobFileError, Problem};
use crate::ports::{JobQueries, PortError, RunStore};

/// What would be done with one line of the file.
#[derive(Debug, Clone, PartialEq)]
pub enum Planned {
    /// The job would be submitted or left alone.
    Job(Box<JobSpec>, Plan),
    /// It would be left alone: by then the run has submitted the job of an earlier line that has its name.
    Twice(Box<JobSpec>),
    /// It would be submitted once another submitter has done with a job that it depends on. The text says with which.
    Waits(Box<JobSpec>, String),
    /// It would be rejected, with the reason.
    Rejected(Box<JobSpec>, String),
    /// The line holds no valid job.
    Invalid(Vec<Problem>),
}

/// Why a plan could not be made.
#[derive(Debug, thiserror::Error)]
pub enum PlanFileError {
    /// The file can't be read, or is wrong.
    #[error(transparent)]
    File(#[from] JobFileError),
    /// The state can't be read.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Names that are looked up at once.
const BATCH: usize = 100;

/// Calls `each` with the line and the plan of every job, in the order in which they would be submitted.
///
/// `refuses` tells why whoever runs the jobs would not take one, as far as the caller knows; a job that depends on such a
/// one is rejected too. What AWS Batch refuses is known only when it is asked. Of each job that would be submitted some
/// thirty bytes are kept, so that later lines that name it are told from those that name nothing.
///
/// # Errors
///
/// Where the file is wrong as a whole, or the file or the state can't be read.
pub async fn plan_file<S: JobQueries + RunStore, R: AsyncBufRead + Send + Unpin>(
    store: &S,
    file: &mut JobFile<R>,
    rerun: bool,
    refuses: impl Fn(&JobSpec) -> Option<String> + Send,
    mut each: impl FnMut(u64, Planned) + Send,
) -> Result<(), PlanFileError> {
    let mut planner = Planner { store, rerun, refuses, seen: HashMap::new() };
    let mut batch: Vec<Entry> = Vec::with_capacity(BATCH);
    loop {
        let entry = file.next().await?;
        let ended = entry.is_none();
        batch.extend(entry);
        if batch.len() == BATCH || ended {
            planner.plan_batch(std::mem::take(&mut batch), &mut each).await?;
        }
        if ended {
            return Ok(());
        }
    }
}

/// What the run would have done with a job when it comes to a later line.
#[derive(Clone, Copy)]
enum Seen {
    /// Submitted it, with so many children.
    Submitted(Option<u32>),
    /// Asked for it in vain, and nothing of it was submitted before.
    Refused,
}

struct Planner<'a, S, F> {
    store: &'a S,
    rerun: bool,
    refuses: F,
    /// By a digest of the name: names of millions of jobs would take much memory.
    seen: HashMap<u64, Seen>,
}

impl<S: JobQueries + RunStore, F: Fn(&JobSpec) -> Option<String>> Planner<'_, S, F> {
    async fn plan_batch(
        &mut self,
        batch: Vec<Entry>,
        each: &mut (impl FnMut(u64, Planned) + Send),
    ) -> Result<(), PortError> {
        let specs = batch.iter().filter_map(|entry| entry.job.as_ref().ok());
        let names: Vec<JobName> = specs.map(|spec| spec.job_name.clone()).collect();
        let mut known = self.store.jobs_named(&names).await?.into_iter();
        for Entry { line, job } in batch {
            let planned = match job {
                Err(problems) => Planned::Invalid(problems),
                Ok(spec) => self.plan_one(Box::new(spec), known.next().flatten()).await?,
            };
            each(line, planned);
        }
        Ok(())
    }

    /// In the order in which `submit` decides.
    async fn plan_one(&mut self, spec: Box<JobSpec>, known: Option<Job>) -> Result<Planned, PortError> {
        if let Some(Seen::Submitted(_)) = self.seen(&spec.job_name) {
            return Ok(Planned::Twice(spec));
        }
        let decided = plan(&spec, known.as_ref(), self.rerun, None);
        if matches!(decided, Plan::Skip(_)) {
            return Ok(Planned::Job(spec, decided));
        }
        let is_refused = |name: &&JobName| matches!(self.seen(name), Some(Seen::Refused));
        let refused = spec.dependency_names().find(is_refused).cloned();
        if let Some(name) = refused {
            return Ok(Planned::Rejected(spec, format!("it depends on {name}, which is rejected")));
        }
        let elsewhere = spec.dependency_names().filter(|name| self.seen(name).is_none()).cloned().collect();
        let waits = match resolve_names(self.store, elsewhere).await? {
            Resolved::Ready(_) => None,
            Resolved::NotYet(why) => Some(why),
            Resolved::Blocked(why) => return Ok(Planned::Rejected(spec, why)),
        };
        if let Some(why) = (self.refuses)(&spec).or_else(|| self.unequal(&spec)) {
            // One that was submitted before is still found under its name.
            if known.is_none_or(|job| job.status().is_none()) {
                self.seen.insert(digest(&spec.job_name), Seen::Refused);
            }
            return Ok(Planned::Rejected(spec, why));
        }
        self.seen.insert(digest(&spec.job_name), Seen::Submitted(size(&spec)));
        Ok(match waits {
            None => Planned::Job(spec, decided),
            Some(why) => Planned::Waits(spec, why),
        })
    }

    fn seen(&self, name: &JobName) -> Option<Seen> {
        self.seen.get(&digest(name)).copied()
    }

    /// Children can't wait for those of an array of another size. In a file that is checked as a whole there is none.
    fn unequal(&self, spec: &JobSpec) -> Option<String> {
        spec.depends_on.iter().enumerate().find_map(|(index, dependency)| {
            let name =
                dependency.job_name.as_ref().filter(|_| dependency.kind == Some(DependencyType::NToN))?;
            let Some(Seen::Submitted(theirs)) = self.seen(name) else { return None };
            (theirs != size(spec)).then(|| {
                format!("dependsOn[{index}]: N_TO_N needs arrays of equal size, and {name} has another")
            })
        })
    }
}

fn size(spec: &JobSpec) -> Option<u32> {
    spec.array_properties.as_ref().map(|array| array.size)
}

fn digest(name: &JobName) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}
