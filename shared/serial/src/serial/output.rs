//! What is written: packed, counted, its digest taken.

use std::fmt::Write as _;

use async_compression::Level;
use async_compression::tokio::write::{GzipEncoder, ZstdEncoder};
use async_compression::zstd::CParameter;
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt as _;

use super::error::SerialError;
use super::format::Compression;
use crate::ports::{ObjectWriter, PortError};

/// Bytes gathered before they are handed on.
const GATHERED_BYTES: usize = 64 * 1024;

/// The shortest repetition that zstd takes up where no level is wanted; its own level 3 takes up five bytes. In coordinates
/// the short ones are chance, and dearer to name than to write out: maps get 7 % smaller, in two thirds of the time.
const ZSTD_MATCH_BYTES: u32 = 6;

/// Writes to a sink through a packer.
pub(super) struct Output<'a, W> {
    sink: &'a mut W,
    packer: Packer,
    digest: Sha256,
    bytes: u64,
}

/// What was written, as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

enum Packer {
    None(Vec<u8>),
    Gzip(GzipEncoder<Vec<u8>>),
    Zstd(ZstdEncoder<Vec<u8>>),
}

impl<'a, W: ObjectWriter> Output<'a, W> {
    /// Packs by the level that is given, else by the packer's usual one.
    pub(super) fn new(sink: &'a mut W, compression: Compression, level: Option<i32>) -> Self {
        let is_usual = level.is_none();
        let level = Level::Precise(level.unwrap_or(compression.usual_level()));
        let packer = match compression {
            Compression::None => Packer::None(Vec::new()),
            Compression::Gzip => Packer::Gzip(GzipEncoder::with_quality(Vec::new(), level)),
            Compression::Zstd => {
                let mut parameters = vec![CParameter::checksum_flag(true)];
                if is_usual {
                    parameters.push(CParameter::min_match(ZSTD_MATCH_BYTES));
                }
                Packer::Zstd(ZstdEncoder::with_quality_and_params(Vec::new(), level, &parameters))
            }
        };
        Self { sink, packer, digest: Sha256::new(), bytes: 0 }
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), SerialError> {
        let packed = match &mut self.packer {
            Packer::None(held) => {
                held.extend_from_slice(bytes);
                Ok(())
            }
            Packer::Gzip(encoder) => encoder.write_all(bytes).await,
            Packer::Zstd(encoder) => encoder.write_all(bytes).await,
        };
        packed.map_err(|error| PortError::permanent("pack the output", error))?;
        if self.held().len() >= GATHERED_BYTES { self.hand_on().await } else { Ok(()) }
    }

    /// Hands on all that is held. The sink is left to be finished by its owner.
    pub(super) async fn finish(mut self) -> Result<Written, SerialError> {
        let packed = match &mut self.packer {
            Packer::None(_) => Ok(()),
            Packer::Gzip(encoder) => encoder.shutdown().await,
            Packer::Zstd(encoder) => encoder.shutdown().await,
        };
        packed.map_err(|error| PortError::permanent("pack the output", error))?;
        self.hand_on().await?;
        let mut sha256 = String::new();
        for byte in self.digest.finalize() {
            let _ = write!(sha256, "{byte:02x}");
        }
        Ok(Written { bytes: self.bytes, sha256 })
    }

    async fn hand_on(&mut self) -> Result<(), SerialError> {
        let mut held = std::mem::take(self.held());
        self.digest.update(&held);
        self.bytes += held.len() as u64;
        if !held.is_empty() {
            self.sink.write(&held).await?;
        }
        held.clear();
        *self.held() = held;
        Ok(())
    }

    fn held(&mut self) -> &mut Vec<u8> {
        match &mut self.packer {
            Packer::None(held) => held,
            Packer::Gzip(encoder) => encoder.get_mut(),
            Packer::Zstd(encoder) => encoder.get_mut(),
        }
    }
}
