//! Where in the archive something lies: an object, or a part of one that several logs share.

use tokio::io::{AsyncReadExt as _, Take};

use crate::ports::{ObjectStore, PortError};

/// What stands between an object's key and the bytes that are meant, as in `logs/.bundles/….gz#bytes=120-341`: those of
/// the HTTP header `Range`, the last one included. No key of an archive has it.
const BYTES: &str = "#bytes=";

/// An object, or a part of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// The object's key.
    pub key: &'a str,
    /// The first byte and how many; `None`: the whole object.
    pub bytes: Option<(u64, u64)>,
}

impl<'a> Place<'a> {
    /// Of a key as manifests and records hold it.
    pub fn of(text: &'a str) -> Self {
        let part = text.rsplit_once(BYTES).and_then(|(key, bytes)| {
            let (first, last) = bytes.split_once('-')?;
            let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
            Some(Self { key, bytes: Some((first, last.checked_sub(first)?.checked_add(1)?)) })
        });
        part.unwrap_or(Self { key: text, bytes: None })
    }

    /// As manifests and records hold it.
    pub(super) fn of_part(key: &str, first: usize, length: usize) -> String {
        format!("{key}{BYTES}{first}-{}", first + length - 1)
    }

    /// Reads what lies there; `None` where there is no such object.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn open<O: ObjectStore>(&self, archive: &O) -> Result<Option<Take<O::Reader>>, PortError> {
        Ok(match self.bytes {
            None => archive.open_object(self.key).await?.map(|reader| reader.take(u64::MAX)),
            Some((first, length)) => {
                archive.open_range(self.key, first, length).await?.map(|reader| reader.take(length))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_told_from_an_object() {
        for (text, key, bytes) in [
            ("logs/a/1/000.jsonl.gz", "logs/a/1/000.jsonl.gz", None),
            ("logs/.bundles/1.gz#bytes=0-0", "logs/.bundles/1.gz", Some((0, 1))),
            ("logs/.bundles/1.gz#bytes=120-341", "logs/.bundles/1.gz", Some((120, 222))),
            ("a#bytes=2-1", "a#bytes=2-1", None),
            ("a#bytes=x-1", "a#bytes=x-1", None),
            ("a#bytes=0-18446744073709551615", "a#bytes=0-18446744073709551615", None),
        ] {
            assert_eq!(Place::of(text), Place { key, bytes });
        }
        assert_eq!(Place::of_part("k", 120, 222), "k#bytes=120-341");
    }
}
