//! S3, reached when it is needed.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use batchwright::aws::{Connection, S3Buckets, accelerated_s3_client, connect, connect_unsigned, s3_client};
use batchwright::ports::{Buckets as _, Caller};
use tokio::sync::OnceCell;

use super::args::S3Args;
use super::journal::Journal;

/// How S3 is reached, and what reaches it once something has asked.
pub(crate) struct Remote {
    connection: Connection,
    caller: Caller,
    is_accelerated: bool,
    journal: Option<Arc<Journal>>,
    buckets: OnceCell<S3Buckets>,
    /// Buckets in which what was left behind has been looked for.
    tidied: Mutex<HashSet<String>>,
}

impl Remote {
    pub(crate) fn new(args: &S3Args) -> Self {
        let connection = Connection {
            region: args.region.clone(),
            profile: args.profile.clone(),
            endpoint_url: args.endpoint_url.clone(),
            ..Connection::default()
        };
        let journal = state_folder().map(|folder| {
            let endpoint_url = args.endpoint_url.clone().or_else(|| environment("AWS_ENDPOINT_URL"));
            Arc::new(Journal::new(folder.join("uploads"), endpoint_url))
        });
        Self {
            connection,
            caller: Caller {
                requester_pays: args.request_payer.is_some(),
                is_anonymous: args.no_sign_request,
            },
            is_accelerated: args.use_accelerate_endpoint,
            journal,
            buckets: OnceCell::new(),
            tidied: Mutex::default(),
        }
    }

    pub(crate) async fn buckets(&self) -> &S3Buckets {
        self.buckets.get_or_init(|| self.connect()).await
    }

    async fn connect(&self) -> S3Buckets {
        let config = match self.caller.is_anonymous {
            true => connect_unsigned(&self.connection).await,
            false => connect(&self.connection).await,
        };
        let client = if self.is_accelerated { accelerated_s3_client(&config) } else { s3_client(&config) };
        // A profile that is not there refuses whoever asks for its credentials.
        let is_anonymous = self.caller.is_anonymous && config.credentials_provider().is_none();
        let buckets = S3Buckets::new(client).called_by(Caller { is_anonymous, ..self.caller });
        match &self.journal {
            Some(journal) => buckets.with_journal(Arc::clone(journal) as _),
            None => buckets,
        }
    }

    /// Aborts, once a process, what killed processes of this machine have left behind in a bucket.
    pub(crate) async fn abort_left_behind(&self, bucket: &str) {
        if !self.tidied.lock().unwrap_or_else(PoisonError::into_inner).insert(bucket.to_owned()) {
            return;
        }
        if let Some(journal) = &self.journal {
            let aborted = journal.abort_left_behind(self.buckets().await, bucket).await;
            if aborted > 0 {
                eprintln!("batchwright: {aborted} multipart uploads of killed processes were aborted");
            }
        }
    }

    pub(crate) async fn uploads_settled(&self) {
        if let Some(buckets) = self.buckets.get() {
            buckets.uploads_settled().await;
        }
    }
}

/// Where a program keeps what outlives its processes. Source: XDG Base Directory Specification.
fn state_folder() -> Option<PathBuf> {
    let xdg = environment("XDG_STATE_HOME").map(PathBuf::from).filter(|folder| folder.is_absolute());
    let home = || environment("HOME").map(|home| PathBuf::from(home).join(".local/state"));
    xdg.or_else(home).map(|folder| folder.join("batchwright"))
}

#[expect(clippy::disallowed_methods, reason = "the one place of these commands that reads the environment")]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
