//! The CloudWatch Logs adapter: to the end of a stream, page by page, on two emulators.

use aws_config::SdkConfig;
use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::types::InputLogEvent;
use batchwright::aws::CloudWatchLogSource;
use batchwright::domain::LogStream;
use batchwright::ports::{Clock as _, LogEvent, LogSource as _, LogSourceError, SystemClock};
use batchwright_tests::emulators::{ministack::Ministack, moto::Moto, sdk_config};
use batchwright_tests::loopback::{Loopback, Reply, Request};
use serde_json::json;

fn stream(group: &str, name: &str) -> LogStream {
    LogStream { group: Some(group.to_owned()), name: name.to_owned(), container: None, region: None }
}

/// All events, and how many pages they came in.
async fn read(source: &CloudWatchLogSource, stream: &LogStream) -> anyhow::Result<(Vec<LogEvent>, u32)> {
    let (mut events, mut pages, mut cursor) = (Vec::new(), 0, None);
    loop {
        let page = source.log_events(stream, cursor.as_ref()).await?;
        events.extend(page.events);
        pages += 1;
        match page.next {
            Some(next) => cursor = Some(next),
            None => return Ok((events, pages)),
        }
    }
}

#[tokio::test]
async fn an_empty_page_is_not_the_end_and_a_repeated_token_is() -> anyhow::Result<()> {
    let page = |events: serde_json::Value, token: &str| {
        Reply::new(200, json!({"events": events, "nextForwardToken": token}).to_string())
    };
    let event = |text: &str| json!([{"timestamp": 5, "ingestionTime": 6, "message": text}]);
    let server = Loopback::start([
        page(json!([]), "f/1"),
        page(event("one"), "f/2"),
        page(json!([]), "f/3"),
        page(event("two"), "f/4"),
        page(json!([]), "f/4"),
    ])
    .await?;
    let source = CloudWatchLogSource::new(Client::new(&sdk_config(server.endpoint_url()).await?));
    let default_group = LogStream { group: None, name: "s".into(), container: None, region: None };
    let (events, pages) = read(&source, &default_group).await?;
    assert_eq!(events.iter().map(|event| event.message.as_str()).collect::<Vec<_>>(), ["one", "two"]);
    assert_eq!((events[0].timestamp.as_millis(), events[0].ingestion_time.as_millis()), (5, 6));
    assert_eq!(pages, 5);
    let sent: Vec<_> = server.requests().iter().map(Request::json).collect::<Result<_, _>>()?;
    assert_eq!(
        sent[0],
        json!({"logGroupName": "/aws/batch/job", "logStreamName": "s", "startFromHead": true})
    );
    assert_eq!(sent[4]["nextToken"], "f/4");
    Ok(())
}

#[tokio::test]
async fn throttled_reads_are_repeated() -> anyhow::Result<()> {
    let server = Loopback::start([
        Reply::error(400, "ThrottlingException", "Rate exceeded"),
        Reply::new(200, r#"{"events": [], "nextForwardToken": "f/1"}"#),
    ])
    .await?;
    let source = CloudWatchLogSource::new(Client::new(&sdk_config(server.endpoint_url()).await?));
    assert!(source.log_events(&stream("g", "s"), None).await?.events.is_empty());
    assert_eq!(server.requests().len(), 2);
    Ok(())
}

/// A stream of more events than fit a page is read whole and in order; a missing group is told.
async fn reads_streams(config: &SdkConfig) -> anyhow::Result<()> {
    const EVENTS: usize = 12_000;
    let client = Client::new(config);
    client.create_log_group().log_group_name("/custom/group").send().await?;
    for name in ["job/default/1", "empty"] {
        client.create_log_stream().log_group_name("/custom/group").log_stream_name(name).send().await?;
    }
    let now = SystemClock.now().as_millis();
    let event = |index: usize| {
        let at = now + i64::try_from(index).unwrap_or_default();
        InputLogEvent::builder().timestamp(at).message(format!("line {index} äöü")).build()
    };
    let events: Vec<_> = (0..EVENTS).map(event).collect::<Result<_, _>>()?;
    for chunk in events.chunks(4_000) {
        let put = client.put_log_events().log_group_name("/custom/group").log_stream_name("job/default/1");
        put.set_log_events(Some(chunk.to_vec())).send().await?;
    }
    let source = CloudWatchLogSource::new(client);
    let (events, pages) = read(&source, &stream("/custom/group", "job/default/1")).await?;
    assert_eq!(events.len(), EVENTS);
    for (index, event) in events.iter().enumerate() {
        assert_eq!(event.message, format!("line {index} äöü"));
    }
    assert!(pages > 2, "{pages}");
    assert_eq!(read(&source, &stream("/custom/group", "empty")).await?.0, []);

    let no_group = source.log_events(&stream("/no/group", "nothing"), None).await;
    assert!(matches!(no_group, Err(LogSourceError::GroupMissing(_))), "{no_group:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_are_read_from_ministack() -> anyhow::Result<()> {
    let Some(ministack) = Ministack::shared()? else { return Ok(()) };
    let config = ministack.sdk_config().await?;
    reads_streams(&config).await?;
    let source = CloudWatchLogSource::new(Client::new(&config));
    let no_stream = source.log_events(&stream("/custom/group", "nothing"), None).await.unwrap_err();
    assert!(matches!(no_stream, LogSourceError::StreamMissing(_)), "{no_stream}");
    Ok(())
}

/// moto names the group where the stream is missing, so that is not asked of it.
#[tokio::test(flavor = "multi_thread")]
async fn streams_are_read_from_moto() -> anyhow::Result<()> {
    let Some(moto) = Moto::shared()? else { return Ok(()) };
    reads_streams(&moto.sdk_config().await?).await
}
