//! The task that watches one attempt: starts or finds its attendant, takes in its output, passes signals on,
//! and reports its end.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::Signal as UnixSignal;
use tokio::sync::mpsc;

use super::attendant::{KILL_ALL, Order, Run, Unit};
use super::containers::{ContainerRuntime, Names, create};
use super::environment::{Variable, value_of};
use super::folder::{Claim, Folder, UnitEnd};
use super::identity::{self, Identity};
use super::setups::Setup;
use super::starter::{Gone, Started};
use super::{Site, executable, misplaced};
use crate::domain::Timestamp;
use crate::domain::ids::hex_digest;
use crate::engine::core::{
    AttemptEnd, AttemptId, ContainerEnd, Ended, Image, Launch, LaunchedContainer, Signal,
};
use crate::engine::logs::{Follower, Pumped, become_stream};
use crate::engine::runner::{Report, Reports};
use crate::ports::Clock;

/// How soon output is looked for again after some was found, and how late after none was.
const POLL: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(200));

/// How long an attendant may take to say who it is, where the engine that started it has ended. Past that, the attempt
/// counts as never begun.
const ANNOUNCED_WITHIN: Duration = Duration::from_secs(2);

/// The process that attends an attempt.
enum Attendant {
    /// Asked for by this engine.
    Started(Started),
    /// Started for an engine before this one, or by a process that has ended.
    Found(Identity),
}

pub(super) struct Watcher<C> {
    site: Arc<Site<C>>,
    folder: Folder,
    launch: Launch,
    /// How the attempt is started. Errs with why it can't be.
    setup: Result<Arc<Setup>, String>,
    signals: mpsc::UnboundedReceiver<Signal>,
    reports: Reports,
    /// Of each container, in the task's order.
    logs: Vec<Log>,
    /// Whether it was reported that the command runs.
    is_told: bool,
    /// The latest signal that was passed on.
    signalled: Option<Signal>,
}

/// How far a container's output has been taken in.
#[derive(Default)]
struct Log {
    follower: Option<Follower>,
    /// Output could not be taken into the log. It is tried again once, at the end.
    has_failed: bool,
}

impl<C: Clock + 'static> Watcher<C> {
    pub(super) fn new(
        site: Arc<Site<C>>,
        launch: Launch,
        signals: mpsc::UnboundedReceiver<Signal>,
        reports: Reports,
    ) -> Self {
        let folder = Folder::of(&site.attempts, &launch.attempt);
        let logs = launch.containers.iter().map(|_| Log::default()).collect();
        let setup = site.setups.named(launch.setup.as_deref());
        Self { site, folder, launch, setup, signals, reports, logs, is_told: false, signalled: None }
    }

    /// Watches the attempt to its end. Only a new one is started.
    pub(super) async fn watch_to_end(mut self, is_new: bool) {
        let mut end = if is_new { self.run().await } else { self.recover().await };
        let end = loop {
            match end {
                Some(end) => break end,
                // As a later engine would.
                None => end = self.recover().await,
            }
        };
        self.finish_logs().await;
        let at = match end {
            AttemptEnd::HostLost | AttemptEnd::StartFailure(_) => None,
            _ => self.folder.ended_at(),
        };
        let ended = Ended { end, at, timed_out: self.folder.has_timed_out() };
        self.report(Report::Ended(self.launch.attempt.clone(), ended));
    }

    /// Returns `None` where nobody watches the attendant any more.
    async fn run(&mut self) -> Option<AttemptEnd> {
        match self.start() {
            Ok(started) => self.watch(Attendant::Started(started)).await,
            Err(reason) => Some(AttemptEnd::StartFailure(reason)),
        }
    }

    fn start(&self) -> Result<Started, String> {
        let failed = |error: io::Error| format!("CannotCreateContainerError: {error}");
        let setup = self.setup.as_ref().map_err(Clone::clone)?;
        self.site.spares.create(&self.folder).map_err(failed)?;
        let runtime = self.runtime();
        let units = self.launch.containers.iter().enumerate().map(|(index, container)| {
            let run = match (runtime, &container.image) {
                (Some(runtime), Some(image)) => self.container(setup, runtime, index, container, image)?,
                _ => self.process(setup, container)?,
            };
            Ok(Unit {
                name: container.name.clone(),
                essential: container.essential,
                node: container.node,
                decides: container.decides,
                depends_on: container.depends_on.clone(),
                log_stream: container.log_stream.clone(),
                run,
            })
        });
        let order = Order {
            runtime: runtime.cloned(),
            timeout_seconds: self.launch.timeout_seconds,
            units: units.collect::<Result<_, String>>()?,
        };
        order.write(&self.folder.order()).map_err(failed)?;
        self.site.starter.start(Folder::name(&self.launch.attempt)).map_err(failed)
    }

    /// What runs the attempt's images. `None`: it runs as processes.
    fn runtime(&self) -> Option<&ContainerRuntime> {
        let has_image = |container: &LaunchedContainer| container.image.is_some();
        let setup = self.setup.as_ref().ok()?;
        setup.containers().filter(|_| self.launch.containers.iter().all(has_image))
    }

    fn container(
        &self,
        setup: &Setup,
        runtime: &ContainerRuntime,
        index: usize,
        container: &LaunchedContainer,
        image: &Image,
    ) -> Result<Run, String> {
        let name = format!("{}-{index}", container_of(&self.site.state, &self.launch.attempt));
        let names = Names { name: &name, state: &self.site.state };
        let inherited = setup.container_environment();
        Ok(Run::Container {
            create: create(runtime, &names, container, image, inherited)?,
            name,
            image: image.image.clone(),
            is_limited: container.memory_mib > 0,
        })
    }

    fn process(&self, setup: &Setup, container: &LaunchedContainer) -> Result<Run, String> {
        let (directory, environment) = (self.directory(setup), self.environment(setup, container));
        let name = container.command.first().map_or("", String::as_str);
        let program = executable::find(name, &directory, value_of(&environment, "PATH"));
        let program = program.map_err(|obstacle| match self.hint() {
            Some(hint) => format!("{obstacle}; {hint}"),
            None => obstacle,
        })?;
        let command = container.command.iter().map(Into::into).collect();
        Ok(Run::Process { directory: directory.into(), program: program.into(), command, environment })
    }

    /// Where the command runs.
    fn directory(&self, setup: &Setup) -> PathBuf {
        setup.workdir().map_or_else(|| self.folder.work(), Path::to_owned)
    }

    fn environment(&self, setup: &Setup, container: &LaunchedContainer) -> Vec<Variable> {
        let mut environment =
            vec![("HOME".into(), self.folder.home().into()), ("TMPDIR".into(), self.folder.tmp().into())];
        environment.extend(setup.environment().iter().cloned());
        environment.extend(container.environment.iter().map(|(name, value)| (name.into(), value.into())));
        environment
    }

    /// Which file a process did not find. A container finds those of its image.
    fn hint(&self) -> Option<String> {
        let setup = self.setup.as_ref().ok().filter(|_| self.runtime().is_none())?;
        let (caller, directory) = (setup.caller_folder(), self.directory(setup));
        let commands = self.launch.containers.iter();
        commands.filter_map(|one| misplaced::hint(&one.command, caller, &directory)).next()
    }

    /// As [`Watcher::run`], of an attempt that was begun.
    async fn recover(&mut self) -> Option<AttemptEnd> {
        self.wait_for_an_attendant().await;
        match self.folder.claim() {
            Ok(Claim::Attendant(identity)) if identity.is_alive() => {
                self.watch(Attendant::Found(identity)).await
            }
            Ok(Claim::Attendant(identity)) => match self.attend_again(&identity) {
                Some(started) => self.watch(Attendant::Started(started)).await,
                None => Some(self.conclude().await),
            },
            Ok(Claim::Never) => {
                self.remove_containers().await;
                Some(AttemptEnd::HostLost)
            }
            Err(error) => {
                let folder = self.folder.path().display();
                tracing::error!(%error, %folder, "an attempt's files can't be read: it counts as lost");
                Some(AttemptEnd::HostLost)
            }
        }
    }

    /// Who asked for the attendant may have ended right after that.
    async fn wait_for_an_attendant(&self) {
        let begun = Instant::now();
        while self.folder.order().exists()
            && !self.folder.is_announced()
            && begun.elapsed() < ANNOUNCED_WITHIN
        {
            tokio::time::sleep(POLL.0).await;
        }
    }

    /// Starts another attendant for containers whose own was killed. They run on without it.
    fn attend_again(&self, before: &Identity) -> Option<Started> {
        let order = Order::read(&self.folder.order()).ok()?;
        let can_run_on = order.runtime.is_some() && before.is_of_this_boot() && self.folder.has_begun();
        if !can_run_on || self.folder.ends().is_some() {
            return None;
        }
        self.folder.release().ok()?;
        self.site.starter.start(Folder::name(&self.launch.attempt)).ok()
    }

    /// Ends the containers of an attempt that nobody attends, before anybody hears that it has ended.
    async fn remove_containers(&self) {
        let Ok(order) = Order::read(&self.folder.order()) else { return };
        let Some(runtime) = order.runtime.clone() else { return };
        let removed = tokio::task::spawn_blocking(move || {
            order.containers().filter(|name| !runtime.remove(name)).map(str::to_owned).collect::<Vec<_>>()
        });
        for name in removed.await.unwrap_or_default() {
            tracing::warn!(name, "a container can't be removed");
        }
    }

    /// Takes in output and passes signals on until the attendant is gone, then tells how the command ended.
    async fn watch(&mut self, mut attendant: Attendant) -> Option<AttemptEnd> {
        // An image may have to be pulled first. Batch's jobs are STARTING until it is there.
        if self.runtime().is_none() {
            self.tell_start();
        }
        if let Some(signal) = self.signalled {
            // Whoever was to pass it on may have ended first.
            attendant.signal(signal);
        }
        let mut pause = POLL.0;
        let gone = loop {
            if !self.is_told && self.folder.has_started() {
                self.tell_start();
            }
            tokio::select! {
                biased;
                Some(signal) = self.signals.recv() => {
                    self.signalled = Some(signal);
                    attendant.signal(signal);
                }
                gone = attendant.gone() => break gone,
                () = tokio::time::sleep(pause) => {
                    pause = match self.follow(pause < POLL.1).await {
                        Pumped::Some => POLL.0,
                        Pumped::Nothing => (pause * 2).min(POLL.1),
                    };
                }
            }
        };
        match gone {
            Gone::Ended => Some(self.conclude().await),
            Gone::Refused(why) => {
                Some(AttemptEnd::StartFailure(format!("CannotCreateContainerError: {why}")))
            }
            Gone::Unwatched => None,
        }
    }

    fn tell_start(&mut self) {
        if !self.is_told {
            self.is_told = true;
            self.report(Report::Started(self.launch.attempt.clone()));
        }
    }

    /// How an attempt ended whose attendant is gone.
    async fn conclude(&self) -> AttemptEnd {
        if let Some(ends) = self.folder.ends() {
            return self.ended(ends);
        }
        // The attendant was killed, which its command may have outlived. The command must be gone before
        // anybody hears that the attempt has ended, or two tries would run at once.
        while identity::kill_remains(&self.launch.attempt.job_id) {
            tokio::time::sleep(POLL.0).await;
        }
        self.remove_containers().await;
        self.folder.unconfirmed_ends().map_or(AttemptEnd::HostLost, |ends| self.ended(ends))
    }

    fn ended(&self, ends: Vec<UnitEnd>) -> AttemptEnd {
        if self.launch.is_task {
            let ends = ends.into_iter().map(|end| ContainerEnd {
                exit_code: end.code,
                reason: end.reason,
                was_stopped: end.was_stopped,
            });
            return AttemptEnd::Task(ends.collect());
        }
        let only = ends.into_iter().next().unwrap_or_default();
        let exit_code = match (only.code, only.reason) {
            (None, reason) => return reason.map_or(AttemptEnd::HostLost, AttemptEnd::StartFailure),
            (Some(exit_code), Some(reason)) => return AttemptEnd::Explained { exit_code, reason },
            (Some(exit_code), None) => exit_code,
        };
        let hint = if exit_code == 0 { None } else { self.hint() };
        match hint {
            Some(reason) => AttemptEnd::FileMisplaced { exit_code, reason },
            None => AttemptEnd::Exit(exit_code),
        }
    }

    /// Takes in one chunk of each output, on a thread that may block. A stream without events is made when the attempt is no
    /// longer young, because most that write nothing end before that.
    async fn follow(&mut self, is_young: bool) -> Pumped {
        let mut pumped = Pumped::Nothing;
        for index in 0..self.logs.len() {
            // The attendant makes the file when it has started.
            let written = fs::metadata(self.folder.output(index)).map_or(None, |output| Some(output.len()));
            let waits = written.is_none() || (is_young && written == Some(0));
            if self.logs[index].has_failed || (waits && self.logs[index].follower.is_none()) {
                continue;
            }
            if let Some(Pumped::Some) =
                self.with_follower(index, |follower, now| follower.pump(false, now)).await
            {
                pumped = Pumped::Some;
            }
        }
        pumped
    }

    /// Takes in the rest. Output of a container that never had any is no stream.
    async fn finish_logs(&mut self) {
        for index in 0..self.logs.len() {
            if self.folder.output(index).exists()
                && !self.became_its_stream(index)
                && self.with_follower(index, Follower::finish).await.is_none()
            {
                self.site.keep_output(&self.launch.attempt);
            }
        }
    }

    /// Whether output that holds nothing was made the stream itself, which saves a file. Only where nothing of the command
    /// is left that could still write there.
    fn became_its_stream(&self, index: usize) -> bool {
        let stream = self.site.logs.path(&self.launch.containers[index].log_stream);
        let may = cfg!(target_os = "linux") && self.logs[index].follower.is_none() && self.folder.is_over();
        stream.filter(|_| may).is_some_and(|stream| become_stream(&self.folder.output(index), &stream))
    }

    /// A log that can't be written is told of, and holds up nothing.
    async fn with_follower<T: Send + 'static>(
        &mut self,
        index: usize,
        call: impl FnOnce(&mut Follower, Timestamp) -> io::Result<T> + Send + 'static,
    ) -> Option<T> {
        let (output, known) = (self.folder.output(index), self.logs[index].follower.take());
        let log_stream = &self.launch.containers[index].log_stream;
        let stream = self.site.logs.path(log_stream);
        let site = Arc::clone(&self.site);
        let done = tokio::task::spawn_blocking(move || {
            let stream = stream.ok_or(io::ErrorKind::InvalidFilename)?;
            let mut follower = known.map_or_else(|| Follower::open(&output, &stream), Ok)?;
            let result = call(&mut follower, site.clock.now())?;
            Ok::<_, io::Error>((follower, result))
        });
        match done.await.map_err(io::Error::other).flatten() {
            Ok((follower, result)) => {
                self.logs[index].follower = Some(follower);
                Some(result)
            }
            Err(error) => {
                let output = self.folder.output(index);
                let output = output.display();
                tracing::warn!(%error, stream = log_stream, %output, "output could not be taken into the log");
                self.logs[index].has_failed = true;
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
    async fn gone(&mut self) -> Gone {
        match self {
            Self::Started(started) => started.gone().await,
            Self::Found(identity) => {
                let mut pause = POLL.0;
                while identity.is_alive() {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(POLL.1);
                }
                Gone::Ended
            }
        }
    }

    fn signal(&self, signal: Signal) {
        match self {
            Self::Started(started) => started.signal(signal),
            Self::Found(identity) => identity.signal(match signal {
                Signal::Terminate => UnixSignal::TERM,
                Signal::Kill => KILL_ALL,
            }),
        }
    }
}

/// What the names of an attempt's containers begin with: a state folder's own.
pub(super) fn container_of(state: &Path, attempt: &AttemptId) -> String {
    let folder = &hex_digest(&[&state.to_string_lossy()])[..8];
    let name = Folder::name(attempt).replace('#', "_");
    format!("batchwright-{folder}-{name}")
}
