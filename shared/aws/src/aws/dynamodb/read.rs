//! Items by their keys, as they are after every write.

use std::collections::{BTreeMap, HashMap, HashSet};

use aws_sdk_dynamodb::types::KeysAndAttributes;

use super::DynamoDbJobStore;
use super::call::{failed, pause_before, unusable};
use super::item::{self, Item};
use super::keys;
use super::lists::{is_head, skipping};
use super::table::{BY_ENTRY, ENTRY, JOB_ID, JOB_NAME, RUN_ID};
use crate::domain::{Job, JobHead, JobId, JobName, JobState, Submission};
use crate::ports::{PortError, Unreadable};

/// Keys of one `BatchGetItem`. Source: its API reference.
const BATCH_GET_MAX: usize = 100;

/// Items at the beginning of a job's partition that are read with its head: some 4 KB, which is the unit that is paid.
const BESIDE_HEAD: i32 = 4;

/// The values of an item's key.
type KeyText = Vec<String>;

fn key_text(item: &Item) -> KeyText {
    [JOB_NAME, JOB_ID, RUN_ID]
        .iter()
        .filter_map(|name| item::text_in(item, name))
        .map(str::to_owned)
        .collect()
}

impl DynamoDbJobStore {
    /// One item of the jobs table.
    pub(super) async fn item(&self, table: &str, key: Item) -> Result<Option<Item>, PortError> {
        let get = self.client.get_item().table_name(table).set_key(Some(key)).consistent_read(true);
        Ok(get.send().await.map_err(|error| failed("GetItem", error))?.item)
    }

    /// Several items, in the order of the keys; of one that is asked for twice, both.
    pub(super) async fn items(&self, table: &str, keys: &[Item]) -> Result<Vec<Option<Item>>, PortError> {
        let wanted: BTreeMap<KeyText, &Item> = keys.iter().map(|key| (key_text(key), key)).collect();
        let wanted: Vec<Item> = wanted.into_values().cloned().collect();
        let mut found = HashMap::new();
        for batch in wanted.chunks(BATCH_GET_MAX) {
            self.batch(table, batch.to_vec(), &mut found).await?;
        }
        Ok(keys.iter().map(|key| found.get(&key_text(key)).cloned()).collect())
    }

    /// One batch, with what DynamoDB leaves over.
    async fn batch(
        &self,
        table: &str,
        keys: Vec<Item>,
        found: &mut HashMap<KeyText, Item>,
    ) -> Result<(), PortError> {
        const OPERATION: &str = "BatchGetItem";
        let request = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true).build();
        let mut left = Some(HashMap::from([(table.to_owned(), request.map_err(unusable(OPERATION))?)]));
        for round in 0.. {
            let answer = self.client.batch_get_item().set_request_items(left.take()).send().await;
            let answer = answer.map_err(|error| failed(OPERATION, error))?;
            let items = answer.responses.and_then(|mut tables| tables.remove(table)).unwrap_or_default();
            found.extend(items.into_iter().map(|item| (key_text(&item), item)));
            left = answer.unprocessed_keys.filter(|tables| !tables.is_empty());
            if left.is_none() {
                break;
            }
            pause_before(OPERATION, round).await?;
        }
        Ok(())
    }

    /// A head with the number of its last write.
    pub(super) async fn head(&self, job_name: &JobName) -> Result<Option<(JobHead, u64)>, PortError> {
        let found = self.item(&self.tables.jobs, item::head_key(job_name)).await?;
        found.as_ref().map(item::to_head).transpose().map_err(unusable("GetItem"))
    }

    /// The key of a submission, found by the index.
    pub(super) async fn locate(&self, job_id: &JobId) -> Result<Option<Item>, PortError> {
        let query = self.client.query().table_name(&self.tables.jobs).index_name(BY_ENTRY.name);
        let query =
            query.key_condition_expression("#entry = :entry").expression_attribute_names("#entry", ENTRY);
        let query = query.expression_attribute_values(":entry", item::text(job_id.as_str())).limit(1);
        let answer = query.send().await.map_err(|error| failed("Query", error))?;
        Ok(answer.items().first().map(item::key_of))
    }

    /// The submission of that id, found by the index.
    pub(super) async fn found(&self, job_id: &JobId) -> Result<Option<Submission>, PortError> {
        let Some(key) = self.locate(job_id).await? else { return Ok(None) };
        let found = self.known_by_key(key.clone()).await?;
        Ok(found)
    }

    /// A submission by its key, as it was a moment ago at the earliest: what follows from it is written on condition.
    pub(super) async fn known_by_key(&self, key: Item) -> Result<Option<Submission>, PortError> {
        let get = self.client.get_item().table_name(&self.tables.jobs).set_key(Some(key.clone()));
        let mut found = get.send().await.map_err(|error| failed("GetItem", error))?.item;
        if found.is_none() {
            // It may have been written just now.
            found = self.item(&self.tables.jobs, key).await?;
        }
        let Some(found) = found else { return Ok(None) };
        let submission = item::to_submission(&found).map_err(unusable("GetItem"))?;
        if item::is_unconfirmed(&found) && !self.names(&submission.state).await? {
            return Ok(None);
        }
        self.found.keep(submission.state.job_id.clone(), found);
        Ok(Some(submission))
    }

    /// Whether a submission is recorded. The head tells of all but the oldest ones, and what it has told once stays true,
    /// so that an old answer will do.
    pub(super) async fn is_named(&self, job_name: &JobName, job_id: &JobId) -> Result<bool, PortError> {
        let get =
            self.client.get_item().table_name(&self.tables.jobs).set_key(Some(item::head_key(job_name)));
        let found = get.send().await.map_err(|error| failed("GetItem", error))?.item;
        let head = found.as_ref().map(item::to_head).transpose().map_err(unusable("GetItem"))?;
        if head.is_some_and(|(head, _)| head.job_tries.contains(job_id)) {
            return Ok(true);
        }
        Ok(self.known_by_key(item::submission_key(job_name, job_id)).await?.is_some())
    }

    /// Whether its job's head names a submission.
    async fn names(&self, state: &JobState) -> Result<bool, PortError> {
        let head = self.head(&state.job_name).await?;
        Ok(head.is_some_and(|(head, _)| head.job_tries.contains(&state.job_id)))
    }

    /// Leaves out of a page what no head names: recorders died before they wrote the head.
    pub(super) async fn named_by_heads(&self, mut items: Vec<Item>) -> Result<Vec<Item>, PortError> {
        let heads: Vec<Item> = items
            .iter()
            .filter(|item| item::is_unconfirmed(item))
            .filter_map(|item| item::text_in(item, JOB_NAME))
            .map(|job_name| item::item_key(job_name, keys::HEAD))
            .collect();
        if heads.is_empty() {
            return Ok(items);
        }
        let heads = self.items(&self.tables.jobs, &heads).await?;
        let heads: Vec<JobHead> = heads
            .iter()
            .flatten()
            .filter_map(|item| item::to_head(item).ok())
            .map(|(head, _)| head)
            .collect();
        let named: HashSet<&str> = heads.iter().flat_map(|head| &head.job_tries).map(JobId::as_str).collect();
        items.retain(|item| {
            !item::is_unconfirmed(item) || item::text_in(item, JOB_ID).is_some_and(|id| named.contains(id))
        });
        Ok(items)
    }

    /// A job with its latest submission, which mostly stands beside the head: one read for both.
    pub(super) async fn job_by_name(&self, job_name: &JobName) -> Result<Option<Job>, PortError> {
        let found = self.partition(job_name, None, BESIDE_HEAD).await?.items;
        let Some(head) = found.iter().find(|item| is_head(item)) else { return Ok(None) };
        let (head, _) = item::to_head(head).map_err(unusable("Query"))?;
        let latest = head.job_id.as_ref().map(JobId::as_str);
        let beside =
            latest.and_then(|latest| found.iter().find(|item| item::text_in(item, JOB_ID) == Some(latest)));
        if let Some(latest) = beside {
            let latest = Some(item::to_submission(latest).map_err(unusable("Query"))?);
            return Ok(Some(Job { head, latest }));
        }
        let mut unreadable = Vec::new();
        let job = self.with_latest(vec![head], &mut unreadable).await?.pop();
        match unreadable.pop() {
            Some(bad) => Err(PortError::permanent("BatchGetItem", bad.why)),
            None => Ok(job),
        }
    }

    /// Heads with their latest submissions. A job whose submission can't be read is left out, and named.
    pub(super) async fn with_latest(
        &self,
        heads: Vec<JobHead>,
        unreadable: &mut Vec<Unreadable>,
    ) -> Result<Vec<Job>, PortError> {
        let key = |head: &JobHead| {
            head.job_id.as_ref().map(|job_id| item::submission_key(&head.spec.job_name, job_id))
        };
        let keys: Vec<Item> = heads.iter().filter_map(key).collect();
        let mut latest = self.items(&self.tables.jobs, &keys).await?.into_iter();
        let mut jobs = Vec::with_capacity(heads.len());
        for head in heads {
            let found = if head.job_id.is_some() { latest.next().flatten() } else { None };
            let latest = found.as_ref().map(item::to_submission).transpose();
            if let Some(latest) = skipping(latest, unreadable) {
                jobs.push(Job { head, latest });
            }
        }
        Ok(jobs)
    }

    /// Several jobs, in the order of the names. What can't be read is left out and named where the caller takes
    /// it, and else an error: a job that is taken for unknown would be submitted.
    pub(super) async fn named(
        &self,
        job_names: &[JobName],
        unreadable: Option<&mut Vec<Unreadable>>,
    ) -> Result<Vec<Option<Job>>, PortError> {
        let keys: Vec<Item> = job_names.iter().map(item::head_key).collect();
        let found = self.items(&self.tables.jobs, &keys).await?;
        let mut bad = Vec::new();
        let read = |item: &Item| item::to_head(item).map(|(head, _)| head);
        let heads = found.iter().flatten().filter_map(|item| skipping(read(item), &mut bad)).collect();
        let jobs = self.with_latest(heads, &mut bad).await?;
        match (unreadable, bad.first()) {
            (Some(unreadable), _) => unreadable.append(&mut bad),
            (None, Some(bad)) => return Err(PortError::permanent("BatchGetItem", &bad.why)),
            (None, None) => {}
        }
        let mut by_name: HashMap<JobName, Job> =
            jobs.into_iter().map(|job| (job.name().clone(), job)).collect();
        let mut last_of = HashMap::new();
        for (place, name) in job_names.iter().enumerate() {
            last_of.insert(name, place);
        }
        let take = |(place, name): (usize, &JobName)| {
            if last_of.get(name) == Some(&place) { by_name.remove(name) } else { by_name.get(name).cloned() }
        };
        Ok(job_names.iter().enumerate().map(take).collect())
    }
}
