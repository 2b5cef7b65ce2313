//! How a description by AWS is read: what is used must be there, and nothing else can spoil it.
//!
//! AWS adds fields, words and number types without notice, and sends `null` for what is empty. An event that
//! is refused for a field that nobody reads is a state that is never recorded.

use std::collections::BTreeMap;

use serde::de::{DeserializeOwned, Deserializer};
use serde::{Deserialize, de};
use serde_json::Value;

/// Reads a value, or takes the default where it is of another shape.
pub(super) fn or_default<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(T::deserialize(Value::deserialize(deserializer)?).unwrap_or_default())
}

/// Reads a list entry by entry: one that is of another shape is the default, so that the number of entries
/// stays right. `null` is the empty list.
pub(super) fn each_or_default<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(Vec::new()),
        Value::Array(entries) => {
            Ok(entries.into_iter().map(|entry| T::deserialize(entry).unwrap_or_default()).collect())
        }
        other => Err(de::Error::custom(format!("expected a list, not {other}"))),
    }
}

/// Reads a whole number however it is written: `137`, `137.0` and `"137"` are the same.
pub(super) fn whole<'de, D: Deserializer<'de>, T: TryFrom<i64>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    let number = match Value::deserialize(deserializer)? {
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().and_then(truncated)),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    Ok(number.and_then(|number| T::try_from(number).ok()))
}

#[expect(clippy::cast_possible_truncation, reason = "the bounds are checked")]
fn truncated(number: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    (-EXACT..=EXACT).contains(&number).then_some(number as i64)
}

/// Reads a map of texts and leaves out what is none.
pub(super) fn texts<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, String>, D::Error> {
    let Value::Object(members) = Value::deserialize(deserializer)? else { return Ok(BTreeMap::new()) };
    let text = |(name, value)| if let Value::String(text) = value { Some((name, text)) } else { None };
    Ok(members.into_iter().filter_map(text).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_whole_number_is_read_however_it_is_written() {
        for (written, number) in [
            (json!(137), Some(137)),
            (json!(137.0), Some(137)),
            (json!("137"), Some(137)),
            (json!(-1), Some(-1)),
            (json!(null), None),
            (json!([1]), None),
            (json!("many"), None),
            (json!(1e300), None),
            (json!(3_000_000_000_i64), None),
        ] {
            assert_eq!(whole::<_, i32>(written.clone()).unwrap(), number, "{written}");
        }
    }

    #[test]
    fn an_entry_of_another_shape_is_counted_and_a_list_of_another_shape_is_not_one() {
        assert_eq!(each_or_default::<_, String>(json!(["a", 7, null])).unwrap(), ["a", "", ""]);
        assert_eq!(each_or_default::<_, String>(json!(null)).unwrap(), [""; 0]);
        assert!(each_or_default::<_, String>(json!({"0": "a"})).is_err());
    }

    #[test]
    fn texts_are_kept_and_nulls_are_not() {
        let found = texts(json!({"a": "1", "b": null, "c": 7})).unwrap();
        assert_eq!(found, BTreeMap::from([("a".to_owned(), "1".to_owned())]));
        assert!(texts(json!(null)).unwrap().is_empty());
    }
}
