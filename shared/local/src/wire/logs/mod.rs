//! The reading operations of CloudWatch Logs, over the engine's log streams.
//!
//! There is the group `/aws/batch/job` alone. `FilterLogEvents` answers with one stream after another,
//! where AWS mixes them by time.
//!
//! Source: <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_Operations.html>

mod describe;
mod files;
mod filter_events;
mod get_events;
mod pattern;
mod token;

use std::io;

use serde_json::Value;

use super::fault::Fault;
use crate::domain::LogStream;
use crate::engine::LogDirectory;

/// The service.
#[derive(Clone)]
pub(super) struct Logs {
    directory: LogDirectory,
}

impl Logs {
    /// Answers from the streams of a directory.
    pub(super) fn new(directory: LogDirectory) -> Self {
        Self { directory }
    }

    /// Answers one call, by the operation's name.
    pub(super) async fn call(&self, operation: &str, body: Value) -> Result<Value, Fault> {
        match operation {
            "GetLogEvents" => self.get_log_events(body).await,
            "FilterLogEvents" => self.filter_log_events(body).await,
            "DescribeLogStreams" => self.describe_log_streams(body).await,
            "DescribeLogGroups" => describe::describe_log_groups(body),
            other => Err(Fault::unknown_operation(&format!("the operation {other:?}"))),
        }
    }
}

/// Runs what reads files where it may block.
async fn blocking<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    tokio::task::spawn_blocking(read).await.unwrap_or_else(|error| Err(Fault::server(error)))
}

/// Checks that the group is the one that is here. It may be given as a name or, as an identifier, an ARN.
fn check_group(name: Option<&str>, identifier: Option<&str>) -> Result<(), Fault> {
    let group = match (name, identifier) {
        (Some(name), None) => name,
        (None, Some(arn)) => {
            arn.split_once(":log-group:").map_or(arn, |(_, name)| name.trim_end_matches(":*"))
        }
        _ => return Err(invalid("give one of logGroupName and logGroupIdentifier")),
    };
    if group == LogStream::DEFAULT_GROUP {
        return Ok(());
    }
    Err(Fault::bad_request(NOT_FOUND, "The specified log group does not exist."))
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::bad_request("InvalidParameterException", message)
}

fn failed(error: io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::NotFound => Fault::bad_request(NOT_FOUND, "The specified log stream does not exist."),
        io::ErrorKind::InvalidInput => invalid("The specified nextToken is invalid."),
        _ => Fault::server(format!("the log can't be read: {error}")),
    }
}

const NOT_FOUND: &str = "ResourceNotFoundException";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_is_known_by_name_and_arn() {
        let arn = "arn:aws:logs:us-east-1:000000000000:log-group:/aws/batch/job";
        for (name, identifier, known) in [
            (Some("/aws/batch/job"), None, true),
            (None, Some(arn), true),
            (None, Some("arn:aws:logs:us-east-1:000000000000:log-group:/aws/batch/job:*"), true),
            (None, Some("/aws/batch/job"), true),
            (Some("/other"), None, false),
            (None, None, false),
            (Some("/aws/batch/job"), Some(arn), false),
        ] {
            assert_eq!(check_group(name, identifier).is_ok(), known, "{name:?} {identifier:?}");
        }
    }
}
