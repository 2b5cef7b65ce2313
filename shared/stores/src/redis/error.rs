//! What Redis says, as a port's error.

use redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::ports::PortError;

/// Names the server, and tells the kind. A write whose answer was lost may be repeated, because every write is
/// conditional.
pub(super) fn failed<'a>(operation: &'static str, at: &'a str) -> impl Fn(RedisError) -> PortError + 'a {
    move |error| {
        let message = format!("{at}{}: {error}", remedy(&error));
        match retried(&error) {
            true => PortError::retryable(operation, message).with_origin(error),
            false => PortError::permanent(operation, message).with_origin(error),
        }
    }
}

/// Whether it may pass.
fn retried(error: &RedisError) -> bool {
    match error.kind() {
        ErrorKind::Io => true,
        ErrorKind::Server(kind) => matches!(
            kind,
            ServerErrorKind::BusyLoading
                | ServerErrorKind::TryAgain
                | ServerErrorKind::ClusterDown
                | ServerErrorKind::MasterDown
                | ServerErrorKind::ReadOnly
        ),
        _ => matches!(error.code(), Some("OOM" | "BUSY" | "MISCONF" | "NOREPLICAS")),
    }
}

fn remedy(error: &RedisError) -> &'static str {
    match (error.kind(), error.code()) {
        (ErrorKind::Io, _) => " can't be reached; check the URL and that the server runs",
        (ErrorKind::InvalidClientConfig, _) => {
            " can't be taken apart; write '/', '#', '?' and '@' of a user or password as %2F, %23, %3F and %40"
        }
        (ErrorKind::AuthenticationFailed, _) | (_, Some("NOAUTH" | "WRONGPASS")) => {
            " refuses the user or the password; write them as redis://USER:PASSWORD@HOST"
        }
        (ErrorKind::Server(ServerErrorKind::NoPerm), _) => {
            " does not let this user do that; it needs GET, MGET, SET, DEL, the commands of sorted sets, EVALSHA and \
             SCRIPT LOAD on its prefix"
        }
        (
            ErrorKind::Server(ServerErrorKind::Moved | ServerErrorKind::Ask | ServerErrorKind::CrossSlot),
            _,
        ) => {
            " is a cluster's node that does not hold the prefix; name the one that does, or a server without a cluster"
        }
        (ErrorKind::Server(ServerErrorKind::ReadOnly), _) => " is a replica; name the primary",
        (ErrorKind::Server(ServerErrorKind::ClusterDown), _) => {
            " is of a cluster that is down; it goes on when each slot has a node again (CLUSTER INFO)"
        }
        (_, Some("OOM")) => " has no memory left; remove jobs, or raise maxmemory",
        (_, Some("MISCONF")) => " can't write to its disk; free some space there",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports;

    #[test]
    fn what_passes_may_be_repeated_and_what_does_not_says_what_to_do() {
        for (answer, kind, text) in [
            ("-LOADING Redis is loading the dataset in memory", ports::ErrorKind::Retryable, "loading"),
            (
                "-READONLY You can't write against a read only replica.",
                ports::ErrorKind::Retryable,
                "primary",
            ),
            ("-OOM command not allowed", ports::ErrorKind::Retryable, "maxmemory"),
            ("-MISCONF Errors writing to the AOF file", ports::ErrorKind::Retryable, "disk"),
            ("-BUSY Redis is busy running a script", ports::ErrorKind::Retryable, "busy"),
            ("-NOAUTH Authentication required.", ports::ErrorKind::Permanent, "USER:PASSWORD"),
            ("-WRONGPASS invalid username-password pair", ports::ErrorKind::Permanent, "USER:PASSWORD"),
            ("-NOPERM this user has no permissions", ports::ErrorKind::Permanent, "needs GET"),
            ("-MOVED 3999 127.0.0.1:6381", ports::ErrorKind::Permanent, "cluster"),
            ("-WRONGTYPE Operation against a key", ports::ErrorKind::Permanent, "redis://h"),
        ] {
            let said = redis::parse_redis_value(format!("{answer}\r\n").as_bytes());
            let error = said.and_then(redis::Value::extract_error).unwrap_err();
            let error = failed("claim a job", "redis://h")(error);
            assert_eq!(error.kind, kind, "{answer}: {error}");
            assert!(error.message.contains(text) && error.message.contains("redis://h"), "{error}");
        }
    }
}
