//! DynamoDB keeps the contracts of the job store and the run store.

use batchwright_tests::emulators::ministack::Ministack;

#[tokio::test]
async fn starts() -> anyhow::Result<()> {
    let Some(ministack) = Ministack::shared()? else { return Ok(()) };
    let client = aws_sdk_dynamodb::Client::new(&ministack.sdk_config().await?);
    assert!(client.list_tables().send().await?.table_names().is_empty());
    Ok(())
}
