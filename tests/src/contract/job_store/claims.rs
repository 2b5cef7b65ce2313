use anyhow::Context as _;
use batchwright::domain::{
    Cause, Claim, ClaimOutcome, JobHead, JobId, JobStatus, NewClaim, Newer, Nonce, RecordOutcome, Try, TryEnd,
};
use batchwright::ports::JobStore;
use tokio::task::JoinSet;

use crate::contract::fixtures::{EXPIRY, NOW, at, granted, id, name, run_id, submit, taken, walk, wish};

async fn head<S: JobStore>(store: &S, job: &str) -> anyhow::Result<JobHead> {
    Ok(store.job(&name(job)).await?.context("the job is not known")?.head)
}

pub(super) async fn a_new_job_gets_its_head_by_its_claim<S: JobStore>(store: &S) -> anyhow::Result<()> {
    assert_eq!(store.job(&name("a")).await?, None);
    let claim = wish("a", None);
    let nonce = granted(store, &claim).await?;
    let job = store.job(&name("a")).await?.context("the job is not known")?;
    assert_eq!((job.status(), &job.latest), (None, &None));
    let head = JobHead {
        spec: claim.spec,
        nonce_seed: Nonce::seed(&claim.run_id, claim.now),
        run_id: claim.run_id,
        claims: 1,
        claim: Some(Claim { nonce, expires_at: EXPIRY, job_queue: None, on_sheet: false }),
        job_id: None,
        job_tries: vec![],
        tries: vec![],
        earlier_tries: 0,
        tries_before: 0,
        refusal: None,
        submitted_at: None,
        updated_at: NOW,
        newer: Newer::default(),
    };
    assert_eq!(job.head, head);
    Ok(())
}

pub(super) async fn a_head_names_the_latest_hundred_of_its_tries_and_counts_the_others<S: JobStore>(
    store: &S,
) -> anyhow::Result<()> {
    let rounds = JobHead::TRIES_KEPT + 3;
    for round in 0..rounds {
        let latest = store.job(&name("a")).await?.and_then(|job| job.head.job_id);
        let replaces = latest.as_ref().map(JobId::as_str);
        let nonce = granted(store, &NewClaim { resets_budget: true, ..wish("a", replaces) }).await?;
        let submission = taken("a", &nonce, &format!("a-{round}"));
        assert_eq!(store.record_submission(&submission).await?, RecordOutcome::Recorded);
    }
    let known = head(store, "a").await?;
    assert_eq!((known.job_tries.len(), known.earlier_tries, known.tries_used()), (rounds - 2, 2, 1));
    assert_eq!(known.job_tries.first(), Some(&id("a-2")));
    assert!(store.submission(&id("a-0")).await?.is_some(), "its item stays");
    assert!(store.submission_of(&name("a"), &id("a-0")).await?.is_some());
    assert_eq!(store.submission_of(&name("b"), &id("a-0")).await?, None, "it is another job's");
    assert_eq!(store.submission_of(&name("a"), &id("none")).await?, None);
    Ok(())
}

pub(super) async fn a_claim_that_stands_is_held_even_when_it_has_expired<S: JobStore>(
    store: &S,
) -> anyhow::Result<()> {
    granted(store, &wish("a", None)).await?;
    let before = head(store, "a").await?;
    for now in [NOW, EXPIRY, EXPIRY.plus_millis(1_000_000)] {
        for replaces in [None, Some("another")] {
            let later = NewClaim { now, expires_at: now.plus_millis(1_000), ..wish("a", replaces) };
            assert_eq!(store.claim(&later).await?, ClaimOutcome::Held, "{now:?}");
        }
    }
    assert_eq!(head(store, "a").await?, before);
    granted(store, &wish("b", None)).await.context("another job is free")?;
    Ok(())
}

pub(super) async fn a_claim_that_expects_another_latest_submission_is_replaced_and_changes_nothing<
    S: JobStore,
>(
    store: &S,
) -> anyhow::Result<()> {
    assert_eq!(store.claim(&wish("new", Some("a-1"))).await?, ClaimOutcome::Replaced);
    assert_eq!(store.job(&name("new")).await?, None);
    submit(store, "a", "a-1").await?;
    submit(store, "a", "a-2").await?;
    let before = head(store, "a").await?;
    for replaces in [None, Some("a-1"), Some("a-3")] {
        let other = NewClaim { run_id: run_id("run-2"), now: at(9_000), ..wish("a", replaces) };
        assert_eq!(store.claim(&other).await?, ClaimOutcome::Replaced, "{replaces:?}");
    }
    assert_eq!(head(store, "a").await?, before);
    granted(store, &wish("a", Some("a-2"))).await?;
    Ok(())
}

pub(super) async fn of_eight_concurrent_claimers_exactly_one_is_granted<S: JobStore + Clone + 'static>(
    store: &S,
) -> anyhow::Result<()> {
    for round in 0..10 {
        let job = format!("job-{round}");
        if round % 2 == 1 {
            submit(store, &job, &format!("{job}-first")).await?;
        }
        let mut claimers = JoinSet::new();
        for _ in 0..8 {
            let (store, first) = (store.clone(), format!("{job}-first"));
            let claim = wish(&job, (round % 2 == 1).then_some(first.as_str()));
            claimers.spawn(async move { store.claim(&claim).await });
        }
        let mut granted: Vec<Nonce> = Vec::new();
        while let Some(outcome) = claimers.join_next().await {
            match outcome?? {
                ClaimOutcome::Granted(nonce) => granted.push(nonce),
                outcome => assert_eq!(outcome, ClaimOutcome::Held),
            }
        }
        let standing = head(store, &job).await?.claim.map(|claim| claim.nonce);
        assert_eq!(granted, Vec::from_iter(standing), "exactly one is granted, and it stands");
    }
    Ok(())
}

fn taking_over(nonce: &Nonce) -> NewClaim {
    NewClaim { takes_over: Some(nonce.clone()), expires_at: at(9_000), ..wish("a", Some("a-1")) }
}

pub(super) async fn a_claim_takes_the_place_of_an_expired_one_while_that_stands<S: JobStore>(
    store: &S,
) -> anyhow::Result<()> {
    let recorded = submit(store, "a", "a-1").await?;
    assert_eq!(store.claim(&taking_over(&recorded)).await?, ClaimOutcome::Replaced, "none stands");
    let first = granted(store, &wish("a", Some("a-1"))).await?;
    assert_eq!(store.claim(&taking_over(&recorded)).await?, ClaimOutcome::Held, "another stands");
    let of_another = NewClaim { replaces: None, ..taking_over(&first) };
    assert_eq!(store.claim(&of_another).await?, ClaimOutcome::Replaced);
    let second = granted(store, &taking_over(&first)).await?;
    assert_ne!(first, second);
    assert_eq!(store.claim(&taking_over(&first)).await?, ClaimOutcome::Held, "it is given up already");
    assert_eq!(store.record_submission(&taken("a", &first, "a-2")).await?, RecordOutcome::Surplus);
    assert!(!store.release(&name("a"), &first, None, NOW).await?);
    let claimed = head(store, "a").await?;
    assert_eq!(claimed.claim.map(|claim| (claim.nonce, claim.expires_at)), Some((second.clone(), at(9_000))));
    assert_eq!((claimed.claims, claimed.job_tries), (3, vec![id("a-1")]));
    assert_eq!(store.record_submission(&taken("a", &second, "a-3")).await?, RecordOutcome::Recorded);
    Ok(())
}

pub(super) async fn of_eight_concurrent_claimers_one_takes_an_expired_claim_over<
    S: JobStore + Clone + 'static,
>(
    store: &S,
) -> anyhow::Result<()> {
    submit(store, "a", "a-1").await?;
    let expired = granted(store, &wish("a", Some("a-1"))).await?;
    let mut claimers = JoinSet::new();
    for _ in 0..8 {
        let (store, claim) = (store.clone(), taking_over(&expired));
        claimers.spawn(async move { store.claim(&claim).await });
    }
    let mut granted = 0;
    while let Some(joined) = claimers.join_next().await {
        granted += usize::from(matches!(joined??, ClaimOutcome::Granted(_)));
    }
    assert_eq!(granted, 1);
    Ok(())
}

pub(super) async fn a_claim_is_released_by_its_own_nonce_alone_and_once<S: JobStore>(
    store: &S,
) -> anyhow::Result<()> {
    let job = name("a");
    let first = granted(store, &wish("a", None)).await?;
    let other = Nonce::derive(&job, "", 77);
    assert!(!store.release(&job, &other, Some("not mine"), at(1_100)).await?);
    assert!(!store.release(&name("unknown"), &first, None, at(1_100)).await?);
    assert_eq!(head(store, "a").await?.updated_at, NOW);

    assert!(store.release(&job, &first, Some("no such queue"), at(1_200)).await?);
    let released = head(store, "a").await?;
    assert_eq!((released.claim, released.refusal.as_deref()), (None, Some("no such queue")));
    assert_eq!((released.claims, released.updated_at), (1, at(1_200)));
    assert!(!store.release(&job, &first, None, at(1_300)).await?, "it stands no longer");
    assert_eq!(head(store, "a").await?.refusal.as_deref(), Some("no such queue"));

    let second = granted(store, &wish("a", None)).await?;
    assert_ne!(first, second);
    let claimed = head(store, "a").await?;
    assert_eq!((claimed.claims, claimed.refusal), (2, None));
    assert!(!store.release(&job, &first, None, at(1_400)).await?, "an old nonce releases no later claim");
    assert!(store.release(&job, &second, None, at(1_500)).await?);
    assert_eq!(head(store, "a").await?.refusal, None);
    Ok(())
}

pub(super) async fn a_claim_takes_the_place_of_the_one_it_names_and_of_no_other<S: JobStore>(
    store: &S,
) -> anyhow::Result<()> {
    let first = granted(store, &wish("a", None)).await?;
    let over =
        |nonce: &Nonce| NewClaim { takes_over: Some(nonce.clone()), now: at(9_000), ..wish("a", None) };
    let other = Nonce::derive(&name("a"), "", 77);
    assert_eq!(store.claim(&over(&other)).await?, ClaimOutcome::Held);
    let second = granted(store, &over(&first)).await?;
    assert_ne!(first, second);
    assert_eq!(head(store, "a").await?.claim.map(|claim| claim.nonce), Some(second.clone()));
    assert_eq!(store.claim(&over(&first)).await?, ClaimOutcome::Held, "it stands no longer");
    assert!(!store.release(&name("a"), &first, None, at(9_100)).await?);
    assert!(store.release(&name("a"), &second, None, at(9_200)).await?);
    assert_eq!(store.claim(&over(&second)).await?, ClaimOutcome::Replaced, "nothing is left to take over");
    Ok(())
}

pub(super) async fn a_later_claim_takes_on_its_spec_and_run_and_may_start_the_budget_anew<S: JobStore>(
    store: &S,
) -> anyhow::Result<()> {
    submit(store, "a", "a-1").await?;
    submit(store, "a", "a-2").await?;
    assert_eq!(head(store, "a").await?.tries_used(), 2);
    let mut claim = NewClaim {
        run_id: run_id("run-2"),
        resets_budget: true,
        on_sheet: false,
        now: at(3_000),
        expires_at: at(4_000),
        ..wish("a", Some("a-2"))
    };
    claim.spec.job_definition = "another-definition".to_owned();
    let nonce = granted(store, &claim).await?;
    let job = store.job(&name("a")).await?.context("the job is not known")?;
    assert_eq!((&job.head.spec, &job.head.run_id), (&claim.spec, &claim.run_id));
    assert_eq!(
        job.head.claim,
        Some(Claim { nonce, expires_at: at(4_000), job_queue: None, on_sheet: false })
    );
    assert_eq!((job.head.claims, job.head.tries_before, job.head.tries_used()), (3, 2, 0));
    assert_eq!((job.head.job_id, job.head.updated_at), (Some(id("a-2")), at(3_000)));
    assert_eq!(job.head.job_tries, [id("a-1"), id("a-2")]);
    assert_eq!(job.latest.map(|latest| latest.state.job_id), Some(id("a-2")));
    Ok(())
}

pub(super) async fn a_claim_keeps_how_the_submission_ended_that_it_replaces_and_where_the_next_goes<
    S: JobStore,
>(
    store: &S,
) -> anyhow::Result<()> {
    const LOST: TryEnd = TryEnd { status: JobStatus::Failed, cause: Some(Cause::HostLost) };
    submit(store, "a", "a-1").await?;
    let first = Try {
        job_id: id("a-1"),
        job_queue: "queue".to_owned(),
        submitted_at: Some(NOW),
        end: None,
        children: None,
        newer: Newer::default(),
    };
    assert_eq!(head(store, "a").await?.tries, std::slice::from_ref(&first));
    let refused = NewClaim { replaced_end: Some(LOST), ..wish("a", Some("a-0")) };
    assert_eq!(store.claim(&refused).await?, ClaimOutcome::Replaced);
    assert_eq!(
        head(store, "a").await?.tries,
        std::slice::from_ref(&first),
        "a claim that was not granted says nothing"
    );

    let elsewhere = Some("elsewhere".to_owned());
    let again = NewClaim { replaced_end: Some(LOST), job_queue: elsewhere, ..wish("a", Some("a-1")) };
    let nonce = granted(store, &again).await?;
    let claimed = head(store, "a").await?;
    let first = Try { end: Some(LOST), ..first };
    assert_eq!((&claimed.tries[..], claimed.claimed_queue()), (std::slice::from_ref(&first), "elsewhere"));
    assert_eq!(claimed.spec.job_queue, "queue", "the spec stays as it was given");
    let expired = walk(async |page| store.expired_claims(at(9_000), page.as_ref()).await).await?;
    assert_eq!(expired, [claimed], "the reconciler learns of it");

    assert!(store.release(&name("a"), &nonce, None, at(1_100)).await?);
    let released = head(store, "a").await?;
    assert_eq!((&released.tries[..], released.claimed_queue()), (std::slice::from_ref(&first), "queue"));
    let succeeded = TryEnd { status: JobStatus::Succeeded, cause: None };
    let elsewhere = Some("elsewhere".to_owned());
    let again = NewClaim { replaced_end: Some(succeeded), job_queue: elsewhere, ..wish("a", Some("a-1")) };
    let nonce = granted(store, &again).await?;
    store.record_submission(&taken("a", &nonce, "a-2")).await?;
    let second = Try {
        job_id: id("a-2"),
        job_queue: "elsewhere".to_owned(),
        submitted_at: Some(NOW),
        end: None,
        children: None,
        newer: Newer::default(),
    };
    assert_eq!(head(store, "a").await?.tries, [first, second.clone()], "an end never changes");
    store.remove_submission(&id("a-1")).await?;
    assert_eq!(head(store, "a").await?.tries, [second]);
    Ok(())
}
