//! ministack: most of AWS in one process.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use anyhow::Context as _;
use aws_config::SdkConfig;

use super::process::Server;
use super::sdk_config;
use super::venv::Venv;

/// A ministack that runs.
#[derive(Debug)]
pub struct Ministack {
    server: Server,
}

impl Ministack {
    /// The one of this test program, started by the first test that asks; `None` where this machine has no
    /// `python3`.
    pub fn shared() -> anyhow::Result<Option<&'static Self>> {
        static SHARED: OnceLock<Result<Option<Ministack>, String>> = OnceLock::new();
        let shared = SHARED.get_or_init(|| Self::start(&[]).map_err(|why| format!("{why:#}")));
        shared.as_ref().map(Option::as_ref).map_err(|why| anyhow::anyhow!("{why}"))
    }

    /// One of its own, with further variables: `AUTH=true` makes it enforce policies.
    pub fn start(variables: &[(&str, &str)]) -> anyhow::Result<Option<Self>> {
        let Some(venv) = Venv::of_group("ministack")? else { return Ok(None) };
        let server = Server::start("ministack", |port, scratch| {
            configured(Command::new(venv.program("ministack")), port, scratch, variables)
        })?;
        Ok(Some(Self { server }))
    }

    /// One that also takes in events whose source begins with `aws.`. AWS refuses them from anybody but
    /// itself, and so does ministack; the embedded engine sends them in AWS's place.
    pub fn taking_aws_events(variables: &[(&str, &str)]) -> anyhow::Result<Option<Self>> {
        let Some(venv) = Venv::of_group("ministack")? else { return Ok(None) };
        let launcher = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/ministack_taking_aws_events.py");
        let server = Server::start("ministack-events", |port, scratch| {
            let mut program = Command::new(venv.program("python"));
            program.arg(&launcher);
            configured(program, port, scratch, variables)
        })?;
        Ok(Some(Self { server }))
    }

    /// The server.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// A configuration that reaches it.
    pub async fn sdk_config(&self) -> anyhow::Result<SdkConfig> {
        sdk_config(&self.server.endpoint_url()).await
    }
}

fn configured(
    mut command: Command,
    port: u16,
    scratch: &Path,
    variables: &[(&str, &str)],
) -> anyhow::Result<Command> {
    command.env("GATEWAY_PORT", port.to_string());
    // Without these it listens on every interface, and on a second port.
    command.env("BIND_HOST", "127.0.0.1").env("MINISTACK_HOST", "127.0.0.1");
    command.env("IOT_MTLS_ENABLED", "0");
    for (name, folder) in [("TMPDIR", "tmp"), ("S3_DATA_DIR", "s3"), ("STATE_DIR", "state")] {
        let folder = scratch.join(folder);
        fs::create_dir(&folder).with_context(|| format!("making {}", folder.display()))?;
        command.env(name, folder);
    }
    command.envs(variables.iter().copied());
    Ok(command)
}
