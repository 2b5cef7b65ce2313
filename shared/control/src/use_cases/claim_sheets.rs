//! Jobs of one file that are about to be claimed, named together: a store that pays for each place on a list then pays for
//! one of a hundred claims, and not for each.

use std::sync::{Arc, OnceLock};

use tokio::sync::OnceCell;
use tracing::warn;

use super::submit::SubmitOutcome;
use crate::domain::{JobName, SheetId, Timestamp};
use crate::ports::{ClaimStore, PortError};

/// Fewer claims are cheaper where each is listed by itself.
const NAMED_MIN: usize = 3;

/// Jobs that are claimed under one sheet. It is opened when the first of them is claimed: of jobs that are left alone
/// nothing is written.
#[derive(Debug)]
pub struct ClaimSheet {
    names: Vec<JobName>,
    opened: OnceCell<Option<Opened>>,
    /// A claim may stand when all is done, so that the sheet has to.
    is_left: OnceLock<()>,
}

#[derive(Debug)]
struct Opened {
    id: SheetId,
    expires_at: Timestamp,
}

impl ClaimSheet {
    /// A sheet of jobs, [`SHEET_MAX`](crate::ports::SHEET_MAX) at most.
    pub fn new(names: Vec<JobName>) -> Self {
        Self { names, opened: OnceCell::new(), is_left: OnceLock::new() }
    }

    /// Whether a claim that is made now and lasts so long may be on the sheet. One that is made late, because the jobs
    /// had to wait, is listed by itself. So is each where the sheet can't be written.
    pub(super) async fn takes(&self, store: &impl ClaimStore, now: Timestamp, claim_ms: i64) -> bool {
        // Boxed, because it would make the future of each submission larger.
        let open = Box::pin(async {
            let expires_at = now.plus_millis(claim_ms.saturating_mul(2));
            match store.open_sheet(&self.names, expires_at).await {
                Ok(id) => id.map(|id| Opened { id, expires_at }),
                Err(error) => {
                    warn!(%error, "claims can't be named together; each is listed by itself");
                    None
                }
            }
        });
        let opened = self.opened.get_or_init(|| open).await.as_ref();
        opened.is_some_and(|opened| now.plus_millis(claim_ms) <= opened.expires_at)
    }

    /// Takes note of what became of one of the jobs.
    pub(super) fn heard(&self, result: &Result<SubmitOutcome, PortError>) {
        if matches!(result, Err(_) | Ok(SubmitOutcome::Unknown(_))) {
            self.is_left.get_or_init(|| ());
        }
    }

    /// Takes it down, unless a claim on it may stand: then the reconciler does. Where it fails, too.
    async fn close(&self, store: &impl ClaimStore) {
        let opened = self.opened.get().and_then(Option::as_ref);
        let Some(opened) = opened.filter(|_| self.is_left.get().is_none()) else { return };
        if let Err(error) = store.close_sheet(&opened.id).await {
            warn!(%error, "the reconciler takes down a sheet of claims");
        }
    }
}

/// The sheets of a file that is being submitted: that of the jobs to come, and those of which some are on their way.
#[derive(Debug, Default)]
pub(super) struct ClaimSheets {
    current: Option<Arc<ClaimSheet>>,
    before: Vec<Arc<ClaimSheet>>,
}

impl ClaimSheets {
    /// Begins the sheet of the next jobs.
    pub(super) fn begin(&mut self, names: Vec<JobName>) {
        let next = (names.len() >= NAMED_MIN).then(|| Arc::new(ClaimSheet::new(names)));
        self.before.extend(std::mem::replace(&mut self.current, next));
    }

    /// The sheet of the next job.
    pub(super) fn current(&self) -> Option<Arc<ClaimSheet>> {
        self.current.clone()
    }

    /// Closes those of which no job is on its way any more.
    pub(super) async fn close_done(&mut self, store: &impl ClaimStore) {
        let done = self.before.extract_if(.., |sheet| Arc::strong_count(sheet) == 1).collect::<Vec<_>>();
        for sheet in done {
            sheet.close(store).await;
        }
    }

    /// No further job is started, and none is on its way.
    pub(super) async fn close_all(mut self, store: &impl ClaimStore) {
        self.begin(Vec::new());
        self.close_done(store).await;
    }
}

#[cfg(test)]
mod tests {
    use batchwright_stores::memory::InMemoryJobStore;

    use super::*;
    use crate::domain::{ClaimOutcome, JobId, JobSpec, NewClaim, RunId};
    use crate::ports::JobStore;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);
    const CLAIM_MS: i64 = 300_000;

    fn names(count: usize) -> Vec<JobName> {
        (0..count).map(|number| JobName::parse(&format!("job-{number}")).unwrap()).collect()
    }

    async fn claim(store: &impl JobStore, job_name: &JobName, on_sheet: bool) {
        let claim = NewClaim {
            spec: JobSpec::new(job_name.clone(), "queue", "definition"),
            run_id: RunId::derive("s3://bucket/jobs.jsonl", "1", "0"),
            replaces: None,
            replaced_end: None,
            job_queue: None,
            takes_over: None,
            resets_budget: true,
            on_sheet,
            now: NOW,
            expires_at: NOW.plus_millis(CLAIM_MS),
        };
        assert!(matches!(store.claim(&claim).await.unwrap(), ClaimOutcome::Granted(_)));
    }

    /// Whether the store finds the claims of these jobs. It finds those on a sheet only while that is open.
    async fn found(store: &impl JobStore) -> Vec<String> {
        let page = store.expired_claims(NOW.plus_millis(2 * CLAIM_MS), None).await.unwrap();
        page.items.iter().map(|head| head.spec.job_name.to_string()).collect()
    }

    #[tokio::test]
    async fn a_sheet_takes_the_claims_that_expire_no_later_than_it_says() {
        let (store, sheet) = (InMemoryJobStore::default(), ClaimSheet::new(names(3)));
        for (after_ms, takes) in [(0, true), (CLAIM_MS, true), (CLAIM_MS + 1, false), (9 * CLAIM_MS, false)] {
            assert_eq!(sheet.takes(&store, NOW.plus_millis(after_ms), CLAIM_MS).await, takes, "{after_ms}");
        }
    }

    #[tokio::test]
    async fn a_sheet_is_closed_when_none_of_its_jobs_is_on_its_way_and_left_where_a_claim_may_stand() {
        let submitted = || Ok(SubmitOutcome::Submitted(JobId::parse("4c75").unwrap()));
        let failed = || Err(PortError::retryable("PutItem", "the connection was reset"));
        let left_open = || Ok(SubmitOutcome::Unknown("no answer".to_owned()));
        for (result, stays) in [(submitted(), false), (failed(), true), (left_open(), true)] {
            let (store, names) = (InMemoryJobStore::default(), names(3));
            let mut sheets = ClaimSheets::default();
            sheets.begin(names.clone());
            let on_its_way = sheets.current().unwrap();
            let takes = on_its_way.takes(&store, NOW, CLAIM_MS).await;
            claim(&store, &names[0], takes).await;
            sheets.begin(Vec::new());
            sheets.close_done(&store).await;
            assert_eq!(found(&store).await, ["job-0"], "a job is on its way");
            on_its_way.heard(&result);
            drop(on_its_way);
            sheets.close_all(&store).await;
            assert_eq!(!found(&store).await.is_empty(), stays, "{result:?}");
        }
    }

    #[test]
    fn a_few_jobs_need_no_sheet() {
        let mut sheets = ClaimSheets::default();
        for (count, is_named) in [(0, false), (2, false), (3, true), (100, true)] {
            sheets.begin(names(count));
            assert_eq!(sheets.current().is_some(), is_named, "{count}");
        }
    }
}
