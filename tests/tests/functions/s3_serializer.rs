//! The S3 serializer.

use batchwright::domain::{S3Uri, Timestamp};
use batchwright::function::{FunctionError, Invocation};
use batchwright::memory::InMemoryBuckets;
use batchwright::objects::{ANSWER_MAX_BYTES, FailureCode};
use batchwright::ports::{Clock, SystemClock};
use s3_serializer::{Config, handle};
use serde_json::{Value, json};

fn uri(text: &str) -> S3Uri {
    S3Uri::parse(text).unwrap()
}

fn invocation(seconds: i64) -> Invocation {
    let deadline: Timestamp = SystemClock.now().plus_millis(seconds * 1_000);
    Invocation { request_id: "r".to_owned(), function_name: "f".to_owned(), deadline }
}

fn config() -> Config {
    Config::read(&|name| (name == "BATCHWRIGHT_ALLOWED_BUCKETS").then(|| "b, out-*".to_owned())).unwrap()
}

fn world(objects: &[(&str, &str)]) -> InMemoryBuckets {
    let buckets = InMemoryBuckets::with(["b", "out-1", "theirs"]);
    for (name, text) in objects {
        buckets.put(&uri(name), "", text);
    }
    buckets
}

async fn tried(buckets: &InMemoryBuckets, call: &Value, seconds: i64) -> Result<Value, FunctionError> {
    let event = serde_json::value::to_raw_value(call).unwrap();
    let answer = handle(buckets, &SystemClock, &config(), event, &invocation(seconds)).await?;
    let text = serde_json::to_string(&answer.body).unwrap();
    assert!(text.len() <= ANSWER_MAX_BYTES, "{} bytes", text.len());
    let counted: u64 = answer.metrics.iter().map(|metric| metric.count).sum();
    assert_eq!(counted, answer.body.succeeded + answer.body.failed);
    Ok(serde_json::from_str(&text).unwrap())
}

async fn answered(buckets: &InMemoryBuckets, call: Value) -> Value {
    tried(buckets, &call, 900).await.unwrap()
}

#[tokio::test]
async fn every_operation_answers_for_each_object() {
    let buckets =
        world(&[("s3://b/a.json", "{\"n\": 1.50}"), ("s3://b/bad.json", "{"), ("s3://theirs/a.json", "1")]);
    let uris =
        json!(["s3://b/a.json", "s3://b/bad.json", "s3://theirs/a.json", "s3://b/none.json", "b/a.json"]);
    let codes = |answer: &Value| -> Vec<Value> {
        let results = answer["results"].as_array().unwrap();
        results.iter().map(|result| result["error"]["code"].clone()).collect()
    };
    let loaded = answered(&buckets, json!({"operation": "load", "uris": uris})).await;
    assert_eq!((&loaded["succeeded"], &loaded["failed"]), (&json!(1), &json!(4)));
    assert_eq!(loaded["results"][0]["result"]["value"], json!({"n": 1.5}));
    let expected = json!([null, "INVALID_CONTENT", "NOT_ALLOWED", "NOT_FOUND", "INVALID_REQUEST"]);
    assert_eq!(json!(codes(&loaded)), expected);

    let seen = answered(&buckets, json!({"operation": "validate", "uris": uris})).await;
    assert_eq!(json!(codes(&seen)), json!([null, null, "NOT_ALLOWED", "NOT_FOUND", "INVALID_REQUEST"]));
    assert_eq!(seen["results"][1]["result"]["valid"], json!(false));

    let found =
        answered(&buckets, json!({"operation": "access", "uris": ["s3://b/a.json", "s3://b/x", "s3://b"]}))
            .await;
    let access = |at: usize| found["results"][at]["result"]["access"].clone();
    assert_eq!([access(0), access(1), access(2)], [json!(true), json!(false), json!(true)]);

    let told =
        answered(&buckets, json!({"operation": "info", "uris": ["s3://b/a.json", "s3://out-2"]})).await;
    assert_eq!(told["results"][0]["result"]["sizeBytes"], json!(11));
    assert_eq!(told["results"][1]["error"]["code"], json!("NOT_FOUND"));

    let converted = answered(
        &buckets,
        json!({"operation": "convert", "items": [
            {"uri": "s3://b/a.json", "to": "s3://out-1/a.yaml", "ifAbsent": true},
            {"uri": "s3://b/bad.json", "to": "s3://out-1/bad.yaml"},
            {"uri": "s3://b/a.json", "to": "s3://theirs/a.yaml"},
            {"uri": "s3://b/a.json", "to": "s3://out-1/b.yaml", "ifAbsent": true, "ifMatch": "e"},
        ]}),
    )
    .await;
    assert_eq!(json!(codes(&converted)), json!([null, "INVALID_CONTENT", "NOT_ALLOWED", "INVALID_REQUEST"]));
    assert_eq!(buckets.bytes(&uri("s3://out-1/a.yaml")).unwrap(), b"\"n\": 1.50\n");
    assert_eq!(buckets.bytes(&uri("s3://out-1/bad.yaml")), None);

    let items = json!([{"to": "s3://b/made.jsonl", "value": [{"z": 1.00, "a": 2}, 3]}]);
    let dumped = answered(&buckets, json!({"operation": "dump", "items": items})).await;
    assert_eq!(dumped["results"][0]["result"]["records"], json!(2), "{dumped}");

    let items = json!([{"uri": "s3://b/a.json", "to": "s3://out-1/copy.json"}]);
    let copied = answered(&buckets, json!({"operation": "copy", "items": items})).await;
    assert_eq!(copied["results"][0]["result"]["to"], json!("s3://out-1/copy.json"));

    let listed = answered(&buckets, json!({"operation": "list", "uri": "s3://b", "glob": "*.json"})).await;
    assert_eq!((&listed["page"]["objects"], &listed["page"]["lookedAt"]), (&json!(2), &json!(3)), "{listed}");

    let waited = json!({"operation": "wait", "uris": ["s3://b/a.json", "s3://b/never"], "timeoutSeconds": 1});
    let waited = answered(&buckets, waited).await;
    assert_eq!(json!(codes(&waited)), json!([null, "TIME_OVER"]));
}

#[tokio::test]
async fn what_is_too_large_for_the_function_is_told_with_what_a_caller_can_do() {
    let text = format!("a: {}\n", "x".repeat(4 * 1024 * 1024));
    let buckets = world(&[("s3://b/large.yaml", &text)]);
    let large = format!("[\"{}\"]", "x".repeat(16 * 1024 * 1024));
    buckets.put(&uri("s3://b/large.json"), "", large);
    let convert = |from: &str, to: &str| json!({"operation": "convert", "items": [{"uri": format!("s3://b/{from}"), "to": format!("s3://b/{to}")}]});
    for call in [
        convert("large.yaml", "a.json"),
        convert("large.json", "a.yaml"),
        json!({"operation": "load", "uris": ["s3://b/large.json"]}),
    ] {
        let answer = answered(&buckets, call.clone()).await;
        let failed = &answer["results"][0]["error"];
        let message = failed["message"].as_str().unwrap();
        assert_eq!(failed["code"], "TOO_LARGE", "{call}: {message}");
        assert!(
            !message.contains("raise the bound")
                && message.contains("use `batchwright s3`, whose bounds can be raised"),
            "{message}"
        );
    }
}

#[tokio::test]
async fn a_level_that_nothing_packs_by_is_a_wrong_call() {
    let buckets = world(&[("s3://b/a.json", "1")]);
    for level in [99, -1] {
        for call in [
            json!({"operation": "convert", "compressionLevel": level, "items": [{"uri": "s3://b/a.json", "to": "s3://b/a.json.gz"}]}),
            json!({"operation": "dump", "compressionLevel": level, "items": [{"value": 1, "to": "s3://b/a.json.gz"}]}),
        ] {
            let refused = tried(&buckets, &call, 900).await.unwrap_err();
            assert_eq!(
                refused.to_string(),
                format!("compressionLevel is {level}; give 0 to 22 (gzip has 0 to 9, zstd 1 to 22)")
            );
        }
    }
}

#[tokio::test]
async fn results_that_fit_no_answer_go_into_an_object() {
    let large = format!("[\"{}\"]", "x".repeat(3_500_000));
    let buckets = world(&[("s3://b/1.json", &large), ("s3://b/2.json", &large), ("s3://b/3.json", "[]")]);
    let mut call = json!({"operation": "load", "uris": ["s3://b/1.json", "s3://b/2.json", "s3://b/3.json"]});
    let inline = answered(&buckets, call.clone()).await;
    assert_eq!(inline["results"][1]["error"]["code"], json!(FailureCode::TooLarge));
    assert_eq!((&inline["succeeded"], &inline["results"][2]["result"]["value"]), (&json!(2), &json!([])));
    call["resultsUri"] = json!("s3://out-1/results.jsonl");
    let written = answered(&buckets, call.clone()).await;
    assert_eq!((&written["succeeded"], &written["resultsFile"]["lines"]), (&json!(3), &json!(3)));
    assert!(written.get("results").is_none());
    let lines = String::from_utf8(buckets.bytes(&uri("s3://out-1/results.jsonl")).unwrap()).unwrap();
    let second: Value = serde_json::from_str(lines.lines().nth(1).unwrap()).unwrap();
    assert_eq!((&second["uri"], &second["result"]["records"]), (&json!("s3://b/2.json"), &json!(1)));

    let many: Vec<String> = (0..20_000).map(|number| format!("s3://b/{number}")).collect();
    let refused =
        tried(&buckets, &json!({"operation": "access", "uris": many}), 900).await.unwrap_err().to_string();
    assert_eq!(refused, "an answer can't hold the results of so many objects; name a resultsUri for them");
    for wrong in ["s3://theirs/results.jsonl", "s3://out-1/results.json", "results.jsonl"] {
        call["resultsUri"] = json!(wrong);
        assert!(tried(&buckets, &call, 900).await.is_err(), "{wrong}");
    }
    assert_eq!(buckets.open_writers(), 0);
}

#[tokio::test]
async fn a_list_goes_on_where_its_page_ended_or_goes_into_an_object() {
    let buckets = world(&[]);
    for number in 0..2_500 {
        buckets.put(&uri(&format!("s3://b/{number:04}/x.json")), "", "x");
    }
    let mut call = json!({"operation": "list", "uri": "s3://b", "maxItems": 999});
    let mut sizes = Vec::new();
    loop {
        let page = answered(&buckets, call.clone()).await["page"].clone();
        sizes.push(page["items"].as_array().unwrap().len());
        if page["startAfter"].is_null() {
            break;
        }
        call["startAfter"] = page["startAfter"].clone();
    }
    assert_eq!(sizes, [999, 999, 502]);
    let call =
        json!({"operation": "list", "uri": "s3://b", "glob": "00*/*", "resultsUri": "s3://out-1/list.jsonl"});
    let written = answered(&buckets, call).await;
    assert_eq!((&written["listed"]["objects"], &written["resultsFile"]["lines"]), (&json!(100), &json!(100)));
    for (field, value) in [("glob", json!("a**")), ("modifiedSince", json!("noon")), ("maxItems", json!(1))] {
        let mut call = json!({"operation": "list", "uri": "s3://b", "resultsUri": "s3://out-1/l.jsonl"});
        call[field] = value;
        assert!(matches!(tried(&buckets, &call, 900).await, Err(FunctionError::Refused(_))), "{field}");
    }
}

#[tokio::test]
async fn what_has_no_time_left_is_told_so() {
    let buckets = world(&[("s3://b/a.json", "1")]);
    let items = json!([{"uri": "s3://b/a.json", "to": "s3://b/b.json"}]);
    for call in [
        json!({"operation": "load", "uris": ["s3://b/a.json"]}),
        json!({"operation": "convert", "items": items}),
        json!({"operation": "wait", "uris": ["s3://b/none"]}),
    ] {
        let answer = tried(&buckets, &call, 5).await.unwrap();
        assert_eq!(answer["results"][0]["error"]["code"], json!("TIME_OVER"), "{call}");
    }
    assert_eq!(buckets.bytes(&uri("s3://b/b.json")), None);
}
