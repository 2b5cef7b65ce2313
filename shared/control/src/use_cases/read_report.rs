//! What a run's report says.

use tokio::io::AsyncBufReadExt as _;

use super::run_file::{ReportLine, report_key};
use crate::domain::{Checkpoint, RunId};
use crate::ports::{ObjectStore, PortError};

/// Calls `each` for every line of a run's report, in the order of its job file, one at a time.
///
/// A line that was UNKNOWN at first stays so here: the part that puts it right is known by its moment alone, and what it says
/// of the job is written with the job.
///
/// # Errors
///
/// Where a part can't be read, or holds what is no line of a report.
pub async fn read_report<O: ObjectStore>(
    archive: &O,
    run_id: &RunId,
    mut each: impl FnMut(ReportLine) + Send,
) -> Result<(), PortError> {
    let mut from = Checkpoint::default();
    loop {
        // A part has a line for each job between its checkpoint and the next, which so tells the next part's key.
        let key = report_key(run_id, from);
        let Some(reader) = archive.open_object(&key).await? else { return Ok(()) };
        let before = from.0;
        let mut lines = reader.lines();
        while let Some(line) = lines.next_line().await.map_err(|error| unreadable(&key, &error))? {
            each(serde_json::from_str(&line).map_err(|error| unreadable(&key, &error))?);
            from.0 += 1;
        }
        if from.0 == before {
            return Ok(());
        }
    }
}

fn unreadable(key: &str, error: &impl std::fmt::Display) -> PortError {
    PortError::permanent("read a report", format!("{key}: {error}"))
}
