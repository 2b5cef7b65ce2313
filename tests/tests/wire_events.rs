//! The endpoint's events reach a queue by a rule of EventBridge.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};
use batchwright::wire::{EventTarget, ServeOptions};
use batchwright_tests::emulators::REGION;
use batchwright_tests::emulators::process::Server;
use batchwright_tests::emulators::venv::Venv;
use batchwright_tests::wire::{Endpoint, options};

/// As AWS does, ministack refuses events whose source begins with `aws.`; under this launcher it takes
/// them in.
fn event_bridge() -> anyhow::Result<Option<(Server, Venv)>> {
    let (Some(ministack), Some(boto3)) = (Venv::of_group("ministack")?, Venv::of_group("boto3")?) else {
        return Ok(None);
    };
    let launcher = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/ministack_taking_aws_events.py");
    let server = Server::start("ministack-events", |port, scratch| {
        let mut command = Command::new(ministack.program("python"));
        command.arg(&launcher).env("GATEWAY_PORT", port.to_string()).env("IOT_MTLS_ENABLED", "0");
        command.env("BIND_HOST", "127.0.0.1").env("MINISTACK_HOST", "127.0.0.1");
        for (name, folder) in [("TMPDIR", "tmp"), ("S3_DATA_DIR", "s3"), ("STATE_DIR", "state")] {
            let folder = scratch.join(folder);
            fs::create_dir(&folder).with_context(|| format!("making {}", folder.display()))?;
            command.env(name, folder);
        }
        Ok(command)
    })?;
    Ok(Some((server, boto3)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_of_event_bridge_hands_on_every_state_of_a_job() -> anyhow::Result<()> {
    let Some((server, boto3)) = tokio::task::spawn_blocking(event_bridge).await?? else { return Ok(()) };
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
