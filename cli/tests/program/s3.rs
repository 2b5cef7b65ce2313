//! `batchwright s3` on local files.

use serde_json::{Value, json};

use crate::support::Folder;

const FEATURES: &str = r#"{"type":"FeatureCollection","features":[{"type":"Feature","geometry":null,"properties":{"n":1.50}},{"type":"Feature","geometry":null,"properties":null}]}"#;

#[test]
fn a_file_is_converted_whole_and_only_where_it_may() {
    let folder = Folder::new();
    folder.write("a.geojson", FEATURES);
    let ended = folder.run(&["s3", "convert", "a.geojson", "a.geojsonl", "--if-absent", "--output", "json"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let result = &ended.json()["results"][0]["result"];
    assert_eq!((&result["records"], &result["to"]), (&json!(2), &json!("a.geojsonl")));
    assert_eq!(folder.lines("a.geojsonl"), 2);
    let again = folder.run(&["s3", "convert", "a.geojson", "a.geojsonl", "--if-absent", "--output", "json"]);
    assert_eq!(again.code, Some(1), "{again:?}");
    assert_eq!(again.json()["results"][0]["error"]["code"], "CONDITION_FAILED");

    folder.write("broken.geojson", &FEATURES[..FEATURES.len() - 1]);
    let ended = folder.run(&["s3", "convert", "broken.geojson", "broken.jsonl", "--output", "json"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(ended.json()["results"][0]["error"]["code"], "INVALID_CONTENT");
    let mut names: Vec<_> =
        std::fs::read_dir(folder.path(".")).unwrap().map(|it| it.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["a.geojson", "a.geojsonl", "broken.geojson"], "nothing else is left");
}

#[test]
fn one_bad_file_takes_no_other_with_it() {
    let folder = Folder::new();
    folder.write("good.json", "{\"a\": 1.50}");
    folder.write("bad.json", "{\"a\": 01}");
    let load = ["s3", "load", "good.json", "bad.json", "none.json", "a.csv", "--output", "ndjson"];
    let ended = folder.run(&load);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let lines: Vec<Value> = ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(ended.stdout.lines().next().unwrap().contains("1.50"), "digits stay");
    let codes: Vec<_> = lines.iter().map(|line| line["error"]["code"].clone()).collect();
    assert_eq!(json!(codes), json!([null, "INVALID_CONTENT", "NOT_FOUND", "INVALID_REQUEST"]));
    let ended = folder.run(&["s3", "load", "good.json"]);
    assert_eq!((ended.code, ended.stdout.trim()), (Some(0), "{\"a\": 1.50}"), "{ended:?}");
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_exit_code_1() {
    let folder = Folder::new();
    folder.write("good.geojson", FEATURES);
    folder.write("bad.jsonl", "{}\n{]\n");
    let ended = folder.run(&["s3", "validate", "good.geojson", "--no-warnings"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let ended = folder.run(&["s3", "validate", "bad.jsonl"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended.stdout.contains("invalid: 2 records, 1 error") && ended.stdout.contains("line 2"),
        "{ended:?}"
    );
    folder.write("worse.jsonl", "{]\n{]\n{\"a\\n\": 1, \"a\\n\": 2}\n");
    let ended = folder.run(&["s3", "validate", "worse.jsonl"]);
    // The heading, the counts, and a line for each finding.
    assert_eq!(ended.stdout.lines().count(), 5, "{ended:?}");
    let ended = folder.run(&["s3", "convert", "worse.jsonl", "out.json"]);
    assert_eq!(ended.stdout.matches("worse.jsonl").count(), 1, "the name is told once: {ended:?}");
}

#[test]
fn a_uri_is_taken_apart() {
    let folder = Folder::new();
    let ended = folder.run(&["s3", "uri", "s3a://bucket/a/b c.json", "--output", "json"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let parts = ended.json();
    assert_eq!(parts["uri"], "s3://bucket/a/b c.json");
    assert_eq!((&parts["keyPath"], &parts["keyFile"]), (&json!("a"), &json!("b c.json")));
    assert_eq!(parts["https"], "https://bucket.s3.us-east-1.amazonaws.com/a/b%20c.json");
    assert_eq!(parts["newBucketProblem"], Value::Null);
    assert_eq!(folder.run(&["s3", "uri", "bucket/key"]).code, Some(2));
    let address = "https://data.s3.dualstack.eu-west-1.amazonaws.com/a%20b.json";
    for (region, expected) in [(None, "eu-west-1"), (Some("us-west-2"), "us-west-2")] {
        let mut uri = vec!["s3", "uri", address, "--output", "json"];
        uri.extend(region.iter().flat_map(|region| ["--bucket-region", region]));
        let parts = folder.run(&uri).json();
        assert_eq!(parts["https"], format!("https://data.s3.{expected}.amazonaws.com/a%20b.json"));
    }
}

#[test]
fn members_that_a_sequence_has_no_place_for_are_told() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("in")).unwrap();
    let collection = FEATURES.replace("\"features\"", "\"name\":\"n\",\"crs\":{\"x\":1},\"features\"");
    folder.write("in/a.geojson", &collection);
    folder.write("in/plain.geojson", FEATURES);
    for convert in [
        &["s3", "convert", "in/a.geojson", "a.geojsonl", "--output", "json"][..],
        &["s3", "convert", "in", "out", "--recursive", "--to", "jsonl", "--output", "json"],
    ] {
        let ended = folder.run(convert);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let told =
            "which were left out: \"name\", \"crs\"; without \"crs\" its coordinates are taken for WGS 84";
        assert_eq!(ended.stderr.matches(told).count(), 1, "{ended:?}");
        let results = ended.json()["results"].as_array().unwrap().clone();
        let left_out = results.iter().filter_map(|it| it["result"].get("leftOut")).collect::<Vec<_>>();
        assert_eq!(json!(left_out), json!([["name", "crs"]]), "{ended:?}");
    }
    let kept = folder.run(&["s3", "convert", "in/a.geojson", "b.json"]);
    assert_eq!((kept.code, &*kept.stderr), (Some(0), ""), "{kept:?}");
}

#[test]
fn options_that_would_do_nothing_are_refused_and_bounds_are_named() {
    let folder = Folder::new();
    folder.write("a.json", "[[1, 2, 3], \"0123456789\"]");
    folder.write("a.yaml", "[[1, 2, 3], \"0123456789\"]");
    for (code, args, why) in [
        (2, &["convert", "a.json", "b.jsonl", "--record-separators"][..], "go with GeoJSON text sequences"),
        (2, &["convert", "a.json", "b.jsonl.gz", "--compression-level", "10"], "gzip has the levels 0 to 9"),
        (2, &["dump", "a.json", "b.jsonl", "--compression-level", "1"], "goes with .gz or .zst"),
        (
            2,
            &["convert", ".", "out", "--recursive", "--to", "jsonl", "--record-separators"],
            "leave them out",
        ),
        (
            1,
            &["convert", "a.json", "b.jsonl", "--header", "{\"type\":\"FeatureCollection\",\"features\":[]}"],
            "leave the header out",
        ),
        (
            1,
            &["convert", "a.json", "b.jsonl", "--max-record-bytes", "10"],
            "raise the bound (--max-record-bytes",
        ),
        (1, &["convert", "a.yaml", "b.json", "--max-yaml-bytes", "10"], "raise the bound (--max-yaml-bytes"),
        (1, &["convert", "a.json", "b.yaml", "--max-yaml-bytes", "10"], "raise the bound (--max-yaml-bytes)"),
        (1, &["validate", "a.json", "--max-record-bytes", "10"], "(--max-record-bytes"),
        (1, &["load", "a.json", "--max-bytes", "10"], "raise the bound (--max-bytes)"),
    ] {
        let ended = folder.run(&[&["s3"], args].concat());
        let told = format!("{}{}", ended.stdout, ended.stderr);
        assert!(ended.code == Some(code) && told.contains(why), "{args:?}: {ended:?}");
    }
}
