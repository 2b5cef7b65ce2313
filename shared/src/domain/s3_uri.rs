//! Where an object lies in S3.

use std::fmt;

/// The scheme of every S3 URI.
const SCHEME: &str = "s3://";

/// `s3://bucket/key`: the key as S3 has it, with no encoding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Uri {
    /// The bucket's name.
    pub bucket: String,
    /// The object's key.
    pub key: String,
}

/// A text that is no S3 URI.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is not an S3 URI; write it as s3://bucket/key")]
pub struct InvalidS3Uri {
    found: String,
}

impl S3Uri {
    /// Errs where the scheme, the bucket or the key is missing.
    pub fn parse(text: &str) -> Result<Self, InvalidS3Uri> {
        match text.strip_prefix(SCHEME).and_then(|rest| rest.split_once('/')) {
            Some((bucket, key)) if !bucket.is_empty() && !key.is_empty() => {
                Ok(Self { bucket: bucket.to_owned(), key: key.to_owned() })
            }
            _ => Err(InvalidS3Uri { found: text.to_owned() }),
        }
    }
}

impl fmt::Display for S3Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}/{}", self.bucket, self.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_has_a_bucket_and_a_key() {
        for good in ["s3://b/k", "s3://my.bucket/jobs/a file+.jsonl", "s3://b//"] {
            assert_eq!(S3Uri::parse(good).unwrap().to_string(), good);
        }
        for bad in ["", "s3://", "s3://b", "s3://b/", "s3:///k", "https://b/k", "b/k"] {
            let error = S3Uri::parse(bad).unwrap_err().to_string();
            assert_eq!(error, format!("{bad:?} is not an S3 URI; write it as s3://bucket/key"));
        }
    }
}
