//! An S3 that breaks: what was read is neither short nor doubled, and what was written is known for its own.

#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use batchwright::aws::{S3Buckets, s3_client};
use batchwright::domain::S3Uri;
use batchwright::objects::{ConvertRequest, Converted, Failure, FailureCode, Target, convert, copy, info};
use batchwright::ports::{Buckets as _, Caller, WriteCondition};
use batchwright_tests::broken_s3::{BrokenS3, Fault, Operation};
use batchwright_tests::emulators::sdk_config;

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
