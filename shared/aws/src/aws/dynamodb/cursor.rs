//! Places in lists: the shard that is read, and the last key that was.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};

use super::item::Item;
use super::table::{JOB_ID, JOB_NAME};
use crate::ports::Cursor;

/// Where the next query starts.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct ListPosition {
    pub(super) shard: u8,
    /// `ExclusiveStartKey`.
    pub(super) after: Option<Item>,
}

#[derive(Serialize, Deserialize)]
struct Written {
    shard: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<BTreeMap<String, Value>>,
}

/// As DynamoDB's own JSON writes it.
#[derive(Serialize, Deserialize)]
enum Value {
    S(String),
    N(String),
}

/// The text is no cursor of a list in this table.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no cursor of this list; start the list anew")]
pub(super) struct BadCursor(String);

impl ListPosition {
    pub(super) fn read(cursor: Option<&Cursor>) -> Result<Self, BadCursor> {
        let Some(cursor) = cursor else { return Ok(Self::default()) };
        let written: Written = serde_json::from_str(&cursor.0).map_err(|_| BadCursor(cursor.0.clone()))?;
        let read = |(name, value)| match value {
            Value::S(text) => (name, AttributeValue::S(text)),
            Value::N(digits) => (name, AttributeValue::N(digits)),
        };
        let after = written.after.map(|after| after.into_iter().map(read).collect());
        Ok(Self { shard: written.shard, after })
    }

    pub(super) fn write(&self) -> Cursor {
        let write = |(name, value): (&String, &AttributeValue)| match value {
            AttributeValue::S(text) => Some((name.clone(), Value::S(text.clone()))),
            AttributeValue::N(digits) => Some((name.clone(), Value::N(digits.clone()))),
            _ => None,
        };
        let after = self.after.as_ref().map(|after| after.iter().filter_map(write).collect());
        let written = Written { shard: self.shard, after };
        Cursor(serde_json::to_string(&written).expect("texts and numbers can be written as JSON"))
    }

    /// Whether a scan of the table goes on here, or a list begins.
    pub(super) fn is_of_scan(&self) -> bool {
        match &self.after {
            None => self.shard == 0,
            Some(after) => after.keys().all(|name| [JOB_NAME, JOB_ID].contains(&name.as_str())),
        }
    }

    /// The place after a query that ended with `last`; `None` at the end of the list.
    pub(super) fn next(&self, last: Option<Item>, shards: u8) -> Option<Self> {
        match last {
            Some(last) => Some(Self { shard: self.shard, after: Some(last) }),
            None => {
                let shard = self.shard.saturating_add(1);
                (shard < shards).then_some(Self { shard, after: None })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Item {
        Item::from([
            ("jobName".to_owned(), AttributeValue::S("ä \"b\"".to_owned())),
            ("workAt".to_owned(), AttributeValue::N("1700000000000".to_owned())),
        ])
    }

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        assert_eq!(ListPosition::read(None).unwrap(), ListPosition::default());
        for place in [ListPosition { shard: 15, after: None }, ListPosition { shard: 3, after: Some(key()) }]
        {
            assert_eq!(ListPosition::read(Some(&place.write())).unwrap(), place);
        }
        let written = ListPosition { shard: 3, after: Some(key()) }.write();
        assert_eq!(
            written.0,
            r#"{"shard":3,"after":{"jobName":{"S":"ä \"b\""},"workAt":{"N":"1700000000000"}}}"#
        );
    }

    #[test]
    fn a_text_that_is_no_cursor_is_refused_by_name() {
        for text in ["", "job-1", "{\"shard\":300}", "{\"shard\":1,\"after\":{\"a\":{\"B\":\"\"}}}"] {
            let refused = ListPosition::read(Some(&Cursor(text.to_owned()))).unwrap_err().to_string();
            assert!(refused.contains(&format!("{text:?}")), "{refused}");
        }
    }

    #[test]
    fn a_scan_is_known_by_its_key() {
        let of_index = || ListPosition { shard: 0, after: Some(key()) };
        let of_table = |name: &str| Item::from([(name.to_owned(), AttributeValue::S("a".to_owned()))]);
        for (place, is_of_scan) in [
            (ListPosition::default(), true),
            (ListPosition { shard: 0, after: Some(of_table("jobName")) }, true),
            (ListPosition { shard: 0, after: Some(of_table("entry")) }, false),
            (ListPosition { shard: 1, after: None }, false),
            (of_index(), false),
        ] {
            assert_eq!(place.is_of_scan(), is_of_scan, "{place:?}");
        }
    }

    #[test]
    fn a_list_goes_through_each_shard_to_its_end() {
        let place = ListPosition { shard: 14, after: None };
        let after = place.next(Some(key()), 16).unwrap();
        assert_eq!((after.shard, after.after.is_some()), (14, true));
        let next = after.next(None, 16).unwrap();
        assert_eq!(next, ListPosition { shard: 15, after: None });
        assert_eq!(next.next(None, 16), None);
        assert_eq!(ListPosition { shard: 255, after: None }.next(None, 16), None);
    }
}
