//! The program's `s3` commands: what ends them, where they write, and what they leave behind.

#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use batchwright_tests::broken_s3::{BrokenS3, Operation};
use batchwright_tests::emulators::REGION;
use batchwright_tests::loopback::{Loopback, Reply};
use batchwright_tests::stack::built;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};

/// How long a program may take to end after its signal, before the test gives up.
const LONGEST_END: Duration = Duration::from_secs(60);

/// The program with its state in a folder, which reaches one endpoint and nothing else.
fn program(folder: &Path, endpoint_url: &str, arguments: &[&str]) -> anyhow::Result<Command> {
    // Whoever started the tests may ignore signals, as `nohup` and the background of a script do, and the program
    // leaves alone what was ignored before it: `env` gives them back.
    let mut command = Command::new("/usr/bin/env");
    command.arg("--default-signal=INT,TERM,HUP").arg(built("batchwright")?);
    command.arg("s3").args(arguments).env_clear().current_dir(folder);
    command.env("XDG_STATE_HOME", folder.join("state")).env("AWS_ENDPOINT_URL", endpoint_url);
    command.env("AWS_REGION", REGION).env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
    command.env("AWS_CONFIG_FILE", "/dev/null").env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    Ok(command)
}

async fn ran(folder: &Path, endpoint_url: &str, arguments: &[&str]) -> anyhow::Result<Output> {
    Ok(program(folder, endpoint_url, arguments)?.stdin(Stdio::null()).output().await?)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Converts standard input to a target, and has read more than a part of it.
async fn under_way(folder: &Path, s3: &BrokenS3, target: &str) -> anyhow::Result<Child> {
    let arguments = ["convert", "-", target, "--from", "jsonl", "--to", "jsonl"];
    let mut child = program(folder, s3.endpoint_url(), &arguments)?.spawn()?;
    let lines = "{\"n\":1234567}\n".repeat(700_000);
    child.stdin.as_mut().unwrap().write_all(lines.as_bytes()).await?;
    Ok(child)
}

async fn until(holds: impl Fn() -> bool) {
    for _ in 0..3_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it never came to that");
}

fn kill(child: &Child, signal: Signal) {
    kill_process(Pid::from_raw(child.id().unwrap() as i32).unwrap(), signal).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_ends_the_program_and_leaves_neither_upload_nor_file() -> anyhow::Result<()> {
    let s3 = BrokenS3::start().await?;
    for (signal, number, name) in
        [(Signal::INT, 2, "SIGINT"), (Signal::TERM, 15, "SIGTERM"), (Signal::HUP, 1, "SIGHUP")]
    {
        let folder = tempfile::tempdir()?;
        // Its input stays open until it has ended: at the end of its input it might be done before it sees the signal.
        let mut child = under_way(folder.path(), &s3, "s3://b/out.jsonl").await?;
        let input = child.stdin.take();
        until(|| s3.parts() > 0).await;
        kill(&child, signal);
        let ended = tokio::time::timeout(LONGEST_END, child.wait_with_output()).await??;
        assert_eq!(ended.status.signal(), Some(number), "{name}: {}", text(&ended.stderr));
        assert!(text(&ended.stderr).contains(name), "{}", text(&ended.stderr));
        assert_eq!((s3.uploads(), s3.bytes("/b/out.jsonl")), (0, None), "{name}");
        assert!(!folder.path().join("state/batchwright/uploads").read_dir()?.any(|_| true), "{name}");

        drop(input);
        let mut child = under_way(folder.path(), &s3, "out.jsonl").await?;
        let input = child.stdin.take();
        let files = || folder.path().read_dir().unwrap().count();
        until(|| files() > 1).await;
        kill(&child, signal);
        let ended = tokio::time::timeout(LONGEST_END, child.wait_with_output()).await??;
        assert_eq!((ended.status.signal(), files()), (Some(number), 1), "{name}: no file is left");
        drop(input);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_s_upload_is_aborted_by_the_next_that_writes_there() -> anyhow::Result<()> {
    let (s3, folder) = (BrokenS3::start().await?, tempfile::tempdir()?);
    let mut killed = under_way(folder.path(), &s3, "s3://b/out.jsonl").await?;
    let lives = under_way(folder.path(), &s3, "s3://b/other.jsonl").await?;
    until(|| s3.parts() == 2).await;
    killed.kill().await?;
    assert_eq!(s3.uploads(), 2);
    std::fs::write(folder.path().join("a.json"), "[1]")?;
    let elsewhere = ran(folder.path(), s3.endpoint_url(), &["convert", "a.json", "s3://c/a.jsonl"]).await?;
    assert!(elsewhere.status.success() && s3.uploads() == 2, "{}", text(&elsewhere.stderr));
    let next = ran(folder.path(), s3.endpoint_url(), &["convert", "a.json", "s3://b/a.jsonl"]).await?;
    assert!(next.status.success(), "{}", text(&next.stderr));
    assert_eq!(s3.uploads(), 1, "the other one's process lives");
    assert!(lives.wait_with_output().await?.status.success());
    assert_eq!(s3.uploads(), 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_are_listed_and_aborted_by_age() -> anyhow::Result<()> {
    let (s3, folder) = (BrokenS3::start().await?, tempfile::tempdir()?);
    let mut killed = under_way(folder.path(), &s3, "s3://b/out.jsonl").await?;
    until(|| s3.parts() > 0).await;
    killed.kill().await?;
    for (age, left) in [(None, 1), (Some("100000d"), 1), (Some("1s"), 0)] {
        let mut arguments = vec!["uploads", "s3://b", "--output", "ndjson"];
        arguments.extend(age.iter().flat_map(|age| ["--abort-older", age]));
        let listed = ran(folder.path(), s3.endpoint_url(), &arguments).await?;
        assert!(listed.status.success(), "{}", text(&listed.stderr));
        assert!(text(&listed.stdout).contains("\"uri\":\"s3://b/out.jsonl\""), "{}", text(&listed.stdout));
        assert_eq!(s3.uploads(), left, "{age:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_told_once_beside_its_counts() -> anyhow::Result<()> {
    let (s3, folder) = (BrokenS3::start().await?, tempfile::tempdir()?);
    for key in ["gl/a.json", "gl/deep/b.json", "glue.json"] {
        s3.put(&format!("/data/{key}"), "[1]");
    }
    let list = ["list", "s3://data/gl/", "--glob", "gl/**", "--output", "json"];
    let done = ran(folder.path(), s3.endpoint_url(), &list).await?;
    assert!(done.status.success(), "{}", text(&done.stderr));
    let told = text(&done.stdout);
    assert_eq!(told.matches("\"objects\"").count(), 1, "{told}");
    let told: serde_json::Value = serde_json::from_str(&told)?;
    let mut uris: Vec<_> =
        told["objects"].as_array().unwrap().iter().map(|it| it["uri"].as_str().unwrap()).collect();
    uris.sort_unstable();
    assert_eq!(uris, ["s3://data/gl/a.json", "s3://data/gl/deep/b.json"]);
    assert_eq!((&told["count"], &told["bytes"], &told["lookedAt"]), (&2.into(), &6.into(), &2.into()));
    let schema = Command::new(built("batchwright")?).args(["schema", "s3", "list"]).output().await?;
    let schema = jsonschema::validator_for(&serde_json::from_slice(&schema.stdout)?)?;
    assert!(schema.is_valid(&told), "{told}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fifo_and_standard_output_are_written_to_and_stay_what_they_are() -> anyhow::Result<()> {
    let (s3, folder) = (BrokenS3::start().await?, tempfile::tempdir()?);
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("one.json"), "[1,2]")?;
    assert!(std::process::Command::new("mkfifo").arg(at("fifo")).status()?.success());
    let reading = tokio::spawn(tokio::fs::read(at("fifo")));
    let done =
        ran(folder.path(), s3.endpoint_url(), &["convert", "one.json", "fifo", "--to", "jsonl"]).await?;
    assert!(done.status.success(), "{}", text(&done.stderr));
    assert_eq!(reading.await??, b"1\n2\n");
    assert!(!std::fs::symlink_metadata(at("fifo"))?.is_file());
    for target in ["-", "/dev/stdout"] {
        let done =
            ran(folder.path(), s3.endpoint_url(), &["convert", "one.json", target, "--to", "jsonl"]).await?;
        assert_eq!(text(&done.stdout), "1\n2\n", "{target}");
        assert!(text(&done.stderr).contains("2 records"), "what is told goes to stderr");
    }
    let refused =
        ran(folder.path(), s3.endpoint_url(), &["convert", "one.json", "-", "--to", "jsonl", "--if-absent"])
            .await?;
    assert_eq!(refused.status.code(), Some(1));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn output_that_nobody_reads_ends_the_program_quietly() -> anyhow::Result<()> {
    let (s3, folder) = (BrokenS3::start().await?, tempfile::tempdir()?);
    let wrong = "{\"type\":\"Feature\"}\n".repeat(20_000);
    std::fs::write(folder.path().join("a.geojsonl"), &wrong)?;
    for arguments in [
        &["validate", "a.geojsonl"][..],
        &["load", "a.geojsonl"],
        &["convert", "a.geojsonl", "-", "--to", "jsonl"],
        &["uri", "s3://b/k", "--output", "json"],
    ] {
        let mut child = program(folder.path(), s3.endpoint_url(), arguments)?.spawn()?;
        drop(child.stdout.take());
        let ended = child.wait_with_output().await?;
        let told = text(&ended.stderr);
        assert_eq!((ended.status.code(), told.as_str()), (Some(141), ""), "{arguments:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_needs_no_s3_asks_nobody_for_credentials_or_a_region() -> anyhow::Result<()> {
    let (metadata, folder) = (Loopback::start([Reply::Silence]).await?, tempfile::tempdir()?);
    std::fs::write(folder.path().join("a.json"), "[1]")?;
    for arguments in [
        &["uri", "s3://bbb/k"][..],
        &["convert", "a.json", "b.jsonl"],
        &["load", "a.json"],
        &["validate", "a.json"],
        &["dump", "a.json", "c.yaml"],
        &["info", "s3://b/k", "--no-sign-request", "--endpoint-url", "http://127.0.0.1:9"],
    ] {
        let mut command = program(folder.path(), "http://127.0.0.1:9", arguments)?;
        for name in ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
            command.env_remove(name);
        }
        command
            .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", metadata.endpoint_url())
            .env("AWS_MAX_ATTEMPTS", "1");
        let done = command.output().await?;
        assert!(!text(&done.stderr).contains("WARN"), "{arguments:?}: {}", text(&done.stderr));
        assert_eq!(metadata.requests().len(), 0, "{arguments:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_sent_with_the_object_and_refused_where_they_are_wrong() -> anyhow::Result<()> {
    let (s3, folder) = (BrokenS3::start().await?, tempfile::tempdir()?);
    std::fs::write(folder.path().join("a.json"), "[1]")?;
    let arguments = [
        "convert",
        "a.json",
        "s3://b/a.jsonl",
        "--acl",
        "public-read",
        "--cache-control",
        "max-age=60",
        "--metadata",
        "owner=me",
        "--tag",
        "a b=c/d",
        "--storage-class",
        "STANDARD_IA",
        "--sse",
        "aws:kms",
        "--sse-kms-key-id",
        "alias/k",
        "--checksum-algorithm",
        "SHA256",
        "--request-payer",
        "requester",
    ];
    let done = ran(folder.path(), s3.endpoint_url(), &arguments).await?;
    assert!(done.status.success(), "{}", text(&done.stderr));
    let request = s3.seen(Operation::Put).pop().unwrap();
    for (name, value) in [
        ("x-amz-acl", "public-read"),
        ("cache-control", "max-age=60"),
        ("x-amz-meta-owner", "me"),
        ("x-amz-tagging", "a%20b=c%2Fd"),
        ("x-amz-storage-class", "STANDARD_IA"),
        ("x-amz-server-side-encryption", "aws:kms"),
        ("x-amz-server-side-encryption-aws-kms-key-id", "alias/k"),
        ("x-amz-request-payer", "requester"),
    ] {
        assert_eq!(request.header(name), Some(value), "{name}");
    }
    assert!(request.header("x-amz-checksum-sha256").is_some());
    for (wrong, why) in [
        (
            &["convert", "a.json", "s3://b/a.jsonl", "--storage-class", "COLD"][..],
            "the storage class is one of",
        ),
        (
            &["convert", "a.json", "b.jsonl", "--storage-class", "STANDARD"],
            "only objects of S3 have such settings",
        ),
        (&["convert", "a.json", "s3://b/a.jsonl", "--tag", "a"], "--tag \"a\" has no value"),
        (&["load", "a.json", "--version-id", "1"], "only objects of S3 have versions"),
    ] {
        let refused = ran(folder.path(), s3.endpoint_url(), wrong).await?;
        let told = text(&refused.stdout) + &text(&refused.stderr);
        let flat: String = told.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(refused.status.code(), Some(1), "{wrong:?}: {told}");
        assert!(flat.contains(why), "{wrong:?}: {told}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_converted_with_a_result_a_line() -> anyhow::Result<()> {
    let (s3, folder) = (BrokenS3::start().await?, tempfile::tempdir()?);
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir_all(at("in/deep/er"))?;
    for number in 0..40 {
        std::fs::write(at(&format!("in/deep/er/{number}.json")), format!("[{number}]"))?;
    }
    std::fs::write(at("in/wrong.json"), "[")?;
    std::fs::write(at("in/a.json"), "[1]")?;
    std::fs::write(at("in/a.yaml"), "- 2")?;
    std::fs::write(at("in/notes.txt"), "no format")?;
    let arguments = ["convert", "in", "out", "--recursive", "--to", "jsonl", "--output", "ndjson"];
    let done = ran(folder.path(), s3.endpoint_url(), &arguments).await?;
    assert_eq!(done.status.code(), Some(1), "{}", text(&done.stderr));
    let lines: Vec<serde_json::Value> =
        text(&done.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let failed = lines.iter().filter(|line| line.get("error").is_some()).count();
    // One is no JSON; of two that would go to one place the second is told.
    assert_eq!((lines.len(), failed), (43, 2), "{}", text(&done.stdout));
    assert!(
        text(&done.stderr).contains("1 name was passed over: it tells no format"),
        "{}",
        text(&done.stderr)
    );
    for number in 0..40 {
        assert_eq!(
            std::fs::read_to_string(at(&format!("out/deep/er/{number}.jsonl")))?,
            format!("{number}\n")
        );
    }
    assert!(!at("out/wrong.jsonl").exists());

    let up = ["convert", "in/deep", "s3://b/up", "--recursive", "--to", "yaml", "--glob", "**/1*.json"];
    let done = ran(folder.path(), s3.endpoint_url(), &up).await?;
    assert!(done.status.success(), "{}", text(&done.stderr));
    assert_eq!(text(&done.stdout).lines().count(), 11);
    assert_eq!(s3.bytes("/b/up/er/17.yaml").unwrap(), b"- 17\n");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_made_is_no_source_of_the_next_time() -> anyhow::Result<()> {
    let (s3, folder) = (BrokenS3::start().await?, tempfile::tempdir()?);
    let at = |name: &str| folder.path().join(name);
    let convert = async |source: &str, target: &str| {
        let arguments = ["convert", source, target, "--recursive", "--to", "jsonl"];
        ran(folder.path(), s3.endpoint_url(), &arguments).await
    };
    std::fs::create_dir(at("in"))?;
    for time in ["1", "2"] {
        for number in 0..12 {
            std::fs::write(at(&format!("in/f{number}.json")), format!("[{time}]"))?;
        }
        let done = convert("in", "in").await?;
        assert_eq!((done.status.code(), text(&done.stdout).lines().count()), (Some(0), 12), "{done:?}");
        for number in 0..12 {
            assert_eq!(std::fs::read_to_string(at(&format!("in/f{number}.jsonl")))?, format!("{time}\n"));
        }
        let told = text(&done.stderr);
        assert!(time == "1" || told.contains("12 sources were passed over: they are targets here"), "{told}");
    }

    // The target below the source, and the source below the target.
    std::fs::create_dir_all(at("nest/b/b"))?;
    std::fs::write(at("nest/c.json"), "[1]")?;
    std::fs::write(at("nest/b/b/d.json"), "[2]")?;
    for _ in 0..3 {
        let done = convert("nest", "nest/out").await?;
        assert_eq!((done.status.code(), text(&done.stdout).lines().count()), (Some(0), 2), "{done:?}");
        let done = convert("nest/b", "nest").await?;
        assert_eq!((done.status.code(), text(&done.stdout).lines().count()), (Some(0), 1), "{done:?}");
        std::fs::remove_file(at("nest/b/d.jsonl"))?;
    }
    assert!(at("nest/out/c.jsonl").exists() && !at("nest/out/out").exists());
    std::fs::write(at("nest/b/d.jsonl"), "2\n")?;
    let done = convert("nest/b", "nest").await?;
    assert!(text(&done.stderr).contains("1 source was passed over: it is a target here"), "{done:?}");
    assert!(!at("nest/d.jsonl").exists(), "{done:?}");

    s3.put("/data/rt/a.json", "[1]");
    for _ in 0..2 {
        let done = convert("s3://data/rt", "s3://data/rt2").await?;
        assert_eq!((done.status.code(), text(&done.stdout).lines().count()), (Some(0), 1), "{done:?}");
    }
    assert_eq!(s3.bytes("/data/rt2/rt/a.jsonl").unwrap(), b"1\n");
    assert_eq!(s3.bytes("/data/rt2/rt2/rt/a.jsonl"), None);
    let done = convert("s3://data/rt", "s3://data/rt").await?;
    assert_eq!(done.status.code(), Some(2), "{done:?}");
    let done = convert("s3://data/none/", "s3://data/out").await?;
    assert_eq!(done.status.code(), Some(0));
    assert!(text(&done.stderr).contains("s3://data/none/: nothing to convert"), "{done:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn links_and_names_that_are_no_text_are_told() -> anyhow::Result<()> {
    use std::os::unix::ffi::OsStrExt as _;
    let (s3, folder) = (BrokenS3::start().await?, tempfile::tempdir()?);
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(at("in"))?;
    std::fs::write(at("in/a.json"), "[1]")?;
    std::os::unix::fs::symlink("a.json", at("in/b.json"))?;
    std::fs::write(at("in").join(std::ffi::OsStr::from_bytes(b"\xff.json")), "[2]")?;
    let arguments = ["convert", "in", "out", "--recursive", "--to", "jsonl"];
    let done = ran(folder.path(), s3.endpoint_url(), &arguments).await?;
    assert_eq!(done.status.code(), Some(1), "{done:?}");
    assert!(text(&done.stderr).contains("1 symbolic link was not followed"), "{done:?}");
    assert!(text(&done.stdout).contains("out/a.jsonl: 1 record, 2 bytes"), "{done:?}");
    assert!(text(&done.stdout).contains("its name is no UTF-8; rename it"), "{done:?}");
    Ok(())
}
