//! What an attempt runs: which of its units may start, and what the end of one means for the others.
//!
//! Source: <https://docs.aws.amazon.com/batch/latest/userguide/multi-container-jobs.html>

use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, wait};

use super::container::Container;
use super::order::{Order, Run, Unit};
use super::{KILL_ALL, KILL_NODES, TIME_OUT, command, remains};
use crate::domain::limits::KILL_GRACE_SECONDS;
use crate::engine::core::{StartCondition, StartsAfter};
use crate::engine::process::folder::{Folder, UnitEnd};

/// Between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_secs(KILL_GRACE_SECONDS);

/// How much later than an engine that watches the attendant ends an attempt: two signals at once could end a command
/// that tidies up.
const MARGIN: Duration = Duration::from_secs(2);

/// How far a unit has come.
enum Stage {
    /// For what it depends on.
    Waiting,
    Process(Pid),
    Container(Container),
    Over(UnitEnd),
}

pub(super) struct Task<'a> {
    folder: &'a Folder,
    order: &'a Order,
    stages: Vec<Stage>,
    /// The processes that were started, also those that have ended.
    commands: Vec<Pid>,
    /// Nothing more is started.
    is_stopping: bool,
    /// An essential unit has ended by itself: the others are ended for that.
    is_decided: bool,
    /// It is told when it has run too long.
    is_limited: bool,
    has_timed_out: bool,
    /// What is left gets SIGKILL when the grace is over.
    kill_is_due: bool,
    /// The nodes that an essential unit of theirs has ended, and when what is left of each is killed.
    ended_nodes: Vec<(u32, Instant)>,
}

impl<'a> Task<'a> {
    pub(super) fn new(folder: &'a Folder, order: &'a Order) -> Self {
        let stages = order.units.iter().map(|_| Stage::Waiting).collect();
        Self {
            folder,
            order,
            stages,
            commands: Vec::new(),
            is_stopping: false,
            is_decided: false,
            is_limited: false,
            has_timed_out: false,
            kill_is_due: false,
            ended_nodes: Vec::new(),
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.stages.iter().all(|stage| matches!(stage, Stage::Over(_)))
    }

    /// Whether anything has been started, as far as an image had to be pulled first.
    pub(super) fn has_started(&self) -> bool {
        self.stages.iter().any(|stage| match stage {
            Stage::Waiting => false,
            Stage::Process(_) => true,
            Stage::Container(container) => container.has_started(),
            Stage::Over(end) => end.code.is_some(),
        })
    }

    pub(super) fn ends(&self) -> Vec<UnitEnd> {
        let ends = self.stages.iter().map(|stage| match stage {
            Stage::Over(end) => end.clone(),
            _ => UnitEnd::default(),
        });
        ends.collect()
    }

    /// Watches a container that an attendant before this one has started.
    pub(super) fn find_again(&mut self) {
        for (index, unit) in self.order.units.iter().enumerate() {
            self.stages[index] = match (&self.order.runtime, &unit.run) {
                (Some(runtime), Run::Container { .. }) => {
                    Stage::Container(Container::watch(runtime, unit, self.folder.output(index), true))
                }
                _ => Stage::Over(UnitEnd::default()),
            };
        }
    }

    /// Starts what may start, and ends what must end, until nothing changes.
    pub(super) fn advance(&mut self) {
        loop {
            let mut has_changed = false;
            for index in 0..self.stages.len() {
                if let Stage::Container(container) = &self.stages[index]
                    && let Some(end) = container.end()
                {
                    self.over(index, end);
                    has_changed = true;
                }
                if !matches!(self.stages[index], Stage::Waiting) {
                    continue;
                }
                match self.may_start(index) {
                    Ok(false) => {}
                    Ok(true) => {
                        self.start(index);
                        has_changed = true;
                    }
                    Err(end) => {
                        self.over(index, end);
                        has_changed = true;
                    }
                }
            }
            if !has_changed {
                return;
            }
        }
    }

    /// Whether all that a unit waits for holds. Errs where it never will.
    fn may_start(&self, index: usize) -> Result<bool, UnitEnd> {
        if self.is_stopping || self.has_ended(self.order.units[index].node) {
            return Err(UnitEnd { was_stopped: true, ..UnitEnd::default() });
        }
        let mut may = true;
        for dependency in &self.order.units[index].depends_on {
            may &= self.holds(self.order.units[index].node, dependency)?;
        }
        Ok(may)
    }

    fn holds(&self, node: u32, dependency: &StartsAfter) -> Result<bool, UnitEnd> {
        let name = &dependency.container_name;
        let is_meant = |unit: &Unit| unit.node == node && &unit.name == name;
        let Some(at) = self.order.units.iter().position(is_meant) else {
            return Err(UnitEnd::refused(format!("CannotStartContainerError: there is no container {name}")));
        };
        let Stage::Over(end) = &self.stages[at] else {
            let has_started = match &self.stages[at] {
                Stage::Container(container) => container.has_started(),
                stage => matches!(stage, Stage::Process(_)),
            };
            return Ok(dependency.condition == StartCondition::Start && has_started);
        };
        match (dependency.condition, end.code) {
            (StartCondition::Success, Some(0))
            | (StartCondition::Start | StartCondition::Complete, Some(_)) => Ok(true),
            (StartCondition::Success, Some(code)) => Err(UnitEnd::refused(format!(
                "DependencyFailed: container {name} ended with exit code {code}"
            ))),
            (_, None) => Err(UnitEnd::refused(format!("DependencyFailed: container {name} did not run"))),
        }
    }

    fn start(&mut self, index: usize) {
        let unit: &Unit = &self.order.units[index];
        let stage = match (&self.order.runtime, &unit.run) {
            (Some(runtime), Run::Container { .. }) => {
                Stage::Container(Container::watch(runtime, unit, self.folder.output(index), false))
            }
            (_, run) => match command::start(run, || self.folder.open_output(index)) {
                Ok(pid) => {
                    self.commands.push(pid);
                    Stage::Process(pid)
                }
                Err(why) => return self.over(index, UnitEnd::refused(why)),
            },
        };
        self.stages[index] = stage;
    }

    fn over(&mut self, index: usize, mut end: UnitEnd) {
        let Unit { essential, node, decides, .. } = self.order.units[index];
        // What ended by itself, and not because the task or its node was being ended already.
        let by_itself = !self.is_stopping && !self.has_ended(node);
        end.was_stopped |= self.is_decided || self.has_ended(node);
        self.stages[index] = Stage::Over(end);
        if decides && by_itself {
            self.is_decided = true;
            if !self.is_over() {
                self.terminate();
                signal_later(KILL_ALL, GRACE);
            }
        } else if essential && by_itself {
            self.end_node(node);
        }
    }

    fn has_ended(&self, node: u32) -> bool {
        self.ended_nodes.iter().any(|(ended, _)| *ended == node)
    }

    /// Ends what is left of a node: the other nodes go on.
    fn end_node(&mut self, node: u32) {
        self.ended_nodes.push((node, Instant::now() + GRACE));
        let mut is_over = true;
        for (stage, unit) in self.stages.iter().zip(&self.order.units) {
            if unit.node == node {
                is_over &= matches!(stage, Stage::Over(_));
                terminate(stage);
            }
        }
        if !is_over {
            signal_later(KILL_NODES, GRACE);
        }
    }

    /// Sends SIGKILL to the first process of each unit whose node ended long enough ago. What those processes have
    /// started ends with the attempt.
    pub(super) fn kill_nodes(&self) {
        let now = Instant::now();
        for (stage, unit) in self.stages.iter().zip(&self.order.units) {
            if !self.ended_nodes.iter().any(|(node, due)| *node == unit.node && *due <= now) {
                continue;
            }
            match stage {
                // Nobody but this process waits for the command, so the id is the command's still.
                Stage::Process(pid) => {
                    let _ = kill_process(*pid, Signal::KILL);
                }
                Stage::Container(container) => container.kill(),
                Stage::Waiting | Stage::Over(_) => {}
            }
        }
    }

    /// Takes in the processes that have ended.
    pub(super) fn reap(&mut self) {
        if self.order.runtime.is_some() {
            // Each container is waited for by its own thread.
            return;
        }
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) => {
                    let own = |stage: &Stage| matches!(stage, Stage::Process(known) if *known == pid);
                    let Some(index) = self.stages.iter().position(own) else { continue };
                    let signal = status.terminating_signal().map(|signal| 128 + signal);
                    if let Some(code) = status.exit_status().or(signal) {
                        self.over(index, UnitEnd { code: Some(code), ..UnitEnd::default() });
                    }
                }
                Err(Errno::INTR) => {}
                Ok(None) | Err(_) => return,
            }
        }
    }

    /// Lets the time that it may run begin, once something has started.
    pub(super) fn limit_time(&mut self) {
        if let Some(seconds) = self.order.timeout_seconds
            && !self.is_limited
            && self.has_started()
        {
            self.is_limited = true;
            signal_later(TIME_OUT, Duration::from_secs(seconds.into()) + MARGIN);
        }
    }

    /// Ends it because it has run too long. An engine that watches has done that already.
    pub(super) fn time_out(&mut self) {
        if self.is_stopping {
            return;
        }
        // Where the disk is full, it ends without the reason.
        let _ = self.folder.note_timeout();
        self.stop();
        self.has_timed_out = true;
    }

    /// Sends SIGTERM, and SIGKILL after the grace, which an engine that watches sends first.
    pub(super) fn stop(&mut self) {
        // An engine that comes back after the time-out asks for what was done.
        if !self.has_timed_out {
            self.terminate();
        }
        if !self.kill_is_due {
            self.kill_is_due = true;
            signal_later(KILL_ALL, GRACE + MARGIN);
        }
    }

    /// Sends SIGTERM to the first process of each unit, and starts nothing more.
    fn terminate(&mut self) {
        self.is_stopping = true;
        self.stages.iter().for_each(terminate);
    }

    /// Sends SIGKILL to everything.
    pub(super) fn kill(&mut self) {
        self.is_stopping = true;
        for stage in &self.stages {
            if let Stage::Container(container) = stage {
                container.kill();
            }
        }
        if self.order.runtime.is_none() {
            remains::kill_all(&self.commands);
        }
    }

    pub(super) fn commands(&self) -> &[Pid] {
        &self.commands
    }
}

fn terminate(stage: &Stage) {
    match stage {
        // Nobody but the attendant waits for the command, so the id is the command's still.
        Stage::Process(pid) => {
            let _ = kill_process(*pid, Signal::TERM);
        }
        Stage::Container(container) => container.terminate(),
        Stage::Waiting | Stage::Over(_) => {}
    }
}

/// Signals this process later. The machine's sleep does not count, nor does a clock that is set.
fn signal_later(signal: Signal, after: Duration) {
    std::thread::spawn(move || {
        std::thread::sleep(after);
        // It ends with this process, so the id is its own still.
        let _: Result<(), Errno> = kill_process(getpid(), signal);
    });
}
