//! `batchwright serve` from its start to its end.

#![expect(clippy::unwrap_used, reason = "a test that meets what it did not expect has failed")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

/// A server that is killed where the test fails.
struct Served {
    child: Child,
    url: String,
}

impl Drop for Served {
    fn drop(&mut self) {
        // One that has ended can't be killed, and need not be.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Served {
    fn start(folder: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_batchwright"));
        command
            .args(["serve", "--local", "--output", "json", "--workdir", ".", "--state-dir"])
            .arg(folder.join("state"));
        command.current_dir(folder).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: serde_json::Value = serde_json::from_str(&line).unwrap();
        Self { child, url: ready["endpointUrl"].as_str().unwrap().to_owned() }
    }

    fn call(&self, operation: &str, body: &serde_json::Value) -> serde_json::Value {
        let authority = self.url.strip_prefix("http://").unwrap();
        let body = body.to_string();
        let mut stream = TcpStream::connect(authority).unwrap();
        let length = body.len();
        write!(
            stream,
            "POST /v1/{operation} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
    }

    /// Sends SIGTERM; returns how it ended and what it said.
    fn terminate(mut self) -> (ExitStatus, String) {
        let killed = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(killed.success());
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (self.child.wait().unwrap(), said)
    }
}

#[test]
fn a_server_ends_cleanly_and_the_next_takes_up_what_runs() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(folder.path());
    let second = Command::new(env!("CARGO_BIN_EXE_batchwright"))
        .args(["serve", "--local", "--state-dir"])
        .arg(folder.path().join("state"))
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(3), "{second:?}");
    let job = serde_json::json!({
        "jobName": "waits", "jobQueue": "q", "jobDefinition": "d",
        "containerOverrides": {"command": ["sh", "-c", "until test -e go; do sleep 0.05; done"]},
    });
    let id = served.call("submitjob", &job)["jobId"].clone();
    let (status, said) = served.terminate();
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(said.contains("1 job not ended; what runs goes on by itself"), "{said}");

    std::fs::write(folder.path().join("go"), "").unwrap();
    let served = Served::start(folder.path());
    let described = || served.call("describejobs", &serde_json::json!({"jobs": [id]}))["jobs"][0].clone();
    while described()["status"] != "SUCCEEDED" {
        assert_ne!(described()["status"], "FAILED");
    }
    let (status, said) = served.terminate();
    assert_eq!((status.code(), said.as_str()), (Some(0), ""));
}

#[test]
fn a_server_whose_state_folder_is_removed_stops_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut served = Served::start(folder.path());
    let job = serde_json::json!({
        "jobName": "waits", "jobQueue": "q", "jobDefinition": "d",
        "containerOverrides": {"command": ["sh", "-c", "echo up >up; until test -e go; do sleep 0.05; done"]},
    });
    served.call("submitjob", &job);
    while !folder.path().join("up").exists() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    // The engine goes on making files in it meanwhile.
    while folder.path().join("state").exists() {
        let _ = std::fs::remove_dir_all(folder.path().join("state"));
    }
    std::fs::write(folder.path().join("go"), "").unwrap();
    let mut said = String::new();
    served.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(served.child.wait().unwrap().code(), Some(4), "{said}");
    assert!(said.contains("engine.db was removed or replaced while the engine was running"), "{said}");
    assert!(said.contains("the job engine has stopped"), "{said}");
}
