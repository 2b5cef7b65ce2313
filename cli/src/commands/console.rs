//! `batchwright console`.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::Context;
use batchwright::domain::{Job, JobId, JobName, Run, Timestamp};
use batchwright::ports::{Clock, JobQueries, LogSource, ObjectStore, QueueSource, RunStore, SystemClock};
use batchwright::use_cases::explain::{Logs, explain};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

use super::report::{runs_of, title, why};
use super::watch::pause_after;
use crate::args::ConsoleArgs;
use crate::console::{Acts, Console, Known, News, Questions};
use crate::exit::{Exit, Failure};
use crate::output::human;
use crate::report::{Beside, Earlier, earlier, earlier_ids};
use crate::selection::for_each_job;

/// Serves the page until Ctrl-C. Nobody looks at the jobs where no page asks. `is_attended`: whether somebody runs the jobs.
pub(crate) async fn console<S, Q, L, O>(
    store: &S,
    queues: &Q,
    logs: &Logs<'_, L, O>,
    is_attended: impl Fn() -> bool,
    args: &ConsoleArgs,
) -> Result<Exit, Failure>
where
    S: JobQueries + RunStore,
    Q: QueueSource,
    L: LogSource,
    O: ObjectStore,
{
    let program = crate::environment::program().context("this program's own file can't be found")?;
    let acts = Arc::new(Acts::new(program, args.place.as_arguments(), args.read_only));
    let mut shown = Shown::new(store, args, &acts);
    // What can't be looked at is told here, not on the page.
    shown.look().await?;
    let (console, Questions { mut news, mut explanations }) =
        Console::open(args.port, Arc::clone(&acts)).await?;
    println!("{}", console.url().context("the console's address can't be told")?);
    eprintln!("open it in a browser; Ctrl-C ends the console, and no job");
    let answer_news = async {
        while let Some((known, reply)) = news.recv().await {
            let told = shown.since(known).await.map_err(|failure| failure.to_string());
            // A page that is gone has nobody to tell.
            let _ = reply.send(told);
        }
    };
    let answer_explanations = async {
        while let Some((name, reply)) = explanations.recv().await {
            let explained = explained(store, queues, logs, &name, is_attended()).await;
            let _ = reply.send(explained.map_err(|failure| failure.to_string()));
        }
    };
    let mut terminated = signal(SignalKind::terminate()).context("SIGTERM can't be listened for")?;
    tokio::select! {
        served = console.serve() => served.context("the console stopped")?,
        () = answer_news => {}
        () = answer_explanations => {}
        interrupted = tokio::signal::ctrl_c() => interrupted.context("Ctrl-C can't be listened for")?,
        _ = terminated.recv() => {}
    }
    if acts.under_way() > 0 {
        eprintln!(
            "{} that the page began goes on by itself",
            human::count(acts.under_way() as u64, "command")
        );
    }
    Ok(Exit::Well)
}

/// What the page shows, and when it is looked at again.
struct Shown<'a, S> {
    store: &'a S,
    args: &'a ConsoleArgs,
    acts: &'a Acts,
    news: News,
    /// Tries that have ended do not change.
    ended_tries: HashMap<JobId, Earlier>,
    runs: Vec<Run>,
    looked_at: Timestamp,
    next_look: Instant,
}

impl<'a, S: JobQueries + RunStore> Shown<'a, S> {
    fn new(store: &'a S, args: &'a ConsoleArgs, acts: &'a Acts) -> Self {
        let now = SystemClock.now();
        let news = News::new(now.as_millis().unsigned_abs());
        let (ended_tries, runs) = (HashMap::new(), Vec::new());
        Self { store, args, acts, news, ended_tries, runs, looked_at: now, next_look: Instant::now() }
    }

    async fn since(&mut self, known: Known) -> Result<String, Failure> {
        if self.next_look <= Instant::now() {
            self.look().await?;
        }
        let pause = self.next_look.saturating_duration_since(Instant::now());
        let beside = json!({
            "title": title(&self.args.what, &self.runs),
            "place": self.args.place.as_options(),
            "generatedAt": self.looked_at,
            "nextLookMs": pause.as_millis() as u64,
            "actions": self.acts.shown(),
        });
        Ok(self.news.since(known, &self.runs, beside))
    }

    async fn look(&mut self) -> Result<(), Failure> {
        let started = Instant::now();
        let Self { store, args, news, ended_tries, .. } = self;
        let runs = runs_of(*store, &args.what).await?;
        let looked_at = SystemClock.now();
        news.begin_look();
        let note = &mut async |_: JobName, job: Option<Job>| {
            let Some(job) = job.filter(|job| news.has_changed(job)) else { return Ok(()) };
            let mut beside = Beside { why: why(*store, &job).await?, ..Beside::default() };
            for job_id in earlier_ids(&job) {
                beside.earlier.push(earlier_try(*store, &job, job_id, ended_tries).await?);
            }
            news.take_in(&job, &beside);
            Ok(())
        };
        for_each_job(*store, &args.what, note).await?;
        news.end_look();
        self.runs = runs;
        self.looked_at = looked_at;
        self.next_look = Instant::now() + pause_after(started.elapsed());
        Ok(())
    }
}

async fn earlier_try<S: JobQueries>(
    store: &S,
    job: &Job,
    job_id: &JobId,
    ended: &mut HashMap<JobId, Earlier>,
) -> Result<Earlier, Failure> {
    if let Some(known) = ended.get(job_id) {
        return Ok(*known);
    }
    let item = store.submission(job_id).await.context("an earlier try can't be read")?;
    let told = earlier(job, job_id, item.as_ref());
    if item.is_some_and(|item| item.state.status.is_terminal()) {
        ended.insert(job_id.clone(), told);
    }
    Ok(told)
}

async fn explained<S, Q, L, O>(
    store: &S,
    queues: &Q,
    logs: &Logs<'_, L, O>,
    name: &JobName,
    is_attended: bool,
) -> Result<String, Failure>
where
    S: JobQueries + RunStore,
    Q: QueueSource,
    L: LogSource,
    O: ObjectStore,
{
    let job = store.job(name).await.context("the job can't be read")?;
    let job = job.ok_or_else(|| super::no_such_job(name))?;
    let explained = explain(store, queues, logs, &SystemClock, &job, is_attended).await;
    let explained = explained.context("the job can't be explained")?;
    Ok(serde_json::to_string(&explained).context("the explanation can't be written as JSON")?)
}
