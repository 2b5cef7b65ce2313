//! A deployed stack: where its state, logs and reports lie.

use std::collections::HashMap;

use anyhow::{Context, anyhow};
use batchwright::aws::dynamodb::{DynamoDbJobStore, Tables};
use batchwright::aws::{
    BatchJobEngine, CloudWatchLogSource, Connection, LambdaInvoker, S3ObjectStore, connect, s3_client,
};

use crate::args::StackArgs;
use crate::exit::Failure;

/// The parts of a stack that the program talks to.
pub(crate) struct Stack {
    pub(crate) store: DynamoDbJobStore,
    pub(crate) engine: BatchJobEngine,
    pub(crate) logs: CloudWatchLogSource,
    pub(crate) bucket: S3ObjectStore,
    pub(crate) bucket_name: String,
    pub(crate) invoker: LambdaInvoker,
    pub(crate) submitter: String,
}

impl Stack {
    /// Finds a stack by its name: its submitter's own settings say where everything lies.
    pub(crate) async fn find(args: &StackArgs) -> Result<Stack, Failure> {
        let connection = Connection {
            region: args.region.clone(),
            profile: args.profile.clone(),
            endpoint_url: args.endpoint_url.clone(),
        };
        let config = connect(&connection).await;
        let name = args.stack.as_deref().unwrap_or_default();
        let submitter = format!("{name}-submitter");
        let client = aws_sdk_lambda::Client::new(&config);
        let found = client.get_function_configuration().function_name(&submitter).send().await;
        let function = found
            .map_err(|error| anyhow!(error.into_service_error()))
            .with_context(|| format!("no stack {name} was found: its function {submitter} can't be read"))?;
        let variables =
            function.environment.and_then(|environment| environment.variables).unwrap_or_default();
        let bucket_name = setting(&variables, &submitter, "BATCHWRIGHT_BUCKET")?;
        let tables = Tables {
            jobs: setting(&variables, &submitter, "BATCHWRIGHT_JOBS_TABLE")?,
            runs: setting(&variables, &submitter, "BATCHWRIGHT_RUNS_TABLE")?,
        };
        Ok(Stack {
            store: DynamoDbJobStore::new(aws_sdk_dynamodb::Client::new(&config), tables),
            engine: BatchJobEngine::new(aws_sdk_batch::Client::new(&config)),
            logs: CloudWatchLogSource::new(aws_sdk_cloudwatchlogs::Client::new(&config)),
            bucket: S3ObjectStore::new(s3_client(&config), bucket_name.clone()),
            bucket_name,
            invoker: LambdaInvoker::new(client),
            submitter,
        })
    }
}

fn setting(variables: &HashMap<String, String>, function: &str, name: &str) -> Result<String, Failure> {
    let value = variables.get(name).filter(|value| !value.is_empty()).cloned();
    value.ok_or_else(|| {
        Failure::Broken(anyhow!("the function {function} has no {name}; is it batchwright's?"))
    })
}
