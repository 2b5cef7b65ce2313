//! The task that watches one attempt: starts or finds its process, takes in its output, signals it,
//! and reports its end.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal as UnixSignal};
use tokio::process::Child;
use tokio::sync::mpsc;

use super::folder::{Claim, Folder};
use super::identity::{self, Identity};
use super::{Site, executable, shim};
use crate::engine::core::{AttemptEnd, Launch, Signal};
use crate::engine::logs::{Follower, Pumped};
use crate::engine::runner::{Report, Reports};
use crate::ports::Clock;

/// How soon output is looked for again after some was found, and how late after none was.
const POLL: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(200));

/// How a command ends that SIGKILL reaches: 128 + 9.
const KILLED: i32 = 137;

/// The shim of an attempt.
enum Shim {
    /// Started by this engine.
    Child(Child),
    /// Started by an engine before this one.
    Found(Identity),
}

pub(super) struct Attendant<C> {
    site: Arc<Site<C>>,
    folder: Folder,
    launch: Launch,
    signals: mpsc::UnboundedReceiver<Signal>,
    reports: Reports,
    follower: Option<Follower>,
}

impl<C: Clock + 'static> Attendant<C> {
    pub(super) fn new(
        site: Arc<Site<C>>,
        launch: Launch,
        signals: mpsc::UnboundedReceiver<Signal>,
        reports: Reports,
    ) -> Self {
        let folder = Folder::of(&site.attempts, &launch.attempt);
        Self { site, folder, launch, signals, reports, follower: None }
    }

    /// Attends the attempt to its end. Only a new one is started.
    pub(super) async fn attend(mut self, is_new: bool) {
        let end = if is_new { self.run().await } else { self.recover().await };
        self.finish_log().await;
        self.report(Report::Ended(self.launch.attempt.clone(), end));
    }

    async fn run(&mut self) -> AttemptEnd {
        match self.spawn() {
            Ok(child) => self.watch(Shim::Child(child)).await,
            Err(reason) => AttemptEnd::StartFailure(reason),
        }
    }

    fn spawn(&self) -> Result<Child, String> {
        let own_path = self.launch.environment.iter().rfind(|(name, _)| name == "PATH");
        let search_path = own_path.map_or(self.site.search_path.as_os_str(), |(_, path)| path.as_ref());
        let program = self.launch.command.first().map_or("", String::as_str);
        let obstacle = executable::obstacle(program, &self.site.working_directory, search_path);
        if let Some(obstacle) = obstacle {
            return Err(obstacle);
        }
        let spawned = self
            .folder
            .create()
            .and_then(|()| shim::spawn(&self.launch, &self.folder, &self.site.working_directory));
        spawned.map_err(|error| format!("CannotStartContainerError: {error}"))
    }

    async fn recover(&mut self) -> AttemptEnd {
        match self.folder.claim() {
            Ok(Claim::Shim(identity)) if identity.is_alive() => self.watch(Shim::Found(identity)).await,
            Ok(Claim::Shim(_)) => self.conclude().await,
            Ok(Claim::Never) => AttemptEnd::HostLost,
            Err(error) => {
                let folder = self.folder.path().display();
                tracing::error!(%error, %folder, "an attempt's files can't be read: it counts as lost");
                AttemptEnd::HostLost
            }
        }
    }

    /// Takes in output and passes signals on until the shim is gone, then tells how it ended.
    async fn watch(&mut self, mut shim: Shim) -> AttemptEnd {
        self.report(Report::Started(self.launch.attempt.clone()));
        let mut pause = POLL.0;
        loop {
            tokio::select! {
                biased;
                Some(signal) = self.signals.recv() => self.pass_on(signal, &shim),
                () = shim.gone() => break,
                () = tokio::time::sleep(pause) => {
                    pause = match self.follow().await {
                        Pumped::Some => POLL.0,
                        Pumped::Nothing => (pause * 2).min(POLL.1),
                    };
                }
            }
        }
        self.conclude().await
    }

    /// How an attempt ended whose shim is gone.
    async fn conclude(&self) -> AttemptEnd {
        if let Some(code) = self.folder.exit_code() {
            return AttemptEnd::Exit(code);
        }
        // The shim was killed, which its command may have outlived. It must be gone before anybody
        // hears that the attempt has ended, or two would run at once.
        while identity::kill_remains(&self.launch.attempt.job_id) {
            tokio::time::sleep(POLL.0).await;
        }
        if self.folder.was_killed() { AttemptEnd::Exit(KILLED) } else { AttemptEnd::HostLost }
    }

    fn pass_on(&self, signal: Signal, shim: &Shim) {
        let signal = match signal {
            Signal::Terminate => UnixSignal::TERM,
            Signal::Kill => {
                if let Err(error) = self.folder.note_kill() {
                    tracing::warn!(%error, "a kill could not be noted: its attempt will count as lost");
                }
                UnixSignal::KILL
            }
        };
        shim.signal(signal);
    }

    /// Takes in one chunk of output, on a thread that may block.
    async fn follow(&mut self) -> Pumped {
        let pumped = self.with_follower(|follower, now| follower.pump(false, now)).await;
        pumped.unwrap_or(Pumped::Nothing)
    }

    /// Takes in the rest. Output of an attempt that never had any is no stream.
    async fn finish_log(&mut self) {
        if self.folder.output().exists() {
            self.with_follower(Follower::finish).await;
        }
    }

    /// A log that can't be written is told of, and holds up nothing.
    async fn with_follower<T: Send + 'static>(
        &mut self,
        call: impl FnOnce(&mut Follower, crate::domain::Timestamp) -> io::Result<T> + Send + 'static,
    ) -> Option<T> {
        let (output, known) = (self.folder.output(), self.follower.take());
        let stream = self.site.logs.path(&self.launch.log_stream)?;
        let site = Arc::clone(&self.site);
        let done = tokio::task::spawn_blocking(move || {
            let mut follower = known.map_or_else(|| Follower::open(&output, &stream), Ok)?;
            let result = call(&mut follower, site.clock.now())?;
            Ok::<_, io::Error>((follower, result))
        });
        match done.await.map_err(io::Error::other).flatten() {
            Ok((follower, result)) => {
                self.follower = Some(follower);
                Some(result)
            }
            Err(error) => {
                let stream = &self.launch.log_stream;
                tracing::warn!(%error, stream, "output could not be taken into the log");
                None
            }
        }
    }

    fn report(&self, report: Report) {
        // Nobody listens any more where the engine has stopped.
        let _ = self.reports.send(report);
    }
}

impl Shim {
    async fn gone(&mut self) {
        match self {
            Self::Child(child) => {
                if let Err(error) = child.wait().await {
                    tracing::warn!(%error, "a process could not be waited for");
                }
            }
            Self::Found(identity) => {
                let mut pause = POLL.0;
                while identity.is_alive() {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(POLL.1);
                }
            }
        }
    }

    fn signal(&self, signal: UnixSignal) {
        match self {
            Self::Child(child) => {
                let leader = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
                if let Some(leader) = leader {
                    identity::signal_group(leader, signal);
                }
            }
            Self::Found(identity) => identity.signal_group(signal),
        }
    }
}
