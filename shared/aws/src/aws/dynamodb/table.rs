//! The two tables, as data: what creates a table and what checks a template read the same lines.

/// A table, or what a template has to say of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableDefinition {
    /// The table's key.
    pub key: Key,
    /// Its global secondary indexes. Each projects the keys alone (`KEYS_ONLY`).
    pub indexes: &'static [IndexDefinition],
}

/// A global secondary index. Sparse: it holds the items that have its key's attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexDefinition {
    /// Its name.
    pub name: &'static str,
    /// Its key.
    pub key: Key,
}

/// The key of a table or an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// `HASH`.
    pub partition: Attribute,
    /// `RANGE`.
    pub sort: Option<Attribute>,
}

/// An attribute that is part of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attribute {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: AttributeKind,
}

/// The type of a key's attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttributeKind {
    /// `S`.
    Text,
    /// `N`.
    Number,
}

impl TableDefinition {
    /// Every attribute of a key, each once: `AttributeDefinitions`.
    pub fn attributes(&self) -> Vec<Attribute> {
        let keys = std::iter::once(self.key).chain(self.indexes.iter().map(|index| index.key));
        let mut attributes: Vec<Attribute> = Vec::new();
        for attribute in keys.flat_map(|key| std::iter::once(key.partition).chain(key.sort)) {
            if !attributes.contains(&attribute) {
                attributes.push(attribute);
            }
        }
        attributes
    }
}

const fn text(name: &'static str) -> Attribute {
    Attribute { name, kind: AttributeKind::Text }
}

const fn number(name: &'static str) -> Attribute {
    Attribute { name, kind: AttributeKind::Number }
}

const fn key(partition: Attribute, sort: Attribute) -> Key {
    Key { partition, sort: Some(sort) }
}

/// The jobs table's partition key.
pub(super) const JOB_NAME: &str = "jobName";
/// The jobs table's sort key: a job id, or [`keys::HEAD`](super::keys::HEAD).
pub(super) const JOB_ID: &str = "jobId";
/// A submission's job id. Heads had one in earlier versions.
pub(super) const ENTRY: &str = "entry";
/// The status and shard of a submission that FAILED. Earlier versions kept all seven statuses.
pub(super) const STATUS_SHARD: &str = "statusShard";
/// Whether a submission is its job's latest, and which it is. It changes when a submission is recorded or
/// removed, and never with a status: so one write of a state moves it in the index, whatever it is.
pub(super) const PLACE: &str = "place";
/// What is left to be done, and its shard.
pub(super) const WORK: &str = "work";
/// The moment by which that work is found.
pub(super) const WORK_AT: &str = "workAt";
/// A head's run, and its shard; of a submission, that its end is unsettled.
pub(super) const MEMBERSHIP: &str = "membership";
/// The runs table's partition key.
pub(super) const RUN_ID: &str = "runId";

/// Submissions by id.
pub(super) const BY_ENTRY: IndexDefinition =
    IndexDefinition { name: "byEntry", key: key(text(ENTRY), text(JOB_NAME)) };
/// Submissions that FAILED, by shard, the latest of their jobs together; heads without a submission.
pub(super) const BY_STATUS: IndexDefinition =
    IndexDefinition { name: "byStatus", key: key(text(STATUS_SHARD), text(PLACE)) };
/// Claims by expiry; submissions in flight, and ends whose logs wait, by an early sign of life; late looks at logs.
pub(super) const BY_WORK: IndexDefinition =
    IndexDefinition { name: "byWork", key: key(text(WORK), number(WORK_AT)) };
/// Heads by run, all of them, and unsettled ends.
pub(super) const BY_MEMBERSHIP: IndexDefinition =
    IndexDefinition { name: "byMembership", key: key(text(MEMBERSHIP), text(JOB_NAME)) };

/// The table of heads and submissions.
pub const JOBS: TableDefinition = TableDefinition {
    key: key(text(JOB_NAME), text(JOB_ID)),
    indexes: &[BY_ENTRY, BY_STATUS, BY_WORK, BY_MEMBERSHIP],
};

/// The table of runs.
pub const RUNS: TableDefinition =
    TableDefinition { key: Key { partition: text(RUN_ID), sort: None }, indexes: &[BY_WORK] };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_of_several_keys_are_defined_once() {
        let names = |table: TableDefinition| -> Vec<_> {
            table.attributes().iter().map(|attribute| attribute.name).collect()
        };
        assert_eq!(names(JOBS), [JOB_NAME, JOB_ID, ENTRY, STATUS_SHARD, PLACE, WORK, WORK_AT, MEMBERSHIP]);
        assert_eq!(names(RUNS), [RUN_ID, WORK, WORK_AT]);
    }
}
