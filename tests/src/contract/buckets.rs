//! What every `Buckets` does.

use anyhow::Context as _;
use batchwright::domain::{S3Prefix, S3Uri};
use batchwright::ports::{
    Buckets, ConditionalWriter as _, Copied, CopyOptions, Depth, ListFrom, Look, NewObject,
    ObjectWriter as _, WriteCondition, Written,
};
use tokio::io::AsyncReadExt as _;

use super::run_cases;

/// An adapter, and a bucket of it that is empty.
#[derive(Debug)]
pub struct Fresh<B> {
    /// The adapter.
    pub buckets: B,
    /// The bucket.
    pub bucket: String,
}

impl<B> Fresh<B> {
    fn uri(&self, key: &str) -> S3Uri {
        S3Uri { bucket: self.bucket.clone(), key: key.to_owned() }
    }
}

/// Runs every case.
pub async fn holds<B: Buckets>(make: impl AsyncFn() -> anyhow::Result<Fresh<B>>) -> anyhow::Result<()> {
    run_cases!(make;
        an_object_is_told_and_read_as_it_was_written,
        what_is_not_there_is_absent,
        a_condition_that_does_not_hold_leaves_what_was_there,
        an_aborted_writer_leaves_nothing_behind,
        keys_are_taken_byte_for_byte,
        a_list_comes_in_pages_with_or_without_folders,
        a_copy_has_the_bytes_and_the_type_of_its_source,
    )
}

async fn put<B: Buckets>(
    it: &Fresh<B>,
    key: &str,
    wanted: NewObject,
    bytes: &[u8],
) -> anyhow::Result<Written> {
    let mut writer = it.buckets.create(&it.uri(key), wanted).await?;
    writer.write(bytes).await?;
    Ok(writer.commit().await?)
}

async fn get<B: Buckets>(it: &Fresh<B>, key: &str) -> anyhow::Result<Option<Vec<u8>>> {
    let Look::Found(mut reader) = it.buckets.open(&it.uri(key), None).await? else { return Ok(None) };
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).await?;
    Ok(Some(bytes))
}

fn text() -> NewObject {
    NewObject::of_type("text/plain")
}

async fn an_object_is_told_and_read_as_it_was_written<B: Buckets>(it: &Fresh<B>) -> anyhow::Result<()> {
    let mut wanted = text().with(|it| it.content_encoding = Some("gzip".to_owned()));
    wanted.settings.metadata.insert("made-by".to_owned(), "the suite".to_owned());
    let Written::Done { etag } = put(it, "a/b", wanted, b"bytes").await? else { anyhow::bail!("refused") };
    let Look::Found(info) = it.buckets.look_at_object(&it.uri("a/b"), None).await? else {
        anyhow::bail!("absent")
    };
    assert_eq!((info.key.as_str(), info.size_bytes), ("a/b", 5));
    assert_eq!(
        (info.content_type.as_deref(), info.content_encoding.as_deref()),
        (Some("text/plain"), Some("gzip"))
    );
    assert_eq!(info.metadata.get("made-by").map(String::as_str), Some("the suite"));
    assert!(info.etag == etag && etag.is_some() && info.last_modified.is_some());
    assert_eq!(get(it, "a/b").await?.as_deref(), Some(&b"bytes"[..]));
    assert!(matches!(it.buckets.look_at_bucket(&it.bucket).await?, Look::Found(_)));
    Ok(())
}

async fn what_is_not_there_is_absent<B: Buckets>(it: &Fresh<B>) -> anyhow::Result<()> {
    assert!(matches!(it.buckets.open(&it.uri("none"), None).await?, Look::Absent));
    assert_eq!(it.buckets.look_at_object(&it.uri("none"), None).await?, Look::Absent);
    assert_eq!(it.buckets.look_at_bucket("contract-none").await?, Look::Absent);
    let elsewhere = S3Uri { bucket: "contract-none".to_owned(), key: "a".to_owned() };
    assert_eq!(it.buckets.look_at_object(&elsewhere, None).await?, Look::Absent);
    let options = CopyOptions::default();
    assert_eq!(it.buckets.copy(&it.uri("none"), None, &it.uri("copy"), &options).await?, Look::Absent);
    let place = S3Prefix { bucket: "contract-none".to_owned(), prefix: String::new() };
    let listed = it.buckets.list(&place, Depth::All, &ListFrom::Start).await;
    assert!(listed.is_err_and(|error| error.message.contains("NoSuchBucket")));
    Ok(())
}

async fn a_condition_that_does_not_hold_leaves_what_was_there<B: Buckets>(
    it: &Fresh<B>,
) -> anyhow::Result<()> {
    let under = |condition| text().with(|it| it.condition = condition);
    let Written::Done { etag: Some(etag) } = put(it, "k", under(WriteCondition::Absent), b"1").await? else {
        anyhow::bail!("refused")
    };
    assert_eq!(put(it, "k", under(WriteCondition::Absent), b"2").await?, Written::Refused);
    let unchanged = under(WriteCondition::Unchanged { etag });
    assert!(matches!(put(it, "k", unchanged.clone(), b"3").await?, Written::Done { .. }));
    assert_eq!(put(it, "k", unchanged.clone(), b"4").await?, Written::Refused);
    assert_eq!(put(it, "absent", unchanged, b"5").await?, Written::Refused);
    assert_eq!(get(it, "k").await?.as_deref(), Some(&b"3"[..]));
    Ok(())
}

async fn an_aborted_writer_leaves_nothing_behind<B: Buckets>(it: &Fresh<B>) -> anyhow::Result<()> {
    for bytes in [10, 17 * 1024 * 1024] {
        let mut writer = it.buckets.create(&it.uri("aborted"), text()).await?;
        writer.write(&vec![b'x'; bytes]).await?;
        writer.abort().await;
        assert_eq!(it.buckets.look_at_object(&it.uri("aborted"), None).await?, Look::Absent);
    }
    Ok(())
}

async fn keys_are_taken_byte_for_byte<B: Buckets>(it: &Fresh<B>) -> anyhow::Result<()> {
    let keys = [
        "a//b",
        "a b+c%20",
        "\u{e9}",
        "e\u{301}",
        "x?y=z#w",
        "q&'\"<>",
        "trailing/",
        "tab\tand\u{1}",
        " ",
        "  blanks  ",
    ];
    for key in keys {
        put(it, key, text(), key.as_bytes()).await?;
    }
    let options = CopyOptions::default();
    for key in keys {
        assert_eq!(get(it, key).await?.as_deref(), Some(key.as_bytes()), "{key}");
        let to = it.uri(&format!("copies/{key}"));
        assert!(matches!(it.buckets.copy(&it.uri(key), None, &to, &options).await?, Look::Found(_)), "{key}");
        assert_eq!(get(it, &to.key).await?.as_deref(), Some(key.as_bytes()), "{key}");
    }
    let place = S3Prefix { bucket: it.bucket.clone(), prefix: String::new() };
    let listed = it.buckets.list(&place, Depth::All, &ListFrom::Start).await?;
    let found: Vec<_> = listed.objects.iter().map(|object| object.key.as_str()).collect();
    for key in keys {
        assert!(found.contains(&key), "{key}: {found:?}");
    }
    Ok(())
}

async fn a_list_comes_in_pages_with_or_without_folders<B: Buckets>(it: &Fresh<B>) -> anyhow::Result<()> {
    for number in 0..1_005 {
        put(it, &format!("p/{:02}/{number:04}", number % 3), text(), b"x").await?;
    }
    put(it, "p/top", text(), b"top").await?;
    put(it, "q", text(), b"").await?;
    let place = S3Prefix { bucket: it.bucket.clone(), prefix: "p/".to_owned() };
    let listed = it.buckets.list(&place, Depth::Folder, &ListFrom::Start).await?;
    assert_eq!((listed.folders, listed.next), (vec!["p/00/".into(), "p/01/".into(), "p/02/".into()], None));
    assert_eq!(listed.objects.iter().map(|object| object.key.as_str()).collect::<Vec<_>>(), ["p/top"]);
    let (mut keys, mut from) = (Vec::new(), ListFrom::Start);
    loop {
        let listed = it.buckets.list(&place, Depth::All, &from).await?;
        assert!(listed.objects.len() <= 1_000 && listed.folders.is_empty());
        keys.extend(listed.objects.into_iter().map(|object| object.key));
        let Some(next) = listed.next else { break };
        from = ListFrom::Page(next);
    }
    assert!(keys.len() == 1_006 && keys.is_sorted(), "{}", keys.len());
    let after = ListFrom::After(keys[1_003].clone());
    let rest = it.buckets.list(&place, Depth::All, &after).await?;
    assert_eq!(rest.objects.into_iter().map(|object| object.key).collect::<Vec<_>>(), keys[1_004..]);
    Ok(())
}

async fn a_copy_has_the_bytes_and_the_type_of_its_source<B: Buckets>(it: &Fresh<B>) -> anyhow::Result<()> {
    let bytes = [vec![b'a'; 6 * 1024 * 1024], vec![b'b'; 7 * 1024 * 1024]].concat();
    let wanted = NewObject::of_type("text/csv").with(|it| it.content_encoding = Some("identity".to_owned()));
    put(it, "source", wanted, &bytes).await?;
    let options = CopyOptions::default();
    let copied = it.buckets.copy(&it.uri("source"), None, &it.uri("copy"), &options).await?;
    let Look::Found(Copied { written: Written::Done { etag: Some(_) }, size_bytes, .. }) = copied else {
        anyhow::bail!("{copied:?}")
    };
    assert_eq!(size_bytes, bytes.len() as u64);
    assert!(get(it, "copy").await?.context("absent")? == bytes);
    let Look::Found(info) = it.buckets.look_at_object(&it.uri("copy"), None).await? else {
        anyhow::bail!("absent")
    };
    assert_eq!(info.content_type.as_deref(), Some("text/csv"));
    Ok(())
}
