//! The results of all parts together.

use serde_json::value::RawValue;
use tokio::io::AsyncBufReadExt;

use super::place::RunPlace;
use crate::domain::S3Uri;
use crate::fan_out::Checkpoint;
use crate::fan_out::limits::INLINE_RESULTS_MAX_BYTES;
use crate::ports::{ObjectStore, ObjectWriter, PortError};

const READ: &str = "read results";

/// Where the results are.
#[derive(Debug)]
pub enum Results {
    /// Here, in the order of the list as far as memory allowed.
    Inline(Vec<Box<RawValue>>),
    /// There, as JSON Lines in the same order.
    At(String),
}

/// Puts the parts of all branches, in order, into one object, or returns them where they are few and no
/// object is asked for. Holds one line, or what is returned. Done twice, it is done once.
pub async fn finish<O: ObjectStore>(
    objects: &O,
    place: &RunPlace,
    asked: Option<&S3Uri>,
    branches: &[(RunPlace, Checkpoint)],
) -> Result<Results, PortError> {
    let bytes: u64 = branches.iter().map(|(_, checkpoint)| checkpoint.progress.result_bytes).sum();
    if asked.is_none() && bytes <= INLINE_RESULTS_MAX_BYTES {
        let mut results = Vec::new();
        let each = async |line: &[u8]| {
            let text = String::from_utf8_lossy(line.trim_ascii()).into_owned();
            let result = RawValue::from_string(text);
            results.push(result.map_err(|error| PortError::permanent(READ, error))?);
            Ok(())
        };
        each_line(objects, branches, each).await?;
        return Ok(Results::Inline(results));
    }
    let key = asked.map_or_else(|| place.results(), |uri| uri.key.clone());
    let mut whole = objects.create_object(&key, "application/x-ndjson").await?;
    each_line(objects, branches, async |line: &[u8]| whole.write(line).await).await?;
    whole.finish().await?;
    Ok(Results::At(place.uri(&key)))
}

/// Reads part after part.
async fn each_line<O: ObjectStore>(
    objects: &O,
    branches: &[(RunPlace, Checkpoint)],
    mut each: impl AsyncFnMut(&[u8]) -> Result<(), PortError>,
) -> Result<(), PortError> {
    let mut line = Vec::new();
    for (place, checkpoint) in branches {
        for number in 0..checkpoint.parts {
            let key = place.part(number, checkpoint.generation_of(number));
            let part = objects.open_object(&key).await?;
            let mut part = part.ok_or_else(|| PortError::permanent(READ, format!("{key} is gone")))?;
            loop {
                line.clear();
                let read = part.read_until(b'\n', &mut line).await;
                if read.map_err(|error| PortError::retryable(READ, format!("{key}: {error}")))? == 0 {
                    break;
                }
                each(&line).await?;
            }
        }
    }
    Ok(())
}
