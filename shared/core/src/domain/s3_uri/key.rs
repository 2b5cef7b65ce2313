//! The parts of a key, and what is derived from it. Bytes are never changed: no slash is added, doubled or
//! removed but where two parts are joined.

use super::pattern::{InvalidPattern, Pattern, escaped};
use super::{S3Prefix, S3Uri};

/// The objects that are derived from one: where they lie, and how their keys look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Derivatives {
    /// What is to be listed.
    pub place: S3Prefix,
    /// What their keys match.
    pub pattern: Pattern,
}

impl S3Uri {
    /// Behind the last slash; empty where the key ends with one.
    pub fn file_name(&self) -> &str {
        self.key.rsplit('/').next().unwrap_or_default()
    }

    /// The last dot of the file name and what follows; empty where that dot is the first or the last
    /// character of the name, or is missing.
    pub fn suffix(&self) -> &str {
        let name = self.file_name();
        match name.rfind('.') {
            Some(at) if at > 0 && at + 1 < name.len() => &name[at..],
            _ => "",
        }
    }

    /// The file name without its suffix.
    pub fn stem(&self) -> &str {
        let name = self.file_name();
        &name[..name.len() - self.suffix().len()]
    }

    /// The file name where it has a suffix, else empty: then the key is taken for a folder's.
    pub fn key_file(&self) -> &str {
        if self.suffix().is_empty() { "" } else { self.file_name() }
    }

    /// The folder: the whole key, or what stands before the slash of its [`Self::key_file`]. Empty for a
    /// file at the top of the bucket.
    pub fn key_path(&self) -> &str {
        match self.key_file() {
            "" => &self.key,
            file => self.key[..self.key.len() - file.len()].strip_suffix('/').unwrap_or_default(),
        }
    }

    /// The URI of a key under this one's folder.
    #[must_use]
    pub fn join(&self, relative: &str) -> Self {
        self.with_key(joined(self.key_path(), relative))
    }

    /// The pattern of keys under this one's folder that match `relative`, as in `**/*`.
    pub fn glob_pattern(&self, relative: &str) -> Result<Pattern, InvalidPattern> {
        Pattern::parse(&joined(&escaped(self.key_path()), relative))
    }

    /// The pattern of keys at any depth under this one's folder whose name starts with this one's stem and
    /// has a dot.
    pub fn glob_file_pattern(&self) -> Pattern {
        let relative = format!("**/{}*.*", escaped(self.stem()));
        let pattern = self.glob_pattern(&relative);
        pattern.expect("escaped text and the stars around it are a pattern")
    }

    /// What was made of this object: see [`Self::glob_file_pattern`]. Only its folder is to be listed.
    pub fn derivatives(&self) -> Derivatives {
        let place = S3Prefix { bucket: self.bucket.clone(), prefix: joined(self.key_path(), "") };
        Derivatives { place, pattern: self.glob_file_pattern() }
    }
}

/// A slash goes between the two unless one is there, or there is no folder.
fn joined(folder: &str, relative: &str) -> String {
    match folder.is_empty() || folder.ends_with('/') {
        true => format!("{folder}{relative}"),
        false => format!("{folder}/{relative}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(key: &str) -> S3Uri {
        S3Uri { bucket: "b".to_owned(), key: key.to_owned() }
    }

    #[test]
    fn a_key_has_a_folder_a_file_a_stem_and_a_suffix() {
        for (key, path, file, stem, suffix) in [
            ("a/b/c.json", "a/b", "c.json", "c", ".json"),
            ("c.json", "", "c.json", "c", ".json"),
            ("/c.json", "", "c.json", "c", ".json"),
            ("a/b.tar.gz", "a", "b.tar.gz", "b.tar", ".gz"),
            ("a.b/c", "a.b/c", "", "c", ""),
            ("a/b/", "a/b/", "", "", ""),
            ("a//b.x", "a/", "b.x", "b", ".x"),
            (".hidden", ".hidden", "", ".hidden", ""),
            ("a/file.", "a/file.", "", "file.", ""),
            ("a/..", "a/..", "", "..", ""),
            ("a/\u{e9}.\u{e9}", "a", "\u{e9}.\u{e9}", "\u{e9}", ".\u{e9}"),
        ] {
            let uri = uri(key);
            let found = (uri.key_path(), uri.key_file(), uri.stem(), uri.suffix());
            assert_eq!(found, (path, file, stem, suffix), "{key}");
        }
    }

    #[test]
    fn a_join_stays_in_the_folder_and_doubles_no_slash() {
        for (key, relative, expected) in [
            ("a/b.json", "c/d.json", "s3://b/a/c/d.json"),
            ("a/b", "c", "s3://b/a/b/c"),
            ("a/b/", "c", "s3://b/a/b/c"),
            ("b.json", "c", "s3://b/c"),
        ] {
            assert_eq!(uri(key).join(relative).to_string(), expected);
        }
    }

    #[test]
    fn derivatives_lie_at_any_depth_under_the_folder() {
        let derivatives = uri("a/b*/scene[1].tif").derivatives();
        assert_eq!(derivatives.place.to_string(), "s3://b/a/b*/");
        for (key, is) in [
            ("a/b*/scene[1].tif", true),
            ("a/b*/scene[1]_small.png", true),
            ("a/b*/x/y/scene[1].json", true),
            ("a/b*/scene[1]", false),
            ("a/b*/scene1.tif", false),
            ("a/bb/scene[1].tif", false),
            ("a/b*/x/other.tif", false),
        ] {
            assert_eq!(derivatives.pattern.matches(key), is, "{key}");
        }
        assert_eq!(uri("scene.tif").derivatives().place.to_string(), "s3://b/");
        assert!(uri("scene.tif").glob_file_pattern().matches("x/scene.xml"));
        assert!(uri("a/b").glob_pattern("**/*.tif").unwrap().matches("a/b/c/d.tif"));
    }
}
