//! Runs and jobs, by the words with which people name them.

use crate::domain::s3_uri::{InvalidPattern, Pattern};
use crate::domain::{JobName, Run, RunId};
use crate::ports::{Cursor, JobQueries, PortError, RunStore};

/// What a word names.
#[derive(Debug, Clone, PartialEq)]
pub enum Selected {
    /// A run, by its id.
    Run(Box<Run>),
    /// A job, by its name.
    Job(JobName),
    /// The jobs whose names match a pattern, in the store's order: as in `tile-*`.
    Matching(Vec<JobName>),
    /// Nothing that is known.
    Unknown,
}

/// Why nothing can be selected by a word.
#[derive(Debug, thiserror::Error)]
pub enum SelectError {
    /// The word looks like a pattern, and is none.
    #[error(transparent)]
    Pattern(#[from] InvalidPattern),
    /// The state can't be read.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Whether a word is a pattern of names: no name and no run's id holds one of these characters.
pub fn is_pattern(word: &str) -> bool {
    word.contains(['*', '?', '['])
}

/// Finds what a word names: a pattern's jobs, or else a run, or else a job.
pub async fn select<S: JobQueries + RunStore>(store: &S, word: &str) -> Result<Selected, SelectError> {
    if is_pattern(word) {
        return Ok(Selected::Matching(matching(store, &Pattern::parse(word)?).await?));
    }
    if let Ok(run_id) = RunId::parse(word)
        && let Some(run) = store.run(&run_id).await?
    {
        return Ok(Selected::Run(Box::new(run)));
    }
    match JobName::parse(word) {
        Ok(name) if store.job(&name).await?.is_some() => Ok(Selected::Job(name)),
        _ => Ok(Selected::Unknown),
    }
}

async fn matching<S: JobQueries>(store: &S, pattern: &Pattern) -> Result<Vec<JobName>, PortError> {
    let mut names = Vec::new();
    let mut cursor: Option<Cursor> = None;
    loop {
        let page = store.jobs(None, cursor.as_ref()).await?;
        let found = page.items.iter().map(crate::domain::Job::name);
        names.extend(found.filter(|name| pattern.matches(name.as_str())).cloned());
        cursor = page.next;
        if cursor.is_none() {
            return Ok(names);
        }
    }
}
