//! What S3 says of its objects: directly, or through EventBridge.

use aws_lambda_events::eventbridge::EventBridgeEvent;
use serde::Deserialize;
use serde_json::Value;

use super::EventError;
use super::lenient::or_default;

/// The `source` of S3's events on EventBridge.
pub(super) const SOURCE: &str = "aws.s3";

/// What S3 sends where a notification has just been configured.
pub(super) const TEST_EVENT: &str = "s3:TestEvent";

const NOTIFICATION: &str = "S3 notification";

/// What happened to one object.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>
/// and <https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html>
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Object {
    /// The bucket's name.
    pub bucket: String,
    /// The key itself, with no encoding.
    pub key: String,
    /// Bytes; `None` where the object is gone.
    pub size_bytes: Option<u64>,
    /// The ETag, without quotes.
    pub e_tag: Option<String>,
    /// The version, in a bucket that has versions.
    pub version_id: Option<String>,
    /// Orders the events of one key: compares as text, the shorter padded with zeros on the right.
    pub sequencer: Option<String>,
    /// As in `ObjectCreated:Put`, or `Object Created` through EventBridge.
    pub event_name: String,
}

impl S3Object {
    /// Whether the object has come into being or been replaced.
    pub fn is_created(&self) -> bool {
        self.event_name.starts_with("ObjectCreated:") || self.event_name == "Object Created"
    }
}

/// What a record of a notification holds under `s3`. The crate's own record is not used: it refuses one for members
/// that nobody reads (`eventTime`, `userIdentity`, `requestParameters`).
#[derive(Deserialize)]
struct Entity {
    bucket: Bucket,
    object: RecordObject,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RecordObject {
    key: String,
    #[serde(default, deserialize_with = "or_default")]
    size: Option<u64>,
    #[serde(default, deserialize_with = "or_default")]
    e_tag: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    version_id: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    sequencer: Option<String>,
}

/// The detail of S3's events on EventBridge: the crate has no type for it.
#[derive(Deserialize)]
struct Detail {
    bucket: Bucket,
    object: Object,
}

#[derive(Deserialize)]
struct Bucket {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Object {
    key: String,
    #[serde(default, deserialize_with = "or_default")]
    size: Option<u64>,
    #[serde(default, deserialize_with = "or_default")]
    etag: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    version_id: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    sequencer: Option<String>,
}

/// Reads a direct notification. Its keys are URL-encoded.
pub(super) fn from_records(mut event: Value) -> Result<Vec<S3Object>, EventError> {
    let Value::Array(records) = event["Records"].take() else {
        return Err(EventError::malformed(NOTIFICATION, &"Records is not a list"));
    };
    records.into_iter().map(from_record).collect()
}

fn from_record(mut record: Value) -> Result<S3Object, EventError> {
    let text = |name: &str| record.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (source, event_name) = (text("eventSource"), text("eventName"));
    if source != "aws:s3" {
        return Err(EventError::Unknown(format!("a record of {source:?}")));
    }
    let malformed = |why: &dyn std::fmt::Display| EventError::malformed(NOTIFICATION, why);
    let Entity { bucket, object } =
        serde_json::from_value(record["s3"].take()).map_err(|error| malformed(&error))?;
    Ok(S3Object {
        bucket: bucket.name,
        key: decode(&object.key).map_err(|reason| malformed(&reason))?,
        size_bytes: object.size,
        e_tag: object.e_tag,
        version_id: object.version_id,
        sequencer: object.sequencer,
        event_name,
    })
}

/// Reads an event of EventBridge. Its key is not encoded.
pub(super) fn from_event_bridge(event: EventBridgeEvent) -> Result<S3Object, EventError> {
    let Detail { bucket, object } =
        Detail::deserialize(event.detail).map_err(|error| EventError::malformed("S3 event", &error))?;
    Ok(S3Object {
        bucket: bucket.name,
        key: object.key,
        size_bytes: object.size,
        e_tag: object.etag,
        version_id: object.version_id,
        sequencer: object.sequencer,
        event_name: event.detail_type,
    })
}

/// Undoes the encoding of a key: `+` is a space, `%` begins a byte in two hexadecimal digits.
fn decode(key: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(key.len());
    let mut rest = key.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => hex(rest.next())
                .zip(hex(rest.next()))
                .map(|(high, low)| high << 4 | low)
                .ok_or_else(|| format!("the key {key:?} has a % that two hexadecimal digits don't follow"))?,
            other => other,
        });
    }
    String::from_utf8(bytes).map_err(|_| format!("the key {key:?} is not UTF-8 once decoded"))
}

fn hex(digit: Option<u8>) -> Option<u8> {
    char::from(digit?).to_digit(16).and_then(|value| value.try_into().ok())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_are_decoded() {
        for (encoded, key) in [
            ("HappyFace.jpg", "HappyFace.jpg"),
            ("jobs/my+file.json", "jobs/my file.json"),
            ("a%2Bb%25", "a+b%"),
            ("jobs/%C3%A4%E2%82%AC.yaml", "jobs/ä€.yaml"),
            ("%e2%82%ac", "€"),
        ] {
            assert_eq!(decode(encoded).as_deref(), Ok(key), "{encoded}");
        }
    }

    #[test]
    fn a_deletion_is_read_and_creates_nothing() {
        let event = json!({"Records": [{
            "eventSource": "aws:s3", "eventName": "ObjectRemoved:Delete",
            "s3": {"bucket": {"name": "b"}, "object": {"key": "k", "sequencer": "00"}}
        }]});
        let objects = from_records(event).unwrap();
        assert_eq!((objects[0].is_created(), objects[0].size_bytes), (false, None));
    }

    #[test]
    fn a_key_from_event_bridge_is_taken_as_it_is() {
        let event = json!({"source": SOURCE, "detail-type": "Object Created", "detail": {
            "bucket": {"name": "b"}, "object": {"key": "a+b%20c"}
        }});
        assert_eq!(from_event_bridge(serde_json::from_value(event).unwrap()).unwrap().key, "a+b%20c");
    }

    #[test]
    fn a_record_is_read_without_what_nobody_reads() {
        let event = json!({"Records": [{
            "eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "userIdentity": null,
            "s3": {"bucket": {"name": "b", "arn": null}, "object": {"key": "k", "size": null, "new": 1}}
        }]});
        assert_eq!(from_records(event).unwrap()[0].key, "k");
    }
}
