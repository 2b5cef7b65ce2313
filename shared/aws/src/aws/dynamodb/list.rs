//! One list: the part of an index that holds it, over all shards, and which items belong to it still.

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;

use super::item::{self, Item};
use super::keys::{self, SHARDS, Work};
use super::table::{BY_MEMBERSHIP, BY_STATUS, BY_WORK, IndexDefinition, PLACE, WORK_AT};
use crate::domain::{JobStatus, RunId, Timestamp};

/// A list over all shards of a kind of an index.
#[derive(Debug, Clone)]
pub(super) struct List {
    index: IndexDefinition,
    kind: String,
    sort: Sort,
    /// Where it begins; it goes on with the next, and after the last with the first.
    first_shard: u8,
    /// How many of them it goes through.
    pub(super) shards: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    Any,
    /// Nothing was heard of the submission, and Batch was not asked, since a moment; or it has ended since.
    Silent(Timestamp),
    /// [`WORK_AT`] is before a moment.
    Before(Timestamp),
    /// [`PLACE`] says that the submission is its job's latest.
    Latest,
}

impl List {
    pub(super) fn of_work(work: Work, before: Timestamp) -> Self {
        let first_shard = keys::first_shard(before);
        let sort = if work == Work::InFlight { Sort::Silent(before) } else { Sort::Before(before) };
        Self { index: BY_WORK, kind: work.as_str().to_owned(), sort, first_shard, shards: SHARDS }
    }

    pub(super) fn of_run(run_id: &RunId) -> Self {
        Self {
            index: BY_MEMBERSHIP,
            kind: keys::run_kind(run_id),
            sort: Sort::Any,
            first_shard: 0,
            shards: SHARDS,
        }
    }

    /// Whatever was heard of them.
    pub(super) fn of_all_in_flight() -> Self {
        Self {
            index: BY_WORK,
            kind: Work::InFlight.as_str().to_owned(),
            sort: Sort::Any,
            first_shard: 0,
            shards: SHARDS,
        }
    }

    pub(super) fn of_all_claims() -> Self {
        Self {
            index: BY_WORK,
            kind: Work::Claim.as_str().to_owned(),
            sort: Sort::Any,
            first_shard: 0,
            shards: SHARDS,
        }
    }

    /// Sheets of claims; those of which all have expired before a moment. A hundred thousand claims a second fill one
    /// partition.
    pub(super) fn of_sheets(before: Option<Timestamp>) -> Self {
        Self {
            index: BY_WORK,
            kind: Work::Sheet.as_str().to_owned(),
            sort: before.map_or(Sort::Any, Sort::Before),
            first_shard: 0,
            shards: 1,
        }
    }

    pub(super) fn of_unsettled() -> Self {
        Self {
            index: BY_MEMBERSHIP,
            kind: keys::UNSETTLED.to_owned(),
            sort: Sort::Any,
            first_shard: 0,
            shards: SHARDS,
        }
    }

    pub(super) fn of_failed() -> Self {
        Self { sort: Sort::Any, ..Self::of_latest(JobStatus::Failed.as_str()) }
    }

    pub(super) fn of_latest(kind: &str) -> Self {
        Self { index: BY_STATUS, kind: kind.to_owned(), sort: Sort::Latest, first_shard: 0, shards: SHARDS }
    }

    /// Each of its shards as a list of its own, so that they can be read at once.
    pub(super) fn by_shard(self) -> impl Iterator<Item = Self> {
        (0..self.shards).map(move |shard| Self { first_shard: shard, shards: 1, ..self.clone() })
    }

    /// The index partition of its n-th shard.
    fn partition(&self, shard: u8) -> String {
        keys::in_shard(&self.kind, self.first_shard.wrapping_add(shard) % SHARDS)
    }

    /// Its n-th shard.
    pub(super) fn query(&self, query: QueryFluentBuilder, shard: u8) -> QueryFluentBuilder {
        let partition = item::text(self.partition(shard));
        let query = query
            .index_name(self.index.name)
            .expression_attribute_names("#partition", self.index.key.partition.name)
            .expression_attribute_values(":partition", partition);
        match self.sort {
            Sort::Any => query.key_condition_expression("#partition = :partition"),
            Sort::Before(moment) | Sort::Silent(moment) => query
                .key_condition_expression("#partition = :partition AND #workAt < :before")
                .expression_attribute_names("#workAt", WORK_AT)
                .expression_attribute_values(":before", item::millis(moment)),
            Sort::Latest => query
                .key_condition_expression("#partition = :partition AND begins_with(#place, :latest)")
                .expression_attribute_names("#place", PLACE)
                .expression_attribute_values(":latest", item::text(keys::LATEST)),
        }
    }

    /// Whether an item belongs to the shard still.
    pub(super) fn holds(&self, item: &Item, shard: u8) -> bool {
        let partition = item::text_in(item, self.index.key.partition.name);
        partition == Some(self.partition(shard).as_str())
            && match self.sort {
                Sort::Any => true,
                Sort::Before(moment) => item::moment_in(item, WORK_AT).is_some_and(|at| at < moment),
                // An event leaves the entry where it is, and an end until its log was looked at.
                Sort::Silent(moment) => {
                    let is_before = |name| item::moment_in(item, name).is_some_and(|at| at < moment);
                    is_before(WORK_AT) && (is_before(item::UPDATED_AT) || item::has_ended(item))
                }
                Sort::Latest => {
                    item::text_in(item, PLACE).is_some_and(|place| place.starts_with(keys::LATEST))
                }
            }
    }
}
