use serde_json::{Value, json};

use super::super::item;
use super::script::{Script, as_json, done, refused, refused_by_itself};
use super::{NOW, name, state, wish};
use crate::aws::dynamodb::keys::{SHARDS, first_shard};
use crate::domain::{
    ClaimOutcome, JobHead, JobId, JobStatus, NewClaim, NewSubmission, Nonce, RecordOutcome, claims,
};
use crate::ports::{
    Applied, ClaimStore as _, ErrorKind, JobQueries as _, RunStore as _, StateStore as _, WorkLists as _,
};

/// The head of a job whose first claim stands.
fn claimed(job: &str) -> JobHead {
    let mut head = None;
    claims::claim(&mut head, &wish(job));
    head.unwrap()
}

fn found(head: &JobHead, revision: u64) -> (u16, Value) {
    (200, json!({"Item": as_json(&item::of_head(head, revision).unwrap())}))
}

/// Of the claim that is wished for.
fn nonce(job: &str) -> Nonce {
    let wish = wish(job);
    Nonce::derive(&name(job), &Nonce::seed(&wish.run_id, wish.now), 1)
}

fn taken(job: &str) -> NewSubmission {
    let job_id = JobId::parse(&format!("{job}-id")).unwrap();
    NewSubmission { job_name: name(job), nonce: nonce(job), job_id, now: NOW }
}

#[tokio::test(start_paused = true)]
async fn a_head_is_written_on_the_condition_that_it_is_the_one_that_was_read() {
    let script = Script::of([done()]);
    let nonce = nonce("a");
    assert_eq!(script.store().claim(&wish("a")).await.unwrap(), ClaimOutcome::Granted(nonce.clone()));
    let put = &script.asked()[0];
    assert_eq!((put.0.as_str(), &put.1["TableName"]), ("PutItem", &json!("jobs")));
    assert_eq!(put.1["ConditionExpression"], "attribute_not_exists(#revision)");
    assert_eq!(put.1["Item"]["revision"], json!({"N": "1"}));

    let script = Script::of([found(&claimed("a"), 7), done()]);
    assert!(script.store().release(&name("a"), &nonce, None, NOW).await.unwrap());
    let asked = script.asked();
    let (get, put) = (&asked[0], &asked[1].1);
    assert_eq!((get.0.as_str(), &get.1["ConsistentRead"]), ("GetItem", &json!(true)));
    assert_eq!(get.1["Key"], json!({"jobName": {"S": "a"}, "jobId": {"S": " head"}}));
    assert_eq!(put["ConditionExpression"], "#revision = :revision");
    assert_eq!(put["ExpressionAttributeValues"], json!({":revision": {"N": "7"}}));
    assert_eq!((&put["Item"]["revision"], put["Item"].get("work")), (&json!({"N": "8"}), None));
}

#[tokio::test(start_paused = true)]
async fn a_failed_condition_is_an_answer_after_another_look() {
    let script = Script::of([refused("ConditionalCheckFailedException"), found(&claimed("a"), 1)]);
    assert_eq!(script.store().claim(&wish("a")).await.unwrap(), ClaimOutcome::Held);
    assert_eq!(script.operations(), ["PutItem", "GetItem"]);

    let running = state("a", "a-1", JobStatus::Running);
    let mut known = item::of_state(&running, NOW).unwrap();
    known.insert(item::UPDATED_AT.to_owned(), item::millis(NOW));
    let (status, mut refusal) = refused("ConditionalCheckFailedException");
    refusal["Item"] = as_json(&known);
    let script = Script::of([(status, refusal.clone())]);
    assert_eq!(script.store().apply_state(&running, NOW).await.unwrap(), Applied::Stale);
    let (operation, update) = script.asked().remove(0);
    assert_eq!(operation, "UpdateItem");
    let condition = "attribute_not_exists(#orderKey) OR #orderKey < :orderKey";
    assert_eq!(update["ConditionExpression"], condition);
    assert_eq!(update["ExpressionAttributeValues"][":orderKey"], json!({"N": "5"}));
    assert_eq!(update["ReturnValuesOnConditionCheckFailure"], "ALL_OLD");

    // Of what is known, and of nothing else: what no event has confirmed is left to whoever asks the head.
    let script = Script::of([(status, refusal.clone())]);
    assert_eq!(script.store().apply_known(&running, NOW).await.unwrap(), Some(Applied::Stale));
    let (_, update) = script.asked().remove(0);
    let condition = "#orderKey < :orderKey AND attribute_not_exists(#unconfirmed)";
    assert_eq!(update["ConditionExpression"], condition);
    refusal["Item"]["unconfirmed"] = json!({"BOOL": true});
    let script = Script::of([(status, refusal)]);
    assert_eq!(script.store().apply_known(&running, NOW).await.unwrap(), None);
    let script = Script::of([refused("ConditionalCheckFailedException")]);
    assert_eq!(script.store().apply_known(&running, NOW).await.unwrap(), None, "there is none");
}

#[tokio::test(start_paused = true)]
async fn an_item_that_was_made_after_the_refusal_does_not_stand_against_an_end() {
    let ended = state("a", "a-1", JobStatus::Failed);
    let known =
        |status| (200, json!({"Item": as_json(&item::of_state(&state("a", "a-1", status), NOW).unwrap())}));
    let refusal = || refused("ConditionalCheckFailedException");
    let script = Script::of([refusal(), known(JobStatus::Runnable), done()]);
    assert_eq!(script.store().apply_state(&ended, NOW).await.unwrap(), Applied::Applied);
    assert_eq!(script.operations(), ["UpdateItem", "GetItem", "UpdateItem"]);
    let script = Script::of([refusal(), known(JobStatus::Succeeded)]);
    assert_eq!(script.store().apply_state(&ended, NOW).await.unwrap(), Applied::Stale);
    // What is made just after the refusal is somebody else's to find: nothing was known.
    let script = Script::of([refusal()]);
    assert_eq!(script.store().apply_known(&ended, NOW).await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn a_submission_that_no_event_has_confirmed_is_one_where_its_head_names_it() {
    let running = state("a", "a-id", JobStatus::Submitted);
    let mut unconfirmed = item::of_state(&running, NOW).unwrap();
    unconfirmed.insert(item::UPDATED_AT.to_owned(), item::millis(NOW));
    unconfirmed.insert(item::UNCONFIRMED.to_owned(), item::flag(true));
    let unconfirmed = || (200, json!({"Item": as_json(&unconfirmed)}));
    let mut named = claimed("a");
    claims::record(Some(&mut named), &taken("a"));
    let job_id = taken("a").job_id;
    for (head, is_one) in [(claimed("a"), false), (named, true)] {
        let script = Script::of([unconfirmed(), found(&head, 2)]);
        let submission = script.store().submission_of(&name("a"), &job_id).await.unwrap();
        assert_eq!(submission.is_some(), is_one);
        let script = Script::of(
            std::iter::once(found(&head, 2))
                .chain((!is_one).then(unconfirmed))
                .chain((!is_one).then(|| found(&head, 2))),
        );
        assert_eq!(script.store().is_recorded(&name("a"), &job_id).await.unwrap(), is_one);
        script.asked();
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_whose_answer_was_lost_is_not_taken_for_anothers() {
    let script = Script::of([refused_by_itself()]);
    assert_eq!(script.store().claim(&wish("a")).await.unwrap(), ClaimOutcome::Granted(nonce("a")));
    let (_, put) = script.asked().remove(0);
    assert_eq!(put["ReturnValuesOnConditionCheckFailure"], "ALL_OLD");

    let script = Script::of([found(&claimed("a"), 7), refused_by_itself()]);
    assert!(script.store().release(&name("a"), &nonce("a"), None, NOW).await.unwrap());
    script.asked();

    let (status, mut answer) = refused("ConditionalCheckFailedException");
    let mut anothers = item::of_head(&claimed("a"), 1).unwrap();
    anothers.insert(item::WRITER.to_owned(), item::text("another's"));
    answer["Item"] = as_json(&anothers);
    let script = Script::of([(status, answer), found(&claimed("a"), 1)]);
    assert_eq!(script.store().claim(&wish("a")).await.unwrap(), ClaimOutcome::Held);
    assert_eq!(script.operations(), ["PutItem", "GetItem"]);
}

#[tokio::test(start_paused = true)]
async fn a_conflict_with_a_transaction_is_tried_again_and_at_last_retryable() {
    let conflict = || refused("TransactionConflictException");
    let running = state("a", "a-1", JobStatus::Running);
    let script = Script::of([conflict(), conflict(), done()]);
    assert_eq!(script.store().apply_state(&running, NOW).await.unwrap(), Applied::Applied);
    assert_eq!(script.operations(), ["UpdateItem"; 3]);

    let script = Script::of((0..8).map(|_| conflict()));
    let error = script.store().apply_state(&running, NOW).await.unwrap_err();
    assert_eq!((error.kind, script.operations().len()), (ErrorKind::Retryable, 8));
}

#[tokio::test(start_paused = true)]
async fn a_submission_is_put_and_then_its_head_which_was_just_claimed_is_not_read() {
    let script = Script::of([done(), done(), done()]);
    let store = script.store();
    assert!(matches!(store.claim(&wish("a")).await.unwrap(), ClaimOutcome::Granted(_)));
    assert_eq!(store.record_submission(&taken("a")).await.unwrap(), RecordOutcome::Recorded);
    assert_eq!(script.operations(), ["PutItem"; 3]);
    let asked = script.asked();
    let (submission, head) = (&asked[1].1, &asked[2].1);
    assert_eq!(submission["ConditionExpression"], "attribute_not_exists(#key)");
    assert_eq!(submission["Item"]["place"], json!({"S": "latest a"}));
    assert_eq!(submission["Item"]["unconfirmed"], json!({"BOOL": true}));
    assert_eq!(head["ConditionExpression"], "#revision = :revision");
    assert_eq!(head["ExpressionAttributeValues"], json!({":revision": {"N": "1"}}));
}

#[tokio::test(start_paused = true)]
async fn who_records_the_same_submission_at_once_finds_it_known() {
    let mut recorded = claimed("a");
    claims::record(Some(&mut recorded), &taken("a"));
    let (status, mut refusal) = refused("ConditionalCheckFailedException");
    let mut put = item::of_state(&taken("a").state(), NOW).unwrap();
    put.insert("place".to_owned(), item::text("latest a"));
    refusal["Item"] = as_json(&put);
    let script = Script::of([
        found(&claimed("a"), 1),
        (status, refusal),
        refused("ConditionalCheckFailedException"),
        found(&recorded, 2),
    ]);
    assert_eq!(script.store().record_submission(&taken("a")).await.unwrap(), RecordOutcome::Known);
    assert_eq!(script.operations(), ["GetItem", "PutItem", "PutItem", "GetItem"]);
}

#[tokio::test(start_paused = true)]
async fn a_recorder_that_was_overtaken_meanwhile_is_told_that_it_is_one_too_many() {
    let mut replaced = Some(claimed("a"));
    claims::claim(&mut replaced, &NewClaim { takes_over: Some(nonce("a")), ..wish("a") });
    let script = Script::of([
        found(&claimed("a"), 1),
        done(),
        refused("ConditionalCheckFailedException"),
        found(&replaced.unwrap(), 2),
    ]);
    assert_eq!(script.store().record_submission(&taken("a")).await.unwrap(), RecordOutcome::Surplus);
    script.asked();
}

#[tokio::test(start_paused = true)]
async fn a_record_that_is_throttled_or_refused_for_good_says_so() {
    for (code, throttled) in [("ThrottlingException", true), ("ValidationException", false)] {
        let script = Script::of([found(&claimed("a"), 1), refused(code)]);
        let error = script.store().record_submission(&taken("a")).await.unwrap_err();
        let expected =
            if throttled { ErrorKind::Throttled { retry_after: None } } else { ErrorKind::Permanent };
        assert_eq!((error.kind, script.operations().len()), (expected, 2), "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_throttle_is_told_as_one() {
    let throttle = || refused("ProvisionedThroughputExceededException");
    let script = Script::of([throttle(), throttle()]);
    let store = script.store();
    let expected = ErrorKind::Throttled { retry_after: None };
    assert_eq!(store.claim(&wish("a")).await.unwrap_err().kind, expected);
    assert_eq!(store.run(&wish("a").run_id).await.unwrap_err().kind, expected);
}

#[tokio::test(start_paused = true)]
async fn keys_that_were_left_over_are_asked_for_again() {
    let head = |job: &str| as_json(&item::of_head(&claimed(job), 1).unwrap());
    let key = |job: &str| json!({"jobName": {"S": job}, "jobId": {"S": " head"}});
    let left = json!({"jobs": {"Keys": [key("b")], "ConsistentRead": true}});
    let script = Script::of([
        (200, json!({"Responses": {"jobs": [head("a")]}, "UnprocessedKeys": left})),
        (200, json!({"Responses": {"jobs": [head("b")]}, "UnprocessedKeys": {}})),
    ]);
    let asked = ["b", "a", "none", "b"].map(name);
    let jobs = script.store().jobs_named(&asked).await.unwrap();
    let names: Vec<_> = jobs.iter().map(|job| job.as_ref().map(|job| job.name().as_str())).collect();
    assert_eq!(names, [Some("b"), Some("a"), None, Some("b")]);
    let requests = script.asked();
    let first = &requests[0].1["RequestItems"]["jobs"];
    assert_eq!((first["Keys"].as_array().unwrap().len(), &first["ConsistentRead"]), (3, &json!(true)));
    assert_eq!(requests[1].1["RequestItems"], left);

    let never = || (200, json!({"Responses": {}, "UnprocessedKeys": left}));
    let script = Script::of((0..9).map(|_| never()));
    let error = script.store().jobs_named(&asked).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Throttled { retry_after: None });
    assert_eq!(script.operations().len(), 9);
}

#[tokio::test(start_paused = true)]
async fn a_list_leaves_out_what_has_left_it_since_the_index_was_written() {
    let mut released = claimed("a");
    released.claim = None;
    let items =
        [as_json(&item::of_head(&released, 2).unwrap()), as_json(&item::of_head(&claimed("b"), 1).unwrap())];
    let entry =
        |job: &str| json!({"jobName": {"S": job}, "jobId": {"S": " head"}, "work": {"S": "claim 00"}});
    let shard =
        item::text_in(&item::of_head(&claimed("b"), 1).unwrap(), "work").unwrap()[6..].parse::<u8>().unwrap();
    let before = NOW.plus_millis(90_000);
    let place = (shard + SHARDS - first_shard(before)) % SHARDS;
    let empty = (0..place).map(|_| (200, json!({"Items": []})));
    let script = Script::of(empty.chain([
        (200, json!({"Items": [entry("a"), entry("b")]})),
        (200, json!({"Responses": {"jobs": items}})),
    ]));
    let page = script.store().expired_claims(before, None).await.unwrap();
    let names: Vec<_> = page.items.iter().map(|head| head.spec.job_name.as_str()).collect();
    assert_eq!(names, ["b"]);
    let (_, query) = &script.asked()[0];
    assert_eq!(query["KeyConditionExpression"], "#partition = :partition AND #workAt < :before");
    assert_eq!((&query["IndexName"], &query["Limit"]), (&json!("byWork"), &json!(100)));
}

#[tokio::test(start_paused = true)]
async fn an_item_that_can_not_be_read_is_named() {
    let mut item = item::of_head(&claimed("a"), 1).unwrap();
    item.insert(item::HEAD.to_owned(), item::text("{"));
    let script = Script::of([(200, json!({"Items": [as_json(&item)]}))]);
    let error = script.store().job(&name("a")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Permanent);
    assert!(error.message.starts_with("head in the item of a/ head can't be read: EOF"), "{}", error.message);
}

/// A head as a version of tomorrow might write it.
fn unreadable(job: &str) -> item::Item {
    let mut item = item::of_head(&claimed(job), 1).unwrap();
    item.insert(item::HEAD.to_owned(), item::text("{\"spec\": 7}"));
    item
}

#[tokio::test(start_paused = true)]
async fn one_item_that_can_not_be_read_ends_no_list() {
    let key = |job: &str| json!({"jobName": {"S": job}, "jobId": {"S": " head"}});
    let listed = || (200, json!({"Items": [key("a"), key("b"), key("c")]}));
    let run = wish("a").run_id;
    let good = |job: &str| as_json(&item::of_head(&claimed(job), 1).unwrap());
    let items = || {
        let mut items = [unreadable("a"), unreadable("b"), unreadable("c")];
        items[0] = item::of_head(&claimed("a"), 1).unwrap();
        items[2] = item::of_head(&claimed("c"), 1).unwrap();
        for item in &mut items {
            item.insert("membership".to_owned(), item::text(format!("run {run} 00")));
        }
        items.map(|item| as_json(&item))
    };
    let by_index = Script::of([listed(), (200, json!({"Responses": {"jobs": items()}}))]);
    let by_scan = Script::of([(200, json!({"Items": items(), "ScannedCount": 3}))]);
    for (script, run_id) in [(by_index, Some(&run)), (by_scan, None)] {
        let page = script.store().jobs(run_id, None).await.unwrap();
        let names: Vec<_> = page.items.iter().map(|job| job.name().as_str()).collect();
        assert_eq!(names, ["a", "c"]);
        assert_eq!(page.unreadable.len(), 1);
        assert_eq!(page.unreadable[0].key, "b/ head");
        assert!(page.unreadable[0].why.contains("can't be read"), "{:?}", page.unreadable);
    }

    let answer = || (200, json!({"Responses": {"jobs": [good("a"), as_json(&unreadable("b"))]}}));
    let script = Script::of([answer()]);
    let error = script.store().jobs_named(&["a", "b"].map(name)).await.unwrap_err();
    assert_eq!(
        error.kind,
        ErrorKind::Permanent,
        "a job that is asked for by name is not taken for a new one"
    );
    assert!(error.message.contains("b/ head"), "{}", error.message);
}
