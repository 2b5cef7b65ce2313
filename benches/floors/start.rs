//! The floor of a function's start: the clients that the submitter makes, and a handler that makes one call of each, by
//! the SDK and Lambda's runtime alone. `benches/start.py` sets it beside the functions.

use aws_sdk_dynamodb::types::AttributeValue;
use batchwright::aws::{Connection, connect, s3_client};
use batchwright::function::environment;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let aws = connect(&Connection::of_function(&environment)).await;
    let batch = aws_sdk_batch::Client::new(&aws);
    let tables = aws_sdk_dynamodb::Client::new(&aws);
    let bus = aws_sdk_eventbridge::Client::new(&aws);
    let functions = aws_sdk_lambda::Client::new(&aws);
    let objects = s3_client(&aws);
    let (batch, tables, bus, functions, objects) = (&batch, &tables, &bus, &functions, &objects);
    run(service_fn(async |event: LambdaEvent<Value>| {
        let text = event.payload.to_string();
        let key = AttributeValue::S(text.clone());
        batch.submit_job().job_name(&text).send().await?;
        tables.put_item().table_name(&text).item("jobName", key.clone()).send().await?;
        tables.update_item().table_name(&text).key("jobName", key.clone()).send().await?;
        tables.query().table_name(&text).send().await?;
        tables.get_item().table_name(&text).key("jobName", key).send().await?;
        bus.put_events().send().await?;
        functions.invoke().function_name(&text).send().await?;
        objects.get_object().bucket(&text).key(&text).send().await?;
        objects.put_object().bucket(&text).key(&text).send().await?;
        Ok::<_, Error>(event.payload)
    }))
    .await
}
