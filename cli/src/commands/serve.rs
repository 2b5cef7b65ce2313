//! `batchwright serve`.

use anyhow::Context;
use batchwright::local::StateDir;
use batchwright::ports::SystemClock;
use batchwright::wire::{Access, EventTarget, InvalidTarget, ServeOptions, WireError, WireServer};
use tokio::signal::unix::{SignalKind, signal};

use super::processes;
use super::run::read_definitions;
use crate::args::{Output, ServeArgs};
use crate::exit::{Exit, Failure};
use crate::output::human;

pub(crate) async fn serve(dir: StateDir, args: &ServeArgs) -> Result<Exit, Failure> {
    let kept = dir.kept();
    let options = ServeOptions {
        state_dir: dir,
        host: args.host,
        port: args.port,
        access: Access { hosts: args.allow_host.clone(), token: args.token.clone() },
        vcpus: args.vcpus,
        processes: processes::settings(&args.processes, None).await?,
        queues: args.queue.clone(),
        definitions: read_definitions(&args.job_definitions).await?,
        events_to: events_to(args).map_err(|error| Failure::Usage(error.to_string()))?,
    };
    let mut terminated = signal(SignalKind::terminate()).context("SIGTERM can't be listened for")?;
    let stop = async move {
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => if interrupted.is_err() {
                terminated.recv().await;
            },
            _ = terminated.recv() => {}
        }
    };
    let server = WireServer::open(options, SystemClock).await?;
    let url = server.url().context("the endpoint's address can't be told")?;
    match args.shown.output {
        Output::Table => println!("{url}"),
        Output::Json | Output::Ndjson => println!("{}", serde_json::json!({"endpointUrl": url})),
    }
    if !args.host.is_loopback() {
        let who =
            if args.token.is_some() { "knows the token" } else { "calls this machine by an allowed name" };
        eprintln!(
            "warning: whoever reaches {url} and {who} can run commands as you; requests are not encrypted"
        );
    }
    if args.processes.keep_workdirs {
        eprintln!("the folders of attempts that have ended are kept in {}", kept.display());
    }
    let unfinished = server.serve(stop).await?;
    if unfinished > 0 {
        eprintln!(
            "stopped: {} not ended; what runs goes on by itself, and the same command takes it up again",
            human::count(unfinished as u64, "job")
        );
    }
    Ok(Exit::Well)
}

fn events_to(args: &ServeArgs) -> Result<Option<EventTarget>, InvalidTarget> {
    match (&args.events_to, &args.events_post) {
        (Some(endpoint), _) => EventTarget::event_bridge(endpoint, &args.events_region).map(Some),
        (None, Some(address)) => EventTarget::post(address).map(Some),
        (None, None) => Ok(None),
    }
}

impl From<WireError> for Failure {
    fn from(error: WireError) -> Self {
        match error {
            WireError::StateDir(_) | WireError::Resources { .. } | WireError::Listen { .. } => {
                Self::Rejected(error.to_string())
            }
            WireError::Access(why) => Self::Usage(why),
            WireError::State(_)
            | WireError::Books(_)
            | WireError::Runner(_)
            | WireError::EngineStopped
            | WireError::Serve(_) => Self::Broken(error.into()),
        }
    }
}
