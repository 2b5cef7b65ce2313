//! What a call may hold.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use batchwright::domain::{ObjectSettings, S3Uri};
use batchwright::job_file::nearest;
use batchwright::ports::Caller;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::fields;

/// A call, by its `operation`.
#[derive(Debug, Clone)]
#[cfg_attr(feature = "schema", derive(Deserialize, schemars::JsonSchema))]
#[cfg_attr(feature = "schema", serde(tag = "operation", rename_all = "camelCase"))]
#[expect(missing_docs, reason = "the names say it")]
pub enum Call {
    Load(Load),
    Dump(Dump),
    Convert(Convert),
    Validate(Validate),
    Info(Info),
    Access(Look),
    List(List),
    Copy(Copy),
    Wait(Wait),
}

/// Every operation, as it is written.
const OPERATIONS: [&str; 9] =
    ["load", "dump", "convert", "validate", "info", "access", "list", "copy", "wait"];

/// As whom S3 is called.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct CallerFields {
    /// Whether the function's account pays for requests and transfers, as buckets with "requester pays" ask for.
    pub requester_pays: bool,
    /// Whether requests go unsigned, for public data.
    pub no_sign_request: bool,
}

impl From<CallerFields> for Caller {
    fn from(fields: CallerFields) -> Self {
        Self { requester_pays: fields.requester_pays, is_anonymous: fields.no_sign_request }
    }
}

/// An object that is read, or one version of it.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Source {
    /// The object's newest version.
    Uri(String),
    /// The version that is named.
    Version(VersionOf),
}

/// A version of an object.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VersionOf {
    /// The object.
    pub uri: String,
    /// The version.
    pub version_id: String,
}

impl Source {
    /// Returns the object's URI as it was given.
    pub fn uri(&self) -> &str {
        match self {
            Self::Uri(uri) => uri,
            Self::Version(version) => &version.uri,
        }
    }

    /// Returns the version that was named.
    pub fn version_id(&self) -> Option<&str> {
        match self {
            Self::Uri(_) => None,
            Self::Version(version) => Some(&version.version_id),
        }
    }
}

/// Objects are read and answered as JSON.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Load {
    /// The objects.
    pub uris: Vec<Source>,
    /// What they are, as in `geojsonl`; told by their suffixes where it is not given.
    pub format: Option<String>,
    /// Where the results go as JSON Lines, instead of into the answer.
    pub results_uri: Option<String>,
    /// As whom S3 is called.
    #[serde(default)]
    pub caller: CallerFields,
}

/// Values are written.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Dump {
    /// What goes where.
    pub items: Vec<DumpItem>,
    /// What is written, as in `geojson.gz`; told by the suffixes where it is not given.
    pub format: Option<String>,
    /// Whether a record separator stands before each record of a GeoJSON text sequence (RFC 8142).
    #[serde(default)]
    pub record_separators: bool,
    /// How hard gzip (0 to 9) or zstd (1 to 22) tries; 7 and 3 where it is not given.
    pub compression_level: Option<i32>,
    /// How the objects that are written are kept.
    #[serde(default)]
    pub settings: ObjectSettings,
    /// Whether the buckets' owners get full control by an ACL.
    #[serde(default)]
    pub owner_full_control: bool,
    /// Where the results go as JSON Lines, instead of into the answer.
    pub results_uri: Option<String>,
    /// As whom S3 is called.
    #[serde(default)]
    pub caller: CallerFields,
}

/// A value and where it goes.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DumpItem {
    /// The object that is written.
    pub to: String,
    /// A document, or for a sequence the array of its records.
    #[cfg_attr(feature = "schema", schemars(with = "serde_json::Value"))]
    pub value: Box<RawValue>,
    /// Only where there is none under the key.
    #[serde(default)]
    pub if_absent: bool,
    /// Only where the one under the key still has this etag.
    pub if_match: Option<String>,
}

/// Objects are converted.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Convert {
    /// What becomes what.
    pub items: Vec<ConvertItem>,
    /// What is read; told by the suffixes where it is not given.
    pub from_format: Option<String>,
    /// What is written; told by the suffixes where it is not given.
    pub to_format: Option<String>,
    /// Whether a record separator stands before each record of a GeoJSON text sequence (RFC 8142).
    #[serde(default)]
    pub record_separators: bool,
    /// How hard gzip (0 to 9) or zstd (1 to 22) tries; 7 and 3 where it is not given.
    pub compression_level: Option<i32>,
    /// How the objects that are written are kept.
    #[serde(default)]
    pub settings: ObjectSettings,
    /// Whether the buckets' owners get full control by an ACL.
    #[serde(default)]
    pub owner_full_control: bool,
    /// Where the results go as JSON Lines, instead of into the answer.
    pub results_uri: Option<String>,
    /// As whom S3 is called.
    #[serde(default)]
    pub caller: CallerFields,
}

/// An object and what it becomes.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConvertItem {
    /// The object that is read.
    pub uri: String,
    /// This version of it.
    pub version_id: Option<String>,
    /// The object that is written.
    pub to: String,
    /// A FeatureCollection without features, whose members the one that is written gets.
    #[cfg_attr(feature = "schema", schemars(with = "Option<serde_json::Value>"))]
    pub header: Option<Box<RawValue>>,
    /// Only where there is none under the key.
    #[serde(default)]
    pub if_absent: bool,
    /// Only where the one under the key still has this etag.
    pub if_match: Option<String>,
}

/// Objects are read to their ends.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Validate {
    /// The objects.
    pub uris: Vec<Source>,
    /// What they are; told by their suffixes where it is not given.
    pub format: Option<String>,
    /// Whether JSON, JSON Lines and YAML are held against RFC 7946 too.
    #[serde(default)]
    pub as_geojson: bool,
    /// Where the results go as JSON Lines, instead of into the answer.
    pub results_uri: Option<String>,
    /// As whom S3 is called.
    #[serde(default)]
    pub caller: CallerFields,
}

/// What is said of objects and buckets is asked for.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Info {
    /// Objects, and buckets as `s3://bucket`.
    pub uris: Vec<Source>,
    /// Where the results go as JSON Lines, instead of into the answer.
    pub results_uri: Option<String>,
    /// As whom S3 is called.
    #[serde(default)]
    pub caller: CallerFields,
}

/// Objects and buckets are looked at.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Look {
    /// Objects, and buckets as `s3://bucket`.
    pub uris: Vec<String>,
    /// Where the results go as JSON Lines, instead of into the answer.
    pub results_uri: Option<String>,
    /// As whom S3 is called.
    #[serde(default)]
    pub caller: CallerFields,
}

/// A bucket is listed, or what lies under a prefix.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct List {
    /// The bucket, with or without a prefix.
    pub uri: String,
    /// A pattern that the keys match, as in `scenes/**/*.json`.
    pub glob: Option<String>,
    /// Only objects of no fewer bytes.
    pub min_bytes: Option<u64>,
    /// Only objects of no more bytes.
    pub max_bytes: Option<u64>,
    /// Only objects written then or later; RFC 3339.
    pub modified_since: Option<String>,
    /// Only objects written before; RFC 3339.
    pub modified_before: Option<String>,
    /// The key behind which the page starts: `startAfter` of the page before. Not with `resultsUri`.
    pub start_after: Option<String>,
    /// Objects of the page; as many as fit into an answer where it is not given. Not with `resultsUri`.
    pub max_items: Option<usize>,
    /// Where all objects go as JSON Lines, instead of a page into the answer. They are in no order.
    pub results_uri: Option<String>,
    /// As whom S3 is called.
    #[serde(default)]
    pub caller: CallerFields,
}

/// S3 copies objects.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Copy {
    /// What goes where.
    pub items: Vec<CopyItem>,
    /// How the objects that are written are kept.
    #[serde(default)]
    pub settings: ObjectSettings,
    /// Whether the buckets' owners get full control by an ACL.
    #[serde(default)]
    pub owner_full_control: bool,
    /// Where the results go as JSON Lines, instead of into the answer.
    pub results_uri: Option<String>,
    /// As whom S3 is called.
    #[serde(default)]
    pub caller: CallerFields,
}

/// An object and its copy.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CopyItem {
    /// The object that is copied.
    pub uri: String,
    /// This version of it.
    pub version_id: Option<String>,
    /// The copy.
    pub to: String,
    /// Only where there is none under the key.
    #[serde(default)]
    pub if_absent: bool,
    /// Only where the one under the key still has this etag.
    pub if_match: Option<String>,
}

/// Objects are waited for.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Wait {
    /// The objects.
    pub uris: Vec<String>,
    /// How long at most; until shortly before the function's deadline where it is not given.
    pub timeout_seconds: Option<u64>,
    /// Where the results go as JSON Lines, instead of into the answer.
    pub results_uri: Option<String>,
    /// As whom S3 is called.
    #[serde(default)]
    pub caller: CallerFields,
}

impl Call {
    /// Returns as whom S3 is called.
    pub fn caller(&self) -> CallerFields {
        match self {
            Self::Load(call) => call.caller,
            Self::Dump(call) => call.caller,
            Self::Convert(call) => call.caller,
            Self::Validate(call) => call.caller,
            Self::Info(call) => call.caller,
            Self::Access(call) => call.caller,
            Self::List(call) => call.caller,
            Self::Copy(call) => call.caller,
            Self::Wait(call) => call.caller,
        }
    }

    /// Reads a call. Errs with what is wrong and the remedy: an unknown field with the nearest known one.
    pub fn parse(text: &str) -> Result<Self, String> {
        let members: Result<BTreeMap<String, &RawValue>, _> = serde_json::from_str(text);
        let mut members = members.map_err(|_| "a call is an object with the field operation".to_owned())?;
        let named = members.remove("operation").map(|name| serde_json::from_str::<String>(name.get()));
        let Some(Ok(name)) = named else {
            return Err(format!("the field operation is one of {}", OPERATIONS.join(", ")));
        };
        match name.as_str() {
            "load" => read(&name, &members).map(Self::Load),
            "dump" => {
                let call: Dump = read_items::<_, DumpItem>(&name, &members)?;
                distinct(&name, call.items.iter().map(|item| &*item.to), call.results_uri.as_deref())?;
                Ok(Self::Dump(call))
            }
            "convert" => {
                let call: Convert = read_items::<_, ConvertItem>(&name, &members)?;
                distinct(&name, call.items.iter().map(|item| &*item.to), call.results_uri.as_deref())?;
                Ok(Self::Convert(call))
            }
            "validate" => read(&name, &members).map(Self::Validate),
            "info" => read(&name, &members).map(Self::Info),
            "access" => read(&name, &members).map(Self::Access),
            "list" => read(&name, &members).map(Self::List),
            "copy" => {
                let call: Copy = read_items::<_, CopyItem>(&name, &members)?;
                distinct(&name, call.items.iter().map(|item| &*item.to), call.results_uri.as_deref())?;
                Ok(Self::Copy(call))
            }
            "wait" => read(&name, &members).map(Self::Wait),
            unknown => Err(match nearest(unknown, OPERATIONS.into_iter()) {
                Some(near) => format!("there is no operation {unknown:?}; the nearest one is {near:?}"),
                None => format!(
                    "there is no operation {unknown:?}; the field is one of {}",
                    OPERATIONS.join(", ")
                ),
            }),
        }
    }
}

/// Errs where two items go to one object, or one to where the results go: the items are worked at once, each would be told as
/// written, and only the one that comes last would be there.
fn distinct<'a>(
    operation: &str,
    targets: impl Iterator<Item = &'a str>,
    results_uri: Option<&str>,
) -> Result<(), String> {
    // One object can be written in several ways. What is no URI fails with its item.
    let parsed = |uri: &str| S3Uri::parse(uri).map_or_else(|_| uri.to_owned(), |uri| uri.to_string());
    let results = results_uri.map(parsed);
    let mut seen = HashMap::new();
    for (index, to) in targets.map(parsed).enumerate() {
        if results.as_ref() == Some(&to) {
            return Err(format!(
                "resultsUri and items[{index}] of a call of {operation} both go to {to}; give one another name"
            ));
        }
        match seen.entry(to) {
            Entry::Occupied(first) => {
                return Err(format!(
                    "items[{}] and items[{index}] of a call of {operation} both go to {}; give each a target of its own",
                    first.get(),
                    first.key()
                ));
            }
            Entry::Vacant(free) => {
                free.insert(index);
            }
        }
    }
    Ok(())
}

fn read<T: DeserializeOwned>(operation: &str, members: &BTreeMap<String, &RawValue>) -> Result<T, String> {
    let of = format!("a call of {operation}");
    fields::check::<T>(&of, members.keys().map(String::as_str))?;
    let wrong = |error: serde_json::Error| format!("malformed call of {operation}: {error}");
    let text = serde_json::to_string(members).map_err(wrong)?;
    serde_json::from_str(&text).map_err(wrong)
}

/// Also looks at the fields of each item.
fn read_items<T: DeserializeOwned, I: DeserializeOwned>(
    operation: &str,
    members: &BTreeMap<String, &RawValue>,
) -> Result<T, String> {
    let items = members.get("items").map(|items| serde_json::from_str::<Vec<&RawValue>>(items.get()));
    for (index, item) in items.into_iter().flatten().flatten().enumerate() {
        if let Ok(fields) = serde_json::from_str::<BTreeMap<String, &RawValue>>(item.get()) {
            let of = format!("items[{index}] of a call of {operation}");
            fields::check::<I>(&of, fields.keys().map(String::as_str))?;
        }
    }
    read(operation, members)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_read_as_it_stands() {
        let call = r#"{"items": [{"to": "s3://b/k.json", "value": {"z": 1.000, "a": 12345678901234567890}}], "operation": "dump"}"#;
        let Ok(Call::Dump(dump)) = Call::parse(call) else { panic!("no dump") };
        assert_eq!(dump.items[0].value.get(), r#"{"z": 1.000, "a": 12345678901234567890}"#);
        assert!(!dump.items[0].if_absent && dump.items[0].if_match.is_none());
    }

    #[test]
    fn what_is_wrong_is_named_with_the_remedy() {
        for (call, expected) in [
            ("7", "a call is an object with the field operation"),
            (
                "{}",
                "the field operation is one of load, dump, convert, validate, info, access, list, copy, wait",
            ),
            (r#"{"operation": "lod"}"#, "there is no operation \"lod\"; the nearest one is \"load\""),
            (
                r#"{"operation": "delete"}"#,
                "there is no operation \"delete\"; the field is one of load, dump, convert, validate, info, access, list, copy, wait",
            ),
            (
                r#"{"operation": "load", "uri": "s3://b/k"}"#,
                "a call of load has the unknown field \"uri\"; the nearest known one is \"uris\"",
            ),
            (
                r#"{"operation": "load", "uris": [], "results_uri": "s3://b/k"}"#,
                "a call of load has the unknown field \"results_uri\"; the nearest known one is \"resultsUri\"",
            ),
            (
                r#"{"operation": "access", "uris": [], "glob": "*"}"#,
                "a call of access has the unknown field \"glob\"; the known ones are uris, resultsUri, caller",
            ),
            (
                r#"{"operation": "copy", "items": [{"uri": "s3://a/b", "to": "s3://a/c"}, {"versionID": "1"}]}"#,
                "items[1] of a call of copy has the unknown field \"versionID\"; the nearest known one is \"versionId\"",
            ),
            (
                r#"{"operation": "copy", "items": [{"uri": "s3://a/b", "to": "s3://a/c"}, {"uri": "s3://a/d", "to": "s3://a/e"}, {"uri": "s3://a/f", "to": "s3://a/c"}]}"#,
                "items[0] and items[2] of a call of copy both go to s3://a/c; give each a target of its own",
            ),
            (
                r#"{"operation": "convert", "items": [{"uri": "s3://a/b.json", "to": "s3://a/c.yaml"}, {"uri": "s3://a/d.json", "to": "s3://a/c.yaml"}]}"#,
                "items[0] and items[1] of a call of convert both go to s3://a/c.yaml; give each a target of its own",
            ),
            (
                r#"{"operation": "dump", "items": [{"to": "s3://a/c.json", "value": 1}, {"to": "s3://a/c.json", "value": 2}]}"#,
                "items[0] and items[1] of a call of dump both go to s3://a/c.json; give each a target of its own",
            ),
            (
                r#"{"operation": "dump", "items": [{"to": "s3://a/c.json", "value": 1}], "resultsUri": "s3://a/c.json"}"#,
                "resultsUri and items[0] of a call of dump both go to s3://a/c.json; give one another name",
            ),
            (r#"{"operation": "load"}"#, "malformed call of load: missing field `uris` at line 1 column 2"),
        ] {
            assert_eq!(Call::parse(call).unwrap_err(), expected);
        }
    }
}
