use std::collections::BTreeSet;

use anyhow::ensure;
use batchwright::domain::reasons::LOST;
use batchwright::domain::{
    FollowUp, JobHead, JobState, JobStatus, LogsRecord, NewClaim, NextLook, Submission,
};
use batchwright::ports::{Applied, JobStore};

use super::MANY;
use crate::contract::fixtures::{
    EXPIRY, NOW, advance, at, each_once, granted, id, ids, in_flight, known, name, set, state, submit, taken,
    walk, wish, without_logs,
};

fn names_of_heads(heads: &[JobHead]) -> anyhow::Result<BTreeSet<String>> {
    each_once(heads, |head| head.spec.job_name.to_string())
}

pub(super) async fn only_what_has_not_ended_and_not_changed_is_silent<S: JobStore>(
    store: &S,
) -> anyhow::Result<()> {
    submit(store, "a", "a-1").await?;
    for (job_id, status, millis) in [
        ("old", JobStatus::Running, 500),
        ("old:3", JobStatus::Runnable, 600),
        ("old#1", JobStatus::Starting, 600),
        ("ended", JobStatus::Succeeded, 500),
        ("new", JobStatus::Running, 5_000),
    ] {
        store.apply_state(&state("other", job_id, status), at(millis)).await?;
    }
    let silent = async |since: i64| ids(&in_flight(store, at(since)).await?);
    assert_eq!(silent(400).await?, set([]));
    assert_eq!(silent(900).await?, set(["old", "old:3", "old#1"]));
    assert_eq!(silent(2_000).await?, set(["old", "old:3", "old#1", "a-1"]));
    store.apply_state(&state("other", "old", JobStatus::Failed), at(700)).await?;
    store.apply_state(&state("other", "old:3", JobStatus::Running), at(3_000)).await?;
    store.apply_state(&state("other", "old#1", JobStatus::Pending), at(3_000)).await?;
    assert_eq!(silent(2_000).await?, set(["old#1", "a-1"]), "a stale state is no sign of life");
    Ok(())
}

pub(super) async fn what_batch_had_no_news_of_is_silent_again_later<S: JobStore>(
    store: &S,
) -> anyhow::Result<()> {
    for job_id in ["heard", "unheard:3", "moved", "ended"] {
        store.apply_state(&state("a", job_id, JobStatus::Starting), at(500)).await?;
    }
    let silent = async |since: i64| ids(&in_flight(store, at(since)).await?);
    let (heard, unheard) = (known(store, "heard").await?, known(store, "unheard:3").await?);
    let read_before = [known(store, "moved").await?, known(store, "ended").await?];
    let absent = Submission { state: state("a", "absent", JobStatus::Running), ..heard.clone() };
    store.no_news(std::slice::from_ref(&heard), Some(at(1_500)), at(2_000)).await?;
    store.no_news(&[unheard.clone(), absent], None, at(2_000)).await?;
    store.no_news(&[], None, at(9_000)).await?;
    assert_eq!(silent(2_000).await?, set(["moved", "ended"]));
    assert_eq!(silent(2_001).await?, set(["heard", "unheard:3", "moved", "ended"]));
    assert_eq!(known(store, "heard").await?, Submission { updated_at: at(1_500), ..heard });
    assert_eq!(known(store, "unheard:3").await?, unheard, "asking is no sign of life");
    assert_eq!(store.submission(&id("absent")).await?, None);

    store.apply_state(&state("a", "moved", JobStatus::Running), at(600)).await?;
    let mut ended = state("a", "ended", JobStatus::Failed);
    ended.times.stopped_at = Some(at(550));
    store.apply_state(&ended, at(600)).await?;
    let now = [known(store, "moved").await?, known(store, "ended").await?];
    for stale in [&read_before, &now] {
        store.no_news(&stale[usize::from(stale == &now)..], Some(at(7_000)), at(8_000)).await?;
        assert_eq!([known(store, "moved").await?, known(store, "ended").await?], now, "{stale:?}");
    }
    assert_eq!(silent(700).await?, set(["moved"]));
    let unfinished = without_logs(store, at(560)).await?;
    assert_eq!(ids(&unfinished)?, set(["ended"]), "its end is where it was");
    store.apply_state(&state("a", "heard", JobStatus::Running), at(2_500)).await?;
    assert_eq!(silent(2_400).await?, set(["moved", "unheard:3"]), "a state is a sign of life");
    Ok(())
}

pub(super) async fn lists_that_are_cut_short_leave_nobody_waiting_for_ever<S: JobStore>(
    store: &S,
) -> anyhow::Result<()> {
    const SUBMISSIONS: usize = 24;
    const ASKED: usize = 4;
    for number in 0..SUBMISSIONS {
        store.apply_state(&state("a", &format!("a-{number}"), JobStatus::Running), at(500)).await?;
    }
    let mut asked = BTreeSet::new();
    for pass in 1..=200 {
        // By then all are silent again.
        let since = at(pass * 1_000);
        let mut page = store.silent_submissions(since, None).await?;
        page.items.truncate(ASKED);
        store.no_news(&page.items, None, since).await?;
        asked.extend(ids(&page.items)?);
        if asked.len() == SUBMISSIONS {
            return Ok(());
        }
    }
    anyhow::bail!("only {asked:?} were ever asked about")
}

pub(super) async fn logs_are_unfinished_from_the_end_until_they_are_complete<S: JobStore>(
    store: &S,
) -> anyhow::Result<()> {
    let ended = |job_id: &str, status: JobStatus, stopped_at: Option<i64>| {
        let mut ended = state("a", job_id, status);
        ended.times.stopped_at = stopped_at.map(at);
        ended
    };
    for (state, now) in [
        (ended("early", JobStatus::Succeeded, Some(500)), 500),
        (ended("early:1", JobStatus::Failed, Some(500)), 500),
        (ended("late", JobStatus::Failed, Some(5_000)), 5_000),
        (ended("never-ran", JobStatus::Failed, None), 500),
        (ended("running", JobStatus::Running, None), 500),
    ] {
        store.apply_state(&state, at(now)).await?;
    }
    let unfinished = async |before: i64| ids(&without_logs(store, at(before)).await?);
    assert_eq!(unfinished(400).await?, set([]));
    assert_eq!(unfinished(1_000).await?, set(["early", "early:1", "never-ran"]));
    assert_eq!(unfinished(6_000).await?, set(["early", "early:1", "never-ran", "late"]));
    let record = |complete| LogsRecord {
        manifest_key: "manifest".to_owned(),
        complete,
        incomplete_reason: (!complete).then(|| "the stream has not settled".to_owned()),
        events: 1,
        next_look: None,
    };
    store.save_logs(&id("early"), &record(true), at(600)).await?;
    store.save_logs(&id("early:1"), &record(false), at(600)).await?;
    assert_eq!(unfinished(1_000).await?, set(["early:1", "never-ran"]));
    store.save_logs(&id("running"), &record(true), at(600)).await?;
    store.apply_state(&ended("running", JobStatus::Succeeded, Some(700)), at(700)).await?;
    assert_eq!(unfinished(1_000).await?, set(["early:1", "never-ran"]), "complete logs stay complete");
    let looked_at = |next_look| LogsRecord { next_look: Some(next_look), ..record(true) };
    assert!(store.save_logs(&id("early"), &looked_at(NextLook::At(at(3_000))), at(700)).await?);
    assert_eq!(unfinished(3_000).await?, set(["early:1", "never-ran"]));
    assert_eq!(unfinished(3_001).await?, set(["early", "early:1", "never-ran"]), "a later look is due");
    assert!(!store.save_logs(&id("early"), &record(false), at(700)).await?, "a late loser");
    assert!(
        store
            .submission(&id("early"))
            .await?
            .is_some_and(|known| known.logs.is_some_and(|logs| logs.complete))
    );
    store.save_logs(&id("early"), &looked_at(NextLook::Never), at(700)).await?;
    let refused = LogsRecord { next_look: Some(NextLook::Never), ..record(false) };
    store.save_logs(&id("early:1"), &refused, at(700)).await?;
    assert_eq!(unfinished(3_001).await?, set(["never-ran"]), "nobody looks at them again");
    Ok(())
}

pub(super) async fn only_claims_that_stand_and_have_expired_are_listed<S: JobStore>(
    store: &S,
) -> anyhow::Result<()> {
    let released = granted(store, &wish("released", None)).await?;
    store.release(&name("released"), &released, None, NOW).await?;
    submit(store, "recorded", "recorded-1").await?;
    granted(store, &NewClaim { expires_at: at(9_000), ..wish("live", None) }).await?;
    granted(store, &wish("expired", None)).await?;
    submit(store, "again", "again-1").await?;
    granted(store, &wish("again", Some("again-1"))).await?;
    let expired = async |before: i64| {
        let heads = walk(async |page| store.expired_claims(at(before), page.as_ref()).await).await?;
        for head in &heads {
            let known = store.job(&head.spec.job_name).await?;
            ensure!(known.map(|job| job.head).as_ref() == Some(head), "{head:?} is not what is known");
        }
        names_of_heads(&heads)
    };
    assert_eq!(expired(EXPIRY.as_millis() - 1).await?, set([]));
    assert_eq!(expired(EXPIRY.as_millis() + 1).await?, set(["expired", "again"]));
    assert_eq!(expired(10_000).await?, set(["expired", "again", "live"]));
    Ok(())
}

pub(super) async fn lists_of_claims_of_many_pages_hold_each_once<S: JobStore>(
    store: &S,
) -> anyhow::Result<()> {
    let mut expected = BTreeSet::new();
    for number in 0..MANY {
        let job = format!("job-{number}");
        granted(store, &wish(&job, None)).await?;
        expected.insert(job);
    }
    let heads = walk(async |page| store.expired_claims(at(5_000), page.as_ref()).await).await?;
    assert_eq!(names_of_heads(&heads)?, expected);
    assert_eq!(store.count_by_status().await?.unsubmitted, 1_100);
    Ok(())
}

pub(super) async fn a_claim_on_a_sheet_is_found_by_it_until_it_is_closed<S: JobStore>(
    store: &S,
) -> anyhow::Result<()> {
    let names = ["a", "b", "c", "d"].map(name);
    let sheet = store.open_sheet(&names, EXPIRY).await?;
    // A store without sheets lists each claim.
    let on_sheet = sheet.is_some();
    let claim = |job: &str| NewClaim { on_sheet, ..wish(job, None) };
    let expired = async |before: i64| {
        let heads = walk(async |page| store.expired_claims(at(before), page.as_ref()).await).await?;
        anyhow::Ok(heads.iter().map(|head| head.spec.job_name.to_string()).collect::<BTreeSet<_>>())
    };
    let after = EXPIRY.as_millis() + 1;
    let nonce = granted(store, &claim("a")).await?;
    granted(store, &NewClaim { on_sheet: false, ..claim("b") }).await?;
    let recorded = granted(store, &claim("c")).await?;
    store.record_submission(&taken("c", &recorded, "c-1")).await?;
    assert_eq!(expired(EXPIRY.as_millis() - 1).await?, set([]));
    assert_eq!(expired(after).await?, set(["a", "b"]));
    assert_eq!(store.count_by_status().await?.unsubmitted, 2);

    // Whoever goes on with the file names them again.
    let again = store.open_sheet(&names, at(9_000)).await?;
    assert_eq!(expired(after).await?, set(["a", "b"]));
    store.close_left_sheets(at(after)).await?;
    assert_eq!(expired(after).await?, set(["a", "b"]), "a claim stands on the sheet");
    assert!(store.release(&name("a"), &nonce, None, NOW).await?);
    store.close_left_sheets(EXPIRY).await?;
    granted(store, &claim("a")).await?;
    assert_eq!(expired(after).await?, set(["a", "b"]), "its claims had not expired");
    let [first, again] = [sheet, again].map(Option::unwrap_or_default);
    for (closed, still) in [(&again, true), (&first, !on_sheet)] {
        store.close_sheet(closed).await?;
        store.close_sheet(closed).await?;
        assert_eq!(expired(after).await?.contains("a"), still, "{closed:?} is closed");
    }
    Ok(())
}

pub(super) async fn a_sheet_that_was_left_is_closed_when_none_of_its_claims_stands<S: JobStore>(
    store: &S,
) -> anyhow::Result<()> {
    let names = ["a", "never-claimed"].map(name);
    let on_sheet = store.open_sheet(&names, EXPIRY).await?.is_some();
    let claim = NewClaim { on_sheet, ..wish("a", None) };
    let nonce = granted(store, &claim).await?;
    let later = at(EXPIRY.as_millis() + 1);
    let expired = async || walk(async |page| store.expired_claims(later, page.as_ref()).await).await;
    // Whoever takes the claim over has it listed by itself.
    let over = NewClaim { takes_over: Some(nonce), ..wish("a", None) };
    let nonce = granted(store, &over).await?;
    assert_eq!(names_of_heads(&expired().await?)?, set(["a"]));
    assert!(store.release(&name("a"), &nonce, None, NOW).await?);
    store.close_left_sheets(later).await?;
    granted(store, &claim).await?;
    assert_eq!(expired().await?.is_empty(), on_sheet, "the sheet is gone");
    Ok(())
}

pub(super) async fn ends_with_loose_ends_stay_in_view_until_they_are_settled<S: JobStore>(
    store: &S,
) -> anyhow::Result<()> {
    let failed = |job_id: &str, reason: &str| JobState {
        status_reason: Some(reason.to_owned()),
        ..state("a", job_id, JobStatus::Failed)
    };
    let lost = failed("host-lost", "Host EC2 (instance i-1) terminated.");
    store.save_follow_up(&name("a"), &id("host-lost"), &FollowUp::Settled).await?;
    advance(store, "a", "host-lost", JobStatus::Running).await?;
    store.save_follow_up(&name("a"), &id("host-lost"), &FollowUp::Settled).await?;
    for ended in [
        lost.clone(),
        failed("dependency", "Dependent Job failed"),
        failed("host-lost:3", "Host EC2 (instance i-1) terminated."),
        failed("forgotten", LOST),
        failed("program", "Essential container in task exited"),
        JobState { is_cancelled: true, ..failed("cancelled", "no longer wanted") },
        JobState { is_terminated: true, ..failed("terminated", "Host EC2 (instance i-1) terminated.") },
        state("a", "succeeded", JobStatus::Succeeded),
        JobState { array_size: Some(2), ..state("a", "array", JobStatus::Succeeded) },
        JobState { num_nodes: Some(2), ..state("a", "nodes", JobStatus::Failed) },
        JobState { array_size: Some(2), ..state("a", "in-flight", JobStatus::Pending) },
    ] {
        assert_eq!(store.apply_state(&ended, NOW).await?, Applied::Applied);
    }
    let unsettled = async || {
        let found = walk(async |page| store.unsettled_ends(page.as_ref()).await).await?;
        ids(&found)
    };
    for parent in ["array", "nodes"] {
        assert!(unsettled().await?.contains(parent), "its children may have ended unheard");
        store.save_follow_up(&name("a"), &id(parent), &FollowUp::Settled).await?;
    }
    assert_eq!(
        unsettled().await?,
        set(["host-lost", "dependency", "forgotten", "program"]),
        "settled before the end is not settled"
    );
    for _ in 0..2 {
        store.save_follow_up(&name("a"), &id("host-lost"), &FollowUp::Settled).await?;
        assert_eq!(unsettled().await?, set(["dependency", "forgotten", "program"]));
        assert_eq!(store.apply_state(&lost, NOW).await?, Applied::Stale, "delivered again, it stays settled");
    }
    Ok(())
}
