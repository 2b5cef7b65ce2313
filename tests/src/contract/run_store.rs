//! What every `RunStore` does.

use std::collections::BTreeSet;

use anyhow::Context as _;
use batchwright::domain::{
    Cancellation, Checkpoint, Ending, Newer, Run, RunCounts, RunEnd, RunOutcome, RunState, SourceVersion,
    Stop, Timestamp,
};
use batchwright::ports::{JobRemoval, RunStore};
use tokio::task::JoinSet;

use super::fixtures::{NOW, at, each_once, run_id, set, walk};
use super::run_cases;

/// Runs every case. Needs a runtime with several threads: one case races.
pub async fn holds<S: RunStore + JobRemoval + Clone + 'static>(
    make: impl AsyncFn() -> anyhow::Result<S>,
) -> anyhow::Result<()> {
    run_cases!(make;
        a_run_is_created_once,
        of_eight_concurrent_creators_one_creates_the_run,
        a_run_moves_on_and_never_back,
        a_run_that_has_ended_moves_no_more,
        a_cancelled_run_never_submits_again,
        only_runs_that_have_not_ended_and_are_silent_are_unfinished,
        of_eight_looks_at_once_one_writes_the_end,
        a_run_has_work_left_until_its_end_is_told,
        a_run_is_pruned_only_as_it_was_read,
        a_list_of_many_pages_holds_each_run_once,
    )
}

fn run(id: &str, checkpoint: u64, updated_at: Timestamp) -> Run {
    Run {
        run_id: run_id(id),
        source: "s3://bucket/jobs/ä file.jsonl".to_owned(),
        source_version: SourceVersion::new(Some("v1".to_owned()), Some("e".to_owned())),
        rerun: false,
        state: RunState::Submitting,
        checkpoint: Checkpoint(checkpoint),
        counts: RunCounts { submitted: checkpoint, ..RunCounts::default() },
        open: Vec::new(),
        started_at: NOW,
        updated_at,
        newer: Newer::default(),
        requested_by: None,
        cancellation: None,
        ending: Ending::default(),
        end: None,
    }
}

async fn a_run_is_created_once<S: RunStore>(store: &S) -> anyhow::Result<()> {
    assert_eq!(store.run(&run_id("a")).await?, None);
    let first = run("a", 0, NOW);
    assert_eq!(store.create_run(&first).await?, None);
    let second = Run { source: "another".to_owned(), ..run("a", 7, at(2_000)) };
    assert_eq!(store.create_run(&second).await?, Some(first.clone()));
    assert_eq!(store.run(&run_id("a")).await?, Some(first));
    Ok(())
}

async fn of_eight_concurrent_creators_one_creates_the_run<S: RunStore + Clone + 'static>(
    store: &S,
) -> anyhow::Result<()> {
    let mut creators = JoinSet::new();
    for number in 0..8 {
        let (store, run) = (store.clone(), run("a", number, NOW));
        creators.spawn(async move { (store.create_run(&run).await, run) });
    }
    let mut created = Vec::new();
    let mut known = Vec::new();
    while let Some(joined) = creators.join_next().await {
        let (answer, run) = joined?;
        match answer? {
            None => created.push(run),
            Some(found) => known.push(found),
        }
    }
    assert_eq!((created.len(), known.len()), (1, 7));
    assert!(known.iter().all(|found| *found == created[0]));
    Ok(())
}

async fn a_run_moves_on_and_never_back<S: RunStore>(store: &S) -> anyhow::Result<()> {
    assert!(!store.save_run(&run("a", 5, NOW)).await?, "the run is not known");
    assert_eq!(store.run(&run_id("a")).await?, None);
    store.create_run(&run("a", 0, NOW)).await?;
    for (checkpoint, written) in [(5, true), (5, true), (4, false), (0, false), (100_000, true), (99, false)]
    {
        let next = run("a", checkpoint, at(2_000));
        assert_eq!(store.save_run(&next).await?, written, "{checkpoint}");
        let known = store.run(&run_id("a")).await?.context("the run is not known")?;
        assert_eq!(known == next, written, "{checkpoint}");
    }
    Ok(())
}

async fn a_run_that_has_ended_moves_no_more<S: RunStore>(store: &S) -> anyhow::Result<()> {
    for (id, state) in [("a", RunState::Submitted), ("b", RunState::Rejected)] {
        store.create_run(&run(id, 3, NOW)).await?;
        let ended = Run { state, ..run(id, 4, at(2_000)) };
        assert!(store.save_run(&ended).await?);
        for late in [run(id, 4, at(3_000)), run(id, 9, at(3_000)), Run { state, ..run(id, 9, at(3_000)) }] {
            assert!(!store.save_run(&late).await?, "{late:?}");
        }
        assert_eq!(store.run(&run_id(id)).await?, Some(ended));
    }
    Ok(())
}

async fn a_cancelled_run_never_submits_again<S: RunStore>(store: &S) -> anyhow::Result<()> {
    let cancellation = Cancellation { requested_at: NOW, reason: "ä".to_owned(), stop: Stop::Terminate };
    let cancelled = |id: &str, checkpoint, state| Run {
        state,
        cancellation: Some(cancellation.clone()),
        ..run(id, checkpoint, at(2_000))
    };
    assert!(!store.save_run(&cancelled("a", 0, RunState::Cancelling)).await?, "the run is not known");
    for (id, before) in [("a", RunState::Submitting), ("b", RunState::Submitted)] {
        store.create_run(&run(id, 3, NOW)).await?;
        store.save_run(&Run { state: before, ..run(id, 3, NOW) }).await?;
        assert!(!store.save_run(&cancelled(id, 3, RunState::Cancelled)).await?, "not in one step");
        assert!(!store.save_run(&cancelled(id, 2, RunState::Cancelling)).await?, "not from behind");
        for _ in 0..2 {
            assert!(store.save_run(&cancelled(id, 3, RunState::Cancelling)).await?);
        }
        for late in [RunState::Submitting, RunState::Submitted, RunState::Rejected] {
            assert!(!store.save_run(&Run { state: late, ..run(id, 9, at(3_000)) }).await?, "{late}");
        }
        assert!(unfinished(store, 5_000).await?.contains(id), "its jobs may be under way");
        assert!(store.save_run(&cancelled(id, 3, RunState::Cancelled)).await?);
        assert!(!store.save_run(&cancelled(id, 3, RunState::Cancelling)).await?);
        assert_eq!(store.run(&run_id(id)).await?, Some(cancelled(id, 3, RunState::Cancelled)));
    }
    Ok(())
}

async fn unfinished<S: RunStore>(store: &S, since: i64) -> anyhow::Result<BTreeSet<String>> {
    let runs = walk(async |page| store.unfinished_runs(at(since), page.as_ref()).await).await?;
    each_once(&runs, |run| run.run_id.to_string())
}

/// A look at the end of a run whose jobs have all ended.
fn looked(id: &str, looks: u32, told: bool) -> Run {
    let end = RunEnd { ended_at: at(1_500), outcome: RunOutcome::Succeeded, succeeded: 3, failed: 0, told };
    let ending = Ending { looks, since: Some(at(1_400)), ..Ending::default() };
    Run { state: RunState::Submitted, ending, end: Some(end), ..run(id, 3, at(2_000)) }
}

async fn submitted<S: RunStore>(store: &S, id: &str) -> anyhow::Result<()> {
    store.create_run(&run(id, 3, NOW)).await?;
    store.save_run(&Run { state: RunState::Submitted, ..run(id, 3, NOW) }).await?;
    Ok(())
}

async fn of_eight_looks_at_once_one_writes_the_end<S: RunStore + Clone + 'static>(
    store: &S,
) -> anyhow::Result<()> {
    submitted(store, "a").await?;
    let mut looks = JoinSet::new();
    for number in 0..8 {
        let store = store.clone();
        let mut run = looked("a", 1, false);
        run.counts.skipped = number;
        looks.spawn(async move { (store.save_run(&run).await, run) });
    }
    let mut written = Vec::new();
    while let Some(joined) = looks.join_next().await {
        let (answer, run) = joined?;
        if answer? {
            written.push(run);
        }
    }
    assert_eq!(written.len(), 1);
    assert_eq!(store.run(&run_id("a")).await?.as_ref(), written.first());
    Ok(())
}

async fn a_run_has_work_left_until_its_end_is_told<S: RunStore>(store: &S) -> anyhow::Result<()> {
    submitted(store, "a").await?;
    assert_eq!(unfinished(store, 5_000).await?, set(["a"]), "its jobs may be under way");
    assert!(store.save_run(&looked("a", 1, false)).await?);
    assert_eq!(unfinished(store, 5_000).await?, set(["a"]), "nobody has told of its end");
    assert!(!store.save_run(&looked("a", 1, true)).await?, "each look has a number");
    assert!(store.save_run(&looked("a", 2, true)).await?);
    assert_eq!(unfinished(store, 5_000).await?, set([]));
    let cancelled = |looks| {
        let cancellation = Cancellation { requested_at: NOW, reason: "ä".to_owned(), stop: Stop::Cancel };
        Run { state: RunState::Cancelling, cancellation: Some(cancellation), ..looked("a", looks, false) }
    };
    assert!(!store.save_run(&cancelled(1)).await?, "who cancels has not seen the last look");
    assert_eq!(store.run(&run_id("a")).await?, Some(looked("a", 2, true)));
    Ok(())
}

async fn only_runs_that_have_not_ended_and_are_silent_are_unfinished<S: RunStore>(
    store: &S,
) -> anyhow::Result<()> {
    store.create_run(&run("silent", 1, at(500))).await?;
    store.create_run(&run("lively", 1, at(500))).await?;
    store.save_run(&run("lively", 2, at(5_000))).await?;
    store.create_run(&run("ended", 1, at(500))).await?;
    store.save_run(&Run { updated_at: at(600), ..looked("ended", 1, true) }).await?;
    assert_eq!(unfinished(store, 400).await?, set([]));
    assert_eq!(unfinished(store, 1_000).await?, set(["silent"]));
    assert_eq!(unfinished(store, 6_000).await?, set(["silent", "lively"]));
    Ok(())
}

async fn a_list_of_many_pages_holds_each_run_once<S: RunStore>(store: &S) -> anyhow::Result<()> {
    let mut expected = BTreeSet::new();
    for number in 0..1_100 {
        let id = format!("run-{number}");
        store.create_run(&run(&id, 0, NOW)).await?;
        expected.insert(id);
    }
    assert_eq!(unfinished(store, 5_000).await?, expected);
    let all = walk(async |page| store.runs(page.as_ref()).await).await?;
    assert_eq!(each_once(&all, |run| run.run_id.to_string())?, expected);
    Ok(())
}

async fn a_run_is_pruned_only_as_it_was_read<S: RunStore + JobRemoval>(store: &S) -> anyhow::Result<()> {
    submitted(store, "a").await?;
    store.save_run(&looked("a", 1, false)).await?;
    assert!(store.save_run(&looked("a", 2, true)).await?);
    assert!(!store.prune_run(&looked("a", 1, false)).await?, "a look came in between");
    assert!(store.prune_run(&looked("a", 2, true)).await?);
    assert!(!store.prune_run(&looked("a", 2, true)).await?, "it is gone");
    assert_eq!(store.run(&run_id("a")).await?, None);
    let all = walk(async |page| store.runs(page.as_ref()).await).await?;
    assert!(all.is_empty());
    Ok(())
}
