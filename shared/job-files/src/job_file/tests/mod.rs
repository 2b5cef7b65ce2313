//! Job files as they come: good, bad, and arbitrary.

mod bad_files;
mod every_field;
mod good_files;
mod properties;

use std::io::Write;

use async_compression::tokio::write::GzipEncoder;
use tokio::io::AsyncWriteExt;

use super::{Entry, JobFileError, open};

/// Every entry of a file.
async fn entries(content: &[u8], name: &str) -> Result<Vec<Entry>, JobFileError> {
    let mut file = open(content, name).await?;
    let mut entries = Vec::new();
    while let Some(entry) = file.next().await? {
        entries.push(entry);
    }
    Ok(entries)
}

/// Lets a future that waits for nothing run.
fn now<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn gzip(content: &[u8]) -> Vec<u8> {
    now(async {
        let mut encoder = GzipEncoder::new(Vec::new());
        encoder.write_all(content).await.unwrap();
        encoder.shutdown().await.unwrap();
        encoder.into_inner()
    })
}

/// JSON Lines of more than is checked as a whole, after the given first lines.
fn long_lines(first: &str) -> String {
    let mut text = first.as_bytes().to_vec();
    for index in 0..12_000 {
        writeln!(
            text,
            r#"{{"jobName": "job-{index}", "jobQueue": "queue", "jobDefinition": "definition", "command": ["echo"]}}"#
        )
        .unwrap();
    }
    String::from_utf8(text).unwrap()
}
