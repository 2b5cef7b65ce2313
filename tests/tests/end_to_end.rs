//! The whole path over the wire: templates deployed by the real commands, the functions' real programs,
//! a job file uploaded to S3, jobs that really run, events through EventBridge and queues, state in
//! DynamoDB, logs and reports on S3.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use aws_config::SdkConfig;
use aws_sdk_s3::primitives::ByteStream;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use batchwright::aws::dynamodb::DynamoDbJobStore;
use batchwright::aws::s3_client;
use batchwright::domain::{Cause, Job, JobName, JobState, JobStatus};
use batchwright::ports::JobQueries as _;
use batchwright::wire::{EventTarget, ServeOptions};
use batchwright_tests::emulators::ministack::Ministack;
use batchwright_tests::emulators::{REGION, sdk_config};
use batchwright_tests::schema::conforms;
use batchwright_tests::stack::{ACCOUNT, FUNCTIONS, NAME, Tools, bucket, built, store};
use batchwright_tests::wire::{Endpoint, options};
use serde_json::{Value, json};

/// What has not come by then does not come.
const PATIENCE: Duration = Duration::from_secs(180);

const JOBS: &str = r#"
defaults: {jobQueue: queue, jobDefinition: definition}
jobs:
  - {jobName: first, command: [sh, -c, "echo one; echo two"]}
  - {jobName: second, command: [echo, after], dependsOn: [{jobName: first}]}
  - {jobName: tiles, arrayProperties: {size: 3}, command: [sh, -c, "echo tile $AWS_BATCH_JOB_ARRAY_INDEX"]}
  - {jobName: broken, command: [sh, -c, "exit 3"]}
  - {jobName: hopeless, command: [echo, never], dependsOn: [{jobName: broken}]}
"#;

/// A deployed stack, and the endpoint on which its jobs run.
struct Deployed {
    aws: SdkConfig,
    store: DynamoDbJobStore,
    ministack: Ministack,
    endpoint: Endpoint,
    tools: Arc<Tools>,
    folder: PathBuf,
}

impl Deployed {
    /// `None` where this machine has no `python3`.
    async fn new(folder: &Path, enforcing: bool) -> anyhow::Result<Option<Deployed>> {
        let variables: &[(&str, &str)] = if enforcing { &[("AUTH", "true")] } else { &[] };
        let started = tokio::task::spawn_blocking(move || {
            anyhow::Ok((Tools::install()?, Ministack::taking_aws_events(variables)?))
        });
        let (Some(tools), Some(ministack)) = started.await?? else { return Ok(None) };
        let url = ministack.server().endpoint_url();
        let aws = sdk_config(&url).await?;
        // The engine does not sign its events, so where policies are enforced EventBridge refuses them.
        let events_to = match enforcing {
            false => EventTarget::event_bridge(&url, REGION)?,
            true => EventTarget::post(&relay(aws_sdk_lambda::Client::new(&aws)).await?)?,
        };
        let events_to = Some(events_to);
        let endpoint = Endpoint::start(ServeOptions { events_to, ..options(folder) }).await?;
        let tools = Arc::new(tools);
        let (staged, batch_url, deployer) = (folder.to_owned(), endpoint.url.clone(), Arc::clone(&tools));
        let deployed =
            tokio::task::spawn_blocking(move || deployer.deploy(&staged, &url, &batch_url)).await?;
        deployed.with_context(|| ministack.server().log())?;
        let store = store(&aws);
        Ok(Some(Deployed { aws, store, ministack, endpoint, tools, folder: folder.to_owned() }))
    }

    async fn upload(&self, key: &str, text: &str) -> anyhow::Result<()> {
        let put = s3_client(&self.aws).put_object().bucket(bucket()).key(key);
        put.body(ByteStream::from(text.as_bytes().to_vec())).send().await?;
        Ok(())
    }

    async fn object(&self, key: &str) -> anyhow::Result<Vec<u8>> {
        let got = s3_client(&self.aws).get_object().bucket(bucket()).key(key).send().await;
        Ok(got.with_context(|| key.to_owned())?.body.collect().await?.to_vec())
    }

    async fn keys(&self, prefix: &str) -> anyhow::Result<Vec<String>> {
        let listed = s3_client(&self.aws).list_objects_v2().bucket(bucket()).prefix(prefix).send().await?;
        Ok(listed.contents().iter().filter_map(|object| object.key().map(ToOwned::to_owned)).collect())
    }

    /// Every line of every report so far.
    async fn reports(&self) -> anyhow::Result<Vec<Value>> {
        let mut lines = Vec::new();
        for key in self.keys("reports/").await? {
            let text = String::from_utf8(self.object(&key).await?)?;
            for line in text.lines() {
                lines.push(serde_json::from_str(line)?);
            }
        }
        Ok(lines)
    }

    async fn job(&self, name: &str) -> anyhow::Result<Option<Job>> {
        Ok(self.store.job(&JobName::parse(name)?).await?)
    }

    async fn invoke(&self, function: &str, payload: &Value) -> anyhow::Result<Value> {
        let client = aws_sdk_lambda::Client::new(&self.aws);
        let name = format!("{NAME}-{function}");
        let call = client.invoke().function_name(name).payload(payload.to_string().into_bytes().into());
        let answer = call.send().await?;
        let body = answer.payload().map(|blob| blob.as_ref().to_vec()).unwrap_or_default();
        let text = String::from_utf8_lossy(&body).into_owned();
        ensure!(answer.function_error().is_none(), "{function}: {text}");
        Ok(serde_json::from_slice(&body)?)
    }

    /// The AWS CLI's `sqs`.
    async fn sqs(&self, args: &[&str]) -> anyhow::Result<Value> {
        let text = self.tools.sqs(&self.folder, &self.ministack.server().endpoint_url(), args).await?;
        if text.trim().is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_str(&text)?) }
    }

    /// Runs the program against the stack; what it prints is JSON where all is well.
    async fn program(&self, code: i32, args: &[&str]) -> anyhow::Result<Value> {
        let mut command = tokio::process::Command::new(built("batchwright")?);
        command.args(args).args(["--output", "json", "--stack", NAME, "--region", REGION]).kill_on_drop(true);
        command.env("AWS_ENDPOINT_URL", self.ministack.server().endpoint_url());
        command.env("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", &self.endpoint.url);
        command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
        command.env("AWS_CONFIG_FILE", "/dev/null").env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
        command.env_remove("AWS_PROFILE").env_remove("AWS_SESSION_TOKEN");
        let output =
            tokio::time::timeout(PATIENCE, command.output()).await.context("the program hangs")??;
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        ensure!(output.status.code() == Some(code), "{args:?}: {}\n{out}\n{err}", output.status);
        // What is refused has an error on stderr and nothing else.
        if code > 1 {
            return Ok(Value::Null);
        }
        let answer: Value = serde_json::from_slice(&output.stdout)?;
        ensure!(
            is_as_the_schemas_say(args, &answer)?,
            "{args:?}: cli/schemas/output.json does not allow {answer}"
        );
        Ok(answer)
    }

    /// How many messages wait for the submitter, the state handler, the log collector and the fan-out, as the program
    /// says with this exit code.
    async fn dead_letters(&self, code: i32) -> anyhow::Result<Vec<u64>> {
        let list = self.program(code, &["dlq", "list"]).await?;
        let queues = list["queues"].as_array().context("no queues")?.iter();
        Ok(queues.filter_map(|queue| queue["messages"].as_u64()).collect())
    }

    /// Waits until what is looked for is there. On failure the functions' logs say what happened.
    async fn wait<T>(
        &self,
        what: &str,
        look: impl AsyncFn() -> anyhow::Result<Option<T>>,
    ) -> anyhow::Result<T> {
        let started = Instant::now();
        loop {
            if let Some(found) = look().await? {
                return Ok(found);
            }
            if started.elapsed() > PATIENCE {
                anyhow::bail!("waited in vain for {what}\n{}", self.function_logs().await?);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// What the functions wrote, for a test that failed.
    async fn function_logs(&self) -> anyhow::Result<String> {
        let client = aws_sdk_cloudwatchlogs::Client::new(&self.aws);
        let mut said = String::new();
        for function in FUNCTIONS {
            let group = format!("/aws/lambda/{NAME}-{function}");
            let page = client.filter_log_events().log_group_name(&group).send().await;
            let events = page.map(|page| page.events.unwrap_or_default()).unwrap_or_default();
            let messages = events.iter().filter_map(|event| event.message());
            said.extend(messages.map(|message| format!("{function}: {}\n", message.trim_end())));
        }
        Ok(said)
    }

    async fn wait_for_ends(&self, names: &[&str]) -> anyhow::Result<()> {
        for name in names {
            let ended = async || {
                let job = self.job(name).await?;
                Ok(job.and_then(|job| job.status()).filter(|status| status.is_terminal()))
            };
            self.wait(&format!("the end of {name}"), ended).await?;
        }
        Ok(())
    }
}

/// Whether the program's answer conforms to the schema that it has for the command.
fn is_as_the_schemas_say(args: &[&str], answer: &Value) -> anyhow::Result<bool> {
    let all: Value = serde_json::from_str(include_str!("../../cli/schemas/output.json"))?;
    let name = if args[0] == "dlq" { args[..2].join(" ") } else { args[0].to_owned() };
    let schema = json!({"$ref": all["commands"][name], "$defs": all["$defs"]});
    Ok(conforms(&schema, answer))
}

/// Takes the engine's events and calls the state handler with each, and the log collector with each end:
/// what EventBridge and the queues do. Returns its address.
async fn relay(lambda: aws_sdk_lambda::Client) -> anyhow::Result<String> {
    let call = move |Json(mut event): Json<Value>| {
        let lambda = lambda.clone();
        // The embedded engine's own Region is none of AWS's, and the state handler takes events of its own alone. The
        // emulator's EventBridge writes this one into what it passes on.
        event["region"] = json!("eu-west-1");
        async move {
            let ended = matches!(event["detail"]["status"].as_str(), Some("SUCCEEDED" | "FAILED"));
            let end = json!({"jobId": event["detail"]["jobId"]});
            let mut calls = vec![("state-handler", event)];
            calls.extend(ended.then_some(("log-collector", end)));
            for (function, payload) in calls {
                let call = lambda.invoke().function_name(format!("{NAME}-{function}"));
                let sent = call.payload(payload.to_string().into_bytes().into()).send().await;
                if sent.is_err() || sent.is_ok_and(|answer| answer.function_error().is_some()) {
                    return StatusCode::SERVICE_UNAVAILABLE;
                }
            }
            StatusCode::OK
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = format!("http://{}/", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/", post(call))).await });
    Ok(address)
}

/// The program, against the deployed stack.
async fn the_program_sees_the_stack(deployed: &Deployed, folder: &Path) -> anyhow::Result<()> {
    let file = folder.join("by-hand.yaml");
    let by_hand =
        "{jobName: by-hand, jobQueue: queue, jobDefinition: definition, command: [echo, hand-made]}";
    std::fs::write(&file, by_hand)?;
    let file = file.to_string_lossy().into_owned();
    let planned = deployed.program(0, &["plan", &file]).await?;
    ensure!(planned["submit"] == 1, "{planned}");
    let ran = deployed.program(0, &["run", &file]).await?;
    ensure!(ran["counts"]["SUCCEEDED"] == 1 && ran["run"]["submitted"] == 1, "{ran}");
    let again = deployed.program(0, &["run", &file]).await?;
    ensure!(again["run"]["submitted"] == 0 && again["run"]["skipped"] == 1, "{again}");
    let jobs = deployed.program(0, &["jobs", "broken"]).await?;
    ensure!(jobs["jobs"][0]["cause"] == "EXIT_CODE", "{jobs}");
    let status = deployed.program(0, &["status"]).await?;
    ensure!(status["counts"]["SUCCEEDED"] == 4 && status["total"] == 6, "{status}");
    let logs = deployed.program(0, &["logs", "by-hand"]).await?;
    ensure!(logs["events"][0]["message"] == "hand-made", "{logs}");

    let wrong = folder.join("wrong.yaml");
    std::fs::write(&wrong, "{jobName: by-hand}")?;
    deployed.program(3, &["run", &wrong.to_string_lossy()]).await?;
    Ok(())
}

/// Upload, run, follow, archive, report; then the same file once more.
async fn a_job_file_runs_once(deployed: &Deployed) -> anyhow::Result<()> {
    let names = ["first", "second", "tiles", "broken", "hopeless"];
    deployed.upload("jobs/pipe line+1.yaml", JOBS).await?;
    deployed.wait_for_ends(&names).await?;
    for (name, status, cause) in [
        ("first", JobStatus::Succeeded, None),
        ("second", JobStatus::Succeeded, None),
        ("tiles", JobStatus::Succeeded, None),
        ("broken", JobStatus::Failed, Some(Cause::ExitCode)),
        ("hopeless", JobStatus::Failed, Some(Cause::Dependency)),
    ] {
        let job = deployed.job(name).await?.context(name)?;
        ensure!(job.status() == Some(status), "{name}: {:?}", job.latest);
        ensure!(job.state().and_then(JobState::cause) == cause, "{name}: {:?}", job.latest);
        ensure!(job.head.job_tries.len() == 1, "{name}: {:?}", job.head.job_tries);
    }
    let report = deployed.wait("the report", async || {
        let lines = deployed.reports().await?;
        Ok((lines.len() == names.len()).then_some(lines))
    });
    for line in report.await? {
        ensure!(line["outcome"] == "SUBMITTED", "{line}");
    }

    // What came before its job's end was recorded waits in the queue; the reconciler does not wait.
    let job_id = deployed.job("first").await?.and_then(|job| job.head.job_id).context("first")?;
    let folder = format!("logs/first/{job_id}");
    let manifest = deployed.wait("the log archive", async || {
        if !deployed.keys(&folder).await?.iter().any(|key| key.ends_with("manifest.json")) {
            deployed.invoke("reconciler", &json!({})).await?;
            return Ok(None);
        }
        Ok(Some(serde_json::from_slice::<Value>(
            &deployed.object(&format!("{folder}/manifest.json")).await?,
        )?))
    });
    let manifest = manifest.await?;
    ensure!(manifest["complete"] == true && manifest["events"] == 2, "{manifest}");

    deployed.upload("jobs/again.yaml", JOBS.replace("exit 3", "exit 3 # again").as_str()).await?;
    let lines = deployed.wait("the second report", async || {
        let lines = deployed.reports().await?;
        Ok((lines.len() == 2 * names.len()).then_some(lines))
    });
    let second: Vec<Value> = lines.await?;
    let skipped = second.iter().filter(|line| line["outcome"] == "SKIPPED").count();
    ensure!(skipped == 3, "what SUCCEEDED is not submitted again: {second:?}");
    for name in ["first", "second", "tiles"] {
        let tries = deployed.job(name).await?.context(name)?.head.job_tries;
        ensure!(tries.len() == 1, "{name}: {tries:?}");
    }
    Ok(())
}

/// A list of calls of another function: from the call, and from S3 to S3.
async fn a_fan_out_invokes_its_list(deployed: &Deployed) -> anyhow::Result<()> {
    let target = format!("{NAME}-reconciler");
    let call = json!({"functionName": target, "payloads": [{}, {}, {"source": "aws.events"}]});
    let here = deployed.invoke("fan-out", &call).await?;
    ensure!(here["state"] == "COMPLETE" && here["summary"]["counts"]["succeeded"] == 3, "{here}");
    ensure!(here["results"][2]["payload"]["cutShort"] == false, "{here}");

    deployed.upload("fan-out/list.jsonl", "{}\n[1]\nnonsense\n").await?;
    let (list, results) =
        (format!("s3://{}/fan-out/list.jsonl", bucket()), format!("s3://{}/fan-out/results.jsonl", bucket()));
    let call = json!({"functionName": target, "payloadsUri": list, "resultsUri": results, "runId": "listed"});
    let there = deployed.invoke("fan-out", &call).await?;
    ensure!(there["state"] == "COMPLETE" && there["resultsUri"] == results, "{there}");
    let lines = String::from_utf8(deployed.object("fan-out/results.jsonl").await?)?;
    let lines: Vec<Value> = lines.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let outcomes: Vec<&Value> = lines.iter().map(|line| &line["outcome"]).collect();
    ensure!(outcomes == ["SUCCEEDED", "FUNCTION_ERROR", "REJECTED"], "{lines:?}");
    ensure!(
        deployed.invoke("fan-out", &call).await?["summary"] == there["summary"],
        "a run id is one fan-out"
    );

    let call = json!({"functionName": format!("{NAME}-submitter"), "payloads": [{}]});
    let refused = deployed.invoke("fan-out", &call).await;
    let refused = refused.map_or_else(|error| error.to_string(), |answer| answer.to_string());
    ensure!(refused.contains("is not among the functions that may be invoked"), "{refused}");
    Ok(())
}

/// A file that is wrong reaches its report; an event that is nonsense, the dead-letter queue.
async fn poison_is_set_aside(deployed: &Deployed) -> anyhow::Result<()> {
    let before = deployed.reports().await?.len();
    deployed.upload("jobs/poison.yaml", "jobs: [{jobName: a b, jobQueu: q}]").await?;
    let rejected = deployed.wait("the report of the poison file", async || {
        let lines = deployed.reports().await?;
        Ok((lines.len() > before)
            .then(|| lines.into_iter().filter(|line| line["outcome"] == "REJECTED").collect()))
    });
    let rejected: Vec<Value> = rejected.await?;
    let reasons = rejected.iter().map(|line| line["reason"].to_string()).collect::<Vec<_>>().join("\n");
    ensure!(reasons.contains("jobQueue"), "{reasons}");

    let queue =
        |name: &str| format!("{}/{ACCOUNT}/{NAME}-{name}", deployed.ministack.server().endpoint_url());
    let states = queue("states");
    // A message is tried five times, twelve minutes apart: here, a second.
    deployed
        .sqs(&["set-queue-attributes", "--queue-url", &states, "--attributes", "VisibilityTimeout=1"])
        .await?;
    let poison =
        r#"{"source": "aws.batch", "detail-type": "Batch Job State Change", "detail": {"jobId": 7}}"#;
    deployed.sqs(&["send-message", "--queue-url", &states, "--message-body", poison]).await?;
    let dead_letter = deployed.wait("the dead letter", async || {
        let seen = deployed.program(0, &["dlq", "show", "states"]).await?;
        Ok(seen["messages"][0]["body"].as_str().map(ToOwned::to_owned))
    });
    ensure!(dead_letter.await? == poison);
    // It stays there, however often it is looked at, until it is delivered again; and then it comes back.
    for _ in 0..2 {
        let seen = deployed.program(0, &["dlq", "show", "states"]).await?;
        ensure!(seen["messages"].as_array().is_some_and(|messages| messages.len() == 1), "{seen}");
    }
    ensure!(deployed.dead_letters(1).await? == [0, 1, 0, 0]);
    // Hidden from the state handler, so that it does not come back while it is counted.
    let slow = "VisibilityTimeout=600";
    deployed.sqs(&["set-queue-attributes", "--queue-url", &states, "--attributes", slow]).await?;
    let told = deployed.program(0, &["dlq", "redrive", "states", "--yes"]).await?;
    ensure!(told == json!({"delivered": 1, "to": {"queue": format!("{NAME}-states")}}), "{told}");
    ensure!(deployed.dead_letters(0).await? == [0, 0, 0, 0]);

    // What came from no queue is a call of the function: here one that its destination wrote down.
    let results = format!("s3://{}/fan-out/redriven.jsonl", bucket());
    let call = json!({"functionName": format!("{NAME}-reconciler"), "payloads": [{}], "resultsUri": results});
    let record =
        json!({"requestContext": {"condition": "RetriesExhausted"}, "requestPayload": call}).to_string();
    let dead = queue("fan-out-dead-letters");
    deployed.sqs(&["send-message", "--queue-url", &dead, "--message-body", &record]).await?;
    let seen = deployed.program(0, &["dlq", "show", "fan-out"]).await?;
    ensure!(seen["messages"][0]["why"] == "RetriesExhausted", "{seen}");
    deployed.program(0, &["dlq", "redrive", "fan-out", "--yes"]).await?;
    let redriven = deployed.wait("the results of the call that was delivered again", async || {
        Ok(deployed.object("fan-out/redriven.jsonl").await.ok())
    });
    ensure!(String::from_utf8(redriven.await?)?.contains("SUCCEEDED"));
    ensure!(deployed.dead_letters(0).await? == [0, 0, 0, 0]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_file_that_is_uploaded_to_a_deployed_stack_runs_once() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let Some(deployed) = Deployed::new(folder.path(), false).await? else { return Ok(()) };
    a_job_file_runs_once(&deployed).await?;
    the_program_sees_the_stack(&deployed, folder.path()).await?;
    a_fan_out_invokes_its_list(&deployed).await?;
    poison_is_set_aside(&deployed).await?;
    deployed.endpoint.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_runs_with_no_more_than_the_policies_of_the_functions_allow() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let Some(deployed) = Deployed::new(folder.path(), true).await? else { return Ok(()) };
    // The bucket's own policy refuses what is not encrypted on its way, and the emulator speaks plain HTTP.
    let s3 = s3_client(&deployed.aws);
    let refused = s3.get_bucket_policy().bucket(bucket()).send().await?;
    ensure!(refused.policy().is_some_and(|policy| policy.contains("aws:SecureTransport")), "{refused:?}");
    s3.delete_bucket_policy().bucket(bucket()).send().await?;
    a_job_file_runs_once(&deployed).await?;
    a_fan_out_invokes_its_list(&deployed).await?;
    deployed.endpoint.stop().await?;
    Ok(())
}
