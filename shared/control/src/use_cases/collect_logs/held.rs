//! What is held back of a small log, because it may share an object with others.

use super::bundle::{Bundle, SMALL_BYTES, SmallLog};
use super::manifest::{ArchiveState, Manifest};
use super::part;
use crate::domain::Timestamp;
use crate::ports::{CheckpointStore, ObjectStore, PortError};

/// Streams that the manifest tells of and that are not written yet. `None` where they are written at once.
pub(super) struct Held(Option<Vec<HeldStream>>);

/// A stream that fits into one object.
pub(super) struct HeldStream {
    /// Its place in the manifest.
    pub(super) index: usize,
    /// Of the object that it becomes where it is not shared.
    key: String,
    /// Its events as gzip.
    pub(super) packed: Vec<u8>,
}

impl Held {
    /// Of an archive whose streams may be held back or not.
    pub(super) fn new(may_hold: bool) -> Self {
        Self(may_hold.then(Vec::new))
    }

    /// Holds a stream back while all that is held is small. Returns whether it does.
    pub(super) fn hold(&mut self, index: usize, key: &str, packed: &[u8]) -> bool {
        let Some(held) = &mut self.0 else { return false };
        let bytes: usize = held.iter().map(|stream| stream.packed.len()).sum();
        let is_small = bytes + packed.len() <= SMALL_BYTES;
        if is_small {
            held.push(HeldStream { index, key: key.to_owned(), packed: packed.to_vec() });
        }
        is_small
    }

    /// Writes each as an object. From here on none is held.
    pub(super) async fn write_each<O: ObjectStore>(&mut self, archive: &O) -> Result<(), PortError> {
        for HeldStream { key, packed, .. } in self.0.take().into_iter().flatten() {
            part::save(archive, &key, &packed).await?;
        }
        Ok(())
    }

    /// Writes an archive that is small and whole together with others. Returns where its manifest lies; `None` where
    /// nothing was written.
    pub(super) async fn share<O: CheckpointStore>(
        &mut self,
        archive: &O,
        bundle: Option<&Bundle>,
        manifest: &Manifest,
        now: Timestamp,
    ) -> Result<Option<String>, PortError> {
        let (Some(bundle), Some(streams)) = (bundle, &self.0) else { return Ok(None) };
        if !matches!(manifest.state, ArchiveState::Complete | ArchiveState::NotInCloudwatch) {
            return Ok(None);
        }
        let place = bundle.add(archive, &SmallLog { streams, manifest, now }).await?;
        if place.is_some() {
            self.0 = None;
        }
        Ok(place)
    }
}
