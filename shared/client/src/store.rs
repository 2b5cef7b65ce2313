//! A store chosen by a URL.

use crate::any::AnyStore;
use crate::error::ClientError;

/// Opens the store that a URL names, and makes it where it is not there yet.
///
/// | URL | store | feature |
/// | --- | --- | --- |
/// | `memory:` | in memory, gone with the process | |
/// | `sqlite:jobs.db`, `sqlite:///var/lib/jobs.db` | a SQLite file, for any number of processes of one machine | `sqlite` |
/// | `dynamodb://NAME` | the tables of the stack with that name | `dynamodb` |
///
/// Errs where the URL is of no store that this build knows, and where the store can't be opened.
#[cfg_attr(not(feature = "dynamodb"), expect(clippy::unused_async, reason = "AWS's tables are asked for"))]
pub async fn open(url: &str) -> Result<AnyStore, ClientError> {
    let refused = |reason: String| ClientError::Store { url: url.to_owned(), reason };
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
            Err(refused(format!("no store is called {scheme:?} in this build; known are {KNOWN}")))
        }
    }
}

/// The schemes of this build.
const KNOWN: &str = match (cfg!(feature = "sqlite"), cfg!(feature = "dynamodb")) {
    (false, false) => "memory",
    (true, false) => "memory and sqlite",
    (false, true) => "memory and dynamodb",
    (true, true) => "memory, sqlite and dynamodb",
};

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
            ("redis://localhost", "no store is called \"redis\" in this build; known are memory"),
            ("jobs.db", "no store is called \"jobs.db\""),
            #[cfg(feature = "sqlite")]
            ("sqlite:", "write sqlite:FILE"),
            #[cfg(feature = "sqlite")]
            ("sqlite:/nowhere/at/all/jobs.db", "/nowhere/at/all/jobs.db"),
        ] {
            let error = open(url).await.err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.contains(expected) && error.contains(url), "{url}: {error}");
        }
        assert!(open("memory:").await.is_ok());
    }
}
