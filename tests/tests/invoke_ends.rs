//! Whatever ends `batchwright invoke`, what ran has a result, and the same command goes on.

use std::process::Stdio;

use batchwright_tests::fake_lambda::{FakeLambda, NO_SUCH_BUCKET, Seen};
use batchwright_tests::invoke::{Ended, Folder, count, ended, program, results, run, signal};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;

/// So many items that take so long, one of which is refused six times, and then for ever.
fn items(count: u64, millis: u64) -> impl Iterator<Item = String> {
    (0..count).map(move |id| match id {
        5 => json!({"id": id, "do": ["error:429:TooManyRequestsException"]}).to_string(),
        _ => json!({"id": id, "do": [format!("ok:{millis}")]}).to_string(),
    })
}

fn index(result: &Value) -> u64 {
    result["index"].as_u64().unwrap_or(u64::MAX)
}

/// Each item that was sent has one line, and those that ran have SUCCEEDED but for so many.
fn all_have_lines(seen: &Seen, lines: &[Value], in_doubt: usize) {
    assert_eq!(lines.len(), seen.tries.len(), "each item that was sent has a line");
    for item in seen.tries.keys() {
        assert!(lines.iter().any(|line| index(line).to_string() == *item), "{item} has no line");
    }
    let (succeeded, unknown) = (count(lines, "SUCCEEDED"), count(lines, "UNKNOWN"));
    assert_eq!(succeeded + unknown, seen.ran.len());
    assert!(unknown <= in_doubt, "{unknown} are unknown");
    assert!(lines.is_sorted_by_key(index));
}

async fn stopped(signals: &[&str]) -> anyhow::Result<(Seen, Ended)> {
    let (server, folder) = (FakeLambda::start().await?, Folder::with_list(items(3_000, 20))?);
    let list = folder.name("list.jsonl");
    let args = ["task", "--payloads", &list, "--concurrency", "20"];
    let process = program(server.endpoint_url(), "", &args)?.spawn()?;
    server.until(|seen| seen.ran.len() > 300).await;
    for name in signals {
        signal(&process, name).await?;
    }
    let ended = ended(process).await?;
    Ok((server.seen(), ended))
}

#[tokio::test]
async fn ctrl_c_and_sigterm_keep_what_ran_and_say_what_was_not_begun() -> anyhow::Result<()> {
    for name in ["INT", "TERM", "HUP"] {
        let (seen, ended) = stopped(&[name]).await?;
        assert_eq!(ended.code, Some(130), "{name}: {}", ended.stderr);
        let lines = results(&ended.stdout)?;
        all_have_lines(&seen, &lines, 0);
        assert_eq!((count(&lines, "NOT_RUN"), &lines[5]["errorType"]), (1, &json!("Stopped")), "{name}");
        let told = format!("1 not run; {} not begun", 3_000 - lines.len());
        assert!(ended.stderr.contains(&told), "{name}: {}", ended.stderr);
    }
    Ok(())
}

#[tokio::test]
async fn a_second_signal_waits_for_nothing_and_those_in_flight_are_unknown() -> anyhow::Result<()> {
    let lines = (0..100).map(|id| json!({"id": id, "do": ["ok:30000"]}).to_string());
    let (server, folder) = (FakeLambda::start().await?, Folder::with_list(lines)?);
    let list = folder.name("list.jsonl");
    let process =
        program(server.endpoint_url(), "", &["task", "--payloads", &list, "--concurrency", "10"])?.spawn()?;
    server.until(|seen| seen.ran.len() == 10).await;
    signal(&process, "INT").await?;
    signal(&process, "TERM").await?;
    let ended = ended(process).await?;
    assert_eq!(ended.code, Some(130), "{}", ended.stderr);
    let lines = results(&ended.stdout)?;
    assert_eq!((count(&lines, "UNKNOWN"), lines.len()), (10, 10), "{lines:?}");
    Ok(())
}

#[tokio::test]
async fn a_damaged_list_loses_no_result() -> anyhow::Result<()> {
    let (server, folder) = (FakeLambda::start().await?, Folder::with_list(items(3_000, 5))?);
    let list = folder.name("list.jsonl");
    anyhow::ensure!(tokio::process::Command::new("gzip").arg(&list).status().await?.success());
    let packed = std::fs::read(folder.path("list.jsonl.gz"))?;
    std::fs::write(folder.path("damaged.gz"), &packed[..packed.len() / 2])?;
    let args = ["task", "--payloads", &folder.name("damaged.gz"), "--throttle-timeout", "1"];
    let ended = run(server.endpoint_url(), &args).await?;
    assert_eq!(ended.code, Some(4), "{}", ended.stderr);
    assert!(ended.stderr.contains("the rest of the list not begun"), "{}", ended.stderr);
    all_have_lines(&server.seen(), &results(&ended.stdout)?, 0);
    Ok(())
}

#[tokio::test]
async fn a_closed_pipe_and_a_full_disk_lose_no_result() -> anyhow::Result<()> {
    let lines = (0..3_000).map(|id| json!({"id": id, "do": ["ok:5"]}).to_string());
    let (server, folder) = (FakeLambda::start().await?, Folder::with_list(lines)?);
    let list = folder.name("list.jsonl");
    let args = ["task", "--payloads", &list, "--concurrency", "20"];
    let mut process = program(server.endpoint_url(), "", &args)?.current_dir(folder.folder()).spawn()?;
    let mut read = [0; 100];
    let mut stdout = process.stdout.take().expect("it is piped");
    stdout.read_exact(&mut read).await?;
    drop(stdout);
    let closed = ended(process).await?;
    assert_eq!(closed.code, Some(4), "{}", closed.stderr);
    assert!(closed.stderr.contains("standard output can't be written: Broken pipe"), "{}", closed.stderr);
    let rest = results(&folder.text("results.rest-1.jsonl")?)?;
    let seen = server.seen();
    assert!(rest.len() > 10 && seen.tries.len() < 3_000, "{} of {}", rest.len(), seen.tries.len());
    let last = rest.iter().map(index).max();
    assert_eq!(last, seen.tries.keys().filter_map(|id| id.parse().ok()).max(), "to the very last");

    let server = FakeLambda::start().await?;
    std::fs::write(&list, items(3_000, 5).collect::<Vec<_>>().join("\n"))?;
    let mut full = program(server.endpoint_url(), "", &args)?;
    full.stdout(std::fs::OpenOptions::new().write(true).open("/dev/full")?).current_dir(folder.folder());
    let full = ended(full.spawn()?).await?;
    assert_eq!(full.code, Some(4), "{}", full.stderr);
    all_have_lines(&server.seen(), &results(&folder.text("results.rest-2.jsonl")?)?, 0);
    Ok(())
}

#[tokio::test]
async fn a_reader_who_goes_stops_the_run_though_the_next_result_is_long_in_coming() -> anyhow::Result<()> {
    // The sixth is refused for ever, so that nothing behind it can be written.
    let (server, folder) = (FakeLambda::start().await?, Folder::with_list(items(3_000, 20))?);
    let list = folder.name("list.jsonl");
    let args = ["task", "--payloads", &list, "--concurrency", "20"];
    let mut process = program(server.endpoint_url(), "", &args)?.current_dir(folder.folder()).spawn()?;
    let mut stdout = process.stdout.take().expect("it is piped");
    stdout.read_exact(&mut [0; 100]).await?;
    server.until(|seen| seen.ran.len() > 100).await;
    drop(stdout);
    let ended = ended(process).await?;
    assert_eq!(ended.code, Some(4), "{}", ended.stderr);
    assert!(ended.stderr.contains("standard output can't be written: Broken pipe"), "{}", ended.stderr);
    let (rest, seen) = (results(&folder.text("results.rest-1.jsonl")?)?, server.seen());
    assert!(seen.tries.len() < 3_000, "it has stopped: {}", seen.tries.len());
    assert_eq!(rest.iter().map(index).max(), seen.tries.keys().filter_map(|id| id.parse().ok()).max());
    Ok(())
}

#[tokio::test]
async fn a_file_of_results_that_fails_is_gone_on_with_once_it_is_whole_again() -> anyhow::Result<()> {
    let lines = (0..1_000).map(|id| json!({"id": id, "do": ["big:2000"]}).to_string());
    let (server, folder) = (FakeLambda::start().await?, Folder::with_list(lines)?);
    let (list, file) = (folder.name("list.jsonl"), folder.name("results.jsonl"));
    let args = ["task", "--payloads", &list, "--results", &file, "--concurrency", "10"];
    // No file may grow past 64 KiB, as on a disk that is full.
    let mut full = program(server.endpoint_url(), "trap '' XFSZ; ulimit -f 128;", &args)?;
    let full = ended(full.current_dir(folder.folder()).spawn()?).await?;
    assert_eq!(full.code, Some(4), "{}", full.stderr);
    assert!(full.stderr.contains(&format!("{file} can't be written: File too large")), "{}", full.stderr);
    assert!(full.stderr.contains("results.jsonl.rest-1.jsonl: put them at its end"), "{}", full.stderr);
    let (before, rest) = (folder.text("results.jsonl")?, folder.text("results.jsonl.rest-1.jsonl")?);
    let kept = [results(&before)?, results(&rest)?].concat();
    all_have_lines(&server.seen(), &kept, 0);
    assert!(kept.len() > 30 && kept.len() < 100, "it has stopped: {}", kept.len());

    std::fs::write(&file, before + &rest)?;
    let ended = run(server.endpoint_url(), &args).await?;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let whole = results(&folder.text("results.jsonl")?)?;
    assert_eq!(whole.iter().map(index).collect::<Vec<_>>(), (0..1_000).collect::<Vec<_>>());
    assert!(server.seen().ran.values().all(|runs| *runs == 1), "nothing ran twice");
    Ok(())
}

#[tokio::test]
async fn results_put_aside_are_named_also_where_the_journal_was_full_before_them() -> anyhow::Result<()> {
    // From the 26th on all wait for a slow one, and until it lands their results are in the journal alone.
    let lines = (0..200).map(|id| {
        let acts = if id == 25 { "ok:3000" } else { "big:2000" };
        json!({"id": id, "do": [acts]}).to_string()
    });
    let (server, folder) = (FakeLambda::start().await?, Folder::with_list(lines)?);
    let (list, file) = (folder.name("list.jsonl"), folder.name("results.jsonl"));
    let args = ["task", "--payloads", &list, "--results", &file, "--concurrency", "2"];
    let mut full = program(server.endpoint_url(), "trap '' XFSZ; ulimit -f 128;", &args)?;
    let full = ended(full.current_dir(folder.folder()).spawn()?).await?;
    assert_eq!(full.code, Some(4), "{}", full.stderr);
    for said in ["results.jsonl.journal: File too large", "results.jsonl.rest-1.jsonl: put them at its end"] {
        assert!(full.stderr.contains(said), "{}", full.stderr);
    }
    assert!(!full.stderr.contains("the same command goes on"), "not as it is: {}", full.stderr);
    let (before, rest) = (folder.text("results.jsonl")?, folder.text("results.jsonl.rest-1.jsonl")?);
    std::fs::write(&file, before + &rest)?;
    let ended = run(server.endpoint_url(), &args).await?;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(server.seen().ran.values().all(|runs| *runs == 1), "nothing ran twice");
    Ok(())
}

#[tokio::test]
async fn killed_and_started_again_it_goes_on_and_only_what_was_in_flight_is_unknown() -> anyhow::Result<()> {
    let lines = (0..2_000).map(|id| json!({"id": id, "do": ["ok:20"]}).to_string());
    let (server, folder) = (FakeLambda::start().await?, Folder::with_list(lines)?);
    let (list, file) = (folder.name("list.jsonl"), folder.name("results.jsonl"));
    let args = ["task", "--payloads", &list, "--results", &file, "--concurrency", "20"];
    for ran in [300, 700] {
        let mut process = program(server.endpoint_url(), "", &args)?.spawn()?;
        server.until(|seen| seen.ran.len() > ran).await;
        let before = folder.text("results.jsonl")?;
        process.kill().await?;
        assert!(folder.text("results.jsonl")?.starts_with(&before), "nothing that was written is lost");
    }
    let ended = run(server.endpoint_url(), &args).await?;
    assert!(matches!(ended.code, Some(0 | 1)), "{}", ended.stderr);
    let (lines, seen) = (results(&folder.text("results.jsonl")?)?, server.seen());
    assert_eq!(lines.iter().map(index).collect::<Vec<_>>(), (0..2_000).collect::<Vec<_>>());
    assert!(seen.ran.values().all(|runs| *runs == 1), "nothing ran twice");
    let unknown = count(&lines, "UNKNOWN");
    assert!(unknown <= 40 && count(&lines, "SUCCEEDED") == 2_000 - unknown, "{unknown} are unknown");
    assert!(ended.stderr.contains(" had a result before"), "{}", ended.stderr);

    let again = run(server.endpoint_url(), &args).await?;
    assert_eq!((again.code, server.seen().requests), (ended.code, seen.requests), "{}", again.stderr);
    let mut other = args;
    other[0] = "other";
    let refused = run(server.endpoint_url(), &other).await?;
    assert_eq!(refused.code, Some(3));
    assert!(refused.stderr.contains("its results are of another list or another call"), "{}", refused.stderr);
    let anew = run(server.endpoint_url(), &[&args[..], &["--overwrite"]].concat()).await?;
    assert_eq!((anew.code, server.seen().requests), (Some(0), seen.requests + 2_000), "{}", anew.stderr);
    Ok(())
}

#[tokio::test]
async fn stopped_it_goes_on_with_what_waited_and_ends_in_order() -> anyhow::Result<()> {
    let lines = (0..1_000).map(|id| {
        let acts = if id == 7 { vec!["error:429:TooManyRequestsException"; 4] } else { vec!["ok:10"] };
        let acts = [acts, vec!["ok:10"]].concat();
        json!({"id": id, "do": acts}).to_string()
    });
    let (server, folder) = (FakeLambda::start().await?, Folder::with_list(lines)?);
    let (list, file) = (folder.name("list.jsonl"), folder.name("results.jsonl"));
    let args = ["task", "--payloads", &list, "--results", &file, "--concurrency", "10", "--tolerated", "5%"];
    let process = program(server.endpoint_url(), "", &args)?.spawn()?;
    server.until(|seen| seen.ran.len() > 100).await;
    signal(&process, "TERM").await?;
    let stopped = ended(process).await?;
    assert_eq!(stopped.code, Some(130), "{}", stopped.stderr);
    assert!(stopped.stderr.contains(&format!("the results so far are in {file}")), "{}", stopped.stderr);
    let ended = run(server.endpoint_url(), &args).await?;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let lines = results(&folder.text("results.jsonl")?)?;
    assert_eq!(lines.iter().map(index).collect::<Vec<_>>(), (0..1_000).collect::<Vec<_>>());
    assert!(server.seen().ran.values().all(|runs| *runs == 1), "nothing ran twice");
    Ok(())
}

#[tokio::test]
async fn standard_input_that_stays_open_does_not_keep_it_alive() -> anyhow::Result<()> {
    let server = FakeLambda::start().await?;
    let mut command = program(server.endpoint_url(), "", &["task", "--payloads", "-"])?;
    let mut process = command.stdin(Stdio::piped()).spawn()?;
    let mut stdin = process.stdin.take().expect("it is piped");
    tokio::io::AsyncWriteExt::write_all(&mut stdin, b"1\n").await?;
    server.until(|seen| seen.ran.len() == 1).await;
    signal(&process, "INT").await?;
    let ended = ended(process).await?;
    assert_eq!((ended.code, results(&ended.stdout)?.len()), (Some(130), 1), "{}", ended.stderr);
    drop(stdin);
    Ok(())
}

#[tokio::test]
async fn a_list_is_never_its_own_result() -> anyhow::Result<()> {
    let server = FakeLambda::start().await?;
    let folder = Folder::with_list((0..10).map(|id| id.to_string()))?;
    let list = folder.name("list.jsonl");
    std::os::unix::fs::symlink(&list, folder.path("link"))?;
    std::fs::hard_link(&list, folder.path("hard"))?;
    let before = folder.text("list.jsonl")?;
    let (link, hard, uri) = (folder.name("link"), folder.name("hard"), "s3://bucket/list.jsonl");
    for (payloads, place) in [(list.as_str(), list.as_str()), (&list, &link), (&link, &hard), (uri, uri)] {
        for extra in [None, Some("--overwrite")] {
            let args = ["task", "--payloads", payloads, "--results", place];
            let ended = run(server.endpoint_url(), &[&args[..], extra.as_slice()].concat()).await?;
            assert_eq!(ended.code, Some(3), "{payloads} {place}: {}", ended.stderr);
            assert!(ended.stderr.contains("would be written into the list itself"), "{}", ended.stderr);
        }
    }
    let append = || std::fs::OpenOptions::new().append(true).open(&list);
    let mut onto = program(server.endpoint_url(), "", &["task", "--payloads", &list])?;
    let onto = ended(onto.stdout(append()?).spawn()?).await?;
    let mut from = program(server.endpoint_url(), "", &["task", "--payloads", "-", "--results", &list])?;
    let from = ended(from.stdin(std::fs::File::open(&list)?).spawn()?).await?;
    assert_eq!((onto.code, from.code), (Some(3), Some(3)), "{} {}", onto.stderr, from.stderr);
    assert_eq!((folder.text("list.jsonl")?, server.seen().requests), (before, 0));
    Ok(())
}

#[tokio::test]
async fn a_place_for_results_is_tried_before_anything_is_invoked() -> anyhow::Result<()> {
    let server = FakeLambda::start().await?;
    let folder = Folder::with_list((0..10).map(|id| id.to_string()))?;
    let (list, mine) = (folder.name("list.jsonl"), folder.name("mine.txt"));
    std::fs::write(&mine, "mine\n")?;
    let absent = format!("s3://{NO_SUCH_BUCKET}/results.jsonl");
    for (place, code, said) in [
        (absent.as_str(), 4, "NoSuchBucket"),
        ("/nowhere/results.jsonl", 4, "/nowhere/results.jsonl"),
        (mine.as_str(), 3, "holds something that no run has left there"),
        (&folder.folder().to_string_lossy(), 3, "is a folder"),
    ] {
        let mut command =
            program(server.endpoint_url(), "", &["task", "--payloads", &list, "--results", place])?;
        let ended = ended(command.current_dir(folder.folder()).spawn()?).await?;
        assert_eq!(ended.code, Some(code), "{place}: {}", ended.stderr);
        assert!(ended.stderr.contains(said), "{place}: {}", ended.stderr);
    }
    assert_eq!((server.seen().requests, folder.text("mine.txt")?.as_str()), (0, "mine\n"));
    Ok(())
}

#[tokio::test]
async fn an_object_of_results_is_put_at_the_end_and_not_replaced_unasked() -> anyhow::Result<()> {
    let server = FakeLambda::start().await?;
    let folder = Folder::with_list((0..50).map(|id| id.to_string()))?;
    let list = folder.name("list.jsonl");
    let args = ["task", "--payloads", &list, "--results", "s3://bucket/a/results.jsonl"];
    let over = |extra: &'static [&'static str]| {
        let command = program(server.endpoint_url(), "", &[&args[..], extra].concat());
        let folder = folder.folder().to_owned();
        async move { ended(command?.current_dir(folder).spawn()?).await }
    };
    let ended = over(&[]).await?;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let object = String::from_utf8_lossy(&server.seen().objects["/bucket/a/results.jsonl"]).into_owned();
    assert_eq!(object.matches("\"SUCCEEDED\"").count(), 50);
    assert_eq!(std::fs::read_dir(folder.folder())?.count(), 1, "nothing is left beside the list");
    let refused = over(&[]).await?;
    assert_eq!(refused.code, Some(3), "{}", refused.stderr);
    assert!(refused.stderr.contains("is there already"), "{}", refused.stderr);
    assert_eq!((over(&["--overwrite"]).await?.code, server.seen().requests), (Some(0), 100));
    Ok(())
}

#[tokio::test]
async fn an_object_that_is_refused_at_the_end_is_put_by_the_same_command() -> anyhow::Result<()> {
    let server = FakeLambda::start().await?;
    let folder = Folder::with_list((0..50).map(|id| id.to_string()))?;
    let list = folder.name("list.jsonl");
    let over = || {
        let args = ["task", "--payloads", &list, "--results", "s3://bucket/results.jsonl"];
        let mut command = program(server.endpoint_url(), "", &args)?;
        Ok::<_, anyhow::Error>(command.current_dir(folder.folder()).spawn()?)
    };
    server.refuse_objects(true);
    let refused = ended(over()?).await?;
    assert_eq!((refused.code, server.seen().requests), (Some(4), 50), "{}", refused.stderr);
    assert!(refused.stderr.contains("the key may not be used"), "{}", refused.stderr);
    let name =
        refused.stderr.split_once("the results are in ").and_then(|(_, rest)| rest.split_once(": the same"));
    let (name, _) = name.expect("the file is named");
    assert_eq!(count(&results(&folder.text(name)?)?, "SUCCEEDED"), 50);

    server.refuse_objects(false);
    let put = ended(over()?).await?;
    assert_eq!((put.code, server.seen().requests), (Some(0), 50), "{}", put.stderr);
    let object = String::from_utf8_lossy(&server.seen().objects["/bucket/results.jsonl"]).into_owned();
    assert_eq!(count(&results(&object)?, "SUCCEEDED"), 50);
    assert!(!folder.path(name).exists(), "it is needed no more");
    Ok(())
}
