//! Unique ids: the crate `uuid` does the work.

pub use uuid::Uuid;

/// So many random ids (version 4). `Uuid::simple` writes one without hyphens.
///
/// ```
/// # use batchwright_client as batchwright;
/// use batchwright::uuids::{is_hex, is_v4, random};
///
/// let hex: Vec<String> = random().take(2).map(|id| id.simple().to_string()).collect();
/// assert!(hex.iter().all(|text| is_v4(text) && is_hex(text)) && hex[0] != hex[1]);
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

/// Digits between the hyphens of an id.
const GROUPS: [usize; 5] = [8, 4, 4, 4, 12];

/// Whether a text is a random id: version 4, variant 1 of RFC 9562, in capitals or not, each of its hyphens there or left out, and
/// nothing beside it.
///
/// ```
/// # use batchwright_client as batchwright;
/// use batchwright::uuids::is_v4;
///
/// assert!(is_v4("6A0AE6D0-9d5d-4f5c-8b1e-1d0b4d1f2a3c") && is_v4("6a0ae6d09d5d4f5c8b1e1d0b4d1f2a3c"));
/// assert!(!is_v4("{6a0ae6d0-9d5d-4f5c-8b1e-1d0b4d1f2a3c}") && !is_v4("6a0ae6d0-9d5d-1f5c-8b1e-1d0b4d1f2a3c"));
/// ```
pub fn is_v4(text: &str) -> bool {
    let Some(digits) = digits(text) else { return false };
    let (version, variant) = (digits.as_bytes()[12], digits.as_bytes()[16].to_ascii_lowercase());
    version == b'4' && matches!(variant, b'8' | b'9' | b'a' | b'b')
}

/// Whether a text is an id of any version without hyphens: 32 hexadecimal digits.
pub fn is_hex(text: &str) -> bool {
    text.len() == 32 && is_hexadecimal(text)
}

/// The 32 digits of an id, without its hyphens.
fn digits(text: &str) -> Option<String> {
    let mut rest = text;
    let mut digits = String::with_capacity(32);
    for (at, length) in GROUPS.into_iter().enumerate() {
        if at > 0 {
            rest = rest.strip_prefix('-').unwrap_or(rest);
        }
        let group = rest.get(..length)?;
        digits.push_str(group);
        rest = &rest[length..];
    }
    (rest.is_empty() && is_hexadecimal(&digits)).then_some(digits)
}

fn is_hexadecimal(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_told_from_what_looks_like_one() {
        for (text, v4, hex) in [
            ("6a0ae6d0-9d5d-4f5c-8b1e-1d0b4d1f2a3c", true, false),
            ("6A0AE6D0-9D5D-4F5C-BB1E-1D0B4D1F2A3C", true, false),
            ("6a0ae6d09d5d4f5c8b1e1d0b4d1f2a3c", true, true),
            ("6a0ae6d0-9d5d4f5c8b1e1d0b4d1f2a3c", true, false),
            // Of version 1, of a variant of Microsoft's, and of no version.
            ("6a0ae6d0-9d5d-1f5c-8b1e-1d0b4d1f2a3c", false, false),
            ("6a0ae6d09d5d1f5c8b1e1d0b4d1f2a3c", false, true),
            ("6a0ae6d0-9d5d-4f5c-cb1e-1d0b4d1f2a3c", false, false),
            ("00000000000000000000000000000000", false, true),
            // What a parser of ids takes beside it.
            ("{6a0ae6d0-9d5d-4f5c-8b1e-1d0b4d1f2a3c}", false, false),
            ("urn:uuid:6a0ae6d0-9d5d-4f5c-8b1e-1d0b4d1f2a3c", false, false),
            ("6a0ae6d0-9d5d-4f5c-8b1e-1d0b4d1f2a3c\n", false, false),
            ("6a0ae6d0--9d5d-4f5c-8b1e-1d0b4d1f2a3c", false, false),
            ("6a0ae6d09-d5d-4f5c-8b1e-1d0b4d1f2a3c", false, false),
            ("6a0ae6d0-9d5d-4f5c-8b1e-1d0b4d1f2a3", false, false),
            ("6a0ae6d09d5d4f5c8b1e1d0b4d1f2a3g", false, false),
            ("é6a0ae6d09d5d4f5c8b1e1d0b4d1f2a3", false, false),
            ("", false, false),
        ] {
            assert_eq!((is_v4(text), is_hex(text)), (v4, hex), "{text}");
        }
        assert!(random().take(100).all(|id| is_v4(&id.to_string()) && is_hex(&id.simple().to_string())));
    }
}
