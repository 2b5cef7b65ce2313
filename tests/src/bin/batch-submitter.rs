//! A controller of its own on a SQLite state, before an endpoint that speaks AWS Batch's protocol: what
//! runs on AWS, with one process in place of the functions.
//!
//! `batch-submitter DATABASE ENDPOINT FILE CLAIM_MS`: runs the job file, then passes with the reconciler
//! until every job of the state has ended. Claims, quarantine and silence are shortened from AWS's minutes:
//! a claim lasts `CLAIM_MS`, half of which is its margin, and its quarantine as long again.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use aws_config::timeout::TimeoutConfig;
use batchwright::aws::BatchJobEngine;
use batchwright::domain::{JobStatus, RunId};
use batchwright::job_file;
use batchwright::memory::InMemoryObjectStore;
use batchwright::ports::{JobQueries as _, NoBus, SystemClock, Unpaced, WorkLists as _};
use batchwright::sqlite::SqliteStore;
use batchwright::use_cases::reconcile::{ReconcilePolicy, reconcile};
use batchwright::use_cases::record_state::Recorder;
use batchwright::use_cases::run_file::{RunEnd, RunFile, run_file};
use batchwright::use_cases::submit::SubmitPolicy;
use batchwright_tests::emulators::sdk_config;

/// Between two passes.
const PASS_INTERVAL: Duration = Duration::from_millis(100);

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let [database, endpoint, file, claim_ms] = arguments[..] else {
        bail!("usage: batch-submitter DATABASE ENDPOINT FILE CLAIM_MS");
    };
    let claim_ms: i64 = claim_ms.parse().with_context(|| format!("CLAIM_MS {claim_ms:?}"))?;
    let store = SqliteStore::open(Path::new(database))?;
    let attempt = Duration::from_millis(claim_ms.unsigned_abs() / 4);
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(attempt).build();
    let config = sdk_config(endpoint).await?.into_builder().timeout_config(timeouts).build();
    let engine = BatchJobEngine::new(aws_sdk_batch::Client::new(&config));
    let policy = SubmitPolicy { claim_ms, claim_margin_ms: claim_ms / 2, ..SubmitPolicy::default() };
    let run_id = RunId::derive(file, &std::process::id().to_string(), "0");
    let order = RunFile { concurrency: 4, policy, ..RunFile::new(run_id, file) };
    let archive = InMemoryObjectStore::default();
    loop {
        let text = tokio::fs::read(file).await.with_context(|| format!("reading {file}"))?;
        let mut jobs = job_file::open(text.as_slice(), file).await?;
        let run = run_file(&store, &engine, &Unpaced, &SystemClock, &archive, &mut jobs, &order, |_| ());
        if let RunEnd::Complete(_) = run.await? {
            break;
        }
    }
    let recorder =
        Recorder { store: &store, engine: &engine, pace: &Unpaced, clock: &SystemClock, bus: &NoBus, policy };
    let passes = ReconcilePolicy { quarantine_ms: claim_ms, silence_ms: 0, ..ReconcilePolicy::default() };
    loop {
        reconcile(&recorder, &passes).await?;
        let counts = store.count_by_status().await?;
        let ended = |status: &JobStatus| status.is_terminal();
        let open: u64 =
            JobStatus::ALL.iter().filter(|status| !ended(status)).map(|&status| counts[status]).sum();
        if open + counts.unsubmitted == 0 && store.expired_claims(far(), None).await?.items.is_empty() {
            return Ok(());
        }
        tokio::time::sleep(PASS_INTERVAL).await;
    }
}

/// A moment by which every claim has expired.
fn far() -> batchwright::domain::Timestamp {
    batchwright::domain::Timestamp::from_millis(i64::MAX)
}
