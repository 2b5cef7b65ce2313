//! What `batchwright invoke` makes of every kind of answer, of a lack of room, and of lists that are none.

use batchwright_tests::fake_lambda::FakeLambda;
use batchwright_tests::invoke::{Ended, Folder, count, ended, program, results, run};
use serde_json::{Value, json};

async fn of(server: &FakeLambda, acts: &[&str], args: &[&str]) -> anyhow::Result<Vec<Value>> {
    let payload = json!({"id": 0, "do": acts}).to_string();
    let ended = run(server.endpoint_url(), &[&["task", "--payload", &payload], args].concat()).await?;
    results(&ended.stdout)
}

#[tokio::test]
async fn every_kind_of_answer_has_its_outcome_and_nothing_runs_twice_unasked() -> anyhow::Result<()> {
    let throttled = "error:429:TooManyRequestsException";
    for (acts, args, outcome, runs) in [
        (&["ok:5"][..], &[][..], "SUCCEEDED", 1),
        (&[throttled, throttled, throttled, "ok:1"], &["--max-attempts", "2"], "SUCCEEDED", 1),
        (&["retry-after:1", "ok:1"], &["--max-attempts", "1"], "SUCCEEDED", 1),
        (&["error:502:EC2ThrottledException", "ok:1"], &["--max-attempts", "1"], "SUCCEEDED", 1),
        (&["error:409:ResourceConflictException", "ok:1"], &[], "SUCCEEDED", 1),
        (&["error:409:ResourceConflictException"], &["--max-attempts", "2"], "REJECTED", 0),
        (&["error:413:RequestTooLargeException"], &[], "REJECTED", 0),
        (&["error:500:ServiceException"], &[], "UNKNOWN", 0),
        (&["error:500:ServiceException", "ok:1"], &["--idempotent"], "SUCCEEDED", 1),
        (&["cut-before"], &[], "UNKNOWN", 0),
        (&["cut-after"], &[], "UNKNOWN", 1),
        (&["cut-after", "ok:1"], &["--idempotent"], "SUCCEEDED", 2),
        (&["torn"], &[], "UNKNOWN", 1),
        (&["ok:3000"], &["--timeout", "1"], "UNKNOWN", 1),
        (&["fails"], &[], "FUNCTION_ERROR", 1),
        (&["fails", "ok:1"], &["--retry-function-errors"], "SUCCEEDED", 2),
        (&["bad-log"], &["--log-tail"], "SUCCEEDED", 1),
        (&["big:2000000"], &[], "SUCCEEDED", 1),
    ] {
        let server = FakeLambda::start().await?;
        let lines = of(&server, acts, args).await?;
        let ran = server.seen().ran.values().copied().max().unwrap_or(0);
        assert_eq!((lines.len(), count(&lines, outcome), ran), (1, 1, runs), "{acts:?} {args:?}: {lines:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_log_that_is_not_base64_is_shown_as_it_is() -> anyhow::Result<()> {
    let lines = of(&FakeLambda::start().await?, &["bad-log"], &["--log-tail"]).await?;
    assert_eq!((&lines[0]["logTail"], &lines[0]["payload"]["done"]), (&json!("%%%not base64"), &json!(true)));
    Ok(())
}

#[tokio::test]
async fn payloads_are_passed_on_as_they_came() -> anyhow::Result<()> {
    let server = FakeLambda::start().await?;
    let sent = [
        r#"{"z":1,"a":12345678901234567890123,"f":1.10}"#,
        "18446744073709551617",
        "null",
        r#"{"a":1, "a":2}"#,
        "[1e400,-0,1E2]",
    ];
    let args: Vec<&str> = sent.iter().flat_map(|payload| ["--payload", payload]).collect();
    let ended = run(server.endpoint_url(), &[&["task", "--concurrency", "1"], &args[..]].concat()).await?;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(server.seen().bodies, sent.map(|payload| payload.as_bytes().to_vec()));
    Ok(())
}

#[tokio::test]
async fn names_as_lambda_has_them_now_are_taken() -> anyhow::Result<()> {
    let server = FakeLambda::start().await?;
    for name in ["f:$LATEST.PUBLISHED", "us-east-1:123456789012:function:f:live", "123456789012:f"] {
        let ended = run(server.endpoint_url(), &[name, "--payload", "1", "--tenant-id", "blue"]).await?;
        assert_eq!(ended.code, Some(0), "{name}: {}", ended.stderr);
    }
    Ok(())
}

#[tokio::test]
async fn without_room_calls_are_paced_and_no_item_is_lost() -> anyhow::Result<()> {
    let server = FakeLambda::start().await?;
    let folder = Folder::with_list((0..500).map(|id| json!({"id": id, "do": ["ok:20"]}).to_string()))?;
    server.set_room(0);
    let list = folder.name("list.jsonl");
    let process = program(server.endpoint_url(), "", &["task", "--payloads", &list])?.spawn()?;
    server.until(|seen| seen.refused >= 105).await;
    server.set_room(30);
    let ended = ended(process).await?;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let seen = server.seen();
    assert!(seen.peak <= 30 && seen.ran.values().all(|runs| *runs == 1));
    assert!(seen.refused < 250, "{} of {} calls were refused", seen.refused, seen.requests);
    Ok(())
}

#[tokio::test]
async fn few_open_files_lower_the_limit_and_cost_no_item() -> anyhow::Result<()> {
    let server = FakeLambda::start().await?;
    let folder = Folder::with_list((0..300).map(|id| json!({"id": id, "do": ["ok:100"]}).to_string()))?;
    let list = folder.name("list.jsonl");
    let args = ["task", "--payloads", &list, "--concurrency", "200"];
    let ended = ended(program(server.endpoint_url(), "ulimit -n 64;", &args)?.spawn()?).await?;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let seen = server.seen();
    assert_eq!((count(&results(&ended.stdout)?, "SUCCEEDED"), seen.ran.len()), (300, 300));
    assert!((20..64).contains(&seen.peak), "{} at once", seen.peak);
    Ok(())
}

#[tokio::test]
async fn what_every_call_would_meet_is_said_once() -> anyhow::Result<()> {
    let folder =
        |act: &str| Folder::with_list((0..2_000).map(|id| json!({"id": id, "do": [act]}).to_string()));
    for (act, said) in [
        ("error:403:UnrecognizedClientException", "task can't be invoked: UnrecognizedClientException"),
        ("error:403:ExpiredTokenException", "task can't be invoked: ExpiredTokenException"),
        ("error:404:ResourceNotFoundException", "task can't be invoked: ResourceNotFoundException"),
        ("error:403:AccessDeniedException", "task can't be invoked: AccessDeniedException"),
    ] {
        let (server, folder) = (FakeLambda::start().await?, folder(act)?);
        let args = ["task", "--payloads", &folder.name("list.jsonl"), "--concurrency", "5"];
        let Ended { code, stdout, stderr } = run(server.endpoint_url(), &args).await?;
        assert_eq!((code, stderr.matches(said).count()), (Some(4), 1), "{act}: {stderr}");
        assert_eq!((results(&stdout)?.len(), server.seen().requests), (5, 5), "{act}");
        assert!(stderr.contains("5 not run; 1995 not begun"), "{act}: {stderr}");
    }
    let server = FakeLambda::start().await?;
    let mut command = program(server.endpoint_url(), "", &["task", "--payload", "1"])?;
    command.env_remove("AWS_ACCESS_KEY_ID").env("AWS_EC2_METADATA_DISABLED", "true");
    let Ended { code, stderr, .. } = ended(command.spawn()?).await?;
    assert_eq!((code, stderr.matches("can't be invoked: NoCredentials").count()), (Some(4), 1), "{stderr}");
    Ok(())
}

#[tokio::test]
async fn lists_that_are_none_are_told() -> anyhow::Result<()> {
    for (list, code, requests, said) in [
        ("\u{FEFF}{\"id\":1}\n{\"id\":2}\n", 0, 2, "begins with a byte order mark"),
        ("[\n  1,\n  2\n]\n", 3, 0, "its first line is the beginning of JSON over several lines"),
        ("[1,\n2]\n", 3, 0, "its first line is the beginning of JSON over several lines"),
        ("{\n\"a\": 1\n}\n", 3, 0, "its first line is the beginning of JSON over several lines"),
        ("[1,2]\n", 0, 1, "is one line with an array, which is one payload"),
        ("", 0, 0, "the list is empty: nothing was invoked"),
        ("\n \n", 0, 0, "the list is empty: nothing was invoked"),
    ] {
        let (server, folder) = (FakeLambda::start().await?, Folder::with_list([])?);
        std::fs::write(folder.path("list.jsonl"), list)?;
        let ended = run(server.endpoint_url(), &["task", "--payloads", &folder.name("list.jsonl")]).await?;
        assert_eq!(
            (ended.code, server.seen().requests),
            (Some(code), requests),
            "{list:?}: {}",
            ended.stderr
        );
        assert!(ended.stderr.contains(said), "{list:?}: {}", ended.stderr);
    }
    Ok(())
}

#[tokio::test]
async fn results_come_as_they_end_where_that_is_asked_for() -> anyhow::Result<()> {
    let server = FakeLambda::start().await?;
    let slow = json!({"id": 0, "do": ["ok:500"]}).to_string();
    let args = ["task", "--payload", &slow, "--payload", "1", "--payload", "2", "--order", "completion"];
    let lines = results(&run(server.endpoint_url(), &args).await?.stdout)?;
    assert_eq!((lines.len(), &lines[2]["index"]), (3, &json!(0)), "{lines:?}");
    Ok(())
}
