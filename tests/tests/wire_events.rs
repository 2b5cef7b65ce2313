//! The endpoint's events reach a queue by a rule of EventBridge.

use std::path::Path;

use anyhow::ensure;
use batchwright::wire::{EventTarget, ServeOptions};
use batchwright_tests::emulators::REGION;
use batchwright_tests::emulators::ministack::Ministack;
use batchwright_tests::emulators::venv::Venv;
use batchwright_tests::wire::{Endpoint, options};

/// As AWS does, ministack refuses events whose source begins with `aws.`, unless it is told otherwise.
fn event_bridge() -> anyhow::Result<Option<(Ministack, Venv)>> {
    let (Some(ministack), Some(boto3)) = (Ministack::taking_aws_events(&[])?, Venv::of_group("boto3")?)
    else {
        return Ok(None);
    };
    Ok(Some((ministack, boto3)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_of_event_bridge_hands_on_every_state_of_a_job() -> anyhow::Result<()> {
    let Some((ministack, boto3)) = tokio::task::spawn_blocking(event_bridge).await?? else { return Ok(()) };
    let server = ministack.server();
    let folder = tempfile::tempdir()?;
    let target = EventTarget::event_bridge(&server.endpoint_url(), REGION)?;
    let endpoint =
        Endpoint::start(ServeOptions { events_to: Some(target), ..options(folder.path()) }).await?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/events_by_rule.py");
    let mut client = tokio::process::Command::new(boto3.program("python"));
    client.arg(script).args([&endpoint.url, &server.endpoint_url()]).kill_on_drop(true);
    let output = client.output().await?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}: {said}\n{}", output.status, server.log());
    Ok(())
}
