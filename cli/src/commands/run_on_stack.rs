//! `batchwright run` on a deployed stack: upload, start the submitter, follow.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow};
use batchwright::domain::{Run, RunId, RunState};
use batchwright::events::Continuation;
use batchwright::ports::{AsyncInvoker, Clock, ObjectStore, ObjectWriter, RunStore, SystemClock};
use batchwright::use_cases::run_file::{ReportLine, report_key};
use tokio::io::{AsyncBufReadExt, AsyncReadExt};
use tokio::time::Instant;

use super::watch::{look_at_file, pause_after};
use super::{interrupt, summary};
use crate::args::{Output, RunArgs, SubmitArgs};
use crate::exit::{Exit, Failure};
use crate::output::human;
use crate::output::screen::Screen;
use crate::stack::Stack;

/// Between two looks at the state: the first, and the longest.
const LOOK_AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15));

/// Without any change for so long, a run or a claim is not waited for any more: longer than the reconciler takes to
/// have a run continued, and to settle a claim.
const STALLED: Duration = Duration::from_secs(45 * 60);

/// Bytes that are uploaded at once.
const CHUNK: usize = 1024 * 1024;

/// Without any change for so long, a person is told what is waited for; and again after twice the time.
const TELL_AFTER: Duration = Duration::from_secs(20);

pub(crate) async fn run(stack: &Stack, args: &RunArgs) -> Result<Exit, Failure> {
    for (given, option) in [
        (args.simulate.is_some(), "--simulate"),
        (args.vcpus.is_some(), "--vcpus"),
        (!args.job_definitions.is_empty(), "--job-definitions"),
    ] {
        if given {
            return Err(Failure::Usage(format!("{option} is for the embedded engine: give it with --local")));
        }
    }
    // Reads the whole file once, so that a wrong one is never uploaded.
    summary::may_be_read_again(&args.file)?;
    summary::count_jobs(&args.file).await?;
    let run_id = upload(stack, &args.file, args.rerun).await?;
    let this_run = async || stack.store.run(&run_id).await.ok().flatten();
    // Jobs of other runs are others' in a stack.
    let none = std::future::ready(Vec::new());
    let interrupted = interrupt::detached(&stack.store, &stack.engine, args.on_interrupt, this_run, none);
    tokio::select! {
        ended = follow(stack, args, &run_id) => ended,
        () = interrupted => {
            eprintln!(
                "interrupted: the run {run_id} goes on in the stack; `batchwright watch {run_id} {}` follows it again",
                args.place.as_options()
            );
            Ok(Exit::Interrupted)
        }
    }
}

/// Hands a file to the stack and does not wait for it.
pub(crate) async fn submit(stack: &Stack, args: &SubmitArgs) -> Result<Exit, Failure> {
    summary::may_be_read_again(&args.file)?;
    let jobs = summary::count_jobs(&args.file).await?;
    let run_id = upload(stack, &args.file, args.rerun).await?;
    match args.shown.output {
        Output::Table => println!("{run_id}"),
        Output::Json | Output::Ndjson => println!("{}", serde_json::json!({"runId": run_id, "jobs": jobs})),
    }
    Ok(Exit::Well)
}

/// Puts the file into the stack's bucket and has the submitter run it under an id that is known here.
async fn upload(stack: &Stack, path: &Path, rerun: bool) -> Result<RunId, Failure> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("jobs");
    let moment = SystemClock.now().as_millis().to_string();
    let run_id = RunId::derive(&path.display().to_string(), &std::process::id().to_string(), &moment);
    let key = format!("calls/{run_id}/{name}");
    let mut file = tokio::fs::File::open(path).await.context("the job file can't be opened")?;
    let mut object = stack
        .bucket
        .create_object(&key, "application/octet-stream")
        .await
        .context("the job file can't be uploaded")?;
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = file.read(&mut chunk).await.context("the job file can't be read")?;
        if read == 0 {
            break;
        }
        object.write(&chunk[..read]).await.context("the job file can't be uploaded")?;
    }
    object.finish().await.context("the job file can't be uploaded")?;
    let source = format!("s3://{}/{key}", stack.bucket_name);
    let run = Continuation { run_id: run_id.clone(), source: source.clone(), rerun };
    stack
        .invoker
        .invoke_later(&stack.submitter, &run.payload())
        .await
        .context("the submitter can't be called")?;
    eprintln!("run {run_id}: {source}");
    Ok(run_id)
}

async fn follow(stack: &Stack, args: &RunArgs, run_id: &RunId) -> Result<Exit, Failure> {
    let attach = format!("`batchwright watch {run_id} {}` follows it", args.place.as_options());
    let Some(run) = until_submitted(stack, run_id, &attach).await? else {
        eprintln!(
            "the run {run_id} has not moved for {} minutes: is the submitter {} failing? Its log says why. The run goes \
             on when it works again; {attach}",
            STALLED.as_secs() / 60,
            stack.submitter
        );
        return Ok(Exit::Unknown);
    };
    if run.state == RunState::Rejected {
        print_report(stack, &run).await?;
        return Err(Failure::Rejected(format!("the run {run_id} was rejected")));
    }
    let all_told = until_ended(stack, args, &attach).await?;
    let exit = summary::show(&stack.store, args, run_id, run.counts).await?;
    if all_told {
        return Ok(exit);
    }
    eprintln!("nobody can say yet whether some jobs were submitted; the reconciler finds out");
    Ok(Exit::Unknown)
}

/// The run, once all of its jobs are submitted; `None` where it does not move.
async fn until_submitted(stack: &Stack, run_id: &RunId, attach: &str) -> Result<Option<Run>, Failure> {
    let mut wait = LOOK_AGAIN.0;
    let (mut silence, mut last_seen) = (Silence::new(Instant::now()), None);
    loop {
        let run = stack.store.run(run_id).await.context("the run can't be read")?;
        let seen = run.as_ref().map(|run| (run.checkpoint, run.updated_at));
        if seen != last_seen {
            (silence, last_seen) = (Silence::new(Instant::now()), seen);
        }
        if silence.is_over(Instant::now()) {
            return Ok(None);
        }
        if let Some(run) = run.filter(|run| run.state != RunState::Submitting) {
            eprintln!(
                "{} submitted, {} skipped, {} rejected",
                run.counts.submitted, run.counts.skipped, run.counts.rejected
            );
            return Ok(Some(run));
        }
        let what = || format!("the submitter {} to go on with the run {run_id}", stack.submitter);
        silence.tell(what, attach, |line| eprintln!("{line}"));
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(LOOK_AGAIN.1);
    }
}

/// Time in which nothing changes, and what a person is told of it.
struct Silence {
    since: Instant,
    tell_after: Duration,
}

impl Silence {
    fn new(since: Instant) -> Self {
        Self { since, tell_after: TELL_AFTER }
    }

    /// Whether it is not waited for any more.
    fn is_over(&self, now: Instant) -> bool {
        now.duration_since(self.since) > STALLED
    }

    /// Whether it is time to say something.
    fn is_long(&mut self, now: Instant) -> bool {
        let is_long = now.duration_since(self.since) >= self.tell_after;
        if is_long {
            self.tell_after *= 2;
        }
        is_long
    }

    /// Says what is waited for, until when, and how to come back to it.
    fn tell(&mut self, what: impl Fn() -> String, attach: &str, say: impl Fn(&str)) {
        let now = Instant::now();
        if self.is_long(now) {
            let left = STALLED.saturating_sub(now.duration_since(self.since));
            let until = SystemClock.now().plus_millis(left.as_millis() as i64).to_rfc3339_seconds();
            say(&format!(
                "waiting for {}, until {until}; Ctrl-C leaves it to the stack, and {attach}",
                what()
            ));
        }
    }
}

/// Returns whether every job has ended; not so where claims stand that nobody settles.
async fn until_ended(stack: &Stack, args: &RunArgs, attach: &str) -> Result<bool, Failure> {
    let (mut screen, mut wait) = (Screen::new(), LOOK_AGAIN.0);
    let (mut silence, mut last_seen) = (Silence::new(Instant::now()), None);
    loop {
        let started = Instant::now();
        let overview = look_at_file(&stack.store, &args.file, screen.is_terminal()).await?;
        screen.show(&overview, SystemClock.now());
        let (open, claimed) = (overview.open, overview.claimed);
        if last_seen != Some((open, claimed)) {
            (silence, last_seen, wait) = (Silence::new(Instant::now()), Some((open, claimed)), LOOK_AGAIN.0);
        }
        if open == 0 {
            return Ok(true);
        }
        if open == claimed {
            if silence.is_over(Instant::now()) {
                return Ok(false);
            }
            let what = || {
                format!("the reconciler to find out whether {} was submitted", human::count(claimed, "job"))
            };
            silence.tell(what, attach, |line| screen.say(line));
        }
        tokio::time::sleep(pause_after(started.elapsed()).max(wait)).await;
        wait = (wait * 2).min(LOOK_AGAIN.1);
    }
}

/// Why a run was rejected.
async fn print_report(stack: &Stack, run: &Run) -> Result<(), Failure> {
    let key = report_key(&run.run_id, batchwright::domain::Checkpoint::default());
    let opened = stack.bucket.open_object(&key).await.context("the report can't be read")?;
    let Some(report) = opened else { return Err(Failure::Broken(anyhow!("the report {key} is missing"))) };
    let mut lines = report.lines();
    while let Some(line) = lines.next_line().await.context("the report can't be read")? {
        let line: ReportLine = serde_json::from_str(&line).context("the report can't be read")?;
        eprintln!("{}", line.reason.unwrap_or_default());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_is_told_so_and_again_after_twice_the_time() {
        let start = Instant::now();
        let mut silence = Silence::new(start);
        let told: Vec<u64> =
            (0..200).filter(|seconds| silence.is_long(start + Duration::from_secs(*seconds))).collect();
        assert_eq!(told, [20, 40, 80, 160]);
        assert!(
            !silence.is_over(start + STALLED) && silence.is_over(start + STALLED + Duration::from_secs(1))
        );
    }
}
