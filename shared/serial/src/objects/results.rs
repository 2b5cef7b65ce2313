//! Results as JSON Lines in an object.

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::convert::Target;
use super::failure::Failure;
use super::settled;
use crate::ports::{Buckets, NewObject, ObjectWriter};
use crate::serial::{Compression, Format, Syntax};

/// An object that takes results, one a line, as they come.
#[derive(Debug)]
pub struct ResultsFile<W> {
    writer: W,
    name: String,
    lines: u64,
    bytes: u64,
    digest: Sha256,
}

/// Results that were written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct WrittenResults {
    /// Where.
    pub uri: String,
    /// Results, one a line.
    pub lines: u64,
    /// Bytes written.
    pub bytes: u64,
    /// SHA-256 of them, in lower-case hexadecimal.
    pub sha256: String,
    /// Of the object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
}

impl<W: crate::ports::ConditionalWriter> ResultsFile<W> {
    /// Starts the object, whose suffix has to be that of plain JSON Lines.
    pub async fn create<B: Buckets<Writer = W>>(buckets: &B, target: &Target) -> Result<Self, Failure> {
        let name = target.uri.to_string();
        let lines = Format { syntax: Syntax::JsonLines, compression: Compression::None };
        if Format::of_name(&name) != Ok(lines) {
            let why =
                format!("results are written as JSON Lines: end the name of {name:?} in .jsonl or .ndjson");
            return Err(Failure::invalid_request(why));
        }
        let wanted = NewObject::of_type(Syntax::JsonLines.content_type()).with(|it| {
            it.condition = target.condition.clone();
            it.settings = target.settings.clone();
        });
        let writer = buckets.create(&target.uri, wanted).await?;
        Ok(Self { writer, name, lines: 0, bytes: 0, digest: Sha256::new() })
    }

    /// Adds a line.
    pub async fn push(&mut self, result: &impl Serialize) -> Result<(), Failure> {
        let mut line = serde_json::to_vec(result).map_err(Failure::invalid_request)?;
        line.push(b'\n');
        self.digest.update(&line);
        self.lines += 1;
        self.bytes += line.len() as u64;
        Ok(ObjectWriter::write(&mut self.writer, &line).await?)
    }

    /// Makes the object appear.
    pub async fn finish(self) -> Result<WrittenResults, Failure> {
        let Self { writer, name, lines, bytes, digest } = self;
        let ((), etag) = settled(&name, writer, Ok(())).await?;
        let sha256 = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(WrittenResults { uri: name, lines, bytes, sha256, etag })
    }

    /// Leaves nothing behind.
    pub async fn abort(self) {
        self.writer.abort().await;
    }
}
