//! `batchwright watch`.

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};
use std::io::{IsTerminal, stderr};
use std::time::Duration;

use batchwright::domain::{Job, JobName, JobState, JobStatus, RunState, StatusCounts, Timestamp};
use batchwright::ports::{Clock, JobQueries, RunStore, SystemClock};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::Instant;

use crate::args::WatchArgs;
use crate::exit::{Exit, Failure};
use crate::output::human;
use crate::output::job_view::JobView;
use crate::output::text::harmless;
use crate::selection::{Named, for_each_job, named};

/// Between two looks, at least.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Failures that are shown: the newest.
const FAILURES_SHOWN: usize = 5;

/// Jobs that are shown because they wait: the oldest.
const WAITING_SHOWN: usize = 3;

/// Reasons for which jobs can't start: those of the most jobs.
const BLOCKED_SHOWN: usize = 3;

/// Ends that the rate is told from.
const RATE_OVER_MS: i64 = 300_000;

pub(crate) async fn watch<S: JobQueries + RunStore>(store: &S, args: &WatchArgs) -> Result<Exit, Failure> {
    let bar = stderr().is_terminal().then(|| {
        let bar = ProgressBar::new(0);
        let style = ProgressStyle::with_template("{wide_bar} {pos}/{len}\n{msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar
    });
    let mut told = String::new();
    let interrupted = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    let following = async {
        loop {
            let started = Instant::now();
            let look = Look::take(store, args).await?;
            let line = look.line();
            match &bar {
                Some(bar) => {
                    bar.set_length(look.counts.total());
                    bar.set_position(look.ended());
                    bar.set_message(look.block(SystemClock.now()));
                }
                None if line != told => eprintln!("{line}"),
                None => {}
            }
            told = line;
            if look.has_ended() {
                return Ok::<_, Failure>(look);
            }
            tokio::time::sleep(pause_after(started.elapsed())).await;
        }
    };
    let look = tokio::select! {
        biased;
        () = interrupted => {
            if let Some(bar) = &bar {
                bar.finish_and_clear();
            }
            eprintln!("interrupted: what was watched goes on; the same command watches it again");
            return Ok(Exit::Interrupted);
        }
        look = following => look?,
    };
    if let Some(bar) = &bar {
        bar.finish_and_clear();
    }
    println!("{}", look.line());
    let well = look.counts[JobStatus::Succeeded] == look.counts.total();
    Ok(if well { Exit::Well } else { Exit::JobsFailed })
}

/// The pause after a look. One that takes long is followed by nine times its length, so that who watches a large run
/// looks at its table for a tenth of the time at most.
pub(super) fn pause_after(look: Duration) -> Duration {
    LOOK_EVERY.max(look * 9)
}

/// What one look at the state shows.
#[derive(Debug, Default)]
struct Look {
    counts: StatusCounts,
    recovering: u64,
    is_submitting: bool,
    ends_of_late: u64,
    /// When the oldest of the jobs was created.
    oldest: Option<Timestamp>,
    newest_failures: VecDeque<(Timestamp, String)>,
    longest_waiting: Vec<(Timestamp, JobName, JobStatus)>,
    /// Why jobs can't start, as Batch says of each queue, and how many.
    blocked: BTreeMap<(String, String), u64>,
}

impl Look {
    async fn take<S: JobQueries + RunStore>(store: &S, args: &WatchArgs) -> Result<Look, Failure> {
        let mut look = Look::default();
        for word in &args.what {
            if let Named::Run(run) = named(store, word).await? {
                look.is_submitting |= run.state == RunState::Submitting;
            }
        }
        let now = SystemClock.now();
        let note = &mut async |_: JobName, job: Option<Job>| {
            look.note(job.as_ref(), now);
            Ok(())
        };
        for_each_job(store, &args.what, note).await?;
        Ok(look)
    }

    fn note(&mut self, job: Option<&Job>, now: Timestamp) {
        let Some((job, status)) = job.and_then(|job| Some((job, job.status()?))) else {
            self.counts.unsubmitted += 1;
            return;
        };
        self.counts[status] += 1;
        self.recovering += u64::from(job.is_recovering());
        let times = job.state().map(|state| state.times).unwrap_or_default();
        if let Some(stopped) = times.stopped_at.filter(|_| status.is_terminal()) {
            self.ends_of_late += u64::from(now.millis_since(stopped) <= RATE_OVER_MS);
            if status == JobStatus::Failed {
                self.note_failure(stopped, job);
            }
        }
        let state = job.state().filter(|_| status == JobStatus::Runnable);
        if let Some((state, reason)) = state.and_then(|state| Some((state, state.status_reason.clone()?))) {
            let queue = state.job_queue.rsplit('/').next().unwrap_or_default().to_owned();
            *self.blocked.entry((queue, reason)).or_default() += 1;
        }
        let created = times.created_at.or(job.head.submitted_at);
        self.oldest = self.oldest.into_iter().chain(created).min();
        let waits = status < JobStatus::Starting;
        if let Some(since) = created.filter(|_| waits) {
            let at = self.longest_waiting.partition_point(|(other, ..)| *other <= since);
            if at < WAITING_SHOWN {
                self.longest_waiting.insert(at, (since, job.name().clone(), status));
                self.longest_waiting.truncate(WAITING_SHOWN);
            }
        }
    }

    fn note_failure(&mut self, stopped: Timestamp, job: &Job) {
        let at = self.newest_failures.partition_point(|(other, _)| *other <= stopped);
        if at == 0 && self.newest_failures.len() == FAILURES_SHOWN {
            return;
        }
        let code = job.state().and_then(|state| state.exit_code).map(|code| format!(" (exit code {code})"));
        let cause = job.state().and_then(JobState::cause).map(|cause| cause.to_string()).unwrap_or_default();
        let why = JobView::of(job).why();
        let text = format!(
            "{} {}{}",
            job.name(),
            if why.is_empty() { cause } else { why },
            code.unwrap_or_default()
        );
        self.newest_failures.insert(at, (stopped, text));
        if self.newest_failures.len() > FAILURES_SHOWN {
            self.newest_failures.pop_front();
        }
    }

    fn ended(&self) -> u64 {
        self.counts[JobStatus::Succeeded] + self.counts[JobStatus::Failed] - self.recovering
    }

    fn has_ended(&self) -> bool {
        !self.is_submitting && self.ended() + self.counts.unsubmitted == self.counts.total()
    }

    /// As in `7 jobs: 2 RUNNING, 5 SUCCEEDED`.
    fn line(&self) -> String {
        let counts = self.counts.iter().filter(|(_, count)| *count > 0);
        let mut parts: Vec<String> = counts.map(|(status, count)| format!("{count} {status}")).collect();
        if self.counts.unsubmitted > 0 {
            parts.push(format!("{} not submitted", self.counts.unsubmitted));
        }
        if self.is_submitting {
            parts.push("more are being submitted".to_owned());
        }
        format!("{}: {}", human::count(self.counts.total(), "job"), parts.join(", "))
    }

    /// Several lines for a terminal.
    fn block(&self, now: Timestamp) -> String {
        let mut lines = vec![self.line()];
        if self.ends_of_late > 0 {
            // A run that is younger has had less time for its ends.
            let age_ms = self.oldest.map_or(RATE_OVER_MS, |oldest| now.millis_since(oldest));
            let over_ms = age_ms.clamp(1_000, RATE_OVER_MS);
            let a_minute = self.ends_of_late as f64 / (over_ms as f64 / 60_000.0);
            let left = self.counts.total() - self.ended();
            let eta = if self.is_submitting {
                String::new()
            } else {
                format!(
                    ", about {} left at this rate",
                    human::duration((left as f64 / a_minute * 60_000.0) as i64)
                )
            };
            lines.push(format!("{a_minute:.1} ends a minute{eta}"));
        }
        let mut blocked: Vec<_> = self.blocked.iter().collect();
        blocked.sort_by_key(|(_, jobs)| Reverse(**jobs));
        for ((queue, reason), jobs) in blocked.into_iter().take(BLOCKED_SHOWN) {
            lines.push(format!(
                "blocked in {}: {}: {}",
                harmless(queue),
                human::count(*jobs, "job"),
                harmless(reason)
            ));
        }
        for (since, name, status) in &self.longest_waiting {
            lines.push(format!("waiting for {}: {name} {status}", human::duration(now.millis_since(*since))));
        }
        for (stopped, text) in self.newest_failures.iter().rev() {
            let ago = human::duration(now.millis_since(*stopped));
            lines.push(format!("failed {ago} ago: {}", harmless(text)));
        }
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use batchwright::domain::{FollowUp, JobHead, JobId, JobSpec, RunId, Submission};

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(10_000_000);

    fn job(name: &str, status: JobStatus, age_ms: i64) -> Job {
        let (name, id) = (JobName::parse(name).unwrap(), JobId::parse(name).unwrap());
        let mut state =
            JobState { status, exit_code: Some(3), ..JobState::submitted(name.clone(), id.clone(), None) };
        state.times.created_at = Some(NOW.plus_millis(-age_ms));
        state.times.stopped_at = status.is_terminal().then(|| NOW.plus_millis(-age_ms));
        let head = JobHead {
            spec: JobSpec::new(name, "queue", "definition"),
            run_id: RunId::derive("file", "1", "0"),
            claims: 1,
            nonce_seed: String::new(),
            claim: None,
            job_id: Some(id.clone()),
            job_tries: vec![id],
            tries: Vec::new(),
            earlier_tries: 0,
            tries_before: 0,
            refusal: None,
            submitted_at: None,
            updated_at: Timestamp::default(),
            newer: batchwright::domain::Newer::default(),
        };
        Job {
            head,
            latest: Some(Submission {
                state,
                logs: None,
                updated_at: Timestamp::default(),
                follow_up: FollowUp::Open,
            }),
        }
    }

    #[test]
    fn the_newest_failures_and_the_longest_waiting_are_shown() {
        let mut look = Look::default();
        for number in 0..9 {
            look.note(Some(&job(&format!("failed-{number}"), JobStatus::Failed, 1_000 * (1 + number))), NOW);
            look.note(
                Some(&job(&format!("waits-{number}"), JobStatus::Runnable, 60_000 * (1 + number))),
                NOW,
            );
        }
        look.note(Some(&job("done", JobStatus::Succeeded, 400_000)), NOW);
        look.note(None, NOW);
        let mut stuck = job("stuck", JobStatus::Runnable, 1_000);
        let state = &mut stuck.latest.as_mut().unwrap().state;
        state.job_queue = "arn:aws:batch:eu-west-1:000000000000:job-queue/spot".to_owned();
        state.status_reason = Some("MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - too large".to_owned());
        look.note(Some(&stuck), NOW);
        let block = look.block(NOW);
        let lines: Vec<&str> = block.lines().collect();
        assert_eq!(lines[0], "21 jobs: 10 RUNNABLE, 1 SUCCEEDED, 9 FAILED, 1 not submitted");
        assert_eq!(lines[1], "1.8 ends a minute, about 6m06s left at this rate");
        let why = "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - too large";
        assert_eq!(lines[2], format!("blocked in spot: 1 job: {why}"));
        assert_eq!(lines[3], "waiting for 9m00s: waits-8 RUNNABLE");
        assert_eq!(lines[5], "waiting for 7m00s: waits-6 RUNNABLE");
        assert_eq!(lines[6], "failed 1.0s ago: failed-0 EXIT_CODE (exit code 3)");
        assert_eq!(lines.len(), 6 + FAILURES_SHOWN);
        assert!(!look.has_ended());
    }
}
