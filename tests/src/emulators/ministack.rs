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
        let server = Server::start("ministack", |port, scratch| command(&venv, port, scratch, variables))?;
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

fn command(venv: &Venv, port: u16, scratch: &Path, variables: &[(&str, &str)]) -> anyhow::Result<Command> {
    let mut command = Command::new(venv.program("ministack"));
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
