//! The job store and the run store on DynamoDB.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `table` | the two tables and their indexes, as data |
//! | `keys` | the texts of keys, and the shards over which they are spread |
//! | `item` | between items and records |
//! | `cursor` | places in lists |
//! | `call` | what an answer of DynamoDB's means; contention |
//! | `change` | the parts of one update |
//! | `read` | items by their keys, read after every write |
//! | `recent` | what was just read or written, so that the next write need not read it |
//! | `heads` | claim, release, record: one condition on the head that was read |
//! | `submissions` | states, ends and logs: one condition on one item |
//! | `list` | one list: its part of an index, and what belongs to it |
//! | `lists` | pages, by the indexes |
//! | `scan` | all jobs, where reading the table takes fewer calls |
//! | `counts` | how many jobs there are of each status |
//! | `removal` | forgetting submissions and jobs |
//! | `runs` | the run store |
//! | `shares` | how many programs submit at present |
//! | `job_store` | the port |
//!
//! Only the list of all jobs and their counts scan, and no function asks for these. Items are read after every write
//! (`ConsistentRead`), but for a submission that is looked up by itself: what follows from it is written on condition. Every write
//! is one condition and one change of one item: a transaction costs twice as much, and fails where it meets another. A
//! submission is put before its head names it, and is unconfirmed until an event has come: as long as it is, the head
//! tells whether it is one. The indexes alone lag behind, by milliseconds at most times: so a list and a
//! count may miss what has just changed, and a look-up by id alone (`submission`, `save_logs`,
//! `remove_submission`) may miss a submission that has just appeared. What a list finds is read again by
//! its key, and left out where it does not belong there any more.

mod call;
mod change;
mod counts;
mod cursor;
mod heads;
mod item;
mod job_store;
mod keys;
mod list;
mod lists;
mod read;
mod recent;
mod removal;
mod runs;
mod scan;
mod shares;
mod sheets;
mod state_text;
mod submissions;
mod table;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use aws_sdk_dynamodb::Client;

use crate::domain::{JobHead, JobId, JobName};
use item::Item;
use recent::Recent;
pub use shares::DynamoDbShares;
pub use table::{Attribute, AttributeKind, IndexDefinition, JOBS, Key, RUNS, TableDefinition};

/// Items of a page: as many as one `BatchGetItem` reads.
const PAGE_SIZE: i32 = 100;

/// A [`JobStore`](crate::ports::JobStore) and [`RunStore`](crate::ports::RunStore) on two tables of
/// DynamoDB, [`JOBS`] and [`RUNS`]. Clones share the client.
#[derive(Debug, Clone)]
pub struct DynamoDbJobStore {
    client: Client,
    tables: Tables,
    page_size: i32,
    /// What has ended stays on the list of what is in flight until its log was looked at.
    ends_stay: bool,
    /// Heads that were just claimed, with the numbers of their writes.
    claimed: Arc<Recent<JobName, (JobHead, u64)>>,
    /// Submissions that were just found by their ids.
    found: Arc<Recent<JobId, Item>>,
}

/// The names of the tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tables {
    /// Of [`JOBS`].
    pub jobs: String,
    /// Of [`RUNS`].
    pub runs: String,
}

impl DynamoDbJobStore {
    /// A store on tables that exist.
    pub fn new(client: Client, tables: Tables) -> Self {
        let (claimed, found) = Default::default();
        Self { client, tables, page_size: PAGE_SIZE, ends_stay: false, claimed, found }
    }

    /// Its tables.
    pub fn tables(&self) -> &Tables {
        &self.tables
    }

    /// The same beside a log collector: a submission that ends stays on the list of what is in flight until its log was
    /// looked at, which saves two write units. Where nobody looks at logs, the list would grow for ever.
    #[must_use]
    pub fn beside_log_collector(self) -> Self {
        Self { ends_stay: true, ..self }
    }

    /// The same with pages of at most so many items, 1 to 100.
    #[must_use]
    pub fn with_page_size(self, page_size: u8) -> Self {
        Self { page_size: i32::from(page_size).clamp(1, PAGE_SIZE), ..self }
    }
}
