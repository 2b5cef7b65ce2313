//! A table that is restored to an earlier moment learns from Batch what was submitted since, and submits nothing twice.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::Context as _;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use batchwright::aws::dynamodb::{DynamoDbJobStore, Tables};
use batchwright::domain::children::child_name;
use batchwright::domain::spec::ArrayProperties;
use batchwright::domain::{
    ClaimOutcome, JobId, JobName, JobSpec, JobStatus, NewClaim, NewSubmission, Nonce, SubmitJobRequest,
};
use batchwright::engine::{
    AttemptOutcome as Ends, Ending, EngineConfig, JobIds, LocalEngine, MemoryBooks, Scene, SimulatedRunner,
};
use batchwright::events::JobStateChange;
use batchwright::ports::{ClaimStore as _, Clock, JobEngine as _, JobQueries as _, NoBus, Unpaced};
use batchwright::use_cases::reconcile::{ReconcilePolicy, reconcile};
use batchwright::use_cases::record_state::Recorder;
use batchwright::use_cases::relearn::{Relearned, relearn};
use batchwright::use_cases::submit::{Asked, Order, SubmitOutcome, SubmitPolicy, submit};
use batchwright_tests::emulators::dynamodb::create_tables;
use batchwright_tests::emulators::dynoxide::Dynoxide;
use batchwright_tests::shifted_clock::ShiftedClock;
use batchwright_tests::world::{run_id, spec};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

type Item = HashMap<String, AttributeValue>;

/// Longer than any claim, quarantine and silence.
const LATER_MS: i64 = 10_000_000;

struct Site {
    client: Client,
    engine: LocalEngine,
    clock: ShiftedClock,
    events: UnboundedReceiver<JobStateChange>,
}

fn tables(name: &str) -> Tables {
    Tables { jobs: format!("{name}-jobs"), runs: format!("{name}-runs") }
}

/// `lost` loses its first host and then runs for long, like `long` and `late`; the others SUCCEED.
fn ends(scene: &Scene<'_>) -> Ends {
    match (scene.job_name.as_str(), scene.submission) {
        ("lost", 1) => Ends::success_after(Duration::from_millis(1)).ending(Ending::HostLost),
        (name, _) if name.starts_with("array") && scene.array_index == Some(1) => {
            Ends::success_after(Duration::from_millis(1)).ending(Ending::HostLost)
        }
        ("lost" | "long" | "late" | "claimed" | "twice", _) => {
            Ends::success_after(Duration::from_secs(3_600))
        }
        _ => Ends::success_after(Duration::from_millis(1)),
    }
}

impl Site {
    async fn store(&self, name: &str) -> anyhow::Result<DynamoDbJobStore> {
        create_tables(&self.client, &tables(name)).await?;
        Ok(DynamoDbJobStore::new(self.client.clone(), tables(name)))
    }

    async fn submit(&self, store: &DynamoDbJobStore, name: &str) -> anyhow::Result<SubmitOutcome> {
        let (spec, run_id) = (spec(name), run_id());
        let order =
            Order { spec: &spec, run_id: &run_id, asked: Asked::ByPerson { rerun: false }, sheet: None };
        let policy = SubmitPolicy::default();
        Ok(submit(store, &self.engine, &Unpaced, &self.clock, &policy, &order).await?)
    }

    fn recorder<'a>(
        &'a self,
        store: &'a DynamoDbJobStore,
    ) -> Recorder<'a, DynamoDbJobStore, LocalEngine, Unpaced, ShiftedClock> {
        let Self { engine, clock, .. } = self;
        Recorder { store, engine, pace: &Unpaced, clock, bus: &NoBus, policy: SubmitPolicy::default() }
    }

    /// Records events until a job has come that far.
    async fn record_until(
        &mut self,
        store: &DynamoDbJobStore,
        name: &str,
        submissions: usize,
        status: JobStatus,
    ) -> anyhow::Result<()> {
        loop {
            let known = store.job(&JobName::parse(name)?).await?;
            if known
                .is_some_and(|job| job.head.job_tries.len() == submissions && job.status() == Some(status))
            {
                return Ok(());
            }
            let event = self.events.recv().await.context("the engine has stopped")?;
            self.recorder(store).record_state(&event.detail.state()).await?;
        }
    }

    async fn items(&self, table: &str) -> anyhow::Result<Vec<Item>> {
        let found = self.client.scan().table_name(table).consistent_read(true).send().await?;
        anyhow::ensure!(found.last_evaluated_key().is_none(), "more than a page");
        Ok(found.items().to_vec())
    }

    async fn restore(&self, name: &str, jobs: &[Item], runs: &[Item]) -> anyhow::Result<DynamoDbJobStore> {
        let store = self.store(name).await?;
        for (table, items) in [(tables(name).jobs, jobs), (tables(name).runs, runs)] {
            for item in items {
                self.client.put_item().table_name(&table).set_item(Some(item.clone())).send().await?;
            }
        }
        Ok(store)
    }

    async fn in_books(&self, name: &str) -> anyhow::Result<Vec<JobId>> {
        let listed = self.engine.list_jobs("queue", &JobName::parse(name)?, None).await?;
        Ok(listed.items.into_iter().map(|job| job.job_id).collect())
    }
}

#[tokio::test]
async fn a_restored_table_learns_from_batch_and_submits_nothing_twice() -> anyhow::Result<()> {
    const JOBS: [(&str, usize); 6] =
        [("lost", 2), ("long", 1), ("before", 1), ("claimed", 1), ("late", 1), ("late-done", 1)];
    let Some(dynoxide) = Dynoxide::shared()? else { return Ok(()) };
    let (sender, events) = unbounded_channel();
    let config = EngineConfig { ids: JobIds::seeded(16), ..EngineConfig::with_vcpus(64) };
    let clock = ShiftedClock::default();
    let runner = SimulatedRunner::new(ends);
    let engine = LocalEngine::start(config, MemoryBooks::default(), runner, clock.clone(), sender).await?;
    let client = Client::new(&dynoxide.sdk_config().await?);
    let mut site = Site { client, engine, clock, events };
    let store = site.store("real").await?;

    site.submit(&store, "before").await?;
    site.record_until(&store, "before", 1, JobStatus::Succeeded).await?;
    for name in ["lost", "long"] {
        site.submit(&store, name).await?;
    }
    let claim = NewClaim {
        spec: spec("claimed"),
        run_id: run_id(),
        replaces: None,
        replaced_end: None,
        job_queue: None,
        takes_over: None,
        resets_budget: true,
        on_sheet: false,
        now: site.clock.now(),
        expires_at: site.clock.now().plus_millis(300_000),
    };
    let ClaimOutcome::Granted(nonce) = store.claim(&claim).await? else { anyhow::bail!("not granted") };
    let moment = site.clock.now();
    let (jobs, runs) = (site.items("real-jobs").await?, site.items("real-runs").await?);

    let request = SubmitJobRequest::new(&claim.spec, &nonce, |_| None);
    let job_id = site.engine.submit_job(&request).await?;
    let job_name = claim.spec.job_name.clone();
    store.record_submission(&NewSubmission { job_name, nonce, job_id, now: site.clock.now() }).await?;
    site.record_until(&store, "lost", 2, JobStatus::Running).await?;
    for (name, status) in [("late", JobStatus::Running), ("late-done", JobStatus::Succeeded)] {
        site.submit(&store, name).await?;
        site.record_until(&store, name, 1, status).await?;
    }
    let stranger = SubmitJobRequest::verbatim(spec("stranger"));
    site.engine.submit_job(&stranger).await?;

    let restored = site.restore("restored", &jobs, &runs).await?;
    let since = moment.plus_millis(-3_600_000);
    let learned = relearn(&restored, &site.engine, &site.clock, "queue", since).await?;
    let expected = Relearned { taken_in: 4, known: 3, strangers: 1, surplus: 0 };
    assert_eq!(learned, expected, "lost's second, claimed, late and late-done; of three it knew the first");
    let again = relearn(&restored, &site.engine, &site.clock, "queue", since).await?;
    assert_eq!(again, Relearned { taken_in: 0, known: 7, ..expected }, "it can be repeated");

    for (name, submissions) in JOBS {
        let job_name = JobName::parse(name)?;
        let (real, known) = (store.job(&job_name).await?, restored.job(&job_name).await?);
        let (real, known) =
            (real.context("known")?, known.with_context(|| format!("{name} was not learned"))?);
        let of = |job: &batchwright::domain::Job| {
            (job.head.job_id.clone(), job.head.job_tries.len(), job.head.claim.is_some())
        };
        assert_eq!(of(&known), of(&real), "{name}");
        assert_eq!(known.head.job_tries.len(), submissions, "{name}");
        assert!(matches!(site.submit(&restored, name).await?, SubmitOutcome::Skipped(_)), "{name}");
    }
    site.clock.pass(LATER_MS);
    let done = reconcile(&site.recorder(&restored), &ReconcilePolicy::default()).await?;
    assert_eq!((done.resubmitted, done.claims_adopted, done.surplus_terminated), (0, 0, 0), "{done:?}");
    for (name, submissions) in JOBS {
        assert_eq!(site.in_books(name).await?.len(), submissions, "{name}");
    }

    // Without it, what was submitted after the moment is submitted again.
    let unlearned = site.restore("unlearned", &jobs, &runs).await?;
    assert!(matches!(site.submit(&unlearned, "late").await?, SubmitOutcome::Submitted(_)));
    Ok(())
}

#[tokio::test]
async fn children_that_were_run_again_belong_to_their_array_and_a_second_submission_is_ended()
-> anyhow::Result<()> {
    let Some(dynoxide) = Dynoxide::shared()? else { return Ok(()) };
    // Of the long name a part stands in those of its children's jobs.
    for (label, name) in [("arrays", "array".to_owned()), ("long-arrays", "array-".repeat(21))] {
        learn_children(dynoxide, label, name).await?;
    }
    Ok(())
}

async fn learn_children(dynoxide: &Dynoxide, label: &str, name: String) -> anyhow::Result<()> {
    let child = child_name(&JobName::parse(&name)?, 1);
    let (sender, events) = unbounded_channel();
    let config = EngineConfig { ids: JobIds::seeded(17), ..EngineConfig::with_vcpus(64) };
    let clock = ShiftedClock::default();
    let runner = SimulatedRunner::new(ends);
    let engine = LocalEngine::start(config, MemoryBooks::default(), runner, clock.clone(), sender).await?;
    let client = Client::new(&dynoxide.sdk_config().await?);
    let mut site = Site { client, engine, clock, events };
    let store = site.store(&format!("real-{label}")).await?;
    let mut array: JobSpec = spec(&name);
    array.array_properties = Some(ArrayProperties::new(2));
    array.resubmit_children = true;
    let order =
        Order { spec: &array, run_id: &run_id(), asked: Asked::ByPerson { rerun: false }, sheet: None };
    submit(&store, &site.engine, &Unpaced, &site.clock, &SubmitPolicy::default(), &order).await?;
    site.submit(&store, "twice").await?;
    let moment = site.clock.now();
    let (jobs, runs) =
        (site.items(&format!("real-{label}-jobs")).await?, site.items(&format!("real-{label}-runs")).await?);

    site.record_until(&store, &name, 1, JobStatus::Succeeded).await?;
    let twice = store.job(&JobName::parse("twice")?).await?.context("it is known")?.head;
    let nonce = Nonce::derive(&twice.spec.job_name, &twice.nonce_seed, 2);
    let surplus = site.engine.submit_job(&SubmitJobRequest::new(&twice.spec, &nonce, |_| None)).await?;

    let restored = site.restore(&format!("restored-{label}"), &jobs, &runs).await?;
    let since = moment.plus_millis(-3_600_000);
    let learned = relearn(&restored, &site.engine, &site.clock, "queue", since).await?;
    assert_eq!(learned, Relearned { taken_in: 1, known: 2, strangers: 0, surplus: 1 }, "the child's own job");
    let own = restored.job(&child.clone()).await?.context("it is not learned")?;
    assert_eq!(own.head.spec.child_of.as_ref().map(|of| of.index), Some(1), "it is the array's");
    site.clock.pass(LATER_MS);
    for _ in 0..2 {
        reconcile(&site.recorder(&restored), &ReconcilePolicy::default()).await?;
    }
    let array = restored.job(&JobName::parse(&name)?).await?.context("it is known")?;
    assert_eq!(array.status(), Some(JobStatus::Succeeded), "{:?}", array.head.children());
    for (name, submissions) in [(name.as_str(), 1), (child.as_str(), 1), ("twice", 2)] {
        assert_eq!(site.in_books(name).await?.len(), submissions, "{name}");
    }
    let ended = site.engine.describe_jobs(&[surplus]).await?.pop().context("it is in the books")?;
    assert_eq!(ended.is_terminated, Some(true), "one of the two is ended");
    let left = restored.job(&JobName::parse("twice")?).await?.context("it is known")?;
    assert_eq!((left.head.job_id.clone(), left.status()), (twice.job_id, Some(JobStatus::Running)));
    Ok(())
}
