//! What a record must be where it goes.

use std::borrow::Cow;

use serde::Deserialize;

use super::header;
use super::text_position::{Fault, TextPosition};

/// A kind of record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Feature,
    GeoJson,
}

/// A record's member `type`.
#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(rename = "type", borrow)]
    name: Option<Cow<'a, str>>,
}

impl Wanted {
    /// Errs where the record is something else. Looks at its `type` alone.
    pub(super) fn check(self, record: &[u8], place: TextPosition) -> Result<(), Fault> {
        let kind =
            if record.starts_with(b"{") { serde_json::from_slice::<Kind<'_>>(record).ok() } else { None };
        let name = kind.and_then(|kind| kind.name);
        match (self, name.as_deref()) {
            (_, Some("Feature")) => Ok(()),
            (Self::GeoJson, Some(name)) if header::TYPES.contains(&name) => Ok(()),
            (Self::Feature, Some(name)) if header::TYPES.contains(&name) => {
                let message =
                    format!("a {name} can't be among the features of a collection; make a Feature of it");
                Err(Fault::at(place, message))
            }
            (_, Some(name)) => Err(Fault::at(place, format!("the type {name:?} is none of GeoJSON's"))),
            (_, None) => {
                Err(Fault::at(place, "a record must be a GeoJSON object with one \"type\"; this is none"))
            }
        }
    }
}
