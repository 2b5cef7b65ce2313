//! `batchwright invoke`.

use std::os::fd::AsFd;

use anyhow::Context;
use aws_config::SdkConfig;
use batchwright::aws::{Connection, LambdaCaller, S3ObjectReader, S3ObjectStore, connect, s3_client};
use batchwright::domain::S3Uri;
use batchwright::fan_out::{FanOutCall, Progress, Source, Summary, Targets, Terms, read_call};
use batchwright::ports::{ObjectStore, ObjectWriter};
use batchwright::use_cases::fan_out::{
    Ended, InObject, Items, Kind, LineWriter, Plain, Start, Stop, StreamedLedger, count_lines, inline,
    invoke_all, lines,
};
use serde_json::{Value, json};
use tokio::fs::File;
use tokio::io::{AsyncBufRead, BufReader, BufWriter};

use crate::args::InvokeArgs;
use crate::exit::{Exit, Failure};
use crate::output::human;

/// Bytes that are read at once.
const READ_BUFFER_BYTES: usize = 256 * 1024;

pub(crate) async fn invoke(args: &InvokeArgs) -> Result<Exit, Failure> {
    let call = call(args)?;
    let terms = call.terms(&Targets::any()).map_err(usage)?;
    let connection = Connection {
        region: args.region.clone(),
        profile: args.profile.clone(),
        endpoint_url: args.endpoint_url.clone(),
    };
    let aws = connect(&connection).await;
    let list = List::of(args, &aws)?;
    let tolerated = match &terms.tolerated {
        None => None,
        Some(tolerated) if tolerated.needs_total() => Some(tolerated.of(list.count().await?)),
        Some(tolerated) => Some(tolerated.of(0)),
    };
    let start = Start { tolerated, ..Start::default() };
    let items = list.items(&terms).await?;
    let caller = LambdaCaller::new(&aws);
    let (ended, progress) = match args.results.as_deref().map(Place::of) {
        None => {
            let stdout = stream(&std::io::stdout(), "standard output")?;
            run(&caller, items, &terms, start, Plain(BufWriter::new(stdout))).await?.0
        }
        Some(Place::File(path)) => {
            let file = File::create(path).await.with_context(|| format!("{path} can't be written"))?;
            run(&caller, items, &terms, start, Plain(BufWriter::new(file))).await?.0
        }
        Some(Place::S3(uri)) => {
            let uri = S3Uri::parse(uri).map_err(usage)?;
            let bucket = S3ObjectStore::new(s3_client(&aws), uri.bucket.clone());
            let object = bucket.create_object(&uri.key, "application/x-ndjson").await;
            let object = InObject(object.with_context(|| format!("{uri} can't be written"))?);
            let (ended, InObject(object)) = run(&caller, items, &terms, start, object).await?;
            object.finish().await.with_context(|| format!("{uri} can't be written"))?;
            ended
        }
    };
    tell(&progress);
    Ok(match ended {
        Ended::Stopped => Exit::Interrupted,
        Ended::Complete if progress.counts.succeeded == progress.counts.total() => Exit::Well,
        Ended::Complete => Exit::JobsFailed,
    })
}

type Came = (Ended, Progress);

async fn run<W: LineWriter>(
    caller: &LambdaCaller,
    items: Items<'_>,
    terms: &Terms,
    start: Start,
    writer: W,
) -> Result<(Came, W), Failure> {
    let ledger = StreamedLedger::new(writer);
    let stop = Stop {
        starting: async {
            interrupted().await;
            eprintln!(
                "interrupted: nothing more is started; waiting for what is under way, Ctrl-C again does not"
            );
        },
        waiting: async {
            interrupted().await;
            interrupted().await;
        },
    };
    let came = invoke_all(caller, &ledger, items, terms, start, stop).await;
    let came = came.context("the list could not be invoked to its end")?;
    Ok((came, ledger.into_writer()))
}

async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// The command line as a call of the fan-out, without its list.
fn call(args: &InvokeArgs) -> Result<FanOutCall, Failure> {
    let mut call = json!({
        "functionName": args.function,
        "invocationType": args.invocation_type,
        "logType": if args.log_tail { "Tail" } else { "None" },
        "concurrency": args.concurrency,
        "idempotent": args.idempotent,
        "retryFunctionErrors": args.retry_function_errors,
    });
    let context = args.client_context.as_deref();
    for (name, value) in [
        ("qualifier", args.qualifier.as_deref().map(Value::from)),
        (
            "clientContext",
            context.map(|text| serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))),
        ),
        ("maxAttempts", args.max_attempts.map(Value::from)),
        ("timeoutSeconds", args.timeout.map(Value::from)),
        (
            "tolerated",
            args.tolerated.as_deref().map(|text| text.parse::<u64>().map_or(text.into(), Value::from)),
        ),
    ] {
        if let Some(value) = value {
            call[name] = value;
        }
    }
    read_call(call).map_err(usage)
}

/// Where a file lies.
enum Place<'a> {
    File(&'a str),
    S3(&'a str),
}

impl<'a> Place<'a> {
    fn of(text: &'a str) -> Self {
        if text.starts_with("s3://") { Self::S3(text) } else { Self::File(text) }
    }
}

/// The payloads.
enum List {
    Here(Source),
    StandardInput,
    File(String),
    S3(S3ObjectStore, S3Uri),
}

impl List {
    fn of(args: &InvokeArgs, aws: &SdkConfig) -> Result<Self, Failure> {
        let Some(name) = args.payloads.as_deref() else {
            let read = |text: &String| {
                serde_json::from_str(text).map_err(|error| {
                    Failure::Usage(format!("--payload {text}: not JSON: {error}; put text in \"quotes\""))
                })
            };
            let payloads: Result<Vec<Value>, Failure> = args.payload.iter().map(read).collect();
            return Ok(Self::Here(Source::Payloads(payloads?)));
        };
        match Place::of(name) {
            _ if name == "-" => Ok(Self::StandardInput),
            Place::File(path) => Ok(Self::File(path.to_owned())),
            Place::S3(uri) => {
                let uri = S3Uri::parse(uri).map_err(usage)?;
                Ok(Self::S3(S3ObjectStore::new(s3_client(aws), uri.bucket.clone()), uri))
            }
        }
    }

    async fn items<'a>(&'a self, terms: &'a Terms) -> Result<Items<'a>, Failure> {
        match self {
            Self::Here(source) => {
                inline(source, terms, 0, None).ok_or_else(|| Failure::Usage("no payloads".to_owned()))
            }
            Self::StandardInput => {
                opened(BufReader::new(stream(&std::io::stdin(), "standard input")?), "standard input", terms)
                    .await
            }
            Self::File(path) => opened(file(path).await?, path, terms).await,
            Self::S3(bucket, uri) => opened(object(bucket, uri).await?, &uri.to_string(), terms).await,
        }
    }

    /// How many there are.
    async fn count(&self) -> Result<u64, Failure> {
        let counted = match self {
            Self::Here(Source::Payloads(payloads)) => return Ok(payloads.len() as u64),
            Self::Here(_) | Self::StandardInput => {
                let why = "--tolerated: a part of all needs the list's length; give a number, or the list as a file";
                return Err(Failure::Usage(why.to_owned()));
            }
            Self::File(path) => count_lines(file(path).await?, path).await,
            Self::S3(bucket, uri) => count_lines(object(bucket, uri).await?, &uri.to_string()).await,
        };
        Ok(counted.context("the payloads can't be read")?)
    }
}

async fn opened<'a, R: AsyncBufRead + Send + Unpin + 'a>(
    reader: R,
    name: &str,
    terms: &'a Terms,
) -> Result<Items<'a>, Failure> {
    let opened = lines(reader, name, Kind::Payloads, terms, 0, None).await;
    Ok(opened.context("the payloads can't be read")?)
}

/// A stream of this process as a file: what waits for it does not hold the program up.
fn stream(of: &impl AsFd, name: &str) -> Result<File, Failure> {
    let own = of.as_fd().try_clone_to_owned().with_context(|| format!("{name} can't be used"))?;
    Ok(File::from_std(own.into()))
}

async fn file(path: &str) -> Result<BufReader<File>, Failure> {
    let opened = File::open(path).await;
    let file = opened.map_err(|error| Failure::Rejected(format!("{path}: {error}")))?;
    Ok(BufReader::with_capacity(READ_BUFFER_BYTES, file))
}

async fn object(bucket: &S3ObjectStore, uri: &S3Uri) -> Result<S3ObjectReader, Failure> {
    let opened = bucket.open_object(&uri.key).await.context("the payloads can't be read")?;
    opened.ok_or_else(|| Failure::Rejected(format!("{uri}: there is no such object")))
}

fn usage(error: impl ToString) -> Failure {
    Failure::Usage(error.to_string())
}

/// What all came to.
fn tell(progress: &Progress) {
    let Summary { items, counts, retries, latency_ms, wall_time_ms, peak_concurrency } =
        Summary::from(progress);
    let named = [
        (counts.succeeded, "succeeded"),
        (counts.function_error, "failed"),
        (counts.rejected, "rejected"),
        (counts.unknown, "unknown"),
        (counts.not_run, "not run"),
    ];
    let told: Vec<String> =
        named.iter().filter(|(count, _)| *count > 0).map(|(count, name)| format!("{count} {name}")).collect();
    let mut line = format!("{}: {}", human::count(items, "invocation"), told.join(", "));
    if retries > 0 {
        let plural = if retries == 1 { "retry" } else { "retries" };
        line.push_str(&format!("; {retries} {plural}"));
    }
    if let Some(latency) = latency_ms {
        line.push_str(&format!("; p50 {} ms, p90 {} ms, p99 {} ms", latency.p50, latency.p90, latency.p99));
    }
    let wall = human::duration(i64::try_from(wall_time_ms).unwrap_or(i64::MAX));
    eprintln!("{line}; {wall}, up to {peak_concurrency} at once");
}
