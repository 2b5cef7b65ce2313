//! The library's examples, run as programs: those that need no AWS as they are, and those of AWS Batch against the endpoint.

use std::process::Command;

use anyhow::{Context as _, ensure};
use batchwright_tests::stack::built;
use batchwright_tests::wire::{Endpoint, options};

/// An example, which the build of the whole workspace makes.
fn example(name: &str) -> anyhow::Result<Command> {
    let program = built("examples")?.join(name);
    let made = program.exists();
    ensure!(made, "{} is missing: cargo build --workspace --locked --examples", program.display());
    let mut command = Command::new(program);
    for name in ["AWS_PROFILE", "AWS_SESSION_TOKEN"] {
        command.env_remove(name);
    }
    Ok(command)
}

async fn ran(mut command: Command) -> anyhow::Result<String> {
    let output = tokio::task::spawn_blocking(move || command.output()).await?.context("the example")?;
    let (told, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "{}: {told}{error}", output.status);
    Ok(told.into_owned())
}

#[tokio::test]
async fn a_store_of_ones_own_tells_what_is_written() -> anyhow::Result<()> {
    let told = ran(example("own_store")?).await?;
    for line in ["first: submitted as ", "second: submitted as ", "first: SUCCEEDED", "second: "] {
        ensure!(told.contains(line), "{line} is not told: {told}");
    }
    Ok(())
}

#[tokio::test]
async fn a_pipeline_is_played_without_aws() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut command = example("pipeline")?;
    command.current_dir(&folder);
    let told = ran(command).await?;
    ensure!(told.contains("render-7: SUCCEEDED") && told.contains("\"succeeded\": 10"), "{told}");
    Ok(())
}

#[tokio::test]
async fn examples_of_aws_batch_work_against_the_endpoint() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let endpoint = Endpoint::start(options(folder.path())).await?;
    let on_batch = |name: &str| -> anyhow::Result<Command> {
        let mut command = example(name)?;
        command.args(["q", "d"]).current_dir(&folder).env("AWS_ENDPOINT_URL", &endpoint.url);
        command
            .env("AWS_REGION", "eu-west-1")
            .env("AWS_ACCESS_KEY_ID", "k")
            .env("AWS_SECRET_ACCESS_KEY", "s");
        command.env("AWS_CONFIG_FILE", "/dev/null").env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
        Ok(command)
    };
    let told = ran(on_batch("quick_start")?).await?;
    ensure!(told.contains("first: SUCCEEDED") && told.contains("second: SUCCEEDED"), "{told}");
    // Its jobs run a program that this machine does not have: they end all the same, and it says so.
    let told = ran(on_batch("recovery")?).await?;
    ensure!(told.contains("100 of 100 jobs have not SUCCEEDED yet"), "{told}");
    ensure!(told.lines().filter(|line| line.contains("has not succeeded: ")).count() == 100, "{told}");
    endpoint.stop().await?;
    Ok(())
}
