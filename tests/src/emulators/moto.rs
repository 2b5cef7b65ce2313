//! moto: Batch whose jobs run, and a second opinion on S3 and Logs.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use anyhow::ensure;
use aws_config::SdkConfig;

use super::process::Server;
use super::venv::Venv;
use super::{REGION, sdk_config};

/// A moto that runs, and the Docker engine that it takes for one.
#[derive(Debug)]
pub struct Moto {
    server: Server,
    _docker: Server,
}

impl Moto {
    /// The one of this test program, started by the first test that asks; `None` where this machine has no
    /// `python3`.
    pub fn shared() -> anyhow::Result<Option<&'static Self>> {
        static SHARED: OnceLock<Result<Option<Moto>, String>> = OnceLock::new();
        let shared = SHARED.get_or_init(|| Self::start().map_err(|why| format!("{why:#}")));
        shared.as_ref().map(Option::as_ref).map_err(|why| anyhow::anyhow!("{why}"))
    }

    /// One of its own. Its jobs run as child processes; each of their statuses takes a second.
    pub fn start() -> anyhow::Result<Option<Self>> {
        let Some(venv) = Venv::of_group("moto")? else { return Ok(None) };
        let docker = Server::start("docker", |port, _| {
            let mut command = Command::new(venv.program("python"));
            command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("emulators/fake_docker.py"));
            command.arg(port.to_string());
            Ok(command)
        })?;
        let docker_host = format!("tcp://{}", docker.address());
        let server = Server::start("moto", |port, _| {
            let mut command = Command::new(venv.program("moto_server"));
            command.args(["-H", "127.0.0.1", "-p", &port.to_string()]).env("DOCKER_HOST", &docker_host);
            Ok(command)
        })?;
        let moto = Self { server, _docker: docker };
        moto.post("/moto-api/config", "application/json", r#"{"batch": {"use_docker": true}}"#)?;
        let pace = r#"{"model_name": "batch::job", "transition": {"progression": "time", "seconds": 1}}"#;
        moto.post("/moto-api/state-manager/set-transition", "application/json", pace)?;
        Ok(Some(moto))
    }

    /// The server.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// A configuration that reaches it.
    pub async fn sdk_config(&self) -> anyhow::Result<SdkConfig> {
        sdk_config(&self.server.endpoint_url()).await
    }

    /// Makes an IAM role, which moto wants before it makes a compute environment. Returns its ARN.
    pub fn create_role(&self, name: &str) -> anyhow::Result<String> {
        let form =
            format!("Action=CreateRole&Version=2010-05-08&RoleName={name}&AssumeRolePolicyDocument=%7B%7D");
        self.post("/", "application/x-www-form-urlencoded", &form)?;
        Ok(format!("arn:aws:iam::123456789012:role/{name}"))
    }

    fn post(&self, path: &str, content_type: &str, body: &str) -> anyhow::Result<()> {
        let mut stream = TcpStream::connect(self.server.address())?;
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nHost: iam.amazonaws.com\r\nConnection: close\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential=test/20260101/{REGION}/iam/aws4_request, \
             SignedHeaders=host, Signature=0\r\n\
             Content-Type: {content_type}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let status = answer.split(' ').nth(1).unwrap_or_default();
        ensure!(status.starts_with('2'), "moto answered {path} with {answer}");
        Ok(())
    }
}
