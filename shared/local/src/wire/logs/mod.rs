//! The reading operations of CloudWatch Logs, over the engine's log streams.
//!
//! There are the group `/aws/batch/job` and those that job definitions name (`awslogs-group`).
//!
//! Source: <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_Operations.html>

mod describe;
mod files;
mod filter_events;
mod get_events;
mod merge;
mod pattern;
mod token;

use std::io;
use std::sync::Arc;

use serde_json::Value;

use super::fault::Fault;
use super::resources::{Resources, Shelf};
use crate::domain::LogStream;
use crate::engine::LogDirectory;

/// The service.
#[derive(Clone)]
pub(super) struct Logs {
    directory: LogDirectory,
    shelf: Arc<Shelf>,
}

impl Logs {
    /// Answers from the streams of a directory.
    pub(super) fn new(directory: LogDirectory, shelf: Arc<Shelf>) -> Self {
        Self { directory, shelf }
    }

    /// Answers one call, by the operation's name.
    pub(super) async fn call(&self, operation: &str, body: Value) -> Result<Value, Fault> {
        match operation {
            "GetLogEvents" => self.get_log_events(body).await,
            "FilterLogEvents" => self.filter_log_events(body).await,
            "DescribeLogStreams" => self.describe_log_streams(body).await,
            "DescribeLogGroups" => self.describe_log_groups(body).await,
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

/// The group, which must be there. It may be given as a name or, as an identifier, an ARN.
fn group_of<'a>(
    resources: &Resources,
    name: Option<&'a str>,
    identifier: Option<&'a str>,
) -> Result<&'a str, Fault> {
    let group = match (name, identifier) {
        (Some(name), None) => name,
        (None, Some(arn)) => {
            arn.split_once(":log-group:").map_or(arn, |(_, name)| name.trim_end_matches(":*"))
        }
        _ => return Err(invalid("give one of logGroupName and logGroupIdentifier")),
    };
    if group == LogStream::DEFAULT_GROUP || resources.log_groups().any(|known| known == group) {
        return Ok(group);
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
            assert_eq!(
                group_of(&Resources::default(), name, identifier).is_ok(),
                known,
                "{name:?} {identifier:?}"
            );
        }
    }
}
