//! All that is wrong with an object.

use serde::Serialize;
use tokio::io::AsyncBufRead;

use super::failure::Failure;
use super::load::named;
use super::{format_of, found};
use crate::domain::S3Uri;
use crate::ports::Buckets;
use crate::serial::{self, Finding, Format, Severity, ValidateOptions};

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Validated {
    /// Whether there was no error.
    pub valid: bool,
    /// As which it was read, as in `geojsonl.gz`.
    pub format: String,
    /// Elements, features or lines, also those that can't be read.
    pub records: u64,
    /// Bytes read, as stored.
    pub bytes_in: u64,
    /// Errors, all of them.
    pub errors: u64,
    /// Warnings, all of them.
    pub warnings: u64,
    /// The first of both, in the order of the input.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Issue>,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Issue {
    /// ERROR breaks a rule, WARNING is advised against.
    pub severity: &'static str,
    /// In which record, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<u64>,
    /// From 1, in the unpacked text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// The byte of the line, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<u64>,
    /// JSON Pointer (RFC 6901): in a document from its root, in a sequence from the record's.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub pointer: String,
    /// What, and the remedy.
    pub message: String,
}

impl From<Finding> for Issue {
    fn from(finding: Finding) -> Self {
        let severity = match finding.severity {
            Severity::Error => "ERROR",
            Severity::Warning => "WARNING",
        };
        Self {
            severity,
            record: finding.record,
            line: finding.place.map(|place| place.line),
            column: finding.place.map(|place| place.column),
            pointer: finding.pointer,
            message: finding.message,
        }
    }
}

/// Validates an object, or one version of it. Errs only where it can't be read.
pub async fn validate<B: Buckets>(
    buckets: &B,
    object: &S3Uri,
    version_id: Option<&str>,
    format: Option<Format>,
    options: &ValidateOptions,
) -> Result<Validated, Failure> {
    let format = format_of(&object.key, format)?;
    let reader = found(object, buckets.open(object, version_id).await)?;
    validate_from(reader, &object.to_string(), format, options).await
}

/// Validates what a reader gives; `name` is for messages.
pub async fn validate_from<R: AsyncBufRead + Send + Unpin>(
    reader: R,
    name: &str,
    format: Format,
    options: &ValidateOptions,
) -> Result<Validated, Failure> {
    let seen = serial::validate(reader, format, options).await.map_err(|error| named(name, error.into()))?;
    Ok(Validated {
        valid: seen.is_valid(),
        format: seen.from.to_string(),
        records: seen.records,
        bytes_in: seen.bytes_in,
        errors: seen.errors,
        warnings: seen.warnings,
        findings: seen.findings.into_iter().map(Issue::from).collect(),
    })
}
