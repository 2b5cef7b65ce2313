//! The Batch adapter: every field on the wire, both ways, and real jobs on an emulator.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use aws_sdk_batch::types::{
    CeState, CeType, ComputeEnvironmentOrder, ContainerProperties, JobDefinitionType, JqState,
    ResourceRequirement, ResourceType,
};
use batchwright::aws::{BatchJobEngine, CloudWatchLogSource};
use batchwright::domain::spec::{ArrayProperties, ContainerOverrides, Dependency};
use batchwright::domain::{JobId, JobName, JobSpec, JobStatus, SubmitJobRequest, Timestamp};
use batchwright::events::JobDetail;
use batchwright::ports::{Cursor, ErrorKind, JobEngine as _, LogSource as _, QueueSource as _};
use batchwright_tests::emulators::moto::Moto;
use batchwright_tests::emulators::sdk_config;
use batchwright_tests::loopback::{Loopback, Reply, Request};
use serde_json::{Value, json};

async fn engine(server: &Loopback) -> anyhow::Result<BatchJobEngine> {
    let config = sdk_config(server.endpoint_url()).await?;
    Ok(BatchJobEngine::new(aws_sdk_batch::Client::new(&config)))
}

/// A spec in which no field of `SubmitJob`'s is absent: a test beside it sees to that.
fn whole_spec() -> Value {
    serde_json::from_str(include_str!("../../shared/core/src/domain/spec/whole.json")).expect("it is JSON")
}

/// AWS takes `RETRY` and `EXIT` in any case; everything else is sent letter by letter.
#[tokio::test]
async fn every_field_of_a_spec_is_sent_by_its_own_name() -> anyhow::Result<()> {
    let whole = whole_spec();
    let spec: JobSpec = serde_json::from_value(whole.clone())?;
    let mut written = serde_json::to_value(&spec)?;
    let ours = written.as_object_mut().context("a spec is an object")?.remove("maxTries");
    assert_eq!(ours, Some(json!(4)));
    assert_eq!(written, whole, "the spec itself loses nothing");

    let server = Loopback::start([Reply::new(200, r#"{"jobName": "job", "jobId": "8a9d"}"#)]).await?;
    let job_id = engine(&server).await?.submit_job(&SubmitJobRequest::verbatim(spec)).await?;
    assert_eq!(job_id, JobId::parse("8a9d")?);
    let mut sent = server.requests()[0].json()?;
    for rule in sent["retryStrategy"]["evaluateOnExit"].as_array_mut().context("rules are sent")? {
        rule["action"] = json!(rule["action"].as_str().unwrap_or_default().to_ascii_uppercase());
    }
    assert_eq!(sent, whole);
    Ok(())
}

#[tokio::test]
async fn what_a_spec_leaves_out_is_not_sent() -> anyhow::Result<()> {
    let server = Loopback::start([Reply::new(200, r#"{"jobName": "job", "jobId": "8a9d"}"#)]).await?;
    let spec = JobSpec::new(JobName::parse("job")?, "queue", "definition");
    engine(&server).await?.submit_job(&SubmitJobRequest::verbatim(spec)).await?;
    let least = json!({"jobName": "job", "jobQueue": "queue", "jobDefinition": "definition"});
    assert_eq!(server.requests()[0].json()?, least);
    Ok(())
}

/// The details of real events are also what `DescribeJobs` answers.
#[tokio::test]
async fn a_description_reads_as_the_same_detail_in_an_event_does() -> anyhow::Result<()> {
    let events = [
        include_str!("../../shared/core/src/events/fixtures/array_child.json"),
        include_str!("../../shared/core/src/events/fixtures/array_parent.json"),
        include_str!("../../shared/core/src/events/fixtures/container_succeeded.json"),
        include_str!("../../shared/core/src/events/fixtures/ecs_multi_container.json"),
        include_str!("../../shared/core/src/events/fixtures/eks_failed.json"),
        include_str!("../../shared/core/src/events/fixtures/host_terminated.json"),
        include_str!("../../shared/core/src/events/fixtures/job_runnable.json"),
        include_str!("../../shared/core/src/events/fixtures/multi_node_node.json"),
        include_str!("../../shared/core/src/events/fixtures/multi_node_parent.json"),
    ];
    for event in events {
        let event: Value = serde_json::from_str(event)?;
        let mut detail: JobDetail = serde_json::from_value(event["detail"].clone())?;
        let server =
            Loopback::start([Reply::new(200, json!({"jobs": [event["detail"]]}).to_string())]).await?;
        let described = engine(&server).await?.describe_jobs(std::slice::from_ref(&detail.job_id)).await?;
        // The SDK puts 0, which is no time, where an answer lacks a time that it takes for required.
        detail.started_at = detail.started_at.or(Some(0));
        assert_eq!(described, [detail]);
        assert_eq!(server.requests()[0].json()?, json!({"jobs": [event["detail"]["jobId"]]}));
    }
    Ok(())
}

#[tokio::test]
async fn a_description_that_cannot_be_read_is_an_error_and_not_an_absent_job() -> anyhow::Result<()> {
    for job in [
        json!({"jobName": "job", "jobId": "a", "status": "DANCING"}),
        json!({"jobName": "no name", "jobId": "a", "status": "RUNNING"}),
        json!({"jobName": "job", "status": "RUNNING"}),
    ] {
        let server = Loopback::start([Reply::new(200, json!({"jobs": [job]}).to_string())]).await?;
        let error = engine(&server).await?.describe_jobs(&[JobId::parse("a")?]).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Permanent, "{error}");
    }
    Ok(())
}

#[tokio::test]
async fn no_call_describes_more_than_a_hundred_jobs_or_none() -> anyhow::Result<()> {
    let server = Loopback::start([Reply::Close]).await?;
    let engine = engine(&server).await?;
    assert_eq!(engine.describe_jobs(&[]).await?, []);
    let ids: Vec<_> = (0..101).map(|id| JobId::parse(&id.to_string())).collect::<Result<_, _>>()?;
    assert_eq!(engine.describe_jobs(&ids).await.unwrap_err().kind, ErrorKind::Permanent);
    assert!(server.requests().is_empty());
    Ok(())
}

#[tokio::test]
async fn a_list_holds_the_exact_name_alone_and_goes_on_where_a_page_has_none() -> anyhow::Result<()> {
    let entry =
        |name: &str, id: &str| json!({"jobName": name, "jobId": id, "status": "RUNNING", "createdAt": 5});
    let first = json!({"jobSummaryList": [entry("JOB", "a"), entry("job-2", "b")], "nextToken": "t"});
    let last = json!({"jobSummaryList": [entry("job", "c")]});
    let server =
        Loopback::start([Reply::new(200, first.to_string()), Reply::new(200, last.to_string())]).await?;
    let (engine, name) = (engine(&server).await?, JobName::parse("job")?);
    let page = engine.list_jobs("queue", &name, None).await?;
    assert_eq!((page.items.len(), page.next.clone()), (0, Some(Cursor("t".into()))));
    let page = engine.list_jobs("queue", &name, page.next.as_ref()).await?;
    assert_eq!(page.items[0].job_id, JobId::parse("c")?);
    assert_eq!((page.items.len(), page.next), (1, None));
    let filter = json!([{"name": "JOB_NAME", "values": ["job"]}]);
    let sent: Vec<_> = server.requests().iter().map(Request::json).collect::<Result<_, _>>()?;
    assert_eq!(sent[0], json!({"jobQueue": "queue", "filters": filter, "maxResults": 100}));
    assert_eq!(sent[1]["nextToken"], "t");
    Ok(())
}

#[tokio::test]
async fn a_queue_is_listed_by_the_time_of_creation_without_names_that_are_none_of_ours() -> anyhow::Result<()>
{
    let entry =
        |name: &str, id: &str| json!({"jobName": name, "jobId": id, "status": "FAILED", "createdAt": 5});
    let page = json!({"jobSummaryList": [entry("a", "1"), entry("no name!", "2")], "nextToken": "t"});
    let server = Loopback::start([Reply::new(200, page.to_string())]).await?;
    let engine = engine(&server).await?;
    let page = engine.list_jobs_since("queue", Timestamp::from_millis(4), None).await?;
    let found: Vec<_> =
        page.items.iter().map(|item| (item.job_name.as_str(), item.job_id.as_str())).collect();
    assert_eq!((found, page.next), (vec![("a", "1")], Some(Cursor("t".into()))));
    let filter = json!([{"name": "AFTER_CREATED_AT", "values": ["4"]}]);
    let sent = server.requests()[0].json()?;
    assert_eq!(sent, json!({"jobQueue": "queue", "filters": filter, "maxResults": 100}));
    Ok(())
}

/// The members are those of `JobQueueDetail`, `ComputeEnvironmentDetail` and `FrontOfQueueDetail` in Batch's API reference.
#[tokio::test]
async fn a_disabled_queue_and_an_invalid_environment_are_told_with_their_reasons() -> anyhow::Result<()> {
    const REASON: &str = "CLIENT_ERROR - Not authorized to perform sts:AssumeRole";
    let arn = |kind: &str, name: &str| format!("arn:aws:batch:eu-west-1:123456789012:{kind}/{name}");
    let queues = json!({"jobQueues": [{
        "jobQueueName": "q", "jobQueueArn": arn("job-queue", "q"), "state": "DISABLED", "status": "VALID",
        "statusReason": "JobQueue Healthy", "priority": 1,
        "computeEnvironmentOrder": [
            {"order": 2, "computeEnvironment": arn("compute-environment", "second")},
            {"order": 1, "computeEnvironment": arn("compute-environment", "first")},
        ],
    }]});
    let environments = json!({"computeEnvironments": [{
        "computeEnvironmentName": "first", "computeEnvironmentArn": arn("compute-environment", "first"),
        "state": "ENABLED", "status": "INVALID", "statusReason": REASON,
        "computeResources": {"type": "EC2", "maxvCpus": 8, "desiredvCpus": 8, "subnets": []},
    }]});
    let front = json!({"frontOfQueue": {"lastUpdatedAt": 1_700_000_000_000_i64, "jobs": [
        {"jobArn": arn("job", "8a9d"), "earliestTimeAtPosition": 1_700_000_000_000_i64},
    ]}});
    let replies = [&queues, &environments, &front].map(|answer| Reply::new(200, answer.to_string()));
    let server = Loopback::start(replies).await?;
    let queue = engine(&server).await?.job_queue("q").await?.context("it is there")?;
    assert_eq!((queue.state.as_str(), queue.status.as_str()), ("DISABLED", "VALID"));
    let [first] = &queue.compute_environments[..] else { panic!("{queue:?}") };
    assert_eq!((first.state.as_str(), first.status.as_str()), ("ENABLED", "INVALID"));
    assert_eq!(first.status_reason.as_deref(), Some(REASON));
    assert_eq!((first.max_vcpus, first.desired_vcpus), (Some(8), Some(8)));
    assert_eq!(queue.front.len(), 1);
    let asked: Vec<Value> = server.requests().iter().map(Request::json).collect::<Result<_, _>>()?;
    let in_order = ["first", "second"].map(|name| arn("compute-environment", name));
    assert_eq!(asked[1]["computeEnvironments"], json!(in_order), "in the order in which jobs are placed");
    Ok(())
}

/// The front of a queue has a permission of its own.
#[tokio::test]
async fn a_queue_is_told_without_its_front_where_that_may_not_be_read() -> anyhow::Result<()> {
    let queue = json!({"jobQueues": [{"jobQueueName": "q", "state": "ENABLED", "status": "VALID"}]});
    let denied = Reply::error(403, "AccessDeniedException", "not yours");
    let server = Loopback::start([Reply::new(200, queue.to_string()), denied.clone()]).await?;
    let queue = engine(&server).await?.job_queue("q").await?.context("it is there")?;
    assert_eq!((queue.state.as_str(), queue.front.len()), ("ENABLED", 0));
    let server = Loopback::start([denied]).await?;
    let error = engine(&server).await?.job_queue("q").await.unwrap_err();
    assert_eq!((error.kind, error.operation), (ErrorKind::Permanent, "DescribeJobQueues"));
    let server = Loopback::start([Reply::new(200, json!({"jobQueues": []}).to_string())]).await?;
    assert_eq!(engine(&server).await?.job_queue("gone").await?, None);
    Ok(())
}

#[tokio::test]
async fn many_jobs_are_stopped_fifty_a_call_and_each_is_answered_for() -> anyhow::Result<()> {
    let errors = json!({"successful": [], "errors": [
        {"job": "7", "code": "ClientException", "message": "no such job"}
    ]});
    let server =
        Loopback::start([Reply::new(200, errors.to_string()), Reply::new(200, r#"{"successful": []}"#)])
            .await?;
    let ids: Vec<_> = (0..60).map(|id| JobId::parse(&id.to_string())).collect::<Result<_, _>>()?;
    let results = engine(&server).await?.terminate_jobs(&ids, "why").await;
    assert_eq!(results.len(), 60);
    for (id, result) in results.iter().enumerate() {
        assert_eq!(result.is_err(), id == 7, "{id}: {result:?}");
    }
    let sizes: Vec<_> = server
        .requests()
        .iter()
        .map(|sent| Ok(sent.json()?["jobs"].as_array().map(Vec::len)))
        .collect::<anyhow::Result<_>>()?;
    assert_eq!(sizes, [Some(50), Some(10)]);
    Ok(())
}

#[tokio::test]
async fn where_many_cannot_be_stopped_at_once_each_is_stopped_by_itself() -> anyhow::Result<()> {
    let server = Loopback::start([
        Reply::error(403, "AccessDeniedException", "no batch:CancelJobs"),
        Reply::new(200, "{}"),
        Reply::error(400, "ClientException", "no such job"),
    ])
    .await?;
    let ids = [JobId::parse("a")?, JobId::parse("b")?];
    let results = engine(&server).await?.cancel_jobs(&ids, "why").await;
    assert!(results[0].is_ok());
    assert_eq!(results[1].as_ref().unwrap_err().operation, "CancelJob");
    let sent: Vec<_> = server.requests().into_iter().map(|request| request.line).collect();
    assert_eq!(sent[1..], ["POST /v1/canceljob", "POST /v1/canceljob"]);
    Ok(())
}

/// A queue and a definition on moto, and the adapters over it.
struct Cluster {
    engine: BatchJobEngine,
    logs: CloudWatchLogSource,
}

impl Cluster {
    async fn on(moto: &Moto, name: &str) -> anyhow::Result<Self> {
        let config = moto.sdk_config().await?;
        let client = aws_sdk_batch::Client::new(&config);
        let role = moto.create_role(name)?;
        let environment = client
            .create_compute_environment()
            .compute_environment_name(name)
            .r#type(CeType::Unmanaged)
            .state(CeState::Enabled)
            .service_role(role)
            .send()
            .await?;
        let order = ComputeEnvironmentOrder::builder()
            .order(1)
            .set_compute_environment(environment.compute_environment_arn)
            .build();
        let queue = client.create_job_queue().job_queue_name(name).state(JqState::Enabled).priority(1);
        queue.compute_environment_order(order).send().await?;
        let need = |kind, value: &str| ResourceRequirement::builder().r#type(kind).value(value).build();
        let container = ContainerProperties::builder()
            .image("busybox")
            .command("true")
            .resource_requirements(need(ResourceType::Vcpu, "1"))
            .resource_requirements(need(ResourceType::Memory, "64"))
            .build();
        let definition = client.register_job_definition().job_definition_name(name);
        definition.r#type(JobDefinitionType::Container).container_properties(container).send().await?;
        let logs = CloudWatchLogSource::new(aws_sdk_cloudwatchlogs::Client::new(&config));
        Ok(Self { engine: BatchJobEngine::new(client), logs })
    }

    async fn submit(&self, spec: JobSpec) -> anyhow::Result<JobId> {
        Ok(self.engine.submit_job(&SubmitJobRequest::verbatim(spec)).await?)
    }

    async fn describe(&self, job_id: &JobId) -> anyhow::Result<JobDetail> {
        let described = self.engine.describe_jobs(std::slice::from_ref(job_id)).await?;
        described.into_iter().next().context("moto does not know the job")
    }

    /// Looks until a status for which `is_it` holds has come.
    async fn wait(&self, job_id: &JobId, is_it: impl Fn(JobStatus) -> bool) -> anyhow::Result<JobDetail> {
        for _ in 0..300 {
            let detail = self.describe(job_id).await?;
            if is_it(detail.status) {
                return Ok(detail);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        anyhow::bail!("{job_id} is still {}", self.describe(job_id).await?.status)
    }
}

fn spec(name: &str, cluster: &str, script: &str) -> anyhow::Result<JobSpec> {
    let mut spec = JobSpec::new(JobName::parse(name)?, cluster, cluster);
    let command = ["sh", "-c", script].map(str::to_owned).to_vec();
    spec.container_overrides = Some(ContainerOverrides::default().with(|it| it.command = Some(command)));
    spec.parameters.insert("batchwright.nonce".into(), "1-0123456789abcdef".into());
    Ok(spec)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_runs_is_found_by_name_and_its_log_is_read() -> anyhow::Result<()> {
    let Some(moto) = Moto::shared()? else { return Ok(()) };
    let cluster = Cluster::on(moto, "runs").await?;
    let job_id = cluster.submit(spec("hello", "runs", "echo one; echo two")?).await?;
    cluster.submit(spec("hello-2", "runs", "true")?).await?;
    let listed = cluster.engine.list_jobs("runs", &JobName::parse("hello")?, None).await?;
    assert_eq!(listed.items.iter().map(|job| &job.job_id).collect::<Vec<_>>(), [&job_id]);
    let state = cluster.wait(&job_id, JobStatus::is_terminal).await?.state();
    assert_eq!(state.status, JobStatus::Succeeded);
    assert_eq!(state.nonce.map(|nonce| nonce.to_string()).as_deref(), Some("1-0123456789abcdef"));
    let stream = state.log_streams.first().context("the job names its log stream")?;
    let mut messages = Vec::new();
    let mut cursor = None;
    loop {
        let page = cluster.logs.log_events(stream, cursor.as_ref()).await?;
        messages.extend(page.events.into_iter().map(|event| event.message));
        let Some(next) = page.next else { break };
        cursor = Some(next);
    }
    assert_eq!(messages, ["one", "two"]);
    let unknown = JobId::parse("00000000-0000-0000-0000-000000000000")?;
    assert_eq!(cluster.engine.describe_jobs(&[unknown]).await?, [], "what Batch does not know is absent");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_a_termination_and_a_cancellation_end_in_failed() -> anyhow::Result<()> {
    let Some(moto) = Moto::shared()? else { return Ok(()) };
    let cluster = Cluster::on(moto, "ends").await?;
    let fails = cluster.submit(spec("fails", "ends", "exit 3")?).await?;
    let endless = cluster.submit(spec("endless", "ends", "sleep 600")?).await?;
    let mut waits = spec("waits", "ends", "true")?;
    waits.depends_on = vec![Dependency::default().with(|it| it.job_id = Some(endless.clone()))];
    let waits = cluster.submit(waits).await?;
    cluster.engine.cancel_job(&waits, "not needed").await?;
    cluster.wait(&endless, |status| status == JobStatus::Running).await?;
    // moto knows no TerminateJobs: each job is terminated by itself.
    let results = cluster.engine.terminate_jobs(std::slice::from_ref(&endless), "enough").await;
    ensure!(results.iter().all(Result::is_ok), "{results:?}");
    for job_id in [&fails, &endless, &waits] {
        let ended = cluster.wait(job_id, JobStatus::is_terminal).await?;
        assert_eq!(ended.status, JobStatus::Failed, "{}", ended.job_name);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_array_has_children_of_its_own_ids() -> anyhow::Result<()> {
    let Some(moto) = Moto::shared()? else { return Ok(()) };
    let cluster = Cluster::on(moto, "array").await?;
    let mut array = spec("array", "array", "echo $AWS_BATCH_JOB_ARRAY_INDEX")?;
    array.array_properties = Some(ArrayProperties::new(2));
    let parent = cluster.submit(array).await?;
    let ended = cluster.wait(&parent, JobStatus::is_terminal).await?;
    assert_eq!(ended.status, JobStatus::Succeeded);
    assert_eq!(ended.state().array_size, Some(2));
    for index in 0..2 {
        let child = cluster.describe(&parent.array_child(index)).await?;
        assert_eq!(child.status, JobStatus::Succeeded);
        assert_eq!(child.job_id.array_index(), Some(index));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_does_not_exist_is_refused() -> anyhow::Result<()> {
    let Some(moto) = Moto::shared()? else { return Ok(()) };
    let cluster = Cluster::on(moto, "refused").await?;
    let error = cluster
        .engine
        .submit_job(&SubmitJobRequest::verbatim(spec("job", "nowhere", "true")?))
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Permanent, "{error}");
    Ok(())
}
