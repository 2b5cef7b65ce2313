//! Where things lie in S3.
//!
//! Names that are read are taken as they are: a bucket of long ago may have a name that AWS would refuse
//! today, and a key is a key byte for byte, double slashes, dots and all. Names that are to be made are
//! held against AWS's rules by [`check_new_bucket`].
//!
//! | file | what it holds |
//! | --- | --- |
//! | `arn` | ARNs that stand for a bucket |
//! | `bucket` | the rules for the names of new buckets |
//! | `forms` | the schemes and web addresses in which a URI is read and written |
//! | `key` | the parts of a key, and what is derived from it |
//! | `pattern` | patterns that keys are held against |

mod arn;
mod bucket;
mod forms;
mod key;
mod pattern;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use bucket::{InvalidBucketName, check_new_bucket};
pub use forms::{Form, decoded, encoded, region_of};
pub use key::Derivatives;
pub use pattern::{InvalidPattern, Pattern};

/// The scheme of every S3 URI.
const SCHEME: &str = "s3://";

/// Bytes of a key. Source: Amazon S3 user guide, "Naming Amazon S3 objects".
const KEY_MAX_BYTES: usize = 1_024;

/// `s3://bucket/key`: the key as S3 has it, with no encoding.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct S3Uri {
    /// The bucket's name, or an access point's ARN.
    pub bucket: String,
    /// The object's key.
    pub key: String,
}

/// `s3://bucket/prefix`: a bucket, or what of it lies under a prefix. `s3://bucket` is the whole of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct S3Prefix {
    /// The bucket's name.
    pub bucket: String,
    /// What the keys begin with; empty for all of them.
    pub prefix: String,
}

/// A text that is no S3 URI.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is not an S3 URI{why}; write it as {form}")]
pub struct InvalidS3Uri {
    found: String,
    why: &'static str,
    form: &'static str,
}

impl S3Uri {
    /// Errs where the scheme, the bucket or the key is missing, and where the key is longer than 1,024
    /// bytes. Reads every [`Form`]; blanks belong to the key.
    pub fn parse(text: &str) -> Result<Self, InvalidS3Uri> {
        let invalid = |why| InvalidS3Uri { found: text.to_owned(), why, form: "s3://bucket/key" };
        let (bucket, key) = forms::read(text).map_err(invalid)?;
        if bucket.is_empty() || key.is_empty() {
            return Err(invalid(""));
        }
        if key.len() > KEY_MAX_BYTES {
            return Err(invalid(": its key has more than 1024 bytes"));
        }
        Ok(Self { bucket, key })
    }

    /// Another key of the same bucket.
    #[must_use]
    pub fn with_key(&self, key: impl Into<String>) -> Self {
        Self { bucket: self.bucket.clone(), key: key.into() }
    }
}

impl S3Prefix {
    /// Errs where the scheme or the bucket is missing. Reads every [`Form`].
    pub fn parse(text: &str) -> Result<Self, InvalidS3Uri> {
        let invalid = |why| InvalidS3Uri { found: text.to_owned(), why, form: "s3://bucket/prefix" };
        let (bucket, prefix) = forms::read(text).map_err(invalid)?;
        match bucket.is_empty() {
            true => Err(invalid("")),
            false => Ok(Self { bucket, prefix }),
        }
    }

    /// The object of that key; `None` where a bucket alone was named.
    pub fn object(self) -> Option<S3Uri> {
        let Self { bucket, prefix } = self;
        (!prefix.is_empty()).then_some(S3Uri { bucket, key: prefix })
    }
}

/// What a URI's text form brings: `parse::<S3Uri>()`, and serde as a string.
macro_rules! as_text {
    ($($uri:ident)*) => {$(
        impl std::str::FromStr for $uri {
            type Err = InvalidS3Uri;

            fn from_str(text: &str) -> Result<Self, InvalidS3Uri> {
                Self::parse(text)
            }
        }

        impl TryFrom<String> for $uri {
            type Error = InvalidS3Uri;

            fn try_from(text: String) -> Result<Self, InvalidS3Uri> {
                Self::parse(&text)
            }
        }

        impl From<$uri> for String {
            fn from(uri: $uri) -> String {
                uri.to_string()
            }
        }
    )*};
}

as_text!(S3Uri S3Prefix);

impl fmt::Display for S3Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}/{}", self.bucket, self.key)
    }
}

impl fmt::Display for S3Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}/{}", self.bucket, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_is_a_string_for_serde_and_from_str() {
        let uri: S3Uri = "https://bucket.s3.amazonaws.com/a%20b".parse().unwrap();
        let json = serde_json::to_string(&uri).unwrap();
        assert_eq!(json, "\"s3://bucket/a b\"");
        assert_eq!(serde_json::from_str::<S3Uri>(&json).unwrap(), uri);
        assert_eq!("s3://bucket".parse::<S3Prefix>().unwrap().prefix, "");
        assert!(serde_json::from_str::<S3Uri>("\"bucket/key\"").is_err());
    }

    #[test]
    fn a_uri_has_a_bucket_and_a_key() {
        for good in ["s3://b/k", "s3://my.bucket/jobs/a file+.jsonl", "s3://b//", "s3://b/a//../. /\u{e9}%20"]
        {
            assert_eq!(S3Uri::parse(good).unwrap().to_string(), good);
        }
        for bad in
            ["", "s3://", "s3://b", "s3://b/", "s3:///k", "https://b/k", "b/k", " s3://b/k", "s4://b/k"]
        {
            let error = S3Uri::parse(bad).unwrap_err().to_string();
            assert_eq!(error, format!("{bad:?} is not an S3 URI; write it as s3://bucket/key"));
        }
    }

    #[test]
    fn a_key_is_taken_byte_for_byte_up_to_what_s3_allows() {
        let composed = S3Uri::parse("s3://b/\u{e9}").unwrap();
        let decomposed = S3Uri::parse("s3://b/e\u{301}").unwrap();
        assert_ne!(composed, decomposed, "nothing is normalised");
        assert_eq!(S3Uri::parse("s3://b/s3://c/d").unwrap().key, "s3://c/d");
        let longest = format!("s3://b/{}", "\u{e9}".repeat(512));
        assert_eq!(S3Uri::parse(&longest).unwrap().key.len(), 1_024);
        let error = S3Uri::parse(&format!("{longest}x")).unwrap_err().to_string();
        assert!(
            error
                .ends_with("is not an S3 URI: its key has more than 1024 bytes; write it as s3://bucket/key")
        );
    }

    #[test]
    fn a_prefix_may_be_empty() {
        for (text, bucket, prefix) in
            [("s3://b", "b", ""), ("s3://b/", "b", ""), ("s3://b//", "b", "/"), ("s3a://B_1/a/", "B_1", "a/")]
        {
            let found = S3Prefix::parse(text).unwrap();
            assert_eq!((found.bucket.as_str(), found.prefix.as_str()), (bucket, prefix), "{text}");
            assert_eq!(
                found.object().map(|object| object.key),
                Some(prefix.to_owned()).filter(|it| !it.is_empty())
            );
        }
        let error = S3Prefix::parse("s3://").unwrap_err().to_string();
        assert_eq!(error, "\"s3://\" is not an S3 URI; write it as s3://bucket/prefix");
    }
}
