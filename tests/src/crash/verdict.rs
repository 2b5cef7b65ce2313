//! How a deployment must have ended, by Batch's own books.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use batchwright::domain::{Job, JobName, JobStatus, Run, RunState};
use batchwright::events::{JobDetail, JobEnded, RunEnded};
use batchwright::memory::InMemoryLogSource;
use batchwright::ports::{JobQueries, JobStore, RunStore};
use batchwright::use_cases::queries::for_each_submission_of;
use batchwright::use_cases::read_logs::read_logs;
use batchwright::use_cases::run_file::{ReportLine, merged};

use super::deployment::{Deployment, LINES};
use super::inbox::Function;
use super::scenario::{Expected, Scenario};

/// Returns how many submissions were one too many, each of which was terminated and counted. Each job was submitted as often as it had to be and never twice at once; the store says what Batch's
/// books say; every job stands in its run's report, once; every log is archived, whole.
///
/// # Errors
///
/// Where something of it does not hold.
pub async fn judge<S: JobStore + RunStore + Clone>(
    deployment: &Deployment<S>,
    scenario: &Scenario,
) -> anyhow::Result<usize> {
    let most = deployment.network.most_in_flight();
    ensure!(most <= 1 + scenario.surplus, "{most} submissions of one job were in flight at once");
    let mut surplus = 0;
    for job in &scenario.jobs {
        surplus += judge_job(deployment, job).await.with_context(|| format!("job {}", job.name))?;
    }
    ensure!(surplus <= scenario.surplus, "{surplus} submissions were one too many");
    let functions = [Function::Submitter, Function::StateHandler, Function::Reconciler];
    let counted: u64 =
        functions.map(|function| deployment.metric(function, "SurplusTerminated")).into_iter().sum();
    ensure!(counted >= surplus as u64, "{surplus} surplus submissions, {counted} were counted");
    ensure!(surplus > 0 || counted == 0, "{counted} surplus submissions were counted, and none was made");
    judge_reports(deployment, scenario).await?;
    if let Some(secret) = scenario.secret {
        judge_secret(deployment, scenario, secret).await?;
    }
    Ok(surplus)
}

/// Returns how many submissions were one too many.
async fn judge_job<S: JobStore + RunStore + Clone>(
    deployment: &Deployment<S>,
    expected: &Expected,
) -> anyhow::Result<usize> {
    let name = JobName::parse(expected.name)?;
    let books = deployment.network.books(&name).await?;
    let store = deployment.store();
    let job = store.job(&name).await?.context("it is lost")?;
    ensure!(job.head.claim.is_none(), "a claim stands");
    let known: Vec<&JobDetail> =
        books.iter().filter(|detail| job.head.job_tries.contains(&detail.job_id)).collect();
    ensure!(known.len() == job.head.job_tries.len(), "{:?} are not all in the books", job.head.job_tries);
    let count = known.len();
    ensure!(
        (expected.least..=expected.most).contains(&count),
        "{count} submissions, expected {} to {}",
        expected.least,
        expected.most
    );
    let status = job.status();
    ensure!(status == expected.status, "it is {status:?}, expected {:?}", expected.status);
    let told: Vec<JobEnded> =
        deployment.bus.jobs().into_iter().filter(|told| told.job_name == name).collect();
    judge_told_job(&job, &told)?;
    for detail in &known {
        let submission = store.submission(&detail.job_id).await?.context("a submission is lost")?;
        let (kept, real) = (&submission.state, detail.state());
        let parts = |state: &batchwright::domain::JobState| {
            (state.status, state.exit_code, state.status_reason.clone())
        };
        ensure!(parts(kept) == parts(&real), "known {:?}, real {:?}", parts(kept), parts(&real));
        ensure!(real.status.is_terminal(), "{} has not ended", detail.job_id);
        judge_logs(deployment, &submission, real.all_log_streams().len() as u64).await?;
    }
    let surplus: Vec<_> =
        books.iter().filter(|detail| !job.head.job_tries.contains(&detail.job_id)).collect();
    for detail in &surplus {
        let terminated = detail.status == JobStatus::Failed && detail.is_terminated == Some(true);
        ensure!(terminated, "{} is one too many and was not terminated", detail.job_id);
    }
    Ok(surplus.len())
}

async fn judge_logs<S>(
    deployment: &Deployment<S>,
    submission: &batchwright::domain::Submission,
    streams: u64,
) -> anyhow::Result<()> {
    let logs = submission.logs.as_ref().context("its logs are not archived")?;
    ensure!(logs.complete, "its logs are not whole: {:?}", logs.incomplete_reason);
    ensure!(logs.events == streams * LINES, "{} lines of {streams} streams are archived", logs.events);
    // From the archive alone, wherever in it they lie.
    let gone = InMemoryLogSource::new(100, 0);
    let read = read_logs(&gone, &deployment.objects, submission, |_, _| ()).await?;
    ensure!(read == logs.events, "{read} of {} lines can be read", logs.events);
    Ok(())
}

async fn judge_reports<S: JobStore + RunStore + Clone>(
    deployment: &Deployment<S>,
    scenario: &Scenario,
) -> anyhow::Result<()> {
    let mut named: BTreeMap<String, usize> = BTreeMap::new();
    let mut invalid = 0;
    let mut runs: BTreeMap<String, Vec<ReportLine>> = BTreeMap::new();
    for key in deployment.objects.keys() {
        let Some(run_id) = key.strip_prefix("reports/").and_then(|rest| rest.split('/').next()) else {
            continue;
        };
        let part = deployment.objects.bytes(&key).unwrap_or_default();
        for line in String::from_utf8(part)?.lines() {
            runs.entry(run_id.to_owned()).or_default().push(serde_json::from_str(line)?);
        }
    }
    let runs: BTreeMap<String, Vec<ReportLine>> =
        runs.into_iter().map(|(run_id, lines)| (run_id, merged(lines))).collect();
    for line in runs.values().flatten() {
        match &line.job_name {
            Some(name) => *named.entry(name.to_string()).or_default() += 1,
            None => invalid += 1,
        }
    }
    for job in &scenario.jobs {
        let times = named.get(job.name).copied().unwrap_or(0);
        ensure!(times == usize::from(job.reported), "{} stands in the report {times} times", job.name);
    }
    ensure!(invalid == scenario.invalid_lines, "{invalid} invalid lines are reported");
    for (run_id, lines) in runs {
        let run_id = batchwright::domain::RunId::parse(&run_id)?;
        let run = deployment.store().run(&run_id).await?.context("a run is lost")?;
        ensure!(run.state != RunState::Submitting, "{run_id} is not done");
        judge_end(deployment, &run).await.with_context(|| run_id.to_string())?;
        let lines = lines.len() as u64;
        ensure!(run.counts.total() == lines, "{run_id} counts {:?}, and reports {lines}", run.counts);
        ensure!(run.counts.unknown == 0 && run.open.is_empty(), "{run_id} leaves lines open: {:?}", run.open);
    }
    Ok(())
}

/// Every submission has the secret, and nothing else but the job file: no item, report, archived log or event.
async fn judge_secret<S: JobStore + RunStore + Clone>(
    deployment: &Deployment<S>,
    scenario: &Scenario,
    secret: &str,
) -> anyhow::Result<()> {
    let store = deployment.store();
    for job in &scenario.jobs {
        let name = JobName::parse(job.name)?;
        for detail in deployment.network.books(&name).await? {
            let container = detail.container.as_ref().context("no container")?;
            let is_in_environment =
                container.environment.iter().any(|it| it.value.as_deref() == Some(secret));
            let is_in_parameters = detail.parameters.values().any(|value| value == secret);
            ensure!(is_in_environment && is_in_parameters, "{name} has lost its secret: {detail:?}");
        }
        let kept = store.job(&name).await?.context("it is lost")?;
        ensure!(kept.head.spec.seal.is_some(), "{name} is not sealed");
        let run = store.run(&kept.head.run_id).await?.context("its run is lost")?;
        let mut kept = format!("{kept:?} {run:?}");
        for_each_submission_of(&store, &name, |submission| kept += &format!("{submission:?}")).await?;
        ensure!(!kept.contains(secret), "the secret is in {kept}");
    }
    let told = format!("{:?}", deployment.bus.all());
    ensure!(!told.contains(secret), "the secret was told");
    let is_job_file = |key: &String| key.starts_with("jobs/") || key.starts_with("calls/");
    for key in deployment.objects.keys().into_iter().filter(|key| !is_job_file(key)) {
        let bytes = deployment.objects.bytes(&key).unwrap_or_default();
        let is_there = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        ensure!(!is_there, "the secret is in {key}");
    }
    Ok(())
}

/// A run has ended once, with the last of its jobs, and the bus was told so.
async fn judge_end<S: JobStore + RunStore + Clone>(
    deployment: &Deployment<S>,
    run: &Run,
) -> anyhow::Result<()> {
    judge_told_end(&deployment.store(), run, &deployment.bus.runs()).await
}

/// Compares the end of a job with what the event bus was told of it: its last submission, at least once, and always in the
/// same words; of earlier ones only where somebody asked for the job again. A job that was never submitted, and one
/// that runs an array's child again, is not told of.
///
/// # Errors
///
/// Where they differ, or nobody was told.
pub fn judge_told_job(job: &Job, told: &[JobEnded]) -> anyhow::Result<()> {
    let head = &job.head;
    let Some(last) = head.job_id.as_ref().filter(|_| head.spec.child_of.is_none()) else {
        ensure!(told.is_empty(), "told of {told:?}");
        return Ok(());
    };
    let asked_before = head.job_tries.len().saturating_sub(head.tries_since_asked().len());
    let mut of_last = told.iter().filter(|event| event.job_id == *last);
    let first = of_last.next().with_context(|| format!("nobody was told of the end of {last}"))?;
    ensure!(of_last.all(|event| event == first), "told of its end: {told:?}");
    ensure!(Some(first.status) == job.status(), "told of {first:?}, and it is {:?}", job.status());
    let mut earlier = told.iter().filter(|event| event.job_id != *last);
    let is_end = |event: &JobEnded| head.job_tries[..asked_before].contains(&event.job_id);
    ensure!(earlier.all(is_end), "told of a try that was no end: {told:?}");
    Ok(())
}

/// Compares the end of a run with its jobs, and with what the event bus was told.
///
/// # Errors
///
/// Where they differ, or nobody was told.
pub async fn judge_told_end<S: JobQueries>(store: &S, run: &Run, told: &[RunEnded]) -> anyhow::Result<()> {
    let end = run.end.context("it has not ended")?;
    ensure!(end.told, "nobody was told of its end");
    let (mut succeeded, mut failed, mut cursor) = (0, 0, None);
    loop {
        let page = store.jobs(Some(&run.run_id), cursor.as_ref()).await?;
        for job in page.items.iter().filter(|job| job.head.spec.child_of.is_none()) {
            match job.status() {
                Some(JobStatus::Succeeded) => succeeded += 1,
                Some(_) => failed += 1,
                None => {}
            }
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    ensure!((end.succeeded, end.failed) == (succeeded, failed), "{end:?}, not {succeeded} and {failed}");
    let told: Vec<&RunEnded> = told.iter().filter(|told| told.run_id == run.run_id).collect();
    ensure!(!told.is_empty() && told.iter().all(|event| *event == told[0]), "told of its end: {told:?}");
    ensure!((told[0].succeeded, told[0].failed) == (succeeded, failed), "told of {:?}", told[0]);
    Ok(())
}
