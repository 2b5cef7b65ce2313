//! Answers of `SubmitJob` that get lost on the wire: the adapter for AWS Batch against this project's own
//! endpoint, with a network between them that fails. One submission is left, whatever happens.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use aws_config::timeout::TimeoutConfig;
use batchwright::aws::BatchJobEngine;
use batchwright::domain::{Job, JobId, JobSpec, JobStatus};
use batchwright::memory::InMemoryJobStore;
use batchwright::ports::{ErrorKind, JobEngine as _, JobQueries as _, NoBus, Unpaced};
use batchwright::use_cases::reconcile::{ReconcilePolicy, Reconciled, reconcile};
use batchwright::use_cases::record_state::{Recorded, Recorder};
use batchwright::use_cases::submit::{Asked, Order, SubmitOutcome, SubmitPolicy, submit};
use batchwright_tests::emulators::sdk_config;
use batchwright_tests::fault_proxy::{Fault, FaultProxy};
use batchwright_tests::shifted_clock::ShiftedClock;
use batchwright_tests::wire::{Endpoint, options};
use batchwright_tests::world::{run_id, spec};
use serde_json::{Value, json};
use tokio::sync::Notify;

const SUBMIT: &str = "POST /v1/submitjob";

/// What the proxy does not answer by then is not answered. Longer than a busy machine takes for a call.
const PATIENCE: Duration = Duration::from_secs(5);

/// Longer than a claim and its quarantine.
const CLAIM_IS_OVER_MS: i64 = 700_000;

struct Wire {
    endpoint: Endpoint,
    proxy: FaultProxy,
    engine: BatchJobEngine,
    store: InMemoryJobStore,
    clock: ShiftedClock,
    _folder: tempfile::TempDir,
}

impl Wire {
    async fn with(operation: &'static str, faults: Vec<Fault>) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let endpoint = Endpoint::start(options(folder.path())).await?;
        let proxy = FaultProxy::start(&endpoint.url, operation, faults).await?;
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(PATIENCE).build();
        let config = sdk_config(proxy.endpoint_url()).await?.into_builder().timeout_config(timeouts).build();
        let engine = BatchJobEngine::new(aws_sdk_batch::Client::new(&config));
        let (store, clock) = (InMemoryJobStore::default(), ShiftedClock::default());
        Ok(Self { endpoint, proxy, engine, store, clock, _folder: folder })
    }

    fn recorder(&self) -> Recorder<'_, InMemoryJobStore, BatchJobEngine, Unpaced, ShiftedClock> {
        let (store, engine, clock) = (&self.store, &self.engine, &self.clock);
        Recorder { store, engine, pace: &Unpaced, clock, bus: &NoBus, policy: SubmitPolicy::default() }
    }

    async fn submit(&self, spec: &JobSpec) -> anyhow::Result<SubmitOutcome> {
        let run_id = run_id();
        let order = Order { spec, run_id: &run_id, asked: Asked::ByPerson { rerun: false }, sheet: None };
        let policy = SubmitPolicy::default();
        Ok(submit(&self.store, &self.engine, &Unpaced, &self.clock, &policy, &order).await?)
    }

    async fn reconcile(&self) -> anyhow::Result<Reconciled> {
        Ok(reconcile(&self.recorder(), &ReconcilePolicy::default()).await?)
    }

    /// The endpoint's own books, not through the proxy.
    async fn submissions(&self) -> anyhow::Result<Vec<Value>> {
        let by_name = json!({"name": "JOB_NAME", "values": ["job"]});
        let mut listed =
            self.endpoint.ok("listjobs", json!({"jobQueue": "queue", "filters": [by_name]})).await?;
        serde_json::from_value(listed["jobSummaryList"].take()).context("no list")
    }

    async fn job(&self) -> anyhow::Result<Job> {
        self.store.job(&spec("job").job_name).await?.context("the job is not known")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_request_is_sent_and_the_reconciler_finds_the_one_submission() -> anyhow::Result<()> {
    for fault in [Fault::CloseAfterEffect, Fault::ErrorAfterEffect, Fault::SilenceAfterEffect] {
        let wire = Wire::with(SUBMIT, vec![fault.clone()]).await?;
        let outcome = wire.submit(&spec("job")).await?;
        assert!(matches!(outcome, SubmitOutcome::Unknown(_)), "{fault:?}: {outcome:?}");
        assert_eq!(wire.reconcile().await?, Reconciled::default(), "{fault:?}: the claim has not expired");
        wire.clock.pass(CLAIM_IS_OVER_MS);
        let done = wire.reconcile().await?;
        assert_eq!((done.claims_adopted, done.resubmitted), (1, 0), "{fault:?}");
        assert_eq!(wire.proxy.count(SUBMIT), 1, "{fault:?}");
        let made = wire.submissions().await?;
        let job = wire.job().await?;
        assert_eq!(made.len(), 1, "{fault:?}: {made:?}");
        assert_eq!(made[0]["jobId"].as_str(), job.head.job_id.as_ref().map(JobId::as_str), "{fault:?}");
        assert!(job.head.claim.is_none(), "{fault:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_never_arrived_is_made_by_the_reconciler_once() -> anyhow::Result<()> {
    let wire = Wire::with(SUBMIT, vec![Fault::CloseBeforeEffect]).await?;
    assert!(matches!(wire.submit(&spec("job")).await?, SubmitOutcome::Unknown(_)));
    assert!(wire.submissions().await?.is_empty());
    wire.clock.pass(CLAIM_IS_OVER_MS);
    assert_eq!(wire.reconcile().await?.resubmitted, 1);
    assert_eq!((wire.proxy.count(SUBMIT), wire.submissions().await?.len()), (2, 1));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reconciler_whose_answer_is_lost_too_leaves_a_claim_for_the_next_pass() -> anyhow::Result<()> {
    let wire = Wire::with(SUBMIT, vec![Fault::CloseBeforeEffect, Fault::CloseAfterEffect]).await?;
    wire.submit(&spec("job")).await?;
    for (adopted, resubmitted) in [(0, 0), (1, 0), (0, 0)] {
        wire.clock.pass(CLAIM_IS_OVER_MS);
        let done = wire.reconcile().await?;
        assert_eq!((done.claims_adopted, done.resubmitted), (adopted, resubmitted));
    }
    assert_eq!((wire.proxy.count(SUBMIT), wire.submissions().await?.len()), (2, 1));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reconciler_that_is_throttled_leaves_a_claim_for_the_next_pass() -> anyhow::Result<()> {
    let mut faults = vec![Fault::CloseBeforeEffect];
    faults.extend(vec![Fault::ThrottleBeforeEffect; SubmitPolicy::default().attempts as usize]);
    let wire = Wire::with(SUBMIT, faults).await?;
    wire.submit(&spec("job")).await?;
    wire.clock.pass(CLAIM_IS_OVER_MS);
    assert_eq!(wire.reconcile().await?.postponed, 1);
    assert!(wire.job().await?.head.claim.is_some(), "so that the job is not forgotten");
    wire.clock.pass(CLAIM_IS_OVER_MS);
    assert_eq!(wire.reconcile().await?.resubmitted, 1);
    assert_eq!(wire.submissions().await?.len(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_throttled_request_had_no_effect_and_is_made_again() -> anyhow::Result<()> {
    let wire = Wire::with(SUBMIT, vec![Fault::ThrottleBeforeEffect, Fault::ThrottleBeforeEffect]).await?;
    assert!(matches!(wire.submit(&spec("job")).await?, SubmitOutcome::Submitted(_)));
    assert_eq!((wire.proxy.count(SUBMIT), wire.submissions().await?.len()), (3, 1));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_description_is_asked_for_until_it_comes() -> anyhow::Result<()> {
    const DESCRIBE: &str = "POST /v1/describejobs";
    let faults = vec![Fault::CloseAfterEffect, Fault::ErrorAfterEffect, Fault::ThrottleBeforeEffect];
    let wire = Wire::with(DESCRIBE, faults).await?;
    let SubmitOutcome::Submitted(job_id) = wire.submit(&spec("job")).await? else { panic!("not submitted") };
    let described = wire.engine.describe_jobs(std::slice::from_ref(&job_id)).await?;
    assert_eq!(described.len(), 1);
    assert_eq!((wire.proxy.count(DESCRIBE), wire.proxy.count(SUBMIT)), (4, 1));
    Ok(())
}

/// The residual window: a request that hangs in the network until its claim has been taken over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_takes_effect_after_the_quarantine_is_found_by_its_event_and_terminated()
-> anyhow::Result<()> {
    let told = Arc::new(Notify::new());
    let wire = Wire::with(SUBMIT, vec![Fault::Late(Arc::clone(&told))]).await?;
    let mut endless = spec("job");
    if let Some(overrides) = &mut endless.container_overrides {
        overrides.command = Some(vec!["sleep".to_owned(), "600".to_owned()]);
    }
    assert!(matches!(wire.submit(&endless).await?, SubmitOutcome::Unknown(_)));
    wire.clock.pass(CLAIM_IS_OVER_MS);
    assert_eq!(wire.reconcile().await?.resubmitted, 1);
    let kept = wire.job().await?.head.job_id.context("no submission")?;
    told.notify_one();
    let surplus = tokio::time::timeout(Duration::from_secs(60), async {
        loop {
            let made = wire.submissions().await?;
            let ids = made.iter().filter_map(|job| job["jobId"].as_str());
            if let Some(id) = ids.into_iter().find(|id| *id != kept.as_str()) {
                return anyhow::Ok(JobId::parse(id)?);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let surplus = surplus.await??;
    for (job_id, expected) in [(&kept, false), (&surplus, true)] {
        let detail = wire.engine.describe_jobs(std::slice::from_ref(job_id)).await?;
        let recorded = wire.recorder().record_state(&detail[0].state()).await?;
        assert_eq!(recorded == Recorded::Surplus, expected, "{recorded:?}");
    }
    assert_eq!(wire.endpoint.ended(surplus.as_str()).await?["status"], "FAILED");
    let job = wire.job().await?;
    assert_eq!(job.head.job_tries, std::slice::from_ref(&kept));
    assert!(wire.endpoint.described(kept.as_str()).await?["status"] != JobStatus::Failed.as_str());
    wire.engine.terminate_job(&kept, "the test has ended").await?;
    wire.endpoint.ended(kept.as_str()).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_is_ambiguous_to_the_caller() -> anyhow::Result<()> {
    let wire = Wire::with(SUBMIT, vec![Fault::CloseAfterEffect]).await?;
    let request = batchwright::domain::SubmitJobRequest::verbatim(spec("job"));
    let error = wire.engine.submit_job(&request).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Ambiguous, "{error}");
    assert_eq!((wire.proxy.count(SUBMIT), wire.submissions().await?.len()), (1, 1));
    Ok(())
}
