//! Fields that a call may not have, found before it is read.

use std::fmt;

use batchwright::job_file::nearest;
use serde::de::value::MapDeserializer;
use serde::de::{self, DeserializeOwned};

/// Why a `T` can't be read of an object of one member.
#[derive(Debug)]
enum Why {
    /// It has no such field, but these.
    Unknown(&'static [&'static str]),
    /// The field is known; the rest is looked at where the values are.
    Other,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl std::error::Error for Why {}

impl de::Error for Why {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::Other
    }

    fn unknown_field(_: &str, expected: &'static [&'static str]) -> Self {
        Self::Unknown(expected)
    }
}

/// Errs for the first key that a `T` has no field for, with the nearest one that it has. `T` denies unknown
/// fields.
pub(crate) fn check<'a, T: DeserializeOwned>(
    of: &str,
    keys: impl IntoIterator<Item = &'a str>,
) -> Result<(), String> {
    for key in keys {
        let member = MapDeserializer::<_, Why>::new(std::iter::once((key, ())));
        if let Err(Why::Unknown(known)) = T::deserialize(member) {
            let remedy = match nearest(key, known.iter().copied()) {
                Some(name) => format!("the nearest known one is {name:?}"),
                None => format!("the known ones are {}", known.join(", ")),
            };
            return Err(format!("{of} has the unknown field {key:?}; {remedy}"));
        }
    }
    Ok(())
}
