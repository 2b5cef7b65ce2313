use batchwright::domain::transition::{Transition, transition};
use batchwright::domain::{Attempt, JobState, JobStatus, LogStream, LogsRecord, Timestamp};
use batchwright::ports::{Applied, JobStore};
use tokio::task::JoinSet;

use crate::contract::fixtures::{NOW, advance, at, id, ids, known, name, set, state, submit, walk};

/// Numbers from a seed: the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        // xorshift64
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap_or(0) % end
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at + 1));
        }
    }
}

fn attempted(job: &str, job_id: &str, attempts: usize, status: JobStatus) -> JobState {
    JobState { attempts: vec![Attempt::default(); attempts], ..state(job, job_id, status) }
}

/// A submission with two retries by Batch, and its end.
fn history(job: &str, job_id: &str, end: JobStatus) -> Vec<JobState> {
    let mut states = vec![attempted(job, job_id, 0, JobStatus::Pending)];
    for attempt in 0..3 {
        for status in [JobStatus::Runnable, JobStatus::Starting, JobStatus::Running] {
            states.push(attempted(job, job_id, attempt, status));
        }
    }
    states.push(attempted(job, job_id, 3, end));
    states
}

pub(super) async fn states_are_applied_as_the_transition_decides<S: JobStore>(
    store: &S,
) -> anyhow::Result<()> {
    let mut numbers = Numbers(0x9E37_79B9_7F4A_7C15);
    for round in 0..20 {
        let job_id = format!("id-{round}");
        let mut model: Option<(JobState, Timestamp)> = None;
        for step in 0..15 {
            let status = JobStatus::ALL[numbers.below(if step < 10 { 5 } else { 7 })];
            let arrived = attempted("a", &job_id, numbers.below(3), status);
            let now = at(1_000 + step);
            let expected = match transition(model.as_ref().map(|(state, _)| state), &arrived) {
                Transition::Apply => {
                    model = Some((arrived.clone(), now));
                    Applied::Applied
                }
                Transition::Ignore(_) => Applied::Stale,
            };
            assert_eq!(store.apply_state(&arrived, now).await?, expected, "{arrived:?}");
            let found = known(store, &job_id).await?;
            assert_eq!(Some((found.state, found.updated_at)), model);
        }
    }
    Ok(())
}

pub(super) async fn any_order_and_number_of_deliveries_converges<S: JobStore>(
    store: &S,
) -> anyhow::Result<()> {
    let mut numbers = Numbers(7);
    for round in 0..20 {
        let job_id = format!("id-{round}");
        let end = if round % 2 == 0 { JobStatus::Succeeded } else { JobStatus::Failed };
        let states = history("a", &job_id, end);
        let mut deliveries = [states.clone(), states.clone()].concat();
        numbers.shuffle(&mut deliveries);
        for arrived in &deliveries {
            store.apply_state(arrived, NOW).await?;
        }
        assert_eq!(Some(&known(store, &job_id).await?.state), states.last());
    }
    Ok(())
}

pub(super) async fn concurrent_deliveries_converge<S: JobStore + Clone + 'static>(
    store: &S,
) -> anyhow::Result<()> {
    let states = history("a", "a-1", JobStatus::Succeeded);
    let mut deliveries = JoinSet::new();
    for arrived in [states.clone(), states.clone()].concat() {
        let store = store.clone();
        deliveries.spawn(async move { store.apply_state(&arrived, NOW).await });
    }
    while let Some(outcome) = deliveries.join_next().await {
        outcome??;
    }
    assert_eq!(Some(&known(store, "a-1").await?.state), states.last());
    Ok(())
}

pub(super) async fn a_terminal_state_never_changes<S: JobStore>(store: &S) -> anyhow::Result<()> {
    for end in [JobStatus::Succeeded, JobStatus::Failed] {
        let job_id = format!("id-{end}");
        let ended = attempted("a", &job_id, 1, end);
        assert_eq!(store.apply_state(&ended, NOW).await?, Applied::Applied);
        for status in JobStatus::ALL {
            for attempts in [0, 1, 2, 10] {
                let late = attempted("a", &job_id, attempts, status);
                assert_eq!(store.apply_state(&late, at(9_000)).await?, Applied::Stale, "{late:?}");
            }
        }
        let found = known(store, &job_id).await?;
        assert_eq!((found.state, found.updated_at), (ended, NOW));
    }
    Ok(())
}

pub(super) async fn a_state_is_kept_whole<S: JobStore>(store: &S) -> anyhow::Result<()> {
    let stream = |name: &str| LogStream {
        group: Some("/my/group".to_owned()),
        name: name.to_owned(),
        container: Some("main".to_owned()),
        region: Some("eu-west-1".to_owned()),
    };
    let mut whole = state("a", "a-1", JobStatus::Failed);
    whole.status_reason = Some("naïve \"quoted\"\nreason \u{1F980}".to_owned());
    whole.reason = Some("OutOfMemoryError: …".to_owned());
    whole.job_queue = "arn:aws:batch:eu-west-1:123456789012:job-queue/queue".to_owned();
    whole.job_definition = "definition:7".to_owned();
    whole.times.created_at = Some(at(1));
    whole.times.started_at = Some(at(2));
    whole.times.stopped_at = Some(at(i64::from(u32::MAX) * 1_000));
    whole.exit_code = Some(-9);
    whole.is_cancelled = true;
    whole.is_terminated = true;
    whole.array_size = Some(10_000);
    whole.num_nodes = Some(2);
    whole.attempts = vec![Attempt {
        started_at: Some(at(3)),
        stopped_at: Some(at(4)),
        exit_code: Some(137),
        reason: Some("reason".to_owned()),
        status_reason: Some("status reason".to_owned()),
        log_streams: vec![stream("first")],
    }];
    whole.log_streams = vec![stream("second"), stream("third")];
    store.apply_state(&whole, NOW).await?;
    assert_eq!(known(store, "a-1").await?.state, whole);
    Ok(())
}

pub(super) async fn children_and_nodes_are_apart_from_their_parent<S: JobStore>(
    store: &S,
) -> anyhow::Result<()> {
    submit(store, "a", "a-1").await?;
    advance(store, "a", "a-1:0", JobStatus::Succeeded).await?;
    advance(store, "a", "a-1:10", JobStatus::Running).await?;
    advance(store, "a", "a-1#1", JobStatus::Failed).await?;
    advance(store, "a", "a-1", JobStatus::Pending).await?;
    for (job_id, status) in [
        ("a-1", JobStatus::Pending),
        ("a-1:0", JobStatus::Succeeded),
        ("a-1:10", JobStatus::Running),
        ("a-1#1", JobStatus::Failed),
    ] {
        assert_eq!(known(store, job_id).await?.state.status, status, "{job_id}");
    }
    assert_eq!(store.submission(&id("a-1:1")).await?, None);
    let all = walk(async |page| store.submissions(&name("a"), page.as_ref()).await).await?;
    assert_eq!(ids(&all)?, set(["a-1", "a-1:0", "a-1:10", "a-1#1"]));
    Ok(())
}

pub(super) async fn a_reason_that_comes_later_is_kept_while_the_submission_is_in_flight<S: JobStore>(
    store: &S,
) -> anyhow::Result<()> {
    submit(store, "a", "a-1").await?;
    let runnable = |reason: Option<&str>| JobState {
        status_reason: reason.map(str::to_owned),
        ..state("a", "a-1", JobStatus::Runnable)
    };
    let reason = async || anyhow::Ok(known(store, "a-1").await?.state.status_reason);
    for (arrived, applied, kept) in [
        (None, Applied::Applied, None),
        (Some("CAPACITY"), Applied::Applied, Some("CAPACITY")),
        (Some("CAPACITY"), Applied::Stale, Some("CAPACITY")),
        (None, Applied::Stale, Some("CAPACITY")),
        (Some("MISCONFIGURATION"), Applied::Applied, Some("MISCONFIGURATION")),
    ] {
        assert_eq!(store.apply_state(&runnable(arrived), NOW).await?, applied, "{arrived:?}");
        assert_eq!(reason().await?.as_deref(), kept, "{arrived:?}");
    }
    advance(store, "a", "a-1", JobStatus::Succeeded).await?;
    assert_eq!(store.apply_state(&runnable(Some("late")), NOW).await?, Applied::Stale);
    assert_eq!(reason().await?, None);
    Ok(())
}

pub(super) async fn logs_are_kept_and_survive_a_later_state<S: JobStore>(store: &S) -> anyhow::Result<()> {
    let mut logs = LogsRecord {
        manifest_key: "logs/a/a-1/manifest.json".to_owned(),
        complete: false,
        incomplete_reason: Some("the stream has not settled".to_owned()),
        events: 3,
        next_look: None,
    };
    assert!(!store.save_logs(&id("a-1"), &logs, NOW).await?, "the submission is not known");
    assert_eq!(store.submission(&id("a-1")).await?, None);
    submit(store, "a", "a-1").await?;
    assert!(store.save_logs(&id("a-1"), &logs, at(1_100)).await?);
    let found = known(store, "a-1").await?;
    assert_eq!((found.logs.as_ref(), found.updated_at), (Some(&logs), at(1_100)));
    advance(store, "a", "a-1", JobStatus::Succeeded).await?;
    let found = known(store, "a-1").await?;
    assert_eq!((found.state.status, found.logs.as_ref()), (JobStatus::Succeeded, Some(&logs)));
    (logs.complete, logs.incomplete_reason, logs.events) = (true, None, 5);
    assert!(store.save_logs(&id("a-1"), &logs, at(1_200)).await?);
    let found = known(store, "a-1").await?;
    assert_eq!((found.state.status, found.logs), (JobStatus::Succeeded, Some(logs)));
    Ok(())
}
