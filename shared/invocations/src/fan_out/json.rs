//! JSON that is passed on as it came.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

/// A JSON text: its digits, the order of its members and its `null` are the sender's. A parsed value would lose
/// what 64 bits don't hold.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Json(Box<RawValue>);

impl Json {
    /// Errs where the text is not JSON.
    pub fn parse(text: &str) -> serde_json::Result<Self> {
        serde_json::from_str(text)
    }

    /// Of a value. Errs where that can't be JSON, as a map whose keys are no text, or a NaN.
    pub fn of(value: &impl Serialize) -> serde_json::Result<Self> {
        batchwright_core::json::to_string(value).and_then(RawValue::from_string).map(Self)
    }

    /// As it came.
    pub fn get(&self) -> &str {
        self.0.get()
    }

    /// As one line: line ends stand between JSON's tokens only, because a string holds none.
    pub fn line(&self) -> String {
        self.get().replace(['\n', '\r'], " ")
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

/// A member that is given though it is `null`: serde reads a `null` as an absent option otherwise.
pub(super) fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Json>, D::Error> {
    Json::deserialize(deserializer).map(Some)
}
