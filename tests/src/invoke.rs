//! `batchwright invoke` as a person runs it.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;
use tokio::process::{Child, Command};

use crate::emulators::REGION;
use crate::stack::built;

/// What a program that hangs is given.
const PATIENCE: Duration = Duration::from_secs(60);

/// How the program ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; `None` where a signal ended it.
    pub code: Option<i32>,
    /// What it wrote.
    pub stdout: String,
    /// What it said.
    pub stderr: String,
}

/// The program with its environment, over an endpoint. `shell` is put before it in a shell, as in `ulimit -n 64;`.
pub fn program(endpoint_url: &str, shell: &str, args: &[&str]) -> anyhow::Result<Command> {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{shell} exec \"$@\""), "sh"]).arg(built("batchwright")?).arg("invoke");
    command.args(args).args(["--region", REGION, "--endpoint-url", endpoint_url]);
    command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
    command.env("AWS_CONFIG_FILE", "/dev/null").env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
    command.env_remove("AWS_PROFILE").env_remove("AWS_SESSION_TOKEN").env_remove("AWS_ENDPOINT_URL");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    Ok(command)
}

/// Sends a signal, as in `INT`.
pub async fn signal(process: &Child, name: &str) -> anyhow::Result<()> {
    let id = process.id().context("it has ended already")?;
    let sent = Command::new("kill").args(["-s", name, &id.to_string()]).status().await?;
    anyhow::ensure!(sent.success(), "kill -s {name} {id}");
    Ok(())
}

/// Waits until the program has ended.
pub async fn ended(process: Child) -> anyhow::Result<Ended> {
    let output = tokio::time::timeout(PATIENCE, process.wait_with_output()).await;
    let Output { status, stdout, stderr } = output.context("it does not end")??;
    Ok(Ended { code: status.code(), stdout: String::from_utf8(stdout)?, stderr: String::from_utf8(stderr)? })
}

/// Runs the program to its end.
pub async fn run(endpoint_url: &str, args: &[&str]) -> anyhow::Result<Ended> {
    ended(program(endpoint_url, "", args)?.spawn()?).await
}

/// Results, by line.
pub fn results(text: &str) -> anyhow::Result<Vec<Value>> {
    Ok(text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
}

/// How often an outcome is among results.
pub fn count(results: &[Value], outcome: &str) -> usize {
    results.iter().filter(|result| result["outcome"] == outcome).count()
}

/// A folder with a list.
#[derive(Debug)]
pub struct Folder(tempfile::TempDir);

impl Folder {
    /// With the list `list.jsonl`.
    pub fn with_list(lines: impl IntoIterator<Item = String>) -> anyhow::Result<Self> {
        let folder = Self(tempfile::tempdir()?);
        std::fs::write(
            folder.path("list.jsonl"),
            lines.into_iter().map(|line| line + "\n").collect::<String>(),
        )?;
        Ok(folder)
    }

    /// A file in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The same as text.
    pub fn name(&self, name: &str) -> String {
        self.path(name).to_string_lossy().into_owned()
    }

    /// What a file holds.
    pub fn text(&self, name: &str) -> anyhow::Result<String> {
        std::fs::read_to_string(self.path(name)).with_context(|| name.to_owned())
    }

    /// The folder itself.
    pub fn folder(&self) -> &Path {
        self.0.path()
    }
}
