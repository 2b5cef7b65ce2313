//! Batches, in order, tried again while the target is away, given up in the end.

use std::future::Future;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tracing::warn;

use crate::events::JobStateChange;

/// Entries in one call. Source: the API reference of EventBridge's `PutEvents`.
const BATCH_MAX: usize = 10;

/// What was not taken in.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::wire) struct Rejected {
    /// Which of the batch, in order.
    pub(in crate::wire) left: Vec<usize>,
    /// The same may be taken in later.
    pub(in crate::wire) may_pass: bool,
    pub(in crate::wire) why: String,
}

/// Takes batches in.
pub(in crate::wire) trait Sink: Send + Sync {
    fn send(&self, batch: &[JobStateChange]) -> impl Future<Output = Result<(), Rejected>> + Send;
}

/// How long a target may be away.
#[derive(Debug, Clone, Copy)]
pub(in crate::wire) struct Policy {
    /// Tries of one batch.
    pub(in crate::wire) tries: u32,
    /// Before the second try; doubled before each one after.
    pub(in crate::wire) first_pause: Duration,
    /// The longest.
    pub(in crate::wire) longest_pause: Duration,
}

impl Default for Policy {
    /// Half a minute in all.
    fn default() -> Self {
        Self { tries: 10, first_pause: Duration::from_millis(100), longest_pause: Duration::from_secs(6) }
    }
}

/// Sends on all events until there can be no more. Events of a batch that was given up are lost. After
/// that a batch is tried once, so that no heap of events builds up, until the target is back. Both are
/// logged, once each.
pub(in crate::wire) async fn deliver(
    mut events: UnboundedReceiver<JobStateChange>,
    sink: &(impl Sink + ?Sized),
    policy: Policy,
) {
    let (mut batch, mut lost) = (Vec::new(), 0_usize);
    while events.recv_many(&mut batch, BATCH_MAX).await > 0 {
        let tries = if lost > 0 { 1 } else { policy.tries };
        match deliver_batch(std::mem::take(&mut batch), sink, policy, tries).await {
            Ok(()) if lost > 0 => {
                warn!(events.lost = lost, "the target of events takes them in again");
                lost = 0;
            }
            Ok(()) => {}
            Err(given_up) => {
                if lost == 0 {
                    let why = given_up.why;
                    warn!(%why, "events can't be delivered and are lost; check the target of events");
                }
                lost += given_up.left.len();
            }
        }
    }
    if lost > 0 {
        warn!(events.lost = lost, "events were lost because their target did not take them in");
    }
}

async fn deliver_batch(
    mut batch: Vec<JobStateChange>,
    sink: &(impl Sink + ?Sized),
    policy: Policy,
    tries: u32,
) -> Result<(), Rejected> {
    let mut pause = policy.first_pause;
    let mut attempt = 1;
    loop {
        let Err(rejected) = sink.send(&batch).await else { return Ok(()) };
        if attempt >= tries || !rejected.may_pass {
            return Err(rejected);
        }
        let mut index = 0;
        batch.retain(|_| {
            let is_left = rejected.left.contains(&index);
            index += 1;
            is_left
        });
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(policy.longest_pause);
        attempt += 1;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use serde_json::json;
    use tokio::sync::mpsc;

    use super::*;

    /// Takes in what its rule lets pass, and keeps count.
    struct Scripted<F> {
        taken: Mutex<Vec<String>>,
        calls: Mutex<usize>,
        rule: F,
    }

    impl<F: Fn(usize, usize) -> Result<(), Rejected> + Send + Sync> Sink for Scripted<F> {
        async fn send(&self, batch: &[JobStateChange]) -> Result<(), Rejected> {
            let call = {
                let mut calls = self.calls.lock().unwrap();
                *calls += 1;
                *calls
            };
            let result = (self.rule)(call, batch.len());
            let left = result.as_ref().err().map(|rejected| rejected.left.clone()).unwrap_or_default();
            let taken = batch.iter().enumerate().filter(|(index, _)| !left.contains(index));
            self.taken.lock().unwrap().extend(taken.map(|(_, event)| event.id.clone()));
            result
        }
    }

    fn event(number: usize) -> JobStateChange {
        serde_json::from_value(json!({
            "id": number.to_string(), "detail-type": "Batch Job State Change", "source": "aws.batch",
            "detail": {"jobName": "a", "jobId": "x", "status": "RUNNING"}
        }))
        .unwrap()
    }

    fn away(count: usize) -> Rejected {
        Rejected { left: (0..count).collect(), may_pass: true, why: "away".into() }
    }

    async fn delivered(
        count: usize,
        rule: impl Fn(usize, usize) -> Result<(), Rejected> + Send + Sync,
    ) -> (Vec<usize>, usize) {
        let sink = Scripted { taken: Mutex::default(), calls: Mutex::default(), rule };
        let (sender, events) = mpsc::unbounded_channel();
        (0..count).for_each(|number| sender.send(event(number)).unwrap());
        drop(sender);
        deliver(events, &sink, Policy::default()).await;
        let taken = sink.taken.into_inner().unwrap();
        (taken.iter().map(|id| id.parse().unwrap()).collect(), sink.calls.into_inner().unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn events_go_out_in_order_in_batches_of_ten() {
        let (taken, calls) = delivered(25, |_, _| Ok(())).await;
        assert_eq!((taken, calls), ((0..25).collect(), 3));
    }

    #[tokio::test(start_paused = true)]
    async fn a_target_that_is_away_for_a_moment_loses_nothing() {
        let (taken, calls) =
            delivered(12, |call, count| if call < 9 { Err(away(count)) } else { Ok(()) }).await;
        assert_eq!((taken, calls), ((0..12).collect(), 10));
    }

    #[tokio::test(start_paused = true)]
    async fn only_entries_that_failed_are_sent_again() {
        let (mut taken, calls) = delivered(10, |call, _| match call {
            1 => Err(Rejected { left: vec![3, 7], may_pass: true, why: "throttled".into() }),
            _ => Ok(()),
        })
        .await;
        taken.sort_unstable();
        assert_eq!((taken, calls), ((0..10).collect(), 2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_target_that_stays_away_is_given_up_and_tried_once_a_batch_until_it_is_back() {
        let (taken, calls) =
            delivered(40, |call, count| if call <= 12 { Err(away(count)) } else { Ok(()) }).await;
        assert_eq!((taken, calls), ((30..40).collect(), 13));
    }

    #[tokio::test(start_paused = true)]
    async fn what_will_be_refused_again_is_not_sent_again() {
        let refuse = |_, count: usize| Err(Rejected { may_pass: false, ..away(count) });
        assert_eq!(delivered(5, refuse).await, (vec![], 1));
    }
}
