//! How many programs submit at present: one item, in which each has an attribute with the moment until which it does.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use tokio::sync::Mutex;

use super::call::{failed, unique_mark};
use super::item;
use crate::domain::Timestamp;
use crate::ports::{PortError, SubmissionShares};

/// The key of the item, in the table of jobs. No job and no submission is named so, and no index holds it.
const KEY: (&str, &str) = (" submitters", " shares");

/// What the name of a program's attribute begins with.
const HOLDER: &str = "holder ";

/// Attributes of programs that have ended which one call removes.
const REMOVED_MAX: usize = 50;

/// [`SubmissionShares`] in the table of jobs. An update without a condition, so that no program waits for another.
#[derive(Debug)]
pub struct DynamoDbShares {
    client: Client,
    table: String,
    holder: String,
    /// Attributes that had expired when they were last seen.
    expired: Mutex<Vec<String>>,
}

impl DynamoDbShares {
    /// For this program, in the table of jobs.
    pub fn new(client: Client, jobs_table: impl Into<String>) -> Self {
        let holder = format!("{HOLDER}{}", unique_mark());
        Self { client, table: jobs_table.into(), holder, expired: Mutex::default() }
    }
}

impl SubmissionShares for DynamoDbShares {
    async fn renew(&self, now: Timestamp, until: Timestamp) -> Result<u32, PortError> {
        const OPERATION: &str = "UpdateItem";
        let mut expired = self.expired.lock().await;
        let mut expression = "SET #holder = :until".to_owned();
        let mut update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(item::item_key(KEY.0, KEY.1)))
            .return_values(ReturnValue::AllNew)
            .expression_attribute_names("#holder", &self.holder)
            .expression_attribute_values(":until", item::millis(until));
        for (number, name) in expired.iter().enumerate() {
            expression += if number == 0 { " REMOVE " } else { ", " };
            expression += &format!("#old{number}");
            update = update.expression_attribute_names(format!("#old{number}"), name);
        }
        let answer = update.update_expression(expression).send().await;
        let holders = answer.map_err(|error| failed(OPERATION, error))?.attributes.unwrap_or_default();
        let until = |value: &AttributeValue| value.as_n().ok().and_then(|digits| digits.parse().ok());
        let holds = |value: &AttributeValue| until(value).is_some_and(|until: i64| until > now.as_millis());
        let (holding, over): (Vec<_>, Vec<_>) = holders
            .iter()
            .filter(|(name, _)| name.starts_with(HOLDER))
            .partition(|(name, value)| **name == self.holder || holds(value));
        *expired = over.into_iter().map(|(name, _)| name.clone()).take(REMOVED_MAX).collect();
        Ok(u32::try_from(holding.len()).unwrap_or(u32::MAX))
    }
}
