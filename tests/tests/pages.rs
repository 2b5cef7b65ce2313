//! The pages of `report` and `console`, as a browser shows them and a person uses them. What is looked for stands in
//! `pages/*.mjs`.

#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use batchwright_tests::browser::Browser;
use batchwright_tests::plain_http::asked;
use batchwright_tests::stack::built;
use rustix::process::{Pid, Signal, kill_process};

/// Jobs whose logs and reasons hold what a page might take for its own. So does the file's name.
const HARMFUL: &str = r#"
defaults: {jobQueue: q, jobDefinition: d}
jobs:
  - {jobName: good, command: ["true"]}
  - {jobName: harmful, command: ["sh", "-c", "echo '</script><script>document.title=1</script><img src=x onerror=document.title=2>'; exit 3"]}
  - {jobName: tiles, arrayProperties: {size: 3}, command: ["sh", "-c", "exit $AWS_BATCH_JOB_ARRAY_INDEX"]}
"#;

const UNDER_WAY: &str = r#"
defaults: {jobQueue: q, jobDefinition: d}
local: {workdir: .}
jobs:
  - {jobName: bad, command: ["sh", "-c", "test -e tile || { echo no such tile; exit 1; }"]}
  - {jobName: slow, command: ["sleep", "600"]}
  - {jobName: waits, dependsOn: [{jobName: slow}], command: ["true"]}
"#;

fn program(folder: &Path, arguments: &[&str]) -> anyhow::Result<Command> {
    // See `s3_program`: whoever started the tests may ignore signals.
    let mut command = Command::new("/usr/bin/env");
    command.arg("--default-signal=INT,TERM").arg(built("batchwright")?).args(arguments);
    command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Ok(command)
}

/// A process that is ended with the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A console, and the address that it printed.
fn console(folder: &Path, arguments: &[&str]) -> anyhow::Result<(Ended, String)> {
    let mut words = vec!["console", "--local"];
    words.extend(arguments);
    let mut console = Ended(program(folder, &words)?.stderr(Stdio::inherit()).spawn()?);
    let mut address = String::new();
    BufReader::new(console.0.stdout.take().unwrap()).read_line(&mut address)?;
    Ok((console, address.trim().to_owned()))
}

#[test]
fn a_report_shows_every_job_filters_and_obeys_nobody_elses_text() -> anyhow::Result<()> {
    let Some(browser) = Browser::packaged()? else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let file = "<img src=x onerror=document.title=3>.yaml";
    std::fs::write(folder.path().join(file), HARMFUL)?;
    program(folder.path(), &["run", file, "--local"])?.output()?;
    let runs = program(folder.path(), &["runs", "--local", "--output", "ndjson"])?.output()?;
    let run: serde_json::Value = serde_json::from_slice(&runs.stdout)?;
    let written = program(folder.path(), &["report", run["runId"].as_str().unwrap(), "--local"])?.output()?;
    assert_eq!(String::from_utf8_lossy(&written.stdout), "report.html: 3 jobs\n", "{written:?}");
    browser.drive("report.mjs", folder.path(), &["report.html"])
}

#[test]
fn the_console_shows_what_happens_stops_jobs_and_runs_them_again() -> anyhow::Result<()> {
    let Some(browser) = Browser::packaged()? else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("jobs.yaml"), UNDER_WAY)?;
    let _run = Ended(program(folder.path(), &["run", "jobs.yaml", "--local", "--vcpus", "4"])?.spawn()?);
    let slow_runs = || -> anyhow::Result<bool> {
        let jobs = program(folder.path(), &["jobs", "slow", "--local", "--output", "ndjson"])?.output()?;
        Ok(String::from_utf8_lossy(&jobs.stdout).contains("\"RUNNING\""))
    };
    for _ in 0..3_000 {
        if slow_runs()? {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let (_console, address) = console(folder.path(), &[])?;
    browser.drive("console.mjs", folder.path(), &[&address])
}

/// A folder in which one job has run.
fn folder_with_a_job() -> anyhow::Result<tempfile::TempDir> {
    let folder = tempfile::tempdir()?;
    let jobs = "defaults: {jobQueue: q, jobDefinition: d}\njobs: [{jobName: one, command: ['true']}]\n";
    std::fs::write(folder.path().join("jobs.yaml"), jobs)?;
    assert!(program(folder.path(), &["run", "jobs.yaml", "--local"])?.output()?.status.success());
    Ok(folder)
}

#[test]
fn the_console_answers_who_has_the_token_by_the_loopback_interface_alone() -> anyhow::Result<()> {
    let folder = folder_with_a_job()?;
    let (mut console, address) = console(folder.path(), &[])?;
    let (_, token) = address.split_once("#token=").unwrap();
    let bearer = format!("Authorization: Bearer {token}\r\n");

    let page = asked(&address, "GET /", "localhost", "")?;
    assert!(page.starts_with("HTTP/1.1 200") && !page.contains("\"one\"") && !page.contains(token), "{page}");
    let foreign = asked(&address, "GET /data", "rebound.example.com", &bearer)?;
    assert!(foreign.starts_with("HTTP/1.1 403") && foreign.contains("ask by 127.0.0.1"), "{foreign}");
    for without in ["", "Authorization: Bearer 00000000-0000-4000-8000-000000000000\r\n"] {
        for first in ["GET /data", "GET /explain?job=one", "POST /act"] {
            let refused = asked(&address, first, "localhost", without)?;
            assert!(refused.starts_with("HTTP/1.1 401") && refused.contains("the token"), "{refused}");
        }
    }
    let data = asked(&address, "GET /data?epoch=&after=0", "127.0.0.1:80", &bearer)?;
    assert!(data.starts_with("HTTP/1.1 200") && data.contains("[\"one\",5"), "{data}");
    for (job, says) in [("two", "no job is named two"), ("a%20b", "a b")] {
        let unknown = asked(&address, &format!("GET /explain?job={job}"), "localhost", &bearer)?;
        assert!(!unknown.starts_with("HTTP/1.1 200") && unknown.contains(says), "{unknown}");
    }

    kill_process(Pid::from_child(&console.0), Signal::INT)?;
    assert!(console.0.wait()?.success(), "Ctrl-C ends it well");
    Ok(())
}

#[test]
fn a_console_that_may_only_show_stops_nothing() -> anyhow::Result<()> {
    let folder = folder_with_a_job()?;
    let (_console, address) = console(folder.path(), &["--read-only"])?;
    let (_, token) = address.split_once("#token=").unwrap();
    let body = r#"{"act":"rerun","jobs":["one"]}"#;
    let lines = format!(
        "Authorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let refused = asked(&address, "POST /act", "localhost", &lines)?;
    assert!(refused.starts_with("HTTP/1.1 403") && refused.contains("--read-only"), "{refused}");
    Ok(())
}

#[test]
fn a_console_that_can_show_nothing_says_why_at_once() -> anyhow::Result<()> {
    let folder = folder_with_a_job()?;
    let taken = std::net::TcpListener::bind("127.0.0.1:0")?;
    let port = taken.local_addr()?.port().to_string();
    for (arguments, code, says) in [
        (&["no-such-run"][..], 4, "no job, run or job file is named no-such-run"),
        (&["--port", &port], 3, "give another --port"),
        (&["--state-dir", "elsewhere"], 4, "elsewhere"),
    ] {
        let ended = program(folder.path(), &[&["console", "--local"], arguments].concat())?.output()?;
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(code), "{said}");
        assert!(said.contains(says), "{said}");
    }
    Ok(())
}
