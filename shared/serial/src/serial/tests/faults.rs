//! What is refused, with place and remedy.

use super::{block_on, converted_by, refused};
use crate::ports::{ErrorKind, ObjectWriter, PortError};
use crate::serial::{ConvertOptions, Limits, SerialError, convert};

#[test]
fn what_is_no_json_is_refused_with_its_place_and_the_remedy() {
    for (input, expected) in [
        ("", "line 1, column 1 (byte 0): there is no value; write one (null, say) or leave the file out"),
        (
            "[1,\n NaN]",
            "line 2, column 2 (byte 5): record 1 (from 0): NaN and None are no JSON; write null in their place (Python: allow_nan=False finds them)",
        ),
        (
            "[Infinity]",
            "line 1, column 2 (byte 1): record 0 (from 0): Infinity is no JSON; write null in its place (Python: allow_nan=False finds it)",
        ),
        (
            "[-Infinity]",
            "line 1, column 3 (byte 2): record 0 (from 0): -Infinity is no JSON; write null in its place (Python: allow_nan=False finds it)",
        ),
        ("[1,]", "line 1, column 4 (byte 3): record 1 (from 0): ']' follows a comma; leave the comma out"),
        ("{\"a\":1,}", "line 1, column 8 (byte 7): '}' follows a comma; leave the comma out"),
        ("{'a':1}", "line 1, column 2 (byte 1): a text stands in quotation marks (\"), not in apostrophes"),
        ("// x\n1", "line 1, column 1 (byte 0): JSON has no comments; leave them out"),
        ("[1 2]", "line 1, column 4 (byte 3): record 1 (from 0): '2' stands where a comma or ']' must"),
        ("{\"a\" 2}", "line 1, column 6 (byte 5): '2' stands where a colon must"),
        ("{1:2}", "line 1, column 2 (byte 1): '1' stands where a key in quotation marks must"),
        (
            "1\n2",
            "line 2, column 1 (byte 2): '2' follows the end of the value; leave out what is behind it, or write JSON Lines",
        ),
        (
            "[01]",
            "line 1, column 3 (byte 2): record 0 (from 0): a number begins with 0; leave the 0 out, or put text into quotation marks",
        ),
        ("[1.]", "line 1, column 4 (byte 3): record 0 (from 0): ']' stands where a number's digit must"),
        (
            "[trUe]",
            "line 1, column 4 (byte 3): record 0 (from 0): 'U' stands inside a word; true, false and null are the words of JSON",
        ),
        (
            "[\"\u{1}\"]",
            "line 1, column 3 (byte 2): record 0 (from 0): byte 0x01 stands in a text; escape it as \\u0001, or close the text before it",
        ),
        (
            "\"a\nb\"",
            "line 1, column 3 (byte 2): byte 0x0a stands in a text; escape it as \\u000a, or close the text before it",
        ),
        (
            "\"\\x\"",
            "line 1, column 3 (byte 2): a text may escape \" \\ / b f n r t and u alone; write \\\\ for a backslash",
        ),
        ("\"\\u12g4\"", "line 1, column 6 (byte 5): four hexadecimal digits must follow \\u"),
        ("\u{a0}1", "line 1, column 1 (byte 0): byte 0xc2 begins no value"),
    ] {
        assert_eq!(refused(input, "json", "jsonl"), expected, "{input}");
    }
}

#[test]
fn invalid_utf_8_is_refused_where_it_stands() {
    let options = ConvertOptions::default();
    let error =
        block_on(converted_by(b"[\"a\",\n\"\xe9t\"]", "json", "json", &options)).unwrap_err().to_string();
    assert_eq!(
        error,
        "line 2, column 3 (byte 8): record 1 (from 0): byte 0x74 is no UTF-8 here; write the file in UTF-8"
    );
    let error = block_on(converted_by(b"a: x\nb: \xff", "yaml", "json", &options)).unwrap_err().to_string();
    assert_eq!(error, "line 2, column 4 (byte 8): byte 0xff is no UTF-8 here; write the file in UTF-8");
}

#[test]
fn nesting_too_deep_is_refused() {
    let message = refused(&"[".repeat(200), "json", "json");
    assert_eq!(
        message,
        "line 1, column 128 (byte 127): record 0 (from 0): nested more than 127 deep; flatten it"
    );
}

#[test]
fn what_is_no_sequence_is_refused() {
    for (input, from, expected) in [
        (
            "{\"a\":\n1}",
            "jsonl",
            "line 1, column 6 (byte 5): record 0 (from 0): the line ends inside a value; write one value a line, or put a record separator (0x1E) before each",
        ),
        (
            "1 2",
            "jsonl",
            "line 1, column 3 (byte 2): record 1 (from 0): more follows on the line after its value; write one value a line",
        ),
        (
            "1\n[",
            "jsonl",
            "line 2, column 2 (byte 3): record 1 (from 0): the text breaks off here; the input is cut short, write it again",
        ),
        (
            "\x1e1",
            "jsonl",
            "line 1, column 1 (byte 0): record 0 (from 0): a record separator (0x1E) stands in JSON Lines; name the input a GeoJSON text sequence (.geojsonl)",
        ),
        (
            "\x1e{\"a\"\x1e{}",
            "geojsonl",
            "line 1, column 6 (byte 5): record 0 (from 0): a record separator (0x1E) stands here inside a record: the record was cut short; write it again",
        ),
        (
            "\x1e{\"a\":\"b\x1e{}",
            "geojsonl",
            "line 1, column 9 (byte 8): record 0 (from 0): a record separator (0x1E) stands here inside a record: the record was cut short; write it again",
        ),
    ] {
        assert_eq!(refused(input, from, "jsonl"), expected, "{input:?}");
    }
}

#[test]
fn what_is_no_geojson_is_refused_where_geojson_is_read() {
    for (input, expected) in [
        ("7", "line 1, column 1 (byte 0): GeoJSON is one object; this is another value"),
        ("[]", "line 1, column 1 (byte 0): GeoJSON is one object; this is another value"),
        (
            "{}",
            "line 1, column 3 (byte 2): the object has no \"type\", or one that is no text: it is no GeoJSON; name the input JSON",
        ),
        (
            "{\"type\":\"Topology\"}",
            "the type \"Topology\" is none of GeoJSON's; GeoJSON has Feature, FeatureCollection, Point,",
        ),
        (
            "{\"type\":\"FeatureCollection\"}",
            "line 1, column 29 (byte 28): the FeatureCollection has no array \"features\"; write one",
        ),
        (
            "{\"type\":\"FeatureCollection\",\"features\":{}}",
            "the FeatureCollection has no array \"features\"; write one",
        ),
        ("{\"features\":[]}", "the object has no \"type\""),
        (
            "{\"type\":\"Feature\",\"features\":[]}",
            "line 1, column 30 (byte 29): an object of the type \"Feature\" has \"features\"; only a FeatureCollection may",
        ),
        (
            "{\"features\":[],\"type\":\"Feature\"}",
            "an object of the type \"Feature\" has \"features\"; only a FeatureCollection may",
        ),
        (
            "{\"features\":[],\"\\u0066eatures\":[]}",
            "line 1, column 16 (byte 15): the key \"features\" stands twice in the object; remove one",
        ),
        (
            "{\"a\":1,\"type\":\"Point\",\"a\":2}",
            "line 1, column 23 (byte 22): the key \"a\" stands twice in the object; remove one",
        ),
        (
            "{\"type\":\"FeatureCollection\",\"features\":[{\"type\":\"Feature\"},3]}",
            "line 1, column 60 (byte 59): record 1 (from 0): a feature is an object; this is another value",
        ),
        (
            "{\"\\ud800\":1}",
            "line 1, column 2 (byte 1): half a surrogate pair stands in a key; write the character itself",
        ),
    ] {
        for to in ["geojson", "geojsonl"] {
            let message = refused(input, "geojson", to);
            assert!(message.contains(expected), "{input}: {message}");
        }
    }
}

#[test]
fn records_that_cant_be_geojson_are_refused_where_geojson_is_written() {
    for (input, from, to, expected) in [
        (
            "{\"type\":\"Point\"}",
            "geojsonl",
            "geojson",
            "line 1, column 1 (byte 0): record 0 (from 0): a Point can't be among the features of a collection; make a Feature of it",
        ),
        (
            "{\"type\":\"Feature\"}\n[]",
            "jsonl",
            "geojsonl",
            "line 2, column 1 (byte 19): record 1 (from 0): a record must be a GeoJSON object with one \"type\"; this is none",
        ),
        (
            "[{\"type\":\"X\"}]",
            "json",
            "geojson",
            "line 1, column 2 (byte 1): record 0 (from 0): the type \"X\" is none of GeoJSON's",
        ),
        (
            "[{\"type\":\"Feature\",\"type\":\"Feature\"}]",
            "json",
            "geojsonl",
            "with one \"type\"; this is none",
        ),
    ] {
        let message = refused(input, from, to);
        assert!(message.contains(expected), "{input}: {message}");
    }
}

#[test]
fn what_is_larger_than_a_bound_is_refused_with_the_bound() {
    let limits = Limits { record_max_bytes: 16, whole_max_bytes: 64 };
    let options = ConvertOptions { limits, ..ConvertOptions::default() };
    let long = "x".repeat(20);
    let features = "\"type\":\"FeatureCollection\",\"features\":[]";
    let bound = "what begins here has more than 16 bytes; raise the bound (--max-record-bytes";
    for (input, from, to, expected) in [
        (
            format!("[1,\n \"{long}\"]"),
            "json",
            "jsonl",
            format!("line 2, column 2 (byte 5): record 1 (from 0): {bound}"),
        ),
        (
            format!("1\n\"{long}\""),
            "jsonl",
            "json",
            format!("line 2, column 1 (byte 2): record 1 (from 0): {bound}"),
        ),
        (
            format!("{{\"type\":\"Feature\",\"a\":\"{long}\"}}"),
            "geojson",
            "geojsonl",
            format!("line 1, column 1 (byte 0): {bound}"),
        ),
        (format!("{{{features},\"a\":\"{long}\"}}"), "geojson", "json", bound.to_owned()),
        (
            format!("{{\"features\":[],\"aaaa\":12,\"bbbb\":34,\"c\":5,{features}"),
            "geojson",
            "json",
            "the members beside the features have more than 16 bytes; raise".to_owned(),
        ),
        (
            format!("a: {}", "x".repeat(80)),
            "yaml",
            "json",
            "the YAML document has more than 64 bytes; raise the bound".to_owned(),
        ),
        (
            format!("[{}]", "1,".repeat(40) + "1"),
            "json",
            "yaml",
            "what becomes YAML has more than 64 bytes; YAML is held as a whole".to_owned(),
        ),
    ] {
        let message = block_on(converted_by(input.as_bytes(), from, to, &options)).unwrap_err().to_string();
        assert!(message.starts_with(&expected) || message.contains(&expected), "{input}: {message}");
    }
}

/// Refuses every write.
struct Full;

impl ObjectWriter for Full {
    async fn write(&mut self, _: &[u8]) -> Result<(), PortError> {
        Err(PortError::retryable("write an object", "the disk is full"))
    }

    async fn finish(self) -> Result<(), PortError> {
        Ok(())
    }
}

#[test]
fn a_writer_that_fails_says_what_may_be_done() {
    for to in ["json", "jsonl.gz", "json.zst", "yaml"] {
        let (json, to) = (super::format("json"), super::format(to));
        let done = block_on(convert(&b"[1]"[..], json, &mut Full, to, &ConvertOptions::default()));
        let Err(SerialError::Write(error)) = done else { panic!("{done:?}") };
        assert_eq!(
            (error.kind, error.to_string().as_str()),
            (ErrorKind::Retryable, "write an object: the disk is full")
        );
    }
}

#[test]
fn utf_16_is_told_as_what_it_is() {
    let text = "{\"a\": 1}";
    let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    for bytes in [[&[0xFF, 0xFE], &*little].concat(), [&[0xFE, 0xFF], &*big].concat(), little, big] {
        for from in ["json", "jsonl", "yaml", "geojson"] {
            let refused =
                super::block_on(super::converted_by(&bytes, from, "json", &super::ConvertOptions::default()));
            let message = refused.unwrap_err().to_string();
            assert_eq!(
                message,
                "line 1, column 1 (byte 0): the text is in UTF-16 or UTF-32; write the file in UTF-8"
            );
        }
    }
}
