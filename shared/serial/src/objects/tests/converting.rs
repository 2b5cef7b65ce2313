//! Loading, writing, converting, validating, copying.

use futures_util::StreamExt as _;

use super::{buckets, uri};
use crate::objects::{
    ANSWER_MAX_BYTES, ConvertRequest, FailureCode, LoadRequest, Target, convert, copy, dump, each, load,
    validate,
};
use crate::ports::{Buckets as _, Look, WriteCondition};
use crate::serial::ValidateOptions;

const FEATURES: &str = r#"{"type":"FeatureCollection","name":"n","features":[{"type":"Feature","geometry":null,"properties":{"n":1.50}},{"type":"Feature","geometry":null,"properties":null}]}"#;

#[tokio::test]
async fn a_conversion_tells_counts_digest_type_and_what_has_no_place() {
    let buckets = buckets(&[("s3://b/a.geojson", FEATURES)]);
    let target = Target::at(uri("s3://b/out/a.geojsonl.gz"));
    let done =
        convert(&buckets, &uri("s3://b/a.geojson"), None, &target, &ConvertRequest::default()).await.unwrap();
    assert_eq!((done.records, done.bytes_in), (2, FEATURES.len() as u64));
    assert_eq!((done.from_format.as_str(), done.to_format.as_str()), ("geojson", "geojsonl.gz"));
    assert_eq!(done.header.unwrap().to_json(), r#"{"type":"FeatureCollection","name":"n","features":[]}"#);
    let bytes = buckets.bytes(&target.uri).unwrap();
    let digest = <sha2::Sha256 as sha2::Digest>::digest(&bytes);
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!((done.sha256, done.bytes_out), (digest, bytes.len() as u64));
    let Look::Found(info) = buckets.look_at_object(&target.uri, None).await.unwrap() else {
        panic!("absent")
    };
    assert_eq!(info.content_type.as_deref(), Some("application/x-ndjson"));
    assert_eq!((info.content_encoding.as_deref(), info.etag), (Some("gzip"), done.etag));
}

#[tokio::test]
async fn what_is_loaded_is_what_was_dumped() {
    let buckets = buckets(&[]);
    for name in ["a.json", "a.geojson", "a.geojsonl", "a.geojsons", "a.ndjson.gz", "a.json.zst"] {
        let object = uri(&format!("s3://b/{name}"));
        let json = match name.contains("json.") || name.ends_with("json") {
            true => FEATURES.to_owned(),
            false => r#"[{"type":"Feature","geometry":null,"properties":{"n":1.50}}]"#.to_owned(),
        };
        let json = if name.contains("ndjson") { format!("[{json}]") } else { json };
        dump(&buckets, &json, &Target::at(object.clone()), &ConvertRequest::default()).await.unwrap();
        let loaded = load(&buckets, &object, None, &LoadRequest::default()).await.unwrap();
        let (found, expected): (serde_json::Value, serde_json::Value) =
            (serde_json::from_str(loaded.value.get()).unwrap(), serde_json::from_str(&json).unwrap());
        assert_eq!(found, expected, "{name}");
        assert!(loaded.value.get().contains("1.50"), "{name}: digits stay");
    }
}

#[tokio::test]
async fn an_empty_sequence_is_a_success_with_no_records() {
    let buckets = buckets(&[]);
    let target = Target::at(uri("s3://b/none.geojsonl"));
    let done = dump(&buckets, "[]", &target, &ConvertRequest::default()).await.unwrap();
    assert_eq!((done.records, done.bytes_out), (0, 0));
    let loaded = load(&buckets, &target.uri, None, &LoadRequest::default()).await.unwrap();
    assert_eq!((loaded.value.get().trim(), loaded.records), ("[]", 0));
}

#[tokio::test]
async fn a_write_under_a_condition_that_does_not_hold_changes_nothing() {
    let buckets = buckets(&[("s3://b/a.json", "1"), ("s3://b/b.json", "2")]);
    let Look::Found(info) = buckets.look_at_object(&uri("s3://b/a.json"), None).await.unwrap() else {
        panic!("absent")
    };
    let etag = info.etag.unwrap();
    let target = |condition| Target { condition, ..Target::at(uri("s3://b/a.json")) };
    let request = ConvertRequest::default();
    let refused = dump(&buckets, "3", &target(WriteCondition::Absent), &request).await.unwrap_err();
    assert_eq!(refused.code, FailureCode::ConditionFailed);
    let unchanged = target(WriteCondition::Unchanged { etag });
    let done = convert(&buckets, &uri("s3://b/b.json"), None, &unchanged, &request).await.unwrap();
    assert!(done.etag.is_some());
    let refused = copy(&buckets, &uri("s3://b/b.json"), None, &unchanged).await.unwrap_err();
    assert_eq!(refused.code, FailureCode::ConditionFailed);
    assert_eq!(buckets.bytes(&uri("s3://b/a.json")).unwrap(), b"2");
    let copied = copy(&buckets, &uri("s3://b/b.json"), None, &Target::at(uri("s3://empty/c"))).await.unwrap();
    assert_eq!((copied.to.as_str(), copied.size_bytes), ("s3://empty/c", 1));
}

#[tokio::test]
async fn one_bad_object_takes_no_other_with_it() {
    let buckets = buckets(&[
        ("s3://b/good.json", "{\"a\": 1}"),
        ("s3://b/bad.json", "{\"a\": NaN}"),
        ("s3://b/none.csv", "a,b"),
        ("s3://b/large.json", "[\"0123456789012345678901234567890123456789\"]"),
        ("s3://b/last.json", "[]"),
    ]);
    let uris = ["good.json", "bad.json", "none.csv", "large.json", "absent.json", "last.json"];
    let uris = uris.map(|key| uri(&format!("s3://b/{key}")));
    let request = LoadRequest { max_bytes: 40, ..LoadRequest::default() };
    let results: Vec<_> = each(&uris, 3, None, |uri| load(&buckets, uri, None, &request)).collect().await;
    let codes: Vec<_> =
        results.iter().map(|result| result.as_ref().err().map(|failure| failure.code)).collect();
    let expected = [
        None,
        Some(FailureCode::InvalidContent),
        Some(FailureCode::InvalidRequest),
        Some(FailureCode::TooLarge),
        Some(FailureCode::NotFound),
        None,
    ];
    assert_eq!(codes, expected);
    let told: Vec<String> =
        results.into_iter().filter_map(|result| result.err().map(|it| it.message)).collect();
    assert!(told[0].starts_with("s3://b/bad.json: line 1, column 7 "), "{}", told[0]);
    assert!(told[1].contains("none.csv\" names no known format"), "{}", told[1]);
    assert_eq!(
        told[2],
        "s3://b/large.json: as JSON it has more than 40 bytes; raise the bound (--max-bytes), or have it converted into another object"
    );
}

#[tokio::test]
async fn an_input_that_is_wrong_leaves_no_output_and_is_told_with_its_place() {
    let buckets = buckets(&[("s3://b/a.jsonl", "{\"a\":1}\n{\"a\":}\n")]);
    let target = Target::at(uri("s3://b/a.json"));
    let failure = convert(&buckets, &uri("s3://b/a.jsonl"), None, &target, &ConvertRequest::default())
        .await
        .unwrap_err();
    assert_eq!(failure.code, FailureCode::InvalidContent);
    assert!(failure.message.starts_with("s3://b/a.jsonl: line 2, column 6 "), "{failure}");
    assert_eq!((buckets.bytes(&target.uri), buckets.open_writers()), (None, 0));
    let seen =
        validate(&buckets, &uri("s3://b/a.jsonl"), None, None, &ValidateOptions::default()).await.unwrap();
    assert!(!seen.valid);
    assert_eq!((seen.records, seen.errors, seen.findings[0].line), (2, 1, Some(2)));
}

#[tokio::test]
async fn a_library_loads_more_than_a_function_could_answer() {
    let large = format!("[\"{}\"]", "x".repeat(ANSWER_MAX_BYTES));
    let buckets = buckets(&[("s3://b/large.json", &large)]);
    let loaded = load(&buckets, &uri("s3://b/large.json"), None, &LoadRequest::default()).await.unwrap();
    assert_eq!(loaded.value.get(), large);
}

#[tokio::test]
async fn a_source_is_not_its_own_target_unless_its_etag_is_given() {
    let buckets = buckets(&[("s3://b/a.geojson", FEATURES)]);
    let source = uri("s3://b/a.geojson");
    let target = Target::at(source.clone());
    let failure = convert(&buckets, &source, None, &target, &ConvertRequest::default()).await.unwrap_err();
    assert_eq!(failure.code, FailureCode::InvalidRequest);
    assert!(failure.to_string().contains("s3://b/a.geojson: is source and target"), "{failure}");
    let Look::Found(info) = buckets.look_at_object(&source, None).await.unwrap() else { panic!("absent") };
    let condition = WriteCondition::Unchanged { etag: info.etag.unwrap() };
    let meant = Target { condition, ..target };
    convert(&buckets, &source, None, &meant, &ConvertRequest::default()).await.unwrap();
}
