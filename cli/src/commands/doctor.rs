//! `batchwright doctor`.

use batchwright::local::StateDir;
use batchwright::ports::{JobQueries, RunStore};
use batchwright::sqlite::SqliteStore;
#[cfg(feature = "aws")]
use clap::ValueEnum as _;
use serde::Serialize;

use crate::args::Output;
#[cfg(feature = "aws")]
use crate::args::StackArgs;
use crate::exit::{Exit, Failure};
use crate::output::{human, table};
#[cfg(feature = "aws")]
use crate::stack::dead_letters::{DeadLetterQueues, DeadLetters};
#[cfg(feature = "aws")]
use crate::stack::{FUNCTIONS, Stack};

/// What was looked at.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Check {
    what: String,
    is_well: bool,
    found: String,
    /// What to do where it is not well.
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<&'static str>,
}

impl Check {
    fn of(what: impl Into<String>, found: Result<String, String>, remedy: &'static str) -> Self {
        let is_well = found.is_ok();
        let found = found.unwrap_or_else(|why| why);
        Self { what: what.into(), is_well, found, remedy: (!is_well).then_some(remedy) }
    }
}

pub(crate) async fn of_folder(dir: &StateDir, output: Output) -> Result<Exit, Failure> {
    let mut checks = Vec::new();
    let database = dir.database();
    let opened = SqliteStore::open_existing(&database);
    let store = opened.as_ref().ok().cloned();
    let state = opened.map(|_| database.display().to_string()).map_err(|error| error.message);
    let is_new = matches!(database.try_exists(), Ok(false));
    let remedy = if is_new { "run a job file: the first run makes the folder" } else { "do as it says" };
    checks.push(Check::of("state", state, remedy));
    if let Some(store) = store {
        checks.push(of_jobs(&store).await);
        checks.push(of_runs(&store).await);
    }
    let process =
        if dir.is_in_use() { "runs the folder's jobs" } else { "none: nothing that waits is started" };
    checks.push(Check::of("process", Ok(process.to_owned()), ""));
    let cores = std::thread::available_parallelism().map(|cores| format!("{cores} vCPUs"));
    checks.push(Check::of("machine", cores.map_err(|error| error.to_string()), "give --vcpus"));
    let shell = std::process::Command::new("sh").args(["-c", "exit 0"]).status();
    let shell = match shell {
        Ok(status) if status.success() => Ok("commands can be run".to_owned()),
        Ok(status) => Err(format!("sh ended with {status}")),
        Err(error) => Err(format!("sh: {error}")),
    };
    checks.push(Check::of("shell", shell, "put sh on the PATH, or give commands that need none"));
    show(&checks, output)
}

#[cfg(feature = "aws")]
pub(crate) async fn of_stack(args: &StackArgs, output: Output) -> Result<Exit, Failure> {
    let name = args.stack.as_deref().unwrap_or_default();
    let found = Stack::find(args).await;
    let told = found.as_ref().map(|_| name.to_owned()).map_err(ToString::to_string);
    let remedy = "check --stack, --profile and --region; `aws sso login` renews a session; `just deploy` deploys a stack";
    let mut checks = vec![Check::of("stack", told, remedy)];
    let Ok(stack) = found else { return show(&checks, output) };
    for function in FUNCTIONS {
        let told = stack.function_state(name, function).await;
        let remedy = "wait until the function is Active; deploy the app template of this program's version, or install that of the stack's";
        checks.push(Check::of(format!("{name}-{function}"), told, remedy));
    }
    checks.extend(of_wakes(&stack, name).await);
    checks.push(of_jobs(&stack.store).await);
    checks.push(of_runs(&stack.store).await);
    use batchwright::ports::ObjectStore as _;
    // There is no such object: that S3 says so, and not that it is forbidden, is what is asked.
    let bucket = stack.bucket.open_object("reports/doctor").await;
    let bucket = bucket.map(|_| stack.bucket_name.clone()).map_err(|error| error.to_string());
    checks.push(Check::of("bucket", bucket, "allow s3:GetObject and s3:ListBucket on the stack's bucket"));
    let batch = stack.queues().await;
    checks.push(Check::of(
        "AWS Batch",
        batch,
        "allow batch:DescribeJobQueues; enable a queue, or create one",
    ));
    let definitions = stack.definitions().await;
    checks.push(Check::of(
        "job definitions",
        definitions,
        "allow batch:DescribeJobDefinitions; register the definitions that job files name",
    ));
    let room = stack.concurrency().await;
    checks.push(Check::of(
        "Lambda's quota",
        room,
        "allow lambda:GetAccountSettings; ask for more concurrent executions in Service Quotas",
    ));
    let queues = DeadLetterQueues::of(args).await;
    for letters in DeadLetters::value_variants() {
        let told = match queues.count(*letters).await {
            Ok(0) => Ok("empty".to_owned()),
            Ok(waiting) => Err(format!("{} could not be handled", human::count(waiting, "message"))),
            Err(failure) => Err(failure.to_string()),
        };
        let remedy = "look with `batchwright dlq show`, mend the cause, then `batchwright dlq redrive`";
        checks.push(Check::of(format!("dead letters of {}", letters.word()), told, remedy));
    }
    show(&checks, output)
}

/// What wakes the functions: each of it can be switched off, and is for a restore.
#[cfg(feature = "aws")]
async fn of_wakes(stack: &Stack, name: &str) -> [Check; 4] {
    [
        Check::of(
            "reserved concurrency",
            stack.reserved_concurrency(name).await,
            "`aws lambda delete-function-concurrency --function-name NAME` lets a function with 0 run again; allow lambda:GetFunctionConcurrency",
        ),
        Check::of(
            "event sources",
            stack.event_sources(name).await,
            "`aws lambda update-event-source-mapping --uuid UUID --enabled`; deploy the app template where one is gone; allow lambda:ListEventSourceMappings",
        ),
        Check::of(
            "rules",
            stack.rules(name).await,
            "`aws events enable-rule --name NAME`; deploy the app template where one is gone; allow events:DescribeRule",
        ),
        Check::of(
            "uploads",
            stack.uploads_are_told().await,
            "deploy the data template: it has the bucket tell EventBridge; allow s3:GetBucketNotification",
        ),
    ]
}

async fn of_jobs<S: JobQueries>(store: &S) -> Check {
    let counted = store.count_by_status().await;
    let told = counted.map(|counts| human::count(counts.total(), "job")).map_err(|error| error.to_string());
    Check::of(
        "table of jobs",
        told,
        "allow dynamodb:Scan and dynamodb:Query on the table and its indexes, or restore the state",
    )
}

async fn of_runs<S: RunStore>(store: &S) -> Check {
    let told = store.runs(None).await;
    let told = told.map(|page| match page.next {
        Some(_) => format!("more than {}", human::count(page.items.len() as u64, "run")),
        None => human::count(page.items.len() as u64, "run"),
    });
    let told = told.map_err(|error| error.to_string());
    Check::of("table of runs", told, "allow dynamodb:Scan on the table of runs, or restore the state")
}

fn show(checks: &[Check], output: Output) -> Result<Exit, Failure> {
    let is_well = checks.iter().all(|check| check.is_well);
    if output == Output::Table {
        let mut rows = table::table(&["", "WHAT", "FOUND"]);
        for check in checks {
            let mark = if check.is_well { "ok" } else { "!!" };
            rows.add_row([mark.to_owned(), check.what.clone(), check.found.clone()]);
            if let Some(remedy) = check.remedy {
                rows.add_row([String::new(), String::new(), format!("→ {remedy}")]);
            }
        }
        println!("{}", table::rendered(rows));
    } else {
        println!("{}", serde_json::json!({"isWell": is_well, "checks": checks}));
    }
    Ok(if is_well { Exit::Well } else { Exit::JobsFailed })
}
