//! How an object is kept, beside its bytes and its type.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::with::with;

/// What `PutObject`, `CopyObject` and `CreateMultipartUpload` take of an object beside its bytes and its type, by
/// AWS's own words. What is left out is as S3 and the bucket have it by default; for a copy, as its source has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[non_exhaustive]
pub struct ObjectSettings {
    /// A canned ACL, as in `bucket-owner-full-control`.
    pub acl: Option<String>,
    /// `Cache-Control`.
    pub cache_control: Option<String>,
    /// `Content-Disposition`.
    pub content_disposition: Option<String>,
    /// `Content-Language`.
    pub content_language: Option<String>,
    /// User metadata, `x-amz-meta-…` without that.
    pub metadata: BTreeMap<String, String>,
    /// Tags; ten at most.
    pub tags: BTreeMap<String, String>,
    /// As in `STANDARD_IA`.
    pub storage_class: Option<String>,
    /// `AES256`, `aws:kms` or `aws:kms:dsse`.
    pub server_side_encryption: Option<String>,
    /// The KMS key: an id, an ARN or an alias.
    pub kms_key_id: Option<String>,
    /// The checksum that S3 keeps with the object, as in `SHA256`.
    pub checksum_algorithm: Option<String>,
}

with!(ObjectSettings);

/// A setting that S3 would refuse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{setting} {why}")]
pub struct InvalidSetting {
    setting: &'static str,
    why: String,
}

/// Source: Amazon S3 user guide, "Canned ACL". `log-delivery-write` is for buckets.
const ACLS: &[&str] = &[
    "private",
    "public-read",
    "public-read-write",
    "authenticated-read",
    "aws-exec-read",
    "bucket-owner-read",
    "bucket-owner-full-control",
];

/// Source: Amazon S3 API reference, `PutObject`, `x-amz-storage-class`.
const STORAGE_CLASSES: &[&str] = &[
    "STANDARD",
    "REDUCED_REDUNDANCY",
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "GLACIER",
    "GLACIER_IR",
    "DEEP_ARCHIVE",
    "OUTPOSTS",
    "EXPRESS_ONEZONE",
    "FSX_OPENZFS",
    "FSX_ONTAP",
    "SNOW",
];

const ENCRYPTIONS: &[&str] = &["AES256", "aws:kms", "aws:kms:dsse"];
const CHECKSUMS: &[&str] = &["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"];

/// Source: Amazon S3 user guide, "Categorizing your storage using tags".
const TAGS_MAX: usize = 10;

/// Bytes of all names and values. Source: Amazon S3 user guide, "Working with object metadata".
const METADATA_MAX_BYTES: usize = 2 * 1024;

impl ObjectSettings {
    /// With the ACL `bucket-owner-full-control`: for buckets of others that still have ACLs.
    #[must_use]
    pub fn for_bucket_owner(self) -> Self {
        Self { acl: Some("bucket-owner-full-control".to_owned()), ..self }
    }

    /// Errs for the first setting that S3 would refuse, with what it takes.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        one_of("the ACL", &self.acl, ACLS)?;
        one_of("the storage class", &self.storage_class, STORAGE_CLASSES)?;
        one_of("the server-side encryption", &self.server_side_encryption, ENCRYPTIONS)?;
        one_of("the checksum algorithm", &self.checksum_algorithm, CHECKSUMS)?;
        let with_kms = self.server_side_encryption.as_deref().is_some_and(|it| it.starts_with("aws:kms"));
        if self.kms_key_id.is_some() && !with_kms {
            let why = "goes with the server-side encryption aws:kms or aws:kms:dsse; name one of them";
            return Err(invalid("a KMS key", why));
        }
        self.check_metadata()?;
        self.check_tags()
    }

    fn check_metadata(&self) -> Result<(), InvalidSetting> {
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        for (name, value) in &self.metadata {
            if name.is_empty() || !name.bytes().all(is_token) {
                let why = format!("{name:?} can't be the name of a header; use letters, digits and hyphens");
                return Err(invalid("metadata", why));
            }
            if value.bytes().any(|byte| !(0x20..0x7F).contains(&byte)) {
                let why = format!("{name:?}: a value holds printable ASCII only; encode it");
                return Err(invalid("metadata", why));
            }
        }
        let bytes: usize = self.metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
        match bytes > METADATA_MAX_BYTES {
            true => Err(invalid("metadata", format!("has {bytes} bytes; S3 takes {METADATA_MAX_BYTES}"))),
            false => Ok(()),
        }
    }

    fn check_tags(&self) -> Result<(), InvalidSetting> {
        if self.tags.len() > TAGS_MAX {
            return Err(invalid("tags", format!("are {}; S3 takes {TAGS_MAX}", self.tags.len())));
        }
        for (key, value) in &self.tags {
            if key.is_empty() || key.chars().count() > 128 {
                return Err(invalid("a tag's key", format!("has 1 to 128 characters, not as {key:?}")));
            }
            if value.chars().count() > 256 {
                return Err(invalid(
                    "a tag's value",
                    format!("has at most 256 characters, not as that of {key:?}"),
                ));
            }
        }
        Ok(())
    }

    /// Whether a copy can't simply have the headers and the metadata of its source.
    pub fn replaces_metadata(&self) -> bool {
        !self.metadata.is_empty()
            || [&self.cache_control, &self.content_disposition, &self.content_language]
                .iter()
                .any(|setting| setting.is_some())
    }
}

fn one_of(setting: &'static str, found: &Option<String>, known: &[&str]) -> Result<(), InvalidSetting> {
    match found {
        Some(found) if !known.contains(&found.as_str()) => {
            Err(invalid(setting, format!("is one of {}, not {found:?}", known.join(", "))))
        }
        _ => Ok(()),
    }
}

fn invalid(setting: &'static str, why: impl Into<String>) -> InvalidSetting {
    InvalidSetting { setting, why: why.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(json: serde_json::Value) -> ObjectSettings {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn settings_that_s3_takes_pass() {
        for json in [
            serde_json::json!({}),
            serde_json::json!({"acl": "public-read", "storageClass": "GLACIER_IR", "checksumAlgorithm": "CRC32C"}),
            serde_json::json!({"serverSideEncryption": "aws:kms", "kmsKeyId": "alias/a"}),
            serde_json::json!({"serverSideEncryption": "AES256", "metadata": {"a-b": "c d"}, "tags": {"a": ""}}),
        ] {
            assert_eq!(settings(json.clone()).check(), Ok(()), "{json}");
        }
    }

    #[test]
    fn settings_that_s3_refuses_are_refused_with_what_it_takes() {
        let eleven: BTreeMap<String, String> = (0..11).map(|n| (n.to_string(), String::new())).collect();
        for (json, why) in [
            (serde_json::json!({"acl": "public"}), "the ACL is one of private, public-read,"),
            (serde_json::json!({"storageClass": "standard"}), "the storage class is one of STANDARD,"),
            (
                serde_json::json!({"serverSideEncryption": "kms"}),
                "the server-side encryption is one of AES256,",
            ),
            (serde_json::json!({"checksumAlgorithm": "MD5"}), "the checksum algorithm is one of CRC32,"),
            (serde_json::json!({"kmsKeyId": "k"}), "a KMS key goes with the server-side encryption"),
            (serde_json::json!({"metadata": {"a b": "c"}}), "metadata \"a b\" can't be the name of a header"),
            (
                serde_json::json!({"metadata": {"a": "\u{e9}"}}),
                "metadata \"a\": a value holds printable ASCII",
            ),
            (serde_json::json!({"metadata": {"a": "x".repeat(2_048)}}), "metadata has 2049 bytes"),
            (serde_json::json!({"tags": eleven}), "tags are 11; S3 takes 10"),
            (serde_json::json!({"tags": {"": "x"}}), "a tag's key has 1 to 128 characters"),
        ] {
            let error = settings(json.clone()).check().unwrap_err().to_string();
            assert!(error.starts_with(why), "{json}: {error}");
        }
        assert!(serde_json::from_value::<ObjectSettings>(serde_json::json!({"storage_class": "X"})).is_err());
    }
}
