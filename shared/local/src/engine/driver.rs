//! The one task that owns the core: commands and reports in, effects out, a turn at a time.
//!
//! What a turn changed is in the books before it is answered, told or done.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use super::books::{Books, BooksError};
use super::core::{Core, Finished, Reach, Refusal};
use super::envelope::state_change;
use super::jumps::Jumps;
use super::runner::{Report, Reports, Runner};
use crate::domain::{JobDefinition, JobId, JobName, SubmitJobRequest};
use crate::events::JobStateChange;
use crate::ports::Clock;

/// Commands and reports taken into one turn, and so into one transaction.
const TURN_MAX: usize = 256;

/// What a handle asks.
pub(crate) enum Command {
    Submit(Box<SubmitJobRequest>, Option<String>, oneshot::Sender<Result<JobId, Refusal>>),
    WaitFor(HashSet<String>, HashSet<JobName>, oneshot::Sender<()>),
    Setups(oneshot::Sender<HashSet<String>>),
    Cancel(JobId, String, oneshot::Sender<Reach>),
    Terminate(JobId, String, oneshot::Sender<Reach>),
    TerminateAll(String, oneshot::Sender<()>),
    Define(Box<JobDefinition>, oneshot::Sender<()>),
    Shutdown(oneshot::Sender<()>),
}

/// An answer that waits for the books.
type Answer = Box<dyn FnOnce() + Send>;

/// What the core holds, for those who wait.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) unfinished: usize,
    pub(crate) submissions: usize,
    pub(crate) waited_for: usize,
    pub(crate) is_moving: bool,
}

impl Load {
    pub(crate) fn of(core: &mut Core) -> Self {
        Self {
            unfinished: core.unfinished(),
            submissions: core.submissions(),
            waited_for: core.waited_for(),
            is_moving: core.waited_for_moves(),
        }
    }

    /// Nothing more happens by itself to what is waited for.
    pub(crate) fn is_at_rest(self) -> bool {
        self.unfinished == 0 || !self.is_moving
    }
}

/// What a turn begins with.
enum Input {
    Commands(Vec<Command>),
    Reports(Vec<Report>),
    Timer,
    /// Every handle is gone.
    Abandoned,
}

pub(crate) struct Driver<R, C> {
    pub(crate) core: Core,
    pub(crate) books: Arc<dyn Books>,
    pub(crate) runner: R,
    pub(crate) clock: C,
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) reports: mpsc::UnboundedReceiver<Report>,
    pub(crate) reporter: Reports,
    pub(crate) events: mpsc::UnboundedSender<JobStateChange>,
    pub(crate) load: watch::Sender<Load>,
    pub(crate) jumps: Jumps,
}

impl<R: Runner, C: Clock + 'static> Driver<R, C> {
    /// Drives until it is shut down, every handle is gone, or the books fail. In the last case nothing
    /// of the failed turn has left the engine, and whoever waits for an answer is told that it stopped.
    pub(crate) async fn run(mut self) {
        loop {
            let input = self.next_input().await;
            let mut stopped = None;
            if let Some(jump_ms) = self.jumps.next(self.clock.now()) {
                self.core.clock_jumped(jump_ms);
            }
            let outcome = match input {
                Input::Commands(commands) => self.obey(commands, &mut stopped).await,
                Input::Reports(reports) => {
                    self.take_in(reports);
                    Ok(Vec::new())
                }
                Input::Timer => Ok(Vec::new()),
                Input::Abandoned => return,
            };
            self.core.tick(self.clock.now());
            let finished = match outcome {
                Ok(answers) => self.finish_turn(answers).await,
                Err(error) => Err(error),
            };
            if let Err(error) = finished {
                tracing::error!(%error, "the job engine stops; running jobs go on, start it again to watch them");
                return;
            }
            if let Some(stopped) = stopped {
                drop(self);
                // Nobody need wait for the answer.
                let _ = stopped.send(());
                return;
            }
        }
    }

    async fn next_input(&mut self) -> Input {
        let now = self.clock.now();
        let wakeup = self.core.next_wakeup().map(|at| {
            let millis = u64::try_from(at.millis_since(now)).unwrap_or(0);
            tokio::time::sleep(Duration::from_millis(millis))
        });
        let timer = async {
            match wakeup {
                Some(sleep) => sleep.await,
                None => std::future::pending().await,
            }
        };
        let (mut commands, mut reports) = (Vec::new(), Vec::new());
        tokio::select! {
            count = self.reports.recv_many(&mut reports, TURN_MAX) => {
                debug_assert!(count > 0, "the driver holds a sender itself");
                Input::Reports(reports)
            }
            count = self.commands.recv_many(&mut commands, TURN_MAX) => {
                if count == 0 { Input::Abandoned } else { Input::Commands(commands) }
            }
            () = timer => Input::Timer,
        }
    }

    async fn obey(
        &mut self,
        commands: Vec<Command>,
        stopped: &mut Option<oneshot::Sender<()>>,
    ) -> Result<Vec<Answer>, BooksError> {
        let mut answers: Vec<Answer> = Vec::with_capacity(commands.len());
        for command in commands {
            let now = self.clock.now();
            match command {
                Command::Submit(request, setup, reply) => {
                    let absent = self.core.absent_dependencies(request.spec());
                    let finished = look_up(&self.books, absent).await?;
                    self.core.start_by(setup);
                    answers.push(answer(reply, self.core.submit(&request, &finished, now)));
                }
                Command::Cancel(job_id, reason, reply) => {
                    answers.push(answer(reply, self.core.cancel(&job_id, &reason, now)));
                }
                Command::Terminate(job_id, reason, reply) => {
                    answers.push(answer(reply, self.core.terminate(&job_id, &reason, now)));
                }
                Command::TerminateAll(reason, reply) => {
                    for job_id in self.core.unfinished_submissions() {
                        self.core.terminate(&job_id, &reason, now);
                    }
                    answers.push(answer(reply, ()));
                }
                Command::WaitFor(setups, names, reply) => {
                    self.core.wait_for(setups, names);
                    answers.push(answer(reply, ()));
                }
                Command::Setups(reply) => answers.push(answer(reply, self.core.setups())),
                Command::Define(definition, reply) => {
                    self.core.define(*definition);
                    answers.push(answer(reply, ()));
                }
                Command::Shutdown(reply) => *stopped = Some(reply),
            }
        }
        Ok(answers)
    }

    fn take_in(&mut self, reports: Vec<Report>) {
        let now = self.clock.now();
        for report in reports {
            match report {
                Report::Started(attempt) => self.core.attempt_started(&attempt, now),
                Report::Ended(attempt, end) => self.core.attempt_ended(&attempt, end, now),
            }
        }
    }

    /// Books first, then everything that others can see.
    pub(crate) async fn finish_turn(&mut self, answers: Vec<Answer>) -> Result<(), BooksError> {
        let effects = self.core.take_effects();
        if !effects.saves.is_empty() {
            let saves = effects.saves;
            blocking(&self.books, move |books| books.save(&saves)).await?;
        }
        let now = self.clock.now();
        for detail in effects.events {
            // A consumer that is gone wants no events.
            let _ = self.events.send(state_change(detail, now));
        }
        self.load.send_replace(Load::of(&mut self.core));
        answers.into_iter().for_each(|answer| answer());
        effects.settled.iter().for_each(|attempt| self.runner.settled(attempt));
        effects.starts.into_iter().for_each(|launch| self.runner.start(launch, &self.reporter));
        effects.signals.iter().for_each(|(attempt, signal)| self.runner.signal(attempt, *signal));
        Ok(())
    }
}

/// Jobs that the core does not hold.
async fn look_up(books: &Arc<dyn Books>, job_ids: Vec<JobId>) -> Result<Finished, BooksError> {
    if job_ids.is_empty() {
        return Ok(Finished::new());
    }
    let records = blocking(books, move |books| books.load(&job_ids)).await?;
    Ok(records.into_iter().map(|record| (record.job_id().clone(), record)).collect())
}

fn answer<T: Send + 'static>(reply: oneshot::Sender<T>, value: T) -> Answer {
    Box::new(move || {
        // Who asked may have gone.
        let _ = reply.send(value);
    })
}

/// Makes a call to the books, where it may block if it must wait.
pub(crate) async fn blocking<T: Send + 'static>(
    books: &Arc<dyn Books>,
    call: impl FnOnce(&dyn Books) -> Result<T, BooksError> + Send + 'static,
) -> Result<T, BooksError> {
    if !books.wait_for_a_disk() {
        return call(books.as_ref());
    }
    let books = Arc::clone(books);
    let done = tokio::task::spawn_blocking(move || call(books.as_ref())).await;
    done.unwrap_or_else(|error| Err(BooksError::new(error.to_string())))
}
