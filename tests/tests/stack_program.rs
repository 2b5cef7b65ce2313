//! `batchwright … --stack` as a person runs it, against a server that says what AWS would say.

use std::process::Output;

use anyhow::Context as _;
use batchwright_tests::emulators::REGION;
use batchwright_tests::loopback::{Loopback, Reply, Request};
use batchwright_tests::stack::built;
use serde_json::{Value, json};

struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Ended {
    fn json(&self) -> anyhow::Result<Value> {
        serde_json::from_str(&self.stdout).with_context(|| format!("{}{}", self.stdout, self.stderr))
    }
}

async fn program(server: &Loopback, args: &[&str]) -> anyhow::Result<Ended> {
    let mut command = tokio::process::Command::new(built("batchwright")?);
    command.args(args).args([
        "--stack",
        "nightly",
        "--region",
        REGION,
        "--endpoint-url",
        server.endpoint_url(),
    ]);
    command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
    command.env("AWS_CONFIG_FILE", "/dev/null").env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
    command.env("BATCHWRIGHT_CONFIG", "/dev/null");
    command.env_remove("AWS_PROFILE").env_remove("AWS_SESSION_TOKEN").env_remove("AWS_ENDPOINT_URL");
    let Output { status, stdout, stderr } = command.kill_on_drop(true).output().await?;
    Ok(Ended { code: status.code(), stdout: String::from_utf8(stdout)?, stderr: String::from_utf8(stderr)? })
}

fn answer(body: &Value) -> Reply {
    Reply::new(200, body.to_string()).with("content-type", "application/x-amz-json-1.0")
}

fn url(queue: &str) -> Reply {
    answer(&json!({"QueueUrl": format!("http://sqs/{queue}")}))
}

fn received(ids: &[&str]) -> Reply {
    let message = |id: &&str| {
        json!({"MessageId": id, "ReceiptHandle": format!("handle of {id}"), "Body": format!("body of {id}"),
            "Attributes": {"SentTimestamp": "1000"}})
    };
    answer(&json!({"Messages": ids.iter().map(message).collect::<Vec<_>>()}))
}

/// The calls as `Operation of what`, without the look-ups of queues.
fn calls(server: &Loopback) -> anyhow::Result<Vec<String>> {
    let mut calls = Vec::new();
    for request in server.requests() {
        let operation = request.header("x-amz-target").unwrap_or_default().replace("AmazonSQS.", "");
        let body = request.json()?;
        let handles = body["Entries"].as_array().into_iter().flatten();
        let mut of: Vec<&str> = handles.filter_map(|entry| entry["ReceiptHandle"].as_str()).collect();
        of.extend(body["ReceiptHandle"].as_str().or(body["MessageBody"].as_str()));
        of.sort_unstable();
        if operation != "GetQueueUrl" {
            calls.push([&[operation.as_str()][..], &of].concat().join(" "));
        }
    }
    Ok(calls)
}

#[tokio::test]
async fn a_message_that_can_not_be_delivered_holds_up_no_other_and_is_seen_again() -> anyhow::Result<()> {
    let server = Loopback::start([
        url("nightly-states-dead-letters"),
        url("nightly-states"),
        received(&["m1", "m2", "m3"]),
        answer(&json!({"MessageId": "n"})),
        answer(&json!({})),
        Reply::error(400, "InvalidMessageContents", "a character that is not allowed"),
        answer(&json!({"MessageId": "n"})),
        answer(&json!({})),
        // It comes into sight while others are delivered, and is not tried a second time.
        received(&["m2"]),
        received(&["m2"]),
        answer(&json!({"Successful": [], "Failed": []})),
    ])
    .await?;
    let ended = program(&server, &["dlq", "redrive", "states", "--yes", "--output", "json"]).await?;
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let why = "InvalidMessageContents: a character that is not allowed";
    let undelivered = json!([{"messageId": "m2", "why": why}]);
    assert_eq!(
        ended.json()?,
        json!({"delivered": 2, "undelivered": undelivered, "to": {"queue": "nightly-states"}})
    );
    assert!(
        ended.stderr.contains(&format!("the message m2 can't be delivered: {why}\n"))
            && ended.stderr.contains("dlq remove states ID"),
        "{}",
        ended.stderr
    );
    assert_eq!(
        calls(&server)?,
        [
            "ReceiveMessage",
            "SendMessage body of m1",
            "DeleteMessage handle of m1",
            "SendMessage body of m2",
            "SendMessage body of m3",
            "DeleteMessage handle of m3",
            "ReceiveMessage",
            "ReceiveMessage",
            "ChangeMessageVisibilityBatch handle of m2",
        ]
    );
    Ok(())
}

#[tokio::test]
async fn what_was_received_is_seen_again_where_the_queue_fails_in_between() -> anyhow::Result<()> {
    let denied =
        || Reply::error(403, "AccessDenied", "User: u is not authorized to perform: sqs:ReceiveMessage");
    for command in [&["dlq", "redrive", "states", "--yes"][..], &["dlq", "show", "states"]] {
        let mut replies = vec![url("nightly-states-dead-letters")];
        if command[1] == "redrive" {
            replies.push(url("nightly-states"));
        }
        replies.push(received(&["m1"]));
        if command[1] == "redrive" {
            replies.push(Reply::error(400, "InvalidMessageContents", "no"));
        }
        replies.extend([denied(), answer(&json!({"Successful": [], "Failed": []}))]);
        let server = Loopback::start(replies).await?;
        let ended = program(&server, command).await?;
        assert_eq!(ended.code, Some(4), "{}", ended.stderr);
        assert!(ended.stderr.contains("AccessDenied: User: u is not authorized"), "{}", ended.stderr);
        assert_eq!(
            calls(&server)?.last().map(String::as_str),
            Some("ChangeMessageVisibilityBatch handle of m1")
        );
    }
    Ok(())
}

#[tokio::test]
async fn messages_that_nobody_sees_are_told_apart_from_none() -> anyhow::Result<()> {
    let counts = |hidden: &str| {
        let of = json!({"ApproximateNumberOfMessages": "0", "ApproximateNumberOfMessagesNotVisible": hidden});
        answer(&json!({"Attributes": of}))
    };
    for (hidden, told) in [
        ("0", "no message waits\n"),
        (
            "2",
            "about 2 messages wait, and none can be seen: somebody looks at them or delivers them; ask again in a minute\n",
        ),
    ] {
        let queue = || url("nightly-states-dead-letters");
        let server = Loopback::start([queue(), received(&[]), queue(), counts(hidden)]).await?;
        let ended = program(&server, &["dlq", "show", "states"]).await?;
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), told), "{}", ended.stderr);
    }
    Ok(())
}

#[tokio::test]
async fn a_message_is_removed_by_its_id_and_the_others_stay() -> anyhow::Result<()> {
    let server = Loopback::start([
        url("nightly-states-dead-letters"),
        received(&["m1", "m2"]),
        answer(&json!({})),
        received(&["m1"]),
        answer(&json!({"Successful": [], "Failed": []})),
    ])
    .await?;
    let args = ["dlq", "remove", "states", "m2", "m9", "--yes", "--output", "json"];
    let ended = program(&server, &args).await?;
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert_eq!(ended.json()?, json!({"removed": ["m2"], "notFound": ["m9"]}));
    assert!(ended.stderr.contains("no message m9 can be seen"), "{}", ended.stderr);
    let expected = [
        "ReceiveMessage",
        "DeleteMessage handle of m2",
        "ReceiveMessage",
        "ChangeMessageVisibilityBatch handle of m1",
    ];
    assert_eq!(calls(&server)?, expected);
    let asked = program(&server, &["dlq", "remove", "states", "m2"]).await?;
    assert!(asked.stderr.contains("give --yes where nobody can answer"), "{}", asked.stderr);
    Ok(())
}

#[tokio::test]
async fn a_stack_that_one_may_not_look_at_is_not_told_as_one_that_is_not_there() -> anyhow::Result<()> {
    let missing = "Function not found: arn:aws:lambda:eu-west-1:1:function:nightly-submitter";
    let denied = "User: u is not authorized to perform: lambda:GetFunctionConfiguration";
    for (reply, told) in [
        (
            Reply::error(404, "ResourceNotFoundException", missing),
            format!(
                "no stack nightly was found: ResourceNotFoundException: {missing}; check --stack, --profile and --region"
            ),
        ),
        (
            Reply::error(403, "AccessDeniedException", denied),
            format!(
                "the stack nightly can't be looked at: its function nightly-submitter can't be read: AccessDeniedException: {denied}; docs/program.md lists what --stack needs"
            ),
        ),
    ] {
        let server = Loopback::start([reply]).await?;
        let ended = program(&server, &["runs"]).await?;
        assert_eq!((ended.code, ended.stderr), (Some(4), format!("batchwright: {told}\n")));
        let lines: Vec<Request> = server.requests();
        assert_eq!(lines.len(), 1);
    }
    Ok(())
}
