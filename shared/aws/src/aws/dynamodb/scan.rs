//! All jobs by scans: a table of thousands takes a few calls, where its indexes take one or two for
//! each hundred jobs. A scan reads what it passes over too, so tables that hold little but the children of arrays are
//! read by their indexes.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::scan::builders::ScanFluentBuilder;

use super::call::{failed, unusable};
use super::cursor::ListPosition;
use super::item::{self, Item};
use super::lists::{is_head, is_submission, place_after, read, skipping};
use super::table::{JOB_ID, PLACE};
use super::{DynamoDbJobStore, PAGE_SIZE, keys};
use crate::domain::{Job, JobHead, Submission};
use crate::ports::{Cursor, Page, PortError};

const SCAN: &str = "Scan";

/// Items read for each job that is found, from which on the indexes are the cheaper way.
const READ_FOR_EACH_JOB: usize = 16;

/// Behind all of a job's items: no sort key holds a character that is greater.
const LAST: &str = "\u{10ffff}";

impl DynamoDbJobStore {
    /// A page of all jobs. `None`: the first page shows that the indexes are the better way.
    pub(super) async fn scan_jobs(&self, cursor: Option<&Cursor>) -> Result<Option<Page<Job>>, PortError> {
        let mut after = ListPosition::read(cursor).map_err(unusable(SCAN))?.after;
        loop {
            let scan = self.client.scan().table_name(&self.tables.jobs).consistent_read(true);
            let scan = scan
                .filter_expression("#jobId = :head OR begins_with(#place, :latest)")
                .expression_attribute_names("#jobId", JOB_ID)
                .expression_attribute_names("#place", PLACE)
                .expression_attribute_values(":head", item::text(keys::HEAD))
                .expression_attribute_values(":latest", item::text(keys::LATEST));
            let answer = self.limited(scan).set_exclusive_start_key(after.take()).send().await;
            let answer = answer.map_err(|error| failed(SCAN, error))?;
            let heads = answer.items().iter().filter(|item| is_head(item)).count();
            let scanned = usize::try_from(answer.scanned_count).unwrap_or_default();
            if cursor.is_none() && answer.last_evaluated_key.is_some() && scanned > heads * READ_FOR_EACH_JOB
            {
                return Ok(None);
            }
            // A head comes before all else of its job: behind it are children, which nobody asked for.
            after = answer.last_evaluated_key.map(|mut key| {
                key.insert(JOB_ID.to_owned(), item::text(LAST));
                key
            });
            let next = after.clone().map(|after| ListPosition { shard: 0, after: Some(after) }.write());
            let page = self.joined(answer.items.unwrap_or_default(), next).await?;
            if after.is_none() || !page.items.is_empty() || !page.unreadable.is_empty() {
                return Ok(Some(page));
            }
        }
    }

    /// A page of all submissions, children and nodes.
    pub(super) async fn scan_submissions(
        &self,
        cursor: Option<&Cursor>,
    ) -> Result<Page<Submission>, PortError> {
        let after = ListPosition::read(cursor).map_err(unusable(SCAN))?.after;
        let scan = self.client.scan().table_name(&self.tables.jobs).consistent_read(true);
        let answer = self.limited(scan).set_exclusive_start_key(after).send().await;
        let answer = answer.map_err(|error| failed(SCAN, error))?;
        let items = answer.items.unwrap_or_default().into_iter().filter(is_submission).collect();
        let items = self.named_by_heads(items).await?;
        Ok(read(Page::new(items, place_after(answer.last_evaluated_key)), item::to_submission))
    }

    /// Heads with their latest submissions, most of which stand beside them in the page.
    async fn joined(&self, items: Vec<Item>, next: Option<Cursor>) -> Result<Page<Job>, PortError> {
        let mut unreadable = Vec::new();
        let (heads, others): (Vec<Item>, Vec<Item>) = items.into_iter().partition(is_head);
        let mut beside: HashMap<(String, String), Submission> = HashMap::new();
        for item in others.iter().filter(|item| is_submission(item)) {
            // One that can't be read is read again below, and named there with its job.
            if let Ok(submission) = item::to_submission(item) {
                let state = &submission.state;
                beside.insert((state.job_name.to_string(), state.job_id.to_string()), submission);
            }
        }
        let read = |item: &Item| item::to_head(item).map(|(head, _)| head);
        let heads: Vec<JobHead> =
            heads.iter().filter_map(|item| skipping(read(item), &mut unreadable)).collect();
        let mut jobs = Vec::with_capacity(heads.len());
        let mut apart = Vec::new();
        for head in heads {
            let latest = head.job_id.as_ref().map(|id| (head.spec.job_name.to_string(), id.to_string()));
            match latest.map(|key| beside.remove(&key)) {
                None => jobs.push(Job { head, latest: None }),
                Some(Some(latest)) => jobs.push(Job { head, latest: Some(latest) }),
                Some(None) => apart.push(head),
            }
        }
        jobs.extend(self.with_latest(apart, &mut unreadable).await?);
        Ok(Page { items: jobs, next, unreadable })
    }

    /// Without a limit a page ends at 1 MB.
    fn limited(&self, scan: ScanFluentBuilder) -> ScanFluentBuilder {
        scan.set_limit((self.page_size < PAGE_SIZE).then_some(self.page_size))
    }
}
