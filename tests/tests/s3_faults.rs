//! An S3 that breaks: what was read is neither short nor doubled, and what was written is known for its own.

#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use batchwright::aws::{CopyLimits, S3Buckets, s3_client};
use batchwright::domain::S3Uri;
use batchwright::objects::{ConvertRequest, Converted, Failure, FailureCode, Target, convert, copy, info};
use batchwright::ports::{Buckets as _, Caller, NewObject, ObjectWriter as _, WriteCondition};
use batchwright_tests::broken_s3::{BrokenS3, Fault, Operation};
use batchwright_tests::emulators::sdk_config;
use batchwright_tests::slow_link::SlowLink;

async fn buckets(s3: &BrokenS3) -> anyhow::Result<S3Buckets> {
    Ok(S3Buckets::new(s3_client(&sdk_config(s3.endpoint_url()).await?)))
}

fn uri(text: &str) -> S3Uri {
    S3Uri::parse(text).unwrap()
}

fn lines(count: usize) -> String {
    (0..count).map(|number| format!("{{\"n\":{number}}}\n")).collect()
}

/// More than goes in one piece.
fn long_lines() -> String {
    let padding = "x".repeat(900);
    (0..10_000).map(|number| format!("{{\"n\":{number},\"padding\":\"{padding}\"}}\n")).collect()
}

/// Converts `s3://b/a.jsonl` to JSON Lines again.
async fn converted(s3: &BrokenS3, condition: WriteCondition) -> anyhow::Result<Result<Converted, Failure>> {
    let target = Target { condition, ..Target::at(uri("s3://b/out.jsonl")) };
    let request = ConvertRequest::default();
    Ok(convert(&buckets(s3).await?, &uri("s3://b/a.jsonl"), None, &target, &request).await)
}

#[tokio::test]
async fn a_read_that_is_resumed_is_neither_short_nor_doubled() -> anyhow::Result<()> {
    let text = lines(1_000);
    let cut = text.match_indices('\n').nth(399).unwrap().0 + 1;
    for (second, third) in [
        (None, None),
        (Some(Fault::RangeIgnored), None),
        (Some(Fault::CutAfter(10)), None),
        (Some(Fault::RangeIgnored), Some(Fault::CutAfter(cut + 5))),
        (Some(Fault::OtherRange(cut - 7)), None),
    ] {
        let s3 = BrokenS3::start().await?;
        s3.put("/b/a.jsonl", text.as_str());
        s3.breaks(Operation::Get, Fault::CutAfter(cut));
        for fault in [&second, &third].into_iter().flatten() {
            s3.breaks(Operation::Get, fault.clone());
        }
        let done = converted(&s3, WriteCondition::Always).await?.unwrap();
        assert_eq!(done.records, 1_000, "{second:?} {third:?}");
        assert_eq!(s3.bytes("/b/out.jsonl").unwrap(), text.as_bytes(), "{second:?} {third:?}");
    }
    Ok(())
}

#[tokio::test]
async fn bytes_that_were_not_asked_for_are_an_error_and_nothing_is_written() -> anyhow::Result<()> {
    let s3 = BrokenS3::start().await?;
    s3.put("/b/a.jsonl", lines(1_000));
    s3.breaks(Operation::Get, Fault::CutAfter(100));
    s3.breaks(Operation::Get, Fault::OtherRange(150));
    let failure = converted(&s3, WriteCondition::Always).await?.unwrap_err();
    assert!(failure.message.contains("bytes from 100 on were asked for, \"bytes 150-"), "{failure}");
    assert_eq!(s3.bytes("/b/out.jsonl"), None);
    Ok(())
}

#[tokio::test]
async fn a_wrong_checksum_is_told_as_one() -> anyhow::Result<()> {
    let s3 = BrokenS3::start().await?;
    s3.put("/b/a.jsonl", "{} \n");
    s3.breaks(Operation::Get, Fault::WrongChecksum);
    let failure = converted(&s3, WriteCondition::Always).await?.unwrap_err();
    assert!(failure.message.contains("are not the object's, by its checksum"), "{failure}");
    assert_eq!((s3.seen(Operation::Get).len(), s3.bytes("/b/out.jsonl")), (1, None));
    Ok(())
}

#[tokio::test]
async fn an_object_whose_answer_was_lost_is_known_for_its_own() -> anyhow::Result<()> {
    // In one piece, and in parts.
    for (text, operation) in [(lines(10), Operation::Put), (long_lines(), Operation::Complete)] {
        for condition in [WriteCondition::Always, WriteCondition::Absent] {
            let s3 = BrokenS3::start().await?;
            s3.put("/b/a.jsonl", text.as_str());
            s3.breaks(operation, Fault::AnswerLost);
            let done = converted(&s3, condition.clone()).await?.unwrap();
            assert!(done.etag.is_some(), "{operation:?} {condition:?}");
            assert_eq!(s3.bytes("/b/out.jsonl").unwrap().len() as u64, done.bytes_out);
            assert_eq!((s3.seen(operation).len(), s3.uploads()), (2, 0), "{operation:?} {condition:?}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn another_s_object_is_not_taken_for_its_own() -> anyhow::Result<()> {
    for (text, operation) in [(lines(10), Operation::Put), (long_lines(), Operation::Complete)] {
        let s3 = BrokenS3::start().await?;
        s3.put("/b/a.jsonl", text.as_str());
        s3.breaks(operation, Fault::AnswerLostAndReplaced);
        let failed = converted(&s3, WriteCondition::Absent).await?.unwrap_err();
        // An upload that is gone tells nothing of the condition.
        let expected =
            if operation == Operation::Put { FailureCode::ConditionFailed } else { FailureCode::Refused };
        assert_eq!(failed.code, expected, "{failed}");
        assert_eq!(s3.bytes("/b/out.jsonl").unwrap(), b"somebody else's");
    }
    // The same bytes without a lost answer are another's too: only one of two may win.
    let s3 = BrokenS3::start().await?;
    s3.put("/b/a.jsonl", lines(3));
    s3.put("/b/out.jsonl", lines(3));
    let failed = converted(&s3, WriteCondition::Absent).await?.unwrap_err();
    assert_eq!((failed.code, s3.seen(Operation::Head).len()), (FailureCode::ConditionFailed, 0));
    Ok(())
}

#[tokio::test]
async fn a_copy_whose_answer_was_lost_is_known_for_its_own() -> anyhow::Result<()> {
    let s3 = BrokenS3::start().await?;
    s3.put("/b/a.jsonl", lines(3));
    let target = Target { condition: WriteCondition::Absent, ..Target::at(uri("s3://b/copy.jsonl")) };
    s3.breaks(Operation::Copy, Fault::AnswerLost);
    let copied = copy(&buckets(&s3).await?, &uri("s3://b/a.jsonl"), None, &target).await.unwrap();
    assert!(copied.etag.is_some());
    let failure = copy(&buckets(&s3).await?, &uri("s3://b/a.jsonl"), None, &target).await.unwrap_err();
    assert_eq!(failure.code, FailureCode::ConditionFailed);
    Ok(())
}

/// Its etag is that of its parts, and the copy's is not.
#[tokio::test]
async fn a_copy_of_what_was_written_in_parts_is_known_for_its_own_by_its_bytes() -> anyhow::Result<()> {
    for (fault, is_ours) in [(Fault::AnswerLost, true), (Fault::AnswerLostAndReplaced, false)] {
        let s3 = BrokenS3::start().await?;
        // As long as what somebody else writes.
        s3.put_in_parts("/b/a", "somebody's else");
        let target = Target { condition: WriteCondition::Absent, ..Target::at(uri("s3://b/copy")) };
        s3.breaks(Operation::Copy, fault.clone());
        let copied = copy(&buckets(&s3).await?, &uri("s3://b/a"), None, &target).await;
        assert_eq!(s3.seen(Operation::Get).len(), 2, "{fault:?}: both were read");
        match copied {
            Ok(copied) => assert!(is_ours && copied.etag.is_some(), "{fault:?}"),
            Err(failure) => assert!(!is_ours && failure.code == FailureCode::ConditionFailed, "{failure}"),
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_copy_in_parts_whose_answer_was_lost_is_known_for_its_own() -> anyhow::Result<()> {
    let s3 = BrokenS3::start().await?;
    s3.put_in_parts("/b/a", "0123456789");
    let limits = CopyLimits { whole_max_bytes: 4, part_bytes: 4 };
    let target = Target { condition: WriteCondition::Absent, ..Target::at(uri("s3://b/copy")) };
    s3.breaks(Operation::Complete, Fault::AnswerLost);
    let buckets = buckets(&s3).await?.with_copy_limits(limits);
    let copied = copy(&buckets, &uri("s3://b/a"), None, &target).await.unwrap();
    assert!(copied.etag.is_some_and(|etag| etag.ends_with("-3\"")));
    assert_eq!((s3.seen(Operation::Part).len(), s3.uploads()), (3, 0));
    assert_eq!(s3.bytes("/b/copy").unwrap(), b"0123456789");
    Ok(())
}

/// A client that gives an attempt up when for so long nothing moves.
async fn behind(link: &SlowLink, patience: Duration) -> anyhow::Result<S3Buckets> {
    let client = s3_client(&sdk_config(link.endpoint_url()).await?);
    let timeouts = TimeoutConfig::builder().read_timeout(patience).build();
    let config = client.config().to_builder().timeout_config(timeouts).build();
    Ok(S3Buckets::new(aws_sdk_s3::Client::from_conf(config)))
}

/// The object takes the link longer than the client's patience. What the system and HTTP hold of its end, 1 MB, takes it
/// half as long, after the last byte was taken.
#[tokio::test]
async fn a_slow_link_passes_an_object_at_the_first_attempt() -> anyhow::Result<()> {
    let s3 = BrokenS3::start().await?;
    let (text, rate, patience) = (lines(200_000), 230_000, 9);
    assert!(text.len() > rate * patience);
    let link = SlowLink::start(s3.endpoint_url(), rate, None).await?;
    let buckets = behind(&link, Duration::from_secs(patience as u64)).await?;
    let mut writer = buckets.create(&uri("s3://b/a.jsonl"), NewObject::of_type("text/plain")).await?;
    writer.write(text.as_bytes()).await?;
    writer.finish().await?;
    assert!(s3.bytes("/b/a.jsonl").unwrap() == text.as_bytes());
    assert_eq!((link.connections(), s3.seen(Operation::Put).len()), (1, 1));
    Ok(())
}

#[tokio::test]
async fn a_link_that_comes_to_a_stand_is_given_up_and_another_tried() -> anyhow::Result<()> {
    let s3 = BrokenS3::start().await?;
    let text = lines(200_000);
    let link = SlowLink::start(s3.endpoint_url(), 10_000_000, Some(300_000)).await?;
    let buckets = behind(&link, Duration::from_secs(4)).await?;
    let mut writer = buckets.create(&uri("s3://b/a.jsonl"), NewObject::of_type("text/plain")).await?;
    writer.write(text.as_bytes()).await?;
    writer.finish().await?;
    assert_eq!((link.connections(), s3.seen(Operation::Put).len()), (2, 1));
    assert!(s3.bytes("/b/a.jsonl").unwrap() == text.as_bytes());
    Ok(())
}

#[tokio::test]
async fn a_bucket_is_followed_to_its_region_once() -> anyhow::Result<()> {
    let s3 = BrokenS3::start().await?;
    s3.put("/b/a.jsonl", long_lines());
    s3.lies_in("ap-south-1");
    let buckets = buckets(&s3).await?;
    let (target, request) = (Target::at(uri("s3://b/out.jsonl")), ConvertRequest::default());
    let done = convert(&buckets, &uri("s3://b/a.jsonl"), None, &target, &request).await.unwrap();
    assert_eq!(done.records, 10_000);
    info(&buckets, &uri("s3://b/out.jsonl"), None).await.unwrap();
    // The first request was sent where the client lies, every other where the bucket does.
    let counts = [Operation::Get, Operation::Create, Operation::Complete, Operation::Head]
        .map(|operation| s3.seen(operation).len());
    assert_eq!(counts, [2, 1, 1, 1]);
    Ok(())
}

#[tokio::test]
async fn an_access_point_of_several_regions_is_refused_with_what_to_name_instead() -> anyhow::Result<()> {
    let s3 = BrokenS3::start().await?;
    let point = uri("s3://arn:aws:s3::111122223333:accesspoint/mfzwi23gnjvgw.mrap/a.jsonl");
    let failure = info(&buckets(&s3).await?, &point, None).await.unwrap_err();
    assert!(failure.message.contains("name the bucket or the access point of one Region"), "{failure}");
    assert_eq!(failure.code, FailureCode::Refused);
    assert_eq!(s3.seen(Operation::Head).len(), 0);
    Ok(())
}

#[tokio::test]
async fn a_caller_pays_or_is_nobody_when_asked() -> anyhow::Result<()> {
    let s3 = BrokenS3::start().await?;
    s3.put("/b/a.jsonl", lines(3));
    let asked = async |caller: Caller| -> anyhow::Result<_> {
        let buckets = buckets(&s3).await?.called_by(caller);
        info(&buckets, &uri("s3://b/a.jsonl"), None).await.unwrap();
        let request = s3.seen(Operation::Head).pop().unwrap();
        let payer = request.header("x-amz-request-payer").map(str::to_owned);
        Ok((payer, request.header("authorization").is_some()))
    };
    assert_eq!(asked(Caller::default()).await?, (None, true));
    let pays = Caller { requester_pays: true, ..Caller::default() };
    assert_eq!(asked(pays).await?, (Some("requester".to_owned()), true));
    let nobody = Caller { is_anonymous: true, ..Caller::default() };
    assert_eq!(asked(nobody).await?, (None, false));
    Ok(())
}
