//! What an attempt runs: which of its units may start, and what the end of one means for the others.
//!
//! Source: <https://docs.aws.amazon.com/batch/latest/userguide/multi-container-jobs.html>

use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, wait};

use super::container::Container;
use super::order::{Order, Run, Unit};
use super::{KILL_ALL, command, remains};
use crate::domain::limits::KILL_GRACE_SECONDS;
use crate::engine::core::{StartCondition, StartsAfter};
use crate::engine::process::folder::{Folder, UnitEnd};

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
}

impl<'a> Task<'a> {
    pub(super) fn new(folder: &'a Folder, order: &'a Order) -> Self {
        let stages = order.units.iter().map(|_| Stage::Waiting).collect();
        Self { folder, order, stages, commands: Vec::new(), is_stopping: false, is_decided: false }
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
        if self.is_stopping {
            return Err(UnitEnd { was_stopped: true, ..UnitEnd::default() });
        }
        let mut may = true;
        for dependency in &self.order.units[index].depends_on {
            may &= self.holds(dependency)?;
        }
        Ok(may)
    }

    fn holds(&self, dependency: &StartsAfter) -> Result<bool, UnitEnd> {
        let name = &dependency.container_name;
        let Some(at) = self.order.units.iter().position(|unit| &unit.name == name) else {
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
        // What ended by itself, and not because the task was being ended already.
        let decides = self.order.units[index].essential && !self.is_stopping;
        end.was_stopped |= self.is_decided;
        self.stages[index] = Stage::Over(end);
        if decides {
            self.is_decided = true;
            if !self.is_over() {
                self.terminate();
                kill_all_later();
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

    /// Sends SIGTERM to the first process of each unit, and starts nothing more.
    pub(super) fn terminate(&mut self) {
        self.is_stopping = true;
        for stage in &self.stages {
            match stage {
                // Nobody but this process waits for the command, so the id is the command's still.
                Stage::Process(pid) => {
                    let _ = kill_process(*pid, Signal::TERM);
                }
                Stage::Container(container) => container.terminate(),
                Stage::Waiting | Stage::Over(_) => {}
            }
        }
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

/// Asks this process to end everything after the grace that ECS gives.
fn kill_all_later() {
    std::thread::spawn(|| {
        std::thread::sleep(Duration::from_secs(KILL_GRACE_SECONDS));
        // It ends with this process, so the id is its own still.
        let _: Result<(), Errno> = kill_process(getpid(), KILL_ALL);
    });
}
