//! Whether it ended as Batch's own books say.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, bail, ensure};
use batchwright::domain::{Cause, JobId, JobName, JobState, RunState};
use batchwright::events::{JobEnded, RunEnded};
use batchwright::ports::{JobEngine as _, JobQueries as _, RunStore as _};
use batchwright::use_cases::queries::for_each_submission_of;
use batchwright::use_cases::run_file::{ReportLine, ReportOutcome, merged};
use batchwright_tests::crash::deployment::LINES;
use batchwright_tests::crash::verdict::{judge_told_end, judge_told_job};

use crate::load::{File, Wave};
use crate::world::World;

/// What the books hold.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Held {
    pub(crate) jobs: u64,
    pub(crate) submissions: u64,
    pub(crate) children: u64,
    /// Submissions of jobs that lost their host, or failed with a dependency.
    pub(crate) again: u64,
    /// Jobs that a cancelled run never submitted.
    pub(crate) left_out: u64,
    pub(crate) runs: u64,
}

/// Judges everything of a wave.
///
/// # Errors
///
/// Where something was lost or done twice, and where report, state or announcement is not as the books say.
pub(crate) async fn judge(world: &World, wave: &Wave, held: &mut Held) -> anyhow::Result<()> {
    let most = world.storm.network.most_in_flight();
    ensure!(most <= 1, "{most} submissions of one job were in flight at once");
    let told = world.bus.runs();
    let mut ends: BTreeMap<JobName, Vec<JobEnded>> = BTreeMap::new();
    for end in world.bus.jobs() {
        ends.entry(end.job_name.clone()).or_default().push(end);
    }
    for file in &wave.files {
        for name in &file.names {
            judge_job(world, file, (&wave.repeated, &ends), name, held)
                .await
                .with_context(|| name.clone())?;
        }
    }
    for file in &wave.files {
        judge_run(world, file, &told, held).await.with_context(|| file.key.clone())?;
    }
    Ok(())
}

async fn judge_job(
    world: &World,
    file: &File,
    (repeated, ends): (&BTreeSet<String>, &BTreeMap<JobName, Vec<JobEnded>>),
    name: &str,
    held: &mut Held,
) -> anyhow::Result<()> {
    let job_name = JobName::parse(name)?;
    held.jobs += 1;
    let books = world.storm.network.books(&job_name).await?;
    let Some(job) = world.store.job(&job_name).await? else {
        ensure!(books.is_empty(), "{} submissions are not known", books.len());
        if file.cancelled_after.is_none() {
            let run_id = world.run_of(&file.key).await?.context("its run is lost")?;
            let lines = report(world, run_id.as_str()).await?;
            let line = lines.into_iter().find(|line| line.job_name.as_ref() == Some(&job_name));
            bail!("it is lost: {line:?}, {:?}", world.store.run(&run_id).await?);
        }
        held.left_out += 1;
        return Ok(());
    };
    ensure!(job.head.claim.is_none(), "a claim stands");
    judge_told_job(&job, ends.get(&job_name).map_or(&[], Vec::as_slice))?;
    ensure!(!books.is_empty() || file.cancelled_after.is_some(), "never submitted: {:?}", job.head.refusal);
    let mut real: BTreeMap<JobId, JobState> = BTreeMap::new();
    for detail in books {
        let id = detail.job_id.clone();
        let size = detail.array_properties.as_ref().and_then(|array| array.size).unwrap_or(0);
        let children: Vec<JobId> = (0..size).map(|index| id.array_child(index)).collect();
        for child in world.storm.network.engine().describe_jobs(&children).await? {
            held.children += 1;
            real.insert(child.job_id.clone(), child.state());
        }
        real.insert(id, detail.state());
    }
    let made: BTreeSet<&JobId> = real.keys().filter(|id| id.parent().is_none()).collect();
    let known: BTreeSet<&JobId> = job.head.job_tries.iter().collect();
    ensure!(made == known, "known are {known:?}, made were {made:?}");
    held.submissions += made.len() as u64;
    for earlier in job.head.job_tries.iter().rev().skip(1) {
        let cause = real[earlier].cause();
        let is_tried_again =
            matches!(cause, Some(Cause::HostLost | Cause::Dependency | Cause::ExitCode | Cause::Child));
        ensure!(is_tried_again || repeated.contains(name), "submitted again after {:?}", real[earlier]);
        held.again += 1;
    }
    let mut kept = BTreeMap::new();
    for_each_submission_of(&world.store, &job_name, |submission| {
        kept.insert(submission.state.job_id.clone(), submission);
    })
    .await?;
    ensure!(kept.len() == real.len(), "{} items, {} in the books", kept.len(), real.len());
    for (id, state) in &real {
        ensure!(state.status.is_terminal(), "{id} has not ended");
        let submission = kept.get(id).with_context(|| format!("{id} is lost"))?;
        let kept = told_once(&submission.state);
        ensure!(kept == told_once(state), "{id}: known {:?}, real {state:?}", submission.state);
        let streams = state.all_log_streams().len() as u64;
        let is_parent = real.keys().any(|child| child.parent().as_ref() == Some(id));
        if !is_parent {
            let logs =
                submission.logs.as_ref().with_context(|| format!("{id}: its logs are not archived"))?;
            ensure!(logs.complete && logs.events == streams * LINES, "{id}: {streams} streams, {logs:?}");
        }
    }
    Ok(())
}

async fn judge_run(world: &World, file: &File, told: &[RunEnded], held: &mut Held) -> anyhow::Result<()> {
    held.runs += 1;
    let run_id = world.run_of(&file.key).await?.context("its run is lost")?;
    let run = world.store.run(&run_id).await?.context("its run is lost")?;
    let expected = if file.cancelled_after.is_some() { RunState::Cancelled } else { RunState::Submitted };
    // One that had ended before somebody wanted to cancel it stays so.
    let ended_before = run.cancellation.is_none() && run.state == RunState::Submitted;
    ensure!(run.state == expected || ended_before, "it is {:?}", run.state);
    let lines = report(world, run_id.as_str()).await?;
    let total = file.text.lines().count();
    if run.cancellation.is_none() {
        let numbers: BTreeSet<u64> = lines.iter().map(|line| line.line).collect();
        ensure!(lines.len() == total && numbers.len() == total, "{} of {total} lines", lines.len());
        ensure!(run.counts.unknown == 0 && run.open.is_empty(), "lines are open: {:?}", run.open);
        ensure!(run.counts.total() == total as u64, "it counts {:?} of {total}", run.counts);
    }
    let of = |outcome| lines.iter().filter(|line| line.outcome == outcome).count() as u64;
    let counts = (of(ReportOutcome::Submitted), of(ReportOutcome::Rejected), of(ReportOutcome::Unknown));
    let counted = (run.counts.submitted, run.counts.rejected, run.counts.unknown);
    ensure!(counts == counted, "the report says {counts:?}, the run {counted:?}");
    for line in lines.iter().filter(|line| line.outcome == ReportOutcome::Submitted) {
        let name = line.job_name.as_ref().context("a submitted line without a job")?;
        let job = world.store.job(name).await?.context("a submitted job is lost")?;
        let id = line.job_id.as_ref().context("a submitted line without a job id")?;
        ensure!(job.head.job_tries.contains(id), "{name}: {id} of the report is not known");
    }
    judge_told_end(&world.store, &run, told).await
}

/// The lines of a run's report, as a reader merges them.
async fn report(world: &World, run_id: &str) -> anyhow::Result<Vec<ReportLine>> {
    let folder = world.objects.path(&format!("reports/{run_id}/part"));
    let folder = folder.parent().context("a folder")?;
    // A run that was cancelled before its first job has none.
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let mut parts: Vec<_> =
        std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    parts.retain(|part| part.extension().is_some_and(|extension| extension == "jsonl"));
    parts.sort();
    let mut lines = Vec::new();
    for part in parts {
        for line in std::fs::read_to_string(&part)?.lines() {
            lines.push(serde_json::from_str(line)?);
        }
    }
    Ok(merged(lines))
}

/// A state whose log streams are told in one place: on DynamoDB one that an attempt names is not kept a second time.
fn told_once(state: &JobState) -> JobState {
    JobState { log_streams: state.all_log_streams().into_iter().cloned().collect(), ..state.clone() }
}
