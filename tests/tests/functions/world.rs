//! What stands in for AWS.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use batchwright::domain::{JobName, JobStatus, Timestamp};
use batchwright::engine::{
    EngineConfig, JobIds, LocalEngine, MemoryBooks, Script, SimulatedRunner, VirtualClock,
};
use batchwright::events::JobStateChange;
use batchwright::function::Invocation;
use batchwright::memory::{InMemoryJobStore, InMemoryLogSource, InMemoryObjectStore};
use batchwright::ports::{AsyncInvoker, Clock, JobQueries as _, PortError, SubmissionPace};
use batchwright::use_cases::record_state::Recorder;
use batchwright::use_cases::submit::SubmitPolicy;
use batchwright_tests::bus::RecordedBus;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

pub(crate) const BUCKET: &str = "bucket";

/// Everything that the functions share.
pub(crate) struct World {
    pub(crate) store: InMemoryJobStore,
    pub(crate) objects: InMemoryObjectStore,
    pub(crate) logs: InMemoryLogSource,
    pub(crate) engine: LocalEngine,
    pub(crate) clock: VirtualClock,
    pub(crate) invoker: Invocations,
    pub(crate) bus: RecordedBus,
    pub(crate) events: UnboundedReceiver<JobStateChange>,
}

impl World {
    /// On an engine whose jobs do what the script says.
    pub(crate) async fn with(script: impl Script) -> Self {
        let clock = VirtualClock::starting_at(Timestamp::from_millis(1_700_000_000_000));
        let (sender, events) = unbounded_channel();
        let config = EngineConfig { ids: JobIds::seeded(7), ..EngineConfig::with_vcpus(1_000) };
        let runner = SimulatedRunner::new(script);
        let engine = LocalEngine::start(config, MemoryBooks::default(), runner, clock, sender).await.unwrap();
        Self {
            store: InMemoryJobStore::default(),
            objects: InMemoryObjectStore::default(),
            logs: InMemoryLogSource::default(),
            engine,
            clock,
            invoker: Invocations::default(),
            bus: RecordedBus::default(),
            events,
        }
    }

    /// An invocation that has so many seconds.
    pub(crate) fn invocation(&self, seconds: u32) -> Invocation {
        Invocation {
            request_id: "request".to_owned(),
            function_name: "the-submitter".to_owned(),
            deadline: self.clock.now().plus_millis(i64::from(seconds) * 1_000),
        }
    }

    pub(crate) fn recorder<'a, P: SubmissionPace>(
        &'a self,
        pace: &'a P,
    ) -> Recorder<'a, InMemoryJobStore, LocalEngine, P, VirtualClock, RecordedBus> {
        let Self { store, engine, clock, bus, .. } = self;
        Recorder { store, engine, pace, clock, bus, policy: SubmitPolicy::default() }
    }

    /// Lets every job run to its end. Returns the events that came, as EventBridge sends them.
    pub(crate) async fn run_all(&mut self) -> Vec<Value> {
        self.engine.idle().await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let mut events = Vec::new();
        while let Ok(event) = self.events.try_recv() {
            events.push(serde_json::to_value(event).unwrap());
        }
        events
    }

    /// Lets a minute go by, in which short jobs run to their ends. Returns the events that came of a job.
    pub(crate) async fn run_all_of(&mut self, job: &str) -> Vec<Value> {
        tokio::time::sleep(Duration::from_secs(60)).await;
        let mut events = Vec::new();
        while let Ok(event) = self.events.try_recv() {
            events.push(serde_json::to_value(event).unwrap());
        }
        events.retain(|event| event["detail"]["jobName"] == job);
        events
    }

    pub(crate) async fn status(&self, job: &str) -> Option<JobStatus> {
        let job = self.store.job(&JobName::parse(job).unwrap()).await.unwrap();
        job.and_then(|job| job.status())
    }

    /// How often a job was submitted.
    pub(crate) async fn tries(&self, job: &str) -> usize {
        let job = self.store.job(&JobName::parse(job).unwrap()).await.unwrap();
        job.map_or(0, |job| job.head.job_tries.len())
    }
}

/// Keeps what would be invoked.
#[derive(Debug, Clone, Default)]
pub(crate) struct Invocations(Arc<Mutex<Vec<(String, Value)>>>);

impl Invocations {
    pub(crate) fn take(&self) -> Vec<(String, Value)> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl AsyncInvoker for Invocations {
    async fn invoke_later(&self, function: &str, payload: &[u8]) -> Result<(), PortError> {
        self.0.lock().unwrap().push((function.to_owned(), serde_json::from_slice(payload).unwrap()));
        Ok(())
    }
}

/// A job of a file.
pub(crate) fn job(name: &str) -> Value {
    json!({"jobName": name, "jobQueue": "q", "jobDefinition": "d", "containerOverrides": {"command": ["true"]}})
}

/// A notification of an upload, as S3 sends it.
pub(crate) fn uploaded(key: &str) -> Value {
    json!({"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": {
        "bucket": {"name": BUCKET}, "object": {"key": key, "sequencer": "01"},
    }}]})
}

/// A batch of a queue; the ids are the messages' numbers.
pub(crate) fn batch(bodies: impl IntoIterator<Item = String>) -> Value {
    let record = |(id, body): (usize, String)| json!({"eventSource": "aws:sqs", "messageId": id.to_string(), "body": body, "attributes": {}});
    json!({"Records": bodies.into_iter().enumerate().map(record).collect::<Vec<_>>()})
}

pub(crate) fn texts(events: &[Value]) -> Vec<String> {
    events.iter().map(Value::to_string).collect()
}

/// The numbers of the messages that were handed back.
pub(crate) fn handed_back(body: &impl serde::Serialize) -> Vec<u64> {
    let body = serde_json::to_value(body).unwrap();
    let items = body["batchItemFailures"].as_array().expect("a partial batch response");
    let mut ids: Vec<u64> =
        items.iter().map(|item| item["itemIdentifier"].as_str().unwrap().parse().unwrap()).collect();
    ids.sort_unstable();
    ids
}
