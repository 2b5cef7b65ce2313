//! Whole inputs within a bound.

use serde_json::{Value, json};

use super::{block_on, converted_by, format};
use crate::serial::{AsyncSink, ConvertOptions, Loaded, SerialError, dump, load_json, load_text};

fn loaded(input: &[u8], from: &str, max_bytes: usize) -> Result<Loaded, SerialError> {
    block_on(load_json(input, format(from), max_bytes))
}

#[test]
fn every_format_is_loaded_as_json() {
    let feature = json!({"type": "Feature", "geometry": null, "properties": {"a": 1}});
    for (input, from, records, expected) in [
        ("{\"a\": [1]}".to_owned(), "json", 1, json!({"a": [1]})),
        ("[1, 2]".to_owned(), "json", 2, json!([1, 2])),
        ("1\n{}\n".to_owned(), "jsonl", 2, json!([1, {}])),
        (String::new(), "jsonl", 0, json!([])),
        (feature.to_string(), "geojson", 1, feature.clone()),
        (format!("\x1e{feature}\n{feature}"), "geojsonl", 2, json!([feature, feature])),
        ("a: [1, x]".to_owned(), "yaml", 1, json!({"a": [1, "x"]})),
        (String::new(), "yaml", 1, Value::Null),
    ] {
        let loaded = loaded(input.as_bytes(), from, 1000).unwrap();
        assert_eq!((loaded.value().unwrap(), loaded.records), (expected, records), "{from}: {input}");
        assert_eq!(loaded.bytes_in, input.len() as u64);
    }
}

#[test]
fn what_is_loaded_keeps_its_digits_and_its_header() {
    let text =
        "{\"type\":\"FeatureCollection\",\"x\":1.000,\"features\":[ {\"a\":12345678901234567890123} ]}";
    let loaded = loaded(text.as_bytes(), "geojson", 1000).unwrap();
    assert_eq!((loaded.json.get(), loaded.records), (text, 1));
    assert_eq!(
        loaded.header.unwrap().to_json(),
        "{\"type\":\"FeatureCollection\",\"x\":1.000,\"features\":[]}"
    );
}

#[test]
fn more_than_the_bound_is_refused() {
    for (input, from) in [
        ("[1, 2, 3, 4, 5, 6]", "json"),
        ("{\"type\":\"Point\", \"a\":1}", "geojson"),
        ("1\n2\n3\n4\n5\n6\n7\n8\n", "jsonl"),
        ("a: 0123456789abc", "yaml"),
    ] {
        let message = loaded(input.as_bytes(), from, 12).unwrap_err().to_string();
        assert!(message.contains("has more than 12 bytes; raise the bound"), "{from}: {message}");
    }
    // A small input may become large.
    let zeros = format!("[\"{}\"]", "0".repeat(1_000_000));
    let packed =
        block_on(converted_by(zeros.as_bytes(), "json", "json.gz", &ConvertOptions::default())).unwrap().0;
    assert!(packed.len() < 2000);
    let error = loaded(&packed, "json", 10_000).unwrap_err();
    assert!(matches!(error, SerialError::TooLarge { max_bytes: 10_000, .. }), "{error}");
    let error = block_on(load_text(packed.as_slice(), 10_000)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the input has more than 10000 bytes; raise the bound, or convert it to a sequence and read that"
    );
}

#[test]
fn what_a_value_cant_hold_is_refused_as_a_value_and_kept_as_text() {
    for (input, expected) in [
        (
            "{\"a\":1,\"a\":2}",
            "line 1, column 8 (byte 7): the key \"a\" stands twice in the object; remove one",
        ),
        ("[1e400]", "the number 1e400 is too large for a double; read it as raw JSON"),
        ("[\"\\udc00\"]", "line 1, column 2 (byte 1): half a surrogate pair"),
    ] {
        let loaded = loaded(input.as_bytes(), "json", 100).unwrap();
        assert_eq!(loaded.json.get(), input);
        let message = loaded.value().unwrap_err().to_string();
        assert!(message.starts_with(expected), "{message}");
    }
}

#[test]
fn a_fault_is_told_before_a_bound() {
    let message = loaded(b"[1, x]", "json", 100).unwrap_err().to_string();
    assert_eq!(message, "line 1, column 5 (byte 4): record 1 (from 0): 'x' begins no value");
}

#[test]
fn text_is_loaded_as_it_stands_without_a_byte_order_mark() {
    assert_eq!(block_on(load_text("\u{feff}é\n".as_bytes(), 3)).unwrap(), "é\n");
    assert_eq!(
        block_on(load_text(&b"a\nb\xff"[..], 9)).unwrap_err().to_string(),
        "line 2, column 2 (byte 3): byte 0xff is no UTF-8 here; write the file in UTF-8"
    );
}

#[test]
fn json_is_dumped_in_every_format() {
    let features = r#"[{"type":"Feature","geometry":null,"properties":{"é":1.50}}]"#;
    for (to, expected) in [
        ("json", features.to_owned()),
        ("jsonl", features[1..features.len() - 1].to_owned() + "\n"),
        ("geojsonl", features[1..features.len() - 1].to_owned() + "\n"),
        (
            "geojson",
            format!(
                "{{\"type\":\"FeatureCollection\",\"features\":[\n{}\n]}}\n",
                &features[1..features.len() - 1]
            ),
        ),
        ("yaml", "- type: Feature\n  geometry: null\n  properties:\n    é: 1.50\n".to_owned()),
    ] {
        let mut sink = AsyncSink(Vec::new());
        let report = block_on(dump(features, &mut sink, format(to), &ConvertOptions::default())).unwrap();
        assert_eq!(String::from_utf8(sink.0).unwrap(), expected, "{to}");
        assert_eq!(report.records, 1);
    }
    let mut sink = AsyncSink(Vec::new());
    block_on(dump("[]", &mut sink, format("geojsonl"), &ConvertOptions::default())).unwrap();
    assert!(sink.0.is_empty(), "no features make an empty sequence");
}
