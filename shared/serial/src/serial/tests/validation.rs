//! Findings, counted and listed.

use super::{block_on, format};
use crate::serial::{Limits, Severity, ValidateOptions, Validation, validate};

fn validated(input: &str, from: &str, options: &ValidateOptions) -> Validation {
    block_on(validate(input.as_bytes(), format(from), options)).unwrap()
}

fn told(input: &str, from: &str) -> Vec<String> {
    validated(input, from, &ValidateOptions::default()).findings.iter().map(ToString::to_string).collect()
}

#[test]
fn the_findings_of_a_collection_name_feature_and_pointer() {
    let input = r#"{"type":"FeatureCollection","bbox":[1,2,3],"features":[
{"type":"Feature","geometry":null,"properties":null},
{"type":"Feature","geometry":{"type":"LineString","coordinates":[[1,2],[3,"x"]]},"properties":[]},
{"type":"feature"}],"geometry":null}"#;
    let expected = [
        "line 3, column 1 (byte 110): record 1 (from 0): /features/1/geometry/coordinates/1/1: a position is made of numbers alone",
        "line 3, column 1 (byte 110): record 1 (from 0): /features/1/properties: properties must be an object or null",
        "line 4, column 1 (byte 209): record 2 (from 0): /features/2/type: \"feature\" is no type of GeoJSON; write \"Feature\"",
        "/bbox: a bbox has 4 numbers, or 6 with heights; this one has 3",
        "/geometry: a FeatureCollection must not have \"geometry\": another type is told by it",
    ];
    assert_eq!(told(input, "geojson"), expected);
}

#[test]
fn the_findings_of_a_sequence_name_record_and_pointer_within_it() {
    let input = "{\"type\":\"Point\",\"coordinates\":[1]}\n{\"type\":\"FeatureCollection\",\"features\":[{\"type\":\"Point\",\"coordinates\":[1,2]}]}\n";
    let expected = [
        "line 1, column 1 (byte 0): record 0 (from 0): /coordinates: a position needs two numbers or more, this one has 1",
        "line 2, column 1 (byte 35): record 1 (from 0): /features/0: a Feature must stand here, not a Point; make a Feature of it",
    ];
    assert_eq!(told(input, "geojsonl"), expected);
}

#[test]
fn a_fault_of_syntax_ends_a_record_of_a_sequence_and_no_more() {
    let input = "1\n{\"a\":}\n[\n3 4\n\"\u{1}\"\n\n5\n{\"a\":1,\"a\":2}\n[";
    let found = validated(input, "jsonl", &ValidateOptions::default());
    let places: Vec<_> =
        found.findings.iter().map(|finding| (finding.record.unwrap(), finding.place.unwrap().line)).collect();
    // On line 4 a value comes before the fault, which makes two records of it.
    // Errors come first, then the warning about the repeated member in record 7.
    assert_eq!(places, [(1, 2), (2, 3), (4, 4), (5, 5), (8, 9), (7, 8)]);
    assert_eq!((found.records, found.errors, found.warnings), (8, 5, 1));

    let input = "\x1e{\"type\":\"Point\"\n\x1e{\"type\":\"Feature\",\n\"geometry\":null,\"properties\":null}\n{]\n\x1e{";
    let found = validated(input, "geojsonl", &ValidateOptions::default());
    let places: Vec<_> =
        found.findings.iter().map(|finding| (finding.record.unwrap(), finding.place.unwrap().line)).collect();
    assert_eq!(places, [(0, 2), (2, 4), (3, 5)]);
}

#[test]
fn a_fault_of_syntax_ends_a_document() {
    let found = validated("[1, {\"a\":1,\"a\":2}, x, y]", "json", &ValidateOptions::default());
    let told: Vec<_> = found.findings.iter().map(ToString::to_string).collect();
    let expected = [
        "line 1, column 20 (byte 19): record 2 (from 0): 'x' begins no value",
        "line 1, column 12 (byte 11): record 1 (from 0): /1: the key \"a\" stands twice in the object; remove one",
    ];
    assert_eq!(
        (told, found.errors, found.warnings, found.is_valid()),
        (expected.map(String::from).to_vec(), 1, 1, false)
    );
}

#[test]
fn findings_are_listed_up_to_a_bound_and_counted_beyond() {
    let input = "{\"type\":\"Point\",\"coordinates\":[1,\"x\"],\"crs\":1}\n".repeat(1000);
    let options = ValidateOptions { listed_max: 7, ..ValidateOptions::default() };
    let found = validated(&input, "geojsonl", &options);
    assert_eq!((found.findings.len(), found.errors, found.warnings, found.records), (7, 1000, 1000, 1000));
    let found = validated(&input, "geojsonl", &ValidateOptions { warnings: false, ..options });
    assert_eq!((found.errors, found.warnings), (1000, 0));
}

#[test]
fn an_error_is_not_hidden_behind_warnings() {
    let warned = "{\"type\":\"Point\",\"coordinates\":[1,2],\"crs\":1}\n".repeat(200);
    let input = warned.clone() + "{\"type\":\"Point\"}\n" + &warned;
    let found = validated(&input, "geojsonl", &ValidateOptions::default());
    assert_eq!((found.errors, found.warnings, found.findings.len()), (1, 400, 100));
    assert_eq!((found.findings[0].severity, found.findings[0].record), (Severity::Error, Some(200)));
    assert_eq!((found.findings[1].severity, found.findings[1].record), (Severity::Warning, Some(0)));
}

#[test]
fn json_and_yaml_are_held_against_rfc_7946_when_asked() {
    let plain = ValidateOptions::default();
    let asked = ValidateOptions { as_geojson: true, ..ValidateOptions::default() };
    for (input, from) in [
        ("{\"type\":\"Point\",\"coordinates\":[]}", "json"),
        ("{\"type\":\"Point\",\"coordinates\":[1]}", "jsonl"),
        ("type: Point\n", "yaml"),
    ] {
        assert_eq!(validated(input, from, &plain).findings, [], "{from}");
        assert_eq!(validated(input, from, &asked).findings.len(), 1, "{from}");
    }
}

#[test]
fn what_cant_be_read_at_all_is_one_finding() {
    for (input, from, expected) in [
        ("a: [", "yaml", "invalid YAML"),
        ("", "geojson", "there is no value"),
        ("\u{1f}", "json", "begins no value"),
    ] {
        let told = told(input, from);
        assert!(told.len() == 1 && told[0].contains(expected), "{told:?}");
    }
    let broken = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xff\xff\xff";
    let found = block_on(validate(&broken[..], format("jsonl"), &ValidateOptions::default())).unwrap();
    assert!(found.errors == 1 && found.findings[0].message.contains("the gzip data"), "{found:?}");
    let found = block_on(validate(&b"a: \xff"[..], format("yaml"), &ValidateOptions::default())).unwrap();
    assert_eq!(found.errors, 1);
    let options = ValidateOptions {
        limits: Limits { whole_max_bytes: 2, ..Limits::default() },
        ..ValidateOptions::default()
    };
    block_on(validate(&b"a: 1"[..], format("yaml"), &options)).unwrap_err();
}
