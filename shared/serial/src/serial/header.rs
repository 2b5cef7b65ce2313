//! What a FeatureCollection has beside its features.

use std::collections::HashSet;

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::cutter::{Cut, Piece};
use super::document::{DocumentCutter, Shape};
use super::text_position::{Fault, TextPosition};

pub(super) const TYPE: &str = "type";
pub(super) const FEATURES: &str = "features";
pub(super) const COLLECTION: &str = "FeatureCollection";

/// Every `type` of RFC 7946.
pub(super) const TYPES: [&str; 9] = [
    "Feature",
    COLLECTION,
    "Point",
    "MultiPoint",
    "LineString",
    "MultiLineString",
    "Polygon",
    "MultiPolygon",
    "GeometryCollection",
];

/// Members of a header that are named.
const NAMED_MAX: usize = 100;

const HEADER_MAX_BYTES: usize = 64 * 1024 * 1024;

/// A FeatureCollection without its features: `{"type":"FeatureCollection", …, "features":[], …}`, every
/// other member byte for byte and in its place. Serialises as that object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    before: String,
    after: String,
    /// Of the members beside `type`, the first [`NAMED_MAX`].
    names: Vec<String>,
}

impl Header {
    /// Reads a FeatureCollection that has no features, or none in it. Errs where it has some, and where
    /// it is none.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let mut cutter =
            DocumentCutter::new(TextPosition::START, Shape::Features { or_array: false }, HEADER_MAX_BYTES);
        let rest = match cutter.push(text.as_bytes())? {
            Cut::Record(taken) => &text.as_bytes()[taken..],
            Cut::More => &[],
        };
        if cutter.records > 0 || cutter.push(rest)? != Cut::More {
            let message = "a header is a FeatureCollection whose features are []; take the features out";
            return Err(Fault::of_input(message));
        }
        cutter.finish()?;
        cutter
            .into_header()
            .ok_or_else(|| Fault::of_input("a header is a FeatureCollection with \"features\": []"))
    }

    /// What stands before the first feature, from `{` to `[`.
    pub(super) fn opening(&self) -> String {
        format!("{{{}\"features\":[", self.before)
    }

    /// What stands behind the last feature, from `]` to `}`.
    pub(super) fn closing(&self) -> String {
        format!("]{}}}", self.after)
    }

    /// As JSON: a FeatureCollection with no features.
    pub fn to_json(&self) -> String {
        self.opening() + &self.closing()
    }

    /// The names of its members beside `type` and `features`, the first 100.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether it says nothing that a FeatureCollection does not say anyway.
    pub(crate) fn is_bare(&self) -> bool {
        *self == Self::default()
    }
}

impl Default for Header {
    /// `{"type":"FeatureCollection","features":[]}`.
    fn default() -> Self {
        Self { before: format!("\"{TYPE}\":\"{COLLECTION}\","), after: String::new(), names: Vec::new() }
    }
}

impl Serialize for Header {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let json = self.to_json();
        let raw: &RawValue = serde_json::from_str(&json).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

/// The members of an object as they come.
pub(super) struct Members {
    members: Vec<Member>,
    /// Of all members, because a search through the list for each would take hours of a long one.
    keys: HashSet<String>,
    key: Option<(String, String)>,
    /// How many members stand before `features`.
    features_at: Option<usize>,
    held_bytes: usize,
    max_bytes: usize,
}

struct Member {
    /// Decoded.
    key: String,
    /// `"key":value`, as it was written.
    text: String,
    /// The value, where it is a text.
    value: Option<String>,
}

impl Members {
    pub(super) fn up_to(max_bytes: usize) -> Self {
        Self {
            members: Vec::new(),
            keys: HashSet::new(),
            key: None,
            features_at: None,
            held_bytes: 0,
            max_bytes,
        }
    }

    pub(super) fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    /// A key has come. Errs where it has come before.
    pub(super) fn key(&mut self, piece: &Piece) -> Result<(), Fault> {
        let raw = text(piece)?;
        let key: String = serde_json::from_str(raw).map_err(|_| {
            Fault::at(piece.start, "half a surrogate pair stands in a key; write the character itself")
        })?;
        if !self.keys.insert(key.clone()) {
            let message = format!("the key {key:?} stands twice in the object; remove one");
            return Err(Fault::at(piece.start, message));
        }
        self.key = Some((raw.to_owned(), key));
        Ok(())
    }

    pub(super) fn key_is(&self, name: &str) -> bool {
        self.key.as_ref().is_some_and(|(_, key)| key == name)
    }

    /// The features come. Errs where the object is known to be no FeatureCollection.
    pub(super) fn features(&mut self, place: TextPosition) -> Result<(), Fault> {
        self.features_at = Some(self.members.len());
        self.key = None;
        match self.text(TYPE) {
            Some(name) if name != COLLECTION => Err(not_a_collection(place, name)),
            _ => Ok(()),
        }
    }

    /// The value of the last key has come.
    pub(super) fn value(&mut self, piece: &Piece) -> Result<(), Fault> {
        let Some((raw, key)) = self.key.take() else { return Ok(()) };
        let value = text(piece)?;
        self.held_bytes += raw.len() + value.len();
        if self.held_bytes > self.max_bytes {
            let message = format!(
                "the members beside the features have more than {} bytes; raise the bound (--max-record-bytes; of load --max-bytes)",
                self.max_bytes
            );
            return Err(Fault::at(piece.start, message));
        }
        let decoded = value.starts_with('"').then(|| serde_json::from_str(value).ok()).flatten();
        self.members.push(Member { key, text: format!("{raw}:{value}"), value: decoded });
        Ok(())
    }

    /// The value of a member that is a text.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        let member = self.members.iter().find(|member| member.key == key)?;
        member.value.as_deref()
    }

    pub(super) fn has_features(&self) -> bool {
        self.features_at.is_some()
    }

    /// Checks the object as a whole, which ends at a place.
    pub(super) fn check(&self, place: TextPosition) -> Result<(), Fault> {
        let has_features = self.features_at.is_some();
        match self.text(TYPE) {
            Some(COLLECTION) if has_features => Ok(()),
            Some(COLLECTION) => {
                Err(Fault::at(place, "the FeatureCollection has no array \"features\"; write one"))
            }
            Some(name) if has_features => Err(not_a_collection(place, name)),
            Some(name) if TYPES.contains(&name) => Ok(()),
            Some(name) => {
                let message =
                    format!("the type {name:?} is none of GeoJSON's; GeoJSON has {}", TYPES.join(", "));
                Err(Fault::at(place, message))
            }
            None => Err(Fault::at(
                place,
                "the object has no \"type\", or one that is no text: it is no GeoJSON; name the input JSON",
            )),
        }
    }

    pub(super) fn into_header(self) -> Header {
        let features_at = self.features_at.unwrap_or(self.members.len());
        let (before, after) = self.members.split_at(features_at);
        let names = self.members.iter().map(|member| &member.key).filter(|key| *key != TYPE);
        Header {
            names: names.take(NAMED_MAX).cloned().collect(),
            before: before.iter().map(|member| member.text.clone() + ",").collect(),
            after: after.iter().map(|member| ",".to_owned() + &member.text).collect(),
        }
    }
}

fn not_a_collection(place: TextPosition, name: &str) -> Fault {
    Fault::at(place, format!("an object of the type {name:?} has \"features\"; only a FeatureCollection may"))
}

/// What the scanner has passed is UTF-8.
fn text(piece: &Piece) -> Result<&str, Fault> {
    std::str::from_utf8(&piece.bytes).map_err(|_| Fault::at(piece.start, "this is no UTF-8"))
}
