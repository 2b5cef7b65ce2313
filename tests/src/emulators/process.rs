//! A server in a process of its own, for as long as the test program lives.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

/// A server that does not answer by then has failed to start.
const START_LIMIT: Duration = Duration::from_secs(60);

/// Between two looks at a server that is starting.
const LOOK_INTERVAL: Duration = Duration::from_millis(25);

/// Another program may take the port between its choice and its use: then another one is tried.
const PORTS_TRIED: usize = 3;

/// A server that answers on a loopback port. It is killed with all its children when this is dropped, and
/// when the test program ends without dropping it: the supervisor waits for the end of its input.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    scratch: PathBuf,
    supervisor: Child,
    input: Option<ChildStdin>,
}

impl Server {
    /// Starts a server and waits until its port answers. `command` makes the command line from the port
    /// and from a folder that lives as long as the server. The server never sees this machine's AWS
    /// credentials.
    pub fn start(
        name: &str,
        command: impl Fn(u16, &Path) -> anyhow::Result<Command>,
    ) -> anyhow::Result<Self> {
        let mut failure = String::new();
        for _ in 0..PORTS_TRIED {
            let scratch = tempfile::Builder::new().prefix(&format!("{name}-")).tempdir()?.keep();
            let port = free_port()?;
            let mut server = Self::spawn(port, scratch.clone(), &command(port, &scratch)?)
                .with_context(|| format!("starting {name}"))?;
            match server.wait_until_it_answers()? {
                Started::Answers => return Ok(server),
                Started::Failed => failure = server.log(),
            }
        }
        bail!("{name} did not start:\n{failure}")
    }

    fn spawn(port: u16, scratch: PathBuf, command: &Command) -> anyhow::Result<Self> {
        let mut supervised = Command::new("python3");
        supervised.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/emulators/supervise.py"));
        supervised.arg(&scratch).arg(command.get_program()).args(command.get_args());
        for name in ["AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"] {
            supervised.env_remove(name);
        }
        for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
            supervised.env(name, "test");
        }
        supervised.env("AWS_DEFAULT_REGION", super::REGION).env("AWS_REGION", super::REGION);
        supervised.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        supervised.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut supervisor = supervised.spawn()?;
        let input = supervisor.stdin.take();
        Ok(Self { address: (Ipv4Addr::LOCALHOST, port).into(), scratch, supervisor, input })
    }

    fn wait_until_it_answers(&mut self) -> anyhow::Result<Started> {
        let output = self.supervisor.stdout.take().context("the supervisor has no output")?;
        let ended = thread::spawn(move || std::io::read_to_string(output));
        let started = Instant::now();
        while started.elapsed() < START_LIMIT && !ended.is_finished() {
            if TcpStream::connect_timeout(&self.address, LOOK_INTERVAL).is_ok() {
                return Ok(Started::Answers);
            }
            thread::sleep(LOOK_INTERVAL);
        }
        Ok(Started::Failed)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its endpoint, as AWS clients want it.
    pub fn endpoint_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it has written so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.scratch.join("log")).unwrap_or_else(|why| format!("there is no log: {why}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.input.take());
        if let Err(why) = self.supervisor.wait() {
            eprintln!("waiting for the end of an emulator: {why}");
        }
    }
}

enum Started {
    Answers,
    Failed,
}

/// A port that was free a moment ago.
pub fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("asking for a free port")?;
    Ok(listener.local_addr()?.port())
}
