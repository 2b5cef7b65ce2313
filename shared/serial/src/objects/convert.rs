//! From one object to another, and from JSON into one.

use serde::Serialize;
use tokio::io::AsyncBufRead;
use tokio::time::Instant;

use super::failure::Failure;
use super::load::named;
use super::{format_of, found, many, settled};
use crate::domain::{ObjectSettings, S3Uri};
use crate::ports::{Buckets, ConditionalWriter, NewObject, WriteCondition};
use crate::serial::{ConvertOptions, Format, Header, Syntax, convert as convert_stream};

/// How a conversion is done.
#[derive(Debug, Clone, Default)]
pub struct ConvertRequest {
    /// What is read; told by its name's suffix where it is not given.
    pub from: Option<Format>,
    /// What is written; told by its name's suffix where it is not given.
    pub to: Option<Format>,
    /// How the formats are read and written.
    pub options: ConvertOptions,
    /// When the work is given up.
    pub end: Option<Instant>,
}

/// Where an object is written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The object.
    pub uri: S3Uri,
    /// When it may appear.
    pub condition: WriteCondition,
    /// How it is kept.
    pub settings: ObjectSettings,
}

impl Target {
    /// In place of what is there.
    pub fn at(uri: S3Uri) -> Self {
        Self { uri, condition: WriteCondition::Always, settings: ObjectSettings::default() }
    }
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Converted {
    /// Where.
    pub to: String,
    /// What was read, as in `geojsonl.gz`.
    pub from_format: String,
    /// What was written.
    pub to_format: String,
    /// Elements, features or lines; 1 for a document that has none.
    pub records: u64,
    /// Bytes read, as stored.
    pub bytes_in: u64,
    /// Bytes written, as stored.
    pub bytes_out: u64,
    /// SHA-256 of the bytes written, in lower-case hexadecimal.
    pub sha256: String,
    /// Of the object that was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// The members beside the features that a FeatureCollection had and a sequence can't have, up to 64 KiB
    /// of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<serde_json::Value>"))]
    pub header: Option<Header>,
    /// Bytes of these members, where there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header_bytes: Option<usize>,
    /// The names of these members beside `type`, the first 100. Without `crs` readers take the coordinates for WGS 84.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(default))]
    pub left_out: Vec<String>,
}

/// Of a header that is told.
const HEADER_MAX_BYTES: usize = 64 * 1024;

/// Converts an object, or one version of it, as a stream.
pub async fn convert<B: Buckets>(
    buckets: &B,
    from: &S3Uri,
    version_id: Option<&str>,
    target: &Target,
    request: &ConvertRequest,
) -> Result<Converted, Failure> {
    // With an ETag, the replacement of what was read is meant.
    if *from == target.uri && version_id.is_none() && target.condition == WriteCondition::Always {
        return Err(Failure::invalid_request(format!(
            "{from}: is source and target; name another target, or the source's ETag where it is to be replaced"
        )));
    }
    let from_format = format_of(&from.key, request.from)?;
    let to_format = format_of(&target.uri.key, request.to)?;
    let reader = many::by(request.end, async { found(from, buckets.open(from, version_id).await) }).await?;
    let writer = buckets.create(&target.uri, new_object(target, to_format, &request.options)).await?;
    let formats = (from_format, to_format);
    convert_between(reader, &from.to_string(), writer, &target.uri.to_string(), formats, request).await
}

/// Writes JSON text into an object: see [`dump`](crate::serial::dump).
pub async fn dump<B: Buckets>(
    buckets: &B,
    json: &str,
    target: &Target,
    request: &ConvertRequest,
) -> Result<Converted, Failure> {
    let formats = (Format::plain(Syntax::Json), format_of(&target.uri.key, request.to)?);
    let writer = buckets.create(&target.uri, new_object(target, formats.1, &request.options)).await?;
    convert_between(json.as_bytes(), "the value", writer, &target.uri.to_string(), formats, request).await
}

/// Converts what a reader gives into what a writer takes; the names are for messages. The writer has
/// been committed or aborted when this returns.
pub async fn convert_between<R, W>(
    reader: R,
    from: &str,
    mut writer: W,
    to: &str,
    formats: (Format, Format),
    request: &ConvertRequest,
) -> Result<Converted, Failure>
where
    R: AsyncBufRead + Send + Unpin,
    W: ConditionalWriter,
{
    let work = async {
        let passed = convert_stream(reader, formats.0, &mut writer, formats.1, &request.options).await;
        passed.map_err(|error| named(from, error.into()))
    };
    let worked = many::by(request.end, work).await;
    let (report, etag) = settled(to, writer, worked).await?;
    let header = report.header.filter(|header| !header.is_bare() && is_sequence(formats.1.syntax));
    let header_bytes = header.as_ref().map(|header| header.to_json().len());
    Ok(Converted {
        to: to.to_owned(),
        from_format: report.from.to_string(),
        to_format: report.to.to_string(),
        records: report.records,
        bytes_in: report.bytes_in,
        bytes_out: report.bytes_out,
        sha256: report.sha256,
        etag,
        left_out: header.as_ref().map(|header| header.names().to_vec()).unwrap_or_default(),
        header: header.filter(|_| header_bytes.is_some_and(|bytes| bytes <= HEADER_MAX_BYTES)),
        header_bytes,
    })
}

fn new_object(target: &Target, format: Format, options: &ConvertOptions) -> NewObject {
    NewObject::of_type(options.content_type(format).to_owned()).with(|it| {
        it.content_encoding = format.content_encoding().map(str::to_owned);
        it.condition = target.condition.clone();
        it.settings = target.settings.clone();
    })
}

/// Whether there is no place for a header.
fn is_sequence(syntax: Syntax) -> bool {
    matches!(syntax, Syntax::JsonLines | Syntax::GeoJsonSeq)
}
