//! What the words of a command line name: runs, jobs, patterns of job names, job files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use batchwright::domain::{Job, JobId, JobName, Run, RunId};
use batchwright::ports::{Cursor, JobQueries, RunStore, Unreadable};
use batchwright::use_cases::select::{SelectError, Selected, is_pattern, select};

use crate::args::Output;
use crate::commands::summary::open_job_file;
use crate::exit::Failure;

/// Names that are looked up at once.
pub(crate) const BATCH: usize = 200;

/// What one word names.
pub(crate) enum Named {
    /// A run.
    Run(Box<Run>),
    /// A job, or those whose names match.
    Jobs(Vec<JobName>),
    /// A job file, whose jobs need not be known.
    File(PathBuf),
}

impl Named {
    /// The one job that is shown with all that is known of it. A program is answered by what it has written, and not by how many
    /// names match a pattern.
    pub(crate) fn one_job(&self, word: &str, output: Output) -> Option<&JobName> {
        match self {
            Self::Jobs(names) => match &names[..] {
                [name] if output == Output::Table || !is_pattern(word) => Some(name),
                _ => None,
            },
            Self::Run(_) | Self::File(_) => None,
        }
    }
}

/// Finds what a word names.
pub(crate) async fn named<S: JobQueries + RunStore>(store: &S, word: &str) -> Result<Named, Failure> {
    match select(store, word).await {
        Ok(Selected::Run(run)) => Ok(Named::Run(run)),
        Ok(Selected::Job(name)) => Ok(Named::Jobs(vec![name])),
        Ok(Selected::Matching(names)) if !names.is_empty() => Ok(Named::Jobs(names)),
        Ok(Selected::Matching(_)) => Err(Failure::Broken(anyhow!("no job's name matches {word}"))),
        Ok(Selected::Unknown) if Path::new(word).is_file() => Ok(Named::File(PathBuf::from(word))),
        Ok(Selected::Unknown) => Err(unknown(store, word).await),
        Err(SelectError::Pattern(error)) => Err(Failure::Usage(error.to_string())),
        Err(SelectError::Port(error)) => Err(Failure::Broken(error.into())),
    }
}

/// A job id names no job, because a job has several and an array's child is none: but it tells which job is meant.
async fn unknown<S: JobQueries>(store: &S, word: &str) -> Failure {
    if let Ok(job_id) = JobId::parse(word)
        && let Ok(Some(found)) = store.submission(&job_id).await
    {
        let name = found.state.job_name;
        return Failure::Broken(anyhow!(
            "{word} is the id of a submission of {name}: give the job's name; `batchwright logs {name} --job-id {word}` shows \
             its log alone"
        ));
    }
    match (JobName::parse(word), RunId::parse(word)) {
        (Err(error), Err(_)) => Failure::Usage(format!(
            "{error}; give a run's id, a job's name, a pattern of names, or a job file"
        )),
        _ => Failure::Broken(anyhow!("no job, run or job file is named {word}")),
    }
}

/// Calls `each` with every job that the words name, with what is known of it; without words, with every job. Where words
/// overlap, each job comes once. Jobs of a file that were never submitted are not known.
pub(crate) async fn for_each_job<S: JobQueries + RunStore>(
    store: &S,
    words: &[String],
    each: &mut impl AsyncFnMut(JobName, Option<Job>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    if words.is_empty() {
        return for_each_of_run(store, None, each).await;
    }
    let mut seen = BTreeSet::new();
    // One word names each of its jobs once, and takes no memory for that.
    let may_overlap = words.len() > 1;
    let once = &mut async |name: JobName, job: Option<Job>| {
        if may_overlap && !seen.insert(name.clone()) {
            return Ok(());
        }
        each(name, job).await
    };
    for word in words {
        match named(store, word).await? {
            Named::Run(run) => for_each_of_run(store, Some(&run.run_id), once).await?,
            Named::Jobs(names) => look_up(store, &names, once).await?,
            Named::File(path) => for_each_of_file(store, &path, once).await?,
        }
    }
    Ok(())
}

/// Says on stderr what a list leaves out, because nobody can show it.
pub(crate) fn tell_unreadable(unreadable: &[Unreadable]) {
    for Unreadable { key, why } in unreadable {
        let job = key.split('/').next().unwrap_or_default();
        eprintln!("left out: {why}; `batchwright forget {job}` removes what is known of the job");
    }
}

async fn for_each_of_run<S: JobQueries>(
    store: &S,
    run_id: Option<&RunId>,
    each: &mut impl AsyncFnMut(JobName, Option<Job>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut cursor: Option<Cursor> = None;
    loop {
        let page = store.jobs(run_id, cursor.as_ref()).await.context("the jobs can't be read")?;
        tell_unreadable(&page.unreadable);
        for job in page.items {
            each(job.name().clone(), Some(job)).await?;
        }
        cursor = page.next;
        if cursor.is_none() {
            return Ok(());
        }
    }
}

async fn look_up<S: JobQueries>(
    store: &S,
    names: &[JobName],
    each: &mut impl AsyncFnMut(JobName, Option<Job>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    for names in names.chunks(BATCH) {
        let found = store.jobs_named(names).await.context("the jobs can't be read")?;
        for (name, job) in names.iter().zip(found) {
            each(name.clone(), job).await?;
        }
    }
    Ok(())
}

/// Calls `each` with every job of a file. Reads the file once more and looks its jobs up, so that none has to be held.
pub(crate) async fn for_each_of_file<S: JobQueries>(
    store: &S,
    path: &Path,
    each: &mut impl AsyncFnMut(JobName, Option<Job>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut file = open_job_file(path).await?;
    let mut names: Vec<JobName> = Vec::with_capacity(BATCH);
    loop {
        let entry = file.next().await.map_err(|error| Failure::Rejected(error.to_string()))?;
        let ended = entry.is_none();
        names.extend(entry.and_then(|entry| entry.job.ok()).map(|spec| spec.job_name));
        if names.len() == BATCH || ended {
            look_up(store, &names, each).await?;
            names.clear();
        }
        if ended {
            return Ok(());
        }
    }
}

/// What a word may be, told before anything is opened.
pub(crate) fn check_word(word: &str) -> Result<String, String> {
    let part = JobId::parse(word).ok().and_then(|job_id| job_id.parent());
    let is_part = part.is_some_and(|parent| JobName::parse(parent.as_str()).is_ok());
    let may_be = is_pattern(word) || RunId::parse(word).is_ok() || is_part || Path::new(word).is_file();
    match JobName::parse(word) {
        Err(error) if !may_be => Err(format!(
            "{error}; give a run's id, a job's name, a pattern of names as in 'tile-*', or a job file"
        )),
        _ => Ok(word.to_owned()),
    }
}
