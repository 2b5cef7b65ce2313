//! What another program has kept in a database of Redis.

use std::collections::BTreeMap;

use super::{connect, failed};
use crate::ports::PortError;

/// The keys of one answer, about.
const COUNT: u32 = 1_000;

/// Reads every string of a database, by its key. Nothing is written, not even where a store of ours would mark its
/// format. What is set or removed meanwhile may be missing.
///
/// # Errors
///
/// As [`RedisStore::open`](super::RedisStore::open), and permanent where a string is no text.
pub async fn texts(url: &str) -> Result<BTreeMap<String, String>, PortError> {
    const READ: &str = "read a database of Redis";
    let (url, at, mut connection) = connect(url).await?;
    drop(url);
    let mut texts = BTreeMap::new();
    let mut cursor = 0_u64;
    loop {
        // The same key may come twice: it is one entry all the same.
        let mut scan = redis::cmd("SCAN");
        scan.arg(cursor).arg("COUNT").arg(COUNT).arg("TYPE").arg("string");
        let answer: Result<(u64, Vec<String>), _> = scan.query_async(&mut connection).await;
        let (next, keys) = answer.map_err(failed(READ, &at))?;
        if !keys.is_empty() {
            let answer = redis::cmd("MGET").arg(&keys).query_async(&mut connection).await;
            let found: Vec<Option<String>> = answer.map_err(failed(READ, &at))?;
            texts.extend(keys.into_iter().zip(found).filter_map(|(key, text)| Some((key, text?))));
        }
        if next == 0 {
            return Ok(texts);
        }
        cursor = next;
    }
}
