//! Each function may do exactly what it does: its handler over the real adapters, with every request
//! recorded, beside its policy in the template.

#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use aws_config::SdkConfig;
use batchwright::aws::dynamodb::{DynamoDbJobStore, Tables};
use batchwright::aws::{
    BatchJobEngine, CloudWatchLogSource, EventBridgeBus, LambdaCaller, LambdaInvoker, S3Buckets,
    S3ObjectStore, s3_client,
};
use batchwright::domain::{
    Checkpoint, ClaimOutcome, FollowUp, JobId, JobName, JobSpec, JobState, JobStatus, LogsRecord, NewClaim,
    NewSubmission, Nonce, Run, RunCounts, RunId, RunState, Stop, SubmitJobRequest,
};
use batchwright::events::JobDetail;
use batchwright::function::Invocation;
use batchwright::job_file::check_job;
use batchwright::pace::TokenBucket;
use batchwright::ports::{
    ClaimStore as _, Clock, JobEngine, JobQueries as _, JobStore, ObjectStore, ObjectWriter, PortError,
    RunStore as _, StateStore as _, SystemClock, Unpaced, WorkLists as _,
};
use batchwright::use_cases::record_state::Recorder;
use batchwright::use_cases::stop::cancel_run;
use batchwright::use_cases::submit::SubmitPolicy;
use batchwright_tests::emulators::dynamodb::create_tables;
use batchwright_tests::emulators::ministack::Ministack;
use batchwright_tests::emulators::sdk_config;
use batchwright_tests::recorded::Calls;
use batchwright_tests::template::{actions, read, roles, statements};
use batchwright_tests::wire::{Endpoint, options};
use serde_json::{Value, json};

const BUCKET: &str = "policies";
const PREFIX: &str = "policies-";

/// What Lambda does in a function's name: its log, its traces.
const EVERY_FUNCTION: &[&str] =
    &["logs:CreateLogStream", "logs:PutLogEvents", "xray:PutTelemetryRecords", "xray:PutTraceSegments"];
/// What Lambda does to feed a function from a queue.
const FROM_A_QUEUE: &[&str] =
    &["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"];
/// Lambda hands what failed for good to the dead-letter queue in the function's name.
const TO_A_DEAD_LETTER_QUEUE: &[&str] = &["sqs:SendMessage"];

/// S3 copies an object with its tags in the caller's name.
const FOR_TAGS: &[&str] = &["s3:GetObjectTagging", "s3:GetObjectVersionTagging", "s3:PutObjectTagging"];

/// S3 asks KMS in the caller's name for objects that are encrypted.
const FOR_KEYS: &[&str] = &["kms:Decrypt", "kms:GenerateDataKey"];

/// The adapters of one function, all recorded.
struct Adapters {
    calls: Calls,
    store: DynamoDbJobStore,
    engine: BatchJobEngine,
    objects: S3ObjectStore,
    source: CloudWatchLogSource,
    invoker: LambdaInvoker,
    bus: EventBridgeBus,
    caller: LambdaCaller,
}

/// Emulators, and what the functions find there.
struct Cloud {
    aws: SdkConfig,
    batch: SdkConfig,
    endpoint: Endpoint,
}

impl Cloud {
    async fn new(folder: &Path) -> anyhow::Result<Option<Self>> {
        let Some(ministack) = tokio::task::spawn_blocking(Ministack::shared).await?? else { return Ok(None) };
        let aws = ministack.sdk_config().await?;
        let endpoint = Endpoint::start(options(folder)).await?;
        let batch = sdk_config(&endpoint.url).await?;
        create_tables(&aws_sdk_dynamodb::Client::new(&aws), &tables()).await?;
        let place = aws_sdk_s3::types::CreateBucketConfiguration::builder()
            .location_constraint(aws_sdk_s3::types::BucketLocationConstraint::EuWest1)
            .build();
        s3_client(&aws).create_bucket().bucket(BUCKET).create_bucket_configuration(place).send().await?;
        Ok(Some(Self { aws, batch, endpoint }))
    }

    fn adapters(&self) -> Adapters {
        let calls = Calls::default();
        let (aws, batch) = (calls.through(&self.aws, PREFIX), calls.through(&self.batch, PREFIX));
        Adapters {
            store: DynamoDbJobStore::new(aws_sdk_dynamodb::Client::new(&aws), tables())
                .beside_log_collector(),
            engine: BatchJobEngine::new(aws_sdk_batch::Client::new(&batch)),
            objects: S3ObjectStore::new(s3_client(&aws), BUCKET),
            source: CloudWatchLogSource::new(aws_sdk_cloudwatchlogs::Client::new(&batch)),
            invoker: LambdaInvoker::new(aws_sdk_lambda::Client::new(&aws)),
            bus: EventBridgeBus::new(
                aws_sdk_eventbridge::Client::new(&aws),
                Some("default".to_owned()),
                "policies",
            ),
            caller: LambdaCaller::new(&aws),
            calls,
        }
    }
}

fn tables() -> Tables {
    Tables { jobs: format!("{PREFIX}jobs"), runs: format!("{PREFIX}runs") }
}

fn look_up(name: &str) -> Option<String> {
    let value = match name {
        "BATCHWRIGHT_JOBS_TABLE" => "policies-jobs",
        "BATCHWRIGHT_RUNS_TABLE" => "policies-runs",
        "BATCHWRIGHT_BUCKET" => BUCKET,
        "BATCHWRIGHT_SUBMITTER" => "submitter",
        "BATCHWRIGHT_FAN_OUT_TARGETS" => "task-*",
        "BATCHWRIGHT_STOP_MARGIN_SECONDS" | "BATCHWRIGHT_SILENCE_SECONDS" => "1",
        "BATCHWRIGHT_RUN_SILENCE_SECONDS" => "1",
        "BATCHWRIGHT_SUBMIT_CONCURRENCY" => "2",
        "BATCHWRIGHT_QUARANTINE_SECONDS" | "BATCHWRIGHT_LOG_SETTLE_SECONDS" => "0",
        _ => return None,
    };
    Some(value.to_owned())
}

fn invocation(seconds: i64) -> Invocation {
    let deadline = SystemClock.now().plus_millis(seconds * 1_000);
    Invocation { request_id: "request".to_owned(), function_name: "itself".to_owned(), deadline }
}

fn job(name: &str) -> Value {
    json!({
        "jobName": name, "jobQueue": "queue", "jobDefinition": "definition", "command": ["echo", name],
        "tags": {"project": "policies"},
    })
}

fn spec(name: &str) -> JobSpec {
    check_job(job(name)).unwrap()
}

/// An array of which lost children are run again.
fn array(name: &str) -> JobSpec {
    let mut array = job(name);
    array["arrayProperties"] = json!({"size": 2});
    array["resubmitChildren"] = json!(true);
    check_job(array).unwrap()
}

fn name(text: &str) -> JobName {
    JobName::parse(text).unwrap()
}

async fn claim(store: &impl JobStore, spec: &JobSpec, milliseconds: i64) -> anyhow::Result<Nonce> {
    claim_for(store, spec, milliseconds, RunId::derive("policies", "1", "0")).await
}

async fn claim_for(
    store: &impl JobStore,
    spec: &JobSpec,
    milliseconds: i64,
    run_id: RunId,
) -> anyhow::Result<Nonce> {
    let now = SystemClock.now();
    let claim = NewClaim {
        spec: spec.clone(),
        run_id,
        replaces: None,
        replaced_end: None,
        job_queue: None,
        takes_over: None,
        resets_budget: true,
        on_sheet: false,
        now,
        expires_at: now.plus_millis(milliseconds),
    };
    let ClaimOutcome::Granted(nonce) = store.claim(&claim).await? else { anyhow::bail!("no claim") };
    Ok(nonce)
}

/// Submits a job as the submitter would; what it calls is not the function's under test.
async fn submitted(cloud: &Cloud, spec: &JobSpec) -> anyhow::Result<JobId> {
    submitted_for(cloud, spec, RunId::derive("policies", "1", "0")).await
}

async fn submitted_for(cloud: &Cloud, spec: &JobSpec, run_id: RunId) -> anyhow::Result<JobId> {
    let Adapters { store, engine, .. } = cloud.adapters();
    let nonce = claim_for(&store, spec, 60_000, run_id).await?;
    let none = |_: &JobName| None;
    let job_id = engine.submit_job(&SubmitJobRequest::new(spec, &nonce, none)).await?;
    let (job_name, now) = (spec.job_name.clone(), SystemClock.now());
    store.record_submission(&NewSubmission { job_name, nonce, job_id: job_id.clone(), now }).await?;
    Ok(job_id)
}

fn change(job_id: &JobId, name: &str, status: &str, reason: &str, nonce: Option<&Nonce>) -> Value {
    let parameters = nonce.map_or(json!({}), |nonce| json!({Nonce::PARAMETER: nonce}));
    json!({
        "source": "aws.batch", "detail-type": "Batch Job State Change",
        "detail": {
            "jobId": job_id, "jobName": name, "jobQueue": "queue", "status": status, "statusReason": reason,
            "parameters": parameters,
        },
    })
}

const CHILD_FAILED: &str = "Array Child Job failed";
const HOST_LOST: &str = "Host EC2 (instance i-1) terminated.";

/// Loses the claim of one job while it is submitted: what a reconciler does that takes a submitter for dead.
struct Overtaken<'a> {
    engine: &'a BatchJobEngine,
    store: DynamoDbJobStore,
}

impl JobEngine for Overtaken<'_> {
    async fn submit_job(&self, request: &SubmitJobRequest) -> Result<JobId, PortError> {
        let job_id = self.engine.submit_job(request).await?;
        if request.spec().job_name.as_str() != "overtaken" {
            return Ok(job_id);
        }
        let nonce = request.spec().parameters[Nonce::PARAMETER].clone();
        let nonce: Nonce = serde_json::from_value(nonce.into()).unwrap();
        self.store.release(&request.spec().job_name, &nonce, None, SystemClock.now()).await?;
        Ok(job_id)
    }

    batchwright_tests::hand_on! { engine: describe_jobs, list_jobs, list_jobs_since, cancel_job, terminate_job }
}

async fn submitter(cloud: &Cloud) -> anyhow::Result<Calls> {
    let Adapters { calls, store, engine, objects, invoker, .. } = cloud.adapters();
    let config = submitter::Config::read(&look_up)?;
    let handle_event = async |pace: f64, event: Value, seconds: i64| {
        let (store, objects, invoker) = (store.clone(), objects.clone(), invoker.clone());
        let engine = Overtaken { engine: &engine, store: cloud.adapters().store };
        let pace = TokenBucket::new(pace);
        let ports = submitter::Ports { store, engine, pace, clock: SystemClock, objects, invoker };
        submitter::handle(&ports, &config, event, &invocation(seconds)).await
    };
    let handle =
        async |pace, jobs: Vec<Value>, seconds| handle_event(pace, json!({"jobs": jobs}), seconds).await;
    let dependant = json!({
        "jobName": "dependant", "jobQueue": "queue", "jobDefinition": "definition", "command": ["true"],
        "dependsOn": [{"jobName": "overtaken"}],
    });
    handle(50.0, vec![job("overtaken"), dependant], 60).await?;
    // What failed is replaced.
    let failed = submitted(cloud, &spec("failed")).await?;
    let event = change(&failed, "failed", "FAILED", "Essential container in task exited", None);
    record(cloud, &event).await?;
    handle(50.0, vec![job("failed")], 60).await?;
    // It hands on what it can't do in two seconds.
    handle(2.0, (0..12).map(|n| job(&format!("slow-{n}"))).collect(), 3).await?;
    // It reads the version of a file that the event names: "null" in a bucket without versions.
    let key = "jobs/versioned.jsonl";
    let mut file = cloud.adapters().objects.create_object(key, "application/x-ndjson").await?;
    file.write(job("versioned").to_string().as_bytes()).await?;
    file.finish().await?;
    let object = json!({"key": key, "version-id": "null", "sequencer": "0A"});
    let detail = json!({"bucket": {"name": BUCKET}, "object": object});
    let event = json!({"source": "aws.s3", "detail-type": "Object Created", "detail": detail});
    handle_event(50.0, event, 60).await?;
    Ok(calls)
}

async fn state_handler(cloud: &Cloud) -> anyhow::Result<Calls> {
    let Adapters { calls, store, engine, bus, .. } = cloud.adapters();
    let (lost, after) = (spec("lost"), dependant("after", "lost"));
    let (lost_id, after_id) = (submitted(cloud, &lost).await?, submitted(cloud, &after).await?);
    let recorder = Recorder {
        store: &store,
        engine: &engine,
        pace: &Unpaced,
        clock: &SystemClock,
        bus: &bus,
        policy: SubmitPolicy::default(),
    };
    let config = state_handler::Config::read(&look_up)?;
    let handle = async |event| state_handler::handle(&recorder, &config, event, &invocation(60)).await;
    // The dependant waits for what is decided of its dependency.
    let end_of_lost = change(&lost_id, "lost", "FAILED", HOST_LOST, None);
    record(cloud, &end_of_lost).await?;
    let answer = handle(change(&after_id, "after", "FAILED", "Dependent Job failed", None)).await?;
    assert_eq!(serde_json::to_value(answer.body)?["outcome"], "WAITING");
    handle(end_of_lost).await?;
    let found = store.submission(&after_id).await?.context("the dependant is not known")?;
    assert_eq!(found.follow_up, FollowUp::Settled, "it was woken");
    let array_id = submitted(cloud, &array("array")).await?;
    // Its children may be said to run still: then it is delivered again.
    handle(change(&array_id, "array", "FAILED", CHILD_FAILED, None)).await.ok();
    let head = cloud.adapters().store.job(&name("lost")).await?.context("the job is not known")?.head;
    let nonce = Nonce::derive(&name("lost"), &head.nonce_seed, 1);
    let surplus = cloud.adapters().engine.submit_job(&SubmitJobRequest::new(&lost, &nonce, |_| None)).await?;
    let answer = handle(change(&surplus, "lost", "RUNNING", "", Some(&nonce))).await?;
    assert_eq!(serde_json::to_value(answer.body)?["outcome"], "SURPLUS");
    // A run ends with its last job.
    let run_id = RunId::derive("ends", "1", "0");
    submitted_run(cloud, &run_id).await?;
    let last = submitted_for(cloud, &spec("last"), run_id.clone()).await?;
    handle(change(&last, "last", "SUCCEEDED", "", None)).await?;
    let ended = cloud.adapters().store.run(&run_id).await?.and_then(|run| run.end);
    assert!(ended.is_some_and(|end| end.told), "{ended:?}");
    Ok(calls)
}

/// A job that depends on another by name.
fn dependant(name: &str, dependency: &str) -> JobSpec {
    let mut dependant = job(name);
    dependant["dependsOn"] = json!([{"jobName": dependency}]);
    check_job(dependant).unwrap()
}

/// Writes down what an event says, and does nothing that follows from it.
async fn record(cloud: &Cloud, event: &Value) -> anyhow::Result<()> {
    let detail: JobDetail = serde_json::from_value(event["detail"].clone())?;
    cloud.adapters().store.apply_state(&detail.state(), SystemClock.now()).await?;
    Ok(())
}

/// A submission whose end is recorded, with a log.
async fn ended(cloud: &Cloud, name: &str) -> anyhow::Result<JobState> {
    let job_id = submitted(cloud, &spec(name)).await?;
    cloud.endpoint.ended(job_id.as_str()).await?;
    let Adapters { store, engine, .. } = cloud.adapters();
    let detail = engine.describe_jobs(&[job_id]).await?.pop().context(name.to_owned())?;
    store.apply_state(&detail.state(), SystemClock.now()).await?;
    Ok(detail.state())
}

/// An archive that another call has begun: its manifest is looked for, and there may be none any more.
async fn archive_begun(cloud: &Cloud, job_id: &JobId) -> anyhow::Result<()> {
    let record = LogsRecord {
        manifest_key: "logs/gone/manifest.json".to_owned(),
        complete: false,
        incomplete_reason: None,
        events: 0,
        next_look: None,
    };
    let a_while_ago = SystemClock.now().plus_millis(-600_000);
    cloud.adapters().store.save_logs(job_id, &record, a_while_ago).await?;
    Ok(())
}

async fn log_collector(cloud: &Cloud) -> anyhow::Result<Calls> {
    let Adapters { calls, store, source, objects, .. } = cloud.adapters();
    let state = ended(cloud, "logged").await?;
    archive_begun(cloud, &state.job_id).await?;
    let ports = log_collector::Ports { store, source, archive: objects, clock: SystemClock };
    let config = log_collector::Config::read(&look_up)?;
    let event = change(&state.job_id, "logged", "SUCCEEDED", "", None);
    log_collector::handle(&ports, &config, event, &invocation(60)).await?;
    Ok(calls)
}

/// A run with a job that waits, which somebody has cancelled.
async fn cancelled(cloud: &Cloud) -> anyhow::Result<()> {
    let run_id = RunId::derive("cancelled", "1", "0");
    let Adapters { store, .. } = cloud.adapters();
    store.create_run(&run(&run_id)).await?;
    submitted_for(cloud, &spec("waiting"), run_id.clone()).await?;
    cancel_run(&store, &SystemClock, &run_id, Stop::Cancel, "no longer wanted").await?;
    Ok(())
}

/// A run whose file has been dealt with, so that it ends with the last of its jobs.
async fn submitted_run(cloud: &Cloud, run_id: &RunId) -> anyhow::Result<()> {
    let Adapters { store, .. } = cloud.adapters();
    let run = run(run_id);
    store.create_run(&run).await?;
    store.save_run(&Run { state: RunState::Submitted, ..run }).await?;
    Ok(())
}

fn run(run_id: &RunId) -> Run {
    let now = SystemClock.now();
    Run {
        run_id: run_id.clone(),
        source: "s3://policies/jobs/a.json".to_owned(),
        source_version: batchwright::domain::SourceVersion::default(),
        rerun: false,
        state: RunState::Submitting,
        checkpoint: Checkpoint::default(),
        counts: RunCounts::default(),
        open: Vec::new(),
        started_at: now,
        updated_at: now,
        requested_by: None,
        cancellation: None,
        ending: batchwright::domain::Ending::default(),
        end: None,
        newer: batchwright::domain::Newer::default(),
    }
}

async fn reconciler(cloud: &Cloud) -> anyhow::Result<Calls> {
    let Adapters { calls, store, engine, objects, source, invoker, bus, .. } = cloud.adapters();
    let aside = cloud.adapters();
    // A claim under which two jobs were submitted, one under which none was, a silent submission, a run
    // that nobody goes on with, an end whose log was begun to be archived, one of a parent, an array that
    // failed with its children, and an end that waits for a job that was removed.
    let twice = spec("twice");
    let nonce = claim(&aside.store, &twice, -1).await?;
    for _ in 0..2 {
        let mut request = twice.clone();
        request.container_overrides.as_mut().unwrap().command = Some(vec!["sleep".into(), "30".into()]);
        aside.engine.submit_job(&SubmitJobRequest::new(&request, &nonce, |_| None)).await?;
    }
    claim(&aside.store, &spec("never"), -1).await?;
    submitted(cloud, &spec("silent")).await?;
    let unread = ended(cloud, "unread").await?;
    archive_begun(cloud, &unread.job_id).await?;
    let parent = JobState {
        status: JobStatus::Succeeded,
        array_size: Some(2),
        ..JobState::submitted(name("parent"), JobId::parse("4c7599ae-0a82-49aa-ba5a-4727fcce14a8")?, None)
    };
    aside.store.apply_state(&parent, SystemClock.now()).await?;
    let array_id = submitted(cloud, &array("another-array")).await?;
    let event = change(&array_id, "another-array", "FAILED", CHILD_FAILED, None);
    record(cloud, &event).await?;
    let waits = submitted(cloud, &dependant("waits", "gone")).await?;
    record(cloud, &change(&waits, "waits", "FAILED", "Dependent Job failed", None)).await?;
    aside.store.save_follow_up(&name("waits"), &waits, &FollowUp::WaitsFor(name("gone"))).await?;
    cancelled(cloud).await?;
    submitted_run(cloud, &RunId::derive("nothing", "1", "0")).await?;
    // There is no room for it beside the two.
    let mut large = job("runnable");
    large["containerOverrides"] = json!({"resourceRequirements": [{"type": "VCPU", "value": "4"}]});
    let large = submitted(cloud, &check_job(large).unwrap()).await?;
    record(cloud, &change(&large, "runnable", "RUNNABLE", "", None)).await?;
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    let pace = Unpaced;
    let ports =
        reconciler::Ports { store, engine, pace, clock: SystemClock, source, archive: objects, invoker, bus };
    let answer =
        reconciler::handle(&ports, &reconciler::Config::read(&look_up)?, json!({}), &invocation(60)).await?;
    let found = answer.body;
    let passed = found.reconciled;
    assert!(!found.cut_short, "{found:?}");
    assert!(passed.surplus_terminated == 1 && passed.claims_released >= 1, "{found:?}");
    assert!(found.logs_archived > 0 && found.jobs_stopped == 1 && found.runs_ended > 0, "{found:?}");
    Ok(calls)
}

async fn fan_out(cloud: &Cloud) -> anyhow::Result<Calls> {
    let Adapters { calls, objects, invoker, caller, .. } = cloud.adapters();
    let ports = fan_out::Ports { caller, objects, clock: SystemClock, invoker };
    let config = fan_out::Config::read(&look_up)?;
    let call = json!({"functionName": "task-1", "payloads": [1, 2]});
    // There is no such function, which is told once and ends the call.
    let call = serde_json::value::to_raw_value(&call)?;
    let Err(refused) = fan_out::handle(&ports, &config, &call, &invocation(60)).await else {
        anyhow::bail!("there is no function task-1");
    };
    assert!(refused.to_string().contains("task-1"), "{refused}");
    Ok(calls)
}

async fn s3_serializer(cloud: &Cloud) -> anyhow::Result<Calls> {
    let calls = Calls::default();
    let buckets = S3Buckets::new(s3_client(&calls.through(&cloud.aws, PREFIX)));
    let config = s3_serializer::Config::read(&look_up)?;
    let (one, two) = (format!("s3://{BUCKET}/serial/one.json"), format!("s3://{BUCKET}/serial/two.yaml"));
    for call in [
        json!({"operation": "dump", "items": [{"to": one, "value": [1]}], "ownerFullControl": true}),
        json!({"operation": "convert", "items": [{"uri": one, "to": two}], "settings": {
            "tags": {"a b": "c"}, "storageClass": "STANDARD_IA", "cacheControl": "no-cache", "metadata": {"a": "b"},
            "serverSideEncryption": "AES256",
        }}),
        json!({"operation": "load", "uris": [two]}),
        json!({"operation": "copy", "items": [{"uri": one, "to": format!("{one}.json")}]}),
        json!({"operation": "copy", "items": [{"uri": one, "to": two, "versionId": "null"}]}),
        json!({"operation": "info", "uris": [one, format!("s3://{BUCKET}")]}),
        json!({"operation": "list", "uri": format!("s3://{BUCKET}/serial/")}),
    ] {
        let event = serde_json::value::to_raw_value(&call)?;
        let answer = s3_serializer::handle(&buckets, &SystemClock, &config, event, &invocation(60)).await?;
        let with_version = call.to_string().contains("versionId");
        assert!(answer.body.failed == 0 || with_version, "{call}: {:?}", answer.body);
    }
    Ok(calls)
}

/// A job file that the serializer could write would be submitted with the submitter's rights.
#[test]
fn the_serializer_has_a_folder_of_its_own_and_reaches_no_other_of_the_stack() {
    let template = read("app.yaml");
    let own = "${Name}-${AWS::AccountId}-${AWS::Region}";
    for statement in statements(roles(&template)["S3SerializerRole"]) {
        let text = statement.to_string();
        match statement["Sid"].as_str().unwrap() {
            "Reads" | "Writes" => assert!(text.contains(&format!("{own}/serializer/*")), "{text}"),
            "Lists" => assert!(text.contains(r#""s3:prefix":"serializer/*""#), "{text}"),
            _ => {}
        }
        assert!(!text.contains(&format!("{own}/*")), "{text}");
    }
    let variables = &template["Resources"]["S3Serializer"]["Properties"]["Environment"]["Variables"];
    let allowed = variables["BATCHWRIGHT_ALLOWED_BUCKETS"].to_string();
    assert_eq!(allowed.matches(&format!("{own}/serializer/")).count(), 2, "{allowed}");
}

/// What writing one object takes: in one piece, in parts, and given up.
async fn object_written(cloud: &Cloud) -> anyhow::Result<BTreeSet<String>> {
    let Adapters { calls, objects, .. } = cloud.adapters();
    for finished in [true, false] {
        let mut object = objects.create_object("large", "text/plain").await?;
        for _ in 0..9 {
            object.write(&vec![7; 1024 * 1024]).await?;
        }
        if finished { object.finish().await? } else { drop(object) }
    }
    // What is dropped is aborted behind the caller's back.
    for _ in 0..600 {
        if calls.actions().contains("s3:AbortMultipartUpload") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(calls.actions())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_function_may_do_exactly_what_it_does() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let Some(cloud) = Cloud::new(folder.path()).await? else { return Ok(()) };
    let written = object_written(&cloud).await?;
    let functions: [(&str, Calls, &[&[&str]]); 6] = [
        ("SubmitterRole", submitter(&cloud).await?, &[TO_A_DEAD_LETTER_QUEUE]),
        ("StateHandlerRole", state_handler(&cloud).await?, &[FROM_A_QUEUE]),
        ("LogCollectorRole", log_collector(&cloud).await?, &[FROM_A_QUEUE]),
        ("FanOutRole", fan_out(&cloud).await?, &[TO_A_DEAD_LETTER_QUEUE]),
        ("ReconcilerRole", reconciler(&cloud).await?, &[]),
        ("S3SerializerRole", s3_serializer(&cloud).await?, &[FOR_TAGS, FOR_KEYS, TO_A_DEAD_LETTER_QUEUE]),
    ];
    let template = read("app.yaml");
    let roles = roles(&template);
    let covered: BTreeSet<&str> = functions.iter().map(|(role, ..)| *role).collect();
    assert_eq!(roles.keys().copied().collect::<BTreeSet<_>>(), covered);
    for (role, calls, platform) in functions {
        let mut needed = calls.actions();
        if needed.contains("s3:PutObject") {
            needed.extend(written.iter().cloned());
        }
        if needed.contains("s3:GetObject") {
            // Without it S3 answers 403, not 404, for an object that is not there.
            needed.insert("s3:ListBucket".to_owned());
        }
        let platform = platform.iter().copied().chain([EVERY_FUNCTION]).flatten();
        needed.extend(platform.map(|action| (*action).to_owned()));
        // A customer's key and a VPC, where somebody asks for them, and nothing else.
        let options =
            json!([["HasKey", "KeyPolicy", "AWS::NoValue"], ["HasVpc", "VpcPolicy", "AWS::NoValue"]]);
        assert_eq!(roles[role]["Properties"]["ManagedPolicyArns"], options, "{role}");
        assert_eq!(actions(roles[role]), needed, "{role}: left what it may do, right what it does");
    }
    cloud.endpoint.stop().await?;
    Ok(())
}
