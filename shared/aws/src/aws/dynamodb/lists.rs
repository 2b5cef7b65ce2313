//! Pages, by the indexes. An index gives keys, an entry or more late; the items are read by
//! these keys, and those are left out that have left the list meanwhile.

use super::DynamoDbJobStore;
use super::call::{failed, unusable};
use super::cursor::ListPosition;
use super::item::{self, BadItem, Item};
use super::keys::{self, Work};
use super::list::List;
use super::table::{BY_MEMBERSHIP, JOB_ID, JOB_NAME};
use crate::domain::{Job, JobHead, JobId, JobName, JobStatus, RunId, Submission, Timestamp};
use crate::ports::{Cursor, Page, PortError, Unreadable};

const QUERY: &str = "Query";

impl DynamoDbJobStore {
    /// One page of a list, the items as they are now: not empty before the end.
    pub(super) async fn list(
        &self,
        table: &str,
        list: &List,
        cursor: Option<&Cursor>,
    ) -> Result<Page<Item>, PortError> {
        let mut place = ListPosition::read(cursor).map_err(unusable(QUERY))?;
        loop {
            let query = list.query(self.client.query().table_name(table), place.shard).limit(self.page_size);
            let answer = query.set_exclusive_start_key(place.after.clone()).send().await;
            let answer = answer.map_err(|error| failed(QUERY, error))?;
            let keys: Vec<Item> = answer.items().iter().map(item::key_of).collect();
            let mut items: Vec<Item> = self.items(table, &keys).await?.into_iter().flatten().collect();
            items.retain(|item| list.holds(item, place.shard));
            match place.next(answer.last_evaluated_key, list.shards) {
                Some(next) if items.is_empty() => place = next,
                next => return Ok(Page::new(items, next.map(|next| next.write()))),
            }
        }
    }

    pub(super) async fn job_items(
        &self,
        list: &List,
        cursor: Option<&Cursor>,
    ) -> Result<Page<Item>, PortError> {
        self.list(&self.tables.jobs, list, cursor).await
    }

    pub(super) async fn list_submissions(
        &self,
        list: &List,
        cursor: Option<&Cursor>,
    ) -> Result<Page<Submission>, PortError> {
        let mut page = self.job_items(list, cursor).await?;
        page.items.retain(is_submission);
        page.items = self.named_by_heads(page.items).await?;
        Ok(read(page, item::to_submission))
    }

    /// In flight, and ends whose logs wait. Those of an end may have been complete before the end was known.
    pub(super) async fn list_silent(
        &self,
        since: Timestamp,
        cursor: Option<&Cursor>,
    ) -> Result<Page<Submission>, PortError> {
        let mut page = self.list_submissions(&List::of_work(Work::InFlight, since), cursor).await?;
        page.items.retain(|found| !found.state.status.is_terminal() || found.logs_wait_since().is_some());
        Ok(page)
    }

    /// Some wait for a look that is due later than their entry says.
    pub(super) async fn list_without_logs(
        &self,
        before: Timestamp,
        cursor: Option<&Cursor>,
    ) -> Result<Page<Submission>, PortError> {
        let page = self.job_items(&List::of_work(Work::Logs, before), cursor).await?;
        let mut page = read(page, item::to_submission);
        page.items.retain(|found| found.logs_wait_since().is_some_and(|since| since < before));
        Ok(page)
    }

    pub(super) async fn list_heads(
        &self,
        list: &List,
        cursor: Option<&Cursor>,
    ) -> Result<Page<JobHead>, PortError> {
        let page = self.job_items(list, cursor).await?;
        Ok(read(page, |item| item::to_head(item).map(|(head, _)| head)))
    }

    pub(super) async fn list_jobs_of_run(
        &self,
        run_id: &RunId,
        cursor: Option<&Cursor>,
    ) -> Result<Page<Job>, PortError> {
        let page = self.list_heads(&List::of_run(run_id), cursor).await?;
        self.with_latest_of(page).await
    }

    /// All jobs by the index that holds every head once, and little else.
    pub(super) async fn list_all_jobs(&self, cursor: Option<&Cursor>) -> Result<Page<Job>, PortError> {
        const SCAN: &str = "Scan";
        let mut after = ListPosition::read(cursor).map_err(unusable(SCAN))?.after;
        loop {
            let scan = self.client.scan().table_name(&self.tables.jobs).index_name(BY_MEMBERSHIP.name);
            let scan = scan.limit(self.page_size).set_exclusive_start_key(after.take());
            let answer = scan.send().await.map_err(|error| failed(SCAN, error))?;
            let keys: Vec<Item> =
                answer.items().iter().filter(|entry| is_head(entry)).map(item::key_of).collect();
            let items: Vec<Item> =
                self.items(&self.tables.jobs, &keys).await?.into_iter().flatten().collect();
            after = answer.last_evaluated_key;
            if after.is_none() || !items.is_empty() {
                let page = read(Page::new(items, place_after(after)), |item| {
                    item::to_head(item).map(|(head, _)| head)
                });
                return self.with_latest_of(page).await;
            }
        }
    }

    async fn with_latest_of(&self, mut page: Page<JobHead>) -> Result<Page<Job>, PortError> {
        let jobs = self.with_latest(std::mem::take(&mut page.items), &mut page.unreadable).await?;
        Ok(Page { items: jobs, next: page.next, unreadable: page.unreadable })
    }

    pub(super) async fn list_jobs_with_status(
        &self,
        status: JobStatus,
        cursor: Option<&Cursor>,
    ) -> Result<Page<Job>, PortError> {
        let list = match status {
            JobStatus::Failed => List::of_latest(status.as_str()),
            _ => List::of_all_in_flight(),
        };
        let mut page = self.job_items(&list, cursor).await?;
        if !status.is_terminal() {
            page.items.retain(|item| item::to_submission(item).is_ok_and(|it| it.state.status == status));
        }
        let named = |item: &Item| JobName::parse(item::text_in(item, JOB_NAME).unwrap_or_default());
        let names: Result<Vec<JobName>, _> = page.items.iter().map(named).collect();
        let names = names.map_err(unusable(QUERY))?;
        let mut unreadable = Vec::new();
        let jobs = self.named(&names, Some(&mut unreadable)).await?.into_iter().zip(page.items);
        let still = |(job, listed): (Option<Job>, Item)| {
            job.filter(|job| {
                let is_latest = job.head.job_id.as_ref().map(JobId::as_str) == item::text_in(&listed, JOB_ID);
                is_latest && job.status() == Some(status)
            })
        };
        Ok(Page { items: jobs.filter_map(still).collect(), next: page.next, unreadable })
    }

    /// A job's items but its head, in the order of their ids.
    pub(super) async fn list_of_job(
        &self,
        job_name: &JobName,
        cursor: Option<&Cursor>,
    ) -> Result<Page<Submission>, PortError> {
        let place = ListPosition::read(cursor).map_err(unusable(QUERY))?;
        let page = self.partition(job_name, place.after, self.page_size).await?;
        let next = place_after(page.next);
        let items = self.named_by_heads(page.items.into_iter().filter(is_submission).collect()).await?;
        Ok(read(Page::new(items, next), item::to_submission))
    }

    /// The ends that wait for a job, found in the partition of that job.
    pub(super) async fn list_waiting(
        &self,
        job_name: &JobName,
        cursor: Option<&Cursor>,
    ) -> Result<Page<Submission>, PortError> {
        let mut place = ListPosition::read(cursor).map_err(unusable(QUERY))?;
        loop {
            let query = self.client.query().table_name(&self.tables.jobs).consistent_read(true);
            let query =
                query.key_condition_expression("#jobName = :jobName AND begins_with(#jobId, :waiter)");
            let query = query.expression_attribute_names("#jobName", JOB_NAME);
            let query = query.expression_attribute_names("#jobId", JOB_ID);
            let query = query.expression_attribute_values(":jobName", item::text(job_name.as_str()));
            let query = query.expression_attribute_values(":waiter", item::text(keys::WAITER));
            let query = query.limit(self.page_size).set_exclusive_start_key(place.after.take());
            let answer = query.send().await.map_err(|error| failed(QUERY, error))?;
            let keys: Vec<Item> = answer.items().iter().filter_map(item::waiting_key).collect();
            let mut items: Vec<Item> =
                self.items(&self.tables.jobs, &keys).await?.into_iter().flatten().collect();
            // A writer that died may have left a waiter behind.
            items.retain(|item| item::text_in(item, item::WAITS_FOR) == Some(job_name.as_str()));
            match place.next(answer.last_evaluated_key, 1) {
                Some(next) if items.is_empty() => place = next,
                next => {
                    let next = next.map(|next| next.write());
                    return Ok(read(Page::new(items, next), item::to_submission));
                }
            }
        }
    }

    /// The items of one job from a key on, as they are now.
    pub(super) async fn partition(
        &self,
        job_name: &JobName,
        after: Option<Item>,
        limit: i32,
    ) -> Result<Found, PortError> {
        let query = self.client.query().table_name(&self.tables.jobs).consistent_read(true).limit(limit);
        let query = query.key_condition_expression("#jobName = :jobName");
        let query = query.expression_attribute_names("#jobName", JOB_NAME);
        let query = query.expression_attribute_values(":jobName", item::text(job_name.as_str()));
        let answer = query.set_exclusive_start_key(after).send().await;
        let answer = answer.map_err(|error| failed(QUERY, error))?;
        Ok(Found { items: answer.items.unwrap_or_default(), next: answer.last_evaluated_key })
    }
}

/// What one query of a job's items found.
pub(super) struct Found {
    pub(super) items: Vec<Item>,
    pub(super) next: Option<Item>,
}

pub(super) fn place_after(last: Option<Item>) -> Option<Cursor> {
    ListPosition::default().next(last, 1).map(|next| next.write())
}

pub(super) fn is_head(item: &Item) -> bool {
    item::text_in(item, JOB_ID) == Some(keys::HEAD)
}

/// Whether it is a submission, child or node.
pub(super) fn is_submission(item: &Item) -> bool {
    item::text_in(item, JOB_ID).is_some_and(keys::is_job_id)
}

/// Reads the items of a page. One that can't be read is left out, and named.
pub(super) fn read<T>(page: Page<Item>, read: impl Fn(&Item) -> Result<T, BadItem>) -> Page<T> {
    let mut unreadable = Vec::new();
    let items = page.items.iter().filter_map(|item| skipping(read(item), &mut unreadable)).collect();
    Page { items, next: page.next, unreadable }
}

/// What was read; `None`, with a word in the log and among the unreadable, where it can't be.
pub(super) fn skipping<T>(read: Result<T, BadItem>, unreadable: &mut Vec<Unreadable>) -> Option<T> {
    match read {
        Ok(record) => Some(record),
        Err(bad) => {
            tracing::warn!(item.key = bad.key(), why = %bad, "an item can't be read; it is left out");
            unreadable.push(Unreadable { key: bad.key().to_owned(), why: bad.to_string() });
            None
        }
    }
}
