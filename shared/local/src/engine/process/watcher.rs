//! The task that watches one attempt: starts or finds its attendant, takes in its output, passes signals on,
//! and reports its end.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal as UnixSignal, kill_process};
use tokio::process::Child;
use tokio::sync::mpsc;

use super::attendant::{KILL_ALL, Order};
use super::environment::{Variable, value_of};
use super::folder::{Claim, Folder};
use super::identity::{self, Identity};
use super::{Site, executable, misplaced};
use crate::domain::Timestamp;
use crate::engine::core::{AttemptEnd, Launch, Signal};
use crate::engine::logs::{Follower, Pumped};
use crate::engine::runner::{Report, Reports};
use crate::ports::Clock;

/// How soon output is looked for again after some was found, and how late after none was.
const POLL: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(200));

/// The process that attends an attempt.
enum Attendant {
    /// Started by this engine.
    Child(Child),
    /// Started by an engine before this one.
    Found(Identity),
}

pub(super) struct Watcher<C> {
    site: Arc<Site<C>>,
    folder: Folder,
    launch: Launch,
    signals: mpsc::UnboundedReceiver<Signal>,
    reports: Reports,
    follower: Option<Follower>,
    /// Output could not be taken into the log. It is tried again once, at the end.
    log_failed: bool,
}

impl<C: Clock + 'static> Watcher<C> {
    pub(super) fn new(
        site: Arc<Site<C>>,
        launch: Launch,
        signals: mpsc::UnboundedReceiver<Signal>,
        reports: Reports,
    ) -> Self {
        let folder = Folder::of(&site.attempts, &launch.attempt);
        Self { site, folder, launch, signals, reports, follower: None, log_failed: false }
    }

    /// Watches the attempt to its end. Only a new one is started.
    pub(super) async fn watch_to_end(mut self, is_new: bool) {
        let end = if is_new { self.run().await } else { self.recover().await };
        self.finish_log().await;
        self.report(Report::Ended(self.launch.attempt.clone(), end));
    }

    async fn run(&mut self) -> AttemptEnd {
        match self.start() {
            Ok(child) => self.watch(Attendant::Child(child)).await,
            Err(reason) => AttemptEnd::StartFailure(reason),
        }
    }

    fn start(&self) -> Result<Child, String> {
        let failed = |error: io::Error| format!("CannotCreateContainerError: {error}");
        self.folder.create().map_err(failed)?;
        let (directory, environment) = (self.directory(), self.environment());
        let name = self.launch.command.first().map_or("", String::as_str);
        let program = executable::find(name, &directory, value_of(&environment, "PATH"));
        let program = program.map_err(|obstacle| match self.hint() {
            Some(hint) => format!("{obstacle}; {hint}"),
            None => obstacle,
        })?;
        let order = Order {
            log_stream: self.launch.log_stream.clone().into(),
            directory,
            program,
            command: self.launch.command.iter().map(Into::into).collect(),
            environment,
        };
        order.write(&self.folder.order()).map_err(failed)?;
        self.site.settings.attendant.spawn(&self.folder).map_err(failed)
    }

    /// Where the command runs.
    fn directory(&self) -> PathBuf {
        self.site.settings.workdir.clone().unwrap_or_else(|| self.folder.work())
    }

    fn environment(&self) -> Vec<Variable> {
        let mut environment =
            vec![("HOME".into(), self.folder.home().into()), ("TMPDIR".into(), self.folder.tmp().into())];
        environment.extend(self.site.settings.environment.iter().cloned());
        environment.extend(self.launch.environment.iter().map(|(name, value)| (name.into(), value.into())));
        environment
    }

    fn hint(&self) -> Option<String> {
        let caller: &Path = &self.site.settings.caller_folder;
        misplaced::hint(&self.launch.command, caller, &self.directory())
    }

    async fn recover(&mut self) -> AttemptEnd {
        match self.folder.claim() {
            Ok(Claim::Attendant(identity)) if identity.is_alive() => {
                self.watch(Attendant::Found(identity)).await
            }
            Ok(Claim::Attendant(_)) => self.conclude().await,
            Ok(Claim::Never) => AttemptEnd::HostLost,
            Err(error) => {
                let folder = self.folder.path().display();
                tracing::error!(%error, %folder, "an attempt's files can't be read: it counts as lost");
                AttemptEnd::HostLost
            }
        }
    }

    /// Takes in output and passes signals on until the attendant is gone, then tells how the command ended.
    async fn watch(&mut self, mut attendant: Attendant) -> AttemptEnd {
        self.report(Report::Started(self.launch.attempt.clone()));
        let mut pause = POLL.0;
        loop {
            tokio::select! {
                biased;
                Some(signal) = self.signals.recv() => attendant.signal(match signal {
                    Signal::Terminate => UnixSignal::TERM,
                    Signal::Kill => KILL_ALL,
                }),
                () = attendant.gone() => break,
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

    /// How an attempt ended whose attendant is gone.
    async fn conclude(&self) -> AttemptEnd {
        if let Some(reason) = self.folder.refusal() {
            return AttemptEnd::StartFailure(reason);
        }
        if let Some(code) = self.folder.exit_code() {
            return self.ended(code);
        }
        // The attendant was killed, which its command may have outlived. The command must be gone before
        // anybody hears that the attempt has ended, or two tries would run at once.
        while identity::kill_remains(&self.launch.attempt.job_id) {
            tokio::time::sleep(POLL.0).await;
        }
        self.folder.unconfirmed_exit_code().map_or(AttemptEnd::HostLost, |code| self.ended(code))
    }

    fn ended(&self, exit_code: i32) -> AttemptEnd {
        let hint = if exit_code == 0 { None } else { self.hint() };
        match hint {
            Some(reason) => AttemptEnd::FileMisplaced { exit_code, reason },
            None => AttemptEnd::Exit(exit_code),
        }
    }

    /// Takes in one chunk of output, on a thread that may block.
    async fn follow(&mut self) -> Pumped {
        // The attendant makes the file when it has started.
        if self.log_failed || !self.folder.output().exists() {
            return Pumped::Nothing;
        }
        let pumped = self.with_follower(|follower, now| follower.pump(false, now)).await;
        pumped.unwrap_or(Pumped::Nothing)
    }

    /// Takes in the rest. Output of an attempt that never had any is no stream.
    async fn finish_log(&mut self) {
        if self.folder.output().exists() && self.with_follower(Follower::finish).await.is_none() {
            self.site.keep_output(&self.launch.attempt);
        }
    }

    /// A log that can't be written is told of, and holds up nothing.
    async fn with_follower<T: Send + 'static>(
        &mut self,
        call: impl FnOnce(&mut Follower, Timestamp) -> io::Result<T> + Send + 'static,
    ) -> Option<T> {
        let (output, known) = (self.folder.output(), self.follower.take());
        let stream = self.site.logs.path(&self.launch.log_stream);
        let site = Arc::clone(&self.site);
        let done = tokio::task::spawn_blocking(move || {
            let stream = stream.ok_or(io::ErrorKind::InvalidFilename)?;
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
                let (stream, output) = (&self.launch.log_stream, self.folder.output());
                let output = output.display();
                tracing::warn!(%error, stream, %output, "output could not be taken into the log");
                self.log_failed = true;
                None
            }
        }
    }

    fn report(&self, report: Report) {
        // Nobody listens any more where the engine has stopped.
        let _ = self.reports.send(report);
    }
}

impl Attendant {
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
                if let Some(pid) = child.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
                    // One that has ended meanwhile needs no signal.
                    let _ = kill_process(pid, signal);
                }
            }
            Self::Found(identity) => identity.signal(signal),
        }
    }
}
