//! `batchwright store import`.

use std::fs::File;
use std::io::{BufRead, BufReader};

use anyhow::Context;
use batchwright::aio_aws::{self, Imported, KeptJob};
use batchwright::domain::{JobHead, Submission};
use batchwright::{ClientError, Store, store};
use serde::Deserialize;

use crate::args::ImportArgs;
use crate::exit::{Exit, Failure};
use crate::output::human;

/// One line of an export.
#[derive(Deserialize)]
struct Line {
    head: JobHead,
    submissions: Vec<Submission>,
}

/// What came of the submissions so far.
#[derive(Default)]
struct Told {
    taken_in: u64,
    refused: u64,
}

impl Told {
    fn tell(&mut self, imported: &Imported) {
        match &imported.refused {
            None => self.taken_in += 1,
            Some(why) => {
                self.refused += 1;
                println!("{} {}: {why}", imported.job_name, imported.job_id);
            }
        }
    }

    /// A job that AWS Batch runs, where jobs are followed on this machine alone.
    fn refuse(&mut self, what: impl std::fmt::Display) {
        self.refused += 1;
        println!("{what}: it has no end, and no engine of this folder runs it");
    }
}

/// Takes in what an export or aio-aws has kept. Jobs that have not ended are taken in where they can be `followed`.
pub(crate) async fn import<S: Store>(store: &S, args: &ImportArgs, followed: bool) -> Result<Exit, Failure> {
    let mut told = Told::default();
    if args.from.contains("://") {
        of_aio_aws(store, of_redis(&args.from).await?, followed, &mut told).await?;
    } else if is_export(&args.from)? {
        of_export(store, &args.from, followed, &mut told).await?;
    } else {
        let kept = aio_aws::tinydb(&args.from).map_err(|error| Failure::Rejected(error.to_string()))?;
        of_aio_aws(store, kept, followed, &mut told).await?;
    }
    println!("{} taken in, {} refused", human::count(told.taken_in, "submission"), told.refused);
    Ok(if told.refused > 0 { Exit::JobsFailed } else { Exit::Well })
}

fn opened(path: &str) -> Result<BufReader<File>, Failure> {
    Ok(BufReader::new(File::open(path).map_err(|error| Failure::Rejected(format!("{path}: {error}")))?))
}

/// Whether the first line is one of an export, which is empty where there were no jobs. A file of TinyDB is one JSON
/// object with other members.
fn is_export(path: &str) -> Result<bool, Failure> {
    let mut line = String::new();
    let read = opened(path)?.read_line(&mut line);
    if read.map_err(|error| Failure::Rejected(format!("{path}: {error}")))? == 0 {
        return Ok(true);
    }
    let found: Result<serde_json::Value, _> = serde_json::from_str(&line);
    Ok(found.is_ok_and(|found| found.get("head").is_some()))
}

async fn of_export<S: Store>(store: &S, path: &str, followed: bool, told: &mut Told) -> Result<(), Failure> {
    for (number, line) in (1..).zip(opened(path)?.lines()) {
        let wrong = |why: String| Failure::Rejected(format!("{path}, line {number}: {why}"));
        let line = line.map_err(|error| wrong(error.to_string()))?;
        let job: Line = serde_json::from_str(&line).map_err(|error| wrong(error.to_string()))?;
        let latest = job.submissions.iter().find(|one| Some(&one.state.job_id) == job.head.job_id.as_ref());
        if !followed && latest.is_some_and(|latest| !latest.state.status.is_terminal()) {
            told.refuse(&job.head.spec.job_name);
            continue;
        }
        let restored = store::restore(store, &job.head, &job.submissions).await;
        restored.context("the state")?.iter().for_each(|one| told.tell(one));
    }
    Ok(())
}

async fn of_aio_aws<S: Store>(
    store: &S,
    kept: Vec<KeptJob>,
    followed: bool,
    told: &mut Told,
) -> Result<(), Failure> {
    let (kept, open): (Vec<_>, Vec<_>) =
        kept.into_iter().partition(|job| followed || job.state().status.is_terminal());
    open.iter().for_each(|job| told.refuse(format!("{} {}", job.job_name, job.job_id)));
    let imported = aio_aws::import(store, kept).await;
    imported
        .map_err(|error: ClientError| Failure::Broken(error.into()))?
        .iter()
        .for_each(|one| told.tell(one));
    Ok(())
}

#[cfg(feature = "redis")]
async fn of_redis(url: &str) -> Result<Vec<KeptJob>, Failure> {
    aio_aws::redis(url).await.map_err(|error| Failure::Rejected(error.to_string()))
}

#[cfg(not(feature = "redis"))]
#[expect(clippy::unused_async, reason = "the same with the feature `redis`")]
async fn of_redis(_: &str) -> Result<Vec<KeptJob>, Failure> {
    Err(Failure::Usage("this build reads no Redis; build the program with --features redis".to_owned()))
}
