//! Once, whatever dies: every function, stopped for good at every call it makes.

use std::collections::BTreeSet;

use batchwright::domain::Stop;
use batchwright_tests::crash::cancelled::cancellations;
use batchwright_tests::crash::scenario::Scenario;
use batchwright_tests::crash::sources::{CallSite, calls, methods};
use batchwright_tests::crash::sweep::{Figures, in_memory, pairs, singles};

/// Where use cases and functions call ports.
const SOURCES: [&str; 6] = [
    "shared/control/src/use_cases",
    "shared/invocations/src/use_cases",
    "functions/submitter/src",
    "functions/state-handler/src",
    "functions/log-collector/src",
    "functions/reconciler/src",
];

/// Calls that no function dies at: by file, the text of their line, and why.
const EXCEPTIONS: [(&str, &str, &str); 33] = [
    ("use_cases/select.rs", "", "finds what a person names: it reads alone"),
    ("use_cases/stop.rs", "store.run(run_id).await?", "a person cancels a run, and asks again"),
    (
        "use_cases/stop.rs",
        "store.save_run(&cancelled).await?",
        "as above: the deaths around it are those of others",
    ),
    ("use_cases/stop.rs", "jobs_named(", "a person stops jobs by their names, and asks again"),
    (
        "use_cases/stop.rs",
        "stopper.stop_jobs(&job_ids, stop, reason).await",
        "passes on to cancel_job and terminate_job of the engine, which are called outside of these sources",
    ),
    ("use_cases/failed_children.rs", "", "chooses what a person runs again: it reads alone"),
    ("use_cases/queries.rs", "", "answers to people's questions: it reads alone"),
    ("use_cases/explain.rs", "", "explains a job to a person: it reads alone"),
    (
        "state-handler/src/handler.rs",
        "recorder.store.submission(job_id).await?",
        "looks up the job that a blocked queue names; the message is delivered again: functions/state_handler.rs",
    ),
    (
        "state-handler/src/handler.rs",
        "recorder.store.apply_state(&state, recorder.clock.now()).await?;",
        "keeps why that job does not start: a reason alone, written again when the message is delivered again",
    ),
    ("use_cases/run_file/", "progress.open()", "the open lines of the run in hand, and no port's call"),
    ("use_cases/run_file/", "progress.run()", "the run in hand, and no port's call"),
    (
        "use_cases/run_file/before.rs",
        "store.job(job_name).await?.map(|job| job.head)",
        "asks about a job that an invocation left behind which died before: it reads alone",
    ),
    (
        "reconcile/listing.rs",
        "list_jobs_since(",
        "lists a queue for twenty claims or more: it reads alone, and what is found is settled as by name",
    ),
    (
        "use_cases/end_runs.rs",
        "Ok(store.run(&run.run_id).await?.unwrap_or(run))",
        "reads a run again whose end another has looked for in the same moment: it reads alone",
    ),
    (
        "use_cases/end_runs.rs",
        "store.unfinished_runs(clock.now().plus_millis(1), cursor.as_ref()).await?",
        "lists runs for the one process of a state folder: it reads alone",
    ),
    (
        "use_cases/dependencies.rs",
        "store.run(&head.run_id).await?",
        "asks whether the run of a dependency has yet to submit it: it reads alone, and the dependant waits",
    ),
    (
        "use_cases/waits.rs",
        "",
        "asks why a job waits, and keeps the reason alone: the next pass asks again, functions/reconciler.rs",
    ),
    ("use_cases/prune.rs", "", "a person forgets what is old, and asks again: functions/run_ends.rs"),
    ("use_cases/relearn.rs", "", "a person has a restored table learn, and asks again: restore.rs"),
    ("use_cases/plan_file.rs", "", "shows what would be done: it reads alone"),
    ("use_cases/read_logs.rs", "", "shows a log: it reads alone"),
    ("use_cases/read_report.rs", "", "shows a report: it reads alone"),
    ("use_cases/follow_logs.rs", "", "shows a log: it reads alone"),
    (
        "use_cases/take_over.rs",
        "store.release(name, expired, Some(&why), clock.now()).await?;",
        "comes where a dependency was forgotten under a dead submitter's claim; what follows is what follows \
         from the other refusals, which are died at",
    ),
    ("collect_logs/archivist.rs", "manifest.finish(", "a manifest's own method, and no port's"),
    (
        "collect_logs/archivist.rs",
        ".save(self.collector.archive, ",
        "a method of manifests: its own call is died at",
    ),
    ("collect_logs/bundle.rs", "self.members.load(", "a counter, and no port's call"),
    (
        "collect_logs/bundle.rs",
        "gathered.put(archive, ",
        "a method of what is gathered: its own call is died at",
    ),
    ("collect_logs/manifest.rs", "at.open(archive)", "a method of places: its own call is died at"),
    ("collect_logs/place.rs", "archive.open_object(self.key)", "shows a log: it reads alone"),
    (
        "collect_logs/archivist.rs",
        "self.collector.archive.load(&own)",
        "reads before a bundled manifest gets an object of its own: bundled_logs.rs",
    ),
    ("use_cases/fan_out/", "", "the fan-out has a test of its own that kills it at every call"),
];

fn is_excepted(site: &CallSite, exception: &(&str, &str, &str)) -> bool {
    let (file, text, _) = exception;
    site.file.contains(file) && site.text.contains(text)
}

#[tokio::test(start_paused = true)]
async fn a_deployment_that_dies_at_any_call_does_everything_once() -> anyhow::Result<()> {
    let mut all = Figures::default();
    for scenario in Scenario::all() {
        let figures = singles(&scenario, in_memory, 1, false).await?;
        println!("crash: {}: {figures}", scenario.name);
        all += figures;
    }
    for (scenario, stride) in [(Scenario::lost_host(), 3), (Scenario::long_run(), 7)] {
        let figures = cancellations(&scenario, Stop::Terminate, stride).await?;
        println!("crash: {}, cancelled: {figures}", scenario.name);
        all += figures;
    }
    let visited = |site: &CallSite, before: bool| {
        all.sites.iter().any(|(seen, at)| {
            *at == before
                && (seen.line, seen.column) == (site.line, site.column)
                && seen.file.ends_with(&site.file)
        })
    };
    let methods = methods()?;
    let mut sites = BTreeSet::new();
    for source in SOURCES {
        sites.extend(calls(&methods, source)?);
    }
    let mut missed: Vec<&CallSite> =
        sites.iter().filter(|site| !(visited(site, true) && visited(site, false))).collect();
    let open = missed.len();
    let mut stale = Vec::new();
    for exception in &EXCEPTIONS {
        let before = missed.len();
        missed.retain(|site| !is_excepted(site, exception));
        if missed.len() == before {
            stale.push(exception);
        }
    }
    let excepted = open - missed.len();
    println!(
        "crash: calls in the sources {}, died at {}, excepted {excepted}",
        sites.len(),
        sites.len() - open
    );
    println!("crash: every death: {all}");
    assert!(
        missed.is_empty() && stale.is_empty(),
        "no function died at these calls: {missed:#?}; these exceptions are none any more: {stale:#?}"
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_cancelled_at_any_call_submits_nothing_more_whatever_dies() -> anyhow::Result<()> {
    let mut all = Figures::default();
    for (scenario, stop) in [
        (Scenario::one_job(), Stop::Terminate),
        (Scenario::long_run(), Stop::Cancel),
        (Scenario::array(), Stop::Terminate),
    ] {
        let figures = cancellations(&scenario, stop, 7).await?;
        println!("crash: {}, {stop}: {figures}", scenario.name);
        all += figures;
    }
    println!("crash: cancelled runs: {all}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_deployment_that_dies_again_while_it_recovers_does_everything_once() -> anyhow::Result<()> {
    let mut all = Figures::default();
    for (scenario, stride) in [(Scenario::one_job(), 2), (Scenario::lost_host(), 7)] {
        all += pairs(&scenario, stride).await?;
    }
    println!("crash: every pair of deaths: {all}");
    Ok(())
}

/// Hours: `cargo test --workspace --test crash_points -- --ignored --nocapture`.
#[tokio::test(start_paused = true)]
#[ignore = "takes hours: every pair of deaths of every scenario"]
async fn a_deployment_that_dies_twice_at_any_calls_does_everything_once() -> anyhow::Result<()> {
    let mut all = Figures::default();
    for scenario in Scenario::all() {
        let figures = pairs(&scenario, 1).await?;
        println!("crash: {}: {figures}", scenario.name);
        all += figures;
    }
    println!("crash: all pairs of deaths: {all}");
    Ok(())
}
