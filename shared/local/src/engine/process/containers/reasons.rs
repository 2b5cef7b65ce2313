//! Why a container did not run or was ended, in the words of ECS.
//!
//! Source: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html>

use super::runtime::last_line;

/// The kernel ended a process of the container, because it had used up its memory.
pub(in crate::engine::process) const OUT_OF_MEMORY: &str =
    "OutOfMemoryError: Container killed due to memory usage";

/// What the runtime says of a failure, after ECS's name for it.
pub(in crate::engine::process) fn told(error: &str, stderr: &[u8]) -> String {
    let line = last_line(stderr);
    let mut why = line.as_str();
    for before in ["docker: ", "Error: ", "Error response from daemon: "] {
        why = why.strip_prefix(before).unwrap_or(why);
    }
    format!("{error}: Error response from daemon: {why}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runtimes_words_stand_behind_those_of_ecs() {
        for (stderr, expected) in [
            (
                "Error response from daemon: No such image: a\n",
                "CannotPullContainerError: Error response from daemon: No such image: a",
            ),
            (
                "Trying to pull a...\nError: initializing source docker://a: refused\n\n",
                "CannotPullContainerError: Error response from daemon: initializing source docker://a: refused",
            ),
            ("", "CannotPullContainerError: Error response from daemon: it does not say why"),
        ] {
            assert_eq!(told("CannotPullContainerError", stderr.as_bytes()), expected);
        }
    }
}
