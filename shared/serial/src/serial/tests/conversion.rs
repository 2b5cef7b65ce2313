//! Every way from format to format.

use super::{block_on, converted, converted_by, refused};
use crate::serial::{ConvertOptions, Format, Header, Limits};

const POINT: &str =
    r#"{"type":"Feature","geometry":{"type":"Point","coordinates":[1.10,2.000]},"properties":null}"#;
const EMPTY: &str = r#"{"type":"Feature","geometry":null,"properties":{"a":12345678901234567890123}}"#;

fn collection() -> String {
    format!(
        "{{ \"type\": \"FeatureCollection\",\n \"name\": \"caf\\u00e9\", \"features\": [ {POINT} ,\n{EMPTY} ], \"n\": 1.000e400, \"crs\" : null }}\n"
    )
}

fn lines() -> String {
    format!("{POINT}\n{EMPTY}\n")
}

#[test]
fn each_format_becomes_each_other() {
    let array = format!("[\n{POINT},\n{EMPTY}\n]\n");
    let bare = format!("{{\"type\":\"FeatureCollection\",\"features\":[\n{POINT},\n{EMPTY}\n]}}\n");
    for (input, from, to, expected) in [
        ("[1, 2.50]", "json", "json", "[1, 2.50]"),
        ("[1, 2.50 ,{\"a\" :\n 1}]", "json", "jsonl", "1\n2.50\n{\"a\" :1}\n"),
        ("{\"a\":\n[1]}", "json", "jsonl", "{\"a\":[1]}\n"),
        ("7", "json", "jsonl", "7\n"),
        ("[]", "json", "jsonl", ""),
        ("1\n\n \"a\"\r\n{}", "jsonl", "json", "[\n1,\n\"a\",\n{}\n]\n"),
        ("", "jsonl", "json", "[]\n"),
        ("1\r\n2", "jsonl", "jsonl", "1\n2\n"),
        (&array, "json", "geojson", &bare),
        (&array, "json", "geojsonl", &lines()),
        (&bare, "json", "geojsonl", &lines()),
        (&bare, "geojson", "json", &bare),
        (&bare, "json", "geojson", &bare),
        (&collection(), "geojson", "geojson", &collection()),
        (&collection(), "geojson", "geojsonl", &lines()),
        (&collection(), "geojson", "jsonl", &lines()),
        (POINT, "geojson", "geojsonl", &format!("{POINT}\n")),
        (&lines(), "geojsonl", "geojson", &bare),
        (&lines(), "geojsonl", "json", &bare),
        (&lines(), "geojsonl", "jsonl", &lines()),
        (&lines(), "geojsonl", "geojsonl", &lines()),
        (&lines(), "jsonl", "geojsonl", &lines()),
        (&lines(), "jsonl", "geojson", &bare),
        ("", "geojsonl", "geojson", "{\"type\":\"FeatureCollection\",\"features\":[]}\n"),
        ("b: [x, 1]\na: ~\n", "yaml", "json", "{\"b\":[\"x\",1],\"a\":null}\n"),
        ("[a, 2]", "yaml", "jsonl", "\"a\"\n2\n"),
        ("a: 1 # kept\n", "yaml", "yaml", "a: 1 # kept\n"),
        ("{\"b\": [\"x\", 1], \"a\": null}", "json", "yaml", "b:\n- x\n- 1\na: null\n"),
        ("1\n2\n", "jsonl", "yaml", "- 1\n- 2\n"),
    ] {
        assert_eq!(converted(input, from, to).unwrap(), expected, "{from} to {to}: {input}");
    }
}

#[test]
fn features_are_cut_out_wherever_they_stand_and_the_other_members_are_kept() {
    let input = collection();
    let (sequence, report) =
        block_on(converted_by(input.as_bytes(), "geojson", "geojsonl", &ConvertOptions::default())).unwrap();
    let header = report.header.unwrap();
    let expected = "{\"type\":\"FeatureCollection\",\"name\":\"caf\\u00e9\",\"features\":[],\"n\":1.000e400,\"crs\":null}";
    assert_eq!((report.records, header.to_json().as_str()), (2, expected));
    assert_eq!(serde_json::to_string(&header).unwrap(), expected);

    let header = Header::parse(&header.to_json()).unwrap();
    let options = ConvertOptions { header: Some(header.clone()), ..ConvertOptions::default() };
    let (back, _) = block_on(converted_by(&sequence, "geojsonl", "geojson", &options)).unwrap();
    let expected = expected.replace("[]", &format!("[\n{POINT},\n{EMPTY}\n]")) + "\n";
    assert_eq!(String::from_utf8(back.clone()).unwrap(), expected);
    let again = block_on(converted_by(&back, "geojson", "geojsonl", &ConvertOptions::default())).unwrap();
    assert_eq!((again.0, again.1.header), (sequence, Some(header)));
}

#[test]
fn a_header_is_a_collection_without_features() {
    for bad in [
        r#"{"type":"FeatureCollection","features":[{"type":"Feature"}]}"#,
        r#"{"type":"FeatureCollection"}"#,
        r#"{"type":"Feature","geometry":null,"properties":null}"#,
        "[]",
        r#"{"type":"FeatureCollection","features":[]"#,
        r#"{"type":"FeatureCollection","features":[]} x"#,
        "",
    ] {
        Header::parse(bad).unwrap_err();
    }
    assert!(Header::parse(r#"{"type":"FeatureCollection","features":[]}"#).unwrap().is_bare());
    assert!(!Header::parse(r#"{"features":[],"type":"FeatureCollection"}"#).unwrap().is_bare());
}

/// RFC 8142's form is read in all the ways that occur, and written when asked for.
#[test]
fn a_sequence_is_read_with_separators_without_and_mixed() {
    let spread = POINT
        .replace(",\"geometry\"", ",\n\t\"geometry\"")
        .replace("{\"type\":\"Point\"", "{\r\n\"type\":\"Point\"");
    for input in [
        format!("\x1e{POINT}\n\x1e{EMPTY}\n"),
        format!("{POINT}\n{EMPTY}"),
        format!("\x1e\x1e \x1e{POINT}\x1e{EMPTY}"),
        format!("\x1e{spread}\n{EMPTY}\n"),
        format!("{POINT}\n\n\x1e\n{EMPTY}\n\x1e"),
        format!("\u{feff}\x1e{POINT}\r\n\x1e{EMPTY}\r\n"),
    ] {
        assert_eq!(converted(&input, "geojsonl", "geojsonl").unwrap(), lines(), "{input}");
    }
    let options = ConvertOptions { record_separators: true, ..ConvertOptions::default() };
    let (bytes, _) =
        block_on(converted_by(collection().as_bytes(), "geojson", "geojsonl", &options)).unwrap();
    assert_eq!(String::from_utf8(bytes).unwrap(), format!("\x1e{POINT}\n\x1e{EMPTY}\n"));
}

#[test]
fn the_media_type_is_rfc_8142s_only_where_records_are_separated() {
    let lines = ConvertOptions::default();
    let separated = ConvertOptions { record_separators: true, ..ConvertOptions::default() };
    let sequence: Format = "geojsonl".parse().unwrap();
    assert_eq!(lines.content_type(sequence), "application/x-ndjson");
    assert_eq!(separated.content_type(sequence), "application/geo+json-seq");
    assert_eq!(separated.content_type("geojson.gz".parse().unwrap()), "application/geo+json");
}

#[test]
fn a_report_counts_what_went_in_and_out_and_digests_what_was_written() {
    let options = ConvertOptions::default();
    let (_, report) = block_on(converted_by(b"[1,2]", "json", "jsonl", &options)).unwrap();
    // printf '1\n2\n' | sha256sum
    let sha256 = "a6e2b7a040683432de03a18fd8a1939a2fdf82585b364bfc874bdd4095c4cae1";
    assert_eq!((report.records, report.bytes_in, report.bytes_out), (2, 5, 4));
    assert_eq!(report.sha256, sha256);
    assert_eq!((report.from, report.to), ("json".parse().unwrap(), "jsonl".parse().unwrap()));
}

#[test]
fn a_document_larger_than_a_record_may_be_passes_where_no_record_is_held() {
    let limits = Limits { record_max_bytes: 100, ..Limits::default() };
    let options = ConvertOptions { limits, ..ConvertOptions::default() };
    let large = format!("{{\"a\":[{}1]}}", "1,".repeat(10_000));
    let (copied, report) = block_on(converted_by(large.as_bytes(), "json", "json", &options)).unwrap();
    assert_eq!((copied.as_slice(), report.records), (large.as_bytes(), 1));
    let many = format!(
        "{{\"features\":[{EMPTY}{}],\"type\":\"FeatureCollection\"}}",
        format!(",{EMPTY}").repeat(1000)
    );
    let (_, report) = block_on(converted_by(many.as_bytes(), "geojson", "geojsonl", &options)).unwrap();
    assert_eq!(report.records, 1001);
}

#[test]
fn what_is_no_feature_becomes_no_record_of_a_sequence() {
    let collection = r#"{"type":"FeatureCollection","features":[{},{"a":[1]}]}"#;
    let geometry = r#"{"type":"FeatureCollection","features":[{"type":"Point","coordinates":[1,2]}]}"#;
    for (input, from, to, why) in [
        (collection, "geojson", "geojsonl", "a record must be a GeoJSON object with one \"type\""),
        (collection, "geojson", "jsonl", "a record must be a GeoJSON object with one \"type\""),
        (collection, "json", "geojsonl", "a record must be a GeoJSON object with one \"type\""),
        (geometry, "geojson", "geojsonl", "a Point can't be among the features of a collection"),
        (geometry, "json", "geojsonl", "a Point can't be among the features of a collection"),
        ("{}\n", "geojsonl", "json", "a record must be a GeoJSON object with one \"type\""),
    ] {
        let message = refused(input, from, to);
        assert!(message.contains(why), "{from} to {to}: {message}");
        assert!(message.contains("record 0 (from 0)"), "{from} to {to}: {message}");
    }
    let point = r#"{"type":"Point","coordinates":[1,2]}"#;
    let sequence = format!("{point}\n");
    assert_eq!(converted(point, "geojson", "geojsonl").unwrap(), sequence);
    assert_eq!(converted(&format!("[{point}]"), "json", "geojsonl").unwrap(), sequence);
}

#[test]
fn white_space_without_end_is_refused() {
    let space = " ".repeat(17 * 1024 * 1024);
    for (input, from, to) in [
        (format!("[1,{space}2]"), "json", "json"),
        (format!("{space}[]"), "json", "geojson"),
        (format!("1\n{space}2"), "jsonl", "json"),
    ] {
        let message = refused(&input, from, to);
        assert!(
            message.contains("of white space end here; write it without them"),
            "{from} to {to}: {message}"
        );
    }
    let some = " ".repeat(1024 * 1024);
    converted(&format!("[1,{some}2,{some}3{some}]{some}"), "json", "json").unwrap();
}

#[test]
fn a_header_that_nothing_takes_is_refused() {
    let header = Header::parse(r#"{"type":"FeatureCollection","name":"n","features":[]}"#).unwrap();
    let options = ConvertOptions { header: Some(header), ..ConvertOptions::default() };
    let collection = r#"{"type":"FeatureCollection","crs":{},"features":[]}"#;
    for (input, from, to) in [
        (collection, "geojson", "geojsonl"),
        (collection, "geojson", "geojson"),
        (collection, "json", "geojson"),
        ("{}", "jsonl", "jsonl"),
        ("{}", "jsonl", "json"),
        ("a: 1", "yaml", "yaml"),
    ] {
        let refused = block_on(converted_by(input.as_bytes(), from, to, &options)).unwrap_err().to_string();
        assert!(
            refused.contains("none is made here") && refused.contains("leave the header out"),
            "{from} {to}: {refused}"
        );
    }
    let (_, report) =
        block_on(converted_by(collection.as_bytes(), "geojson", "geojsonl", &ConvertOptions::default()))
            .unwrap();
    assert_eq!(report.header.unwrap().names(), ["crs"]);
}

/// A search through all members for each would take hours of these.
#[test]
fn a_collection_of_a_great_many_members_is_read() {
    let mut input = "{\"type\":\"FeatureCollection\",\"features\":[]".to_owned();
    for member in 0..700_000 {
        input += &format!(",\"k{member}\":0");
    }
    let repeated = refused(&(input.clone() + ",\"k7\":1}"), "geojson", "geojson");
    assert!(repeated.contains("the key \"k7\" stands twice in the object; remove one"), "{repeated}");
    input.push('}');
    assert_eq!(converted(&input, "geojson", "geojson").unwrap(), input);
}
