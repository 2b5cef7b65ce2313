//! How many jobs there are of each status: of some thousands by reading them all, of more by the indexes.

use std::future::Future;

use aws_sdk_dynamodb::types::Select;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::DynamoDbJobStore;
use super::call::failed;
use super::item::{self, Item};
use super::keys;
use super::list::List;
use super::lists::is_head;
use super::table::{BY_MEMBERSHIP, JOB_ID, PLACE, STATUS_SHARD};
use crate::domain::{JobStatus, StatusCounts};
use crate::ports::PortError;

/// Pages of the table, of 1 MB or some 500 jobs, after which jobs are counted by the indexes.
const COUNTED_PAGES: usize = 16;

/// Calls of one count that are under way at once.
const COUNTS_AT_ONCE: usize = 16;

/// Parts in which an index is scanned, so that a million heads, of 130 MB, take 10 calls one after the other and not 130.
const SCANNED_AT_ONCE: i32 = 16;

impl DynamoDbJobStore {
    /// Counts the jobs by status.
    pub(super) async fn counts(&self) -> Result<StatusCounts, PortError> {
        match self.scan_counts().await? {
            Some(counts) => Ok(counts),
            None => self.indexed_counts().await,
        }
    }

    /// Counts the jobs as they are read. `None`: the table is too large to be read as a whole.
    async fn scan_counts(&self) -> Result<Option<StatusCounts>, PortError> {
        let mut counts = StatusCounts::default();
        let mut cursor = None;
        for _ in 0..COUNTED_PAGES {
            let Some(page) = self.scan_jobs(cursor.as_ref()).await? else { return Ok(None) };
            for job in &page.items {
                match job.status() {
                    Some(status) => counts[status] += 1,
                    None => counts.unsubmitted += 1,
                }
            }
            cursor = page.next;
            if cursor.is_none() {
                return Ok(Some(counts));
            }
        }
        Ok(None)
    }

    /// Counts the heads by an index, what FAILED and what is unsubmitted by another, and reads what is in flight and what
    /// is claimed. All others SUCCEEDED.
    async fn indexed_counts(&self) -> Result<StatusCounts, PortError> {
        let mut counts = StatusCounts::default();
        let heads: u64 = at_once(0..SCANNED_AT_ONCE, |part| self.count_heads(part)).await?.iter().sum();
        let of_latest = |kind| at_once(List::of_latest(kind).by_shard(), |shard| self.count_listed(shard));
        counts[JobStatus::Failed] = of_latest(JobStatus::Failed.as_str()).await?.iter().sum();
        counts.unsubmitted = of_latest(keys::UNSUBMITTED).await?.iter().sum();
        let lists = [List::of_all_in_flight(), List::of_all_claims()].into_iter().flat_map(List::by_shard);
        for part in at_once(lists, |shard| self.count_read(shard)).await? {
            part.iter().for_each(|(status, jobs)| counts[status] += jobs);
            counts.unsubmitted += part.unsubmitted;
        }
        let claimed = self.claimed_on_sheets().await?;
        counts.unsubmitted += claimed.iter().filter(|head| head.job_id.is_none()).count() as u64;
        counts[JobStatus::Succeeded] = heads.saturating_sub(counts.total());
        Ok(counts)
    }

    /// Every head stands once in the index by membership, of which this counts one part.
    async fn count_heads(&self, part: i32) -> Result<u64, PortError> {
        let (mut count, mut after) = (0, None);
        loop {
            let scan = self.client.scan().table_name(&self.tables.jobs).index_name(BY_MEMBERSHIP.name);
            let scan = scan.segment(part).total_segments(SCANNED_AT_ONCE);
            let scan = scan.select(Select::Count).filter_expression("#jobId = :head");
            let scan = scan.expression_attribute_names("#jobId", JOB_ID);
            let scan = scan.expression_attribute_values(":head", item::text(keys::HEAD));
            let answer = scan.set_exclusive_start_key(after).send().await;
            let answer = answer.map_err(|error| failed("Scan", error))?;
            count += u64::try_from(answer.count).unwrap_or_default();
            after = answer.last_evaluated_key;
            if after.is_none() {
                return Ok(count);
            }
        }
    }

    /// Counts the entries of a list of one shard.
    async fn count_listed(&self, list: List) -> Result<u64, PortError> {
        let (mut count, mut after) = (0, None);
        loop {
            let query = list.query(self.client.query().table_name(&self.tables.jobs), 0);
            let answer = query.select(Select::Count).set_exclusive_start_key(after).send().await;
            let answer = answer.map_err(|error| failed("Query", error))?;
            count += u64::try_from(answer.count).unwrap_or_default();
            after = answer.last_evaluated_key;
            if after.is_none() {
                return Ok(count);
            }
        }
    }

    /// Counts the jobs whose items are on a list, as they are read.
    async fn count_read(&self, list: List) -> Result<StatusCounts, PortError> {
        let mut counts = StatusCounts::default();
        let mut cursor = None;
        loop {
            let page = self.job_items(&list, cursor.as_ref()).await?;
            page.items.iter().for_each(|item| count_unindexed(item, &mut counts));
            cursor = page.next;
            if cursor.is_none() {
                return Ok(counts);
            }
        }
    }
}

/// What the parts of a count say: each by itself, several at once.
async fn at_once<P, T, F: Future<Output = Result<T, PortError>>>(
    parts: impl IntoIterator<Item = P>,
    count: impl Fn(P) -> F,
) -> Result<Vec<T>, PortError> {
    stream::iter(parts).map(count).buffer_unordered(COUNTS_AT_ONCE).try_collect().await
}

/// Counts a job that its latest submission in flight, or its first claim, stands for.
fn count_unindexed(item: &Item, counts: &mut StatusCounts) {
    if is_head(item) {
        // Earlier versions kept those that are claimed in the index, too.
        let is_counted = item.contains_key(STATUS_SHARD);
        let is_unsubmitted = item::to_head(item).is_ok_and(|(head, _)| head.job_id.is_none());
        counts.unsubmitted += u64::from(is_unsubmitted && !is_counted);
    } else if item::text_in(item, PLACE).is_some_and(|place| place.starts_with(keys::LATEST))
        && let Ok(submission) = item::to_submission(item)
        // Its log waits; the other counts hold it.
        && !submission.state.status.is_terminal()
    {
        counts[submission.state.status] += 1;
    }
}
