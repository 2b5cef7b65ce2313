//! Access, info and lists.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::time::Instant;

use super::{buckets, place, uri};
use crate::domain::Timestamp;
use crate::domain::s3_uri::Pattern;
use crate::memory::InMemoryBuckets;
use crate::objects::{
    Failure, FailureCode, Filter, Listed, PageBounds, ResultsFile, Target, access, each, info,
    info_of_bucket, list_all, list_page,
};

#[tokio::test]
async fn access_is_no_where_it_is_denied_or_nothing_is_there() {
    let buckets = buckets(&[("s3://b/a", "1"), ("s3://secret/a", "1")]);
    buckets.deny("secret");
    for (name, expected) in [
        ("s3://b/a", true),
        ("s3://b/x", false),
        ("s3://b", true),
        ("s3://none", false),
        ("s3://none/a", false),
        ("s3://secret", false),
        ("s3://secret/a", false),
    ] {
        assert_eq!(access(&buckets, &place(name)).await.map(|found| found.access), Ok(expected), "{name}");
    }
    let code = |failure: Failure| failure.code;
    assert_eq!(info(&buckets, &uri("s3://b/x"), None).await.map_err(code), Err(FailureCode::NotFound));
    assert_eq!(info(&buckets, &uri("s3://secret/a"), None).await.map_err(code), Err(FailureCode::Denied));
    assert_eq!(info_of_bucket(&buckets, "none").await.map_err(code), Err(FailureCode::NotFound));
    assert_eq!(info_of_bucket(&buckets, "secret").await.map_err(code), Err(FailureCode::Denied));
    let found = info(&buckets, &uri("s3://b/a"), None).await.unwrap();
    assert_eq!((found.uri.as_str(), found.size_bytes), ("s3://b/a", Some(1)));
    assert_eq!(found.last_modified.as_deref(), Some("1970-01-01T00:00:01Z"));
}

#[tokio::test(start_paused = true)]
async fn no_more_is_begun_at_once_than_allowed_and_nothing_behind_the_end() {
    let (under_way, most) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    let end = Instant::now() + Duration::from_millis(3_500);
    let work = async |number: u32| {
        under_way.set(under_way.get() + 1);
        most.set(most.get().max(under_way.get()));
        tokio::time::sleep(Duration::from_secs(1)).await;
        under_way.set(under_way.get() - 1);
        Ok(number)
    };
    let results: Vec<_> = each(0..100, 10, Some(end), work).collect().await;
    assert_eq!(most.get(), 10);
    let done: Vec<_> = results.iter().filter_map(|result| result.as_ref().ok().copied()).collect();
    assert_eq!(done, (0..30).collect::<Vec<_>>());
    assert!(results[30..].iter().all(|result| *result == Err(Failure::time_over())));
}

/// 2,500 objects in 50 folders, and three beside them.
fn tree() -> InMemoryBuckets {
    let buckets = InMemoryBuckets::with(["b"]);
    for number in 0..2_500 {
        let suffix = if number % 2 == 0 { "json" } else { "tif" };
        let object = uri(&format!("s3://b/scenes/{:02}/deep/{number:04}.{suffix}", number % 50));
        buckets.put(&object, "", vec![b'x'; number % 10]);
    }
    for name in ["scenes/a.json", "scenes/", "other.json"] {
        buckets.put(&uri(&format!("s3://b/{name}")), "", "12345");
    }
    buckets
}

async fn all(buckets: &InMemoryBuckets, name: &str, filter: &Filter) -> (BTreeSet<String>, Listed) {
    let (mut found, place) = (BTreeSet::new(), place(name));
    let listed = list_all(buckets, &place, filter, 8, async |info| {
        assert!(found.insert(info.uri.clone()), "{} comes twice", info.uri);
        Ok(())
    });
    let listed = listed.await.unwrap();
    (found, listed)
}

fn matching(pattern: &str) -> Filter {
    Filter { pattern: Some(Pattern::parse(pattern).unwrap()), ..Filter::default() }
}

#[tokio::test]
async fn a_list_tells_every_object_once() {
    let buckets = tree();
    for (name, filter, objects, looked_at) in [
        ("s3://b", Filter::default(), 2_503, 2_503),
        ("s3://b/scenes/", Filter::default(), 2_502, 2_502),
        ("s3://b/scenes/07/", Filter::default(), 50, 50),
        ("s3://b/sc", matching("scenes/**/*.json"), 1_251, 2_502),
        ("s3://b", matching("scenes/07/**"), 50, 50),
        ("s3://b", matching("*.tif"), 1_250, 2_503),
        ("s3://b/scenes/08/", matching("scenes/07/**"), 0, 0),
        ("s3://b/none", Filter::default(), 0, 0),
        ("s3://b", Filter { min_bytes: Some(9), ..Filter::default() }, 250, 2_503),
        ("s3://b", Filter { max_bytes: Some(0), ..Filter::default() }, 250, 2_503),
        (
            "s3://b",
            Filter { modified_since: Some(Timestamp::from_millis(2_501_000)), ..Filter::default() },
            3,
            2_503,
        ),
        (
            "s3://b",
            Filter { modified_before: Some(Timestamp::from_millis(2_000)), ..Filter::default() },
            1,
            2_503,
        ),
    ] {
        let (found, listed) = all(&buckets, name, &filter).await;
        assert_eq!(
            (found.len(), listed.objects, listed.looked_at),
            (objects, objects as u64, looked_at),
            "{name} {filter:?}"
        );
    }
    let failure =
        list_all(&buckets, &place("s3://none"), &Filter::default(), 8, async |_| Ok(())).await.unwrap_err();
    assert_eq!(failure.code, FailureCode::Refused);
    assert!(failure.message.contains("NoSuchBucket"), "{failure}");
}

#[tokio::test]
async fn pages_follow_each_other_without_gap_or_overlap() {
    let buckets = tree();
    let (whole, _) = all(&buckets, "s3://b", &matching("**/*.json")).await;
    for bounds in [
        PageBounds { max_objects: 7, max_bytes: usize::MAX, end: None },
        PageBounds { max_objects: usize::MAX, max_bytes: 20_000, end: None },
        PageBounds { max_objects: usize::MAX, max_bytes: usize::MAX, end: Some(Instant::now()) },
        PageBounds { max_objects: usize::MAX, max_bytes: usize::MAX, end: None },
    ] {
        let (mut found, mut pages, mut after) = (Vec::new(), 0, None);
        loop {
            let page =
                list_page(&buckets, &place("s3://b"), &matching("**/*.json"), after, bounds).await.unwrap();
            assert!(page.items.len() <= bounds.max_objects);
            assert!(serde_json::to_string(&page.items).unwrap().len() <= bounds.max_bytes.saturating_add(1));
            found.extend(page.items.into_iter().map(|info| info.uri));
            pages += 1;
            assert!(pages < 500);
            match page.start_after {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        assert!(found.is_sorted());
        assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), whole, "{bounds:?}");
    }
}

#[tokio::test]
async fn results_are_lines_of_an_object_that_appears_whole() {
    let buckets = buckets(&[]);
    let target = Target::at(uri("s3://b/results.jsonl"));
    let mut file = ResultsFile::create(&buckets, &target).await.unwrap();
    file.push(&serde_json::json!({"a": 1})).await.unwrap();
    assert_eq!(buckets.bytes(&target.uri), None);
    file.push(&"two\n").await.unwrap();
    let written = file.finish().await.unwrap();
    assert_eq!((written.lines, written.bytes), (2, 16));
    assert_eq!(buckets.bytes(&target.uri).unwrap(), b"{\"a\":1}\n\"two\\n\"\n");
    for name in ["s3://b/results.json", "s3://b/results.jsonl.gz", "s3://b/results"] {
        let failure = ResultsFile::create(&buckets, &Target::at(uri(name))).await.unwrap_err();
        assert_eq!(failure.code, FailureCode::InvalidRequest, "{name}");
    }
    let file = ResultsFile::create(&buckets, &Target::at(uri("s3://b/other.jsonl"))).await.unwrap();
    file.abort().await;
    assert_eq!((buckets.uris().len(), buckets.open_writers()), (1, 0));
}
