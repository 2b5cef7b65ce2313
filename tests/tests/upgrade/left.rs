//! What a version leaves behind in the midst of a run: items, objects, and what Batch was told.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use batchwright::aws::dynamodb::{DynamoDbJobStore, Tables};
use batchwright::domain::{JobId, JobName, JobStatus, Nonce, Timestamp};
use batchwright::engine::Scene;
use batchwright::events::{JobDetail, JobStateChange};
use batchwright::memory::InMemoryObjectStore;
use batchwright::ports::{Clock as _, JobEngine as _, JobQueries as _, StateStore as _};
use batchwright_tests::crash::deployment::{Deployment, Recovery};
use batchwright_tests::crash::fuse::Fuse;
use batchwright_tests::crash::inbox::{Function, Letter};
use batchwright_tests::crash::network::Passage;
use batchwright_tests::crash::scenario::{Scenario, after, job, uploaded};
use batchwright_tests::world::{Ending, Ends, START};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Jobs behind the others: the run stops among them.
pub(crate) const TAIL: [&str; 40] = [
    "t00", "t01", "t02", "t03", "t04", "t05", "t06", "t07", "t08", "t09", "t10", "t11", "t12", "t13", "t14",
    "t15", "t16", "t17", "t18", "t19", "t20", "t21", "t22", "t23", "t24", "t25", "t26", "t27", "t28", "t29",
    "t30", "t31", "t32", "t33", "t34", "t35", "t36", "t37", "t38", "t39",
];

/// The calls of `SubmitJob` whose answer, and whose request, is lost: those of `sent` and `claimed`.
const SENT: (usize, Passage) = (9, Passage::AnswerLost);
const CLAIMED: (usize, Passage) = (10, Passage::RequestLost);

type Item = HashMap<String, AttributeValue>;

/// Behind the others what depends on `lost`, because the engine ends it when that has ended.
pub(crate) fn file() -> Vec<Value> {
    let mut array = job("array");
    array["arrayProperties"] = json!({"size": 2});
    array["resubmitChildren"] = json!(true);
    let first =
        ["done", "ended", "failed", "lost", "retried", "running", "runnable", "submitted", "sent", "claimed"];
    let mut jobs: Vec<Value> = first.map(job).to_vec();
    jobs.extend([array, after("waits", "lost")]);
    jobs.extend(TAIL.map(job));
    jobs
}

/// How attempts end.
pub(crate) fn ends(scene: &Scene<'_>) -> Ends {
    let short = Ends::success_after(Duration::from_millis(1));
    match (scene.job_name.as_str(), scene.submission, scene.array_index) {
        ("lost" | "retried", 1, _) | ("array", _, Some(1)) => short.ending(Ending::HostLost),
        ("failed", ..) => short.ending(Ending::Exit(3)),
        _ => short,
    }
}

/// A submission that Batch took.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Submitted {
    pub(crate) job_name: String,
    pub(crate) job_id: String,
    pub(crate) nonce: Nonce,
}

/// Everything.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Left {
    /// When.
    pub(crate) moment: Timestamp,
    /// In the order in which Batch took them.
    pub(crate) submitted: Vec<Submitted>,
    jobs: Vec<Value>,
    runs: Vec<Value>,
    objects: BTreeMap<String, Vec<u8>>,
}

impl Left {
    /// Reads what [`Left::write`] wrote.
    pub(crate) fn read(file: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
        Ok(serde_json::from_str(&text)?)
    }

    /// One item a line, so that a difference can be read.
    pub(crate) fn write(&self, file: &Path) -> anyhow::Result<()> {
        let lines = |values: &[Value]| values.iter().map(Value::to_string).collect::<Vec<_>>().join(",\n");
        let submitted: Result<Vec<Value>, _> = self.submitted.iter().map(serde_json::to_value).collect();
        let objects: Vec<String> =
            self.objects.iter().map(|(key, bytes)| format!("{}: {}", json!(key), json!(bytes))).collect();
        let text = format!(
            "{{\"moment\": {},\n\"submitted\": [\n{}],\n\"jobs\": [\n{}],\n\"runs\": [\n{}],\n\"objects\": {{\n{}}}}}\n",
            serde_json::to_value(self.moment)?,
            lines(&submitted?),
            lines(&self.jobs),
            lines(&self.runs),
            objects.join(",\n"),
        );
        Ok(std::fs::write(file, text)?)
    }

    /// Puts the items into tables.
    pub(crate) async fn put(&self, client: &Client, tables: &Tables) -> anyhow::Result<()> {
        for (table, items) in [(&tables.jobs, &self.jobs), (&tables.runs, &self.runs)] {
            for item in items {
                let item = from_json(item)?;
                client.put_item().table_name(table).set_item(Some(item)).send().await?;
            }
        }
        Ok(())
    }

    /// Puts the objects into the bucket.
    pub(crate) fn put_objects(&self, bucket: &InMemoryObjectStore) {
        for (key, bytes) in &self.objects {
            bucket.put(key, "application/octet-stream", bytes.clone());
        }
    }
}

fn to_json(item: &Item) -> anyhow::Result<Value> {
    let mut object = serde_json::Map::new();
    for (name, value) in item.iter().collect::<BTreeMap<_, _>>() {
        let value = match value {
            AttributeValue::S(text) => json!({"S": text}),
            AttributeValue::N(digits) => json!({"N": digits}),
            AttributeValue::Bool(flag) => json!({"BOOL": flag}),
            other => bail!("{name}: {other:?} is of no kind that is written"),
        };
        object.insert(name.clone(), value);
    }
    Ok(Value::Object(object))
}

fn from_json(item: &Value) -> anyhow::Result<Item> {
    let value = |value: &Value| match (value["S"].as_str(), value["N"].as_str(), value["BOOL"].as_bool()) {
        (Some(text), ..) => Ok(AttributeValue::S(text.to_owned())),
        (_, Some(digits), _) => Ok(AttributeValue::N(digits.to_owned())),
        (.., Some(flag)) => Ok(AttributeValue::Bool(flag)),
        _ => bail!("neither a text, a number nor a flag: {value}"),
    };
    let members = item.as_object().context("no object")?;
    members.iter().map(|(name, it)| Ok((name.clone(), value(it)?))).collect()
}

async fn items(client: &Client, table: &str) -> anyhow::Result<Vec<Value>> {
    let found = client.scan().table_name(table).consistent_read(true).send().await?;
    ensure!(found.last_evaluated_key().is_none(), "more than a page");
    let mut items: Vec<Value> = found.items().iter().map(to_json).collect::<anyhow::Result<_>>()?;
    items.sort_by_key(Value::to_string);
    Ok(items)
}

struct Site {
    deployment: Deployment<DynamoDbJobStore>,
}

impl Site {
    async fn deliver(&self, to: Function, body: Value) -> anyhow::Result<()> {
        let due = self.deployment.clock.now();
        self.deployment.deliver(vec![Letter { to, body, due, deliveries: 0 }]).await
    }

    /// Batch's books on the n-th submission of a job, when it has ended.
    async fn ended(&self, name: &str, number: usize) -> anyhow::Result<JobDetail> {
        let name = JobName::parse(name)?;
        loop {
            let mut books = self.deployment.network.books(&name).await?;
            books.sort_by_key(|detail| detail.created_at);
            if let Some(detail) = books.into_iter().nth(number).filter(|detail| detail.status.is_terminal()) {
                return Ok(detail);
            }
            tokio::task::yield_now().await;
        }
    }

    async fn tell(&self, detail: JobDetail) -> anyhow::Result<()> {
        let event = json!({"detail-type": JobStateChange::DETAIL_TYPE, "source": JobStateChange::SOURCE, "detail": detail});
        self.deliver(Function::StateHandler, event).await
    }

    /// An earlier state of what has ended meanwhile.
    async fn tell_as(&self, name: &str, number: usize, status: JobStatus) -> anyhow::Result<()> {
        let mut detail = serde_json::to_value(self.ended(name, number).await?)?;
        detail["status"] = json!(status);
        let later = ["stoppedAt", "attempts", "statusReason"];
        for field in later.into_iter().chain((status == JobStatus::Runnable).then_some("startedAt")) {
            detail.as_object_mut().context("no object")?.remove(field);
        }
        self.tell(serde_json::from_value(detail)?).await
    }
}

/// Plays the story up to its midst, by the functions of this version.
pub(crate) async fn leave(client: &Client, tables: Tables) -> anyhow::Result<Left> {
    let scenario = Scenario::of_file("a version leaves", &file(), &[]);
    let scenario = Scenario {
        calls: Vec::new(),
        script: ends,
        events_lost: true,
        passages: vec![SENT, CLAIMED],
        // The submitter stops itself a minute before its time is over.
        seconds: 63,
        pace: Some(8.0),
        ..scenario
    };
    let store = DynamoDbJobStore::new(client.clone(), tables.clone()).beside_log_collector();
    let opened = store.clone();
    let open = move || Ok(opened.clone());
    let deployment = Deployment::new(&scenario, open, Fuse::new([]), Recovery::Redelivered, true).await?;
    let site = Site { deployment };
    site.deliver(Function::Submitter, uploaded("jobs/file.json")).await?;
    for name in ["done", "ended", "failed", "retried"] {
        site.tell(site.ended(name, 0).await?).await?;
    }
    // A state handler that dies when it has written the state.
    let lost = site.ended("lost", 0).await?.state();
    store.apply_state(&lost, site.deployment.clock.now()).await?;
    site.tell(site.ended("waits", 0).await?).await?;
    let array = site.ended("array", 0).await?;
    let children: Vec<JobId> = (0..2).map(|index| array.job_id.array_child(index)).collect();
    for child in site.deployment.network.engine().describe_jobs(&children).await? {
        site.tell(child).await?;
    }
    site.tell(array).await?;
    site.tell_as("retried", 1, JobStatus::Running).await?;
    site.tell_as("running", 0, JobStatus::Running).await?;
    site.tell_as("runnable", 0, JobStatus::Runnable).await?;
    // Long enough for a log to settle, and not for a claim to expire.
    let settled = site.deployment.clock.now().plus_millis(120_000);
    site.deployment.clock.pass_until(settled, true).await;
    let done = site.ended("done", 0).await?;
    let event =
        json!({"detail-type": JobStateChange::DETAIL_TYPE, "source": JobStateChange::SOURCE, "detail": done});
    site.deliver(Function::LogCollector, event).await?;
    site.left(client, &tables).await
}

impl Site {
    async fn left(&self, client: &Client, tables: &Tables) -> anyhow::Result<Left> {
        let mut submitted = Vec::new();
        let mut cursor = None;
        loop {
            let page = self
                .deployment
                .network
                .engine()
                .list_jobs_since("queue", START.plus_millis(-1), cursor.as_ref())
                .await?;
            let ids: Vec<JobId> = page.items.into_iter().map(|summary| summary.job_id).collect();
            for ids in ids.chunks(100) {
                submitted.extend(self.deployment.network.engine().describe_jobs(ids).await?);
            }
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        submitted.sort_by_key(|detail| detail.created_at);
        let submitted = submitted.into_iter().map(|detail| {
            let state = detail.state();
            let nonce = state.nonce.with_context(|| format!("{} has no nonce", state.job_id))?;
            Ok(Submitted { job_name: state.job_name.to_string(), job_id: state.job_id.to_string(), nonce })
        });
        let bucket = &self.deployment.objects;
        let objects =
            bucket.keys().into_iter().map(|key| (key.clone(), bucket.bytes(&key).unwrap_or_default()));
        let left = Left {
            moment: self.deployment.clock.now(),
            submitted: submitted.collect::<anyhow::Result<_>>()?,
            jobs: items(client, &tables.jobs).await?,
            runs: items(client, &tables.runs).await?,
            objects: objects.collect(),
        };
        let tail = self.deployment.store().job(&JobName::parse(TAIL[39])?).await?;
        ensure!(tail.is_none(), "the run must not be through: give the submitter less time");
        Ok(left)
    }
}
