//! The S3 adapter: the object store's contract on two emulators, and what S3 has beyond it.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use batchwright::aws::{S3ObjectStore, s3_client};
use batchwright::ports::{
    CheckpointStore as _, ErrorKind, ObjectStore as _, ObjectWriter as _, WriteCondition, Written,
};
use batchwright_tests::broken_s3::{BrokenS3, Fault, Operation};
use batchwright_tests::contract::{checkpoint_store, object_store};
use batchwright_tests::emulators::{ministack::Ministack, moto::Moto, sdk_config};
use batchwright_tests::loopback::{Loopback, Reply};
use tokio::io::AsyncReadExt as _;

const MIB: usize = 1024 * 1024;

/// A new bucket of an emulator.
async fn bucket(config: &SdkConfig) -> anyhow::Result<(Client, String)> {
    static BUCKETS: AtomicU32 = AtomicU32::new(0);
    let client = s3_client(config);
    let name = format!("bucket-{}", BUCKETS.fetch_add(1, Ordering::Relaxed));
    let place = aws_sdk_s3::types::CreateBucketConfiguration::builder()
        .location_constraint(aws_sdk_s3::types::BucketLocationConstraint::EuWest1)
        .build();
    client.create_bucket().bucket(&name).create_bucket_configuration(place).send().await?;
    Ok((client, name))
}

async fn store(config: &SdkConfig) -> anyhow::Result<S3ObjectStore> {
    let (client, name) = bucket(config).await?;
    Ok(S3ObjectStore::new(client, name))
}

/// What S3 has beyond the contract.
async fn has_what_s3_has(config: &SdkConfig) -> anyhow::Result<()> {
    checkpoint_store::holds(async || store(config).await).await.context("checkpoints")?;
    writes_under_conditions(config).await.context("conditions")?;
    lists_and_tells(config).await.context("lists")?;
    leaves_no_upload_behind(config).await.context("uploads")
}

async fn writes_under_conditions(config: &SdkConfig) -> anyhow::Result<()> {
    let store = store(config).await?;
    for bytes in [10, 9 * MIB] {
        let key = format!("once/{bytes}");
        let mut writer = store.create_object_where(&key, "text/plain", WriteCondition::Absent);
        writer.write(&vec![b'1'; bytes]).await?;
        let Written::Done { etag: Some(etag) } = writer.commit().await? else { anyhow::bail!("{key}") };
        let mut second = store.create_object_where(&key, "text/plain", WriteCondition::Absent);
        second.write(&vec![b'2'; bytes]).await?;
        assert_eq!(second.commit().await?, Written::Refused, "{key}");
        let mut first = [0];
        store.open_object(&key).await?.context("absent")?.read_exact(&mut first).await?;
        assert_eq!(first, [b'1']);
        let unchanged = WriteCondition::Unchanged { etag };
        let mut third = store.create_object_where(&key, "text/plain", unchanged.clone());
        third.write(b"3").await?;
        assert!(matches!(third.commit().await?, Written::Done { .. }), "{key}");
        let mut fourth = store.create_object_where(&key, "text/plain", unchanged);
        fourth.write(b"4").await?;
        assert_eq!(fourth.commit().await?, Written::Refused, "{key}");
    }
    let writer = store.create_object_where("once/10", "text/plain", WriteCondition::Absent);
    let refused = writer.finish().await.map_err(|error| error.kind);
    assert_eq!(refused, Err(ErrorKind::Permanent));
    Ok(())
}

async fn lists_and_tells(config: &SdkConfig) -> anyhow::Result<()> {
    let store = store(config).await?;
    for key in ["a/1", "a/2", "b/1"] {
        let mut writer = store.create_object(key, "application/json").await?;
        writer.write(b"{}").await?;
        writer.finish().await?;
    }
    let page = store.list_objects("a/", None).await?;
    let keys: Vec<_> = page.items.iter().map(|object| object.key.as_str()).collect();
    assert_eq!((keys, page.next), (vec!["a/1", "a/2"], None));
    assert_eq!(page.items[0].size_bytes, 2);
    let info = store.object_info("a/1").await?.context("absent")?;
    assert_eq!((info.size_bytes, info.content_type.as_deref()), (2, Some("application/json")));
    assert!(info.etag.is_some() && info.last_modified.is_some());
    assert_eq!(store.object_info("a/3").await?, None);
    Ok(())
}

async fn leaves_no_upload_behind(config: &SdkConfig) -> anyhow::Result<()> {
    let (client, name) = bucket(config).await?;
    let store = S3ObjectStore::new(client.clone(), &name);
    let mut writer = store.create_object("large", "text/plain").await?;
    writer.write(&vec![b'x'; 9 * MIB]).await?;
    assert_eq!(uploads(&client, &name).await?, 1, "an upload is under way");
    drop(writer);
    for _ in 0..100 {
        if uploads(&client, &name).await? == 0 {
            assert!(store.open_object("large").await?.is_none());
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    anyhow::bail!("the upload is still there")
}

async fn uploads(client: &Client, bucket: &str) -> anyhow::Result<usize> {
    Ok(client.list_multipart_uploads().bucket(bucket).send().await?.uploads().len())
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_on_ministack_keeps_the_contract() -> anyhow::Result<()> {
    let Some(ministack) = Ministack::shared()? else { return Ok(()) };
    let config = ministack.sdk_config().await?;
    object_store::holds(async || store(&config).await).await?;
    has_what_s3_has(&config).await
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_on_moto_keeps_the_contract() -> anyhow::Result<()> {
    let Some(moto) = Moto::shared()? else { return Ok(()) };
    let config = moto.sdk_config().await?;
    object_store::holds(async || store(&config).await).await?;
    has_what_s3_has(&config).await
}

/// A store on a server that says what it is told to, without retries.
async fn told(server: &Loopback) -> anyhow::Result<S3ObjectStore> {
    let config = sdk_config(server.endpoint_url()).await?.into_builder();
    let config = config.retry_config(aws_config::retry::RetryConfig::disabled()).build();
    Ok(S3ObjectStore::new(s3_client(&config), "bucket"))
}

fn xml(status: u16, code: &str) -> Reply {
    Reply::new(status, format!("<Error><Code>{code}</Code><Message>m</Message></Error>"))
}

#[tokio::test]
async fn a_download_whose_connection_is_lost_goes_on_where_it_was() -> anyhow::Result<()> {
    let torn = |body: &[u8], sent| {
        Reply::Torn { headers: Vec::new(), body: body.to_vec(), sent }.with("etag", "\"e\"")
    };
    let server = Loopback::start([
        torn(b"abcdefgh", 3),
        torn(b"defgh", 2).with("content-range", "bytes 3-7/8"),
        Reply::new(206, "fgh").with("content-range", "bytes 5-7/8"),
    ])
    .await?;
    let mut text = String::new();
    told(&server).await?.open_object("key").await?.context("absent")?.read_to_string(&mut text).await?;
    assert_eq!(text, "abcdefgh");
    let requests = server.requests();
    let asked: Vec<_> = requests.iter().map(|sent| (sent.header("range"), sent.header("if-match"))).collect();
    assert_eq!(asked, [(None, None), (Some("bytes=3-"), Some("\"e\"")), (Some("bytes=5-"), Some("\"e\""))]);
    Ok(())
}

#[tokio::test]
async fn a_part_is_asked_for_alone_and_goes_on_where_its_connection_was_lost() -> anyhow::Result<()> {
    let torn = Reply::Torn { headers: Vec::new(), body: b"cdef".to_vec(), sent: 2 }.with("etag", "\"e\"");
    let server = Loopback::start([
        torn.with("content-range", "bytes 2-5/8"),
        Reply::new(206, "ef").with("content-range", "bytes 4-5/8"),
        // `Range` is a wish: a server may answer with the whole.
        Reply::new(200, "abcdefgh"),
        Reply::new(206, "gh").with("content-range", "bytes 6-7/8"),
    ])
    .await?;
    let store = told(&server).await?;
    for _ in 0..2 {
        let (mut text, reader) = (String::new(), store.open_range("key", 2, 4).await?.context("absent")?);
        reader.take(4).read_to_string(&mut text).await?;
        assert_eq!(text, "cdef");
    }
    let error = store.open_range("key", 2, 4).await.map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("bytes from 2 on were asked for"), "{error}");
    let asked: Vec<_> =
        server.requests().iter().map(|sent| sent.header("range").map(str::to_owned)).collect();
    let asked: Vec<_> = asked.iter().map(|range| range.as_deref().unwrap_or_default()).collect();
    assert_eq!(asked, ["bytes=2-5", "bytes=4-5", "bytes=2-5", "bytes=2-5"]);
    Ok(())
}

#[tokio::test]
async fn a_download_does_not_go_on_in_another_version() -> anyhow::Result<()> {
    let torn = Reply::Torn { headers: Vec::new(), body: b"abcdefgh".to_vec(), sent: 3 }.with("etag", "\"e\"");
    let server = Loopback::start([torn, xml(412, "PreconditionFailed")]).await?;
    let mut reader = told(&server).await?.open_object("key").await?.context("absent")?;
    let error = reader.read_to_string(&mut String::new()).await.unwrap_err();
    assert!(error.to_string().contains("PreconditionFailed"), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_part_that_fails_aborts_the_upload_and_leaves_the_writer_unusable() -> anyhow::Result<()> {
    let started = "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>";
    let server =
        Loopback::start([Reply::new(200, started), xml(500, "InternalError"), Reply::new(204, "")]).await?;
    let mut writer = told(&server).await?.create_object("key", "text/plain").await?;
    let error = writer.write(&vec![0; 8 * MIB]).await.unwrap_err();
    assert_eq!((error.kind, error.operation), (ErrorKind::Retryable, "UploadPart"));
    assert!(writer.write(b"more").await.is_err());
    assert!(writer.finish().await.is_err());
    let last = server.requests().pop().context("nothing was asked")?;
    assert!(last.line.starts_with("DELETE /bucket/key") && last.line.contains("uploadId=u"), "{}", last.line);
    Ok(())
}

/// S3 may say 200 at once and find out later that it can't: the error then stands in the body.
#[tokio::test]
async fn a_completion_that_fails_behind_status_200_is_a_failure() -> anyhow::Result<()> {
    let started = "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>";
    let server = Loopback::start([
        Reply::new(200, started),
        Reply::new(200, "").with("etag", "\"p\""),
        xml(200, "InternalError"),
        Reply::new(204, ""),
    ])
    .await?;
    let mut writer = told(&server).await?.create_object("key", "text/plain").await?;
    writer.write(&vec![0; 8 * MIB]).await?;
    let error = writer.finish().await.unwrap_err();
    assert_eq!((error.kind, error.operation), (ErrorKind::Retryable, "CompleteMultipartUpload"), "{error}");
    let last = server.requests().pop().context("nothing was asked")?;
    assert!(last.line.starts_with("DELETE /bucket/key"), "{}", last.line);
    Ok(())
}

#[tokio::test]
async fn a_checkpoint_whose_answer_was_lost_is_known_for_its_own() -> anyhow::Result<()> {
    for (fault, ours) in [(Fault::AnswerLost, true), (Fault::AnswerLostAndReplaced, false)] {
        let s3 = BrokenS3::start().await?;
        let store = S3ObjectStore::new(s3_client(&sdk_config(s3.endpoint_url()).await?), "bucket");
        s3.breaks(Operation::Put, fault);
        let saved = store.save("key", b"mine", None).await?;
        assert_eq!(saved.is_some(), ours);
        assert_eq!(s3.seen(Operation::Put).len(), 2);
    }
    Ok(())
}
