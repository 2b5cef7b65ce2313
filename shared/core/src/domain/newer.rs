//! What a newer version of batchwright wrote into a record.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The version of the records that this program writes. A reader of any version reads every version: fields are
/// added and never change their meaning.
pub const FORMAT_VERSION: u32 = 2;

/// Fields of a record that this version does not know. They are written back as they were read, so that a version
/// that was rolled back loses nothing of the newer one's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Newer(BTreeMap<String, Value>);
