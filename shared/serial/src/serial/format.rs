//! Formats, told by suffix or by name.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// How a document or a sequence of records is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Syntax {
    /// One JSON value. RFC 8259.
    Json,
    /// One JSON value a line.
    JsonLines,
    /// One GeoJSON object. RFC 7946.
    GeoJson,
    /// GeoJSON texts behind record separators (RFC 8142), or one a line.
    GeoJsonSeq,
    /// One YAML 1.2 document of what JSON has too.
    Yaml,
}

/// How the bytes are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Not at all.
    None,
    /// RFC 1952, of one member or several.
    Gzip,
    /// RFC 8878, of one frame or several.
    Zstd,
}

/// A syntax and a compression. Written, and parsed, as its suffix without the leading dot: `geojsonl.gz`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Format {
    /// How the records are written.
    pub syntax: Syntax,
    /// How that is packed.
    pub compression: Compression,
}

/// A name that tells no format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{name:?} names no known format; use one of {}, each also with .gz or .zst, or name the format",
    suffixes()
)]
pub struct UnknownFormat {
    name: String,
}

/// Every suffix, the one that is written first.
const SUFFIXES: [(Syntax, &[&str]); 5] = [
    (Syntax::Json, &["json"]),
    (Syntax::JsonLines, &["jsonl", "ndjson"]),
    (Syntax::GeoJson, &["geojson"]),
    (Syntax::GeoJsonSeq, &["geojsonl", "geojsons", "geojsonseq"]),
    (Syntax::Yaml, &["yaml", "yml"]),
];

const PACKED: [(Compression, &str); 2] = [(Compression::Gzip, "gz"), (Compression::Zstd, "zst")];

impl Syntax {
    /// The media type: RFC 8259, RFC 7946, RFC 8142, RFC 9512; JSON Lines has none that is registered.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::JsonLines => "application/x-ndjson",
            Self::GeoJson => "application/geo+json",
            Self::GeoJsonSeq => "application/geo+json-seq",
            Self::Yaml => "application/yaml",
        }
    }

    /// Whether it holds GeoJSON.
    pub fn is_geo(self) -> bool {
        matches!(self, Self::GeoJson | Self::GeoJsonSeq)
    }

    fn of_suffix(suffix: &str) -> Option<Self> {
        let named = SUFFIXES
            .iter()
            .find(|(_, suffixes)| suffixes.iter().any(|known| known.eq_ignore_ascii_case(suffix)));
        named.map(|&(syntax, _)| syntax)
    }
}

impl Compression {
    /// The content coding, `None` where there is none. RFC 9110 and RFC 8878.
    pub fn content_encoding(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Gzip => Some("gzip"),
            Self::Zstd => Some("zstd"),
        }
    }

    /// The levels of the packer; none where nothing is packed.
    fn levels(self) -> Option<RangeInclusive<i32>> {
        match self {
            Self::None => None,
            Self::Gzip => Some(0..=9),
            Self::Zstd => Some(1..=22),
        }
    }

    /// The level where none is wanted: as small as what the packer's own program makes by itself, and no slower. zlib-rs
    /// takes other ways than gzip, so that its level 7 is the one beside `gzip -6`.
    pub(super) fn usual_level(self) -> i32 {
        match self {
            Self::None => 0,
            Self::Gzip => 7,
            Self::Zstd => 3,
        }
    }

    /// Errs for a level that the packer does not have.
    pub(super) fn check_level(self, level: i32) -> Result<(), String> {
        match self.levels() {
            None => Err(format!("a compression level of {level} goes with .gz or .zst; name one of them")),
            Some(levels) if levels.contains(&level) => Ok(()),
            Some(levels) => {
                let name = self.content_encoding().unwrap_or_default();
                let (first, last) = (levels.start(), levels.end());
                Err(format!("{name} has the levels {first} to {last}, and not {level}"))
            }
        }
    }
}

impl Format {
    /// The syntax, not packed.
    pub fn plain(syntax: Syntax) -> Self {
        Self { syntax, compression: Compression::None }
    }

    /// Tells the format of a file, key or URI by its suffix, in upper or lower case.
    pub fn of_name(name: &str) -> Result<Self, UnknownFormat> {
        let unknown = || UnknownFormat { name: name.to_owned() };
        let file = name.rsplit('/').next().unwrap_or(name);
        let (rest, last) = file.rsplit_once('.').ok_or_else(unknown)?;
        let packed = PACKED.iter().find(|(_, suffix)| suffix.eq_ignore_ascii_case(last));
        let (compression, suffix) = match packed {
            Some(&(compression, _)) => (compression, rest.rsplit_once('.').ok_or_else(unknown)?.1),
            None => (Compression::None, last),
        };
        let syntax = Syntax::of_suffix(suffix).ok_or_else(unknown)?;
        Ok(Self { syntax, compression })
    }

    /// `Content-Type` of what is written. Of RFC 8142's media type only where records are separated by RS:
    /// lines of GeoJSON are JSON Lines.
    pub fn content_type(self) -> &'static str {
        self.syntax.content_type()
    }

    /// `Content-Encoding` of what is written.
    pub fn content_encoding(self) -> Option<&'static str> {
        self.compression.content_encoding()
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    /// Reads a format's name: a suffix without its leading dot.
    fn from_str(name: &str) -> Result<Self, UnknownFormat> {
        Self::of_name(&format!(".{name}")).map_err(|_| UnknownFormat { name: name.to_owned() })
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let suffix = SUFFIXES
            .iter()
            .find(|(syntax, _)| *syntax == self.syntax)
            .map_or("", |(_, suffixes)| suffixes[0]);
        f.write_str(suffix)?;
        match PACKED.iter().find(|(compression, _)| *compression == self.compression) {
            Some((_, suffix)) => write!(f, ".{suffix}"),
            None => Ok(()),
        }
    }
}

fn suffixes() -> String {
    let all = SUFFIXES.iter().flat_map(|(_, suffixes)| suffixes.iter());
    all.map(|suffix| format!(".{suffix}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suffix_tells_the_format() {
        for (name, format, content_type, encoding) in [
            ("a.json", "json", "application/json", None),
            ("s3://b/x.y/A.JSONL.GZ", "jsonl.gz", "application/x-ndjson", Some("gzip")),
            ("a.ndjson.zst", "jsonl.zst", "application/x-ndjson", Some("zstd")),
            ("a.geojson", "geojson", "application/geo+json", None),
            ("a.geojsons", "geojsonl", "application/geo+json-seq", None),
            ("a.geojsonl", "geojsonl", "application/geo+json-seq", None),
            ("a.geojsonseq.gz", "geojsonl.gz", "application/geo+json-seq", Some("gzip")),
            ("a.yml", "yaml", "application/yaml", None),
            (".yaml", "yaml", "application/yaml", None),
        ] {
            let found = Format::of_name(name).unwrap();
            assert_eq!(found.to_string(), format, "{name}");
            assert_eq!((found.content_type(), found.content_encoding()), (content_type, encoding), "{name}");
            assert_eq!(found.to_string().parse(), Ok(found));
        }
    }

    #[test]
    fn a_name_that_tells_no_format_is_refused_with_those_that_do() {
        for name in ["a", "json", "a.gz", "a.json.bz2", "a.json/b", "a.csv", ""] {
            let error = Format::of_name(name).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("{name:?} names no known format; use one of .json, .jsonl,")),
                "{error}"
            );
        }
        assert!("xml".parse::<Format>().unwrap_err().to_string().starts_with("\"xml\" names"));
    }
}
