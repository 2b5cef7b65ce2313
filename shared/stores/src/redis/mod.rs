//! The state of all jobs and runs in Redis or Valkey: what several machines share without DynamoDB.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `url` | [`RedisStore::open`]'s URL: the prefix in it, and how it is shown without its password |
//! | `keys` | names of records and lists |
//! | `records` | what is kept of each, and which lists it stands on |
//! | `commit` | one write: a script that changes all or nothing |
//! | `reads` | records and pages of them |
//! | `writes`, `removal` | what each call changes |
//! | `store` | [`RedisStore`] as `JobStore` and `RunStore` |
//! | `texts` | what another program has kept |
//! | `error` | what Redis says, as a port's error |
//!
//! Each record is a string of JSON, each list a sorted set that is read by ranges. Lists are not read by `SCAN`: it may give a
//! record twice, and walks over all that is stored to find a few. Rules decide here, not in Redis: a call reads
//! records, lets a rule change them, and a script writes them with all their places on lists, on condition that
//! nobody has changed them since.
//!
//! **What Redis has to promise.** "Once" is as strong as Redis's memory is. With `appendonly yes` and
//! `appendfsync always` a restart loses nothing; with `everysec` the last second, and with snapshots alone minutes. A
//! fail-over to a replica may lose the last writes whatever is set. A claim that is lost so may be granted again.
//! [`RedisStore::open`] refuses a server that evicts keys of its own accord.

mod commit;
mod error;
mod keys;
mod reads;
mod records;
mod removal;
mod store;
mod texts;
mod url;
mod writes;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};

use self::error::failed;
use self::keys::Keys;
use self::url::StoreUrl;
use crate::ports::PortError;

pub use self::texts::texts;

/// How long a call waits for its answer. Then it fails, and may be repeated.
pub const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a call waits for a connection.
pub const CONNECTION_TIMEOUT: Duration = Duration::from_secs(5);

/// The version of the records' format that this program writes.
const FORMAT: u32 = 1;

const OPEN: &str = "open the state";

/// A [`JobStore`](crate::ports::JobStore) and [`RunStore`](crate::ports::RunStore) in Redis of version 6 or later, or in
/// Valkey, on one primary. The tests run on Redis 7.0.15; the same contract and crash suites pass on Valkey, built from its
/// sources of October 2024 (after 8.0), with TLS. Clones share one connection, which is made again where it was lost.
///
/// All its keys begin with `{PREFIX}:`, so several stores may share one database, and a cluster keeps them in one
/// slot. It connects to one server, and follows no redirection of a cluster's.
#[derive(Clone)]
pub struct RedisStore {
    connection: ConnectionManager,
    keys: Keys,
    /// The server as errors name it.
    at: Arc<str>,
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "RedisStore({})", self.at)
    }
}

impl RedisStore {
    /// The prefix where the URL names none.
    pub const DEFAULT_PREFIX: &str = "batchwright";

    /// Connects by a URL: `redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE][?prefix=PREFIX]`, `rediss://…` with TLS, or
    /// `redis+unix:///PATH`.
    ///
    /// TLS trusts the system's certificates, and with `SSL_CERT_FILE` those of a file of one's own.
    ///
    /// # Errors
    ///
    /// Retryable where the server can't be reached, or is not ready. Permanent where the URL can't be read, the
    /// password is wrong, the server evicts keys, or a newer version has written the state.
    pub async fn open(url: &str) -> Result<Self, PortError> {
        let (url, at, connection) = connect(url).await?;
        let store = Self { connection, keys: Keys::new(&url.prefix), at };
        store.check_eviction().await?;
        store.check_format().await?;
        Ok(store)
    }

    /// Asks the server whether it answers.
    ///
    /// # Errors
    ///
    /// Retryable where it does not in [`RESPONSE_TIMEOUT`].
    pub async fn ping(&self) -> Result<(), PortError> {
        const PING: &str = "ask whether the state is there";
        let answer = redis::cmd("PING").exec_async(&mut self.connection.clone()).await;
        answer.map_err(failed(PING, &self.at))
    }

    /// A server that evicts keys forgets claims.
    async fn check_eviction(&self) -> Result<(), PortError> {
        let answer: Result<String, _> =
            redis::cmd("INFO").arg("memory").query_async(&mut self.connection.clone()).await;
        let info = match answer {
            Ok(info) => info,
            // A server may keep its figures to itself.
            Err(error) if error.code() == Some("NOPERM") => return Ok(()),
            Err(error) => return Err(failed(OPEN, &self.at)(error)),
        };
        let field = |name: &str| {
            info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
        };
        match field("maxmemory_policy") {
            Some(policy) if policy.starts_with("allkeys") && field("maxmemory") != Some("0") => {
                Err(PortError::permanent(
                    OPEN,
                    format!(
                        "{} evicts keys when its memory is full (maxmemory-policy {policy}), so it would forget \
                         which jobs were submitted; set maxmemory-policy to noeviction",
                        self.at
                    ),
                ))
            }
            _ => Ok(()),
        }
    }

    async fn check_format(&self) -> Result<(), PortError> {
        let key = self.keys.format();
        let mut connection = self.connection.clone();
        let get = redis::cmd("GET").arg(&key).clone();
        let mut known: Option<String> =
            get.query_async(&mut connection).await.map_err(failed(OPEN, &self.at))?;
        // A server without room for more must let jobs be looked at and removed all the same.
        if known.is_none() {
            let set = redis::cmd("SET").arg(&key).arg(FORMAT).arg("NX").exec_async(&mut connection).await;
            set.map_err(failed(OPEN, &self.at))?;
            known = get.query_async(&mut connection).await.map_err(failed(OPEN, &self.at))?;
        }
        let found = known.unwrap_or_default();
        match found.parse::<u32>() {
            Ok(known) if known <= FORMAT => Ok(()),
            Ok(newer) => Err(PortError::permanent(
                OPEN,
                format!(
                    "{} has format version {newer} and this program knows versions up to {FORMAT}; use the newer \
                     program that wrote it",
                    self.at
                ),
            )),
            Err(_) => Err(PortError::permanent(
                OPEN,
                format!(
                    "{} holds {found:?} in {key}, which is no version; name another prefix with ?prefix=",
                    self.at
                ),
            )),
        }
    }
}

/// Connects by a URL. Returns its parts, and the server as errors name it.
async fn connect(url: &str) -> Result<(StoreUrl, Arc<str>, ConnectionManager), PortError> {
    let url = StoreUrl::read(url).map_err(|why| PortError::permanent(OPEN, why))?;
    let at: Arc<str> = url.shown.as_str().into();
    if url.server.starts_with("rediss:") || url.server.starts_with("valkeys:") {
        // Another provider that the program has installed does as well.
        drop(rustls::crypto::ring::default_provider().install_default());
    }
    let client = redis::Client::open(url.server.as_str()).map_err(failed(OPEN, &at))?;
    let config = ConnectionManagerConfig::new()
        .set_number_of_retries(2)
        .set_max_delay(Duration::from_secs(1))
        .set_connection_timeout(Some(CONNECTION_TIMEOUT))
        .set_response_timeout(Some(RESPONSE_TIMEOUT));
    let connection = client.get_connection_manager_with_config(config).await.map_err(failed(OPEN, &at))?;
    Ok((url, at, connection))
}
