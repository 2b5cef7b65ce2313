//! The use cases over S3's wire protocol, on two emulators and on a server that says what it is told to;
//! and the program and the function over them.

#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use batchwright::aws::{CopyLimits, S3Buckets, s3_client};
use batchwright::domain::s3_uri::Pattern;
use batchwright::domain::{S3Prefix, S3Uri};
use batchwright::objects::{
    ConvertRequest, Failure, FailureCode, Filter, Target, access, convert, copy, each, info, list_all,
};
use batchwright::ports::{Buckets as _, Look, NewObject, ObjectWriter as _, WriteCondition};
use batchwright_tests::contract::buckets::{self, Fresh};
use batchwright_tests::emulators::{REGION, ministack::Ministack, moto::Moto, sdk_config};
use batchwright_tests::loopback::{Loopback, Reply};
use batchwright_tests::stack::built;
use futures_util::StreamExt as _;

const MIB: u64 = 1024 * 1024;

/// A new bucket of an emulator, whose copies go in parts from 8 MiB on.
async fn fresh(config: &SdkConfig) -> anyhow::Result<Fresh<S3Buckets>> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let client = s3_client(config);
    let bucket = format!("objects-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let place = aws_sdk_s3::types::CreateBucketConfiguration::builder()
        .location_constraint(aws_sdk_s3::types::BucketLocationConstraint::EuWest1)
        .build();
    client.create_bucket().bucket(&bucket).create_bucket_configuration(place).send().await?;
    let limits = CopyLimits { whole_max_bytes: 8 * MIB, part_bytes: 5 * MIB };
    Ok(Fresh { buckets: S3Buckets::new(client).with_copy_limits(limits), bucket })
}

async fn uploads(client: &Client, bucket: &str) -> anyhow::Result<usize> {
    Ok(client.list_multipart_uploads().bucket(bucket).send().await?.uploads().len())
}

fn uri(bucket: &str, key: &str) -> S3Uri {
    S3Uri { bucket: bucket.to_owned(), key: key.to_owned() }
}

async fn put(buckets: &S3Buckets, uri: &S3Uri, bytes: &[u8]) -> anyhow::Result<()> {
    let mut writer = buckets.create(uri, NewObject::of_type("application/octet-stream")).await?;
    writer.write(bytes).await?;
    writer.commit().await?;
    Ok(())
}

/// A FeatureCollection of so many bytes at least.
fn features(bytes: usize) -> Vec<u8> {
    let mut text = br#"{"type":"FeatureCollection","features":["#.to_vec();
    let mut number = 0;
    while text.len() < bytes {
        let separator = if number == 0 { "" } else { "," };
        let feature = format!(
            r#"{separator}{{"type":"Feature","geometry":{{"type":"Point","coordinates":[{}.5,{}.25]}},"properties":{{"n":{number}}}}}"#,
            number % 180,
            number % 90
        );
        text.extend_from_slice(feature.as_bytes());
        number += 1;
    }
    text.extend_from_slice(b"]}\n");
    text
}

async fn works(config: &SdkConfig) -> anyhow::Result<()> {
    buckets::holds(async || fresh(config).await).await?;
    let Fresh { buckets, bucket } = fresh(config).await?;
    let client = s3_client(config);
    converts_whole_or_not_at_all(&buckets, &client, &bucket).await.context("convert")?;
    looks_at_hundreds(&buckets, &bucket).await.context("looks")?;
    lists_with_patterns(&buckets, &bucket).await.context("list")
}

async fn converts_whole_or_not_at_all(
    buckets: &S3Buckets,
    client: &Client,
    bucket: &str,
) -> anyhow::Result<()> {
    let source = uri(bucket, "large/a.geojson");
    let mut text = features(20 * 1024 * 1024);
    put(buckets, &source, &text).await?;
    let target = Target { condition: WriteCondition::Absent, ..Target::at(uri(bucket, "large/a.geojsonl")) };
    let request = ConvertRequest::default();
    let done = convert(buckets, &source, None, &target, &request).await?;
    assert_eq!(done.bytes_in, text.len() as u64);
    let told = info(buckets, &target.uri, None).await?;
    assert_eq!((told.size_bytes, told.etag), (Some(done.bytes_out), done.etag));
    assert_eq!(told.content_type.as_deref(), Some("application/x-ndjson"));

    let refused = convert(buckets, &source, None, &target, &request).await.unwrap_err();
    assert_eq!(refused.code, FailureCode::ConditionFailed);

    // Wrong behind its second part.
    text.truncate(text.len() - 3);
    put(buckets, &source, &text).await?;
    let target = Target::at(uri(bucket, "large/broken.geojsonl"));
    let failure = convert(buckets, &source, None, &target, &request).await.unwrap_err();
    assert_eq!(failure.code, FailureCode::InvalidContent, "{failure}");
    assert_eq!(buckets.look_at_object(&target.uri, None).await?, Look::Absent);
    assert_eq!(uploads(client, bucket).await?, 0, "no upload is left");

    let missing = convert(buckets, &uri(bucket, "none.json"), None, &target, &request).await.unwrap_err();
    assert_eq!(missing.code, FailureCode::NotFound);
    let nowhere = Target::at(uri("objects-nowhere", "a.geojsonl"));
    let failure = convert(buckets, &source, None, &nowhere, &request).await.unwrap_err();
    assert_eq!(failure.code, FailureCode::Refused);
    assert!(failure.message.contains("NoSuchBucket"), "{failure}");
    Ok(())
}

async fn looks_at_hundreds(buckets: &S3Buckets, bucket: &str) -> anyhow::Result<()> {
    let keys: Vec<S3Uri> = (0..600).map(|number| uri(bucket, &format!("many/{number:03}"))).collect();
    let there: Vec<S3Uri> = keys.iter().step_by(2).cloned().collect();
    let written = each(&there, 16, None, |uri| async move {
        put(buckets, uri, b"x").await.map_err(|error| Failure::invalid_request(format!("{error:#}")))
    });
    let written: Vec<_> = written.collect().await;
    assert!(written.iter().all(Result::is_ok), "{written:?}");
    let places = keys.iter().map(|uri| S3Prefix { bucket: uri.bucket.clone(), prefix: uri.key.clone() });
    let found = each(places, 64, None, async |place| access(buckets, &place).await);
    let found: Vec<bool> = found
        .map(|found| found.map(|it| it.access))
        .collect::<Vec<_>>()
        .await
        .into_iter()
        .collect::<Result<_, _>>()?;
    let expected: Vec<bool> = (0..600).map(|number| number % 2 == 0).collect();
    assert_eq!(found, expected);
    let told: Vec<_> = each(&keys, 64, None, |uri| info(buckets, uri, None)).collect().await;
    for (number, told) in told.into_iter().enumerate() {
        match told {
            Ok(told) => assert_eq!((number % 2, told.size_bytes), (0, Some(1)), "{}", told.uri),
            Err(failure) => assert_eq!((number % 2, failure.code), (1, FailureCode::NotFound), "{failure}"),
        }
    }
    for (name, expected) in [(bucket, true), ("objects-nowhere", false)] {
        let place = S3Prefix { bucket: name.to_owned(), prefix: String::new() };
        assert_eq!(access(buckets, &place).await?.access, expected, "{name}");
    }
    Ok(())
}

async fn lists_with_patterns(buckets: &S3Buckets, bucket: &str) -> anyhow::Result<()> {
    for key in
        ["tree/a/1.json", "tree/a/b/2.json", "tree/a/b/3.tif", "tree/c/4.json", "tree/5.json", "other.json"]
    {
        put(buckets, &uri(bucket, key), b"{}").await?;
    }
    for (prefix, glob, expected) in [
        ("", "tree/**/*.json", &["tree/5.json", "tree/a/1.json", "tree/a/b/2.json", "tree/c/4.json"][..]),
        ("tree/", "tree/*/*.json", &["tree/a/1.json", "tree/c/4.json"]),
        ("tree/a/", "*.tif", &["tree/a/b/3.tif"]),
        ("", "none/**", &[]),
    ] {
        let place = S3Prefix { bucket: bucket.to_owned(), prefix: prefix.to_owned() };
        let filter = Filter { pattern: Some(Pattern::parse(glob)?), ..Filter::default() };
        let mut found = Vec::new();
        let listed = list_all(buckets, &place, &filter, 4, async |info| {
            found.push(info.uri.replacen(&format!("s3://{bucket}/"), "", 1));
            Ok(())
        })
        .await?;
        found.sort();
        assert_eq!(
            (found, listed.objects),
            (expected.iter().map(ToString::to_string).collect(), expected.len() as u64),
            "{glob}"
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_on_ministack_are_handled_whole() -> anyhow::Result<()> {
    let Some(ministack) = Ministack::shared()? else { return Ok(()) };
    works(&ministack.sdk_config().await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_on_moto_are_handled_whole() -> anyhow::Result<()> {
    let Some(moto) = Moto::shared()? else { return Ok(()) };
    works(&moto.sdk_config().await?).await
}

/// Buckets on a server that says what it is told to, without retries.
async fn told(server: &Loopback) -> anyhow::Result<S3Buckets> {
    let config = sdk_config(server.endpoint_url()).await?.into_builder();
    let config = config.retry_config(aws_config::retry::RetryConfig::disabled()).build();
    Ok(S3Buckets::new(s3_client(&config)))
}

#[tokio::test]
async fn only_401_403_and_404_mean_that_there_is_no_access() -> anyhow::Result<()> {
    for (status, expected) in [
        (200, Ok(true)),
        (401, Ok(false)),
        (403, Ok(false)),
        (404, Ok(false)),
        (301, Err((FailureCode::Refused, "status 301"))),
        (400, Err((FailureCode::Refused, "status 400"))),
        (429, Err((FailureCode::Throttled, "status 429"))),
        (500, Err((FailureCode::Unavailable, "status 500"))),
        (503, Err((FailureCode::Unavailable, "status 503"))),
    ] {
        for name in ["s3://bucket/key", "s3://bucket"] {
            let server = Loopback::start([Reply::new(status, "")]).await?;
            let found = access(&told(&server).await?, &S3Prefix::parse(name)?).await;
            match (found, expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found.access, expected, "{status} {name}"),
                (Err(failure), Err((code, part))) => {
                    assert_eq!(failure.code, code, "{status} {failure}");
                    assert!(failure.message.contains(part), "{status} {failure}");
                }
                (found, _) => panic!("{status} {name}: {found:?}"),
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_bucket_of_another_region_is_named_with_it() -> anyhow::Result<()> {
    let elsewhere = Reply::new(301, "").with("x-amz-bucket-region", "ap-south-1");
    let server = Loopback::start([elsewhere]).await?;
    let failure = info(&told(&server).await?, &uri("bucket", "key"), None).await.unwrap_err();
    assert!(
        failure.message.ends_with("the bucket lies in the Region ap-south-1, call it there"),
        "{failure}"
    );
    Ok(())
}

#[tokio::test]
async fn a_copy_is_of_the_version_that_was_looked_at_and_with_the_acl_only_when_asked() -> anyhow::Result<()>
{
    let head = Reply::new(200, "").with("etag", "\"e\"").with("x-amz-version-id", "v/1");
    let done = Reply::new(200, "<CopyObjectResult><ETag>\"f\"</ETag></CopyObjectResult>");
    let server = Loopback::start([head.clone(), done.clone(), head, done]).await?;
    let buckets = told(&server).await?;
    let mut target = Target { condition: WriteCondition::Absent, ..Target::at(uri("to", "a b")) };
    let copied = copy(&buckets, &uri("from", "\u{e9}+ /x"), None, &target).await?;
    assert_eq!((copied.etag.as_deref(), copied.source_version_id.as_deref()), (Some("\"f\""), Some("v/1")));
    target.settings = target.settings.for_bucket_owner();
    copy(&buckets, &uri("from", "x"), Some("v/1"), &target).await?;
    let requests = server.requests();
    let sent = &requests[1];
    assert_eq!(sent.header("x-amz-copy-source"), Some("from/%C3%A9%2B%20/x?versionId=v/1"));
    assert_eq!(sent.header("x-amz-copy-source-if-match"), Some("\"e\""));
    assert_eq!((sent.header("if-none-match"), sent.header("x-amz-acl")), (Some("*"), None));
    assert!(requests[2].line.contains("versionId=v%2F1"), "{}", requests[2].line);
    assert_eq!(requests[3].header("x-amz-acl"), Some("bucket-owner-full-control"));
    Ok(())
}

#[tokio::test]
async fn a_part_that_is_not_copied_leaves_no_upload() -> anyhow::Result<()> {
    let started = "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>";
    let failed = "<Error><Code>PreconditionFailed</Code><Message>m</Message></Error>";
    // The answer to HEAD tells a length, and has no body.
    let head = Reply::Torn { headers: Vec::new(), body: b"xyz".to_vec(), sent: 0 }
        .with("etag", "\"e\"")
        .with("cache-control", "max-age=60")
        .with("x-amz-meta-owner", "me");
    let server =
        Loopback::start([head, Reply::new(200, started), Reply::new(412, failed), Reply::new(204, "")])
            .await?;
    let limits = CopyLimits { whole_max_bytes: 1, part_bytes: 5 };
    let buckets = told(&server).await?.with_copy_limits(limits);
    let failure = copy(&buckets, &uri("from", "k"), None, &Target::at(uri("to", "k"))).await.unwrap_err();
    assert!(failure.message.contains("PreconditionFailed"), "{failure}");
    let requests = server.requests();
    let told = ["cache-control", "x-amz-meta-owner"].map(|name| requests[1].header(name));
    assert_eq!(told, [Some("max-age=60"), Some("me")]);
    let last = requests.last().context("nothing was asked")?;
    assert!(last.line.starts_with("DELETE /to/k") && last.line.contains("uploadId=u"), "{}", last.line);
    Ok(())
}

#[tokio::test]
async fn a_conversion_reads_on_where_its_source_was_torn_and_writes_nothing_where_it_can_not()
-> anyhow::Result<()> {
    const SOURCE: &[u8] = b"{\"a\": 1.10}\n{\"b\": 2}\n";
    let torn = Reply::Torn { headers: Vec::new(), body: SOURCE.to_vec(), sent: 5 }.with("etag", "\"e\"");
    let (from, target) = (uri("from", "a.jsonl"), Target::at(uri("to", "a.json")));
    let request = ConvertRequest::default();

    let range = format!("bytes 5-{}/{}", SOURCE.len() - 1, SOURCE.len());
    let rest = Reply::new(206, &SOURCE[5..]).with("content-range", &range);
    let server = Loopback::start([torn.clone(), rest, Reply::new(200, "").with("etag", "\"f\"")]).await?;
    let done = convert(&told(&server).await?, &from, None, &target, &request).await?;
    assert_eq!((done.records, done.bytes_in), (2, SOURCE.len() as u64));
    let requests = server.requests();
    assert_eq!(requests[1].header("range"), Some("bytes=5-"));
    assert!(requests[2].line.starts_with("PUT /to/a.json"), "{}", requests[2].line);
    let written = String::from_utf8(requests[2].body.clone())?;
    assert!(written.contains("[\n{\"a\": 1.10},\n{\"b\": 2}\n]"), "{written}");

    let changed = Reply::new(412, "<Error><Code>PreconditionFailed</Code><Message>m</Message></Error>");
    let server = Loopback::start([torn, changed]).await?;
    let failure = convert(&told(&server).await?, &from, None, &target, &request).await.unwrap_err();
    assert!(failure.message.contains("PreconditionFailed"), "{failure}");
    assert_eq!(server.requests().len(), 2, "nothing is written");
    Ok(())
}

/// Runs the program; its peak of resident memory, as the kernel told it last.
async fn peak_kib(url: &str, arguments: &[&str]) -> anyhow::Result<u64> {
    let mut command = tokio::process::Command::new(built("batchwright")?);
    command.args(arguments).env("AWS_ENDPOINT_URL", url).env("AWS_REGION", REGION);
    command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
    command.env("AWS_CONFIG_FILE", "/dev/null").env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
    command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
    let mut program = command.spawn()?;
    let status = format!("/proc/{}/status", program.id().context("it has ended")?);
    let mut peak = None;
    let ended = loop {
        let told = std::fs::read_to_string(&status).unwrap_or_default();
        let found = told.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
        peak = found.and_then(|kib| kib.parse().ok()).or(peak);
        tokio::select! {
            ended = program.wait() => break ended?,
            () = tokio::time::sleep(Duration::from_millis(5)) => {}
        }
    };
    anyhow::ensure!(ended.success(), "{arguments:?} ended with {ended}");
    peak.context("no peak was told")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_takes_no_more_memory_for_ten_times_the_bytes() -> anyhow::Result<()> {
    let Some(ministack) = Ministack::shared()? else { return Ok(()) };
    let Fresh { buckets, bucket } = fresh(&ministack.sdk_config().await?).await?;
    let mut peaks = Vec::new();
    for mib in [8, 80] {
        let source = uri(&bucket, &format!("{mib}.geojson"));
        put(&buckets, &source, &features(mib * 1024 * 1024)).await?;
        let target = format!("s3://{bucket}/{mib}.geojsonl");
        let arguments = ["s3", "convert", &source.to_string(), &target];
        peaks.push(peak_kib(&ministack.server().endpoint_url(), &arguments).await?);
    }
    assert!(peaks[1] < peaks[0] * 3 / 2, "peaks in KiB: {peaks:?}");
    Ok(())
}
