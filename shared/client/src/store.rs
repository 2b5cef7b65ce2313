//! A store chosen by a URL.

use crate::any::AnyStore;
use crate::error::ClientError;

pub use crate::restore::restore;

/// Opens the store that a URL names, and makes it where it is not there yet.
///
/// | URL | store | feature |
/// | --- | --- | --- |
/// | `memory:` | in memory, gone with the process | |
/// | `sqlite:jobs.db`, `sqlite:///var/lib/jobs.db` | a SQLite file, for any number of processes of one machine | `sqlite` |
/// | `redis://HOST:PORT`, `rediss://USER:PASSWORD@HOST?prefix=NAME` | Redis or Valkey, for any number of machines | `redis` |
/// | `dynamodb://NAME` | the tables of the stack with that name | `dynamodb` |
///
/// Errs where the URL is of no store that this build knows, and where the store can't be opened.
#[cfg_attr(
    not(any(feature = "dynamodb", feature = "redis")),
    expect(clippy::unused_async, reason = "AWS's tables are asked for, and Redis")
)]
pub async fn open(url: &str) -> Result<AnyStore, ClientError> {
    let refused = |reason: String| ClientError::Store { url: without_password(url), reason };
    let (scheme, rest) = url.split_once(':').unwrap_or((url, ""));
    match scheme {
        "memory" => Ok(AnyStore::new(batchwright_stores::memory::InMemoryJobStore::default())),
        #[cfg(feature = "sqlite")]
        "sqlite" => {
            let path = rest.strip_prefix("//").unwrap_or(rest);
            if path.is_empty() {
                return Err(refused("it names no file; write sqlite:FILE".to_owned()));
            }
            let store = batchwright_stores::sqlite::SqliteStore::open(std::path::Path::new(path));
            Ok(AnyStore::new(store.map_err(|error| refused(error.to_string()))?))
        }
        #[cfg(feature = "redis")]
        "redis" | "rediss" | "valkey" | "valkeys" | "redis+unix" | "valkey+unix" => {
            let store = batchwright_stores::redis::RedisStore::open(url).await;
            Ok(AnyStore::new(store.map_err(|error| refused(error.to_string()))?))
        }
        #[cfg(feature = "dynamodb")]
        "dynamodb" => {
            let name = rest.strip_prefix("//").unwrap_or(rest);
            if name.is_empty() {
                return Err(refused("it names no stack; write dynamodb://NAME".to_owned()));
            }
            let config = batchwright_aws::aws::connect(&batchwright_aws::aws::Connection::default()).await;
            Ok(dynamodb(&config, name))
        }
        _ => {
            // The rest is of no use where no store of this build takes one.
            let _ = rest;
            Err(refused(format!("no store is called {scheme:?} in this build; known are {}", known())))
        }
    }
}

/// The schemes of this build.
fn known() -> String {
    let all = [
        ("memory", true),
        ("sqlite", cfg!(feature = "sqlite")),
        ("redis", cfg!(feature = "redis")),
        ("dynamodb", cfg!(feature = "dynamodb")),
    ];
    let known: Vec<&str> = all.into_iter().filter(|(_, known)| *known).map(|(name, _)| name).collect();
    known.join(", ")
}

/// A URL may hold a password, and an error is shown and logged.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let Some((user, place)) = rest.rsplit_once('@') else { return url.to_owned() };
    let name = user.split_once(':').map_or(user, |(name, _)| name);
    format!("{scheme}://{name}:***@{place}")
}

/// The tables of a stack, by the stack's name.
#[cfg(feature = "dynamodb")]
pub(crate) fn dynamodb(config: &aws_config::SdkConfig, name: &str) -> AnyStore {
    use batchwright_aws::aws::dynamodb::{DynamoDbJobStore, Tables};
    let tables = Tables { jobs: format!("{name}-jobs"), runs: format!("{name}-runs") };
    AnyStore::new(DynamoDbJobStore::new(aws_sdk_dynamodb::Client::new(config), tables))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_url_that_leads_nowhere_says_what_would() {
        for (url, expected) in [
            ("mysql://localhost", "no store is called \"mysql\" in this build; known are memory"),
            ("jobs.db", "no store is called \"jobs.db\""),
            #[cfg(feature = "sqlite")]
            ("sqlite:", "write sqlite:FILE"),
            #[cfg(feature = "sqlite")]
            ("sqlite:/nowhere/at/all/jobs.db", "/nowhere/at/all/jobs.db"),
        ] {
            let error = open(url).await.err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.contains(expected) && error.contains(url), "{url}: {error}");
        }
        let error = open("mysql://me:s3cr3t@localhost").await.err().map(|error| error.to_string());
        assert!(error.is_some_and(|error| error.contains("me:***@localhost") && !error.contains("s3cr3t")));
        assert!(open("memory:").await.is_ok());
    }
}
