//! Answers of `SubmitJob` that are lost, and calls that take effect when nobody believes in them any more:
//! one submission survives, and one too many is found by its nonce, terminated and counted.

use std::rc::Rc;
use std::time::Duration;

use anyhow::Context as _;
use batchwright::memory::InMemoryJobStore;
use batchwright::ports::Clock;
use batchwright_tests::crash::deployment::{Deployment, Recovery};
use batchwright_tests::crash::fuse::Fuse;
use batchwright_tests::crash::inbox::Function;
use batchwright_tests::crash::network::Passage;
use batchwright_tests::crash::scenario::Scenario;
use batchwright_tests::crash::verdict::judge;
use tokio::task::LocalSet;

/// What one story came to.
struct Story {
    surplus: usize,
    /// Surplus submissions that the submitter, the state handler and the reconciler counted.
    counted: [u64; 3],
}

async fn tell(scenario: &Scenario) -> anyhow::Result<Story> {
    let store = InMemoryJobStore::default();
    let open = move || Ok(store.clone());
    let deployment =
        Rc::new(Deployment::new(scenario, open, Fuse::default(), Recovery::Redelivered, false).await?);
    let start = deployment.clock.now();
    // A claim expires after 300 s and is in quarantine for 300 s more. Passes come every 305 s, so that one
    // that is made at once, or after the minute that the first submission of a retry takes, is settled by
    // the second pass.
    let first_pass = start.plus_millis(if scenario.passages[0].0 == 1 { 310_000 } else { 370_000 });
    LocalSet::new().run_until(deployment.live_at_once(first_pass, start.plus_millis(2_500_000))).await?;
    deployment.live().await?;
    let surplus = judge(&deployment, scenario).await?;
    let functions = [Function::Submitter, Function::StateHandler, Function::Reconciler];
    let counted = functions.map(|function| deployment.metric(function, "SurplusTerminated"));
    Ok(Story { surplus, counted })
}

/// One story for each delay, up to the longest that a function can wait.
async fn tell_all(scenario: impl Fn(Duration) -> Scenario) -> anyhow::Result<Vec<Story>> {
    let mut stories = Vec::new();
    for seconds in (0..=850).step_by(50) {
        let story = tell(&scenario(Duration::from_secs(seconds))).await;
        stories.push(story.with_context(|| format!("{seconds} s late"))?);
    }
    Ok(stories)
}

fn surplus(stories: &[Story]) -> usize {
    stories.iter().map(|story| story.surplus).sum()
}

fn counted(stories: &[Story], by: usize) -> u64 {
    stories.iter().map(|story| story.counted[by]).sum()
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_late_is_of_the_one_submission() -> anyhow::Result<()> {
    for events_lost in [false, true] {
        for (retried, call) in [(false, 1), (true, 2)] {
            if retried && events_lost {
                continue;
            }
            let stories =
                tell_all(|late| Scenario::late(&[(call, Passage::AnswerAfter(late))], retried, events_lost))
                    .await?;
            assert_eq!(surplus(&stories), 0, "the reconciler finds it in Batch's list");
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_submission_that_comes_after_its_claim_is_ended_by_the_submitter_that_waited() -> anyhow::Result<()>
{
    let stories = tell_all(|late| Scenario::late(&[(1, Passage::EffectAfter(late))], false, true)).await?;
    println!(
        "crash: late submissions of the submitter: {} delays, surplus ones found and ended {}",
        stories.len(),
        surplus(&stories)
    );
    assert_eq!(counted(&stories, 0), surplus(&stories) as u64, "nobody else hears of it");
    assert!(surplus(&stories) >= 4, "from 610 s on");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_submission_that_nobody_waits_for_is_ended_at_its_first_event() -> anyhow::Result<()> {
    let given_up = Passage::EffectAfterGivenUp;
    let stories = tell_all(|late| Scenario::late(&[(1, given_up(late))], false, false)).await?;
    println!(
        "crash: late submissions that their event shows: {} delays, surplus ones found and ended {}",
        stories.len(),
        surplus(&stories)
    );
    assert!(counted(&stories, 1) >= surplus(&stories) as u64);
    assert!(surplus(&stories) >= 4, "from 610 s on");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_comes_after_its_claim_is_ended_by_the_state_handler() -> anyhow::Result<()> {
    for passage in [Passage::EffectAfter, Passage::EffectAfterGivenUp] {
        let stories = tell_all(|late| Scenario::late(&[(2, passage(late))], true, false)).await?;
        println!(
            "crash: late submissions of a retry: {} delays, surplus ones found and ended {}",
            stories.len(),
            surplus(&stories)
        );
        assert!(counted(&stories, 1) >= surplus(&stories) as u64);
        assert!(surplus(&stories) >= 3);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_submission_of_the_reconciler_that_comes_late_is_ended_like_any_other() -> anyhow::Result<()> {
    let passages = |late| [(1, Passage::RequestLost), (2, Passage::EffectAfterGivenUp(late))];
    let stories = tell_all(|late| Scenario::late(&passages(late), false, false)).await?;
    println!(
        "crash: late submissions of the reconciler: {} delays, surplus ones found and ended {}",
        stories.len(),
        surplus(&stories)
    );
    assert!(surplus(&stories) >= 3);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_submission_of_an_earlier_claim_is_ended_when_a_listing_shows_it() -> anyhow::Result<()> {
    let passages = |late| [(1, Passage::EffectAfterGivenUp(late)), (2, Passage::AnswerLost)];
    let late = Duration::from_secs(700);
    let story = tell(&Scenario::late(&passages(late), false, true)).await?;
    assert_eq!((story.surplus, story.counted), (1, [0, 0, 1]));
    Ok(())
}
