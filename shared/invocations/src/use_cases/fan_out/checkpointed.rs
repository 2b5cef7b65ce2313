//! The ledger of a fan-out that others can go on with.

use tokio::io::AsyncBufReadExt;
use tokio::sync::Mutex;

use super::ledger::{Kept, Ledger, Note, Step};
use super::place::RunPlace;
use super::take_up::FanOut;
use super::{FanOutError, LEASE_MS};
use crate::domain::Timestamp;
use crate::fan_out::{Checkpoint, CheckpointState, Early, Indices, ResultOrder, Settled};
use crate::ports::{CheckpointStore, Clock, ObjectStore, ObjectWriter, PortError, Version};

/// Bytes of results that make a part, unless one is due before: an object goes up in pieces of so many.
const PART_BYTES: usize = 8 * 1024 * 1024;

/// Writes parts and checkpoints. Errs once another invocation has taken the fan-out over.
#[derive(Debug)]
pub(super) struct Checkpointed<'a, O, T> {
    objects: &'a O,
    clock: &'a T,
    place: &'a RunPlace,
    held_max_bytes: usize,
    saved: Mutex<(Checkpoint, Version)>,
}

impl<'a, O: ObjectStore + CheckpointStore, T: Clock> Checkpointed<'a, O, T> {
    pub(super) fn new(
        objects: &'a O,
        clock: &'a T,
        fan_out: &FanOut<'a>,
        saved: (Checkpoint, Version),
    ) -> Self {
        let FanOut { place, held_max_bytes, .. } = *fan_out;
        Self { objects, clock, place, held_max_bytes, saved: Mutex::new(saved) }
    }

    pub(super) fn into_checkpoint(self) -> Checkpoint {
        self.saved.into_inner().0
    }
}

impl<O: ObjectStore + CheckpointStore, T: Clock> Ledger for Checkpointed<'_, O, T> {
    fn step_bytes(&self) -> usize {
        PART_BYTES
    }

    fn order(&self) -> ResultOrder {
        ResultOrder::List { held_max_bytes: self.held_max_bytes }
    }

    fn is_handed_on(&self) -> bool {
        true
    }

    fn keeps_early(&self) -> bool {
        true
    }

    fn note(&self, _: Note) -> Result<(), FanOutError> {
        Ok(())
    }

    async fn keep(&self, step: Step) -> Result<Kept, FanOutError> {
        let mut saved = self.saved.lock().await;
        let mut next = saved.0.clone();
        if !step.lines.is_empty() {
            put(self.objects, &self.place.part(next.parts, next.generation), &step.lines).await?;
            next.parts += 1;
        }
        next.early.retain(|early| !early.of.is_within(&step.done));
        if !step.early.is_empty() {
            let key = self.place.early(next.generation, next.saves);
            put(self.objects, &key, &early_lines(&step.early)).await?;
            let mut of = Indices::default();
            for (index, _) in &step.early {
                of.insert(*index);
            }
            next.early.push(Early { key, of });
        }
        next.saves += 1;
        next.quiet_ms = step.quiet_ms;
        next.next = step.next;
        next.done = step.done;
        next.started = step.started;
        next.progress = step.progress;
        next.leased_until = self.clock.now().plus_millis(LEASE_MS);
        if let Some(last) = step.end {
            next.open = last.open;
            next.state = if last.is_complete { CheckpointState::Complete } else { CheckpointState::Running };
            next.leased_until = Timestamp::from_millis(0);
        }
        let version = save(self.objects, self.place, &next, Some(&saved.1)).await?;
        *saved = (next, version);
        Ok(Kept::Well)
    }

    async fn put_aside(&self, name: &str, bytes: &[u8]) -> Result<Option<String>, PortError> {
        let key = self.place.key(name);
        put(self.objects, &key, bytes).await?;
        Ok(Some(self.place.uri(&key)))
    }
}

/// Saves a checkpoint over the one that was read. Errs where another invocation has saved since.
pub(super) async fn save<O: CheckpointStore>(
    objects: &O,
    place: &RunPlace,
    checkpoint: &Checkpoint,
    over: Option<&Version>,
) -> Result<Version, FanOutError> {
    let bytes = serde_json::to_vec(checkpoint).expect("a checkpoint has string keys only");
    let saved = objects.save(&place.checkpoint(), &bytes, over).await?;
    saved.ok_or_else(|| FanOutError::TakenOver(place.run_id.to_string()))
}

pub(super) async fn put<O: ObjectStore>(objects: &O, key: &str, bytes: &[u8]) -> Result<(), PortError> {
    let content_type = if key.ends_with(".jsonl") { "application/x-ndjson" } else { "application/json" };
    let mut object = objects.create_object(key, content_type).await?;
    object.write(bytes).await?;
    object.finish().await
}

fn early_lines(early: &[(u64, Settled)]) -> Vec<u8> {
    let mut lines = Vec::new();
    for settled in early {
        lines.extend(serde_json::to_vec(settled).expect("a result has string keys only"));
        lines.push(b'\n');
    }
    lines
}

/// Results that waited for others, of items that have none in a part.
pub(super) async fn read_early<O: ObjectStore>(
    objects: &O,
    checkpoint: &Checkpoint,
) -> Result<Vec<(u64, Settled)>, PortError> {
    const READ: &str = "read early results";
    let mut results = Vec::new();
    for Early { key, .. } in &checkpoint.early {
        let object = objects.open_object(key).await?;
        let object = object.ok_or_else(|| PortError::permanent(READ, format!("{key} is gone")))?;
        let mut lines = object.lines();
        let failed = |error: &dyn std::fmt::Display| PortError::retryable(READ, format!("{key}: {error}"));
        while let Some(line) = lines.next_line().await.map_err(|error| failed(&error))? {
            let settled: (u64, Settled) = serde_json::from_str(&line).map_err(|error| failed(&error))?;
            if !checkpoint.done.contains(settled.0) {
                results.push(settled);
            }
        }
    }
    Ok(results)
}
