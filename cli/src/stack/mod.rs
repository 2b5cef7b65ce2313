//! A deployed stack: where its state, logs and reports lie.

pub(crate) mod dead_letters;
mod wakes;

use std::collections::HashMap;

use anyhow::anyhow;
use aws_sdk_lambda::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_lambda::operation::get_function_configuration::GetFunctionConfigurationError;
use batchwright::aws::dynamodb::{DynamoDbJobStore, Tables};
use batchwright::aws::{
    BatchJobEngine, CloudWatchLogSource, LambdaInvoker, S3ObjectStore, connect, in_words, s3_client,
};

use crate::args::StackArgs;
use crate::exit::Failure;
use crate::output::human;

/// The functions of a stack: each is named `<Name>-<function>`.
pub(crate) const FUNCTIONS: [&str; 6] =
    ["submitter", "state-handler", "log-collector", "reconciler", "fan-out", "s3-serializer"];

/// With less room the stack's own functions hold each other up: there are six, and two run several at once.
const CONCURRENCY_LEAST: i32 = 50;

/// This program's version, which the template gives its functions, too.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The parts of a stack that the program talks to.
pub(crate) struct Stack {
    pub(crate) store: DynamoDbJobStore,
    pub(crate) engine: BatchJobEngine,
    pub(crate) logs: CloudWatchLogSource,
    pub(crate) bucket: S3ObjectStore,
    pub(crate) bucket_name: String,
    pub(crate) invoker: LambdaInvoker,
    pub(crate) submitter: String,
    lambda: aws_sdk_lambda::Client,
    batch: aws_sdk_batch::Client,
    events: aws_sdk_eventbridge::Client,
    s3: aws_sdk_s3::Client,
}

impl Stack {
    /// Finds a stack by its name: its submitter's own settings say where everything lies.
    pub(crate) async fn find(args: &StackArgs) -> Result<Stack, Failure> {
        let config = connect(&args.connection()).await;
        let name = args.stack.as_deref().unwrap_or_default();
        let submitter = format!("{name}-submitter");
        let client = aws_sdk_lambda::Client::new(&config);
        let found = client.get_function_configuration().function_name(&submitter).send().await;
        let function = found.map_err(|error| {
            let service = error.as_service_error();
            let is_missing =
                service.is_some_and(GetFunctionConfigurationError::is_resource_not_found_exception);
            let why = in_one_line(&error);
            Failure::Broken(if is_missing {
                anyhow!("no stack {name} was found: {why}; check --stack, --profile and --region")
            } else {
                anyhow!("the stack {name} can't be looked at: its function {submitter} can't be read: {why}; docs/program.md lists what --stack needs")
            })
        })?;
        let variables =
            function.environment.and_then(|environment| environment.variables).unwrap_or_default();
        let bucket_name = setting(&variables, &submitter, "BATCHWRIGHT_BUCKET")?;
        let tables = Tables {
            jobs: setting(&variables, &submitter, "BATCHWRIGHT_JOBS_TABLE")?,
            runs: setting(&variables, &submitter, "BATCHWRIGHT_RUNS_TABLE")?,
        };
        let batch = aws_sdk_batch::Client::new(&config);
        let s3 = s3_client(&config);
        Ok(Stack {
            store: DynamoDbJobStore::new(aws_sdk_dynamodb::Client::new(&config), tables),
            engine: BatchJobEngine::new(batch.clone()),
            batch,
            lambda: client.clone(),
            logs: CloudWatchLogSource::new(aws_sdk_cloudwatchlogs::Client::new(&config)),
            bucket: S3ObjectStore::new(s3.clone(), bucket_name.clone()),
            s3,
            events: aws_sdk_eventbridge::Client::new(&config),
            bucket_name,
            invoker: LambdaInvoker::new(client),
            submitter,
        })
    }
}

impl Stack {
    /// Whether a function is there, can be called, and is of this program's version.
    pub(crate) async fn function_state(&self, name: &str, function: &str) -> Result<String, String> {
        let call = self.lambda.get_function_configuration().function_name(format!("{name}-{function}"));
        let found = call.send().await.map_err(|error| in_one_line(&error))?;
        let state = found.state().map_or("Active", aws_sdk_lambda::types::State::as_str).to_owned();
        let changed = found.last_modified().unwrap_or_default();
        if state != "Active" {
            return Err(format!("it is {state}"));
        }
        let environment = found.environment();
        if let Some(why) = environment.and_then(|environment| environment.error()?.message()) {
            return Ok(format!(
                "{state}, changed {changed}; its version can't be read: {why}; docs/program.md lists what --stack needs"
            ));
        }
        let variables = environment.and_then(|environment| environment.variables());
        let version = variables.and_then(|variables| variables.get("BATCHWRIGHT_VERSION"));
        match version.map(String::as_str) {
            Some(VERSION) => Ok(format!("{state}, version {VERSION}, changed {changed}")),
            Some(other) => Err(format!("it is of version {other}, and this program of {VERSION}")),
            None => Err(format!("it does not say its version, and this program is of {VERSION}")),
        }
    }

    /// How many job queues there are, and that one takes jobs.
    pub(crate) async fn queues(&self) -> Result<String, String> {
        let found = self.batch.describe_job_queues().send().await.map_err(|error| in_one_line(&error))?;
        let queues = found.job_queues();
        let enabled =
            queues.iter().filter(|queue| queue.state() == Some(&aws_sdk_batch::types::JqState::Enabled));
        match enabled.count() {
            0 => Err(format!("{}, none of them ENABLED", human::count(queues.len() as u64, "job queue"))),
            enabled => {
                Ok(format!("{}, {enabled} of them ENABLED", human::count(queues.len() as u64, "job queue")))
            }
        }
    }
}

impl Stack {
    /// That jobs have a definition to name.
    pub(crate) async fn definitions(&self) -> Result<String, String> {
        let call = self.batch.describe_job_definitions().status("ACTIVE").max_results(100);
        let found = call.send().await.map_err(|error| in_one_line(&error))?;
        let active = found.job_definitions().len();
        let more = if found.next_token().is_some() { "more than " } else { "" };
        if active == 0 { Err("none is ACTIVE".to_owned()) } else { Ok(format!("{more}{active} ACTIVE")) }
    }

    /// How many functions may run at once in this account and Region.
    pub(crate) async fn concurrency(&self) -> Result<String, String> {
        let found = self.lambda.get_account_settings().send().await.map_err(|error| in_one_line(&error))?;
        let limit = found.account_limit().ok_or("Lambda tells no limit")?;
        let (all, free) =
            (limit.concurrent_executions(), limit.unreserved_concurrent_executions().unwrap_or_default());
        let told = format!("{all} concurrent executions, {free} of them unreserved");
        if free < CONCURRENCY_LEAST { Err(told) } else { Ok(told) }
    }
}

/// What AWS said, by its code and in its words, or why it could not be asked.
fn in_one_line<E, R>(error: &SdkError<E, R>) -> String
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug + 'static,
{
    match (error.as_service_error(), error.code(), error.message()) {
        (Some(_), Some(code), Some(message)) => format!("{code}: {}", message.replace('\n', " ")),
        (Some(_), Some(code), None) => code.to_owned(),
        (Some(service), None, _) => in_words(service),
        (None, ..) => {
            let why = in_words(error);
            format!("AWS can't be asked: {why}; check --profile and --region, or log in with `aws sso login`")
        }
    }
}

fn setting(variables: &HashMap<String, String>, function: &str, name: &str) -> Result<String, Failure> {
    let value = variables.get(name).filter(|value| !value.is_empty()).cloned();
    value.ok_or_else(|| {
        Failure::Broken(anyhow!("the function {function} has no {name}; is it batchwright's?"))
    })
}
