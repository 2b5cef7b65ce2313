//! Unique ids: the crate `uuid` does the work.

pub use uuid::Uuid;

/// So many random ids (version 4). `Uuid::simple` writes one without hyphens.
///
/// ```
/// use batchwright_client::uuids::{Uuid, is_v4, random};
///
/// let hex: Vec<String> = random().take(2).map(|id| id.simple().to_string()).collect();
/// assert!(hex.iter().all(|text| is_v4(text)) && hex[0] != hex[1]);
/// assert!(is_v4(&Uuid::new_v4().to_string()) && !is_v4("1234"));
/// ```
pub fn random() -> impl Iterator<Item = Uuid> {
    std::iter::repeat_with(new)
}

/// A random id.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place of the client that draws ids: no test depends on them"
)]
pub(crate) fn new() -> Uuid {
    Uuid::new_v4()
}

/// Whether a text is a random id, with hyphens or without.
pub fn is_v4(text: &str) -> bool {
    Uuid::parse_str(text).is_ok_and(|id| id.get_version_num() == 4)
}
