//! A stack with every option of the templates switched on, and the example that follows its runs.

use std::path::Path;

use anyhow::{Context as _, ensure};
use batchwright_tests::stack::{ACCOUNT, NAME, Overrides};
use serde_json::{Value, json};

use crate::deployed::{Cli, Deployed};

const JOBS: &str = "{jobName: kept, jobQueue: queue, jobDefinition: definition, containerOverrides: {command: [echo, kept], \
                    environment: [{name: PASSWORD, value: hunter2-0dd5ea1}]}}";

/// The password of that job, which does not ask to be sealed.
const SECRET: &str = "hunter2-0dd5ea1";

/// The queue, as the embedded engine's events name it.
fn queue() -> String {
    format!("arn:aws:batch:local:{ACCOUNT}:job-queue/queue")
}

/// Makes what the options name, and names it.
pub(crate) async fn all(cli: &Cli<'_>) -> anyhow::Result<Overrides> {
    let text = |value: &Value| value.as_str().map(ToOwned::to_owned).context("an answer without a name");
    let key = text(&cli.run(&["kms", "create-key"]).await?["KeyMetadata"]["Arn"])?;
    cli.run(&["s3", "mb", "s3://access-logs"]).await?;
    let vpc = text(&cli.run(&["ec2", "create-vpc", "--cidr-block", "10.7.0.0/16"]).await?["Vpc"]["VpcId"])?;
    let subnet = ["ec2", "create-subnet", "--vpc-id", &vpc, "--cidr-block", "10.7.1.0/24"];
    let subnet = text(&cli.run(&subnet).await?["Subnet"]["SubnetId"])?;
    let group = ["ec2", "create-security-group", "--vpc-id", &vpc, "--group-name", "g", "--description", "g"];
    let group = text(&cli.run(&group).await?["GroupId"])?;
    let bounds =
        json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]});
    let bounds =
        ["iam", "create-policy", "--policy-name", "bounds", "--policy-document", &bounds.to_string()];
    let bounds = text(&cli.run(&bounds).await?["Policy"]["Arn"])?;
    Ok(Overrides {
        data: vec![
            format!("KmsKeyArn={key}"),
            "AccessLogBucket=access-logs".to_owned(),
            "LogArchiveDays=30".to_owned(),
            "ReportDays=30".to_owned(),
            "JobFileDays=30".to_owned(),
        ],
        app: vec![
            format!("KmsKeyArn={key}"),
            format!("SubnetIds={subnet}"),
            format!("SecurityGroupIds={group}"),
            format!("PermissionsBoundaryArn={bounds}"),
            format!("JobQueues={},arn:aws:batch:*:{ACCOUNT}:job-queue/queue", queue()),
            format!("JobDefinitions=arn:aws:batch:*:{ACCOUNT}:job-definition/definition*"),
            format!("EventQueues={}", queue()),
            "JobLogGroups=/team/*".to_owned(),
            format!("MoreJobLogGroups=arn:aws:logs:local:{ACCOUNT}:log-group:/other"),
            "SealJobs=true".to_owned(),
            "StateHandlerConcurrency=5".to_owned(),
            "FanOutConcurrency=5".to_owned(),
            "SerializerReads=arn:aws:s3:::in,arn:aws:s3:::both".to_owned(),
            "SerializerWrites=arn:aws:s3:::both".to_owned(),
            format!("SerializerKeys={key}"),
            "AlarmEmail=somebody@example.com".to_owned(),
            "TellRunEnds=all".to_owned(),
            "LogRetentionDays=7".to_owned(),
            "BundleLogsFrom=0".to_owned(),
        ],
    })
}

/// That an option is a parameter is one thing; that the resource has it, another. ministack keeps no keys,
/// access logs and reserved concurrency, no VPC of a function and no boundary of a role: those are looked at in the
/// templates alone.
pub(crate) async fn reached_the_resources(deployed: &Deployed) -> anyhow::Result<()> {
    let told = deployed.cli(&["sns", "list-subscriptions"]).await?;
    let states = format!("{NAME}-states");
    let rule = deployed.cli(&["events", "describe-rule", "--name", &states]).await?;
    let group = format!("/aws/lambda/{NAME}-submitter");
    let group = deployed.cli(&["logs", "describe-log-groups", "--log-group-name-prefix", &group]).await?;
    let holds = [
        (told["Subscriptions"][0]["Endpoint"] == "somebody@example.com", &told),
        (rule["EventPattern"].as_str().is_some_and(|pattern| pattern.contains(&queue())), &rule),
        (group["logGroups"][0]["retentionInDays"] == 7, &group),
    ];
    let missing: Vec<_> =
        holds.iter().filter(|(holds, _)| !holds).map(|(_, found)| found.to_string()).collect();
    ensure!(missing.is_empty(), "{missing:?}");
    Ok(())
}

/// The example beside the stack: the end of a run starts an execution, whose input is the event's detail.
pub(crate) async fn an_end_of_a_run_starts_an_execution(deployed: &Deployed) -> anyhow::Result<()> {
    let machine = json!({"StartAt": "Next", "States": {"Next": {"Type": "Pass", "End": true}}}).to_string();
    let role = format!("arn:aws:iam::{ACCOUNT}:role/next");
    let made = ["stepfunctions", "create-state-machine", "--name", "next", "--role-arn", &role];
    let machine = deployed.cli(&[&made[..], &["--definition", &machine]].concat()).await?;
    let machine = machine["stateMachineArn"].as_str().context("no machine")?.to_owned();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/run-ends.yaml");
    let example = example.to_string_lossy().into_owned();
    let deploy = ["cloudformation", "deploy", "--stack-name", "after-runs", "--template-file", &example];
    let overrides = ["--parameter-overrides", &format!("Name={NAME}"), &format!("StateMachineArn={machine}")];
    deployed.cli(&[&deploy[..], &["--capabilities", "CAPABILITY_IAM"], &overrides].concat()).await?;

    deployed.upload("jobs/kept.yaml", JOBS).await?;
    deployed.wait_for_ends(&["kept"]).await?;
    let started = deployed.wait("the execution", async || {
        let list = ["stepfunctions", "list-executions", "--state-machine-arn", &machine];
        let list = deployed.cli(&list).await?;
        Ok(list["executions"].as_array().and_then(|all| all.first()).cloned())
    });
    let execution = started.await?["executionArn"].as_str().context("no execution")?.to_owned();
    let told = deployed.cli(&["stepfunctions", "describe-execution", "--execution-arn", &execution]).await?;
    let input: Value = serde_json::from_str(told["input"].as_str().context("no input")?)?;
    ensure!(input["status"] == "SUCCEEDED" && input["succeeded"] == 1, "{input}");
    let jobs = format!("{NAME}-jobs");
    let items = deployed.cli(&["dynamodb", "scan", "--table-name", &jobs]).await?.to_string();
    ensure!(items.contains("kept") && !items.contains(SECRET), "SealJobs: {items}");
    let runs = deployed.program(0, &["runs"]).await?;
    ensure!(runs["runs"][0]["runId"] == input["runId"], "{runs} {input}");
    Ok(())
}
