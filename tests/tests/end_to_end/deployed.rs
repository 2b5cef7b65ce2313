//! A deployed stack, as a test sees it.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use async_compression::tokio::bufread::GzipDecoder;
use aws_config::SdkConfig;
use aws_sdk_s3::primitives::ByteStream;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use batchwright::aws::dynamodb::DynamoDbJobStore;
use batchwright::aws::s3_client;
use batchwright::domain::{Job, JobName};
use batchwright::ports::JobQueries as _;
use batchwright::use_cases::collect_logs::Place;
use batchwright::wire::{EventTarget, ServeOptions};
use batchwright_tests::emulators::ministack::Ministack;
use batchwright_tests::emulators::{REGION, sdk_config};
use batchwright_tests::schema::conforms;
use batchwright_tests::stack::{FUNCTIONS, NAME, Overrides, Tools, bucket, built, store};
use batchwright_tests::wire::{Endpoint, options};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use tokio::process::Command;

/// What has not come by then does not come.
const PATIENCE: Duration = Duration::from_secs(180);

/// The AWS CLI on the emulator.
pub(crate) struct Cli<'a> {
    tools: &'a Tools,
    folder: &'a Path,
    url: &'a str,
}

impl Cli<'_> {
    /// What a command answers.
    pub(crate) async fn run(&self, args: &[&str]) -> anyhow::Result<Value> {
        let text = self.tools.aws(self.folder, self.url, args).await?;
        // What answers nothing, or in words as `deploy` does, has no JSON.
        Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
    }
}

/// A deployed stack, and the endpoint on which its jobs run.
pub(crate) struct Deployed {
    pub(crate) aws: SdkConfig,
    store: DynamoDbJobStore,
    pub(crate) ministack: Ministack,
    pub(crate) endpoint: Endpoint,
    tools: Arc<Tools>,
    folder: PathBuf,
}

impl Deployed {
    /// `None` where this machine has no `python3`.
    pub(crate) async fn new(folder: &Path, enforcing: bool) -> anyhow::Result<Option<Deployed>> {
        Self::with(folder, enforcing, async |_| Ok(Overrides::default())).await
    }

    /// With parameters that may name what is made first.
    pub(crate) async fn with(
        folder: &Path,
        enforcing: bool,
        overrides: impl AsyncFnOnce(Cli<'_>) -> anyhow::Result<Overrides>,
    ) -> anyhow::Result<Option<Deployed>> {
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
        let overrides = overrides(Cli { tools: &tools, folder, url: &url }).await?;
        let deploying = move || deployer.deploy(&staged, &url, &batch_url, &overrides);
        let deployed = tokio::task::spawn_blocking(deploying).await?;
        deployed.with_context(|| ministack.server().log())?;
        let store = store(&aws);
        Ok(Some(Deployed { aws, store, ministack, endpoint, tools, folder: folder.to_owned() }))
    }

    pub(crate) async fn upload(&self, key: &str, text: &str) -> anyhow::Result<()> {
        let put = s3_client(&self.aws).put_object().bucket(bucket()).key(key);
        put.body(ByteStream::from(text.as_bytes().to_vec())).send().await?;
        Ok(())
    }

    pub(crate) async fn object(&self, key: &str) -> anyhow::Result<Vec<u8>> {
        let got = s3_client(&self.aws).get_object().bucket(bucket()).key(key).send().await;
        Ok(got.with_context(|| key.to_owned())?.body.collect().await?.to_vec())
    }

    /// Of a job's archived log, where the job's item says that it lies: in an object of its own, or in one with others.
    pub(crate) async fn manifest(&self, name: &str) -> anyhow::Result<Option<Value>> {
        let latest = self.job(name).await?.and_then(|job| job.latest);
        let Some(logs) = latest.and_then(|submission| submission.logs) else { return Ok(None) };
        let place = Place::of(&logs.manifest_key);
        let Some((first, length)) = place.bytes else {
            return Ok(Some(serde_json::from_slice(&self.object(place.key).await?)?));
        };
        let range = format!("bytes={first}-{}", first + length - 1);
        let got = s3_client(&self.aws).get_object().bucket(bucket()).key(place.key).range(range).send().await;
        let packed = got.with_context(|| logs.manifest_key.clone())?.body.collect().await?.to_vec();
        let mut json = Vec::new();
        GzipDecoder::new(packed.as_slice()).read_to_end(&mut json).await?;
        Ok(Some(serde_json::from_slice(&json)?))
    }

    pub(crate) async fn keys(&self, prefix: &str) -> anyhow::Result<Vec<String>> {
        let listed = s3_client(&self.aws).list_objects_v2().bucket(bucket()).prefix(prefix).send().await?;
        Ok(listed.contents().iter().filter_map(|object| object.key().map(ToOwned::to_owned)).collect())
    }

    /// Every line of every report so far.
    pub(crate) async fn reports(&self) -> anyhow::Result<Vec<Value>> {
        let mut lines = Vec::new();
        for key in self.keys("reports/").await? {
            let text = String::from_utf8(self.object(&key).await?)?;
            for line in text.lines() {
                lines.push(serde_json::from_str(line)?);
            }
        }
        Ok(lines)
    }

    pub(crate) async fn job(&self, name: &str) -> anyhow::Result<Option<Job>> {
        Ok(self.store.job(&JobName::parse(name)?).await?)
    }

    pub(crate) async fn invoke(&self, function: &str, payload: &Value) -> anyhow::Result<Value> {
        let client = aws_sdk_lambda::Client::new(&self.aws);
        let name = format!("{NAME}-{function}");
        let call = client.invoke().function_name(name).payload(payload.to_string().into_bytes().into());
        let answer = call.send().await?;
        let body = answer.payload().map(|blob| blob.as_ref().to_vec()).unwrap_or_default();
        let text = String::from_utf8_lossy(&body).into_owned();
        ensure!(answer.function_error().is_none(), "{function}: {text}");
        Ok(serde_json::from_slice(&body)?)
    }

    /// A call whose answer nobody waits for.
    pub(crate) async fn invoke_async(&self, function: &str, payload: &Value) -> anyhow::Result<()> {
        let client = aws_sdk_lambda::Client::new(&self.aws);
        let call = client.invoke().function_name(format!("{NAME}-{function}"));
        let call = call.invocation_type(aws_sdk_lambda::types::InvocationType::Event);
        call.payload(payload.to_string().into_bytes().into()).send().await?;
        Ok(())
    }

    /// The AWS CLI's `sqs`.
    pub(crate) async fn sqs(&self, args: &[&str]) -> anyhow::Result<Value> {
        self.cli(&[&["sqs"], args].concat()).await
    }

    /// The AWS CLI.
    pub(crate) async fn cli(&self, args: &[&str]) -> anyhow::Result<Value> {
        let url = self.ministack.server().endpoint_url();
        Cli { tools: &self.tools, folder: &self.folder, url: &url }.run(args).await
    }

    /// The program, for the stack.
    pub(crate) fn command(&self, args: &[&str]) -> anyhow::Result<Command> {
        let mut command = Command::new(built("batchwright")?);
        command.args(args).args(["--stack", NAME, "--region", REGION]).kill_on_drop(true);
        command.env("AWS_ENDPOINT_URL", self.ministack.server().endpoint_url());
        command.env("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", &self.endpoint.url);
        command.env("AWS_ENDPOINT_URL_BATCH", &self.endpoint.url);
        command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
        command.env("AWS_CONFIG_FILE", "/dev/null").env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
        command.env("BATCHWRIGHT_CONFIG", "/dev/null");
        command.env_remove("AWS_PROFILE").env_remove("AWS_SESSION_TOKEN");
        Ok(command)
    }

    async fn ran(&self, code: i32, args: &[&str]) -> anyhow::Result<Output> {
        let output = tokio::time::timeout(PATIENCE, self.command(args)?.output()).await;
        let output = output.context("the program hangs")??;
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        ensure!(output.status.code() == Some(code), "{args:?}: {}\n{out}\n{err}", output.status);
        Ok(output)
    }

    /// Runs the program against the stack. Returns what it prints for people.
    pub(crate) async fn words(&self, code: i32, args: &[&str]) -> anyhow::Result<String> {
        Ok(String::from_utf8(self.ran(code, args).await?.stdout)?)
    }

    /// Runs the program against the stack; what it prints is JSON where all is well.
    pub(crate) async fn program(&self, code: i32, args: &[&str]) -> anyhow::Result<Value> {
        let output = self.ran(code, &[args, &["--output", "json"]].concat()).await?;
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

    /// How many messages wait for the submitter, the state handler, the log collector, the fan-out and the S3
    /// serializer, as the program says with this exit code.
    pub(crate) async fn dead_letters(&self, code: i32) -> anyhow::Result<Vec<u64>> {
        let list = self.program(code, &["dlq", "list"]).await?;
        let queues = list["queues"].as_array().context("no queues")?.iter();
        Ok(queues.filter_map(|queue| queue["messages"].as_u64()).collect())
    }

    /// Waits until what is looked for is there. On failure the functions' logs say what happened.
    pub(crate) async fn wait<T>(
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
    pub(crate) async fn function_logs(&self) -> anyhow::Result<String> {
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

    pub(crate) async fn wait_for_ends(&self, names: &[&str]) -> anyhow::Result<()> {
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
    let all: Value = serde_json::from_str(include_str!("../../../cli/schemas/output.json"))?;
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
