//! What requests to DynamoDB are paid for: its read and write units, counted on the wire.
//!
//! The emulators' own `ConsumedCapacity` leaves the indexes out or makes them up, so the rules are written down here.
//! Source: the developer guide, "Capacity unit consumption" and "Provisioned throughput considerations for global secondary
//! indexes". A write costs a unit for each started KB of the item, before or after, whichever is larger; a refused one as
//! much as the item that stood against it. An index whose key appears, or goes, costs one, and one whose key changes two: a
//! deletion and an insertion. A transaction costs the table double. A consistent read costs a unit for each started 4 KB of an
//! item, or of all items of one query; any other read half of that.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_config::SdkConfig;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use batchwright::aws::dynamodb::{IndexDefinition, JOBS, RUNS, TableDefinition};
use serde_json::{Value, json};

/// Units, by what they are paid for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Paid {
    /// Write units of tables.
    pub table_writes: u64,
    /// Write units of indexes, by their names.
    pub index_writes: BTreeMap<&'static str, u64>,
    /// Read units, in halves.
    pub half_reads: u64,
    /// Requests by operation, those that were refused apart.
    pub requests: BTreeMap<String, u64>,
    /// Bytes of the largest item that was written.
    pub largest: u64,
}

impl Paid {
    /// Write units.
    pub fn writes(&self) -> u64 {
        self.table_writes + self.indexed()
    }

    fn indexed(&self) -> u64 {
        self.index_writes.values().sum()
    }

    /// Adds another.
    pub fn add(&mut self, other: &Self) {
        self.table_writes += other.table_writes;
        for (&index, units) in &other.index_writes {
            *self.index_writes.entry(index).or_default() += units;
        }
        self.half_reads += other.half_reads;
        self.largest = self.largest.max(other.largest);
        for (operation, count) in &other.requests {
            *self.requests.entry(operation.clone()).or_default() += count;
        }
    }
}

impl fmt::Display for Paid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reads = self.half_reads as f64 / 2.0;
        write!(
            f,
            "{:>3} W ({} table, {} index) {reads:>4} R {:>5} B",
            self.writes(),
            self.table_writes,
            self.indexed(),
            self.largest
        )?;
        self.requests.iter().try_for_each(|(operation, count)| write!(f, "  {count} {operation}"))
    }
}

/// Counts what goes through a configuration. Writes of the same item must not be under way at once.
#[derive(Debug, Clone, Default)]
pub struct Meter(Arc<Mutex<Paid>>);

impl Meter {
    /// A configuration whose requests are counted here.
    ///
    /// # Panics
    ///
    /// Where the configuration has no HTTP client: the one client factory sets one.
    pub fn through(&self, config: &SdkConfig) -> SdkConfig {
        let inner = config.http_client().expect("the one client factory sets one");
        config.to_builder().http_client(Metered { inner, meter: self.clone() }).build()
    }

    /// What was paid since this was asked before.
    pub fn take(&self) -> Paid {
        std::mem::take(&mut *self.paid())
    }

    fn paid(&self) -> MutexGuard<'_, Paid> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Clone)]
struct Metered<T> {
    inner: T,
    meter: Meter,
}

impl HttpClient for Metered<SharedHttpClient> {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(Metered { inner, meter: self.meter.clone() })
    }
}

impl HttpConnector for Metered<SharedHttpConnector> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let this = self.clone();
        HttpConnectorFuture::new(async move { this.metered(request).await })
    }
}

impl Metered<SharedHttpConnector> {
    async fn metered(&self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        let body: Value =
            request.body().bytes().and_then(|it| serde_json::from_slice(it).ok()).unwrap_or_default();
        let like = request.try_clone().expect("requests to DynamoDB are held in memory");
        let written = written_keys(&operation, &body);
        let mut before = Vec::new();
        for (table, key) in &written {
            before.push(self.item(&like, table, key).await?);
        }
        let (answer, told) = taken(self.inner.call(request).await?).await?;
        let is_done = answer.status().is_success();
        let mut paid = Paid::default();
        for ((table, key), before) in written.iter().zip(&before) {
            let after = self.item(&like, table, key).await?;
            let factor = if operation == "TransactWriteItems" { 2 } else { 1 };
            paid.table_writes += factor * size(before).max(size(&after)).div_ceil(1_024).max(1);
            paid.largest = paid.largest.max(size(&after));
            if is_done {
                for (index, units) in index_writes(table, before, &after) {
                    *paid.index_writes.entry(index).or_default() += units;
                }
            }
        }
        if written.is_empty() && is_done {
            paid.half_reads = half_reads(&operation, &body, &told);
        }
        let name = if is_done { operation } else { format!("{operation} refused") };
        paid.requests.insert(name, 1);
        self.meter.paid().add(&paid);
        Ok(answer)
    }

    /// An item as it is now: a look that nobody pays for.
    async fn item(&self, like: &HttpRequest, table: &str, key: &Value) -> Result<Value, ConnectorError> {
        let mut get = like.try_clone().expect("requests to DynamoDB are held in memory");
        let body = json!({"TableName": table, "Key": key, "ConsistentRead": true}).to_string();
        get.headers_mut().insert("x-amz-target", "DynamoDB_20120810.GetItem");
        get.headers_mut().insert("content-length", body.len().to_string());
        *get.body_mut() = SdkBody::from(body);
        let (_, told) = taken(self.inner.call(get).await?).await?;
        Ok(told["Item"].clone())
    }
}

/// An answer with its body in hand.
pub(crate) async fn taken(answer: HttpResponse) -> Result<(HttpResponse, Value), ConnectorError> {
    let status = answer.status();
    let headers = answer.headers().clone();
    let body = ByteStream::new(answer.into_body()).collect().await;
    let body = body.map_err(|error| ConnectorError::io(error.into()))?.into_bytes();
    let told = serde_json::from_slice(&body).unwrap_or_default();
    let mut answer = HttpResponse::new(status, SdkBody::from(body));
    *answer.headers_mut() = headers;
    Ok((answer, told))
}

fn definition(table: &str) -> TableDefinition {
    if table.starts_with("runs") { RUNS } else { JOBS }
}

/// The table and the key of each item that a request writes.
fn written_keys(operation: &str, body: &Value) -> Vec<(String, Value)> {
    let one = |body: &Value| {
        let table = body["TableName"].as_str().unwrap_or_default().to_owned();
        let key = if body["Key"].is_object() { body["Key"].clone() } else { key_of(&table, &body["Item"]) };
        (table, key)
    };
    match operation {
        "PutItem" | "UpdateItem" | "DeleteItem" => vec![one(body)],
        "TransactWriteItems" => {
            let parts = body["TransactItems"].as_array().into_iter().flatten();
            parts.filter_map(Value::as_object).flat_map(|part| part.values()).map(one).collect()
        }
        "GetItem" | "BatchGetItem" | "Query" | "Scan" => Vec::new(),
        other => panic!("what {other} is paid for is not known here"),
    }
}

fn key_of(table: &str, item: &Value) -> Value {
    let key = definition(table).key;
    let names = std::iter::once(key.partition).chain(key.sort).map(|attribute| attribute.name);
    names.map(|name| (name.to_owned(), item[name].clone())).collect::<serde_json::Map<_, _>>().into()
}

/// The indexes that a write changes, and what each takes.
fn index_writes(table: &str, before: &Value, after: &Value) -> Vec<(&'static str, u64)> {
    let writes = |index: &IndexDefinition| match (entry(index, before), entry(index, after)) {
        (None, None) => None,
        (Some(before), Some(after)) if before == after => None,
        (Some(_), Some(_)) => Some((index.name, 2)),
        _ => Some((index.name, 1)),
    };
    definition(table).indexes.iter().filter_map(writes).collect()
}

/// The key under which an item stands in an index.
fn entry<'a>(index: &IndexDefinition, item: &'a Value) -> Option<Vec<&'a Value>> {
    let names = std::iter::once(index.key.partition).chain(index.key.sort).map(|attribute| attribute.name);
    names.map(|name| item.get(name)).collect()
}

fn half_reads(operation: &str, body: &Value, told: &Value) -> u64 {
    let units = |bytes: u64, body: &Value| {
        let units = bytes.div_ceil(4_096).max(1);
        if body["ConsistentRead"] == true { 2 * units } else { units }
    };
    match operation {
        "GetItem" => units(size(&told["Item"]), body),
        "BatchGetItem" => {
            let tables = body["RequestItems"].as_object().into_iter().flatten();
            let of_table = |(table, asked): (&String, &Value)| {
                let keys = asked["Keys"].as_array().map_or(0, Vec::len);
                let items = told["Responses"][table].as_array().cloned().unwrap_or_default();
                let absent = keys.saturating_sub(items.len()) as u64;
                items.iter().map(|item| units(size(item), asked)).sum::<u64>() + absent * units(0, asked)
            };
            tables.map(of_table).sum()
        }
        _ => units(told["Items"].as_array().into_iter().flatten().map(size).sum(), body),
    }
}

/// Bytes of an item: its attributes' names and values.
fn size(item: &Value) -> u64 {
    let value = |value: &Value| match (value["S"].as_str(), value["N"].as_str()) {
        (Some(text), _) => text.len(),
        (None, Some(digits)) => digits.len() / 2 + 1,
        (None, None) => 1,
    };
    let attributes = item.as_object().into_iter().flatten();
    attributes.map(|(name, found)| name.len() + value(found)).sum::<usize>() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_costs_one_where_its_key_comes_or_goes_and_two_where_it_changes() {
        let item = |at: i64| json!({"jobName": {"S": "a"}, "jobId": {"S": "b"}, "work": {"S": "logs 01"}, "workAt": {"N": at.to_string()}});
        for (before, after, expected) in [
            (Value::Null, item(1), 1),
            (item(1), item(1), 0),
            (item(1), item(2), 2),
            (item(2), Value::Null, 1),
            (Value::Null, json!({"work": {"S": "logs 01"}}), 0),
        ] {
            let units: u64 =
                index_writes("jobs-1", &before, &after).into_iter().map(|(_, units)| units).sum();
            assert_eq!(units, expected, "{before} {after}");
        }
        assert_eq!(size(&json!({"ab": {"S": "cde"}, "n": {"N": "1234"}, "f": {"BOOL": true}})), 5 + 4 + 2);
    }
}
