//! What is read: single records, and pages of lists.

use serde::de::DeserializeOwned;

use super::RedisStore;
use super::error::failed;
use super::keys::{List, moment, named};
use super::records::{Item, Record};
use crate::domain::{Job, JobHead, JobId, JobName, JobStatus, Run, RunId, Timestamp};
use crate::ports::{Cursor, Page, PortError, Unreadable};

/// Members of a page, and records of one call.
pub(super) const PAGE_SIZE: usize = 500;

/// What was read under a key.
#[derive(Debug)]
pub(super) struct Found<R> {
    pub(super) key: String,
    pub(super) raw: Option<String>,
    pub(super) record: Option<R>,
}

impl<R: DeserializeOwned> Found<R> {
    fn read(key: String, raw: Option<String>) -> Result<Self, Unreadable> {
        match raw.as_deref().map(serde_json::from_str).transpose() {
            Ok(record) => Ok(Self { key, raw, record }),
            Err(why) => Err(Unreadable { key, why: why.to_string() }),
        }
    }
}

fn damaged(operation: &'static str, at: &str) -> impl Fn(Unreadable) -> PortError {
    move |item| {
        let why = format!("{at} holds {} that can't be read: {}; restore or remove it", item.key, item.why);
        PortError::permanent(operation, why)
    }
}

impl RedisStore {
    async fn found<R: DeserializeOwned>(
        &self,
        operation: &'static str,
        key: String,
    ) -> Result<Found<R>, PortError> {
        let answer = redis::cmd("GET").arg(&key).query_async(&mut self.connection.clone()).await;
        Found::read(key, answer.map_err(failed(operation, &self.at))?).map_err(damaged(operation, &self.at))
    }

    pub(super) async fn head(
        &self,
        operation: &'static str,
        job_name: &JobName,
    ) -> Result<Found<JobHead>, PortError> {
        self.found(operation, self.keys.head(job_name.as_str())).await
    }

    pub(super) async fn item(
        &self,
        operation: &'static str,
        job_id: &JobId,
    ) -> Result<Found<Item>, PortError> {
        self.found(operation, self.keys.submission(job_id.as_str())).await
    }

    pub(super) async fn found_run(
        &self,
        operation: &'static str,
        run_id: &RunId,
    ) -> Result<Found<Run>, PortError> {
        self.found(operation, self.keys.run(run_id.as_str())).await
    }

    /// Several records, in the order of the keys.
    pub(super) async fn many<R: DeserializeOwned>(
        &self,
        operation: &'static str,
        keys: &[String],
    ) -> Result<Vec<Result<Found<R>, Unreadable>>, PortError> {
        let mut records = Vec::with_capacity(keys.len());
        for keys in keys.chunks(PAGE_SIZE) {
            let answer: Result<Vec<Option<String>>, _> =
                redis::cmd("MGET").arg(keys).query_async(&mut self.connection.clone()).await;
            let raw = answer.map_err(failed(operation, &self.at))?;
            records.extend(keys.iter().cloned().zip(raw).map(|(key, raw)| Found::read(key, raw)));
        }
        Ok(records)
    }

    /// The same; one that can't be read is an error.
    pub(super) async fn all<R: DeserializeOwned>(
        &self,
        operation: &'static str,
        keys: &[String],
    ) -> Result<Vec<Found<R>>, PortError> {
        let found = self.many(operation, keys).await?;
        found.into_iter().map(|found| found.map_err(damaged(operation, &self.at))).collect()
    }

    /// Up to [`PAGE_SIZE`] members from one bound to another, as `ZRANGEBYLEX` has them.
    pub(super) async fn members(
        &self,
        operation: &'static str,
        list: &List,
        from: &str,
        to: &str,
    ) -> Result<Vec<String>, PortError> {
        let mut range = redis::cmd("ZRANGEBYLEX");
        range.arg(self.keys.list(list)).arg(from).arg(to).arg("LIMIT").arg(0).arg(PAGE_SIZE);
        range.query_async(&mut self.connection.clone()).await.map_err(failed(operation, &self.at))
    }

    /// A page of the records on a list, of those ordered by time up to before a moment. A record that has left the
    /// list since is left out.
    pub(super) async fn page<R: Record>(
        &self,
        operation: &'static str,
        list: &List,
        before: Option<Timestamp>,
        page: Option<&Cursor>,
        key: impl Fn(&str) -> String,
    ) -> Result<Page<R>, PortError> {
        let from = page.map_or_else(|| "-".to_owned(), |Cursor(last)| format!("({last}"));
        let to = before.map_or_else(|| "+".to_owned(), |before| format!("({}", moment(before)));
        let members = self.members(operation, list, &from, &to).await?;
        let next = (members.len() == PAGE_SIZE).then(|| members.last().cloned().map(Cursor)).flatten();
        let keys: Vec<String> = members.iter().map(|member| key(named(member))).collect();
        let mut found_page = Page::new(Vec::new(), next);
        for (found, member) in self.many::<R>(operation, &keys).await?.into_iter().zip(members) {
            match found {
                Ok(Found { record: Some(record), .. }) => {
                    if record.places().contains(&(list.clone(), member)) {
                        found_page.items.push(record);
                    }
                }
                Ok(_) => {}
                Err(unreadable) => found_page.unreadable.push(unreadable),
            }
        }
        Ok(found_page)
    }

    /// A page of submissions.
    pub(super) async fn items(
        &self,
        operation: &'static str,
        list: &List,
        before: Option<Timestamp>,
        page: Option<&Cursor>,
    ) -> Result<Page<Item>, PortError> {
        self.page(operation, list, before, page, |id| self.keys.submission(id)).await
    }

    /// A page of heads.
    pub(super) async fn heads(
        &self,
        operation: &'static str,
        list: &List,
        before: Option<Timestamp>,
        page: Option<&Cursor>,
    ) -> Result<Page<JobHead>, PortError> {
        self.page(operation, list, before, page, |name| self.keys.head(name)).await
    }

    /// A page of the heads of jobs with a status. The list holds names by what is kept of their submissions.
    pub(super) async fn heads_with_status(
        &self,
        operation: &'static str,
        status: JobStatus,
        page: Option<&Cursor>,
    ) -> Result<Page<JobHead>, PortError> {
        let list = List::JobsWithStatus(status);
        let from = page.map_or_else(|| "-".to_owned(), |Cursor(last)| format!("({last}"));
        let names = self.members(operation, &list, &from, "+").await?;
        let next = (names.len() == PAGE_SIZE).then(|| names.last().cloned().map(Cursor)).flatten();
        let keys: Vec<String> = names.iter().map(|name| self.keys.head(name)).collect();
        let mut heads = Page::new(Vec::new(), next);
        for found in self.many(operation, &keys).await? {
            match found {
                Ok(found) => heads.items.extend(found.record),
                Err(unreadable) => heads.unreadable.push(unreadable),
            }
        }
        Ok(heads)
    }

    /// Heads with their latest submissions.
    pub(super) async fn with_latest(
        &self,
        operation: &'static str,
        mut heads: Page<JobHead>,
    ) -> Result<Page<Job>, PortError> {
        let latest = heads.items.iter().filter_map(|head| head.job_id.as_ref());
        let keys: Vec<String> = latest.map(|job_id| self.keys.submission(job_id.as_str())).collect();
        let mut latest = self.many::<Item>(operation, &keys).await?.into_iter();
        let mut jobs = Page::new(Vec::new(), heads.next.take());
        jobs.unreadable = std::mem::take(&mut heads.unreadable);
        for head in heads.items {
            match head.job_id.as_ref().and_then(|_| latest.next()).transpose() {
                Ok(found) => {
                    let latest = found.and_then(|found| found.record).map(|item| item.submission);
                    jobs.items.push(Job { head, latest });
                }
                Err(unreadable) => jobs.unreadable.push(unreadable),
            }
        }
        Ok(jobs)
    }

    /// A job with its latest submission. Both are read again where the submission is missing because it was replaced
    /// or removed between the two reads.
    pub(super) async fn found_job(
        &self,
        operation: &'static str,
        job_name: &JobName,
    ) -> Result<Option<Job>, PortError> {
        let mut found = self.head(operation, job_name).await?;
        loop {
            let Some(head) = found.record else { return Ok(None) };
            let Some(job_id) = &head.job_id else { return Ok(Some(Job { head, latest: None })) };
            let latest = self.item(operation, job_id).await?.record.map(|item| item.submission);
            let again = self.head(operation, job_name).await?;
            if latest.is_some() || again.raw == found.raw {
                return Ok(Some(Job { head, latest }));
            }
            found = again;
        }
    }
}
