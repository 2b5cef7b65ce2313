//! What is answered.

use batchwright::objects::{
    Access, Converted, CopiedObject, Failure, Info, Listed, ListedPage, LoadedObject, Validated,
    WrittenResults,
};
use serde::Serialize;

/// What the S3 serializer answers.
#[derive(Debug, Clone, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Response {
    /// Objects with which all went well.
    pub succeeded: u64,
    /// The others.
    pub failed: u64,
    /// One for each object, in the order of the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub results: Option<Vec<Entry>>,
    /// Where the results are, where the call had a `resultsUri`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub results_file: Option<WrittenResults>,
    /// The objects of a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<ListedPage>,
    /// What a list came to whose objects are in `resultsFile`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listed: Option<Listed>,
}

/// What became of one object.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// As it was given: of a conversion and a copy what is read, of a dump what is written.
    pub uri: String,
    /// Where all went well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<OperationResult>,
    /// Where not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
}

/// What an operation gives.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
#[expect(missing_docs, reason = "the names say it")]
pub enum OperationResult {
    Loaded(LoadedObject),
    Converted(Converted),
    Validated(Validated),
    Copied(CopiedObject),
    Access(Access),
    Info(Info),
}

impl Entry {
    /// Of one object.
    pub(crate) fn of(uri: String, became: Result<OperationResult, Failure>) -> Self {
        match became {
            Ok(outcome) => Self { uri, result: Some(outcome), error: None },
            Err(failure) => Self { uri, result: None, error: Some(failure) },
        }
    }
}
