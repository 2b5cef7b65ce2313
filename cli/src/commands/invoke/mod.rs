//! `batchwright invoke`.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `call` | the command line as a call of the fan-out |
//! | `list` | where the payloads come from |
//! | `results` | where the results go |
//! | `interrupts` | Ctrl-C, SIGTERM, SIGHUP, and a reader who has gone |
//! | `told` | what is said at the end |

mod call;
mod interrupts;
mod list;
mod results;
mod told;

use anyhow::Context as _;
use batchwright::aws::{Connection, LambdaCaller, S3ObjectStore, connect, s3_client};
use batchwright::domain::S3Uri;
use batchwright::fan_out::{FanOutCall, Targets, Terms};
use batchwright::ports::{ObjectStore as _, ObjectWriter as _, PortError};
use batchwright::use_cases::fan_out::{
    Came, Ended, FanOutError, Ledger, ResultsFile, StandardOutput, Start, Stop, StreamedLedger, Wanted,
    invoke_all,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::AsyncReadExt as _;

use self::interrupts::Interrupts;
use self::list::List;
use self::results::{ResultsPlace, SpooledObject};
use crate::args::InvokeArgs;
use crate::exit::{Exit, Failure};

/// Files that are open beside the connections.
const OTHER_FILES: u64 = 100;

pub(crate) async fn invoke(args: &InvokeArgs) -> Result<Exit, Failure> {
    let call = call::of(args)?;
    let terms = call.terms(&Targets::any()).map_err(|error| call::by_option(&error))?;
    allow_files(terms.ceiling);
    let connection = Connection {
        region: args.region.clone(),
        profile: args.profile.clone(),
        endpoint_url: args.endpoint_url.clone(),
        ..Connection::default()
    };
    let aws = connect(&connection).await;
    let list = List::of(args, &call, &aws)?;
    let place = ResultsPlace::of(args)?;
    place.check_against(&list)?;
    list.check().await?;
    let tolerated = match &terms.tolerated {
        None => None,
        Some(tolerated) if tolerated.needs_total() => Some(tolerated.of(list.count().await?)),
        Some(tolerated) => Some(tolerated.of(0)),
    };
    let work =
        Work { args, call: &call, terms: &terms, list: &list, tolerated, caller: LambdaCaller::new(&aws) };
    match place {
        ResultsPlace::Stream(file, name) => {
            let pipe = file.try_clone().with_context(|| format!("{name} can't be used"))?;
            let writer = StandardOutput::new(file, &name);
            let ledger = StreamedLedger::in_order(writer, call::order(args));
            let came = work.run(&ledger, Start::default(), Interrupts::listen(Some(pipe))?).await?;
            told::tell(&came, 0, None)
        }
        ResultsPlace::File(path) => {
            let digest = list.digest(&call, None).await?;
            work.run_over(&path, &digest, args.overwrite, args.resume).await?.told()
        }
        ResultsPlace::Object(uri) => {
            work.run_to(&uri, S3ObjectStore::new(s3_client(&aws), uri.bucket.clone())).await
        }
    }
}

/// What is invoked, and how.
struct Work<'a> {
    args: &'a InvokeArgs,
    call: &'a FanOutCall,
    terms: &'a Terms,
    list: &'a List,
    tolerated: Option<u64>,
    caller: LambdaCaller,
}

/// What came of a run over a file.
struct Over {
    came: Came,
    before: u64,
    path: String,
}

impl Over {
    fn told(self) -> Result<Exit, Failure> {
        let place = self.path;
        told::tell(&self.came, self.before, Some(&place))
    }
}

impl Work<'_> {
    async fn run<L: Ledger>(
        &self,
        ledger: &L,
        start: Start,
        interrupts: Interrupts,
    ) -> Result<Came, Failure> {
        let start = Start { tolerated: self.tolerated, ..start };
        let items = self.list.items(self.terms).await?;
        let stop = Stop {
            starting: interrupts.first(),
            waiting: interrupts.second(),
            counts_rest: self.list.is_bounded(),
        };
        let came = invoke_all(&self.caller, ledger, items, self.terms, start, stop).await;
        Ok(came.context("the results can't be kept")?)
    }

    /// Over a file of results, which is gone on with where it is there.
    async fn run_over(
        &self,
        path: &std::path::Path,
        digest: &str,
        overwrite: bool,
        resume: bool,
    ) -> Result<Over, Failure> {
        let wanted = Wanted {
            path,
            digest,
            order: call::order(self.args),
            overwrite,
            resume,
            idempotent: self.terms.retry.idempotent,
        };
        let (ledger, start) = ResultsFile::open(&wanted).map_err(refused)?;
        let before = start.done.count() + start.early.len() as u64;
        if before + start.suspect_until > 0 && self.list.is_standard_input() {
            let why = "standard input can't be read again; give the list as a file to go on with its results";
            return Err(Failure::Rejected(format!(
                "{}: {why}, or begin anew with --overwrite",
                path.display()
            )));
        }
        let came = self.run(&ledger, start, Interrupts::listen(None)?).await?;
        ledger
            .finish(matches!(came.ended, Ended::Complete))
            .map_err(|error| Failure::Broken(error.into()))?;
        Ok(Over { came, before, path: path.display().to_string() })
    }

    /// Into an object, by way of a file: an object that is being written is lost with its program.
    async fn run_to(&self, uri: &S3Uri, bucket: S3ObjectStore) -> Result<Exit, Failure> {
        let digest = self.list.digest(self.call, Some(uri)).await?;
        let spooled = SpooledObject::of(uri, &digest);
        bucket.try_object(&uri.key).await.with_context(|| format!("{uri} can't be written"))?;
        let is_there = bucket.object_info(&uri.key).await.with_context(|| uri.to_string())?.is_some();
        if is_there && !spooled.path.exists() && !self.args.overwrite {
            let why = format!("{uri}: is there already; name another key, or replace it with --overwrite");
            return Err(Failure::Rejected(why));
        }
        let over = self.run_over(&spooled.path, &digest, self.args.overwrite, self.args.resume).await?;
        let put = put_file(&bucket, uri, &spooled).await;
        put.with_context(|| {
            format!(
                "{uri} can't be written; the results are in {}: the same command puts them there",
                over.path
            )
        })?;
        if matches!(over.came.ended, Ended::Complete) {
            spooled.remove();
            return told::tell(&over.came, over.before, None);
        }
        over.told()
    }
}

async fn put_file(bucket: &S3ObjectStore, uri: &S3Uri, spooled: &SpooledObject) -> anyhow::Result<()> {
    let mut file = tokio::fs::File::open(&spooled.path).await?;
    let mut object = bucket.create_object(&uri.key, "application/x-ndjson").await?;
    let mut chunk = vec![0; 1024 * 1024];
    loop {
        match file.read(&mut chunk).await? {
            0 => break,
            read => object.write(&chunk[..read]).await?,
        }
    }
    Ok(object.finish().await?)
}

/// Raises the soft limit of open files towards the hard one. Where that is too little the fan-out keeps to what
/// there is.
fn allow_files(ceiling: u32) {
    let limit = getrlimit(Resource::Nofile);
    let wanted = u64::from(ceiling) + OTHER_FILES;
    let current = limit.current.unwrap_or(u64::MAX);
    if current < wanted {
        let raised = limit.maximum.unwrap_or(u64::MAX).min(wanted).max(current);
        let _as_it_was =
            setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum: limit.maximum });
    }
}

fn refused(error: FanOutError) -> Failure {
    match error {
        FanOutError::Refused(why) => Failure::Rejected(why),
        other => Failure::Broken(other.into()),
    }
}

fn usage(error: impl ToString) -> Failure {
    Failure::Usage(error.to_string())
}

/// What is wrong with a list before anything of it is invoked.
fn unread(error: PortError) -> Failure {
    match error.may_pass() {
        true => Failure::Broken(anyhow::Error::new(error).context("the payloads can't be read")),
        false => Failure::Rejected(error.message),
    }
}
