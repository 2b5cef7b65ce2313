//! What every `ObjectStore` does.

use anyhow::{Context as _, ensure};
use batchwright::ports::{ObjectStore, ObjectWriter as _, PortError};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _};

use super::run_cases;

/// Runs every case.
pub async fn holds<S: ObjectStore>(make: impl AsyncFn() -> anyhow::Result<S>) -> anyhow::Result<()> {
    run_cases!(make;
        an_object_is_read_as_it_was_written,
        an_object_of_many_megabytes_passes_through,
        a_part_of_an_object_is_read_by_itself,
        an_absent_object_is_none,
        an_object_appears_when_it_is_finished_and_replaces_the_one_before,
        an_unfinished_object_leaves_nothing_behind,
        two_writers_of_one_key_leave_one_whole_object,
        keys_are_told_apart,
    )
}

async fn put<S: ObjectStore>(store: &S, key: &str, bytes: &[u8]) -> Result<(), PortError> {
    let mut writer = store.create_object(key, "application/octet-stream").await?;
    writer.write(bytes).await?;
    writer.finish().await
}

async fn get<S: ObjectStore>(store: &S, key: &str) -> anyhow::Result<Option<Vec<u8>>> {
    let Some(mut reader) = store.open_object(key).await? else { return Ok(None) };
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).await?;
    Ok(Some(bytes))
}

async fn an_object_is_read_as_it_was_written<S: ObjectStore>(store: &S) -> anyhow::Result<()> {
    let mut writer = store.create_object("logs/a/1.jsonl", "application/jsonl").await?;
    for part in ["{\"a\":1}\n", "", "{\"b\":", "2}\n"] {
        writer.write(part.as_bytes()).await?;
    }
    writer.finish().await?;
    let reader = store.open_object("logs/a/1.jsonl").await?.context("the object is absent")?;
    let mut lines = reader.lines();
    assert_eq!(lines.next_line().await?.as_deref(), Some("{\"a\":1}"));
    assert_eq!(lines.next_line().await?.as_deref(), Some("{\"b\":2}"));
    assert_eq!(lines.next_line().await?, None);
    put(store, "empty", b"").await?;
    assert_eq!(get(store, "empty").await?, Some(vec![]));
    Ok(())
}

async fn a_part_of_an_object_is_read_by_itself<S: ObjectStore>(store: &S) -> anyhow::Result<()> {
    let bytes: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    put(store, "whole", &bytes).await?;
    for (first, length) in [(0, 1), (0, 1_200_000), (5, 7), (123_457, 999_999), (1_199_999, 1)] {
        let reader = store.open_range("whole", first, length).await?.context("the object is absent")?;
        let mut found = Vec::new();
        reader.take(length).read_to_end(&mut found).await?;
        let first = usize::try_from(first)?;
        assert!(found == bytes[first..first + usize::try_from(length)?], "{length} bytes from {first} on");
    }
    ensure!(store.open_range("none", 3, 4).await?.is_none());
    Ok(())
}

async fn an_object_of_many_megabytes_passes_through<S: ObjectStore>(store: &S) -> anyhow::Result<()> {
    const PARTS: u8 = 24;
    const PART_BYTES: usize = 1_000_003;
    let mut writer = store.create_object("large", "application/octet-stream").await?;
    for part in 0..PARTS {
        writer.write(&vec![part; PART_BYTES]).await?;
    }
    writer.finish().await?;
    let mut reader = store.open_object("large").await?.context("the object is absent")?;
    let mut found = vec![0; PART_BYTES];
    for part in 0..PARTS {
        reader.read_exact(&mut found).await?;
        ensure!(found.iter().all(|byte| *byte == part), "part {part} is not as it was written");
    }
    assert_eq!(reader.read(&mut found).await?, 0, "the object ends here");
    Ok(())
}

async fn an_absent_object_is_none<S: ObjectStore>(store: &S) -> anyhow::Result<()> {
    put(store, "a/b", b"text").await?;
    for key in ["b", "a/b/c", "a/bc", "nothing/here"] {
        assert_eq!(get(store, key).await?, None, "{key}");
    }
    Ok(())
}

async fn an_object_appears_when_it_is_finished_and_replaces_the_one_before<S: ObjectStore>(
    store: &S,
) -> anyhow::Result<()> {
    let mut writer = store.create_object("key", "text/plain").await?;
    writer.write(b"first").await?;
    assert_eq!(get(store, "key").await?, None);
    writer.finish().await?;
    assert_eq!(get(store, "key").await?.as_deref(), Some(&b"first"[..]));
    let mut writer = store.create_object("key", "text/plain").await?;
    writer.write(b"2nd").await?;
    assert_eq!(get(store, "key").await?.as_deref(), Some(&b"first"[..]));
    writer.finish().await?;
    assert_eq!(get(store, "key").await?.as_deref(), Some(&b"2nd"[..]));
    Ok(())
}

async fn an_unfinished_object_leaves_nothing_behind<S: ObjectStore>(store: &S) -> anyhow::Result<()> {
    put(store, "kept", b"whole").await?;
    for key in ["new", "kept"] {
        let mut writer = store.create_object(key, "text/plain").await?;
        writer.write(&vec![b'x'; 300_000]).await?;
        drop(writer);
    }
    assert_eq!(get(store, "new").await?, None);
    assert_eq!(get(store, "kept").await?.as_deref(), Some(&b"whole"[..]));
    Ok(())
}

async fn two_writers_of_one_key_leave_one_whole_object<S: ObjectStore>(store: &S) -> anyhow::Result<()> {
    let mut first = store.create_object("key", "text/plain").await?;
    let mut second = store.create_object("key", "text/plain").await?;
    for _ in 0..100 {
        first.write(&[b'1'; 1_000]).await?;
        second.write(&[b'2'; 1_000]).await?;
    }
    second.finish().await?;
    assert_eq!(get(store, "key").await?, Some(vec![b'2'; 100_000]));
    first.finish().await?;
    assert_eq!(get(store, "key").await?, Some(vec![b'1'; 100_000]));
    Ok(())
}

async fn keys_are_told_apart<S: ObjectStore>(store: &S) -> anyhow::Result<()> {
    let keys = [
        "a:3",
        "a#3",
        "a%3A3",
        "a 3",
        "a+3",
        "a/3",
        "ä/3",
        ".a/.b",
        "x...",
        "2026-01-01T00:00:00Z.json.gz",
        "q?r&s=t",
    ];
    for key in keys {
        put(store, key, key.as_bytes()).await.context(key)?;
    }
    for key in keys {
        assert_eq!(get(store, key).await?.as_deref(), Some(key.as_bytes()), "{key}");
    }
    Ok(())
}
