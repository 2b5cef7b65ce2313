//! From a key to a path: distinct keys have distinct paths, and none leads out of the directory.

use std::fmt::Write as _;
use std::path::PathBuf;

/// Bytes of a key. Source: Amazon S3 user guide, "Naming Amazon S3 objects".
const KEY_MAX_BYTES: usize = 1_024;

/// Bytes of a file's name, on the file systems of Linux, macOS and Windows.
const NAME_MAX_BYTES: usize = 255;

/// Why a key has no path.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum UnusableKey {
    #[error("the object's key is empty")]
    Empty,
    #[error("object key {0:?} is longer than {KEY_MAX_BYTES} bytes")]
    Long(String),
    #[error("object key {0:?} has an empty, '.' or '..' segment; give each segment a name of its own")]
    Segment(String),
    #[error("object key {0:?} has a segment too long for a file's name; shorten it")]
    LongSegment(String),
}

/// The path of a key. Odd characters are written as `%` and two hexadecimal digits a byte, as is a dot
/// at the start of a segment: names that start with one are left to unfinished files.
pub(super) fn path_of(key: &str) -> Result<PathBuf, UnusableKey> {
    if key.is_empty() {
        return Err(UnusableKey::Empty);
    }
    if key.len() > KEY_MAX_BYTES {
        return Err(UnusableKey::Long(key.to_owned()));
    }
    let mut path = PathBuf::new();
    for segment in key.split('/') {
        if matches!(segment, "" | "." | "..") {
            return Err(UnusableKey::Segment(key.to_owned()));
        }
        let name = encode(segment);
        if name.len() > NAME_MAX_BYTES {
            return Err(UnusableKey::LongSegment(key.to_owned()));
        }
        path.push(name);
    }
    Ok(path)
}

fn encode(segment: &str) -> String {
    let mut name = String::with_capacity(segment.len());
    for (at, byte) in segment.bytes().enumerate() {
        let plain = byte.is_ascii_alphanumeric() || b"-_=+@,~".contains(&byte) || (byte == b'.' && at > 0);
        if plain {
            name.push(char::from(byte));
        } else {
            write!(name, "%{byte:02X}").expect("writing to a String can't fail");
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_keys_are_paths_as_they_stand() {
        for key in ["a", "logs/tile-7/4c7599ae_1.jsonl.gz", "year=2026/@x,y~1+2.json"] {
            assert_eq!(path_of(key).unwrap(), PathBuf::from(key));
        }
    }

    #[test]
    fn odd_characters_are_written_out() {
        for (key, path) in [
            ("a:3", "a%3A3"),
            ("a#3", "a%233"),
            ("100%", "100%25"),
            (".hidden/...", "%2Ehidden/%2E.."),
            ("a b\\c\0", "a%20b%5Cc%00"),
            ("ü", "%C3%BC"),
        ] {
            assert_eq!(path_of(key).unwrap(), PathBuf::from(path), "{key:?}");
        }
    }

    #[test]
    fn keys_that_lead_elsewhere_or_nowhere_are_refused() {
        assert_eq!(path_of(""), Err(UnusableKey::Empty));
        for key in ["/a", "a/", "a//b", "..", "a/../b", "./a"] {
            assert_eq!(path_of(key), Err(UnusableKey::Segment(key.into())));
        }
        let long = "x".repeat(256);
        assert_eq!(path_of(&long), Err(UnusableKey::LongSegment(long.clone())));
        let long = "x/".repeat(600);
        assert_eq!(path_of(&long), Err(UnusableKey::Long(long.clone())));
    }

    proptest::proptest! {
        #[test]
        fn distinct_keys_have_distinct_paths(a in "[a%./: 2E]{1,6}", b in "[a%./: 2E]{1,6}") {
            if let (Ok(path_a), Ok(path_b)) = (path_of(&a), path_of(&b)) {
                proptest::prop_assert_eq!(a == b, path_a == path_b);
            }
        }
    }
}
