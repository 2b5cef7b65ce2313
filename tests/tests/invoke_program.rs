//! `batchwright invoke` as a person runs it, against a server that speaks Lambda's `Invoke`.

use std::process::{Output, Stdio};

use anyhow::Context as _;
use batchwright_tests::emulators::{REGION, process::free_port};
use batchwright_tests::loopback::{Loopback, Reply};
use batchwright_tests::stack::built;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;

struct Ended {
    code: Option<i32>,
    results: Vec<Value>,
    stderr: String,
}

async fn program(endpoint_url: &str, args: &[&str], input: &str) -> anyhow::Result<Ended> {
    let mut command = tokio::process::Command::new(built("batchwright")?);
    command.arg("invoke").args(args).args(["--region", REGION, "--endpoint-url", endpoint_url]);
    command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
    command.env("AWS_CONFIG_FILE", "/dev/null").env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
    command.env_remove("AWS_PROFILE").env_remove("AWS_SESSION_TOKEN").env_remove("AWS_ENDPOINT_URL");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut process = command.spawn()?;
    process.stdin.take().context("stdin")?.write_all(input.as_bytes()).await?;
    let Output { status, stdout, stderr } = process.wait_with_output().await?;
    let results = String::from_utf8(stdout)?.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    Ok(Ended { code: status.code(), results, stderr: String::from_utf8(stderr)? })
}

fn outcomes(results: &[Value]) -> Vec<(u64, &str)> {
    let each = |result: &'_ Value| result["index"].as_u64().unwrap_or(u64::MAX);
    results.iter().map(|result| (each(result), result["outcome"].as_str().unwrap_or_default())).collect()
}

#[tokio::test]
async fn results_come_in_order_and_the_exit_code_says_whether_all_is_well() -> anyhow::Result<()> {
    let server = Loopback::start([
        Reply::error(429, "TooManyRequestsException", "Rate Exceeded."),
        Reply::new(200, "{\"done\": true}").with("x-amz-executed-version", "$LATEST"),
    ])
    .await?;
    let args = ["task", "--payload", "1", "--payload", "{\"a\": 2}", "--log-tail", "--qualifier", "live"];
    let ended = program(server.endpoint_url(), &args, "").await?;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(outcomes(&ended.results), [(0, "SUCCEEDED"), (1, "SUCCEEDED")]);
    assert_eq!(ended.results[1]["payload"]["done"], true);
    assert!(ended.stderr.starts_with("2 invocations: 2 succeeded; 1 retry; p50 "), "{}", ended.stderr);
    let requests = server.requests();
    assert_eq!(requests.len(), 3, "the one that was refused is tried again");
    assert!(
        requests.iter().all(|request| request.line.ends_with("/functions/task/invocations?Qualifier=live"))
    );
    assert!(requests.iter().all(|request| request.header("x-amz-log-type") == Some("Tail")));
    Ok(())
}

#[tokio::test]
async fn lists_come_from_files_and_standard_input_and_results_go_to_a_file() -> anyhow::Result<()> {
    let failed = r#"{"errorType":"ValueError","errorMessage":"bad"}"#;
    let server = Loopback::start([Reply::new(200, failed).with("x-amz-function-error", "Unhandled")]).await?;
    let ended = program(server.endpoint_url(), &["task", "--payloads", "-"], "1\n\n2\nnot JSON\n").await?;
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert_eq!(outcomes(&ended.results), [(0, "FUNCTION_ERROR"), (1, "FUNCTION_ERROR"), (2, "REJECTED")]);
    assert_eq!(
        (&ended.results[0]["errorType"], &ended.results[0]["errorMessage"]),
        (&"ValueError".into(), &"bad".into())
    );
    assert!(ended.stderr.starts_with("3 invocations: 2 failed, 1 rejected; p50 "), "{}", ended.stderr);

    let folder = tempfile::tempdir()?;
    let (list, results) = (folder.path().join("list.jsonl"), folder.path().join("results.jsonl"));
    std::fs::write(&list, "1\n2\n3\n4\n")?;
    let (list, results) = (list.to_string_lossy(), results.to_string_lossy());
    let args =
        ["task", "--payloads", &list, "--results", &results, "--tolerated", "25%", "--concurrency", "1"];
    let ended = program(server.endpoint_url(), &args, "").await?;
    assert_eq!((ended.code, ended.results.len()), (Some(1), 0), "{}", ended.stderr);
    let written = std::fs::read_to_string(results.as_ref())?;
    let written: Vec<Value> = written.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let expected = [(0, "FUNCTION_ERROR"), (1, "FUNCTION_ERROR"), (2, "NOT_RUN"), (3, "NOT_RUN")];
    assert_eq!(outcomes(&written), expected);
    Ok(())
}

#[tokio::test]
async fn what_is_wrong_with_the_command_line_is_said_before_anything_is_invoked() -> anyhow::Result<()> {
    let server = Loopback::start([Reply::new(200, "1")]).await?;
    let folder = tempfile::tempdir()?;
    let [packed, torn] =
        ["list.jsonl.zst", "list.jsonl.gz"].map(|name| folder.path().join(name).display().to_string());
    std::fs::write(&packed, b"\x28\xB5\x2F\xFD\x04\x00\x11\x00\x00 breaks off")?;
    std::fs::write(&torn, b"\x1F\x8B\x08\x00\x00")?;
    for (args, code, expected) in [
        (&["task"][..], 2, "--payloads <FILE>"),
        (&["task", "--payload", "{"], 2, "--payload {: not JSON: "),
        (&["a b", "--payload", "1"], 2, "FUNCTION: \"a b\" is no function"),
        (
            &["task", "--payload", "1", "--concurrency", "0"],
            2,
            "--concurrency: must be a whole number from 1",
        ),
        (&["task", "--payload", "1", "--type", "Sync"], 2, "invalid value 'Sync' for '--type <TYPE>'"),
        (&["task", "--payload", "1", "--client-context", "x"], 2, "--client-context: not base64"),
        (
            &["task", "--payloads", "-", "--tolerated", "5%"],
            2,
            "--tolerated: a part of all needs the list's length",
        ),
        (&["task", "--payloads", "/nowhere/list.jsonl"], 3, "/nowhere/list.jsonl: No such file"),
        (&["task", "--payloads", "/tmp"], 3, "/tmp: is a folder; name a file"),
        (&["task", "--payloads", &packed], 3, "is compressed by zstd"),
        (&["task", "--payloads", &torn], 3, "the gzip data is damaged"),
    ] {
        let ended = program(server.endpoint_url(), args, "").await?;
        assert_eq!(ended.code, Some(code), "{args:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(expected), "{args:?}: {}", ended.stderr);
    }
    assert_eq!(server.requests().len(), 0);
    Ok(())
}

#[tokio::test]
async fn nobody_at_the_endpoint_is_said_once_and_costs_no_item() -> anyhow::Result<()> {
    let nobody = format!("http://127.0.0.1:{}", free_port()?);
    let ended = program(&nobody, &["task", "--payload", "1"], "").await?;
    assert_eq!(ended.code, Some(4), "{}", ended.stderr);
    assert_eq!(outcomes(&ended.results), [(0, "NOT_RUN")]);
    assert_eq!(ended.stderr.matches("no connection could be made").count(), 1, "{}", ended.stderr);
    Ok(())
}
